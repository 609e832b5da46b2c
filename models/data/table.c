/*
 * table: samples written in the YAML file itself, `columns: [x, y]` and `rows: [[[0, 1], 1], ...]`.
 *
 * An input takes the column of its own name, or those that it is bound to (`x: [a, b]`). A cell is a
 * number, or a list of them for an input with several values.
 */
#include "data.h"
#include "op.h"

#define MOST_COLUMNS 1000

/* The columns that one input takes. */
struct taken {
	size_t n;
	size_t *columns;
	struct place at;
};

struct table {
	const struct source *source;
	const struct yaml *columns, *rows;
	struct taken *taken;
	char *error;
	size_t error_size;
};

static bool take(struct table *t, struct taken *to, const char *name, struct place at)
{
	for (size_t k = 0; k < t->columns->n; k++)
		if (strcmp(t->columns->items[k]->text, name) == 0) {
			to->columns[to->n++] = k;
			return true;
		}
	return source_refuse(t->source, at, t->error, t->error_size, "the table has no column '%s'", name);
}

static bool bind(struct table *t, const char *input, struct taken *to)
{
	const struct yaml *from = source_binding(t->source, input);
	size_t names = from && from->kind == YAML_LIST ? from->n : 1;

	to->at = from ? from->at : t->columns->at;
	to->columns = calloc(names + 1, sizeof *to->columns);
	if (!to->columns)
		return failure_memory(t->error, t->error_size, "the table", 0);
	if (!from || from->kind == YAML_SCALAR)
		return take(t, to, from ? from->text : input, to->at);
	for (size_t k = 0; k < names; k++) {
		if (from->kind != YAML_LIST || from->items[k]->kind != YAML_SCALAR)
			return source_refuse(t->source, from->at, t->error, t->error_size,
			                     "'%s' takes the name of a column or a list of names", input);
		if (!take(t, to, from->items[k]->text, from->items[k]->at))
			return false;
	}
	return true;
}

static bool check_columns(struct table *t)
{
	const struct source *s = t->source;

	if (!t->columns || t->columns->kind != YAML_LIST || t->columns->n == 0)
		return source_refuse(s, t->columns ? t->columns->at : s->at, t->error, t->error_size,
		                     "a table needs 'columns', a list of names: columns: [x, y]");
	if (!t->rows || t->rows->kind != YAML_LIST || t->rows->n == 0)
		return source_refuse(s, t->rows ? t->rows->at : s->at, t->error, t->error_size,
		                     "a table needs 'rows', a list of lists: rows: [[0, 1], [1, 0]]");
	if (t->columns->n > MOST_COLUMNS)
		return source_refuse(s, t->columns->at, t->error, t->error_size,
		                     "a table of %zu columns; at most %d are allowed: write a csv file",
		                     t->columns->n, MOST_COLUMNS);
	for (size_t k = 0; k < t->columns->n; k++) {
		const struct yaml *name = t->columns->items[k];

		if (name->kind != YAML_SCALAR)
			return source_refuse(s, name->at, t->error, t->error_size,
			                     "the name of a column is a word");
		for (size_t j = 0; j < k; j++)
			if (strcmp(t->columns->items[j]->text, name->text) == 0)
				return source_refuse(s, name->at, t->error, t->error_size,
				                     "two columns are named '%s'", name->text);
	}
	for (size_t k = 0; k < t->rows->n; k++) {
		const struct yaml *row = t->rows->items[k];

		if (row->kind != YAML_LIST || row->n != t->columns->n)
			return source_refuse(s, row->at, t->error, t->error_size,
			                     "row %zu has %zu cells, but there are %zu columns", k + 1,
			                     row->kind == YAML_LIST ? row->n : 1, t->columns->n);
	}
	return true;
}

/* Number of values in a cell. The depth of a YAML file is bounded. */
static size_t values_in(const struct yaml *cell)
{
	size_t count = 0;

	if (cell->kind == YAML_SCALAR)
		return 1;
	for (size_t k = 0; k < cell->n; k++)
		count += values_in(cell->items[k]);
	return count;
}

/* Appends the values of a cell at *k. */
static bool put_cell(struct table *t, struct column *c, const struct yaml *cell, size_t *k)
{
	const char *wrong;
	double value;

	if (cell->kind == YAML_MAP)
		return source_refuse(t->source, cell->at, t->error, t->error_size,
		                     "a cell is a number or a list of numbers");
	for (size_t i = 0; cell->kind == YAML_LIST && i < cell->n; i++)
		if (!put_cell(t, c, cell->items[i], k))
			return false;
	if (cell->kind == YAML_LIST)
		return true;
	if (!cell->quoted && (strcmp(cell->text, "true") == 0 || strcmp(cell->text, "false") == 0)) {
		value = cell->text[0] == 't';
		wrong = NULL;
	} else {
		wrong = data_number(cell->text, strlen(cell->text), &value);
	}
	if (!wrong)
		wrong = column_put(c, *k, value);
	++*k;
	return !wrong || source_refuse(t->source, cell->at, t->error, t->error_size, "'%s' %s", cell->text,
	                               wrong);
}

static bool fill(struct table *t, struct column *c, const struct taken *taken)
{
	size_t k = 0;

	for (size_t row = 0; row < t->rows->n; row++) {
		const struct yaml *cells = t->rows->items[row];
		size_t values = 0;

		for (size_t i = 0; i < taken->n; i++)
			values += values_in(cells->items[taken->columns[i]]);
		if (values != c->per)
			return source_refuse(t->source, cells->at, t->error, t->error_size,
			                     "row %zu has %zu values for '%s', which takes %zu", row + 1, values,
			                     c->input, c->per);
		for (size_t i = 0; i < taken->n; i++)
			if (!put_cell(t, c, cells->items[taken->columns[i]], &k))
				return false;
	}
	return true;
}

/* Where the rows stand in the YAML file; those of a --set stand nowhere. */
static bool keep_lines(struct table *t, struct dataset *to)
{
	size_t n = t->rows->n;

	for (size_t row = 0; row < n; row++)
		if (t->rows->items[row]->at.line <= 0)
			return true;
	to->path = strdup(t->source->path);
	to->places = malloc(n * sizeof *to->places);
	if (!to->path || !to->places)
		return failure_memory(t->error, t->error_size, "the table", 0);
	for (size_t row = 0; row < n; row++)
		to->places[row] = (size_t)t->rows->items[row]->at.line;
	return true;
}

static bool read(const struct source *s, struct dataset *to, char *error, size_t n)
{
	struct table t = { .source = s, .columns = source_binding(s, "columns"),
		           .rows = source_binding(s, "rows"), .error = error, .error_size = n };
	bool ok = check_columns(&t);

	t.taken = calloc((size_t)to->n_columns + 1, sizeof *t.taken);
	if (ok && !t.taken)
		ok = failure_memory(error, n, "the table", 0);
	for (int i = 0; ok && i < to->n_columns; i++) {
		struct taken *taken = &t.taken[i];
		size_t per = 0;

		ok = bind(&t, to->columns[i].input, taken);
		for (size_t k = 0; ok && k < taken->n; k++)
			per += values_in(t.rows->items[0]->items[taken->columns[k]]);
		ok = ok && column_fit(&to->columns[i], s, taken->at, per, error, n);
	}
	ok = ok && dataset_reserve(to, t.rows->n, error, n);
	for (int i = 0; ok && i < to->n_columns; i++)
		ok = fill(&t, &to->columns[i], &t.taken[i]);
	if (ok)
		to->n = t.rows->n;
	if (ok && s->path)
		ok = keep_lines(&t, to);
	for (int i = 0; t.taken && i < to->n_columns; i++)
		free(t.taken[i].columns);
	free(t.taken);
	return ok;
}

const struct format format_table = {
	.name = "table",
	.doc = "samples written in the YAML file itself",
	.binds = true,
	.trees = "columns rows",
	.read = read,
};
