/*
 * abs: y = |x|, element by element.
 *
 *   x   any shape          y   shape of x
 *   dx = dy sign(x), 0 at 0
 *   Exact.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = real_fabs(x[k]);
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		dx[0][k] = real_where(x[k] > 0, dy[k], real_where(x[k] < 0, -dy[k], 0));
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = ad_mul(dy[0], ad_sign(ad_input_of(y, 0)));
}

AD_OP(abs, .arity = 1, .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_INPUTS, .integral = true,
      .samples = { { .in = { AD_DIMS(3) },
                     .give = { AD_LIST(-1.5, 0, 3) },
                     .want = { AD_LIST(1.5, 0, 3) },
                     .dwant = { AD_LIST(-1, 0, 1) } },
                   { .in = { AD_DIMS_OF(AD_I32, 2) },
                     .give = { AD_LIST(3, -4) },
                     .want = { AD_LIST(3, 4) } },
                   { .in = { AD_DIMS(2, 3) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIM0 }, .lo = -2, .hi = 2 } });

/* The absolute value of every element. */
AD_API ad_node *ad_abs(ad_node *x)
{
	return AD_CALL(abs, x);
}
