/*
 * evaluate: plans, shared buffers, what may be read afterwards, random numbers, indices.
 */
#include "plan.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* A net with branches, views and reductions, on n numbers. */
static ad_node *net(ad_graph *g, ad_node **w)
{
	ad_node *x = ad_input(g, "x", AD_REAL, AD_SHAPE(6, 8)), *h;
	double values[48];

	for (int k = 0; k < 48; k++)
		values[k] = sin(k * 0.7);
	ad_set(x, values, 48);
	*w = ad_param(g, "w", AD_SHAPE(8, 8));
	for (int k = 0; k < 48; k++)
		values[k] = cos(k);
	ad_set_item(*w, 0.1);
	h = ad_tanh(ad_matmul(x, *w));
	h = ad_add(h, ad_sigmoid(ad_reshape(ad_exp(ad_neg(h)), AD_SHAPE(6, 8))));
	h = ad_reshape(ad_mul(h, ad_sum(h, AD_INTS(0), true)), AD_SHAPE(48));
	return ad_sum(ad_square(ad_reshape(h, AD_SHAPE(8, 6))), AD_ALL, false);
}

Test(evaluate, sharing_buffers_does_not_change_a_bit)
{
	double dw[2][64], loss[2];

	for (int all = 0; all < 2; all++) {
		ad_graph *g = ad_open();
		ad_node *w, *y = net(g, &w);

		if (all)
			ad_keep_all(g);
		cr_assert_eq(ad_backward(y), AD_OK, "%s", ad_errmsg(g));
		loss[all] = ad_item(y);
		ad_get(ad_gradient(w), dw[all], 64);
		ad_close(g);
	}
	cr_assert_eq(loss[0], loss[1]);
	cr_assert_eq(memcmp(dw[0], dw[1], sizeof dw[0]), 0);
}

Test(evaluate, buffers_are_shared_and_reused_in_place)
{
	ad_graph *g = ad_open();
	ad_node *x = ad_input(g, "x", AD_REAL, AD_SHAPE(1024)), *y = x;

	for (int k = 0; k < 50; k++)
		y = ad_tanh(y);
	ad_set_item(x, 1);
	ad_training(g, false);
	cr_assert_eq(ad_forward(y), AD_OK);
	cr_assert_leq(g->plans->workspace, 2 * 4096, "50 values of 4 KiB need the room of one or two");
	ad_close(g);
}

Test(evaluate, the_same_roots_use_the_same_plan)
{
	ad_graph *g = ad_open();
	ad_node *w, *y = net(g, &w);
	struct plan *first;

	cr_assert_eq(ad_backward(y), AD_OK);
	first = g->plans;
	for (int k = 0; k < 5; k++) {
		ad_set_item(w, 0.1 * k);
		cr_assert_eq(ad_backward(y), AD_OK);
	}
	cr_assert_eq(g->plans, first);
	cr_assert_null(first->next, "one plan served all");
	ad_close(g);
}

Test(evaluate, forward_then_backward_computes_once)
{
	ad_graph *g = ad_open();
	ad_node *w, *y = net(g, &w);
	double before;

	cr_assert_eq(ad_forward(y), AD_OK);
	before = ad_item(y);
	size_t forward_steps = g->plans->n_steps;

	cr_assert_eq(ad_backward(y), AD_OK);
	for (size_t k = 0; k < g->plans->n_steps; k++)
		cr_assert(!ad_depends(y, g->plans->steps[k].node), "no forward op runs again");
	cr_assert_gt(forward_steps, 0);
	cr_assert_eq(ad_item(y), before);
	ad_close(g);
}

Test(evaluate, a_value_not_kept_is_computed_again_on_reading)
{
	ad_graph *g = ad_open_f64();
	ad_node *x = ad_param(g, "x", AD_SHAPE(2)), *other = ad_leaf(g, "other", 1);
	ad_node *h = ad_square(x), *y = ad_exp(ad_neg(h));

	ad_set_item(x, 2);
	ad_training(g, false);
	cr_assert_eq(ad_forward(y), AD_OK);
	ad_set_item(other, 5);
	cr_assert_eq(ad_at(h, 1), 4, "what it depends on has not changed");
	cr_assert_eq(ad_forward(y), AD_OK);
	ad_set_item(x, 3);
	cr_assert(isnan(ad_at(ad_input_of(y, 0), 1)));
	cr_assert_eq(ad_status_of(g), AD_ERROR_VALUE);
	cr_assert(strstr(ad_errmsg(g), "not kept"), "%s", ad_errmsg(g));
	ad_close(g);
}

Test(evaluate, kept_values_stay)
{
	ad_graph *g = ad_open_f64();
	ad_node *x = ad_leaf(g, "x", 2), *h = ad_keep(ad_square(x)), *y = ad_exp(ad_neg(h));

	ad_training(g, false);
	cr_assert_eq(ad_forward(y), AD_OK);
	ad_set_item(x, 3);
	cr_assert_eq(ad_item(h), 4);
	cr_assert_float_eq(ad_item(y), exp(-4), 1e-15);
	ad_close(g);
}

Test(evaluate, a_kept_view_of_a_leaf_does_not_follow_it)
{
	ad_graph *g = ad_open_f64();
	ad_node *x = ad_input(g, "x", AD_REAL, AD_SHAPE(4)), *v = ad_reshape(x, AD_SHAPE(2, 2));

	ad_set_item(x, 1);
	cr_assert_eq(ad_forward(v), AD_OK);
	ad_set_item(x, 2);
	cr_assert_eq(ad_at(v, 3), 1);
	ad_close(g);
}

Test(evaluate, several_roots_in_one_go)
{
	ad_graph *g = ad_open_f64();
	ad_node *x = ad_leaf(g, "x", 2), *a = ad_square(x), *b = ad_exp(a), *c = ad_neg(x);

	cr_assert_eq(ad_evaluate(g, (ad_node *[]){ b, a, c, x, a }, 5), AD_OK);
	cr_assert_eq(ad_item(a), 4);
	cr_assert_float_eq(ad_item(b), exp(4), 1e-12);
	cr_assert_eq(ad_item(c), -2);
	ad_close(g);
}

Test(evaluate, an_assignment_comes_after_all_readers)
{
	ad_graph *g = ad_open_f64();
	ad_node *x = ad_leaf(g, "x", 10), *mean = ad_buffer(g, "mean", AD_REAL, AD_SCALAR);
	ad_node *next = ad_add(ad_mul(mean, ad_constant(g, 0.5)), ad_mul(x, ad_constant(g, 0.5)));
	ad_node *y = ad_sub(x, mean);

	ad_assign(mean, next);
	for (int k = 0; k < 3; k++) {
		double before = ad_item(mean);

		ad_set_item(x, 10);
		cr_assert_eq(ad_forward(y), AD_OK, "%s", ad_errmsg(g));
		cr_assert_eq(ad_item(y), 10 - before, "y saw the mean before");
		cr_assert_eq(ad_item(mean), before / 2 + 5);
	}
	ad_close(g);
}

Test(evaluate, indices_are_exact_in_an_f32_graph)
{
	ad_graph *g = ad_open();
	ad_node *a = ad_input(g, "a", AD_I32, AD_SHAPE(3)), *b = ad_input(g, "b", AD_I32, AD_SHAPE(3));
	ad_node *same = ad_equal(a, b), *sum = ad_add(a, b);

	ad_set_i32(a, (int32_t[]){ 16777217, 5, INT32_MAX }, 3);
	ad_set_i32(b, (int32_t[]){ 16777216, 5, 1 }, 3);
	cr_assert_eq(ad_evaluate(g, (ad_node *[]){ same, sum }, 2), AD_OK, "%s", ad_errmsg(g));
	cr_assert_eq(ad_type_of(sum), AD_I32);
	cr_assert_eq(ad_at(same, 0), 0, "2^24 and 2^24 + 1 differ");
	cr_assert_eq(ad_at(same, 1), 1);
	cr_assert_eq(ad_at(sum, 0), 33554433);
	cr_assert_eq(ad_at(sum, 2), INT32_MAX, "a sum out of range stays at the limit");
	ad_close(g);
}

Test(evaluate, a_mask_of_the_step_stays_until_the_step_moves)
{
	ad_graph *g = ad_open();
	ad_node *x = ad_param(g, "x", AD_SHAPE(1000)), *y = ad_dropout(x, 0.5);
	ad_node *z = ad_dropout(x, 0.5);
	double first[1000], again[1000], other[1000];
	int kept = 0, differ = 0;

	ad_set_item(x, 1);
	ad_seed(g, 7);
	cr_assert_eq(ad_evaluate(g, (ad_node *[]){ y, z }, 2), AD_OK, "%s", ad_errmsg(g));
	ad_get(y, first, 1000);
	ad_get(z, other, 1000);
	for (int k = 0; k < 1000; k++) {
		cr_assert(first[k] == 0 || first[k] == 2);
		kept += first[k] != 0;
		differ += first[k] != other[k];
	}
	cr_assert(kept > 420 && kept < 580, "%d of 1000 kept", kept);
	cr_assert_gt(differ, 300, "two dropouts have masks of their own");
	ad_set_item(x, 1);
	ad_forward(y);
	ad_get(y, again, 1000);
	cr_assert_eq(memcmp(first, again, sizeof first), 0);
	ad_step(g, 1);
	ad_forward(y);
	ad_get(y, again, 1000);
	cr_assert_neq(memcmp(first, again, sizeof first), 0);
	ad_close(g);
}

/* Known answers from the authors' Random123 distribution, kat_vectors: philox4x32-10. */
Test(evaluate, philox_known_answers)
{
	uint32_t out[4];

	ad_philox((ad_random){ 0, 0, 0 }, 0, out);
	cr_assert(out[0] == 0x6627e8d5 && out[1] == 0xe169c58d && out[2] == 0xbc57ac4c &&
	          out[3] == 0x9b00dbd8);
	ad_philox((ad_random){ .seed = UINT64_C(0x299f31d0a4093822), .step = 0x03707344,
	                       .ordinal = 0x13198a2e },
	          UINT64_C(0x85a308d3243f6a88), out);
	cr_assert(out[0] == 0xd16cfe09 && out[1] == 0x94fdcceb && out[2] == 0x5001e420 &&
	          out[3] == 0x24126ea1);
	for (uint64_t k = 0; k < 1000; k++) {
		double u = ad_uniform_at((ad_random){ 1, 2, 3 }, k);

		cr_assert(u >= 0 && u < 1);
	}
}

Test(evaluate, tiles_convert_broadcast_and_meet_their_ends)
{
	ad_graph *g = ad_open();
	/* more than one tile, and no multiple of it */
	ad_node *a = ad_input(g, "a", AD_REAL, AD_SHAPE(37, 1, 31)), *b = ad_input(g, "b", AD_BOOL, AD_SHAPE(5, 1));
	ad_node *y = ad_add(a, b);
	float *x = ad_write(a);

	for (int k = 0; k < 37 * 31; k++)
		x[k] = (float)k;
	ad_set(b, (double[]){ 0, 1, 1, 0, 1 }, 5);
	cr_assert_eq(ad_forward(y), AD_OK, "%s", ad_errmsg(g));
	for (int i = 0; i < 37; i++)
		for (int j = 0; j < 5; j++)
			for (int k = 0; k < 31; k++)
				cr_assert_eq(ad_at(y, (size_t)((i * 5 + j) * 31 + k)),
				             i * 31 + k + (j == 1 || j == 2 || j == 4));
	ad_close(g);
}

Test(evaluate, empty_arrays)
{
	ad_graph *g = ad_open();
	ad_node *x = ad_param(g, "x", AD_SHAPE(0, 3)), *y = ad_sum(ad_exp(x), AD_ALL, false);

	cr_assert_eq(ad_backward(y), AD_OK, "%s", ad_errmsg(g));
	cr_assert_eq(ad_item(y), 0);
	cr_assert_eq(ad_count(ad_gradient(x)), 0);
	ad_close(g);
}

Test(evaluate, two_buffers_swap)
{
	ad_graph *g = ad_open_f64();
	ad_node *a = ad_buffer(g, "a", AD_REAL, AD_SHAPE(5)), *b = ad_buffer(g, "b", AD_REAL, AD_SHAPE(5));

	ad_set_item(a, 1);
	ad_set_item(b, 2);
	ad_assign(a, b);
	ad_assign(b, a);
	cr_assert_eq(ad_forward(ad_add(a, b)), AD_OK, "%s", ad_errmsg(g));
	cr_assert_eq(ad_at(a, 4), 2);
	cr_assert_eq(ad_at(b, 4), 1);
	ad_close(g);
}

Test(evaluate, reading_assigns_nothing)
{
	ad_graph *g = ad_open_f64();
	ad_node *b = ad_buffer(g, "b", AD_REAL, AD_SCALAR), *h = ad_exp(b), *y = ad_neg(h);

	ad_training(g, false);
	cr_assert_eq(ad_forward(y), AD_OK);
	ad_assign(b, ad_add(b, ad_constant(g, 1)));
	cr_assert_eq(ad_item(h), 1, "computed again on reading");
	cr_assert_eq(ad_item(b), 0);
	ad_set_item(b, 1);
	cr_assert_eq(ad_forward(y), AD_OK);
	cr_assert_eq(ad_item(b), 2);
	ad_close(g);
}

Test(evaluate, a_value_of_an_earlier_mask_is_gone)
{
	ad_graph *g = ad_open();
	ad_node *x = ad_param(g, "x", AD_SHAPE(64)), *d = ad_exp(ad_dropout(x, 0.5));
	ad_node *y = ad_sum(ad_square(d), AD_ALL, false);

	ad_set_item(x, 1);
	ad_training(g, false);
	cr_assert_eq(ad_forward(y), AD_OK);
	ad_step(g, 2);
	cr_assert(isnan(ad_at(d, 0)), "the mask has changed since");
	cr_assert_eq(ad_status_of(g), AD_ERROR_VALUE);
	ad_close(g);
}

Test(evaluate, plans_survive_readings)
{
	ad_graph *g = ad_open_f64();
	ad_node *x = ad_input(g, "x", AD_REAL, AD_SHAPE(4)), *h[40], *y = x;
	struct plan *p;
	size_t n = 0;

	for (int k = 0; k < 40; k++)
		y = h[k] = ad_sin(y);
	ad_training(g, false);
	for (int step = 0; step < 3; step++) {
		ad_set_item(x, step);
		cr_assert_eq(ad_forward(y), AD_OK);
		for (int k = 0; k < 3; k++)
			ad_at(h[30], 0);
	}
	for (p = g->plans; p; p = p->next)
		n++;
	cr_assert_leq(n, 3, "%zu plans for one evaluation and one reading", n);
	ad_close(g);
}

Test(evaluate, anomaly_mode_names_the_first_op)
{
	ad_graph *g = ad_open_f64();
	ad_node *x = ad_input(g, "x", AD_REAL, AD_SHAPE(3)), *w = ad_param(g, "w", AD_SHAPE(3)), *y;

	ad_set(x, (double[]){ 4, 0.5, 2 }, 3);
	ad_set(w, (double[]){ 1, 1, -2 }, 3);
	ad_scope_begin(g, "block");
	ad_scope_begin(g, "norm");
	ad_set_origin(g, "mlp.yaml:14:5");
	y = ad_name(ad_sqrt(ad_name(ad_mul(x, w), "h")), "r");
	ad_set_origin(g, NULL);
	ad_scope_end(g);
	ad_scope_end(g);
	y = ad_sum(ad_exp(y), AD_ALL, false);
	cr_assert_eq(ad_backward(y), AD_OK, "without it nothing is said");
	cr_assert(isnan(ad_item(y)));
	ad_watch_nonfinite(g, true);
	ad_set_item(w, 1);
	cr_assert_eq(ad_backward(y), AD_OK, "finite numbers pass: %s", ad_errmsg(g));
	ad_set(w, (double[]){ 1, 1, -2 }, 3);
	cr_assert_eq(ad_backward(y), AD_ERROR_NONFINITE);
	cr_assert_str_eq(ad_errmsg(g), "sqrt: the first NaN, at element 2 of 'r', shape (3,), in block.norm at "
	                               "mlp.yaml:14:5; input 0, 'h': -4 to 4, mean 0.1667");
	/* finite forward, infinite backward */
	ad_clear(g);
	ad_set(w, (double[]){ 1, 0, 1 }, 3);
	cr_assert_eq(ad_backward(y), AD_ERROR_NONFINITE);
	cr_assert(strstr(ad_errmsg(g), "backward of sqrt: the first infinity, at element 1"), "%s",
	          ad_errmsg(g));
	/* a leaf that brings it in */
	ad_clear(g);
	ad_set(w, (double[]){ 1, NAN, 1 }, 3);
	cr_assert_eq(ad_forward(y), AD_ERROR_NONFINITE);
	cr_assert_str_eq(ad_errmsg(g), "mul: its input 'w' holds a NaN at element 1 of (3,)");
	ad_close(g);
}

/* A product of transposed matrices, with and without a transposition on record. */
static double transposed(bool on_record, bool f64, double dw[12], size_t *steps)
{
	ad_graph *g = f64 ? ad_open_f64() : ad_open();
	ad_node *x = ad_input(g, "x", AD_REAL, AD_SHAPE(5, 4)), *w = ad_param(g, "w", AD_SHAPE(3, 4)), *y, *z;
	double values[20], loss;

	for (int k = 0; k < 20; k++)
		values[k] = sin(k);
	ad_set(x, values, 20);
	ad_set(w, values + 3, 12);
	y = on_record ? ad_matmul(x, ad_transpose(w, 0, 1)) : ad_matmul_transposed(x, w, false, true);
	z = on_record ? ad_matmul(ad_transpose(y, 0, 1), y) : ad_matmul_transposed(y, y, true, false);
	y = ad_add(ad_sum(ad_square(z), AD_ALL, false), ad_sum(y, AD_ALL, false));
	cr_assert_eq(ad_backward(y), AD_OK, "%s", ad_errmsg(g));
	loss = ad_item(y);
	ad_get(ad_gradient(w), dw, 12);
	*steps = 0;
	for (size_t k = 0; k < g->plans->n_steps; k++)
		*steps += !g->plans->steps[k].gone && strcmp(g->plans->steps[k].node->op->name, "permute") == 0;
	ad_close(g);
	return loss;
}

Test(evaluate, transposed_matrices_are_read_in_place)
{
	for (int f64 = 0; f64 < 2; f64++) {
		double a[12], b[12];
		size_t steps;

		cr_assert_eq(transposed(true, f64, a, &steps), transposed(false, f64, b, &steps));
		cr_assert_eq(memcmp(a, b, sizeof a), 0);
		transposed(true, f64, a, &steps);
		cr_assert_eq(steps, 0, "%zu transpositions are left", steps);
	}
}

/* A weight used several times: its gradient is added up by the kernels. */
Test(evaluate, gradients_of_several_uses_are_added_in_place)
{
	double dw[2][16];

	for (int all = 0; all < 2; all++) {
		ad_graph *g = ad_open_f64();
		ad_node *w = ad_param(g, "w", AD_SHAPE(4, 4)), *h = ad_param(g, "h", AD_SHAPE(3, 4)), *y;
		size_t adding = 0, additions = 0;

		ad_set_item(h, 0.5);
		for (int k = 0; k < 16; k++)
			((double *)ad_write(w))[k] = sin(k) / 4;
		if (all)
			ad_keep_all(g);
		for (int k = 0; k < 5; k++)
			h = ad_tanh(ad_matmul(h, w));
		y = ad_sum(h, AD_ALL, false);
		cr_assert_eq(ad_backward(y), AD_OK, "%s", ad_errmsg(g));
		ad_get(ad_gradient(w), dw[all], 16);
		for (size_t k = 0; k < g->plans->n_steps; k++) {
			adding += g->plans->steps[k].adds != 0;
			additions += !g->plans->steps[k].gone && strcmp(g->plans->steps[k].node->op->name, "add") == 0;
		}
		cr_assert(all || (adding == 4 && additions == 0), "%zu kernels add, %zu additions", adding, additions);
		ad_close(g);
	}
	for (int k = 0; k < 16; k++)
		cr_assert_float_eq(dw[0][k], dw[1][k], 1e-14);
}

/* An element-wise op behind a product runs on its rows as they are finished; what the product reads stays. */
Test(evaluate, groups_led_by_a_kernel)
{
	double loss[2], dw[2][64];

	for (int all = 0; all < 2; all++) {
		ad_graph *g = ad_open();
		ad_node *x = ad_input(g, "x", AD_REAL, AD_SHAPE(64, 8)), *w = ad_param(g, "w", AD_SHAPE(8, 8)), *h, *y;
		size_t led = 0;

		for (int k = 0; k < 512; k++)
			((float *)ad_write(x))[k] = (float)sin(k);
		for (int k = 0; k < 64; k++)
			((float *)ad_write(w))[k] = (float)cos(k);
		if (all)
			ad_keep_all(g);
		h = ad_sin(x);
		for (int k = 0; k < 3; k++)
			h = ad_add(ad_tanh(ad_linear(h, w, NULL)), h);
		y = ad_mean(ad_square(h), AD_ALL, false);
		cr_assert_eq(ad_backward(y), AD_OK, "%s", ad_errmsg(g));
		loss[all] = ad_item(y);
		ad_get(ad_gradient(w), dw[all], 64);
		for (size_t k = 0; k < g->plans->n_actions; k++)
			led += g->plans->actions[k].leads;
		cr_assert_geq(led, 3);
		ad_close(g);
	}
	cr_assert_eq(loss[0], loss[1]);
	for (int k = 0; k < 64; k++)
		cr_assert_float_eq(dw[0][k], dw[1][k], 1e-6);
}
