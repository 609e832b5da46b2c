/*
 * adamw: Adam with weight decay beside the gradient: w -= lr weight_decay w, then a step of Adam.
 *
 * As torch.optim.AdamW; see adam for m, v and amsgrad. I. Loshchilov, F. Hutter, "Decoupled weight
 * decay regularization", ICLR 2019.
 */
#include "optimizer.h"

struct attrs {
	double lr;
	ad_reals betas;
	double eps, weight_decay;
	bool amsgrad;
};

static const ad_attr attrs[] = { AD_ATTR(struct attrs, lr, AD_NUM, "1e-3", "learning rate", NULL),
	                         AD_ATTR(struct attrs, betas, AD_NUMLIST, "[0.9, 0.999]",
	                                 "shares of the running means that stay", NULL),
	                         AD_ATTR(struct attrs, eps, AD_NUM, "1e-8",
	                                 "added to the root, against division by zero", NULL),
	                         AD_ATTR(struct attrs, weight_decay, AD_NUM, "1e-2",
	                                 "takes lr times this of the weight away", NULL),
	                         AD_ATTR(struct attrs, amsgrad, AD_FLAG, "false",
	                                 "divides by the largest mean square so far", NULL),
	                         { 0 } };

static bool check(const void *attributes, char *error, size_t n)
{
	const struct attrs *a = attributes;

	if (!(isfinite(a->lr) && a->lr >= 0))
		return failure(error, n, "adamw: lr is %g; it is a number from 0", a->lr);
	if (a->betas.n != 2)
		return failure(error, n, "adamw: betas is a list of two numbers, not of %lld",
		               (long long)a->betas.n);
	for (int k = 0; k < 2; k++)
		if (!(a->betas.v[k] >= 0 && a->betas.v[k] < 1))
			return failure(error, n, "adamw: a beta is %g; it goes from 0 to below 1",
			               a->betas.v[k]);
	if (!(isfinite(a->eps) && a->eps >= 0))
		return failure(error, n, "adamw: eps is %g; it is a number from 0", a->eps);
	if (!(isfinite(a->weight_decay) && a->weight_decay >= 0))
		return failure(error, n, "adamw: weight_decay is %g; it is a number from 0",
		               a->weight_decay);
	return true;
}

static unsigned states(const void *attributes)
{
	return ((const struct attrs *)attributes)->amsgrad ? 7 : 3;
}

enum { RATE, TAKE1, TAKE2, ROOT, EPS, STAY };

static void prepare(const void *attributes, double lr, int64_t t, double rates[])
{
	const struct attrs *a = attributes;

	rates[RATE] = lr / (1 - pow(a->betas.v[0], (double)t));
	rates[TAKE1] = 1 - a->betas.v[0];
	rates[TAKE2] = 1 - a->betas.v[1];
	rates[ROOT] = 1 / sqrt(1 - pow(a->betas.v[1], (double)t));
	rates[EPS] = a->eps;
	rates[STAY] = 1 - lr * a->weight_decay;
}

/* The means move by a share of the difference: a beta near 1 would lose digits as a factor of its own. */
static inline void move(const double rates[], size_t n, ad_real *restrict w, const ad_real *restrict g,
                        ad_real *restrict m, ad_real *restrict v, ad_real *restrict most)
{
	const ad_real rate = (ad_real)rates[RATE], take1 = (ad_real)rates[TAKE1],
	              take2 = (ad_real)rates[TAKE2], root = (ad_real)rates[ROOT],
	              eps = (ad_real)rates[EPS], stay = (ad_real)rates[STAY];

#pragma omp simd
	for (size_t k = 0; k < n; k++) {
		const ad_real d = g[k];
		ad_real square;

		m[k] += take1 * (d - m[k]);
		square = v[k] += take2 * (d * d - v[k]);
		if (most)
			square = most[k] = square > most[k] ? square : most[k];
		w[k] = stay * w[k] - rate * m[k] / (real_sqrt(square) * root + eps);
	}
}

static void step(const double rates[], size_t n, void *w, const void *g, void *const state[])
{
	if (state[2])
		move(rates, n, w, g, state[0], state[1], state[2]);
	else
		move(rates, n, w, g, state[0], state[1], NULL);
}

AD_OPTIMIZER(adamw, .doc = "adam, with weight decay apart from the gradient");
