/*
 * adaptive_avg_pool2d: y = the mean of each of output_size windows that cover the last two axes.
 *
 *   x   (..., height, width), any leading axes
 *   y   (..., output_size)
 *   dx = dy over the size, for every window an element is in; x need not be kept
 *
 * Window i of n over a size S goes from floor(i S / n) up to ceil((i + 1) S / n), so that windows
 * may overlap by an element, and output_size 1 is the mean of the plane.
 */
#include "op.h"
#include "kernels/averages.h"

struct attrs {
	ad_ints output_size;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, output_size, AD_INTLIST, NULL, "the height and width of y", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	struct window w[2] = { { 0 } };

	return adaptive_shape(s, a->output_size, w) &&
	       planes_shape(s, &s->out[0], 2, w[0].out, w[1].out) &&
	       planes_work(s, &s->in[0], 2, (const int64_t[]){ w[0].out, w[1].out },
	                   (const int64_t[]){ 1, 1 }, true);
}

static void units(const ad_run *r, size_t begin, size_t end)
{
	struct planes p = adaptive_planes(r, &r->in[0], &r->out[0], false);

	AD_VARIANT(planes_apply)
	(&p, ad_reals_of(&r->in[0]), ad_reals_of(&r->out[0]), begin, end);
}

static void forward(const ad_run *r)
{
	struct planes p = adaptive_planes(r, &r->in[0], &r->out[0], true);

	ad_parallel(r, p.n, planes_worth(&p), units);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_shape x = ad_shape_of(ad_input_of(y, 0));

	dx[0] =
	    ad_adaptive_avg_pool2d_adjoint(dy[0], AD_INTS(x.dims[x.rank - 2], x.dims[x.rank - 1]));
}

AD_OP(adaptive_avg_pool2d, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs),
      .shape = shape, .forward = forward, .grad = grad,
      .samples = {
	  { .in = { AD_DIMS(3, 5) },
            .attrs = "output_size=[2,3]",
            .give = { AD_LIST(-4, 3, -1, 6, 2, -2, 5, 1, -3, 4, 0, -4, 3, -1, 6) },
            .want = { AD_LIST(1. / 2, 11. / 6, 9. / 4, -1. / 4, 1. / 6, 3. / 2) },
            .dwant = { AD_LIST(1. / 4, 5. / 12, 1. / 6, 5. / 12, 1. / 4, 1. / 2, 5. / 6, 1. / 3,
                               5. / 6, 1. / 2, 1. / 4, 5. / 12, 1. / 6, 5. / 12, 1. / 4) } },
	  { .in = { AD_DIMS(1, 1, 2, 3) },
            .attrs = "output_size=1",
            .give = { AD_LIST(-4, 3, -1, 6, 2, -2) },
            .want = { AD_LIST(2. / 3) },
            .dwant = { AD_LIST(1. / 6, 1. / 6, 1. / 6, 1. / 6, 1. / 6, 1. / 6) } },
	  { .in = { AD_DIMS(1, 2) },
            .attrs = "output_size=[2,3]",
            .give = { AD_LIST(-4, 3) },
            .want = { AD_LIST(-4, -1. / 2, 3, -4, -1. / 2, 3) },
            .dwant = { AD_LIST(3, 3) } },
	  { .in = { AD_DIMS(2, 2, 5, 7) }, .attrs = "output_size=[3,4]", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(0, 3, 3) }, .attrs = "output_size=2", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(5) },
            .attrs = "output_size=2",
            .error = "x must have two axes to pool over, not be (5,)" },
	  { .in = { AD_DIMS(2, 0, 3) },
            .attrs = "output_size=2",
            .error = "x (2, 0, 3) has nothing on axis 1" },
	  { .in = { AD_DIMS(2, 2) },
            .attrs = "output_size=[1,1,1]",
            .error = "output_size has 3 numbers: give one, or 2, one for each axis" } });

/* The mean of each of output_size windows that cover the last two axes of x: one number for both
 * axes, or one for each. */
AD_API ad_node *ad_adaptive_avg_pool2d(ad_node *x, ad_ints output_size)
{
	struct attrs a = { output_size };

	return AD_CALL_WITH(adaptive_avg_pool2d, &a, x);
}
