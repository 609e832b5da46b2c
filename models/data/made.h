/*
 * made: what the generated sets share. Everything is a function of the source's seed.
 */
#ifndef MODELS_DATA_MADE_H
#define MODELS_DATA_MADE_H

#include "data.h"
#include "op.h"

#define MOST_MADE 10000000 /* samples */

/* Number k of stream `step`, uniform in [lo, hi), and from the standard normal (Box and Muller,
 * 1958). */
static inline double made_uniform(const struct source *s, uint64_t step, uint64_t k, double lo,
                                  double hi)
{
	return lo + (hi - lo) * data_uniform(s->seed, STREAM_MADE, step, k);
}

static inline double made_normal(const struct source *s, uint64_t step, uint64_t k)
{
	double a = 1 - data_uniform(s->seed, STREAM_MADE, step, 2 * k),
	       b = data_uniform(s->seed, STREAM_MADE, step, 2 * k + 1);

	return sqrt(-2 * log(a)) * cos(6.283185307179586 * b);
}

/* n samples, each of so many values for the target and for the other inputs, in columns made ready.
 */
static inline bool made_reserve(const struct source *s, struct dataset *to, int64_t count,
                                size_t per_input, size_t per_target, char *error, size_t n)
{
	if (count < 1 || count > MOST_MADE)
		return source_refuse(s, s->at, error, n, "%s: n is %lld; it goes from 1 to %d",
		                     s->format->name, (long long)count, MOST_MADE);
	for (int i = 0; i < to->n_columns; i++)
		if (!column_fit(&to->columns[i], s, s->at,
		                to->columns[i].target ? per_target : per_input, error, n))
			return false;
	if (!dataset_reserve(to, (size_t)count, error, n))
		return false;
	to->n = (size_t)count;
	return true;
}

static inline bool made_put(const struct source *s, struct column *c, size_t k, double value,
                            char *error, size_t n)
{
	const char *wrong = column_put(c, k, value);

	return !wrong || source_refuse(s, s->at, error, n, "%s: '%s': %g %s", s->format->name,
	                               c->input, value, wrong);
}

/* Points of the plane with a class each: sample k by `point`, the target takes the class. */
static inline bool made_points(const struct source *s, struct dataset *to, int64_t count,
                               int (*point)(const struct source *s, size_t k, double x[2]),
                               char *error, size_t n)
{
	if (!made_reserve(s, to, count, 2, 1, error, n))
		return false;
	for (size_t k = 0; k < to->n; k++) {
		double x[2];
		int label = point(s, k, x);

		for (int i = 0; i < to->n_columns; i++) {
			struct column *c = &to->columns[i];

			if (c->target ? !made_put(s, c, k, label, error, n)
			              : !made_put(s, c, 2 * k, x[0], error, n) ||
			                    !made_put(s, c, 2 * k + 1, x[1], error, n))
				return false;
		}
	}
	return true;
}

#endif
