/*
 * addmm: y = beta c + alpha a b.
 *
 *   a (M, K)   b (K, N)   c broadcasts to (M, N)   y (M, N)
 *   da = alpha dy b^T, db = alpha a^T dy, dc = beta dy summed over axes that were broadcast
 *   With beta = 0 c is not read: no NaN comes from it.
 */
#include "op.h"

struct attrs {
	double alpha, beta;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, alpha, AD_NUM, "1", "what the product is multiplied by", NULL),
	AD_ATTR(struct attrs, beta, AD_NUM, "1", "what c is multiplied by", NULL),
	{ 0 },
};

static ad_node *scaled(ad_node *x, double by)
{
	return by == 1 ? x : ad_mul(x, ad_constant(ad_graph_of(x), by));
}

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *at = attributes;
	ad_shape c = ad_shape_of(in[0]), a = ad_shape_of(in[1]), b = ad_shape_of(in[2]), y, both;
	char text_a[192], text_b[192];
	ad_node *product;

	if (a.rank != 2 || b.rank != 2 || a.dims[1] != b.dims[0])
		return ad_fail(g, AD_ERROR_SHAPE, "addmm: cannot multiply %s by %s",
		               ad_print_shape(text_a, sizeof text_a, a),
		               ad_print_shape(text_b, sizeof text_b, b));
	y = both = AD_SHAPE(a.dims[0], b.dims[1]);
	if (!ad_broadcast(&both, &c) || !ad_equal_shapes(&both, &y))
		return ad_fail(g, AD_ERROR_SHAPE,
		               "addmm: c %s does not broadcast to the product, %s",
		               ad_print_shape(text_a, sizeof text_a, c),
		               ad_print_shape(text_b, sizeof text_b, y));
	product = scaled(ad_matmul(in[1], in[2]), at->alpha);
	return at->beta == 0 ? product : ad_add(scaled(in[0], at->beta), product);
}

AD_OP(
    addmm, .arity = 3, .inputs = "c a b", .attrs = attrs, .attrs_size = sizeof(struct attrs),
    .compose = compose,
    .samples = {
	{ .in = { AD_DIMS(2), AD_DIMS(1, 2), AD_DIMS(2, 2) },
          .attrs = "alpha=0.5 beta=-2",
          .give = { AD_LIST(1, 2), AD_LIST(3, 4), AD_LIST(1, 0, 2, -1) },
          .want = { AD_LIST(3.5, -6) },
          .dwant = { AD_LIST(-2, -2), AD_LIST(0.5, 0.5), AD_LIST(1.5, 1.5, 2, 2) } },
	{ .in = { AD_DIMS(1), AD_DIMS(1, 1), AD_DIMS(1, 1) },
          .attrs = "beta=0",
          .give = { AD_LIST(NAN), AD_LIST(3), AD_LIST(4) },
          .want = { AD_LIST(12) },
          .dwant = { AD_LIST(0), AD_LIST(4), AD_LIST(3) } },
	{ .in = { AD_DIMS(3, 5), AD_DIMS(3, 4), AD_DIMS(4, 5) }, .lo = -2, .hi = 2 },
	{ .in = { AD_DIM0, AD_DIMS(3, 4), AD_DIMS(4, 5) }, .attrs = "alpha=2", .lo = -2, .hi = 2 },
	{ .in = { AD_DIMS(3, 5), AD_DIMS(3, 4), AD_DIMS(5, 5) },
          .error = "cannot multiply (3, 4) by (5, 5)" },
	{ .in = { AD_DIMS(2, 3, 5), AD_DIMS(3, 4), AD_DIMS(4, 5) },
          .error = "c (2, 3, 5) does not broadcast to the product, (3, 5)" } });

/* beta c + alpha a b, for matrices a and b; c broadcasts to their product. */
AD_API ad_node *ad_addmm(ad_node *c, ad_node *a, ad_node *b, double alpha, double beta)
{
	struct attrs at = { alpha, beta };

	return AD_CALL_WITH(addmm, &at, c, a, b);
}
