/*
 * text: the tokens of a text source and their numbers.
 */
#ifndef MODELS_DATA_TEXT_H
#define MODELS_DATA_TEXT_H

#include "data.h"

struct token {
	const char *text;
	size_t length;
};

struct vocabulary {
	char kind;         /* c(hars), w(ords), b(ytes) */
	const char *input; /* the input that takes tokens; belongs to the source */
	size_t window;     /* 0: as the input's shape says */
	size_t n;
	struct token *tokens; /* token k has number k; sorted by bytes */
	char *text;
};

/* The vocabulary of a source of format text, freed by vocabulary_close also after a failure. */
bool vocabulary_open(const struct source *s, struct vocabulary *to, char *error, size_t n);
void vocabulary_close(struct vocabulary *v);

/* The numbers of a text's tokens, from malloc, freed by the caller in either case. */
bool vocabulary_number(const struct vocabulary *v, const char *text, int32_t **numbers,
                       size_t *count, char *error, size_t n);

#endif
