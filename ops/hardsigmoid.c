/*
 * hardsigmoid: y = min(max(x + 3, 0), 6) / 6, element by element.
 *
 *   x   any shape          y   shape of x
 *   dx = dy / 6 where -3 < x < 3, else 0  from the output alone
 *   Within 2 ulp.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++) {
		const ad_real v = x[k] <= -3 ? 0 : x[k] + 3;

		y[k] = (v >= 6 ? 6 : v) / 6;
	}
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
#pragma omp simd
	for (size_t k = 0; k < n; k++)
		dx[0][k] = real_where((y[k] <= 0) | (y[k] >= 1), 0, dy[k] / 6);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_node *zero = ad_constant(ad_graph_of(y), 0), *one = ad_constant(ad_graph_of(y), 1);
	ad_node *outside = ad_logical_or(ad_less_equal(y, zero), ad_greater_equal(y, one));

	dx[0] = ad_where(outside, zero, ad_div(dy[0], ad_constant(ad_graph_of(y), 6)));
}

AD_OP(hardsigmoid, .arity = 1, .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_OUTPUTS,
      .samples = { { .in = { AD_DIMS(6) },
                     .give = { AD_LIST(-5, -3, 0, 1.5, 3, 5) },
                     .want = { AD_LIST(0, 0, 0.5, 0.75, 1, 1) },
                     .dwant = { AD_LIST(0, 0, 0.16666666666666666, 0.16666666666666666, 0, 0) } },
                   { .in = { AD_DIMS(2, 3) }, .lo = -5, .hi = 5 },
                   { .in = { AD_DIM0 }, .lo = -5, .hi = 5 } });

/* A piecewise linear stand-in for the logistic function. */
AD_API ad_node *ad_hardsigmoid(ad_node *x)
{
	return AD_CALL(hardsigmoid, x);
}
