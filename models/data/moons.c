/*
 * moons: points on two half circles that reach into each other, one a class.
 *
 * With t uniform in [0, pi] the even points are (cos t, sin t), of class 0, and the odd ones (1 -
 * cos t, 0.5 - sin t), of class 1, moved by normal noise. The target takes the class, every other
 * input the point, two values.
 */
#include "made.h"

struct attrs {
	int64_t n;
	double noise;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, n, AD_INT, "200", "number of points", NULL),
	AD_ATTR(struct attrs, noise, AD_NUM, "0.1", "standard deviation of the noise", NULL),
	{ 0 },
};

static int point(const struct source *s, size_t k, double x[2])
{
	const struct attrs *a = s->attrs;
	double t = made_uniform(s, 0, k, 0, 3.141592653589793);
	int label = (int)(k % 2);

	x[0] = (label ? 1 - cos(t) : cos(t)) + a->noise * made_normal(s, 1, k);
	x[1] = (label ? 0.5 - sin(t) : sin(t)) + a->noise * made_normal(s, 2, k);
	return label;
}

static bool read(const struct source *s, struct dataset *to, char *error, size_t n)
{
	return made_points(s, to, ((const struct attrs *)s->attrs)->n, point, error, n);
}

const struct format format_moons = {
	.name = "moons",
	.doc = "made up: points on two half circles, one a class",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.read = read,
};
