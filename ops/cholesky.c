/*
 * cholesky: y lower triangular with y y^T = (x + x^T) / 2, of positive definite matrices.
 *
 *   x   (..., n, n), symmetric up to rounding: it is symmetrized first          y   shape of x
 *   dx = the symmetric part of y^-T P y^-1, P the lower triangle of y^T dy with its diagonal halved
 *        (I. Murray, "Differentiation of the Cholesky decomposition", 2016); only y is kept
 *   In double. A matrix that is not positive definite is an error.
 */
#include "op.h"
#include "kernels/lu.h"

static bool shape(ad_infer *s)
{
	size_t count;

	return square_matrices(s, &count) && ad_same_shape(s) &&
	       lu_room(s, s->in[0].dims[s->in[0].rank - 1], count, 0);
}

/* Row by row. Returns the row where the pivot is not above 0, or n. */
static size_t factor(double *a, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j <= i; j++) {
			double sum = 0, rest;

#pragma omp simd reduction(+ : sum)
			for (size_t k = 0; k < j; k++)
				sum += a[i * n + k] * a[j * n + k];
			rest = a[i * n + j] - sum;
			if (j < i)
				a[i * n + j] = rest / a[j * n + j];
			else if (rest <= 0)
				return i;
			else
				a[i * n + i] = sqrt(rest);
		}
	return n;
}

static void matrices(const ad_run *r, size_t begin, size_t end)
{
	size_t n = matrix_size(&r->in[0]);

	for (size_t m = begin; m < end; m++) {
		const ad_real *x = ad_reals_of(&r->in[0]) + m * n * n;
		ad_real *y = ad_reals_of(&r->out[0]) + m * n * n;
		double *a = lu_matrix(r, n, m);
		size_t failed;

		for (size_t i = 0; i < n; i++)
			for (size_t j = 0; j <= i; j++)
				a[i * n + j] = ((double)x[i * n + j] + (double)x[j * n + i]) / 2;
		failed = factor(a, n);
		if (failed < n) {
			ad_run_failed(
			    r,
			    "matrix %zu is not positive definite: its leading %zu rows and "
			    "columns are not",
			    m, failed + 1);
			return;
		}
		for (size_t i = 0; i < n; i++)
			for (size_t j = 0; j < n; j++)
				y[i * n + j] = j <= i ? (ad_real)a[i * n + j] : 0;
	}
}

static void forward(const ad_run *r)
{
	if (r->out[0].count > 0)
		ad_parallel(r, matrix_count(&r->in[0]), lu_grain(matrix_size(&r->in[0])), matrices);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_node *half = ad_constant(ad_graph_of(y), 0.5);
	ad_node *p = ad_matmul_transposed(y, dy[0], true, false);

	/* the halved diagonal: half of what lies below it and half of what lies on or below it */
	p = ad_mul(ad_add(ad_tril(p, 0), ad_tril(p, -1)), half);
	p = ad_transpose(ad_solve(y, p, true), -2, -1);
	p = ad_solve(y, p, true);
	dx[0] = ad_mul(ad_add(p, ad_transpose(p, -2, -1)), half);
}

AD_OP(cholesky, .arity = 1, .shape = shape, .forward = forward, .grad = grad,
      .samples = {
	  { .in = { AD_DIMS(2, 2) },
            .give = { AD_LIST(4, 2, 2, 10) },
            .want = { AD_LIST(2, 0, 1, 3) },
            .dwant = { AD_LIST(0.16666666666666666, 0.16666666666666666, 0.16666666666666666,
                               0.16666666666666666) } },
	  { .in = { AD_DIMS(2, 1, 1) }, .give = { AD_LIST(4, 9) }, .want = { AD_LIST(2, 3) } },
	  { .in = { AD_DIMS(2, 3, 3) },
            .give = { AD_LIST(4, 1, 0.5, 1, 3, -0.5, 0.25, -0.5, 2, 2, 0.5, 0.25, 0, 3, 1, 1, 0.5,
                              4) },
            .smooth = true },
	  { .in = { AD_DIMS(0, 0) }, .lo = 1, .hi = 2 },
	  { .in = { AD_DIMS(2, 2) },
            .give = { AD_LIST(1, 2, 2, 4) },
            .error = "matrix 0 is not positive definite: its leading 2 rows" },
	  { .in = { AD_DIMS(2, 3) }, .error = "takes square matrices (..., n, n), not (2, 3)" } });

/* The lower triangular factor of each positive definite matrix of x (..., n, n). */
AD_API ad_node *ad_cholesky(ad_node *x)
{
	return AD_CALL(cholesky, x);
}
