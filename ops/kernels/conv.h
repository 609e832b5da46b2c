/*
 * conv: the geometry of convolutions over one to three axes.
 *
 * Of three arrays each of the three products gives one from the other two:
 *
 *   product   y = x and w       conv forward; the gradient of a transposed one by its input
 *   spread    x = y and w       conv_transpose forward; the gradient of conv by its input
 *   weigh     w = x and y       the gradient of both by their weights
 *
 *   x (N, G C, spatial)   w (G M, C, kernel)   y (N, G M, spatial), G groups
 *
 * conv.c has the columns (Chellapilla, Puri and Simard, "High performance convolutional neural networks
 * for document processing", 2006), for im2col and col2im: the elements of x under the kernel at some
 * places of y, C * kernel rows. direct.c has the products.
 */
#ifndef OPS_KERNELS_CONV_H
#define OPS_KERNELS_CONV_H

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

/* Rows of weights that a tile works on, at most: they are packed, and summed, in whole tiles. */
#define CONV_TILE 12

/* Three axes always, the first ones of size 1 where there are fewer. */
struct conv {
	size_t N, G, C, M;
	int64_t x[3], k[3], y[3], stride[3], padding[3], dilation[3];
	size_t plane_x, plane_k, plane_y; /* products of x, k, y */
	size_t rows;                      /* C * plane_k */
	size_t slices;                    /* of the places at most, when the weights' gradient is summed */
};

/* The geometry; y is as large as conv gives or smaller. */
static inline struct conv conv_of(int rank, const int64_t *x, const int64_t *w, const int64_t *y,
                                  const struct conv_attrs *a)
{
	struct conv p = { .plane_x = 1, .plane_k = 1, .plane_y = 1 };
	int d = rank - 2;
	double size;

	for (int i = 0; i < 3; i++) {
		int at = i - (3 - d);

		p.x[i] = at < 0 ? 1 : x[2 + at];
		p.k[i] = at < 0 ? 1 : w[2 + at];
		p.y[i] = at < 0 ? 1 : y[2 + at];
		p.stride[i] = at < 0 ? 1 : window_entry(a->stride, at, 1);
		p.padding[i] = at < 0 ? 0 : window_entry(a->padding, at, 0);
		p.dilation[i] = at < 0 ? 1 : window_entry(a->dilation, at, 1);
		p.plane_x *= (size_t)p.x[i];
		p.plane_k *= (size_t)p.k[i];
		p.plane_y *= (size_t)p.y[i];
	}
	p.N = (size_t)x[0];
	p.G = (size_t)a->groups;
	p.C = (size_t)w[1];
	p.M = (size_t)w[0] / p.G;
	p.rows = p.C * p.plane_k;
	/* Small weights: a partial sum for every 16th of the places. Large ones: as few as fit. */
	size = (double)p.G * (double)(p.M + CONV_TILE) * (double)p.rows;
	p.slices = size * 16 <= 1 << 20 ? 16 : size * 2 > 1 << 20 ? 1 : (size_t)((1 << 20) / size);
	return p;
}

static inline double conv_multiplications(const struct conv *p)
{
	return (double)p->N * (double)p->plane_y * (double)p->G * (double)p->M * (double)p->rows;
}

/* to (rows x columns of y) = the columns of one image and group, rows row..stop-1; ld apart. */
void AD_VARIANT(conv_columns)(const struct conv *p, const ad_real *x, size_t row, size_t stop,
                              size_t column, size_t n, ad_real *to, size_t ld);

/* x += the columns, put back. */
void AD_VARIANT(conv_add_columns)(const struct conv *p, ad_real *x, size_t row, size_t stop,
                                  size_t column, size_t n, const ad_real *from, size_t ld);

#endif
