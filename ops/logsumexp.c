/*
 * logsumexp: y = ln of the sum of exp(x) over some axes.
 *
 *   x   any shape          y   without these axes, or with size 1 there if keepdim is set
 *   dx = dy exp(x - y); x is kept. The largest x is taken off first, so nothing overflows.
 */
#include "op.h"
#include "kernels/reduce.h"
#include "kernels/softmax.h"

struct attrs {
	ad_ints axis;
	bool keepdim;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, axis, AD_INTLIST, "null", "the axis, or a list of axes; null: all",
	        NULL),
	AD_ATTR(struct attrs, keepdim, AD_FLAG, "false", "keep these axes, with size 1", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	return reduced_shape(s, a->axis, a->keepdim);
}

static struct reduction reduction_here(const ad_run *r)
{
	const struct attrs *a = r->attrs;
	return reduction_over(&r->in[0], a->axis);
}

/* Axes that lie side by side are one axis of lines; others have rows in between. */
static bool as_lines(const struct reduction *p, struct lines *l)
{
	*l = (struct lines){ p->outer * p->columns, p->row * p->run, p->columns };
	return p->n_rows == 0 || (p->n_rows == 1 && p->run == 1 && p->n_kept <= 1);
}

static void line_units(const ad_run *r, size_t begin, size_t end)
{
	struct reduction p = reduction_here(r);
	ad_real max[SPAN_LINES], sum[SPAN_LINES], *y = ad_reals_of(&r->out[0]);
	struct lines l;

	as_lines(&p, &l);
	for (struct span s; span_next(&l, &begin, end, &s);) {
		AD_VARIANT(span_exp)(&l, &s, ad_reals_of(&r->in[0]), NULL, true, max, sum);
#pragma omp simd
		for (size_t i = 0; i < s.count; i++)
			y[s.first + i] = max[i] + real_log(sum[i]);
	}
}

static void outputs(const ad_run *r, size_t begin, size_t end)
{
	struct reduction p = reduction_here(r);
	const ad_real *x = ad_reals_of(&r->in[0]);
	ad_real *y = ad_reals_of(&r->out[0]);

	for (size_t k = begin; k < end; k++) {
		size_t first = reduction_base(&p, k / p.columns) + k % p.columns;
		ad_real max = -(ad_real)INFINITY, sum = 0;

		for (int pass = 0; pass < 2; pass++) {
			size_t at[AD_MAX_RANK] = { 0 }, from = first;
			for (size_t row = 0; row < p.row; row++) {
				if (pass == 0)
					for (size_t i = from; i < from + p.run; i++)
						max = x[i] > max ? x[i] : max;
				else
					for (size_t i = from; i < from + p.run; i++)
						sum += real_exp(x[i] - max);
				reduction_step(p.n_rows, p.rows, p.row_stride, at, &from);
			}
			if (pass == 0 && !isfinite(max))
				max = 0; /* the sum is 0, or infinite, by itself */
		}
		y[k] = max + real_log(sum);
	}
}

static void forward(const ad_run *r)
{
	struct reduction p = reduction_here(r);
	size_t n = p.row * p.run;
	struct lines l;

	if (as_lines(&p, &l))
		ad_parallel(r, span_units(&l), span_grain(&l), line_units);
	else
		ad_parallel(r, r->out[0].count, n >= 4096 ? 1 : 4096 / (n ? n : 1), outputs);
}

/* exp(x - y) as softmax has it: y may be so large that its rounding would show. */
static void line_units_back(const ad_run *r, size_t begin, size_t end)
{
	struct reduction p = reduction_here(r);
	ad_real max[SPAN_LINES], sum[SPAN_LINES], *dx = ad_reals_of(&r->dx[0]);
	struct lines l;

	as_lines(&p, &l);
	for (struct span s; span_next(&l, &begin, end, &s);) {
		AD_VARIANT(span_exp)(&l, &s, ad_reals_of(&r->in[0]), dx, false, max, sum);
		for (size_t i = 0; i < s.count; i++)
			sum[i] = ad_reals_of(&r->dy[0])[s.first + i] / sum[i];
		AD_VARIANT(span_scale)(&l, &s, dx, sum);
	}
}

static void back_outputs(const ad_run *r, size_t begin, size_t end)
{
	struct reduction p = reduction_here(r);
	const ad_real *x = ad_reals_of(&r->in[0]), *dy = ad_reals_of(&r->dy[0]);
	ad_real *dx = ad_reals_of(&r->dx[0]);

	for (size_t k = begin; k < end; k++) {
		size_t first = reduction_base(&p, k / p.columns) + k % p.columns;
		ad_real max = -(ad_real)INFINITY, sum = 0;

		for (int pass = 0; pass < 3; pass++) {
			size_t at[AD_MAX_RANK] = { 0 }, from = first;
			for (size_t row = 0; row < p.row; row++) {
				for (size_t i = from; i < from + p.run; i++) {
					if (pass == 0)
						max = x[i] > max ? x[i] : max;
					else if (pass == 1)
						sum += dx[i] = real_exp(x[i] - max);
					else
						dx[i] *= sum;
				}
				reduction_step(p.n_rows, p.rows, p.row_stride, at, &from);
			}
			if (pass == 1)
				sum = dy[k] / sum;
		}
	}
}

static void backward(const ad_run *r)
{
	struct reduction p = reduction_here(r);
	size_t n = p.row * p.run;
	struct lines l;

	if (as_lines(&p, &l))
		ad_parallel(r, span_units(&l), span_grain(&l), line_units_back);
	else
		ad_parallel(r, r->out[0].count, n >= 4096 ? 1 : 4096 / (n ? n : 1), back_outputs);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *a = ad_attrs_of(y);
	ad_node *x = ad_input_of(y, 0), *part;
	ad_shape shape_x = ad_shape_of(x), kept = kept_shape(shape_x, a->axis);

	if (a->axis.n < 0)
		part = ad_reshape(ad_softmax(ad_reshape(x, AD_SHAPE(-1)), 0), shape_x);
	else if (a->axis.n == 1)
		part = ad_softmax(x, a->axis.v[0]);
	else
		part = ad_exp(ad_sub(x, ad_reshape(y, kept)));
	dx[0] = ad_mul(ad_reshape(dy[0], kept), part);
}

AD_OP(logsumexp, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .shape = shape,
      .forward = forward, .backward = backward, .grad = grad, .reads = AD_READS_INPUTS,
      .samples = {
	  { .in = { AD_DIMS(3) },
            .give = { AD_LIST(1, 2, 3) },
            .want = { AD_LIST(3.4076059644443806) },
            .dwant = { AD_LIST(0.09003057317038046, 0.24472847105479764, 0.6652409557748219) } },
	  { .in = { AD_DIMS(2, 2) },
            .attrs = "axis=1",
            .give = { AD_LIST(1000, 1000, 0, -INFINITY) },
            .want = { AD_LIST(1000.6931471805599, 0) },
            .dwant = { AD_LIST(0.5, 0.5, 1, 0) } },
	  { .in = { AD_DIMS(2, 2) },
            .attrs = "axis=1",
            .give = { AD_LIST(-INFINITY, -INFINITY, INFINITY, 0) },
            .want = { AD_LIST(-INFINITY, INFINITY) } },
	  { .in = { AD_DIMS(2, 3, 4) }, .attrs = "axis=[0,-1] keepdim=true", .lo = -3, .hi = 3 },
	  { .in = { AD_DIMS(2, 3, 2) }, .attrs = "axis=1", .lo = -3, .hi = 3 },
	  { .in = { AD_DIM0 }, .lo = -3, .hi = 3 },
	  { .in = { AD_DIMS(3) }, .attrs = "axis=1", .error = "axis 1" } });

/* ln of the sum of exp(x) over axes (AD_ALL: all), kept with size 1 if keepdim is set. */
AD_API ad_node *ad_logsumexp(ad_node *x, ad_ints axis, bool keepdim)
{
	struct attrs a = { axis, keepdim };

	return AD_CALL_WITH(logsumexp, &a, x);
}
