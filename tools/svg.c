/*
 * svg: what dot's SVG lacks for readers who do not see it.
 *
 * dot writes each object as <g id="n17"><title>n17</title><g id="a_n17"><a xlink:title="TEXT">, a
 * line each but for the title. The text is escaped for an attribute, which will do for an element.
 */
#include "svg.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *find(const char *from, const char *end, const char *what)
{
	return from < end ? memmem(from, (size_t)(end - from), what, strlen(what)) : NULL;
}

/* Where the text of the next tooltip begins, if it belongs to the object whose title ends at `at`. */
static const char *tooltip_after(const char *at, const char *end)
{
	static const char group[] = "\n<g id=\"a_", link[] = "<a xlink:title=\"";
	const char *line;

	if ((size_t)(end - at) < sizeof group || memcmp(at, group, sizeof group - 1) != 0)
		return NULL;
	line = memchr(at + 1, '\n', (size_t)(end - at - 1));
	line = line ? line : end;
	at = find(at, line, link);
	return at ? at + sizeof link - 1 : NULL;
}

/* The drawing's own title: its lines of text follow, a background between. */
static void write_root_title(FILE *to, const char *at, const char *end)
{
	static const char text[] = "<text ";
	const char *next = find(at, end, text), *stop = find(at, end, "<g ");
	bool first = true;

	stop = stop ? stop : end;
	for (at = next; at && at < stop && !memcmp(at, text, sizeof text - 1); first = false) {
		const char *from = memchr(at, '>', (size_t)(stop - at));
		const char *to_end = from ? find(from, stop, "</text>\n") : NULL;

		if (!to_end)
			return;
		if (!first)
			fputc(' ', to);
		fwrite(from + 1, 1, (size_t)(to_end - from - 1), to);
		at = to_end + strlen("</text>\n");
		if ((size_t)(stop - at) < sizeof text)
			return;
	}
}

char *svg_with_titles(const char *svg, size_t size, size_t *n)
{
	static const char open[] = "<title>", close[] = "</title>", root[] = "<svg ";
	const char *at = svg, *end = svg + size, *next;
	bool first = true;
	char *text = NULL;
	FILE *to = open_memstream(&text, n);

	if (!to)
		return NULL;
	next = find(at, end, root);
	if (next) {
		fwrite(at, 1, (size_t)(next - at), to);
		fputs("<svg role=\"graphics-document\" ", to);
		at = next + sizeof root - 1;
	}
	while ((next = find(at, end, open))) {
		const char *after = find(next, end, close), *tooltip, *quote;

		if (!after)
			break;
		next += sizeof open - 1;
		after += sizeof close - 1;
		fwrite(at, 1, (size_t)(next - at), to);
		tooltip = tooltip_after(after, end);
		quote = tooltip ? memchr(tooltip, '"', (size_t)(end - tooltip)) : NULL;
		if (first) {
			write_root_title(to, after, end);
			fputs(close, to);
		} else if (quote) {
			fwrite(tooltip, 1, (size_t)(quote - tooltip), to);
			fputs(close, to);
		} else {
			fwrite(next, 1, (size_t)(after - next), to);
		}
		first = false;
		at = after;
	}
	fwrite(at, 1, (size_t)(end - at), to);
	if (ferror(to) | fclose(to)) {
		free(text);
		return NULL;
	}
	return text;
}
