/*
 * spirals: points on spiral arms that wind round each other, one arm a class.
 *
 * Point k is on arm k % classes, at a radius t uniform in [0.05, 1] and the angle
 * 2 pi (turns t + arm / classes), moved by normal noise. The target takes the class, every other
 * input the point, two values. After the two spirals of Lang and Witbrock (1988).
 */
#include "made.h"

struct attrs {
	int64_t n, classes;
	double turns, noise;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, n, AD_INT, "400", "number of points", NULL),
	AD_ATTR(struct attrs, classes, AD_INT, "2", "number of arms", NULL),
	AD_ATTR(struct attrs, turns, AD_NUM, "1", "how often an arm winds round", NULL),
	AD_ATTR(struct attrs, noise, AD_NUM, "0.02", "standard deviation of the noise", NULL),
	{ 0 },
};

static int point(const struct source *s, size_t k, double x[2])
{
	const struct attrs *a = s->attrs;
	int arm = (int)(k % (size_t)a->classes);
	double t = made_uniform(s, 0, k, 0.05, 1);
	double angle = 6.283185307179586 * (a->turns * t + (double)arm / (double)a->classes);

	x[0] = t * cos(angle) + a->noise * made_normal(s, 1, k);
	x[1] = t * sin(angle) + a->noise * made_normal(s, 2, k);
	return arm;
}

static bool read(const struct source *s, struct dataset *to, char *error, size_t n)
{
	const struct attrs *a = s->attrs;

	if (a->classes < 1 || a->classes > 1000)
		return source_refuse(s, s->at, error, n,
		                     "spirals: 'classes' is %lld, not in 1..1000",
		                     (long long)a->classes);
	return made_points(s, to, a->n, point, error, n);
}

const struct format format_spirals = {
	.name = "spirals",
	.doc = "made up: points on spiral arms, one arm a class",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.read = read,
};
