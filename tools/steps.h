/*
 * steps: the gradients of a training as pictures, one a step, and a page that goes through them.
 */
#ifndef AUTOGRAD_STEPS_H
#define AUTOGRAD_STEPS_H

#include "model.h"

/* Where pictures of steps go: grad/ of a run folder. */
struct steps {
	char *folder;     /* NULL: not made yet */
	bool quiet;       /* notes are not printed */
	bool without_dot; /* it has failed, which was said: .dot files then */
	bool failed;      /* nothing more is written */
	size_t pictures;  /* written as .svg */
};

/* ad_train_options.draw, with a struct steps as its context. */
void steps_draw(void *context, ad_model *copy, const char *run, int64_t step);
void steps_free(struct steps *s);

/* Makes grad/ of the run. False: a sentence in error. */
bool steps_open(struct steps *s, const char *run, char *error, size_t n);

/* The picture of a step, grad/step-000200.svg; freed by the caller. NULL: no memory. */
char *steps_path(const struct steps *s, int64_t step, const char *ending);

/* Writes grad/index.html, which shows all pictures that are there: keys, a slider, no network. */
bool steps_write_page(const struct steps *s, const char *title, char *error, size_t n);

#endif
