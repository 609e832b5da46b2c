/*
 * attention: several heads of scaled dot-product attention, of a sequence to itself or to another.
 *
 *   x   [..., T, C]     memory   [..., S, C], may be left out: x itself
 *   in_proj_weight   [C + 2 K, C], the rows of queries, keys, values; K = C / heads * kv_heads
 *   in_proj_bias   [C + 2 K]     out_proj.weight   [C, C]     out_proj.bias   [C]
 *   y   [..., T, C]
 *
 * Vaswani et al., "Attention is all you need" (2017). kv_heads: so many heads of keys and values,
 * each for heads / kv_heads of the queries (Ainslie et al., "GQA", 2023). rotary: queries and keys
 * are turned by angles that grow with their places, element i with i + D / 2, by t / 10000^(2 i /
 * D) for a head of D elements (Su et al., "RoFormer", 2021). dropout: of the attention itself, in
 * training phase. Weights are xavier-uniform, biases zeros.
 */
#include "model.h"
#include "op.h"

struct attrs {
	int64_t heads, kv_heads;
	bool causal, rotary, bias;
	double dropout;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, heads, AD_INT, NULL, "number of heads; a divisor of the size of x",
	        NULL),
	AD_ATTR(struct attrs, causal, AD_FLAG, "false",
	        "a step sees only itself and those before it", NULL),
	AD_ATTR(struct attrs, dropout, AD_NUM, "0",
	        "the probability that a weight of the attention is dropped", NULL),
	AD_ATTR(struct attrs, kv_heads, AD_INT, "null",
	        "number of heads of keys and values, a divisor of heads; null: as many", NULL),
	AD_ATTR(struct attrs, rotary, AD_FLAG, "false", "turn queries and keys by their places",
	        NULL),
	AD_ATTR(struct attrs, bias, AD_FLAG, "true", "add biases", NULL),
	{ 0 },
};

/* The score of what is left out: far below any other. */
#define LEFT_OUT (-1e30)

/* (..., T, heads D) as (..., heads, T, D). */
static ad_node *part_heads(ad_node *x, int64_t heads)
{
	ad_shape shape = ad_shape_of(x);

	if (ad_is_error(x))
		return x;
	shape.dims[shape.rank] = shape.dims[shape.rank - 1] / heads;
	shape.dims[shape.rank - 1] = heads;
	shape.rank++;
	return ad_transpose(ad_reshape(x, shape), -3, -2);
}

/* x (..., T, D), turned: element i and i + D / 2 are a point of a plane. */
static ad_node *rotate(ad_node *x)
{
	ad_graph *g = ad_graph_of(x);
	const ad_shape shape = ad_shape_of(x);

	if (ad_is_error(x))
		return x;
	const int64_t T = shape.dims[shape.rank - 2], D = shape.dims[shape.rank - 1];
	ad_node *t = ad_reshape(ad_to_real(ad_arange(g, 0, T, 1)), AD_SHAPE(T, 1));
	ad_node *i = ad_to_real(ad_arange(g, 0, D / 2, 1));
	ad_node *angle = ad_mul(t, ad_exp(ad_mul(i, ad_constant(g, -2 * log(10000) / (double)D))));
	ad_node *c = ad_cos(angle), *s = ad_sin(angle), *half = ad_chunk(x, 2, -1);
	if (ad_is_error(half))
		return half;
	ad_node *a = half, *b = ad_output(half, 1);

	return ad_concat(
	    2,
	    (ad_node *[]){ ad_sub(ad_mul(a, c), ad_mul(b, s)), ad_add(ad_mul(b, c), ad_mul(a, s)) },
	    -1);
}

/* Attention with dropout of its weights, which the op has not. */
static ad_node *dropping(ad_node *q, ad_node *k, ad_node *v, bool causal, double p)
{
	ad_graph *g = ad_graph_of(q);
	const ad_shape a = ad_shape_of(q), b = ad_shape_of(k);

	if (ad_is_error(q) || ad_is_error(k))
		return q;
	const int64_t T = a.dims[a.rank - 2], S = b.dims[b.rank - 2];
	ad_node *scale = ad_constant(g, 1 / sqrt((double)a.dims[a.rank - 1]));
	ad_node *scores = ad_matmul_transposed(ad_mul(q, scale), k, false, true);
	if (causal) {
		ad_node *before = ad_less_equal(ad_arange(g, 0, S, 1),
		                                ad_reshape(ad_arange(g, 0, T, 1), AD_SHAPE(T, 1)));

		scores = ad_where(before, scores, ad_constant(g, LEFT_OUT));
	}
	return ad_matmul(ad_dropout(ad_softmax(scores, -1), p), v);
}

/* What the arguments must be to each other; false: the graph has failed. */
static bool fits(struct layer_site *site, ad_node *x, ad_node *memory, const struct attrs *a,
                 int64_t groups)
{
	ad_graph *g = ad_graph_of(x);
	const ad_shape shape = ad_shape_of(x), other = ad_shape_of(memory);
	const int64_t C = shape.rank ? shape.dims[shape.rank - 1] : 0;
	char text[192], text_other[192];

	if (shape.rank < 2 || shape.rank >= AD_MAX_RANK || other.rank != shape.rank ||
	    other.dims[other.rank - 1] != C)
		ad_fail(g, AD_ERROR_SHAPE,
		        "attention: x is [..., steps, size] and memory likewise, not %s and %s",
		        ad_print_shape(text, sizeof text, shape),
		        ad_print_shape(text_other, sizeof text_other, other));
	else if (layer_quotient(site, "d", C, "heads", a->heads) == 0)
		return false;
	else if (groups < 1 || a->heads % groups != 0)
		ad_fail(g, AD_ERROR_ARGUMENT,
		        "attention: 'kv_heads' is %lld, which does not divide %lld heads",
		        (long long)groups, (long long)a->heads);
	else if (a->rotary && C / a->heads % 2 != 0)
		ad_fail(g, AD_ERROR_ARGUMENT,
		        "attention: rotary needs heads of an even size, not %lld",
		        (long long)(C / a->heads));
	else if (!(a->dropout >= 0 && a->dropout < 1))
		ad_fail(g, AD_ERROR_ARGUMENT, "attention: 'dropout' is %g, not in [0, 1)",
		        a->dropout);
	else
		return true;
	return false;
}

/* Queries, keys and values, side by side on the last axis, into part[]. */
static bool project(ad_node *x, ad_node *memory, ad_node *w, ad_node *b, int64_t C, int64_t K,
                    ad_node *part[3])
{
	ad_node *all;

	if (x == memory) {
		all = ad_split(ad_linear(x, w, b), AD_INTS(C, K, K), -1);
		if (ad_is_error(all))
			return false;
		part[0] = all;
		part[1] = ad_output(all, 1);
		part[2] = ad_output(all, 2);
		return true;
	}
	w = ad_split(w, AD_INTS(C, 2 * K), 0);
	b = b ? ad_split(b, AD_INTS(C, 2 * K), 0) : NULL;
	if (ad_is_error(w) || (b && ad_is_error(b)))
		return false;
	part[0] = ad_linear(x, w, b);
	all = ad_chunk(ad_linear(memory, ad_output(w, 1), b ? ad_output(b, 1) : NULL), 2, -1);
	if (ad_is_error(all))
		return false;
	part[1] = all;
	part[2] = ad_output(all, 1);
	return true;
}

/* With an axis of its own for the heads, which rotation and dropout need. */
static ad_node *by_heads(ad_node *part[3], const struct attrs *a, int64_t groups, bool drops, ad_shape shape)
{
	ad_node *y;

	part[0] = part_heads(part[0], a->heads);
	part[1] = part_heads(part[1], groups);
	part[2] = part_heads(part[2], groups);
	for (int k = 0; a->rotary && k < 2; k++)
		part[k] = rotate(part[k]);
	for (int k = 1; groups < a->heads && k < 3; k++)
		part[k] = ad_repeat_interleave(part[k], AD_INTS(a->heads / groups), -3);
	y = drops ? dropping(part[0], part[1], part[2], a->causal, a->dropout)
	          : ad_attention(part[0], part[1], part[2], NULL, a->causal, (double)NAN);
	return ad_reshape(ad_transpose(y, -3, -2), shape);
}

static ad_node *build(struct layer_site *site, ad_node *x, const void *given)
{
	const struct attrs *a = given;
	const struct init xavier = { .kind = INIT_XAVIER }, zeros = { .kind = INIT_ZEROS };
	const int64_t groups = a->kv_heads == AD_NONE ? a->heads : a->kv_heads;
	ad_node *memory = layer_input(site, 1) ? layer_input(site, 1) : x, *part[3], *y;
	ad_node *w_in, *b_in = NULL, *w_out, *b_out = NULL;
	bool drops;

	if (!fits(site, x, memory, a, groups))
		return NULL;
	const ad_shape shape = ad_shape_of(x);
	const int64_t C = shape.dims[shape.rank - 1], K = C / a->heads * groups;

	w_in = model_weight(site, "in_proj_weight", AD_SHAPE(C + 2 * K, C), xavier, C, C + 2 * K);
	if (a->bias)
		b_in = model_weight(site, "in_proj_bias", AD_SHAPE(C + 2 * K), zeros, C, C);
	w_out = model_weight(site, "out_proj.weight", AD_SHAPE(C, C), xavier, C, C);
	if (a->bias)
		b_out = model_weight(site, "out_proj.bias", AD_SHAPE(C), zeros, C, C);
	if (!w_in || !w_out || (a->bias && (!b_in || !b_out)))
		return NULL;
	drops = a->dropout > 0 && ad_is_training(ad_graph_of(x));
	if (!drops && !a->rotary && x == memory)
		y = ad_attention_heads(ad_linear(x, w_in, b_in), NULL, NULL, NULL, a->heads, groups, a->causal,
		                       (double)NAN);
	else if (!project(x, memory, w_in, b_in, C, K, part))
		return NULL;
	else if (!drops && !a->rotary)
		y = ad_attention_heads(part[0], part[1], part[2], NULL, a->heads, groups, a->causal,
		                       (double)NAN);
	else
		y = by_heads(part, a, groups, drops, shape);
	return ad_linear(y, w_out, b_out);
}

const struct layer layer_attention = {
	.name = "attention",
	.doc = "several heads of attention, of a sequence to itself or to memory",
	.inputs = "x memory?",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.build = build,
};
