/*
 * channel_dropout: whole channels of a sample are set to 0 with probability p, the others grow by
 * 1 / (1 - p), in training phase.
 *
 *   x   (N, channels, ...)     y   shape of x
 *
 * Tompson et al., "Efficient object localization using convolutional networks" (2015), section 3.2.
 */
#include "model.h"
#include "op.h"

struct attrs {
	double p;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, p, AD_NUM, "0.5", "the probability of 0, in [0, 1)", NULL),
	{ 0 },
};

static ad_node *build(struct layer_site *site, ad_node *x, const void *given)
{
	const struct attrs *a = given;
	ad_graph *g = ad_graph_of(x);
	ad_shape shape = ad_shape_of(x);

	if (shape.rank < 2)
		return ad_fail(
		    g, AD_ERROR_SHAPE,
		    "channel_dropout: x is the batch, the channels and more; it has %d axes",
		    shape.rank);
	if (!(a->p >= 0 && a->p < 1))
		return ad_fail(g, AD_ERROR_ARGUMENT, "channel_dropout: p is %g, not in [0, 1)",
		               a->p);
	if (!ad_is_training(g) || a->p == 0)
		return x;
	for (int i = 2; i < shape.rank; i++)
		shape.dims[i] = 1;
	return ad_mul(x, ad_dropout_noise(g, shape, a->p));
}

const struct layer layer_channel_dropout = {
	.name = "channel_dropout",
	.doc = "drops whole channels, in training phase",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.build = build,
};
