/*
 * runner: computes one case by the registry and compares every section with what the corpus says.
 */
#ifndef TESTS_CONFORMANCE_RUNNER_H
#define TESTS_CONFORMANCE_RUNNER_H

#include "corpus.h"

/* What came of one case in one real type. worst: the largest difference of any array, relative to
 * the larger of 1 and the array's largest magnitude; infinite where there is no number. */
struct outcome {
	bool passed;
	bool missing; /* an op that the registry lacks: its name in text */
	double worst;
	size_t length;
	char text[8192]; /* a line for each array that is wrong */
};

void run_case(const char *corpus, const char *which, bool f64, struct outcome *o);

/* The folder named by AUTOGRAD_CORPUS, else ../shared/conformance. */
const char *corpus_folder(void);

/* A few of its cases, from the project's root, for checkouts without it. */
#define SUBSET "tests/conformance/corpus"

/* nets.c: the cases that are no op but nets made of ops, and how many inputs each takes, in the
 * order of the case. NULL: there is none of this name. */
typedef ad_node *net(ad_graph *g, ad_node *const in[], const struct settings *settings);
net *net_of(const char *name, int *n_in);

#endif
