/*
 * pow_scalar: y = x^exponent, the exponent a constant.
 *
 *   x   any shape          y   shape of x
 *   dx = dy exponent x^(exponent - 1), and 0 for the exponent 0
 *   0^0 is 1. The common exponents take no call of pow.
 *   Within 2 ulp.
 */
#include "op.h"

struct attrs {
	double exponent;
};

static const ad_attr table[] = {
	AD_ATTR(struct attrs, exponent, AD_NUM, NULL, "the power", NULL),
	{ 0 },
};

/* x^(1/2), which is sqrt(x) but for -0 and -infinity. */
static inline ad_real root(ad_real x)
{
	return real_where(x == -(ad_real)INFINITY, (ad_real)INFINITY, real_sqrt(x + 0));
}

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];
	const struct attrs *o = attrs;
	const ad_real p = (ad_real)o->exponent;

	if (p == 2) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			y[k] = x[k] * x[k];
	} else if (p == 3) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			y[k] = x[k] * x[k] * x[k];
	} else if (p == 4) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			y[k] = x[k] * x[k] * (x[k] * x[k]);
	} else if (p == (ad_real)0.5) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			y[k] = root(x[k]);
	} else if (p == (ad_real)-0.5) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			y[k] = 1 / root(x[k]);
	} else if (p == 1) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			y[k] = x[k];
	} else if (p == -1) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			y[k] = 1 / x[k];
	} else {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			y[k] = real_pow(x[k], p);
	}
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *x = in[0];
	const struct attrs *o = attrs;
	const ad_real p = (ad_real)o->exponent;

	if (p == 0) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			dx[0][k] = 0;
	} else if (p == 2) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			dx[0][k] = 2 * dy[k] * x[k];
	} else if (p == 3) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			dx[0][k] = 3 * dy[k] * x[k] * x[k];
	} else if (p == 4) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			dx[0][k] = 4 * dy[k] * x[k] * x[k] * x[k];
	} else if (p == (ad_real)0.5) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			dx[0][k] = dy[k] * p * (1 / root(x[k]));
	} else if (p == -1) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			dx[0][k] = -dy[k] * (1 / x[k]) * (1 / x[k]);
	} else {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			dx[0][k] = dy[k] * p * real_pow(x[k], p - 1);
	}
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const double p = ((const struct attrs *)ad_attrs_of(y))->exponent;
	ad_node *power;

	if (p == 0) {
		dx[0] = ad_full_like(y, 0);
		return;
	}
	power = ad_pow_scalar(ad_input_of(y, 0), p - 1);
	dx[0] = ad_mul(dy[0], ad_mul(power, ad_constant(ad_graph_of(y), p)));
}

AD_OP(pow_scalar, .arity = 1, .attrs = table, .attrs_size = sizeof(struct attrs),
      .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad, .reads = AD_READS_INPUTS,
      .samples = { { .in = { AD_DIMS(3) },
                     .give = { AD_LIST(-1.5, 0, 2) },
                     .want = { AD_LIST(2.25, 0, 4) },
                     .dwant = { AD_LIST(-3, 0, 4) },
                     .attrs = "exponent=2" },
                   { .in = { AD_DIMS(3) },
                     .give = { AD_LIST(0.5, 2, 4) },
                     .want = { AD_LIST(0.125, 8, 64) },
                     .dwant = { AD_LIST(0.75, 12, 48) },
                     .attrs = "exponent=3" },
                   { .in = { AD_DIMS(3) },
                     .give = { AD_LIST(0.5, 2, 4) },
                     .want = { AD_LIST(2, 0.5, 0.25) },
                     .dwant = { AD_LIST(-4, -0.25, -0.0625) },
                     .attrs = "exponent=-1" },
                   { .in = { AD_DIMS(3) },
                     .give = { AD_LIST(0.5, 2, 4) },
                     .want = { AD_LIST(0.1767766952966369, 5.656854249492381, 32) },
                     .dwant = { AD_LIST(0.8838834764831844, 7.0710678118654755, 20) },
                     .attrs = "exponent=2.5" },
                   { .in = { AD_DIMS(3) },
                     .give = { AD_LIST(-1, 0, NAN) },
                     .want = { AD_LIST(1, 1, 1) },
                     .dwant = { AD_LIST(0, 0, 0) },
                     .attrs = "exponent=0" },
                   { .in = { AD_DIMS(3) },
                     .give = { AD_LIST(-2, 0, 3) },
                     .want = { AD_LIST(-2, 0, 3) },
                     .dwant = { AD_LIST(1, 1, 1) },
                     .attrs = "exponent=1" },
                   { .in = { AD_DIMS(2, 3) }, .lo = -2, .hi = 2, .attrs = "exponent=2" },
                   { .in = { AD_DIM0 }, .lo = -2, .hi = 2, .attrs = "exponent=2" },
                   { .in = { AD_DIMS(3) }, .lo = 0.5, .hi = 2, .attrs = "exponent=-1.5" },
                   { .in = { AD_DIMS(2, 2) }, .lo = -2, .hi = 2, .attrs = "exponent=3" },
                   { .in = { AD_DIMS(2) }, .lo = -2, .hi = 2, .attrs = "exponent=1" },
                   { .in = { AD_DIMS(2) }, .lo = -2, .hi = 2, .attrs = "exponent=0" } });

/* Every element to the power of the number exponent. */
AD_API ad_node *ad_pow_scalar(ad_node *x, double exponent)
{
	struct attrs attrs = { .exponent = exponent };

	return AD_CALL_WITH(pow_scalar, &attrs, x);
}
