/*
 * scatter: y = x with src[.., k, ..] put at [.., index[.., k, ..], ..] along an axis.
 *
 *   x       any shape with an axis          index   as many axes, nowhere larger than x but on that
 * axis src     shape of index                  y       shape of x; the last of several for one
 * place stays dx = dy where nothing was put, else 0; dsrc = dy where it went, 0 where another came
 * after it; only index is kept. Masks and indices stay what they are, but are not mixed with reals.
 */
#include "op.h"
#include "kernels/indexing.h"

struct attrs {
	int64_t axis;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, axis, AD_INT, "-1", "the axis along which index counts", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;

	if (!places_fit(s, a->axis))
		return false;
	if (!ad_equal_shapes(&s->in[1], &s->in[2]))
		return ad_refuse(s, "index %s and src %s must have the same shape", ad_show(s, 1),
		                 ad_show(s, 2));
	if (s->in_type[0] != s->in_type[2])
		return ad_refuse(
		    s, "x and src differ in their element type; to_real makes both reals");
	s->out[0] = s->in[0];
	s->out_type[0] = s->in_type[0];
	return true;
}

static void lines(const ad_run *r, size_t begin, size_t end)
{
	const struct attrs *a = r->attrs;
	struct places p = places_of(&r->in[0], &r->in[1], a->axis);
	const int32_t *index = ad_indices_of(&r->in[1]);
	size_t bytes = bytes_of(&r->in[0]);

	for (size_t line = begin; line < end; line++) {
		size_t at, x;

		places_line(&p, line, &at, &x);
		for (size_t k = 0; k < p.n; k++, at += p.step_index) {
			if (!index_fits(r, index[at], at, p.size))
				return;
			copy_element(r->out[0].data, x + (size_t)index[at] * p.step_x,
			             r->in[2].data, at, bytes);
		}
	}
}

static void forward(const ad_run *r)
{
	const struct attrs *a = r->attrs;
	struct places p = places_of(&r->in[0], &r->in[1], a->axis);

	if (r->out[0].count > 0 && r->out[0].data != r->in[0].data)
		memcpy(r->out[0].data, r->in[0].data, r->out[0].count * bytes_of(&r->in[0]));
	if (r->in[1].count > 0)
		ad_parallel(r, p.lines, places_grain(&p), lines);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *a = ad_attrs_of(y);
	ad_node *index = ad_input_of(y, 1), *src = ad_input_of(y, 2), *zeros = ad_full_like(src, 0);

	if (ad_wants(y, 0))
		dx[0] = ad_scatter(dy[0], index, zeros, a->axis);
	if (ad_wants(y, 2)) {
		/* which one came last: each place keeps the number of who wrote it */
		ad_graph *g = ad_graph_of(y);
		ad_shape s = ad_shape_of(index), along = { .rank = s.rank }, one = along;
		int at = axis_from_front(s.rank, a->axis);
		ad_node *number, *last;

		for (int i = 0; i < s.rank; i++) {
			one.dims[i] = 1;
			along.dims[i] = i == at ? s.dims[i] : 1;
		}
		number = ad_expand(ad_reshape(ad_arange(g, 0, s.dims[at], 1), along), s);
		last = ad_expand(ad_reshape(ad_arange(g, 0, 1, 1), one), ad_shape_of(y));
		last = ad_gather(ad_scatter(last, index, number, a->axis), index, a->axis);
		dx[2] = ad_where(ad_equal(last, number), ad_gather(dy[0], index, a->axis),
		                 ad_constant(g, 0));
	}
}

AD_OP(scatter, .arity = 3, .inputs = "x index src", .as_is = AD_AS_IS_ALL, .attrs = attrs,
      .attrs_size = sizeof(struct attrs), .shape = shape, .forward = forward, .grad = grad,
      .samples = {
	  { .in = { AD_DIMS(2, 3), AD_DIMS_OF(AD_I32, 2, 2), AD_DIMS(2, 2) },
            .attrs = "axis=1",
            .give = { AD_LIST(1, 2, 3, 4, 5, 6), AD_LIST(2, 2, 0, 1), AD_LIST(10, 20, 30, 40) },
            .want = { AD_LIST(1, 2, 20, 30, 40, 6) },
            .dwant = { AD_LIST(1, 1, 0, 0, 0, 1), { 0 }, AD_LIST(0, 1, 1, 1) } },
	  { .in = { AD_DIMS(3, 2), AD_DIMS_OF(AD_I32, 0, 2), AD_DIMS(0, 2) },
            .attrs = "axis=0",
            .give = { AD_LIST(1, 2, 3, 4, 5, 6) },
            .want = { AD_LIST(1, 2, 3, 4, 5, 6) } },
	  { .in = { AD_DIMS(3, 2), AD_DIMS_OF(AD_I32, 4, 1), AD_DIMS(4, 1) },
            .attrs = "axis=-2",
            .give = { AD_LIST(1, 2, 3, 4, 5, 6), AD_LIST(2, 0, 2, 0), AD_LIST(0.5, -1, 2, 0.25) },
            .smooth = true },
	  { .in = { AD_DIMS(2), AD_DIMS_OF(AD_I32, 1), AD_DIMS(1) },
            .give = { AD_LIST(1, 2), AD_LIST(2), AD_LIST(1) },
            .error = "index 2, element 0, is not one of the 2 places" },
	  { .in = { AD_DIMS(2), AD_DIMS_OF(AD_I32, 1), AD_DIMS(2) },
            .error = "index (1,) and src (2,) must have the same shape" } });

/* x with src put at the places that index names along an axis; the last of several stays. */
AD_API ad_node *ad_scatter(ad_node *x, ad_node *index, ad_node *src, int64_t axis)
{
	struct attrs a = { axis };

	return AD_CALL_WITH(scatter, &a, x, index, src);
}
