/*
 * ceil: y = the smallest whole number that is not below x.
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
		y[k] = real_ceil(x[k]);
}

AD_OP(ceil, .arity = 1, .shape = ad_same_shape, .map = map, .integral = true, .flat = true,
      .samples = { { .in = { AD_DIMS(5) },
                     .give = { AD_LIST(-1.5, -0.25, 0, 2.75, 3) },
                     .want = { AD_LIST(-1, 0, 0, 3, 3) },
                     .dwant = { AD_LIST(0, 0, 0, 0, 0) } },
                   { .in = { AD_DIMS_OF(AD_I32, 2) },
                     .give = { AD_LIST(3, -4) },
                     .want = { AD_LIST(3, -4) } },
                   { .in = { AD_DIMS(2, 3) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIM0 }, .lo = -2, .hi = 2 } });

/* Every element rounded up. */
AD_API ad_node *ad_ceil(ad_node *x)
{
	return AD_CALL(ceil, x);
}
