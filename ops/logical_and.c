/*
 * logical_and: y = a and b, element by element, broadcast; nonzero is true.
 *
 *   a, b   any shapes that broadcast
 *   y      a mask of the broadcast shape
 *   A mask has no gradient: the path ends here.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *a = in[0], *b = in[1];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = real_where((a[k] != 0) & (b[k] != 0), 1, 0);
}

AD_OP(logical_and, .arity = 2, .shape = ad_broadcast_shape, .map = map, .gives_mask = true,
      .samples = { { .in = { AD_DIMS_OF(AD_BOOL, 4), AD_DIMS_OF(AD_BOOL, 4) },
                     .give = { AD_LIST(0, 0, 1, 1), AD_LIST(0, 1, 0, 1) },
                     .want = { AD_LIST(0, 0, 0, 1) } },
                   { .in = { AD_DIMS_OF(AD_BOOL, 2, 1), AD_DIMS(3) },
                     .give = { AD_LIST(0, 1), AD_LIST(0, -2, NAN) },
                     .want = { AD_LIST(0, 0, 0, 0, 1, 1) } },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(4) },
                     .lo = 0,
                     .hi = 1,
                     .error = "cannot broadcast (2, 3) and (4,)" } });

/* A mask that holds where both a and b are true, that is, not 0. */
AD_API ad_node *ad_logical_and(ad_node *a, ad_node *b)
{
	return AD_CALL(logical_and, a, b);
}
