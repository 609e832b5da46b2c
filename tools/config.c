/*
 * config: the resolved file: extends, include and overrides applied, defaults written out if asked
 * for, and where each value comes from.
 */
#include "command.h"

#include <stdlib.h>
#include <string.h>

struct config_options {
	struct texts set;
	bool origin, full;
};

static const struct option options[] = {
	{ "set", 0, OPTION_TEXTS, "KEY=VALUE", NULL, false, offsetof(struct config_options, set),
	  "replaces a value of the file, in its own grammar: --set params.depth=3; may be "
	  "repeated" },
	{ "origin", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct config_options, origin),
	  "tells in a comment where each value comes from: FILE:LINE:COL, --set, AUTOGRAD_SET or "
	  "default" },
	{ "full", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct config_options, full),
	  "writes out the defaults of everything that the file leaves open" },
	{ 0 },
};

enum { MARK = '\1', WIDEST = 56 }; /* the column of comments is at most that */

/* The origin of a value, behind a mark; lines are aligned when all are known. */
static void note_origin(void *of, const struct yaml *y, FILE *to)
{
	char text[4200];

	fprintf(to, "%c%s", MARK, model_place(of, y->at, text, sizeof text));
}

static int columns(const char *s, size_t n)
{
	int count = 0;

	for (size_t i = 0; i < n; i++)
		count += ((unsigned char)s[i] & 0xc0) != 0x80;
	return count;
}

static void print_aligned(const char *text)
{
	int widest = 0;

	for (const char *s = text; *s; s += strcspn(s, "\n"), s += *s == '\n') {
		size_t n = strcspn(s, "\n\1");

		if (s[n] == MARK && columns(s, n) > widest && columns(s, n) <= WIDEST)
			widest = columns(s, n);
	}
	for (const char *s = text; *s; s += *s == '\n') {
		size_t n = strcspn(s, "\n\1");

		fwrite(s, 1, n, stdout);
		if (s[n] == MARK) {
			int space = widest - columns(s, n);

			printf("%*s  # ", space > 0 ? space : 0, "");
			s += n + 1;
			n = strcspn(s, "\n");
			fwrite(s, 1, n, stdout);
		}
		putchar('\n');
		s += n;
	}
}

static int print_config(ad_model *m, const struct config_options *o)
{
	const struct yaml *root = o->full ? model_full(m) : yaml_root(m->tree);
	char *text = NULL;
	size_t length = 0;
	FILE *to = root ? open_memstream(&text, &length) : NULL;

	if (to)
		yaml_write_noted(root, to, o->origin ? note_origin : NULL, m);
	if (!to || fclose(to) != 0) {
		free(text);
		return failed("config", "out of memory");
	}
	print_aligned(text);
	free(text);
	return EXIT_DONE;
}

static int run(const void *given, int n, const char *const args[])
{
	const struct config_options *o = given;
	int status;
	ad_model *m = open_file("config", args[0], &o->set, &status);

	(void)n;
	if (!m)
		return status;
	status = print_config(m, o);
	ad_model_close(m);
	return status;
}

const struct command command_config = {
	.name = "config",
	.arguments = "FILE",
	.least = 1,
	.most = 1,
	.doc = "prints a file as it is understood, and where each value comes from",
	.details =
	    "The file with its parents, included blocks and overrides as one: it reads back as the "
	    "same model. Order of authority: parent, file, AUTOGRAD_SET, --set.",
	.options = options,
	.options_size = sizeof(struct config_options),
	.run = run,
};
