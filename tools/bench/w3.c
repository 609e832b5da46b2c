/*
 * W3: LeNet. 1x28x28, convolution 6@5x5 padded by 2, ReLU, max-pooling by 2, convolution 16@5x5, ReLU,
 * max-pooling by 2, 400-120-84-10, batch 64, SGD with momentum.
 */
#include "bench.h"
#include "common.h"

struct state {
	const struct w3_data *data;
	ad_graph *g;
	size_t mark;
	ad_optimizer *sgd;
	ad_node *conv1, *conv1_b, *conv2, *conv2_b, *fc1, *fc1_b, *fc2, *fc2_b, *fc3, *fc3_b;
};

static void *open(int threads)
{
	struct state *s = bench_alloc(1, sizeof *s);
	const struct w3_data *d = s->data = w3_data();
	ad_graph *g = s->g = ad_open();

	ad_set_threads(threads);
	s->conv1 = bench_param(g, "conv1", AD_SHAPE(W3_CONV1, 1, W3_K, W3_K), d->conv1);
	s->conv1_b = bench_param(g, "conv1_b", AD_SHAPE(W3_CONV1), d->conv1_b);
	s->conv2 = bench_param(g, "conv2", AD_SHAPE(W3_CONV2, W3_CONV1, W3_K, W3_K), d->conv2);
	s->conv2_b = bench_param(g, "conv2_b", AD_SHAPE(W3_CONV2), d->conv2_b);
	s->fc1 = bench_param(g, "fc1", AD_SHAPE(W3_FC1, W3_FLAT), d->fc1);
	s->fc1_b = bench_param(g, "fc1_b", AD_SHAPE(W3_FC1), d->fc1_b);
	s->fc2 = bench_param(g, "fc2", AD_SHAPE(W3_FC2, W3_FC1), d->fc2);
	s->fc2_b = bench_param(g, "fc2_b", AD_SHAPE(W3_FC2), d->fc2_b);
	s->fc3 = bench_param(g, "fc3", AD_SHAPE(CLASSES, W3_FC2), d->fc3);
	s->fc3_b = bench_param(g, "fc3_b", AD_SHAPE(CLASSES), d->fc3_b);
	s->sgd = ad_optimizer_open(g, "sgd", "lr=0.01 momentum=0.9", 0, NULL);
	bench_require(g);
	s->mark = ad_mark(g);
	return s;
}

static ad_node *halve(ad_node *x)
{
	return ad_max_pool2d(x, AD_INTS(2), AD_INTS(2), AD_INTS(0), AD_INTS(1), false);
}

static ad_node *convolve(ad_node *x, ad_node *w, ad_node *b, int64_t padding)
{
	return ad_conv2d(x, w, b, AD_INTS(1), AD_INTS(padding), AD_INTS(1), 1);
}

static double step(void *context, int i)
{
	struct state *s = context;
	ad_graph *g = s->g;
	ad_node *x, *t, *h, *loss;

	ad_release(g, s->mark);
	x = ad_input(g, "x", AD_REAL, AD_SHAPE(W3_BATCH, 1, 28, 28));
	t = ad_input(g, "t", AD_I32, AD_SHAPE(W3_BATCH));
	ad_set_f32(x, s->data->x[i % BATCHES], W3_BATCH * PIXELS);
	ad_set_i32(t, s->data->t[i % BATCHES], W3_BATCH);

	h = halve(ad_relu(convolve(x, s->conv1, s->conv1_b, 2)));
	h = halve(ad_relu(convolve(h, s->conv2, s->conv2_b, 0)));
	h = ad_reshape(h, AD_SHAPE(W3_BATCH, W3_FLAT));
	h = ad_relu(ad_linear(h, s->fc1, s->fc1_b));
	h = ad_relu(ad_linear(h, s->fc2, s->fc2_b));
	loss = ad_cross_entropy(ad_linear(h, s->fc3, s->fc3_b), t);
	ad_backward(loss);
	ad_optimizer_step(s->sgd);
	bench_require(g);
	return ad_item(loss);
}

const struct system w3_autograd = { open, step, NULL };
