/*
 * rmsprop: w -= lr g / (sqrt(v) + eps) with the running mean v of the gradient's square; centered:
 * less the square of its running mean; with momentum steps add up, b = momentum * b + step.
 *
 * As torch.optim.RMSprop. G. Hinton, "Neural networks for machine learning", lecture 6, 2012;
 * centered: A. Graves, "Generating sequences with recurrent neural networks", 2013.
 */
#include "optimizer.h"

struct attrs {
	double lr, alpha, eps, weight_decay, momentum;
	bool centered;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, lr, AD_NUM, "1e-2", "learning rate", NULL),
	AD_ATTR(struct attrs, alpha, AD_NUM, "0.99", "share of the running means that stays", NULL),
	AD_ATTR(struct attrs, eps, AD_NUM, "1e-8", "added to the root, against division by zero",
	        NULL),
	AD_ATTR(struct attrs, weight_decay, AD_NUM, "0",
	        "L2: adds this times the weight to its gradient", NULL),
	AD_ATTR(struct attrs, momentum, AD_NUM, "0", "share of the last step that stays", NULL),
	AD_ATTR(struct attrs, centered, AD_FLAG, "false", "divides by the variance of the gradient",
	        NULL),
	{ 0 }
};

static bool check(const void *attributes, char *error, size_t n)
{
	const struct attrs *a = attributes;

	if (!(isfinite(a->lr) && a->lr >= 0))
		return failure(error, n, "rmsprop: lr is %g; it is a number from 0", a->lr);
	if (!(a->alpha >= 0 && a->alpha < 1))
		return failure(error, n, "rmsprop: alpha is %g; it goes from 0 to below 1",
		               a->alpha);
	if (!(isfinite(a->eps) && a->eps >= 0))
		return failure(error, n, "rmsprop: eps is %g; it is a number from 0", a->eps);
	if (!(isfinite(a->weight_decay) && a->weight_decay >= 0))
		return failure(error, n, "rmsprop: weight_decay is %g; it is a number from 0",
		               a->weight_decay);
	if (!(isfinite(a->momentum) && a->momentum >= 0))
		return failure(error, n, "rmsprop: momentum is %g; it is a number from 0",
		               a->momentum);
	return true;
}

static unsigned states(const void *attributes)
{
	const struct attrs *a = attributes;

	return 1u | (a->centered ? 2u : 0) | (a->momentum != 0 ? 4u : 0);
}

enum { RATE, DECAY, TAKE, EPS, STAY };

static void prepare(const void *attributes, double lr, int64_t t, double rates[])
{
	const struct attrs *a = attributes;

	(void)t;
	rates[RATE] = lr;
	rates[DECAY] = a->weight_decay;
	rates[TAKE] = 1 - a->alpha;
	rates[EPS] = a->eps;
	rates[STAY] = a->momentum;
}

static inline void move(const double rates[], size_t n, ad_real *restrict w, const ad_real *restrict g,
                        ad_real *restrict square, ad_real *restrict mean, ad_real *restrict last)
{
	const ad_real rate = (ad_real)rates[RATE], decay = (ad_real)rates[DECAY],
	              take = (ad_real)rates[TAKE], eps = (ad_real)rates[EPS],
	              stay = (ad_real)rates[STAY];

#pragma omp simd
	for (size_t k = 0; k < n; k++) {
		const ad_real d = g[k] + decay * w[k];
		ad_real v, b;

		v = square[k] += take * (d * d - square[k]);
		if (mean) {
			mean[k] += take * (d - mean[k]);
			v -= mean[k] * mean[k];
			/* a variance, but for rounding */
			v = v > 0 ? v : 0;
		}
		b = d / (real_sqrt(v) + eps);
		if (last)
			b = last[k] = stay * last[k] + b;
		w[k] -= rate * b;
	}
}

static void step(const double rates[], size_t n, void *w, const void *g, void *const state[])
{
	if (state[1] && state[2])
		move(rates, n, w, g, state[0], state[1], state[2]);
	else if (state[1])
		move(rates, n, w, g, state[0], state[1], NULL);
	else if (state[2])
		move(rates, n, w, g, state[0], NULL, state[2]);
	else
		move(rates, n, w, g, state[0], NULL, NULL);
}

AD_OPTIMIZER(rmsprop, .doc = "steps divided by the root of a running mean square");
