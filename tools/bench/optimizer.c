/*
 * optimizer: one pass over each param. I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", 2019, as
 * torch.optim.AdamW.
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

void bench_bf16(ad_graph *g)
{
	const char *missing = ad_bf16_missing(g);

	if (missing) {
		printf("absent: %s\n", missing);
		exit(0);
	}
	ad_set_precision(g, AD_BF16);
}

ad_node *bench_param(ad_graph *g, const char *name, ad_shape shape, const float *values)
{
	ad_node *p = ad_param(g, name, shape);

	if (values)
		ad_set_f32(p, values, ad_count(p));
	bench_require(g);
	return p;
}

ad_node *clipped_add(struct clipped *o, ad_node *param, float decay)
{
	size_t n = ad_count(param);

	o->of[o->n].param = param;
	o->of[o->n].decay = decay;
	o->of[o->n].m = bench_alloc(n, sizeof(float));
	o->of[o->n].v = bench_alloc(n, sizeof(float));
	o->n++;
	return param;
}

/* What the gradients are multiplied by. */
static float scale_of(const struct clipped *o)
{
	double square = 0;
	float norm;

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

void clipped_step(struct clipped *o)
{
	const float scale = scale_of(o), beta1 = o->beta1, beta2 = o->beta2;
	float rate, root;

	o->t++;
	rate = o->lr / (float)(1 - pow(beta1, (double)o->t));
	root = 1 / (float)sqrt(1 - pow(beta2, (double)o->t));
	for (int k = 0; k < o->n; k++) {
		const float *g = ad_data(ad_gradient(o->of[k].param));
		float *restrict w = ad_write(o->of[k].param), *restrict m = o->of[k].m, *restrict v = o->of[k].v;
		const float stay = 1 - o->lr * o->of[k].decay;
		size_t n = ad_count(o->of[k].param);

#pragma omp simd
		for (size_t i = 0; i < n; i++) {
			const float d = scale * g[i];

			m[i] = beta1 * m[i] + (1 - beta1) * d;
			v[i] = beta2 * v[i] + (1 - beta2) * d * d;
			w[i] = stay * w[i] - rate * m[i] / (sqrtf(v[i]) * root + 1e-8f);
		}
	}
}
