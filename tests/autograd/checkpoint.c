/*
 * checkpoint: the same bits with less memory; profiles and memory of an evaluation.
 */
#include "plan.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { BLOCKS = 6, N = 2048 };

static ad_node *net(ad_graph *g, bool checkpoints, ad_node *w[BLOCKS])
{
	ad_node *x = ad_input(g, "x", AD_REAL, AD_SHAPE(N));
	double values[N];

	for (int k = 0; k < N; k++)
		values[k] = sin(k);
	ad_set(x, values, N);
	for (int b = 0; b < BLOCKS; b++) {
		if (checkpoints)
			ad_checkpoint_begin(g);
		ad_node *h = ad_mul(ad_tanh(ad_add(ad_cumsum(ad_mul(x, w[b]), 0, false), w[b])), w[b]);

		ad_checkpoint_begin(g); /* part of the one around it, if there is one */
		for (int k = 0; checkpoints && k < 1; k++)
			h = ad_dropout(ad_sin(ad_cumsum(h, 0, true)), 0.25);
		if (!checkpoints)
			h = ad_dropout(ad_sin(ad_cumsum(h, 0, true)), 0.25);
		ad_checkpoint_end(g);
		x = ad_add(x, h);
		if (checkpoints)
			ad_checkpoint_end(g);
	}
	return ad_mean(ad_square(x), AD_ALL, false);
}

Test(checkpoint, the_same_bits_with_less_memory)
{
	double loss[2], dw[2][BLOCKS];
	size_t peak[2];

	for (int way = 0; way < 2; way++) {
		ad_graph *g = ad_open();
		ad_node *w[BLOCKS], *y, *roots[1 + BLOCKS];
		size_t mark;
		ad_memory_use use;

		for (int b = 0; b < BLOCKS; b++) {
			w[b] = ad_param(g, "w", AD_SHAPE(1));
			ad_set_item(w[b], 0.1 * (b + 1));
		}
		mark = ad_mark(g);
		for (int step = 0; step < 3; step++) {
			ad_release(g, mark);
			ad_step(g, (uint64_t)step);
			y = net(g, way, w);
			cr_assert_eq(ad_backward(y), AD_OK, "%s", ad_errmsg(g));
		}
		loss[way] = ad_item(y);
		roots[0] = y;
		for (int b = 0; b < BLOCKS; b++) {
			dw[way][b] = ad_item(ad_gradient(w[b]));
			roots[1 + b] = ad_gradient(w[b]);
		}
		ad_set_item(w[0], 1);
		cr_assert_eq(ad_memory(g, roots, 1 + BLOCKS, &use), AD_OK);
		cr_assert_geq(use.leaves, N * 4);
		cr_assert_eq(use.params, BLOCKS * 4);
		peak[way] = use.shared;
		ad_close(g);
	}
	cr_assert_eq(loss[0], loss[1]);
	cr_assert_eq(memcmp(dw[0], dw[1], sizeof dw[0]), 0);
	cr_assert_lt(3 * peak[1], 2 * peak[0], "%zu bytes with checkpoints, %zu without", peak[1], peak[0]);
}

Test(checkpoint, to_the_second_order)
{
	double second[2];

	for (int way = 0; way < 2; way++) {
		ad_graph *g = ad_open_f64();
		ad_node *w = ad_param(g, "w", AD_SHAPE(3)), *h, *y, *dd;

		ad_set_item(w, 0.4);
		if (way)
			ad_checkpoint_begin(g);
		h = ad_softmax(ad_mul(ad_tanh(w), ad_cumsum(w, 0, false)), 0);
		if (way)
			ad_checkpoint_end(g);
		y = ad_sum(ad_square(h), AD_ALL, false);
		dd = ad_grad(ad_sum(ad_square(ad_grad(y, w)), AD_ALL, false), w);
		cr_assert_eq(ad_evaluate(g, &dd, 1), AD_OK, "%s", ad_errmsg(g));
		second[way] = ad_at(dd, 1);
		ad_close(g);
	}
	cr_assert_float_eq(second[0], second[1], 1e-13 * (1 + fabs(second[0])));
}

Test(profile, names_what_ran_and_how_often)
{
	ad_graph *g = ad_open();
	ad_node *x = ad_param(g, "x", AD_SHAPE(64, 64)), *y;
	const ad_profile_row *rows;
	double seconds, sum = 0;
	size_t n, products = 0, groups = 0;

	ad_set_item(x, 0.01);
	ad_scope_begin(g, "net");
	ad_scope_begin(g, "product");
	y = ad_matmul(x, x);
	ad_scope_end(g);
	y = ad_sum(ad_tanh(ad_sin(y)), AD_ALL, false);
	ad_scope_end(g);
	ad_profile(g, true);
	for (int k = 0; k < 3; k++) {
		ad_set_item(x, 0.01);
		cr_assert_eq(ad_backward(y), AD_OK);
	}
	n = ad_profile_rows(g, &rows, &seconds);
	for (size_t k = 0; k < n; k++) {
		cr_assert_eq(rows[k].calls % 3, 0);
		sum += rows[k].seconds;
		products += strncmp(rows[k].ops, "matmul", 6) == 0;
		groups += strstr(rows[k].ops, "sin + tanh") != NULL || strstr(rows[k].ops, "tanh + sin") != NULL;
		if (strncmp(rows[k].ops, "matmul", 6) == 0 && !rows[k].backward) {
			cr_assert_str_eq(rows[k].scope, "net.product");
			cr_assert_geq(rows[k].bytes, 3 * 3 * 64 * 64 * 4);
		}
	}
	cr_assert_eq(products, 2, "forward and backward");
	cr_assert_geq(groups, 2);
	cr_assert(sum > 0 && sum <= seconds);
	ad_profile(g, false);
	cr_assert_eq(ad_profile_rows(g, &rows, &seconds), 0);
	ad_close(g);
}

Test(profile, rows_outlive_the_recording)
{
	ad_graph *g = ad_open();
	ad_node *x = ad_param(g, "x", AD_SHAPE(64, 64));
	const ad_profile_row *rows;
	double seconds;
	size_t n;

	ad_set_item(x, 0.01);
	ad_profile(g, true);
	for (int k = 0; k < 4; k++) {
		size_t mark = ad_mark(g);
		ad_node *y;

		/* what is recorded before it moves the numbers of scopes */
		for (int other = 0; other < k; other++) {
			ad_scope_begin(g, "other");
			ad_scope_end(g);
		}
		ad_scope_begin(g, "net");
		y = ad_matmul(x, x);
		ad_scope_end(g);
		cr_assert_eq(ad_forward(y), AD_OK);
		ad_release(g, mark);
	}
	n = ad_profile_rows(g, &rows, &seconds);
	cr_assert_eq(n, 1);
	cr_assert_str_eq(rows[0].scope, "net");
	cr_assert_str_eq(rows[0].ops, "matmul");
	cr_assert_eq(rows[0].calls, 4);
	ad_close(g);
}

Test(profile, does_not_keep_from_watching)
{
	ad_graph *g = ad_open();
	ad_node *x = ad_param(g, "x", AD_SHAPE(4));

	ad_set_item(x, -1);
	ad_watch_nonfinite(g, true);
	ad_profile(g, true);
	cr_assert_eq(ad_forward(ad_add(ad_log(x), x)), AD_ERROR_NONFINITE);
	cr_assert(strstr(ad_errmsg(g), "log"), "%s", ad_errmsg(g));
	ad_close(g);
}
