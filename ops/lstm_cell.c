/*
 * lstm_cell: one step of a long short-term memory: h', c' from x, h, c.
 *
 *   x (..., I)   h, c (..., H)   w_ih (4 H, I)   w_hh (4 H, H)   b_ih, b_hh (4 H), may be left out
 *   h_new, c_new (..., H): i, f, g, o are the quarters of w_ih x + b_ih + w_hh h + b_hh, in this
 *   order; c_new = sigmoid(f) c + sigmoid(i) tanh(g), h_new = sigmoid(o) tanh(c_new)
 *   Composed of linear and lstm_gates.
 */
#include "op.h"
#include "kernels/recurrent.h"

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	struct cell s = cell_of(in, n_in, true);
	ad_node *y;

	if (!cell_fits(g, "lstm_cell", &s, 4, false))
		return ad_fail(g, AD_ERROR_SHAPE, "lstm_cell: shapes do not fit");
	y = ad_lstm_gates(ad_add(ad_linear(s.x, s.w_ih, s.b_ih), ad_linear(s.h, s.w_hh, s.b_hh)),
	                  s.c);
	if (ad_is_error(y))
		return y;
	return ad_pack(2, (ad_node *[]){ y, ad_output(y, 1) });
}

AD_OP(lstm_cell, .arity = 5, .optional = 2, .inputs = "x h c w_ih w_hh b_ih b_hh",
      .compose = compose,
      .samples = {
	  { .in = { AD_DIMS(1, 1), AD_DIMS(1, 1), AD_DIMS(1, 1), AD_DIMS(4, 1), AD_DIMS(4, 1),
                    AD_DIMS(4), AD_DIMS(4) },
            .give = { AD_LIST(2), AD_LIST(-1), AD_LIST(0.5), AD_LIST(1, 0.5, -1, 0.25),
                      AD_LIST(0.5, -1, 1, 2), AD_LIST(0.1, 0.2, 0.3, 0.4),
                      AD_LIST(-0.1, 0, 0.1, 0.2) },
            .want = { AD_LIST(-0.09939678337282942), AD_LIST(-0.3584788048555664) } },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(2, 2), AD_DIMS(2, 2), AD_DIMS(8, 3), AD_DIMS(8, 2),
                    AD_DIMS(8), AD_DIMS(8) },
            .lo = -1,
            .hi = 1 },
	  { .in = { AD_DIMS(3), AD_DIMS(2), AD_DIMS(2), AD_DIMS(8, 3), AD_DIMS(8, 2) },
            .lo = -1,
            .hi = 1 },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(3, 2), AD_DIMS(2, 2), AD_DIMS(8, 3), AD_DIMS(8, 2) },
            .error = "h must be (2, 2), not (3, 2)" },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(2, 2), AD_DIMS(2, 2), AD_DIMS(6, 3), AD_DIMS(8, 2) },
            .error = "w_ih must be (8, 3), not (6, 3)" } });

/* The new output, and as output 1 the new state, of a long short-term memory; biases may be NULL.
 */
AD_API ad_node *ad_lstm_cell(ad_node *x, ad_node *h, ad_node *c, ad_node *w_ih, ad_node *w_hh,
                             ad_node *b_ih, ad_node *b_hh)
{
	return AD_CALL(lstm_cell, x, h, c, w_ih, w_hh, b_ih, b_hh);
}
