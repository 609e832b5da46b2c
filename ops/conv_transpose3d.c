/*
 * conv_transpose3d: y = x spread by a kernel over three axes: the gradient of conv3d by its input.
 *
 *   x   (N, channels, D, H, W)
 *   w   (channels, outputs / groups, kd, kh, kw)
 *   b   (outputs), may be left out
 *   y   (N, outputs, ...): (size - 1) stride - 2 padding + dilation (k - 1) + 1 + output_padding
 *   y[n, o, i stride - padding + k dilation] += w[c, o, k] x[n, c, i], starting from b[o]
 *   dx = conv3d(dy, w), dw = conv_weight(dy, x), db = dy summed; x and w are kept
 *
 * Dumoulin and Visin, "A guide to convolution arithmetic for deep learning" (2016), chapter 4.
 */
#include "op.h"
#include "kernels/convolution.h"

static const ad_attr attrs[] = {
	CONV_ATTRS,
	AD_ATTR(struct conv_attrs, output_padding, AD_INTLIST, "0", "sizes to add to y at the end",
	        NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	return conv_transpose_shape(s, 3);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	conv_transpose_grad(y, dy[0], dx, 3);
}

AD_OP(conv_transpose3d, .arity = 2, .optional = 1, .inputs = "x w b", .attrs = attrs,
      .attrs_size = sizeof(struct conv_attrs), .shape = shape, .forward = conv_transpose_forward,
      .backward = conv_transpose_backward, .grad = grad, .reads = AD_READS_INPUTS, .adds = true,
      .samples = { { .in = { AD_DIMS(1, 1, 1, 2, 2), AD_DIMS(1, 1, 2, 2, 1), AD_DIMS(1) },
                     .give = { AD_LIST(-2, 0, 2, -1), AD_LIST(-3, 0, 3, -1), AD_LIST(10) },
                     .want = { AD_LIST(16, 10, 4, 13, 10, 10, 4, 10, 18, 7, 8, 11) },
                     .dwant = { AD_LIST(-1, -1, -1, -1), AD_LIST(-1, -1, -1, -1), AD_LIST(12) } },
                   { .in = { AD_DIMS(1, 2, 2, 3, 2), AD_DIMS(2, 2, 2, 2, 2), AD_DIMS(2) },
                     .attrs = "stride=[1,2,2] padding=[0,1,0] output_padding=[0,1,1]",
                     .lo = -2,
                     .hi = 2 },
                   { .in = { AD_DIMS(1, 2, 3, 3), AD_DIMS(2, 2, 2, 2, 2) },
                     .error = "x is (batch, channels, depth, height, width), not (1, 2, 3, 3)" } });

/* The transposed convolution of x (N, channels, D, H, W) with w (channels, outputs / groups, kd,
 * kh, kw), plus b, which may be NULL. Each list is one number for each axis, one for all, or
 * AD_ALL: stride and dilation 1, paddings 0. */
AD_API ad_node *ad_conv_transpose3d(ad_node *x, ad_node *w, ad_node *b, ad_ints stride,
                                    ad_ints padding, ad_ints output_padding, ad_ints dilation,
                                    int64_t groups)
{
	struct conv_attrs a = { stride, padding, dilation, groups, output_padding, AD_ALL };

	return AD_CALL_WITH(conv_transpose3d, &a, x, w, b);
}
