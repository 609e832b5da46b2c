/*
 * full: a declaration with its defaults written out: arguments of items, of the optimizer, of data
 * sources, and what the keys of the other parts are where they are left out. A key that is left to
 * the program without a value that could stand there, such as data.batch or draw.depth, stays out.
 */
#include "language.h"

#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* What a key is where a file has the mapping without it. */
static const struct {
	const char *where, *key, *text;
} usual[] = {
	{ "train", "seed", "0" },
	{ "train", "log", "0" },
	{ "train", "accumulate", "1" },
	{ "train.early_stop", "patience", "1" },
	{ "train.checkpoint", "every", "1 epoch" },
	{ "train.checkpoint", "keep", "1" },
	{ "train.gradients", "draw", "false" },
	{ "train.groups", "lr_scale", "1" },
	{ "data", "shuffle", "true" },
	{ "data.split", "of", "train" },
	{ "data.split", "how", "random" },
	{ "data.random_flip", "p", "0.5" },
	{ "sweep", "method", "grid" },
	{ "draw", "view", "auto" },
	{ "draw", "gradients", "rms" },
	{ "draw", "max_nodes", "300" },
	{ "draw.thresholds", "vanishing", "1e-3" },
	{ "draw.thresholds", "weak", "1/30" },
	{ "draw.thresholds", "strong", "10" },
	{ "draw.thresholds", "exploding", "100" },
};

struct filling {
	struct recording r;
	struct store *store;
};

static struct yaml *fill_body(struct filling *f, struct yaml *y);

static struct yaml *default_scalar(struct filling *f, const char *text)
{
	return yaml_scalar(f->store, (struct place){ 0 }, text);
}

/* A default as tables have it: a scalar, or a list of scalars, "[0.9, 0.999]". */
static struct yaml *default_value(struct filling *f, const char *text)
{
	struct yaml *list;

	if (*text != '[')
		return default_scalar(f, text);
	list = store_take(f->store, sizeof *list);
	*list = (struct yaml){ .kind = YAML_LIST, .text = "" };
	for (text += strspn(text, "[, "); *text && *text != ']'; text += strspn(text, ", ")) {
		size_t n = strcspn(text, ",]");

		list->items = store_more(f->store, list->items, list->n, sizeof *list->items);
		list->items[list->n++] = default_scalar(f, store_copy(f->store, text, n));
		text += n;
	}
	return list;
}

static struct yaml *copy_of(struct filling *f, const struct yaml *y)
{
	struct yaml *copy = store_take(f->store, sizeof *copy);

	*copy = *y;
	copy->items = store_take(f->store, y->n * sizeof(*copy->items));
	for (size_t i = 0; i < y->n; i++)
		copy->items[i] = y->items[i];
	if (y->kind != YAML_MAP)
		return copy;
	copy->keys = store_take(f->store, y->n * sizeof(*copy->keys));
	for (size_t i = 0; i < y->n; i++)
		copy->keys[i] = y->keys[i];
	return copy;
}

static struct yaml *new_map(struct filling *f, struct place at)
{
	struct yaml *map = store_take(f->store, sizeof *map);

	*map = (struct yaml){ .kind = YAML_MAP, .at = at, .text = "" };
	return map;
}

/* Adds KEY: text, unless the map has the key. */
static void add_default(struct filling *f, struct yaml *map, const char *key, const char *text)
{
	if (text && !yaml_get(map, key))
		yaml_put(f->store, map, default_scalar(f, key), default_value(f, text));
}

static void add_usual(struct filling *f, struct yaml *map, const char *where)
{
	for (size_t k = 0; k < COUNT(usual); k++)
		if (strcmp(usual[k].where, where) == 0)
			add_default(f, map, usual[k].key, usual[k].text);
}

static void replace(struct yaml *map, const char *key, struct yaml *value)
{
	for (size_t i = 0; i < map->n; i++)
		if (yaml_is(map->keys[i], key))
			map->items[i] = value;
}

/* ---- arguments ------------------------------------------------------------------------------- */

/* The arguments as a mapping; what is single is the primary one. */
static struct yaml *as_map(struct filling *f, const struct yaml *key, struct yaml *arg,
                           const char *primary)
{
	struct yaml *map;

	if (arg && arg->kind == YAML_MAP)
		return copy_of(f, arg);
	map = new_map(f, arg ? arg->at : key->at);
	if (arg && !yaml_is_null(arg))
		yaml_put(f->store, map, yaml_scalar(f->store, arg->at, primary), arg);
	return map;
}

static void add_defaults_of(struct filling *f, struct yaml *map, const char *kind,
                            const char *primary)
{
	const struct yaml *y = defaults_of(&f->r, kind);

	if (y && y->kind == YAML_MAP) {
		for (size_t i = 0; i < y->n; i++) {
			/* in `defaults` it may name weights that this item has not */
			const bool stays = yaml_is(y->keys[i], "init") && init_by_weight(y->items[i]);

			if (!stays && !yaml_get(map, y->keys[i]->text))
				yaml_put(f->store, map, y->keys[i], y->items[i]);
		}
	} else if (y && !yaml_is_null(y) && !yaml_get(map, primary)) {
		struct yaml *value = store_take(f->store, sizeof *value);

		*value = *y;
		yaml_put(f->store, map, yaml_scalar(f->store, y->at, primary), value);
	}
}

/* A table of attributes upon a mapping, or on what stands for one. */
static struct yaml *fill_attrs(struct filling *f, const struct yaml *key, struct yaml *arg,
                               const ad_attr *table, const char *kind)
{
	struct yaml *map;

	if (!table || !table->name)
		return arg;
	map = as_map(f, key, arg, table->name);
	if (kind)
		add_defaults_of(f, map, kind, table->name);
	for (; table->name; table++)
		add_default(f, map, table->name, table->def);
	return map;
}

static struct yaml *fill_params(struct filling *f, const struct yaml *key, struct yaml *arg,
                                const struct definition *d)
{
	struct yaml *map;

	if (d->n_params == 0)
		return arg;
	map = as_map(f, key, arg, d->params[0].name);
	add_defaults_of(f, map, d->name, d->params[0].name);
	for (size_t k = 0; k < d->n_params; k++) {
		const struct parameter *p = &d->params[k];
		struct yaml *value;

		if (!p->value || yaml_get(map, p->name))
			continue;
		value = store_take(f->store, sizeof *value);
		*value = *p->value;
		yaml_put(f->store, map, yaml_scalar(f->store, p->at, p->name), value);
	}
	return map;
}

/* ---- items ----------------------------------------------------------------------------------- */

static struct yaml *fill_branches(struct filling *f, struct yaml *y)
{
	struct yaml *copy;

	if (y->kind == YAML_SCALAR)
		return y;
	copy = copy_of(f, y);
	for (size_t i = 0; i < y->n; i++)
		if (copy->items[i]->kind == YAML_LIST)
			copy->items[i] = fill_body(f, copy->items[i]);
	return copy;
}

static void add_join(struct filling *f, struct yaml *parallel)
{
	const struct yaml *join;
	const ad_op *op;
	const ad_attr *axis;

	add_default(f, parallel, "join", "concat");
	join = yaml_get(parallel, "join");
	op = join->kind == YAML_SCALAR ? ad_op_find(join->text) : NULL;
	axis = op ? attr_find(ad_op_attrs(op), "axis") : NULL;
	if (axis)
		add_default(f, parallel, "axis", axis->def);
}

/* What a chain, residual or parallel holds. */
static struct yaml *fill_structure(struct filling *f, struct yaml *arg, enum kind_of what)
{
	const char *key = what == KIND_PARALLEL ? "branches" : "body";
	struct yaml *inner;

	if (!arg || arg->kind == YAML_SCALAR)
		return arg;
	if (arg->kind == YAML_LIST)
		return what == KIND_PARALLEL ? fill_branches(f, arg) : fill_body(f, arg);
	arg = copy_of(f, arg);
	inner = yaml_get(arg, key);
	if (inner && what != KIND_SCAN)
		replace(arg, key,
		        what == KIND_PARALLEL ? fill_branches(f, inner) : fill_body(f, inner));
	if (what == KIND_PARALLEL)
		add_join(f, arg);
	if (what == KIND_SCAN)
		add_default(f, arg, "axis", "1");
	if (what == KIND_RESIDUAL)
		add_default(f, arg, "skip", "identity");
	return arg;
}

/* The tensors of an op stand where a mapping of arguments would: then there is none. */
static bool has_tensors(const struct kind *kind, const struct yaml *arg)
{
	int least = ad_op_min_inputs(kind->op), most = ad_op_max_inputs(kind->op);

	return arg && arg->kind != YAML_MAP && !yaml_is_null(arg) && (most < 0 || least > 1);
}

static struct yaml *fill_kind(struct filling *f, const struct kind *kind, const struct yaml *key,
                              struct yaml *arg)
{
	if (kind->what == KIND_LAYER)
		return fill_attrs(f, key, arg, kind->layer->attrs, kind->name);
	if (kind->what == KIND_BLOCK)
		return fill_params(f, key, arg, kind->block);
	if (kind->what == KIND_OP)
		return has_tensors(kind, arg)
		           ? arg
		           : fill_attrs(f, key, arg, ad_op_attrs(kind->op), kind->name);
	return fill_structure(f, arg, kind->what);
}

static struct yaml *fill_item(struct filling *f, struct yaml *y)
{
	const struct scope *file = &f->r.model->build->file;
	struct kind kind;
	struct yaml *map;

	if (y->kind == YAML_SCALAR) {
		struct yaml *arg =
		    kind_find(&f->r, file, y->text, &kind) ? fill_kind(f, &kind, y, NULL) : NULL;

		if (!arg || arg->n == 0)
			return y;
		map = new_map(f, y->at);
		yaml_put(f->store, map, y, arg);
		return map;
	}
	if (y->kind == YAML_LIST)
		return y;
	map = copy_of(f, y);
	for (size_t i = 0; i < map->n; i++)
		if (!word_in(
			"as from repeat each when share freeze lr_scale init shape note checkpoint",
			map->keys[i]->text) &&
		    kind_find(&f->r, file, map->keys[i]->text, &kind)) {
			struct yaml *arg = fill_kind(f, &kind, map->keys[i], map->items[i]);

			map->items[i] = arg ? arg : map->items[i];
		}
	return map;
}

/* A list of items or a set of equations; expressions stay. */
static struct yaml *fill_body(struct filling *f, struct yaml *y)
{
	struct yaml *copy;

	if (y->kind == YAML_SCALAR)
		return y;
	copy = copy_of(f, y);
	for (size_t i = 0; i < copy->n; i++)
		if (y->kind == YAML_LIST || copy->items[i]->kind == YAML_MAP)
			copy->items[i] = fill_item(f, copy->items[i]);
	return copy;
}

static struct yaml *fill_defs(struct filling *f, struct yaml *defs)
{
	struct yaml *copy = copy_of(f, defs);

	for (size_t i = 0; i < copy->n; i++) {
		const char *dot = strrchr(copy->keys[i]->text, '.');
		struct yaml *body = yaml_get(copy->items[i], "body");

		if (!body)
			continue;
		f->r.space = dot ? store_copy(f->store, copy->keys[i]->text,
		                              (size_t)(dot + 1 - copy->keys[i]->text))
		                 : "";
		copy->items[i] = copy_of(f, copy->items[i]);
		replace(copy->items[i], "body", fill_body(f, body));
	}
	f->r.space = "";
	return copy;
}

/* ---- the other keys -------------------------------------------------------------------------- */

static struct yaml *fill_inputs(struct filling *f, struct yaml *inputs)
{
	struct yaml *copy = copy_of(f, inputs);

	for (size_t i = 0; i < copy->n; i++) {
		struct yaml *y = copy->items[i], *map;

		if (y->kind == YAML_SCALAR)
			continue;
		map = as_map(f, copy->keys[i], y->kind == YAML_MAP ? y : NULL, "shape");
		if (y->kind == YAML_LIST)
			yaml_put(f->store, map, yaml_scalar(f->store, y->at, "shape"), y);
		add_default(f, map, "dtype", f->r.model->f64 ? "f64" : "f32");
		add_default(f, map, "role", "input");
		copy->items[i] = map;
	}
	return copy;
}

/* `optimizer: {sgd: 0.1}`, with all of its arguments. */
static void fill_choice(struct filling *f, struct yaml *train, const char *name, const ad_attr *attrs)
{
	struct yaml *y = yaml_get(train, name), *map = new_map(f, y->at);
	struct yaml *key = y->kind == YAML_MAP ? y->keys[0] : y;

	yaml_put(f->store, map, key,
	         fill_attrs(f, key, y->kind == YAML_MAP ? y->items[0] : NULL, attrs, NULL));
	replace(train, name, map);
}

/* The mapping under a key with its usual values, as a copy; NULL: there is none. */
static struct yaml *fill_inner(struct filling *f, struct yaml *map, const char *where, const char *key)
{
	struct yaml *y = yaml_get(map, key);

	if (!y || y->kind != YAML_MAP)
		return NULL;
	y = copy_of(f, y);
	add_usual(f, y, store_text(f->store, "%s.%s", where, key));
	replace(map, key, y);
	return y;
}

static const char *mode_of(const struct watched *w)
{
	return w->most ? "max" : "min";
}

static struct yaml *fill_train(struct filling *f, struct yaml *train)
{
	const struct train_spec *t = &f->r.model->train;
	struct yaml *copy = copy_of(f, train), *inner;

	add_usual(f, copy, "train");
	add_default(f, copy, "precision", model_precision(f->r.model));
	if (yaml_get(yaml_get(yaml_root(f->r.model->tree), "data"), "valid"))
		add_default(f, copy, "eval", "1 epoch");
	if (t->optimizer)
		fill_choice(f, copy, "optimizer", t->optimizer->attrs);
	if (t->schedule)
		fill_choice(f, copy, "schedule", t->schedule->attrs);
	if ((inner = fill_inner(f, copy, "train", "early_stop")) != NULL)
		add_default(f, inner, "mode", mode_of(&t->early_stop.watch));
	if ((inner = fill_inner(f, copy, "train", "checkpoint")) != NULL && t->checkpoint.best.given)
		add_default(f, inner, "mode", mode_of(&t->checkpoint.best));
	fill_inner(f, copy, "train", "gradients");
	if ((inner = yaml_get(copy, "groups")) != NULL) {
		inner = copy_of(f, inner);
		for (size_t i = 0; i < inner->n; i++) {
			inner->items[i] = copy_of(f, inner->items[i]);
			add_usual(f, inner->items[i], "train.groups");
		}
		replace(copy, "groups", inner);
	}
	return copy;
}

/* `{format: NAME, ...}`; from its short form `{NAME: ...}`, too. */
static struct yaml *fill_source(struct filling *f, struct yaml *y, const struct source *s)
{
	const ad_attr *attrs = s->format ? s->format->attrs : NULL;
	struct yaml *map, *args;
	size_t k = 0;

	if (!s->format || yaml_get(y, "format"))
		return s->format ? fill_attrs(f, y, y, attrs, NULL) : y;
	while (k < y->n && !yaml_is(y->keys[k], s->format->name))
		k++;
	if (k == y->n)
		return y;
	map = new_map(f, y->at);
	yaml_put(f->store, map, default_scalar(f, "format"), y->keys[k]);
	args = as_map(f, y->keys[k], y->items[k], attrs && attrs->name ? attrs->name : "");
	for (size_t i = 0; i < args->n; i++)
		yaml_put(f->store, map, args->keys[i], args->items[i]);
	return fill_attrs(f, y, map, attrs, NULL);
}

/* One step of `augment`: random_flip has a probability. */
static struct yaml *fill_augment(struct filling *f, struct yaml *step)
{
	struct yaml *key = step->kind == YAML_MAP ? step->keys[0] : step, *map, *args;

	if (!yaml_is(key, "random_flip"))
		return step;
	map = new_map(f, step->at);
	args = as_map(f, key, step->kind == YAML_MAP ? step->items[0] : NULL, "p");
	add_usual(f, args, "data.random_flip");
	yaml_put(f->store, map, key, args);
	return map;
}

static void fill_augments(struct filling *f, struct yaml *data)
{
	struct yaml *inputs = yaml_get(data, "augment");

	if (!inputs)
		return;
	inputs = copy_of(f, inputs);
	for (size_t i = 0; i < inputs->n; i++) {
		struct yaml *steps = inputs->items[i];

		if (steps->kind == YAML_LIST) {
			steps = copy_of(f, steps);
			for (size_t k = 0; k < steps->n; k++)
				steps->items[k] = fill_augment(f, steps->items[k]);
			inputs->items[i] = steps;
		} else {
			inputs->items[i] = fill_augment(f, steps);
		}
	}
	replace(data, "augment", inputs);
}

static struct yaml *fill_data(struct filling *f, struct yaml *data)
{
	const struct data_spec *d = &f->r.model->data;
	const struct {
		const char *key;
		bool has;
		const struct source *source;
	} parts[] = { { "train", d->has_train, &d->train },
		      { "valid", d->has_valid, &d->valid },
		      { "test", d->has_test, &d->test } };
	struct yaml *copy = copy_of(f, data);

	for (size_t k = 0; k < COUNT(parts); k++) {
		struct yaml *y = yaml_get(copy, parts[k].key);

		if (y && parts[k].has)
			replace(copy, parts[k].key, fill_source(f, y, parts[k].source));
		if (y && yaml_get(y, "split")) {
			y = copy_of(f, y);
			add_usual(f, y, "data.split");
			replace(copy, parts[k].key, y);
		}
	}
	fill_augments(f, copy);
	add_usual(f, copy, "data");
	return copy;
}

/* The trials of a grid are counted, not given. */
static struct yaml *fill_sweep(struct filling *f, struct yaml *sweep)
{
	const ad_model *m = f->r.model;
	const struct watched *goal = &m->sweep.goal;
	struct yaml *copy = copy_of(f, sweep);

	add_usual(f, copy, "sweep");
	add_default(f, copy, "goal",
	            store_text(f->store, "%s %s.%s", mode_of(goal), goal->valid ? "valid" : "train",
	                       goal->value > 0 ? m->metrics[goal->value - 1] : "loss"));
	return copy;
}

static struct yaml *fill_draw(struct filling *f, struct yaml *draw)
{
	struct yaml *copy = copy_of(f, draw);

	if (!yaml_get(copy, "thresholds"))
		yaml_put(f->store, copy, default_scalar(f, "thresholds"), new_map(f, (struct place){ 0 }));
	fill_inner(f, copy, "draw", "thresholds");
	add_usual(f, copy, "draw");
	return copy;
}

static struct yaml *filled(struct filling *f)
{
	static const struct {
		const char *key;
		struct yaml *(*fill)(struct filling *f, struct yaml *y);
	} keys[] = { { "inputs", fill_inputs },
		     { "defs", fill_defs },
		     { "model", fill_body },
		     { "train", fill_train },
		     { "data", fill_data },
		     { "sweep", fill_sweep },
		     { "draw", fill_draw } };
	struct yaml *root = copy_of(f, yaml_root(f->r.model->tree));

	/* every model is drawn, but not every one is trained */
	if (!yaml_get(root, "draw"))
		yaml_put(f->store, root, default_scalar(f, "draw"), new_map(f, (struct place){ 0 }));
	for (size_t k = 0; k < COUNT(keys); k++) {
		struct yaml *y = yaml_get(root, keys[k].key);

		if (y && y->kind != YAML_SCALAR)
			replace(root, keys[k].key, keys[k].fill(f, y));
	}
	if (!yaml_get(root, "name")) {
		struct yaml *key = default_scalar(f, "name");

		yaml_put(f->store, root, key, default_scalar(f, f->r.model->name));
	}
	return root;
}

struct yaml *model_full(ad_model *m)
{
	struct store *store = &m->build->store;
	struct filling f = { .r = { .model = m, .store = store, .space = "" }, .store = store };
	struct yaml *root = NULL;
	jmp_buf out;

	store->out = &out;
	if (!setjmp(out))
		root = filled(&f);
	store->out = NULL;
	return root;
}

char *model_place(const ad_model *m, struct place at, char *text, size_t n)
{
	if (at.line == 0)
		snprintf(text, n, "default");
	else if (!m->messages)
		snprintf(text, n, "%s:%d:%d", m->path, at.line, at.col);
	else
		messages_place(m->messages, at, text, n);
	return text;
}
