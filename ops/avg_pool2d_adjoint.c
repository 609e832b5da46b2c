/*
 * avg_pool2d_adjoint: y = x spread over the windows of avg_pool2d: the gradient of that.
 *
 *   x   (..., windows on each axis)
 *   y   (..., input_size), which avg_pool2d would pool to the shape of x
 *   dx = avg_pool2d(dy); x need not be kept
 */
#include "op.h"
#include "kernels/averages.h"

static const ad_attr attrs[] = {
	AD_ATTR(struct avg_attrs, input_size, AD_INTLIST, NULL, "the height and width of y", NULL),
	AVG_ATTRS,
	AVG_DIVISOR,
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct avg_attrs *a = s->attrs;
	const ad_shape *x = &s->in[0];
	ad_shape y = *x;
	struct window w[2] = { { 0 } };
	ad_infer pool = *s;

	if (x->rank < 2)
		return ad_refuse(s, "x must have two axes, not be %s", ad_show(s, 0));
	if (a->input_size.n <= 0)
		return ad_refuse(s, "input_size is missing: give a height and a width");
	if (!window_list(s, "input_size", a->input_size, 2, 1))
		return false;
	for (int i = 0; i < 2; i++)
		y.dims[y.rank - 2 + i] = window_entry(a->input_size, i, 1);
	pool.in = &y;
	if (!pool_windows(&pool, 2, a->kernel, a->stride, a->padding, AD_ALL, a->ceil_mode, w))
		return false;
	if (a->divisor_override == 0)
		return ad_refuse(s, "divisor_override is 0: nothing can be divided by it");
	if (w[0].out != x->dims[x->rank - 2] || w[1].out != x->dims[x->rank - 1])
		return ad_refuse(s,
		                 "the pool of planes of %lld by %lld is %lld by %lld, but x is %s",
		                 (long long)w[0].in, (long long)w[1].in, (long long)w[0].out,
		                 (long long)w[1].out, ad_show(s, 0));
	return planes_shape(s, &s->out[0], 2, w[0].in, w[1].in) &&
	       planes_work(s, &y, 2, (const int64_t[]){ w[0].out, w[1].out },
	                   (const int64_t[]){ 1, 1 }, true);
}

static void units(const ad_run *r, size_t begin, size_t end)
{
	struct planes p = avg_planes(r, &r->out[0], 2, false);

	AD_VARIANT(planes_adjoint)
	(&p, ad_reals_of(&r->in[0]), ad_reals_of(&r->out[0]), begin, end);
}

static void forward(const ad_run *r)
{
	struct planes p = avg_planes(r, &r->out[0], 2, true);

	ad_parallel(r, p.n, planes_worth(&p), units);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct avg_attrs *a = ad_attrs_of(y);

	dx[0] = ad_avg_pool2d(dy[0], a->kernel, a->stride, a->padding, a->ceil_mode,
	                      a->count_include_pad, a->divisor_override);
}

AD_OP(
    avg_pool2d_adjoint, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct avg_attrs),
    .shape = shape, .forward = forward, .grad = grad,
    .samples = {
	{ .in = { AD_DIMS(2, 2) },
          .attrs = "kernel=2 input_size=[4,4]",
          .give = { AD_LIST(-4, 3, -1, 6) },
          .want = { AD_LIST(-1, -1, 3. / 4, 3. / 4, -1, -1, 3. / 4, 3. / 4, -1. / 4, -1. / 4,
                            3. / 2, 3. / 2, -1. / 4, -1. / 4, 3. / 2, 3. / 2) } },
	{ .in = { AD_DIMS(2, 2) },
          .attrs = "kernel=[3,2] stride=[2,3] padding=1 ceil_mode=true count_include_pad=false "
                   "input_size=[3,4]",
          .give = { AD_LIST(-4, 3, -1, 6) },
          .want = { AD_LIST(-2, 0, 3. / 4, 3. / 4, -5. / 2, 0, 9. / 4, 9. / 4, -1. / 2, 0, 3. / 2,
                            3. / 2) } },
	{ .in = { AD_DIMS(2, 2, 2, 3) }, .attrs = "input_size=[5,7] kernel=2", .lo = -2, .hi = 2 },
	{ .in = { AD_DIMS(3, 4) },
          .attrs = "input_size=[5,7] kernel=3 stride=2 padding=1",
          .lo = -2,
          .hi = 2 },
	{ .in = { AD_DIMS(2, 2) },
          .attrs = "input_size=[4,6] kernel=2",
          .error = "the pool of planes of 4 by 6 is 2 by 3, but x is (2, 2)" } });

/* x spread over planes of that height and width: what avg_pool2d, given the same, has as gradient.
 */
AD_API ad_node *ad_avg_pool2d_adjoint(ad_node *x, ad_ints input_size, ad_ints kernel,
                                      ad_ints stride, ad_ints padding, bool ceil_mode,
                                      bool count_include_pad, int64_t divisor_override)
{
	struct avg_attrs a = { kernel,           stride,    padding, ceil_mode, count_include_pad,
		               divisor_override, input_size };

	return AD_CALL_WITH(avg_pool2d_adjoint, &a, x);
}
