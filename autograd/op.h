/*
 * op: what the author of an op sees. An op is one file, written once against ad_real and compiled once
 * per variant: f32 and f64, each for several instruction sets. It lies in ops/, or becomes a plugin by
 * `autograd op build FILE.c`, which needs nothing but this header.
 *
 * The file holds, from top to bottom: a comment (name: formula; shapes; gradient), the kernels, the
 * gradient as a graph, the table AD_OP with samples, and the function that users call, marked AD_API.
 *
 *   shape    the shape rule: from in[] to out[]; refuses with a sentence
 *   map      forward of an element-wise op on n contiguous elements: no broadcasting, no threads;
 *            y may be an input's memory, never overlap it partly. Masks and indices arrive as reals.
 *   dmap     its backward: dx[i] from in, y, dy; dx[i] is NULL where unwanted if arity is over 1. Of an
 *            op of one input dx[0] may be the memory of in[0], y or dy
 *   forward  of any other op, on whole contiguous arrays
 *   backward likewise; writes (never adds to) every dx[i] whose data is not NULL; an op that sets
 *            .adds also adds where it is asked to (ad_adds)
 *   grad     the gradient in terms of ops, which makes it differentiable again. The engine adds up
 *            branches and sums over broadcast axes: dx[i] may have the shape of y where i was broadcast
 *   compose  instead of kernels: the op in terms of other ops
 */
#ifndef AUTOGRAD_OP_H
#define AUTOGRAD_OP_H

#ifndef AD_FUNCTIONS
#define AD_FUNCTIONS /* an op's file defines one */
#endif
#include "autograd.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- variants: -DAD_F64 and -DAD_LEVEL=0|1|2 choose one; 0 runs on any processor ------------- */

#ifndef AD_LEVEL
#define AD_LEVEL 0
#endif
#define AD_PASTE3_(a, b, c) a##_##b##_##c
#define AD_PASTE3(a, b, c) AD_PASTE3_(a, b, c)
#ifdef AD_F64
typedef double ad_real;
#define AD_REAL_NAME f64
#define AD_REAL_EPSILON 2.220446049250313e-16
#else
typedef float ad_real;
#define AD_REAL_NAME f32
#define AD_REAL_EPSILON 1.1920928955078125e-7
#endif

/* The name of a function or table in this variant: AD_VARIANT(gemm) is gemm_f32_0. */
#define AD_VARIANT(name) AD_PASTE3(name, AD_REAL_NAME, AD_LEVEL)

#if AD_LEVEL == 0 && !defined AD_F64
#define AD_BASE 1 /* the variant whose shape rule, gradient and samples count */
#define AD_API __attribute__((visibility("default")))
#else
#define AD_BASE 0
#define AD_API extern inline __attribute__((gnu_inline))
#endif

/* Mathematics in the variant's type: real_exp(x), real_sqrt(x), real_pow(a, b) ... */
#ifndef __cplusplus
#include "op_math.h"
#endif

#ifdef __GNUC__
#pragma GCC visibility push(default) /* what the author of an op sees, a plugin's too */
#endif

/* ---- shape rules ------------------------------------------------------------------------------ */

#define AD_MAX_OUTPUTS 64

/* What a shape rule reads (n_in to attrs) and sets (n_out to work). */
typedef struct ad_infer {
	ad_graph *graph;
	const ad_op *op;
	int n_in;
	const ad_shape *in;     /* of the inputs; of a missing optional one: rank -1 */
	const ad_type *in_type;
	const void *attrs;
	int n_out; /* 1 unless the rule says otherwise */
	ad_shape out[AD_MAX_OUTPUTS];
	ad_type out_type[AD_MAX_OUTPUTS]; /* preset to AD_REAL, except as the table says */
	size_t work;                      /* bytes of scratch memory that forward and backward want */
} ad_infer;

/* Refuses: records "op: sentence" as a shape error of the graph and returns false. */
bool ad_refuse(ad_infer *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The shape of input i as text, "(2, 3)", for use in ad_refuse. Valid until the rule returns. */
const char *ad_show(ad_infer *s, int i);
const char *ad_show_shape(ad_infer *s, ad_shape shape);

/* Rules that serve many ops: out = in 0; out = all inputs broadcast; out = one number. */
bool ad_same_shape(ad_infer *s);
bool ad_broadcast_shape(ad_infer *s);

/* Broadcasts b into a by NumPy's rule; false if they do not fit. */
bool ad_broadcast(ad_shape *a, const ad_shape *b);

/* The axis counted from the front, from -rank..rank-1; refuses and returns -1 otherwise. A single
 * number has axis 0 and -1. */
int ad_axis(ad_infer *s, int rank, int64_t axis);

/* The axes of a reduction as flags per axis: all of them for n = -1. Refuses what is out of range
 * or twice there. */
bool ad_axes(ad_infer *s, int rank, ad_ints axes, bool chosen[AD_MAX_RANK]);

bool ad_equal_shapes(const ad_shape *a, const ad_shape *b);

/* Number of elements; false on overflow or a negative size. */
bool ad_count_of(const ad_shape *shape, size_t *count);

/* Splits a shape around one axis: an array is outer x size x inner. */
void ad_around_axis(const ad_shape *shape, int axis, size_t *outer, size_t *size, size_t *inner);

/* ---- kernels ---------------------------------------------------------------------------------- */

typedef struct {
	void *data; /* NULL: absent, unwanted, or not read (see .reads) */
	ad_type type;
	int rank;
	int64_t dims[AD_MAX_RANK];
	size_t count;
} ad_array;

/* The key of a random op's stream. */
typedef struct {
	uint64_t seed, step;
	uint32_t ordinal;
} ad_random;

typedef struct ad_run {
	const ad_op *op;
	int n_in, n_out;
	const ad_array *in, *out; /* backward: out is the forward result */
	const ad_array *dy, *dx;  /* backward only; dy[k].data is NULL where nothing arrived */
	const void *attrs;
	void *work; /* as many bytes as the shape rule asked for, aligned to 64 */
	ad_random random;
	bool bf16;   /* products of matrices round their factors to bfloat16 */
	ad_graph *graph; /* the engine's, as what follows */
	unsigned adds;
	const struct finish *finish;
} ad_run;

/* For ops that set .adds: whether result k (forward: output k; backward: dx[k]) holds a value that the
 * kernel has to add to, instead of writing over it. Only then is what result k holds defined. */
static inline bool ad_adds(const ad_run *r, int k)
{
	return r->adds >> k & 1;
}

/* For kernels that set .finishes: n elements of result k (forward: output k; backward: dx[k]) from
 * element begin on are final, and still in the cache. The engine then runs on them what element-wise
 * ops follow. Callable from any thread; every element must be finished exactly once, and not be read
 * or written by the kernel afterwards. */
void ad_finish(const ad_run *r, int k, size_t begin, size_t n);

static inline ad_real *ad_reals_of(const ad_array *a)
{
	return (ad_real *)a->data;
}

static inline int32_t *ad_indices_of(const ad_array *a)
{
	return (int32_t *)a->data;
}

static inline unsigned char *ad_mask_of(const ad_array *a)
{
	return (unsigned char *)a->data;
}

/* A kernel that finds a bad value (an index out of range) says so; the evaluation fails with the
 * sentence, prefixed by the op, when the kernel has returned. Callable from any thread. */
void ad_run_failed(const ad_run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Calls fn(r, begin, end) for slices of 0..n-1, on several threads where that pays. The slices
 * depend on n and grain alone. grain: how many make it worth a thread. */
void ad_parallel(const ad_run *r, size_t n, size_t grain,
                 void (*fn)(const ad_run *r, size_t begin, size_t end));

/* Four random 32-bit numbers for element block k: Philox 4x32-10 (Salmon et al., "Parallel random
 * numbers: as easy as 1, 2, 3", SC11). And a number in [0, 1) for element k. */
void ad_philox(ad_random key, uint64_t k, uint32_t out[4]);
double ad_uniform_at(ad_random key, uint64_t k);

/* ---- gradients as graphs ---------------------------------------------------------------------- */

/* Inside grad: whether dx[i] is asked for. A wanted dx[i] left NULL is an error, "no derivative". */
bool ad_wants(const ad_node *y, int i);

/* A node's attributes, as the op's struct. */
const void *ad_attrs_of(const ad_node *y);

/* ---- the table of an op ----------------------------------------------------------------------- */

#define AD_MAX_SAMPLE_INPUTS 8
#define AD_MAX_SAMPLES 12

typedef struct {
	int rank;
	int64_t dims[AD_MAX_RANK];
	ad_type type;
	bool given; /* false: an optional input that is left out */
} ad_sample_input;

typedef struct {
	size_t n;
	const double *v;
} ad_sample_values;

#define AD_DIMS(...)                                                                               \
	{ (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), { __VA_ARGS__ }, AD_REAL, true }
#define AD_DIM0 { 0, { 0 }, AD_REAL, true } /* a single number */
#define AD_DIMS_OF(type, ...)                                                                      \
	{ (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), { __VA_ARGS__ }, type, true }
#define AD_LIST(...)                                                                               \
	{ sizeof((const double[]){ __VA_ARGS__ }) / sizeof(double), (const double[]){ __VA_ARGS__ } }

/* One sample: inputs by give (values, row-major), or at random in [lo, hi]. want[k]: the values of
 * output k. dwant[i]: the gradient of the sum of all outputs with respect to input i. Random
 * samples, and those with smooth set, are checked against differences, first and second order.
 * error: the call must fail with a message that contains this. */
typedef struct {
	ad_sample_input in[AD_MAX_SAMPLE_INPUTS];
	ad_sample_values give[AD_MAX_SAMPLE_INPUTS];
	ad_sample_values want[4];
	ad_sample_values dwant[AD_MAX_SAMPLE_INPUTS];
	double lo, hi;
	bool smooth;
	const char *attrs; /* as for ad_call_text */
	const char *error;
} ad_sample;

typedef void ad_map_kernel(size_t n, const ad_real *const in[], ad_real *y, const void *attrs);
typedef void ad_dmap_kernel(size_t n, const ad_real *const in[], const ad_real *y,
                            const ad_real *dy, ad_real *const dx[], const void *attrs);
typedef void ad_kernel(const ad_run *r);

/* What backward kernels read besides dy; the rest arrives as NULL and need not be kept. */
enum {
	AD_READS_ALL = 0,
	AD_READS_NOTHING = 1,
	AD_READS_INPUTS = 2,
	AD_READS_OUTPUTS = 4
};

#define AD_AS_IS_ALL (~0u)

struct ad_op {
	const char *name;
	const ad_op *const *variants; /* [level * 2 + is f64]; f64 has no variant of its own at level 2 */
	int arity;                    /* inputs that must be there */
	int optional;                 /* further ones that may follow; -1: any number */
	const char *inputs;           /* their names, "x w b"; NULL: "x", "a b" or "x..." */
	const ad_attr *attrs;         /* ends with { 0 } */
	size_t attrs_size;
	bool (*shape)(ad_infer *s);
	ad_map_kernel *map;
	ad_dmap_kernel *dmap;
	ad_kernel *forward, *backward;
	void (*grad)(ad_node *y, ad_node *const dy[], ad_node *dx[]);
	ad_node *(*compose)(ad_graph *g, ad_node *const in[], int n_in, const void *attrs);
	int reads;       /* AD_READS_... */
	unsigned as_is;  /* bit i: input i arrives in its own element type, which the shape rule checks;
	                    any other input of a non-element-wise op arrives as reals. AD_AS_IS_ALL */
	bool gives_mask; /* map returns 0 or 1, stored as a mask */
	bool integral;   /* of indices (and masks) alone it gives indices: add, max, where ... */
	bool adds;       /* forward and backward can add to what a result holds: see ad_adds */
	unsigned finishes; /* bit 0: forward calls ad_finish for output 0; bit 1 + i: backward for dx[i] */
	/* Whether input i of y, which x made, can be read as x's input 0 instead, with the attributes changed
	 * (in a copy of y's, to be written): a product reads a transposed matrix in place. */
	bool (*fold)(const ad_node *y, int i, const ad_node *x, void *attrs);
	bool alias;      /* output k is input k's memory, perhaps in another shape */
	bool flat;       /* the gradient is zero everywhere: sign, floor. Ends every path */
	bool random;     /* forward uses r->random */
	ad_sample samples[AD_MAX_SAMPLES];
};

#define AD_DECLARE_VARIANT(name, real, level) extern const ad_op AD_PASTE3(ad_op_##name, real, level)
#ifndef AD_LEVELS
#define AD_LEVELS 1
#endif
#if AD_LEVELS == 3
#define AD_DECLARE_VARIANTS(name)                                                                  \
	extern const ad_op ad_op_##name##_f32_0, ad_op_##name##_f64_0, ad_op_##name##_f32_1,       \
		ad_op_##name##_f64_1, ad_op_##name##_f32_2
#define AD_LIST_VARIANTS(name)                                                                     \
	&ad_op_##name##_f32_0, &ad_op_##name##_f64_0, &ad_op_##name##_f32_1,                       \
		&ad_op_##name##_f64_1, &ad_op_##name##_f32_2, &ad_op_##name##_f64_1
#else
#define AD_DECLARE_VARIANTS(name) extern const ad_op ad_op_##name##_f32_0, ad_op_##name##_f64_0
#define AD_LIST_VARIANTS(name) &ad_op_##name##_f32_0, &ad_op_##name##_f64_0
#endif

/* The op's table, the same text in every variant. */
#if AD_BASE
#define AD_OP(op_name, ...)                                                                        \
	AD_DECLARE_VARIANTS(op_name);                                                              \
	static const ad_op *const op_name##_variants[] = { AD_LIST_VARIANTS(op_name) };            \
	const ad_op AD_VARIANT(ad_op_##op_name) = { .name = #op_name,                              \
		                                    .variants = op_name##_variants, __VA_ARGS__ }
#else
#define AD_OP(op_name, ...)                                                                        \
	extern const ad_op AD_VARIANT(ad_op_##op_name);                                            \
	const ad_op AD_VARIANT(ad_op_##op_name) = { .name = #op_name, __VA_ARGS__ }
#endif

/* One row of an attribute table: AD_ATTR(struct attrs, axis, AD_INT, "-1", "the axis", NULL). The
 * field has the type that ad_attr_type names. */
#define AD_ATTR(type, field, kind, def, doc, choice)                                               \
	{ #field, kind, def, offsetof(type, field), doc, choice }

/* AD_CALL(add, a, b), for ops without attributes; AD_CALL_WITH(sum, &attrs, x) with them;
 * AD_CALL_N(concat, &attrs, n, x) with inputs in an array. */
#define AD_CALL(op_name, ...)                                                                      \
	ad_record(&AD_VARIANT(ad_op_##op_name), sizeof((ad_node *[]){ __VA_ARGS__ }) / sizeof(void *), \
	          (ad_node *[]){ __VA_ARGS__ }, NULL)
#define AD_CALL_WITH(op_name, attrs, ...)                                                          \
	ad_record(&AD_VARIANT(ad_op_##op_name), sizeof((ad_node *[]){ __VA_ARGS__ }) / sizeof(void *), \
	          (ad_node *[]){ __VA_ARGS__ }, attrs)
#define AD_CALL_N(op_name, attrs, n, in)                                                           \
	ad_record(&AD_VARIANT(ad_op_##op_name), n, in, attrs)

/* Appends a node. attrs is the op's struct, copied with the lists in it; NULL: the defaults. A
 * missing trailing optional input may be left out or NULL. */
ad_node *ad_record(const ad_op *op, size_t n, ad_node *const in[], const void *attrs);

/* The same for an op without inputs, which needs to be told its graph. */
ad_node *ad_record_on(ad_graph *g, const ad_op *op, size_t n, ad_node *const in[], const void *attrs);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif

#endif
