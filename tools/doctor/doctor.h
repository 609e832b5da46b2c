/*
 * doctor: what is wrong with a training, in words: findings with their numbers, place and remedy.
 */
#ifndef AUTOGRAD_DOCTOR_H
#define AUTOGRAD_DOCTOR_H

#include "command.h"

enum severity {
	SEVERITY_HINT,    /* worth a look */
	SEVERITY_WARNING, /* the training suffers */
	SEVERITY_ERROR    /* part of the model cannot learn, or all of it */
};

/* A number that a finding rests on: { "ratio", 1.3e-5 }. */
struct finding_number {
	const char *name; /* lower case, with underscores */
	double value;
};

enum { MOST_NUMBERS = 6 };

/* All texts belong to the findings that it is one of. */
struct finding {
	const char *check; /* "vanishing-gradient"; a word that stays the same */
	enum severity severity;
	double weight;  /* findings of one severity: the larger the worse */
	char *sentence; /* one or more, with the numbers */
	char *subject;  /* path of the weight or item, or the input's name; NULL: the whole */
	char
	    *place; /* of the item or key: "net.yaml:14:5", "--set train.epochs=3"; NULL: unknown */
	char *file; /* of place; NULL where that is no line of a file */
	int line, column; /* from 1; 0: unknown */
	char *remedy;     /* what to try; NULL: none is known */
	size_t n_set; /* the remedy as overrides for --set: "model.1=relu"; 0: it is no change of
	                 values */
	char **set;
	char *tried; /* what the remedy did when the doctor tried it: "now ..."; NULL: not tried, or
	              * it did not help */
	size_t n_numbers;
	struct finding_number numbers[MOST_NUMBERS];
};

struct findings {
	size_t n;
	struct finding *of; /* worst first */
	char *looked_at;    /* what was looked at, as a sentence */
};

/* How to look. All 0: as `autograd doctor` does without options. */
struct examination {
	const struct texts *set; /* overrides of a file; NULL: none */
	bool no_remedies;        /* none is tried: takes a small part of the time */
};

/* Examines a model file, or a run folder with its trained weights, for some batches and steps in
 * memory: opens models of its own and changes neither file nor run. False: a sentence in error, and
 * *status says how to exit; if the file has errors they were printed and error is empty. */
bool examine(const char *path, const struct examination *how, struct findings *to, int *status,
             char *error, size_t n);
void findings_free(struct findings *f);

const char *severity_name(enum severity s); /* "error", "warning", "hint" */

#endif
