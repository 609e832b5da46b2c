/*
 * graph: what the engine's files share about graphs and nodes. Not installed.
 */
#ifndef AUTOGRAD_GRAPH_H
#define AUTOGRAD_GRAPH_H

#include "engine.h"
#include "memory.h"
#include "op.h"

/* Where a node's value lies. */
enum place {
	NOWHERE,   /* not computed yet */
	OWN,       /* in memory of its own: leaves, kept nodes */
	WORKSPACE, /* in memory shared with other nodes, gone when the evaluation has ended */
};

struct ad_node {
	ad_graph *graph;
	const ad_op *op;    /* NULL: a leaf */
	ad_node *owner;     /* the op's first output; itself for most nodes */
	ad_node **in;       /* of the owner; entries may be NULL */
	const void *attrs;
	const char *name;
	const char *origin; /* where it was declared: "mlp.yaml:14:5"; NULL: not known */
	void *data;         /* the value, where place says; NULL: none yet */
	void *own;          /* memory of its own, or NULL */
	size_t count;
	size_t work;        /* scratch bytes for the kernels */
	ad_node *grad;      /* of the last sweep */
	ad_node **use_grad; /* of each use of an input, after ad_keep_all */
	ad_node *sum;       /* during a sweep: the gradient that has arrived so far */
	ad_node *assign;    /* a buffer's next value */
	uint64_t changed;   /* leaf: the graph's clock when it was last set; 0: never */
	uint64_t computed;  /* the graph's clock when it was last computed; 0: never */
	double small[2];    /* own memory of a value that fits */
	ad_shape shape;
	uint32_t index;     /* in its list: graph->nodes, or graph->lasting for params and buffers */
	uint32_t mark;      /* for walks: equal to graph->walk when visited */
	uint32_t ordinal;   /* of a random op */
	uint32_t last;      /* during planning: the last step that uses it */
	int32_t scope;
	uint16_t n_in, n_out, out; /* out: which output of its owner */
	uint8_t type, kind, place;
	uint8_t order;      /* how many sweeps lie above it */
	bool lasting;       /* a param or buffer */
	bool wants;         /* a leaf that wants a gradient */
	bool keep;
	bool on_path;       /* during a sweep */
	bool is_error;
};

struct position {
	size_t n_nodes;
	struct arena_mark arena;
	uint32_t ordinal;
	int n_scopes, scope;
};

struct scope {
	const char *name;
	int parent;
};

struct ad_graph {
	bool f64, training, keep_all, watch, dead;
	int level;             /* of the variants that its kernels come from */
	struct arena arena;    /* nodes, released in order */
	struct arena lasting_arena;
	ad_node **nodes, **lasting;
	size_t n_nodes, cap_nodes, n_lasting, cap_lasting;
	struct position *marks;
	size_t n_marks, cap_marks;
	ad_node *error;
	ad_status status;
	char message[1024];
	uint64_t clock;        /* moves when a leaf is set or the step moves */
	uint64_t evaluated;    /* the clock of the last evaluation */
	uint64_t stepped;      /* the clock when random numbers last changed */
	uint64_t wishes;       /* moves when ad_keep or ad_assign change what a plan keeps */
	uint32_t walk;
	uint64_t seed, step;
	uint32_t ordinal;      /* of the next random op */
	uint8_t order;         /* of nodes recorded now */
	const char *origin;    /* likewise */
	size_t memory_limit, memory_used; /* bytes of values */
	struct scope *scopes;
	int n_scopes, cap_scopes, scope;
	struct plan *plans;    /* made so far, newest first */
	struct block workspace, scratch;
	ad_node *swept;        /* what the last sweep started from */
	size_t swept_nodes;    /* n_nodes when it had been recorded */
	const bool *wants;     /* of the inputs, while an op's grad runs */
};

/* Bytes of one element. */
static inline size_t element_size(const ad_graph *g, ad_type type)
{
	return type == AD_REAL ? (g->f64 ? 8 : 4) : type == AD_I32 ? 4 : 1;
}

/* The op that holds the kernels for a real type on this processor. */
static inline const ad_op *kernels_of(const ad_graph *g, const ad_op *op, bool f64)
{
	return op->variants ? op->variants[g->level * 2 + f64] : op;
}

/* A row of a dynamic array that grows; false without memory. */
bool grow(void *array, size_t *cap, size_t n, size_t size);

/* ---- graph.c -------------------------------------------------------------------------------- */

/* A node with its outputs: shapes[k] and types[k] for k in 0..n_out-1. The error node on failure. */
ad_node *new_node(ad_graph *g, const ad_op *op, size_t n_in, ad_node *const in[], const void *attrs,
                  size_t n_out, const ad_shape shapes[], const ad_type types[]);
ad_node *out_of_memory(ad_graph *g, size_t bytes);

/* Whether x is an error node or NULL; if so, and no failure stands, says so as a failure of what. */
bool is_stale_error(const ad_node *x, const char *what);

/* Gives the node memory of its own and points data there. */
bool own_memory(ad_node *x);

/* A fixed array: value everywhere but 1 at one_at (SIZE_MAX: nowhere). */
ad_node *new_constant(ad_graph *g, ad_shape shape, double value, size_t one_at);

/* What to call a node in a sentence: its name in quotes, or "the result of op". */
const char *called(const ad_node *x);

/* ---- grad.c: a node that stands for the backward kernel of another -------------------------- */

/* Its inputs: the inputs, outputs and output gradients of y, in this order; NULL where the kernel
 * does not read or nothing arrived. Its outputs: the gradients of y's inputs which[0..n_out-1]. */
extern const ad_op backward_op;
struct backward {
	ad_node *y;
	int *which;
};
void drop_sweep(ad_graph *g, size_t n_nodes);

/* ---- plan.c: which steps compute the roots, and where their values lie ------------------------ */

struct plan {
	struct plan *next;
	uint64_t wishes;
	size_t n_roots, n_given, n_steps, n_spots, n_assign, n_fixed;
	ad_node **roots;
	ad_node **given;    /* taken as they are: computed by an earlier evaluation */
	ad_node **steps;    /* ops to run, in order; each the owner of its outputs */
	struct spot {       /* values in the workspace, or in memory of another node (base) */
		ad_node *node, *base;
		size_t offset;
	} *spots;
	ad_node **fixed;    /* values in memory of their own */
	ad_node **assign;   /* buffers that take a new value at the end */
	size_t workspace, scratch; /* bytes */
	uint32_t top;       /* the highest node index in it */
};

/* A plan for these roots, made or found; NULL on failure. share: buffers are shared by liveness. */
struct plan *plan_for(ad_graph *g, size_t n, ad_node *const roots[], bool share);
void drop_plans(ad_graph *g, size_t n_nodes); /* those with nodes from n_nodes on */

/* ---- run.c ------------------------------------------------------------------------------------ */

bool is_current(const ad_node *x);
/* reading: a value is computed again to be read, which changes no buffer. */
ad_status run_plan(ad_graph *g, struct plan *p, bool reading);

/* ---- watch.c: whether a step that has run left finite numbers; a failure of the graph if not ---- */

bool watch_step(ad_node *y);

/* ---- registry.c: the few ops that the engine itself needs -------------------------------------- */

ad_node *engine_add(ad_node *a, ad_node *b);
ad_node *engine_sum_to(ad_node *x, ad_shape shape);
ad_node *engine_full(ad_graph *g, ad_shape shape, double value);
ad_node *engine_to_real(ad_node *x);
ad_node *engine_reshape(ad_node *x, ad_shape shape);
ad_node *engine_concat(ad_graph *g, size_t n, ad_node *const x[], int64_t axis);

/* ad_call_text for an op that need not be in the registry. */
ad_node *call_op_text(ad_graph *g, const ad_op *op, size_t n_in, ad_node *const in[],
                      const char *text);

/* Copies the struct of an op into the arena, with the lists and words in it; defaults if from is
 * NULL. NULL on failure. */
void *copy_attrs(ad_graph *g, const ad_op *op, const void *from);

#endif
