/*
 * logsigmoid: y = ln(1 / (1 + exp(-x))), element by element, without overflow.
 *
 *   x   any shape          y   shape of x
 *   dx = dy / (1 + exp(x))
 *   Within 2 ulp.
 */
#include "op.h"

/* The exponentials of so many elements come first: with the logarithms in one loop they are a chain
 * of operations that is longer than processors look ahead. */
#define STRIP 64

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];

	for (size_t begin = 0, m; begin < n; begin += m) {
		ad_real e[STRIP];

		m = n - begin < STRIP ? n - begin : STRIP;
#pragma omp simd
		for (size_t k = 0; k < m; k++)
			e[k] = real_exp(-real_fabs(x[begin + k]));
#pragma omp simd
		for (size_t k = 0; k < m; k++) {
			const ad_real v = x[begin + k];

			y[begin + k] = (v < 0 ? v : 0) - real_log1p(e[k]);
		}
	}
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *x = in[0];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		dx[0][k] = dy[k] / (1 + real_exp(x[k]));
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = ad_mul(dy[0], ad_sigmoid(ad_neg(ad_input_of(y, 0))));
}

AD_OP(logsigmoid, .arity = 1, .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_INPUTS,
      .samples = { { .in = { AD_DIMS(5) },
                     .give = { AD_LIST(-1000, -1, 0, 2, 1000) },
                     .want = { AD_LIST(-1000, -1.3132616875182228, -0.6931471805599453,
                                       -0.1269280110429725, -0.0) },
                     .dwant = { AD_LIST(1, 0.7310585786300049, 0.5, 0.11920292202211756, 0) } },
                   { .in = { AD_DIMS(2, 3) }, .lo = -4, .hi = 4 },
                   { .in = { AD_DIM0 }, .lo = -4, .hi = 4 } });

/* The logarithm of the logistic function of every element. */
AD_API ad_node *ad_logsigmoid(ad_node *x)
{
	return AD_CALL(logsigmoid, x);
}
