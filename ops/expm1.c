/*
 * expm1: y = e^x - 1, element by element, accurate near 0.
 *
 *   x   any shape          y   shape of x
 *   dx = dy (y + 1)
 *   Within 2.1 ulp.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = real_expm1(x[k]);
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
#pragma omp simd
	for (size_t k = 0; k < n; k++)
		dx[0][k] = dy[k] * (y[k] + 1);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = ad_mul(dy[0], ad_add(y, ad_constant(ad_graph_of(y), 1)));
}

AD_OP(expm1, .arity = 1, .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_OUTPUTS,
      .samples = {
	  { .in = { AD_DIMS(4) },
            .give = { AD_LIST(-1.5, 0, 9.313225746154785e-10, 3) },
            .want = { AD_LIST(-0.7768698398515702, 0, 9.313225750491594e-10, 19.085536923187668) },
            .dwant = { AD_LIST(0.22313016014842982, 1, 1.0000000009313226, 20.085536923187668) } },
	  { .in = { AD_DIMS(2, 3) }, .lo = -2, .hi = 2 },
	  { .in = { AD_DIM0 }, .lo = -2, .hi = 2 } });

/* e to the power of every element, less 1. */
AD_API ad_node *ad_expm1(ad_node *x)
{
	return AD_CALL(expm1, x);
}
