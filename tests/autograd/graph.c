/*
 * graph: recording, leaves, errors that stick, marks, scopes.
 */
#include "autograd.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

Test(graph, recording_computes_nothing)
{
	ad_graph *g = ad_open();
	ad_node *x = ad_leaf(g, "x", 3), *y = ad_square(x);

	cr_assert(isnan(ad_item(y)), "a number never computed reads as NaN");
	cr_assert_eq(ad_status_of(g), AD_OK, "and that is no failure: %s", ad_errmsg(g));
	cr_assert_eq(ad_forward(y), AD_OK);
	cr_assert_eq(ad_item(y), 9);
	ad_close(g);
}

Test(graph, an_index_never_computed_is_an_error)
{
	ad_graph *g = ad_open();
	ad_node *x = ad_input(g, "x", AD_I32, AD_SHAPE(2));

	ad_at(x, 0);
	cr_assert_eq(ad_status_of(g), AD_ERROR_VALUE);
	cr_assert_str_eq(ad_errmsg(g), "value of 'x' was never computed");
	ad_close(g);
}

Test(graph, the_first_failure_sticks)
{
	ad_graph *g = ad_open();
	ad_node *a = ad_param(g, "a", AD_SHAPE(2, 3)), *b = ad_param(g, "b", AD_SHAPE(5, 4));
	ad_node *bad = ad_add(a, b), *worse = ad_mul(ad_add(bad, a), ad_add(b, a));

	cr_assert(ad_is_error(bad));
	cr_assert_eq(worse, bad, "an op given the error node returns it");
	cr_assert_str_eq(ad_errmsg(g), "add: cannot broadcast (2, 3) and (5, 4)");
	cr_assert_eq(ad_forward(worse), AD_ERROR_SHAPE);
	cr_assert_eq(ad_backward(a), AD_ERROR_SHAPE, "a graph that failed evaluates nothing");
	ad_clear(g);
	cr_assert_eq(ad_status_of(g), AD_OK);
	cr_assert_str_eq(ad_errmsg(g), "");
	cr_assert(!ad_is_error(ad_add(a, a)));
	ad_close(g);
}

Test(graph, null_is_survived)
{
	ad_graph *g = ad_open();
	ad_node *x = ad_leaf(g, "x", 1);

	cr_assert(ad_is_error(ad_add(NULL, NULL)));
	cr_assert(ad_is_error(ad_add(x, NULL)));
	cr_assert_str_eq(ad_errmsg(g), "add: input 1 is missing (NULL)");
	cr_assert_neq(ad_forward(NULL), AD_OK);
	cr_assert_neq(ad_backward(NULL), AD_OK);
	cr_assert(isnan(ad_item(NULL)));
	cr_assert_null(ad_gradient(NULL));
	cr_assert_null(ad_data(NULL));
	cr_assert_neq(ad_set_item(NULL, 1), AD_OK);
	ad_close(g);
	ad_close(NULL);
}

Test(graph, graphs_do_not_mix)
{
	ad_graph *g = ad_open(), *h = ad_open();
	ad_node *x = ad_leaf(g, "x", 1), *y = ad_leaf(h, "y", 1);

	cr_assert(ad_is_error(ad_mul(x, y)));
	cr_assert_str_eq(ad_errmsg(g), "mul: its inputs belong to different graphs");
	cr_assert_eq(ad_status_of(h), AD_OK);
	ad_close(g);
	ad_close(h);
}

Test(graph, shapes_that_cannot_be)
{
	ad_graph *g = ad_open();

	cr_assert(ad_is_error(ad_param(g, "w", AD_SHAPE(-1, 2))));
	cr_assert(strstr(ad_errmsg(g), "(-1, 2)"), "%s", ad_errmsg(g));
	ad_clear(g);
	cr_assert(ad_is_error(ad_param(g, "w", AD_SHAPE(INT64_C(1) << 32, INT64_C(1) << 32))));
	ad_clear(g);
	/* an outer sum whose result would overflow, though both inputs are fine */
	ad_node *a = ad_input(g, "a", AD_REAL, AD_SHAPE(INT64_C(1) << 31, 1));
	ad_node *b = ad_input(g, "b", AD_REAL, AD_SHAPE(1, INT64_C(1) << 31));

	cr_assert_eq(ad_status_of(g), AD_OK, "recording takes no memory: %s", ad_errmsg(g));
	cr_assert(ad_is_error(ad_add(a, b)));
	cr_assert(strstr(ad_errmsg(g), "too large"), "%s", ad_errmsg(g));
	ad_close(g);
}

Test(graph, setting_checks_counts_and_types)
{
	ad_graph *g = ad_open();
	ad_node *x = ad_input(g, "x", AD_I32, AD_SHAPE(2));
	ad_node *m = ad_input(g, "m", AD_BOOL, AD_SHAPE(2));

	cr_assert_eq(ad_set(x, (double[]){ 1, 2, 3 }, 3), AD_ERROR_ARGUMENT);
	cr_assert_str_eq(ad_errmsg(g), "set: 'x' has 2 elements, not 3");
	ad_clear(g);
	cr_assert_eq(ad_set(x, (double[]){ 1, 2.5 }, 2), AD_ERROR_TYPE);
	ad_clear(g);
	cr_assert_eq(ad_set(x, (double[]){ 1, NAN }, 2), AD_ERROR_TYPE);
	ad_clear(g);
	cr_assert_eq(ad_set(m, (double[]){ 1, 2 }, 2), AD_ERROR_TYPE);
	ad_clear(g);
	cr_assert_eq(ad_set(x, (double[]){ -7, 2147483647 }, 2), AD_OK);
	cr_assert_eq(ad_at(x, 0), -7);
	cr_assert_eq(ad_at(x, 1), 2147483647);
	cr_assert_null(ad_write(ad_constant(g, 1)), "constants cannot be set");
	ad_close(g);
}

Test(graph, an_input_without_values_stops_the_evaluation)
{
	ad_graph *g = ad_open();
	ad_node *x = ad_input(g, "x", AD_REAL, AD_SHAPE(2));

	cr_assert_eq(ad_forward(ad_exp(x)), AD_ERROR_VALUE);
	cr_assert(strstr(ad_errmsg(g), "input 'x' has no values"), "%s", ad_errmsg(g));
	ad_close(g);
}

Test(graph, release_takes_back_nodes_and_keeps_params)
{
	ad_graph *g = ad_open();
	ad_node *w = ad_param(g, "w", AD_SHAPE(3));
	size_t mark = ad_mark(g);
	double first = 0;

	ad_set_item(w, 2);
	for (int step = 0; step < 50; step++) {
		ad_node *late = step == 0 ? ad_param(g, "late", AD_SHAPE(1)) : NULL;
		ad_node *loss = ad_sum(ad_square(ad_name(w, "w")), AD_ALL, false);

		cr_assert(step > 0 || !ad_is_error(late));
		cr_assert_eq(ad_backward(loss), AD_OK, "%s", ad_errmsg(g));
		cr_assert_eq(ad_item(loss), 12);
		cr_assert_eq(ad_at(ad_gradient(w), 1), 4);
		if (step == 1)
			first = (double)ad_nodes(g);
		cr_assert(step < 1 || (double)ad_nodes(g) == first, "the graph does not grow");
		ad_release(g, mark);
		cr_assert_null(ad_gradient(w), "its gradient was released with the step");
	}
	cr_assert_eq(ad_at(w, 2), 2);
	ad_release(g, mark + 1);
	cr_assert_eq(ad_status_of(g), AD_ERROR_ARGUMENT, "not a mark");
	ad_close(g);
}

Test(graph, marks_nest)
{
	ad_graph *g = ad_open();
	ad_node *x = ad_leaf(g, "x", 2);
	size_t outer = ad_mark(g);
	ad_node *y = ad_square(x);
	size_t inner = ad_mark(g);

	ad_exp(y);
	ad_release(g, inner);
	cr_assert_eq(ad_forward(y), AD_OK);
	cr_assert_eq(ad_item(y), 4);
	ad_release(g, outer);
	cr_assert_eq(ad_forward(ad_exp(x)), AD_OK);
	ad_close(g);
}

Test(graph, scopes_nest_and_nodes_know_theirs)
{
	ad_graph *g = ad_open();
	ad_node *x = ad_leaf(g, "x", 2), *y, *z;

	ad_scope_begin(g, "outer");
	y = ad_square(x);
	ad_scope_begin(g, "inner");
	z = ad_exp(y);
	ad_scope_end(g);
	ad_scope_end(g);
	ad_scope_end(g); /* one too many does no harm */
	cr_assert_eq(ad_scopes(g), 3);
	cr_assert_eq(ad_scope_of(x), 0);
	cr_assert_str_eq(ad_scope_name(g, ad_scope_of(y)), "outer");
	cr_assert_str_eq(ad_scope_name(g, ad_scope_of(z)), "inner");
	cr_assert_eq(ad_scope_parent(g, ad_scope_of(z)), ad_scope_of(y));
	cr_assert_eq(ad_scope_parent(g, ad_scope_of(y)), 0);
	cr_assert_eq(ad_scope_parent(g, 0), -1);
	ad_close(g);
}

Test(graph, depends)
{
	ad_graph *g = ad_open();
	ad_node *x = ad_leaf(g, "x", 2), *y = ad_leaf(g, "y", 2), *z = ad_exp(ad_square(x));
	ad_node *w = ad_param(g, "w", AD_SCALAR), *v = ad_mul(w, y);

	cr_assert(ad_depends(z, x));
	cr_assert(!ad_depends(z, y));
	cr_assert(!ad_depends(x, z));
	cr_assert(ad_depends(v, w));
	cr_assert(!ad_depends(z, w));
	cr_assert(ad_depends(x, x));
	ad_close(g);
}

Test(graph, shapes_print_as_tuples)
{
	char text[64];

	cr_assert_str_eq(ad_print_shape(text, sizeof text, AD_SCALAR), "()");
	cr_assert_str_eq(ad_print_shape(text, sizeof text, AD_SHAPE(3)), "(3,)");
	cr_assert_str_eq(ad_print_shape(text, sizeof text, AD_SHAPE(2, 0, 5)), "(2, 0, 5)");
	cr_assert_str_eq(ad_print_shape(text, 5, AD_SHAPE(2, 3)), "(2, ");
}

Test(graph, the_memory_limit_holds_before_memory_is_taken)
{
	ad_graph *g = ad_open();
	ad_node *x = ad_param(g, "x", AD_SHAPE(1000, 1000));

	ad_limit_memory(g, 1 << 20);
	cr_assert_eq(ad_forward(ad_exp(x)), AD_ERROR_MEMORY);
	cr_assert(strstr(ad_errmsg(g), "4000000 bytes"), "%s", ad_errmsg(g));
	ad_close(g);
}

Test(graph, what_failed_is_not_taken_for_success_later)
{
	ad_graph *g = ad_open();
	ad_node *bad = ad_add(ad_input(g, "a", AD_REAL, AD_SHAPE(2)), ad_input(g, "b", AD_REAL, AD_SHAPE(3)));
	double value;

	cr_assert(ad_is_error(bad));
	ad_clear(g);
	cr_assert_neq(ad_set_item(bad, 1), AD_OK);
	ad_clear(g);
	cr_assert_neq(ad_get(bad, &value, 1), AD_OK);
	ad_clear(g);
	cr_assert_neq(ad_forward(bad), AD_OK);
	cr_assert(strstr(ad_errmsg(g), "forward: "), "%s", ad_errmsg(g));
	ad_clear(g);
	cr_assert_neq(ad_backward(bad), AD_OK);
	cr_assert(strstr(ad_errmsg(g), "backward: "), "%s", ad_errmsg(g));
	ad_close(g);
}

Test(graph, the_memory_limit_counts_everything_together)
{
	ad_graph *g = ad_open();
	ad_node *x = ad_param(g, "x", AD_SHAPE(1000)), *y;

	ad_set_item(x, 0); /* 4,000 bytes; the workspace and the result come on top */
	y = ad_sin(ad_matmul(ad_reshape(ad_exp(x), AD_SHAPE(1000, 1)), ad_full(g, AD_SHAPE(1, 1), 1)));
	ad_limit_memory(g, 13000);
	cr_assert_eq(ad_evaluate(g, &y, 1), AD_ERROR_MEMORY);
	ad_clear(g);
	ad_limit_memory(g, 100000);
	cr_assert_eq(ad_evaluate(g, &y, 1), AD_OK, "%s", ad_errmsg(g));
	ad_close(g);
}

Test(graph, a_param_outlives_its_scope)
{
	ad_graph *g = ad_open();
	size_t mark = ad_mark(g);
	ad_node *p;

	ad_scope_begin(g, "gone");
	p = ad_param(g, "p", AD_SCALAR);
	ad_scope_end(g);
	ad_release(g, mark);
	ad_scope_begin(g, "other");
	cr_assert_str_empty(ad_scope_name(g, ad_scope_of(p)));
	ad_close(g);
}

Test(graph, an_input_reads_memory_that_is_lent)
{
	ad_graph *g = ad_open();
	ad_node *x = ad_input(g, "x", AD_REAL, AD_SHAPE(3)), *w = ad_param(g, "w", AD_SCALAR);
	ad_node *y = ad_sum(ad_mul(x, w), AD_ALL, false);
	float a[3] = { 1, 2, 3 }, b[3] = { 10, 20, 30 };

	ad_set_item(w, 2);
	cr_assert_eq(ad_lend(x, a), AD_OK);
	cr_assert_eq(ad_backward(y), AD_OK, "%s", ad_errmsg(g));
	cr_assert_eq(ad_item(y), 12);
	cr_assert_eq(ad_lend(x, b), AD_OK);
	cr_assert_eq(ad_backward(y), AD_OK);
	cr_assert_eq(ad_item(y), 120);
	cr_assert_eq(ad_item(ad_gradient(w)), 60);
	cr_assert_eq(ad_data(x), (const void *)b);
	ad_set_item(x, 1);
	cr_assert_eq(ad_backward(y), AD_OK);
	cr_assert_eq(ad_item(y), 6);
	cr_assert_eq(b[0], 10, "what was lent is left alone");
	cr_assert_neq(ad_lend(w, a), AD_OK);
	cr_assert_str_eq(ad_errmsg(g), "lend: only an input can read the caller's memory");
	ad_close(g);
}
