/*
 * report: `autograd report`: a run as one HTML page that needs nothing else.
 *
 * The page is tools/report/page.html with the style sheet, the script and the data of the run put in, where
 * it says {{style}}, {{script}}, {{data}}, {{title}} and {{live}}.
 */
#include "report.h"
#include "file.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#define LIVE_NICE 10 /* beside a training */

/* The files of tools/report/ as lines, generated; each list ends with NULL. */
extern const char *const report_page[], *const report_style[], *const report_script[];

struct report_options {
	const char *output;
	bool live;
};

static const struct option options[] = {
	{ "output", 'o', OPTION_TEXT, "PAGE", NULL, false, offsetof(struct report_options, output),
	  "where the page goes, a path that ends in .html; if not given, report.html in the run's folder" },
	{ "live", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct report_options, live),
	  "the training still runs: the page loads itself anew from time to time" },
	LIMIT_OPTIONS,
	{ 0 },
};

void report_remark(struct report *r, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (r->n_notes++ > 0)
		putc(',', r->notes);
	json_text(r->notes, text);
}

void report_number(FILE *to, double value)
{
	if (isfinite(value))
		fprintf(to, "%.5g", value);
	else
		fputs("null", to);
}

void report_numbers(FILE *to, const double values[], size_t n)
{
	putc('[', to);
	for (size_t k = 0; k < n; k++) {
		if (k > 0)
			putc(',', to);
		report_number(to, values[k]);
	}
	putc(']', to);
}

/* ---- the page --------------------------------------------------------------------------------- */

static void write_html(FILE *to, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", to);
			break;
		case '>':
			fputs("&gt;", to);
			break;
		case '&':
			fputs("&amp;", to);
			break;
		case '"':
			fputs("&quot;", to);
			break;
		default:
			putc(*text, to);
		}
	}
}

/* JSON inside of a script element, which the sequences </script and <!-- must not end: a < stands in
 * strings alone, and may be written otherwise there. */
static void write_json(FILE *to, const char *json, size_t size)
{
	for (size_t k = 0; k < size; k++) {
		if (json[k] == '<')
			fputs("\\u003c", to);
		else
			putc(json[k], to);
	}
}

static void write_lines(FILE *to, const char *const lines[])
{
	for (; *lines; lines++)
		fputs(*lines, to);
}

static void fill_in(const struct report *r, FILE *to, const char *word, size_t length,
                    const char *json, size_t size)
{
	if (strncmp(word, "style", length) == 0)
		write_lines(to, report_style);
	else if (strncmp(word, "script", length) == 0)
		write_lines(to, report_script);
	else if (strncmp(word, "data", length) == 0)
		write_json(to, json, size);
	else if (strncmp(word, "live", length) == 0)
		fputs(r->live ? "live" : "done", to);
	else if (strncmp(word, "title", length) == 0)
		write_html(to, r->m->name ? r->m->name : "model");
}

static void write_page(const struct report *r, FILE *to, const char *json, size_t size)
{
	for (const char *const *line = report_page; *line; line++) {
		const char *rest = *line, *mark, *end;

		while ((mark = strstr(rest, "{{")) && (end = strstr(mark, "}}"))) {
			fwrite(rest, 1, (size_t)(mark - rest), to);
			fill_in(r, to, mark + 2, (size_t)(end - mark - 2), json, size);
			rest = end + 2;
		}
		fputs(rest, to);
	}
}

static void write_data(struct report *r)
{
	char when[64];
	time_t now = time(NULL);
	struct tm parts;
	char *notes = NULL;
	size_t size = 0;

	r->notes = open_memstream(&notes, &size);
	if (!r->notes || !gmtime_r(&now, &parts))
		return;
	strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &parts);
	fprintf(r->to, "{\"name\":");
	json_text(r->to, r->m->name ? r->m->name : "model");
	fprintf(r->to, ",\"folder\":");
	json_text(r->to, r->folder);
	fprintf(r->to, ",\"live\":%s,\"written\":\"%s\",\"version\":\"%s\"",
	        r->live ? "true" : "false", when, AD_VERSION);
	report_files(r);
	report_record(r);
	report_weights(r);
	report_classes(r);
	report_graph(r);
	if (r->weights && !r->live)
		report_findings(r);
	fclose(r->notes);
	fprintf(r->to, ",\"notes\":[%s]}", notes ? notes : "");
	free(notes);
}

/* The whole page as text, from malloc; NULL without memory. */
static char *page_text(struct report *r, size_t *size)
{
	char *json = NULL, *page = NULL;
	size_t length = 0;
	FILE *to = NULL;

	r->to = open_memstream(&json, &length);
	if (r->to) {
		write_data(r);
		if (fclose(r->to) == 0)
			to = open_memstream(&page, size);
	}
	if (to) {
		write_page(r, to, json, length);
		if (fclose(to) != 0) {
			free(page);
			page = NULL;
		}
	}
	free(json);
	return page;
}

/* The model of a run, with its weights where it has saved some. */
static ad_model *open_report(const char *command, const char *folder, bool *weights, int *status)
{
	char *file = join_path(folder, "last.safetensors");
	struct stat s;

	*weights = file && stat(file, &s) == 0;
	free(file);
	return *weights ? open_run(command, folder, status) : open_config(command, folder, NULL, status);
}

int report_write(const char *command, const char *folder, const char *path, bool live)
{
	struct report r = { .folder = folder, .live = live };
	char error[1024];
	size_t size = 0;
	char *page;
	int status;

	r.m = open_report(command, folder, &r.weights, &status);
	if (!r.m)
		return status;
	page = page_text(&r, &size);
	if (!page)
		status = failed(command, "out of memory");
	else if (!save_text(path, page, size, error, sizeof error))
		status = failed(command, "%s%s", error,
		                strchr(error, ';') ? "" : "; name a folder that is there, by --output");
	free(page);
	record_close(r.record);
	ad_model_close(r.m);
	return status;
}

static bool ends_in_html(const char *path)
{
	size_t length = strlen(path);

	return length > 5 && strcmp(path + length - 5, ".html") == 0;
}

static int run(const void *given, int n, const char *const args[])
{
	const struct report_options *o = given;
	char *path;
	int status;

	if (o->live)
		setpriority(PRIO_PROCESS, 0, LIVE_NICE);
	if (o->output && !ends_in_html(o->output))
		return misused("report", "'%s' does not end in .html", o->output);
	path = o->output ? strdup(o->output) : join_path(args[0], "report.html");
	if (!path)
		return failed("report", "out of memory");
	status = report_write("report", args[0], path, o->live);
	if (status == EXIT_DONE)
		printf("report: %s\n", path);
	free(path);
	return status;
}

const struct command command_report = {
	.name = "report",
	.arguments = "RUN",
	.least = 1,
	.most = 1,
	.doc = "writes one HTML page about a run",
	.details =
	    "The page needs no network and no other file: curves, recorded gradients layer by layer and "
	    "step by step, the graph with them (drawn by the program dot, package graphviz), the weights' "
	    "histograms, the confusion matrix and the worst samples of a classifier, the declaration. "
	    "`autograd train --live` writes it while the training runs.",
	.options = options,
	.options_size = sizeof(struct report_options),
	.run = run,
};
