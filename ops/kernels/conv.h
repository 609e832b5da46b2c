/*
 * conv: convolutions over one to three axes, as matrix products of tiles of columns.
 *
 * Of three arrays each of the three products gives one from the other two:
 *
 *   product   y = x and w       conv forward; the gradient of a transposed one by its input
 *   spread    x = y and w       conv_transpose forward; the gradient of conv by its input
 *   weigh     w = x and y       the gradient of both by their weights
 *
 *   x (N, G C, spatial)   w (G M, C, kernel)   y (N, G M, spatial), G groups
 *
 * The columns (Chellapilla, Puri and Simard, "High performance convolutional neural networks for
 * document processing", 2006) of a tile are the elements of x under the kernel at some places of y:
 * C * kernel rows. A tile is some places of one image, or all places of some images, and stays in
 * the cache. How the work is cut depends on the shapes alone.
 */
#ifndef OPS_KERNELS_CONV_H
#define OPS_KERNELS_CONV_H

#include "gemm.h"
#include "reduce.h"
#include "windows.h"

struct conv_attrs {
	ad_ints stride, padding, dilation;
	int64_t groups;
	ad_ints output_padding, kernel; /* of conv_transpose, of conv_weight */
};

#define CONV_ATTRS                                                                                 \
	AD_ATTR(struct conv_attrs, stride, AD_INTLIST, "1", "from one window to the next", NULL),  \
	    AD_ATTR(struct conv_attrs, padding, AD_INTLIST, "0", "zeros on both sides of x",       \
	            NULL),                                                                         \
	    AD_ATTR(struct conv_attrs, dilation, AD_INTLIST, "1",                                  \
	            "from one element under the kernel to the next", NULL),                        \
	    AD_ATTR(struct conv_attrs, groups, AD_INT, "1",                                        \
	            "the channels are cut into groups that do not mix", NULL)

/* Three axes always, the first ones of size 1 where there are fewer. */
struct conv {
	size_t N, G, C, M;
	int64_t x[3], k[3], y[3], stride[3], padding[3], dilation[3];
	size_t plane_x, plane_k, plane_y; /* products of x, k, y */
	size_t rows;                      /* C * plane_k */
	size_t columns;                   /* of a tile: places of one image, or of `images` */
	size_t images, tiles;             /* tiles of an image, or of all where images > 1 */
	size_t channels;                  /* that one unit of spread works on */
	size_t slices;                    /* that weigh adds up */
};

/* How many partial sums of the weights there are: where there are few units otherwise, and as long
 * as they are small. Does not depend on the real type. */
static inline size_t conv_slices(size_t places, size_t G, size_t M, size_t rows)
{
	size_t slices = 16 / (G * ((rows + 255) / 256) + 1) + 1, size = G * M * rows;
	size_t most = size ? ((size_t)1 << 22) / size : 1;

	slices = slices < places / 1024 ? slices : places / 1024;
	slices = slices < most ? slices : most;
	return slices < 1 ? 1 : slices;
}

/* The geometry; y is as large as conv gives or smaller. */
static inline struct conv conv_of(const ad_array *x, const ad_array *w, const ad_array *y,
                                  const struct conv_attrs *a)
{
	struct conv p = { .plane_x = 1, .plane_k = 1, .plane_y = 1 };
	int d = x->rank - 2;
	size_t room = 131072 / sizeof(ad_real), high, most, all;

	for (int i = 0; i < 3; i++) {
		int at = i - (3 - d);

		p.x[i] = at < 0 ? 1 : x->dims[2 + at];
		p.k[i] = at < 0 ? 1 : w->dims[2 + at];
		p.y[i] = at < 0 ? 1 : y->dims[2 + at];
		p.stride[i] = at < 0 ? 1 : window_entry(a->stride, at, 1);
		p.padding[i] = at < 0 ? 0 : window_entry(a->padding, at, 0);
		p.dilation[i] = at < 0 ? 1 : window_entry(a->dilation, at, 1);
		p.plane_x *= (size_t)p.x[i];
		p.plane_k *= (size_t)p.k[i];
		p.plane_y *= (size_t)p.y[i];
	}
	p.N = (size_t)x->dims[0];
	p.G = (size_t)a->groups;
	p.C = (size_t)w->dims[1];
	p.M = (size_t)w->dims[0] / p.G;
	p.rows = p.C * p.plane_k;
	/* As many columns as keep the tile in the cache; fewer where there are too few tiles. */
	high = p.rows < 256 ? p.rows : 256;
	most = room / (high < 32 ? 32 : high) / 16 * 16;
	all = p.N * p.plane_y;
	if ((double)all * (double)p.rows * (double)p.M > 1 << 22 && all / 16 < most)
		most = (all / 16 < 64 ? 64 : all / 16 + 15) / 16 * 16;
	if (2 * p.plane_y > most || p.N <= 1) {
		p.images = 1;
		p.tiles = p.plane_y ? (p.plane_y + most - 1) / most : 0;
		p.columns = p.tiles ? (p.plane_y + p.tiles - 1) / p.tiles : 0;
		/* whole vectors, but never more than the tile has room for */
		if (p.tiles > 1)
			p.columns = (p.columns + 15) / 16 * 16;
		p.tiles = p.columns ? (p.plane_y + p.columns - 1) / p.columns : 0;
	} else {
		p.images = p.plane_y ? most / p.plane_y : 1;
		p.tiles = (p.N + p.images - 1) / p.images;
		p.columns = p.images * p.plane_y;
	}
	p.channels = p.plane_k ? 256 / p.plane_k : 1;
	p.channels = p.channels < 1 ? 1 : p.channels > p.C ? p.C : p.channels;
	if (p.channels == 0)
		p.channels = 1;
	p.slices = conv_slices(p.N * p.plane_y, p.G, p.M, p.rows);
	return p;
}

/* Units of work of each product, for ad_parallel, and the multiplications of one. */
static inline size_t conv_tiles(const struct conv *p)
{
	return p->images > 1 ? p->tiles : p->tiles * p->N;
}

static inline size_t conv_product_units(const struct conv *p)
{
	return p->G * conv_tiles(p);
}

static inline size_t conv_spread_units(const struct conv *p)
{
	size_t blocks = p->images > 1 ? p->tiles : p->N;
	return p->G * blocks * ((p->C + p->channels - 1) / p->channels);
}

static inline size_t conv_weigh_units(const struct conv *p)
{
	return p->G * p->slices * ((p->rows + 255) / 256);
}

static inline size_t conv_grain(const struct conv *p, size_t units)
{
	double work = (double)p->N * (double)p->plane_y * (double)p->G * (double)p->M *
	              (double)p->rows / (double)(units ? units : 1);
	return work >= 1 << 18 ? 1 : (size_t)((1 << 18) / (work + 1)) + 1;
}

/* y = x and w, and b (M for each group) or NULL. */
void AD_VARIANT(conv_product)(const struct conv *p, const ad_real *x, const ad_real *w,
                              const ad_real *b, ad_real *y, size_t begin, size_t end);

/* x = y and w, and b (C for each group) or NULL. */
void AD_VARIANT(conv_spread)(const struct conv *p, const ad_real *y, const ad_real *w,
                             const ad_real *b, ad_real *x, size_t begin, size_t end);

/* Slice by slice, w = x and y: `slices` arrays of the size of w, to be added up. */
void AD_VARIANT(conv_weigh)(const struct conv *p, const ad_real *x, const ad_real *y, ad_real *w,
                            size_t begin, size_t end);

/* w[k] = the sum of the slices, for k from begin to end. */
void AD_VARIANT(conv_add_slices)(const struct conv *p, const ad_real *slices, ad_real *w,
                                 size_t begin, size_t end);

/* to (rows x columns of y) = the columns of one image and group, rows row..stop-1; ld apart. */
void AD_VARIANT(conv_columns)(const struct conv *p, const ad_real *x, size_t row, size_t stop,
                              size_t column, size_t n, ad_real *to, size_t ld);

/* x += the columns, put back. */
void AD_VARIANT(conv_add_columns)(const struct conv *p, ad_real *x, size_t row, size_t stop,
                                  size_t column, size_t n, const ad_real *from, size_t ld);

#endif
