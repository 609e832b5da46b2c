/*
 * mish: y = x tanh(ln(1 + e^x)), element by element.
 *
 *   x   any shape          y   shape of x
 *   dx = dy (t + x s (1 - t^2)) with t = tanh(ln(1 + e^x)), s = 1 / (1 + e^-x)
 *   With e = exp(-|x|), which cannot overflow, t is a quotient of two polynomials in e.
 *   Within 6 ulp.
 */
#include "op.h"

static inline ad_real tanh_softplus(ad_real x, ad_real e)
{
	return x < 0 ? (e * e + 2 * e) / (e * e + 2 * e + 2)
	             : (1 + 2 * e) / (1 + 2 * e + 2 * e * e);
}

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++) {
		/* e^-|x| in two halves: x times one is a normal number as long as y is */
		const ad_real h = real_exp(-real_fabs(x[k]) / 2), e = h * h;

		y[k] = x[k] < 0 ? x[k] * h * h * (e + 2) / (e * e + 2 * e + 2)
		                : x[k] * ((1 + 2 * e) / (1 + 2 * e + 2 * e * e));
	}
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++) {
		const ad_real e = real_exp(-real_fabs(x[k]));
		const ad_real t = tanh_softplus(x[k], e);
		const ad_real s = (x[k] < 0 ? e : 1) / (1 + e);

		dx[0][k] = dy[k] * (t + x[k] * s * (1 - t * t));
	}
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_node *x = ad_input_of(y, 0), *one = ad_constant(ad_graph_of(y), 1);
	ad_node *t = ad_tanh(ad_softplus(x, 1, 20));
	ad_node *bend = ad_mul(ad_mul(x, ad_sigmoid(x)), ad_sub(one, ad_square(t)));

	dx[0] = ad_mul(dy[0], ad_add(t, bend));
}

AD_OP(mish, .arity = 1, .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_INPUTS,
      .samples = { { .in = { AD_DIMS(5) },
                     .give = { AD_LIST(-1000, -1, 0, 2, 1000) },
                     .want = { AD_LIST(-0.0, -0.3034014613741089, 0, 1.9439589595339946, 1000) },
                     .dwant = { AD_LIST(0, 0.05921675587739495, 0.6, 1.0693179342794896, 1) } },
                   { .in = { AD_DIMS(2, 3) }, .lo = -4, .hi = 4 },
                   { .in = { AD_DIM0 }, .lo = -4, .hi = 4 } });

/* Every element x times tanh(softplus(x)). */
AD_API ad_node *ad_mish(ad_node *x)
{
	return AD_CALL(mish, x);
}
