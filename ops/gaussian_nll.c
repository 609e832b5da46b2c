/*
 * gaussian_nll: how unlikely target is for a normal distribution: (ln var + (x - t)^2 / var) / 2.
 *
 *   x, target, var   means, values, variances above 0, of the same shape
 *   y                the mean, the sum or none, by `reduction`; without the constant ln(2 pi) / 2
 *   All three inputs have gradients.
 */
#include "op.h"
#include "kernels/losses.h"

struct attrs {
	const char *reduction;
};

static const ad_attr attrs[] = {
	REDUCTION_ATTR,
	{ 0 },
};

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	ad_node *x = in[0], *var = in[2], *error = unequal_shapes(g, "gaussian_nll", x, in[1]);
	ad_shape shape_x = ad_shape_of(x), shape_var = ad_shape_of(var);
	char text_x[192], text_var[192];

	if (error)
		return error;
	if (!ad_equal_shapes(&shape_x, &shape_var))
		return ad_fail(
		    g, AD_ERROR_SHAPE,
		    "gaussian_nll: x is %s, but var is %s; they must be equal, expand one",
		    ad_print_shape(text_x, sizeof text_x, shape_x),
		    ad_print_shape(text_var, sizeof text_var, shape_var));
	return reduce_losses(ad_mul(ad_add(ad_log(var), ad_div(ad_square(ad_sub(x, in[1])), var)),
	                            ad_constant(g, 0.5)),
	                     a->reduction);
}

AD_OP(gaussian_nll, .arity = 3, .inputs = "x target var", .attrs = attrs,
      .attrs_size = sizeof(struct attrs), .compose = compose,
      .samples = { { .in = { AD_DIMS(2), AD_DIMS(2), AD_DIMS(2) },
                     .give = { AD_LIST(1, 2), AD_LIST(3, 2), AD_LIST(2, 0.5) },
                     .want = { AD_LIST(0.5) },
                     .dwant = { AD_LIST(-0.5, 0), AD_LIST(0.5, 0), AD_LIST(-0.125, 0.5) } },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(2, 3), AD_DIMS(2, 3) }, .lo = 0.5, .hi = 2 },
                   { .in = { AD_DIMS(4), AD_DIMS(4), AD_DIMS(4) },
                     .attrs = "reduction=none",
                     .lo = 0.5,
                     .hi = 2 },
                   { .in = { AD_DIMS(3), AD_DIMS(3), AD_DIMS(1) },
                     .error = "x is (3,), but var is (1,); they must be equal" },
                   { .in = { AD_DIMS(3, 1), AD_DIMS(3), AD_DIMS(3) },
                     .error = "x is (3, 1), but target is (3,); they must be equal" } });

/* The mean of (ln var + (x - target)^2 / var) / 2. */
AD_API ad_node *ad_gaussian_nll(ad_node *x, ad_node *target, ad_node *var)
{
	return AD_CALL(gaussian_nll, x, target, var);
}
