/*
 * cumprod: y[k] = x[0] x[1] ... x[k] along an axis.
 *
 *   x   any shape          y   shape of x; from the end backwards if `reverse` is set
 *   dx is right with zeros among the factors: nothing is divided. Composed of linear_recurrence.
 */
#include "op.h"

struct attrs {
	int64_t axis;
	bool reverse;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, axis, AD_INT, "-1", "the axis", NULL),
	AD_ATTR(struct attrs, reverse, AD_FLAG, "false", "from the end backwards", NULL),
	{ 0 },
};

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	ad_shape s = ad_shape_of(in[0]);
	int64_t axis = a->axis < 0 ? a->axis + (s.rank ? s.rank : 1) : a->axis, n;
	ad_node *first;

	if (axis < 0 || axis >= (s.rank ? s.rank : 1))
		return ad_fail(g, AD_ERROR_SHAPE,
		               "cumprod: axis %lld is not one of the %d axes of x",
		               (long long)a->axis, s.rank);
	if (s.rank == 0 || ad_count(in[0]) == 0)
		return in[0];
	/* the recurrence begins with the first factor, and adds nothing afterwards */
	n = s.dims[axis];
	first = ad_slice(in[0], AD_INTS(axis), AD_INTS(a->reverse ? n - 1 : 0),
	                 AD_INTS(a->reverse ? n : 1), AD_ALL);
	first = ad_unslice(first, s, AD_INTS(axis), AD_INTS(a->reverse ? n - 1 : 0),
	                   AD_INTS(a->reverse ? n : 1), AD_ALL);
	return ad_linear_recurrence(in[0], first, axis, a->reverse);
}

AD_OP(cumprod, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .compose = compose,
      .samples = {
	  { .in = { AD_DIMS(4) },
            .give = { AD_LIST(2, 3, 0, 5) },
            .want = { AD_LIST(2, 6, 0, 0) },
            .dwant = { AD_LIST(4, 2, 36, 0) } },
	  { .in = { AD_DIMS(2, 2) },
            .attrs = "axis=0 reverse=true",
            .give = { AD_LIST(2, 3, 4, 5) },
            .want = { AD_LIST(8, 15, 4, 5) } },
	  { .in = { AD_DIMS(2, 4) }, .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(2, 3, 2) }, .attrs = "axis=1 reverse=true", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(2) }, .attrs = "axis=1", .error = "axis 1" } });

/* The running products of x along an axis; from the end backwards if reverse is set. */
AD_API ad_node *ad_cumprod(ad_node *x, int64_t axis, bool reverse)
{
	struct attrs a = { axis, reverse };

	return AD_CALL_WITH(cumprod, &a, x);
}
