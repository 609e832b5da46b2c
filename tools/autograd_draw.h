/*
 * autograd_draw: a graph and its gradients as a diagram in the DOT language.
 */
#ifndef AUTOGRAD_DRAW_H
#define AUTOGRAD_DRAW_H

#include "autograd.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default) /* the library is built with all else hidden */
#endif

typedef enum {
	AD_VIEW_AUTO,    /* circuit where every node is a single number and there are at most 60, else flow */
	AD_VIEW_CIRCUIT, /* the value above each wire, the gradient below */
	AD_VIEW_FLOW     /* one node an op, layers as frames, arrows the way the gradient flows */
} ad_view;

typedef struct {
	ad_view view;
	bool gradients;     /* draw them: the graph was evaluated by ad_backward after ad_keep_all */
	const char *title;  /* "digits-mlp" */
	int64_t step;       /* in the title; -1: leave out */
	ad_node *reference; /* colour classes compare with its gradient's rms (the logits), and inputs
	                     * that it does not depend on are targets; NULL: no classes by size */
} ad_draw_options;

/* Writes the part of y's graph that y depends on as DOT. The same graph gives the same bytes. Returns
 * false with a sentence in error. */
bool ad_draw(ad_node *y, const ad_draw_options *o, FILE *to, char *error, size_t n);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
