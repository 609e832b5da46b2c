/*
 * autograd_model: models declared in YAML: opened, checked, trained, evaluated.
 *
 *	ad_model *m = ad_model_open("digits.yaml", 0, NULL);
 *
 *	if (ad_model_errors(m) > 0)
 *		return ad_model_messages(m, stderr, false), 2;
 *	ad_train_options o = { .run = "runs/digits" };
 *	char error[512];
 *	if (ad_model_train(m, &o, error, sizeof error) != AD_RUN_DONE)
 *		return fprintf(stderr, "%s\n", error), 1;
 *	ad_model_close(m);
 *
 * or step by step, see ad_model_step below.
 */
#ifndef AUTOGRAD_MODEL_H
#define AUTOGRAD_MODEL_H

#include "autograd.h"

#include <stdbool.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default) /* the library is built with all else hidden */
#endif

typedef struct ad_model ad_model;

/* Reads, checks and builds a declaration. overrides: "train.epochs=3", in the file's own grammar.
 * Returns NULL only without memory, which all functions take as a model with one error; what is wrong with
 * the file stands in its messages. */
ad_model *ad_model_open(const char *path, size_t n_overrides, const char *const overrides[]);
void ad_model_close(ad_model *m);

/* Number of errors; 0: the model can be used. */
int ad_model_errors(const ad_model *m);

/* Prints all errors and warnings, by line; as text or as one JSON object a line. */
void ad_model_messages(const ad_model *m, FILE *to, bool json);

/* Samples, weights, the optimizer's state and what an evaluation takes: no more than this in bytes (0: no
 * limit). What would take more fails before it takes it. */
void ad_model_limit_memory(ad_model *m, size_t bytes);

const char *ad_model_name(const ad_model *m);
ad_graph *ad_model_graph(const ad_model *m);

/* The trainable and other weights, by number; their paths ("linear_2.weight"). */
size_t ad_model_weights(const ad_model *m);
ad_node *ad_model_weight(const ad_model *m, size_t k, const char **path);

/* The weight of this path, to be read by ad_get and written by ad_set; NULL: there is none. */
ad_node *ad_model_param(ad_model *m, const char *path);

/* Reads all weights from a file of a run ("runs/net-1/last.safetensors"), and writes them to one. False with
 * a sentence in error. */
bool ad_model_load(ad_model *m, const char *path, char *error, size_t n);
bool ad_model_save(ad_model *m, const char *path, char *error, size_t n);

/* ---- runs and steps with data of one's own -------------------------------------------------------
 *
 *	double x[2 * 64] = { ... }, y[2] = { 3, 7 };
 *	ad_model_input batch[] = { { "x", AD_SHAPE(2, 64), x }, { "y", AD_SHAPE(2), y } };
 *
 *	for (int step = 0; step < 100; step++)
 *		printf("%g\n", ad_model_step(m, 2, batch));
 *	ad_get(ad_model_run(m, 1, batch), scores, 2 * 10);
 *
 * Values are given as they reach the model: what `map` says is for the file's own data. A failure stands
 * in ad_errmsg(ad_model_graph(m)) until ad_clear. */

/* Values of one input, row-major; whole numbers where its type is i32 or bool. */
typedef struct {
	const char *name;
	ad_shape shape;
	const double *values;
} ad_model_input;

/* Evaluates the output for these inputs, as outside of training; inputs that it does not depend on may be left
 * out. Valid until the next call that takes the model; NULL after a failure. */
ad_node *ad_model_run(ad_model *m, size_t n, const ad_model_input inputs[]);

/* What the file names (an item's `as`, an equation, an input), or "loss", in the recording of the last run or
 * step; ad_forward evaluates it. NULL: no such name, or no recording yet. */
ad_node *ad_model_value(ad_model *m, const char *name);

/* One training step for this batch, by the file's optimizer with `groups`, `lr_scale`, `clip` and `schedule`
 * (an epoch is one step). With `accumulate: n` every n-th call moves the weights, by the mean gradient of the
 * samples of all n batches. The loss of the batch before the step; NaN after a failure, which leaves the weights
 * and the running statistics as they were and does not count: a loss or a gradient that is not finite is one. */
double ad_model_step(ad_model *m, size_t n, const ad_model_input inputs[]);

/* ---- trainings with the file's data ---------------------------------------------------------------- */

/* How a training ended; the command's exit codes. */
typedef enum {
	AD_RUN_DONE = 0,
	AD_RUN_FAILED = 1,
	AD_RUN_REFUSED = 2,
	AD_RUN_DIVERGED = 3,
	AD_RUN_STOPPED = 75, /* by SIGUSR1, which schedulers of jobs send before the end of a time limit */
	AD_RUN_INTERRUPTED = 130,
	AD_RUN_TERMINATED = 143
} ad_run_status;

/* Where the seconds of a training went, beside its evaluations, of which ad_profile_rows tells. */
typedef struct {
	double all;       /* from the call to its return */
	double recording; /* the model and its gradients, once for each size of a batch */
	double data;      /* reading, splitting, ordering and copying samples */
	double optimizer; /* norms of gradients and steps */
	double files;     /* the run folder: log, weights, result */
} ad_train_times;

typedef struct {
	const char *run;   /* folder to make; NULL: runs/NAME-N under the current folder */
	FILE *progress;    /* NULL: silent */
	bool terminal;     /* progress is one status line that is rewritten */
	bool plain;        /* ASCII only */
	bool dry;          /* one step, nothing written */
	bool anomaly;      /* ends with AD_RUN_DIVERGED at the first op that makes a NaN or an infinity */
	bool leave_signals; /* else a first SIGINT, SIGTERM or SIGUSR1 ends the training after its step */
	char *folder;      /* out, may be NULL: where the run's folder name is copied to */
	size_t folder_size;
	ad_train_times *times; /* out, may be NULL */
	/* Called after each step whose gradients the file wants drawn (`gradients: {draw: true}`): copy is the
	 * model as it was before the step, evaluated for the step's last batch with all gradients kept. It may
	 * be looked at until the return. NULL: nothing is drawn. */
	void (*draw)(void *context, ad_model *copy, const char *folder, int64_t step);
	void *context;
	void (*logged)(void *of, const char *folder); /* called after each line of the log; NULL: it is not */
	void *logged_of;
	/* Goes on with the training in the folder `run`, which m is the config.yaml of, as if it had never
	 * stopped: to the same bits. */
	bool resume;
	double save_seconds; /* how often that is made possible, beside the end; 0: each 30 s, less often where it
	                      * takes more than 1/20 of the time */
} ad_train_options;

ad_run_status ad_model_train(ad_model *m, const ad_train_options *o, char *error, size_t n);

/* ---- optimizers, for training loops of one's own ---------------------------------------------
 *
 *	ad_optimizer *o = ad_optimizer_open(g, "adam", "lr=1e-3 betas=[0.9,0.999]", 0, NULL);
 *
 *	for (int step = 0; step < 1000; step++)
 *		if (ad_backward(loss) != AD_OK || ad_optimizer_step(o) != AD_OK)
 *			return fprintf(stderr, "%s\n", ad_errmsg(g)), 1;
 *	ad_optimizer_close(o);
 */

typedef struct ad_optimizer ad_optimizer;

/* An optimizer by its name and settings as in the YAML files ("autograd ops adam" lists them); what is
 * not set has its default. It moves the n params given, or all params that the graph has now and that want
 * a gradient if params is NULL, and keeps its state outside the graph: it is closed on its own, before the
 * graph or after it. NULL after a failure: ad_errmsg(g) says which; the functions below take NULL and fail
 * with AD_ERROR_ARGUMENT. */
ad_optimizer *ad_optimizer_open(ad_graph *g, const char *name, const char *settings, size_t n,
                                ad_node *const params[]);

/* Other settings for these of its params, as "weight_decay=0" for biases; what is not named is as the
 * optimizer was opened with. An lr of their own keeps its ratio when the optimizer's is set. A failure changes
 * nothing. */
ad_status ad_optimizer_set(ad_optimizer *o, const char *settings, size_t n, ad_node *const params[]);

/* From now on a step shortens the gradients, all together, to this Euclidean norm where theirs is larger
 * (R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural networks", 2013);
 * 0, as at first: it takes them as they are. */
ad_status ad_optimizer_set_clip(ad_optimizer *o, double norm);

/* One step by the gradients that the last ad_backward gave (ad_gradient); a param that it did not pass
 * stays. A failure leaves all params as they are. Does not look whether gradients are finite. The same
 * bits for any number of threads. */
ad_status ad_optimizer_step(ad_optimizer *o);

/* The Euclidean norm of all these gradients together: to watch it, or to see that it is finite before a
 * step. NaN after a failure. */
double ad_optimizer_norm(ad_optimizer *o);

/* The learning rate of the steps to come; a number from 0. */
double ad_optimizer_rate(const ad_optimizer *o);
ad_status ad_optimizer_set_rate(ad_optimizer *o, double lr);

/* Frees it; NULL is allowed. */
void ad_optimizer_close(ad_optimizer *o);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
