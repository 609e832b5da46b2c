/*
 * W3 in plain C. Convolutions and pooling work on tiles of 16 samples, a sample a lane: (channel, row,
 * column, sample); a row of outputs stays in registers. The layers behind them are dense.c's. A thread
 * has half of the tiles.
 */
#include "floor.h"

enum { LANES = 16, TILES = W3_BATCH / LANES, K = W3_K };
enum { C1 = W3_CONV1, S0 = 32, S1 = 28, P1 = 14, C2 = W3_CONV2, S2 = 10, P2 = 5 }; /* channels; sides */

typedef float vector __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t choice __attribute__((vector_size(LANES * sizeof(float))));

struct tile {
	vector x[S0 * S0]; /* padded */
	vector y1[C1 * P1 * P1], y2[C2 * P2 * P2];
	choice from1[C1 * P1 * P1], from2[C2 * P2 * P2]; /* which of four was the largest; 4: none above 0 */
};

struct convolutions {
	float w1[C1 * K * K], b1[C1], w2[C2 * C1 * K * K], b2[C2];
};

struct scratch {
	vector dz1[C1 * S1 * S1], dy1[C1 * P1 * P1], dz2[C2 * S2 * S2], dy2[C2 * P2 * P2];
};

struct state {
	const struct w3_data *data;
	const float *x;
	struct convolutions w, m, dw[2]; /* dw: each thread's part */
	struct dense net;
	struct tile tile[TILES];
	struct scratch scratch[2];
};

static void *open(int threads)
{
	struct state *s = bench_alloc(1, sizeof *s);
	struct w3_data *d = w3_data();

	team_open(threads);
	s->data = d;
	memcpy(s->w.w1, d->conv1, sizeof d->conv1);
	memcpy(s->w.b1, d->conv1_b, sizeof d->conv1_b);
	memcpy(s->w.w2, d->conv2, sizeof d->conv2);
	memcpy(s->w.b2, d->conv2_b, sizeof d->conv2_b);
	s->net = (struct dense){ .layers = 3, .batch = W3_BATCH, .width = { W3_FLAT, W3_FC1, W3_FC2, CLASSES },
		                 .relu = true, .w = { d->fc1, d->fc2, d->fc3 },
		                 .b = { d->fc1_b, d->fc2_b, d->fc3_b } };
	s->net.y[0] = bench_alloc(W3_BATCH * W3_FLAT, sizeof(float));
	s->net.dy[0] = bench_alloc(W3_BATCH * W3_FLAT, sizeof(float));
	dense_open(&s->net);
	return s;
}

/* ---- kernels: all sizes are constants where they are called ----------------------------------- */

#define KERNEL static inline __attribute__((always_inline)) void
#define UNROLL _Pragma("GCC unroll 32")

/* n columns of a row of two output channels: x is the first input that they read, w the weights of the first
 * of the two. */
KERNEL outputs(int n, int channels, int side, const vector *x, const float *w, const float *b, vector y[2][S1])
{
	const int size = channels * K * K;
	vector sum[2][P1];

	UNROLL for (int p = 0; p < n; p++)
		for (int o = 0; o < 2; o++)
			sum[o][p] = b[o] + (vector){ 0 };
	for (int c = 0; c < channels; c++)
		for (int i = 0; i < K; i++)
			UNROLL for (int j = 0; j < K; j++) {
				const vector *in = x + (c * side + i) * side + j;
				const float w0 = w[(c * K + i) * K + j], w1 = w[size + (c * K + i) * K + j];

				UNROLL for (int p = 0; p < n; p++) {
					sum[0][p] += w0 * in[p];
					sum[1][p] += w1 * in[p];
				}
			}
	UNROLL for (int p = 0; p < n; p++)
		for (int o = 0; o < 2; o++)
			y[o][p] = sum[o][p];
}

/* The larger of two, and where it was. */
KERNEL keep_larger(const vector *y, int where, vector *most, choice *from)
{
	choice larger = *y > *most;

	*most = (vector)((larger & (choice)*y) | (~larger & (choice)*most));
	*from = (larger & (where + (choice){ 0 })) | (~larger & *from);
}

/* Convolution, ReLU and max-pooling by 2: x (channels, side, side), y (out, P, P) of an even number of
 * channels, P = (side - 4) / 2; n columns at a time. */
KERNEL convolve(int n, int channels, int side, int out, const vector *x, const float *w, const float *b, vector *y,
                choice *from)
{
	const int S = side - K + 1, P = S / 2;
	vector row[2][2][S1];

	for (int o = 0; o < out; o += 2)
		for (int i = 0; i < P; i++) {
			for (int k = 0; k < 2; k++)
				for (int at = 0; at < S; at += n) {
					vector some[2][S1];

					outputs(n, channels, side, x + (2 * i + k) * side + at,
					        w + o * channels * K * K, b + o, some);
					for (int p = 0; p < n; p++) {
						row[k][0][at + p] = some[0][p];
						row[k][1][at + p] = some[1][p];
					}
				}
			for (int c = 0; c < 2; c++)
				for (int j = 0; j < P; j++) {
					vector most = { 0 };
					choice which = 4 + (choice){ 0 };

					for (int k = 0; k < 4; k++)
						keep_larger(&row[k / 2][c][2 * j + k % 2], k, &most, &which);
					y[((o + c) * P + i) * P + j] = most;
					from[((o + c) * P + i) * P + j] = which;
				}
		}
}

/* The gradient before ReLU and pooling: dz (channels, 2 P, 2 P). */
KERNEL unpool(int channels, int P, const vector *dy, const choice *from, vector *dz)
{
	for (int c = 0; c < channels; c++)
		for (int i = 0; i < P; i++)
			for (int j = 0; j < P; j++) {
				const int at = (c * P + i) * P + j;

				for (int k = 0; k < 4; k++)
					dz[(c * 2 * P + 2 * i + k / 2) * 2 * P + 2 * j + k % 2] =
					    (vector)((choice)dy[at] & (from[at] == k));
			}
}

/* dx (channels, side, side) of dz (out, S, S): a row of two channels in registers. */
KERNEL convolve_back(int channels, int side, int out, const vector *dz, const float *w, vector *dx)
{
	const int S = side - K + 1, size = K * K;

	for (int c = 0; c < channels; c += 2)
		for (int h = 0; h < side; h++) {
			vector sum[2][P1];

			UNROLL for (int p = 0; p < side; p++)
				sum[0][p] = sum[1][p] = (vector){ 0 };
			for (int o = 0; o < out; o++)
				for (int i = h - S + 1 > 0 ? h - S + 1 : 0; i < K && i <= h; i++) {
					const vector *d = dz + (o * S + h - i) * S;
					const float *w0 = w + (o * channels + c) * size + i * K, *w1 = w0 + size;

					UNROLL for (int j = 0; j < K; j++)
						UNROLL for (int p = 0; p < S; p++) {
							sum[0][p + j] += w0[j] * d[p];
							sum[1][p + j] += w1[j] * d[p];
						}
				}
			UNROLL for (int p = 0; p < side; p++) {
				dx[(c * side + h) * side + p] = sum[0][p];
				dx[((c + 1) * side + h) * side + p] = sum[1][p];
			}
		}
}

static float total(const vector *x)
{
	float sum = 0;

	for (int k = 0; k < LANES; k++)
		sum += (*x)[k];
	return sum;
}

/* dw and db are added to: of x (channels, side, side) and dz (out, S, S), `group` outputs at a time. */
KERNEL weights(int group, int channels, int side, int out, const vector *x, const vector *dz, float *dw, float *db)
{
	const int S = side - K + 1;

	for (int o = 0; o < out; o += group)
		for (int c = 0; c < channels; c++)
			for (int i = 0; i < K; i++) {
				vector sum[4][K] = { { { 0 } } };

				for (int h = 0; h < S; h++)
					for (int p = 0; p < S; p++) {
						const vector *in = x + (c * side + h + i) * side + p;
						const vector *d = dz + (o * S + h) * S + p;

						UNROLL for (int g = 0; g < group; g++)
							UNROLL for (int j = 0; j < K; j++)
								sum[g][j] += d[g * S * S] * in[j];
					}
				UNROLL for (int g = 0; g < group; g++)
					UNROLL for (int j = 0; j < K; j++)
						dw[(((o + g) * channels + c) * K + i) * K + j] += total(&sum[g][j]);
			}
	for (int o = 0; o < out; o++) {
		vector sum = { 0 };

		for (int k = 0; k < S * S; k++)
			sum += dz[o * S * S + k];
		db[o] += total(&sum);
	}
}

/* ---- a step ----------------------------------------------------------------------------------- */

static void forward(const struct convolutions *w, const float *x, struct tile *t, float *flat)
{
	for (int i = 0; i < 28; i++)
		for (int j = 0; j < 28; j++)
			for (int k = 0; k < LANES; k++)
				t->x[(i + 2) * S0 + j + 2][k] = x[k * PIXELS + i * 28 + j];
	convolve(14, 1, S0, C1, t->x, w->w1, w->b1, t->y1, t->from1);
	convolve(10, C1, P1, C2, t->y1, w->w2, w->b2, t->y2, t->from2);
	for (int k = 0; k < LANES; k++)
		for (int j = 0; j < W3_FLAT; j++)
			flat[k * W3_FLAT + j] = t->y2[j][k];
}

static void backward(const struct convolutions *w, const struct tile *t, const float *dflat, struct scratch *s,
                     struct convolutions *dw)
{
	for (int j = 0; j < W3_FLAT; j++)
		for (int k = 0; k < LANES; k++)
			s->dy2[j][k] = dflat[k * W3_FLAT + j];
	unpool(C2, P2, s->dy2, t->from2, s->dz2);
	weights(4, C1, P1, C2, t->y1, s->dz2, dw->w2, dw->b2);
	convolve_back(C1, P1, C2, s->dz2, w->w2, s->dy1);
	unpool(C1, P1, s->dy1, t->from1, s->dz1);
	weights(3, 1, S0, C1, t->x, s->dz1, dw->w1, dw->b1);
}

static void part(void *context, int me)
{
	struct state *s = context;
	struct dense *d = &s->net;
	struct range tiles = team_range(TILES, 1, me);
	const int size = LANES * W3_FLAT;

	for (int k = tiles.from; k < tiles.to; k++)
		forward(&s->w, s->x + k * LANES * PIXELS, &s->tile[k], d->y[0] + k * size);
	dense_rows(d, (struct range){ tiles.from * LANES, tiles.to * LANES }, me);
	memset(&s->dw[me], 0, sizeof s->dw[me]);
	for (int k = tiles.from; k < tiles.to; k++)
		backward(&s->w, &s->tile[k], d->dy[0] + k * size, &s->scratch[me], &s->dw[me]);
	team_barrier();
	for (int l = 0; l < d->layers; l++) {
		struct range outputs = team_range(d->width[l + 1], 2, me);
		size_t in = (size_t)d->width[l], n = (size_t)(outputs.to - outputs.from), at = (size_t)outputs.from;

		dense_weights(d, l, outputs);
		update_momentum(n * in, d->w[l] + at * in, d->dw[l] + at * in, d->m[l] + at * in, W3_LR, W3_MOMENTUM);
		update_momentum(n, d->b[l] + at, d->db[l] + at, d->mb[l] + at, W3_LR, W3_MOMENTUM);
	}
	if (me == 0) {
		float *dw = (float *)&s->dw[0];
		const float *other = (const float *)&s->dw[1];

		for (size_t k = 0; team_threads() > 1 && k < sizeof s->dw[0] / sizeof *dw; k++)
			dw[k] += other[k];
		update_momentum(sizeof s->w / sizeof(float), (float *)&s->w, dw, (float *)&s->m, W3_LR, W3_MOMENTUM);
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

const struct system w3_floor = { open, step, NULL };
