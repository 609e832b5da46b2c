/*
 * W2: 784-512-256-10, ReLU, softmax cross-entropy, batch 128, Adam.
 */
#include "bench.h"
#include "common.h"

struct state {
	const struct w2_data *data;
	ad_graph *g;
	size_t mark;
	ad_optimizer *adam;
	ad_node *w1, *b1, *w2, *b2, *w3, *b3;
};

static void *open(int threads)
{
	struct state *s = bench_alloc(1, sizeof *s);
	ad_graph *g = s->g = ad_open();

	ad_set_threads(threads);
	s->data = w2_data();
	s->w1 = bench_param(g, "w1", AD_SHAPE(W2_HIDDEN1, PIXELS), s->data->w1);
	s->b1 = bench_param(g, "b1", AD_SHAPE(W2_HIDDEN1), NULL);
	s->w2 = bench_param(g, "w2", AD_SHAPE(W2_HIDDEN2, W2_HIDDEN1), s->data->w2);
	s->b2 = bench_param(g, "b2", AD_SHAPE(W2_HIDDEN2), NULL);
	s->w3 = bench_param(g, "w3", AD_SHAPE(CLASSES, W2_HIDDEN2), s->data->w3);
	s->b3 = bench_param(g, "b3", AD_SHAPE(CLASSES), NULL);
	s->adam = ad_optimizer_open(g, "adam", "lr=1e-3", 0, NULL);
	bench_require(g);
	s->mark = ad_mark(g);
	return s;
}

static double step(void *context, int i)
{
	struct state *s = context;
	ad_graph *g = s->g;
	ad_node *x, *t, *h, *loss;

	ad_release(g, s->mark);
	x = ad_input(g, "x", AD_REAL, AD_SHAPE(W2_BATCH, PIXELS));
	t = ad_input(g, "t", AD_I32, AD_SHAPE(W2_BATCH));
	ad_set_f32(x, s->data->x[i % BATCHES], W2_BATCH * PIXELS);
	ad_set_i32(t, s->data->t[i % BATCHES], W2_BATCH);

	h = ad_relu(ad_linear(x, s->w1, s->b1));
	h = ad_relu(ad_linear(h, s->w2, s->b2));
	loss = ad_cross_entropy(ad_linear(h, s->w3, s->b3), t);
	ad_backward(loss);
	ad_optimizer_step(s->adam);
	bench_require(g);
	return ad_item(loss);
}

static void *open_bf16(int threads)
{
	struct state *s = open(threads);

	bench_bf16(s->g);
	return s;
}

const struct system w2_autograd = { open, step, NULL }, w2_bf16 = { open_bf16, step, NULL };
