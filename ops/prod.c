/*
 * prod: y = the product of the elements of x over some axes.
 *
 *   x   any shape          y   without these axes, or with size 1 there if keepdim is set
 *   dx = dy times the product of the others, right with zeros among them: nothing is divided. x is
 * kept. The product of nothing is 1.
 */
#include "op.h"
#include "kernels/reduce.h"

struct attrs {
	ad_ints axis;
	bool keepdim;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, axis, AD_INTLIST, "null", "the axis, or a list of axes; null: all",
	        NULL),
	AD_ATTR(struct attrs, keepdim, AD_FLAG, "false", "keep these axes, with size 1", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;

	return reduced_shape(s, a->axis, a->keepdim);
}

static void outputs(const ad_run *r, size_t begin, size_t end)
{
	const struct attrs *a = r->attrs;
	struct reduction p = reduction_over(&r->in[0], a->axis);
	const ad_real *x = ad_reals_of(&r->in[0]);

	for (size_t k = begin; k < end; k++) {
		size_t from = reduction_base(&p, k / p.columns) + k % p.columns,
		       at[AD_MAX_RANK] = { 0 };
		ad_real y = 1;

		for (size_t row = 0; row < p.row; row++) {
			for (size_t i = from; i < from + p.run; i++)
				y *= x[i];
			reduction_step(p.n_rows, p.rows, p.row_stride, at, &from);
		}
		ad_reals_of(&r->out[0])[k] = y;
	}
}

static void forward(const ad_run *r)
{
	size_t n = r->out[0].count ? r->in[0].count / r->out[0].count : 0;

	ad_parallel(r, r->out[0].count, 16384 / (n + 1) + 1, outputs);
}

/* The product of what stands before each element of the last axis, or after it: 1 at the border. */
static ad_node *others(ad_node *x, int64_t n, bool after)
{
	int64_t axis = ad_shape_of(x).rank - 1;
	ad_shape s = ad_shape_of(x);
	ad_node *part[2];

	s.dims[axis] = 1;
	part[after] = ad_full(ad_graph_of(x), s, 1);
	part[!after] = ad_slice(ad_cumprod(x, axis, after), AD_INTS(axis), AD_INTS(after ? 1 : 0),
	                        AD_INTS(after ? n : n - 1), AD_ALL);
	return ad_concat(2, part, axis);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *a = ad_attrs_of(y);
	ad_node *x = ad_input_of(y, 0), *v;
	ad_shape s = ad_shape_of(x), sorted = s;
	int64_t order[AD_MAX_RANK], back[AD_MAX_RANK], n = 1, kept = 1;
	bool chosen[AD_MAX_RANK];
	int at = 0;

	if (ad_count(x) == 0) {
		dx[0] = ad_full_like(x, 0);
		return;
	}
	/* the axes that go are put last and joined, so that there is one line for each product */
	axes_flags(s.rank, a->axis, chosen);
	for (int last = 0; last < 2; last++)
		for (int i = 0; i < s.rank; i++)
			if (chosen[i] == last)
				order[at++] = i;
	for (int i = 0; i < s.rank; i++) {
		sorted.dims[i] = s.dims[order[i]];
		back[order[i]] = i;
		*(chosen[i] ? &n : &kept) *= s.dims[i];
	}
	v = ad_reshape(ad_permute(x, (ad_ints){ s.rank, order }), AD_SHAPE(kept, n));
	v = ad_mul(ad_mul(others(v, n, false), others(v, n, true)),
	           ad_reshape(dy[0], AD_SHAPE(kept, 1)));
	dx[0] = ad_permute(ad_reshape(v, sorted), (ad_ints){ s.rank, back });
}

AD_OP(prod, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .shape = shape,
      .forward = forward, .grad = grad,
      .samples = { { .in = { AD_DIMS(3) },
                     .give = { AD_LIST(2, 0, 5) },
                     .want = { AD_LIST(0) },
                     .dwant = { AD_LIST(0, 10, 0) } },
                   { .in = { AD_DIMS(2, 3) },
                     .attrs = "axis=0 keepdim=true",
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6) },
                     .want = { AD_LIST(4, 10, 18) },
                     .dwant = { AD_LIST(4, 5, 6, 1, 2, 3) } },
                   { .in = { AD_DIMS(0, 2) }, .attrs = "axis=0", .want = { AD_LIST(1, 1) } },
                   { .in = { AD_DIM0 }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 3, 2) }, .attrs = "axis=[0,2]", .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 3) }, .attrs = "axis=-1", .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2) }, .attrs = "axis=1", .error = "axis 1" } });

/* The product of x over axes (AD_ALL: all), kept with size 1 if keepdim is set. */
AD_API ad_node *ad_prod(ad_node *x, ad_ints axis, bool keepdim)
{
	struct attrs a = { axis, keepdim };

	return AD_CALL_WITH(prod, &a, x);
}
