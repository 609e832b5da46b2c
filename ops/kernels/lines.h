/*
 * lines: an array as lines along one axis, for ops that work on each line by itself.
 */
#ifndef OPS_KERNELS_LINES_H
#define OPS_KERNELS_LINES_H

#include "op.h"

struct lines {
	size_t count; /* how many */
	size_t n;     /* elements of each */
	size_t step;  /* from one element of a line to the next; 1 for the last axis */
};

/* axis counts from the front, or from the end if it is negative, and was checked by the shape rule.
 */
static inline struct lines lines_along(int rank, const int64_t dims[], int64_t axis)
{
	struct lines l = { 1, 1, 1 };

	if (rank == 0)
		return l;
	axis += axis < 0 ? rank : 0;
	for (int64_t i = 0; i < axis; i++)
		l.count *= (size_t)dims[i];
	l.n = (size_t)dims[axis];
	for (int64_t i = axis + 1; i < rank; i++)
		l.step *= (size_t)dims[i];
	l.count *= l.step;
	return l;
}

/* Where line k begins. */
static inline size_t line_start(const struct lines *l, size_t k)
{
	return l->step == 1 ? k * l->n : k / l->step * l->n * l->step + k % l->step;
}

/* The grain for ad_parallel over lines, of work that costs about as much as exp per element. */
static inline size_t lines_grain(const struct lines *l)
{
	return l->n >= 4096 ? 1 : 4096 / (l->n ? l->n : 1);
}

/* The largest element of a line; NaN does not count. */
static inline ad_real line_max(const ad_real *x, size_t n, size_t step)
{
	ad_real max = -(ad_real)INFINITY;
	for (size_t k = 0; k < n; k++)
		max = x[k * step] > max ? x[k * step] : max;
	return max;
}

/* The sum of exp(x - shift) of a line. */
static inline ad_real line_sum_exp(const ad_real *x, ad_real shift, size_t n, size_t step)
{
	ad_real sum = 0;
#pragma omp simd reduction(+ : sum)
	for (size_t k = 0; k < n; k++)
		sum += real_exp(x[k * step] - shift);
	return sum;
}

#endif
