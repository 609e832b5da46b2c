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

typedef enum {
	AD_DRAW_DOT, /* for the program dot */
	AD_DRAW_TEXT, /* a tree with bars, for terminals and logs; UTF-8 */
	AD_DRAW_JSON  /* {"nodes": [...], "edges": [...], ...} */
} ad_draw_form;

typedef enum { AD_ARROWS_BACKWARD, AD_ARROWS_FORWARD, AD_ARROWS_BOTH } ad_draw_arrows;

/* What the numbers at gradients are. */
typedef enum {
	AD_STAT_RMS,
	AD_STAT_MAX,  /* the largest size of an element */
	AD_STAT_RATIO /* of params rate * rms(gradient) / rms(value); of edges the rms */
} ad_draw_stat;

/* Classes of gradients, for `only`. */
typedef enum {
	AD_CLASS_NONE,      /* none wanted */
	AD_CLASS_NORMAL,
	AD_CLASS_WEAK,      /* under 1/30 of the reference */
	AD_CLASS_STRONG,    /* over 10 */
	AD_CLASS_LOST,      /* an update under half an ulp: rate * rms(gradient) < 2^-25 rms(value) */
	AD_CLASS_VANISHING, /* under 1/1000 */
	AD_CLASS_ZERO,      /* every element exactly 0 */
	AD_CLASS_EXPLODING, /* over 100 */
	AD_CLASS_NAN,       /* an element is NaN or infinite */
	AD_CLASSES
} ad_class;

/* A scope that is one thing to a reader, whatever ops it is made of: "block[0].attn", "attention". */
typedef struct {
	const char *path; /* names of scopes from the outermost one in, joined by dots */
	const char *kind;
} ad_draw_layer;

/* Of the elements of an array; of one with a NaN or an infinity rms, mean and max are not finite. */
typedef struct {
	double rms, mean, max, zeros; /* max: the largest size; zeros: the share of exact ones */
} ad_draw_statistic;

/* What a step's gradients were, of which only this is known: the graph gives the structure alone. */
typedef struct {
	void *context;
	/* What input `input` of the op x contributed to that input's gradient; input -1: the gradient of x. False:
	 * not known. */
	bool (*gradient)(void *context, ad_node *x, int input, ad_draw_statistic *to);
	bool (*value)(void *context, ad_node *x, ad_draw_statistic *to);
	/* How far the step moved the param x: rms of its change over its own. May be NULL. */
	bool (*update)(void *context, ad_node *x, double *ratio);
	double loss, reference; /* rms of the gradient of the options' reference; NaN: not known */
	double rows;            /* that the reference had */
	ad_node *first_nan;     /* the node that made the first NaN or infinity; NULL: none */
} ad_draw_record;

typedef struct {
	ad_view view;
	bool gradients;     /* draw them: the graph was evaluated by ad_backward after ad_keep_all */
	const char *title;  /* "digits-mlp" */
	int64_t step;       /* in the title; -1: leave out */
	ad_node *reference; /* colour classes compare with its gradient's rms (the logits), and inputs
	                     * that it does not depend on are targets; NULL: no classes by size */

	/* How much of a large graph: modules are opened, outermost first, while there are at most
	 * 300 boxes, layers stay closed unless all is small, and of many equal modules in a row
	 * ("block[0]", "block[1]", ...) one box with a strip is drawn. */
	const ad_draw_layer *layers;
	size_t n_layers;
	const char *const *open; /* paths of modules to open whatever the room */
	size_t n_open;
	int depth; /* opens that many levels, 1: only the outermost; 0: while there is room */
	bool all;  /* opens everything */
	bool no_fold; /* a layer and what only follows it, conv2d + batch_norm + relu, stay apart; else they
	               * are one node in a picture of more than 50 */

	/* Which part of it; paths are those of modules, of named nodes, or "MODULE.OP". */
	const char *around; /* a path, and what is at most `radius` ops from it */
	int radius;
	const char *from, *to; /* what lies on a way from one to the other; both or neither */
	const char *module;    /* what is inside it, modules in it closed, and what it is joined to */
	unsigned only;         /* 1 << class of each gradient to show, with two ops on each side; 0: all */

	ad_draw_form form;
	ad_draw_arrows arrows;
	ad_draw_stat stat;
	double rate; /* the learning rate, for AD_STAT_RATIO and AD_CLASS_LOST; 0: unknown */
	bool mono;   /* widths and dashes tell the classes, not colours */
	const char *note; /* a sentence under the title */

	/* Where a click on a module leads, "m17.html"; NULL: nowhere. It needs no escapes. */
	const char *(*link)(void *context, const char *path);
	void *link_context;

	const ad_draw_record *record; /* NULL: what ad_backward has left in the graph */
	const ad_draw_record *before; /* draw the change from this to record, as factors; classes are then
	                               * over 10 times as large (exploding), over 2 times (strong), within 2
	                               * (normal), under 1/2 (weak), under 1/10 (vanishing) */
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
