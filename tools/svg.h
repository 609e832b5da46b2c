/*
 * svg: what dot's SVG lacks for readers who do not see it.
 */
#ifndef AUTOGRAD_SVG_H
#define AUTOGRAD_SVG_H

#include <stddef.h>

/* The SVG that dot wrote, with titles that say what a node, arrow or frame is: its tooltip's text in
 * place of the name that it has in DOT ("n17"), that of the drawing its label. What is not understood
 * stays as it is. From malloc, of *n bytes; NULL without memory. */
char *svg_with_titles(const char *svg, size_t size, size_t *n);

#endif
