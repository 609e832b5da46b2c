/*
 * mean: y = the mean of the elements of x over some axes.
 *
 *   x   any shape          y   without these axes, or with size 1 there if keepdim is set
 *   dx = dy / n repeated along these axes, n elements each; x need not be kept. The mean of nothing
 *   is NaN.
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
	AD_VARIANT(reduce_sum)
	(&p, ad_reals_of(&r->in[0]), (ad_real)(p.row * p.run), ad_reals_of(&r->out[0]), begin, end);
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
	ad_shape shape_x = ad_shape_of(ad_input_of(y, 0)), kept = kept_shape(shape_x, a->axis);
	double n = 1;

	for (int i = 0; i < shape_x.rank; i++)
		if (kept.dims[i] != shape_x.dims[i])
			n *= (double)shape_x.dims[i];
	/* Divided before it is repeated: there are fewer. */
	dx[0] = ad_mul(dy[0], ad_full(ad_graph_of(y), AD_SCALAR, 1 / n));
	dx[0] = ad_expand(ad_reshape(dx[0], kept), shape_x);
}

AD_OP(mean, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .shape = shape,
      .forward = forward, .grad = grad,
      .samples = { { .in = { AD_DIMS(2, 3) },
                     .give = { AD_LIST(1, 2, 3, 4, 5, 9) },
                     .want = { AD_LIST(4) },
                     .dwant = { AD_LIST(1. / 6, 1. / 6, 1. / 6, 1. / 6, 1. / 6, 1. / 6) } },
                   { .in = { AD_DIMS(2, 3) },
                     .attrs = "axis=1 keepdim=true",
                     .give = { AD_LIST(1, 2, 6, 4, 5, 6) },
                     .want = { AD_LIST(3, 5) } },
                   { .in = { AD_DIMS_OF(AD_BOOL, 4) },
                     .give = { AD_LIST(1, 0, 1, 1) },
                     .want = { AD_LIST(0.75) } },
                   { .in = { AD_DIMS(0) }, .want = { AD_LIST(NAN) } },
                   { .in = { AD_DIM0 }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 3, 4, 2) }, .attrs = "axis=[-3,0]", .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(3, 4) }, .attrs = "axis=0", .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 3) }, .attrs = "axis=-3", .error = "axis -3" } });

/* The mean of x over axes (AD_ALL: all), kept with size 1 if keepdim is set. */
AD_API ad_node *ad_mean(ad_node *x, ad_ints axis, bool keepdim)
{
	struct attrs a = { axis, keepdim };

	return AD_CALL_WITH(mean, &a, x);
}
