/*
 * max_pool2d: y = the largest element of x in each window over the last two axes, and where.
 *
 *   x   (..., height, width), any leading axes
 *   y   (..., windows on each axis): (size + 2 padding - dilation (kernel - 1) - 1) / stride + 1,
 *       rounded down, or up if ceil_mode is set, but none begins behind x and its front padding
 *   indices   shape of y: row * width + column of the first largest element
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
	return max_shape(s, 2);
}

static void planes(const ad_run *r, size_t begin, size_t end)
{
	max_planes(r, 2, begin, end);
}

static void forward(const ad_run *r)
{
	max_parallel(r, 2, planes);
}

static void planes_back(const ad_run *r, size_t begin, size_t end)
{
	max_planes_back(r, 2, begin, end);
}

static void backward(const ad_run *r)
{
	max_parallel(r, 2, planes_back);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = max_grad(y, dy[0], 2);
}

AD_OP(max_pool2d, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct max_attrs),
      .shape = shape, .forward = forward, .backward = backward, .grad = grad,
      .reads = AD_READS_OUTPUTS, .finishes = 2,
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
            .give = { AD_LIST(-1.25, 23.25, 7.75, 32.25, 16.75, 1.25, 25.75, 10.25, 34.75, 19.25,
                              3.75, 28.25, 12.75, 37.25, 21.75, 6.25, 30.75, 15.25, -0.25, 24.25,
                              8.75, 33.25, 17.75, 2.25, 26.75, 11.25, 35.75, 20.25, 4.75, 29.25,
                              13.75, 38.25, 22.75, 7.25, 31.75, 16.25, 0.75, 25.25, 9.75, 34.25,
                              18.75, 3.25, 27.75, 12.25, 36.75, 21.25, 5.75, 30.25, 14.75, -0.75,
                              23.75, 8.25, 32.75, 17.25, 1.75, 26.25, 10.75, 35.25, 19.75, 4.25,
                              28.75, 13.25, 37.75, 22.25, 6.75, 31.25, 15.75, 0.25, 24.75, 9.25,
                              33.75, 18.25, 2.75, 27.25, 11.75, 36.25, 20.75, 5.25, 29.75, 14.25) },
            .smooth = true },
	  { .in = { AD_DIMS(5, 5) },
            .attrs = "kernel=3 stride=1",
            .give = { AD_LIST(-1.25, 6.75, 2.25, 10.25, 5.75, 1.25, 9.25, 4.75, 0.25, 8.25, 3.75,
                              -0.75, 7.25, 2.75, 10.75, 6.25, 1.75, 9.75, 5.25, 0.75, 8.75, 4.25,
                              -0.25, 7.75, 3.25) },
            .smooth = true },
	  { .in = { AD_DIMS(0, 2, 4, 4) }, .attrs = "kernel=2", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(3) },
            .attrs = "kernel=2",
            .error = "x must have two axes to pool over, not be (3,)" },
	  { .in = { AD_DIMS(1, 2) },
            .attrs = "kernel=[1,2] stride=1 padding=[0,1] dilation=3",
            .error = "window 0 on axis 1 of x (1, 2) holds no element" },
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
	struct max_attrs a = { kernel, stride, padding, dilation, ceil_mode };

	return AD_CALL_WITH(max_pool2d, &a, x);
}
