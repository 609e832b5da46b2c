/*
 * maxima: the largest element of each window and where it is, for max_pool1d, 2d and
 * adaptive_max_pool2d.
 */
#ifndef OPS_KERNELS_MAXIMA_H
#define OPS_KERNELS_MAXIMA_H

#include "lanes.h"
#include "windows.h"

struct max_attrs {
	ad_ints kernel, stride, padding, dilation;
	bool ceil_mode;
};

#define MAX_ATTRS                                                                                  \
	AD_ATTR(struct max_attrs, kernel, AD_INTLIST, NULL, "the size of the windows", NULL),      \
	    AD_ATTR(struct max_attrs, stride, AD_INTLIST, "null",                                  \
	            "from one window to the next; null: the kernel", NULL),                        \
	    AD_ATTR(struct max_attrs, padding, AD_INTLIST, "0", "room on both sides of x", NULL),  \
	    AD_ATTR(struct max_attrs, dilation, AD_INTLIST, "1",                                   \
	            "from one element of a window to the next", NULL),                             \
	    AD_ATTR(struct max_attrs, ceil_mode, AD_FLAG, "false",                                 \
	            "a window may hang over the end", NULL)

/* Two outputs of that size: the elements, and their places as indices. */
static inline bool max_outputs(ad_infer *s, int axes, const struct window w[2])
{
	if (w[0].in > INT32_MAX / (w[1].in ? w[1].in : 1))
		return ad_refuse(s, "the planes of x %s have more elements than an index can count",
		                 ad_show(s, 0));
	s->n_out = 2;
	s->out_type[1] = AD_I32;
	if (!planes_shape(s, &s->out[0], axes, w[0].out, w[1].out))
		return false;
	s->out[1] = s->out[0];
	return true;
}

static inline bool max_shape(ad_infer *s, int axes)
{
	const struct max_attrs *a = s->attrs;
	struct window w[2] = { { 0 } };

	if (!pool_windows(s, axes, a->kernel, a->stride, a->padding, a->dilation, a->ceil_mode, w))
		return false;
	for (int i = 0; i < 2; i++)
		for (int64_t o = 0; o < w[i].out && o * w[i].stride < w[i].padding; o++) {
			int64_t first, stop;

			window_inside(&w[i], o, &first, &stop);
			if (first == stop)
				return ad_refuse(s,
				                 "window %lld on axis %d of x %s holds no element: "
				                 "make padding or dilation smaller",
				                 (long long)o, s->in[0].rank - 2 + i,
				                 ad_show(s, 0));
		}
	return max_outputs(s, axes, w);
}

/* One output: the windows over the rows top..bottom-1, columns left..right-1 that lie inside. */
static inline void max_one(const ad_real *x, const struct window w[2], int64_t i, int64_t j,
                           ad_real *y, int32_t *index)
{
	int64_t top, bottom, left, right, at, step = w[1].dilation;
	ad_real best = -(ad_real)INFINITY;

	window_inside(&w[0], i, &top, &bottom);
	window_inside(&w[1], j, &left, &right);
	i = i * w[0].stride - w[0].padding;
	j = j * w[1].stride - w[1].padding;
	at = (i + top * w[0].dilation) * w[1].in + j + left * step;
	for (int64_t row = top; row < bottom; row++) {
		int64_t from = (i + row * w[0].dilation) * w[1].in + j;

		for (int64_t p = from + left * step; p < from + right * step; p += step)
			if (x[p] > best || x[p] != x[p]) {
				best = x[p];
				at = p;
			}
	}
	*y = best;
	*index = (int32_t)at;
}

/* Several outputs side by side, whose windows lie inside of the columns. */
#ifdef AD_F64
typedef int64_t max_bits __attribute__((vector_size(LANES_N * 8)));
#else
typedef int32_t max_bits __attribute__((vector_size(LANES_N * 4)));
#endif
typedef int32_t max_indices __attribute__((vector_size(LANES_N * 4), aligned(4), may_alias));

/* Outputs j..j+LANES_N-1 of row i, whose windows have the rows top..bottom-1. kernel, stride, dilation:
 * those of the columns, for the compiler to know where the caller does. */
static inline __attribute__((always_inline)) void max_some(const ad_real *x,
                                                           const struct window w[2], int64_t i,
                                                           int64_t top, int64_t bottom,
                                                           int64_t j, int64_t kernel,
                                                           int64_t stride, int64_t dilation,
                                                           ad_real *y, int32_t *index)
{
	lanes best = { 0 };
	max_bits at = { 0 }, step = { 0, 1, 2, 3 };

	step = step * (__typeof__(step[0]))stride;
	for (int64_t row = top; row < bottom; row++) {
		int64_t from = (i * w[0].stride - w[0].padding + row * w[0].dilation) * w[1].in +
		               j * stride - w[1].padding;

		for (int64_t k = 0; k < kernel; k++) {
			int64_t p = from + k * dilation;
			lanes v;
			max_bits more;

			lanes_load(&v, x + p, stride, k > 0);
			more = (v > best) | (v != v);
			if (row == top && k == 0)
				more = (max_bits){ 0 } - 1;
			best = (lanes)(((max_bits)v & more) | ((max_bits)best & ~more));
			at = ((step + (__typeof__(step[0]))p) & more) | (at & ~more);
		}
	}
	*(lanes *)y = best;
	*(max_indices *)index = __builtin_convertvector(at, max_indices);
}

/* Row i of the outputs of a plane, of which those from `begin` up to `end` lie inside of the columns. */
static inline __attribute__((always_inline)) void max_row(const ad_real *x,
                                                          const struct window w[2], int64_t i,
                                                          int64_t begin, int64_t end,
                                                          int64_t kernel, int64_t stride,
                                                          int64_t dilation, ad_real *y,
                                                          int32_t *index)
{
	int64_t j = begin, top, bottom;

	window_inside(&w[0], i, &top, &bottom);
	for (; j + LANES_N <= end; j += LANES_N)
		max_some(x, w, i, top, bottom, j, kernel, stride, dilation, y + j, index + j);
	/* The last ones together with some that are done already. */
	if (j < end && end - begin >= LANES_N) {
		j = end - LANES_N;
		max_some(x, w, i, top, bottom, j, kernel, stride, dilation, y + j, index + j);
		j = end;
	}
	for (; j < end; j++)
		max_one(x, w, i, j, y + j, index + j);
	for (j = 0; j < begin; j++)
		max_one(x, w, i, j, y + j, index + j);
	for (j = end > begin ? end : begin; j < w[1].out; j++)
		max_one(x, w, i, j, y + j, index + j);
}

static inline void max_planes(const ad_run *r, int axes, size_t begin, size_t end)
{
	const struct max_attrs *a = r->attrs;
	struct window w[2] = { { 1, 1, 1, 1, 0, 1 } };
	int64_t in[2], out[2], first, last, columns;
	ad_real *y;
	int32_t *index;

	planes_of(&r->in[0], axes, in);
	planes_of(&r->out[0], axes, out);
	for (int i = 0; i < axes; i++) {
		struct window *v = &w[2 - axes + i];

		v->in = in[2 - axes + i];
		v->out = out[2 - axes + i];
		v->kernel = window_entry(a->kernel, i, 1);
		v->stride = window_entry(a->stride, i, v->kernel);
		v->padding = window_entry(a->padding, i, 0);
		v->dilation = window_entry(a->dilation, i, 1);
	}
	/* The outputs whose windows lie inside of the columns; none for a window of one element with
	 * a stride of 2, which is not read beyond. */
	columns = w[1].in + w[1].padding - window_extent(&w[1]);
	first = (w[1].padding + w[1].stride - 1) / w[1].stride;
	last = columns < 0 ? 0 : columns / w[1].stride + 1;
	last = last < w[1].out ? last : w[1].out;
	if (w[1].stride == 2 && w[1].kernel == 1)
		last = 0;
	first = first < last ? first : last;
	y = ad_reals_of(&r->out[0]) + begin * (size_t)(out[0] * out[1]);
	index = ad_indices_of(&r->out[1]) + begin * (size_t)(out[0] * out[1]);
	for (size_t n = begin; n < end; n++) {
		const ad_real *x = ad_reals_of(&r->in[0]) + n * (size_t)(in[0] * in[1]);

		for (int64_t i = 0; i < out[0]; i++, y += out[1], index += out[1])
			if (w[1].stride == 2 && w[1].kernel == 2 && w[1].dilation == 1)
				max_row(x, w, i, first, last, 2, 2, 1, y, index);
			else if (w[1].stride == 2)
				max_row(x, w, i, first, last, w[1].kernel, 2, w[1].dilation, y, index);
			else if (w[1].stride == 1)
				max_row(x, w, i, first, last, w[1].kernel, 1, w[1].dilation, y, index);
			else
				max_row(x, w, i, first, last, w[1].kernel, w[1].stride,
				        w[1].dilation, y, index);
	}
}

/* dx = dy where the largest was, added up; several planes are said to be final together. */
static inline void max_planes_back(const ad_run *r, int axes, size_t begin, size_t end)
{
	int64_t in[2], out[2];
	size_t plane, n_out, finished = begin;

	planes_of(&r->in[0], axes, in);
	planes_of(&r->out[0], axes, out);
	plane = (size_t)(in[0] * in[1]);
	n_out = (size_t)(out[0] * out[1]);
	for (size_t n = begin; n < end; n++) {
		const ad_real *dy = ad_reals_of(&r->dy[0]) + n * n_out;
		const int32_t *index = ad_indices_of(&r->out[1]) + n * n_out;
		ad_real *dx = ad_reals_of(&r->dx[0]) + n * plane;

		memset(dx, 0, plane * sizeof *dx);
		for (size_t k = 0; k < n_out; k++)
			dx[index[k]] += dy[k];
		if (n + 1 == end || (n + 1 - finished) * plane >= 2048) {
			ad_finish(r, 0, finished * plane, (n + 1 - finished) * plane);
			finished = n + 1;
		}
	}
}

static inline void max_parallel(const ad_run *r, int axes,
                                void (*planes)(const ad_run *r, size_t begin, size_t end))
{
	int64_t in[2];
	size_t n = planes_of(&r->in[0], axes, in);

	if (r->in[0].count > 0)
		ad_parallel(r, n, planes_grain((size_t)(in[0] * in[1])), planes);
}

/* The same as ops. */
static inline ad_node *max_grad(ad_node *y, ad_node *dy, int axes)
{
	ad_shape x = ad_shape_of(ad_input_of(y, 0)), shape_y = ad_shape_of(y);
	int64_t n = 1, plane = 1, out = 1;
	ad_node *zeros;

	for (int i = 0; i < x.rank; i++) {
		if (i < x.rank - axes) {
			n *= x.dims[i];
		} else {
			plane *= x.dims[i];
			out *= shape_y.dims[i];
		}
	}
	zeros = ad_full(ad_graph_of(y), AD_SHAPE(n, plane), 0);
	return ad_reshape(ad_scatter_add(zeros, ad_reshape(ad_output(y, 1), AD_SHAPE(n, out)),
	                                 ad_reshape(dy, AD_SHAPE(n, out)), 1),
	                  x);
}

#endif
