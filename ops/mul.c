/*
 * mul: y = a b, element by element, broadcast.
 *
 *   a, b   any shapes that broadcast
 *   y      the broadcast shape
 *   da = dy b, db = dy a
 *   Within 0.5 ulp.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *a = in[0], *b = in[1];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = a[k] * b[k];
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *a = in[0], *b = in[1];

	if (dx[0]) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			dx[0][k] = dy[k] * b[k];
	}
	if (dx[1]) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			dx[1][k] = dy[k] * a[k];
	}
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	if (ad_wants(y, 0))
		dx[0] = ad_mul(dy[0], ad_input_of(y, 1));
	if (ad_wants(y, 1))
		dx[1] = ad_mul(dy[0], ad_input_of(y, 0));
}

AD_OP(mul, .arity = 2, .shape = ad_broadcast_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_INPUTS, .integral = true,
      .samples = { { .in = { AD_DIMS(3), AD_DIMS(3) },
                     .give = { AD_LIST(1, 2, -0.5), AD_LIST(10, -2, 0.25) },
                     .want = { AD_LIST(10, -4, -0.125) },
                     .dwant = { AD_LIST(10, -2, 0.25), AD_LIST(1, 2, -0.5) } },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(3) },
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6), AD_LIST(10, 20, 30) },
                     .want = { AD_LIST(10, 40, 90, 40, 100, 180) },
                     .dwant = { AD_LIST(10, 20, 30, 10, 20, 30), AD_LIST(5, 7, 9) } },
                   { .in = { AD_DIMS_OF(AD_I32, 3), AD_DIMS_OF(AD_I32, 3) },
                     .give = { AD_LIST(1, 2, 3), AD_LIST(4, -5, 6) },
                     .want = { AD_LIST(4, -10, 18) } },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(2, 3) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(3) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 1), AD_DIMS(1, 3) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIM0, AD_DIMS(2, 3) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 1, 2), AD_DIMS(3, 1) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(4) },
                     .lo = 0,
                     .hi = 1,
                     .error = "cannot broadcast (2, 3) and (4,)" } });

/* The product of a and b, element by element. */
AD_API ad_node *ad_mul(ad_node *a, ad_node *b)
{
	return AD_CALL(mul, a, b);
}
