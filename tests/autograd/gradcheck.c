/*
 * gradcheck: derivatives against differences, and what is said where they disagree.
 */
#include "autograd.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static char text[2048];

static ad_node *input(ad_graph *g, const char *name, ad_shape shape, const double *v)
{
	ad_node *x = ad_input(g, name, AD_REAL, shape);

	cr_assert_eq(ad_set(x, v, ad_count(x)), AD_OK);
	return x;
}

static bool check(ad_node *y, ad_node *x, int order)
{
	return ad_gradcheck(y, 1, &x, &(ad_gradcheck_options){ .order = order }, text, sizeof text);
}

static void expect(bool ok, bool want, const char *piece)
{
	cr_expect(ok == want, "%s", text);
	cr_expect(strstr(text, piece), "'%s' is not in this: %s", piece, text);
}

/* Every order, an array by several leaves, one of them broadcast. */
Test(gradcheck, agrees)
{
	ad_graph *g = ad_open_f64();
	ad_node *x = input(g, "x", AD_SHAPE(2, 3), (double[]){ -0.0, 1, 2, -1, 0.5, -2.5 });
	ad_node *b = input(g, "b", AD_SHAPE(3), (double[]){ 0.1, 0.2, 0.3 });
	ad_node *c = ad_leaf(g, "c", 3), *leaves[] = { x, b, c };
	ad_node *y = ad_name(ad_tanh(ad_add(ad_mul(x, c), b)), "y");
	static const char *const says[] = { "60 derivatives agree", "220 derivatives",
		                            "636 derivatives of all orders agree" };
	double before[6], after[6];
	size_t nodes;

	cr_assert_eq(ad_get(x, before, 6), AD_OK);
	cr_assert_eq(ad_forward(y), AD_OK);
	nodes = ad_nodes(g);
	/* 6 elements by 10; those 10 gradients by 10 and 6 of dy; those 16 by 16 and 10 */
	for (int order = 1; order <= 3; order++)
		expect(ad_gradcheck(y, 3, leaves, &(ad_gradcheck_options){ .order = order }, text,
		                    sizeof text),
		       true, says[order - 1]);
	cr_expect(ad_nodes(g) == nodes);
	cr_assert_eq(ad_get(x, after, 6), AD_OK);
	cr_expect(memcmp(before, after, sizeof before) == 0);
	cr_expect_float_eq(ad_at(y, 1), tanh(1 * 3 + 0.2), 1e-15);
	cr_expect_eq(ad_status_of(g), AD_OK);
	ad_close(g);
}

/* What was evaluated and swept before can be read after, and the marks still nest. */
Test(gradcheck, leaves_the_graph_as_it_was)
{
	ad_graph *g = ad_open_f64();
	ad_node *x = ad_leaf(g, "x", 2), *b = ad_buffer(g, "count", AD_REAL, AD_SCALAR);
	size_t outer = ad_mark(g), inner;
	ad_node *h = ad_mul(x, x), *y = ad_add(ad_mul(h, x), b);

	ad_set_item(b, 5);
	ad_assign(b, ad_add(b, ad_constant(g, 1)));
	cr_assert_eq(ad_backward(y), AD_OK);
	cr_expect_eq(ad_item(b), 6);
	expect(check(y, x, 2), true, "agree");
	cr_expect_eq(ad_item(b), 6, "the buffer is %g", ad_item(b));
	cr_expect_eq(ad_item(x), 2);
	cr_expect_eq(ad_item(h), 4);
	cr_expect_eq(ad_item(ad_gradient(x)), 12);
	cr_assert_eq(ad_backward(y), AD_OK);
	cr_expect_eq(ad_item(b), 7);
	inner = ad_mark(g);
	ad_mul(h, h);
	ad_release(g, inner);
	expect(check(y, x, 1), true, "agree");
	ad_release(g, outer);
	cr_expect_eq(ad_status_of(g), AD_OK, "%s", ad_errmsg(g));
	ad_close(g);
}

Test(gradcheck, wrong_gradients)
{
	ad_graph *g = ad_open_f64();
	ad_node *x = input(g, "x", AD_SHAPE(2), (double[]){ 2, 3 });
	ad_node *y = ad_name(ad_mul(x, ad_stop_gradient(x)), "y");

	expect(check(y, x, 1), false,
	       "gradcheck: order 1: the derivative of 'y'[0] by 'x'[0] is 2; differences give 4");
	cr_expect(strstr(text, "(and 1 more of 4)"), "%s", text);
	cr_expect_eq(ad_status_of(g), AD_OK);
	/* right to first order, lost in the second */
	y = ad_mul(ad_mul(x, x), ad_stop_gradient(ad_constant(g, 1)));
	expect(check(y, x, 2), true, "agree");
	ad_close(g);
}

Test(gradcheck, kinks_and_undefined)
{
	ad_graph *g = ad_open_f64();
	ad_node *x = ad_leaf(g, "x", 0), *b = ad_leaf(g, "b", 1);

	expect(check(ad_relu(x), x, 1), false,
	       "from below they give 0, from above 1, so there is a kink");
	/* 0 / 0 in the gradient, where the value is right: not the same as a gradient of 0 */
	expect(check(ad_sqrt(ad_mul(x, x)), x, 1), false, "is undefined (NaN); differences give 0");
	expect(
	    check(ad_div(x, x), x, 1), false,
	    "the result of div is undefined (NaN) and has no derivative: check at another point");
	expect(check(ad_log(x), x, 1), false,
	       "the result of log is -infinite and has no derivative");
	expect(check(ad_sqrt(x), x, 1), false, "is inf, but the difference is undefined (NaN)");
	expect(check(ad_mul(x, x), x, 2), true, "3 derivatives of all orders agree");
	/* no path is true zeros, and said */
	expect(check(ad_name(ad_mul(x, x), "y"), b, 1), true, "'y' does not depend on 'b'");
	expect(check(ad_sign(b), b, 2), true, "agree");
	ad_close(g);
}

Test(gradcheck, refuses)
{
	ad_graph *f32 = ad_open(), *g = ad_open_f64(), *other = ad_open_f64();
	ad_node *x = ad_leaf(g, "x", 2), *y = ad_mul(x, x), *z = ad_leaf(other, "z", 1);
	ad_node *w = ad_leaf(f32, "w", 2), *far = ad_leaf(g, "far", 1e12);
	ad_node *index = ad_input(g, "index", AD_I32, AD_SHAPE(2));
	ad_node *empty = ad_input(g, "empty", AD_REAL, AD_SHAPE(2));

	expect(check(ad_mul(w, w), w, 1), false,
	       "gradcheck: the graph is f32, too coarse for differences; open it by ad_open_f64");
	expect(check(y, z, 1), false, "of another graph");
	expect(check(y, y, 1), false, "the result of mul is no leaf that can be set");
	expect(check(y, ad_constant(g, 1), 1), false, "is no leaf that can be set");
	expect(check(y, index, 1), false, "'index' holds no reals");
	expect(check(ad_mul(y, empty), empty, 1), false, "'empty' has no values yet");
	expect(check(ad_mul(far, far), far, 1), false, "where a step of 1e-06 does not move it");
	expect(check(y, x, 9), false, "order 9 is out of range 1 to 8");
	expect(check(y, x, -1), false, "out of range");
	expect(check(NULL, x, 1), false, "gradcheck: y is NULL");
	expect(check(y, NULL, 1), false, "a leaf is NULL");
	expect(ad_gradcheck(y, 0, NULL, NULL, text, sizeof text), false, "no leaf is given");
	expect(ad_gradcheck(y, 1, &x, &(ad_gradcheck_options){ .step = -1 }, text, sizeof text),
	       false, "must be above 0");
	ad_limit_memory(g, 8);
	expect(check(ad_mul(ad_mul(y, y), y), x, 1), false, "the limit is 8");
	ad_limit_memory(g, 0);
	cr_expect_eq(ad_status_of(g), AD_OK, "%s", ad_errmsg(g));
	cr_expect(ad_gradcheck(y, 1, &x, NULL, NULL, 0));
	ad_reshape(x, AD_SHAPE(3));
	expect(check(y, x, 1), false, "the graph has failed before: reshape");
	ad_close(f32);
	ad_close(other);
	ad_close(g);
}

/* The same random numbers in every evaluation, and none used up. */
Test(gradcheck, random_ops)
{
	ad_graph *g = ad_open_f64();
	ad_node *x = input(g, "x", AD_SHAPE(8), (double[]){ 1, 2, 3, 4, 5, 6, 7, 8 }), *y, *z;

	y = ad_dropout(ad_mul(x, x), 0.5);
	expect(check(y, x, 2), true, "agree");
	z = ad_dropout(ad_mul(x, x), 0.5);
	cr_assert_eq(ad_evaluate(g, (ad_node *[]){ y, z }, 2), AD_OK);
	cr_expect_eq(ad_status_of(g), AD_OK);
	ad_close(g);
}
