/*
 * regime: what stands under 'train': how a training goes.
 */
#include "language.h"

#include <fnmatch.h>
#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* One of a kind by its name, with arguments: {sgd: {lr: 0.1}}, {sgd: 0.1}, sgd. */
struct choice {
	const char *key;     /* "optimizer" */
	const char *example; /* "{sgd: {lr: 0.1}}" */
	size_t n;
	const char *names[64];
};

/* The remedy where y names two because what lies above it added to it. */
static const char *two_choices(struct recording *r, const struct yaml *y, const struct choice *c)
{
	const struct yaml *first = y->keys[0], *second = y->keys[1];

	if (second->at.line < 0)
		return store_text(r->store, "'%s' stands in the file; this replaces all: --set 'train.%s=%s'",
		                  first->text, c->key, c->example);
	if (first->at.file != second->at.file)
		return store_text(r->store,
		                  "'%s' comes from the file that is extended; this removes it: unset: [train.%s]",
		                  first->text, c->key);
	return store_text(r->store, "write one, %s", c->example);
}

/* Which one y names, and its arguments; -1 after a message. */
static int read_choice(struct recording *r, const struct yaml *y, const struct choice *c,
                       const struct yaml **key, const struct yaml **args)
{
	const char *near, *all = "";

	*key = y;
	*args = NULL;
	if (y->kind == YAML_LIST || (y->kind == YAML_MAP && y->n != 1)) {
		message(r->messages, E_TYPE, y->kind == YAML_MAP && y->n > 1 ? y->keys[1]->at : y->at,
		        NULL,
		        y->kind == YAML_MAP && y->n > 1 ? two_choices(r, y, c)
		                                        : store_text(r->store, "write one, %s", c->example),
		        "'%s' names one %s", c->key, c->key);
		return -1;
	}
	if (y->kind == YAML_MAP) {
		*key = y->keys[0];
		*args = y->items[0];
	}
	for (size_t i = 0; i < c->n; i++) {
		if (strcmp(c->names[i], (*key)->text) == 0)
			return (int)i;
		all = store_text(r->store, "%s%s%s", all, i ? ", " : "", c->names[i]);
	}
	near = nearest((*key)->text, c->n, c->names);
	message(r->messages, E_OP, (*key)->at,
	        near ? store_text(r->store, "did you mean '%s'?", near) : NULL,
	        near ? NULL : store_text(r->store, "the %ss are: %s", c->key, all), "no %s named '%s'",
	        c->key, (*key)->text);
	return -1;
}

/* The struct of the table by the arguments: a mapping, or the first attribute alone. NULL after a
 * message. */
static void *read_attrs(struct recording *r, const char *name, const ad_attr *table, size_t size,
                        const struct yaml *key, const struct yaml *args)
{
	ad_setting *settings = store_take(r->store, ((args ? args->n : 0) + 1) * sizeof *settings);
	size_t n = 0;
	bool good = true;

	if (args && args->kind == YAML_MAP) {
		for (size_t i = 0; i < args->n; i++) {
			const ad_attr *a = attr_find(table, args->keys[i]->text);

			if (a) {
				good = number_setting(r, a, args->items[i], &settings[n++]) && good;
				continue;
			}
			say_attribute(r, args->keys[i]->at, args->keys[i]->text, name, table);
			good = false;
		}
	} else if (args && !yaml_is_null(args)) {
		good = number_setting(r, &table[0], args, &settings[n++]);
	}
	return good ? fill_settings(r, name, table, size, n, settings, key->at) : NULL;
}

static void check_optimizer(struct recording *r, const struct yaml *y)
{
	struct train_spec *t = &r->model->train;
	struct choice c = { .key = "optimizer", .example = "{sgd: {lr: 0.1}}" };
	const struct yaml *key, *args;
	char error[256];
	int k;

	for (; optimizers[c.n] && c.n < COUNT(c.names); c.n++)
		c.names[c.n] = optimizers[c.n]->name;
	k = read_choice(r, y, &c, &key, &args);
	if (k < 0)
		return;
	t->optimizer_attrs =
	    read_attrs(r, optimizers[k]->name, optimizers[k]->attrs, optimizers[k]->attrs_size, key, args);
	t->optimizer = t->optimizer_attrs ? optimizers[k] : NULL;
	if (t->optimizer && !t->optimizer->check(t->optimizer_attrs, error, sizeof error))
		message(r->messages, E_RANGE, key->at, NULL, NULL, "%s", error);
}

static void check_schedule(struct recording *r, const struct yaml *y)
{
	struct train_spec *t = &r->model->train;
	struct choice c = { .key = "schedule", .example = "{cosine: {floor: 0}}" };
	const struct yaml *key, *args;
	const struct schedule *s;
	char error[256];
	int k;

	for (; schedules[c.n].name; c.n++)
		c.names[c.n] = schedules[c.n].name;
	k = read_choice(r, y, &c, &key, &args);
	if (k < 0)
		return;
	s = &schedules[k];
	t->schedule_attrs = read_attrs(r, s->name, s->attrs, s->attrs_size, key, args);
	if (!t->schedule_attrs || !t->optimizer)
		return;
	if (s->check(t->schedule_attrs, optimizer_lr(t->optimizer, t->optimizer_attrs), error, sizeof error))
		t->schedule = s;
	else
		message(r->messages, E_RANGE, key->at, NULL, NULL, "%s", error);
}

/* A number above 0. */
static bool positive(struct recording *r, const struct yaml *y, const char *key, double *to)
{
	double x;

	if (!number_of(r, field_of(r, &r->model->build->file, y, key, "a number"), y->at, key, &x))
		return false;
	if (!(x > 0))
		return message(r->messages, E_RANGE, y->at, NULL, NULL, "'%s' must be above 0, not %g", key, x);
	*to = x;
	return true;
}

static void check_clip(struct recording *r, const struct yaml *y)
{
	static const char *const keys[] = { "norm" };
	const struct yaml *norm = yaml_get(y, "norm");

	if (!check_map(r, y, "clip", COUNT(keys), keys))
		return;
	if (norm)
		positive(r, norm, "norm", &r->model->train.clip);
	else if (!misspelt(y, "norm", COUNT(keys), keys))
		message(r->messages, E_MISSING, y->at, NULL, "write clip: {norm: 1.0}", "'clip' needs 'norm'");
}

/* `250 steps`, `1 epoch`. */
static bool read_period(struct recording *r, const struct yaml *y, const char *key, struct period *to)
{
	static const char *const words[] = { "step", "steps", "epoch", "epochs" };
	const char *text = y->kind == YAML_SCALAR ? y->text : "";
	size_t digits = strspn(text, "0123456789"), blank = strspn(text + digits, " ");
	int64_t n = 0;
	size_t word = 0;

	for (size_t i = 0; i < digits && n < 1000000000000; i++)
		n = n * 10 + (text[i] - '0');
	while (word < COUNT(words) && strcmp(words[word], text + digits + blank) != 0)
		word++;
	if (digits == 0 || blank == 0 || word == COUNT(words) || n < 1 || n >= 1000000000000)
		return message(r->messages, E_TYPE, y->at, NULL,
		               store_text(r->store, "write %s: 250 steps, or %s: 1 epoch", key, key),
		               "'%s' is a number of steps or epochs, not %s", key, shown(r, y));
	*to = (struct period){ .n = n, .epochs = word >= 2 };
	return true;
}

bool read_watched(struct recording *r, const struct yaml *y, const char *key, struct watched *to)
{
	const struct yaml *root = r->model->build->root, *metrics = yaml_get(root, "metrics");
	const char *text = y->kind == YAML_SCALAR ? y->text : "", *dot = strchr(text, '.');
	const char *name = dot ? dot + 1 : "", *all = "loss";
	bool valid = strncmp(text, "valid.", 6) == 0;

	*to = (struct watched){ .given = true, .valid = valid, .value = strcmp(name, "loss") == 0 ? 0 : -1 };
	for (size_t i = 0; metrics && metrics->kind == YAML_MAP && i < metrics->n; i++) {
		all = store_text(r->store, "%s, %s", all, metrics->keys[i]->text);
		if (strcmp(metrics->keys[i]->text, name) == 0)
			to->value = (int)i + 1;
	}
	to->most = to->value > 0;
	if ((!valid && strncmp(text, "train.", 6) != 0) || to->value < 0) {
		to->given = false;
		return message(r->messages, E_NAME, y->at, NULL,
		               store_text(r->store, "'valid.' or 'train.' and one of: %s", all),
		               "'%s' names a number such as valid.loss, not %s", key, shown(r, y));
	}
	if (valid && !yaml_get(yaml_get(root, "data"), "valid")) {
		to->given = false;
		return message(r->messages, E_MISSING, y->at, NULL,
		               "add data.valid, such as valid: {split: 0.1, of: train}",
		               "'%s' watches the valid part, but 'data' has none", key);
	}
	return true;
}

/* `mode: min|max`: which is better. */
static void read_mode(struct recording *r, const struct yaml *map, struct watched *to)
{
	static const char *const modes[] = { "min", "max" };
	const struct yaml *y = yaml_get(map, "mode");
	int k = y ? word_of(r, y, "mode", COUNT(modes), modes, NULL) : -1;

	if (k >= 0)
		to->most = k == 1;
}

static void check_early_stop(struct recording *r, const struct yaml *y)
{
	static const char *const keys[] = { "watch", "patience", "mode" };
	struct train_spec *t = &r->model->train;
	const struct yaml *watch = yaml_get(y, "watch");

	if (!check_map(r, y, "early_stop", COUNT(keys), keys))
		return;
	if (!watch) {
		if (!misspelt(y, "watch", COUNT(keys), keys))
			message(r->messages, E_MISSING, y->at, NULL,
			        "write early_stop: {watch: valid.loss, patience: 3}",
			        "'early_stop' needs 'watch'");
		return;
	}
	read_watched(r, watch, "watch", &t->early_stop.watch);
	read_mode(r, y, &t->early_stop.watch);
	t->early_stop.patience = whole_field(r, y, "patience", 1, 1);
}

static void check_checkpoint(struct recording *r, const struct yaml *y)
{
	static const char *const keys[] = { "every", "keep", "best", "mode" };
	struct train_spec *t = &r->model->train;
	const struct yaml *field;

	if (!check_map(r, y, "checkpoint", COUNT(keys), keys))
		return;
	t->checkpoint.given = true;
	t->checkpoint.every = (struct period){ .n = 1, .epochs = true };
	if ((field = yaml_get(y, "every")) != NULL)
		read_period(r, field, "every", &t->checkpoint.every);
	t->checkpoint.keep = whole_field(r, y, "keep", 0, 1);
	if ((field = yaml_get(y, "best")) != NULL)
		read_watched(r, field, "best", &t->checkpoint.best);
	else if ((field = yaml_get(y, "mode")) != NULL)
		message(r->messages, E_MISSING, field->at, NULL, NULL, "'mode' is of 'best', which is not given");
	read_mode(r, y, &t->checkpoint.best);
}

static void check_gradients(struct recording *r, const struct yaml *y)
{
	static const char *const keys[] = { "every", "draw" };
	const struct yaml *every = yaml_get(y, "every"), *draw = yaml_get(y, "draw");

	if (!check_map(r, y, "gradients", COUNT(keys), keys))
		return;
	if (every)
		read_period(r, every, "every", &r->model->train.gradients);
	else if (!misspelt(y, "every", COUNT(keys), keys))
		message(r->messages, E_MISSING, y->at, NULL, "write gradients: {every: 200 steps}",
		        "'gradients' needs 'every'");
	if (draw)
		flag_of(r, &r->model->build->file, draw, "draw", &r->model->train.draw_gradients);
}

/* ---- groups -------------------------------------------------------------------------------------- */

/* The pattern with the [2] and [*] of paths as they stand, which fnmatch takes for sets of characters. */
static const char *path_pattern(struct store *s, const char *match)
{
	char *pattern = store_take(s, 2 * strlen(match) + 1), *to = pattern;

	while (*match) {
		size_t inner = *match != '[' ? 0 : match[1] == '*' ? 1 : strspn(match + 1, "0123456789");

		if (*match == '\\' && match[1])
			*to++ = *match++;
		else if (inner > 0 && match[1 + inner] == ']')
			*to++ = '\\';
		*to++ = *match++;
	}
	*to = '\0';
	return pattern;
}

/* The optimizer's settings with those of the group on top. */
static void check_group(struct recording *r, const struct yaml *y, struct train_group *to)
{
	struct train_spec *t = &r->model->train;
	const struct optimizer *o = t->optimizer;
	const struct yaml *match = yaml_get(y, "match"), *scale = yaml_get(y, "lr_scale");
	char error[256];
	void *attrs;

	to->at = y->at;
	to->lr_scale = 1;
	if (y->kind != YAML_MAP || !match || match->kind != YAML_SCALAR) {
		message(r->messages, y->kind == YAML_MAP && !match ? E_MISSING : E_TYPE, y->at, NULL,
		        "write {match: \"*.bias\", weight_decay: 0}",
		        "a group is a mapping with 'match', a pattern for paths of weights");
		return;
	}
	to->match = match->text;
	to->pattern = path_pattern(r->store, match->text);
	to->at = match->at;
	if (!o)
		return;
	attrs = store_take(r->store, o->attrs_size);
	memcpy(attrs, t->optimizer_attrs, o->attrs_size);
	if (y->n == 1)
		message(r->messages, E_MISSING, y->at, NULL,
		        store_text(r->store, "the settings of %s are: %s, lr_scale", o->name,
		                   attr_names(r->store, o->attrs)),
		        "the group changes nothing");
	for (size_t i = 0; i < y->n; i++) {
		const char *name = y->keys[i]->text;
		const ad_attr *a = attr_find(o->attrs, name);
		ad_setting setting;

		if (y->items[i] == match)
			continue;
		if (y->items[i] == scale) {
			double x;

			if (!number_of(r, field_of(r, &r->model->build->file, scale, "lr_scale", "a number"),
			               scale->at, "lr_scale", &x))
				continue;
			if (x < 0)
				message(r->messages, E_RANGE, scale->at, NULL, NULL,
				        "'lr_scale' must be 0 or more, not %g", x);
			to->lr_scale = x;
		} else if (!a) {
			say_attribute(r, y->keys[i]->at, name, o->name, o->attrs);
		} else if (a->type != AD_NUM) {
			message(r->messages, E_TYPE, y->keys[i]->at, NULL, NULL,
			        "'%s' is the same for all weights: a group changes single numbers", name);
		} else if (number_setting(r, a, y->items[i], &setting)) {
			double x = setting.type == AD_INT ? (double)setting.i : setting.r;

			memcpy((char *)attrs + a->offset, &x, sizeof x);
			to->attrs = attrs;
		}
	}
	if (to->attrs && optimizer_lr(o, t->optimizer_attrs) == 0 && optimizer_lr(o, attrs) != 0)
		message(r->messages, E_RANGE, y->at, NULL, NULL,
		        "the group's lr is a part of the optimizer's, which is 0");
	else if (to->attrs && !o->check(attrs, error, sizeof error))
		message(r->messages, E_RANGE, y->at, NULL, NULL, "%s", error);
}

static void read_groups(struct recording *r, const struct yaml *y)
{
	struct train_spec *t = &r->model->train;

	if (y->kind != YAML_LIST) {
		message(r->messages, E_TYPE, y->at, NULL, "groups: [{match: \"*.bias\", weight_decay: 0}]",
		        "'groups' is a list of groups");
		return;
	}
	if (y->n > MOST_GROUPS) {
		message(r->messages, E_LIMIT, y->at, NULL, "one pattern may match many weights",
		        "%zu groups; at most %d are allowed", y->n, MOST_GROUPS);
		return;
	}
	t->groups = store_take(r->store, (y->n + 1) * sizeof *t->groups);
	for (size_t i = 0; i < y->n; i++) {
		struct train_group *g = &t->groups[t->n_groups++];

		check_group(r, y->items[i], g);
		if (!g->match)
			t->n_groups--;
	}
}

static bool matches(const struct train_group *g, const char *path)
{
	return fnmatch(g->match, path, 0) == 0 || fnmatch(g->pattern, path, 0) == 0;
}

const struct train_group *group_of(const struct train_spec *t, const char *path)
{
	for (int k = 0; k < t->n_groups; k++)
		if (matches(&t->groups[k], path))
			return &t->groups[k];
	return NULL;
}

void check_groups(struct recording *r)
{
	const ad_model *m = r->model;

	for (int k = 0; k < m->train.n_groups; k++) {
		const struct train_group *g = &m->train.groups[k];
		bool any = false;

		for (int i = 0; i < m->n_weights && !any; i++)
			any = !m->weights[i].buffer && matches(g, m->weights[i].path);
		if (!any)
			message_warning(r->messages, g->at, "no weight has a path that matches '%s'", g->match);
	}
}

/* bf16 rounds numbers of f32: no input can be f64. */
static void refuse_f64_inputs(struct recording *r)
{
	const struct yaml *inputs = yaml_get(r->model->build->root, "inputs");

	for (size_t i = 0; inputs && inputs->kind == YAML_MAP && i < inputs->n; i++) {
		const struct yaml *input = inputs->items[i];
		const struct yaml *dtype = input->kind == YAML_MAP ? yaml_get(input, "dtype") : NULL;

		if (dtype && yaml_is(dtype, "f64"))
			message(r->messages, E_TYPE, dtype->at, NULL,
			        "write dtype: f32, or train: {precision: f64}",
			        "input '%s' cannot be f64: 'precision' is bf16, which rounds f32",
			        inputs->keys[i]->text);
	}
}

/* ---- the whole ----------------------------------------------------------------------------------- */

void check_train(struct recording *r)
{
	static const struct {
		const char *key;
		void (*check)(struct recording *r, const struct yaml *y);
	} parts[] = { { "optimizer", check_optimizer }, { "schedule", check_schedule },
		      { "clip", check_clip },           { "groups", read_groups },
		      { "early_stop", check_early_stop }, { "checkpoint", check_checkpoint },
		      { "gradients", check_gradients } };
	struct train_spec *t = &r->model->train;
	const struct yaml *y = yaml_get(r->model->build->root, "train"), *field;
	const char *const path[] = { "train" };
	const char *const *keys;
	size_t n;
	bool any;

	t->epochs = t->steps = -1;
	t->accumulate = 1;
	t->eval = (struct period){ .n = 1, .epochs = true };
	keys = keys_at(r->store, COUNT(path), path, &n, &any);
	if (!y || !check_map(r, y, "train", n, keys))
		return;
	t->given = true;
	t->epochs = whole_field(r, y, "epochs", 1, -1);
	t->steps = whole_field(r, y, "steps", 1, -1);
	t->seed = (uint64_t)whole_field(r, y, "seed", 0, 0);
	t->log = whole_field(r, y, "log", 0, 0);
	t->accumulate = whole_field(r, y, "accumulate", 1, 1);
	if ((field = yaml_get(y, "precision")) != NULL) {
		static const char *const words[] = { "f32", "f64", "bf16" };
		int which = word_of(r, field, "precision", COUNT(words), words, NULL);

		t->f64 = which == 1;
		t->bf16 = which == 2;
		if (t->bf16)
			refuse_f64_inputs(r);
	}
	for (size_t k = 0; k < COUNT(parts); k++)
		if ((field = yaml_get(y, parts[k].key)) != NULL)
			parts[k].check(r, field);
	if ((field = yaml_get(y, "eval")) != NULL && read_period(r, field, "eval", &t->eval) &&
	    !yaml_get(yaml_get(r->model->build->root, "data"), "valid"))
		message(r->messages, E_MISSING, field->at, NULL,
		        "add data.valid, such as valid: {split: 0.1, of: train}",
		        "'eval' says when the valid part is measured, but 'data' has none");
	if ((field = yaml_get(y, "from")) != NULL) {
		if (field->kind != YAML_SCALAR || yaml_is_null(field) || !*field->text)
			message(r->messages, E_TYPE, field->at, NULL, "write from: runs/net-1",
			        "'from' is the path of a run or of a file of weights, not %s",
			        shown(r, field));
		else
			t->from = file_path(r, with_params(r, field));
	}
}
