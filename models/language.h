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
	MOST_STEPS = 100000,  /* items and expressions of the check, copies included */
	MOST_RECORDED = 20000000, /* of a recording for given sizes */
	LONGEST_PATH = 256,   /* bytes of the path of an item */
	MOST_NESTED = 500,    /* evaluations and items inside each other */
	MOST_PARAMS = 100,    /* of a block, and inputs */
	MOST_DIMS = 100,      /* free ones, by name */
	MOST_GROUPS = 100,    /* of weights, in 'train' */
	MOST_BLOCKS = 32,     /* blocks inside each other */
	MOST_FILES = 32,      /* that one model is made of */
	MOST_PARENTS = 8,     /* files that extend or include each other in a row */
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
	E_LABELS = 20, /* of the data */
	E_SYNTAX = 21, /* of an expression */
	E_FILE = 22,
	E_CHECK = 23,  /* a block's own check */
	E_CHECKPOINT = 30
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

/* A place with line -k is in overrides[k - 1], "a.b=v"; the first n_environment are from AUTOGRAD_SET, the last
 * n_swept from a sweep, the others from --set. */
void messages_overrides(struct messages *m, size_t n, const char *const overrides[],
                        size_t n_environment, size_t n_swept);

/* Takes a further file, whose places have the number returned; -1 without memory. */
int messages_source(struct messages *m, const char *file, const char *text, size_t length);
int messages_sources(const struct messages *m);
const char *messages_path(const struct messages *m, int file);
const char *messages_text(const struct messages *m, int file);
const char *messages_line(const struct messages *m, int file, int line,
                          size_t *n); /* NULL: no such line */

/* "mlp.yaml:4:52", "--set train.epochs=3"; cut to n bytes. */
char *messages_place(const struct messages *m, struct place at, char *text, size_t n);

/* Whether messages still get suggestions: finding these for thousands of mistakes would take long. */
bool messages_suggest(const struct messages *m);

/* What is said until the next leave is said within a block: messages that may depend on its params
 * have a note with this text and place. */
void messages_enter(struct messages *m, struct place at, const char *text);
void messages_leave(struct messages *m);
size_t utf8_next(const char *s, size_t n, bool *valid);
size_t utf8_count(const char *s, size_t n);

/* ---- the tree, further (yaml.c, override.c) -------------------------------------------------- */

/* yaml_read for a further file of the same messages. */
struct yaml_tree *yaml_read_file(const char *text, size_t length, struct messages *m, int file);
struct store *yaml_store(struct yaml_tree *t);
void yaml_set_root(struct yaml_tree *t, struct yaml *root);
struct yaml *yaml_scalar(struct store *s, struct place at, const char *text);
void yaml_put(struct store *s, struct yaml *map, struct yaml *key, struct yaml *value); /* adds */
void yaml_adopt(struct yaml_tree *t, struct yaml_tree *guest); /* frees it with t */
struct yaml *yaml_pair(const struct yaml *map, const char *key, struct yaml **at_key);
bool yaml_is_null(const struct yaml *y);
bool yaml_is(const struct yaml *y, const char *text); /* a scalar of this text */

/* Applies "a.b=v" to the tree; errors are said at place line -number. */
void override_apply(struct yaml_tree *t, struct messages *m, int number, const char *text);

/* A regular file of at most MOST_BYTES + 1 bytes, with a NUL behind; NULL: *wrong tells why (open.c). */
char *read_model_file(const char *path, size_t *length, const char **wrong);

/* Replaces a tree's `extends` and `include` by what they name, and applies `unset`; paths are relative
 * to the folder of `path`. Included blocks become defs of dotted names, "common.double". False after a
 * message: a file could not be read, so what it brings is not known (extend.c). */
bool extend_tree(struct yaml_tree *t, struct messages *m, const char *path);

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

/* Calls found for every name that is not the function of a call or one of its keywords, reduction=none. */
void expr_names(const struct expr *e, void (*found)(void *to, const struct expr *name), void *to);

/* The operator as written: "//". */
const char *binary_sign(enum binary op);

bool is_name(const char *text);

/* strtod with a decimal point, whatever the locale says. */
double real_of_text(const char *text, char **end);

/* ---- values (value.c) ------------------------------------------------------------------------ */

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
	VALUE_KIND, /* an op, layer or block as an argument */
	VALUE_NODE
};

enum kind_of {
	KIND_OP,
	KIND_LAYER,
	KIND_BLOCK,
	KIND_CHAIN,
	KIND_RESIDUAL,
	KIND_PARALLEL,
	KIND_SCAN
};

/* What a name means as an item or before '('. */
struct kind {
	enum kind_of what;
	const char *name; /* as in the file, or of the op that a param stands for */
	const ad_op *op;
	const struct layer *layer;
	const struct definition *block;
};

struct value {
	enum value_kind kind;
	bool b;
	int64_t i;
	double r;
	const char *s;
	size_t n; /* of a list; of a node: results, if there are several and they are in items */
	struct value *items;
	const struct kind *of;
	ad_node *node;
	struct origin *from; /* of a node; may be NULL */
};

/* What a name is, in the order in which it is looked for, last first; of two of a kind the inner. */
enum name_kind { NAME_DIM, NAME_PARAM, NAME_VALUE, NAME_ARGUMENT, NAME_COUNTER };

struct name {
	const char *text;
	enum name_kind kind;
	struct place at;
	struct value value;
	bool used;
	struct name *next; /* in its bucket */
};

/* ---- names (scope.c) ------------------------------------------------------------------------- */

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

/* The name within reach that is nearest to text; NULL if there is none, or no suggestion is wanted. */
struct name *scope_nearest(const struct messages *m, const struct scope *in, const char *text,
                           bool params_only);

/* Where paths are made: a prefix and how often each op occurred there. */
struct level {
	const char *prefix;  /* "stage[1]." */
	const char *weights; /* the prefix of paths of weights: another item's where they are shared */
	struct scope counts;
	int depth;
	bool too_long; /* the prefix has reached the limit, which was said */
	bool known; /* the weights are there already: shared, or of a further step of a scan */
};

/* What an evaluation needs. */
struct recording {
	ad_model *model;
	struct store *store;
	struct messages *messages; /* NULL: a recording for given sizes, which says nothing */
	ad_graph *graph;           /* NULL: numbers only */
	struct instance *instance; /* what is being recorded */
	struct value prev;     /* the result of the item before */
	struct level *level;
	const char *space;     /* of names of blocks: "", or "common." in blocks of an included file */
	const struct expr *whole; /* the right side of an equation: a block called there has its name */
	const char *whole_name;
	size_t steps;
	int nested;            /* evaluations and items inside each other */
	int blocks;            /* blocks inside each other */
	bool frozen;           /* weights made now */
	double lr_scale;
	bool again;            /* a further step of a scan: no rows, no names */
	bool probing;          /* the body of a block that nothing uses: its inputs are unknown */
	size_t spatial;        /* how many convolutions and poolings were built */
	bool stopped;          /* too many steps, or a cap was hit */
	struct origin **reads; /* what the item that is being built has read */
	size_t n_reads;
	const struct expr *field; /* what field_of has read last, within what, and where */
	const struct scope *field_in;
	struct place field_at;
};

static const struct value unknown = { .kind = VALUE_UNKNOWN };

struct value value_int(int64_t i);
struct value value_flag(bool b);
struct value value_real(struct recording *r, double x, struct place at); /* refuses what is not finite */
bool value_is_number(struct value v);
const char *value_text(struct recording *r, struct value v); /* "3", "a list", "the word 'a'" */

/* How many results a tensor has, and result k; unknown if there is none. */
size_t value_results(struct value v);
struct value value_result(struct value v, size_t k);

/* Says that something is wrong, or has the graph fail if nothing is to be said; unknown. */
struct value wrong(struct recording *r, int code, struct place at, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* The value as a node: a number becomes a constant. NULL: unknown, or after a message. */
ad_node *value_node(struct recording *r, struct value v, struct place at);

/* Counts an item or operation, or n numbers; false where there are too many. */
bool count_step(struct recording *r, struct place at);
bool count_steps(struct recording *r, struct place at, size_t n);

/* Goes one level deeper, as `r->nested--` comes back; false where that is too deep. */
bool go_deeper(struct recording *r, struct place at);

/* ---- evaluation (eval.c, number.c, call.c, index.c) ------------------------------------------ */

struct value eval(struct recording *r, const struct scope *in, const struct expr *e);
struct value eval_yaml(struct recording *r, const struct scope *in, const struct yaml *y);
struct value number_binary(struct recording *r, const struct expr *e, struct value a,
                           struct value b);
struct value number_call(struct recording *r, const char *name, struct value x, struct place at);
struct value call_eval(struct recording *r, const struct scope *in, const struct expr *e);
struct value index_eval(struct recording *r, const struct scope *in, const struct expr *e);

/* A number, true or false, a list, an expression of names within reach, or else a word. */
struct value eval_loose(struct recording *r, const struct scope *in, const struct yaml *y);

/* What the item that is being built reads. */
void read_origin(struct recording *r, struct origin *o);

/* ---- ops (record.c) -------------------------------------------------------------------------- */

/* Nodes recorded from now on are declared at that place: for messages about their values. */
void set_origin(struct recording *r, struct place at);

/* Records an op; from[i] may be NULL. After a failure says so and returns an unknown value. */
struct value record(struct recording *r, const char *op, struct place at, struct place span,
                    size_t n_in, const struct value in[], size_t n_settings,
                    const ad_setting settings[]);

/* In the check, when the loss is there: refuses an op without a derivative that its gradient has to come through. */
void refuse_underived(struct recording *r);

/* The op that an operator records; // is two. */
const char *op_of_sign(enum binary sign);

/* Says at `at` what the graph has refused, in the words of the model, and clears it. */
void say_failure(struct recording *r, struct place at, const char *op, size_t n_in,
                 const struct value in[]);

/* ---- fields (field.c) ------------------------------------------------------------------------ */

/* A setting from a value or from the tree, by the attribute's type. False after a message. */
bool setting_of(struct recording *r, const struct scope *in, const ad_attr *attr, struct value v,
                struct place at, const char *source, ad_setting *to);
bool setting_of_yaml(struct recording *r, const struct scope *in, const ad_attr *attr,
                     const struct yaml *y, ad_setting *to);

/* Adds to what was said about the value at a place where its param is set, if field_of has just found
 * one there: a mistake in its value, which may come from a --set, shows only where it is used. */
void note_param(struct recording *r, struct place at);

/* The value of a scalar for a field that wants a number, true or false: `wants` says which. Unknown
 * after a message. */
struct value field_of(struct recording *r, const struct scope *in, const struct yaml *y,
                      const char *what, const char *wants);

/* False after a message that the value cannot depend on a free dim, where a name in it is one. */
bool known_before(struct recording *r, const struct scope *in, const struct yaml *y, const char *what);

/* True or false; false after a message, with *to as it was. */
bool flag_of(struct recording *r, const struct scope *in, const struct yaml *y, const char *what,
             bool *to);

/* A whole number in least..most, for the field `what`. False after a message. */
bool whole_of(struct recording *r, struct value v, struct place at, const char *what,
              const char *source, int64_t least, int64_t most, int64_t *to);
bool number_of(struct recording *r, struct value v, struct place at, const char *what, double *to);

/* "384 divides by 1 2 3 ...". */
const char *divisors_text(struct recording *r, int64_t n);

/* Notes where the params within an expression come from, of those that an override has set. */
void note_overrides(struct recording *r, const struct scope *in, const struct expr *e);

/* The same for the value of a field in the tree. */
void note_overrides_of(struct recording *r, const struct scope *in, const struct yaml *y);

/* ---- sizes (size.c) -------------------------------------------------------------------------- */

/* "[B, 784]": sizes with free dims by name. */
const char *shape_text(struct recording *r, ad_shape shape);
const char *dim_text(struct recording *r, int64_t dim);
const char *sizes_by_name(struct recording *r, const char *text); /* "(100003, 4)" -> "[B, 4]" */
bool is_free(struct recording *r, int64_t size); /* whether it comes from a free dim */
bool same_shape(ad_shape a, ad_shape b);

/* ---- ops by name (ops.c) --------------------------------------------------------------------- */

/* Which input of an op or layer has this name, "x h?", or -1; the name of input k; how many there
 * are at least and at most. */
int input_find(const char *names, const char *name);
const char *input_name(struct recording *r, const char *names, size_t k);
void input_counts(const char *names, size_t *least, size_t *most);
int op_input(const ad_op *op, const char *name);

/* Messages E001 for an argument and E002, with what is near of what is legal there. */
void say_attribute(struct recording *r, struct place at, const char *name, const char *what,
                   const ad_attr *table);
enum op_place { AS_ITEM, IN_EXPRESSION, AS_BLOCK };
void say_op(struct recording *r, struct place at, const char *name, enum op_place place);

const ad_attr *attr_find(const ad_attr *table, const char *name);
const char *attr_names(struct store *s, const ad_attr *table);
const struct layer *layer_find(const char *name);

/* What the name means as an item there. False: nothing. */
bool kind_find(struct recording *r, const struct scope *in, const char *name, struct kind *to);

/* The values of `defaults` for a kind: a mapping or a single value; NULL. */
const struct yaml *defaults_of(struct recording *r, const char *kind);

/* ---- declarations (check.c) ------------------------------------------------------------------ */

/* Says that a key is not one of those allowed, with the nearest. */
void unknown_key(struct messages *m, const struct yaml *key, const char *where, size_t n,
                 const char *const allowed[]);

/* Whether a list of words, separated by spaces, has this one; list may be NULL. */
bool word_in(const char *list, const char *word);


/* The keys allowed at a path of a --set ("train", "optimizer", "adam"). NULL with *any false: those
 * that stand there already; with *any true: the check will tell. */
const char *const *keys_at(struct store *s, size_t n, const char *const path[], size_t *count,
                           bool *any);

/* A param of a block. */
struct parameter {
	const char *name;
	struct place at;
	const char *type;         /* "int", ... "shape", or "" where a literal is the default */
	const struct yaml *value; /* the default; NULL: required */
	bool used;                /* by some use of the block */
};

/* A block of `defs`. */
struct definition {
	const char *name;  /* "basic", "common.double" */
	const char *space; /* "", "common.": where its own names of blocks are looked for */
	struct place at;
	size_t n_params;
	struct parameter *params;
	const struct yaml *inputs, *weights, *body, *outputs, *check;
	bool broken; /* its declaration has errors that were said */
};

/* What the builders keep of a model. */
struct build {
	struct store store;
	struct scope file;       /* dims and params */
	struct scope bare;       /* nothing: what an included file's blocks see of a file */
	struct scope inputs;     /* numbers of the model's inputs by name */
	struct name **dim_names; /* of model->dims, in file */
	int64_t *primes;         /* of model->dims, in the check */
	struct scope paths;    /* weights by path: their numbers */
	struct scope sites;    /* numbers of items by path */
	size_t n_sites;
	struct site {
		const char *kind, *weights; /* weights: the path of its weights, another's if shared */
	} * site_list;
	struct scope blocks;   /* numbers of definitions by name */
	size_t n_definitions;
	struct definition **definitions;
	struct scope defaults; /* numbers of values in the map `defaults` by op */
	ad_node **check_nodes; /* of model->weights, in the check's graph */
	const struct yaml *root, *model, *loss, *metrics, *output, *weights, *given; /* given: defaults */
	size_t n_origins;
	struct origin **origins; /* of items and equations, in the check */
	size_t n_underived;
	struct {
		ad_node *y;
		struct place at;
	} * underived; /* see refuse_underived */
	bool initialised;        /* the weights have their initial values */
};

/* declare.c: params, inputs; names of weights. define.c: defs and defaults. */
void declare_params(struct recording *r, const struct yaml *y);
void declare_inputs(struct recording *r, const struct yaml *y);
void declare_weights(struct recording *r, const struct yaml *y);
void define_blocks(struct recording *r, const struct yaml *defs);
void define_defaults(struct recording *r, const struct yaml *defaults);
void require_plugins(struct recording *r, const struct yaml *plugins);

/* Whether one of the map's unknown keys is meant to be this one: then that was said already, and the
 * key does not lack besides. */
bool misspelt(const struct yaml *map, const char *key, size_t n, const char *const list[]);

/* Whether y is a mapping whose keys are all in the list; says what is not. */
bool check_map(struct recording *r, const struct yaml *y, const char *where, size_t n,
               const char *const list[]);

/* A word out of a few: which one, or -1 after a message. */
int word_of(struct recording *r, const struct yaml *y, const char *key, size_t n,
            const char *const list[], const char *help);

/* What stands there, for "not 'x'": a word in quotes, or what kind of thing it is. */
const char *shown(struct recording *r, const struct yaml *y);

/* The struct of a table, filled with the settings. NULL after a message. */
void *fill_settings(struct recording *r, const char *what, const ad_attr *table, size_t size, size_t n,
                    const ad_setting settings[], struct place at);

/* One setting, of which no number is negative; a field that is a whole number from `least`, `otherwise`
 * where it is left out or wrong; the scalar with ${name} replaced by params. */
bool number_setting(struct recording *r, const ad_attr *a, const struct yaml *y, ad_setting *to);
int64_t whole_field(struct recording *r, const struct yaml *map, const char *key, int64_t least,
                    int64_t otherwise);
const struct yaml *with_params(struct recording *r, const struct yaml *y);

/* The scalar's path as the process can open it: relative ones start at the folder of its file. */
const char *file_path(struct recording *r, const struct yaml *y);

void check_top(struct recording *r);
void check_train(struct recording *r); /* regime.c */

/* `valid.loss`, `train.acc`: false after a message. */
bool read_watched(struct recording *r, const struct yaml *y, const char *key, struct watched *to);
void check_plan(struct recording *r); /* plan.c */
const char *const *plan_keys(const char *where, size_t *count); /* of sweep and draw; NULL: another */
void check_groups(struct recording *r); /* after the weights are known */
void check_data(struct recording *r);

/* Says which keys of a file's top level are none of the language's, and that it is of another version of it. */
void check_top_keys(struct messages *m, const struct yaml *root);
void check_unused(struct recording *r);

/* Whether a name may stand here: a word that is none of the language's own. False after a message.
 */
bool check_name(struct recording *r, const struct yaml *key, const char *what);

/* The initial values that y declares (init.c). False after a message. */
bool init_of(struct recording *r, const struct scope *in, const struct yaml *y, struct init *to);

/* Whether `init:` is {weight: he, bias: ones}, not he or {normal: 0.1}. */
bool init_by_weight(const struct yaml *y);

/* Says what is wrong with it, whatever the layer; and which of its names are not the layer's weights. */
void init_check(struct recording *r, const struct scope *in, const struct yaml *y);
void init_check_names(struct recording *r, const char *layer, const struct yaml *y, size_t n,
                      const char *const weights[]);

/* ---- building: arguments (argument.c) -------------------------------------------------------- */

/* Whether it is a word that may stand beside an item's op, "as". */
bool is_item_key(const char *word);

/* An item, taken apart. */
struct item {
	const struct yaml *at; /* the whole */
	const struct yaml *key, *arg;
	const struct yaml *as, *from, *repeat, *each, *when, *share, *freeze, *lr_scale, *init, *shape,
		*checkpoint;
	struct kind kind;
	bool varies; /* the key is a counter of `each`: the kind is another one each time */
	bool *begun; /* of copies: whether one before has been built; NULL: the item is none */
};

/* An op, layer or block with its arguments as they come. */
struct call {
	struct recording *r;
	const struct scope *in;
	struct kind kind;
	const char *name;  /* as written */
	struct place at;   /* of the name */
	struct place span; /* of the whole */
	const struct yaml *arg;  /* of an item; may be NULL */
	const struct yaml *init; /* for weights: of the item, of its argument, of defaults */
	const struct scope *init_scope;
	size_t n_asked; /* weights that the layer has asked for, by name */
	const char **asked;
	const struct yaml *share; /* single tensors of others: {weight: tok.weight} */
	bool *share_used;         /* which of them the layer has asked for */
	const char *shared;       /* the path of the item whose weights these are; NULL */
	size_t n_in, n_settings;
	struct value *inputs;
	ad_setting *settings;
	struct given { /* values of a block's params, as its definition has them */
		bool given;
		struct value value;
		struct place at;
	} * given;
	size_t n_named;
	struct { /* attributes of a layer whose value is a block, layer or op */
		const char *attr;
		const struct yaml *y;
		const struct scope *in;
	} * named;
	bool expression;   /* in an expression, not an item */
	bool known;        /* all that was given is there */
	int errors;        /* that were there before its arguments were read */
	size_t parameters; /* of the weights that it made */
};

void call_input(struct call *c, struct value v);

/* Whether the list in an op's argument is all of its inputs, so that what stands before is none: where the op takes
 * any number, the list names prev, or prev would be one too many. */
bool call_lists_all(const struct call *c);

/* Takes the arguments of an item, `conv2d: {out: 3}`, `dropout: 0.1`, `concat: [prev, a]`. */
void call_take(struct call *c);

/* Takes those of a call in an expression. */
void call_take_expr(struct call *c, const struct expr *e);

/* Takes those that `defaults` has and that were not given, and says what is missing. */
void call_complete(struct call *c);

/* Builds it below a component of the path. */
struct value call_build(struct call *c, const char *component);

/* The value of a block's param from the tree, of the type that the param wants. */
struct value param_value(struct recording *r, const struct scope *in, const struct parameter *p,
                         const struct yaml *y);

/* Says that nothing stands before it. */
struct value no_input(struct call *c);

/* A call of what y names: a word, or {word: arguments}, as in `field: block`, `cell: name`. False
 * after a message. */
bool call_named(struct call *c, struct recording *r, const struct scope *in, const struct yaml *y,
                const char *what, enum op_place place);

/* ---- building: weights (weight.c) ------------------------------------------------------------ */

struct layer_site {
	struct recording *recording;
	struct call *call;
	const char *path;    /* of the item */
	const char *weights; /* of its weights: another item's where they are shared */
	struct place at;
	bool known;          /* its weights are there already */
	size_t parameters;   /* made by this item */
	size_t n_in;
	ad_node **inputs;
	struct scope applied; /* attributes whose block was applied before */
};

/* The node of a weight that is declared by name: a number, a shape, or {shape, init}. */
ad_node *weight_declared(struct recording *r, const struct scope *in, const struct yaml *key,
                         const struct yaml *y);

/* Remembers an item for those that share its weights. */
void add_site(struct recording *r, const char *component, const struct kind *kind,
              const char *shared, struct place at);

/* The path of the weights of the item that `share: NAME` means, NULL after a message. */
const char *share_item(struct recording *r, const struct yaml *share, const struct kind *kind,
                       const char *component);

/* ---- building: bodies (item.c, equation.c, compose.c, scan.c, block.c, build.c) --------------- */

/* A list of items or a set of equations; prev: what the first item eats. */
struct value build_body(struct recording *r, struct scope *body, const struct yaml *y,
                        struct value prev);
struct value build_items(struct recording *r, struct scope *body, const struct yaml *list,
                         struct value prev);
struct value build_equations(struct recording *r, struct scope *body, const struct yaml *map);
struct value build_item(struct recording *r, struct scope *body, const struct yaml *y,
                        const char *name, struct value prev);

/* chain, residual, parallel, scan. component is NULL where it adds nothing to paths. */
struct value build_chain(struct recording *r, const struct scope *in, const struct item *item,
                         const char *component, struct value x);
struct value build_residual(struct recording *r, const struct scope *in, const struct item *item,
                            const char *component, struct value x);
struct value build_parallel(struct recording *r, const struct scope *in, const struct item *item,
                            const char *component, struct value x);
struct value build_scan(struct recording *r, const struct scope *in, const struct item *item,
                        const char *component, size_t n_in, const struct value x[]);
struct value build_block(struct call *c, const char *component);

/* Checks the body of a block that nothing uses, as far as that goes without shapes. */
void probe_block(struct recording *r, const struct definition *d);

/* The level below a component, NULL: the same paths with counts of its own; with the weights of
 * another item where `shared` is its path. */
struct level level_below(struct recording *r, const char *component, const char *shared,
                         struct place at);

/* The component of a path for the next item of a kind: "linear", then "linear_2". */
const char *next_component(struct recording *r, const char *kind, struct place at);

/* Gives a result a name in the body it stands in. */
void name_value(struct recording *r, struct scope *body, const struct yaml *as, struct value v);

struct origin *new_origin(struct recording *r, const char *what, const char *path,
                          struct place at);

/* What stands for an expression without a name: all that was read. */
struct origin *reads_origin(struct recording *r, struct place at);

/* An item or equation whose result should be used by something. */
struct origin *item_origin(struct recording *r, const char *name, const char *path,
                           struct place at);

/* A row of `autograd show`: added, or its place taken first and filled later, in pairs. -1: none is
 * wanted. */
int open_row(struct recording *r, const char *path, const char *kind);
void fill_row(struct recording *r, int row, struct value v, size_t parameters);
void add_row(struct recording *r, const char *path, const char *kind, struct value v,
             size_t parameters);
void add_named(struct recording *r, const char *name, ad_node *node);

/* Takes a mapping or word apart into the op and the reserved words; false after a message. */
bool open_item(struct recording *r, const struct scope *in, const struct yaml *y, struct item *to);

/* What was recorded since the mark before belongs to the item of this path; NULL: to the item whose
 * mark with a path was not followed by one without. Two calls an item: with its path where it is known,
 * without when it ends (instance.c). Rows make these calls. */
void mark_nodes(struct recording *r, const char *path);

/* Gives the graph the assignments of this recording in place of those of another (instance.c). */
struct instance *instance_activate(ad_model *m, struct instance *in);

/* Records the whole model for r->dims into `to`; what is wrong is said in r->messages. */
void build_model(struct recording *r, struct instance *to);

#endif
