/*
 * one_hot: y = 1 at the place that an index names along a new axis, 0 elsewhere.
 *
 *   index   any shape, indices     y   with an axis of `classes` put in at `axis`, real
 *
 * An index equal to `ignore` gives zeros; any other outside of 0..classes-1 is an error. No
 * gradient.
 */
#include "op.h"
#include "kernels/lines.h"

struct attrs {
	int64_t classes, axis, ignore;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, classes, AD_INT, NULL, "the size of the new axis", NULL),
	AD_ATTR(struct attrs, axis, AD_INT, "-1", "where the new axis stands in y", NULL),
	AD_ATTR(struct attrs, ignore, AD_INT, "null", "the index that gives zeros; null: none",
	        NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	const ad_shape *x = &s->in[0];
	ad_shape y = { .rank = x->rank + 1 };
	size_t count;
	int axis;

	if (s->in_type[0] != AD_I32)
		return ad_refuse(s, "index must be of indices, not of %s",
		                 s->in_type[0] == AD_BOOL ? "a mask" : "reals");
	if (x->rank == AD_MAX_RANK)
		return ad_refuse(s, "%s has as many axes as there may be", ad_show(s, 0));
	if (a->classes < 0)
		return ad_refuse(s, "there cannot be %lld classes", (long long)a->classes);
	axis = ad_axis(s, y.rank, a->axis);
	if (axis < 0)
		return false;
	for (int i = 0; i < y.rank; i++)
		y.dims[i] = i == axis ? a->classes : x->dims[i > axis ? i - 1 : i];
	if (!ad_count_of(&y, &count))
		return ad_refuse(s, "%s has too many elements", ad_show_shape(s, y));
	s->out[0] = y;
	return true;
}

static void forward(const ad_run *r)
{
	const struct attrs *a = r->attrs;
	struct lines l = lines_along(r->out[0].rank, r->out[0].dims, a->axis);
	const int32_t *index = ad_indices_of(&r->in[0]);
	ad_real *y = ad_reals_of(&r->out[0]);

	if (r->out[0].count > 0)
		memset(y, 0, r->out[0].count * sizeof *y);
	for (size_t k = 0; k < r->in[0].count; k++) {
		if (index[k] == a->ignore)
			continue;
		if (index[k] < 0 || index[k] >= a->classes) {
			ad_run_failed(r,
			              "index %d, element %zu, is not one of the %lld classes, "
			              "which count from 0",
			              (int)index[k], k, (long long)a->classes);
			return;
		}
		y[line_start(&l, k) + (size_t)index[k] * l.step] = 1;
	}
}

AD_OP(one_hot, .arity = 1, .inputs = "index", .as_is = 1, .attrs = attrs,
      .attrs_size = sizeof(struct attrs), .shape = shape, .forward = forward, .flat = true,
      .samples = {
	  { .in = { AD_DIMS_OF(AD_I32, 2) },
            .attrs = "classes=3",
            .give = { AD_LIST(2, 0) },
            .want = { AD_LIST(0, 0, 1, 1, 0, 0) } },
	  { .in = { AD_DIMS_OF(AD_I32, 3) },
            .attrs = "classes=2 axis=0 ignore=-1",
            .give = { AD_LIST(1, -1, 0) },
            .want = { AD_LIST(0, 0, 1, 1, 0, 0) } },
	  { .in = { AD_DIMS_OF(AD_I32, 2) },
            .attrs = "classes=3",
            .give = { AD_LIST(2, 3) },
            .error = "index 3, element 1, is not one of the 3 classes" },
	  { .in = { AD_DIMS(2) }, .attrs = "classes=3", .error = "index must be of indices" } });

/* 1 where the index points along a new axis of that many classes, 0 elsewhere; zeros for the index
 * `ignore` (AD_NONE: none). */
AD_API ad_node *ad_one_hot(ad_node *index, int64_t classes, int64_t axis, int64_t ignore)
{
	struct attrs a = { classes, axis, ignore };

	return AD_CALL_WITH(one_hot, &a, index);
}
