/*
 * columns: what im2col and col2im share.
 */
#ifndef OPS_KERNELS_COLUMNS_H
#define OPS_KERNELS_COLUMNS_H

#include "conv.h"

struct columns_attrs {
	ad_ints kernel, stride, padding, dilation, output_size;
};

#define COLUMNS_ATTRS                                                                              \
	AD_ATTR(struct columns_attrs, stride, AD_INTLIST, "1", "from one window to the next",      \
	        NULL),                                                                             \
	    AD_ATTR(struct columns_attrs, padding, AD_INTLIST, "0", "zeros on both sides", NULL),  \
	    AD_ATTR(struct columns_attrs, dilation, AD_INTLIST, "1",                               \
	            "from one element of a window to the next", NULL)

/* The windows over planes of that size. */
static inline bool columns_windows(ad_infer *s, const int64_t in[2], struct window w[2])
{
	const struct columns_attrs *a = s->attrs;

	if (a->kernel.n <= 0)
		return ad_refuse(s, "kernel is missing: give the size of the windows");
	if (!window_list(s, "kernel", a->kernel, 2, 1) ||
	    !window_list(s, "stride", a->stride, 2, 1) ||
	    !window_list(s, "padding", a->padding, 2, 0) ||
	    !window_list(s, "dilation", a->dilation, 2, 1))
		return false;
	for (int i = 0; i < 2; i++) {
		w[i] = (struct window){ .in = in[i],
			                .kernel = window_entry(a->kernel, i, 1),
			                .stride = window_entry(a->stride, i, 1),
			                .padding = window_entry(a->padding, i, 0),
			                .dilation = window_entry(a->dilation, i, 1) };
		w[i].out = window_count(&w[i], false);
		if (w[i].out < 1)
			return ad_refuse(s,
			                 "a window that covers %lld does not fit into axis %d of "
			                 "planes of %lld by %lld with padding %lld",
			                 (long long)window_extent(&w[i]), 2 + i, (long long)in[0],
			                 (long long)in[1], (long long)w[i].padding);
	}
	return true;
}

/* The geometry of a convolution of that many images with one output channel. */
static inline struct conv columns_conv(const struct columns_attrs *a, int64_t channels,
                                       const int64_t in[2])
{
	int64_t kernel[2], out[2];
	struct conv_attrs c = { a->stride, a->padding, a->dilation, 1, AD_ALL, AD_ALL };

	for (int i = 0; i < 2; i++) {
		struct window w = { .in = in[i],
			            .kernel = window_entry(a->kernel, i, 1),
			            .stride = window_entry(a->stride, i, 1),
			            .padding = window_entry(a->padding, i, 0),
			            .dilation = window_entry(a->dilation, i, 1) };
		kernel[i] = w.kernel;
		out[i] = window_count(&w, false);
	}
	return conv_of(4, (int64_t[]){ 1, channels, in[0], in[1] },
	               (int64_t[]){ 1, channels, kernel[0], kernel[1] },
	               (int64_t[]){ 1, 1, out[0], out[1] }, &c);
}

#endif
