/*
 * nets: the cases of the corpus that are no op but a net or a graph of several.
 */
#include "runner.h"

#include <string.h>

/* A setting that is a whole number. */
static int64_t whole(const struct settings *settings, const char *name, int64_t otherwise)
{
	for (size_t k = 0; k < settings->n; k++)
		if (strcmp(settings->of[k].name, name) == 0)
			return settings->of[k].i;
	return otherwise;
}

/* Ops by name, so that one that is missing fails its own case alone. */
static ad_node *one(const char *op, ad_node *x, const char *attrs)
{
	return ad_call_text(ad_graph_of(x), op, 1, &x, attrs);
}

static ad_node *two(const char *op, ad_node *a, ad_node *b, const char *attrs)
{
	return ad_call_text(ad_graph_of(a), op, 2, (ad_node *[]){ a, b }, attrs);
}

static ad_node *linear(ad_node *x, ad_node *w, ad_node *b)
{
	return ad_call_text(ad_graph_of(x), "linear", b ? 3 : 2, (ad_node *[]){ x, w, b }, NULL);
}

static ad_node *conv2d(ad_node *x, ad_node *w, ad_node *b, const char *attrs)
{
	return ad_call_text(ad_graph_of(x), "conv2d", 3, (ad_node *[]){ x, w, b }, attrs);
}

static ad_node *number(ad_graph *g, double value)
{
	return ad_constant(g, value);
}

/* y = x*x + x*sin(x) + x */
static ad_node *graph_reuse(ad_graph *g, ad_node *const in[], const struct settings *settings)
{
	ad_node *x = in[0];

	return ad_add(ad_add(ad_mul(x, x), ad_mul(x, ad_sin(x))), x);
}

/* c = a*b; d = c+a; e = c-b; y = d*e + c */
static ad_node *graph_diamond(ad_graph *g, ad_node *const in[], const struct settings *settings)
{
	ad_node *c = ad_mul(in[0], in[1]);

	return ad_add(ad_mul(ad_add(c, in[0]), ad_sub(c, in[1])), c);
}

/* n times x = x + 0.002 sin(x) */
static ad_node *graph_chain(ad_graph *g, ad_node *const in[], const struct settings *settings)
{
	ad_node *x = in[0], *rate = number(g, 0.002);

	for (int64_t k = whole(settings, "n", 50); k > 0; k--)
		x = ad_add(x, ad_mul(rate, ad_sin(x)));
	return x;
}

static ad_node *graph_detach(ad_graph *g, ad_node *const in[], const struct settings *settings)
{
	return ad_mul(in[0], ad_stop_gradient(ad_square(in[0])));
}

/* v = x transposed, each second row, without the first column; y = v + the sum of three exp(v), v
 * broadcast. (The corpus says it in words; its numbers say this.) */
static ad_node *graph_strided(ad_graph *g, ad_node *const in[], const struct settings *settings)
{
	ad_node *v = ad_slice(ad_transpose(in[0], 0, 1), AD_INTS(0, 1), AD_INTS(0, 1), AD_ALL,
	                      AD_INTS(2, 1));
	ad_shape shape = ad_shape_of(v);

	shape = AD_SHAPE(3, shape.dims[0], shape.dims[1]);
	return ad_add(ad_sum(ad_exp(ad_expand(v, shape)), AD_INTS(0), false), v);
}

/* x w1 b1 w2 b2 target */
static ad_node *two_layer_net(ad_graph *g, ad_node *const in[], const struct settings *settings)
{
	ad_node *h = ad_sigmoid(linear(in[0], in[1], in[2]));

	return two("cross_entropy", linear(h, in[3], in[4]), in[5], "axis=1");
}

/* x w1 b1 w2 b2 w3 b3 target */
static ad_node *mlp_tanh_mse(ad_graph *g, ad_node *const in[], const struct settings *settings)
{
	ad_node *h = ad_tanh(linear(in[0], in[1], in[2]));

	h = ad_tanh(linear(h, in[3], in[4]));
	return two("mse_loss", linear(h, in[5], in[6]), in[7], NULL);
}

/* x k1 c1 k2 c2 w b target */
static ad_node *lenet_small(ad_graph *g, ad_node *const in[], const struct settings *settings)
{
	ad_node *h = ad_relu(conv2d(in[0], in[1], in[2], "padding=[2,2]"));

	h = one("max_pool2d", h, "kernel=[2,2] stride=[2,2]");
	h = ad_relu(conv2d(h, in[3], in[4], NULL));
	h = one("max_pool2d", h, "kernel=[2,2] stride=[2,2]");
	h = ad_reshape(h, AD_SHAPE(ad_shape_of(h).dims[0], -1));
	return two("cross_entropy", linear(h, in[5], in[6]), in[7], "axis=1");
}

static ad_node *layer_norm(ad_node *x, ad_node *weight)
{
	ad_setting s[] = { { .name = "normalized_shape",
		             .type = AD_INTLIST,
		             .ints = AD_INTS(ad_shape_of(weight).dims[0]) },
		           { .name = "eps", .type = AD_NUM, .r = 1e-5 } };

	return ad_call(ad_graph_of(x), "layer_norm", 2, (ad_node *[]){ x, weight }, 2, s);
}

/* [B, T, 3C] to one of q, k, v as [B, heads, T, C / heads] */
static ad_node *heads_of(ad_node *qkv, int which, int64_t heads)
{
	ad_shape s = ad_shape_of(qkv);
	int64_t width = s.dims[2] / 3;
	ad_node *part =
	    ad_slice(qkv, AD_INTS(2), AD_INTS(which * width), AD_INTS((which + 1) * width), AD_ALL);

	part = ad_reshape(part, AD_SHAPE(s.dims[0], s.dims[1], heads, width / heads));
	return ad_transpose(part, 1, 2);
}

/* x g1 w_qkv w_o g2 w_up w_down */
static ad_node *gpt_block(ad_graph *g, ad_node *const in[], const struct settings *settings)
{
	int64_t heads = whole(settings, "heads", 1);
	ad_shape s = ad_shape_of(in[0]);
	ad_node *x = in[0], *qkv = linear(layer_norm(x, in[1]), in[2], NULL), *part[3], *h;
	ad_setting how[] = { { .name = "causal", .type = AD_FLAG, .b = true } };

	for (int k = 0; k < 3; k++)
		part[k] = heads_of(qkv, k, heads);
	h = ad_call(g, "attention", 3, part, 1, how);
	h = ad_reshape(ad_transpose(h, 1, 2), s);
	x = ad_add(x, linear(h, in[3], NULL));
	h = one("gelu", linear(layer_norm(x, in[4]), in[5], NULL), NULL);
	return ad_add(x, linear(h, in[6], NULL));
}

/* the sum of 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2 */
static ad_node *rosenbrock(ad_graph *g, ad_node *const in[], const struct settings *settings)
{
	ad_node *x = ad_slice(in[0], AD_INTS(0), AD_INTS(0), AD_INTS(-1), AD_ALL);
	ad_node *next = ad_slice(in[0], AD_INTS(0), AD_INTS(1), AD_ALL, AD_ALL);
	ad_node *valley = ad_square(ad_sub(next, ad_square(x)));
	ad_node *terms = ad_add(ad_mul(number(g, 100), valley), ad_square(ad_sub(number(g, 1), x)));

	return ad_sum(terms, AD_ALL, false);
}

/* x target w1 b1 w2 b2: (t - sigmoid(w2 . sigmoid(w1 x + b1) + b2))^2 */
static ad_node *beans_net(ad_graph *g, ad_node *const in[], const struct settings *settings)
{
	ad_node *h = ad_sigmoid(ad_add(ad_mul(in[2], in[0]), in[3]));
	ad_node *y = ad_sigmoid(ad_add(ad_matmul(in[4], h), in[5]));

	return ad_square(ad_sub(in[1], y));
}

net *net_of(const char *name, int *n_in)
{
	static const struct {
		const char *name;
		int n_in;
		net *build;
	} nets[] = {
		{ "graph_reuse", 1, graph_reuse },     { "graph_diamond", 2, graph_diamond },
		{ "graph_chain", 1, graph_chain },     { "graph_detach", 1, graph_detach },
		{ "graph_strided", 1, graph_strided }, { "two_layer_net", 6, two_layer_net },
		{ "mlp_tanh_mse", 8, mlp_tanh_mse },   { "lenet_small", 8, lenet_small },
		{ "gpt_block", 7, gpt_block },         { "rosenbrock", 1, rosenbrock },
		{ "beans_net", 6, beans_net },
	};

	for (size_t k = 0; k < sizeof nets / sizeof *nets; k++)
		if (strcmp(nets[k].name, name) == 0) {
			*n_in = nets[k].n_in;
			return nets[k].build;
		}
	return NULL;
}
