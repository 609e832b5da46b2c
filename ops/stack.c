/*
 * stack: y = the inputs joined along a new axis.
 *
 *   x0, x1, ...   of one shape          y   with their number as the size of the new axis
 *   dx = the part of dy that belongs to each. Composed of concat. Masks and indices stay what they
 * are.
 */
#include "op.h"

struct attrs {
	int64_t axis;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, axis, AD_INT, "0", "where the new axis stands in y", NULL),
	{ 0 },
};

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	ad_shape s = ad_shape_of(in[0]), column = { .rank = s.rank + 1 };
	int64_t axis = a->axis + (a->axis < 0 ? column.rank : 0);
	char text[2][192];
	ad_node **part, *y;

	if (axis < 0 || axis >= column.rank || column.rank > AD_MAX_RANK)
		return ad_fail(
		    g, AD_ERROR_SHAPE,
		    "stack: axis %lld is not one of the %d axes of the result (at most %d)",
		    (long long)a->axis, column.rank, AD_MAX_RANK);
	for (int i = 0; i < column.rank; i++)
		column.dims[i] = i == axis ? 1 : s.dims[i > axis ? i - 1 : i];
	part = malloc((size_t)n_in * sizeof(ad_node *));
	if (!part)
		return ad_fail(g, AD_ERROR_MEMORY, "stack: out of memory");
	for (int i = 0; i < n_in; i++) {
		ad_shape other = ad_shape_of(in[i]);

		if (!ad_equal_shapes(&s, &other)) {
			free(part);
			return ad_fail(g, AD_ERROR_SHAPE,
			               "stack: %s and %s differ; all must be the same",
			               ad_print_shape(text[0], sizeof *text, s),
			               ad_print_shape(text[1], sizeof *text, other));
		}
		part[i] = ad_reshape(in[i], column);
	}
	y = ad_concat((size_t)n_in, part, axis);
	free(part);
	return y;
}

AD_OP(stack, .arity = 1, .optional = -1, .attrs = attrs, .attrs_size = sizeof(struct attrs),
      .compose = compose,
      .samples = { { .in = { AD_DIMS(2), AD_DIMS(2) },
                     .attrs = "axis=-1",
                     .give = { AD_LIST(1, 2), AD_LIST(3, 4) },
                     .want = { AD_LIST(1, 3, 2, 4) },
                     .dwant = { AD_LIST(1, 1), AD_LIST(1, 1) } },
                   { .in = { AD_DIM0, AD_DIM0 },
                     .give = { AD_LIST(1), AD_LIST(2) },
                     .want = { AD_LIST(1, 2) } },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(2, 3), AD_DIMS(2, 3) },
                     .attrs = "axis=1",
                     .lo = -2,
                     .hi = 2 },
                   { .in = { AD_DIMS(2), AD_DIMS(3) }, .error = "(2,) and (3,) differ" },
                   { .in = { AD_DIMS(2), AD_DIMS(2) }, .attrs = "axis=2", .error = "axis 2" } });

/* n arrays of one shape joined along a new axis. */
AD_API ad_node *ad_stack(size_t n, ad_node *const x[], int64_t axis)
{
	struct attrs a = { axis };

	return AD_CALL_N(stack, &a, n, x);
}
