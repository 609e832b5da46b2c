/*
 * drop_path: whole samples are set to 0 with probability p, the others grow by 1 / (1 - p), in
 * training phase: at the end of a residual's body it leaves the body out.
 *
 *   x   (N, ...)     y   shape of x
 *
 * Huang et al., "Deep networks with stochastic depth" (2016).
 */
#include "model.h"
#include "op.h"

struct attrs {
	double p;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, p, AD_NUM, "0.1", "the probability of 0, in [0, 1)", NULL),
	{ 0 },
};

static ad_node *build(struct layer_site *site, ad_node *x, const void *given)
{
	const struct attrs *a = given;
	ad_graph *g = ad_graph_of(x);
	ad_shape shape = ad_shape_of(x);

	if (shape.rank < 1)
		return ad_fail(g, AD_ERROR_SHAPE, "drop_path: a single number has no samples");
	if (!(a->p >= 0 && a->p < 1))
		return ad_fail(g, AD_ERROR_ARGUMENT, "drop_path: p is %g, not in [0, 1)", a->p);
	if (!ad_is_training(g) || a->p == 0)
		return x;
	for (int i = 1; i < shape.rank; i++)
		shape.dims[i] = 1;
	return ad_mul(x, ad_dropout_noise(g, shape, a->p));
}

const struct layer layer_drop_path = {
	.name = "drop_path",
	.doc = "drops whole samples, in training phase: stochastic depth at the end of a residual",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.build = build,
};
