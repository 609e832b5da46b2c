/*
 * reduce: how the elements of an array fall to the outputs of a reduction, and the sum.
 *
 * Neighbouring axes that are both kept or both reduced count as one. What is left, from the
 * outside: kept and reduced groups in turn (outer), and the innermost group, whose elements lie
 * side by side: `columns` of them if it is kept, a `run` of them if it is reduced.
 */
#ifndef OPS_KERNELS_REDUCE_H
#define OPS_KERNELS_REDUCE_H

#include "op.h"

struct reduction {
	int n_kept, n_rows; /* groups outside the innermost one */
	size_t kept[AD_MAX_RANK], kept_stride[AD_MAX_RANK];
	size_t rows[AD_MAX_RANK], row_stride[AD_MAX_RANK];
	size_t outer;   /* product of kept[] */
	size_t row;     /* product of rows[]: rows of `run` or of `columns` elements */
	size_t columns; /* output k belongs to outer index k / columns, column k % columns */
	size_t run;
};

static inline struct reduction reduction_of(int rank, const int64_t dims[], const bool reduced[])
{
	struct reduction p = { .outer = 1, .row = 1, .columns = 1, .run = 1 };
	size_t size[AD_MAX_RANK], stride = 1;
	bool cut[AD_MAX_RANK];
	int n = 0;

	for (int i = 0; i < rank; i++) {
		if (dims[i] == 1)
			continue;
		if (n > 0 && cut[n - 1] == reduced[i]) {
			size[n - 1] *= (size_t)dims[i];
		} else {
			size[n] = (size_t)dims[i];
			cut[n++] = reduced[i];
		}
	}
	if (n > 0) {
		*(cut[n - 1] ? &p.run : &p.columns) = size[n - 1];
		stride = size[n - 1];
	}
	/* From the inside out the strides are known; the groups are wanted from the outside in. */
	for (int i = n - 2; i >= 0; stride *= size[i], i--) {
		int at = i / 2; /* they alternate */
		if (cut[i]) {
			p.rows[at] = size[i];
			p.row_stride[at] = stride;
			p.row *= size[i];
			p.n_rows++;
		} else {
			p.kept[at] = size[i];
			p.kept_stride[at] = stride;
			p.outer *= size[i];
			p.n_kept++;
		}
	}
	return p;
}

/* The next index of a group of axes: moves the offset along. */
static inline void reduction_step(int n, const size_t size[], const size_t stride[], size_t at[],
                                  size_t *offset)
{
	for (int i = n - 1; i >= 0; i--) {
		*offset += stride[i];
		if (++at[i] < size[i])
			return;
		*offset -= stride[i] * size[i];
		at[i] = 0;
	}
}

/* Where the elements of the outer index begin. */
static inline size_t reduction_base(const struct reduction *p, size_t outer)
{
	size_t base = 0;
	for (int i = p->n_kept - 1; i >= 0; i--) {
		base += outer % p->kept[i] * p->kept_stride[i];
		outer /= p->kept[i];
	}
	return base;
}

/* Axes as flags; the list was checked by the shape rule. */
static inline void axes_flags(int rank, ad_ints axes, bool chosen[AD_MAX_RANK])
{
	for (int i = 0; i < rank; i++)
		chosen[i] = axes.n < 0;
	for (int64_t k = 0; k < axes.n; k++)
		if (rank > 0)
			chosen[axes.v[k] < 0 ? axes.v[k] + rank : axes.v[k]] = true;
}

static inline struct reduction reduction_over(const ad_array *x, ad_ints axes)
{
	bool chosen[AD_MAX_RANK];
	axes_flags(x->rank, axes, chosen);
	return reduction_of(x->rank, x->dims, chosen);
}

/* The shape rule of a reduction: axes is checked, they go, or stay with size 1. */
static inline bool reduced_shape(ad_infer *s, ad_ints axes, bool keepdim)
{
	const ad_shape *x = &s->in[0];
	bool chosen[AD_MAX_RANK];

	if (!ad_axes(s, x->rank, axes, chosen))
		return false;
	s->out[0].rank = 0;
	for (int i = 0; i < x->rank; i++)
		if (keepdim || !chosen[i])
			s->out[0].dims[s->out[0].rank++] = chosen[i] ? 1 : x->dims[i];
	return true;
}

/* The shape of a reduction's result with its axes kept. */
static inline ad_shape kept_shape(ad_shape x, ad_ints axes)
{
	bool chosen[AD_MAX_RANK];

	axes_flags(x.rank, axes, chosen);
	for (int i = 0; i < x.rank; i++)
		if (chosen[i])
			x.dims[i] = 1;
	return x;
}

/* Which axes go when x is summed to the shape of y: those that y lacks, and those of size 1 there.
 */
static inline void reduced_to(const ad_array *x, int rank, const int64_t dims[], bool reduced[])
{
	int more = x->rank - rank;
	for (int i = 0; i < x->rank; i++)
		reduced[i] = i < more || (dims[i - more] == 1 && x->dims[i] != 1);
}

/* The width of the strips of columns that one unit of work covers. */
#define REDUCE_STRIP 128

static inline size_t reduction_strips(const struct reduction *p)
{
	return (p->columns + REDUCE_STRIP - 1) / REDUCE_STRIP;
}

/* The grain for ad_parallel over units. */
static inline size_t reduction_grain(const struct reduction *p)
{
	size_t elements = p->row * p->run * (p->columns < REDUCE_STRIP ? p->columns : REDUCE_STRIP);
	return elements >= 32768 ? 1 : 32768 / (elements ? elements : 1);
}

/* y[k] = (the sum of the elements of x that fall to k) / divisor, for the units begin..end-1 out of
 * outer * strips. Sums pairwise (Higham, "The accuracy of floating point summation", 1993): the
 * error grows with the logarithm of the number of elements. */
void AD_VARIANT(reduce_sum)(const struct reduction *p, const ad_real *x, ad_real divisor,
                            ad_real *y, size_t begin, size_t end);

/* The same for n elements side by side. */
ad_real AD_VARIANT(run_sum)(const ad_real *x, size_t n);

#endif
