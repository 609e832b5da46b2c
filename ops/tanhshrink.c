/*
 * tanhshrink: y = x - tanh x, element by element.
 *
 *   x   any shape          y   shape of x
 *   Composed of sub and tanh, which have the gradient.
 */
#include "op.h"

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attrs)
{
	return ad_sub(in[0], ad_tanh(in[0]));
}

AD_OP(tanhshrink, .arity = 1, .compose = compose,
      .samples = { { .in = { AD_DIMS(4) },
                     .give = { AD_LIST(-1.5, 0, 0.5, 20) },
                     .want = { AD_LIST(-0.5948517463551336, 0, 0.03788284273999024, 19) },
                     .dwant = { AD_LIST(0.8192933610763514, 0, 0.2135522670340726, 1) } },
                   { .in = { AD_DIMS(2, 3) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIM0 }, .lo = -2, .hi = 2 } });

/* Every element less its hyperbolic tangent. */
AD_API ad_node *ad_tanhshrink(ad_node *x)
{
	return AD_CALL(tanhshrink, x);
}
