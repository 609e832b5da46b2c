/*
 * softplus: y = ln(1 + exp(beta x)) / beta, and x itself where beta x > threshold.
 *
 *   x   any shape          y   shape of x
 *   dx = dy / (1 + exp(-beta x)), and dy above the threshold
 *   Within 2 ulp.
 */
#include "op.h"

/* The exponentials of so many elements come first: with the logarithms in one loop they are a chain
 * of operations that is longer than processors look ahead. */
#define STRIP 64

struct attrs {
	double beta;
	double threshold;
};

static const ad_attr table[] = {
	AD_ATTR(struct attrs, beta, AD_NUM, "1", "the sharpness of the bend; above 0", NULL),
	AD_ATTR(struct attrs, threshold, AD_NUM, "20", "y is x where beta x is above it", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *o = s->attrs;

	if (!(o->beta > 0)) {
		ad_fail(s->graph, AD_ERROR_ARGUMENT, "%s: beta must be above 0, not %g",
		        ad_op_name(s->op), o->beta);
		return false;
	}
	return ad_same_shape(s);
}

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0];
	const struct attrs *o = attrs;
	const ad_real beta = (ad_real)o->beta;
	const ad_real threshold = (ad_real)o->threshold;

	for (size_t begin = 0, m; begin < n; begin += m) {
		ad_real e[STRIP];

		m = n - begin < STRIP ? n - begin : STRIP;
#pragma omp simd
		for (size_t k = 0; k < m; k++)
			e[k] = real_exp(-real_fabs(beta * x[begin + k]));
#pragma omp simd
		for (size_t k = 0; k < m; k++) {
			const ad_real u = x[begin + k], v = beta * u;
			const ad_real soft = (v > 0 ? v : 0) + real_log1p(e[k]);

			y[begin + k] = v > threshold ? u : soft / beta;
		}
	}
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *x = in[0];
	const struct attrs *o = attrs;
	const ad_real beta = (ad_real)o->beta;
	const ad_real threshold = (ad_real)o->threshold;

#pragma omp simd
	for (size_t k = 0; k < n; k++) {
		const ad_real v = beta * x[k];

		dx[0][k] = v > threshold ? dy[k] : dy[k] / (1 + real_exp(-v));
	}
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *o = ad_attrs_of(y);
	ad_graph *g = ad_graph_of(y);
	ad_node *v = ad_mul(ad_input_of(y, 0), ad_constant(g, o->beta));
	ad_node *above = ad_greater(v, ad_constant(g, o->threshold));

	dx[0] = ad_where(above, dy[0], ad_mul(dy[0], ad_sigmoid(v)));
}

AD_OP(softplus, .arity = 1, .attrs = table, .attrs_size = sizeof(struct attrs), .shape = shape,
      .map = map, .dmap = dmap, .grad = grad, .reads = AD_READS_INPUTS,
      .samples = { { .in = { AD_DIMS(7) },
                     .give = { AD_LIST(-1000, -1, 0, 2, 20, 20.5, 1000) },
                     .want = { AD_LIST(0, 0.3132616875182228, 0.6931471805599453,
                                       2.1269280110429727, 20.000000002061153, 20.5, 1000) },
                     .dwant = { AD_LIST(0, 0.2689414213699951, 0.5, 0.8807970779778824,
                                        0.9999999979388464, 1, 1) } },
                   { .in = { AD_DIMS(3) },
                     .give = { AD_LIST(-1, 2, 3) },
                     .want = { AD_LIST(0.06346400552148625, 2.0090749639589047, 3) },
                     .dwant = { AD_LIST(0.11920292202211756, 0.9820137900379085, 1) },
                     .attrs = "beta=2 threshold=5" },
                   { .in = { AD_DIMS(2) },
                     .lo = 0,
                     .hi = 1,
                     .attrs = "beta=-1",
                     .error = "beta must be above 0, not -1" },
                   { .in = { AD_DIMS(2, 3) }, .lo = -4, .hi = 4 },
                   { .in = { AD_DIM0 }, .lo = -4, .hi = 4 },
                   { .in = { AD_DIMS(5) }, .lo = -2, .hi = 2, .attrs = "beta=3 threshold=100" } });

/* A smooth form of relu. PyTorch has beta 1 and threshold 20. */
AD_API ad_node *ad_softplus(ad_node *x, double beta, double threshold)
{
	struct attrs attrs = { .beta = beta, .threshold = threshold };

	return AD_CALL_WITH(softplus, &attrs, x);
}
