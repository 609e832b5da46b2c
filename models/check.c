/*
 * check: the keys of a declaration: which may stand where, what type their values have. It fills
 * the model's inputs, weights, data and training; what stands under 'model' is build.c's.
 */
#include "language.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const top_keys[] = { "version", "name",    "params",   "inputs",  "weights",
	                                "defs",    "defaults", "model",   "output",  "loss",
	                                "metrics", "data",    "train",    "extends", "include",
	                                "unset",   "plugins", "sweep",    "draw" };
static const char *const train_keys[] = {
	"epochs",     "steps",     "seed",       "optimizer", "precision", "log",  "schedule", "clip",
	"groups",     "early_stop", "checkpoint", "gradients", "accumulate", "eval", "from"
};
static const char *const data_keys[] = {
	"train", "valid", "test", "map", "augment", "batch", "shuffle", "draw"
};
static const char *const split_keys[] = { "split", "of", "how" };
static const char *const normalize_keys[] = { "mean", "std" };
static const char *const augment_steps[] = { "random_crop", "random_flip" };
static const char *const map_steps[] = { "scale", "normalize", "standardize", "flatten" };

#define COUNT(list) (sizeof(list) / sizeof *(list))

bool word_in(const char *list, const char *word)
{
	size_t n = strlen(word);

	while (list && *list) {
		size_t length = strcspn(list, " ");

		if (length == n && memcmp(list, word, n) == 0)
			return true;
		list += length + strspn(list + length, " ");
	}
	return false;
}

static bool is_among(const char *word, size_t n, const char *const list[])
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i], word) == 0)
			return true;
	return false;
}

/* The section that a key belongs to which stands in another, "" for the top level; NULL: none has it. */
static const char *section_of(const char *key, const char *where)
{
	static const char *const settings[] = { "lr",           "learning_rate", "momentum",
		                                "weight_decay", "betas",         "nesterov" };
	bool train = strcmp(where, "train") == 0, data = strcmp(where, "data") == 0;

	if (train && is_among(key, COUNT(settings), settings))
		return "optimizer: {sgd: {...}}";
	if (!train && !data && strcmp(where, "the file") != 0)
		return NULL;
	if (!train && is_among(key, COUNT(train_keys), train_keys))
		return "train";
	if (!data && is_among(key, COUNT(data_keys), data_keys))
		return "data";
	return (train || data) && is_among(key, COUNT(top_keys), top_keys) ? "" : NULL;
}

void unknown_key(struct messages *m, const struct yaml *key, const char *where, size_t n,
                 const char *const allowed[])
{
	const char *near = messages_suggest(m) ? nearest(key->text, n, allowed) : NULL;
	const char *belongs = section_of(key->text, where);
	char hint[LONGEST_NAME + 40], help[1000] = "";
	bool quote = strchr(where, ' ') == NULL;

	if (belongs)
		near = NULL;
	snprintf(hint, sizeof hint, "did you mean '%s'?", near ? near : "");
	if (belongs)
		snprintf(help, sizeof help,
		         *belongs ? "it belongs into '%s'" : "it belongs to the top level, beside '%s'",
		         *belongs ? belongs : where);
	for (size_t i = 0, used = 0; !near && !belongs && i < n && used < sizeof help; i++)
		used += (size_t)snprintf(help + used, sizeof help - used, "%s%s",
		                         i ? ", " : "the keys here are: ", allowed[i]);
	message(m, E_KEY, key->at, near ? hint : NULL, near || !n ? NULL : help,
	        "unknown key '%s' in %s%s%s", key->text, quote ? "'" : "", where, quote ? "'" : "");
}

static bool allowed(const struct yaml *key, size_t n, const char *const list[])
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i], key->text) == 0)
			return true;
	return false;
}

/* Whether one of the map's unknown keys is meant to be this one: then that was said already, and the
 * key does not lack besides. */
bool misspelt(const struct yaml *map, const char *key, size_t n, const char *const list[])
{
	for (size_t i = 0; i < map->n; i++) {
		const char *near = nearest(map->keys[i]->text, n, list);

		if (near && strcmp(near, key) == 0 && !allowed(map->keys[i], n, list))
			return true;
	}
	return false;
}

/* What stands there, for "not 'x'": a word in quotes, or what kind of thing it is. */
const char *shown(struct recording *r, const struct yaml *y)
{
	if (y->kind != YAML_SCALAR)
		return y->kind == YAML_LIST ? "a list" : "a mapping";
	return yaml_is_null(y) ? "null" : store_text(r->store, "'%s'", y->text);
}

/* A word out of a few, "f32 f64": which one, or -1 after a message. */
int word_of(struct recording *r, const struct yaml *y, const char *key, size_t n,
                   const char *const list[], const char *help)
{
	const char *near = NULL, *all = "";

	for (size_t i = 0; i < n; i++) {
		if (yaml_is(y, list[i]))
			return (int)i;
		all = store_text(r->store, "%s%s%s", all, i ? " " : "", list[i]);
	}
	if (y->kind == YAML_SCALAR)
		near = nearest(y->text, n, list);
	message(r->messages, E_TYPE, y->at,
	        near ? store_text(r->store, "did you mean '%s'?", near) : NULL, help,
	        "'%s' is one of: %s; not %s", key, all, shown(r, y));
	return -1;
}

/* Whether y is a mapping whose keys are all in the list; says what is not. */
bool check_map(struct recording *r, const struct yaml *y, const char *where, size_t n,
                      const char *const list[])
{
	if (y->kind != YAML_MAP)
		return message(r->messages, E_TYPE, y->at, NULL,
		               store_text(r->store, "write %s: {%s: ...}", where, list[0]),
		               "'%s' is a mapping of keys, not a %s", where,
		               y->kind == YAML_LIST ? "list" : "single value");
	for (size_t i = 0; i < y->n; i++)
		if (!allowed(y->keys[i], n, list))
			unknown_key(r->messages, y->keys[i], where, n, list);
	return true;
}

bool check_name(struct recording *r, const struct yaml *key, const char *what)
{
	if (is_name(key->text))
		return true;
	const bool is_long = strlen(key->text) > LONGEST_NAME;
	return message(
	    r->messages, E_TYPE, key->at, NULL,
	    is_long ? store_text(r->store, "a name has at most %d letters", LONGEST_NAME)
	            : "letters, digits and '_', not a digit first, none of: true false null if prev",
	    is_long ? "'%.40s...' cannot be the name of %s" : "'%s' cannot be the name of %s", key->text, what);
}

/* ---- what a --set may name ------------------------------------------------------------------- */

static const char *const *attr_keys(struct store *s, const ad_attr *table, size_t *count)
{
	size_t n = 0;

	while (table && table[n].name)
		n++;
	const char **names = store_take(s, (n + 1) * sizeof(*names));
	for (size_t i = 0; i < n; i++)
		names[i] = table[i].name;
	*count = n;
	return names;
}

const char *const *keys_at(struct store *s, size_t n, const char *const path[], size_t *count,
                           bool *any)
{
	*any = false;
	*count = 0;
	if (n == 0) {
		*count = COUNT(top_keys);
		return top_keys;
	}
	if (strcmp(path[0], "train") == 0) {
		if (n == 1) {
			*count = COUNT(train_keys);
			return train_keys;
		}
		if (n == 2 && strcmp(path[1], "optimizer") == 0) {
			while (optimizers[*count])
				++*count;
			const char **names = store_take(s, (*count + 1) * sizeof(*names));
			for (size_t i = 0; i < *count; i++)
				names[i] = optimizers[i]->name;
			return names;
		}
		for (size_t i = 0; n <= 3 && n >= 2 && strcmp(path[1], "schedule") == 0; i++) {
			if (n == 2 && !schedules[i].name) {
				const char **names = store_take(s, (i + 1) * sizeof(*names));

				for (*count = 0; *count < i; ++*count)
					names[*count] = schedules[*count].name;
				return names;
			}
			if (!schedules[i].name)
				break;
			if (n == 3 && strcmp(schedules[i].name, path[2]) == 0)
				return attr_keys(s, schedules[i].attrs, count);
		}
		for (size_t i = 0; n == 3 && optimizers[i]; i++)
			if (strcmp(optimizers[i]->name, path[2]) == 0)
				return attr_keys(s, optimizers[i]->attrs, count);
	}
	if (strcmp(path[0], "data") == 0 && n == 1) {
		*count = COUNT(data_keys);
		return data_keys;
	}
	if (n == 1 && plan_keys(path[0], count))
		return plan_keys(path[0], count);
	*any = strcmp(path[0], "params") != 0 && strcmp(path[0], "inputs") != 0 &&
	       strcmp(path[0], "weights") != 0;
	return NULL;
}

/* ---- the top level --------------------------------------------------------------------------- */

static void check_top_name(struct recording *r, const struct yaml *y)
{
	size_t n = y->kind == YAML_SCALAR ? strlen(y->text) : 0;

	if (n == 0 || n > LONGEST_NAME || y->text[0] == '.' || y->text[0] == '-' ||
	    strspn(y->text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") !=
	        n)
		message(r->messages, E_TYPE, y->at, NULL, "it becomes the name of a folder",
		        "'name' is made of letters, digits, '_', '-' and '.', and begins with none "
		        "of the "
		        "last two");
	else
		r->model->name = y->text;
}

void check_top_keys(struct messages *m, const struct yaml *root)
{
	const struct yaml *version = yaml_get(root, "version");

	if (version && !yaml_is(version, "1"))
		message(m, E_RANGE, version->at, NULL, "write 'version: 1'",
		        "this program reads version 1 of the language%s%s%s",
		        version->kind == YAML_SCALAR ? ", not '" : "",
		        version->kind == YAML_SCALAR ? version->text : "", version->kind == YAML_SCALAR ? "'" : "");
	for (size_t i = 0; i < root->n; i++)
		if (!allowed(root->keys[i], COUNT(top_keys), top_keys) &&
		    strncmp(root->keys[i]->text, "x-", 2) != 0)
			unknown_key(m, root->keys[i], "the file", COUNT(top_keys), top_keys);
}

void check_top(struct recording *r)
{
	struct build *b = r->model->build;
	const struct yaml *root = b->root, *name = yaml_get(root, "name");

	check_top_keys(r->messages, root);
	if (!yaml_get(root, "version") && !misspelt(root, "version", COUNT(top_keys), top_keys))
		message(r->messages, E_MISSING, (struct place){ 0 }, NULL, "write 'version: 1' first",
		        "the file needs 'version'");
	if (name)
		check_top_name(r, name);
	require_plugins(r, yaml_get(root, "plugins"));
	declare_params(r, yaml_get(root, "params"));
	declare_inputs(r, yaml_get(root, "inputs"));
	declare_weights(r, yaml_get(root, "weights"));
	define_blocks(r, yaml_get(root, "defs"));
	define_defaults(r, yaml_get(root, "defaults"));
	b->model = yaml_get(root, "model");
	b->loss = yaml_get(root, "loss");
	b->metrics = yaml_get(root, "metrics");
	b->output = yaml_get(root, "output");
	if (!b->model && !b->loss && !misspelt(root, "model", COUNT(top_keys), top_keys))
		message(r->messages, E_MISSING, (struct place){ 0 }, NULL,
		        "a list of items is a chain, a mapping is a set of equations",
		        "the file needs 'model'");
}

void check_unused(struct recording *r)
{
	const struct yaml *params = yaml_get(r->model->build->root, "params");

	for (size_t i = 0; params && params->kind == YAML_MAP && i < params->n; i++) {
		struct name *name = scope_own(&r->model->build->file, params->keys[i]->text);

		if (name && name->kind == NAME_PARAM && !name->used)
			message_warning(r->messages, name->at, "params.%s is never used",
			                name->text);
	}
}

/* ---- settings of an optimizer or a format ---------------------------------------------------- */

/* The struct of a table, filled with what the mapping says; keys for which `other` is true are not
 * attributes. NULL after a message. */
void *fill_settings(struct recording *r, const char *what, const ad_attr *table, size_t size,
                    size_t n, const ad_setting settings[], struct place at)
{
	void *to = store_take(r->store, size);
	char text[256];

	for (const ad_attr *a = table; a && a->name; a++) {
		bool given = a->def != NULL;

		for (size_t i = 0; i < n; i++)
			given = given || strcmp(settings[i].name, a->name) == 0;
		if (!given) {
			message(r->messages, E_MISSING, at, NULL, NULL, "'%s' needs '%s': %s", what,
			        a->name, a->doc);
			return NULL;
		}
	}
	if (table && !ad_fill_attrs(table, to, n, settings, text, sizeof text)) {
		message(r->messages, E_TYPE, at, NULL, NULL, "%s: %s", what, text);
		return NULL;
	}
	return to;
}

int64_t whole_field(struct recording *r, const struct yaml *map, const char *key,
                           int64_t least, int64_t otherwise)
{
	const struct yaml *y = yaml_get(map, key);
	int64_t n;

	if (!y)
		return otherwise;
	struct value v = field_of(r, &r->model->build->file, y, key, "a whole number");
	return whole_of(r, v, y->at, key, y->text, least, INT64_MAX, &n) ? n : otherwise;
}

/* A rate, a momentum, a decay, a count: none of these numbers is negative. */
bool number_setting(struct recording *r, const ad_attr *a, const struct yaml *y,
                    ad_setting *to)
{
	if (!setting_of_yaml(r, &r->model->build->file, a, y, to))
		return false;
	if ((to->type == AD_NUM && to->r < 0) || (to->type == AD_INT && to->i < 0)) {
		message(r->messages, E_RANGE, y->at, NULL, NULL, "'%s' must be 0 or more, not %g",
		        a->name, to->type == AD_NUM ? to->r : (double)to->i);
		note_param(r, y->at);
		return false;
	}
	return true;
}

/* ---- data  / --------------------------------------------------------------------------------- */

/* The scalar with ${name} replaced by params. */
const struct yaml *with_params(struct recording *r, const struct yaml *y)
{
	const char *text = "", *from = y->text, *at, *end;

	if (y->kind != YAML_SCALAR || !strstr(y->text, "${"))
		return y;
	for (; (at = strstr(from, "${")) != NULL; from = end + 1) {
		end = strchr(at, '}');
		if (!end) {
			message(r->messages, E_SYNTAX, y->at, NULL, "write ${name}",
			        "'${' is never closed");
			return y;
		}
		char *word = store_copy(r->store, at + 2, (size_t)(end - at - 2));
		struct name *name = scope_find(&r->model->build->file, word);
		if (!name || name->kind != NAME_PARAM) {
			struct name *near = scope_nearest(r->messages, &r->model->build->file, word, true);

			message(r->messages, E_NAME, y->at,
			        near ? store_text(r->store, "did you mean '%s'?", near->text)
			             : NULL,
			        NULL, "no param is named '%s'", word);
			return y;
		}
		name->used = true;
		struct value v = name->value;
		text = store_text(r->store, "%s%.*s", text, (int)(at - from), from);
		if (v.kind == VALUE_WORD)
			text = store_text(r->store, "%s%s", text, v.s);
		else if (v.kind == VALUE_INT)
			text = store_text(r->store, "%s%lld", text, (long long)v.i);
		else if (v.kind == VALUE_REAL)
			text = store_text(r->store, "%s%g", text, v.r);
		else if (v.kind != VALUE_UNKNOWN)
			message(r->messages, E_TYPE, y->at, NULL, NULL,
			        "'${%s}' wants a word or a number", word);
	}
	struct yaml *copy = store_take(r->store, sizeof *copy);
	*copy = *y;
	copy->text = store_text(r->store, "%s%s", text, from);
	return copy;
}

static const struct format *find_format(struct recording *r, const struct yaml *key)
{
	const char *names[64] = { "" }, *all = "";
	size_t n = 0;

	for (; formats[n] && n < 64; n++) {
		names[n] = formats[n]->name;
		if (key->kind == YAML_SCALAR && strcmp(names[n], key->text) == 0)
			return formats[n];
		all = store_text(r->store, "%s%s%s", all, n ? ", " : "", names[n]);
	}
	if (key->kind != YAML_SCALAR || yaml_is_null(key)) {
		message(r->messages, E_TYPE, key->at, NULL,
		        store_text(r->store, "the formats are: %s", all),
		        "'format' is the name of a data format, not %s", shown(r, key));
		return NULL;
	}
	const char *near = nearest(key->text, n, names);
	message(r->messages, E_OP, key->at,
	        near ? store_text(r->store, "did you mean '%s'?", near) : NULL,
	        near ? NULL : store_text(r->store, "the formats are: %s", all),
	        "no data format named '%s'", key->text);
	return NULL;
}

/* Whether a word is a format, or is meant to be one. */
static bool near_format(const struct yaml *word)
{
	const char *names[64] = { "" };
	size_t n = 0;

	for (; formats[n] && n < 64; n++)
		names[n] = formats[n]->name;
	return word->kind == YAML_SCALAR && (allowed(word, n, names) || nearest(word->text, n, names));
}

static bool is_input(const ad_model *m, const char *name)
{
	const struct name *input = scope_own(&m->build->inputs, name);

	return input && !m->inputs[input->value.i].scalar_leaf;
}

/* Says that a source has no such key, with all that it may have. */
static void say_source_key(struct recording *r, const struct yaml *key, const struct format *f)
{
	const char *names[128];
	size_t n = 0;

	for (const ad_attr *a = f->attrs; a && a->name && n < 100; a++)
		names[n++] = a->name;
	for (const char *s = f->trees ? f->trees : ""; *s && n < 110; s += strspn(s, " ")) {
		size_t length = strcspn(s, " ");

		names[n++] = store_copy(r->store, s, length);
		s += length;
	}
	for (int i = 0; f->binds && i < r->model->n_inputs && n < 128; i++)
		if (!r->model->inputs[i].scalar_leaf)
			names[n++] = r->model->inputs[i].name;
	unknown_key(r->messages, key, f->name, n, names);
}

/* What an input is bound to is a path, or the names of columns: one or a list. Which there are, the
 * data tells. */
static bool check_binding(struct recording *r, const struct format *f, const char *input,
                          const struct yaml *y)
{
	const struct yaml *wrong = NULL;

	if (y->kind == YAML_MAP || (y->kind == YAML_SCALAR && yaml_is_null(y)) ||
	    (y->kind == YAML_LIST && (f->paths || y->n == 0)))
		wrong = y;
	for (size_t i = 0; y->kind == YAML_LIST && !wrong && i < y->n; i++)
		if (y->items[i]->kind != YAML_SCALAR || yaml_is_null(y->items[i]))
			wrong = y->items[i];
	if (!wrong)
		return true;
	if (f->paths)
		return message(r->messages, E_TYPE, wrong->at, NULL,
		               store_text(r->store, "write %s: FILE", input),
		               "'%s' takes the path of a file, not %s", input, shown(r, wrong));
	return message(r->messages, E_TYPE, wrong->at, NULL,
	               store_text(r->store, "write %s: 0..3, or a name, or a list: [0, 2]", input),
	               "'%s' takes a column, a range of columns or a list of these, not %s", input,
	               wrong->kind != YAML_LIST ? shown(r, wrong)
	               : wrong == y             ? "an empty list"
	                                        : "a list in a list");
}

/* Where paths start: the folder of the file that states them, which may be a parent of the model file and
 * lie in another folder. */
static const char *folder_at(struct recording *r, struct place at)
{
	const char *path = messages_path(r->messages, at.file), *slash = strrchr(path, '/');

	if (at.file == 0)
		return r->model->folder;
	return slash ? store_copy(r->store, path, (size_t)(slash - path) + (slash == path)) : ".";
}

const char *file_path(struct recording *r, const struct yaml *y)
{
	const char *folder = folder_at(r, y->at);

	return *y->text == '/' || strcmp(folder, ".") == 0 ? y->text : store_text(r->store, "%s/%s", folder, y->text);
}

static const char *folder_of(struct recording *r, const struct yaml *y)
{
	const struct yaml *file = yaml_get(y, "file") ? yaml_get(y, "file") : yaml_get(y, "dir");
	struct place at = y->at;

	for (size_t i = 0; !file && y->kind == YAML_MAP && i < y->n; i++)
		if (is_input(r->model, y->keys[i]->text))
			file = y->items[i];
	return folder_at(r, file ? file->at : at);
}

/* A source: {format: csv, file: ...}, {table: {...}}, or with its first field alone, {png: pictures}. */
static bool check_source(struct recording *r, const struct yaml *y, const char *part, uint64_t seed,
                         struct source *to)
{
	const struct yaml *key = yaml_get(y, "format");
	ad_setting *settings;
	size_t n = 0;
	bool good = true;

	to->at = y->at;
	to->seed = seed;
	if (y->kind == YAML_MAP && !key && y->n == 1) {
		key = y->keys[0];
		y = y->items[0];
	}
	to->folder = folder_of(r, y);
	if (!key && y->kind == YAML_MAP) {
		static const char *const keys[] = { "format", "split" };

		for (size_t i = 0; i < y->n; i++)
			if (nearest(y->keys[i]->text, COUNT(keys), keys)) {
				unknown_key(r->messages, y->keys[i], part, COUNT(keys), keys);
				return false;
			}
	}
	if (!key || (y->kind != YAML_MAP && !yaml_is_null(y) && !near_format(key)))
		return message(r->messages, E_MISSING, to->at, NULL,
		               "write {format: csv, file: points.csv, ...}", "'%s' needs 'format'",
		               part);
	to->format = find_format(r, key);
	if (!to->format)
		return false;
	settings = store_take(r->store, (y->n + 1) * sizeof *settings);
	if (y->kind == YAML_LIST || (y->kind == YAML_SCALAR && !yaml_is_null(y))) {
		const ad_attr *first = to->format->attrs;

		if (y->kind == YAML_LIST || !first || first->type != AD_WORD)
			return message(r->messages, E_TYPE, y->at, NULL, NULL, "'%s' is a mapping of keys, not a "
			               "%s", to->format->name, y->kind == YAML_LIST ? "list" : "single value");
		good = number_setting(r, first, with_params(r, y), &settings[n++]);
	}
	to->bindings = store_take(r->store, y->n * sizeof *to->bindings);
	for (size_t i = 0; i < y->n; i++) {
		const char *name = y->keys[i]->text;
		const ad_attr *a = attr_find(to->format->attrs, name);

		if (y->items[i] == key)
			continue;
		if (a) {
			/* a path, or one word out of a few */
			const struct yaml *v =
			    a->type == AD_WORD && !a->choice ? with_params(r, y->items[i]) : y->items[i];

			good = number_setting(r, a, v, &settings[n++]) && good;
		} else if (word_in(to->format->trees, name)) {
			if (y->items[i]->kind != YAML_LIST)
				good = message(r->messages, E_TYPE, y->items[i]->at, NULL, NULL,
				               "'%s' is a list, not %s", name,
				               shown(r, y->items[i]));
			to->bindings[to->n_bindings++] = (struct binding){ name, y->items[i] };
		} else if (to->format->binds && is_input(r->model, name)) {
			const struct yaml *v =
			    to->format->paths ? with_params(r, y->items[i]) : y->items[i];

			good = check_binding(r, to->format, name, v) && good;
			to->bindings[to->n_bindings++] = (struct binding){ name, v };
		} else {
			say_source_key(r, y->keys[i], to->format);
			good = false;
		}
	}
	to->attrs = good && to->format->attrs ? fill_settings(r, to->format->name, to->format->attrs,
	                                             to->format->attrs_size, n, settings, key->at)
	                                      : NULL;
	return good && (to->attrs || !to->format->attrs);
}

static bool check_split(struct recording *r, const struct yaml *y, const char *part,
                        struct split *to)
{
	const struct yaml *split = yaml_get(y, "split"), *of = yaml_get(y, "of"),
			  *how = yaml_get(y, "how");
	static const char *const parts[] = { "train", "test" };
	static const char *const ways[] = { "random", "tail" };
	int k = -1;

	check_map(r, y, part, COUNT(split_keys), split_keys);
	struct value v = field_of(r, &r->model->build->file, split, "split", "a number");
	if (!number_of(r, v, split->at, "split", &to->fraction))
		return false;
	if (!(to->fraction > 0 && to->fraction < 1))
		return message(r->messages, E_RANGE, split->at, NULL, NULL,
		               "'split' is a part between 0 and 1, not %s", split->text);
	if (of && (k = word_of(r, of, "of", COUNT(parts), parts, NULL)) < 0)
		return false;
	to->of_test = of && k == 1;
	if (to->of_test && strcmp(part, "test") == 0)
		return message(r->messages, E_TYPE, of->at, NULL, NULL,
		               "'test' cannot be split off itself");
	if (how && (k = word_of(r, how, "how", COUNT(ways), ways, NULL)) < 0)
		return false;
	to->tail = how && k == 1;
	to->given = true;
	return true;
}

static void check_part(struct recording *r, const struct yaml *data, const char *part,
                       uint64_t seed, bool *has, struct source *source, struct split *split)
{
	const struct yaml *y = yaml_get(data, part);

	if (!y)
		return;
	if (y->kind != YAML_MAP)
		message(r->messages, E_TYPE, y->at, NULL,
		        "write {format: csv, file: points.csv, ...}",
		        "'%s' is a mapping that declares where the data comes from", part);
	else if (split && yaml_get(y, "split"))
		check_split(r, y, part, split);
	else
		*has = check_source(r, y, part, seed, source);
}

/* A number, or a list of them. */
static bool numbers_of(struct recording *r, const struct yaml *y, const char *what, const double **to,
                       size_t *n)
{
	bool list = y->kind == YAML_LIST;
	double *numbers;

	*n = list ? y->n : 1;
	if (*n == 0)
		return message(r->messages, E_TYPE, y->at, NULL, NULL, "'%s' is an empty list", what);
	*to = numbers = store_take(r->store, *n * sizeof *numbers);
	for (size_t k = 0; k < *n; k++) {
		const struct yaml *one = list ? y->items[k] : y;

		if (!number_of(r, field_of(r, &r->model->build->file, one, what, "a number"), one->at, what,
		               &numbers[k]))
			return false;
	}
	return true;
}

static bool same_count(struct recording *r, const struct yaml *std, size_t n, const struct map_step *step)
{
	return n == step->n || message(r->messages, E_TYPE, std->at, NULL, NULL,
	                               "'std' has %zu numbers, but 'mean' has %zu", step->n, n);
}

static bool all_positive(struct recording *r, const struct yaml *std, const struct map_step *step)
{
	for (size_t k = 0; k < step->n; k++) {
		const struct yaml *one = std->kind == YAML_LIST ? std->items[k] : std;

		if (step->std[k] <= 0)
			return message(r->messages, E_RANGE, one->at, NULL, NULL,
			               "'std' must be above 0, not %s", one->text);
	}
	return true;
}

static bool check_normalize(struct recording *r, const struct yaml *y, struct map_step *to)
{
	size_t n;
	const struct yaml *mean = yaml_get(y, "mean"), *std = yaml_get(y, "std");

	if (!check_map(r, y, "normalize", COUNT(normalize_keys), normalize_keys))
		return false;
	if (!mean || !std)
		return message(r->messages, E_MISSING, y->at, NULL,
		               "write {normalize: {mean: 0.5, std: 0.2}}",
		               "'normalize' needs 'mean' and 'std'");
	return numbers_of(r, mean, "mean", &to->mean, &n) && numbers_of(r, std, "std", &to->std, &to->n) &&
	       same_count(r, std, n, to) && all_positive(r, std, to);
}

static void check_step(struct recording *r, const char *input, const struct yaml *y)
{
	struct data_spec *d = &r->model->data;
	const struct yaml *key = y->kind == YAML_MAP && y->n == 1 ? y->keys[0] : y;
	const struct yaml *arg = y->kind == YAML_MAP && y->n == 1 ? y->items[0] : NULL;
	struct map_step step = { .input = input };

	if (key->kind != YAML_SCALAR) {
		message(r->messages, E_TYPE, y->at, NULL, "write [{scale: 1/255}, standardize]",
		        "a step is a word or a mapping with one key");
		return;
	}
	if (yaml_is(key, "flatten"))
		return; /* an input takes its data in its own shape, whatever shape the file has */
	if (yaml_is(key, "standardize")) {
		step.kind = MAP_STANDARDIZE;
	} else if (yaml_is(key, "normalize")) {
		step.kind = MAP_NORMALIZE;
		if (!check_normalize(r, arg ? arg : y, &step))
			return;
	} else if (yaml_is(key, "scale")) {
		step.kind = MAP_SCALE;
		if (!arg) {
			message(r->messages, E_MISSING, key->at, NULL, "write {scale: 1/255}",
			        "'scale' needs a number");
			return;
		}
		if (!number_of(r, field_of(r, &r->model->build->file, arg, "scale", "a number"),
		               arg->at, "scale", &step.scale))
			return;
	} else {
		unknown_key(r->messages, key, "map", COUNT(map_steps), map_steps);
		return;
	}
	d->map = store_more(r->store, d->map, (size_t)d->n_map, sizeof *d->map);
	d->map[d->n_map++] = step;
}

/* `random_flip`, `{random_crop: {pad: 4}}`, `{random_crop: 4}`. */
static void check_augment(struct recording *r, const char *input, const struct yaml *y)
{
	struct data_spec *d = &r->model->data;
	const struct yaml *key = y->kind == YAML_MAP && y->n == 1 ? y->keys[0] : y;
	const struct yaml *arg = y->kind == YAML_MAP && y->n == 1 ? y->items[0] : NULL;
	const struct input *in = &r->model->inputs[scope_own(&r->model->build->inputs, input)->value.i];
	struct augment_step step = { .input = input, .p = 0.5 };
	const char *name;

	if (key->kind != YAML_SCALAR) {
		message(r->messages, E_TYPE, y->at, NULL, "write [{random_crop: {pad: 4}}, random_flip]",
		        "a step is a word or a mapping with one key");
		return;
	}
	step.kind = yaml_is(key, "random_flip") ? AUGMENT_FLIP : AUGMENT_CROP;
	if (step.kind == AUGMENT_CROP && !yaml_is(key, "random_crop")) {
		unknown_key(r->messages, key, "augment", COUNT(augment_steps), augment_steps);
		return;
	}
	if (in->type != AD_REAL || (in->rank >= 0 && in->rank - (r->model->batch_dim >= 0) < 2)) {
		message(r->messages, E_TYPE, key->at, NULL, NULL,
		        "'%s' is for pictures of reals, whose last two axes are height and width; '%s' has none",
		        key->text, input);
		return;
	}
	name = step.kind == AUGMENT_CROP ? "pad" : "p";
	if (arg && arg->kind == YAML_MAP) {
		check_map(r, arg, key->text, 1, &name);
		arg = yaml_get(arg, name);
	}
	if (arg && yaml_is_null(arg))
		arg = NULL;
	if (!arg && step.kind == AUGMENT_CROP) {
		message(r->messages, E_MISSING, key->at, NULL, "write {random_crop: {pad: 4}}",
		        "'random_crop' needs 'pad'");
		return;
	}
	if (arg) {
		struct value v = field_of(r, &r->model->build->file, arg, name, "a number");

		if (step.kind == AUGMENT_CROP
		        ? !whole_of(r, v, arg->at, name, arg->text, 1, 1 << 20, &step.pad)
		        : !number_of(r, v, arg->at, name, &step.p))
			return;
		if (!(step.p >= 0 && step.p <= 1)) {
			message(r->messages, E_RANGE, arg->at, NULL, NULL,
			        "'p' is a probability from 0 to 1, not %g", step.p);
			return;
		}
	}
	d->augment = store_more(r->store, d->augment, (size_t)d->n_augment, sizeof *d->augment);
	d->augment[d->n_augment++] = step;
}

/* Steps for inputs: what `map` and `augment` say. */
static void check_steps(struct recording *r, const struct yaml *y, const char *what, const char *example,
                        void (*check)(struct recording *r, const char *input, const struct yaml *y))
{
	const char *names[64];
	size_t n = 0;

	if (!y)
		return;
	if (y->kind != YAML_MAP) {
		message(r->messages, E_TYPE, y->at, NULL, example,
		        "'%s' is a mapping of inputs to lists of steps", what);
		return;
	}
	for (int i = 0; i < r->model->n_inputs && n < 64; i++)
		if (!r->model->inputs[i].scalar_leaf)
			names[n++] = r->model->inputs[i].name;
	for (size_t i = 0; i < y->n; i++) {
		if (!is_input(r->model, y->keys[i]->text))
			unknown_key(r->messages, y->keys[i], what, n, names);
		else if (y->items[i]->kind != YAML_LIST)
			check(r, y->keys[i]->text, y->items[i]);
		else
			for (size_t k = 0; k < y->items[i]->n; k++)
				check(r, y->keys[i]->text, y->items[i]->items[k]);
	}
}

void check_data(struct recording *r)
{
	struct data_spec *d = &r->model->data;
	const struct yaml *y = yaml_get(r->model->build->root, "data"), *field;
	uint64_t seed = r->model->train.seed;

	d->shuffle = true;
	if (!y || !check_map(r, y, "data", COUNT(data_keys), data_keys))
		return;
	d->given = true;
	check_part(r, y, "train", seed, &d->has_train, &d->train, NULL);
	check_part(r, y, "valid", seed + 1, &d->has_valid, &d->valid, &d->split_valid);
	check_part(r, y, "test", seed + 2, &d->has_test, &d->test, &d->split_test);
	if (!yaml_get(y, "train") && !misspelt(y, "train", COUNT(data_keys), data_keys))
		message(r->messages, E_MISSING, y->at, NULL, NULL, "'data' needs 'train'");
	check_steps(r, yaml_get(y, "map"), "map", "map: {x: [{scale: 1/255}]}", check_step);
	check_steps(r, yaml_get(y, "augment"), "augment", "augment: {x: [random_flip]}", check_augment);
	d->batch = whole_field(r, y, "batch", 1, 0);
	if ((field = yaml_get(y, "shuffle")) != NULL) {
		struct value v =
		    field_of(r, &r->model->build->file, field, "shuffle", "true or false");

		if (v.kind != VALUE_FLAG && v.kind != VALUE_UNKNOWN)
			message(r->messages, E_TYPE, field->at, NULL, NULL,
			        "'shuffle' wants true or false");
		d->shuffle = v.kind != VALUE_FLAG || v.b;
	}
	if ((field = yaml_get(y, "draw")) != NULL) {
		static const char *const words[] = { "random" };

		d->draw_random =
		    word_of(r, field, "draw", COUNT(words), words,
		            "leave 'draw' out to go through all samples in each epoch") == 0;
	}
}
