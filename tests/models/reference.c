/*
 * reference: the sentences of the language's reference, one after the other, each with files that show it. What needs
 * several files, data or a command has tests of its own beside these: language.c, errors.c, data.c, regime.c, train.c,
 * tests/tools.
 */
#include "model.h"
#include "said.h"
#include "scratch.h"

#include <math.h>
#include <time.h>

TestSuite(reference, .init = scratch_open, .fini = scratch_close);

enum expectation {
	CLEAN,   /* no error, no warning */
	SAYS,    /* a message has this text */
	LACKS,   /* there are messages, and none has this text */
	VALUES,  /* the output is these numbers */
	WEIGHTS, /* the weights with their shapes: "linear.weight[4, 3] linear.bias[4]" */
	SHAPES   /* the items with the shapes of their results: "linear[B, 4] relu[B, 4]" */
};

struct sentence {
	const char *quoted, *yaml;
	enum expectation what;
	const char *text;
};

static void list_weights(const ad_model *m, char *text, size_t n)
{
	size_t used = 0;

	text[0] = '\0';
	for (int k = 0; k < m->n_weights; k++) {
		ad_shape shape = ad_shape_of(m->weights[k].node);

		used += (size_t)snprintf(text + used, n - used, "%s%s[", k ? " " : "", m->weights[k].path);
		for (int i = 0; i < shape.rank; i++)
			used += (size_t)snprintf(text + used, n - used, "%s%lld", i ? ", " : "", (long long)shape.dims[i]);
		used += (size_t)snprintf(text + used, n - used, "]");
	}
}

static void list_shapes(const ad_model *m, char *text, size_t n)
{
	size_t used = 0;

	text[0] = '\0';
	for (int k = 0; k < m->n_rows; k++)
		used += (size_t)snprintf(text + used, n - used, "%s%s%s", k ? " " : "", m->rows[k].path,
		                         m->rows[k].shape);
}

static void list_values(ad_model *m, char *text, size_t n)
{
	ad_node *y = ad_model_run(m, 0, NULL);
	size_t used = 0;

	snprintf(text, n, "%s", y ? "" : ad_errmsg(ad_model_graph(m)));
	for (size_t k = 0; y && k < ad_count(y); k++)
		used += (size_t)snprintf(text + used, n - used, "%s%.10g", k ? " " : "", ad_at(y, k));
}

static void check(const struct sentence *s)
{
	char whole[4096], text[2048] = "", *said;
	ad_model *m;

	snprintf(whole, sizeof whole, "%s%s", strncmp(s->yaml, "!", 1) ? "version: 1\n" : "",
	         s->yaml + (*s->yaml == '!'));
	m = ad_model_open(scratch_text("m.yaml", whole), 0, NULL);
	said = messages_of(m);
	if (s->what == CLEAN) {
		cr_expect_str_eq(said, "", "%s\n%s%s", s->quoted, whole, said);
	} else if (s->what == SAYS) {
		cr_expect(strstr(said, s->text), "%s\n%s%snot: %s", s->quoted, whole, said, s->text);
	} else if (s->what == LACKS) {
		cr_expect(*said && !strstr(said, s->text), "%s\n%s%s", s->quoted, whole, said);
	} else if (ad_model_errors(m) > 0) {
		cr_expect(false, "%s\n%s%s", s->quoted, whole, said);
	} else {
		(s->what == VALUES ? list_values(m, text, sizeof text)
		 : s->what == WEIGHTS ? list_weights(m, text, sizeof text)
		                      : list_shapes(m, text, sizeof text));
		cr_expect_str_eq(text, s->text, "%s\n%s%s\nnot %s", s->quoted, whole, text, s->text);
	}
	free(said);
	ad_model_close(m);
}

static void check_all(const struct sentence s[], size_t n)
{
	for (size_t k = 0; k < n; k++)
		check(&s[k]);
}

#define CHECK(list) check_all(list, sizeof list / sizeof *list)
#define X4 "inputs: {x: [B, 4]}\n"
/* A param of type str, handed on to a field of words. */
#define WORD(word)                                                                                                 \
	"inputs: {x: [B, 1, 2, 2]}\ndefs: {b: {params: {m: str}, body: [{upsample: {scale: 2, mode: m}}]}}\n"         \
	"model: [{b: " word "}]\n"

/* ---- principles --------------------------------------------------------------------------------- */

static const struct sentence principles[] = {
	{ "one file holds parameters, graph, data, training, sweep and drawing",
	  "name: all\nparams: {lr: 0.1}\ninputs: {x: [B, 1], y: {shape: [B, 1], role: target}}\n"
	  "model: [{linear: 1, as: h}]\noutput: h\nloss: mse_loss(h, y)\nmetrics: {size: mean(abs(h))}\n"
	  "data: {train: {table: {columns: [x, y], rows: [[1, 2]]}}}\n"
	  "train: {steps: 1, optimizer: {sgd: {lr: lr}}}\nsweep: {over: {lr: [0.1, 0.2]}}\ndraw: {depth: 1}\n", CLEAN, NULL },
	{ "only version and model are required", "model: {y: 2 + 3}\n", VALUES, "5" },
	{ "only version and model are required", "!model: {y: 2 + 3}\n", SAYS, "the file needs 'version'" },
	{ "only version and model are required", X4, SAYS, "the file needs 'model'" },
	{ "a list is a chain, each item eats the one before", "inputs: {x: 3}\nmodel: [{mul: 2}, {add: 1}, neg]\n", VALUES,
	  "-7" },
	{ "a mapping is a set of equations, order free", "inputs: {x: 3}\nmodel: {z: y + 1, y: 2*x}\noutput: z\n", VALUES, "7" },
	{ "a mapping is a set of equations, the last is the output", "inputs: {x: 3}\nmodel: {z: y + 1, y: 2*x}\n", VALUES, "6" },
	{ "no cycles", "model: {a: b, b: a}\n", SAYS, "'a' needs itself: a -> b -> a" },
	{ "either may stand in a block's body",
	  "inputs: {x: 3}\ndefs: {l: {body: [{mul: 2}]}, e: {inputs: {v: [], w: 1}, body: {a: v + w}}}\nmodel: [l, e]\n", VALUES,
	  "7" },
	{ "an item is an op name, or a mapping with exactly one op key", X4 "model: [{relu: , tanh: }]\n", SAYS,
	  "an item has one op; this one has 'relu' and 'tanh'" },
	{ "an item is an op name, or a mapping with exactly one op key", X4 "model: [{as: h}]\n", SAYS, "an item needs an op" },
	{ "plus reserved words",
	  X4 "model:\n  - {linear: 4, as: a, from: x, repeat: 2, freeze: true, lr_scale: 0.5, init: zeros, shape: [B, 4], note: n}\n"
	     "  - {linear: 4, share: b, when: 1 < 0}\n  - {linear: c, each: {c: [2, 3]}}\n", WEIGHTS,
	  "a[0].weight[4, 4] a[0].bias[4] a[1].weight[4, 4] a[1].bias[4] linear_2[0].weight[2, 4] linear_2[0].bias[2] "
	  "linear_2[1].weight[3, 2] linear_2[1].bias[3]" },
	{ "plus reserved words", X4 "model: [{relu: , az: h}]\n", SAYS, "unknown key 'az' in an item" },
	{ "linear: 128 is short for linear: {out: 128}", X4 "model: [{linear: 3}, {linear: {out: 3}}]\n", WEIGHTS,
	  "linear.weight[3, 4] linear.bias[3] linear_2.weight[3, 3] linear_2.bias[3]" },
	{ "at most one primary argument", X4 "model: [{linear: [3, false]}]\n", SAYS, "'out' wants a whole number, not a list" },
	{ "at most one primary argument", "inputs: {x: [B, 3, 8, 8]}\nmodel: [{conv2d: 3}]\n", SAYS, "'conv2d' needs 'kernel'" },
	{ "where a number is expected, a string is an expression: names", "params: {n: 3}\n" X4 "model: [{linear: 2*n - 1}]\n",
	  WEIGHTS, "linear.weight[5, 4] linear.bias[5]" },
	{ "where a truth value is expected", "params: {n: 3}\ninputs: {x: 3}\nmodel: [{neg: , when: n == 3}, {add: 1, when: n > 3}]\n",
	  VALUES, "-3" },
	{ "where a tensor is expected", "inputs: {x: 3}\nmodel: [{add: 2*x + 1, from: x - 1}]\n", VALUES, "9" },
	{ "dims are names", "inputs: {x: [B, 3, 4]}\ndefs: {b: {inputs: {v: [B, S, D]}, body: [{linear: S*D}]}}\nmodel: [b]\n", WEIGHTS,
	  "b.linear.weight[12, 4] b.linear.bias[12]" },
	{ "+ - * / // % **", "model: {y: 1 + 2*3 - 8/4 + 7//2 - 7%4 + 2**3}\n", VALUES, "13" },
	{ "@", "weights: {W: {shape: [2, 2], init: ones}}\nmodel: {y: W @ W}\n", VALUES, "2 2 2 2" },
	{ "comparison", "weights: {x: {shape: [3], init: {values: [2, 3, 4]}}}\n"
	  "model: {y: (x > 3) + 2*(x >= 3) + 4*(x < 3) + 8*(x <= 3) + 16*(x == 3) + 32*(x != 3)}\n", VALUES, "44 26 35" },
	{ "comparison", "params: {a: 3, b: 3.5}\n"
	  "model: {y: (a > 3) + 2*(a >= 3) + 4*(a < 3) + 8*(a <= 3) + 16*(b == 3) + 32*(b != 3) + 64*(b > 3) + 128*(b <= 3)}\n", VALUES,
	  "106" },
	{ "indexing", "weights: {W: {shape: [2, 3], init: ones}}\nmodel: {y: '(W * 5)[0, 1:]'}\n", VALUES, "5 5" },
	{ "function calls", "inputs: {x: 0}\nmodel: {y: 'exp(x) + max(x, 4)'}\n", VALUES, "5" },
	{ "no ${}", "params: {n: 3}\n" X4 "model: [{linear: '${n}'}]\n", SAYS, "'${' is for paths only" },
	{ "no marker", X4 "model: [{linear: '=3'}]\n", SAYS, "a value is due here" },
	{ "no marker", "params: {n: 3}\n" X4 "model: [{linear: $n}]\n", SAYS, "a value is due here" },
	{ "no eval", "inputs: {x: 3}\nmodel: {y: eval(x)}\n", SAYS, "no op or block named 'eval'" },
	{ "integers exact: 7/2 where an integer is due is an error", X4 "model: [{linear: 7/2}]\n", SAYS,
	  "7/2 is not a whole number" },
	{ "7//2 is 3", X4 "model: [{linear: 7//2}]\n", WEIGHTS, "linear.weight[3, 4] linear.bias[3]" },
	{ "string-valued fields are never expressions", "name: x-1\n" X4 "model: [{relu: , note: '1 + ('}]\n", CLEAN, NULL },
	{ "${name} is allowed only inside paths", "params: {n: 3}\n" X4 "model: [{relu: , as: 'a${n}'}]\n", SAYS,
	  "'a${n}' cannot be the name of a result" },
	{ "${name} is allowed only inside paths", "params: {dir: a}\ninclude: ['${dir}/c.yaml']\nmodel: {y: 1}\n", SAYS,
	  "help: files are put together before params have values: write the path out\n" },
	{ "${name} is allowed only inside paths", "params: {kind: bytes}\ninputs: {x: {shape: [B, 3], dtype: i32}}\n"
	  "model: [{embed: {vocab: 3, dim: 2}}]\ndata: {train: {format: text, file: a.txt, tokens: '${kind}', x: x}}\n", SAYS,
	  "'tokens' is one of: chars words bytes; not '${kind}'" },
	{ "as names a result, prev is the item before",
	  "inputs: {x: 3}\nmodel: [{mul: 2, as: h}, {add: 1}, {mul: prev}, {sub: h}]\n", VALUES, "43" },
	{ "block[2].attn is not for wiring",
	  X4 "model: [{chain: [{relu: , as: a}], repeat: 2, as: b}, {tanh: , from: 'b[1].a'}]\n", SAYS, "error[E021]" },
	{ "a name is a param or a free dim, bound by first use", "params: {d: 4}\ninputs: {x: [B, d], y: [B, T]}\n"
	  "model: [{concat: y, from: x, shape: [B, d]}]\n", SAYS, "the shape is [B, T + 4], not [B, 4]" },
	{ "a name is a param or a free dim, bound by first use", "inputs: {x: [B, T], y: [T, B]}\nmodel: {a: x @ y}\n", SHAPES,
	  "a[B, B]" },
	{ "a name is a param or a free dim, bound by first use", "inputs: {x: [B, T], y: [B, T]}\nmodel: {a: x @ y}\n", SAYS,
	  "[B, T] @ [B, T]: T is not B" },
	{ "shape: on an item asserts", X4 "model: [{linear: 3, shape: [B, 4]}]\n", SAYS, "the shape is [B, 3], not [B, 4]" },
	{ "everything is checked before any data is read",
	  X4 "model: [{matmul: x}]\ndata: {train: {format: csv, file: there-is-none.csv, x: 0..3}}\n", LACKS, "there-is-none" },
	{ "unknown key", "modle: []\nmodel: {y: 1}\n", SAYS, "unknown key 'modle' in the file" },
	{ "unknown key", X4 "model: [{linear: 3, init: {wieght: he, bias: ones}}]\n", SAYS,
	  "m.yaml:3:28: error[E002]: 'linear' has no weight 'wieght'" },
	{ "unknown key", X4 "model: [{linear: 3, init: {nromal: 1}}]\n", SAYS,
	  "'linear' has no weight 'nromal', and no initialisation is called so" },
	{ "unknown key", "inputs: {x: [B, 2, 4]}\nmodel: [{lstm: 3, init: {weight: ones}}]\n", SAYS,
	  "'lstm' has no weight 'weight', and no initialisation is called so" },
	{ "unknown key", "inputs: {x: [B, 2, 4]}\nmodel: [{lstm: 3, init: {weight_ih_l0: ones}}, {linear: 3, "
	  "init: {weight: he, bias: ones}}]\n", CLEAN, NULL },
	{ "duplicate key", "name: a\nname: b\nmodel: {y: 1}\n", SAYS, "m.yaml:3:1: error[E005]: key 'name' appears twice" },
	{ "unused param (warning)", "params: {p: 1}\nmodel: {y: 1 + 1}\n", SAYS, "warning: params.p is never used" },
	{ "unreachable item (warning)", X4 "model: [{relu: , from: x, as: lost}, {tanh: , from: x}]\n", SAYS,
	  "warning: item 'lost' (line 3) feeds nothing" },
	{ "wrong type", X4 "model: [{linear: {out: 3, bias: 7}}]\n", SAYS, "m.yaml:3:33: error[E004]: 'bias' wants true or false" },
	{ "all at once, by line", "params: {a: 1}\n" X4 "model:\n  - reluu\n  - {linear: }\n  - {linear: {out: 3, bais: 1}}\nlos: 3\n",
	  SAYS, "m.yaml:8:1: error[E001]" },
	{ "YAML 1.2 core scalars", X4 "model: [{linear: {out: 3, bias: no}}]\n", SAYS, "'no' is neither of them" },
	{ "YAML 1.2 core scalars", X4 "model: [{linear: {out: 3, bias: on}}]\n", SAYS, "'on' is neither of them" },
	{ "YAML 1.2 core scalars: true", X4 "model: [{linear: {out: 3, bias: false}}, {linear: {out: 3, bias: False}}]\n", WEIGHTS,
	  "linear.weight[3, 4] linear_2.weight[3, 3]" },
	{ "YAML 1.2 core scalars: true", X4 "defaults: {linear: {bias: false}}\nmodel: [{linear: {out: 3, bias: true}}, {linear: {out: 3, bias: "
	  "TRUE}}]\n", WEIGHTS, "linear.weight[3, 4] linear.bias[3] linear_2.weight[3, 3] linear_2.bias[3]" },
	{ "floats with or without a point", "inputs: {a: 1e3, b: .5, c: 5., d: -2.5E-1}\nmodel: {y: a + b + c + d}\n", VALUES,
	  "1005.25" },
	/* in quotes it is a string, which a param keeps */
	{ "YAML 1.2 core scalars", "params: {n: '3'}\n" X4 "model: [{linear: n}]\n", SAYS, "'out' wants a whole number, not the word '3'" },
	{ "null, ~", X4 "model: [{flatten: ~}, {flatten: null}, {flatten: }]\n", SHAPES, "flatten[B, 4] flatten_2[B, 4] flatten_3[B, 4]" },
	{ "no, on, off are strings", WORD("no"), SAYS, "'mode' is one of: nearest linear bilinear bicubic; not 'no'" },
	{ "no, on, off are strings", WORD("on"), SAYS, "'mode' is one of: nearest linear bilinear bicubic; not 'on'" },
	{ "no, on, off are strings", WORD("off"), SAYS, "'mode' is one of: nearest linear bilinear bicubic; not 'off'" },
	{ "blocks close over the file's params and their own",
	  "params: {n: 3}\ndefs: {b: {params: {k: 2}, body: [{linear: n*k}]}}\n" X4 "model: [b]\n", WEIGHTS,
	  "b.linear.weight[6, 4] b.linear.bias[6]" },
	{ "no tags", X4 "model: !!seq [relu]\n", SAYS, "tags such as !!seq are not read" },
	{ "anchors and aliases are allowed", X4 "model: [&l {linear: 3}, *l]\n", WEIGHTS,
	  "linear.weight[3, 4] linear.bias[3] linear_2.weight[3, 3] linear_2.bias[3]" },
	{ "keys starting with x- are ignored", "x-common: [1, {a: reluu}]\n" X4 "model: [relu]\n", CLEAN, NULL },
	{ "a place for anchors", "x-wide: &wide {out: 3, bias: false}\n" X4 "model: [{linear: *wide}, {linear: *wide}]\n", WEIGHTS,
	  "linear.weight[3, 4] linear_2.weight[3, 3]" },
	{ "at top level alone", X4 "model: [relu]\ndraw: {x-note: 1}\n", SAYS, "unknown key 'x-note' in 'draw'" },
};

Test(reference, principles) { CHECK(principles); }

/* ---- rules in brief ----------------------------------------------------------------------------- */

#define DEF(params, body) X4 "defs: {b: {params: {" params "}, body: [" body "]}}\n"

static const struct sentence rules[] = {
	{ "int = required", DEF("n: int", "{linear: n}") "model: [b]\n", SAYS, "block 'b' needs 'n' (int)" },
	{ "int", DEF("n: int", "{linear: n}") "model: [{b: 2.5}]\n", SAYS, "2.5 is not a whole number" },
	{ "float", DEF("p: float", "{dropout: p}") "model: [{b: 1/4}]\n", CLEAN, NULL },
	{ "bool", DEF("on: bool", "{linear: {out: 2, bias: on}}") "model: [{b: false}]\n", WEIGHTS, "b.linear.weight[2, 4]" },
	{ "str", DEF("m: str", "{reshape: [-1, 1, 2, 2]}, {upsample: {scale: 2, mode: m}}") "model: [{b: bilinear}]\n", SHAPES,
	  "b[B, 1, 4, 4] b.reshape[B, 1, 2, 2] b.upsample[B, 1, 4, 4]" },
	{ "str", DEF("m: str", "{upsample: {scale: 2, mode: m}}") "model: {y: 'b(x, m=3)'}\n", SAYS, "'m' wants a word, not 3" },
	{ "op", DEF("act: op", "act") "model: [{b: tanh}]\n", SHAPES, "b[B, 4] b.tanh[B, 4]" },
	{ "block", "defs: {c: {body: [{linear: 2}]}, b: {params: {k: block}, body: [k]}}\n" X4 "model: [{b: c}]\n", WEIGHTS,
	  "b.c.linear.weight[2, 4] b.c.linear.bias[2]" },
	{ "shape", "defs: {b: {params: {s: shape}, inputs: {v: [B, D]}, weights: {W: {shape: s}}, body: {y: v @ W}}}\n" X4
	  "model: [{b: {s: [4, 3]}}]\n", WEIGHTS, "b.W[4, 3]" },
	{ "shape", DEF("s: shape", "{reshape: s}") "model: [{b: {s: [-1, 2]}}]\n", SAYS, "'s' must be 1 or more, not -1" },
	{ "a literal = default", DEF("n: 3", "{linear: n}") "model: [b]\n", WEIGHTS, "b.linear.weight[3, 4] b.linear.bias[3]" },
	{ "int = 4 = both", DEF("n: int = 3", "{linear: n}") "model: [b, {b: 2.5}]\n", SAYS, "2.5 is not a whole number" },
	{ "int = 4 = both", DEF("n: int = 3", "{linear: n}") "model: [b]\n", WEIGHTS, "b.linear.weight[3, 4] b.linear.bias[3]" },
	{ "repeat: n makes n copies with separate weights, counter i", X4 "model: [{linear: 4 + i, repeat: 2}]\n", WEIGHTS,
	  "linear[0].weight[4, 4] linear[0].bias[4] linear[1].weight[5, 4] linear[1].bias[5]" },
	{ "repeat: {j: n} names it", X4 "model: [{linear: 4 + j, repeat: {j: 2}}]\n", SHAPES, "linear[0][B, 4] linear[1][B, 5]" },
	{ "each zips lists", X4 "model: [{linear: c*s, each: {c: [4, 5], s: [1, 2]}, as: stage}]\n", SHAPES,
	  "stage[0][B, 4] stage[1][B, 10]" },
	{ "each zips lists", X4 "model: [{linear: c*s, each: {c: [4, 5], s: [1]}}]\n", SAYS, "'c' has 2 and 's' has 1" },
	{ "residual is x + f(x)", "inputs: {x: 3}\nmodel: [{residual: [{mul: 4}]}]\n", VALUES, "15" },
	{ "otherwise a shape change is an error", X4 "model: [{residual: [{linear: 3}]}]\n", SAYS, "x is [B, 4] but f(x) is [B, 3]" },
	{ "with skip: auto a projection is added where shapes differ",
	  X4 "model: [{residual: {body: [{linear: 3}], skip: auto}}, {residual: {body: [{linear: 3}], skip: auto}}]\n", WEIGHTS,
	  "linear.weight[3, 4] linear.bias[3] skip.weight[3, 4] linear_2.weight[3, 3] linear_2.bias[3]" },
	{ "parallel", "inputs: {x: [B, 2, 3]}\nmodel: [{parallel: {branches: {a: [relu], b: [{conv1d: {out: 4, kernel: 1}}]}, join: concat, "
	  "axis: 1}}]\n", SHAPES, "parallel.a.relu[B, 2, 3] parallel.b.conv1d[B, 4, 3] parallel[B, 6, 3]" },
	{ "scan unrolls a block with state",
	  "defs: {c: {inputs: {x: [B, D], h: [B, D]}, body: {g: x + 2*h}, outputs: {y: g, h: g}}}\n"
	  "weights: {W: {shape: [1, 4, 1], init: ones}}\nmodel: [{scan: {cell: c, axis: 1, state: {h: zeros}}, from: W}]\n", VALUES,
	  "1 3 7 15" },
	{ "scan unrolls a block with state",
	  "defs: {c: {inputs: {x: [B, D], h: [B, D]}, body: {g: x + 2*h}, outputs: {y: g, h: g}}}\n"
	  "weights: {W: {shape: [1, 2, 3], init: ones}}\nmodel: [{scan: {cell: c, axis: 2, state: {h: zeros}}, from: W, shape: [1, 2, 3]}]\n",
	  VALUES, "1 3 7 1 3 7" },
	{ "share: NAME = the same weights as item NAME", X4 "model: [{linear: 4, as: a}, {linear: 4, share: a}]\n", WEIGHTS,
	  "a.weight[4, 4] a.bias[4]" },
	{ "share: {weight: tok.weight} = one tensor", X4 "model: [{linear: 4, as: a}, {linear: 4, share: {weight: a.weight}}]\n", WEIGHTS,
	  "a.weight[4, 4] a.bias[4] linear.bias[4]" },
	{ "item > defaults > op table", X4 "defaults: {linear: {out: 3, bias: false}}\nmodel: [linear, {linear: {bias: true}}, {linear: 5}]\n",
	  WEIGHTS, "linear.weight[3, 4] linear_2.weight[3, 3] linear_2.bias[3] linear_3.weight[5, 3]" },
	{ "<< refused with a hint", "x-a: &a {kernel: 3}\n" X4 "model: [{linear: {<<: *a, out: 3}}]\n", SAYS, "merge keys '<<' are not read" },
	{ "one parent", "extends: [a.yaml, b.yaml]\nmodel: {y: 1}\n", SAYS, "'extends' is the path of one file" },
	{ "min max", "model: {y: 'min(3, 5) + max(3, 5)*10'}\n", VALUES, "53" },
	{ "abs sqrt floor ceil log exp", "model: {y: abs(-2) + sqrt(16) + floor(2.7) + ceil(2.2) + log(exp(3))}\n", VALUES, "14" },
	{ "if(c, a, b)", "params: {n: 3}\nmodel: {y: 'if(n > 2, 5, 7) + if(n > 3, 1, 2)'}\n", VALUES, "7" },
	{ "len range", "params: {l: [4, 5, 6]}\nmodel: {y: 'len(l) + len(range(5))*10 + range(1, 9)[2]*100'}\n", VALUES, "353" },
	{ "all ops by name", "inputs: {x: 0}\nmodel: {y: sigmoid(x) + softplus(x)}\n", VALUES, "1.193147181" },
	{ "a block may be called", DEF("out: int", "{linear: out}") "model: {y: 'b(x, out=3)'}\n", WEIGHTS,
	  "y.linear.weight[3, 4] y.linear.bias[3]" },
};

Test(reference, rules) { CHECK(rules); }

/* ---- all keys ----------------------------------------------------------------------------------- */

#define POINTS "data: {train: {table: {columns: [x, y], rows: [[1, 2], [2, 4], [3, 6], [4, 8]]}}}\n"
#define LINE                                                                                                       \
	"inputs: {x: [B], y: {shape: [B], role: target}}\nweights: {w: 5}\nmodel: {h: w*x}\nloss: mse_loss(h, y)\n"    \
	"metrics: {acc: mean(h)}\n"

static const struct sentence keys[] = {
	{ "weights: {w: 5} is a scalar param", "weights: {w: 5}\nmodel: {y: 2*w}\n", VALUES, "10" },
	{ "{W: {shape: [4, 3], init: xavier}} a tensor", X4 "weights: {W: {shape: [4, 3], init: xavier}}\nmodel: {y: x @ W}\n", WEIGHTS,
	  "W[4, 3]" },
	{ "a block has its own", X4 "defs: {b: {weights: {W: {shape: [4, 3], init: xavier}}, body: {y: x @ W}, inputs: {x: [B, 4]}}}\n"
	  "model: {p: b(x), q: p @ transpose(b(x))}\n", WEIGHTS,
	  "p.W[4, 3] b.W[4, 3]" },
	{ "inputs may be written [B, D]", "inputs: {x: [B, 4], z: {shape: [B, 4], dtype: f32}}\nmodel: {y: x + z}\n", CLEAN, NULL },
	{ "an input is a number", "inputs: {x: -2}\nmodel: {y: x}\n", VALUES, "-2" },
	{ "dtype", "inputs: {x: {shape: [B], dtype: i32}}\nmodel: [{embed: {vocab: 5, dim: 3}}]\n", SHAPES, "embed[B, 3]" },
	{ "dtype", "inputs: {x: {shape: [B], dtype: f32}}\nmodel: [{embed: {vocab: 5, dim: 3}}]\n", SAYS, "index must be of indices" },
	{ "dtype", X4 "defs: {b: {inputs: {v: {shape: [B, D], dtype: i32}}, body: {y: v}}}\nmodel: [b]\n", SAYS,
	  "'v' of block 'b' wants i32, not reals" },
	{ "role", "inputs: {x: [B, 4], y: {shape: [B, 4], role: target}}\nmodel: [relu, {add: y}]\n", SHAPES, "relu[B, 4] add[B, 4]" },
	{ "role", "inputs: {x: [B, 4], y: {shape: [B, 4], role: input}}\nmodel: [relu, {add: y}]\n", SAYS, "'relu' needs an input" },
	{ "train: all of its keys",
	  LINE "data: {train: {table: {columns: [x, y], rows: [[1, 2], [2, 4]]}}, valid: {split: 0.5, of: train}}\n"
	       "train: {epochs: 2, steps: 9, seed: 3, optimizer: {sgd: 0.1}, schedule: cosine, clip: {norm: 1}, groups: [{match: w, lr_scale: 2}], "
	       "early_stop: {watch: valid.loss, patience: 2}, checkpoint: {every: 1 epoch, keep: 3, best: valid.acc}, gradients: {every: 5 "
	       "steps}, precision: f64, accumulate: 2, eval: 3 steps, log: 5, from: runs/line-1}\n", CLEAN, NULL },
	{ "train: no others", LINE POINTS "train: {steps: 1, optimizer: {sgd: 0.1}, batch: 3}\n", SAYS, "unknown key 'batch' in 'train'" },
	{ "data: all of its keys",
	  LINE "data:\n  train: {table: {columns: [x, y], rows: [[1, 2], [2, 4], [3, 6]]}}\n  valid: {split: 0.3, of: train}\n"
	       "  test: {split: 0.3, of: train}\n  map: {x: [{scale: 2}]}\n  batch: 2\n  shuffle: false\n", CLEAN, NULL },
	{ "data: no others", LINE "data: {train: {table: {columns: [x, y], rows: [[1, 2]]}}, bacth: 3}\n", SAYS, "did you mean 'batch'?" },
	{ "draw: random", LINE "data: {train: {table: {columns: [x, y], rows: [[1, 2]]}}, batch: 1, draw: random}\n", CLEAN, NULL },
	{ "a source is {format, ...}", LINE "data: {train: {file: a.csv}}\n", SAYS, "'train' needs 'format'" },
	{ "with format csv idx npy text png table cifar10 or a generated set", LINE "data: {train: {format: jsonl}}\n", SAYS,
	  "the formats are: beans, cifar10, csv, idx, moons, npy, png, shapes, sines, spirals, table, text" },
	{ "per input its columns by name, number or range",
	  "inputs: {x: [B, 4], z: [B], y: {shape: [B, 2], role: target}}\nmodel: {h: 'x + reshape(z, [-1, 1])'}\nloss: mean(h) + mean(y)\n"
	  "data: {train: {format: csv, file: a.csv, header: true, skip: 1, x: 0..3, z: width, y: [4, height]}}\n", CLEAN, NULL },
	{ "defs: all of its keys",
	  X4 "defs: {b: {params: {n: 2}, inputs: {v: {shape: [B, D], dtype: f32, role: target}, k: 3}, weights: {w: 1}, body: {z: v*k*w*n}, "
	     "outputs: {z: z}, check: n > 1}}\nmodel: [b]\n", CLEAN, NULL },
	{ "defs: no others", X4 "defs: {b: {bdy: [relu], body: [relu]}}\nmodel: [b]\n", SAYS, "unknown key 'bdy' in 'b'" },
	{ "check", X4 "defs: {b: {params: {n: 2}, body: [{linear: n}], check: [n % 2 == 0]}}\nmodel: [{b: 3}]\n", SAYS,
	  "block 'b' does not hold with these arguments: n % 2 == 0" },
	{ "one op, layer or block key", X4 "defs: {b: {body: [relu]}}\nmodel: [relu, {linear: 4}, b]\n", SHAPES,
	  "relu[B, 4] linear[B, 4] b[B, 4] b.relu[B, 4]" },
};

Test(reference, keys) { CHECK(keys); }

/* ---- rulings ------------------------------------------------------------------------------------ */

static const struct sentence rulings[] = {
	{ "as an item a name is a block of the file, else a layer, else an op",
	  "defs: {relu: {body: [{linear: 2}]}}\n" X4 "model: [relu]\n", WEIGHTS, "relu.linear.weight[2, 4] relu.linear.bias[2]" },
	{ "else a layer, else an op", X4 "model: [{linear: 2}, neg]\n", SHAPES, "linear[B, 2] neg[B, 2]" },
	{ "in an expression it is a block or an op, which gets all its tensors",
	  X4 "weights: {W: {shape: [2, 4], init: ones}}\nmodel: {y: 'linear(x, W)'}\n", WEIGHTS, "W[2, 4]" },
	{ "in an expression it is a block or an op", "defs: {exp: {inputs: {v: []}, body: {y: 2*v}}, neg: {inputs: {v: []}, body: {y: 3*v}}}\n"
	  "inputs: {x: 3}\nmodel: {y: exp(x) + 100*neg(x)}\n", VALUES, "906" },
	{ "layers own weights and occur only as items", X4 "model: {y: lstm(x)}\n", SAYS, "'lstm' owns weights and occurs only as an item" },
	{ "in the equation form a right side is an expression or an item", X4 "model: {h: {linear: 64, from: x}, y: tanh(h)}\n", SHAPES,
	  "h[B, 64] y[B, 64]" },
	{ "look-up: counter before block params", "defs: {b: {params: {i: 7}, body: [{mul: i, repeat: {i: 3}}]}}\ninputs: {x: 1}\n"
	  "model: [b]\n", VALUES, "0" },
	{ "block params before names in the body", "defs: {b: {params: {h: 7}, body: [{neg: , as: h}]}}\ninputs: {x: 1}\nmodel: [b]\n", SAYS,
	  "'h' is a param of this block" },
	{ "names in the body before file params", "params: {h: 7}\ninputs: {x: 1}\nmodel: [{neg: , as: h}, {mul: h}]\n", VALUES, "1" },
	{ "block params before file params", "params: {n: 7}\ndefs: {b: {params: {n: 2}, body: [{mul: n}]}}\ninputs: {x: 1}\n"
	  "model: [b, {mul: n}]\n", VALUES, "14" },
	{ "op names count only before (", "params: {exp: 3}\nmodel: {y: exp(0) + exp}\n", VALUES, "4" },
	{ "or as an item", "params: {square: 3}\ninputs: {x: 2}\nmodel: [square, {mul: square}]\n", VALUES, "12" },
	{ "or as an item", "params: {square: neg}\ninputs: {x: 3}\nmodel: [square]\n", VALUES, "9" },
	{ "a field's keywords win over params",
	  "params: {same: 5}\ninputs: {x: [B, 1, 8]}\nmodel: [{conv1d: {out: 1, kernel: 3, padding: same}}]\n", SAYS, "params.same is never used" },
	{ "a field's keywords win over params", "params: {nearest: bilinear}\ninputs: {x: [B, 1, 2, 2]}\n"
	  "model: [{upsample: {scale: 2, mode: nearest}}]\n", SAYS, "params.nearest is never used" },
	{ "a field's keywords win over params", "params: {sum: mean}\ninputs: {x: [B], y: {shape: [B], role: target}}\n"
	  "model: [relu]\nloss: mse_loss(x, y, reduction=sum)\n", SAYS, "params.sum is never used" },
	{ "paths are made of as names or op names; the second unnamed item is linear_2",
	  X4 "model: [{linear: 4}, {linear: 4, as: mid}, {linear: 4}, {chain: [{linear: 4}], as: c}]\n", SHAPES,
	  "linear[B, 4] mid[B, 4] linear_2[B, 4] c.linear[B, 4]" },
	{ "[i] is for copies only", "inputs: {x: [B, 4, 8, 8]}\ndefs: {basic: {body: [{conv2d: {out: 4, kernel: 1, bias: false}}]}}\n"
	  "model: [{chain: [basic, {basic: , repeat: 1}], repeat: 2, as: stage}]\n", WEIGHTS,
	  "stage[0].basic.conv2d.weight[4, 4, 1, 1] stage[0].basic_2[0].conv2d.weight[4, 4, 1, 1] "
	  "stage[1].basic.conv2d.weight[4, 4, 1, 1] stage[1].basic_2[0].conv2d.weight[4, 4, 1, 1]" },
	{ "as makes a name immune to insertion", X4 "model: [{linear: {out: 4, bias: false}, as: mid}, {linear: {out: 4, bias: false}}]\n",
	  WEIGHTS, "mid.weight[4, 4] linear.weight[4, 4]" },
	{ "as makes a name immune to insertion", X4 "model: [{linear: {out: 4, bias: false}}, {linear: {out: 4, bias: false}, as: mid}, "
	  "{linear: {out: 4, bias: false}}]\n", WEIGHTS, "linear.weight[4, 4] mid.weight[4, 4] linear_2.weight[4, 4]" },
	{ "an unnamed residual or chain adds nothing to a path; its items count with the surrounding body's",
	  X4 "model: [{linear: 4}, {chain: [{linear: 4}]}, {residual: [{linear: 4}]}, {chain: [relu], repeat: 1}]\n", SHAPES,
	  "linear[B, 4] linear_2[B, 4] linear_3[B, 4] residual[B, 4] chain[0].relu[B, 4]" },
	{ "int / int is a real; an integer field accepts it if whole", X4 "model: [{linear: 8/4}]\n", WEIGHTS,
	  "linear.weight[2, 4] linear.bias[2]" },
	{ "int / int is a real", "model: {y: 7/2}\n", VALUES, "3.5" },
	{ "-2**2 is -4", "model: {y: -2**2}\n", VALUES, "-4" },
	{ "** is right-associative", "model: {y: 2**3**2}\n", VALUES, "512" },
	{ "// and % floor", "model: {y: (-7)//2*10 + (-7)%3}\n", VALUES, "-38" },
	{ "// and % floor", "model: {y: (-7.5)//2*10 + (-7.5)%2}\n", VALUES, "-39.5" },
	{ "// and % floor", "weights: {x: {shape: [2], init: {values: [-7, 7]}}}\nmodel: {y: x//2*10 + x%3}\n", VALUES, "-38 31" },
	{ "@ binds like *", "weights: {A: {shape: [2, 2], init: ones}}\nmodel: {y: A + A @ A * 3}\n", VALUES, "7 7 7 7" },
	{ "comparisons do not chain", "inputs: {x: 1}\nmodel: {y: 0 < x < 2}\n", SAYS, "comparisons do not chain" },
	{ "a mask in arithmetic is 0/1", "inputs: {x: 5}\nmodel: {y: (x > 2)*3 + (x < 2)}\n", VALUES, "3" },
	{ "max(a, b) is element-wise, max(x, axis=...) reduces", "weights: {W: {shape: [2, 2], init: ones}}\n"
	  "model: {y: 'max(W*2, 3) + max(W, axis=0)'}\n", VALUES, "4 4 4 4" },
	{ "likewise min", "weights: {W: {shape: [2, 2], init: ones}}\nmodel: {y: 'min(W*2, 3) + min(W)'}\n", VALUES, "3 3 3 3" },
	{ "likewise min", "weights: {z: {shape: [2, 2], init: {values: [[4, 2], [1, 3]]}}}\n"
	  "model: {y: 'min(z) + 10*min(z, axis=0) + 100*max(z, axis=1)'}\n", VALUES, "411 321" },
	{ "integers are decimal; 0x and 0o are refused", X4 "model: [{linear: 0x10}]\n", SAYS, "numbers are decimal" },
	{ "integers are decimal; 0x and 0o are refused", X4 "model: [{linear: 0o10}]\n", SAYS, "numbers are decimal" },
	{ "cross_entropy has axis, default -1", "inputs: {x: [B, 5, 3], y: {shape: [B, 5], dtype: i32, role: target}}\n"
	  "model: [{relu: , as: h}]\nloss: cross_entropy(h, y)\n", CLEAN, NULL },
	{ "cross_entropy has axis", "inputs: {x: [B, 3, 5], y: {shape: [B, 5], dtype: i32, role: target}}\n"
	  "model: [{relu: , as: h}]\nloss: cross_entropy(h, y, axis=1)\n", CLEAN, NULL },
	{ "concat joins on axis 1 by default", "inputs: {x: [B, 3, 5]}\nmodel: [{concat: [prev, x]}]\n", SHAPES, "concat[B, 6, 5]" },
	{ "padding: same: out = ceil(in / stride)", "inputs: {x: [B, 1, 7]}\n"
	  "model: [{conv1d: {out: 1, kernel: 4, stride: 2, padding: same}}, {max_pool1d: {kernel: 3, stride: 3, padding: 1}}]\n", SHAPES,
	  "conv1d[B, 1, 4] max_pool1d[B, 1, 2]" },
	{ "k//2 before", "weights: {W: {shape: [1, 1, 6], init: {values: [[[1, 2, 3, 4, 5, 6]]]}}}\n"
	  "model: [{conv1d: {out: 1, kernel: 3, stride: 2, padding: same, bias: false}, init: ones, from: W}]\n", VALUES, "3 9 15" },
	{ "the odd one after", "weights: {W: {shape: [1, 1, 5], init: {values: [[[1, 2, 3, 4, 5]]]}}}\n"
	  "model: [{conv1d: {out: 1, kernel: 4, padding: same, bias: false}, init: ones, from: W}]\n", VALUES, "6 10 14 12 9" },
	{ "skip: auto: a 1x1 convolution, no bias, the smallest stride",
	  "inputs: {x: [B, 3, 9, 8]}\ndefaults: {conv2d: {bias: true, padding: same, kernel: 3}}\n"
	  "model: [{residual: {body: [{conv2d: {out: 5, stride: 2}}], skip: auto}}]\n", WEIGHTS,
	  "conv2d.weight[5, 3, 3, 3] conv2d.bias[5] skip.weight[5, 3, 1, 1]" },
	{ "stride the smallest s with ceil(in / s) = out",
	  "weights: {W: {shape: [1, 1, 10], init: {values: [[[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]]]}}}\ndefaults: {conv1d: {init: ones}}\n"
	  "model:\n  - residual: {body: [{conv1d: {out: 1, kernel: 5, stride: 5}, init: zeros}], skip: auto}\n    from: W\n", VALUES,
	  "1 6" },
	{ "or linear", X4 "model: [{residual: {body: [{linear: 3}], skip: auto}}]\n", WEIGHTS,
	  "linear.weight[3, 4] linear.bias[3] skip.weight[3, 4]" },
	{ "dims unknown at file level are local to each instance of a block",
	  "defs: {b: {inputs: {v: [B, D]}, body: [{linear: 2*D}]}}\n" X4 "model: [b, b]\n", SHAPES,
	  "b[B, 8] b.linear[B, 8] b_2[B, 16] b_2.linear[B, 16]" },
	{ "a false when passes prev on, and its as then names prev", "inputs: {x: 3}\n"
	  "model: [{add: 1}, {mul: 9, when: false, as: h}, {mul: h}]\n", VALUES, "16" },
	{ "as on a repeat is the last copy", "inputs: {x: 3}\nmodel: [{add: 1, repeat: 3, as: h}, {mul: h}]\n", VALUES, "36" },
	{ "a name is visible in the rest of its body, nested lists included", "inputs: {x: 3}\n"
	  "model: [{neg: , as: h}, {chain: [{add: 1}, {mul: h}]}]\n", VALUES, "6" },
	{ "not outside", X4 "model: [{chain: [{neg: , as: h}]}, {mul: h}]\n", SAYS, "nothing is named 'h' here" },
	{ "not before", X4 "model: [{mul: h}, {neg: , as: h}]\n", SAYS, "nothing is named 'h' here" },
	{ "several outputs: prev is the first", "defs: {b: {inputs: {v: []}, body: {p: 2*v, q: 3*v}, outputs: {p: p, q: q}}}\n"
	  "inputs: {x: 3}\nmodel: [b, {add: 1}]\n", VALUES, "7" },
	{ "as: [y, h] names them", "defs: {b: {inputs: {v: []}, body: {p: 2*v, q: 3*v}, outputs: {p: p, q: q}}}\n"
	  "inputs: {x: 3}\nmodel: [{b: , as: [y, h]}, {add: h}]\n", VALUES, "15" },
	{ "as: [y, h] names them", X4 "model: [{relu: , as: [y, h]}]\n", SAYS, "'relu' has 1 result" },
	{ "no tags at all", "name: !!str a\nmodel: {y: 1}\n", SAYS, "error[E009]" },
	{ "warning: no data", LINE "train: {steps: 1, optimizer: {sgd: 0.1}}\n", SAYS, "warning: no key 'data': 'autograd train' will need --data\n" },
};

Test(reference, rulings) { CHECK(rulings); }

/* ---- beside others, messages ------------------------------------------------------------------------ */

static const struct sentence beside[] = {
	{ "add a layer in the middle: nothing else changes",
	  X4 "model: [{linear: 8, as: a}, relu, {add: a, as: b}, {linear: 2}]\noutput: b\n", SHAPES,
	  "a[B, 8] relu[B, 8] b[B, 8] linear[B, 2]" },
	{ "add a layer in the middle: nothing else changes",
	  X4 "model: [{linear: 8, as: a}, {layer_norm: }, relu, {add: a, as: b}, {linear: 2}]\noutput: b\n", SHAPES,
	  "a[B, 8] layer_norm[B, 8] relu[B, 8] b[B, 8] linear[B, 2]" },
	/* 'batch' is a key of data, 'epochs' one of train, 'bias' and 'kernel' arguments of other layers */
	{ "only those legal at that place", X4 "model: [relu]\ntrain: {bacth: 3}\n", LACKS, "did you mean" },
	{ "only those legal at that place", X4 "model: [relu]\ntrain: {modle: 3}\n", LACKS, "did you mean" },
	{ "only those legal at that place", LINE "data: {train: {table: {columns: [x, y], rows: [[1, 2]]}}, epohcs: 3}\n", LACKS,
	  "did you mean" },
	{ "only those legal at that place", X4 "model: [{linear: {out: 3, kernle: 2}}]\n", LACKS, "did you mean" },
	{ "only those legal at that place", X4 "model: [{mul: bias}, {relu: , from: linaer}]\n", LACKS, "did you mean" },
	/* a tensor where a number is due, a layer or what holds items in an expression, a function as an item, an op as a
	 * cell, a key of train in the sweep */
	{ "only those legal at that place", X4 "model: [{relu: , as: hidden}, {linear: hiden}]\n", LACKS, "did you mean" },
	{ "only those legal at that place", X4 "model: {y: embde(x)}\n", LACKS, "did you mean" },
	{ "only those legal at that place", X4 "model: {y: residaul(x)}\n", LACKS, "did you mean" },
	{ "only those legal at that place", X4 "model: [rnage]\n", LACKS, "did you mean 'range'" },
	{ "only those legal at that place", X4 "model: [{scan: {cell: reluu, state: {h: zeros}}}]\n", LACKS, "did you mean" },
	{ "only those legal at that place", LINE POINTS "sweep: {over: {w: [1, 2]}, schedul: cosine}\n", LACKS, "did you mean" },
};

Test(reference, beside) { CHECK(beside); }

/* ---- what libyaml gives and what it does not ---------------------------------------------------------- */

#define FOUR "weights: {z: {shape: [4], init: {values: [1, 2, 3, 4]}}}\n"

static const struct sentence libyaml[] = {
	{ "columns count code points", X4 "model: [{note: 'aou \u00e4\u00f6\u00fc \u6f22', linear: {ot: 3}}]\n", SAYS,
	  "m.yaml:3:38: error[E001]: 'linear' has no argument 'ot'\n"
	  "    3 | model: [{note: 'aou \u00e4\u00f6\u00fc \u6f22', linear: {ot: 3}}]\n"
	  "      |                                      ^^ did you mean 'out'?" },
	{ "columns count code points", X4 "model: {y: \"concat('\u00e4\u6f22', x, bad)\"}\n", SAYS,
	  "m.yaml:3:29: error[E011]: nothing is named 'bad' here\n    3 | model: {y: \"concat('\u00e4\u6f22', x, bad)\"}\n"
	  "      |                             ^^^\n" },
	{ "columns count code points", "name: '\u00e4\n", SAYS, "m.yaml:2:7: error[E007]: this quote is never closed" },
	{ "an unclosed [ is reported at the end, the opening is in context_mark", X4 "model: [relu, [\n", SAYS,
	  "m.yaml:3:15: error[E007]: this '[' is never closed\n    3 | model: [relu, [\n"
	  "      |               ^ opened here; the parser gave up at 4:1\n" },
	{ "{a: d:2} is the string d:2", "params: {d: 3}\n" X4 "model: [{linear: d:2}]\n", SAYS,
	  "m.yaml:4:19: error[E021]: an operator is due here\n" },
	{ "${d} is a syntax error", "params: {d: 3}\n" X4 "model: [{linear: ${d}}]\n", SAYS,
	  "help: names stand bare, without ${ }\n" },
	{ "*d is an alias", "params: {d: 3}\n" X4 "model:\n  - linear: *d\n", SAYS,
	  "alias '*d' has no anchor '&d' before it\n    5 |   - linear: *d\n      |             ^^\n"
	  "help: an expression does not begin with '*': d*4\n" },
	{ "*d is an alias", "params: {d: 3}\n" X4 "model:\n  - linear: *d*4\n", SAYS,
	  "help: an expression does not begin with '*': d*4\n" },
	{ "d*4 not *-first", "params: {d: 3}\n" X4 "model:\n  - linear: d*4\n", WEIGHTS, "linear.weight[12, 4] linear.bias[12]" },
	{ "@x and `x` cannot start a scalar", "inputs: {x: 3}\nmodel:\n  y: @x\n", SAYS,
	  "help: a value that begins with @, ` or % stands in quotes" },
	{ "@x and `x` cannot start a scalar", "inputs: {x: 3}\nmodel:\n  y: `x`\n", SAYS,
	  "help: a value that begins with @, ` or % stands in quotes" },
	{ "a ? b : c is an error", "inputs: {a: 1, b: 2, c: 3}\nmodel:\n  y: a ? b : c\n", SAYS, "help: write if(condition, a, b)\n" },
	{ "i, f, g, o: split(z, 4) as a key", FOUR "model:\n  i, f, g, o: split(z, 4)\n  y: i + f\n", SAYS,
	  "m.yaml:4:3: error[E004]: 4 names for 1 result" },
	{ "i, f, g, o: split(z, 4) as a key", FOUR "model:\n  i, f, g, o: chunk(z, 4)\n  y: i + 10*f + 100*g + 1000*o\n", VALUES, "4321" },
	{ "x @ W + b", "weights: {x: {shape: [1, 2], init: ones}, W: {shape: [2, 2], init: ones}, b: 3}\nmodel:\n  y: x @ W + b\n", VALUES,
	  "5 5" },
	{ "y[:, 0]", "weights: {y: {shape: [2, 2], init: {values: [[1, 2], [3, 4]]}}}\nmodel:\n  h: y[:, 0]\n", VALUES, "1 3" },
	{ "(x + y) * z", "inputs: {x: 2, y: 3, z: 4}\nmodel:\n  h: (x + y) * z\n", VALUES, "20" },
	{ "2**level", "params: {level: 3}\nmodel:\n  y: 2**level\n", VALUES, "8" },
	{ "a // b", "params: {a: 7, b: 2}\nmodel:\n  y: a // b\n", VALUES, "3" },
	{ "x % 2", "inputs: {x: 7}\nmodel:\n  y: x % 2\n", VALUES, "1" },
	{ "1e-3 is a number", "inputs: {x: 1e-3}\nmodel: {y: x * 1000}\n", VALUES, "1" },
	{ "0o17", X4 "model: [{linear: 0o17}]\n", SAYS, "numbers are decimal" },
};

Test(reference, libyaml) { CHECK(libyaml); }

/* ---- what needs values of a training, files, or the lists of what there is ------------------------------- */

Test(reference, all_ops_by_name)
{
	char text[256], *said;

	cr_assert(ad_ops() > 100);
	for (size_t k = 0; k < ad_ops(); k++) {
		ad_model *m;

		snprintf(text, sizeof text, "version: 1\ninputs: {x: [B, 4]}\nmodel: {y: '%s(x)'}\n", ad_op_name(ad_op_at(k)));
		m = ad_model_open(scratch_text("m.yaml", text), 0, NULL);
		said = messages_of(m);
		cr_expect(!strstr(said, "error[E002]"), "%s", said);
		free(said);
		ad_model_close(m);
	}
}

static ad_model *open_right(const char *text)
{
	ad_model *m = ad_model_open(scratch_text("m.yaml", text), 0, NULL);
	char *said = messages_of(m);

	cr_assert_eq(ad_model_errors(m), 0, "%s", said);
	free(said);
	return m;
}

/* Random numbers come from the one seed of the training and the place in the graph: no item can be given a seed, so
 * no two can share one. */
Test(reference, no_item_has_a_seed)
{
	ad_model *m = open_right("version: 1\ninputs: {x: [B, 64]}\nmodel:\n  - {dropout: 0.5, from: x, as: a}\n"
	                         "  - {dropout: 0.5, from: x, as: b}\noutput: a + 4*b\n");
	const int64_t batch = 4;
	struct instance *in = model_instance(m, &batch, true);
	int seen[16] = { 0 };

	for (size_t k = 0; k < ad_ops(); k++)
		for (const ad_attr *a = ad_op_attrs(ad_op_at(k)); a && a->name; a++)
			cr_expect(!strstr(a->name, "seed"), "%s", ad_op_name(ad_op_at(k)));
	for (size_t k = 0; layers[k]; k++)
		for (const ad_attr *a = layers[k]->attrs; a && a->name; a++)
			cr_expect(!strstr(a->name, "seed"), "%s", layers[k]->name);
	cr_assert(in);
	ad_set_item(in->inputs[0], 1);
	cr_assert_eq(ad_forward(in->output), AD_OK, "%s", ad_errmsg(ad_model_graph(m)));
	for (size_t k = 0; k < ad_count(in->output); k++)
		seen[(int)ad_at(in->output, k)]++;
	/* 0 or 2 of each: masks that were one would have no 2 and no 8 */
	cr_expect(seen[0] > 30 && seen[2] > 30 && seen[8] > 30 && seen[10] > 30, "%d %d %d %d", seen[0], seen[2], seen[8],
	          seen[10]);
	ad_model_close(m);
}

static ad_model *train_text(const char *text)
{
	ad_train_options o = { .run = scratch_path("run") };
	ad_model *m = open_right(text);
	char error[1024] = "";

	cr_assert_eq(ad_model_train(m, &o, error, sizeof error), AD_RUN_DONE, "%s", error);
	return m;
}

/* A weight's only element, by its path. */
static double weight_at(const ad_model *m, const char *path)
{
	for (int k = 0; k < m->n_weights; k++)
		if (strcmp(m->weights[k].path, path) == 0)
			return ad_item(m->weights[k].node);
	cr_assert_fail("there is no weight '%s'", path);
	return 0;
}

#define ONE_OF_1 "data: {train: {table: {columns: [x], rows: [[1]]}}}\ntrain: {steps: 1, precision: f64, optimizer: {sgd: 0.1}"

/* Frozen by the path of a copy, shared by another: x w0 w1 w1. */
Test(reference, paths_select)
{
	ad_model *m = train_text("version: 1\ninputs: {x: [B, 1]}\ndefaults: {linear: {out: 1, bias: false, init: ones}}\n"
	                         "model:\n  - {chain: [linear], repeat: 2, as: block}\n"
	                         "  - {linear: , share: 'block[1].linear', as: y}\nloss: mean(y)\n"
	                         ONE_OF_1 ", groups: [{match: 'block[0].*', lr: 0}]}\n");

	cr_expect_eq(m->n_weights, 2);
	cr_expect_float_eq(weight_at(m, "block[0].linear.weight"), 1, 1e-12);
	cr_expect_float_eq(weight_at(m, "block[1].linear.weight"), 1 - 0.1 * 2, 1e-12);
	ad_model_close(m);
}

/* y = x w w: one step of the gradient 2 w, not two of w. */
Test(reference, the_optimiser_sees_a_shared_weight_once)
{
	ad_model *m = train_text("version: 1\ninputs: {x: [B, 1]}\ndefaults: {linear: {out: 1, bias: false, init: ones}}\n"
	                         "model:\n  - {linear: , as: a}\n  - {linear: , share: {weight: a.weight}, as: y}\nloss: mean(y)\n"
	                         "data: {train: {table: {columns: [x], rows: [[1]]}}}\n"
	                         "train: {steps: 1, precision: f64, optimizer: {sgd: {lr: 0.1, weight_decay: 0.5}}}\n");

	cr_expect_eq(m->n_weights, 1);
	cr_expect_float_eq(weight_at(m, "a.weight"), 1 - 0.1 * (2 + 0.5), 1e-12);
	ad_model_close(m);
}

/* A weight goes down by the mean of the samples of a batch, which are powers of 100: its digits tell how often each
 * was drawn. */
Test(reference, draw_random_takes_batch_samples_each_step)
{
	ad_model *m = train_text("version: 1\ninputs: {x: [B, 1]}\nmodel: [{linear: {out: 1, bias: false}, init: zeros, as: y}]\n"
	                         "loss: mean(y)\ndata:\n  train: {table: {columns: [x], rows: [[1], [100], [10000], [1000000], "
	                         "[100000000]]}}\n  batch: 2\n  draw: random\n"
	                         "train: {steps: 30, precision: f64, optimizer: {sgd: 1}}\n");
	int64_t all = llround(-2 * weight_at(m, "y.weight")), total = 0;
	int other = 0;

	for (int k = 0; k < 5; k++, all /= 100) {
		int64_t drawn = all % 100;

		cr_expect(drawn > 0, "sample %d was not drawn", k);
		total += drawn;
		other += drawn != 12;
	}
	cr_expect_eq(total, 60, "30 steps of 2, the last of an 'epoch' of 5 too, but %lld", (long long)total);
	cr_expect(other > 0, "at random, not in turn");
	ad_model_close(m);
}

/* The sample that is left over for the last batch counts twice: another in other epochs, all once in each. */
Test(reference, shuffle_changes_the_order_of_all_samples)
{
	bool last[5] = { false };
	int others = 0;

	for (int seed = 0; seed < 24; seed++) {
		ad_train_options o = { .dry = false };
		char text[1024], run[16], error[512] = "";
		ad_model *m;

		snprintf(run, sizeof run, "run%d", seed);
		o.run = scratch_path(run);
		snprintf(text, sizeof text,
		         "version: 1\ninputs: {x: [B, 1]}\nmodel: [{linear: {out: 1, bias: false}, init: zeros, as: y}]\n"
		         "loss: mean(y)\ndata:\n  train: {table: {columns: [x], rows: [[1], [10], [100], [1000], [10000]]}}\n"
		         "  batch: 2\n  shuffle: %s\ntrain: {epochs: 1, seed: %d, precision: f64, optimizer: {sgd: 1}}\n",
		         seed % 2 ? "true" : "false", seed);
		m = open_right(text);
		cr_assert_eq(ad_model_train(m, &o, error, sizeof error), AD_RUN_DONE, "%s", error);
		int64_t all = llround(-2 * weight_at(m, "y.weight"));
		int twice = 0, digits = 0;
		for (int k = 0; k < 5; k++, all /= 10) {
			digits += (int)(all % 10);
			if (all % 10 == 2)
				twice = k;
			cr_expect(all % 10 == 1 || all % 10 == 2, "sample %d: %d", k, (int)(all % 10));
		}
		cr_expect_eq(digits, 6);
		cr_expect(seed % 2 || twice == 4, "in order the last is left over");
		if (seed % 2)
			last[twice] = true;
		ad_model_close(m);
	}
	for (int k = 0; k < 5; k++)
		others += last[k];
	cr_expect(others >= 3, "%d of 5 were the last of twelve orders", others);
}

/* Many keys in one mapping: time goes with their number, not with its square. */
Test(reference, wide_files_are_fine)
{
	char *text = malloc(1 << 20), *s = stpcpy(text, "version: 1\ninputs: {x: 1}\nmodel: {y: x}\nx-wide:\n");
	clock_t begun;
	double seconds;
	ad_model *m;

	for (int k = 0; k < 45000; k++)
		s += sprintf(s, "  k%d: %d\n", k, k);
	begun = clock();
	m = open_right(text);
	seconds = (double)(clock() - begun) / CLOCKS_PER_SEC;
#ifdef __SANITIZE_ADDRESS__
	seconds = 0; /* not the time that counts */
#endif
	cr_expect(seconds < 1, "%g s", seconds);
	ad_model_close(m);
	free(text);
}

/* A line for every second epoch, and for the last. */
Test(reference, log_says_which_epochs_are_shown)
{
	ad_model *m = open_right("version: 1\nweights: {w: 5}\nloss: (w - 1)**2\n"
	                         "train: {epochs: 5, log: 2, optimizer: {sgd: 0.1}}\n");
	ad_train_options o = { .run = scratch_path("run"), .plain = true };
	char error[512] = "", *shown = NULL;
	size_t size;
	int lines = 0;

	o.progress = open_memstream(&shown, &size);
	cr_assert(o.progress);
	cr_assert_eq(ad_model_train(m, &o, error, sizeof error), AD_RUN_DONE, "%s", error);
	fclose(o.progress);
	for (const char *p = shown; (p = strstr(p, "epoch ")) != NULL; p++)
		lines++;
	cr_expect(lines == 3 && strstr(shown, "epoch 2/5") && strstr(shown, "epoch 4/5") && strstr(shown, "epoch 5/5"), "%s",
	          shown);
	free(shown);
	ad_model_close(m);
}

Test(reference, names_in_paths)
{
	ad_model *m = open_right("version: 1\nparams: {part: a, n: 3}\ninputs: {x: [B, 1]}\nmodel: [{linear: 1, as: y}]\nloss: mean(y)\n"
	                         "data: {train: {format: csv, file: \"${part}_${n}.csv\", x: 0}}\n"
	                         "train: {steps: 1, optimizer: {sgd: 0.1}}\n");
	struct parts parts;
	char error[512] = "";

	scratch_text("a_3.csv", "7\n8\n");
	cr_assert(data_read(m, &parts, error, sizeof error), "%s", error);
	cr_expect(parts.train.n == 2);
	data_free(&parts);
	ad_model_close(m);
}
