/*
 * inverse: y = x^-1, of square matrices.
 *
 *   x   (..., n, n)          y   shape of x
 *   dx = -y^T dy y^T, from the output alone. A singular matrix is an error.
 *   By LU factors with partial pivoting, in double. To solve equations, solve is faster and better.
 */
#include "op.h"
#include "kernels/lu.h"

static bool shape(ad_infer *s)
{
	size_t count;

	return square_matrices(s, &count) && ad_same_shape(s) &&
	       lu_room(s, s->in[0].dims[s->in[0].rank - 1], count, count);
}

static void matrices(const ad_run *r, size_t begin, size_t end)
{
	size_t n = matrix_size(&r->in[0]);

	for (size_t k = begin; k < end; k++) {
		double *a = lu_matrix(r, n, k);
		double *column = lu_column(r, n, matrix_count(&r->in[0]), k);
		size_t *row = lu_rows(r, n, k);
		ad_real *y = ad_reals_of(&r->out[0]) + k * n * n;

		lu_load(ad_reals_of(&r->in[0]) + k * n * n, n, false, a);
		if (lu_factor(a, n, row) == 0) {
			ad_run_failed(r, "matrix %zu is singular: it has no inverse", k);
			return;
		}
		for (size_t c = 0; c < n; c++) {
			for (size_t i = 0; i < n; i++)
				column[i] = row[i] == c;
			lu_solve(a, n, column);
			for (size_t i = 0; i < n; i++)
				y[i * n + c] = (ad_real)column[i];
		}
	}
}

static void forward(const ad_run *r)
{
	if (r->out[0].count > 0)
		ad_parallel(r, matrix_count(&r->in[0]), lu_grain(matrix_size(&r->in[0])), matrices);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = ad_neg(
	    ad_matmul_transposed(ad_matmul_transposed(y, dy[0], true, false), y, false, true));
}

AD_OP(inverse, .arity = 1, .shape = shape, .forward = forward, .grad = grad,
      .samples = {
	  { .in = { AD_DIMS(2, 2, 2) },
            .give = { AD_LIST(0, 2, 4, 0, 1, 2, 3, 4) },
            .want = { AD_LIST(0, 0.25, 0.5, 0, -2, 1, 1.5, -0.5) },
            .dwant = { AD_LIST(-0.125, -0.25, -0.0625, -0.125, -0.5, 0.5, 0.5, -0.5) } },
	  { .in = { AD_DIMS(1, 1) }, .give = { AD_LIST(-8) }, .want = { AD_LIST(-0.125) } },
	  { .in = { AD_DIMS(3, 3) },
            .give = { AD_LIST(2, 0.5, -1, 0.25, -1.5, 0.75, 1, 0.5, 3) },
            .smooth = true },
	  { .in = { AD_DIMS(2, 0, 0) }, .lo = 1, .hi = 2 },
	  { .in = { AD_DIMS(2, 2) },
            .give = { AD_LIST(1, 2, 2, 4) },
            .error = "matrix 0 is singular: it has no inverse" },
	  { .in = { AD_DIMS(2, 3) }, .error = "takes square matrices (..., n, n), not (2, 3)" },
	  { .in = { AD_DIMS(3) }, .error = "takes square matrices (..., n, n), not (3,)" } });

/* The inverse of each matrix of x (..., n, n). */
AD_API ad_node *ad_inverse(ad_node *x)
{
	return AD_CALL(inverse, x);
}
