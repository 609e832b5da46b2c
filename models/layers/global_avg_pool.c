/*
 * global_avg_pool: the mean of each channel: [B, channels, ...] -> [B, channels].
 */
#include "model.h"
#include "op.h"

struct attrs {
	bool keepdim;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, keepdim, AD_FLAG, "false", "keep the axes with size 1", NULL),
	{ 0 },
};

static ad_node *build(struct layer_site *site, ad_node *x, const void *given)
{
	const struct attrs *a = given;
	const ad_shape shape = ad_shape_of(x);
	int64_t axes[AD_MAX_RANK];

	if (shape.rank < 3)
		return ad_fail(
		    ad_graph_of(x), AD_ERROR_SHAPE,
		    "global_avg_pool: x is the batch, the channels and more; it has %d axes",
		    shape.rank);
	for (int i = 2; i < shape.rank; i++)
		axes[i - 2] = i;
	return ad_mean(x, (ad_ints){ shape.rank - 2, axes }, a->keepdim);
}

const struct layer layer_global_avg_pool = {
	.name = "global_avg_pool",
	.doc = "the mean of each channel over all its places",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.build = build,
};
