/*
 * edges: the uses of inputs by the ops of a graph, under keys that other recordings of the same model share,
 * whatever their sizes; and what is told of the elements of an array. Not installed.
 */
#ifndef AUTOGRAD_EDGES_H
#define AUTOGRAD_EDGES_H

#include "autograd.h"

/* Input `input` of the op `node`; or, with input -1, the node itself, where what its uses contribute is
 * added up: those used other than once. */
struct edge {
	ad_node *node;
	int input;
	uint32_t depth; /* of the innermost scope around both ends, 0: the graph; of leaves the user's */
	char *key;      /* "block[3].attention.softmax:0"; the second op of a name: "block[3].add#1:0" */
};

struct edges {
	size_t n;
	struct edge *of;
	char *text; /* the keys */
};

/* Lists all edges below y, in the order of recording. False: no memory. */
bool edges_list(ad_node *y, struct edges *to);
void edges_free(struct edges *e);

/* Of the elements of an array of reals: root mean square, mean, largest size, share of exact zeros. A NaN
 * among them makes the first three NaN, else an infinity makes them infinite. A mean that is within the rounding
 * of one element is 0. */
struct measure {
	double rms, mean, max, zeros;
};
struct measure measure_f32(const float *v, size_t n);
struct measure measure_f64(const double *v, size_t n);

/* The same of a node's value; false: it has none, or is no array of reals. */
bool measure_node(ad_node *x, struct measure *to);

#endif
