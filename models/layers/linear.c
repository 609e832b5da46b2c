/*
 * linear: y = x w^T + b over the last axis: every output is a weighted sum of all inputs.
 *
 *   x   [..., in]     weight   [out, in]     bias   [out]     y   [..., out]
 */
#include "model.h"
#include "op.h"

struct attrs {
	int64_t out;
	bool bias;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, out, AD_INT, NULL, "number of outputs", NULL),
	AD_ATTR(struct attrs, bias, AD_FLAG, "true", "add a bias", NULL),
	{ 0 },
};

static ad_node *build(struct layer_site *site, ad_node *x, const void *given)
{
	const struct attrs *a = given;
	const ad_shape shape = ad_shape_of(x);
	ad_node *weight, *bias = NULL;

	if (shape.rank == 0)
		return ad_fail(ad_graph_of(x), AD_ERROR_SHAPE,
		               "linear: a single number has no axis to take as inputs");
	const int64_t in = shape.dims[shape.rank - 1];
	weight = model_weight(site, "weight", AD_SHAPE(a->out, in),
	                      (struct init){ .kind = INIT_XAVIER }, in, a->out);
	if (a->bias)
		bias = model_weight(site, "bias", AD_SHAPE(a->out),
		                    (struct init){ .kind = INIT_ZEROS }, in, a->out);
	if (!weight || (a->bias && !bias))
		return NULL;
	return ad_linear(x, weight, bias);
}

const struct layer layer_linear = {
	.name = "linear",
	.doc = "y = x w^T + b over the last axis",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.build = build,
};
