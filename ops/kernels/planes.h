/*
 * planes: every plane (the last two axes) of an array as weighted sums of its rows and columns, for
 * average pools and interpolation.
 *
 * Along each axis an output is a weighted sum of neighbouring inputs, its taps. So with A and B the
 * weights along the two axes each plane becomes A x B^T; the adjoint, A^T y B, is the gradient.
 */
#ifndef OPS_KERNELS_PLANES_H
#define OPS_KERNELS_PLANES_H

#include "windows.h"

/* Output i is the sum of `count[i]` inputs from start[i] on, each times weight[i] if even is set,
 * else times weight[i * width + k]. */
struct taps {
	size_t in, out, width;
	bool even;
	size_t *start, *count;
	ad_real *weight;
};

/* Both axes, and a row of x for each plane. All in the workspace. */
struct planes {
	size_t n;
	struct taps axis[2];
	ad_real *row;
};

/* Bytes of the taps, for a shape rule; false on overflow. */
static inline bool taps_bytes(ad_infer *s, int64_t out, int64_t width, bool even, size_t *bytes)
{
	size_t real = ad_is_f64(s->graph) ? sizeof(double) : sizeof(float), weights, all;

	if (__builtin_mul_overflow((size_t)out, even ? 1 : (size_t)width, &weights) ||
	    __builtin_mul_overflow(weights, real, &weights) ||
	    __builtin_mul_overflow((size_t)out, 2 * sizeof(size_t), &all) ||
	    __builtin_add_overflow(all, weights + 15, &all) ||
	    __builtin_add_overflow(*bytes, all / 16 * 16, bytes))
		return ad_refuse(s, "%lld outputs along an axis are too many", (long long)out);
	return true;
}

/* Asks for the work of planes that are the last `axes` axes of x. out: their sizes, with a height
 * of 1 where there is one axis. taps[i]: the most taps of an output. */
static inline bool planes_work(ad_infer *s, const ad_shape *x, int axes, const int64_t out[2],
                               const int64_t taps[2], bool even)
{
	size_t real = ad_is_f64(s->graph) ? sizeof(double) : sizeof(float), rows = 1;

	s->work = 0;
	for (int i = 0; i < x->rank; i++)
		if ((axes == 1 || i != x->rank - 2) &&
		    __builtin_mul_overflow(rows, (size_t)x->dims[i], &rows))
			return ad_refuse(s, "x %s is too large", ad_show_shape(s, *x));
	if (__builtin_mul_overflow(rows, real, &rows))
		return ad_refuse(s, "x %s is too large", ad_show_shape(s, *x));
	for (int i = 0; i < 2; i++)
		if (!taps_bytes(s, out[i], taps[i], even, &s->work))
			return false;
	if (__builtin_add_overflow(s->work, rows, &s->work))
		return ad_refuse(s, "x %s is too large", ad_show_shape(s, *x));
	return true;
}

/* Finds the places of both in the workspace. n: planes. */
static inline struct planes planes_at(const ad_run *r, size_t n, const struct window w[2],
                                      const int64_t taps[2], bool even)
{
	struct planes p = { .n = n };
	char *at = r->work;

	for (int i = 0; i < 2; i++) {
		struct taps *t = &p.axis[i];

		t->in = (size_t)w[i].in;
		t->out = (size_t)w[i].out;
		t->width = even ? 1 : (size_t)taps[i];
		t->even = even;
		t->start = (size_t *)(void *)at;
		t->count = t->start + t->out;
		t->weight = (ad_real *)(void *)(t->count + t->out);
		at += (t->out * 2 * sizeof(size_t) + t->out * t->width * sizeof(ad_real) + 15) /
		      16 * 16;
	}
	p.row = (ad_real *)(void *)at;
	return p;
}

/* The grain for ad_parallel over planes. */
static inline size_t planes_worth(const struct planes *p)
{
	return planes_grain(p->axis[0].in * p->axis[1].in + p->axis[0].out * p->axis[1].out);
}

/* y = A x B^T for the planes begin..end-1. */
void AD_VARIANT(planes_apply)(const struct planes *p, const ad_real *x, ad_real *y, size_t begin,
                              size_t end);

/* x = A^T y B. */
void AD_VARIANT(planes_adjoint)(const struct planes *p, const ad_real *y, ad_real *x, size_t begin,
                                size_t end);

#endif
