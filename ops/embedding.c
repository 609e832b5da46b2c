/*
 * embedding: y = the rows of a table that index names.
 *
 *   weight  (V, D)          index   any shape, indices 0..V-1          y   shape of index, then D
 *   dweight = dy added up over the uses of each row; the row padding_idx gets none; index
 *   is kept. An index outside of weight is an error.
 */
#include "op.h"
#include "kernels/indexing.h"

#define STRIP 64 /* columns that one unit of the backward pass covers */

struct attrs {
	int64_t padding_idx;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, padding_idx, AD_INT, "null",
	        "the row that gets no gradient; negative: from the end; null: none", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	const ad_shape *w = &s->in[0];
	size_t count;

	if (w->rank != 2)
		return ad_refuse(s, "weight must be (rows, width), not %s", ad_show(s, 0));
	if (!indices_expected(s, 1, "index"))
		return false;
	if (s->in[1].rank == AD_MAX_RANK)
		return ad_refuse(s, "index %s has as many axes as there may be", ad_show(s, 1));
	if (a->padding_idx != AD_NONE &&
	    (a->padding_idx < -w->dims[0] || a->padding_idx >= w->dims[0]))
		return ad_refuse(s, "padding_idx %lld is not one of the %lld rows",
		                 (long long)a->padding_idx, (long long)w->dims[0]);
	s->out[0] = s->in[1];
	s->out[0].dims[s->out[0].rank++] = w->dims[1];
	if (!ad_count_of(&s->out[0], &count))
		return ad_refuse(s, "%s has too many elements", ad_show_shape(s, s->out[0]));
	return true;
}

static void rows(const ad_run *r, size_t begin, size_t end)
{
	size_t size = (size_t)r->in[0].dims[0], width = (size_t)r->in[0].dims[1];
	const ad_real *w = ad_reals_of(&r->in[0]);
	const int32_t *index = ad_indices_of(&r->in[1]);
	ad_real *y = ad_reals_of(&r->out[0]);

	for (size_t k = begin; k < end; k++) {
		const ad_real *row;

		if (!index_fits(r, index[k], k, size))
			return;
		row = w + (size_t)index[k] * width;
		for (size_t i = 0; ad_adds(r, 0) && i < width; i++)
			y[k * width + i] += row[i];
		if (!ad_adds(r, 0))
			memcpy(y + k * width, row, width * sizeof *y);
	}
}

static void forward(const ad_run *r)
{
	if (r->out[0].count > 0)
		ad_parallel(r, r->in[1].count, 32768 / (size_t)r->in[0].dims[1] + 1, rows);
}

static void clear(const ad_run *r, size_t begin, size_t end)
{
	size_t width = (size_t)r->in[0].dims[1];

	memset(ad_reals_of(&r->dx[0]) + begin * width, 0, (end - begin) * width * sizeof(ad_real));
}

/* A strip of columns for all indices, in their order: so sums do not depend on the threads. */
static void strips(const ad_run *r, size_t begin, size_t end)
{
	const struct attrs *a = r->attrs;
	size_t size = (size_t)r->in[0].dims[0], width = (size_t)r->in[0].dims[1];
	const int32_t *index = ad_indices_of(&r->in[1]);
	int64_t none = a->padding_idx == AD_NONE ? -1
	               : a->padding_idx < 0      ? a->padding_idx + r->in[0].dims[0]
	                                         : a->padding_idx;
	size_t first = begin * STRIP, stop = end * STRIP < width ? end * STRIP : width;

	for (size_t k = 0; k < r->in[1].count; k++) {
		const ad_real *dy = ad_reals_of(&r->dy[0]) + k * width;
		ad_real *to;

		if (!index_fits(r, index[k], k, size))
			return;
		to = ad_reals_of(&r->dx[0]) + (size_t)index[k] * width;
		if (index[k] != none)
#pragma omp simd
			for (size_t i = first; i < stop; i++)
				to[i] += dy[i];
	}
}

static void backward(const ad_run *r)
{
	size_t width = (size_t)r->in[0].dims[1], n = r->in[1].count;

	if (r->dx[0].count == 0)
		return;
	if (!ad_adds(r, 0))
		ad_parallel(r, (size_t)r->in[0].dims[0], 65536 / width + 1, clear);
	if (n > 0)
		ad_parallel(r, (width + STRIP - 1) / STRIP, 32768 / (n * STRIP) + 1, strips);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *a = ad_attrs_of(y);
	ad_node *w = ad_input_of(y, 0), *index = ad_input_of(y, 1), *up = dy[0];
	ad_shape shape_w = ad_shape_of(w), column = ad_shape_of(index);
	int64_t n = (int64_t)ad_count(index), row = a->padding_idx;

	if (row != AD_NONE) {
		row += row < 0 ? shape_w.dims[0] : 0;
		column.dims[column.rank++] = 1;
		up = ad_where(
		    ad_equal(ad_reshape(index, column), ad_arange(ad_graph_of(y), row, row + 1, 1)),
		    ad_full_like(up, 0), up);
	}
	dx[0] = ad_index_add(ad_full_like(w, 0), ad_reshape(index, AD_SHAPE(n)),
	                     ad_reshape(up, AD_SHAPE(n, shape_w.dims[1])), 0);
}

AD_OP(embedding, .arity = 2, .inputs = "weight index", .attrs = attrs,
      .attrs_size = sizeof(struct attrs), .shape = shape,
      .forward = forward, .backward = backward, .grad = grad, .reads = AD_READS_INPUTS, .adds = true,
      .as_is = 1u << 1,
      .samples = { { .in = { AD_DIMS(3, 2), AD_DIMS_OF(AD_I32, 2, 2) },
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6), AD_LIST(2, 0, 2, 1) },
                     .want = { AD_LIST(5, 6, 1, 2, 5, 6, 3, 4) },
                     .dwant = { AD_LIST(1, 1, 1, 1, 2, 2) } },
                   { .in = { AD_DIMS(3, 2), AD_DIMS_OF(AD_I32, 3) },
                     .attrs = "padding_idx=-1",
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6), AD_LIST(2, 0, 2) },
                     .want = { AD_LIST(5, 6, 1, 2, 5, 6) },
                     .dwant = { AD_LIST(1, 1, 0, 0, 0, 0) } },
                   { .in = { AD_DIMS(3, 2), { 0, { 0 }, AD_I32, true } },
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6), AD_LIST(1) },
                     .want = { AD_LIST(3, 4) } },
                   { .in = { AD_DIMS(3, 2), AD_DIMS_OF(AD_I32, 4) },
                     .give = { AD_LIST(0.5, 1, 1.5, -1, 2, 0.25), AD_LIST(2, 0, 2, 1) },
                     .smooth = true },
                   { .in = { AD_DIMS(3, 2), AD_DIMS_OF(AD_I32, 2) },
                     .attrs = "padding_idx=3",
                     .error = "padding_idx 3 is not one of the 3 rows" },
                   { .in = { AD_DIMS(3), AD_DIMS_OF(AD_I32, 2) },
                     .error = "weight must be (rows, width), not (3,)" } });

/* The rows of weight (V, D) that index names, one more axis than index. */
AD_API ad_node *ad_embedding(ad_node *weight, ad_node *index)
{
	return AD_CALL(embedding, weight, index);
}
