/*
 * flip: y = x backwards along some axes.
 *
 *   x   any shape          y   shape of x
 *   dx = dy backwards; x need not be kept. Masks and indices stay what they are.
 */
#include "op.h"
#include "kernels/strided.h"

struct attrs {
	ad_ints axes;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, axes, AD_INTLIST, "null", "the axes; null: all", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	bool chosen[AD_MAX_RANK];

	s->out[0] = s->in[0];
	s->out_type[0] = s->in_type[0];
	return ad_axes(s, s->in[0].rank, a->axes, chosen);
}

static struct view view_here(const ad_run *r)
{
	const struct attrs *a = r->attrs;
	const ad_array *x = &r->in[0];
	struct view v = { .rank = x->rank };
	int64_t n = a->axes.n < 0 ? x->rank : x->rank == 0 ? 0 : a->axes.n;

	strides_of(x->rank, x->dims, v.stride);
	memcpy(v.dims, x->dims, sizeof v.dims);
	for (int64_t k = 0; k < n; k++) {
		int64_t axis = a->axes.n < 0 ? k : a->axes.v[k];

		axis += axis < 0 ? x->rank : 0;
		v.offset += (v.dims[axis] - 1) * v.stride[axis];
		v.stride[axis] = -v.stride[axis];
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

	dx[0] = ad_flip(dy[0], a->axes);
}

AD_OP(flip, .arity = 1, .as_is = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs),
      .shape = shape, .forward = forward, .grad = grad,
      .samples = { { .in = { AD_DIMS(2, 3) },
                     .attrs = "axes=1",
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6) },
                     .want = { AD_LIST(3, 2, 1, 6, 5, 4) },
                     .dwant = { AD_LIST(1, 1, 1, 1, 1, 1) } },
                   { .in = { AD_DIMS_OF(AD_I32, 2, 2) },
                     .give = { AD_LIST(1, 2, 3, 4) },
                     .want = { AD_LIST(4, 3, 2, 1) } },
                   { .in = { AD_DIM0 }, .give = { AD_LIST(7) }, .want = { AD_LIST(7) } },
                   { .in = { AD_DIMS(0, 2) } },
                   { .in = { AD_DIMS(2, 3, 2) }, .attrs = "axes=[0,-1]", .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2) }, .attrs = "axes=1", .error = "axis 1" } });

/* x backwards along axes (AD_ALL: all). */
AD_API ad_node *ad_flip(ad_node *x, ad_ints axes)
{
	struct attrs a = { axes };

	return AD_CALL_WITH(flip, &a, x);
}
