/*
 * median_dim: the lower median of x along an axis, and its place there.
 *
 *   x        any shape          values   without that axis, or with size 1 there if keepdim is set:
 *            of n elements in their order the one with (n - 1) / 2 before it; NaN if one is NaN
 *   indices  the same shape: its place, the order leaving equal elements as they stand
 *   dx = dy at that place, 0 elsewhere; only the indices are kept
 */
#include "op.h"
#include "kernels/order.h"

struct attrs {
	int64_t axis;
	bool keepdim;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, axis, AD_INT, "-1", "the axis", NULL),
	AD_ATTR(struct attrs, keepdim, AD_FLAG, "false", "keep the axis, with size 1", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;

	if (!values_and_places(s, a->axis, -1, a->keepdim))
		return false;
	return order_work(&s->in[0], &s->work) || ad_refuse(s, "%s is too large", ad_show(s, 0));
}

static void outputs(const ad_run *r, size_t begin, size_t end)
{
	const struct attrs *a = r->attrs;
	struct lines l = lines_along(r->in[0].rank, r->in[0].dims, a->axis);

	for (size_t k = begin; k < end; k++) {
		const ad_real *x = ad_reals_of(&r->in[0]) + line_start(&l, k);
		int32_t *area = (int32_t *)r->work + 2 * k * l.n;
		const int32_t *order = order_line(x, l.n, l.step, false, area, area + l.n);
		int32_t place = order[(l.n - 1) / 2], last = order[l.n - 1];

		/* NaN stands last */
		if (x[(size_t)last * l.step] != x[(size_t)last * l.step])
			for (size_t i = l.n; i-- > 0 && x[(size_t)order[i] * l.step] !=
			                                    x[(size_t)order[i] * l.step];)
				place = order[i];
		ad_reals_of(&r->out[0])[k] = x[(size_t)place * l.step];
		ad_indices_of(&r->out[1])[k] = place;
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

	dx[0] = value_grad(y, dy[0], a->axis, a->keepdim);
}

AD_OP(median_dim, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .shape = shape,
      .forward = forward, .grad = grad,
      .samples = {
	  { .in = { AD_DIMS(2, 4) },
            .give = { AD_LIST(4, 1, 3, 2, 5, 5, 1, 9) },
            .want = { AD_LIST(2, 5), AD_LIST(3, 0) },
            .dwant = { AD_LIST(0, 0, 0, 1, 1, 0, 0, 0) } },
	  { .in = { AD_DIMS(3) },
            .attrs = "axis=0 keepdim=true",
            .give = { AD_LIST(1, NAN, NAN) },
            .want = { AD_LIST(NAN), AD_LIST(1) } },
	  { .in = { AD_DIM0 }, .give = { AD_LIST(7) }, .want = { AD_LIST(7), AD_LIST(0) } },
	  { .in = { AD_DIMS(2, 5, 3) }, .attrs = "axis=1", .lo = -9, .hi = 9 },
	  { .in = { AD_DIMS(0, 3) },
            .attrs = "axis=0",
            .error = "there is nothing to choose from along axis 0 of (0, 3)" } });

/* The lower median of x along an axis; output 1 is its place. */
AD_API ad_node *ad_median_dim(ad_node *x, int64_t axis, bool keepdim)
{
	struct attrs a = { axis, keepdim };

	return AD_CALL_WITH(median_dim, &a, x);
}
