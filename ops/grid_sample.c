/*
 * grid_sample: y = x read at the points of a grid, between its elements.
 *
 *   x   (N, C, H, W)
 *   grid   (N, h, w, 2): x, y from -1 to 1
 *   y   (N, C, h, w)
 *   A composition of grid_corners, gather and sums, which have the gradients of x and grid.
 *
 * mode bilinear: the four elements around a point, weighed by how near they are; nearest: one.
 * padding_mode and align_corners are as of grid_corners; with zeros, what is outside counts as 0.
 * It costs what gathering four times y costs. Jaderberg et al., "Spatial transformer networks"
 * (2015).
 */
#include "op.h"

struct attrs {
	const char *mode, *padding_mode;
	bool align_corners;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, mode, AD_WORD, "bilinear", "four corners, or the nearest one",
	        "bilinear nearest"),
	AD_ATTR(struct attrs, padding_mode, AD_WORD, "zeros", "where points outside are read",
	        "zeros border reflection"),
	AD_ATTR(struct attrs, align_corners, AD_FLAG, "false", "-1 and 1 are centres of elements",
	        NULL),
	{ 0 },
};

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	ad_shape x = ad_shape_of(in[0]), grid = ad_shape_of(in[1]);
	char text[192], other[192];
	int64_t n, points;
	ad_node *corners, *t, *far[2], *values, *weights;

	if (!a->mode || !a->padding_mode)
		return ad_fail(g, AD_ERROR_ARGUMENT,
		               "grid_sample: mode or padding_mode is missing");
	if (x.rank != 4)
		return ad_fail(g, AD_ERROR_SHAPE,
		               "grid_sample: x is (batch, channels, height, width), not %s",
		               ad_print_shape(text, sizeof text, x));
	if (grid.rank != 4 || grid.dims[3] != 2)
		return ad_fail(g, AD_ERROR_SHAPE,
		               "grid_sample: grid is (batch, height, width, 2), not %s",
		               ad_print_shape(text, sizeof text, grid));
	if (x.dims[0] != grid.dims[0])
		return ad_fail(g, AD_ERROR_SHAPE,
		               "grid_sample: x %s and grid %s must have the same batch",
		               ad_print_shape(text, sizeof text, x),
		               ad_print_shape(other, sizeof other, grid));
	corners = ad_grid_corners(in[1], x.dims[2], x.dims[3], a->mode, a->padding_mode,
	                          a->align_corners);
	if (ad_is_error(corners))
		return corners;
	n = x.dims[0];
	points = ad_shape_of(corners).dims[2];
	/* The weights of the two corners along x, and along y; their products. */
	t = ad_output(corners, 0);
	for (int i = 0; i < 2; i++) {
		ad_node *part = ad_slice(t, AD_INTS(1), AD_INTS(i), AD_INTS(i + 1), AD_ALL);

		part = ad_reshape(part, AD_SHAPE(n, 1, points));
		far[i] =
		    ad_concat(2, (ad_node *[]){ ad_sub(ad_full_like(part, 1), part), part }, 1);
	}
	weights = ad_mul(ad_reshape(far[1], AD_SHAPE(n, 2, 1, points)),
	                 ad_reshape(far[0], AD_SHAPE(n, 1, 2, points)));
	values = ad_gather(ad_reshape(in[0], AD_SHAPE(n, x.dims[1], x.dims[2] * x.dims[3])),
	                   ad_expand(ad_reshape(ad_output(corners, 2), AD_SHAPE(n, 1, 4 * points)),
	                             AD_SHAPE(n, x.dims[1], 4 * points)),
	                   2);
	values = ad_where(ad_reshape(ad_output(corners, 3), AD_SHAPE(n, 1, 4, points)),
	                  ad_reshape(values, AD_SHAPE(n, x.dims[1], 4, points)),
	                  ad_full(g, AD_SCALAR, 0));
	values = ad_mul(values, ad_reshape(weights, AD_SHAPE(n, 1, 4, points)));
	return ad_reshape(ad_sum(values, AD_INTS(2), false),
	                  AD_SHAPE(n, x.dims[1], grid.dims[1], grid.dims[2]));
}

AD_OP(
    grid_sample, .arity = 2, .inputs = "x grid", .attrs = attrs, .attrs_size = sizeof(struct attrs),
    .compose = compose,
    .samples = {
	{ .in = { AD_DIMS(1, 1, 3, 4), AD_DIMS(1, 2, 2, 2) },
          .give = { AD_LIST(-4, 3.5, 0, 6, 2.5, -1, 5, 1.5, -2, 4, 0.5, -3),
                    AD_LIST(-0.75, -0.5, 0.25, 0.5, 1.5, -2.25, 0.5, -1.125) },
          .want = { AD_LIST(-2.375, 1.625, 0, 0.9375) },
          .dwant = { AD_LIST(0.75, 0, 0.15625, 0.15625, 0.25, 0, 0.25, 0, 0, 0, 0.75, 0),
                     AD_LIST(9.5, 9.75, -7, -6.75, 0, 0, 3.75, 4.5) } },
	{ .in = { AD_DIMS(1, 2, 2, 3), AD_DIMS(1, 2, 2, 2) },
          .attrs = "padding_mode=border align_corners=true",
          .give = { AD_LIST(-4, 3.5, 0, 6, 2.5, -1, 5, 1.5, -2, 4, 0.5, -3),
                    AD_LIST(-0.75, -0.5, 0.25, 0.5, 1.5, -2.25, 0.5, -1.125) },
          .want = { AD_LIST(-0.3125, 1.875, 0, 1.75, 3.875, -0.125, -2, -0.25) },
          .dwant = { AD_LIST(0.5625, 0.875, 1.5625, 0.1875, 0.625, 0.1875, 0.5625, 0.875, 1.5625,
                             0.1875, 0.625, 0.1875),
                     AD_LIST(1.25, 3.125, -7, -1, 0, 0, -7, 0) } },
	{ .in = { AD_DIMS(1, 1, 3, 3), AD_DIMS(1, 2, 2, 2) },
          .attrs = "padding_mode=reflection",
          .give = { AD_LIST(-4, 3.5, 0, 6, 2.5, -1, 5, 1.5, -2),
                    AD_LIST(-0.75, -0.5, 0.25, 0.5, 1.5, -2.25, 0.5, -1.125) },
          .want = { AD_LIST(-1.5, 0.4375, -0.5, 0.875) },
          .dwant = { AD_LIST(0.75, 0.25, 0.75, 0.25, 0.3125, 0.5625, 0, 0.5625, 0.5625),
                     AD_LIST(0, 15, -5.25, -1.5, 5.25, 1.5, -5.25, 0) } },
	{ .in = { AD_DIMS(1, 1, 3, 4), AD_DIMS(1, 2, 2, 2) },
          .attrs = "mode=nearest align_corners=true",
          .give = { AD_LIST(-4, 3.5, 0, 6, 2.5, -1, 5, 1.5, -2, 4, 0.5, -3),
                    AD_LIST(-0.75, -0.5, 0.25, 0.5, 1.5, -2.25, 0.5, -1.125) },
          .want = { AD_LIST(-4, 0.5, 0, 0) },
          .dwant = { AD_LIST(1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0),
                     AD_LIST(0, 0, 0, 0, 0, 0, 0, 0) } },
	{ .in = { AD_DIMS(1, 2, 3, 4), AD_DIMS(1, 2, 3, 2) },
          .give = { AD_LIST(-1.5, 0.6000000000000001, -1.2, 0.8999999999999999, -0.9,
                            1.1999999999999997, -0.6000000000000001, 1.5, -0.30000000000000004,
                            1.7999999999999998, 0, 2.0999999999999996, 0.2999999999999998, -1.5,
                            0.6000000000000001, -1.2, 0.8999999999999999, -0.9, 1.1999999999999997,
                            -0.6000000000000001, 1.5, -0.30000000000000004, 1.7999999999999998, 0),
                    AD_LIST(-0.83, -0.41, 0.13, 0.57, 0.71, -0.29, -0.19, 0.37, 1.31, -1.27, 0.43,
                            1.9) },
          .smooth = true },
	{ .in = { AD_DIMS(1, 2, 3, 4), AD_DIMS(1, 2, 3, 2) },
          .attrs = "padding_mode=border",
          .give = { AD_LIST(-1.5, 0.6000000000000001, -1.2, 0.8999999999999999, -0.9,
                            1.1999999999999997, -0.6000000000000001, 1.5, -0.30000000000000004,
                            1.7999999999999998, 0, 2.0999999999999996, 0.2999999999999998, -1.5,
                            0.6000000000000001, -1.2, 0.8999999999999999, -0.9, 1.1999999999999997,
                            -0.6000000000000001, 1.5, -0.30000000000000004, 1.7999999999999998, 0),
                    AD_LIST(-0.83, -0.41, 0.13, 0.57, 0.71, -0.29, -0.19, 0.37, 1.31, -1.27, 0.43,
                            1.9) },
          .smooth = true },
	{ .in = { AD_DIMS(1, 2, 3, 4), AD_DIMS(1, 2, 3, 2) },
          .attrs = "padding_mode=reflection align_corners=true",
          .give = { AD_LIST(-1.5, 0.6000000000000001, -1.2, 0.8999999999999999, -0.9,
                            1.1999999999999997, -0.6000000000000001, 1.5, -0.30000000000000004,
                            1.7999999999999998, 0, 2.0999999999999996, 0.2999999999999998, -1.5,
                            0.6000000000000001, -1.2, 0.8999999999999999, -0.9, 1.1999999999999997,
                            -0.6000000000000001, 1.5, -0.30000000000000004, 1.7999999999999998, 0),
                    AD_LIST(-0.83, -0.41, 0.13, 0.57, 0.71, -0.29, -0.19, 0.37, 1.31, -1.27, 0.43,
                            1.9) },
          .smooth = true },
	{ .in = { AD_DIMS(1, 2, 3, 4), AD_DIMS(1, 2, 3, 2) },
          .attrs = "mode=nearest padding_mode=border",
          .give = { AD_LIST(-1.5, 0.6000000000000001, -1.2, 0.8999999999999999, -0.9,
                            1.1999999999999997, -0.6000000000000001, 1.5, -0.30000000000000004,
                            1.7999999999999998, 0, 2.0999999999999996, 0.2999999999999998, -1.5,
                            0.6000000000000001, -1.2, 0.8999999999999999, -0.9, 1.1999999999999997,
                            -0.6000000000000001, 1.5, -0.30000000000000004, 1.7999999999999998, 0),
                    AD_LIST(-0.83, -0.41, 0.13, 0.57, 0.71, -0.29, -0.19, 0.37, 1.31, -1.27, 0.43,
                            1.9) },
          .smooth = true },
	{ .in = { AD_DIMS(0, 1, 2, 2), AD_DIMS(0, 1, 1, 2) }, .lo = -2, .hi = 2 },
	{ .in = { AD_DIMS(1, 2, 3), AD_DIMS(1, 2, 2, 2) },
          .error = "x is (batch, channels, height, width), not (1, 2, 3)" },
	{ .in = { AD_DIMS(2, 1, 3, 3), AD_DIMS(1, 2, 2, 2) },
          .error = "x (2, 1, 3, 3) and grid (1, 2, 2, 2) must have the same batch" },
	{ .in = { AD_DIMS(1, 1, 3, 3), AD_DIMS(1, 2, 2, 3) },
          .error = "grid is (batch, height, width, 2), not (1, 2, 2, 3)" } });

/* x (N, C, H, W) read at the points of grid (N, h, w, 2), which are from -1 to 1; mode bilinear or
 * nearest; padding_mode zeros, border or reflection. */
AD_API ad_node *ad_grid_sample(ad_node *x, ad_node *grid, const char *mode,
                               const char *padding_mode, bool align_corners)
{
	struct attrs a = { mode, padding_mode, align_corners };

	return AD_CALL_WITH(grid_sample, &a, x, grid);
}
