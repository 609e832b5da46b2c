/*
 * autograd: graphs, values and gradients. The public header, and the manual.
 *
 *	ad_graph *g = ad_open();
 *	ad_node *x = ad_leaf(g, "x", -2), *y = ad_leaf(g, "y", 5), *z = ad_leaf(g, "z", -4);
 *	ad_node *f = ad_mul(ad_add(x, y), z);
 *
 *	if (ad_backward(f) != AD_OK)
 *		return fprintf(stderr, "%s\n", ad_errmsg(g)), 1;
 *	printf("f = %g  df/dx = %g\n", ad_item(f), ad_item(ad_gradient(x)));
 *	ad_close(g);
 *
 * Recording. Calling an op checks shapes and appends a node; nothing is computed. So shapes are
 * there before any data, and a shape mistake is reported where it is made.
 *
 * Errors are values. A call that fails returns its graph's error node; every op given that node
 * returns it again. ad_forward, ad_backward and ad_status_of tell; ad_errmsg has the first failure
 * in full. The library never prints, exits or aborts.
 *
 * Ownership. A graph owns all that is made from it and ad_close frees it; no node is freed alone.
 * ad_mark and ad_release scope one dynamic step: nodes made in between are invalid afterwards,
 * except params and buffers, which live as long as the graph.
 *
 * Reading. After an evaluation these have values: leaves, the nodes asked for, gradients of leaves,
 * nodes marked by ad_keep before it, and single numbers. Another node is computed again when it is
 * read, as long as no leaf it depends on has changed since; otherwise reading it is an error and gives
 * NaN. A number that was never computed reads as NaN.
 *
 * Replay. A step that is recorded like an earlier one, after ad_release, costs a comparison for each
 * call: its nodes, shapes and plans are there. What changes from step to step is data: the values of
 * leaves, constants among them. A node keeps its name until it is given another.
 *
 * Element types. A graph has one real type, f32 (ad_open) or f64 (ad_open_f64), and beside it i32
 * for indices and bool for masks. In arithmetic a mask counts as 0 or 1 and an index as its value.
 *
 * Threads. One graph belongs to one thread at a time; different graphs are independent.
 */
#ifndef AUTOGRAD_H
#define AUTOGRAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default) /* the library is built with all else hidden */
#endif

#define AD_VERSION "0.1.0"
#define AD_MAX_RANK 8

typedef struct ad_graph ad_graph;
typedef struct ad_node ad_node;

typedef enum {
	AD_OK = 0,
	AD_ERROR_SHAPE,    /* shapes that do not fit */
	AD_ERROR_TYPE,     /* an element type that an op does not take, or graphs mixed */
	AD_ERROR_ARGUMENT, /* an attribute, index or count out of range, an unknown name */
	AD_ERROR_GRADIENT, /* a derivative that does not exist */
	AD_ERROR_VALUE,    /* a value that was not kept or never computed */
	AD_ERROR_NONFINITE, /* a NaN or an infinity, in anomaly mode */
	AD_ERROR_MEMORY    /* out of memory, or over the limit set by ad_limit_memory */
} ad_status;

typedef enum { AD_REAL, AD_I32, AD_BOOL } ad_type;

/* Sizes of the axes, outermost first; rank 0 is a single number. A size may be 0. */
typedef struct {
	int rank;
	int64_t dims[AD_MAX_RANK];
} ad_shape;

/* AD_SHAPE(2, 3), and AD_SCALAR for the shape of a single number. */
#define AD_SHAPE(...)                                                                              \
	((ad_shape){ (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), { __VA_ARGS__ } })
#define AD_SCALAR ((ad_shape){ 0, { 0 } })

/* A list of whole numbers: axes, sizes, shifts. n is -1 for "not given". The callee copies it. */
typedef struct {
	int64_t n;
	const int64_t *v;
} ad_ints;

/* A list of real numbers, likewise. */
typedef struct {
	int64_t n;
	const double *v;
} ad_reals;

#define AD_INTS(...)                                                                               \
	((ad_ints){ (int64_t)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)),               \
	            (const int64_t[]){ __VA_ARGS__ } })
#define AD_ALL ((ad_ints){ -1, NULL }) /* every axis */
#define AD_NONE INT64_MIN              /* "not given" as a whole number or inside an ad_ints */

/* ---- graphs ------------------------------------------------------------------------------- */

/* A new graph with f32 or f64 reals. Never NULL: without memory it is a graph whose calls fail. */
ad_graph *ad_open(void);
ad_graph *ad_open_f64(void);

/* Frees the graph and all that was made from it. NULL is allowed. */
void ad_close(ad_graph *g);

bool ad_is_f64(const ad_graph *g);

/* The instructions that the graph's kernels use: "portable", "avx2" or "avx512": the best that the
 * processor has, or less if the variable AUTOGRAD_LEVEL says so (0, 1, 2). */
const char *ad_instructions(const ad_graph *g);

/* The first failure since ad_open or ad_clear, as a status and as a sentence ("" if none). */
ad_status ad_status_of(const ad_graph *g);
const char *ad_errmsg(const ad_graph *g);

/* Forgets the failure; the graph is usable again. */
void ad_clear(ad_graph *g);

/* Records a failure of the caller's own, printf-like; returns the graph's error node. The first
 * failure stays. */
ad_node *ad_fail(ad_graph *g, ad_status status, const char *format, ...)
#ifdef __GNUC__
	__attribute__((format(printf, 3, 4)))
#endif
	;

/* A position in the recording, and the return to it: nodes recorded since are invalid. Params and
 * buffers stay. Does not clear a failure. */
size_t ad_mark(ad_graph *g);
void ad_release(ad_graph *g, size_t mark);

/* Training phase (the state of a new graph): dropout drops and batch norm takes the batch's
 * statistics. Evaluation phase: dropout records nothing. A state of recording: set it before. */
void ad_training(ad_graph *g, bool on);
bool ad_is_training(const ad_graph *g);

/* What products of matrices compute in: linear, matmul, attention, and all that is made of them (addmm,
 * einsum, the recurrent layers); not convolutions. AD_FULL, the state of a new graph: in the graph's reals.
 * AD_BF16: their factors are rounded to bfloat16 (the range of f32, 8 bits of mantissa; to nearest, ties to
 * even), and the products summed in f32. All else, and what lies in memory, stays f32, and so do products
 * that would not gain: with a side under 16, or of 32768 multiplications or less. A state of recording, as
 * the phase; a gradient is computed in the precision of what it is the gradient of. Refused with a
 * sentence: AD_BF16 on an f64 graph, or where ad_bf16_missing has one. */
typedef enum { AD_FULL, AD_BF16 } ad_precision;
ad_status ad_set_precision(ad_graph *g, ad_precision precision);
ad_precision ad_precision_of(const ad_graph *g);

/* Why products cannot be computed in bf16 here: "products in bf16 need a processor with AVX512-BF16, ...".
 * NULL: they can. AUTOGRAD_BF16=emulate has f32 kernels multiply rounded copies where the instructions are
 * missing: the same rounding, several times slower, to see what it does to a model. */
const char *ad_bf16_missing(const ad_graph *g);

/* Random numbers are a function of (seed, step, ordinal of the random op in the recording, element),
 * so evaluating again gives the same mask until the step moves, and what is recorded again after
 * ad_release has the ordinals that it had. ad_seed counts them from 0 again, too. */
void ad_seed(ad_graph *g, uint64_t seed);
void ad_step(ad_graph *g, uint64_t step);

/* No evaluation of the graph may take more bytes than this (0: no limit); checked before memory is
 * taken. */
void ad_limit_memory(ad_graph *g, size_t bytes);

/* Keeps the value of every node, and has a sweep keep the gradient of every node and every use.
 * Switches off the sharing of buffers; gives the same bits, but that f32 evaluations flush what is smaller
 * than the smallest normal number to zero otherwise, and that kernels which add up gradients in place round
 * once where an addition of its own rounds again. */
void ad_keep_all(ad_graph *g);

/* Anomaly mode: an evaluation ends at the first op, in the order of running, forward or backward, that
 * makes a NaN or an infinity, or reads one from a leaf; ad_errmsg names the op, the node, its scope and
 * origin, and the range of each input. No buffers are shared meanwhile. */
void ad_watch_nonfinite(ad_graph *g, bool on);

/* A state of recording: where in the user's own text the nodes recorded from now on are declared
 * ("mlp.yaml:14:5"); NULL, or ad_release: nowhere. The text is copied. */
void ad_set_origin(ad_graph *g, const char *where);
const char *ad_origin_of(const ad_node *x);

/* Names of modules: nodes recorded between begin and end belong to the scope. Scopes nest. */
void ad_scope_begin(ad_graph *g, const char *name);
void ad_scope_end(ad_graph *g);

/* Scopes by number: 0 is the graph itself, a parent's number is below its children's. */
int ad_scopes(const ad_graph *g);
const char *ad_scope_name(const ad_graph *g, int scope);
int ad_scope_parent(const ad_graph *g, int scope);

/* Between begin and end: a checkpoint. What is computed there is not kept for the sweep, which computes it
 * again, bit by bit the same, from what it was computed from: less memory, one more forward pass. A
 * checkpoint inside another is part of it. ad_release ends it. */
void ad_checkpoint_begin(ad_graph *g);
void ad_checkpoint_end(ad_graph *g);

/* ---- leaves ------------------------------------------------------------------------------- */

/* A single number that wants a gradient. */
ad_node *ad_leaf(ad_graph *g, const char *name, double value);

/* Data from outside, set before each evaluation; wants no gradient. */
ad_node *ad_input(ad_graph *g, const char *name, ad_type type, ad_shape shape);

/* A trainable array of reals: wants a gradient, survives ad_release, is 0 until set. */
ad_node *ad_param(ad_graph *g, const char *name, ad_shape shape);

/* State without gradient (running statistics): survives ad_release, is 0 until set. */
ad_node *ad_buffer(ad_graph *g, const char *name, ad_type type, ad_shape shape);

/* A fixed single number; wants no gradient. */
ad_node *ad_constant(ad_graph *g, double value);

/* Whether sweeps compute the gradient of this leaf: true for ad_leaf and ad_param, else false. */
void ad_want_gradient(ad_node *leaf, bool on);

/* After the next evaluations that reach it, buffer takes the value of node (same shape and type);
 * everything in the same evaluation that reads the buffer sees the value before. Each evaluation assigns:
 * ad_forward and then ad_backward do so twice, and what read the buffer is computed anew in between. node
 * NULL: it keeps its value again. */
void ad_assign(ad_node *buffer, ad_node *node);

/* Writes a leaf's elements, row-major; n must be its count. Integers and masks are converted
 * exactly or refused. */
ad_status ad_set(ad_node *leaf, const double *values, size_t n);
ad_status ad_set_f32(ad_node *leaf, const float *values, size_t n);
ad_status ad_set_i32(ad_node *leaf, const int32_t *values, size_t n);
ad_status ad_set_item(ad_node *leaf, double value); /* every element */

/* Has an input read the caller's memory: its elements, row-major in its element type, without a copy. They
 * must stay there, unchanged, as long as values that depend on them are to be computed or read; setting the
 * input, or recording it again, ends it. */
ad_status ad_lend(ad_node *input, const void *data);

/* The leaf's own memory, in its element type (float or double, int32_t, or unsigned char for bool),
 * for writing in place; what an input holds before it is first set is not defined. Counts as a change.
 * NULL for a node that is no leaf. */
void *ad_write(ad_node *leaf);

/* ---- nodes -------------------------------------------------------------------------------- */

ad_graph *ad_graph_of(const ad_node *x);
ad_shape ad_shape_of(const ad_node *x);
ad_type ad_type_of(const ad_node *x);
size_t ad_count(const ad_node *x); /* number of elements */
bool ad_is_error(const ad_node *x);

/* The name given by ad_leaf, ad_name and the like; NULL if none. Names are labels, not keys. */
const char *ad_name_of(const ad_node *x);
ad_node *ad_name(ad_node *x, const char *name); /* returns x */

typedef enum { AD_IS_OP, AD_IS_LEAF, AD_IS_INPUT, AD_IS_PARAM, AD_IS_BUFFER, AD_IS_CONSTANT } ad_kind;
ad_kind ad_kind_of(const ad_node *x);

/* The op's name ("mul"), or NULL for a leaf; for output k > 0 of an op, the op's name too. */
const char *ad_op_of(const ad_node *x);
int ad_inputs(const ad_node *x);
ad_node *ad_input_of(const ad_node *x, int i); /* NULL: an optional input that was left out */
bool ad_wants_gradient(const ad_node *x);      /* a leaf's own wish; false for ops */
int ad_scope_of(const ad_node *x);

/* Output k of an op with several outputs; y is the first. The others name their first as owner. */
ad_node *ad_output(ad_node *y, int k);
int ad_outputs(const ad_node *y);
ad_node *ad_owner_of(ad_node *x, int *k); /* the op's first output, and which one x is */

/* Every node of the graph in the order of recording, params and buffers first. The number of a
 * node stays the same until ad_release or a new param. */
size_t ad_nodes(const ad_graph *g);
ad_node *ad_node_at(const ad_graph *g, size_t k);

/* Whether x takes part in the computation of y. */
bool ad_depends(const ad_node *y, const ad_node *x);

/* Prints a shape as "(2, 3)" into text, at most n bytes; returns text. */
char *ad_print_shape(char *text, size_t n, ad_shape shape);

/* ---- evaluation --------------------------------------------------------------------------- */

/* Computes y, or all of roots. In training phase everything computed on the way is kept for a
 * later ad_backward; in evaluation phase buffers are shared. */
ad_status ad_forward(ad_node *y);
ad_status ad_evaluate(ad_graph *g, ad_node *const roots[], size_t n);

/* The value of x is kept by every evaluation that computes it. Returns x. */
ad_node *ad_keep(ad_node *x);

/* The elements of x as doubles; the single number of x; its element k. NaN where there is no value,
 * and a failure on the graph, except for reals that were never computed. */
ad_status ad_get(ad_node *x, double *values, size_t n);
double ad_item(ad_node *x);
double ad_at(ad_node *x, size_t k);

/* The elements of x in its element type, valid until the next evaluation; NULL on failure. */
const void *ad_data(ad_node *x);

/* What an evaluation of roots takes, in bytes, without running it: what is kept to be read afterwards, what
 * lives in between (shared by liveness), scratch memory of kernels; and, whether the evaluation needs them or
 * not, all params and buffers, and the other leaves of the recording. */
typedef struct {
	size_t kept, shared, scratch, params, leaves;
} ad_memory_use;
ad_status ad_memory(ad_graph *g, ad_node *const roots[], size_t n, ad_memory_use *use);

/* Where the time of evaluations goes, from this call on: a row for each op (or group of ops that run
 * together, "mul + tanh") and scope, told by the names of the scopes around it ("block.linear", "" for the
 * graph itself; of a group those of its first op). bytes: read and written by it. */
typedef struct {
	const char *ops, *scope;
	bool backward;
	uint64_t calls, bytes;
	double seconds;
} ad_profile_row;
void ad_profile(ad_graph *g, bool on);

/* The rows so far, in order of first use, until the next evaluation; *seconds: all time in evaluations but
 * that of taking the profile. What the rows' own leave of it is the share of the engine: making plans,
 * running them. */
size_t ad_profile_rows(const ad_graph *g, const ad_profile_row **rows, double *seconds);

/* ---- gradients ---------------------------------------------------------------------------- */

/* Records the reverse sweep from y (a single number) for all leaves that want a gradient, then
 * evaluates y and the gradients; earlier ones are overwritten, never added to. Calling it again on
 * the same y without recording in between evaluates only. */
ad_status ad_backward(ad_node *y);

/* Only records it: for callers who evaluate more than y in one go. */
ad_status ad_sweep(ad_node *y);

/* The gradient node that the last sweep made for x (zeros for a leaf that y does not depend on);
 * NULL if the sweep did not pass x. After ad_keep_all: any node on the way, else leaves. */
ad_node *ad_gradient(ad_node *x);

/* What the use of input i by y contributed to that input's gradient; only after ad_keep_all. */
ad_node *ad_use_gradient(ad_node *y, int i);

/* The gradient of the single number y with respect to x, as a node: differentiable again, to any
 * order. Records only. No path from y to x gives true zeros. */
ad_node *ad_grad(ad_node *y, ad_node *x);

/* The same in general: dx[i] becomes sum over y of dy * dy/dx[i]; dy has y's shape. Returns false
 * and leaves error nodes in dx on failure. May be called inside an op's grad. */
bool ad_grads(ad_node *y, ad_node *dy, size_t n, ad_node *const x[], ad_node *dx[]);

/* Forward mode: the change of y along the direction (dx[0], dx[1], ...) of x[0], x[1], ...; dx[i] has
 * the shape of x[i], the result that of y. Recorded as the sweep of a sweep: J t is the gradient of
 * <J^T u, t> with respect to u, for any u. */
ad_node *ad_jvp(ad_node *y, size_t n, ad_node *const x[], ad_node *const dx[]);

/* Hessian-vector product: hv[i] becomes the gradient with respect to x[i] of the sum over j of
 * <dy/dx[j], v[j]>, y a single number. Returns false and leaves error nodes in hv on failure. */
bool ad_hvp(ad_node *y, size_t n, ad_node *const x[], ad_node *const v[], ad_node *hv[]);

/* The Jacobian dy/dx with the axes of y before those of x, one sweep for each element of y, or of x
 * where that has fewer. */
ad_node *ad_jacobian(ad_node *y, ad_node *x);

/* ---- ops by name -------------------------------------------------------------------------- */

typedef enum {
	AD_INT,   /* int64_t */
	AD_NUM,   /* double */
	AD_FLAG,  /* bool */
	AD_WORD,  /* const char *, one of a fixed choice or free */
	AD_INTLIST,
	AD_NUMLIST,
	AD_NOTHING /* null: only as a value */
} ad_attr_type;

/* One attribute: of an op, and in models of a layer, an optimizer, a data format. def is its default
 * as text ("1e-3", "null", "[0, 1]"); NULL: must be given. choice: the words allowed, separated by
 * spaces, or NULL. The first attribute of a table is its primary one: `softmax: 1`. */
typedef struct {
	const char *name;
	ad_attr_type type;
	const char *def;
	size_t offset; /* of the value in the op's struct */
	const char *doc;
	const char *choice;
} ad_attr;

/* A value for an attribute. A whole number is taken where a real is due, a single one where a
 * list is; whole numbers where a list of reals is due, if r or reals holds them too. */
typedef struct {
	const char *name;
	ad_attr_type type;
	int64_t i;
	double r;
	bool b;
	const char *s;
	ad_ints ints;
	ad_reals reals;
} ad_setting;

/* Records the op of that name with the settings given and the defaults of all others. in[i] may be
 * NULL for an optional input. */
ad_node *ad_call(ad_graph *g, const char *op, size_t n_in, ad_node *const in[], size_t n_settings,
                 const ad_setting settings[]);

/* The same, with settings as text: "axis=1 keepdim=true shape=[2,3]". */
ad_node *ad_call_text(ad_graph *g, const char *op, size_t n_in, ad_node *const in[],
                      const char *settings);

typedef struct ad_op ad_op;

/* The ops, by number in order of their names, or by name (NULL: there is none). */
size_t ad_ops(void);
const ad_op *ad_op_at(size_t k);
const ad_op *ad_op_find(const char *name);
const char *ad_op_name(const ad_op *op);
const char *ad_op_doc(const ad_op *op);         /* its file's opening comment */
const ad_attr *ad_op_attrs(const ad_op *op);    /* ends with a name of NULL; may be NULL */
const char *ad_op_inputs(const ad_op *op);      /* "x", "a b", "x w b?", "x..." */
const char *ad_op_plugin(const ad_op *op);      /* the path of the plugin it came with; NULL: none */
int ad_op_min_inputs(const ad_op *op);
int ad_op_max_inputs(const ad_op *op);          /* -1: any number */

/* The attributes of a node as text, "axis=1 keepdim=true"; "" if it has none. */
char *ad_print_attrs(char *text, size_t n, const ad_node *x);

/* Fills a struct from its table: defaults, then settings. Lists and words point into the settings
 * or the table. On failure returns false with a sentence in message. For models, which describe
 * layers, optimizers and formats by the same tables. */
bool ad_fill_attrs(const ad_attr *table, void *to, size_t n, const ad_setting settings[],
                   char *message, size_t message_size);

/* Adds the ops of a plugin, a shared library that `autograd op build` made, for as long as the process lives; they
 * are then called by name (ad_call, YAML). path has a folder in it, "./libswish.so". One that is loaded already is
 * not loaded again. On failure returns false with a sentence in message, and nothing is added. Before any of its code
 * runs it is refused if it is missing, no plugin, of another version, not what was built to the byte, if it calls what
 * is not there, or if everybody may write to it or to a folder on its path; afterwards, if a name is taken or a table
 * of an op is wrong. Plugins call the library: a program that is linked with libautograd.a needs -rdynamic, and
 * -lelf -lz. Not to be called while other threads list ops by number. */
bool ad_load_plugin(const char *path, char *message, size_t size);

/* The path of plugin k in the order of loading, absolute; NULL: there are not so many. */
const char *ad_plugin_at(size_t k);

/* ---- checking gradients ------------------------------------------------------------------- */

/* What is 0 takes its default: order 1, step 1e-6, atol 1e-5, rtol 1e-3. */
typedef struct {
	int order;         /* 2: the second derivatives too; at most 8 */
	double step;       /* a central difference is (y(x + step) - y(x - step)) / (2 step) */
	double atol, rtol; /* how far a derivative may lie from a difference d: atol + rtol |d| */
} ad_gradcheck_options;

/* Whether the derivatives of y (of any shape) by the leaves x[0..n-1] (f64, with values) are what
 * central differences give: all elements of y by all elements of x, to the order asked for; of the
 * second order the gradients, weighted by some dy, by x and dy. options may be NULL. text, at most
 * size bytes, takes a sentence in either case: how many derivatives agree, or which do not, a line
 * each, undefined ones (NaN) and kinks by that name. What cannot be checked (an f32 graph, an op
 * without the derivative) is false with a sentence, too. The graph is left as it was: its leaves bit
 * for bit, its buffers, its failure, its nodes; y has been evaluated. */
bool ad_gradcheck(ad_node *y, size_t n, ad_node *const x[], const ad_gradcheck_options *options,
                  char *text, size_t size);

/* Whether an op is right on all samples of its table: known values and errors, in f32 and f64, with
 * the kernels of every instruction set here; the random ones by differences, first and second order;
 * that its kernels write all of their results and nothing else, read only what they declare, and
 * agree with its grad and with each other. text as above: "sigmoid: 3 samples, all right", or what is
 * wrong. A kernel that writes outside its arrays can crash the process, here as anywhere. */
bool ad_op_check(const ad_op *op, char *text, size_t size);

/* ---- threads ------------------------------------------------------------------------------ */

/* The number of threads that evaluations use, 1 or more: AUTOGRAD_THREADS, else the processors that
 * this process may run on. Results do not depend on it. */
int ad_threads(void);
void ad_set_threads(int n);

/* ---- a call that was made before, without a function call ----------------------------------- */

/* Not for use by name, and of this version alone: ad_mul(a, b), where it is compiled in line, compares itself with
 * the call that stood here in the step before. If it is the same, its node is the result; else the function of
 * the library does the rest, as it does in all where a program defines AD_FUNCTIONS before it includes this
 * header. */
struct ad_path_call {
	uint64_t what; /* the context, and below it the op's number; 0: no such call */
	ad_node *a, *b, *y;
};
struct ad_path {
	struct ad_path_call *calls; /* of the nodes recorded now, and after them what followed the last time */
	size_t n;         /* of nodes recorded now */
	uint64_t context; /* of calls made now: scope, origin and phase, as a number times 2^32 */
};

/* What memory for nodes begins with, at a multiple of AD_SLAB bytes; a node lies at a multiple of AD_NODE. */
struct ad_slab {
	const struct ad_slab *self; /* itself: no other memory begins so */
	struct ad_path *path;
};
#define AD_SLAB 65536
#define AD_NODE 64

/* What a call does that is not the same: it records n inputs for the op of that number. */
ad_node *ad_record_call(uint32_t op, size_t n, ad_node *a, ad_node *b);

#if defined __GNUC__ && !defined AD_FUNCTIONS
#define AD_IN_LINE extern inline __attribute__((gnu_inline, always_inline))

AD_IN_LINE ad_node *ad_same_call(uint32_t op, size_t n, ad_node *a, ad_node *b)
{
	if (a && (uintptr_t)a % AD_NODE == 0) {
		const struct ad_slab *slab = (const struct ad_slab *)((uintptr_t)a / AD_SLAB * AD_SLAB);

		if (__builtin_expect(slab->self == slab, 1)) {
			struct ad_path *path = slab->path;
			const struct ad_path_call *last = &path->calls[path->n];

			if (__builtin_expect(last->what == (path->context | op) && last->a == a && last->b == b, 1)) {
				path->n++;
				return last->y;
			}
		}
	}
	return ad_record_call(op, n, a, b);
}

#define AD_SAME_CALL_1(name, number, x)                                                            \
	AD_IN_LINE ad_node *ad_##name(ad_node *x)                                                  \
	{                                                                                          \
		return ad_same_call(number, 1, x, NULL);                                           \
	}
#define AD_SAME_CALL_2(name, number, a, b)                                                         \
	AD_IN_LINE ad_node *ad_##name(ad_node *a, ad_node *b)                                      \
	{                                                                                          \
		return ad_same_call(number, 2, a, b);                                              \
	}
#else
#define AD_SAME_CALL_1(name, number, x)
#define AD_SAME_CALL_2(name, number, a, b)
#endif

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#include "autograd_ops.h" /* generated: one prototype for each op */

#endif
