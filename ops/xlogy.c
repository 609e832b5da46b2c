/*
 * xlogy: y = a ln b, and 0 where a = 0 (unless b is NaN), broadcast.
 *
 *   a, b   any shapes that broadcast
 *   y      the broadcast shape
 *   da = dy ln b, and 0 where a = 0 and b <= 0
 *   db = dy a / b
 *   Within 2 ulp.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *a = in[0], *b = in[1];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = real_where((a[k] == 0) & (b[k] == b[k]), 0, a[k] * real_log(b[k]));
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *a = in[0], *b = in[1];

	if (dx[0]) {
#pragma omp simd
		for (size_t k = 0; k < n; k++) {
			const ad_real log_b = real_log(b[k]);

			dx[0][k] = real_where((a[k] == 0) & (b[k] <= 0), 0, dy[k] * log_b);
		}
	}
	if (dx[1]) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			dx[1][k] = dy[k] * a[k] / b[k];
	}
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_node *a = ad_input_of(y, 0), *b = ad_input_of(y, 1);
	ad_node *zero = ad_constant(ad_graph_of(y), 0), *one = ad_constant(ad_graph_of(y), 1);
	ad_node *out;

	if (ad_wants(y, 0)) {
		/* the logarithm of 1 and not of b there: no infinity for the next order to meet */
		out = ad_logical_and(ad_equal(a, zero), ad_less_equal(b, zero));
		dx[0] = ad_mul(dy[0], ad_log(ad_where(out, one, b)));
	}
	if (ad_wants(y, 1))
		dx[1] = ad_mul(dy[0], ad_div(a, b));
}

AD_OP(xlogy, .arity = 2, .shape = ad_broadcast_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_INPUTS,
      .samples = {
	  { .in = { AD_DIMS(3), AD_DIMS(3) },
            .give = { AD_LIST(1, -2, 0.5), AD_LIST(0.5, 2, 8) },
            .want = { AD_LIST(-0.6931471805599453, -1.3862943611198906, 1.0397207708399179) },
            .dwant = { AD_LIST(-0.6931471805599453, 0.6931471805599453, 2.0794415416798357),
                       AD_LIST(2, -1, 0.0625) } },
	  { .in = { AD_DIMS(5), AD_DIMS(5) },
            .give = { AD_LIST(0, 0, 1, 0, 0), AD_LIST(0, 2, 0, NAN, -1) },
            .want = { AD_LIST(0, 0, -INFINITY, NAN, 0) },
            .dwant = { AD_LIST(0, 0.6931471805599453, -INFINITY, NAN, 0),
                       AD_LIST(NAN, 0, INFINITY, NAN, 0) } },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(2, 3) }, .lo = 0.5, .hi = 3 },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(3) }, .lo = 0.5, .hi = 3 },
	  { .in = { AD_DIMS(2, 1), AD_DIMS(1, 3) }, .lo = 0.5, .hi = 3 },
	  { .in = { AD_DIM0, AD_DIMS(2, 3) }, .lo = 0.5, .hi = 3 },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(4) },
            .lo = 0,
            .hi = 1,
            .error = "cannot broadcast (2, 3) and (4,)" } });

/* a times the logarithm of b, element by element; 0 where a is 0. */
AD_API ad_node *ad_xlogy(ad_node *a, ad_node *b)
{
	return AD_CALL(xlogy, a, b);
}
