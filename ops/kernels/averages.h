/*
 * averages: the taps of avg_pool2d, adaptive_avg_pool2d and interpolate, for these and their
 * adjoints.
 */
#ifndef OPS_KERNELS_AVERAGES_H
#define OPS_KERNELS_AVERAGES_H

#include "planes.h"

/* ---- windows of one size ------------------------------------------------------------------------
 */

struct avg_attrs {
	ad_ints kernel, stride, padding;
	bool ceil_mode, count_include_pad;
	int64_t divisor_override; /* AD_NONE, or 0 of an op that has none */
	ad_ints input_size;       /* of the adjoint */
};

#define AVG_ATTRS                                                                                  \
	AD_ATTR(struct avg_attrs, kernel, AD_INTLIST, NULL, "the size of the windows", NULL),      \
	    AD_ATTR(struct avg_attrs, stride, AD_INTLIST, "null",                                  \
	            "from one window to the next; null: the kernel", NULL),                        \
	    AD_ATTR(struct avg_attrs, padding, AD_INTLIST, "0", "zeros on both sides of x", NULL), \
	    AD_ATTR(struct avg_attrs, ceil_mode, AD_FLAG, "false",                                 \
	            "a window may hang over the end", NULL),                                       \
	    AD_ATTR(struct avg_attrs, count_include_pad, AD_FLAG, "true",                          \
	            "the padding counts in the mean", NULL)

#define AVG_DIVISOR                                                                                \
	AD_ATTR(struct avg_attrs, divisor_override, AD_INT, "null",                                \
	        "divide by this number instead", NULL)

/* The windows over planes of those sizes, for kernels: the attributes were checked. */
static inline void avg_windows(const struct avg_attrs *a, int axes, const int64_t in[2],
                               struct window w[2])
{
	for (int i = 2 - axes; i < 2; i++) {
		int at = i - (2 - axes);

		w[i] = (struct window){ .in = in[i],
			                .kernel = window_entry(a->kernel, at, 1),
			                .padding = window_entry(a->padding, at, 0),
			                .dilation = 1 };
		w[i].stride = window_entry(a->stride, at, w[i].kernel);
		w[i].out = window_count(&w[i], a->ceil_mode);
	}
	if (axes == 1)
		w[0] = (struct window){ 1, 1, 1, 1, 0, 1 };
}

static inline void avg_taps(const struct avg_attrs *a, const struct window *w, int axis,
                            struct taps *t)
{
	for (int64_t i = 0; i < w->out; i++) {
		int64_t first, stop, over = i * w->stride + w->kernel - w->in - 2 * w->padding;
		double divisor;

		window_inside(w, i, &first, &stop);
		t->start[i] = stop > first ? (size_t)(i * w->stride - w->padding + first) : 0;
		t->count[i] = (size_t)(stop - first);
		/* What hangs over the padding at the end never counts. */
		divisor = a->count_include_pad ? (double)(w->kernel - (over > 0 ? over : 0))
		                               : (double)(stop - first);
		if (a->divisor_override != AD_NONE && a->divisor_override != 0)
			divisor = axis == 0 ? 1 : (double)a->divisor_override;
		t->weight[i] = (ad_real)(divisor != 0 ? 1 / divisor : 0);
	}
}

/* All that kernels need for planes of x; filled if fill is set. */
static inline struct planes avg_planes(const ad_run *r, const ad_array *x, int axes, bool fill)
{
	const struct avg_attrs *a = r->attrs;
	int64_t in[2];
	size_t n = planes_of(x, axes, in);
	struct window w[2];
	struct planes p;

	avg_windows(a, axes, in, w);
	p = planes_at(r, n, w, (const int64_t[]){ 1, 1 }, true);
	for (int i = 0; fill && i < 2; i++)
		avg_taps(a, &w[i], i, &p.axis[i]);
	return p;
}

/* ---- windows that cover the axis evenly ---------------------------------------------------------
 */

/* Window i of an adaptive pool covers the elements from floor(i in / out) up to ceil((i + 1) in /
 * out). */
static inline void adaptive_window(int64_t in, int64_t out, int64_t i, int64_t *start,
                                   int64_t *stop)
{
	*start = i * in / out;
	*stop = ((i + 1) * in + out - 1) / out;
}

static inline bool adaptive_shape(ad_infer *s, ad_ints size, struct window w[2])
{
	const ad_shape *x = &s->in[0];

	if (x->rank < 2)
		return ad_refuse(s, "x must have two axes to pool over, not be %s", ad_show(s, 0));
	if (size.n <= 0)
		return ad_refuse(s, "output_size is missing: give a height and a width");
	if (!window_list(s, "output_size", size, 2, 1))
		return false;
	for (int i = 0; i < 2; i++) {
		w[i] = (struct window){ .in = x->dims[x->rank - 2 + i],
			                .out = window_entry(size, i, 1) };
		if (w[i].in < 1 || w[i].in > INT32_MAX)
			return ad_refuse(s, "x %s has %s on axis %d", ad_show(s, 0),
			                 w[i].in < 1 ? "nothing" : "too much", x->rank - 2 + i);
	}
	return true;
}

static inline struct planes adaptive_planes(const ad_run *r, const ad_array *x, const ad_array *y,
                                            bool fill)
{
	const int64_t *in = &x->dims[x->rank - 2], *out = &y->dims[y->rank - 2];
	int64_t size[2];
	size_t n = planes_of(x, 2, size);
	struct window w[2] = { { .in = in[0], .out = out[0] }, { .in = in[1], .out = out[1] } };
	struct planes p = planes_at(r, n, w, (const int64_t[]){ 1, 1 }, true);

	for (int k = 0; fill && k < 2; k++)
		for (int64_t i = 0; i < out[k]; i++) {
			int64_t start, stop;

			adaptive_window(in[k], out[k], i, &start, &stop);
			p.axis[k].start[i] = (size_t)start;
			p.axis[k].count[i] = (size_t)(stop - start);
			p.axis[k].weight[i] = 1 / (ad_real)(stop - start);
		}
	return p;
}

/* ---- interpolation
 * -------------------------------------------------------------------------------- */

struct interpolate_attrs {
	ad_ints size;
	const char *mode;
	bool align_corners;
	ad_ints input_size; /* of the adjoint */
};

#define INTERPOLATE_ATTRS                                                                          \
	AD_ATTR(struct interpolate_attrs, mode, AD_WORD, "nearest",                                \
	        "how; linear is for one axis, bilinear and bicubic for two",                       \
	        "nearest linear bilinear bicubic"),                                                \
	    AD_ATTR(struct interpolate_attrs, align_corners, AD_FLAG, "null",                      \
	            "the centres of the outermost elements stay where they are; null: false",      \
	            NULL)

/* The convolution kernel of Keys, "Cubic convolution interpolation for digital image processing"
 * (1981), with a = -0.75, at distance d from the tap. */
static inline double cubic_weight(double d)
{
	const double a = -0.75;

	d = d < 0 ? -d : d;
	if (d <= 1)
		return ((a + 2) * d - (a + 3)) * d * d + 1;
	return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

/* The taps of one axis. Those beyond an end fall to the element at that end. */
static inline void interpolate_taps(const struct interpolate_attrs *a, struct taps *t)
{
	double in = (double)t->in, out = (double)t->out;
	int64_t last = (int64_t)t->in - 1;

	for (size_t i = 0; i < t->out; i++) {
		double at = a->align_corners ? (t->out > 1 ? (double)i * (in - 1) / (out - 1) : 0)
		                             : ((double)i + 0.5) * in / out - 0.5;
		int64_t base, first = 0, n = 1, start;
		double part;

		if (t->width == 1) {
			/* nearest, or an axis that stays as it is */
			t->start[i] = i * t->in / t->out;
			t->count[i] = 1;
			t->weight[i] = 1;
			continue;
		}
		if (t->width == 2)
			at = at < 0 ? 0 : at;
		base = (int64_t)floor(at);
		base = base > last ? last : base;
		part = at - (double)base;
		first = t->width == 2 ? 0 : -1;
		n = (int64_t)t->width;
		start = base + first < 0 ? 0 : base + first;
		t->start[i] = (size_t)start;
		t->count[i] = 0;
		for (int64_t k = first; k < first + n; k++) {
			int64_t from = base + k < 0 ? 0 : base + k > last ? last : base + k;
			double weight = t->width == 4 ? cubic_weight((double)k - part)
			                : k == 0      ? 1 - part
			                              : part;
			size_t tap = (size_t)(from - start);

			if (tap == t->count[i]) {
				t->weight[i * t->width + tap] = (ad_real)weight;
				t->count[i]++;
			} else {
				t->weight[i * t->width + tap] += (ad_real)weight;
			}
		}
	}
}

/* The most taps along an axis of that mode. */
static inline int64_t interpolate_width(const char *mode)
{
	return strcmp(mode, "nearest") == 0 ? 1 : strcmp(mode, "bicubic") == 0 ? 4 : 2;
}

/* Where only one axis is resized, the planes are rows: a height of 1 that stays. */
static inline struct planes interpolate_planes(const ad_run *r, const ad_array *x,
                                               const ad_array *y, bool fill)
{
	const struct interpolate_attrs *a = r->attrs;
	bool one = (a->size.n > 0 ? a->size.n : a->input_size.n) == 1;
	int64_t width = interpolate_width(a->mode), taps[2] = { one ? 1 : width, width };
	size_t n = 1;
	struct window w[2] = { { .in = one ? 1 : x->dims[x->rank - 2],
		                 .out = one ? 1 : y->dims[x->rank - 2] },
		               { .in = x->dims[x->rank - 1], .out = y->dims[x->rank - 1] } };
	struct planes p;

	for (int i = 0; i < x->rank - (one ? 1 : 2); i++)
		n *= (size_t)x->dims[i];
	p = planes_at(r, n, w, taps, false);
	for (int i = 0; fill && i < 2; i++)
		interpolate_taps(a, &p.axis[i]);
	return p;
}

/* The rule of interpolate and of its adjoint: the last axes of x get these sizes. */
static inline bool interpolate_shape(ad_infer *s, const char *name, ad_ints size)
{
	const struct interpolate_attrs *a = s->attrs;
	const ad_shape *x = &s->in[0];
	ad_shape y = *x;
	size_t count;

	if (!a->mode)
		return ad_refuse(s, "mode is missing: nearest, linear, bilinear or bicubic");
	if (size.n < 1 || size.n > 2)
		return ad_refuse(s, "%s has %lld numbers: give one or two, for the last axes", name,
		                 (long long)size.n);
	if (!window_list(s, name, size, (int)size.n, 1))
		return false;
	if (x->rank < size.n)
		return ad_refuse(s, "x %s has no %lld axes to resize", ad_show(s, 0),
		                 (long long)size.n);
	if ((strcmp(a->mode, "linear") == 0 && size.n != 1) ||
	    (strncmp(a->mode, "bi", 2) == 0 && size.n != 2))
		return ad_refuse(s, "mode %s is for %s, but %s has %lld numbers", a->mode,
		                 a->mode[0] == 'l' ? "one axis" : "two axes", name,
		                 (long long)size.n);
	for (int i = 0; i < (int)size.n; i++) {
		int axis = x->rank - (int)size.n + i;

		if (x->dims[axis] < 1 || x->dims[axis] > INT32_MAX)
			return ad_refuse(s, "x %s has %s on axis %d", ad_show(s, 0),
			                 x->dims[axis] < 1 ? "nothing" : "too much", axis);
		y.dims[axis] = size.v[i];
	}
	if (!ad_count_of(&y, &count))
		return ad_refuse(s, "a result of shape %s is too large", ad_show_shape(s, y));
	s->out[0] = y;
	return true;
}

/* Its work, from x before to y after. */
static inline bool interpolate_work(ad_infer *s, const ad_shape *x, const ad_shape *y, int axes)
{
	const struct interpolate_attrs *a = s->attrs;
	int64_t width = interpolate_width(a->mode), last = y->dims[y->rank - 1];

	return planes_work(s, x, axes,
	                   (const int64_t[]){ axes == 1 ? 1 : y->dims[y->rank - 2], last },
	                   (const int64_t[]){ axes == 1 ? 1 : width, width }, false);
}

#endif
