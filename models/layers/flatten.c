/*
 * flatten: all axes from one on become one: [B, 28, 28] -> [B, 784].
 */
#include "model.h"
#include "op.h"

struct attrs {
	int64_t start;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, start, AD_INT, "1", "the first axis that is joined", NULL),
	{ 0 },
};

static ad_node *build(struct layer_site *site, ad_node *x, const void *given)
{
	const struct attrs *a = given;
	const ad_shape shape = ad_shape_of(x);
	const int64_t start = a->start < 0 ? a->start + shape.rank : a->start;
	ad_shape to = { .rank = (int)start + 1, .dims = { 0 } };
	int64_t joined = 1;

	if (start < 0 || start > shape.rank || start >= AD_MAX_RANK)
		return ad_fail(ad_graph_of(x), AD_ERROR_ARGUMENT,
		               "flatten: start %lld is out of range for %d axes",
		               (long long)a->start, shape.rank);
	for (int i = 0; i < shape.rank; i++)
		if (i < start)
			to.dims[i] = shape.dims[i];
		else if (__builtin_mul_overflow(joined, shape.dims[i], &joined))
			return ad_fail(ad_graph_of(x), AD_ERROR_SHAPE,
			               "flatten: the result is too large");
	to.dims[start] = joined;
	return ad_reshape(x, to);
}

const struct layer layer_flatten = {
	.name = "flatten",
	.doc = "all axes from one on become one",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.build = build,
};
