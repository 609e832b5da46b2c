/*
 * exp2: y = 2^x, element by element.
 *
 *   x   any shape          y   shape of x
 *   dx = dy y ln 2
 *   Within 1.1 ulp.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = real_exp2(x[k]);
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
#pragma omp simd
	for (size_t k = 0; k < n; k++)
		dx[0][k] = dy[k] * y[k] * (ad_real)0.6931471805599453;
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = ad_mul(dy[0], ad_mul(y, ad_constant(ad_graph_of(y), 0.6931471805599453)));
}

AD_OP(exp2, .arity = 1, .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_OUTPUTS,
      .samples = { { .in = { AD_DIMS(4) },
                     .give = { AD_LIST(-1.5, 0, 3, 5.25) },
                     .want = { AD_LIST(0.3535533905932738, 1, 8, 38.05462768008707) },
                     .dwant = { AD_LIST(0.2450645358671368, 0.6931471805599453, 5.545177444479562,
                                        26.377457883710807) } },
                   { .in = { AD_DIMS(2, 3) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIM0 }, .lo = -2, .hi = 2 } });

/* 2 to the power of every element. */
AD_API ad_node *ad_exp2(ad_node *x)
{
	return AD_CALL(exp2, x);
}
