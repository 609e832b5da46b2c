/*
 * norm: y = the p-norm of the elements of x over some axes: (sum of |x|^p)^(1/p).
 *
 *   x   any shape          y   without these axes, or with size 1 there if keepdim is set
 *   p   a number above 0; inf: the largest |x|; -inf: the smallest; 0: how many are not 0
 *   dx = dy x |x|^(p-2) / y^(p-1), and 0 where all are 0; for inf shared by those that are largest.
 *   Composed of abs, sum, amax and a root.
 */
#include "op.h"
#include "kernels/roots.h"

struct attrs {
	double p;
	ad_ints axis;
	bool keepdim;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, p, AD_NUM, "2", "which norm; inf: the largest", NULL),
	AD_ATTR(struct attrs, axis, AD_INTLIST, "null", "the axis, or a list of axes; null: all",
	        NULL),
	AD_ATTR(struct attrs, keepdim, AD_FLAG, "false", "keep these axes, with size 1", NULL),
	{ 0 },
};

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	ad_node *x = in[0];

	if (isinf(a->p))
		return a->p > 0 ? ad_amax(ad_abs(x), a->axis, a->keepdim)
		                : ad_amin(ad_abs(x), a->axis, a->keepdim);
	if (!(a->p >= 0))
		return ad_fail(g, AD_ERROR_ARGUMENT,
		               "norm: p is %g; it is 0, a number above 0, or inf", a->p);
	if (a->p == 0)
		return ad_sum(ad_to_real(ad_not_equal(x, ad_constant(g, 0))), a->axis, a->keepdim);
	if (a->p == 1)
		return ad_sum(ad_abs(x), a->axis, a->keepdim);
	if (a->p == 2)
		return root_or_zero(ad_sum(ad_square(x), a->axis, a->keepdim), 0.5);
	/* below 2 the power has no finite second derivative at 0, below 1 no first one */
	x = a->p < 2 ? root_or_zero(ad_abs(x), a->p) : ad_pow_scalar(ad_abs(x), a->p);
	return root_or_zero(ad_sum(x, a->axis, a->keepdim), 1 / a->p);
}

AD_OP(norm, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .compose = compose,
      .samples = { { .in = { AD_DIMS(2, 2) },
                     .attrs = "axis=1",
                     .give = { AD_LIST(3, -4, 0, 0) },
                     .want = { AD_LIST(5, 0) },
                     .dwant = { AD_LIST(0.6, -0.8, 0, 0) } },
                   { .in = { AD_DIMS(3) },
                     .attrs = "p=1 keepdim=true",
                     .give = { AD_LIST(1, 0, -2) },
                     .want = { AD_LIST(3) },
                     .dwant = { AD_LIST(1, 0, -1) } },
                   { .in = { AD_DIMS(3) },
                     .attrs = "p=inf",
                     .give = { AD_LIST(2, 1, -2) },
                     .want = { AD_LIST(2) },
                     .dwant = { AD_LIST(0.5, 0, -0.5) } },
                   { .in = { AD_DIMS(3) },
                     .attrs = "p=3",
                     .give = { AD_LIST(0, 0, 0) },
                     .want = { AD_LIST(0) },
                     .dwant = { AD_LIST(0, 0, 0) } },
                   { .in = { AD_DIMS(3) },
                     .attrs = "p=0",
                     .give = { AD_LIST(0, 5, 7) },
                     .want = { AD_LIST(2) } },
                   { .in = { AD_DIMS(2, 3) }, .attrs = "axis=0", .lo = 0.5, .hi = 2 },
                   { .in = { AD_DIMS(2, 3) }, .attrs = "p=3 axis=-1", .lo = -2, .hi = -0.5 },
                   { .in = { AD_DIMS(2, 3) }, .attrs = "p=1.5", .lo = 0.5, .hi = 2 },
                   { .in = { AD_DIMS(2) }, .attrs = "p=-1", .error = "p is -1" } });

/* The p-norm of x over axes (AD_ALL: all), kept with size 1 if keepdim is set. */
AD_API ad_node *ad_norm(ad_node *x, double p, ad_ints axis, bool keepdim)
{
	struct attrs a = { p, axis, keepdim };

	return AD_CALL_WITH(norm, &a, x);
}
