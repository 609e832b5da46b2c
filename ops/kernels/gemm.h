/*
 * gemm: matrix products, row-major, in the real type of this variant.
 *
 * One call is one single-threaded product. Callers that want threads cut the rows or columns of c
 * into slices by the shape alone (gemm_slices) and call once per slice, also when one thread runs
 * them all: then the number of threads does not change a bit of the result.
 *
 * Our own kernel does the small and middling products, a library the large ones where one is found
 * that gains on it (gemm_library.c); where bf16 is asked for, a kernel that rounds the factors all
 * but the small ones (gemm_bf16.c). Which of them is chosen by the shape of the whole product.
 */
#ifndef OPS_KERNELS_GEMM_H
#define OPS_KERNELS_GEMM_H

#include "op.h"

enum gemm_maker { GEMM_OWN, GEMM_OPENBLAS, GEMM_ONEDNN, GEMM_BF16 };

/* Products of this many multiplications or less are always our own. */
#define GEMM_SMALL 32768

/* c (+)= bias + op(a) op(b) */
struct gemm_product {
	bool ta, tb, add;
	size_t M, N, K;
	const ad_real *a, *b, *bias;
	size_t lda, ldb, ldc;
	ad_real *c;
};

/* c = op(a) op(b), or c += op(a) op(b) if add is set; op(a) is M x K, op(b) is K x N, c is M x N. A
 * transposed matrix is stored as K x M, or N x K. lda, ldb, ldc: from one stored row to the next.
 * K = 0 gives zeros. c overlaps neither a nor b. bf16: the factors
 * are rounded to bfloat16, unless the product is too small to gain by it. */
void AD_VARIANT(gemm)(bool bf16, bool transpose_a, bool transpose_b, size_t M, size_t N, size_t K,
                      const ad_real *a, size_t lda, const ad_real *b, size_t ldb, ad_real *c,
                      size_t ldc, bool add);

/* The same by this maker, which gemm_maker has named, or else our own kernel; and with bias, N numbers, added
 * to each row of c, unless it is NULL. */
void AD_VARIANT(gemm_by)(enum gemm_maker maker, bool transpose_a, bool transpose_b, size_t M,
                         size_t N, size_t K, const ad_real *a, size_t lda, const ad_real *b,
                         size_t ldb, const ad_real *bias, ad_real *c, size_t ldc, bool add);

/* How a product is cut: into strips of rows of c, or of columns where there are far more of these. */
struct gemm_slices {
	enum gemm_maker maker;
	bool columns, transpose_a, transpose_b;
	size_t M, N, K;
	size_t n, unit; /* how many, and what number of rows or columns stays together */
};

struct gemm_slices AD_VARIANT(gemm_slices)(bool bf16, bool transpose_a, bool transpose_b, size_t M,
                                           size_t N, size_t K);

/* The rows and columns of c that slice k covers. */
struct gemm_part {
	size_t row, rows, column, columns;
};

static inline struct gemm_part gemm_part(const struct gemm_slices *s, size_t k)
{
	size_t all = s->columns ? s->N : s->M, units = (all + s->unit - 1) / s->unit;
	size_t at = units * k / s->n * s->unit, end = units * (k + 1) / s->n * s->unit;
	size_t size = (end < all ? end : all) - at;

	return s->columns ? (struct gemm_part){ 0, s->M, at, size }
	                  : (struct gemm_part){ at, size, 0, s->N };
}

/* Slice k of a product that is cut that way. */
static inline void gemm_slice(const struct gemm_slices *s, size_t k, const ad_real *a, size_t lda,
                              const ad_real *b, size_t ldb, const ad_real *bias, ad_real *c,
                              size_t ldc, bool add)
{
	struct gemm_part p = gemm_part(s, k);

	AD_VARIANT(gemm_by)
	(s->maker, s->transpose_a, s->transpose_b, p.rows, p.columns, s->K,
	 a + (s->transpose_a ? p.row : p.row * lda), lda,
	 b + (s->transpose_b ? p.column * ldb : p.column), ldb, bias ? bias + p.column : NULL,
	 c + p.row * ldc + p.column, ldc, add);
}

/* Says that slice k of result `result`, in which c begins at element base and is contiguous, is final. */
static inline void gemm_finish(const ad_run *r, int result, size_t base,
                               const struct gemm_slices *s, size_t k)
{
	struct gemm_part p = gemm_part(s, k);

	if (p.columns == s->N)
		ad_finish(r, result, base + p.row * s->N, p.rows * s->N);
	else
		for (size_t i = p.row; i < p.row + p.rows; i++)
			ad_finish(r, result, base + i * s->N + p.column, p.columns);
}

/* Who makes a product of this shape. Environment: AUTOGRAD_GEMM=own, openblas or onednn leaves no choice where
 * that library is found; small products are our own in any case. */
enum gemm_maker gemm_maker(bool f64, bool transpose_b, size_t M, size_t N, size_t K);

/* A product of factors rounded to bfloat16, no size 0: by the processor's own instruction where the variant's
 * level and the processor have it. */
void AD_VARIANT(gemm_bf16)(const struct gemm_product *p);

/* A product by a library. False, with c as it was, if that is none for this type, or it refuses. */
bool gemm_library_f32(enum gemm_maker maker, bool transpose_a, bool transpose_b, size_t M, size_t N,
                      size_t K, const float *a, size_t lda, const float *b, size_t ldb, float *c,
                      size_t ldc, bool add);
bool gemm_library_f64(enum gemm_maker maker, bool transpose_a, bool transpose_b, size_t M, size_t N,
                      size_t K, const double *a, size_t lda, const double *b, size_t ldb, double *c,
                      size_t ldc, bool add);

#endif
