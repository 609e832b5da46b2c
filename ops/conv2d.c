/*
 * conv2d: y = x under a kernel that moves over two axes: cross-correlation, plus a bias.
 *
 *   x   (N, channels, H, W)
 *   w   (outputs, channels / groups, kh, kw)
 *   b   (outputs), may be left out
 *   y   (N, outputs, ...): floor of (size + 2 padding - dilation (k - 1) - 1) / stride + 1
 *   y[n, o, i] = b[o] + the sum over c and k of w[o, c, k] x[n, c, i stride - padding + k dilation]
 *   dx = conv_transpose2d(dy, w), dw = conv_weight(x, dy), db = dy summed; x and w are kept
 *
 * x outside of its sizes is 0. With groups, output o sees the channels of its own group alone. Sums
 * are those of a matrix product: the error is below (channels / groups) k ulp of the largest term.
 */
#include "op.h"
#include "kernels/convolution.h"

static const ad_attr attrs[] = {
	CONV_ATTRS,
	{ 0 },
};

static bool shape(ad_infer *s)
{
	return conv_shape(s, 2);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	conv_grad(y, dy[0], dx, 2);
}

AD_OP(conv2d, .arity = 2, .optional = 1, .inputs = "x w b", .attrs = attrs,
      .attrs_size = sizeof(struct conv_attrs), .shape = shape, .forward = conv_forward,
      .backward = conv_backward, .grad = grad, .reads = AD_READS_INPUTS, .adds = true, .finishes = 1,
      .samples = {
	  { .in = { AD_DIMS(1, 2, 3, 3), AD_DIMS(1, 2, 2, 2), AD_DIMS(1) },
            .give = { AD_LIST(-2, 0, 2, -1, 1, -2, 0, 2, -1, 1, -2, 0, 2, -1, 1, -2, 0, 2),
                      AD_LIST(-3, 0, 3, -1, 2, -2, 1, -3), AD_LIST(10) },
            .want = { AD_LIST(23, 7, 15, 4) },
            .dwant = { AD_LIST(-3, -3, 0, 0, -1, -1, 3, 2, -1, 2, 0, -2, 3, -2, -5, 1, -2, -3),
                       AD_LIST(-2, 1, 2, 0, 0, -2, -1, 2), AD_LIST(4) } },
	  { .in = { AD_DIMS(1, 1, 4, 5), AD_DIMS(2, 1, 2, 2), AD_DIMS(2) },
            .attrs = "stride=[2,3] padding=[1,0] dilation=[2,1]",
            .give = { AD_LIST(-2, 0, 2, -1, 1, -2, 0, 2, -1, 1, -2, 0, 2, -1, 1, -2, 0, 2, -1, 1),
                      AD_LIST(-3, 0, 3, -1, 2, -2, 1, -3), AD_LIST(10, 20) },
            .want = { AD_LIST(4, 6, 10, 9, 18, 16, 14, 12) },
            .dwant = { AD_LIST(0, 0, 0, 0, 0, 3, -6, 0, 3, -6, 0, 0, 0, 0, 0, 4, -4, 0, 4, -4),
                       AD_LIST(-3, 1, -6, 2, -3, 1, -6, 2), AD_LIST(4, 4) } },
	  { .in = { AD_DIMS(2, 2, 2, 2), AD_DIMS(4, 1, 2, 1) },
            .attrs = "groups=2",
            .give = { AD_LIST(-2, 0, 2, -1, 1, -2, 0, 2, -1, 1, -2, 0, 2, -1, 1, -2),
                      AD_LIST(-3, 0, 3, -1, 2, -2, 1, -3) },
            .want = { AD_LIST(6, 0, -8, 1, 2, -8, 1, -8, 3, -3, -1, 3, 2, 2, -1, 5) },
            .dwant = { AD_LIST(0, 0, -1, -1, 3, 3, -5, -5, 0, 0, -1, -1, 3, 3, -5, -5),
                       AD_LIST(-2, -1, -2, -1, 0, 1, 0, 1) } },
	  { .in = { AD_DIMS(2, 2, 5, 6), AD_DIMS(3, 2, 3, 3), AD_DIMS(3) },
            .attrs = "padding=1",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(1, 2, 7, 6), AD_DIMS(2, 2, 3, 2), AD_DIMS(2) },
            .attrs = "stride=[2,3] padding=[1,0]",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(2, 3, 5, 5), AD_DIMS(3, 1, 3, 3), AD_DIMS(3) },
            .attrs = "padding=1 groups=3 stride=2",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(1, 1, 6, 6), AD_DIMS(1, 1, 3, 3), AD_DIMS(1) },
            .attrs = "stride=2 dilation=2",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(2, 3, 3, 3), AD_DIMS(4, 3, 1, 1), AD_DIMS(4) }, .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(1, 1, 2, 2), AD_DIMS(2, 1, 2, 2) },
            .attrs = "padding=3",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(0, 2, 5, 5), AD_DIMS(3, 2, 3, 3), AD_DIMS(3) }, .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(2, 3, 5, 5), AD_DIMS(4, 2, 3, 3), AD_DIMS(4) },
            .attrs = "groups=3",
            .error = "takes 6" },
	  { .in = { AD_DIMS(2, 4, 5, 5), AD_DIMS(3, 2, 3, 3) },
            .attrs = "groups=2",
            .error = "the 3 outputs of w (3, 2, 3, 3) are no multiple of groups 2" } });

/* Cross-correlation of x (N, channels, H, W) with w (outputs, channels / groups, kh, kw), plus b,
 * which may be NULL. Each list is one number for each axis, one for all, or AD_ALL: stride and
 * dilation 1, padding 0. */
AD_API ad_node *ad_conv2d(ad_node *x, ad_node *w, ad_node *b, ad_ints stride, ad_ints padding,
                          ad_ints dilation, int64_t groups)
{
	struct conv_attrs a = { stride, padding, dilation, groups, AD_ALL, AD_ALL };

	return AD_CALL_WITH(conv2d, &a, x, w, b);
}
