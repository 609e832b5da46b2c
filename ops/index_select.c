/*
 * index_select: y = the places of an axis that index names, in its order.
 *
 *   x   any shape with an axis          index   (n,), indices; they may repeat
 *   y   shape of x with n along the axis
 *   dx = dy added up where it came from; only index is kept. An index outside of x is an error.
 *   Masks and indices stay what they are.
 */
#include "op.h"
#include "kernels/indexing.h"

struct attrs {
	int64_t axis;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, axis, AD_INT, "0", "the axis along which index counts", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	size_t count;
	int axis;

	if (!indices_expected(s, 1, "index"))
		return false;
	if (s->in[0].rank == 0 || s->in[1].rank != 1)
		return ad_refuse(s, "x %s must have an axis, and index %s exactly one",
		                 ad_show(s, 0), ad_show(s, 1));
	axis = ad_axis(s, s->in[0].rank, a->axis);
	if (axis < 0)
		return false;
	s->out[0] = s->in[0];
	s->out[0].dims[axis] = s->in[1].dims[0];
	if (!ad_count_of(&s->out[0], &count))
		return ad_refuse(s, "%s has too many elements", ad_show_shape(s, s->out[0]));
	s->out_type[0] = s->in_type[0];
	return true;
}

static void rows(const ad_run *r, size_t begin, size_t end)
{
	const struct attrs *a = r->attrs;
	const ad_array *x = &r->in[0];
	const int32_t *index = ad_indices_of(&r->in[1]);
	ad_shape s = { .rank = x->rank };
	size_t outer, size, inner, n = r->in[1].count, row;

	memcpy(s.dims, x->dims, sizeof s.dims);
	ad_around_axis(&s, axis_from_front(x->rank, a->axis), &outer, &size, &inner);
	row = inner * bytes_of(x);
	for (size_t k = begin; k < end; k++) {
		size_t from = k / n * size;

		if (!index_fits(r, index[k % n], k % n, size))
			return;
		memcpy((char *)r->out[0].data + k * row,
		       (const char *)x->data + (from + (size_t)index[k % n]) * row, row);
	}
}

static void forward(const ad_run *r)
{
	const struct attrs *a = r->attrs;
	int axis = axis_from_front(r->in[0].rank, a->axis);
	size_t n = r->in[1].count;

	for (int i = 0; i < axis; i++)
		n *= (size_t)r->in[0].dims[i];
	if (r->out[0].count > 0)
		ad_parallel(r, n, 32768 / (r->out[0].count / n + 1) + 1, rows);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *a = ad_attrs_of(y);

	dx[0] = ad_index_add(ad_full_like(ad_input_of(y, 0), 0), ad_input_of(y, 1), dy[0], a->axis);
}

AD_OP(index_select, .arity = 2, .inputs = "x index", .as_is = AD_AS_IS_ALL, .attrs = attrs,
      .attrs_size = sizeof(struct attrs), .shape = shape, .forward = forward, .grad = grad,
      .samples = { { .in = { AD_DIMS(3, 2), AD_DIMS_OF(AD_I32, 3) },
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6), AD_LIST(2, 0, 2) },
                     .want = { AD_LIST(5, 6, 1, 2, 5, 6) },
                     .dwant = { AD_LIST(1, 1, 0, 0, 2, 2) } },
                   { .in = { AD_DIMS_OF(AD_BOOL, 2, 2), AD_DIMS_OF(AD_I32, 1) },
                     .attrs = "axis=-1",
                     .give = { AD_LIST(1, 0, 0, 1), AD_LIST(1) },
                     .want = { AD_LIST(0, 1) } },
                   { .in = { AD_DIMS(3, 2), AD_DIMS_OF(AD_I32, 0) } },
                   { .in = { AD_DIMS(2, 3, 2), AD_DIMS_OF(AD_I32, 4) },
                     .attrs = "axis=1",
                     .give = { AD_LIST(0.5, 1, 1.5, -1, 2, 0.25, -2, 3, 1, -0.5, 0.75, 2),
                               AD_LIST(2, 0, 2, 1) },
                     .smooth = true },
                   { .in = { AD_DIMS(3, 2), AD_DIMS_OF(AD_I32, 2) },
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6), AD_LIST(0, 3) },
                     .error = "index 3, element 1, is not one of the 3 places" },
                   { .in = { AD_DIMS(3, 2), AD_DIMS_OF(AD_I32, 2, 1) },
                     .error = "index (2, 1) exactly one" },
                   { .in = { AD_DIMS(3, 2), AD_DIMS(2) }, .error = "index must be of indices" } });

/* The places of an axis that index names, in its order. */
AD_API ad_node *ad_index_select(ad_node *x, ad_node *index, int64_t axis)
{
	struct attrs a = { axis };

	return AD_CALL_WITH(index_select, &a, x, index);
}
