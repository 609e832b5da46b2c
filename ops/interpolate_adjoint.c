/*
 * interpolate_adjoint: y = x put back by the weights of interpolate: the gradient of that.
 *
 *   x   (..., sizes after)
 *   y   (..., input_size), which interpolate would resize to the shape of x
 *   dx = interpolate(dy); x need not be kept
 */
#include "op.h"
#include "kernels/averages.h"

static const ad_attr attrs[] = {
	AD_ATTR(struct interpolate_attrs, input_size, AD_INTLIST, NULL,
	        "the sizes of the last axes of y", NULL),
	INTERPOLATE_ATTRS,
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct interpolate_attrs *a = s->attrs;

	return interpolate_shape(s, "input_size", a->input_size) &&
	       interpolate_work(s, &s->out[0], &s->in[0], (int)a->input_size.n);
}

static void units(const ad_run *r, size_t begin, size_t end)
{
	struct planes p = interpolate_planes(r, &r->out[0], &r->in[0], false);

	AD_VARIANT(planes_adjoint)
	(&p, ad_reals_of(&r->in[0]), ad_reals_of(&r->out[0]), begin, end);
}

static void forward(const ad_run *r)
{
	struct planes p = interpolate_planes(r, &r->out[0], &r->in[0], true);

	ad_parallel(r, p.n, planes_worth(&p), units);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct interpolate_attrs *a = ad_attrs_of(y);
	ad_shape x = ad_shape_of(ad_input_of(y, 0));
	int axes = (int)a->input_size.n;

	dx[0] = ad_interpolate(dy[0], (ad_ints){ axes, x.dims + (x.rank - axes) }, a->mode,
	                       a->align_corners);
}

AD_OP(interpolate_adjoint, .arity = 1, .attrs = attrs,
      .attrs_size = sizeof(struct interpolate_attrs), .shape = shape, .forward = forward,
      .grad = grad,
      .samples = {
	  { .in = { AD_DIMS(1, 4, 5) },
            .attrs = "input_size=[2,3] mode=nearest",
            .give = { AD_LIST(-4, 3, -1, 6, 2, -2, 5, 1, -3, 4, 0, -4, 3, -1, 6, 2, -2, 5, 1, -3) },
            .want = { AD_LIST(2, 3, 6, -4, 8, 3) } },
	  { .in = { AD_DIMS(1, 2, 4) },
            .attrs = "input_size=[3,2] mode=bilinear",
            .give = { AD_LIST(-4, 3, -1, 6, 2, -2, 5, 1) },
            .want = { AD_LIST(-3. / 2, 9. / 2, -1. / 16, 41. / 16, 21. / 16, 51. / 16) } },
	  { .in = { AD_DIMS(1, 3, 3) },
            .attrs = "input_size=[2,2] mode=bicubic align_corners=true",
            .give = { AD_LIST(-4, 3, -1, 6, 2, -2, 5, 1, -3) },
            .want = { AD_LIST(1, 0, 9, -3) } },
	  { .in = { AD_DIMS(2, 4, 3) },
            .attrs = "input_size=[5,2] mode=bilinear",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(2, 2, 5) }, .attrs = "input_size=3 mode=linear", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(2, 3) },
            .attrs = "input_size=3 mode=bilinear",
            .error = "mode bilinear is for two axes, but input_size has 1 numbers" } });

/* x put back to these sizes along its last axes: what interpolate has as gradient. */
AD_API ad_node *ad_interpolate_adjoint(ad_node *x, ad_ints input_size, const char *mode,
                                       bool align_corners)
{
	struct interpolate_attrs a = { { 0, NULL }, mode, align_corners, input_size };

	return AD_CALL_WITH(interpolate_adjoint, &a, x);
}
