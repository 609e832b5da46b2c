/*
 * col2im: y = the columns of x put back where im2col takes them from, overlaps added up.
 *
 *   x (N, C kh kw, number of windows)   y (N, C, output_size)
 *   dx = im2col(dy); x need not be kept
 */
#include "op.h"
#include "kernels/columns.h"

static const ad_attr attrs[] = {
	AD_ATTR(struct columns_attrs, output_size, AD_INTLIST, NULL, "the height and width of y",
	        NULL),
	AD_ATTR(struct columns_attrs, kernel, AD_INTLIST, NULL, "the size of the windows", NULL),
	COLUMNS_ATTRS,
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct columns_attrs *a = s->attrs;
	const ad_shape *x = &s->in[0];
	struct window w[2] = { { 0 } };
	int64_t in[2], size;
	size_t count;

	if (x->rank != 3)
		return ad_refuse(s, "x is (batch, rows of columns, windows), not %s",
		                 ad_show(s, 0));
	if (a->output_size.n <= 0)
		return ad_refuse(s, "output_size is missing: give a height and a width");
	if (!window_list(s, "output_size", a->output_size, 2, 1))
		return false;
	in[0] = window_entry(a->output_size, 0, 1);
	in[1] = window_entry(a->output_size, 1, 1);
	if (!columns_windows(s, in, w))
		return false;
	size = w[0].kernel * w[1].kernel;
	if (x->dims[1] % size)
		return ad_refuse(s,
		                 "the %lld rows of x %s are no multiple of the %lld elements of a "
		                 "window",
		                 (long long)x->dims[1], ad_show(s, 0), (long long)size);
	if (x->dims[2] / w[1].out != w[0].out || x->dims[2] % w[1].out)
		return ad_refuse(s, "planes of %lld by %lld have %lld windows, but x %s has %lld",
		                 (long long)in[0], (long long)in[1],
		                 (long long)(w[0].out * w[1].out), ad_show(s, 0),
		                 (long long)x->dims[2]);
	s->out[0] = AD_SHAPE(x->dims[0], x->dims[1] / size, in[0], in[1]);
	if (!ad_count_of(&s->out[0], &count))
		return ad_refuse(s, "a result of shape %s is too large",
		                 ad_show_shape(s, s->out[0]));
	return true;
}

/* A unit is a channel of an image. */
static void units(const ad_run *r, size_t begin, size_t end)
{
	struct conv p = columns_conv(r->attrs, 1, r->out[0].dims + 2);
	ad_real *y = ad_reals_of(&r->out[0]);

	memset(y + begin * p.plane_x, 0, (end - begin) * p.plane_x * sizeof *y);
	for (size_t k = begin; k < end; k++)
		AD_VARIANT(conv_add_columns)
	(&p, y + k * p.plane_x, 0, p.plane_k, 0, p.plane_y,
	 ad_reals_of(&r->in[0]) + k * p.plane_k * p.plane_y, p.plane_y);
}

static void forward(const ad_run *r)
{
	const ad_array *y = &r->out[0];

	if (y->count > 0)
		ad_parallel(r, (size_t)(y->dims[0] * y->dims[1]),
		            16384 / (r->in[0].count / (size_t)(y->dims[0] * y->dims[1]) + 1) + 1,
		            units);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct columns_attrs *a = ad_attrs_of(y);

	dx[0] = ad_im2col(dy[0], a->kernel, a->stride, a->padding, a->dilation);
}

AD_OP(col2im, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct columns_attrs),
      .shape = shape, .forward = forward, .grad = grad,
      .samples = {
	  { .in = { AD_DIMS(1, 4, 4) },
            .attrs = "kernel=2 output_size=[3,3]",
            .give = { AD_LIST(-4, 3, -1, 6, 2, -2, 5, 1, -3, 4, 0, -4, 3, -1, 6, 2) },
            .want = { AD_LIST(-4, 5, -2, -4, 18, 0, 0, 2, 2) },
            .dwant = { AD_LIST(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1) } },
	  { .in = { AD_DIMS(1, 4, 6) },
            .attrs = "kernel=[2,1] stride=[2,1] padding=[1,0] output_size=[3,3]",
            .give = { AD_LIST(-4, 3, -1, 6, 2, -2, 5, 1, -3, 4, 0, -4, 3, -1, 6, 2, -2, 5, 1, -3, 4,
                              0, -4, 3) },
            .want = { AD_LIST(5, 1, -3, 6, 2, -2, 4, 0, -4, 1, -3, 4, 2, -2, 5, 0, -4, 3) },
            .dwant = { AD_LIST(0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1,
                               1) } },
	  { .in = { AD_DIMS(2, 12, 9) },
            .attrs = "output_size=[5,4] kernel=[3,2] stride=[2,1] padding=[1,0]",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(0, 4, 4) }, .attrs = "output_size=3 kernel=2", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(1, 4, 5) },
            .attrs = "output_size=3 kernel=2",
            .error = "planes of 3 by 3 have 4 windows, but x (1, 4, 5) has 5" },
	  { .in = { AD_DIMS(1, 5, 4) },
            .attrs = "output_size=3 kernel=2",
            .error = "the 5 rows of x (1, 5, 4) are no multiple of the 4 elements of a window" } });

/* Columns x (N, C kh kw, windows) added up in planes of output_size, (N, C, height, width). */
AD_API ad_node *ad_col2im(ad_node *x, ad_ints output_size, ad_ints kernel, ad_ints stride,
                          ad_ints padding, ad_ints dilation)
{
	struct columns_attrs a = { kernel, stride, padding, dilation, output_size };

	return AD_CALL_WITH(col2im, &a, x);
}
