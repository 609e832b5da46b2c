/*
 * dense: fully connected layers, for W1, W2 and the end of W3.
 */
#include "floor.h"
#include "maths.h"

#include <math.h>

static float *numbers(int n)
{
	return bench_alloc((size_t)n, sizeof(float));
}

void dense_open(struct dense *d)
{
	for (int l = 0; l < d->layers; l++) {
		int in = d->width[l], out = d->width[l + 1];

		d->w[l] = d->w[l] ? d->w[l] : numbers(out * in);
		d->b[l] = d->b[l] ? d->b[l] : numbers(out);
		d->dw[l] = numbers(out * in);
		d->db[l] = numbers(out);
		d->m[l] = numbers(out * in);
		d->v[l] = numbers(out * in);
		d->mb[l] = numbers(out);
		d->vb[l] = numbers(out);
		d->y[l + 1] = numbers(d->batch * out);
		d->dy[l + 1] = numbers(d->batch * out);
	}
}

/* y = activation(y + b), row by row. */
static void activate(int rows, int n, float *restrict y, const float *restrict b, bool last, bool relu)
{
	for (int r = 0; r < rows; r++, y += n) {
		if (last) {
			for (int j = 0; j < n; j++)
				y[j] += b[j];
		} else if (relu) {
#pragma omp simd
			for (int j = 0; j < n; j++) {
				const float z = y[j] + b[j];

				y[j] = z > 0 ? z : 0;
			}
		} else {
#pragma omp simd
			for (int j = 0; j < n; j++)
				y[j] = sigmoid_f32(y[j] + b[j]);
		}
	}
}

/* dy = gradient before the activation, from the output y. */
static void deactivate(int n, float *restrict dy, const float *restrict y, bool relu)
{
	if (relu) {
#pragma omp simd
		for (int k = 0; k < n; k++)
			dy[k] = y[k] > 0 ? dy[k] : 0;
	} else {
#pragma omp simd
		for (int k = 0; k < n; k++)
			dy[k] *= y[k] * (1 - y[k]);
	}
}

float softmax_loss(int n, int classes, const float *z, int ldz, const int32_t *t, int batch, float *dz)
{
	float loss = 0;

	for (int r = 0; r < n; r++, z += ldz, dz += ldz) {
		float most = z[0], sum = 0, score = z[t[r]], scale;

		for (int j = 1; j < classes; j++)
			most = z[j] > most ? z[j] : most;
#pragma omp simd reduction(+ : sum)
		for (int j = 0; j < classes; j++) {
			dz[j] = exp_f32(z[j] - most);
			sum += dz[j];
		}
		loss += logf(sum) + most - score;
		scale = 1 / (sum * (float)batch);
		for (int j = 0; j < classes; j++)
			dz[j] *= scale;
		dz[t[r]] -= 1 / (float)batch;
	}
	return loss / (float)batch;
}

void dense_rows(struct dense *d, struct range rows, int me)
{
	const int n = rows.to - rows.from, L = d->layers, classes = d->width[L];

	for (int l = 0; l < L; l++) {
		int in = d->width[l], out = d->width[l + 1];
		float *y = d->y[l + 1] + rows.from * out;

		product(false, true, n, out, in, d->y[l] + rows.from * in, in, d->w[l], in, false, y, out);
		activate(n, out, y, d->b[l], l == L - 1, d->relu);
	}
	d->loss[me] = softmax_loss(n, classes, d->y[L] + rows.from * classes, classes, d->t + rows.from, d->batch,
	                           d->dy[L] + rows.from * classes);
	for (int l = L - 1; l >= 0 && d->dy[l]; l--) {
		int in = d->width[l], out = d->width[l + 1];
		float *dx = d->dy[l] + rows.from * in;

		product(false, false, n, in, out, d->dy[l + 1] + rows.from * out, out, d->w[l], in, false, dx, in);
		if (l > 0)
			deactivate(n * in, dx, d->y[l] + rows.from * in, d->relu);
	}
}

void dense_weights(struct dense *d, int l, struct range outputs)
{
	int in = d->width[l], out = d->width[l + 1], n = outputs.to - outputs.from;
	const float *dy = d->dy[l + 1] + outputs.from;
	float *restrict db = d->db[l] + outputs.from;

	if (n == 0)
		return;
	product(true, false, n, in, d->batch, dy, out, d->y[l], in, false, d->dw[l] + outputs.from * in, in);
	memset(db, 0, (size_t)n * sizeof *db);
	for (int r = 0; r < d->batch; r++)
		for (int j = 0; j < n; j++)
			db[j] += dy[r * out + j];
}
