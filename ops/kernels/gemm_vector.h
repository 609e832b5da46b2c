/*
 * gemm_vector: vectors of the instruction set that this variant is compiled for, as the matrix
 * products need them: parts of a vector at the edge of a matrix, transposing squares, sums.
 */
#ifndef OPS_KERNELS_GEMM_VECTOR_H
#define OPS_KERNELS_GEMM_VECTOR_H

#include "op.h"

#if defined __AVX__
#include <immintrin.h>
#endif

#if AD_LEVEL == 2
#define VECTOR_BYTES 64
#elif AD_LEVEL == 1
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

#ifdef AD_F64
#define LANES (VECTOR_BYTES / 8)
#else
#define LANES (VECTOR_BYTES / 4)
#endif

#define INLINE static inline __attribute__((always_inline))

typedef ad_real vector
    __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(ad_real)), may_alias));

INLINE vector vector_load(const ad_real *x)
{
	return *(const vector *)x;
}

INLINE void vector_store(ad_real *to, vector v)
{
	*(vector *)to = v;
}

/* The first n numbers, 0 < n < LANES, and zeros; nothing behind them is read. */
INLINE vector vector_load_part(const ad_real *x, size_t n)
{
#if defined __AVX512F__ && !defined AD_F64
	return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), x);
#elif defined __AVX__ && !defined AD_F64
	static const int mask[16] = { -1, -1, -1, -1, -1, -1, -1, -1 };
	return _mm256_maskload_ps(x, _mm256_loadu_si256((const __m256i_u *)(mask + 8 - n)));
#elif defined __AVX__
	static const long long mask[8] = { -1, -1, -1, -1 };
	return _mm256_maskload_pd(x, _mm256_loadu_si256((const __m256i_u *)(mask + 4 - n)));
#else
	vector v = { 0 };

	for (size_t k = 0; k < n; k++)
		v[k] = x[k];
	return v;
#endif
}

/* Writes the first n numbers, 0 < n < LANES. */
INLINE void vector_store_part(ad_real *to, vector v, size_t n)
{
#if defined __AVX512F__ && !defined AD_F64
	_mm512_mask_storeu_ps(to, (__mmask16)((1u << n) - 1), v);
#else
	/* not by AVX2's masked store, which is slow on some processors */
	ad_real all[LANES];
	size_t k = 0;

	vector_store(all, v);
#if LANES > 4
	if (n & 4) {
		memcpy(to, all, 4 * sizeof *to);
		k = 4;
	}
#endif
	if (n & 2) {
		memcpy(to + k, all + k, 2 * sizeof *to);
		k += 2;
	}
	if (n & 1)
		to[k] = all[k];
#endif
}

/* Writes v, or its first n numbers if it is cut, after adding those of bias, unless it is NULL, and what is there
 * if add is set. */
INLINE void vector_put(ad_real *to, vector v, bool cut, size_t n, const ad_real *bias, bool add)
{
	if (bias)
		v += cut ? vector_load_part(bias, n) : vector_load(bias);
	if (add)
		v += cut ? vector_load_part(to, n) : vector_load(to);
	if (cut)
		vector_store_part(to, v, n);
	else
		vector_store(to, v);
}

#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)

/* Transposes the LANES x LANES numbers of x. */
#if LANES == 16
#define EXCHANGE(d, even, odd)                                                                     \
	for (size_t i = 0; i < 16; i++)                                                            \
		if (!(i & d)) {                                                                    \
			vector a = x[i], b = x[i + d];                                             \
			x[i] = SHUFFLE(a, b, even);                                                \
			x[i + d] = SHUFFLE(a, b, odd);                                             \
		}
#define LIST(...) __VA_ARGS__
INLINE void vector_transpose(vector x[16])
{
	/* pairs of 1, 2, 4, 8 change places */
#pragma GCC unroll 16
	EXCHANGE(1, LIST(0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30),
	         LIST(1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31))
#pragma GCC unroll 16
	EXCHANGE(2, LIST(0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29),
	         LIST(2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31))
#pragma GCC unroll 16
	EXCHANGE(4, LIST(0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27),
	         LIST(4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31))
#pragma GCC unroll 16
	EXCHANGE(8, LIST(0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
	         LIST(8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31))
}
#undef LIST
#undef EXCHANGE
#elif LANES == 8
INLINE void vector_transpose(vector x[8])
{
	vector t[8], u[8];

#pragma GCC unroll 4
	for (size_t i = 0; i < 8; i += 2) {
		t[i] = SHUFFLE(x[i], x[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
		t[i + 1] = SHUFFLE(x[i], x[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
	}
#pragma GCC unroll 2
	for (size_t i = 0; i < 8; i += 4) {
		u[i] = SHUFFLE(t[i], t[i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
		u[i + 1] = SHUFFLE(t[i], t[i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
		u[i + 2] = SHUFFLE(t[i + 1], t[i + 3], 0, 1, 8, 9, 4, 5, 12, 13);
		u[i + 3] = SHUFFLE(t[i + 1], t[i + 3], 2, 3, 10, 11, 6, 7, 14, 15);
	}
#pragma GCC unroll 4
	for (size_t i = 0; i < 4; i++) {
		x[i] = SHUFFLE(u[i], u[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
		x[i + 4] = SHUFFLE(u[i], u[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
	}
}
#elif LANES == 4
INLINE void vector_transpose(vector x[4])
{
	vector a = SHUFFLE(x[0], x[1], 0, 4, 2, 6), b = SHUFFLE(x[0], x[1], 1, 5, 3, 7);
	vector c = SHUFFLE(x[2], x[3], 0, 4, 2, 6), d = SHUFFLE(x[2], x[3], 1, 5, 3, 7);

	x[0] = SHUFFLE(a, c, 0, 1, 4, 5);
	x[1] = SHUFFLE(b, d, 0, 1, 4, 5);
	x[2] = SHUFFLE(a, c, 2, 3, 6, 7);
	x[3] = SHUFFLE(b, d, 2, 3, 6, 7);
}
#else
INLINE void vector_transpose(vector x[2])
{
	vector a = x[0];

	x[0] = SHUFFLE(a, x[1], 0, 2);
	x[1] = SHUFFLE(a, x[1], 1, 3);
}
#endif

typedef ad_real vector_four
    __attribute__((vector_size(4 * sizeof(ad_real)), aligned(sizeof(ad_real)), may_alias));

/* The sums of the numbers in each of four vectors. */
INLINE void vector_sums(vector a, vector b, vector c, vector d, vector_four *sums)
{
#if LANES == 16
	vector ab = SHUFFLE(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
	            SHUFFLE(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
	vector cd = SHUFFLE(c, d, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
	            SHUFFLE(c, d, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
	vector s = SHUFFLE(ab, cd, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +
	           SHUFFLE(ab, cd, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
	s += SHUFFLE(s, s, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
	s += SHUFFLE(s, s, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
	*sums = SHUFFLE(s, s, 0, 4, 8, 12);
#elif LANES == 8
	vector ab = SHUFFLE(a, b, 0, 8, 2, 10, 4, 12, 6, 14) +
	            SHUFFLE(a, b, 1, 9, 3, 11, 5, 13, 7, 15);
	vector cd = SHUFFLE(c, d, 0, 8, 2, 10, 4, 12, 6, 14) +
	            SHUFFLE(c, d, 1, 9, 3, 11, 5, 13, 7, 15);
	vector s = SHUFFLE(ab, cd, 0, 1, 8, 9, 4, 5, 12, 13) +
	           SHUFFLE(ab, cd, 2, 3, 10, 11, 6, 7, 14, 15);
	*sums = SHUFFLE(s, s, 0, 1, 2, 3) + SHUFFLE(s, s, 4, 5, 6, 7);
#elif LANES == 4
	vector ab = SHUFFLE(a, b, 0, 4, 2, 6) + SHUFFLE(a, b, 1, 5, 3, 7);
	vector cd = SHUFFLE(c, d, 0, 4, 2, 6) + SHUFFLE(c, d, 1, 5, 3, 7);
	*sums = SHUFFLE(ab, cd, 0, 1, 4, 5) + SHUFFLE(ab, cd, 2, 3, 6, 7);
#else
	vector ab = SHUFFLE(a, b, 0, 2) + SHUFFLE(a, b, 1, 3);
	vector cd = SHUFFLE(c, d, 0, 2) + SHUFFLE(c, d, 1, 3);
	*sums = SHUFFLE(ab, cd, 0, 1, 2, 3);
#endif
}

#endif
