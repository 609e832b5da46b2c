/*
 * prelu: y = x where x > 0, else weight x.
 *
 *   x        any shape
 *   weight   1 element, or (C) with x (N, C, ...): one per channel
 *   y        shape of x
 *   dx = dy where x > 0, else weight dy; dweight = x dy summed over x <= 0
 *   Composed of where and mul.
 */
#include "op.h"

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attrs)
{
	ad_node *x = in[0], *weight = in[1];
	ad_shape shape = ad_shape_of(x), per = AD_SCALAR;
	char text[192];

	if (ad_count(weight) != 1) {
		if (shape.rank < 2 || ad_shape_of(weight).rank != 1 ||
		    ad_shape_of(weight).dims[0] != shape.dims[1])
			return ad_fail(g, AD_ERROR_SHAPE,
			               "prelu: weight has %zu elements; for x of shape %s give it "
			               "1 or one per channel (axis 1)",
			               ad_count(weight), ad_print_shape(text, sizeof text, shape));
		per.rank = shape.rank - 1;
		for (int i = 0; i < per.rank; i++)
			per.dims[i] = i == 0 ? shape.dims[1] : 1;
	}
	weight = ad_reshape(weight, per);
	return ad_where(ad_greater(x, ad_constant(g, 0)), x, ad_mul(weight, x));
}

AD_OP(prelu, .arity = 2, .inputs = "x weight", .compose = compose,
      .samples = { { .in = { AD_DIMS(4), AD_DIMS(1) },
                     .give = { AD_LIST(-2, 0, 1, 3), AD_LIST(0.5) },
                     .want = { AD_LIST(-1, 0, 1, 3) },
                     .dwant = { AD_LIST(0.5, 0.5, 1, 1), AD_LIST(-2) } },
                   { .in = { AD_DIMS(1, 2, 2), AD_DIMS(2) },
                     .give = { AD_LIST(-2, 4, -1, -3), AD_LIST(0.5, 0.25) },
                     .want = { AD_LIST(-1, 4, -0.25, -0.75) },
                     .dwant = { AD_LIST(0.5, 1, 0.25, 0.25), AD_LIST(-2, -4) } },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(1) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 3, 2), AD_DIMS(3) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(2) },
                     .lo = -2,
                     .hi = 2,
                     .error = "weight has 2 elements; for x of shape (2, 3)" } });

/* Every element, those below 0 multiplied by the weight of their channel. */
AD_API ad_node *ad_prelu(ad_node *x, ad_node *weight)
{
	return AD_CALL(prelu, x, weight);
}
