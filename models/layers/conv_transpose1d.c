/*
 * conv_transpose1d: a convolution backwards: every element of x spreads over a window of y.
 *
 *   x   (N, channels, length)     weight   (channels, out / groups, k)     bias   (out)
 *   y   (N, out, ...), each size (in - 1) stride - 2 padding + dilation (kernel - 1) + 1 +
 *       output_padding; with padding same in * stride
 */
#include "convolution.h"

struct attrs {
	struct convolution c;
	ad_ints output_padding;
};

static const ad_attr attrs[] = {
	CONVOLUTION_ATTRS,
	AD_ATTR(struct attrs, output_padding, AD_INTLIST, "0",
	        "what is added to each size at the end; padding same finds it", NULL),
	{ 0 },
};

static ad_node *build(struct layer_site *site, ad_node *x, const void *given)
{
	const struct attrs *a = given;

	return convolve_transposed(site, x, "conv_transpose1d", 1, &a->c, a->output_padding);
}

const struct layer layer_conv_transpose1d = {
	.name = "conv_transpose1d",
	.doc = "transposed convolution over length: x is (N, channels, length)",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.build = build,
};
