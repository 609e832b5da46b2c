/*
 * rnn_cell: one step of a plain recurrent net: y = f(w_ih x + b_ih + w_hh h + b_hh).
 *
 *   x (..., I)   h (..., H)   w_ih (H, I)   w_hh (H, H)   b_ih, b_hh (H), may be left out
 *   y (..., H); f is tanh or relu, by `nonlinearity`. Composed of linear and these.
 */
#include "op.h"
#include "kernels/recurrent.h"

struct attrs {
	const char *nonlinearity;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, nonlinearity, AD_WORD, "tanh", "what is applied to the sum",
	        "tanh relu"),
	{ 0 },
};

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	struct cell s = cell_of(in, n_in, false);
	ad_node *sum;

	if (!cell_fits(g, "rnn_cell", &s, 1, false))
		return ad_fail(g, AD_ERROR_SHAPE, "rnn_cell: shapes do not fit");
	sum = ad_add(ad_linear(s.x, s.w_ih, s.b_ih), ad_linear(s.h, s.w_hh, s.b_hh));
	return strcmp(a->nonlinearity, "relu") == 0 ? ad_relu(sum) : ad_tanh(sum);
}

AD_OP(rnn_cell, .arity = 4, .optional = 2, .inputs = "x h w_ih w_hh b_ih b_hh", .attrs = attrs,
      .attrs_size = sizeof(struct attrs), .compose = compose,
      .samples = {
	  { .in = { AD_DIMS(1, 1), AD_DIMS(1, 2), AD_DIMS(2, 1), AD_DIMS(2, 2), AD_DIMS(2),
                    AD_DIMS(2) },
            .attrs = "nonlinearity=relu",
            .give = { AD_LIST(2), AD_LIST(1, -1), AD_LIST(1, -3), AD_LIST(0.5, -1, 1, 2),
                      AD_LIST(0.5, 1), AD_LIST(0.25, 0) },
            .want = { AD_LIST(4.25, 0) },
            .dwant = { AD_LIST(1), AD_LIST(0.5, -1), AD_LIST(2, 0), AD_LIST(1, -1, 0, 0),
                       AD_LIST(1, 0), AD_LIST(1, 0) } },
	  { .in = { AD_DIMS(1), AD_DIMS(1), AD_DIMS(1, 1), AD_DIMS(1, 1) },
            .give = { AD_LIST(2), AD_LIST(-1), AD_LIST(0.5), AD_LIST(0.5) },
            .want = { AD_LIST(0.46211715726000973) } },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(2, 2), AD_DIMS(2, 3), AD_DIMS(2, 2), AD_DIMS(2),
                    AD_DIMS(2) },
            .lo = -1,
            .hi = 1 },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(2, 2), AD_DIMS(2, 3), AD_DIMS(2, 2), AD_DIMS(3) },
            .error = "b_ih must be (2,), not (3,)" } });

/* The new state of a plain recurrent net with tanh; biases may be NULL. */
AD_API ad_node *ad_rnn_cell(ad_node *x, ad_node *h, ad_node *w_ih, ad_node *w_hh, ad_node *b_ih,
                            ad_node *b_hh)
{
	return AD_CALL(rnn_cell, x, h, w_ih, w_hh, b_ih, b_hh);
}
