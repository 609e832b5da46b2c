/*
 * pad_adjoint: y = x folded back onto the array that pad makes it from: the gradient of pad.
 *
 *   x   of the shape that pad gives
 *   y   of shape `size`; y[i] = the sum of the x that pad takes from element i
 *   dx = pad(dy); x need not be kept
 */
#include "op.h"
#include "kernels/padding.h"

static const ad_attr attrs[] = {
	AD_ATTR(struct pad_attrs, size, AD_INTLIST, NULL, "the shape of y", NULL),
	AD_ATTR(struct pad_attrs, pads, AD_INTLIST, NULL,
	        "elements before and after the last axis, then the one before it, ...", NULL),
	PAD_MODE("constant reflect replicate circular"),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct pad_attrs *a = s->attrs;
	ad_shape y = { 0 }, padded;
	size_t count;

	if (a->size.n < 0 || a->size.n > AD_MAX_RANK)
		return ad_refuse(s, "a shape has 0 to %d axes, not %lld", AD_MAX_RANK,
		                 (long long)a->size.n);
	y.rank = (int)a->size.n;
	memcpy(y.dims, a->size.v, (size_t)y.rank * sizeof *y.dims);
	if (!ad_count_of(&y, &count))
		return ad_refuse(s, "%s is no shape, or has too many elements",
		                 ad_show_shape(s, y));
	if (!pad_shape(s, &y, &padded))
		return false;
	if (!ad_equal_shapes(&padded, &s->in[0]))
		return ad_refuse(s, "x is %s, but an array %s with these pads is %s", ad_show(s, 0),
		                 ad_show_shape(s, y), ad_show_shape(s, padded));
	s->out[0] = y;
	return true;
}

/* A unit is one index of the axes that are not padded. */
static void units(const ad_run *r, size_t begin, size_t end)
{
	struct padding p = padding_of(r->attrs, &r->out[0], &r->in[0]);
	ad_real *y = ad_reals_of(&r->out[0]);
	size_t n = (size_t)r->in[0].dims[p.rank - 1], per_outer = p.inner_y / n;

	memset(y + begin * p.inner_x, 0, (end - begin) * p.inner_x * sizeof *y);
	for (size_t row = begin * per_outer; row < end * per_outer; row++) {
		int64_t to = pad_row(&p, row % per_outer), at;
		const ad_real *x = ad_reals_of(&r->in[0]) + row * n;
		ad_real *plane = y + row / per_outer * p.inner_x + (to < 0 ? 0 : to);

		for (size_t k = 0; to >= 0 && k < n; k++)
			if ((at = pad_source(&p, p.rank - 1, (int64_t)k)) >= 0)
				plane[at] += x[k];
	}
}

static void forward(const ad_run *r)
{
	struct padding p = padding_of(r->attrs, &r->out[0], &r->in[0]);

	if (r->in[0].count == 0)
		memset(r->out[0].data, 0, r->out[0].count * sizeof(ad_real));
	else if (p.rank == 0)
		*ad_reals_of(&r->out[0]) = *ad_reals_of(&r->in[0]);
	else
		ad_parallel(r, p.n_outer, 16384 / p.inner_y + 1, units);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct pad_attrs *a = ad_attrs_of(y);

	dx[0] = ad_pad(dy[0], a->pads, a->mode, 0);
}

AD_OP(pad_adjoint, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct pad_attrs),
      .shape = shape, .forward = forward, .grad = grad,
      .samples = { { .in = { AD_DIMS(9) },
                     .attrs = "size=4 pads=[3,2] mode=reflect",
                     .give = { AD_LIST(-4, 3, -1, 6, 2, -2, 5, 1, -3) },
                     .want = { AD_LIST(6, -2, 2, 1) } },
                   { .in = { AD_DIMS(5, 6) },
                     .attrs = "size=[2,3] pads=[2,1,0,3] mode=replicate",
                     .give = { AD_LIST(-4, 3, -1, 6, 2, -2, 5, 1, -3, 4, 0, -4, 3, -1, 6, 2, -2, 5,
                                       1, -3, 4, 0, -4, 3, -1, 6, 2, -2, 5, 1) },
                     .want = { AD_LIST(-2, 6, 0, 20, 4, 4) } },
                   { .in = { AD_DIMS(2, 8) },
                     .attrs = "size=[2,5] pads=[2,1] mode=circular",
                     .give = { AD_LIST(-4, 3, -1, 6, 2, -2, 5, 1, -3, 4, 0, -4, 3, -1, 6, 2) },
                     .want = { AD_LIST(0, 6, 2, -6, 8, 2, -4, 3, -4, 10) } },
                   { .in = { AD_DIMS(2, 7, 8) },
                     .attrs = "size=[2,4,5] pads=[1,2,3,0] mode=reflect",
                     .lo = -2,
                     .hi = 2 },
                   { .in = { AD_DIMS(3, 7) },
                     .attrs = "size=[3,4] pads=[2,1] mode=replicate",
                     .lo = -2,
                     .hi = 2 },
                   { .in = { AD_DIMS(3) },
                     .attrs = "size=[4] pads=[1,1] mode=circular",
                     .error = "x is (3,), but an array (4,) with these pads is (6,)" } });

/* x folded back onto an array of that shape, which pad, given the same, would make it from. */
AD_API ad_node *ad_pad_adjoint(ad_node *x, ad_shape size, ad_ints pads, const char *mode)
{
	struct pad_attrs a = { pads, mode, 0, { size.rank, size.dims } };

	return AD_CALL_WITH(pad_adjoint, &a, x);
}
