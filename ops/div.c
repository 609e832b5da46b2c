/*
 * div: y = a / b, element by element, broadcast.
 *
 *   a, b   any shapes that broadcast
 *   y      the broadcast shape
 *   da = dy / b, db = -dy (a / b) / b
 *   Within 0.5 ulp.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *a = in[0], *b = in[1];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = a[k] / b[k];
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *a = in[0], *b = in[1];

	if (dx[0]) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			dx[0][k] = dy[k] / b[k];
	}
	if (dx[1]) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			dx[1][k] = -dy[k] * (a[k] / b[k] / b[k]);
	}
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_node *b = ad_input_of(y, 1);

	if (ad_wants(y, 0))
		dx[0] = ad_div(dy[0], b);
	if (ad_wants(y, 1))
		dx[1] = ad_neg(ad_mul(dy[0], ad_div(y, b)));
}

AD_OP(div, .arity = 2, .shape = ad_broadcast_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_INPUTS,
      .samples = { { .in = { AD_DIMS(3), AD_DIMS(3) },
                     .give = { AD_LIST(1, -2, 3), AD_LIST(4, -8, 0.5) },
                     .want = { AD_LIST(0.25, 0.25, 6) },
                     .dwant = { AD_LIST(0.25, -0.125, 2), AD_LIST(-0.0625, 0.03125, -12) } },
                   { .in = { AD_DIMS(3), AD_DIM0 },
                     .give = { AD_LIST(1, -1, 0), AD_LIST(0) },
                     .want = { AD_LIST(INFINITY, -INFINITY, NAN) } },
                   { .in = { AD_DIMS_OF(AD_I32, 2), AD_DIMS_OF(AD_I32, 2) },
                     .give = { AD_LIST(7, -1), AD_LIST(2, 4) },
                     .want = { AD_LIST(3.5, -0.25) } },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(2, 3) }, .lo = 0.5, .hi = 3 },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(3) }, .lo = 0.5, .hi = 3 },
                   { .in = { AD_DIMS(2, 1), AD_DIMS(1, 3) }, .lo = 0.5, .hi = 3 },
                   { .in = { AD_DIM0, AD_DIMS(2, 3) }, .lo = 0.5, .hi = 3 },
                   { .in = { AD_DIMS(2, 1, 2), AD_DIMS(3, 1) }, .lo = 0.5, .hi = 3 },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(4) },
                     .lo = 0,
                     .hi = 1,
                     .error = "cannot broadcast (2, 3) and (4,)" } });

/* a divided by b, element by element; x / 0 is infinite or NaN as in IEEE 754. */
AD_API ad_node *ad_div(ad_node *a, ad_node *b)
{
	return AD_CALL(div, a, b);
}
