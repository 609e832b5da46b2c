/*
 * rand_like: random numbers, uniform in [0, 1).
 *
 *   x   any shape; its values are not read          y   shape of x
 *
 * Evaluating again gives the same numbers, the next step others. No gradient.
 */
#include "op.h"

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attrs)
{
	return ad_rand(g, ad_shape_of(in[0]));
}

AD_OP(rand_like, .arity = 1, .compose = compose,
      .samples = { { .in = { AD_DIMS(2, 3) },
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6) },
                     .want = { AD_LIST(0.3990464706439525, 0.880520197795704, 0.7357127843424678, 0.6054818537086248, 0.9722412014380097, 0.36209111544303596) },
                     .dwant = { AD_LIST(0, 0, 0, 0, 0, 0) } },
                   { .in = { AD_DIMS(0) } } });

/* Random numbers, uniform in [0, 1), in the shape of x. */
AD_API ad_node *ad_rand_like(ad_node *x)
{
	return AD_CALL(rand_like, x);
}
