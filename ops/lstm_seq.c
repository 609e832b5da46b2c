/*
 * lstm_seq: a long short-term memory over T steps; see lstm_cell.
 *
 *   x (T, ..., I)   h, c (..., H), the state before   w_ih (4 H, I)   w_hh (4 H, H)
 *   b_ih, b_hh (4 H), may be left out
 *   y (T, ..., H), the output of every step; h_last, c_last (..., H), the state after the last
 *   Composed; the product of w_ih with all of x is one.
 */
#include "op.h"
#include "kernels/recurrent.h"

static ad_node *unroll(ad_graph *g, const struct cell *s, int64_t T, ad_node *steps[])
{
	ad_node *h = s->h, *c = s->c;

	cut_steps(ad_linear(s->x, s->w_ih, s->b_ih), steps);
	for (int64_t t = 0; t < T && ad_status_of(g) == AD_OK; t++) {
		ad_node *sums = ad_add(steps[t], ad_linear(h, s->w_hh, s->b_hh));

		steps[t] = h = ad_lstm_gates(sums, c);
		c = ad_is_error(h) ? h : ad_output(h, 1);
	}
	if (ad_status_of(g) != AD_OK)
		return ad_fail(g, ad_status_of(g), "lstm_seq: a step failed");
	return ad_pack(3, (ad_node *[]){ ad_stack((size_t)T, steps, 0), h, c });
}

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	struct cell s = cell_of(in, n_in, true);
	ad_shape y = ad_shape_of(s.x), h = ad_shape_of(s.h);
	ad_node **steps, *packed;
	int64_t T;

	if (!cell_fits(g, "lstm_seq", &s, 4, true))
		return ad_fail(g, AD_ERROR_SHAPE, "lstm_seq: shapes do not fit");
	T = y.dims[0];
	y.dims[y.rank - 1] = h.dims[h.rank - 1];
	if (T == 0)
		return ad_pack(3, (ad_node *[]){ ad_full(g, y, 0), s.h, s.c });
	steps = calloc((size_t)T, sizeof(ad_node *));
	if (!steps)
		return ad_fail(g, AD_ERROR_MEMORY, "lstm_seq: out of memory for %lld steps",
		               (long long)T);
	packed = unroll(g, &s, T, steps);
	free(steps);
	return packed;
}

AD_OP(lstm_seq, .arity = 5, .optional = 2, .inputs = "x h c w_ih w_hh b_ih b_hh",
      .compose = compose,
      .samples = {
	  { .in = { AD_DIMS(2, 1, 1), AD_DIMS(1, 1), AD_DIMS(1, 1), AD_DIMS(4, 1), AD_DIMS(4, 1),
                    AD_DIMS(4), AD_DIMS(4) },
            .give = { AD_LIST(2, -1), AD_LIST(-1), AD_LIST(0.5), AD_LIST(1, 0.5, -1, 0.25),
                      AD_LIST(0.5, -1, 1, 2), AD_LIST(0.1, 0.2, 0.3, 0.4),
                      AD_LIST(-0.1, 0, 0.1, 0.2) },
            .want = { AD_LIST(-0.09939678337282942, 0.03337639361945884),
                      AD_LIST(0.03337639361945884), AD_LIST(0.062148978409731936) } },
	  { .in = { AD_DIMS(3, 2, 3), AD_DIMS(2, 2), AD_DIMS(2, 2), AD_DIMS(8, 3), AD_DIMS(8, 2),
                    AD_DIMS(8), AD_DIMS(8) },
            .lo = -1,
            .hi = 1 },
	  { .in = { AD_DIMS(4, 1), AD_DIMS(1), AD_DIMS(1), AD_DIMS(4, 1), AD_DIMS(4, 1) },
            .lo = -1,
            .hi = 1 },
	  { .in = { AD_DIMS(67, 1), AD_DIMS(1), AD_DIMS(1), AD_DIMS(4, 1), AD_DIMS(4, 1) },
            .lo = -1,
            .hi = 1 },
	  { .in = { AD_DIMS(0, 1), AD_DIMS(1), AD_DIMS(1), AD_DIMS(4, 1), AD_DIMS(4, 1) },
            .lo = -1,
            .hi = 1 },
	  { .in = { AD_DIMS(3, 2, 3), AD_DIMS(3, 2), AD_DIMS(3, 2), AD_DIMS(8, 3), AD_DIMS(8, 2) },
            .error = "h must be (2, 2), not (3, 2)" },
	  { .in = { AD_DIMS(3), AD_DIMS(2), AD_DIMS(2), AD_DIMS(8, 3), AD_DIMS(8, 2) },
            .error = "x must be (T, ..., I) and h (..., H), not (3,) and (2,)" } });

/* The outputs of all steps (T, ..., H) of a long short-term memory over x (T, ..., I); outputs 1
 * and 2 are its last output and state. Biases may be NULL. */
AD_API ad_node *ad_lstm_seq(ad_node *x, ad_node *h, ad_node *c, ad_node *w_ih, ad_node *w_hh,
                            ad_node *b_ih, ad_node *b_hh)
{
	return AD_CALL(lstm_seq, x, h, c, w_ih, w_hh, b_ih, b_hh);
}
