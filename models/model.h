/*
 * model: what the parts of models/ share, in the order in which a declaration passes through them:
 * yaml.c (tree with marks) -> check.c (keys, types) -> build.c (graph) -> data/, optim/, train.c.
 * Not installed; autograd_model.h is the public header.
 */
#ifndef AUTOGRAD_MODEL_INTERNAL_H
#define AUTOGRAD_MODEL_INTERNAL_H

#include "autograd.h"
#include "autograd_model.h"

#include <stdio.h>

/* ---- places and messages (message.c) ------------------------------------------------------- */

/* A stretch of one line of a file, counted in code points from 1; end is one past the last. file: the
 * number of a source of the messages, 0 for the model file itself. */
struct place {
	int line, col, end;
	int file;
};

/* Everything said about one file, in the form of LANGUAGE.md: errors by line, at most 20 printed. */
struct messages;
struct messages *messages_new(const char *file, const char *text, size_t length);
void messages_free(struct messages *m);

/* An error at a place. code: 1 for E001. Returns false, for `return message(...)`. hint stands behind
 * the caret ("did you mean 'epochs'?"), help on a line of its own; either may be NULL. */
bool message(struct messages *m, int code, struct place at, const char *hint, const char *help,
             const char *format, ...) __attribute__((format(printf, 6, 7)));
void message_warning(struct messages *m, struct place at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Adds to the last message: a second source line with a caret line and text ("first here"), or a
 * note with a place at its end. */
void message_also(struct messages *m, struct place at, const char *text);
void message_note(struct messages *m, struct place at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* An error that is found too late to be kept, E020 of the data, as it would be printed, but without a
 * line feed at the end: its place, the source line, a caret. If it does not fit, its first line alone.
 * Returns false. */
bool message_write(const struct messages *m, int code, struct place at, const char *text, char *to,
                   size_t n);

int messages_errors(const struct messages *m);
void messages_print(const struct messages *m, FILE *to, bool json);

/* A page about an error (explain.c): examples are whole files. By code; ends with code 0. */
struct explanation {
	int code; /* 1 for E001 */
	const char *title, *text, *wrong, *right;
};
extern const struct explanation explanations[];

/* The candidate that is word but for capitals and underscores, or has in other frameworks its name, or is nearest
 * to it by Damerau-Levenshtein distance, if that is at most a third of its length, 1 of three letters, 2 of four or
 * five; NULL otherwise. */
const char *nearest(const char *word, size_t n, const char *const candidates[]);

/* ---- the tree (yaml.c) ------------------------------------------------------------------------ */

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct expr;

struct yaml {
	enum yaml_kind kind;
	struct place at;   /* of a scalar; of the opening of a list or map */
	bool quoted;       /* a scalar in quotes is a string, never a number */
	bool flow;         /* in [ ] or { } */
	const char *text;  /* of a scalar; aliases are expanded */
	size_t n;          /* items of a list or pairs of a map */
	struct yaml **items; /* values */
	struct yaml **keys;  /* of a map; NULL for a list */
	struct expr **expr;  /* of a scalar: where its expression is kept once it was read; may be NULL */
};

/* Reads one document under the limits of the language; messages tell what is wrong. NULL only
 * without memory or if nothing could be read. The tree lives until yaml_free. */
struct yaml_tree;
struct store;
struct yaml_tree *yaml_read(const char *text, size_t length, struct messages *m);
struct yaml *yaml_root(struct yaml_tree *t);
void yaml_free(struct yaml_tree *t);
struct yaml *yaml_get(const struct yaml *map, const char *key); /* NULL: absent */
void yaml_write(const struct yaml *y, FILE *to); /* as YAML that reads back equal */
const char *yaml_flow(struct store *s, const struct yaml *y); /* the same on one line */

/* The same with what note writes at the end of each line that has a value; note may be NULL. */
void yaml_write_noted(const struct yaml *y, FILE *to,
                      void (*note)(void *of, const struct yaml *value, FILE *to), void *of);

/* ---- data (data/NAME.c, data.c) ------------------------------------------------------------------ */

/* How the samples of an input of type AD_REAL lie in memory. */
enum column_form {
	COLUMN_DOUBLES,
	COLUMN_FLOATS,
	COLUMN_BYTES, /* each the number of a value in `values`: an image takes an eighth of its doubles */
};

#define MOST_TABLES 4 /* of the values of bytes: one for each channel of a picture */

/* The samples of one model input: n of them, each of `shape`. */
struct column {
	const char *input;
	ad_type type;    /* of the model's input: data has reals as `form` says, int32_t, or bytes for bool */
	enum column_form form;
	double *values;  /* of COLUMN_BYTES: tables of 256, each for as many elements of a sample, in order */
	size_t tables;
	ad_shape shape;  /* of one sample; a size of -1 is found by the format, from the data */
	size_t per;      /* elements of one sample; 0 where such a size is not found yet */
	bool target;
	void *data;
};

struct dataset {
	size_t n; /* samples */
	size_t limit; /* bytes that it may take; 0: DATA_MAX_BYTES */
	int n_columns;
	struct column *columns;
	bool unreadable; /* it could not be read for its file or for want of memory, not for what is in it */
	char *path;      /* of the text that the samples stand in, each at a line; NULL: they have none */
	char *classes;   /* names of the classes that its targets are, in order, each with a line feed; NULL: numbers */
	size_t *places;  /* of each sample: its line in path, else its number in its source, from 0 */
	struct place at; /* of the source in the declaration */
};

/* Where an input's values come from in a source: `x: 0..63` for csv, a path for idx. */
struct binding {
	const char *input;
	const struct yaml *from;
};

/* One data source as declared and checked. */
struct source {
	const struct format *format;
	void *attrs;              /* the format's struct, filled */
	int n_bindings;
	struct binding *bindings;
	struct place at;
	const char *folder;       /* of the YAML file: relative paths start there */
	const char *path;         /* of the YAML file, for errors about the declaration; set by data.c, */
	const struct messages *messages; /* as are these; NULL: errors do without the source line */
	uint64_t seed;            /* for generated sets */
};

/* A data format or generator: one file in data/, named format_NAME. read sets columns[k].data (malloc)
 * and n for the columns it was given (input, type, shape and per are set), path and places if the samples
 * have lines, or leaves a sentence in
 * error ("FILE:LINE: reason") and returns false. attrs: its fields in the YAML, of which those named file,
 * dir and vocabulary are paths; besides these, names of inputs are keys where `binds` is set. */
struct format {
	const char *name, *doc;
	const ad_attr *attrs;
	size_t attrs_size;
	bool binds;
	bool paths;         /* what inputs are bound to are paths */
	const char *trees;  /* more keys, "columns rows": lists, whose YAML arrives as it stands, as
	                     * bindings of that name; NULL: none */
	bool (*read)(const struct source *s, struct dataset *to, char *error, size_t n);
};
extern const struct format *const formats[]; /* generated; ends with NULL */

/* One step of `map: {x: [{scale: 1/255}, standardize, flatten]}`. */
enum map_kind { MAP_SCALE, MAP_NORMALIZE, MAP_STANDARDIZE };
struct map_step {
	const char *input;
	enum map_kind kind;
	double scale;            /* scale: x * scale */
	size_t n;                /* normalize: (x - mean) / std, one of each or one for each channel */
	const double *mean, *std;
};

/* One step of `augment: {x: [{random_crop: {pad: 4}}, random_flip]}`: pictures, whose last two axes are
 * height and width. */
enum augment_kind { AUGMENT_CROP, AUGMENT_FLIP };
struct augment_step {
	const char *input;
	enum augment_kind kind;
	int64_t pad; /* crop: as much to each side, filled with 0; then a part of the first size */
	double p;    /* flip: left and right are exchanged with this probability */
};

/* A part that is split off another: `valid: {split: 0.1, of: train, how: random|tail}`. */
struct split {
	bool given;
	double fraction;
	bool tail;
	bool of_test; /* of: test */
};

struct data_spec {
	bool given;
	bool has_train, has_valid, has_test;
	struct source train, valid, test;
	struct split split_valid, split_test;
	int n_map;
	struct map_step *map;
	int n_augment;
	struct augment_step *augment;
	int64_t batch;  /* 0: all samples at once */
	bool shuffle;   /* before each epoch; default true */
	bool draw_random; /* draw: random: each step takes `batch` samples at random */
};

/* ---- training (optim/NAME.c, train.c) -------------------------------------------------------------- */

enum { OPTIMIZER_STATES = 3, OPTIMIZER_RATES = 8 };

/* An optimizer: one file in optim/, named optimizer_NAME; see optimizer.h. */
struct optimizer {
	const char *name, *doc;
	const struct optimizer *const *variants; /* by 2 * level of instructions + f64 */
	const ad_attr *attrs;                    /* one of them `lr` */
	size_t attrs_size;
	/* Refuses attributes out of range with a sentence ("sgd: lr is -1; ..."). */
	bool (*check)(const void *attrs, char *error, size_t n);
	/* Which state arrays it keeps for each param: bit k for state[k]. */
	unsigned (*states)(const void *attrs);
	/* What is the same for all elements of step t, counted from 1. */
	void (*prepare)(const void *attrs, double lr, int64_t t, double rates[OPTIMIZER_RATES]);
	/* Moves n elements w by their gradients g, in the variant's type; state[k] is NULL or n elements, zero
	 * before the first step. */
	void (*step)(const double rates[], size_t n, void *w, const void *g, void *const state[]);
	double (*squares)(size_t n, const void *g); /* their sum */
};
extern const struct optimizer *const optimizers[]; /* generated; ends with NULL */

/* What a param has of its own: other settings (NULL: those of all) and a factor of the learning rate. */
struct optimizer_manner {
	const void *attrs;
	double lr_scale;
};

/* An optimizer that moves these params, at most one of them twice. attrs are filled and checked; they are
 * copied, but for their lists. of[k]: what param k has of its own; NULL: none has. Where the learning rate
 * changes, one of a param's own changes in proportion. NULL: a sentence in error. (optimizer.c) */
ad_optimizer *optimizer_open(ad_graph *g, const struct optimizer *kind, const void *attrs, size_t n,
                             ad_node *const params[], const struct optimizer_manner of[], char *error,
                             size_t size);

/* The learning rate among filled attrs. */
double optimizer_lr(const struct optimizer *kind, const void *attrs);

/* A step in three parts: finds the elements of gradients[k] of param k, which may be NULL, after an
 * evaluation (false: the graph has the failure); their Euclidean norm, one pass over them; moves the params
 * by the gradients times scale. before[k], unless it or before is NULL, takes the elements of param k as
 * they were. */
bool optimizer_find(ad_optimizer *o, ad_node *const gradients[]);
double optimizer_norm(ad_optimizer *o);
bool optimizer_move(ad_optimizer *o, double scale, void *const before[]);

/* For a step over several evaluations: after optimizer_find of each, adds share times the gradients to sums
 * of its own; at last lets these be the gradients. And those found of param k, or NULL. */
bool optimizer_add(ad_optimizer *o, double share, char *error, size_t size);
void optimizer_take_sums(ad_optimizer *o);
const void *optimizer_gradient(const ad_optimizer *o, size_t k);

/* State j of param k, from 0, of as many elements as the param; NULL: it has none. With all of them, the rate and
 * the number of steps done an optimizer goes on where another was. */
void *optimizer_state(const ad_optimizer *o, size_t k, int j);
void optimizer_go_on(ad_optimizer *o, int64_t steps, double rate);

/* How the learning rate changes (schedule.c). */
struct schedule {
	const char *name, *doc;
	const ad_attr *attrs;
	size_t attrs_size;
	bool (*check)(const void *attrs, double lr, char *error, size_t n);
	/* Of step `step`, counted from 0, of `total`, with so many steps in an epoch. lr: the optimizer's own. */
	double (*rate)(const void *attrs, double lr, int64_t step, int64_t total, int64_t per_epoch);
};
extern const struct schedule schedules[]; /* ends with a name of NULL */

/* `250 steps`, `1 epoch`; n 0: never. */
struct period {
	int64_t n;
	bool epochs;
};

/* A number of a training: loss (value 0) or metric value - 1, of the valid or the train part. */
struct watched {
	bool given, valid, most; /* most: the larger the better */
	int value;
};

/* Settings for the weights whose path matches, of which the first group that matches holds. */
struct train_group {
	const char *match;
	const char *pattern; /* the same, with [2] and [*] as they stand in paths */
	const void *attrs; /* the optimizer's, those of all with what the group says */
	double lr_scale;
	struct place at;
};

struct train_spec {
	bool given;
	int64_t epochs, steps; /* -1: not given */
	uint64_t seed;
	bool f64, bf16; /* bf16: products of training steps; all else in f32 */
	const struct optimizer *optimizer;
	void *optimizer_attrs;
	int64_t log;  /* `log: n`: a line on the terminal every n epochs; 0: as the output decides */
	const struct schedule *schedule; /* NULL: the rate stays */
	void *schedule_attrs;
	double clip;        /* the gradient's norm is at most this; 0: as it is */
	int64_t accumulate; /* batches of a step */
	int n_groups;
	struct train_group *groups;
	struct period eval; /* when the valid part is measured */
	struct {
		struct watched watch;
		int64_t patience; /* measurements without a better one until the training ends */
	} early_stop;
	struct {
		bool given;
		struct period every;
		int64_t keep; /* the newest so many; 0: all */
		struct watched best;
	} checkpoint;
	struct period gradients; /* when they are recorded */
	bool draw_gradients;     /* and drawn */
	const char *from;        /* run folder or file of the weights to begin with; NULL: initial values */
};

/* ---- sweeps (plan.c, sweep.c) and diagrams ------------------------------------------------------------ */

#define MOST_TRIALS 10000

/* A param that a sweep varies: n values as they stand in the file, or, n 0, numbers of a range. */
struct swept {
	const char *param;
	size_t n;
	const char *const *values;
	double lo, hi;
	bool log;   /* the logarithm is uniform */
	bool whole; /* whole numbers alone, both ends among them */
};

struct sweep_spec {
	bool given;
	bool random;    /* each trial takes a value of each at random; else all combinations, the last param fastest */
	int64_t trials;
	size_t n_over;
	struct swept *over;
	struct watched goal; /* by which the trials are sorted */
};

/* The value of param `which` in a trial, counted from 0, as text that a file could have; a function of the
 * declaration and its seed. Lives in room where that is needed. (sweep.c) */
const char *sweep_value(const ad_model *m, int64_t trial, size_t which, char *room, size_t n);

/* What stands under `draw`, and what is usual where nothing does. */
struct draw_spec {
	int view, stat;        /* of ad_view, ad_draw_stat */
	int64_t depth;         /* 0: as many levels as there is room for */
	int64_t max_nodes;
	const char *direction; /* "LR"; NULL: as the picture is shaped */
	double thresholds[4];  /* vanishing, weak, strong, exploding */
};

/* ---- layers (layers/NAME.c) and initial values (init.c) ---------------------------------------------- */

enum init_kind { INIT_ZEROS, INIT_ONES, INIT_NORMAL, INIT_UNIFORM, INIT_XAVIER, INIT_HE, INIT_VALUES };
struct init {
	enum init_kind kind;
	bool normal;      /* xavier and he: from a normal, else from a uniform distribution */
	double mean, std; /* normal */
	double lo, hi;    /* uniform */
	const double *values; /* INIT_VALUES: 1 or count */
	size_t n_values;
};

/* A weight of the model: a param, a frozen one, or a running statistic. */
struct weight {
	const char *path;  /* "linear_2.weight" */
	ad_node *node;
	struct init init;
	int64_t fan_in, fan_out;
	struct place at;
	ad_type type;      /* AD_REAL, but for a buffer */
	bool buffer;       /* made by model_buffer: has no gradient */
	bool frozen;       /* `freeze: true`: wants no gradient */
	double lr_scale;   /* factor of the learning rate: the product of `lr_scale` around it, else 1 */
	const char *param; /* that an argument of its layer names: "hidden"; NULL: none */
};

/* The group that the weight of this path belongs to; NULL: none. (regime.c) */
const struct train_group *group_of(const struct train_spec *t, const char *path);

/* Writes initial values into every weight: a function of (seed, path). */
bool init_weights(const ad_model *m, uint64_t seed);

/* Gives the weights their initial values once, before they are first used: opening a file takes no
 * memory of the size that the file states. False: the graph has the failure. */
bool model_ready(const ad_model *m);

/* A layer: one file in layers/, named layer_NAME. build takes x and makes weights by model_weight. A
 * list among its attributes that has a choice takes a word instead of numbers: word k of the choice
 * arrives as a list whose n is LIST_WORD - k. A layer of several results returns ad_pack of them:
 * `as: [y, h]` names them. */
enum { LIST_WORD = -2 };
struct layer_site; /* where in the model: path, place, init given on the item; see weight.c */
struct layer {
	const char *name, *doc;
	const ad_attr *attrs;
	size_t attrs_size;
	ad_node *(*build)(struct layer_site *site, ad_node *x, const void *attrs);
	const char *inputs; /* "x h? c?": what build asks for by layer_input, `?` may be left out; NULL: x */
	const char *blocks; /* attributes, AD_WORD, whose value is a block, layer or op, "field"; NULL: none */
};
extern const struct layer *const layers[]; /* generated; ends with NULL */

/* Input k of the layer being built; NULL: it was left out. Input 0 is build's x. */
ad_node *layer_input(struct layer_site *site, size_t k);

/* The weight NAME of the layer being built: made at the first call for its path, found afterwards.
 * NULL after a message. */
ad_node *model_weight(struct layer_site *site, const char *name, ad_shape shape, struct init init,
                      int64_t fan_in, int64_t fan_out);

/* The same for state without gradient, such as running statistics: kept in checkpoints. */
ad_node *model_buffer(struct layer_site *site, const char *name, ad_type type, ad_shape shape,
                      struct init init);

/* What a buffer becomes in each step of a training; recordings for evaluation leave it. (instance.c) */
void layer_assign(struct layer_site *site, ad_node *buffer, ad_node *value);

/* Memory that lives as long as the model, zeroed; and the site in it, for layer_apply after build has
 * returned: in the gradient of a result. (instance.c) */
void *layer_room(struct layer_site *site, size_t bytes);
struct layer_site *layer_keep(const struct layer_site *site);

/* Whether the recording is the check's, which is for shapes alone: a layer that unrolls records as little as
 * gives them. And whether a size in it stands for one that only the data tells. (instance.c) */
bool layer_checked(const struct layer_site *site);
bool layer_open_size(struct layer_site *site, int64_t size);

enum { MOST_UNROLLED = 1000000 }; /* steps of a sequence that are recorded one by one */

/* What the attribute `attr` of `blocks` names, applied to n_in inputs. Its weights have paths below
 * the layer's, "ode.field.linear.weight"; they are made at the first application and shared by all
 * later ones. The first result, ad_pack of several. NULL after a message. */
ad_node *layer_apply(struct layer_site *site, const char *attr, size_t n_in, ad_node *const in[]);

/* size / by for an attribute that must divide a size: layer_quotient(site, "d", 384, "heads", 7). 0
 * after the message "d/heads = 384/7 is not a whole number, and a dimension must be". */
int64_t layer_quotient(struct layer_site *site, const char *what, int64_t size, const char *attr,
                       int64_t by);

/* ---- the model (check.c, build.c) ------------------------------------------------------------------ */

/* An input as declared. dims[i] >= 0: fixed; -1 - k: the free dimension model->dims[k]. */
struct input {
	const char *name;
	ad_type type;
	int rank;
	int64_t dims[AD_MAX_RANK];
	bool target;      /* role: target */
	bool doubtful;    /* its declaration has errors, so role may not be what it is meant to be */
	bool scalar_leaf; /* a number: wants a gradient */
	double value;
	struct place at;
};

/* A row of `autograd show`: one item of the model. */
struct layer_row {
	const char *path, *kind;
	const char *shape;     /* of its output with free dims by name: "[B, 128]" */
	size_t parameters;     /* its own, each weight once */
	const char *from;      /* "connected to": paths of the items it reads, ", " between */
	int depth;             /* nesting */
};

/* One recording of the model for given sizes of the free dims. Several live side by side. */
struct instance {
	int64_t *dims;       /* sizes of model->dims */
	bool training, bf16;
	ad_node **inputs;    /* as model->inputs; NULL where the recording does not use it */
	ad_node *output, *loss; /* loss may be NULL */
	ad_node **metrics;   /* as model->metrics */
	int n_named;         /* every name the file gives to a value: inputs, equations, as, weights */
	struct named {
		const char *name;
		ad_node *node;
	} *named;
	size_t n_assigned;   /* in training phase: what buffers become */
	struct assigned {
		ad_node *buffer, *value;
	} *assigned;
	size_t n_marks;      /* which nodes were recorded for which item: those from the mark before up to
	                      * this one belong to its path */
	struct node_mark {
		const char *path;
		size_t nodes;
		bool ends; /* the item ends here */
	} *marks;
	ad_node **gradients; /* of each weight; after model_gradients */
};

struct ad_model {
	char *path, *folder;
	const char *name;
	struct messages *messages;
	struct yaml_tree *tree;    /* resolved: extends, include and overrides applied */
	ad_graph *graph;           /* NULL while there are errors */
	bool f64;
	bool bf16;                 /* in recordings for training from now on: see model_take_precision */
	int n_dims;
	const char **dims;         /* names of the free dims, in order of first use */
	int batch_dim;             /* the free dim that leads the inputs; -1: none */
	int n_inputs;
	struct input *inputs;
	int n_weights;
	struct weight *weights;
	int n_metrics;
	const char **metrics;
	int n_rows;
	struct layer_row *rows;
	int n_instances;
	struct instance **instances, *active; /* whose assignments are the graph's */
	struct data_spec data;
	struct train_spec train;
	struct sweep_spec sweep;
	struct draw_spec draw;
	size_t memory_limit;       /* bytes; 0: none */
	bool timed;                /* the training that runs takes its times */
	ad_train_times times;
	struct stepper *stepper;   /* of ad_model_step; NULL before the first */
	struct build *build;       /* build.c's own */
};

/* ad_model_open with the overrides of the environment, AUTOGRAD_SET, before those given. */
ad_model *model_open_here(const char *path, size_t n_overrides, const char *const overrides[]);

/* A trial: the model with values of its sweep, which come last. here: with those of the environment first. */
ad_model *model_open_trial(const char *path, bool here, size_t n_overrides, const char *const overrides[],
                           size_t n_swept, const char *const swept[]);

/* The declaration with all defaults written out, at places of line 0; lives as long as the model. NULL
 * without memory. And where a place is: "mlp.yaml:4:5", "--set params.n=3", "default" (full.c). */
struct yaml *model_full(ad_model *m);

/* What the file says under a key of its top level, what it extends included; all of it for a key of NULL. NULL:
 * nothing, or it cannot be read. */
const struct yaml *model_key(const ad_model *m, const char *key);
char *model_place(const ad_model *m, struct place at, char *text, size_t n);

/* The recording for these sizes and phase: made at the first call, found afterwards. NULL after a
 * failure of the graph (ad_errmsg). Evaluations from now on, until the next call, assign to buffers what
 * it says. */
struct instance *model_instance(ad_model *m, const int64_t dims[], bool training);

/* "f32", "f64" or "bf16": what the declaration says of the training. */
const char *model_precision(const ad_model *m);

/* Before training: its recordings from now on have the products that the declaration says. False with a
 * sentence where the processor cannot compute them. */
bool model_take_precision(ad_model *m, char *error, size_t n);

/* Records the sweep from the instance's loss (or its output, if a single number) once and sets
 * instance->gradients. */
bool model_gradients(ad_model *m, struct instance *in);

/* ---- training and runs (train.c, checkpoint.c, data.c) ------------------------------------------------ */

/* The data of a model, read, split, mapped. False: a sentence in error. */
struct parts {
	struct dataset train, valid, test; /* n = 0: there is none */
	bool unreadable;                   /* after a failure: of one of them */
};
bool data_read(ad_model *m, struct parts *to, char *error, size_t n);
void data_free(struct parts *p);

/* Bytes that the samples take. */
size_t data_bytes(const struct parts *p);

/* The samples of another file in the format of the model's train part, mapped as that one is: for
 * predictions. Targets are not read. Freed by data_free_set. After a failure to->unreadable tells which
 * kind it was. */
bool data_read_input(ad_model *m, const char *path, struct dataset *to, char *error, size_t n);
void data_free_set(struct dataset *d);

/* Element k of the column. */
double column_value(const struct column *c, size_t k);

/* The sizes of the model's free dims when `count` samples of d are fed at once. */
bool data_dims(const ad_model *m, const struct dataset *d, size_t count, int64_t dims[], char *error,
               size_t n);

/* Refuses labels that are no class of the loss that reads them in this recording: for each of the sets,
 * all of its samples (labels.c). */
bool data_check_labels(const ad_model *m, const struct instance *in, size_t n_sets,
                       const struct dataset *const sets[], char *error, size_t n);

/* Copies samples rows[0..count-1] into the instance's inputs. */
bool data_feed(ad_model *m, struct instance *in, const struct dataset *d, const size_t rows[],
               size_t count);

/* Changes the pictures in the instance's inputs at random, as `augment` says: a function of the training's
 * seed and the number of the batch. False: no memory. */
bool data_augment(ad_model *m, struct instance *in, uint64_t batch);

/* Loss and metrics over all samples of d in evaluation phase, weighted by samples: values[0] is the
 * loss (NaN: the model has none), values[1 + k] metric k. d NULL or n = 0: evaluated once, without data. */
bool model_measure(ad_model *m, const struct dataset *d, double values[], char *error, size_t n);

/* The optimizer of m's training, of the weights that want a gradient, with what items and groups say; moved
 * has room for all weights and takes these. NULL: a sentence in error. */
ad_optimizer *model_optimizer(ad_model *m, ad_node *moved[], size_t *n_moved, char *error, size_t n);

/* What `schedule` and `clip` say of a step. */
void set_scheduled_rate(const ad_model *m, ad_optimizer *o, int64_t step, int64_t total, int64_t per_epoch);
double clip_scale(const ad_model *m, double norm);

/* Steps one by one (step.c). */
struct stepper;
void stepper_free(struct stepper *s);

/* Bytes that a training of m, which has an optimizer, keeps outside the graph beside its samples: a copy of
 * the weights, the optimizer's state. */
void train_memory(const ad_model *m, size_t *kept, size_t *state);

/* Weights as a safetensors file, written to a temporary name, synced and renamed; and back, after
 * checks of every field. False: a sentence in error; *refused, which may be NULL, tells whether it is for
 * what is in the file, not for reading it. */
bool checkpoint_write(ad_model *m, const char *path, char *error, size_t n);
bool checkpoint_read(ad_model *m, const char *path, bool *refused, char *error, size_t n);

/* Any arrays as such a file, in this order, with a word in its metadata of what they belong to; and back into
 * `to`, each as long as `bytes`: nothing is written there unless the file has these arrays, of this word, with
 * the checksum that it tells. */
struct stored {
	const char *name, *dtype; /* "F32", "F64", "I32", "I64", "BOOL" */
	ad_shape shape;
	size_t bytes;
	const void *data; /* to be written */
	void *to;         /* to be read into */
};
bool arrays_write(const char *path, size_t n_arrays, const struct stored arrays[], const char *of, char *error,
                  size_t n);
bool arrays_read(const char *path, size_t n_arrays, const struct stored arrays[], const char *of, bool *refused,
                 char *error, size_t n);

/* A weight as such an array, but for where its elements are. */
struct stored stored_weight(const ad_model *m, int k);

#endif
