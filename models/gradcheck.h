/*
 * gradcheck: a model's gradients against differences of its loss.
 */
#ifndef AUTOGRAD_GRADCHECK_H
#define AUTOGRAD_GRADCHECK_H

#include "model.h"

/* One param, one scalar input that wants a gradient, or the direction through all of them. */
struct gradcheck_row {
	const char *path;       /* "linear.weight"; of the direction: "a direction through all" */
	size_t count;           /* elements */
	size_t checked;         /* of these: compared, */
	size_t kinks;           /* and left out: the loss has a kink there */
	double largest;         /* max |numeric derivative| */
	double error;           /* max |analytic - numeric| */
	double tolerance;       /* 1e-5 largest + 1e-8: error may be as large */
	size_t worst;           /* element of the largest error */
	double analytic, numeric; /* there */
	bool ok;                /* within the tolerance, and at least one element checked */
};

struct gradcheck {
	int n;
	struct gradcheck_row *rows;
	bool ok;
	bool refused; /* after a failure: for the declaration or its data, not for reading or computing */
};

/* Checks the gradient of the model's loss (its output, if it has none), which must be opened in f64, in
 * training phase at step 0, on the first batch of its data; without data on random inputs. By central
 * differences with a step of 1e-6 for 200 elements of each param chosen by seed, or all, and along one
 * random direction. Weights are as before afterwards. False: a sentence in error. */
bool gradcheck_run(ad_model *m, bool all, uint64_t seed, struct gradcheck *to, char *error, size_t n);
void gradcheck_free(struct gradcheck *g);

#endif
