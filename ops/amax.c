/*
 * amax: y = the largest of the elements of x over some axes.
 *
 *   x   any shape          y   without these axes, or with size 1 there if keepdim is set
 *   dx = dy where x is the largest, shared evenly if several are; x and y are kept. NaN wins.
 */
#include "op.h"
#include "kernels/extremes.h"

struct attrs {
	ad_ints axis;
	bool keepdim;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, axis, AD_INTLIST, "null", "the axis, or a list of axes; null: all",
	        NULL),
	AD_ATTR(struct attrs, keepdim, AD_FLAG, "false", "keep these axes, with size 1", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	return extreme_shape(s, a->axis, a->keepdim, "largest");
}

static struct reduction reduction_here(const ad_run *r)
{
	const struct attrs *a = r->attrs;
	return reduction_over(&r->in[0], a->axis);
}

static void outputs(const ad_run *r, size_t begin, size_t end)
{
	struct reduction p = reduction_here(r);
	extreme_outputs(&p, ad_reals_of(&r->in[0]), ad_reals_of(&r->out[0]), false, begin, end);
}

static void forward(const ad_run *r)
{
	size_t n = r->out[0].count ? r->in[0].count / r->out[0].count : 0;
	ad_parallel(r, r->out[0].count, 32768 / (n + 1) + 1, outputs);
}

static void back_outputs(const ad_run *r, size_t begin, size_t end)
{
	struct reduction p = reduction_here(r);
	extreme_backward(&p, ad_reals_of(&r->in[0]), ad_reals_of(&r->out[0]),
	                 ad_reals_of(&r->dy[0]), ad_reals_of(&r->dx[0]), begin, end);
}

static void backward(const ad_run *r)
{
	size_t n = r->out[0].count ? r->in[0].count / r->out[0].count : 0;
	ad_parallel(r, r->out[0].count, 16384 / (n + 1) + 1, back_outputs);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *a = ad_attrs_of(y);
	dx[0] = extreme_grad(y, dy[0], a->axis);
}

AD_OP(amax, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .shape = shape,
      .forward = forward, .backward = backward, .grad = grad,
      .samples = {
	  { .in = { AD_DIMS(2, 3) },
            .attrs = "axis=1",
            .give = { AD_LIST(1, 3, 3, 5, 4, -2) },
            .want = { AD_LIST(3, 5) },
            .dwant = { AD_LIST(0, 0.5, 0.5, 1, 0, 0) } },
	  { .in = { AD_DIMS(3) },
            .attrs = "keepdim=true",
            .give = { AD_LIST(1, NAN, 2) },
            .want = { AD_LIST(NAN) } },
	  { .in = { AD_DIMS(2) },
            .give = { AD_LIST(-INFINITY, -INFINITY) },
            .want = { AD_LIST(-INFINITY) },
            .dwant = { AD_LIST(0.5, 0.5) } },
	  { .in = { AD_DIM0 }, .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(2, 3, 4, 2) }, .attrs = "axis=[1,-1] keepdim=true", .lo = -9, .hi = 9 },
	  { .in = { AD_DIMS(3, 4) }, .attrs = "axis=0", .lo = -9, .hi = 9 },
	  { .in = { AD_DIMS(0, 3) }, .attrs = "axis=1", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(0, 3) },
            .attrs = "axis=0",
            .error = "there is no largest of no elements: x is (0, 3)" },
	  { .in = { AD_DIMS(2) }, .attrs = "axis=1", .error = "axis 1" } });

/* The largest elements of x over axes (AD_ALL: all), kept with size 1 if keepdim is set. */
AD_API ad_node *ad_amax(ad_node *x, ad_ints axis, bool keepdim)
{
	struct attrs a = { axis, keepdim };

	return AD_CALL_WITH(amax, &a, x);
}
