/*
 * log: y = ln x, element by element.
 *
 *   x   any shape          y   shape of x
 *   dx = dy / x
 *   ln 0 is -infinity, and NaN below 0.
 *   Within 1 ulp.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = real_log(x[k]);
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		dx[0][k] = dy[k] / x[k];
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = ad_div(dy[0], ad_input_of(y, 0));
}

AD_OP(log, .arity = 1, .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_INPUTS,
      .samples = {
	  { .in = { AD_DIMS(4) },
            .give = { AD_LIST(0.25, 1, 10, 1024) },
            .want = { AD_LIST(-1.3862943611198906, 0, 2.302585092994046, 6.931471805599453) },
            .dwant = { AD_LIST(4, 1, 0.1, 0.0009765625) } },
	  { .in = { AD_DIMS(2) },
            .give = { AD_LIST(0, -1) },
            .want = { AD_LIST(-INFINITY, NAN) },
            .dwant = { AD_LIST(INFINITY, -1) } },
	  { .in = { AD_DIMS(2, 3) }, .lo = 0.5, .hi = 3 },
	  { .in = { AD_DIM0 }, .lo = 0.5, .hi = 3 } });

/* The natural logarithm of every element. */
AD_API ad_node *ad_log(ad_node *x)
{
	return AD_CALL(log, x);
}
