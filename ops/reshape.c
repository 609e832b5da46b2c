/*
 * reshape: y = x with the same elements in the same order, in another shape.
 *
 *   x   any shape          y   of shape `shape`; one size may be -1: whatever is left
 *   dx = dy in the shape of x. Nothing is copied. Masks and indices stay what they are.
 */
#include "op.h"

struct attrs {
	ad_ints shape;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, shape, AD_INTLIST, NULL,
	        "the new shape; one size may be -1: what is left", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	ad_shape y = { 0 };
	size_t have, want;
	int open = -1;

	if (a->shape.n < 0 || a->shape.n > AD_MAX_RANK)
		return ad_refuse(s, "a shape has 0 to %d axes, not %lld", AD_MAX_RANK,
		                 (long long)a->shape.n);
	y.rank = (int)a->shape.n;
	for (int i = 0; i < y.rank; i++) {
		y.dims[i] = a->shape.v[i];
		if (y.dims[i] == -1 && open >= 0)
			return ad_refuse(s, "only one size may be -1, but axes %d and %d are", open,
			                 i);
		if (y.dims[i] < -1)
			return ad_refuse(s, "size %lld of axis %d is negative",
			                 (long long)y.dims[i], i);
		if (y.dims[i] == -1) {
			open = i;
			y.dims[i] = 1;
		}
	}
	if (!ad_count_of(&s->in[0], &have) || !ad_count_of(&y, &want))
		return ad_refuse(s, "%s has too many elements", ad_show_shape(s, y));
	if (open >= 0 && want > 0 && have % want == 0) {
		y.dims[open] = (int64_t)(have / want);
		want = have;
	} else if (open >= 0) {
		y.dims[open] = -1;
		return ad_refuse(s, "the %zu elements of %s do not fill %s", have, ad_show(s, 0),
		                 ad_show_shape(s, y));
	}
	if (have != want)
		return ad_refuse(s, "%s has %zu elements, %s has %zu", ad_show(s, 0), have,
		                 ad_show_shape(s, y), want);
	s->out[0] = y;
	s->out_type[0] = s->in_type[0];
	return true;
}

static void forward(const ad_run *r)
{
	const ad_array *x = &r->in[0];
	size_t bytes = x->type == AD_REAL  ? sizeof(ad_real)
	               : x->type == AD_I32 ? sizeof(int32_t)
	                                   : 1;

	/* Where the engine could not give y the memory of x. */
	if (r->out[0].data != x->data && x->count > 0)
		memmove(r->out[0].data, x->data, x->count * bytes);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = ad_reshape(dy[0], ad_shape_of(ad_input_of(y, 0)));
}

AD_OP(reshape, .arity = 1, .as_is = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs),
      .shape = shape, .forward = forward, .grad = grad, .alias = true,
      .samples = { { .in = { AD_DIMS(2, 3) },
                     .attrs = "shape=[3,-1]",
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6) },
                     .want = { AD_LIST(1, 2, 3, 4, 5, 6) },
                     .dwant = { AD_LIST(1, 1, 1, 1, 1, 1) } },
                   { .in = { AD_DIMS_OF(AD_BOOL, 2) },
                     .attrs = "shape=[2,1]",
                     .give = { AD_LIST(0, 1) },
                     .want = { AD_LIST(0, 1) } },
                   { .in = { AD_DIMS(1, 1) }, .attrs = "shape=[]", .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 3, 2) }, .attrs = "shape=-1", .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(0, 4) }, .attrs = "shape=[2,0]", .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 3) },
                     .attrs = "shape=[4,2]",
                     .error = "(2, 3) has 6 elements, (4, 2) has 8" },
                   { .in = { AD_DIMS(2, 3) },
                     .attrs = "shape=[4,-1]",
                     .error = "the 6 elements of (2, 3) do not fill (4, -1)" },
                   { .in = { AD_DIMS(2, 3) },
                     .attrs = "shape=[-1,-1]",
                     .error = "only one size may be -1" } });

/* The elements of x in another shape; one size may be -1. */
AD_API ad_node *ad_reshape(ad_node *x, ad_shape to)
{
	struct attrs a = { { to.rank, to.dims } };

	return AD_CALL_WITH(reshape, &a, x);
}
