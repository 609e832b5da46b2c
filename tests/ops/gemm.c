/*
 * gemm: matrix products against three loops: both backends, both types, each instruction set that
 * this processor has, every pair of transpositions, writing and adding.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DECLARE(real, name)                                                                        \
	void name(bool transpose_a, bool transpose_b, size_t M, size_t N, size_t K, const real *a, \
	          size_t lda, const real *b, size_t ldb, real *c, size_t ldc, bool add)
#define DECLARE_LEVEL(level)                                                                       \
	DECLARE(float, gemm_f32_##level);                                                          \
	DECLARE(float, gemm_own_f32_##level);                                                      \
	DECLARE(double, gemm_f64_##level);                                                         \
	DECLARE(double, gemm_own_f64_##level)

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
	{ 29, 530, 300 }, { 100, 23, 515 },
};

static uint32_t state = 1;

/* Small whole numbers over 8: sums of products are exact, so results must be equal to the last bit.
 */
static double next(void)
{
	state = state * 1664525u + 1013904223u;
	return ((int)(state >> 24) % 33 - 16) / 8.0;
}

#define CHECK(real, call, what)                                                                    \
	static void check_##call(size_t M, size_t N, size_t K, bool ta, bool tb, bool add,         \
	                         size_t gap)                                                       \
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
		cr_assert(a &&b &&c &&old);                                                        \
		for (size_t k = 0; k < na; k++)                                                    \
			a[k] = (real)next();                                                       \
		for (size_t k = 0; k < nb; k++)                                                    \
			b[k] = (real)next();                                                       \
		for (size_t k = 0; k < nc; k++)                                                    \
			c[k] = old[k] = add ? (real)next() : (real)NAN;                            \
		call(ta, tb, M, N, K, a, lda, b, ldb, c, ldc, add);                                \
		for (size_t i = 0; i < M; i++)                                                     \
			for (size_t j = 0; j < ldc && i * ldc + j < nc; j++) {                     \
				double want = add ? (double)old[i * ldc + j] : 0;                  \
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
		          "%s: %zu x %zu x %zu, transposed %d %d, add %d, gap %zu: %zu wrong",     \
		          what, M, N, K, ta, tb, add, gap, wrong);                                 \
		free(a);                                                                           \
		free(b);                                                                           \
		free(c);                                                                           \
		free(old);                                                                         \
	}                                                                                          \
	static void check_all_##call(void)                                                         \
	{                                                                                          \
		for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)                          \
			for (int mode = 0; mode < 16; mode++)                                      \
				check_##call(sizes[s].M, sizes[s].N, sizes[s].K, mode & 1,         \
				             mode & 2, mode & 4, mode & 8 ? 3 : 0);                \
	}

#define CHECK_LEVEL(real, type, level)                                                             \
	CHECK(real, gemm_own_##type##_##level, "own, " #type ", level " #level)                    \
	CHECK(real, gemm_##type##_##level, #type ", level " #level)

CHECK_LEVEL(float, f32, 0)
CHECK_LEVEL(double, f64, 0)

Test(gemm, portable_kernel)
{
	check_all_gemm_own_f32_0();
	check_all_gemm_own_f64_0();
}

Test(gemm, with_library)
{
	check_all_gemm_f32_0();
	check_all_gemm_f64_0();
}

/* The backend is chosen once in a process; each test is a process of its own. */
Test(gemm, library_left_out)
{
	setenv("AUTOGRAD_GEMM", "own", 1);
	check_all_gemm_f32_0();
	check_all_gemm_f64_0();
}

#if AD_LEVELS == 3
CHECK_LEVEL(float, f32, 1)
CHECK_LEVEL(double, f64, 1)
CHECK_LEVEL(float, f32, 2) /* f64 has no variant at level 2 */

Test(gemm, avx2_kernel)
{
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
		return;
	check_all_gemm_own_f32_1();
	check_all_gemm_own_f64_1();
	check_all_gemm_f32_1();
	check_all_gemm_f64_1();
}

Test(gemm, avx512_kernel)
{
	if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512dq") ||
	    !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl"))
		return;
	check_all_gemm_own_f32_2();
	check_all_gemm_f32_2();
}
#endif
