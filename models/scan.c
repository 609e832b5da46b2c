/*
 * scan: a block with state, applied to one place of an axis after the other.
 *
 *	scan: {cell: NAME, args: {...}, axis: 1, state: {h: zeros, c: zeros}}
 *
 * The inputs of the block that are not state get the places of the axis, the states what the step
 * before has given for their names; the first output of each step is a place of the result. The
 * steps are recorded one by one, as many as the axis is long; the check records two, which tell all
 * shapes, and takes the result of the first for all.
 */
#include "language.h"

#include <string.h>

static const char *const scan_keys[] = { "cell", "args", "axis", "state" };

#define COUNT(list) (sizeof(list) / sizeof *(list))
enum { MOST_PARTS = 64 }; /* of one split */

struct scan {
	struct recording *r;
	const struct scope *in;
	const struct item *item;
	const struct definition *cell;
	struct call call; /* with the arguments, without inputs */
	size_t n_states;
	const struct yaml *state; /* names, or names and what they begin with */
	size_t *input;            /* of each state: which input of the cell it is */
	struct value *now;        /* of each state */
	size_t n_in;
	const struct value *x;
	int64_t axis, steps;
};

/* ---- read ------------------------------------------------------------------------------------ */

static int input_of(const struct definition *d, const char *name)
{
	for (size_t k = 0; d->inputs && k < d->inputs->n; k++)
		if (yaml_is(d->inputs->keys[k], name))
			return (int)k;
	return -1;
}

static bool find_cell(struct scan *s)
{
	struct recording *r = s->r;
	const struct yaml *arg = s->item->arg;
	const struct yaml *cell = arg && arg->kind == YAML_MAP ? yaml_get(arg, "cell") : arg;

	if (!cell || yaml_is_null(cell))
		return message(r->messages, E_MISSING, s->item->key->at, NULL,
		               "write {scan: {cell: NAME, state: {h: zeros}}}",
		               "'scan' needs 'cell', the name of a block");
	if (!call_named(&s->call, r, s->in, cell, "cell", AS_BLOCK))
		return false;
	if (s->call.kind.what != KIND_BLOCK)
		return message(r->messages, E_TYPE, cell->at, NULL, NULL,
		               "'cell' wants a block of 'defs'; '%s' is none", s->call.name);
	s->cell = s->call.kind.block;
	if (!s->cell->broken && !s->cell->inputs)
		return message(r->messages, E_MISSING, cell->at, NULL,
		               "write inputs: {x: [B, D], h: [B, hidden]}",
		               "block '%s' declares no inputs that could be state", s->cell->name);
	return !s->cell->broken;
}

/* `state: {h: zeros, c: memory}`, or `state: [h, c]` for zeros. */
static bool find_states(struct scan *s)
{
	struct recording *r = s->r;
	const struct yaml *y =
	    s->item->arg->kind == YAML_MAP ? yaml_get(s->item->arg, "state") : NULL;

	if (!y || y->kind == YAML_SCALAR || y->n == 0)
		return message(r->messages, y ? E_TYPE : E_MISSING, y ? y->at : s->item->key->at,
		               NULL, "write state: {h: zeros}",
		               "'scan' needs 'state', the inputs of the cell that go from step to "
		               "step");
	s->state = y;
	s->n_states = y->n;
	s->input = store_take(r->store, y->n * sizeof *s->input);
	s->now = store_take(r->store, y->n * sizeof *s->now);
	for (size_t k = 0; k < y->n; k++) {
		const struct yaml *name = y->keys ? y->keys[k] : y->items[k], *begin = y->items[k];
		int input = name->kind == YAML_SCALAR ? input_of(s->cell, name->text) : -1;

		if (input < 0) {
			const char **names =
			    store_take(r->store, s->cell->inputs->n * sizeof(*names));

			for (size_t i = 0; i < s->cell->inputs->n; i++)
				names[i] = s->cell->inputs->keys[i]->text;
			unknown_key(r->messages, name, "state", s->cell->inputs->n, names);
			return false;
		}
		s->input[k] = (size_t)input;
		s->now[k] =
		    !y->keys || yaml_is(begin, "zeros") || yaml_is(begin, "ones")
			? (struct value){ .kind = VALUE_WORD, .s = y->keys ? begin->text : "zeros" }
			: eval_yaml(r, s->in, begin);
		if (s->now[k].kind == VALUE_UNKNOWN)
			return false;
	}
	return true;
}

static bool find_axis(struct scan *s)
{
	struct recording *r = s->r;
	const struct yaml *y =
	    s->item->arg->kind == YAML_MAP ? yaml_get(s->item->arg, "axis") : NULL;
	struct place at = y ? y->at : s->item->key->at;

	s->axis = 1;
	if (y && !whole_of(r, field_of(r, s->in, y, "axis", "a whole number"), at, "axis", y->text,
	                   0, AD_MAX_RANK, &s->axis))
		return false;
	if (s->n_in + s->n_states != s->cell->inputs->n)
		return message(r->messages, E_TYPE, s->call.at, NULL, NULL,
		               "block '%s' has %zu inputs: %zu state%s and %zu to be read, but %zu "
		               "stand%s before the scan",
		               s->cell->name, s->cell->inputs->n, s->n_states,
		               s->n_states == 1 ? "" : "s", s->cell->inputs->n - s->n_states,
		               s->n_in, s->n_in == 1 ? "s" : "");
	for (size_t k = 0; k < s->n_in; k++) {
		ad_shape shape = ad_shape_of(s->x[k].node);

		if (s->axis >= shape.rank)
			return message(r->messages, E_SHAPE, at, NULL, NULL,
			               "'scan' goes along axis %lld, but its input is %s",
			               (long long)s->axis, shape_text(r, shape));
		if (k > 0 && shape.dims[s->axis] != s->steps)
			return message(
			    r->messages, E_SHAPE, at, NULL, NULL,
			    "the inputs of 'scan' are not of one length along axis %lld: %s "
			    "and %s",
			    (long long)s->axis, dim_text(r, s->steps),
			    dim_text(r, shape.dims[s->axis]));
		s->steps = shape.dims[s->axis];
	}
	if (s->steps > 0 && (s->steps <= MOST_UNROLLED || is_free(r, s->steps)))
		return true;
	if (s->steps == 0)
		message(r->messages, E_SHAPE, at, NULL, NULL, "'scan' over no steps");
	else
		message(r->messages, E_LIMIT, at, NULL, "let the data have shorter pieces of the sequences",
		        "'scan' over %lld steps; at most %d can be unrolled", (long long)s->steps, MOST_UNROLLED);
	if (!r->messages)
		ad_fail(r->graph, AD_ERROR_ARGUMENT, "scan: %lld steps; it takes 1 to %d", (long long)s->steps,
		        MOST_UNROLLED);
	return false;
}

/* ---- the places of an axis ------------------------------------------------------------------- */

/* x along the axis as n nodes of one place each: split in parts, these again, so that the reverse
 * sweep, too, takes time in proportion to n. */
static bool cut(struct scan *s, ad_node *x, int64_t n, ad_node *to[])
{
	int64_t sizes[MOST_PARTS], part = 1, parts = 0;

	if (n == 1) {
		to[0] = ad_squeeze(x, AD_INTS(s->axis));
		return !ad_is_error(to[0]);
	}
	while (part * MOST_PARTS < n)
		part *= MOST_PARTS;
	for (int64_t left = n; left > 0; left -= part)
		sizes[parts++] = left < part ? left : part;
	ad_node *y = ad_split(x, (ad_ints){ parts, sizes }, s->axis);
	for (int64_t k = 0; k < parts; k++)
		if (ad_is_error(y) || !cut(s, ad_output(y, (int)k), sizes[k], to + k * part))
			return false;
	return true;
}

/* ---- steps ----------------------------------------------------------------------------------- */

/* One step from the places x of the inputs: its result, with the states moved on. */
static struct value step(struct scan *s, ad_node *const x[])
{
	struct recording *r = s->r;
	struct call c = s->call;
	struct value y;
	size_t next = 0;

	c.parameters = 0;
	c.n_in = s->cell->inputs->n;
	c.inputs = store_take(r->store, c.n_in * sizeof *c.inputs);
	for (size_t k = 0; k < s->n_states; k++)
		c.inputs[s->input[k]] = s->now[k];
	for (size_t k = 0; k < c.n_in; k++)
		if (c.inputs[k].kind == VALUE_UNKNOWN)
			c.inputs[k] = (struct value){ .kind = VALUE_NODE,
				                      .node = x[next],
				                      .from = s->x[next].from },
			next++;
	y = build_block(&c, NULL);
	s->call.parameters += c.parameters;
	if (y.kind != VALUE_NODE)
		return unknown;
	for (size_t k = 0; k < s->n_states; k++) {
		const char *name = s->cell->inputs->keys[s->input[k]]->text;
		const struct yaml *outputs = s->cell->outputs;
		size_t which = 0;

		/* a cell without outputs gives its one state */
		while (outputs && outputs->kind == YAML_MAP && which < outputs->n &&
		       !yaml_is(outputs->keys[which], name))
			which++;
		if (which >= value_results(y) || (s->n_states > 1 && value_results(y) == 1)) {
			message(r->messages, E_MISSING, s->call.at, NULL,
			        store_text(r->store,
			                   "write outputs: {y: ..., %s: ...} in the block", name),
			        "block '%s' has no output for the state '%s'", s->cell->name, name);
			return unknown;
		}
		s->now[k] = value_result(y, which);
	}
	return value_result(y, 0);
}

/* Whether a state keeps its shape from one step to the next. */
static bool same_state(struct scan *s, const ad_shape before[])
{
	for (size_t k = 0; k < s->n_states; k++) {
		ad_shape after = ad_shape_of(s->now[k].node);

		if (!same_shape(before[k], after))
			return message(
			    s->r->messages, E_SHAPE, s->call.at, NULL, NULL,
			    "the state '%s' is %s after the first step and %s after the second",
			    s->cell->inputs->keys[s->input[k]]->text, shape_text(s->r, before[k]),
			    shape_text(s->r, after));
	}
	return true;
}

/* The check's two steps: the result of the first, repeated along the axis. */
static struct value check_steps(struct scan *s)
{
	struct recording *r = s->r;
	ad_node **x = store_take(r->store, s->n_in * sizeof(*x));
	ad_shape *before = store_take(r->store, s->n_states * sizeof *before), shape;
	const bool again = r->again, known = r->level->known;
	struct value y;

	for (size_t k = 0; k < s->n_in; k++)
		x[k] = ad_select(s->x[k].node, s->axis, 0);
	y = step(s, x);
	if (y.kind != VALUE_NODE)
		return unknown;
	for (size_t k = 0; k < s->n_states; k++)
		before[k] = ad_shape_of(s->now[k].node);
	r->again = r->level->known = true;
	if (s->steps > 1 && (step(s, x).kind != VALUE_NODE || !same_state(s, before)))
		y = unknown;
	r->again = again;
	r->level->known = known;
	if (y.kind != VALUE_NODE)
		return unknown;
	shape = ad_shape_of(y.node);
	if (s->axis > shape.rank || shape.rank == AD_MAX_RANK)
		return wrong(r, E_SHAPE, s->item->key->at,
		             "a step gives %s, which has no axis %lld", shape_text(r, shape),
		             (long long)s->axis);
	shape.rank++;
	for (int i = shape.rank - 1; i > s->axis; i--)
		shape.dims[i] = shape.dims[i - 1];
	shape.dims[s->axis] = s->steps;
	y.node = ad_expand(ad_unsqueeze(y.node, s->axis), shape);
	return y;
}

static struct value all_steps(struct scan *s)
{
	struct recording *r = s->r;
	ad_node **x = store_take(r->store, s->n_in * sizeof(*x));
	ad_node **places = store_take(r->store, s->n_in * (size_t)s->steps * sizeof(*places));
	ad_node **results = store_take(r->store, (size_t)s->steps * sizeof(*results));
	const bool again = r->again;
	struct value y = unknown;

	for (size_t k = 0; k < s->n_in; k++)
		if (!cut(s, s->x[k].node, s->steps, places + k * (size_t)s->steps))
			return unknown;
	for (int64_t t = 0; t < s->steps; t++) {
		for (size_t k = 0; k < s->n_in; k++)
			x[k] = places[k * (size_t)s->steps + (size_t)t];
		y = step(s, x);
		if (y.kind != VALUE_NODE)
			break;
		results[t] = y.node;
		r->again = true;
	}
	r->again = again;
	if (y.kind != VALUE_NODE)
		return unknown;
	y.node = ad_stack((size_t)s->steps, results, s->axis);
	return y;
}

/* The result, followed by the last states: `as: [y, h, c]`. */
static struct value with_states(struct scan *s, struct value y)
{
	struct value all = y;

	if (ad_is_error(y.node)) {
		say_failure(s->r, s->item->key->at, "scan", 0, NULL);
		return unknown;
	}
	all.n = 1 + s->n_states;
	all.items = store_take(s->r->store, all.n * sizeof *all.items);
	y.n = 0;
	all.items[0] = y;
	for (size_t k = 0; k < s->n_states; k++) {
		all.items[k + 1] = s->now[k];
		all.items[k + 1].n = 0;
	}
	return all;
}

struct value build_scan(struct recording *r, const struct scope *in, const struct item *item,
                        const char *component, size_t n_in, const struct value x[])
{
	struct scan s = { .r = r, .in = in, .item = item, .n_in = n_in, .x = x };
	size_t outer = strlen(r->level->prefix) - strlen(component) - 1;
	const char *path = store_text(r->store, "%.*s%s", (int)outer, r->level->prefix, component);
	struct value y;
	int row;

	if (item->arg && item->arg->kind == YAML_MAP &&
	    !check_map(r, item->arg, "scan", COUNT(scan_keys), scan_keys))
		return unknown;
	for (size_t k = 0; k < n_in; k++) {
		if (x[k].kind == VALUE_NULL) {
			struct call c = { .r = r, .at = item->key->at, .name = item->key->text };

			return no_input(&c);
		}
		if (x[k].kind != VALUE_NODE)
			return unknown;
	}
	if (!find_cell(&s) || !find_states(&s) || !find_axis(&s))
		return unknown;
	if (item->arg->kind == YAML_MAP && yaml_get(item->arg, "args"))
		s.call.arg = yaml_get(item->arg, "args");
	r->level->depth--;
	row = open_row(r, path, "scan");
	r->level->depth++;
	call_take(&s.call);
	call_complete(&s.call);
	if (!s.call.known)
		return unknown;
	y = r->messages ? check_steps(&s) : all_steps(&s);
	if (y.kind != VALUE_NODE)
		return unknown;
	y = with_states(&s, y);
	fill_row(r, row, y, s.call.parameters);
	if (y.kind == VALUE_NODE) {
		y.from = item_origin(r, component, path, item->key->at);
		for (size_t k = 0; k < y.n; k++) {
			read_origin(r, y.items[k].from);
			y.items[k].from = y.from;
		}
	}
	return y;
}
