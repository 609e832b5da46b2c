/*
 * max_pool1d: y = the largest element of x in each window over the last axis, and where.
 *
 *   x   (..., length), any leading axes
 *   y   (..., windows): (size + 2 padding - dilation (kernel - 1) - 1) / stride + 1,
 *       rounded down, or up if ceil_mode is set, but none begins behind x and its front padding
 *   indices   shape of y: the place of the first largest element
 *   dx = dy at the indices, added up; x need not be kept
 *
 * The padding never wins. NaN does, the last one of a window.
 */
#include "op.h"
#include "kernels/maxima.h"

static const ad_attr attrs[] = {
	MAX_ATTRS,
	{ 0 },
};

static bool shape(ad_infer *s)
{
	return max_shape(s, 1);
}

static void planes(const ad_run *r, size_t begin, size_t end)
{
	max_planes(r, 1, begin, end);
}

static void forward(const ad_run *r)
{
	max_parallel(r, 1, planes);
}

static void planes_back(const ad_run *r, size_t begin, size_t end)
{
	max_planes_back(r, 1, begin, end);
}

static void backward(const ad_run *r)
{
	max_parallel(r, 1, planes_back);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = max_grad(y, dy[0], 1);
}

AD_OP(max_pool1d, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct max_attrs),
      .shape = shape, .forward = forward, .backward = backward, .grad = grad,
      .reads = AD_READS_OUTPUTS, .finishes = 2,
      .samples = {
	  { .in = { AD_DIMS(1, 7) },
            .attrs = "kernel=3 stride=2 padding=1 dilation=2",
            .give = { AD_LIST(-4, 3, -1, 6, 2, -2, 5) },
            .want = { AD_LIST(6, 6, 6), AD_LIST(3, 3, 3) },
            .dwant = { AD_LIST(0, 0, 0, 3, 0, 0, 0) } },
	  { .in = { AD_DIMS(2, 2, 6) },
            .attrs = "kernel=2",
            .give = { AD_LIST(-1.25, 7.25, 3.75, 0.25, 8.75, 5.25, 1.75, 10.25, 6.75, 3.25, -0.25,
                              8.25, 4.75, 1.25, 9.75, 6.25, 2.75, -0.75, 7.75, 4.25, 0.75, 9.25,
                              5.75, 2.25) },
            .smooth = true },
	  { .in = { AD_DIMS(7) },
            .attrs = "kernel=3 stride=2 ceil_mode=true",
            .give = { AD_LIST(-1.25, 0.75, -0.75, 1.25, -0.25, 1.75, 0.25) },
            .smooth = true },
	  { .in = { AD_DIMS(0, 4) }, .attrs = "kernel=2", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(4) },
            .attrs = "kernel=5",
            .error = "a window that covers 5 does not fit into axis 0 of x (4,) with padding 0" },
	  { .in = { AD_DIM0 },
            .attrs = "kernel=1",
            .error = "x must have an axis to pool over, not be ()" },
	  { .in = { AD_DIMS(4) },
            .attrs = "kernel=2 stride=[2,2]",
            .error = "stride has 2 numbers: give one" } });

/* The largest element of each window over the last axis of x; output 1 tells where it is.
 * AD_ALL: stride of the kernel, padding 0, dilation 1. */
AD_API ad_node *ad_max_pool1d(ad_node *x, ad_ints kernel, ad_ints stride, ad_ints padding,
                              ad_ints dilation, bool ceil_mode)
{
	struct max_attrs a = { kernel, stride, padding, dilation, ceil_mode };

	return AD_CALL_WITH(max_pool1d, &a, x);
}
