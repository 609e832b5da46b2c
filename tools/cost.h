/*
 * cost: multiply-adds and bytes of the items of a model, for `autograd show`.
 */
#ifndef AUTOGRAD_COST_H
#define AUTOGRAD_COST_H

#include "command.h"

struct cost {
	uint64_t products; /* multiply-adds of matrix products and convolutions */
	uint64_t bytes;    /* of the values that are recorded, without weights and views */
};

/* The costs of the model's rows, one forward pass in evaluation phase with the free dims as `sizes`
 * says, "T=128", else 1; dims takes them. The model has no recordings yet. From malloc; NULL: a
 * sentence in error, and how to exit. */
struct cost *count_costs(ad_model *m, const struct texts *sizes, int64_t dims[], int *status,
                         char *error, size_t n);

#endif
