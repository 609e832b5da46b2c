/*
 * diagonal: y = diagonal k of two axes of x, put last.
 *
 *   x   two axes or more          y   the other axes, then the diagonal: the elements whose place
 * along axis1 is k more than along axis0 dx = dy on the diagonal, 0 elsewhere; x need not be kept.
 * Masks and indices stay what they are.
 */
#include "op.h"
#include "kernels/diagonals.h"

struct attrs {
	int64_t k, axis0, axis1;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, k, AD_INT, "0", "the diagonal; 0: from the first element on", NULL),
	AD_ATTR(struct attrs, axis0, AD_INT, "-2", "the axis of the rows", NULL),
	AD_ATTR(struct attrs, axis1, AD_INT, "-1", "the axis of the columns", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;

	s->out_type[0] = s->in_type[0];
	return diagonal_shape(s, &s->in[0], a->axis0, a->axis1, a->k, &s->out[0]);
}

static struct view view_here(const ad_run *r)
{
	const struct attrs *a = r->attrs;

	return diagonal_view(r->in[0].rank, r->in[0].dims, &r->out[0], a->axis0, a->axis1, a->k);
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

	dx[0] = ad_undiagonal(dy[0], ad_shape_of(ad_input_of(y, 0)), a->k, a->axis0, a->axis1);
}

AD_OP(diagonal, .arity = 1, .as_is = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs),
      .shape = shape, .forward = forward, .grad = grad,
      .samples = { { .in = { AD_DIMS(2, 3) },
                     .attrs = "k=1",
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6) },
                     .want = { AD_LIST(2, 6) },
                     .dwant = { AD_LIST(0, 1, 0, 0, 0, 1) } },
                   { .in = { AD_DIMS_OF(AD_I32, 2, 3) },
                     .attrs = "k=-1",
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6) },
                     .want = { AD_LIST(4) } },
                   { .in = { AD_DIMS(2, 3) }, .attrs = "k=-5", .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(3, 2, 4) }, .attrs = "axis0=0 axis1=2", .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(3) }, .error = "(3,) is no matrix" },
                   { .in = { AD_DIMS(3, 3) },
                     .attrs = "axis0=1",
                     .error = "axes 1 and -1 are not two of the 2 axes of (3, 3)" } });

/* Diagonal k of two axes of x, put last. */
AD_API ad_node *ad_diagonal(ad_node *x, int64_t k, int64_t axis0, int64_t axis1)
{
	struct attrs a = { k, axis0, axis1 };

	return AD_CALL_WITH(diagonal, &a, x);
}
