/*
 * lstm: long short-term memory over the steps of a sequence; shapes and weights in recurrent.h.
 *
 *   the rows of a weight are those of the gates i, f, g, o
 *   c' = sigmoid(f) c + sigmoid(i) tanh(g),   h' = sigmoid(o) tanh(c')
 *   results: y, h, c
 *
 * Hochreiter and Schmidhuber, "Long short-term memory" (1997), with the forget gate of Gers et al.
 * (2000).
 */
#include "recurrent.h"

static const ad_attr attrs[] = {
	RECURRENT_ATTRS,
	{ 0 },
};

static ad_node *run(ad_node *x, struct pass *p, const void *given)
{
	ad_node *y = ad_lstm_seq(x, p->h, p->c, p->w_ih, p->w_hh, p->b_ih, p->b_hh);

	if (ad_is_error(y))
		return y;
	p->h = ad_output(y, 1);
	p->c = ad_output(y, 2);
	return y;
}

static ad_node *step(ad_node *x, struct pass *p, const void *given)
{
	ad_node *h = ad_lstm_cell(x, p->h, p->c, p->w_ih, p->w_hh, p->b_ih, p->b_hh);

	if (ad_is_error(h))
		return h;
	p->h = h;
	p->c = ad_output(h, 1);
	return h;
}

static ad_node *build(struct layer_site *site, ad_node *x, const void *given)
{
	static const struct recurrence kind = { "lstm", 4, 2, run, step };

	return recur(site, &kind, x, given, given);
}

const struct layer layer_lstm = {
	.name = "lstm",
	.doc = "long short-term memory over [batch, steps, size]; results y, h, c",
	.inputs = "x h? c?",
	.attrs = attrs,
	.attrs_size = sizeof(struct recurrent),
	.build = build,
};
