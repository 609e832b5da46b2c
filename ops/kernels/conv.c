/*
 * conv: the three products of a convolution, tile by tile.
 */
#include "conv.h"

#define ROOM (131072 / sizeof(ad_real)) /* of a tile */
#define DEEP 256                        /* rows of a tile at most */

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

/* A tile: the columns column..column+n-1 of `images` images from `image` on (all of them where
 * there are several). */
struct tile {
	size_t image, images, column, n;
};

static struct tile tile_at(const struct conv *p, size_t k)
{
	struct tile t = { .images = 1 };

	if (p->images > 1) {
		t.image = k * p->images;
		t.images = p->N - t.image < p->images ? p->N - t.image : p->images;
		t.n = p->plane_y;
	} else {
		t.image = k / p->tiles;
		t.column = k % p->tiles * p->columns;
		t.n = p->plane_y - t.column < p->columns ? p->plane_y - t.column : p->columns;
	}
	return t;
}

/* The kernel is one element, at every element: the columns are x itself. */
static bool is_pointwise(const struct conv *p)
{
	for (int i = 0; i < 3; i++)
		if (p->k[i] != 1 || p->stride[i] != 1 || p->padding[i] != 0 || p->x[i] != p->y[i])
			return false;
	return true;
}

/* The columns of a tile in one group: in `room`, or where they lie. */
static const ad_real *columns_of(const struct conv *p, const struct tile *t, size_t g,
                                 const ad_real *x, size_t row, size_t stop, ad_real *room,
                                 size_t *ld)
{
	size_t image = p->G * p->C * p->plane_x;

	x += t->image * image + g * p->C * p->plane_x;
	if (t->images == 1 && is_pointwise(p)) {
		*ld = p->plane_x;
		return x + row * p->plane_x + t->column;
	}
	*ld = t->images * t->n;
	for (size_t i = 0; i < t->images; i++)
		AD_VARIANT(conv_columns)
	(p, x + i * image, row, stop, t->column, t->n, room + i * t->n, *ld);
	return room;
}

/* The same places of y, channels m..stop-1 of a group. */
static const ad_real *places_of_y(const struct conv *p, const struct tile *t, size_t g,
                                  const ad_real *y, size_t m, size_t stop, ad_real *room,
                                  size_t *ld)
{
	size_t image = p->G * p->M * p->plane_y;

	y += t->image * image + g * p->M * p->plane_y;
	if (t->images == 1) {
		*ld = p->plane_y;
		return y + m * p->plane_y + t->column;
	}
	*ld = t->images * t->n;
	for (size_t k = m; k < stop; k++)
		for (size_t i = 0; i < t->images; i++)
			memcpy(room + (k - m) * *ld + i * t->n, y + i * image + k * p->plane_y,
			       t->n * sizeof *room);
	return room;
}

/* Channels of y that go with one tile, of those which are gathered from several images. */
static size_t block_of_y(const struct conv *p, const struct tile *t)
{
	size_t block = t->images == 1 || t->n == 0 ? p->M : ROOM / (t->images * t->n);

	return block < p->M ? block : p->M;
}

void AD_VARIANT(conv_product)(const struct conv *p, const ad_real *x, const ad_real *w,
                              const ad_real *b, ad_real *y, size_t begin, size_t end)
{
	_Alignas(64) ad_real room[ROOM], result[ROOM];
	size_t tiles = conv_tiles(p), image = p->G * p->M * p->plane_y;

	for (size_t unit = begin; unit < end; unit++) {
		struct tile t = tile_at(p, unit % tiles);
		size_t g = unit / tiles, n = t.images * t.n, block = block_of_y(p, &t);
		const ad_real *wg = w + g * p->M * p->rows;

		for (size_t m = 0; m < p->M; m += block) {
			size_t high = p->M - m < block ? p->M - m : block;
			ad_real *to = y + t.image * image + (g * p->M + m) * p->plane_y + t.column;
			size_t ld = t.images == 1 ? p->plane_y : n;
			ad_real *sum = t.images == 1 ? to : result;

			/* The bias first, to which the products are added. */
			for (size_t k = 0; b && k < high; k++)
				for (size_t i = 0; i < n; i++)
					sum[k * ld + i] = b[g * p->M + m + k];
			for (size_t row = 0; row == 0 || row < p->rows; row += DEEP) {
				size_t stop = p->rows - row < DEEP ? p->rows : row + DEEP, ldc;
				const ad_real *c = columns_of(p, &t, g, x, row, stop, room, &ldc);

				AD_VARIANT(gemm)
				(false, false, high, n, stop - row, wg + m * p->rows + row, p->rows,
				 c, ldc, sum, ld, b || row > 0);
			}
			if (t.images == 1)
				continue;
			for (size_t k = 0; k < high; k++)
				for (size_t i = 0; i < t.images; i++)
					memcpy(to + i * image + k * p->plane_y,
					       sum + k * n + i * t.n, t.n * sizeof *to);
		}
	}
}

/* What a tile of y adds to the channels c..stop-1 of x. */
static void spread_tile(const struct conv *p, const struct tile *t, size_t g, const ad_real *y,
                        const ad_real *w, ad_real *x, size_t c, size_t c_stop)
{
	_Alignas(64) ad_real room[ROOM], gathered[ROOM];
	size_t n = t->images * t->n, block = block_of_y(p, t), ld;
	size_t image = p->G * p->C * p->plane_x, last = c_stop * p->plane_k;

	x += t->image * image + g * p->C * p->plane_x;
	for (size_t row = c * p->plane_k; row < last; row += DEEP) {
		size_t stop = last - row < DEEP ? last : row + DEEP;

		for (size_t m = 0; m < p->M; m += block) {
			size_t m_stop = p->M - m < block ? p->M : m + block;
			const ad_real *d = places_of_y(p, t, g, y, m, m_stop, gathered, &ld);

			AD_VARIANT(gemm)
			(true, false, stop - row, n, m_stop - m, w + (g * p->M + m) * p->rows + row,
			 p->rows, d, ld, room, n, m > 0);
		}
		for (size_t i = 0; p->M > 0 && i < t->images; i++)
			AD_VARIANT(conv_add_columns)
		(p, x + i * image, row, stop, t->column, t->n, room + i * t->n, n);
	}
}

void AD_VARIANT(conv_spread)(const struct conv *p, const ad_real *y, const ad_real *w,
                             const ad_real *b, ad_real *x, size_t begin, size_t end)
{
	size_t blocks = (p->C + p->channels - 1) / p->channels, image = p->G * p->C * p->plane_x;

	for (size_t unit = begin; unit < end; unit++) {
		size_t c = unit % blocks * p->channels, g = unit / blocks % p->G;
		size_t where = unit / blocks / p->G;
		size_t stop = p->C - c < p->channels ? p->C : c + p->channels;
		size_t tiles = p->images > 1 ? 1 : p->tiles, first = where * p->images;
		size_t last = first + p->images < p->N ? first + p->images : p->N;

		for (size_t n = first; n < last; n++)
			for (size_t k = c; k < stop; k++) {
				ad_real *to = x + n * image + (g * p->C + k) * p->plane_x;
				ad_real start = b ? b[g * p->C + k] : 0;

				for (size_t i = 0; i < p->plane_x; i++)
					to[i] = start;
			}
		for (size_t k = 0; k < tiles; k++) {
			struct tile t = tile_at(p, where * tiles + k);

			spread_tile(p, &t, g, y, w, x, c, stop);
		}
	}
}

void AD_VARIANT(conv_weigh)(const struct conv *p, const ad_real *x, const ad_real *y, ad_real *w,
                            size_t begin, size_t end)
{
	_Alignas(64) ad_real room[ROOM], gathered[ROOM];
	size_t parts = (p->rows + DEEP - 1) / DEEP, all = conv_tiles(p);

	for (size_t unit = begin; unit < end; unit++) {
		size_t row = unit % parts * DEEP, g = unit / parts % p->G,
		       slice = unit / parts / p->G;
		size_t stop = p->rows - row < DEEP ? p->rows : row + DEEP;
		size_t from = all / p->slices * slice + all % p->slices * slice / p->slices;
		size_t to =
		    all / p->slices * (slice + 1) + all % p->slices * (slice + 1) / p->slices;
		ad_real *sum = w + (slice * p->G + g) * p->M * p->rows + row;

		for (size_t k = 0; from == to && k < p->M; k++)
			memset(sum + k * p->rows, 0, (stop - row) * sizeof *sum);
		for (size_t k = from; k < to; k++) {
			struct tile t = tile_at(p, k);
			size_t block = block_of_y(p, &t), ldc, ldy;
			const ad_real *c = columns_of(p, &t, g, x, row, stop, room, &ldc);

			for (size_t m = 0; m < p->M; m += block) {
				size_t m_stop = p->M - m < block ? p->M : m + block;
				const ad_real *d =
				    places_of_y(p, &t, g, y, m, m_stop, gathered, &ldy);

				AD_VARIANT(gemm)
				(false, true, m_stop - m, stop - row, t.images * t.n, d, ldy, c,
				 ldc, sum + m * p->rows, p->rows, k > from);
			}
		}
	}
}

void AD_VARIANT(conv_add_slices)(const struct conv *p, const ad_real *slices, ad_real *w,
                                 size_t begin, size_t end)
{
	size_t size = p->G * p->M * p->rows;

	for (size_t k = begin; k < end; k++)
		w[k] = slices[k];
	for (size_t s = 1; s < p->slices; s++)
		for (size_t k = begin; k < end; k++)
			w[k] += slices[s * size + k];
}
