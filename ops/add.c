/*
 * add: y = a + b, element by element, broadcast.
 *
 *   a, b   any shapes that broadcast
 *   y      the broadcast shape
 *   da = dy, db = dy
 *   Within 0.5 ulp.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *a = in[0], *b = in[1];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = a[k] + b[k];
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	if (dx[0]) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			dx[0][k] = dy[k];
	}
	if (dx[1]) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			dx[1][k] = dy[k];
	}
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = dy[0];
	dx[1] = dy[0];
}

AD_OP(add, .arity = 2, .shape = ad_broadcast_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_NOTHING, .integral = true,
      .samples = { { .in = { AD_DIMS(3), AD_DIMS(3) },
                     .give = { AD_LIST(1, 2, -0.5), AD_LIST(10, -2, 0.25) },
                     .want = { AD_LIST(11, 0, -0.25) } },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(3) },
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6), AD_LIST(10, 20, 30) },
                     .want = { AD_LIST(11, 22, 33, 14, 25, 36) },
                     .dwant = { AD_LIST(1, 1, 1, 1, 1, 1), AD_LIST(2, 2, 2) } },
                   { .in = { AD_DIMS(2, 1), AD_DIMS(2) },
                     .give = { AD_LIST(1, 2), AD_LIST(10, 20) },
                     .want = { AD_LIST(11, 21, 12, 22) } },
                   { .in = { AD_DIMS_OF(AD_I32, 3), AD_DIMS_OF(AD_I32, 3) },
                     .give = { AD_LIST(1, 2, 3), AD_LIST(4, -5, 6) },
                     .want = { AD_LIST(5, -3, 9) } },
                   { .in = { AD_DIMS(3), AD_DIMS_OF(AD_BOOL, 3) },
                     .give = { AD_LIST(1, 2, 3), AD_LIST(1, 0, 1) },
                     .want = { AD_LIST(2, 2, 4) } },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(2, 3) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(3) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 1), AD_DIMS(1, 3) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIM0, AD_DIMS(2, 3) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 1, 2), AD_DIMS(3, 1) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(4) },
                     .lo = 0,
                     .hi = 1,
                     .error = "cannot broadcast (2, 3) and (4,)" } });

/* The sum of a and b, element by element. */
AD_API ad_node *ad_add(ad_node *a, ad_node *b)
{
	return AD_CALL(add, a, b);
}
