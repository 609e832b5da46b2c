/*
 * csv: numbers in lines, separated by commas; plain or gzip.
 *
 * An input is bound to columns by number from 0, by name if there is a header, by a range or by a list of
 * these: `x: 0..63`, `y: class`, `x: [0, 2, 4..7]`. Errors say FILE:LINE:COLUMN, both from 1.
 */
#include "data.h"
#include "op.h"

#include <csv.h>
#include <ctype.h>
#include <stdarg.h>

#define MAX_CELL ((size_t)1 << 20)
#define MAX_COLUMNS ((int64_t)1 << 20)
#define MAX_TEXT ((uint64_t)1 << 33) /* after decompression */

struct attrs {
	const char *file;
	bool header;
	int64_t skip;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, file, AD_WORD, NULL, "path of the file, plain or gzip", NULL),
	AD_ATTR(struct attrs, header, AD_FLAG, "false", "the first row names the columns", NULL),
	AD_ATTR(struct attrs, skip, AD_INT, "0", "lines to leave out at the start", NULL),
	{ 0 }
};

/* The file's columns that one input takes, in order. */
struct taken {
	size_t n, room;
	size_t *columns;
};

struct csv {
	const struct source *source;
	const struct attrs *attrs;
	struct dataset *to;
	char *path, *error;
	size_t error_size;
	bool failed;
	int64_t skip;      /* lines still to leave out */
	size_t line;       /* the one being read, from 1 */
	size_t row_line;   /* where its row began */
	bool after_return; /* a line feed now belongs to the same line end */
	bool bound;
	size_t column;     /* cells of this row so far */
	size_t width;      /* of every row; 0: not known */
	char **names;      /* of the header */
	size_t n_names, names_room;
	struct taken *taken; /* of each column of `to` */
	size_t span;       /* the columns up to here may be taken */
	unsigned char *used;
	double *row;
	size_t room;       /* samples that `to` has room for */
};

/* Keeps the first failure: "PATH:LINE:COLUMN: sentence". */
static void refuse(struct csv *c, size_t column, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void refuse(struct csv *c, size_t column, const char *format, ...)
{
	char text[320];
	va_list args;

	if (c->failed)
		return;
	c->failed = true;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (column)
		failure(c->error, c->error_size, "%s:%zu:%zu: %s", c->path, c->row_line, column, text);
	else
		failure(c->error, c->error_size, "%s:%zu: %s", c->path, c->row_line, text);
}

static void no_memory(struct csv *c)
{
	if (!c->failed)
		failure_memory(c->error, c->error_size, c->path, 0);
	c->failed = true;
}

/* ---- which columns an input takes ------------------------------------------------------------ */

/* The number of the column that a word names, or -1 after a refusal. */
static int64_t column_named(struct csv *c, const char *word, size_t length, struct place at)
{
	int64_t number = -1;
	char shown[48];

	for (size_t k = 0; k < c->n_names; k++) {
		if (strlen(c->names[k]) != length || memcmp(c->names[k], word, length) != 0)
			continue;
		if (number >= 0) {
			c->failed = true;
			source_refuse(c->source, at, c->error, c->error_size,
			              "two columns of %s are named '%s'; use their numbers, %lld or %zu", c->path,
			              data_show(shown, word, length), (long long)number, k);
			return -1;
		}
		number = (int64_t)k;
	}
	if (number < 0)
		number = data_index(word, length, MAX_COLUMNS - 1);
	if (number < 0) {
		char copy[64];
		const char *near;

		snprintf(copy, sizeof copy, "%.*s", (int)(length < 63 ? length : 63), word);
		near = nearest(copy, c->n_names, (const char *const *)c->names);
		c->failed = true;
		if (near)
			source_refuse(c->source, at, c->error, c->error_size,
			              "no column of %s is named '%s'; did you mean '%.60s'?", c->path,
			              data_show(shown, word, length), near);
		else
			source_refuse(c->source, at, c->error, c->error_size,
			              c->attrs->header ? "no column of %s is named '%s', and it is no number "
			                                 "from 0 either"
			                               : "%s: '%s' is no column number from 0; names need "
			                                 "'header: true'",
			              c->path, data_show(shown, word, length));
	}
	return number;
}

static bool take(struct csv *c, struct taken *t, int64_t first, int64_t last, struct place at)
{
	if (last < first || (int64_t)t->n + last - first >= MAX_COLUMNS) {
		c->failed = true;
		return source_refuse(c->source, at, c->error, c->error_size,
		                     last < first ? "this range ends before it begins"
		                                  : "these are more than %lld columns",
		                     (long long)MAX_COLUMNS);
	}
	for (int64_t k = first; k <= last; k++) {
		if (t->n == t->room) {
			size_t room = t->room ? 2 * t->room : 16;
			size_t *columns = realloc(t->columns, room * sizeof *columns);

			if (!columns) {
				no_memory(c);
				return false;
			}
			t->columns = columns;
			t->room = room;
		}
		t->columns[t->n++] = (size_t)k;
	}
	if ((size_t)last >= c->span)
		c->span = (size_t)last + 1;
	return true;
}

static bool take_word(struct csv *c, struct taken *t, const char *word, struct place at)
{
	const char *dots = strstr(word, "..");
	bool whole = !dots;
	int64_t first, last;

	for (size_t k = 0; dots && k < c->n_names; k++)
		whole |= strcmp(c->names[k], word) == 0;
	first = column_named(c, word, whole ? strlen(word) : (size_t)(dots - word), at);
	last = whole || first < 0 ? first : column_named(c, dots + 2, strlen(dots + 2), at);
	return first >= 0 && last >= 0 && take(c, t, first, last, at);
}

static bool take_bound(struct csv *c, struct taken *t, const struct yaml *from, const char *input)
{
	if (from->kind == YAML_SCALAR)
		return take_word(c, t, from->text, from->at);
	for (size_t k = 0; from->kind == YAML_LIST && k < from->n; k++) {
		if (from->items[k]->kind != YAML_SCALAR)
			break;
		if (!take_word(c, t, from->items[k]->text, from->items[k]->at))
			return false;
	}
	if (t->n > 0)
		return true;
	c->failed = true;
	return source_refuse(c->source, from->at, c->error, c->error_size,
	                     "'%s' takes a column, a range such as 0..63 or a list of these", input);
}

/* Settles the columns of every input, and with them what each row is kept of. */
static bool bind(struct csv *c)
{
	for (int i = 0; i < c->to->n_columns; i++) {
		struct column *column = &c->to->columns[i];
		struct taken *t = &c->taken[i];
		const struct yaml *from = source_binding(c->source, column->input);
		bool ok;

		if (!from && !c->attrs->header) {
			c->failed = true;
			return source_refuse(c->source, c->source->at, c->error, c->error_size,
			                     "input '%s' has no columns; write, for instance, '%s: 0..%zu'",
			                     column->input, column->input,
			                     column->per ? column->per - 1 : 0);
		}
		ok = from ? take_bound(c, t, from, column->input)
		          : take_word(c, t, column->input, c->source->at);
		if (!ok)
			return false;
		if (!column_fit(column, c->source, from ? from->at : c->source->at, t->n, c->error,
		                c->error_size)) {
			c->failed = true;
			return false;
		}
	}
	c->used = calloc(c->span + 1, 1);
	c->row = calloc(c->span + 1, sizeof *c->row);
	if (!c->used || !c->row) {
		no_memory(c);
		return false;
	}
	for (int i = 0; i < c->to->n_columns; i++)
		for (size_t k = 0; k < c->taken[i].n; k++)
			c->used[c->taken[i].columns[k]] = 1;
	c->bound = true;
	return true;
}

/* ---- rows -------------------------------------------------------------------------------------- */

static void header_cell(struct csv *c, const char *text, size_t length)
{
	if (c->n_names == c->names_room) {
		size_t room = c->names_room ? 2 * c->names_room : 16;
		char **names = room > (size_t)MAX_COLUMNS ? NULL : realloc(c->names, room * sizeof *names);

		if (!names) {
			no_memory(c);
			return;
		}
		c->names = names;
		c->names_room = room;
	}
	char *name = malloc(length + 1);

	if (!name) {
		no_memory(c);
		return;
	}
	memcpy(name, text, length);
	name[length] = '\0';
	c->names[c->n_names++] = name;
}

static void on_cell(void *text, size_t length, void *data)
{
	struct csv *c = data;
	const char *cell = text ? text : "", *wrong;
	size_t column = c->column++;
	char shown[48];

	if (c->failed)
		return;
	c->after_return = false;
	if (c->attrs->header && !c->bound) {
		header_cell(c, cell, length);
		return;
	}
	if (!c->bound && !bind(c))
		return;
	for (size_t k = 0; k < length; k++)
		c->line += cell[k] == '\n';
	if (column >= c->span || !c->used[column])
		return;
	if (length == 0) {
		refuse(c, column + 1, "the cell is empty; every sample needs a value here");
		return;
	}
	wrong = data_number(cell, length, &c->row[column]);
	if (wrong)
		refuse(c, column + 1, "'%s' %s%s", data_show(shown, cell, length), wrong,
		       c->to->n == 0 && !c->attrs->header && isalpha((unsigned char)*cell)
		           ? "; a first row of names needs 'header: true'"
		           : "");
}

static void keep_row(struct csv *c)
{
	struct dataset *to = c->to;

	if (to->n == c->room) {
		size_t room = c->room ? 2 * c->room : 64;

		size_t *places = realloc(to->places, room * sizeof *places);

		if (!places) {
			no_memory(c);
			return;
		}
		to->places = places;
		if (!dataset_reserve(to, room, c->error, c->error_size)) {
			c->failed = true;
			return;
		}
		c->room = room;
	}
	for (int i = 0; i < to->n_columns; i++) {
		const struct taken *t = &c->taken[i];

		for (size_t k = 0; k < t->n; k++) {
			double value = c->row[t->columns[k]];
			const char *wrong = column_put(&to->columns[i], to->n * t->n + k, value);

			if (wrong) {
				refuse(c, t->columns[k] + 1, "%.9g %s", value, wrong);
				return;
			}
		}
	}
	to->places[to->n++] = c->row_line;
}

static void on_row(int end, void *data)
{
	struct csv *c = data;
	size_t cells = c->column;

	c->column = 0;
	if (c->failed)
		return;
	if (cells > 0) {
		if (c->width && cells != c->width)
			refuse(c, (cells < c->width ? cells : c->width) + 1,
			       "this row has %zu %s, the rows before have %zu", cells,
			       cells == 1 ? "column" : "columns", c->width);
		else if (c->attrs->header && !c->bound)
			bind(c);
		else
			keep_row(c);
		if (!c->failed && c->span > cells) {
			c->failed = true;
			source_refuse(c->source, c->source->at, c->error, c->error_size,
			              "column %zu is asked for, but %s has %zu, 0..%zu", c->span - 1, c->path,
			              cells, cells - 1);
		}
		c->width = cells;
	}
	/* A carriage return with a line feed behind it is one end of line. */
	if (end != '\n' || !c->after_return)
		c->line++;
	c->after_return = end == '\r';
	c->row_line = c->line;
}

/* A cell of more than MAX_CELL is an open quote that swallows the file. */
static void *grow(void *memory, size_t size)
{
	return size > MAX_CELL ? NULL : realloc(memory, size);
}

static void explain(struct csv *c, struct csv_parser *parser)
{
	if (csv_error(parser) == CSV_ENOMEM)
		refuse(c, c->column + 1, "the cell is longer than %zu bytes, or memory is out; is a quote not "
		       "closed?", MAX_CELL);
	else
		refuse(c, c->column + 1, "a quote is not closed, or stands inside a cell; double it (\"\") "
		       "and put the cell in quotes");
}

/* What of a piece is left after the lines to skip. */
static size_t skip_lines(struct csv *c, const char *text, size_t length)
{
	size_t k = 0;

	while (c->skip > 0 && k < length) {
		const char *end = memchr(text + k, '\n', length - k);

		if (!end)
			return length;
		k = (size_t)(end - text) + 1;
		c->skip--;
		c->row_line = ++c->line;
	}
	return k;
}

static void read_rows(struct csv *c, struct reader *file, struct csv_parser *parser)
{
	static const size_t piece = 1 << 16;
	char *text = malloc(piece);
	uint64_t total = 0;
	size_t got = 0;

	if (!text) {
		no_memory(c);
		return;
	}
	do {
		size_t from = 0;

		if (!reader_read(file, text, piece, &got, c->error, c->error_size)) {
			c->failed = true;
			break;
		}
		if (total == 0 && got >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
			from = 3; /* a byte order mark */
		total += got;
		if (total > MAX_TEXT) {
			c->failed = true;
			failure(c->error, c->error_size, "%s: has more than %llu GiB of text", c->path,
			        (unsigned long long)(MAX_TEXT >> 30));
			break;
		}
		from += skip_lines(c, text + from, got - from);
		if (got > from && csv_parse(parser, text + from, got - from, on_cell, on_row, c) != got - from)
			explain(c, parser);
	} while (got > 0 && !c->failed);
	free(text);
	if (!c->failed && csv_fini(parser, on_cell, on_row, c) != 0)
		explain(c, parser);
}

static bool read(const struct source *s, struct dataset *to, char *error, size_t n)
{
	const struct attrs *a = s->attrs;
	struct csv c = { .source = s, .attrs = a, .to = to, .error = error, .error_size = n,
		         .skip = a->skip, .line = 1, .row_line = 1 };
	struct csv_parser parser;
	struct reader file;

	if (a->skip < 0)
		return source_refuse(s, s->at, error, n, "skip: %lld lines cannot be left out",
		                     (long long)a->skip);
	c.path = path_in(s->folder, a->file);
	c.taken = calloc((size_t)to->n_columns + 1, sizeof *c.taken);
	if (!c.path || !c.taken) {
		no_memory(&c);
	} else if (!reader_open(&file, c.path, error, n)) {
		c.failed = to->unreadable = true;
	} else {
		csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI | CSV_REPALL_NL);
		csv_set_realloc_func(&parser, grow);
		read_rows(&c, &file, &parser);
		csv_free(&parser);
		reader_close(&file);
		if (!c.failed && to->n == 0) {
			c.failed = true;
			failure(error, n, "%s: has no rows%s", c.path,
			        c.width || a->skip ? " after its header and the lines to skip" : "");
		}
	}
	for (int i = 0; c.taken && i < to->n_columns; i++)
		free(c.taken[i].columns);
	for (size_t k = 0; k < c.n_names; k++)
		free(c.names[k]);
	free(c.names);
	free(c.taken);
	free(c.used);
	free(c.row);
	if (c.failed)
		free(c.path);
	else
		to->path = c.path;
	return !c.failed;
}

const struct format format_csv = {
	.name = "csv",
	.doc = "numbers in lines, separated by commas; plain or gzip",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.binds = true,
	.read = read,
};
