/*
 * hinge: max(0, 1 - target x).
 *
 *   x scores, target +1 or -1, of the same shape      y   the mean, the sum or none, by `reduction`
 *   dx = -target where target x < 1, else 0, times dy / n for the mean
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
	ad_node *error = unequal_shapes(g, "hinge", in[0], in[1]);

	return error ? error
	             : reduce_losses(ad_relu(ad_sub(ad_constant(g, 1), ad_mul(in[1], in[0]))),
	                             a->reduction);
}

AD_OP(hinge, .arity = 2, .inputs = "x target", .attrs = attrs, .attrs_size = sizeof(struct attrs),
      .compose = compose,
      .samples = {
	  { .in = { AD_DIMS(4), AD_DIMS(4) },
            .give = { AD_LIST(2, 0.5, -0.5, 1), AD_LIST(1, 1, 1, 1) },
            .want = { AD_LIST(0.5) },
            .dwant = { AD_LIST(0, -0.25, -0.25, 0), AD_LIST(0, -0.125, 0.125, 0) } },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(2, 3) }, .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(4), AD_DIMS(4) }, .attrs = "reduction=none", .lo = -2, .hi = 2 },
	  { .in = { AD_DIM0, AD_DIM0 }, .attrs = "reduction=sum", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(0), AD_DIMS(0) }, .want = { AD_LIST(NAN) } },
	  { .in = { AD_DIMS(3, 1), AD_DIMS(3) },
            .error = "x is (3, 1), but target is (3,); they must be equal" } });

/* The mean of max(0, 1 - target x), target being +1 or -1. */
AD_API ad_node *ad_hinge(ad_node *x, ad_node *target)
{
	return AD_CALL(hinge, x, target);
}
