/*
 * samples: every op on every sample of its table, and the table of ops itself.
 *
 * One parameterised test, an op at a time, so that an op that crashes fails alone. What is checked
 * of a sample is told in autograd/op_check.c; that the check bites, by wrong_ops.c.
 */
#include "autograd.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

static void free_numbers(struct criterion_test_params *params)
{
	cr_free(params->params);
}

ParameterizedTestParameters(samples, op)
{
	size_t n = ad_ops(), *number = cr_malloc(n * sizeof *number);

	for (size_t k = 0; k < n; k++)
		number[k] = k;
	return cr_make_param_array(size_t, number, n, free_numbers);
}

ParameterizedTest(const size_t *number, samples, op)
{
	char text[4096];

	cr_expect(ad_op_check(ad_op_at(*number), text, sizeof text), "%s", text);
}

Test(samples, table)
{
	cr_assert(ad_ops() > 0);
	for (size_t k = 0; k < ad_ops(); k++) {
		const ad_op *op = ad_op_at(k);

		cr_expect(ad_op_find(ad_op_name(op)) == op, "%s: not found by its name",
		          ad_op_name(op));
		cr_expect(ad_op_doc(op)[0] != '\0', "%s: no documentation", ad_op_name(op));
		if (k > 0)
			cr_expect(strcmp(ad_op_name(ad_op_at(k - 1)), ad_op_name(op)) < 0,
			          "%s: not in the order of names", ad_op_name(op));
	}
}
