/*
 * positions: adds to each step of a sequence a vector that tells its place.
 *
 *   x   [..., T, size]     weight   [max, size], if learned     y   shape of x
 *
 * learned: y = x + weight[t], the weight normal with a standard deviation of 0.02 at first (Radford
 * et al., 2018). sinusoidal: y[t, 2 i] = x[t, 2 i] + sin(t / 10000^(2 i / size)), y[t, 2 i + 1]
 * likewise with cos (Vaswani et al., "Attention is all you need", 2017, section 3.5). Rotary
 * positions turn queries and keys instead: `attention: {rotary: true}`.
 */
#include "model.h"
#include "op.h"

struct attrs {
	int64_t max;
	const char *kind;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, max, AD_INT, "null",
	        "the longest sequence; learned positions need it", NULL),
	AD_ATTR(struct attrs, kind, AD_WORD, "learned",
	        "a learned table, or sines of fixed frequencies", "learned sinusoidal"),
	{ 0 },
};

static ad_node *sines(ad_graph *g, int64_t T, int64_t size)
{
	ad_node *t = ad_reshape(ad_to_real(ad_arange(g, 0, T, 1)), AD_SHAPE(T, 1));
	ad_node *i = ad_to_real(ad_arange(g, 0, size / 2, 1));
	ad_node *angle =
	    ad_mul(t, ad_exp(ad_mul(i, ad_constant(g, -2 * log(10000) / (double)size))));

	/* sines and cosines take turns */
	return ad_reshape(ad_stack(2, (ad_node *[]){ ad_sin(angle), ad_cos(angle) }, -1),
	                  AD_SHAPE(T, size));
}

static ad_node *build(struct layer_site *site, ad_node *x, const void *given)
{
	const struct attrs *a = given;
	const ad_shape shape = ad_shape_of(x);
	ad_graph *g = ad_graph_of(x);
	ad_node *weight;

	if (shape.rank < 2)
		return ad_fail(g, AD_ERROR_SHAPE,
		               "positions: x needs two axes, steps and sizes, or more");
	const int64_t T = shape.dims[shape.rank - 2], size = shape.dims[shape.rank - 1];
	if (a->max != AD_NONE && (a->max < 1 || (T > a->max && !layer_open_size(site, T))))
		return ad_fail(g, AD_ERROR_ARGUMENT,
		               "positions: a sequence of %lld steps, but 'max' is %lld",
		               (long long)T, (long long)a->max);
	if (strcmp(a->kind, "sinusoidal") == 0) {
		if (size % 2 != 0)
			return ad_fail(g, AD_ERROR_SHAPE,
			               "positions: sinusoidal ones need an even size, not %lld",
			               (long long)size);
		return ad_add(x, sines(g, T, size));
	}
	if (a->max == AD_NONE)
		return ad_fail(g, AD_ERROR_ARGUMENT,
		               "positions: learned ones need 'max', the longest sequence");
	weight = model_weight(site, "weight", AD_SHAPE(a->max, size),
	                      (struct init){ .kind = INIT_NORMAL, .std = 0.02 }, a->max, size);
	if (!weight)
		return NULL;
	if (layer_open_size(site, T))
		return ad_add(x, ad_select(weight, 0, 0));
	if (T < a->max)
		weight = ad_slice(weight, AD_INTS(0), AD_INTS(0), AD_INTS(T), AD_ALL);
	return ad_add(x, weight);
}

const struct layer layer_positions = {
	.name = "positions",
	.doc = "adds to each step of a sequence a vector that tells its place",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.build = build,
};
