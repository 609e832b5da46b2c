/*
 * NAME: y = x / (1 + |x| / scale), element by element.
 *
 *   x   any shape          y   shape of x, between -scale and scale
 *   dx = dy / (1 + |x| / scale)^2
 */
#include "op.h"

/* What the op takes beside its inputs: a struct, and a table of the same fields with type, default (NULL: must be
 * given) and meaning. In a model's file: - NAME: {scale: 2} */
struct attrs {
	double scale;
};
static const ad_attr table[] = {
	AD_ATTR(struct attrs, scale, AD_NUM, "1", "what y comes near to for large x", NULL), { 0 }
};

/* n elements of y from as many of x. ad_real is float or double: this file is compiled for both. */
static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const struct attrs *a = attrs;
	const ad_real *x = in[0], scale = (ad_real)a->scale;

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = x[k] / (1 + real_fabs(x[k]) / scale);
}

/* dx from x, y and dy. */
static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const struct attrs *a = attrs;
	const ad_real *x = in[0], scale = (ad_real)a->scale;

#pragma omp simd
	for (size_t k = 0; k < n; k++) {
		const ad_real d = 1 + real_fabs(x[k]) / scale;

		dx[0][k] = dy[k] / (d * d);
	}
}

/* The same as a graph of ops, so that it can be differentiated again. */
static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *a = ad_attrs_of(y);
	ad_node *x = ad_input_of(y, 0), *scale = ad_constant(ad_graph_of(y), a->scale),
	        *one = ad_constant(ad_graph_of(y), 1);

	dx[0] = ad_div(dy[0], ad_square(ad_add(one, ad_div(ad_abs(x), scale))));
}

/* A sample has inputs of these sizes, and known values (.want, and .dwant: the gradient of the sum of y), or numbers
 * at random between lo and hi, for which all derivatives are compared with differences. 'autograd op check' tries
 * them all. */
AD_OP(NAME, .arity = 1, .shape = ad_same_shape, .map = map, .dmap = dmap, .grad = grad,
      .reads = AD_READS_INPUTS, .attrs = table, .attrs_size = sizeof(struct attrs),
      .samples = { { .in = { AD_DIMS(3) },
                     .give = { AD_LIST(-1, 0, 3) },
                     .want = { AD_LIST(-0.5, 0, 0.75) },
                     .dwant = { AD_LIST(0.25, 1, 0.0625) } },
                   { .in = { AD_DIMS(2, 3) }, .lo = 0.1, .hi = 4, .attrs = "scale=2" } });

/* Every element of x, softly limited to -scale .. scale. */
AD_API ad_node *ad_NAME(ad_node *x, double scale)
{
	return AD_CALL_WITH(NAME, (&(struct attrs){ .scale = scale }), x);
}
