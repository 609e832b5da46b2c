/*
 * atan: y = arctan x, element by element.
 *
 *   x   any shape          y   shape of x
 *   dx = dy / (1 + x^2)
 *   Within 1 ulp.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = real_atan(x[k]);
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		dx[0][k] = dy[k] / (1 + x[k] * x[k]);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = ad_div(dy[0], ad_add(ad_square(ad_input_of(y, 0)), ad_constant(ad_graph_of(y), 1)));
}

AD_OP(atan, .arity = 1, .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_INPUTS,
      .samples = { { .in = { AD_DIMS(3) },
                     .give = { AD_LIST(-3, 0, 0.5) },
                     .want = { AD_LIST(-1.2490457723982544, 0, 0.4636476090008061) },
                     .dwant = { AD_LIST(0.1, 1, 0.8) } },
                   { .in = { AD_DIMS(2, 3) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIM0 }, .lo = -2, .hi = 2 } });

/* The angle whose tangent is x, in -pi/2 to pi/2. */
AD_API ad_node *ad_atan(ad_node *x)
{
	return AD_CALL(atan, x);
}
