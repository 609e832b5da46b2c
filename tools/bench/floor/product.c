/*
 * product: matrix products of libraries loaded at run time, and of a plain kernel for what is small.
 */
#include "floor.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* oneDNN: dnnl_sgemm; OpenBLAS: cblas_sgemm (101: row-major, 111: as stored, 112: transposed). */
static int (*onednn)(char, char, int64_t, int64_t, int64_t, float, const float *, int64_t, const float *, int64_t,
                     float, float *, int64_t);
static void (*openblas)(int, int, int, int, int, int, float, const float *, int, const float *, int, float,
                        float *, int);

/* *function has the type of a pointer to function, which a cast from void * may not have. */
static void find(void *function, const char *library, const char *name)
{
	void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL), *symbol = handle ? dlsym(handle, name) : NULL;

	memcpy(function, &symbol, sizeof symbol);
}

static void load(void)
{
	void (*threads)(int);

	/* Both are called by each thread on a part of its own. */
	setenv("OMP_NUM_THREADS", "1", 1);
	setenv("OPENBLAS_NUM_THREADS", "1", 1);
	find(&onednn, "libdnnl.so.2", "dnnl_sgemm");
	if (!onednn)
		find(&onednn, "libdnnl.so.3", "dnnl_sgemm");
	find(&openblas, "libopenblas.so.0", "cblas_sgemm");
	find(&threads, "libopenblas.so.0", "openblas_set_num_threads");
	if (openblas && threads)
		threads(1);
	if (!onednn && !openblas) {
		fputs("bench: the floors need libdnnl2 or libopenblas0-pthread\n", stderr);
		exit(1);
	}
}

/* ---- plain: no transposition, n in whole vectors -------------------------------------------- */

enum { LANES = 16, ROWS = 8 };
typedef float vector __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));

/* `rows` rows and two vectors of columns of c; rows is a constant where it is called. */
static inline __attribute__((always_inline)) void tile(int rows, int vectors, int k, const float *a, int lda,
                                                       const float *b, int ldb, bool add, float *c, int ldc)
{
	vector sum[ROWS][2];

	for (int r = 0; r < rows; r++)
		for (int v = 0; v < vectors; v++)
			sum[r][v] = add ? *(const vector *)(c + r * ldc + v * LANES) : (vector){ 0 };
	for (int i = 0; i < k; i++) {
		const vector *row = (const vector *)(b + (size_t)i * (size_t)ldb);

		for (int r = 0; r < rows; r++)
			for (int v = 0; v < vectors; v++)
				sum[r][v] += a[r * lda + i] * row[v];
	}
	for (int r = 0; r < rows; r++)
		for (int v = 0; v < vectors; v++)
			*(vector *)(c + r * ldc + v * LANES) = sum[r][v];
}

static void plain(int m, int n, int k, const float *a, int lda, const float *b, int ldb, bool add, float *c, int ldc)
{
	for (int j = 0; j < n; j += 2 * LANES)
		for (int i = 0; i < m; i += ROWS) {
			const float *x = a + (size_t)i * (size_t)lda;
			float *y = c + (size_t)i * (size_t)ldc + j;

			if (m - i >= ROWS && n - j >= 2 * LANES)
				tile(ROWS, 2, k, x, lda, b + j, ldb, add, y, ldc);
			else
				for (int v = j; v < n && v < j + 2 * LANES; v += LANES)
					for (int r = i; r < m && r < i + ROWS; r++)
						tile(1, 1, k, a + (size_t)r * (size_t)lda, lda, b + v, ldb, add,
						     c + (size_t)r * (size_t)ldc + v, ldc);
		}
}

/* ---- choice --------------------------------------------------------------------------------- */

enum library { ONEDNN, OPENBLAS, PLAIN, LIBRARIES };
enum { SITES = 1024, TRIES = 30 };

static void call(enum library library, bool ta, bool tb, int m, int n, int k, const float *a, int lda,
                 const float *b, int ldb, bool add, float *c, int ldc)
{
	if (library == ONEDNN)
		onednn(ta ? 'T' : 'N', tb ? 'T' : 'N', m, n, k, 1, a, lda, b, ldb, add, c, ldc);
	else if (library == OPENBLAS)
		openblas(101, ta ? 112 : 111, tb ? 112 : 111, m, n, k, 1, a, lda, b, ldb, add, c, ldc);
	else
		plain(m, n, k, a, lda, b, ldb, add, c, ldc);
}

static bool can(enum library library, bool ta, bool tb, int n)
{
	return library == ONEDNN ? onednn != NULL : library == OPENBLAS ? openblas != NULL : !ta && !tb && n % LANES == 0;
}

/* How many bits a size has. */
static unsigned magnitude(int n)
{
	return 32 - (unsigned)__builtin_clz((unsigned)n | 1);
}

void product(bool ta, bool tb, int m, int n, int k, const float *a, int lda, const float *b, int ldb, bool add,
             float *c, int ldc)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	/* What a thread knows of products of about the same sizes: the best time per multiplication of each
	 * library. */
	static _Thread_local struct site {
		unsigned key;
		int tries;
		enum library best;
		double time[LIBRARIES];
	} sites[SITES];
	unsigned key = 1u | (unsigned)ta << 1 | (unsigned)tb << 2 | (unsigned)add << 3 | magnitude(m) << 4 |
	               magnitude(n) << 9 | magnitude(k) << 14 | (unsigned)(n % LANES == 0) << 19;
	unsigned at = key * 2654435769u >> 22;
	struct site *s;
	struct timespec start, end;
	double time;

	pthread_once(&once, load);
	while (sites[at].key && sites[at].key != key)
		at = (at + 1) % SITES;
	s = &sites[at];
	if (s->key && s->tries == TRIES * LIBRARIES) {
		call(s->best, ta, tb, m, n, k, a, lda, b, ldb, add, c, ldc);
		return;
	}
	if (!s->key)
		*s = (struct site){ key, 0, ONEDNN, { 1e30, 1e30, 1e30 } };
	do
		s->best = (enum library)(s->tries++ % LIBRARIES);
	while (!can(s->best, ta, tb, n));
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
	call(s->best, ta, tb, m, n, k, a, lda, b, ldb, add, c, ldc);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
	time = ((double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) * 1e-9) /
	       ((double)m * n * k);
	if (time < s->time[s->best])
		s->time[s->best] = time;
	if (s->tries >= TRIES * LIBRARIES) {
		s->tries = TRIES * LIBRARIES;
		s->best = ONEDNN;
		for (int l = 1; l < LIBRARIES; l++)
			if (s->time[l] < s->time[s->best])
				s->best = (enum library)l;
	}
}
