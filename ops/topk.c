/*
 * topk: the k largest elements of x along an axis, or the smallest, in their order, and their
 * places.
 *
 *   x   any shape          values, indices   shape of x with k along the axis
 *   Of equal elements the first one comes first; NaN counts as larger than all.
 *   dx = dy put back, 0 elsewhere; only the indices are kept
 */
#include "op.h"
#include "kernels/order.h"

struct attrs {
	int64_t k, axis;
	bool largest;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, k, AD_INT, NULL, "how many", NULL),
	AD_ATTR(struct attrs, axis, AD_INT, "-1", "the axis", NULL),
	AD_ATTR(struct attrs, largest, AD_FLAG, "true", "the largest, or else the smallest", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	const ad_shape *x = &s->in[0];
	int axis = ad_axis(s, x->rank, a->axis);
	int64_t n;

	if (axis < 0)
		return false;
	n = x->rank ? x->dims[axis] : 1;
	if (a->k < 0 || a->k > n)
		return ad_refuse(s, "cannot take %lld of the %lld elements along axis %d of %s",
		                 (long long)a->k, (long long)n, axis, ad_show(s, 0));
	if (!values_and_places(s, axis, x->rank ? a->k : 1, false))
		return false;
	if (x->rank == 0 && a->k == 0)
		return ad_refuse(s, "a single number has no axis to leave out");
	return order_work(x, &s->work) || ad_refuse(s, "%s is too large", ad_show(s, 0));
}

static void outputs(const ad_run *r, size_t begin, size_t end)
{
	const struct attrs *a = r->attrs;
	struct lines l = lines_along(r->in[0].rank, r->in[0].dims, a->axis);
	struct lines to = lines_along(r->out[0].rank, r->out[0].dims, a->axis);

	for (size_t k = begin; k < end; k++) {
		const ad_real *x = ad_reals_of(&r->in[0]) + line_start(&l, k);
		size_t start = line_start(&to, k);
		int32_t *area = (int32_t *)r->work + 2 * k * l.n;
		const int32_t *order = order_line(x, l.n, l.step, a->largest, area, area + l.n);

		for (size_t i = 0; i < to.n; i++) {
			ad_reals_of(&r->out[0])[start + i * to.step] = x[(size_t)order[i] * l.step];
			ad_indices_of(&r->out[1])[start + i * to.step] = order[i];
		}
	}
}

static void forward(const ad_run *r)
{
	const struct attrs *a = r->attrs;
	struct lines l = lines_along(r->in[0].rank, r->in[0].dims, a->axis);

	if (r->out[0].count > 0)
		ad_parallel(r, l.count, 4096 / (l.n + 1) + 1, outputs);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *a = ad_attrs_of(y);

	dx[0] = value_grad(y, dy[0], a->axis, true);
}

AD_OP(topk, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .shape = shape,
      .forward = forward, .grad = grad,
      .samples = { { .in = { AD_DIMS(2, 4) },
                     .attrs = "k=2",
                     .give = { AD_LIST(2, 1, 2, 0, 3, 7, -1, 9) },
                     .want = { AD_LIST(2, 2, 9, 7), AD_LIST(0, 2, 3, 1) },
                     .dwant = { AD_LIST(1, 0, 1, 0, 0, 1, 0, 1) } },
                   { .in = { AD_DIMS(3, 2) },
                     .attrs = "k=1 axis=0 largest=false",
                     .give = { AD_LIST(1, 5, 3, 5, 2, 9) },
                     .want = { AD_LIST(1, 5), AD_LIST(0, 0) } },
                   { .in = { AD_DIMS(2, 3) }, .attrs = "k=0" },
                   { .in = { AD_DIMS(2, 7, 2) }, .attrs = "k=3 axis=1", .lo = -9, .hi = 9 },
                   { .in = { AD_DIMS(2, 3) },
                     .attrs = "k=4",
                     .error = "cannot take 4 of the 3 elements along axis 1 of (2, 3)" } });

/* The k largest elements of x along an axis, or the smallest, in order; output 1: where they were.
 */
AD_API ad_node *ad_topk(ad_node *x, int64_t k, int64_t axis, bool largest)
{
	struct attrs a = { k, axis, largest };

	return AD_CALL_WITH(topk, &a, x);
}
