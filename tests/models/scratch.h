/*
 * scratch: files that a test makes and that go with it.
 */
#ifndef TEST_SCRATCH_H
#define TEST_SCRATCH_H

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char scratch[64];

static inline int scratch_remove_one(const char *path, const struct stat *s, int kind, struct FTW *w)
{
	(void)s;
	(void)kind;
	(void)w;
	return remove(path);
}

/* For .init and .fini of a suite. */
static inline void scratch_open(void)
{
	strcpy(scratch, "/tmp/autograd-test-XXXXXX");
	cr_assert(mkdtemp(scratch) != NULL);
}

static inline void scratch_close(void)
{
	nftw(scratch, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* "scratch/name"; the text lives until the next call but seven. */
static inline const char *scratch_path(const char *name)
{
	static char paths[8][128];
	static int next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof paths[0], "%s/%s", scratch, name);
	return path;
}

static inline const char *scratch_write(const char *name, const void *data, size_t size)
{
	const char *path = scratch_path(name);
	FILE *file = fopen(path, "wb");

	cr_assert(file && fwrite(data, 1, size, file) == size && fclose(file) == 0);
	return path;
}

static inline const char *scratch_text(const char *name, const char *text)
{
	return scratch_write(name, text, strlen(text));
}

/* The whole file as text; freed by the caller. */
static inline char *scratch_read(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");
	char *text = calloc(1, 1 << 20);

	cr_assert(file && text, "cannot read %s", path);
	*size = fread(text, 1, (1 << 20) - 1, file);
	fclose(file);
	return text;
}

/* Runs a line of the shell in the project's top folder, with the command as $A and the scratch folder as $S; what it
 * prints on both streams, until the next call, and how it exits (128 and more: by a signal). */
static inline const char *scratch_shell(int *status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static inline const char *scratch_shell(int *status, const char *format, ...)
{
	const char *bin = getenv("AUTOGRAD_BIN");
	static char text[1 << 16];
	char line[4096];
	size_t n = (size_t)snprintf(line, sizeof line, "A=%s; S=%s; exec 2>&1; ", bin ? bin : "build/autograd", scratch);
	va_list args;
	FILE *pipe;

	va_start(args, format);
	vsnprintf(line + n, sizeof line - n, format, args);
	va_end(args);
	pipe = popen(line, "r");
	cr_assert(pipe);
	n = fread(text, 1, sizeof text - 1, pipe);
	text[n] = '\0';
	*status = pclose(pipe);
	*status = WIFEXITED(*status) ? WEXITSTATUS(*status) : 128 + WTERMSIG(*status);
	return text;
}

#endif
