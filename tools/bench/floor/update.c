/*
 * update: optimizers, one pass over each array.
 */
#include "floor.h"

#include <math.h>

void update_sgd(size_t n, float *restrict w, const float *restrict dw, float lr)
{
#pragma omp simd
	for (size_t k = 0; k < n; k++)
		w[k] -= lr * dw[k];
}

void update_momentum(size_t n, float *restrict w, const float *restrict dw, float *restrict m, float lr,
                     float momentum)
{
#pragma omp simd
	for (size_t k = 0; k < n; k++) {
		m[k] = momentum * m[k] + dw[k];
		w[k] -= lr * m[k];
	}
}

void update_adam(size_t n, float *restrict w, const float *restrict dw, float *restrict m, float *restrict v,
                 long t, float lr, float beta1, float beta2, float decay, float scale)
{
	const float rate = lr / (float)(1 - pow((double)beta1, (double)t)), stay = 1 - lr * decay;
	const float root = 1 / (float)sqrt(1 - pow((double)beta2, (double)t));

#pragma omp simd
	for (size_t k = 0; k < n; k++) {
		const float d = scale * dw[k];

		m[k] = beta1 * m[k] + (1 - beta1) * d;
		v[k] = beta2 * v[k] + (1 - beta2) * d * d;
		w[k] = stay * w[k] - rate * m[k] / (sqrtf(v[k]) * root + 1e-8f);
	}
}
