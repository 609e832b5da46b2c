/*
 * gelu: y = x Phi(x), Phi the normal distribution function.
 *
 *   x   any shape          y   shape of x
 *   approximate = none: Phi(x) = (1 + erf(x / sqrt 2)) / 2
 *   approximate = tanh: (1 + tanh(u)) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3)
 *   dx = dy (Phi(x) + x Phi'(x))
 *   Hendrycks and Gimpel, "Gaussian error linear units", 2016.
 *   Within 6 ulp for x > -12.5; below, where y vanishes, within 40. By tanh, within 2 ulp of x.
 */
#include "op.h"

#define ROOT_HALF 0.7071067811865476
#define ROOT_2_PI 0.7978845608028654
#define CUBIC 0.044715
#define FAR 30 /* beyond it tanh is 1 in every digit, while powers of x might overflow */

struct attrs {
	const char *approximate;
};

static const ad_attr table[] = {
	AD_ATTR(struct attrs, approximate, AD_WORD, "none",
	        "none, or tanh for the approximation by tanh", "none tanh"),
	{ 0 },
};

static bool by_tanh(const void *attrs)
{
	const char *word = ((const struct attrs *)attrs)->approximate;

	return word && !strcmp(word, "tanh");
}

static inline ad_real near(ad_real x)
{
	x = x > FAR ? FAR : x;
	return x < -FAR ? -FAR : x;
}

/* -2 u, as (1 + tanh(u)) / 2 = 1 / (1 + exp(-2 u)). */
static inline ad_real exponent(ad_real v)
{
	return (ad_real)(-2 * ROOT_2_PI) * v * (1 + (ad_real)CUBIC * v * v);
}

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];

	if (by_tanh(attrs)) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			y[k] = x[k] / (1 + real_exp(exponent(near(x[k]))));
		return;
	}
#pragma omp simd
	for (size_t k = 0; k < n; k++) {
		ad_real bell;

		y[k] = x[k] * real_normal(x[k], &bell);
	}
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *x = in[0];

	if (by_tanh(attrs)) {
#pragma omp simd
		for (size_t k = 0; k < n; k++) {
			const ad_real v = near(x[k]), s = 1 / (1 + real_exp(exponent(v)));
			const ad_real slope =
			    (ad_real)(2 * ROOT_2_PI) * (1 + 3 * (ad_real)CUBIC * v * v);

			dx[0][k] = dy[k] * (s + v * s * (1 - s) * slope);
		}
		return;
	}
#pragma omp simd
	for (size_t k = 0; k < n; k++) {
		ad_real bell;
		const ad_real part = real_normal(x[k], &bell);

		dx[0][k] = dy[k] * (part + x[k] * ((ad_real)(ROOT_2_PI / 2) * bell));
	}
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_graph *g = ad_graph_of(y);
	ad_node *x = ad_input_of(y, 0), *one = ad_constant(g, 1), *half = ad_constant(g, 0.5);
	ad_node *part, *rest, *v, *t;

	if (by_tanh(ad_attrs_of(y))) {
		v = ad_clamp(x, -FAR, FAR);
		rest = ad_mul(ad_square(v), ad_constant(g, CUBIC));
		t = ad_tanh(ad_mul(ad_mul(v, ad_constant(g, ROOT_2_PI)), ad_add(rest, one)));
		part = ad_mul(ad_add(t, one), half);
		rest = ad_add(ad_mul(rest, ad_constant(g, 3)), one);
		rest = ad_mul(ad_mul(v, ad_sub(one, ad_square(t))), rest);
	} else {
		part = ad_mul(ad_add(ad_erf(ad_mul(x, ad_constant(g, ROOT_HALF))), one), half);
		rest = ad_mul(x, ad_exp(ad_mul(ad_square(x), ad_constant(g, -0.5))));
	}
	dx[0] = ad_mul(dy[0], ad_add(part, ad_mul(rest, ad_constant(g, ROOT_2_PI / 2))));
}

AD_OP(gelu, .arity = 1, .attrs = table, .attrs_size = sizeof(struct attrs), .shape = ad_same_shape,
      .map = map, .dmap = dmap, .grad = grad, .reads = AD_READS_INPUTS,
      .samples = { { .in = { AD_DIMS(6) },
                     .give = { AD_LIST(-1000, -3, -0.5, 0, 2, 1000) },
                     .want = { AD_LIST(-0.0, -0.0040496940948902835, -0.15426876936299344, 0,
                                       1.9544997361036416, 1000) },
                     .dwant = { AD_LIST(0, -0.011945647204183927, 0.13250487534383715, 0.5,
                                        1.085231801078197, 1) } },
                   { .in = { AD_DIMS(6) },
                     .give = { AD_LIST(-1000, -3, -0.5, 0, 2, 1000000000000000.0) },
                     .want = { AD_LIST(0, -0.003637392081773019, -0.15428599017485609, 0,
                                       1.954597694087775, 1000000000000000.0) },
                     .dwant = { AD_LIST(0, -0.011584166630969726, 0.1326300964653577, 0.5,
                                        1.0860992566236183, 1) },
                     .attrs = "approximate=tanh" },
                   { .in = { AD_DIMS(2, 3) }, .lo = -3, .hi = 3 },
                   { .in = { AD_DIM0 }, .lo = -3, .hi = 3 },
                   { .in = { AD_DIMS(5) }, .lo = -3, .hi = 3, .attrs = "approximate=tanh" } });

/* The Gaussian error linear unit; approximate is "none" or "tanh". */
AD_API ad_node *ad_gelu(ad_node *x, const char *approximate)
{
	struct attrs attrs = { .approximate = approximate };

	return AD_CALL_WITH(gelu, &attrs, x);
}
