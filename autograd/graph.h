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
	OWN,       /* where it can be read: leaves, kept nodes */
	WORKSPACE, /* in memory shared with other nodes, gone when the evaluation has ended */
};

struct ad_node {
	/* what a call is compared with when it is recorded again */
	const ad_op *op;    /* NULL: a leaf */
	ad_node *pair[2];   /* the first two inputs */
	ad_graph *graph;
	ad_node *child;     /* the entry recorded after it, the most recent first; of the first output */
	ad_node *sibling;   /* another entry that once followed the same one */
	uint32_t context;   /* scope, origin, order and phase, as a number: see contexts */
	uint32_t index;     /* in its list: graph->nodes, or graph->lasting for params and buffers */
	uint16_t n_in, n_out;
	uint8_t type, kind;
	bool is_error;
	bool plain;         /* one output, no attributes, not random: a call of few comparisons */

	ad_node **in;       /* of the owner; entries may be NULL */
	const void *attrs;
	void *data;         /* the value, where place says; NULL: none yet */
	void *own;          /* memory of its own, or NULL */
	size_t count;
	ad_node *owner;     /* the op's first output; itself for most nodes */
	ad_node *sum;       /* during a sweep: the gradient that has arrived so far */
	ad_node *twin;      /* likewise: the node that computes it again, of a checkpoint */
	uint32_t mark;      /* for walks: equal to graph->walk when visited */
	uint32_t last;      /* during planning: the number of its value */
	uint32_t slot;      /* likewise: its place in a program of single numbers */
	uint32_t number;    /* of a plain node's op, for calls in line; 0: none */
	uint32_t ordinal;   /* of a random op */
	int32_t scope;
	uint32_t region;    /* the checkpoint that it is part of; 0: none */
	uint16_t out;       /* which output of its owner */
	uint8_t place;
	uint8_t order;      /* how many sweeps lie above it */
	bool single;        /* a single real, and no error */
	bool lasting;       /* a param or buffer */
	bool wants;         /* a leaf that wants a gradient */
	bool keep;
	bool on_path;       /* during a sweep */

	const char *name;
	const char *origin; /* where it was declared: "mlp.yaml:14:5"; NULL: not known */
	ad_node *grad;      /* of the last sweep; may be of a step gone by: see ad_gradient */
	ad_node **use_grad; /* of each use of an input, after ad_keep_all */
	ad_node *assign;    /* a buffer's next value */
	struct sweep *sweeps; /* recorded from it so far */
	struct plan *plan;  /* that computed it last, if it is still there */
	union {
		uint64_t changed;  /* leaf: the graph's clock when it was last set; 0: never */
		uint64_t computed; /* without plan: the graph's clock when it was computed; 0: never */
	};
	size_t work;        /* scratch bytes for the kernels */
	ad_shape shape;
	double small;       /* own memory of a value that fits */
};
_Static_assert(sizeof(struct ad_node) % AD_NODE == 0, "see ad_slab");

/* A place in the recording to return to. */
struct position {
	size_t n_nodes;
	struct arena_mark arena;
	uint32_t ordinal;
	int n_scopes, scope;
	uint32_t n_regions;
	uint64_t wanting;
};

struct scope {
	const char *name;
	int parent;
};

/* Nodes recorded before some depth were recorded at or before this time. */
struct released {
	size_t depth;
	uint64_t clock;
};

/* What distinguishes two calls besides their op, inputs and attributes. */
struct context {
	const char *origin; /* interned: equal texts have one address */
	int32_t scope;
	uint32_t region;
	uint8_t order;
	bool training, bf16;
};

struct ad_graph {
	/* nodes[0..path.n-1] are recorded; up to n_path follow those that did so the last time. The calls are those
	 * of plain nodes and constants, others and what would follow the last are none: where a step repeats itself, recording
	 * reads these and not the nodes, which lie far apart */
	struct ad_path path;
	bool f64, training, keep_all, watch, dead;
	bool bf16;             /* products recorded now round their factors */
	bool node_by_node;     /* AUTOGRAD_PLAN=off: nothing is shared, fused or replayed */
	int level;             /* of the variants that its kernels come from */
	uint32_t context;      /* of calls recorded now */
	ad_node **nodes, **lasting;
	size_t n_path, cap_nodes, cap_calls, n_lasting, cap_lasting;
	ad_node *root_child;   /* what was recorded first */
	struct arena arena;    /* nodes */
	struct arena lasting_arena;
	struct position *marks;
	size_t n_marks, cap_marks;
	struct released *released;
	size_t n_released, cap_released;
	uint64_t released_at;  /* the clock of the last of them: what was computed since then is of this step */
	ad_node **owners;      /* nodes of the arena that have memory from malloc */
	size_t n_owners, cap_owners;
	size_t owned;          /* bytes of these */
	ad_node *error;
	ad_status status;
	char message[1024];
	uint64_t clock;        /* moves when a leaf is set, the step moves or nodes are released */
	uint64_t evaluated;    /* the clock of the last evaluation */
	uint64_t stepped;      /* the clock when random numbers last changed */
	uint64_t wishes;       /* moves when ad_keep changes what a plan keeps */
	uint64_t wanting, wanting_lasting; /* which leaves want gradients, as sums of random numbers */
	size_t n_assigned;     /* buffers that have a next value */
	uint32_t walk;
	uint64_t seed, step;
	uint32_t ordinal;      /* of the next random op */
	uint8_t order;         /* of nodes recorded now */
	const char *origin;    /* likewise */
	uint32_t region, n_regions, depth; /* likewise: its checkpoint; all so far; how many are open */
	size_t memory_limit, memory_used; /* bytes of values */
	struct scope *scopes;
	int n_scopes, cap_scopes, scope;
	struct context *contexts;
	uint32_t *context_slots; /* twice as many: contexts by hash, counted from 1 */
	size_t n_contexts, cap_contexts;
	const char **texts;    /* interned, by hash */
	size_t n_texts, cap_texts;
	struct defaults *defaults;
	struct plan *plans;    /* made so far, newest first */
	size_t plan_bytes;     /* that they take */
	uint64_t moves;        /* goes up when a value that a plan may read lies elsewhere than before */
	struct profile *profile; /* NULL: off */
	struct block workspace, scratch;
	ad_node *swept;        /* what the last sweep started from */
	size_t swept_nodes;    /* path.n when it had been recorded */
	struct sweep *swept_sweep; /* if it was noted */
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

/* Whether the products of x round their factors to bfloat16. */
static inline bool in_bf16(const ad_graph *g, const ad_node *x)
{
	return x->context - 1 < g->n_contexts && g->contexts[x->context - 1].bf16;
}

/* A row of a dynamic array that grows; false without memory. */
bool grow(void *array, size_t *cap, size_t n, size_t size);

/* ---- graph.c -------------------------------------------------------------------------------- */

ad_node *out_of_memory(ad_graph *g, size_t bytes);

/* What NULL nodes lead to. It lies where no node of a graph does, so that nobody looks for a slab around it. */
extern struct dead_place {
	_Alignas(AD_NODE) void *before;
	ad_node node;
} dead_place;
#define dead_node dead_place.node

/* Whether x is an error node, NULL or released; if so, and no failure stands, says so as a failure of
 * what. */
bool is_stale_error(const ad_node *x, const char *what);

/* What to call a node in a sentence: its name in quotes, or "the result of op". */
const char *called(const ad_node *x);

/* ---- record.c: nodes, and those recorded before ----------------------------------------------- */

/* Appends a node with its outputs: shapes[k] and types[k] for k in 0..n_out-1. The error node on
 * failure. */
ad_node *new_node(ad_graph *g, const ad_op *op, size_t n_in, ad_node *const in[], const void *attrs,
                  size_t n_out, const ad_shape shapes[], const ad_type types[]);

/* The node that followed here before, if it was the same call; it is recorded then. NULL: there is
 * none. same compares attributes. */
ad_node *replay(ad_graph *g, const ad_op *op, size_t n_in, ad_node *const in[], const void *attrs,
                bool (*same)(const ad_op *op, const void *a, const void *b));

/* Room on the path for n more nodes; false without memory. */
bool make_room(ad_graph *g, size_t n);

/* What stands for a constant that is a single number among the calls of the path; ops have higher numbers. */
#define NUMBER_OF_CONSTANT 1

/* Makes x number `at` of the path; there is room. */
void set_path(ad_graph *g, size_t at, ad_node *x);

/* The path has n nodes. */
void end_path(ad_graph *g, size_t n);

/* What a constant holds: value everywhere but 1 at one_at (SIZE_MAX: nowhere). */
struct fixed {
	double value;
	size_t one_at;
};

/* Appends a leaf of the recording, or takes the one that followed here before; in either case without
 * values. Of a sweep, which may be taken up without being recorded, constants are what they hold: only one
 * that holds the same is taken. NULL without memory. */
ad_node *append_leaf(ad_graph *g, ad_kind kind, const char *name, ad_type type, ad_shape shape,
                     const struct fixed *fixed);

/* Gives x a name, or none; false without memory. */
bool set_name(ad_node *x, const char *name);
void fill_node(ad_graph *g, ad_node *x, ad_shape shape, ad_type type);

/* Whether x is recorded: not released since, nor of a recording given up. */
static inline bool is_recorded(const ad_node *x)
{
	const ad_graph *g = x->graph;

	return x->lasting || (x->index < g->path.n && g->nodes[x->index] == x);
}

/* The time at which x was recorded, or a later one at which it could be no older: what was computed
 * before it belongs to an earlier step. */
static inline uint64_t recorded_at(const ad_node *x)
{
	const ad_graph *g = x->graph;

	for (size_t k = g->n_released; !x->lasting && k-- > 0;)
		if (g->released[k].depth <= x->index)
			return g->released[k].clock;
	return 0;
}

/* A text that lives as long as the graph; equal texts have one address. NULL without memory. */
const char *intern(ad_graph *g, const char *text);

/* Sets g->context from the state of recording; called when that has changed. Without memory for one more the
 * graph fails: what is recorded meanwhile cannot be told from the same calls in another state. */
void find_context(ad_graph *g);
#define UNKNOWN_CONTEXT UINT32_MAX

/* Counts x among the leaves that want gradients, or no longer. */
void count_wish(ad_node *x, bool wants);

/* ---- leaf.c ----------------------------------------------------------------------------------- */

/* Gives the node memory of its own and points data there. */
bool own_memory(ad_node *x);
void forget_memory(ad_node *x);

/* Whether x has values, and those. */
bool holds_fixed(const ad_node *x, const struct fixed *fixed);

/* A fixed array: value everywhere but 1 at one_at (SIZE_MAX: nowhere). */
ad_node *new_constant(ad_graph *g, ad_shape shape, double value, size_t one_at);

/* ---- grad.c: a node that stands for the backward kernel of another -------------------------- */

/* Its inputs: the inputs, outputs and output gradients of y, in this order; NULL where the kernel
 * does not read or nothing arrived. Its outputs: the gradients of y's inputs which[0..n_out-1]. */
extern const ad_op backward_op;
struct backward {
	ad_node *y;
	size_t n;
	int *which;
};

/* A node that stands for the whole sweep from a single number through element-wise ops on single numbers.
 * Its input is y; its outputs are the gradients of x[0..n_x-1]. */
extern const ad_op tape_op;
struct tape {
	size_t n, n_x;
	ad_node **nodes; /* on the way from x to y, in order of recording, y last */
	ad_node **x;
};

/* Whether y is an element-wise op on single reals. */
bool is_scalar(const ad_node *y);

/* A sweep that was recorded once: what follows when it is asked for again at the same place. In the
 * arena. */
struct sweep {
	struct sweep *next;       /* of the same y */
	size_t from, to;          /* the nodes it recorded */
	ad_node *before;          /* the last node before it */
	uint32_t context;
	bool watch;               /* recorded in anomaly mode */
	uint64_t wanting, wanting_lasting; /* for which leaves */
	size_t n, n_roots;
	ad_node **x, **dx;        /* leaves and their gradients */
	ad_node **nodes;          /* from to to */
	ad_node **roots;          /* y and the gradients */
	uint32_t ordinal_before;  /* of the next random op */
	uint32_t ordinal;         /* of the next one afterwards */
};

/* Forgets gradients and sweeps of nodes that are not recorded. */
void drop_sweeps(ad_graph *g);

/* ---- plan.c, run.c: see plan.h ------------------------------------------------------------------ */

/* share: buffers are shared by liveness. reading: a value is computed again to be read, which changes no
 * buffer. */
ad_status evaluate(ad_graph *g, size_t n, ad_node *const roots[], bool share, bool reading);

bool is_current(const ad_node *x);

void drop_plans(ad_graph *g, bool all); /* those with nodes that are not recorded, or all */
void unbind_plans(ad_graph *g);         /* the memory limit is looked at anew */

/* Values of nodes from n_nodes on are no longer needed. */
void let_go(ad_graph *g, size_t n_nodes);

/* Fills all memory of results with NaN, so that what is not written shows. */
void spoil_memory(ad_graph *g);

/* ---- profile.c ------------------------------------------------------------------------------------ */

void free_profile(ad_graph *g);

/* ---- watch.c: whether a step that has run left finite numbers; a failure of the graph if not ---- */

bool watch_step(ad_node *y);

/* ---- registry.c ------------------------------------------------------------------------------------ */

uint32_t number_of_op(const ad_op *op, size_t n_in); /* see op_number; 0: it has none, or with other inputs */

/* ---- call.c: the few ops that the engine itself needs ----------------------------------------------- */

const ad_op *engine_add_op(void);
bool engine_splits(const ad_op *op); /* it cuts an array into parts along an axis */
bool engine_joins(const ad_op *op);  /* it makes one of parts */
ad_node *engine_add(ad_node *a, ad_node *b);
ad_node *engine_sum_to(ad_node *x, ad_shape shape);
ad_node *engine_full(ad_graph *g, ad_shape shape, double value);
ad_node *engine_to_real(ad_node *x);
ad_node *engine_reshape(ad_node *x, ad_shape shape);
ad_node *engine_concat(ad_graph *g, size_t n, ad_node *const x[], int64_t axis);

/* ad_call_text for an op that need not be in the registry. */
ad_node *call_op_text(ad_graph *g, const ad_op *op, size_t n_in, ad_node *const in[],
                      const char *text);

/* ---- attrs.c ---------------------------------------------------------------------------------------- */

/* Copies the struct of an op into the arena, with the lists and words in it; defaults if from is
 * NULL. NULL on failure. */
void *copy_attrs(ad_graph *g, const ad_op *op, const void *from);

/* The defaults of an op with attributes, made once; NULL on failure. */
const void *default_attrs(ad_graph *g, const ad_op *op);

/* Whether the words in a struct are among those allowed; a failure of the graph if not. */
bool check_words(ad_graph *g, const ad_op *op, const void *attrs);

/* Whether two structs of an op's attributes say the same. */
bool same_attrs(const ad_op *op, const void *a, const void *b);

#endif
