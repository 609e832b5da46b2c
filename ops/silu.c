/*
 * silu: y = x / (1 + exp(-x)), element by element; also called swish.
 *
 *   x   any shape          y   shape of x
 *   dx = dy s (1 + x (1 - s)) with s = 1 / (1 + exp(-x))
 *   Within 5 ulp.
 */
#include "op.h"

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++) {
		/* e^-|x| in two halves: x times one is a normal number as long as y is */
		const ad_real h = real_exp(-real_fabs(x[k]) / 2);

		y[k] = (x[k] < 0 ? x[k] * h * h : x[k]) / (1 + h * h);
	}
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++) {
		const ad_real s = 1 / (1 + real_exp(-x[k]));

		dx[0][k] = dy[k] * s * (1 + x[k] * (1 - s));
	}
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_node *x = ad_input_of(y, 0), *one = ad_constant(ad_graph_of(y), 1), *s = ad_sigmoid(x);

	dx[0] = ad_mul(dy[0], ad_mul(s, ad_add(ad_mul(x, ad_sub(one, s)), one)));
}

AD_OP(silu, .arity = 1, .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_INPUTS,
      .samples = { { .in = { AD_DIMS(5) },
                     .give = { AD_LIST(-1000, -1, 0, 2, 1000) },
                     .want = { AD_LIST(-0.0, -0.2689414213699951, 0, 1.7615941559557649, 1000) },
                     .dwant = { AD_LIST(0, 0.07232948812851327, 0.5, 1.0907842487848955, 1) } },
                   { .in = { AD_DIMS(2, 3) }, .lo = -4, .hi = 4 },
                   { .in = { AD_DIM0 }, .lo = -4, .hi = 4 } });

/* Every element times its logistic function. */
AD_API ad_node *ad_silu(ad_node *x)
{
	return AD_CALL(silu, x);
}
