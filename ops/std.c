/*
 * std: y = the standard deviation of the elements of x over some axes.
 *
 *   x   any shape          y   without these axes, or with size 1 there if keepdim is set: the root
 * of var dx = dy (x - mean) / (y (n - 1 or n)), and 0 where all are equal. Composed of var and
 * sqrt.
 */
#include "op.h"
#include "kernels/roots.h"

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

	return root_or_zero(ad_var(in[0], a->axis, a->unbiased, a->keepdim), 0.5);
}

AD_OP(std, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .compose = compose,
      .samples = {
	  { .in = { AD_DIMS(2, 2) },
            .attrs = "axis=1 unbiased=false",
            .give = { AD_LIST(1, 5, 3, 3) },
            .want = { AD_LIST(2, 0) },
            .dwant = { AD_LIST(-0.5, 0.5, 0, 0) } },
	  { .in = { AD_DIMS(3) }, .give = { AD_LIST(1, 2, 3) }, .want = { AD_LIST(1) } },
	  { .in = { AD_DIMS(2, 3, 2) }, .attrs = "axis=[0,2] keepdim=true", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(3, 4) }, .attrs = "axis=-1 unbiased=false", .lo = -2, .hi = 2 } });

/* The standard deviation of x over axes (AD_ALL: all): over n - 1 if unbiased, else n. */
AD_API ad_node *ad_std(ad_node *x, ad_ints axis, bool unbiased, bool keepdim)
{
	struct attrs a = { axis, unbiased, keepdim };

	return AD_CALL_WITH(std, &a, x);
}
