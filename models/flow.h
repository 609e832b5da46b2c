/*
 * flow: the gradients of every edge of a model in a step of its training.
 *
 * They are those of a copy of the model, which evaluates the batch of the step again with the weights and
 * the random numbers that it had, keeps everything and flushes no denormal numbers. The model in training
 * stays as it is, bit for bit.
 */
#ifndef AUTOGRAD_FLOW_H
#define AUTOGRAD_FLOW_H

#include "edges.h"
#include "model.h"

/* At most so many edges of a recording are measured: those between modules first. */
#define MOST_EDGES 1000

struct flow;

/* A batch of a step of m's training: what m's last evaluation was of. */
struct flow_batch {
	const struct dataset *data; /* NULL: the model eats none */
	const size_t *rows;
	size_t count;
	uint64_t number;            /* of the batch since the start, from 0 */
	void *const *weights;       /* of each weight of m: its elements before the step; NULL: as they are in m */
};

struct flow_result {
	double loss, reference, rows; /* see struct gradient_record */
	size_t n;                     /* edges measured */
	const char *const *keys;      /* these, until the next call */
	const struct measure *of;
	const char *first_nan;        /* of the node where it began; NULL: all is finite */
	size_t left_out;
};

/* The copy, read from the run's config.yaml; may take so many bytes, 0: without limit. NULL: a sentence in
 * error. */
struct flow *flow_open(const char *config, size_t memory, char *error, size_t n);
void flow_close(struct flow *f);

/* plain: what fp_enter found before the training flushed denormal numbers. drawn, which may be NULL, is
 * called with the evaluated copy. */
bool flow_measure(struct flow *f, const ad_model *m, const struct flow_batch *b, uint64_t plain,
                  void (*drawn)(void *context, ad_model *copy), void *context,
                  struct flow_result *to, char *error, size_t n);

#endif
