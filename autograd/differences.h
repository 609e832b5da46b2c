/*
 * differences: what the checks of gradients share. Not installed.
 */
#ifndef AUTOGRAD_DIFFERENCES_H
#define AUTOGRAD_DIFFERENCES_H

#include "graph.h"

#define DIFFERENCES_STEP 1e-6
#define DIFFERENCES_ATOL 1e-5
#define DIFFERENCES_RTOL 1e-3

/* Sentences, a line each, in memory of the caller's. Those that find no room are counted. */
struct report {
	char *text;
	size_t size, used;
	size_t wrong, left_out;
	char prefix[256]; /* of every sentence about something wrong */
};

void report_begin(struct report *r, char *text, size_t size);
void report_wrong(struct report *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
void report_note(struct report *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
void report_end(struct report *r);

/* A node that is derived, or derived by, and what a sentence calls it. */
struct item {
	ad_node *node;
	char label[64];
};

struct differences {
	ad_graph *graph; /* f64 */
	struct report *report;
	double step, atol, rtol;
	int order;       /* up to which derivatives are compared */
	size_t compared; /* derivatives, of all orders */
	double largest;  /* error */
};

/* Compares the Jacobians of all of out by all of leaf with central differences, to d->order: the
 * outputs of the next order are the gradients, weighted at random, and the weights are leaves too.
 * What differs is a sentence of the report, and so is a failure of the graph; either gives false.
 * The leaves end as they were. Records nodes, which the caller releases. */
bool compare_with_differences(struct differences *d, size_t n_out, const struct item out[],
                              size_t n_leaf, const struct item leaf[]);

/* A reproducible number in [lo, hi] that is a float: splitmix64 (Steele, Lea and Flood, "Fast
 * splittable pseudorandom number generators", OOPSLA 2014). */
double next_between(uint64_t *state, double lo, double hi);

#endif
