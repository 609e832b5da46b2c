/*
 * permute: y = x with its axes in another order.
 *
 *   x   any shape          y   axis i of y is axis dims[i] of x
 *   dx = dy with its axes put back; x need not be kept. Masks and indices stay what they are.
 */
#include "op.h"
#include "kernels/strided.h"

struct attrs {
	ad_ints dims;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, dims, AD_INTLIST, NULL, "for each axis of y, which axis of x it is",
	        NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	const ad_shape *x = &s->in[0];
	bool seen[AD_MAX_RANK] = { false };

	if (a->dims.n != x->rank)
		return ad_refuse(s, "%s has %d axes, but dims names %lld", ad_show(s, 0), x->rank,
		                 (long long)a->dims.n);
	s->out[0].rank = x->rank;
	for (int i = 0; i < x->rank; i++) {
		int axis = ad_axis(s, x->rank, a->dims.v[i]);
		if (axis < 0)
			return false;
		if (seen[axis])
			return ad_refuse(s, "dims names axis %d twice", axis);
		seen[axis] = true;
		s->out[0].dims[i] = x->dims[axis];
	}
	s->out_type[0] = s->in_type[0];
	return true;
}

static struct view view_here(const ad_run *r)
{
	const struct attrs *a = r->attrs;
	const ad_array *x = &r->in[0];
	struct view v = { .rank = x->rank };
	int64_t stride[AD_MAX_RANK];

	strides_of(x->rank, x->dims, stride);
	for (int i = 0; i < x->rank; i++) {
		int64_t axis = a->dims.v[i] < 0 ? a->dims.v[i] + x->rank : a->dims.v[i];
		v.dims[i] = x->dims[axis];
		v.stride[i] = stride[axis];
	}
	view_simplify(&v);
	return v;
}

static void rows(const ad_run *r, size_t begin, size_t end)
{
	struct view v = view_here(r);
	view_read(&v, bytes_of(&r->in[0]), r->out[0].data, r->in[0].data, begin, end);
}

static void forward(const ad_run *r)
{
	struct view v = view_here(r);
	if (r->out[0].count > 0)
		ad_parallel(r, view_rows(&v), view_grain(&v), rows);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *a = ad_attrs_of(y);
	int64_t back[AD_MAX_RANK];

	for (int64_t i = 0; i < a->dims.n; i++)
		back[a->dims.v[i] < 0 ? a->dims.v[i] + a->dims.n : a->dims.v[i]] = i;
	dx[0] = ad_permute(dy[0], (ad_ints){ a->dims.n, back });
}

AD_OP(permute, .arity = 1, .as_is = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs),
      .shape = shape, .forward = forward, .grad = grad,
      .samples = {
	  { .in = { AD_DIMS(2, 3) },
            .attrs = "dims=[1,0]",
            .give = { AD_LIST(1, 2, 3, 4, 5, 6) },
            .want = { AD_LIST(1, 4, 2, 5, 3, 6) } },
	  { .in = { AD_DIMS(2, 1, 3) },
            .attrs = "dims=[-1,0,1]",
            .give = { AD_LIST(1, 2, 3, 4, 5, 6) },
            .want = { AD_LIST(1, 4, 2, 5, 3, 6) } },
	  { .in = { AD_DIMS_OF(AD_BOOL, 2, 2) },
            .attrs = "dims=[1,0]",
            .give = { AD_LIST(0, 1, 0, 0) },
            .want = { AD_LIST(0, 0, 1, 0) } },
	  { .in = { AD_DIMS(2, 3, 4, 2) }, .attrs = "dims=[0,2,1,3]", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(2, 3, 4) }, .attrs = "dims=[2,0,1]", .lo = -2, .hi = 2 },
	  { .in = { AD_DIM0 }, .attrs = "dims=[]", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(2, 3) }, .attrs = "dims=[0]", .error = "(2, 3) has 2 axes, but dims" },
	  { .in = { AD_DIMS(2, 3) }, .attrs = "dims=[1,-1]", .error = "names axis 1 twice" } });

/* x with its axes in the order of dims. */
AD_API ad_node *ad_permute(ad_node *x, ad_ints dims)
{
	struct attrs a = { dims };

	return AD_CALL_WITH(permute, &a, x);
}
