/*
 * multi_margin_loss: the hinge for several classes: how far wrong scores come within a margin.
 *
 *   x        (N, C), or any shape with the C classes along `axis`
 *   target   indices 0..C-1, of the shape of x without that axis
 *   loss     sum over j other than target of max(0, margin - x[target] + x[j]), for each target.
 *            `divide`: over C, as PyTorch has it; without, it is the hinge of Weston and Watkins,
 *            "Support vector machines for multi-class pattern recognition" (1999). `reduction`
 *            makes the mean over the targets, the sum, or none.
 *   dx = 1 where a wrong score is within the margin, less their number at the target; 0 at the kink
 */
#include "op.h"
#include "kernels/losses.h"

struct attrs {
	double margin;
	bool divide;
	int64_t axis;
	const char *reduction;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, margin, AD_NUM, "1",
	        "how far the right score should be above the others", NULL),
	AD_ATTR(struct attrs, divide, AD_FLAG, "true", "divide by the number of classes", NULL),
	AD_ATTR(struct attrs, axis, AD_INT, "-1", "the axis of the classes", NULL),
	REDUCTION_ATTR,
	{ 0 },
};

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	ad_shape x = ad_shape_of(in[0]), t = ad_shape_of(in[1]), rest = { .rank = x.rank - 1 };
	int64_t axis = a->axis < 0 ? a->axis + x.rank : a->axis;
	char text[3][192];
	ad_node *hot, *right, *within, *loss;

	if (axis < 0 || axis >= x.rank)
		return ad_fail(g, AD_ERROR_SHAPE,
		               "multi_margin_loss: axis %lld is not one of the %d axes of x",
		               (long long)a->axis, x.rank);
	for (int i = 0; i < rest.rank; i++)
		rest.dims[i] = x.dims[i < axis ? i : i + 1];
	if (!ad_equal_shapes(&rest, &t))
		return ad_fail(g, AD_ERROR_SHAPE,
		               "multi_margin_loss: x %s has its classes on axis %lld, so target "
		               "must be %s, not %s",
		               ad_print_shape(text[0], sizeof *text, x), (long long)axis,
		               ad_print_shape(text[1], sizeof *text, rest),
		               ad_print_shape(text[2], sizeof *text, t));
	if (ad_type_of(in[1]) != AD_I32)
		return ad_fail(g, AD_ERROR_TYPE,
		               "multi_margin_loss: target must be class indices, not %s",
		               ad_type_of(in[1]) == AD_BOOL ? "a mask" : "reals");
	hot = ad_one_hot(in[1], x.dims[axis], axis, AD_NONE);
	right = ad_sum(ad_mul(hot, in[0]), AD_INTS(axis), true);
	within = ad_relu(ad_add(ad_sub(in[0], right), ad_constant(g, a->margin)));
	/* The right class itself is left out: it is a margin away from being below itself. */
	loss = ad_sum(ad_mul(within, ad_sub(ad_constant(g, 1), hot)), AD_INTS(axis), false);
	if (a->divide)
		loss = ad_mul(loss, ad_constant(g, 1 / (double)x.dims[axis]));
	return reduce_losses(loss, a->reduction);
}

AD_OP(multi_margin_loss, .arity = 2, .inputs = "x target", .as_is = 1u << 1, .attrs = attrs,
      .attrs_size = sizeof(struct attrs), .compose = compose,
      .samples = { { .in = { AD_DIMS(2, 3), AD_DIMS_OF(AD_I32, 2) },
                     .give = { AD_LIST(3, 2.5, 1, 1, 2, 4), AD_LIST(0, 1) },
                     .want = { AD_LIST(3.5 / 6) },
                     .dwant = { AD_LIST(-1. / 6, 1. / 6, 0, 0, -1. / 6, 1. / 6) } },
                   { .in = { AD_DIMS(3), { 0, { 0 }, AD_I32, true } },
                     .attrs = "divide=false margin=2",
                     .give = { AD_LIST(3, 2.5, 1.5), AD_LIST(0) },
                     .want = { AD_LIST(2) },
                     .dwant = { AD_LIST(-2, 1, 1) } },
                   { .in = { AD_DIMS(2, 3, 2), AD_DIMS_OF(AD_I32, 2, 2) },
                     .attrs = "axis=1 reduction=none",
                     .give = { AD_LIST(0.1, -0.5, 1.2, 0.3, -0.7, 2, 0.9, 1.1, 0, -1, 0.4, 0.2),
                               AD_LIST(0, 2, 1, 1) },
                     .smooth = true },
                   { .in = { AD_DIMS(2, 3), AD_DIMS_OF(AD_I32, 3) },
                     .error = "so target must be (2,), not (3,)" } });

/* The mean multi-class hinge of scores x, classes along the last axis, divided by the number of
 * classes. */
AD_API ad_node *ad_multi_margin_loss(ad_node *x, ad_node *target)
{
	return AD_CALL(multi_margin_loss, x, target);
}
