/*
 * explain: a page about an error: what it means, a wrong and a right example.
 */
#include "command.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static void print_example(const char *title, const char *text)
{
	printf("\n%s\n\n", title);
	for (const char *s = text; *s;) {
		size_t n = strcspn(s, "\n");

		printf("    %.*s\n", (int)n, s);
		s += n + (s[n] == '\n');
	}
}

static void print_page(const struct explanation *e)
{
	int width = terminal_width(stdout, 100);

	printf("E%03d: %s\n\n", e->code, e->title);
	print_wrapped(stdout, e->text, 0, 0, width < 100 ? width : 100);
	print_example("Wrong:", e->wrong);
	print_example("Right:", e->right);
}

static void print_list(void)
{
	for (const struct explanation *e = explanations; e->code; e++)
		printf("E%03d  %s\n", e->code, e->title);
}

/* "E010", "e10", "10"; 0: no number. */
static int code_of(const char *word)
{
	char *end;
	long n;

	if (toupper((unsigned char)*word) == 'E')
		word++;
	n = strtol(word, &end, 10);
	return *word && !*end && n > 0 && n < 1000 ? (int)n : 0;
}

static int run(const void *given, int n, const char *const args[])
{
	(void)given;
	if (n == 0) {
		print_list();
		return EXIT_DONE;
	}
	for (int k = 0; k < n; k++) {
		const struct explanation *e = explanations;
		int code = code_of(args[k]);

		while (e->code && e->code != code)
			e++;
		if (!e->code)
			return misused("explain",
			               "there is no error '%s'; 'autograd explain' lists them",
			               args[k]);
		if (k > 0)
			putchar('\n');
		print_page(e);
	}
	return EXIT_DONE;
}

const struct command command_explain = {
	.name = "explain",
	.arguments = "[CODE...]",
	.least = 0,
	.most = -1,
	.doc = "tells what an error means, with a wrong and a right example",
	.details = "CODE is the number in a message, E010 or 10. Without one: the list of all.",
	.run = run,
};
