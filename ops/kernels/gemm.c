/*
 * gemm: our own matrix product, and the choice between it and the library.
 *
 * After Goto and van de Geijn, "Anatomy of high-performance matrix multiplication" (2008): a tile
 * of c is kept in registers while a strip of a and a strip of b pass by, both copied ("packed")
 * into the order in which they are read. Vectors are those of the instruction set that this variant
 * is compiled for.
 */
#include "gemm.h"

#include <limits.h>

/* Vector registers of the instruction set: bytes of each, and the rows of a tile that is two of
 * them wide: ROWS * 2 sums, 2 of b and one of a fit into 16 registers, or into 32. */
#if AD_LEVEL == 2
#define VECTOR 64
#define ROWS 12
#elif AD_LEVEL == 1
#define VECTOR 32
#define ROWS 6
#else
#define VECTOR 16
#define ROWS 6
#endif
#define LANES (VECTOR / sizeof(ad_real))
#define WIDTH (2 * LANES) /* columns of a tile */

/* Blocks: DEEP steps of K; as many columns as keep the packed strips of b within 256 KiB. */
#define DEEP 256
#define COLUMNS (262144 / DEEP / sizeof(ad_real))

/* Below this many multiplications the library's overhead is not worth it. */
#define SMALL 32768

typedef ad_real vector __attribute__((vector_size(VECTOR), aligned(sizeof(ad_real)), may_alias));

/* A tile of m x WIDTH, m known to the compiler, which keeps sum[][] in registers. a is packed, ROWS
 * numbers a step; b is read row by row, ldb apart; c is written, or added to. */
static inline __attribute__((always_inline)) void tile(size_t m, size_t K, const ad_real *a,
                                                       const ad_real *b, size_t ldb, ad_real *c,
                                                       size_t ldc, bool add)
{
	vector sum[ROWS][2];

#pragma GCC unroll 16
	for (size_t i = 0; i < m; i++)
		sum[i][0] = sum[i][1] = (vector){ 0 };
	for (size_t k = 0; k < K; k++, a += ROWS, b += ldb) {
		vector b0 = *(const vector *)b, b1 = *(const vector *)(b + LANES);
#pragma GCC unroll 16
		for (size_t i = 0; i < m; i++) {
			sum[i][0] += a[i] * b0;
			sum[i][1] += a[i] * b1;
		}
	}
#pragma GCC unroll 16
	for (size_t i = 0; i < m; i++) {
		vector *to = (vector *)(c + i * ldc), *next = (vector *)(c + i * ldc + LANES);
		if (add) {
			sum[i][0] += *to;
			sum[i][1] += *next;
		}
		*to = sum[i][0];
		*next = sum[i][1];
	}
}

/* rows <= ROWS of any number. */
static void tile_of(size_t rows, size_t K, const ad_real *a, const ad_real *b, size_t ldb,
                    ad_real *c, size_t ldc, bool add)
{
	if (rows == ROWS) {
		tile(ROWS, K, a, b, ldb, c, ldc, add);
		return;
	}
	/* The rest in powers of two; a stays packed for ROWS. */
	if (rows & 8) {
		tile(8 < ROWS ? 8 : ROWS, K, a, b, ldb, c, ldc, add);
		a += 8;
		c += 8 * ldc;
	}
	if (rows & 4) {
		tile(4, K, a, b, ldb, c, ldc, add);
		a += 4;
		c += 4 * ldc;
	}
	if (rows & 2) {
		tile(2, K, a, b, ldb, c, ldc, add);
		a += 2;
		c += 2 * ldc;
	}
	if (rows & 1)
		tile(1, K, a, b, ldb, c, ldc, add);
}

/* A strip of `rows` rows of op(a): ROWS numbers for each step of K. */
static void pack_a(ad_real *to, const ad_real *a, size_t lda, bool transposed, size_t rows,
                   size_t K)
{
	if (transposed) {
		for (size_t k = 0; k < K; k++)
			for (size_t i = 0; i < rows; i++)
				to[k * ROWS + i] = a[k * lda + i];
	} else {
		for (size_t i = 0; i < rows; i++)
			for (size_t k = 0; k < K; k++)
				to[k * ROWS + i] = a[i * lda + k];
	}
}

/* A strip of `columns` columns of op(b): WIDTH numbers for each step, zeros behind the last column.
 */
static void pack_b(ad_real *to, const ad_real *b, size_t ldb, bool transposed, size_t columns,
                   size_t K)
{
	if (columns < WIDTH)
		memset(to, 0, K * WIDTH * sizeof *to);
	if (transposed) {
		for (size_t j = 0; j < columns; j++)
			for (size_t k = 0; k < K; k++)
				to[k * WIDTH + j] = b[j * ldb + k];
	} else if (columns == WIDTH) {
		for (size_t k = 0; k < K; k++)
			memcpy(to + k * WIDTH, b + k * ldb, WIDTH * sizeof *to);
	} else {
		for (size_t k = 0; k < K; k++)
			memcpy(to + k * WIDTH, b + k * ldb, columns * sizeof *to);
	}
}

/* One block of K and of columns: c (+)= op(a) op(b). */
static void block(bool transpose_a, bool transpose_b, size_t M, size_t N, size_t K,
                  const ad_real *a, size_t lda, const ad_real *b, size_t ldb, ad_real *c,
                  size_t ldc, bool add)
{
	_Alignas(64) ad_real packed_a[ROWS * DEEP], packed_b[COLUMNS * DEEP];
	_Alignas(64) ad_real edge[ROWS * WIDTH];
	/* One strip of rows reads each number of b once: packing it would double the work. */
	bool pack = transpose_b || M > ROWS;

	for (size_t j = 0; j < N; j += WIDTH) {
		size_t columns = N - j < WIDTH ? N - j : WIDTH;
		if (pack || columns < WIDTH)
			pack_b(packed_b + j * K, b + (transpose_b ? j * ldb : j), ldb, transpose_b,
			       columns, K);
	}
	for (size_t i = 0; i < M; i += ROWS) {
		size_t rows = M - i < ROWS ? M - i : ROWS;

		pack_a(packed_a, a + (transpose_a ? i : i * lda), lda, transpose_a, rows, K);
		for (size_t j = 0; j < N; j += WIDTH) {
			size_t columns = N - j < WIDTH ? N - j : WIDTH;
			ad_real *to = c + i * ldc + j;

			if (columns == WIDTH && !pack) {
				tile_of(rows, K, packed_a, b + j, ldb, to, ldc, add);
			} else if (columns == WIDTH) {
				tile_of(rows, K, packed_a, packed_b + j * K, WIDTH, to, ldc, add);
			} else {
				tile_of(rows, K, packed_a, packed_b + j * K, WIDTH, edge, WIDTH,
				        false);
				for (size_t k = 0; k < rows; k++)
					for (size_t n = 0; n < columns; n++)
						to[k * ldc + n] =
						    add ? to[k * ldc + n] + edge[k * WIDTH + n]
							: edge[k * WIDTH + n];
			}
		}
	}
}

static ad_real dot(const ad_real *a, const ad_real *b, size_t n)
{
	ad_real sum = 0;
#pragma omp simd reduction(+ : sum)
	for (size_t k = 0; k < n; k++)
		sum += a[k] * b[k];
	return sum;
}

void AD_VARIANT(gemm_own)(bool transpose_a, bool transpose_b, size_t M, size_t N, size_t K,
                          const ad_real *a, size_t lda, const ad_real *b, size_t ldb, ad_real *c,
                          size_t ldc, bool add)
{
	if (K == 0 && !add)
		for (size_t i = 0; i < M; i++)
			memset(c + i * ldc, 0, N * sizeof *c);
	if (M == 0 || N == 0 || K == 0)
		return;
	/* A column is a row, lying: then the wide side is along the vectors. */
	if (N == 1 && ldc == 1 && M > 1) {
		AD_VARIANT(gemm_own)
		(!transpose_b, !transpose_a, 1, M, K, b, ldb, a, lda, c, M, add);
		return;
	}
	/* Few rows against rows of b: dot products, which read b once and as it lies. */
	if (transpose_b && M <= 2 && (!transpose_a || lda == 1)) {
		for (size_t i = 0; i < M; i++)
			for (size_t j = 0; j < N; j++) {
				ad_real sum = 0;
				for (size_t k = 0; k < K; k += DEEP)
					sum += dot(a + i * lda + k, b + j * ldb + k,
					           K - k < DEEP ? K - k : DEEP);
				c[i * ldc + j] = add ? c[i * ldc + j] + sum : sum;
			}
		return;
	}
	for (size_t j = 0; j < N; j += COLUMNS) {
		size_t columns = N - j < COLUMNS ? N - j : COLUMNS;

		for (size_t k = 0; k < K; k += DEEP)
			block(transpose_a, transpose_b, M, columns, K - k < DEEP ? K - k : DEEP,
			      a + (transpose_a ? k * lda : k), lda,
			      b + (transpose_b ? j * ldb + k : k * ldb + j), ldb, c + j, ldc,
			      add || k > 0);
	}
}

void AD_VARIANT(gemm)(bool transpose_a, bool transpose_b, size_t M, size_t N, size_t K,
                      const ad_real *a, size_t lda, const ad_real *b, size_t ldb, ad_real *c,
                      size_t ldc, bool add)
{
	enum { ROW_MAJOR = 101, AS_IS = 111, TRANSPOSED = 112 };

	/* Products of a vector, small ones, and those with sizes beyond the library's int. */
	if (M > 1 && N > 1 && K > 1 && (double)M * (double)N * (double)K > SMALL &&
	    lda <= INT_MAX && ldb <= INT_MAX && ldc <= INT_MAX && M <= INT_MAX && N <= INT_MAX &&
	    K <= INT_MAX) {
		const struct gemm_library *library = gemm_library();
#ifdef AD_F64
		gemm_library_f64 *product = library->f64;
#else
		gemm_library_f32 *product = library->f32;
#endif
		if (product) {
			product(ROW_MAJOR, transpose_a ? TRANSPOSED : AS_IS,
			        transpose_b ? TRANSPOSED : AS_IS, (int)M, (int)N, (int)K, 1, a,
			        (int)lda, b, (int)ldb, add ? 1 : 0, c, (int)ldc);
			return;
		}
	}
	AD_VARIANT(gemm_own)(transpose_a, transpose_b, M, N, K, a, lda, b, ldb, c, ldc, add);
}
