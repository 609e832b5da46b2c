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

/* The state of the pool in one word: which piece of work (generation), whether it may still be
 * joined, and how many helpers have. A helper that comes late, as its processor was busy, finds the work
 * closed and is not waited for. */
#define GENERATION (UINT64_C(1) << 32)
#define OPEN (UINT64_C(1) << 31)
#define JOINED (OPEN - 1)

static struct {
	pthread_mutex_t lock; /* for sleeping */
	pthread_cond_t wake;
	pthread_mutex_t busy; /* held by the caller whose work runs */
	int wanted, helpers;
	pthread_t threads[MAX_THREADS];
	atomic_uint_least64_t state;
	atomic_int sleepers;
	atomic_bool stop;
	atomic_size_t next;
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

/* Joins work newer than the last one seen, if it is open. Returns its generation, or seen. */
static uint64_t join(uint64_t seen, bool *joined)
{
	uint64_t state = atomic_load(&pool.state);

	*joined = false;
	while (state / GENERATION != seen && state & OPEN)
		if (atomic_compare_exchange_weak(&pool.state, &state, state + 1)) {
			*joined = true;
			break;
		}
	return state / GENERATION;
}

static void *helper(void *unused)
{
	uint64_t seen = 0;

	for (;;) {
		bool joined;
		int spins = 0;

		/* here, as the join below may have passed over the generation that ends the helpers */
		if (atomic_load(&pool.stop))
			return NULL;
		while (atomic_load(&pool.state) / GENERATION == seen && spins++ < SPINS)
			relax();
		if (atomic_load(&pool.state) / GENERATION == seen) {
			pthread_mutex_lock(&pool.lock);
			atomic_fetch_add(&pool.sleepers, 1);
			while (atomic_load(&pool.state) / GENERATION == seen)
				pthread_cond_wait(&pool.wake, &pool.lock);
			atomic_fetch_sub(&pool.sleepers, 1);
			pthread_mutex_unlock(&pool.lock);
		}
		seen = join(seen, &joined);
		if (joined) {
			take_pieces();
			atomic_fetch_sub(&pool.state, 1);
		}
	}
}

/* Starts a new generation; only the holder of busy calls it, when nobody has joined. */
static void announce(uint64_t open)
{
	uint64_t generation = atomic_load(&pool.state) / GENERATION + 1;

	atomic_store(&pool.state, generation * GENERATION | open);
	if (atomic_load(&pool.sleepers) > 0) {
		pthread_mutex_lock(&pool.lock);
		pthread_cond_broadcast(&pool.wake);
		pthread_mutex_unlock(&pool.lock);
	}
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
	atomic_store(&pool.sleepers, 0);
	atomic_store(&pool.state, 0);
	atomic_store(&pool.stop, false);
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
	announce(0);
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
		if (pthread_create(&pool.threads[pool.helpers], NULL, helper, NULL) != 0)
			break;
		pool.helpers++;
	}
	pool.n = n;
	pool.fn = fn;
	pool.context = context;
	atomic_store(&pool.next, 0);
	announce(OPEN);
	take_pieces();
	atomic_fetch_and(&pool.state, ~OPEN);
	for (int spins = 0; atomic_load(&pool.state) & JOINED; spins++)
		if (spins < SPINS)
			relax();
		else
			sched_yield(); /* a helper has lost its processor, perhaps to this loop */
	pthread_mutex_unlock(&pool.busy);
}
