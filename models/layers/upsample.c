/*
 * upsample: every axis behind the channels made larger by a whole factor.
 *
 *   x   (N, channels, length) or (N, channels, height, width)     y   the same with sizes times
 * scale
 */
#include "model.h"
#include "op.h"

struct attrs {
	ad_ints scale;
	const char *mode;
	bool align_corners;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, scale, AD_INTLIST, NULL,
	        "the factor: one number, or one for each axis", NULL),
	AD_ATTR(struct attrs, mode, AD_WORD, "nearest",
	        "repeat elements, or interpolate between them", "nearest linear bilinear bicubic"),
	AD_ATTR(struct attrs, align_corners, AD_FLAG, "false",
	        "the outermost elements keep their places", NULL),
	{ 0 },
};

static ad_node *build(struct layer_site *site, ad_node *x, const void *given)
{
	const struct attrs *a = given;
	const ad_shape shape = ad_shape_of(x);
	const int axes = shape.rank - 2;
	int64_t size[2];
	char text[192];

	if (axes < 1 || axes > 2)
		return ad_fail(
		    ad_graph_of(x), AD_ERROR_SHAPE,
		    "upsample: x is (N, channels, length) or (N, channels, height, width), not %s",
		    ad_print_shape(text, sizeof text, shape));
	if (a->scale.n != 1 && a->scale.n != axes)
		return ad_fail(
		    ad_graph_of(x), AD_ERROR_ARGUMENT,
		    "upsample: 'scale' is one number, or one for each of %d axes, not %lld", axes,
		    (long long)a->scale.n);
	for (int i = 0; i < axes; i++) {
		const int64_t scale = a->scale.v[a->scale.n == 1 ? 0 : i];

		if (scale < 1 || __builtin_mul_overflow(shape.dims[2 + i], scale, &size[i]))
			return ad_fail(ad_graph_of(x), AD_ERROR_ARGUMENT,
			               "upsample: 'scale' is %lld; it is a whole number from 1",
			               (long long)scale);
	}
	return ad_interpolate(x, (ad_ints){ axes, size }, a->mode, a->align_corners);
}

const struct layer layer_upsample = {
	.name = "upsample",
	.doc = "planes (or lines) made larger by a whole factor",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.build = build,
};
