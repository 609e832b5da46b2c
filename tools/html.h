/*
 * html: text in pages.
 */
#ifndef AUTOGRAD_HTML_H
#define AUTOGRAD_HTML_H

#include <stdbool.h>
#include <stdio.h>

/* Text between tags or in an attribute in double quotes, also of XML: with entities for what has a meaning
 * there, U+FFFD for what is no character or not to be printed. */
void html_text(FILE *to, const char *text);

#endif
