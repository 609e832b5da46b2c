/*
 * conv1d: y = x under a kernel that moves along one axis: cross-correlation, plus a bias.
 *
 *   x   (N, channels, L)
 *   w   (outputs, channels / groups, k)
 *   b   (outputs), may be left out
 *   y   (N, outputs, ...): floor of (size + 2 padding - dilation (k - 1) - 1) / stride + 1
 *   y[n, o, i] = b[o] + the sum over c and k of w[o, c, k] x[n, c, i stride - padding + k dilation]
 *   dx = conv_transpose1d(dy, w), dw = conv_weight(x, dy), db = dy summed; x and w are kept
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
	return conv_shape(s, 1);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	conv_grad(y, dy[0], dx, 1);
}

AD_OP(conv1d, .arity = 2, .optional = 1, .inputs = "x w b", .attrs = attrs,
      .attrs_size = sizeof(struct conv_attrs), .shape = shape, .forward = conv_forward,
      .backward = conv_backward, .grad = grad, .reads = AD_READS_INPUTS, .adds = true, .finishes = 1,
      .samples = {
	  { .in = { AD_DIMS(1, 2, 5), AD_DIMS(2, 2, 3), AD_DIMS(2) },
            .give = { AD_LIST(-2, 0, 2, -1, 1, -2, 0, 2, -1, 1),
                      AD_LIST(-3, 0, 3, -1, 2, -2, 1, -3, 0, 3, -1, 2), AD_LIST(10, 20) },
            .want = { AD_LIST(20, 13, 1, 16, 10, 34) },
            .dwant = { AD_LIST(-2, -5, -2, 0, 3, 2, 3, 3, 1, 0),
                       AD_LIST(0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2), AD_LIST(3, 3) } },
	  { .in = { AD_DIMS(1, 2, 5), AD_DIMS(2, 1, 2) },
            .attrs = "stride=2 padding=1 groups=2",
            .give = { AD_LIST(-2, 0, 2, -1, 1, -2, 0, 2, -1, 1), AD_LIST(-3, 0, 3, -1) },
            .want = { AD_LIST(0, 0, 3, 2, -2, -4) },
            .dwant = { AD_LIST(0, -3, 0, -3, 0, -1, 3, -1, 3, -1), AD_LIST(-1, 1, -1, 1) } },
	  { .in = { AD_DIMS(2, 3, 7), AD_DIMS(4, 3, 3), AD_DIMS(4) },
            .attrs = "stride=2 padding=2",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(1, 2, 10), AD_DIMS(3, 2, 3) },
            .attrs = "dilation=2 padding=1",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(2, 4, 7), AD_DIMS(6, 2, 2), AD_DIMS(6) },
            .attrs = "groups=2",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(0, 2, 5), AD_DIMS(3, 2, 3), AD_DIMS(3) }, .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(3, 2, 4), AD_DIMS(5, 2, 4), AD_DIMS(5) }, .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(2, 5), AD_DIMS(1, 2, 3) },
            .error = "x is (batch, channels, length), not (2, 5)" },
	  { .in = { AD_DIMS(1, 2, 5), AD_DIMS(1, 3, 3) },
            .error = "x (1, 2, 5) has 2 channels, but w (1, 3, 3) with groups 1 takes 3" },
	  { .in = { AD_DIMS(1, 2, 5), AD_DIMS(1, 2, 7) },
            .error = "the kernel covers 7 of axis 2, where x (1, 2, 5) has 5" },
	  { .in = { AD_DIMS(1, 2, 5), AD_DIMS(1, 2, 3) },
            .attrs = "stride=0",
            .error = "stride must be 1 or more, not 0" } });

/* Cross-correlation of x (N, channels, L) with w (outputs, channels / groups, k), plus b,
 * which may be NULL. Each list is one number for each axis, one for all, or AD_ALL: stride and
 * dilation 1, padding 0. */
AD_API ad_node *ad_conv1d(ad_node *x, ad_node *w, ad_node *b, ad_ints stride, ad_ints padding,
                          ad_ints dilation, int64_t groups)
{
	struct conv_attrs a = { stride, padding, dilation, groups, AD_ALL, AD_ALL };

	return AD_CALL_WITH(conv1d, &a, x, w, b);
}
