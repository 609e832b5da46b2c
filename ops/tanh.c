/*
 * tanh: y = tanh x, element by element.
 *
 *   x   any shape          y   shape of x
 *   dx = dy (1 - y^2)  from the output alone
 *   Within 3 ulp.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = real_tanh(x[k]);
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
#pragma omp simd
	for (size_t k = 0; k < n; k++)
		dx[0][k] = dy[k] * (1 - y[k]) * (1 + y[k]);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = ad_mul(dy[0], ad_sub(ad_constant(ad_graph_of(y), 1), ad_square(y)));
}

AD_OP(tanh, .arity = 1, .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_OUTPUTS,
      .samples = { { .in = { AD_DIMS(5) },
                     .give = { AD_LIST(-1.5, 0, 9.5367431640625e-07, 3, 1000) },
                     .want = { AD_LIST(-0.9051482536448664, 0, 9.536743164059608e-07,
                                       0.9950547536867305, 1) },
                     .dwant = { AD_LIST(0.18070663892364852, 1, 0.9999999999990905,
                                        0.00986603716544019, 0) } },
                   { .in = { AD_DIMS(2, 3) }, .lo = -3, .hi = 3 },
                   { .in = { AD_DIM0 }, .lo = -3, .hi = 3 } });

/* The hyperbolic tangent of every element. */
AD_API ad_node *ad_tanh(ad_node *x)
{
	return AD_CALL(tanh, x);
}
