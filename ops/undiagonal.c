/*
 * undiagonal: y = zeros with x put where diagonal would have taken it from.
 *
 *   x   of the shape that diagonal gives for y          y   of shape `shape`
 *   dx = the diagonal of dy; x need not be kept
 */
#include "op.h"
#include "kernels/diagonals.h"

struct attrs {
	ad_ints shape;
	int64_t k, axis0, axis1;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, shape, AD_INTLIST, NULL, "the shape of y", NULL),
	AD_ATTR(struct attrs, k, AD_INT, "0", "the diagonal; 0: from the first element on", NULL),
	AD_ATTR(struct attrs, axis0, AD_INT, "-2", "the axis of the rows", NULL),
	AD_ATTR(struct attrs, axis1, AD_INT, "-1", "the axis of the columns", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	ad_shape y = { 0 }, part;
	size_t count;

	if (a->shape.n < 0 || a->shape.n > AD_MAX_RANK)
		return ad_refuse(s, "a shape has 0 to %d axes, not %lld", AD_MAX_RANK,
		                 (long long)a->shape.n);
	y.rank = (int)a->shape.n;
	memcpy(y.dims, a->shape.v, (size_t)y.rank * sizeof *y.dims);
	if (!ad_count_of(&y, &count))
		return ad_refuse(s, "%s is no shape, or has too many elements",
		                 ad_show_shape(s, y));
	if (!diagonal_shape(s, &y, a->axis0, a->axis1, a->k, &part))
		return false;
	if (!ad_equal_shapes(&part, &s->in[0]))
		return ad_refuse(s, "the diagonal of %s is %s, but x is %s", ad_show_shape(s, y),
		                 ad_show_shape(s, part), ad_show(s, 0));
	s->out[0] = y;
	return true;
}

static struct view view_here(const ad_run *r)
{
	const struct attrs *a = r->attrs;

	return diagonal_view(r->out[0].rank, r->out[0].dims, &r->in[0], a->axis0, a->axis1, a->k);
}

static void rows(const ad_run *r, size_t begin, size_t end)
{
	struct view v = view_here(r);

	view_write(&v, sizeof(ad_real), r->out[0].data, r->in[0].data, begin, end);
}

static void forward(const ad_run *r)
{
	struct view v = view_here(r);

	if (r->out[0].count > 0)
		memset(r->out[0].data, 0, r->out[0].count * sizeof(ad_real));
	if (r->in[0].count > 0)
		ad_parallel(r, view_rows(&v), view_grain(&v), rows);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *a = ad_attrs_of(y);

	dx[0] = ad_diagonal(dy[0], a->k, a->axis0, a->axis1);
}

AD_OP(undiagonal, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .shape = shape,
      .forward = forward, .grad = grad,
      .samples = { { .in = { AD_DIMS(2) },
                     .attrs = "shape=[2,3] k=1",
                     .give = { AD_LIST(7, 8) },
                     .want = { AD_LIST(0, 7, 0, 0, 0, 8) },
                     .dwant = { AD_LIST(1, 1) } },
                   { .in = { AD_DIMS(2, 2) },
                     .attrs = "shape=[3,2,3] k=-1 axis0=0 axis1=2",
                     .lo = -2,
                     .hi = 2 },
                   { .in = { AD_DIMS(3) },
                     .attrs = "shape=[2,2]",
                     .error = "the diagonal of (2, 2) is (2,), but x is (3,)" } });

/* Zeros of that shape with x on diagonal k of two axes. */
AD_API ad_node *ad_undiagonal(ad_node *x, ad_shape to, int64_t k, int64_t axis0, int64_t axis1)
{
	struct attrs a = { { to.rank, to.dims }, k, axis0, axis1 };

	return AD_CALL_WITH(undiagonal, &a, x);
}
