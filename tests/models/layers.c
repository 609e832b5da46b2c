/*
 * layers: each layer against the ops that it stands for, its weights' names and shapes, its
 * gradients against differences, all through declarations.
 */
#include "model.h"
#include "scratch.h"

#include <math.h>

TestSuite(layers, .init = scratch_open, .fini = scratch_close);

static ad_model *open_text(const char *text)
{
	ad_model *m = ad_model_open(scratch_text("m.yaml", text), 0, NULL);

	cr_assert(m != NULL);
	if (ad_model_errors(m))
		ad_model_messages(m, stderr, false);
	cr_assert(ad_model_errors(m) == 0, "%s", text);
	return m;
}

/* What is wrong with a declaration. */
static char *said(const char *text)
{
	char *out = NULL;
	size_t length = 0;
	FILE *to = open_memstream(&out, &length);
	ad_model *m = ad_model_open(scratch_text("m.yaml", text), 0, NULL);

	cr_assert(m != NULL);
	ad_model_messages(m, to, false);
	fclose(to);
	ad_model_close(m);
	return out;
}

static ad_node *named(const struct instance *in, const char *name)
{
	for (int i = 0; i < in->n_named; i++)
		if (strcmp(in->named[i].name, name) == 0)
			return in->named[i].node;
	cr_assert(false, "nothing is named %s", name);
	return NULL;
}

/* The same numbers each time, in [-1, 1), far enough apart that no difference meets a tie. */
static double number(unsigned *state)
{
	*state = *state * 1664525u + 1013904223u;
	return (double)(*state >> 8) / 8388608.0 - 1;
}

static void fill(ad_node *leaf, unsigned *state, double lo)
{
	size_t n = ad_count(leaf);
	double *values = malloc((n + 1) * sizeof *values);

	for (size_t k = 0; k < n; k++)
		values[k] = ad_type_of(leaf) == AD_I32 ? (double)((*state + 7 * k) % 5)
		            : lo > 0                   ? lo + fabs(number(state))
		                                       : number(state);
	cr_assert(ad_set(leaf, values, n) == AD_OK);
	free(values);
}

static void expect_equal(ad_node *got, ad_node *want, const char *what)
{
	ad_shape a, b;
	size_t n;
	double *x, *y;

	cr_assert(!ad_is_error(want), "%s: %s", what, ad_errmsg(ad_graph_of(got)));
	a = ad_shape_of(got);
	b = ad_shape_of(want);
	n = ad_count(got);
	cr_assert(a.rank == b.rank && memcmp(a.dims, b.dims, (size_t)a.rank * sizeof *a.dims) == 0,
	          "%s: another shape", what);
	x = malloc((n + 1) * sizeof *x);
	y = malloc((n + 1) * sizeof *y);
	cr_assert(ad_evaluate(ad_graph_of(got), (ad_node *[]){ got, want }, 2) == AD_OK, "%s",
	          what);
	cr_assert(ad_get(got, x, n) == AD_OK && ad_get(want, y, n) == AD_OK, "%s", what);
	for (size_t k = 0; k < n; k++)
		cr_assert(fabs(x[k] - y[k]) < 1e-12 * (1 + fabs(y[k])),
		          "%s: element %zu is %.17g, not %.17g", what, k, x[k], y[k]);
	free(x);
	free(y);
}

/* Evaluates and reads. */
static void values_of(ad_node *y, double *to)
{
	cr_assert(ad_forward(y) == AD_OK && ad_get(y, to, ad_count(y)) == AD_OK, "%s",
	          ad_errmsg(ad_graph_of(y)));
}

/* ---- what each layer stands for, from x and its weights w in order
 * --------------------------------- */

#define ONE(k) AD_INTS(k)

static ad_node *conv1d(ad_node *x, ad_node *const w[])
{
	return ad_conv1d(x, w[0], w[1], ONE(2), ONE(1), ONE(2), 1);
}

static ad_node *conv2d_same(ad_node *x, ad_node *const w[])
{
	return ad_conv2d(x, w[0], NULL, ONE(2), ONE(1), ONE(1), 1);
}

/* windows 2 x 4 over 5 x 5: 0 before and 1 after the height, 1 before and 2 after the width */
static ad_node *conv2d_even(ad_node *x, ad_node *const w[])
{
	return ad_conv2d(ad_pad(x, AD_INTS(1, 2, 0, 1), "constant", 0), w[0], w[1], ONE(1), ONE(0),
	                 ONE(1), 2);
}

static ad_node *conv3d(ad_node *x, ad_node *const w[])
{
	return ad_conv3d(x, w[0], w[1], AD_INTS(1, 2, 1), AD_INTS(0, 1, 1), ONE(1), 1);
}

static ad_node *transpose1d(ad_node *x, ad_node *const w[])
{
	return ad_conv_transpose1d(x, w[0], w[1], ONE(2), ONE(0), ONE(1), ONE(1), 1);
}

/* windows of 3 at a stride of 2: 2 padding - more = 1 */
static ad_node *transpose2d(ad_node *x, ad_node *const w[])
{
	return ad_conv_transpose2d(x, w[0], w[1], ONE(2), ONE(1), ONE(1), ONE(1), 2);
}

/* windows of 2 x 4 that move by one over 3 x 2: 4 x 5 elements, of which 3 x 2 are kept: the first rows, and
 * columns from the second on */
static ad_node *transpose2d_even(ad_node *x, ad_node *const w[])
{
	ad_node *all = ad_conv_transpose2d(x, w[0], w[1], ONE(1), ONE(0), ONE(0), ONE(1), 1);

	return ad_slice(all, AD_INTS(2, 3), AD_INTS(0, 1), AD_INTS(3, 3), AD_ALL);
}

static ad_node *transpose3d(ad_node *x, ad_node *const w[])
{
	return ad_conv_transpose3d(x, w[0], NULL, ONE(2), ONE(0), ONE(0), ONE(1), 1);
}

static ad_node *scaled(ad_node *z, ad_node *weight, ad_node *bias, ad_shape to)
{
	z = weight ? ad_mul(z, ad_reshape(weight, to)) : z;
	return bias ? ad_add(z, ad_reshape(bias, to)) : z;
}

/* (x - mean) / sqrt(variance + 1e-5) over axes */
static ad_node *standard(ad_node *x, ad_ints axes)
{
	ad_node *d = ad_sub(x, ad_mean(x, axes, true));

	return ad_div(
	    d, ad_sqrt(ad_add(ad_var(x, axes, false, true), ad_constant(ad_graph_of(x), 1e-5))));
}

static ad_node *batch_norm(ad_node *x, ad_node *const w[])
{
	return scaled(standard(x, AD_INTS(0, 2)), w[0], w[1], AD_SHAPE(1, 3, 1));
}

static ad_node *layer_norm(ad_node *x, ad_node *const w[])
{
	return scaled(standard(x, AD_INTS(1, 2)), w[0], w[1], AD_SHAPE(1, 3, 4));
}

static ad_node *rms_norm(ad_node *x, ad_node *const w[])
{
	ad_node *mean = ad_mean(ad_square(x), ONE(-1), true);

	return ad_mul(ad_div(x, ad_sqrt(ad_add(mean, ad_constant(ad_graph_of(x), 1e-6)))), w[0]);
}

static ad_node *group_norm(ad_node *x, ad_node *const w[])
{
	ad_node *z = standard(ad_reshape(x, AD_SHAPE(2, 2, 2, 3)), AD_INTS(2, 3));

	return scaled(ad_reshape(z, AD_SHAPE(2, 4, 3)), w[0], w[1], AD_SHAPE(1, 4, 1));
}

static ad_node *instance_norm(ad_node *x, ad_node *const w[])
{
	return scaled(standard(x, ONE(2)), w[0], w[1], AD_SHAPE(1, 3, 1));
}

static ad_node *embed(ad_node *x, ad_node *const w[])
{
	return ad_embedding(w[0], x);
}

static ad_node *positions(ad_node *x, ad_node *const w[])
{
	return ad_add(x, ad_slice(w[0], ONE(0), ONE(0), ONE(3), AD_ALL));
}

static ad_node *attention(ad_node *x, ad_node *const w[])
{
	return ad_multi_head_attention(x, w[0], w[1], w[2], w[3], 2, true);
}

/* Two heads of keys for four of queries are four, each twice. */
static ad_node *grouped(ad_node *x, ad_node *const w[])
{
	ad_node *rows =
	    ad_reshape(ad_slice(w[0], ONE(0), ONE(8), ONE(16), AD_ALL), AD_SHAPE(2, 2, 2, 8));
	ad_node *twice = ad_reshape(ad_repeat_interleave(rows, ONE(2), 1), AD_SHAPE(16, 8));
	ad_node *all =
	    ad_concat(2, (ad_node *[]){ ad_slice(w[0], ONE(0), ONE(0), ONE(8), AD_ALL), twice }, 0);

	return ad_multi_head_attention(x, all, NULL, w[1], NULL, 4, false);
}

/* Steps of an lstm by its cell, forwards or backwards; y (B, T, 2). */
static ad_node *steps_of(ad_node *x, ad_node *const w[], bool back, ad_node **last)
{
	ad_shape s = ad_shape_of(x);
	ad_node *h = ad_full(ad_graph_of(x), AD_SHAPE(s.dims[0], 2), 0), *c = h, *list[8];

	for (int64_t t = 0; t < s.dims[1]; t++) {
		int64_t at = back ? s.dims[1] - 1 - t : t;

		h = ad_lstm_cell(ad_select(x, 1, at), h, c, w[0], w[1], w[2], w[3]);
		c = ad_output(h, 1);
		list[at] = h;
	}
	*last = h;
	return ad_stack((size_t)s.dims[1], list, 1);
}

static ad_node *lstm(ad_node *x, ad_node *const w[])
{
	ad_node *last;

	return steps_of(x, w, false, &last);
}

static ad_node *both_ways(ad_node *x, ad_node *const w[], ad_node *last[2])
{
	return ad_concat(
	    2, (ad_node *[]){ steps_of(x, w, false, &last[0]), steps_of(x, w + 4, true, &last[1]) },
	    -1);
}

static ad_node *deep_lstm(ad_node *x, ad_node *const w[])
{
	ad_node *last[2];

	both_ways(both_ways(x, w, last), w + 8, last);
	return ad_concat(2, last, -1);
}

static ad_node *gru(ad_node *x, ad_node *const w[])
{
	ad_node *h = ad_full(ad_graph_of(x), AD_SHAPE(2, 2), 0), *list[4];

	for (int64_t t = 0; t < 4; t++)
		list[t] = h = ad_gru_cell(ad_select(x, 1, t), h, w[0], w[1], w[2], w[3]);
	return ad_stack(4, list, 1);
}

static ad_node *rnn(ad_node *x, ad_node *const w[])
{
	ad_node *h = ad_full(ad_graph_of(x), AD_SHAPE(2, 2), 0);

	for (int64_t t = 0; t < 4; t++)
		h = ad_relu(
		    ad_add(ad_linear(ad_select(x, 1, t), w[0], NULL), ad_linear(h, w[1], NULL)));
	return h;
}

static ad_node *avg_pool(ad_node *x, ad_node *const w[])
{
	return ad_reshape(ad_adaptive_avg_pool2d(x, ONE(1)), AD_SHAPE(2, 3));
}

static ad_node *max_pool(ad_node *x, ad_node *const w[])
{
	return ad_reshape(ad_adaptive_max_pool2d(x, ONE(1)), AD_SHAPE(2, 3));
}

static ad_node *upsample(ad_node *x, ad_node *const w[])
{
	return ad_repeat_interleave(ad_repeat_interleave(x, ONE(2), 2), ONE(3), 3);
}

static ad_node *prelu(ad_node *x, ad_node *const w[])
{
	return ad_prelu(x, w[0]);
}

static ad_node *linear(ad_node *x, ad_node *const w[])
{
	return ad_add(ad_matmul(x, ad_transpose(w[0], 0, 1)), w[1]);
}

static ad_node *flatten(ad_node *x, ad_node *const w[])
{
	return ad_reshape(x, AD_SHAPE(2, 12));
}

/* A layer as the item `y` of x; the weights as "NAME [sizes]"; what it is. */
static const struct layer_case {
	const char *item, *x, *weights;
	ad_node *(*want)(ad_node *x, ad_node *const w[]);
} cases[] = {
	{ "linear: 2", "[3, 4]", "weight [2, 4], bias [2]", linear },
	{ "flatten: 1", "[2, 3, 4]", "", flatten },
	{ "conv1d: {out: 2, kernel: 3, stride: 2, padding: 1, dilation: 2}", "[2, 3, 8]",
	  "weight [2, 3, 3], bias [2]", conv1d },
	{ "conv2d: {out: 2, kernel: 3, stride: 2, padding: same, bias: false}", "[2, 3, 6, 5]",
	  "weight [2, 3, 3, 3]", conv2d_same },
	{ "conv2d: {out: 4, kernel: [2, 4], padding: same, groups: 2}", "[2, 2, 5, 5]",
	  "weight [4, 1, 2, 4], bias [4]", conv2d_even },
	{ "conv3d: {out: 2, kernel: [1, 2, 3], stride: [1, 2, 1], padding: [0, 1, 1]}",
	  "[1, 2, 2, 3, 4]", "weight [2, 2, 1, 2, 3], bias [2]", conv3d },
	{ "conv_transpose1d: {out: 2, kernel: 3, stride: 2, output_padding: 1}", "[2, 3, 4]",
	  "weight [3, 2, 3], bias [2]", transpose1d },
	{ "conv_transpose2d: {out: 4, kernel: 3, stride: 2, padding: same, groups: 2}",
	  "[2, 2, 3, 3]", "weight [2, 2, 3, 3], bias [4]", transpose2d },
	{ "conv_transpose2d: {out: 2, kernel: [2, 4], padding: same}", "[2, 3, 3, 2]",
	  "weight [3, 2, 2, 4], bias [2]", transpose2d_even },
	{ "conv_transpose3d: {out: 1, kernel: 2, stride: 2, bias: false}", "[1, 2, 2, 2, 1]",
	  "weight [2, 1, 2, 2, 2]", transpose3d },
	{ "batch_norm", "[4, 3, 2]", "weight [3], bias [3], running_mean [3], running_var [3]",
	  batch_norm },
	{ "layer_norm: 2", "[2, 3, 4]", "weight [3, 4], bias [3, 4]", layer_norm },
	{ "rms_norm", "[2, 3, 4]", "weight [4]", rms_norm },
	{ "group_norm: 2", "[2, 4, 3]", "weight [4], bias [4]", group_norm },
	{ "instance_norm: {affine: true}", "[2, 3, 4]", "weight [3], bias [3]", instance_norm },
	{ "embed: {vocab: 5, dim: 3}", "{shape: [2, 4], dtype: i32}", "weight [5, 3]", embed },
	{ "positions: 5", "[2, 3, 4]", "weight [5, 4]", positions },
	{ "attention: {heads: 2, causal: true}", "[2, 3, 4]",
	  "in_proj_weight [12, 4], in_proj_bias [12], out_proj.weight [4, 4], out_proj.bias [4]",
	  attention },
	{ "attention: {heads: 4, kv_heads: 2, bias: false}", "[2, 3, 8]",
	  "in_proj_weight [16, 8], out_proj.weight [8, 8]", grouped },
	{ "lstm: 2", "[2, 4, 3]",
	  "weight_ih_l0 [8, 3], weight_hh_l0 [8, 2], bias_ih_l0 [8], bias_hh_l0 [8]", lstm },
	{ "lstm: {hidden: 2, layers: 2, bidirectional: true, outputs: last}", "[2, 4, 3]",
	  "weight_ih_l0 [8, 3], weight_hh_l0 [8, 2], bias_ih_l0 [8], bias_hh_l0 [8], "
	  "weight_ih_l0_reverse [8, 3], weight_hh_l0_reverse [8, 2], bias_ih_l0_reverse [8], "
	  "bias_hh_l0_reverse [8], weight_ih_l1 [8, 4], weight_hh_l1 [8, 2], bias_ih_l1 [8], "
	  "bias_hh_l1 [8], "
	  "weight_ih_l1_reverse [8, 4], weight_hh_l1_reverse [8, 2], bias_ih_l1_reverse [8], "
	  "bias_hh_l1_reverse [8]",
	  deep_lstm },
	{ "gru: 2", "[2, 4, 3]",
	  "weight_ih_l0 [6, 3], weight_hh_l0 [6, 2], bias_ih_l0 [6], bias_hh_l0 [6]", gru },
	{ "rnn: {hidden: 2, nonlinearity: relu, outputs: last, bias: false}", "[2, 4, 3]",
	  "weight_ih_l0 [2, 3], weight_hh_l0 [2, 2]", rnn },
	{ "global_avg_pool", "[2, 3, 2, 4]", "", avg_pool },
	{ "global_max_pool", "[2, 3, 2, 4]", "", max_pool },
	{ "upsample: [2, 3]", "[2, 1, 2, 2]", "", upsample },
	{ "prelu", "[2, 3, 2]", "weight [3]", prelu },
	/* for their gradients alone */
	{ "ode: {field: tanh, t: [0, 0.5, 1], steps: 2, method: dopri5}", "[2, 3]", "", NULL },
	{ "ode: {field: {linear: 3}, steps: 10, gradient: adjoint}", "[2, 3]",
	  "field.weight [3, 3], field.bias [3]", NULL },
	{ "attention: {heads: 2, rotary: true, causal: true}", "[1, 3, 8]",
	  "in_proj_weight [24, 8], in_proj_bias [24], out_proj.weight [8, 8], out_proj.bias [8]",
	  NULL },
	{ "attention: {heads: 2, dropout: 0.3}", "[1, 3, 4]",
	  "in_proj_weight [12, 4], in_proj_bias [12], out_proj.weight [4, 4], out_proj.bias [4]",
	  NULL },
	{ "upsample: {scale: 2, mode: bilinear}", "[1, 2, 2, 3]", "", NULL },
	{ "positions: {kind: sinusoidal}", "[2, 3, 4]", "", NULL },
	{ "channel_dropout: 0.4", "[3, 4, 2]", "", NULL },
	{ "drop_path: 0.4", "[6, 3]", "", NULL },
	{ "alpha_dropout: 0.4", "[6, 3]", "", NULL },
	{ "gru: {hidden: 2, layers: 2, dropout: 0.5, bidirectional: true}", "[1, 3, 2]",
	  "weight_ih_l0 [6, 2], weight_hh_l0 [6, 2], bias_ih_l0 [6], bias_hh_l0 [6], "
	  "weight_ih_l0_reverse [6, 2], weight_hh_l0_reverse [6, 2], bias_ih_l0_reverse [6], "
	  "bias_hh_l0_reverse [6], weight_ih_l1 [6, 4], weight_hh_l1 [6, 2], bias_ih_l1 [6], "
	  "bias_hh_l1 [6], "
	  "weight_ih_l1_reverse [6, 4], weight_hh_l1_reverse [6, 2], bias_ih_l1_reverse [6], "
	  "bias_hh_l1_reverse [6]",
	  NULL },
};

/* "NAME [sizes], ..." of all weights, without the item's path. */
static char *weights_text(const ad_model *m)
{
	char *text = NULL;
	size_t length = 0;
	FILE *to = open_memstream(&text, &length);

	for (int k = 0; k < m->n_weights; k++) {
		ad_shape s = ad_shape_of(m->weights[k].node);

		cr_assert(strncmp(m->weights[k].path, "y.", 2) == 0);
		fprintf(to, "%s%s [", k ? ", " : "", m->weights[k].path + 2);
		for (int i = 0; i < s.rank; i++)
			fprintf(to, "%s%lld", i ? ", " : "", (long long)s.dims[i]);
		fputc(']', to);
	}
	fclose(to);
	return text;
}

static void check_case(const struct layer_case *c)
{
	char text[1024], said_of[4096], *weights;
	ad_node *w[32], *leaves[33], *x, *y;
	size_t n = 0;
	unsigned state = 12345;
	struct instance *in;
	ad_model *m;

	snprintf(text, sizeof text,
	         "version: 1\ninputs: {x: %s}\nmodel:\n  y: {%s%s, from: x}\n"
	         "train: {precision: f64}\n",
	         c->x, c->item, strchr(c->item, ':') ? "" : ": null");
	m = open_text(text);
	in = model_instance(m, NULL, true);
	cr_assert(in != NULL, "%s: %s", c->item, ad_errmsg(m->graph));
	weights = weights_text(m);
	cr_expect_str_eq(weights, c->weights, "%s has %s", c->item, weights);
	free(weights);
	for (int k = 0; k < m->n_weights; k++) {
		w[k] = m->weights[k].node;
		fill(w[k], &state, m->weights[k].buffer ? 0.5 : -1);
		cr_assert(m->weights[k].buffer == (ad_kind_of(w[k]) == AD_IS_BUFFER));
		if (!m->weights[k].buffer)
			leaves[n++] = w[k];
	}
	x = named(in, "x");
	y = named(in, "y");
	fill(x, &state, -1);
	if (ad_type_of(x) == AD_REAL) {
		ad_want_gradient(x, true);
		leaves[n++] = x;
	}
	if (c->want)
		expect_equal(y, c->want(x, w), c->item);
	/* a sum whose parts have different slopes */
	y = ad_sum(ad_sin(y), AD_ALL, false);
	cr_expect(ad_gradcheck(y, n, leaves, NULL, said_of, sizeof said_of), "%s: %s", c->item,
	          said_of);
	ad_model_close(m);
}

Test(layers, are_what_they_stand_for)
{
	for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
		check_case(&cases[k]);
}

/* Every layer is in the table above. */
Test(layers, all_are_tested)
{
	for (size_t k = 0; layers[k]; k++) {
		size_t length = strlen(layers[k]->name);
		bool found = false;

		for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
			found |= strncmp(cases[i].item, layers[k]->name, length) == 0 &&
			         (cases[i].item[length] == ':' || cases[i].item[length] == '\0');
		cr_expect(found, "'%s' has no test", layers[k]->name);
	}
}

/* ---- running statistics
 * ---------------------------------------------------------------------------- */

Test(layers, batch_norm_keeps_running_statistics)
{
	static const double x[] = { 1, 2, 3, 6 }, other[] = { 0, 0, 0, 8, 0, 0 };
	ad_model *m =
	    open_text("version: 1\ninputs: {x: [B, 1]}\nmodel:\n  y: {batch_norm: {momentum: 0.5, "
	              "eps: 0}, from: x}\nloss: sum(y)\ntrain: {precision: f64}\n");
	struct instance *four = model_instance(m, (int64_t[]){ 4 }, true), *six, *judge;
	ad_node *mean, *var;

	cr_assert(four && m->n_weights == 4);
	mean = m->weights[2].node;
	var = m->weights[3].node;
	cr_expect(ad_item(mean) == 0 && ad_item(var) == 1);
	ad_set(four->inputs[0], x, 4);
	cr_assert(ad_forward(four->output) == AD_OK);
	/* the mean is 3, the variance by n - 1 is 14 / 3 */
	cr_expect_float_eq(ad_item(mean), 1.5, 1e-14);
	cr_expect_float_eq(ad_item(var), 0.5 + 7 / 3., 1e-14);
	/* another recording moves them by its own batch alone */
	six = model_instance(m, (int64_t[]){ 6 }, true);
	ad_set(six->inputs[0], other, 6);
	cr_assert(ad_forward(six->output) == AD_OK);
	cr_expect_float_eq(ad_item(mean), 0.75 + 4 / 6., 1e-14);
	/* evaluation reads them and leaves them */
	ad_set_item(mean, 2);
	ad_set_item(var, 4);
	judge = model_instance(m, (int64_t[]){ 4 }, false);
	ad_set(judge->inputs[0], x, 4);
	cr_assert(ad_forward(judge->output) == AD_OK);
	for (size_t k = 0; k < 4; k++)
		cr_expect_float_eq(ad_at(judge->output, k), (x[k] - 2) / 2, 1e-14);
	cr_expect(ad_item(mean) == 2 && ad_item(var) == 4);
	/* and the first recording still moves them */
	four = model_instance(m, (int64_t[]){ 4 }, true);
	ad_set(four->inputs[0], x, 4);
	cr_assert(ad_forward(four->output) == AD_OK);
	cr_expect_float_eq(ad_item(mean), 2.5, 1e-14);
	ad_model_close(m);
}

/* ---- several inputs and results
 * ---------------------------------------------------------------------- */

Test(layers, states_go_in_and_out)
{
	ad_model *m =
	    open_text("version: 1\ninputs: {x: [2, 4, 3], h0: [2, 2], c0: [2, 2]}\nmodel:\n"
	              "  - lstm: {hidden: 2, c: c0}\n    from: [x, h0]\n    as: [y, h, c]\n"
	              "train: {precision: f64}\n");
	struct instance *in = model_instance(m, NULL, true);
	ad_node *w[4], *h, *c;
	unsigned state = 1;

	cr_assert(in);
	for (int k = 0; k < 4; k++)
		fill(w[k] = m->weights[k].node, &state, -1);
	for (int k = 0; k < 3; k++)
		fill(in->inputs[k], &state, -1);
	h = in->inputs[1];
	c = in->inputs[2];
	for (int64_t t = 0; t < 4; t++) {
		h = ad_lstm_cell(ad_select(in->inputs[0], 1, t), h, c, w[0], w[1], w[2], w[3]);
		c = ad_output(h, 1);
		expect_equal(ad_select(named(in, "y"), 1, t), h, "y");
	}
	expect_equal(named(in, "h"), h, "h");
	expect_equal(named(in, "c"), c, "c");
	ad_model_close(m);
}

/* Attention to another sequence: to x itself, given as memory, it is attention to x. */
Test(layers, attention_to_a_memory)
{
	ad_model *m = open_text("version: 1\ninputs: {x: [2, 3, 4], z: [2, 3, 4]}\nmodel:\n"
	                        "  self: {attention: 2, from: x}\n"
	                        "  other: {attention: {heads: 2, memory: z}, from: x}\n"
	                        "output: self + other\ntrain: {precision: f64}\n");
	struct instance *in = model_instance(m, NULL, true);
	double values[64];
	unsigned state = 3;

	cr_assert(in && m->n_weights == 8);
	for (int k = 0; k < 4; k++) {
		size_t n = ad_count(m->weights[k].node);

		fill(m->weights[k].node, &state, -1);
		cr_assert(n <= 64 && ad_get(m->weights[k].node, values, n) == AD_OK);
		cr_assert(ad_set(m->weights[4 + k].node, values, n) == AD_OK);
	}
	fill(in->inputs[0], &state, -1);
	cr_assert(ad_get(in->inputs[0], values, 24) == AD_OK &&
	          ad_set(in->inputs[1], values, 24) == AD_OK);
	expect_equal(named(in, "other"), named(in, "self"), "memory");
	ad_model_close(m);
}

/* What the scores of rotary positions depend on is the distance alone. */
Test(layers, rotary_positions_are_relative)
{
	ad_model *m = open_text("version: 1\ninputs: {x: [1, 6, 4]}\nmodel:\n"
	                        "  y: {attention: {heads: 1, rotary: true, bias: false}, from: x}\n"
	                        "train: {precision: f64}\n");
	struct instance *in = model_instance(m, NULL, true);
	double x[24] = { 0 }, y[24], moved[24];
	unsigned state = 5;

	cr_assert(in);
	for (int k = 0; k < m->n_weights; k++)
		fill(m->weights[k].node, &state, -1);
	/* steps 1 and 2 differ from 0: then the same at 3 and 4 */
	for (int k = 4; k < 12; k++)
		x[k] = number(&state);
	ad_set(in->inputs[0], x, 24);
	values_of(in->output, y);
	memmove(x + 12, x + 4, 8 * sizeof *x);
	memset(x + 4, 0, 8 * sizeof *x);
	ad_set(in->inputs[0], x, 24);
	values_of(in->output, moved);
	/* keys of zeros score 0 wherever they are */
	for (int k = 0; k < 8; k++)
		cr_expect_float_eq(moved[12 + k], y[4 + k], 1e-12, "%d", k);
	ad_model_close(m);
}

/* A field that is a block, with the time; adjoint and backprop agree up to the error of the method.
 */
Test(layers, ode_of_a_block)
{
	static const char *const ways[] = { "backprop", "adjoint" };
	double gradients[2][31];

	for (int k = 0; k < 2; k++) {
		char text[512];
		unsigned state = 7;
		struct instance *in;
		ad_model *m;
		size_t n = 0;

		snprintf(text, sizeof text,
		         "version: 1\ninputs: {x: [2, 3]}\ndefs:\n"
		         "  field: {inputs: {x: [B, D], t: []}, body: [{linear: 4, from: x * "
		         "cos(t)}, tanh, {linear: 3}]}\n"
		         "model:\n  - ode: {field: field, time: true, steps: 16, gradient: %s}\n"
		         "  - square\n  - mean\ntrain: {precision: f64}\n",
		         ways[k]);
		m = open_text(text);
		in = model_instance(m, NULL, true);
		cr_assert(in && m->n_weights == 4, "%s", ad_errmsg(m->graph));
		cr_expect_str_eq(m->weights[0].path, "ode.field.linear.weight");
		for (int i = 0; i < 4; i++)
			fill(m->weights[i].node, &state, -1);
		fill(in->inputs[0], &state, -1);
		cr_assert(model_gradients(m, in) && ad_backward(in->output) == AD_OK, "%s",
		          ad_errmsg(m->graph));
		for (int i = 0; i < 4; i++) {
			size_t count = ad_count(m->weights[i].node);

			cr_assert(n + count <= 31);
			cr_assert(ad_get(in->gradients[i], gradients[k] + n, count) == AD_OK);
			n += count;
		}
		ad_model_close(m);
	}
	for (int i = 0; i < 31; i++)
		cr_expect_float_eq(gradients[0][i], gradients[1][i], 1e-5, "%d: %g %g", i,
		                   gradients[0][i], gradients[1][i]);
}

/* ---- noise
 * ------------------------------------------------------------------------------------------- */

/* Zeros come by whole channels or samples, in training phase alone; the mean stays. */
Test(layers, dropouts_drop_whole_parts)
{
	static const struct {
		const char *name;
		size_t part; /* elements that are dropped together, of 400 x 5 x 4 */
	} drops[] = { { "channel_dropout", 4 }, { "drop_path", 20 } };

	for (size_t i = 0; i < 2; i++) {
		char text[256];
		double y[8000], sum = 0;
		ad_model *m;
		struct instance *in;

		snprintf(text, sizeof text,
		         "version: 1\ninputs: {x: [400, 5, 4]}\nmodel:\n  y: {%s: 0.25, from: x}\n",
		         drops[i].name);
		m = open_text(text);
		in = model_instance(m, NULL, true);
		cr_assert(in && ad_set_item(in->inputs[0], 3) == AD_OK);
		values_of(in->output, y);
		for (size_t k = 0; k < 8000; k++) {
			cr_assert(y[k] == 0 || y[k] == 4);
			cr_assert(y[k] == y[k - k % drops[i].part]);
			sum += y[k];
		}
		cr_expect_float_eq(sum / 8000, 3, 0.3, "%s: %g", drops[i].name, sum / 8000);
		in = model_instance(m, NULL, false);
		cr_assert(in && ad_set_item(in->inputs[0], 3) == AD_OK);
		values_of(in->output, y);
		for (size_t k = 0; k < 8000; k++)
			cr_assert(y[k] == 3);
		ad_model_close(m);
	}
}

/* Of a standard normal x it makes mean 0 and variance 1. */
Test(layers, alpha_dropout_keeps_mean_and_variance)
{
	static double x[40000], y[40000];
	double mean = 0, square = 0;
	unsigned state = 9;
	ad_model *m = open_text(
	    "version: 1\ninputs: {x: [40000]}\nmodel:\n  y: {alpha_dropout: 0.3, from: x}\n");
	struct instance *in = model_instance(m, NULL, true);

	for (size_t k = 0; k < 40000; k++)
		for (int i = 0; i < 12; i++)
			x[k] += number(&state) / 2;
	cr_assert(in && ad_set(in->inputs[0], x, 40000) == AD_OK);
	values_of(in->output, y);
	for (size_t k = 0; k < 40000; k++) {
		mean += y[k] / 40000;
		square += y[k] * y[k] / 40000;
	}
	cr_expect_float_eq(mean, 0, 0.03, "%g", mean);
	cr_expect_float_eq(square - mean * mean, 1, 0.05, "%g", square);
	ad_model_close(m);
}

/* sin and cos take turns: x[t, 2 i] + sin(t / 10000^(2 i / 4)). */
Test(layers, sinusoidal_positions)
{
	ad_model *m =
	    open_text("version: 1\ninputs: {x: [3, 4]}\nmodel:\n"
	              "  y: {positions: {kind: sinusoidal}, from: x}\ntrain: {precision: f64}\n");
	struct instance *in = model_instance(m, NULL, true);

	cr_assert(in && ad_set_item(in->inputs[0], 0) == AD_OK && ad_forward(in->output) == AD_OK);
	for (int t = 0; t < 3; t++) {
		for (int i = 0; i < 2; i++) {
			double angle = t / pow(10000, i / 2.);

			cr_expect_float_eq(ad_at(in->output, (size_t)(4 * t + 2 * i)), sin(angle),
			                   1e-14);
			cr_expect_float_eq(ad_at(in->output, (size_t)(4 * t + 2 * i + 1)),
			                   cos(angle), 1e-14);
		}
	}
	ad_model_close(m);
}

/* ---- free sizes and mistakes
 * --------------------------------------------------------------------------- */

/* A number of steps that only the data tells: checked by its name, recorded for any length. */
Test(layers, steps_may_be_free)
{
	ad_model *m =
	    open_text("version: 1\ninputs: {ids: {shape: [B, T], dtype: i32}}\nmodel:\n"
	              "  - embed: {vocab: 9, dim: 4}\n  - positions: 300\n"
	              "  - attention: {heads: 2, causal: true}\n"
	              "  - lstm: {hidden: 3, bidirectional: true}\n    shape: [B, T, 6]\n"
	              "  - gru: 5\n    shape: [B, T, 5]\n  - rnn: {hidden: 2, outputs: last}\n");

	for (int64_t T = 1; T < 300; T += 149) {
		struct instance *in = model_instance(m, (int64_t[]){ 2, T }, false);

		cr_assert(in, "%s", ad_errmsg(m->graph));
		cr_expect(ad_count(in->output) == 4);
	}
	cr_expect(model_instance(m, (int64_t[]){ 2, 301 }, false) == NULL);
	cr_expect(
	    strstr(ad_errmsg(m->graph), "positions: a sequence of 301 steps, but 'max' is 300"));
	ad_model_close(m);
}

Test(layers, mistakes)
{
	static const struct {
		const char *x, *item, *want;
	} wrong[] = {
		{ "[B, 3]", "conv2d: {out: 2, kernel: 3}",
		  "x must have 4 axes, the batch, the channels and 2 more, not [B, 3]" },
		{ "[B, 3, 8, 8]", "conv2d: {out: 2, kernel: [3, 3, 3]}",
		  "'kernel' is one number, or one for each of 2 axes, not 3" },
		{ "[B, 3, 8, 8]", "conv2d: {out: 2, kernel: 0}",
		  "'kernel' is 0; it is at least 1" },
		{ "[B, 3, 8, 8]", "conv2d: {out: 2, kernel: 3, groups: 2}",
		  "2 groups do not divide 3 input and 2 output channels" },
		{ "[B, 3, 8, 8]", "conv2d: {out: 2, kernel: 3, padding: sane}",
		  "'padding' wants whole numbers, or one of: same; not 'sane'" },
		{ "[B, 3, 8, 8]", "group_norm: 2", "2 groups do not divide 3 channels" },
		{ "[B, 4, 6]", "attention: 4", "d/heads = 6/4 is not a whole number" },
		{ "[B, 4, 6]", "attention: {heads: 3, kv_heads: 2}",
		  "'kv_heads' is 2, which does not divide 3 heads" },
		{ "[B, 4, 6]", "attention: {heads: 2, rotary: true}",
		  "rotary needs heads of an even size, not 3" },
		{ "[B, 4, 6]", "attention: {heads: 2, keys: x}", "has no argument 'keys'" },
		{ "[B, 6]", "lstm: 4", "x is [batch, steps, size], not [B, 6]" },
		{ "[B, 4, 6]", "lstm: {hidden: 2, outputs: first}",
		  "'outputs' is one of: all last; not 'first'" },
		{ "[B, 4, 6]", "lstm: {hidden: 2, h: x}",
		  "the first h must be [B, 2], not [B, 4, 6]" },
		{ "[B, 4, 6]", "positions: 3", "a sequence of 4 steps, but 'max' is 3" },
		{ "[B, 4, 6]", "positions", "learned ones need 'max'" },
		{ "[B, 4, 6]", "upsample: 0", "'scale' is 0" },
		{ "[B, 4]", "drop_path: 1", "p is 1, not in [0, 1)" },
		{ "[B, 4]", "layer_norm: 3", "'axes' is 3, but x has 2 axes" },
		{ "[B, C, 4]", "batch_norm", "a weight's size cannot be a free dim" },
	};

	for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
		char text[512], *out;

		snprintf(text, sizeof text, "version: 1\ninputs: {x: %s}\nmodel:\n  - %s\n",
		         wrong[k].x, wrong[k].item);
		out = said(text);
		cr_expect(strstr(out, wrong[k].want), "%s: %s", wrong[k].item, out);
		free(out);
	}
}
