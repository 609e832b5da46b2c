/*
 * concat: y = the inputs joined along an axis.
 *
 *   x0, x1, ...   of the same shape except for that axis      y   their sizes there added up
 *   dx = the part of dy that belongs to each; nothing need be kept. Masks and indices stay
 *        what they are, and are not joined with reals.
 */
#include "op.h"

struct attrs {
	int64_t axis;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, axis, AD_INT, "1", "the axis along which they are joined", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	ad_shape y = s->in[0];
	size_t count;
	int axis;

	if (y.rank == 0)
		return ad_refuse(s, "a single number has no axis to join along; stack makes one");
	axis = ad_axis(s, y.rank, a->axis);
	if (axis < 0)
		return false;
	for (int i = 1; i < s->n_in; i++) {
		const ad_shape *x = &s->in[i];

		if (x->rank != y.rank)
			return ad_refuse(s, "%s and %s differ in the number of axes", ad_show(s, 0),
			                 ad_show(s, i));
		for (int k = 0; k < y.rank; k++)
			if (k != axis && x->dims[k] != y.dims[k])
				return ad_refuse(s,
				                 "%s and %s differ on axis %d, not only on axis %d",
				                 ad_show(s, 0), ad_show(s, i), k, axis);
		if (s->in_type[i] != s->in_type[0])
			return ad_refuse(
			    s,
			    "input %d differs from input 0 in its element type; to_real makes "
			    "both reals",
			    i);
		if (__builtin_add_overflow(y.dims[axis], x->dims[axis], &y.dims[axis]))
			return ad_refuse(s, "too many elements along axis %d", axis);
	}
	if (!ad_count_of(&y, &count))
		return ad_refuse(s, "%s has too many elements", ad_show_shape(s, y));
	s->out[0] = y;
	s->out_type[0] = s->in_type[0];
	return true;
}

static void forward(const ad_run *r)
{
	const struct attrs *a = r->attrs;
	const ad_array *y = &r->out[0];
	int axis = (int)(a->axis < 0 ? a->axis + y->rank : a->axis);
	size_t outer = 1, row, at = 0, bytes;

	if (y->count == 0)
		return;
	bytes = y->type == AD_REAL ? sizeof(ad_real) : y->type == AD_I32 ? sizeof(int32_t) : 1;
	for (int i = 0; i < axis; i++)
		outer *= (size_t)y->dims[i];
	row = y->count / outer * bytes;
	for (int i = 0; i < r->n_in; i++) {
		const ad_array *x = &r->in[i];
		size_t part = x->count / outer * bytes;

		if (part > 0)
			for (size_t k = 0; k < outer; k++)
				memcpy((char *)y->data + k * row + at,
				       (const char *)x->data + k * part, part);
		at += part;
	}
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *a = ad_attrs_of(y);
	int64_t at = 0, axis = a->axis < 0 ? a->axis + ad_shape_of(y).rank : a->axis;

	for (int i = 0; i < ad_inputs(y); i++) {
		int64_t stop = at + ad_shape_of(ad_input_of(y, i)).dims[axis];
		if (ad_wants(y, i))
			dx[i] = ad_slice(dy[0], AD_INTS(axis), AD_INTS(at), AD_INTS(stop), AD_ALL);
		at = stop;
	}
}

AD_OP(concat, .arity = 1, .optional = -1, .as_is = AD_AS_IS_ALL, .attrs = attrs,
      .attrs_size = sizeof(struct attrs), .shape = shape, .forward = forward, .grad = grad,
      .samples = { { .in = { AD_DIMS(2, 1), AD_DIMS(2, 2) },
                     .attrs = "axis=1",
                     .give = { AD_LIST(1, 4), AD_LIST(2, 3, 5, 6) },
                     .want = { AD_LIST(1, 2, 3, 4, 5, 6) },
                     .dwant = { AD_LIST(1, 1), AD_LIST(1, 1, 1, 1) } },
                   { .in = { AD_DIMS(2, 1), AD_DIMS(2, 1) }, .give = { AD_LIST(1, 4), AD_LIST(2, 3) },
                     .want = { AD_LIST(1, 2, 4, 3) } },
                   { .in = { AD_DIMS(2), AD_DIMS(0), AD_DIMS(1) },
                     .attrs = "axis=0",
                     .give = { AD_LIST(1, 2), { 0 }, AD_LIST(3) },
                     .want = { AD_LIST(1, 2, 3) } },
                   { .in = { AD_DIMS_OF(AD_I32, 2), AD_DIMS_OF(AD_I32, 1) },
                     .attrs = "axis=0",
                     .give = { AD_LIST(1, 2), AD_LIST(3) },
                     .want = { AD_LIST(1, 2, 3) } },
                   { .in = { AD_DIMS(2, 1, 2), AD_DIMS(2, 3, 2), AD_DIMS(2, 2, 2) },
                     .attrs = "axis=-2",
                     .lo = -2,
                     .hi = 2 },
                   { .in = { AD_DIMS(2, 3) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(3, 2) },
                     .attrs = "axis=0",
                     .error = "(2, 3) and (3, 2) differ on axis 1, not only on axis 0" },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(2) },
                     .error = "(2, 3) and (2,) differ in the number of axes" },
                   { .in = { AD_DIM0, AD_DIM0 }, .error = "a single number has no axis" },
                   { .in = { AD_DIMS(2), AD_DIMS(2) }, .attrs = "axis=1", .error = "axis 1" } });

/* n arrays joined along an axis. */
AD_API ad_node *ad_concat(size_t n, ad_node *const x[], int64_t axis)
{
	struct attrs a = { axis };

	return AD_CALL_N(concat, &a, n, x);
}
