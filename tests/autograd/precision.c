/*
 * precision: products in bf16, of every op that has products, forward and backward; the same however they are
 * planned, replayed, spread over threads or computed a second time.
 */
#include "autograd.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define N 48 /* sides large enough for bf16 to be used */
#define MOST 4
#define MANY (20 * N * N) /* numbers of a value and all gradients */

static uint64_t state;

static double next(void)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (double)(int64_t)(state >> 20) / 0x1p43 - 1;
}

static ad_node *param(ad_graph *g, ad_shape shape)
{
	ad_node *x = ad_param(g, "x", shape);
	double *v = malloc(ad_count(x) * sizeof *v);

	cr_assert(v);
	for (size_t k = 0; k < ad_count(x); k++)
		v[k] = next() / 4;
	ad_set(x, v, ad_count(x));
	free(v);
	return x;
}

/* The nets: each some op with its params to x; returns what the loss is made of. */

static ad_node *matmul_of(ad_graph *g, ad_node *x[], bool ta, bool tb)
{
	return ad_matmul(ta ? ad_transpose(x[0], 0, 1) : x[0], tb ? ad_transpose(x[1], 0, 1) : x[1]);
}

static void two(ad_graph *g, ad_node *x[])
{
	x[0] = param(g, AD_SHAPE(N, N));
	x[1] = param(g, AD_SHAPE(N, N));
}

static ad_node *plain(ad_graph *g, ad_node *x[])
{
	return matmul_of(g, x, false, false);
}

static ad_node *left(ad_graph *g, ad_node *x[])
{
	return matmul_of(g, x, true, false);
}

static ad_node *right(ad_graph *g, ad_node *x[])
{
	return matmul_of(g, x, false, true);
}

static ad_node *both(ad_graph *g, ad_node *x[])
{
	return matmul_of(g, x, true, true);
}

static void linear_params(ad_graph *g, ad_node *x[])
{
	x[0] = param(g, AD_SHAPE(2, N, 3 * N));
	x[1] = param(g, AD_SHAPE(N, 3 * N));
	x[2] = param(g, AD_SHAPE(N));
}

static ad_node *linear(ad_graph *g, ad_node *x[])
{
	return ad_linear(x[0], x[1], x[2]);
}

static void addmm_params(ad_graph *g, ad_node *x[])
{
	two(g, x);
	x[2] = param(g, AD_SHAPE(N));
}

static ad_node *addmm(ad_graph *g, ad_node *x[])
{
	ad_node *in[] = { x[2], x[0], x[1] };

	return ad_call_text(g, "addmm", 3, in, "");
}

static void einsum_params(ad_graph *g, ad_node *x[])
{
	x[0] = param(g, AD_SHAPE(2, N, N));
	x[1] = param(g, AD_SHAPE(2, N, N));
}

static ad_node *einsum(ad_graph *g, ad_node *x[])
{
	return ad_call_text(g, "einsum", 2, x, "equation=bik,bjk->bij");
}

static void attention_params(ad_graph *g, ad_node *x[])
{
	for (int k = 0; k < 3; k++)
		x[k] = param(g, AD_SHAPE(2, N, N));
}

static ad_node *attention(ad_graph *g, ad_node *x[])
{
	return ad_call_text(g, "attention", 3, x, "");
}

static void lstm_params(ad_graph *g, ad_node *x[])
{
	x[0] = param(g, AD_SHAPE(5, N, N));
	x[1] = param(g, AD_SHAPE(4 * N, N));
	x[2] = param(g, AD_SHAPE(4 * N, N));
}

static ad_node *lstm(ad_graph *g, ad_node *x[])
{
	ad_node *zero = ad_full(g, AD_SHAPE(N, N), 0);
	ad_node *in[] = { x[0], zero, zero, x[1], x[2] };

	return ad_call_text(g, "lstm_seq", 5, in, "");
}

static const struct net {
	const char *name;
	void (*params)(ad_graph *g, ad_node *x[]);
	ad_node *(*value)(ad_graph *g, ad_node *x[]);
} nets[] = {
	{ "matmul", two, plain },
	{ "matmul, a transposed", two, left },
	{ "matmul, b transposed", two, right },
	{ "matmul, both transposed", two, both },
	{ "linear", linear_params, linear },
	{ "addmm", addmm_params, addmm },
	{ "einsum", einsum_params, einsum },
	{ "attention", attention_params, attention },
	{ "lstm_seq", lstm_params, lstm },
};
#define NETS (sizeof nets / sizeof *nets)

/* What a net computes: its value and the gradients of its params. */
struct values {
	size_t n;
	double of[MANY];
};

static void collect(struct values *v, ad_node *x)
{
	cr_assert(x && v->n + ad_count(x) <= MANY);
	cr_assert_eq(ad_get(x, v->of + v->n, ad_count(x)), AD_OK, "%s", ad_errmsg(ad_graph_of(x)));
	v->n += ad_count(x);
}

static ad_node *loss_of(ad_node *y)
{
	return ad_mean(ad_square(ad_add(y, ad_sin(y))), AD_ALL, false);
}

static void collect_all(struct values *v, ad_node *y, ad_node *x[])
{
	v->n = 0;
	collect(v, y);
	for (int k = 0; k < MOST && x[k]; k++)
		collect(v, ad_gradient(x[k]));
}

/* How a net is evaluated. */
enum way { PLANNED, NODE_BY_NODE, TWO_THREADS, CHECKPOINT, SWEPT_IN_FULL, CHECKPOINT_SWEPT_IN_FULL, WAYS };

static void compute(const struct net *net, ad_precision precision, enum way way, struct values *v)
{
	bool checkpoint = way == CHECKPOINT || way == CHECKPOINT_SWEPT_IN_FULL;
	bool in_full = way == SWEPT_IN_FULL || way == CHECKPOINT_SWEPT_IN_FULL;
	ad_node *x[MOST] = { NULL }, *y, *loss;
	ad_graph *g;

	ad_set_threads(way == TWO_THREADS ? 2 : 1);
	setenv("AUTOGRAD_PLAN", way == NODE_BY_NODE ? "off" : "on", 1);
	g = ad_open();
	state = 7;
	net->params(g, x);
	cr_assert_eq(ad_set_precision(g, precision), AD_OK, "%s", ad_errmsg(g));
	cr_assert_eq(ad_precision_of(g), precision);
	if (checkpoint)
		ad_checkpoint_begin(g);
	y = net->value(g, x);
	loss = loss_of(y);
	if (checkpoint)
		ad_checkpoint_end(g);
	else
		ad_keep(y);
	if (in_full)
		ad_set_precision(g, AD_FULL);
	cr_assert_eq(ad_backward(loss), AD_OK, "%s: %s", net->name, ad_errmsg(g));
	cr_assert_eq(ad_precision_of(g), in_full ? AD_FULL : precision, "as it was before the sweep");
	collect_all(v, y, x);
	ad_close(g);
}

/* The largest difference over the largest number. */
static double apart(const struct values *a, const struct values *b)
{
	double most = 0, largest = 0;

	cr_assert_eq(a->n, b->n);
	for (size_t k = 0; k < a->n; k++) {
		most = fmax(most, fabs(a->of[k] - b->of[k]));
		largest = fmax(largest, fabs(b->of[k]));
	}
	return most / largest;
}

static void check_nets(void)
{
	static struct values full, first, other;

	for (size_t k = 0; k < NETS; k++) {
		compute(&nets[k], AD_FULL, PLANNED, &full);
		compute(&nets[k], AD_BF16, PLANNED, &first);
		/* not equal, and as close as eight bits of mantissa make it */
		cr_assert_gt(apart(&first, &full), 1e-5, "%s: %g", nets[k].name, apart(&first, &full));
		cr_assert_lt(apart(&first, &full), 1e-2, "%s: %g", nets[k].name, apart(&first, &full));
		for (int way = PLANNED + 1; way < WAYS; way++) {
			compute(&nets[k], AD_BF16, (enum way)way, &other);
			cr_assert_eq(apart(&other, &first), 0, "%s, way %d: %g", nets[k].name, way,
			             apart(&other, &first));
		}
	}
}

/* By the processor's instruction where it has it. */
Test(precision, products_of_all_ops)
{
	setenv("AUTOGRAD_BF16", "emulate", 1);
	check_nets();
}

Test(precision, products_of_all_ops_without_the_instruction)
{
	setenv("AUTOGRAD_BF16", "emulate", 1);
	setenv("AUTOGRAD_LEVEL", "0", 1);
	check_nets();
}

/* Every gradient is of products in bf16, too: what the sweep multiplies is rounded. */
Test(precision, gradients_round_their_factors)
{
	static double v[N * N], dx[N * N];
	ad_graph *g;
	ad_node *a, *b, *y;

	setenv("AUTOGRAD_BF16", "emulate", 1);
	g = ad_open();
	a = ad_param(g, "a", AD_SHAPE(N, N));
	b = ad_param(g, "b", AD_SHAPE(N, N));
	ad_set_item(a, 1);
	for (size_t k = 0; k < N * N; k++)
		v[k] = k % N == 0 ? 257 : 0;
	ad_set(b, v, N * N);
	ad_set_precision(g, AD_BF16);
	y = ad_sum(ad_matmul(a, b), AD_ALL, false);
	cr_assert_eq(ad_backward(y), AD_OK, "%s", ad_errmsg(g));
	cr_assert_eq(ad_item(y), 256.0 * N * N);
	ad_get(ad_gradient(a), dx, N * N);
	for (size_t k = 0; k < N * N; k++)
		cr_assert_eq(dx[k], 256);
	ad_close(g);
}

/* One graph in turn in both: each recording finds its own plan and values. */
Test(precision, recordings_of_both_kinds_side_by_side)
{
	static struct values alone[2], now;
	ad_node *x[MOST] = { NULL };
	ad_graph *g;
	size_t mark;

	setenv("AUTOGRAD_BF16", "emulate", 1);
	compute(&nets[4], AD_FULL, PLANNED, &alone[AD_FULL]);
	compute(&nets[4], AD_BF16, PLANNED, &alone[AD_BF16]);
	g = ad_open();
	state = 7;
	nets[4].params(g, x);
	mark = ad_mark(g);
	for (int k = 0; k < 8; k++) {
		ad_precision p = k % 3 == 1 ? AD_BF16 : AD_FULL;
		ad_node *y;

		ad_release(g, mark);
		ad_set_precision(g, p);
		y = ad_keep(nets[4].value(g, x));
		cr_assert_eq(ad_backward(loss_of(y)), AD_OK, "%s", ad_errmsg(g));
		collect_all(&now, y, x);
		cr_assert_eq(apart(&now, &alone[p]), 0, "step %d", k);
	}
	ad_close(g);
}

/* Some in one, some in the other. */
Test(precision, both_in_one_recording)
{
	ad_graph *g;
	ad_node *x[MOST], *full, *rounded;

	setenv("AUTOGRAD_BF16", "emulate", 1);
	g = ad_open();
	two(g, x);
	full = ad_matmul(x[0], x[1]);
	ad_set_precision(g, AD_BF16);
	rounded = ad_matmul(x[0], x[1]);
	ad_set_precision(g, AD_FULL);
	cr_assert_eq(ad_evaluate(g, (ad_node *[]){ full, rounded }, 2), AD_OK);
	cr_assert_neq(ad_at(full, 5), ad_at(rounded, 5));
	cr_assert_float_eq(ad_at(full, 5), ad_at(rounded, 5), 0.02);
	ad_close(g);
}

/* A checkpoint in which one product is in bf16 and the other is not computes each again as it was. */
Test(precision, checkpoints_of_both_kinds)
{
	static struct values values[2];

	setenv("AUTOGRAD_BF16", "emulate", 1);
	for (int first = AD_FULL; first <= AD_BF16; first++) {
		for (int checkpoint = 0; checkpoint < 2; checkpoint++) {
			ad_graph *g = ad_open();
			ad_node *x[MOST] = { NULL }, *y;

			state = 7;
			two(g, x);
			if (checkpoint)
				ad_checkpoint_begin(g);
			ad_set_precision(g, (ad_precision)first);
			y = ad_tanh(ad_matmul(x[0], x[1]));
			ad_set_precision(g, first == AD_FULL ? AD_BF16 : AD_FULL);
			y = ad_tanh(ad_matmul(y, x[1]));
			if (checkpoint)
				ad_checkpoint_end(g);
			cr_assert_eq(ad_backward(loss_of(y)), AD_OK, "%s", ad_errmsg(g));
			cr_assert_eq(ad_precision_of(g), first == AD_FULL ? AD_BF16 : AD_FULL);
			collect_all(&values[checkpoint], x[0], x);
			ad_close(g);
		}
		cr_assert_eq(apart(&values[1], &values[0]), 0, "%g", apart(&values[1], &values[0]));
	}
}

Test(precision, refusals)
{
	ad_graph *g;

	setenv("AUTOGRAD_BF16", "emulate", 1);
	g = ad_open_f64();
	cr_assert_eq(ad_set_precision(g, AD_FULL), AD_OK);
	cr_assert_eq(ad_set_precision(g, AD_BF16), AD_ERROR_TYPE);
	cr_assert_str_eq(ad_errmsg(g), "set_precision: products in bf16 are of f32; the graph has f64 reals");
	cr_assert_eq(ad_precision_of(g), AD_FULL);
	ad_close(g);
	g = ad_open();
	cr_assert_eq(ad_set_precision(g, (ad_precision)7), AD_ERROR_ARGUMENT);
	cr_assert_str_eq(ad_errmsg(g), "set_precision: 7 is no precision");
	ad_close(g);
	unsetenv("AUTOGRAD_BF16");
	setenv("AUTOGRAD_LEVEL", "1", 1);
	g = ad_open();
	cr_assert(strstr(ad_bf16_missing(g), "AVX512-BF16, which "), "%s", ad_bf16_missing(g));
	cr_assert_eq(ad_set_precision(g, AD_BF16), AD_ERROR_ARGUMENT);
	cr_assert(strstr(ad_errmsg(g), "set_precision: products in bf16 need "), "%s", ad_errmsg(g));
	cr_assert_eq(ad_precision_of(g), AD_FULL);
	ad_close(g);
}
