/*
 * gemm: our own matrix product, and the choice between it and a library.
 *
 * After Goto and van de Geijn, "Anatomy of high-performance matrix multiplication" (2008): a tile
 * of c is kept in registers while a strip of a and a strip of b pass by. A strip that is read again
 * and again is copied ("packed") into the order in which it is read, if that pays; small operands
 * are read where they lie. Rows against rows (b transposed) can also be multiplied as dot products,
 * which need no packing.
 */
#include "gemm.h"
#include "gemm_vector.h"

/* A tile is ROWS x 2 vectors at most: its sums, 2 of b and one of a fit into 32 or 16 registers. Of
 * FEW rows or less it is up to 4 vectors wide. Dot products are taken DOT_ROWS x 4 at a time. */
#if AD_LEVEL == 2
#define ROWS 12
#define FEW 4
#define DOT_ROWS 6
#else
#define ROWS 6
#define FEW 2
#define DOT_ROWS (AD_LEVEL == 1 ? 3 : 2)
#endif
#define WIDTH (2 * LANES)

/* Blocks: steps of K, and as many columns as keep the packed strips of b within 384 KiB. */
#define DEEP 192
#define COLUMNS (393216 / DEEP / sizeof(ad_real))

/* Steps of K of a dot product. */
#define DOT_DEEP 1024

/* Numbers of a block of c that is computed transposed. */
#define TURNED 4096

/* What is read less often, or fits into the first cache beside the rest, is not packed. */
#define IN_CACHE 16384

/* ---- tiles ------------------------------------------------------------------------------------- */

/* m x v vectors of c, m and v known to the compiler. The numbers of a for one step lie one behind the other, sa
 * from step to step, or (lying) in rows that are sa apart. Of the last vector of a row `last` numbers count. */
INLINE void tile(const size_t m, const size_t v, const bool lying, const bool part, size_t K,
                 const ad_real *a, size_t sa, const ad_real *b, size_t ldb, size_t last, ad_real *c,
                 size_t ldc, const ad_real *bias, bool add)
{
	vector sum[ROWS][4];
	const ad_real *rows[(ROWS + 2) / 3]; /* every third: the others are one or two sa away */

#pragma GCC unroll 16
	for (size_t i = 0; i < m; i++)
#pragma GCC unroll 4
		for (size_t j = 0; j < v; j++)
			sum[i][j] = (vector){ 0 };
#pragma GCC unroll 16
	for (size_t i = 0; i < m; i += 3)
		rows[i / 3] = a + i * sa;
	for (size_t k = 0; k < K; k++, b += ldb) {
		vector bk[4];

#pragma GCC unroll 4
		for (size_t j = 0; j < v; j++)
			bk[j] = part && j == v - 1 ? vector_load_part(b + j * LANES, last)
			                           : vector_load(b + j * LANES);
#pragma GCC unroll 16
		for (size_t i = 0; i < m; i++) {
			ad_real ak = lying ? rows[i / 3][i % 3 * sa + k] : a[k * sa + i];
#pragma GCC unroll 4
			for (size_t j = 0; j < v; j++)
				sum[i][j] += ak * bk[j];
		}
	}
#pragma GCC unroll 16
	for (size_t i = 0; i < m; i++)
#pragma GCC unroll 4
		for (size_t j = 0; j < v; j++)
			vector_put(c + i * ldc + j * LANES, sum[i][j], part && j == v - 1, last,
			           bias ? bias + j * LANES : NULL, add);
}

typedef void tile_function(size_t K, const ad_real *a, size_t sa, const ad_real *b, size_t ldb,
                           size_t last, ad_real *c, size_t ldc, const ad_real *bias, bool add);

#define TILE_OF(m, v, name, lying)                                                                 \
	static void tile_##name##_##m##_##v(size_t K, const ad_real *a, size_t sa,                 \
	                                    const ad_real *b, size_t ldb, size_t last, ad_real *c, \
	                                    size_t ldc, const ad_real *bias, bool add)             \
	{                                                                                          \
		if (last == LANES)                                                                 \
			tile(m, v, lying, false, K, a, sa, b, ldb, last, c, ldc, bias, add);       \
		else                                                                               \
			tile(m, v, lying, true, K, a, sa, b, ldb, last, c, ldc, bias, add);        \
	}
#define TILES_OF(m, v) TILE_OF(m, v, packed, false) TILE_OF(m, v, lying, true)
#define UP_TO_6(X, v) X(1, v) X(2, v) X(3, v) X(4, v) X(5, v) X(6, v)
#define UP_TO_12(X, v) UP_TO_6(X, v) X(7, v) X(8, v) X(9, v) X(10, v) X(11, v) X(12, v)
#if AD_LEVEL == 2
#define UP_TO_ROWS UP_TO_12
#define UP_TO_FEW(X, v) X(1, v) X(2, v) X(3, v) X(4, v)
#else
#define UP_TO_ROWS UP_TO_6
#define UP_TO_FEW(X, v) X(1, v) X(2, v)
#endif
UP_TO_ROWS(TILES_OF, 1)
UP_TO_ROWS(TILES_OF, 2)
UP_TO_FEW(TILES_OF, 4)

/* By whether a lies in rows, how many vectors (1, 2, 4), and rows less one. */
#define PACKED_ENTRY(m, v) tile_packed_##m##_##v,
#define LYING_ENTRY(m, v) tile_lying_##m##_##v,
static tile_function *const tiles[2][3][ROWS] = {
	{ { UP_TO_ROWS(PACKED_ENTRY, 1) },
	  { UP_TO_ROWS(PACKED_ENTRY, 2) },
	  { UP_TO_FEW(PACKED_ENTRY, 4) } },
	{ { UP_TO_ROWS(LYING_ENTRY, 1) }, { UP_TO_ROWS(LYING_ENTRY, 2) }, { UP_TO_FEW(LYING_ENTRY, 4) } },
};

/* ---- packing ----------------------------------------------------------------------------------- */

#define GROUPS ((ROWS > WIDTH ? ROWS : WIDTH) + LANES - 1) / LANES

/* n rows of x as n numbers a step: K steps, stride apart. Up to a vector's length behind each step's numbers
 * may be written. */
static void pack_transposed(ad_real *to, size_t stride, size_t n, const ad_real *x, size_t ldx,
                            size_t K)
{
	vector square[GROUPS][LANES];
	size_t groups = (n + LANES - 1) / LANES;

	if (n * K <= 4 * LANES) { /* squares would be almost empty */
		for (size_t k = 0; k < K; k++)
			for (size_t i = 0; i < n; i++)
				to[k * stride + i] = x[i * ldx + k];
		return;
	}
	for (size_t k = 0; k < K; k += LANES) {
		size_t steps = K - k < LANES ? K - k : LANES;

		for (size_t g = 0; g < groups; g++) {
			const ad_real *from = x + g * LANES * ldx + k;
			size_t rows = n - g * LANES;

			if (rows >= LANES && steps == LANES) {
#pragma GCC unroll 16
				for (size_t i = 0; i < LANES; i++)
					square[g][i] = vector_load(from + i * ldx);
			} else {
				for (size_t i = 0; i < LANES; i++)
					square[g][i] = i >= rows        ? (vector){ 0 }
					               : steps == LANES ? vector_load(from + i * ldx)
					                                : vector_load_part(from + i * ldx, steps);
			}
			vector_transpose(square[g]);
		}
		/* in this order, as what is written behind a step belongs to the next */
		for (size_t i = 0; i < steps; i++, to += stride)
			for (size_t g = 0; g < groups; g++)
				vector_store(to + g * LANES, square[g][i]);
	}
}

/* The same of n columns of x. */
static void pack_straight(ad_real *to, size_t stride, size_t n, const ad_real *x, size_t ldx,
                          size_t K)
{
	size_t whole = n / LANES * LANES, rest = n - whole;

	for (size_t k = 0; k < K; k++, to += stride, x += ldx) {
		for (size_t j = 0; j < whole; j += LANES)
			vector_store(to + j, vector_load(x + j));
		if (rest)
			vector_store(to + whole, vector_load_part(x + whole, rest));
	}
}

/* LANES x LANES numbers of y, transposed, as up to as many rows and columns of c. */
static void put_transposed(const ad_real *y, size_t ldy, size_t rows, size_t columns,
                           const ad_real *bias, ad_real *c, size_t ldc, bool add)
{
	vector square[LANES];

	for (size_t j = 0; j < LANES; j++)
		square[j] = j >= columns     ? (vector){ 0 }
		            : rows == LANES ? vector_load(y + j * ldy)
		                            : vector_load_part(y + j * ldy, rows);
	vector_transpose(square);
	for (size_t i = 0; i < rows; i++, c += ldc)
		vector_put(c, square[i], columns < LANES, columns, bias, add);
}

/* ---- products ---------------------------------------------------------------------------------- */

/* One block of K and of columns, within the sizes of the packed strips. */
static void block(const struct gemm_product *p)
{
	_Alignas(64) ad_real packed_a[ROWS * DEEP + LANES], packed_b[COLUMNS * DEEP];
	size_t strips = (p->M + ROWS - 1) / ROWS, sa = p->lda;
	bool few = p->M <= FEW;
	/* each number of b is read once a strip of rows, of a once a strip of columns */
	bool pack_b = p->tb || (strips > 3 && p->K * p->ldb * sizeof(ad_real) > IN_CACHE);
	bool pack_a = p->ta ? p->N > WIDTH && p->K * p->lda * sizeof(ad_real) > IN_CACHE
	                    : p->N > 4 * WIDTH && strips > 1;

	if (pack_b)
		for (size_t j = 0; j < p->N; j += WIDTH) {
			size_t columns = p->N - j < WIDTH ? p->N - j : WIDTH;
			size_t stride = columns > LANES ? WIDTH : LANES;

			if (p->tb)
				pack_transposed(packed_b + j * p->K, stride, columns,
				                p->b + j * p->ldb, p->ldb, p->K);
			else
				pack_straight(packed_b + j * p->K, stride, columns, p->b + j,
				              p->ldb, p->K);
		}
	for (size_t s = 0, i = 0, rows; s < strips; s++, i += rows) {
		const ad_real *a = p->a + (p->ta ? i : i * p->lda);

		rows = (p->M - i) / (strips - s); /* strips of equal heights, but for one */
		if (pack_a) {
			if (p->ta)
				pack_straight(packed_a, rows, rows, a, p->lda, p->K);
			else
				pack_transposed(packed_a, rows, rows, a, p->lda, p->K);
			a = packed_a;
			sa = rows;
		}
		for (size_t j = 0, columns; j < p->N; j += columns) {
			size_t left = p->N - j, vectors = (left + LANES - 1) / LANES;
			const ad_real *b = p->b + j;
			size_t ldb = p->ldb;

			vectors = few && !pack_b && vectors >= 4 ? 4 : vectors >= 2 ? 2 : 1;
			columns = vectors * LANES < left ? vectors * LANES : left;
			if (pack_b) {
				b = packed_b + j * p->K;
				ldb = vectors * LANES;
			}
			tiles[!p->ta && !pack_a][vectors / 2][rows - 1](
			    p->K, a, sa, b, ldb, columns - (vectors - 1) * LANES,
			    p->c + i * p->ldc + j, p->ldc, p->bias ? p->bias + j : NULL, p->add);
		}
	}
}

static void blocks(const struct gemm_product *p)
{
	size_t n = (p->K + DEEP - 1) / DEEP;

	for (size_t j = 0; j < p->N; j += COLUMNS)
		for (size_t i = 0, k = 0, deep; i < n; i++, k += deep) {
			struct gemm_product part = *p;

			deep = (p->K - k) / (n - i);
			part.N = p->N - j < COLUMNS ? p->N - j : COLUMNS;
			part.K = deep;
			part.a += p->ta ? k * p->lda : k;
			part.b += p->tb ? j * p->ldb + k : k * p->ldb + j;
			part.c += j;
			part.bias = p->bias && k == 0 ? p->bias + j : NULL;
			part.add = p->add || k > 0;
			block(&part);
		}
}

/* m x n dot products of rows of a and rows of b. */
INLINE void dot_tile(const size_t m, const size_t n, size_t K, const ad_real *a, size_t lda,
                     const ad_real *b, size_t ldb, ad_real *c, size_t ldc, const ad_real *bias,
                     bool add)
{
	vector sum[DOT_ROWS][4];
	size_t k = 0;

#pragma GCC unroll 8
	for (size_t i = 0; i < m; i++)
#pragma GCC unroll 4
		for (size_t j = 0; j < 4; j++)
			sum[i][j] = (vector){ 0 };
	for (; k + LANES <= K; k += LANES) {
		vector bk[4];

#pragma GCC unroll 4
		for (size_t j = 0; j < n; j++)
			bk[j] = vector_load(b + j * ldb + k);
#pragma GCC unroll 8
		for (size_t i = 0; i < m; i++) {
			vector ak = vector_load(a + i * lda + k);
#pragma GCC unroll 4
			for (size_t j = 0; j < n; j++)
				sum[i][j] += ak * bk[j];
		}
	}
	if (k < K) {
		vector bk[4];

#pragma GCC unroll 4
		for (size_t j = 0; j < n; j++)
			bk[j] = vector_load_part(b + j * ldb + k, K - k);
#pragma GCC unroll 8
		for (size_t i = 0; i < m; i++) {
			vector ak = vector_load_part(a + i * lda + k, K - k);
#pragma GCC unroll 4
			for (size_t j = 0; j < n; j++)
				sum[i][j] += ak * bk[j];
		}
	}
#pragma GCC unroll 8
	for (size_t i = 0; i < m; i++) {
		vector_four total;
		ad_real *to = c + i * ldc;

		vector_sums(sum[i][0], sum[i][1], sum[i][2], sum[i][3], &total);
		if (n == 4) {
			vector_four *four = (vector_four *)to;

			if (bias)
				total += *(const vector_four *)bias;
			if (add)
				total += *four;
			*four = total;
			continue;
		}
#pragma GCC unroll 4
		for (size_t j = 0; j < n; j++) {
			ad_real y = total[j] + (bias ? bias[j] : 0);
			to[j] = add ? to[j] + y : y;
		}
	}
}

typedef void dot_function(size_t K, const ad_real *a, size_t lda, const ad_real *b, size_t ldb,
                          ad_real *c, size_t ldc, const ad_real *bias, bool add);

#define DOTS(m, n)                                                                                 \
	static void dots_##m##_##n(size_t K, const ad_real *a, size_t lda, const ad_real *b,       \
	                           size_t ldb, ad_real *c, size_t ldc, const ad_real *bias,        \
	                           bool add)                                                       \
	{                                                                                          \
		dot_tile(m, n, K, a, lda, b, ldb, c, ldc, bias, add);                              \
	}
#define UP_TO_3(X, v) X(1, v) X(2, v) X(3, v)
#if AD_LEVEL == 2
#define UP_TO_DOT_ROWS UP_TO_6
#elif AD_LEVEL == 1
#define UP_TO_DOT_ROWS UP_TO_3
#else
#define UP_TO_DOT_ROWS(X, v) X(1, v) X(2, v)
#endif
UP_TO_DOT_ROWS(DOTS, 1)
UP_TO_DOT_ROWS(DOTS, 2)
UP_TO_DOT_ROWS(DOTS, 3)
UP_TO_DOT_ROWS(DOTS, 4)

#define DOT_ENTRY(m, n) dots_##m##_##n,
static dot_function *const dot_tiles[4][DOT_ROWS] = { { UP_TO_DOT_ROWS(DOT_ENTRY, 1) },
	                                              { UP_TO_DOT_ROWS(DOT_ENTRY, 2) },
	                                              { UP_TO_DOT_ROWS(DOT_ENTRY, 3) },
	                                              { UP_TO_DOT_ROWS(DOT_ENTRY, 4) } };

/* Rows of a against rows of b. */
static void dots(const struct gemm_product *p)
{
	size_t strips = (p->M + DOT_ROWS - 1) / DOT_ROWS;

	for (size_t k = 0, deep; k < p->K; k += deep) {
		deep = p->K - k < DOT_DEEP ? p->K - k : DOT_DEEP;
		for (size_t s = 0, i = 0, rows; s < strips; s++, i += rows) {
			rows = (p->M - i) / (strips - s);
			for (size_t j = 0, n; j < p->N; j += n) {
				n = p->N - j < 4 ? p->N - j : 4;
				dot_tiles[n - 1][rows - 1](deep, p->a + i * p->lda + k, p->lda,
				                           p->b + j * p->ldb + k, p->ldb,
				                           p->c + i * p->ldc + j, p->ldc,
				                           p->bias && k == 0 ? p->bias + j : NULL,
				                           p->add || k > 0);
			}
		}
	}
}

static size_t turned_columns(size_t M)
{
	return TURNED / M / LANES * LANES;
}

/* c transposed, and put into its place. */
static void turned(const struct gemm_product *p)
{
	_Alignas(64) ad_real y[TURNED];
	size_t most = turned_columns(p->M);

	for (size_t begin = 0, n; begin < p->N; begin += n) {
		struct gemm_product part = { .ta = !p->tb, .tb = !p->ta, .N = p->M, .K = p->K, .b = p->a,
			                .lda = p->ldb, .ldb = p->lda, .c = y, .ldc = p->M };

		n = part.M = p->N - begin < most ? p->N - begin : most;
		part.a = p->b + (p->tb ? begin * p->ldb : begin);
		blocks(&part);
		for (size_t i = 0; i < p->M; i += LANES)
			for (size_t j = 0; j < n; j += LANES) {
				size_t rows = p->M - i < LANES ? p->M - i : LANES;
				size_t columns = n - j < LANES ? n - j : LANES;

				put_transposed(y + j * p->M + i, p->M, rows, columns,
				               p->bias ? p->bias + begin + j : NULL,
				               p->c + i * p->ldc + begin + j, p->ldc, p->add);
			}
	}
}

/* What product will do. */
enum way { BLOCKS, DOTS, TURNED_BLOCKS };

/* Which takes least where b is transposed, counted in vector operations: a dot product ends with some 4 of
 * them, a number is packed or put into its place in half of one. */
static enum way cheapest(const struct gemm_product *p)
{
	double M = (double)p->M, N = (double)p->N, K = (double)p->K;
	double vectors_M = (double)((p->M + LANES - 1) / LANES);
	double vectors_N = (double)((p->N + LANES - 1) / LANES);
	double vectors_K = (double)((p->K + LANES - 1) / LANES);
	double as_blocks = M * vectors_N * K + N * K / 2;
	double as_dots = M * N * (vectors_K + 4);
	double times = p->M * LANES <= TURNED ? (double)((p->N - 1) / turned_columns(p->M) + 1) : INFINITY;
	double as_turned = vectors_M * N * K + M * N / 2 + (p->ta ? M / 2 : M * K / 2) * times;

	if (!p->ta && as_dots < as_blocks && as_dots < as_turned)
		return DOTS;
	return as_turned < as_blocks ? TURNED_BLOCKS : BLOCKS;
}

/* One column times one row. */
static void rank_1(const struct gemm_product *p)
{
	size_t step_a = p->ta ? 1 : p->lda;

	for (size_t i = 0; i < p->M; i++) {
		ad_real a = p->a[i * step_a], *c = p->c + i * p->ldc;

		if (p->bias)
			for (size_t j = 0; j < p->N; j++)
				c[j] = (p->add ? c[j] : 0) + (p->bias[j] + a * p->b[j]);
		else if (p->add)
			for (size_t j = 0; j < p->N; j++)
				c[j] += a * p->b[j];
		else
			for (size_t j = 0; j < p->N; j++)
				c[j] = a * p->b[j];
	}
}

static void product(const struct gemm_product *p)
{
	if (p->ta && p->M == 1 && p->lda == 1) {
		/* a row, stored as a column */
		struct gemm_product row = *p;

		row.ta = false;
		row.lda = p->K;
		product(&row);
		return;
	}
	if (p->M == 0 || p->N == 0)
		return;
	if (p->K == 0) {
		for (size_t i = 0; i < p->M; i++)
			for (size_t j = 0; j < p->N; j++)
				p->c[i * p->ldc + j] = (p->add ? p->c[i * p->ldc + j] : 0) +
				                       (p->bias ? p->bias[j] : 0);
	} else if (p->N == 1 && p->ldc == 1 && p->M > 1 && !p->bias) {
		/* a column is a row, lying: then the wide side is along the vectors */
		struct gemm_product row = { .ta = !p->tb, .tb = !p->ta, .add = p->add,
			               .M = 1, .N = p->M, .K = p->K, .a = p->b, .b = p->a,
			               .lda = p->ldb, .ldb = p->lda, .c = p->c, .ldc = p->M };
		product(&row);
	} else if (p->K == 1 && (!p->tb || p->ldb == 1)) {
		rank_1(p);
	} else if (p->tb) {
		switch (cheapest(p)) {
		case DOTS:
			dots(p);
			break;
		case TURNED_BLOCKS:
			turned(p);
			break;
		case BLOCKS:
			blocks(p);
		}
	} else {
		blocks(p);
	}
}

static bool by_library(enum gemm_maker maker, const struct gemm_product *p)
{
	bool add = p->add || p->bias;

	if (maker == GEMM_OWN || p->M <= 1 || p->N <= 1 || p->K <= 1)
		return false;
	/* the product is added to the bias */
	for (size_t i = 0; p->bias && i < p->M; i++) {
		ad_real *to = p->c + i * p->ldc;

		if (p->add)
			for (size_t j = 0; j < p->N; j++)
				to[j] += p->bias[j];
		else
			memcpy(to, p->bias, p->N * sizeof *to);
	}
#ifdef AD_F64
	return gemm_library_f64(maker, p->ta, p->tb, p->M, p->N, p->K, p->a, p->lda, p->b, p->ldb,
	                        p->c, p->ldc, add);
#else
	return gemm_library_f32(maker, p->ta, p->tb, p->M, p->N, p->K, p->a, p->lda, p->b, p->ldb,
	                        p->c, p->ldc, add);
#endif
}

void AD_VARIANT(gemm_by)(enum gemm_maker maker, bool transpose_a, bool transpose_b, size_t M,
                         size_t N, size_t K, const ad_real *a, size_t lda, const ad_real *b,
                         size_t ldb, const ad_real *bias, ad_real *c, size_t ldc, bool add)
{
	struct gemm_product p = { transpose_a, transpose_b, add, M, N, K, a, b, bias, lda, ldb, ldc, c };

#ifndef AD_F64
	if (maker == GEMM_BF16 && M > 0 && N > 0 && K > 0) {
		AD_VARIANT(gemm_bf16)(&p);
		return;
	}
#endif
	if (by_library(maker, &p))
		return;
	/* what a library that refuses has been given holds the bias already */
	if (maker != GEMM_OWN && bias && M > 1 && N > 1 && K > 1) {
		p.add = true;
		p.bias = NULL;
	}
	product(&p);
}

#ifdef AD_F64
#define IS_F64 true
#else
#define IS_F64 false
#endif

static enum gemm_maker maker_of(bool bf16, bool transpose_b, size_t M, size_t N, size_t K)
{
	/* else packing takes what is gained */
	if (bf16 && !IS_F64 && M >= 16 && N >= 16 && K >= 16 &&
	    (double)M * (double)N * (double)K > GEMM_SMALL)
		return GEMM_BF16;
	return gemm_maker(IS_F64, transpose_b, M, N, K);
}

void AD_VARIANT(gemm)(bool bf16, bool transpose_a, bool transpose_b, size_t M, size_t N, size_t K,
                      const ad_real *a, size_t lda, const ad_real *b, size_t ldb, ad_real *c,
                      size_t ldc, bool add)
{
	AD_VARIANT(gemm_by)
	(maker_of(bf16, transpose_b, M, N, K), transpose_a, transpose_b, M, N, K, a, lda, b, ldb, NULL,
	 c, ldc, add);
}

struct gemm_slices AD_VARIANT(gemm_slices)(bool bf16, bool transpose_a, bool transpose_b, size_t M,
                                           size_t N, size_t K)
{
	struct gemm_slices s = { maker_of(bf16, transpose_b, M, N, K), .transpose_a = transpose_a,
		                 .transpose_b = transpose_b, .M = M, .N = N, .K = K };
	/* in bf16 it takes half of the time */
	double work = (double)M * (double)N * (double)K / (s.maker == GEMM_BF16 ? 2 : 1);
	/* Each slice packs anew what it shares with the others: the shorter side is shared. */
	bool columns = N >= 2 * M;
	/* Two slices are worth a fork-join from some 4 microseconds each on. Large products are cut
	 * into more, but these grow as well, four times for twice as many. */
	size_t n = work >= 1 << 19 ? 2 : 1, all = columns ? N : M;

	for (double more = 1 << 23; n > 1 && n < 32 && work >= more; more *= 4)
		n *= 2;
	/* Few rows read b where it lies, each strip of them all of it: then rows lose nothing, and what a
	 * slice of rows finishes lies in one piece. */
	if (s.maker == GEMM_OWN && !transpose_b && M <= 3 * ROWS && M >= n * 8)
		all = M, columns = false;
	s.columns = columns;
	s.unit = columns ? 16 : 1; /* whole lines of the cache */
	all = (all + s.unit - 1) / s.unit;
	s.n = all == 0 ? 1 : n < all ? n : all;
	return s;
}
