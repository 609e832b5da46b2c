/*
 * bench: steps of small workloads, the graph recorded anew each step, beside plain C of the same
 * arithmetic where that is short. Prints one line a figure: workload, system, threads, median, min and max
 * in microseconds a step.
 *
 *   W0  a 2-16-16-1 net (tanh) of single numbers, each scalar op a node, 100 samples, squared loss
 *   W1  784-100-10, sigmoid, softmax cross-entropy, batch 100, SGD
 *   W2  784-512-256-10, ReLU, batch 128, SGD
 *   W6  W1's net, batch 1, forward only
 *   W7  1-2-1 sigmoid net, squared error, one sample a step
 */
#include "autograd.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REPEATS 15

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Runs step in REPEATS batches of n, after a warm-up, and prints the time of one. */
static void measure(const char *workload, const char *system, int n, void (*step)(void *), void *context)
{
	double times[REPEATS];

	for (int k = 0; k < n; k++)
		step(context);
	for (int r = 0; r < REPEATS; r++) {
		double start = now();

		for (int k = 0; k < n; k++)
			step(context);
		times[r] = (now() - start) / n;
	}
	qsort(times, REPEATS, sizeof *times, by_size);
	printf("%-3s %-9s threads %d  median %11.3f  min %11.3f  max %11.3f us\n", workload, system,
	       ad_threads(), times[REPEATS / 2], times[0], times[REPEATS - 1]);
}

static void give_up_on(ad_graph *g)
{
	fprintf(stderr, "bench: %s\n", ad_errmsg(g));
	exit(1);
}

/* Numbers in -scale .. scale, the same each time. */
static void fill(float *x, size_t n, double scale)
{
	static uint32_t state = 1;

	for (size_t k = 0; k < n; k++) {
		state = state * 1664525u + 1013904223u;
		x[k] = (float)(((double)(state >> 8) / (1 << 24) * 2 - 1) * scale);
	}
}

/* ---- layers of a dense net, for W1, W2, W6 ------------------------------------------------------ */

struct net {
	ad_graph *g;
	size_t mark;
	int layers, batch;
	const int *widths;
	ad_node *w[4], *b[4];
	float *data;
	int32_t *labels;
	ad_node *(*activation)(ad_node *x);
	bool train;
};

static void net_open(struct net *net)
{
	int in = net->widths[0], out = net->widths[net->layers];

	net->g = ad_open();
	for (int l = 0; l < net->layers; l++) {
		int m = net->widths[l], n = net->widths[l + 1];

		net->w[l] = ad_param(net->g, "w", AD_SHAPE(n, m));
		net->b[l] = ad_param(net->g, "b", AD_SHAPE(n));
		fill(ad_write(net->w[l]), (size_t)m * (size_t)n, sqrt(6.0 / (m + n)));
	}
	net->data = malloc((size_t)net->batch * (size_t)in * sizeof *net->data);
	net->labels = malloc((size_t)net->batch * sizeof *net->labels);
	fill(net->data, (size_t)net->batch * (size_t)in, 1);
	for (int k = 0; k < net->batch; k++)
		net->labels[k] = k % out;
	net->mark = ad_mark(net->g);
}

static void net_step(void *context)
{
	struct net *net = context;
	ad_graph *g = net->g;
	ad_node *x, *t, *loss;
	int in = net->widths[0];

	ad_release(g, net->mark);
	x = ad_input(g, "x", AD_REAL, AD_SHAPE(net->batch, in));
	ad_set_f32(x, net->data, (size_t)net->batch * (size_t)in);
	for (int l = 0; l < net->layers; l++) {
		x = ad_linear(x, net->w[l], net->b[l]);
		if (l + 1 < net->layers)
			x = net->activation(x);
	}
	if (!net->train) {
		ad_training(g, false);
		if (ad_forward(x) != AD_OK)
			give_up_on(g);
		return;
	}
	t = ad_input(g, "t", AD_I32, AD_SHAPE(net->batch));
	ad_set_i32(t, net->labels, (size_t)net->batch);
	loss = ad_call(g, "cross_entropy", 2, (ad_node *[]){ x, t }, 0, NULL);
	if (ad_backward(loss) != AD_OK)
		give_up_on(g);
	for (int l = 0; l < net->layers; l++)
		for (int k = 0; k < 2; k++) {
			ad_node *p = k ? net->b[l] : net->w[l];
			const float *dp = ad_data(ad_gradient(p));
			float *v = ad_write(p);

			for (size_t i = 0; i < ad_count(p); i++)
				v[i] -= 0.1f * dp[i];
		}
}

static void net_close(struct net *net)
{
	ad_close(net->g);
	free(net->data);
	free(net->labels);
}

/* ---- W0: single numbers --------------------------------------------------------------------------- */

struct scalars {
	ad_graph *g;
	size_t mark, nodes;
	ad_node *w[2 * 16 + 16 + 16 * 16 + 16 + 16 + 1];
};

static void scalars_step(void *context)
{
	static const int widths[] = { 2, 16, 16, 1 };
	struct scalars *s = context;
	ad_graph *g = s->g;
	ad_node *loss = NULL;

	ad_release(g, s->mark);
	for (int sample = 0; sample < 100; sample++) {
		ad_node *x[16], *y[16], *error;
		int p = 0;

		x[0] = ad_constant(g, sample / 100.0);
		x[1] = ad_constant(g, 1 - sample / 50.0);
		for (int l = 0; l < 3; l++) {
			for (int j = 0; j < widths[l + 1]; j++) {
				y[j] = NULL;
				for (int i = 0; i < widths[l]; i++) {
					ad_node *part = ad_mul(s->w[p++], x[i]);

					y[j] = y[j] ? ad_add(y[j], part) : part;
				}
				y[j] = ad_add(y[j], s->w[p++]);
				if (l < 2)
					y[j] = ad_tanh(y[j]);
			}
			memcpy(x, y, sizeof x);
		}
		error = ad_square(ad_sub(x[0], ad_constant(g, sample % 2)));
		loss = loss ? ad_add(loss, error) : error;
	}
	s->nodes = ad_nodes(g);
	if (ad_backward(loss) != AD_OK)
		give_up_on(g);
}

/* ---- W7: one sample a step ------------------------------------------------------------------------- */

struct tiny {
	ad_graph *g;
	size_t mark;
	ad_node *w[7];
	double v[7], x;
};

static void tiny_step(void *context)
{
	struct tiny *t = context;
	ad_graph *g = t->g;
	ad_node *x, *h[2], *y, *loss;

	ad_release(g, t->mark);
	t->x += 0.01;
	x = ad_constant(g, fmod(t->x, 2));
	for (int j = 0; j < 2; j++)
		h[j] = ad_sigmoid(ad_add(ad_mul(t->w[j], x), t->w[2 + j]));
	y = ad_sigmoid(ad_add(ad_add(ad_mul(t->w[4], h[0]), ad_mul(t->w[5], h[1])), t->w[6]));
	loss = ad_square(ad_sub(y, ad_constant(g, 1)));
	if (ad_backward(loss) != AD_OK)
		give_up_on(g);
	for (int k = 0; k < 7; k++)
		ad_set_item(t->w[k], ad_item(t->w[k]) - 0.03 * ad_item(ad_gradient(t->w[k])));
}

static double logistic(double x)
{
	return 1 / (1 + exp(-x));
}

static void tiny_floor(void *context)
{
	struct tiny *t = context;
	double *v = t->v, h[2], y, dy, dh;

	t->x += 0.01;
	for (int j = 0; j < 2; j++)
		h[j] = logistic(v[j] * fmod(t->x, 2) + v[2 + j]);
	y = logistic(v[4] * h[0] + v[5] * h[1] + v[6]);
	dy = 2 * (y - 1) * y * (1 - y);
	for (int j = 0; j < 2; j++) {
		dh = dy * v[4 + j] * h[j] * (1 - h[j]);
		v[4 + j] -= 0.03 * dy * h[j];
		v[j] -= 0.03 * dh * fmod(t->x, 2);
		v[2 + j] -= 0.03 * dh;
	}
	v[6] -= 0.03 * dy;
}

int main(void)
{
	static const int w1[] = { 784, 100, 10 }, w2[] = { 784, 512, 256, 10 };
	struct scalars s = { .g = ad_open_f64() };
	struct tiny t = { .g = ad_open_f64() };

	for (size_t k = 0; k < sizeof s.w / sizeof *s.w; k++) {
		s.w[k] = ad_param(s.g, "w", AD_SCALAR);
		ad_set_item(s.w[k], sin((double)k));
	}
	s.mark = ad_mark(s.g);
	measure("W0", "autograd", 2, scalars_step, &s);
	printf("    %zu nodes with the gradients\n", ad_nodes(s.g));
	ad_close(s.g);

	for (int threads = 1; threads <= 2; threads++) {
		struct net one = { .layers = 2, .batch = 100, .widths = w1, .activation = ad_sigmoid, .train = true };
		struct net two = { .layers = 3, .batch = 128, .widths = w2, .activation = ad_relu, .train = true };
		struct net six = { .layers = 2, .batch = 1, .widths = w1, .activation = ad_sigmoid };

		ad_set_threads(threads);
		net_open(&one);
		measure("W1", "autograd", 100, net_step, &one);
		net_close(&one);
		net_open(&two);
		measure("W2", "autograd", 10, net_step, &two);
		net_close(&two);
		if (threads > 1)
			continue;
		net_open(&six);
		measure("W6", "autograd", 2000, net_step, &six);
		net_close(&six);
	}

	ad_set_threads(1);
	for (int k = 0; k < 7; k++) {
		t.w[k] = ad_param(t.g, "w", AD_SCALAR);
		t.v[k] = sin(k + 1);
		ad_set_item(t.w[k], t.v[k]);
	}
	t.mark = ad_mark(t.g);
	measure("W7", "autograd", 2000, tiny_step, &t);
	measure("W7", "plain C", 200000, tiny_floor, &t);
	ad_close(t.g);
	return 0;
}
