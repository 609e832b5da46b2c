/*
 * softsign: y = x / (1 + |x|), element by element.
 *
 *   x   any shape          y   shape of x
 *   dx = dy / (1 + |x|)^2
 *   Within 2 ulp.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = x[k] / (1 + real_fabs(x[k]));
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++) {
		const ad_real r = 1 / (1 + real_fabs(x[k]));

		dx[0][k] = dy[k] * r * r;
	}
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_node *one = ad_constant(ad_graph_of(y), 1);

	dx[0] = ad_mul(dy[0], ad_square(ad_reciprocal(ad_add(ad_abs(ad_input_of(y, 0)), one))));
}

AD_OP(softsign, .arity = 1, .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_INPUTS,
      .samples = { { .in = { AD_DIMS(3) },
                     .give = { AD_LIST(-3, 0, 1) },
                     .want = { AD_LIST(-0.75, 0, 0.5) },
                     .dwant = { AD_LIST(0.0625, 1, 0.25) } },
                   { .in = { AD_DIMS(2, 3) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIM0 }, .lo = -2, .hi = 2 } });

/* Every element divided by 1 plus its absolute value. */
AD_API ad_node *ad_softsign(ad_node *x)
{
	return AD_CALL(softsign, x);
}
