/*
 * extremes: the largest or smallest elements over axes, for amax and amin, argmax and argmin.
 */
#ifndef OPS_KERNELS_EXTREMES_H
#define OPS_KERNELS_EXTREMES_H

#include "lines.h"
#include "reduce.h"

/* The shape rule: as of any reduction, but there must be something to choose from. */
static inline bool extreme_shape(ad_infer *s, ad_ints axes, bool keepdim, const char *which)
{
	const ad_shape *x = &s->in[0];
	bool chosen[AD_MAX_RANK];
	size_t n = 1;

	if (!reduced_shape(s, axes, keepdim))
		return false;
	axes_flags(x->rank, axes, chosen);
	for (int i = 0; i < x->rank; i++)
		n *= chosen[i] ? (size_t)x->dims[i] : 1;
	if (n == 0)
		return ad_refuse(s, "there is no %s of no elements: x is %s", which, ad_show(s, 0));
	return true;
}

/* The extreme of two; NaN wins. */
static inline ad_real extreme_of(ad_real best, ad_real x, bool least)
{
	return real_where((least ? x < best : x > best) | (x != x), x, best);
}

/* y[k] for the outputs begin..end-1: of a run in lanes, or of neighbouring columns side by side. */
static inline void extreme_outputs(const struct reduction *p, const ad_real *x, ad_real *y,
                                   bool least, size_t begin, size_t end)
{
	enum { LANES = 32 };
	const ad_real none = least ? (ad_real)INFINITY : -(ad_real)INFINITY;

	for (size_t k = begin, width; k < end; k += width) {
		size_t column = k % p->columns, left = p->columns - column;
		size_t from = reduction_base(p, k / p->columns) + column;
		size_t at[AD_MAX_RANK] = { 0 }, n, lanes;
		ad_real best[LANES];

		width = left < end - k ? left : end - k;
		width = width < LANES ? width : LANES;
		n = p->columns == 1 ? p->run : width;
		lanes = n < LANES ? n : LANES;
		for (size_t j = 0; j < lanes; j++)
			best[j] = none;
		for (size_t row = 0; row < p->row; row++) {
			const ad_real *v = x + from;
			size_t i = 0;

			for (; i + LANES <= n; i += LANES) {
#pragma omp simd
				for (size_t j = 0; j < LANES; j++)
					best[j] = extreme_of(best[j], v[i + j], least);
			}
			for (size_t j = 0; i + j < n; j++)
				best[j] = extreme_of(best[j], v[i + j], least);
			reduction_step(p->n_rows, p->rows, p->row_stride, at, &from);
		}
		if (p->columns == 1)
			for (size_t j = 1; j < lanes; j++)
				best[0] = extreme_of(best[0], best[j], least);
		memcpy(y + k, best, width * sizeof *y);
	}
}

/* dx = dy shared evenly by the elements that are equal to y. */
static inline void extreme_backward(const struct reduction *p, const ad_real *x, const ad_real *y,
                                    const ad_real *dy, ad_real *dx, size_t begin, size_t end)
{
	for (size_t k = begin; k < end; k++) {
		size_t first = reduction_base(p, k / p->columns) + k % p->columns;
		const ad_real most = y[k];
		ad_real share = 0;

		for (int pass = 0; pass < 2; pass++) {
			size_t from = first, at[AD_MAX_RANK] = { 0 };
			for (size_t row = 0; row < p->row; row++) {
				if (pass == 0) {
#pragma omp simd reduction(+ : share)
					for (size_t i = from; i < from + p->run; i++)
						share += real_where(x[i] == most, 1, 0);
				} else {
#pragma omp simd
					for (size_t i = from; i < from + p->run; i++)
						dx[i] = real_where(x[i] == most, share, 0);
				}
				reduction_step(p->n_rows, p->rows, p->row_stride, at, &from);
			}
			if (pass == 0)
				share = dy[k] / share;
		}
	}
}

/* The same as ops. */
static inline ad_node *extreme_grad(ad_node *y, ad_node *dy, ad_ints axes)
{
	ad_node *x = ad_input_of(y, 0);
	ad_shape kept = kept_shape(ad_shape_of(x), axes);
	ad_node *equal = ad_to_real(ad_equal(x, ad_reshape(y, kept)));

	return ad_mul(ad_div(ad_reshape(dy, kept), ad_sum(equal, axes, true)), equal);
}

/* The shape rule of argmax and argmin: one axis, or AD_NONE for all; the result is of indices. */
static inline bool place_shape(ad_infer *s, int64_t axis, bool keepdim, const char *which)
{
	const ad_shape *x = &s->in[0];
	struct lines l;

	if (!extreme_shape(s, axis == AD_NONE ? AD_ALL : (ad_ints){ 1, &axis }, keepdim, which))
		return false;
	l = lines_along(x->rank, x->dims, axis == AD_NONE ? 0 : axis);
	if ((axis == AD_NONE ? l.count * l.n : l.n) > INT32_MAX)
		return ad_refuse(s, "%s has more elements than an index can count", ad_show(s, 0));
	s->out_type[0] = AD_I32;
	return true;
}

/* The place of the first extreme of a line, or of the first NaN. */
static inline size_t place_of_extreme(const ad_real *v, size_t n, size_t step, bool least)
{
	size_t best = 0;

	for (size_t i = 1; i < n && v[best * step] == v[best * step]; i++) {
		ad_real a = v[i * step], b = v[best * step];
		if ((least ? a < b : a > b) || a != a)
			best = i;
	}
	return best;
}

/* The same of each line, for argmax and argmin. */
static inline void place_outputs(const ad_run *r, int64_t axis, bool least, size_t begin,
                                 size_t end)
{
	const ad_array *x = &r->in[0];
	struct lines l = axis == AD_NONE ? (struct lines){ 1, x->count, 1 }
	                                 : lines_along(x->rank, x->dims, axis);

	for (size_t k = begin; k < end; k++)
		ad_indices_of(&r->out[0])[k] = (int32_t)place_of_extreme(
		    ad_reals_of(x) + line_start(&l, k), l.n, l.step, least);
}

#endif
