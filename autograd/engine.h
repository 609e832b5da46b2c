/*
 * engine: what the rest of the library uses of the engine beside its public header. Not installed.
 */
#ifndef AUTOGRAD_ENGINE_H
#define AUTOGRAD_ENGINE_H

#include "autograd.h"

/* ---- graph.c -------------------------------------------------------------------------------- */

/* The instruction set of the graph's kernels: the AD_LEVEL of their variants. */
int instruction_level(const ad_graph *g);

/* Random ops are counted from 0 again, as by ad_seed, with the seed that there is. */
void restart_random(ad_graph *g);

/* ---- attrs.c ---------------------------------------------------------------------------------- */

/* Settings as text, "axis=1 shape=[2,3]", for ad_fill_attrs. What they hold lies in the struct. */
struct settings {
	size_t n;
	ad_setting of[8];
	char names[8][64];
	struct numbers { /* of one value: a list, or a word */
		int64_t i[256];
		double r[256];
		char word[64];
	} room[8];
};
bool read_settings(const char *text, struct settings *to, char *message, size_t n);

/* ---- pool.c ------------------------------------------------------------------------------------ */

/* Calls fn(context, i) for every i in 0..n-1, on several threads; returns when all are done. */
void pool_run(size_t n, void (*fn)(void *context, size_t i), void *context);

/* Between these two calls, if flush, what is smaller than the smallest normal number is zero in this
 * thread, and in the others while they run pieces for it: such numbers cost 10 to 100 times as much.
 * fp_leave takes what fp_enter returned. */
uint64_t fp_enter(bool flush);
void fp_leave(uint64_t mode);

#endif
