/*
 * value: what an expression stands for: numbers, words, lists, tensors.
 *
 * A mistake is said once: its result is unknown, and what is computed from something unknown is
 * unknown, silently.
 */
#include "language.h"

#include <math.h>
#include <string.h>

struct value value_int(int64_t i)
{
	return (struct value){ .kind = VALUE_INT, .i = i, .r = (double)i };
}

struct value value_flag(bool b)
{
	return (struct value){ .kind = VALUE_FLAG, .b = b, .i = b, .r = b };
}

bool value_is_number(struct value v)
{
	return v.kind == VALUE_INT || v.kind == VALUE_REAL || v.kind == VALUE_FLAG;
}

const char *value_text(struct recording *r, struct value v)
{
	switch (v.kind) {
	case VALUE_INT:
		return dim_text(r, v.i);
	case VALUE_REAL:
		return store_text(r->store, "%g", v.r);
	case VALUE_FLAG:
		return v.b ? "true" : "false";
	case VALUE_NULL:
		return "null";
	case VALUE_WORD:
		return store_text(r->store, "the word '%s'", v.s);
	case VALUE_LIST:
		return "a list";
	case VALUE_KIND:
		return store_text(r->store, "'%s'", v.of->name);
	default:
		return "a tensor";
	}
}

struct value wrong(struct recording *r, int code, struct place at, const char *format, ...)
{
	va_list list;
	char text[1024];

	va_start(list, format);
	vsnprintf(text, sizeof text, format, list);
	va_end(list);
	message(r->messages, code, at, NULL, NULL, "%s", text);
	if (!r->messages && r->graph)
		ad_fail(r->graph, AD_ERROR_ARGUMENT, "%s", text);
	return unknown;
}

struct value value_real(struct recording *r, double x, struct place at)
{
	if (!isfinite(x))
		return wrong(r, E_RANGE, at, "the result is not a finite number");
	return (struct value){ .kind = VALUE_REAL, .r = x };
}

bool count_steps(struct recording *r, struct place at, size_t n)
{
	int most = r->messages ? MOST_STEPS : MOST_RECORDED;

	if (r->stopped)
		return false;
	r->steps += n;
	if (r->steps <= (size_t)most)
		return true;
	wrong(r, E_LIMIT, at, "the model has more than %d items and operations, copies included",
	      most);
	r->stopped = true;
	return false;
}

bool count_step(struct recording *r, struct place at)
{
	return count_steps(r, at, 1);
}

bool go_deeper(struct recording *r, struct place at)
{
	if (++r->nested <= MOST_NESTED)
		return true;
	r->nested--;
	wrong(r, E_LIMIT, at, "items and expressions lie more than %d deep inside each other",
	      MOST_NESTED);
	return false;
}

size_t value_results(struct value v)
{
	if (v.kind != VALUE_NODE)
		return 0;
	return v.n > 0 ? v.n : (size_t)ad_outputs(v.node);
}

struct value value_result(struct value v, size_t k)
{
	if (k >= value_results(v))
		return unknown;
	if (v.n > 0)
		return v.items[k];
	v.node = ad_output(v.node, (int)k);
	return v;
}

ad_node *value_node(struct recording *r, struct value v, struct place at)
{
	if (v.kind == VALUE_NODE)
		return v.node;
	if (v.kind == VALUE_UNKNOWN)
		return NULL;
	if (!value_is_number(v)) {
		wrong(r, E_TYPE, at, "a tensor or a number is due here, not %s", value_text(r, v));
		return NULL;
	}
	if (!r->graph) {
		wrong(r, E_TYPE, at, "only numbers can stand here");
		return NULL;
	}
	return ad_constant(r->graph, v.r);
}
