/*
 * windows: where a window lies over an axis, for convolutions, pools and unfolding.
 *
 * Window o covers the elements o * stride - padding + k * dilation, k = 0..kernel-1.
 */
#ifndef OPS_KERNELS_WINDOWS_H
#define OPS_KERNELS_WINDOWS_H

#include "op.h"

struct window {
	int64_t in, out, kernel, stride, padding, dilation;
};

/* The entry of a list for one of the axes; a single number is for all of them. */
static inline int64_t window_entry(ad_ints list, int axis, int64_t missing)
{
	return list.n <= 0 ? missing : list.v[list.n == 1 ? 0 : axis];
}

/* Checks such a list: one number, or one for each axis, none below `least`. Nothing is larger than
 * an i32, so that sums and products of two do not overflow. */
static inline bool window_list(ad_infer *s, const char *name, ad_ints list, int axes, int64_t least)
{
	if (list.n == 0 || (list.n > 1 && list.n != axes))
		return ad_refuse(s, "%s has %lld numbers: give one, or %d, one for each axis", name,
		                 (long long)list.n, axes);
	for (int64_t k = 0; k < list.n; k++) {
		if (list.v[k] < least)
			return ad_refuse(s, "%s must be %lld or more, not %lld", name,
			                 (long long)least, (long long)list.v[k]);
		if (list.v[k] > INT32_MAX)
			return ad_refuse(s, "%s %lld is too large", name, (long long)list.v[k]);
	}
	return true;
}

/* A list for one axis as one for two, of which the first has that value. */
static inline ad_ints window_pair(ad_ints list, int64_t first, int64_t both[2])
{
	both[0] = first;
	both[1] = list.n > 0 ? list.v[0] : 1;
	return list.n > 0 ? (ad_ints){ 2, both } : list;
}

/* From the first element of a window to behind its last. */
static inline int64_t window_extent(const struct window *w)
{
	return w->dilation * (w->kernel - 1) + 1;
}

/* How many windows fit in; 0 if none. With ceil the last may hang over the end, but begins inside
 * or in the padding in front. */
static inline int64_t window_count(const struct window *w, bool ceil)
{
	int64_t room = w->in + 2 * w->padding - window_extent(w), n;

	if (room < 0 && !(ceil && room + w->stride > 0))
		return 0;
	n = (room + (ceil ? w->stride - 1 : 0)) / w->stride + 1;
	if (ceil && (n - 1) * w->stride >= w->in + w->padding)
		n--;
	return n;
}

/* The elements of window o that are inside of the axis: k from *first up to *stop. */
static inline void window_inside(const struct window *w, int64_t o, int64_t *first, int64_t *stop)
{
	int64_t start = o * w->stride - w->padding;

	if (start >= 0 && start + window_extent(w) <= w->in) {
		*first = 0;
		*stop = w->kernel;
		return;
	}
	*first = start >= 0 ? 0 : (-start + w->dilation - 1) / w->dilation;
	*stop = start >= w->in ? 0 : (w->in - start + w->dilation - 1) / w->dilation;
	if (*stop > w->kernel)
		*stop = w->kernel;
	if (*stop < *first)
		*stop = *first;
}

/* The last one or two axes of x as windows, of ops that take any leading axes, with the attributes
 * of a pool; of one axis as two, the first of size 1. Refuses what does not fit. */
static inline bool pool_windows(ad_infer *s, int axes, ad_ints kernel, ad_ints stride,
                                ad_ints padding, ad_ints dilation, bool ceil, struct window w[2])
{
	const ad_shape *x = &s->in[0];

	if (x->rank < axes)
		return ad_refuse(s, "x must have %s to pool over, not be %s",
		                 axes == 1 ? "an axis" : "two axes", ad_show(s, 0));
	if (kernel.n <= 0)
		return ad_refuse(s, "kernel is missing: give the size of the windows");
	if (!window_list(s, "kernel", kernel, axes, 1) ||
	    !window_list(s, "stride", stride, axes, 1) ||
	    !window_list(s, "padding", padding, axes, 0) ||
	    !window_list(s, "dilation", dilation, axes, 1))
		return false;
	w[0] = (struct window){ 1, 1, 1, 1, 0, 1 };
	for (int i = 0; i < axes; i++) {
		struct window *v = &w[2 - axes + i];
		int axis = x->rank - axes + i;

		v->in = x->dims[axis];
		v->kernel = window_entry(kernel, i, 1);
		v->stride = window_entry(stride, i, v->kernel);
		v->padding = window_entry(padding, i, 0);
		v->dilation = window_entry(dilation, i, 1);
		if (v->in > INT32_MAX)
			return ad_refuse(s, "axis %d of x %s is too large", axis, ad_show(s, 0));
		if (2 * v->padding > window_extent(v))
			return ad_refuse(
			    s, "padding %lld is more than half of the window, which covers %lld",
			    (long long)v->padding, (long long)window_extent(v));
		v->out = window_count(v, ceil);
		if (v->out < 1)
			return ad_refuse(
			    s,
			    "a window that covers %lld does not fit into axis %d of x %s "
			    "with padding %lld",
			    (long long)window_extent(v), axis, ad_show(s, 0),
			    (long long)v->padding);
	}
	return true;
}

/* x with its last one or two axes of other sizes. */
static inline bool planes_shape(ad_infer *s, ad_shape *y, int axes, int64_t height, int64_t width)
{
	size_t count;

	*y = s->in[0];
	if (axes == 2)
		y->dims[y->rank - 2] = height;
	y->dims[y->rank - 1] = width;
	if (!ad_count_of(y, &count))
		return ad_refuse(s, "a result of shape %s is too large", ad_show_shape(s, *y));
	return true;
}

/* The planes of an array, or its rows as planes of height 1: how many, and the sizes of one. */
static inline size_t planes_of(const ad_array *x, int axes, int64_t size[2])
{
	size_t n = 1;

	for (int i = 0; i < x->rank - axes; i++)
		n *= (size_t)x->dims[i];
	size[0] = axes == 2 ? x->dims[x->rank - 2] : 1;
	size[1] = x->dims[x->rank - 1];
	return n;
}

static inline size_t planes_grain(size_t plane)
{
	return plane >= 16384 ? 1 : 16384 / (plane ? plane : 1);
}

#endif
