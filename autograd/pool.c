/*
 * pool: one pool of threads for all kernels. A helper spins for a short time, so that the next piece
 * of work finds it awake, and then sleeps.
 *
 * What a piece is does not depend on the threads, so results do not either. Which thread takes which
 * piece mostly does not change from call to call: each begins with a block of pieces of its own, so
 * that it finds in its cache what it wrote before, and only then helps with the blocks of the others,
 * from their ends. A helper that has lost its processor thus leaves all but the piece that it is in to
 * the others; and where that piece has cost the caller time, the caller does without helpers for nine
 * times as long, so that a processor that is busy with other work costs a tenth at most.
 */
#include "graph.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>
#if defined __SSE2__
#include <xmmintrin.h>
#endif

#define MAX_THREADS 64
#define HELPER_SPINS 200000 /* nanoseconds that a helper looks out for work before it sleeps: a wake-up costs as much */
#define CALLER_SPINS 50000  /* that a caller waits awake for the last pieces */
#define LONG_WAIT 1000000   /* that a helper without a processor may cost before it counts */
#define ALONE 9             /* how many times as long the caller then works alone */
#define STOP UINT64_MAX     /* instead of a block: the helper ends */

/* What one thread starts with; slot 0 is the caller's. A line of the cache hands a helper its work, another
 * says that it is done. Whoever has taken a piece may read fn to mode: the call cannot end before that
 * piece is done. */
struct slot {
	_Alignas(64) atomic_uint_least64_t block; /* pieces not taken: from block >> 32 up to (uint32_t)block */
	atomic_bool asleep;
	atomic_int processor;   /* that the caller is on */
	void (*fn)(void *context, size_t i);
	void *context;
	uint64_t mode;          /* of the caller's floating-point arithmetic */
	_Alignas(64) atomic_size_t done; /* pieces that this thread, not this slot, has ever done */
};

static struct {
	pthread_mutex_t busy;   /* held by the caller whose work runs */
	int wanted, helpers;
	size_t done;            /* what the helpers have to have done when this call ends */
	int64_t alone;          /* until when the caller works alone; 0: it does not */
	pthread_t threads[MAX_THREADS];
	struct slot slots[MAX_THREADS];
	_Alignas(64) atomic_int n_slots; /* these two hardly ever change */
	atomic_bool waiting;    /* the caller sleeps until all pieces are done */
	pthread_mutex_t lock;   /* for sleeping */
	pthread_cond_t finished, wake[MAX_THREADS];
} pool = { .busy = PTHREAD_MUTEX_INITIALIZER,
	   .lock = PTHREAD_MUTEX_INITIALIZER,
	   .finished = PTHREAD_COND_INITIALIZER };

/* ---- the mode of floating-point arithmetic ------------------------------------------------------- */

#if defined __SSE2__
#define FLUSH UINT64_C(0x8040) /* MXCSR: flush to zero, denormals are zero */
#elif defined __aarch64__
#define FLUSH (UINT64_C(1) << 24) /* FPCR: FZ */
#else
#define FLUSH UINT64_C(0)
#endif

static inline uint64_t get_mode(void)
{
#if defined __SSE2__
	return _mm_getcsr() & ~UINT64_C(0x3f); /* without the flags of what has happened */
#elif defined __aarch64__
	uint64_t mode;

	__asm__ __volatile__("mrs %0, fpcr" : "=r"(mode));
	return mode;
#else
	return 0;
#endif
}

static inline void set_mode(uint64_t mode)
{
#if defined __SSE2__
	_mm_setcsr((unsigned)mode);
#elif defined __aarch64__
	__asm__ __volatile__("msr fpcr, %0" : : "r"(mode));
#endif
}

uint64_t fp_enter(bool flush)
{
	uint64_t mode = get_mode();

	if (flush && (mode & FLUSH) != FLUSH)
		set_mode(mode | FLUSH);
	return mode;
}

void fp_leave(uint64_t mode)
{
	if (get_mode() != mode)
		set_mode(mode);
}

/* ---- pieces --------------------------------------------------------------------------------------- */

static inline void relax(void)
{
#if defined __x86_64__ || defined __i386__
	__builtin_ia32_pause();
#elif defined __aarch64__
	__asm__ __volatile__("yield");
#endif
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Whether so much time has passed since the first call; looks at the clock now and then. */
struct patience {
	int64_t end;
	unsigned polls;
};

static inline bool is_over(struct patience *p, int64_t nanoseconds)
{
	relax();
	if (++p->polls % 32)
		return false;
	if (p->end == 0)
		p->end = now() + nanoseconds;
	return now() > p->end;
}

static inline bool is_empty(uint64_t block)
{
	return block >> 32 >= (uint32_t)block;
}

/* Takes a piece of a slot's block, its first or its last. */
static inline bool take(struct slot *s, bool first, size_t *i)
{
	uint64_t block = atomic_load_explicit(&s->block, memory_order_relaxed);

	do {
		if (is_empty(block))
			return false;
	} while (!atomic_compare_exchange_weak(&s->block, &block,
	                                       first ? block + (UINT64_C(1) << 32) : block - 1));
	*i = first ? block >> 32 : (uint32_t)block - 1;
	return true;
}

/* Says that a helper has done more pieces. Added, as it may have come late to one call and in time for the
 * next. */
static void tell(struct slot *s, size_t done)
{
	if (done == 0)
		return;
	atomic_store(&s->done, atomic_load_explicit(&s->done, memory_order_relaxed) + done);
	if (atomic_load(&pool.waiting)) {
		pthread_mutex_lock(&pool.lock);
		pthread_cond_signal(&pool.finished);
		pthread_mutex_unlock(&pool.lock);
	}
}

/* Does pieces of slot k as thread `self`. Returns how many. */
static size_t work_on(int k, int self, uint64_t *mode)
{
	struct slot *s = &pool.slots[k];
	size_t done = 0, i;

	for (; take(s, k == self, &i); done++) {
		if (s->mode != *mode)
			set_mode(*mode = s->mode);
		s->fn(s->context, i);
	}
	return done;
}

static size_t help_others(int self, uint64_t *mode)
{
	int n = atomic_load_explicit(&pool.n_slots, memory_order_relaxed);
	size_t done = 0;

	for (int k = 1; k < n; k++)
		done += work_on((self + k) % n, self, mode);
	return done;
}

/* Leaves the caller's processor: there a helper takes from the caller the time that it spins, and helps
 * with nothing. The scheduler sees no reason to part two threads that both always run. */
static void keep_off(int processor)
{
	cpu_set_t all, others;

	if (sched_getcpu() != processor || sched_getaffinity(0, sizeof all, &all) != 0)
		return;
	others = all;
	CPU_CLR(processor, &others);
	if (CPU_COUNT(&others) > 0 && sched_setaffinity(0, sizeof others, &others) == 0)
		sched_setaffinity(0, sizeof all, &all);
}

/* Waits for a block, for a short time awake. False: the helper has to end. */
static bool wait_for_work(int self)
{
	struct slot *s = &pool.slots[self];
	struct patience p = { 0 };
	uint64_t block;

	while (is_empty(block = atomic_load(&s->block)) && block != STOP)
		if (is_over(&p, HELPER_SPINS)) {
			pthread_mutex_lock(&pool.lock);
			atomic_store(&s->asleep, true);
			while (is_empty(block = atomic_load(&s->block)) && block != STOP)
				pthread_cond_wait(&pool.wake[self], &pool.lock);
			atomic_store(&s->asleep, false);
			pthread_mutex_unlock(&pool.lock);
		}
	return block != STOP;
}

static void *helper(void *number)
{
	int self = (int)(intptr_t)number;
	struct slot *s = &pool.slots[self];
	uint64_t mode = get_mode();

	while (wait_for_work(self)) {
		keep_off(atomic_load_explicit(&s->processor, memory_order_relaxed));
		tell(s, work_on(self, self, &mode));
		tell(s, help_others(self, &mode));
	}
	return NULL;
}

/* After a block has been given to a helper. */
static void wake(int k)
{
	if (!atomic_load(&pool.slots[k].asleep))
		return;
	pthread_mutex_lock(&pool.lock);
	pthread_cond_signal(&pool.wake[k]);
	pthread_mutex_unlock(&pool.lock);
}

static bool are_done(void)
{
	size_t done = 0;

	for (int k = 1; k <= pool.helpers; k++)
		done += atomic_load(&pool.slots[k].done);
	return done == pool.done;
}

/* The time that helper k has had a processor, in nanoseconds. */
static int64_t worked(int k)
{
	struct timespec t = { 0 };
	clockid_t id;

	if (pthread_getcpuclockid(pool.threads[k], &id) == 0)
		clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Sleeps until the helpers have done what they have taken. If none had a processor for long meanwhile, the
 * caller works alone for a time. */
static void sleep_for_helpers(void)
{
	int64_t before[MAX_THREADS], begun = now(), end, lost;

	for (int k = 1; k <= pool.helpers; k++)
		before[k] = worked(k);
	/* a helper may have lost its processor: it can have this one */
	pthread_mutex_lock(&pool.lock);
	atomic_store(&pool.waiting, true);
	while (!are_done())
		pthread_cond_wait(&pool.finished, &pool.lock);
	atomic_store(&pool.waiting, false);
	pthread_mutex_unlock(&pool.lock);
	end = now();
	lost = end - begun;
	for (int k = 1; k <= pool.helpers && lost > LONG_WAIT; k++) {
		int64_t idle = end - begun - (worked(k) - before[k]);

		lost = idle < lost ? idle : lost;
	}
	if (lost > LONG_WAIT)
		pool.alone = end + ALONE * lost;
}

/* Waits until the helpers have done the pieces that they have taken. */
static void wait_for_helpers(void)
{
	struct patience p = { 0 };

	while (!are_done())
		if (is_over(&p, CALLER_SPINS)) {
			sleep_for_helpers();
			return;
		}
}

/* Whether the caller works alone now. */
static bool is_alone(void)
{
	if (pool.alone && now() > pool.alone)
		pool.alone = 0;
	return pool.alone != 0;
}

/* ---- threads -------------------------------------------------------------------------------------- */

static int processors(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;

	return n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : n;
}

/* A child process has none of its parent's threads. */
static void reset(void)
{
	pool.helpers = 0;
	pool.done = 0;
	pool.alone = 0;
	atomic_store(&pool.n_slots, 1);
	atomic_store(&pool.waiting, false);
	pthread_mutex_init(&pool.busy, NULL);
	pthread_mutex_init(&pool.lock, NULL);
	pthread_cond_init(&pool.finished, NULL);
	for (int k = 0; k < MAX_THREADS; k++) {
		atomic_store(&pool.slots[k].block, 0);
		atomic_store(&pool.slots[k].done, 0);
		atomic_store(&pool.slots[k].asleep, false);
		pthread_cond_init(&pool.wake[k], NULL);
	}
}

/* Ends the helpers; the caller holds busy. */
static void end_helpers(void)
{
	for (int k = 1; k <= pool.helpers; k++) {
		atomic_store(&pool.slots[k].block, STOP);
		wake(k);
	}
	for (int k = 1; k <= pool.helpers; k++) {
		pthread_join(pool.threads[k], NULL);
		atomic_store(&pool.slots[k].block, 0);
		atomic_store(&pool.slots[k].done, 0);
	}
	pool.helpers = 0;
	pool.done = 0;
	pool.alone = 0;
	atomic_store(&pool.n_slots, 1);
}

/* When the program ends, or unloads the library, no thread may be left that runs its code. In the middle of
 * a call (a piece that calls exit) there is none to wait for them. */
static void leave(void)
{
	if (pthread_mutex_trylock(&pool.busy) != 0)
		return;
	end_helpers();
	pthread_mutex_unlock(&pool.busy);
}

static void begin(void)
{
	const char *text = getenv("AUTOGRAD_THREADS");
	char *end;
	long n = text ? strtol(text, &end, 10) : 0;

	pool.wanted = text && *end == '\0' && n >= 1 ? (n > MAX_THREADS ? MAX_THREADS : (int)n) :
	                                               processors();
	reset();
	pthread_atfork(NULL, NULL, reset);
	atexit(leave);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

int ad_threads(void)
{
	pthread_once(&once, begin);
	return pool.wanted;
}

void ad_set_threads(int n)
{
	pthread_once(&once, begin);
	pthread_mutex_lock(&pool.busy);
	end_helpers();
	pool.wanted = n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : n;
	pthread_mutex_unlock(&pool.busy);
}

static void start_helpers(void)
{
	while (pool.helpers < pool.wanted - 1) {
		int k = pool.helpers + 1;

		if (pthread_create(&pool.threads[k], NULL, helper, (void *)(intptr_t)k) != 0)
			break;
		pool.helpers = k;
		atomic_store(&pool.n_slots, k + 1);
	}
}

static void run_alone(size_t n, void (*fn)(void *context, size_t i), void *context)
{
	for (size_t i = 0; i < n; i++)
		fn(context, i);
}

/* Hands the pieces out, a block to each thread, the caller's last. */
static void hand_out(size_t n, void (*fn)(void *context, size_t i), void *context, uint64_t mode)
{
	int threads = pool.helpers + 1, processor = sched_getcpu();

	for (int k = threads - 1; k >= 0; k--) {
		struct slot *s = &pool.slots[k];
		uint64_t from = n * (size_t)k / (size_t)threads, to = n * (size_t)(k + 1) / (size_t)threads;

		if (from == to)
			continue;
		s->fn = fn;
		s->context = context;
		s->mode = mode;
		atomic_store_explicit(&s->processor, processor, memory_order_relaxed);
		if (k > 0) {
			atomic_store(&s->block, from << 32 | to);
			wake(k);
		} else {
			atomic_store_explicit(&s->block, from << 32 | to, memory_order_release);
		}
	}
}

void pool_run(size_t n, void (*fn)(void *context, size_t i), void *context)
{
	uint64_t mode;
	size_t done;

	/* within a piece, and for a second caller, work is done by the thread that asks */
	if (n <= 1 || n >= UINT32_MAX || ad_threads() <= 1 || pthread_mutex_trylock(&pool.busy) != 0) {
		run_alone(n, fn, context);
		return;
	}
	if (is_alone()) {
		run_alone(n, fn, context);
	} else {
		if (pool.helpers < pool.wanted - 1)
			start_helpers();
		mode = get_mode();
		hand_out(n, fn, context, mode);
		done = work_on(0, 0, &mode);
		done += help_others(0, &mode);
		pool.done += n - done;
		wait_for_helpers();
	}
	pthread_mutex_unlock(&pool.busy);
}
