/*
 * sines: stretches of sine waves of random amplitude, frequency and phase, and how each goes on.
 *
 * Element t of a series is A sin(w t + p) and normal noise, with A uniform in [0.5, 1], the period
 * 2 pi / w in `shortest`..`longest` steps, p anywhere. Inputs take the first `length` elements, the
 * target the `ahead` that follow.
 */
#include "made.h"

struct attrs {
	int64_t n, length, ahead;
	double shortest, longest, noise;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, n, AD_INT, "1000", "number of series", NULL),
	AD_ATTR(struct attrs, length, AD_INT, "32", "elements that the inputs take", NULL),
	AD_ATTR(struct attrs, ahead, AD_INT, "1", "elements after these, for the target", NULL),
	AD_ATTR(struct attrs, shortest, AD_NUM, "8", "the shortest period, in elements", NULL),
	AD_ATTR(struct attrs, longest, AD_NUM, "32", "the longest period", NULL),
	AD_ATTR(struct attrs, noise, AD_NUM, "0.02", "standard deviation of the noise", NULL),
	{ 0 },
};

static bool read(const struct source *s, struct dataset *to, char *error, size_t n)
{
	const struct attrs *a = s->attrs;

	if (a->length < 1 || a->ahead < 1 || a->length > 1000000 || a->ahead > 1000000)
		return source_refuse(
		    s, s->at, error, n,
		    "sines: 'length' and 'ahead' are %lld and %lld; they go from 1 to 1000000",
		    (long long)a->length, (long long)a->ahead);
	if (!(a->shortest > 0 && a->longest >= a->shortest))
		return source_refuse(
		    s, s->at, error, n,
		    "sines: periods from %g to %g: the shortest is above 0, the longest no "
		    "shorter",
		    a->shortest, a->longest);
	if (!made_reserve(s, to, a->n, (size_t)a->length, (size_t)a->ahead, error, n))
		return false;
	for (size_t k = 0; k < to->n; k++) {
		double size = made_uniform(s, 0, k, 0.5, 1);
		double w = 6.283185307179586 / made_uniform(s, 1, k, a->shortest, a->longest);
		double phase = made_uniform(s, 2, k, 0, 6.283185307179586);

		for (int i = 0; i < to->n_columns; i++) {
			struct column *c = &to->columns[i];
			size_t first = c->target ? (size_t)a->length : 0;

			for (size_t t = 0; t < c->per; t++) {
				uint64_t element = k * (uint64_t)(a->length + a->ahead) + first + t;
				double y = size * sin(w * (double)(first + t) + phase) +
				           a->noise * made_normal(s, 3, element);

				if (!made_put(s, c, k * c->per + t, y, error, n))
					return false;
			}
		}
	}
	return true;
}

const struct format format_sines = {
	.name = "sines",
	.doc = "made up: stretches of sine waves, and how each goes on",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.read = read,
};
