/*
 * said: what the check of a model has to say.
 */
#ifndef TEST_SAID_H
#define TEST_SAID_H

#include "autograd_model.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* All messages as text, from malloc. */
static inline char *messages_of(const ad_model *m)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	cr_assert(to);
	ad_model_messages(m, to, false);
	fclose(to);
	return text;
}

#endif
