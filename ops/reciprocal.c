/*
 * reciprocal: y = 1 / x, element by element.
 *
 *   x   any shape          y   shape of x
 *   dx = -dy y^2
 *   Within 0.5 ulp.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = 1 / x[k];
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
#pragma omp simd
	for (size_t k = 0; k < n; k++)
		dx[0][k] = -dy[k] * y[k] * y[k];
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = ad_neg(ad_mul(dy[0], ad_square(y)));
}

AD_OP(reciprocal, .arity = 1, .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_OUTPUTS,
      .samples = { { .in = { AD_DIMS(3) },
                     .give = { AD_LIST(-4, 0.5, 3) },
                     .want = { AD_LIST(-0.25, 2, 0.3333333333333333) },
                     .dwant = { AD_LIST(-0.0625, -4, -0.1111111111111111) } },
                   { .in = { AD_DIMS(2) },
                     .give = { AD_LIST(0, -INFINITY) },
                     .want = { AD_LIST(INFINITY, 0) },
                     .dwant = { AD_LIST(-INFINITY, 0) } },
                   { .in = { AD_DIMS(2, 3) }, .lo = 0.5, .hi = 3 },
                   { .in = { AD_DIM0 }, .lo = 0.5, .hi = 3 } });

/* 1 over every element. */
AD_API ad_node *ad_reciprocal(ad_node *x)
{
	return AD_CALL(reciprocal, x);
}
