/*
 * blas: finds the library that does the larger matrix products.
 *
 * Loaded when the first large product comes, since loading takes about a millisecond. It is told to
 * use one thread: slices of a product are spread by the engine's own pool. The serial build of
 * OpenBLAS is left out: it gives wrong results when two threads call it at once.
 */
#include "gemm.h"

#if AD_BASE

#include <dlfcn.h>
#include <pthread.h>

static struct gemm_library found = { .name = "own" };

/* ISO C has no conversion from an object pointer to a function pointer; POSIX defines this one. */
static bool find(void *library, const char *name, void *function)
{
	void *symbol = dlsym(library, name);
	memcpy(function, &symbol, sizeof symbol);
	return symbol != NULL;
}

static void open_library(void)
{
	static const char *const names[] = { "libopenblas.so.0", "libopenblas.so",
		                             "libopenblas.0.dylib", "libopenblas.dylib" };
	const char *wish = getenv("AUTOGRAD_GEMM");
	int (*parallel)(void);
	void (*set_threads)(int);
	gemm_library_f32 *f32;
	gemm_library_f64 *f64;

	if (wish && strcmp(wish, "own") == 0)
		return;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);

		if (!library)
			continue;
		if (find(library, "openblas_get_parallel", &parallel) && parallel() != 0 &&
		    find(library, "openblas_set_num_threads", &set_threads) &&
		    find(library, "cblas_sgemm", &f32) && find(library, "cblas_dgemm", &f64)) {
			set_threads(1);
			found = (struct gemm_library){ "openblas", f32, f64 };
			return;
		}
		dlclose(library);
	}
}

const struct gemm_library *gemm_library(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, open_library);
	return &found;
}

#endif
