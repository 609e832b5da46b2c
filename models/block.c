/*
 * block: one use of a block of `defs`: its params and inputs bound, its weights made, its body
 * built.
 *
 * A block sees its own names and, outside of included files, the params and dims of the file; not
 * the names at the place where it is used. Dims that are unknown there are its own.
 */
#include "language.h"

#include <string.h>

static const char *const input_keys[] = { "shape", "dtype", "role" };

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* ---- params ---------------------------------------------------------------------------------- */

/* Those given, and the defaults of the others, which may use the params before them. */
static bool bind_params(struct call *c, struct scope *block)
{
	struct recording *r = c->r;
	const struct definition *d = c->kind.block;
	bool good = true;

	for (size_t k = 0; k < d->n_params; k++) {
		const struct parameter *p = &d->params[k];
		struct value v =
		    c->given[k].given ? c->given[k].value : param_value(r, block, p, p->value);

		good = good && v.kind != VALUE_UNKNOWN;
		scope_add(r->store, block, p->name, NAME_ARGUMENT, p->at, v);
	}
	return good;
}

/* Notes which params this use has read. */
static void note_used(struct recording *r, const struct definition *d, const struct scope *block)
{
	struct build *b = r->model->build;
	struct definition *own = b->definitions[scope_own(&b->blocks, d->name)->value.i];

	for (size_t k = 0; r->messages && k < d->n_params; k++)
		own->params[k].used =
		    own->params[k].used || scope_own(block, d->params[k].name)->used;
}

static const char *argument_text(struct recording *r, struct value v)
{
	const char *text = "[";

	if (v.kind == VALUE_WORD)
		return store_text(r->store, "%.40s%s", v.s, strlen(v.s) > 40 ? "..." : "");
	if (v.kind == VALUE_KIND)
		return v.of->name;
	if (v.kind != VALUE_LIST)
		return value_text(r, v);
	for (size_t i = 0; i < v.n && i < 16; i++)
		text = store_text(r->store, "%s%s%s", text, i ? ", " : "",
		                  argument_text(r, v.items[i]));
	return store_text(r->store, "%s]", text);
}

/* "in stage[1].basic, with out = 32, stride = 2"; NULL: it has no params that could matter. */
static const char *where_text(struct recording *r, const struct definition *d,
                              const struct scope *block, const char *component)
{
	const char *path =
	    store_text(r->store, "%s%s", r->level->prefix, component ? component : "");
	size_t n = strlen(path);
	const char *text;

	if (d->n_params == 0)
		return NULL;
	if (!component && n > 0)
		path = store_copy(r->store, path, n - 1); /* without its dot */
	text = store_text(r->store, n > 64 ? "in ...%s" : "in %s",
	                  n > 64  ? path + n - 60
	                  : *path ? path
	                          : d->name);

	for (size_t k = 0; k < d->n_params && k < 8; k++)
		text = store_text(r->store, "%s%s%s = %s", text, k ? ", " : ", with ",
		                  d->params[k].name,
		                  argument_text(r, scope_own(block, d->params[k].name)->value));
	return text;
}

static bool check_conditions(struct call *c, const struct scope *block)
{
	struct recording *r = c->r;
	const struct yaml *check = c->kind.block->check;
	size_t n = !check ? 0 : check->kind == YAML_LIST ? check->n : 1;
	bool good = true;

	for (size_t i = 0; i < n && r->messages; i++) {
		const struct yaml *y = check->kind == YAML_LIST ? check->items[i] : check;
		struct value v = known_before(r, block, y, "check")
		                     ? field_of(r, block, y, "check", "true or false")
		                     : unknown;

		if (v.kind == VALUE_UNKNOWN) {
			good = false;
		} else if (!value_is_number(v)) {
			wrong(r, E_TYPE, y->at, "'check' wants true or false, not %s",
			      value_text(r, v));
			good = false;
		} else if (v.r == 0) {
			message(r->messages, E_CHECK, c->at, NULL, NULL,
			        "block '%s' does not hold with these arguments: %s", c->name,
			        y->text);
			message_also(r->messages, y->at, "the check");
			good = false;
		}
	}
	return good;
}

/* ---- inputs ---------------------------------------------------------------------------------- */

/* One axis of a declared shape: a name is a param, a dim that is known, or bound here. */
static bool bind_dim(struct recording *r, struct scope *block, const struct yaml *y, int64_t size,
                     int64_t *want)
{
	if (y->kind == YAML_SCALAR && !y->quoted && is_name(y->text) &&
	    !scope_find(block, y->text)) {
		scope_add(r->store, block, y->text, NAME_DIM, y->at, value_int(size));
		*want = size;
		return true;
	}
	return whole_of(r, field_of(r, block, y, "shape", "a size"), y->at, "a size", y->text, 0,
	                INT64_MAX, want);
}

static bool bind_shape(struct call *c, struct scope *block, const char *name, const struct yaml *y,
                       const struct value *v)
{
	struct recording *r = c->r;
	ad_shape have = ad_shape_of(v->node), want = { .rank = (int)y->n };

	if (y->kind != YAML_LIST || y->n > AD_MAX_RANK)
		return message(r->messages, E_TYPE, y->at, NULL, "write [B, 784]",
		               "'shape' is a list of at most %d sizes", AD_MAX_RANK);
	bool good = have.rank == want.rank;
	for (int i = 0; good && i < want.rank; i++)
		if (!bind_dim(r, block, y->items[i], have.dims[i], &want.dims[i]))
			return false;
	if (good && same_shape(have, want))
		return true;
	if (good)
		message(r->messages, E_SHAPE, c->at, NULL, NULL, "'%s' of block '%s' is %s, not %s",
		        name, c->name, shape_text(r, want), shape_text(r, have));
	else
		message(r->messages, E_SHAPE, c->at, NULL, NULL,
		        "'%s' of block '%s' has %d axes, not %d: it is given %s", name, c->name,
		        want.rank, have.rank, shape_text(r, have));
	message_also(r->messages, y->at, "declared here");
	if (v->from)
		message_note(r->messages, v->from->at, "what is given %s", v->from->what);
	if (!r->messages)
		ad_fail(r->graph, AD_ERROR_SHAPE, "an input of block '%s' has another shape",
		        c->name);
	return false;
}

static bool check_dtype(struct call *c, const char *name, const struct yaml *y,
                        const struct value *v)
{
	static const char *const words[] = { "f32", "f64", "i32", "bool" };
	static const ad_type types[] = { AD_REAL, AD_REAL, AD_I32, AD_BOOL };
	int k = word_of(c->r, y, "dtype", COUNT(words), words, NULL);

	if (k < 0)
		return false;
	if (ad_type_of(v->node) == types[k])
		return true;
	message(c->r->messages, E_TYPE, c->at, NULL, NULL, "'%s' of block '%s' wants %s, not %s",
	        name, c->name, words[k],
	        ad_type_of(v->node) == AD_REAL  ? "reals"
	        : ad_type_of(v->node) == AD_I32 ? "i32"
	                                        : "bool");
	message_also(c->r->messages, y->at, "declared here");
	return false;
}

/* What an input is given, as a tensor with the shape that is declared. */
static bool bind_input(struct call *c, struct scope *block, const struct yaml *key,
                       const struct yaml *y, struct value *v)
{
	const struct yaml *shape = y->kind == YAML_LIST ? y : yaml_get(y, "shape");
	const struct yaml *dtype = yaml_get(y, "dtype");

	v->node = value_node(c->r, *v, c->at);
	if (!v->node)
		return false;
	v->kind = VALUE_NODE;
	if (y->kind == YAML_MAP)
		check_map(c->r, y, key->text, COUNT(input_keys), input_keys);
	if (y->kind == YAML_SCALAR)
		return true;
	return (!shape || bind_shape(c, block, key->text, shape, v)) &&
	       (!dtype || check_dtype(c, key->text, dtype, v));
}

/* A state that starts as zeros or ones, in the shape that its input is declared to have. */
static bool filled_input(struct call *c, const struct scope *block, const struct yaml *key,
                         const struct yaml *y, struct value *v)
{
	struct recording *r = c->r;
	const struct yaml *shape = y->kind == YAML_LIST ? y : yaml_get(y, "shape");
	int64_t dims[AD_MAX_RANK];
	const double fill = strcmp(v->s, "ones") == 0;
	ad_setting s[] = { { .name = "shape", .type = AD_INTLIST },
		           { .name = "value", .type = AD_NUM, .r = fill } };

	if (!fill && strcmp(v->s, "zeros") != 0)
		return message(r->messages, E_TYPE, c->at, NULL, "a tensor, zeros or ones",
		               "'%s' of block '%s' cannot be the word '%s'", key->text, c->name,
		               v->s);
	if (!shape || shape->kind != YAML_LIST || shape->n > AD_MAX_RANK)
		return message(
		    r->messages, E_MISSING, c->at, NULL,
		    store_text(r->store, "write inputs: {%s: [B, hidden]} in the block", key->text),
		    "the state '%s' needs a shape to begin as %s", key->text, v->s);
	for (size_t i = 0; i < shape->n; i++) {
		const struct yaml *d = shape->items[i];

		if (d->kind == YAML_SCALAR && is_name(d->text) && !scope_find(block, d->text)) {
			message(r->messages, E_MISSING, c->at, NULL,
			        store_text(r->store,
			                   "make '%s' a param of the block, or begin with a "
			                   "tensor: state: {%s: h0}",
			                   d->text, key->text),
			        "the state '%s' begins as %s, but nothing tells its size '%s'",
			        key->text, v->s, d->text);
			message_also(r->messages, d->at, "declared here");
			return false;
		}
		if (!whole_of(r, field_of(r, block, d, "shape", "a size"), d->at, "a size", d->text,
		              0, INT64_MAX, &dims[i]))
			return false;
	}
	s[0].ints = (ad_ints){ (int64_t)shape->n, dims };
	*v = record(r, "full", c->at, c->at, 0, NULL, 2, s);
	return v->kind == VALUE_NODE;
}

static bool bind_inputs(struct call *c, struct scope *block, struct scope *body)
{
	struct recording *r = c->r;
	const struct yaml *inputs = c->kind.block->inputs;
	size_t n = inputs ? inputs->n : 1;
	bool good = true;

	if (c->n_in > n) {
		message(r->messages, E_TYPE, c->span, NULL, NULL,
		        "block '%s' takes %zu input%s, not %zu", c->name, n, n == 1 ? "" : "s",
		        c->n_in);
		return false;
	}
	/* Tensors first: what they bind may size a state that begins as zeros. */
	for (int fills = 0; inputs && fills < 2; fills++) {
		for (size_t k = 0; k < n && good; k++) {
			const struct yaml *key = inputs->keys[k], *y = inputs->items[k];
			struct value v =
			    k < c->n_in ? c->inputs[k] : (struct value){ .kind = VALUE_NULL };

			if ((v.kind == VALUE_WORD) != (fills == 1))
				continue;
			if (v.kind == VALUE_NULL && y->kind == YAML_SCALAR && !yaml_is_null(y)) {
				v = eval_yaml(r, block, y);
			} else if (v.kind == VALUE_NULL) {
				message(
				    r->messages, E_MISSING, c->at, NULL,
				    store_text(r->store,
				               c->expression ? "write %s(..., %s=...)"
				                             : "write {%s: ..., from: [...]}",
				               c->name, key->text),
				    "block '%s' needs the input '%s'", c->name, key->text);
				message_also(r->messages, key->at, "declared here");
				return false;
			}
			good = (v.kind != VALUE_WORD || filled_input(c, block, key, y, &v)) &&
			       bind_input(c, block, key, y, &v);
			if (good && !v.from)
				v.from = new_origin(
				    r,
				    store_text(r->store, "is input '%s' of the block", key->text),
				    key->text, key->at);
			scope_add(r->store, body, key->text, NAME_VALUE, key->at,
			          good ? v : unknown);
		}
	}
	return good;
}

/* ---- weights, body, outputs ------------------------------------------------------------------ */

static void make_weights(struct call *c, const struct scope *block, struct scope *body)
{
	struct recording *r = c->r;
	const struct yaml *y = c->kind.block->weights;

	for (size_t i = 0; y && i < y->n; i++) {
		const char *name = y->keys[i]->text;
		const int before = r->model->n_weights;
		struct value v = unknown;

		if (scope_own(body, name)) {
			message(r->messages, E_NAMED_TWICE, y->keys[i]->at, NULL, NULL,
			        "'%s' is named twice in this block", name);
			message_also(r->messages, scope_own(body, name)->at, "first here");
			continue;
		}
		v.node = weight_declared(r, block, y->keys[i], y->items[i]);
		if (v.node) {
			v.kind = VALUE_NODE;
			v.from = new_origin(r, store_text(r->store, "is weight '%s'", name),
			                    store_text(r->store, "%s%s", r->level->prefix, name),
			                    y->items[i]->at);
			if (r->model->n_weights > before)
				c->parameters += ad_count(v.node);
		}
		scope_add(r->store, body, name, NAME_VALUE, y->keys[i]->at, v);
	}
}

/* What the block gives: its outputs, of which the first is its result; else its last result. */
static struct value outputs_of(struct call *c, struct scope *body, struct value last)
{
	struct recording *r = c->r;
	const struct yaml *y = c->kind.block->outputs;
	struct value all = { .kind = VALUE_NODE };

	if (!y)
		return last;
	if (y->kind == YAML_SCALAR)
		return eval_yaml(r, body, y);
	if (y->n == 0)
		return wrong(r, E_MISSING, y->at, "'outputs' of block '%s' is empty", c->name);
	all.items = store_take(r->store, y->n * sizeof *all.items);
	for (size_t i = 0; i < y->n; i++) {
		struct value v = eval_yaml(r, body, y->items[i]);

		v.node = value_node(r, v, y->items[i]->at);
		if (!v.node)
			return unknown;
		if (v.kind != VALUE_NODE)
			v = (struct value){ .kind = VALUE_NODE, .node = v.node };
		read_origin(r, v.from);
		v.n = 0;
		all.items[i] = v;
	}
	all.node = all.items[0].node;
	all.from = all.items[0].from;
	all.n = y->n;
	return y->n == 1 ? all.items[0] : all;
}

static struct value build_inside(struct call *c, struct scope *block)
{
	struct recording *r = c->r;
	const struct definition *d = c->kind.block;
	struct scope *body = store_take(r->store, sizeof *body);
	struct value x = { .kind = VALUE_NULL }, y;

	body->up = block;
	if (!bind_inputs(c, block, body) || !check_conditions(c, block))
		return unknown;
	if (d->inputs && d->inputs->n > 0)
		x = scope_own(body, d->inputs->keys[0]->text)->value;
	else if (c->n_in > 0)
		x = c->inputs[0];
	make_weights(c, block, body);
	r->prev = x;
	y = build_body(r, body, d->body, x);
	return outputs_of(c, body, y);
}

/* "unet -> unet -> unet" */
static struct value too_deep(struct call *c)
{
	message(c->r->messages, E_LIMIT, c->at, NULL,
	        "a block that uses itself ends by a condition: 'when: level < depth'",
	        "block '%s' is used inside itself more than %d deep", c->name, MOST_BLOCKS);
	if (!c->r->messages)
		ad_fail(c->r->graph, AD_ERROR_ARGUMENT, "block '%s' is used too deep in itself",
		        c->name);
	return unknown;
}

struct value build_block(struct call *c, const char *component)
{
	struct recording *r = c->r;
	const struct definition *d = c->kind.block;
	struct scope *block = store_take(r->store, sizeof *block);
	struct level own = level_below(r, component, c->shared, c->at), *outer_level = r->level;
	const char *outer_space = r->space, *path = store_text(r->store, "%s%s", r->level->prefix,
	                                                       component ? component : "");
	struct value outer_prev = r->prev, y = unknown;
	int row;

	scope_own(&r->model->build->blocks, d->name)->used = true;
	if (d->broken || own.too_long || r->probing || !count_step(r, c->at))
		return unknown;
	if (r->blocks >= MOST_BLOCKS)
		return too_deep(c);
	if (!go_deeper(r, c->at))
		return unknown;
	row = component ? open_row(r, path, d->name) : -1;
	r->blocks++;
	block->up = *d->space ? &r->model->build->bare : &r->model->build->file;
	r->space = d->space;
	r->whole = NULL;
	if (bind_params(c, block)) {
		messages_enter(r->messages, c->at,
		               r->messages ? where_text(r, d, block, component) : NULL);
		r->level = &own;
		if (component)
			ad_scope_begin(r->graph, component);
		y = build_inside(c, block);
		if (component)
			ad_scope_end(r->graph);
		r->level = outer_level;
		note_used(r, d, block);
		messages_leave(r->messages);
	}
	r->prev = outer_prev;
	r->space = outer_space;
	r->blocks--;
	r->nested--;
	if (component)
		fill_row(r, row, y, c->parameters);
	if (y.kind == VALUE_NODE && component) {
		struct origin *inner = y.from;

		read_origin(r, inner);
		y.from = item_origin(r, component, path, c->at);
		for (size_t k = 0; k < y.n; k++)
			y.items[k].from = y.from;
	}
	return y;
}

/* Names in a declared shape that stand for nothing are dims of any size. */
static void probe_dims(struct recording *r, struct scope *block, const struct yaml *shape)
{
	for (size_t k = 0; shape && shape->kind == YAML_LIST && k < shape->n; k++) {
		const struct yaml *y = shape->items[k];

		if (y->kind == YAML_SCALAR && !y->quoted && is_name(y->text) && !scope_find(block, y->text))
			scope_add(r->store, block, y->text, NAME_DIM, y->at, unknown);
	}
}

/* Names of inputs or weights, of unknown shape. */
static void probe_names(struct recording *r, struct scope *body, const struct yaml *names)
{
	for (size_t k = 0; names && k < names->n; k++)
		if (!scope_own(body, names->keys[k]->text))
			scope_add(r->store, body, names->keys[k]->text, NAME_VALUE, names->keys[k]->at, unknown);
}

void probe_block(struct recording *r, const struct definition *d)
{
	struct scope *block = store_take(r->store, sizeof *block), *body = store_take(r->store, sizeof *body);
	struct level own = level_below(r, d->name, NULL, d->at), *outer = r->level;
	const size_t origins = r->model->build->n_origins;
	const struct yaml *y = d->outputs;

	if (own.too_long)
		return;
	block->up = &r->model->build->file;
	body->up = block;
	for (size_t k = 0; k < d->n_params; k++) {
		const struct parameter *p = &d->params[k];

		scope_add(r->store, block, p->name, NAME_ARGUMENT, p->at,
		          p->value ? param_value(r, block, p, p->value) : unknown);
	}
	for (size_t k = 0; d->inputs && k < d->inputs->n; k++) {
		const struct yaml *input = d->inputs->items[k];

		probe_dims(r, block, input->kind == YAML_LIST ? input : yaml_get(input, "shape"));
	}
	probe_names(r, body, d->inputs);
	probe_names(r, body, d->weights);
	r->probing = r->again = true;
	r->level = &own;
	r->prev = unknown;
	build_body(r, body, d->body, unknown);
	for (size_t k = 0; y && y->kind == YAML_MAP && k < y->n; k++)
		eval_yaml(r, body, y->items[k]);
	if (y && y->kind == YAML_SCALAR)
		eval_yaml(r, body, y);
	r->level = outer;
	r->probing = r->again = false;
	r->model->build->n_origins = origins;
}
