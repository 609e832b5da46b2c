/*
 * W0 in plain C, f64: the two sweeps of a sample by loops over the 16 units of a layer.
 */
#include "floor.h"
#include "maths.h"

enum { N = 16 };

/* Weights as (inputs, units): a unit is a lane. */
struct weights {
	double w1[2][N], b1[N], w2[N][N], b2[N], w3[N], b3;
};

struct state {
	const struct w0_data *data;
	struct weights w, dw;
};

static void *open(int threads)
{
	struct state *s = bench_alloc(1, sizeof *s);
	const double *p;

	s->data = w0_data();
	p = s->data->params;
	for (int j = 0; j < N; j++, p += 3) {
		s->w.w1[0][j] = p[0];
		s->w.w1[1][j] = p[1];
	}
	for (int j = 0; j < N; j++, p += N + 1)
		for (int i = 0; i < N; i++)
			s->w.w2[i][j] = p[i];
	memcpy(s->w.w3, p, sizeof s->w.w3);
	return s;
}

static void squash(double *y)
{
#pragma omp simd
	for (int j = 0; j < N; j++)
		y[j] = 1 - 2 / (exp_f64(2 * y[j]) + 1);
}

static double sample(const struct weights *w, struct weights *dw, const double *x, double t)
{
	double h1[N], h2[N], d1[N] = { 0 }, d2[N], y = w->b3, dy;

	for (int j = 0; j < N; j++)
		h1[j] = w->b1[j] + w->w1[0][j] * x[0] + w->w1[1][j] * x[1];
	squash(h1);
	memcpy(h2, w->b2, sizeof h2);
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++)
			h2[j] += w->w2[i][j] * h1[i];
	squash(h2);
#pragma omp simd reduction(+ : y)
	for (int j = 0; j < N; j++)
		y += w->w3[j] * h2[j];

	dy = 2 * (y - t) / W0_SAMPLES;
	dw->b3 += dy;
	for (int j = 0; j < N; j++) {
		dw->w3[j] += dy * h2[j];
		d2[j] = dy * w->w3[j] * (1 - h2[j] * h2[j]);
		dw->b2[j] += d2[j];
	}
	for (int i = 0; i < N; i++) {
		double sum = 0;

#pragma omp simd reduction(+ : sum)
		for (int j = 0; j < N; j++) {
			dw->w2[i][j] += d2[j] * h1[i];
			sum += w->w2[i][j] * d2[j];
		}
		d1[i] = sum * (1 - h1[i] * h1[i]);
	}
	for (int j = 0; j < N; j++) {
		dw->b1[j] += d1[j];
		dw->w1[0][j] += d1[j] * x[0];
		dw->w1[1][j] += d1[j] * x[1];
	}
	return (y - t) * (y - t);
}

static double step(void *context, int i)
{
	struct state *s = context;
	double loss = 0;

	memset(&s->dw, 0, sizeof s->dw);
	for (int k = 0; k < W0_SAMPLES; k++)
		loss += sample(&s->w, &s->dw, s->data->x[k], s->data->t[k]);
	return loss / W0_SAMPLES;
}

static void update(void *context)
{
	struct state *s = context;
	double *w = (double *)&s->w;
	const double *dw = (const double *)&s->dw;

	for (size_t k = 0; k < sizeof s->w / sizeof *w; k++)
		w[k] -= W0_LR * dw[k];
}

const struct system w0_floor = { open, step, update };
