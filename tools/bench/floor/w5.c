/*
 * W5 in plain C: the products of the inputs, and those that give the gradients of the weights, over all
 * cells at once; cell by cell only what depends on the cell before. A thread has half of the batch.
 */
#include "floor.h"
#include "maths.h"

enum { I = W5_I, H = W5_H, B = W5_B, G = 4 * W5_H };

struct state {
	struct w5_data *data;
	int k, T; /* the sequence, and its length */
	float wh_t[H * G], b[G], bo[CLASSES];
	float dwx[G * I], dwh[G * H], db[G], dwo[CLASSES * H], dbo[CLASSES];
	float x[W5_LONGEST][B][I];
	float gates[W5_LONGEST][B][G], dsums[W5_LONGEST][B][G]; /* i, f, g, o; and the gradients before them */
	float h[W5_LONGEST + 1][B][H], c[W5_LONGEST + 1][B][H], tanh_c[W5_LONGEST][B][H];
	float dh[B][H], dc[B][H], scores[B][CLASSES];
	float loss[2];
};

static void *open(int threads)
{
	struct state *s = bench_alloc(1, sizeof *s);

	team_open(threads);
	s->data = w5_data();
	return s;
}

/* One row of a cell: gates holds the sums and becomes the gates. */
static void forward(float *restrict gates, const float *restrict b, const float *restrict c, float *restrict c_next,
                    float *restrict tanh_c, float *restrict h)
{
#pragma omp simd
	for (int j = 0; j < H; j++) {
		const float i = sigmoid_f32(gates[j] + b[j]), f = sigmoid_f32(gates[H + j] + b[H + j]);
		const float g = tanh_f32(gates[2 * H + j] + b[2 * H + j]);
		const float o = sigmoid_f32(gates[3 * H + j] + b[3 * H + j]);
		const float next = f * c[j] + i * g, squashed = tanh_f32(next);

		gates[j] = i;
		gates[H + j] = f;
		gates[2 * H + j] = g;
		gates[3 * H + j] = o;
		c_next[j] = next;
		tanh_c[j] = squashed;
		h[j] = o * squashed;
	}
}

/* dc is that of the cell's own c after it, and becomes that of c before it. */
static void backward(const float *restrict gates, const float *restrict c, const float *restrict tanh_c,
                     const float *restrict dh, float *restrict dc, float *restrict dsums)
{
#pragma omp simd
	for (int j = 0; j < H; j++) {
		const float i = gates[j], f = gates[H + j], g = gates[2 * H + j], o = gates[3 * H + j];
		const float d = dc[j] + dh[j] * o * (1 - tanh_c[j] * tanh_c[j]);

		dsums[j] = d * g * i * (1 - i);
		dsums[H + j] = d * c[j] * f * (1 - f);
		dsums[2 * H + j] = d * i * (1 - g * g);
		dsums[3 * H + j] = dh[j] * tanh_c[j] * o * (1 - o);
		dc[j] = d * f;
	}
}

static void sweeps(struct state *s, struct range rows, int me)
{
	const int n = rows.to - rows.from, at = rows.from;
	struct w5_data *d = s->data;

	for (int t = 0; t < s->T; t++) {
		product(false, false, n, G, H, s->h[t][at], H, s->wh_t, G, true, s->gates[t][at], G);
		for (int r = at; r < rows.to; r++)
			forward(s->gates[t][r], s->b, s->c[t][r], s->c[t + 1][r], s->tanh_c[t][r], s->h[t + 1][r]);
	}
	product(false, true, n, CLASSES, H, s->h[s->T][at], H, d->wo, H, false, s->scores[at], CLASSES);
	for (int r = at; r < rows.to; r++)
		for (int j = 0; j < CLASSES; j++)
			s->scores[r][j] += s->bo[j];
	s->loss[me] = softmax_loss(n, CLASSES, s->scores[at], CLASSES, d->t[s->k] + at, B, s->scores[at]);
	product(false, false, n, H, CLASSES, s->scores[at], CLASSES, d->wo, H, false, s->dh[at], H);
	memset(s->dc[at], 0, (size_t)n * sizeof s->dc[0]);
	for (int t = s->T - 1; t >= 0; t--) {
		for (int r = at; r < rows.to; r++)
			backward(s->gates[t][r], s->c[t][r], s->tanh_c[t][r], s->dh[r], s->dc[r], s->dsums[t][r]);
		if (t > 0)
			product(false, false, n, H, G, s->dsums[t][at], G, d->wh, H, false, s->dh[at], H);
	}
}

static void weights(struct state *s, int me)
{
	const struct range part = team_range(G, 16, me), classes = team_range(CLASSES, 1, me);
	const int n = part.to - part.from, at = part.from, cells = s->T * B;
	const float *dsums = s->dsums[0][0] + at;
	struct w5_data *d = s->data;
	float *restrict db = s->db;

	product(true, false, n, H, cells, dsums, G, s->h[0][0], H, false, s->dwh + at * H, H);
	product(true, false, n, I, cells, dsums, G, s->x[0][0], I, false, s->dwx + at * I, I);
	memset(db + at, 0, (size_t)n * sizeof *db);
	for (int k = 0; k < cells; k++)
		for (int j = 0; j < n; j++)
			db[at + j] += dsums[k * G + j];
	update_sgd((size_t)(n * H), d->wh + at * H, s->dwh + at * H, W5_LR);
	update_sgd((size_t)(n * I), d->wx + at * I, s->dwx + at * I, W5_LR);
	update_sgd((size_t)n, s->b + at, s->db + at, W5_LR);
	for (int k = classes.from; k < classes.to; k++) {
		memset(s->dwo + k * H, 0, H * sizeof(float));
		s->dbo[k] = 0;
		for (int r = 0; r < B; r++) {
			for (int j = 0; j < H; j++)
				s->dwo[k * H + j] += s->scores[r][k] * s->h[s->T][r][j];
			s->dbo[k] += s->scores[r][k];
		}
		update_sgd(H, d->wo + k * H, s->dwo + k * H, W5_LR);
		update_sgd(1, s->bo + k, s->dbo + k, W5_LR);
	}
}

static void part(void *context, int me)
{
	struct state *s = context;
	struct w5_data *d = s->data;
	struct range cells = team_range(s->T, 1, me), inputs = team_range(H, 16, me);
	float *x = s->x[cells.from][0];

	memcpy(x, d->x[s->k] + cells.from * B * I, (size_t)((cells.to - cells.from) * B * I) * sizeof *x);
	product(false, true, (cells.to - cells.from) * B, G, I, x, I, d->wx, I, false, s->gates[cells.from][0], G);
	for (int j = 0; j < G; j++)
		for (int i = inputs.from; i < inputs.to; i++)
			s->wh_t[i * G + j] = d->wh[j * H + i];
	team_barrier();
	sweeps(s, team_range(B, 1, me), me);
	team_barrier();
	weights(s, me);
}

static double step(void *context, int i)
{
	struct state *s = context;

	s->k = i % W5_SEQUENCES;
	s->T = s->data->length[s->k];
	team_run(part, s);
	return s->loss[0] + s->loss[1];
}

const struct system w5_floor = { open, step, NULL };
