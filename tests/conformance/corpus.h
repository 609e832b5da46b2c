/*
 * corpus: the cases of a conformance corpus, read into memory: declarations, attributes, arrays.
 *
 * The format is that of the corpus's README: cases/OP/CASE/case.json and .npy files beside it. What
 * does not follow it is refused with a sentence.
 */
#ifndef TESTS_CONFORMANCE_CORPUS_H
#define TESTS_CONFORMANCE_CORPUS_H

#include "autograd.h"

#include <cjson/cJSON.h>
#include <limits.h>

#define MAX_ITEMS 24
#define MAX_SETTINGS 16

/* An array of a file; reals, whole numbers and masks alike as doubles. */
struct array {
	ad_type type;
	ad_shape shape;
	size_t count;
	double *v;
};

/* An input or output as declared. flag: an input wants a gradient, an output has an upstream one.
 */
struct item {
	const char *name;
	ad_type type;
	bool flag;
};

/* One case. Texts point into json. */
struct problem {
	char folder[PATH_MAX];
	cJSON *json;
	const char *op, *name;
	const cJSON *attrs, *f32_error;
	int n_in, n_out;
	struct item in[MAX_ITEMS], out[MAX_ITEMS];
	bool vjp, jvp, gradnorm, hvp, update;
	double squares; /* of all gradients, added up: the number "gradnorm" */
};

/* A place for a sentence. */
struct sentence {
	char text[512];
};

/* Sets the sentence, printf-like; returns false. */
bool say(struct sentence *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The folders of all cases of a corpus, sorted: "OP/CASE". NULL: there are none, with a sentence.
 */
char **corpus_cases(const char *corpus, size_t *n, struct sentence *error);
void corpus_free(char **cases, size_t n);

bool problem_read(struct problem *p, const char *corpus, const char *which, struct sentence *error);
void problem_free(struct problem *p);

/* Whether the case has the file STEM.npy, and the array in it. */
bool problem_has(const struct problem *p, const char *stem);
bool problem_array(const struct problem *p, const char *stem, struct array *to,
                   struct sentence *error);
void array_free(struct array *a);

/* Attributes as settings, in the type that the table has for the name. */
struct settings {
	size_t n;
	ad_setting of[MAX_SETTINGS];
	void *lists[MAX_SETTINGS];
};
bool problem_settings(const struct problem *p, const ad_attr *table, struct settings *to,
                      struct sentence *error);
void settings_free(struct settings *s);

#endif
