/*
 * nll_loss: -x at the class that target names, x being logarithms of probabilities.
 *
 *   x, target, weight, `axis`, `ignore_index`, `reduction`   as in cross_entropy, which is
 *                                                            log_softmax and this in one
 *   dx = -weight[target] dy over the divisor at the target, 0 elsewhere; weight has a gradient too
 */
#include "op.h"
#include "kernels/losses.h"

struct attrs {
	int64_t axis, ignore_index;
	const char *reduction;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, axis, AD_INT, "-1", "the axis of the classes", NULL),
	AD_ATTR(struct attrs, ignore_index, AD_INT, "-100",
	        "targets of this value count for nothing", NULL),
	REDUCTION_ATTR,
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	return class_loss_shape(s, a->axis, a->reduction);
}

static void forward(const ad_run *r)
{
	const struct attrs *a = r->attrs;
	struct lines l = lines_along(r->in[0].rank, r->in[0].dims, a->axis);
	const ad_real *x = ad_reals_of(&r->in[0]);
	ad_real *y = ad_reals_of(&r->out[0]);
	bool none = is_word(a->reduction, "none");
	double sum = 0;

	for (size_t k = 0; k < l.count; k++) {
		double loss = 0;

		if (is_class(r, k, l.n, a->ignore_index))
			loss =
			    -class_weight(r, k) *
			    (double)
				x[line_start(&l, k) + (size_t)ad_indices_of(&r->in[1])[k] * l.step];
		if (none)
			y[k] = (ad_real)loss;
		sum += loss;
	}
	if (!none)
		y[0] = (ad_real)(sum / class_divisor(r, l.n, a->ignore_index, a->reduction));
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *a = ad_attrs_of(y);
	ad_node *x = ad_input_of(y, 0), *weight = ad_inputs(y) > 2 ? ad_input_of(y, 2) : NULL;
	ad_shape shape_x = ad_shape_of(x), line = { .rank = shape_x.rank };
	int at = (int)(a->axis < 0 ? a->axis + shape_x.rank : a->axis);
	ad_node *hot, *due, *up, *zero, *divisor = NULL;

	for (int i = 0; i < line.rank; i++)
		line.dims[i] = i == at ? shape_x.dims[at] : 1;
	hot = ad_one_hot(ad_input_of(y, 1), shape_x.dims[at], a->axis, a->ignore_index);
	due = weight ? ad_mul(hot, ad_reshape(weight, line)) : hot;
	up = is_word(a->reduction, "none") ? ad_unsqueeze(dy[0], a->axis) : dy[0];
	if (is_word(a->reduction, "mean")) {
		divisor = class_divisor_node(due);
		up = ad_div(up, divisor);
	}
	if (ad_wants(y, 0))
		dx[0] = ad_neg(ad_mul(up, due));
	if (weight && ad_wants(y, 2)) {
		/* Not hot * x: of a class that is not meant, x may be -inf. */
		ad_node *each;

		zero = ad_full_like(hot, 0);
		each = ad_neg(ad_where(ad_equal(hot, zero), zero, x));
		if (divisor)
			each = ad_sub(each, ad_mul(hot, y));
		dx[2] = ad_reshape(ad_sum_to(ad_mul(up, each), line), ad_shape_of(weight));
	}
}

AD_OP(nll_loss, .arity = 2, .optional = 1, .inputs = "x target weight", .as_is = 1u << 1,
      .attrs = attrs, .attrs_size = sizeof(struct attrs), .shape = shape, .forward = forward,
      .grad = grad,
      .samples = {
	  { .in = { AD_DIMS(2, 3), AD_DIMS_OF(AD_I32, 2) },
            .give = { AD_LIST(-1, -2, -3, -4, -5, -INFINITY), AD_LIST(2, 0) },
            .want = { AD_LIST(3.5) },
            .dwant = { AD_LIST(0, 0, -0.5, -0.5, 0, 0) } },
	  { .in = { AD_DIMS(3, 2), AD_DIMS_OF(AD_I32, 3), AD_DIMS(2) },
            .attrs = "ignore_index=-1",
            .give = { AD_LIST(-1, -2, -3, -4, -5, -6), AD_LIST(0, 1, -1), AD_LIST(1, 3) },
            .want = { AD_LIST(3.25) },
            .smooth = true },
	  { .in = { AD_DIMS(2, 3, 2), AD_DIMS_OF(AD_I32, 2, 2), AD_DIMS(3) },
            .attrs = "axis=1 reduction=none",
            .give = { AD_LIST(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), AD_LIST(0, 2, 1, 1),
                      AD_LIST(1, 2, 3) },
            .want = { AD_LIST(-1, -18, -18, -20) },
            .smooth = true },
	  { .in = { AD_DIMS(1, 2), AD_DIMS_OF(AD_I32, 1) },
            .give = { AD_LIST(1, 2), AD_LIST(-100) },
            .want = { AD_LIST(NAN) },
            .dwant = { AD_LIST(0, 0) } },
	  { .in = { AD_DIMS(1, 2), AD_DIMS_OF(AD_I32, 1) },
            .give = { AD_LIST(1, 2), AD_LIST(2) },
            .error = "element 0 of target is 2, but there are 2 classes" },
	  { .in = { AD_DIM0, { 0, { 0 }, AD_I32, true } }, .error = "x is a single number" } });

/* The mean of -x at the classes that target names, classes along the last axis of x. */
AD_API ad_node *ad_nll_loss(ad_node *x, ad_node *target)
{
	return AD_CALL(nll_loss, x, target);
}
