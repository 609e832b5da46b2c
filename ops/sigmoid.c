/*
 * sigmoid: y = 1 / (1 + exp(-x)), element by element.
 *
 *   x   any shape          y   shape of x
 *   dx = dy y (1 - y)  from the output alone
 *   Within 3 ulp.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++) {
		const ad_real e = real_exp(-real_fabs(x[k])); /* cannot overflow */

		y[k] = (x[k] < 0 ? e : 1) / (1 + e);
	}
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
#pragma omp simd
	for (size_t k = 0; k < n; k++)
		dx[0][k] = dy[k] * y[k] * (1 - y[k]);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = ad_mul(dy[0], ad_mul(y, ad_sub(ad_constant(ad_graph_of(y), 1), y)));
}

AD_OP(sigmoid, .arity = 1, .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_OUTPUTS,
      .samples = { { .in = { AD_DIMS(4) },
                     .give = { AD_LIST(-1, 0, 100, -1000) },
                     .want = { AD_LIST(0.2689414213699951, 0.5, 1, 0) },
                     .dwant = { AD_LIST(0.19661193324148185, 0.25, 0, 0) } },
                   { .in = { AD_DIMS(2, 3) }, .lo = -4, .hi = 4 },
                   { .in = { AD_DIM0 }, .lo = -4, .hi = 4 } });

/* The logistic function of every element x. */
AD_API ad_node *ad_sigmoid(ad_node *x)
{
	return AD_CALL(sigmoid, x);
}
