/*
 * cumsum: y[k] = x[0] + ... + x[k] along an axis.
 *
 *   x   any shape          y   shape of x; from the end backwards if `reverse` is set
 *   dx = dy summed the other way; nothing is kept. Compensated (W. Kahan, "Further remarks on
 * reducing truncation errors", 1965, as improved by A. Neumaier, 1974), so the error does not grow
 * with the length.
 */
#include "op.h"
#include "kernels/lines.h"

struct attrs {
	int64_t axis;
	bool reverse;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, axis, AD_INT, "-1", "the axis", NULL),
	AD_ATTR(struct attrs, reverse, AD_FLAG, "false", "from the end backwards", NULL),
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
		ad_real *y = ad_reals_of(&r->out[0]) + start, sum = 0, lost = 0;

		for (size_t i = 0; i < l.n; i++) {
			size_t place = (a->reverse ? l.n - 1 - i : i) * l.step;
			ad_real v = x[place], next = sum + v;

			/* what rounding took from the smaller one; of infinities there is none */
			if (isfinite(next))
				lost += real_fabs(sum) >= real_fabs(v) ? sum - next + v
				                                       : v - next + sum;
			sum = next;
			y[place] = sum + lost;
		}
	}
}

static void forward(const ad_run *r)
{
	const struct attrs *a = r->attrs;
	struct lines l = lines_along(r->in[0].rank, r->in[0].dims, a->axis);

	if (r->out[0].count > 0)
		ad_parallel(r, l.count, 16384 / (l.n + 1) + 1, outputs);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *a = ad_attrs_of(y);

	dx[0] = ad_cumsum(dy[0], a->axis, !a->reverse);
}

AD_OP(cumsum, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .shape = shape,
      .forward = forward, .grad = grad,
      .samples = { { .in = { AD_DIMS(4) },
                     .give = { AD_LIST(1, 2, -5, 4) },
                     .want = { AD_LIST(1, 3, -2, 2) },
                     .dwant = { AD_LIST(4, 3, 2, 1) } },
                   { .in = { AD_DIMS(2, 2) },
                     .attrs = "axis=0 reverse=true",
                     .give = { AD_LIST(1, 2, 3, INFINITY) },
                     .want = { AD_LIST(4, INFINITY, 3, INFINITY) } },
                   { .in = { AD_DIM0 }, .give = { AD_LIST(7) }, .want = { AD_LIST(7) } },
                   { .in = { AD_DIMS(2, 0) } },
                   { .in = { AD_DIMS(2, 3, 2) }, .attrs = "axis=1", .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2) }, .attrs = "axis=1", .error = "axis 1" } });

/* The running sums of x along an axis; from the end backwards if reverse is set. */
AD_API ad_node *ad_cumsum(ad_node *x, int64_t axis, bool reverse)
{
	struct attrs a = { axis, reverse };

	return AD_CALL_WITH(cumsum, &a, x);
}
