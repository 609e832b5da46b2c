/*
 * show: the items of a model as a table: kinds, shapes, parameters, multiply-adds, memory, what each is
 * connected to.
 */
#include "command.h"
#include "cost.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct show_options {
	int format;
	struct texts set, size;
};

static const struct option options[] = {
	{ "set", 0, OPTION_TEXTS, "KEY=VALUE", NULL, false, offsetof(struct show_options, set),
	  "replaces a value of the file, in its own grammar: --set params.hidden=64; may be "
	  "repeated" },
	{ "size", 0, OPTION_TEXTS, "NAME=N", NULL, false, offsetof(struct show_options, size),
	  "the size of a free dim, for multiply-adds and memory: --size T=128; 1 otherwise; may be "
	  "repeated" },
	{ "format", 0, OPTION_CHOICE, "text json", NULL, false,
	  offsetof(struct show_options, format),
	  "json: one object with name, precision, parameters, inputs, items and weights" },
	{ 0 },
};

enum { ITEM, KIND, OUTPUT, PARAMETERS, PRODUCTS, MEMORY, FROM, COLUMNS };

static bool is_number(int column)
{
	return column == PARAMETERS || column == PRODUCTS || column == MEMORY;
}

struct table {
	char *(*rows)[COLUMNS];
	size_t n;
	bool complete; /* false: a cell lacks for want of memory */
};

static void set_cell(struct table *t, int column, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Sets a cell of the last row. */
static void set_cell(struct table *t, int column, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	if (vasprintf(&t->rows[t->n - 1][column], format, values) < 0) {
		t->rows[t->n - 1][column] = NULL;
		t->complete = false;
	}
	va_end(values);
}

/* Columns on the terminal: code points. */
static int columns_of(const char *text)
{
	int columns = 0;

	for (; *text; text++)
		columns += ((unsigned char)*text & 0xC0) != 0x80;
	return columns;
}

/* Bytes of the first `columns` code points. */
static int cut_at(const char *text, int columns)
{
	int k = 0;

	for (; text[k]; k++)
		if (((unsigned char)text[k] & 0xC0) != 0x80 && columns-- == 0)
			break;
	return k;
}

static void print_cell(const char *text, int width, bool right)
{
	int gap = width - columns_of(text);

	if (right)
		printf("%*s%s", gap > 0 ? gap : 0, "", text);
	else if (gap >= 0)
		printf("%s%*s", text, gap, "");
	else
		printf("%.*s...", cut_at(text, width - 3), text);
}

/* The widths of the columns; on a terminal the text columns give way, the widest first. */
static void measure(const struct table *t, int width[COLUMNS])
{
	int room = terminal_width(stdout, 0) - 2 * (COLUMNS - 1), sum = 0;

	memset(width, 0, sizeof(int) * COLUMNS);
	for (size_t k = 0; k < t->n; k++) {
		for (int c = 0; c < COLUMNS; c++) {
			int columns = columns_of(t->rows[k][c]);

			width[c] = columns > width[c] ? columns : width[c];
		}
	}
	for (int c = 0; c < COLUMNS; c++)
		sum += width[c];
	while (room > 0 && sum > room) {
		int widest = FROM;

		for (int c = 0; c < COLUMNS; c++)
			if (!is_number(c) && width[c] > width[widest])
				widest = c;
		if (width[widest] <= 8)
			break;
		width[widest]--;
		sum--;
	}
}

static void print_table(const struct table *t)
{
	int width[COLUMNS];

	measure(t, width);
	for (size_t k = 0; k < t->n; k++) {
		int last = COLUMNS - 1;

		while (last > 0 && !*t->rows[k][last])
			last--;
		for (int c = 0; c <= last; c++) {
			const char *cell = t->rows[k][c];

			/* no blanks at the end of a line */
			if (c == last && !is_number(c) && columns_of(cell) <= width[c])
				printf("%s", cell);
			else
				print_cell(cell, width[c], is_number(c));
			printf(c < last ? "  " : "\n");
		}
	}
}

static const char *type_name(ad_type type, bool f64)
{
	return type == AD_I32 ? "i32" : type == AD_BOOL ? "bool" : f64 ? "f64" : "f32";
}

/* "[B, 784]"; "[]" for a single number. */
static void print_declared(FILE *to, const ad_model *m, const struct input *in)
{
	fputc('[', to);
	for (int k = 0; k < in->rank; k++) {
		if (in->dims[k] < 0)
			fprintf(to, "%s%s", k ? ", " : "", m->dims[-1 - in->dims[k]]);
		else
			fprintf(to, "%s%" PRId64, k ? ", " : "", in->dims[k]);
	}
	fputc(']', to);
}

static char *declared_shape(const ad_model *m, const struct input *in)
{
	char *text = NULL;
	size_t length;
	FILE *to = open_memstream(&text, &length);

	if (!to)
		return NULL;
	print_declared(to, m, in);
	if (fclose(to) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static void add_empty(struct table *t, int from)
{
	for (int c = from; c < COLUMNS; c++)
		set_cell(t, c, "%s", "");
}

static void add_inputs(struct table *t, const ad_model *m)
{
	for (int k = 0; k < m->n_inputs; k++) {
		const struct input *in = &m->inputs[k];

		t->n++;
		set_cell(t, ITEM, "%s", in->name);
		set_cell(t, KIND, "%s%s%s", in->target ? "target" : "input",
		         in->type == AD_REAL ? "" : " ",
		         in->type == AD_REAL ? "" : type_name(in->type, m->f64));
		t->rows[t->n - 1][OUTPUT] = declared_shape(m, in);
		t->complete = t->complete && t->rows[t->n - 1][OUTPUT];
		add_empty(t, PARAMETERS);
	}
}

/* The weights that the file declares by name; those of items are counted there. */
static void add_weights(struct table *t, const ad_model *m)
{
	char number[32];

	for (int k = 0; k < m->n_weights; k++) {
		const struct weight *w = &m->weights[k];
		const ad_shape shape = ad_shape_of(w->node);
		char text[256] = "[";

		if (strchr(w->path, '.'))
			continue;
		for (int i = 0, n = 1; i < shape.rank; i++)
			n += snprintf(text + n, sizeof text - (size_t)n, "%s%" PRId64, i ? ", " : "", shape.dims[i]);
		t->n++;
		set_cell(t, ITEM, "%s", w->path);
		set_cell(t, KIND, "%s", "weight");
		set_cell(t, OUTPUT, "%s]", text);
		set_cell(t, PARAMETERS, "%s", print_thousands(number, ad_count(w->node)));
		add_empty(t, PARAMETERS + 1);
	}
}

/* "1,234,567", nothing for 0; a number that cannot be is not known. */
static void set_number(struct table *t, int column, bool known, uint64_t number)
{
	char text[32];

	set_cell(t, column, "%s", !known ? "?" : number ? print_thousands(text, number) : "");
}

static void add_items(struct table *t, const ad_model *m, const struct cost *costs)
{
	char bytes[32];

	for (int k = 0; k < m->n_rows; k++) {
		const struct layer_row *row = &m->rows[k];

		t->n++;
		set_cell(t, ITEM, "%*s%s", 2 * row->depth, "", row->path ? row->path : "");
		set_cell(t, KIND, "%s", row->kind ? row->kind : "");
		set_cell(t, OUTPUT, "%s", row->shape ? row->shape : "");
		set_number(t, PARAMETERS, true, row->parameters);
		set_number(t, PRODUCTS, costs, costs ? costs[k].products : 0);
		set_cell(t, MEMORY, "%s",
		         !costs           ? "?"
		         : costs[k].bytes ? print_bytes(bytes, sizeof bytes, costs[k].bytes)
		                          : "");
		set_cell(t, FROM, "%s", row->from ? row->from : "");
	}
}

/* Elements of the weights that are trained, and of those that are not; each weight once. */
static void count_weights(const ad_model *m, uint64_t *trained, uint64_t *fixed)
{
	*trained = *fixed = 0;
	for (int k = 0; k < m->n_weights; k++)
		*(ad_wants_gradient(m->weights[k].node) ? trained : fixed) +=
		    ad_count(m->weights[k].node);
}

/* "B = 1, T = 128" */
static void print_dims(const ad_model *m, const int64_t dims[])
{
	for (int d = 0; d < m->n_dims; d++)
		printf("%s%s = %" PRId64, d ? ", " : " for ", m->dims[d], dims[d]);
}

static void print_costs(const ad_model *m, const struct cost *costs, const int64_t dims[])
{
	uint64_t products = 0, bytes = 0;
	char number[32], size[32];

	for (int k = 0; k < m->n_rows; k++) {
		products += costs[k].products;
		bytes += costs[k].bytes;
	}
	printf("%s multiply-adds and %s of values forward", print_thousands(number, products),
	       print_bytes(size, sizeof size, bytes));
	print_dims(m, dims);
	printf("\n");
}

static void print_totals(const ad_model *m)
{
	uint64_t trained, fixed;
	char number[32], bytes[32];

	count_weights(m, &trained, &fixed);
	if (m->n_weights == 0) {
		printf("\nno parameters\n");
		return;
	}
	printf(
	    "\n%s parameter%s in %d weight%s, %s bytes as %s\n", print_thousands(number, trained),
	    trained == 1 ? "" : "s", m->n_weights, m->n_weights == 1 ? "" : "s",
	    print_thousands(bytes, (trained + fixed) * (m->f64 ? 8 : 4)), m->f64 ? "f64" : "f32");
	if (fixed)
		printf("%s more are not trained\n", print_thousands(number, fixed));
}

static int show_text(const ad_model *m, const struct cost *costs, const int64_t dims[])
{
	static const char *const headings[COLUMNS] = { "item",          "kind",   "output",      "parameters",
		                                       "multiply-adds", "memory", "connected to" };
	struct table t = { .complete = true };
	size_t room = 1 + (size_t)m->n_inputs + (size_t)m->n_weights + (size_t)m->n_rows;

	t.rows = calloc(room, sizeof *t.rows);
	if (!t.rows)
		return failed("show", "out of memory");
	t.n = 1;
	for (int c = 0; c < COLUMNS; c++)
		set_cell(&t, c, "%s", headings[c]);
	add_inputs(&t, m);
	add_weights(&t, m);
	add_items(&t, m, costs);
	if (t.complete) {
		print_table(&t);
		print_totals(m);
		if (costs)
			print_costs(m, costs, dims);
	}
	for (size_t k = 0; k < t.n; k++)
		for (int c = 0; c < COLUMNS; c++)
			free(t.rows[k][c]);
	free(t.rows);
	return t.complete ? EXIT_DONE : failed("show", "out of memory");
}

static void show_json_inputs(const ad_model *m)
{
	for (int k = 0; k < m->n_inputs; k++) {
		const struct input *in = &m->inputs[k];

		printf("%s{\"name\":", k ? "," : "");
		json_text(stdout, in->name);
		printf(",\"type\":\"%s\",\"target\":%s,\"shape\":[", type_name(in->type, m->f64),
		       in->target ? "true" : "false");
		for (int d = 0; d < in->rank; d++) {
			printf(d ? "," : "");
			if (in->dims[d] < 0)
				json_text(stdout, m->dims[-1 - in->dims[d]]);
			else
				printf("%" PRId64, in->dims[d]);
		}
		printf("]}");
	}
}

static void show_json_field(const char *key, const char *text)
{
	printf("\"%s\":", key);
	json_text(stdout, text ? text : "");
}

/* "[a, b]" or "a, b" as a JSON array; whole numbers as numbers. No name has a comma in it. */
static void show_json_list(const char *key, const char *text)
{
	printf("\"%s\":[", key);
	text += strspn(text, "[");
	for (bool first = true; *text && *text != ']'; first = false) {
		size_t length = strcspn(text, ",]");

		printf(first ? "" : ",");
		if (strspn(text, "0123456789") == length)
			printf("%.*s", (int)length, text);
		else
			printf("\"%.*s\"", (int)length, text);
		text += length;
		text += strspn(text, ", ");
	}
	printf("]");
}

static int show_json(const ad_model *m, const struct cost *costs, const int64_t dims[])
{
	uint64_t trained, fixed;

	count_weights(m, &trained, &fixed);
	printf("{");
	show_json_field("name", m->name);
	printf(",\"precision\":\"%s\",\"parameters\":%" PRIu64 ",\"inputs\":[",
	       model_precision(m), trained);
	show_json_inputs(m);
	printf("],\"items\":[");
	for (int k = 0; k < m->n_rows; k++) {
		const struct layer_row *row = &m->rows[k];

		printf("%s{", k ? "," : "");
		show_json_field("item", row->path);
		printf(",");
		show_json_field("kind", row->kind);
		printf(",");
		show_json_list("output", row->shape ? row->shape : "");
		printf(",\"parameters\":%zu,", row->parameters);
		show_json_list("connected_to", row->from ? row->from : "");
		if (costs)
			printf(",\"multiply_adds\":%" PRIu64 ",\"bytes\":%" PRIu64, costs[k].products,
			       costs[k].bytes);
		printf("}");
	}
	printf("],\"weights\":[");
	for (int k = 0; k < m->n_weights; k++) {
		ad_shape shape = ad_shape_of(m->weights[k].node);

		printf("%s{", k ? "," : "");
		show_json_field("path", m->weights[k].path);
		printf(",\"trained\":%s,\"shape\":[",
		       ad_wants_gradient(m->weights[k].node) ? "true" : "false");
		for (int d = 0; d < shape.rank; d++)
			printf("%s%" PRId64, d ? "," : "", shape.dims[d]);
		printf("]}");
	}
	printf("],\"sizes\":{");
	for (int d = 0; costs && d < m->n_dims; d++) {
		printf(d ? "," : "");
		json_text(stdout, m->dims[d]);
		printf(":%" PRId64, dims[d]);
	}
	printf("}");
	return EXIT_DONE;
}

static int run(const void *given, int n, const char *const args[])
{
	const struct show_options *o = given;
	int status;
	ad_model *m = open_either("show", args[0], &o->set, &status);
	int64_t *dims = m ? calloc((size_t)m->n_dims + 1, sizeof *dims) : NULL;
	char error[1024] = "out of memory";
	struct cost *costs = NULL;

	if (!m)
		return status;
	if (dims)
		costs = count_costs(m, &o->size, dims, &status, error, sizeof error);
	if (!dims)
		status = failed("show", "%s", error);
	else if (!costs && status == EXIT_USAGE)
		misused("show", "%s", error);
	else
		/* sizes of 1 may be too small for the model: then costs are not known */
		status = o->format == 1 ? show_json(m, costs, dims) : show_text(m, costs, dims);
	if (status == EXIT_DONE)
		show_memory(m, &o->size, o->format == 1);
	if (status == EXIT_DONE && o->format == 1)
		printf("}\n");
	if (!costs && status == EXIT_DONE)
		fprintf(stderr,
		        "autograd show: multiply-adds and memory are not known for sizes of 1: %s; give others "
		        "by --size\n", error);
	free(costs);
	free(dims);
	ad_model_close(m);
	return status;
}

const struct command command_show = {
	.name = "show",
	.arguments = "FILE|RUN",
	.least = 1,
	.most = 1,
	.doc = "prints the items of a model: shapes, parameters, multiply-adds, memory, connections",
	.details =
	    "Multiply-adds are those of matrix products and convolutions, memory is that of the values which an "
	    "item records beside its weights, both of one pass forward. Sizes that the file leaves free, such "
	    "as B, count as 1 unless --size says otherwise. Parameters are counted once, also where they are "
	    "shared. The bytes of memory at the end are those of a step of the training, with the file's batch "
	    "and the sizes that its data has: its total is what --max-memory has to allow, but that reading the "
	    "samples can take more for a while.",
	.options = options,
	.options_size = sizeof(struct show_options),
	.run = run,
};
