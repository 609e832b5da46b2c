/*
 * rms_norm: the last axis divided by its root mean square, then scaled.
 *
 *   x   [..., size]     weight   [size], ones at first     y   shape of x
 *
 * Zhang and Sennrich, "Root mean square layer normalization" (2019).
 */
#include "model.h"
#include "op.h"

struct attrs {
	double eps;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, eps, AD_NUM, "1e-6",
	        "added to the mean square, against a division by 0", NULL),
	{ 0 },
};

static ad_node *build(struct layer_site *site, ad_node *x, const void *given)
{
	const struct attrs *a = given;
	const ad_shape shape = ad_shape_of(x);
	ad_node *weight;

	if (shape.rank == 0)
		return ad_fail(ad_graph_of(x), AD_ERROR_SHAPE,
		               "rms_norm: a single number has no axis");
	weight = model_weight(site, "weight", AD_SHAPE(shape.dims[shape.rank - 1]),
	                      (struct init){ .kind = INIT_ONES }, 1, 1);
	return weight ? ad_rms_norm(x, weight, a->eps) : NULL;
}

const struct layer layer_rms_norm = {
	.name = "rms_norm",
	.doc = "the last axis divided by its root mean square, scaled",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.build = build,
};
