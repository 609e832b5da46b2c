/*
 * call: what f(a, b, k=c) stands for, f being a function of the language, an op or a block.
 */
#include "language.h"

#include <string.h>

/* min and max: of two or more, element by element; of one, over its axes. */
static struct value call_extreme(struct recording *r, const struct expr *e, size_t n,
                                 const struct value v[], bool *reduce)
{
	bool max = e->text[1] == 'a', numbers = true;
	struct value best = v[0];

	*reduce = n == 1 && v[0].kind != VALUE_LIST;
	if (*reduce)
		return unknown;
	if (n == 1) {
		n = v[0].n;
		v = v[0].items;
		if (n == 0)
			return wrong(r, E_RANGE, e->at, "%s of an empty list", e->text);
		best = v[0];
	}
	for (size_t i = 0; i < n; i++) {
		if (v[i].kind == VALUE_UNKNOWN)
			return unknown;
		numbers = numbers && value_is_number(v[i]);
	}
	for (size_t i = 1; i < n; i++) {
		if (numbers) {
			if (max ? v[i].r > best.r : v[i].r < best.r)
				best = v[i];
		} else {
			struct value pair[2] = { best, v[i] };
			best = record(r, max ? "maximum" : "minimum", e->at, e->span, 2, pair, 0,
			              NULL);
		}
	}
	return best;
}

static struct value call_range(struct recording *r, const struct expr *e, size_t n,
                               const struct value v[])
{
	struct value list = { .kind = VALUE_LIST };
	int64_t from = 0, to;

	for (size_t i = 0; i < n; i++)
		if (v[i].kind != VALUE_INT)
			return v[i].kind == VALUE_UNKNOWN ? unknown
			                                  : wrong(r, E_TYPE, e->args[i]->span,
			                                          "range takes whole numbers");
	if (n < 1 || n > 2)
		return wrong(r, E_MISSING, e->at, "range takes one or two whole numbers, not %zu",
		             n);
	to = v[n - 1].i;
	from = n == 2 ? v[0].i : 0;
	if (is_free(r, to) || is_free(r, from))
		return wrong(r, E_TYPE, e->at, "'range' wants numbers that are known before the data, not a free dim");
	if (to > from && (uint64_t)to - (uint64_t)from > MOST_STEPS)
		return wrong(r, E_LIMIT, e->at, "a range of more than %d numbers", MOST_STEPS);
	if (to > from && !count_steps(r, e->at, (size_t)(to - from)))
		return unknown;
	list.n = to > from ? (size_t)(to - from) : 0;
	list.items = store_take(r->store, list.n * sizeof *list.items);
	for (size_t i = 0; i < list.n; i++)
		list.items[i] = value_int(from + (int64_t)i);
	return list;
}

static struct value call_if(struct recording *r, const struct scope *in, const struct expr *e)
{
	struct value v[3];

	if (e->n != 3)
		return wrong(r, E_MISSING, e->at,
		             "if takes a condition and two values: if(c, a, b)");
	v[0] = eval(r, in, e->args[0]);
	if (v[0].kind == VALUE_UNKNOWN)
		return unknown;
	if (value_is_number(v[0]))
		return eval(r, in, e->args[v[0].r != 0 ? 1 : 2]);
	v[1] = eval(r, in, e->args[1]);
	v[2] = eval(r, in, e->args[2]);
	return record(r, "where", e->at, e->span, 3, v, 0, NULL);
}

/* A block or an op, which get all their tensors. */
static struct value call_kind(struct recording *r, const struct scope *in, const struct expr *e,
                              const char *name)
{
	struct call c = {
		.r = r, .in = in, .name = e->text, .at = e->at, .span = e->span, .known = true
	};
	bool found = kind_find(r, in, name, &c.kind);

	if (found && c.kind.what == KIND_LAYER && (c.kind.op = ad_op_find(c.kind.name)) != NULL)
		c.kind.what = KIND_OP;
	if (!found || (c.kind.what != KIND_OP && c.kind.what != KIND_BLOCK)) {
		if (found && c.kind.what != KIND_LAYER)
			message(r->messages, E_OP, e->at, NULL,
			        store_text(r->store, "write it as an item: {%s: [...]}", name),
			        "'%s' occurs only as an item", name);
		else
			say_op(r, e->at, found ? c.kind.name : name, IN_EXPRESSION);
		if (!r->messages && r->graph)
			ad_fail(r->graph, AD_ERROR_ARGUMENT, "no op named '%s'", name);
		return unknown;
	}
	const char *component = e == r->whole ? r->whole_name : NULL;
	r->whole = NULL;
	call_take_expr(&c, e);
	call_complete(&c);
	if (!c.known)
		return unknown;
	if (c.kind.what != KIND_BLOCK || component)
		return call_build(&c, component);
	struct value y = call_build(&c, next_component(r, c.kind.name, e->at));
	read_origin(r, y.from); /* by the expression around it */
	return y;
}

struct value call_eval(struct recording *r, const struct scope *in, const struct expr *e)
{
	const char *name = e->text;
	bool extreme = word_in("min max", name), reduce = false, known = true;
	struct kind kind;

	if (kind_find(r, in, name, &kind) && kind.what == KIND_BLOCK)
		return call_kind(r, in, e, name);
	if (strcmp(name, "if") == 0)
		return call_if(r, in, e);
	for (size_t i = 0; i < e->n; i++)
		known = known && !e->names[i];
	if (!known || e->n == 0 ||
	    !(extreme || word_in("len range", name) ||
	      (e->n == 1 && word_in("abs sqrt exp log floor ceil", name))))
		return call_kind(r, in, e, !extreme ? name : name[1] == 'a' ? "amax" : "amin");
	struct value *v = store_take(r->store, e->n * sizeof *v);
	for (size_t i = 0; i < e->n; i++) {
		v[i] = eval(r, in, e->args[i]);
		known = known && v[i].kind != VALUE_UNKNOWN;
	}
	if (!known)
		return unknown;
	if (strcmp(name, "range") == 0)
		return call_range(r, e, e->n, v);
	if (strcmp(name, "len") == 0) {
		if (e->n == 1 && v[0].kind == VALUE_LIST)
			return value_int((int64_t)v[0].n);
		if (e->n == 1 && v[0].kind == VALUE_NODE && ad_shape_of(v[0].node).rank > 0)
			return value_int(ad_shape_of(v[0].node).dims[0]);
		return wrong(r, E_TYPE, e->at, "len takes one list or tensor");
	}
	if (extreme) {
		struct value best = call_extreme(r, e, e->n, v, &reduce);

		if (!reduce)
			return best;
		if (!value_is_number(v[0]))
			return record(r, name[1] == 'a' ? "amax" : "amin", e->at, e->span, 1, v, 0,
			              NULL);
		return v[0];
	}
	if (value_is_number(v[0]))
		return number_call(r, name, v[0], e->span);
	return record(r, name, e->at, e->span, 1, v, 0, NULL);
}
