/*
 * cosh: y = cosh x, element by element.
 *
 *   x   any shape          y   shape of x
 *   dx = dy sinh x
 *   Within 2 ulp.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = real_cosh(x[k]);
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		dx[0][k] = dy[k] * real_sinh(x[k]);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = ad_mul(dy[0], ad_sinh(ad_input_of(y, 0)));
}

AD_OP(cosh, .arity = 1, .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_INPUTS,
      .samples = {
	  { .in = { AD_DIMS(4) },
            .give = { AD_LIST(-1.5, 0, 0.5, 3) },
            .want = { AD_LIST(2.352409615243247, 1, 1.1276259652063807, 10.067661995777765) },
            .dwant = { AD_LIST(-2.1292794550948173, 0, 0.5210953054937474, 10.017874927409903) } },
	  { .in = { AD_DIMS(2, 3) }, .lo = -2, .hi = 2 },
	  { .in = { AD_DIM0 }, .lo = -2, .hi = 2 } });

/* The hyperbolic cosine of every element. */
AD_API ad_node *ad_cosh(ad_node *x)
{
	return AD_CALL(cosh, x);
}
