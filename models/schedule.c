/*
 * schedule: the learning rate of a step. lr is the optimizer's, t the step from 0, T all steps.
 *
 *	steps          lr factor^k, k: how many of `at` are at or before t (in steps or epochs)
 *	exponential    lr factor^t (in steps, or epochs begun)
 *	warmup         lr (t + 1) / warmup until t = warmup, then lr
 *	cosine         floor + (lr - floor) (1 + cos(pi t / T)) / 2
 *	warmup_cosine  warmup, then cosine over the steps that are left
 *
 * I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017; P. Goyal et
 * al., "Accurate, large minibatch SGD: training ImageNet in 1 hour", 2017.
 */
#include "file.h"
#include "model.h"
#include "op.h"

#include <math.h>
#include <string.h>

struct steps {
	ad_reals at;
	double factor;
	const char *unit;
};

struct exponential {
	double factor;
	const char *unit;
};

struct curve {
	int64_t warmup;
	double floor;
};

static const ad_attr steps_attrs[] = {
	AD_ATTR(struct steps, at, AD_NUMLIST, NULL, "where the rate falls", NULL),
	AD_ATTR(struct steps, factor, AD_NUM, "0.1", "what it falls to, as a part of it", NULL),
	AD_ATTR(struct steps, unit, AD_WORD, "step", "in what `at` counts", "step epoch"),
	{ 0 }
};

static const ad_attr exponential_attrs[] = {
	AD_ATTR(struct exponential, factor, AD_NUM, NULL, "of each step or epoch", NULL),
	AD_ATTR(struct exponential, unit, AD_WORD, "step", "what it is a factor of", "step epoch"),
	{ 0 }
};

static const ad_attr warmup_attrs[] = {
	AD_ATTR(struct curve, warmup, AD_INT, NULL, "steps in which the rate grows in proportion", NULL),
	{ 0 }
};

static const ad_attr cosine_attrs[] = {
	AD_ATTR(struct curve, floor, AD_NUM, "0", "the rate at the end", NULL),
	{ 0 }
};

static const ad_attr warmup_cosine_attrs[] = {
	AD_ATTR(struct curve, warmup, AD_INT, NULL, "steps in which the rate grows in proportion", NULL),
	AD_ATTR(struct curve, floor, AD_NUM, "0", "the rate at the end", NULL),
	{ 0 }
};

static bool check_steps(const void *attrs, double lr, char *error, size_t n)
{
	const struct steps *a = attrs;

	(void)lr;
	for (int k = 0; k < a->at.n; k++)
		if (!(a->at.v[k] > (k ? a->at.v[k - 1] : 0)))
			return failure(error, n, "steps: 'at' is a list of numbers above 0 that grow, not %g "
			               "after %g", a->at.v[k], k ? a->at.v[k - 1] : 0);
	return true;
}

static bool check_exponential(const void *attrs, double lr, char *error, size_t n)
{
	const struct exponential *a = attrs;

	(void)lr;
	return (isfinite(a->factor) && a->factor > 0) ||
	       failure(error, n, "exponential: 'factor' is above 0, not %g", a->factor);
}

static bool check_curve(const void *attrs, double lr, char *error, size_t n)
{
	const struct curve *a = attrs;

	return a->floor <= lr || failure(error, n, "'floor' is %g, above the optimizer's lr, %g", a->floor, lr);
}

/* Where warmup is left out it is 0, as the struct is zeroed. */
static double curve(const struct curve *a, double lr, int64_t step, int64_t total, bool falls)
{
	double part;

	if (step < a->warmup)
		return lr * (double)(step + 1) / (double)a->warmup;
	if (!falls || total <= a->warmup)
		return lr;
	if (step >= total)
		return a->floor;
	part = (double)(step - a->warmup) / (double)(total - a->warmup);
	return a->floor + (lr - a->floor) * (1 + cos(3.14159265358979323846 * part)) / 2;
}

static double rate_steps(const void *attrs, double lr, int64_t step, int64_t total, int64_t per_epoch)
{
	const struct steps *a = attrs;
	double now = (double)(*a->unit == 'e' ? step / per_epoch : step);

	(void)total;
	for (int k = 0; k < a->at.n && a->at.v[k] <= now; k++)
		lr *= a->factor;
	return lr;
}

static double rate_exponential(const void *attrs, double lr, int64_t step, int64_t total,
                               int64_t per_epoch)
{
	const struct exponential *a = attrs;

	(void)total;
	return lr * pow(a->factor, (double)(*a->unit == 'e' ? step / per_epoch : step));
}

static double rate_warmup(const void *attrs, double lr, int64_t step, int64_t total, int64_t per_epoch)
{
	(void)per_epoch;
	return curve(attrs, lr, step, total, false);
}

static double rate_cosine(const void *attrs, double lr, int64_t step, int64_t total, int64_t per_epoch)
{
	(void)per_epoch;
	return curve(attrs, lr, step, total, true);
}

const struct schedule schedules[] = {
	{ "steps", "falls at given steps or epochs", steps_attrs, sizeof(struct steps), check_steps,
	  rate_steps },
	{ "exponential", "falls by a factor each step or epoch", exponential_attrs,
	  sizeof(struct exponential), check_exponential, rate_exponential },
	{ "warmup", "grows from 0 in the first steps", warmup_attrs, sizeof(struct curve), check_curve,
	  rate_warmup },
	{ "cosine", "falls along half a wave", cosine_attrs, sizeof(struct curve), check_curve,
	  rate_cosine },
	{ "warmup_cosine", "grows in the first steps, then falls along half a wave", warmup_cosine_attrs,
	  sizeof(struct curve), check_curve, rate_cosine },
	{ 0 },
};
