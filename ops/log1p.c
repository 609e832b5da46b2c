/*
 * log1p: y = ln(1 + x), element by element, accurate near 0.
 *
 *   x   any shape          y   shape of x
 *   dx = dy / (1 + x)
 *   Within 1 ulp.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = real_log1p(x[k]);
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		dx[0][k] = dy[k] / (1 + x[k]);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = ad_div(dy[0], ad_add(ad_input_of(y, 0), ad_constant(ad_graph_of(y), 1)));
}

AD_OP(log1p, .arity = 1, .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_INPUTS,
      .samples = {
	  { .in = { AD_DIMS(4) },
            .give = { AD_LIST(-0.5, 0, 9.313225746154785e-10, 10) },
            .want = { AD_LIST(-0.6931471805599453, 0, 9.313225741817976e-10, 2.3978952727983707) },
            .dwant = { AD_LIST(2, 1, 0.9999999990686774, 0.09090909090909091) } },
	  { .in = { AD_DIMS(2, 3) }, .lo = -0.5, .hi = 3 },
	  { .in = { AD_DIM0 }, .lo = -0.5, .hi = 3 } });

/* The natural logarithm of 1 + x, element by element. */
AD_API ad_node *ad_log1p(ad_node *x)
{
	return AD_CALL(log1p, x);
}
