/*
 * asin: y = arcsin x, element by element.
 *
 *   x   any shape          y   shape of x
 *   dx = dy / sqrt(1 - x^2)
 *   Within 1 ulp.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = real_asin(x[k]);
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		dx[0][k] = dy[k] / real_sqrt((1 - x[k]) * (1 + x[k]));
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_node *x = ad_input_of(y, 0), *one = ad_constant(ad_graph_of(y), 1);

	dx[0] = ad_mul(dy[0], ad_rsqrt(ad_mul(ad_sub(one, x), ad_add(one, x))));
}

AD_OP(asin, .arity = 1, .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_INPUTS,
      .samples = { { .in = { AD_DIMS(3) },
                     .give = { AD_LIST(-0.75, 0, 0.5) },
                     .want = { AD_LIST(-0.848062078981481, 0, 0.5235987755982989) },
                     .dwant = { AD_LIST(1.511857892036909, 1, 1.1547005383792515) } },
                   { .in = { AD_DIMS(2, 3) }, .lo = -0.9, .hi = 0.9 },
                   { .in = { AD_DIM0 }, .lo = -0.9, .hi = 0.9 } });

/* The angle whose sine is x, in -pi/2 to pi/2; NaN beyond -1 and 1. */
AD_API ad_node *ad_asin(ad_node *x)
{
	return AD_CALL(asin, x);
}
