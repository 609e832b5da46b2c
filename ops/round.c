/*
 * round: y = the whole number nearest to x, the even one of two.
 *
 *   x   any shape          y   shape of x
 *   The gradient is 0 everywhere: the path ends here.
 *   Exact.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = real_rint(x[k]);
}

AD_OP(round, .arity = 1, .shape = ad_same_shape, .map = map, .integral = true, .flat = true,
      .samples = { { .in = { AD_DIMS(6) },
                     .give = { AD_LIST(-1.5, -0.5, 0.5, 1.5, 2.5, 2.75) },
                     .want = { AD_LIST(-2, 0, 0, 2, 2, 3) },
                     .dwant = { AD_LIST(0, 0, 0, 0, 0, 0) } },
                   { .in = { AD_DIMS_OF(AD_I32, 2) },
                     .give = { AD_LIST(3, -4) },
                     .want = { AD_LIST(3, -4) } },
                   { .in = { AD_DIMS(2, 3) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIM0 }, .lo = -2, .hi = 2 } });

/* Every element rounded to the nearest whole number, halves to the even one. */
AD_API ad_node *ad_round(ad_node *x)
{
	return AD_CALL(round, x);
}
