/*
 * conv3d: y = x under a kernel that moves over three axes: cross-correlation, plus a bias.
 *
 *   x   (N, channels, D, H, W)
 *   w   (outputs, channels / groups, kd, kh, kw)
 *   b   (outputs), may be left out
 *   y   (N, outputs, ...): floor of (size + 2 padding - dilation (k - 1) - 1) / stride + 1
 *   y[n, o, i] = b[o] + the sum over c and k of w[o, c, k] x[n, c, i stride - padding + k dilation]
 *   dx = conv_transpose3d(dy, w), dw = conv_weight(x, dy), db = dy summed; x and w are kept
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
	return conv_shape(s, 3);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	conv_grad(y, dy[0], dx, 3);
}

AD_OP(conv3d, .arity = 2, .optional = 1, .inputs = "x w b", .attrs = attrs,
      .attrs_size = sizeof(struct conv_attrs), .shape = shape, .forward = conv_forward,
      .backward = conv_backward, .grad = grad, .reads = AD_READS_INPUTS, .adds = true, .finishes = 1,
      .samples = { { .in = { AD_DIMS(1, 1, 2, 3, 2), AD_DIMS(2, 1, 2, 2, 1), AD_DIMS(2) },
                     .give = { AD_LIST(-2, 0, 2, -1, 1, -2, 0, 2, -1, 1, -2, 0),
                               AD_LIST(-3, 0, 3, -1, 2, -2, 1, -3), AD_LIST(10, 20) },
                     .want = { AD_LIST(17, 15, 3, 16, 15, 21, 27, 23) },
                     .dwant = { AD_LIST(-1, -1, -3, -3, -2, -2, 4, 4, 0, 0, -4, -4),
                                AD_LIST(-1, 0, 2, -2, -1, 0, 2, -2), AD_LIST(4, 4) } },
                   { .in = { AD_DIMS(1, 2, 4, 4, 4), AD_DIMS(2, 2, 2, 3, 2), AD_DIMS(2) },
                     .attrs = "stride=[1,1,2] padding=[0,1,0]",
                     .lo = -2,
                     .hi = 2 },
                   { .in = { AD_DIMS(2, 2, 3, 3, 3), AD_DIMS(2, 1, 2, 2, 2) },
                     .attrs = "groups=2 dilation=[2,1,1]",
                     .lo = -2,
                     .hi = 2 },
                   { .in = { AD_DIMS(1, 2, 4, 4), AD_DIMS(2, 2, 2, 3, 2) },
                     .error = "x is (batch, channels, depth, height, width), not (1, 2, 4, 4)" } });

/* Cross-correlation of x (N, channels, D, H, W) with w (outputs, channels / groups, kd, kh, kw),
 * plus b, which may be NULL. Each list is one number for each axis, one for all, or AD_ALL: stride
 * and dilation 1, padding 0. */
AD_API ad_node *ad_conv3d(ad_node *x, ad_node *w, ad_node *b, ad_ints stride, ad_ints padding,
                          ad_ints dilation, int64_t groups)
{
	struct conv_attrs a = { stride, padding, dilation, groups, AD_ALL, AD_ALL };

	return AD_CALL_WITH(conv3d, &a, x, w, b);
}
