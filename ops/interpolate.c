/*
 * interpolate: y = x resized along its last one or two axes.
 *
 *   x   (..., length) or (..., height, width)
 *   y   (..., size)
 *   dx = dy by the same weights; x need not be kept
 *
 * mode nearest: y[i] = x[floor(i in / out)]. The others weigh the elements next to the place of
 * y[i], which is (i + 0.5) in / out - 0.5, or i (in - 1) / (out - 1) if align_corners is set:
 * linear and bilinear two on each axis, bicubic four. Beyond an end the element at that end counts.
 * R. Keys, "Cubic convolution interpolation for digital image processing" (1981), with a = -0.75.
 */
#include "op.h"
#include "kernels/averages.h"

static const ad_attr attrs[] = {
	AD_ATTR(struct interpolate_attrs, size, AD_INTLIST, NULL, "the sizes of the last axes of y",
	        NULL),
	INTERPOLATE_ATTRS,
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct interpolate_attrs *a = s->attrs;

	return interpolate_shape(s, "size", a->size) &&
	       interpolate_work(s, &s->in[0], &s->out[0], (int)a->size.n);
}

static void units(const ad_run *r, size_t begin, size_t end)
{
	struct planes p = interpolate_planes(r, &r->in[0], &r->out[0], false);

	AD_VARIANT(planes_apply)
	(&p, ad_reals_of(&r->in[0]), ad_reals_of(&r->out[0]), begin, end);
}

static void forward(const ad_run *r)
{
	struct planes p = interpolate_planes(r, &r->in[0], &r->out[0], true);

	ad_parallel(r, p.n, planes_worth(&p), units);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct interpolate_attrs *a = ad_attrs_of(y);
	ad_shape x = ad_shape_of(ad_input_of(y, 0));
	int axes = (int)a->size.n;

	dx[0] = ad_interpolate_adjoint(dy[0], (ad_ints){ axes, x.dims + (x.rank - axes) }, a->mode,
	                               a->align_corners);
}

AD_OP(
    interpolate, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct interpolate_attrs),
    .shape = shape, .forward = forward, .grad = grad,
    .samples = {
	{ .in = { AD_DIMS(1, 2, 3) },
          .attrs = "size=[4,5] mode=nearest",
          .give = { AD_LIST(-4, 3, -1, 6, 2, -2) },
          .want = { AD_LIST(-4, -4, 3, 3, -1, -4, -4, 3, 3, -1, 6, 6, 2, 2, -2, 6, 6, 2, 2, -2) },
          .dwant = { AD_LIST(4, 4, 2, 4, 4, 2) } },
	{ .in = { AD_DIMS(1, 3) },
          .attrs = "size=5 mode=linear",
          .give = { AD_LIST(-4, 3, -1) },
          .want = { AD_LIST(-4, -6. / 5, 3, 3. / 5, -1) },
          .dwant = { AD_LIST(8. / 5, 9. / 5, 8. / 5) } },
	{ .in = { AD_DIMS(1, 2, 3) },
          .attrs = "size=[3,4] mode=bilinear align_corners=true",
          .give = { AD_LIST(-4, 3, -1, 6, 2, -2) },
          .want = { AD_LIST(-4, 2. / 3, 5. / 3, -1, 1, 2, 7. / 6, -3. / 2, 6, 10. / 3, 2. / 3,
                            -2) },
          .dwant = { AD_LIST(2, 2, 2, 2, 2, 2) } },
	{ .in = { AD_DIMS(1, 3, 4) },
          .attrs = "size=[2,3] mode=bilinear",
          .give = { AD_LIST(-4, 3, -1, 6, 2, -2, 5, 1, -3, 4, 0, -4) },
          .want = { AD_LIST(-43. / 24, 9. / 8, 97. / 24, -25. / 24, 15. / 8, -25. / 12) },
          .dwant = { AD_LIST(5. / 8, 1. / 2, 1. / 2, 5. / 8, 5. / 12, 1. / 3, 1. / 3, 5. / 12,
                             5. / 8, 1. / 2, 1. / 2, 5. / 8) } },
	{ .in = { AD_DIMS(1, 2, 2) },
          .attrs = "size=[3,3] mode=bicubic",
          .give = { AD_LIST(-4, 3, -1, 6) },
          .want = { AD_LIST(-701. / 144, -73. / 96, 241. / 72, -895. / 288, 1, 1471. / 288,
                            -97. / 72, 265. / 96, 989. / 144) },
          .dwant = { AD_LIST(9. / 4, 9. / 4, 9. / 4, 9. / 4) } },
	{ .in = { AD_DIMS(1, 2, 3, 4) }, .attrs = "size=[5,2] mode=bilinear", .lo = -2, .hi = 2 },
	{ .in = { AD_DIMS(2, 4, 3) },
          .attrs = "size=[6,5] mode=bicubic align_corners=true",
          .lo = -2,
          .hi = 2 },
	{ .in = { AD_DIMS(2, 2, 5) }, .attrs = "size=8 mode=nearest", .lo = -2, .hi = 2 },
	{ .in = { AD_DIMS(2, 3) },
          .attrs = "size=[2,2] mode=linear",
          .error = "mode linear is for one axis, but size has 2 numbers" },
	{ .in = { AD_DIMS(3) }, .attrs = "size=[2,2]", .error = "x (3,) has no 2 axes to resize" },
	{ .in = { AD_DIMS(2, 3) }, .attrs = "size=0", .error = "size must be 1 or more, not 0" },
	{ .in = { AD_DIMS(2, 0) },
          .attrs = "size=3",
          .error = "x (2, 0) has nothing on axis 1" } });

/* x resized along its last axes, one or two, to these sizes; mode nearest, linear, bilinear,
 * bicubic. */
AD_API ad_node *ad_interpolate(ad_node *x, ad_ints size, const char *mode, bool align_corners)
{
	struct interpolate_attrs a = { size, mode, align_corners, { 0, NULL } };

	return AD_CALL_WITH(interpolate, &a, x);
}
