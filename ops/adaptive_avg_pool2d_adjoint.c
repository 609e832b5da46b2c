/*
 * adaptive_avg_pool2d_adjoint: y = x spread over the windows of adaptive_avg_pool2d.
 *
 *   x   (..., windows on each axis)
 *   y   (..., input_size): the gradient of adaptive_avg_pool2d by its input
 *   dx = adaptive_avg_pool2d(dy); x need not be kept
 */
#include "op.h"
#include "kernels/averages.h"

struct attrs {
	ad_ints input_size;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, input_size, AD_INTLIST, NULL, "the height and width of y", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	const ad_shape *x = &s->in[0];

	if (x->rank < 2)
		return ad_refuse(s, "x must have two axes, not be %s", ad_show(s, 0));
	if (a->input_size.n <= 0)
		return ad_refuse(s, "input_size is missing: give a height and a width");
	if (!window_list(s, "input_size", a->input_size, 2, 1))
		return false;
	for (int i = 0; i < 2; i++)
		if (x->dims[x->rank - 2 + i] < 1 || x->dims[x->rank - 2 + i] > INT32_MAX)
			return ad_refuse(s, "x %s has %s on axis %d", ad_show(s, 0),
			                 x->dims[x->rank - 2 + i] < 1 ? "nothing" : "too much",
			                 x->rank - 2 + i);
	return planes_shape(s, &s->out[0], 2, window_entry(a->input_size, 0, 1),
	                    window_entry(a->input_size, 1, 1)) &&
	       planes_work(s, &s->out[0], 2, &x->dims[x->rank - 2], (const int64_t[]){ 1, 1 },
	                   true);
}

static void units(const ad_run *r, size_t begin, size_t end)
{
	struct planes p = adaptive_planes(r, &r->out[0], &r->in[0], false);

	AD_VARIANT(planes_adjoint)
	(&p, ad_reals_of(&r->in[0]), ad_reals_of(&r->out[0]), begin, end);
}

static void forward(const ad_run *r)
{
	struct planes p = adaptive_planes(r, &r->out[0], &r->in[0], true);

	ad_parallel(r, p.n, planes_worth(&p), units);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_shape x = ad_shape_of(ad_input_of(y, 0));

	dx[0] = ad_adaptive_avg_pool2d(dy[0], AD_INTS(x.dims[x.rank - 2], x.dims[x.rank - 1]));
}

AD_OP(adaptive_avg_pool2d_adjoint, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs),
      .shape = shape, .forward = forward, .grad = grad,
      .samples = {
	  { .in = { AD_DIMS(2, 3) },
            .attrs = "input_size=[3,5]",
            .give = { AD_LIST(-4, 3, -1, 6, 2, -2) },
            .want = { AD_LIST(-1, -1. / 2, 1. / 2, 1. / 4, -1. / 4, 1. / 2, 4. / 3, 5. / 6, 1. / 12,
                              -3. / 4, 3. / 2, 11. / 6, 1. / 3, -1. / 6, -1. / 2) } },
	  { .in = { AD_DIMS(2, 3, 4) }, .attrs = "input_size=[5,7]", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(2, 3, 4) }, .attrs = "input_size=2", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(3) },
            .attrs = "input_size=2",
            .error = "x must have two axes, not be (3,)" },
	  { .in = { AD_DIMS(3, 3) },
            .attrs = "input_size=0",
            .error = "input_size must be 1 or more, not 0" } });

/* x spread over planes of that height and width: what adaptive_avg_pool2d has as gradient. */
AD_API ad_node *ad_adaptive_avg_pool2d_adjoint(ad_node *x, ad_ints input_size)
{
	struct attrs a = { input_size };

	return AD_CALL_WITH(adaptive_avg_pool2d_adjoint, &a, x);
}
