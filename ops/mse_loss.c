/*
 * mse_loss: (x - target)^2.
 *
 *   x, target   of the same shape      y   the mean, the sum or none, by `reduction`
 *   dx = 2 (x - target) dy / n for the mean; dtarget = -dx
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
	ad_node *error = unequal_shapes(g, "mse_loss", in[0], in[1]);

	return error ? error : reduce_losses(ad_square(ad_sub(in[0], in[1])), a->reduction);
}

AD_OP(mse_loss, .arity = 2, .inputs = "x target", .attrs = attrs,
      .attrs_size = sizeof(struct attrs), .compose = compose,
      .samples = {
	  { .in = { AD_DIMS(3), AD_DIMS(3) },
            .give = { AD_LIST(1, 2, 3), AD_LIST(1, 4, 0) },
            .want = { AD_LIST(13. / 3) },
            .dwant = { AD_LIST(0, -4. / 3, 2), AD_LIST(0, 4. / 3, -2) } },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(2, 3) }, .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(4), AD_DIMS(4) }, .attrs = "reduction=none", .lo = -2, .hi = 2 },
	  { .in = { AD_DIM0, AD_DIM0 }, .attrs = "reduction=sum", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(0), AD_DIMS(0) }, .want = { AD_LIST(NAN) } },
	  { .in = { AD_DIMS(3, 1), AD_DIMS(3) },
            .error = "x is (3, 1), but target is (3,); they must be equal" } });

/* The mean of (x - target)^2. */
AD_API ad_node *ad_mse_loss(ad_node *x, ad_node *target)
{
	return AD_CALL(mse_loss, x, target);
}
