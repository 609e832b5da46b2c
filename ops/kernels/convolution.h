/*
 * convolution: shape rules, kernels and gradients that conv1d, 2d, 3d, conv_transpose1d, 2d, 3d and
 * conv_weight share. The gradients of each are the others, so derivatives of any order exist.
 */
#ifndef OPS_KERNELS_CONVOLUTION_H
#define OPS_KERNELS_CONVOLUTION_H

#include "conv.h"

static inline const char *conv_axes(int d)
{
	return d == 1 ? "length" : d == 2 ? "height, width" : "depth, height, width";
}

static inline bool conv_lists(ad_infer *s, int d)
{
	const struct conv_attrs *a = s->attrs;

	if (a->groups < 1 || a->groups > INT32_MAX)
		return ad_refuse(s, "groups must be in 1..%d, not %lld", INT32_MAX,
		                 (long long)a->groups);
	return window_list(s, "stride", a->stride, d, 1) &&
	       window_list(s, "padding", a->padding, d, 0) &&
	       window_list(s, "dilation", a->dilation, d, 1);
}

/* x and w of the right number of axes. */
static inline bool conv_ranks(ad_infer *s, int d, const char *first, const char *second)
{
	if (s->in[0].rank != d + 2)
		return ad_refuse(s, "x is (batch, channels, %s), not %s", conv_axes(d),
		                 ad_show(s, 0));
	if (s->in[1].rank != d + 2)
		return ad_refuse(s, "w is (%s, %s, %s), not %s", first, second, conv_axes(d),
		                 ad_show(s, 1));
	for (int i = 0; i < d; i++)
		if (s->in[1].dims[2 + i] < 1 || s->in[1].dims[2 + i] > INT32_MAX)
			return ad_refuse(s, "w %s: a kernel has 1 element or more on each axis",
			                 ad_show(s, 1));
	return true;
}

static inline bool conv_bias(ad_infer *s, int64_t outputs)
{
	const ad_shape *b = s->n_in > 2 ? &s->in[2] : NULL;

	if (b && b->rank >= 0 && (b->rank != 1 || b->dims[0] != outputs))
		return ad_refuse(s, "b must be (%lld,), one for each output channel, not %s",
		                 (long long)outputs, ad_show(s, 2));
	return true;
}

static inline struct window conv_window(const struct conv_attrs *a, int i, int64_t in,
                                        int64_t kernel)
{
	return (struct window){ .in = in,
		                .kernel = kernel,
		                .stride = window_entry(a->stride, i, 1),
		                .padding = window_entry(a->padding, i, 0),
		                .dilation = window_entry(a->dilation, i, 1) };
}

/* Room for the partial sums of the weights, of this geometry. */
static inline void conv_work(ad_infer *s, const ad_shape *w, const ad_shape *y)
{
	const struct conv_attrs *a = s->attrs;
	size_t places = (size_t)y->dims[0], size, rows = (size_t)w->dims[1], slices;

	for (int i = 2; i < y->rank; i++) {
		places *= (size_t)y->dims[i];
		rows *= (size_t)w->dims[i];
	}
	ad_count_of(w, &size);
	slices =
	    conv_slices(places, (size_t)a->groups, (size_t)w->dims[0] / (size_t)a->groups, rows);
	if (slices > 1)
		s->work = slices * size * (ad_is_f64(s->graph) ? sizeof(double) : sizeof(float));
}

static inline bool conv_shape(ad_infer *s, int d)
{
	const struct conv_attrs *a = s->attrs;
	const ad_shape *x = &s->in[0], *w = &s->in[1];
	ad_shape y = { .rank = d + 2 };
	size_t count;

	if (!conv_ranks(s, d, "outputs", "channels / groups") || !conv_lists(s, d))
		return false;
	if (x->dims[1] % a->groups || x->dims[1] / a->groups != w->dims[1])
		return ad_refuse(s, "x %s has %lld channels, but w %s with groups %lld takes %lld",
		                 ad_show(s, 0), (long long)x->dims[1], ad_show(s, 1),
		                 (long long)a->groups, (long long)(w->dims[1] * a->groups));
	if (w->dims[0] % a->groups)
		return ad_refuse(s, "the %lld outputs of w %s are no multiple of groups %lld",
		                 (long long)w->dims[0], ad_show(s, 1), (long long)a->groups);
	if (!conv_bias(s, w->dims[0]))
		return false;
	y.dims[0] = x->dims[0];
	y.dims[1] = w->dims[0];
	for (int i = 0; i < d; i++) {
		struct window v = conv_window(a, i, x->dims[2 + i], w->dims[2 + i]);

		y.dims[2 + i] = window_count(&v, false);
		if (y.dims[2 + i] < 1)
			return ad_refuse(s,
			                 "the kernel covers %lld of axis %d, where x %s has %lld "
			                 "with padding %lld on both sides",
			                 (long long)window_extent(&v), 2 + i, ad_show(s, 0),
			                 (long long)v.in, (long long)v.padding);
	}
	if (!ad_count_of(&y, &count))
		return ad_refuse(s, "a result of shape %s is too large", ad_show_shape(s, y));
	s->out[0] = y;
	conv_work(s, w, &y);
	return true;
}

static inline bool conv_transpose_shape(ad_infer *s, int d)
{
	const struct conv_attrs *a = s->attrs;
	const ad_shape *x = &s->in[0], *w = &s->in[1];
	ad_shape y = { .rank = d + 2 };
	size_t count;

	if (!conv_ranks(s, d, "channels", "outputs / groups") || !conv_lists(s, d) ||
	    !window_list(s, "output_padding", a->output_padding, d, 0))
		return false;
	if (x->dims[1] != w->dims[0])
		return ad_refuse(s, "x %s has %lld channels, but w %s takes %lld", ad_show(s, 0),
		                 (long long)x->dims[1], ad_show(s, 1), (long long)w->dims[0]);
	if (w->dims[0] % a->groups)
		return ad_refuse(s, "the %lld channels of w %s are no multiple of groups %lld",
		                 (long long)w->dims[0], ad_show(s, 1), (long long)a->groups);
	if (__builtin_mul_overflow(w->dims[1], a->groups, &y.dims[1]))
		return ad_refuse(s, "too many output channels");
	if (!conv_bias(s, y.dims[1]))
		return false;
	y.dims[0] = x->dims[0];
	for (int i = 0; i < d; i++) {
		struct window v = conv_window(a, i, x->dims[2 + i], w->dims[2 + i]);
		int64_t more = window_entry(a->output_padding, i, 0), size;

		if (more >= v.stride && more >= v.dilation)
			return ad_refuse(s,
			                 "output_padding %lld must be less than stride %lld or "
			                 "dilation %lld",
			                 (long long)more, (long long)v.stride,
			                 (long long)v.dilation);
		if (v.in < 1)
			return ad_refuse(s, "x %s has nothing on axis %d", ad_show(s, 0), 2 + i);
		if (__builtin_mul_overflow(v.in - 1, v.stride, &size) ||
		    __builtin_add_overflow(size, window_extent(&v) + more - 2 * v.padding, &size))
			return ad_refuse(s, "the result is too large on axis %d", 2 + i);
		if (size < 1)
			return ad_refuse(s, "padding %lld leaves nothing on axis %d of x %s",
			                 (long long)v.padding, 2 + i, ad_show(s, 0));
		y.dims[2 + i] = size;
	}
	if (!ad_count_of(&y, &count))
		return ad_refuse(s, "a result of shape %s is too large", ad_show_shape(s, y));
	s->out[0] = y;
	conv_work(s, w, x);
	return true;
}

static inline ad_real *conv_bias_of(const ad_run *r)
{
	return r->n_in > 2 ? ad_reals_of(&r->in[2]) : NULL;
}

/* ---- as units of work: conv, with x, w, y in their roles --------------------------------------
 */

static inline struct conv conv_here(const ad_run *r)
{
	return conv_of(&r->in[0], &r->in[1], &r->out[0], r->attrs);
}

static inline void conv_units(const ad_run *r, size_t begin, size_t end)
{
	struct conv p = conv_here(r);

	AD_VARIANT(conv_product)
	(&p, ad_reals_of(&r->in[0]), ad_reals_of(&r->in[1]), conv_bias_of(r),
	 ad_reals_of(&r->out[0]), begin, end);
}

static inline void conv_forward(const ad_run *r)
{
	struct conv p = conv_here(r);
	size_t units = conv_product_units(&p);

	if (r->out[0].count > 0)
		ad_parallel(r, units, conv_grain(&p, units), conv_units);
}

static inline void conv_units_of_x(const ad_run *r, size_t begin, size_t end)
{
	struct conv p = conv_here(r);

	AD_VARIANT(conv_spread)
	(&p, ad_reals_of(&r->dy[0]), ad_reals_of(&r->in[1]), NULL, ad_reals_of(&r->dx[0]), begin,
	 end);
}

static inline void conv_units_of_w(const ad_run *r, size_t begin, size_t end)
{
	struct conv p = conv_here(r);

	AD_VARIANT(conv_weigh)
	(&p, ad_reals_of(&r->in[0]), ad_reals_of(&r->dy[0]),
	 p.slices > 1 ? (ad_real *)r->work : ad_reals_of(&r->dx[1]), begin, end);
}

static inline void conv_sums_of_w(const ad_run *r, size_t begin, size_t end)
{
	struct conv p = conv_here(r);

	AD_VARIANT(conv_add_slices)
	(&p, (const ad_real *)r->work, ad_reals_of(&r->dx[1]), begin, end);
}

static inline struct reduction conv_channels(const ad_array *dy)
{
	bool reduced[AD_MAX_RANK];

	for (int i = 0; i < AD_MAX_RANK; i++)
		reduced[i] = i != 1;
	return reduction_of(dy->rank, dy->dims, reduced);
}

static inline void conv_units_of_b(const ad_run *r, size_t begin, size_t end)
{
	struct reduction channels = conv_channels(&r->dy[0]);

	AD_VARIANT(reduce_sum)
	(&channels, ad_reals_of(&r->dy[0]), 1, ad_reals_of(&r->dx[2]), begin, end);
}

static inline void conv_backward_bias(const ad_run *r)
{
	struct reduction channels;

	if (r->n_in < 3 || !r->dx[2].data || r->dx[2].count == 0)
		return;
	channels = conv_channels(&r->dy[0]);
	ad_parallel(r, channels.outer * reduction_strips(&channels), reduction_grain(&channels),
	            conv_units_of_b);
}

static inline void conv_backward(const ad_run *r)
{
	struct conv p = conv_here(r);
	size_t units;

	if (r->dx[0].data && r->dx[0].count > 0) {
		units = conv_spread_units(&p);
		ad_parallel(r, units, conv_grain(&p, units), conv_units_of_x);
	}
	if (r->dx[1].data && r->dx[1].count > 0) {
		units = conv_weigh_units(&p);
		ad_parallel(r, units, conv_grain(&p, units), conv_units_of_w);
		if (p.slices > 1)
			ad_parallel(r, r->dx[1].count, 32768, conv_sums_of_w);
	}
	conv_backward_bias(r);
}

/* ---- conv_transpose: its input has the role of y, its output that of x ------------------------
 */

static inline struct conv conv_transpose_here(const ad_run *r)
{
	return conv_of(&r->out[0], &r->in[1], &r->in[0], r->attrs);
}

static inline void conv_transpose_units(const ad_run *r, size_t begin, size_t end)
{
	struct conv p = conv_transpose_here(r);

	AD_VARIANT(conv_spread)
	(&p, ad_reals_of(&r->in[0]), ad_reals_of(&r->in[1]), conv_bias_of(r),
	 ad_reals_of(&r->out[0]), begin, end);
}

static inline void conv_transpose_forward(const ad_run *r)
{
	struct conv p = conv_transpose_here(r);
	size_t units = conv_spread_units(&p);

	if (r->out[0].count > 0)
		ad_parallel(r, units, conv_grain(&p, units), conv_transpose_units);
}

static inline void conv_transpose_units_of_x(const ad_run *r, size_t begin, size_t end)
{
	struct conv p = conv_transpose_here(r);

	AD_VARIANT(conv_product)
	(&p, ad_reals_of(&r->dy[0]), ad_reals_of(&r->in[1]), NULL, ad_reals_of(&r->dx[0]), begin,
	 end);
}

static inline void conv_transpose_units_of_w(const ad_run *r, size_t begin, size_t end)
{
	struct conv p = conv_transpose_here(r);

	AD_VARIANT(conv_weigh)
	(&p, ad_reals_of(&r->dy[0]), ad_reals_of(&r->in[0]),
	 p.slices > 1 ? (ad_real *)r->work : ad_reals_of(&r->dx[1]), begin, end);
}

static inline void conv_transpose_sums_of_w(const ad_run *r, size_t begin, size_t end)
{
	struct conv p = conv_transpose_here(r);

	AD_VARIANT(conv_add_slices)
	(&p, (const ad_real *)r->work, ad_reals_of(&r->dx[1]), begin, end);
}

static inline void conv_transpose_backward(const ad_run *r)
{
	struct conv p = conv_transpose_here(r);
	size_t units;

	if (r->dx[0].data && r->dx[0].count > 0) {
		units = conv_product_units(&p);
		ad_parallel(r, units, conv_grain(&p, units), conv_transpose_units_of_x);
	}
	if (r->dx[1].data && r->dx[1].count > 0) {
		units = conv_weigh_units(&p);
		ad_parallel(r, units, conv_grain(&p, units), conv_transpose_units_of_w);
		if (p.slices > 1)
			ad_parallel(r, r->dx[1].count, 32768, conv_transpose_sums_of_w);
	}
	conv_backward_bias(r);
}

/* ---- as nodes -----------------------------------------------------------------------------------
 */

static inline ad_node *conv_node(int d, ad_node *x, ad_node *w, const struct conv_attrs *a)
{
	if (d == 1)
		return ad_conv1d(x, w, NULL, a->stride, a->padding, a->dilation, a->groups);
	if (d == 2)
		return ad_conv2d(x, w, NULL, a->stride, a->padding, a->dilation, a->groups);
	return ad_conv3d(x, w, NULL, a->stride, a->padding, a->dilation, a->groups);
}

/* conv of x, cut to the sizes of `like`: what is left of x may have made room for more. */
static inline ad_node *conv_node_like(int d, ad_node *x, ad_node *w, const struct conv_attrs *a,
                                      ad_node *like)
{
	ad_node *y = conv_node(d, x, w, a);
	ad_shape have = ad_shape_of(y), want = ad_shape_of(like);

	if (ad_is_error(y) || ad_equal_shapes(&have, &want))
		return y;
	return ad_slice(y, (ad_ints){ d, (int64_t[]){ 2, 3, 4 } }, AD_ALL,
	                (ad_ints){ d, want.dims + 2 }, AD_ALL);
}

/* The transposed convolution of y that gives the sizes of `like`. */
static inline ad_node *conv_transpose_node(int d, ad_node *y, ad_node *w,
                                           const struct conv_attrs *a, ad_node *like)
{
	ad_shape x = ad_shape_of(like), shape_y = ad_shape_of(y), shape_w = ad_shape_of(w);
	int64_t more[3] = { 0 };
	ad_ints list = { d, more };

	for (int i = 0; i < d; i++) {
		struct window v = conv_window(a, i, x.dims[2 + i], shape_w.dims[2 + i]);

		more[i] = v.in - ((shape_y.dims[2 + i] - 1) * v.stride - 2 * v.padding +
		                  window_extent(&v));
	}
	if (d == 1)
		return ad_conv_transpose1d(y, w, NULL, a->stride, a->padding, list, a->dilation,
		                           a->groups);
	if (d == 2)
		return ad_conv_transpose2d(y, w, NULL, a->stride, a->padding, list, a->dilation,
		                           a->groups);
	return ad_conv_transpose3d(y, w, NULL, a->stride, a->padding, list, a->dilation, a->groups);
}

static inline ad_node *conv_weight_node(int d, ad_node *x, ad_node *y, ad_node *like,
                                        const struct conv_attrs *a)
{
	ad_shape w = ad_shape_of(like);

	return ad_conv_weight(x, y, (ad_ints){ d, w.dims + 2 }, a->stride, a->padding, a->dilation,
	                      a->groups);
}

static inline void conv_grad_bias(ad_node *y, ad_node *dy, ad_node *dx[], int d)
{
	if (ad_inputs(y) > 2 && ad_wants(y, 2))
		dx[2] = ad_sum(dy, (ad_ints){ d + 1, (int64_t[]){ 0, 2, 3, 4 } }, false);
}

static inline void conv_grad(ad_node *y, ad_node *dy, ad_node *dx[], int d)
{
	const struct conv_attrs *a = ad_attrs_of(y);
	ad_node *x = ad_input_of(y, 0), *w = ad_input_of(y, 1);

	if (ad_wants(y, 0))
		dx[0] = conv_transpose_node(d, dy, w, a, x);
	if (ad_wants(y, 1))
		dx[1] = conv_weight_node(d, x, dy, w, a);
	conv_grad_bias(y, dy, dx, d);
}

static inline void conv_transpose_grad(ad_node *y, ad_node *dy, ad_node *dx[], int d)
{
	const struct conv_attrs *a = ad_attrs_of(y);
	ad_node *x = ad_input_of(y, 0), *w = ad_input_of(y, 1);

	if (ad_wants(y, 0))
		dx[0] = conv_node_like(d, dy, w, a, x);
	if (ad_wants(y, 1))
		dx[1] = conv_weight_node(d, dy, x, w, a);
	conv_grad_bias(y, dy, dx, d);
}

#endif
