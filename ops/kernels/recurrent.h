/*
 * recurrent: what the cells share: their inputs, checks of these, and a sequence's steps.
 */
#ifndef OPS_KERNELS_RECURRENT_H
#define OPS_KERNELS_RECURRENT_H

#include "op.h"

/* H the width of the state, I that of x; gates: how many of H rows the weights hold. */
struct cell {
	ad_node *x;           /* (..., I); of a sequence (T, ..., I) */
	ad_node *h, *c;       /* (..., H); c is NULL but for lstm */
	ad_node *w_ih, *w_hh; /* (gates H, I), (gates H, H) */
	ad_node *b_ih, *b_hh; /* (gates H), or NULL */
};

/* The inputs of a cell in their order: x, h, c if there is one, weights, and biases if given. */
static inline struct cell cell_of(ad_node *const in[], int n_in, bool has_c)
{
	struct cell s = { .x = in[0], .h = in[1], .c = has_c ? in[2] : NULL };
	int at = has_c ? 3 : 2;

	s.w_ih = in[at];
	s.w_hh = in[at + 1];
	s.b_ih = n_in > at + 2 ? in[at + 2] : NULL;
	s.b_hh = n_in > at + 3 ? in[at + 3] : NULL;
	return s;
}

/* Fails the graph unless x has the shape (printed as name). */
static inline bool cell_shape_is(ad_graph *g, const char *op, const char *name, ad_node *x,
                                 ad_shape want)
{
	ad_shape have = ad_shape_of(x);
	char text_have[192], text_want[192];

	if (ad_equal_shapes(&have, &want))
		return true;
	ad_fail(g, AD_ERROR_SHAPE, "%s: %s must be %s, not %s", op, name,
	        ad_print_shape(text_want, sizeof text_want, want),
	        ad_print_shape(text_have, sizeof text_have, have));
	return false;
}

/* Whether all shapes fit; else the graph has failed with a sentence. */
static inline bool cell_fits(ad_graph *g, const char *op, const struct cell *s, int gates,
                             bool sequence)
{
	ad_shape x = ad_shape_of(s->x), h = ad_shape_of(s->h), lead = x;
	char text_x[192], text_h[192];
	int64_t H, I, rows;

	if (x.rank < 1 + sequence || h.rank != x.rank - sequence) {
		ad_fail(g, AD_ERROR_SHAPE,
		        sequence ? "%s: x must be (T, ..., I) and h (..., H), not %s and %s"
		                 : "%s: x must be (..., I) and h (..., H), not %s and %s",
		        op, ad_print_shape(text_x, sizeof text_x, x),
		        ad_print_shape(text_h, sizeof text_h, h));
		return false;
	}
	I = x.dims[x.rank - 1];
	H = h.dims[h.rank - 1];
	if (__builtin_mul_overflow(H, gates, &rows)) {
		ad_fail(g, AD_ERROR_SHAPE, "%s: h %s is too large", op,
		        ad_print_shape(text_h, sizeof text_h, h));
		return false;
	}
	memmove(lead.dims, lead.dims + sequence, (size_t)(x.rank - sequence) * sizeof *lead.dims);
	lead.rank -= sequence;
	lead.dims[lead.rank - 1] = H;
	return cell_shape_is(g, op, "h", s->h, lead) &&
	       (!s->c || cell_shape_is(g, op, "c", s->c, h)) &&
	       cell_shape_is(g, op, "w_ih", s->w_ih, AD_SHAPE(rows, I)) &&
	       cell_shape_is(g, op, "w_hh", s->w_hh, AD_SHAPE(rows, H)) &&
	       (!s->b_ih || cell_shape_is(g, op, "b_ih", s->b_ih, AD_SHAPE(rows))) &&
	       (!s->b_hh || cell_shape_is(g, op, "b_hh", s->b_hh, AD_SHAPE(rows)));
}

/* The T places of x's first axis, each without that axis, into to[]. Cut 64 at a time, so that the
 * gradient is put together once; a level deeper for each factor of 64. */
static inline void cut_steps(ad_node *x, ad_node *to[])
{
	ad_shape shape = ad_shape_of(x);
	int64_t T = shape.dims[0], sizes[AD_MAX_OUTPUTS], each = 1, n;
	ad_node *parts;

	while (each < (T + AD_MAX_OUTPUTS - 1) / AD_MAX_OUTPUTS)
		each *= AD_MAX_OUTPUTS;
	n = (T + each - 1) / each;
	if (n == 1) {
		shape.rank--;
		memmove(shape.dims, shape.dims + 1, (size_t)shape.rank * sizeof *shape.dims);
		to[0] = ad_reshape(x, shape);
		return;
	}
	for (int64_t k = 0; k < n; k++)
		sizes[k] = k < n - 1 ? each : T - each * (n - 1);
	parts = ad_split(x, (ad_ints){ n, sizes }, 0);
	for (int64_t k = 0; k < n && !ad_is_error(parts); k++)
		cut_steps(ad_output(parts, (int)k), to + each * k);
}

/* Gates are worked on so many at a time; what may be missing is zeros then. */
#define CELL_PART 64

static inline void cell_part(ad_real *to, const ad_real *from, size_t at, size_t n)
{
	if (from)
		memcpy(to, from + at, n * sizeof *to);
	else
		memset(to, 0, n * sizeof *to);
}

/* How many rows make it worth a thread, of about 5 H exponential functions each. */
static inline size_t cell_grain(size_t H)
{
	return 1024 / (H + 1) + 1;
}

#endif
