/*
 * W1 in plain C: a thread does its half of the rows forward and backward, then its half of the weights.
 */
#include "floor.h"

struct state {
	const struct w1_data *data;
	struct dense net;
	const float *x;
};

static void *open(int threads)
{
	struct state *s = bench_alloc(1, sizeof *s);
	struct w1_data *d = w1_data();

	team_open(threads);
	s->data = d;
	s->net = (struct dense){ .layers = 2, .batch = W1_BATCH, .width = { PIXELS, W1_HIDDEN, CLASSES },
		                 .w = { d->w1, d->w2 } };
	s->net.y[0] = bench_alloc(W1_BATCH * PIXELS, sizeof(float));
	dense_open(&s->net);
	return s;
}

static void part(void *context, int me)
{
	struct state *s = context;
	struct dense *d = &s->net;
	struct range rows = team_range(W1_BATCH, 2, me);

	memcpy(d->y[0] + rows.from * PIXELS, s->x + rows.from * PIXELS,
	       (size_t)(rows.to - rows.from) * PIXELS * sizeof(float));
	dense_rows(d, rows, me);
	team_barrier();
	for (int l = 0; l < d->layers; l++) {
		struct range outputs = team_range(d->width[l + 1], 2, me);
		size_t in = (size_t)d->width[l], n = (size_t)(outputs.to - outputs.from), at = (size_t)outputs.from;

		dense_weights(d, l, outputs);
		update_sgd(n * in, d->w[l] + at * in, d->dw[l] + at * in, W1_LR);
		update_sgd(n, d->b[l] + at, d->db[l] + at, W1_LR);
	}
}

static double step(void *context, int i)
{
	struct state *s = context;

	s->x = s->data->x[i % BATCHES];
	s->net.t = s->data->t[i % BATCHES];
	team_run(part, s);
	return s->net.loss[0] + s->net.loss[1];
}

const struct system w1_floor = { open, step, NULL };
