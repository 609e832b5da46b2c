/*
 * slicing: x[start:stop:step] on several axes as a view, by Python's rules. For slice and unslice.
 */
#ifndef OPS_KERNELS_SLICING_H
#define OPS_KERNELS_SLICING_H

#include "strided.h"

/* One entry of a list for axis k of the axes listed; what is missing has a default. */
static inline int64_t slicing_entry(ad_ints list, int64_t k, int64_t missing)
{
	return k < list.n && list.v[k] != AD_NONE ? list.v[k] : missing;
}

/* The part of an array of that shape which starts, stops and steps name, one entry for each of the
 * axes, all checked before. */
static inline struct view slicing_view(int rank, const int64_t dims[], ad_ints axes, ad_ints starts,
                                       ad_ints stops, ad_ints steps)
{
	struct view v = { .rank = rank };

	strides_of(rank, dims, v.stride);
	memcpy(v.dims, dims, (size_t)rank * sizeof *dims);
	for (int64_t k = 0; k < axes.n; k++) {
		int64_t axis = axes.v[k] < 0 ? axes.v[k] + rank : axes.v[k], size = dims[axis];
		int64_t step = slicing_entry(steps, k, 1);
		int64_t start = slicing_entry(starts, k, 0), stop = slicing_entry(stops, k, size);

		start = start < 0      ? (start < -size ? 0 : start + size)
		        : start > size ? size
		                       : start;
		stop = stop < 0 ? (stop < -size ? 0 : stop + size) : stop > size ? size : stop;
		v.offset += start * v.stride[axis];
		v.dims[axis] = stop > start ? (stop - start - 1) / step + 1 : 0;
		/* With one element or none there is no next one; a huge step would overflow. */
		v.stride[axis] *= v.dims[axis] > 1 ? step : 1;
	}
	return v;
}

/* Checks the lists against a shape of that rank. */
static inline bool slicing_check(ad_infer *s, int rank, ad_ints axes, ad_ints starts, ad_ints stops,
                                 ad_ints steps)
{
	const struct {
		const char *name;
		ad_ints list;
	} lists[] = { { "starts", starts }, { "stops", stops }, { "steps", steps } };
	bool chosen[AD_MAX_RANK];

	if (axes.n < 0)
		return ad_refuse(s, "axes is missing: name the axes that are cut");
	if (!ad_axes(s, rank, axes, chosen))
		return false;
	if (rank == 0 && axes.n > 0)
		return ad_refuse(s, "a single number has no axis to cut");
	for (int i = 0; i < 3; i++)
		if (lists[i].list.n >= 0 && lists[i].list.n != axes.n)
			return ad_refuse(s, "%lld axes, but %lld %s: give one for each axis",
			                 (long long)axes.n, (long long)lists[i].list.n,
			                 lists[i].name);
	for (int64_t k = 0; k < axes.n; k++)
		if (slicing_entry(steps, k, 1) < 1)
			return ad_refuse(
			    s, "step %lld of axis %lld is not 1 or more; flip reverses an axis",
			    (long long)steps.v[k], (long long)axes.v[k]);
	return true;
}

#endif
