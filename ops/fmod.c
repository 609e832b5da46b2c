/*
 * fmod: y = a - b trunc(a / b), which has the sign of a, broadcast.
 *
 *   a, b   any shapes that broadcast
 *   y      the broadcast shape
 *   da = dy, db = -dy trunc(a / b), which is (a - y) / b
 *   Exact.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *a = in[0], *b = in[1];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = real_fmod(a[k], b[k]);
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *a = in[0], *b = in[1];

	if (dx[0]) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			dx[0][k] = dy[k];
	}
	if (dx[1]) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			dx[1][k] = -dy[k] * real_rint((a[k] - y[k]) / b[k]);
	}
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_node *b = ad_input_of(y, 1);

	dx[0] = dy[0];
	if (ad_wants(y, 1)) /* a whole number, constant between its jumps: round ends the path */
		dx[1] = ad_neg(ad_mul(dy[0], ad_round(ad_div(ad_sub(ad_input_of(y, 0), y), b))));
}

AD_OP(fmod, .arity = 2, .shape = ad_broadcast_shape, .map = map, .dmap = dmap, .grad = grad,
      .samples = { { .in = { AD_DIMS(6), AD_DIMS(6) },
                     .give = { AD_LIST(7, -7, 7, -7, 6, 5.5), AD_LIST(3, 3, -3, -3, 3, 2) },
                     .want = { AD_LIST(1, -1, 1, -1, 0, 1.5) },
                     .dwant = { AD_LIST(1, 1, 1, 1, 1, 1), AD_LIST(-2, 2, 2, -2, -2, -2) } },
                   { .in = { AD_DIMS_OF(AD_I32, 2), AD_DIMS_OF(AD_I32, 2) },
                     .give = { AD_LIST(7, -7), AD_LIST(4, 4) },
                     .want = { AD_LIST(3, -3) } },
                   { .in = { AD_DIMS(2), AD_DIM0 },
                     .give = { AD_LIST(1, -1), AD_LIST(0) },
                     .want = { AD_LIST(NAN, NAN) } },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(2, 3) }, .lo = 0.5, .hi = 3 },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(3) }, .lo = 0.5, .hi = 3 },
                   { .in = { AD_DIMS(2, 1), AD_DIMS(1, 3) }, .lo = 0.5, .hi = 3 },
                   { .in = { AD_DIM0, AD_DIMS(2, 3) }, .lo = 0.5, .hi = 3 },
                   { .in = { AD_DIMS(2, 1, 2), AD_DIMS(3, 1) }, .lo = 0.5, .hi = 3 },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(4) },
                     .lo = 0,
                     .hi = 1,
                     .error = "cannot broadcast (2, 3) and (4,)" } });

/* The remainder of a divided by b, element by element, with the sign of a. */
AD_API ad_node *ad_fmod(ad_node *a, ad_node *b)
{
	return AD_CALL(fmod, a, b);
}
