/*
 * huber_loss: d^2 / 2 where |d| < delta, else delta (|d| - delta / 2), with d = x - target.
 *
 *   x, target   of the same shape      y   the mean, the sum or none, by `reduction`
 *   dx = d limited to -delta..delta, times dy / n for the mean; dtarget = -dx
 *   P. Huber, "Robust estimation of a location parameter", 1964.
 */
#include "op.h"
#include "kernels/losses.h"

struct attrs {
	double delta;
	const char *reduction;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, delta, AD_NUM, "1",
	        "the difference at which the square ends; above 0", NULL),
	REDUCTION_ATTR,
	{ 0 },
};

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	ad_node *error = unequal_shapes(g, "huber_loss", in[0], in[1]);
	ad_node *d, *size;

	if (error)
		return error;
	if (!(isfinite(a->delta) && a->delta > 0))
		return ad_fail(g, AD_ERROR_ARGUMENT,
		               "huber_loss: delta is %g; it is a number above 0", a->delta);
	d = ad_sub(in[0], in[1]);
	size = ad_abs(d);
	return reduce_losses(ad_where(ad_less(size, ad_constant(g, a->delta)),
	                              ad_mul(ad_square(d), ad_constant(g, 0.5)),
	                              ad_mul(ad_sub(size, ad_constant(g, 0.5 * a->delta)),
	                                     ad_constant(g, a->delta))),
	                     a->reduction);
}

AD_OP(huber_loss, .arity = 2, .inputs = "x target", .attrs = attrs,
      .attrs_size = sizeof(struct attrs), .compose = compose,
      .samples = {
	  { .in = { AD_DIMS(4), AD_DIMS(4) },
            .attrs = "delta=2 reduction=none",
            .give = { AD_LIST(1, -5, 2, 3), AD_LIST(0, 0, 0, 3) },
            .want = { AD_LIST(0.5, 8, 2, 0) },
            .dwant = { AD_LIST(1, -2, 2, 0), AD_LIST(-1, 2, -2, 0) } },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(2, 3) }, .attrs = "delta=0.7", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(4), AD_DIMS(4) }, .attrs = "reduction=none", .lo = -2, .hi = 2 },
	  { .in = { AD_DIM0, AD_DIM0 }, .attrs = "reduction=sum", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(0), AD_DIMS(0) }, .want = { AD_LIST(NAN) } },
	  { .in = { AD_DIMS(3, 1), AD_DIMS(3) },
            .error = "x is (3, 1), but target is (3,); they must be equal" },
	  { .in = { AD_DIMS(3), AD_DIMS(3) }, .attrs = "delta=0", .error = "delta is 0" } });

/* The mean of d^2 / 2 where |d| < delta, else delta (|d| - delta / 2), with d = x - target. */
AD_API ad_node *ad_huber_loss(ad_node *x, ad_node *target, double delta)
{
	struct attrs a = { delta, "mean" };

	return AD_CALL_WITH(huber_loss, &a, x, target);
}
