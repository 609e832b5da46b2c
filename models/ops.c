/*
 * ops: what a name means: a block of the file, a layer or an op; its inputs and arguments by name.
 */
#include "language.h"

#include <string.h>

static const char *const structures[] = { [KIND_CHAIN] = "chain",
	                                  [KIND_RESIDUAL] = "residual",
	                                  [KIND_PARALLEL] = "parallel",
	                                  [KIND_SCAN] = "scan" };
static const char *const functions[] = { "abs", "sqrt", "exp", "log", "floor", "ceil",
	                                 "min", "max",  "if",  "len", "range" };

#define COUNT(list) (sizeof(list) / sizeof *(list))

const ad_attr *attr_find(const ad_attr *table, const char *name)
{
	for (; table && table->name; table++)
		if (strcmp(table->name, name) == 0)
			return table;
	return NULL;
}

const char *attr_names(struct store *s, const ad_attr *table)
{
	const char *text = "";

	for (; table && table->name; table++)
		text = store_text(s, "%s%s%s", text, *text ? ", " : "", table->name);
	return text;
}

/* ---- inputs by name, "x w b?" ---------------------------------------------------------------- */

/* Word k without its mark; false if there is none. */
static bool word_at(const char *names, size_t k, char *to, size_t room)
{
	while (k > 0 && *names) {
		names += strcspn(names, " ");
		names += strspn(names, " ");
		k--;
	}
	size_t n = strcspn(names, " ?.");
	if (n == 0 || n >= room)
		return false;
	memcpy(to, names, n);
	to[n] = '\0';
	return true;
}

int input_find(const char *names, const char *name)
{
	char text[64];

	for (int k = 0; word_at(names, (size_t)k, text, sizeof text); k++)
		if (strcmp(text, name) == 0)
			return k;
	return -1;
}

int op_input(const ad_op *op, const char *name)
{
	return ad_op_max_inputs(op) < 0 ? -1 : input_find(ad_op_inputs(op), name);
}

const char *input_name(struct recording *r, const char *names, size_t k)
{
	char text[64];

	if (word_at(names, k, text, sizeof text))
		return store_text(r->store, "%s", text);
	return store_text(r->store, "input %zu", k + 1);
}

void input_counts(const char *names, size_t *least, size_t *most)
{
	*least = *most = 0;
	for (const char *s = names; *s; s += strspn(s, " ")) {
		size_t n = strcspn(s, " ");

		++*most;
		*least += s[n - 1] != '?';
		s += n;
	}
}

/* ---- kinds ----------------------------------------------------------------------------------- */

const struct layer *layer_find(const char *name)
{
	for (size_t i = 0; layers[i]; i++)
		if (strcmp(layers[i]->name, name) == 0)
			return layers[i];
	return NULL;
}

static const struct definition *block_find(struct recording *r, const char *name)
{
	const struct build *b = r->model->build;
	struct name *found = scope_own(&b->blocks, store_text(r->store, "%s%s", r->space, name));

	return found ? b->definitions[found->value.i] : NULL;
}

/* A block of the file, else a layer, else an op. */
static bool kind_of_word(struct recording *r, const char *name, struct kind *to)
{
	*to = (struct kind){ .name = name };
	for (int k = KIND_CHAIN; k <= KIND_SCAN; k++) {
		if (strcmp(structures[k], name) == 0) {
			to->what = (enum kind_of)k;
			return true;
		}
	}
	if ((to->block = block_find(r, name)) != NULL)
		to->what = KIND_BLOCK;
	else if ((to->layer = layer_find(name)) != NULL)
		to->what = KIND_LAYER;
	else if ((to->op = ad_op_find(name)) != NULL)
		to->what = KIND_OP;
	else
		return false;
	return true;
}

/* What a param or counter of that name stands for. */
static bool kind_of_name(struct recording *r, struct name *name, struct kind *to)
{
	if (name->value.kind == VALUE_KIND)
		*to = *name->value.of;
	else if (name->value.kind != VALUE_WORD || !kind_of_word(r, name->value.s, to))
		return false;
	name->used = true;
	return true;
}

bool kind_find(struct recording *r, const struct scope *in, const char *name, struct kind *to)
{
	struct name *found = scope_find(in, name);

	if (found && (found->kind == NAME_COUNTER || found->kind == NAME_ARGUMENT) &&
	    kind_of_name(r, found, to))
		return true;
	if (kind_of_word(r, name, to))
		return true;
	return found && found->kind == NAME_PARAM && kind_of_name(r, found, to);
}

const struct yaml *defaults_of(struct recording *r, const char *kind)
{
	const struct build *b = r->model->build;
	struct name *found;

	if (!b->given)
		return NULL;
	found = scope_own(&b->defaults,
	                  *r->space ? store_text(r->store, "%s%s", r->space, kind) : kind);
	if (!found)
		return NULL;
	found->used = true;
	return b->given->items[found->value.i];
}

/* ---- messages -------------------------------------------------------------------------------- */

void say_attribute(struct recording *r, struct place at, const char *name, const char *what,
                   const ad_attr *table)
{
	const char *names[64] = { "" };
	size_t n = 0;

	for (; table && table->name && n < 64; table++)
		names[n++] = table->name;
	const char *near = messages_suggest(r->messages) ? nearest(name, n, names) : NULL;
	const char *all = attr_names(r->store, n ? table - n : NULL);

	if (is_item_key(name)) {
		message(r->messages, E_KEY, at, NULL,
		        store_text(r->store, "'%s' stands beside '%s', not below it: {%s: ..., %s: ...}", name, what,
		                   what, name),
		        "'%s' has no argument '%s'", what, name);
		return;
	}
	message(r->messages, E_KEY, at,
	        near ? store_text(r->store, "did you mean '%s'?", near) : NULL,
	        near ? NULL
	        : n  ? store_text(r->store, "it takes: %s", all)
	             : "it takes none",
	        "'%s' has no argument '%s'", what, name);
}

/* The blocks that can be named here, for suggestions and as a list. */
static const char *block_names(struct recording *r, const char **names, size_t *n, size_t room)
{
	const struct build *b = r->model->build;
	size_t length = strlen(r->space), count = 0;
	const char *all = "";

	for (size_t i = 0; i < b->n_definitions && *n < room; i++) {
		const char *name = b->definitions[i]->name;

		if (strncmp(name, r->space, length) != 0)
			continue;
		names[(*n)++] = name + length;
		if (count++ < 12)
			all = store_text(r->store, "%s%s%s", all, *all ? ", " : "", name + length);
	}
	return all;
}

/* What else can be named there. */
static void other_names(enum op_place place, const char **names, size_t *n, size_t room)
{
	if (place == AS_BLOCK)
		return;
	for (size_t i = 0; i < ad_ops() && *n < room; i++)
		names[(*n)++] = ad_op_name(ad_op_at(i));
	for (size_t i = 0; place == AS_ITEM && layers[i] && *n < room; i++)
		names[(*n)++] = layers[i]->name;
	for (size_t i = 0; place == IN_EXPRESSION && i < COUNT(functions) && *n < room; i++)
		names[(*n)++] = functions[i];
	for (size_t i = KIND_CHAIN; place == AS_ITEM && i < COUNT(structures) && *n < room; i++)
		names[(*n)++] = structures[i];
}

/* Whether the name is of a plugin that is not loaded, which was said. */
static bool of_plugin(struct recording *r, const char *name)
{
	const struct yaml *plugins = yaml_get(r->model->build->root, "plugins");

	for (size_t i = 0; plugins && plugins->kind == YAML_LIST && i < plugins->n; i++)
		if (yaml_is(plugins->items[i], name))
			return true;
	return false;
}

/* "linear(4)", "linear 4", "linear=4": the op whose argument stands otherwise than behind a colon; "nn.Linear":
 * the last part, where that is like something. NULL: neither. */
static const char *otherwise_written(struct recording *r, const char *name, size_t n, const char *const names[],
                                     const char **help)
{
	const size_t length = strcspn(name, "( =");
	const char *word = store_copy(r->store, name, length), *dot = strrchr(word, '.'), *found;
	const char *rest = name + length + strspn(name + length, "( =");

	word = dot ? dot + 1 : word;
	found = NULL;
	for (size_t k = 0; k < n && !found; k++)
		found = strcmp(names[k], word) == 0 ? names[k] : NULL;
	if (!found)
		found = nearest(word, n, names);
	if (found && name[length])
		*help = *rest && !strpbrk(rest, "=, ")
		            ? store_text(r->store, "an argument stands behind a colon: {%s: %.*s}", found,
		                         (int)strcspn(rest, ")"), rest)
		            : store_text(r->store, "arguments stand behind a colon: {%s: ...}", found);
	return name[length] || dot ? found : NULL;
}

void say_op(struct recording *r, struct place at, const char *name, enum op_place place)
{
	size_t n = 0, room = ad_ops() + r->model->build->n_definitions + 256;
	const char **names, *blocks, *help;

	if (of_plugin(r, name))
		return;
	if (place == IN_EXPRESSION && layer_find(name) && !ad_op_find(name)) {
		message(r->messages, E_OP, at, NULL,
		        store_text(r->store, "write it as an item: {%s: ...}", name),
		        "'%s' owns weights and occurs only as an item", name);
		return;
	}
	if (!messages_suggest(r->messages)) {
		message(r->messages, E_OP, at, NULL, NULL, "no op or block named '%s'", name);
		return;
	}
	names = store_take(r->store, room * sizeof(*names));
	blocks = block_names(r, names, &n, room);
	other_names(place, names, &n, room);
	const char *near = nearest(name, n, names);
	if (place == AS_BLOCK)
		help = *blocks ? store_text(r->store, "the blocks of this file: %s", blocks)
		               : "blocks are declared under 'defs'";
	else
		help = *blocks ? store_text(r->store,
		                            "'autograd ops' lists the ops; blocks of this file: %s",
		                            blocks)
		               : "'autograd ops' lists the ops";
	const char *dot = strrchr(name, '.');
	const bool method = place == IN_EXPRESSION && dot && ad_op_find(dot + 1);
	const char *other = method || (place == AS_ITEM && (!near || strpbrk(name, "( =")))
	                        ? otherwise_written(r, name, n, names, &help)
	                        : NULL;
	if (other && method)
		help = store_text(r->store, "an op is a function: %s(x)", other);
	near = other ? other : near;
	message(r->messages, E_OP, at,
	        near ? store_text(r->store, "did you mean '%s'?", near) : NULL, help,
	        place == AS_BLOCK ? "no block named '%s'" : "no op or block named '%s'", name);
}
