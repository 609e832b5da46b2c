/*
 * plan: how a set of roots is computed. Made by plan.c (which steps), fold.c and parts.c (which of them
 * need nothing to be done), fuse.c (which run together), layout.c (where values lie); run by run.c. Not
 * installed.
 */
#ifndef AUTOGRAD_PLAN_H
#define AUTOGRAD_PLAN_H

#include "graph.h"

#define NO_VALUE UINT32_MAX
#define MAX_MAP_INPUTS 8

/* One op to run. */
struct step {
	ad_node *node;      /* the owner of what it makes */
	ad_node *const *in; /* what it reads: the node's inputs, or others after a fold; of a tape all that
	                     * it is made from */
	size_t n_in;
	const void *attrs;  /* of the op whose kernels run */
	uint32_t value;     /* the number of its first output among the values */
	uint32_t stage;     /* the action that it is part of */
	unsigned adds;      /* results that it adds to what is there, as bits */
	unsigned folded;    /* inputs of the op that are read in another form, likewise */
	bool gone;          /* nothing is to be done: a view, or an addition that another step does */
};

/* One output of a step. */
struct value {
	ad_node *node;
	ad_node *outer;   /* it is a view of this node, which the plan does not compute; else NULL */
	uint32_t base;    /* the value whose memory it shares; its own number for most */
	const ad_node *whole; /* it is a part of this array, and lies there: `at` bytes from its beginning, in
	                       * rows as far apart; NULL for most */
	size_t at;
	uint32_t step;
	uint32_t last;    /* the last stage that reads it or shares its memory */
	enum where {
		IN_SPACE, /* in the workspace, where others follow it */
		IN_BLOCK, /* in the plan's block: it can be read after the evaluation */
		IN_TILE,  /* only ever as a tile of its group */
	} where;
	bool live;
	bool passing;     /* its memory goes on to hold something else: it is not what can be read there later */
	size_t offset, bytes;
};

/* What is run at once: one step, or a group of element-wise ones. */
struct action {
	bool (*run)(ad_graph *g, struct action *a); /* NULL: the one before runs it, piece by piece */
	size_t row;        /* of the profile, counted from 1 */
	uint64_t bytes;    /* read and written: see traffic */
	bool leads;        /* it runs the next one, a group, on what it has finished */
	uint32_t first, n; /* its steps, among those of the plan */
	ad_run kernel;     /* of one step on whole arrays */
	ad_kernel *call;
	ad_node *copied;   /* an alias that is a copy */
	struct group *group;
	struct program *program; /* of single numbers, or a tape */
};

struct plan {
	struct plan *next;
	struct arena arena; /* what it consists of, but for the roots */
	uint64_t wishes;
	enum mode {
		SHARED,   /* buffers are shared, steps run together, additions are done in place */
		KEPT,     /* every value is kept; steps run together */
		SEPARATE, /* every value is kept, one step after the other */
	} mode;
	size_t n_roots, n_given, n_steps, n_values, n_actions, n_assign, n_buffers, n_leaves;
	ad_node **roots;
	ad_node **given;    /* taken as they are: computed by an earlier evaluation */
	void **given_data;  /* where they were when it was bound */
	struct step *steps; /* in order */
	struct value *values;
	struct action *actions;
	ad_node **leaves;   /* read by it, each once */
	void **leaf_data;   /* where they were when it was bound */
	ad_node **assign;   /* buffers that take a new value at the end */
	struct next_value { /* every buffer in it, and the node assigned to it, or NULL */
		ad_node *buffer, *node;
	} *buffers;
	ad_node *newest;    /* of its nodes; all others were recorded before it */
	size_t workspace, scratch, kept; /* bytes: shared, of a kernel, and of its block */
	struct block block;
	bool holding;       /* the block may hold values to be read: see holds_values */
	uint32_t block_from; /* the lowest node index in the block */
	bool bound;         /* the actions point to the values' memory */
	const void *space, *scratch_space; /* the graph's memory when they were bound */
	uint64_t moves;     /* the graph's, when all that it reads was found where it was */
	size_t bytes;       /* of the arena */
	uint64_t ran;       /* the graph's clock when it last ran; 0: never */
};

/* The graph's clock when x was computed; 0: never. */
static inline uint64_t computed_at(const ad_node *x)
{
	return x->plan ? x->plan->ran : x->computed;
}

/* ---- plan.c ------------------------------------------------------------------------------------ */

/* A plan for these roots, made or found; NULL on failure. */
struct plan *plan_for(ad_graph *g, size_t n, ad_node *const roots[], enum mode mode);

/* Whether values in the plan's block can be read still. */
bool holds_values(struct plan *p);

/* The number of x among the values of the plan that is being made, or NO_VALUE. Of a finished plan it says
 * nothing: another one may have numbered the node since. */
static inline uint32_t value_of(const ad_node *x)
{
	return x && x->op ? x->last : NO_VALUE;
}

/* The op whose kernels the step runs: for a backward node that of the node behind it. */
static inline const ad_node *node_behind(const ad_node *y)
{
	return y->op == &backward_op ? ((const struct backward *)y->attrs)->y : y;
}

/* ---- layout.c: where each value lies ------------------------------------------------------------- */

/* First, which values are kept and which are views of others. */
void find_views(struct plan *p);

/* Then, when it is known what runs together, their places; false without memory. */
bool lay_out(struct plan *p);

/* The number of the result that the step makes v as: of a backward kernel the input whose gradient it is. */
static inline int result_number(const struct step *s, uint32_t v)
{
	uint32_t k = v - s->value;

	return s->node->op == &backward_op ? ((const struct backward *)s->node->attrs)->which[k] : (int)k;
}

/* Whether the step can be part of a program of single numbers. */
static inline bool is_single(const struct plan *p, const struct step *s)
{
	return p->mode != SEPARATE && is_scalar(s->node);
}

/* ---- fold.c: steps that others do; false without memory ------------------------------------------- */

/* Inputs that products can read as they were before a transpose. */
bool fold_inputs(struct plan *p);

/* Sums whose last term is added by the kernel that makes it. */
bool fold_additions(struct plan *p);

/* ---- parts.c: cutting and joining that nothing is done for ---------------------------------------- */

/* When the steps are in groups; false without memory. */
bool find_parts(struct plan *p);

/* ---- fuse.c ------------------------------------------------------------------------------------- */

/* Decides which steps run together, and which need not run: makes the actions. False without memory. */
bool fuse(struct plan *p);

/* ---- tiles.c: element-wise steps, tile by tile --------------------------------------------------- */

/* Whether the step is element-wise. */
bool is_map(const struct step *s);

/* What the steps of a group take at most. */
struct opened {
	size_t steps, slots, tiles;
};

/* Whether a step can be one more of a group with shape and f64; if so it is counted. */
bool joins_group(const struct step *s, const ad_shape *shape, bool f64, struct opened *group);

/* In which type its kernel computes: indices alone in f64. */
bool computes_f64(const struct step *s);

/* The group of an action, in the plan's arena; NULL without memory. */
struct group *make_group(struct plan *p, const struct action *a);

/* Points it to the memory of the values. */
void bind_group(struct group *t);

bool run_group(ad_graph *g, struct action *a);

/* Whether every step of the group that reads x reads it one to one, as reals. */
bool group_reads_straight(const struct plan *p, const struct action *a, const ad_node *x);

/* What a kernel's finished elements lead to. */
struct finish {
	int result; /* of the kernel: output, or gradient of an input */
	struct group *group;
	/* instead of the group, where the check of an op wants to know what is finished */
	void (*told)(const struct finish *f, size_t begin, size_t n);
};

/* ---- profile.c ----------------------------------------------------------------------------------- */

/* What an action reads and writes, each use counted; what only exists as tiles is not. While planning. */
uint64_t traffic(const struct plan *p, const struct action *a);

double seconds_now(void);
void profile_action(ad_graph *g, const struct plan *p, struct action *a, double seconds);
void profile_total(ad_graph *g, double seconds);

/* ---- run.c --------------------------------------------------------------------------------------- */

/* Prepares what an action runs; false without memory. */
bool make_action(struct plan *p, struct action *a);

#endif
