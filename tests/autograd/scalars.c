/*
 * scalars: programs and tapes give what node by node gives, to the second order.
 */
#include "graph.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { LEAVES = 5, MOST = 1600 };

static uint64_t draw(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return *state >> 33;
}

/* A sum of products of nodes so far, written in either order; perhaps something else reads what comes in between. */
static ad_node *sum_of_products(ad_node *start, ad_node *node[], int *n, uint64_t *seed)
{
	ad_node *y = start;
	int products = 1 + (int)(draw(seed) % 5), drawn = *n;

	for (int k = 0; k < products; k++) {
		ad_node *a = draw(seed) % 3 ? node[draw(seed) % (uint64_t)drawn] : y;
		ad_node *product = ad_mul(ad_tanh(a), ad_tanh(node[draw(seed) % (uint64_t)drawn]));

		if (draw(seed) % 2)
			product = ad_mul(a, node[draw(seed) % (uint64_t)LEAVES]);
		if (draw(seed) % 6 == 0)
			node[(*n)++] = product;
		y = draw(seed) % 2 ? ad_add(y, product) : ad_add(product, y);
		if (draw(seed) % 6 == 0)
			node[(*n)++] = y;
	}
	return y;
}

/* A graph of single numbers with views, shapes of one element, and branches that lead nowhere. */
static ad_node *build(ad_graph *g, uint64_t seed, ad_node *leaf[LEAVES])
{
	ad_node *node[MOST], *y;
	int n = 0, steps = 10 + (int)(draw(&seed) % 120);
	uint64_t kinds = draw(&seed) % 2 ? 12 : 8; /* 8: element-wise ops alone */

	for (int k = 0; k < LEAVES; k++) {
		leaf[k] = k % 2 ? ad_param(g, "p", k == 3 && kinds > 8 ? AD_SHAPE(1) : AD_SCALAR) : ad_leaf(g, "x", 0);
		ad_set_item(leaf[k], sin((double)(draw(&seed) % 1000)));
		node[n++] = leaf[k];
	}
	node[n++] = ad_constant(g, 0.75);
	for (int k = 0; k < steps; k++) {
		ad_node *a = node[draw(&seed) % 4 ? (uint64_t)n - 1 - draw(&seed) % 5 : draw(&seed) % (uint64_t)n];
		ad_node *b = node[draw(&seed) % (uint64_t)n];

		if (draw(&seed) % 4 == 0)
			a = sum_of_products(a, node, &n, &seed);
		switch (draw(&seed) % kinds) {
		case 0: y = ad_add(a, b); break;
		case 1: y = ad_sub(a, b); break;
		case 2: y = ad_mul(a, ad_tanh(b)); break;
		case 3: y = ad_div(a, ad_add(ad_square(b), ad_constant(g, 1))); break;
		case 4: y = ad_neg(a); break;
		case 5: y = ad_square(ad_sin(a)); break;
		case 6: y = ad_sigmoid(a); break;
		case 7: y = ad_exp(ad_tanh(a)); break;
		case 8: y = ad_reshape(a, AD_SHAPE(1, 1)); break;
		case 9: y = ad_stop_gradient(a); break;
		case 10: y = ad_sum(ad_mul(a, b), AD_ALL, false); break;
		default: y = ad_add(a, a); break;
		}
		cr_assert(!ad_is_error(y), "%s", ad_errmsg(g));
		node[n++] = y;
	}
	y = ad_constant(g, 0);
	for (int k = n - 4; k < n; k++)
		y = ad_add(y, kinds == 8 ? ad_tanh(node[k]) : ad_reshape(ad_tanh(node[k]), AD_SCALAR));
	return y;
}

/* The value and the gradients, as the graph computes them. */
static void compute(uint64_t seed, bool keep_all, bool forward_first, double v[1 + LEAVES])
{
	ad_graph *g = seed % 2 ? ad_open() : ad_open_f64();
	ad_node *leaf[LEAVES], *y = build(g, seed, leaf);

	if (keep_all)
		ad_keep_all(g);
	if (forward_first)
		cr_assert_eq(ad_forward(y), AD_OK);
	cr_assert_eq(ad_backward(y), AD_OK, "graph %d: %s", (int)seed, ad_errmsg(g));
	v[0] = ad_item(y);
	for (int k = 0; k < LEAVES; k++)
		v[1 + k] = ad_item(ad_gradient(leaf[k]));
	ad_close(g);
}

Test(scalars, tapes_give_the_bits_of_single_nodes)
{
	for (uint64_t seed = 1; seed <= 400; seed++) {
		double want[1 + LEAVES], have[1 + LEAVES];

		compute(seed, true, false, want);
		for (int way = 0; way < 2; way++) {
			compute(seed, false, way, have);
			for (int k = 0; k <= LEAVES; k++)
				cr_assert(have[k] == want[k], "graph %d, way %d: number %d is %.17g, node by node %.17g",
				          (int)seed, way, k, have[k], want[k]);
		}
	}
}

Test(scalars, a_tape_can_be_differentiated)
{
	int through_tapes = 0;

	for (uint64_t seed = 2; seed <= 200; seed += 2) {
		ad_graph *g[2] = { ad_open_f64(), ad_open_f64() };
		double second[2][LEAVES];

		for (int way = 0; way < 2; way++) {
			ad_node *leaf[LEAVES], *y = build(g[way], seed, leaf), *dx;

			if (way == 0) {
				cr_assert_eq(ad_sweep(y), AD_OK);
				dx = ad_gradient(leaf[0]);
				through_tapes += ad_op_of(dx) && strcmp(ad_op_of(dx), "sweep") == 0;
			} else {
				dx = ad_grad(y, leaf[0]);
			}
			for (int k = 0; k < LEAVES; k++) {
				ad_node *dxx = ad_grad(dx, leaf[k]);

				cr_assert_eq(ad_evaluate(g[way], &dxx, 1), AD_OK, "%s", ad_errmsg(g[way]));
				second[way][k] = ad_item(dxx);
			}
		}
		for (int k = 0; k < LEAVES; k++)
			cr_assert_float_eq(second[0][k], second[1][k], 1e-12 * (1 + fabs(second[1][k])), "graph %d, leaf %d",
			                   (int)seed, k);
		ad_close(g[0]);
		ad_close(g[1]);
	}
	cr_assert_gt(through_tapes, 20);
}

Test(scalars, what_leads_nowhere_gives_nothing)
{
	ad_graph *g = ad_open_f64();
	ad_node *x = ad_leaf(g, "x", 0), *y = ad_square(ad_add(x, ad_constant(g, 3)));

	ad_log(x); /* its derivative is infinite here */
	cr_assert_eq(ad_backward(y), AD_OK);
	cr_assert_eq(ad_item(ad_gradient(x)), 6);
	cr_assert_eq(ad_backward(y), AD_OK, "again, over the same adjoints");
	cr_assert_eq(ad_item(ad_gradient(x)), 6);
	ad_close(g);
}

Test(scalars, a_sweep_as_long_as_it_gets)
{
	ad_graph *g = ad_open_f64();
	ad_node *x = ad_leaf(g, "x", 1), *y = x;

	for (int k = 0; k < 100000; k++)
		y = ad_mul(y, ad_constant(g, k % 2 ? 2 : 0.5));
	cr_assert_eq(ad_backward(y), AD_OK, "%s", ad_errmsg(g));
	cr_assert_eq(ad_item(ad_gradient(x)), 1);
	ad_close(g);
}
