/*
 * log: what a run's folder holds as text, for its report.
 */
#include "report.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_ROWS 1000 /* of the log */
#define MOST_TEXT ((size_t)256 << 10)
#define MOST_LINE ((size_t)64 << 20)

/* ---- lines of JSON ---------------------------------------------------------------------------- */

struct lines {
	FILE *file;
	char *text;
	size_t room, n, at;
	size_t every; /* only each so manieth line is taken, and the last */
};

/* Opens a file of the run and counts its lines, at most `most` of which are taken; false: there is none. */
static bool lines_open(struct lines *l, const char *folder, const char *name, size_t most)
{
	char *path = join_path(folder, name);

	*l = (struct lines){ .file = path ? fopen(path, "re") : NULL };
	free(path);
	if (!l->file)
		return false;
	while (getline(&l->text, &l->room, l->file) > 0)
		l->n++;
	rewind(l->file);
	l->every = (l->n + most - 1) / most;
	l->every = l->every ? l->every : 1;
	return true;
}

/* The next line that is taken, as an object that the caller deletes; NULL: there is no more. One that is
 * cut off, as a training that runs may be writing it, is passed over. */
static cJSON *lines_next(struct lines *l)
{
	ssize_t length;

	while ((length = getline(&l->text, &l->room, l->file)) > 0) {
		size_t k = ++l->at;
		cJSON *object;

		if ((k - 1) % l->every != 0 && k != l->n)
			continue;
		object = (size_t)length <= MOST_LINE ? cJSON_Parse(l->text) : NULL;
		if (cJSON_IsObject(object))
			return object;
		cJSON_Delete(object);
	}
	return NULL;
}

static void lines_close(struct lines *l)
{
	fclose(l->file);
	free(l->text);
}

static double number_of(const cJSON *object, const char *key)
{
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);

	return cJSON_IsNumber(value) ? value->valuedouble : NAN;
}

/* ---- the log ---------------------------------------------------------------------------------- */

/* Columns by name, with the numbers of all rows; the last row has all names. */
static void write_log(struct report *r)
{
	cJSON *rows[MOST_ROWS + 1];
	const cJSON *column, *last;
	struct lines l;
	size_t n = 0;

	if (!lines_open(&l, r->folder, "log.jsonl", MOST_ROWS)) {
		report_remark(r, "The run has no log.jsonl, so there are no curves.");
		return;
	}
	while (n <= MOST_ROWS && (rows[n] = lines_next(&l)))
		n++;
	if (l.every > 1)
		report_remark(r, "The curves show %zu of %zu lines of the log: every %zuth and the last.", n,
		            l.n, l.every);
	lines_close(&l);
	last = n ? rows[n - 1] : NULL;
	fprintf(r->to, ",\"log\":{");
	cJSON_ArrayForEach(column, last)
	{
		json_text(r->to, column->string);
		fprintf(r->to, ":[");
		for (size_t k = 0; k < n; k++) {
			if (k > 0)
				putc(',', r->to);
			report_number(r->to, number_of(rows[k], column->string));
		}
		fprintf(r->to, "]%s", column->next ? "," : "");
	}
	putc('}', r->to);
	for (size_t k = 0; k < n; k++)
		cJSON_Delete(rows[k]);
}

/* ---- texts -------------------------------------------------------------------------------------- */

/* The text of a file of the run, from malloc; NULL: there is none. */
static char *read_file(const struct report *r, const char *name, bool *cut)
{
	char *path = join_path(r->folder, name), *text = malloc(MOST_TEXT + 1);
	FILE *file = path ? fopen(path, "re") : NULL;

	*cut = false;
	free(path);
	if (file && text) {
		size_t length = fread(text, 1, MOST_TEXT, file);

		text[length] = '\0';
		*cut = getc(file) != EOF;
		fclose(file);
		return text;
	}
	if (file)
		fclose(file);
	free(text);
	return NULL;
}

static void write_file(struct report *r, const char *key, const char *name)
{
	bool cut;
	char *text = read_file(r, name, &cut);

	if (!text)
		return;
	fprintf(r->to, ",\"%s\":", key);
	json_text(r->to, text);
	if (cut)
		report_remark(r, "%s is longer than what is shown of it, its first %zu KiB.", name,
		            MOST_TEXT >> 10);
	free(text);
}

static void write_result(struct report *r)
{
	bool cut;
	char *text = read_file(r, "result.json", &cut), *again;
	cJSON *result = text ? cJSON_Parse(text) : NULL;

	again = cJSON_IsObject(result) ? cJSON_PrintUnformatted(result) : NULL;
	if (again)
		fprintf(r->to, ",\"result\":%s", again);
	else if (!r->live)
		report_remark(r, "The run has no result.json: its training runs still, or was ended from "
		               "outside.");
	cJSON_free(again);
	cJSON_Delete(result);
	free(text);
}

void report_files(struct report *r)
{
	write_result(r);
	write_log(r);
	write_file(r, "config", "config.yaml");
	write_file(r, "environment", "env.txt");
}
