/*
 * order: the order of the elements of lines, for sort, topk, median_dim, and ops that give values
 * along an axis with their places.
 */
#ifndef OPS_KERNELS_ORDER_H
#define OPS_KERNELS_ORDER_H

#include "lines.h"

/* The rule for ops that give n values of each line along an axis, and their places as indices. A
 * single number is a line of one. n is -1 where the axis goes, or stays with size 1 for keepdim. */
static inline bool values_and_places(ad_infer *s, int64_t axis, int64_t n, bool keepdim)
{
	const ad_shape *x = &s->in[0];
	int at = ad_axis(s, x->rank, axis);

	if (at < 0)
		return false;
	if (x->rank > 0 && x->dims[at] > INT32_MAX)
		return ad_refuse(s, "%s has more elements along axis %d than an index can count",
		                 ad_show(s, 0), at);
	if (n < 0 && x->rank > 0 && x->dims[at] == 0)
		return ad_refuse(s, "there is nothing to choose from along axis %d of %s", at,
		                 ad_show(s, 0));
	s->out[0].rank = 0;
	for (int i = 0; i < x->rank; i++)
		if (i != at || n >= 0 || keepdim)
			s->out[0].dims[s->out[0].rank++] = i != at ? x->dims[i] : n >= 0 ? n : 1;
	s->out[1] = s->out[0];
	s->n_out = 2;
	s->out_type[0] = AD_REAL;
	s->out_type[1] = AD_I32;
	return true;
}

/* Whether a stands before b. NaN counts as larger than all. */
static inline bool stands_before(ad_real a, ad_real b, bool descending)
{
	if (a != a || b != b)
		return descending ? a != a && b == b : a == a && b != b;
	return descending ? a > b : a < b;
}

/* The places of a line's elements in their order, equal ones as they stand: a merge sort from runs
 * of one element up, between two areas of n places. Returns the area that has the result. */
static inline const int32_t *order_line(const ad_real *x, size_t n, size_t step, bool descending,
                                        int32_t *from, int32_t *to)
{
	for (size_t k = 0; k < n; k++)
		from[k] = (int32_t)k;
	for (size_t run = 1; run < n; run *= 2) {
		int32_t *last = from;

		for (size_t begin = 0; begin < n; begin += 2 * run) {
			size_t middle = n - begin < run ? n : begin + run;
			size_t end = n - middle < run ? n : middle + run, a = begin, b = middle;

			for (size_t k = begin; k < end; k++) {
				bool second = a == middle ||
				              (b < end && stands_before(x[(size_t)from[b] * step],
				                                        x[(size_t)from[a] * step],
				                                        descending));
				to[k] = second ? from[b++] : from[a++];
			}
		}
		from = to;
		to = last;
	}
	return from;
}

/* Scratch for the lines of an array: two areas of a line each, for every line, so that lines may be
 * ordered side by side. False if there are too many bytes. */
static inline bool order_work(const ad_shape *x, size_t *bytes)
{
	size_t count;

	return ad_count_of(x, &count) && !__builtin_mul_overflow(count, 2 * sizeof(int32_t), bytes);
}

/* dx from the gradient of the values: each went to its place. axis must be there in dy and places.
 */
static inline ad_node *values_grad(ad_node *x, ad_node *dy, ad_node *places, int64_t axis)
{
	return ad_scatter_add(ad_full_like(x, 0), places, dy, axis);
}

/* The same where the axis went, or the array is a single number. */
static inline ad_node *value_grad(ad_node *y, ad_node *dy, int64_t axis, bool keepdim)
{
	ad_node *x = ad_input_of(y, 0), *places = ad_output(y, 1);

	if (ad_shape_of(x).rank == 0)
		return dy;
	if (!keepdim) {
		dy = ad_unsqueeze(dy, axis);
		places = ad_unsqueeze(places, axis);
	}
	return values_grad(x, dy, places, axis);
}

#endif
