/*
 * save: replaces a file in one step, so that a crash leaves the earlier one or the new one.
 */
#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(sigset_t) <= sizeof(((struct quiet *)0)->blocked), "a sigset_t has to fit");

void quiet_begin(struct quiet *q)
{
	sigset_t pending, both, before;

	sigemptyset(&both);
	sigaddset(&both, SIGPIPE);
	sigaddset(&both, SIGXFSZ);
	sigpending(&pending);
	q->pending_pipe = sigismember(&pending, SIGPIPE) == 1;
	q->pending_size = sigismember(&pending, SIGXFSZ) == 1;
	pthread_sigmask(SIG_BLOCK, &both, &before);
	memcpy(q->blocked, &before, sizeof before);
}

void quiet_end(const struct quiet *q)
{
	int reason = errno;
	sigset_t ours, before;

	/* Take back what these writes raised, and only that. */
	sigemptyset(&ours);
	if (!q->pending_pipe)
		sigaddset(&ours, SIGPIPE);
	if (!q->pending_size)
		sigaddset(&ours, SIGXFSZ);
	while (sigtimedwait(&ours, NULL, &(struct timespec){ 0 }) > 0)
		;
	memcpy(&before, q->blocked, sizeof before);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = reason;
}

const char *save_help(int reason)
{
	return reason == ENOSPC || reason == EDQUOT ? "; free space or choose another folder"
	     : reason == EFBIG ? "; raise the limit on file sizes (ulimit -f)"
	     : reason == EACCES || reason == EROFS ? "; choose a folder that can be written to"
	                                           : "";
}

static bool cannot(struct save *s, const char *verb, int reason, char *error, size_t n)
{
	char text[128];

	failure(error, n, "%s: cannot %s: %s%s", s->path, verb, strerror_r(reason, text, sizeof text),
	        save_help(reason));
	save_cancel(s);
	return false;
}

/* Removes the temporary files of this name whose process has died. */
static void remove_stale(struct save *s)
{
	int fd = openat(s->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	size_t length = strlen(s->name);

	if (!list) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (struct dirent *entry; (entry = readdir(list));) {
		const char *name = entry->d_name;
		char *end;
		long pid;

		if (name[0] != '.' || strncmp(name + 1, s->name, length) != 0 || name[1 + length] != '.')
			continue;
		errno = 0;
		pid = strtol(name + length + 2, &end, 10);
		if (errno || pid <= 0 || pid > 1 << 30 || *end != '.' || strlen(end) < 4 ||
		    strcmp(end + strlen(end) - 4, ".tmp") != 0)
			continue;
		if (kill((pid_t)pid, 0) != 0 && errno == ESRCH)
			unlinkat(s->folder, name, 0);
	}
	closedir(list);
}

bool save_begin(struct save *s, const char *path, char *error, size_t n)
{
	const char *slash = strrchr(path, '/');
	size_t room;

	*s = (struct save){ .fd = -1, .folder = -1, .path = strdup(path) };
	if (!s->path)
		return failure_memory(error, n, path, 0);
	s->name = slash ? s->path + (slash - path) + 1 : s->path;
	room = strlen(s->name) + 64;
	s->temporary = calloc(1, room);
	if (!s->temporary) {
		save_cancel(s);
		return failure_memory(error, n, path, 0);
	}
	if (slash) {
		size_t length = slash == path ? 1 : (size_t)(slash - path);
		char *folder = strndup(path, length);

		s->folder = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
		free(folder);
	} else {
		s->folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (s->folder < 0)
		return cannot(s, "open the folder", errno, error, n);
	remove_stale(s);
	for (int try = 0; s->fd < 0 && try < 100; try++) {
		snprintf(s->temporary, room, ".%s.%ld.%d.tmp", s->name, (long)getpid(), try);
		s->fd = openat(s->folder, s->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (s->fd < 0 && errno != EEXIST)
			break;
	}
	if (s->fd < 0) {
		s->temporary[0] = '\0';
		return cannot(s, "write", errno, error, n);
	}
	return true;
}

bool save_write(struct save *s, const void *data, size_t size, char *error, size_t n)
{
	const char *from = data;
	struct quiet quiet;

	quiet_begin(&quiet);
	while (size > 0) {
		ssize_t done = write(s->fd, from, size < 1u << 30 ? size : 1u << 30);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			break;
		from += done;
		size -= (size_t)done;
	}
	quiet_end(&quiet);
	return size == 0 || cannot(s, "write", errno, error, n);
}

bool save_end(struct save *s, char *error, size_t n)
{
	int fd = s->fd;

	if (fsync(fd) != 0)
		return cannot(s, "write", errno, error, n);
	s->fd = -1;
	if (close(fd) != 0)
		return cannot(s, "write", errno, error, n);
	if (renameat(s->folder, s->temporary, s->folder, s->name) != 0)
		return cannot(s, "replace", errno, error, n);
	s->temporary[0] = '\0';
	if (fsync(s->folder) != 0 && errno != EINVAL)
		return cannot(s, "sync the folder of", errno, error, n);
	save_cancel(s);
	return true;
}

bool save_text(const char *path, const char *text, size_t size, char *error, size_t n)
{
	struct save s;

	return save_begin(&s, path, error, n) && save_write(&s, text, size, error, n) && save_end(&s, error, n);
}

void save_cancel(struct save *s)
{
	if (s->fd >= 0)
		close(s->fd);
	if (s->temporary && s->temporary[0])
		unlinkat(s->folder, s->temporary, 0);
	if (s->folder >= 0)
		close(s->folder);
	free(s->temporary);
	free(s->path);
	*s = (struct save){ .fd = -1, .folder = -1 };
}
