/*
 * softshrink: y = x - lam above lam, x + lam below -lam, else 0.
 *
 *   x   any shape          y   shape of x
 *   dx = dy where |x| > lam, else 0
 *   Within 0.5 ulp.
 */
#include "op.h"

struct attrs {
	double lam;
};

static const ad_attr table[] = {
	AD_ATTR(struct attrs, lam, AD_NUM, "0.5", "the threshold", NULL),
	{ 0 },
};

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];
	const struct attrs *o = attrs;
	const ad_real lam = (ad_real)o->lam;

#pragma omp simd
	for (size_t k = 0; k < n; k++) {
		const ad_real size = real_fabs(x[k]) - lam;

		y[k] = size <= 0 ? 0 : real_copysign(size, x[k]);
	}
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *x = in[0];
	const struct attrs *o = attrs;
	const ad_real lam = (ad_real)o->lam;

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		dx[0][k] = real_where(real_fabs(x[k]) <= lam, 0, dy[k]);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *o = ad_attrs_of(y);
	ad_graph *g = ad_graph_of(y);
	ad_node *inside = ad_less_equal(ad_abs(ad_input_of(y, 0)), ad_constant(g, o->lam));

	dx[0] = ad_where(inside, ad_constant(g, 0), dy[0]);
}

AD_OP(softshrink, .arity = 1, .attrs = table, .attrs_size = sizeof(struct attrs),
      .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad, .reads = AD_READS_INPUTS,
      .samples = { { .in = { AD_DIMS(5) },
                     .give = { AD_LIST(-2, -0.5, 0.25, 0.5, 3) },
                     .want = { AD_LIST(-1.5, 0, 0, 0, 2.5) },
                     .dwant = { AD_LIST(1, 0, 0, 0, 1) } },
                   { .in = { AD_DIMS(2, 3) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIM0 }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(5) }, .lo = -2, .hi = 2, .attrs = "lam=0.25" } });

/* Every element moved towards 0 by lam, at most to 0. */
AD_API ad_node *ad_softshrink(ad_node *x, double lam)
{
	struct attrs attrs = { .lam = lam };

	return AD_CALL_WITH(softshrink, &attrs, x);
}
