/*
 * optimizer: SGD, SGD with momentum, and AdamW (Adam where nothing decays) over params of a graph, f32.
 */
#ifndef BENCH_OPTIMIZER_H
#define BENCH_OPTIMIZER_H

#include "autograd.h"

enum { OPTIMIZER_PARAMS = 64 };

struct optimizer {
	float lr, momentum;
	float beta1, beta2; /* beta2 of 0: SGD */
	float clip;         /* the most that the norm of all gradients may be; 0: any */
	long t;
	int n;
	struct {
		ad_node *param;
		float decay, *m, *v; /* v: of AdamW only */
	} of[OPTIMIZER_PARAMS];
};

/* A param of that shape with these values (NULL: 0), which the optimizer moves. */
ad_node *optimizer_param(struct optimizer *o, ad_graph *g, const char *name, ad_shape shape, const float *values,
                         float decay);

/* Moves all params by their gradients, after ad_backward. */
void optimizer_step(struct optimizer *o);

/* Ends the program with the graph's message if there is a failure. */
void bench_require(ad_graph *g);

#endif
