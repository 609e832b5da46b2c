/*
 * tan: y = tan x, element by element.
 *
 *   x   any shape          y   shape of x
 *   dx = dy (1 + y^2)
 *   Within 2 ulp.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = real_tan(x[k]);
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
#pragma omp simd
	for (size_t k = 0; k < n; k++)
		dx[0][k] = dy[k] * (1 + y[k] * y[k]);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = ad_mul(dy[0], ad_add(ad_square(y), ad_constant(ad_graph_of(y), 1)));
}

AD_OP(tan, .arity = 1, .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_OUTPUTS,
      .samples = {
	  { .in = { AD_DIMS(4) },
            .give = { AD_LIST(-1, 0, 0.5, 3) },
            .want = { AD_LIST(-1.5574077246549023, 0, 0.5463024898437905, -0.1425465430742778) },
            .dwant = { AD_LIST(3.4255188208147596, 1, 1.2984464104095248, 1.0203195169424268) } },
	  { .in = { AD_DIMS(2, 3) }, .lo = -1, .hi = 1 },
	  { .in = { AD_DIM0 }, .lo = -1, .hi = 1 } });

/* The tangent of every element, in radians. */
AD_API ad_node *ad_tan(ad_node *x)
{
	return AD_CALL(tan, x);
}
