/*
 * max_dim: the largest element of x along an axis, and its place there.
 *
 *   x        any shape          values   without that axis, or with size 1 there if keepdim is set
 *   indices  the same shape: the first place of it, or of NaN, which wins
 *   dx = dy at that place, 0 elsewhere; only the indices are kept
 */
#include "op.h"
#include "kernels/extremes.h"
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

	return values_and_places(s, a->axis, -1, a->keepdim);
}

static void outputs(const ad_run *r, size_t begin, size_t end)
{
	const struct attrs *a = r->attrs;
	struct lines l = lines_along(r->in[0].rank, r->in[0].dims, a->axis);

	for (size_t k = begin; k < end; k++) {
		const ad_real *x = ad_reals_of(&r->in[0]) + line_start(&l, k);
		size_t place = place_of_extreme(x, l.n, l.step, false);

		ad_reals_of(&r->out[0])[k] = x[place * l.step];
		ad_indices_of(&r->out[1])[k] = (int32_t)place;
	}
}

static void forward(const ad_run *r)
{
	const struct attrs *a = r->attrs;
	struct lines l = lines_along(r->in[0].rank, r->in[0].dims, a->axis);

	ad_parallel(r, l.count, 32768 / (l.n + 1) + 1, outputs);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *a = ad_attrs_of(y);

	dx[0] = value_grad(y, dy[0], a->axis, a->keepdim);
}

AD_OP(max_dim, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .shape = shape,
      .forward = forward, .grad = grad,
      .samples = {
	  { .in = { AD_DIMS(2, 3) },
            .attrs = "axis=1",
            .give = { AD_LIST(1, 3, 3, 5, 4, -2) },
            .want = { AD_LIST(3, 5), AD_LIST(1, 0) },
            .dwant = { AD_LIST(0, 1, 0, 1, 0, 0) } },
	  { .in = { AD_DIMS(3) },
            .attrs = "keepdim=true",
            .give = { AD_LIST(1, NAN, 2) },
            .want = { AD_LIST(NAN), AD_LIST(1) } },
	  { .in = { AD_DIM0 }, .give = { AD_LIST(7) }, .want = { AD_LIST(7), AD_LIST(0) } },
	  { .in = { AD_DIMS(2, 3, 4) }, .attrs = "axis=1 keepdim=true", .lo = -9, .hi = 9 },
	  { .in = { AD_DIMS(3, 4) }, .attrs = "axis=-2", .lo = -9, .hi = 9 },
	  { .in = { AD_DIMS(0, 3) }, .attrs = "axis=1" },
	  { .in = { AD_DIMS(0, 3) },
            .attrs = "axis=0",
            .error = "there is nothing to choose from along axis 0 of (0, 3)" },
	  { .in = { AD_DIMS(2) }, .attrs = "axis=1", .error = "axis 1" } });

/* The largest element of x along an axis; output 1 is its place. */
AD_API ad_node *ad_max_dim(ad_node *x, int64_t axis, bool keepdim)
{
	struct attrs a = { axis, keepdim };

	return AD_CALL_WITH(max_dim, &a, x);
}
