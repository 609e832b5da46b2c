/*
 * common: what the workloads of this project share: params, failures, precision.
 */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include "autograd_model.h"

/* A param of that shape with these values (NULL: 0). */
ad_node *bench_param(ad_graph *g, const char *name, ad_shape shape, const float *values);

/* Ends the program with the graph's message if there is a failure. */
void bench_require(ad_graph *g);

/* Products in bf16 from now on. Where they cannot be, says so to bench.c and ends the program. */
void bench_bf16(ad_graph *g);

#endif
