/*
 * strided: copies between an array and a regular part of another: transposes, slices, broadcasts.
 *
 * A view is a shape with a distance in elements per axis into other memory: 0 repeats, a negative
 * one goes backwards.
 */
#ifndef OPS_KERNELS_STRIDED_H
#define OPS_KERNELS_STRIDED_H

#include "op.h"

struct view {
	int rank;
	int64_t dims[AD_MAX_RANK];
	int64_t stride[AD_MAX_RANK];
	int64_t offset;
};

/* Bytes of one element of the array, in the real type of this variant. */
static inline size_t bytes_of(const ad_array *x)
{
	return x->type == AD_REAL ? sizeof(ad_real) : x->type == AD_I32 ? sizeof(int32_t) : 1;
}

/* The strides of a contiguous array. */
static inline void strides_of(int rank, const int64_t dims[], int64_t stride[])
{
	int64_t step = 1;
	for (int i = rank - 1; i >= 0; i--) {
		stride[i] = step;
		step *= dims[i];
	}
}

/* Drops axes of size 1 and joins axes that lie in memory as one. The last axis stays, with at least
 * rank 1, so that rows can be counted. */
void view_simplify(struct view *v);

/* The number of rows, which are the units of work, and their length. */
size_t view_rows(const struct view *v);

/* The grain for ad_parallel over rows. */
size_t view_grain(const struct view *v);

/* to[k] = view of from, in the view's order, for the rows begin..end-1. */
void view_read(const struct view *v, size_t bytes, void *to, const void *from, size_t begin,
               size_t end);

/* view of to = from[k]. */
void view_write(const struct view *v, size_t bytes, void *to, const void *from, size_t begin,
                size_t end);

#endif
