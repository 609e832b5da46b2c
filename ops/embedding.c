/*
 * embedding: y = the rows of a table that index names.
 *
 *   weight  (V, D)          index   any shape, indices 0..V-1          y   shape of index, then D
 *   dweight = dy added up over the uses of each row; the row padding_idx gets none. Composed of
 *   index_select.
 */
#include "op.h"

struct attrs {
	int64_t padding_idx;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, padding_idx, AD_INT, "null",
	        "the row that gets no gradient; negative: from the end; null: none", NULL),
	{ 0 },
};

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	ad_shape w = ad_shape_of(in[0]), s = ad_shape_of(in[1]), column = s;
	char text[192];
	ad_node *y;

	if (w.rank != 2)
		return ad_fail(g, AD_ERROR_SHAPE, "embedding: weight must be (rows, width), not %s",
		               ad_print_shape(text, sizeof text, w));
	if (ad_type_of(in[1]) != AD_I32)
		return ad_fail(g, AD_ERROR_TYPE, "embedding: index must be of indices, not of %s",
		               ad_type_of(in[1]) == AD_BOOL ? "a mask" : "reals");
	if (s.rank == AD_MAX_RANK)
		return ad_fail(g, AD_ERROR_SHAPE,
		               "embedding: index %s has as many axes as there may be",
		               ad_print_shape(text, sizeof text, s));
	if (a->padding_idx != AD_NONE &&
	    (a->padding_idx < -w.dims[0] || a->padding_idx >= w.dims[0]))
		return ad_fail(g, AD_ERROR_ARGUMENT,
		               "embedding: padding_idx %lld is not one of the %lld rows",
		               (long long)a->padding_idx, (long long)w.dims[0]);
	y = ad_index_select(in[0], ad_reshape(in[1], AD_SHAPE((int64_t)ad_count(in[1]))), 0);
	s.dims[s.rank++] = w.dims[1];
	y = ad_reshape(y, s);
	if (a->padding_idx != AD_NONE) {
		int64_t row = a->padding_idx + (a->padding_idx < 0 ? w.dims[0] : 0);

		column.dims[column.rank++] = 1;
		y = ad_where(ad_equal(ad_reshape(in[1], column), ad_arange(g, row, row + 1, 1)),
		             ad_stop_gradient(y), y);
	}
	return y;
}

AD_OP(embedding, .arity = 2, .inputs = "weight index", .attrs = attrs,
      .attrs_size = sizeof(struct attrs), .compose = compose,
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
