/*
 * cos: y = cos x, element by element.
 *
 *   x   any shape          y   shape of x
 *   dx = -dy sin x
 *   Within 1 ulp.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = real_cos(x[k]);
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		dx[0][k] = -dy[k] * real_sin(x[k]);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = ad_neg(ad_mul(dy[0], ad_sin(ad_input_of(y, 0))));
}

AD_OP(cos, .arity = 1, .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_INPUTS,
      .samples = {
	  { .in = { AD_DIMS(4) },
            .give = { AD_LIST(-1.5, 0, 0.5, 10) },
            .want = { AD_LIST(0.0707372016677029, 1, 0.8775825618903728, -0.8390715290764524) },
            .dwant = { AD_LIST(0.9974949866040544, 0, -0.479425538604203, 0.5440211108893698) } },
	  { .in = { AD_DIMS(2, 3) }, .lo = -2, .hi = 2 },
	  { .in = { AD_DIM0 }, .lo = -2, .hi = 2 } });

/* The cosine of every element, in radians. */
AD_API ad_node *ad_cos(ad_node *x)
{
	return AD_CALL(cos, x);
}
