/*
 * clamp: y = x limited to min..max, element by element.
 *
 *   x   any shape          y   shape of x
 *   dx = dy where min <= x <= max, else 0
 *   A limit left out is infinite. With min above max, y is max everywhere and dx is 0.
 *   Exact.
 */
#include "op.h"

struct attrs {
	double min;
	double max;
};

static const ad_attr table[] = {
	AD_ATTR(struct attrs, min, AD_NUM, "null", "the lower limit; null: none", NULL),
	AD_ATTR(struct attrs, max, AD_NUM, "null", "the upper limit; null: none", NULL),
	{ 0 },
};

/* "Not given" is NaN. */
static double least(const struct attrs *o)
{
	return isnan(o->min) ? -INFINITY : o->min;
}

static double most(const struct attrs *o)
{
	return isnan(o->max) ? INFINITY : o->max;
}

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];
	const struct attrs *o = attrs;
	const ad_real min = (ad_real)least(o);
	const ad_real max = (ad_real)most(o);

#pragma omp simd
	for (size_t k = 0; k < n; k++) {
		const ad_real v = x[k] < min ? min : x[k];

		y[k] = v > max ? max : v;
	}
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *x = in[0];
	const struct attrs *o = attrs;
	const ad_real min = (ad_real)least(o);
	const ad_real max = (ad_real)most(o);

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		dx[0][k] = real_where((x[k] >= min) & (x[k] <= max), dy[k], 0);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *o = ad_attrs_of(y);
	ad_graph *g = ad_graph_of(y);
	ad_node *x = ad_input_of(y, 0);
	ad_node *above = ad_greater_equal(x, ad_constant(g, least(o)));
	ad_node *below = ad_less_equal(x, ad_constant(g, most(o)));

	dx[0] = ad_where(ad_logical_and(above, below), dy[0], ad_constant(g, 0));
}

AD_OP(clamp, .arity = 1, .attrs = table, .attrs_size = sizeof(struct attrs), .shape = ad_same_shape,
      .map = map, .dmap = dmap, .grad = grad, .reads = AD_READS_INPUTS,
      .samples = { { .in = { AD_DIMS(5) },
                     .give = { AD_LIST(-2, -1, 0.5, 1, 3) },
                     .want = { AD_LIST(-1, -1, 0.5, 1, 1) },
                     .dwant = { AD_LIST(0, 1, 1, 1, 0) },
                     .attrs = "min=-1 max=1" },
                   { .in = { AD_DIMS(3) },
                     .give = { AD_LIST(-2, 0, 2) },
                     .want = { AD_LIST(-2, 0, 0.5) },
                     .dwant = { AD_LIST(1, 1, 0) },
                     .attrs = "max=0.5" },
                   { .in = { AD_DIMS(3) },
                     .give = { AD_LIST(-2, 0, 2) },
                     .want = { AD_LIST(0.5, 0.5, 2) },
                     .dwant = { AD_LIST(0, 0, 1) },
                     .attrs = "min=0.5 max=null" },
                   { .in = { AD_DIMS(3) },
                     .give = { AD_LIST(-2, 0, 2) },
                     .want = { AD_LIST(-1, -1, -1) },
                     .dwant = { AD_LIST(0, 0, 0) },
                     .attrs = "min=1 max=-1" },
                   { .in = { AD_DIMS(2) },
                     .give = { AD_LIST(NAN, 2) },
                     .want = { AD_LIST(NAN, 1) },
                     .dwant = { AD_LIST(0, 0) },
                     .attrs = "min=0 max=1" },
                   { .in = { AD_DIMS(2, 3) }, .lo = -2, .hi = 2, .attrs = "min=-1 max=1" },
                   { .in = { AD_DIM0 }, .lo = -2, .hi = 2, .attrs = "min=-1 max=1" } });

/* Every element limited to min..max; -INFINITY and INFINITY: no limit. */
AD_API ad_node *ad_clamp(ad_node *x, double min, double max)
{
	struct attrs attrs = { .min = min, .max = max };

	return AD_CALL_WITH(clamp, &attrs, x);
}
