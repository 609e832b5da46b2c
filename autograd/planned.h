/*
 * planned: how the last evaluation of a graph was carried out, for pictures of it. Not installed.
 */
#ifndef AUTOGRAD_PLANNED_H
#define AUTOGRAD_PLANNED_H

#include "autograd.h"

/* A node in the plan of the last evaluation. */
struct planned {
	uint32_t action;  /* what one pass does: equal for nodes computed together; 0: not computed */
	bool nothing;     /* nothing was done for it: a view, or an addition that another op does */
	bool tile;        /* it exists only in pieces, inside its action */
	bool kept;        /* it can be read afterwards: no other value takes its memory */
	size_t offset, bytes; /* of its memory; equal offsets of values not kept: it is shared, in turn */
	double seconds;   /* of the whole action, of one evaluation; 0: not measured */
};

/* Fills nodes[k] for node number k of the graph, of which there are ad_nodes(g). False: nothing was
 * evaluated yet. Reading a value that was not kept is an evaluation, too: look at the plan before. */
bool planned_nodes(const ad_graph *g, struct planned *nodes);

/* Whether a sweep recorded the node; then its op is the one whose kernel it runs, the gradient of "mul"
 * being a "mul" where the op's own grad recorded it. kernel: it is the backward kernel of that op. */
bool swept_node(const ad_node *x, const char **op, bool *kernel);

#endif
