/*
 * to_real: the numbers of x as reals: a mask as 0 and 1, an index as its value.
 *
 *   x   any shape, any element type          y   shape of x, real
 *   dx = dy for a real x; nothing else has a gradient
 *   Exact.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	if (y != in[0])
		memcpy(y, in[0], n * sizeof *y);
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	memcpy(dx[0], dy, n * sizeof *dy);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = dy[0];
}

AD_OP(to_real, .arity = 1, .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_NOTHING,
      .samples = { { .in = { AD_DIMS_OF(AD_BOOL, 3) },
                     .give = { AD_LIST(1, 0, 1) },
                     .want = { AD_LIST(1, 0, 1) } },
                   { .in = { AD_DIMS_OF(AD_I32, 2) },
                     .give = { AD_LIST(-7, 123456) },
                     .want = { AD_LIST(-7, 123456) } },
                   { .in = { AD_DIMS(2, 3) }, .lo = -4, .hi = 4 } });

/* x as reals: masks become 0 and 1, indices their values. */
AD_API ad_node *ad_to_real(ad_node *x)
{
	return AD_CALL(to_real, x);
}
