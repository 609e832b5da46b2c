/*
 * softmax: lines as exponentials, for softmax, log_softmax, logsumexp and cross_entropy.
 *
 * Lines are worked on several at a time (a span). Along the last axis they lie one behind another, and
 * their exponentials are computed as one run, however short a line is. Along any other axis lines that
 * lie side by side are worked on together, row by row.
 */
#ifndef OPS_KERNELS_SOFTMAX_H
#define OPS_KERNELS_SOFTMAX_H

#include "lines.h"
#include "rows.h"

#define SPAN_LINES 64
#define SPAN_RUN 2048 /* elements of lines one behind another, but for longer lines */

/* Lines first..first+count-1; their elements begin at `start`. Element k of line i of them is at
 * i * n + k if the step is 1, else at i + k * step. */
struct span {
	size_t first, count, start;
};

/* The units for ad_parallel: lines, or strips of lines side by side. */
static inline size_t span_strips(const struct lines *l)
{
	return (l->step + SPAN_LINES - 1) / SPAN_LINES;
}

static inline size_t span_units(const struct lines *l)
{
	return l->step == 1 ? l->count : l->step ? l->count / l->step * span_strips(l) : 0;
}

static inline size_t span_grain(const struct lines *l)
{
	size_t width = l->step < SPAN_LINES ? l->step : SPAN_LINES;
	return lines_grain(&(struct lines){ .n = l->n * width });
}

/* Whether there is another span of the units *unit..end-1; takes these units off. */
static inline bool span_next(const struct lines *l, size_t *unit, size_t end, struct span *s)
{
	if (*unit >= end)
		return false;
	if (l->step == 1) {
		size_t most = l->n < SPAN_RUN / SPAN_LINES ? SPAN_LINES
		              : l->n > SPAN_RUN            ? 1
		                                           : SPAN_RUN / l->n;

		s->first = *unit;
		s->count = end - *unit < most ? end - *unit : most;
		*unit += s->count;
	} else {
		size_t strips = span_strips(l), at = *unit % strips * SPAN_LINES;

		s->first = *unit / strips * l->step + at;
		s->count = l->step - at < SPAN_LINES ? l->step - at : SPAN_LINES;
		++*unit;
	}
	s->start = line_start(l, s->first);
	return true;
}

/* The largest element of each line, and the sum of exp(x - that). finite: takes off 0 where the largest
 * is no finite number. Where y is not NULL the exponentials go there, into the places of x. */
void AD_VARIANT(span_exp)(const struct lines *l, const struct span *s, const ad_real *x, ad_real *y,
                          bool finite, ad_real *max, ad_real *sum);

/* The sum of x y of each line; y NULL: of x. */
void AD_VARIANT(span_sum)(const struct lines *l, const struct span *s, const ad_real *x,
                          const ad_real *y, ad_real *sum);

/* y times a factor for each line. */
void AD_VARIANT(span_scale)(const struct lines *l, const struct span *s, ad_real *y,
                            const ad_real *factor);

#endif
