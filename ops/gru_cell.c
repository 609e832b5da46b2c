/*
 * gru_cell: one step of a gated recurrent unit: the new state y from x and h.
 *
 *   x (..., I)   h (..., H)   w_ih (3 H, I)   w_hh (3 H, H)   b_ih, b_hh (3 H), may be left out
 *   y (..., H) = (1 - z) n + z h, where r, z, n are the thirds, in this order, of
 *   sigmoid(w_ih x + b_ih + w_hh h + b_hh), but n = tanh(w_in x + b_in + r (w_hn h + b_hn))
 *   Composed of linear and gru_gates.
 */
#include "op.h"
#include "kernels/recurrent.h"

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	struct cell s = cell_of(in, n_in, false);
	ad_node *y;

	if (!cell_fits(g, "gru_cell", &s, 3, false))
		return ad_fail(g, AD_ERROR_SHAPE, "gru_cell: shapes do not fit");
	y = ad_gru_gates(ad_linear(s.x, s.w_ih, s.b_ih), ad_linear(s.h, s.w_hh, s.b_hh), s.h);
	return ad_pack(1, &y);
}

AD_OP(gru_cell, .arity = 4, .optional = 2, .inputs = "x h w_ih w_hh b_ih b_hh", .compose = compose,
      .samples = {
	  { .in = { AD_DIMS(1, 1), AD_DIMS(1, 1), AD_DIMS(3, 1), AD_DIMS(3, 1), AD_DIMS(3),
                    AD_DIMS(3) },
            .give = { AD_LIST(2), AD_LIST(-1), AD_LIST(1, 0.5, -1), AD_LIST(0.5, -1, 1),
                      AD_LIST(0.1, 0.2, 0.3), AD_LIST(-0.1, 0, 0.1) },
            .want = { AD_LIST(-0.9984832749455185) } },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(2, 2), AD_DIMS(6, 3), AD_DIMS(6, 2), AD_DIMS(6),
                    AD_DIMS(6) },
            .lo = -1,
            .hi = 1 },
	  { .in = { AD_DIMS(3), AD_DIMS(2), AD_DIMS(6, 3), AD_DIMS(6, 2) }, .lo = -1, .hi = 1 },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(2, 2), AD_DIMS(6, 3), AD_DIMS(8, 2) },
            .error = "w_hh must be (6, 2), not (8, 2)" } });

/* The new state of a gated recurrent unit; biases may be NULL. */
AD_API ad_node *ad_gru_cell(ad_node *x, ad_node *h, ad_node *w_ih, ad_node *w_hh, ad_node *b_ih,
                            ad_node *b_hh)
{
	return AD_CALL(gru_cell, x, h, w_ih, w_hh, b_ih, b_hh);
}
