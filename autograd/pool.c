/*
 * pool: one pool of threads for all kernels. A helper spins for a short time, so that the next
 * piece of work finds it awake, and then sleeps. Which thread takes which piece is left to chance;
 * what a piece is, is not: so results do not depend on the number of threads.
 */
#include "graph.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#define MAX_THREADS 64
#define SPINS 20000 /* some 50 to 100 microseconds */

static struct {
	pthread_mutex_t lock; /* guards the start and stop of helpers, and sleeping */
	pthread_cond_t wake;
	pthread_mutex_t busy; /* held by the caller whose work runs */
	int wanted, helpers;
	pthread_t threads[MAX_THREADS];
	atomic_uint generation; /* moves with each piece of work, and to stop */
	atomic_bool stop;
	atomic_size_t next;
	atomic_int working;
	size_t n;
	void (*fn)(void *context, size_t i);
	void *context;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER,
	   .wake = PTHREAD_COND_INITIALIZER,
	   .busy = PTHREAD_MUTEX_INITIALIZER };

static inline void relax(void)
{
#if defined __x86_64__ || defined __i386__
	__builtin_ia32_pause();
#elif defined __aarch64__
	__asm__ __volatile__("yield");
#endif
}

static void take_pieces(void)
{
	for (;;) {
		size_t i = atomic_fetch_add(&pool.next, 1);

		if (i >= pool.n)
			return;
		pool.fn(pool.context, i);
	}
}

static void *helper(void *first)
{
	unsigned seen = (unsigned)(uintptr_t)first;

	for (;;) {
		int spins = 0;

		while (atomic_load(&pool.generation) == seen && spins++ < SPINS)
			relax();
		if (atomic_load(&pool.generation) == seen) {
			pthread_mutex_lock(&pool.lock);
			while (atomic_load(&pool.generation) == seen)
				pthread_cond_wait(&pool.wake, &pool.lock);
			pthread_mutex_unlock(&pool.lock);
		}
		seen = atomic_load(&pool.generation);
		if (atomic_load(&pool.stop))
			return NULL;
		take_pieces();
		atomic_fetch_sub(&pool.working, 1);
	}
}

static void announce(void)
{
	pthread_mutex_lock(&pool.lock);
	atomic_fetch_add(&pool.generation, 1);
	pthread_cond_broadcast(&pool.wake);
	pthread_mutex_unlock(&pool.lock);
}

static int processors(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;

	return n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : n;
}

/* A child process has none of its parent's threads. */
static void after_fork(void)
{
	pool.helpers = 0;
	pthread_mutex_init(&pool.lock, NULL);
	pthread_mutex_init(&pool.busy, NULL);
	pthread_cond_init(&pool.wake, NULL);
}

static void find_wanted(void)
{
	const char *text = getenv("AUTOGRAD_THREADS");
	char *end;
	long n = text ? strtol(text, &end, 10) : 0;

	pool.wanted = text && *end == '\0' && n >= 1 ? (n > MAX_THREADS ? MAX_THREADS : (int)n) :
	                                               processors();
	pthread_atfork(NULL, NULL, after_fork);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

int ad_threads(void)
{
	pthread_once(&once, find_wanted);
	return pool.wanted;
}

/* Ends the helpers; the caller holds busy. */
static void end_helpers(void)
{
	if (pool.helpers == 0)
		return;
	atomic_store(&pool.stop, true);
	announce();
	for (int i = 0; i < pool.helpers; i++)
		pthread_join(pool.threads[i], NULL);
	atomic_store(&pool.stop, false);
	pool.helpers = 0;
}

void ad_set_threads(int n)
{
	pthread_once(&once, find_wanted);
	pthread_mutex_lock(&pool.busy);
	end_helpers();
	pool.wanted = n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : n;
	pthread_mutex_unlock(&pool.busy);
}

void pool_run(size_t n, void (*fn)(void *context, size_t i), void *context)
{
	/* within a piece, and for a second caller, work is done by the thread that asks */
	if (n <= 1 || ad_threads() <= 1 || pthread_mutex_trylock(&pool.busy) != 0) {
		for (size_t i = 0; i < n; i++)
			fn(context, i);
		return;
	}
	while (pool.helpers < pool.wanted - 1) {
		uintptr_t seen = atomic_load(&pool.generation);

		if (pthread_create(&pool.threads[pool.helpers], NULL, helper, (void *)seen) != 0)
			break;
		pool.helpers++;
	}
	pool.n = n;
	pool.fn = fn;
	pool.context = context;
	atomic_store(&pool.next, 0);
	atomic_store(&pool.working, pool.helpers);
	announce();
	take_pieces();
	while (atomic_load(&pool.working) > 0)
		relax();
	pthread_mutex_unlock(&pool.busy);
}
