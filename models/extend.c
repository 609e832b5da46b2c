/*
 * extend: one tree out of several files: `extends` puts a file upon its parent, `include` brings
 * the blocks of others.
 *
 *   extends: base.yaml      mappings merge, lists and single values replace; before that,
 *   unset: [train.clip]     removes keys of the parent
 *   include: [common.yaml]  its defs become defs named "common.NAME", its defaults those of their
 *                           items: a name with a dot is looked for beside its own kind only
 *
 * The result has none of the three keys: it reads back as the same model.
 */
#include "language.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct extension {
	struct yaml_tree *tree;
	struct store *store;
	struct messages *messages;
	int depth;   /* of files that extend or include each other */
	const char *open[MOST_PARENTS + 1]; /* these files, by their real paths */
	bool failed; /* a file is missing: what it would bring is not known */
};

static struct yaml *resolve(struct extension *x, struct yaml *root, const char *path);

/* A path relative to the folder of the file that names it. */
static const char *path_beside(struct store *s, const char *file, const char *name)
{
	const char *slash = strrchr(file, '/');

	if (name[0] == '/' || !slash)
		return store_copy(s, name, strlen(name));
	return store_text(s, "%.*s%s", (int)(slash + 1 - file), file, name);
}

/* The path without links and '..', as a name of the file; itself where there is none. */
static const char *real_path(struct extension *x, const char *path)
{
	char *real = realpath(path, NULL);
	const char *copy = store_text(x->store, "%s", real ? real : path);

	free(real);
	return copy;
}

/* Whether the file is one of those that are being read; said. */
static bool reaches_itself(struct extension *x, const struct yaml *y, const char *path, const char *real)
{
	for (int k = 0; k <= x->depth; k++)
		if (strcmp(x->open[k], real) == 0)
			return !message(x->messages, E_CYCLE, y->at, NULL, "put what both need into a file of its own",
			                k == x->depth ? "%s names itself" : "%s is reached from itself", path);
	return false;
}

/* The tree of another file, with what it extends and includes. NULL after a message at `y`. */
static struct yaml *read_guest(struct extension *x, const struct yaml *y, const char *path)
{
	struct messages *m = x->messages;
	const char *wrong = "it is too large";
	size_t length = 0;
	struct yaml_tree *guest;
	int file, before = messages_errors(m);
	const char *real = real_path(x, path);

	if (reaches_itself(x, y, path, real))
		return NULL;
	if (x->depth == MOST_PARENTS) {
		message(m, E_LIMIT, y->at, NULL, NULL,
		        "files extend or include each other more than %d deep", MOST_PARENTS);
		return NULL;
	}
	if (messages_sources(m) == MOST_FILES) {
		message(m, E_LIMIT, y->at, NULL, NULL, "a model is made of at most %d files",
		        MOST_FILES);
		return NULL;
	}
	char *text = read_model_file(path, &length, &wrong);
	if (!text) {
		message(m, E_FILE, y->at, NULL,
		        strstr(path, "${") ? "files are put together before params have values: write the path out" : NULL,
		        "%s cannot be read: %s", path, wrong);
		return NULL;
	}
	text[length] = '\0';
	file = messages_source(m, path, text, length);
	guest = file < 0 ? NULL : yaml_read_file(text, length, m, file);
	free(text);
	if (!guest)
		longjmp(*x->store->out, 1);
	yaml_adopt(x->tree, guest);
	struct yaml *root = yaml_root(guest);
	if (root && root->kind != YAML_MAP)
		message(m, E_TYPE, root->at, NULL, "it begins with 'version: 1'",
		        "a model file is a mapping of keys, not a %s",
		        root->kind == YAML_LIST ? "list" : "single value");
	if (!root || root->kind != YAML_MAP || messages_errors(m) > before)
		return NULL;
	x->open[++x->depth] = real;
	root = resolve(x, root, path);
	x->depth--;
	return root;
}

static struct yaml *load(struct extension *x, const struct yaml *y, const char *path)
{
	struct yaml *root = read_guest(x, y, path);

	x->failed = x->failed || !root;
	return root;
}

static void take_key(struct yaml *map, const char *key)
{
	size_t n = 0;

	for (size_t i = 0; i < map->n; i++) {
		if (yaml_is(map->keys[i], key))
			continue;
		map->keys[n] = map->keys[i];
		map->items[n++] = map->items[i];
	}
	map->n = n;
}

/* A copy with room for so many pairs more. */
static struct yaml *copy_of(struct extension *x, const struct yaml *y, size_t more)
{
	struct yaml *copy = store_take(x->store, sizeof *copy);

	*copy = *y;
	copy->items = store_take(x->store, (y->n + more) * sizeof(*copy->items));
	copy->keys = store_take(x->store, (y->n + more) * sizeof(*copy->keys));
	for (size_t i = 0; i < y->n; i++) {
		copy->items[i] = y->items[i];
		copy->keys[i] = y->keys[i];
	}
	return copy;
}

/* ---- extends --------------------------------------------------------------------------------- */

/* The parent's values with the child's upon them. Nodes may be shared by aliases: copies are made.
 */
static struct yaml *merged(struct extension *x, const struct yaml *parent, const struct yaml *child)
{
	struct yaml *to = copy_of(x, parent, child->n);
	struct scope keys = { .up = NULL };

	for (size_t k = 0; k < parent->n; k++)
		scope_add(x->store, &keys, parent->keys[k]->text, NAME_VALUE, parent->at,
		          value_int((int64_t)k));
	for (size_t i = 0; i < child->n; i++) {
		struct name *own = scope_own(&keys, child->keys[i]->text);
		size_t k = own ? (size_t)own->value.i : to->n++;

		to->items[k] = own && to->items[k]->kind == YAML_MAP &&
		                       child->items[i]->kind == YAML_MAP
		                   ? merged(x, to->items[k], child->items[i])
		                   : child->items[i];
		to->keys[k] = child->keys[i];
	}
	return to;
}

/* Removes "train.clip" from the parent's tree. */
static void unset_path(struct extension *x, struct yaml *root, const struct yaml *y)
{
	const char *s = y->kind == YAML_SCALAR ? y->text : "";
	struct yaml *map = root;

	if (!*s) {
		message(x->messages, E_TYPE, y->at, NULL, "unset: [train.clip]",
		        "'unset' lists paths of keys");
		return;
	}
	for (;;) {
		size_t n = strcspn(s, "."), i = 0;
		char *part = store_copy(x->store, s, n);

		while (map->kind == YAML_MAP && i < map->n && !yaml_is(map->keys[i], part))
			i++;
		if (map->kind != YAML_MAP || i == map->n) {
			const char **keys = store_take(x->store, (map->n + 1) * sizeof(*keys));

			for (size_t k = 0; map->kind == YAML_MAP && k < map->n; k++)
				keys[k] = map->keys[k]->text;
			const char *near = nearest(part, map->kind == YAML_MAP ? map->n : 0, keys);
			message(x->messages, E_KEY, y->at,
			        near ? store_text(x->store, "did you mean '%s'?", near) : NULL,
			        NULL, "the parent has no '%s' that could be unset", y->text);
			return;
		}
		if (!s[n]) {
			take_key(map, part);
			return;
		}
		s += n + 1;
		if (map->items[i]->kind != YAML_MAP)
			map = map->items[i];
		else
			map = map->items[i] = copy_of(x, map->items[i], 0);
	}
}

static struct yaml *extended(struct extension *x, struct yaml *root, const char *path)
{
	struct yaml *extends = yaml_get(root, "extends"), *unset = yaml_get(root, "unset"), *parent;

	if (!extends) {
		if (unset)
			message(x->messages, E_KEY, unset->at, NULL, NULL,
			        "'unset' is for a file that extends another; this one does not");
		return root;
	}
	if (extends->kind != YAML_SCALAR || yaml_is_null(extends)) {
		message(x->messages, E_TYPE, extends->at, NULL, "extends: base.yaml",
		        "'extends' is the path of one file");
		x->failed = true;
		return root;
	}
	parent = load(x, extends, path_beside(x->store, path, extends->text));
	if (!parent)
		return root;
	if (unset && unset->kind != YAML_LIST)
		message(x->messages, E_TYPE, unset->at, NULL, "unset: [train.clip]",
		        "'unset' is a list of paths of keys");
	parent = copy_of(x, parent, 0);
	for (size_t i = 0; unset && unset->kind == YAML_LIST && i < unset->n; i++)
		unset_path(x, parent, unset->items[i]);
	root = merged(x, parent, root);
	take_key(root, "extends");
	take_key(root, "unset");
	return root;
}

/* ---- include --------------------------------------------------------------------------------- */

/* "blocks/common.yaml" -> "common" */
static const char *stem_of(struct extension *x, const struct yaml *y)
{
	const char *base = strrchr(y->text, '/'), *dot, *stem;

	base = base ? base + 1 : y->text;
	dot = strrchr(base, '.');
	stem = store_copy(x->store, base, dot && dot > base ? (size_t)(dot - base) : strlen(base));
	if (is_name(stem))
		return stem;
	message(x->messages, E_TYPE, y->at, NULL,
	        "the name of an included file is a word: its blocks are 'NAME.block'",
	        "'%s' cannot be the first part of the names of blocks", stem);
	return NULL;
}

/* Adds the pairs of `from` to the mapping KEY of root, each as "stem.NAME". */
static void add_dotted(struct extension *x, struct yaml *root, const char *key,
                       const struct yaml *from, const char *stem)
{
	const struct yaml *old = yaml_get(root, key);
	struct yaml none = { .kind = YAML_MAP, .text = "" }, *to;

	if (!from || from->kind != YAML_MAP || (old && old->kind != YAML_MAP && !yaml_is_null(old)))
		return;
	none.at = from->at;
	to = copy_of(x, old && old->kind == YAML_MAP ? old : &none, from->n);
	for (size_t i = 0; i < from->n; i++) {
		const char *name = store_text(x->store, "%s.%s", stem, from->keys[i]->text);

		to->keys[to->n] = yaml_scalar(x->store, from->keys[i]->at, name);
		to->items[to->n++] = from->items[i];
	}
	for (size_t i = 0; i < root->n; i++)
		if (root->items[i] == old)
			root->items[i] = to;
	if (!old)
		yaml_put(x->store, root, yaml_scalar(x->store, from->at, key), to);
}

static void include_one(struct extension *x, struct yaml *root, const struct yaml *list, size_t k,
                        const char *path)
{
	const struct yaml *y = list->kind == YAML_LIST ? list->items[k] : list;
	const char *stem;
	struct yaml *guest;

	if (y->kind != YAML_SCALAR || yaml_is_null(y)) {
		message(x->messages, E_TYPE, y->at, NULL, "include: [blocks/common.yaml]",
		        "'include' lists paths of files");
		return;
	}
	stem = stem_of(x, y);
	for (size_t i = 0; stem && i < k; i++) {
		const struct yaml *other = list->items[i];

		const char *other_stem = other->kind == YAML_SCALAR ? stem_of(x, other) : NULL;

		if (!other_stem || strcmp(other_stem, stem) != 0)
			continue;
		message(x->messages, E_NAMED_TWICE, y->at, NULL, NULL,
		        "two included files are called '%s'", stem);
		message_also(x->messages, other->at, "first here");
		return;
	}
	guest = stem ? load(x, y, path_beside(x->store, path, y->text)) : NULL;
	if (!guest)
		return;
	check_top_keys(x->messages, guest);
	if (!yaml_get(guest, "defs"))
		message(x->messages, E_MISSING, y->at, NULL, NULL,
		        "'%s' has no 'defs' that could be included", y->text);
	add_dotted(x, root, "defs", yaml_get(guest, "defs"), stem);
	add_dotted(x, root, "defaults", yaml_get(guest, "defaults"), stem);
}

static struct yaml *resolve(struct extension *x, struct yaml *root, const char *path)
{
	const struct yaml *include = yaml_get(root, "include");

	if (include || yaml_get(root, "extends"))
		root = copy_of(x, root, 0);
	if (include) {
		size_t n = include->kind == YAML_LIST ? include->n : 1;

		take_key(root, "include");
		for (size_t k = 0; k < n; k++)
			include_one(x, root, include, k, path);
	}
	return extended(x, root, path);
}

bool extend_tree(struct yaml_tree *t, struct messages *m, const char *path)
{
	struct extension x = { .tree = t, .store = yaml_store(t), .messages = m };

	x.open[0] = real_path(&x, path);
	yaml_set_root(t, resolve(&x, yaml_root(t), path));
	return !x.failed;
}
