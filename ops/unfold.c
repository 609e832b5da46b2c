/*
 * unfold: y = the sliding windows along an axis of x, their elements along a new last axis.
 *
 *   x   any shape with an axis of n
 *   y   (n - size) / step + 1 windows there, and `size` elements at the end
 *   y[.., l, .., k] = x[.., l step + k, ..]
 *   dx = dy added up where it came from; x need not be kept. Masks and indices stay what they are.
 */
#include "op.h"
#include "kernels/strided.h"

struct attrs {
	int64_t size, axis, step;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, size, AD_INT, NULL, "the elements of a window", NULL),
	AD_ATTR(struct attrs, axis, AD_INT, "-1", "the axis along which they slide", NULL),
	AD_ATTR(struct attrs, step, AD_INT, "1", "from one window to the next", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	const ad_shape *x = &s->in[0];
	ad_shape y = *x;
	size_t count;
	int axis;

	if (x->rank == 0)
		return ad_refuse(s, "a single number has no axis to slide along");
	axis = ad_axis(s, x->rank, a->axis);
	if (axis < 0)
		return false;
	if (x->rank == AD_MAX_RANK)
		return ad_refuse(s, "x %s has %d axes already, the most there may be",
		                 ad_show(s, 0), AD_MAX_RANK);
	if (a->size < 1 || a->step < 1)
		return ad_refuse(s, "%s must be 1 or more, not %lld", a->size < 1 ? "size" : "step",
		                 (long long)(a->size < 1 ? a->size : a->step));
	if (a->size > x->dims[axis])
		return ad_refuse(s, "windows of %lld do not fit into axis %d of x %s",
		                 (long long)a->size, axis, ad_show(s, 0));
	y.dims[axis] = (x->dims[axis] - a->size) / a->step + 1;
	y.dims[y.rank++] = a->size;
	if (!ad_count_of(&y, &count))
		return ad_refuse(s, "a result of shape %s is too large", ad_show_shape(s, y));
	s->out[0] = y;
	s->out_type[0] = s->in_type[0];
	return true;
}

static struct view view_here(const ad_run *r)
{
	const struct attrs *a = r->attrs;
	const ad_array *x = &r->in[0], *y = &r->out[0];
	int axis = (int)(a->axis < 0 ? a->axis + x->rank : a->axis);
	struct view v = { .rank = y->rank };

	strides_of(x->rank, x->dims, v.stride);
	memcpy(v.dims, y->dims, (size_t)y->rank * sizeof *v.dims);
	v.stride[y->rank - 1] = v.stride[axis];
	/* With one window there is no next one; a huge step would overflow. */
	v.stride[axis] *= v.dims[axis] > 1 ? a->step : 1;
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
	const struct attrs *a = ad_attrs_of(y);
	ad_shape x = ad_shape_of(ad_input_of(y, 0));
	int axis = (int)(a->axis < 0 ? a->axis + x.rank : a->axis);

	dx[0] = ad_unfold_adjoint(dy[0], x.dims[axis], axis, a->step);
}

AD_OP(unfold, .arity = 1, .as_is = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs),
      .shape = shape, .forward = forward, .grad = grad,
      .samples = {
	  { .in = { AD_DIMS(7) },
            .attrs = "size=3 step=2",
            .give = { AD_LIST(-4, 3, -1, 6, 2, -2, 5) },
            .want = { AD_LIST(-4, 3, -1, -1, 6, 2, 2, -2, 5) },
            .dwant = { AD_LIST(1, 1, 2, 1, 2, 1, 1) } },
	  { .in = { AD_DIMS(2, 4, 2) },
            .attrs = "axis=1 size=2",
            .give = { AD_LIST(-4, 3, -1, 6, 2, -2, 5, 1, -3, 4, 0, -4, 3, -1, 6, 2) },
            .want = { AD_LIST(-4, -1, 3, 6, -1, 2, 6, -2, 2, 5, -2, 1, -3, 0, 4, -4, 0, 3, -4, -1,
                              3, 6, -1, 2) },
            .dwant = { AD_LIST(1, 1, 2, 2, 2, 2, 1, 1, 1, 1, 2, 2, 2, 2, 1, 1) } },
	  { .in = { AD_DIMS_OF(AD_I32, 4) },
            .attrs = "size=2 step=2",
            .give = { AD_LIST(1, 2, 3, 4) },
            .want = { AD_LIST(1, 2, 3, 4) } },
	  { .in = { AD_DIMS(2, 7, 3) }, .attrs = "axis=1 size=3 step=2", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(2, 7) }, .attrs = "size=2 step=3", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(0, 3) }, .attrs = "size=2", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(3) },
            .attrs = "size=4",
            .error = "windows of 4 do not fit into axis 0 of x (3,)" },
	  { .in = { AD_DIM0 }, .attrs = "size=1", .error = "a single number has no axis" },
	  { .in = { AD_DIMS(3) },
            .attrs = "size=2 step=0",
            .error = "step must be 1 or more, not 0" },
	  { .in = { AD_DIMS(3) }, .attrs = "axis=1 size=2", .error = "axis 1" } });

/* The windows of `size` along an axis of x, `step` apart, their elements along a new last axis. */
AD_API ad_node *ad_unfold(ad_node *x, int64_t size, int64_t axis, int64_t step)
{
	struct attrs a = { size, axis, step };

	return AD_CALL_WITH(unfold, &a, x);
}
