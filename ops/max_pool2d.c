/*
 * max_pool2d: y = the largest element of x in each window over the last two axes, and where it is.
 *
 *   x (..., height, width), any leading axes
 *   y, indices (..., number of windows on each axis): (size + 2 padding - dilation (kernel - 1) -
 * 1) / stride + 1, rounded down, or up if ceil_mode is set, but no window begins behind x and the
 *     padding in front of it. indices: row * width + column of the first largest element
 *   dx = dy at the indices, added up; x need not be kept
 *
 * The padding never wins. NaN does, the last one of a window.
 */
#include "op.h"
#include "kernels/windows.h"

struct attrs {
	ad_ints kernel, stride, padding, dilation;
	bool ceil_mode;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, kernel, AD_INTLIST, NULL, "the size of the windows", NULL),
	AD_ATTR(struct attrs, stride, AD_INTLIST, "null",
	        "from one window to the next; null: the kernel", NULL),
	AD_ATTR(struct attrs, padding, AD_INTLIST, "0", "room on both sides of x", NULL),
	AD_ATTR(struct attrs, dilation, AD_INTLIST, "1", "from one element of a window to the next",
	        NULL),
	AD_ATTR(struct attrs, ceil_mode, AD_FLAG, "false", "a window may hang over the end", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	struct window w[2];

	if (!pool_windows(s, a->kernel, a->stride, a->padding, a->dilation, a->ceil_mode, w))
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
	if (w[0].in > INT32_MAX / (w[1].in ? w[1].in : 1))
		return ad_refuse(s, "the planes of x %s have more elements than an index can count",
		                 ad_show(s, 0));
	s->n_out = 2;
	s->out_type[1] = AD_I32;
	if (!planes_shape(s, &s->out[0], w[0].out, w[1].out))
		return false;
	s->out[1] = s->out[0];
	return true;
}

static void windows_here(const ad_run *r, struct window w[2])
{
	const struct attrs *a = r->attrs;

	for (int i = 0; i < 2; i++) {
		w[i] = (struct window){ .in = r->in[0].dims[r->in[0].rank - 2 + i],
			                .out = r->out[0].dims[r->in[0].rank - 2 + i],
			                .kernel = window_entry(a->kernel, i, 1),
			                .padding = window_entry(a->padding, i, 0),
			                .dilation = window_entry(a->dilation, i, 1) };
		w[i].stride = window_entry(a->stride, i, w[i].kernel);
	}
}

static void planes(const ad_run *r, size_t begin, size_t end)
{
	ad_real *y = ad_reals_of(&r->out[0]);
	int32_t *index = ad_indices_of(&r->out[1]);
	struct window w[2];
	size_t plane, out;

	windows_here(r, w);
	planes_of(&r->in[0], &plane);
	planes_of(&r->out[0], &out);
	y += begin * out;
	index += begin * out;
	for (size_t n = begin; n < end; n++) {
		const ad_real *x = ad_reals_of(&r->in[0]) + n * plane;

		for (int64_t k = 0; k < w[0].out * w[1].out; k++) {
			int64_t i = k / w[1].out, j = k % w[1].out, top, bottom, left, right;
			int64_t at, step = w[1].dilation;
			ad_real best = -(ad_real)INFINITY;

			window_inside(&w[0], i, &top, &bottom);
			window_inside(&w[1], j, &left, &right);
			i = i * w[0].stride - w[0].padding;
			j = j * w[1].stride - w[1].padding;
			at = (i + top * w[0].dilation) * w[1].in + j + left * step;
			for (int64_t row = top; row < bottom; row++) {
				int64_t from = (i + row * w[0].dilation) * w[1].in + j;

				for (int64_t p = from + left * step; p < from + right * step;
				     p += step)
					if (x[p] > best || x[p] != x[p]) {
						best = x[p];
						at = p;
					}
			}
			*y++ = best;
			*index++ = (int32_t)at;
		}
	}
}

static void forward(const ad_run *r)
{
	size_t plane, n = planes_of(&r->in[0], &plane);

	ad_parallel(r, n, planes_grain(plane), planes);
}

/* dx = dy where the largest was. */
static void planes_back(const ad_run *r, size_t begin, size_t end)
{
	size_t plane, out;

	planes_of(&r->in[0], &plane);
	planes_of(&r->out[0], &out);
	for (size_t n = begin; n < end; n++) {
		const ad_real *dy = ad_reals_of(&r->dy[0]) + n * out;
		const int32_t *index = ad_indices_of(&r->out[1]) + n * out;
		ad_real *dx = ad_reals_of(&r->dx[0]) + n * plane;

		memset(dx, 0, plane * sizeof *dx);
		for (size_t k = 0; k < out; k++)
			dx[index[k]] += dy[k];
	}
}

static void backward(const ad_run *r)
{
	size_t plane, n = planes_of(&r->in[0], &plane);

	ad_parallel(r, n, planes_grain(plane), planes_back);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_shape x = ad_shape_of(ad_input_of(y, 0)), shape_y = ad_shape_of(y);
	int64_t n = 1, plane = x.dims[x.rank - 2] * x.dims[x.rank - 1];
	int64_t out = shape_y.dims[x.rank - 2] * shape_y.dims[x.rank - 1];
	ad_node *zeros;

	for (int i = 0; i < x.rank - 2; i++)
		n *= x.dims[i];
	zeros = ad_full(ad_graph_of(y), AD_SHAPE(n, plane), 0);
	dx[0] = ad_scatter_add(zeros, ad_reshape(ad_output(y, 1), AD_SHAPE(n, out)),
	                       ad_reshape(dy[0], AD_SHAPE(n, out)), 1);
	dx[0] = ad_reshape(dx[0], x);
}

AD_OP(max_pool2d, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .shape = shape,
      .forward = forward, .backward = backward, .grad = grad, .reads = AD_READS_OUTPUTS,
      .samples = {
	  { .in = { AD_DIMS(1, 4, 4) },
            .attrs = "kernel=2",
            .give = { AD_LIST(-4, 3, -1, 6, 2, -2, 5, 1, -3, 4, 0, -4, 3, -1, 6, 2) },
            .want = { AD_LIST(3, 6, 4, 6), AD_LIST(1, 3, 9, 14) },
            .dwant = { AD_LIST(0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0) } },
	  { .in = { AD_DIMS(1, 2, 4) },
            .attrs = "kernel=2",
            .give = { AD_LIST(1, 1, 0, 2, 1, 1, 2, 2) },
            .want = { AD_LIST(1, 2), AD_LIST(0, 3) },
            .dwant = { AD_LIST(1, 0, 0, 1, 0, 0, 0, 0) } },
	  { .in = { AD_DIMS(1, 4, 5) },
            .attrs = "kernel=[3,2] stride=[2,3] padding=[1,0] ceil_mode=true",
            .give = { AD_LIST(-1, -6, -4, -2, -7, -5, -3, -1, -6, -4, -2, -7, -5, -3, -1, -6, -4,
                              -2, -7, -5) },
            .want = { AD_LIST(-1, -2, -2, -1, -4, -5), AD_LIST(0, 3, 10, 14, 16, 19) },
            .dwant = { AD_LIST(1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 1) } },
	  { .in = { AD_DIMS(1, 5, 5) },
            .attrs = "kernel=2 stride=[1,2] dilation=[3,2]",
            .give = { AD_LIST(-4, 3, -1, 6, 2, -2, 5, 1, -3, 4, 0, -4, 3, -1, 6, 2, -2, 5, 1, -3, 4,
                              0, -4, 3, -1) },
            .want = { AD_LIST(5, 5, 4, 4), AD_LIST(17, 17, 20, 9) },
            .dwant = { AD_LIST(0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 1, 0, 0,
                               0, 0) } },
	  { .in = { AD_DIMS(1, 3) },
            .attrs = "kernel=[1,2] stride=1",
            .give = { AD_LIST(-INFINITY, -INFINITY, NAN) },
            .want = { AD_LIST(-INFINITY, NAN), AD_LIST(0, 2) } },
	  { .in = { AD_DIMS(2, 2, 4, 5) },
            .attrs = "kernel=3 stride=2 padding=1",
            .give = { AD_LIST(-1.25, 9.25, 19.75, 30.25, 0.75, 11.25, 21.75, 32.25, 2.75, 13.25,
                              23.75, 34.25, 4.75, 15.25, 25.75, 36.25, 6.75, 17.25, 27.75, 38.25,
                              8.75, 19.25, 29.75, 0.25, 10.75, 21.25, 31.75, 2.25, 12.75, 23.25,
                              33.75, 4.25, 14.75, 25.25, 35.75, 6.25, 16.75, 27.25, 37.75, 8.25,
                              18.75, 29.25, -0.25, 10.25, 20.75, 31.25, 1.75, 12.25, 22.75, 33.25,
                              3.75, 14.25, 24.75, 35.25, 5.75, 16.25, 26.75, 37.25, 7.75, 18.25,
                              28.75, -0.75, 9.75, 20.25, 30.75, 1.25, 11.75, 22.25, 32.75, 3.25,
                              13.75, 24.25, 34.75, 5.25, 15.75, 26.25, 36.75, 7.25, 17.75, 28.25) },
            .smooth = true },
	  { .in = { AD_DIMS(5, 5) },
            .attrs = "kernel=3 stride=1",
            .give = { AD_LIST(-1.25, 9.25, 7.25, 5.25, 3.25, 1.25, -0.75, 9.75, 7.75, 5.75, 3.75,
                              1.75, -0.25, 10.25, 8.25, 6.25, 4.25, 2.25, 0.25, 10.75, 8.75, 6.75,
                              4.75, 2.75, 0.75) },
            .smooth = true },
	  { .in = { AD_DIMS(0, 2, 4, 4) }, .attrs = "kernel=2", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(3) },
            .attrs = "kernel=2",
            .error = "x must have two axes to pool over, not be (3,)" },
	  { .in = { AD_DIMS(1, 2) },
            .attrs = "kernel=2 stride=1 padding=1 dilation=3",
            .error = "holds no element" },
	  { .in = { AD_DIMS(3, 3) },
            .attrs = "kernel=0",
            .error = "kernel must be 1 or more, not 0" },
	  { .in = { AD_DIMS(3, 3) },
            .attrs = "kernel=4",
            .error =
                "a window that covers 4 does not fit into axis 0 of x (3, 3) with padding 0" } });

/* The largest element of each window over the last two axes of x; output 1 tells where it is. Lists
 * are one number for both axes or one for each; AD_ALL: stride of the kernel, padding 0,
 * dilation 1. */
AD_API ad_node *ad_max_pool2d(ad_node *x, ad_ints kernel, ad_ints stride, ad_ints padding,
                              ad_ints dilation, bool ceil_mode)
{
	struct attrs a = { kernel, stride, padding, dilation, ceil_mode };

	return AD_CALL_WITH(max_pool2d, &a, x);
}
