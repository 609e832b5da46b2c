/*
 * cross_entropy_prob: the softmax cross-entropy of scores x against probabilities.
 *
 *   x, target   of the same shape, the C classes along `axis`
 *   weight      (C), may be left out: 1 for each class
 *   loss        - sum over the classes of weight target ln softmax(x), for each position.
 *               `reduction` makes the mean over all positions, the sum, or none. label_smoothing e:
 *               the targets become (1 - e) target + e / C.
 *   All three inputs have gradients.
 */
#include "op.h"
#include "kernels/losses.h"

struct attrs {
	int64_t axis;
	double label_smoothing;
	const char *reduction;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, axis, AD_INT, "-1", "the axis of the classes", NULL),
	AD_ATTR(struct attrs, label_smoothing, AD_NUM, "0",
	        "the part spread evenly over all classes", NULL),
	REDUCTION_ATTR,
	{ 0 },
};

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	ad_node *target = in[1], *weight = n_in > 2 ? in[2] : NULL, *error;
	ad_shape x = ad_shape_of(in[0]), line = { .rank = x.rank };
	int64_t axis = a->axis < 0 ? a->axis + x.rank : a->axis;

	if ((error = unequal_shapes(g, "cross_entropy_prob", in[0], target)))
		return error;
	if (axis < 0 || axis >= x.rank)
		return ad_fail(g, AD_ERROR_SHAPE,
		               "cross_entropy_prob: axis %lld is not one of the %d axes of x",
		               (long long)a->axis, x.rank);
	if (!(a->label_smoothing >= 0 && a->label_smoothing <= 1))
		return ad_fail(g, AD_ERROR_ARGUMENT,
		               "cross_entropy_prob: label_smoothing is %g, not in 0..1",
		               a->label_smoothing);
	if (a->label_smoothing > 0)
		target = ad_add(ad_mul(target, ad_constant(g, 1 - a->label_smoothing)),
		                ad_constant(g, a->label_smoothing / (double)x.dims[axis]));
	if (weight) {
		ad_shape w = ad_shape_of(weight);
		char text[192];

		if (w.rank != 1 || w.dims[0] != x.dims[axis])
			return ad_fail(g, AD_ERROR_SHAPE,
			               "cross_entropy_prob: weight must be (%lld,), a number for "
			               "each class, not %s",
			               (long long)x.dims[axis],
			               ad_print_shape(text, sizeof text, w));
		for (int i = 0; i < line.rank; i++)
			line.dims[i] = i == axis ? x.dims[axis] : 1;
		target = ad_mul(target, ad_reshape(weight, line));
	}
	return reduce_losses(
	    ad_neg(ad_sum(ad_mul(target, ad_log_softmax(in[0], axis)), AD_INTS(axis), false)),
	    a->reduction);
}

AD_OP(cross_entropy_prob, .arity = 2, .optional = 1, .inputs = "x target weight", .attrs = attrs,
      .attrs_size = sizeof(struct attrs), .compose = compose,
      .samples = {
	  { .in = { AD_DIMS(2, 3), AD_DIMS(2, 3) },
            .give = { AD_LIST(1, 2, 3, 1000, -1000, 1000), AD_LIST(0, 0, 1, 1, 0, 0) },
            .want = { AD_LIST(0.5503765725021628) } },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(2, 3) },
            .attrs = "reduction=none label_smoothing=0.1",
            .lo = 0.1,
            .hi = 1 },
	  { .in = { AD_DIMS(2, 3, 2), AD_DIMS(2, 3, 2), AD_DIMS(3) },
            .attrs = "axis=1",
            .lo = 0.1,
            .hi = 1 },
	  { .in = { AD_DIMS(4), AD_DIMS(4) }, .attrs = "reduction=sum", .lo = 0.1, .hi = 1 },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(2) }, .error = "x is (2, 3), but target is (2,)" },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(2, 3), AD_DIMS(2) }, .error = "weight must be (3,)" } });

/* The mean softmax cross-entropy of scores x, classes along the last axis, against probabilities.
 */
AD_API ad_node *ad_cross_entropy_prob(ad_node *x, ad_node *target)
{
	return AD_CALL(cross_entropy_prob, x, target);
}
