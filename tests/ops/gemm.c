/*
 * gemm: matrix products against three loops: our own kernel and each library, both types, each
 * instruction set that this processor has, every pair of transpositions, writing and adding, with a
 * bias and without; the same with factors rounded to bfloat16; and no library starts a thread.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DECLARE(real, name)                                                                        \
	void name(int maker, bool transpose_a, bool transpose_b, size_t M, size_t N, size_t K,     \
	          const real *a, size_t lda, const real *b, size_t ldb, const real *bias, real *c, \
	          size_t ldc, bool add)
#define DECLARE_LEVEL(level)                                                                       \
	DECLARE(float, gemm_by_f32_##level);                                                       \
	DECLARE(double, gemm_by_f64_##level)

DECLARE_LEVEL(0);
#if AD_LEVELS == 3
DECLARE_LEVEL(1);
DECLARE_LEVEL(2);
#endif

static const struct {
	size_t M, N, K;
} sizes[] = {
	{ 1, 1, 1 },      { 1, 1, 0 },      { 3, 2, 0 },     { 0, 3, 2 },    { 3, 0, 2 },
	{ 2, 2, 2 },      { 1, 7, 5 },      { 7, 1, 5 },     { 1, 1, 300 },  { 2, 33, 9 },
	{ 6, 16, 4 },     { 12, 32, 8 },    { 13, 33, 17 },  { 11, 31, 3 },  { 5, 64, 257 },
	{ 64, 10, 100 },  { 37, 41, 43 },   { 1, 300, 513 }, { 300, 1, 77 }, { 25, 300, 7 },
	{ 29, 530, 300 }, { 100, 23, 515 }, { 3, 50, 40 },   { 16, 128, 64 },  { 17, 300, 70 },
	{ 4, 4, 4 },      { 60, 50, 130 },  { 5, 9, 1100 },  { 12, 400, 1 },  { 70, 1, 1 },
};

static uint32_t state = 1;

/* Small whole numbers over 8: bfloat16 holds them, and sums of products are exact, so results must be equal
 * to the last bit. */
static double next(void)
{
	state = state * 1664525u + 1013904223u;
	return ((int)(state >> 24) % 33 - 16) / 8.0;
}

/* Who makes it: as in gemm.h. */
enum { OWN, OPENBLAS, ONEDNN, BF16 };

#define CHECK(real, call, what)                                                                    \
	static void check_##call(int maker, size_t M, size_t N, size_t K, bool ta, bool tb,        \
	                         bool add, bool with_bias, size_t gap)                             \
	{                                                                                          \
		size_t lda = (ta ? M : K) + gap, ldb = (tb ? K : N) + gap, ldc = N + gap;          \
		size_t rows_a = ta ? K : M, rows_b = tb ? N : K, wrong = 0;                        \
		/* exactly as long as the last row needs: the sanitizers see what is read beyond   \
		 */                                                                                \
		size_t na = rows_a ? (rows_a - 1) * lda + (ta ? M : K) : 0;                        \
		size_t nb = rows_b ? (rows_b - 1) * ldb + (tb ? K : N) : 0;                        \
		size_t nc = M ? (M - 1) * ldc + N : 0;                                             \
		real *a = malloc(na * sizeof *a + 1), *b = malloc(nb * sizeof *b + 1);             \
		real *c = malloc(nc * sizeof *c + 1), *old = malloc(nc * sizeof *c + 1);           \
		real *bias = malloc(N * sizeof *bias + 1);                                         \
		cr_assert(a && b && c && old && bias);                                             \
		for (size_t k = 0; k < na; k++)                                                    \
			a[k] = (real)next();                                                       \
		for (size_t k = 0; k < nb; k++)                                                    \
			b[k] = (real)next();                                                       \
		for (size_t k = 0; k < N; k++)                                                     \
			bias[k] = (real)next();                                                    \
		for (size_t k = 0; k < nc; k++)                                                    \
			c[k] = old[k] = add ? (real)next() : (real)NAN;                            \
		call(maker, ta, tb, M, N, K, a, lda, b, ldb, with_bias ? bias : NULL, c, ldc,      \
		     add);                                                                         \
		for (size_t i = 0; i < M; i++)                                                     \
			for (size_t j = 0; j < ldc && i * ldc + j < nc; j++) {                     \
				double want = add ? (double)old[i * ldc + j] : 0;                  \
				if (with_bias && j < N)                                            \
					want += (double)bias[j];                                   \
				for (size_t k = 0; k < K && j < N; k++)                            \
					want += (double)a[ta ? k * lda + i : i * lda + k] *        \
					        (double)b[tb ? j * ldb + k : k * ldb + j];         \
				if (j >= N) /* between the rows nothing is written */              \
					wrong += memcmp(&c[i * ldc + j], &old[i * ldc + j],        \
					                sizeof *c) != 0;                           \
				else                                                               \
					wrong += (double)c[i * ldc + j] != want;                   \
			}                                                                          \
		cr_assert(wrong == 0,                                                              \
		          "%s: %zu x %zu x %zu, transposed %d %d, add %d, bias %d, gap %zu: "      \
		          "%zu wrong",                                                             \
		          what, M, N, K, ta, tb, add, with_bias, gap, wrong);                      \
		free(a);                                                                           \
		free(b);                                                                           \
		free(c);                                                                           \
		free(old);                                                                         \
		free(bias);                                                                        \
	}                                                                                          \
	static void check_all_##call(int maker)                                                    \
	{                                                                                          \
		for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)                          \
			for (int mode = 0; mode < 32; mode++)                                      \
				check_##call(maker, sizes[s].M, sizes[s].N, sizes[s].K, mode & 1,  \
				             mode & 2, mode & 4, mode & 16, mode & 8 ? 3 : 0);     \
	}

CHECK(float, gemm_by_f32_0, "f32, level 0")
CHECK(double, gemm_by_f64_0, "f64, level 0")

Test(gemm, portable_kernel)
{
	check_all_gemm_by_f32_0(OWN);
	check_all_gemm_by_f64_0(OWN);
	check_all_gemm_by_f32_0(BF16);
}

#if AD_LEVELS == 3
CHECK(float, gemm_by_f32_1, "f32, level 1")
CHECK(double, gemm_by_f64_1, "f64, level 1")
CHECK(float, gemm_by_f32_2, "f32, level 2") /* f64 has no variant at level 2 */

Test(gemm, avx2_kernel)
{
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
		return;
	check_all_gemm_by_f32_1(OWN);
	check_all_gemm_by_f64_1(OWN);
	check_all_gemm_by_f32_1(BF16);
}

Test(gemm, avx512_kernel)
{
	if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512dq") ||
	    !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl"))
		return;
	check_all_gemm_by_f32_2(OWN);
	check_all_gemm_by_f32_2(BF16);
}
#endif

typedef DECLARE(float, product_f32);

/* Whole numbers up to 511 take nine bits, so that those from 256 on are rounded to even ones, half of the odd
 * ones up and half down. Products are multiples of 1 and sums stay below 2^24: all is exact but the rounding. */
static void check_rounding(product_f32 *product, const char *what)
{
	enum { M = 37, N = 50, K = 63 };
	static float a[M * K], b[K * N], c[M * N];

	for (int mode = 0; mode < 4; mode++) {
		bool ta = mode & 1, tb = mode & 2;
		size_t wrong = 0, rounded = 0;

		for (size_t k = 0; k < M * K; k++)
			a[k] = (float)((int)(next() * 8) * 31 + (int)(next() * 8) % 16);
		for (size_t k = 0; k < K * N; k++)
			b[k] = (float)((int)(next() * 8) * 31 + (int)(next() * 8) % 16);
		product(BF16, ta, tb, M, N, K, a, ta ? M : K, b, tb ? K : N, NULL, c, N, false);
		for (size_t i = 0; i < M; i++)
			for (size_t j = 0; j < N; j++) {
				double want = 0, plain = 0;

				for (size_t k = 0; k < K; k++) {
					double x = (double)a[ta ? k * M + i : i * K + k];
					double y = (double)b[tb ? j * K + k : k * N + j];

					plain += x * y;
					x = fabs(x) < 256 ? x : 2 * rint(x / 2);
					y = fabs(y) < 256 ? y : 2 * rint(y / 2);
					want += x * y;
				}
				wrong += (double)c[i * N + j] != want;
				rounded += want != plain;
			}
		cr_assert(wrong == 0, "%s, transposed %d %d: %zu wrong", what, ta, tb, wrong);
		cr_assert(rounded > M * N / 2, "the numbers are rounded: %zu", rounded);
	}
}

/* A single number times 1. */
static float round_one(product_f32 *product, float x)
{
	float one = 1, y = -1;

	product(BF16, false, false, 1, 1, 1, &x, 1, &one, 1, NULL, &y, 1, false);
	return y;
}

static void check_special(product_f32 *product, const char *what)
{
	cr_assert(isnan(round_one(product, NAN)), "%s", what);
	cr_assert(round_one(product, INFINITY) == INFINITY, "%s", what);
	cr_assert(round_one(product, -3.4e38f) == -INFINITY, "%s: beyond the largest", what);
	cr_assert(round_one(product, 3.38e38f) == 0x1.FCp127f, "%s", what);
	cr_assert(round_one(product, 1e-40f) == 0, "%s: below the smallest normal number", what);
	cr_assert(round_one(product, 0x1.0Ep-126f) == 0x1.0Ep-126f, "%s", what);
	cr_assert(round_one(product, 0x1.01p0f) == 1, "%s: a tie, to even", what);
	cr_assert(round_one(product, 0x1.03p0f) == 0x1.04p0f, "%s: a tie, to even", what);
	cr_assert(round_one(product, 0x1.010002p0f) == 0x1.02p0f, "%s: above a tie", what);
}

Test(gemm, bf16_rounds_its_factors)
{
	check_rounding(gemm_by_f32_0, "level 0");
	check_special(gemm_by_f32_0, "level 0");
#if AD_LEVELS == 3
	if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512dq") ||
	    !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl"))
		return;
	check_rounding(gemm_by_f32_2, "level 2");
	check_special(gemm_by_f32_2, "level 2");
#endif
}

int gemm_maker(bool f64, bool transpose_b, size_t M, size_t N, size_t K);

static size_t threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	size_t n = 0;

	if (!tasks)
		return 0;
	for (struct dirent *entry; (entry = readdir(tasks));)
		n += entry->d_name[0] != '.';
	closedir(tasks);
	return n;
}

#define SIDE 200

struct at_once {
	int maker;
	float a[SIDE * SIDE], b[SIDE * SIDE], want[SIDE * SIDE];
	size_t wrong;
};

static void *multiply(void *context)
{
	static const size_t times = 20;
	struct at_once *t = context;
	float *c = malloc(sizeof t->want);

	for (size_t k = 0; c && k < times; k++) {
		gemm_by_f32_0(t->maker, k & 1, k & 2, SIDE, SIDE, SIDE, t->a, SIDE, t->b, SIDE, NULL,
		              c, SIDE, false);
		t->wrong += memcmp(c, t->want, sizeof t->want) != 0;
	}
	t->wrong += !c;
	free(c);
	return NULL;
}

/* Two threads multiply, from the library's first call on. Both matrices are symmetric, so that their product
 * is the same however they are stored. */
static void check_at_once(const char *name, int maker)
{
	struct at_once *t = calloc(2, sizeof *t);
	pthread_t thread[2];

	cr_assert(t);
	for (int n = 0; n < 2; n++) {
		t[n].maker = maker;
		for (size_t i = 0; i < SIDE; i++)
			for (size_t j = 0; j <= i; j++) {
				t[n].a[i * SIDE + j] = t[n].a[j * SIDE + i] = (float)next();
				t[n].b[i * SIDE + j] = t[n].b[j * SIDE + i] = (float)next();
			}
		for (size_t i = 0; i < SIDE; i++)
			for (size_t k = 0; k < SIDE; k++)
				for (size_t j = 0; j < SIDE; j++)
					t[n].want[i * SIDE + j] +=
					    t[n].a[i * SIDE + k] * t[n].b[k * SIDE + j];
	}
	for (int n = 0; n < 2; n++)
		cr_assert(pthread_create(&thread[n], NULL, multiply, &t[n]) == 0);
	for (int n = 0; n < 2; n++)
		pthread_join(thread[n], NULL);
	for (int n = 0; n < 2; n++)
		cr_assert(t[n].wrong == 0, "%s: %zu of 20 products wrong", name, t[n].wrong);
	free(t);
}

/* A library is asked for once in a process; each test is a process of its own. Where it is not
 * found, our own kernel is tested again. */
static void check_library(const char *name, int maker)
{
	size_t before = threads();

	setenv("AUTOGRAD_GEMM", name, 1);
	check_at_once(name, gemm_maker(false, false, SIDE, SIDE, SIDE));
	for (int f64 = 0; f64 < 2; f64++) {
		int made_by = gemm_maker(f64, false, 300, 300, 300);

		cr_assert(made_by == maker || made_by == OWN, "%s: made by %d", name, made_by);
		cr_assert(gemm_maker(f64, false, 4, 4, 4) == OWN);
		if (f64)
			check_all_gemm_by_f64_0(made_by);
		else
			check_all_gemm_by_f32_0(made_by);
	}
	/* large enough for a library to want all processors */
	check_gemm_by_f32_0(gemm_maker(false, false, 300, 300, 300), 300, 300, 300, false, false,
	                    false, false, 0);
	/* OpenBLAS starts its own when it is loaded, and never uses them */
	if (maker != OPENBLAS)
		cr_assert(threads() == before, "%s: %zu threads, not %zu", name, threads(), before);
}

Test(gemm, own)
{
	check_library("own", OWN);
}

Test(gemm, openblas)
{
	check_library("openblas", OPENBLAS);
}

Test(gemm, onednn)
{
	check_library("onednn", ONEDNN);
}

/* Left to itself, the choice is a function of the shape; and small products need no library. */
Test(gemm, choice)
{
	unsetenv("AUTOGRAD_GEMM");
	cr_assert(gemm_maker(false, true, 32, 32, 32) == OWN);
	cr_assert(gemm_maker(false, true, 1, 4096, 4096) == OWN);
	for (size_t n = 64; n <= 2048; n *= 2)
		for (int f64 = 0; f64 < 2; f64++)
			cr_assert(gemm_maker(f64, false, n, n, n) ==
			          gemm_maker(f64, false, n, n, n));
}
