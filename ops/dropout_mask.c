/*
 * dropout_mask: y = x / (1 - p) where mask holds, else 0: dropout by a given mask.
 *
 *   x   any shape          mask   of what is kept; broadcasts to x          y   shape of x
 *   dx = dy / (1 - p) where mask holds, else 0. Nothing, not even NaN, comes from what is dropped.
 */
#include "op.h"

struct attrs {
	double p;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, p, AD_NUM, "0.5",
	        "the probability by which the mask drops, in [0, 1)", NULL),
	{ 0 },
};

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	ad_shape x = ad_shape_of(in[0]), mask = ad_shape_of(in[1]), y = x;
	char text_x[192], text_mask[192];

	if (!(a->p >= 0 && a->p < 1))
		return ad_fail(g, AD_ERROR_ARGUMENT, "dropout_mask: p is %g, not in [0, 1)", a->p);
	if (ad_type_of(in[1]) == AD_REAL)
		return ad_fail(
		    g, AD_ERROR_TYPE,
		    "dropout_mask: the mask is an array of reals; write a comparison, such "
		    "as m != 0");
	if (!ad_broadcast(&y, &mask) || !ad_equal_shapes(&x, &y))
		return ad_fail(g, AD_ERROR_SHAPE,
		               "dropout_mask: a mask of shape %s does not broadcast to %s",
		               ad_print_shape(text_mask, sizeof text_mask, mask),
		               ad_print_shape(text_x, sizeof text_x, x));
	return ad_where(in[1], ad_mul(in[0], ad_constant(g, 1 / (1 - a->p))), ad_constant(g, 0));
}

AD_OP(dropout_mask, .arity = 2, .inputs = "x mask", .attrs = attrs,
      .attrs_size = sizeof(struct attrs), .compose = compose,
      .samples = { { .in = { AD_DIMS(4), AD_DIMS_OF(AD_BOOL, 4) },
                     .attrs = "p=0.75",
                     .give = { AD_LIST(1, -2, NAN, 3), AD_LIST(1, 1, 0, 0) },
                     .want = { AD_LIST(4, -8, 0, 0) },
                     .dwant = { AD_LIST(4, 4, 0, 0) } },
                   { .in = { AD_DIMS(2, 3), AD_DIMS_OF(AD_BOOL, 3) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(3), AD_DIMS_OF(AD_BOOL, 3) },
                     .attrs = "p=1",
                     .error = "p is 1, not in [0, 1)" },
                   { .in = { AD_DIMS(3), AD_DIMS(3) }, .error = "the mask is an array of reals" },
                   { .in = { AD_DIMS(3), AD_DIMS_OF(AD_BOOL, 2) },
                     .error = "a mask of shape (2,) does not broadcast to (3,)" } });

/* x / (1 - p) where mask holds, else 0. */
AD_API ad_node *ad_dropout_mask(ad_node *x, ad_node *mask, double p)
{
	struct attrs a = { p };

	return AD_CALL_WITH(dropout_mask, &a, x, mask);
}
