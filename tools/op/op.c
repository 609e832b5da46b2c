/*
 * op: ops of one's own: a file to begin with, a plugin made from files, a check on samples.
 */
#include "command.h"
#include "file.h"
#include "op_text.h"
#include "plugin.h"

#include <dirent.h>
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* The files that are in the command, by their lines. */
extern const char *const template_elementwise[], *const template_array[], *const template_composition[];
extern const char *const kit_autograd[], *const kit_autograd_ops[], *const kit_op[], *const kit_op_math[],
    *const kit_plugin[], *const kit_tables[], *const kit_build[], *const kit_flags[];

static const struct {
	const char *name;
	const char *const *lines;
} kit[] = {
	{ "autograd.h", kit_autograd }, { "autograd_ops.h", kit_autograd_ops }, { "op.h", kit_op },
	{ "op_math.h", kit_op_math },   { "plugin.h", kit_plugin },             { "tables.sh", kit_tables },
	{ "build.sh", kit_build },      { "flags.sh", kit_flags },
};

struct op_options {
	int like;
	const char *output;
};

static const struct option options[] = {
	{ "like", 0, OPTION_CHOICE, "elementwise array composition", NULL, false, offsetof(struct op_options, like),
	  "what new writes: one number from one number; kernels for whole arrays; other ops put together" },
	{ "output", 'o', OPTION_TEXT, "PLUGIN", NULL, false, offsetof(struct op_options, output),
	  "what build writes; libNAME.so by the first file if not given" },
	{ 0 },
};

/* ---- new ----------------------------------------------------------------------------------------- */

static bool is_free_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
	/* values in YAML, macros in C */
	static const char *const taken[] = { "true", "false", "null", "bool", "unix", "linux" };

	for (size_t k = 0; k < sizeof taken / sizeof *taken; k++)
		if (strcmp(name, taken[k]) == 0) {
			misused("op", "'%s' means something else in YAML or in C: name the op otherwise", name);
			return false;
		}
	if (*name < 'a' || *name > 'z' || name[strspn(name, allowed)] || strlen(name) > 64) {
		misused("op", "'%s' is no name for an op: a small letter, then small letters, digits and '_'", name);
		return false;
	}
	if (ad_op_find(name)) {
		misused("op", "there is an op '%s' already: 'autograd ops %s' describes it", name, name);
		return false;
	}
	return true;
}

/* The lines with the op's name in the places of NAME, as bytes from malloc. */
static char *named(const char *const lines[], const char *name)
{
	char *text = NULL;
	size_t length;
	FILE *to = open_memstream(&text, &length);

	if (!to)
		return NULL;
	for (; *lines; lines++) {
		const char *rest = *lines, *at;

		for (; (at = strstr(rest, "NAME")); rest = at + 4)
			fprintf(to, "%.*s%s", (int)(at - rest), rest, name);
		fputs(rest, to);
	}
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}

static int new_op(const struct op_options *o, const char *given)
{
	static const char *const *const templates[] = { template_elementwise, template_array, template_composition };
	char *name = strdup(given), *path = NULL, *text = NULL, error[512] = "out of memory";
	size_t length = strlen(given);
	int status = EXIT_USAGE;

	if (name && length > 2 && strcmp(name + length - 2, ".c") == 0)
		name[length - 2] = '\0';
	if (name && is_free_name(name)) {
		status = EXIT_FAILED;
		if (asprintf(&path, "%s.c", name) < 0)
			path = NULL;
		text = path ? named(templates[o->like], name) : NULL;
		if (text && access(path, F_OK) == 0)
			status = misused("op", "there is a '%s' already", path);
		else if (text && save_text(path, text, strlen(text), error, sizeof error)) {
			printf("%s\n", path);
			fprintf(stderr, "next: autograd op build %s\n", path);
			status = EXIT_DONE;
		} else
			failed("op", "%s", error);
	}
	free(name);
	free(path);
	free(text);
	return status;
}

/* ---- check --------------------------------------------------------------------------------------- */

/* Does this in a process of its own, which the code of an op may take down. Returns how it exits, or 128 and more where a
 * signal ended it; -1: it could not be started, or is lost, and a message was printed. */
static int apart(int (*work)(const void *of), const void *of)
{
	int status = 0;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0) {
		status = work(of);
		_exit(fflush(stdout) == 0 ? status : EXIT_FAILED);
	}
	while (child >= 0 && waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			child = -1;
	if (child < 0)
		return failed("op", "the check needs a process of its own: %s", strerror(errno)), -1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int try_samples(const void *op)
{
	static char text[16384];
	bool right = ad_op_check(op, text, sizeof text);

	printf("%s\n", text);
	return right ? EXIT_DONE : EXIT_FAILED;
}

static bool check_op(const ad_op *op)
{
	int status = apart(try_samples, op);

	if (status > 128)
		printf("%s: the check ended by signal %d (%s): a kernel reads or writes outside its arrays, or one that is "
		       "NULL because it is absent, unwanted or not declared in .reads\n",
		       ad_op_name(op), status - 128, strsignal(status - 128));
	return status == EXIT_DONE;
}

/* Checks the ops of a plugin, or all where it is NULL. */
static int check_ops(const char *plugin)
{
	size_t n = 0, wrong = 0;

	for (size_t k = 0; k < ad_ops(); k++) {
		const char *from = ad_op_plugin(ad_op_at(k));

		if (plugin && (!from || strcmp(from, plugin) != 0))
			continue;
		n++;
		wrong += !check_op(ad_op_at(k));
	}
	if (wrong)
		return failed("op", "%zu of %zu ops %s wrong", wrong, n, wrong == 1 ? "is" : "are");
	return EXIT_DONE;
}

/* The plugin of that path was refused; the sentence begins with it, and the reader knows it as `name`. */
static void say_refused(const char *sentence, const char *path, const char *name)
{
	size_t n = strlen(path);

	if (strncmp(sentence, path, n) == 0)
		failed("op", "%s%s", name, sentence + n);
	else
		failed("op", "%s", sentence);
}

/* Loads a plugin; its path as it is known from then on, from malloc. NULL: a message was printed, of `name`. */
static char *loaded(const char *path, const char *name)
{
	char error[1024], *real = NULL;

	if (!ad_load_plugin(path, error, sizeof error))
		say_refused(error, path, name);
	else if (!(real = realpath(path, NULL)))
		failed("op", "%s: %s", path, strerror(errno));
	return real;
}

static int unknown_op(const char *name)
{
	const char **names = calloc(ad_ops() + 1, sizeof *names), *near;

	if (!names)
		return failed("op", "out of memory");
	for (size_t k = 0; k < ad_ops(); k++)
		names[k] = ad_op_name(ad_op_at(k));
	near = nearest(name, ad_ops(), names);
	free(names);
	if (near)
		return misused("op", "no op is named '%s'; did you mean '%s'?", name, near);
	return misused("op", "no op is named '%s'; 'autograd ops' lists what there is", name);
}

static bool ends_in(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

/* An op by its name, or all of a plugin by its path. */
static int check_named(const char *name)
{
	char *plugin;
	int status = EXIT_USAGE;

	if (ends_in(name, ".c"))
		return misused("op", "'%s' is to be built first: autograd op build %s", name, name);
	if (!strchr(name, '/') && !ends_in(name, ".so"))
		return ad_op_find(name) ? (check_op(ad_op_find(name)) ? EXIT_DONE : EXIT_FAILED) : unknown_op(name);
	plugin = loaded(name, name);
	if (plugin)
		status = check_ops(plugin);
	free(plugin);
	return status;
}

static int check(int n, const char *const names[])
{
	int status = load_plugins("op");

	if (n == 0 && status == EXIT_DONE)
		return check_ops(NULL);
	for (int k = 0; k < n; k++) {
		int one = check_named(names[k]);

		status = one > status ? one : status;
	}
	return status;
}

/* ---- build --------------------------------------------------------------------------------------- */

static bool write_lines(const char *folder, const char *name, const char *const lines[])
{
	char *path = join_path(folder, name);
	FILE *to = path ? fopen(path, "we") : NULL;
	bool good = to != NULL;

	for (; good && *lines; lines++)
		good = fputs(*lines, to) >= 0;
	if (to && fclose(to) != 0)
		good = false;
	free(path);
	return good;
}

/* A folder for this build alone, with what build.sh needs; from malloc. NULL: a message was printed. */
static char *make_kit(void)
{
	const char *where = getenv("TMPDIR");
	char *folder = NULL;
	bool good;

	if (asprintf(&folder, "%s/autograd-op-XXXXXX", where && *where ? where : "/tmp") < 0) {
		failed("op", "out of memory");
		return NULL;
	}
	if (!mkdtemp(folder)) {
		failed("op", "cannot make the folder '%s': %s; the variable TMPDIR says where it is to be", folder,
		       strerror(errno));
		free(folder);
		return NULL;
	}
	good = true;
	for (size_t k = 0; good && k < sizeof kit / sizeof *kit; k++)
		good = write_lines(folder, kit[k].name, kit[k].lines);
	if (!good)
		failed("op", "cannot write into '%s': %s", folder, strerror(errno));
	return folder;
}

static void remove_kit(char *folder)
{
	DIR *d = folder ? opendir(folder) : NULL;
	const struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
	if (folder)
		rmdir(folder);
	free(folder);
}

/* Runs build.sh: what the compiler says goes to standard error. */
static bool run_build(const char *folder, const char *plugin, int n, const char *const files[])
{
	char *script = join_path(folder, "build.sh");
	/* posix_spawn takes char *const[] but writes to none of it */
	union {
		const char **read;
		char **take;
	} words = { .read = calloc((size_t)n + 5, sizeof *words.read) };
	int status = -1, reason = ENOMEM;
	pid_t child;

	if (script && words.read) {
		words.read[0] = "sh";
		words.read[1] = script;
		words.read[2] = folder;
		words.read[3] = plugin;
		memcpy(words.read + 4, files, (size_t)n * sizeof *files);
		fflush(NULL);
		reason = posix_spawnp(&child, "sh", NULL, NULL, words.take, environ);
		while (reason == 0 && waitpid(child, &status, 0) < 0)
			reason = errno == EINTR ? 0 : errno;
	}
	if (reason)
		failed("op", "the compiler cannot be started: %s", strerror(reason));
	free(script);
	free(words.read);
	return reason == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool are_sources(int n, const char *const files[])
{
	for (int k = 0; k < n; k++) {
		if (!ends_in(files[k], ".c")) {
			misused("op", "'%s' is no file of an op: its name ends in .c", files[k]);
			return false;
		}
		if (access(files[k], R_OK) != 0 || is_folder(files[k])) {
			misused("op", "'%s' cannot be read: %s", files[k],
			        is_folder(files[k]) ? "it is a folder" : strerror(errno));
			return false;
		}
	}
	return true;
}

/* ./libswish.so for ops/swish.c. */
static char *plugin_for(const char *file)
{
	const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
	char *path;

	return asprintf(&path, "./lib%.*s.so", (int)strlen(name) - 2, name) < 0 ? NULL : path;
}

/* Said before the compiler has worked for nothing. */
static bool can_write(const char *path)
{
	char *folder = strndup(path, (size_t)(strrchr(path, '/') - path) + 1);
	bool good = folder && access(folder, W_OK) == 0;

	if (is_folder(path))
		misused("op", "'%s' is a folder; -o names the file", path);
	else if (!good)
		misused("op", "'%s' cannot be written: its folder: %s", path, strerror(errno));
	free(folder);
	return good && !is_folder(path);
}

/* What the compiler has made, and what it is to be. */
struct made {
	const char *file, *path;
};

/* The plugin comes to its place when it could be loaded. */
static int finish(const void *of)
{
	const struct made *m = of;
	char error[1024], *plugin = NULL;
	int status = EXIT_USAGE;

	if (plugin_seal(m->file, error, sizeof error))
		plugin = loaded(m->file, m->path);
	else
		say_refused(error, m->file, m->path);
	if (plugin && rename(m->file, m->path) != 0)
		status = failed("op", "cannot write '%s': %s", m->path, strerror(errno));
	else if (plugin) {
		status = check_ops(plugin);
		fprintf(stderr, status == EXIT_DONE ? "next: autograd check FILE --plugin %s\n"
		                                    : "%s is written nevertheless\n", m->path);
	}
	free(plugin);
	return status;
}

static int build(const struct op_options *o, int n, const char *const files[])
{
	char *path = NULL, *made = NULL, *folder = NULL;
	int status = EXIT_FAILED;

	if (n == 0)
		return misused("op", "the files of the ops are missing: autograd op build FILE.c...");
	if (!are_sources(n, files))
		return EXIT_USAGE;
	path = !o->output ? plugin_for(files[0]) : strchr(o->output, '/') ? strdup(o->output) : join_path(".", o->output);
	if (!path || asprintf(&made, "%s.%ld.tmp", path, (long)getpid()) < 0)
		made = NULL;
	if (!made) {
		failed("op", "out of memory");
	} else if (!can_write(path)) {
		status = EXIT_USAGE;
	} else if ((folder = make_kit())) {
		if (run_build(folder, made, n, files)) {
			status = apart(finish, &(struct made){ made, path });
			if (status < 0 || status > 128)
				status = failed("op", "'%s' is not made: loading it ends the process", path);
		} else {
			failed("op", "'%s' is not made, for the reason above", path);
			status = EXIT_USAGE;
		}
		unlink(made);
	}
	remove_kit(folder);
	free(path);
	free(made);
	return status;
}

/* ---- the command --------------------------------------------------------------------------------- */

static int run(const void *given, int n, const char *const args[])
{
	static const char *const actions[] = { "new", "build", "check" };
	const struct op_options *o = given;
	const char *near;

	if (strcmp(args[0], "new") == 0 && n == 2)
		return new_op(o, args[1]);
	if (strcmp(args[0], "new") == 0)
		return misused("op", "one name is wanted: autograd op new NAME");
	if (strcmp(args[0], "build") == 0)
		return build(o, n - 1, args + 1);
	if (strcmp(args[0], "check") == 0)
		return check(n - 1, args + 1);
	near = nearest(args[0], 3, actions);
	return near ? misused("op", "there is no 'op %s'; did you mean 'op %s'?", args[0], near)
	            : misused("op", "there is no 'op %s': it is new, build or check", args[0]);
}

const struct command command_op = {
	.name = "op",
	.arguments = "ACTION [NAME]...",
	.least = 1,
	.most = -1,
	.doc = "writes, builds and checks ops of your own",
	.details =
	    "ACTION is one of these:\n"
	    "  autograd op new swish             writes swish.c, an op that works, to be changed\n"
	    "  autograd op build swish.c         makes the plugin libswish.so of it, and checks it\n"
	    "  autograd op check ./libswish.so   checks the ops of a plugin on their samples: values, gradients, errors\n"
	    "  autograd op check sigmoid         the op of that name; without a name all\n\n"
	    "A plugin is loaded by --plugin ./libswish.so, which every command takes; those in the folder that the "
	    "variable AUTOGRAD_PLUGINS names are always loaded. A model's file says which it needs, plugins: [swish], but "
	    "not where they lie.\n\n"
	    "build runs the C compiler ($CC, else cc; $CFLAGS and $LDLIBS are added). A plugin belongs to one version "
	    "of autograd.",
	.options = options,
	.options_size = sizeof(struct op_options),
	.bare = true, /* a plugin there may be the one to be built anew */
	.run = run,
};
