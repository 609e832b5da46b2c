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
#include "kernels/softmax.h"

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
	size_t count;

	if (!(a->label_smoothing >= 0 && a->label_smoothing <= 1))
		return ad_refuse(s, "label_smoothing is %g, not in 0..1", a->label_smoothing);
	if (!class_loss_shape(s, a->axis, a->reduction))
		return false;
	/* the divisor, and the losses that are added up */
	ad_count_of(&s->in[1], &count);
	s->work = (1 + count) * (ad_is_f64(s->graph) ? sizeof(double) : sizeof(float));
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

/* For each line, the sum over the classes of weight (x - max). */
static void sum_shifted(const struct lines *l, const struct span *s, const ad_real *x,
                        const ad_real *max, const ad_real *weight, ad_real *sum)
{
	x += s->start;
	for (size_t i = 0; l->step == 1 && i < s->count; i++, x += l->n)
		sum[i] = weight ? row_products(weight, x, l->n, max[i])
		                : row_shifted(x, l->n, max[i]);
	if (l->step == 1)
		return;
	memset(sum, 0, s->count * sizeof *sum);
	for (size_t k = 0; k < l->n; k++, x += l->step) {
		ad_real w = weight ? weight[k] : 1;

#pragma omp simd
		for (size_t i = 0; i < s->count; i++)
			sum[i] += w * (x[i] - max[i]);
	}
}

/* Element `class` of line i of a span. */
static inline size_t place(const struct lines *l, const struct span *s, size_t i, size_t class)
{
	return s->start + (l->step == 1 ? i * l->n + class : i + class * l->step);
}

static ad_real all_weights(const ad_real *weight, size_t n)
{
	return weight ? AD_VARIANT(run_sum)(weight, n) : (ad_real)n;
}

static void forward_units(const ad_run *r, size_t begin, size_t end)
{
	const struct attrs *a = r->attrs;
	struct lines l = lines_here(r);
	const ad_real *weight = weights_of(r), *x = ad_reals_of(&r->in[0]);
	const int32_t *target = ad_indices_of(&r->in[1]);
	bool none = is_word(a->reduction, "none");
	ad_real *loss = none ? ad_reals_of(&r->out[0]) : (ad_real *)r->work + 1;
	ad_real max[SPAN_LINES], log[SPAN_LINES], sum[SPAN_LINES];
	ad_real smooth = (ad_real)a->label_smoothing, weights = all_weights(weight, l.n);

	for (struct span s; span_next(&l, &begin, end, &s);) {
		AD_VARIANT(span_exp)(&l, &s, x, NULL, false, max, log);
#pragma omp simd
		for (size_t i = 0; i < s.count; i++)
			log[i] = real_log(log[i]);
		if (smooth > 0)
			sum_shifted(&l, &s, x, max, weight, sum);
		for (size_t i = 0; i < s.count; i++) {
			size_t k = s.first + i, class = (size_t)target[k];

			loss[k] = 0;
			if (!is_class(r, k, l.n, a->ignore_index))
				continue;
			loss[k] = log[i] - (x[place(&l, &s, i, class)] - max[i]);
			loss[k] *= (1 - smooth) * (weight ? weight[class] : 1);
			if (smooth > 0)
				loss[k] += smooth / (ad_real)l.n * (weights * log[i] - sum[i]);
		}
	}
}

static void forward(const ad_run *r)
{
	const struct attrs *a = r->attrs;
	struct lines l = lines_here(r);

	ad_parallel(r, span_units(&l), span_grain(&l), forward_units);
	if (!is_word(a->reduction, "none"))
		*ad_reals_of(&r->out[0]) =
		    AD_VARIANT(run_sum)((const ad_real *)r->work + 1, l.count) /
		    (ad_real)class_divisor(r, l.n, a->ignore_index, a->reduction);
}

/* dx less `even` of each line times the weight of each class. */
static void take_even(const struct lines *l, const struct span *s, ad_real *dx, const ad_real *even,
                      const ad_real *weight)
{
	dx += s->start;
	for (size_t i = 0; l->step == 1 && i < s->count; i++, dx += l->n) {
		ad_real all = even[i];

		if (weight)
#pragma omp simd
			for (size_t k = 0; k < l->n; k++)
				dx[k] -= all * weight[k];
		else
#pragma omp simd
			for (size_t k = 0; k < l->n; k++)
				dx[k] -= all;
	}
	for (size_t k = 0; l->step != 1 && k < l->n; k++, dx += l->step) {
		ad_real w = weight ? weight[k] : 1;

#pragma omp simd
		for (size_t i = 0; i < s->count; i++)
			dx[i] -= even[i] * w;
	}
}

/* dx = up (all softmax(x) - what each class is due), all being the sum of that. */
static void backward_units(const ad_run *r, size_t begin, size_t end)
{
	const struct attrs *a = r->attrs;
	struct lines l = lines_here(r);
	const ad_real *dy = ad_reals_of(&r->dy[0]), *weight = weights_of(r);
	const int32_t *target = ad_indices_of(&r->in[1]);
	ad_real divisor = *(const ad_real *)r->work, *dx = ad_reals_of(&r->dx[0]);
	ad_real smooth = (ad_real)a->label_smoothing, even = smooth / (ad_real)l.n;
	ad_real weights = all_weights(weight, l.n);
	bool none = is_word(a->reduction, "none");
	ad_real max[SPAN_LINES], factor[SPAN_LINES], due[SPAN_LINES], up[SPAN_LINES];

	for (struct span s; span_next(&l, &begin, end, &s);) {
		AD_VARIANT(span_exp)(&l, &s, ad_reals_of(&r->in[0]), dx, false, max, factor);
		for (size_t i = 0; i < s.count; i++) {
			size_t k = s.first + i;
			bool counts = is_class(r, k, l.n, a->ignore_index);

			up[i] = counts ? dy[none ? k : 0] / divisor : 0;
			due[i] = counts ? (1 - smooth) * (weight ? weight[target[k]] : 1) : 0;
			factor[i] = up[i] * (due[i] + even * weights) / factor[i];
			due[i] *= up[i];
			up[i] *= even;
		}
		AD_VARIANT(span_scale)(&l, &s, dx, factor);
		if (smooth > 0)
			take_even(&l, &s, dx, up, weight);
		for (size_t i = 0; i < s.count; i++) {
			if (is_class(r, s.first + i, l.n, a->ignore_index))
				dx[place(&l, &s, i, (size_t)target[s.first + i])] -= due[i];
			else
				for (size_t k = 0; k < l.n; k++)
					dx[place(&l, &s, i, k)] = 0;
		}
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
	const struct attrs *a = r->attrs;
	struct lines l = lines_here(r);

	if (r->n_in > 2 && r->dx[2].data)
		backward_weight(r);
	*(ad_real *)r->work = (ad_real)class_divisor(r, l.n, a->ignore_index, a->reduction);
	if (r->dx[0].data)
		ad_parallel(r, span_units(&l), span_grain(&l), backward_units);
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
