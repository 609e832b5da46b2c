/*
 * attention: y = softmax(scale q k^T + mask) v, scaled dot-product attention.
 *
 *   q (..., T, D)   k (..., S, D)   v (..., S, E); the leading axes broadcast   y (..., T, E)
 *   mask    broadcasts to (..., T, S), may be left out: true where a query may attend to a key,
 *           or reals that are added to the scores
 *   causal  leaves out every key behind its query: key j for query i where j > i
 *   scale   null: 1 / sqrt(D)
 *
 * A query that may attend to nothing gets zeros, and gives gradient 0; softmax alone would give
 * NaN. A. Vaswani et al., "Attention is all you need", 2017.
 */
#include "op.h"

struct attrs {
	bool causal;
	double scale;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, causal, AD_FLAG, "false", "leave out keys behind the query", NULL),
	AD_ATTR(struct attrs, scale, AD_NUM, "null",
	        "what the scores are multiplied by; null: 1 / sqrt(D)", NULL),
	{ 0 },
};

/* The score of what is left out. Finite, so that no NaN arises where nothing is left; far below any
 * score, so that its exponential is 0 beside any other. */
#define LEFT_OUT (-1e30)

/* True where key j is not behind query i, (T, S). */
static ad_node *causal_mask(ad_graph *g, int64_t T, int64_t S)
{
	return ad_less_equal(ad_arange(g, 0, S, 1),
	                     ad_reshape(ad_arange(g, 0, T, 1), AD_SHAPE(T, 1)));
}

static bool leading_axes_fit(ad_shape q, ad_shape k, ad_shape v)
{
	q.rank -= 2;
	k.rank -= 2;
	v.rank -= 2;
	return ad_broadcast(&q, &k) && ad_broadcast(&q, &v);
}

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	ad_shape q = ad_shape_of(in[0]), k = ad_shape_of(in[1]), v = ad_shape_of(in[2]);
	ad_shape scores, full;
	char text_q[192], text_k[192], text_v[192];
	ad_node *mask = n_in > 3 ? in[3] : NULL, *chosen = NULL, *left, *p;
	double scale;

	if (q.rank < 2 || k.rank < 2 || v.rank < 2 || q.dims[q.rank - 1] != k.dims[k.rank - 1] ||
	    k.dims[k.rank - 2] != v.dims[v.rank - 2])
		return ad_fail(g, AD_ERROR_SHAPE,
		               "attention: q, k, v must be (..., T, D), (..., S, D), (..., S, E), "
		               "not %s, %s, %s",
		               ad_print_shape(text_q, sizeof text_q, q),
		               ad_print_shape(text_k, sizeof text_k, k),
		               ad_print_shape(text_v, sizeof text_v, v));
	if (!leading_axes_fit(q, k, v))
		return ad_fail(
		    g, AD_ERROR_SHAPE,
		    "attention: the leading axes of q %s, k %s and v %s do not broadcast",
		    ad_print_shape(text_q, sizeof text_q, q),
		    ad_print_shape(text_k, sizeof text_k, k),
		    ad_print_shape(text_v, sizeof text_v, v));
	scale = isnan(a->scale) ? 1 / sqrt((double)q.dims[q.rank - 1]) : a->scale;
	/* q is smaller than the scores, mostly */
	p = ad_matmul_transposed(scale == 1 ? in[0] : ad_mul(in[0], ad_constant(g, scale)), in[1],
	                         false, true);
	scores = ad_shape_of(p);
	if (ad_is_error(p))
		return p;
	if (mask) {
		ad_shape shape = ad_shape_of(mask);

		full = scores;
		if (!ad_broadcast(&full, &shape) || !ad_equal_shapes(&full, &scores))
			return ad_fail(g, AD_ERROR_SHAPE,
			               "attention: mask %s does not broadcast to the scores, %s",
			               ad_print_shape(text_q, sizeof text_q, shape),
			               ad_print_shape(text_k, sizeof text_k, scores));
		if (ad_type_of(mask) == AD_REAL)
			p = ad_add(p, mask);
		else
			chosen = mask;
	}
	left = chosen;
	if (a->causal) {
		ad_node *before =
		    causal_mask(g, scores.dims[scores.rank - 2], scores.dims[scores.rank - 1]);

		left = chosen ? ad_logical_and(chosen, before) : before;
	}
	if (left)
		p = ad_where(left, p, ad_constant(g, LEFT_OUT));
	p = ad_softmax(p, -1);
	/* where a mask leaves nothing, softmax has spread itself over what is left out; without a
	 * mask the first key is left */
	if (left && mask)
		p = ad_where(left, p, ad_constant(g, 0));
	return ad_matmul(p, in[2]);
}

AD_OP(attention, .arity = 3, .optional = 1, .inputs = "q k v mask", .attrs = attrs,
      .attrs_size = sizeof(struct attrs), .compose = compose,
      .samples = {
	  { .in = { AD_DIMS(1, 1), AD_DIMS(2, 1), AD_DIMS(2, 2) },
            .give = { AD_LIST(2), AD_LIST(1, 0.5), AD_LIST(1, 10, 3, 20) },
            .want = { AD_LIST(1.5378828427399902, 12.689414213699952) } },
	  { .in = { AD_DIMS(2, 1), AD_DIMS(2, 1), AD_DIMS(2, 1) },
            .attrs = "causal=true scale=1",
            .give = { AD_LIST(1, 2), AD_LIST(1, 0.5), AD_LIST(5, 7) },
            .want = { AD_LIST(5, 5.53788284273999) } },
	  { .in = { AD_DIMS(2, 1), AD_DIMS(2, 1), AD_DIMS(2, 1), AD_DIMS_OF(AD_BOOL, 2, 2) },
            .give = { AD_LIST(1, 2), AD_LIST(1, 0.5), AD_LIST(5, 7), AD_LIST(0, 0, 0, 1) },
            .want = { AD_LIST(0, 7) },
            .dwant = { AD_LIST(0, 0), AD_LIST(0, 0), AD_LIST(0, 1) } },
	  { .in = { AD_DIMS(2, 3, 4), AD_DIMS(2, 5, 4), AD_DIMS(2, 5, 2) }, .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(2, 3, 4), AD_DIMS(2, 3, 4), AD_DIMS(2, 3, 2) },
            .attrs = "causal=true",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(2, 2, 3), AD_DIMS(3, 3), AD_DIMS(2, 3, 2), AD_DIMS(2, 3) },
            .attrs = "scale=0.5",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(3, 2), AD_DIMS(3, 2), AD_DIMS(3, 2), AD_DIMS_OF(AD_BOOL, 3, 3) },
            .attrs = "causal=true",
            .give = { AD_LIST(0.1, -0.5, 1.2, 0.3, -0.7, 2), AD_LIST(0.9, 1.1, 0, -1, 0.4, 0.2),
                      AD_LIST(0.3, -0.2, 1, 2, -1, 0.5), AD_LIST(0, 1, 1, 1, 1, 0, 1, 0, 1) },
            .smooth = true },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(2, 4), AD_DIMS(2, 4) },
            .error = "not (2, 3), (2, 4), (2, 4)" },
	  { .in = { AD_DIMS(2, 1), AD_DIMS(2, 1), AD_DIMS(2, 1), AD_DIMS(2, 2) },
            .attrs = "causal=true",
            .give = { AD_LIST(1, 2), AD_LIST(1, 0.5), AD_LIST(5, 7), AD_LIST(-INFINITY, 0, 0, 0) },
            .want = { AD_LIST(0, 5.53788284273999) } },
	  { .in = { AD_DIMS(2, 2, 3), AD_DIMS(3, 2, 3), AD_DIMS(2, 3) },
            .error = "leading axes of q (2, 2, 3), k (3, 2, 3) and v (2, 3) do not broadcast" },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(4, 3), AD_DIMS(4, 1), AD_DIMS(2, 3) },
            .error = "mask (2, 3) does not broadcast to the scores, (2, 4)" } });

/* softmax(scale q k^T + mask) v; mask may be NULL, scale NAN for 1 / sqrt(D). */
AD_API ad_node *ad_attention(ad_node *q, ad_node *k, ad_node *v, ad_node *mask, bool causal,
                             double scale)
{
	struct attrs a = { causal, scale };

	return AD_CALL_WITH(attention, &a, q, k, v, mask);
}
