/*
 * unfold_adjoint: y = windows put back along an axis, overlaps added up: the gradient of unfold.
 *
 *   x   (.., windows, .., size)
 *   y   `length` in place of the windows, and without the last axis
 *   y[.., l step + k, ..] += x[.., l, .., k]
 *   dx = unfold(dy); x need not be kept
 */
#include "op.h"
#include "kernels/lines.h"

struct attrs {
	int64_t length, axis, step;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, length, AD_INT, NULL, "the size of the axis in y", NULL),
	AD_ATTR(struct attrs, axis, AD_INT, "-1", "the axis of y along which the windows slide",
	        NULL),
	AD_ATTR(struct attrs, step, AD_INT, "1", "from one window to the next", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	const ad_shape *x = &s->in[0];
	ad_shape y = *x;
	int64_t size, windows;
	size_t count;
	int axis;

	if (x->rank < 2)
		return ad_refuse(s, "x is (..., windows, ..., size), not %s", ad_show(s, 0));
	axis = ad_axis(s, --y.rank, a->axis);
	if (axis < 0)
		return false;
	size = x->dims[x->rank - 1];
	if (a->step < 1)
		return ad_refuse(s, "step must be 1 or more, not %lld", (long long)a->step);
	windows = size < 1 || a->length < size ? 0 : (a->length - size) / a->step + 1;
	if (windows < 1 || windows != x->dims[axis])
		return ad_refuse(s, "a length of %lld has %lld windows of %lld, but x %s has %lld",
		                 (long long)a->length, (long long)windows, (long long)size,
		                 ad_show(s, 0), (long long)x->dims[axis]);
	y.dims[axis] = a->length;
	if (!ad_count_of(&y, &count))
		return ad_refuse(s, "a result of shape %s is too large", ad_show_shape(s, y));
	s->out[0] = y;
	return true;
}

static struct lines lines_here(const ad_run *r)
{
	const struct attrs *a = r->attrs;
	return lines_along(r->out[0].rank, r->out[0].dims, a->axis);
}

static void lines(const ad_run *r, size_t begin, size_t end)
{
	const struct attrs *a = r->attrs;
	struct lines l = lines_here(r);
	size_t size = (size_t)r->in[0].dims[r->in[0].rank - 1];
	size_t windows = (l.n - size) / (size_t)a->step + 1;

	for (size_t k = begin; k < end; k++) {
		ad_real *y = ad_reals_of(&r->out[0]) + line_start(&l, k);
		size_t outer = k / l.step, inner = k % l.step;

		for (size_t i = 0; i < l.n; i++)
			y[i * l.step] = 0;
		for (size_t w = 0; w < windows; w++) {
			const ad_real *x = ad_reals_of(&r->in[0]) +
			                   ((outer * windows + w) * l.step + inner) * size;
			ad_real *to = y + w * (size_t)a->step * l.step;

			for (size_t i = 0; i < size; i++)
				to[i * l.step] += x[i];
		}
	}
}

static void forward(const ad_run *r)
{
	struct lines l = lines_here(r);

	if (r->out[0].count > 0)
		ad_parallel(r, l.count, lines_grain(&l), lines);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *a = ad_attrs_of(y);
	ad_shape x = ad_shape_of(ad_input_of(y, 0));

	dx[0] = ad_unfold(dy[0], x.dims[x.rank - 1], a->axis, a->step);
}

AD_OP(unfold_adjoint, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs),
      .shape = shape, .forward = forward, .grad = grad,
      .samples = {
	  { .in = { AD_DIMS(3, 3) },
            .attrs = "length=7 axis=0 step=2",
            .give = { AD_LIST(-4, 3, -1, 6, 2, -2, 5, 1, -3) },
            .want = { AD_LIST(-4, 3, 5, 2, 3, 1, -3) } },
	  { .in = { AD_DIMS(2, 3, 2, 2) },
            .attrs = "length=4 axis=1",
            .give = { AD_LIST(-4, 3, -1, 6, 2, -2, 5, 1, -3, 4, 0, -4, 3, -1, 6, 2, -2, 5, 1, -3, 4,
                              0, -4, 3) },
            .want = { AD_LIST(-4, -1, 5, 11, -5, 1, 4, -4, 3, 6, -3, 3, 9, -7, 0, 3) } },
	  { .in = { AD_DIMS(2, 2) },
            .attrs = "length=6 step=3 axis=-1",
            .give = { AD_LIST(-4, 3, -1, 6) },
            .want = { AD_LIST(-4, 3, 0, -1, 6, 0) } },
	  { .in = { AD_DIMS(2, 3, 3, 3) }, .attrs = "length=7 axis=1 step=2", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(0, 2, 2) }, .attrs = "length=3", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(3, 2) },
            .attrs = "length=5 step=1",
            .error = "a length of 5 has 4 windows of 2, but x (3, 2) has 3" },
	  { .in = { AD_DIMS(3) },
            .attrs = "length=3",
            .error = "x is (..., windows, ..., size), not (3,)" } });

/* Windows x (.., windows, .., size) added up along an axis of y of that length. */
AD_API ad_node *ad_unfold_adjoint(ad_node *x, int64_t length, int64_t axis, int64_t step)
{
	struct attrs a = { length, axis, step };

	return AD_CALL_WITH(unfold_adjoint, &a, x);
}
