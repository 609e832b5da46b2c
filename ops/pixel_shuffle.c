/*
 * pixel_shuffle: y = x with groups of r r channels laid out as r by r elements of a plane.
 *
 *   x (..., C r r, H, W), any leading axes   y (..., C, H r, W r)
 *   y[c, i r + a, j r + b] = x[c r r + a r + b, i, j]; a composition of reshape and permute
 *
 * Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel
 * convolutional neural network" (2016).
 */
#include "op.h"

struct attrs {
	int64_t r;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, r, AD_INT, NULL, "how much larger height and width become", NULL),
	{ 0 },
};

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	ad_shape x = ad_shape_of(in[0]), five = { .rank = 5 }, y = x;
	int64_t r = a->r, n = 1, *last = x.dims + x.rank - 3;
	char text[192];

	if (x.rank < 3)
		return ad_fail(g, AD_ERROR_SHAPE,
		               "pixel_shuffle: x is (..., channels, height, width), not %s",
		               ad_print_shape(text, sizeof text, x));
	if (r < 1 || r > INT16_MAX)
		return ad_fail(g, AD_ERROR_ARGUMENT, "pixel_shuffle: r is %lld, not in 1..%d",
		               (long long)r, INT16_MAX);
	if (last[0] % (r * r))
		return ad_fail(
		    g, AD_ERROR_SHAPE,
		    "pixel_shuffle: the %lld channels of x %s are no multiple of r r = %lld",
		    (long long)last[0], ad_print_shape(text, sizeof text, x), (long long)(r * r));
	for (int i = 0; i < x.rank - 3; i++)
		n *= x.dims[i];
	if (__builtin_mul_overflow(last[1], r, &y.dims[x.rank - 2]) ||
	    __builtin_mul_overflow(last[2], r, &y.dims[x.rank - 1]))
		return ad_fail(g, AD_ERROR_SHAPE, "pixel_shuffle: x %s is too large",
		               ad_print_shape(text, sizeof text, x));
	y.dims[x.rank - 3] = last[0] / (r * r);
	five.dims[0] = n * y.dims[x.rank - 3];
	five.dims[1] = five.dims[2] = r;
	five.dims[3] = last[1];
	five.dims[4] = last[2];
	return ad_reshape(ad_permute(ad_reshape(in[0], five), AD_INTS(0, 3, 1, 4, 2)), y);
}

AD_OP(pixel_shuffle, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs),
      .compose = compose,
      .samples = {
	  { .in = { AD_DIMS(1, 4, 2, 3) },
            .attrs = "r=2",
            .give = { AD_LIST(-4, 3, -1, 6, 2, -2, 5, 1, -3, 4, 0, -4, 3, -1, 6, 2, -2, 5, 1, -3, 4,
                              0, -4, 3) },
            .want = { AD_LIST(-4, 5, 3, 1, -1, -3, 3, 1, -1, -3, 6, 4, 6, 4, 2, 0, -2, -4, 2, 0, -2,
                              -4, 5, 3) },
            .dwant = { AD_LIST(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                               1) } },
	  { .in = { AD_DIMS(18, 1, 1) },
            .attrs = "r=3",
            .give = { AD_LIST(-4, 3, -1, 6, 2, -2, 5, 1, -3, 4, 0, -4, 3, -1, 6, 2, -2, 5) },
            .want = { AD_LIST(-4, 3, -1, 6, 2, -2, 5, 1, -3, 4, 0, -4, 3, -1, 6, 2, -2, 5) } },
	  { .in = { AD_DIMS(2, 8, 2, 3) }, .attrs = "r=2", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(3, 2, 2) }, .attrs = "r=1", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(0, 4, 2, 2) }, .attrs = "r=2", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(1, 6, 2, 2) },
            .attrs = "r=2",
            .error = "the 6 channels of x (1, 6, 2, 2) are no multiple of r r = 4" },
	  { .in = { AD_DIMS(4, 2) },
            .attrs = "r=2",
            .error = "x is (..., channels, height, width), not (4, 2)" },
	  { .in = { AD_DIMS(4, 2, 2) }, .attrs = "r=0", .error = "r is 0, not in 1..32767" } });

/* x (..., C r r, H, W) as (..., C, H r, W r): groups of channels become r by r elements. */
AD_API ad_node *ad_pixel_shuffle(ad_node *x, int64_t r)
{
	struct attrs a = { r };

	return AD_CALL_WITH(pixel_shuffle, &a, x);
}
