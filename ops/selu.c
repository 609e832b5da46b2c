/*
 * selu: y = SCALE x where x > 0, else SCALE ALPHA (e^x - 1).
 *
 *   x   any shape          y   shape of x
 *   dx = SCALE dy where x > 0, else SCALE ALPHA dy e^x
 *   The two constants keep mean 0 and variance 1 through a net (Klambauer et al., "Self-
 *   normalizing neural networks", 2017).
 *   Within 3 ulp.
 */
#include "op.h"

#define ALPHA 1.6732632423543772
#define SCALE 1.0507009873554805

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];
	const ad_real alpha = (ad_real)ALPHA;
	const ad_real scale = (ad_real)SCALE;

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = scale * (x[k] > 0 ? x[k] : alpha * real_expm1(x[k]));
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *x = in[0];
	const ad_real alpha = (ad_real)ALPHA;
	const ad_real scale = (ad_real)SCALE;

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		dx[0][k] = scale * dy[k] * (x[k] > 0 ? 1 : alpha * real_exp(x[k]));
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_graph *g = ad_graph_of(y);
	ad_node *x = ad_input_of(y, 0), *low = ad_clamp(x, -INFINITY, 0); /* exp of it is finite */
	ad_node *above = ad_greater(x, ad_constant(g, 0));
	ad_node *slope = ad_mul(ad_exp(low), ad_constant(g, SCALE * ALPHA));

	dx[0] = ad_mul(dy[0], ad_where(above, ad_constant(g, SCALE), slope));
}

AD_OP(selu, .arity = 1, .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_INPUTS,
      .samples = {
	  { .in = { AD_DIMS(4) },
            .give = { AD_LIST(-20, -0.5, 0, 3) },
            .want = { AD_LIST(-1.758099337223664, -0.6917581878028713, 0, 3.1521029620664414) },
            .dwant = { AD_LIST(3.6237128249944113e-09, 1.0663411530445055, 1.7580993408473768,
                               1.0507009873554805) } },
	  { .in = { AD_DIMS(2, 3) }, .lo = -2, .hi = 2 },
	  { .in = { AD_DIM0 }, .lo = -2, .hi = 2 } });

/* The scaled exponential linear unit of every element. */
AD_API ad_node *ad_selu(ad_node *x)
{
	return AD_CALL(selu, x);
}
