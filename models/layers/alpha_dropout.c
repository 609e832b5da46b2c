/*
 * alpha_dropout: dropout that keeps mean 0 and variance 1, for selu, in training phase.
 *
 *   x   any shape     y = a (x where kept, alpha' where dropped) + b, shape of x
 *   alpha' = -1.7580993, the limit of selu; a = ((1 - p) (1 + p alpha'^2))^(-1/2), b = -a p alpha'
 *
 * Klambauer et al., "Self-normalizing neural networks" (2017).
 */
#include "model.h"
#include "op.h"

struct attrs {
	double p;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, p, AD_NUM, "0.5", "the probability of being dropped, in [0, 1)",
	        NULL),
	{ 0 },
};

/* -1.0507009873554805 * 1.6732632423543772, of selu */
#define LIMIT (-1.7580993408473766)

static ad_node *build(struct layer_site *site, ad_node *x, const void *given)
{
	const double p = ((const struct attrs *)given)->p;
	ad_graph *g = ad_graph_of(x);

	if (!(p >= 0 && p < 1))
		return ad_fail(g, AD_ERROR_ARGUMENT, "alpha_dropout: p is %g, not in [0, 1)", p);
	if (!ad_is_training(g) || p == 0)
		return x;
	const double a = 1 / sqrt((1 - p) * (1 + p * LIMIT * LIMIT)), b = -a * p * LIMIT;
	ad_node *kept = ad_greater(ad_dropout_noise(g, ad_shape_of(x), p), ad_constant(g, 0));
	ad_node *y = ad_where(kept, x, ad_constant(g, LIMIT));

	return ad_add(ad_mul(y, ad_constant(g, a)), ad_constant(g, b));
}

const struct layer layer_alpha_dropout = {
	.name = "alpha_dropout",
	.doc = "dropout that keeps mean 0 and variance 1, for selu, in training phase",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.build = build,
};
