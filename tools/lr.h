/*
 * lr: the learning-rate range test: a training in memory whose rate grows by the same factor each
 * step.
 *
 * L. N. Smith, "Cyclical learning rates for training neural networks", WACV 2017, section 3.3.
 */
#ifndef AUTOGRAD_LR_H
#define AUTOGRAD_LR_H

#include "doctor/probe.h"

struct rate_point {
	double lr;
	double loss;   /* of the batch, before the step with lr */
	double smooth; /* mean of the losses around it, with weights that fall on both sides */
};

struct rate_test {
	size_t n;
	struct rate_point *points;
	double start, least,
	    least_lr;   /* smoothed loss at the first rate; the least, and its rate */
	double end_lr;  /* the rate at which the loss was over 4 times the least, or not finite; 0:
	                   none */
	bool nonfinite; /* it ended for a NaN or an infinity */
	double noise;   /* root mean square of loss - smooth before the least */
	double suggested; /* where the smoothed loss falls fastest by log lr; 0: it falls nowhere by
	                   * more than the noise */
};

/* Tests rates from `from` to `to` in so many steps, or until the loss diverges. The weights are
 * then those before. False: a sentence in error. */
bool rate_test(struct probe *p, double from, double to, size_t steps, struct rate_test *t,
               char *error, size_t n);
void rate_test_free(struct rate_test *t);

/* A sentence with the suggestion and its reason. */
void rate_test_say(const struct rate_test *t, char *text, size_t n);

/* The smoothed loss against the rate, in so many columns; plain: ASCII. */
void rate_test_print(const struct rate_test *t, int width, bool plain, FILE *to);

/* Why a model cannot be trained at all: a sentence, or NULL if it can. */
const char *untrainable(const struct probe *p);

#endif
