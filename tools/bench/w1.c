/*
 * W1: 784-100-10, sigmoid, softmax cross-entropy, batch 100, SGD.
 */
#include "bench.h"
#include "common.h"

struct state {
	const struct w1_data *data;
	ad_graph *g;
	size_t mark;
	ad_optimizer *sgd;
	ad_node *w1, *b1, *w2, *b2;
};

static void *open(int threads)
{
	struct state *s = bench_alloc(1, sizeof *s);
	ad_graph *g = s->g = ad_open();

	ad_set_threads(threads);
	s->data = w1_data();
	s->w1 = bench_param(g, "w1", AD_SHAPE(W1_HIDDEN, PIXELS), s->data->w1);
	s->b1 = bench_param(g, "b1", AD_SHAPE(W1_HIDDEN), NULL);
	s->w2 = bench_param(g, "w2", AD_SHAPE(CLASSES, W1_HIDDEN), s->data->w2);
	s->b2 = bench_param(g, "b2", AD_SHAPE(CLASSES), NULL);
	s->sgd = ad_optimizer_open(g, "sgd", "lr=0.1", 0, NULL);
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
	x = ad_input(g, "x", AD_REAL, AD_SHAPE(W1_BATCH, PIXELS));
	t = ad_input(g, "t", AD_I32, AD_SHAPE(W1_BATCH));
	ad_set_f32(x, s->data->x[i % BATCHES], W1_BATCH * PIXELS);
	ad_set_i32(t, s->data->t[i % BATCHES], W1_BATCH);

	h = ad_sigmoid(ad_linear(x, s->w1, s->b1));
	loss = ad_cross_entropy(ad_linear(h, s->w2, s->b2), t);
	ad_backward(loss);
	ad_optimizer_step(s->sgd);
	bench_require(g);
	return ad_item(loss);
}

static void *open_bf16(int threads)
{
	struct state *s = open(threads);

	bench_bf16(s->g);
	return s;
}

const struct system w1_autograd = { open, step, NULL }, w1_bf16 = { open_bf16, step, NULL };
