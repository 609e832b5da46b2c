/*
 * softmax: y = exp(x) / sum of exp(x) along an axis: positive numbers that add up to 1.
 *
 *   x   any shape          y   shape of x
 *   dx = y (dy - sum of dy y along the axis), from the output alone
 *
 * The largest x is taken off first, so nothing overflows; a line of nothing but -inf gives NaN.
 */
#include "op.h"
#include "kernels/lines.h"

struct attrs {
	int64_t axis;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, axis, AD_INT, "-1", "the axis along which y adds up to 1", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	return ad_axis(s, s->in[0].rank, a->axis) >= 0 && ad_same_shape(s);
}

static struct lines lines_here(const ad_run *r)
{
	const struct attrs *a = r->attrs;
	return lines_along(r->out[0].rank, r->out[0].dims, a->axis);
}

/* Inlined twice, so that the step of 1 is known where it is 1. */
static inline void line(const ad_real *x, ad_real *y, size_t n, size_t step)
{
	ad_real max = line_max(x, n, step), sum = 0;

	for (size_t k = 0; k < n; k++) {
		y[k * step] = real_exp(x[k * step] - max);
		sum += y[k * step];
	}
	sum = 1 / sum;
	for (size_t k = 0; k < n; k++)
		y[k * step] *= sum;
}

static void forward_lines(const ad_run *r, size_t begin, size_t end)
{
	struct lines l = lines_here(r);

	for (size_t k = begin; k < end; k++) {
		const ad_real *x = ad_reals_of(&r->in[0]) + line_start(&l, k);
		ad_real *y = ad_reals_of(&r->out[0]) + line_start(&l, k);
		if (l.step == 1)
			line(x, y, l.n, 1);
		else
			line(x, y, l.n, l.step);
	}
}

static void forward(const ad_run *r)
{
	struct lines l = lines_here(r);
	ad_parallel(r, l.count, lines_grain(&l), forward_lines);
}

static inline void back_line(const ad_real *y, const ad_real *dy, ad_real *dx, size_t n,
                             size_t step)
{
	ad_real sum = 0;

#pragma omp simd reduction(+ : sum)
	for (size_t k = 0; k < n; k++)
		sum += y[k * step] * dy[k * step];
	for (size_t k = 0; k < n; k++)
		dx[k * step] = y[k * step] * (dy[k * step] - sum);
}

static void backward_lines(const ad_run *r, size_t begin, size_t end)
{
	struct lines l = lines_here(r);

	for (size_t k = begin; k < end; k++) {
		size_t at = line_start(&l, k);
		const ad_real *y = ad_reals_of(&r->out[0]) + at, *dy = ad_reals_of(&r->dy[0]) + at;
		ad_real *dx = ad_reals_of(&r->dx[0]) + at;
		if (l.step == 1)
			back_line(y, dy, dx, l.n, 1);
		else
			back_line(y, dy, dx, l.n, l.step);
	}
}

static void backward(const ad_run *r)
{
	struct lines l = lines_here(r);
	ad_parallel(r, l.count, lines_grain(&l), backward_lines);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *a = ad_attrs_of(y);
	ad_node *sum = ad_sum(ad_mul(dy[0], y), AD_INTS(a->axis), true);

	dx[0] = ad_mul(y, ad_sub(dy[0], sum));
}

AD_OP(softmax, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .shape = shape,
      .forward = forward, .backward = backward, .grad = grad, .reads = AD_READS_OUTPUTS,
      .samples = { { .in = { AD_DIMS(2, 3) },
                     .give = { AD_LIST(1, 2, 3, 1000, 1000, -1000) },
                     .want = { AD_LIST(0.09003057317038046, 0.24472847105479764, 0.6652409557748219,
                                       0.5, 0.5, 0) } },
                   { .in = { AD_DIMS(3) },
                     .give = { AD_LIST(0, -INFINITY, 0) },
                     .want = { AD_LIST(0.5, 0, 0.5) } },
                   { .in = { AD_DIMS(2) },
                     .give = { AD_LIST(-INFINITY, -INFINITY) },
                     .want = { AD_LIST(NAN, NAN) } },
                   { .in = { AD_DIMS(2, 2) },
                     .attrs = "axis=0",
                     .give = { AD_LIST(0, 3, 0, 3) },
                     .want = { AD_LIST(0.5, 0.5, 0.5, 0.5) } },
                   { .in = { AD_DIMS(3, 5) }, .lo = -3, .hi = 3 },
                   { .in = { AD_DIMS(2, 3, 4) }, .attrs = "axis=1", .lo = -3, .hi = 3 },
                   { .in = { AD_DIM0 }, .lo = -3, .hi = 3 },
                   { .in = { AD_DIMS(0, 4) }, .lo = -3, .hi = 3 },
                   { .in = { AD_DIMS(3) }, .attrs = "axis=1", .error = "axis 1" } });

/* exp(x) over its sum along the axis. */
AD_API ad_node *ad_softmax(ad_node *x, int64_t axis)
{
	struct attrs a = { axis };

	return AD_CALL_WITH(softmax, &a, x);
}
