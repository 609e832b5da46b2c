/*
 * unsqueeze: y = x with an axis of size 1 put in.
 *
 *   x   any shape          y   one more axis; `axis` is its place in y
 *   dx = dy in the shape of x; nothing is copied
 */
#include "op.h"

struct attrs {
	int64_t axis;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, axis, AD_INT, NULL, "where the new axis stands in y", NULL),
	{ 0 },
};

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	ad_shape x = ad_shape_of(in[0]), y = { .rank = x.rank + 1 };
	int64_t axis = a->axis < 0 ? a->axis + y.rank : a->axis;
	char text[192];

	ad_print_shape(text, sizeof text, x);
	if (x.rank == AD_MAX_RANK)
		return ad_fail(g, AD_ERROR_SHAPE, "unsqueeze: %s has as many axes as there may be",
		               text);
	if (axis < 0 || axis >= y.rank)
		return ad_fail(g, AD_ERROR_SHAPE,
		               "unsqueeze: axis %lld is not one of %d to %d for %s",
		               (long long)a->axis, -y.rank, x.rank, text);
	for (int i = 0; i < y.rank; i++)
		y.dims[i] = i == axis ? 1 : x.dims[i > axis ? i - 1 : i];
	return ad_reshape(in[0], y);
}

AD_OP(unsqueeze, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .compose = compose,
      .samples = { { .in = { AD_DIMS(2) },
                     .attrs = "axis=0",
                     .give = { AD_LIST(1, 2) },
                     .want = { AD_LIST(1, 2) } },
                   { .in = { AD_DIM0 }, .attrs = "axis=-1", .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 3) }, .attrs = "axis=-2", .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 3) },
                     .attrs = "axis=3",
                     .error = "axis 3 is not one of -3 to 2 for (2, 3)" } });

/* x with an axis of size 1 at that place. */
AD_API ad_node *ad_unsqueeze(ad_node *x, int64_t axis)
{
	struct attrs a = { axis };

	return AD_CALL_WITH(unsqueeze, &a, x);
}
