/*
 * gradient: the reverse sweep, to any order, over branches, broadcasting and deep graphs.
 */
#include "autograd.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static double value(ad_node *x)
{
	cr_assert_eq(ad_forward(x), AD_OK, "%s", ad_errmsg(ad_graph_of(x)));
	return ad_item(x);
}

Test(gradient, three_gates)
{
	ad_graph *g = ad_open();
	ad_node *x = ad_leaf(g, "x", -2), *y = ad_leaf(g, "y", 5), *z = ad_leaf(g, "z", -4);
	ad_node *f = ad_mul(ad_add(x, y), z);

	cr_assert_eq(ad_backward(f), AD_OK);
	cr_assert_eq(ad_item(f), -12);
	cr_assert_eq(ad_item(ad_gradient(x)), -4);
	cr_assert_eq(ad_item(ad_gradient(y)), -4);
	cr_assert_eq(ad_item(ad_gradient(z)), 3);
	cr_assert_null(ad_gradient(f), "only leaves, unless all is kept");
	ad_close(g);
}

Test(gradient, a_second_sweep_overwrites)
{
	ad_graph *g = ad_open();
	ad_node *x = ad_leaf(g, "x", 3), *y = ad_square(x);

	cr_assert_eq(ad_backward(y), AD_OK);
	cr_assert_eq(ad_item(ad_gradient(x)), 6);
	cr_assert_eq(ad_backward(y), AD_OK);
	cr_assert_eq(ad_item(ad_gradient(x)), 6, "not added to");
	ad_set_item(x, 5);
	cr_assert_eq(ad_item(ad_gradient(x)), 6, "as evaluated");
	size_t nodes = ad_nodes(g);

	cr_assert_eq(ad_backward(y), AD_OK);
	cr_assert_eq(ad_item(ad_gradient(x)), 10);
	cr_assert_eq(ad_nodes(g), nodes, "the same sweep is not recorded again");
	ad_close(g);
}

Test(gradient, every_order_of_sin)
{
	ad_graph *g = ad_open_f64();
	ad_node *x = ad_leaf(g, "x", 0.7), *d = ad_sin(x);
	double want[4] = { sin(0.7), cos(0.7), -sin(0.7), -cos(0.7) };

	for (int order = 0; order < 9; order++) {
		cr_assert_float_eq(value(d), want[order % 4], 1e-14, "order %d", order);
		d = ad_grad(d, x);
	}
	ad_close(g);
}

Test(gradient, mixed_second_derivatives_agree)
{
	ad_graph *g = ad_open_f64();
	ad_node *x = ad_leaf(g, "x", 0.3), *y = ad_leaf(g, "y", 1.7);
	ad_node *f = ad_mul(ad_exp(ad_mul(x, y)), ad_sigmoid(ad_sub(x, ad_square(y))));
	double xy = value(ad_grad(ad_grad(f, x), y)), yx = value(ad_grad(ad_grad(f, y), x));

	cr_assert_float_eq(xy, yx, 1e-13 * fabs(xy));
	ad_close(g);
}

Test(gradient, branches_add_up)
{
	ad_graph *g = ad_open_f64();
	ad_node *x = ad_leaf(g, "x", 2);
	/* x*x + x*sin(x) + x */
	ad_node *y = ad_add(ad_add(ad_mul(x, x), ad_mul(x, ad_sin(x))), x);

	cr_assert_eq(ad_backward(y), AD_OK);
	cr_assert_float_eq(ad_item(ad_gradient(x)), 4 + sin(2) + 2 * cos(2) + 1, 1e-14);
	ad_close(g);
}

Test(gradient, broadcast_axes_are_summed)
{
	ad_graph *g = ad_open_f64();
	ad_node *a = ad_param(g, "a", AD_SHAPE(3, 1)), *b = ad_param(g, "b", AD_SHAPE(4));
	ad_node *c = ad_param(g, "c", AD_SCALAR);
	ad_node *y = ad_sum(ad_mul(ad_mul(a, b), c), AD_ALL, false);

	ad_set(a, (double[]){ 1, 2, 3 }, 3);
	ad_set(b, (double[]){ 1, 10, 100, 1000 }, 4);
	ad_set_item(c, 2);
	cr_assert_eq(ad_backward(y), AD_OK, "%s", ad_errmsg(g));
	for (size_t k = 0; k < 3; k++)
		cr_assert_eq(ad_at(ad_gradient(a), k), 2222);
	for (size_t k = 0; k < 4; k++)
		cr_assert_eq(ad_at(ad_gradient(b), k), 12);
	cr_assert_eq(ad_item(ad_gradient(c)), 6 * 1111);
	cr_assert_eq(ad_count(ad_gradient(a)), 3);
	ad_close(g);
}

Test(gradient, second_order_through_broadcasting)
{
	ad_graph *g = ad_open_f64();
	ad_node *a = ad_param(g, "a", AD_SHAPE(2, 1)), *b = ad_param(g, "b", AD_SHAPE(3));
	ad_node *y = ad_sum(ad_exp(ad_mul(a, b)), AD_ALL, false), *da = ad_grad(y, a);
	ad_node *s = ad_sum(ad_square(da), AD_ALL, false), *db = ad_grad(s, b);
	double av[2] = { 0.5, -0.25 }, bv[3] = { 0.1, 0.7, -0.4 };

	ad_set(a, av, 2);
	ad_set(b, bv, 3);
	cr_assert_eq(ad_forward(db), AD_OK, "%s", ad_errmsg(g));
	for (int j = 0; j < 3; j++) {
		double want = 0;

		for (int i = 0; i < 2; i++) {
			double row = 0;

			for (int k = 0; k < 3; k++)
				row += bv[k] * exp(av[i] * bv[k]);
			want += 2 * row * (1 + av[i] * bv[j]) * exp(av[i] * bv[j]);
		}
		cr_assert_float_eq(ad_at(db, (size_t)j), want, 1e-13);
	}
	ad_close(g);
}

Test(gradient, no_path_is_true_zeros)
{
	ad_graph *g = ad_open();
	ad_node *x = ad_leaf(g, "x", 2), *w = ad_param(g, "w", AD_SHAPE(2)), *y = ad_exp(x);

	cr_assert_eq(ad_backward(y), AD_OK);
	cr_assert_eq(ad_at(ad_gradient(w), 0), 0);
	cr_assert_eq(ad_at(ad_gradient(w), 1), 0);
	cr_assert_eq(value(ad_grad(ad_floor(x), x)), 0, "a flat op");
	cr_assert_eq(value(ad_grad(ad_stop_gradient(y), x)), 0);
	ad_close(g);
}

Test(gradient, stop_gradient_stops_one_branch)
{
	ad_graph *g = ad_open_f64();
	ad_node *x = ad_leaf(g, "x", 3), *y = ad_mul(x, ad_stop_gradient(ad_square(x)));

	cr_assert_eq(ad_backward(y), AD_OK);
	cr_assert_eq(ad_item(ad_gradient(x)), 9);
	ad_close(g);
}

Test(gradient, of_intermediate_nodes)
{
	ad_graph *g = ad_open_f64();
	ad_node *x = ad_leaf(g, "x", 3), *h = ad_square(x), *y = ad_mul(h, h), *dx[2];

	cr_assert(ad_grads(y, ad_constant(g, 10), 2, (ad_node *[]){ h, x }, dx));
	cr_assert_eq(value(dx[0]), 180);
	cr_assert_eq(value(dx[1]), 180 * 6);
	ad_close(g);
}

Test(gradient, asking_for_what_is_not_there)
{
	ad_graph *g = ad_open();
	ad_node *x = ad_param(g, "x", AD_SHAPE(2)), *i = ad_input(g, "i", AD_I32, AD_SHAPE(2));

	cr_assert_eq(ad_backward(ad_exp(x)), AD_ERROR_SHAPE);
	cr_assert(strstr(ad_errmsg(g), "(2,)"), "%s", ad_errmsg(g));
	ad_clear(g);
	cr_assert(ad_is_error(ad_grad(ad_sum(x, AD_ALL, false), i)));
	cr_assert(strstr(ad_errmsg(g), "'i' holds no reals"), "%s", ad_errmsg(g));
	ad_clear(g);
	ad_want_gradient(i, true);
	cr_assert_eq(ad_status_of(g), AD_ERROR_GRADIENT);
	ad_close(g);
}

Test(gradient, inputs_take_part_when_asked)
{
	ad_graph *g = ad_open_f64();
	ad_node *x = ad_input(g, "x", AD_REAL, AD_SCALAR), *w = ad_leaf(g, "w", 4), *y = ad_mul(x, w);

	ad_set_item(x, 3);
	cr_assert_eq(ad_backward(y), AD_OK);
	cr_assert_null(ad_gradient(x));
	ad_want_gradient(x, true);
	cr_assert_eq(ad_backward(y), AD_OK);
	cr_assert_eq(ad_item(ad_gradient(x)), 4);
	cr_assert_eq(ad_item(ad_gradient(w)), 3);
	ad_close(g);
}

Test(gradient, keep_all_shows_every_gradient_and_every_use)
{
	ad_graph *g = ad_open_f64();
	ad_node *x = ad_leaf(g, "x", 3), *h = ad_square(x), *y = ad_add(ad_mul(h, x), h);

	ad_keep_all(g);
	cr_assert_eq(ad_backward(y), AD_OK);
	cr_assert_eq(ad_item(ad_gradient(y)), 1);
	cr_assert_eq(ad_item(ad_gradient(h)), 4, "3 by the product and 1 by the sum");
	cr_assert_eq(ad_item(ad_use_gradient(y, 1)), 1);
	cr_assert_eq(ad_item(ad_use_gradient(ad_input_of(y, 0), 0)), 3);
	cr_assert_eq(ad_item(ad_use_gradient(ad_input_of(y, 0), 1)), 9);
	cr_assert_eq(ad_item(ad_gradient(x)), 9 + 4 * 6);
	cr_assert_eq(ad_item(h), 9, "values are kept too");
	ad_close(g);
}

Test(gradient, a_hundred_thousand_nodes_deep)
{
	ad_graph *g = ad_open();
	ad_node *x = ad_leaf(g, "x", 1), *y = x;

	for (int k = 0; k < 100000; k++)
		y = ad_add(y, x);
	cr_assert(ad_depends(y, x));
	cr_assert_eq(ad_backward(y), AD_OK, "%s", ad_errmsg(g));
	cr_assert_eq(ad_item(y), 100001);
	cr_assert_eq(ad_item(ad_gradient(x)), 100001);
	ad_close(g);
}

Test(gradient, masks_count_as_numbers_and_end_the_path)
{
	ad_graph *g = ad_open_f64();
	ad_node *x = ad_param(g, "x", AD_SHAPE(4));
	ad_node *positive = ad_greater(x, ad_constant(g, 0));
	ad_node *y = ad_sum(ad_mul(x, positive), AD_ALL, false), *share = ad_mean(positive, AD_ALL, false);

	ad_set(x, (double[]){ -1, 2, -3, 4 }, 4);
	cr_assert_eq(ad_type_of(positive), AD_BOOL);
	cr_assert_eq(ad_backward(y), AD_OK, "%s", ad_errmsg(g));
	cr_assert_eq(ad_item(y), 6);
	cr_assert_eq(ad_at(ad_gradient(x), 0), 0);
	cr_assert_eq(ad_at(ad_gradient(x), 1), 1);
	cr_assert_eq(value(share), 0.5);
	ad_close(g);
}

Test(gradient, forward_mode_and_jacobians)
{
	ad_graph *g = ad_open_f64();
	ad_node *x = ad_param(g, "x", AD_SHAPE(3)), *w = ad_param(g, "w", AD_SHAPE(2, 3));
	ad_node *y = ad_tanh(ad_sum(ad_mul(w, x), AD_INTS(1), false));
	ad_node *t = ad_param(g, "t", AD_SHAPE(3)), *j, *jt;

	ad_set(x, (double[]){ 0.1, -0.2, 0.3 }, 3);
	ad_set(w, (double[]){ 1, 2, 3, -1, 0.5, 2 }, 6);
	ad_set(t, (double[]){ 1, 10, 100 }, 3);
	j = ad_jacobian(y, x);
	jt = ad_jvp(y, 1, &x, &t);
	cr_assert_eq(ad_evaluate(g, (ad_node *[]){ j, jt, y }, 3), AD_OK, "%s", ad_errmsg(g));
	for (size_t r = 0; r < 2; r++) {
		double slope = 1 - ad_at(y, r) * ad_at(y, r), sum = 0;

		for (size_t c = 0; c < 3; c++) {
			cr_assert_float_eq(ad_at(j, r * 3 + c), slope * ad_at(w, r * 3 + c), 1e-14);
			sum += ad_at(j, r * 3 + c) * ad_at(t, c);
		}
		cr_assert_float_eq(ad_at(jt, r), sum, 1e-12);
	}
	/* fewer columns than rows goes by forward mode */
	ad_node *a = ad_leaf(g, "a", 0.5), *z = ad_exp(ad_mul(a, w)), *dz = ad_jacobian(z, a);

	cr_assert_eq(ad_forward(dz), AD_OK, "%s", ad_errmsg(g));
	for (size_t k = 0; k < 6; k++)
		cr_assert_float_eq(ad_at(dz, k), ad_at(w, k) * exp(0.5 * ad_at(w, k)), 1e-13);
	ad_close(g);
}

Test(gradient, hessian_vector_product)
{
	ad_graph *g = ad_open_f64();
	ad_node *x = ad_leaf(g, "x", 1.5), *y = ad_leaf(g, "y", -0.5);
	ad_node *f = ad_mul(ad_square(x), ad_exp(y)), *in[2] = { x, y }, *hv[2];
	ad_node *v[2] = { ad_constant(g, 2), ad_constant(g, 3) };

	cr_assert(ad_hvp(f, 2, in, v, hv), "%s", ad_errmsg(g));
	cr_assert_float_eq(value(hv[0]), exp(-0.5) * (2 * 2 + 2 * 1.5 * 3), 1e-13);
	cr_assert_float_eq(value(hv[1]), exp(-0.5) * (2 * 1.5 * 2 + 1.5 * 1.5 * 3), 1e-13);
	ad_close(g);
}

Test(gradient, a_released_sweep_is_made_again)
{
	ad_graph *g = ad_open_f64();
	ad_node *x = ad_leaf(g, "x", 3), *y = ad_square(x), *a, *bad;
	size_t mark;

	a = ad_input(g, "a", AD_REAL, AD_SHAPE(2, 2));
	ad_want_gradient(a, true);
	bad = ad_mean(ad_tanh(ad_mul(a, x)), AD_ALL, false);
	cr_assert_eq(ad_sweep(y), AD_OK);
	mark = ad_mark(g);
	ad_set_item(a, 1);
	cr_assert_eq(ad_backward(bad), AD_OK);
	ad_release(g, mark);
	cr_assert_null(ad_gradient(x));
	cr_assert_eq(ad_backward(y), AD_OK, "%s", ad_errmsg(g));
	cr_assert_not_null(ad_gradient(x));
	cr_assert_eq(ad_item(ad_gradient(x)), 6);
	ad_close(g);
}
