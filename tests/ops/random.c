/*
 * random: the numbers of rand and randn: their distribution, that elements, ops, steps and seeds do not depend on each
 * other, and that nothing but these decides them.
 */
#include "autograd.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 1 << 20 };

static double *values(ad_node *y, double *to)
{
	cr_assert_eq(ad_forward(y), AD_OK, "%s", ad_errmsg(ad_graph_of(y)));
	cr_assert_eq(ad_get(y, to, ad_count(y)), AD_OK);
	return to;
}

static int ascending(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The largest distance between the distribution of the numbers and the one they should have, times sqrt(n):
 * Kolmogorov's, above 1.95 in one of a thousand cases, and these numbers are always the same. */
static double distance(double *v, size_t n, double (*below)(double))
{
	double most = 0;

	qsort(v, n, sizeof *v, ascending);
	for (size_t k = 0; k < n; k++) {
		double p = below(v[k]);

		most = fmax(most, fmax(p - (double)k / (double)n, (double)(k + 1) / (double)n - p));
	}
	return most * sqrt((double)n);
}

static double uniform(double x)
{
	return x < 0 ? 0 : x > 1 ? 1 : x;
}

static double normal(double x)
{
	return erfc(-x / sqrt(2)) / 2;
}

/* The correlation of n pairs. */
static double correlation(const double *a, const double *b, size_t n)
{
	double sa = 0, sb = 0, aa = 0, bb = 0, ab = 0, m = (double)n;

	for (size_t k = 0; k < n; k++) {
		sa += a[k];
		sb += b[k];
		aa += a[k] * a[k];
		bb += b[k] * b[k];
		ab += a[k] * b[k];
	}
	return (ab / m - sa / m * sb / m) / sqrt((aa / m - sa / m * sa / m) * (bb / m - sb / m * sb / m));
}

Test(random_ops, distributions)
{
	double *v = malloc(N * sizeof *v);

	cr_assert(v);
	for (int f64 = 0; f64 < 2; f64++) {
		ad_graph *g = f64 ? ad_open_f64() : ad_open();
		double sum = 0, squares = 0, fourth = 0;

		ad_seed(g, 7);
		values(ad_rand(g, AD_SHAPE(N)), v);
		for (int k = 0; k < N; k++)
			cr_assert(v[k] >= 0 && v[k] < 1);
		cr_expect_lt(distance(v, N, uniform), 1.95);
		values(ad_randn(g, AD_SHAPE(N / 1024, 1024)), v);
		for (int k = 0; k < N; k++) {
			cr_assert(fabs(v[k]) < 6.8);
			sum += v[k];
			squares += v[k] * v[k];
			fourth += v[k] * v[k] * v[k] * v[k];
		}
		/* four standard deviations */
		cr_expect_lt(fabs(sum / N), 4 / sqrt(N));
		cr_expect_lt(fabs(squares / N - 1), 4 * sqrt(2.0 / N));
		cr_expect_lt(fabs(fourth / N - 3), 4 * sqrt(96.0 / N));
		cr_expect_lt(distance(v, N, normal), 1.95);
		ad_close(g);
	}
	free(v);
}

Test(random_ops, independence)
{
	double *a = malloc(N * sizeof *a), *b = malloc(N * sizeof *b);
	ad_graph *g = ad_open();
	const double limit = 4 / sqrt(N);
	size_t mark = ad_mark(g);
	ad_node *x, *y;

	cr_assert(a && b);
	x = ad_randn(g, AD_SHAPE(N));
	y = ad_randn(g, AD_SHAPE(N));
	values(x, a);
	values(y, b);
	cr_expect_lt(fabs(correlation(a, b, N)), limit, "two ops");
	for (size_t lag = 1; lag < 6; lag++)
		cr_expect_lt(fabs(correlation(a, a + lag, N - lag)), 1.01 * limit, "elements %zu apart", lag);
	/* evaluated again it is the same, also after a release; in the next step, and with another seed, it is not */
	values(x, b);
	cr_expect_arr_eq(a, b, N * sizeof *a);
	ad_release(g, mark);
	values(ad_randn(g, AD_SHAPE(N)), b);
	cr_expect_arr_eq(a, b, N * sizeof *a);
	ad_release(g, mark);
	ad_step(g, 1);
	values(ad_randn(g, AD_SHAPE(N)), b);
	cr_expect_lt(fabs(correlation(a, b, N)), limit, "two steps");
	ad_release(g, mark);
	ad_step(g, 0);
	ad_seed(g, 1);
	values(ad_randn(g, AD_SHAPE(N)), b);
	cr_expect_lt(fabs(correlation(a, b, N)), limit, "two seeds");
	ad_close(g);
	free(a);
	free(b);
}

/* f32 and f64, one thread and several, agree; a shorter array is the beginning of a longer one. */
Test(random_ops, agree)
{
	enum { FEW = 100003 };
	double *a = malloc(FEW * sizeof *a), *b = malloc(FEW * sizeof *b);
	ad_graph *f32 = ad_open(), *f64 = ad_open_f64();

	cr_assert(a && b);
	values(ad_rand(f32, AD_SHAPE(FEW)), a);
	values(ad_rand(f64, AD_SHAPE(FEW)), b);
	for (int k = 0; k < FEW; k++)
		cr_assert(a[k] <= b[k] && b[k] < a[k] + 0x1p-24, "%d: %.17g %.17g", k, a[k], b[k]);
	values(ad_randn(f32, AD_SHAPE(FEW)), a);
	values(ad_randn(f64, AD_SHAPE(FEW)), b);
	for (int k = 0; k < FEW; k++)
		cr_assert(fabs(a[k] - b[k]) <= 2e-6 * fmax(0.1, fabs(b[k])), "%d: %.17g %.17g", k, a[k], b[k]);
	ad_close(f32);
	ad_close(f64);

	f32 = ad_open();
	f64 = ad_open();
	ad_set_threads(1);
	values(ad_randn(f32, AD_SHAPE(FEW)), a);
	ad_set_threads(4);
	values(ad_randn(f64, AD_SHAPE(FEW - 2)), b);
	cr_expect_arr_eq(a, b, (FEW - 2) * sizeof *a);
	ad_close(f32);
	ad_close(f64);
	free(a);
	free(b);
}

/* Of y = mu + s * noise the gradient by mu is 1 and by s the noise: how a variational autoencoder learns. */
Test(random_ops, gradients_pass_by)
{
	ad_graph *g = ad_open_f64();
	ad_node *mu = ad_param(g, "mu", AD_SHAPE(5)), *s = ad_param(g, "s", AD_SHAPE(5));
	ad_node *noise = ad_keep(ad_randn_like(mu)), *y = ad_add(mu, ad_mul(s, noise));
	char text[512];

	cr_assert_eq(ad_backward(ad_sum(y, AD_ALL, false)), AD_OK, "%s", ad_errmsg(g));
	for (size_t k = 0; k < 5; k++) {
		cr_expect_eq(ad_at(ad_gradient(mu), k), 1);
		cr_expect_eq(ad_at(ad_gradient(s), k), ad_at(noise, k));
		cr_expect_neq(ad_at(noise, k), 0);
	}
	cr_expect(ad_gradcheck(ad_sum(ad_square(y), AD_ALL, false), 2, (ad_node *[]){ mu, s },
	                       &(ad_gradcheck_options){ .order = 2 }, text, sizeof text),
	          "%s", text);
	ad_close(g);
}

/* ad_seed counts ops from 0 again; a step that is recorded again behind another seeding is another step. */
Test(random_ops, seeding)
{
	enum { FEW = 8 };
	double first[FEW], second[FEW], again[FEW];
	ad_graph *g = ad_open();
	ad_node *x = ad_param(g, "x", AD_SHAPE(FEW));
	size_t mark;

	ad_seed(g, 3);
	values(ad_randn(g, AD_SHAPE(FEW)), first);
	values(ad_randn(g, AD_SHAPE(FEW)), second);
	cr_expect_arr_neq(first, second, sizeof first);
	ad_seed(g, 3);
	values(ad_randn(g, AD_SHAPE(FEW)), again);
	cr_expect_arr_eq(first, again, sizeof first);

	mark = ad_mark(g);
	for (int k = 0; k < 6; k++) {
		if (k % 2)
			ad_seed(g, 3);
		values(ad_mul(ad_randn(g, AD_SHAPE(FEW)), ad_full(g, AD_SHAPE(FEW), 1)), again);
		cr_expect_arr_eq(k % 2 ? first : second, again, sizeof first, "step %d", k);
		cr_assert_eq(ad_backward(ad_sum(ad_mul(x, ad_dropout(x, 0.5)), AD_ALL, false)), AD_OK, "%s", ad_errmsg(g));
		ad_release(g, mark);
	}
	ad_close(g);
}
