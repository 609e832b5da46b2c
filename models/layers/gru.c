/*
 * gru: a gated recurrent unit over the steps of a sequence; shapes and weights in recurrent.h.
 *
 *   the rows of a weight are those of the gates r, z, n
 *   n = tanh(W_in x + b_in + r (W_hn h + b_hn)),   h' = (1 - z) n + z h
 *   results: y, h
 *
 * Cho et al., "Learning phrase representations using RNN encoder-decoder" (2014), with the reset
 * gate behind the product, as in cuDNN.
 */
#include "recurrent.h"

static const ad_attr attrs[] = {
	RECURRENT_ATTRS,
	{ 0 },
};

static ad_node *run(ad_node *x, struct pass *p, const void *given)
{
	ad_node *y = ad_gru_seq(x, p->h, p->w_ih, p->w_hh, p->b_ih, p->b_hh);

	if (!ad_is_error(y))
		p->h = ad_select(y, 0, -1);
	return y;
}

static ad_node *step(ad_node *x, struct pass *p, const void *given)
{
	return p->h = ad_gru_cell(x, p->h, p->w_ih, p->w_hh, p->b_ih, p->b_hh);
}

static ad_node *build(struct layer_site *site, ad_node *x, const void *given)
{
	static const struct recurrence kind = { "gru", 3, 1, run, step };

	return recur(site, &kind, x, given, given);
}

const struct layer layer_gru = {
	.name = "gru",
	.doc = "a gated recurrent unit over [batch, steps, size]; results y, h",
	.inputs = "x h?",
	.attrs = attrs,
	.attrs_size = sizeof(struct recurrent),
	.build = build,
};
