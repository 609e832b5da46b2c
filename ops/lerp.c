/*
 * lerp: y = a + w (b - a), element by element, broadcast.
 *
 *   a, b, w   any shapes that broadcast
 *   y         the broadcast shape
 *   da = dy (1 - w), db = dy w, dw = dy (b - a)
 *   Computed from the nearer end, so that w = 1 gives b exactly.
 *   Within 5 ulp of the larger of |a| and |b|, or of w times it if |w| > 1.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *a = in[0], *b = in[1], *w = in[2];

#pragma omp simd
	for (size_t k = 0; k < n; k++) {
		const ad_real d = b[k] - a[k];

		y[k] = w[k] < (ad_real)0.5 ? a[k] + w[k] * d : b[k] - d * (1 - w[k]);
	}
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *a = in[0], *b = in[1], *w = in[2];

	if (dx[0]) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			dx[0][k] = dy[k] * (1 - w[k]);
	}
	if (dx[1]) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			dx[1][k] = dy[k] * w[k];
	}
	if (dx[2]) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			dx[2][k] = dy[k] * (b[k] - a[k]);
	}
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_node *w = ad_input_of(y, 2);

	if (ad_wants(y, 0))
		dx[0] = ad_mul(dy[0], ad_sub(ad_constant(ad_graph_of(y), 1), w));
	if (ad_wants(y, 1))
		dx[1] = ad_mul(dy[0], w);
	if (ad_wants(y, 2))
		dx[2] = ad_mul(dy[0], ad_sub(ad_input_of(y, 1), ad_input_of(y, 0)));
}

AD_OP(lerp, .arity = 3, .inputs = "a b w", .shape = ad_broadcast_shape, .map = map, .dmap = dmap,
      .grad = grad, .reads = AD_READS_INPUTS,
      .samples = { { .in = { AD_DIMS(3), AD_DIMS(3), AD_DIMS(3) },
                     .give = { AD_LIST(1, 1, 1), AD_LIST(3, 3, 3), AD_LIST(0, 0.25, 1) },
                     .want = { AD_LIST(1, 1.5, 3) },
                     .dwant = { AD_LIST(1, 0.75, 0), AD_LIST(0, 0.25, 1), AD_LIST(2, 2, 2) } },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(2, 3), AD_DIMS(2, 3) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(3), AD_DIM0 }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 1), AD_DIMS(1, 3), AD_DIMS(2, 1, 1) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(2, 3), AD_DIMS(4) },
                     .lo = 0,
                     .hi = 1,
                     .error = "cannot broadcast (4,) with (2, 3)" } });

/* The point between a and b at the fraction w of the way. */
AD_API ad_node *ad_lerp(ad_node *a, ad_node *b, ad_node *w)
{
	return AD_CALL(lerp, a, b, w);
}
