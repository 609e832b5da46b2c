/*
 * adamw: Adam with weight decay beside the gradient: w -= lr weight_decay w, then a step of Adam.
 *
 * As torch.optim.AdamW; see adam for m, v and amsgrad. I. Loshchilov, F. Hutter, "Decoupled weight
 * decay regularization", ICLR 2019. Computed in double and rounded once.
 */
#include "file.h"
#include "model.h"
#include "op.h"

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
		return failure(error, n, "adamw: betas has %lld numbers; it takes two",
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

/* What does not change over the elements of a step. */
struct rates {
	double rate, beta1, beta2, root, eps,
	    stay; /* root: of 1 - beta2^t; stay: 1 - lr weight_decay */
	bool amsgrad;
};

static inline double move(const struct rates *r, double w, double g, double *m, double *v,
                          double *most)
{
	double mean_square;

	*m = r->beta1 * *m + (1 - r->beta1) * g;
	*v = r->beta2 * *v + (1 - r->beta2) * g * g;
	if (r->amsgrad && *v > *most)
		*most = *v;
	mean_square = r->amsgrad ? *most : *v;
	return w * r->stay - r->rate * *m / (sqrt(mean_square) / r->root + r->eps);
}

static void step_f32(const struct rates *r, size_t n, float *w, const float *g, float *m, float *v,
                     float *most)
{
	for (size_t k = 0; k < n; k++) {
		double mean = m[k], square = v[k], largest = most[k];

		w[k] = (float)move(r, w[k], g[k], &mean, &square, &largest);
		m[k] = (float)mean;
		v[k] = (float)square;
		most[k] = (float)largest;
	}
}

static void step_f64(const struct rates *r, size_t n, double *w, const double *g, double *m,
                     double *v, double *most)
{
	for (size_t k = 0; k < n; k++)
		w[k] = move(r, w[k], g[k], &m[k], &v[k], &most[k]);
}

static void step(const void *attributes, double lr_scale, int64_t t, bool f64, size_t n, void *w,
                 const void *g, void *const state[])
{
	const struct attrs *a = attributes;
	struct rates r = { .beta1 = a->betas.v[0],
		           .beta2 = a->betas.v[1],
		           .eps = a->eps,
		           .stay = 1 - a->lr * lr_scale * a->weight_decay,
		           .amsgrad = a->amsgrad };

	r.rate = a->lr * lr_scale / (1 - pow(r.beta1, (double)t));
	r.root = sqrt(1 - pow(r.beta2, (double)t));
	if (f64)
		step_f64(&r, n, w, g, state[0], state[1], state[2]);
	else
		step_f32(&r, n, w, g, state[0], state[1], state[2]);
}

const struct optimizer optimizer_adamw = {
	.name = "adamw",
	.doc = "adam, with weight decay apart from the gradient",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.states = 3,
	.check = check,
	.step = step,
};
