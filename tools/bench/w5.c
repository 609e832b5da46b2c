/*
 * W5: an LSTM (64 inputs, 128 units, batch 16) over a sequence of another length each step, recorded
 * cell by cell from ordinary ops; cross-entropy of a linear layer on the last output; SGD.
 */
#include "bench.h"
#include "common.h"

struct state {
	const struct w5_data *data;
	ad_graph *g;
	size_t mark;
	ad_optimizer *sgd;
	ad_node *wx, *wh, *b, *wo, *bo, *zero;
};

static void *open(int threads)
{
	struct state *s = bench_alloc(1, sizeof *s);
	ad_graph *g = s->g = ad_open();

	ad_set_threads(threads);
	s->data = w5_data();
	s->wx = bench_param(g, "wx", AD_SHAPE(4 * W5_H, W5_I), s->data->wx);
	s->wh = bench_param(g, "wh", AD_SHAPE(4 * W5_H, W5_H), s->data->wh);
	s->b = bench_param(g, "b", AD_SHAPE(4 * W5_H), NULL);
	s->wo = bench_param(g, "wo", AD_SHAPE(CLASSES, W5_H), s->data->wo);
	s->bo = bench_param(g, "bo", AD_SHAPE(CLASSES), NULL);
	s->zero = ad_buffer(g, "zero", AD_REAL, AD_SHAPE(W5_B, W5_H));
	s->sgd = ad_optimizer_open(g, "sgd", "lr=0.1", 0, NULL);
	bench_require(g);
	s->mark = ad_mark(g);
	return s;
}

/* One cell: *h and *c become those after x. */
static void cell(const struct state *s, ad_node *x, ad_node **h, ad_node **c)
{
	ad_node *sums = ad_add(ad_linear(x, s->wx, s->b), ad_linear(*h, s->wh, NULL));
	ad_node *gates = ad_chunk(sums, 4, 1);
	ad_node *i = ad_sigmoid(ad_output(gates, 0)), *f = ad_sigmoid(ad_output(gates, 1));
	ad_node *g = ad_tanh(ad_output(gates, 2)), *o = ad_sigmoid(ad_output(gates, 3));

	*c = ad_add(ad_mul(f, *c), ad_mul(i, g));
	*h = ad_mul(o, ad_tanh(*c));
}

static double step(void *context, int i)
{
	struct state *s = context;
	int k = i % W5_SEQUENCES;
	ad_graph *g = s->g;
	ad_node *h = s->zero, *c = s->zero, *t, *loss;

	ad_release(g, s->mark);
	for (int n = 0; n < s->data->length[k]; n++) {
		ad_node *x = ad_input(g, "x", AD_REAL, AD_SHAPE(W5_B, W5_I));

		ad_set_f32(x, s->data->x[k] + n * W5_B * W5_I, W5_B * W5_I);
		cell(s, x, &h, &c);
	}
	t = ad_input(g, "t", AD_I32, AD_SHAPE(W5_B));
	ad_set_i32(t, s->data->t[k], W5_B);
	loss = ad_cross_entropy(ad_linear(h, s->wo, s->bo), t);
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

const struct system w5_autograd = { open, step, NULL }, w5_bf16 = { open_bf16, step, NULL };
