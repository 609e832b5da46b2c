/*
 * gemm_bf16: matrix products whose factors are rounded to bfloat16 (8 bits of mantissa, the range of
 * f32; to nearest, ties to even) and whose products are summed in f32.
 *
 * Matrices lie in memory as f32. They are rounded when strips of them are packed, in pairs of steps
 * of K: the instruction vdpbf16ps (AVX512-BF16) adds two products to each of 16 sums, so a pair of
 * numbers takes the place of one f32. Blocks and tiles are those of gemm.c. Where the instruction is
 * missing, our f32 kernel multiplies rounded copies: the same factors, sums in another order.
 */
#include "gemm.h"
#include "gemm_vector.h"

#ifndef AD_F64

/* ---- by the instruction ------------------------------------------------------------------------- */

#if AD_LEVEL == 2

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))
#define ROWS 12
#define WIDTH (2 * LANES)

/* Steps of K in a block, and pairs of them; as many columns as keep the packed strips of b within 384 KiB. */
#define DEEP 384
#define PAIRS (DEEP / 2)
#define COLUMNS (393216 / (PAIRS * sizeof(float)))

/* From row to row of a, packed as it lies: one more line of the cache than its pairs take. */
#define ROW_PAIRS (PAIRS + LANES)

/* A vector of 16 pairs, moved about like 16 numbers of f32. */
INLINE TARGET vector round_pairs(vector low, vector high)
{
	return (vector)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
}

INLINE TARGET vector load_up_to(const float *x, size_t n)
{
	return n >= LANES ? vector_load(x) : n > 0 ? vector_load_part(x, n) : (vector){ 0 };
}

/* The first n <= 32 numbers of x as pairs, and zeros. */
INLINE TARGET vector load_pairs(const float *x, size_t n)
{
	return n >= 2 * LANES
	           ? round_pairs(vector_load(x), vector_load(x + LANES))
	           : round_pairs(load_up_to(x, n),
	                         n > LANES ? load_up_to(x + LANES, n - LANES) : (vector){ 0 });
}

/* n rows of x, each with its pairs one behind the other. */
TARGET static void pack_rows(float *to, size_t n, const float *x, size_t ldx, size_t K)
{
	for (size_t i = 0; i < n; i++, to += ROW_PAIRS, x += ldx)
		for (size_t k = 0; k < K; k += 2 * LANES)
			vector_store(to + k / 2, load_pairs(x + k, K - k));
}

/* n rows of x as n pairs a step, `stride` (whole vectors) from step to step. */
TARGET static void pack_transposed(float *to, size_t stride, size_t n, const float *x, size_t ldx,
                                   size_t K)
{
	for (size_t k = 0; k < K; k += 2 * LANES) {
		size_t pairs = K - k < 2 * LANES ? (K - k + 1) / 2 : LANES;

		for (size_t j = 0; j < n; j += LANES) {
			vector square[LANES];
			const float *from = x + j * ldx + k;

			if (n - j >= LANES && K - k >= 2 * LANES) {
#pragma GCC unroll 16
				for (size_t i = 0; i < LANES; i++)
					square[i] = round_pairs(vector_load(from + i * ldx),
					                        vector_load(from + i * ldx + LANES));
			} else {
				for (size_t i = 0; i < LANES; i++)
					square[i] = j + i < n ? load_pairs(from + i * ldx, K - k)
					                      : (vector){ 0 };
			}
			vector_transpose(square);
			for (size_t i = 0; i < pairs; i++)
				vector_store(to + (k / 2 + i) * stride + j, square[i]);
		}
	}
}

/* The same of n columns of x; any stride: up to a vector's length behind each step's pairs is written. */
TARGET static void pack_straight(float *to, size_t stride, size_t n, const float *x, size_t ldx,
                                 size_t K)
{
	static const _Alignas(64) int16_t order[32] = { 0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,
		                                        21, 6, 22, 7, 23, 8,  24, 9,  25, 10, 26,
		                                        11, 27, 12, 28, 13, 29, 14, 30, 15, 31 };
	const __m512i pairwise = _mm512_load_si512(order);

	for (size_t k = 0; k < K; k += 2, to += stride, x += 2 * ldx)
		for (size_t j = 0; j < n; j += LANES) {
			vector high = { 0 }, both;

			if (k + 1 < K)
				high = load_up_to(x + ldx + j, n - j);
			both = round_pairs(load_up_to(x + j, n - j), high);
			vector_store(to + j, (vector)_mm512_permutexvar_epi16(pairwise, (__m512i)both));
		}
}

/* m x v vectors of c. a: m pairs a step, or (lying) rows of pairs; b: `stride` pairs a step. Of the last
 * vector of a row `last` numbers count. */
INLINE TARGET void tile(const size_t m, const size_t v, const bool lying, const bool part, size_t pairs,
                        const float *a, const float *b, size_t last, float *c, size_t ldc,
                        const float *bias, bool add)
{
	__m512 sum[ROWS][2];

#pragma GCC unroll 12
	for (size_t i = 0; i < m; i++)
#pragma GCC unroll 2
		for (size_t j = 0; j < v; j++)
			sum[i][j] = _mm512_setzero_ps();
	for (size_t k = 0; k < pairs; k++, a += lying ? 1 : m, b += v * LANES) {
		__m512bh bk[2];

#pragma GCC unroll 2
		for (size_t j = 0; j < v; j++)
			bk[j] = (__m512bh)vector_load(b + j * LANES);
#pragma GCC unroll 12
		for (size_t i = 0; i < m; i++) {
			__m512bh ak = (__m512bh)_mm512_set1_ps(a[lying ? i * ROW_PAIRS : i]);
#pragma GCC unroll 2
			for (size_t j = 0; j < v; j++)
				sum[i][j] = _mm512_dpbf16_ps(sum[i][j], ak, bk[j]);
		}
	}
#pragma GCC unroll 12
	for (size_t i = 0; i < m; i++)
#pragma GCC unroll 2
		for (size_t j = 0; j < v; j++)
			vector_put(c + i * ldc + j * LANES, (vector)sum[i][j], part && j == v - 1,
			           last, bias ? bias + j * LANES : NULL, add);
}

typedef void tile_function(size_t pairs, const float *a, const float *b, size_t last, float *c,
                           size_t ldc, const float *bias, bool add);

#define TILE_OF(m, v, name, lying)                                                                 \
	TARGET static void tile_##name##_##m##_##v(size_t pairs, const float *a, const float *b,   \
	                                           size_t last, float *c, size_t ldc,              \
	                                           const float *bias, bool add)                    \
	{                                                                                          \
		if (last == LANES)                                                                 \
			tile(m, v, lying, false, pairs, a, b, last, c, ldc, bias, add);            \
		else                                                                               \
			tile(m, v, lying, true, pairs, a, b, last, c, ldc, bias, add);             \
	}
#define TILES_OF(m, v) TILE_OF(m, v, packed, false) TILE_OF(m, v, lying, true)
#define UP_TO_ROWS(X, v)                                                                           \
	X(1, v) X(2, v) X(3, v) X(4, v) X(5, v) X(6, v) X(7, v) X(8, v) X(9, v) X(10, v) X(11, v)  \
	    X(12, v)
UP_TO_ROWS(TILES_OF, 1)
UP_TO_ROWS(TILES_OF, 2)

/* By whether a lies in rows, vectors less one, and rows less one. */
#define PACKED_ENTRY(m, v) tile_packed_##m##_##v,
#define LYING_ENTRY(m, v) tile_lying_##m##_##v,
static tile_function *const tiles[2][2][ROWS] = {
	{ { UP_TO_ROWS(PACKED_ENTRY, 1) }, { UP_TO_ROWS(PACKED_ENTRY, 2) } },
	{ { UP_TO_ROWS(LYING_ENTRY, 1) }, { UP_TO_ROWS(LYING_ENTRY, 2) } },
};

/* One block of K and of columns, within the sizes of the packed strips. */
TARGET static void block(const struct gemm_product *p)
{
	_Alignas(64) float packed_a[ROWS * ROW_PAIRS + LANES], packed_b[COLUMNS * PAIRS];
	size_t strips = (p->M + ROWS - 1) / ROWS, pairs = (p->K + 1) / 2;

	for (size_t j = 0; j < p->N; j += WIDTH) {
		size_t columns = p->N - j < WIDTH ? p->N - j : WIDTH;
		size_t stride = columns > LANES ? WIDTH : LANES;

		if (p->tb)
			pack_transposed(packed_b + j * pairs, stride, columns, p->b + j * p->ldb,
			                p->ldb, p->K);
		else
			pack_straight(packed_b + j * pairs, stride, columns, p->b + j, p->ldb, p->K);
	}
	for (size_t s = 0, i = 0, rows; s < strips; s++, i += rows) {
		rows = (p->M - i) / (strips - s); /* strips of equal heights, but for one */
		if (p->ta)
			pack_straight(packed_a, rows, rows, p->a + i, p->lda, p->K);
		else
			pack_rows(packed_a, rows, p->a + i * p->lda, p->lda, p->K);
		for (size_t j = 0; j < p->N; j += WIDTH) {
			size_t columns = p->N - j < WIDTH ? p->N - j : WIDTH;
			size_t vectors = columns > LANES ? 2 : 1;

			tiles[!p->ta][vectors - 1][rows - 1](
			    pairs, packed_a, packed_b + j * pairs, columns - (vectors - 1) * LANES,
			    p->c + i * p->ldc + j, p->ldc, p->bias ? p->bias + j : NULL, p->add);
		}
	}
}

static bool by_instruction(const struct gemm_product *p)
{
	/* blocks of K of even lengths, as equal as may be */
	size_t n = (p->K + DEEP - 1) / DEEP, deep = (p->K + 2 * n - 1) / (2 * n) * 2;

	if (!__builtin_cpu_supports("avx512bf16"))
		return false;
	for (size_t j = 0; j < p->N; j += COLUMNS)
		for (size_t k = 0; k < p->K; k += deep) {
			struct gemm_product part = *p;

			part.N = p->N - j < COLUMNS ? p->N - j : COLUMNS;
			part.K = p->K - k < deep ? p->K - k : deep;
			part.a += p->ta ? k * p->lda : k;
			part.b += p->tb ? j * p->ldb + k : k * p->ldb + j;
			part.c += j;
			part.bias = p->bias && k == 0 ? p->bias + j : NULL;
			part.add = p->add || k > 0;
			block(&part);
		}
	return true;
}

#else

static bool by_instruction(const struct gemm_product *p)
{
	return false;
}

#endif

/* ---- without it --------------------------------------------------------------------------------- */

/* As the instruction rounds: what is smaller than the smallest normal number is zero. */
static float rounded(float x)
{
	uint32_t bits;

	memcpy(&bits, &x, sizeof bits);
	if ((bits & 0x7FFFFFFF) > 0x7F800000)
		bits |= 0x400000; /* NaN */
	else if (!(bits & 0x7F800000))
		bits &= 0x80000000;
	else
		bits += 0x7FFF + (bits >> 16 & 1);
	bits &= 0xFFFF0000;
	memcpy(&x, &bits, sizeof x);
	return x;
}

static void round_matrix(float *to, size_t rows, size_t columns, const float *x, size_t ldx)
{
	for (size_t i = 0; i < rows; i++)
		for (size_t j = 0; j < columns; j++)
			to[i * columns + j] = rounded(x[i * ldx + j]);
}

#define SIDE 128

static void by_copies(const struct gemm_product *p)
{
	float a[SIDE * SIDE], b[SIDE * SIDE];

	for (size_t i = 0; i < p->M; i += SIDE)
		for (size_t j = 0; j < p->N; j += SIDE)
			for (size_t k = 0; k < p->K; k += SIDE) {
				size_t M = p->M - i < SIDE ? p->M - i : SIDE;
				size_t N = p->N - j < SIDE ? p->N - j : SIDE;
				size_t K = p->K - k < SIDE ? p->K - k : SIDE;

				if (p->ta)
					round_matrix(a, K, M, p->a + k * p->lda + i, p->lda);
				else
					round_matrix(a, M, K, p->a + i * p->lda + k, p->lda);
				if (p->tb)
					round_matrix(b, N, K, p->b + j * p->ldb + k, p->ldb);
				else
					round_matrix(b, K, N, p->b + k * p->ldb + j, p->ldb);
				AD_VARIANT(gemm_by)
				(GEMM_OWN, p->ta, p->tb, M, N, K, a, p->ta ? M : K, b, p->tb ? K : N,
				 p->bias && k == 0 ? p->bias + j : NULL, p->c + i * p->ldc + j, p->ldc,
				 p->add || k > 0);
			}
}

void AD_VARIANT(gemm_bf16)(const struct gemm_product *p)
{
	if (!by_instruction(p))
		by_copies(p);
}

#endif
