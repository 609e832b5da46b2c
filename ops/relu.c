/*
 * relu: y = max(x, 0), element by element.
 *
 *   x   any shape          y   shape of x
 *   dx = dy where x > 0, else 0  from the output alone
 *   Exact.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = x[k] <= 0 ? 0 : x[k];
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
#pragma omp simd
	for (size_t k = 0; k < n; k++)
		dx[0][k] = real_where(y[k] <= 0, 0, dy[k]);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_node *zero = ad_constant(ad_graph_of(y), 0);

	dx[0] = ad_where(ad_less_equal(y, zero), zero, dy[0]);
}

AD_OP(relu, .arity = 1, .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_OUTPUTS,
      .samples = { { .in = { AD_DIMS(3) },
                     .give = { AD_LIST(-1.5, 0, 3) },
                     .want = { AD_LIST(0, 0, 3) },
                     .dwant = { AD_LIST(0, 0, 1) } },
                   { .in = { AD_DIMS(1) }, .give = { AD_LIST(NAN) }, .want = { AD_LIST(NAN) } },
                   { .in = { AD_DIMS(2, 3) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIM0 }, .lo = -2, .hi = 2 } });

/* Every element, with 0 in place of those below 0. */
AD_API ad_node *ad_relu(ad_node *x)
{
	return AD_CALL(relu, x);
}
