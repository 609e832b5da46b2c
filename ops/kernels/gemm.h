/*
 * gemm: matrix products, row-major, in the real type of this variant.
 *
 * One call is one single-threaded product. Callers that want threads cut the rows or columns of c
 * into slices by the shape alone (gemm_slices) and call once per slice, also when one thread runs
 * them all: then the number of threads does not change a bit of the result.
 *
 * A library does the larger products where one is found (blas.c), our own kernel the small ones,
 * and all of them where there is none.
 */
#ifndef OPS_KERNELS_GEMM_H
#define OPS_KERNELS_GEMM_H

#include "op.h"

/* c = op(a) op(b), or c += op(a) op(b) if add is set; op(a) is M x K, op(b) is K x N, c is M x N. A
 * transposed matrix is stored as K x M, or N x K. lda, ldb, ldc: from one stored row to the next.
 * K = 0 gives zeros. c overlaps neither a nor b. */
void AD_VARIANT(gemm)(bool transpose_a, bool transpose_b, size_t M, size_t N, size_t K,
                      const ad_real *a, size_t lda, const ad_real *b, size_t ldb, ad_real *c,
                      size_t ldc, bool add);

/* The same by our own kernel alone. */
void AD_VARIANT(gemm_own)(bool transpose_a, bool transpose_b, size_t M, size_t N, size_t K,
                          const ad_real *a, size_t lda, const ad_real *b, size_t ldb, ad_real *c,
                          size_t ldc, bool add);

/* How c is cut: into strips of rows, or of columns where there are more of these. */
struct gemm_slices {
	bool columns;
	size_t n, size; /* how many, and the rows or columns of each but the last */
};

static inline struct gemm_slices gemm_slices(size_t M, size_t N, size_t K)
{
	/* A slice is worth a thread from about this many multiplications on (some 10 microseconds).
	 */
	const double worth = 1 << 19;
	double work = (double)M * (double)N * (double)K / worth;
	struct gemm_slices s = { .columns = N > M };
	size_t size = s.columns ? N : M, n = work >= 32 ? 32 : work >= 2 ? (size_t)work : 1;

	/* Whole tiles of the kernels: 16 rows, 64 columns. */
	size_t tile = s.columns ? 64 : 16;
	s.size = ((size + n - 1) / n + tile - 1) / tile * tile;
	s.n = size ? (size + s.size - 1) / s.size : 1;
	return s;
}

/* Slice k of a product that is cut that way. */
static inline void gemm_slice(const struct gemm_slices *s, size_t k, bool transpose_a,
                              bool transpose_b, size_t M, size_t N, size_t K, const ad_real *a,
                              size_t lda, const ad_real *b, size_t ldb, ad_real *c, size_t ldc,
                              bool add)
{
	size_t at = k * s->size, all = s->columns ? N : M;
	size_t size = all - at < s->size ? all - at : s->size;

	if (s->columns)
		AD_VARIANT(gemm)
	(transpose_a, transpose_b, M, size, K, a, lda, b + (transpose_b ? at * ldb : at), ldb,
	 c + at, ldc, add);
	else AD_VARIANT(gemm)(transpose_a, transpose_b, size, N, K,
	                      a + (transpose_a ? at : at * lda), lda, b, ldb, c + at * ldc, ldc,
	                      add);
}

/* The library's products, with the C interface of BLAS; NULL where none was found. */
typedef void gemm_library_f32(int order, int transpose_a, int transpose_b, int M, int N, int K,
                              float alpha, const float *a, int lda, const float *b, int ldb,
                              float beta, float *c, int ldc);
typedef void gemm_library_f64(int order, int transpose_a, int transpose_b, int M, int N, int K,
                              double alpha, const double *a, int lda, const double *b, int ldb,
                              double beta, double *c, int ldc);

struct gemm_library {
	const char *name; /* "openblas", or "own" */
	gemm_library_f32 *f32;
	gemm_library_f64 *f64;
};

/* Looks for it at the first call, from any thread. Environment: AUTOGRAD_GEMM=own leaves it out. */
const struct gemm_library *gemm_library(void);

#endif
