/*
 * cosine_similarity: y = a . b / (max(|a|, eps) max(|b|, eps)) along an axis.
 *
 *   a, b   shapes that broadcast; `axis` counts in what they broadcast to
 *   y      that shape without the axis, values in [-1, 1]
 *   A norm below eps counts as eps and has gradient 0, so vectors of zeros give 0.
 */
#include "op.h"

#include <float.h>

struct attrs {
	int64_t axis;
	double eps;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, axis, AD_INT, "1", "the axis of the vectors", NULL),
	AD_ATTR(struct attrs, eps, AD_NUM, "1e-8", "the least norm that is divided by", NULL),
	{ 0 },
};

/* x with as many axes as the two together, and as long as they along the vectors. */
static ad_node *as_vectors(ad_node *x, const ad_shape *both, int axis)
{
	ad_shape shape = ad_shape_of(x), wide = { .rank = both->rank };
	int more = wide.rank - shape.rank;

	for (int i = 0; i < wide.rank; i++)
		wide.dims[i] = i < more ? 1 : shape.dims[i - more];
	if (more > 0)
		x = ad_reshape(x, wide);
	if (wide.dims[axis] == both->dims[axis])
		return x;
	wide.dims[axis] = both->dims[axis];
	return ad_expand(x, wide);
}

/* max(|x|, eps): the square is limited, so that the root has a gradient at 0. */
static ad_node *norm_of(ad_node *x, int axis, double eps)
{
	double least = ad_is_f64(ad_graph_of(x)) ? DBL_MIN : (double)FLT_MIN;

	return ad_sqrt(ad_clamp(ad_sum(ad_square(x), AD_INTS(axis), false),
	                        eps * eps > least ? eps * eps : least, (double)INFINITY));
}

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *at = attributes;
	ad_shape both = ad_shape_of(in[0]), shape_b = ad_shape_of(in[1]);
	char text_a[192], text_b[192];
	ad_node *a, *b;
	int axis;

	if (!ad_broadcast(&both, &shape_b))
		return ad_fail(g, AD_ERROR_SHAPE, "cosine_similarity: cannot broadcast %s with %s",
		               ad_print_shape(text_a, sizeof text_a, both),
		               ad_print_shape(text_b, sizeof text_b, shape_b));
	if (at->axis < -both.rank || at->axis >= both.rank)
		return ad_fail(g, AD_ERROR_ARGUMENT,
		               "cosine_similarity: axis %lld is not one of the %d axes of %s",
		               (long long)at->axis, both.rank,
		               ad_print_shape(text_a, sizeof text_a, both));
	if (!(at->eps >= 0))
		return ad_fail(g, AD_ERROR_ARGUMENT,
		               "cosine_similarity: eps is %g; it is a number from 0", at->eps);
	axis = (int)(at->axis < 0 ? at->axis + both.rank : at->axis);
	a = as_vectors(in[0], &both, axis);
	b = as_vectors(in[1], &both, axis);
	return ad_div(ad_sum(ad_mul(a, b), AD_INTS(axis), false),
	              ad_mul(norm_of(a, axis, at->eps), norm_of(b, axis, at->eps)));
}

AD_OP(cosine_similarity, .arity = 2, .attrs = attrs, .attrs_size = sizeof(struct attrs),
      .compose = compose,
      .samples = {
	  { .in = { AD_DIMS(3, 2), AD_DIMS(3, 2) },
            .give = { AD_LIST(3, 4, 0, 0, 1, 0), AD_LIST(4, 3, 1, 1, -2, 0) },
            .want = { AD_LIST(0.96, 0, -1) } },
	  { .in = { AD_DIMS(1, 2), AD_DIMS(1, 2) },
            .give = { AD_LIST(3, 4), AD_LIST(4, 3) },
            .want = { AD_LIST(0.96) },
            .dwant = { AD_LIST(0.0448, -0.0336), AD_LIST(-0.0336, 0.0448) } },
	  { .in = { AD_DIMS(3, 4), AD_DIMS(3, 4) }, .lo = 0.5, .hi = 2 },
	  { .in = { AD_DIMS(3, 1, 4), AD_DIMS(2, 1) }, .attrs = "axis=-1", .lo = 0.5, .hi = 2 },
	  { .in = { AD_DIMS(4), AD_DIMS(3, 4) }, .attrs = "axis=0", .lo = 0.5, .hi = 2 },
	  { .in = { AD_DIMS(3), AD_DIMS(3) }, .error = "axis 1 is not one of the 1 axes of (3,)" },
	  { .in = { AD_DIMS(3), AD_DIMS(2) },
            .attrs = "axis=0",
            .error = "cannot broadcast (3,) with (2,)" } });

/* The cosine of the angle between the vectors of a and b along an axis. */
AD_API ad_node *ad_cosine_similarity(ad_node *a, ad_node *b, int64_t axis)
{
	struct attrs at = { axis, 1e-8 };

	return AD_CALL_WITH(cosine_similarity, &at, a, b);
}
