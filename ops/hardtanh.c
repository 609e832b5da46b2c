/*
 * hardtanh: y = x limited to lo..hi, element by element.
 *
 *   x   any shape          y   shape of x
 *   dx = dy where lo < x < hi, else 0  from the output alone
 *   Exact.
 */
#include "op.h"

struct attrs {
	double lo;
	double hi;
};

static const ad_attr table[] = {
	AD_ATTR(struct attrs, lo, AD_NUM, "-1", "the lower limit", NULL),
	AD_ATTR(struct attrs, hi, AD_NUM, "1", "the upper limit", NULL),
	{ 0 },
};

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];
	const struct attrs *o = attrs;
	const ad_real lo = (ad_real)o->lo;
	const ad_real hi = (ad_real)o->hi;

#pragma omp simd
	for (size_t k = 0; k < n; k++) {
		const ad_real v = x[k] < lo ? lo : x[k];

		y[k] = v > hi ? hi : v;
	}
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const struct attrs *o = attrs;
	const ad_real lo = (ad_real)o->lo;
	const ad_real hi = (ad_real)o->hi;

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		dx[0][k] = real_where((y[k] <= lo) | (y[k] >= hi), 0, dy[k]);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *o = ad_attrs_of(y);
	ad_graph *g = ad_graph_of(y);
	ad_node *below = ad_less_equal(y, ad_constant(g, o->lo));
	ad_node *above = ad_greater_equal(y, ad_constant(g, o->hi));

	dx[0] = ad_where(ad_logical_or(below, above), ad_constant(g, 0), dy[0]);
}

AD_OP(hardtanh, .arity = 1, .attrs = table, .attrs_size = sizeof(struct attrs),
      .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad, .reads = AD_READS_OUTPUTS,
      .samples = { { .in = { AD_DIMS(5) },
                     .give = { AD_LIST(-2, -1, 0.5, 1, 3) },
                     .want = { AD_LIST(-1, -1, 0.5, 1, 1) },
                     .dwant = { AD_LIST(0, 0, 1, 0, 0) } },
                   { .in = { AD_DIMS(2, 3) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIM0 }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(5) }, .lo = -2, .hi = 2, .attrs = "lo=-0.5 hi=1.5" } });

/* Every element limited to lo..hi, without gradient at the limits. */
AD_API ad_node *ad_hardtanh(ad_node *x, double lo, double hi)
{
	struct attrs attrs = { .lo = lo, .hi = hi };

	return AD_CALL_WITH(hardtanh, &attrs, x);
}
