/*
 * W6 in plain C: two products of a matrix and a vector.
 */
#include "floor.h"
#include "maths.h"

struct state {
	struct w6_data *data;
	float x[PIXELS], b1[W1_HIDDEN], b2[CLASSES], h[W1_HIDDEN], y[CLASSES];
};

static void *open(int threads)
{
	struct state *s = bench_alloc(1, sizeof *s);

	s->data = w6_data();
	return s;
}

enum { ROWS = 5 };

/* y = w x + b, w (out, in), a multiple of ROWS outputs. */
static void gemv(int out, int in, const float *w, const float *x, const float *b, float *y)
{
	for (int j = 0; j < out; j += ROWS) {
		const float *w0 = w + j * in, *w1 = w0 + in, *w2 = w1 + in, *w3 = w2 + in, *w4 = w3 + in;
		float s0 = b[j], s1 = b[j + 1], s2 = b[j + 2], s3 = b[j + 3], s4 = b[j + 4];

#pragma omp simd reduction(+ : s0, s1, s2, s3, s4)
		for (int i = 0; i < in; i++) {
			s0 += w0[i] * x[i];
			s1 += w1[i] * x[i];
			s2 += w2[i] * x[i];
			s3 += w3[i] * x[i];
			s4 += w4[i] * x[i];
		}
		y[j] = s0;
		y[j + 1] = s1;
		y[j + 2] = s2;
		y[j + 3] = s3;
		y[j + 4] = s4;
	}
}

static double step(void *context, int i)
{
	struct state *s = context;

	memcpy(s->x, s->data->x, sizeof s->x);
	gemv(W1_HIDDEN, PIXELS, s->data->w1, s->x, s->b1, s->h);
#pragma omp simd
	for (int j = 0; j < W1_HIDDEN; j++)
		s->h[j] = sigmoid_f32(s->h[j]);
	gemv(CLASSES, W1_HIDDEN, s->data->w2, s->h, s->b2, s->y);
	return s->y[0];
}

const struct system w6_floor = { open, step, NULL };
