/*
 * log_softmax: y = x - ln of the sum of exp(x) along an axis: the logarithm of softmax.
 *
 *   x   any shape          y   shape of x
 *   dx = dy - exp(y) * sum of dy along the axis   from the output alone. The largest x is taken off
 *   first, so nothing overflows.
 */
#include "op.h"
#include "kernels/softmax.h"

struct attrs {
	int64_t axis;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, axis, AD_INT, "-1", "the axis along which exp(y) adds up to 1", NULL),
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
	ad_real max[SPAN_LINES], log[SPAN_LINES];

	for (struct span s; span_next(&l, &begin, end, &s);) {
		const ad_real *x = ad_reals_of(&r->in[0]) + s.start;
		ad_real *y = ad_reals_of(&r->out[0]) + s.start;

		AD_VARIANT(span_exp)(&l, &s, ad_reals_of(&r->in[0]), NULL, false, max, log);
#pragma omp simd
		for (size_t i = 0; i < s.count; i++)
			log[i] = real_log(log[i]);
		for (size_t i = 0; l.step == 1 && i < s.count; i++, x += l.n, y += l.n)
#pragma omp simd
			for (size_t k = 0; k < l.n; k++)
				y[k] = (x[k] - max[i]) - log[i];
		for (size_t k = 0; l.step != 1 && k < l.n; k++, x += l.step, y += l.step)
#pragma omp simd
			for (size_t i = 0; i < s.count; i++)
				y[i] = (x[i] - max[i]) - log[i];
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
		const ad_real *y = ad_reals_of(&r->out[0]) + s.start;
		const ad_real *dy = ad_reals_of(&r->dy[0]) + s.start;
		ad_real *dx = ad_reals_of(&r->dx[0]) + s.start;

		AD_VARIANT(span_sum)(&l, &s, ad_reals_of(&r->dy[0]), NULL, sum);
		if (l.step == 1) {
			/* as one run, however short the lines are */
#pragma omp simd
			for (size_t k = 0; k < s.count * l.n; k++)
				dx[k] = real_exp(y[k]);
			for (size_t i = 0; i < s.count; i++, dy += l.n, dx += l.n)
#pragma omp simd
				for (size_t k = 0; k < l.n; k++)
					dx[k] = dy[k] - dx[k] * sum[i];
			continue;
		}
		for (size_t k = 0; k < l.n; k++, y += l.step, dy += l.step, dx += l.step)
#pragma omp simd
			for (size_t i = 0; i < s.count; i++)
				dx[i] = dy[i] - real_exp(y[i]) * sum[i];
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

	dx[0] = ad_sub(dy[0], ad_mul(ad_exp(y), ad_sum(dy[0], AD_INTS(a->axis), true)));
}

AD_OP(log_softmax, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .shape = shape,
      .forward = forward, .backward = backward, .grad = grad, .reads = AD_READS_OUTPUTS,
      .samples = {
	  { .in = { AD_DIMS(2, 3) },
            .give = { AD_LIST(1, 2, 3, 1000, 1000, -1000) },
            .want = { AD_LIST(-2.4076059644443806, -1.4076059644443806, -0.40760596444438064,
                              -0.6931471805599453, -0.6931471805599453, -2000.6931471805599) } },
	  { .in = { AD_DIMS(3) },
            .give = { AD_LIST(0, -INFINITY, 0) },
            .want = { AD_LIST(-0.6931471805599453, -INFINITY, -0.6931471805599453) } },
	  { .in = { AD_DIMS(2) },
            .give = { AD_LIST(-INFINITY, -INFINITY) },
            .want = { AD_LIST(NAN, NAN) } },
	  { .in = { AD_DIMS(2, 2) },
            .attrs = "axis=0",
            .give = { AD_LIST(0, 3, 0, 3) },
            .want = { AD_LIST(-0.6931471805599453, -0.6931471805599453, -0.6931471805599453,
                              -0.6931471805599453) } },
	  { .in = { AD_DIMS(3, 5) }, .lo = -3, .hi = 3 },
	  { .in = { AD_DIMS(2, 3, 4) }, .attrs = "axis=1", .lo = -3, .hi = 3 },
	  { .in = { AD_DIM0 }, .lo = -3, .hi = 3 },
	  { .in = { AD_DIMS(0, 4) }, .lo = -3, .hi = 3 },
	  { .in = { AD_DIMS(3) }, .attrs = "axis=1", .error = "axis 1" } });

/* The logarithm of softmax along the axis. */
AD_API ad_node *ad_log_softmax(ad_node *x, int64_t axis)
{
	struct attrs a = { axis };

	return AD_CALL_WITH(log_softmax, &a, x);
}
