/*
 * erf: y = 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x.
 *
 *   x   any shape          y   shape of x
 *   dx = dy 2 / sqrt(pi) exp(-x^2)
 *   Within 2 ulp.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = real_erf(x[k]);
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		dx[0][k] = dy[k] * (ad_real)1.1283791670955126 * real_exp(-x[k] * x[k]);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_node *bell = ad_exp(ad_neg(ad_square(ad_input_of(y, 0))));

	dx[0] = ad_mul(dy[0], ad_mul(bell, ad_constant(ad_graph_of(y), 1.1283791670955126)));
}

AD_OP(erf, .arity = 1, .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_INPUTS,
      .samples = {
	  { .in = { AD_DIMS(4) },
            .give = { AD_LIST(-1.5, 0, 0.5, 10) },
            .want = { AD_LIST(-0.9661051464753108, 0, 0.5204998778130465, 1) },
            .dwant = { AD_LIST(0.11893028922362937, 1.1283791670955126, 0.8787825789354448, 0) } },
	  { .in = { AD_DIMS(2, 3) }, .lo = -2, .hi = 2 },
	  { .in = { AD_DIM0 }, .lo = -2, .hi = 2 } });

/* The error function of every element. */
AD_API ad_node *ad_erf(ad_node *x)
{
	return AD_CALL(erf, x);
}
