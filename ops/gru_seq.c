/*
 * gru_seq: a gated recurrent unit over T steps; see gru_cell.
 *
 *   x (T, ..., I)   h (..., H), the state before   w_ih (3 H, I)   w_hh (3 H, H)
 *   b_ih, b_hh (3 H), may be left out          y (T, ..., H), the state after every step
 *   Composed; the product of w_ih with all of x is one.
 */
#include "op.h"
#include "kernels/recurrent.h"

static ad_node *unroll(ad_graph *g, const struct cell *s, int64_t T, ad_node *steps[])
{
	ad_node *h = s->h;

	cut_steps(ad_linear(s->x, s->w_ih, s->b_ih), steps);
	for (int64_t t = 0; t < T && ad_status_of(g) == AD_OK; t++)
		steps[t] = h = ad_gru_gates(steps[t], ad_linear(h, s->w_hh, s->b_hh), h);
	if (ad_status_of(g) != AD_OK)
		return ad_fail(g, ad_status_of(g), "gru_seq: a step failed");
	return ad_stack((size_t)T, steps, 0);
}

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	struct cell s = cell_of(in, n_in, false);
	ad_shape y = ad_shape_of(s.x), h = ad_shape_of(s.h);
	ad_node **steps, *all;
	int64_t T;

	if (!cell_fits(g, "gru_seq", &s, 3, true))
		return ad_fail(g, AD_ERROR_SHAPE, "gru_seq: shapes do not fit");
	T = y.dims[0];
	y.dims[y.rank - 1] = h.dims[h.rank - 1];
	if (T == 0)
		return ad_full(g, y, 0);
	steps = calloc((size_t)T, sizeof(ad_node *));
	if (!steps)
		return ad_fail(g, AD_ERROR_MEMORY, "gru_seq: out of memory for %lld steps",
		               (long long)T);
	all = unroll(g, &s, T, steps);
	free(steps);
	return all;
}

AD_OP(gru_seq, .arity = 4, .optional = 2, .inputs = "x h w_ih w_hh b_ih b_hh", .compose = compose,
      .samples = {
	  { .in = { AD_DIMS(2, 1, 1), AD_DIMS(1, 1), AD_DIMS(3, 1), AD_DIMS(3, 1), AD_DIMS(3),
                    AD_DIMS(3) },
            .give = { AD_LIST(2, -1), AD_LIST(-1), AD_LIST(1, 0.5, -1), AD_LIST(0.5, -1, 1),
                      AD_LIST(0.1, 0.2, 0.3), AD_LIST(-0.1, 0, 0.1) },
            .want = { AD_LIST(-0.9984832749455185, -0.39678169802457297) } },
	  { .in = { AD_DIMS(3, 2, 3), AD_DIMS(2, 2), AD_DIMS(6, 3), AD_DIMS(6, 2), AD_DIMS(6),
                    AD_DIMS(6) },
            .lo = -1,
            .hi = 1 },
	  { .in = { AD_DIMS(65, 1), AD_DIMS(1), AD_DIMS(3, 1), AD_DIMS(3, 1) }, .lo = -1, .hi = 1 },
	  { .in = { AD_DIMS(0, 1), AD_DIMS(1), AD_DIMS(3, 1), AD_DIMS(3, 1) }, .lo = -1, .hi = 1 },
	  { .in = { AD_DIMS(3, 2, 3), AD_DIMS(2, 2), AD_DIMS(6, 2), AD_DIMS(6, 2) },
            .error = "w_ih must be (6, 3), not (6, 2)" } });

/* The states (T, ..., H) of a gated recurrent unit over x (T, ..., I); biases may be NULL. */
AD_API ad_node *ad_gru_seq(ad_node *x, ad_node *h, ad_node *w_ih, ad_node *w_hh, ad_node *b_ih,
                           ad_node *b_hh)
{
	return AD_CALL(gru_seq, x, h, w_ih, w_hh, b_ih, b_hh);
}
