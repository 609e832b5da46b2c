/*
 * bce_with_logits: the binary cross-entropy of scores x against target, stable for any score.
 *
 *   x, target   of the same shape; weight and pos_weight broadcast to it and may be left out
 *   loss = weight ((1 - t) x + l ln(1 + exp(-x))), l = 1 + (pos_weight - 1) t; `reduction`
 *   makes the mean, the sum, or leaves them. All inputs have gradients.
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
	ad_node *x = in[0], *t = in[1], *weight = n_in > 2 ? in[2] : NULL;
	ad_node *positive = n_in > 3 ? in[3] : NULL, *one = ad_constant(g, 1);
	ad_node *error = unequal_shapes(g, "bce_with_logits", x, t), *loss;

	if (error)
		return error;
	/* ln(1 + exp(-x)), which logsigmoid does without overflow. */
	loss = ad_neg(ad_logsigmoid(x));
	if (positive)
		loss = ad_mul(ad_add(one, ad_mul(ad_sub(positive, one), t)), loss);
	loss = ad_add(ad_mul(ad_sub(one, t), x), loss);
	if (weight)
		loss = ad_mul(weight, loss);
	return reduce_losses(loss, a->reduction);
}

AD_OP(bce_with_logits, .arity = 2, .optional = 2, .inputs = "x target weight pos_weight",
      .attrs = attrs, .attrs_size = sizeof(struct attrs), .compose = compose,
      .samples = {
	  { .in = { AD_DIMS(4), AD_DIMS(4) },
            .attrs = "reduction=none",
            .give = { AD_LIST(0, 2, -1000, 1000), AD_LIST(1, 0, 0, 0) },
            .want = { AD_LIST(0.6931471805599453, 2.1269280110429727, 0, 1000) } },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(2, 3), AD_DIMS(3), AD_DIMS(3) }, .lo = 0.1, .hi = 2 },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(2, 3) }, .attrs = "reduction=sum", .lo = 0.1, .hi = 2 },
	  { .in = { AD_DIMS(3, 1), AD_DIMS(3) },
            .error = "x is (3, 1), but target is (3,); they must be equal" } });

/* The mean binary cross-entropy of scores x against target. */
AD_API ad_node *ad_bce_with_logits(ad_node *x, ad_node *target)
{
	return AD_CALL(bce_with_logits, x, target);
}
