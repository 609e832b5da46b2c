/*
 * glu: y = a / (1 + exp(-b)), a and b the two halves of x along one axis.
 *
 *   x   any shape of rank 1 or more, with an even size at the axis
 *   y   shape of x, that size halved
 *   Composed of slice, sigmoid and mul. Dauphin et al., "Language modeling with gated convolutional
 *   networks", 2017.
 */
#include "op.h"

struct attrs {
	int64_t axis;
};

static const ad_attr table[] = {
	AD_ATTR(struct attrs, axis, AD_INT, "-1", "the axis that is halved", NULL),
	{ 0 },
};

static ad_node *half(ad_node *x, int64_t axis, int64_t start, int64_t stop)
{
	return ad_slice(x, AD_INTS(axis), AD_INTS(start), AD_INTS(stop), AD_INTS(1));
}

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attrs)
{
	ad_shape shape = ad_shape_of(in[0]);
	int64_t axis = ((const struct attrs *)attrs)->axis, size;
	char text[192];

	if (axis < -shape.rank || axis >= shape.rank)
		return ad_fail(g, AD_ERROR_ARGUMENT, "glu: axis %lld is out of range for %s",
		               (long long)axis, ad_print_shape(text, sizeof text, shape));
	axis += axis < 0 ? shape.rank : 0;
	size = shape.dims[axis];
	if (size % 2)
		return ad_fail(g, AD_ERROR_SHAPE, "glu: %s cannot be halved along axis %lld",
		               ad_print_shape(text, sizeof text, shape), (long long)axis);
	return ad_mul(half(in[0], axis, 0, size / 2),
	              ad_sigmoid(half(in[0], axis, size / 2, size)));
}

AD_OP(glu, .arity = 1, .attrs = table, .attrs_size = sizeof(struct attrs), .compose = compose,
      .samples = { { .in = { AD_DIMS(2, 2) },
                     .give = { AD_LIST(1, 2, 0, -1) },
                     .want = { AD_LIST(0.5, 0.5378828427399902) },
                     .attrs = "axis=0" },
                   { .in = { AD_DIMS(2, 3, 4) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 4, 1) }, .lo = -2, .hi = 2, .attrs = "axis=-2" },
                   { .in = { AD_DIMS(2, 3) },
                     .lo = -2,
                     .hi = 2,
                     .error = "(2, 3) cannot be halved along axis 1" } });

/* The first half of x along axis, times the logistic function of the second. */
AD_API ad_node *ad_glu(ad_node *x, int64_t axis)
{
	struct attrs attrs = { .axis = axis };

	return AD_CALL_WITH(glu, &attrs, x);
}
