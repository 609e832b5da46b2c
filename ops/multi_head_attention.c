/*
 * multi_head_attention: attention of a sequence to itself, by several heads side by side.
 *
 *   x (..., T, C)   w_qkv (3 C, C)   b_qkv (3 C)   w_o (C, C)   b_o (C); biases may be left out
 *   y (..., T, C): q, k, v are the thirds of w_qkv x + b_qkv; each of `heads` heads takes C / heads
 *   of their numbers; what attention makes of them, side by side again, goes through w_o and b_o
 *   causal leaves out every key behind its query; see attention
 */
#include "op.h"

struct attrs {
	int64_t heads;
	bool causal;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, heads, AD_INT, NULL, "how many heads; a divisor of C", NULL),
	AD_ATTR(struct attrs, causal, AD_FLAG, "false", "leave out keys behind the query", NULL),
	{ 0 },
};

static bool shape_is(ad_graph *g, const char *name, ad_node *x, ad_shape want)
{
	ad_shape have = ad_shape_of(x);
	char text_have[192], text_want[192];

	if (ad_equal_shapes(&have, &want))
		return true;
	ad_fail(g, AD_ERROR_SHAPE, "multi_head_attention: %s must be %s, not %s", name,
	        ad_print_shape(text_want, sizeof text_want, want),
	        ad_print_shape(text_have, sizeof text_have, have));
	return false;
}

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	ad_node *w_o = n_in > 3 ? in[3] : NULL, *b_o = n_in > 4 ? in[4] : NULL, *y;
	ad_shape x = ad_shape_of(in[0]);
	char text[192];
	int64_t C, rows;

	if (!w_o)
		return ad_fail(g, AD_ERROR_ARGUMENT,
		               "multi_head_attention: w_o, input 3, is missing");
	if (x.rank < 2 || x.rank > AD_MAX_RANK - 2)
		return ad_fail(
		    g, AD_ERROR_SHAPE,
		    "multi_head_attention: x must be (..., T, C) with at most %d axes, not %s",
		    AD_MAX_RANK - 2, ad_print_shape(text, sizeof text, x));
	C = x.dims[x.rank - 1];
	if (a->heads < 1 || C % a->heads != 0 || __builtin_mul_overflow(C, 3, &rows))
		return ad_fail(
		    g, AD_ERROR_ARGUMENT,
		    "multi_head_attention: %lld heads do not divide the %lld numbers of x %s",
		    (long long)a->heads, (long long)C, ad_print_shape(text, sizeof text, x));
	if (!shape_is(g, "w_qkv", in[1], AD_SHAPE(rows, C)) ||
	    (in[2] && !shape_is(g, "b_qkv", in[2], AD_SHAPE(rows))) ||
	    !shape_is(g, "w_o", w_o, AD_SHAPE(C, C)) ||
	    (b_o && !shape_is(g, "b_o", b_o, AD_SHAPE(C))))
		return ad_fail(g, AD_ERROR_SHAPE, "multi_head_attention: shapes do not fit");
	y = ad_attention_heads(ad_linear(in[0], in[1], in[2]), NULL, NULL, NULL, a->heads, AD_NONE,
	                       a->causal, (double)NAN);
	return ad_linear(y, w_o, b_o);
}

AD_OP(multi_head_attention, .arity = 2, .optional = 3, .inputs = "x w_qkv b_qkv w_o b_o",
      .attrs = attrs, .attrs_size = sizeof(struct attrs), .compose = compose,
      .samples = {
	  { .in = { AD_DIMS(2, 1), AD_DIMS(3, 1), AD_DIMS(3), AD_DIMS(1, 1), AD_DIMS(1) },
            .attrs = "heads=1 causal=true",
            .give = { AD_LIST(1, 2), AD_LIST(1, -0.5, 3), AD_LIST(0, 1, -1), AD_LIST(2),
                      AD_LIST(0.5) },
            .want = { AD_LIST(4.5, 6.11364852821997) } },
	  { .in = { AD_DIMS(2, 3, 4), AD_DIMS(12, 4), AD_DIMS(12), AD_DIMS(4, 4), AD_DIMS(4) },
            .attrs = "heads=2 causal=true",
            .lo = -1,
            .hi = 1 },
	  { .in = { AD_DIMS(3, 4), AD_DIMS(12, 4), { 0 }, AD_DIMS(4, 4) },
            .attrs = "heads=4",
            .lo = -1,
            .hi = 1 },
	  { .in = { AD_DIMS(2, 4), AD_DIMS(12, 4), AD_DIMS(12), AD_DIMS(4, 4), AD_DIMS(4) },
            .attrs = "heads=3",
            .error = "3 heads do not divide the 4 numbers of x (2, 4)" },
	  { .in = { AD_DIMS(2, 4), AD_DIMS(8, 4), AD_DIMS(12), AD_DIMS(4, 4), AD_DIMS(4) },
            .attrs = "heads=2",
            .error = "w_qkv must be (12, 4), not (8, 4)" },
	  { .in = { AD_DIMS(2, 4), AD_DIMS(12, 4) },
            .attrs = "heads=2",
            .error = "w_o, input 3, is missing" } });

/* Attention of x (..., T, C) to itself by several heads; biases may be NULL. */
AD_API ad_node *ad_multi_head_attention(ad_node *x, ad_node *w_qkv, ad_node *b_qkv, ad_node *w_o,
                                        ad_node *b_o, int64_t heads, bool causal)
{
	struct attrs a = { heads, causal };

	return AD_CALL_WITH(multi_head_attention, &a, x, w_qkv, b_qkv, w_o, b_o);
}
