/*
 * avg_pool2d: y = the mean of the elements of x in each window over the last two axes.
 *
 *   x   (..., height, width), any leading axes
 *   y   (..., windows on each axis): (size + 2 padding - kernel) / stride + 1, rounded down, or
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
	AVG_DIVISOR,
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct avg_attrs *a = s->attrs;
	struct window w[2] = { { 0 } };

	if (!pool_windows(s, 2, a->kernel, a->stride, a->padding, AD_ALL, a->ceil_mode, w))
		return false;
	if (a->divisor_override == 0)
		return ad_refuse(s, "divisor_override is 0: nothing can be divided by it");
	return planes_shape(s, &s->out[0], 2, w[0].out, w[1].out) &&
	       planes_work(s, &s->in[0], 2, (const int64_t[]){ w[0].out, w[1].out },
	                   (const int64_t[]){ 1, 1 }, true);
}

static void units(const ad_run *r, size_t begin, size_t end)
{
	struct planes p = avg_planes(r, &r->in[0], 2, false);

	AD_VARIANT(planes_apply)
	(&p, ad_reals_of(&r->in[0]), ad_reals_of(&r->out[0]), begin, end);
}

static void forward(const ad_run *r)
{
	struct planes p = avg_planes(r, &r->in[0], 2, true);

	ad_parallel(r, p.n, planes_worth(&p), units);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct avg_attrs *a = ad_attrs_of(y);
	ad_shape x = ad_shape_of(ad_input_of(y, 0));

	dx[0] = ad_avg_pool2d_adjoint(dy[0], AD_INTS(x.dims[x.rank - 2], x.dims[x.rank - 1]),
	                              a->kernel, a->stride, a->padding, a->ceil_mode,
	                              a->count_include_pad, a->divisor_override);
}

AD_OP(avg_pool2d, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct avg_attrs),
      .shape = shape, .forward = forward, .grad = grad,
      .samples = {
	  { .in = { AD_DIMS(1, 4, 4) },
            .attrs = "kernel=2",
            .give = { AD_LIST(-4, 3, -1, 6, 2, -2, 5, 1, -3, 4, 0, -4, 3, -1, 6, 2) },
            .want = { AD_LIST(-1. / 4, 11. / 4, 3. / 4, 1) },
            .dwant = { AD_LIST(1. / 4, 1. / 4, 1. / 4, 1. / 4, 1. / 4, 1. / 4, 1. / 4, 1. / 4,
                               1. / 4, 1. / 4, 1. / 4, 1. / 4, 1. / 4, 1. / 4, 1. / 4, 1. / 4) } },
	  { .in = { AD_DIMS(1, 3, 3) },
            .attrs = "kernel=3 stride=2 padding=1",
            .give = { AD_LIST(-4, 3, -1, 6, 2, -2, 5, 1, -3) },
            .want = { AD_LIST(7. / 9, 2. / 9, 14. / 9, -2. / 9) },
            .dwant = { AD_LIST(1. / 9, 2. / 9, 1. / 9, 2. / 9, 4. / 9, 2. / 9, 1. / 9, 2. / 9,
                               1. / 9) } },
	  { .in = { AD_DIMS(1, 3, 4) },
            .attrs = "kernel=[3,2] stride=[2,3] padding=1 ceil_mode=true count_include_pad=false",
            .give = { AD_LIST(-4, 3, -1, 6, 2, -2, 5, 1, -3, 4, 0, -4) },
            .want = { AD_LIST(-1, 11. / 4, -1. / 2, 1. / 2) },
            .dwant = { AD_LIST(1. / 2, 0, 1. / 4, 1. / 4, 1, 0, 1. / 2, 1. / 2, 1. / 2, 0, 1. / 4,
                               1. / 4) } },
	  { .in = { AD_DIMS(1, 3, 3) },
            .attrs = "kernel=2 stride=[1,2] divisor_override=3",
            .give = { AD_LIST(-4, 3, -1, 6, 2, -2, 5, 1, -3) },
            .want = { AD_LIST(7. / 3, 14. / 3) },
            .dwant = { AD_LIST(1. / 3, 1. / 3, 0, 2. / 3, 2. / 3, 0, 1. / 3, 1. / 3, 0) } },
	  { .in = { AD_DIMS(1, 5, 4) },
            .attrs = "kernel=3 stride=2 padding=1 ceil_mode=true",
            .give = { AD_LIST(-4, 3, -1, 6, 2, -2, 5, 1, -3, 4, 0, -4, 3, -1, 6, 2, -2, 5, 1, -3) },
            .want = { AD_LIST(-1. / 9, 4. / 3, 7. / 6, 1. / 3, 11. / 9, -1. / 6, 5. / 9, 10. / 9,
                              -1. / 6) },
            .dwant = { AD_LIST(1. / 9, 2. / 9, 1. / 9, 5. / 18, 2. / 9, 4. / 9, 2. / 9, 5. / 9,
                               1. / 9, 2. / 9, 1. / 9, 5. / 18, 2. / 9, 4. / 9, 2. / 9, 5. / 9,
                               1. / 9, 2. / 9, 1. / 9, 5. / 18) } },
	  { .in = { AD_DIMS(2, 2, 5, 6) },
            .attrs = "kernel=3 stride=2 padding=1",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(5, 6) },
            .attrs = "kernel=[3,2] stride=[2,3] padding=1 ceil_mode=true count_include_pad=false",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(0, 2, 4, 4) }, .attrs = "kernel=2", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(4) },
            .attrs = "kernel=2",
            .error = "x must have two axes to pool over, not be (4,)" },
	  { .in = { AD_DIMS(4, 4) },
            .attrs = "kernel=2 padding=2",
            .error = "padding 2 is more than half of the window, which covers 2" },
	  { .in = { AD_DIMS(4, 4) },
            .attrs = "kernel=2 divisor_override=0",
            .error = "divisor_override is 0" },
	  { .in = { AD_DIMS(3, 4) },
            .attrs = "kernel=4",
            .error =
                "a window that covers 4 does not fit into axis 0 of x (3, 4) with padding 0" } });

/* The mean of each window over the last two axes of x. Lists are one number for both axes or one
 * for each; stride AD_ALL: the kernel; padding AD_ALL: 0; divisor_override AD_NONE: the size. */
AD_API ad_node *ad_avg_pool2d(ad_node *x, ad_ints kernel, ad_ints stride, ad_ints padding,
                              bool ceil_mode, bool count_include_pad, int64_t divisor_override)
{
	struct avg_attrs a = { kernel,           stride,     padding, ceil_mode, count_include_pad,
		               divisor_override, { 0, NULL } };

	return AD_CALL_WITH(avg_pool2d, &a, x);
}
