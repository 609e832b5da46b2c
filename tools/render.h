/*
 * render: pictures made by other programs (dot, gnuplot), run as child processes.
 */
#ifndef AUTOGRAD_RENDER_H
#define AUTOGRAD_RENDER_H

#include <stdbool.h>
#include <stddef.h>

/* What a path's ending asks for. */
enum picture {
	PICTURE_NONE,
	PICTURE_DOT,
	PICTURE_SVG,
	PICTURE_PNG,
	PICTURE_PDF,
	PICTURE_JSON,
	PICTURE_TEXT
};
enum picture picture_of(const char *path);

/* Writes a drawing given as DOT text to path, in the form that its ending names: .dot (the text
 * itself), .svg, .png, .pdf. These three run the program dot: $AUTOGRAD_DOT, else the one on PATH;
 * one that takes long is stopped and tried again with a coarser layout, 30 seconds in all. path is
 * written whole or not at all. Returns false with a sentence in error. Text of another kind is
 * written as it is, to .json and .txt. */
bool render_dot(const char *text, size_t size, const char *path, char *error, size_t n);

/* The same in at most so many seconds; 0: however long it takes. too_large, which may be NULL: that was
 * too short, or dot crashed, with a coarser layout too: less should be drawn. */
bool render_dot_within(const char *text, size_t size, const char *path, double seconds,
                       bool *too_large, char *error, size_t n);

/* What dot makes of the text, PICTURE_SVG (with titles), PICTURE_PNG or PICTURE_PDF: bytes from malloc; NULL
 * with a sentence in error. */
char *render_picture(const char *text, size_t size, enum picture form, double seconds, size_t *length,
                     bool *too_large, char *error, size_t n);

/* The same as the text of an svg element, with titles, from malloc; NULL with a sentence in error. */
char *render_svg(const char *text, size_t size, double seconds, bool *too_large, char *error, size_t n);

/* Runs gnuplot ($AUTOGRAD_GNUPLOT, else the one on PATH) on a script that draws to its standard
 * output, and writes that to path, whole or not at all, in 30 seconds at most. */
bool render_gnuplot(const char *script, size_t size, const char *path, char *error, size_t n);

/* A program that a picture needs: its name, what names another (an environment variable), the
 * package that has it. */
struct program {
	const char *name, *variable, *package;
};

/* Runs a program with input as its standard input and makes its standard output the file at path,
 * whole or not at all. arguments ends with NULL and leaves out the program's own name. Stops it
 * after that many seconds; timed_out, which may be NULL, then becomes true. */
bool render_child(const struct program *program, const char *const arguments[], const char *input,
                  size_t size, const char *path, double seconds, bool *timed_out, char *error,
                  size_t n);

#endif
