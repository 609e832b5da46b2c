/*
 * W7: a 1-2-1 sigmoid net, squared error, one sample a step, SGD, each scalar op a node, f64.
 */
#include "bench.h"
#include "common.h"

struct state {
	const struct w7_data *data;
	ad_graph *g;
	size_t mark;
	ad_node *w[7];
};

static void *open(int threads)
{
	struct state *s = bench_alloc(1, sizeof *s);

	s->data = w7_data();
	s->g = ad_open_f64();
	for (int k = 0; k < 7; k++) {
		s->w[k] = ad_param(s->g, "w", AD_SCALAR);
		ad_set_item(s->w[k], s->data->params[k]);
	}
	s->mark = ad_mark(s->g);
	return s;
}

static double step(void *context, int i)
{
	struct state *s = context;
	ad_graph *g = s->g;
	ad_node *const *w = s->w, *x, *h0, *h1, *y, *loss;

	ad_release(g, s->mark);
	x = ad_constant(g, s->data->x[i % W7_SAMPLES]);
	h0 = ad_sigmoid(ad_add(ad_mul(w[0], x), w[2]));
	h1 = ad_sigmoid(ad_add(ad_mul(w[1], x), w[3]));
	y = ad_sigmoid(ad_add(ad_add(ad_mul(w[4], h0), ad_mul(w[5], h1)), w[6]));
	loss = ad_square(ad_sub(y, ad_constant(g, s->data->t[i % W7_SAMPLES])));
	ad_backward(loss);
	for (int k = 0; k < 7; k++)
		ad_set_item(w[k], ad_item(w[k]) - W7_LR * ad_item(ad_gradient(w[k])));
	bench_require(g);
	return ad_item(loss);
}

const struct system w7_autograd = { open, step, NULL };
