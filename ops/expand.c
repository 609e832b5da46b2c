/*
 * expand: y = x broadcast to a shape: axes are added in front, and axes of size 1 repeated.
 *
 *   x   any shape          y   of shape `shape`, in which -1 keeps the size that x has
 *   dx = dy summed to the shape of x; x need not be kept. Masks and indices stay what they are.
 */
#include "op.h"
#include "kernels/strided.h"

struct attrs {
	ad_ints shape;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, shape, AD_INTLIST, NULL, "the shape to broadcast to; -1 keeps a size",
	        NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	const ad_shape *x = &s->in[0];
	ad_shape y = { 0 };
	int more;
	size_t count;

	if (a->shape.n < x->rank || a->shape.n > AD_MAX_RANK)
		return ad_refuse(s, "cannot expand %s to %lld axes: give %d to %d sizes",
		                 ad_show(s, 0), (long long)a->shape.n, x->rank, AD_MAX_RANK);
	y.rank = (int)a->shape.n;
	more = y.rank - x->rank;
	for (int i = 0; i < y.rank; i++) {
		int64_t size = a->shape.v[i], old = i < more ? 1 : x->dims[i - more];

		if (size == -1 && i < more)
			return ad_refuse(s, "-1 keeps a size, but axis %d is new: %s has %d axes",
			                 i, ad_show(s, 0), x->rank);
		if (size < -1)
			return ad_refuse(s, "size %lld of axis %d is negative", (long long)size, i);
		y.dims[i] = size == -1 ? old : size;
		if (old != 1 && old != y.dims[i])
			return ad_refuse(s,
			                 "cannot expand %s: axis %d has size %lld, not 1 or %lld",
			                 ad_show(s, 0), i - more, (long long)old, (long long)size);
	}
	if (!ad_count_of(&y, &count))
		return ad_refuse(s, "%s has too many elements", ad_show_shape(s, y));
	s->out[0] = y;
	s->out_type[0] = s->in_type[0];
	return true;
}

static struct view view_here(const ad_run *r)
{
	const ad_array *x = &r->in[0], *y = &r->out[0];
	struct view v = { .rank = y->rank };
	int64_t stride[AD_MAX_RANK];
	int more = y->rank - x->rank;

	strides_of(x->rank, x->dims, stride);
	for (int i = 0; i < y->rank; i++) {
		v.dims[i] = y->dims[i];
		v.stride[i] = i < more || x->dims[i - more] == 1 ? 0 : stride[i - more];
	}
	view_simplify(&v);
	return v;
}

static void rows(const ad_run *r, size_t begin, size_t end)
{
	struct view v = view_here(r);
	view_read(&v, bytes_of(&r->in[0]), r->out[0].data, r->in[0].data, begin, end);
}

static void forward(const ad_run *r)
{
	struct view v = view_here(r);
	if (r->out[0].count > 0)
		ad_parallel(r, view_rows(&v), view_grain(&v), rows);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = ad_sum_to(dy[0], ad_shape_of(ad_input_of(y, 0)));
}

AD_OP(expand, .arity = 1, .as_is = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs),
      .shape = shape, .forward = forward, .grad = grad,
      .samples = { { .in = { AD_DIMS(2, 1) },
                     .attrs = "shape=[2,2,3]",
                     .give = { AD_LIST(1, 2) },
                     .want = { AD_LIST(1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2) },
                     .dwant = { AD_LIST(6, 6) } },
                   { .in = { AD_DIMS(1, 3) },
                     .attrs = "shape=[2,-1]",
                     .give = { AD_LIST(1, 2, 3) },
                     .want = { AD_LIST(1, 2, 3, 1, 2, 3) },
                     .dwant = { AD_LIST(2, 2, 2) } },
                   { .in = { AD_DIMS_OF(AD_I32, 1) },
                     .attrs = "shape=[3]",
                     .give = { AD_LIST(7) },
                     .want = { AD_LIST(7, 7, 7) } },
                   { .in = { AD_DIM0 }, .attrs = "shape=[2,3]", .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(3, 1, 2) }, .attrs = "shape=[2,3,4,2]", .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(1, 3) }, .attrs = "shape=[0,3]", .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 3) },
                     .attrs = "shape=[2,4]",
                     .error = "cannot expand (2, 3): axis 1 has size 3, not 1 or 4" },
                   { .in = { AD_DIMS(2, 3) },
                     .attrs = "shape=[3]",
                     .error = "cannot expand (2, 3) to 1 axes" },
                   { .in = { AD_DIMS(3) },
                     .attrs = "shape=[-1,3]",
                     .error = "-1 keeps a size, but axis 0 is new" } });

/* x broadcast to a shape; a size of -1 keeps the one that x has. */
AD_API ad_node *ad_expand(ad_node *x, ad_shape to)
{
	struct attrs a = { { to.rank, to.dims } };

	return AD_CALL_WITH(expand, &a, x);
}
