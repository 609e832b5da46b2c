/*
 * chunk: x cut along an axis into n parts of one size; the last may be smaller, and there may be
 * fewer.
 *
 *   x   any shape with an axis          y0, y1, ...   shape of x with ceil(size / n) along it
 *   dx = the dy of the parts side by side. Composed of split.
 */
#include "op.h"

struct attrs {
	int64_t n, axis;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, n, AD_INT, NULL, "the number of parts", NULL),
	AD_ATTR(struct attrs, axis, AD_INT, "0", "the axis along which x is cut", NULL),
	{ 0 },
};

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	ad_shape s = ad_shape_of(in[0]);
	int64_t axis = a->axis + (a->axis < 0 ? s.rank : 0), sizes[AD_MAX_OUTPUTS], size, left;
	int64_t n = 0;

	if (axis < 0 || axis >= s.rank)
		return ad_fail(g, AD_ERROR_SHAPE, "chunk: axis %lld is not one of the %d axes of x",
		               (long long)a->axis, s.rank);
	if (a->n < 1 || a->n > AD_MAX_OUTPUTS)
		return ad_fail(g, AD_ERROR_ARGUMENT, "chunk: n is %lld; it goes from 1 to %d",
		               (long long)a->n, AD_MAX_OUTPUTS);
	left = s.dims[axis];
	size = left / a->n + (left % a->n != 0);
	do {
		sizes[n] = size < left ? size : left;
		left -= sizes[n++];
	} while (n < a->n && (left > 0 || size == 0));
	return ad_split(in[0], (ad_ints){ n, sizes }, axis);
}

AD_OP(chunk, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .compose = compose,
      .samples = { { .in = { AD_DIMS(5) },
                     .attrs = "n=3",
                     .give = { AD_LIST(1, 2, 3, 4, 5) },
                     .want = { AD_LIST(1, 2), AD_LIST(3, 4), AD_LIST(5) },
                     .dwant = { AD_LIST(1, 1, 1, 1, 1) } },
                   { .in = { AD_DIMS(2, 4) }, .attrs = "n=2 axis=-1", .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2) }, .attrs = "n=0", .error = "n is 0" } });

/* x cut along an axis into n parts, the last perhaps smaller; ad_output(y, k) is part k. */
AD_API ad_node *ad_chunk(ad_node *x, int64_t n, int64_t axis)
{
	struct attrs a = { n, axis };

	return AD_CALL_WITH(chunk, &a, x);
}
