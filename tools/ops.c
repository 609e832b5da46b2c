/*
 * ops: what a model is made of: the ops, layers, optimizers and data formats, with their arguments.
 */
#include "command.h"
#include "op_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct ops_options {
	bool check, markdown;
};

static const struct option options[] = {
	{ "check", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct ops_options, check),
	  "checks the op NAME, or every op, on its samples: values, gradients, errors" },
	{ "markdown", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct ops_options, markdown),
	  "prints the reference of all ops as Markdown" },
	{ 0 },
};

/* One thing that has a name, a comment and a table of arguments. */
struct entry {
	const char *kind, *name, *doc, *inputs;
	const ad_attr *attrs;
};

struct entries {
	struct entry *v;
	size_t n;
};

static void add(struct entries *to, struct entry e)
{
	to->v[to->n++] = e;
}

static bool list_entries(struct entries *to)
{
	size_t n = ad_ops();

	for (size_t k = 0; layers[k]; k++)
		n++;
	for (size_t k = 0; optimizers[k]; k++)
		n++;
	for (size_t k = 0; formats[k]; k++)
		n++;
	to->n = 0;
	to->v = calloc(n + 1, sizeof *to->v);
	if (!to->v)
		return false;
	for (size_t k = 0; k < ad_ops(); k++) {
		const ad_op *op = ad_op_at(k);

		add(to, (struct entry){ "op", ad_op_name(op), ad_op_doc(op), ad_op_inputs(op),
		                        ad_op_attrs(op) });
	}
	for (size_t k = 0; layers[k]; k++)
		add(to, (struct entry){ "layer", layers[k]->name, layers[k]->doc,
		                        layers[k]->inputs ? layers[k]->inputs : "x",
		                        layers[k]->attrs });
	for (size_t k = 0; optimizers[k]; k++)
		add(to, (struct entry){ "optimizer", optimizers[k]->name, optimizers[k]->doc, NULL,
		                        optimizers[k]->attrs });
	for (size_t k = 0; formats[k]; k++)
		add(to, (struct entry){ "data format", formats[k]->name, formats[k]->doc, NULL,
		                        formats[k]->attrs });
	return true;
}

/* The comment's first sentence or line, without "name: " in front; returns its length. */
static size_t first_line(const struct entry *e, const char **from)
{
	size_t name = strlen(e->name), length;
	const char *doc = e->doc ? e->doc : "";

	if (strncmp(doc, e->name, name) == 0 && doc[name] == ':')
		doc += name + 1;
	while (*doc == ' ')
		doc++;
	*from = doc;
	length = strcspn(doc, "\n");
	return length;
}

static void print_list(const struct entries *all)
{
	int width = terminal_width(stdout, 0);
	int longest = 0;
	const char *kind = "";

	for (size_t k = 0; k < all->n; k++)
		longest =
		    (int)strlen(all->v[k].name) > longest ? (int)strlen(all->v[k].name) : longest;
	for (size_t k = 0; k < all->n; k++) {
		const char *doc;
		size_t length = first_line(&all->v[k], &doc);

		if (strcmp(kind, all->v[k].kind) != 0) {
			printf("%s%ss\n", *kind ? "\n" : "", all->v[k].kind);
			kind = all->v[k].kind;
		}
		if (width > longest + 8 && length > (size_t)(width - longest - 4))
			length = (size_t)(width - longest - 4);
		printf("  %-*s  %.*s\n", longest, all->v[k].name, (int)length, doc);
	}
}

static void print_attrs(const struct entry *e)
{
	int name = 0, type = 0;

	for (const ad_attr *a = e->attrs; a && a->name; a++) {
		int length = (int)strlen(a->name);

		name = length > name ? length : name;
		length = (int)strlen(op_text_type(a->type));
		type = length > type ? length : type;
	}
	printf(e->attrs && e->attrs->name ? "\narguments\n" : "\nno arguments\n");
	for (const ad_attr *a = e->attrs; a && a->name; a++) {
		printf("  %-*s  %-*s  ", name, a->name, type, op_text_type(a->type));
		if (a->def)
			printf("default %s", *a->def ? a->def : "\"\"");
		else
			printf("must be given");
		if (a->choice)
			printf("; one of: %s", a->choice);
		if (a->doc)
			printf("; %s", a->doc);
		printf("\n");
	}
}

static void print_inputs(const ad_op *op, const char *inputs)
{
	const char *rest = inputs + strspn(inputs, " ");

	printf("\ninputs\n");
	for (int i = 0; *rest; i++) {
		size_t length = strcspn(rest, " ");
		bool marked = rest[length - 1] == '?';
		bool optional = marked || (op && op_text_optional(op, i));
		bool many = length > 3 && memcmp(rest + length - 3, "...", 3) == 0;

		printf("  %.*s%s%s\n",
		       (int)(length - (marked ? 1
		                       : many ? 3
		                              : 0)),
		       rest, optional ? "  may be left out" : "",
		       many ? "  any number of them" : "");
		rest += length;
		rest += strspn(rest, " ");
	}
}

static void print_entry(const struct entry *e)
{
	const ad_op *op = strcmp(e->kind, "op") == 0 ? ad_op_find(e->name) : NULL;
	size_t length = e->doc ? strlen(e->doc) : 0;

	while (length > 0 && e->doc[length - 1] == '\n')
		length--;
	printf("%s %s\n\n%.*s\n", e->kind, e->name, (int)length, e->doc ? e->doc : "");
	if (e->inputs && *e->inputs)
		print_inputs(op, e->inputs);
	print_attrs(e);
	if (op) {
		printf("\nderivatives\n  %s\n\nsamples\n", op_text_derivatives(op));
		op_text_samples(stdout, op, "  ");
	}
}

/* ---- checking -------------------------------------------------------------------------------- */

/* Checks in a process of its own, as a kernel that is wrong may take the process down. */
static bool check_op(const ad_op *op)
{
	static char text[16384];
	int status = 0;
	bool right;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0) {
		right = ad_op_check(op, text, sizeof text);
		printf("%s\n", text);
		right &= fflush(stdout) == 0;
		_exit(right ? EXIT_DONE : EXIT_FAILED);
	}
	if (child < 0) {
		failed("ops", "no process can be started for the check of %s: %s", ad_op_name(op),
		       strerror(errno));
		return false;
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR) {
			failed("ops", "the check of %s is lost: %s", ad_op_name(op),
			       strerror(errno));
			return false;
		}
	if (WIFSIGNALED(status))
		printf(
		    "%s: the check ended by signal %d (%s): a kernel reads or writes outside its "
		    "arrays, or one that is NULL because it is absent, unwanted or not declared "
		    "in .reads\n",
		    ad_op_name(op), WTERMSIG(status), strsignal(WTERMSIG(status)));
	return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_DONE;
}

static int check_ops(const char *name)
{
	const char **names, *near;
	size_t wrong = 0;

	if (name && ad_op_find(name))
		return check_op(ad_op_find(name)) ? EXIT_DONE : EXIT_FAILED;
	if (name) {
		names = calloc(ad_ops() + 1, sizeof *names);
		if (!names)
			return failed("ops", "out of memory");
		for (size_t k = 0; k < ad_ops(); k++)
			names[k] = ad_op_name(ad_op_at(k));
		near = nearest(name, ad_ops(), names);
		free(names);
		if (near)
			return misused("ops", "no op is named '%s'; did you mean '%s'?", name,
			               near);
		return misused("ops", "no op is named '%s'; 'autograd ops' lists what there is",
		               name);
	}
	for (size_t k = 0; k < ad_ops(); k++)
		wrong += !check_op(ad_op_at(k));
	if (wrong)
		return failed("ops", "%zu of %zu ops are wrong", wrong, ad_ops());
	return EXIT_DONE;
}

/* ---- the command ----------------------------------------------------------------------------- */

static int print_named(const struct entries *all, const char *name)
{
	const char **names, *near;
	int found = 0;

	for (size_t k = 0; k < all->n; k++) {
		if (strcmp(all->v[k].name, name) == 0) {
			if (found++)
				printf("\n");
			print_entry(&all->v[k]);
		}
	}
	if (found)
		return EXIT_DONE;
	names = calloc(all->n + 1, sizeof *names);
	if (!names)
		return failed("ops", "out of memory");
	for (size_t k = 0; k < all->n; k++)
		names[k] = all->v[k].name;
	near = nearest(name, all->n, names);
	free(names);
	if (near)
		return misused("ops", "nothing is named '%s'; did you mean '%s'?", name, near);
	return misused("ops", "nothing is named '%s'; 'autograd ops' lists what there is", name);
}

static int run(const void *given, int n, const char *const args[])
{
	const struct ops_options *o = given;
	struct entries all;
	int status = EXIT_DONE;

	if (o->check)
		return check_ops(n > 0 ? args[0] : NULL);
	if (o->markdown && n > 0)
		return misused("ops", "--markdown takes no name: it prints all ops");
	if (o->markdown) {
		op_text_reference(stdout);
		return EXIT_DONE;
	}
	if (!list_entries(&all))
		return failed("ops", "out of memory");
	if (n == 0)
		print_list(&all);
	else
		status = print_named(&all, args[0]);
	free(all.v);
	return status;
}

const struct command command_ops = {
	.name = "ops",
	.arguments = "[NAME]",
	.most = 1,
	.doc = "lists the ops, layers, optimizers and data formats, or describes one",
	.details =
	    "With a NAME: its formula, shapes and gradient, its inputs, its arguments with their "
	    "types and defaults, as they are written in a model file; of an op also how often it "
	    "can be differentiated, and its samples.",
	.options = options,
	.options_size = sizeof(struct ops_options),
	.run = run,
};
