/*
 * sort: the elements of x along an axis in their order, and the places they came from.
 *
 *   x   any shape          values, indices   shape of x
 *   Equal elements stay as they stand; NaN counts as larger than all.
 *   dx = dy put back; only the indices are kept
 */
#include "op.h"
#include "kernels/order.h"

struct attrs {
	int64_t axis;
	bool descending;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, axis, AD_INT, "-1", "the axis", NULL),
	AD_ATTR(struct attrs, descending, AD_FLAG, "false", "the largest first", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	const ad_shape *x = &s->in[0];
	int axis = ad_axis(s, x->rank, a->axis);

	if (axis < 0 || !values_and_places(s, axis, x->rank ? x->dims[axis] : 1, false))
		return false;
	return order_work(x, &s->work) || ad_refuse(s, "%s is too large", ad_show(s, 0));
}

static void outputs(const ad_run *r, size_t begin, size_t end)
{
	const struct attrs *a = r->attrs;
	struct lines l = lines_along(r->in[0].rank, r->in[0].dims, a->axis);

	for (size_t k = begin; k < end; k++) {
		size_t start = line_start(&l, k);
		const ad_real *x = ad_reals_of(&r->in[0]) + start;
		int32_t *area = (int32_t *)r->work + 2 * k * l.n;
		const int32_t *order = order_line(x, l.n, l.step, a->descending, area, area + l.n);

		for (size_t i = 0; i < l.n; i++) {
			ad_reals_of(&r->out[0])[start + i * l.step] = x[(size_t)order[i] * l.step];
			ad_indices_of(&r->out[1])[start + i * l.step] = order[i];
		}
	}
}

static void forward(const ad_run *r)
{
	const struct attrs *a = r->attrs;
	struct lines l = lines_along(r->in[0].rank, r->in[0].dims, a->axis);

	ad_parallel(r, l.count, 4096 / (l.n + 1) + 1, outputs);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *a = ad_attrs_of(y);

	dx[0] = value_grad(y, dy[0], a->axis, true);
}

AD_OP(sort, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .shape = shape,
      .forward = forward, .grad = grad,
      .samples = {
	  { .in = { AD_DIMS(2, 3) },
            .give = { AD_LIST(2, 1, 2, NAN, 7, -1) },
            .want = { AD_LIST(1, 2, 2, -1, 7, NAN), AD_LIST(1, 0, 2, 2, 1, 0) },
            .dwant = { AD_LIST(1, 1, 1, 1, 1, 1) } },
	  { .in = { AD_DIMS(3, 2) },
            .attrs = "axis=0 descending=true",
            .give = { AD_LIST(1, 5, 3, 5, 2, 9) },
            .want = { AD_LIST(3, 9, 2, 5, 1, 5), AD_LIST(1, 2, 2, 0, 0, 1) } },
	  { .in = { AD_DIM0 }, .give = { AD_LIST(7) }, .want = { AD_LIST(7), AD_LIST(0) } },
	  { .in = { AD_DIMS(2, 0) } },
	  { .in = { AD_DIMS(2, 7, 2) }, .attrs = "axis=1", .lo = -9, .hi = 9 },
	  { .in = { AD_DIMS(2, 5) }, .attrs = "descending=true", .lo = -9, .hi = 9 },
	  { .in = { AD_DIMS(2) }, .attrs = "axis=1", .error = "axis 1" } });

/* The elements of x along an axis, the smallest first, or the largest; output 1: where they were.
 */
AD_API ad_node *ad_sort(ad_node *x, int64_t axis, bool descending)
{
	struct attrs a = { axis, descending };

	return AD_CALL_WITH(sort, &a, x);
}
