/*
 * draw: the DOT of small graphs: golden, the same bytes each time, what hostile names become,
 * classes.
 */
#include "autograd_draw.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static char *dot_of(ad_node *y, const ad_draw_options *o)
{
	char error[512] = "", *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	cr_assert(to);
	cr_assert(ad_draw(y, o, to, error, sizeof error), "%s", error);
	fclose(to);
	return text;
}

static size_t count(const char *text, const char *piece)
{
	size_t n = 0;

	for (const char *at = text; (at = strstr(at, piece)); at += strlen(piece))
		n++;
	return n;
}

static ad_node *gates(ad_graph *g)
{
	ad_node *x = ad_leaf(g, "x", -2), *y = ad_leaf(g, "y", 5), *z = ad_leaf(g, "z", -4);

	ad_keep_all(g);
	return ad_name(ad_mul(ad_name(ad_add(x, y), "q"), z), "f");
}

Test(draw, the_gates_as_a_circuit)
{
	ad_graph *g = ad_open_f64();
	ad_node *f = gates(g);
	const ad_draw_options o = { .gradients = true, .step = -1 };
	char golden[8192] = "", *text;
	FILE *file = fopen("tests/tools/gates.dot", "r");

	cr_assert_eq(ad_backward(f), AD_OK, "%s", ad_errmsg(g));
	text = dot_of(f, &o);
	cr_assert(file && fread(golden, 1, sizeof golden - 1, file) > 0);
	fclose(file);
	cr_expect_str_eq(text, golden);
	free(text);
	ad_close(g);
}

Test(draw, a_graph_that_was_not_evaluated_shows_what_is_known)
{
	ad_graph *g = ad_open_f64();
	ad_node *f = gates(g);
	const ad_draw_options o = { .step = -1 };
	char *text = dot_of(f, &o);

	cr_expect(strstr(text, ">-4</FONT>"), "the value of a leaf");
	cr_expect_not(strstr(text, "-12"));
	cr_expect_eq(ad_status_of(g), AD_OK, "drawing leaves no failure");
	free(text);
	ad_close(g);
}

/* Constants are part of the signs, a fork says what each branch sends back. */
Test(draw, circuits_fold_constants_and_label_forks)
{
	ad_graph *g = ad_open_f64();
	ad_node *x = ad_leaf(g, "x", 3), *f;
	const ad_draw_options o = { .gradients = true, .step = -1 };
	char *text;

	ad_keep_all(g);
	f = ad_name(ad_div(ad_constant(g, 1), ad_add(ad_mul(x, x), ad_constant(g, 2))), "f");
	cr_assert_eq(ad_backward(f), AD_OK);
	text = dot_of(f, &o);
	cr_expect(strstr(text, ">+2</FONT>") && strstr(text, ">1/x</FONT>"));
	cr_expect(strstr(text, "f = 1 / (x * x + 2)"));
	cr_expect_eq(count(text, ":e -> "), 4, "two from x, one from each result but the last");
	cr_expect_eq(count(text, "label=-0.02479"), 2);
	free(text);
	ad_close(g);
}

static ad_node *layer(ad_graph *g, ad_node *x, const char *name, double weight)
{
	char path[64];
	ad_node *w, *b, *y;

	snprintf(path, sizeof path, "%s.weight", name);
	w = ad_param(g, path, AD_SHAPE(3, 3));
	snprintf(path, sizeof path, "%s.bias", name);
	b = ad_param(g, path, AD_SHAPE(3));
	ad_set_item(w, weight);
	ad_scope_begin(g, name);
	y = ad_add(ad_matmul(x, ad_transpose(w, 0, 1)), b);
	ad_scope_end(g);
	return y;
}

/* Three layers whose middle one lets little through, with a target. */
static char *draw_layers(double middle, bool gradients)
{
	ad_graph *g = ad_open();
	ad_node *x = ad_input(g, "x", AD_REAL, AD_SHAPE(2, 3)), *t, *logits, *loss;
	ad_draw_options o = { .gradients = gradients, .title = "layers", .step = 7 };
	char *text;

	ad_keep_all(g);
	t = ad_input(g, "t", AD_I32, AD_SHAPE(2));
	ad_set_item(x, 0.5);
	ad_set_item(t, 1);
	logits = ad_name(layer(g, layer(g, layer(g, x, "first", 0.5), "middle", middle), "last", 1),
	                 "logits");
	loss = ad_cross_entropy(logits, t);
	cr_assert_eq(ad_backward(loss), AD_OK, "%s", ad_errmsg(g));
	o.reference = logits;
	text = dot_of(loss, &o);
	ad_close(g);
	return text;
}

Test(draw, layers_are_frames_and_x_w_plus_b_is_one_box)
{
	char *text = draw_layers(1, true);

	cr_expect_eq(count(text, "subgraph cluster_"), 3);
	cr_expect_eq(count(text, "<FONT>linear"), 3);
	cr_expect_eq(count(text, "shape=cylinder"), 6);
	cr_expect_eq(count(text, "weight &nbsp;3\xc3\x97"
	                         "3"),
	             3, "names without the frame's");
	cr_expect_eq(count(text, "transpose"), 0);
	cr_expect_eq(count(text, "shape=cds"), 2);
	cr_expect_eq(count(text, "style=\"filled,dashed\""), 1, "the target");
	cr_expect(strstr(text, "against the gradient at logits"));
	cr_expect(strstr(text, "step 7"));
	cr_expect(strstr(text, "no gradient wanted"));
	cr_expect_not(strstr(text, "exploding"), "the legend has only what occurs");
	free(text);
}

Test(draw, classes_compare_with_the_reference)
{
	char *small = draw_layers(1e-5, true), *none = draw_layers(0, true);

	cr_expect(strstr(small, "class=\"gradient vanishing\""));
	cr_expect(strstr(small, "vanishing, under 1/1000"));
	cr_expect(strstr(none, "class=\"gradient zero\""));
	cr_expect(strstr(none, "exactly zero"));
	free(small);
	free(none);
}

Test(draw, without_gradients_arrows_carry_shapes)
{
	char *text = draw_layers(1, false);

	cr_expect_not(strstr(text, "rms"));
	cr_expect_not(strstr(text, "legend"));
	cr_expect(strstr(text, "label=\"2\xc3\x97"
	                       "3\""));
	free(text);
}

Test(draw, the_same_graph_gives_the_same_bytes)
{
	char *a = draw_layers(0.5, true), *b = draw_layers(0.5, true);

	cr_expect_str_eq(a, b);
	free(a);
	free(b);
}

Test(draw, the_first_op_that_makes_a_nan_is_outlined)
{
	ad_graph *g = ad_open();
	ad_node *x = ad_param(g, "x", AD_SHAPE(2)), *y;
	const ad_draw_options o = { .gradients = true, .step = -1 };
	char *text, *at;

	ad_keep_all(g);
	ad_set(x, (const double[]){ 1, -1 }, 2);
	y = ad_sum(ad_exp(ad_sqrt(ad_square(ad_log(x)))), AD_ALL, false);
	cr_assert_eq(ad_backward(y), AD_OK);
	text = dot_of(y, &o);
	cr_expect_eq(count(text, "penwidth=2.5"), 1);
	at = strstr(text, "penwidth=2.5");
	cr_expect(at && strstr(at, "tooltip=\"log: 2, ") - at < 60);
	cr_expect(strstr(text, ">NaN</FONT>"));
	cr_expect(strstr(text, "class=\"gradient nan\""));
	free(text);
	ad_close(g);
}

/* Names as an enemy would choose them: nothing of them reaches DOT or HTML unescaped. */
Test(draw, hostile_names)
{
	char *endless = malloc(2000001), *text;
	ad_graph *g = ad_open();
	ad_node *x, *w, *y;
	ad_draw_options o = { .gradients = true, .step = -1 };

	cr_assert(endless);
	memset(endless, '"', 2000000);
	endless[2000000] = 0;
	ad_keep_all(g);
	x = ad_input(g, "</TABLE>\"];a->b[\\", AD_REAL, AD_SHAPE(2));
	ad_set_item(x, 1);
	w = ad_param(g, "\xe2\x80\xae\xff\x01<script>", AD_SHAPE(2));
	ad_scope_begin(g, "&bogus;\\N");
	y = ad_name(ad_sigmoid(ad_mul(x, w)), endless);
	ad_scope_end(g);
	y = ad_name(ad_mean(y, AD_ALL, false), "loss\n\t");
	cr_assert_eq(ad_backward(y), AD_OK);
	o.title = endless;
	text = dot_of(y, &o);
	cr_expect_not(strstr(text, "<script>"));
	cr_expect_not(strstr(text, "</TABLE>\""));
	cr_expect_not(strstr(text, "\xe2\x80\xae"));
	cr_expect_not(strchr(text, 1));
	cr_expect_not(strchr(text, '\xff'));
	/* cgraph itself breaks long lines by a backslash */
	cr_expect_eq(count(text, "\\"), count(text, "\\\n"));
	cr_expect(strstr(text, "&lt;script&gt;"));
	cr_expect(strstr(text, "&amp;bogus;"));
	cr_expect_lt(strlen(text), 16384);
	free(text);
	free(endless);
	ad_close(g);
}

/* 100,000 ops without a frame, and 40 frames of 50 ops: neither overflows, both stay readable. */
Test(draw, large_graphs_are_closed)
{
	ad_graph *g = ad_open();
	ad_node *x = ad_param(g, "x", AD_SHAPE(2)), *y = x;
	const ad_draw_options o = { .gradients = true, .step = -1 };
	char *text, name[32];

	for (int k = 0; k < 100000; k++)
		y = ad_neg(y);
	y = ad_sum(y, AD_ALL, false);
	ad_keep_all(g);
	cr_assert_eq(ad_backward(y), AD_OK);
	text = dot_of(y, &o);
	cr_expect_lt(count(text, "class=closed"), 301);
	cr_expect_gt(count(text, "class=closed"), 10);
	free(text);
	ad_close(g);

	g = ad_open();
	y = x = ad_param(g, "x", AD_SHAPE(2));
	for (int k = 0; k < 40; k++) {
		snprintf(name, sizeof name, "block[%d]", k);
		ad_scope_begin(g, name);
		for (int j = 0; j < 50; j++)
			y = ad_neg(y);
		ad_scope_end(g);
	}
	y = ad_sum(y, AD_ALL, false);
	ad_keep_all(g);
	cr_assert_eq(ad_backward(y), AD_OK);
	text = dot_of(y, &o);
	cr_expect(strstr(text, "<B>block[39]</B><BR/><FONT POINT-SIZE=\"9\">50 ops</FONT>"));
	cr_expect_eq(count(text, "class=closed") + count(text, "class=frame"), 40);
	free(text);
	ad_close(g);
}

Test(draw, mistakes_are_sentences)
{
	ad_graph *g = ad_open(), *other = ad_open();
	ad_node *f = gates(g);
	ad_draw_options o = { .gradients = true, .step = -1 };
	char error[512] = "", *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	cr_expect_not(ad_draw(f, &o, to, error, sizeof error));
	cr_expect_str_eq(error,
	                 "draw: there are no gradients of this node; call ad_keep_all and then "
	                 "ad_backward on it before");
	o.gradients = false;
	o.reference = ad_leaf(other, "x", 1);
	cr_expect_not(ad_draw(f, &o, to, error, sizeof error));
	cr_expect_str_eq(error, "draw: the reference belongs to another graph");
	cr_expect_not(ad_draw(NULL, &o, to, error, sizeof error));
	o.reference = NULL;
	ad_matmul(ad_input(g, "a", AD_REAL, AD_SHAPE(2, 3)),
	          ad_input(g, "b", AD_REAL, AD_SHAPE(2, 3)));
	cr_expect_not(ad_draw(f, &o, to, error, sizeof error));
	cr_expect(strstr(error, "draw: the graph has failed: matmul: "));
	fclose(to);
	free(text);
	ad_close(g);
	ad_close(other);
}
