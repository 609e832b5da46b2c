/*
 * threads: results do not depend on the number of threads, and graphs on different threads do not
 * disturb each other. A program of its own, as Criterion does not run under the thread sanitizer.
 */
#include "graph.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { M = 96, K = 64, N = 80, REPEATS = 5 };

/* One loss and one gradient of a small net over enough elements that every kernel splits its work. */
static int compute(int seed, float *loss, float dw[K * N])
{
	ad_graph *g = ad_open();
	ad_node *x = ad_input(g, "x", AD_REAL, AD_SHAPE(M, K));
	ad_node *w = ad_param(g, "w", AD_SHAPE(K, N));
	ad_node *h = ad_tanh(ad_matmul(x, w));
	ad_node *wide = ad_mul(ad_reshape(h, AD_SHAPE(M * N, 1)), ad_full(g, AD_SHAPE(1, 16), 0.5));
	ad_node *y = ad_sum(ad_sigmoid(wide), AD_ALL, false);
	float *xs = ad_write(x), *ws = ad_write(w);
	int ok;

	for (int k = 0; k < M * K; k++)
		xs[k] = (float)((k * 7 + seed) % 13) / 13 - 0.5f;
	for (int k = 0; k < K * N; k++)
		ws[k] = (float)((k * 5 + seed) % 11) / 11 - 0.5f;
	ok = ad_backward(y) == AD_OK;
	if (ok) {
		*loss = (float)ad_item(y);
		memcpy(dw, ad_data(ad_gradient(w)), K * N * sizeof *dw);
	} else {
		printf("# %s\n", ad_errmsg(g));
	}
	ad_close(g);
	return ok;
}

static void *worker(void *seed)
{
	static _Thread_local float dw[K * N], again[K * N];
	float loss, loss_again;
	int s = *(int *)seed;

	if (!compute(s, &loss, dw))
		return seed;
	for (int k = 0; k < REPEATS; k++)
		if (!compute(s, &loss_again, again) || loss != loss_again ||
		    memcmp(dw, again, sizeof dw) != 0)
			return seed;
	return NULL;
}

/* Helpers are ended while they are about to join, again and again; the alarm ends what hangs. */
static bool change_threads(void)
{
	ad_graph *g = ad_open();
	ad_node *x = ad_input(g, "x", AD_REAL, AD_SHAPE(200000)), *y = ad_neg(x);
	bool ok = true;

	alarm(120);
	for (int k = 0; ok && k < 1200; k++) {
		ad_set_item(x, k);
		ok = ad_forward(y) == AD_OK && ad_at(y, 199999) == -k;
		ad_set_threads(2 + k % 4);
	}
	alarm(0);
	ad_close(g);
	return ok;
}

/* Every piece once, for any numbers of pieces and threads. */
static void count_piece(void *context, size_t i)
{
	atomic_fetch_add((atomic_int *)context + i, 1);
}

static bool all_pieces_once(void)
{
	static atomic_int counts[300];
	static const size_t numbers[] = { 0, 1, 2, 3, 5, 64, 299 };
	static const int threads[] = { 1, 2, 3, 7, 64 };
	bool ok = true;

	alarm(120);
	for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
		ad_set_threads(threads[t]);
		for (int repeat = 0; repeat < 40; repeat++)
			for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++) {
				for (size_t k = 0; k < 300; k++)
					atomic_store(&counts[k], 0);
				pool_run(numbers[n], count_piece, counts);
				for (size_t k = 0; k < 300; k++)
					ok &= atomic_load(&counts[k]) == (k < numbers[n]);
			}
	}
	alarm(0);
	return ok;
}

/* A helper that is held up in its first piece, as if it had lost its processor, until all others are done:
 * without others that take what it would have done next this never ends. */
struct held {
	pthread_t caller;
	size_t n;
	atomic_size_t done;
	atomic_bool is_held;
};

static void hold(void *context, size_t i)
{
	struct held *h = context;
	bool free = false;

	(void)i;
	if (!pthread_equal(pthread_self(), h->caller) &&
	    atomic_compare_exchange_strong(&h->is_held, &free, true))
		while (atomic_load(&h->done) < h->n - 1)
			usleep(100);
	else
		usleep(1000); /* time for the helper to come */
	atomic_fetch_add(&h->done, 1);
}

static bool pieces_of_a_lost_helper(void)
{
	bool was_held = false;

	ad_set_threads(2);
	alarm(120);
	for (int k = 0; k < 100 && !was_held; k++) {
		struct held h = { .caller = pthread_self(), .n = 8 };

		pool_run(h.n, hold, &h);
		was_held = atomic_load(&h.is_held);
	}
	alarm(0);
	return was_held;
}

#ifndef __SANITIZE_THREAD__
/* A child process has helpers of its own. */
static bool after_fork(void)
{
	static float before[K * N], after[K * N];
	float loss, loss_after;
	int status = 1;
	pid_t child;

	ad_set_threads(3);
	if (!compute(5, &loss, before))
		return false;
	child = fork();
	if (child == 0) {
		alarm(120);
		_exit(!compute(5, &loss_after, after) || loss != loss_after ||
		      memcmp(before, after, sizeof before) != 0);
	}
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}
#endif

/* What a denormal number times one is, on each thread, flushed and not. */
struct tiny {
	pthread_t caller;
	atomic_int zeros, others, helped;
};

static void multiply(void *context, size_t i)
{
	struct tiny *t = context;
	volatile float x = 1e-40f, y = 1;

	(void)i;
	x *= y;
	atomic_fetch_add(x == 0 ? &t->zeros : &t->others, 1);
	atomic_fetch_add(&t->helped, !pthread_equal(pthread_self(), t->caller));
	usleep(1000);
}

static bool flushes_where_asked(void)
{
	bool ok = true;
	volatile float x = 1e-40f, y = 1;

	ad_set_threads(2);
	for (int flush = 0; flush < 3; flush++) {
		struct tiny t = { .caller = pthread_self() };
		uint64_t mode = fp_enter(flush == 1);

		for (int k = 0; k < 100 && atomic_load(&t.helped) == 0; k++)
			pool_run(8, multiply, &t);
		fp_leave(mode);
		ok &= atomic_load(&t.helped) > 0 && x * y > 0;
#if defined __SSE2__ || defined __aarch64__
		ok &= atomic_load(flush == 1 ? &t.others : &t.zeros) == 0;
#endif
	}
	return ok;
}

enum { STEPS = 300 };

struct steps {
	ad_graph *g;
	ad_node *w;
	size_t mark;
	int done;
	double sum;
};

/* Some steps of a graph of single numbers, recorded anew each time: of a graph of the thread's own, or of one that
 * another thread has begun. */
static void *take_steps(void *context)
{
	struct steps *s = context;

	if (!s->g) {
		s->g = ad_open_f64();
		s->w = ad_param(s->g, "w", AD_SCALAR);
		s->mark = ad_mark(s->g);
	}
	for (int k = 0; k < STEPS; k++, s->done++) {
		ad_node *x, *y;

		ad_release(s->g, s->mark);
		x = ad_constant(s->g, s->done % 7);
		y = ad_tanh(ad_add(ad_mul(s->w, x), s->w));
		for (int j = 0; j < k % 3; j++)
			y = ad_mul(y, ad_sigmoid(ad_sub(y, x)));
		if (ad_backward(y) != AD_OK)
			return s;
		s->sum += ad_item(y);
		ad_set_item(s->w, ad_item(s->w) - 0.01 * ad_item(ad_gradient(s->w)));
	}
	return NULL;
}

static bool replays_on_threads(void)
{
	struct steps at_once[4] = { { 0 } }, handed_on = { 0 }, alone = { 0 };
	pthread_t threads[4];
	bool ok = true;
	void *bad;

	for (int t = 0; t < 4; t++)
		pthread_create(&threads[t], NULL, take_steps, &at_once[t]);
	for (int t = 0; t < 4; t++) {
		pthread_join(threads[t], &bad);
		ok &= !bad;
	}
	for (int t = 0; t < 3; t++) {
		pthread_create(&threads[0], NULL, take_steps, &handed_on);
		pthread_join(threads[0], &bad);
		ok &= !bad;
	}
	ok &= !take_steps(&alone);
	for (int t = 0; t < 4; t++)
		ok &= at_once[t].sum == alone.sum;
	ok &= !take_steps(&alone) && !take_steps(&alone);
	ok &= handed_on.sum == alone.sum && alone.sum != 0;
	for (int t = 0; t < 4; t++)
		ad_close(at_once[t].g);
	ad_close(handed_on.g);
	ad_close(alone.g);
	return ok;
}

static int report(int number, bool ok, const char *what)
{
	printf("%s %d - %s\n", ok ? "ok" : "not ok", number, what);
	return !ok;
}

#ifndef __SANITIZE_THREAD__
/* Loads the library, has it work on two threads, unloads it and lives on. Returns 0, or which part failed. */
static int load_and_unload(const char *path)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL), *symbol;
	__typeof__(&ad_set_threads) set_threads;
	__typeof__(&ad_open) open_graph;
	__typeof__(&ad_full) full;
	__typeof__(&ad_matmul) matmul;
	__typeof__(&ad_forward) forward;
	__typeof__(&ad_close) close_graph;
	ad_graph *g;

#define FIND(function, name)                                                                       \
	if ((symbol = dlsym(library, name)) == NULL)                                                   \
		return 2;                                                                                  \
	memcpy(&(function), &symbol, sizeof symbol)
	if (!library)
		return 1;
	FIND(set_threads, "ad_set_threads");
	FIND(open_graph, "ad_open");
	FIND(full, "ad_full");
	FIND(matmul, "ad_matmul");
	FIND(forward, "ad_forward");
	FIND(close_graph, "ad_close");
#undef FIND
	set_threads(2);
	g = open_graph();
	if (forward(matmul(full(g, AD_SHAPE(300, 300), 1), full(g, AD_SHAPE(300, 300), 1))) != AD_OK)
		return 3;
	close_graph(g);
	if (dlclose(library) != 0 || dlopen(path, RTLD_NOW | RTLD_NOLOAD))
		return 4;
	usleep(20000); /* a thread that is left would wake up to code that is no longer there */
	return 0;
}

static bool after_unloading(void)
{
	const char *build = getenv("AUTOGRAD_BUILD");
	char path[4096];
	int status;
	pid_t child = fork();

	if (child == 0) {
		alarm(60);
		snprintf(path, sizeof path, "%s/libautograd.so", build ? build : "build");
		_exit(load_and_unload(path));
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return false;
	if (status != 0)
		printf("# status %#x\n", (unsigned)status);
	return status == 0;
}
#endif

int main(void)
{
	static float dw[4][K * N];
	float loss[4];
	int failed = 0;

	puts("1..9");
	for (int n = 1; n <= 4; n++) {
		ad_set_threads(n);
		if (!compute(3, &loss[n - 1], dw[n - 1]) || loss[n - 1] != loss[0] ||
		    memcmp(dw[n - 1], dw[0], sizeof dw[0]) != 0)
			failed = 1;
	}
	report(1, !failed, "the same bits with 1, 2, 3 and 4 threads");

	pthread_t threads[4];
	int seeds[4] = { 1, 2, 3, 4 }, wrong = 0;

	for (int t = 0; t < 4; t++)
		pthread_create(&threads[t], NULL, worker, &seeds[t]);
	for (int t = 0; t < 4; t++) {
		void *bad;

		pthread_join(threads[t], &bad);
		wrong |= bad != NULL;
	}
	failed |= report(2, !wrong, "graphs on four threads at once");
	failed |= report(3, change_threads(), "the number of threads changes between evaluations");
	failed |= report(4, all_pieces_once(), "every piece is done once");
	failed |= report(5, pieces_of_a_lost_helper(), "others take the pieces of a helper that is held up");
#ifdef __SANITIZE_THREAD__
	puts("ok 6 # SKIP the thread sanitizer lets no child of several threads have threads");
	puts("ok 7 # SKIP the thread sanitizer lets no child of several threads have threads");
#else
	failed |= report(6, after_fork(), "a child process computes the same");
	failed |= report(7, after_unloading(), "a program lives on when it has unloaded the library");
#endif
	failed |= report(8, flushes_where_asked(), "denormals are flushed in all threads where asked");
	failed |= report(9, replays_on_threads(), "steps that repeat, on four threads at once and from thread to thread");
	return failed;
}
