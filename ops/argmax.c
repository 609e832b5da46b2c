/*
 * argmax: y = the place of the largest element of x along an axis, or among all.
 *
 *   x   any shape          y   indices, without that axis, or with size 1 there if keepdim is set;
 *                              the first one of equals, or of NaN. No gradient.
 */
#include "op.h"
#include "kernels/extremes.h"

struct attrs {
	int64_t axis;
	bool keepdim;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, axis, AD_INT, "null",
	        "the axis; null: all elements, counted row by row", NULL),
	AD_ATTR(struct attrs, keepdim, AD_FLAG, "false", "keep the axis, with size 1", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	return place_shape(s, a->axis, a->keepdim, "largest");
}

static void outputs(const ad_run *r, size_t begin, size_t end)
{
	const struct attrs *a = r->attrs;
	place_outputs(r, a->axis, false, begin, end);
}

static void forward(const ad_run *r)
{
	size_t n = r->out[0].count ? r->in[0].count / r->out[0].count : 0;
	ad_parallel(r, r->out[0].count, 32768 / (n + 1) + 1, outputs);
}

AD_OP(
    argmax, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .shape = shape,
    .forward = forward, .flat = true,
    .samples = {
	{ .in = { AD_DIMS(2, 3) },
          .attrs = "axis=1",
          .give = { AD_LIST(1, 3, 3, 5, 4, -2) },
          .want = { AD_LIST(1, 0) } },
	{ .in = { AD_DIMS(2, 3) },
          .attrs = "axis=-2 keepdim=true",
          .give = { AD_LIST(1, 3, 3, 5, 4, -2) },
          .want = { AD_LIST(1, 1, 0) } },
	{ .in = { AD_DIMS(2, 3) }, .give = { AD_LIST(1, 3, 3, 5, 4, -2) }, .want = { AD_LIST(3) } },
	{ .in = { AD_DIMS(4) }, .give = { AD_LIST(1, NAN, 2, NAN) }, .want = { AD_LIST(1) } },
	{ .in = { AD_DIMS_OF(AD_BOOL, 3) },
          .attrs = "axis=0",
          .give = { AD_LIST(0, 1, 1) },
          .want = { AD_LIST(1) } },
	{ .in = { AD_DIM0 }, .give = { AD_LIST(7) }, .want = { AD_LIST(0) } },
	{ .in = { AD_DIMS(2, 0) },
          .attrs = "axis=1",
          .error = "there is no largest of no elements: x is (2, 0)" },
	{ .in = { AD_DIMS(2) }, .attrs = "axis=-2", .error = "axis -2" } });

/* The index of the first largest element of x along an axis (AD_NONE: among all). */
AD_API ad_node *ad_argmax(ad_node *x, int64_t axis, bool keepdim)
{
	struct attrs a = { axis, keepdim };

	return AD_CALL_WITH(argmax, &a, x);
}
