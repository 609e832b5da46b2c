/*
 * index_add: y = x with place k of src along an axis added to place index[k].
 *
 *   x     any shape with an axis          index   (n,), indices; they may repeat
 *   src   shape of x with n along the axis          y   shape of x
 *   dx = dy, dsrc = dy where it went; only index is kept. An index outside of x is an error.
 */
#include "op.h"
#include "kernels/indexing.h"

#define STRIP 256 /* elements side by side that one unit of work covers */

struct attrs {
	int64_t axis;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, axis, AD_INT, "0", "the axis along which index counts", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	ad_shape src = s->in[0];
	int axis;

	if (!indices_expected(s, 1, "index"))
		return false;
	if (src.rank == 0 || s->in[1].rank != 1)
		return ad_refuse(s, "x %s must have an axis, and index %s exactly one",
		                 ad_show(s, 0), ad_show(s, 1));
	axis = ad_axis(s, src.rank, a->axis);
	if (axis < 0)
		return false;
	src.dims[axis] = s->in[1].dims[0];
	if (!ad_equal_shapes(&src, &s->in[2]))
		return ad_refuse(s, "src must be %s for x %s and index %s, not %s",
		                 ad_show_shape(s, src), ad_show(s, 0), ad_show(s, 1),
		                 ad_show(s, 2));
	s->out[0] = s->in[0];
	return true;
}

/* Units: a strip of the elements inside the axis, for each place outside of it. */
static void strips(const ad_run *r, size_t begin, size_t end)
{
	const struct attrs *a = r->attrs;
	const int32_t *index = ad_indices_of(&r->in[1]);
	ad_shape s = { .rank = r->in[0].rank };
	size_t outer, size, inner, n = r->in[1].count, per;

	memcpy(s.dims, r->in[0].dims, sizeof s.dims);
	ad_around_axis(&s, axis_from_front(s.rank, a->axis), &outer, &size, &inner);
	per = (inner + STRIP - 1) / STRIP;
	for (size_t unit = begin; unit < end; unit++) {
		size_t first = unit % per * STRIP,
		       width = inner - first < STRIP ? inner - first : STRIP;
		ad_real *y = ad_reals_of(&r->out[0]) + unit / per * size * inner + first;
		const ad_real *src = ad_reals_of(&r->in[2]) + unit / per * n * inner + first;

		for (size_t k = 0; k < n; k++, src += inner) {
			if (!index_fits(r, index[k], k, size))
				return;
			for (size_t i = 0; i < width; i++)
				y[(size_t)index[k] * inner + i] += src[i];
		}
	}
}

static void forward(const ad_run *r)
{
	const struct attrs *a = r->attrs;
	ad_shape s = { .rank = r->in[0].rank };
	size_t outer, size, inner, n = r->in[1].count, work;

	memcpy(s.dims, r->in[0].dims, sizeof s.dims);
	ad_around_axis(&s, axis_from_front(s.rank, a->axis), &outer, &size, &inner);
	if (r->out[0].count > 0 && r->out[0].data != r->in[0].data)
		memcpy(r->out[0].data, r->in[0].data, r->out[0].count * sizeof(ad_real));
	work = n * (inner < STRIP ? inner : STRIP);
	if (r->in[2].count > 0)
		ad_parallel(r, outer * ((inner + STRIP - 1) / STRIP), 16384 / (work + 1) + 1,
		            strips);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *a = ad_attrs_of(y);

	if (ad_wants(y, 0))
		dx[0] = dy[0];
	if (ad_wants(y, 2))
		dx[2] = ad_index_select(dy[0], ad_input_of(y, 1), a->axis);
}

AD_OP(index_add, .arity = 3, .inputs = "x index src", .as_is = 1u << 1, .attrs = attrs,
      .attrs_size = sizeof(struct attrs), .shape = shape, .forward = forward, .grad = grad,
      .samples = {
	  { .in = { AD_DIMS(3, 2), AD_DIMS_OF(AD_I32, 3), AD_DIMS(3, 2) },
            .give = { AD_LIST(1, 2, 3, 4, 5, 6), AD_LIST(2, 0, 2),
                      AD_LIST(10, 20, 30, 40, 50, 60) },
            .want = { AD_LIST(31, 42, 3, 4, 65, 86) },
            .dwant = { AD_LIST(1, 1, 1, 1, 1, 1), { 0 }, AD_LIST(1, 1, 1, 1, 1, 1) } },
	  { .in = { AD_DIMS(2), AD_DIMS_OF(AD_I32, 0), AD_DIMS(0) },
            .give = { AD_LIST(1, 2) },
            .want = { AD_LIST(1, 2) } },
	  { .in = { AD_DIMS(2, 3), AD_DIMS_OF(AD_I32, 2), AD_DIMS(2, 2) },
            .attrs = "axis=-1",
            .give = { AD_LIST(1, 2, 3, 4, 5, 6), AD_LIST(1, 1), AD_LIST(0.5, -1, 2, 0.25) },
            .smooth = true },
	  { .in = { AD_DIMS(2), AD_DIMS_OF(AD_I32, 1), AD_DIMS(1) },
            .give = { AD_LIST(1, 2), AD_LIST(2), AD_LIST(1) },
            .error = "index 2, element 0, is not one of the 2 places" },
	  { .in = { AD_DIMS(2, 3), AD_DIMS_OF(AD_I32, 2), AD_DIMS(3, 3) },
            .error = "src must be (2, 3) for x (2, 3) and index (2,), not (3, 3)" } });

/* x with src added at the places of an axis that index names. */
AD_API ad_node *ad_index_add(ad_node *x, ad_node *index, ad_node *src, int64_t axis)
{
	struct attrs a = { axis };

	return AD_CALL_WITH(index_add, &a, x, index, src);
}
