/*
 * leaky_relu: y = x where x > 0, else slope x.
 *
 *   x   any shape          y   shape of x
 *   dx = dy where x > 0, else slope dy
 *   Within 0.5 ulp.
 */
#include "op.h"

struct attrs {
	double slope;
};

static const ad_attr table[] = {
	AD_ATTR(struct attrs, slope, AD_NUM, "0.01", "the factor below 0", NULL),
	{ 0 },
};

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];
	const struct attrs *o = attrs;
	const ad_real slope = (ad_real)o->slope;

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = x[k] > 0 ? x[k] : slope * x[k];
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *x = in[0];
	const struct attrs *o = attrs;
	const ad_real slope = (ad_real)o->slope;

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		dx[0][k] = real_where(x[k] > 0, dy[k], slope * dy[k]);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *o = ad_attrs_of(y);
	ad_node *zero = ad_constant(ad_graph_of(y), 0),
		*slope = ad_constant(ad_graph_of(y), o->slope);

	dx[0] = ad_where(ad_greater(ad_input_of(y, 0), zero), dy[0], ad_mul(dy[0], slope));
}

AD_OP(leaky_relu, .arity = 1, .attrs = table, .attrs_size = sizeof(struct attrs),
      .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad, .reads = AD_READS_INPUTS,
      .samples = { { .in = { AD_DIMS(3) },
                     .give = { AD_LIST(-2, 0, 3) },
                     .want = { AD_LIST(-0.5, 0, 3) },
                     .dwant = { AD_LIST(0.25, 0.25, 1) },
                     .attrs = "slope=0.25" },
                   { .in = { AD_DIMS(2, 3) }, .lo = -2, .hi = 2, .attrs = "slope=0.25" },
                   { .in = { AD_DIM0 }, .lo = -2, .hi = 2, .attrs = "slope=0.25" } });

/* Every element, those below 0 multiplied by slope. */
AD_API ad_node *ad_leaky_relu(ad_node *x, double slope)
{
	struct attrs attrs = { .slope = slope };

	return AD_CALL_WITH(leaky_relu, &attrs, x);
}
