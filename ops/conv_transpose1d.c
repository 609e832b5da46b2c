/*
 * conv_transpose1d: y = x spread by a kernel over one axis: the gradient of conv1d by its input.
 *
 *   x   (N, channels, L)
 *   w   (channels, outputs / groups, k)
 *   b   (outputs), may be left out
 *   y   (N, outputs, ...): (size - 1) stride - 2 padding + dilation (k - 1) + 1 + output_padding
 *   y[n, o, i stride - padding + k dilation] += w[c, o, k] x[n, c, i], starting from b[o]
 *   dx = conv1d(dy, w), dw = conv_weight(dy, x), db = dy summed; x and w are kept
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
	return conv_transpose_shape(s, 1);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	conv_transpose_grad(y, dy[0], dx, 1);
}

AD_OP(conv_transpose1d, .arity = 2, .optional = 1, .inputs = "x w b", .attrs = attrs,
      .attrs_size = sizeof(struct conv_attrs), .shape = shape, .forward = conv_transpose_forward,
      .backward = conv_transpose_backward, .grad = grad, .reads = AD_READS_INPUTS, .adds = true,
      .samples = { { .in = { AD_DIMS(1, 2, 3), AD_DIMS(2, 2, 2), AD_DIMS(2) },
                     .attrs = "stride=2",
                     .give = { AD_LIST(-2, 0, 2, -1, 1, -2), AD_LIST(-3, 0, 3, -1, 2, -2, 1, -3),
                               AD_LIST(10, 20) },
                     .want = { AD_LIST(14, 12, 12, 8, 0, 14, 13, 25, 21, 17, 24, 24) },
                     .dwant = { AD_LIST(-1, -1, -1, -2, -2, -2),
                                AD_LIST(0, 0, 0, 0, -2, -2, -2, -2), AD_LIST(6, 6) } },
                   { .in = { AD_DIMS(1, 2, 3), AD_DIMS(2, 1, 3) },
                     .attrs = "stride=2 padding=1 output_padding=1 groups=2",
                     .give = { AD_LIST(-2, 0, 2, -1, 1, -2), AD_LIST(-3, 0, 3, -1, 2, -2) },
                     .want = { AD_LIST(0, -6, 0, -6, 0, 6, -2, 1, 2, 0, -4, 4) },
                     .dwant = { AD_LIST(3, 0, 0, 0, -1, -1), AD_LIST(2, 0, 0, -1, -2, -2) } },
                   { .in = { AD_DIMS(2, 3, 4), AD_DIMS(3, 2, 3), AD_DIMS(2) },
                     .attrs = "stride=2 padding=1 output_padding=1",
                     .lo = -2,
                     .hi = 2 },
                   { .in = { AD_DIMS(1, 2, 4), AD_DIMS(2, 2, 2) },
                     .attrs = "dilation=3 output_padding=2",
                     .lo = -2,
                     .hi = 2 },
                   { .in = { AD_DIMS(0, 2, 3), AD_DIMS(2, 1, 2), AD_DIMS(1) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(1, 2, 3), AD_DIMS(3, 2, 2) },
                     .error = "x (1, 2, 3) has 2 channels, but w (3, 2, 2) takes 3" },
                   { .in = { AD_DIMS(1, 2, 3), AD_DIMS(2, 2, 2) },
                     .attrs = "output_padding=1",
                     .error = "output_padding 1 must be less than stride 1 or dilation 1" },
                   { .in = { AD_DIMS(1, 2, 1), AD_DIMS(2, 2, 2) },
                     .attrs = "padding=1",
                     .error = "padding 1 leaves nothing on axis 2" } });

/* The transposed convolution of x (N, channels, L) with w (channels, outputs / groups, k),
 * plus b, which may be NULL. Each list is one number for each axis, one for all, or AD_ALL: stride
 * and dilation 1, paddings 0. */
AD_API ad_node *ad_conv_transpose1d(ad_node *x, ad_node *w, ad_node *b, ad_ints stride,
                                    ad_ints padding, ad_ints output_padding, ad_ints dilation,
                                    int64_t groups)
{
	struct conv_attrs a = { stride, padding, dilation, groups, output_padding, AD_ALL };

	return AD_CALL_WITH(conv_transpose1d, &a, x, w, b);
}
