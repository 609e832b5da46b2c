/*
 * bench: a workload is a net and what trains it (README.md); a system is one way of doing its steps.
 */
#ifndef BENCH_H
#define BENCH_H

#include "data.h"

struct system {
	/* Params, data and buffers of a fresh run on that many threads. Systems end the program on
	 * failure. */
	void *(*open)(int threads);
	/* Step i, from 0: forward, loss, backward and update. Returns the loss, or of a net that does not
	 * train what tells its result. */
	double (*step)(void *context, int i);
	/* NULL, or what belongs to a step but not to its time. */
	void (*update)(void *context);
};

extern const struct system w0_autograd, w1_autograd, w2_autograd, w3_autograd, w4_autograd, w5_autograd,
    w6_autograd, w7_autograd, start_autograd;
/* The same with products in bf16. */
extern const struct system w1_bf16, w2_bf16, w4_bf16, w5_bf16;
extern const struct system w0_floor, w1_floor, w2_floor, w3_floor, w4_floor, w5_floor, w6_floor, w7_floor,
    start_floor;

struct workload {
	const char *name;
	int threads;      /* the most it is run with */
	int together;     /* a repetition has a multiple of so many steps */
	int compared;     /* losses of the first steps; last and mean must agree between all systems */
	double tolerance; /* relative */
	int nodes;        /* of the graph of a step, where the time of each is of interest, else 0 */
	const struct system *autograd, *floor, *bf16; /* bf16: NULL where it has none */
};

/* A process of one system: says `ready MEAN LAST` (losses of the first steps) when warm, answers each
 * line `run` with the microseconds of a step, averaged over some `seconds`, and ends with its input. */
int bench_child(const struct workload *w, const struct system *s, int threads, double seconds);

#endif
