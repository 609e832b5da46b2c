/*
 * lu: factors of square matrices, for det, inverse, solve and their kin.
 *
 * In double also where the reals are f32, so that an f32 result is right to about one ulp of itself
 * unless the condition number nears 1e9. Everything is row-major.
 */
#ifndef OPS_KERNELS_LU_H
#define OPS_KERNELS_LU_H

#include "op.h"

/* Scratch memory: for each matrix n * n numbers and n row numbers; then columns of n numbers. */
static inline size_t lu_bytes(size_t n)
{
	return (n * n + n) * sizeof(double);
}

/* Asks for the room of count matrices and of columns; refuses on overflow. */
static inline bool lu_room(ad_infer *s, int64_t n, size_t count, size_t columns)
{
	ad_shape matrices = AD_SHAPE(n, n + 1, sizeof(double), (int64_t)count);
	ad_shape rest = AD_SHAPE(n, sizeof(double), (int64_t)columns);
	size_t more;

	if (ad_count_of(&matrices, &s->work) && ad_count_of(&rest, &more) &&
	    !__builtin_add_overflow(s->work, more, &s->work))
		return true;
	return ad_refuse(s, "%s has too many elements", ad_show(s, 0));
}

static inline double *lu_matrix(const ad_run *r, size_t n, size_t k)
{
	return (double *)(void *)((char *)r->work + k * lu_bytes(n));
}

static inline size_t *lu_rows(const ad_run *r, size_t n, size_t k)
{
	return (size_t *)(void *)(lu_matrix(r, n, k) + n * n);
}

/* Column k, behind count matrices. */
static inline double *lu_column(const ad_run *r, size_t n, size_t count, size_t k)
{
	return lu_matrix(r, n, count) + k * n;
}

/* The grain for ad_parallel over matrices, of about n^3 multiplications each. */
static inline size_t lu_grain(size_t n)
{
	const double work = (double)n * (double)n * (double)n;

	return work >= 32768 ? 1 : (size_t)(32768 / (work + 1)) + 1;
}

_Static_assert(sizeof(size_t) <= sizeof(double), "row numbers fit in the room of doubles");

/* The rule of ops on square matrices: x (..., n, n); count: how many matrices. */
static inline bool square_matrices(ad_infer *s, size_t *count)
{
	const ad_shape *x = &s->in[0];
	ad_shape lead = *x;

	lead.rank -= 2;
	if (x->rank < 2 || x->dims[x->rank - 1] != x->dims[x->rank - 2])
		return ad_refuse(s, "takes square matrices (..., n, n), not %s", ad_show(s, 0));
	return ad_count_of(&lead, count);
}

static inline size_t matrix_size(const ad_array *x)
{
	return (size_t)x->dims[x->rank - 1];
}

static inline size_t matrix_count(const ad_array *x)
{
	size_t n = 1;

	for (int i = 0; i < x->rank - 2; i++)
		n *= (size_t)x->dims[i];
	return n;
}

static inline void lu_load(const ad_real *x, size_t n, bool transpose, double *a)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			a[i * n + j] = (double)x[transpose ? j * n + i : i * n + j];
}

/* P A = L U in place, with partial pivoting (Golub and Van Loan, "Matrix computations", 3.4): row i
 * of the factors is row rows[i] of A. The sign of the permutation, or 0 if a pivot is 0, whose row
 * is then left as it is. */
static inline int lu_factor(double *a, size_t n, size_t *rows)
{
	int sign = 1;
	bool singular = false;

	for (size_t i = 0; i < n; i++)
		rows[i] = i;
	for (size_t k = 0; k < n; k++) {
		size_t pivot = k;

		for (size_t i = k + 1; i < n; i++)
			if (fabs(a[i * n + k]) > fabs(a[pivot * n + k]))
				pivot = i;
		if (pivot != k) {
			size_t row = rows[k];

			rows[k] = rows[pivot];
			rows[pivot] = row;
			for (size_t j = 0; j < n; j++) {
				double v = a[k * n + j];

				a[k * n + j] = a[pivot * n + j];
				a[pivot * n + j] = v;
			}
			sign = -sign;
		}
		if (a[k * n + k] == 0) {
			singular = true;
			continue;
		}
		for (size_t i = k + 1; i < n; i++) {
			const double factor = a[i * n + k] /= a[k * n + k];

			for (size_t j = k + 1; j < n; j++)
				a[i * n + j] -= factor * a[k * n + j];
		}
	}
	return singular ? 0 : sign;
}

/* Solves L U y = v in place. */
static inline void lu_solve(const double *a, size_t n, double *v)
{
	for (size_t i = 0; i < n; i++) {
		double sum = 0;

#pragma omp simd reduction(+ : sum)
		for (size_t j = 0; j < i; j++)
			sum += a[i * n + j] * v[j];
		v[i] -= sum;
	}
	for (size_t i = n; i-- > 0;) {
		double sum = 0;

#pragma omp simd reduction(+ : sum)
		for (size_t j = i + 1; j < n; j++)
			sum += a[i * n + j] * v[j];
		v[i] = (v[i] - sum) / a[i * n + i];
	}
}

#endif
