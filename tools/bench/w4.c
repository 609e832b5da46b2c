/*
 * W4: nano-GPT. Embeddings of tokens and positions, 4 blocks of pre-LayerNorm, causal attention of 4
 * heads, GELU MLP, no biases; a last LayerNorm, and the token embedding again as output layer.
 * Vocabulary 65, width 128, context 64, batch 12; gradients clipped to norm 1, AdamW.
 */
#include "bench.h"
#include "common.h"

#include <stdio.h>

struct state {
	const struct w4_data *data;
	ad_graph *g;
	size_t mark;
	ad_optimizer *adamw;
	ad_node *tok, *pos, *norm;
	struct block {
		ad_node *norm1, *qkv, *proj, *norm2, *up, *down;
	} block[W4_L];
};

static ad_node *ones(struct state *s, const char *name)
{
	ad_node *p = bench_param(s->g, name, AD_SHAPE(W4_C), NULL);

	ad_set_item(p, 1);
	return p;
}

/* Only matrices decay. */
static void open_optimizer(struct state *s)
{
	ad_node *norms[2 * W4_L + 1] = { s->norm };
	char text[128];

	for (int l = 0; l < W4_L; l++) {
		norms[1 + 2 * l] = s->block[l].norm1;
		norms[2 + 2 * l] = s->block[l].norm2;
	}
	snprintf(text, sizeof text, "lr=%g betas=[%g,%g] weight_decay=%g", (double)W4_LR, (double)W4_BETA1,
	         (double)W4_BETA2, (double)W4_DECAY);
	s->adamw = ad_optimizer_open(s->g, "adamw", text, 0, NULL);
	ad_optimizer_set(s->adamw, "weight_decay=0", 2 * W4_L + 1, norms);
	ad_optimizer_set_clip(s->adamw, (double)W4_CLIP);
	bench_require(s->g);
}

static void *open(int threads)
{
	struct state *s = bench_alloc(1, sizeof *s);
	const struct w4_data *d = s->data = w4_data();

	s->g = ad_open();
	ad_set_threads(threads);
	s->tok = bench_param(s->g, "tok", AD_SHAPE(W4_V, W4_C), d->tok);
	s->pos = bench_param(s->g, "pos", AD_SHAPE(W4_T, W4_C), d->pos);
	for (int l = 0; l < W4_L; l++) {
		struct block *b = &s->block[l];

		b->norm1 = ones(s, "norm1");
		b->qkv = bench_param(s->g, "qkv", AD_SHAPE(3 * W4_C, W4_C), d->block[l].qkv);
		b->proj = bench_param(s->g, "proj", AD_SHAPE(W4_C, W4_C), d->block[l].proj);
		b->norm2 = ones(s, "norm2");
		b->up = bench_param(s->g, "up", AD_SHAPE(4 * W4_C, W4_C), d->block[l].up);
		b->down = bench_param(s->g, "down", AD_SHAPE(W4_C, 4 * W4_C), d->block[l].down);
	}
	s->norm = ones(s, "norm");
	open_optimizer(s);
	s->mark = ad_mark(s->g);
	return s;
}

static ad_node *normalize(ad_node *x, ad_node *weight)
{
	return ad_layer_norm(x, weight, NULL, AD_INTS(W4_C), 1e-5);
}

static ad_node *record_block(const struct block *b, ad_node *x)
{
	ad_node *h = normalize(x, b->norm1);

	x = ad_add(x, ad_multi_head_attention(h, b->qkv, NULL, b->proj, NULL, W4_H, true));
	h = ad_gelu(ad_linear(normalize(x, b->norm2), b->up, NULL), "none");
	return ad_add(x, ad_linear(h, b->down, NULL));
}

static double step(void *context, int i)
{
	struct state *s = context;
	ad_graph *g = s->g;
	ad_node *x, *t, *h, *loss;

	ad_release(g, s->mark);
	x = ad_input(g, "x", AD_I32, AD_SHAPE(W4_B, W4_T));
	t = ad_input(g, "t", AD_I32, AD_SHAPE(W4_B, W4_T));
	ad_set_i32(x, s->data->x[i % W4_BATCHES], W4_B * W4_T);
	ad_set_i32(t, s->data->t[i % W4_BATCHES], W4_B * W4_T);

	h = ad_add(ad_embedding(s->tok, x), s->pos);
	for (int l = 0; l < W4_L; l++)
		h = record_block(&s->block[l], h);
	loss = ad_cross_entropy(ad_linear(normalize(h, s->norm), s->tok, NULL), t);
	ad_backward(loss);
	ad_optimizer_step(s->adamw);
	bench_require(g);
	return ad_item(loss);
}

static void *open_bf16(int threads)
{
	struct state *s = open(threads);

	bench_bf16(s->g);
	return s;
}

const struct system w4_autograd = { open, step, NULL }, w4_bf16 = { open_bf16, step, NULL };
