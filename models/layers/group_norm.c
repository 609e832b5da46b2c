/*
 * group_norm: each group of channels of a sample with mean 0 and variance 1, then scaled and
 * shifted.
 *
 *   x   (N, channels, ...)     weight, bias   (channels)     y   shape of x
 *
 * Wu and He, "Group normalization" (2018). weight begins as ones, bias as zeros.
 */
#include "model.h"
#include "op.h"

struct attrs {
	int64_t groups;
	double eps;
	bool affine;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, groups, AD_INT, NULL, "number of groups; a divisor of the channels",
	        NULL),
	AD_ATTR(struct attrs, eps, AD_NUM, "1e-5", "added to the variance, against a division by 0",
	        NULL),
	AD_ATTR(struct attrs, affine, AD_FLAG, "true", "scale and shift by weights", NULL),
	{ 0 },
};

static ad_node *build(struct layer_site *site, ad_node *x, const void *given)
{
	const struct attrs *a = given;
	const ad_shape shape = ad_shape_of(x);
	ad_node *weight = NULL, *bias = NULL;

	if (shape.rank < 2 || shape.dims[1] % a->groups != 0)
		return ad_fail(ad_graph_of(x), AD_ERROR_SHAPE,
		               shape.rank < 2
		                   ? "group_norm: x is the batch, the channels and more"
		                   : "group_norm: %lld groups do not divide %lld channels",
		               (long long)a->groups, (long long)shape.dims[1]);
	if (a->affine) {
		weight = model_weight(site, "weight", AD_SHAPE(shape.dims[1]),
		                      (struct init){ .kind = INIT_ONES }, 1, 1);
		bias = model_weight(site, "bias", AD_SHAPE(shape.dims[1]),
		                    (struct init){ .kind = INIT_ZEROS }, 1, 1);
		if (!weight || !bias)
			return NULL;
	}
	return ad_group_norm(x, weight, bias, a->groups, a->eps);
}

const struct layer layer_group_norm = {
	.name = "group_norm",
	.doc = "each group of channels of a sample with mean 0 and variance 1, scaled and shifted",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.build = build,
};
