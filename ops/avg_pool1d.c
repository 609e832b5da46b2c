/*
 * avg_pool1d: y = the mean of the elements of x in each window over the last axis.
 *
 *   x   (..., length), any leading axes
 *   y   (..., windows): (size + 2 padding - kernel) / stride + 1, rounded down, or
 *       up if ceil_mode is set, but none begins behind x and the padding in front of it
 *   dx = dy over the divisor, for every window an element is in; x need not be kept
 *
 * The padding is zeros, which count in the divisor if count_include_pad is set; what hangs over the
 * padding never counts.
 */
#include "op.h"
#include "kernels/averages.h"

static const ad_attr attrs[] = {
	AVG_ATTRS,
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct avg_attrs *a = s->attrs;
	struct window w[2] = { { 0 } };

	if (!pool_windows(s, 1, a->kernel, a->stride, a->padding, AD_ALL, a->ceil_mode, w))
		return false;
	return planes_shape(s, &s->out[0], 1, w[0].out, w[1].out) &&
	       planes_work(s, &s->in[0], 1, (const int64_t[]){ w[0].out, w[1].out },
	                   (const int64_t[]){ 1, 1 }, true);
}

static void units(const ad_run *r, size_t begin, size_t end)
{
	struct planes p = avg_planes(r, &r->in[0], 1, false);

	AD_VARIANT(planes_apply)
	(&p, ad_reals_of(&r->in[0]), ad_reals_of(&r->out[0]), begin, end);
}

static void forward(const ad_run *r)
{
	struct planes p = avg_planes(r, &r->in[0], 1, true);

	ad_parallel(r, p.n, planes_worth(&p), units);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct avg_attrs *a = ad_attrs_of(y);
	ad_shape x = ad_shape_of(ad_input_of(y, 0));
	int64_t kernel[2], stride[2], padding[2];

	/* As windows of height 1 over planes of height 1. */
	dx[0] = ad_avg_pool2d_adjoint(
	    ad_unsqueeze(dy[0], -2), AD_INTS(1, x.dims[x.rank - 1]),
	    window_pair(a->kernel, 1, kernel), window_pair(a->stride, 1, stride),
	    window_pair(a->padding, 0, padding), a->ceil_mode, a->count_include_pad, AD_NONE);
	dx[0] = ad_squeeze(dx[0], AD_INTS(-2));
}

AD_OP(avg_pool1d, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct avg_attrs),
      .shape = shape, .forward = forward, .grad = grad,
      .samples = {
	  { .in = { AD_DIMS(1, 7) },
            .attrs = "kernel=3 stride=2 padding=1 count_include_pad=false",
            .give = { AD_LIST(-4, 3, -1, 6, 2, -2, 5) },
            .want = { AD_LIST(-1. / 2, 8. / 3, 2, 3. / 2) },
            .dwant = { AD_LIST(1. / 2, 5. / 6, 1. / 3, 2. / 3, 1. / 3, 5. / 6, 1. / 2) } },
	  { .in = { AD_DIMS(4) },
            .attrs = "kernel=3 stride=2 padding=1 ceil_mode=true",
            .give = { AD_LIST(-4, 3, -1, 6) },
            .want = { AD_LIST(-1. / 3, 8. / 3, 3) },
            .dwant = { AD_LIST(1. / 3, 2. / 3, 1. / 3, 5. / 6) } },
	  { .in = { AD_DIMS(2, 2, 7) }, .attrs = "kernel=2", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(6) },
            .attrs = "kernel=3 stride=2 padding=1 ceil_mode=true",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(0, 4) }, .attrs = "kernel=2", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(4) },
            .attrs = "kernel=5",
            .error = "a window that covers 5 does not fit into axis 0 of x (4,) with padding 0" },
	  { .in = { AD_DIM0 },
            .attrs = "kernel=1",
            .error = "x must have an axis to pool over, not be ()" },
	  { .in = { AD_DIMS(4) },
            .attrs = "kernel=[2,2]",
            .error = "kernel has 2 numbers: give one" } });

/* The mean of each window along the last axis of x; stride AD_ALL: the kernel; padding AD_ALL: 0.
 */
AD_API ad_node *ad_avg_pool1d(ad_node *x, ad_ints kernel, ad_ints stride, ad_ints padding,
                              bool ceil_mode, bool count_include_pad)
{
	struct avg_attrs a = { kernel,  stride,     padding, ceil_mode, count_include_pad,
		               AD_NONE, { 0, NULL } };

	return AD_CALL_WITH(avg_pool1d, &a, x);
}
