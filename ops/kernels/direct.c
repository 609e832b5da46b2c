/*
 * direct: the gather of a convolution, tile by tile.
 *
 * A tile is some channels by some places of the result, kept in registers while the taps of all
 * channels pass by. Its places are read where they lie in the padded copy, rows behind one another
 * with what is between them (which is computed in vain); or, where there are channels enough to pay
 * for it, from a strip of their own that is gathered first, as in a packed matrix product. Or each
 * place is a vector across images, where there are many of small planes: nothing is then computed between
 * the rows, and taps that reach no element of x are left out.
 */
#include "direct.h"
#include "padded.h"

/* Tiles: rows, each of so many vectors, such that all stay in 32 registers, or in 16. */
#if AD_LEVEL == 2
#define TILES(X) X(8, 3) X(12, 2) X(6, 4) X(4, 6) X(2, 8) X(1, 8)
#define ROWS 12
#else
#define TILES(X) X(4, 3) X(6, 2) X(3, 4) X(2, 4) X(1, 8)
#define ROWS 6
#endif
_Static_assert(ROWS - 1 <= CONV_TILE, "the shape rules know how much whole tiles take");
#define WIDTH (8 * LANES) /* of the widest */

/* Steps of a tile at most, and numbers in a strip. */
#define DEEP 512
#define STEPS 640
#define STRIP 40960

#define CROSS 3
#define NEAR 98304 /* bytes that a row of tiles across images may read, to have them near by */
#define FAR 1.25   /* what it costs not to */

/* Of the steps of a part, some that follow one another. */
struct run {
	size_t first, stop;
};

typedef void tile_kernel(size_t vectors, size_t runs, const struct run *run, const ad_real *a,
                         const ad_real *b, const uint32_t *distance, const ad_real *start, ad_real *c,
                         size_t ldc, bool add);

/* c (+)= start + a b over the steps of some runs: a has R numbers a step; step k of b is distance[k]
 * from b. */
static inline __attribute__((always_inline)) void
tile(size_t R, size_t V, size_t runs, const struct run *run, const ad_real *a, const ad_real *b,
     const uint32_t *distance, const ad_real *start, ad_real *c, size_t ldc, bool add)
{
	vector sum[ROWS][8];

#pragma GCC unroll 16
	for (size_t i = 0; i < R; i++)
#pragma GCC unroll 8
		for (size_t j = 0; j < V; j++)
			sum[i][j] = (vector){ 0 } + start[i];
	for (; runs > 0; runs--, run++)
		for (size_t k = run->first; k < run->stop; k++) {
			const ad_real *at = b + distance[k], *by = a + k * R;
			vector now[8];

#pragma GCC unroll 8
			for (size_t j = 0; j < V; j++) {
				now[j] = *(const vector *)(at + j * LANES);
				if (R > 1)
					KEEP(now[j]);
			}
#pragma GCC unroll 16
			for (size_t i = 0; i < R; i++)
#pragma GCC unroll 8
				for (size_t j = 0; j < V; j++)
					sum[i][j] += by[i] * now[j];
		}
#pragma GCC unroll 16
	for (size_t i = 0; i < R; i++)
#pragma GCC unroll 8
		for (size_t j = 0; j < V; j++) {
			vector *to = (vector *)(c + i * ldc + j * LANES);

			if (add)
				sum[i][j] += *to;
			*to = sum[i][j];
		}
}

/* Of as many vectors as are needed, or a few more. */
#define TILE(R, V)                                                                                 \
	static void tile_##R(size_t vectors, size_t runs, const struct run *run, const ad_real *a, \
	                     const ad_real *b, const uint32_t *distance, const ad_real *start,     \
	                     ad_real *c, size_t ldc, bool add)                                     \
	{                                                                                          \
		if (vectors == 1)                                                                  \
			tile(R, 1, runs, run, a, b, distance, start, c, ldc, add);                 \
		else if (vectors == 2 && V > 2)                                                    \
			tile(R, V > 2 ? 2 : 1, runs, run, a, b, distance, start, c, ldc, add);     \
		else if (vectors <= 4 && V > 4)                                                    \
			tile(R, V > 4 ? 4 : 1, runs, run, a, b, distance, start, c, ldc, add);     \
		else                                                                               \
			tile(R, V, runs, run, a, b, distance, start, c, ldc, add);                 \
	}
TILES(TILE)

static const struct {
	size_t rows, vectors;
	tile_kernel *kernel;
} tiles[] = {
#define ENTRY(R, V) { R, V, tile_##R },
	TILES(ENTRY)
};

static tile_kernel *kernel_of(const struct direct *q)
{
	size_t k = 0;

	while (tiles[k].rows != q->rows)
		k++;
	return tiles[k].kernel;
}

/* Steps per block of rows cost about one row's worth of loads. */
static void choose_tile(struct direct *q)
{
	size_t best = SIZE_MAX;

	for (size_t k = 0; k < sizeof tiles / sizeof *tiles; k++) {
		size_t blocks = (q->M + tiles[k].rows - 1) / tiles[k].rows;
		size_t cost = blocks * (tiles[k].rows + 1);

		if (cost < best) {
			best = cost;
			q->rows = tiles[k].rows;
			q->vectors = tiles[k].vectors;
			q->blocks = blocks;
		}
	}
}

/* What the tiles of a box cost for each step, in elements; *pack: they cost less from strips that are
 * gathered first. Strips hold more places than there are between rows, but a step of theirs costs about as
 * much as six more rows of a tile. */
static double cost_along(const struct direct *q, const struct box *b, const struct padded *p, bool *pack)
{
	double rows = (double)b->images * (double)b->n[0] * (double)b->n[1];
	double places = rows * (double)b->n[2], width = (double)(q->vectors * LANES);
	double apart = rows * ceil((double)b->n[2] / (double)LANES) * (double)LANES;
	double flat = rows * (double)q->axis[1].step * (double)p->pitch;
	double size = (double)(q->blocks * q->rows), packed = places * (size + 6), lying;

	apart = (double)b->n[2] > width ? apart : rows * width;
	lying = (flat < apart ? flat : apart) * size;
	*pack = packed < lying;
	return *pack ? packed : lying;
}

/* Of the taps of all places of an axis, how many reach an element of the input, as a share. */
static double inside(const struct direct_axis *a)
{
	double all = 0;

	for (int64_t tap = 0; tap < a->taps; tap++) {
		int64_t at = a->shift + tap * a->shift_step;
		int64_t first = at < 0 ? (a->step - 1 - at) / a->step : 0;
		int64_t stop = at < a->in ? (a->in - 1 - at) / a->step + 1 : 0;

		stop = stop < a->n ? stop : a->n;
		all += stop > first ? (double)(stop - first) : 0;
	}
	return all / ((double)a->n * (double)a->taps);
}

/* Whether tiles across images cost less than along places. They leave out taps, but images are turned
 * into vectors and back, which costs about as much as CROSS products for each element, and more if columns
 * change their order. */
static bool is_across_cheaper(const struct direct *q)
{
	struct box b = { .images = 1, .n = { q->axis[0].n, q->axis[1].n, q->axis[2].n } };
	double plane = (double)(b.n[0] * b.n[1] * b.n[2]), groups = ceil((double)q->N / (double)LANES);
	double steps, across, elements, around;
	struct direct all = *q;
	struct part part;
	struct padded p;
	bool pack;

	for (int i = 0; i < 3; i++)
		all.taps[i] = q->axis[i].taps;
	all.channels = q->C;
	if (plane == 0 || !part_first(&all, &part) || direct_in_place(q))
		return false;
	padded_of(q, &b, &part, &p);
	steps = (double)part.K;
	elements = (double)q->C * (double)q->plane_in * (q->axis[2].step > 1 ? 3 : 1) + (double)q->M * plane;
	across = plane * steps * (double)(q->blocks * q->rows);
	for (int i = 0; i < 3; i++)
		across *= inside(&q->axis[i]);
	/* The rows that a row of the result reads, of the channels of a part. */
	around = steps < DEEP ? steps : DEEP;
	around *= (double)p.pitch / (double)q->axis[2].taps * VECTOR;
	if (around > NEAR)
		across *= FAR;
	across = groups * (double)LANES * (across + CROSS * elements);
	return across < (double)q->N * steps * cost_along(q, &b, &p, &pack);
}

static void cut(struct direct *q)
{
	size_t taps = (size_t)(q->axis[0].taps * q->axis[1].taps * q->axis[2].taps);
	bool in_place = direct_in_place(q);

	choose_tile(q);
	q->across = is_across_cheaper(q);
	/* What lies in place takes no room, but has to be packed. */
	direct_cut(q, in_place ? STRIP / ((q->vectors + 1) * LANES) : taps ? DEEP / taps : 1,
	           in_place ? DEEP : STEPS, 8 * q->vectors * LANES, SIZE_MAX,
	           in_place ? SIZE_MAX : ROOM);
}

struct direct AD_VARIANT(direct_product)(const struct conv *p)
{
	struct direct q = direct_of(p);

	cut(&q);
	return q;
}

static int64_t common_divisor(int64_t a, int64_t b)
{
	while (b) {
		int64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

struct direct AD_VARIANT(direct_spread)(const struct conv *p, size_t remainder)
{
	struct direct q = { .N = p->N,
		            .G = p->G,
		            .C = p->M,
		            .M = p->C,
		            .plane_in = p->plane_y,
		            .plane_out = p->plane_x,
		            .plane_k = p->plane_k,
		            .w_in = p->rows,
		            .w_out = p->plane_k };

	for (int i = 2; i >= 0; i--) {
		int64_t stride = p->stride[i], dilation = p->dilation[i];
		int64_t common = common_divisor(stride, dilation);
		size_t most = (size_t)(stride < p->x[i] ? stride : p->x[i]);
		int64_t at = most ? (int64_t)(remainder % most) : 0;
		struct direct_axis *a = &q.axis[i];

		remainder /= most ? most : 1;
		*a = (struct direct_axis){ .in = p->y[i],
			                   .out = p->x[i],
			                   .kernel = p->k[i],
			                   .n = p->x[i] > at ? (p->x[i] - at - 1) / stride + 1 : 0,
			                   .out_step = stride,
			                   .out_at = at,
			                   .step = 1,
			                   .shift_step = -dilation / common,
			                   .tap_step = stride / common };
		/* The first tap that reaches such places, if any does. */
		while (a->tap < a->tap_step && a->tap < a->kernel &&
		       (at + p->padding[i] - a->tap * dilation) % stride)
			a->tap++;
		if (a->tap < a->tap_step && a->tap < a->kernel) {
			a->taps = (a->kernel - 1 - a->tap) / a->tap_step + 1;
			a->shift = (at + p->padding[i] - a->tap * dilation) / stride;
		}
	}
	direct_simplify(&q);
	cut(&q);
	return q;
}

void AD_VARIANT(direct_pack)(const struct direct *q, const ad_real *w, ad_real *to, size_t begin,
                             size_t end)
{
	size_t size = direct_packed(q) / q->G, element[STEPS];

	for (size_t unit = begin; unit < end; unit++) {
		size_t g = unit / q->blocks, block = unit % q->blocks, m = block * q->rows;
		size_t rows = q->M - m < q->rows ? q->M - m : q->rows;
		const ad_real *from = w + g * q->C * q->M * q->plane_k + m * q->w_out;
		ad_real *t = to + g * size;
		struct part part;

		for (bool more = part_first(q, &part); more; more = part_next(q, &part)) {
			ad_real *a = t + block * part.K * q->rows;

			part_elements(q, &part, element);
			for (size_t k = 0; k < part.K; k++, a += q->rows) {
				for (size_t i = 0; i < rows; i++)
					a[i] = from[i * q->w_out + element[k]];
				for (size_t i = rows; i < q->rows; i++)
					a[i] = 0;
			}
			t += q->blocks * q->rows * part.K;
		}
	}
}

/* Places of a strip that lie side by side in the copy and in the result. */
struct segment {
	size_t at, n, from, to; /* in the strip, the copy, the result */
};

struct strip {
	size_t n, start, places; /* segments, where it starts in the copy, places in all */
	bool together;           /* its places lie side by side in the result */
	struct segment segment[WIDTH];
};

/* The next strip after the place `column` of row r. */
static void next_strip(const struct direct *q, const struct box *b, const struct padded *p,
                       size_t width, bool packed, struct rows *r, size_t *column,
                       struct strip *s)
{
	size_t at = 0, step = (size_t)q->axis[2].out_step, follows = 0;

	s->n = s->places = 0;
	s->together = step == 1;
	s->start = r->from + *column;
	while (r->left > 0) {
		size_t n = (size_t)b->n[2] - *column;

		if (!packed)
			at = r->from + *column - s->start;
		if (at >= width)
			return;
		n = n < width - at ? n : width - at;
		s->together = s->together &&
		              (s->n == 0 || (at == s->places && r->to + *column == follows));
		follows = r->to + *column + n;
		s->segment[s->n++] =
		    (struct segment){ at, n, r->from + *column, r->to + *column * step };
		at += n;
		s->places += n;
		*column += n;
		if (*column == (size_t)b->n[2]) {
			*column = 0;
			rows_next(q, b, p, r);
		}
	}
}

/* K rows of n numbers, of at most `vectors` vectors; writes whole vectors. */
static inline __attribute__((always_inline)) void
pack_segment(size_t vectors, size_t K, const ad_real *from, const uint32_t *distance, ad_real *to,
             size_t ld)
{
	for (size_t k = 0; k < K; k++, to += ld) {
		const vector *f = (const vector *)(from + distance[k]);
		vector *t = (vector *)to;

#pragma GCC unroll 4
		for (size_t j = 0; j < vectors; j++)
			t[j] = f[j];
	}
}

/* to (K x ld) = the places of s under each tap, in their order. Rows may spill by a vector, into
 * segments that follow, or what ld leaves. `exact`: nothing beyond a segment may be read. */
static void pack_strip(const struct strip *s, size_t K, const ad_real *from,
                       const uint32_t *distance, bool exact, ad_real *to, size_t ld)
{
	for (size_t i = 0; i < s->n; i++) {
		size_t n = s->segment[i].n;
		const ad_real *f = from + s->segment[i].from;
		ad_real *t = to + s->segment[i].at;

		if (n > 3 * LANES || (exact && n % LANES))
			for (size_t k = 0; k < K; k++)
				copy(t + k * ld, f + distance[k], n);
		else if (n > 2 * LANES)
			pack_segment(3, K, f, distance, t, ld);
		else if (n > LANES)
			pack_segment(2, K, f, distance, t, ld);
		else
			pack_segment(1, K, f, distance, t, ld);
	}
}

static void put(const struct strip *s, const ad_real *from, ad_real *to, size_t step, bool add)
{
	for (size_t i = 0; i < (s->together ? 1 : s->n); i++) {
		size_t n = s->together ? s->places : s->segment[i].n;
		const ad_real *f = from + s->segment[i].at;
		ad_real *t = to + s->segment[i].to;

		if (step > 1 && add)
			for (size_t j = 0; j < n; j++)
				t[j * step] += f[j];
		else if (step > 1)
			for (size_t j = 0; j < n; j++)
				t[j * step] = f[j];
		else if (add)
			add_to(t, f, n);
		else
			copy(t, f, n);
	}
}

/* One part of the steps, for all places and rows of a box. */
static void gather_part(const struct direct *q, const struct box *b, const struct part *part,
                        const ad_real *in, const ad_real *a, const ad_real *bias, ad_real *out,
                        bool add)
{
	_Alignas(64) ad_real copied[ROOM + MARGIN], packed[STRIP + MARGIN], edge[ROWS * WIDTH];
	uint32_t distance[STEPS], place[STEPS];
	size_t width = q->vectors * LANES, column = 0;
	tile_kernel *kernel = kernel_of(q);
	const ad_real *from = copied;
	bool in_place, pack;
	struct padded p;
	struct rows r;
	struct strip s;
	const struct run steps = { 0, part->K };

	padded_of(q, b, part, &p);
	pack = part->K * (width + LANES) <= STRIP;
	in_place = pack && direct_in_place(q) && q->plane_in * part->channels <= UINT32_MAX;
	if (in_place) {
		padded_in_place(q, b, &p);
		from = in + b->image * q->G * q->C * q->plane_in + part->channel * q->plane_in;
	} else {
		bool cheaper;

		cost_along(q, b, &p, &cheaper);
		pack &= cheaper;
		padded_fill(q, b, part, &p, in, copied);
	}
	padded_distances(q, part, &p, distance);
	for (size_t k = 0; pack && k < part->K; k++)
		place[k] = (uint32_t)(k * (width + LANES));
	rows_first(q, b, &p, &r);
	while (r.left > 0) {
		size_t vectors;
		const ad_real *at;

		next_strip(q, b, &p, width, pack, &r, &column, &s);
		vectors = (s.segment[s.n - 1].at + s.segment[s.n - 1].n + LANES - 1) / LANES;
		at = from + s.start;
		if (pack) {
			pack_strip(&s, part->K, from, distance, in_place, packed, width + LANES);
			at = packed;
		}
		for (size_t block = 0; block < q->blocks; block++) {
			size_t m = block * q->rows, rows = q->M - m < q->rows ? q->M - m : q->rows;
			ad_real start[ROWS] = { 0 }, *to = out + m * q->plane_out;
			const ad_real *w = a + m * part->K;

			for (size_t i = 0; bias && i < rows; i++)
				start[i] = bias[m + i];
			if (s.together && s.places == width && rows == q->rows) {
				kernel(vectors, 1, &steps, w, at, pack ? place : distance, start,
				       to + s.segment[0].to, q->plane_out, add);
				continue;
			}
			kernel(vectors, 1, &steps, w, at, pack ? place : distance, start, edge, width,
			       false);
			for (size_t i = 0; i < rows; i++)
				put(&s, edge + i * width, to + i * q->plane_out,
				    (size_t)q->axis[2].out_step, add);
		}
	}
}

/* ---- across images ------------------------------------------------------------------------------- */

/* The taps of a part that reach an element of the input from any of the places first..last of axis i. */
static struct run reaching(const struct direct *q, const struct part *part, int i, int64_t first,
                           int64_t last)
{
	const struct direct_axis *a = &q->axis[i];
	struct run r = { 0, (size_t)part->taps[i] };
	int64_t at = a->shift + part->first[i] * a->shift_step;

#define REACHES(tap)                                                                               \
	(last * a->step + at + (int64_t)(tap) * a->shift_step >= 0 &&                              \
	 first * a->step + at + (int64_t)(tap) * a->shift_step < a->in)
	while (r.first < r.stop && !REACHES(r.first))
		r.first++;
	while (r.first < r.stop && !REACHES(r.stop - 1))
		r.stop--;
#undef REACHES
	return r;
}

/* The steps of a part that use those taps. */
static size_t runs_of(const struct part *part, const struct run taps[3], struct run *run)
{
	struct run *at = run;

	for (size_t c = 0; c < part->channels; c++)
		for (size_t d = taps[0].first; d < taps[0].stop; d++)
			for (size_t i = taps[1].first; i < taps[1].stop; i++) {
				size_t row = ((c * (size_t)part->taps[0] + d) * (size_t)part->taps[1] + i) *
				             (size_t)part->taps[2];
				struct run now = { row + taps[2].first, row + taps[2].stop };

				if (at > run && at[-1].stop == now.first)
					at[-1].stop = now.stop;
				else if (now.stop > now.first)
					*at++ = now;
			}
	return (size_t)(at - run);
}

/* From one channel to the next in what is turned back: not a power of 2, whose multiples share few places of
 * a cache. */
#define TURN_LD ((TURN + 1) * LANES)

/* Puts n places of `rows` channels where they belong in the result, `step` apart. */
static void turn_back(const struct direct *q, size_t rows, size_t images, size_t n, const ad_real *from,
                      ad_real *to, size_t step, bool add)
{
	size_t apart = q->G * q->M * q->plane_out;

	for (size_t m = 0; m < rows; m++, from += TURN_LD, to += q->plane_out) {
		ad_real turned[LANES * TURN];

		if (step == 1 && !add) {
			transpose(from, LANES, images, n, to, apart);
			continue;
		}
		transpose(from, LANES, images, n, turned, TURN);
		for (size_t i = 0; i < images; i++) {
			ad_real *t = to + i * apart;

			if (step == 1)
				add_to(t, turned + i * TURN, n);
			else
				for (size_t j = 0; j < n; j++)
					t[j * step] = add ? t[j * step] + turned[i * TURN + j]
					                  : turned[i * TURN + j];
		}
	}
}

/* The columns of a row of places that all taps of a part reach, of `places` from `first` on: from [0] up to
 * [1]; few of the others share their taps. */
static void inner_columns(const struct direct *q, const struct part *part, int64_t first, size_t places,
                          size_t inner[2])
{
	size_t all = (size_t)part->taps[2], at = 0;

	for (size_t i = 0; i < 2; i++) {
		bool inside = i == 0;

		for (; at < places; at++) {
			struct run r = reaching(q, part, 2, first + (int64_t)at, first + (int64_t)at);

			if ((r.stop - r.first == all) == inside)
				break;
		}
		inner[i] = at;
	}
}

/* How many columns the next tile has. */
static size_t next_width(const struct direct *q, size_t column, size_t places, const size_t inner[2])
{
	/* At the edges two, or more where a tile has few rows: sums enough to fill the time of an addition. */
	size_t edge = q->rows < 4 ? 8 / q->rows : 2;
	size_t most = column >= inner[0] && column < inner[1] ? q->vectors : edge;
	size_t stop = column < inner[0] ? inner[0] : column < inner[1] ? inner[1] : places;

	most = most < q->vectors ? most : q->vectors;
	return stop - column < most ? stop - column : most;
}

/* gather_part, of a box that has a vector of images. */
static void gather_across(const struct direct *q, const struct box *b, const struct part *part,
                          const ad_real *in, const ad_real *a, const ad_real *bias, ad_real *out,
                          bool add)
{
	_Alignas(64) ad_real copied[ROOM + MARGIN], result[ROWS * TURN_LD];
	size_t step = (size_t)q->axis[2].out_step, inner[2];
	struct run run[STEPS], taps[3], before[3] = { { 0, 0 } };
	size_t runs = 0;
	tile_kernel *kernel = kernel_of(q);
	uint32_t distance[STEPS];
	struct box one = *b;
	struct padded p;

	one.images = 1;
	padded_of(q, &one, part, &p);
	padded_across(q, b, part, &p, in, copied);
	padded_distances(q, part, &p, distance);
	for (size_t k = 0; k < part->K; k++)
		distance[k] *= LANES;
	inner_columns(q, part, b->first[2], (size_t)b->n[2], inner);
	for (size_t m = 0; m < q->M; m += q->rows, a += q->rows * part->K) {
		size_t rows = q->M - m < q->rows ? q->M - m : q->rows, n = 0, begin = 0;
		ad_real start[ROWS] = { 0 }, *to = out + m * q->plane_out;
		struct rows r;

		for (size_t i = 0; bias && i < rows; i++)
			start[i] = bias[m + i];
		for (rows_first(q, &one, &p, &r); r.left > 0; rows_next(q, &one, &p, &r)) {
			size_t places = (size_t)b->n[2], vectors;
			int64_t depth = b->first[0] + r.depth, row = b->first[1] + r.row;

			taps[0] = reaching(q, part, 0, depth, depth);
			taps[1] = reaching(q, part, 1, row, row);
			for (size_t column = 0; column < places; column += vectors) {
				int64_t first = b->first[2] + (int64_t)column;
				size_t at = r.to + column * step;

				vectors = next_width(q, column, places, inner);
				taps[2] = reaching(q, part, 2, first, first + (int64_t)vectors - 1);
				if (n > 0 && (at != begin + n * step || n + q->vectors > TURN)) {
					turn_back(q, rows, b->images, n, result, to + begin, step, add);
					n = 0;
				}
				begin = n > 0 ? begin : at;
				if (memcmp(taps, before, sizeof taps) != 0) {
					runs = runs_of(part, taps, run);
					memcpy(before, taps, sizeof taps);
				}
				kernel(vectors, runs, run, a,
				       copied + (r.from + column) * LANES, distance, start,
				       result + n * LANES, TURN_LD, false);
				n += vectors;
			}
		}
		if (n > 0)
			turn_back(q, rows, b->images, n, result, to + begin, step, add);
	}
}

/* No tap reaches these places. */
static void fill_box(const struct direct *q, const struct box *b, const ad_real *bias, ad_real *out)
{
	const struct padded none = { 0 };
	size_t step = (size_t)q->axis[2].out_step;
	struct rows r;

	for (rows_first(q, b, &none, &r); r.left > 0; rows_next(q, b, &none, &r))
		for (size_t m = 0; m < q->M; m++)
			for (size_t j = 0; j < (size_t)b->n[2]; j++)
				out[m * q->plane_out + r.to + j * step] = bias ? bias[m] : 0;
}

static void add_bias(const struct direct *q, const struct box *b, const ad_real *bias, ad_real *out)
{
	const struct padded none = { 0 };
	size_t step = (size_t)q->axis[2].out_step;
	struct rows r;

	for (rows_first(q, b, &none, &r); r.left > 0; rows_next(q, b, &none, &r))
		for (size_t m = 0; m < q->M; m++)
			for (size_t j = 0; j < (size_t)b->n[2]; j++)
				out[m * q->plane_out + r.to + j * step] += bias[m];
}

/* Says that the places of a box are final: stretches as long as they lie side by side. */
static void finish_box(const struct direct *q, const struct box *b, size_t g, const ad_run *run)
{
	bool rows = b->n[2] == q->axis[2].out, planes = rows && b->n[1] == q->axis[1].out;
	bool all = planes && b->n[0] == q->axis[0].out;
	size_t n = (size_t)b->n[2];
	const struct padded none = { 0 };
	struct rows r;

	if (rows)
		n *= (size_t)b->n[1];
	if (planes)
		n *= (size_t)b->n[0];
	for (rows_first(q, b, &none, &r); r.left > 0; rows_next(q, b, &none, &r)) {
		if ((rows && r.row > 0) || (planes && r.depth > 0))
			continue;
		if (all)
			ad_finish(run, 0, g * q->M * q->plane_out + r.to, n * q->M);
		else
			for (size_t m = 0; m < q->M; m++)
				ad_finish(run, 0, (g * q->M + m) * q->plane_out + r.to, n);
	}
}

void AD_VARIANT(direct_gather)(const struct direct *q, const ad_real *in, const ad_real *packed,
                               const ad_real *b, ad_real *out, bool add, const ad_run *finish,
                               size_t begin, size_t end)
{
	size_t size = direct_packed(q) / q->G;

	for (size_t unit = begin; unit < end; unit++) {
		size_t g = unit % q->G;
		struct box box = box_at(q, unit / q->G);
		const ad_real *a = packed + g * size, *bias = b ? b + g * q->M : NULL;
		ad_real *to = out + g * q->M * q->plane_out;
		struct part part;
		bool any = false;

		for (bool more = part_first(q, &part); more; more = part_next(q, &part)) {
			(q->across ? gather_across : gather_part)(q, &box, &part, in + g * q->C * q->plane_in,
			                                          a, any ? NULL : bias, to, add || any);
			a += q->blocks * q->rows * part.K;
			any = true;
		}
		if (!any && !add)
			fill_box(q, &box, bias, to);
		else if (!any && bias)
			add_bias(q, &box, bias, to);
		if (finish)
			finish_box(q, &box, g, finish);
	}
}
