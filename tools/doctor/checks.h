/*
 * checks: the table of checks, each a function over a record, and what they leave behind.
 */
#ifndef AUTOGRAD_CHECKS_H
#define AUTOGRAD_CHECKS_H

#include "look.h"

enum { MOST_SETS = 4, MOST_REMEDIES = 3 };

/* A change that may help: overrides, in the file's grammar, and what they do in words. */
struct remedy {
	char *what; /* "relu in place of sigmoid" */
	size_t n;
	char *set[MOST_SETS];
};

/* A finding with what could be tried, best first. */
struct suspicion {
	struct finding finding;
	size_t n_remedies;
	struct remedy remedies[MOST_REMEDIES];
};

struct suspicions {
	size_t n;
	struct suspicion *of;
	bool failed; /* for want of memory */
};

/* One check: find adds what is wrong; now says what it measures in another record, after a remedy,
 * of what was found before. */
struct check {
	const char *name;
	bool relative; /* its remedies change what the loss counts in, so that only parts of it
	                  compare */
	void (*find)(const struct record *r, struct suspicions *to);
	void (*now)(const struct record *r, const struct finding *was, char *text, size_t n);
};

extern const struct check checks[]; /* worst first; ends with a name of NULL */

void suspicions_free(struct suspicions *s);
void finding_free(struct finding *f);

/* ---- changes of a file (doctor_change.c) ----------------------------------------------------- */

/* Overrides, from malloc; NULL: none can say it, as the place is within an expression, or no
 * memory. */

/* An argument of the layer or weight declared at this place ("net.yaml:14:5"): init. */
char *change_argument(const ad_model *m, const char *origin, const char *argument,
                      const char *value);

/* Another op in place of the item declared there. */
char *change_op(const ad_model *m, const char *origin, const char *op);

/* The learning rate; and where it is declared, which may be NULL. */
char *change_rate(const ad_model *m, double lr);
char *place_of_rate(const ad_model *m);

/* Another setting of the optimizer, where it has arguments. */
char *change_optimizer(const ad_model *m, const char *argument, const char *value);

/* One more step of `map` for an input. */
char *change_map(const ad_model *m, const char *input, const char *step);

#endif
