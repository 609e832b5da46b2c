/*
 * data: synthetic data and first weights, from numpy's RandomState, bit for bit up to the rounding of
 * log, sqrt and pow: M. Matsumoto, T. Nishimura, "Mersenne Twister", 1998; normal numbers by Marsaglia's
 * polar method; whole numbers by masked rejection.
 */
#include "data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TWIST = 624 };

struct random {
	uint32_t state[TWIST];
	int at;
	double spare; /* a normal number left over, or NaN */
};

static void random_seed(struct random *r, uint32_t seed)
{
	for (uint32_t k = 0; k < TWIST; k++) {
		r->state[k] = seed;
		seed = 1812433253u * (seed ^ seed >> 30) + k + 1;
	}
	r->at = TWIST;
	r->spare = (double)NAN;
}

static uint32_t bits(struct random *r)
{
	uint32_t y;

	if (r->at == TWIST) {
		for (int k = 0; k < TWIST; k++) {
			y = (r->state[k] & 0x80000000u) | (r->state[(k + 1) % TWIST] & 0x7fffffffu);
			r->state[k] = r->state[(k + 397) % TWIST] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
		}
		r->at = 0;
	}
	y = r->state[r->at++];
	y ^= y >> 11;
	y ^= y << 7 & 0x9d2c5680u;
	y ^= y << 15 & 0xefc60000u;
	return y ^ y >> 18;
}

/* rand: in [0, 1). */
static double uniform(struct random *r)
{
	uint32_t a = bits(r) >> 5, b = bits(r) >> 6;

	return (a * 67108864.0 + b) / 9007199254740992.0;
}

/* randn */
static double normal(struct random *r)
{
	double x, y, square, f = r->spare;

	if (!isnan(f)) {
		r->spare = (double)NAN;
		return f;
	}
	do {
		x = 2 * uniform(r) - 1;
		y = 2 * uniform(r) - 1;
		square = x * x + y * y;
	} while (square >= 1 || square == 0);
	f = sqrt(-2 * log(square) / square);
	r->spare = f * x;
	return f * y;
}

/* randint: 0 .. n - 1. */
static int32_t whole(struct random *r, uint32_t n)
{
	uint32_t mask = 1, k;

	while (mask < n - 1)
		mask = mask << 1 | 1;
	do
		k = bits(r) & mask;
	while (k > n - 1);
	return (int32_t)k;
}

static void fill_uniform(struct random *r, float *x, size_t n)
{
	for (size_t k = 0; k < n; k++)
		x[k] = (float)uniform(r);
}

static void fill_normal(struct random *r, float *x, size_t n, double scale)
{
	for (size_t k = 0; k < n; k++)
		x[k] = (float)(scale * normal(r));
}

/* In -1 / sqrt(inputs) .. 1 / sqrt(inputs). */
static void fill_kaiming(struct random *r, float *x, size_t n, int inputs)
{
	for (size_t k = 0; k < n; k++)
		x[k] = (float)((uniform(r) * 2 - 1) / sqrt(inputs));
}

static void fill_whole(struct random *r, int32_t *x, size_t n, uint32_t below)
{
	for (size_t k = 0; k < n; k++)
		x[k] = whole(r, below);
}

void *bench_alloc(size_t n, size_t size)
{
	/* Lines of the cache are not shared, vectors do not cross them. */
	size_t bytes = (n * size + 63) / 64 * 64;
	void *p = aligned_alloc(64, bytes);

	if (!p) {
		fputs("bench: out of memory\n", stderr);
		exit(1);
	}
	return memset(p, 0, bytes);
}

struct w0_data *w0_data(void)
{
	static const int widths[] = { 2, 16, 16, 1 };
	struct w0_data *d = bench_alloc(1, sizeof *d);
	double *p = d->params;
	struct random r;

	random_seed(&r, 1);
	for (int l = 0; l < 3; l++)
		for (int j = 0; j < widths[l + 1]; j++) {
			for (int i = 0; i < widths[l]; i++)
				*p++ = uniform(&r) * 2 - 1;
			*p++ = 0;
		}
	for (int k = 0; k < W0_SAMPLES; k++) {
		double angle = acos(-1) * (k / 2) / 49;

		d->x[k][0] = (k % 2 ? 1 - cos(angle) : cos(angle)) + 0.1 * normal(&r);
		d->x[k][1] = (k % 2 ? 0.5 - sin(angle) : sin(angle)) + 0.1 * normal(&r);
		d->t[k] = k % 2 ? 1 : -1;
	}
	return d;
}

struct w1_data *w1_data(void)
{
	struct w1_data *d = bench_alloc(1, sizeof *d);
	struct random r;

	random_seed(&r, 0);
	fill_uniform(&r, d->x[0], sizeof d->x / sizeof(float));
	fill_whole(&r, d->t[0], sizeof d->t / sizeof(int32_t), CLASSES);
	fill_normal(&r, d->w1, sizeof d->w1 / sizeof(float), 0.01);
	fill_normal(&r, d->w2, sizeof d->w2 / sizeof(float), 0.01);
	return d;
}

struct w2_data *w2_data(void)
{
	struct w2_data *d = bench_alloc(1, sizeof *d);
	struct random r;

	random_seed(&r, 0);
	fill_uniform(&r, d->x[0], sizeof d->x / sizeof(float));
	fill_whole(&r, d->t[0], sizeof d->t / sizeof(int32_t), CLASSES);
	fill_normal(&r, d->w1, sizeof d->w1 / sizeof(float), sqrt(2.0 / PIXELS));
	fill_normal(&r, d->w2, sizeof d->w2 / sizeof(float), sqrt(2.0 / W2_HIDDEN1));
	fill_normal(&r, d->w3, sizeof d->w3 / sizeof(float), sqrt(2.0 / W2_HIDDEN2));
	return d;
}

struct w3_data *w3_data(void)
{
	struct w3_data *d = bench_alloc(1, sizeof *d);
	struct random r;

	random_seed(&r, 0);
	fill_uniform(&r, d->x[0], sizeof d->x / sizeof(float));
	fill_whole(&r, d->t[0], sizeof d->t / sizeof(int32_t), CLASSES);
#define WEIGHTS(w, inputs)                                                                         \
	fill_kaiming(&r, d->w, sizeof d->w / sizeof(float), inputs),                               \
	    fill_kaiming(&r, d->w##_b, sizeof d->w##_b / sizeof(float), inputs)
	WEIGHTS(conv1, W3_K * W3_K);
	WEIGHTS(conv2, W3_CONV1 * W3_K * W3_K);
	WEIGHTS(fc1, W3_FLAT);
	WEIGHTS(fc2, W3_FC1);
	WEIGHTS(fc3, W3_FC2);
#undef WEIGHTS
	return d;
}

/* The text is a random chain over the symbols, each followed by few others. */
static void chain(struct random *r, int32_t *text)
{
	static double chance[W4_V][W4_V]; /* of a symbol, or one before it, after another */

	for (int i = 0; i < W4_V; i++)
		for (int j = 0; j < W4_V; j++)
			chance[i][j] = (j ? chance[i][j - 1] : 0) + pow(uniform(r), 16);
	text[0] = 0;
	for (int k = 1; k < W4_TEXT; k++) {
		const double *row = chance[text[k - 1]];
		double u = uniform(r) * row[W4_V - 1];
		int symbol = 0;

		while (symbol < W4_V - 1 && row[symbol] < u)
			symbol++;
		text[k] = symbol;
	}
}

struct w4_data *w4_data(void)
{
	static int32_t text[W4_TEXT];
	struct w4_data *d = bench_alloc(1, sizeof *d);
	struct random r;

	random_seed(&r, 0);
	chain(&r, text);
	for (int i = 0; i < W4_BATCHES; i++)
		for (int b = 0; b < W4_B; b++) {
			int start = whole(&r, W4_TEXT - W4_T - 1);

			memcpy(d->x[i] + b * W4_T, text + start, W4_T * sizeof *text);
			memcpy(d->t[i] + b * W4_T, text + start + 1, W4_T * sizeof *text);
		}
	fill_normal(&r, d->tok, sizeof d->tok / sizeof(float), 0.02);
	fill_normal(&r, d->pos, sizeof d->pos / sizeof(float), 0.02);
	for (int l = 0; l < W4_L; l++) {
		/* What ends a block is smaller, as it is added up over the blocks. */
		const double last = 0.02 / sqrt(2.0 * W4_L);

		fill_normal(&r, d->block[l].qkv, sizeof d->block[l].qkv / sizeof(float), 0.02);
		fill_normal(&r, d->block[l].proj, sizeof d->block[l].proj / sizeof(float), last);
		fill_normal(&r, d->block[l].up, sizeof d->block[l].up / sizeof(float), 0.02);
		fill_normal(&r, d->block[l].down, sizeof d->block[l].down / sizeof(float), last);
	}
	return d;
}

struct w5_data *w5_data(void)
{
	struct w5_data *d = bench_alloc(1, sizeof *d);
	struct random r;

	random_seed(&r, 0);
	for (int i = 0; i < W5_SEQUENCES; i++)
		d->length[i] = (int)lrint(10 + i * (40.0 / (W5_SEQUENCES - 1)));
	for (int i = W5_SEQUENCES - 1; i > 0; i--) {
		int j = whole(&r, (uint32_t)i + 1), keep = d->length[i];

		d->length[i] = d->length[j];
		d->length[j] = keep;
	}
	for (int i = 0; i < W5_SEQUENCES; i++)
		fill_normal(&r, d->x[i], (size_t)d->length[i] * W5_B * W5_I, 1);
	fill_whole(&r, d->t[0], sizeof d->t / sizeof(int32_t), CLASSES);
	fill_kaiming(&r, d->wx, sizeof d->wx / sizeof(float), W5_H);
	fill_kaiming(&r, d->wh, sizeof d->wh / sizeof(float), W5_H);
	fill_kaiming(&r, d->wo, sizeof d->wo / sizeof(float), W5_H);
	return d;
}

struct w6_data *w6_data(void)
{
	struct w6_data *d = bench_alloc(1, sizeof *d);
	struct random r;

	random_seed(&r, 0);
	fill_uniform(&r, d->x, PIXELS);
	fill_normal(&r, d->w1, sizeof d->w1 / sizeof(float), 0.01);
	fill_normal(&r, d->w2, sizeof d->w2 / sizeof(float), 0.01);
	return d;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct w7_data *w7_data(void)
{
	struct w7_data *d = bench_alloc(1, sizeof *d);
	struct random r;

	random_seed(&r, 0);
	for (int k = 0; k < W7_SAMPLES; k++)
		d->x[k] = uniform(&r);
	qsort(d->x, W7_SAMPLES, sizeof *d->x, by_size);
	for (int k = 0; k < W7_SAMPLES; k++)
		d->t[k] = d->x[k] > 0.35 && d->x[k] < 0.7;
	for (int k = 0; k < 7; k++)
		d->params[k] = normal(&r);
	return d;
}
