/*
 * registry: ops by name, attributes as values and text.
 */
#include "op.h"

#include <criterion/criterion.h>
#include <string.h>

Test(registry, ops_are_sorted_and_found)
{
	cr_assert_geq(ad_ops(), 50);
	for (size_t k = 0; k < ad_ops(); k++) {
		const char *name = ad_op_name(ad_op_at(k));

		cr_assert_eq(ad_op_find(name), ad_op_at(k));
		cr_assert(k == 0 || strcmp(ad_op_name(ad_op_at(k - 1)), name) < 0);
		cr_assert_eq(strncmp(ad_op_doc(ad_op_at(k)), name, strlen(name)), 0,
		             "the documentation of %s opens with its name", name);
	}
	cr_assert_null(ad_op_find("no_such_op"));
	cr_assert_null(ad_op_at(ad_ops()));
}

Test(registry, calls_by_name)
{
	ad_graph *g = ad_open();
	ad_node *x = ad_param(g, "x", AD_SHAPE(2, 3)), *y;
	char text[128];

	y = ad_call_text(g, "sum", 1, &x, "axis=-1 keepdim=true");
	cr_assert_eq(ad_status_of(g), AD_OK, "%s", ad_errmsg(g));
	cr_assert_str_eq(ad_print_shape(text, sizeof text, ad_shape_of(y)), "(2, 1)");
	cr_assert_str_eq(ad_print_attrs(text, sizeof text, y), "axis=[-1] keepdim=true");
	y = ad_call_text(g, "sum", 1, &x, "axis=[0,1]");
	cr_assert_str_eq(ad_print_shape(text, sizeof text, ad_shape_of(y)), "()");
	y = ad_call_text(g, "sum", 1, &x, "");
	cr_assert_str_eq(ad_print_attrs(text, sizeof text, y), "axis=null keepdim=false");
	ad_close(g);
}

Test(registry, bad_calls_say_why)
{
	static const struct {
		const char *op, *settings, *says;
	} cases[] = {
		{ "summ", "", "summ: there is no op of this name" },
		{ "sum", "axes=1", "sum: there is no 'axes'" },
		{ "sum", "keepdim=3", "sum: 'keepdim' wants true or false, not a whole number" },
		{ "sum", "axis=1 axis=0", "sum: 'axis' is given twice" },
		{ "sum", "axis=7", "sum: axis 7 is out of range for (2, 3)" },
		{ "sum", "axis=[1,1]", "sum: axis 1 is given twice" },
		{ "sum", "axis", "sum: cannot read the settings at 'axis'" },
		{ "gelu", "approximate=no", "gelu: 'approximate' is one of none tanh, not 'no'" },
		{ "pow_scalar", "", "pow_scalar: 'exponent' (a number) is missing" },
	};

	for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
		ad_graph *g = ad_open();
		ad_node *x = ad_param(g, "x", AD_SHAPE(2, 3));

		cr_assert(ad_is_error(ad_call_text(g, cases[k].op, 1, &x, cases[k].settings)));
		cr_assert_str_eq(ad_errmsg(g), cases[k].says);
		ad_close(g);
	}
}

/* A program for a later version may call an op in line that this one does not have. */
Test(registry, number_of_no_op)
{
	ad_graph *g = ad_open();
	ad_node *x = ad_leaf(g, "x", 1);

	for (int first = 0; first < 2; first++) {
		cr_assert(ad_is_error(ad_record_call(2, 2, first ? x : NULL, x)));
		cr_assert_eq(ad_status_of(g), AD_ERROR_ARGUMENT);
		cr_assert(strstr(ad_errmsg(g), "another version of the library"), "%s", ad_errmsg(g));
		ad_clear(g);
	}
	ad_close(g);
}
