/*
 * masked_fill: y = value where mask holds, else x.
 *
 *   x      any shape          mask   a mask that broadcasts to x
 *   y      shape of x
 *   dx = 0 where mask holds, else dy. Composed of where; value may be infinite or NaN.
 */
#include "op.h"

struct attrs {
	double value;
};

static const ad_attr table[] = {
	AD_ATTR(struct attrs, value, AD_NUM, NULL, "what stands where the mask holds", NULL),
	{ 0 },
};

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attrs)
{
	const double value = ((const struct attrs *)attrs)->value;
	ad_shape x = ad_shape_of(in[0]), mask = ad_shape_of(in[1]), y = x;
	char have[192], want[192];

	if (ad_type_of(in[1]) == AD_REAL)
		return ad_fail(g, AD_ERROR_TYPE,
		               "masked_fill: the mask is an array of reals; write a comparison, "
		               "such as m != 0");
	if (!ad_broadcast(&y, &mask) || !ad_equal_shapes(&x, &y))
		return ad_fail(
		    g, AD_ERROR_SHAPE, "masked_fill: a mask of shape %s does not broadcast to %s",
		    ad_print_shape(have, sizeof have, mask), ad_print_shape(want, sizeof want, x));
	return ad_where(in[1], ad_constant(g, value), in[0]);
}

AD_OP(masked_fill, .arity = 2, .inputs = "x mask", .attrs = table,
      .attrs_size = sizeof(struct attrs), .compose = compose,
      .samples = { { .in = { AD_DIMS(3), AD_DIMS_OF(AD_BOOL, 3) },
                     .give = { AD_LIST(1, NAN, 3), AD_LIST(0, 1, 0) },
                     .want = { AD_LIST(1, -5, 3) },
                     .dwant = { AD_LIST(1, 0, 1) },
                     .attrs = "value=-5" },
                   { .in = { AD_DIMS(2, 2), AD_DIMS_OF(AD_BOOL, 2, 1) },
                     .give = { AD_LIST(1, 2, 3, 4), AD_LIST(0, 1) },
                     .want = { AD_LIST(1, 2, -INFINITY, -INFINITY) },
                     .dwant = { AD_LIST(1, 1, 0, 0) },
                     .attrs = "value=-inf" },
                   { .in = { AD_DIMS(3), AD_DIMS_OF(AD_BOOL, 2, 3) },
                     .attrs = "value=0",
                     .error = "a mask of shape (2, 3) does not broadcast to (3,)" },
                   { .in = { AD_DIMS(3), AD_DIMS(3) },
                     .attrs = "value=0",
                     .error = "the mask is an array of reals" } });

/* x with value wherever the mask holds. */
AD_API ad_node *ad_masked_fill(ad_node *x, ad_node *mask, double value)
{
	struct attrs attrs = { .value = value };

	return AD_CALL_WITH(masked_fill, &attrs, x, mask);
}
