/*
 * roll: y = x moved round along some axes: what leaves at the end comes in at the beginning.
 *
 *   x   any shape          y   shape of x; negative shifts move towards the beginning
 *   dx = dy moved back. Composed of slice and concat. Masks and indices stay what they are.
 */
#include "op.h"

struct attrs {
	ad_ints shifts, axes;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, shifts, AD_INTLIST, NULL, "how far along each axis", NULL),
	AD_ATTR(struct attrs, axes, AD_INTLIST, NULL, "the axes", NULL),
	{ 0 },
};

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	ad_shape s = ad_shape_of(in[0]);
	ad_node *y = in[0];

	if (a->axes.n != a->shifts.n || a->axes.n < 0)
		return ad_fail(g, AD_ERROR_ARGUMENT,
		               "roll: %lld shifts for %lld axes: give one for each",
		               (long long)a->shifts.n, (long long)a->axes.n);
	for (int64_t k = 0; k < a->axes.n; k++) {
		int64_t axis = a->axes.v[k] + (a->axes.v[k] < 0 ? s.rank : 0), n, cut;
		ad_node *part[2];

		if (axis < 0 || axis >= s.rank)
			return ad_fail(g, AD_ERROR_SHAPE,
			               "roll: axis %lld is not one of the %d axes of x",
			               (long long)a->axes.v[k], s.rank);
		n = s.dims[axis];
		cut = n ? (n - a->shifts.v[k] % n) % n : 0;
		if (cut == 0)
			continue;
		part[0] = ad_slice(y, AD_INTS(axis), AD_INTS(cut), AD_INTS(n), AD_ALL);
		part[1] = ad_slice(y, AD_INTS(axis), AD_INTS(0), AD_INTS(cut), AD_ALL);
		y = ad_concat(2, part, axis);
	}
	return y;
}

AD_OP(roll, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .compose = compose,
      .samples = { { .in = { AD_DIMS(2, 3) },
                     .attrs = "shifts=[1,-4] axes=[0,1]",
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6) },
                     .want = { AD_LIST(5, 6, 4, 2, 3, 1) },
                     .dwant = { AD_LIST(1, 1, 1, 1, 1, 1) } },
                   { .in = { AD_DIMS_OF(AD_I32, 3) },
                     .attrs = "shifts=7 axes=-1",
                     .give = { AD_LIST(1, 2, 3) },
                     .want = { AD_LIST(3, 1, 2) } },
                   { .in = { AD_DIMS(2, 3, 2) }, .attrs = "shifts=1 axes=1", .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 3) },
                     .attrs = "shifts=1 axes=[0,1]",
                     .error = "1 shifts for 2 axes" },
                   { .in = { AD_DIMS(2) }, .attrs = "shifts=1 axes=1", .error = "axis 1" } });

/* x moved round by shifts along axes. */
AD_API ad_node *ad_roll(ad_node *x, ad_ints shifts, ad_ints axes)
{
	struct attrs a = { shifts, axes };

	return AD_CALL_WITH(roll, &a, x);
}
