/*
 * rnn: a plain recurrent net over the steps of a sequence; shapes and weights in recurrent.h.
 *
 *   h' = f(W_ih x + b_ih + W_hh h + b_hh), f tanh or relu; results: y, h
 *
 * Elman, "Finding structure in time" (1990).
 */
#include "recurrent.h"

struct attrs {
	struct recurrent r;
	const char *nonlinearity;
};

static const ad_attr attrs[] = {
	RECURRENT_ATTRS,
	AD_ATTR(struct attrs, nonlinearity, AD_WORD, "tanh", "what is applied to the sum",
	        "tanh relu"),
	{ 0 },
};

static ad_node *activate(ad_node *sum, const struct attrs *a)
{
	return strcmp(a->nonlinearity, "relu") == 0 ? ad_relu(sum) : ad_tanh(sum);
}

static ad_node *step(ad_node *x, struct pass *p, const void *given)
{
	return p->h = activate(
		   ad_add(ad_linear(x, p->w_ih, p->b_ih), ad_linear(p->h, p->w_hh, p->b_hh)),
		   given);
}

/* The product of w_ih with all of x is one. */
static ad_node *run(ad_node *x, struct pass *p, const void *given)
{
	const int64_t T = ad_shape_of(x).dims[0];
	ad_node *from_x = ad_linear(x, p->w_ih, p->b_ih), *y;
	ad_node **steps = malloc((size_t)(T > 0 ? T : 1) * sizeof(*steps));

	if (!steps)
		return ad_fail(ad_graph_of(x), AD_ERROR_MEMORY, "rnn: out of memory for %lld steps",
		               (long long)T);
	for (int64_t t = 0; t < T; t++)
		steps[t] = p->h = activate(
		    ad_add(ad_select(from_x, 0, t), ad_linear(p->h, p->w_hh, p->b_hh)), given);
	y = ad_stack((size_t)T, steps, 0);
	free(steps);
	return y;
}

static ad_node *build(struct layer_site *site, ad_node *x, const void *given)
{
	static const struct recurrence kind = { "rnn", 1, 1, run, step };
	const struct attrs *a = given;

	return recur(site, &kind, x, &a->r, a);
}

const struct layer layer_rnn = {
	.name = "rnn",
	.doc = "a plain recurrent net over [batch, steps, size]; results y, h",
	.inputs = "x h?",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.build = build,
};
