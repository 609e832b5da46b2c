/*
 * language: what blocks, items, scans, several files and overrides mean, by the values that come
 * out.
 */
#include "model.h"
#include "said.h"
#include "scratch.h"

#include <glob.h>
#include <math.h>
#include <sys/stat.h>
#include <time.h>

TestSuite(language, .init = scratch_open, .fini = scratch_close);

static ad_model *open_with(const char *text, size_t n, const char *const sets[])
{
	ad_model *m = ad_model_open(scratch_text("m.yaml", text), n, sets);

	cr_assert(m != NULL);
	char *said = messages_of(m);
	cr_assert(ad_model_errors(m) == 0, "%s", said);
	free(said);
	return m;
}

static ad_model *open_text(const char *text)
{
	return open_with(text, 0, NULL);
}

static char *said(const char *text)
{
	ad_model *m = ad_model_open(scratch_text("m.yaml", text), 0, NULL);
	char *out = messages_of(m);

	ad_model_close(m);
	return out;
}

static void expect_said(const char *text, const char *what)
{
	char *out = said(text);

	cr_expect(strstr(out, what) != NULL, "%s\nsays\n%snot %s", text, out, what);
	free(out);
}

static void expect_clean(const char *text)
{
	char *out = said(text);

	cr_expect(*out == '\0', "%s\nsays\n%s", text, out);
	free(out);
}

static struct instance *record(ad_model *m, int64_t batch)
{
	struct instance *in = model_instance(m, &batch, true);

	cr_assert(in, "%s", ad_errmsg(m->graph));
	return in;
}

/* The output of a model without free dims. */
static double value_of(const char *text)
{
	ad_model *m = open_text(text);
	struct instance *in = model_instance(m, NULL, true);
	double y;

	cr_assert(in && in->output, "%s", ad_errmsg(m->graph));
	cr_assert(ad_forward(in->output) == AD_OK, "%s", ad_errmsg(m->graph));
	y = ad_item(in->output);
	ad_model_close(m);
	return y;
}

static void set_input(const struct instance *in, int k, double from)
{
	size_t n = ad_count(in->inputs[k]);

	for (size_t i = 0; i < n; i++)
		((float *)ad_write(in->inputs[k]))[i] = (float)sin(from + (double)i);
}

static double largest_difference(ad_node *a, ad_node *b)
{
	double most = 0;

	cr_assert(ad_count(a) == ad_count(b) && ad_count(a) > 0);
	ad_keep(a);
	ad_keep(b);
	cr_assert(ad_evaluate(ad_graph_of(a), (ad_node *[]){ a, b }, 2) == AD_OK);
	for (size_t k = 0; k < ad_count(a); k++)
		most = fmax(most, fabs(ad_at(a, k) - ad_at(b, k)));
	return most;
}

static ad_node *named(const struct instance *in, const char *name)
{
	for (int i = 0; i < in->n_named; i++)
		if (strcmp(in->named[i].name, name) == 0)
			return in->named[i].node;
	cr_assert_fail("nothing is named '%s'", name);
	return NULL;
}

static const struct weight *weight(const ad_model *m, const char *path)
{
	for (int i = 0; i < m->n_weights; i++)
		if (strcmp(m->weights[i].path, path) == 0)
			return &m->weights[i];
	cr_assert_fail("there is no weight '%s'", path);
	return NULL;
}

static void expect_weights(const ad_model *m, size_t n, const char *const paths[])
{
	cr_expect(ad_model_weights(m) == n, "%zu weights", ad_model_weights(m));
	for (size_t i = 0; i < n && i < ad_model_weights(m); i++)
		cr_expect_str_eq(m->weights[i].path, paths[i]);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

Test(language, blocks_in_expressions)
{
	/* params before, after, by name; inputs by name; a default that uses params before it */
	cr_expect(value_of("version: 1\nparams: {k: 10}\ninputs: {x: 3, z: 5}\n"
	                   "defs:\n"
	                   "  times: {params: {n: int, m: n + 1}, inputs: {a: [], b: []},\n"
	                   "          body: {y: a * n + b * m + k}}\n"
	                   "model:\n  y: times(x, z, 2)\n  u: times(b=x, a=z, n=2, m=0)\n"
	                   "  f: y * 1000 + u\n") == (3 * 2 + 5 * 3 + 10) * 1000 + 5 * 2 + 10);
	/* a call inside of an expression, of a block that calls another */
	cr_expect(value_of("version: 1\ninputs: {x: 3}\ndefs:\n"
	                   "  double: {inputs: {a: []}, body: {y: 2 * a}}\n"
	                   "  quad: {inputs: {a: []}, body: {y: double(double(a)) + 0}}\n"
	                   "model:\n  f: 1 + quad(x + 1) * 2\n") == 1 + 16 * 2);
}

Test(language, param_types)
{
	static const char text[] =
	    "version: 1\ninputs: {x: [B, 4]}\nparams: {act: tanh}\n"
	    "defs:\n"
	    "  inner: {body: [{linear: 4}]}\n"
	    "  b:\n"
	    "    params:\n      i: int\n      f: float = 1/2\n      t: bool = true\n      s: str = "
	    "mean\n"
	    "      o: op = relu\n      c: block\n      h: shape = [2, 2]\n      j: int = 4\n"
	    "      w: sigmoid\n      l: [1, 2]\n      none: null\n"
	    "    check: [i == 3, f == 0.5, t, j == 4, len(h) == 2, \"h[1] == 2\", \"l[1] == 2\"]\n"
	    "    body: [o, c, w, {reshape: [-1, 2, 2]}, {reshape: [-1, 4]}]\n"
	    "model:\n  - b: {i: 3, c: inner}\n  - b: {i: 3, c: inner, o: act, w: gelu, h: [1, "
	    "2]}\n";
	static const char *const kinds[] = { "b",       "relu",    "inner",   "linear", "sigmoid",
		                             "reshape", "reshape", "b",       "tanh",   "inner",
		                             "linear",  "gelu",    "reshape", "reshape" };
	ad_model *m = open_text(text);

	cr_assert(m->n_rows == sizeof kinds / sizeof *kinds, "%d rows", m->n_rows);
	for (int i = 0; i < m->n_rows; i++)
		cr_expect_str_eq(m->rows[i].kind, kinds[i]);
	cr_expect_str_eq(m->rows[3].path, "b.inner.linear");
	cr_expect_str_eq(m->rows[10].path, "b_2.inner.linear");
	ad_model_close(m);
}

Test(language, blocks_see_their_own_names_and_the_params_of_the_file)
{
	static const char head[] = "version: 1\nparams: {p: 2}\ninputs: {x: [B, 4], v: [B, 4]}\n"
				   "weights: {w: {shape: [4, 4]}}\n";
	static const struct {
		const char *rest, *what;
	} cases[] = {
		{ "defs: {b: {body: [{mul: v}]}}\nmodel: [{b: , from: x}]\n",
		  "help: a block sees its own names and the file's params: give it 'v' as an "
		  "input" },
		{ "defs: {b: {body: [{matmul: w}]}}\nmodel: [{b: , from: x}]\n",
		  "nothing is named 'w' here" },
		{ "defs: {b: {body: [{mul: h}]}}\nmodel: [{relu: , from: x, as: h}, {b: }]\n",
		  "nothing is named 'h' here" },
		{ "defs: {b: {body: [{relu: , as: h}]}}\nmodel: [{b: , from: x}, {mul: h}]\n",
		  "nothing is named 'h' here" },
		{ "defs: {b: {body: [{linear: i}]}}\nmodel: [{b: , from: x, repeat: 2}]\n",
		  "'out' wants a whole number; 'i' is neither" },
		{ "defs: {b: {params: {q: int}, body: [{linear: 4, as: q}]}}\n"
		  "model: [{b: 4, from: x}]\n",
		  "'q' is a param of this block" },
	};

	for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
		char text[1024];

		snprintf(text, sizeof text, "%s%s", head, cases[k].rest);
		expect_said(text, cases[k].what);
	}
	/* a name of the body is seen in nested lists, not outside of its own */
	expect_clean("version: 1\ninputs: {x: [B, 4]}\nmodel:\n  - relu:\n    as: h\n"
	             "  - chain: [tanh, {chain: [{mul: h}]}, {mul: h}]\n  - add: h\n");
	expect_said("version: 1\ninputs: {x: [B, 4]}\nmodel:\n"
	            "  - chain: [{relu: , as: h}, {add: h}]\n  - add: h\n",
	            "nothing is named 'h' here");
}

Test(language, order_of_look_up)
{
	/* counter, then block params, then names of the body, then params of the file */
	static const char text[] = "version: 1\nparams: {a: 1, c: 1}\ninputs: {x: 0}\ndefs:\n"
				   "  b: {params: {a: int}, inputs: {x: []}, body: [%s]}\n"
				   "model: [{b: 10}]\n";
	static const struct {
		const char *body;
		double want;
	} cases[] = {
		{ "{add: a}", 10 },
		{ "{add: c}", 1 },
		{ "{add: a, repeat: {a: 3}}", 3 },
		{ "{add: a, each: {a: [5, 6]}}", 11 },
		{ "{add: 7, as: c}, {add: c}", 14 },
		{ "{add: i, repeat: 4}", 6 },
		{ "{chain: [{add: i}, {add: i, repeat: {i: 2}}], repeat: 3}", 6 },
	};

	for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
		char whole[1024];

		snprintf(whole, sizeof whole, text, cases[k].body);
		cr_expect(value_of(whole) == cases[k].want, "%s: %g", cases[k].body,
		          value_of(whole));
	}
}

Test(language, dims_of_a_block_are_its_own)
{
	/* D is 4 in the first use and 8 in the second; B is the file's */
	expect_clean("version: 1\ninputs: {x: [B, 4]}\ndefs:\n"
	             "  b: {inputs: {x: [B, D]}, weights: {W: [D, 2*D]}, body: {y: x @ W}}\n"
	             "model: [{b: }, {b: , shape: [B, 16]}]\n");
	expect_said("version: 1\ninputs: {x: [B, 4, 4]}\ndefs:\n"
	            "  b: {inputs: {x: [D, D, D]}, body: {y: x + D}}\nmodel: [{b: }]\n",
	            "'x' of block 'b' is [B, B, B], not [B, 4, 4]");
	expect_said("version: 1\ninputs: {x: [B, 4]}\ndefs:\n"
	            "  b: {inputs: {x: [T, B]}, body: {y: x + T}}\nmodel: [{b: }]\n",
	            "'x' of block 'b' is [B, B], not [B, 4]");
	expect_said("version: 1\ninputs: {x: [B, 4]}\ndefs:\n"
	            "  b: {inputs: {x: [B, D, E]}, body: {y: x + D}}\nmodel: [{b: }]\n",
	            "'x' of block 'b' has 3 axes, not 2: it is given [B, 4]");
	/* the shape of an item binds and asserts */
	expect_clean("version: 1\ninputs: {x: [B, 4]}\nmodel:\n"
	             "  - {linear: 6, shape: [B, L]}\n  - {linear: L + 1, shape: [B, 7]}\n");
	expect_said("version: 1\ninputs: {x: [B, 4]}\nmodel:\n"
	            "  - {linear: 6, shape: [B, L]}\n  - {linear: 7, shape: [B, L]}\n",
	            "the shape is [B, 7], not [B, 6]");
}

Test(language, several_results)
{
	static const char text[] = "version: 1\ninputs: {x: 3, z: 4}\ndefs:\n"
				   "  two: {inputs: {a: [], b: []}, body: {s: a + b, d: a - b},\n"
				   "        outputs: {sum: s, difference: d}}\n"
				   "model:\n%s";
	static const struct {
		const char *body;
		double want;
	} cases[] = {
		{ "  p, q: two(x, z)\n  f: 10 * p + q\n", 69 },
		{ "  f: two(x, z) * 2\n", 14 },
		{ "  - {two: , from: [x, z], as: [p, q]}\n  - {mul: q}\n", -7 },
		{ "  - {two: {b: x}, from: z, as: [p, q]}\n  - {sub: q}\n", 6 },
		{ "  p, q: {two: , from: [x, z]}\n  f: q - p\n", -8 },
		{ "  - {two: , from: [x, z]}\n  - add: 1\n", 8 },
	};

	for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
		char whole[1024];

		snprintf(whole, sizeof whole, text, cases[k].body);
		cr_expect(value_of(whole) == cases[k].want, "%s: %g", cases[k].body,
		          value_of(whole));
	}
	char whole[1024];
	snprintf(whole, sizeof whole, text, "  - {two: , from: [x, z], as: [p, q, r]}\n");
	expect_said(whole, "'two' has 2 results");
	snprintf(whole, sizeof whole, text, "  p, q, r: two(x, z)\n");
	expect_said(whole, "3 names for 2 results");
}

Test(language, recursion)
{
	static const char text[] = "version: 1\nparams: {depth: 3}\ninputs: {x: 1}\ndefs:\n"
				   "  grow:\n    params: {level: int}\n    body:\n"
				   "      - mul: 2\n        as: here\n"
				   "      - when: level < depth\n        chain:\n"
				   "          - grow: {level: level + 1}\n"
				   "          - add: here\n"
				   "model: [{grow: 0}]\n";

	/* 2, 4, 8, 16, and back: 16 + 8 + 4 + 2 */
	cr_expect(value_of(text) == 30);
	expect_said("version: 1\ninputs: {x: 1}\ndefs: {a: {body: [{b: }]}, b: {body: [{a: }]}}\n"
	            "model: [{a: }]\n",
	            "is used inside itself more than 32 deep");
}

/* ---- items ----------------------------------------------------------------------------------- */

Test(language, copies)
{
	static const char head[] = "version: 1\ninputs: {x: 0}\nparams: {l: [3, 4]}\nmodel:\n";
	static const struct {
		const char *items;
		double want;
	} cases[] = {
		{ "  - {add: 10*a + b, each: {a: [1, 2], b: [3, 4]}}\n", 37 },
		{ "  - {add: a, each: {a: range(4)}}\n", 6 },
		{ "  - {add: a * i, each: {a: l}}\n", 4 },
		{ "  - {add: 1, repeat: {j: 3}, when: j != 1}\n", 2 },
		{ "  - {add: 1, repeat: 0, as: h}\n  - {add: 1}\n  - {add: h}\n", 1 },
		{ "  - {add: 1, as: h, when: false}\n  - {add: 5}\n  - {add: h}\n", 5 },
		{ "  - {add: 1, as: h, repeat: 3}\n  - {add: h}\n", 6 },
		{ "  - {add: 1}\n  - {chain: [{mul: 2}, {add: prev}], from: prev + 1}\n", 8 },
		{ "  - {act: , each: {act: [exp, neg]}}\n", -1 },
		{ "  - {chain: []}\n  - {add: 2}\n", 2 },
	};

	for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
		char whole[1024];

		snprintf(whole, sizeof whole, "%s%s", head, cases[k].items);
		cr_expect(value_of(whole) == cases[k].want, "%s: %g", cases[k].items,
		          value_of(whole));
	}
	expect_said("version: 1\ninputs: {x: 0}\nmodel: [{add: a, each: {a: [1, 2], b: [1]}}]\n",
	            "'each' takes its lists side by side, but 'a' has 2 and 'b' has 1");
	expect_said("version: 1\ninputs: {x: 0}\nmodel: [{add: a, each: {a: [1]}, repeat: 2}]\n",
	            "'repeat' or 'each', not both");
	expect_said("version: 1\ninputs: {x: [B, 2]}\nmodel: [{add: 1, repeat: B}]\n",
	            "'B' is a free dim");
	expect_said("version: 1\ninputs: {x: [B, 2]}\nmodel: [{add: 1, when: x}]\n",
	            "'when' wants true or false; 'x' is a tensor");
}

Test(language, paths)
{
	static const char *const paths[] = {
		"linear.weight",
		"linear.bias",
		"linear_2.weight",
		"linear_2.bias",
		"stage[0].b.linear.weight",
		"stage[0].b.linear.bias",
		"stage[0].b_2[0].linear.weight",
		"stage[0].b_2[0].linear.bias",
		"stage[0].b_2[1].linear.weight",
		"stage[0].b_2[1].linear.bias",
		"stage[1].b.linear.weight",
		"stage[1].b.linear.bias",
		"stage[1].b_2[0].linear.weight",
		"stage[1].b_2[0].linear.bias",
		"stage[1].b_2[1].linear.weight",
		"stage[1].b_2[1].linear.bias",
		"residual[0].linear.weight",
		"residual[0].linear.bias",
		"parallel.left.linear.weight",
		"parallel.left.linear.bias",
		"parallel.branch.linear.weight",
		"parallel.branch.linear.bias",
		"linear_3.weight",
		"linear_3.bias",
	};
	ad_model *m =
	    open_text("version: 1\ninputs: {x: [B, 4]}\ndefs: {b: {body: [{linear: 4}]}}\n"
	              "model:\n  - linear: 4\n  - chain: [{residual: [{linear: 4}]}]\n"
	              "  - {chain: [{b: }, {b: , repeat: 2}], repeat: 2, as: stage}\n"
	              "  - {residual: [{linear: 4}], repeat: 1}\n"
	              "  - parallel: {branches: {left: {linear: 4}, branch: [{linear: 4}]}}\n"
	              "  - linear: 2\n");

	expect_weights(m, sizeof paths / sizeof *paths, paths);
	ad_model_close(m);
}

Test(language, parallel_joins)
{
	static const char text[] =
	    "version: 1\ninputs: {x: [B, 2]}\nmodel:\n"
	    "  - parallel: {branches: {a: [{mul: 2}], b: {mul: 3}, c: []}%s}\n";
	static const struct {
		const char *rest, *shape;
		double last;
	} cases[] = {
		{ "", "[B, 6]", 7 },
		{ ", join: concat, axis: 0", "[3*B, 2]", 7 },
		{ ", join: stack, axis: 1", "[B, 3, 2]", 7 },
		{ ", join: add", "[B, 2]", 42 },
		{ ", join: mul", "[B, 2]", 6 * 7 * 7 * 7 },
		{ ", join: maximum", "[B, 2]", 21 },
	};

	for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
		char whole[1024];

		snprintf(whole, sizeof whole, text, cases[k].rest);
		ad_model *m = open_text(whole);
		struct instance *in = record(m, 1);

		cr_expect_str_eq(m->rows[m->n_rows - 1].shape, cases[k].shape);
		ad_set_item(in->inputs[0], 7);
		cr_assert(ad_forward(in->output) == AD_OK);
		cr_expect(ad_at(in->output, ad_count(in->output) - 1) == cases[k].last, "%s: %g",
		          cases[k].rest, ad_at(in->output, ad_count(in->output) - 1));
		ad_model_close(m);
	}
	/* the short form */
	expect_clean("version: 1\ninputs: {x: [B, 2]}\n"
	             "model: [{parallel: [[{linear: 2}], relu], shape: [B, 4]}]\n");
}

Test(language, shared_weights)
{
	static const char text[] =
	    "version: 1\ninputs: {x: [B, 4]}\ndefs: {b: {body: [{linear: 4}, tanh]}}\n"
	    "model:\n  - {linear: 4, as: one}\n  - {linear: 4, share: one, as: two}\n"
	    "  - {b: , as: three}\n  - {b: , share: three, as: four}\n"
	    "  - chain:\n      - {linear: {out: 4, bias: false}, share: {weight: one.weight}}\n"
	    "    as: five\n"
	    "output: two + four + five\n";
	static const char *const paths[] = { "one.weight", "one.bias", "three.linear.weight",
		                             "three.linear.bias" };
	ad_model *m = open_text(text);
	struct instance *in = record(m, 3);

	expect_weights(m, 4, paths);
	/* two = one w^T + b by the same w and b */
	set_input(in, 0, 1);
	ad_node *by_hand =
	    ad_linear(named(in, "one"), weight(m, "one.weight")->node, weight(m, "one.bias")->node);
	cr_expect(largest_difference(named(in, "two"), by_hand) == 0);
	by_hand = ad_tanh(ad_linear(named(in, "three"), weight(m, "three.linear.weight")->node,
	                            weight(m, "three.linear.bias")->node));
	cr_expect(largest_difference(named(in, "four"), by_hand) == 0);
	ad_model_close(m);
	expect_said(
	    "version: 1\ninputs: {x: [B, 4]}\nmodel: [{linear: 4, as: a}, {linear: 5, share: a}]\n",
	    "'weight' is [5, 4] here, but 'a.weight', whose weight this is, has [4, 4]");
	expect_said("version: 1\ninputs: {x: [B, 4]}\nmodel: [{linear: 4, as: one}, {linear: 4, "
	            "share: noe}]\n",
	            "no item before this one is named 'noe'");
	expect_said("version: 1\ninputs: {x: [B, 4]}\nmodel:\n  - {linear: 4, as: a}\n"
	            "  - {linear: 4, share: {weight: a.wieght}}\n",
	            "no weight has the path 'a.wieght'");
	expect_said(
	    "version: 1\ninputs: {x: [B, 4]}\nmodel:\n  - {linear: {out: 4, bias: false}, as: a}\n"
	    "  - {linear: 4, share: a}\n",
	    "there is no weight 'a.bias' that 'bias' could share");
	expect_said("version: 1\ninputs: {x: [B, 4]}\ndefs: {b: {body: [{linear: 4}]}}\n"
	            "model: [{b: , as: a}, {linear: 4, share: a}]\n",
	            "'a' is 'b', this is 'linear'");
	/* what shares is shared in turn; within a block that shares, all of it is the other's */
	m = open_text("version: 1\ninputs: {x: [B, 4]}\ndefs:\n"
	              "  b: {body: [{linear: 4, as: p}, {linear: 4, share: p, as: q}, {linear: 4, "
	              "share: q}]}\n"
	              "model: [{b: , as: one}, {b: , share: one, as: two}, {b: , share: two}]\n");
	cr_expect(m->n_weights == 2 && record(m, 3)->output != NULL);
	ad_model_close(m);
	/* equations: what is shared comes first, wherever it stands */
	expect_clean(
	    "version: 1\ninputs: {x: [B, 4]}\nmodel:\n"
	    "  b: {linear: 4, from: x, share: a}\n  a: {linear: 4, from: x}\n  c: a + b\n");
}

Test(language, frozen_and_scaled)
{
	ad_model *m = open_text(
	    "version: 1\ninputs: {x: [B, 4]}\nparams: {fix: true}\nmodel:\n"
	    "  - {chain: [{linear: 4}, {linear: 4, lr_scale: 0.5}], freeze: fix, as: a}\n"
	    "  - {chain: [{linear: 4, lr_scale: 1/4}, {linear: 4}], lr_scale: 0.5, as: b}\n"
	    "  - {linear: 1, freeze: false}\n  - mean\n");
	struct instance *in = record(m, 3);

	cr_expect(weight(m, "a.linear.weight")->frozen && weight(m, "a.linear_2.bias")->frozen);
	cr_expect(!ad_wants_gradient(weight(m, "a.linear.weight")->node));
	cr_expect(!weight(m, "b.linear.weight")->frozen && !weight(m, "linear.weight")->frozen);
	cr_expect(ad_wants_gradient(weight(m, "linear.weight")->node));
	cr_expect(weight(m, "b.linear.bias")->lr_scale == 0.125 &&
	          weight(m, "b.linear_2.weight")->lr_scale == 0.5 &&
	          weight(m, "linear.weight")->lr_scale == 1);
	cr_expect(model_gradients(m, in));
	ad_model_close(m);
	expect_said("version: 1\ninputs: {x: [B, 4]}\nmodel: [{relu: , freeze: true}]\n",
	            "'relu' has no weights that 'freeze' could be for");
}

/* How often the graph computes a hyperbolic tangent. */
static int tangents(const ad_graph *g)
{
	int n = 0;

	for (size_t k = 0; k < ad_nodes(g); k++) {
		const char *op = ad_op_of(ad_node_at(g, k));

		n += op && strcmp(op, "tanh") == 0;
	}
	return n;
}

Test(language, checkpoint_computes_again)
{
	ad_model *m = open_text("version: 1\ninputs: {x: [B, 4]}\ndefs: {b: {body: [tanh]}}\nmodel:\n"
	                        "  - {linear: 4}\n"
	                        "  - {chain: [tanh, {mul: 2}], checkpoint: true}\n"
	                        "  - {b: , checkpoint: true, as: second}\n"
	                        "  - {b: , checkpoint: false}\n  - mean\n");
	struct instance *in = record(m, 3);

	cr_assert_eq(tangents(m->graph), 3);
	cr_assert(model_gradients(m, in));
	cr_expect_eq(tangents(m->graph), 5, "two of three for the backward pass again");
	ad_model_close(m);
	expect_said("version: 1\ninputs: {x: [B, 4]}\nmodel: [{relu: , checkpoint: true}]\n",
	            "'checkpoint' is for items that hold others");
}

Test(language, residual_projects_where_shapes_differ)
{
	static const char *const paths[] = { "same.linear.weight", "same.linear.bias",
		                             "other.linear.weight", "other.linear.bias",
		                             "other.skip.weight" };
	ad_model *m = open_text("version: 1\ninputs: {x: [B, 4]}\nmodel:\n"
	                        "  - residual: {body: [{linear: 4}, tanh], skip: auto}\n"
	                        "    as: same\n"
	                        "  - residual: {body: [{linear: 6}], skip: auto}\n    as: other\n");
	struct instance *in = record(m, 3);

	expect_weights(m, 5, paths);
	set_input(in, 0, 2);
	ad_node *x = named(in, "same");
	ad_node *by_hand = ad_add(ad_linear(x, weight(m, "other.skip.weight")->node, NULL),
	                          ad_linear(x, weight(m, "other.linear.weight")->node,
	                                    weight(m, "other.linear.bias")->node));
	cr_expect(largest_difference(in->output, by_hand) < 1e-6);
	ad_model_close(m);
}

Test(language, residual_projects_by_a_convolution_where_channels_differ)
{
	ad_model *m = open_text(
	    "version: 1\ninputs: {x: [B, 4, 7, 8]}\nparams: {s: 2}\n"
	    "defaults: {conv2d: {kernel: 3, padding: same, init: ones, bias: true}}\n"
	    "defs: {down: {params: {s: int}, body: [{residual: {body: [{conv2d: {out: 6, stride: "
	    "s}}], "
	    "skip: auto}}]}}\n"
	    "model:\n  - {down: 2, shape: [B, 6, 4, 4]}\n  - {down: 1, shape: [B, 6, 4, 4]}\n"
	    "  - {flatten: 2, shape: [B, 6, 16]}\n"
	    "  - residual: {body: [{conv1d: {out: 2, kernel: 2, stride: 2}}], skip: auto}\n"
	    "    shape: [B, 2, 8]\n");
	static const char *const paths[] = { "down.conv2d.weight", "down.conv2d.bias",
		                             "down.skip.weight",   "down_2.conv2d.weight",
		                             "down_2.conv2d.bias", "conv1d.weight",
		                             "conv1d.bias",        "skip.weight" };
	struct instance *in = record(m, 1);

	expect_weights(m, 8, paths);
	cr_expect(ad_shape_of(m->weights[2].node).rank == 4 &&
	          ad_shape_of(m->weights[2].node).dims[3] == 1);
	cr_expect(ad_at(m->weights[2].node, 5) == 1); /* init of defaults; nothing else of them */
	cr_expect(in->output != NULL);
	ad_model_close(m);
	expect_said("version: 1\ninputs: {x: [B, 4, 8, 8]}\nmodel:\n"
	            "  - residual: {body: [{conv2d: {out: 4, kernel: 2}}], skip: auto}\n",
	            "x is [B, 4, 8, 8] but f(x) is [B, 4, 7, 7]");
}

/* Of three axes, of which the last alone changes, it is channels or time: what f is made of tells. */
Test(language, residual_projects_series_by_what_its_body_is)
{
	static const struct {
		const char *body;
		int rank;
	} cases[] = {
		{ "{conv1d: {out: 6, kernel: 3, stride: 2, padding: same}}", 3 },
		{ "relu, {max_pool1d: 2}", 3 },
		{ "{half: }", 3 },
		{ "{linear: 8}", 2 },
		{ "gelu, {linear: 32}, {linear: 8}", 2 },
	};

	for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
		char text[512];
		ad_model *m;
		const struct weight *w;

		snprintf(text, sizeof text,
		         "version: 1\ninputs: {x: [B, 6, 16]}\n"
		         "defs: {half: {body: [{conv1d: {out: 6, kernel: 2, stride: 2}}]}}\n"
		         "model:\n  - {residual: {body: [%s], skip: auto}, shape: [B, 6, 8]}\n", cases[k].body);
		m = open_text(text);
		w = &m->weights[m->n_weights - 1];
		cr_expect_str_eq(w->path, "skip.weight");
		cr_expect_eq(ad_shape_of(w->node).rank, cases[k].rank, "%s: rank %d", cases[k].body,
		             ad_shape_of(w->node).rank);
		ad_model_close(m);
	}
}

/* What can be said without shapes is said of a block that nothing uses. */
Test(language, unused_blocks_are_checked)
{
	static const char head[] = "version: 1\nparams: {base: 8}\ninputs: {x: [B, 4]}\nmodel: [relu]\ndefs:\n";
	static const struct {
		const char *block, *error;
	} wrong[] = {
		{ "  b: {body: [reluu]}\n", "no op or block named 'reluu'" },
		{ "  b: {body: [{linear: {outt: 3}}]}\n", "'linear' has no argument 'outt'" },
		{ "  b: {body: [{linear: , repeat: 2}]}\n", "'linear' needs 'out'" },
		{ "  b: {params: {n: int}, body: [{chain: [{linear: n}, {chain: [tahn], when: n > 2}], repeat: n}]}\n",
		  "no op or block named 'tahn'" },
		{ "  b: {body: [{residual: [{linear: m}]}]}\n", "'out' wants a whole number; 'm' is neither" },
		{ "  b: {body: [{concat: [prev, hear]}]}\n", "nothing is named 'hear' here" },
		{ "  b: {params: {n: int}, body: [relu]}\n  c: {body: [{b: {m: 3}}]}\n", "'b' has no argument 'm'" },
		{ "  b: {params: {n: int}, body: [relu]}\n  c: {body: [b]}\n", "block 'b' needs 'n' (int)" },
		{ "  b: {body: {y: z + 1, z: y}}\n", "'y' needs itself: y -> z -> y" },
		{ "  b: {inputs: {h: [B, n]}, body: {y: h + g}}\n", "nothing is named 'g' here" },
		{ "  b: {inputs: {h: [B, n]}, body: {y: h * n}, outputs: {y: y, q: q}}\n", "nothing is named 'q' here" },
		{ "  b: {body: [{relu: , as: a}, {tanh: , as: a}]}\n", "'a' is named twice in this body" },
	};
	static const char *const right[] = {
		"  b: {params: {out: int, act: op = relu, other: op}, body: [{linear: out}, act, other, {linear: base*out}]}\n",
		"  cell: {params: {hidden: int}, inputs: {x: [B, D], h: [B, hidden]}, weights: {W: {shape: [D + hidden, "
		"hidden], init: xavier}}, body: {z: 'concat(x, h, axis=1) @ W', g: 'z[:, 0:hidden//2]'}, outputs: {y: z}}\n",
		"  up: {params: {level: int}, body: [{linear: base * 2**level, as: here}, {when: level < 3, chain: [{up: "
		"level + 1}, {concat: [prev, here]}]}, {linear: 4, share: here}]}\n",
		"  b: {body: [{linear: c, each: {c: [1, 2]}}, {parallel: {branches: {a: [relu], b: [{linear: i + 1}]}}, "
		"repeat: 2}]}\n",
		"  b: {params: {o: block}, body: [o, {scan: {cell: o, state: {h: zeros}}}, {lstm: 4, as: [y, h]}, {add: h}]}\n",
	};
	char text[1024];

	for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
		snprintf(text, sizeof text, "%s%s", head, wrong[k].block);
		expect_said(text, wrong[k].error);
	}
	for (size_t k = 0; k < sizeof right / sizeof *right; k++) {
		char *out;

		snprintf(text, sizeof text, "%s%s", head, right[k]);
		out = said(text);
		cr_expect(!strstr(out, "error") && strstr(out, "is never used") && !strstr(out, "feeds nothing"),
		          "%s%s", text, out);
		free(out);
	}
	/* its rows and weights are none of the model's */
	snprintf(text, sizeof text, "%s%s", head, right[0]);
	ad_model *m = open_text(text);
	cr_expect(m->n_weights == 0 && m->n_rows == 1, "%d %d", m->n_weights, m->n_rows);
	ad_model_close(m);
}

/* What lacks is said of each item, also of those after one that is wrong. */
Test(language, all_mistakes_at_once)
{
	char *out = said("version: 1\nparams: {n: }\ninputs: {x: [B, 4]}\n"
	                 "model: [reluu, linear, {linear: {bias: no}}, {conv2d: {out: 3, kernle: 2}}, {softmax: , from: h}]\n");

	cr_expect(strstr(out, "no op or block named 'reluu'") && strstr(out, "'linear' needs 'out' (int)") &&
	          strstr(out, "'conv2d' has no argument 'kernle'") && strstr(out, "nothing is named 'h' here") &&
	          !strstr(out, "needs 'kernel'"), "%s", out);
	free(out);
}

Test(language, defaults)
{
	static const char *const paths[] = { "linear.weight",     "linear_2.weight",
		                             "linear_2.bias",     "b.linear.weight",
		                             "b_2.linear.weight", "last.weight" };
	static const int rows[] = { 6, 6, 6, 3, 5, 2 };
	ad_model *m =
	    open_text("version: 1\nparams: {wide: 6}\ninputs: {x: [B, 4]}\n"
	              "defaults:\n  linear: {out: wide, bias: false, init: ones}\n"
	              "  leaky_relu: 0.5\n  sum: {axis: 1}\n  b: {n: 3}\n"
	              "defs: {b: {params: {n: 2}, body: [{linear: n}]}}\n"
	              "model:\n  - linear:\n  - linear: {bias: true, init: zeros}\n"
	              "  - leaky_relu\n  - b\n  - b: 5\n"
	              "  - linear: {out: 2}\n    init: {normal: 0}\n    as: last\n"
	              "output: sum(last) + leaky_relu(x[:, 0]) + leaky_relu(x[:, 0], 0.25)\n");
	struct instance *in = record(m, 2);

	expect_weights(m, 6, paths);
	for (int k = 0; k < 6; k++)
		cr_expect(ad_shape_of(m->weights[k].node).dims[0] == rows[k]);
	cr_expect(ad_at(ad_model_weight(m, 0, NULL), 3) == 1 &&
	          ad_at(ad_model_weight(m, 1, NULL), 3) == 0 &&
	          ad_at(ad_model_weight(m, 5, NULL), 3) == 0);
	ad_set_item(in->inputs[0], -8);
	cr_assert(ad_forward(in->output) == AD_OK && ad_count(in->output) == 2);
	cr_expect(ad_at(in->output, 1) == -6);
	ad_model_close(m);
	expect_said("version: 1\ninputs: {x: [B, 4]}\ndefaults: {relu: 3, linaer: {out: 3}, "
	            "softmax: {axes: 1}}\n"
	            "model: [relu]\n",
	            "no op or block named 'linaer'");
	expect_said(
	    "version: 1\ninputs: {x: [B, 4]}\ndefaults: {softmax: {axes: 1}}\nmodel: [softmax]\n",
	    "'softmax' has no argument 'axes'");
}

Test(language, warnings)
{
	char *out = said("version: 1\nparams: {a: 1}\ninputs: {x: [B, 4], z: [B, 4]}\n"
	                 "weights: {w: 3}\ndefaults: {relu: {}, tanh: {}}\n"
	                 "defs:\n  unused: {body: [relu]}\n"
	                 "  b: {params: {n: 3, m: 4}, body: [{linear: n, when: n > 2}]}\n"
	                 "model:\n  - {b: , from: x}\n  - {relu: , from: x, as: lost}\n"
	                 "  - {tanh: , from: x}\n  - {b: 2}\n");
	static const char *const lines[] = {
		"warning: params.a is never used",
		"warning: input 'z' is never used",
		"warning: weight 'w' is never used",
		"warning: block 'unused' is never used",
		"warning: param 'm' of block 'b' is never used",
		"warning: item 'b' (line 10) feeds nothing",
		"warning: item 'lost' (line 11) feeds nothing",
	};

	for (size_t k = 0; k < sizeof lines / sizeof *lines; k++)
		cr_expect(strstr(out, lines[k]) != NULL, "no %s in\n%s", lines[k], out);
	cr_expect(strstr(out, "'n' of block") == NULL && strstr(out, "defaults") == NULL, "%s",
	          out);
	free(out);
	expect_said("version: 1\ninputs: {x: [B, 4]}\ndefaults: {relu: {}}\nmodel: [tanh]\n",
	            "warning: defaults.relu is never used");
	/* an item of a block that one of its uses reads is no loss */
	expect_clean(
	    "version: 1\ninputs: {x: [B, 4]}\ndefs:\n"
	    "  b: {params: {on: bool}, body: [{relu: , as: h}, tanh, {add: h, when: on}]}\n"
	    "model: [{b: true}, {b: false}]\n");
}

Test(language, checkpoint_names_the_param)
{
	ad_model *m = open_text("version: 1\nparams: {hidden: 8}\ninputs: {x: [B, 4]}\n"
	                        "model: [{linear: {out: hidden}}]\n");
	const char *path = scratch_path("w.safetensors");
	char error[1024] = "";

	cr_assert(ad_model_graph(m) && checkpoint_write(m, path, error, sizeof error), "%s", error);
	ad_model_close(m);
	m = open_text("version: 1\nparams: {hidden: 9}\ninputs: {x: [B, 4]}\n"
	              "model: [{linear: {out: hidden}}]\n");
	cr_assert(!checkpoint_read(m, path, NULL, error, sizeof error));
	cr_expect(strstr(error, "is [8, 4] there and [9, 4] here (") &&
	              strstr(error, "m.yaml:2:18, params.hidden)\nhelp: 'autograd diff "),
	          "%s", error);
	ad_model_close(m);
}

Test(language, checkpoint_says_that_numbers_have_moved)
{
	static const char text[] =
	    "version: 1\ninputs: {x: [B, 4]}\nmodel: [%s{linear: 4}, relu, {linear: %d}]\n";
	static const char *const inserted[] = { "{linear: 6}, ",
		                                "{linear: {out: 4, bias: false}}, " };
	char whole[512], error[2048] = "";
	const char *path = scratch_path("w.safetensors");

	snprintf(whole, sizeof whole, text, "", 2);
	ad_model *m = open_text(whole);
	cr_assert(ad_model_graph(m) && checkpoint_write(m, path, error, sizeof error), "%s", error);
	ad_model_close(m);
	for (int k = 0; k < 2; k++) {
		snprintf(whole, sizeof whole, text, inserted[k], 2);
		m = open_text(whole);
		cr_assert(!checkpoint_read(m, path, NULL, error, sizeof error));
		cr_expect(strstr(error, "it lacks 'linear_3.weight'") &&
		              strstr(error, "help: the number of an unnamed item"),
		          "%s", error);
		ad_model_close(m);
	}
	/* a name given to the first makes the second the first unnamed one */
	m = open_text("version: 1\ninputs: {x: [B, 4]}\nmodel: [{linear: 4, as: first}, relu, "
	              "{linear: 2}]\n");
	cr_assert(!checkpoint_read(m, path, NULL, error, sizeof error));
	cr_expect(strstr(error, "it lacks 'first.weight', 'first.bias'; it has besides "
	                        "'linear_2.weight'") &&
	              strstr(error, "help: the number of an unnamed item"),
	          "%s", error);
	ad_model_close(m);
	snprintf(whole, sizeof whole, text, "", 3);
	m = open_text(whole);
	cr_assert(!checkpoint_read(m, path, NULL, error, sizeof error));
	cr_expect(strstr(error, "'linear_2.weight' is [2, 4] there and [3, 4] here") &&
	              strstr(error, "help: the number of an unnamed item"),
	          "%s", error);
	ad_model_close(m);
}

/* ---- scan ------------------------------------------------------------------------------------ */

static const char scanned[] =
    "version: 1\ninputs: {x: [B, T, 3]%s}\n"
    "defs:\n  cell:\n    params: {n: int}\n    inputs: {x: [B, D], h: [B, n], c: [B, n]}\n"
    "    weights: {W: {shape: [D + n, n]}, b: {shape: [n], init: {uniform: 1}}}\n"
    "    body:\n      h_new: tanh(concat(x, h) @ W + b)\n      c_new: c * 0.5 + h_new\n"
    "    outputs: {y: c_new - 1, h: h_new, c: c_new}\n"
    "model:\n  - scan: {cell: cell, args: {n: 2}, state: {h: %s, c: ones}}\n    from: x\n"
    "    as: [y, h, c]\n"
    "  - tanh\n%s";

Test(language, scan_is_its_steps_one_by_one)
{
	static const int64_t lengths[] = { 1, 2, 7, 64, 65, 300 };
	char text[2048];

	snprintf(text, sizeof text, scanned, "", "zeros", "");
	ad_model *m = open_text(text);
	cr_expect_str_eq(m->rows[0].shape, "[B, T, 2]");
	cr_expect(m->rows[0].parameters == 12 && m->n_weights == 2);
	cr_expect_str_eq(m->weights[0].path, "scan.W");
	for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
		const int64_t T = lengths[k], dims[] = { 2, T };
		struct instance *in = model_instance(m, dims, true);

		cr_assert(in, "%s", ad_errmsg(m->graph));
		set_input(in, 0, (double)T);
		ad_node *h = ad_full(m->graph, AD_SHAPE(2, 2), 0),
			*c = ad_full(m->graph, AD_SHAPE(2, 2), 1);
		ad_node *W = m->weights[0].node, *b = m->weights[1].node, *all = NULL;
		for (int64_t t = 0; t < T; t++) {
			ad_node *pair[] = { ad_select(in->inputs[0], 1, t), h };

			h = ad_tanh(ad_add(ad_matmul(ad_concat(2, pair, 1), W), b));
			c = ad_add(ad_mul(c, ad_constant(m->graph, 0.5)), h);
			ad_node *y = ad_unsqueeze(ad_sub(c, ad_constant(m->graph, 1)), 1);
			ad_node *joined[] = { all, y };
			all = all ? ad_concat(2, joined, 1) : y;
		}
		cr_expect(largest_difference(in->output, ad_tanh(all)) < 1e-6);
		cr_expect(largest_difference(named(in, "h"), h) < 1e-6);
		cr_expect(largest_difference(named(in, "c"), c) < 1e-6);
	}
	ad_model_close(m);
	snprintf(text, sizeof text, scanned, ", h0: [B, 2]", "h0", "output: h + c\n");
	m = open_text(text);
	cr_expect_str_eq(m->rows[0].from, "x, h0");
	ad_model_close(m);
}

Test(language, scan_refused)
{
	static const char text[] =
	    "version: 1\ninputs: {x: [B, T, 3]}\ndefs:\n"
	    "  cell: {inputs: {x: [B, D], h: [B, D]}, body: {h: 1}}\n"
	    "  good: {inputs: {x: [B, D], h: [B, D]}, body: {y: x + h}}\n"
	    "  grows: {inputs: {x: [B, D], h: [B, H]}, body: {y: concat(x, h)},\n"
	    "          outputs: {y: x, h: y}}\n"
	    "  none: {body: [relu]}\n"
	    "model: [{scan: %s}]\n";
	static const struct {
		const char *scan, *what;
	} cases[] = {
		{ "{cell: good, state: {h: zeros}}", "" },
		{ "{cell: good, state: [h]}", "" },
		{ "{state: {h: zeros}}", "'scan' needs 'cell'" },
		{ "{cell: god, state: {h: zeros}}", "no block named 'god'" },
		{ "{cell: relu, state: {h: zeros}}", "'cell' wants a block of 'defs'" },
		{ "{cell: none, state: {h: zeros}}", "declares no inputs" },
		{ "{cell: good}", "'scan' needs 'state'" },
		{ "{cell: good, state: {g: zeros}}", "unknown key 'g' in 'state'" },
		{ "{cell: good, state: {x: zeros, h: zeros}}", "and 0 to be read, but 1 stands" },
		{ "{cell: good, state: {h: zeros}, axis: 3}", "goes along axis 3" },
		{ "{cell: good, state: {h: zeros}, axs: 3}", "unknown key 'axs' in 'scan'" },
		{ "{cell: good, args: {n: 3}, state: {h: zeros}}", "'good' has no argument 'n'" },
		{ "{cell: grows, state: {h: zeros}}", "nothing tells its size 'H'" },
		{ "{cell: cell, state: {h: zeros}}", "'h' is named twice in this body" },
	};

	for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
		char whole[1024];

		snprintf(whole, sizeof whole, text, cases[k].scan);
		expect_said(whole, cases[k].what);
	}
	expect_said("version: 1\ninputs: {x: [B, T, 3], s: [B, 2]}\ndefs:\n"
	            "  grows: {inputs: {x: [B, D], h: [B, H]}, body: {y: concat(x, h)},\n"
	            "          outputs: {y: x, h: y}}\n"
	            "model: [{scan: {cell: grows, state: {h: s}}, from: x}]\n",
	            "the state 'h' is [B, 5] after the first step and [B, 8] after the second");
}

/* ---- expressions of tensors ------------------------------------------------------------------ */

Test(language, tensors_in_expressions)
{
	ad_model *m =
	    open_text("version: 1\ninputs: {x: [4, 6]}\nmodel:\n"
	              "  a: x[:, 0]\n  b: x[1:3, ::2]\n  c: x[-1]\n  d: x[0, -2:]\n"
	              "  e: x[:, :4] @ x\n  f: (x > 0) * x + 2 * (x <= 0)\n"
	              "  g: max(x, axis=1)\n  h: max(x, 0)\n  j: mean(x**2) + 2**-1\n"
	              "  k: if(x > 0, x, -x)\n  l: min(x, -x, 0)\n"
	              "  n: range(3)[1] + len(x) + 7 // 2\n  o: sqrt(abs(x)) % 1\n"
	              "output: sum(a) + sum(b) + sum(c) + sum(d) + sum(e) + sum(f) + sum(g) + "
	              "sum(h) + j + sum(k) + sum(l) + n + sum(o)\n");
	static const char *const names[] = { "a", "b", "c", "d", "e", "f",
		                             "g", "h", "j", "k", "l", "o" };
	struct instance *in = model_instance(m, NULL, true);
	double x[4][6], want[12] = { 0 };

	cr_assert(in, "%s", ad_errmsg(m->graph));
	set_input(in, 0, 5);
	for (int i = 0; i < 4; i++)
		for (int k = 0; k < 6; k++)
			x[i][k] = (float)sin(5 + i * 6 + k);
	for (int i = 0; i < 4; i++) {
		double most = x[i][0];

		want[0] += x[i][0];
		for (int k = 0; k < 6; k++) {
			const double v = x[i][k];

			want[1] += i >= 1 && i < 3 && k % 2 == 0 ? v : 0;
			want[2] += i == 3 ? v : 0;
			want[3] += i == 0 && k >= 4 ? v : 0;
			for (int j = 0; j < 4; j++)
				want[4] += x[i][j] * x[j][k];
			want[5] += v > 0 ? v : 2;
			most = fmax(most, v);
			want[7] += fmax(v, 0);
			want[8] += v * v / 24;
			want[9] += fabs(v);
			want[10] += fmin(v, -v);
			want[11] += sqrt(fabs(v));
		}
		want[6] += most;
	}
	want[8] += 0.5;
	for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
		ad_node *sum = ad_sum(named(in, names[k]), AD_ALL, false);

		cr_assert(ad_forward(sum) == AD_OK, "%s", ad_errmsg(m->graph));
		cr_expect(fabs(ad_item(sum) - want[k]) < 1e-4, "%s: %g, not %g", names[k],
		          ad_item(sum), want[k]);
	}
	cr_assert(ad_forward(in->output) == AD_OK);
	ad_model_close(m);
}

/* ---- several files --------------------------------------------------------------------------- */

static char *resolved(const ad_model *m)
{
	char *text = NULL;
	size_t length = 0;
	FILE *to = open_memstream(&text, &length);

	yaml_write(yaml_root(m->tree), to);
	fclose(to);
	return text;
}

Test(language, extends)
{
	scratch_text("base.yaml",
	             "version: 1\nparams: {a: 1, b: 2}\ninputs: {x: 3}\n"
	             "model: [{add: a}, {add: b}]\n"
	             "train: {epochs: 3, seed: 1, optimizer: {sgd: {lr: 0.5, momentum: 0.9}}}\n");
	scratch_text("middle.yaml", "extends: base.yaml\nparams: {b: 20}\n");
	cr_expect(value_of("extends: middle.yaml\nparams: {a: 100}\n") == 123);
	/* lists replace */
	cr_expect(
	    value_of(
		"extends: middle.yaml\nmodel: [{add: b}]\nparams: {a: 0}\nunset: [params.a]\n") ==
	    23);
	ad_model *m =
	    open_text("extends: base.yaml\nunset: [train.optimizer.sgd.momentum, train.seed]\n"
	              "train: {optimizer: {sgd: {lr: 0.25}}}\n");
	char *text = resolved(m);
	cr_expect(strstr(text, "lr: 0.25") && !strstr(text, "momentum") && !strstr(text, "seed") &&
	              !strstr(text, "extends") && !strstr(text, "unset") &&
	              strstr(text, "epochs: 3"),
	          "%s", text);
	ad_model *again = open_text(text);
	cr_expect(again->train.epochs == 3 && again->n_rows == m->n_rows);
	free(text);
	ad_model_close(again);
	ad_model_close(m);
	expect_said("extends: base.yaml\nunset: [train.sede]\n",
	            "the parent has no 'train.sede' that could be unset");
	expect_said("extends: nowhere.yaml\n", "nowhere.yaml cannot be read: No such file");
	expect_said("version: 1\nmodel: [relu]\nunset: [train]\n",
	            "'unset' is for a file that extends");
	scratch_text("self.yaml", "extends: self.yaml\n");
	expect_said("extends: self.yaml\n", "self.yaml names itself");
	/* eight files in a row, and one more */
	scratch_text("p1.yaml", "version: 1\ninputs: {x: [B, 4]}\nmodel: [relu]\n");
	for (int k = 2; k <= 9; k++) {
		char name[16], parent[32];

		snprintf(name, sizeof name, "p%d.yaml", k);
		snprintf(parent, sizeof parent, "extends: p%d.yaml\n", k - 1);
		scratch_text(name, parent);
	}
	ad_model_close(open_text("extends: p8.yaml\n"));
	expect_said("extends: p9.yaml\n", "more than 8 deep");
	scratch_text("bad.yaml", "version: 1\nmodel: [relu\n");
	expect_said("extends: bad.yaml\n", "bad.yaml:2:8: error[E007]: this '[' is never closed");
	/* a mistake in a value of the parent is reported in the parent's file */
	scratch_text("wrong.yaml", "version: 1\nmodel:\n  - linear: {ot: 3}\n");
	expect_said("extends: wrong.yaml\ninputs: {x: [B, 2]}\n", "wrong.yaml:3:14: error[E001]");
	/* eight in a row are allowed */
	for (int k = 0; k < 8; k++) {
		char name[16], text_k[64];

		snprintf(name, sizeof name, "f%d.yaml", k);
		snprintf(text_k, sizeof text_k,
		         k ? "extends: f%d.yaml\nparams: {n: %d}\n"
		           : "version: 1\ninputs: {x: 1}\nmodel: [{add: n}]\n",
		         k - 1, k);
		scratch_text(name, text_k);
	}
	cr_expect(value_of("extends: f7.yaml\n") == 8);
	scratch_text("f8.yaml", "extends: f7.yaml\n");
	expect_said("extends: f8.yaml\n", "f1.yaml:1:10: error[E017]: files extend or include each other more than 8 deep");
}

Test(language, paths_of_a_parent_start_in_its_folder)
{
	char folder[256], error[512];
	struct parts parts;

	snprintf(folder, sizeof folder, "%s/sub", scratch);
	cr_assert(mkdir(folder, 0700) == 0);
	scratch_text("sub/points.csv", "1,2\n3,4\n");
	scratch_text("sub/base.yaml",
	             "version: 1\ninputs: {x: [B, 2]}\nmodel: [{linear: 1}, mean]\n"
	             "data: {train: {format: csv, file: points.csv, x: 0..1}}\n");
	ad_model *m = open_text("extends: sub/base.yaml\ndata: {train: {skip: 1}}\n");
	cr_assert(data_read(m, &parts, error, sizeof error), "%s", error);
	cr_expect(parts.train.n == 1);
	data_free(&parts);
	ad_model_close(m);
	scratch_text("three.csv", "1,2\n3,4\n5,6\n");
	m = open_text("extends: sub/base.yaml\ndata: {train: {file: three.csv}}\n");
	cr_assert(data_read(m, &parts, error, sizeof error), "%s", error);
	cr_expect(parts.train.n == 3);
	data_free(&parts);
	ad_model_close(m);
}

Test(language, include)
{
	scratch_text("blocks.yaml",
	             "defaults: {linear: {bias: false}}\nparams: {hidden: 5}\ndefs:\n"
	             "  inner: {params: {n: int}, body: [{linear: n}]}\n"
	             "  outer: {params: {n: 2}, inputs: {x: [B, D]},\n"
	             "          body: {y: \"inner(x, 3)\", z: \"inner(y, n) + D\"}}\n"
	             "  greedy: {body: [{linear: hidden}]}\n");
	static const char text[] = "version: 1\ninclude: [blocks.yaml]\nparams: {hidden: 7}\n"
				   "inputs: {x: [B, 4]}\n"
				   "defs: {inner: {body: [relu]}}\n"
				   "model:\n  - blocks.outer: {n: 6}\n  - inner\n  - linear: 2\n"
				   "  - blocks.outer\n%s";
	char whole[1024];

	snprintf(whole, sizeof whole, text, "output: mean(blocks.inner(x, 3))\n");
	ad_model *m = open_text(whole);
	cr_expect(m->n_weights == 7, "%d", m->n_weights);
	cr_expect_str_eq(m->weights[0].path, "outer.y.linear.weight");
	cr_expect_str_eq(m->weights[2].path, "linear.weight");
	cr_expect_str_eq(m->weights[3].path, "linear.bias");
	/* what is resolved is one file that means the same */
	char *one = resolved(m);
	cr_expect(!strstr(one, "include") && strstr(one, "blocks.inner:"), "%s", one);
	ad_model *again = open_text(one);
	cr_expect(again->n_weights == m->n_weights && again->n_rows == m->n_rows);
	for (int i = 0; i < m->n_rows; i++) {
		cr_expect_str_eq(again->rows[i].path, m->rows[i].path);
		cr_expect_str_eq(again->rows[i].shape, m->rows[i].shape);
	}
	free(one);
	ad_model_close(again);
	ad_model_close(m);
	snprintf(whole, sizeof whole, text, "  - blocks.greedy\n");
	expect_said(whole, "'out' wants a whole number; 'hidden' is neither");
	snprintf(whole, sizeof whole, text, "  - blocks.innr: 3\n");
	expect_said(whole, "did you mean 'blocks.inner'?");
	scratch_text("misspelt.yaml", "x-own: 1\nprams: {n: 2}\ndefs: {b: {body: [relu]}}\n");
	expect_said("version: 1\ninclude: [misspelt.yaml]\ninputs: {x: [B, 4]}\nmodel: [misspelt.b]\n",
	            "misspelt.yaml:2:1: error[E001]: unknown key 'prams' in the file");
	scratch_text("later.yaml", "version: 9\ndefs: {f: {body: [relu]}}\n");
	expect_said("version: 1\ninclude: [later.yaml]\ninputs: {x: [B, 4]}\nmodel: [later.f]\n",
	            "later.yaml:1:10: error[E018]: this program reads version 1 of the language, not '9'");
	expect_said("version: 1\ninclude: [a-b.yaml]\nmodel: [relu]\n",
	            "'a-b' cannot be the first part of the names of blocks");
	expect_said("version: 1\ninclude: [blocks.yaml, ../x/blocks.yaml]\nmodel: [relu]\n",
	            "two included files are called 'blocks'");
}

/* ---- overrides ------------------------------------------------------------------------------- */

Test(language, order_of_authority)
{
	static const char *const sets[] = { "params.c=4" };

	scratch_text("base.yaml", "version: 1\nparams: {a: 1, b: 1, c: 1, d: 1}\ninputs: {x: 0}\n"
	                          "model: [{add: 1000*a + 100*b + 10*c + d}]\n");
	const char *path =
	    scratch_text("m.yaml", "extends: base.yaml\nparams: {b: 2, c: 2, d: 2}\n");
	setenv("AUTOGRAD_SET", "params.c=3\n\nparams.d=3\n", 1);
	ad_model *m = model_open_here(path, 1, sets), *plain = ad_model_open(path, 0, NULL);
	struct instance *in = model_instance(m, NULL, true);
	cr_assert(in && ad_forward(in->output) == AD_OK);
	cr_expect(ad_item(in->output) == 1243, "%g", ad_item(in->output));
	in = model_instance(plain, NULL,
	                    true); /* the library itself does not look at the environment */
	cr_assert(in && ad_forward(in->output) == AD_OK && ad_item(in->output) == 1222);
	ad_model_close(m);
	ad_model_close(plain);
	setenv("AUTOGRAD_SET", "params.e=3", 1);
	m = model_open_here(path, 0, NULL);
	char *out = messages_of(m);
	cr_expect(strncmp(out, "AUTOGRAD_SET params.e=3: error[E001]: 'params' has no key 'e'\n",
	                  61) == 0,
	          "%s", out);
	free(out);
	ad_model_close(m);
	unsetenv("AUTOGRAD_SET");
}

/* ---- the resolved declaration ---------------------------------------------------------------- */

static bool same_watched(struct watched a, struct watched b)
{
	return a.given == b.given && a.valid == b.valid && a.most == b.most && a.value == b.value;
}

static bool same_period(struct period a, struct period b)
{
	return a.n == b.n && a.epochs == b.epochs;
}

static void expect_same_train(const struct train_spec *a, const struct train_spec *b, const char *what)
{
	cr_expect(a->given == b->given && a->epochs == b->epochs && a->steps == b->steps && a->seed == b->seed &&
	              a->optimizer == b->optimizer && a->log == b->log && a->schedule == b->schedule &&
	              a->clip == b->clip && a->accumulate == b->accumulate && same_period(a->eval, b->eval),
	          "%s", what);
	cr_expect(same_watched(a->early_stop.watch, b->early_stop.watch) &&
	              a->early_stop.patience == b->early_stop.patience, "%s: early_stop", what);
	cr_expect(a->checkpoint.given == b->checkpoint.given && a->checkpoint.keep == b->checkpoint.keep &&
	              same_period(a->checkpoint.every, b->checkpoint.every) &&
	              same_watched(a->checkpoint.best, b->checkpoint.best), "%s: checkpoint", what);
	cr_expect(same_period(a->gradients, b->gradients) && a->draw_gradients == b->draw_gradients, "%s", what);
	cr_assert(a->n_groups == b->n_groups);
	for (int i = 0; i < a->n_groups; i++)
		cr_expect(strcmp(a->groups[i].match, b->groups[i].match) == 0 &&
		              a->groups[i].lr_scale == b->groups[i].lr_scale &&
		              !a->groups[i].attrs == !b->groups[i].attrs, "%s: group %d", what, i);
}

static void expect_same_data(const struct data_spec *a, const struct data_spec *b, const char *what)
{
	const struct split *p[] = { &a->split_valid, &a->split_test }, *q[] = { &b->split_valid, &b->split_test };

	cr_expect(a->given == b->given && a->has_train == b->has_train && a->has_valid == b->has_valid &&
	              a->has_test == b->has_test && a->train.format == b->train.format &&
	              a->train.n_bindings == b->train.n_bindings && a->valid.format == b->valid.format &&
	              a->test.format == b->test.format && a->n_map == b->n_map && a->batch == b->batch &&
	              a->shuffle == b->shuffle && a->draw_random == b->draw_random, "%s", what);
	for (int k = 0; k < 2; k++)
		cr_expect(p[k]->given == q[k]->given && p[k]->fraction == q[k]->fraction &&
		              p[k]->of_test == q[k]->of_test && p[k]->tail == q[k]->tail, "%s", what);
	cr_assert(a->n_augment == b->n_augment);
	for (int i = 0; i < a->n_augment; i++)
		cr_expect(a->augment[i].kind == b->augment[i].kind && a->augment[i].pad == b->augment[i].pad &&
		              a->augment[i].p == b->augment[i].p, "%s", what);
}

static void expect_same(const ad_model *a, const ad_model *b, const char *what)
{
	cr_assert(a->n_rows == b->n_rows && a->n_weights == b->n_weights &&
	              a->n_metrics == b->n_metrics,
	          "%s: %d rows, %d weights; %d, %d", what, a->n_rows, a->n_weights, b->n_rows,
	          b->n_weights);
	for (int i = 0; i < a->n_rows; i++) {
		cr_expect_str_eq(a->rows[i].path, b->rows[i].path);
		cr_expect_str_eq(a->rows[i].shape, b->rows[i].shape);
		cr_expect_str_eq(a->rows[i].from, b->rows[i].from);
	}
	for (int i = 0; i < a->n_weights; i++)
		cr_expect_str_eq(a->weights[i].path, b->weights[i].path);
	cr_expect(a->f64 == b->f64 && a->bf16 == b->bf16, "%s", what);
	expect_same_data(&a->data, &b->data, what);
	expect_same_train(&a->train, &b->train, what);
	cr_expect(a->sweep.given == b->sweep.given && a->sweep.random == b->sweep.random &&
	              a->sweep.trials == b->sweep.trials && a->sweep.n_over == b->sweep.n_over &&
	              same_watched(a->sweep.goal, b->sweep.goal), "%s", what);
	cr_expect(a->draw.view == b->draw.view && a->draw.stat == b->draw.stat && a->draw.depth == b->draw.depth &&
	              a->draw.max_nodes == b->draw.max_nodes && !a->draw.direction == !b->draw.direction &&
	              memcmp(a->draw.thresholds, b->draw.thresholds, sizeof a->draw.thresholds) == 0,
	          "%s: draw", what);
}

/* Of every part of the file the least that can stand there. */
static const char sparse[] =
    "version: 1\ninputs: {x: [B, 3, 8, 8], y: {shape: [B], dtype: i32, role: target}}\nparams: {lr: 0.1}\n"
    "model:\n  - parallel: [relu, tanh]\n  - parallel: {branches: [relu, tanh], join: stack}\n  - mean: {axis: 0}\n"
    "  - flatten\n  - linear: {out: 3, bias: false}\n  - {linear: 2, as: h}\nloss: cross_entropy(h, y)\n"
    "defaults: {linear: {init: {weight: he, bias: ones}}}\n"
    "metrics: {acc: \"mean(argmax(h, axis=1) == y)\"}\n"
    "data: {train: {png: pictures}, valid: {split: 0.1}, test: {split: 0.2}, batch: 4,\n"
    "       augment: {x: [random_flip, {random_crop: 2}]}}\n"
    "train: {epochs: 2, optimizer: adam, early_stop: {watch: valid.acc}, checkpoint: {best: valid.acc},\n"
    "        gradients: {every: 3 steps}, groups: [{match: \"*.bias\", lr: 0.2}]}\n"
    "sweep: {over: {lr: [0.1, 0.2]}}\ndraw: {thresholds: {weak: 0.1}}\n";

/* As it is resolved and with its defaults, which written out once more are the same. */
Test(language, resolved_and_full_mean_the_same)
{
	glob_t files;

	cr_assert(glob("configs/*.yaml", 0, NULL, &files) == 0 && files.gl_pathc > 10);
	/* of the examples the last needs a plug-in */
	cr_assert(glob("tests/examples/[0-4]_*.yaml", GLOB_APPEND, NULL, &files) == 0 && files.gl_pathc > 15);
	cr_assert(glob(scratch_text("sparse.yaml", sparse), GLOB_APPEND, NULL, &files) == 0);
	for (size_t k = 0; k < files.gl_pathc; k++) {
		ad_model *m = ad_model_open(files.gl_pathv[k], 0, NULL);
		char *text = NULL, *one = resolved(m);
		size_t length = 0;
		FILE *to = open_memstream(&text, &length);

		cr_assert(ad_model_errors(m) == 0);
		cr_assert(model_full(m) != NULL);
		yaml_write(model_full(m), to);
		fclose(to);
		ad_model *again = ad_model_open(scratch_text("one.yaml", one), 0, NULL);
		ad_model *full = ad_model_open(scratch_text("full.yaml", text), 0, NULL);
		char *about = messages_of(full);
		cr_assert(ad_model_errors(full) == 0, "%s:\n%s", files.gl_pathv[k], about);
		expect_same(m, again, files.gl_pathv[k]);
		expect_same(m, full, files.gl_pathv[k]);
		free(about);
		char *twice = NULL;
		to = open_memstream(&twice, &length);
		yaml_write(model_full(full), to);
		fclose(to);
		cr_expect_str_eq(twice, text);
		free(twice);
		free(one);
		free(text);
		ad_model_close(again);
		ad_model_close(full);
		ad_model_close(m);
	}
	globfree(&files);
}

Test(language, full_writes_out_defaults)
{
	ad_model *m =
	    open_text("version: 1\nparams: {p: 0.5}\ninputs: {x: [B, 4]}\n"
	              "defaults: {linear: {bias: false}}\n"
	              "defs: {b: {params: {n: int, act: op = relu}, body: [{linear: n}, act]}}\n"
	              "model:\n  - b: 3\n  - dropout\n  - {softmax: 1, as: s}\n"
	              "  - concat: [prev, s]\n  - residual: [relu]\n"
	              "train: {steps: 3, optimizer: {sgd: 0.1}}\n");
	static const char *const lines[] = {
		"          bias: false\n", "          out: n\n",
		"      act: relu\n",       "      n: 3\n",
		"      axis: 1\n",         "  precision: f32\n",
		"      lr: 0.1\n",         "    role: input\n",
		"  max_nodes: 300\n",      "    weak: 1/30\n",
	};
	char *text = NULL, place[64];
	size_t length = 0;
	FILE *to = open_memstream(&text, &length);

	yaml_write(model_full(m), to);
	fclose(to);
	for (size_t k = 0; k < sizeof lines / sizeof *lines; k++)
		cr_expect(strstr(text, lines[k]) != NULL, "no %s in\n%s", lines[k], text);
	free(text);
	const struct yaml *train = yaml_get(model_full(m), "train");
	cr_expect_str_eq(model_place(m, yaml_get(train, "precision")->at, place, sizeof place),
	                 "default");
	ad_model_close(m);
}

/* ---- hostile files --------------------------------------------------------------------------- */

/* Says one of the limits, in less than a second of processor time. */
static void expect_limit(const char *text, const char *what)
{
	clock_t start = clock();
	char *out = said(text);
	double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;

	cr_expect(strstr(out, what) != NULL, "%.2000s\nnot %s", out, what);
#ifdef __SANITIZE_ADDRESS__
	seconds = 0; /* not the time that counts */
#endif
	cr_expect(seconds < 1, "%s: %g s", what, seconds);
	free(out);
}

Test(language, hostile_files_end)
{
	static const char head[] = "version: 1\ninputs: {x: [B, 4]}\n";
	char *text = malloc(1 << 20), *s;

	snprintf(text, 1 << 20,
	         "%sdefs: {a: {inputs: {x: [B, D]}, body: {y: a(x) + a(x)}}}\nmodel: [{a: }]\n",
	         head);
	expect_limit(text, "error[E017]: block 'a' is used inside itself more than 32 deep");
	/* each block twice the one before */
	s = text + sprintf(text, "%sdefs:\n  a0: {body: [relu]}\n", head);
	for (int i = 1; i < 40; i++)
		s += sprintf(s, "  a%d: {body: [{a%d: }, {a%d: }]}\n", i, i - 1, i - 1);
	strcpy(s, "model: [{a39: }]\n");
	expect_limit(text, "error[E017]:");
	/* a block that is in itself, below 27 chains */
	s = text + sprintf(text, "%sdefs:\n  n: {body: [", head);
	for (int i = 0; i < 27; i++)
		s = stpcpy(s, "{chain: [");
	s = stpcpy(s, "{n: }");
	for (int i = 0; i < 27; i++)
		s = stpcpy(s, "]}");
	strcpy(s, "]}\nmodel: [{n: }]\n");
	expect_limit(text, "lie more than 500 deep inside each other");
	/* many lists of many numbers */
	s = text + sprintf(text, "%smodel: [relu]\nparams:\n", head);
	for (int i = 0; i < 3000; i++)
		s += sprintf(s, "  r%d: range(100000)\n", i);
	expect_limit(text, "error[E017]:");
	/* thousands of mistakes, each near to thousands of names */
	s = text + sprintf(text, "%smodel:\n", head);
	for (int i = 0; i < 20000; i++)
		s += sprintf(s, "  name%d: nmae%d + 1\n", i, i);
	expect_limit(text, "nothing is named 'nmae19' here");
	/* names that grow with every block */
	s = text + sprintf(text,
	                   "%sdefs:\n  a: {params: {s: str}, body: [{a: {s: s}}, {a: {s: s}}]}\n"
	                   "model: [{a: {s: ",
	                   head);
	memset(s, 'x', 60000);
	strcpy(s + 60000, "}}]\n");
	expect_limit(text, "error[E017]:");
	snprintf(text, 1 << 20, "%smodel: [{linear: 4, repeat: 99999}]\n", head);
	expect_limit(text, "more than 100000 items and operations");
	free(text);
}

/* A keyword or the name of a block among the arguments is no equation of that name; and who shares weights
 * comes after who owns them, in whatever order they stand. */
Test(language, equations_called_like_words)
{
	ad_model *m = open_text("version: 1\ninputs: {x: [B, 3, 8, 8]}\n"
	                        "defs: {f: {params: {act: op}, body: [{linear: 24, as: l}, act]}}\n"
	                        "model:\n"
	                        "  tanh: {f: {act: tanh}, from: same}\n"
	                        "  same: {conv2d: {out: 3, kernel: 3, padding: same}, from: x}\n"
	                        "  zeros: {lstm: {hidden: 3, outputs: last}, from: q}\n"
	                        "  q: reshape(same, [-1, 8, 24])\n"
	                        "  f: {ode: {field: {f: {act: tanh}}, steps: 1}, from: q, share: g}\n"
	                        "  g: {ode: {field: {f: {act: tanh}}, steps: 1}, from: q}\n"
	                        "  b: {linear: 24, share: o.l, from: q}\n"
	                        "  c: {linear: {out: 24, bias: false}, share: {weight: o.l.weight}, from: q}\n"
	                        "  o: {f: {act: relu}, from: q}\n"
	                        "  last: sum(zeros) + sum(b) + sum(c) + sum(o) + sum(f) + sum(g)\noutput: last\n");

	cr_expect_eq(m->n_weights, 2 + 2 + 4 + 2 + 2, "%d", m->n_weights);
	ad_model_close(m);
	cr_expect_eq(value_of("version: 1\ninputs: {x: 3}\nmodel:\n  none: mse_loss(x, 1, reduction=none)\n"), 4);
	expect_said("version: 1\ninputs: {x: [B, 4]}\nmodel:\n  a: {linear: 4, from: x, share: c}\n"
	            "  c: {linear: 4, from: a}\n",
	            "help: of items that share weights the first one owns them: put 'share' on the others");
}

/* Copies share with copies, number by number. */
Test(language, share_of_repeated_items)
{
	ad_model *m = open_text("version: 1\ninputs: {x: [B, 4]}\ndefs: {enc: {body: [{linear: 4, as: l}]}}\n"
	                        "model:\n  - {enc: , repeat: 2, as: a}\n  - {enc: , repeat: 2, share: a, as: b}\n"
	                        "  - {linear: 4, each: {k: [1, 2]}, as: c}\n  - {linear: 4, repeat: 2, share: c, as: d}\n");

	cr_expect_eq(m->n_weights, 8, "%d", m->n_weights);
	cr_expect_str_eq(m->weights[2].path, "a[1].l.weight");
	struct instance *in = record(m, 1);
	const double one[] = { 1, 2, 3, 4 };

	/* multiples of the identity, by 2 and 3 in the second copies, each of which is met twice */
	for (int k = 0; k < m->n_weights; k++) {
		double factor = strcmp(m->weights[k].path, "c[1].weight") == 0 ? 3 : k == 2 ? 2 : 1, eye[16] = { 0 };

		for (int i = 0; i < 4; i++)
			eye[5 * i] = factor;
		if (ad_count(m->weights[k].node) == 16)
			cr_assert_eq(ad_set(m->weights[k].node, eye, 16), AD_OK);
	}
	cr_assert_eq(ad_set(in->inputs[0], one, 4), AD_OK);
	cr_assert_eq(ad_evaluate(m->graph, &in->output, 1), AD_OK, "%s", ad_errmsg(m->graph));
	cr_expect_eq(ad_at(in->output, 3), 4 * 2 * 2 * 3 * 3, "%g", ad_at(in->output, 3));
	ad_model_close(m);
}

/* Of copies with `from` the first reads that, the others the one before; a list is all inputs where nothing
 * stands before. */
Test(language, from_of_copies_and_lists_of_tensors)
{
	cr_expect_eq(value_of("version: 1\ninputs: {x: 2}\nmodel: {a: {add: 3, repeat: 3, from: x}}\n"), 2 + 3 * 3);
	cr_expect_eq(value_of("version: 1\ninputs: {x: 2}\nmodel:\n  - {mul: k, each: {k: [3, 5]}, from: x}\n"), 30);
	cr_expect_eq(value_of("version: 1\ninputs: {x: 2}\nmodel:\n  - {add: 1}\n"
	                      "  - {add: x, from: prev * 2, repeat: 2}\n"), ((2 + 1) * 2 + 2) * 2 + 2);
	cr_expect_eq(value_of("version: 1\ninputs: {x: 2, y: 5}\n"
	                      "defs: {b: {inputs: {u: [], v: []}, body: {o: u * 2 - v}}}\n"
	                      "model: {a: {b: , from: [x, y], repeat: 2}}\n"), (2 * 2 - 5) * 2 - 5);
	cr_expect_eq(value_of("version: 1\ninputs: {x: 2, y: 5}\nmodel: {a: {sub: [x, y]}}\n"), -3);
	cr_expect_eq(value_of("version: 1\ninputs: {x: 2, y: 5}\nmodel: [{sub: [x, y]}, {mul: x}]\n"), -6);
}

/* The first of the copies reads `from`, also where a condition leaves out the first number. */
Test(language, from_of_copies_that_are_left_out)
{
	cr_expect_eq(value_of("version: 1\ninputs: {x: 2}\nmodel:\n  - {add: 10}\n"
	                      "  - {add: 3, repeat: {j: 4}, when: j % 2, from: x * 5}\n"), 2 * 5 + 3 + 3);
	cr_expect_eq(value_of("version: 1\ninputs: {x: 2}\nmodel:\n"
	                      "  - {add: 3, each: {on: [false, true]}, when: on, from: x * 5}\n"), 2 * 5 + 3);
}

/* Two free dims as one axis are free, too: no limit on steps holds in the check. */
Test(language, steps_along_a_product_of_free_dims)
{
	expect_clean("version: 1\ninputs: {x: [B, H, W, 8]}\ndefs:\n  cell:\n"
	             "    inputs: {x: [B, 8], h: [B, 8]}\n    body: {new: tanh(x + h)}\n"
	             "    outputs: {y: new, h: new}\nmodel:\n  - reshape: [B, H*W, 8]\n"
	             "  - scan: {cell: cell, axis: 1, state: {h: zeros}}\n  - lstm: 4\n");
}

/* Defaults may depend on sizes of the data as arguments of items may. */
Test(language, defaults_by_free_dims)
{
	expect_clean("version: 1\ninputs: {x: [B, T, 4]}\n"
	             "defaults: {dropout: {p: 1/T}, reshape: {shape: [B, T*4]}, clamp: {min: 0, max: T}}\n"
	             "model: [dropout, reshape, clamp]\n");
	expect_said("version: 1\ninputs: {x: [B, T, 4]}\ndefaults: {linear: {init: {normal: 1/T}}}\nmodel: [linear: 3]\n",
	            "'std' wants a value that is known before the data; 'T' is a free dim");
}

/* A default that is called like a type elsewhere stands in quotes. */
Test(language, words_as_defaults)
{
	ad_model_close(open_text("version: 1\ninputs: {x: [B, 4]}\ndefs:\n  b: {params: {norm: \"layer\", how: str = list}, body: [relu]}\n"
	                         "model: [b]\n"));
	expect_said("version: 1\ninputs: {x: [B, 4]}\ndefs: {b: {params: {norm: layer}, body: [relu]}}\nmodel: [b]\n",
	            "a word as the default stands in quotes");
	expect_said("version: 1\ninputs: {x: [B, 4]}\nmodel: [{relu: , from: x \u2264 3}]\n",
	            "at most is written '<='");
}

/* Words of other languages are names here. */
Test(language, names_like_words_of_logic)
{
	cr_expect_eq(value_of("version: 1\ninputs: {x: 1, y: 0}\nmodel:\n  and: x * y\n  or: max(x, y)\n"
	                      "  not: 1 - y\n  out: not * 3 + or * 2 - (not - and)\noutput: out\n"), 4);
}

/* Of halves of a free dim it is not said how they were rounded, which one size does not tell. */
Test(language, parts_of_free_dims)
{
	const char *const text = "version: 1\ninputs: {x: [B, 1, H, W]}\nmodel:\n"
	                         "  - conv2d: {out: 4, kernel: 3, stride: 2, padding: same}\n"
	                         "  - {max_pool2d: 2}\n  - {relu: , shape: [B, 4, 3, 3]}\n";

	expect_said(text, "[B, 4, about H/4, about W/4]");
}

/* A list of tensors is all that an item reads, where the op takes any number or the item before would be one too
 * many; a shorter one comes behind it. */
Test(language, lists_of_tensors)
{
	static const struct {
		const char *item, *shape;
	} cases[] = {
		{ "concat: [a, b]", "[B, 6]" },       { "concat: [prev, a]", "[B, 6]" }, { "concat: a", "[B, 6]" },
		{ "concat: [a, b, prev]", "[B, 9]" }, { "stack: [a, b]", "[2, B, 3]" },  { "lerp: [a, b, 0.5]", "[B, 3]" },
		{ "lerp: [a, 0.5]", "[B, 3]" },       { "sub: [a, b]", "[B, 3]" },       { "sub: a", "[B, 3]" },
		{ "matmul: [a, w]", "[B, 2]" },       { "matmul: w", "[B, 2]" },         { "where: [a > b, prev, b]", "[B, 3]" },
		{ "reshape: [B, 3, 1]", "[B, 3, 1]" }, { "permute: [1, 0]", "[3, B]" },
	};

	for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
		char text[512];
		ad_model *m;

		snprintf(text, sizeof text,
		         "version: 1\ninputs: {x: [B, 3]}\nweights: {w: {shape: [3, 2]}}\n"
		         "model: [{linear: 3, as: a}, {linear: 3, as: b}, {%s, as: y}]\n", cases[k].item);
		m = open_text(text);
		cr_expect_str_eq(m->rows[m->n_rows - 1].shape, cases[k].shape, "%s", cases[k].item);
		ad_model_close(m);
	}
	expect_said("version: 1\ninputs: {x: [B, 3]}\nmodel: [{linear: 3, as: a}, {linear: 3, as: b}, relu, {concat: [a, b]}]\n",
	            "item 'relu' (line 3) feeds nothing");
}
