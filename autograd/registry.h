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

/* The ops whose functions are compiled in line as well, the numbers by which those know them, and how many
 * inputs they have. Ends with NULL. */
struct op_number {
	const ad_op *op;
	uint32_t number, n_in;
};
extern const struct op_number op_numbers[];

#endif
