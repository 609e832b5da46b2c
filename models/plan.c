/*
 * plan: 'sweep' and 'draw': what a file says of trainings over several params (sweep.c has the trials) and of
 * its diagrams.
 */
#include "language.h"

#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof *(list))

static const char *const sweep_keys[] = { "over", "method", "trials", "goal" };
static const char *const draw_keys[] = { "view",      "depth",     "direction",
	                                 "gradients", "max_nodes", "thresholds" };

const char *const *plan_keys(const char *where, size_t *count)
{
	bool sweep = strcmp(where, "sweep") == 0;

	if (!sweep && strcmp(where, "draw") != 0)
		return NULL;
	*count = sweep ? COUNT(sweep_keys) : COUNT(draw_keys);
	return sweep ? sweep_keys : draw_keys;
}

/* Values of one param: a list, or {log: [lo, hi]}, {uniform: [lo, hi]}. False after a message. */
static bool check_range(struct recording *r, const struct yaml *key, const struct yaml *y, bool random,
                        struct swept *to)
{
	static const char *const kinds[] = { "log", "uniform" };
	const struct scope *file = &r->model->build->file;
	const struct yaml *list = y;
	struct value ends[2];
	const struct name *param = scope_find(file, key->text);

	*to = (struct swept){ .param = key->text };
	if (y->kind == YAML_MAP) {
		int errors = messages_errors(r->messages);

		check_map(r, y, key->text, COUNT(kinds), kinds);
		if (messages_errors(r->messages) > errors)
			return false;
		list = y->n == 1 ? y->items[0] : y;
	}
	if (list->kind != YAML_LIST || list->n == 0 || (list != y && list->n != 2))
		return message(r->messages, E_TYPE, y->at, NULL, "write [0.1, 0.2], or {log: [1e-4, 1e-2]}",
		               "'%s' is swept over a list of values, or over a range", key->text);
	if (list == y) {
		const char **texts = store_take(r->store, y->n * sizeof(*texts));

		for (size_t k = 0; k < y->n; k++)
			texts[k] = yaml_flow(r->store, y->items[k]);
		to->n = y->n;
		to->values = texts;
		return true;
	}
	for (size_t k = 0; k < 2; k++) {
		ends[k] = field_of(r, file, list->items[k], key->text, "a number");
		if (!number_of(r, ends[k], list->items[k]->at, key->text, k ? &to->hi : &to->lo))
			return false;
	}
	to->log = yaml_is(y->keys[0], "log");
	to->whole = param && param->value.kind == VALUE_INT && ends[0].kind == VALUE_INT &&
	            ends[1].kind == VALUE_INT;
	if (to->lo >= to->hi || (to->log && to->lo <= 0))
		return message(r->messages, E_RANGE, list->at, NULL, NULL,
		               "the range of '%s' goes up, from a number%s", key->text,
		               to->log ? " above 0" : "");
	return random || message(r->messages, E_TYPE, y->at, NULL,
	                         "write method: random and how many trials, or a list of values",
	                         "a grid is made of lists, but '%s' is a range", key->text);
}

/* `min valid.loss`. */
static void check_goal(struct recording *r, const struct yaml *y, struct watched *to)
{
	const char *text = y->kind == YAML_SCALAR ? y->text : "";
	bool known = strncmp(text, "min ", 4) == 0 || strncmp(text, "max ", 4) == 0;
	struct yaml name = *y;

	if (!known) {
		message(r->messages, E_TYPE, y->at, NULL, "write goal: min valid.loss",
		        "'goal' is min or max and the name of a number, not %s", shown(r, y));
		return;
	}
	name.text = text + 4;
	if (read_watched(r, &name, "goal", to))
		to->most = text[1] == 'a';
}

static void check_over(struct recording *r, const struct yaml *over, struct sweep_spec *to)
{
	const struct yaml *params = yaml_get(r->model->build->root, "params");

	if (over->kind != YAML_MAP || over->n == 0) {
		message(r->messages, E_TYPE, over->at, NULL, "write over: {lr: [0.1, 0.2]}",
		        "'over' is a mapping of params to their values");
		return;
	}
	to->over = store_take(r->store, over->n * sizeof *to->over);
	for (size_t i = 0; i < over->n; i++) {
		const struct yaml *key = over->keys[i];

		if (params && params->kind == YAML_MAP && yaml_get(params, key->text)) {
			to->n_over += check_range(r, key, over->items[i], to->random, &to->over[to->n_over]);
			continue;
		}
		struct name *near = scope_nearest(r->messages, &r->model->build->file, key->text, true);
		message(r->messages, E_NAME, key->at,
		        near ? store_text(r->store, "did you mean '%s'?", near->text) : NULL, NULL,
		        "no param is named '%s'", key->text);
	}
}

/* How many trials there are. whole: all that is varied is known. */
static void count_trials(struct recording *r, const struct yaml *trials, bool whole, struct place at,
                         struct sweep_spec *to)
{
	int64_t n = to->random ? to->trials : 1;

	for (size_t k = 0; k < to->n_over && !to->random; k++)
		if (__builtin_mul_overflow(n, (int64_t)to->over[k].n, &n))
			n = INT64_MAX;
	if (trials && whole && !to->random && to->trials > 0 && to->trials != n)
		message_warning(r->messages, trials->at,
		                "'trials' is for method: random; this grid has %lld", (long long)n);
	if (n > MOST_TRIALS)
		message(r->messages, E_LIMIT, to->random ? trials->at : at, NULL, NULL,
		        "a sweep has at most %d trials, not %lld", MOST_TRIALS, (long long)n);
	to->trials = n;
}

static void check_sweep(struct recording *r, const struct yaml *y, struct place at)
{
	static const char *const methods[] = { "grid", "random" };
	const struct yaml *over = yaml_get(y, "over"), *method = yaml_get(y, "method");
	const struct yaml *goal = yaml_get(y, "goal"), *trials = yaml_get(y, "trials");
	struct sweep_spec *to = &r->model->sweep;

	if (!check_map(r, y, "sweep", COUNT(sweep_keys), sweep_keys))
		return;
	to->given = true;
	to->goal = (struct watched){ .given = true,
		                     .valid = yaml_get(yaml_get(r->model->build->root, "data"), "valid") != NULL };
	if (method)
		to->random = word_of(r, method, "method", COUNT(methods), methods, NULL) != 0;
	to->trials = whole_field(r, y, "trials", 1, 0);
	if (over)
		check_over(r, over, to);
	else if (!misspelt(y, "over", COUNT(sweep_keys), sweep_keys))
		message(r->messages, E_MISSING, at, NULL, "write over: {lr: [0.1, 0.2]}",
		        "'sweep' needs 'over'");
	if (goal)
		check_goal(r, goal, &to->goal);
	if (to->random && !trials && !misspelt(y, "trials", COUNT(sweep_keys), sweep_keys))
		message(r->messages, E_MISSING, method->at, NULL, "write trials: 20",
		        "'method: random' needs 'trials', how many it makes");
	count_trials(r, trials, over && to->n_over == over->n && over->n > 0, at, to);
}

/* `{exploding: 100, vanishing: 1e-4}`: where the classes of gradients begin, against the reference. */
static void check_thresholds(struct recording *r, const struct yaml *y, struct draw_spec *to)
{
	static const char *const keys[] = { "vanishing", "weak", "strong", "exploding" };
	double last = 0;

	if (!check_map(r, y, "thresholds", COUNT(keys), keys))
		return;
	for (size_t k = 0; k < COUNT(keys); k++) {
		const struct yaml *field = yaml_get(y, keys[k]);

		if (field && !number_of(r, field_of(r, &r->model->build->file, field, keys[k], "a number"),
		                        field->at, keys[k], &to->thresholds[k]))
			return;
		if (!(to->thresholds[k] > last)) {
			message(r->messages, E_RANGE, field ? field->at : y->at, NULL,
			        "they go up: vanishing, weak, strong, exploding",
			        "the threshold of '%s' is %g, but it must be above %g", keys[k],
			        to->thresholds[k], last);
			return;
		}
		last = to->thresholds[k];
	}
}

/* The place of the word in the list; otherwise: not given, or after a message. */
static int word_field(struct recording *r, const struct yaml *map, const char *key, size_t n,
                      const char *const list[], int otherwise)
{
	const struct yaml *y = yaml_get(map, key);
	int k = y ? word_of(r, y, key, n, list, NULL) : -1;

	return k < 0 ? otherwise : k;
}

static void check_draw(struct recording *r, const struct yaml *y)
{
	static const char *const views[] = { "auto", "circuit", "flow" };
	static const char *const directions[] = { "TB", "BT", "LR", "RL" };
	static const char *const stats[] = { "rms", "max", "ratio" };
	struct draw_spec *to = &r->model->draw;
	const struct yaml *thresholds = yaml_get(y, "thresholds");
	int k;

	if (!check_map(r, y, "draw", COUNT(draw_keys), draw_keys))
		return;
	to->view = word_field(r, y, "view", COUNT(views), views, 0);
	to->depth = whole_field(r, y, "depth", 1, 0);
	k = word_field(r, y, "direction", COUNT(directions), directions, -1);
	to->direction = k < 0 ? NULL : directions[k];
	to->stat = word_field(r, y, "gradients", COUNT(stats), stats, 0);
	to->max_nodes = whole_field(r, y, "max_nodes", 1, to->max_nodes);
	if (thresholds)
		check_thresholds(r, thresholds, to);
}

void check_plan(struct recording *r)
{
	const struct yaml *root = r->model->build->root, *y;
	struct yaml *key;

	r->model->draw = (struct draw_spec){ .max_nodes = 300, .thresholds = { 1e-3, 1.0 / 30, 10, 100 } };
	if ((y = yaml_pair(root, "sweep", &key)) != NULL)
		check_sweep(r, y, key->at);
	if ((y = yaml_get(root, "draw")) != NULL)
		check_draw(r, y);
}
