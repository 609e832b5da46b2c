/*
 * rmsprop: w -= lr g / (sqrt(v) + eps) with the running mean v of the gradient's square; centered:
 * less the square of its running mean; with momentum steps add up, b = momentum * b + step.
 *
 * As torch.optim.RMSprop. G. Hinton, "Neural networks for machine learning", lecture 6, 2012;
 * centered: A. Graves, "Generating sequences with recurrent neural networks", 2013. Computed in
 * double and rounded once.
 */
#include "file.h"
#include "model.h"
#include "op.h"

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

static inline double move(const struct attrs *a, double rate, double w, double g, double *square,
                          double *mean, double *last)
{
	double v;

	g += a->weight_decay * w;
	v = *square = a->alpha * *square + (1 - a->alpha) * g * g;
	if (a->centered) {
		*mean = a->alpha * *mean + (1 - a->alpha) * g;
		v -= *mean * *mean;
	}
	/* a variance, but for rounding */
	g /= sqrt(v > 0 ? v : 0) + a->eps;
	*last = a->momentum * *last + g;
	return w - rate * *last;
}

static void step_f32(const struct attrs *a, double rate, size_t n, float *w, const float *g,
                     float *square, float *mean, float *last)
{
	for (size_t k = 0; k < n; k++) {
		double s = square[k], m = mean[k], b = last[k];

		w[k] = (float)move(a, rate, w[k], g[k], &s, &m, &b);
		square[k] = (float)s;
		mean[k] = (float)m;
		last[k] = (float)b;
	}
}

static void step_f64(const struct attrs *a, double rate, size_t n, double *w, const double *g,
                     double *square, double *mean, double *last)
{
	for (size_t k = 0; k < n; k++)
		w[k] = move(a, rate, w[k], g[k], &square[k], &mean[k], &last[k]);
}

static void step(const void *attributes, double lr_scale, int64_t t, bool f64, size_t n, void *w,
                 const void *g, void *const state[])
{
	const struct attrs *a = attributes;

	if (f64)
		step_f64(a, a->lr * lr_scale, n, w, g, state[0], state[1], state[2]);
	else
		step_f32(a, a->lr * lr_scale, n, w, g, state[0], state[1], state[2]);
}

const struct optimizer optimizer_rmsprop = {
	.name = "rmsprop",
	.doc = "steps divided by the root of a running mean square",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.states = 3,
	.check = check,
	.step = step,
};
