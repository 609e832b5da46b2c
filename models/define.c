/*
 * define: the blocks of `defs`, and what `defaults` and `plugins` name.
 */
#include "language.h"

#include <string.h>

static const char *const block_keys[] = {
	"params", "inputs", "weights", "body", "outputs", "check"
};
static const char *const reserved[] = { "chain", "residual", "parallel", "scan",
	                                "as",    "from",     "repeat",   "each",
	                                "when",  "share",    "freeze",   "lr_scale",
	                                "init",  "shape",    "note",     "checkpoint" };

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* "basic", or in a resolved file "common.basic": a block of what was the file common.yaml. */
static bool is_block_name(const char *text)
{
	char part[LONGEST_NAME + 1];

	for (;;) {
		size_t n = strcspn(text, ".");

		if (n > LONGEST_NAME)
			return false;
		memcpy(part, text, n);
		part[n] = '\0';
		if (!is_name(part))
			return false;
		if (!text[n])
			return true;
		text += n + 1;
	}
}

static bool check_block_name(struct recording *r, const struct yaml *key)
{
	bool good = is_block_name(key->text);

	for (size_t i = 0; i < COUNT(reserved); i++)
		good = good && strcmp(reserved[i], key->text) != 0;
	return good || message(r->messages, E_TYPE, key->at, NULL,
	                       "letters, digits and '_', not a digit first, and no word of the "
	                       "language such as chain, repeat, init",
	                       "'%s' cannot be the name of a block", key->text);
}

/* A word alone is a default; one that other languages call a type by is said to be none. */
static bool as_default(struct recording *r, const struct yaml *y, const char *word, const char *types)
{
	static const struct {
		const char *theirs, *ours;
	} names[] = { { "integer", "int" },   { "number", "float" },  { "real", "float" },   { "double", "float" },
		      { "float32", "float" }, { "boolean", "bool" },  { "flag", "bool" },    { "string", "str" },
		      { "list", "shape" },    { "layer", "op" },      { "module", "block" } };

	for (size_t k = 0; k < sizeof names / sizeof *names; k++)
		if (strcmp(names[k].theirs, word) == 0)
			return !message(r->messages, E_TYPE, y->at,
			               store_text(r->store, "did you mean '%s'?", names[k].ours),
			               store_text(r->store, "the types are: %s; a word as the default stands in quotes",
			                          types),
			               "no type of a param is called '%s'", word);
	if (strchr(y->text, '=') == y->text + strlen(word) + strspn(y->text + strlen(word), " ") &&
	    is_name(word))
		return !message(r->messages, E_TYPE, y->at, NULL, store_text(r->store, "the types are: %s", types),
		               "no type of a param is called '%s'", word);
	return true;
}

/* A type, a default, or both, "int = 4". */
static bool read_param(struct recording *r, const struct yaml *key, const struct yaml *y,
                       struct parameter *to)
{
	static const char types[] = "int float bool str op block shape";
	size_t n;

	*to = (struct parameter){ .name = key->text, .at = key->at, .type = "", .value = y };
	if (!check_name(r, key, "a param"))
		return false;
	if (y->kind == YAML_MAP)
		return message(r->messages, E_TYPE, y->at, NULL,
		               "write {out: int, stride: 1, act: op = relu}",
		               "a param of a block is a type, a default value, or both");
	if (y->kind != YAML_SCALAR || y->quoted)
		return true;
	n = strcspn(y->text, " =");
	char *word = store_copy(r->store, y->text, n);
	if (!word_in(types, word))
		return as_default(r, y, word, types);
	const char *rest = y->text + n + strspn(y->text + n, " ");
	to->type = word;
	to->value = NULL;
	if (!*rest)
		return true;
	if (*rest != '=')
		return message(r->messages, E_SYNTAX, y->at, NULL,
		               store_text(r->store, "write '%s = VALUE'", word),
		               "an '=' is due after the type '%s'", word);
	rest += 1 + strspn(rest + 1, " ");
	if (!*rest)
		return message(
		    r->messages, E_SYNTAX, y->at, NULL,
		    store_text(r->store, "write '%s' alone for a param that must be given", word),
		    "the default is missing after '='");
	struct place at = y->at;
	at.col += (int)utf8_count(y->text, (size_t)(rest - y->text));
	to->value = yaml_scalar(r->store, at, rest);
	return true;
}

static bool is_map(struct recording *r, const struct yaml *y, const char *what, const char *help)
{
	return !y || y->kind == YAML_MAP ||
	       message(r->messages, E_TYPE, y->at, NULL, help,
	               "'%s' of a block is a mapping, not %s", what, shown(r, y));
}

static void read_block(struct recording *r, struct definition *d, const struct yaml *y)
{
	const struct yaml *params = yaml_get(y, "params");
	int before = messages_errors(r->messages);

	if (y->kind != YAML_MAP) {
		d->broken = true;
		message(r->messages, E_TYPE, y->at, NULL, "write {params: {out: int}, body: [...]}",
		        "a block is a mapping with 'body', not %s", shown(r, y));
		return;
	}
	check_map(r, y, d->name, COUNT(block_keys), block_keys);
	d->inputs = yaml_get(y, "inputs");
	d->weights = yaml_get(y, "weights");
	d->body = yaml_get(y, "body");
	d->outputs = yaml_get(y, "outputs");
	d->check = yaml_get(y, "check");
	if (d->check && (d->check->kind == YAML_MAP || yaml_is_null(d->check)))
		message(r->messages, E_TYPE, d->check->at, NULL, "write check: [out % 8 == 0]",
		        "'check' is a condition or a list of these, not %s", shown(r, d->check));
	is_map(r, params, "params", "params: {out: int, stride: 1}");
	is_map(r, d->inputs, "inputs", "inputs: {x: [B, D], h: [B, hidden]}");
	is_map(r, d->weights, "weights", "weights: {W: {shape: [4, 3], init: xavier}}");
	if (!d->body && !misspelt(y, "body", COUNT(block_keys), block_keys))
		message(r->messages, E_MISSING, d->at, NULL,
		        "a list of items is a chain, a mapping is a set of equations",
		        "block '%s' needs 'body'", d->name);
	else if (d->body && d->body->kind == YAML_SCALAR)
		message(r->messages, E_TYPE, d->body->at, NULL,
		        "a list of items is a chain, a mapping is a set of equations",
		        "'body' is a list or a mapping");
	for (size_t i = 0; params && params->kind == YAML_MAP && i < params->n; i++) {
		if (d->n_params == MOST_PARAMS) {
			message(r->messages, E_LIMIT, params->keys[i]->at, NULL, NULL,
			        "a block has at most %d params", MOST_PARAMS);
			break;
		}
		d->params = store_more(r->store, d->params, d->n_params, sizeof *d->params);
		if (read_param(r, params->keys[i], params->items[i], &d->params[d->n_params]))
			d->n_params++;
	}
	if (d->inputs && d->inputs->kind == YAML_MAP && d->inputs->n > MOST_PARAMS)
		message(r->messages, E_LIMIT, d->inputs->at, NULL, NULL,
		        "a block has at most %d inputs", MOST_PARAMS);
	for (size_t i = 0; d->inputs && d->inputs->kind == YAML_MAP && i < d->inputs->n; i++)
		check_name(r, d->inputs->keys[i], "an input");
	for (size_t i = 0; d->weights && d->weights->kind == YAML_MAP && i < d->weights->n; i++)
		check_name(r, d->weights->keys[i], "a weight");
	d->broken = messages_errors(r->messages) > before;
}

void define_blocks(struct recording *r, const struct yaml *defs)
{
	struct build *b = r->model->build;

	if (!defs || (defs->kind == YAML_SCALAR && yaml_is_null(defs)))
		return;
	if (defs->kind != YAML_MAP) {
		message(r->messages, E_TYPE, defs->at, NULL, "defs: {head: {body: [...]}}",
		        "'defs' is a mapping of names to blocks");
		return;
	}
	for (size_t i = 0; i < defs->n; i++) {
		const struct yaml *key = defs->keys[i];
		struct definition *d = store_take(r->store, sizeof *d);
		const char *dot = strrchr(key->text, '.');

		*d = (struct definition){ .name = key->text, .at = key->at, .space = "" };
		if (dot)
			d->space = store_copy(r->store, key->text, (size_t)(dot + 1 - key->text));
		if (!check_block_name(r, key))
			continue;
		struct name *old = scope_own(&b->blocks, d->name);
		if (old) { /* one of the file's own, and one that is included */
			message(r->messages, E_NAMED_TWICE, d->at, NULL, NULL,
			        "two blocks are named '%s'", d->name);
			message_also(r->messages, old->at, "first here");
			continue;
		}
		read_block(r, d, defs->items[i]);
		scope_add(r->store, &b->blocks, d->name, NAME_VALUE, d->at,
		          value_int((int64_t)b->n_definitions));
		b->definitions =
		    store_more(r->store, b->definitions, b->n_definitions, sizeof(*b->definitions));
		b->definitions[b->n_definitions++] = d;
	}
}

/* Whether the kind has an argument of this name; says which it has. */
static bool has_argument(struct recording *r, const struct kind *kind, const struct yaml *key)
{
	const ad_attr *table = kind->what == KIND_OP      ? ad_op_attrs(kind->op)
	                       : kind->what == KIND_LAYER ? kind->layer->attrs
	                                                  : NULL;

	if (kind->what == KIND_BLOCK) {
		const struct definition *d = kind->block;
		const char **names = store_take(r->store, (d->n_params + 1) * sizeof(*names));

		for (size_t k = 0; k < d->n_params; k++) {
			names[k] = d->params[k].name;
			if (strcmp(names[k], key->text) == 0)
				return true;
		}
		unknown_key(r->messages, key, kind->name, d->n_params, names);
		return false;
	}
	if (attr_find(table, key->text) ||
	    (kind->what == KIND_LAYER && strcmp(key->text, "init") == 0))
		return true;
	say_attribute(r, key->at, key->text, kind->name, table);
	return false;
}

void define_defaults(struct recording *r, const struct yaml *defaults)
{
	struct build *b = r->model->build;

	if (!defaults || (defaults->kind == YAML_SCALAR && yaml_is_null(defaults)))
		return;
	if (defaults->kind != YAML_MAP) {
		message(r->messages, E_TYPE, defaults->at, NULL, "defaults: {conv2d: {kernel: 3}}",
		        "'defaults' is a mapping of ops to arguments");
		return;
	}
	for (size_t i = 0; i < defaults->n; i++) {
		const struct yaml *key = defaults->keys[i], *y = defaults->items[i];
		const char *dot = strrchr(key->text, '.'), *outer = r->space;
		struct kind kind;
		bool good = true;

		r->space =
		    dot ? store_copy(r->store, key->text, (size_t)(dot + 1 - key->text)) : "";
		if (!kind_find(r, &b->bare, dot ? dot + 1 : key->text, &kind)) {
			say_op(r, key->at, dot ? dot + 1 : key->text, AS_ITEM);
			good = false;
		} else if (kind.what >= KIND_CHAIN) {
			good = message(r->messages, E_TYPE, key->at, NULL, NULL,
			               "'%s' has no arguments that could have defaults", key->text);
		}
		for (size_t k = 0; good && y->kind == YAML_MAP && k < y->n; k++)
			has_argument(r, &kind, y->keys[k]);
		r->space = outer;
		if (good)
			scope_add(r->store, &b->defaults, key->text, NAME_VALUE, key->at,
			          value_int((int64_t)i));
	}
	b->given = defaults;
}

static void require_op(struct recording *r, const struct yaml *y)
{
	if (y->kind != YAML_SCALAR || !is_name(y->text))
		message(r->messages, E_TYPE, y->at, NULL,
		        "write plugins: [swish]; where an op lies is not said in a model's file",
		        "'plugins' lists names of ops, not %s", shown(r, y));
	else if (!ad_op_find(y->text))
		message(r->messages, E_OP, y->at, NULL,
		        store_text(r->store, "load it with --plugin ./lib%s.so, or from the folder that AUTOGRAD_PLUGINS "
		                   "names; 'autograd op build %s.c' makes it", y->text, y->text),
		        "the op '%s' is of a plugin that is not loaded", y->text);
}

void require_plugins(struct recording *r, const struct yaml *plugins)
{
	if (!plugins || yaml_is_null(plugins))
		return;
	if (plugins->kind != YAML_LIST) {
		message(r->messages, E_TYPE, plugins->at, NULL, "plugins: [swish]",
		        "'plugins' is a list of names of ops");
		return;
	}
	for (size_t i = 0; i < plugins->n; i++)
		require_op(r, plugins->items[i]);
}
