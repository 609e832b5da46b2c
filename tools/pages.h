/*
 * pages: a graph as pages of HTML, one for each module, linked up and down.
 */
#ifndef AUTOGRAD_PAGES_H
#define AUTOGRAD_PAGES_H

#include "command.h"
#include "record.h"

#define MOST_PAGES 300

/* What is drawn: a node of an evaluated graph, or a record, as it is or as a change. */
struct subject {
	ad_model *m;
	ad_node *y;
	struct record *record, *before; /* NULL: y; NULL: no change */
	size_t k, j;
};

/* Draws it (draw_command.c): to a file; as text from malloc, NULL with a sentence in error. */
bool draw_subject(const struct subject *s, const ad_draw_options *o, FILE *to, char *error, size_t n);
char *drawing_text(const struct subject *s, const ad_draw_options *o, size_t *size, char *error, size_t n);

struct pages_written {
	size_t pages;    /* index.html included */
	size_t left_out; /* modules beyond MOST_PAGES */
	size_t undrawn;  /* pages without a picture, as dot took too long */
};

/* Writes index.html and m1.html, m2.html, ... to a folder, which is made if need be. dot may take so many
 * seconds for a picture, 0: however long. False: a sentence in error. */
bool pages_write(const struct subject *s, const ad_draw_options *o, const char *folder, double seconds,
                 struct pages_written *to, char *error, size_t n);

#endif
