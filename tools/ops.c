/*
 * ops: what a model is made of: the ops, layers, optimizers and data formats, with their arguments.
 */
#include "command.h"
#include "op_text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct ops_options {
	bool markdown, man;
};

static const struct option options[] = {
	{ "markdown", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct ops_options, markdown),
	  "prints the reference of all ops as Markdown" },
	{ "man", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct ops_options, man),
	  "prints the description of NAME as a manual page: autograd ops sigmoid --man | man -l -" },
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

static void print_attrs(FILE *to, const struct entry *e)
{
	int name = 0, type = 0;

	for (const ad_attr *a = e->attrs; a && a->name; a++) {
		int length = (int)strlen(a->name);

		name = length > name ? length : name;
		length = (int)strlen(op_text_type(a->type));
		type = length > type ? length : type;
	}
	for (const ad_attr *a = e->attrs; a && a->name; a++) {
		fprintf(to, "  %-*s  %-*s  ", name, a->name, type, op_text_type(a->type));
		if (a->def)
			fprintf(to, "default %s", *a->def ? a->def : "\"\"");
		else
			fputs("must be given", to);
		if (a->choice)
			fprintf(to, "; one of: %s", a->choice);
		if (a->doc)
			fprintf(to, "; %s", a->doc);
		fputc('\n', to);
	}
}

static void print_inputs(FILE *to, const ad_op *op, const char *inputs)
{
	const char *rest = inputs + strspn(inputs, " ");

	for (int i = 0; *rest; i++) {
		size_t length = strcspn(rest, " ");
		bool marked = rest[length - 1] == '?';
		bool optional = marked || (op && op_text_optional(op, i));
		bool many = length > 3 && memcmp(rest + length - 3, "...", 3) == 0;

		fprintf(to, "  %.*s%s%s\n",
		        (int)(length - (marked ? 1
		                        : many ? 3
		                               : 0)),
		        rest, optional ? "  may be left out" : "",
		        many ? "  any number of them" : "");
		rest += length;
		rest += strspn(rest, " ");
	}
}

/* Text for a manual page: nothing in it is a request. */
static void put_escaped(const char *text, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		if ((k == 0 || text[k - 1] == '\n') && (text[k] == '.' || text[k] == '\''))
			fputs("\\&", stdout);
		if (text[k] == '\\')
			fputs("\\e", stdout);
		else if (text[k] == '-')
			fputs("\\-", stdout);
		else
			putchar(text[k]);
	}
}

/* A section, whose text lies in a stream in memory, which is closed. */
static void put_section(bool man, const char *title, FILE *from, char **text)
{
	bool written = fclose(from) == 0;
	size_t n = written ? strlen(*text) : 0;

	while (n > 0 && (*text)[n - 1] == '\n')
		n--;
	if (man) {
		printf(".SH ");
		for (const char *s = title; *s; s++)
			putchar(toupper((unsigned char)*s));
		printf("\n.nf\n");
		put_escaped(*text, n);
		printf("\n.fi\n");
	} else {
		printf("%s%s\n%.*s%s", *title ? "\n" : "", title, (int)n, *text, n ? "\n" : "");
	}
	free(*text);
}

enum part { DESCRIPTION, INPUTS, ARGUMENTS, PLUGIN, DERIVATIVES, SAMPLES, PARTS };

static const char *title_of(const struct entry *e, enum part part, bool man)
{
	static const char *const titles[] = { "description", "inputs", "arguments", "plugin", "derivatives", "samples" };

	if (part == ARGUMENTS && (!e->attrs || !e->attrs->name))
		return "no arguments";
	return part == DESCRIPTION && !man ? "" : titles[part];
}

static bool has_part(const struct entry *e, const ad_op *op, enum part part)
{
	if (part == INPUTS)
		return e->inputs && *e->inputs;
	if (part == PLUGIN)
		return op && ad_op_plugin(op);
	return part < PLUGIN || op;
}

static void print_part(FILE *to, const struct entry *e, const ad_op *op, enum part part)
{
	switch (part) {
	case DESCRIPTION:
		fputs(e->doc ? e->doc : "", to);
		break;
	case INPUTS:
		print_inputs(to, op, e->inputs);
		break;
	case ARGUMENTS:
		print_attrs(to, e);
		break;
	case PLUGIN:
		fprintf(to, "  %s\n", ad_op_plugin(op));
		break;
	case DERIVATIVES:
		fprintf(to, "  %s\n", op_text_derivatives(op));
		break;
	default:
		op_text_samples(to, op, "  ");
	}
}

static bool print_entry(const struct entry *e, bool man)
{
	const ad_op *op = strcmp(e->kind, "op") == 0 ? ad_op_find(e->name) : NULL;
	const char *first;
	size_t length = first_line(e, &first);

	if (man) {
		printf(".TH %s 7 \"\" \"autograd %s\" \"autograd %ss\"\n.SH NAME\n%s \\- ", e->name, AD_VERSION, e->kind,
		       e->name);
		put_escaped(first, length);
		printf("\n");
	} else {
		printf("%s %s\n", e->kind, e->name);
	}
	for (enum part part = 0; part < PARTS; part++) {
		char *text = NULL;
		size_t size;
		FILE *to;

		if (!has_part(e, op, part))
			continue;
		to = open_memstream(&text, &size);
		if (!to)
			return false;
		print_part(to, e, op, part);
		put_section(man, title_of(e, part, man), to, &text);
	}
	return true;
}

/* ---- the command ----------------------------------------------------------------------------- */

static int print_named(const struct entries *all, const char *name, bool man)
{
	const char **names, *near;
	int found = 0;

	for (size_t k = 0; k < all->n; k++) {
		if (strcmp(all->v[k].name, name) == 0) {
			if (found++ && !man)
				printf("\n");
			if (!print_entry(&all->v[k], man))
				return failed("ops", "out of memory");
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

	if (o->markdown && n > 0)
		return misused("ops", "--markdown takes no name: it prints all ops");
	if (o->markdown) {
		op_text_reference(stdout);
		return EXIT_DONE;
	}
	if (o->man && n == 0)
		return misused("ops", "--man is of one NAME: autograd ops sigmoid --man");
	if (!list_entries(&all))
		return failed("ops", "out of memory");
	if (n == 0)
		print_list(&all);
	else
		status = print_named(&all, args[0], o->man);
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
