/*
 * sum: y = the elements of x added up over some axes.
 *
 *   x   any shape          y   without these axes, or with size 1 there if keepdim is set
 *   dx = dy repeated along these axes; x need not be kept. The sum of nothing is 0.
 */
#include "op.h"
#include "kernels/reduce.h"

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
	return reduced_shape(s, a->axis, a->keepdim);
}

static void units(const ad_run *r, size_t begin, size_t end)
{
	const struct attrs *a = r->attrs;
	struct reduction p = reduction_over(&r->in[0], a->axis);
	AD_VARIANT(reduce_sum)(&p, ad_reals_of(&r->in[0]), 1, ad_reals_of(&r->out[0]), begin, end);
}

static void forward(const ad_run *r)
{
	const struct attrs *a = r->attrs;
	struct reduction p = reduction_over(&r->in[0], a->axis);
	ad_parallel(r, p.outer * reduction_strips(&p), reduction_grain(&p), units);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *a = ad_attrs_of(y);
	ad_shape shape_x = ad_shape_of(ad_input_of(y, 0));

	dx[0] = ad_expand(ad_reshape(dy[0], kept_shape(shape_x, a->axis)), shape_x);
}

AD_OP(
    sum, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .shape = shape,
    .forward = forward, .grad = grad,
    .samples = {
	{ .in = { AD_DIMS(2, 3) },
          .give = { AD_LIST(1, 2, 3, 4, 5, 6) },
          .want = { AD_LIST(21) },
          .dwant = { AD_LIST(1, 1, 1, 1, 1, 1) } },
	{ .in = { AD_DIMS(2, 3) },
          .attrs = "axis=0",
          .give = { AD_LIST(1, 2, 3, 4, 5, 6) },
          .want = { AD_LIST(5, 7, 9) } },
	{ .in = { AD_DIMS(2, 2, 2) },
          .attrs = "axis=[0,-1] keepdim=true",
          .give = { AD_LIST(1, 2, 3, 4, 5, 6, 7, 8) },
          .want = { AD_LIST(14, 22) } },
	{ .in = { AD_DIMS_OF(AD_BOOL, 3) }, .give = { AD_LIST(1, 0, 1) }, .want = { AD_LIST(2) } },
	{ .in = { AD_DIM0 }, .attrs = "axis=-1", .give = { AD_LIST(7) }, .want = { AD_LIST(7) } },
	{ .in = { AD_DIMS(0, 2) }, .attrs = "axis=0", .want = { AD_LIST(0, 0) } },
	{ .in = { AD_DIMS(2, 3, 4, 2) }, .attrs = "axis=[1,3]", .lo = -2, .hi = 2 },
	{ .in = { AD_DIMS(3, 1, 2) }, .attrs = "axis=-2", .lo = -2, .hi = 2 },
	{ .in = { AD_DIMS(3, 2) }, .attrs = "axis=[]", .lo = -2, .hi = 2 },
	{ .in = { AD_DIMS(2, 3) }, .attrs = "axis=2", .error = "axis 2" },
	{ .in = { AD_DIMS(2, 3) }, .attrs = "axis=[0,-2]", .error = "twice" } });

/* The sum of x over axes (AD_ALL: all), kept with size 1 if keepdim is set. */
AD_API ad_node *ad_sum(ad_node *x, ad_ints axis, bool keepdim)
{
	struct attrs a = { axis, keepdim };

	return AD_CALL_WITH(sum, &a, x);
}
