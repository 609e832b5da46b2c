/*
 * bce_each: the binary cross-entropy of every probability x, -(t ln x + (1 - t) ln(1 - x)).
 *
 *   x, target   in [0, 1], of shapes that broadcast      y   the broadcast shape
 *   dx = dy (x - t) / (x (1 - x)), dt = dy (ln(1 - x) - ln x)
 *
 * The logarithms are limited below at -100 and the denominator of dx at 1e-12, so that 0 and 1
 * give finite losses and gradients. An x outside of [0, 1] gives NaN. Within 4 ulp of the larger
 * term.
 */
#include "op.h"

#define LEAST_LOG (-100)
#define LEAST_DENOMINATOR 1e-12

static inline ad_real limited(ad_real log)
{
	return log < LEAST_LOG ? LEAST_LOG : log;
}

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0], *t = in[1];

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = real_fused(t[k] - 1, limited(real_log1p(-x[k])),
		                  -t[k] * limited(real_log(x[k])));
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *x = in[0], *t = in[1], least = (ad_real)LEAST_DENOMINATOR;

	if (dx[0]) {
#pragma omp simd
		for (size_t k = 0; k < n; k++) {
			const ad_real below = x[k] * (1 - x[k]);

			dx[0][k] = dy[k] * ((x[k] - t[k]) / (below < least ? least : below));
		}
	}
	if (dx[1]) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			dx[1][k] = dy[k] * (limited(real_log1p(-x[k])) - limited(real_log(x[k])));
	}
}

/* The limited logarithm: of 1 where x is 0, so that no infinity meets the next order. */
static ad_node *limited_log(ad_node *x)
{
	ad_graph *g = ad_graph_of(x);
	ad_node *gone = ad_equal(x, ad_constant(g, 0));

	return ad_where(
	    gone, ad_constant(g, LEAST_LOG),
	    ad_clamp(ad_log(ad_where(gone, ad_constant(g, 1), x)), LEAST_LOG, (double)INFINITY));
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_node *x = ad_input_of(y, 0), *t = ad_input_of(y, 1);
	ad_node *rest = ad_sub(ad_constant(ad_graph_of(y), 1), x);

	if (ad_wants(y, 0))
		dx[0] =
		    ad_mul(dy[0], ad_div(ad_sub(x, t), ad_clamp(ad_mul(x, rest), LEAST_DENOMINATOR,
		                                                (double)INFINITY)));
	if (ad_wants(y, 1))
		dx[1] = ad_mul(dy[0], ad_sub(limited_log(rest), limited_log(x)));
}

AD_OP(bce_each, .arity = 2, .inputs = "x target", .shape = ad_broadcast_shape, .map = map,
      .dmap = dmap, .grad = grad, .reads = AD_READS_INPUTS,
      .samples = {
	  { .in = { AD_DIMS(5), AD_DIMS(5) },
            .give = { AD_LIST(0.5, 0.25, 0, 1, 0), AD_LIST(1, 0, 0, 0, 0.5) },
            .want = { AD_LIST(0.6931471805599453, 0.2876820724517809, 0, 100, 50) },
            .dwant = { AD_LIST(-2, 1.3333333333333333, 0, 1e12, -5e11),
                       AD_LIST(0, 1.0986122886681098, 100, -100, 100) } },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(3) }, .lo = 0.1, .hi = 0.9 },
	  { .in = { AD_DIMS(2, 1), AD_DIMS(3) }, .lo = 0.1, .hi = 0.9 },
	  { .in = { AD_DIM0, AD_DIM0 }, .lo = 0.1, .hi = 0.9 },
	  { .in = { AD_DIMS(1), AD_DIMS(1) },
            .give = { AD_LIST(1.5), AD_LIST(0.5) },
            .want = { AD_LIST(NAN) } },
	  { .in = { AD_DIMS(2), AD_DIMS(3) }, .error = "cannot broadcast (2,) and (3,)" } });

/* -(target ln x + (1 - target) ln(1 - x)) for every element, the logarithms limited at -100. */
AD_API ad_node *ad_bce_each(ad_node *x, ad_node *target)
{
	return AD_CALL(bce_each, x, target);
}
