/*
 * W4 in plain C: a thread takes half of the sequences, some at a time, through the blocks forward and
 * backward, and behind each block half of the weights' gradients.
 */
#include "floor.h"
#include "maths.h"

#include <stddef.h>

enum { V = W4_V, L = W4_L, C = W4_C, T = W4_T, B = W4_B, HEADS = W4_H, D = C / HEADS, U = 4 * C, ROWS = B * T };
enum { CHUNK = 3 }; /* sequences that go through a layer at once */

struct params {
	float tok[V][C], pos[T][C];
	struct {
		float qkv[3 * C][C], proj[C][C], up[U][C], down[C][U];
	} block[L];
	float norm[2 * L + 1][C]; /* of blocks two each, and the last one; from here on nothing decays */
};

enum { PARAMS = sizeof(struct params) / sizeof(float), DECAYING = offsetof(struct params, norm) / sizeof(float) };

struct state {
	const struct w4_data *data;
	const int32_t *x, *t;
	long step;
	struct params w, dw, m, v;
	float dnorm[2][2 * L + 1][C]; /* each thread's part */
	struct {
		float in[ROWS][C], middle[ROWS][C];         /* the residual stream */
		float normal1[ROWS][C], normal2[ROWS][C];   /* normalized */
		float mean[2][ROWS], root[2][ROWS];         /* and by what: mean, 1 / standard deviation */
		float qkv[ROWS][3 * C], p[B * HEADS][T][T], mixed[ROWS][C];
		float act[ROWS][U], slope[ROWS][U];         /* GELU and its derivative */
	} a[L];
	float out[ROWS][C], last[ROWS][C], last_mean[ROWS], last_root[ROWS], scores[ROWS][V];
	/* Gradients: of a block's output, middle and input, and inside. */
	float dout[ROWS][C], dmiddle[ROWS][C], din[ROWS][C], dact[ROWS][U], dqkv[ROWS][3 * C], dsmall[ROWS][C];
	float dp[2][T][T], loss[2], square[2];
};

static void *open(int threads)
{
	struct state *s = bench_alloc(1, sizeof *s);
	const struct w4_data *d = s->data = w4_data();

	team_open(threads);
	memcpy(s->w.tok, d->tok, sizeof d->tok);
	memcpy(s->w.pos, d->pos, sizeof d->pos);
	memcpy(s->w.block, d->block, sizeof d->block);
	for (int k = 0; k < 2 * L + 1; k++)
		for (int j = 0; j < C; j++)
			s->w.norm[k][j] = 1;
	return s;
}

/* ---- LayerNorm ------------------------------------------------------------------------------ */

static void norm(int n, const float *restrict x, const float *restrict w, float *restrict y, float *restrict mean,
                 float *restrict root)
{
	for (int r = 0; r < n; r++, x += C, y += C) {
		float sum = 0, square = 0;

#pragma omp simd reduction(+ : sum)
		for (int j = 0; j < C; j++)
			sum += x[j];
		mean[r] = sum / C;
#pragma omp simd reduction(+ : square)
		for (int j = 0; j < C; j++)
			square += (x[j] - mean[r]) * (x[j] - mean[r]);
		root[r] = 1 / sqrtf(square / C + 1e-5f);
#pragma omp simd
		for (int j = 0; j < C; j++)
			y[j] = (x[j] - mean[r]) * root[r] * w[j];
	}
}

/* dx = gradient that comes beside (dbeside) + that through the norm; dw is added to. */
static void norm_back(int n, const float *restrict x, const float *restrict w, const float *restrict dy,
                      const float *restrict mean, const float *restrict root, const float *restrict dbeside,
                      float *restrict dx, float *restrict dw)
{
	for (int r = 0; r < n; r++, x += C, dy += C, dx += C, dbeside += C) {
		float sum = 0, along = 0;

#pragma omp simd reduction(+ : sum, along)
		for (int j = 0; j < C; j++) {
			const float z = (x[j] - mean[r]) * root[r], g = dy[j] * w[j];

			dw[j] += dy[j] * z;
			sum += g;
			along += g * z;
		}
		sum /= C;
		along /= C;
#pragma omp simd
		for (int j = 0; j < C; j++) {
			const float z = (x[j] - mean[r]) * root[r];

			dx[j] = dbeside[j] + root[r] * (dy[j] * w[j] - sum - z * along);
		}
	}
}

/* ---- attention: a head of a sequence ---------------------------------------------------------- */

static void attend(const float *qkv, float p[T][T], float *mixed)
{
	const float scale = 0.176776695f; /* 1 / sqrt(D) */

	product(false, true, T, T, D, qkv, 3 * C, qkv + C, 3 * C, false, p[0], T);
	for (int i = 0; i < T; i++) {
		float *restrict row = p[i], most = row[0], sum = 0;

		for (int j = i + 1; j < T; j++)
			row[j] = -1e30f;
#pragma omp simd reduction(max : most)
		for (int j = 0; j < T; j++)
			most = row[j] > most ? row[j] : most;
#pragma omp simd reduction(+ : sum)
		for (int j = 0; j < T; j++) {
			row[j] = exp_f32((row[j] - most) * scale);
			sum += row[j];
		}
		sum = 1 / sum;
		for (int j = 0; j < T; j++)
			row[j] *= sum;
		for (int j = i + 1; j < T; j++)
			row[j] = 0;
	}
	product(false, false, T, D, T, p[0], T, qkv + 2 * C, 3 * C, false, mixed, C);
}

static void attend_back(const float *qkv, float p[T][T], const float *dmixed, float dp[T][T], float *dqkv)
{
	const float scale = 0.176776695f;

	product(true, false, T, D, T, p[0], T, dmixed, C, false, dqkv + 2 * C, 3 * C);
	product(false, true, T, T, D, dmixed, C, qkv + 2 * C, 3 * C, false, dp[0], T);
	for (int i = 0; i < T; i++) {
		const float *restrict row = p[i];
		float *restrict d = dp[i], sum = 0;

#pragma omp simd reduction(+ : sum)
		for (int j = 0; j < T; j++)
			sum += row[j] * d[j];
#pragma omp simd
		for (int j = 0; j < T; j++)
			d[j] = row[j] * (d[j] - sum) * scale;
	}
	product(false, false, T, D, T, dp[0], T, qkv + C, 3 * C, false, dqkv, 3 * C);
	product(true, false, T, D, T, dp[0], T, qkv, 3 * C, false, dqkv + C, 3 * C);
}

/* ---- a block, for n rows from `at` on ----------------------------------------------------------- */

static void block(struct state *s, int l, int at, int n)
{
	const float *qkv_w = s->w.block[l].qkv[0], *x = s->a[l].in[at];
	float *middle = s->a[l].middle[at], *act = s->a[l].act[at], *slope = s->a[l].slope[at];
	float *out = l + 1 < L ? s->a[l + 1].in[at] : s->out[at];

	norm(n, x, s->w.norm[2 * l], s->a[l].normal1[at], s->a[l].mean[0] + at, s->a[l].root[0] + at);
	product(false, true, n, 3 * C, C, s->a[l].normal1[at], C, qkv_w, C, false, s->a[l].qkv[at], 3 * C);
	for (int r = at; r < at + n; r += T)
		for (int h = 0; h < HEADS; h++)
			attend(s->a[l].qkv[r] + h * D, s->a[l].p[r / T * HEADS + h], s->a[l].mixed[r] + h * D);
	memcpy(middle, x, (size_t)(n * C) * sizeof *x);
	product(false, true, n, C, C, s->a[l].mixed[at], C, s->w.block[l].proj[0], C, true, middle, C);

	norm(n, middle, s->w.norm[2 * l + 1], s->a[l].normal2[at], s->a[l].mean[1] + at, s->a[l].root[1] + at);
	product(false, true, n, U, C, s->a[l].normal2[at], C, s->w.block[l].up[0], C, false, act, U);
#pragma omp simd
	for (int k = 0; k < n * U; k++) {
		const float z = act[k];
		float density, share = normal_f32(z, &density);

		act[k] = z * share;
		slope[k] = share + z * density;
	}
	memcpy(out, middle, (size_t)(n * C) * sizeof *x);
	product(false, true, n, C, U, act, U, s->w.block[l].down[0], U, true, out, C);
}

static void block_back(struct state *s, int l, int at, int n, int me)
{
	float *dact = s->dact[at], *dsmall = s->dsmall[at];
	const float *slope = s->a[l].slope[at];

	product(false, false, n, U, C, s->dout[at], C, s->w.block[l].down[0], U, false, dact, U);
#pragma omp simd
	for (int k = 0; k < n * U; k++)
		dact[k] *= slope[k];
	product(false, false, n, C, U, dact, U, s->w.block[l].up[0], C, false, dsmall, C);
	norm_back(n, s->a[l].middle[at], s->w.norm[2 * l + 1], dsmall, s->a[l].mean[1] + at, s->a[l].root[1] + at,
	          s->dout[at], s->dmiddle[at], s->dnorm[me][2 * l + 1]);

	product(false, false, n, C, C, s->dmiddle[at], C, s->w.block[l].proj[0], C, false, dsmall, C);
	for (int r = at; r < at + n; r += T)
		for (int h = 0; h < HEADS; h++)
			attend_back(s->a[l].qkv[r] + h * D, s->a[l].p[r / T * HEADS + h], s->dsmall[r] + h * D,
			            s->dp[me], s->dqkv[r] + h * D);
	product(false, false, n, C, 3 * C, s->dqkv[at], 3 * C, s->w.block[l].qkv[0], C, false, dsmall, C);
	norm_back(n, s->a[l].in[at], s->w.norm[2 * l], dsmall, s->a[l].mean[0] + at, s->a[l].root[0] + at,
	          s->dmiddle[at], s->din[at], s->dnorm[me][2 * l]);
}

/* dw = dy^T x for thread me's part of the outputs of a layer. */
static void gradient(int out, int in, const float *dy, const float *x, float *dw, int me)
{
	struct range part = team_range(out, 16, me);

	product(true, false, part.to - part.from, in, ROWS, dy + part.from, out, x, in, false, dw + part.from * in, in);
}

static void block_weights(struct state *s, int l, int me)
{
	gradient(C, U, s->dout[0], s->a[l].act[0], s->dw.block[l].down[0], me);
	gradient(U, C, s->dact[0], s->a[l].normal2[0], s->dw.block[l].up[0], me);
	gradient(C, C, s->dmiddle[0], s->a[l].mixed[0], s->dw.block[l].proj[0], me);
	gradient(3 * C, C, s->dqkv[0], s->a[l].normal1[0], s->dw.block[l].qkv[0], me);
}

/* ---- the ends of the net ---------------------------------------------------------------------- */

static void embed(struct state *s, int at, int n)
{
	for (int r = at; r < at + n; r++)
		for (int j = 0; j < C; j++)
			s->a[0].in[r][j] = s->w.tok[s->x[r]][j] + s->w.pos[r % T][j];
}

/* The gradients of the embeddings, tok's beside what the output layer has given it. */
static void embed_weights(struct state *s, int me)
{
	struct range columns = team_range(C, 16, me);

	for (int t = 0; t < T; t++)
		memset(s->dw.pos[t] + columns.from, 0, (size_t)(columns.to - columns.from) * sizeof(float));
	for (int r = 0; r < ROWS; r++) {
		float *restrict tok = s->dw.tok[s->x[r]], *restrict pos = s->dw.pos[r % T];

		for (int j = columns.from; j < columns.to; j++) {
			tok[j] += s->din[r][j];
			pos[j] += s->din[r][j];
		}
	}
}

static float head(struct state *s, int at, int n, int me)
{
	float loss;

	norm(n, s->out[at], s->w.norm[2 * L], s->last[at], s->last_mean + at, s->last_root + at);
	product(false, true, n, V, C, s->last[at], C, s->w.tok[0], C, false, s->scores[at], V);
	loss = softmax_loss(n, V, s->scores[at], V, s->t + at, ROWS, s->scores[at]);
	product(false, false, n, C, V, s->scores[at], V, s->w.tok[0], C, false, s->dsmall[at], C);
	memset(s->dmiddle[at], 0, (size_t)(n * C) * sizeof(float));
	norm_back(n, s->out[at], s->w.norm[2 * L], s->dsmall[at], s->last_mean + at, s->last_root + at, s->dmiddle[at],
	          s->dout[at], s->dnorm[me][2 * L]);
	return loss;
}

static void update(struct state *s, int me)
{
	struct range all = team_range(PARAMS, 16, me);
	const float *g = s->dw.tok[0];
	float square = 0, length;

#pragma omp simd reduction(+ : square)
	for (int k = all.from; k < all.to; k++)
		square += g[k] * g[k];
	s->square[me] = square;
	team_barrier();
	length = sqrtf(s->square[0] + s->square[1]);
	for (int k = all.from; k < all.to;) {
		int end = k < DECAYING && DECAYING < all.to ? DECAYING : all.to;

		update_adam((size_t)(end - k), s->w.tok[0] + k, g + k, s->m.tok[0] + k, s->v.tok[0] + k, s->step,
		            W4_LR, W4_BETA1, W4_BETA2, k < DECAYING ? W4_DECAY : 0,
		            length > W4_CLIP ? W4_CLIP / (length + 1e-6f) : 1);
		k = end;
	}
}

static void part(void *context, int me)
{
	struct state *s = context;
	struct range sequences = team_range(B, CHUNK, me);
	int from = sequences.from * T, to = sequences.to * T, n = CHUNK * T;

	memset(s->dnorm[me], 0, sizeof s->dnorm[me]);
	s->loss[me] = 0;
	for (int at = from; at < to; at += n) {
		embed(s, at, n);
		for (int l = 0; l < L; l++)
			block(s, l, at, n);
		s->loss[me] += head(s, at, n, me);
	}
	team_barrier();
	gradient(V, C, s->scores[0], s->last[0], s->dw.tok[0], me);
	for (int l = L - 1; l >= 0; l--) {
		for (int at = from; at < to; at += n)
			block_back(s, l, at, n, me);
		team_barrier();
		block_weights(s, l, me);
		team_barrier();
		if (l > 0)
			memcpy(s->dout[from], s->din[from], (size_t)((to - from) * C) * sizeof(float));
	}
	embed_weights(s, me);
	if (me == 0)
		for (int k = 0; k < 2 * L + 1; k++)
			for (int j = 0; j < C; j++)
				s->dw.norm[k][j] = s->dnorm[0][k][j] + s->dnorm[1][k][j];
	team_barrier();
	update(s, me);
}

static double step(void *context, int i)
{
	struct state *s = context;

	s->step = i + 1;
	s->x = s->data->x[i % W4_BATCHES];
	s->t = s->data->t[i % W4_BATCHES];
	team_run(part, s);
	return s->loss[0] + s->loss[1];
}

const struct system w4_floor = { open, step, NULL };
