/*
 * norms: rows brought to mean 0 and variance 1, for layer_norm, group_norm, instance_norm; and to
 * mean square 1, for rms_norm.
 *
 *   z = (x - mean) / sqrt(variance + eps) over a row of n elements side by side, y = z w + b
 *   with g = dy w:  dx = (g - mean of g - z mean of g z) / sqrt(variance + eps)
 *
 * Sums are kept in double, blocks of 256 elements in the real type; the gradients of the weights, of up
 * to 32 rows. So they depend on the shape alone, whatever the number of threads.
 */
#ifndef OPS_KERNELS_NORMS_H
#define OPS_KERNELS_NORMS_H

#include "op.h"

struct norm_attrs {
	double eps;
	ad_ints normalized_shape; /* of layer_norm */
	int64_t groups;           /* of group_norm */
};

/* Element k of row r has weight (r % groups) * (n / inner) + k / inner. */
struct norm {
	size_t rows, n, groups, inner;
	bool centred; /* the mean is taken off */
	double eps;
	const ad_real *w, *b; /* or NULL */
};

/* The elements of one channel of (N, C, ...). */
static inline size_t norm_inner(int rank, const int64_t dims[])
{
	size_t inner = 1;

	for (int i = 2; i < rank; i++)
		inner *= (size_t)dims[i];
	return inner;
}

static inline size_t norm_weights(const struct norm *p)
{
	return p->inner ? p->groups * (p->n / p->inner) : 0;
}

static inline size_t norm_grain(const struct norm *p)
{
	return p->n >= 8192 ? 1 : 8192 / (p->n ? p->n : 1);
}

/* Gradients of weights are added up over blocks of so many rows, then over the blocks. */
static inline size_t norm_block(size_t groups, size_t inner)
{
	return groups * (inner < 32 ? 32 / (inner ? inner : 1) : 1);
}

static inline size_t norm_blocks(const struct norm *p)
{
	size_t block = norm_block(p->groups, p->inner);
	return block ? (p->rows + block - 1) / block : 0;
}

/* y for the rows begin..end-1; added to it if add is set. */
void AD_VARIANT(norm_apply)(const struct norm *p, const ad_real *x, ad_real *y, bool add,
                            size_t begin, size_t end);

/* dx (or NULL) for the rows of the blocks begin..end-1, added to it if add is set; and for each block
 * the gradients of its rows by w, then by b, to sums (or NULL). */
void AD_VARIANT(norm_back)(const struct norm *p, const ad_real *x, const ad_real *dy, ad_real *dx,
                           bool add, ad_real *sums, size_t begin, size_t end);

/* Adds up the sums of all blocks for the weights begin..end-1: of w for which = 0, of b for 1. */
void AD_VARIANT(norm_back_weights)(const struct norm *p, const ad_real *sums, int which, ad_real *d,
                                   bool add, size_t begin, size_t end);

/* ---- shared by the ops -------------------------------------------------------------------------- */

/* weight and bias (b from input 2) of that shape, or left out. */
static inline bool norm_affine(ad_infer *s, ad_shape w)
{
	static const char *const name[] = { "", "weight", "bias" };

	for (int i = 1; i < s->n_in; i++)
		if (s->in[i].rank >= 0 && !ad_equal_shapes(&s->in[i], &w))
			return ad_refuse(s, "%s must be %s for x %s, not %s", name[i],
			                 ad_show_shape(s, w), ad_show(s, 0), ad_show(s, i));
	return true;
}

static inline bool norm_eps(ad_infer *s, double eps)
{
	if (eps >= 0 && eps <= 1e30)
		return true;
	return ad_refuse(s, "eps is %g, not 0 or more", eps);
}

static inline const ad_real *norm_input(const ad_run *r, int i)
{
	return r->n_in > i ? ad_reals_of(&r->in[i]) : NULL;
}

/* Room for the sums of the blocks of `rows` rows with that many weights in all. */
static inline bool norm_work(ad_infer *s, size_t rows, size_t weights, size_t groups, size_t inner)
{
	size_t block = norm_block(groups, inner), blocks = block ? (rows + block - 1) / block : 0;
	size_t real = ad_is_f64(s->graph) ? sizeof(double) : sizeof(float);

	if (__builtin_mul_overflow(blocks, weights, &s->work) ||
	    __builtin_mul_overflow(s->work, 2 * real, &s->work))
		return ad_refuse(s, "x %s is too large", ad_show(s, 0));
	return true;
}

/* Where the gradient by input i goes; NULL: it is not wanted. */
static inline ad_real *norm_wanted(const ad_run *r, int i)
{
	return r->n_in > i && r->dx[i].count > 0 ? ad_reals_of(&r->dx[i]) : NULL;
}

/* The kernels of an op whose rows norm_here describes. */
#define NORM_KERNELS                                                                               \
	static void rows(const ad_run *r, size_t begin, size_t end)                                \
	{                                                                                          \
		struct norm p = norm_here(r);                                                      \
		AD_VARIANT(norm_apply)                                                             \
		(&p, ad_reals_of(&r->in[0]), ad_reals_of(&r->out[0]), ad_adds(r, 0), begin, end);  \
	}                                                                                          \
	static void forward(const ad_run *r)                                                       \
	{                                                                                          \
		struct norm p = norm_here(r);                                                      \
		if (r->in[0].count > 0)                                                            \
			ad_parallel(r, p.rows, norm_grain(&p), rows);                              \
	}                                                                                          \
	static void blocks_back(const ad_run *r, size_t begin, size_t end)                         \
	{                                                                                          \
		struct norm p = norm_here(r);                                                      \
		bool weights = norm_wanted(r, 1) || norm_wanted(r, 2);                             \
		AD_VARIANT(norm_back)                                                              \
		(&p, ad_reals_of(&r->in[0]), ad_reals_of(&r->dy[0]), norm_wanted(r, 0),            \
		 ad_adds(r, 0), weights ? r->work : NULL, begin, end);                             \
	}                                                                                          \
	static void weights_back(const ad_run *r, size_t begin, size_t end)                        \
	{                                                                                          \
		struct norm p = norm_here(r);                                                      \
		for (int i = 1; i < 3; i++)                                                        \
			if (norm_wanted(r, i))                                                     \
				AD_VARIANT(norm_back_weights)                                      \
				(&p, r->work, i - 1, norm_wanted(r, i), ad_adds(r, i), begin, end); \
	}                                                                                          \
	static void backward(const ad_run *r)                                                      \
	{                                                                                          \
		struct norm p = norm_here(r);                                                      \
		norm_backward(r, &p, blocks_back, weights_back);                                   \
	}

static inline void norm_backward(const ad_run *r, const struct norm *p,
                                 void (*blocks)(const ad_run *r, size_t begin, size_t end),
                                 void (*weights)(const ad_run *r, size_t begin, size_t end))
{
	size_t block = norm_block(p->groups, p->inner);

	for (int i = 1; r->in[0].count == 0 && i < 3; i++)
		if (norm_wanted(r, i) && !ad_adds(r, i))
			memset(r->dx[i].data, 0, r->dx[i].count * sizeof(ad_real));
	if (r->in[0].count == 0)
		return;
	ad_parallel(r, norm_blocks(p), norm_grain(p) / block + 1, blocks);
	if (norm_wanted(r, 1) || norm_wanted(r, 2))
		ad_parallel(r, norm_weights(p), 32768 / (norm_blocks(p) + 1) + 1, weights);
}

/* The gradient as ops, of rows of n elements side by side, with weights that broadcast against x in
 * the shape `w`. */
static inline void norm_grad(ad_node *y, ad_node *dy, ad_node *dx[], bool centred, int64_t n,
                             ad_shape w)
{
	const struct norm_attrs *a = ad_attrs_of(y);
	ad_graph *g = ad_graph_of(y);
	ad_node *x = ad_input_of(y, 0), *weight = ad_inputs(y) > 1 ? ad_input_of(y, 1) : NULL;
	ad_shape shape_x = ad_shape_of(x), rows = AD_SHAPE(n ? (int64_t)ad_count(x) / n : 0, n);
	ad_node *line = ad_reshape(x, rows), *scale, *z, *due;

	if (centred)
		line = ad_sub(line, ad_mean(line, AD_INTS(1), true));
	scale = ad_rsqrt(
	    ad_add(ad_mean(ad_square(line), AD_INTS(1), true), ad_full(g, AD_SCALAR, a->eps)));
	z = ad_mul(line, scale);
	if (ad_wants(y, 0)) {
		due = weight ? ad_mul(dy, ad_reshape(weight, w)) : dy;
		due = ad_reshape(due, rows);
		dx[0] = ad_sub(due, ad_mul(z, ad_mean(ad_mul(due, z), AD_INTS(1), true)));
		if (centred)
			dx[0] = ad_sub(dx[0], ad_mean(due, AD_INTS(1), true));
		dx[0] = ad_reshape(ad_mul(dx[0], scale), shape_x);
	}
	if (weight && ad_wants(y, 1))
		dx[1] = ad_reshape(ad_sum_to(ad_mul(dy, ad_reshape(z, shape_x)), w),
		                   ad_shape_of(weight));
	if (ad_inputs(y) > 2 && ad_wants(y, 2))
		dx[2] = ad_reshape(ad_sum_to(dy, w), ad_shape_of(ad_input_of(y, 2)));
}

#endif
