/*
 * norms: rows brought to mean 0 and variance 1, for layer_norm, group_norm, instance_norm; and to
 * mean square 1, for rms_norm.
 *
 *   z = (x - mean) / sqrt(variance + eps) over a row of n elements side by side, y = z w + b
 *   with g = dy w:  dx = (g - mean of g - z mean of g z) / sqrt(variance + eps)
 *
 * Sums are kept in double, blocks of 256 elements in the real type.
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

static inline size_t norm_weights(const struct norm *p)
{
	return p->inner ? p->groups * (p->n / p->inner) : 0;
}

static inline size_t norm_grain(const struct norm *p)
{
	return p->n >= 8192 ? 1 : 8192 / (p->n ? p->n : 1);
}

/* The sum of n elements, and of the squares of their distances from a centre. */
double AD_VARIANT(norm_sum)(const ad_real *x, size_t n);
double AD_VARIANT(norm_squares)(const ad_real *x, size_t n, ad_real centre);

/* The sum of a (x - centre). */
double AD_VARIANT(norm_products)(const ad_real *a, const ad_real *x, size_t n, ad_real centre);

/* y for the rows begin..end-1. */
void AD_VARIANT(norm_apply)(const struct norm *p, const ad_real *x, ad_real *y, size_t begin,
                            size_t end);

/* dx (or NULL) for the rows begin..end-1, and their mean and 1 / sqrt(variance + eps) to stats. */
void AD_VARIANT(norm_back)(const struct norm *p, const ad_real *x, const ad_real *dy, ad_real *dx,
                           ad_real *stats, size_t begin, size_t end);

/* dw and db (or NULL) for the weights begin..end-1, from all stats. */
void AD_VARIANT(norm_back_weights)(const struct norm *p, const ad_real *x, const ad_real *dy,
                                   const ad_real *stats, ad_real *dw, ad_real *db, size_t begin,
                                   size_t end);

/* ---- shared by the ops
 * ---------------------------------------------------------------------------- */

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

/* Room for two numbers for each of `rows` rows. */
static inline void norm_work(ad_infer *s, size_t rows)
{
	s->work = 2 * rows * (ad_is_f64(s->graph) ? sizeof(double) : sizeof(float));
}

/* Where the gradient by input i goes; NULL: it is not wanted. */
static inline ad_real *norm_wanted(const ad_run *r, int i)
{
	return r->n_in > i && r->dx[i].count > 0 ? ad_reals_of(&r->dx[i]) : NULL;
}

static inline void norm_backward(const ad_run *r, const struct norm *p,
                                 void (*rows)(const ad_run *r, size_t begin, size_t end),
                                 void (*weights)(const ad_run *r, size_t begin, size_t end))
{
	for (int i = 1; r->in[0].count == 0 && i < 3; i++)
		if (norm_wanted(r, i))
			memset(r->dx[i].data, 0, r->dx[i].count * sizeof(ad_real));
	if (r->in[0].count == 0)
		return;
	ad_parallel(r, p->rows, norm_grain(p), rows);
	if (norm_wanted(r, 1) || norm_wanted(r, 2))
		ad_parallel(r, norm_weights(p), 16384 / (p->rows / p->groups * p->inner + 1) + 1,
		            weights);
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
