/*
 * trace: y = the sum of the diagonal of the last two axes of x.
 *
 *   x   (.., M, N)          y   (..)
 *   dx = dy on the diagonal, 0 elsewhere. Composed of diagonal and sum.
 */
#include "op.h"

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attrs)
{
	return ad_sum(ad_diagonal(in[0], 0, -2, -1), AD_INTS(-1), false);
}

AD_OP(trace, .arity = 1, .compose = compose,
      .samples = { { .in = { AD_DIMS(2, 3) },
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6) },
                     .want = { AD_LIST(6) },
                     .dwant = { AD_LIST(1, 0, 0, 0, 1, 0) } },
                   { .in = { AD_DIMS(2, 3, 3) }, .lo = -2, .hi = 2 } });

/* The sum of the diagonal of the last two axes of x. */
AD_API ad_node *ad_trace(ad_node *x)
{
	return AD_CALL(trace, x);
}
