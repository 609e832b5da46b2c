/*
 * unfold: y = the windows of `size` elements along an axis of x, each `step` after the one before.
 *
 *   x   any shape with an axis of at least `size`          y   along it the number of windows,
 *                                                              (n - size) / step + 1, and a last axis
 *                                                              of `size` with their elements
 *   dx = dy added up where windows overlap. Composed of index_select.
 */
#include "op.h"

struct attrs {
	int64_t size, step, axis;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, size, AD_INT, NULL, "elements of a window", NULL),
	AD_ATTR(struct attrs, step, AD_INT, "1", "from one window to the next", NULL),
	AD_ATTR(struct attrs, axis, AD_INT, "-1", "the axis", NULL),
	{ 0 },
};

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	ad_shape s = ad_shape_of(in[0]);
	int64_t axis = a->axis + (a->axis < 0 ? s.rank : 0), windows, order[AD_MAX_RANK];
	ad_node *place;

	if (axis < 0 || axis >= s.rank || s.rank == AD_MAX_RANK)
		return ad_fail(g, AD_ERROR_SHAPE,
		               "unfold: axis %lld is not one of the %d axes of x (at most %d)",
		               (long long)a->axis, s.rank, AD_MAX_RANK - 1);
	if (a->size < 1 || a->size > s.dims[axis] || a->step < 1 || s.dims[axis] > INT32_MAX)
		return ad_fail(g, AD_ERROR_ARGUMENT,
		               "unfold: windows of %lld, %lld apart, do not fit an axis of %lld elements",
		               (long long)a->size, (long long)a->step, (long long)s.dims[axis]);
	windows = (s.dims[axis] - a->size) / a->step + 1;
	place = ad_arange(g, 0, (windows - 1) * a->step + 1, a->step < INT32_MAX ? a->step : INT32_MAX);
	place = ad_add(ad_reshape(place, AD_SHAPE(windows, 1)), ad_arange(g, 0, a->size, 1));
	place = ad_index_select(in[0], ad_reshape(place, AD_SHAPE(windows * a->size)), axis);
	/* (.., windows, size, ..), then size to the end */
	for (int i = s.rank++; i > axis; i--)
		s.dims[i] = s.dims[i - 1];
	s.dims[axis] = windows;
	s.dims[axis + 1] = a->size;
	for (int i = 0; i < s.rank; i++)
		order[i] = i <= axis ? i : i + 1;
	order[s.rank - 1] = axis + 1;
	return ad_permute(ad_reshape(place, s), (ad_ints){ s.rank, order });
}

AD_OP(unfold, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .compose = compose,
      .samples = { { .in = { AD_DIMS(6) },
                     .attrs = "size=3 step=2",
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6) },
                     .want = { AD_LIST(1, 2, 3, 3, 4, 5) },
                     .dwant = { AD_LIST(1, 1, 2, 1, 1, 0) } },
                   { .in = { AD_DIMS(2, 5, 2) }, .attrs = "size=2 axis=1", .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2) }, .attrs = "size=3",
                     .error = "windows of 3, 1 apart, do not fit an axis of 2 elements" } });

/* The windows of size elements along an axis, step apart, their elements in a new last axis. */
AD_API ad_node *ad_unfold(ad_node *x, int64_t size, int64_t step, int64_t axis)
{
	struct attrs a = { size, step, axis };

	return AD_CALL_WITH(unfold, &a, x);
}
