/*
 * padded: boxes of a convolution, and the padded copies that they read. For direct.c and weigh.c.
 */
#ifndef OPS_KERNELS_PADDED_H
#define OPS_KERNELS_PADDED_H

#include "direct.h"

#if AD_LEVEL == 2
#define VECTOR 64
#elif AD_LEVEL == 1
#define VECTOR 32
#else
#define VECTOR 16
#endif
#define LANES (VECTOR / sizeof(ad_real))

typedef ad_real vector __attribute__((vector_size(VECTOR), aligned(sizeof(ad_real)), may_alias));

/* Loads once what is read several times, which gcc would load each time instead: it lies across two
 * cache lines. */
#ifdef __x86_64__
#define KEEP(x) __asm__("" : "+v"(x))
#else
#define KEEP(x) (void)(x)
#endif

/* Numbers in a copy, and behind it, for reads of whole tiles. */
#define ROOM (262144 / sizeof(ad_real))
#define MARGIN (16 * LANES)
#define TURN 64 /* places that are turned into vectors across images, or back, together, at most */

/* n numbers in two pieces of `bytes`, which may overlap; n has at least one piece, at most two. */
#define COPY_TWICE(bytes)                                                                          \
	if (n * sizeof *to >= bytes) {                                                             \
		memcpy(to, from, bytes);                                                           \
		memcpy((char *)(to + n) - bytes, (const char *)(from + n) - bytes, bytes);         \
		return;                                                                            \
	}

/* memcpy for short rows. */
static inline void copy(ad_real *to, const ad_real *from, size_t n)
{
	if (n > 2 * LANES) {
		memcpy(to, from, n * sizeof *to);
		return;
	}
	COPY_TWICE(VECTOR)
#if VECTOR > 32
	COPY_TWICE(32)
#endif
#if VECTOR > 16
	COPY_TWICE(16)
#endif
	COPY_TWICE(8)
	if (n)
		*to = *from;
}
#undef COPY_TWICE

static inline void add_to(ad_real *to, const ad_real *from, size_t n)
{
	size_t k = 0;

	for (; k + LANES <= n; k += LANES)
		*(vector *)(to + k) += *(const vector *)(from + k);
	for (; k < n; k++)
		to[k] += from[k];
}

typedef ad_real four __attribute__((vector_size(4 * sizeof(ad_real)), aligned(sizeof(ad_real)), may_alias));

/* Squares of four: to[j * ld + c] = from[c * plane + j]. */
static inline void turn_square(const ad_real *from, size_t plane, ad_real *to, size_t ld)
{
	four r0 = *(const four *)from, r1 = *(const four *)(from + plane);
	four r2 = *(const four *)(from + 2 * plane), r3 = *(const four *)(from + 3 * plane);
	four low = __builtin_shufflevector(r0, r1, 0, 4, 1, 5);
	four high = __builtin_shufflevector(r0, r1, 2, 6, 3, 7);
	four low2 = __builtin_shufflevector(r2, r3, 0, 4, 1, 5);
	four high2 = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);

	*(four *)to = __builtin_shufflevector(low, low2, 0, 1, 4, 5);
	*(four *)(to + ld) = __builtin_shufflevector(low, low2, 2, 3, 6, 7);
	*(four *)(to + 2 * ld) = __builtin_shufflevector(high, high2, 0, 1, 4, 5);
	*(four *)(to + 3 * ld) = __builtin_shufflevector(high, high2, 2, 3, 6, 7);
}

#if AD_LEVEL == 2 && !defined AD_F64
#define SQUARES 4 /* that a vector has side by side */
typedef ad_real eight __attribute__((vector_size(8 * sizeof(ad_real))));

/* r: four rows of four squares side by side, each of which is turned. */
static inline __attribute__((always_inline)) void turn_squares(vector r[4])
{
	vector low = __builtin_shufflevector(r[0], r[1], 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
	vector high = __builtin_shufflevector(r[0], r[1], 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
	vector low2 = __builtin_shufflevector(r[2], r[3], 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
	vector high2 = __builtin_shufflevector(r[2], r[3], 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);

	r[0] = __builtin_shufflevector(low, low2, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
	r[1] = __builtin_shufflevector(low, low2, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
	r[2] = __builtin_shufflevector(high, high2, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
	r[3] = __builtin_shufflevector(high, high2, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
}

/* A vector of columns of a vector of channels. */
static inline void turn_block(const ad_real *from, size_t plane, ad_real *to, size_t ld)
{
	vector r[16];

	for (size_t g = 0; g < 16; g += 4) {
		for (size_t i = g; i < g + 4; i++)
			r[i] = *(const vector *)(from + i * plane);
		turn_squares(r + g);
	}
	/* r[g + i] has the columns i, 4 + i, 8 + i and 12 + i of four channels: now squares of such fours. */
	for (size_t i = 0; i < 4; i++) {
		vector low = __builtin_shufflevector(r[i], r[4 + i], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
		vector high = __builtin_shufflevector(r[i], r[4 + i], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
		vector low2 = __builtin_shufflevector(r[8 + i], r[12 + i], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
		vector high2 = __builtin_shufflevector(r[8 + i], r[12 + i], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);

		*(vector *)(to + i * ld) = __builtin_shufflevector(low, low2, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
		*(vector *)(to + (4 + i) * ld) = __builtin_shufflevector(low, low2, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
		*(vector *)(to + (8 + i) * ld) = __builtin_shufflevector(high, high2, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
		*(vector *)(to + (12 + i) * ld) = __builtin_shufflevector(high, high2, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
	}
}

/* Four columns of a vector of channels. */
static inline void turn_channels(const ad_real *from, size_t plane, ad_real *to, size_t ld)
{
	vector r[4];

	for (size_t i = 0; i < 4; i++) {
		const ad_real *f = from + i * plane;
		four a = *(const four *)f, b = *(const four *)(f + 4 * plane);
		four c = *(const four *)(f + 8 * plane), d = *(const four *)(f + 12 * plane);
		eight first = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7);
		eight second = __builtin_shufflevector(c, d, 0, 1, 2, 3, 4, 5, 6, 7);

		r[i] = __builtin_shufflevector(first, second, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
	}
	turn_squares(r);
	for (size_t i = 0; i < 4; i++)
		*(vector *)(to + i * ld) = r[i];
}

/* A vector of columns of four channels. */
static inline void turn_columns(const ad_real *from, size_t plane, ad_real *to, size_t ld)
{
	vector r[4];

	for (size_t i = 0; i < 4; i++)
		r[i] = *(const vector *)(from + i * plane);
	turn_squares(r);
	for (size_t i = 0; i < 4; i++, to += ld) {
		*(four *)to = __builtin_shufflevector(r[i], r[i], 0, 1, 2, 3);
		*(four *)(to + 4 * ld) = __builtin_shufflevector(r[i], r[i], 4, 5, 6, 7);
		*(four *)(to + 8 * ld) = __builtin_shufflevector(r[i], r[i], 8, 9, 10, 11);
		*(four *)(to + 12 * ld) = __builtin_shufflevector(r[i], r[i], 12, 13, 14, 15);
	}
}
#else
#define SQUARES 1
#define turn_block turn_square
#define turn_channels turn_square
#define turn_columns turn_square
#endif

/* to[j * ld + c] = from[c * plane + j]: by squares of four, many at once where there are as many, the last
 * ones of which overlap others. */
static __attribute__((noinline)) void transpose(const ad_real *from, size_t plane, size_t columns,
                                                size_t channels, ad_real *to, size_t ld)
{
	const size_t most = 4 * SQUARES;
	size_t c_step, j_step;

	if (columns < 4 || channels < 4) {
		for (size_t c = 0; c < channels; c++)
			for (size_t j = 0; j < columns; j++)
				to[j * ld + c] = from[c * plane + j];
		return;
	}
	for (size_t c = 0; c < channels; c += c_step) {
		c_step = c + most <= channels ? most : 4;
		c = c + c_step <= channels ? c : channels - c_step;
		for (size_t j = 0; j < columns; j += j_step) {
			const ad_real *f;
			ad_real *t;

			/* a few more columns at once rather than several small squares */
			j_step = j + most <= columns || (columns >= most && columns - j > 4) ? most : 4;
			j = j + j_step <= columns ? j : columns - j_step;
			f = from + c * plane + j;
			t = to + j * ld + c;
			if (c_step == most && j_step == most)
				turn_block(f, plane, t, ld);
			else if (c_step == most)
				turn_channels(f, plane, t, ld);
			else if (j_step == most)
				turn_columns(f, plane, t, ld);
			else
				turn_square(f, plane, t, ld);
		}
	}
}

/* ---- the plan ----------------------------------------------------------------------------------- */

/* The kernel is one element, at every element: the copy would be the input. */
static inline bool direct_in_place(const struct direct *q)
{
	for (int i = 0; i < 3; i++) {
		const struct direct_axis *a = &q->axis[i];

		if (a->taps != 1 || a->shift != 0 || a->step != 1 || a->n != a->in)
			return false;
	}
	return true;
}

/* As few axes as say the same, the last ones. */
static inline void direct_simplify(struct direct *q)
{
	const struct direct_axis one = { .in = 1, .out = 1, .kernel = 1, .n = 1, .out_step = 1,
		                         .step = 1, .shift_step = 1, .taps = 1, .tap_step = 1 };
	struct direct_axis *a = q->axis;

	if (direct_in_place(q) && q->plane_k == 1 && q->plane_out == q->plane_in) {
		a[0] = a[1] = a[2] = one;
		a[2].in = a[2].out = a[2].n = (int64_t)q->plane_in;
		return;
	}
	for (int k = 0; k < 2 && a[2].in == 1 && a[2].out == 1 && a[2].kernel == 1 &&
	                a[2].n == 1 && a[2].taps == 1 && a[2].shift == 0;
	     k++) {
		a[2] = a[1];
		a[1] = a[0];
		a[0] = one;
	}
}

static inline struct direct direct_of(const struct conv *p)
{
	struct direct q = { .N = p->N,
		            .G = p->G,
		            .C = p->C,
		            .M = p->M,
		            .plane_in = p->plane_x,
		            .plane_out = p->plane_y,
		            .plane_k = p->plane_k,
		            .w_in = p->plane_k,
		            .w_out = p->rows };

	for (int i = 0; i < 3; i++)
		q.axis[i] = (struct direct_axis){ .in = p->x[i],
			                          .out = p->y[i],
			                          .kernel = p->k[i],
			                          .n = p->y[i],
			                          .out_step = 1,
			                          .step = p->stride[i],
			                          .shift = -p->padding[i],
			                          .shift_step = p->dilation[i],
			                          .taps = p->k[i],
			                          .tap_step = 1 };
	direct_simplify(&q);
	return q;
}

/* What the copy of a box takes along one axis. */
static inline int64_t direct_extent(const struct direct *q, int i)
{
	const struct direct_axis *a = &q->axis[i];
	int64_t reach = a->shift_step < 0 ? -a->shift_step : a->shift_step;

	return (q->box[i] - 1) * a->step + (q->taps[i] - 1) * reach + 1;
}

static inline double direct_volume(const struct direct *q)
{
	double row = (double)(direct_extent(q, 2) + q->axis[2].step);

	return (double)q->channels * row *
	       ((double)q->images * (double)direct_extent(q, 0) * (double)direct_extent(q, 1) + 1);
}

static inline double direct_places(const struct direct *q)
{
	return (double)q->images * (double)q->box[0] * (double)q->box[1] * (double)q->box[2];
}

/* Halves the box along the outermost of the first `axes` axes that has several places. */
static inline bool direct_halve(struct direct *q, int axes)
{
	if (q->images > 1 && !q->across) {
		q->images = (q->images + 1) / 2;
		return true;
	}
	for (int i = 0; i < axes; i++)
		if (q->box[i] > 1) {
			q->box[i] = (q->box[i] + 1) / 2;
			return true;
		}
	return false;
}

/* Cuts the work: up to `channels` channels at a time and `steps` steps, boxes of about `places` if
 * images are smaller, of at most `most`, whose copy has at most `room` numbers; and such that there are
 * units enough for several threads. */
static inline void direct_cut(struct direct *q, size_t channels, size_t steps, size_t places,
                              size_t most, size_t room)
{
	double plane = 1, taps = 1, work;

	channels = channels < q->C ? channels : q->C;
	channels = channels ? channels : 1;
	q->channels = q->C ? (q->C + (q->C + channels - 1) / channels - 1) /
	                         ((q->C + channels - 1) / channels)
	                   : 1;
	for (int i = 0; i < 3; i++) {
		q->box[i] = q->axis[i].n;
		q->taps[i] = q->axis[i].taps;
		plane *= (double)q->axis[i].n;
		taps *= (double)q->axis[i].taps;
	}
	q->images = plane >= (double)places ? 1 : (size_t)((double)places / (plane + 1)) + 1;
	q->images = q->images < q->N ? q->images : q->N ? q->N : 1;
	if (q->across)
		q->images = LANES;
	while (direct_places(q) > (double)most && direct_halve(q, 3))
		;
	while ((double)q->channels * (double)q->taps[0] * (double)q->taps[1] * (double)q->taps[2] >
	           (double)steps ||
	       direct_volume(q) > (double)room) {
		if (direct_volume(q) > (double)room &&
		    (direct_halve(q, 2) || (q->channels <= 4 && q->box[2] > 256 && direct_halve(q, 3))))
			continue;
		if (q->channels > 1)
			q->channels = (q->channels + 1) / 2;
		else if (q->taps[0] > 1)
			q->taps[0] = (q->taps[0] + 1) / 2;
		else if (q->taps[1] > 1)
			q->taps[1] = (q->taps[1] + 1) / 2;
		else if (q->taps[2] > 1)
			q->taps[2] = (q->taps[2] + 1) / 2;
		else if (!direct_halve(q, 3))
			break;
	}
	work = (double)q->N * (double)q->G * (double)q->C * (double)q->M * plane * taps;
	for (;;) {
		size_t units = q->G * ((q->N + q->images - 1) / q->images);

		for (int i = 0; i < 3; i++) {
			q->boxes[i] = q->box[i] ? (size_t)((q->axis[i].n + q->box[i] - 1) / q->box[i]) : 0;
			units *= q->boxes[i];
		}
		/* Those across images are worth more, and end with whole planes only if not cut. */
		if (units >= (q->across ? 4 : 16) || work < 1 << 22 || direct_places(q) < 256 || !direct_halve(q, 3))
			break;
	}
	for (int i = 0; i < 3; i++)
		if (q->boxes[i] > 0)
			q->box[i] = (q->axis[i].n + (int64_t)q->boxes[i] - 1) / (int64_t)q->boxes[i];
}

/* ---- boxes, and the parts of their steps --------------------------------------------------------- */

struct box {
	size_t image, images;
	int64_t first[3], n[3];
};

static inline struct box box_at(const struct direct *q, size_t k)
{
	struct box b;

	for (int i = 2; i >= 0; i--) {
		const struct direct_axis *a = &q->axis[i];

		b.first[i] = (int64_t)(k % q->boxes[i]) * q->box[i];
		k /= q->boxes[i];
		b.n[i] = a->n - b.first[i] < q->box[i] ? a->n - b.first[i] : q->box[i];
		b.n[i] = b.n[i] > 0 ? b.n[i] : 0;
	}
	b.image = k * q->images;
	b.images = q->N - b.image < q->images ? q->N - b.image : q->images;
	return b;
}

/* Some channels under some taps. */
struct part {
	size_t channel, channels;
	int64_t first[3], taps[3];
	size_t K; /* steps: channels times taps */
};

static inline void part_sizes(const struct direct *q, struct part *p)
{
	p->channels = q->C - p->channel < q->channels ? q->C - p->channel : q->channels;
	p->K = p->channels;
	for (int i = 0; i < 3; i++) {
		int64_t left = q->axis[i].taps - p->first[i];

		p->taps[i] = left < q->taps[i] ? left : q->taps[i];
		p->K *= (size_t)p->taps[i];
	}
}

static inline bool part_first(const struct direct *q, struct part *p)
{
	*p = (struct part){ .channel = 0 };
	part_sizes(q, p);
	return p->K > 0;
}

static inline bool part_next(const struct direct *q, struct part *p)
{
	for (int i = 2; i >= 0; i--) {
		p->first[i] += q->taps[i];
		if (p->first[i] < q->axis[i].taps) {
			part_sizes(q, p);
			return true;
		}
		p->first[i] = 0;
	}
	p->channel += q->channels;
	if (p->channel >= q->C)
		return false;
	part_sizes(q, p);
	return true;
}

static inline size_t tap_element(const struct direct *q, const int64_t tap[3])
{
	int64_t k = 0;

	for (int i = 0; i < 3; i++)
		k = k * q->axis[i].kernel + q->axis[i].tap + tap[i] * q->axis[i].tap_step;
	return (size_t)k;
}

/* Where the weight of each step is, from that of channel 0, tap 0. */
static inline void part_elements(const struct direct *q, const struct part *p, size_t *element)
{
	for (size_t c = 0; c < p->channels; c++)
		for (int64_t d = 0; d < p->taps[0]; d++)
			for (int64_t i = 0; i < p->taps[1]; i++)
				for (int64_t j = 0; j < p->taps[2]; j++)
					*element++ =
					    (p->channel + c) * q->w_in +
					    tap_element(q, (int64_t[]){ p->first[0] + d,
					                                p->first[1] + i,
					                                p->first[2] + j });
}

/* ---- copies ---------------------------------------------------------------------------------------
 * Of each channel: images, planes and rows. Columns that a stride steps over lie apart, by their
 * remainder: neighbours under a tap are neighbours in the copy. With stride 1 the zeros right of a row
 * are those left of the next. */

struct padded {
	int64_t lo[3], size[3]; /* where in the input it begins, what a box reaches there */
	size_t left, inner;     /* columns of zeros, then of the input */
	size_t pitch, plane, image, channel; /* from one row, plane, image, channel to the next */
	size_t phase;                        /* columns of one remainder, as many times as there are any */
	size_t row_step, plane_step, base;   /* from the places of one row to the next; the first */
};

static inline void padded_of(const struct direct *q, const struct box *b, const struct part *part,
                             struct padded *p)
{
	int64_t left, right, step = q->axis[2].step;
	size_t tail = 0;

	for (int i = 0; i < 3; i++) {
		const struct direct_axis *a = &q->axis[i];
		int64_t first = a->shift + part->first[i] * a->shift_step;
		int64_t reach = (part->taps[i] - 1) * a->shift_step;

		p->lo[i] = b->first[i] * a->step + first + (reach < 0 ? reach : 0);
		p->size[i] = (b->n[i] - 1) * a->step + (reach < 0 ? -reach : reach) + 1;
	}
	left = p->lo[2] < 0 ? -p->lo[2] : 0;
	left = left < p->size[2] ? left : p->size[2];
	right = p->lo[2] + p->size[2] - q->axis[2].in;
	right = right < 0 ? 0 : right < p->size[2] - left ? right : p->size[2] - left;
	p->left = (size_t)left;
	p->inner = (size_t)(p->size[2] - left - right);
	if (step == 1) {
		p->phase = p->pitch = (size_t)(p->size[2] - (right < left ? right : left));
		tail = (size_t)right;
	} else {
		p->phase = (size_t)((p->size[2] + step - 1) / step);
		p->pitch = p->phase * (size_t)(step < p->size[2] ? step : p->size[2]);
	}
	p->plane = p->pitch * (size_t)p->size[1];
	p->image = p->plane * (size_t)p->size[0];
	p->channel = p->image * b->images + tail;
	p->row_step = p->pitch * (size_t)q->axis[1].step;
	p->plane_step = p->plane * (size_t)q->axis[0].step;
	p->base = 0;
}

/* For direct_in_place: the input itself, from the first channel and image of the box on. */
static inline void padded_in_place(const struct direct *q, const struct box *b, struct padded *p)
{
	const struct direct_axis *a = q->axis;
	size_t pitch = (size_t)a[2].in, plane = (size_t)a[1].in * pitch;

	*p = (struct padded){ .pitch = pitch,
		              .row_step = pitch,
		              .plane_step = plane,
		              .image = q->G * q->C * q->plane_in,
		              .channel = q->plane_in,
		              .phase = pitch,
		              .base = (size_t)b->first[0] * plane +
		                      (size_t)b->first[1] * pitch + (size_t)b->first[2] };
}

static inline void padded_row(const struct direct *q, const struct padded *p, const ad_real *row,
                              ad_real *to)
{
	int64_t step = q->axis[2].step, at = p->lo[2];

	if (!row || p->inner == 0) {
		memset(to, 0, p->pitch * sizeof *to);
		return;
	}
	if (step == 1) {
		for (size_t k = 0; k < p->left; k++)
			to[k] = 0;
		copy(to + p->left, row + (at > 0 ? at : 0), p->inner);
		for (size_t k = p->left + p->inner; k < p->pitch; k++)
			to[k] = 0;
		return;
	}
	for (size_t s = 0; s < p->pitch; s += p->phase, at++, to += p->phase) {
		int64_t n = (int64_t)p->phase, first, stop;

		first = at < 0 ? (step - 1 - at) / step : 0;
		first = first < n ? first : n;
		stop = at < q->axis[2].in ? (q->axis[2].in - at + step - 1) / step : 0;
		stop = stop < n ? stop : n;
		stop = stop > first ? stop : first;
		for (int64_t k = 0; k < first; k++)
			to[k] = 0;
		if (step == 2)
			for (int64_t k = first; k < stop; k++)
				to[k] = row[at + k * 2];
		else
			for (int64_t k = first; k < stop; k++)
				to[k] = row[at + k * step];
		for (int64_t k = stop; k < n; k++)
			to[k] = 0;
	}
}

/* in: channel 0 of the group, image 0. */
static inline void padded_fill(const struct direct *q, const struct box *b, const struct part *part,
                               const struct padded *p, const ad_real *in, ad_real *to)
{
	const struct direct_axis *a = q->axis;

	in += b->image * q->G * q->C * q->plane_in + part->channel * q->plane_in;
	for (size_t c = 0; c < part->channels; c++) {
		ad_real *t = to + c * p->channel;

		for (size_t n = 0; n < b->images; n++)
			for (int64_t z = p->lo[0]; z < p->lo[0] + p->size[0]; z++)
				for (int64_t y = p->lo[1]; y < p->lo[1] + p->size[1]; y++) {
					bool inside = z >= 0 && z < a[0].in && y >= 0 && y < a[1].in;

					padded_row(q, p,
					           inside ? in + (n * q->G * q->C + c) * q->plane_in +
					                        (z * a[1].in + y) * a[2].in
					                  : NULL,
					           t);
					t += p->pitch;
				}
		for (; t < to + (c + 1) * p->channel; t++)
			*t = 0;
	}
}

/* The copy across images, whose elements are vectors, of the same element of all images: p is of one. Lanes
 * without an image are 0. */
static inline void padded_across(const struct direct *q, const struct box *b, const struct part *part,
                                 const struct padded *p, const ad_real *in, ad_real *to)
{
	const struct direct_axis *a = q->axis;
	size_t apart = q->G * q->C * q->plane_in;
	int64_t step = a[2].step;
	/* Whole rows of a plane lie side by side in both. */
	bool whole = step == 1 && p->left == 0 && p->pitch == p->inner && p->inner == (size_t)a[2].in;
	ad_real line[TURN * LANES] = { 0 };

	in += b->image * apart + part->channel * q->plane_in;
	for (size_t c = 0; c < part->channels; c++, in += q->plane_in) {
		ad_real *end = to + p->channel * LANES;

		for (int64_t z = p->lo[0]; z < p->lo[0] + p->size[0]; z++)
			for (int64_t y = p->lo[1], rows; y < p->lo[1] + p->size[1];
			     y += rows, to += p->pitch * LANES * (size_t)rows) {
				const ad_real *row = in + (z * a[1].in + y) * a[2].in;
				bool none = z < 0 || z >= a[0].in || y < 0 || y >= a[1].in || p->inner == 0;

				rows = 1;
				if (!none && whole) {
					rows = p->lo[1] + p->size[1] < a[1].in ? p->lo[1] + p->size[1] : a[1].in;
					rows -= y;
				}
				if (none || step > 1 || b->images < LANES || p->left + p->inner < p->pitch)
					memset(to, 0, p->pitch * LANES * (size_t)rows * sizeof *to);
				else
					memset(to, 0, p->left * LANES * sizeof *to);
				if (none)
					continue;
				if (step == 1) {
					transpose(row + (p->lo[2] > 0 ? p->lo[2] : 0), apart,
					          p->inner * (size_t)rows, b->images, to + p->left * LANES, LANES);
					continue;
				}
				for (size_t k = 0; k < p->inner; k += TURN) {
					size_t n = p->inner - k < TURN ? p->inner - k : TURN;

					transpose(row + p->lo[2] + (int64_t)(p->left + k), apart, n, b->images, line,
					          LANES);
					for (size_t j = 0; j < n; j++) {
						size_t at = p->left + k + j;

						at = at % (size_t)step * p->phase + at / (size_t)step;
						*(vector *)(to + at * LANES) = *(vector *)(line + j * LANES);
					}
				}
			}
		memset(to, 0, (size_t)(end - to) * sizeof *to);
		to = end;
	}
}

/* How far the elements of each step are from those of the first place. */
static inline void padded_distances(const struct direct *q, const struct part *part,
                                    const struct padded *p, uint32_t *distance)
{
	const struct direct_axis *a = q->axis;
	int64_t least[3], step = a[2].step;

	for (int i = 0; i < 3; i++)
		least[i] = a[i].shift_step < 0 ? (part->taps[i] - 1) * a[i].shift_step : 0;
	for (size_t c = 0; c < part->channels; c++)
		for (int64_t d = 0; d < part->taps[0]; d++)
			for (int64_t i = 0; i < part->taps[1]; i++)
				for (int64_t j = 0; j < part->taps[2]; j++) {
					int64_t column = j * a[2].shift_step - least[2];
					size_t at = c * p->channel;

					at += (size_t)(d * a[0].shift_step - least[0]) * p->plane;
					at += (size_t)(i * a[1].shift_step - least[1]) * p->pitch;
					at += (size_t)(column % step) * p->phase;
					*distance++ = (uint32_t)(at + (size_t)(column / step));
				}
}

/* ---- the rows of places of a box ------------------------------------------------------------------ */

struct rows {
	size_t left; /* how many, this one included */
	int64_t row, depth;
	size_t image, from, to; /* where its first place is in the copy and in the result */
};

static inline void rows_place(const struct direct *q, const struct box *b, const struct padded *p,
                              struct rows *r)
{
	const struct direct_axis *a = q->axis;
	int64_t at = a[0].out_at + (b->first[0] + r->depth) * a[0].out_step;

	at = at * a[1].out + a[1].out_at + (b->first[1] + r->row) * a[1].out_step;
	at = at * a[2].out + a[2].out_at + b->first[2] * a[2].out_step;
	r->to = (b->image + r->image) * q->G * q->M * q->plane_out + (size_t)at;
	r->from = p->base + r->image * p->image + (size_t)r->depth * p->plane_step +
	          (size_t)r->row * p->row_step;
}

static inline void rows_first(const struct direct *q, const struct box *b, const struct padded *p,
                              struct rows *r)
{
	*r = (struct rows){ .left = b->images * (size_t)(b->n[0] * b->n[1]) };
	if (b->n[2] == 0)
		r->left = 0;
	rows_place(q, b, p, r);
}

static inline void rows_next(const struct direct *q, const struct box *b, const struct padded *p,
                             struct rows *r)
{
	r->left--;
	if (++r->row < b->n[1]) {
		r->from += p->row_step;
		r->to += (size_t)(q->axis[1].out_step * q->axis[2].out);
		return;
	}
	r->row = 0;
	if (++r->depth == b->n[0]) {
		r->depth = 0;
		r->image++;
	}
	rows_place(q, b, p, r);
}

#endif
