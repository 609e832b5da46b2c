/*
 * conv2d: cross-correlation over height and width, plus a bias.
 *
 *   x   (N, channels, height, width)     weight   (out, channels / groups, kh, kw)     bias   (out)
 *   y   (N, out, ...), each size (in + 2 padding - dilation (kernel - 1) - 1) / stride + 1, rounded
 *       down; with padding same in / stride, rounded up
 */
#include "convolution.h"

static const ad_attr attrs[] = {
	CONVOLUTION_ATTRS,
	{ 0 },
};

static ad_node *build(struct layer_site *site, ad_node *x, const void *given)
{
	return convolve(site, x, "conv2d", 2, given);
}

const struct layer layer_conv2d = {
	.name = "conv2d",
	.doc = "convolution over height and width: x is (N, channels, height, width)",
	.attrs = attrs,
	.attrs_size = sizeof(struct convolution),
	.build = build,
};
