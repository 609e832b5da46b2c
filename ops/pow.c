/*
 * pow: y = a^b, element by element, broadcast.
 *
 *   a, b   any shapes that broadcast
 *   y      the broadcast shape
 *   da = dy b a^(b - 1), and 0 where b = 0
 *   db = dy y ln a, and 0 where a = 0 and b >= 0; NaN for negative a
 *   Within 1 ulp.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *a = in[0], *b = in[1];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = real_pow(a[k], b[k]);
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *a = in[0], *b = in[1];

	if (dx[0]) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			dx[0][k] = b[k] == 0 ? 0 : dy[k] * b[k] * real_pow(a[k], b[k] - 1);
	}
	if (dx[1]) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			dx[1][k] = real_where((a[k] == 0) & (b[k] >= 0), 0,
			                      dy[k] * y[k] * real_log(a[k]));
	}
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_node *a = ad_input_of(y, 0), *b = ad_input_of(y, 1);
	ad_node *zero = ad_constant(ad_graph_of(y), 0), *one = ad_constant(ad_graph_of(y), 1);
	ad_node *base;

	/* The exceptions replace the base by 1 and not the result by 0: no infinity, which the next
	 * order would turn into NaN, is computed there at all. "Not above 0" is 0 or NaN. */
	if (ad_wants(y, 0)) {
		base = ad_where(
		    ad_logical_and(ad_equal(b, zero), ad_logical_not(ad_greater(ad_abs(a), zero))),
		    one, a);
		dx[0] = ad_mul(dy[0], ad_mul(b, ad_pow(base, ad_sub(b, one))));
	}
	if (ad_wants(y, 1)) {
		base =
		    ad_where(ad_logical_and(ad_equal(a, zero), ad_greater_equal(b, zero)), one, a);
		dx[1] = ad_mul(dy[0], ad_mul(y, ad_log(base)));
	}
}

AD_OP(pow, .arity = 2, .shape = ad_broadcast_shape, .map = map, .dmap = dmap, .grad = grad,
      .samples = {
	  { .in = { AD_DIMS(3), AD_DIMS(3) },
            .give = { AD_LIST(0.5, 2, 4), AD_LIST(-1.5, 3, 0.5) },
            .want = { AD_LIST(2.8284271247461903, 8, 2) },
            .dwant = { AD_LIST(-8.48528137423857, 12, 0.25),
                       AD_LIST(-1.9605162869370945, 5.545177444479562, 2.772588722239781) } },
	  { .in = { AD_DIMS(5), AD_DIMS(5) },
            .give = { AD_LIST(0, 0, 0, -2, -2), AD_LIST(0, 2, 0.5, 3, 0) },
            .want = { AD_LIST(1, 0, 0, -8, 1) },
            .dwant = { AD_LIST(0, 0, INFINITY, 12, 0), AD_LIST(0, 0, 0, NAN, NAN) } },
	  { .in = { AD_DIMS(3), AD_DIM0 },
            .give = { AD_LIST(2, 3, 4), AD_LIST(2) },
            .want = { AD_LIST(4, 9, 16) },
            .dwant = { AD_LIST(4, 6, 8), AD_LIST(34.84080909817102) } },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(2, 3) }, .lo = 0.5, .hi = 2 },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(3) }, .lo = 0.5, .hi = 2 },
	  { .in = { AD_DIMS(2, 1), AD_DIMS(1, 3) }, .lo = 0.5, .hi = 2 },
	  { .in = { AD_DIM0, AD_DIMS(2, 3) }, .lo = 0.5, .hi = 2 },
	  { .in = { AD_DIMS(2, 1, 2), AD_DIMS(3, 1) }, .lo = 0.5, .hi = 2 },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(4) },
            .lo = 0,
            .hi = 1,
            .error = "cannot broadcast (2, 3) and (4,)" } });

/* a to the power of b, element by element. */
AD_API ad_node *ad_pow(ad_node *a, ad_node *b)
{
	return AD_CALL(pow, a, b);
}
