/*
 * failure: the sentence that a function of models/ leaves for its caller.
 */
#include "file.h"

#include <stdarg.h>
#include <stdio.h>

bool failure(char *error, size_t n, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (error && n)
		vsnprintf(error, n, format, args);
	va_end(args);
	return false;
}

bool failure_memory(char *error, size_t n, const char *what, size_t bytes)
{
	if (bytes == 0)
		return failure(error, n, "out of memory for %s", what);
	return failure(error, n, "out of memory: %zu bytes for %s", bytes, what);
}
