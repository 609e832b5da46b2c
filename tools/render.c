/*
 * render: runs dot and gnuplot as child processes and makes their output a file.
 */
#include "render.h"
#include "svg.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#define DOT_SECONDS 30
#define FIRST_SHARE 0.6 /* of them for the usual layout, the rest for a coarser one after it */
#define GNUPLOT_SECONDS 30
#define FOREVER 1e9    /* seconds */
#define LONGEST_WAIT 60 /* seconds of one call of poll, which takes an int of milliseconds */
#define MAX_ARGUMENTS 32
#define STACK_BYTES ((rlim_t)1 << 30) /* a child may take */
#define SAID 2048 /* bytes kept of what a child writes to its standard error */

static const struct program dot_program = { "dot", "AUTOGRAD_DOT", "graphviz" };
static const struct program gnuplot_program = { "gnuplot", "AUTOGRAD_GNUPLOT", "gnuplot-nox" };

static bool fail(char *error, size_t n, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool fail(char *error, size_t n, const char *format, ...)
{
	va_list args;

	if (n > 0) {
		va_start(args, format);
		vsnprintf(error, n, format, args);
		va_end(args);
	}
	return false;
}

enum picture picture_of(const char *path)
{
	const char *name = strrchr(path, '/'), *dot;

	name = name ? name + 1 : path;
	dot = strrchr(name, '.');
	if (!dot || dot == name)
		return PICTURE_NONE;
	if (!strcasecmp(dot, ".dot") || !strcasecmp(dot, ".gv"))
		return PICTURE_DOT;
	if (!strcasecmp(dot, ".svg"))
		return PICTURE_SVG;
	if (!strcasecmp(dot, ".png"))
		return PICTURE_PNG;
	if (!strcasecmp(dot, ".pdf"))
		return PICTURE_PDF;
	if (!strcasecmp(dot, ".json"))
		return PICTURE_JSON;
	if (!strcasecmp(dot, ".txt"))
		return PICTURE_TEXT;
	return PICTURE_NONE;
}

/* ---- a file that appears whole or not at all ----------------------------------------------- */

struct draft {
	const char *path;
	char *temporary; /* in the same folder, so that rename is one step */
	int fd;
};

static bool draft_open(struct draft *d, const char *path, char *error, size_t n)
{
	static atomic_uint count;
	size_t size = strlen(path) + 64;
	struct stat there;

	d->path = path;
	d->fd = -1;
	d->temporary = NULL;
	/* rename would put a file in the place of a device or a pipe. */
	if (stat(path, &there) == 0 && !S_ISREG(there.st_mode))
		return fail(error, n, "cannot write '%s': it is there and is no regular file",
		            path);
	d->temporary = malloc(size);
	if (!d->temporary)
		return fail(error, n, "cannot write '%s': out of memory", path);
	snprintf(d->temporary, size, "%s.%ld-%u.tmp", path, (long)getpid(),
	         atomic_fetch_add(&count, 1));
	d->fd = open(d->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (d->fd < 0) {
		fail(error, n, "cannot write '%s': %s", path, strerror(errno));
		free(d->temporary);
		d->temporary = NULL;
		return false;
	}
	return true;
}

static void draft_drop(struct draft *d)
{
	if (d->fd >= 0)
		close(d->fd);
	if (d->temporary)
		unlink(d->temporary);
	free(d->temporary);
	d->fd = -1;
	d->temporary = NULL;
}

static bool draft_finish(struct draft *d, char *error, size_t n)
{
	bool good = fsync(d->fd) == 0 || errno == EINVAL || errno == ENOTSUP;

	if (close(d->fd) != 0)
		good = false;
	d->fd = -1;
	if (good)
		good = rename(d->temporary, d->path) == 0;
	if (!good)
		fail(error, n, "cannot write '%s': %s", d->path, strerror(errno));
	else {
		free(d->temporary);
		d->temporary = NULL;
	}
	draft_drop(d);
	return good;
}

static bool write_all(int fd, const char *text, size_t size)
{
	while (size > 0) {
		ssize_t done = write(fd, text, size);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		text += done;
		size -= (size_t)done;
	}
	return true;
}

/* ---- the child ----------------------------------------------------------------------------- */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A file without a name that holds the text: a pipe could block both sides, and of a file without a name
 * nothing is left where this process is ended meanwhile. */
static int nameless_file(const char *text, size_t size)
{
	FILE *f = tmpfile();
	int fd = -1;

	if (!f)
		return -1;
	if (write_all(fileno(f), text, size) && lseek(fileno(f), 0, SEEK_SET) == 0)
		fd = fcntl(fileno(f), F_DUPFD_CLOEXEC, 3);
	fclose(f);
	return fd;
}

/* In the child, after fork: only calls that are safe there. Does not return. */
static void become(const char *file, char *const argv[], int in, int out, int said, int failure,
                   pid_t parent)
{
	struct rlimit stack;
	sigset_t none;
	int reason;

	/* dot follows chains of nodes by recursion. */
	if (getrlimit(RLIMIT_STACK, &stack) == 0) {
		stack.rlim_cur = stack.rlim_max < STACK_BYTES ? stack.rlim_max : STACK_BYTES;
		setrlimit(RLIMIT_STACK, &stack);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	setpgid(0, 0);
#ifdef __linux__
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
#endif
	if (dup2(in, 0) >= 0 && dup2(out, 1) >= 0 && dup2(said, 2) >= 0)
		execvp(file, argv);
	reason = errno;
	(void)!write(failure, &reason, sizeof reason);
	_exit(127);
}

/* Reads what the child says until it closes its end or the time is over. */
static void listen_to(int fd, double deadline, char said[SAID])
{
	size_t n = 0;

	for (;;) {
		double left = deadline - now();
		struct pollfd p = { .fd = fd, .events = POLLIN };
		char more[1024];
		ssize_t got;

		if (left <= 0)
			break;
		if (poll(&p, 1, (int)((left < LONGEST_WAIT ? left : LONGEST_WAIT) * 1000) + 1) <= 0)
			continue;
		got = read(fd, more, sizeof more);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		for (ssize_t k = 0; k < got && n + 1 < SAID; k++)
			said[n++] = more[k];
	}
	said[n] = 0;
}

/* Waits for the end of the child until the deadline, then ends it. Returns its status. */
static int wait_for(pid_t child, double deadline, bool *late)
{
	const struct timespec pause = { 0, 2000000 };
	int status = 0;

	*late = false;
	for (;;) {
		pid_t done = waitpid(child, &status, WNOHANG);

		if (done == child)
			break;
		if (done < 0 && errno != EINTR)
			return -1;
		if (done == 0 && now() >= deadline) {
			*late = true;
			kill(-child, SIGKILL);
			kill(child, SIGKILL);
			while (waitpid(child, &status, 0) < 0 && errno == EINTR)
				;
			break;
		}
		nanosleep(&pause, NULL);
	}
	/* What a wrapper script left running. */
	kill(-child, SIGKILL);
	return status;
}

/* The child's complaint as one line of printable characters, at most 300 bytes of it. */
static void tidy(char said[SAID])
{
	size_t n = 0;

	for (size_t k = 0; said[k] && n < 300; k++) {
		unsigned char c = (unsigned char)said[k];

		if (c == '\n' || c == '\t' || c == '\r')
			c = ' ';
		if (c < ' ' || c == 127 || (c == ' ' && (n == 0 || said[n - 1] == ' ')))
			continue;
		said[n++] = (char)c;
	}
	/* Not in the middle of a character. */
	if (n >= 300)
		while (n > 0 && ((unsigned char)said[n - 1] & 0x80))
			n--;
	while (n > 0 && said[n - 1] == ' ')
		n--;
	said[n] = 0;
}

/* How the child ended, told apart where trying again in another way may help. */
enum ending { ENDED_WELL, ENDED_LATE, ENDED_BY_SIGNAL, ENDED_BADLY };

static bool run_child(const struct program *program, const char *const arguments[], int in, int out,
                      double seconds, enum ending *ending, char *error, size_t n)
{
	const char *chosen = getenv(program->variable), *file;
	int said_pipe[2] = { -1, -1 }, failure_pipe[2] = { -1, -1 };
	char *argv[MAX_ARGUMENTS + 2], said[SAID];
	int status, reason = 0, count = 0;
	bool late, good = false;
	double deadline = now() + seconds;
	pid_t parent = getpid(), child;

	file = chosen && *chosen ? chosen : program->name;
	/* execvp takes char *const[] but writes to none of it. */
	union {
		const char *read;
		char *take;
	} word = { .read = file };
	argv[count++] = word.take;
	for (int k = 0; arguments[k] && k < MAX_ARGUMENTS; k++) {
		word.read = arguments[k];
		argv[count++] = word.take;
	}
	argv[count] = NULL;

	if (pipe2(said_pipe, O_CLOEXEC) != 0 || pipe2(failure_pipe, O_CLOEXEC) != 0) {
		fail(error, n, "%s: cannot start it: %s", program->name, strerror(errno));
		goto done;
	}
	child = fork();
	if (child < 0) {
		fail(error, n, "%s: cannot start it: %s", program->name, strerror(errno));
		goto done;
	}
	if (child == 0)
		become(file, argv, in, out, said_pipe[1], failure_pipe[1], parent);
	close(said_pipe[1]);
	close(failure_pipe[1]);
	said_pipe[1] = failure_pipe[1] = -1;

	listen_to(said_pipe[0], deadline, said);
	status = wait_for(child, deadline, &late);
	while (read(failure_pipe[0], &reason, sizeof reason) < 0 && errno == EINTR)
		;
	tidy(said);
	*ending = late                                ? ENDED_LATE
	          : status != -1 && WIFSIGNALED(status) ? ENDED_BY_SIGNAL
	                                                : ENDED_BADLY;
	if (reason == ENOENT && !(chosen && *chosen))
		fail(error, n,
		     "the program '%s' is missing: install the package '%s', or let $%s name it",
		     program->name, program->package, program->variable);
	else if (reason)
		fail(error, n, "cannot run '%s'%s%s: %s", file,
		     chosen && *chosen ? ", which is named by $" : "",
		     chosen && *chosen ? program->variable : "", strerror(reason));
	else if (late)
		fail(error, n, "%s: stopped, as it was not done after %g seconds", program->name,
		     seconds);
	else if (status == -1)
		fail(error, n, "%s: its end could not be observed: %s", program->name,
		     strerror(errno));
	else if (WIFSIGNALED(status))
		fail(error, n, "%s: ended by signal %d%s%s", program->name, WTERMSIG(status),
		     *said ? ": " : "", said);
	else if (WEXITSTATUS(status) != 0)
		fail(error, n, "%s: failed with status %d%s%s", program->name, WEXITSTATUS(status),
		     *said ? ": " : " and said nothing", said);
	else
		good = true;
	if (good)
		*ending = ENDED_WELL;
done:
	for (int k = 0; k < 2; k++) {
		if (said_pipe[k] >= 0)
			close(said_pipe[k]);
		if (failure_pipe[k] >= 0)
			close(failure_pipe[k]);
	}
	return good;
}

/* What a file without a name holds, from malloc; NULL with errno, 0 where it holds nothing. */
static char *contents(int fd, size_t *size)
{
	off_t end = lseek(fd, 0, SEEK_END);
	char *text = end > 0 ? malloc((size_t)end) : NULL;

	if (end == 0)
		errno = 0;
	for (*size = 0; text && *size < (size_t)end;) {
		ssize_t got = pread(fd, text + *size, (size_t)end - *size, (off_t)*size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			errno = got < 0 ? errno : EIO;
			free(text);
			return NULL;
		}
		*size += (size_t)got;
	}
	return text;
}

/* What the program makes of the input, from malloc; NULL with a sentence in error. */
static char *picture_by(const struct program *program, const char *const arguments[], const char *input,
                        size_t size, double seconds, size_t *length, enum ending *ending, char *error,
                        size_t n)
{
	int in = nameless_file(input, size), out = in >= 0 ? nameless_file("", 0) : -1;
	char *picture = NULL;

	*ending = ENDED_BADLY;
	if (out < 0) {
		fail(error, n, "%s: cannot keep its input and its picture in temporary files: %s", program->name,
		     strerror(errno));
	} else if (run_child(program, arguments, in, out, seconds, ending, error, n)) {
		picture = contents(out, length);
		if (!picture) {
			*ending = ENDED_BADLY;
			fail(error, n, errno ? "%s: its picture cannot be read: %s"
			                     : "%s: gave no picture, though it reported success",
			     program->name, strerror(errno));
		}
	}
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return picture;
}

static bool write_text(const char *text, size_t size, const char *path, char *error, size_t n)
{
	struct draft draft;

	if (!draft_open(&draft, path, error, n))
		return false;
	if (!write_all(draft.fd, text, size)) {
		fail(error, n, "cannot write '%s': %s", path, strerror(errno));
		draft_drop(&draft);
		return false;
	}
	return draft_finish(&draft, error, n);
}

/* Whether path can be written, which is asked before a program takes its time. */
static bool is_writable(const char *path, char *error, size_t n)
{
	struct draft draft;

	if (!draft_open(&draft, path, error, n))
		return false;
	draft_drop(&draft);
	return true;
}

bool render_child(const struct program *program, const char *const arguments[], const char *input,
                  size_t size, const char *path, double seconds, bool *timed_out, char *error,
                  size_t n)
{
	enum ending ending = ENDED_BADLY;
	size_t length = 0;
	char *picture = NULL;
	bool good;

	if (is_writable(path, error, n))
		picture = picture_by(program, arguments, input, size, seconds, &length, &ending, error, n);
	good = picture && write_text(picture, length, path, error, n);
	free(picture);
	if (timed_out)
		*timed_out = ending == ENDED_LATE;
	return good;
}

/* ---- dot and gnuplot ----------------------------------------------------------------------- */

char *render_picture(const char *text, size_t size, enum picture form, double seconds, size_t *length,
                     bool *too_large, char *error, size_t n)
{
	static const char *const forms[] = {
		[PICTURE_SVG] = "-Tsvg", [PICTURE_PNG] = "-Tpng", [PICTURE_PDF] = "-Tpdf"
	};
	double first = seconds > 0 ? FIRST_SHARE * seconds : FOREVER;
	const char *usual[] = { forms[form], NULL };
	enum ending ending;
	char *picture = picture_by(&dot_program, usual, text, size, first, length, &ending, error, n), *titled;

	if (too_large)
		*too_large = false;
	if (!picture && ending == ENDED_BADLY)
		return NULL;
	if (!picture) {
		/* Straight pieces for curves and few rounds of improvement: 20 times as fast and more. After a
		 * crash straight lines: the search for a way around boxes is what crashes. */
		const char *coarse[] = { forms[form],
			                 ending == ENDED_LATE ? "-Gsplines=polyline" : "-Gsplines=line",
			                 "-Gnslimit=0.03",
			                 "-Gnslimit1=0.03",
			                 "-Gmclimit=0.05",
			                 NULL };

		picture = picture_by(&dot_program, coarse, text, size, seconds > 0 ? seconds - first : first,
		                     length, &ending, error, n);
	}
	if (picture && form == PICTURE_SVG) {
		titled = svg_with_titles(picture, *length, length);
		free(picture);
		if (!titled)
			fail(error, n, "dot: no memory for the titles of its picture");
		return titled;
	}
	if (picture)
		return picture;
	if (too_large)
		*too_large = ending != ENDED_BADLY;
	if (ending == ENDED_LATE)
		fail(error, n,
		     "dot: stopped, as it was not done after %g seconds; write a file ending in "
		     ".dot and "
		     "lay it out without a limit: dot %s FILE.dot",
		     seconds, forms[form]);
	else if (ending == ENDED_BY_SIGNAL)
		fail(error, n,
		     "dot: crashed on this graph, which is too large for it, also with a coarse "
		     "layout; draw less of it");
	return NULL;
}

char *render_svg(const char *text, size_t size, double seconds, bool *too_large, char *error, size_t n)
{
	size_t length = 0;
	char *svg = render_picture(text, size, PICTURE_SVG, seconds, &length, too_large, error, n);
	char *element = svg ? memmem(svg, length, "<svg", 4) : NULL, *copy;

	copy = element ? strndup(element, length - (size_t)(element - svg)) : NULL;
	if (svg && !copy)
		fail(error, n, element ? "out of memory" : "dot: what it gave is no SVG");
	free(svg);
	return copy;
}

bool render_dot(const char *text, size_t size, const char *path, char *error, size_t n)
{
	return render_dot_within(text, size, path, DOT_SECONDS, NULL, error, n);
}

bool render_dot_within(const char *text, size_t size, const char *path, double seconds,
                       bool *too_large, char *error, size_t n)
{
	enum picture picture = picture_of(path);
	size_t length = 0;
	char *made;
	bool good;

	if (too_large)
		*too_large = false;
	if (picture == PICTURE_NONE)
		return fail(
		    error, n,
		    "cannot write '%s': its ending says no form; use .svg, .png, .pdf or .dot",
		    path);
	if (picture == PICTURE_DOT || picture == PICTURE_JSON || picture == PICTURE_TEXT)
		return write_text(text, size, path, error, n);
	if (!is_writable(path, error, n))
		return false;
	made = render_picture(text, size, picture, seconds, &length, too_large, error, n);
	good = made && write_text(made, length, path, error, n);
	free(made);
	return good;
}

bool render_gnuplot(const char *script, size_t size, const char *path, char *error, size_t n)
{
	static const char *const arguments[] = { "-d", "-", NULL };

	return render_child(&gnuplot_program, arguments, script, size, path, GNUPLOT_SECONDS, NULL,
	                    error, n);
}
