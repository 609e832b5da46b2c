/*
 * folder: the run folder, which one training leaves behind.
 *
 *	config.yaml       the declaration with --set applied; its data paths work from anywhere
 *	env.txt           what it ran on: version, instructions, threads, processor, memory, system
 *	log.jsonl         one line an epoch: step, epoch, loss, lr, grad_norm, ms, metrics, valid_loss, ...
 *	log.csv           the same columns
 *	result.json       loss and metrics of the trained model on every part; seconds, steps, parameters
 *	last.safetensors  the weights
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

struct run_folder {
	ad_model *m;
	char *path;
	FILE *jsonl, *csv, *gradients, *edges;
	size_t n_lists;      /* lines in gradients-edges.jsonl, those of an earlier process too */
	size_t n_hashes;     /* of the lists of edges that this process wrote, the last ones */
	uint64_t *hashes;
	bool valid; /* the log has columns for a valid part */
};

/* One epoch, or what has gone of one where the valid part is measured within it. train, valid: loss, then metrics, means over the samples; valid NULL: not measured. */
struct log_row {
	int64_t step;     /* steps done since the start */
	int64_t epoch;    /* from 1 */
	double lr;        /* of the last step */
	double grad_norm; /* mean over the epoch of the gradient's Euclidean norm */
	double ms;        /* mean time of a step */
	const double *train, *valid;
};

/* A part of the data and what the trained model reaches there. */
struct run_part {
	const char *name;
	size_t samples;
	const double *values; /* loss, then metrics; NULL: not measured */
};

struct run_result {
	const char *status; /* "done", "diverged", "interrupted", "terminated" */
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
bool folder_log(struct run_folder *f, const struct log_row *row, char *error, size_t n);
bool folder_result(struct run_folder *f, const struct run_result *r, char *error, size_t n);

/* The folder of a sweep, by malloc: made as folder_open makes one, NULL: runs/NAME-sweep-N, with the config.yaml
 * of m. NULL after a failure. And the one with the largest N that is there; NULL: there is none. */
char *folder_of_sweep(ad_model *m, const char *path, bool *taken, char *error, size_t n);
char *folder_last_sweep(const ad_model *m);

/* A number that is not finite is written as "NaN" or "Infinity". A record that is there already is
 * continued. */
bool folder_gradients(struct run_folder *f, const struct gradient_record *r, char *error, size_t n);

/* Writes last.safetensors; weights under another name; removes those. */
bool folder_weights(struct run_folder *f, char *error, size_t n);
bool folder_checkpoint(struct run_folder *f, const char *name, char *error, size_t n);
void folder_remove(struct run_folder *f, const char *name);
void folder_close(struct run_folder *f);

#endif
