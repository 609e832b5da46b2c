/*
 * plans: what shares memory, runs together or is taken up from an earlier step is never read as something else.
 */
#include "autograd.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static ad_node *waves(ad_graph *g, ad_shape shape, double from)
{
	ad_node *x = ad_param(g, "x", shape);
	double *v = malloc((ad_count(x) + 1) * sizeof *v);

	cr_assert(v);
	for (size_t k = 0; k < ad_count(x); k++)
		v[k] = sin(from + (double)k);
	ad_set(x, v, ad_count(x));
	free(v);
	return x;
}

/* A graph that evaluates node by node. */
static ad_graph *open_node_by_node(bool f64)
{
	ad_graph *g;

	setenv("AUTOGRAD_PLAN", "off", 1);
	g = f64 ? ad_open_f64() : ad_open();
	unsetenv("AUTOGRAD_PLAN");
	return g;
}

Test(plans, terms_of_a_sum_done_in_place_can_be_read)
{
	ad_graph *g = ad_open_f64();
	ad_node *a = waves(g, AD_SHAPE(3, 3), 1), *b = waves(g, AD_SHAPE(3, 3), 2);
	ad_node *first = ad_matmul(a, b), *second = ad_matmul(b, a), *y = ad_add(first, second), *z;

	cr_assert_eq(ad_evaluate(g, &y, 1), AD_OK);
	cr_assert_float_eq(ad_at(first, 0) + ad_at(second, 0), ad_at(y, 0), 1e-15);
	z = ad_neg(first);
	cr_assert_eq(ad_evaluate(g, &y, 1), AD_OK);
	cr_assert_eq(ad_evaluate(g, &z, 1), AD_OK);
	cr_assert_eq(ad_at(z, 0), -ad_at(first, 0));
	ad_close(g);
}

Test(plans, a_view_of_a_sum_done_in_place_keeps_its_memory)
{
	double value[2];

	for (int way = 0; way < 2; way++) {
		ad_graph *g = ad_open_f64();
		ad_node *a = waves(g, AD_SHAPE(4, 4), 1), *b = waves(g, AD_SHAPE(4, 4), 2), *sum, *view, *other, *y;

		if (way)
			ad_keep_all(g);
		sum = ad_add(ad_matmul(a, b), ad_matmul(b, a));
		view = ad_reshape(sum, AD_SHAPE(2, 8));
		other = ad_cumsum(ad_matmul(ad_cumsum(a, 0, false), b), 0, false);
		y = ad_sum(ad_mul(ad_softmax(view, 0), ad_reshape(other, AD_SHAPE(2, 8))), AD_ALL, false);
		cr_assert_eq(ad_evaluate(g, &y, 1), AD_OK);
		value[way] = ad_item(y);
		ad_close(g);
	}
	cr_assert_float_eq(value[0], value[1], 1e-14);
}

Test(plans, a_tape_reads_what_nothing_else_reads)
{
	ad_graph *g = ad_open_f64();
	ad_node *w = ad_leaf(g, "w", 3), *c = ad_input(g, "c", AD_REAL, AD_SCALAR), *y;

	ad_training(g, false);
	ad_set_item(c, 2);
	y = ad_mul(w, ad_where(ad_greater(c, ad_constant(g, 1)), ad_constant(g, 5), ad_constant(g, 7)));
	cr_assert_eq(ad_forward(y), AD_OK);
	cr_assert_eq(ad_backward(y), AD_OK);
	cr_assert_eq(ad_item(ad_gradient(w)), 5);
	ad_close(g);
}

Test(plans, a_tape_reads_terms_before_they_are_added_to)
{
	ad_graph *g = ad_open_f64();
	ad_node *a = ad_input(g, "a", AD_REAL, AD_SHAPE(1, 1)), *w = ad_leaf(g, "w", 3), *first, *p, *y;

	ad_set_item(a, 2);
	first = ad_matmul(a, a);
	p = ad_mul(first, w);
	y = ad_mul(p, ad_add(first, ad_matmul(a, a)));
	cr_assert_eq(ad_backward(y), AD_OK);
	cr_assert_eq(ad_item(ad_gradient(w)), 4 * 8);
	ad_close(g);
}

Test(plans, a_tape_stops_at_stop_gradient)
{
	ad_graph *g = ad_open_f64();
	ad_node *w = ad_leaf(g, "w", 3), *s = ad_sin(w);

	cr_assert_eq(ad_backward(ad_mul(ad_exp(ad_stop_gradient(s)), s)), AD_OK);
	cr_assert_float_eq(ad_item(ad_gradient(w)), exp(sin(3)) * cos(3), 1e-15);
	cr_assert_eq(ad_backward(ad_mul(ad_stop_gradient(s), s)), AD_OK);
	cr_assert_float_eq(ad_item(ad_gradient(w)), sin(3) * cos(3), 1e-15);
	ad_close(g);
}

Test(plans, groups_of_any_number_of_operands)
{
	for (int n = 1; n < 80; n++)
		for (int way = 0; way < 4; way++) {
			ad_graph *g = ad_open();
			ad_node *x = ad_param(g, "x", AD_SHAPE(5)), *y = x, *all[80];

			ad_training(g, way < 2);
			ad_set_item(x, 1);
			for (int k = 0; k < n; k++) {
				all[k] = way % 2 ? ad_constant(g, k) : ad_param(g, "b", AD_SHAPE(1));
				if (way % 2 == 0)
					ad_set_item(all[k], k);
				if (way > 1)
					all[k] = ad_mul(x, all[k]);
			}
			for (int k = 0; k < n; k++)
				y = ad_add(y, all[k]);
			y = ad_mean(y, AD_ALL, false);
			cr_assert_eq(ad_backward(y), AD_OK, "%d, way %d: %s", n, way, ad_errmsg(g));
			cr_assert_eq(ad_item(y), 1 + n * (n - 1) / 2);
			ad_close(g);
		}
}

Test(plans, sweeps_have_constants_of_their_own)
{
	ad_graph *g = ad_open_f64();
	ad_node *w = ad_leaf(g, "w", 1);
	size_t mark = ad_mark(g);
	double second[6];

	for (int step = 0; step < 6; step++) {
		ad_node *dy[2];

		ad_release(g, mark);
		dy[0] = ad_grad(ad_exp2(w), w);
		dy[1] = ad_grad(ad_expm1(w), w);
		cr_assert_eq(ad_backward(dy[step % 2]), AD_OK, "%s", ad_errmsg(g));
		second[step] = ad_item(ad_gradient(w));
	}
	for (int step = 0; step < 6; step++)
		cr_assert_float_eq(second[step], step % 2 ? exp(1) : 2 * log(2) * log(2), 1e-14, "step %d", step);
	ad_close(g);
}

Test(plans, kept_views_outlive_what_they_are_of)
{
	ad_graph *g = ad_open_f64();
	ad_node *w = waves(g, AD_SHAPE(300), 1), *h = ad_cumsum(w, 0, false), *view = ad_reshape(h, AD_SHAPE(300, 1));
	ad_node *many[40], *large;
	double before;

	for (int k = 0; k < 40; k++)
		many[k] = w;
	large = ad_concat(40, many, 0);
	cr_assert_eq(ad_forward(h), AD_OK);
	cr_assert_eq(ad_evaluate(g, &view, 1), AD_OK);
	before = ad_at(view, 7);
	ad_set_item(w, 2);
	/* h goes to another plan, and the memory of its first one to a third */
	cr_assert_eq(ad_evaluate(g, (ad_node *[]){ h, ad_exp(h) }, 2), AD_OK);
	cr_assert_eq(ad_at(view, 7), before);
	cr_assert_eq(ad_evaluate(g, &large, 1), AD_OK);
	cr_assert_eq(ad_at(view, 7), before);
	cr_assert_eq(ad_at(h, 7), 16);
	ad_close(g);
}

Test(plans, kept_values_outlive_the_step_that_computed_them)
{
	for (int way = 0; way < 2; way++) {
		ad_graph *g = way ? open_node_by_node(true) : ad_open_f64();
		ad_node *w = ad_param(g, "w", AD_SHAPE(30)), *h = ad_keep(ad_tanh(w)), *y;
		size_t mark;

		ad_set_item(w, 0.1);
		mark = ad_mark(g);
		y = ad_sum(ad_sin(h), AD_ALL, false);
		cr_assert_eq(ad_evaluate(g, &y, 1), AD_OK);
		ad_release(g, mark);
		ad_set_item(w, 5);
		cr_assert_eq(ad_at(h, 29), tanh(0.1), "%s", ad_errmsg(g));
		cr_assert_eq(ad_evaluate(g, &h, 1), AD_OK);
		cr_assert_eq(ad_at(h, 29), tanh(5.0));
		ad_close(g);
	}
}

Test(plans, wishes_for_leaves_before_the_mark_last)
{
	ad_graph *g = ad_open_f64();
	ad_node *w = ad_param(g, "w", AD_SCALAR), *v = ad_leaf(g, "v", 2), *y;
	size_t mark = ad_mark(g);

	for (int step = 0; step < 8; step++) {
		ad_release(g, mark);
		if (step % 2 == 0)
			ad_want_gradient(v, step % 4 != 0);
		y = ad_mul(ad_sin(w), v);
		cr_assert_eq(ad_backward(y), AD_OK);
		cr_assert_eq(ad_gradient(v) != NULL, step % 4 > 1, "step %d", step);
	}
	ad_close(g);
}

Test(plans, a_gradient_that_is_no_longer_wished_goes)
{
	ad_graph *g = ad_open_f64();
	ad_node *w = ad_param(g, "w", AD_SCALAR), *v = ad_param(g, "v", AD_SCALAR);
	size_t mark = ad_mark(g);

	for (int step = 0; step < 3; step++) {
		ad_node *y;

		ad_release(g, mark);
		y = ad_mul(ad_sin(w), v);
		ad_want_gradient(v, true);
		cr_assert_eq(ad_backward(y), AD_OK);
		cr_assert(ad_gradient(v));
		ad_want_gradient(v, false);
		cr_assert_eq(ad_backward(ad_mul(y, v)), AD_OK);
		cr_assert_null(ad_gradient(v), "step %d", step);
	}
	ad_close(g);
}

Test(plans, a_released_node_cannot_be_assigned)
{
	ad_graph *g = ad_open_f64();
	ad_node *b = ad_buffer(g, "b", AD_REAL, AD_SHAPE(2)), *next;
	size_t mark = ad_mark(g);

	next = ad_add(b, ad_constant(g, 1));
	ad_release(g, mark);
	ad_assign(b, next);
	cr_assert_str_eq(ad_errmsg(g),
	                 "assign: the result of add was released by ad_release and not recorded since");
	ad_close(g);
}

Test(plans, anomalies_are_seen_in_profiles)
{
	ad_graph *g = ad_open_f64();
	ad_node *y = ad_sum(ad_log(ad_param(g, "b", AD_SHAPE(2))), AD_ALL, false);

	ad_watch_nonfinite(g, true);
	ad_profile(g, true);
	cr_assert_eq(ad_forward(y), AD_ERROR_NONFINITE);
	ad_close(g);
}

Test(plans, tapes_are_backward_in_profiles)
{
	ad_graph *g = ad_open_f64();
	ad_node *w = ad_leaf(g, "w", 3);
	const ad_profile_row *rows;
	double seconds;

	ad_profile(g, true);
	cr_assert_eq(ad_backward(ad_mul(w, w)), AD_OK);
	cr_assert_eq(ad_profile_rows(g, &rows, &seconds), 2);
	cr_assert(!rows[0].backward && rows[1].backward);
	ad_close(g);
}

Test(plans, signs_of_zero_and_ends_of_ranges)
{
	for (int way = 0; way < 2; way++) {
		ad_graph *g = way ? open_node_by_node(false) : ad_open();
		ad_node *a = ad_leaf(g, "a", -0.0), *b = ad_leaf(g, "b", 1), *i, *j, *y;

		cr_assert_eq(ad_backward(ad_mul(a, b)), AD_OK);
		cr_assert(signbit(ad_item(ad_gradient(b))));
		ad_training(g, false);
		i = ad_input(g, "i", AD_I32, AD_SHAPE(2));
		j = ad_input(g, "j", AD_I32, AD_SHAPE(2));
		ad_set_item(i, 2147483647);
		ad_set_item(j, 1);
		y = ad_sub(ad_add(i, j), j);
		cr_assert_eq(ad_forward(y), AD_OK);
		cr_assert_eq(ad_at(y, 1), 2147483646);
		ad_close(g);
	}
}

Test(plans, marks_at_one_node_in_different_scopes)
{
	ad_graph *g = ad_open();
	size_t outer = ad_mark(g), inner;

	for (int k = 0; k < 2; k++) {
		ad_scope_begin(g, "a");
		inner = ad_mark(g);
		cr_assert_eq(ad_scope_of(ad_constant(g, 1)), 1);
		ad_release(g, inner);
		cr_assert_eq(ad_scope_of(ad_constant(g, 1)), 1);
		ad_release(g, outer);
		cr_assert_eq(ad_scope_of(ad_constant(g, 1)), 0);
		ad_release(g, outer);
	}
	ad_close(g);
}

Test(plans, streams_by_turns_share_what_they_keep)
{
	ad_graph *g = ad_open();
	ad_node *w = ad_param(g, "w", AD_SHAPE(1000));
	size_t mark = ad_mark(g);

	/* enough for what one of them keeps, not for two */
	ad_limit_memory(g, 400000);
	for (int step = 0; step < 12; step++) {
		ad_node *h = w;

		ad_release(g, mark);
		for (int k = 0; k < 60 + step % 3; k++)
			h = ad_cumsum(h, 0, k % 2);
		cr_assert_eq(ad_forward(ad_mean(h, AD_ALL, false)), AD_OK, "step %d: %s", step, ad_errmsg(g));
	}
	ad_close(g);
}

/* What a net of gates gives for x (6, 40, 30) cut into n parts along an axis: y, then the gradient. */
static void gates(ad_graph *g, int axis, int n, double out[])
{
	ad_node *x = waves(g, AD_SHAPE(6, 40, 30), 1), *whole = ad_cumsum(x, 0, false), *cut, *made[4], *y;

	cut = ad_chunk(whole, n, axis);
	for (int k = 0; k < n; k++) {
		ad_node *part = ad_output(cut, k), *other = ad_output(cut, (k + 1) % n);

		made[k] = k % 2 ? ad_tanh(ad_add(part, other)) : ad_mul(ad_sigmoid(part), ad_square(other));
	}
	/* joined in an order that is not the one of making, and cut again */
	y = ad_concat((size_t)n, (ad_node *[]){ made[n - 1], made[0], made[1], made[2] }, axis);
	y = ad_cumsum(ad_mul(ad_concat(2, (ad_node *[]){ y, ad_sin(whole) }, 0), ad_constant(g, 0.5)), 1, false);
	cut = ad_split(y, AD_INTS(7, 5), 0);
	y = ad_mean(ad_mul(ad_sum_to(ad_tanh(ad_output(cut, 0)), AD_SHAPE(40, 30)),
	                   ad_sum_to(ad_cos(ad_output(cut, 1)), AD_SHAPE(40, 30))), AD_ALL, false);
	cr_assert_eq(ad_backward(y), AD_OK, "%s", ad_errmsg(g));
	out[0] = ad_item(y);
	cr_assert_eq(ad_get(ad_gradient(x), out + 1, ad_count(x)), AD_OK);
}

Test(plans, parts_are_read_and_written_where_they_lie)
{
	enum { N = 1 + 6 * 40 * 30 };
	double *value[2] = { malloc(N * sizeof(double)), malloc(N * sizeof(double)) };
	static const int parts[] = { 2, 4, 3 };

	for (int axis = 0; axis < 3; axis++)
		for (int f64 = 0; f64 < 2; f64++) {
			ad_graph *g = f64 ? ad_open_f64() : ad_open(), *alone = open_node_by_node(f64);

			gates(g, axis, parts[axis], value[0]);
			gates(alone, axis, parts[axis], value[1]);
			for (size_t k = 0; k < N; k++)
				cr_assert_eq(value[0][k], value[1][k], "axis %d, %s, number %zu: %.17g, not %.17g",
				             axis, f64 ? "f64" : "f32", k, value[0][k], value[1][k]);
			ad_close(g);
			ad_close(alone);
		}
	free(value[0]);
	free(value[1]);
}
