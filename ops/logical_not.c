/*
 * logical_not: y = not x, element by element; nonzero is true.
 *
 *   x   any shape          y   a mask of the shape of x
 *   A mask has no gradient: the path ends here.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = x[k] == 0;
}

AD_OP(logical_not, .arity = 1, .shape = ad_same_shape, .map = map, .gives_mask = true,
      .samples = { { .in = { AD_DIMS_OF(AD_BOOL, 2) },
                     .give = { AD_LIST(0, 1) },
                     .want = { AD_LIST(1, 0) } },
                   { .in = { AD_DIMS(4) },
                     .give = { AD_LIST(0, -0.0, 2, NAN) },
                     .want = { AD_LIST(1, 1, 0, 0) } } });

/* A mask that holds where x is false, that is, 0. */
AD_API ad_node *ad_logical_not(ad_node *x)
{
	return AD_CALL(logical_not, x);
}
