/*
 * rows: sums and maxima of elements side by side, in vectors of this variant's instruction set.
 *
 * A reduction by `omp simd` ends in a loop over the lanes, one after another, which takes longer
 * than a short row does; here lanes are added up by halves. Every number depends on n and the
 * instruction set alone.
 */
#ifndef OPS_KERNELS_ROWS_H
#define OPS_KERNELS_ROWS_H

#include "op.h"

#if AD_LEVEL == 2
#define ROW_BYTES 64
#elif AD_LEVEL == 1
#define ROW_BYTES 32
#else
#define ROW_BYTES 16
#endif
#define ROW_LANES (ROW_BYTES / sizeof(ad_real))
#define ROW_SHORT (16 / sizeof(ad_real)) /* lanes of a short vector, for what is left over */

#ifdef AD_F64
typedef int64_t row_bits;
#else
typedef int32_t row_bits;
#endif
#define ROW_TYPE(type, bytes)                                                                      \
	type __attribute__((vector_size(bytes), aligned(sizeof(ad_real)), may_alias))
typedef ROW_TYPE(ad_real, ROW_BYTES) row_vector;
typedef ROW_TYPE(row_bits, ROW_BYTES) row_mask;
typedef ROW_TYPE(ad_real, 16) row_short;
typedef ROW_TYPE(row_bits, 16) row_short_mask;

#define ROW_AT(type, x) (*(const type *)(x))

/* A vector as short ones. */
union row_parts {
	row_vector all;
	row_short part[ROW_BYTES / 16];
};

static inline ad_real row_add_short(row_short v)
{
#ifdef AD_F64
	return v[0] + v[1];
#else
	return (v[0] + v[2]) + (v[1] + v[3]);
#endif
}

static inline row_short row_add_parts(row_vector v)
{
	union row_parts u = { v };

#if ROW_BYTES == 64
	return (u.part[0] + u.part[2]) + (u.part[1] + u.part[3]);
#elif ROW_BYTES == 32
	return u.part[0] + u.part[1];
#else
	return u.part[0];
#endif
}

/* The sum of term(i) for i = 0..n-1, where TERM(type) is the term of as many i as the type has lanes,
 * and `one` that of one. Two sums at a time, as an addition takes some cycles. */
#define ROW_SUM(n, TERM, one)                                                                      \
	row_vector a_ = { 0 }, b_ = { 0 };                                                         \
	row_short s_;                                                                              \
	ad_real sum_;                                                                              \
	size_t i = 0;                                                                              \
	for (; i + 2 * ROW_LANES <= (n); i += ROW_LANES) {                                         \
		a_ += TERM(row_vector);                                                            \
		i += ROW_LANES;                                                                    \
		b_ += TERM(row_vector);                                                            \
	}                                                                                          \
	if (i + ROW_LANES <= (n)) {                                                                \
		a_ += TERM(row_vector);                                                            \
		i += ROW_LANES;                                                                    \
	}                                                                                          \
	s_ = row_add_parts(a_ + b_);                                                               \
	for (; i + ROW_SHORT <= (n); i += ROW_SHORT)                                               \
		s_ += TERM(row_short);                                                             \
	sum_ = row_add_short(s_);                                                                  \
	for (; i < (n); i++)                                                                       \
		sum_ += (one);                                                                     \
	return sum_

static inline ad_real row_sum(const ad_real *x, size_t n)
{
#define TERM(type) ROW_AT(type, x + i)
	ROW_SUM(n, TERM, x[i]);
#undef TERM
}

static inline ad_real row_dot(const ad_real *x, const ad_real *y, size_t n)
{
#define TERM(type) (ROW_AT(type, x + i) * ROW_AT(type, y + i))
	ROW_SUM(n, TERM, x[i] * y[i]);
#undef TERM
}

/* The sum of x - shift, of (x - centre)^2, and of x (y - centre). */
static inline ad_real row_shifted(const ad_real *x, size_t n, ad_real shift)
{
#define TERM(type) (ROW_AT(type, x + i) - shift)
	ROW_SUM(n, TERM, x[i] - shift);
#undef TERM
}

static inline ad_real row_squares(const ad_real *x, size_t n, ad_real centre)
{
#define TERM(type) ((ROW_AT(type, x + i) - centre) * (ROW_AT(type, x + i) - centre))
	ROW_SUM(n, TERM, (x[i] - centre) * (x[i] - centre));
#undef TERM
}

static inline ad_real row_products(const ad_real *x, const ad_real *y, size_t n, ad_real centre)
{
#define TERM(type) (ROW_AT(type, x + i) * (ROW_AT(type, y + i) - centre))
	ROW_SUM(n, TERM, x[i] * (y[i] - centre));
#undef TERM
}

static inline row_vector row_larger(row_vector a, row_vector b)
{
	row_mask more = a > b;

	return (row_vector)(((row_mask)a & more) | ((row_mask)b & ~more));
}

static inline row_short row_larger_short(row_short a, row_short b)
{
	row_short_mask more = a > b;

	return (row_short)(((row_short_mask)a & more) | ((row_short_mask)b & ~more));
}

/* The largest element; -inf of none. NaN does not count. */
static inline ad_real row_max(const ad_real *x, size_t n)
{
	const ad_real none = -(ad_real)INFINITY;
	union row_parts u = { (row_vector){ 0 } + none };
	row_short s;
	ad_real max;
	size_t i = 0;

	for (; i + ROW_LANES <= n; i += ROW_LANES)
		u.all = row_larger(ROW_AT(row_vector, x + i), u.all);
	s = u.part[0];
	for (size_t k = 1; k < ROW_BYTES / 16; k++)
		s = row_larger_short(u.part[k], s);
	for (; i + ROW_SHORT <= n; i += ROW_SHORT)
		s = row_larger_short(ROW_AT(row_short, x + i), s);
	max = s[0];
	for (size_t k = 1; k < ROW_SHORT; k++)
		max = s[k] > max ? s[k] : max;
	for (; i < n; i++)
		max = x[i] > max ? x[i] : max;
	return max;
}

#endif
