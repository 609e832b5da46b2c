/*
 * W2 in plain C: a thread does its half of the rows forward and backward, then its half of the weights.
 */
#include "floor.h"

struct state {
	const struct w2_data *data;
	struct dense net;
	const float *x;
	long t;
};

static void *open(int threads)
{
	struct state *s = bench_alloc(1, sizeof *s);
	struct w2_data *d = w2_data();

	team_open(threads);
	s->data = d;
	s->net = (struct dense){ .layers = 3, .batch = W2_BATCH, .width = { PIXELS, W2_HIDDEN1, W2_HIDDEN2, CLASSES },
		                 .relu = true, .w = { d->w1, d->w2, d->w3 } };
	s->net.y[0] = bench_alloc(W2_BATCH * PIXELS, sizeof(float));
	dense_open(&s->net);
	return s;
}

static void part(void *context, int me)
{
	struct state *s = context;
	struct dense *d = &s->net;
	struct range rows = team_range(W2_BATCH, 16, me);

	memcpy(d->y[0] + rows.from * PIXELS, s->x + rows.from * PIXELS,
	       (size_t)(rows.to - rows.from) * PIXELS * sizeof(float));
	dense_rows(d, rows, me);
	team_barrier();
	for (int l = 0; l < d->layers; l++) {
		struct range outputs = team_range(d->width[l + 1], 2, me);
		size_t in = (size_t)d->width[l], n = (size_t)(outputs.to - outputs.from), at = (size_t)outputs.from;

		dense_weights(d, l, outputs);
		update_adam(n * in, d->w[l] + at * in, d->dw[l] + at * in, d->m[l] + at * in, d->v[l] + at * in,
		            s->t, W2_LR, 0.9f, 0.999f, 0, 1);
		update_adam(n, d->b[l] + at, d->db[l] + at, d->mb[l] + at, d->vb[l] + at, s->t, W2_LR, 0.9f,
		            0.999f, 0, 1);
	}
}

static double step(void *context, int i)
{
	struct state *s = context;

	s->t = i + 1;
	s->x = s->data->x[i % BATCHES];
	s->net.t = s->data->t[i % BATCHES];
	team_run(part, s);
	return s->net.loss[0] + s->net.loss[1];
}

const struct system w2_floor = { open, step, NULL };
