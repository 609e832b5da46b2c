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
	AD_VIEW_AUTO,    /* circuit where there are at most 60 nodes and each is a single number, or values are
	                  * asked for, and no part is chosen; else flow */
	AD_VIEW_CIRCUIT, /* the value above each wire, the gradient below; always of the whole graph */
	AD_VIEW_FLOW     /* one node an op, layers as frames, arrows the way the gradient flows */
} ad_view;

typedef enum {
	AD_DRAW_DOT, /* for the program dot */
	AD_DRAW_TEXT, /* a tree with bars, for terminals and logs; UTF-8 */
	AD_DRAW_JSON  /* {"nodes": [...], "edges": [...], ...} */
} ad_draw_form;

/* What is drawn. */
typedef enum {
	AD_DRAW_GRAPH, /* what y depends on */
	AD_DRAW_SWEEP, /* the reverse sweep that ad_backward recorded: its ops, what they read of the forward
	                * pass, whose gradients they make; numbers after ad_keep_all alone */
	AD_DRAW_PLAN   /* how the last evaluation went, the sweep in it too: a frame around what ran together,
	                * equal numbers (m3) where values share memory in turn, times if ad_profile was on */
} ad_draw_what;

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

/* Where the classes by size begin, against the reference; 0: 1/1000, 1/30, 10, 100. They go up. */
typedef struct {
	double vanishing, weak, strong, exploding;
} ad_draw_thresholds;

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
	ad_draw_what what;
	ad_view view;
	bool values;        /* the size (rms) of each value too; small arrays in a circuit in full */
	bool gradients;     /* draw them: the graph was evaluated by ad_backward after ad_keep_all */
	const char *title;  /* "digits-mlp" */
	int64_t step;       /* in the title; -1: leave out */
	ad_node *reference; /* colour classes compare with its gradient's rms (the logits), and inputs
	                     * that it does not depend on are targets; NULL: no classes by size */

	/* How much of a large graph: modules are opened, outermost first, while there are at most
	 * max_nodes boxes, layers stay closed unless all is small, and of many equal modules in a row
	 * ("block[0]", "block[1]", ...) one box with a strip is drawn. */
	const ad_draw_layer *layers;
	size_t n_layers;
	const char *const *open; /* paths of modules to open whatever the room */
	size_t n_open;
	int depth; /* opens that many levels, 1: only the outermost; 0: while there is room */
	bool all;  /* opens everything */
	bool no_fold; /* a layer and what only follows it, conv2d + batch_norm + relu, stay apart; else they
	               * are one node in a picture of more than 50 */
	int max_nodes; /* 0: 300 */

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
	ad_draw_thresholds thresholds;
	const char *direction; /* where the values go in the flow view: "LR", "RL", "TB", "BT"; NULL: LR, TB for a long one */
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

/* What y depends on, in numbers. */
typedef struct {
	size_t ops, params, inputs, buffers, constants; /* inputs: ad_leaf and ad_input */
	size_t frozen;      /* params that want no gradient */
	size_t elements;    /* of params */
	size_t param_bytes; /* of params */
	size_t bytes;       /* of every value, params and inputs too, if each had memory of its own */
	size_t depth;       /* ops one after the other, on the longest way */
	/* with o->gradients, by ad_class: params, and inputs of ops by what that use contributes */
	size_t param_classes[AD_CLASSES], use_classes[AD_CLASSES];
	double reference;         /* rms of the gradient of o->reference; 0: none */
	const ad_node *first_nan; /* the op where the first NaN or infinity begins; NULL: there is none */
} ad_graph_statistics;

/* Fills s. Of o, which may be NULL, gradients, reference and rate count. False with a sentence in error;
 * then s is all 0. */
bool ad_graph_stats(ad_node *y, const ad_draw_options *o, ad_graph_statistics *s, char *error, size_t n);

/* Prints what y depends on to standard error, a line a node ("n3 = mul(n1, n2)  (2, 3)"), with values and
 * gradients as far as they are there: computes nothing, changes nothing, never fails; for a debugger:
 * `call ad_print_graph(loss)`. Of more than 400 nodes the last. */
void ad_print_graph(const ad_node *y);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
