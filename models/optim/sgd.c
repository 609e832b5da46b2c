/*
 * sgd: w -= lr * d with d = g + weight_decay * w; with momentum d is replaced by a velocity,
 * v = momentum * v + (1 - dampening) * d, the first time v = d; nesterov: d + momentum * v.
 *
 * As torch.optim.SGD.
 */
#include "optimizer.h"

struct attrs {
	double lr, momentum, dampening, weight_decay;
	bool nesterov;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, lr, AD_NUM, NULL, "learning rate", NULL),
	AD_ATTR(struct attrs, momentum, AD_NUM, "0", "share of the velocity that stays", NULL),
	AD_ATTR(struct attrs, dampening, AD_NUM, "0", "share of the gradient that the velocity loses", NULL),
	AD_ATTR(struct attrs, weight_decay, AD_NUM, "0", "L2: adds this times the weight to its gradient",
	        NULL),
	AD_ATTR(struct attrs, nesterov, AD_FLAG, "false", "looks ahead along the velocity", NULL),
	{ 0 }
};

static bool check(const void *attributes, char *error, size_t n)
{
	const struct attrs *a = attributes;

	if (!(isfinite(a->lr) && a->lr >= 0))
		return failure(error, n, "sgd: lr is %g; it is a number from 0", a->lr);
	if (!(isfinite(a->momentum) && a->momentum >= 0))
		return failure(error, n, "sgd: momentum is %g; it is a number from 0", a->momentum);
	if (!(isfinite(a->weight_decay) && a->weight_decay >= 0))
		return failure(error, n, "sgd: weight_decay is %g; it is a number from 0", a->weight_decay);
	if (!isfinite(a->dampening))
		return failure(error, n, "sgd: dampening is %g; it is a number", a->dampening);
	if (a->nesterov && (a->momentum == 0 || a->dampening != 0))
		return failure(error, n, "sgd: nesterov needs a momentum above 0 and a dampening of 0");
	return true;
}

static unsigned states(const void *attributes)
{
	return ((const struct attrs *)attributes)->momentum != 0;
}

enum { RATE, DECAY, STAY, TAKE, DIRECT, ALONG };

static void prepare(const void *attributes, double lr, int64_t t, double rates[])
{
	const struct attrs *a = attributes;

	rates[RATE] = lr;
	rates[DECAY] = a->weight_decay;
	rates[STAY] = t == 1 ? 0 : a->momentum;
	rates[TAKE] = t == 1 ? 1 : 1 - a->dampening;
	rates[DIRECT] = a->nesterov ? 1 : 0;
	rates[ALONG] = a->nesterov ? a->momentum : 1;
}

static void step(const double rates[], size_t n, void *weights, const void *gradients, void *const state[])
{
	const ad_real rate = (ad_real)rates[RATE], decay = (ad_real)rates[DECAY],
	              stay = (ad_real)rates[STAY], take = (ad_real)rates[TAKE],
	              direct = (ad_real)rates[DIRECT], along = (ad_real)rates[ALONG];
	ad_real *restrict w = weights, *restrict v = state[0];
	const ad_real *restrict g = gradients;

	if (!v) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			w[k] -= rate * (g[k] + decay * w[k]);
		return;
	}
#pragma omp simd
	for (size_t k = 0; k < n; k++) {
		const ad_real d = g[k] + decay * w[k];

		v[k] = stay * v[k] + take * d;
		w[k] -= rate * (direct * d + along * v[k]);
	}
}

AD_OPTIMIZER(sgd, .doc = "stochastic gradient descent, with momentum and L2");
