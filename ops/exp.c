/*
 * exp: y = e^x, element by element.
 *
 *   x   any shape          y   shape of x
 *   dx = dy y
 *   Within 1.2 ulp.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = real_exp(x[k]);
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
#pragma omp simd
	for (size_t k = 0; k < n; k++)
		dx[0][k] = dy[k] * y[k];
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = ad_mul(dy[0], y);
}

AD_OP(exp, .arity = 1, .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_OUTPUTS,
      .samples = {
	  { .in = { AD_DIMS(4) },
            .give = { AD_LIST(-1.5, 0, 2, 5.25) },
            .want = { AD_LIST(0.22313016014842982, 1, 7.38905609893065, 190.56626845863) },
            .dwant = { AD_LIST(0.22313016014842982, 1, 7.38905609893065, 190.56626845863) } },
	  { .in = { AD_DIMS(3) },
            .give = { AD_LIST(-INFINITY, INFINITY, NAN) },
            .want = { AD_LIST(0, INFINITY, NAN) } },
	  { .in = { AD_DIMS(2, 3) }, .lo = -2, .hi = 2 },
	  { .in = { AD_DIM0 }, .lo = -2, .hi = 2 } });

/* e to the power of every element. */
AD_API ad_node *ad_exp(ad_node *x)
{
	return AD_CALL(exp, x);
}
