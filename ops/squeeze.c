/*
 * squeeze: y = x without its axes of size 1.
 *
 *   x   any shape          y   without the given axes, or all axes, as far as they have size 1
 *   dx = dy in the shape of x; nothing is copied
 */
#include "op.h"

struct attrs {
	ad_ints axis;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, axis, AD_INTLIST, "null", "the axis, or a list of axes; null: all",
	        NULL),
	{ 0 },
};

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	ad_shape x = ad_shape_of(in[0]), y = { 0 };
	bool chosen[AD_MAX_RANK];

	for (int i = 0; i < x.rank; i++)
		chosen[i] = a->axis.n < 0;
	for (int64_t k = 0; k < a->axis.n; k++) {
		int64_t axis = a->axis.v[k];
		if (axis < -x.rank || axis >= x.rank) {
			char text[192];
			return ad_fail(
			    g, AD_ERROR_SHAPE, "squeeze: axis %lld is not one of the %d axes of %s",
			    (long long)axis, x.rank, ad_print_shape(text, sizeof text, x));
		}
		chosen[axis < 0 ? axis + x.rank : axis] = true;
	}
	for (int i = 0; i < x.rank; i++)
		if (!chosen[i] || x.dims[i] != 1)
			y.dims[y.rank++] = x.dims[i];
	return y.rank == x.rank ? in[0] : ad_reshape(in[0], y);
}

AD_OP(squeeze, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .compose = compose,
      .samples = { { .in = { AD_DIMS(1, 3, 1) },
                     .give = { AD_LIST(1, 2, 3) },
                     .want = { AD_LIST(1, 2, 3) } },
                   { .in = { AD_DIMS(1, 3, 1) }, .attrs = "axis=-1", .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 3) }, .attrs = "axis=0", .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 3) },
                     .attrs = "axis=2",
                     .error = "axis 2 is not one of the 2 axes of (2, 3)" } });

/* x without those of the axes (AD_ALL: all) that have size 1. */
AD_API ad_node *ad_squeeze(ad_node *x, ad_ints axis)
{
	struct attrs a = { axis };

	return AD_CALL_WITH(squeeze, &a, x);
}
