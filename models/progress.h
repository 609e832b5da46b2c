/*
 * progress: how a training shows itself: one status line on a terminal, else a line now and then.
 */
#ifndef AUTOGRAD_PROGRESS_H
#define AUTOGRAD_PROGRESS_H

#include "model.h"

#define PROGRESS_HISTORY 8

/* Where a training stands. */
struct moment {
	int64_t epoch, epochs; /* from 1; of how many */
	int64_t step, steps;   /* done in this epoch; of how many */
	int64_t done, total;   /* steps since the start; of how many */
	size_t samples;        /* seen since the start */
	double seconds;        /* since the start */
	double lr;
	double norm;           /* mean over this epoch so far of the gradient's Euclidean norm */
	const double *train;   /* loss, then metrics, means of this epoch so far */
	const double *valid;   /* likewise, or NULL */
};

struct progress {
	const ad_model *m;
	FILE *to; /* NULL: silent */
	bool terminal, plain, open; /* open: the status line stands */
	int64_t every; /* a line stays every so many epochs; 0: none does */
	double shown, said; /* when the status line and a lasting line were written, in seconds */
	double history[PROGRESS_HISTORY];
	int n_history;
};

void progress_begin(struct progress *p, const ad_model *m, const ad_train_options *o, int64_t epochs);

/* After a step: at most ten times a second on a terminal, else every 30 s. */
void progress_step(struct progress *p, const struct moment *now);
void progress_epoch(struct progress *p, const struct moment *now, bool last);
void progress_end(struct progress *p);

/* A line that stays. */
void progress_note(struct progress *p, const char *text);

#endif
