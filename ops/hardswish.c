/*
 * hardswish: y = x min(max(x + 3, 0), 6) / 6, element by element.
 *
 *   x   any shape          y   shape of x
 *   dx = 0 below -3, dy (x / 3 + 1/2) from -3 to 3, dy above
 *   Within 2 ulp.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++) {
		const ad_real v = x[k] <= -3 ? 0 : x[k] + 3;

		y[k] = v >= 6 ? x[k] : x[k] * v / 6;
	}
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		dx[0][k] = real_where(
		    x[k] < -3, 0, real_where(x[k] <= 3, dy[k] * (x[k] / 3 + (ad_real)0.5), dy[k]));
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_graph *g = ad_graph_of(y);
	ad_node *x = ad_input_of(y, 0), *three = ad_constant(g, 3);
	ad_node *slope = ad_add(ad_div(x, three), ad_constant(g, 0.5));
	ad_node *upper = ad_where(ad_less_equal(x, three), ad_mul(dy[0], slope), dy[0]);

	dx[0] = ad_where(ad_less(x, ad_constant(g, -3)), ad_constant(g, 0), upper);
}

AD_OP(hardswish, .arity = 1, .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_INPUTS,
      .samples = { { .in = { AD_DIMS(6) },
                     .give = { AD_LIST(-5, -3, 0, 1.5, 3, 5) },
                     .want = { AD_LIST(0, 0, 0, 1.125, 3, 5) },
                     .dwant = { AD_LIST(0, -0.5, 0.5, 1, 1.5, 1) } },
                   { .in = { AD_DIMS(2, 3) }, .lo = -5, .hi = 5 },
                   { .in = { AD_DIM0 }, .lo = -5, .hi = 5 } });

/* A piecewise polynomial stand-in for silu. */
AD_API ad_node *ad_hardswish(ad_node *x)
{
	return AD_CALL(hardswish, x);
}
