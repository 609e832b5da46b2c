/*
 * probe: short trainings in memory, on a model's own data and with its own optimizer: what
 * `autograd lr` and `autograd doctor` measure with.
 */
#ifndef AUTOGRAD_PROBE_H
#define AUTOGRAD_PROBE_H

#include "command.h"

struct probe {
	ad_model *m;
	struct parts parts;
	const struct dataset *data; /* of the training; NULL: the model has none */
	size_t batch;               /* samples in a step, always so many; 0 without data */
	size_t *order, *rows;       /* samples of the epoch; of the step */
	int64_t epoch;              /* that order is of; -1: none yet */
	bool shuffled;       /* samples come in random order even where the file says otherwise */
	struct instance *in; /* the recording of such a batch, in training phase */
	ad_optimizer *optimizer; /* NULL: the file declares none, or there is nothing to train */
	size_t n_moved;
	ad_node **moved, **gradients, **roots;
	void **before; /* room for each of moved, as it was before its last step */
	void **start;  /* all weights and buffers when the probe was opened */
	int64_t step;  /* steps done since probe_restart */
	double peak;   /* the optimizer's lr */
};

/* Reads the data and records a batch of at most `most` samples (0: as the file says) with its
 * gradients, if it has a loss. False: a sentence in error, and *status says how to exit. */
bool probe_open(struct probe *p, ad_model *m, size_t most, int *status, char *error, size_t n);
void probe_close(struct probe *p);

/* Puts the samples of batch k of a training into the inputs, with its random numbers. */
bool probe_feed(struct probe *p, int64_t k, char *error, size_t n);

/* Has the optimizer begin anew, with the weights as they are. */
bool probe_restart(struct probe *p, char *error, size_t n);

enum probe_result {
	PROBE_MOVED,
	PROBE_NONFINITE, /* the loss or a gradient is; the weights stay */
	PROBE_FAILED     /* a sentence in error */
};

/* One training step with rate lr, or the file's own (with its schedule) if lr is negative; *loss is
 * that of the batch before the step. */
enum probe_result probe_step(struct probe *p, double lr, double *loss, char *error, size_t n);

/* All weights and buffers: a copy (NULL without memory), and back from it. */
void **probe_save(const struct probe *p);
bool probe_load(struct probe *p, void *const from[]);
void probe_free(const struct probe *p, void **saved);

/* Bytes of an element; element k as a double. */
size_t element_size(const ad_node *x);
double element_at(const ad_node *x, const void *data, size_t k);

#endif
