/*
 * direct: convolutions without a matrix of columns.
 *
 *   gather   out[m, q] = the sum over channels c and taps t of w[m, c, t] in[c, q step + shift(t)]
 *   weigh    w[m, c, t] = the sum over q of out[m, q] in[c, q step + shift(t)]
 *
 * A convolution is one gather; spreading (the gradient of its input, a transposed convolution) is
 * one gather for each remainder of the places of x by the stride, each with the taps that reach it.
 *
 * The work is cut into boxes: some places of some images, of one group. What a box reads is copied
 * with its padding, some channels at a time; an element of it under tap t is then at a fixed distance
 * from the first one, and the inner loops are those of a matrix product that adds these distances.
 * How the work is cut depends on the shapes alone.
 */
#ifndef OPS_KERNELS_DIRECT_H
#define OPS_KERNELS_DIRECT_H

#include "conv.h"

/* One axis: place q = 0..n-1 of the result is written to out_at + q out_step, and reads the input
 * at q step + shift + i shift_step through tap + i tap_step of the kernel, i = 0..taps-1. */
struct direct_axis {
	int64_t in, out, kernel; /* sizes */
	int64_t n, out_step, out_at;
	int64_t step, shift, shift_step;
	int64_t taps, tap, tap_step;
};

struct direct {
	struct direct_axis axis[3];
	size_t N, G, C, M; /* images, groups, channels read and channels written of a group */
	size_t plane_in, plane_out, plane_k;
	size_t w_in, w_out; /* from a weight to that of the next channel read, written */
	/* How it is cut. */
	bool across;          /* vectors lie across images, not along places */
	size_t rows, vectors; /* of a tile in registers */
	size_t blocks;        /* of rows: blocks * rows >= M */
	size_t channels;      /* copied at a time, under so many taps: */
	int64_t taps[3];
	size_t images, boxes[3]; /* of a box: images, and how many boxes an axis is cut into */
	int64_t box[3];          /* places of a box */
};

/* The gather of a convolution; and those of spreading, for each remainder of places that there is. */
struct direct AD_VARIANT(direct_product)(const struct conv *p);
struct direct AD_VARIANT(direct_spread)(const struct conv *p, size_t remainder);

static inline size_t direct_remainders(const struct conv *p)
{
	size_t n = 1;

	for (int i = 0; i < 3; i++)
		n *= (size_t)(p->stride[i] < p->x[i] ? p->stride[i] : p->x[i]);
	return n;
}

/* Units of work of a gather, and numbers in its weights once packed. */
static inline size_t direct_units(const struct direct *q)
{
	size_t images = (q->N + q->images - 1) / q->images;

	return q->G * images * q->boxes[0] * q->boxes[1] * q->boxes[2];
}

static inline size_t direct_packed(const struct direct *q)
{
	size_t taps = (size_t)(q->axis[0].taps * q->axis[1].taps * q->axis[2].taps);

	return q->G * q->blocks * q->rows * q->C * taps;
}

/* Packs the weights of blocks begin..end-1, of G * blocks. */
void AD_VARIANT(direct_pack)(const struct direct *q, const ad_real *w, ad_real *to, size_t begin,
                             size_t end);

/* The units begin..end-1 of a gather; b: G * M numbers to start from, or NULL; add: out holds values
 * to add to. With `finish`, says of output 0 of that run what is final. */
void AD_VARIANT(direct_gather)(const struct direct *q, const ad_real *in, const ad_real *packed,
                               const ad_real *b, ad_real *out, bool add, const ad_run *finish,
                               size_t begin, size_t end);

/* The gradient of the weights: partial sums of slices of the boxes, then their sum. */
struct weigh {
	struct direct q; /* cut for this purpose */
	bool places;     /* vectors lie along places, not channels */
	size_t slices, parts; /* of the boxes, conv.slices at most; of the rows */
};

struct weigh AD_VARIANT(weigh_of)(const struct conv *p);

static inline size_t weigh_units(const struct weigh *v)
{
	return v->slices * v->q.G * v->parts;
}

/* Where the partial sums of the planes of `out` lie behind those of the weights: G * M for each slice. */
size_t AD_VARIANT(weigh_biases)(const struct weigh *v);

/* biases: whether to add up the planes of `out`, too. */
void AD_VARIANT(weigh_slices)(const struct weigh *v, const ad_real *in, const ad_real *out, bool biases,
                              ad_real *sums, size_t begin, size_t end);

/* w and b, which may be NULL, = the sum of the slices, or more by it where add_w and add_b are set; rows
 * begin..end-1 of G * M. Overwrites the sums. */
void AD_VARIANT(weigh_sum)(const struct weigh *v, ad_real *sums, ad_real *w, bool add_w, ad_real *b,
                           bool add_b, size_t begin, size_t end);

#endif
