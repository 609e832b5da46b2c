/*
 * matmul: y = a b, the matrix product, by NumPy's rules.
 *
 *   a (..., M, K)   b (..., K, N)   y (..., M, N); the leading axes broadcast
 *   A vector a counts as one row, a vector b as one column, and that axis is missing in y.
 *   transpose_a, transpose_b: the last two axes of that operand, if it has two, are swapped first.
 *   da = dy b^T, db = a^T dy, summed over leading axes that were broadcast; a and b are kept
 */
#include "op.h"
#include "kernels/gemm.h"
#include "kernels/reduce.h"

struct attrs {
	bool transpose_a, transpose_b;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, transpose_a, AD_FLAG, "false", "swap the last two axes of a first",
	        NULL),
	AD_ATTR(struct attrs, transpose_b, AD_FLAG, "false", "swap the last two axes of b first",
	        NULL),
	{ 0 },
};

/* A product of matrices: n of them, with sizes, and the leading axes of each side filled up with
 * ones to the same rank. */
struct product {
	bool ta, tb;
	size_t n, M, N, K;
	int rank;
	int64_t y[AD_MAX_RANK], a[AD_MAX_RANK], b[AD_MAX_RANK];
};

static bool shape(ad_infer *s)
{
	const struct attrs *at = s->attrs;
	const ad_shape *a = &s->in[0], *b = &s->in[1];
	const char *ta = at->transpose_a && a->rank > 1 ? " transposed" : "";
	const char *tb = at->transpose_b && b->rank > 1 ? " transposed" : "";
	ad_shape y = { 0 }, other = { 0 };
	int64_t M, N, K, L;
	size_t count;

	if (a->rank == 0 || b->rank == 0)
		return ad_refuse(s,
		                 "cannot multiply %s by %s: a single number is no matrix; use mul",
		                 ad_show(s, 0), ad_show(s, 1));
	M = a->rank > 1 ? a->dims[a->rank - (*ta ? 1 : 2)] : 1;
	K = a->dims[a->rank - (*ta ? 2 : 1)];
	L = b->rank > 1 ? b->dims[b->rank - (*tb ? 1 : 2)] : b->dims[0];
	N = b->rank > 1 ? b->dims[b->rank - (*tb ? 2 : 1)] : 1;
	if (K != L)
		return ad_refuse(s, "cannot multiply %s%s by %s%s: %lld is not %lld", ad_show(s, 0),
		                 ta, ad_show(s, 1), tb, (long long)K, (long long)L);
	y.rank = a->rank > 2 ? a->rank - 2 : 0;
	other.rank = b->rank > 2 ? b->rank - 2 : 0;
	memcpy(y.dims, a->dims, (size_t)y.rank * sizeof *y.dims);
	memcpy(other.dims, b->dims, (size_t)other.rank * sizeof *y.dims);
	if (!ad_broadcast(&y, &other))
		return ad_refuse(s, "cannot multiply %s by %s: the leading axes do not broadcast",
		                 ad_show(s, 0), ad_show(s, 1));
	if (a->rank > 1)
		y.dims[y.rank++] = M;
	if (b->rank > 1)
		y.dims[y.rank++] = N;
	if (!ad_count_of(&y, &count))
		return ad_refuse(s, "%s by %s: %s has too many elements", ad_show(s, 0),
		                 ad_show(s, 1), ad_show_shape(s, y));
	s->out[0] = y;
	return true;
}

static struct product product_here(const ad_run *r)
{
	const struct attrs *at = r->attrs;
	const ad_array *a = &r->in[0], *b = &r->in[1];
	struct product p = { .n = 1, .M = 1, .N = 1 };
	int ra = a->rank > 2 ? a->rank - 2 : 0, rb = b->rank > 2 ? b->rank - 2 : 0;
	size_t of_b = 1;

	p.ta = at->transpose_a && a->rank > 1;
	p.tb = at->transpose_b && b->rank > 1;
	p.K = (size_t)a->dims[a->rank - (p.ta ? 2 : 1)];
	if (a->rank > 1)
		p.M = (size_t)a->dims[a->rank - (p.ta ? 1 : 2)];
	if (b->rank > 1)
		p.N = (size_t)b->dims[b->rank - (p.tb ? 2 : 1)];
	p.rank = ra > rb ? ra : rb;
	for (int i = 0; i < p.rank; i++) {
		p.a[i] = i < p.rank - ra ? 1 : a->dims[i - (p.rank - ra)];
		p.b[i] = i < p.rank - rb ? 1 : b->dims[i - (p.rank - rb)];
		p.y[i] = p.a[i] == 1 ? p.b[i] : p.a[i];
		p.n *= (size_t)p.y[i];
		of_b *= (size_t)p.b[i];
	}
	/* One b for all of a: the matrices of a lie below each other and make one. */
	if (of_b == 1 && !p.ta && p.n > 0) {
		p.M *= p.n;
		p.n = 1;
		p.rank = 0;
	}
	return p;
}

/* Which matrix of x belongs to matrix k of y. */
static size_t matrix_of(const struct product *p, const int64_t x[], size_t k)
{
	size_t at = 0, step = 1;

	for (int i = p->rank - 1; i >= 0; i--) {
		if (x[i] != 1)
			at += k % (size_t)p->y[i] * step;
		step *= (size_t)x[i];
		k /= (size_t)p->y[i];
	}
	return at;
}

static struct gemm_slices slices_of_y(const ad_run *r, const struct product *p)
{
	return AD_VARIANT(gemm_slices)(r->bf16, p->ta, p->tb, p->M, p->N, p->K);
}

static void forward_units(const ad_run *r, size_t begin, size_t end)
{
	struct product p = product_here(r);
	struct gemm_slices cut = slices_of_y(r, &p);
	const ad_real *a = ad_reals_of(&r->in[0]), *b = ad_reals_of(&r->in[1]);
	ad_real *y = ad_reals_of(&r->out[0]);

	for (size_t unit = begin; unit < end; unit++) {
		size_t k = unit / cut.n, base = k * p.M * p.N;
		gemm_slice(&cut, unit % cut.n, a + matrix_of(&p, p.a, k) * p.M * p.K,
		           p.ta ? p.M : p.K, b + matrix_of(&p, p.b, k) * p.K * p.N,
		           p.tb ? p.K : p.N, NULL, y + base, p.N, ad_adds(r, 0));
		gemm_finish(r, 0, base, &cut, unit % cut.n);
	}
}

/* How many of n units that multiply this often all together make it worth a thread. */
static size_t grain(double work, size_t n)
{
	double each = work / (double)n;
	return each >= 1 << 18 ? 1 : (size_t)((1 << 18) / (each + 1)) + 1;
}

static void forward(const ad_run *r)
{
	struct product p = product_here(r);
	struct gemm_slices cut = slices_of_y(r, &p);
	size_t n = p.n * cut.n;

	if (r->out[0].count > 0)
		ad_parallel(r, n, grain((double)p.n * (double)p.M * (double)p.N * (double)p.K, n),
		            forward_units);
}

/* The gradient of an operand: products of their own, of matrices as they are stored, added up over all matrices
 * of y that the operand's took part in. */
struct gradient {
	struct gemm_slices cut;
	const int64_t *dims; /* the leading axes of the operand */
	size_t n;            /* units: slices of all its matrices; 0: unwanted */
};

static struct gradient gradient_of(const ad_run *r, const struct product *p, bool of_b)
{
	struct gradient g = { .dims = of_b ? p->b : p->a };

	if (!r->dx[of_b].data || r->dx[of_b].count == 0)
		return g;
	if (of_b)
		g.cut = p->tb ? AD_VARIANT(gemm_slices)(r->bf16, true, p->ta, p->N, p->K, p->M)
		              : AD_VARIANT(gemm_slices)(r->bf16, !p->ta, false, p->K, p->N, p->M);
	else
		g.cut = p->ta ? AD_VARIANT(gemm_slices)(r->bf16, p->tb, true, p->K, p->M, p->N)
		              : AD_VARIANT(gemm_slices)(r->bf16, false, !p->tb, p->M, p->K, p->N);
	g.n = g.cut.n * (p->rank == 0 ? p->n : 1);
	for (int k = 0; k < p->rank; k++)
		g.n *= (size_t)g.dims[k];
	return g;
}

static void gradient_unit(const ad_run *r, const struct product *p, const struct gradient *g,
                          bool of_b, size_t unit)
{
	const ad_real *a = ad_reals_of(&r->in[0]), *b = ad_reals_of(&r->in[1]);
	const ad_real *dy = ad_reals_of(&r->dy[0]);
	size_t x = unit / g->cut.n, slice = unit % g->cut.n, base = x * g->cut.M * g->cut.N;
	size_t lda = p->ta ? p->M : p->K, ldb = p->tb ? p->K : p->N;
	size_t first, at[AD_MAX_RANK] = { 0 };
	ad_real *dx = ad_reals_of(&r->dx[of_b]) + base;
	bool reduced[AD_MAX_RANK];
	struct reduction uses;

	for (int i = 0; i < p->rank; i++)
		reduced[i] = g->dims[i] == 1 && p->y[i] != 1;
	uses = reduction_of(p->rank, p->y, reduced);
	first = reduction_base(&uses, x / uses.columns) + x % uses.columns;
	for (size_t row = 0; row < uses.row; row++) {
		for (size_t k = first; k < first + uses.run; k++) {
			const ad_real *ka = a ? a + matrix_of(p, p->a, k) * p->M * p->K : NULL;
			const ad_real *kb = b ? b + matrix_of(p, p->b, k) * p->K * p->N : NULL;
			const ad_real *kd = dy + k * p->M * p->N;
			bool add = ad_adds(r, of_b) || row > 0 || k > first;

			if (of_b && p->tb)
				gemm_slice(&g->cut, slice, kd, p->N, ka, lda, NULL, dx, g->cut.N, add);
			else if (of_b)
				gemm_slice(&g->cut, slice, ka, lda, kd, p->N, NULL, dx, g->cut.N, add);
			else if (p->ta)
				gemm_slice(&g->cut, slice, kb, ldb, kd, p->N, NULL, dx, g->cut.N, add);
			else
				gemm_slice(&g->cut, slice, kd, p->N, kb, ldb, NULL, dx, g->cut.N, add);
		}
		reduction_step(uses.n_rows, uses.rows, uses.row_stride, at, &first);
	}
	if (!of_b)
		gemm_finish(r, 0, base, &g->cut, slice);
}

static void backward_units(const ad_run *r, size_t begin, size_t end)
{
	struct product p = product_here(r);
	struct gradient of_a = gradient_of(r, &p, false), of_b = gradient_of(r, &p, true);

	for (size_t unit = begin; unit < end; unit++)
		if (unit < of_a.n)
			gradient_unit(r, &p, &of_a, false, unit);
		else
			gradient_unit(r, &p, &of_b, true, unit - of_a.n);
}

static void backward(const ad_run *r)
{
	struct product p = product_here(r);
	size_t n_a = gradient_of(r, &p, false).n, n_b = gradient_of(r, &p, true).n;
	double work = (double)p.n * (double)p.M * (double)p.N * (double)p.K;

	if (n_a + n_b == 0)
		return;
	if (p.n > 0) {
		work *= (n_a > 0) + (n_b > 0);
		ad_parallel(r, n_a + n_b, grain(work, n_a + n_b), backward_units);
		return;
	}
	/* broadcast to nothing: no use of either */
	for (int i = 0; i < 2; i++) {
		if (!r->dx[i].data)
			continue;
		if (!ad_adds(r, i))
			memset(r->dx[i].data, 0, r->dx[i].count * sizeof(ad_real));
		if (i == 0 && r->dx[i].count > 0)
			ad_finish(r, 0, 0, r->dx[i].count);
	}
}

/* x as matrices: a vector as one row or as one column. */
static ad_node *matrices(ad_node *x, bool column)
{
	ad_shape shape_x = ad_shape_of(x);

	if (shape_x.rank != 1)
		return x;
	return ad_reshape(x, column ? AD_SHAPE(shape_x.dims[0], 1) : AD_SHAPE(1, shape_x.dims[0]));
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *at = ad_attrs_of(y);
	ad_node *in[2] = { ad_input_of(y, 0), ad_input_of(y, 1) };
	ad_shape shape_a = ad_shape_of(in[0]), shape_b = ad_shape_of(in[1]),
		 shape_y = ad_shape_of(y);
	bool ta = at->transpose_a && shape_a.rank > 1, tb = at->transpose_b && shape_b.rank > 1;
	ad_node *a = matrices(in[0], false), *b = matrices(in[1], true), *d = dy[0];

	/* Put the axes back that y lacks for vectors. */
	if (shape_b.rank == 1)
		shape_y.dims[shape_y.rank++] = 1;
	if (shape_a.rank == 1) {
		shape_y.dims[shape_y.rank] = shape_y.dims[shape_y.rank - 1];
		shape_y.dims[shape_y.rank++ - 1] = 1;
	}
	if (shape_a.rank == 1 || shape_b.rank == 1)
		d = ad_reshape(d, shape_y);
	if (ad_wants(y, 0)) {
		dx[0] = ta ? ad_matmul_transposed(b, d, tb, true)
		           : ad_matmul_transposed(d, b, false, !tb);
		dx[0] = ad_reshape(ad_sum_to(dx[0], ad_shape_of(a)), shape_a);
	}
	if (ad_wants(y, 1)) {
		dx[1] = tb ? ad_matmul_transposed(d, a, true, ta)
		           : ad_matmul_transposed(a, d, !ta, false);
		dx[1] = ad_reshape(ad_sum_to(dx[1], ad_shape_of(b)), shape_b);
	}
}

/* A matrix with its two last axes swapped is read as it was stored. */
static bool fold(const ad_node *y, int i, const ad_node *x, void *attributes)
{
	struct attrs *at = attributes;
	int rank = ad_shape_of(x).rank;
	const ad_ints *dims;

	if (rank < 2 || strcmp(ad_op_of(x), "permute") != 0)
		return false;
	dims = (const ad_ints *)(const void *)((const char *)ad_attrs_of(x) +
	                                       ad_op_attrs(ad_op_find("permute"))->offset);
	for (int k = 0; k < rank; k++) {
		int64_t axis = dims->v[k] < 0 ? dims->v[k] + rank : dims->v[k];

		if (axis != (k == rank - 1 ? rank - 2 : k == rank - 2 ? rank - 1 : k))
			return false;
	}
	if (i == 0)
		at->transpose_a = !at->transpose_a;
	else
		at->transpose_b = !at->transpose_b;
	return true;
}

AD_OP(matmul, .arity = 2, .attrs = attrs, .attrs_size = sizeof(struct attrs), .shape = shape,
      .forward = forward, .backward = backward, .grad = grad, .reads = AD_READS_INPUTS,
      .adds = true, .finishes = 1 | 2, .fold = fold,
      .samples = { { .in = { AD_DIMS(2, 3), AD_DIMS(3, 2) },
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6), AD_LIST(1, -1, 0, 2, 3, 1) },
                     .want = { AD_LIST(10, 6, 22, 12) },
                     .dwant = { AD_LIST(0, 2, 4, 0, 2, 4), AD_LIST(5, 5, 7, 7, 9, 9) } },
                   { .in = { AD_DIMS(3), AD_DIMS(3) },
                     .give = { AD_LIST(1, 2, 3), AD_LIST(4, 5, 6) },
                     .want = { AD_LIST(32) },
                     .dwant = { AD_LIST(4, 5, 6), AD_LIST(1, 2, 3) } },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(3) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(3), AD_DIMS(2, 3, 4) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(3, 2), AD_DIMS(4, 3) },
                     .attrs = "transpose_a=true transpose_b=true",
                     .lo = -2,
                     .hi = 2 },
                   { .in = { AD_DIMS(2, 1, 3, 2), AD_DIMS(3, 3, 4) },
                     .attrs = "transpose_a=true",
                     .lo = -2,
                     .hi = 2 },
                   { .in = { AD_DIMS(2, 2, 3), AD_DIMS(4, 3) },
                     .attrs = "transpose_b=true",
                     .lo = -2,
                     .hi = 2 },
                   { .in = { AD_DIMS(2, 0), AD_DIMS(0, 2) }, .want = { AD_LIST(0, 0, 0, 0) } },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(5, 4) },
                     .error = "cannot multiply (2, 3) by (5, 4): 3 is not 5" },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(2, 5) },
                     .attrs = "transpose_b=true",
                     .error = "cannot multiply (2, 3) by (2, 5) transposed: 3 is not 5" },
                   { .in = { AD_DIMS(2, 2, 3), AD_DIMS(3, 3, 4) },
                     .error = "cannot multiply (2, 2, 3) by (3, 3, 4): the leading axes" },
                   { .in = { AD_DIM0, AD_DIMS(3) }, .error = "a single number is no matrix" } });

/* The matrix product of a and b by NumPy's rules. */
AD_API ad_node *ad_matmul(ad_node *a, ad_node *b)
{
	return AD_CALL(matmul, a, b);
}

/* The same, with the last two axes of a, of b swapped first. */
AD_API ad_node *ad_matmul_transposed(ad_node *a, ad_node *b, bool transpose_a, bool transpose_b)
{
	struct attrs at = { transpose_a, transpose_b };

	return AD_CALL_WITH(matmul, &at, a, b);
}
