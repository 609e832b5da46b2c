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
#include <unistd.h>

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
	static const double pattern[9] = { 1, 0.5, -0.5, -0.25, 1, 0.75, 0.5, -0.75, 1 };
	double values[9];
	char path[64];
	ad_node *w, *b, *y;

	snprintf(path, sizeof path, "%s.weight", name);
	w = ad_param(g, path, AD_SHAPE(3, 3));
	snprintf(path, sizeof path, "%s.bias", name);
	b = ad_param(g, path, AD_SHAPE(3));
	for (int k = 0; k < 9; k++)
		values[k] = weight * pattern[k];
	ad_set(w, values, 9);
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
	cr_expect(strstr(
	    text, "<B>block[1..39] &nbsp;\xc3\x97 39</B><BR/><FONT POINT-SIZE=\"9\">1950 ops"));
	cr_expect_eq(count(text, "class=closed") + count(text, "class=frame"), 2,
	             "the first one has the weight");
	cr_expect_eq(count(text, "HEIGHT=\"14\""), 39, "a cell a copy");
	free(text);
	ad_close(g);
}

/* ---- golden files: GOLDEN=1 writes them anew ---------------------------------------------------
 */

static void expect_golden(const char *name, const char *text)
{
	char path[128];
	size_t size;
	char *golden;
	FILE *file;

	snprintf(path, sizeof path, "tests/tools/%s", name);
	if (getenv("GOLDEN")) {
		file = fopen(path, "w");
		cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
	}
	file = fopen(path, "r");
	cr_assert(file, "%s", path);
	size = strlen(text) + 4096;
	golden = calloc(size, 1);
	cr_assert(golden);
	cr_expect_lt(fread(golden, 1, size - 1, file), size - 1);
	fclose(file);
	cr_expect(!strcmp(golden, text), "%s differs:\n%s", path, text);
	free(golden);
}

/* The sentence of a drawing that is refused. */
static char *draw_failing(ad_node *y, const ad_draw_options *o)
{
	char *error = calloc(512, 1), *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	cr_assert(error && to);
	cr_expect_not(ad_draw(y, o, to, error, 512));
	fclose(to);
	free(text);
	return error;
}

/* A perceptron of so many equal layers, each a module of a linear layer and a tanh; the weights of
 * one of them are `odd`, of the others 1/3. */
struct net {
	ad_graph *graph;
	ad_node *loss, *logits;
	ad_draw_layer layers[64];
	char paths[64][48];
	size_t n;
};

static void make_net(struct net *net, size_t n, size_t which, double odd)
{
	ad_graph *g = net->graph = ad_open_f64();
	ad_node *x = ad_input(g, "x", AD_REAL, AD_SHAPE(2, 3)), *t, *y = x;
	char name[32];

	ad_keep_all(g);
	t = ad_input(g, "t", AD_I32, AD_SHAPE(2));
	ad_set_item(x, 0.5);
	ad_set_item(t, 1);
	for (size_t k = 0; k < n; k++) {
		snprintf(name, sizeof name, "block[%zu]", k);
		ad_scope_begin(g, name);
		snprintf(net->paths[k], sizeof net->paths[k], "%s.linear", name);
		net->layers[k] = (ad_draw_layer){ net->paths[k], "linear" };
		y = layer(g, y, "linear", k == which ? odd : 1.0 / 3);
		y = ad_tanh(y);
		ad_scope_end(g);
	}
	net->n = n;
	net->logits = y = ad_name(layer(g, y, "head", 0.5), "logits");
	net->loss = ad_cross_entropy(y, t);
	cr_assert_eq(ad_backward(net->loss), AD_OK, "%s", ad_errmsg(g));
}

static ad_draw_options options_of(const struct net *net)
{
	return (ad_draw_options){ .gradients = true,
		                  .step = 3,
		                  .title = "net",
		                  .reference = net->logits,
		                  .layers = net->layers,
		                  .n_layers = net->n };
}

Test(draw, golden_views)
{
	struct net net;
	ad_draw_options o;
	char *text;

	make_net(&net, 2, 0, 1e-5);
	o = options_of(&net);
	text = dot_of(net.loss, &o);
	expect_golden("flow.dot", text);
	free(text);
	o.form = AD_DRAW_TEXT;
	text = dot_of(net.loss, &o);
	expect_golden("flow.txt", text);
	free(text);
	o.form = AD_DRAW_JSON;
	text = dot_of(net.loss, &o);
	expect_golden("flow.json", text);
	free(text);
	o.form = AD_DRAW_DOT;
	o.mono = true;
	o.arrows = AD_ARROWS_BOTH;
	o.stat = AD_STAT_RATIO;
	o.rate = 0.1;
	text = dot_of(net.loss, &o);
	expect_golden("flow_mono.dot", text);
	free(text);
	ad_close(net.graph);
}

/* Layers without frames: a weight, a norm of two vectors, an activation. */
static ad_node *stages(ad_graph *g, ad_node *x, int n)
{
	char name[32];

	for (int k = 0; k < n; k++) {
		ad_node *w, *scale;

		snprintf(name, sizeof name, "w%d", k);
		w = ad_param(g, name, AD_SHAPE(3, 3));
		ad_set(w, (const double[]){ 1, 0.5, -0.5, -0.25, 1, 0.75, 0.5, -0.75, 1 }, 9);
		snprintf(name, sizeof name, "scale%d", k);
		scale = ad_param(g, name, AD_SHAPE(3));
		ad_set_item(scale, 0.5);
		x = ad_tanh(ad_mul(ad_matmul(x, w), scale));
	}
	return x;
}

Test(draw, golden_fold)
{
	ad_graph *g = ad_open_f64();
	ad_node *x = ad_input(g, "x", AD_REAL, AD_SHAPE(2, 3)), *y, *w, *skip;
	ad_draw_options o = { .gradients = true, .step = -1, .title = "folded" };
	char *text;

	ad_keep_all(g);
	ad_set_item(x, 0.5);
	y = stages(g, x, 12);
	w = ad_param(g, "last", AD_SHAPE(3, 3));
	ad_set_item(w, 0.25);
	/* read twice: nothing is folded past it */
	skip = ad_matmul(y, w);
	y = ad_sum(ad_add(ad_exp(skip), skip), AD_ALL, false);
	cr_assert_eq(ad_backward(y), AD_OK);
	text = dot_of(y, &o);
	expect_golden("fold.dot", text);
	cr_expect_eq(count(text, "matmul + \xc3\x97 + tanh"), 12);
	cr_expect(strstr(text, "<FONT>exp</FONT>"));
	cr_expect_not(strstr(text, "rankdir=TB"));
	free(text);
	o.form = AD_DRAW_JSON;
	text = dot_of(y, &o);
	cr_expect_eq(count(text, "\"folded\": [\"mul\", \"tanh\"]"), 12);
	free(text);
	o.form = AD_DRAW_DOT;
	o.no_fold = true;
	text = dot_of(y, &o);
	expect_golden("upright.dot", text);
	cr_expect_eq(count(text, "<FONT>tanh</FONT>"), 12);
	cr_expect(strstr(text, "rankdir=TB"), "40 in a row");
	free(text);
	ad_close(g);
}

/* One weight read twice, one that does not learn, a buffer. */
Test(draw, golden_shared)
{
	ad_graph *g = ad_open_f64();
	ad_node *x = ad_input(g, "x", AD_REAL, AD_SHAPE(2, 3)), *w, *fixed, *mean, *y;
	ad_draw_options o = { .gradients = true, .step = -1, .title = "shared" };
	char *text;

	ad_keep_all(g);
	ad_set_item(x, 0.5);
	w = ad_param(g, "tied", AD_SHAPE(3, 3));
	fixed = ad_param(g, "fixed", AD_SHAPE(3, 3));
	mean = ad_buffer(g, "mean", AD_REAL, AD_SHAPE(3));
	ad_set_item(w, 0.25);
	ad_set_item(fixed, 0.5);
	ad_want_gradient(fixed, false);
	y = ad_matmul(ad_sub(ad_matmul(x, w), mean), fixed);
	y = ad_sum(ad_matmul(ad_tanh(y), ad_transpose(w, 0, 1)), AD_ALL, false);
	cr_assert_eq(ad_backward(y), AD_OK);
	text = dot_of(y, &o);
	expect_golden("shared.dot", text);
	cr_expect_eq(count(text, "class=\"param copy\""), 1);
	cr_expect_eq(count(text, "class=same"), 1);
	cr_expect_eq(count(text, "shape=note"), 1);
	cr_expect_eq(count(text, "style=\"filled,dashed\""), 2, "the copy, and what is frozen");
	free(text);
	ad_close(g);
}

/* Rows of numbers on the wires of a circuit, the size of what is longer; in a flow below the ops. */
Test(draw, golden_values)
{
	ad_graph *g = ad_open_f64();
	ad_node *x = ad_input(g, "x", AD_REAL, AD_SHAPE(2, 3)), *w, *y;
	ad_draw_options o = { .gradients = true, .values = true, .step = -1, .title = "values" };
	char *text;

	ad_keep_all(g);
	ad_set(x, (const double[]){ 1, 2, 3, 4, 5, 6 }, 6);
	w = ad_param(g, "w", AD_SHAPE(3, 8));
	ad_set_item(w, 0.25);
	y = ad_mean(ad_relu(ad_matmul(x, w)), AD_ALL, false);
	cr_assert_eq(ad_backward(y), AD_OK);
	text = dot_of(y, &o);
	expect_golden("values.dot", text);
	cr_expect(strstr(text, "1, 2, 3<BR/>4, 5, 6"));
	cr_expect(strstr(text, "2\xc3\x97" "8 &nbsp;rms 2.9"));
	free(text);
	o.view = AD_VIEW_FLOW;
	text = dot_of(y, &o);
	expect_golden("flow_values.dot", text);
	cr_expect(strstr(text, "<FONT>relu</FONT><BR/><FONT POINT-SIZE=\"9\" "
	                       "COLOR=\"#00674f\">2.9</FONT>"));
	free(text);
	ad_close(g);
}

/* The sweep: its ops, what they read of the forward pass, the gradients that they make. */
Test(draw, golden_sweep)
{
	ad_graph *g;
	ad_node *w, *y;
	struct net net;
	ad_draw_options o;
	char *text;

	make_net(&net, 2, 0, 1e-5);
	o = options_of(&net);
	o.what = AD_DRAW_SWEEP;
	text = dot_of(net.loss, &o);
	expect_golden("sweep.dot", text);
	cr_expect_eq(count(text, "fillcolor=\"#fde3c8\""), 6, "transposed weights, two of tanh, the logits");
	cr_expect(strstr(text, "\xe2\x88\x82"
	                       "tanh") &&
	          strstr(text, "kept from the forward pass"));
	cr_expect_eq(count(text, "<I>\xe2\x88\x82"
	                         "weight</I>"),
	             3);
	free(text);
	ad_close(net.graph);
	/* a weight that is used often sends back one sum */
	g = ad_open();
	ad_keep_all(g);
	w = y = ad_param(g, "w", AD_SHAPE(3));
	ad_set_item(w, 0.5);
	for (int k = 0; k < 6; k++)
		y = ad_tanh(ad_mul(y, w));
	y = ad_sum(y, AD_ALL, false);
	cr_assert_eq(ad_backward(y), AD_OK);
	o.reference = NULL;
	text = dot_of(y, &o);
	cr_expect_eq(count(text, "\xce\xa3"), 1);
	cr_expect_eq(count(text, "<FONT>+"), 0);
	free(text);
	ad_close(g);
	g = ad_open();
	o.gradients = false;
	text = draw_failing(gates(g), &o);
	cr_expect_str_eq(text, "draw: there is no sweep to draw; call ad_backward before");
	free(text);
	ad_close(g);
}

/* The plan: element-wise ops run together, values share memory. */
Test(draw, golden_plan)
{
	ad_graph *g = ad_open_f64();
	ad_node *x, *y;
	ad_draw_options o = { .what = AD_DRAW_PLAN, .step = -1, .title = "plan" };
	char *text;

	/* more scopes than there are groups, and an input in the innermost */
	for (int k = 0; k < 3; k++)
		ad_scope_begin(g, "scope");
	x = ad_input(g, "in a scope", AD_REAL, AD_SHAPE(4096));
	ad_set_item(x, 0.5);
	y = ad_tanh(ad_mul(x, x));
	for (int k = 0; k < 3; k++)
		ad_scope_end(g);
	y = ad_cumsum(y, 0, false);
	y = ad_cumsum(ad_exp(ad_cumsum(y, 0, false)), 0, false);
	y = ad_sum(y, AD_ALL, false);
	text = draw_failing(y, &o);
	cr_expect_str_eq(text, "draw: there is no plan to draw; evaluate the node before");
	free(text);
	ad_training(g, false);
	cr_assert_eq(ad_forward(y), AD_OK);
	text = dot_of(y, &o);
	expect_golden("plan.dot", text);
	cr_expect_eq(count(text, "class=frame"), 1, "tanh and mul");
	cr_expect(strstr(text, "in pieces"));
	cr_expect(strstr(text, ">m1 "));
	free(text);
	o.form = AD_DRAW_JSON;
	text = dot_of(y, &o);
	cr_expect_eq(count(text, "\"group\": 1, \"seconds\": 0, \"bytes\": "), 2, "%s", text);
	cr_expect(strstr(text, "\"buffer\": 2"));
	free(text);
	o.form = AD_DRAW_TEXT;
	text = dot_of(y, &o);
	cr_expect(strstr(text, "together\n"));
	free(text);
	o.form = AD_DRAW_DOT;
	/* with times the colours differ, and nothing else */
	ad_profile(g, true);
	ad_write(x);
	cr_assert_eq(ad_forward(y), AD_OK);
	text = dot_of(y, &o);
	cr_expect(strstr(text, "#f98e45") && strstr(text, "time, up to "));
	free(text);
	ad_close(g);
}

Test(draw, statistics_of_a_graph)
{
	struct net net;
	ad_draw_options o;
	ad_graph_statistics s;
	char error[256] = "";
	ad_graph *g;

	make_net(&net, 4, 1, 1e-5);
	o = options_of(&net);
	cr_assert(ad_graph_stats(net.loss, &o, &s, error, sizeof error), "%s", error);
	cr_expect_eq(s.ops, 4 * 4 + 3 + 1, "permute, matmul, add, tanh; the head; the loss");
	cr_expect_eq(s.params, 10);
	cr_expect_eq(s.elements, 5 * (9 + 3));
	cr_expect_eq(s.param_bytes, 8 * 5 * (9 + 3));
	cr_expect_eq(s.inputs, 2);
	cr_expect_eq(s.depth, 1 + 4 * 3 + 2 + 1, "from a weight, which is transposed first");
	cr_expect_gt(s.param_classes[AD_CLASS_VANISHING], 0);
	cr_expect_gt(s.use_classes[AD_CLASS_VANISHING], 0);
	cr_expect_float_eq(s.reference, 0.2357, 1e-4);
	cr_expect_null(s.first_nan);
	ad_close(net.graph);
	make_net(&net, 4, 1, NAN);
	o = options_of(&net);
	cr_assert(ad_graph_stats(net.loss, &o, &s, error, sizeof error));
	cr_expect(s.first_nan && ad_kind_of(s.first_nan) == AD_IS_PARAM);
	ad_close(net.graph);
	cr_expect_not(ad_graph_stats(NULL, NULL, &s, error, sizeof error));
	cr_expect_eq(s.ops, 0);
	g = ad_open_f64();
	cr_expect(ad_graph_stats(gates(g), NULL, &s, error, sizeof error));
	cr_expect(s.ops == 2 && s.inputs == 3 && s.depth == 2 && s.bytes == 40);
	ad_close(g);
}

/* What ad_print_graph writes to standard error. */
static char *lines_of(const ad_node *y)
{
	FILE *to = tmpfile();
	int before = dup(2);
	char *text = calloc(8192, 1);

	cr_assert(to && before >= 0 && text);
	dup2(fileno(to), 2);
	ad_print_graph(y);
	dup2(before, 2);
	close(before);
	rewind(to);
	cr_expect_lt(fread(text, 1, 8191, to), 8191);
	fclose(to);
	return text;
}

static void expect_lines(const ad_node *y, const char *want)
{
	char *have = lines_of(y);

	cr_expect_str_eq(have, want);
	free(have);
}

Test(draw, a_graph_as_lines_for_a_debugger)
{
	ad_graph *g = ad_open_f64();
	ad_node *w = ad_param(g, "w\x1b[2J", AD_SHAPE(2, 3)), *f = gates(g);

	ad_set_item(w, 0.5);
	expect_lines(f, "n1 = leaf  ()  'x'  = -2\n"
	                "n2 = leaf  ()  'y'  = 5\n"
	                "n3 = leaf  ()  'z'  = -4\n"
	                "n4 = add(n1, n2)  ()  'q'\n"
	                "n5 = mul(n4, n3)  ()  'f'\n");
	cr_assert_eq(ad_backward(f), AD_OK);
	expect_lines(f, "n1 = leaf  ()  'x'  = -2  gradient -4\n"
	                "n2 = leaf  ()  'y'  = 5  gradient -4\n"
	                "n3 = leaf  ()  'z'  = -4  gradient 3\n"
	                "n4 = add(n1, n2)  ()  'q'  = 3  gradient -4\n"
	                "n5 = mul(n4, n3)  ()  'f'  = -12  gradient 1\n");
	expect_lines(w, "n0 = param  (2, 3)  'w\xef\xbf\xbd[2J'  = rms 0.5  gradient rms 0\n");
	expect_lines(NULL, "ad_print_graph: no node\n");
	expect_lines(ad_matmul(w, w),
	             "ad_print_graph: an error node: matmul: cannot multiply (2, 3) by (2, 3): 3 is not 2\n");
	ad_close(g);
}

Test(draw, golden_copies)
{
	const char *open[] = { "block[17]" };
	struct net net;
	ad_draw_options o;
	char *text;

	make_net(&net, 40, 30, 1e-3);
	o = options_of(&net);
	text = dot_of(net.loss, &o);
	expect_golden("copies.dot", text);
	cr_expect_eq(count(text, "HEIGHT=\"14\""), 40);
	free(text);
	o.open = open;
	o.n_open = 1;
	text = dot_of(net.loss, &o);
	expect_golden("copies_open.dot", text);
	cr_expect(strstr(text, "block[0..16] &nbsp;\xc3\x97 17") &&
	          strstr(text, "block[18..39] &nbsp;\xc3\x97 22"));
	free(text);
	ad_close(net.graph);
}

/* Where a NaN begins has a magenta outline, whatever comes after. */
Test(draw, golden_nan)
{
	struct net net;
	ad_draw_options o;
	char *text;

	make_net(&net, 3, 1, NAN);
	o = options_of(&net);
	text = dot_of(net.loss, &o);
	expect_golden("nan.dot", text);
	cr_expect_eq(count(text, "penwidth=2.5"), 1);
	free(text);
	ad_close(net.graph);
}

/* A copy that is bad is named, the one where a NaN begins before all. */
Test(draw, copies_name_their_worst)
{
	struct net net;
	ad_draw_options o;
	char *text;

	make_net(&net, 40, 30, NAN);
	o = options_of(&net);
	text = dot_of(net.loss, &o);
	cr_expect(strstr(text, ">nan: block[30] first, "), "%s", text);
	free(text);
	o.form = AD_DRAW_TEXT;
	text = dot_of(net.loss, &o);
	cr_expect(strstr(text, "nan, here first"));
	free(text);
	ad_close(net.graph);
}

Test(draw, a_layer_is_one_box_with_its_weights)
{
	struct net net;
	ad_draw_options o;
	char *text;

	make_net(&net, 14, 0, 0.4);
	o = options_of(&net);
	text = dot_of(net.loss, &o);
	cr_expect_eq(count(text, "class=\"closed layer\""), 14);
	cr_expect_eq(count(text, "shape=cylinder"), 2,
	             "of the head, which is not said to be a layer");
	cr_expect_eq(count(text, "class=frame"), 15);
	cr_expect_eq(count(text, ">weight 3\xc3\x97"
	                         "3</FONT>"),
	             14);
	free(text);
	o.all = true;
	text = dot_of(net.loss, &o);
	cr_expect_eq(count(text, "shape=cylinder"), 30);
	free(text);
	o.all = false;
	o.depth = 1;
	text = dot_of(net.loss, &o);
	cr_expect_eq(count(text, "class=closed"), 15);
	free(text);
	ad_close(net.graph);
}

Test(draw, parts_of_a_graph)
{
	struct net net;
	ad_draw_options o;
	char *text, error[512];
	size_t size;
	FILE *to;

	make_net(&net, 40, 39, 1e-5);
	o = options_of(&net);
	o.around = "block[17].tanh";
	o.radius = 1;
	text = dot_of(net.loss, &o);
	cr_expect_eq(count(text, "<FONT>tanh</FONT>"), 1);
	cr_expect_eq(count(text, "<FONT>linear</FONT>"), 2, "its own and the next block's");
	cr_expect(strstr(text, " more nodes are left out"));
	free(text);
	o.around = NULL;
	o.from = "block[5]";
	o.to = "block[3]";
	text = dot_of(net.loss, &o);
	cr_expect_eq(count(text, "<FONT>tanh</FONT>"), 3);
	free(text);
	o.from = o.to = NULL;
	o.only = 1u << AD_CLASS_STRONG;
	to = open_memstream(&text, &size);
	cr_expect_not(ad_draw(net.loss, &o, to, error, sizeof error));
	cr_expect_str_eq(error, "draw: no gradient is of a class that was asked for");
	o.only = 0;
	o.around = "block[99]";
	cr_expect_not(ad_draw(net.loss, &o, to, error, sizeof error));
	cr_expect(strstr(error, "draw: there is no module 'block[99]'"));
	o.around = NULL;
	o.from = "x";
	cr_expect_not(ad_draw(net.loss, &o, to, error, sizeof error));
	cr_expect_str_eq(error, "draw: a way needs both ends");
	fclose(to);
	free(text);
	ad_close(net.graph);
}

/* An update of less than half an ulp is lost, whatever the gradient's class. */
Test(draw, lost_updates)
{
	ad_graph *g = ad_open();
	ad_node *w = ad_param(g, "w", AD_SHAPE(2)), *y;
	ad_draw_options o = { .gradients = true, .step = -1, .rate = 1e-9 };
	char *text;

	ad_keep_all(g);
	ad_set_item(w, 1);
	y = ad_sum(ad_tanh(w), AD_ALL, false);
	cr_assert_eq(ad_backward(y), AD_OK);
	text = dot_of(y, &o);
	cr_expect(strstr(text, " lost</FONT>"));
	cr_expect(strstr(text, "lost: under half an ulp"));
	free(text);
	o.rate = 1e-6;
	text = dot_of(y, &o);
	cr_expect_not(strstr(text, "lost"));
	free(text);
	ad_close(g);
}

/* Text for terminals and JSON, with names as an enemy would choose them. */
Test(draw, hostile_names_as_text_and_json)
{
	ad_graph *g = ad_open();
	ad_node *x, *y;
	ad_draw_options o = { .gradients = true, .step = -1, .form = AD_DRAW_TEXT };
	char *text;

	ad_keep_all(g);
	x = ad_param(g, "\x1b[31m\xe2\x80\xae\xff\"\\", AD_SHAPE(2));
	ad_set_item(x, 1);
	ad_scope_begin(g, "\x1b]0;\a\"{");
	y = ad_sum(ad_tanh(ad_neg(x)), AD_ALL, false);
	ad_scope_end(g);
	cr_assert_eq(ad_backward(y), AD_OK);
	o.title = "\x1b[2J\n";
	text = dot_of(y, &o);
	cr_expect_not(strchr(text, 0x1b));
	cr_expect_not(strchr(text, '\a'));
	cr_expect_not(strchr(text, '\xff'));
	cr_expect_not(strstr(text, "\xe2\x80\xae"));
	free(text);
	o.form = AD_DRAW_JSON;
	text = dot_of(y, &o);
	cr_expect_not(strchr(text, 0x1b));
	cr_expect_not(strchr(text, '\xff'));
	cr_expect(strstr(text, "\\u001b[31m"));
	cr_expect(strstr(text, "\\\"\\\\"));
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
