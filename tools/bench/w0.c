/*
 * W0: a 2-16-16-1 net (tanh) of single numbers, each scalar op a node, 100 samples, mean squared error, f64.
 * The time is of recording and of the two sweeps.
 */
#include "bench.h"
#include "common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct state {
	const struct w0_data *data;
	ad_graph *g;
	size_t mark;
	ad_node *params[W0_PARAMS];
};

static void *open(int threads)
{
	struct state *s = bench_alloc(1, sizeof *s);

	s->data = w0_data();
	s->g = ad_open_f64();
	for (int k = 0; k < W0_PARAMS; k++) {
		s->params[k] = ad_param(s->g, "w", AD_SCALAR);
		ad_set_item(s->params[k], s->data->params[k]);
	}
	s->mark = ad_mark(s->g);
	return s;
}

/* The output of the net for one sample. */
static ad_node *net(ad_node *const *w, ad_node *x0, ad_node *x1)
{
	static const int widths[] = { 2, 16, 16, 1 };
	ad_node *x[16] = { x0, x1 }, *y[16];

	for (int l = 0; l < 3; l++) {
		int in = widths[l], out = widths[l + 1];

		for (int j = 0; j < out; j++, w += in + 1) {
			y[j] = w[in];
			for (int i = 0; i < in; i++)
				y[j] = ad_add(y[j], ad_mul(w[i], x[i]));
			if (l < 2)
				y[j] = ad_tanh(y[j]);
		}
		memcpy(x, y, (size_t)out * sizeof *x);
	}
	return x[0];
}

static double step(void *context, int i)
{
	struct state *s = context;
	ad_graph *g = s->g;
	ad_node *sum = NULL, *loss;

	ad_release(g, s->mark);
	for (int k = 0; k < W0_SAMPLES; k++) {
		const double *x = s->data->x[k];
		ad_node *y = net(s->params, ad_constant(g, x[0]), ad_constant(g, x[1]));
		ad_node *error = ad_square(ad_sub(y, ad_constant(g, s->data->t[k])));

		sum = sum ? ad_add(sum, error) : error;
	}
	loss = ad_mul(sum, ad_constant(g, 1.0 / W0_SAMPLES));
	if (i == 0 && ad_nodes(g) != W0_NODES) {
		fprintf(stderr, "bench: W0 has %zu nodes, not %d\n", ad_nodes(g), W0_NODES);
		exit(1);
	}
	ad_backward(loss);
	bench_require(g);
	return ad_item(loss);
}

static void update(void *context)
{
	struct state *s = context;

	for (int k = 0; k < W0_PARAMS; k++) {
		ad_node *p = s->params[k];

		ad_set_item(p, ad_item(p) - W0_LR * ad_item(ad_gradient(p)));
	}
	bench_require(s->g);
}

const struct system w0_autograd = { open, step, update };
