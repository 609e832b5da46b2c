/*
 * embed: the rows of a table that the indices in x name: a vector for each word.
 *
 *   x   [...], indices 0..vocab - 1     weight   [vocab, dim]     y   [..., dim]
 *
 * weight begins normal with a standard deviation of 0.02 (Radford et al., "Improving language
 * understanding by generative pre-training", 2018), so that it can be shared with the last layer.
 */
#include "model.h"
#include "op.h"

struct attrs {
	int64_t vocab, dim;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, vocab, AD_INT, NULL,
	        "number of rows: one more than the largest index", NULL),
	AD_ATTR(struct attrs, dim, AD_INT, NULL, "size of a row", NULL),
	{ 0 },
};

static ad_node *build(struct layer_site *site, ad_node *x, const void *given)
{
	const struct attrs *a = given;
	ad_node *weight =
	    model_weight(site, "weight", AD_SHAPE(a->vocab, a->dim),
	                 (struct init){ .kind = INIT_NORMAL, .std = 0.02 }, a->vocab, a->dim);

	return weight ? ad_embedding(weight, x) : NULL;
}

const struct layer layer_embed = {
	.name = "embed",
	.doc = "a learned vector for each index of x (an input of dtype i32)",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.build = build,
};
