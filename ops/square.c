/*
 * square: y = x^2, element by element.
 *
 *   x   any shape          y   shape of x
 *   dx = 2 dy x
 *   Within 0.5 ulp.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = x[k] * x[k];
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		dx[0][k] = 2 * dy[k] * x[k];
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = ad_mul(dy[0], ad_mul(ad_input_of(y, 0), ad_constant(ad_graph_of(y), 2)));
}

AD_OP(square, .arity = 1, .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_INPUTS,
      .samples = { { .in = { AD_DIMS(3) },
                     .give = { AD_LIST(-1.5, 0, 3) },
                     .want = { AD_LIST(2.25, 0, 9) },
                     .dwant = { AD_LIST(-3, 0, 6) } },
                   { .in = { AD_DIMS(2, 3) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIM0 }, .lo = -2, .hi = 2 } });

/* The square of every element. */
AD_API ad_node *ad_square(ad_node *x)
{
	return AD_CALL(square, x);
}
