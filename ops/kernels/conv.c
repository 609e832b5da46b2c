/*
 * conv: the columns of a convolution.
 */
#include "conv.h"

/* A row of the columns: one element of the kernel in one channel. */
struct row {
	size_t channel;
	int64_t shift[3];    /* its place in x is that of y times the stride, plus this */
	int64_t first, stop; /* the places of the last axis of y where that is inside of x */
};

static struct row row_of(const struct conv *p, size_t row)
{
	struct row r = { .channel = row / p->plane_k };
	size_t k = row % p->plane_k;

	for (int i = 2; i >= 0; i--) {
		r.shift[i] = (int64_t)(k % (size_t)p->k[i]) * p->dilation[i] - p->padding[i];
		k /= (size_t)p->k[i];
	}
	r.first = r.shift[2] >= 0 ? 0 : (-r.shift[2] + p->stride[2] - 1) / p->stride[2];
	r.stop =
	    r.shift[2] >= p->x[2] ? 0 : (p->x[2] - r.shift[2] + p->stride[2] - 1) / p->stride[2];
	r.first = r.first < p->y[2] ? r.first : p->y[2];
	r.stop = r.stop < p->y[2] ? r.stop : p->y[2];
	r.stop = r.stop > r.first ? r.stop : r.first;
	return r;
}

/* A stretch of columns along the last axis of y. */
struct stretch {
	int64_t y[3];
	size_t n;
};

static struct stretch stretch_at(const struct conv *p, size_t column)
{
	struct stretch s = { .n = 0 };

	for (int i = 2; i >= 0; i--) {
		s.y[i] = (int64_t)(column % (size_t)p->y[i]);
		column /= (size_t)p->y[i];
	}
	return s;
}

/* The next stretch of at most `left` columns, after the s->n of the one before. */
static void stretch_next(const struct conv *p, struct stretch *s, size_t left)
{
	s->y[2] += (int64_t)s->n;
	if (s->y[2] == p->y[2]) {
		s->y[2] = 0;
		if (++s->y[1] == p->y[1]) {
			s->y[1] = 0;
			s->y[0]++;
		}
	}
	s->n = (size_t)(p->y[2] - s->y[2]);
	s->n = s->n < left ? s->n : left;
}

/* Which columns of a stretch are inside of x: from *first to *stop, counted in the stretch; and
 * where in the channel's plane the first of them comes from. False: none is. */
static bool stretch_inside(const struct conv *p, const struct row *r, const struct stretch *s,
                           size_t *first, size_t *stop, size_t *from)
{
	int64_t a = s->y[0] * p->stride[0] + r->shift[0], b = s->y[1] * p->stride[1] + r->shift[1];
	int64_t begin = s->y[2] > r->first ? s->y[2] : r->first;
	int64_t end = s->y[2] + (int64_t)s->n;

	end = end < r->stop ? end : r->stop;
	if (a < 0 || a >= p->x[0] || b < 0 || b >= p->x[1] || begin >= end)
		return false;
	*first = (size_t)(begin - s->y[2]);
	*stop = (size_t)(end - s->y[2]);
	*from = (size_t)((a * p->x[1] + b) * p->x[2] + begin * p->stride[2] + r->shift[2]);
	return true;
}

void AD_VARIANT(conv_columns)(const struct conv *p, const ad_real *x, size_t row, size_t stop,
                              size_t column, size_t n, ad_real *to, size_t ld)
{
	const struct stretch start = stretch_at(p, column);
	const size_t step = (size_t)p->stride[2];

	for (; row < stop; row++, to += ld) {
		const struct row r = row_of(p, row);
		const ad_real *plane = x + r.channel * p->plane_x;
		struct stretch s = start;

		for (size_t at = 0; at < n; at += s.n) {
			size_t first, end, from;
			ad_real *t = to + at;

			stretch_next(p, &s, n - at);
			if (!stretch_inside(p, &r, &s, &first, &end, &from)) {
				memset(t, 0, s.n * sizeof *t);
				continue;
			}
			for (size_t k = 0; k < first; k++)
				t[k] = 0;
			if (step == 1)
				memcpy(t + first, plane + from, (end - first) * sizeof *t);
			else
				for (size_t k = first; k < end; k++)
					t[k] = plane[from + (k - first) * step];
			for (size_t k = end; k < s.n; k++)
				t[k] = 0;
		}
	}
}

void AD_VARIANT(conv_add_columns)(const struct conv *p, ad_real *x, size_t row, size_t stop,
                                  size_t column, size_t n, const ad_real *from, size_t ld)
{
	const struct stretch start = stretch_at(p, column);
	const size_t step = (size_t)p->stride[2];

	for (; row < stop; row++, from += ld) {
		const struct row r = row_of(p, row);
		ad_real *plane = x + r.channel * p->plane_x;
		struct stretch s = start;

		for (size_t at = 0; at < n; at += s.n) {
			size_t first, end, to;
			const ad_real *f = from + at;

			stretch_next(p, &s, n - at);
			if (!stretch_inside(p, &r, &s, &first, &end, &to))
				continue;
			if (step == 1)
				for (size_t k = first; k < end; k++)
					plane[to + k - first] += f[k];
			else
				for (size_t k = first; k < end; k++)
					plane[to + (k - first) * step] += f[k];
		}
	}
}
