/*
 * sum_to: y = x summed over the axes that broadcasting added or stretched: expand, turned around.
 *
 *   x      any shape that `shape` broadcasts to      y   of shape `shape`
 *   dx = dy expanded to the shape of x; x need not be kept
 */
#include "op.h"
#include "kernels/reduce.h"

struct attrs {
	ad_ints shape;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, shape, AD_INTLIST, NULL, "the shape to sum to", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	ad_shape y = { 0 }, both = s->in[0];

	if (a->shape.n < 0 || a->shape.n > AD_MAX_RANK)
		return ad_refuse(s, "a shape has 0 to %d axes, not %lld", AD_MAX_RANK,
		                 (long long)a->shape.n);
	y.rank = (int)a->shape.n;
	for (int i = 0; i < y.rank; i++) {
		y.dims[i] = a->shape.v[i];
		if (y.dims[i] < 0)
			return ad_refuse(s, "size %lld of axis %d is negative",
			                 (long long)y.dims[i], i);
	}
	if (!ad_broadcast(&both, &y) || !ad_equal_shapes(&both, &s->in[0]))
		return ad_refuse(s, "%s does not broadcast to %s", ad_show_shape(s, y),
		                 ad_show(s, 0));
	s->out[0] = y;
	return true;
}

static struct reduction reduction_here(const ad_run *r)
{
	bool reduced[AD_MAX_RANK];
	reduced_to(&r->in[0], r->out[0].rank, r->out[0].dims, reduced);
	return reduction_of(r->in[0].rank, r->in[0].dims, reduced);
}

static void units(const ad_run *r, size_t begin, size_t end)
{
	struct reduction p = reduction_here(r);
	AD_VARIANT(reduce_sum)(&p, ad_reals_of(&r->in[0]), 1, ad_reals_of(&r->out[0]), begin, end);
}

static void forward(const ad_run *r)
{
	struct reduction p = reduction_here(r);
	ad_parallel(r, p.outer * reduction_strips(&p), reduction_grain(&p), units);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = ad_expand(dy[0], ad_shape_of(ad_input_of(y, 0)));
}

AD_OP(sum_to, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .shape = shape,
      .forward = forward, .grad = grad,
      .samples = { { .in = { AD_DIMS(2, 3) },
                     .attrs = "shape=[3]",
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6) },
                     .want = { AD_LIST(5, 7, 9) },
                     .dwant = { AD_LIST(1, 1, 1, 1, 1, 1) } },
                   { .in = { AD_DIMS(2, 3) },
                     .attrs = "shape=[2,1]",
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6) },
                     .want = { AD_LIST(6, 15) } },
                   { .in = { AD_DIMS(2, 2, 2) },
                     .attrs = "shape=[2,1,2]",
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6, 7, 8) },
                     .want = { AD_LIST(4, 6, 12, 14) } },
                   { .in = { AD_DIMS(2, 3, 2, 3) }, .attrs = "shape=[3,1,3]", .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 3) }, .attrs = "shape=[]", .lo = -2, .hi = 2 },
                   { .in = { AD_DIM0 }, .attrs = "shape=[]", .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(0, 2) }, .attrs = "shape=[1,2]", .want = { AD_LIST(0, 0) } },
                   { .in = { AD_DIMS(2, 3) },
                     .attrs = "shape=[2]",
                     .error = "(2,) does not broadcast to (2, 3)" } });

/* x summed over the axes that broadcasting `to` to the shape of x would add or stretch. */
AD_API ad_node *ad_sum_to(ad_node *x, ad_shape to)
{
	struct attrs a = { { to.rank, to.dims } };

	return AD_CALL_WITH(sum_to, &a, x);
}
