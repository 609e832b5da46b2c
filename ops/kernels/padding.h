/*
 * padding: which element of x each element of a padded array is, for pad and pad_adjoint.
 */
#ifndef OPS_KERNELS_PADDING_H
#define OPS_KERNELS_PADDING_H

#include "op.h"

struct pad_attrs {
	ad_ints pads;
	const char *mode;
	double value;
	ad_ints size; /* of the adjoint: the shape before padding */
};

#define PAD_MODE(words)                                                                            \
	AD_ATTR(struct pad_attrs, mode, AD_WORD, "constant",                                       \
	        "what the new elements are: value, or those of x mirrored at its first and last "  \
	        "element, its first and last repeated, or x over again",                           \
	        words)

/* What is added before and after each axis. */
static inline void pad_amounts(const struct pad_attrs *a, int rank, int64_t before[],
                               int64_t after[])
{
	for (int i = 0; i < rank; i++) {
		int64_t k = 2 * (rank - 1 - i);

		before[i] = k + 1 < a->pads.n ? a->pads.v[k] : 0;
		after[i] = k + 1 < a->pads.n ? a->pads.v[k + 1] : 0;
	}
}

/* The shape of x when it is padded. */
static inline bool pad_shape(ad_infer *s, const ad_shape *x, ad_shape *y)
{
	const struct pad_attrs *a = s->attrs;
	int64_t before[AD_MAX_RANK], after[AD_MAX_RANK];
	size_t count;

	if (!a->mode)
		return ad_refuse(s, "mode is missing: constant, reflect, replicate or circular");
	if (a->pads.n < 0 || a->pads.n % 2 || a->pads.n / 2 > x->rank)
		return ad_refuse(s,
		                 "pads has %lld numbers: give two for each axis, at most %d axes, "
		                 "the last axis first",
		                 (long long)(a->pads.n < 0 ? 0 : a->pads.n), x->rank);
	for (int64_t k = 0; k < a->pads.n; k++)
		if (a->pads.v[k] > INT32_MAX || a->pads.v[k] < -INT32_MAX)
			return ad_refuse(s, "pads: %lld is too large", (long long)a->pads.v[k]);
	pad_amounts(a, x->rank, before, after);
	*y = *x;
	for (int i = 0; i < x->rank; i++) {
		int64_t n = x->dims[i], least = before[i] < after[i] ? before[i] : after[i];
		int64_t most = before[i] > after[i] ? before[i] : after[i];

		y->dims[i] = n + before[i] + after[i];
		if (y->dims[i] < 0 || n + before[i] < 0 || n + after[i] < 0 ||
		    (y->dims[i] == 0 && n > 0))
			return ad_refuse(s, "pads %lld and %lld leave nothing of axis %d of x %s",
			                 (long long)before[i], (long long)after[i], i,
			                 ad_show_shape(s, *x));
		if (strcmp(a->mode, "constant") == 0)
			continue;
		if (least < 0)
			return ad_refuse(s,
			                 "mode %s takes no negative pads, but %lld for axis %d; "
			                 "slice crops",
			                 a->mode, (long long)least, i);
		if (most > 0 && n == 0)
			return ad_refuse(s, "mode %s has nothing to take for axis %d of x %s",
			                 a->mode, i, ad_show_shape(s, *x));
		if (strcmp(a->mode, "reflect") == 0 && most > 0 && most >= n)
			return ad_refuse(s,
			                 "mode reflect takes pads below the size: %lld before and "
			                 "%lld after axis %d of x %s",
			                 (long long)before[i], (long long)after[i], i,
			                 ad_show_shape(s, *x));
	}
	if (!ad_count_of(y, &count))
		return ad_refuse(s, "a result of shape %s is too large", ad_show_shape(s, *y));
	return true;
}

enum pad_mode { PAD_CONSTANT, PAD_REFLECT, PAD_REPLICATE, PAD_CIRCULAR };

/* The axes of x and y, all as they are for kernels. */
struct padding {
	enum pad_mode mode;
	int rank;
	int64_t x[AD_MAX_RANK], y[AD_MAX_RANK], before[AD_MAX_RANK];
	int outer; /* so many leading axes are not padded; the last one does not count */
	size_t n_outer, inner_x, inner_y;
};

static inline struct padding padding_of(const struct pad_attrs *a, const ad_array *x,
                                        const ad_array *y)
{
	struct padding p = { .rank = x->rank, .n_outer = 1, .inner_x = 1, .inner_y = 1 };
	int64_t after[AD_MAX_RANK];

	p.mode = strcmp(a->mode, "reflect") == 0     ? PAD_REFLECT
	         : strcmp(a->mode, "replicate") == 0 ? PAD_REPLICATE
	         : strcmp(a->mode, "circular") == 0  ? PAD_CIRCULAR
	                                             : PAD_CONSTANT;
	pad_amounts(a, x->rank, p.before, after);
	while (p.outer < x->rank - 1 && p.before[p.outer] == 0 && after[p.outer] == 0)
		p.n_outer *= (size_t)x->dims[p.outer++];
	for (int i = 0; i < x->rank; i++) {
		p.x[i] = x->dims[i];
		p.y[i] = y->dims[i];
		if (i >= p.outer) {
			p.inner_x *= (size_t)p.x[i];
			p.inner_y *= (size_t)p.y[i];
		}
	}
	return p;
}

/* Where element o of an axis of y comes from; -1: from nowhere. */
static inline int64_t pad_source(const struct padding *p, int axis, int64_t o)
{
	int64_t i = o - p->before[axis], n = p->x[axis];

	if (i >= 0 && i < n)
		return i;
	switch (p->mode) {
	case PAD_REPLICATE:
		return i < 0 ? 0 : n - 1;
	case PAD_REFLECT:
		return i < 0 ? -i : 2 * (n - 1) - i;
	case PAD_CIRCULAR:
		return (i % n + n) % n;
	case PAD_CONSTANT:
		break;
	}
	return -1;
}

/* Row `row` of the inner axes of y, without the last: where its source begins; -1: nowhere. */
static inline int64_t pad_row(const struct padding *p, size_t row)
{
	int64_t from = 0, step = p->x[p->rank - 1];

	for (int i = p->rank - 2; i >= p->outer; i--) {
		int64_t at = pad_source(p, i, (int64_t)(row % (size_t)p->y[i]));

		if (at < 0)
			return -1;
		row /= (size_t)p->y[i];
		from += at * step;
		step *= p->x[i];
	}
	return from;
}

#endif
