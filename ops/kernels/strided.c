/*
 * strided: copies between an array and a regular part of another.
 *
 * Elements are moved as bytes, so that one compilation serves all types and processors.
 */
#include "strided.h"

#if AD_BASE

void view_simplify(struct view *v)
{
	int n = 0;

	for (int i = 0; i < v->rank; i++) {
		if (v->dims[i] == 1)
			continue;
		if (n > 0 && v->stride[n - 1] == v->stride[i] * v->dims[i]) {
			v->dims[n - 1] *= v->dims[i];
			v->stride[n - 1] = v->stride[i];
		} else {
			v->dims[n] = v->dims[i];
			v->stride[n++] = v->stride[i];
		}
	}
	if (n == 0) {
		v->dims[0] = 1;
		v->stride[n++] = 1;
	}
	v->rank = n;
}

size_t view_rows(const struct view *v)
{
	size_t rows = 1;
	for (int i = 0; i < v->rank - 1; i++)
		rows *= (size_t)v->dims[i];
	return v->dims[v->rank - 1] == 0 ? 0 : rows;
}

size_t view_grain(const struct view *v)
{
	size_t row = (size_t)v->dims[v->rank - 1];
	return row >= 32768 ? 1 : 32768 / (row ? row : 1);
}

/* One row: n elements, `a` apart in to and `b` apart in from. */
#define COPY_ROW(type)                                                                             \
	do {                                                                                       \
		type *y = (type *)to;                                                              \
		const type *x = (const type *)from;                                                \
		if (a == 1 && b == 0)                                                              \
			for (int64_t k = 0; k < n; k++)                                            \
				y[k] = *x;                                                         \
		else                                                                               \
			for (int64_t k = 0; k < n; k++)                                            \
				y[k * a] = x[k * b];                                               \
	} while (0)

static void copy_row(size_t bytes, void *to, int64_t a, const void *from, int64_t b, int64_t n)
{
	if (a == 1 && b == 1)
		memcpy(to, from, (size_t)n * bytes);
	else if (bytes == 8)
		COPY_ROW(uint64_t);
	else if (bytes == 4)
		COPY_ROW(uint32_t);
	else
		COPY_ROW(unsigned char);
}

#define SIDE 16 /* rows side by side: as many 4-byte elements as a cache line has */

/* SIDE rows of n elements, row i beginning i elements after the first in the strided memory, in which
 * the elements of a row are `step` apart: a transpose, line by line of the cache on both sides. */
#define TRANSPOSE(type)                                                                            \
	for (int64_t k = 0; k < n; k++)                                                            \
		for (int64_t i = 0; i < SIDE; i++)                                                 \
			if (write)                                                                 \
				((type *)to)[k * step + i] = ((const type *)from)[i * n + k];      \
			else                                                                       \
				((type *)to)[i * n + k] = ((const type *)from)[k * step + i]

typedef uint32_t four __attribute__((vector_size(16), aligned(4), may_alias));

/* 4 by 4: to[j][i] = from[i][j]. */
static inline void transpose_4(uint32_t *to, int64_t to_row, const uint32_t *from, int64_t from_row)
{
	four a = *(const four *)from, b = *(const four *)(from + from_row);
	four c = *(const four *)(from + 2 * from_row), d = *(const four *)(from + 3 * from_row);
	four ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
	four ef = __builtin_shufflevector(a, b, 2, 6, 3, 7), gh = __builtin_shufflevector(c, d, 2, 6, 3, 7);

	*(four *)to = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
	*(four *)(to + to_row) = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
	*(four *)(to + 2 * to_row) = __builtin_shufflevector(ef, gh, 0, 1, 4, 5);
	*(four *)(to + 3 * to_row) = __builtin_shufflevector(ef, gh, 2, 3, 6, 7);
}

static void transpose_rows(size_t bytes, void *to, const void *from, int64_t step, int64_t n,
                           bool write)
{
	if (bytes == 4) {
		uint32_t *y = to;
		const uint32_t *x = from;
		int64_t k = 0;

		for (; k + 4 <= n; k += 4)
			for (int64_t i = 0; i < SIDE; i += 4)
				if (write)
					transpose_4(y + k * step + i, step, x + i * n + k, n);
				else
					transpose_4(y + i * n + k, n, x + k * step + i, step);
		for (; k < n; k++)
			for (int64_t i = 0; i < SIDE; i++)
				if (write)
					y[k * step + i] = x[i * n + k];
				else
					y[i * n + k] = x[k * step + i];
	} else if (bytes == 8) {
		TRANSPOSE(uint64_t);
	} else {
		TRANSPOSE(unsigned char);
	}
}

/* Walks the rows; calls for each, or for SIDE of them, with its offset in the strided memory. */
static void each_row(const struct view *v, size_t bytes, char *to, const char *from, bool write,
                     size_t begin, size_t end)
{
	int last = v->rank - 1;
	int64_t n = v->dims[last], at[AD_MAX_RANK] = { 0 }, offset = v->offset;
	int64_t size = (int64_t)bytes;
	size_t rest = begin;

	for (int i = last - 1; i >= 0; i--) {
		at[i] = (int64_t)(rest % (size_t)v->dims[i]);
		rest /= (size_t)v->dims[i];
		offset += at[i] * v->stride[i];
	}
	for (size_t row = begin; row < end;) {
		int64_t flat = (int64_t)row * n, side = 1;

		if (last > 0 && v->stride[last - 1] == 1 && v->stride[last] != 1 &&
		    v->dims[last - 1] - at[last - 1] >= SIDE && end - row >= SIDE)
			side = SIDE;
		row += (size_t)side;
		if (side > 1 && write)
			transpose_rows(bytes, to + offset * size, from + flat * size,
			               v->stride[last], n, true);
		else if (side > 1)
			transpose_rows(bytes, to + flat * size, from + offset * size,
			               v->stride[last], n, false);
		else if (write)
			copy_row(bytes, to + offset * size, v->stride[last], from + flat * size, 1,
			         n);
		else
			copy_row(bytes, to + flat * size, 1, from + offset * size, v->stride[last],
			         n);
		for (int i = last - 1; i >= 0; i--, side = 1) {
			offset += side * v->stride[i];
			at[i] += side;
			if (at[i] < v->dims[i])
				break;
			offset -= v->stride[i] * v->dims[i];
			at[i] = 0;
		}
	}
}

void view_read(const struct view *v, size_t bytes, void *to, const void *from, size_t begin,
               size_t end)
{
	each_row(v, bytes, to, from, false, begin, end);
}

void view_write(const struct view *v, size_t bytes, void *to, const void *from, size_t begin,
                size_t end)
{
	each_row(v, bytes, to, from, true, begin, end);
}

#endif
