/*
 * options: the options and arguments of a command, read by its table; its help, from the same
 * table.
 */
#include "command.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define MOST_OPTIONS 32 /* of one command, for suggestions */
#define MOST_PARAMS_NAMED 100 /* of a file, likewise */

/* The length of "PATH:LINE:" or "PATH:LINE:COLUMN:" at the front of a sentence; 0: there is none. */
static size_t place_of(const char *text)
{
	size_t path = strcspn(text, ":\n"), line = path + 1, column;

	if (path == 0 || text[path] != ':')
		return 0;
	line += strspn(text + line, "0123456789");
	if (line == path + 1 || text[line] != ':')
		return 0;
	column = line + 1 + strspn(text + line + 1, "0123456789");
	return column > line + 1 && text[column] == ':' ? column + 1 : line + 1;
}

/* A sentence about a place in a file, or a file alone, begins with it, so that editors jump there. */
static __attribute__((format(printf, 2, 0))) void complain(const char *name, const char *format,
                                                           va_list values)
{
	char text[2048];
	const char *code;
	size_t place;

	vsnprintf(text, sizeof text, format, values);
	place = place_of(text);
	code = strstr(text, ": error[E");
	fflush(stdout);
	if ((code && code < text + strcspn(text, "\n")) || (place && strncmp(text + place, " error", 6) == 0))
		fprintf(stderr, "%s\n", text);
	else if (!place)
		fprintf(stderr, "autograd%s%s: %s\n", name ? " " : "", name ? name : "", text);
	else
		fprintf(stderr, "%.*s error:%s\n", (int)place, text, text + place);
}

int failed(const char *name, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	complain(name, format, values);
	va_end(values);
	return EXIT_FAILED;
}

int misused(const char *name, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	complain(name, format, values);
	va_end(values);
	fprintf(stderr, "help: 'autograd %s%s--help' shows how it is used\n", name ? name : "",
	        name ? " " : "");
	return EXIT_USAGE;
}

int terminal_width(FILE *stream, int otherwise)
{
	struct winsize size;

	if (isatty(fileno(stream)) && ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 &&
	    size.ws_col >= 20)
		return size.ws_col;
	return otherwise;
}

/* Columns that text takes, its first n bytes: every byte but the later ones of a code point. */
static int columns_of(const char *text, size_t n)
{
	int columns = 0;

	for (size_t k = 0; k < n; k++)
		columns += ((unsigned char)text[k] & 0xC0) != 0x80;
	return columns;
}

void print_wrapped(FILE *to, const char *text, int column, int indent, int width)
{
	bool first = true;

	while (*text) {
		size_t length = strcspn(text, " \n");
		int columns = columns_of(text, length);

		if (!first && column + 1 + columns > width) {
			fprintf(to, "\n%*s", indent, "");
			column = indent;
		} else if (!first && column > indent) {
			fputc(' ', to);
			column++;
		}
		fwrite(text, 1, length, to);
		column += columns;
		first = false;
		text += length;
		while (*text == ' ')
			text++;
		if (*text == '\n') {
			text++;
			fprintf(to, "\n%*s", *text && *text != '\n' ? indent : 0, "");
			column = indent;
			first = true;
			/* lines that are indented stand as they are: examples */
			while (*text == ' ') {
				length = strcspn(text, "\n");
				fwrite(text, 1, length, to);
				text += length;
				if (*text == '\n') {
					text++;
					fputc('\n', to);
				}
			}
		}
	}
	fputc('\n', to);
}

/* ---- help ------------------------------------------------------------------------------------ */

/* What every command takes. */
static const struct option common_options[] = {
	{ "plugin", 0, OPTION_PLUGIN, "PATH", NULL, false, 0,
	  "loads the ops of a plugin, ./libswish.so (see autograd op); may be given several times" },
	{ "help", 'h', OPTION_SWITCH, NULL, NULL, false, 0, "prints this help" },
	{ 0 },
};
#define HELP_OPTION (&common_options[1])

/* What commands with --set take, too. */
static const struct option param_option = { "NAME", 0, OPTION_TEXT, "VALUE", NULL, false, 0,
	                                    "short for --set params.NAME=VALUE, where the file has such a param" };

/* "-o, --output FILE"; returns its length. */
static int print_form(char *text, size_t n, const struct option *o)
{
	char choice[80];
	const char *value = o->value;

	if (o->kind == OPTION_CHOICE) {
		snprintf(choice, sizeof choice, "%s", o->value);
		for (char *c = choice; *c; c++)
			*c = *c == ' ' ? '|' : *c;
		value = choice;
	}
	if (o->letter)
		snprintf(text, n, "-%c, --%s%s%s", o->letter, o->name, value ? " " : "",
		         value ? value : "");
	else
		snprintf(text, n, "--%s%s%s", o->name, value ? " " : "", value ? value : "");
	return (int)strlen(text);
}

static void print_option(FILE *to, const struct option *o, int indent, int width)
{
	char form[120];
	int length = print_form(form, sizeof form, o);

	fprintf(to, "  %-*s  ", indent - 4, form);
	if (length > indent - 4)
		fprintf(to, "\n%*s", indent, "");
	print_wrapped(to, o->doc, indent, indent, width);
}

void command_help(const struct command *c, FILE *to)
{
	int width = terminal_width(to, 100), indent = 14;
	char form[120];

	if (width > 100)
		width = 100;
	fprintf(to, "usage: autograd %s", c->name);
	for (const struct option *o = c->options; o && o->name; o++) {
		if (o->required && o->letter)
			fprintf(to, " -%c %s", o->letter, o->value);
		else if (o->required)
			fprintf(to, " --%s %s", o->name, o->value);
	}
	fprintf(to, "%s%s [options]\n\n%c%s.\n", *c->arguments ? " " : "", c->arguments,
	        toupper((unsigned char)c->doc[0]), c->doc + 1);
	if (c->details) {
		fputc('\n', to);
		print_wrapped(to, c->details, 0, 0, width);
	}
	for (const struct option *o = c->options; o && o->name; o++) {
		int length = print_form(form, sizeof form, o);

		if (length + 4 > indent && length <= 30)
			indent = length + 4;
	}
	fprintf(to, "\noptions:\n");
	for (const struct option *o = c->options; o && o->name; o++) {
		print_option(to, o, indent, width);
		if (strcmp(o->name, "set") == 0)
			print_option(to, &param_option, indent, width);
	}
	for (const struct option *o = common_options; o->name; o++)
		print_option(to, o, indent, width);
}

/* ---- reading --------------------------------------------------------------------------------- */

static const struct option *find_among(const struct option *o, const char *name, size_t length)
{
	for (; o && o->name; o++)
		if (strlen(o->name) == length && memcmp(o->name, name, length) == 0)
			return o;
	return NULL;
}

static const struct option *find_option(const struct command *c, const char *name, size_t length)
{
	const struct option *own = find_among(c->options, name, length);

	return own ? own : find_among(common_options, name, length);
}

static const struct option *find_letter(const struct command *c, char letter)
{
	for (const struct option *o = c->options; o && o->name; o++)
		if (o->letter == letter)
			return o;
	return letter == HELP_OPTION->letter ? HELP_OPTION : NULL;
}

/* The params of a model file as a mapping; NULL: it has none, or m is NULL. */
static const struct yaml *params_of(ad_model *m)
{
	const struct yaml *params = m ? model_key(m, "params") : NULL;

	return params && params->kind == YAML_MAP ? params : NULL;
}

/* What may have been meant; params: what else may stand as an option, the params of the file; NULL: none. */
static const char *nearest_option(const struct command *c, const char *given, const struct yaml *params)
{
	const char *names[MOST_OPTIONS + MOST_PARAMS_NAMED + sizeof common_options / sizeof *common_options];
	size_t n = 0;

	for (size_t k = 0; params && k < params->n && k < MOST_PARAMS_NAMED; k++)
		names[n++] = params->keys[k]->text;
	for (const struct option *o = c->options; o && o->name && o < c->options + MOST_OPTIONS; o++)
		names[n++] = o->name;
	for (const struct option *o = common_options; o->name; o++)
		names[n++] = o->name;
	return nearest(given, n, names);
}

static int unknown_option(const struct command *c, const char *given, const struct yaml *params)
{
	const char *near = nearest_option(c, given, params);

	if (near)
		return misused(c->name, "there is no option '--%s'; did you mean '--%s'?", given, near);
	return misused(c->name, params ? "there is no option '--%s', nor has the file a param of that name"
	                               : "there is no option '--%s'", given);
}

static bool read_whole(const char *text, int64_t *to)
{
	char *end;
	long long value;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	value = strtoll(text, &end, 10);
	*to = value;
	return errno == 0 && *end == '\0';
}

/* Bytes: "500M", "1.5G", "1048576" or a share of the machine's memory, "80%". K, M, G and T are powers of
 * 1024, with or without B or iB behind them. */
static bool read_size(const char *text, size_t *to)
{
	static const char units[] = "KMGT";
	double value = 0, place = 1, factor = 1;
	const char *unit;
	bool fraction = false, digits = false;

	for (; (*text >= '0' && *text <= '9') || (*text == '.' && !fraction); text++) {
		if (*text == '.') {
			fraction = true;
			continue;
		}
		digits = true;
		value = value * 10 + (*text - '0');
		place *= fraction ? 10 : 1;
	}
	value /= place;
	if (*text == '%') {
		factor = (double)machine_memory() / 100;
		text++;
	} else if (*text && (unit = strchr(units, *text))) {
		for (const char *u = units; u <= unit; u++)
			factor *= 1024;
		text++;
		text += strncmp(text, "iB", 2) == 0 ? 2 : *text == 'B';
	}
	value *= factor;
	if (!digits || *text || !(value >= 1 && value < 0x1p62))
		return false;
	*to = (size_t)value;
	return true;
}

static bool read_threads(const char *text, int *to)
{
	int64_t value;

	if (!read_whole(text, &value) || value < 1 || value > 64)
		return false;
	*to = (int)value;
	return true;
}

static int is_library(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return e->d_name[0] != '.' && n > 3 && strcmp(e->d_name + n - 3, ".so") == 0;
}

int load_plugins(const char *name)
{
	const char *folder = secure_getenv("AUTOGRAD_PLUGINS");
	struct dirent **found;
	char error[1024], *path;
	int status = EXIT_DONE, n;

	if (!folder || !*folder)
		return EXIT_DONE;
	n = scandir(folder, &found, is_library, alphasort);
	if (n < 0)
		return misused(name, "the variable AUTOGRAD_PLUGINS names '%s', which is no folder of plugins: %s",
		               folder, strerror(errno));
	for (int k = 0; k < n; k++) {
		path = join_path(folder, found[k]->d_name);
		if (!path)
			status = failed(name, "out of memory");
		else if (status == EXIT_DONE && !ad_load_plugin(path, error, sizeof error))
			status = misused(name, "%s (it is in the folder that the variable AUTOGRAD_PLUGINS names)",
			                 error);
		free(path);
		free(found[k]);
	}
	free(found);
	return status;
}

/* The position of word in a list of words separated by single spaces; -1: none. */
static int position_of(const char *word, const char *list)
{
	size_t length = strlen(word);

	for (int k = 0; *list; k++) {
		size_t n = strcspn(list, " ");

		if (n == length && memcmp(list, word, n) == 0)
			return k;
		list += n;
		list += *list == ' ';
	}
	return -1;
}

/* Stores an option's value; returns EXIT_DONE or, after a message, EXIT_USAGE. */
static int take(const struct command *c, const struct option *o, const char *value, char *options)
{
	void *to = options + o->offset;
	char error[1024];
	size_t bytes;
	int threads;

	switch (o->kind) {
	case OPTION_SWITCH:
		*(bool *)to = true;
		return EXIT_DONE;
	case OPTION_TEXT:
		*(const char **)to = value;
		return EXIT_DONE;
	case OPTION_TEXTS: {
		struct texts *list = to;

		list->v[list->n++] = value;
		return EXIT_DONE;
	}
	case OPTION_WHOLE:
		if (!read_whole(value, to))
			return misused(c->name, "--%s wants a whole number, 0 or more, not '%s'",
			               o->name, value);
		return EXIT_DONE;
	case OPTION_THREADS:
		if (!read_threads(value, &threads))
			return misused(c->name, "--%s wants a whole number from 1 to 64, not '%s'", o->name,
			               value);
		ad_set_threads(threads);
		return EXIT_DONE;
	case OPTION_MEMORY:
		if (!read_size(value, &bytes))
			return misused(c->name, "--%s wants a size such as 500M, 4G or 80%%, not '%s'",
			               o->name, value);
		limit_memory(bytes);
		return EXIT_DONE;
	case OPTION_PLUGIN:
		if (!ad_load_plugin(value, error, sizeof error))
			return misused(c->name, "%s", error);
		return EXIT_DONE;
	case OPTION_CHOICE: {
		int k = position_of(value, o->value);

		if (k < 0)
			return misused(c->name, "--%s is one of: %s; not '%s'", o->name, o->value,
			               value);
		*(int *)to = k;
		return EXIT_DONE;
	}
	}
	return EXIT_DONE;
}

struct reading {
	const struct command *c;
	char *options;
	const char **args;
	int n_args;
	bool help;
	int n, at; /* words, and the one being read */
	char *const *words;
	struct texts *set;   /* of the option --set; NULL: the command has none */
	size_t n_params;     /* of these overrides: "--lr 3e-4", short for "--set params.lr=3e-4" */
	struct param_option {
		char *name, *text;
	} *params;
};

/* A value standing in the next word. A word that looks like an option is not taken: it is more
 * likely that the value was forgotten. */
static const char *next_value(struct reading *r)
{
	if (r->at + 1 >= r->n)
		return NULL;
	if (r->words[r->at + 1][0] == '-' && r->words[r->at + 1][1] == '-')
		return NULL;
	return r->words[++r->at];
}

static int no_value(const struct command *c, const struct option *o)
{
	if (o->kind == OPTION_CHOICE)
		return misused(c->name, "--%s needs one of: %s", o->name, o->value);
	return misused(c->name, "--%s needs a value: --%s %s", o->name, o->name, o->value);
}

/* Takes what may be a param of the file, which check_params looks at when the file is known. */
static int read_param(struct reading *r, const char *word, size_t length, const char *value)
{
	struct param_option *p = &r->params[r->n_params];

	p->name = strndup(word, length);
	if (!p->name)
		return failed(r->c->name, "out of memory");
	r->n_params++;
	if (!value && r->set)
		value = next_value(r);
	if (!r->set)
		return unknown_option(r->c, p->name, NULL);
	if (!value)
		return EXIT_DONE;
	if (asprintf(&p->text, "params.%s=%s", p->name, value) < 0) {
		p->text = NULL;
		return failed(r->c->name, "out of memory");
	}
	r->set->v[r->set->n++] = p->text;
	return EXIT_DONE;
}

/* Whether the file has all params that were given as options, and they their values. That it cannot be read the
 * command will say. */
static int check_params(const struct reading *r)
{
	const struct texts none = { 0, NULL };
	ad_model *m = r->n_params > 0 && r->n_args > 0 ? open_silently(r->args[0], &none) : NULL;
	const bool unreadable = m && !model_key(m, NULL);
	const struct yaml *params = params_of(m);
	int status = EXIT_DONE;

	for (size_t k = 0; k < r->n_params && status == EXIT_DONE; k++) {
		const char *name = r->params[k].name;
		const struct option as = { .name = name, .kind = OPTION_TEXT, .value = param_option.value };

		if (params && yaml_get(params, name))
			status = r->params[k].text ? EXIT_DONE : no_value(r->c, &as);
		else if (!unreadable || nearest_option(r->c, name, NULL))
			status = unknown_option(r->c, name, params);
	}
	ad_model_close(m);
	return status;
}

static int read_long(struct reading *r, const char *word)
{
	size_t length = strcspn(word, "=");
	const struct option *o = find_option(r->c, word, length);
	const char *value = word[length] == '=' ? word + length + 1 : NULL;

	if (!o)
		return read_param(r, word, length, value);
	if (o == HELP_OPTION) {
		r->help = true;
		return EXIT_DONE;
	}
	if (o->kind == OPTION_SWITCH && value)
		return misused(r->c->name, "--%s takes no value", o->name);
	if (o->kind != OPTION_SWITCH && !value)
		value = next_value(r);
	if (o->kind != OPTION_SWITCH && !value)
		return no_value(r->c, o);
	return take(r->c, o, value, r->options);
}

static int read_letters(struct reading *r, const char *word)
{
	for (; *word; word++) {
		const struct option *o = find_letter(r->c, *word);
		const char *value = NULL;
		int status;

		if (!o)
			return misused(r->c->name, "there is no option '-%s'", word);
		if (o == HELP_OPTION) {
			r->help = true;
			continue;
		}
		if (o->kind != OPTION_SWITCH) {
			value = word[1] ? word + 1 : next_value(r);
			if (!value)
				return no_value(r->c, o);
		}
		status = take(r->c, o, value, r->options);
		if (status || value)
			return status;
	}
	return EXIT_DONE;
}

static int read_words(struct reading *r)
{
	bool only_args = false;
	int status = EXIT_DONE;

	for (r->at = 0; r->at < r->n && status == EXIT_DONE; r->at++) {
		const char *word = r->words[r->at];

		if (only_args || word[0] != '-' || !word[1])
			r->args[r->n_args++] = word;
		else if (word[1] == '-' && !word[2])
			only_args = true;
		else if (word[1] == '-')
			status = read_long(r, word + 2);
		else
			status = read_letters(r, word + 1);
	}
	return status;
}

static int check_complete(const struct reading *r)
{
	const struct command *c = r->c;

	if (r->n_args < c->least)
		return misused(c->name, "%s is missing: autograd %s %s", c->arguments, c->name,
		               c->arguments);
	if (c->most >= 0 && r->n_args > c->most)
		return misused(c->name, "'%s' is one argument too many", r->args[c->most]);
	for (const struct option *o = c->options; o && o->name; o++)
		if (o->required && !*(const char **)(void *)(r->options + o->offset))
			return no_value(c, o);
	return EXIT_DONE;
}

int command_run(const struct command *c, int n, char *const words[])
{
	struct reading r = { .c = c, .n = n, .words = words };
	size_t lists = 0, used = 0, room = (size_t)n + 1;
	const char **list, *threads = getenv("AUTOGRAD_THREADS");
	int status = EXIT_DONE, number;

	if (threads && *threads && !read_threads(threads, &number))
		return misused(c->name, "the variable AUTOGRAD_THREADS is '%s'; it is a whole number from 1 "
		               "to 64", threads);
	for (const struct option *o = c->options; o && o->name; o++)
		lists += o->kind == OPTION_TEXTS;
	r.options = calloc(1, c->options_size + 1);
	r.args = calloc(room, sizeof *r.args);
	r.params = calloc(room, sizeof *r.params);
	list = calloc(room * (lists + 1), sizeof *list);
	if (!r.options || !r.args || !r.params || !list) {
		status = failed(c->name, "out of memory");
		goto out;
	}
	for (const struct option *o = c->options; o && o->name; o++) {
		if (o->kind == OPTION_TEXTS) {
			struct texts *texts = (struct texts *)(void *)(r.options + o->offset);

			texts->v = list + room * used++;
			if (strcmp(o->name, "set") == 0)
				r.set = texts;
		} else if (o->def && !*o->def && o->kind == OPTION_CHOICE)
			*(int *)(void *)(r.options + o->offset) = -1;
		else if (o->def && !*o->def && o->kind == OPTION_WHOLE)
			*(int64_t *)(void *)(r.options + o->offset) = -1;
		else if (o->def && status == EXIT_DONE)
			status = take(c, o, o->def, r.options);
	}
	if (status == EXIT_DONE)
		status = read_words(&r);
	if (status == EXIT_DONE && r.help) {
		command_help(c, stdout);
	} else if (status == EXIT_DONE) {
		if (!c->bare)
			status = load_plugins(c->name);
		if (status == EXIT_DONE)
			status = check_params(&r);
		if (status == EXIT_DONE)
			status = check_complete(&r);
		if (status == EXIT_DONE)
			status = c->run(r.options, r.n_args, r.args);
	}
out:
	for (size_t k = 0; k < r.n_params; k++) {
		free(r.params[k].name);
		free(r.params[k].text);
	}
	free(r.params);
	free(r.options);
	free(r.args);
	free(list);
	return status;
}
