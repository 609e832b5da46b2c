/*
 * folder: the run folder, which one training leaves behind.
 *
 *	config.yaml       the declaration with --set applied; its data paths work from anywhere
 *	env.txt           what it ran on: version, instructions, threads, processor, memory, system
 *	log.jsonl         one line an epoch: step, epoch, loss, lr, grad_norm, ms, metrics, valid_loss, ...
 *	log.csv           the same columns
 *	result.json       loss and metrics of the trained model on every part; seconds, steps, parameters
 *	last.safetensors  the weights
 *	state.safetensors what --resume goes on from: weights, the optimizer's state, sums and numbers of the
 *	                  training at one step (train.c has the list), which one save replaces as a whole
 *	step-N.safetensors, best.safetensors  the weights at step N, and those that did best (`checkpoint`)
 *	gradients.jsonl   now and then, of a step (`gradients`): of each weight rms, mean, largest size and share
 *	                  of zeros of its gradient, its own rms, and that of its change over it; of the edges of
 *	                  the graph the same four numbers, in arrays
 *	gradients-edges.jsonl  what these edges are: a line for each structure that the graph had; "of" in a
 *	                  record is the number of its line, from 0
 */
#ifndef AUTOGRAD_FOLDER_H
#define AUTOGRAD_FOLDER_H

#include "flow.h"
#include "model.h"

/* What is written line by line. */
enum { LOG_JSONL, LOG_CSV, LOG_GRADIENTS, LOG_EDGES, FOLDER_LOGS };

struct run_folder {
	ad_model *m;
	char *path;
	FILE *logs[FOLDER_LOGS];   /* the last two NULL before their first line */
	int64_t ends[FOLDER_LOGS]; /* bytes up to the last line that stays when the training is stopped and goes on */
	size_t n_hashes;           /* lines of gradients-edges.jsonl */
	uint64_t *hashes;          /* of their lists */
	bool valid; /* the log has columns for a valid part */
	char id[20]; /* of the configuration */
};

/* One epoch, or what has gone of one where the valid part is measured within it, or where it is stopped: then
 * the line is passing. train, valid: loss, then metrics, means over the samples; valid NULL: not measured. */
struct log_row {
	int64_t step;     /* steps done since the start */
	int64_t epoch;    /* from 1 */
	double lr;        /* of the last step */
	double grad_norm; /* mean over the epoch of the gradient's Euclidean norm */
	double ms;        /* mean time of a step */
	const double *train, *valid;
	bool passing;     /* the line goes when the training goes on */
};

/* A part of the data and what the trained model reaches there. */
struct run_part {
	const char *name;
	size_t samples;
	const double *values; /* loss, then metrics; NULL: not measured */
};

struct run_result {
	const char *status; /* "done", "diverged", "interrupted", "terminated", "stopped" */
	struct run_part parts[3];
	int n_parts;
	double seconds;
	int64_t steps, epochs;
	int64_t best_step; /* of best.safetensors; 0: there is none */
	double best;       /* what was watched, there */
};

/* A weight in a step, before its gradient is clipped. */
struct gradient_row {
	const char *path;
	struct measure of; /* its gradient */
	double value;      /* rms of the weight before the step */
	double update;     /* rms of its change over that; NaN: it did not change, the training ended */
};

struct gradient_record {
	int64_t step, epoch;
	double loss, rate;
	size_t n_rows;
	const struct gradient_row *rows;
	const struct flow_result *flow; /* of the step's last batch; NULL: not measured */
};

/* Makes the folder, which must be new, empty, or that of a training that ended before it saved weights,
 * and writes config.yaml. path NULL: runs/NAME-N with the first N from 1 that is free. *taken is set where
 * path is there already. */
bool folder_open(struct run_folder *f, ad_model *m, const char *path, bool valid, bool *taken,
                 char *error, size_t n);

/* The folder of a training that goes on, kept from other processes. *taken: it is no such folder, or in use. Then
 * its logs end where they did (`ends`), and config.yaml is as m is. */
bool folder_reopen(struct run_folder *f, ad_model *m, const char *path, bool valid, bool *taken, char *error,
                   size_t n);
bool folder_cut(struct run_folder *f, const int64_t ends[FOLDER_LOGS], char *error, size_t n);

/* How the training in a folder ended, "done", by malloc; NULL: it has not. */
char *folder_status(const char *path);

/* What of the configuration the course of a training depends on, in 16 digits: all but how long it is and what is
 * shown of it. */
bool folder_id(ad_model *m, char id[20]);

bool folder_log(struct run_folder *f, const struct log_row *row, char *error, size_t n);
bool folder_result(struct run_folder *f, const struct run_result *r, char *error, size_t n);

/* The folder of a sweep, by malloc: made as folder_open makes one, NULL: runs/NAME-sweep-N, with the config.yaml
 * of m. NULL after a failure. And the one with the largest N that is there; NULL: there is none. */
char *folder_of_sweep(ad_model *m, const char *path, bool *taken, char *error, size_t n);
char *folder_last_sweep(const ad_model *m);

/* A number that is not finite is written as "NaN" or "Infinity". */
bool folder_gradients(struct run_folder *f, const struct gradient_record *r, char *error, size_t n);

/* Writes last.safetensors; that and, of the same moment, state.safetensors; weights under another name; removes
 * those. */
bool folder_weights(struct run_folder *f, char *error, size_t n);
bool folder_save(struct run_folder *f, size_t n_arrays, const struct stored arrays[], char *error, size_t n);
bool folder_checkpoint(struct run_folder *f, const char *name, char *error, size_t n);
void folder_remove(struct run_folder *f, const char *name);
void folder_close(struct run_folder *f);

#endif
