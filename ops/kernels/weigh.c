/*
 * weigh: the gradient of a convolution by its weights, box by box.
 *
 * Two ways, by what fills vectors better:
 *
 *   channels   The copy has its channels innermost: those under neighbouring taps of a row lie side by
 *              side, a run of them. A tile of sums is some outputs by some vectors of a run; places pass
 *              by, outputs from a panel that holds those of a place side by side.
 *   places     A tile of sums is some outputs by some taps, each a vector of sums over places that lie
 *              side by side, or over the images of a place, which are added up at the end of a box. For few
 *              channels.
 */
#include "direct.h"
#include "padded.h"

#if AD_LEVEL == 2
#define TILES(X) X(8, 3) X(12, 2) X(6, 4) X(4, 4) X(2, 4) X(1, 4)
#define ROWS 12
#define TAPS 8
#else
#define TILES(X) X(4, 3) X(6, 2) X(3, 3) X(2, 3) X(1, 3)
#define ROWS 6
#define TAPS 4
#endif
#define OUTPUTS 3 /* of a tile over places */
_Static_assert(ROWS - 1 <= CONV_TILE, "the shape rules know how much whole tiles take");

/* Numbers in a panel, rows of a part of the rows, steps of a part over places, lines of a box. */
#define PANEL (131072 / sizeof(ad_real))
#define MOST_ROWS 64
#define STEPS 512
#define LINES 1024

/* ---- channels ------------------------------------------------------------------------------------ */

/* Rows of places, or all rows as one, with what is between them. */
struct lines {
	size_t n, places;   /* how many, and the places of each */
	size_t from[LINES]; /* where each begins in the copy */
};

typedef void tile_kernel(const struct lines *l, const ad_real *a, const ad_real *b, size_t step,
                         ad_real *sums, size_t ld);

static inline __attribute__((always_inline)) void tile(size_t R, size_t V, const struct lines *l,
                                                       const ad_real *a, const ad_real *b,
                                                       size_t step, ad_real *sums, size_t ld)
{
	vector sum[ROWS][4];

#pragma GCC unroll 16
	for (size_t i = 0; i < R; i++)
#pragma GCC unroll 4
		for (size_t j = 0; j < V; j++)
			sum[i][j] = *(const vector *)(sums + i * ld + j * LANES);
	for (size_t k = 0; k < l->n; k++) {
		const ad_real *at = b + l->from[k];

		for (size_t place = 0; place < l->places; place++, a += R, at += step) {
			vector now[4];

#pragma GCC unroll 4
			for (size_t j = 0; j < V; j++)
				now[j] = *(const vector *)(at + j * LANES);
#pragma GCC unroll 16
			for (size_t i = 0; i < R; i++)
#pragma GCC unroll 4
				for (size_t j = 0; j < V; j++)
					sum[i][j] += a[i] * now[j];
		}
	}
#pragma GCC unroll 16
	for (size_t i = 0; i < R; i++)
#pragma GCC unroll 4
		for (size_t j = 0; j < V; j++)
			*(vector *)(sums + i * ld + j * LANES) = sum[i][j];
}

#define TILE(R, V)                                                                                 \
	static void tile_##R(size_t vectors, const struct lines *l, const ad_real *a,              \
	                     const ad_real *b, size_t step, ad_real *sums, size_t ld)              \
	{                                                                                          \
		if (vectors == 1)                                                                  \
			tile(R, 1, l, a, b, step, sums, ld);                                       \
		else if (vectors == 2)                                                             \
			tile(R, 2, l, a, b, step, sums, ld);                                       \
		else if (vectors == 3)                                                             \
			tile(R, V < 3 ? V : 3, l, a, b, step, sums, ld);                           \
		else                                                                               \
			tile(R, V, l, a, b, step, sums, ld);                                       \
	}
TILES(TILE)

static const struct {
	size_t rows, vectors;
	void (*kernel)(size_t vectors, const struct lines *l, const ad_real *a, const ad_real *b,
	               size_t step, ad_real *sums, size_t ld);
} tiles[] = {
#define ENTRY(R, V) { R, V, tile_##R },
	TILES(ENTRY)
};

/* Taps of a run: neighbours in a row of the kernel, if they are neighbours in the copy. */
static int64_t run_taps(const struct direct *q, const struct part *p)
{
	return q->axis[2].shift_step == 1 ? p->taps[2] : 1;
}

static size_t run_length(const struct direct *q, const struct part *p)
{
	return p->channels * (size_t)run_taps(q, p);
}

static size_t runs_of(const struct direct *q, const struct part *p)
{
	return (size_t)(p->taps[0] * p->taps[1] * p->taps[2] / run_taps(q, p));
}

static void choose_tile(struct direct *q, size_t rows)
{
	size_t best = SIZE_MAX;

	for (size_t k = 0; k < sizeof tiles / sizeof *tiles; k++) {
		size_t blocks = (rows + tiles[k].rows - 1) / tiles[k].rows;
		size_t cost = blocks * (tiles[k].rows + 1);

		if (cost < best) {
			best = cost;
			q->rows = tiles[k].rows;
			q->vectors = tiles[k].vectors;
		}
	}
	q->blocks = (q->M + q->rows - 1) / q->rows;
}

/* The copy of a part with its channels innermost; columns as they lie. */
static void fill_channels(const struct direct *q, const struct box *b, const struct part *part,
                          const struct padded *p, const ad_real *in, ad_real *to)
{
	const struct direct_axis *a = q->axis;
	size_t ld = part->channels, row = (size_t)p->size[2] * ld;
	/* Whole rows of a plane lie side by side in both. */
	bool whole = p->left == 0 && p->size[2] == a[2].in;

	in += b->image * q->G * q->C * q->plane_in + part->channel * q->plane_in;
	for (size_t n = 0; n < b->images; n++)
		for (int64_t z = p->lo[0]; z < p->lo[0] + p->size[0]; z++)
			for (int64_t y = p->lo[1], rows; y < p->lo[1] + p->size[1]; y += rows, to += row * (size_t)rows) {
				const ad_real *from = in + n * q->G * q->C * q->plane_in;
				int64_t at = p->lo[2] > 0 ? p->lo[2] : 0;

				rows = 1;
				if (z < 0 || z >= a[0].in || y < 0 || y >= a[1].in || p->inner == 0) {
					memset(to, 0, row * sizeof *to);
					continue;
				}
				if (whole) {
					rows = p->lo[1] + p->size[1] < a[1].in ? p->lo[1] + p->size[1] : a[1].in;
					rows -= y;
				}
				memset(to, 0, p->left * ld * sizeof *to);
				transpose(from + (z * a[1].in + y) * a[2].in + at, q->plane_in,
				          p->inner * (size_t)rows, ld, to + p->left * ld, ld);
				if (!whole)
					memset(to + (p->left + p->inner) * ld, 0,
					       row * sizeof *to - (p->left + p->inner) * ld * sizeof *to);
			}
}

/* panel[block][place][row], rows beyond the last one zero. */
static void fill_panel(const struct direct *q, const struct box *b, const ad_real *out, size_t m,
                       size_t stop, ad_real *panel)
{
	const struct padded none = { 0 };
	/* Whole rows lie side by side: those of a plane are turned together. */
	bool planes = b->n[2] == q->axis[2].out;
	size_t n = (size_t)(b->n[2] * (planes ? b->n[1] : 1));
	struct rows r;

	for (; m < stop; m += q->rows) {
		size_t rows = stop - m < q->rows ? stop - m : q->rows;

		for (rows_first(q, b, &none, &r); r.left > 0; rows_next(q, b, &none, &r)) {
			if (planes && r.row > 0)
				continue;
			transpose(out + m * q->plane_out + r.to, q->plane_out, n, rows, panel, q->rows);
			for (size_t j = 0; rows < q->rows && j < n; j++)
				for (size_t i = rows; i < q->rows; i++)
					panel[j * q->rows + i] = 0;
			panel += n * q->rows;
		}
	}
}

/* What a box adds to the sums of a block of rows, `left` numbers of a run or as many as a tile has. */
static void add_run(const struct direct *q, const struct lines *l, size_t left, const ad_real *a,
                    const ad_real *b, size_t step, ad_real *sums, size_t line)
{
	size_t vectors = (left + LANES - 1) / LANES, k = 0;
	ad_real room[ROWS * 4 * LANES];

	vectors = vectors < q->vectors ? vectors : q->vectors;
	while (tiles[k].rows != q->rows)
		k++;
	if (left >= vectors * LANES) {
		tiles[k].kernel(vectors, l, a, b, step, sums, line);
		return;
	}
	for (size_t i = 0; i < q->rows; i++)
		copy(room + i * vectors * LANES, sums + i * line, left);
	tiles[k].kernel(vectors, l, a, b, step, room, vectors * LANES);
	for (size_t i = 0; i < q->rows; i++)
		copy(sums + i * line, room + i * vectors * LANES, left);
}

/* biases (M) += the sums of a panel. A vector of places takes as many vectors as a place has rows. */
static void add_panel(const struct direct *q, const ad_real *panel, size_t places, size_t m, size_t stop,
                      ad_real *biases)
{
	for (; m < stop; m += q->rows, panel += places * q->rows) {
		_Alignas(64) ad_real all[ROWS * LANES] = { 0 };
		size_t j = 0;

		for (; j + LANES <= places; j += LANES)
			for (size_t k = 0; k < q->rows; k++)
				*(vector *)(all + k * LANES) += *(const vector *)(panel + j * q->rows + k * LANES);
		for (size_t k = j * q->rows; k < places * q->rows; k++)
			all[k - j * q->rows] += panel[k];
		for (size_t i = 0; i < q->rows && m + i < stop; i++) {
			ad_real sum = 0;

			for (j = 0; j < LANES; j++)
				sum += all[j * q->rows + i];
			biases[m + i] += sum;
		}
	}
}

/* biases may be NULL. */
static void box_by_channels(const struct direct *q, const struct box *b, size_t line, const ad_real *in,
                            const ad_real *out, size_t m, size_t stop, ad_real *sums, ad_real *biases)
{
	_Alignas(64) ad_real copied[ROOM + MARGIN], panel[PANEL];
	size_t places = b->images * (size_t)(b->n[0] * b->n[1] * b->n[2]), at = 0;
	struct part part;
	struct lines l;

	fill_panel(q, b, out, m, stop, panel);
	if (biases)
		add_panel(q, panel, places, m, stop, biases);
	for (bool more = part_first(q, &part); more; more = part_next(q, &part)) {
		size_t length = run_length(q, &part), runs = runs_of(q, &part), ld = part.channels;
		size_t in_row = (size_t)(part.taps[2] / run_taps(q, &part));
		struct padded p;
		struct rows r;

		padded_of(q, b, &part, &p);
		fill_channels(q, b, &part, &p, in, copied);
		/* The columns of this copy are all there, in their order. */
		p.pitch = (size_t)p.size[2] * ld;
		p.plane = p.pitch * (size_t)p.size[1];
		p.image = p.plane * (size_t)p.size[0];
		p.row_step = p.pitch * (size_t)q->axis[1].step;
		p.plane_step = p.plane * (size_t)q->axis[0].step;
		l.n = 0;
		l.places = (size_t)b->n[2];
		for (rows_first(q, b, &p, &r); r.left > 0; rows_next(q, b, &p, &r))
			l.from[l.n++] = r.from;
		for (size_t block = m; block < stop; block += q->rows)
			for (size_t run = 0; run < runs; run++) {
				size_t tap[3] = { run / in_row / (size_t)part.taps[1],
					          run / in_row % (size_t)part.taps[1], run % in_row };
				const ad_real *from = copied + tap[0] * (size_t)q->axis[0].shift_step * p.plane +
				                      tap[1] * (size_t)q->axis[1].shift_step * p.pitch +
				                      tap[2] * (size_t)q->axis[2].shift_step * ld;
				ad_real *to = sums + block * line + at + run * length;

				for (size_t i = 0; i < length; i += q->vectors * LANES)
					add_run(q, &l, length - i, panel + (block - m) * places,
					        from + i, (size_t)q->axis[2].step * ld, to + i, line);
			}
		at += runs * length;
	}
}

/* ---- places -------------------------------------------------------------------------------------- */

/* sums (outputs x taps) = each y by each x, added up over all lines. Those of y, of whole vectors, follow
 * one another. */
static inline __attribute__((always_inline)) void
places_tile(size_t outputs, size_t taps, const struct lines *l, const ad_real *y, size_t ldy,
            const ad_real *x, const uint32_t *distance, ad_real *sums)
{
	vector sum[OUTPUTS][TAPS];
	const ad_real *from[TAPS];
	size_t at_y = 0;

#pragma GCC unroll 8
	for (size_t j = 0; j < taps; j++)
		from[j] = x + distance[j];
#pragma GCC unroll 4
	for (size_t i = 0; i < outputs; i++)
#pragma GCC unroll 8
		for (size_t j = 0; j < taps; j++)
			sum[i][j] = (vector){ 0 };
	for (size_t line = 0; line < l->n; line++) {
		size_t at_x = l->from[line];

		for (size_t place = 0; place < l->places; place += LANES, at_x += LANES, at_y += LANES) {
			vector now[OUTPUTS];

#pragma GCC unroll 4
			for (size_t i = 0; i < outputs; i++)
				now[i] = *(const vector *)(y + i * ldy + at_y);
#pragma GCC unroll 8
			for (size_t j = 0; j < taps; j++) {
				vector by = *(const vector *)(from[j] + at_x);

				KEEP(by);
#pragma GCC unroll 4
				for (size_t i = 0; i < outputs; i++)
					sum[i][j] += now[i] * by;
			}
		}
	}
	for (size_t i = 0; i < outputs; i++)
		for (size_t j = 0; j < taps; j++) {
			_Alignas(64) ad_real lane[LANES];
			ad_real all = 0;

			*(vector *)lane = sum[i][j];
#pragma omp simd reduction(+ : all)
			for (size_t k = 0; k < LANES; k++)
				all += lane[k];
			sums[i * TAPS + j] = all;
		}
}

static void places_tile_of(size_t outputs, size_t taps, const struct lines *l, const ad_real *y,
                           size_t ldy, const ad_real *x, const uint32_t *distance, ad_real *sums)
{
#define CASE(M, K)                                                                                 \
	if (outputs == M && taps == K)                                                             \
		places_tile(M, K, l, y, ldy, x, distance, sums);
#define CASES(K) CASE(1, K) CASE(2, K) CASE(3, K)
	CASES(1) CASES(2) CASES(3) CASES(4)
#if TAPS == 8
	CASES(5) CASES(6) CASES(7) CASES(8)
#endif
}

static void box_by_places(const struct direct *q, const struct box *b, const ad_real *in,
                          const ad_real *out, ad_real *sums, ad_real *biases)
{
	_Alignas(64) ad_real copied[ROOM + MARGIN], panel[PANEL];
	bool flat = !q->across && q->axis[0].step == 1 && q->axis[1].step == 1;
	size_t apart = q->G * q->M * q->plane_out, lanes = q->across ? LANES : 1;
	struct box one = *b;
	uint32_t distance[STEPS];
	size_t element[STEPS];
	struct part part;

	/* across images, a vector of them counts as one */
	one.images = q->across ? 1 : b->images;
	for (bool more = part_first(q, &part); more; more = part_next(q, &part)) {
		struct padded p;
		struct lines l;
		struct rows r;
		size_t row = 0, ldy, most;
		bool overlap;

		padded_of(q, &one, &part, &p);
		/* Under a single tap of a row the last places of one row and the first ones of the next may see
		 * the same zeros of the copy: there one takes the place of the other. */
		overlap = flat && p.row_step < (size_t)b->n[2];
		(q->across ? padded_across : padded_fill)(q, b, &part, &p, in, copied);
		memset(copied + part.channels * p.channel * lanes, 0, MARGIN * sizeof *copied);
		padded_distances(q, &part, &p, distance);
		for (size_t k = 0; k < part.K; k++)
			distance[k] *= (uint32_t)lanes;
		part_elements(q, &part, element);
		l.n = flat ? 1 : one.images * (size_t)(b->n[0] * b->n[1]);
		l.places = (size_t)b->n[2] * lanes;
		if (flat)
			l.places += (b->images - 1) * p.image + (size_t)(b->n[0] - 1) * p.plane_step +
			            (size_t)(b->n[1] - 1) * p.row_step;
		for (rows_first(q, &one, &p, &r); row < l.n; rows_next(q, &one, &p, &r))
			l.from[row++] = r.from * lanes;
		l.places = (l.places + LANES - 1) / LANES * LANES;
		ldy = l.n * l.places;
		most = PANEL / ldy / OUTPUTS * OUTPUTS;
		for (size_t m = 0; m < q->M; m += most) {
			size_t outputs = q->M - m < most ? q->M - m : most;

			if (!q->across || b->images < LANES)
				memset(panel, 0, outputs * ldy * sizeof *panel);
			row = 0;
			for (rows_first(q, &one, &p, &r); r.left > 0; rows_next(q, &one, &p, &r), row++)
				for (size_t i = 0; i < outputs; i++) {
					const ad_real *from = out + (m + i) * q->plane_out + r.to;
					ad_real *to = panel + i * ldy + (flat ? r.from : row * l.places);

					if (q->across)
						transpose(from, apart, (size_t)b->n[2], b->images, to, LANES);
					else
						copy(to, from, (size_t)b->n[2]);
					if (biases && overlap)
						biases[m + i] += AD_VARIANT(run_sum)(from, (size_t)b->n[2]);
				}
			for (size_t i = 0; biases && !overlap && i < outputs; i++)
				biases[m + i] += AD_VARIANT(run_sum)(panel + i * ldy, ldy);
			for (size_t i = 0; i < outputs; i += OUTPUTS)
				for (size_t k = 0; k < part.K; k += TAPS) {
					size_t rows = outputs - i < OUTPUTS ? outputs - i : OUTPUTS;
					size_t taps = part.K - k < TAPS ? part.K - k : TAPS;
					ad_real tile_sums[OUTPUTS * TAPS];

					places_tile_of(rows, taps, &l, panel + i * ldy, ldy, copied,
					               distance + k, tile_sums);
					for (size_t a = 0; a < rows; a++)
						for (size_t t = 0; t < taps; t++)
							sums[(m + i + a) * q->w_out + element[k + t]] +=
							    tile_sums[a * TAPS + t];
				}
		}
		biases = NULL; /* once is enough */
	}
}

/* ---- the plan ------------------------------------------------------------------------------------ */

struct weigh AD_VARIANT(weigh_of)(const struct conv *p)
{
	struct weigh v = { .q = direct_of(p), .parts = 1 };
	struct direct *q = &v.q;
	int64_t taps = q->axis[2].shift_step == 1 ? q->axis[2].taps : 1;
	size_t run = q->C * (size_t)taps, boxes;
	double row = (double)q->axis[2].n, pitch = row + (double)(q->axis[2].taps - 1), lines, filled;
	double images = (double)q->N / (ceil((double)q->N / (double)LANES) * (double)LANES);

	/* How much of the vectors is put to use. */
	filled = (double)run / (double)((run + LANES - 1) / LANES * LANES);
	lines = row / (ceil(row / (double)LANES) * (double)LANES);
	if (q->axis[0].step == 1 && q->axis[1].step == 1 && row / pitch > lines)
		lines = row / pitch;
	v.places = q->C < 16 && lines > 1.5 * filled;
	q->across = v.places && images > lines;
	if (v.places) {
		lines = q->across ? 1 : lines;
		lines *= (double)(PANEL / 4);
		lines = lines < LINES * row ? lines : LINES * row;
		direct_cut(q, q->C, STEPS, 2048, (size_t)lines, PANEL / 4);
	} else {
		size_t parts = (q->M + MOST_ROWS - 1) / MOST_ROWS;
		size_t rows = parts ? (q->M + parts - 1) / parts : 0;

		choose_tile(q, rows);
		v.parts = parts;
		rows = (rows + q->rows - 1) / q->rows * q->rows;
		rows = rows ? PANEL / rows : 1;
		direct_cut(q, 64, SIZE_MAX, 512, rows < LINES ? rows : LINES, ROOM);
	}
	boxes = direct_units(q) / (q->G ? q->G : 1);
	v.slices = boxes < p->slices ? boxes : p->slices;
	v.slices = v.slices ? v.slices : 1;
	return v;
}

/* Rows that the sums have for each group: whole tiles. */
static size_t rows_of(const struct weigh *v)
{
	return v->places ? v->q.M : v->q.blocks * v->q.rows;
}

size_t AD_VARIANT(weigh_biases)(const struct weigh *v)
{
	return v->slices * v->q.G * rows_of(v) * v->q.w_out;
}

void AD_VARIANT(weigh_slices)(const struct weigh *v, const ad_real *in, const ad_real *out, bool biases,
                              ad_real *sums, size_t begin, size_t end)
{
	const struct direct *q = &v->q;
	size_t boxes = direct_units(q) / q->G, rows = rows_of(v);
	size_t blocks = v->places ? 1 : q->blocks;

	for (size_t unit = begin; unit < end; unit++) {
		size_t part = unit % v->parts, g = unit / v->parts % q->G, slice = unit / v->parts / q->G;
		size_t from = boxes * slice / v->slices, to = boxes * (slice + 1) / v->slices;
		size_t m = blocks * part / v->parts * q->rows, stop = blocks * (part + 1) / v->parts * q->rows;
		ad_real *sum = sums + (slice * q->G + g) * rows * v->q.w_out;
		ad_real *bias = biases ? sums + AD_VARIANT(weigh_biases)(v) + (slice * q->G + g) * q->M : NULL;
		const ad_real *x = in + g * q->C * q->plane_in, *y = out + g * q->M * q->plane_out;
		size_t last;

		if (v->places) {
			m = 0;
			stop = q->M;
		}
		last = stop < q->M ? stop : q->M;
		memset(sum + m * v->q.w_out, 0, (stop - m) * v->q.w_out * sizeof *sum);
		for (size_t i = m; bias && i < last; i++)
			bias[i] = 0;
		for (size_t k = from; k < to; k++) {
			struct box b = box_at(q, k);

			if (v->places)
				box_by_places(q, &b, x, y, sum, bias);
			else
				box_by_channels(q, &b, v->q.w_out, x, y, m, last, sum, bias);
		}
	}
}

/* to (n) += the same of all other slices, `slice` apart. */
static void add_slices(const struct weigh *v, size_t slice, size_t n, ad_real *to)
{
	for (size_t s = 1; s < v->slices; s++)
		add_to(to, to + s * slice, n);
}

/* w = the sums of a row, in the order of the weights. */
static void put_weights(const struct direct *q, const ad_real *from, ad_real *w, bool add)
{
	struct part part;

	for (bool more = part_first(q, &part); more; more = part_next(q, &part)) {
		size_t taps = (size_t)run_taps(q, &part), runs = runs_of(q, &part);
		size_t in_row = (size_t)part.taps[2] / taps;

		for (size_t run = 0; run < runs; run++)
			for (size_t t = 0; t < taps; t++) {
				int64_t tap[3] = { part.first[0] + (int64_t)(run / in_row) / part.taps[1],
					           part.first[1] + (int64_t)(run / in_row) % part.taps[1],
					           part.first[2] + (int64_t)(run % in_row * taps + t) };
				ad_real *at = w + tap_element(q, tap) + part.channel * q->w_in;

				for (size_t c = 0; c < part.channels; c++, at += q->w_in, from++)
					*at = add ? *at + *from : *from;
			}
	}
}

void AD_VARIANT(weigh_sum)(const struct weigh *v, ad_real *sums, ad_real *w, bool add_w, ad_real *b,
                           bool add_b, size_t begin, size_t end)
{
	const struct direct *q = &v->q;
	size_t rows = rows_of(v), slice = q->G * rows * v->q.w_out;

	for (size_t row = begin; row < end; row++) {
		ad_real *from = sums + (row / q->M * rows + row % q->M) * v->q.w_out;
		ad_real *to = w + row * q->w_out;

		if (b) {
			ad_real *bias = sums + AD_VARIANT(weigh_biases)(v) + row;

			add_slices(v, q->G * q->M, 1, bias);
			b[row] = add_b ? b[row] + *bias : *bias;
		}
		add_slices(v, slice, q->w_out, from);
		if (!v->places)
			put_weights(q, from, to, add_w);
		else if (add_w)
			add_to(to, from, q->w_out);
		else
			memcpy(to, from, q->w_out * sizeof *to);
	}
}
