/*
 * transpose: y = x with two axes swapped.
 *
 *   x   any shape          y   shape of x with axis0 and axis1 swapped; by default the last two
 *   dx = dy with the same axes swapped; x need not be kept
 */
#include "op.h"

struct attrs {
	int64_t axis0, axis1;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, axis0, AD_INT, "-2", "one axis", NULL),
	AD_ATTR(struct attrs, axis1, AD_INT, "-1", "the other axis", NULL),
	{ 0 },
};

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	int rank = ad_shape_of(in[0]).rank;
	int64_t dims[AD_MAX_RANK], axis[2] = { a->axis0, a->axis1 };

	for (int k = 0; k < 2; k++) {
		if (axis[k] < -rank || axis[k] >= rank) {
			char text[192];
			return ad_fail(g, AD_ERROR_SHAPE,
			               "transpose: axis %lld is not one of the %d axes of %s",
			               (long long)axis[k], rank,
			               ad_print_shape(text, sizeof text, ad_shape_of(in[0])));
		}
		axis[k] += axis[k] < 0 ? rank : 0;
	}
	for (int i = 0; i < rank; i++)
		dims[i] = i == axis[0] ? axis[1] : i == axis[1] ? axis[0] : i;
	return ad_permute(in[0], (ad_ints){ rank, dims });
}

AD_OP(transpose, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .compose = compose,
      .samples = { { .in = { AD_DIMS(2, 3) },
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6) },
                     .want = { AD_LIST(1, 4, 2, 5, 3, 6) } },
                   { .in = { AD_DIMS(2, 3, 4) }, .attrs = "axis0=0 axis1=-1", .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 3) }, .attrs = "axis0=1 axis1=1", .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(3) }, .error = "axis -2 is not one of the 1 axes of (3,)" } });

/* x with two of its axes swapped. */
AD_API ad_node *ad_transpose(ad_node *x, int64_t axis0, int64_t axis1)
{
	struct attrs a = { axis0, axis1 };

	return AD_CALL_WITH(transpose, &a, x);
}
