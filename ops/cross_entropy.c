/*
 * cross_entropy: the softmax cross-entropy of scores x against class indices.
 *
 *   x        (N, C), or any shape with the C classes along `axis`
 *   target   indices 0..C-1, of the shape of x without that axis
 *   weight   (C), may be left out: 1 for each class
 *   loss     weight[target] (ln of the sum of exp(x) - x[target]) for each target. `reduction`
 *            makes the mean (over the sum of the weights of the targets), the sum, or none.
 *            Targets equal to ignore_index count for nothing. label_smoothing e: 1 - e of the loss
 *            above, and e spread evenly over all classes.
 *   dx = dy weight[target] (softmax(x) - 1 at the target) over the divisor; the inputs are kept.
 *   weight has a gradient too.
 */
#include "op.h"
#include "kernels/losses.h"
#include "kernels/reduce.h"

struct attrs {
	int64_t axis, ignore_index;
	double label_smoothing;
	const char *reduction;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, axis, AD_INT, "-1", "the axis of the classes", NULL),
	AD_ATTR(struct attrs, ignore_index, AD_INT, "-100",
	        "targets of this value count for nothing", NULL),
	AD_ATTR(struct attrs, label_smoothing, AD_NUM, "0",
	        "the part spread evenly over all classes", NULL),
	REDUCTION_ATTR,
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;

	if (!(a->label_smoothing >= 0 && a->label_smoothing <= 1))
		return ad_refuse(s, "label_smoothing is %g, not in 0..1", a->label_smoothing);
	if (!class_loss_shape(s, a->axis, a->reduction))
		return false;
	if (!is_word(a->reduction, "none")) {
		size_t count;
		ad_count_of(&s->in[1], &count);
		s->work = count * (ad_is_f64(s->graph) ? sizeof(double) : sizeof(float));
	}
	return true;
}

static struct lines lines_here(const ad_run *r)
{
	const struct attrs *a = r->attrs;
	return lines_along(r->in[0].rank, r->in[0].dims, a->axis);
}

static const ad_real *weights_of(const ad_run *r)
{
	return r->n_in > 2 ? ad_reals_of(&r->in[2]) : NULL;
}

static inline ad_real loss_of_line(const ad_real *x, size_t n, size_t step, size_t target,
                                   const ad_real *weight, ad_real smooth)
{
	ad_real max = line_max(x, n, step), log = real_log(line_sum_exp(x, max, n, step));
	ad_real loss = log - (x[target * step] - max), even = 0;

	loss *= (1 - smooth) * (weight ? weight[target] : 1);
	if (smooth == 0)
		return loss;
	for (size_t k = 0; k < n; k++)
		even += (weight ? weight[k] : 1) * (log - (x[k * step] - max));
	return loss + smooth / (ad_real)n * even;
}

static void forward_lines(const ad_run *r, size_t begin, size_t end)
{
	const struct attrs *a = r->attrs;
	struct lines l = lines_here(r);
	const ad_real *weight = weights_of(r);
	bool none = is_word(a->reduction, "none");
	ad_real *loss = none ? ad_reals_of(&r->out[0]) : (ad_real *)r->work;

	for (size_t k = begin; k < end; k++) {
		const ad_real *x = ad_reals_of(&r->in[0]) + line_start(&l, k);
		size_t target = (size_t)ad_indices_of(&r->in[1])[k];

		if (!is_class(r, k, l.n, a->ignore_index))
			loss[k] = 0;
		else if (l.step == 1)
			loss[k] =
			    loss_of_line(x, l.n, 1, target, weight, (ad_real)a->label_smoothing);
		else
			loss[k] = loss_of_line(x, l.n, l.step, target, weight,
			                       (ad_real)a->label_smoothing);
	}
}

static void forward(const ad_run *r)
{
	const struct attrs *a = r->attrs;
	struct lines l = lines_here(r);

	ad_parallel(r, l.count, lines_grain(&l), forward_lines);
	if (!is_word(a->reduction, "none"))
		*ad_reals_of(&r->out[0]) =
		    AD_VARIANT(run_sum)((const ad_real *)r->work, l.count) /
		    (ad_real)class_divisor(r, l.n, a->ignore_index, a->reduction);
}

/* dx = up * (all * softmax(x) - what each class is due), all being the sum of that. */
static inline void back_line(const ad_real *x, ad_real *dx, size_t n, size_t step, size_t target,
                             const ad_real *weight, ad_real smooth, ad_real up)
{
	ad_real max = line_max(x, n, step), sum = 0, all, due, even = smooth / (ad_real)n,
		weights = 0;

	for (size_t k = 0; k < n; k++) {
		dx[k * step] = real_exp(x[k * step] - max);
		sum += dx[k * step];
	}
	due = (1 - smooth) * (weight ? weight[target] : 1);
	for (size_t k = 0; weight && k < n; k++)
		weights += weight[k];
	all = due + even * (weight ? weights : (ad_real)n);
	sum = up * all / sum;
	for (size_t k = 0; k < n; k++)
		dx[k * step] = sum * dx[k * step] - up * even * (weight ? weight[k] : 1);
	dx[target * step] -= up * due;
}

static void backward_lines(const ad_run *r, size_t begin, size_t end)
{
	const struct attrs *a = r->attrs;
	struct lines l = lines_here(r);
	const ad_real *dy = ad_reals_of(&r->dy[0]), *weight = weights_of(r);
	bool none = is_word(a->reduction, "none");
	ad_real divisor = (ad_real)class_divisor(r, l.n, a->ignore_index, a->reduction);
	ad_real smooth = (ad_real)a->label_smoothing;

	for (size_t k = begin; k < end; k++) {
		size_t at = line_start(&l, k), target = (size_t)ad_indices_of(&r->in[1])[k];
		const ad_real *x = ad_reals_of(&r->in[0]) + at;
		ad_real *dx = ad_reals_of(&r->dx[0]) + at, up = dy[none ? k : 0] / divisor;

		if (!is_class(r, k, l.n, a->ignore_index))
			for (size_t i = 0; i < l.n; i++)
				dx[i * l.step] = 0;
		else if (l.step == 1)
			back_line(x, dx, l.n, 1, target, weight, smooth, up);
		else
			back_line(x, dx, l.n, l.step, target, weight, smooth, up);
	}
}

/* Every loss is linear in the weights, and the divisor of the mean is their sum over the targets.
 */
static void backward_weight(const ad_run *r)
{
	const struct attrs *a = r->attrs;
	struct lines l = lines_here(r);
	const ad_real *dy = ad_reals_of(&r->dy[0]), *weight = weights_of(r);
	bool none = is_word(a->reduction, "none"), mean = is_word(a->reduction, "mean");
	double divisor = class_divisor(r, l.n, a->ignore_index, a->reduction), sum = 0;
	double e = a->label_smoothing;
	ad_real *dw = ad_reals_of(&r->dx[2]);

	memset(dw, 0, l.n * sizeof *dw);
	for (size_t k = 0; k < l.count; k++) {
		const ad_real *x = ad_reals_of(&r->in[0]) + line_start(&l, k);
		size_t target = (size_t)ad_indices_of(&r->in[1])[k];
		double up = (double)dy[none ? k : 0] / divisor, log;
		ad_real max;

		if (!is_class(r, k, l.n, a->ignore_index))
			continue;
		max = line_max(x, l.n, l.step);
		log = (double)max + (double)real_log(line_sum_exp(x, max, l.n, l.step));
		for (size_t c = 0; c < l.n; c++) {
			double share = (c == target ? 1 - e : 0) + e / (double)l.n;
			double loss = share > 0 ? share * (log - (double)x[c * l.step]) : 0;
			dw[c] += (ad_real)(up * loss);
			sum += (double)weight[c] * loss;
		}
	}
	for (size_t k = 0; mean && k < l.count; k++)
		if (is_class(r, k, l.n, a->ignore_index))
			dw[ad_indices_of(&r->in[1])[k]] -=
			    (ad_real)((double)dy[0] * sum / (divisor * divisor));
}

static void backward(const ad_run *r)
{
	struct lines l = lines_here(r);

	if (r->n_in > 2 && r->dx[2].data)
		backward_weight(r);
	if (r->dx[0].data)
		ad_parallel(r, l.count, lines_grain(&l), backward_lines);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *a = ad_attrs_of(y);
	ad_node *x = ad_input_of(y, 0), *weight = ad_inputs(y) > 2 ? ad_input_of(y, 2) : NULL;
	ad_shape shape_x = ad_shape_of(x), line = { .rank = shape_x.rank };
	double e = a->label_smoothing;
	int at = (int)(a->axis < 0 ? a->axis + shape_x.rank : a->axis);
	ad_node *hot, *share, *due, *up, *divisor = NULL;

	for (int i = 0; i < line.rank; i++)
		line.dims[i] = i == at ? shape_x.dims[at] : 1;
	/* share: how much of a target falls to each class; due: that by the weights of the classes.
	 */
	hot = ad_one_hot(ad_input_of(y, 1), shape_x.dims[at], a->axis, a->ignore_index);
	share = hot;
	if (e > 0)
		share =
		    ad_add(ad_mul(hot, ad_full(ad_graph_of(y), AD_SCALAR, 1 - e)),
		           ad_mul(ad_sum(hot, AD_INTS(a->axis), true),
		                  ad_full(ad_graph_of(y), AD_SCALAR, e / (double)line.dims[at])));
	due = weight ? ad_mul(share, ad_reshape(weight, line)) : share;
	up = is_word(a->reduction, "none") ? ad_unsqueeze(dy[0], a->axis) : dy[0];
	if (is_word(a->reduction, "mean")) {
		divisor = class_divisor_node(weight ? ad_mul(hot, ad_reshape(weight, line)) : hot);
		up = ad_div(up, divisor);
	}
	if (ad_wants(y, 0))
		dx[0] = ad_mul(
		    up, ad_sub(ad_mul(ad_sum(due, AD_INTS(a->axis), true), ad_softmax(x, a->axis)),
		               due));
	if (weight && ad_wants(y, 2)) {
		ad_node *each = ad_neg(ad_mul(share, ad_log_softmax(x, a->axis)));

		/* The sum in the mean's divisor depends on the weights too. */
		if (divisor)
			each = ad_sub(each, ad_mul(hot, y));
		dx[2] = ad_reshape(ad_sum_to(ad_mul(up, each), line), ad_shape_of(weight));
	}
}

AD_OP(cross_entropy, .arity = 2, .optional = 1, .inputs = "x target weight", .as_is = 1u << 1,
      .attrs = attrs, .attrs_size = sizeof(struct attrs), .shape = shape, .forward = forward,
      .backward = backward, .grad = grad, .reads = AD_READS_INPUTS,
      .samples = { { .in = { AD_DIMS(2, 3), AD_DIMS_OF(AD_I32, 2) },
                     .give = { AD_LIST(1, 2, 3, 1000, -1000, 1000), AD_LIST(2, 0) },
                     .want = { AD_LIST(0.5503765725021628) },
                     .dwant = { AD_LIST(0.04501528658519023, 0.12236423552739882,
                                        -0.16737952211258905, -0.25, 0, 0.25) } },
                   { .in = { AD_DIMS(3, 2), AD_DIMS_OF(AD_I32, 3), AD_DIMS(2) },
                     .attrs = "ignore_index=-1 label_smoothing=0.2",
                     .give = { AD_LIST(0, 1, 2, 0, 5, 5), AD_LIST(0, 1, -1), AD_LIST(1, 3) },
                     .want = { AD_LIST(1.757828113985548) } },
                   { .in = { AD_DIMS(3), { 0, { 0 }, AD_I32, true } },
                     .give = { AD_LIST(1, 2, 3), AD_LIST(1) },
                     .want = { AD_LIST(1.4076059644443806) } },
                   { .in = { AD_DIMS(2, 2), AD_DIMS_OF(AD_I32, 2) },
                     .give = { AD_LIST(1, 2, 3, 4), AD_LIST(-100, -100) },
                     .want = { AD_LIST(NAN) },
                     .dwant = { AD_LIST(0, 0, 0, 0) } },
                   { .in = { AD_DIMS(2, 3, 2), AD_DIMS_OF(AD_I32, 2, 2) },
                     .attrs = "axis=1 reduction=none",
                     .give = { AD_LIST(0.1, -0.5, 1.2, 0.3, -0.7, 2, 0.9, 1.1, 0, -1, 0.4, 0.2),
                               AD_LIST(0, 2, 1, 1) },
                     .smooth = true },
                   { .in = { AD_DIMS(3, 4), AD_DIMS_OF(AD_I32, 3), AD_DIMS(4) },
                     .attrs = "label_smoothing=0.1 ignore_index=3",
                     .give = { AD_LIST(0.1, -0.5, 1.2, 0.3, -0.7, 2, 0.9, 1.1, 0, -1, 0.4, 0.2),
                               AD_LIST(0, 3, 2), AD_LIST(0.5, 1, 2, 1) },
                     .smooth = true },
                   { .in = { AD_DIMS(2, 3), AD_DIMS_OF(AD_I32, 2) },
                     .attrs = "reduction=sum",
                     .give = { AD_LIST(0.1, -0.5, 1.2, 0.3, -0.7, 2), AD_LIST(1, 2) },
                     .smooth = true },
                   { .in = { AD_DIMS(2, 3), AD_DIMS_OF(AD_I32, 3) },
                     .error = "so target must be (2,), not (3,)" },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(2) },
                     .error = "target must be class indices, not reals" },
                   { .in = { AD_DIMS(2, 3), AD_DIMS_OF(AD_I32, 2), AD_DIMS(2) },
                     .error = "weight must be (3,)" },
                   { .in = { AD_DIMS(2, 3), AD_DIMS_OF(AD_I32, 2) },
                     .attrs = "label_smoothing=1.5",
                     .error = "label_smoothing is 1.5" } });

/* The mean softmax cross-entropy of scores x, classes along the last axis, against class indices.
 */
AD_API ad_node *ad_cross_entropy(ad_node *x, ad_node *target)
{
	return AD_CALL(cross_entropy, x, target);
}
