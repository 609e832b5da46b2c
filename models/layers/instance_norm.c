/*
 * instance_norm: each channel of each sample with mean 0 and variance 1; scaled and shifted if
 * `affine` is set.
 *
 *   x   (N, channels, ...)     weight, bias   (channels)     y   shape of x
 *
 * Ulyanov, Vedaldi and Lempitsky, "Instance normalization" (2016). weight begins as ones, bias as
 * zeros.
 */
#include "model.h"
#include "op.h"

struct attrs {
	double eps;
	bool affine;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, eps, AD_NUM, "1e-5", "added to the variance, against a division by 0",
	        NULL),
	AD_ATTR(struct attrs, affine, AD_FLAG, "false", "scale and shift by weights", NULL),
	{ 0 },
};

static ad_node *build(struct layer_site *site, ad_node *x, const void *given)
{
	const struct attrs *a = given;
	const ad_shape shape = ad_shape_of(x);
	ad_node *weight = NULL, *bias = NULL;

	if (a->affine && shape.rank >= 2) {
		weight = model_weight(site, "weight", AD_SHAPE(shape.dims[1]),
		                      (struct init){ .kind = INIT_ONES }, 1, 1);
		bias = model_weight(site, "bias", AD_SHAPE(shape.dims[1]),
		                    (struct init){ .kind = INIT_ZEROS }, 1, 1);
		if (!weight || !bias)
			return NULL;
	}
	return ad_instance_norm(x, weight, bias, a->eps);
}

const struct layer layer_instance_norm = {
	.name = "instance_norm",
	.doc = "each channel of each sample with mean 0 and variance 1",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.build = build,
};
