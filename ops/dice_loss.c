/*
 * dice_loss: 1 less the mean over the classes of (2 sum p t + smooth) / (sum p + sum t + smooth).
 *
 *   x        scores of any shape with the C classes along `axis`
 *   target   indices 0..C-1, of the shape of x without that axis
 *   y        one number in 0..1; p is softmax(x), t is 1 at the target and 0 elsewhere, the sums
 * are over all targets of the batch
 *
 * A class counts the same however few its targets are. Milletari, Navab and Ahmadi, "V-Net" (2016),
 * without the squares. Composed of softmax, one_hot and sums.
 */
#include "op.h"

struct attrs {
	int64_t axis;
	double smooth;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, axis, AD_INT, "1", "the axis of the classes", NULL),
	AD_ATTR(struct attrs, smooth, AD_NUM, "1",
	        "added above and below, so that a class that is nowhere gives no 0 / 0", NULL),
	{ 0 },
};

/* Whether target is indices of the shape of x without the axis; else the graph has failed. */
static bool target_fits(ad_graph *g, ad_shape x, int axis, ad_node *target)
{
	ad_shape have = ad_shape_of(target), want = { .rank = x.rank - 1 };
	char text_x[192], text_have[192], text_want[192];

	for (int i = 0; i < want.rank; i++)
		want.dims[i] = x.dims[i < axis ? i : i + 1];
	if (ad_type_of(target) != AD_I32)
		ad_fail(g, AD_ERROR_TYPE, "dice_loss: target must be class indices, not %s",
		        ad_type_of(target) == AD_BOOL ? "a mask" : "reals");
	else if (!ad_equal_shapes(&have, &want))
		ad_fail(g, AD_ERROR_SHAPE,
		        "dice_loss: x %s has its classes on axis %d, so target must be %s, not %s",
		        ad_print_shape(text_x, sizeof text_x, x), axis,
		        ad_print_shape(text_want, sizeof text_want, want),
		        ad_print_shape(text_have, sizeof text_have, have));
	else
		return true;
	return false;
}

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	const ad_shape x = ad_shape_of(in[0]);
	int64_t others[AD_MAX_RANK];
	int n = 0;

	if (a->axis < -x.rank || a->axis >= x.rank)
		return ad_fail(g, AD_ERROR_ARGUMENT,
		               "dice_loss: axis %lld is not one of the %d axes of x",
		               (long long)a->axis, x.rank);
	if (!(a->smooth >= 0 && isfinite(a->smooth)))
		return ad_fail(g, AD_ERROR_ARGUMENT, "dice_loss: smooth is %g; it is 0 or more",
		               a->smooth);
	const int axis = (int)(a->axis < 0 ? a->axis + x.rank : a->axis);
	if (!target_fits(g, x, axis, in[1]))
		return ad_fail(g, AD_ERROR_SHAPE, "dice_loss: the target does not fit");
	for (int i = 0; i < x.rank; i++)
		if (i != axis)
			others[n++] = i;
	const ad_ints sums = { n, others };
	ad_node *p = ad_softmax(in[0], axis), *t = ad_one_hot(in[1], x.dims[axis], axis, AD_NONE);
	ad_node *both = ad_sum(ad_mul(p, t), sums, false);
	ad_node *all = ad_add(ad_sum(p, sums, false), ad_sum(t, sums, false));
	ad_node *smooth = ad_constant(g, a->smooth), *one = ad_constant(g, 1);
	ad_node *dice = ad_div(ad_add(ad_add(both, both), smooth), ad_add(all, smooth));

	return ad_sub(one, ad_mean(dice, AD_ALL, false));
}

AD_OP(dice_loss, .arity = 2, .inputs = "x target", .attrs = attrs,
      .attrs_size = sizeof(struct attrs), .compose = compose,
      .samples = { /* p is (1/2, 3/4) and (1/2, 1/4): dice (2, 1.5) / (3.25, 2.75) */
                   { .in = { AD_DIMS(1, 2, 2), AD_DIMS_OF(AD_I32, 1, 2) },
                     .give = { AD_LIST(0, 1.0986122886681098, 0, 0), AD_LIST(0, 1) },
                     .want = { AD_LIST(1 - (2 / 3.25 + 1.5 / 2.75) / 2) } },
                   /* without smooth, all right but for rounding */
                   { .in = { AD_DIMS(3, 2), AD_DIMS_OF(AD_I32, 3) },
                     .attrs = "smooth=0",
                     .give = { AD_LIST(50, 0, 0, 50, 50, 0), AD_LIST(0, 1, 0) },
                     .want = { AD_LIST(0) } },
                   { .in = { AD_DIMS(2, 3, 2), AD_DIMS_OF(AD_I32, 2, 2) },
                     .give = { AD_LIST(0.1, -0.5, 1.2, 0.3, -0.7, 2, 0.9, 1.1, 0, -1, 0.4, 0.2),
                               AD_LIST(0, 2, 1, 1) },
                     .smooth = true },
                   { .in = { AD_DIMS(2, 3), AD_DIMS_OF(AD_I32, 2) },
                     .attrs = "axis=-1 smooth=0.5",
                     .give = { AD_LIST(0.1, -0.5, 1.2, 0.3, -0.7, 2), AD_LIST(2, 1) },
                     .smooth = true },
                   { .in = { AD_DIMS(2, 3), AD_DIMS_OF(AD_I32, 3) },
                     .error = "so target must be (2,), not (3,)" },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(2) },
                     .error = "target must be class indices, not reals" },
                   { .in = { AD_DIMS(2, 3), AD_DIMS_OF(AD_I32, 2) },
                     .attrs = "axis=2",
                     .error = "axis 2 is not one of the 2 axes" } });

/* 1 less the mean overlap of softmax(x), classes along axis 1, with the classes that target names.
 */
AD_API ad_node *ad_dice_loss(ad_node *x, ad_node *target)
{
	return AD_CALL(dice_loss, x, target);
}
