/*
 * live: starts `autograd report --live` beside a training.
 *
 * A page takes a moment, in which the training goes on: so its process is given one thread and a low priority
 * (report.c), and writes one page in 20 times as long as that takes, at most one in 5 seconds.
 */
#include "live.h"
#include "autograd.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LEAST 5.0  /* seconds from one page to the next */
#define SHARE 20.0 /* of the time, one part is spent on pages */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Takes note of a page that is done. */
static void look(struct live *l, int flags)
{
	double took;
	pid_t ended;

	do
		ended = waitpid(l->child, NULL, flags);
	while (ended < 0 && errno == EINTR);
	if (ended == 0)
		return;
	took = now() - l->begun;
	l->next = now() + (SHARE * took > LEAST ? SHARE * took : LEAST);
	l->child = 0;
}

/* The command line of such a process, which needs the plugins that are loaded here; from malloc. */
static const char **words_for(const char *folder)
{
	static const char *const first[] = { "autograd", "report", "--live", "--threads=1" };
	size_t n = sizeof first / sizeof *first, plugins = 0;
	const char **words;

	while (ad_plugin_at(plugins))
		plugins++;
	words = calloc(n + 2 * plugins + 2, sizeof *words);
	if (!words)
		return NULL;
	memcpy(words, first, sizeof first);
	for (size_t k = 0; k < plugins; k++) {
		words[n++] = "--plugin";
		words[n++] = ad_plugin_at(k);
	}
	words[n] = folder;
	return words;
}

/* In a process group of its own, so that Ctrl-C ends the training alone. */
static void start(struct live *l, const char *folder)
{
	/* posix_spawn takes char *const[] but writes to none of it */
	union {
		const char **read;
		char **take;
	} words = { .read = words_for(folder) };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t how;
	bool good;

	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&how);
	good = words.read && posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0) == 0 &&
	       posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0) == 0 &&
	       posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0) == 0 &&
	       posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP) == 0 &&
	       posix_spawn(&l->child, "/proc/self/exe", &files, &how, words.take, environ) == 0;
	l->begun = now();
	l->failed = !good;
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&how);
	free(words.read);
}

void live_logged(void *of, const char *folder)
{
	struct live *l = of;

	if (l->child > 0)
		look(l, WNOHANG);
	if (l->child == 0 && !l->failed && now() >= l->next)
		start(l, folder);
}

void live_end(struct live *l)
{
	if (l->child > 0)
		look(l, 0);
}
