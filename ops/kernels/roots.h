/*
 * roots: powers below one of what may be 0, as ops, with gradient 0 there: for std and norm.
 */
#ifndef OPS_KERNELS_ROOTS_H
#define OPS_KERNELS_ROOTS_H

#include "op.h"

/* x^exponent for x >= 0 and an exponent above 0; 0 at 0, where the gradient, of any order, is 0. */
static inline ad_node *root_or_zero(ad_node *x, double exponent)
{
	ad_graph *g = ad_graph_of(x);
	ad_node *zero = ad_constant(g, 0), *none = ad_equal(x, zero);
	ad_node *safe = ad_where(none, ad_constant(g, 1), x);

	return ad_where(none, zero,
	                exponent == 0.5 ? ad_sqrt(safe) : ad_pow_scalar(safe, exponent));
}

#endif
