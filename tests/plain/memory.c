/*
 * memory: every allocation of a small net fails in turn, once and from then on. Whatever fails, there
 * is no crash, no leak (the sanitizers look), and a status that says so; with memory again the graph
 * works, and steps that are taken again give what they give without a failure. A program of its own, as the linker puts the functions below in the place of malloc and its
 * kin (--wrap).
 */
#include "autograd_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- allocation that fails when told ------------------------------------------------------------ */

static _Thread_local long countdown; /* allocations until the failure; 0: none is due */
static _Thread_local long failures;
static _Thread_local bool sticky;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);

static bool fails(void)
{
	if (countdown == 0 || --countdown > 0)
		return false;
	countdown = sticky;
	failures++;
	return true;
}

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

void *__wrap_aligned_alloc(size_t align, size_t n)
{
	return fails() ? NULL : __real_aligned_alloc(align, n);
}

/* ---- what is tried ------------------------------------------------------------------------------ */

enum { BATCH = 5, IN = 7, OUT = 4 };

/* One step: records a net with views, masks, indices, several outputs, and its second derivative. */
static ad_node *record(ad_graph *g, ad_node *w, ad_node *b, ad_node *mean)
{
	ad_node *x = ad_input(g, "x", AD_REAL, AD_SHAPE(BATCH, IN)), *h, *parts, *loss, *dw;
	int32_t rows[3] = { 0, 3, 1 };
	ad_node *index = ad_input(g, "rows", AD_I32, AD_SHAPE(3));
	double values[BATCH * IN];

	for (int k = 0; k < BATCH * IN; k++)
		values[k] = sin(k);
	ad_set(x, values, BATCH * IN);
	ad_set_i32(index, rows, 3);
	ad_scope_begin(g, "layer");
	h = ad_name(ad_tanh(ad_add(ad_matmul(x, w), b)), "h");
	ad_scope_end(g);
	ad_assign(mean, ad_mean(h, AD_INTS(0), false));
	h = ad_sub(h, mean);
	parts = ad_split(ad_index_select(h, index, 0), AD_INTS(1, OUT - 1), 1);
	loss = ad_add(ad_sum(ad_square(ad_output(parts, 1)), AD_ALL, false),
	              ad_mean(ad_where(ad_greater(h, ad_constant(g, 0)), h, ad_dropout(h, 0.5)), AD_ALL,
	                      false));
	loss = ad_add(loss, ad_sum(ad_logsumexp(ad_reshape(h, AD_SHAPE(OUT, BATCH)), AD_INTS(1), false),
	                           AD_ALL, false));
	dw = ad_grad(loss, w);
	return ad_add(loss, ad_mean(ad_square(dw), AD_ALL, false));
}

/* The loss after a forward, a sweep and a second step; NaN on a failure. */
static double work(bool keep_all, bool recover, const char **wrong)
{
	ad_graph *g = ad_open_f64();
	ad_node *w = ad_param(g, "w", AD_SHAPE(IN, OUT)), *b = ad_param(g, "b", AD_SHAPE(OUT)), *loss;
	ad_node *mean = ad_buffer(g, "mean", AD_REAL, AD_SHAPE(OUT));
	size_t mark = ad_mark(g);
	double value = (double)NAN, dw[IN * OUT];
	ad_optimizer *o;

	*wrong = NULL;
	if (keep_all)
		ad_keep_all(g);
	for (int step = 0; step < 2; step++) {
		ad_set_item(w, 0.1);
		ad_set_item(mean, 0.5);
		loss = record(g, w, b, mean);
		if (step == 0)
			ad_forward(loss);
		ad_set_item(mean, 0.5);
		ad_backward(loss);
		ad_get(ad_gradient(w), dw, IN * OUT);
		value = ad_item(loss) + dw[3];
		if (step == 0)
			ad_release(g, mark);
	}
	o = ad_optimizer_open(g, "adam", "betas=[0.5,0.5]", 0, NULL);
	if (ad_optimizer_step(o) == AD_OK)
		value += ad_at(w, 0);
	ad_optimizer_close(o);
	if (failures && ad_status_of(g) != AD_OK && ad_status_of(g) != AD_ERROR_MEMORY)
		*wrong = "the status is not that of memory";
	if (ad_status_of(g) != AD_OK && !strstr(ad_errmsg(g), "memory"))
		*wrong = "the message does not speak of memory";
	if (ad_status_of(g) != AD_OK)
		value = (double)NAN;
	countdown = 0;
	/* with memory again the same graph goes on, if it came to be */
	if (recover && ad_status_of(g) != AD_OK && !ad_is_error(w) && !ad_is_error(b) &&
	    !ad_is_error(mean)) {
		ad_clear(g);
		ad_release(g, mark);
		if (ad_status_of(g) == AD_ERROR_ARGUMENT)
			ad_clear(g); /* the mark was never made: there is no way back, but on */
		ad_set_item(w, 0.1);
		ad_set_item(mean, 0.5);
		if (ad_backward(record(g, w, b, mean)) != AD_OK)
			*wrong = "the graph is unusable afterwards";
	}
	ad_close(g);
	return value;
}

/* One of three steps: single numbers; a checkpoint and sums that products add up; another length each time. */
static ad_node *stream(ad_graph *g, int step, ad_node *w, ad_node *s)
{
	ad_node *h = w, *y;

	switch (step % 3) {
	case 0:
		y = ad_mul(ad_sin(s), ad_exp(ad_mul(s, ad_leaf(g, "own", 0.5))));
		return ad_add(y, ad_square(ad_stop_gradient(y)));
	case 1:
		ad_checkpoint_begin(g);
		h = ad_keep(ad_tanh(ad_matmul(w, w)));
		h = ad_dropout(ad_add(ad_matmul(h, w), ad_matmul(w, h)), 0.25);
		ad_checkpoint_end(g);
		return ad_mean(ad_square(ad_reshape(h, AD_SHAPE(9))), AD_ALL, false);
	default:
		for (int k = 0; k < 2 + step; k++)
			h = ad_add(ad_cumsum(h, k % 2, false), ad_constant(g, k));
		return ad_mean(ad_square(ad_grad(ad_mean(ad_tanh(h), AD_ALL, false), w)), AD_ALL, false);
	}
}

/* What some steps give; each is taken again until it succeeds. */
static double steps(const char **wrong)
{
	static const int order[] = { 0, 1, 2, 1, 0, 5, 8, 2, 1, 0 };
	ad_graph *g = ad_open_f64();
	ad_node *w = ad_param(g, "w", AD_SHAPE(3, 3)), *s = ad_param(g, "s", AD_SCALAR);
	size_t mark = ad_mark(g);
	double sum = 0;

	*wrong = NULL;
	ad_limit_memory(g, (size_t)1 << 18); /* the tree is cut at times */
	for (int k = 0; k < 10 && ad_status_of(g) == AD_OK; k++) {
		double values[9], dw[9] = { 0 }, ds = 0, y = 0;

		for (int try = 0; try < 2; try++) {
			ad_node *loss;

			for (int j = 0; j < 9; j++)
				values[j] = sin(j + k);
			ad_set(w, values, 9);
			ad_set_item(s, 0.25 * k);
			ad_release(g, mark);
			loss = stream(g, order[k], w, s);
			if (k % 2)
				ad_forward(loss);
			if (ad_backward(loss) == AD_OK) {
				y = ad_item(loss);
				ad_get(ad_gradient(w), dw, 9);
				ds = ad_item(ad_gradient(s));
			}
			if (ad_status_of(g) == AD_OK)
				break;
			if (ad_status_of(g) != AD_ERROR_MEMORY)
				*wrong = "the status is not that of memory";
			countdown = 0;
			if (try == 0)
				ad_clear(g);
		}
		sum += y + dw[4] + dw[7] + ds;
	}
	if (ad_status_of(g) != AD_OK)
		sum = (double)NAN; /* the graph, its params or its mark never came to be */
	ad_close(g);
	return sum;
}

static int fail_in_steps(int test)
{
	int failed = 0;

	for (int way = 0; way < 2; way++) {
		const char *wrong;
		double right = steps(&wrong);
		long k = 0, worked = 0;
		bool bad = isnan(right);

		do {
			double value;

			failures = 0;
			sticky = way;
			countdown = ++k;
			value = steps(&wrong);
			countdown = 0;
			worked += failures && !isnan(value);
			if (!wrong && !isnan(value) && value != right)
				wrong = "another value";
			if (wrong) {
				printf("# allocation %ld of the steps: %s (%.17g, not %.17g)\n", k, wrong, value,
				       right);
				bad = true;
			}
		} while (failures);
		printf("%s %d - %ld allocations of steps fail in turn, %s\n", bad ? "not ok" : "ok", test + way,
		       k - 1, way ? "and all after them" : "once");
		printf("# %ld failures were survived\n", worked);
		failed |= bad;
	}
	return failed;
}

/* A product without memory to remember the state in which it is recorded, the one after n others: it says so, or
 * is rounded as asked. */
static bool rounds_or_fails(int n)
{
	ad_graph *g = ad_open();
	ad_node *w = ad_param(g, "w", AD_SHAPE(40, 40)), *y;
	bool good = true;

	ad_set_item(w, 1 + 0x1p-10); /* 1 in bfloat16 */
	ad_neg(w);                   /* there is memory for nodes */
	for (int k = 0; k < n; k++)
		ad_scope_begin(g, "s");
	for (int step = 0; step < 2 && good; step++) {
		sticky = true;
		countdown = step == 0;
		ad_set_precision(g, AD_BF16);
		y = ad_matmul(w, w);
		countdown = 0;
		if (ad_status_of(g) == AD_OK && ad_forward(y) == AD_OK)
			good = ad_at(y, 0) == 40;
		else
			good = step == 0 && ad_status_of(g) == AD_ERROR_MEMORY;
		ad_clear(g);
	}
	ad_close(g);
	return good;
}

static int fail_in_states(int test)
{
	bool bad = false;

	setenv("AUTOGRAD_BF16", "emulate", 1);
	for (int n = 0; n < 140; n++)
		if (!rounds_or_fails(n)) {
			printf("# state %d: a product in another precision, or unusable\n", n);
			bad = true;
		}
	printf("%s %d - states of recording without memory\n", bad ? "not ok" : "ok", test);
	return bad;
}

int main(void)
{
	const char *wrong;
	int test = 0, bad = 0;

	ad_set_threads(1);
	puts("1..7");
	for (int way = 0; way < 4; way++) {
		bool keep_all = way & 1;
		double right = work(keep_all, false, &wrong); /* also makes what is made once */
		long k = 0, worked = 0;
		int failed = isnan(right);

		do {
			double value;

			failures = 0;
			sticky = way & 2;
			countdown = ++k;
			value = work(keep_all, true, &wrong);
			countdown = 0;
			worked += failures && !isnan(value);
			if (!wrong && failures && !isnan(value) && value != right)
				wrong = "a wrong value without a word";
			if (!wrong && !failures && value != right)
				wrong = "no failure, but another value";
			if (wrong) {
				printf("# allocation %ld: %s (%g, not %g)\n", k, wrong, value, right);
				failed = 1;
			}
		} while (failures);
		printf("%s %d - %ld allocations fail in turn, %s%s\n", failed ? "not ok" : "ok", ++test,
		       k - 1, sticky ? "and all after them" : "once", keep_all ? ", all kept" : "");
		printf("# %ld failures were survived\n", worked);
		bad |= failed;
	}
	bad |= fail_in_steps(5);
	return fail_in_states(7) | bad;
}
