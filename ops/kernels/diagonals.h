/*
 * diagonals: the diagonals of two axes of an array as a view, for diagonal and undiagonal.
 */
#ifndef OPS_KERNELS_DIAGONALS_H
#define OPS_KERNELS_DIAGONALS_H

#include "strided.h"

/* The shape of diagonal k of axis0 and axis1, put last; refuses what is out of range. */
static inline bool diagonal_shape(ad_infer *s, const ad_shape *x, int64_t axis0, int64_t axis1,
                                  int64_t k, ad_shape *y)
{
	int64_t a = axis0 + (axis0 < 0 ? x->rank : 0), b = axis1 + (axis1 < 0 ? x->rank : 0), rows,
		columns;

	if (x->rank < 2)
		return ad_refuse(s, "%s is no matrix", ad_show_shape(s, *x));
	if (a < 0 || a >= x->rank || b < 0 || b >= x->rank || a == b)
		return ad_refuse(s, "axes %lld and %lld are not two of the %d axes of %s",
		                 (long long)axis0, (long long)axis1, x->rank, ad_show_shape(s, *x));
	y->rank = 0;
	for (int i = 0; i < x->rank; i++)
		if (i != a && i != b)
			y->dims[y->rank++] = x->dims[i];
	rows = x->dims[a];
	columns = x->dims[b];
	if (k <= -rows || k >= columns)
		rows = columns = 0;
	else if (k < 0)
		rows += k;
	else
		columns -= k;
	y->dims[y->rank++] = rows < columns ? rows : columns;
	return true;
}

/* Those elements of an array of dims, in the order of the diagonal's own array. */
static inline struct view diagonal_view(int rank, const int64_t dims[], const ad_array *diagonal,
                                        int64_t axis0, int64_t axis1, int64_t k)
{
	int64_t stride[AD_MAX_RANK], a = axis0 + (axis0 < 0 ? rank : 0),
				     b = axis1 + (axis1 < 0 ? rank : 0);
	struct view v = { .rank = rank - 1 };
	int n = 0;

	strides_of(rank, dims, stride);
	memcpy(v.dims, diagonal->dims, sizeof v.dims);
	for (int i = 0; i < rank; i++)
		if (i != a && i != b)
			v.stride[n++] = stride[i];
	v.stride[n] = stride[a] + stride[b];
	if (diagonal->count > 0)
		v.offset = k < 0 ? -k * stride[a] : k * stride[b];
	view_simplify(&v);
	return v;
}

#endif
