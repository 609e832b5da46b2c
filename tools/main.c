/*
 * main: the command `autograd`: finds the subcommand and runs it.
 */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static const struct command *const commands[] = {
	&command_new,    &command_check,  &command_show,      &command_config, &command_explain,
	&command_eval,   &command_gradcheck, &command_train,  &command_lr,     &command_sweep,
	&command_test,   &command_predict, &command_sample,   &command_doctor, &command_draw,
	&command_plot,   &command_report, &command_diff,      &command_schema, &command_ops,
	&command_op,
};
#define N_COMMANDS (sizeof commands / sizeof *commands)

static void help(FILE *to)
{
	int width = terminal_width(to, 100);

	fprintf(to, "usage: autograd COMMAND [arguments]\n\n"
	            "Models declared in YAML: checked, differentiated, trained, drawn.\n\n");
	for (size_t k = 0; k < N_COMMANDS; k++) {
		const struct command *c = commands[k];
		int column = fprintf(to, "  %s %s", c->name, c->arguments);

		fprintf(to, "%*s", column < 27 ? 27 - column : 1, "");
		print_wrapped(to, c->doc, 27, 27, width < 100 ? width : 100);
	}
	fprintf(
	    to,
	    "\nautograd COMMAND --help   the options of a command\n"
	    "autograd --version        version and build\n\n"
	    "Results go to standard output, everything else to standard error. Exit status:\n"
	    "0 done, 1 failed at run time, 2 wrong usage or model file, 3 the training diverged,\n"
	    "130, 143 or 75 stopped by a signal with all saved that --resume needs.\n");
}

static int version(void)
{
	ad_graph *g = ad_open();

	printf("autograd %s\nreals: f32, f64\ninstructions: %s\nbf16: %s\nthreads: %d\nops: %zu\n",
	       AD_VERSION, ad_instructions(g), ad_bf16_missing(g) ? "no" : "yes", ad_threads(), ad_ops());
	ad_close(g);
	return EXIT_DONE;
}

static const struct command *find(const char *name)
{
	for (size_t k = 0; k < N_COMMANDS; k++)
		if (strcmp(commands[k]->name, name) == 0)
			return commands[k];
	return NULL;
}

static int unknown(const char *name)
{
	const char *names[N_COMMANDS], *near;

	for (size_t k = 0; k < N_COMMANDS; k++)
		names[k] = commands[k]->name;
	near = nearest(name, N_COMMANDS, names);
	if (near)
		return misused(NULL, "there is no command '%s'; did you mean '%s'?", name, near);
	if (access(name, F_OK) == 0)
		return misused(NULL, "there is no command '%s'; for the file: autograd check %s",
		               name, name);
	if (name[0] == '-')
		return misused(NULL, "there is no option '%s' before the command", name);
	return misused(NULL, "there is no command '%s'", name);
}

static int run(int n, char *const words[])
{
	const struct command *c;

	if (n < 2) {
		help(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(words[1], "--version") == 0 || strcmp(words[1], "version") == 0)
		return version();
	if (strcmp(words[1], "--help") == 0 || strcmp(words[1], "-h") == 0 ||
	    strcmp(words[1], "help") == 0) {
		if (n == 2) {
			help(stdout);
			return EXIT_DONE;
		}
		c = find(words[2]);
		if (!c)
			return unknown(words[2]);
		command_help(c, stdout);
		return EXIT_DONE;
	}
	c = find(words[1]);
	return c ? command_run(c, n - 2, words + 2) : unknown(words[1]);
}

/* The standard streams exist, so that no file opened later becomes one of them: writing to a closed
 * one fails rather than damaging that file. */
static void open_standard_streams(void)
{
	for (int k = 0; k < 3; k++) {
		if (fcntl(k, F_GETFD) < 0 && errno == EBADF)
			(void)!open("/dev/null", k == 0 ? O_WRONLY : O_RDONLY);
	}
}

/* Results that did not arrive are a failure; a reader that went away needs no message. */
static int close_results(int status)
{
	struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };
	bool reader_gone = poll(&out, 1, 0) == 1 && (out.revents & POLLERR);
	bool had_failed = ferror(stdout);
	int reason;

	errno = 0;
	if (fflush(stdout) == 0 && !had_failed && fclose(stdout) == 0)
		return status;
	/* what was lost is lost; one byte more tells why */
	if (errno == 0 && write(STDOUT_FILENO, "\n", 1) == 1)
		errno = 0;
	reason = errno;
	if (!reader_gone && reason != EPIPE)
		failed(NULL, "cannot write the results%s%s", reason ? ": " : "",
		       reason ? strerror(reason) : "");
	return status == EXIT_DONE ? EXIT_FAILED : status;
}

int main(int n, char *words[])
{
	open_standard_streams();
	signal(SIGPIPE, SIG_IGN);
	return close_results(run(n, words));
}
