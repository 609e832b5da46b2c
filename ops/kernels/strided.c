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

/* Walks the rows; calls for each with its offset in the strided memory. */
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
	for (size_t row = begin; row < end; row++) {
		int64_t flat = (int64_t)row * n;
		if (write)
			copy_row(bytes, to + offset * size, v->stride[last], from + flat * size, 1,
			         n);
		else
			copy_row(bytes, to + flat * size, 1, from + offset * size, v->stride[last],
			         n);
		for (int i = last - 1; i >= 0; i--) {
			offset += v->stride[i];
			if (++at[i] < v->dims[i])
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
