/*
 * linear_recurrence: h[k] = a[k] h[k - 1] + b[k] along an axis, from h[-1] = 0.
 *
 *   a, b   of one shape          h   the same; from the end backwards if `reverse` is set
 *   db = the recurrence of dh the other way, each a one place on: db[k] = dh[k] + a[k + 1] db[k +
 * 1] da[k] = db[k] h[k - 1]; a and h are kept. So its gradients are of its own kind, to any order.
 */
#include "op.h"
#include "kernels/lines.h"

struct attrs {
	int64_t axis;
	bool reverse;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, axis, AD_INT, "-1", "the axis", NULL),
	AD_ATTR(struct attrs, reverse, AD_FLAG, "false", "from the end backwards", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;

	if (!ad_equal_shapes(&s->in[0], &s->in[1]))
		return ad_refuse(s, "a %s and b %s must have the same shape", ad_show(s, 0),
		                 ad_show(s, 1));
	s->out[0] = s->in[0];
	return ad_axis(s, s->in[0].rank, a->axis) >= 0;
}

static void outputs(const ad_run *r, size_t begin, size_t end)
{
	const struct attrs *at = r->attrs;
	struct lines l = lines_along(r->in[0].rank, r->in[0].dims, at->axis);

	for (size_t k = begin; k < end; k++) {
		size_t start = line_start(&l, k);
		const ad_real *a = ad_reals_of(&r->in[0]) + start,
			      *b = ad_reals_of(&r->in[1]) + start;
		ad_real *h = ad_reals_of(&r->out[0]) + start, last = 0;

		for (size_t i = 0; i < l.n; i++) {
			size_t place = (at->reverse ? l.n - 1 - i : i) * l.step;

			/* the first one is b alone, whatever a is */
			last = i == 0 ? b[place] : a[place] * last + b[place];
			h[place] = last;
		}
	}
}

static void forward(const ad_run *r)
{
	const struct attrs *a = r->attrs;
	struct lines l = lines_along(r->in[0].rank, r->in[0].dims, a->axis);

	if (r->out[0].count > 0)
		ad_parallel(r, l.count, 16384 / (l.n + 1) + 1, outputs);
}

/* x moved one place along the axis, towards the end or the beginning, with 0 coming in. */
static ad_node *moved(ad_node *x, int64_t axis, bool to_end)
{
	ad_shape s = ad_shape_of(x);
	int64_t n;

	axis += axis < 0 ? s.rank : 0;
	n = s.dims[axis];
	x = ad_slice(x, AD_INTS(axis), AD_INTS(to_end ? 0 : 1), AD_INTS(to_end ? n - 1 : n),
	             AD_ALL);
	return ad_unslice(x, s, AD_INTS(axis), AD_INTS(to_end ? 1 : 0), AD_INTS(to_end ? n : n - 1),
	                  AD_ALL);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *at = ad_attrs_of(y);
	ad_node *a = ad_input_of(y, 0), *db;

	if (ad_shape_of(y).rank == 0 || ad_count(y) == 0) {
		dx[0] = ad_full_like(a, 0);
		dx[1] = dy[0];
		return;
	}
	db = ad_linear_recurrence(moved(a, at->axis, at->reverse), dy[0], at->axis, !at->reverse);
	if (ad_wants(y, 0))
		dx[0] = ad_mul(db, moved(y, at->axis, !at->reverse));
	dx[1] = db;
}

AD_OP(
    linear_recurrence, .arity = 2, .attrs = attrs, .attrs_size = sizeof(struct attrs),
    .shape = shape, .forward = forward, .grad = grad,
    .samples = {
	{ .in = { AD_DIMS(3), AD_DIMS(3) },
          .give = { AD_LIST(NAN, 2, 3), AD_LIST(1, 10, 100) },
          .want = { AD_LIST(1, 12, 136) },
          .dwant = { AD_LIST(0, 4, 12), AD_LIST(9, 4, 1) } },
	{ .in = { AD_DIMS(2, 2), AD_DIMS(2, 2) },
          .attrs = "axis=0 reverse=true",
          .give = { AD_LIST(2, 3, 5, 7), AD_LIST(1, 10, 100, 1000) },
          .want = { AD_LIST(201, 3010, 100, 1000) } },
	{ .in = { AD_DIM0, AD_DIM0 }, .give = { AD_LIST(2), AD_LIST(3) }, .want = { AD_LIST(3) } },
	{ .in = { AD_DIMS(2, 4), AD_DIMS(2, 4) }, .lo = -2, .hi = 2 },
	{ .in = { AD_DIMS(2, 3, 2), AD_DIMS(2, 3, 2) },
          .attrs = "axis=1 reverse=true",
          .lo = -2,
          .hi = 2 },
	{ .in = { AD_DIMS(2), AD_DIMS(3) }, .error = "a (2,) and b (3,) must have the same shape" },
	{ .in = { AD_DIMS(2), AD_DIMS(2) }, .attrs = "axis=1", .error = "axis 1" } });

/* h[k] = a[k] h[k - 1] + b[k] along an axis, from 0; from the end backwards if reverse is set. */
AD_API ad_node *ad_linear_recurrence(ad_node *a, ad_node *b, int64_t axis, bool reverse)
{
	struct attrs attributes = { axis, reverse };

	return AD_CALL_WITH(linear_recurrence, &attributes, a, b);
}
