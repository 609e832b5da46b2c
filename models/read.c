/*
 * read: regular files from front to back, plain or gzip.
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

static bool cannot(const char *path, int reason, char *error, size_t n)
{
	char text[128];
	const char *help = reason == ENOENT ? "; check the path"
	                 : reason == EACCES ? "; check the file's permissions"
	                                    : "";

	return failure(error, n, "%s: cannot read: %s%s", path,
	               strerror_r(reason, text, sizeof text), help);
}

bool reader_open(struct reader *r, const char *path, char *error, size_t n)
{
	/* Without O_NONBLOCK, opening a FIFO waits for a writer before fstat can refuse it. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	size_t length = strlen(path);
	unsigned char head[2];
	struct stat status;

	*r = (struct reader){ .path = path };
	if (fd < 0)
		return cannot(path, errno, error, n);
	if (fstat(fd, &status) != 0) {
		int reason = errno;

		close(fd);
		return cannot(path, reason, error, n);
	}
	if (!S_ISREG(status.st_mode)) {
		close(fd);
		return failure(error, n, "%s: %s; give a regular file", path,
		               S_ISDIR(status.st_mode) ? "is a folder" : "is not a regular file");
	}
	r->size = (uint64_t)status.st_size;
	r->packed = pread(fd, head, 2, 0) == 2 && head[0] == 0x1f && head[1] == 0x8b;
	r->misnamed = !r->packed && length >= 3 && strcmp(path + length - 3, ".gz") == 0;
	r->gz = gzdopen(fd, "rb");
	if (!r->gz) {
		close(fd);
		return failure_memory(error, n, path, 0);
	}
	gzbuffer(r->gz, 1 << 17);
	return true;
}

bool reader_read(struct reader *r, void *to, size_t want, size_t *got, char *error, size_t n)
{
	*got = 0;
	if (r->misnamed)
		return failure(error, n, "%s: is not packed by gzip, as its name says; get the file again, or "
		               "name it without .gz", r->path);
	while (*got < want) {
		size_t piece = want - *got < 1u << 30 ? want - *got : 1u << 30;
		int result = gzread(r->gz, (char *)to + *got, (unsigned)piece);
		int code = Z_OK;
		const char *reason;

		if (result > 0) {
			*got += (size_t)result;
			continue;
		}
		reason = gzerror(r->gz, &code);
		if (result == 0 && (code == Z_OK || code == Z_STREAM_END))
			return true;
		if (code == Z_ERRNO)
			return cannot(r->path, errno, error, n);
		if (code == Z_MEM_ERROR)
			return failure_memory(error, n, r->path, 0);
		return failure(error, n, "%s: the gzip data %s; get the file again", r->path,
		               code == Z_BUF_ERROR ? "ends too early" : reason ? "is damaged" : "is bad");
	}
	return true;
}

void reader_close(struct reader *r)
{
	if (r->gz)
		gzclose(r->gz);
	r->gz = NULL;
}

char *path_in(const char *folder, const char *path)
{
	bool joins = folder && strcmp(folder, ".") != 0 && path[0] != '/';
	size_t length = strlen(path), front = joins ? strlen(folder) : 0;
	bool slash = front && folder[front - 1] != '/';
	char *joined = malloc(front + slash + length + 1);

	if (!joined)
		return NULL;
	if (front)
		memcpy(joined, folder, front);
	if (slash)
		joined[front] = '/';
	memcpy(joined + front + slash, path, length + 1);
	return joined;
}
