/*
 * atan2: y = the angle of the point (b, a), from -pi to pi, broadcast.
 *
 *   a, b   any shapes that broadcast
 *   y      the broadcast shape
 *   da = dy b / (a^2 + b^2), db = -dy a / (a^2 + b^2); NaN at (0, 0)
 *   Within 2 ulp.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *a = in[0], *b = in[1];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = real_atan2(a[k], b[k]);
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *a = in[0], *b = in[1];

	if (dx[0]) {
#pragma omp simd
		for (size_t k = 0; k < n; k++) {
			const ad_real r = real_hypot(a[k], b[k]);

			dx[0][k] = dy[k] * (b[k] / r / r);
		}
	}
	if (dx[1]) {
#pragma omp simd
		for (size_t k = 0; k < n; k++) {
			const ad_real r = real_hypot(a[k], b[k]);

			dx[1][k] = -dy[k] * (a[k] / r / r);
		}
	}
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_node *a = ad_input_of(y, 0), *b = ad_input_of(y, 1), *r = ad_hypot(a, b);

	if (ad_wants(y, 0))
		dx[0] = ad_mul(dy[0], ad_div(ad_div(b, r), r));
	if (ad_wants(y, 1))
		dx[1] = ad_neg(ad_mul(dy[0], ad_div(ad_div(a, r), r)));
}

AD_OP(atan2, .arity = 2, .shape = ad_broadcast_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_INPUTS,
      .samples = {
	  { .in = { AD_DIMS(5), AD_DIMS(5) },
            .give = { AD_LIST(1, 1, -3, 0, 1), AD_LIST(1, -1, -4, -1, 0) },
            .want = { AD_LIST(0.7853981633974483, 2.356194490192345, -2.498091544796509,
                              3.141592653589793, 1.5707963267948966) },
            .dwant = { AD_LIST(0.5, -0.5, -0.16, -1, 0), AD_LIST(-0.5, -0.5, 0.12, 0, -1) } },
	  { .in = { AD_DIMS(1), AD_DIMS(1) },
            .give = { AD_LIST(1.2676506002282294e+30), AD_LIST(1.2676506002282294e+30) },
            .want = { AD_LIST(0.7853981633974483) },
            .dwant = { AD_LIST(3.944304526105059e-31), AD_LIST(-3.944304526105059e-31) } },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(2, 3) }, .lo = 0.5, .hi = 3 },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(3) }, .lo = 0.5, .hi = 3 },
	  { .in = { AD_DIMS(2, 1), AD_DIMS(1, 3) }, .lo = 0.5, .hi = 3 },
	  { .in = { AD_DIM0, AD_DIMS(2, 3) }, .lo = 0.5, .hi = 3 },
	  { .in = { AD_DIMS(2, 1, 2), AD_DIMS(3, 1) }, .lo = 0.5, .hi = 3 },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(4) },
            .lo = 0,
            .hi = 1,
            .error = "cannot broadcast (2, 3) and (4,)" } });

/* The angle whose tangent is a / b, in the quadrant of the point (b, a). */
AD_API ad_node *ad_atan2(ad_node *a, ad_node *b)
{
	return AD_CALL(atan2, a, b);
}
