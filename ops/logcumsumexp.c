/*
 * logcumsumexp: y[k] = ln(exp(x[0]) + ... + exp(x[k])) along an axis.
 *
 *   x   any shape          y   shape of x
 *   dx[j] = the sum over k >= j of dy[k] exp(x[j] - y[k]), as a recurrence in which no exponent is
 * above 0, so nothing overflows, with a relative error of up to |y| epsilon; x and y are kept
 */
#include "op.h"
#include "kernels/lines.h"

struct attrs {
	int64_t axis;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, axis, AD_INT, "-1", "the axis", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;

	s->out[0] = s->in[0];
	return ad_axis(s, s->in[0].rank, a->axis) >= 0;
}

static void outputs(const ad_run *r, size_t begin, size_t end)
{
	const struct attrs *a = r->attrs;
	struct lines l = lines_along(r->in[0].rank, r->in[0].dims, a->axis);

	for (size_t k = begin; k < end; k++) {
		size_t start = line_start(&l, k);
		const ad_real *x = ad_reals_of(&r->in[0]) + start;
		ad_real *y = ad_reals_of(&r->out[0]) + start, max = -(ad_real)INFINITY, sum = 0;

		/* the sum is that of exp(x - max) */
		for (size_t i = 0; i < l.n * l.step; i += l.step) {
			ad_real v = x[i];

			if (v > max) {
				sum = (isinf(max) ? 0 : sum * real_exp(max - v)) + 1;
				max = v;
			} else if (v == v) {
				sum += isinf(v) && v < 0 ? 0 : v == max ? 1 : real_exp(v - max);
			} else {
				sum = v;
			}
			y[i] = max + real_log(sum);
		}
	}
}

static void forward(const ad_run *r)
{
	const struct attrs *a = r->attrs;
	struct lines l = lines_along(r->in[0].rank, r->in[0].dims, a->axis);

	if (r->out[0].count > 0)
		ad_parallel(r, l.count, lines_grain(&l), outputs);
}

/* exp(a - b), and 0 where b is -inf: then a is so, too. */
static ad_node *ratio(ad_node *a, ad_node *b)
{
	ad_graph *g = ad_graph_of(a);
	ad_node *none = ad_equal(b, ad_constant(g, -(double)INFINITY)), *zero = ad_constant(g, 0);

	return ad_where(none, zero,
	                ad_exp(ad_sub(ad_where(none, zero, a), ad_where(none, zero, b))));
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *a = ad_attrs_of(y);
	ad_shape s = ad_shape_of(y);
	ad_node *x = ad_input_of(y, 0), *decay;
	int64_t axis, n;

	if (s.rank == 0 || ad_count(y) == 0) {
		dx[0] = dy[0];
		return;
	}
	axis = a->axis + (a->axis < 0 ? s.rank : 0);
	n = s.dims[axis];
	/* t[j] = dy[j] + exp(y[j] - y[j + 1]) t[j + 1], and dx[j] = exp(x[j] - y[j]) t[j] */
	decay = ratio(ad_slice(y, AD_INTS(axis), AD_INTS(0), AD_INTS(n - 1), AD_ALL),
	              ad_slice(y, AD_INTS(axis), AD_INTS(1), AD_INTS(n), AD_ALL));
	decay = ad_unslice(decay, s, AD_INTS(axis), AD_INTS(0), AD_INTS(n - 1), AD_ALL);
	dx[0] = ad_mul(ratio(x, y), ad_linear_recurrence(decay, dy[0], axis, true));
}

AD_OP(logcumsumexp, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .shape = shape,
      .forward = forward, .grad = grad,
      .samples = {
	  { .in = { AD_DIMS(3) },
            .give = { AD_LIST(1, 2, 3) },
            .want = { AD_LIST(1, 2.313261687518223, 3.4076059644443806) },
            .dwant = { AD_LIST(1.3589719945403758, 0.9757870496848027, 0.665240955774822) } },
	  { .in = { AD_DIMS(4) },
            .give = { AD_LIST(-INFINITY, 1000, -1000, 1000) },
            .want = { AD_LIST(-INFINITY, 1000, 1000, 1000.6931471805599) } },
	  { .in = { AD_DIMS(3) },
            .give = { AD_LIST(-INFINITY, 0, -1000) },
            .want = { AD_LIST(-INFINITY, 0, 0) },
            .dwant = { AD_LIST(0, 2, 0) } },
	  { .in = { AD_DIM0 }, .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(2, 3, 2) }, .attrs = "axis=1", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(2) }, .attrs = "axis=1", .error = "axis 1" } });

/* The running ln of the sums of exp(x) along an axis. */
AD_API ad_node *ad_logcumsumexp(ad_node *x, int64_t axis)
{
	struct attrs a = { axis };

	return AD_CALL_WITH(logcumsumexp, &a, x);
}
