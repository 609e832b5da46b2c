/*
 * shape: sizes of axes, broadcasting, and the shape rules that many ops share.
 */
#include "graph.h"

#include <stdarg.h>
#include <stdio.h>

bool ad_equal_shapes(const ad_shape *a, const ad_shape *b)
{
	if (a->rank != b->rank)
		return false;
	for (int i = 0; i < a->rank; i++)
		if (a->dims[i] != b->dims[i])
			return false;
	return true;
}

bool ad_count_of(const ad_shape *shape, size_t *count)
{
	int64_t n = 1;
	bool empty = false;

	if (shape->rank < 0 || shape->rank > AD_MAX_RANK)
		return false;
	for (int i = 0; i < shape->rank; i++) {
		if (shape->dims[i] < 0)
			return false;
		if (shape->dims[i] == 0)
			empty = true;
		else if (__builtin_mul_overflow(n, shape->dims[i], &n))
			return false;
	}
	/* room for the bytes of the widest element */
	if (n > INT64_MAX / 16 || (uint64_t)n > SIZE_MAX / 16)
		return false;
	*count = empty ? 0 : (size_t)n;
	return true;
}

char *ad_print_shape(char *text, size_t n, ad_shape shape)
{
	size_t used = 0;

	if (n == 0)
		return text;
	text[0] = '\0';
	for (int i = 0; i < shape.rank && used < n; i++)
		used += (size_t)snprintf(text + used, n - used, "%s%lld", i ? ", " : "(",
		                         (long long)shape.dims[i]);
	if (used < n)
		snprintf(text + used, n - used, shape.rank == 0 ? "()" : shape.rank == 1 ? ",)" : ")");
	return text;
}

const char *ad_show_shape(ad_infer *s, ad_shape shape)
{
	/* a sentence names at most some shapes; per thread, as graphs are */
	static _Thread_local char ring[8][192];
	static _Thread_local unsigned next;
	char *text = ring[next++ % 8];

	return ad_print_shape(text, sizeof ring[0], shape);
}

const char *ad_show(ad_infer *s, int i)
{
	return i < s->n_in && s->in[i].rank >= 0 ? ad_show_shape(s, s->in[i]) : "nothing";
}

bool ad_refuse(ad_infer *s, const char *format, ...)
{
	char text[768];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	ad_fail(s->graph, AD_ERROR_SHAPE, "%s: %s", s->op->name, text);
	return false;
}

bool ad_broadcast(ad_shape *a, const ad_shape *b)
{
	int rank = a->rank > b->rank ? a->rank : b->rank;
	ad_shape y = { rank, { 0 } };

	for (int i = 1; i <= rank; i++) {
		int64_t m = i <= a->rank ? a->dims[a->rank - i] : 1;
		int64_t n = i <= b->rank ? b->dims[b->rank - i] : 1;

		if (m != n && m != 1 && n != 1)
			return false;
		y.dims[rank - i] = m == 1 ? n : m;
	}
	*a = y;
	return true;
}

bool ad_same_shape(ad_infer *s)
{
	s->out[0] = s->in[0];
	return true;
}

bool ad_broadcast_shape(ad_infer *s)
{
	ad_shape y = AD_SCALAR;

	for (int i = 0; i < s->n_in; i++) {
		if (s->in[i].rank < 0)
			continue;
		if (ad_broadcast(&y, &s->in[i]))
			continue;
		if (s->n_in == 2)
			return ad_refuse(s, "cannot broadcast %s and %s", ad_show(s, 0), ad_show(s, 1));
		return ad_refuse(s, "cannot broadcast %s with %s", ad_show(s, i), ad_show_shape(s, y));
	}
	s->out[0] = y;
	return true;
}

int ad_axis(ad_infer *s, int rank, int64_t axis)
{
	int64_t n = rank > 0 ? rank : 1;

	if (axis < -n || axis >= n) {
		ad_refuse(s, "axis %lld is out of range for %s", (long long)axis, ad_show(s, 0));
		return -1;
	}
	return (int)(axis < 0 ? axis + n : axis);
}

bool ad_axes(ad_infer *s, int rank, ad_ints axes, bool chosen[AD_MAX_RANK])
{
	for (int i = 0; i < AD_MAX_RANK; i++)
		chosen[i] = axes.n < 0 && i < rank;
	for (int64_t k = 0; k < axes.n; k++) {
		int axis = ad_axis(s, rank, axes.v[k]);

		if (axis < 0)
			return false;
		if (chosen[axis])
			return ad_refuse(s, "axis %lld is given twice", (long long)axes.v[k]);
		chosen[axis] = true;
	}
	return true;
}

void ad_around_axis(const ad_shape *shape, int axis, size_t *outer, size_t *size, size_t *inner)
{
	*outer = *inner = 1;
	*size = shape->rank > 0 ? (size_t)shape->dims[axis] : 1;
	for (int i = 0; i < axis && i < shape->rank; i++)
		*outer *= (size_t)shape->dims[i];
	for (int i = axis + 1; i < shape->rank; i++)
		*inner *= (size_t)shape->dims[i];
}
