/*
 * plot: writes gnuplot scripts for the curves of a run, the fit of a model and the losses of a range test, and
 * has them drawn.
 */
#include "plot.h"
#include "render.h"

#include <csv.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRAIN_COLOUR "#08519c"
#define VALID_COLOUR "#d55e00"
#define MAX_COLUMNS 256
#define MAX_ROWS 10000000

static bool fail(char *error, size_t n, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool fail(char *error, size_t n, const char *format, ...)
{
	va_list args;

	if (n > 0) {
		va_start(args, format);
		vsnprintf(error, n, format, args);
		va_end(args);
	}
	return false;
}

/* ---- log.csv ------------------------------------------------------------------------------- */

struct table {
	size_t n_columns, n_rows, cap;
	char *names[MAX_COLUMNS];
	double *cells; /* row by row */
	size_t column; /* of the next field */
	bool failed;   /* no memory, or more columns or rows than are read */
};

static void table_field(void *text, size_t length, void *to)
{
	struct table *t = to;
	size_t column = t->column++;
	char *end;

	if (t->failed)
		return;
	if (t->n_rows == 0) {
		if (column >= MAX_COLUMNS ||
		    !(t->names[column] = strndup(text ? text : "", length)))
			t->failed = true;
		else
			t->n_columns++;
		return;
	}
	if (column >= t->n_columns)
		return;
	if (column == 0 && t->n_rows * t->n_columns > t->cap) {
		size_t cap = 2 * t->cap + 64 * t->n_columns;
		double *wider =
		    t->n_rows < MAX_ROWS ? realloc(t->cells, cap * sizeof *wider) : NULL;

		if (!wider) {
			t->failed = true;
			return;
		}
		t->cells = wider;
		t->cap = cap;
	}
	if (column == 0)
		for (size_t k = 0; k < t->n_columns; k++)
			t->cells[(t->n_rows - 1) * t->n_columns + k] = NAN;
	/* libcsv ends fields with a zero byte, as asked for. An empty one was not measured. */
	if (text && length > 0) {
		double value = strtod(text, &end);

		if (*end == 0)
			t->cells[(t->n_rows - 1) * t->n_columns + column] = value;
	}
}

static void table_row(int last, void *to)
{
	struct table *t = to;

	if (t->column > 0)
		t->n_rows++;
	t->column = 0;
}

static void table_free(struct table *t)
{
	for (size_t k = 0; k < t->n_columns; k++)
		free(t->names[k]);
	free(t->cells);
}

static bool table_read(struct table *t, const char *path, char *error, size_t n)
{
	FILE *f = fopen(path, "re");
	struct csv_parser parser;
	char piece[65536];
	size_t got;
	bool good;

	*t = (struct table){ 0 };
	if (!f)
		return fail(error, n, "cannot read '%s': %s", path, strerror(errno));
	if (csv_init(&parser, CSV_APPEND_NULL) != 0) {
		fclose(f);
		return fail(error, n, "cannot read '%s': out of memory", path);
	}
	good = true;
	while (good && (got = fread(piece, 1, sizeof piece, f)) > 0)
		good =
		    csv_parse(&parser, piece, got, table_field, table_row, t) == got && !t->failed;
	if (good)
		good = csv_fini(&parser, table_field, table_row, t) == 0 && !t->failed;
	if (ferror(f))
		fail(error, n, "cannot read '%s': %s", path, strerror(errno));
	else if (t->failed)
		fail(error, n, "cannot read '%s': out of memory, or over %d columns", path,
		     MAX_COLUMNS);
	else if (!good)
		fail(error, n, "'%s' is no CSV file: %s", path, csv_strerror(csv_error(&parser)));
	good = good && !ferror(f);
	csv_free(&parser);
	fclose(f);
	/* n_rows counts the header, and then a last line that may be half written. */
	t->n_rows = t->n_rows > 0 ? t->n_rows - 1 : 0;
	if (good && t->n_rows == 0)
		return fail(error, n, "'%s' has no epochs yet", path);
	return good;
}

static size_t column_of(const struct table *t, const char *name)
{
	for (size_t k = 0; k < t->n_columns; k++)
		if (!strcmp(t->names[k], name))
			return k;
	return MAX_COLUMNS;
}

static double cell(const struct table *t, size_t row, size_t column)
{
	return t->cells[row * t->n_columns + column];
}

/* The column of the same quantity measured on the validation part; MAX_COLUMNS: there is none. */
static size_t valid_of(const struct table *t, const char *name)
{
	char valid[256];

	snprintf(valid, sizeof valid, "valid_%s", name);
	return column_of(t, valid);
}

/* ---- scripts ------------------------------------------------------------------------------- */

/* A string of gnuplot's, in which nothing has a meaning: quotes doubled, control characters left
 * out. */
static void put_string(FILE *to, const char *text)
{
	putc('\'', to);
	for (size_t k = 0; text[k] && k < 200; k++) {
		unsigned char c = (unsigned char)text[k];

		if (c < ' ' || c == 127)
			continue;
		if (c == '\'')
			putc('\'', to);
		putc(c, to);
	}
	putc('\'', to);
}

static void put_head(FILE *to, const char *path, int width, int height)
{
	fputs("set encoding utf8\n", to);
	switch (picture_of(path)) {
	case PICTURE_PNG:
		fprintf(to, "set terminal pngcairo noenhanced size %d,%d font 'Helvetica,11'\n",
		        width, height);
		break;
	case PICTURE_PDF:
		fprintf(to,
		        "set terminal pdfcairo noenhanced size %.2fin,%.2fin font 'Helvetica,11'\n",
		        width / 96.0, height / 96.0);
		break;
	default:
		fprintf(to,
		        "set terminal svg noenhanced size %d,%d dynamic font 'Helvetica,12' "
		        "background 'white'\n",
		        width, height);
	}
	fputs("set border 3 lc rgb '#555555'\n"
	      "set tics nomirror out scale 0.6 textcolor rgb '#333333'\n"
	      "set grid ytics lt 1 lc rgb '#e4e4e4' lw 1\n"
	      "set key top right samplen 2 spacing 1.15 noautotitle textcolor rgb '#333333'\n",
	      to);
}

static bool finish(FILE *script, char **text, const size_t *size, const char *path, char *error,
                   size_t n)
{
	bool good = !ferror(script);

	if (fclose(script) != 0 || !good) {
		free(*text);
		return fail(error, n, "cannot plot: out of memory");
	}
	good = render_gnuplot(*text, *size, path, error, n);
	free(*text);
	return good;
}

static bool wants_picture(const char *path, char *error, size_t n)
{
	enum picture picture = picture_of(path);

	if (picture == PICTURE_NONE || picture == PICTURE_DOT)
		return fail(error, n, "cannot write '%s': a plot's file ends in .svg, .png or .pdf",
		            path);
	return true;
}

/* ---- curves of a run ----------------------------------------------------------------------- */

#define MOST_STRETCHES ((size_t)2000) /* of rows in a curve: more than a picture has columns */

static void put_point(FILE *to, const struct table *t, size_t epoch, size_t column, size_t k)
{
	fprintf(to, "%.9g %.9g\n", cell(t, k, epoch), cell(t, k, column));
}

/* A column against the epochs. Of many rows each stretch gives its least and its largest value, so
 * that gnuplot is done in time and no peak is lost. */
static void put_column(FILE *to, const struct table *t, size_t epoch, size_t column)
{
	size_t stretch = t->n_rows / MOST_STRETCHES + 1;

	fprintf(to, "$c%zu << END\n", column);
	for (size_t from = 0; from < t->n_rows; from += stretch) {
		size_t end = t->n_rows - from < stretch ? t->n_rows : from + stretch;
		size_t least = end, most = end;

		for (size_t k = from; k < end; k++) {
			double value = cell(t, k, column);

			if (!isfinite(value))
				continue;
			if (least == end || value < cell(t, least, column))
				least = k;
			if (most == end || value > cell(t, most, column))
				most = k;
		}
		if (least == end)
			continue;
		put_point(to, t, epoch, column, least < most ? least : most);
		if (least != most)
			put_point(to, t, epoch, column, least < most ? most : least);
	}
	fputs("END\n", to);
}

/* The least and the largest finite value of a column. */
static void widen(const struct table *t, size_t column, double *least, double *most, size_t *count)
{
	for (size_t k = 0; column < t->n_columns && k < t->n_rows; k++) {
		double value = cell(t, k, column);

		if (!isfinite(value))
			continue;
		*least = fmin(*least, value);
		*most = fmax(*most, value);
		++*count;
	}
}

static void put_curve(FILE *to, const struct table *t, size_t column, const char *name,
                      const char *colour, int dash, bool first)
{
	double last = NAN;
	char title[300];

	for (size_t k = 0; k < t->n_rows; k++)
		if (isfinite(cell(t, k, column)))
			last = cell(t, k, column);
	snprintf(title, sizeof title, "%.200s  %.4g", name, last);
	fprintf(to, "%s$c%zu using 1:2 with %s lc rgb '%s' lw 2 dt %d %stitle ",
	        first ? "plot " : ", ", column, t->n_rows <= 20 ? "linespoints" : "lines", colour,
	        dash, t->n_rows <= 20 ? "pt 7 ps 0.45 " : "");
	put_string(to, title);
}

/* One panel: the curves of some columns, each with its twin on the validation part. */
static void put_panel(FILE *to, const struct table *t, const char *label, size_t n,
                      const size_t columns[])
{
	double least = INFINITY, most = -INFINITY;
	size_t count = 0;
	bool fraction, first = true;
	char name[300];

	for (size_t k = 0; k < n; k++) {
		widen(t, columns[k], &least, &most, &count);
		widen(t, valid_of(t, t->names[columns[k]]), &least, &most, &count);
	}
	fraction = count > 0 && least >= 0 && most <= 1;
	fputs("unset logscale y\nset yrange [*:*]\nset format y '%g'\n", to);
	fputs("set ylabel ", to);
	put_string(to, label);
	putc('\n', to);
	if (!strcmp(label, "loss")) {
		if (count > 0 && least > 0 && most / least > 20)
			fputs("set logscale y\n", to);
		fputs("set key top right\n", to);
	} else {
		if (fraction && most > 0.5)
			fputs("set yrange [*:1]\n", to);
		fputs("set key bottom right\n", to);
	}
	if (count == 0 || least == most)
		fprintf(to, "set yrange [%g:%g]\n", count ? least - 0.5 : 0,
		        count ? most + 0.5 : 1);
	for (size_t k = 0; k < n; k++) {
		size_t valid = valid_of(t, t->names[columns[k]]);

		snprintf(name, sizeof name, n > 1 ? "%.200s, train" : "train",
		         t->names[columns[k]]);
		put_curve(to, t, columns[k], name, TRAIN_COLOUR, (int)k + 1, first);
		first = false;
		if (valid == MAX_COLUMNS)
			continue;
		snprintf(name, sizeof name, n > 1 ? "%.200s, valid" : "valid",
		         t->names[columns[k]]);
		put_curve(to, t, valid, name, VALID_COLOUR, (int)k + 1, first);
	}
	putc('\n', to);
}

/* The 1, 2 or 5 times a power of ten that divides a span into at most five. */
static double tics(double span)
{
	double step = span > 5 ? pow(10, floor(log10(span / 5))) : 1;

	return 5 * step >= span ? step : 10 * step >= span ? 2 * step
	     : 25 * step >= span ? 5 * step : 10 * step;
}

static bool plot_table(const struct table *t, const char *title, const char *path, char *error,
                       size_t n)
{
	static const char *const others[] = {
		"step", "epoch", "loss", "lr", "grad_norm", "ms", NULL
	};
	size_t epoch = column_of(t, "epoch"), loss = column_of(t, "loss"), n_metrics = 0, size = 0;
	size_t metrics[MAX_COLUMNS];
	char *text = NULL;
	FILE *to;

	if (epoch == MAX_COLUMNS || loss == MAX_COLUMNS)
		return fail(error, n, "log.csv has no columns 'epoch' and 'loss'");
	for (size_t k = 0; k < t->n_columns; k++) {
		bool other = !strncmp(t->names[k], "valid_", 6) &&
		             column_of(t, t->names[k] + 6) != MAX_COLUMNS;

		for (int j = 0; others[j]; j++)
			other |= !strcmp(t->names[k], others[j]);
		if (!other)
			metrics[n_metrics++] = k;
	}
	to = open_memstream(&text, &size);
	if (!to)
		return fail(error, n, "cannot plot: out of memory");
	put_head(to, path, n_metrics ? 960 : 560, 380);
	for (size_t k = 0; k < t->n_columns; k++)
		put_column(to, t, epoch, k);
	fprintf(to, "set multiplot layout 1,%d title ", n_metrics ? 2 : 1);
	put_string(to, title);
	fputs(" font ',14'\n", to);
	fputs("set xlabel 'epoch'\nset lmargin 10\nset rmargin 3\n", to);
	if (t->n_rows == 1)
		fprintf(to, "set xrange [%g:%g]\n", cell(t, 0, epoch) - 1, cell(t, 0, epoch) + 1);
	else
		fputs("set autoscale xfix\n", to);
	/* Few epochs gnuplot would number by halves, and long numbers into one another. */
	if (t->n_rows <= 10)
		fputs("set xtics 1\n", to);
	else if (cell(t, t->n_rows - 1, epoch) >= 10000)
		fprintf(to, "set xtics %.0f\nset format x '%%.0f'\n",
		        tics(cell(t, t->n_rows - 1, epoch) - cell(t, 0, epoch)));
	put_panel(to, t, "loss", 1, &loss);
	if (n_metrics)
		put_panel(to, t, n_metrics == 1 ? t->names[metrics[0]] : "metrics", n_metrics,
		          metrics);
	fputs("unset multiplot\n", to);
	return finish(to, &text, &size, path, error, n);
}

bool plot_run(const char *folder, const char *title, const char *path, char *error, size_t n)
{
	size_t length = strlen(folder) + sizeof "/log.csv";
	char *log = malloc(length), *name = strdup(folder);
	const char *base;
	struct table t = { 0 };
	bool good = wants_picture(path, error, n);

	if (good && (!log || !name))
		good = fail(error, n, "cannot plot: out of memory");
	if (good) {
		snprintf(log, length, "%s/log.csv", folder);
		good = table_read(&t, log, error, n);
	}
	if (good) {
		for (size_t k = strlen(name); k > 1 && name[k - 1] == '/'; k--)
			name[k - 1] = 0;
		base = strrchr(name, '/');
		base = base && base[1] ? base + 1 : name;
		good = plot_table(&t, title ? title : base, path, error, n);
	}
	table_free(&t);
	free(log);
	free(name);
	return good;
}

/* ---- the fit of a model -------------------------------------------------------------------- */

static void put_pairs(FILE *to, const char *name, size_t n, const double *x, const double *y)
{
	fprintf(to, "$%s << END\n", name);
	for (size_t k = 0; k < n; k++)
		if (isfinite(x[k]) && isfinite(y[k]))
			fprintf(to, "%.9g %.9g\n", x[k], y[k]);
	fputs("END\n", to);
}

bool plot_fit(const struct fit *fit, const char *path, char *error, size_t n)
{
	size_t size = 0, finite = 0;
	char *text = NULL;
	FILE *to;

	if (!wants_picture(path, error, n))
		return false;
	for (size_t k = 0; k < fit->n_curve; k++)
		finite += isfinite(fit->curve_x[k]) && isfinite(fit->curve_y[k]);
	if (finite == 0)
		return fail(error, n, "cannot plot the fit: the curve has no finite point");
	to = open_memstream(&text, &size);
	if (!to)
		return fail(error, n, "cannot plot: out of memory");
	put_head(to, path, 640, 420);
	put_pairs(to, "points", fit->n_points, fit->point_x, fit->point_y);
	put_pairs(to, "curve", fit->n_curve, fit->curve_x, fit->curve_y);
	fputs("set title ", to);
	put_string(to, fit->title ? fit->title : "");
	fputs(" font ',14'\nset xlabel ", to);
	put_string(to, fit->x_label ? fit->x_label : "x");
	fputs("\nset ylabel ", to);
	put_string(to, fit->y_label ? fit->y_label : "y");
	/* Room above and below, so that points at 0 and 1 do not lie on the border. */
	fputs("\nset autoscale xfix\nset offsets graph 0.03, graph 0.03, graph 0.12, graph 0.06\n",
	      to);
	fputs("plot $points using 1:2 with points pt 7 ps 0.55 lc rgb '#6baed6' title 'samples', "
	      "$curve using 1:2 with lines lw 2.5 lc rgb '" VALID_COLOUR "' title 'model'\n",
	      to);
	return finish(to, &text, &size, path, error, n);
}

/* ---- a learning-rate range test -------------------------------------------------------------- */

bool plot_rates(const struct rates *rates, const char *path, char *error, size_t n)
{
	size_t size = 0;
	double least = INFINITY, start = NAN;
	char *text = NULL;
	FILE *to;

	if (!wants_picture(path, error, n))
		return false;
	for (size_t k = 0; k < rates->n; k++) {
		if (!isfinite(rates->smooth[k]))
			continue;
		least = fmin(least, rates->smooth[k]);
		start = isnan(start) ? rates->smooth[k] : start;
	}
	if (isnan(start))
		return fail(error, n, "cannot plot the rates: there is no finite loss");
	to = open_memstream(&text, &size);
	if (!to)
		return fail(error, n, "cannot plot: out of memory");
	put_head(to, path, 640, 420);
	put_pairs(to, "losses", rates->n, rates->lr, rates->loss);
	put_pairs(to, "smooth", rates->n, rates->lr, rates->smooth);
	fputs("set title ", to);
	put_string(to, rates->title ? rates->title : "");
	fputs(" font ',14'\nset xlabel 'learning rate'\nset ylabel 'loss'\nset logscale x\n"
	      "set format x '%.0e'\nset autoscale xfix\nset key top left\n", to);
	/* What diverges would press the rest flat. */
	if (start > least)
		fprintf(to, "set yrange [%.9g:%.9g]\n", least - 0.1 * (start - least),
		        start + 0.5 * (start - least));
	if (rates->suggested > 0)
		fprintf(to, "set arrow from %.9g, graph 0 to %.9g, graph 1 nohead dt 2 lc rgb '#555555'\n"
		            "set label 'lr %.2g' at %.9g, graph 0.04 offset 0.7, 0\n",
		        rates->suggested, rates->suggested, rates->suggested, rates->suggested);
	fputs("plot $losses using 1:2 with points pt 7 ps 0.3 lc rgb '#6baed6' title 'of a batch', "
	      "$smooth using 1:2 with lines lw 2.5 lc rgb '" VALID_COLOUR "' title 'smoothed'\n",
	      to);
	return finish(to, &text, &size, path, error, n);
}
