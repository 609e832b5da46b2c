/*
 * scope: the names within reach of an expression, and what they stand for.
 */
#include "language.h"

#include <string.h>

static size_t hash(const char *text)
{
	uint64_t h = 14695981039346656037u; /* FNV-1a */

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 1099511628211u;
	return (size_t)(h ^ h >> 32);
}

static void rehash(struct store *s, struct scope *to, size_t n)
{
	struct name **buckets = store_take(s, n * sizeof(*buckets));

	for (size_t i = 0; i < to->n_buckets; i++) {
		for (struct name *name = to->buckets[i], *next; name; name = next) {
			size_t k = hash(name->text) & (n - 1);

			next = name->next;
			name->next = buckets[k];
			buckets[k] = name;
		}
	}
	to->buckets = buckets;
	to->n_buckets = n;
}

struct name *scope_add(struct store *s, struct scope *to, const char *text, enum name_kind kind,
                       struct place at, struct value value)
{
	struct name *name = store_take(s, sizeof *name);

	if (to->n >= to->n_buckets)
		rehash(s, to, to->n_buckets ? 2 * to->n_buckets : 8);
	size_t k = hash(text) & (to->n_buckets - 1);
	*name = (struct name){
		.text = text, .kind = kind, .at = at, .value = value, .next = to->buckets[k]
	};
	to->buckets[k] = name;
	to->n++;
	return name;
}

struct name *scope_own(const struct scope *in, const char *text)
{
	struct name *name = in->n_buckets ? in->buckets[hash(text) & (in->n_buckets - 1)] : NULL;

	while (name && strcmp(name->text, text) != 0)
		name = name->next;
	return name;
}

struct name *scope_find(const struct scope *in, const char *text)
{
	struct name *found = NULL;

	for (; in; in = in->up) {
		struct name *name = scope_own(in, text);

		if (name && name->kind == NAME_COUNTER)
			return name;
		if (name && (!found || name->kind > found->kind))
			found = name;
	}
	return found;
}

struct name *scope_nearest(const struct messages *m, const struct scope *in, const char *text,
                           bool params_only)
{
	struct name *best = NULL;
	const char *pair[2] = { NULL, NULL };

	if (!messages_suggest(m))
		return NULL;

	for (; in; in = in->up) {
		for (size_t i = 0; i < in->n_buckets; i++) {
			for (struct name *name = in->buckets[i]; name; name = name->next) {
				if (params_only && name->kind != NAME_PARAM &&
				    name->kind != NAME_ARGUMENT && name->kind != NAME_COUNTER)
					continue;
				pair[0] = best ? best->text : name->text;
				pair[1] = name->text;
				const char *near = nearest(text, 2, pair);
				/* of two equally near ones the first in the file */
				if (near == name->text &&
				    (!best || near != pair[0] || name->at.line < best->at.line))
					best = name;
			}
		}
	}
	return best;
}
