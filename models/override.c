/*
 * override: "train.epochs=3": a change of the tree in the file's own grammar.
 *
 * The value is read as YAML and put at the path; missing keys that the language knows are made. The
 * places of what is new have the number of the override for a line, so that messages name it.
 */
#include "language.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_PARTS = 32 };

/* Gives all places of a tree the override's number; columns stay, moved behind the '='. An alias in
 * it may be met twice. */
static void move(struct yaml *y, int number, int shift)
{
	if (y->at.line < 0)
		return;
	y->at = (struct place){ -number, y->at.col + shift, y->at.end + shift, 0 };
	for (size_t i = 0; i < y->n; i++) {
		move(y->items[i], number, shift);
		if (y->keys)
			move(y->keys[i], number, shift);
	}
}

static struct yaml *scalar(struct store *s, int number, const char *text)
{
	return yaml_scalar(s, (struct place){ -number, 1, 2, 0 }, text);
}

/* The value at a path as text, if it is a single one: "1e-3". */
static const struct yaml *look(const struct yaml *y, size_t n, const char *const parts[])
{
	for (size_t i = 0; y && i < n; i++)
		y = yaml_get(y, parts[i]);
	return y && y->kind == YAML_SCALAR ? y : NULL;
}

/* Message 14: nothing is at part k of the path. */
static void say_no_key(struct yaml_tree *t, struct messages *m, int number, size_t n,
                       const char *parts[], size_t k, size_t count, const char *const keys[])
{
	struct store *s = yaml_store(t);
	const char *near = nearest(parts[k], count, keys), *help = NULL, *where = NULL, *all = "";

	for (size_t i = 0; i < k; i++)
		where = store_text(s, "%s%s%s", where ? where : "", where ? "." : "", parts[i]);
	if (strchr(parts[k], '[')) {
		help = "an item of a list is a part of the path by its number: model.0.linear";
	} else if (near) {
		const char *path = "";
		const char *old = parts[k];

		parts[k] = near;
		for (size_t i = 0; i < n; i++)
			path = store_text(s, "%s%s%s", path, i ? "." : "", parts[i]);
		const struct yaml *now = look(yaml_root(t), n, parts);
		parts[k] = old;
		char from[4200];
		help = now ? store_text(s, "did you mean %s (now %s, from %s)?", path, now->text,
		                        messages_place(m, now->at, from, sizeof from))
		           : store_text(s, "did you mean %s?", path);
	} else if (count > 0) {
		for (size_t i = 0; i < count && i < 40; i++)
			all = store_text(s, "%s%s%s", all, i ? ", " : "", keys[i]);
		help = store_text(s, "the keys there are: %s", all);
	}
	message(m, E_KEY, (struct place){ -number, 1, 2, 0 }, NULL, help, "%s%s%s has no key '%s'",
	        where ? "'" : "", where ? where : "the file", where ? "'" : "", parts[k]);
}

/* Whether a key that is not in the map may be made; says what is wrong with it. */
static bool may_make(struct yaml_tree *t, struct messages *m, int number, size_t n,
                     const char *parts[], size_t k, const struct yaml *map)
{
	struct store *s = yaml_store(t);
	size_t count;
	bool any;
	const char *const *keys = keys_at(s, k, parts, &count, &any);

	if (any)
		return true;
	if (!keys) {
		const char **own = store_take(s, (map->n + 1) * sizeof(*own));

		for (count = 0; count < map->n; count++)
			own[count] = map->keys[count]->text;
		keys = own;
	}
	for (size_t i = 0; i < count; i++)
		if (strcmp(keys[i], parts[k]) == 0)
			return true;
	say_no_key(t, m, number, n, parts, k, count, keys);
	return false;
}

/* Splits "a.b.c" into its parts; 0: it is no such path. */
static size_t split(struct store *s, const char *path, size_t length, const char *parts[])
{
	size_t n = 0;

	for (size_t from = 0, i = 0; i <= length; i++) {
		if (i < length && path[i] != '.')
			continue;
		if (i == from || n == MOST_PARTS)
			return 0;
		parts[n++] = store_copy(s, path + from, i - from);
		from = i + 1;
	}
	return n;
}

/* Puts the value at the path. What lies on the way is copied, since an alias may share it. */
static void apply(struct yaml_tree *t, struct messages *m, int number, size_t n,
                  const char *parts[], struct yaml *value)
{
	struct store *s = yaml_store(t);
	struct yaml *at = yaml_root(t);

	for (size_t k = 0; k < n; k++) {
		size_t i = 0;
		char *end;

		if (at->kind == YAML_SCALAR && k > 0 && !yaml_is_null(at)) {
			message(m, E_KEY, (struct place){ -number, 1, 2, 0 }, NULL, NULL,
			        "'%s' is a single value; nothing is below it", parts[k - 1]);
			return;
		}
		if (at->kind == YAML_SCALAR) {
			*at = (struct yaml){ .kind = YAML_MAP, .at = at->at, .text = "" };
		} else if (at->kind == YAML_LIST) {
			unsigned long index = strtoul(parts[k], &end, 10);

			if (*end || parts[k][0] == '-' || index >= at->n) {
				message(m, E_KEY, (struct place){ -number, 1, 2, 0 }, NULL, NULL,
				        "'%s' is a list of %zu; a number from 0 to %zu picks one",
				        k ? parts[k - 1] : "the file", at->n,
				        at->n ? at->n - 1 : 0);
				return;
			}
			i = index;
		}
		while (at->kind == YAML_MAP && i < at->n &&
		       strcmp(at->keys[i]->text, parts[k]) != 0)
			i++;
		if (i == at->n) {
			if (!may_make(t, m, number, n, parts, k, at))
				return;
			yaml_put(s, at, scalar(s, number, parts[k]),
			    k + 1 < n ? scalar(s, number, "") : value);
		} else if (k + 1 == n) {
			at->items[i] = value;
		} else {
			struct yaml *copy = store_take(s, sizeof *copy);

			*copy = *at->items[i];
			copy->items = store_take(s, copy->n * sizeof(*copy->items));
			for (size_t j = 0; j < copy->n; j++)
				copy->items[j] = at->items[i]->items[j];
			at->items[i] = copy;
		}
		at = at->items[i];
	}
}

void override_apply(struct yaml_tree *t, struct messages *m, int number, const char *text)
{
	struct store *s = yaml_store(t);
	const char *equals = strchr(text, '='), *parts[MOST_PARTS];
	struct place at = { -number, 1, 2, 0 };
	size_t n = equals ? split(s, text, (size_t)(equals - text), parts) : 0;

	if (n == 0) {
		message(m, E_SYNTAX, at, NULL, "write --set train.epochs=3",
		        "an override is a path, '=' and a value");
		return;
	}
	if (word_in("extends include unset", parts[0])) {
		message(m, E_KEY, at, NULL, "write it into the file",
		        "'%s' is read before overrides are, so that this changes nothing", parts[0]);
		return;
	}
	/* Messages of its own: the value's places are not the file's. */
	bool empty = equals[1 + strspn(equals + 1, " \t")] == '\0';
	struct messages *own = messages_new("--set", equals + 1, strlen(equals + 1));
	struct yaml_tree *tree =
	    own && !empty ? yaml_read(equals + 1, strlen(equals + 1), own) : NULL;
	bool readable = empty || (tree && yaml_root(tree) && messages_errors(own) == 0);
	bool memory = own && (empty || tree);

	messages_free(own);
	if (!memory)
		longjmp(*s->out, 1);
	if (!empty)
		yaml_adopt(t, tree);
	if (!readable) {
		message(m, E_YAML, at, NULL,
		        "quote what YAML takes for its own: --set 'name=\"a: b\"'",
		        "the value is not readable as YAML");
		return;
	}
	if (!empty)
		move(yaml_root(tree), number, (int)utf8_count(text, (size_t)(equals + 1 - text)));
	apply(t, m, number, n, parts, empty ? scalar(s, number, "") : yaml_root(tree));
}
