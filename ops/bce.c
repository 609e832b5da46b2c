/*
 * bce: the binary cross-entropy of probabilities x, -(t ln x + (1 - t) ln(1 - x)).
 *
 *   x, target   in [0, 1], of the same shape      y   the mean, the sum or none, by `reduction`
 *   The logarithms are limited below at -100; see bce_each. For scores instead of probabilities
 *   bce_with_logits is more accurate.
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
	ad_node *error = unequal_shapes(g, "bce", in[0], in[1]);

	return error ? error : reduce_losses(ad_bce_each(in[0], in[1]), a->reduction);
}

AD_OP(bce, .arity = 2, .inputs = "x target", .attrs = attrs, .attrs_size = sizeof(struct attrs),
      .compose = compose,
      .samples = {
	  { .in = { AD_DIMS(2), AD_DIMS(2) },
            .give = { AD_LIST(0.5, 0), AD_LIST(1, 1) },
            .want = { AD_LIST(50.34657359027997) },
            .dwant = { AD_LIST(-1, -5e11) } },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(2, 3) }, .lo = 0.1, .hi = 0.9 },
	  { .in = { AD_DIMS(4), AD_DIMS(4) }, .attrs = "reduction=none", .lo = 0.1, .hi = 0.9 },
	  { .in = { AD_DIM0, AD_DIM0 }, .attrs = "reduction=sum", .lo = 0.1, .hi = 0.9 },
	  { .in = { AD_DIMS(0), AD_DIMS(0) }, .want = { AD_LIST(NAN) } },
	  { .in = { AD_DIMS(3, 1), AD_DIMS(3) },
            .error = "x is (3, 1), but target is (3,); they must be equal" } });

/* The mean binary cross-entropy of probabilities x against target. */
AD_API ad_node *ad_bce(ad_node *x, ad_node *target)
{
	return AD_CALL(bce, x, target);
}
