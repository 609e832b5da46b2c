/*
 * minimum: y = the smaller of a and b, element by element, broadcast.
 *
 *   a, b   any shapes that broadcast
 *   y      the broadcast shape
 *   da = dy where a is the smaller, half of dy at a tie, else 0; db likewise
 *   A NaN on either side gives NaN.
 *   Exact.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *a = in[0], *b = in[1];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = (a[k] < b[k]) | (a[k] != a[k]) ? a[k] : b[k];
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *a = in[0], *b = in[1];

	if (dx[0]) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			dx[0][k] =
			    real_where(a[k] > b[k], 0, real_where(a[k] == b[k], dy[k] / 2, dy[k]));
	}
	if (dx[1]) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			dx[1][k] =
			    real_where(b[k] > a[k], 0, real_where(a[k] == b[k], dy[k] / 2, dy[k]));
	}
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_node *a = ad_input_of(y, 0), *b = ad_input_of(y, 1);
	ad_node *zero = ad_constant(ad_graph_of(y), 0), *half = ad_constant(ad_graph_of(y), 0.5);
	ad_node *share = ad_where(ad_equal(a, b), ad_mul(dy[0], half), dy[0]);

	if (ad_wants(y, 0))
		dx[0] = ad_where(ad_greater(a, b), zero, share);
	if (ad_wants(y, 1))
		dx[1] = ad_where(ad_greater(b, a), zero, share);
}

AD_OP(minimum, .arity = 2, .shape = ad_broadcast_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_INPUTS, .integral = true,
      .samples = { { .in = { AD_DIMS(3), AD_DIMS(3) },
                     .give = { AD_LIST(1, 2, 3), AD_LIST(2, 2, -1) },
                     .want = { AD_LIST(1, 2, -1) },
                     .dwant = { AD_LIST(1, 0.5, 0), AD_LIST(0, 0.5, 1) } },
                   { .in = { AD_DIMS(3), AD_DIMS(3) },
                     .give = { AD_LIST(NAN, 1, NAN), AD_LIST(1, NAN, NAN) },
                     .want = { AD_LIST(NAN, NAN, NAN) } },
                   { .in = { AD_DIMS(2, 2), AD_DIM0 },
                     .give = { AD_LIST(1, -1, 0.5, 0), AD_LIST(0) },
                     .want = { AD_LIST(0, -1, 0, 0) } },
                   { .in = { AD_DIMS_OF(AD_I32, 2), AD_DIMS_OF(AD_I32, 2) },
                     .give = { AD_LIST(1, 5), AD_LIST(3, 2) },
                     .want = { AD_LIST(1, 2) } },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(2, 3) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(3) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 1), AD_DIMS(1, 3) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIM0, AD_DIMS(2, 3) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 1, 2), AD_DIMS(3, 1) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(4) },
                     .lo = 0,
                     .hi = 1,
                     .error = "cannot broadcast (2, 3) and (4,)" } });

/* The smaller of a and b, element by element; at a tie each gets half of the gradient. */
AD_API ad_node *ad_minimum(ad_node *a, ad_node *b)
{
	return AD_CALL(minimum, a, b);
}
