/*
 * select: y = one place of an axis of x, the axis dropped.
 *
 *   x   any shape with an axis          y   shape of x without it; a negative index counts from the
 * end dx = dy at that place, 0 elsewhere. Composed of slice. Masks and indices stay what they are.
 */
#include "op.h"

struct attrs {
	int64_t axis, index;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, index, AD_INT, NULL, "the place", NULL),
	AD_ATTR(struct attrs, axis, AD_INT, "0", "the axis", NULL),
	{ 0 },
};

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	ad_shape x = ad_shape_of(in[0]), y = { .rank = x.rank - 1 };
	int64_t axis = a->axis < 0 ? a->axis + x.rank : a->axis, index;
	char text[192];

	ad_print_shape(text, sizeof text, x);
	if (axis < 0 || axis >= x.rank)
		return ad_fail(g, AD_ERROR_SHAPE,
		               "select: axis %lld is not one of the %d axes of %s",
		               (long long)a->axis, x.rank, text);
	index = a->index < 0 ? a->index + x.dims[axis] : a->index;
	if (index < 0 || index >= x.dims[axis])
		return ad_fail(
		    g, AD_ERROR_ARGUMENT,
		    "select: index %lld is not one of the %lld places along axis %lld of %s",
		    (long long)a->index, (long long)x.dims[axis], (long long)axis, text);
	for (int i = 0; i < y.rank; i++)
		y.dims[i] = x.dims[i < axis ? i : i + 1];
	return ad_reshape(
	    ad_slice(in[0], AD_INTS(axis), AD_INTS(index), AD_INTS(index + 1), AD_ALL), y);
}

AD_OP(select, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .compose = compose,
      .samples = { { .in = { AD_DIMS(2, 3) },
                     .attrs = "index=-1 axis=1",
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6) },
                     .want = { AD_LIST(3, 6) },
                     .dwant = { AD_LIST(0, 0, 1, 0, 0, 1) } },
                   { .in = { AD_DIMS_OF(AD_I32, 3) },
                     .attrs = "index=1",
                     .give = { AD_LIST(1, 2, 3) },
                     .want = { AD_LIST(2) } },
                   { .in = { AD_DIMS(2, 3, 2) }, .attrs = "index=2 axis=-2", .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 3) },
                     .attrs = "index=2",
                     .error = "index 2 is not one of the 2 places along axis 0 of (2, 3)" },
                   { .in = { AD_DIM0 }, .attrs = "index=0", .error = "not one of the 0 axes" } });

/* One place of an axis of x, the axis dropped. */
AD_API ad_node *ad_select(ad_node *x, int64_t axis, int64_t index)
{
	struct attrs a = { axis, index };

	return AD_CALL_WITH(select, &a, x);
}
