/*
 * repeat_interleave: y = each element of x several times in a row along an axis.
 *
 *   x   any shape with an axis          y   along it the size times `repeats`, or the sum of a list
 *   dx = dy added up over the copies. Composed of expand, and concat for a list. Masks and indices
 * stay what they are.
 */
#include "op.h"

struct attrs {
	ad_ints repeats;
	int64_t axis;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, repeats, AD_INTLIST, NULL,
	        "how often each, or one number for each place", NULL),
	AD_ATTR(struct attrs, axis, AD_INT, "-1", "the axis", NULL),
	{ 0 },
};

static ad_node *evenly(ad_node *x, int axis, int64_t times)
{
	ad_shape s = ad_shape_of(x);
	int64_t outer = 1, inner = 1;

	for (int i = 0; i < s.rank; i++)
		*(i <= axis ? &outer : &inner) *= s.dims[i];
	s.dims[axis] *= times;
	x = ad_expand(ad_reshape(x, AD_SHAPE(outer, 1, inner)), AD_SHAPE(outer, times, inner));
	return ad_reshape(x, s);
}

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	ad_shape s = ad_shape_of(in[0]);
	int64_t axis = a->axis + (a->axis < 0 ? s.rank : 0), size;
	ad_node **part, *y;
	size_t count, n = 0;

	if (axis < 0 || axis >= s.rank)
		return ad_fail(g, AD_ERROR_SHAPE,
		               "repeat_interleave: axis %lld is not one of the %d axes of x",
		               (long long)a->axis, s.rank);
	size = s.dims[axis];
	if (a->repeats.n != 1 && a->repeats.n != size)
		return ad_fail(
		    g, AD_ERROR_ARGUMENT,
		    "repeat_interleave: %lld repeats for %lld places: give one number, or one "
		    "for each",
		    (long long)a->repeats.n, (long long)size);
	for (int64_t k = 0; k < a->repeats.n; k++) {
		s.dims[axis] = size;
		if (a->repeats.v[k] < 0)
			return ad_fail(g, AD_ERROR_ARGUMENT,
			               "repeat_interleave: cannot repeat %lld times",
			               (long long)a->repeats.v[k]);
		if (__builtin_mul_overflow(size, a->repeats.v[k], &s.dims[axis]) ||
		    !ad_count_of(&s, &count))
			return ad_fail(g, AD_ERROR_SHAPE,
			               "repeat_interleave: the result has too many elements");
	}
	if (a->repeats.n == 1)
		return evenly(in[0], (int)axis, a->repeats.v[0]);
	part = malloc((size_t)(size + 1) * sizeof(ad_node *));
	if (!part)
		return ad_fail(g, AD_ERROR_MEMORY, "repeat_interleave: out of memory");
	for (int64_t k = 0; k < size; k++)
		if (a->repeats.v[k] > 0)
			part[n++] = evenly(
			    ad_slice(in[0], AD_INTS(axis), AD_INTS(k), AD_INTS(k + 1), AD_ALL),
			    (int)axis, a->repeats.v[k]);
	if (n == 0)
		y = ad_slice(in[0], AD_INTS(axis), AD_INTS(0), AD_INTS(0), AD_ALL);
	else
		y = ad_concat(n, part, axis);
	free(part);
	return y;
}

AD_OP(repeat_interleave, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs),
      .compose = compose,
      .samples = {
	  { .in = { AD_DIMS(2, 2) },
            .attrs = "repeats=2",
            .give = { AD_LIST(1, 2, 3, 4) },
            .want = { AD_LIST(1, 1, 2, 2, 3, 3, 4, 4) },
            .dwant = { AD_LIST(2, 2, 2, 2) } },
	  { .in = { AD_DIMS(3, 2) },
            .attrs = "repeats=[2,0,1] axis=0",
            .give = { AD_LIST(1, 2, 3, 4, 5, 6) },
            .want = { AD_LIST(1, 2, 1, 2, 5, 6) },
            .dwant = { AD_LIST(2, 2, 0, 0, 1, 1) } },
	  { .in = { AD_DIMS(2, 3) }, .attrs = "repeats=[1,3,2] axis=1", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(2, 3) }, .attrs = "repeats=0 axis=0", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(3) }, .attrs = "repeats=[1,2]", .error = "2 repeats for 3 places" },
	  { .in = { AD_DIMS(3) }, .attrs = "repeats=-2", .error = "cannot repeat -2 times" } });

/* Each element of x repeats times in a row along an axis; a list has a number for each place. */
AD_API ad_node *ad_repeat_interleave(ad_node *x, ad_ints repeats, int64_t axis)
{
	struct attrs a = { repeats, axis };

	return AD_CALL_WITH(repeat_interleave, &a, x);
}
