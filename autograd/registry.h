/*
 * registry: the generated table of ops.
 */
#ifndef AUTOGRAD_REGISTRY_H
#define AUTOGRAD_REGISTRY_H

#include "op.h"

struct op_row {
	const ad_op *op;
	const char *doc;
};
extern const struct op_row op_table[]; /* by name */
extern const size_t op_table_size;

#endif
