/*
 * adagrad: w -= lr / (1 + (t - 1) lr_decay) * g / (sqrt(s) + eps) with the sum s of all g^2 so far.
 *
 * As torch.optim.Adagrad. J. Duchi, E. Hazan, Y. Singer, "Adaptive subgradient methods for online
 * learning and stochastic optimization", 2011. Computed in double and rounded once.
 */
#include "file.h"
#include "model.h"
#include "op.h"

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

static inline double move(const struct attrs *a, double rate, double w, double g, double *sum)
{
	g += a->weight_decay * w;
	*sum += g * g;
	return w - rate * g / (sqrt(*sum) + a->eps);
}

static void step_f32(const struct attrs *a, double rate, size_t n, float *w, const float *g,
                     float *sum)
{
	for (size_t k = 0; k < n; k++) {
		double s = sum[k];

		w[k] = (float)move(a, rate, w[k], g[k], &s);
		sum[k] = (float)s;
	}
}

static void step_f64(const struct attrs *a, double rate, size_t n, double *w, const double *g,
                     double *sum)
{
	for (size_t k = 0; k < n; k++)
		w[k] = move(a, rate, w[k], g[k], &sum[k]);
}

static void step(const void *attributes, double lr_scale, int64_t t, bool f64, size_t n, void *w,
                 const void *g, void *const state[])
{
	const struct attrs *a = attributes;
	double rate = a->lr * lr_scale / (1 + (double)(t - 1) * a->lr_decay);

	if (f64)
		step_f64(a, rate, n, w, g, state[0]);
	else
		step_f32(a, rate, n, w, g, state[0]);
}

const struct optimizer optimizer_adagrad = {
	.name = "adagrad",
	.doc = "steps divided by the root of the sum of all squares so far",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.states = 1,
	.check = check,
	.step = step,
};
