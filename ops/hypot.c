/*
 * hypot: y = sqrt(a^2 + b^2), broadcast, without overflow.
 *
 *   a, b   any shapes that broadcast
 *   y      the broadcast shape
 *   da = dy a / y, db = dy b / y; NaN at (0, 0)
 *   Within 1 ulp.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *a = in[0], *b = in[1];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = real_hypot(a[k], b[k]);
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *a = in[0], *b = in[1];

	if (dx[0]) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			dx[0][k] = dy[k] * (a[k] / y[k]);
	}
	if (dx[1]) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			dx[1][k] = dy[k] * (b[k] / y[k]);
	}
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	if (ad_wants(y, 0))
		dx[0] = ad_mul(dy[0], ad_div(ad_input_of(y, 0), y));
	if (ad_wants(y, 1))
		dx[1] = ad_mul(dy[0], ad_div(ad_input_of(y, 1), y));
}

AD_OP(hypot, .arity = 2, .shape = ad_broadcast_shape, .map = map, .dmap = dmap, .grad = grad,
      .samples = { { .in = { AD_DIMS(3), AD_DIMS(3) },
                     .give = { AD_LIST(3, -5, 0), AD_LIST(4, 12, 0) },
                     .want = { AD_LIST(5, 13, 0) },
                     .dwant = { AD_LIST(0.6, -0.38461538461538464, NAN),
                                AD_LIST(0.8, 0.9230769230769231, NAN) } },
                   { .in = { AD_DIMS(1), AD_DIMS(1) },
                     .give = { AD_LIST(3.802951800684688e+30), AD_LIST(5.070602400912918e+30) },
                     .want = { AD_LIST(6.338253001141147e+30) },
                     .dwant = { AD_LIST(0.6), AD_LIST(0.8) } },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(2, 3) }, .lo = 0.5, .hi = 3 },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(3) }, .lo = 0.5, .hi = 3 },
                   { .in = { AD_DIMS(2, 1), AD_DIMS(1, 3) }, .lo = 0.5, .hi = 3 },
                   { .in = { AD_DIM0, AD_DIMS(2, 3) }, .lo = 0.5, .hi = 3 },
                   { .in = { AD_DIMS(2, 1, 2), AD_DIMS(3, 1) }, .lo = 0.5, .hi = 3 },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(4) },
                     .lo = 0,
                     .hi = 1,
                     .error = "cannot broadcast (2, 3) and (4,)" } });

/* The length of the vector (a, b), element by element. */
AD_API ad_node *ad_hypot(ad_node *a, ad_node *b)
{
	return AD_CALL(hypot, a, b);
}
