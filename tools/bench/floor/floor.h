/*
 * floor: what the arithmetic of a workload costs in plain C: no graph, buffers made once, loops written for
 * this net alone, compiled for the machine at hand; products by the best library there is.
 *
 * A step is a function that each thread of a team of one or two runs on its own part of the data, with
 * barriers where it reads what the other has written.
 */
#ifndef FLOOR_H
#define FLOOR_H

#include "../bench.h"

#include <stdbool.h>
#include <string.h>

/* ---- team.c --------------------------------------------------------------------------------- */

/* Makes the team; flushes denormals to zero in its threads. Once in a process. */
void team_open(int threads);

/* Runs part(context, me) on every thread, me from 0, and returns when all have ended. */
void team_run(void (*part)(void *context, int me), void *context);

/* Where all threads of the team wait for each other. */
void team_barrier(void);

int team_threads(void);

struct range {
	int from, to;
};

/* The part of 0 .. n-1 that is thread me's, in whole multiples of grain but for the end. */
static inline struct range team_range(int n, int grain, int me)
{
	int T = team_threads(), grains = (n + grain - 1) / grain;
	int from = grains * me / T * grain, to = grains * (me + 1) / T * grain;

	return (struct range){ from < n ? from : n, to < n ? to : n };
}

/* ---- product.c ------------------------------------------------------------------------------ */

/* c (+)= op(a) op(b), row-major: op(a) is m x k, op(b) k x n; lda, ldb, ldc from row to row as stored. By one
 * thread. oneDNN, OpenBLAS or plain loops, whichever was fastest when this thread first had products
 * of about these sizes. Ends the program where neither library is found. */
void product(bool transpose_a, bool transpose_b, int m, int n, int k, const float *a, int lda, const float *b,
             int ldb, bool add, float *c, int ldc);

/* ---- update.c ------------------------------------------------------------------------------- */

void update_sgd(size_t n, float *w, const float *dw, float lr);
void update_momentum(size_t n, float *w, const float *dw, float *m, float lr, float momentum);

/* AdamW, step t from 1; the gradient is multiplied by scale first. */
void update_adam(size_t n, float *w, const float *dw, float *m, float *v, long t, float lr, float beta1,
                 float beta2, float decay, float scale);

/* ---- dense.c -------------------------------------------------------------------------------- */

/* A chain of fully connected layers with softmax cross-entropy at its end. y[0] is the input, y[l] what
 * layer l gives, dy alike; weights (out, in). */
struct dense {
	int layers, batch, width[4];
	bool relu; /* between layers; else sigmoid */
	float *w[3], *b[3], *dw[3], *db[3], *y[4], *dy[4];
	float *m[3], *v[3], *mb[3], *vb[3]; /* the optimizer's */
	const int32_t *t;
	float loss[2]; /* a part of each thread */
};

/* Makes all that is still NULL, but for y[0] and dy[0]. */
void dense_open(struct dense *d);

/* The layers, the loss and the gradients of all y but, unless dy[0] is set, of the input, for some rows of the
 * batch. */
void dense_rows(struct dense *d, struct range rows, int me);

/* dw and db of layer l for some of its outputs, over the whole batch. */
void dense_weights(struct dense *d, int l, struct range outputs);

/* Softmax cross-entropy of n rows of scores z, the first `classes` of each: dz becomes the gradient of the
 * mean over `batch` rows; returns these rows' part of the loss. In place is allowed. */
float softmax_loss(int n, int classes, const float *z, int ldz, const int32_t *t, int batch, float *dz);

#endif
