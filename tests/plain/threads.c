/*
 * threads: results do not depend on the number of threads, and graphs on different threads do not
 * disturb each other. A program of its own, as Criterion does not run under the thread sanitizer.
 */
#include "autograd.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
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

int main(void)
{
	static float dw[4][K * N];
	float loss[4];
	int failed = 0;

	puts("1..3");
	for (int n = 1; n <= 4; n++) {
		ad_set_threads(n);
		if (!compute(3, &loss[n - 1], dw[n - 1]) || loss[n - 1] != loss[0] ||
		    memcmp(dw[n - 1], dw[0], sizeof dw[0]) != 0)
			failed = 1;
	}
	printf("%s 1 - the same bits with 1, 2, 3 and 4 threads\n", failed ? "not ok" : "ok");

	pthread_t threads[4];
	int seeds[4] = { 1, 2, 3, 4 }, wrong = 0;

	for (int t = 0; t < 4; t++)
		pthread_create(&threads[t], NULL, worker, &seeds[t]);
	for (int t = 0; t < 4; t++) {
		void *bad;

		pthread_join(threads[t], &bad);
		wrong |= bad != NULL;
	}
	printf("%s 2 - graphs on four threads at once\n", wrong ? "not ok" : "ok");
	printf("%s 3 - the number of threads changes between evaluations\n",
	       change_threads() ? "ok" : "not ok");
	return failed || wrong;
}
