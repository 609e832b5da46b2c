/*
 * outputs: ops with several outputs: pack, whose outputs are its inputs' memory, in every way of
 * keeping values; and sequences of cells, however long, against one cell after the other.
 */
#include "autograd.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>

static uint32_t state = 1;

static double next(void)
{
	state = state * 1664525u + 1013904223u;
	return ((int)(state >> 20) - 2048) / 2048.0;
}

static ad_node *leaf(ad_graph *g, ad_shape shape)
{
	ad_node *x = ad_input(g, "x", AD_REAL, shape);

	ad_want_gradient(x, true);
	for (size_t k = 0; k < ad_count(x); k++)
		((double *)ad_write(x))[k] = next();
	return x;
}

/* The difference of two nodes at most. */
static double apart(ad_node *a, ad_node *b)
{
	ad_node *d = ad_amax(ad_abs(ad_sub(a, b)), AD_ALL, false);

	cr_assert(ad_forward(d) == AD_OK, "%s", ad_errmsg(ad_graph_of(a)));
	return ad_item(d);
}

Test(outputs, pack)
{
	for (int way = 0; way < 4; way++) {
		ad_graph *g = ad_open_f64();
		ad_node *x, *e, *p, *q, *y;

		ad_training(g, way & 1);
		if (way & 2)
			ad_keep_all(g);
		x = ad_leaf(g, "x", 0.5);
		e = ad_exp(x);
		p = ad_pack(4, (ad_node *[]){ x, e, e, ad_reshape(e, AD_SHAPE(1, 1)) });
		q = ad_pack(2, (ad_node *[]){ ad_output(p, 1), p });
		y = ad_mul(ad_mul(q, ad_output(q, 1)), ad_sum(ad_output(p, 3), AD_ALL, false));
		for (double v = 0.5; v < 2; v++) {
			ad_set_item(x, v);
			cr_assert(ad_backward(y) == AD_OK, "%s", ad_errmsg(g));
			cr_expect_float_eq(ad_item(y), v * exp(2 * v), 1e-12);
			cr_expect_float_eq(ad_item(ad_gradient(x)), (1 + 2 * v) * exp(2 * v),
			                   1e-12);
			cr_expect_float_eq(ad_item(p), v, 0);
			cr_expect_float_eq(ad_item(ad_output(p, 2)), exp(v), 1e-15);
		}
		ad_close(g);
	}
}

Test(outputs, pack_too_many)
{
	ad_graph *g = ad_open();
	ad_node *x[65];

	for (int k = 0; k < 65; k++)
		x[k] = ad_constant(g, k);
	cr_expect(ad_outputs(ad_pack(64, x)) == 64);
	cr_expect(ad_is_error(ad_pack(65, x)));
	cr_expect_str_eq(ad_errmsg(g), "pack: an op has at most 64 outputs, not 65");
	ad_close(g);
}

Test(outputs, sequences)
{
	static const int64_t lengths[] = { 1, 2, 63, 64, 65, 130, 4097 };

	for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
		int64_t T = lengths[k], H = 2;
		ad_graph *g = ad_open_f64();
		ad_node *x = leaf(g, AD_SHAPE(T, 3, 2)), *h0 = leaf(g, AD_SHAPE(3, H));
		ad_node *c0 = leaf(g, AD_SHAPE(3, H)), *h = h0, *c = c0, *s = h0, *all, *states,
			*dx, *want;
		ad_node *w = leaf(g, AD_SHAPE(4 * H, 2)), *u = leaf(g, AD_SHAPE(4 * H, H));
		ad_node *w3 = leaf(g, AD_SHAPE(3 * H, 2)), *u3 = leaf(g, AD_SHAPE(3 * H, H));

		all = ad_lstm_seq(x, h0, c0, w, u, NULL, NULL);
		states = ad_gru_seq(x, h0, w3, u3, NULL, NULL);
		for (int64_t t = 0; t < T; t++) {
			h = ad_lstm_cell(ad_select(x, 0, t), h, c, w, u, NULL, NULL);
			c = ad_output(h, 1);
			s = ad_gru_cell(ad_select(x, 0, t), s, w3, u3, NULL, NULL);
		}
		cr_expect(apart(ad_select(all, 0, T - 1), h) < 1e-12, "h of %d steps", (int)T);
		cr_expect(apart(ad_output(all, 1), h) < 1e-12, "h_last of %d steps", (int)T);
		cr_expect(apart(ad_output(all, 2), c) < 1e-12, "c_last of %d steps", (int)T);
		cr_expect(apart(ad_select(states, 0, T - 1), s) < 1e-12, "gru of %d steps", (int)T);
		dx = ad_grad(ad_sum(ad_output(all, 2), AD_ALL, false), u);
		want = ad_grad(ad_sum(c, AD_ALL, false), u);
		cr_expect(apart(dx, want) < 1e-9, "gradient of %d steps", (int)T);
		ad_close(g);
	}
}
