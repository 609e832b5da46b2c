/*
 * language: what the readers of the model language share: memory, the tree's internals,
 * expressions, values and names. Not installed; model.h is what the rest of models/ sees.
 */
#ifndef AUTOGRAD_LANGUAGE_H
#define AUTOGRAD_LANGUAGE_H

#include "memory.h"
#include "model.h"

#include <setjmp.h>
#include <stdarg.h>

/* The limits on what a file may hold. */
enum {
	MOST_BYTES = 1 << 20,
	MOST_DEPTH = 64, /* of nested lists and mappings, also through aliases */
	MOST_EVENTS = 100000,
	MOST_SCALAR = 64 << 10, /* bytes */
	MOST_ALIASES = 1000,
	MOST_NODES = 100000,  /* after aliases are expanded */
	MOST_OPERATORS = 400, /* nested in an expression */
	MOST_STEPS = 200000,  /* items and expressions of one recording, copies included */
	LONGEST_NAME = 100,
	NEAR_DIM = 64 /* "B + 1" up to "B + 64" are recognised */
};

/* The numbers of messages: E001 and so on. */
enum {
	E_KEY = 1,
	E_OP = 2,
	E_MISSING = 3,
	E_TYPE = 4,
	E_TWICE = 5,
	E_COMMA = 6,
	E_OPEN = 7,
	E_TAB = 8,
	E_TAG = 9,
	E_SHAPE = 10,
	E_NAME = 11,
	E_NAMED_TWICE = 12,
	E_CYCLE = 13,
	E_WHOLE = 14,
	E_RESIDUAL = 15,
	E_YAML = 16,
	E_LIMIT = 17,
	E_RANGE = 18,
	E_LATER = 19,  /* a feature that this version has not */
	E_SYNTAX = 21, /* of an expression */
	E_FILE = 22
};

/* ---- memory (store.c) ------------------------------------------------------------------------ */

/* An arena whose calls never fail: without memory they jump to `out`, where the whole store is
 * freed or left as it is. Set `out` for the time of a call from outside. */
struct store {
	struct arena arena;
	jmp_buf *out;
};

void *store_take(struct store *s, size_t n); /* zeroed */
char *store_text(struct store *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *store_copy(struct store *s, const char *text, size_t n);

/* Room for element n of a list that holds n: the list itself, or a larger copy. */
void *store_more(struct store *s, void *list, size_t n, size_t element);

/* ---- messages, further (message.c) ----------------------------------------------------------- */

/* A place with line -k is in overrides[k - 1], the text of a --set. */
void messages_overrides(struct messages *m, size_t n, const char *const overrides[]);
const char *messages_line(const struct messages *m, int line, size_t *n); /* NULL: no such line */
size_t utf8_next(const char *s, size_t n, bool *valid);
size_t utf8_count(const char *s, size_t n);

/* ---- the tree, further (yaml.c, override.c) -------------------------------------------------- */

struct store *yaml_store(struct yaml_tree *t);
void yaml_adopt(struct yaml_tree *t, struct yaml_tree *guest); /* frees it with t */
struct yaml *yaml_pair(const struct yaml *map, const char *key, struct yaml **at_key);
bool yaml_is_null(const struct yaml *y);
bool yaml_is(const struct yaml *y, const char *text); /* a scalar of this text */

/* Applies "a.b=v" to the tree; errors are said at place line -number. */
void override_apply(struct yaml_tree *t, struct messages *m, int number, const char *text,
                    const char *file);

/* ---- expressions (expr.c) -------------------------------------------------------------------- */

enum expr_kind {
	EXPR_INT,
	EXPR_REAL,
	EXPR_FLAG,
	EXPR_NULL,
	EXPR_WORD, /* 'in quotes' */
	EXPR_NAME,
	EXPR_LIST,
	EXPR_NEGATE,
	EXPR_BINARY,
	EXPR_CALL,
	EXPR_INDEX, /* args[0][args[1], args[2], ...] */
	EXPR_RANGE  /* start:stop:step, each may be NULL */
};

enum binary {
	ADD,
	SUB,
	MUL,
	DIV,
	FLOOR_DIV,
	MOD,
	MATMUL,
	POW,
	EQUAL,
	NOT_EQUAL,
	LESS,
	LESS_EQUAL,
	GREATER,
	GREATER_EQUAL
};

struct expr {
	enum expr_kind kind;
	enum binary op;
	struct place at;   /* of the operator, name, number */
	struct place span; /* of the whole */
	int64_t i;
	double r;
	const char *text; /* of a name, a word; the function of a call */
	int depth;
	bool grouped; /* in ( ) */
	size_t n;     /* operands; of a call: arguments */
	struct expr **args;
	const char **names; /* of a call: the keyword of an argument, or NULL */
	struct place *name_at;
};

/* Reads the scalar as an expression; NULL after a message (m may be NULL: silently). */
struct expr *expr_parse(struct store *s, struct messages *m, const struct yaml *scalar);

/* Calls found for every name that is not the function of a call. */
void expr_names(const struct expr *e, void (*found)(void *to, const struct expr *name), void *to);

/* The operator as written: "//". */
const char *binary_sign(enum binary op);

bool is_name(const char *text);

/* strtod with a decimal point, whatever the locale says. */
double real_of_text(const char *text, char **end);

/* ---- values and names (eval.c) --------------------------------------------------------------- */

/* Where a tensor comes from, for notes and for "connected to". */
struct origin {
	const char *what; /* "comes from 'flatten'", "is weight 'w'" */
	const char *path;
	struct place at;
	bool used;
};

enum value_kind {
	VALUE_UNKNOWN, /* the result of something that was already reported */
	VALUE_INT,
	VALUE_REAL,
	VALUE_FLAG,
	VALUE_NULL,
	VALUE_WORD,
	VALUE_LIST,
	VALUE_NODE
};

struct value {
	enum value_kind kind;
	bool b;
	int64_t i;
	double r;
	const char *s;
	size_t n;
	struct value *items;
	ad_node *node;
	struct origin *from; /* of a node; may be NULL */
};

enum name_kind { NAME_DIM, NAME_PARAM, NAME_COUNTER, NAME_VALUE };

struct name {
	const char *text;
	enum name_kind kind;
	struct place at;
	struct value value;
	bool used;
	struct name *next; /* in its bucket */
};

/* Names of one body; `up` is the body around it. */
struct scope {
	const struct scope *up;
	size_t n, n_buckets;
	struct name **buckets;
};

struct name *scope_add(struct store *s, struct scope *to, const char *text, enum name_kind kind,
                       struct place at, struct value value);
struct name *scope_own(const struct scope *in, const char *text);
struct name *scope_find(const struct scope *in, const char *text);

/* Names within reach that are near to text; NULL if there is none. */
struct name *scope_nearest(const struct scope *in, const char *text, bool params_only);

/* What an evaluation needs. */
struct recording {
	ad_model *model;
	struct store *store;
	struct messages *messages; /* NULL: a recording for given sizes, which says nothing */
	ad_graph *graph;           /* NULL: numbers only */
	struct instance *instance; /* what is being recorded */
	size_t steps;
	bool stopped;          /* too many steps, or a cap was hit */
	struct origin **reads; /* what the item that is being built has read */
	size_t n_reads;
	const struct name *param; /* which field_of has found last in place of a value, and where */
	struct place param_at;
};

struct value eval(struct recording *r, const struct scope *in, const struct expr *e);
struct value eval_yaml(struct recording *r, const struct scope *in, const struct yaml *scalar);

/* The value as a node: a number becomes a constant. NULL: unknown, or after a message. */
ad_node *value_node(struct recording *r, struct value v, struct place at);

/* Nodes recorded from now on are declared at that place: for messages about their values. */
void set_origin(struct recording *r, struct place at);

/* Records an op; from[i] may be NULL. After a failure says so and returns an unknown value. */
struct value record(struct recording *r, const char *op, struct place at, struct place span,
                    size_t n_in, const struct value in[], size_t n_settings,
                    const ad_setting settings[]);

/* Says at `at` what the graph has refused, in the words of the model, and clears it. */
void say_failure(struct recording *r, struct place at, const char *op, size_t n_in,
                 const struct value in[]);

/* A setting from a value or from the tree, by the attribute's type. False after a message. */
bool setting_of(struct recording *r, const struct scope *in, const ad_attr *attr, struct value v,
                struct place at, const char *source, ad_setting *to);
bool setting_of_yaml(struct recording *r, const struct scope *in, const ad_attr *attr,
                     const struct yaml *y, ad_setting *to);

/* Adds to what was said about the value at a place which param it is, if field_of has just found one
 * there: a mistake in its value, which may come from a --set, shows only where it is used. */
void note_param(struct recording *r, struct place at);

/* The value of a scalar for a field that wants a number, true or false: `wants` says which. Unknown
 * after a message. */
struct value field_of(struct recording *r, const struct scope *in, const struct yaml *y,
                      const char *what, const char *wants);

/* A whole number in least..most, for the field `what`. False after a message. */
bool whole_of(struct recording *r, struct value v, struct place at, const char *what,
              const char *source, int64_t least, int64_t most, int64_t *to);
bool number_of(struct recording *r, struct value v, struct place at, const char *what, double *to);

/* "[B, 784]": sizes with free dims by name. */
const char *shape_text(struct recording *r, ad_shape shape);
const char *dim_text(struct recording *r, int64_t dim);

/* Which input of an op has this name, or -1; and the name of input k. */
int op_input(const ad_op *op, const char *name);
const char *op_input_name(struct recording *r, const ad_op *op, size_t k);

/* Messages E001 for an argument and E002, with what is near. */
void say_attribute(struct recording *r, struct place at, const char *name, const char *what,
                   const ad_attr *table);
void say_op(struct recording *r, struct place at, const char *name, bool item);

const ad_attr *attr_find(const ad_attr *table, const char *name);
const char *attr_names(struct store *s, const ad_attr *table);

/* ---- declarations (check.c) ------------------------------------------------------------------ */

/* Says that a key is not one of those allowed, with the nearest; or that it comes later. */
void unknown_key(struct messages *m, const struct yaml *key, const char *where, size_t n,
                 const char *const allowed[]);

/* Whether a list of words, separated by spaces, has this one; list may be NULL. */
bool word_in(const char *list, const char *word);

/* Whether the key is one that later versions bring. where: "the file", "train", "an item" ... */
bool comes_later(const char *where, const char *key);

/* The keys allowed at a path of a --set ("train", "optimizer", "adam"). NULL with *any false: those
 * that stand there already; with *any true: the check will tell. */
const char *const *keys_at(struct store *s, size_t n, const char *const path[], size_t *count,
                           bool *any);

/* A file-level weight before it is made. */
struct declared_weight {
	const char *name;
	struct place at;
	int rank;
	const struct yaml *dims; /* list, or NULL: a single number */
	const struct yaml *init; /* a map's init; NULL: value */
	double value;
};

/* build.c's own part of a model. */
struct build {
	struct store store;
	struct scope file;       /* dims and params */
	struct name **dim_names; /* of model->dims, in file */
	int64_t *primes;         /* of model->dims, in the check */
	size_t n_declared;
	struct declared_weight *declared;
	struct scope paths;    /* weights by path: their numbers */
	ad_node **check_nodes; /* of model->weights, in the check's graph */
	const struct yaml *root, *model, *loss, *metrics, *output;
	size_t n_origins;
	struct origin **origins; /* of items and equations, in the check */
	bool initialised;        /* the weights have their initial values */
};

void check_top(struct recording *r);
void check_train(struct recording *r);
void check_data(struct recording *r);
void check_unused(struct recording *r);

/* Whether a name may stand here: a word that is none of the language's own. False after a message.
 */
bool check_name(struct recording *r, const struct yaml *key, const char *what);

/* The initial values that y declares (init.c). False after a message. */
bool init_of(struct recording *r, const struct scope *in, const struct yaml *y, struct init *to);

/* ---- building (build.c) ---------------------------------------------------------------------- */

struct layer_site {
	struct recording *recording;
	const struct scope *scope;
	const char *path;
	const char *kind;
	struct place at;
	const struct yaml *init;
	size_t n_in;
	ad_node **inputs;  /* NULL where one was left out */
	size_t parameters; /* made by this item */
};

/* Whether a size comes from a free dim. */
bool is_free(struct recording *r, int64_t size);

/* What was recorded since the mark before belongs to the item of this path; NULL: to the item whose
 * mark with a path was not followed by one without. Two calls an item: with its path where it is known,
 * without when it ends. (instance.c) */
void mark_nodes(struct recording *r, const char *path);

/* Gives the graph the assignments of this recording in place of those of another. (instance.c) */
struct instance *instance_activate(ad_model *m, struct instance *in);

/* Records the whole model for r->dims into `to`; what is wrong is said in r->messages. */
void build_model(struct recording *r, struct instance *to);

#endif
