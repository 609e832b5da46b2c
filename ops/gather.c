/*
 * gather: y[.., k, ..] = x[.., index[.., k, ..], ..] along an axis.
 *
 *   x       any shape with an axis          index   as many axes, nowhere larger than x but on that
 * axis y       shape of index                  dx = dy added up where it came from; x need not be
 * kept An index outside of x is an error. Masks and indices stay what they are.
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
	s->out[0] = s->in[1];
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
			copy_element(r->out[0].data, at, r->in[0].data,
			             x + (size_t)index[at] * p.step_x, bytes);
		}
	}
}

static void forward(const ad_run *r)
{
	const struct attrs *a = r->attrs;
	struct places p = places_of(&r->in[0], &r->in[1], a->axis);

	if (r->out[0].count > 0)
		ad_parallel(r, p.lines, places_grain(&p), lines);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *a = ad_attrs_of(y);

	dx[0] =
	    ad_scatter_add(ad_full_like(ad_input_of(y, 0), 0), ad_input_of(y, 1), dy[0], a->axis);
}

AD_OP(gather, .arity = 2, .inputs = "x index", .as_is = AD_AS_IS_ALL, .attrs = attrs,
      .attrs_size = sizeof(struct attrs), .shape = shape, .forward = forward, .grad = grad,
      .samples = { { .in = { AD_DIMS(2, 3), AD_DIMS_OF(AD_I32, 2, 2) },
                     .attrs = "axis=1",
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6), AD_LIST(2, 2, 0, 1) },
                     .want = { AD_LIST(3, 3, 4, 5) },
                     .dwant = { AD_LIST(0, 0, 2, 1, 1, 0) } },
                   { .in = { AD_DIMS_OF(AD_I32, 3, 2), AD_DIMS_OF(AD_I32, 1, 1) },
                     .attrs = "axis=-2",
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6), AD_LIST(2) },
                     .want = { AD_LIST(5) } },
                   { .in = { AD_DIMS(0, 2), AD_DIMS_OF(AD_I32, 0, 2) }, .attrs = "axis=0" },
                   { .in = { AD_DIMS(2, 3, 2), AD_DIMS_OF(AD_I32, 2, 2, 1) },
                     .attrs = "axis=1",
                     .give = { AD_LIST(0.5, 1, 1.5, -1, 2, 0.25, -2, 3, 1, -0.5, 0.75, 2),
                               AD_LIST(2, 0, 1, 1) },
                     .smooth = true },
                   { .in = { AD_DIMS(2, 3), AD_DIMS_OF(AD_I32, 2, 2) },
                     .attrs = "axis=1",
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6), AD_LIST(2, 2, 3, 1) },
                     .error = "index 3, element 2, is not one of the 3 places" },
                   { .in = { AD_DIMS(2, 3), AD_DIMS_OF(AD_I32, 3, 2) },
                     .attrs = "axis=1",
                     .error = "index (3, 2) is larger than x (2, 3) on axis 0" },
                   { .in = { AD_DIMS(2), AD_DIMS(2) }, .error = "index must be of indices" } });

/* x[.., index[.., k, ..], ..] along an axis. */
AD_API ad_node *ad_gather(ad_node *x, ad_node *index, int64_t axis)
{
	struct attrs a = { axis };

	return AD_CALL_WITH(gather, &a, x, index);
}
