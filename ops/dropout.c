/*
 * dropout: y = x with each element set to 0 with probability p and the rest grown by 1 / (1 - p).
 *
 *   x   any shape          y   shape of x; x itself in evaluation phase or if p = 0
 *   dx = dy times the same noise
 *
 * Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting" (2014),
 * scaled during training so that nothing need be scaled afterwards.
 */
#include "op.h"

struct attrs {
	double p;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, p, AD_NUM, "0.5", "the probability of 0, in [0, 1)", NULL),
	{ 0 },
};

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;

	if (!(a->p >= 0 && a->p < 1))
		return ad_fail(g, AD_ERROR_ARGUMENT, "dropout: p is %g, not in [0, 1)", a->p);
	if (!ad_is_training(g) || a->p == 0)
		return in[0];
	return ad_mul(in[0], ad_dropout_noise(g, ad_shape_of(in[0]), a->p));
}

AD_OP(dropout, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .compose = compose,
      .samples = {
	  { .in = { AD_DIMS(3) },
            .attrs = "p=0",
            .give = { AD_LIST(1, 2, 3) },
            .want = { AD_LIST(1, 2, 3) } },
	  { .in = { AD_DIMS(4, 5) }, .attrs = "p=0.4", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(3) }, .attrs = "p=-0.1", .error = "p is -0.1, not in [0, 1)" } });

/* x with each element set to 0 with probability p and the rest divided by 1 - p, in training phase.
 */
AD_API ad_node *ad_dropout(ad_node *x, double p)
{
	struct attrs a = { p };

	return AD_CALL_WITH(dropout, &a, x);
}
