/*
 * convolution: shape rules, kernels and gradients that conv1d, 2d, 3d, conv_transpose1d, 2d, 3d and
 * conv_weight share. The gradients of each are the others, so derivatives of any order exist.
 */
#ifndef OPS_KERNELS_CONVOLUTION_H
#define OPS_KERNELS_CONVOLUTION_H

#include "direct.h"

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

/* Room for the weights in the order in which they are read, or for the partial sums of their gradient. */
static inline void conv_work(ad_infer *s, const ad_shape *x, const ad_shape *w, const ad_shape *y)
{
	struct conv p = conv_of(x->rank, x->dims, w->dims, y->dims, s->attrs);
	double size = (double)p.G * (double)p.plane_k, product, spread, sums;

	product = size * (double)(p.M + CONV_TILE) * (double)p.C;
	spread = size * (double)(p.C + CONV_TILE) * (double)p.M;
	/* those of the biases lie behind them */
	sums = (product + (double)p.G * (double)p.M) * (double)p.slices;
	size = product > spread ? product : spread;
	size = (size > sums ? size : sums) * (ad_is_f64(s->graph) ? sizeof(double) : sizeof(float));
	s->work = size < (double)(SIZE_MAX / 4) ? (size_t)size : SIZE_MAX / 4;
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
	conv_work(s, x, w, &y);
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
	conv_work(s, &y, w, x);
	return true;
}

/* ---- kernels: conv, and conv_transpose, whose input has the role of y and whose output that of x -----
 */

/* What makes output 0, or dx[0]: to = the product of `from` with w, or `from` spread by w. */
struct conv_roles {
	struct conv p;
	bool spread;
	const ad_real *from, *w, *b;
	ad_real *to;
};

static inline struct conv conv_here(const ad_run *r, bool transposed)
{
	const ad_array *in = &r->in[0], *out = &r->out[0];

	return conv_of(in->rank, transposed ? out->dims : in->dims, r->in[1].dims,
	               transposed ? in->dims : out->dims, r->attrs);
}

static inline struct conv_roles conv_roles_of(const ad_run *r, bool transposed, bool back)
{
	return (struct conv_roles){
		.p = conv_here(r, transposed),
		.spread = back != transposed,
		.from = ad_reals_of(back ? &r->dy[0] : &r->in[0]),
		.w = ad_reals_of(&r->in[1]),
		.b = !back && r->n_in > 2 ? ad_reals_of(&r->in[2]) : NULL,
		.to = ad_reals_of(back ? &r->dx[0] : &r->out[0]),
	};
}

/* Of which gathers it is made up, in this order. */
static inline size_t conv_gathers(const struct conv_roles *c)
{
	return c->spread ? direct_remainders(&c->p) : 1;
}

static inline struct direct conv_gather(const struct conv_roles *c, size_t k)
{
	return c->spread ? AD_VARIANT(direct_spread)(&c->p, k) : AD_VARIANT(direct_product)(&c->p);
}

/* The weights of all gathers, one behind the other; a unit is a block of rows. */
static inline void conv_pack(const ad_run *r, bool transposed, bool back, size_t begin, size_t end)
{
	struct conv_roles c = conv_roles_of(r, transposed, back);
	ad_real *to = (ad_real *)r->work;

	for (size_t k = 0; k < conv_gathers(&c); k++) {
		struct direct q = conv_gather(&c, k);

		AD_VARIANT(direct_pack)(&q, c.w, to, begin, end);
		to += direct_packed(&q);
	}
}

/* Units of the gather that has the most. */
static inline size_t conv_most_units(const struct conv_roles *c)
{
	size_t most = 0;

	for (size_t k = 0; k < conv_gathers(c); k++) {
		struct direct q = conv_gather(c, k);
		size_t units = direct_units(&q);

		most = most > units ? most : units;
	}
	return most;
}

/* Unit k of every gather, for k from begin to end: they write to the same cache lines. */
static inline void conv_units(const ad_run *r, bool transposed, bool back, size_t begin, size_t end)
{
	enum { AT_ONCE = 4 };
	struct conv_roles c = conv_roles_of(r, transposed, back);
	const ad_real *packed = (const ad_real *)r->work;
	size_t gathers = conv_gathers(&c);

	for (size_t first = 0; first < gathers; first += AT_ONCE) {
		size_t n = gathers - first < AT_ONCE ? gathers - first : AT_ONCE;
		struct direct q[AT_ONCE];
		const ad_real *w[AT_ONCE];

		for (size_t k = 0; k < n; k++) {
			q[k] = conv_gather(&c, first + k);
			w[k] = packed;
			packed += direct_packed(&q[k]);
		}
		for (size_t unit = begin; unit < end; unit++)
			for (size_t k = 0; k < n; k++)
				if (unit < direct_units(&q[k]))
					AD_VARIANT(direct_gather)
		(&q[k], c.from, w[k], c.b, c.to, ad_adds(r, 0), transposed || back ? NULL : r, unit,
		 unit + 1);
	}
}

static inline bool conv_wants_bias(const ad_run *r)
{
	return r->n_in > 2 && r->dx[2].data && r->dx[2].count > 0;
}

static inline void conv_sums(const ad_run *r, bool transposed, size_t begin, size_t end)
{
	struct conv p = conv_here(r, transposed);
	struct weigh v = AD_VARIANT(weigh_of)(&p);

	AD_VARIANT(weigh_slices)
	(&v, ad_reals_of(transposed ? &r->dy[0] : &r->in[0]),
	 ad_reals_of(transposed ? &r->in[0] : &r->dy[0]), !transposed && conv_wants_bias(r), (ad_real *)r->work,
	 begin, end);
}

static inline void conv_weights(const ad_run *r, bool transposed, size_t begin, size_t end)
{
	struct conv p = conv_here(r, transposed);
	struct weigh v = AD_VARIANT(weigh_of)(&p);
	bool biases = !transposed && conv_wants_bias(r);

	AD_VARIANT(weigh_sum)
	(&v, (ad_real *)r->work, ad_reals_of(&r->dx[1]), ad_adds(r, 1),
	 biases ? ad_reals_of(&r->dx[2]) : NULL, biases && ad_adds(r, 2), begin, end);
}

/* db of the outputs begin..end-1: sums of planes, image by image. Where the weights' gradient is wanted and
 * reads the same planes, it sums them up meanwhile. */
static inline void conv_biases(const ad_run *r, size_t begin, size_t end)
{
	const ad_array *dy = &r->dy[0];
	size_t channels = (size_t)dy->dims[1], images = (size_t)dy->dims[0];
	size_t plane = dy->count ? dy->count / channels / images : 0;
	ad_real *db = ad_reals_of(&r->dx[2]);

	for (size_t m = begin; m < end; m++) {
		ad_real all = 0;

		for (size_t n = 0; n < images; n++)
			all += AD_VARIANT(run_sum)(
			    ad_reals_of(dy) + (n * channels + m) * plane, plane);
		db[m] = ad_adds(r, 2) ? db[m] + all : all;
	}
}

/* As ad_parallel calls them. */
typedef void conv_slice(const ad_run *r, size_t begin, size_t end);

#define CONV_SLICE(name, call, ...)                                                                \
	static inline void name(const ad_run *r, size_t begin, size_t end)                         \
	{                                                                                          \
		call(r, __VA_ARGS__, begin, end);                                                  \
	}
CONV_SLICE(conv_pack_forward, conv_pack, false, false)
CONV_SLICE(conv_pack_backward, conv_pack, false, true)
CONV_SLICE(conv_transpose_pack_forward, conv_pack, true, false)
CONV_SLICE(conv_transpose_pack_backward, conv_pack, true, true)
CONV_SLICE(conv_units_forward, conv_units, false, false)
CONV_SLICE(conv_units_backward, conv_units, false, true)
CONV_SLICE(conv_transpose_units_forward, conv_units, true, false)
CONV_SLICE(conv_transpose_units_backward, conv_units, true, true)
CONV_SLICE(conv_sums_as_is, conv_sums, false)
CONV_SLICE(conv_sums_transposed, conv_sums, true)
CONV_SLICE(conv_weights_as_is, conv_weights, false)
CONV_SLICE(conv_weights_transposed, conv_weights, true)
#undef CONV_SLICE

static inline size_t conv_grain(double worth, double work, size_t units)
{
	double one = work / (double)(units ? units : 1) + 1;

	return one >= worth ? 1 : (size_t)(worth / one) + 1;
}

/* output 0, or dx[0] */
static inline void conv_result(const ad_run *r, bool transposed, bool back)
{
	struct conv_roles c = conv_roles_of(r, transposed, back);
	struct direct q = conv_gather(&c, 0);
	size_t blocks = q.G * q.blocks, units = conv_most_units(&c);
	conv_slice *const packs[] = { conv_pack_forward, conv_pack_backward, conv_transpose_pack_forward,
		                      conv_transpose_pack_backward };
	conv_slice *const gathers[] = { conv_units_forward, conv_units_backward,
		                        conv_transpose_units_forward, conv_transpose_units_backward };

	if ((back ? &r->dx[0] : &r->out[0])->count == 0)
		return;
	if (r->in[1].count > 0)
		ad_parallel(r, blocks, conv_grain(1 << 15, (double)r->in[1].count, blocks),
		            packs[2 * transposed + back]);
	ad_parallel(r, units, conv_grain(1 << 18, conv_multiplications(&c.p), units),
	            gathers[2 * transposed + back]);
}

/* The gradient of the weights, of which there are `count`. */
static inline void conv_weigh(const ad_run *r, const struct conv *p, size_t count,
                              conv_slice *sums, conv_slice *weights)
{
	struct weigh v = AD_VARIANT(weigh_of)(p);
	size_t units = weigh_units(&v), rows = p->G * p->M;

	ad_parallel(r, units, conv_grain(1 << 18, conv_multiplications(p), units), sums);
	ad_parallel(r, rows, conv_grain(1 << 15, (double)count * (double)v.slices, rows), weights);
}

static inline void conv_gradients(const ad_run *r, bool transposed)
{
	struct conv p = conv_here(r, transposed);
	bool weights = r->dx[1].data && r->dx[1].count > 0;

	if (r->dx[0].data)
		conv_result(r, transposed, true);
	if (weights)
		conv_weigh(r, &p, r->dx[1].count, transposed ? conv_sums_transposed : conv_sums_as_is,
		           transposed ? conv_weights_transposed : conv_weights_as_is);
	if (conv_wants_bias(r) && (transposed || !weights))
		ad_parallel(r, r->dx[2].count,
		            conv_grain(1 << 15, (double)r->dy[0].count, r->dx[2].count), conv_biases);
}

static inline void conv_forward(const ad_run *r)
{
	conv_result(r, false, false);
}

static inline void conv_backward(const ad_run *r)
{
	conv_gradients(r, false);
}

static inline void conv_transpose_forward(const ad_run *r)
{
	conv_result(r, true, false);
}

static inline void conv_transpose_backward(const ad_run *r)
{
	conv_gradients(r, true);
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
