/*
 * optimizer: one pass over each param. D. Kingma, J. Ba, "Adam", 2015; I. Loshchilov, F. Hutter,
 * "Decoupled weight decay regularization", 2019; the forms are those of torch.optim.
 */
#include "optimizer.h"
#include "data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void bench_require(ad_graph *g)
{
	if (ad_status_of(g) == AD_OK)
		return;
	fprintf(stderr, "bench: %s\n", ad_errmsg(g));
	exit(1);
}

ad_node *optimizer_param(struct optimizer *o, ad_graph *g, const char *name, ad_shape shape, const float *values,
                         float decay)
{
	ad_node *p = ad_param(g, name, shape);
	size_t n = ad_count(p);

	if (values)
		ad_set_f32(p, values, n);
	bench_require(g);
	o->of[o->n].param = p;
	o->of[o->n].decay = decay;
	if (o->momentum > 0 || o->beta2 > 0)
		o->of[o->n].m = bench_alloc(n, sizeof(float));
	if (o->beta2 > 0)
		o->of[o->n].v = bench_alloc(n, sizeof(float));
	o->n++;
	return p;
}

static float clipping(const struct optimizer *o)
{
	double square = 0;
	float norm;

	if (o->clip <= 0)
		return 1;
	for (int k = 0; k < o->n; k++) {
		const float *g = ad_data(ad_gradient(o->of[k].param));
		size_t n = ad_count(o->of[k].param);
		float part = 0;

#pragma omp simd reduction(+ : part)
		for (size_t i = 0; i < n; i++)
			part += g[i] * g[i];
		square += part;
	}
	norm = (float)sqrt(square);
	return norm > o->clip ? o->clip / (norm + 1e-6f) : 1;
}

void optimizer_step(struct optimizer *o)
{
	const float scale = clipping(o), lr = o->lr, momentum = o->momentum, beta1 = o->beta1, beta2 = o->beta2;
	float rate, root;

	o->t++;
	rate = lr / (float)(1 - pow(beta1, (double)o->t));
	root = 1 / (float)sqrt(1 - pow(beta2, (double)o->t));
	for (int k = 0; k < o->n; k++) {
		const float *g = ad_data(ad_gradient(o->of[k].param));
		float *restrict w = ad_write(o->of[k].param), *restrict m = o->of[k].m, *restrict v = o->of[k].v;
		const float stay = 1 - lr * o->of[k].decay;
		size_t n = ad_count(o->of[k].param);

		if (v) {
#pragma omp simd
			for (size_t i = 0; i < n; i++) {
				const float d = scale * g[i];

				m[i] = beta1 * m[i] + (1 - beta1) * d;
				v[i] = beta2 * v[i] + (1 - beta2) * d * d;
				w[i] = stay * w[i] - rate * m[i] / (sqrtf(v[i]) * root + 1e-8f);
			}
		} else if (m) {
#pragma omp simd
			for (size_t i = 0; i < n; i++) {
				m[i] = momentum * m[i] + scale * g[i];
				w[i] -= lr * m[i];
			}
		} else {
#pragma omp simd
			for (size_t i = 0; i < n; i++)
				w[i] -= lr * scale * g[i];
		}
	}
}
