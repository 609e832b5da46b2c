/*
 * optimizer: what the workloads of this project share: params, and AdamW with clipping, which the library's
 * optimizers do not have.
 */
#ifndef BENCH_OPTIMIZER_H
#define BENCH_OPTIMIZER_H

#include "autograd_model.h"

/* A param of that shape with these values (NULL: 0). */
ad_node *bench_param(ad_graph *g, const char *name, ad_shape shape, const float *values);

/* Ends the program with the graph's message if there is a failure. */
void bench_require(ad_graph *g);

/* Products in bf16 from now on. Where they cannot be, says so to bench.c and ends the program. */
void bench_bf16(ad_graph *g);

enum { CLIPPED_PARAMS = 32 };

/* AdamW whose gradients, all together, have a norm of at most `clip`. f32. */
struct clipped {
	float lr, beta1, beta2, clip;
	long t;
	int n;
	struct {
		ad_node *param;
		float decay, *m, *v;
	} of[CLIPPED_PARAMS];
};

/* Returns the param, which the optimizer moves from now on. */
ad_node *clipped_add(struct clipped *o, ad_node *param, float decay);

/* Moves all params by their gradients, after ad_backward. */
void clipped_step(struct clipped *o);

#endif
