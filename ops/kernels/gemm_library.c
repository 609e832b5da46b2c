/*
 * gemm_library: finds the libraries that do the larger matrix products, and calls them.
 *
 * Each is loaded when the first product comes that it would do: loading takes milliseconds, in
 * oneDNN's case some 20 more to generate code. All are held to one thread a call, as the slices of
 * a product are spread by the engine's own pool. The serial build of OpenBLAS is left out: it gives
 * wrong results when two threads call it at once.
 */
#include "gemm.h"

#if AD_BASE

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>

typedef void cblas_f32(int order, int transpose_a, int transpose_b, int M, int N, int K,
                       float alpha, const float *a, int lda, const float *b, int ldb, float beta,
                       float *c, int ldc);
typedef void cblas_f64(int order, int transpose_a, int transpose_b, int M, int N, int K,
                       double alpha, const double *a, int lda, const double *b, int ldb,
                       double beta, double *c, int ldc);
typedef int onednn_f32(char transpose_a, char transpose_b, int64_t M, int64_t N, int64_t K,
                       float alpha, const float *a, int64_t lda, const float *b, int64_t ldb,
                       float beta, float *c, int64_t ldc);

static struct {
	cblas_f32 *f32; /* NULL: not found */
	cblas_f64 *f64;
} openblas;

static struct {
	onednn_f32 *f32; /* NULL: not found */
	/* OpenMP's: the number of threads that this thread may start; NULL where oneDNN starts none */
	int (*threads)(void);
	void (*set_threads)(int);
} onednn;

/* ISO C has no conversion from an object pointer to a function pointer; POSIX defines this one. */
static bool find(void *library, const char *name, void *function)
{
	void *symbol = dlsym(library, name);
	memcpy(function, &symbol, sizeof symbol);
	return symbol != NULL;
}

static void open_openblas(void)
{
	static const char *const names[] = { "libopenblas.so.0", "libopenblas.so",
		                             "libopenblas.0.dylib", "libopenblas.dylib" };
	int (*parallel)(void);
	void (*set_threads)(int);
	cblas_f32 *f32;
	cblas_f64 *f64;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);

		if (!library)
			continue;
		if (find(library, "openblas_get_parallel", &parallel) && parallel() != 0 &&
		    find(library, "openblas_set_num_threads", &set_threads) &&
		    find(library, "cblas_sgemm", &f32) && find(library, "cblas_dgemm", &f64)) {
			set_threads(1);
			openblas.f32 = f32;
			openblas.f64 = f64;
			return;
		}
		dlclose(library);
	}
}

static bool have_openblas(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, open_openblas);
	return openblas.f32 != NULL;
}

static void open_onednn(void)
{
	static const char *const names[] = { "libdnnl.so.2", "libdnnl.so.3", "libdnnl.so",
		                             "libdnnl.dylib" };
	enum { SEQUENTIAL = 1, OPENMP = 2 };
	const struct version {
		int major, minor, patch;
		const char *hash;
		unsigned processor_runtime, gpu_runtime;
	} *(*version)(void);
	onednn_f32 *f32;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
		bool held = false;

		if (!library)
			continue;
		if (find(library, "dnnl_version", &version) && find(library, "dnnl_sgemm", &f32)) {
			unsigned runtime = version()->processor_runtime;

			/* the OpenMP that oneDNN is bound to: the program's before its own */
			held = runtime == SEQUENTIAL ||
			       (runtime == OPENMP &&
			        (find(RTLD_DEFAULT, "omp_set_num_threads", &onednn.set_threads) ||
			         find(library, "omp_set_num_threads", &onednn.set_threads)) &&
			        (find(RTLD_DEFAULT, "omp_get_max_threads", &onednn.threads) ||
			         find(library, "omp_get_max_threads", &onednn.threads)));
		}
		if (held) {
			onednn.f32 = f32;
			return;
		}
		dlclose(library);
	}
}

static bool have_onednn(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, open_onednn);
	return onednn.f32 != NULL;
}

static struct {
	bool given, wide;
	enum gemm_maker maker;
} wish;

static void read_wish(void)
{
	const char *text = getenv("AUTOGRAD_GEMM");

	wish.given = text && (strcmp(text, "own") == 0 || strcmp(text, "openblas") == 0 ||
	                      strcmp(text, "onednn") == 0);
	if (wish.given)
		wish.maker = text[1] == 'w' ? GEMM_OWN : text[1] == 'p' ? GEMM_OPENBLAS : GEMM_ONEDNN;
#if defined __x86_64__
	wish.wide = __builtin_cpu_supports("avx512f");
#endif
}

enum gemm_maker gemm_maker(bool f64, bool transpose_b, size_t M, size_t N, size_t K)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	double work = (double)M * (double)N * (double)K;
	size_t least = M < N ? M : N;

	/* Vectors, small products, and sizes beyond the libraries' int. */
	if (work <= GEMM_SMALL || M == 1 || N == 1 || K == 1 || M > INT_MAX || N > INT_MAX ||
	    K > INT_MAX)
		return GEMM_OWN;
	pthread_once(&once, read_wish);
	if (wish.given)
		return (wish.maker == GEMM_ONEDNN && !f64 && have_onednn()) ||
		                       (wish.maker == GEMM_OPENBLAS && have_openblas())
		           ? wish.maker
		           : GEMM_OWN;
	least = K < least ? K : least;
	/* oneDNN gains up to a tenth where no side is short; a transposed b costs it more than us, the more so in
	 * slices. What is smaller would take thousands of products to repay the loading. */
	if (!f64 && work >= 1 << 24 && least >= (transpose_b ? 512 : 64) && have_onednn())
		return GEMM_ONEDNN;
	/* OpenBLAS gains on our kernel beyond the second cache, and in f64, for which our kernels end at AVX2. */
	if ((least >= 512 || (f64 && wish.wide && least >= 64 && work >= 1 << 20)) && have_openblas())
		return GEMM_OPENBLAS;
	return GEMM_OWN;
}

enum { ROW_MAJOR = 101, AS_IS = 111, TRANSPOSED = 112 };

bool gemm_library_f32(enum gemm_maker maker, bool transpose_a, bool transpose_b, size_t M, size_t N,
                      size_t K, const float *a, size_t lda, const float *b, size_t ldb, float *c,
                      size_t ldc, bool add)
{
	int threads, status;

	if (maker == GEMM_ONEDNN) {
		/* the number belongs to the calling thread, and its other work may want it back */
		threads = onednn.threads ? onednn.threads() : 1;
		if (threads != 1)
			onednn.set_threads(1);
		status = onednn.f32(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', (int64_t)M,
		                    (int64_t)N, (int64_t)K, 1, a, (int64_t)lda, b, (int64_t)ldb,
		                    add ? 1 : 0, c, (int64_t)ldc);
		if (threads != 1)
			onednn.set_threads(threads);
		return status == 0;
	}
	if (maker != GEMM_OPENBLAS || lda > INT_MAX || ldb > INT_MAX || ldc > INT_MAX)
		return false;
	openblas.f32(ROW_MAJOR, transpose_a ? TRANSPOSED : AS_IS, transpose_b ? TRANSPOSED : AS_IS,
	             (int)M, (int)N, (int)K, 1, a, (int)lda, b, (int)ldb, add ? 1 : 0, c, (int)ldc);
	return true;
}

bool gemm_library_f64(enum gemm_maker maker, bool transpose_a, bool transpose_b, size_t M, size_t N,
                      size_t K, const double *a, size_t lda, const double *b, size_t ldb, double *c,
                      size_t ldc, bool add)
{
	if (maker != GEMM_OPENBLAS || lda > INT_MAX || ldb > INT_MAX || ldc > INT_MAX)
		return false;
	openblas.f64(ROW_MAJOR, transpose_a ? TRANSPOSED : AS_IS, transpose_b ? TRANSPOSED : AS_IS,
	             (int)M, (int)N, (int)K, 1, a, (int)lda, b, (int)ldb, add ? 1 : 0, c, (int)ldc);
	return true;
}

#endif
