/*
 * declare: the params, inputs and weights that a file names.
 */
#include "language.h"

#include <string.h>

#define COUNT(list) (sizeof(list) / sizeof *(list))

static const char *const input_keys[] = { "shape", "dtype", "role" };

struct later {
	const struct scope *numbers; /* of all params, by name */
	int64_t own;
	const struct name *found;
};

static void take_later(void *to, const struct expr *e)
{
	struct later *l = to;
	const struct name *name = scope_own(l->numbers, e->text);

	if (name && name->value.i > l->own)
		l->found = name;
}

/* A value that names a param below it would be a word. */
static bool names_later(struct recording *r, const struct scope *numbers, const struct yaml *key, const struct yaml *y)
{
	struct later l = { numbers, scope_own(numbers, key->text)->value.i, NULL };
	bool found = false;

	for (size_t i = 0; y->kind == YAML_LIST && i < y->n; i++)
		found = names_later(r, numbers, key, y->items[i]) || found;
	if (y->kind != YAML_SCALAR || y->quoted || yaml_is_null(y))
		return found;
	expr_names(expr_parse(r->store, NULL, y), take_later, &l);
	if (!l.found)
		return false;
	message(r->messages, E_NAME, y->at, NULL,
	        store_text(r->store, "put it above '%s' or, if it is a word, into quotes",
	                   key->text),
	        "params are read from top to bottom, and '%s' stands below", l.found->text);
	message_also(r->messages, l.found->at, "here");
	return true;
}

void declare_params(struct recording *r, const struct yaml *y)
{
	struct scope *file = &r->model->build->file, numbers = { .up = NULL };

	if (!y || (y->kind == YAML_SCALAR && yaml_is_null(y)))
		return;
	if (y->kind != YAML_MAP) {
		message(r->messages, E_TYPE, y->at, NULL, "params: {hidden: 128}",
		        "'params' is a mapping of names to values");
		return;
	}
	for (size_t i = 0; i < y->n; i++)
		scope_add(r->store, &numbers, y->keys[i]->text, NAME_PARAM, y->keys[i]->at, value_int((int64_t)i));
	for (size_t i = 0; i < y->n; i++)
		if (y->items[i]->kind == YAML_MAP)
			message(
			    r->messages, E_TYPE, y->items[i]->at, NULL, NULL,
			    "a param is a number, true or false, a word or a list, not a mapping");
		else if (check_name(r, y->keys[i], "a param"))
			scope_add(r->store, file, y->keys[i]->text, NAME_PARAM, y->keys[i]->at,
			          names_later(r, &numbers, y->keys[i], y->items[i])
			              ? unknown
			              : eval_loose(r, file, y->items[i]));
}

/* ---- inputs and weights ---------------------------------------------------------------------- */

static int free_dim(struct recording *r, const struct yaml *y)
{
	ad_model *m = r->model;
	struct scope *file = &m->build->file;
	struct name *name = scope_own(file, y->text);

	if (!name) {
		m->dims = store_more(r->store, m->dims, (size_t)m->n_dims, sizeof(*m->dims));
		m->dims[m->n_dims] = y->text;
		scope_add(r->store, file, y->text, NAME_DIM, y->at,
		          (struct value){ .kind = VALUE_INT, .i = m->n_dims });
		return m->n_dims++;
	}
	for (int k = 0; k < m->n_dims; k++)
		if (strcmp(m->dims[k], y->text) == 0)
			return k;
	return -1;
}

static bool input_shape(struct recording *r, const struct yaml *y, struct input *to)
{
	const struct scope *file = &r->model->build->file;
	bool good = true;

	if (y->kind != YAML_LIST)
		return message(r->messages, E_TYPE, y->at, NULL,
		               "write [B, 784], or [] for a single number",
		               "'shape' is a list of sizes");
	if (y->n > AD_MAX_RANK)
		return message(r->messages, E_LIMIT, y->at, NULL, NULL,
		               "a shape has at most %d axes", AD_MAX_RANK);
	to->rank = (int)y->n;
	for (size_t i = 0; i < y->n; i++) {
		const struct yaml *d = y->items[i];
		struct name *name = d->kind == YAML_SCALAR ? scope_own(file, d->text) : NULL;

		if (d->kind == YAML_SCALAR && is_name(d->text) &&
		    (!name || name->kind == NAME_DIM)) {
			if (!name && r->model->n_dims == MOST_DIMS)
				return message(r->messages, E_LIMIT, d->at, NULL, NULL,
				               "the inputs have more than %d free dims by name", MOST_DIMS);
			to->dims[i] = -1 - free_dim(r, d);
			continue;
		}
		struct value v = field_of(r, file, d, "a size", "a size");
		good = whole_of(r, v, d->at, "a size", d->text, 1, INT32_MAX, &to->dims[i]) && good;
	}
	return good;
}

static bool input_map(struct recording *r, const struct yaml *y, struct input *to)
{
	const struct yaml *shape = yaml_get(y, "shape"), *dtype = yaml_get(y, "dtype");
	const struct yaml *role = yaml_get(y, "role");
	static const char *const words[] = { "f32", "f64", "i32", "bool" };
	static const ad_type types[] = { AD_REAL, AD_REAL, AD_I32, AD_BOOL };
	static const char *const roles[] = { "input", "target" };
	int before = messages_errors(r->messages), k;
	bool good = true;

	check_map(r, y, to->name, COUNT(input_keys), input_keys);
	if (shape)
		good = input_shape(r, shape, to);
	else if (misspelt(y, "shape", COUNT(input_keys), input_keys))
		good = false;
	else
		good = message(r->messages, E_MISSING, to->at, NULL, "write {shape: [B, 784]}",
		               "input '%s' needs 'shape'", to->name);
	to->type = AD_REAL;
	if (dtype) {
		k = word_of(r, dtype, "dtype", COUNT(words), words, NULL);
		to->type = k < 0 ? AD_REAL : types[k];
		good = good && k >= 0;
	}
	if (role) {
		k = word_of(r, role, "role", COUNT(roles), roles, NULL);
		to->target = k == 1;
	}
	to->doubtful = messages_errors(r->messages) > before;
	return good;
}

void declare_inputs(struct recording *r, const struct yaml *y)
{
	ad_model *m = r->model;

	if (!y || (y->kind == YAML_SCALAR && yaml_is_null(y)))
		return;
	if (y->kind != YAML_MAP) {
		message(r->messages, E_TYPE, y->at, NULL, "inputs: {x: [B, 784]}",
		        "'inputs' is a mapping of names to shapes or numbers");
		return;
	}
	for (size_t i = 0; i < y->n; i++) {
		const struct yaml *v = y->items[i];
		struct input in = { .name = y->keys[i]->text,
			            .type = AD_REAL,
			            .at = y->keys[i]->at };
		bool good = check_name(r, y->keys[i], "an input");

		if (v->kind == YAML_LIST) {
			good = input_shape(r, v, &in) && good;
		} else if (v->kind == YAML_MAP) {
			good = input_map(r, v, &in) && good;
		} else if (yaml_is_null(v)) {
			good = message(r->messages, E_MISSING, v->at, NULL, "write [B, 784], or a number",
			               "input '%s' has no shape", in.name);
		} else {
			in.scalar_leaf = true;
			good =
			    number_of(
				r, field_of(r, &m->build->file, v, in.name, "a number or a shape"),
				v->at, in.name, &in.value) &&
			    good;
		}
		if (!good)
			in.rank = -1; /* unknown */
		scope_add(r->store, &m->build->inputs, in.name, NAME_VALUE, in.at, value_int(m->n_inputs));
		m->inputs = store_more(r->store, m->inputs, (size_t)m->n_inputs, sizeof *m->inputs);
		m->inputs[m->n_inputs++] = in;
		if (m->batch_dim < 0 && !in.scalar_leaf && in.rank > 0 && in.dims[0] < 0)
			m->batch_dim = (int)(-1 - in.dims[0]);
	}
}

/* The names; what they declare is read where they are made. */
void declare_weights(struct recording *r, const struct yaml *y)
{
	const ad_model *m = r->model;

	if (!y || (y->kind == YAML_SCALAR && yaml_is_null(y)))
		return;
	if (y->kind != YAML_MAP) {
		message(r->messages, E_TYPE, y->at, NULL,
		        "weights: {w: 5}, or {W: {shape: [4, 3], init: xavier}}",
		        "'weights' is a mapping of names to numbers or shapes");
		return;
	}
	m->build->weights = y;
	for (size_t i = 0; i < y->n; i++) {
		check_name(r, y->keys[i], "a weight");
		struct name *input = scope_own(&m->build->inputs, y->keys[i]->text);
		if (!input)
			continue;
		message(r->messages, E_NAMED_TWICE, y->keys[i]->at, NULL, NULL,
		        "'%s' is named twice: an input has this name", y->keys[i]->text);
		message_also(r->messages, input->at, "first here");
	}
}
