/*
 * op_text: ops as documentation: derivatives and samples as text, and the reference of all ops.
 */
#ifndef AUTOGRAD_OP_TEXT_H
#define AUTOGRAD_OP_TEXT_H

#include "autograd.h"

#include <stdio.h>

/* How often the op can be differentiated, in a sentence without full stop. */
const char *op_text_derivatives(const ad_op *op);

/* The samples of the op's table, a line each and one for each gradient, every line behind `indent`.
 */
void op_text_samples(FILE *to, const ad_op *op, const char *indent);

/* Whether input i may be left out, being neither required nor one of any number. */
bool op_text_optional(const ad_op *op, int i);

/* The type of an attribute in words. */
const char *op_text_type(ad_attr_type type);

/* All ops by groups, as Markdown: ops/README.md. */
void op_text_reference(FILE *to);

#endif
