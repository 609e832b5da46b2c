/*
 * not_equal: y = a != b, element by element, broadcast.
 *
 *   a, b   any shapes that broadcast
 *   y      a mask of the broadcast shape; comparing with NaN is true
 *   A mask has no gradient: the path ends here.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *a = in[0], *b = in[1];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = a[k] != b[k];
}

AD_OP(not_equal, .arity = 2, .shape = ad_broadcast_shape, .map = map, .gives_mask = true,
      .samples = { { .in = { AD_DIMS(4), AD_DIMS(4) },
                     .give = { AD_LIST(1, 2, 3, -1), AD_LIST(2, 2, 1, -1.5) },
                     .want = { AD_LIST(1, 0, 1, 1) } },
                   { .in = { AD_DIMS(2, 1), AD_DIMS(3) },
                     .give = { AD_LIST(1, 2), AD_LIST(1, 2, 3) },
                     .want = { AD_LIST(0, 1, 1, 1, 0, 1) },
                     .dwant = { AD_LIST(0, 0), AD_LIST(0, 0, 0) } },
                   { .in = { AD_DIMS(3), AD_DIM0 },
                     .give = { AD_LIST(NAN, INFINITY, -INFINITY), AD_LIST(NAN) },
                     .want = { AD_LIST(1, 1, 1) } },
                   { .in = { AD_DIMS_OF(AD_I32, 3), AD_DIM0 },
                     .give = { AD_LIST(1, 2, 3), AD_LIST(2) },
                     .want = { AD_LIST(1, 0, 1) } },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(4) },
                     .lo = 0,
                     .hi = 1,
                     .error = "cannot broadcast (2, 3) and (4,)" } });

/* A mask that holds where a differs from b. */
AD_API ad_node *ad_not_equal(ad_node *a, ad_node *b)
{
	return AD_CALL(not_equal, a, b);
}
