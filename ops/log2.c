/*
 * log2: y = log2 x, element by element.
 *
 *   x   any shape          y   shape of x
 *   dx = dy / (x ln 2)
 *   Within 1.3 ulp.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = real_log2(x[k]);
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		dx[0][k] = dy[k] / (x[k] * (ad_real)0.6931471805599453);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = ad_div(dy[0],
	               ad_mul(ad_input_of(y, 0), ad_constant(ad_graph_of(y), 0.6931471805599453)));
}

AD_OP(log2, .arity = 1, .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_INPUTS,
      .samples = { { .in = { AD_DIMS(4) },
                     .give = { AD_LIST(0.25, 1, 10, 1024) },
                     .want = { AD_LIST(-2, 0, 3.321928094887362, 10) },
                     .dwant = { AD_LIST(5.7707801635558535, 1.4426950408889634, 0.14426950408889633,
                                        0.0014088818758681283) } },
                   { .in = { AD_DIMS(2, 3) }, .lo = 0.5, .hi = 3 },
                   { .in = { AD_DIM0 }, .lo = 0.5, .hi = 3 } });

/* The logarithm of every element to base 2. */
AD_API ad_node *ad_log2(ad_node *x)
{
	return AD_CALL(log2, x);
}
