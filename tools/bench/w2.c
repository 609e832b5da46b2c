/*
 * W2: 784-512-256-10, ReLU, softmax cross-entropy, batch 128, Adam.
 */
#include "bench.h"
#include "optimizer.h"

struct state {
	const struct w2_data *data;
	ad_graph *g;
	size_t mark;
	struct optimizer adam;
	ad_node *w1, *b1, *w2, *b2, *w3, *b3;
};

static void *open(int threads)
{
	struct state *s = bench_alloc(1, sizeof *s);
	struct optimizer *o = &s->adam;
	ad_graph *g = s->g = ad_open();

	ad_set_threads(threads);
	s->data = w2_data();
	o->lr = W2_LR;
	o->beta1 = 0.9f;
	o->beta2 = 0.999f;
	s->w1 = optimizer_param(o, g, "w1", AD_SHAPE(W2_HIDDEN1, PIXELS), s->data->w1, 0);
	s->b1 = optimizer_param(o, g, "b1", AD_SHAPE(W2_HIDDEN1), NULL, 0);
	s->w2 = optimizer_param(o, g, "w2", AD_SHAPE(W2_HIDDEN2, W2_HIDDEN1), s->data->w2, 0);
	s->b2 = optimizer_param(o, g, "b2", AD_SHAPE(W2_HIDDEN2), NULL, 0);
	s->w3 = optimizer_param(o, g, "w3", AD_SHAPE(CLASSES, W2_HIDDEN2), s->data->w3, 0);
	s->b3 = optimizer_param(o, g, "b3", AD_SHAPE(CLASSES), NULL, 0);
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
	bench_require(g);
	optimizer_step(&s->adam);
	return ad_item(loss);
}

const struct system w2_autograd = { open, step, NULL };
