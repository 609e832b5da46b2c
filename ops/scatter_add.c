/*
 * scatter_add: y = x with src[.., k, ..] added at [.., index[.., k, ..], ..] along an axis.
 *
 *   x       any shape with an axis          index   as many axes, nowhere larger than x but on that
 * axis src     shape of index                  y       shape of x; places named twice get both dx =
 * dy, dsrc = dy where it went; only index is kept
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
	s->out[0] = s->in[0];
	return true;
}

static void lines(const ad_run *r, size_t begin, size_t end)
{
	const struct attrs *a = r->attrs;
	struct places p = places_of(&r->in[0], &r->in[1], a->axis);
	const int32_t *index = ad_indices_of(&r->in[1]);
	const ad_real *src = ad_reals_of(&r->in[2]);

	for (size_t line = begin; line < end; line++) {
		size_t at, x;

		places_line(&p, line, &at, &x);
		for (size_t k = 0; k < p.n; k++, at += p.step_index) {
			if (!index_fits(r, index[at], at, p.size))
				return;
			ad_reals_of(&r->out[0])[x + (size_t)index[at] * p.step_x] += src[at];
		}
	}
}

static void forward(const ad_run *r)
{
	const struct attrs *a = r->attrs;
	struct places p = places_of(&r->in[0], &r->in[1], a->axis);

	if (r->out[0].count > 0 && r->out[0].data != r->in[0].data)
		memcpy(r->out[0].data, r->in[0].data, r->out[0].count * sizeof(ad_real));
	if (r->in[1].count > 0)
		ad_parallel(r, p.lines, places_grain(&p), lines);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *a = ad_attrs_of(y);

	if (ad_wants(y, 0))
		dx[0] = dy[0];
	if (ad_wants(y, 2))
		dx[2] = ad_gather(dy[0], ad_input_of(y, 1), a->axis);
}

AD_OP(scatter_add, .arity = 3, .inputs = "x index src", .as_is = 1u << 1, .attrs = attrs,
      .attrs_size = sizeof(struct attrs), .shape = shape, .forward = forward, .grad = grad,
      .samples = {
	  { .in = { AD_DIMS(2, 3), AD_DIMS_OF(AD_I32, 2, 2), AD_DIMS(2, 2) },
            .attrs = "axis=1",
            .give = { AD_LIST(1, 2, 3, 4, 5, 6), AD_LIST(2, 2, 0, 1), AD_LIST(10, 20, 30, 40) },
            .want = { AD_LIST(1, 2, 33, 34, 45, 6) },
            .dwant = { AD_LIST(1, 1, 1, 1, 1, 1), { 0 }, AD_LIST(1, 1, 1, 1) } },
	  { .in = { AD_DIMS(3, 2), AD_DIMS_OF(AD_I32, 0, 2), AD_DIMS(0, 2) },
            .attrs = "axis=0",
            .give = { AD_LIST(1, 2, 3, 4, 5, 6) },
            .want = { AD_LIST(1, 2, 3, 4, 5, 6) } },
	  { .in = { AD_DIMS(3, 2), AD_DIMS_OF(AD_I32, 4, 1), AD_DIMS(4, 1) },
            .attrs = "axis=-2",
            .give = { AD_LIST(1, 2, 3, 4, 5, 6), AD_LIST(2, 0, 2, 2), AD_LIST(0.5, -1, 2, 0.25) },
            .smooth = true },
	  { .in = { AD_DIMS(2), AD_DIMS_OF(AD_I32, 1), AD_DIMS(1) },
            .give = { AD_LIST(1, 2), AD_LIST(-1), AD_LIST(1) },
            .error = "index -1, element 0, is not one of the 2 places" },
	  { .in = { AD_DIMS(2), AD_DIMS_OF(AD_I32, 1), AD_DIMS(2) },
            .error = "index (1,) and src (2,) must have the same shape" } });

/* x with src added at the places that index names along an axis. */
AD_API ad_node *ad_scatter_add(ad_node *x, ad_node *index, ad_node *src, int64_t axis)
{
	struct attrs a = { axis };

	return AD_CALL_WITH(scatter_add, &a, x, index, src);
}
