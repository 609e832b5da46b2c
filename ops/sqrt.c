/*
 * sqrt: y = the square root of x, element by element.
 *
 *   x   any shape          y   shape of x
 *   dx = dy / (2 y), infinite at 0
 *   Within 0.5 ulp.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = real_sqrt(x[k]);
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
#pragma omp simd
	for (size_t k = 0; k < n; k++)
		dx[0][k] = dy[k] / (2 * y[k]);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = ad_div(dy[0], ad_mul(y, ad_constant(ad_graph_of(y), 2)));
}

AD_OP(sqrt, .arity = 1, .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_OUTPUTS,
      .samples = { { .in = { AD_DIMS(3) },
                     .give = { AD_LIST(0.25, 2, 9) },
                     .want = { AD_LIST(0.5, 1.4142135623730951, 3) },
                     .dwant = { AD_LIST(1, 0.3535533905932738, 0.16666666666666666) } },
                   { .in = { AD_DIMS(2) },
                     .give = { AD_LIST(0, -1) },
                     .want = { AD_LIST(0, NAN) },
                     .dwant = { AD_LIST(INFINITY, NAN) } },
                   { .in = { AD_DIMS(2, 3) }, .lo = 0.5, .hi = 3 },
                   { .in = { AD_DIM0 }, .lo = 0.5, .hi = 3 } });

/* The square root of every element. */
AD_API ad_node *ad_sqrt(ad_node *x)
{
	return AD_CALL(sqrt, x);
}
