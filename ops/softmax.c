/*
 * softmax: y = exp(x) / sum of exp(x) along an axis: positive numbers that add up to 1.
 *
 *   x   any shape          y   shape of x
 *   dx = y (dy - sum of dy y along the axis), from the output alone
 *
 * The largest x is taken off first, so nothing overflows; a line of nothing but -inf gives NaN.
 */
#include "op.h"
#include "kernels/softmax.h"

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

static void forward_units(const ad_run *r, size_t begin, size_t end)
{
	struct lines l = lines_here(r);
	ad_real max[SPAN_LINES], sum[SPAN_LINES], *y = ad_reals_of(&r->out[0]);

	for (struct span s; span_next(&l, &begin, end, &s);) {
		AD_VARIANT(span_exp)(&l, &s, ad_reals_of(&r->in[0]), y, false, max, sum);
		for (size_t i = 0; i < s.count; i++)
			sum[i] = 1 / sum[i];
		AD_VARIANT(span_scale)(&l, &s, y, sum);
	}
}

static void forward(const ad_run *r)
{
	struct lines l = lines_here(r);
	ad_parallel(r, span_units(&l), span_grain(&l), forward_units);
}

static void backward_units(const ad_run *r, size_t begin, size_t end)
{
	struct lines l = lines_here(r);
	ad_real sum[SPAN_LINES];

	for (struct span s; span_next(&l, &begin, end, &s);) {
		const ad_real *y = ad_reals_of(&r->out[0]), *dy = ad_reals_of(&r->dy[0]);
		ad_real *dx = ad_reals_of(&r->dx[0]);

		AD_VARIANT(span_sum)(&l, &s, y, dy, sum);
		y += s.start, dy += s.start, dx += s.start;
		for (size_t i = 0; l.step == 1 && i < s.count; i++, y += l.n, dy += l.n, dx += l.n)
#pragma omp simd
			for (size_t k = 0; k < l.n; k++)
				dx[k] = y[k] * (dy[k] - sum[i]);
		for (size_t k = 0; l.step != 1 && k < l.n; k++, y += l.step, dy += l.step, dx += l.step)
#pragma omp simd
			for (size_t i = 0; i < s.count; i++)
				dx[i] = y[i] * (dy[i] - sum[i]);
	}
}

static void backward(const ad_run *r)
{
	struct lines l = lines_here(r);
	ad_parallel(r, span_units(&l), span_grain(&l), backward_units);
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
