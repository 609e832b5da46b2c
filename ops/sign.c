/*
 * sign: y = -1, 0 or 1, the sign of x, element by element.
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
		y[k] = real_where(x[k] > 0, 1, real_where(x[k] < 0, -1, 0));
}

AD_OP(sign, .arity = 1, .shape = ad_same_shape, .map = map, .integral = true, .flat = true,
      .samples = { { .in = { AD_DIMS(3) },
                     .give = { AD_LIST(-2.5, 0, 0.5) },
                     .want = { AD_LIST(-1, 0, 1) },
                     .dwant = { AD_LIST(0, 0, 0) } },
                   { .in = { AD_DIMS_OF(AD_I32, 2) },
                     .give = { AD_LIST(3, -4) },
                     .want = { AD_LIST(1, -1) } },
                   { .in = { AD_DIMS(2, 3) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIM0 }, .lo = -2, .hi = 2 } });

/* The sign of every element: -1, 0 or 1. */
AD_API ad_node *ad_sign(ad_node *x)
{
	return AD_CALL(sign, x);
}
