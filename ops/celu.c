/*
 * celu: y = x where x > 0, else alpha (e^(x / alpha) - 1).
 *
 *   x   any shape          y   shape of x
 *   dx = dy where x > 0, else dy e^(x / alpha)
 *   Within 2.5 ulp.
 */
#include "op.h"

struct attrs {
	double alpha;
};

static const ad_attr table[] = {
	AD_ATTR(struct attrs, alpha, AD_NUM, "1", "minus the limit far below 0; above 0", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *o = s->attrs;

	if (!(o->alpha > 0)) {
		ad_fail(s->graph, AD_ERROR_ARGUMENT, "%s: alpha must be above 0, not %g",
		        ad_op_name(s->op), o->alpha);
		return false;
	}
	return ad_same_shape(s);
}

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];
	const struct attrs *o = attrs;
	const ad_real alpha = (ad_real)o->alpha;

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = x[k] > 0 ? x[k] : alpha * real_expm1(x[k] / alpha);
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *x = in[0];
	const struct attrs *o = attrs;
	const ad_real alpha = (ad_real)o->alpha;

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		dx[0][k] = x[k] > 0 ? dy[k] : dy[k] * real_exp(x[k] / alpha);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *o = ad_attrs_of(y);
	ad_graph *g = ad_graph_of(y);
	ad_node *x = ad_input_of(y, 0), *low = ad_clamp(x, -INFINITY, 0); /* exp of it is finite */
	ad_node *slope = ad_exp(ad_div(low, ad_constant(g, o->alpha)));

	dx[0] = ad_where(ad_greater(x, ad_constant(g, 0)), dy[0], ad_mul(dy[0], slope));
}

AD_OP(celu, .arity = 1, .attrs = table, .attrs_size = sizeof(struct attrs), .shape = shape,
      .map = map, .dmap = dmap, .grad = grad, .reads = AD_READS_INPUTS,
      .samples = { { .in = { AD_DIMS(4) },
                     .give = { AD_LIST(-20, -0.5, 0, 3) },
                     .want = { AD_LIST(-1.999909200140475, -0.44239843385719024, 0, 3) },
                     .dwant = { AD_LIST(4.5399929762484854e-05, 0.7788007830714049, 1, 1) },
                     .attrs = "alpha=2" },
                   { .in = { AD_DIMS(2) },
                     .lo = 0,
                     .hi = 1,
                     .attrs = "alpha=0",
                     .error = "alpha must be above 0, not 0" },
                   { .in = { AD_DIMS(2, 3) }, .lo = -2, .hi = 2, .attrs = "alpha=2" },
                   { .in = { AD_DIM0 }, .lo = -2, .hi = 2, .attrs = "alpha=2" } });

/* The continuously differentiable exponential linear unit of every element. */
AD_API ad_node *ad_celu(ad_node *x, double alpha)
{
	struct attrs attrs = { .alpha = alpha };

	return AD_CALL_WITH(celu, &attrs, x);
}
