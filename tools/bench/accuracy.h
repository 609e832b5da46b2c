/*
 * accuracy: how far the kernels of element-wise ops lie from the true results.
 *
 * Each kernel variant that runs here gets the same arguments: a dense range, magnitudes of every
 * exponent, and extremes. The true result comes from long double. An error is in ulp, the distance
 * of two neighbouring numbers of the type at the true result; of the ops where terms cancel, at the
 * largest term.
 */
#ifndef AUTOGRAD_ACCURACY_H
#define AUTOGRAD_ACCURACY_H

#include "op.h"

#include <float.h>
#include <stdint.h>
#include <stdio.h>

/* *scale is preset to NaN; what is put there takes the place of the result in the ulp. */
typedef long double accuracy_truth(const long double x[], long double *scale);

struct accuracy_case {
	const char *op, *attrs;
	int n_in;
	double lo, hi;      /* the dense range */
	double least, most; /* where arguments of all magnitudes, and extremes, are drawn from */
	accuracy_truth *truth;
};

struct accuracy {
	double worst; /* ulp; infinite if NaN met a number */
	double at[3]; /* where */
	double have, want;
	int level;
};

#define TRUTH(name, value)                                                                         \
	static long double truth_##name(const long double x[], long double *scale)                 \
	{                                                                                          \
		const long double a = x[0], b = x[1], c = x[2];                                    \
		(void)a, (void)b, (void)c;                                                         \
		return value;                                                                      \
	}

static inline long double truth_larger(long double a, long double b)
{
	return a > b || isnan(a) ? a : b;
}

static inline long double truth_smaller(long double a, long double b)
{
	return a < b || isnan(a) ? a : b;
}

static inline long double truth_limit(long double x, long double lo, long double hi)
{
	return x < lo ? lo : x > hi ? hi : x;
}

static inline long double truth_floored(long double a, long double b)
{
	long double r = fmodl(a, b);

	return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

static inline long double truth_tanh_gelu(long double x, long double *scale)
{
	long double v = truth_limit(x, -30, 30);
	long double u = 0.797884560802865355879892119868763737L * v * (1 + 0.044715L * v * v);

	*scale = x;
	return x / (1 + expl(-2 * u));
}

static inline long double truth_bce(long double x, long double t, long double *scale)
{
	long double p = -t * truth_larger(logl(x), -100);
	long double q = -(1 - t) * truth_larger(log1pl(-x), -100);

	*scale = truth_larger(p, q);
	return p + q;
}

static inline long double truth_between(const long double x[], long double *scale)
{
	*scale = truth_larger(fabsl(x[0]), fabsl(x[1])) * truth_larger(1, fabsl(x[2]));
	return x[0] + x[2] * (x[1] - x[0]);
}

static inline long double truth_fused(const long double x[], long double *scale)
{
	*scale = truth_larger(fabsl(x[0]), fabsl(1.5L * x[1] * x[2]));
	return x[0] + 1.5L * x[1] * x[2];
}

#define ROOT_HALF_L 0.707106781186547524400844362104849039L
#define SELU_SCALE_L 1.0507009873554804934193349852946L
#define SELU_ALPHA_L 1.6732632423543772848170429916717L

TRUTH(abs, fabsl(a))
TRUTH(acos, acosl(a))
TRUTH(add, a + b)
TRUTH(addcmul, truth_fused(x, scale))
TRUTH(asin, asinl(a))
TRUTH(atan, atanl(a))
TRUTH(atan2, atan2l(a, b))
TRUTH(bce_each, truth_bce(a, b, scale))
TRUTH(ceil, ceill(a))
TRUTH(celu, a > 0 ? a : 1.5L * expm1l(a / 1.5L))
TRUTH(clamp, truth_limit(a, -1.5L, 2.5L))
TRUTH(cos, cosl(a))
TRUTH(cosh, coshl(a))
TRUTH(div, a / b)
TRUTH(elu, a > 0 ? a : 1.5L * expm1l(a))
TRUTH(equal, a == b)
TRUTH(erf, erfl(a))
TRUTH(exp, expl(a))
TRUTH(exp2, exp2l(a))
TRUTH(expm1, expm1l(a))
TRUTH(floor, floorl(a))
TRUTH(fmod, fmodl(a, b))
TRUTH(gelu, a *erfcl(-a *ROOT_HALF_L) / 2)
TRUTH(gelu_tanh, truth_tanh_gelu(a, scale))
TRUTH(greater, a > b)
TRUTH(greater_equal, a >= b)
TRUTH(hardshrink, fabsl(a) <= 0.5L ? 0 : a)
TRUTH(hardsigmoid, truth_limit((a + 3) / 6, 0, 1))
TRUTH(hardswish, a *truth_limit((a + 3) / 6, 0, 1))
TRUTH(hardtanh, truth_limit(a, -1, 1))
TRUTH(hypot, hypotl(a, b))
TRUTH(leaky_relu, a > 0 ? a : 0.25L * a)
TRUTH(lerp, truth_between(x, scale))
TRUTH(less, a < b)
TRUTH(less_equal, a <= b)
TRUTH(log, logl(a))
TRUTH(log1p, log1pl(a))
TRUTH(log2, log2l(a))
TRUTH(logical_and, a != 0 && b != 0)
TRUTH(logical_not, a == 0)
TRUTH(logical_or, a != 0 || b != 0)
TRUTH(logsigmoid, a < 0 ? a - log1pl(expl(a)) : -log1pl(expl(-a)))
TRUTH(maximum, truth_larger(a, b))
TRUTH(minimum, truth_smaller(a, b))
TRUTH(mish, a *tanhl(a > 50 ? a : log1pl(expl(a))))
TRUTH(mul, a *b)
TRUTH(neg, -a)
TRUTH(not_equal, a != b)
TRUTH(pow, powl(a, b))
TRUTH(pow_scalar, powl(a, 1.5L))
TRUTH(pow_cube, a *a *a)
TRUTH(pow_fourth, a *a *a *a)
TRUTH(pow_half, powl(a, 0.5L))
TRUTH(pow_minus_half, powl(a, -0.5L))
TRUTH(reciprocal, 1 / a)
TRUTH(relu, a < 0 ? 0 : a)
TRUTH(relu6, truth_limit(a, 0, 6))
TRUTH(remainder, truth_floored(a, b))
TRUTH(round, rintl(a))
TRUTH(rsqrt, 1 / sqrtl(a))
TRUTH(selu, SELU_SCALE_L *(a > 0 ? a : SELU_ALPHA_L * expm1l(a)))
TRUTH(sigmoid, 1 / (1 + expl(-a)))
TRUTH(sign, (a > 0) - (a < 0))
TRUTH(silu, a / (1 + expl(-a)))
TRUTH(sin, sinl(a))
TRUTH(sinh, sinhl(a))
TRUTH(softplus, a > 20 ? a : log1pl(expl(a)))
TRUTH(softplus_2, 2 * a > 30 ? a : log1pl(expl(2 * a)) / 2)
TRUTH(softshrink, fabsl(a) <= 0.5L ? 0 : a > 0 ? a - 0.5L : a + 0.5L)
TRUTH(softsign, a / (1 + fabsl(a)))
TRUTH(sqrt, sqrtl(a))
TRUTH(square, a *a)
TRUTH(sub, a - b)
TRUTH(tan, tanl(a))
TRUTH(tanh, tanhl(a))
TRUTH(to_real, a)
TRUTH(where, a != 0 ? b : c)
TRUTH(xlogy, a == 0 && !isnan(b) ? 0 : a * logl(b))

#define ANY -INFINITY, INFINITY
#define CASE(name, n, ...)                                                                         \
	{                                                                                          \
#name, NULL, n, __VA_ARGS__, truth_##name                                          \
	}
#define CASE_OF(name, attrs, truth, n, ...)                                                        \
	{                                                                                          \
#name, attrs, n, __VA_ARGS__, truth_##truth                                        \
	}

static const struct accuracy_case accuracy_cases[] = {
	CASE(abs, 1, -10, 10, ANY),
	CASE(acos, 1, -1, 1, -1, 1),
	CASE(add, 2, -10, 10, ANY),
	CASE_OF(addcmul, "value=1.5", addcmul, 3, -10, 10, -0x1p60, 0x1p60),
	CASE(asin, 1, -1, 1, -1, 1),
	CASE(atan, 1, -10, 10, ANY),
	CASE(atan2, 2, -10, 10, ANY),
	CASE(bce_each, 2, 0, 1, 0, 1),
	CASE(ceil, 1, -10, 10, ANY),
	CASE_OF(celu, "alpha=1.5", celu, 1, -30, 10, ANY),
	CASE_OF(clamp, "min=-1.5 max=2.5", clamp, 1, -10, 10, ANY),
	CASE(cos, 1, -100, 100, -DBL_MAX, DBL_MAX),
	CASE(cosh, 1, -100, 100, ANY),
	CASE(div, 2, -10, 10, ANY),
	CASE_OF(elu, "alpha=1.5", elu, 1, -30, 10, ANY),
	CASE(equal, 2, -10, 10, ANY),
	CASE(erf, 1, -6, 6, ANY),
	CASE(exp, 1, -110, 90, ANY),
	CASE(exp2, 1, -150, 130, ANY),
	CASE(expm1, 1, -30, 90, ANY),
	CASE(floor, 1, -10, 10, ANY),
	CASE(fmod, 2, -100, 100, ANY),
	CASE(gelu, 1, -12.5, 8, -12.5, DBL_MAX),
	CASE_OF(gelu, "approximate=tanh", gelu_tanh, 1, -8, 8, -DBL_MAX, DBL_MAX),
	CASE(greater, 2, -10, 10, ANY),
	CASE(greater_equal, 2, -10, 10, ANY),
	CASE(hardshrink, 1, -2, 2, ANY),
	CASE(hardsigmoid, 1, -5, 5, ANY),
	CASE(hardswish, 1, -5, 5, -DBL_MAX, DBL_MAX),
	CASE(hardtanh, 1, -5, 5, ANY),
	CASE(hypot, 2, -10, 10, ANY),
	CASE_OF(leaky_relu, "slope=0.25", leaky_relu, 1, -10, 10, ANY),
	CASE(lerp, 3, -2, 2, -0x1p60, 0x1p60),
	CASE(less, 2, -10, 10, ANY),
	CASE(less_equal, 2, -10, 10, ANY),
	CASE(log, 1, 0, 10, 0, INFINITY),
	CASE(log1p, 1, -1, 10, -1, INFINITY),
	CASE(log2, 1, 0, 10, 0, INFINITY),
	CASE(logical_and, 2, -10, 10, ANY),
	CASE(logical_not, 1, -10, 10, ANY),
	CASE(logical_or, 2, -10, 10, ANY),
	CASE(logsigmoid, 1, -100, 100, ANY),
	CASE(maximum, 2, -10, 10, ANY),
	CASE(minimum, 2, -10, 10, ANY),
	CASE(mish, 1, -110, 30, -DBL_MAX, DBL_MAX),
	CASE(mul, 2, -10, 10, ANY),
	CASE(neg, 1, -10, 10, ANY),
	CASE(not_equal, 2, -10, 10, ANY),
	CASE(pow, 2, 0, 30, ANY),
	CASE_OF(pow_scalar, "exponent=1.5", pow_scalar, 1, 0, 30, 0, INFINITY),
	CASE_OF(pow_scalar, "exponent=2", square, 1, -30, 30, ANY),
	CASE_OF(pow_scalar, "exponent=3", pow_cube, 1, -30, 30, ANY),
	CASE_OF(pow_scalar, "exponent=4", pow_fourth, 1, -30, 30, ANY),
	CASE_OF(pow_scalar, "exponent=-0.5", pow_minus_half, 1, 0, 30, ANY),
	CASE_OF(pow_scalar, "exponent=-1", reciprocal, 1, -30, 30, ANY),
	CASE_OF(pow_scalar, "exponent=0.5", pow_half, 1, 0, 30, ANY),
	CASE(reciprocal, 1, -10, 10, ANY),
	CASE(relu, 1, -10, 10, ANY),
	CASE(relu6, 1, -10, 10, ANY),
	CASE(remainder, 2, -100, 100, -DBL_MAX, DBL_MAX),
	CASE(round, 1, -10, 10, ANY),
	CASE(rsqrt, 1, 0, 10, 0, INFINITY),
	CASE(selu, 1, -30, 10, ANY),
	CASE(sigmoid, 1, -110, 30, ANY),
	CASE(sign, 1, -10, 10, -DBL_MAX, DBL_MAX),
	CASE(silu, 1, -110, 30, -DBL_MAX, DBL_MAX),
	CASE(sin, 1, -100, 100, -DBL_MAX, DBL_MAX),
	CASE(sinh, 1, -100, 100, ANY),
	CASE(softplus, 1, -110, 30, ANY),
	CASE_OF(softplus, "beta=2 threshold=30", softplus_2, 1, -50, 30, ANY),
	CASE(softshrink, 1, -2, 2, ANY),
	CASE(softsign, 1, -10, 10, -DBL_MAX, DBL_MAX),
	CASE(sqrt, 1, 0, 10, 0, INFINITY),
	CASE(square, 1, -10, 10, ANY),
	CASE(sub, 2, -10, 10, ANY),
	CASE(tan, 1, -100, 100, -DBL_MAX, DBL_MAX),
	CASE(tanh, 1, -10, 10, ANY),
	CASE(to_real, 1, -10, 10, ANY),
	CASE(where, 3, -10, 10, ANY),
	CASE(xlogy, 2, 0, 10, 0, DBL_MAX),
};

enum { ACCURACY_CASES = sizeof accuracy_cases / sizeof *accuracy_cases, ACCURACY_BLOCK = 1024 };

/* The bound that an op's comment states: "within N ulp", or "Exact.", which is 0, as is that of an
 * op that gives a mask. NaN: none. */
static inline double accuracy_stated(const char *op)
{
	const char *doc = ad_op_doc(ad_op_find(op));
	double bound;

	if (ad_op_find(op)->gives_mask)
		return 0;
	for (const char *at = doc; (at = strstr(at, "ithin ")); at++)
		if (sscanf(at, "ithin %lf ulp", &bound) == 1)
			return bound;
	return strstr(doc, "  Exact.\n") ? 0 : (double)NAN;
}

static inline uint64_t accuracy_bits(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15u; /* SplitMix64 */

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static inline double accuracy_between(uint64_t *state, double lo, double hi)
{
	return lo + (hi - lo) * ((double)(accuracy_bits(state) >> 11) * 0x1p-53);
}

/* One argument, a number of the type. */
static inline double accuracy_argument(const struct accuracy_case *c, bool f64, uint64_t *state)
{
	const double extremes[] = { 0,
		                    -0.0,
		                    1,
		                    -1,
		                    f64 ? DBL_MAX : (double)FLT_MAX,
		                    f64 ? -DBL_MAX : -(double)FLT_MAX,
		                    f64 ? DBL_MIN : (double)FLT_MIN,
		                    f64 ? 0x1p-1074 : 0x1p-149,
		                    INFINITY,
		                    -INFINITY };
	uint64_t kind = accuracy_bits(state) % 64;
	double v;

	if (kind < 32)
		v = accuracy_between(state, c->lo, c->hi);
	else if (kind < 62)
		v = accuracy_between(state, 1, 2) *
		    exp2(floor(accuracy_between(state, f64 ? -1074 : -149, f64 ? 1024 : 128)));
	else
		v = extremes[accuracy_bits(state) % (sizeof extremes / sizeof *extremes)];
	if (kind >= 32 && kind < 62 && accuracy_bits(state) % 2)
		v = -v;
	if (!(v >= c->least && v <= c->most))
		v = accuracy_between(state, c->lo, c->hi);
	return f64 ? v : (double)(float)v;
}

/* The distance of neighbouring numbers of the type at x. */
static inline long double accuracy_ulp(long double x, bool f64)
{
	int e = x == 0 || !isfinite(x) ? -16384 : ilogbl(x);
	int least = f64 ? DBL_MIN_EXP - 1 : FLT_MIN_EXP - 1;

	return ldexpl(1, (e < least ? least : e) - (f64 ? DBL_MANT_DIG : FLT_MANT_DIG) + 1);
}

/* An infinity counts as the number that would follow the largest one. */
static inline double accuracy_error(long double have, long double want, long double scale, bool f64)
{
	long double most = ldexpl(1, f64 ? DBL_MAX_EXP : FLT_MAX_EXP);

	if (isnan(have) || isnan(want))
		return isnan(have) && isnan(want) ? 0 : (double)INFINITY;
	have = truth_limit(have, -most, most);
	want = truth_limit(want, -most, most);
	scale = isnan(scale) ? want : truth_limit(scale, -most, most);
	if (fabsl(scale) == most)
		scale = most / 2;
	return (double)(fabsl(have - want) / accuracy_ulp(scale, f64));
}

typedef void accuracy_map32(size_t n, const float *const in[], float *y, const void *attrs);
typedef void accuracy_map64(size_t n, const double *const in[], double *y, const void *attrs);

/* The worst errors over about `count` arguments. False if the op or its attributes cannot be used.
 */
static inline bool accuracy_measure(const struct accuracy_case *c, bool f64, size_t count,
                                    struct accuracy *worst)
{
	static float x32[3][ACCURACY_BLOCK], y32[ACCURACY_BLOCK];
	static double x64[3][ACCURACY_BLOCK], y64[ACCURACY_BLOCK];
	const float *const in32[3] = { x32[0], x32[1], x32[2] };
	const double *const in64[3] = { x64[0], x64[1], x64[2] };
	const ad_op *op = ad_op_find(c->op);
	ad_graph *g = ad_open();
	ad_node *in[3], *y;
	uint64_t state = 1;
	const char *best = ad_instructions(g);
	int levels = strcmp(best, "avx512") == 0 ? 3 : strcmp(best, "avx2") == 0 ? 2 : 1;

	*worst = (struct accuracy){ .worst = 0 };
	for (int i = 0; i < 3; i++)
		in[i] = ad_input(g, "x", AD_REAL, (ad_shape){ .rank = 0 });
	if (strcmp(c->op, "where") == 0)
		in[0] = ad_input(g, "c", AD_BOOL, (ad_shape){ .rank = 0 });
	y = op ? ad_call_text(g, c->op, (size_t)c->n_in, in, c->attrs) : NULL;
	if (!y || ad_is_error(y) || !op->map) {
		ad_close(g);
		return false;
	}
	for (size_t done = 0; done < count; done += ACCURACY_BLOCK) {
		long double want[ACCURACY_BLOCK], scale[ACCURACY_BLOCK];

		for (size_t k = 0; k < ACCURACY_BLOCK; k++) {
			long double x[3] = { 0 };

			for (int i = 0; i < c->n_in; i++) {
				x64[i][k] = accuracy_argument(c, f64, &state);
				x32[i][k] = (float)x64[i][k];
				x[i] = x64[i][k];
			}
			scale[k] = (long double)NAN;
			want[k] = c->truth(x, &scale[k]);
		}
		for (int level = 0; level < levels; level++) {
			const ad_op *v = op->variants[level * 2 + f64];

			if (f64)
				((accuracy_map64 *)(void (*)(void))v->map)(ACCURACY_BLOCK, in64,
				                                           y64, ad_attrs_of(y));
			else
				((accuracy_map32 *)(void (*)(void))v->map)(ACCURACY_BLOCK, in32,
				                                           y32, ad_attrs_of(y));
			for (size_t k = 0; k < ACCURACY_BLOCK; k++) {
				long double have = f64 ? (long double)y64[k] : (long double)y32[k];
				double error = accuracy_error(have, want[k], scale[k], f64);

				if (error <= worst->worst)
					continue;
				*worst = (struct accuracy){ error,
					                    { x64[0][k], x64[1][k], x64[2][k] },
					                    (double)have,
					                    (double)want[k],
					                    level };
			}
		}
	}
	ad_close(g);
	return true;
}

#endif
