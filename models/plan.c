/*
 * plan: 'sweep' and 'draw': what a file says of trainings over several params and of its diagrams. Both are
 * checked; who carries them out says so by a warning until it does.
 */
#include "language.h"

#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* Values of one param: a list, or {log: [lo, hi]}, {uniform: [lo, hi]}. */
static void check_range(struct recording *r, const struct yaml *key, const struct yaml *y)
{
	static const char *const kinds[] = { "log", "uniform" };
	const struct scope *file = &r->model->build->file;
	const struct yaml *list = y;
	double ends[2];

	if (y->kind == YAML_MAP) {
		check_map(r, y, key->text, COUNT(kinds), kinds);
		list = y->n == 1 ? y->items[0] : y;
	}
	if (list->kind != YAML_LIST || list->n == 0 || (list != y && list->n != 2)) {
		message(r->messages, E_TYPE, y->at, NULL, "write [0.1, 0.2], or {log: [1e-4, 1e-2]}",
		        "'%s' is swept over a list of values, or over a range", key->text);
		return;
	}
	if (list == y)
		return;
	for (size_t k = 0; k < 2; k++)
		if (!number_of(r, field_of(r, file, list->items[k], key->text, "a number"),
		               list->items[k]->at, key->text, &ends[k]))
			return;
	if (ends[0] >= ends[1] || (yaml_is(y->keys[0], "log") && ends[0] <= 0))
		message(r->messages, E_RANGE, list->at, NULL, NULL,
		        "the range of '%s' goes up, from a number%s", key->text,
		        yaml_is(y->keys[0], "log") ? " above 0" : "");
}

/* `min valid.loss`. */
static void check_goal(struct recording *r, const struct yaml *y)
{
	const char *text = y->kind == YAML_SCALAR ? y->text : "";
	bool known = strncmp(text, "min ", 4) == 0 || strncmp(text, "max ", 4) == 0;
	struct yaml name = *y;
	struct watched goal;

	if (!known) {
		message(r->messages, E_TYPE, y->at, NULL, "write goal: min valid.loss",
		        "'goal' is min or max and the name of a number, not %s", shown(r, y));
		return;
	}
	name.text = text + 4;
	read_watched(r, &name, "goal", &goal);
}

static void check_sweep(struct recording *r, const struct yaml *y, struct place at)
{
	static const char *const keys[] = { "over", "method", "trials", "goal" };
	static const char *const methods[] = { "grid", "random" };
	const struct yaml *over = yaml_get(y, "over"), *method = yaml_get(y, "method");
	const struct yaml *params = yaml_get(r->model->build->root, "params"), *goal = yaml_get(y, "goal");

	if (!check_map(r, y, "sweep", COUNT(keys), keys))
		return;
	if (!over && !misspelt(y, "over", COUNT(keys), keys))
		message(r->messages, E_MISSING, y->at, NULL, "write over: {lr: [0.1, 0.2]}",
		        "'sweep' needs 'over'");
	if (over && over->kind != YAML_MAP)
		message(r->messages, E_TYPE, over->at, NULL, "write over: {lr: [0.1, 0.2]}",
		        "'over' is a mapping of params to their values");
	for (size_t i = 0; over && over->kind == YAML_MAP && i < over->n; i++) {
		const struct yaml *key = over->keys[i];

		if (params && params->kind == YAML_MAP && yaml_get(params, key->text)) {
			check_range(r, key, over->items[i]);
			continue;
		}
		struct name *near = scope_nearest(r->messages, &r->model->build->file, key->text, true);
		message(r->messages, E_NAME, key->at,
		        near ? store_text(r->store, "did you mean '%s'?", near->text) : NULL, NULL,
		        "no param is named '%s'", key->text);
	}
	if (method)
		word_of(r, method, "method", COUNT(methods), methods, NULL);
	whole_field(r, y, "trials", 1, 0);
	if (goal)
		check_goal(r, goal);
	message_warning(r->messages, at,
	                "'sweep' is checked, but this version has no command that carries it out: a training "
	                "takes the params as they stand");
}

static void check_draw(struct recording *r, const struct yaml *y, struct place at)
{
	static const char *const keys[] = { "view", "depth", "direction", "gradients" };
	static const char *const views[] = { "auto", "circuit", "flow" };
	static const char *const directions[] = { "TB", "BT", "LR", "RL" };
	static const char *const stats[] = { "rms", "max", "ratio" };
	const struct yaml *field;

	if (!check_map(r, y, "draw", COUNT(keys), keys))
		return;
	if ((field = yaml_get(y, "view")) != NULL)
		word_of(r, field, "view", COUNT(views), views, NULL);
	whole_field(r, y, "depth", 1, 0);
	if ((field = yaml_get(y, "direction")) != NULL)
		word_of(r, field, "direction", COUNT(directions), directions, NULL);
	if ((field = yaml_get(y, "gradients")) != NULL)
		word_of(r, field, "gradients", COUNT(stats), stats, NULL);
	message_warning(r->messages, at,
	                "'draw' is checked, but this version's 'autograd draw' goes by its options alone");
}

void check_plan(struct recording *r)
{
	const struct yaml *root = r->model->build->root, *y;
	struct yaml *key;

	if ((y = yaml_pair(root, "sweep", &key)) != NULL)
		check_sweep(r, y, key->at);
	if ((y = yaml_pair(root, "draw", &key)) != NULL)
		check_draw(r, y, key->at);
}
