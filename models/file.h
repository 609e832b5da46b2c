/*
 * file: how models/ reads and replaces files: regular ones only, whole or not at all.
 */
#ifndef AUTOGRAD_FILE_H
#define AUTOGRAD_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Leaves a sentence in error and returns false, for `return failure(...)`. (failure.c) */
bool failure(char *error, size_t n, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Out of memory, as such a sentence: what could not be kept. */
bool failure_memory(char *error, size_t n, const char *what, size_t bytes);

/* ---- reading (read.c) ---------------------------------------------------------------------- */

/* A regular file, plain or gzip by its content, read from front to back. */
struct reader {
	void *gz;
	const char *path;
	uint64_t size; /* of the file as it lies on the disk */
	bool packed;
	bool misnamed; /* not packed, though its name ends in .gz: reading it fails */
};

bool reader_open(struct reader *r, const char *path, char *error, size_t n);

/* Reads up to `want` bytes; fewer only at the end. *got is 0 there. False: a sentence in error. */
bool reader_read(struct reader *r, void *to, size_t want, size_t *got, char *error, size_t n);
void reader_close(struct reader *r);

/* A path as written in a file of `folder`, as the process can open it. malloc; NULL: no memory. */
char *path_in(const char *folder, const char *path);

/* ---- replacing (save.c) --------------------------------------------------------------------- */

/* A file that appears under its name in one step, complete and synced, or not at all: written to a
 * temporary name in the same folder, then renamed. */
struct save {
	int fd, folder;
	char *path, *temporary; /* the latter without the folder */
	const char *name;       /* last part of path */
};

bool save_begin(struct save *s, const char *path, char *error, size_t n);

/* On failure the temporary file is gone and the earlier one is intact; no save_cancel is due. */
bool save_write(struct save *s, const void *data, size_t size, char *error, size_t n);
bool save_end(struct save *s, char *error, size_t n);
void save_cancel(struct save *s);

/* All three at once. */
bool save_text(const char *path, const char *text, size_t size, char *error, size_t n);

/* What helps when a file cannot be written for this errno, "; free space or ..."; "": nothing known. */
const char *save_help(int reason);

/* Between these two calls a write to a broken pipe or past the limit on file sizes is an error of
 * the call, not a signal that ends the process. For the calling thread alone. */
struct quiet {
	uint64_t blocked[16]; /* a sigset_t */
	bool pending_pipe, pending_size;
};
void quiet_begin(struct quiet *q);
void quiet_end(const struct quiet *q);

#endif
