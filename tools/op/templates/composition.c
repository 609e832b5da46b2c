/*
 * NAME: y = log(cosh(a - b)), element by element, by way of other ops.
 *
 *   a, b   shapes that broadcast         y   their common shape
 *   d = |a - b|; y = d + log(1 + exp(-2 d)) - log(2), which does not overflow; right to a rounding of 1, so that
 *   y of a small d has few digits
 */
#include "op.h"

/* The op as a graph of ops, which bring their gradients with them, to any order. */
static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attrs)
{
	ad_node *d = ad_abs(ad_sub(in[0], in[1]));
	ad_node *small = ad_log1p(ad_exp(ad_mul(ad_constant(g, -2), d)));

	return ad_sub(ad_add(d, small), ad_constant(g, 0.6931471805599453));
}

/* A sample has inputs of these sizes, and known values (.want, and .dwant: the gradient of the sum of y), or numbers
 * at random between lo and hi, for which all derivatives are compared with differences. 'autograd op check' tries
 * them all. */
AD_OP(NAME, .arity = 2, .shape = ad_broadcast_shape, .compose = compose,
      .samples = { { .in = { AD_DIMS(2), AD_DIM0 },
                     .give = { AD_LIST(1, -1000), AD_LIST(0) },
                     .want = { AD_LIST(0.4337808304830271, 999.3068528194401) },
                     .dwant = { AD_LIST(0.7615941559557649, -1), AD_LIST(0.2384058440442351) } },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(3) }, .lo = -2, .hi = 2 } });

/* The logarithm of the hyperbolic cosine of a - b: half the square of small differences, the size of large ones. */
AD_API ad_node *ad_NAME(ad_node *a, ad_node *b)
{
	return AD_CALL(NAME, a, b);
}
