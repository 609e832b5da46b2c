/*
 * smooth_l1_loss: d^2 / (2 beta) where |d| < beta, else |d| - beta / 2, with d = x - target.
 *
 *   x, target   of the same shape      y   the mean, the sum or none, by `reduction`
 *   dx = d / beta where |d| < beta, else the sign of d, times dy / n for the mean; dtarget = -dx
 *   beta = 0 is l1_loss. R. Girshick, "Fast R-CNN", ICCV 2015.
 */
#include "op.h"
#include "kernels/losses.h"

struct attrs {
	double beta;
	const char *reduction;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, beta, AD_NUM, "1",
	        "the difference at which the square ends; 0: no square", NULL),
	REDUCTION_ATTR,
	{ 0 },
};

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	ad_node *error = unequal_shapes(g, "smooth_l1_loss", in[0], in[1]);
	ad_node *d, *size;

	if (error)
		return error;
	if (!(isfinite(a->beta) && a->beta >= 0))
		return ad_fail(g, AD_ERROR_ARGUMENT,
		               "smooth_l1_loss: beta is %g; it is a number from 0", a->beta);
	d = ad_sub(in[0], in[1]);
	size = ad_abs(d);
	if (a->beta == 0)
		return reduce_losses(size, a->reduction);
	return reduce_losses(ad_where(ad_less(size, ad_constant(g, a->beta)),
	                              ad_mul(ad_square(d), ad_constant(g, 0.5 / a->beta)),
	                              ad_sub(size, ad_constant(g, 0.5 * a->beta))),
	                     a->reduction);
}

AD_OP(smooth_l1_loss, .arity = 2, .inputs = "x target", .attrs = attrs,
      .attrs_size = sizeof(struct attrs), .compose = compose,
      .samples = {
	  { .in = { AD_DIMS(4), AD_DIMS(4) },
            .attrs = "beta=0.5 reduction=none",
            .give = { AD_LIST(0.25, -2, 0.5, 3), AD_LIST(0, 0, 1, 3) },
            .want = { AD_LIST(0.0625, 1.75, 0.25, 0) },
            .dwant = { AD_LIST(0.5, -1, -1, 0), AD_LIST(-0.5, 1, 1, 0) } },
	  { .in = { AD_DIMS(2), AD_DIMS(2) },
            .attrs = "beta=0",
            .give = { AD_LIST(1, 2), AD_LIST(1, 5) },
            .want = { AD_LIST(1.5) },
            .dwant = { AD_LIST(0, -0.5), AD_LIST(0, 0.5) } },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(2, 3) }, .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(4), AD_DIMS(4) }, .attrs = "reduction=none", .lo = -2, .hi = 2 },
	  { .in = { AD_DIM0, AD_DIM0 }, .attrs = "reduction=sum", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(3, 1), AD_DIMS(3) },
            .error = "x is (3, 1), but target is (3,); they must be equal" },
	  { .in = { AD_DIMS(3), AD_DIMS(3) }, .attrs = "beta=-1", .error = "beta is -1" } });

/* The mean of d^2 / (2 beta) where |d| < beta, else |d| - beta / 2, with d = x - target. */
AD_API ad_node *ad_smooth_l1_loss(ad_node *x, ad_node *target, double beta)
{
	struct attrs a = { beta, "mean" };

	return AD_CALL_WITH(smooth_l1_loss, &a, x, target);
}
