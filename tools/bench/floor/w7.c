/*
 * W7 in plain C, f64, with the exp of the C library.
 */
#include "floor.h"

#include <math.h>

struct state {
	const struct w7_data *data;
	double w[7];
};

static void *open(int threads)
{
	struct state *s = bench_alloc(1, sizeof *s);

	s->data = w7_data();
	memcpy(s->w, s->data->params, sizeof s->w);
	return s;
}

static double logistic(double x)
{
	return 1 / (1 + exp(-x));
}

static double step(void *context, int i)
{
	struct state *s = context;
	double *w = s->w, x = s->data->x[i % W7_SAMPLES], t = s->data->t[i % W7_SAMPLES];
	double h0 = logistic(w[0] * x + w[2]), h1 = logistic(w[1] * x + w[3]);
	double y = logistic(w[4] * h0 + w[5] * h1 + w[6]);
	double d = 2 * (y - t) * y * (1 - y);
	double d0 = d * w[4] * h0 * (1 - h0), d1 = d * w[5] * h1 * (1 - h1);

	w[4] -= W7_LR * d * h0;
	w[5] -= W7_LR * d * h1;
	w[6] -= W7_LR * d;
	w[0] -= W7_LR * d0 * x;
	w[1] -= W7_LR * d1 * x;
	w[2] -= W7_LR * d0;
	w[3] -= W7_LR * d1;
	return (y - t) * (y - t);
}

const struct system w7_floor = { open, step, NULL };
