/*
 * batch_norm: each channel with mean 0 and variance 1, then scaled and shifted.
 *
 *   x   (N, channels, ...)     weight, bias, running_mean, running_var   (channels)
 *   y   shape of x
 *
 * In training phase by the mean and variance of the batch, which move the running ones; else by the
 * running ones. Ioffe and Szegedy, "Batch normalization" (2015). weight begins as ones, bias as
 * zeros.
 */
#include "model.h"
#include "op.h"

struct attrs {
	double momentum, eps;
	bool affine;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, momentum, AD_NUM, "0.1",
	        "how far the running statistics move towards those of each batch", NULL),
	AD_ATTR(struct attrs, eps, AD_NUM, "1e-5", "added to the variance, against a division by 0",
	        NULL),
	AD_ATTR(struct attrs, affine, AD_FLAG, "true", "scale and shift by weights", NULL),
	{ 0 },
};

static ad_node *build(struct layer_site *site, ad_node *x, const void *given)
{
	const struct attrs *a = given;
	const ad_shape shape = ad_shape_of(x);
	const struct init ones = { .kind = INIT_ONES }, zeros = { .kind = INIT_ZEROS };
	ad_node *weight = NULL, *bias = NULL, *mean, *var, *y;
	const bool training = ad_is_training(ad_graph_of(x));

	if (shape.rank < 2)
		return ad_fail(ad_graph_of(x), AD_ERROR_SHAPE,
		               "batch_norm: x is the batch, the channels and more; it has %d axes",
		               shape.rank);
	const ad_shape c = AD_SHAPE(shape.dims[1]);
	if (a->affine) {
		weight = model_weight(site, "weight", c, ones, 1, 1);
		bias = model_weight(site, "bias", c, zeros, 1, 1);
	}
	mean = model_buffer(site, "running_mean", AD_REAL, c, zeros);
	var = model_buffer(site, "running_var", AD_REAL, c, ones);
	if (!mean || !var || (a->affine && (!weight || !bias)))
		return NULL;
	y = ad_batch_norm(x, mean, var, weight, bias, training, a->momentum, a->eps);
	if (training && !ad_is_error(y)) {
		layer_assign(site, mean, ad_output(y, 1));
		layer_assign(site, var, ad_output(y, 2));
	}
	return y;
}

const struct layer layer_batch_norm = {
	.name = "batch_norm",
	.doc =
	    "each channel (axis 1) with mean 0 and variance 1 over the batch, scaled and shifted",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.build = build,
};
