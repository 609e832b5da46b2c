/*
 * matrices: which transposed operands a matrix product reads in place; inverse, solve, cholesky,
 * logabsdet and det by what they must satisfy, in sizes that samples do not have; and the gradient
 * of det for singular matrices against minors.
 */
#include "op.h"

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

/* A matrix product reads x, which was permuted to a, where it lies if the last two axes alone changed
 * places; and with the attributes changed it gives the same. */
static void check_fold(int rank, const int64_t order[], int i, bool transposed, bool folds)
{
	static const int64_t dims[4] = { 2, 3, 4, 5 };
	ad_graph *g = ad_open_f64();
	double v[120], have[1200], want[1200];
	ad_shape shape = { .rank = rank };
	ad_node *x, *a, *other, *y, *z;
	struct {
		bool transpose_a, transpose_b;
	} at;
	int64_t inner;
	size_t n;

	memcpy(shape.dims, dims, sizeof dims);
	for (int k = 0; k < 120; k++)
		v[k] = next();
	x = leaf(g, shape, v);
	a = ad_permute(x, (ad_ints){ rank, order });
	shape = ad_shape_of(a);
	inner = shape.dims[rank - ((i == 0) == transposed ? 2 : 1)];
	other = leaf(g, i == 0 ? AD_SHAPE(inner, 7) : AD_SHAPE(7, inner), v);
	y = i == 0 ? ad_matmul_transposed(a, other, transposed, false)
	           : ad_matmul_transposed(other, a, false, transposed);
	cr_assert(!ad_is_error(y), "%s", ad_errmsg(g));
	memcpy(&at, ad_attrs_of(y), sizeof at);
	cr_assert(ad_op_find("matmul")->fold(y, i, a, &at) == folds, "rank %d, input %d", rank, i);
	cr_assert((i == 0 ? at.transpose_a : at.transpose_b) == (transposed != folds));
	cr_assert(!(i == 0 ? at.transpose_b : at.transpose_a));
	if (folds) {
		z = i == 0 ? ad_matmul_transposed(x, other, at.transpose_a, false)
		           : ad_matmul_transposed(other, x, false, at.transpose_b);
		cr_assert(ad_evaluate(g, (ad_node *[]){ y, z }, 2) == AD_OK, "%s", ad_errmsg(g));
		n = ad_count(y);
		cr_assert(n <= 1200 && ad_count(z) == n);
		ad_get(y, want, n);
		ad_get(z, have, n);
		for (size_t k = 0; k < n; k++)
			cr_assert(fabs(have[k] - want[k]) <= 1e-12);
	}
	ad_close(g);
}

Test(matrices, transposed_operands_are_read_in_place)
{
	for (int i = 0; i < 2; i++)
		for (int transposed = 0; transposed < 2; transposed++) {
			check_fold(2, (const int64_t[]){ 1, 0 }, i, transposed, true);
			check_fold(2, (const int64_t[]){ -1, 0 }, i, transposed, true);
			check_fold(4, (const int64_t[]){ 0, 1, 3, 2 }, i, transposed, true);
			check_fold(4, (const int64_t[]){ 0, -3, -1, -2 }, i, transposed, true);
			check_fold(2, (const int64_t[]){ 0, 1 }, i, transposed, false);
			check_fold(4, (const int64_t[]){ 1, 0, 3, 2 }, i, transposed, false);
			check_fold(4, (const int64_t[]){ 0, 1, 2, 3 }, i, transposed, false);
			check_fold(3, (const int64_t[]){ 2, 1, 0 }, i, transposed, false);
		}
}
