/*
 * profile: where the time of a training or an evaluation went, as tables and as JSON.
 */
#include "command.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MOST_LINES 24 /* of a table; the others are added up in one more */
#define NAME_WIDTH 38 /* columns; a line has 98 with it */

/* An op, a group of ops or a layer. */
struct line {
	const char *name;
	uint64_t calls, bytes;
	double forward, backward; /* seconds */
};

static double seconds_of(const struct line *l)
{
	return l->forward + l->backward;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct line *)a)->name, ((const struct line *)b)->name);
}

static int by_time(const void *a, const void *b)
{
	double x = seconds_of(a), y = seconds_of(b);

	return x != y ? (x < y) - (x > y) : by_name(a, b);
}

static void add(struct line *to, const struct line *l)
{
	to->calls += l->calls;
	to->bytes += l->bytes;
	to->forward += l->forward;
	to->backward += l->backward;
}

/* The profile's rows by op or by layer, those of the same name added up, by time; NULL: no memory. */
static struct line *sum_rows(size_t n_rows, const ad_profile_row *rows, bool by_layer, size_t *n)
{
	struct line *lines = calloc(n_rows + 1, sizeof *lines);

	*n = 0;
	if (!lines)
		return NULL;
	for (size_t k = 0; k < n_rows; k++) {
		const ad_profile_row *r = &rows[k];

		lines[k] = (struct line){ .name = by_layer ? r->scope : r->ops, .calls = r->calls,
			                  .bytes = r->bytes, .forward = r->backward ? 0 : r->seconds,
			                  .backward = r->backward ? r->seconds : 0 };
	}
	qsort(lines, n_rows, sizeof *lines, by_name);
	for (size_t k = 0; k < n_rows; k++) {
		if (*n > 0 && by_name(&lines[*n - 1], &lines[k]) == 0)
			add(&lines[*n - 1], &lines[k]);
		else
			lines[(*n)++] = lines[k];
	}
	qsort(lines, *n, sizeof *lines, by_time);
	return lines;
}

/* 0.00123 as "1.23 ms"; nothing for 0. */
static const char *print_time(char text[16], double seconds)
{
	static const char *const units[] = { "s", "ms", "us", "ns" };
	int unit = 0;

	for (; seconds < 0.9995 && unit < 3; unit++)
		seconds *= 1000;
	if (seconds <= 0)
		text[0] = '\0';
	else
		snprintf(text, 16, "%.*f %s", seconds < 9.995 ? 2 : seconds < 99.95 ? 1 : 0, seconds,
		         units[unit]);
	return text;
}

static void print_name(const char *name)
{
	if (strlen(name) <= NAME_WIDTH)
		printf("%-*s", NAME_WIDTH, name);
	else
		printf("%.*s...", NAME_WIDTH - 3, name);
}

/* A row of a table of what took `all` seconds. */
static void print_line(const struct line *l, double all)
{
	char calls[32], bytes[32], forward[16], backward[16], speed[16] = "";

	if (l->bytes > 0 && seconds_of(l) > 0)
		snprintf(speed, sizeof speed, "%.1f", (double)l->bytes / seconds_of(l) / 1e9);
	print_name(*l->name ? l->name : "(outside layers)");
	printf("  %9s  %9s  %9s  %5.1f %%  %8s  %6s\n", print_thousands(calls, l->calls),
	       print_time(forward, l->forward), print_time(backward, l->backward),
	       all > 0 ? 100 * seconds_of(l) / all : 0, print_bytes(bytes, sizeof bytes, l->bytes), speed);
}

static void print_lines(const char *heading, const struct line *lines, size_t n, double all)
{
	struct line others = { .name = "" };
	char text[32];

	printf("%-*s  %9s  %9s  %9s  %7s  %8s  %6s\n", NAME_WIDTH, heading, "calls", "forward",
	       "backward", "share", "bytes", "GB/s");
	for (size_t k = 0; k < n; k++) {
		if (k < MOST_LINES)
			print_line(&lines[k], all);
		else
			add(&others, &lines[k]);
	}
	if (n > MOST_LINES) {
		snprintf(text, sizeof text, "(%zu more)", n - MOST_LINES);
		others.name = text;
		print_line(&others, all);
	}
}

static void print_part(const char *name, uint64_t calls, double seconds, double all)
{
	char number[32] = "", time[16];

	print_name(name);
	printf("  %9s  %9s  %5.1f %%\n", calls ? print_thousands(number, calls) : number,
	       print_time(time, seconds), 100 * seconds / all);
}

bool print_profile(const ad_graph *g, double all, size_t n, const struct time_part parts[])
{
	const ad_profile_row *rows;
	double evaluations, kernels = 0, rest = all;
	size_t n_rows = ad_profile_rows(g, &rows, &evaluations), n_ops, n_places;
	struct line *ops = sum_rows(n_rows, rows, false, &n_ops),
	            *places = sum_rows(n_rows, rows, true, &n_places);
	uint64_t calls = 0;

	if (!ops || !places) {
		free(ops);
		free(places);
		return false;
	}
	for (size_t k = 0; k < n_rows; k++) {
		kernels += rows[k].seconds;
		calls += rows[k].calls;
	}
	print_lines("op", ops, n_ops, evaluations);
	printf("\n");
	print_lines("layer", places, n_places, evaluations);
	printf("\n%-*s  %9s  %9s  %7s\n", NAME_WIDTH, "where", "calls", "time", "share");
	print_part("ops", calls, kernels, all);
	print_part("engine", 0, evaluations - kernels, all);
	rest -= evaluations;
	for (size_t k = 0; k < n; k++) {
		print_part(parts[k].name, 0, parts[k].seconds, all);
		rest -= parts[k].seconds;
	}
	print_part("all else", 0, rest, all);
	print_part("all", 0, all, all);
	free(ops);
	free(places);
	return true;
}

static void json_seconds(FILE *to, const char *key, double seconds)
{
	json_text(to, key);
	fputc(':', to);
	json_real(to, seconds);
}

void json_profile(FILE *to, const ad_graph *g, double all, size_t n, const struct time_part parts[])
{
	const ad_profile_row *rows;
	double evaluations, kernels = 0;
	size_t n_rows = ad_profile_rows(g, &rows, &evaluations);

	for (size_t k = 0; k < n_rows; k++)
		kernels += rows[k].seconds;
	fputc('{', to);
	json_seconds(to, "all", all);
	fputc(',', to);
	json_seconds(to, "ops", kernels);
	fputc(',', to);
	json_seconds(to, "engine", evaluations - kernels);
	for (size_t k = 0; k < n; k++) {
		fputc(',', to);
		json_seconds(to, parts[k].name, parts[k].seconds);
	}
	fprintf(to, ",\"rows\":[");
	for (size_t k = 0; k < n_rows; k++) {
		const ad_profile_row *r = &rows[k];

		fprintf(to, "%s{\"op\":", k ? "," : "");
		json_text(to, r->ops);
		fprintf(to, ",\"layer\":");
		json_text(to, r->scope);
		fprintf(to, ",\"pass\":\"%s\",\"calls\":%" PRIu64 ",\"bytes\":%" PRIu64 ",",
		        r->backward ? "backward" : "forward", r->calls, r->bytes);
		json_seconds(to, "seconds", r->seconds);
		fputc('}', to);
	}
	fprintf(to, "]}");
}
