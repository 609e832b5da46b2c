/*
 * record: what a run recorded of its gradients (`train: {gradients: {every: N}}`), read back, and its
 * steps as drawings without evaluating anything.
 *
 *	struct record *r = record_open("runs/net-1", error, sizeof error);
 *	ad_model *m = open_run("report", "runs/net-1", &status);
 *	ad_draw_options how = { .form = AD_DRAW_JSON, .step = -1 };
 *
 *	for (size_t k = 0; k < record_steps(r); k++)
 *		record_draw(r, k, NULL, 0, m, &how, to, error, sizeof error);
 *	record_close(r);
 *
 * All steps of a run are drawn in the same graph: the ids of nodes and edges ("svg" in the JSON) are those
 * of the SVG that dot makes of any of these steps with the same options, so one layout serves all.
 */
#ifndef AUTOGRAD_RECORD_H
#define AUTOGRAD_RECORD_H

#include "autograd_draw.h"
#include "model.h"

#include <stdio.h>

struct record;

/* What was recorded of a step; NaN: not known. */
struct record_step {
	int64_t step; /* from 1: the gradients that moved the weights in it */
	int64_t epoch;
	double loss, rate;
	double reference; /* rms of the gradient at the output */
	double rows;      /* of the output: samples, or samples times positions */
	bool edges;       /* the edges were recorded, not the weights alone */
};

/* What was recorded of a weight in a step; NaN: not known, or not finite. */
struct record_weight {
	double gradient, mean, max, zeros; /* of its gradient: rms, mean, largest size, share of zeros */
	double value;                      /* rms of the weight before the step */
	double update;                     /* rms of its change over that */
};

/* Reads the record of a run folder, steps in order; of two lines about a step the later holds. A line that
 * is cut off, or no JSON, is left out, of which record_note tells. NULL: a sentence in error: there is no
 * record, and how to have one. */
struct record *record_open(const char *run, char *error, size_t n);
void record_close(struct record *r);
const char *record_note(const struct record *r); /* "": all was read */

size_t record_steps(const struct record *r);
struct record_step record_step(const struct record *r, size_t k);

/* The last record at or before a step, else the first. */
size_t record_at(const struct record *r, int64_t step);

/* Weights in the order of the model; record_weight is false where record k has none of that path. */
size_t record_weights(const struct record *r);
const char *record_weight_path(const struct record *r, size_t i);
bool record_weight(const struct record *r, size_t k, size_t i, struct record_weight *to);

/* The node whose graph in m these drawings are of: the loss. NULL: a sentence in error. */
ad_node *record_node(struct record *r, ad_model *m, char *error, size_t n);

/* Draws record k as `how` says (form, open, around, ...; its title, step, reference, layers and statistics
 * are filled in) in the graph of m, which is the run's model, as open_run opens it, and always the same one.
 * before: not NULL draws how record j of it, of this run or of another of the same structure, became record
 * k: numbers are factors, colours say larger or smaller. False: a sentence in error. */
bool record_draw(struct record *r, size_t k, struct record *before, size_t j, ad_model *m,
                 const ad_draw_options *how, FILE *to, char *error, size_t n);

#endif
