/*
 * convolution: what the convolution layers share: their arguments, padding and weights.
 */
#ifndef MODELS_LAYERS_CONVOLUTION_H
#define MODELS_LAYERS_CONVOLUTION_H

#include "model.h"
#include "op.h"

enum { MOST_AXES = 3 };

struct convolution {
	int64_t out;
	ad_ints kernel, stride, padding, dilation;
	int64_t groups;
	bool bias;
};

/* `padding: same` */
#define PADDING_SAME LIST_WORD

#define CONVOLUTION_ATTRS                                                                          \
	AD_ATTR(struct convolution, out, AD_INT, NULL, "number of output channels", NULL),         \
	    AD_ATTR(struct convolution, kernel, AD_INTLIST, NULL,                                  \
	            "the size of the window: one number for all axes, or one for each", NULL),     \
	    AD_ATTR(struct convolution, stride, AD_INTLIST, "1", "how far the window moves",       \
	            NULL),                                                                         \
	    AD_ATTR(struct convolution, padding, AD_INTLIST, "0",                                  \
	            "zeros on both sides of each axis; same: as many as make the output's size "   \
	            "that of the input over the stride",                                           \
	            "same"),                                                                       \
	    AD_ATTR(struct convolution, dilation, AD_INTLIST, "1",                                 \
	            "how far apart the elements of the window lie", NULL),                         \
	    AD_ATTR(struct convolution, groups, AD_INT, "1",                                       \
	            "parts of the channels that are convolved by themselves", NULL),               \
	    AD_ATTR(struct convolution, bias, AD_FLAG, "true", "add a bias", NULL)

/* The lists of a convolution, one number for each axis. */
struct windows {
	int64_t kernel[MOST_AXES], stride[MOST_AXES], padding[MOST_AXES], dilation[MOST_AXES];
	int64_t extent[MOST_AXES]; /* of the dilated window */
	bool same;
};

static inline bool convolution_list(ad_node *x, const char *layer, const char *name, int axes,
                                    ad_ints list, int64_t least, int64_t to[])
{
	if (list.n != 1 && list.n != axes) {
		ad_fail(ad_graph_of(x), AD_ERROR_ARGUMENT,
		        "%s: '%s' is one number, or one for each of %d axes, not %lld", layer, name,
		        axes, (long long)list.n);
		return false;
	}
	for (int i = 0; i < axes; i++) {
		to[i] = list.v[list.n == 1 ? 0 : i];
		if (to[i] < least || to[i] > INT32_MAX) {
			ad_fail(ad_graph_of(x), AD_ERROR_ARGUMENT,
			        "%s: '%s' is %lld; it is at least %lld", layer, name,
			        (long long)to[i], (long long)least);
			return false;
		}
	}
	return true;
}

/* Checks the arguments against x (N, channels, axes...). */
static inline bool convolution_windows(ad_node *x, const char *layer, int axes,
                                       const struct convolution *a, struct windows *w)
{
	const ad_shape shape = ad_shape_of(x);
	char text[192];

	w->same = a->padding.n == PADDING_SAME;
	memset(w->padding, 0, sizeof w->padding);
	if (shape.rank != axes + 2) {
		ad_fail(ad_graph_of(x), AD_ERROR_SHAPE,
		        "%s: x must have %d axes, the batch, the channels and %d more, not %s",
		        layer, axes + 2, axes, ad_print_shape(text, sizeof text, shape));
		return false;
	}
	if (!convolution_list(x, layer, "kernel", axes, a->kernel, 1, w->kernel) ||
	    !convolution_list(x, layer, "stride", axes, a->stride, 1, w->stride) ||
	    !convolution_list(x, layer, "dilation", axes, a->dilation, 1, w->dilation) ||
	    (!w->same && !convolution_list(x, layer, "padding", axes, a->padding, 0, w->padding)))
		return false;
	if (a->groups < 1 || shape.dims[1] % a->groups != 0 || a->out % a->groups != 0) {
		ad_fail(ad_graph_of(x), AD_ERROR_ARGUMENT,
		        "%s: %lld groups do not divide %lld input and %lld output channels", layer,
		        (long long)a->groups, (long long)shape.dims[1], (long long)a->out);
		return false;
	}
	for (int i = 0; i < axes; i++)
		w->extent[i] = w->dilation[i] * (w->kernel[i] - 1) + 1;
	return true;
}

/* The weight (first, second, kernel...), he-uniform by the inputs that one output has (He et al.,
 * "Delving deep into rectifiers", 2015), and the bias, zeros. False: a message was given. */
static inline bool convolution_weights(struct layer_site *site, int axes,
                                       const struct convolution *a, const struct windows *w,
                                       int64_t first, int64_t second, int64_t fan_in,
                                       int64_t fan_out, ad_node **weight, ad_node **bias)
{
	ad_shape shape = { .rank = axes + 2, .dims = { first, second } };

	for (int i = 0; i < axes; i++)
		shape.dims[i + 2] = w->kernel[i];
	*weight =
	    model_weight(site, "weight", shape, (struct init){ .kind = INIT_HE }, fan_in, fan_out);
	*bias = a->bias ? model_weight(site, "bias", AD_SHAPE(a->out),
	                               (struct init){ .kind = INIT_ZEROS }, fan_in, fan_out)
	                : NULL;
	return *weight && (*bias || !a->bias);
}

/* Elements of a window of each of `channels`; INT32_MAX for more, which no weight has. */
static inline int64_t window_count(const struct windows *w, int axes, int64_t channels)
{
	int64_t count = channels;

	for (int i = 0; i < axes; i++)
		if (__builtin_mul_overflow(count, w->kernel[i], &count))
			return INT32_MAX;
	return count;
}

/* Padding so that the output has ceil(size / stride) elements: half of the window less one before,
 * the odd one after. Where as much on both sides gives that size too, the convolution pads by
 * itself; else x is padded here. */
static inline ad_node *pad_same(ad_node *x, int axes, struct windows *w)
{
	const ad_shape shape = ad_shape_of(x);
	int64_t pads[2 * MOST_AXES] = { 0 };
	bool by_itself = true;

	for (int i = 0; i < axes; i++) {
		int64_t size = shape.dims[i + 2], out = (size + w->stride[i] - 1) / w->stride[i];
		int64_t before = (w->extent[i] - 1) / 2;
		int64_t need = (out - 1) * w->stride[i] + w->extent[i] - size - before;

		w->padding[i] = before;
		/* pad counts from the last axis */
		pads[2 * (axes - 1 - i)] = before;
		pads[2 * (axes - 1 - i) + 1] = need > 0 ? need : 0;
		by_itself = by_itself && size + 2 * before >= w->extent[i] &&
		            (size + 2 * before - w->extent[i]) / w->stride[i] + 1 == out;
	}
	if (by_itself)
		return x;
	memset(w->padding, 0, sizeof w->padding);
	return ad_pad(x, (ad_ints){ 2 * axes, pads }, "constant", 0);
}

static inline ad_node *convolve(struct layer_site *site, ad_node *x, const char *layer, int axes,
                                const struct convolution *a)
{
	struct windows w;
	ad_node *weight, *bias;
	int64_t in;

	if (!convolution_windows(x, layer, axes, a, &w))
		return NULL;
	in = ad_shape_of(x).dims[1] / a->groups;
	if (!convolution_weights(site, axes, a, &w, a->out, in, window_count(&w, axes, in),
	                         window_count(&w, axes, a->out / a->groups), &weight, &bias))
		return NULL;
	if (w.same)
		x = pad_same(x, axes, &w);
	const ad_ints stride = { axes, w.stride }, padding = { axes, w.padding },
		      dilation = { axes, w.dilation };
	return axes == 1   ? ad_conv1d(x, weight, bias, stride, padding, dilation, a->groups)
	       : axes == 2 ? ad_conv2d(x, weight, bias, stride, padding, dilation, a->groups)
	                   : ad_conv3d(x, weight, bias, stride, padding, dilation, a->groups);
}

/* A transposed convolution; output_padding may be NULL. same: the output has size * stride; an even window that
 * moves by one would give one element more, which is cut off at the end. */
static inline ad_node *convolve_transposed(struct layer_site *site, ad_node *x, const char *layer,
                                           int axes, const struct convolution *a,
                                           ad_ints output_padding)
{
	int64_t more[MOST_AXES], start[MOST_AXES] = { 0 }, stop[MOST_AXES], axis[MOST_AXES], in, window, strides = 1;
	struct windows w;
	ad_node *weight, *bias, *y;
	int cuts = 0;

	if (!convolution_windows(x, layer, axes, a, &w) ||
	    !convolution_list(x, layer, "output_padding", axes, output_padding, 0, more))
		return NULL;
	in = ad_shape_of(x).dims[1];
	window = window_count(&w, axes, in / a->groups);
	for (int i = 0; i < axes; i++) {
		int64_t over = w.extent[i] - w.stride[i];

		if (__builtin_mul_overflow(strides, w.stride[i], &strides))
			strides = INT64_MAX;
		if (!w.same)
			continue;
		w.padding[i] = over > 0 ? (over + 1) / 2 : 0;
		more[i] = 2 * w.padding[i] - over;
		if (more[i] < w.stride[i] || more[i] < w.dilation[i])
			continue;
		w.padding[i] = over / 2;
		more[i] = 0;
		axis[cuts] = 2 + i;
		stop[cuts++] = ad_shape_of(x).dims[2 + i] * w.stride[i];
	}
	if (!convolution_weights(site, axes, a, &w, in, a->out / a->groups,
	                         window / strides + (window % strides != 0),
	                         window_count(&w, axes, a->out / a->groups), &weight, &bias))
		return NULL;
	const ad_ints stride = { axes, w.stride }, padding = { axes, w.padding },
		      dilation = { axes, w.dilation }, out = { axes, more };
	y = axes == 1   ? ad_conv_transpose1d(x, weight, bias, stride, padding, out, dilation, a->groups)
	    : axes == 2 ? ad_conv_transpose2d(x, weight, bias, stride, padding, out, dilation, a->groups)
	                : ad_conv_transpose3d(x, weight, bias, stride, padding, out, dilation, a->groups);
	return cuts ? ad_slice(y, (ad_ints){ cuts, axis }, (ad_ints){ cuts, start }, (ad_ints){ cuts, stop }, AD_ALL)
	            : y;
}

#endif
