/*
 * solve: y with a y = b.
 *
 *   a   (..., n, n)
 *   b   (..., n, K), K columns at a time; or vectors: (n,), or one for each matrix of a, (..., n)
 *   y   shape of b; the leading axes of a and of columns b broadcast
 *   transpose: a^T y = b instead. db = solve(a^T, dy), da = -db y^T. A singular matrix is an error.
 *   By LU factors with partial pivoting, in double.
 */
#include "op.h"
#include "kernels/lu.h"

struct attrs {
	bool transpose;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, transpose, AD_FLAG, "false", "solve a^T y = b", NULL),
	{ 0 },
};

/* Whether b holds a vector for each matrix, (..., n) beside (..., n, n), or one for all. */
static bool is_vector(int rank_a, const int64_t a[], int rank_b, const int64_t b[])
{
	return rank_b == 1 ||
	       (rank_b == rank_a - 1 && memcmp(a, b, (size_t)rank_b * sizeof *a) == 0);
}

static bool shape(ad_infer *s)
{
	const ad_shape *a = &s->in[0], *b = &s->in[1];
	ad_shape lead = *a, of_b = *b;
	size_t count_a, count_y;
	bool vector;
	int64_t n;

	if (!square_matrices(s, &count_a))
		return false;
	if (b->rank == 0)
		return ad_refuse(s, "b is a single number; it must have the %lld rows of a %s",
		                 (long long)a->dims[a->rank - 1], ad_show(s, 0));
	n = a->dims[a->rank - 1];
	vector = is_vector(a->rank, a->dims, b->rank, b->dims);
	if (b->dims[b->rank - (vector ? 1 : 2)] != n)
		return ad_refuse(s, "a %s has %lld rows, but b %s has %lld", ad_show(s, 0),
		                 (long long)n, ad_show(s, 1),
		                 (long long)b->dims[b->rank - (vector ? 1 : 2)]);
	lead.rank -= 2;
	of_b.rank -= vector ? 1 : 2;
	if (!ad_broadcast(&lead, &of_b))
		return ad_refuse(s, "the leading axes of a %s and b %s do not broadcast",
		                 ad_show(s, 0), ad_show(s, 1));
	if (!ad_count_of(&lead, &count_y))
		return ad_refuse(s, "a %s and b %s broadcast to too many elements", ad_show(s, 0),
		                 ad_show(s, 1));
	s->out[0] = lead;
	s->out[0].dims[s->out[0].rank++] = n;
	if (!vector)
		s->out[0].dims[s->out[0].rank++] = b->dims[b->rank - 1];
	return lu_room(s, n, count_a, count_y);
}

static void factor(const ad_run *r, size_t begin, size_t end)
{
	const struct attrs *at = r->attrs;
	size_t n = matrix_size(&r->in[0]);

	for (size_t k = begin; k < end; k++) {
		lu_load(ad_reals_of(&r->in[0]) + k * n * n, n, at->transpose, lu_matrix(r, n, k));
		if (lu_factor(lu_matrix(r, n, k), n, lu_rows(r, n, k)) == 0) {
			ad_run_failed(r, "matrix %zu is singular: there is no one solution", k);
			return;
		}
	}
}

/* Which matrix of an operand, with its leading axes, belongs to number k of y. */
static size_t matrix_of(const ad_array *x, int lead, const ad_array *y, int lead_y, size_t k)
{
	size_t at = 0, step = 1;

	for (int i = 1; i <= lead_y; i++) {
		size_t size = (size_t)y->dims[lead_y - i];

		if (i <= lead) {
			if (x->dims[lead - i] != 1)
				at += k % size * step;
			step *= (size_t)x->dims[lead - i];
		}
		k /= size;
	}
	return at;
}

static void solutions(const ad_run *r, size_t begin, size_t end)
{
	const ad_array *a = &r->in[0], *b = &r->in[1], *y = &r->out[0];
	int tail = is_vector(a->rank, a->dims, b->rank, b->dims) ? 1 : 2;
	size_t n = matrix_size(a), columns = tail == 1 ? 1 : (size_t)b->dims[b->rank - 1];

	for (size_t k = begin; k < end; k++) {
		size_t of_a = matrix_of(a, a->rank - 2, y, y->rank - tail, k);
		size_t of_b = matrix_of(b, b->rank - tail, y, y->rank - tail, k);
		const ad_real *from = ad_reals_of(b) + of_b * n * columns;
		ad_real *to = ad_reals_of(y) + k * n * columns;
		double *column = lu_column(r, n, matrix_count(a), k);
		const size_t *row = lu_rows(r, n, of_a);

		for (size_t c = 0; c < columns; c++) {
			for (size_t i = 0; i < n; i++)
				column[i] = (double)from[row[i] * columns + c];
			lu_solve(lu_matrix(r, n, of_a), n, column);
			for (size_t i = 0; i < n; i++)
				to[i * columns + c] = (ad_real)column[i];
		}
	}
}

static void forward(const ad_run *r)
{
	size_t n = matrix_size(&r->in[0]), each = 1;
	const ad_array *a = &r->in[0], *b = &r->in[1];

	if (r->out[0].count == 0)
		return;
	if (!is_vector(a->rank, a->dims, b->rank, b->dims))
		each = (size_t)b->dims[b->rank - 1];
	ad_parallel(r, matrix_count(a), lu_grain(n), factor);
	ad_parallel(r, r->out[0].count / (n * each), 32768 / (n * n * each + 1) + 1, solutions);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *at = ad_attrs_of(y);
	ad_node *a = ad_input_of(y, 0), *b = ad_input_of(y, 1), *db, *columns = y, *up;
	ad_shape shape_a = ad_shape_of(a), shape_b = ad_shape_of(b), shape = ad_shape_of(y);
	bool vector = is_vector(shape_a.rank, shape_a.dims, shape_b.rank, shape_b.dims);

	if (vector) {
		/* one column each, so that no number of leading axes is taken for another */
		shape.dims[shape.rank++] = 1;
		columns = ad_reshape(y, shape);
	}
	up = ad_solve(a, vector ? ad_reshape(dy[0], shape) : dy[0], !at->transpose);
	db = up;
	if (ad_wants(y, 0))
		dx[0] = ad_neg(at->transpose ? ad_matmul_transposed(columns, db, false, true)
		                             : ad_matmul_transposed(db, columns, false, true));
	if (ad_wants(y, 1))
		dx[1] = vector ? ad_reshape(db, ad_shape_of(y)) : db;
}

AD_OP(solve, .arity = 2, .attrs = attrs, .attrs_size = sizeof(struct attrs), .shape = shape,
      .forward = forward, .grad = grad,
      .samples = {
	  { .in = { AD_DIMS(2, 2), AD_DIMS(2, 2) },
            .give = { AD_LIST(0, 2, 4, 0), AD_LIST(2, 4, 8, -4) },
            .want = { AD_LIST(2, -1, 1, 2) },
            .dwant = { AD_LIST(-0.5, -1.5, -0.25, -0.75), AD_LIST(0.5, 0.5, 0.25, 0.25) } },
	  { .in = { AD_DIMS(2, 2), AD_DIMS(2) },
            .attrs = "transpose=true",
            .give = { AD_LIST(1, 2, 0, 4), AD_LIST(3, 10) },
            .want = { AD_LIST(3, 1) },
            .dwant = { AD_LIST(-1.5, -0.75, -0.5, -0.25), AD_LIST(0.5, 0.25) } },
	  { .in = { AD_DIMS(3, 3), AD_DIMS(3, 2) },
            .give = { AD_LIST(2, 0.5, -1, 0.25, -1.5, 0.75, 1, 0.5, 3), AD_LIST(1, 2, 3, 4, 5, 6) },
            .smooth = true },
	  { .in = { AD_DIMS(2, 2, 2), AD_DIMS(2, 2) },
            .attrs = "transpose=true",
            .give = { AD_LIST(2, 0.5, -1, 0.25, -1.5, 0.75, 1, 0.5), AD_LIST(1, 2, 3, 4) },
            .smooth = true },
	  { .in = { AD_DIMS(2, 1, 2, 2), AD_DIMS(3, 2, 1) },
            .give = { AD_LIST(2, 0.5, -1, 0.25, -1.5, 0.75, 1, 0.5), AD_LIST(1, 2, 3, 4, 5, 6) },
            .smooth = true },
	  { .in = { AD_DIMS(3, 2, 2), AD_DIMS(2) },
            .give = { AD_LIST(2, 0.5, -1, 0.25, -1.5, 0.75, 1, 0.5, 1, 2, 3, 4), AD_LIST(1, 2) },
            .smooth = true },
	  { .in = { AD_DIMS(0, 0), AD_DIMS(0, 3) }, .lo = 1, .hi = 2 },
	  { .in = { AD_DIMS(2, 2), AD_DIMS(2) },
            .give = { AD_LIST(1, 2, 2, 4), AD_LIST(1, 2) },
            .error = "matrix 0 is singular: there is no one solution" },
	  { .in = { AD_DIMS(3, 3), AD_DIMS(2, 3) },
            .error = "a (3, 3) has 3 rows, but b (2, 3) has 2" },
	  { .in = { AD_DIMS(2, 3, 3), AD_DIMS(4, 3, 2) },
            .error = "the leading axes of a (2, 3, 3) and b (4, 3, 2) do not broadcast" },
	  { .in = { AD_DIMS(3, 2), AD_DIMS(3) },
            .error = "takes square matrices (..., n, n), not (3, 2)" } });

/* The solution y of a y = b, or of a^T y = b, for matrices a (..., n, n) and columns or vectors b.
 */
AD_API ad_node *ad_solve(ad_node *a, ad_node *b, bool transpose)
{
	struct attrs at = { transpose };

	return AD_CALL_WITH(solve, &at, a, b);
}
