/*
 * maxima: the largest element of each window and where it is, for max_pool1d, 2d and
 * adaptive_max_pool2d.
 */
#ifndef OPS_KERNELS_MAXIMA_H
#define OPS_KERNELS_MAXIMA_H

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

/* Outputs side by side, whose windows lie inside of the columns: one function for each number of them
 * that vectors of this instruction set have. */
#ifdef AD_F64
typedef int64_t max_bit;
#else
typedef int32_t max_bit;
#endif

/* N outputs, the first of whose windows begins at x[start] and has so many rows, row_step apart. kernel,
 * stride, dilation: those of the columns, for the compiler to know where the caller does. Of a stride of 2
 * two vectors are read, from one element before if it is not the first of a window, so nothing is read
 * outside of windows of two elements or more. */
#define MAX_SOME(N, EVEN, ODD, COUNT, APART)                                                       \
	static inline __attribute__((always_inline)) void max_some_##N(                            \
	    const ad_real *x, int64_t start, int64_t rows, int64_t row_step, int64_t kernel,       \
	    int64_t stride, int64_t dilation, ad_real *y, int32_t *index)                          \
	{                                                                                          \
		typedef ad_real reals __attribute__((vector_size((N) * sizeof(ad_real)),           \
		                                     aligned(sizeof(ad_real)), may_alias));        \
		typedef max_bit bits __attribute__((vector_size((N) * sizeof(max_bit))));          \
		typedef int32_t indices __attribute__((vector_size((N) * 4), aligned(4),           \
		                                       may_alias));                                \
		reals best = { 0 };                                                                \
		bits at = { 0 };                                                                   \
                                                                                                   \
		x += start;                                                                        \
		_Pragma("GCC unroll 2")                                                            \
		for (int64_t row = 0; row < rows; row++)                                           \
			_Pragma("GCC unroll 2")                                                    \
			for (int64_t k = 0; k < kernel; k++) {                                     \
				int64_t p = row * row_step + k * dilation;                         \
				bits here = (bits){ 0 } + (max_bit)p, more;                        \
				reals v;                                                           \
                                                                                                   \
				if (stride == 1) {                                                 \
					v = *(const reals *)(x + p);                               \
				} else if (stride == 2) {                                          \
					const reals *two = (const reals *)(x + p - (k > 0));       \
					reals a = two[0], b = two[1];                              \
                                                                                                   \
					v = k > 0 ? __builtin_shufflevector(a, b, ODD)             \
					          : __builtin_shufflevector(a, b, EVEN);           \
				} else {                                                           \
					v = (reals){ APART };                                      \
				}                                                                  \
				if (row == 0 && k == 0) {                                          \
					best = v;                                                  \
					continue;                                                  \
				}                                                                  \
				more = (v > best) | (v != v);                                      \
				best = (reals)(((bits)v & more) | ((bits)best & ~more));           \
				at = (here & more) | (at & ~more);                                 \
			}                                                                          \
		at += (bits){ COUNT } * (max_bit)stride + (max_bit)start;                          \
		*(reals *)y = best;                                                                \
		*(indices *)index = __builtin_convertvector(at, indices);                          \
	}

#define LIST(...) __VA_ARGS__
#define AT(n) x[p + (n) * stride]
MAX_SOME(4, LIST(0, 2, 4, 6), LIST(1, 3, 5, 7), LIST(0, 1, 2, 3), LIST(AT(0), AT(1), AT(2), AT(3)))
#if AD_LEVEL >= 1
MAX_SOME(8, LIST(0, 2, 4, 6, 8, 10, 12, 14), LIST(1, 3, 5, 7, 9, 11, 13, 15), LIST(0, 1, 2, 3, 4, 5, 6, 7),
         LIST(AT(0), AT(1), AT(2), AT(3), AT(4), AT(5), AT(6), AT(7)))
#endif
#if AD_LEVEL >= 2
MAX_SOME(16, LIST(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30),
         LIST(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31),
         LIST(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
         LIST(AT(0), AT(1), AT(2), AT(3), AT(4), AT(5), AT(6), AT(7), AT(8), AT(9), AT(10), AT(11), AT(12),
              AT(13), AT(14), AT(15)))
#endif
#undef MAX_SOME
#undef AT
#undef LIST
#define MAX_MOST 16 /* outputs of a vector */

/* The outputs begin..end-1 of a row, all of whose windows lie inside of the columns; that of output 0 begins
 * at x[start]. beyond: vectors may reach behind the last one. Returns the first that is left. */
static inline __attribute__((always_inline)) int64_t
max_inner(const ad_real *x, int64_t start, int64_t begin, int64_t end, bool beyond, int64_t rows,
          int64_t row_step, int64_t kernel, int64_t stride, int64_t dilation, ad_real *y, int32_t *index)
{
	int64_t j = begin;

#define SOME(N, LEAST)                                                                             \
	for (; end - j >= (beyond ? (LEAST) : (N)); j += (N))                                      \
		max_some_##N(x, start + j * stride, rows, row_step, kernel, stride, dilation, y + j, \
		             index + j);
#if AD_LEVEL >= 2
	if (stride <= 2)
		SOME(16, 9)
#endif
#if AD_LEVEL >= 1
	if (stride <= 2)
		SOME(8, 5)
#endif
	SOME(4, 2)
#undef SOME
	return j < end ? j : end;
}

static inline void max_planes(const ad_run *r, int axes, size_t begin, size_t end)
{
	const struct max_attrs *a = r->attrs;
	struct window w[2] = { { 1, 1, 1, 1, 0, 1 } };
	int64_t in[2], out[2], first, last, columns, row_step, kernel, stride, dilation;
	const ad_real *x, *x_end;
	ad_real *y, *y_end;
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
	kernel = w[1].kernel;
	stride = w[1].stride;
	dilation = w[1].dilation;
	row_step = w[0].dilation * in[1];
	/* The outputs whose windows lie inside of the columns; none for a window of one element with
	 * a stride of 2, which is not read beyond. */
	columns = in[1] + w[1].padding - window_extent(&w[1]);
	first = (w[1].padding + stride - 1) / stride;
	last = columns < 0 ? 0 : columns / stride + 1;
	last = last < out[1] ? last : out[1];
	if (stride == 2 && kernel == 1)
		last = 0;
	first = first < last ? first : last;
	x = ad_reals_of(&r->in[0]) + begin * (size_t)(in[0] * in[1]);
	x_end = x + (end - begin) * (size_t)(in[0] * in[1]);
	y = ad_reals_of(&r->out[0]) + begin * (size_t)(out[0] * out[1]);
	y_end = y + (end - begin) * (size_t)(out[0] * out[1]);
	index = ad_indices_of(&r->out[1]) + begin * (size_t)(out[0] * out[1]);
	for (size_t n = begin; n < end; n++, x += in[0] * in[1])
		for (int64_t i = 0; i < out[0]; i++, y += out[1], index += out[1]) {
			int64_t top, bottom, rows, start, j;
			bool beyond;

			window_inside(&w[0], i, &top, &bottom);
			rows = bottom - top;
			start = (i * w[0].stride - w[0].padding + top * w[0].dilation) * in[1] - w[1].padding;
			/* Behind this row, what other windows give is overwritten when its turn comes. */
			beyond = y_end - y >= last + MAX_MOST &&
			         x_end - x > start + (rows - 1) * row_step + (last + MAX_MOST) * stride +
			                         (kernel - 1) * dilation;
#define INNER(rows, kernel, stride, dilation)                                                      \
	max_inner(x, start, first, last, beyond, rows, row_step, kernel, stride, dilation, y, index)
			if (stride == 2 && kernel == 2 && dilation == 1 && rows == 2)
				j = INNER(2, 2, 2, 1);
			else if (stride == 2)
				j = INNER(rows, kernel, 2, dilation);
			else if (stride == 1)
				j = INNER(rows, kernel, 1, dilation);
			else
				j = INNER(rows, kernel, stride, dilation);
#undef INNER
			for (; j < out[1]; j++)
				max_one(x, w, i, j, y + j, index + j);
			for (j = 0; j < first; j++)
				max_one(x, w, i, j, y + j, index + j);
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
