/*
 * indexing: places named by an array of indices along one axis, for gather, scatter and their kin.
 */
#ifndef OPS_KERNELS_INDEXING_H
#define OPS_KERNELS_INDEXING_H

#include "strided.h"

static inline int axis_from_front(int rank, int64_t axis)
{
	return (int)(axis < 0 ? axis + (rank > 0 ? rank : 1) : axis);
}

/* Whether input i is of indices; refuses otherwise. */
static inline bool indices_expected(ad_infer *s, int i, const char *name)
{
	if (s->in_type[i] == AD_I32)
		return true;
	return ad_refuse(s, "%s must be of indices, not of %s", name,
	                 s->in_type[i] == AD_BOOL ? "a mask" : "reals");
}

/* index[..., k, ...] beside x[..., index[..., k, ...], ...]: the rule for x and index. They have
 * the same number of axes, and index is nowhere larger than x but along the axis. */
static inline bool places_fit(ad_infer *s, int64_t axis)
{
	const ad_shape *x = &s->in[0], *index = &s->in[1];
	int at;

	if (!indices_expected(s, 1, "index"))
		return false;
	if (x->rank != index->rank || x->rank == 0)
		return ad_refuse(s,
		                 "x %s and index %s must have the same number of axes, 1 or more",
		                 ad_show(s, 0), ad_show(s, 1));
	at = ad_axis(s, x->rank, axis);
	if (at < 0)
		return false;
	for (int i = 0; i < x->rank; i++)
		if (i != at && index->dims[i] > x->dims[i])
			return ad_refuse(
			    s, "index %s is larger than x %s on axis %d, not only on axis %d",
			    ad_show(s, 1), ad_show(s, 0), i, at);
	return true;
}

/* The lines of index along the axis, and where each begins in index and in x. */
struct places {
	int rank, axis;
	size_t lines, n, size;     /* n indices on each line, size elements of x */
	size_t step_index, step_x; /* from one to the next */
	int64_t dims[AD_MAX_RANK], stride_index[AD_MAX_RANK], stride_x[AD_MAX_RANK];
};

static inline struct places places_of(const ad_array *x, const ad_array *index, int64_t axis)
{
	struct places p = { .rank = x->rank, .axis = axis_from_front(x->rank, axis), .lines = 1 };

	strides_of(x->rank, x->dims, p.stride_x);
	strides_of(x->rank, index->dims, p.stride_index);
	memcpy(p.dims, index->dims, (size_t)x->rank * sizeof *p.dims);
	p.n = (size_t)index->dims[p.axis];
	p.size = (size_t)x->dims[p.axis];
	p.step_index = (size_t)p.stride_index[p.axis];
	p.step_x = (size_t)p.stride_x[p.axis];
	for (int i = 0; i < p.rank; i++)
		p.lines *= i == p.axis ? 1 : (size_t)p.dims[i];
	return p;
}

static inline void places_line(const struct places *p, size_t line, size_t *in_index, size_t *in_x)
{
	*in_index = *in_x = 0;
	for (int i = p->rank - 1; i >= 0; i--) {
		size_t at;

		if (i == p->axis)
			continue;
		at = line % (size_t)p->dims[i];
		line /= (size_t)p->dims[i];
		*in_index += at * (size_t)p->stride_index[i];
		*in_x += at * (size_t)p->stride_x[i];
	}
}

static inline size_t places_grain(const struct places *p)
{
	return p->n >= 8192 ? 1 : 8192 / (p->n ? p->n : 1);
}

/* Whether an index is one of `size`; fails the evaluation if it is not. */
static inline bool index_fits(const ad_run *r, int32_t index, size_t k, size_t size)
{
	if (index >= 0 && (size_t)index < size)
		return true;
	ad_run_failed(r, "index %d, element %zu, is not one of the %zu places, which count from 0",
	              (int)index, k, size);
	return false;
}

static inline void copy_element(void *to, size_t k, const void *from, size_t i, size_t bytes)
{
	if (bytes == 8)
		((uint64_t *)to)[k] = ((const uint64_t *)from)[i];
	else if (bytes == 4)
		((uint32_t *)to)[k] = ((const uint32_t *)from)[i];
	else
		((unsigned char *)to)[k] = ((const unsigned char *)from)[i];
}

#endif
