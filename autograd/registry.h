/*
 * registry: the ops by name: the generated table, and what plugins add to it.
 */
#ifndef AUTOGRAD_REGISTRY_H
#define AUTOGRAD_REGISTRY_H

#include "plugin.h"

extern const struct op_row op_table[]; /* by name */
extern const size_t op_table_size;

/* Adds the ops of a plugin, of names that are not there, for as long as the process lives; from one thread at a time,
 * while others read. False without memory, and then none is added. */
bool registry_add(const char *path, size_t n, const struct op_row rows[]);

/* The ops whose functions are compiled in line as well, the numbers by which those know them, and how many
 * inputs they have. Ends with NULL. */
struct op_number {
	const ad_op *op;
	uint32_t number, n_in;
};
extern const struct op_number op_numbers[];

#endif
