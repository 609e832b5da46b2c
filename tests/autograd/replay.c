/*
 * replay: what is recorded again is what it was; other recordings come and go beside it.
 */
#include "plan.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* A loss of some cells of a recurrent net, each from ordinary ops. */
static ad_node *cells(ad_graph *g, ad_node *w, int n, double x)
{
	ad_node *h = ad_constant(g, 0.25);

	for (int k = 0; k < n; k++) {
		ad_node *in = ad_input(g, "x", AD_REAL, AD_SHAPE(3));

		ad_set_item(in, x + k);
		h = ad_tanh(ad_add(ad_mul(h, w), ad_sin(in)));
	}
	return ad_mean(ad_square(h), AD_ALL, false);
}

/* Loss and gradient of the same on a graph of its own. */
static void alone(int n, double w, double x, double *loss, double dw[3])
{
	ad_graph *g = ad_open_f64();
	ad_node *p = ad_param(g, "w", AD_SHAPE(3)), *y;

	ad_set_item(p, w);
	y = cells(g, p, n, x);
	cr_assert_eq(ad_backward(y), AD_OK, "%s", ad_errmsg(g));
	*loss = ad_item(y);
	ad_get(ad_gradient(p), dw, 3);
	ad_close(g);
}

Test(replay, steps_of_any_length_give_what_they_give_alone)
{
	static const int lengths[] = { 3, 5, 3, 1, 4, 5, 5, 2, 3, 1 };
	ad_graph *g = ad_open_f64();
	ad_node *w = ad_param(g, "w", AD_SHAPE(3));
	size_t mark = ad_mark(g);

	for (int step = 0; step < 60; step++) {
		int n = lengths[step * 7 % 10];
		double loss, dw[3], have[3];
		ad_node *y;

		ad_release(g, mark);
		ad_set_item(w, 0.5 + 0.01 * step);
		y = cells(g, w, n, 0.1 * step);
		cr_assert_null(ad_gradient(w), "no sweep yet in this step");
		cr_assert(isnan(ad_item(y)), "nor a value");
		cr_assert_eq(ad_backward(y), AD_OK, "%s", ad_errmsg(g));
		alone(n, 0.5 + 0.01 * step, 0.1 * step, &loss, dw);
		ad_get(ad_gradient(w), have, 3);
		cr_assert_eq(ad_item(y), loss, "step %d", step);
		cr_assert_eq(memcmp(have, dw, sizeof dw), 0, "step %d", step);
	}
	ad_close(g);
}

Test(replay, a_step_that_repeats_takes_no_memory_and_no_plan)
{
	ad_graph *g = ad_open_f64();
	ad_node *w = ad_param(g, "w", AD_SHAPE(3)), *y = NULL, *first = NULL;
	size_t mark = ad_mark(g), bytes = 0, lasting = 0, used = 0;
	struct plan *plan = NULL;

	for (int step = 0; step < 5; step++) {
		ad_release(g, mark);
		ad_scope_begin(g, "net");
		ad_set_origin(g, "a.yaml:1:2");
		y = ad_name(cells(g, w, 4, step), "loss");
		ad_scope_end(g);
		cr_assert_eq(ad_backward(y), AD_OK, "%s", ad_errmsg(g));
		if (step == 1)
			first = y, plan = g->plans, bytes = arena_mark(&g->arena).used, lasting = arena_mark(&g->lasting_arena).used,
			used = g->memory_used;
		if (step > 1) {
			cr_assert_eq(y, first);
			cr_assert_eq(g->plans, plan);
			cr_assert_eq(arena_mark(&g->arena).used, bytes);
			cr_assert_eq(arena_mark(&g->lasting_arena).used, lasting);
			cr_assert_eq(g->memory_used, used);
		}
	}
	ad_close(g);
}

Test(replay, constants_are_data)
{
	ad_graph *g = ad_open_f64();
	ad_node *w = ad_leaf(g, "w", 3), *y, *c;
	size_t mark = ad_mark(g);

	for (int step = 0; step < 4; step++) {
		ad_release(g, mark);
		c = ad_constant(g, step);
		y = ad_mul(w, c);
		cr_assert_eq(ad_backward(y), AD_OK);
		cr_assert_eq(ad_item(y), 3 * step);
		cr_assert_eq(ad_item(ad_gradient(w)), step);
	}
	ad_close(g);
}

Test(replay, an_input_recorded_again_has_no_values)
{
	ad_graph *g = ad_open();
	size_t mark = ad_mark(g);

	for (int step = 0; step < 2; step++) {
		ad_node *x = ad_input(g, "x", AD_REAL, AD_SHAPE(2)), *y = ad_exp(x);

		if (step == 0)
			ad_set_item(x, 1);
		cr_assert_eq(ad_forward(y), step == 0 ? AD_OK : AD_ERROR_VALUE);
		ad_clear(g);
		ad_release(g, mark);
	}
	ad_close(g);
}

Test(replay, what_was_released_is_refused)
{
	ad_graph *g = ad_open();
	ad_node *x = ad_leaf(g, "x", 1), *y;
	size_t mark = ad_mark(g);

	y = ad_name(ad_exp(x), "y");
	ad_release(g, mark);
	cr_assert(ad_is_error(ad_sin(y)));
	cr_assert_str_eq(ad_errmsg(g), "sin: its input 0, 'y', was released by ad_release and not recorded since");
	ad_clear(g);
	cr_assert_neq(ad_forward(y), AD_OK);
	cr_assert(strstr(ad_errmsg(g), "released"), "%s", ad_errmsg(g));
	ad_clear(g);
	cr_assert_eq(ad_exp(x), y, "recorded again it is what it was");
	cr_assert_eq(ad_forward(y), AD_OK);
	ad_close(g);
}

Test(replay, attributes_phase_and_wishes_tell_steps_apart)
{
	ad_graph *g = ad_open_f64();
	ad_node *w = ad_param(g, "w", AD_SHAPE(2, 3)), *v = ad_leaf(g, "v", 2);
	size_t mark = ad_mark(g);

	ad_set_item(w, 2);
	for (int step = 0; step < 12; step++) {
		int axis = step % 2;
		bool wish = step % 3 != 0;
		ad_node *y;

		ad_release(g, mark);
		ad_want_gradient(v, wish);
		y = ad_sum(ad_square(ad_sum(ad_mul(w, v), AD_INTS(axis), false)), AD_ALL, false);
		cr_assert_eq(ad_backward(y), AD_OK, "%s", ad_errmsg(g));
		cr_assert_eq(ad_item(y), axis ? 2 * 144 : 3 * 64);
		cr_assert_eq(ad_at(ad_gradient(w), 0), axis ? 2 * 12 * 2 : 2 * 8 * 2);
		cr_assert_eq(ad_gradient(v) != NULL, wish);
		cr_assert(!wish || ad_item(ad_gradient(v)) == 2 * ad_item(y) / 2);
	}
	ad_close(g);
}

Test(replay, the_tree_of_recordings_stays_small)
{
	ad_graph *g = ad_open();
	ad_node *w = ad_param(g, "w", AD_SHAPE(4));
	size_t mark = ad_mark(g), most = 0;

	ad_limit_memory(g, (size_t)4 << 20); /* a quarter of it is granted */
	for (int step = 0; step < 3000; step++) {
		ad_node *x, *y;

		ad_release(g, mark);
		/* a shape, a scope and names that never come again */
		x = ad_input(g, "x", AD_REAL, AD_SHAPE(step + 1, 4));
		ad_set_item(x, 1);
		y = ad_sum(ad_mul(x, w), AD_ALL, false);
		cr_assert_eq(ad_backward(y), AD_OK, "step %d: %s", step, ad_errmsg(g));
		cr_assert_eq(ad_at(ad_gradient(w), 0), step + 1);
		most = g->arena.bytes > most ? g->arena.bytes : most;
	}
	cr_assert_lt(most, (size_t)4 << 20);
	ad_close(g);
}

Test(replay, an_assignment_each_step)
{
	ad_graph *g = ad_open_f64();
	ad_node *mean = ad_buffer(g, "mean", AD_REAL, AD_SHAPE(2)), *w = ad_param(g, "w", AD_SHAPE(2)), *y;
	size_t mark = ad_mark(g);
	struct plan *plan = NULL;

	for (int step = 0; step < 6; step++) {
		double before = ad_at(mean, 1);

		ad_release(g, mark);
		ad_set_item(w, step);
		ad_assign(mean, ad_add(mean, w));
		y = ad_sum(ad_mul(mean, w), AD_ALL, false);
		cr_assert_eq(ad_backward(y), AD_OK, "%s", ad_errmsg(g));
		cr_assert_eq(ad_item(y), 2 * before * step);
		cr_assert_eq(ad_at(mean, 1), before + step);
		cr_assert(step < 2 || g->plans == plan, "one plan serves all");
		plan = g->plans;
	}
	ad_close(g);
}

Test(replay, marks_within_steps)
{
	ad_graph *g = ad_open_f64();
	ad_node *w = ad_param(g, "w", AD_SHAPE(3));
	size_t outer = ad_mark(g);

	for (int step = 0; step < 4; step++) {
		ad_node *h = ad_keep(ad_tanh(ad_mul(w, ad_constant(g, step + 1)))), *y;
		size_t inner = ad_mark(g);
		double first;

		ad_set_item(w, 0.1);
		y = ad_mean(h, AD_ALL, false);
		cr_assert_eq(ad_forward(y), AD_OK);
		first = ad_item(y);
		ad_release(g, inner);
		cr_assert_eq(ad_at(h, 0), tanh(0.1 * (step + 1)), "kept beyond the inner step");
		for (int k = 0; k < 3; k++) {
			y = ad_mean(ad_square(h), AD_ALL, false);
			cr_assert_eq(ad_backward(y), AD_OK);
			ad_release(g, inner);
			y = ad_mean(h, AD_ALL, false);
			cr_assert_eq(ad_forward(y), AD_OK);
			cr_assert_eq(ad_item(y), first);
			ad_release(g, inner);
		}
		ad_release(g, outer);
	}
	ad_close(g);
}

/* ---- calls in line and by function ---------------------------------------------------------------- */

static uint64_t draw(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return *state >> 33;
}

/* Functions of the library, whatever the compiler knows of their names. */
static ad_node *(*volatile binary[])(ad_node *, ad_node *) = { ad_add, ad_sub, ad_mul, ad_maximum, ad_greater };
static ad_node *(*volatile unary[])(ad_node *) = { ad_tanh, ad_sigmoid, ad_neg };

static ad_node *call(uint64_t kind, ad_node *a, ad_node *b, bool in_line)
{
	switch (kind) {
	case 0: return in_line ? ad_add(a, b) : binary[0](a, b);
	case 1: return in_line ? ad_sub(a, b) : binary[1](a, b);
	case 2: return in_line ? ad_mul(a, b) : binary[2](a, b);
	case 3: return in_line ? ad_maximum(a, b) : binary[3](a, b);
	case 4: return in_line ? ad_greater(a, b) : binary[4](a, b);
	case 5: return in_line ? ad_tanh(a) : unary[0](a);
	case 6: return in_line ? ad_sigmoid(a) : unary[1](a);
	case 7: return in_line ? ad_neg(a) : unary[2](a);
	case 8: return ad_add(a, ad_constant(ad_graph_of(a), 0.5));
	default: return ad_sum(a, AD_ALL, false);
	}
}

/* ways: bit 0 and 1, in line or by functions in the first and second half. */
static ad_node *drawn_graph(ad_graph *g, ad_node *w, uint64_t seed, unsigned ways)
{
	ad_node *node[64], *y;
	int n = 2;

	node[0] = w;
	node[1] = ad_leaf(g, "x", 0.25);
	for (int k = 0; k < 60; k++) {
		ad_node *a = node[draw(&seed) % (uint64_t)n], *b = node[draw(&seed) % (uint64_t)n];

		if (k % 9 == 0)
			ad_set_origin(g, draw(&seed) % 2 ? "model.yaml:3:1" : NULL);
		node[n++] = call(draw(&seed) % 10, a, b, ways >> (k >= 30) & 1);
		cr_assert(!ad_is_error(node[n - 1]), "%s", ad_errmsg(g));
	}
	y = ad_constant(g, 0);
	for (int k = n - 20; k < n; k++)
		y = ad_add(y, ad_sum(ad_tanh(node[k]), AD_ALL, false));
	return y;
}

Test(replay, in_line_and_by_function_are_the_same_calls)
{
	ad_graph *g = ad_open_f64();
	ad_node *w = ad_param(g, "w", AD_SHAPE(3));
	size_t mark = ad_mark(g);
	double values[] = { 0.5, -1, 0.125 };

	ad_set(w, values, 3);
	for (uint64_t seed = 1; seed <= 60; seed++) {
		ad_node *first = NULL;
		double loss = 0, dw[3] = { 0 }, have[3];
		size_t n = 0;

		for (unsigned step = 0; step < 8; step++) {
			ad_node *y;

			ad_release(g, mark);
			if (step == 4) /* another recording in between */
				drawn_graph(g, w, seed + 1000, 3), ad_release(g, mark);
			y = drawn_graph(g, w, seed, step);
			cr_assert_eq(ad_backward(y), AD_OK, "%s", ad_errmsg(g));
			ad_get(ad_gradient(w), have, 3);
			if (step == 0) {
				first = y, loss = ad_item(y), n = ad_nodes(g);
				memcpy(dw, have, sizeof dw);
			}
			cr_assert_eq(y, first, "graph %d, step %u", (int)seed, step);
			cr_assert_eq(ad_nodes(g), n);
			cr_assert_eq(ad_item(y), loss);
			cr_assert_eq(memcmp(dw, have, sizeof dw), 0);
		}
	}
	ad_close(g);
}

/* What must not be taken for the call that stood there the last time. */
Test(replay, calls_in_line_see_every_difference)
{
	ad_graph *g = ad_open_f64(), *other = ad_open_f64();
	ad_node *a = ad_leaf(g, "a", 3), *b = ad_leaf(g, "b", 2), *of_other = ad_leaf(other, "c", 1);
	size_t mark = ad_mark(g);
	ad_node *y = ad_sub(a, b), *again = ad_exp(y);

	ad_release(g, mark);
	cr_assert_neq(ad_sub(b, a), y, "its inputs are exchanged");
	ad_release(g, mark);
	cr_assert_neq(ad_sub(a, a), y);
	ad_release(g, mark);
	cr_assert_neq(ad_mul(a, b), y, "another op");
	ad_release(g, mark);
	cr_assert_neq(ad_neg(a), y);
	ad_release(g, mark);
	ad_set_origin(g, "here");
	cr_assert_neq(ad_sub(a, b), y, "another origin");
	ad_release(g, mark);
	ad_scope_begin(g, "layer");
	cr_assert_neq(ad_sub(a, b), y, "another scope");
	ad_scope_end(g);
	ad_release(g, mark);
	ad_training(g, false);
	cr_assert_neq(ad_sub(a, b), y, "another phase");
	ad_training(g, true);
	ad_release(g, mark);
	ad_checkpoint_begin(g);
	cr_assert_neq(ad_sub(a, b), y, "in a checkpoint");
	ad_checkpoint_end(g);
	ad_release(g, mark);
	cr_assert_eq(ad_sub(a, b), y, "and the same");
	cr_assert_eq(ad_exp(y), again);
	cr_assert_neq(ad_exp(y), again, "once more is another node");
	ad_release(g, mark);
	cr_assert(ad_is_error(ad_exp(y)), "it is not recorded");
	cr_assert_str_eq(ad_errmsg(g), "exp: its input 0, the result of sub, was released by ad_release and not recorded since");
	ad_clear(g);
	cr_assert(ad_is_error(ad_sub(a, of_other)));
	cr_assert_str_eq(ad_errmsg(g), "sub: its inputs belong to different graphs");
	ad_clear(g);
	cr_assert(ad_is_error(ad_sub(a, NULL)));
	cr_assert_str_eq(ad_errmsg(g), "sub: input 1 is missing (NULL)");
	ad_clear(g);
	cr_assert(ad_is_error(ad_sub(NULL, b)));
	cr_assert_str_eq(ad_errmsg(g), "sub: input 0 is missing (NULL)");
	cr_assert(ad_is_error(ad_sub(ad_sub(a, b), ad_exp(ad_sub(NULL, b)))), "errors are handed on");
	cr_assert(ad_is_error(ad_sub(NULL, NULL)), "on no graph");
	cr_assert(ad_is_error(ad_exp(NULL)));
	cr_assert(ad_is_error(ad_exp(ad_exp(NULL))));
	ad_close(g);
	ad_close(other);
}

/* A node with so many outputs that some lie in pieces of memory that begin like no other. */
Test(replay, calls_in_line_far_from_where_memory_begins)
{
	enum { N = 700 };
	ad_graph *g = ad_open_f64();
	ad_node *x[N], *dx[N], *y, *first = NULL;
	size_t mark;

	for (int k = 0; k < N; k++)
		x[k] = ad_leaf(g, "x", k);
	mark = ad_mark(g);
	for (int step = 0; step < 3; step++) {
		ad_node *sum;

		ad_release(g, mark);
		for (int k = 0; k < N; k++)
			dx[k] = ad_reshape(x[k], AD_SHAPE(1));
		y = ad_sum(ad_square(ad_concat(N, dx, 0)), AD_ALL, false);
		cr_assert(ad_grads(y, ad_constant(g, 1), N, x, dx));
		sum = ad_constant(g, 0);
		for (int k = 0; k < N; k++)
			sum = ad_add(ad_mul(dx[k], dx[N - 1 - k]), sum);
		cr_assert_eq(ad_forward(sum), AD_OK, "%s", ad_errmsg(g));
		cr_assert_eq(ad_item(sum), 4. * N * (N - 1) * (N - 2) / 6);
		cr_assert(step == 0 || sum == first);
		first = sum;
	}
	ad_close(g);
}
