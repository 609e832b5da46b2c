/*
 * split: x cut along an axis into parts of the given sizes.
 *
 *   x   any shape with an axis          y0, y1, ...   shape of x with sizes[k] along it; at most 64
 *   dx = the dy of the parts side by side, 0 where none arrived; nothing is kept. Masks and indices
 * stay what they are.
 */
#include "op.h"
#include "kernels/strided.h"

struct attrs {
	ad_ints sizes;
	int64_t axis;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, sizes, AD_INTLIST, NULL, "the sizes of the parts", NULL),
	AD_ATTR(struct attrs, axis, AD_INT, "0", "the axis along which x is cut", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	const ad_shape *x = &s->in[0];
	int axis = x->rank ? ad_axis(s, x->rank, a->axis) : -1;
	int64_t sum = 0;

	if (x->rank == 0)
		return ad_refuse(s, "a single number has no axis to cut");
	if (axis < 0)
		return false;
	if (a->sizes.n < 1 || a->sizes.n > AD_MAX_OUTPUTS)
		return ad_refuse(s, "give 1 to %d sizes, not %lld", AD_MAX_OUTPUTS,
		                 (long long)a->sizes.n);
	s->n_out = (int)a->sizes.n;
	for (int k = 0; k < s->n_out; k++) {
		if (a->sizes.v[k] < 0 || __builtin_add_overflow(sum, a->sizes.v[k], &sum))
			return ad_refuse(s, "size %lld is negative or too large",
			                 (long long)a->sizes.v[k]);
		s->out[k] = *x;
		s->out[k].dims[axis] = a->sizes.v[k];
		s->out_type[k] = s->in_type[0];
	}
	if (sum != x->dims[axis])
		return ad_refuse(s, "the sizes add up to %lld, but axis %d of %s has %lld",
		                 (long long)sum, axis, ad_show(s, 0), (long long)x->dims[axis]);
	return true;
}

static void forward(const ad_run *r)
{
	const struct attrs *a = r->attrs;
	const ad_array *x = &r->in[0];
	int axis = (int)(a->axis < 0 ? a->axis + x->rank : a->axis);
	size_t outer = 1, row, at = 0, bytes = bytes_of(x);

	if (x->count == 0)
		return;
	for (int i = 0; i < axis; i++)
		outer *= (size_t)x->dims[i];
	row = x->count / outer * bytes;
	for (int k = 0; k < r->n_out; k++) {
		size_t part = r->out[k].count / outer * bytes;

		if (part > 0 && r->out[k].data)
			for (size_t i = 0; i < outer; i++)
				memcpy((char *)r->out[k].data + i * part,
				       (const char *)x->data + i * row + at, part);
		at += part;
	}
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *a = ad_attrs_of(y);
	ad_node *part[AD_MAX_OUTPUTS];
	int n = ad_outputs(y);

	for (int k = 0; k < n; k++)
		part[k] = dy[k] ? dy[k] : ad_full_like(ad_output(y, k), 0);
	dx[0] = ad_concat((size_t)n, part, a->axis);
}

AD_OP(split, .arity = 1, .as_is = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs),
      .shape = shape, .forward = forward, .grad = grad,
      .samples = {
	  { .in = { AD_DIMS(2, 3) },
            .attrs = "sizes=[1,0,2] axis=1",
            .give = { AD_LIST(1, 2, 3, 4, 5, 6) },
            .want = { AD_LIST(1, 4), { 0 }, AD_LIST(2, 3, 5, 6) },
            .dwant = { AD_LIST(1, 1, 1, 1, 1, 1) } },
	  { .in = { AD_DIMS_OF(AD_I32, 3) },
            .attrs = "sizes=[1,2]",
            .give = { AD_LIST(1, 2, 3) },
            .want = { AD_LIST(1), AD_LIST(2, 3) } },
	  { .in = { AD_DIMS(2, 5, 2) }, .attrs = "sizes=[3,2] axis=-2", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(4) },
            .attrs = "sizes=[1,2]",
            .error = "the sizes add up to 3, but axis 0 of (4,) has 4" },
	  { .in = { AD_DIMS(4) }, .attrs = "sizes=[5,-1]", .error = "size -1 is negative" } });

/* x cut along an axis into parts of these sizes; ad_output(y, k) is part k. */
AD_API ad_node *ad_split(ad_node *x, ad_ints sizes, int64_t axis)
{
	struct attrs a = { sizes, axis };

	return AD_CALL_WITH(split, &a, x);
}
