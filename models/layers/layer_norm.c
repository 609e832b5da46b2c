/*
 * layer_norm: the last axes of each sample with mean 0 and variance 1, then scaled and shifted.
 *
 *   x   [..., sizes]     weight, bias   [sizes], of the last `axes` axes     y   shape of x
 *
 * Ba, Kiros and Hinton, "Layer normalization" (2016). weight begins as ones, bias as zeros.
 */
#include "model.h"
#include "op.h"

struct attrs {
	int64_t axes;
	double eps;
	bool bias;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, axes, AD_INT, "1",
	        "how many of the last axes are normalised together", NULL),
	AD_ATTR(struct attrs, eps, AD_NUM, "1e-5", "added to the variance, against a division by 0",
	        NULL),
	AD_ATTR(struct attrs, bias, AD_FLAG, "true", "add a bias", NULL),
	{ 0 },
};

static ad_node *build(struct layer_site *site, ad_node *x, const void *given)
{
	const struct attrs *a = given;
	const ad_shape shape = ad_shape_of(x);
	ad_shape last = { .rank = (int)a->axes };
	ad_node *weight, *bias = NULL;

	if (a->axes < 1 || a->axes > shape.rank)
		return ad_fail(ad_graph_of(x), AD_ERROR_ARGUMENT,
		               "layer_norm: 'axes' is %lld, but x has %d axes", (long long)a->axes,
		               shape.rank);
	for (int i = 0; i < last.rank; i++)
		last.dims[i] = shape.dims[shape.rank - last.rank + i];
	weight = model_weight(site, "weight", last, (struct init){ .kind = INIT_ONES }, 1, 1);
	if (a->bias)
		bias = model_weight(site, "bias", last, (struct init){ .kind = INIT_ZEROS }, 1, 1);
	if (!weight || (a->bias && !bias))
		return NULL;
	return ad_layer_norm(x, weight, bias, (ad_ints){ last.rank, last.dims }, a->eps);
}

const struct layer layer_layer_norm = {
	.name = "layer_norm",
	.doc = "the last axes of each sample with mean 0 and variance 1, scaled and shifted",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.build = build,
};
