/*
 * embedding_bag: y = the sum, mean or largest of the rows of a table that each bag of indices
 * names.
 *
 *   weight  (V, D)          index   (B, k), indices 0..V-1          y   (B, D)
 *   dweight = dy added up over the uses of each row, over k for a mean; for the largest it goes to
 *   the first row of the bag that has it. Composed of embedding.
 */
#include "op.h"

struct attrs {
	const char *mode;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, mode, AD_WORD, "mean", "what becomes of the rows of a bag",
	        "sum mean max"),
	{ 0 },
};

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	char text[192];
	ad_node *rows;

	if (ad_shape_of(in[1]).rank != 2)
		return ad_fail(g, AD_ERROR_SHAPE, "embedding_bag: index must be (bags, k), not %s",
		               ad_print_shape(text, sizeof text, ad_shape_of(in[1])));
	rows = ad_embedding(in[0], in[1]);
	if (ad_is_error(rows))
		return rows;
	if (strcmp(a->mode, "sum") == 0)
		return ad_sum(rows, AD_INTS(1), false);
	if (strcmp(a->mode, "mean") == 0)
		return ad_mean(rows, AD_INTS(1), false);
	return ad_max_dim(rows, 1, false);
}

AD_OP(embedding_bag, .arity = 2, .inputs = "weight index", .attrs = attrs,
      .attrs_size = sizeof(struct attrs), .compose = compose,
      .samples = { { .in = { AD_DIMS(3, 2), AD_DIMS_OF(AD_I32, 1, 2) },
                     .attrs = "mode=sum",
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6), AD_LIST(2, 0) },
                     .want = { AD_LIST(6, 8) },
                     .dwant = { AD_LIST(1, 1, 0, 0, 1, 1) } },
                   { .in = { AD_DIMS(3, 2), AD_DIMS_OF(AD_I32, 1, 2) },
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6), AD_LIST(2, 0) },
                     .want = { AD_LIST(3, 4) },
                     .dwant = { AD_LIST(0.5, 0.5, 0, 0, 0.5, 0.5) } },
                   { .in = { AD_DIMS(3, 2), AD_DIMS_OF(AD_I32, 2, 2) },
                     .attrs = "mode=sum",
                     .give = { AD_LIST(0.5, 1, 1.5, -1, 2, 0.25), AD_LIST(2, 0, 2, 1) },
                     .smooth = true },
                   { .in = { AD_DIMS(3, 2), AD_DIMS_OF(AD_I32, 2) },
                     .error = "index must be (bags, k), not (2,)" } });

/* The mean of the rows of weight (V, D) that each bag of index (B, k) names. */
AD_API ad_node *ad_embedding_bag(ad_node *weight, ad_node *index)
{
	return AD_CALL(embedding_bag, weight, index);
}
