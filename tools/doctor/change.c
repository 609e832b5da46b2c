/*
 * change: changes of a model file as overrides: "model.0.chain.1=relu".
 *
 * The graph's nodes and weights know where they are declared; what stands there in the tree gives
 * the path.
 */
#include "checks.h"

#include "language.h"

#include <stdlib.h>
#include <string.h>

enum { LONGEST = 512 };

/* What stands at a place: an item without arguments, or a key and its value. */
struct spot {
	char item[LONGEST]; /* path of what the key stands in, or of the bare item: "model.1" */
	const char *key;    /* NULL: the item is bare, `- relu` */
	const struct yaml *around; /* the mapping of the key */
	const struct yaml *value;
};

static bool is_at(const ad_model *m, const struct yaml *y, const char *origin)
{
	char text[4200];

	return y->at.line > 0 && strcmp(model_place(m, y->at, text, sizeof text), origin) == 0;
}

/* A key that a path can name. */
static bool can_name(const char *key)
{
	return *key && !strpbrk(key, ".= \t\n");
}

static bool find(const ad_model *m, const struct yaml *y, const char *path, const char *origin,
                 struct spot *to)
{
	for (size_t i = 0; y->kind != YAML_SCALAR && i < y->n; i++) {
		char below[LONGEST];
		int length = y->kind == YAML_MAP ? snprintf(below, sizeof below, "%s%s%s", path,
		                                            *path ? "." : "", y->keys[i]->text)
		                                 : snprintf(below, sizeof below, "%s%s%zu", path,
		                                            *path ? "." : "", i);

		if (length >= LONGEST || (y->kind == YAML_MAP && !can_name(y->keys[i]->text)))
			continue;
		if (y->kind == YAML_MAP && is_at(m, y->keys[i], origin)) {
			*to = (struct spot){ .key = y->keys[i]->text,
				             .around = y,
				             .value = y->items[i] };
			snprintf(to->item, sizeof to->item, "%s", path);
			return true;
		}
		if (y->kind == YAML_LIST && y->items[i]->kind == YAML_SCALAR &&
		    is_at(m, y->items[i], origin)) {
			*to = (struct spot){ .value = y->items[i] };
			snprintf(to->item, sizeof to->item, "%s", below);
			return true;
		}
		if (find(m, y->items[i], below, origin, to))
			return true;
	}
	return false;
}

static bool find_spot(const ad_model *m, const char *origin, struct spot *to)
{
	const struct yaml *root = m->tree ? yaml_root(m->tree) : NULL;

	return root && origin && find(m, root, "", origin, to);
}

/* ---- YAML on one line ------------------------------------------------------------------------ */

static void write_scalar(const struct yaml *y, FILE *to)
{
	bool plain = *y->text && !strpbrk(y->text, ",[]{}#:\"'\\\n\t&*!|>%@`") &&
	             y->text[0] != ' ' && y->text[strlen(y->text) - 1] != ' ' &&
	             !(y->text[0] == '-' && !y->text[1]) && y->text[0] != '?';

	if (y->quoted || (!plain && *y->text)) {
		putc('"', to);
		for (const char *s = y->text; *s; s++) {
			if (*s == '"' || *s == '\\')
				putc('\\', to);
			if (*s == '\n')
				fputs("\\n", to);
			else
				putc(*s, to);
		}
		putc('"', to);
	} else {
		fputs(y->text, to);
	}
}

static void write_flow(const struct yaml *y, FILE *to)
{
	if (y->kind == YAML_SCALAR) {
		write_scalar(y, to);
		return;
	}
	putc(y->kind == YAML_MAP ? '{' : '[', to);
	for (size_t i = 0; i < y->n; i++) {
		fputs(i ? ", " : "", to);
		if (y->kind == YAML_MAP) {
			write_scalar(y->keys[i], to);
			fputs(": ", to);
		}
		write_flow(y->items[i], to);
	}
	putc(y->kind == YAML_MAP ? '}' : ']', to);
}

/* ---- changes --------------------------------------------------------------------------------- */

/* The argument that the short form of a layer stands for: "out"; NULL: it has none. */
static const char *primary_of(const char *layer)
{
	for (size_t k = 0; layers[k]; k++)
		if (strcmp(layers[k]->name, layer) == 0)
			return layers[k]->attrs ? layers[k]->attrs[0].name : NULL;
	return NULL;
}

char *change_argument(const ad_model *m, const char *origin, const char *argument,
                      const char *value)
{
	struct spot s;
	char *text = NULL;
	size_t size;
	FILE *to;
	const char *primary;

	if (!find_spot(m, origin, &s) || !s.key)
		return NULL;
	to = open_memstream(&text, &size);
	if (!to)
		return NULL;
	primary = primary_of(s.key);
	fprintf(to, "%s.", s.item);
	if (yaml_get(s.around, argument)) {
		fprintf(to, "%s=%s", argument, value);
	} else if (s.value->kind == YAML_MAP) {
		fprintf(to, "%s.%s=%s", s.key, argument, value);
	} else {
		fprintf(to, "%s={", s.key);
		if (!yaml_is_null(s.value) && primary) {
			fprintf(to, "%s: ", primary);
			write_flow(s.value, to);
			fputs(", ", to);
		}
		fprintf(to, "%s: %s}", argument, value);
	}
	if (fclose(to) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

char *change_op(const ad_model *m, const char *origin, const char *op)
{
	struct spot s;
	char *text = NULL;
	size_t size;
	FILE *to;

	if (!find_spot(m, origin, &s))
		return NULL;
	to = open_memstream(&text, &size);
	if (!to)
		return NULL;
	fprintf(to, "%s=", s.item);
	if (!s.key) {
		fputs(op, to);
	} else {
		putc('{', to);
		for (size_t i = 0; i < s.around->n; i++) {
			bool here = strcmp(s.around->keys[i]->text, s.key) == 0;

			fprintf(to, "%s%s: ", i ? ", " : "", here ? op : s.around->keys[i]->text);
			write_flow(s.around->items[i], to);
		}
		putc('}', to);
	}
	if (fclose(to) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* The value of train.optimizer, its name's arguments among it; NULL: none is declared. */
static const struct yaml *optimizer_of(const ad_model *m, const struct yaml **args)
{
	const struct yaml *train = m->tree ? yaml_get(yaml_root(m->tree), "train") : NULL;
	const struct yaml *y =
	    train && train->kind == YAML_MAP ? yaml_get(train, "optimizer") : NULL;

	*args = y && y->kind == YAML_MAP && y->n == 1 ? y->items[0] : NULL;
	return y;
}

char *change_rate(const ad_model *m, double lr)
{
	const struct yaml *args, *y = optimizer_of(m, &args);
	char *text = NULL;
	int length;

	if (!y)
		return NULL;
	if (!args)
		length = asprintf(&text, "train.optimizer={%s: {lr: %.2g}}", y->text, lr);
	else if (args->kind == YAML_MAP)
		length = asprintf(&text, "train.optimizer.%s.lr=%.2g", y->keys[0]->text, lr);
	else
		length = asprintf(&text, "train.optimizer.%s=%.2g", y->keys[0]->text, lr);
	return length < 0 ? NULL : text;
}

char *change_optimizer(const ad_model *m, const char *argument, const char *value)
{
	const struct yaml *args, *y = optimizer_of(m, &args);
	char text[4200];

	return args ? change_argument(m, model_place(m, y->keys[0]->at, text, sizeof text),
	                              argument, value)
	            : NULL;
}

char *place_of_rate(const ad_model *m)
{
	const struct yaml *args, *y = optimizer_of(m, &args), *at = args;
	char text[4200];

	if (!y)
		return NULL;
	if (args && args->kind == YAML_MAP)
		for (size_t i = 0; i < args->n; i++)
			if (strcmp(args->keys[i]->text, "lr") == 0)
				at = args->items[i];
	if (!at || at->kind != YAML_SCALAR || yaml_is_null(at))
		at = y->kind == YAML_MAP ? y->keys[0] : y;
	return strdup(model_place(m, at->at, text, sizeof text));
}

char *change_map(const ad_model *m, const char *input, const char *step)
{
	const struct yaml *data = m->tree ? yaml_get(yaml_root(m->tree), "data") : NULL;
	const struct yaml *map = data && data->kind == YAML_MAP ? yaml_get(data, "map") : NULL;
	const struct yaml *steps = map && map->kind == YAML_MAP ? yaml_get(map, input) : NULL;
	char *text = NULL;
	size_t size;
	FILE *to = data && can_name(input) ? open_memstream(&text, &size) : NULL;

	if (!to)
		return NULL;
	fprintf(to, "data.map.%s=[", input);
	for (size_t i = 0; steps && steps->kind == YAML_LIST && i < steps->n; i++) {
		write_flow(steps->items[i], to);
		fputs(", ", to);
	}
	if (steps && steps->kind != YAML_LIST && !yaml_is_null(steps)) {
		write_flow(steps, to);
		fputs(", ", to);
	}
	fprintf(to, "%s]", step);
	if (fclose(to) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
