/*
 * prelu: x where it is positive, else x times a learned slope, of each channel or of all.
 *
 *   x   (N, channels, ...)     weight   [channels] or [1], 0.25 at first     y   shape of x
 *
 * He et al., "Delving deep into rectifiers" (2015).
 */
#include "model.h"
#include "op.h"

struct attrs {
	bool shared;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, shared, AD_FLAG, "false", "one slope for all channels", NULL),
	{ 0 },
};

static ad_node *build(struct layer_site *site, ad_node *x, const void *given)
{
	static const double quarter = 0.25;
	const struct attrs *a = given;
	const ad_shape shape = ad_shape_of(x);
	ad_node *weight;

	if (shape.rank < 2 && !a->shared)
		return ad_fail(ad_graph_of(x), AD_ERROR_SHAPE,
		               "prelu: x has no channels; write {prelu: {shared: true}}");
	weight = model_weight(
	    site, "weight", AD_SHAPE(a->shared ? 1 : shape.dims[1]),
	    (struct init){ .kind = INIT_VALUES, .values = &quarter, .n_values = 1 }, 1, 1);
	return weight ? ad_prelu(x, weight) : NULL;
}

const struct layer layer_prelu = {
	.name = "prelu",
	.doc = "relu with a learned slope below 0, of each channel",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.build = build,
};
