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

enum { RUN = 203 }; /* whole vectors and a remainder, whatever the width */

typedef void accuracy_dmap(size_t n, const void *const in[], const void *y, const void *dy,
                           void *const dx[], const void *attrs);

/* Element-wise kernels in slices that begin and end anywhere: those of map write results, those of
 * dmap then gradients, all into out[0..3]. */
static void run_in_slices(const ad_op *v, bool f64, size_t slice, const void *attrs,
                          char in[3][RUN * 8], char dy[RUN * 8], char out[4][RUN * 8])
{
	size_t size = f64 ? 8 : 4;

	for (size_t k = 0; k < RUN; k += slice) {
		size_t n = RUN - k < slice ? RUN - k : slice;
		const void *from[3] = { in[0] + k * size, in[1] + k * size, in[2] + k * size };
		void *dx[3] = { out[1] + k * size, out[2] + k * size, out[3] + k * size };

		if (f64)
			((accuracy_map64 *)(void (*)(void))v->map)(
			    n, (const double *const[]){ from[0], from[1], from[2] },
			    (double *)(void *)(out[0] + k * size), attrs);
		else
			((accuracy_map32 *)(void (*)(void))v->map)(
			    n, (const float *const[]){ from[0], from[1], from[2] },
			    (float *)(void *)(out[0] + k * size), attrs);
		if (v->dmap)
			((accuracy_dmap *)(void (*)(void))v->dmap)(n, from, out[0] + k * size,
			                                           dy + k * size, dx, attrs);
	}
}

static bool same_number(const char *a, const char *b, bool f64)
{
	double x, y;
	float x32, y32;

	if (memcmp(a, b, f64 ? 8 : 4) == 0)
		return true;
	if (f64) {
		memcpy(&x, a, 8), memcpy(&y, b, 8);
		return isnan(x) && isnan(y);
	}
	memcpy(&x32, a, 4), memcpy(&y32, b, 4);
	return isnan(x32) && isnan(y32);
}

/* A value depends on the element alone: in a vector, in a remainder or by itself it has the same
 * bits, as has its gradient. */
Test(accuracy, bits_do_not_depend_on_the_place)
{
	static _Alignas(64) char in[3][RUN * 8], dy[RUN * 8], whole[4][RUN * 8], cut[4][RUN * 8];
	const size_t slices[] = { 1, 7, 29, 101 };
	ad_graph *g = ad_open();
	const char *best = ad_instructions(g);
	int levels = strcmp(best, "avx512") == 0 ? 3 : strcmp(best, "avx2") == 0 ? 2 : 1;
	uint64_t state = 1;

	for (int variant = 0; variant < ACCURACY_CASES * 2 * levels; variant++) {
		const struct accuracy_case *c = &accuracy_cases[variant / 2 / levels];
		bool f64 = variant / levels % 2;
		int level = variant % levels;
		const ad_op *op = ad_op_find(c->op);
		ad_node *inputs[3], *y;

		for (int i = 0; i < 3; i++)
			inputs[i] = ad_input(
			    g, "x", i == 0 && strcmp(c->op, "where") == 0 ? AD_BOOL : AD_REAL,
			    (ad_shape){ .rank = 0 });
		y = ad_call_text(g, c->op, (size_t)c->n_in, inputs, c->attrs);
		for (int trial = 0; trial < 20; trial++) {
			for (size_t k = 0; k < RUN; k++) {
				for (int i = 0; i < 4; i++) {
					double x = accuracy_argument(c, f64, &state);
					float x32 = (float)x;
					char *to = (i < 3 ? in[i] : dy) + k * (f64 ? 8 : 4);

					memcpy(to, f64 ? (void *)&x : (void *)&x32, f64 ? 8 : 4);
				}
			}
			run_in_slices(op->variants[level * 2 + f64], f64, RUN, ad_attrs_of(y), in,
			              dy, whole);
			run_in_slices(op->variants[level * 2 + f64], f64, slices[trial % 4],
			              ad_attrs_of(y), in, dy, cut);
			for (size_t j = 0; j < RUN * (op->dmap ? 1 + (size_t)c->n_in : 1); j++) {
				size_t at = j % RUN * (f64 ? 8 : 4);
				bool same =
				    same_number(whole[j / RUN] + at, cut[j / RUN] + at, f64);

				cr_expect(same,
				          "%s %s, %s, level %d: %s %zu differs at element %zu in "
				          "slices of %zu",
				          c->op, c->attrs ? c->attrs : "", f64 ? "f64" : "f32",
				          level, j < RUN ? "result" : "gradient", j / RUN, j % RUN,
				          slices[trial % 4]);
				if (!same)
					break;
			}
		}
	}
	ad_close(g);
}
