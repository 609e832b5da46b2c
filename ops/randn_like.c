/*
 * randn_like: random numbers of the normal distribution with mean 0 and variance 1.
 *
 *   x   any shape; its values are not read          y   shape of x
 *
 * Evaluating again gives the same numbers, the next step others. No gradient.
 */
#include "op.h"

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attrs)
{
	return ad_randn(g, ad_shape_of(in[0]));
}

AD_OP(randn_like, .arity = 1, .compose = compose,
      .samples = { { .in = { AD_DIMS(2, 3) },
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6) },
                     .want = { AD_LIST(0.9911376792540323, -0.9246625883905122, -0.6176089598118041, -0.48206858703542393, -0.1536382301656158, 0.18082589789182124) },
                     .dwant = { AD_LIST(0, 0, 0, 0, 0, 0) } },
                   { .in = { AD_DIMS(0) } } });

/* Random numbers of the normal distribution with mean 0 and variance 1, in the shape of x. */
AD_API ad_node *ad_randn_like(ad_node *x)
{
	return AD_CALL(randn_like, x);
}
