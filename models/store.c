/*
 * store: memory of a model that is freed in one go, and whose calls do not fail.
 */
#include "language.h"

#include <stdlib.h>
#include <string.h>

void *store_take(struct store *s, size_t n)
{
	void *p = arena_take(&s->arena, n ? n : 1);

	if (!p)
		longjmp(*s->out, 1);
	return p;
}

char *store_copy(struct store *s, const char *text, size_t n)
{
	char *copy = store_take(s, n + 1);

	memcpy(copy, text, n);
	return copy;
}

char *store_text(struct store *s, const char *format, ...)
{
	char brief[256]; /* mostly enough: then it is formatted once */
	va_list list, again;

	va_start(list, format);
	va_copy(again, list);
	int n = vsnprintf(brief, sizeof brief, format, list);
	va_end(list);
	char *text = n < 0 ? NULL : arena_take(&s->arena, (size_t)n + 1);
	if (text && (size_t)n < sizeof brief)
		memcpy(text, brief, (size_t)n);
	else if (text)
		vsnprintf(text, (size_t)n + 1, format, again);
	va_end(again);
	if (!text)
		longjmp(*s->out, 1);
	return text;
}

void *store_more(struct store *s, void *list, size_t n, size_t element)
{
	if (n != 0 && (n < 4 || (n & (n - 1)) != 0))
		return list;
	void *more = store_take(s, (n ? 2 * n : 4) * element);
	if (n)
		memcpy(more, list, n * element);
	return more;
}
