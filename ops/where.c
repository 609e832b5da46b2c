/*
 * where: y = a where cond holds, else b; all three broadcast.
 *
 *   cond   a mask, or whole numbers, of which 0 is false
 *   a, b   any shapes that broadcast
 *   y      the broadcast shape
 *   da = dy where cond holds, else 0; db the other way round
 *   Nothing, not even NaN, comes from the side that is not taken.
 *   Exact.
 */
#include "op.h"

static bool shape(ad_infer *s)
{
	if (s->in_type[0] == AD_REAL) {
		ad_fail(s->graph, AD_ERROR_TYPE,
		        "where: cond is an array of reals; write a comparison, such as x != 0");
		return false;
	}
	return ad_broadcast_shape(s);
}

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *cond = in[0], *a = in[1], *b = in[2];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = real_where(cond[k] != 0, a[k], b[k]);
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *cond = in[0];

	if (dx[1]) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			dx[1][k] = real_where(cond[k] != 0, dy[k], 0);
	}
	if (dx[2]) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			dx[2][k] = real_where(cond[k] != 0, 0, dy[k]);
	}
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_node *cond = ad_input_of(y, 0), *zero = ad_constant(ad_graph_of(y), 0);

	if (ad_wants(y, 1))
		dx[1] = ad_where(cond, dy[0], zero);
	if (ad_wants(y, 2))
		dx[2] = ad_where(cond, zero, dy[0]);
}

AD_OP(where, .arity = 3, .inputs = "cond a b", .shape = shape, .map = map, .dmap = dmap,
      .grad = grad, .reads = AD_READS_INPUTS, .integral = true,
      .samples = {
	  { .in = { AD_DIMS_OF(AD_BOOL, 4), AD_DIMS(4), AD_DIMS(4) },
            .give = { AD_LIST(1, 0, 1, 0), AD_LIST(1, 2, 3, NAN), AD_LIST(NAN, 20, 30, 40) },
            .want = { AD_LIST(1, 20, 3, 40) },
            .dwant = { { 0, NULL }, AD_LIST(1, 0, 1, 0), AD_LIST(0, 1, 0, 1) } },
	  { .in = { AD_DIMS_OF(AD_BOOL, 2, 1), AD_DIMS(3), AD_DIM0 },
            .give = { AD_LIST(1, 0), AD_LIST(1, 2, 3), AD_LIST(9) },
            .want = { AD_LIST(1, 2, 3, 9, 9, 9) },
            .dwant = { { 0, NULL }, AD_LIST(1, 1, 1), AD_LIST(3) } },
	  { .in = { AD_DIMS_OF(AD_I32, 3), AD_DIMS(3), AD_DIMS(3) },
            .give = { AD_LIST(0, 2, -1), AD_LIST(1, 2, 3), AD_LIST(4, 5, 6) },
            .want = { AD_LIST(4, 2, 3) } },
	  { .in = { AD_DIMS_OF(AD_BOOL, 2), AD_DIMS_OF(AD_I32, 2), AD_DIMS_OF(AD_I32, 2) },
            .give = { AD_LIST(1, 0), AD_LIST(1, 2), AD_LIST(3, 4) },
            .want = { AD_LIST(1, 4) } },
	  { .in = { AD_DIMS_OF(AD_BOOL, 2, 1, 2), AD_DIMS(2, 2, 2), AD_DIMS(1, 2) },
            .give = { AD_LIST(1, 0, 0, 1), AD_LIST(1, 2, 3, 4, 5, 6, 7, 8), AD_LIST(-0.5, 0.25) },
            .want = { AD_LIST(1, 0.25, 3, 0.25, -0.5, 6, -0.5, 8) },
            .smooth = true },
	  { .in = { AD_DIMS_OF(AD_BOOL, 2), AD_DIMS(2, 3), AD_DIMS(3) },
            .lo = 0,
            .hi = 1,
            .error = "cannot broadcast (2, 3) with (2,)" },
	  { .in = { AD_DIMS(3), AD_DIMS(3), AD_DIMS(3) },
            .lo = 0,
            .hi = 1,
            .error = "cond is an array of reals" } });

/* a where the mask cond holds, b elsewhere. cond is what a comparison gives. */
AD_API ad_node *ad_where(ad_node *cond, ad_node *a, ad_node *b)
{
	return AD_CALL(where, cond, a, b);
}
