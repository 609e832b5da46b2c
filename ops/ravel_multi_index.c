/*
 * ravel_multi_index: y = the place that one index for each axis names, counted row by row.
 *
 *   i0, i1, ...   indices, one array for each size in `shape`, that broadcast; a negative one
 * counts from the end          y   the broadcast shape, indices An index outside of its axis is an
 * error. No gradient.
 */
#include "op.h"

struct attrs {
	ad_ints shape;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, shape, AD_INTLIST, NULL, "the sizes of the axes", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	int64_t count = 1;

	if (a->shape.n != s->n_in)
		return ad_refuse(s, "%d arrays of indices for %lld axes: give one for each",
		                 s->n_in, (long long)a->shape.n);
	for (int i = 0; i < s->n_in; i++) {
		if (s->in_type[i] != AD_I32)
			return ad_refuse(s, "input %d must be of indices, not of %s", i,
			                 s->in_type[i] == AD_BOOL ? "a mask" : "reals");
		if (a->shape.v[i] < 0 ||
		    __builtin_mul_overflow(count, a->shape.v[i] ? a->shape.v[i] : 1, &count) ||
		    count > INT32_MAX)
			return ad_refuse(s, "the sizes name more places than an index can count");
	}
	s->out_type[0] = AD_I32;
	return ad_broadcast_shape(s);
}

static void elements(const ad_run *r, size_t begin, size_t end)
{
	const struct attrs *a = r->attrs;
	const ad_array *y = &r->out[0];

	for (size_t k = begin; k < end; k++) {
		int64_t flat = 0;

		for (int i = 0; i < r->n_in; i++) {
			const ad_array *x = &r->in[i];
			int64_t size = a->shape.v[i], index;
			size_t rest = k, at = 0, step = 1;

			for (int d = y->rank - 1, e = x->rank - 1; e >= 0; d--, e--) {
				if (x->dims[e] != 1)
					at += rest % (size_t)y->dims[d] * step;
				step *= (size_t)x->dims[e];
				rest /= (size_t)y->dims[d];
			}
			index = ad_indices_of(x)[at];
			if (index < -size || index >= size) {
				ad_run_failed(
				    r,
				    "index %lld, element %zu of array %d, is not one of the "
				    "%lld places of its axis",
				    (long long)index, at, i, (long long)size);
				return;
			}
			flat = flat * size + (index < 0 ? index + size : index);
		}
		ad_indices_of(y)[k] = (int32_t)flat;
	}
}

static void forward(const ad_run *r)
{
	ad_parallel(r, r->out[0].count, 4096, elements);
}

AD_OP(ravel_multi_index, .arity = 1, .optional = -1, .inputs = "i...", .as_is = AD_AS_IS_ALL,
      .attrs = attrs, .attrs_size = sizeof(struct attrs), .shape = shape, .forward = forward,
      .flat = true,
      .samples = {
	  { .in = { AD_DIMS_OF(AD_I32, 2, 1), AD_DIMS_OF(AD_I32, 3) },
            .attrs = "shape=[3,4]",
            .give = { AD_LIST(2, -3), AD_LIST(0, 3, -1) },
            .want = { AD_LIST(8, 11, 11, 0, 3, 3) } },
	  { .in = { AD_DIMS_OF(AD_I32, 1), AD_DIMS_OF(AD_I32, 1) },
            .attrs = "shape=[3,4]",
            .give = { AD_LIST(0), AD_LIST(4) },
            .error = "index 4, element 0 of array 1, is not one of the 4 places" },
	  { .in = { AD_DIMS_OF(AD_I32, 1) },
            .attrs = "shape=[3,4]",
            .error = "1 arrays of indices for 2 axes" },
	  { .in = { AD_DIMS(1) }, .attrs = "shape=3", .error = "input 0 must be of indices" } });

/* One index for each of n axes of that shape, as places counted row by row. */
AD_API ad_node *ad_ravel_multi_index(size_t n, ad_node *const index[], ad_shape of)
{
	struct attrs a = { { of.rank, of.dims } };

	return AD_CALL_N(ravel_multi_index, &a, n, index);
}
