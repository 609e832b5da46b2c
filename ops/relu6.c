/*
 * relu6: y = min(max(x, 0), 6), element by element.
 *
 *   x   any shape          y   shape of x
 *   dx = dy where 0 < x < 6, else 0  from the output alone
 *   Exact.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++) {
		const ad_real v = x[k] <= 0 ? 0 : x[k];

		y[k] = v >= 6 ? 6 : v;
	}
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
#pragma omp simd
	for (size_t k = 0; k < n; k++)
		dx[0][k] = real_where((y[k] <= 0) | (y[k] >= 6), 0, dy[k]);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_node *zero = ad_constant(ad_graph_of(y), 0), *six = ad_constant(ad_graph_of(y), 6);
	ad_node *outside = ad_logical_or(ad_less_equal(y, zero), ad_greater_equal(y, six));

	dx[0] = ad_where(outside, zero, dy[0]);
}

AD_OP(relu6, .arity = 1, .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_OUTPUTS,
      .samples = { { .in = { AD_DIMS(5) },
                     .give = { AD_LIST(-1.5, 0, 3, 6, 7) },
                     .want = { AD_LIST(0, 0, 3, 6, 6) },
                     .dwant = { AD_LIST(0, 0, 1, 0, 0) } },
                   { .in = { AD_DIMS(2, 3) }, .lo = -3, .hi = 9 },
                   { .in = { AD_DIM0 }, .lo = -3, .hi = 9 } });

/* Every element limited to 0 to 6. */
AD_API ad_node *ad_relu6(ad_node *x)
{
	return AD_CALL(relu6, x);
}
