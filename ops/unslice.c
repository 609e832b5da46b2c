/*
 * unslice: y = zeros with x put where slice would have taken it from.
 *
 *   x   of the shape that slice gives for y       y   of shape `shape`
 *   dx = dy sliced; x need not be kept
 */
#include "op.h"
#include "kernels/slicing.h"

struct attrs {
	ad_ints shape, axes, starts, stops, steps;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, shape, AD_INTLIST, NULL, "the shape of y", NULL),
	AD_ATTR(struct attrs, axes, AD_INTLIST, NULL, "the axes that slice would cut", NULL),
	AD_ATTR(struct attrs, starts, AD_INTLIST, "null", "the first index on each; null: 0", NULL),
	AD_ATTR(struct attrs, stops, AD_INTLIST, "null", "the index to stop before; null: the end",
	        NULL),
	AD_ATTR(struct attrs, steps, AD_INTLIST, "null", "how far apart; null: 1", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	ad_shape y = { 0 }, part = { 0 };
	struct view v;
	size_t count;

	if (a->shape.n < 0 || a->shape.n > AD_MAX_RANK)
		return ad_refuse(s, "a shape has 0 to %d axes, not %lld", AD_MAX_RANK,
		                 (long long)a->shape.n);
	y.rank = (int)a->shape.n;
	memcpy(y.dims, a->shape.v, (size_t)y.rank * sizeof *y.dims);
	if (!ad_count_of(&y, &count))
		return ad_refuse(s, "%s is no shape, or has too many elements",
		                 ad_show_shape(s, y));
	if (!slicing_check(s, y.rank, a->axes, a->starts, a->stops, a->steps))
		return false;
	v = slicing_view(y.rank, y.dims, a->axes, a->starts, a->stops, a->steps);
	part.rank = y.rank;
	memcpy(part.dims, v.dims, sizeof v.dims);
	if (!ad_equal_shapes(&part, &s->in[0]))
		return ad_refuse(s, "the slice of %s is %s, but x is %s", ad_show_shape(s, y),
		                 ad_show_shape(s, part), ad_show(s, 0));
	s->out[0] = y;
	return true;
}

static struct view view_here(const ad_run *r)
{
	const struct attrs *a = r->attrs;
	struct view v =
	    slicing_view(r->out[0].rank, r->out[0].dims, a->axes, a->starts, a->stops, a->steps);
	view_simplify(&v);
	return v;
}

static void rows(const ad_run *r, size_t begin, size_t end)
{
	struct view v = view_here(r);
	view_write(&v, sizeof(ad_real), r->out[0].data, r->in[0].data, begin, end);
}

static void forward(const ad_run *r)
{
	struct view v = view_here(r);

	if (r->in[0].count < r->out[0].count)
		memset(r->out[0].data, 0, r->out[0].count * sizeof(ad_real));
	if (r->in[0].count > 0)
		ad_parallel(r, view_rows(&v), view_grain(&v), rows);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *a = ad_attrs_of(y);
	dx[0] = ad_slice(dy[0], a->axes, a->starts, a->stops, a->steps);
}

AD_OP(unslice, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .shape = shape,
      .forward = forward, .grad = grad,
      .samples = { { .in = { AD_DIMS(2) },
                     .attrs = "shape=5 axes=0 starts=1 steps=2",
                     .give = { AD_LIST(7, 8) },
                     .want = { AD_LIST(0, 7, 0, 8, 0) },
                     .dwant = { AD_LIST(1, 1) } },
                   { .in = { AD_DIMS(2, 2, 2) },
                     .attrs = "shape=[5,6,2] axes=[0,1] starts=[1,0] stops=[-1,6] steps=[2,3]",
                     .lo = -2,
                     .hi = 2 },
                   { .in = { AD_DIMS(0, 2) },
                     .attrs = "shape=[2,2] axes=0 starts=1 stops=1",
                     .want = { AD_LIST(0, 0, 0, 0) } },
                   { .in = { AD_DIMS(3) },
                     .attrs = "shape=5 axes=0 starts=1 steps=2",
                     .error = "the slice of (5,) is (2,), but x is (3,)" } });

/* Zeros of that shape with x where slice, given the same lists, would have taken it from. */
AD_API ad_node *ad_unslice(ad_node *x, ad_shape to, ad_ints axes, ad_ints starts, ad_ints stops,
                           ad_ints steps)
{
	struct attrs a = { { to.rank, to.dims }, axes, starts, stops, steps };

	return AD_CALL_WITH(unslice, &a, x);
}
