/*
 * im2col: y = the windows over x as columns: what a convolution multiplies by its weights.
 *
 *   x (N, C, height, width)   y (N, C kh kw, number of windows)
 *   y[n, (c, a, b), (i, j)] = x[n, c, i stride - padding + a dilation, likewise], 0 outside of x
 *   dx = col2im(dy); x need not be kept
 */
#include "op.h"
#include "kernels/columns.h"

static const ad_attr attrs[] = {
	AD_ATTR(struct columns_attrs, kernel, AD_INTLIST, NULL, "the size of the windows", NULL),
	COLUMNS_ATTRS,
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const ad_shape *x = &s->in[0];
	struct window w[2] = { { 0 } };
	size_t count;

	if (x->rank != 4)
		return ad_refuse(s, "x is (batch, channels, height, width), not %s", ad_show(s, 0));
	if (!columns_windows(s, x->dims + 2, w))
		return false;
	s->out[0] = AD_SHAPE(x->dims[0], x->dims[1], 0);
	if (__builtin_mul_overflow(s->out[0].dims[1], w[0].kernel * w[1].kernel,
	                           &s->out[0].dims[1]) ||
	    __builtin_mul_overflow(w[0].out, w[1].out, &s->out[0].dims[2]) ||
	    !ad_count_of(&s->out[0], &count))
		return ad_refuse(s, "the windows over x %s are too many", ad_show(s, 0));
	return true;
}

/* A unit is a channel of an image. */
static void units(const ad_run *r, size_t begin, size_t end)
{
	struct conv p = columns_conv(r->attrs, 1, r->in[0].dims + 2);

	for (size_t k = begin; k < end; k++)
		AD_VARIANT(conv_columns)
	(&p, ad_reals_of(&r->in[0]) + k * p.plane_x, 0, p.plane_k, 0, p.plane_y,
	 ad_reals_of(&r->out[0]) + k * p.plane_k * p.plane_y, p.plane_y);
}

static void forward(const ad_run *r)
{
	const ad_array *x = &r->in[0];

	if (r->out[0].count > 0)
		ad_parallel(r, (size_t)(x->dims[0] * x->dims[1]),
		            16384 / (r->out[0].count / (size_t)(x->dims[0] * x->dims[1])) + 1,
		            units);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct columns_attrs *a = ad_attrs_of(y);
	ad_shape x = ad_shape_of(ad_input_of(y, 0));

	dx[0] = ad_col2im(dy[0], AD_INTS(x.dims[2], x.dims[3]), a->kernel, a->stride, a->padding,
	                  a->dilation);
}

AD_OP(im2col, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct columns_attrs),
      .shape = shape, .forward = forward, .grad = grad,
      .samples = {
	  { .in = { AD_DIMS(1, 1, 2, 3) },
            .attrs = "kernel=2",
            .give = { AD_LIST(-4, 3, -1, 6, 2, -2) },
            .want = { AD_LIST(-4, 3, 3, -1, 6, 2, 2, -2) },
            .dwant = { AD_LIST(1, 2, 1, 1, 2, 1) } },
	  { .in = { AD_DIMS(1, 2, 3, 3) },
            .attrs = "kernel=[2,1] stride=[2,1] padding=[1,0]",
            .give = { AD_LIST(-4, 3, -1, 6, 2, -2, 5, 1, -3, 4, 0, -4, 3, -1, 6, 2, -2, 5) },
            .want = { AD_LIST(0, 0, 0, 6, 2, -2, -4, 3, -1, 5, 1, -3, 0, 0, 0, 3, -1, 6, 4, 0, -4,
                              2, -2, 5) },
            .dwant = { AD_LIST(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1) } },
	  { .in = { AD_DIMS(2, 2, 5, 4) },
            .attrs = "kernel=[3,2] stride=[2,1] padding=[1,0]",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(1, 1, 5, 5) }, .attrs = "kernel=2 dilation=[1,2]", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(0, 1, 3, 3) }, .attrs = "kernel=2", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(2, 5, 4) },
            .attrs = "kernel=2",
            .error = "x is (batch, channels, height, width), not (2, 5, 4)" },
	  { .in = { AD_DIMS(1, 1, 2, 2) },
            .attrs = "kernel=3",
            .error = "a window that covers 3 does not fit into axis 2 of planes of 2 by 2 with "
                     "padding 0" } });

/* The windows over x (N, C, height, width) as columns (N, C kh kw, windows). Lists are one number
 * for both axes or one for each; AD_ALL: stride and dilation 1, padding 0. */
AD_API ad_node *ad_im2col(ad_node *x, ad_ints kernel, ad_ints stride, ad_ints padding,
                          ad_ints dilation)
{
	struct columns_attrs a = { kernel, stride, padding, dilation, AD_ALL };

	return AD_CALL_WITH(im2col, &a, x);
}
