/*
 * compose: items that hold items: chain, residual, parallel.
 */
#include "language.h"

#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof *(list))

static bool check_keys(struct recording *r, const struct item *item, size_t n,
                       const char *const keys[])
{
	const struct yaml *arg = item->arg;
	struct kind kind;

	for (size_t i = 0; i < arg->n; i++) {
		size_t k = 0;

		while (k < n && !yaml_is(arg->keys[i], keys[k]))
			k++;
		if (k == n && kind_find(r, &r->model->build->file, arg->keys[i]->text, &kind)) {
			message(r->messages, E_TYPE, arg->keys[i]->at, NULL,
			        store_text(r->store, "write {%s: [{%s: ...}]}", item->key->text,
			                   arg->keys[i]->text),
			        "'%s' takes a list of items", item->key->text);
			return false;
		}
		if (k == n) {
			unknown_key(r->messages, arg->keys[i], item->key->text, n, keys);
			return false;
		}
	}
	return true;
}

static const struct yaml *list_of(struct recording *r, const struct item *item,
                                  const struct yaml *body)
{
	if (body && body->kind == YAML_LIST)
		return body;
	message(r->messages, E_TYPE, body ? body->at : item->key->at, NULL,
	        store_text(r->store, "write {%s: [{linear: 64}, relu]}", item->key->text),
	        "'%s' takes a list of items", item->key->text);
	return NULL;
}

static struct value build_list(struct recording *r, const struct scope *in, const struct yaml *list,
                               struct value x)
{
	struct scope *body = store_take(r->store, sizeof *body);

	body->up = in;
	return build_items(r, body, list, x);
}

struct value build_chain(struct recording *r, const struct scope *in, const struct item *item,
                         const char *component, struct value x)
{
	const struct yaml *body = list_of(r, item, item->arg);

	return body ? build_list(r, in, body, x) : unknown;
}

/* ---- residual -------------------------------------------------------------------------------- */

/* The smallest stride s with ceil(in / s) = out; 0: there is none. */
static int64_t stride_of(int64_t in, int64_t out)
{
	int64_t s = out > 0 ? (in + out - 1) / out : 0;

	return s > 0 && (in + s - 1) / s == out ? s : 0;
}

/* A projection of x to the shape of f(x): a convolution of kernel 1 where the channels are axis 1,
 * a linear layer where only the last axis differs. Both may fit three axes, of which the last is channels or
 * time: spatial tells that f convolves or pools. NULL: no such projection fits. */
static const char *projection_of(ad_shape x, ad_shape f, bool spatial, int64_t strides[])
{
	static const char *const convolutions[] = { "conv1d", "conv2d", "conv3d" };
	bool last = x.rank == f.rank && !(x.rank == 3 && spatial);

	for (int i = 0; last && i < x.rank - 1; i++)
		last = x.dims[i] == f.dims[i];
	if (last && x.rank <= 3)
		return "linear";
	if (x.rank != f.rank || x.rank < 3 || x.rank > 5 || x.dims[0] != f.dims[0])
		return NULL;
	for (int i = 2; i < x.rank; i++)
		if ((strides[i - 2] = stride_of(x.dims[i], f.dims[i])) == 0)
			return NULL;
	return convolutions[x.rank - 3];
}

/* x through the projection, a layer of its own with the path `skip`. */
static struct value project(struct recording *r, const struct scope *in, const struct item *item,
                            const char *name, ad_shape f, const int64_t strides[], struct value x)
{
	const int n = f.rank - 2;
	const bool linear = strcmp(name, "linear") == 0;
	const char *component = next_component(r, "skip", item->key->at);
	const char *path = store_text(r->store, "%s%s", r->level->prefix, component);
	struct kind kind = { .what = KIND_LAYER, .name = name, .layer = layer_find(name) };
	struct call c = { .r = r,
		          .in = in,
		          .kind = kind,
		          .name = name,
		          .at = item->key->at,
		          .span = item->key->at,
		          .init_scope = *r->space ? &r->model->build->bare : &r->model->build->file,
		          .known = true };
	const struct yaml *defaults = defaults_of(r, name);
	ad_setting out = { .name = "out", .type = AD_INT, .i = f.dims[linear ? f.rank - 1 : 1] };
	ad_setting bias = { .name = "bias", .type = AD_FLAG, .b = false };
	ad_setting kernel = { .name = "kernel", .type = AD_INTLIST };
	ad_setting stride = { .name = "stride", .type = AD_INTLIST, .ints = { n, strides } };
	int64_t ones[] = { 1, 1, 1 };
	struct value y;

	if (!kind.layer)
		return wrong(r, E_OP, item->key->at, "'skip: auto' needs the layer '%s'", name);
	kernel.ints = (ad_ints){ n, ones };
	c.init = defaults && defaults->kind == YAML_MAP ? yaml_get(defaults, "init") : NULL;
	c.settings = store_take(r->store, 4 * sizeof *c.settings);
	c.settings[c.n_settings++] = out;
	c.settings[c.n_settings++] = bias;
	if (!linear) {
		c.settings[c.n_settings++] = kernel;
		c.settings[c.n_settings++] = stride;
	}
	r->n_reads = 0;
	read_origin(r, x.from);
	call_input(&c, x);
	y = call_build(&c, component);
	if (y.kind == VALUE_NODE)
		y.from = item_origin(r, component, path, item->key->at);
	add_row(r, path, name, y, c.parameters);
	return y;
}

static struct value say_residual(struct recording *r, const struct item *item, ad_shape x,
                                 ad_shape f, bool projected)
{
	message(r->messages, E_RESIDUAL, item->key->at, NULL,
	        projected ? "end the body with an item that gives the shape of x"
	                  : "write it in the long form with 'skip: auto' to project x",
	        "x is %s but f(x) is %s, they cannot be %s", shape_text(r, x), shape_text(r, f),
	        projected ? "made equal by a 1x1 projection" : "added");
	if (!r->messages)
		ad_fail(r->graph, AD_ERROR_SHAPE, "residual: the body changes the shape");
	return unknown;
}

static struct value add_residual(struct recording *r, const struct scope *in,
                                 const struct item *item, const char *path, bool project_x,
                                 bool spatial, struct value x, struct value f)
{
	struct value v[2] = { x, f }, y;
	int64_t strides[AD_MAX_RANK];

	if (x.kind != VALUE_NODE || f.kind != VALUE_NODE)
		return unknown;
	ad_shape a = ad_shape_of(x.node), b = ad_shape_of(f.node);
	if (!same_shape(a, b)) {
		const char *name = project_x ? projection_of(a, b, spatial, strides) : NULL;

		if (!name)
			return say_residual(r, item, a, b, project_x);
		v[0] = project(r, in, item, name, b, strides, x);
		if (v[0].kind != VALUE_NODE)
			return unknown;
	}
	y = record(r, "add", item->key->at, item->key->at, 2, v, 0, NULL);
	if (y.kind == VALUE_NODE) {
		r->n_reads = 0;
		read_origin(r, v[0].from);
		read_origin(r, f.from);
		y.from = item_origin(r, path, path, item->key->at);
		r->level->depth--;
		add_row(r, path, "residual", y, 0);
		r->level->depth++;
	}
	return y;
}

struct value build_residual(struct recording *r, const struct scope *in, const struct item *item,
                            const char *component, struct value x)
{
	static const char *const keys[] = { "body", "skip" };
	static const char *const skips[] = { "auto", "identity" };
	const struct yaml *body = item->arg, *skip = NULL;
	const char *name = component ? component : item->key->text;
	size_t outer = strlen(r->level->prefix) - (component ? strlen(component) + 1 : 0);
	const char *path = store_text(r->store, "%.*s%s", (int)outer, r->level->prefix, name);
	const size_t spatial = r->spatial;
	bool project_x = false;
	struct value f;

	if (body && body->kind == YAML_MAP) {
		if (!check_keys(r, item, COUNT(keys), keys))
			return unknown;
		skip = yaml_get(body, "skip");
		body = yaml_get(body, "body");
	}
	body = list_of(r, item, body);
	if (skip) {
		int k = word_of(r, skip, "skip", COUNT(skips), skips, NULL);

		if (k < 0)
			return unknown;
		project_x = k == 0;
	}
	if (!body)
		return unknown;
	if (x.kind == VALUE_NULL) {
		struct call c = { .r = r, .at = item->key->at, .name = item->key->text };

		x = no_input(&c);
	}
	f = build_list(r, in, body, x);
	return add_residual(r, in, item, path, project_x, r->spatial > spatial, x, f);
}

/* ---- parallel -------------------------------------------------------------------------------- */

/* One branch: a list is a chain, anything else is one item. */
static struct value build_branch(struct recording *r, const struct scope *in,
                                 const struct yaml *branch, const char *component, struct value x)
{
	struct level own = level_below(r, component, NULL, branch->at), *outer = r->level;
	struct scope *body = store_take(r->store, sizeof *body);
	struct value y;

	if (own.too_long)
		return unknown;
	body->up = in;
	r->level = &own;
	ad_scope_begin(r->graph, component);
	y = branch->kind == YAML_LIST ? build_items(r, body, branch, x)
	                              : build_item(r, body, branch, NULL, x);
	ad_scope_end(r->graph);
	r->level = outer;
	return y;
}

/* The results of the branches as one: by an op of any number of inputs, or of two, from the left.
 */
static struct value join_branches(struct recording *r, const struct item *item, const ad_op *op,
                                  const ad_setting *axis, size_t n, struct value v[])
{
	struct place at = item->key->at;
	struct value y = v[0];

	if (ad_op_max_inputs(op) < 0)
		return record(r, ad_op_name(op), at, at, n, v, axis != NULL, axis);
	for (size_t i = 1; i < n; i++) {
		struct value pair[] = { y, v[i] };

		y = record(r, ad_op_name(op), at, at, 2, pair, axis != NULL, axis);
	}
	return y;
}

static const ad_op *join_of(struct recording *r, const struct yaml *join)
{
	const ad_op *op =
	    join ? join->kind == YAML_SCALAR ? ad_op_find(join->text) : NULL : ad_op_find("concat");

	if (op && (ad_op_max_inputs(op) < 0 || ad_op_min_inputs(op) == 2))
		return op;
	message(r->messages, E_OP, join ? join->at : (struct place){ 0 }, NULL,
	        "an op of two or more tensors: concat, stack, add, mul, maximum ...",
	        "'join' is the name of an op that takes the branches, not %s",
	        join ? shown(r, join) : "null");
	return NULL;
}

struct value build_parallel(struct recording *r, const struct scope *in, const struct item *item,
                            const char *component, struct value x)
{
	static const char *const keys[] = { "branches", "join", "axis" };
	const struct yaml *arg = item->arg, *branches = arg, *join = NULL, *y = NULL;
	size_t outer = strlen(r->level->prefix) - strlen(component) - 1;
	const char *path = store_text(r->store, "%.*s%s", (int)outer, r->level->prefix, component);
	ad_setting axis;
	struct value joined;

	if (arg && arg->kind == YAML_MAP) {
		if (!check_keys(r, item, COUNT(keys), keys))
			return unknown;
		branches = yaml_get(arg, "branches");
		join = yaml_get(arg, "join");
		y = yaml_get(arg, "axis");
	}
	if (!branches || branches->kind == YAML_SCALAR || branches->n == 0) {
		message(r->messages, branches ? E_TYPE : E_MISSING,
		        branches ? branches->at : item->key->at, NULL,
		        "write {parallel: {branches: {a: [...], b: [...]}, join: concat}}",
		        "'parallel' needs 'branches': a mapping of names to lists of items");
		return unknown;
	}
	const ad_op *op = join_of(r, join);
	const ad_attr *attr = op ? attr_find(ad_op_attrs(op), "axis") : NULL;
	if (!op || (y && attr && !setting_of_yaml(r, in, attr, y, &axis)))
		return unknown;
	if (y && !attr) {
		message(r->messages, E_KEY, y->at, NULL, NULL, "'%s' has no argument 'axis'",
		        ad_op_name(op));
		return unknown;
	}
	struct value *v = store_take(r->store, branches->n * sizeof *v);
	bool known = true;
	for (size_t i = 0; i < branches->n; i++) {
		const struct yaml *key = branches->keys ? branches->keys[i] : NULL;

		if (key && !check_name(r, key, "a branch"))
			return unknown;
		v[i] = build_branch(
		    r, in, branches->items[i],
		    key ? key->text : next_component(r, "branch", branches->items[i]->at), x);
		known = known && v[i].kind == VALUE_NODE;
		if (v[i].kind == VALUE_NULL) {
			struct call c = { .r = r, .at = item->key->at, .name = item->key->text };

			return no_input(&c);
		}
	}
	if (!known)
		return unknown;
	joined = join_branches(r, item, op, y ? &axis : NULL, branches->n, v);
	if (joined.kind == VALUE_NODE) {
		r->n_reads = 0;
		for (size_t i = 0; i < branches->n; i++)
			read_origin(r, v[i].from);
		joined.from = item_origin(r, component, path, item->key->at);
		r->level->depth--;
		add_row(r, path, "parallel", joined, 0);
		r->level->depth++;
	}
	return joined;
}
