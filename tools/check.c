/*
 * check: reads a model file, builds its graph and says all that is wrong with it.
 */
#include "command.h"

struct check_options {
	struct texts set;
	int format;
};

static const struct option options[] = {
	{ "set", 0, OPTION_TEXTS, "KEY=VALUE", NULL, false, offsetof(struct check_options, set),
	  "replaces a value of the file, in its own grammar: --set params.depth=3; may be repeated" },
	{ "format", 0, OPTION_CHOICE, "text json", NULL, false,
	  offsetof(struct check_options, format),
	  "json: messages on standard output, one object a line with file, line, col, end, code, "
	  "message, help" },
	{ 0 },
};

static int check(const char *path, const struct texts *set, bool json)
{
	ad_model *m = model_open_here(path, set->n, set->v);
	char text[32];
	size_t parameters = 0;
	int errors;

	if (!m)
		return failed("check", "out of memory");
	ad_model_messages(m, json ? stdout : stderr, json);
	errors = ad_model_errors(m);
	if (errors == 0 && !json) {
		for (int k = 0; k < m->n_weights; k++)
			if (ad_wants_gradient(m->weights[k].node))
				parameters += ad_count(m->weights[k].node);
		printf("%s: ok, %d item%s, %s parameter%s, %s\n", path, m->n_rows,
		       m->n_rows == 1 ? "" : "s", print_thousands(text, parameters),
		       parameters == 1 ? "" : "s", model_precision(m));
	}
	ad_model_close(m);
	return errors ? EXIT_USAGE : EXIT_DONE;
}

static int run(const void *given, int n, const char *const args[])
{
	const struct check_options *o = given;
	int status = EXIT_DONE;

	for (int k = 0; k < n; k++) {
		int of_file = check(args[k], &o->set, o->format == 1);

		/* the first kind of failure stands; a wrong file before a lack of memory */
		status = status == EXIT_DONE ? of_file : status;
	}
	return status;
}

const struct command command_check = {
	.name = "check",
	.arguments = "FILE...",
	.least = 1,
	.most = -1,
	.doc = "says all that is wrong with a model file",
	.details =
	    "Reads the file, builds its graph and checks every shape, before any data is read. "
	    "Errors and warnings go to standard error as FILE:LINE:COL: text; a file without "
	    "errors gives one line on standard output. Exit status 2 if there is an error.",
	.options = options,
	.options_size = sizeof(struct check_options),
	.run = run,
};
