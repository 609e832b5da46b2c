/*
 * adagrad: w -= lr / (1 + (t - 1) lr_decay) * g / (sqrt(s) + eps) with the sum s of all g^2 so far.
 *
 * As torch.optim.Adagrad. J. Duchi, E. Hazan, Y. Singer, "Adaptive subgradient methods for online
 * learning and stochastic optimization", 2011.
 */
#include "optimizer.h"

struct attrs {
	double lr, lr_decay, eps, weight_decay;
};

static const ad_attr attrs[] = { AD_ATTR(struct attrs, lr, AD_NUM, "1e-2", "learning rate", NULL),
	                         AD_ATTR(struct attrs, lr_decay, AD_NUM, "0",
	                                 "how fast the rate falls with the steps", NULL),
	                         AD_ATTR(struct attrs, eps, AD_NUM, "1e-10",
	                                 "added to the root, against division by zero", NULL),
	                         AD_ATTR(struct attrs, weight_decay, AD_NUM, "0",
	                                 "L2: adds this times the weight to its gradient", NULL),
	                         { 0 } };

static bool check(const void *attributes, char *error, size_t n)
{
	const struct attrs *a = attributes;

	if (!(isfinite(a->lr) && a->lr >= 0))
		return failure(error, n, "adagrad: lr is %g; it is a number from 0", a->lr);
	if (!(isfinite(a->lr_decay) && a->lr_decay >= 0))
		return failure(error, n, "adagrad: lr_decay is %g; it is a number from 0",
		               a->lr_decay);
	if (!(isfinite(a->eps) && a->eps >= 0))
		return failure(error, n, "adagrad: eps is %g; it is a number from 0", a->eps);
	if (!(isfinite(a->weight_decay) && a->weight_decay >= 0))
		return failure(error, n, "adagrad: weight_decay is %g; it is a number from 0",
		               a->weight_decay);
	return true;
}

static unsigned states(const void *attributes)
{
	(void)attributes;
	return 1;
}

enum { RATE, DECAY, EPS };

static void prepare(const void *attributes, double lr, int64_t t, double rates[])
{
	const struct attrs *a = attributes;

	rates[RATE] = lr / (1 + (double)(t - 1) * a->lr_decay);
	rates[DECAY] = a->weight_decay;
	rates[EPS] = a->eps;
}

static void step(const double rates[], size_t n, void *weights, const void *gradients, void *const state[])
{
	const ad_real rate = (ad_real)rates[RATE], decay = (ad_real)rates[DECAY], eps = (ad_real)rates[EPS];
	ad_real *restrict w = weights, *restrict sum = state[0];
	const ad_real *restrict g = gradients;

#pragma omp simd
	for (size_t k = 0; k < n; k++) {
		const ad_real d = g[k] + decay * w[k];

		sum[k] += d * d;
		w[k] -= rate * d / (real_sqrt(sum[k]) + eps);
	}
}

AD_OPTIMIZER(adagrad, .doc = "steps divided by the root of the sum of all squares so far");
