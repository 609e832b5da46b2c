/*
 * conv3d: cross-correlation over depth, height and width, plus a bias.
 *
 *   x   (N, channels, depth, height, width)     weight   (out, channels / groups, kd, kh, kw) bias
 * (out) y   (N, out, ...), each size (in + 2 padding - dilation (kernel - 1) - 1) / stride + 1,
 * rounded down; with padding same in / stride, rounded up
 */
#include "convolution.h"

static const ad_attr attrs[] = {
	CONVOLUTION_ATTRS,
	{ 0 },
};

static ad_node *build(struct layer_site *site, ad_node *x, const void *given)
{
	return convolve(site, x, "conv3d", 3, given);
}

const struct layer layer_conv3d = {
	.name = "conv3d",
	.doc = "convolution over depth, height and width: x is (N, channels, depth, height, width)",
	.attrs = attrs,
	.attrs_size = sizeof(struct convolution),
	.build = build,
};
