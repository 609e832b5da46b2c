/*
 * sweep: the values that the trials of a sweep take.
 */
#include "data.h"

#include <math.h>

/* Which of n values: the place of the trial in the grid, or one at random. */
static size_t choice(const ad_model *m, int64_t trial, size_t which)
{
	const struct sweep_spec *s = &m->sweep;

	if (s->random)
		return (size_t)data_random(m->train.seed, STREAM_SWEEP, (uint64_t)trial, which, s->over[which].n);
	for (size_t k = s->n_over; --k > which;)
		trial /= (int64_t)s->over[k].n;
	return (size_t)trial % s->over[which].n;
}

const char *sweep_value(const ad_model *m, int64_t trial, size_t which, char *room, size_t n)
{
	const struct swept *p = &m->sweep.over[which];
	double part, x;

	if (p->n > 0)
		return p->values[choice(m, trial, which)];
	part = data_uniform(m->train.seed, STREAM_SWEEP, (uint64_t)trial, which);
	if (p->log)
		x = p->lo * pow(p->hi / p->lo, part);
	else if (p->whole)
		x = floor(p->lo + part * (p->hi - p->lo + 1));
	else
		x = p->lo + part * (p->hi - p->lo);
	/* six digits, so that what a table shows is what was trained */
	snprintf(room, n, p->whole ? "%.0f" : "%.6g", p->whole ? round(x) : x);
	return room;
}
