/*
 * matrices: inverse, solve, cholesky, logabsdet and det by what they must satisfy, in sizes that
 * samples do not have; and the gradient of det for singular matrices against minors.
 */
#include "autograd.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define MOST 48

static uint32_t state = 1;

static double next(void)
{
	state = state * 1664525u + 1013904223u;
	return ((int)(state >> 20) - 2048) / 2048.0;
}

static ad_node *leaf(ad_graph *g, ad_shape shape, const double *v)
{
	ad_node *x = ad_input(g, "x", AD_REAL, shape);

	ad_want_gradient(x, true);
	ad_set(x, v, ad_count(x));
	return x;
}

/* The largest difference of x from want, or from 0. */
static double off(ad_node *x, const double *want)
{
	static double v[3 * MOST * MOST];
	size_t n = ad_count(x);
	double worst = 0;

	cr_assert(ad_get(x, v, n) == AD_OK, "%s", ad_errmsg(ad_graph_of(x)));
	for (size_t k = 0; k < n; k++)
		worst = fmax(worst, isfinite(v[k]) ? fabs(v[k] - (want ? want[k] : 0)) : INFINITY);
	return worst;
}

static void check_size(int n, bool f64)
{
	static double v[3 * MOST * MOST], eye[3 * MOST * MOST], columns[3 * MOST * 4];
	ad_graph *g = f64 ? ad_open_f64() : ad_open();
	double bound = f64 ? 1e-12 : 1e-4;
	ad_node *a, *one, *b, *p, *root, *by_det;

	/* far from singular: a heavy diagonal, not where pivoting leaves it */
	for (int k = 0; k < 3 * n * n; k++) {
		int i = k / n % n, j = k % n;

		eye[k] = i == j;
		v[k] = next() + (j == (i + 1) % n ? n : 0);
	}
	for (int k = 0; k < 3 * n * 4; k++)
		columns[k] = next();
	a = leaf(g, AD_SHAPE(3, n, n), v);
	one = leaf(g, AD_SHAPE(3, n, n), eye);
	b = leaf(g, AD_SHAPE(3, n, 4), columns);
	p = ad_add(ad_matmul_transposed(a, a, false, true), one);
	root = ad_cholesky(p);
	/* the determinant of larger ones is too large for f32 */
	by_det = n > 16 ? ad_logabsdet(ad_transpose(a, -2, -1)) : ad_log(ad_abs(ad_det(a)));
	ad_node *checks[] = {
		ad_sub(ad_matmul(a, ad_inverse(a)), one),
		ad_sub(ad_matmul(a, ad_solve(a, b, false)), b),
		ad_sub(ad_matmul_transposed(a, ad_solve(a, b, true), true, false), b),
		ad_mul(ad_sub(ad_matmul_transposed(root, root, false, true), p),
		       ad_constant(g, 1.0 / n)),
		ad_sub(ad_logabsdet(a), by_det),
	};
	for (size_t k = 0; k < sizeof checks / sizeof *checks; k++) {
		cr_assert(ad_forward(checks[k]) == AD_OK, "%s", ad_errmsg(g));
		cr_expect(off(checks[k], NULL) <= bound * n, "check %zu, n = %d, %s: %g", k, n,
		          f64 ? "f64" : "f32", off(checks[k], NULL));
	}
	ad_close(g);
}

Test(matrices, sizes)
{
	static const int sizes[] = { 1, 2, 3, 4, 7, 16, 33, MOST };

	for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
		check_size(sizes[k], false);
		check_size(sizes[k], true);
	}
}

static double determinant(int n, const double *v)
{
	ad_graph *g = ad_open_f64();
	ad_node *y = ad_det(leaf(g, AD_SHAPE(n, n), v));
	double value;

	ad_forward(y);
	value = ad_item(y);
	ad_close(g);
	return value;
}

/* Sums of `rank` products of vectors of small whole numbers. */
static void check_rank(int n, int rank)
{
	double v[36] = { 0 }, cofactors[36];
	ad_graph *g = ad_open_f64();
	ad_node *x, *y;

	for (int r = 0; r < rank; r++) {
		double a[6], b[6];

		for (int i = 0; i < n; i++) {
			a[i] = floor(next() * 3);
			b[i] = floor(next() * 3);
		}
		for (int k = 0; k < n * n; k++)
			v[k] += a[k / n] * b[k % n];
	}
	for (int k = 0; k < n * n; k++) {
		double minor[25];
		int m = 0;

		for (int j = 0; j < n * n; j++)
			if (j / n != k / n && j % n != k % n)
				minor[m++] = v[j];
		cofactors[k] = ((k / n + k % n) % 2 ? -1 : 1) * determinant(n - 1, minor);
	}
	x = leaf(g, AD_SHAPE(n, n), v);
	y = ad_det(x);
	cr_assert(ad_backward(y) == AD_OK, "%s", ad_errmsg(g));
	cr_expect(off(ad_gradient(x), cofactors) < 1e-7, "n = %d, rank %d: %g", n, rank,
	          off(ad_gradient(x), cofactors));
	ad_close(g);
}

Test(matrices, gradient_of_singular_determinant)
{
	for (int n = 1; n <= 6; n++)
		for (int rank = 0; rank <= n; rank++)
			for (int trial = 0; trial < 5; trial++)
				check_rank(n, rank);
}
