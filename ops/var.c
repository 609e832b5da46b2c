/*
 * var: y = the variance of the elements of x over some axes.
 *
 *   x   any shape          y   without these axes, or with size 1 there if keepdim is set: the sum
 * of the squared distances from the mean, over n - 1 if unbiased, else n dx = 2 dy (x - mean) / (n
 * - 1 or n). Composed of mean, square and sum in two passes, so a large mean costs no accuracy.
 * Over nothing to divide by it is NaN.
 */
#include "op.h"
#include "kernels/reduce.h"

struct attrs {
	ad_ints axis;
	bool unbiased, keepdim;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, axis, AD_INTLIST, "null", "the axis, or a list of axes; null: all",
	        NULL),
	AD_ATTR(struct attrs, unbiased, AD_FLAG, "true", "divide by n - 1, not n", NULL),
	AD_ATTR(struct attrs, keepdim, AD_FLAG, "false", "keep these axes, with size 1", NULL),
	{ 0 },
};

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	ad_node *mean = ad_mean(in[0], a->axis, true), *sum;
	ad_shape x = ad_shape_of(in[0]), kept;
	double n = 1;

	if (ad_is_error(mean))
		return mean;
	kept = ad_shape_of(mean);
	for (int i = 0; i < x.rank; i++)
		if (kept.dims[i] != x.dims[i])
			n *= (double)x.dims[i];
	sum = ad_sum(ad_square(ad_sub(in[0], mean)), a->axis, a->keepdim);
	n -= a->unbiased;
	return ad_div(sum, ad_constant(g, n > 0 ? n : 0));
}

AD_OP(var, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .compose = compose,
      .samples = {
	  { .in = { AD_DIMS(4) },
            .give = { AD_LIST(1, 2, 3, 6) },
            .want = { AD_LIST(14. / 3) },
            .dwant = { AD_LIST(-4. / 3, -2. / 3, 0, 2) } },
	  { .in = { AD_DIMS(2, 2) },
            .attrs = "axis=1 unbiased=false keepdim=true",
            .give = { AD_LIST(1e6, 1e6 + 2, 5, 5) },
            .want = { AD_LIST(1, 0) } },
	  { .in = { AD_DIMS(1) }, .give = { AD_LIST(3) }, .want = { AD_LIST(NAN) } },
	  { .in = { AD_DIMS(2, 3, 2) }, .attrs = "axis=[0,2]", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(3, 4) }, .attrs = "axis=-1 unbiased=false", .lo = -2, .hi = 2 } });

/* The variance of x over axes (AD_ALL: all): over n - 1 if unbiased, else n. */
AD_API ad_node *ad_var(ad_node *x, ad_ints axis, bool unbiased, bool keepdim)
{
	struct attrs a = { axis, unbiased, keepdim };

	return AD_CALL_WITH(var, &a, x);
}
