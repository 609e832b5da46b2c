/*
 * logabsdet: y = ln |det x|, of square matrices, also where the determinant itself would overflow.
 *
 *   x   (..., n, n)          y   (...); -inf for a singular matrix
 *   dx = dy x^-T, which for a singular matrix is an error
 *   By LU factors with partial pivoting, in double. An empty matrix gives 0.
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
	return lu_room(s, s->in[0].dims[s->in[0].rank - 1], count, 0);
}

static void matrices(const ad_run *r, size_t begin, size_t end)
{
	size_t n = matrix_size(&r->in[0]);

	for (size_t k = begin; k < end; k++) {
		double *a = lu_matrix(r, n, k), sum = 0;

		lu_load(ad_reals_of(&r->in[0]) + k * n * n, n, false, a);
		lu_factor(a, n, lu_rows(r, n, k));
		for (size_t i = 0; i < n; i++)
			sum += log(fabs(a[i * n + i]));
		ad_reals_of(&r->out[0])[k] = (ad_real)sum;
	}
}

static void forward(const ad_run *r)
{
	ad_parallel(r, matrix_count(&r->in[0]), lu_grain(matrix_size(&r->in[0])), matrices);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_shape each = ad_shape_of(y);

	each.dims[each.rank++] = 1;
	each.dims[each.rank++] = 1;
	dx[0] =
	    ad_mul(ad_reshape(dy[0], each), ad_transpose(ad_inverse(ad_input_of(y, 0)), -2, -1));
}

AD_OP(logabsdet, .arity = 1, .shape = shape, .forward = forward, .grad = grad,
      .samples = {
	  { .in = { AD_DIMS(2, 2, 2) },
            .give = { AD_LIST(1, 2, 3, 4, 0, 1, 4, 5) },
            .want = { AD_LIST(0.6931471805599453, 1.3862943611198906) },
            .dwant = { AD_LIST(-2, 1.5, 1, -0.5, -1.25, 1, 0.25, 0) } },
	  { .in = { AD_DIMS(2, 2) },
            .give = { AD_LIST(1, 2, 2, 4) },
            .want = { AD_LIST(-INFINITY) } },
	  { .in = { AD_DIMS(0, 0) }, .want = { AD_LIST(0) } },
	  { .in = { AD_DIMS(3, 3) },
            .give = { AD_LIST(2, 0.5, -1, 0.25, -1.5, 0.75, 1, 0.5, 3) },
            .smooth = true },
	  { .in = { AD_DIMS(2, 3) }, .error = "takes square matrices (..., n, n), not (2, 3)" } });

/* ln |det| of each matrix of x (..., n, n). */
AD_API ad_node *ad_logabsdet(ad_node *x)
{
	return AD_CALL(logabsdet, x);
}
