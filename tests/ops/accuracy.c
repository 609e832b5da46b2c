/*
 * accuracy: the kernels of element-wise ops keep the bounds that their comments state, in ulp, here
 * over fewer arguments than `make accuracy` takes; and every such op is measured and states one.
 */
#include "../../tools/bench/accuracy.h"

#include <criterion/criterion.h>

enum { ARGUMENTS = 20000 };

Test(accuracy, stated_bounds_hold)
{
	for (int k = 0; k < ACCURACY_CASES; k++) {
		const struct accuracy_case *c = &accuracy_cases[k];
		double stated = accuracy_stated(c->op);
		const char *settings = c->attrs ? c->attrs : "";

		for (int f64 = 0; f64 < 2; f64++) {
			struct accuracy worst;

			if (f64 && LDBL_MANT_DIG <= DBL_MANT_DIG)
				continue; /* nothing here knows the true result */
			cr_assert(accuracy_measure(c, f64, ARGUMENTS, &worst),
			          "%s %s: cannot be called", c->op, settings);
			cr_expect(
			    worst.worst <= stated,
			    "%s %s, %s, level %d: at %.17g, %.17g, %.17g the kernel gives %.17g, "
			    "not %.17g: %.3f ulp, its comment states %g",
			    c->op, settings, f64 ? "f64" : "f32", worst.level, worst.at[0],
			    worst.at[1], worst.at[2], worst.have, worst.want, worst.worst, stated);
		}
	}
}

/* A new element-wise op is to be measured, too. */
Test(accuracy, every_map_is_measured)
{
	for (size_t j = 0; j < ad_ops(); j++) {
		const ad_op *op = ad_op_at(j);
		bool measured = !op->map;

		for (int k = 0; k < ACCURACY_CASES; k++)
			measured |= strcmp(accuracy_cases[k].op, ad_op_name(op)) == 0;
		cr_expect(measured,
		          "%s is element-wise and not measured; give it a line in "
		          "tools/bench/accuracy.h",
		          ad_op_name(op));
	}
}

/* A bound that is too small must show, as must a NaN. */
Test(accuracy, errors_are_seen)
{
	cr_assert_float_eq(accuracy_error(1 + 3 * FLT_EPSILON, 1, (long double)NAN, false), 3,
	                   1e-9);
	cr_assert_float_eq(accuracy_error(1 + 3 * DBL_EPSILON, 1, (long double)NAN, true), 3, 1e-9);
	cr_assert_float_eq(accuracy_error(0x1p-149L, 0, (long double)NAN, false), 1, 1e-9);
	cr_assert_eq(accuracy_error(INFINITY, INFINITY, (long double)NAN, false), 0);
	cr_assert_float_eq(accuracy_error(INFINITY, FLT_MAX, (long double)NAN, false), 1, 1e-9);
	cr_assert_eq(accuracy_error(NAN, 1, (long double)NAN, false), INFINITY);
	cr_assert_eq(accuracy_error(NAN, NAN, (long double)NAN, false), 0);
}
