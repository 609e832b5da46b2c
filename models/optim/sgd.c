/*
 * sgd: w -= lr * d with d = g + weight_decay * w; with momentum d is replaced by a velocity,
 * v = momentum * v + (1 - dampening) * d, the first time v = d; nesterov: d + momentum * v.
 *
 * As torch.optim.SGD. Computed in double and rounded once.
 */
#include "file.h"
#include "model.h"
#include "op.h"

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

/* The new weight; v is NULL without momentum. */
static inline double move(const struct attrs *a, double rate, bool first, double w, double g, double *v)
{
	double d = g + a->weight_decay * w;

	if (v) {
		*v = first ? d : a->momentum * *v + (1 - a->dampening) * d;
		d = a->nesterov ? d + a->momentum * *v : *v;
	}
	return w - rate * d;
}

static void step_f32(const struct attrs *a, double rate, bool first, size_t n, float *w, const float *g,
                     float *velocity)
{
	if (a->momentum == 0) {
		for (size_t k = 0; k < n; k++)
			w[k] = (float)move(a, rate, first, w[k], g[k], NULL);
		return;
	}
	for (size_t k = 0; k < n; k++) {
		double v = velocity[k];

		w[k] = (float)move(a, rate, first, w[k], g[k], &v);
		velocity[k] = (float)v;
	}
}

static void step_f64(const struct attrs *a, double rate, bool first, size_t n, double *w,
                     const double *g, double *velocity)
{
	for (size_t k = 0; k < n; k++)
		w[k] = move(a, rate, first, w[k], g[k], a->momentum == 0 ? NULL : &velocity[k]);
}

static void step(const void *attributes, double lr_scale, int64_t t, bool f64, size_t n, void *w,
                 const void *g, void *const state[])
{
	const struct attrs *a = attributes;
	double rate = a->lr * lr_scale;

	if (f64)
		step_f64(a, rate, t == 1, n, w, g, state[0]);
	else
		step_f32(a, rate, t == 1, n, w, g, state[0]);
}

const struct optimizer optimizer_sgd = {
	.name = "sgd",
	.doc = "stochastic gradient descent, with momentum and L2",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.states = 1,
	.check = check,
	.step = step,
};
