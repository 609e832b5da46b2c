/*
 * det: y = the determinant, of square matrices.
 *
 *   x   (..., n, n)          y   (...)
 *   dx = dy times the cofactors, y x^-T. The first derivative is right for singular matrices too;
 *   the second needs the inverse.
 *   By LU factors with partial pivoting, in double. An empty matrix has determinant 1.
 */
#include "op.h"
#include "kernels/lu.h"

static bool shape(ad_infer *s)
{
	size_t count;

	if (!square_matrices(s, &count))
		return false;
	s->out[0] = s->in[0];
	s->out[0].rank -= 2;
	return lu_room(s, s->in[0].dims[s->in[0].rank - 1], count, count);
}

static double product_of_pivots(const double *a, size_t n, double sign)
{
	double y = sign;

	for (size_t i = 0; i < n; i++)
		y *= a[i * n + i];
	return y;
}

static void matrices(const ad_run *r, size_t begin, size_t end)
{
	size_t n = matrix_size(&r->in[0]);

	for (size_t k = begin; k < end; k++) {
		double *a = lu_matrix(r, n, k);
		int sign;

		lu_load(ad_reals_of(&r->in[0]) + k * n * n, n, false, a);
		sign = lu_factor(a, n, lu_rows(r, n, k));
		ad_reals_of(&r->out[0])[k] = (ad_real)(sign ? product_of_pivots(a, n, sign) : 0);
	}
}

static void forward(const ad_run *r)
{
	ad_parallel(r, matrix_count(&r->in[0]), lu_grain(matrix_size(&r->in[0])), matrices);
}

/* Pivots of 0 become ones so small that the cofactors, a smooth function of the factors, do not
 * notice: of what the determinant and the inverse make of it, one cancels the other. */
static void fill_pivots(double *a, size_t n)
{
	double largest = 0;

	for (size_t i = 0; i < n * n; i++)
		largest = fabs(a[i]) > largest ? fabs(a[i]) : largest;
	for (size_t i = 0; i < n; i++)
		if (a[i * n + i] == 0)
			a[i * n + i] = largest > 0 ? largest * 0x1p-52 : 0x1p-52;
}

/* The sign of the rows' permutation, which lu_factor does not tell for singular matrices. */
static double sign_of(const size_t *row, size_t n)
{
	double sign = 1;

	for (size_t i = 0; i < n; i++)
		for (size_t j = i + 1; j < n; j++)
			sign = row[j] < row[i] ? -sign : sign;
	return sign;
}

static void back_matrices(const ad_run *r, size_t begin, size_t end)
{
	size_t n = matrix_size(&r->in[0]);

	for (size_t k = begin; k < end; k++) {
		double *a = lu_matrix(r, n, k);
		double *column = lu_column(r, n, matrix_count(&r->in[0]), k);
		double up = (double)ad_reals_of(&r->dy[0])[k];
		size_t *row = lu_rows(r, n, k);
		ad_real *dx = ad_reals_of(&r->dx[0]) + k * n * n;
		int sign;

		lu_load(ad_reals_of(&r->in[0]) + k * n * n, n, false, a);
		sign = lu_factor(a, n, row);
		if (sign == 0)
			fill_pivots(a, n);
		up *= product_of_pivots(a, n, sign ? sign : sign_of(row, n));
		for (size_t c = 0; c < n; c++) {
			for (size_t i = 0; i < n; i++)
				column[i] = row[i] == c;
			lu_solve(a, n, column);
			for (size_t i = 0; i < n; i++)
				dx[c * n + i] = (ad_real)(up * column[i]);
		}
	}
}

static void backward(const ad_run *r)
{
	if (r->dx[0].count > 0)
		ad_parallel(r, matrix_count(&r->in[0]), lu_grain(matrix_size(&r->in[0])),
		            back_matrices);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_shape each = ad_shape_of(y);

	each.dims[each.rank++] = 1;
	each.dims[each.rank++] = 1;
	dx[0] = ad_mul(ad_reshape(ad_mul(dy[0], y), each),
	               ad_transpose(ad_inverse(ad_input_of(y, 0)), -2, -1));
}

AD_OP(det, .arity = 1, .shape = shape, .forward = forward, .backward = backward, .grad = grad,
      .reads = AD_READS_INPUTS,
      .samples = {
	  { .in = { AD_DIMS(2, 2, 2) },
            .give = { AD_LIST(1, 2, 3, 4, 0, 1, 2, 5) },
            .want = { AD_LIST(-2, -2) },
            .dwant = { AD_LIST(4, -3, -2, 1, 5, -2, -1, 0) } },
	  { .in = { AD_DIMS(2, 2) },
            .give = { AD_LIST(1, 2, 2, 4) },
            .want = { AD_LIST(0) },
            .dwant = { AD_LIST(4, -2, -2, 1) } },
	  { .in = { AD_DIMS(3, 3) },
            .give = { AD_LIST(0, 1, 0, 0, 0, 1, 0, 0, 0) },
            .want = { AD_LIST(0) },
            .dwant = { AD_LIST(0, 0, 0, 0, 0, 0, 1, 0, 0) } },
	  { .in = { AD_DIMS(0, 0) }, .want = { AD_LIST(1) } },
	  { .in = { AD_DIMS(2, 3, 3) },
            .give = { AD_LIST(2, 0.5, -1, 0.25, -1.5, 0.75, 1, 0.5, 3, 0.5, 2, 1, -1, 0.25, 0.75,
                              1.5, -0.5, 1) },
            .smooth = true },
	  { .in = { AD_DIMS(2, 3) }, .error = "takes square matrices (..., n, n), not (2, 3)" } });

/* The determinant of each matrix of x (..., n, n). */
AD_API ad_node *ad_det(ad_node *x)
{
	return AD_CALL(det, x);
}
