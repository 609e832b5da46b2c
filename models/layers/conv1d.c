/*
 * conv1d: cross-correlation over length, plus a bias.
 *
 *   x   (N, channels, length)     weight   (out, channels / groups, k)     bias   (out)
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
	return convolve(site, x, "conv1d", 1, given);
}

const struct layer layer_conv1d = {
	.name = "conv1d",
	.doc = "convolution over length: x is (N, channels, length)",
	.attrs = attrs,
	.attrs_size = sizeof(struct convolution),
	.build = build,
};
