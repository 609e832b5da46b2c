/*
 * losses: what losses share: the attribute `reduction`, and class targets.
 */
#ifndef OPS_KERNELS_LOSSES_H
#define OPS_KERNELS_LOSSES_H

#include "lines.h"

#define REDUCTION_ATTR                                                                             \
	AD_ATTR(struct attrs, reduction, AD_WORD, "mean",                                          \
	        "the mean or sum of the losses, or each by itself", "mean sum none")

static inline bool is_word(const char *word, const char *one)
{
	return strcmp(word, one) == 0;
}

/* For composed losses: the losses as the word says. */
static inline ad_node *reduce_losses(ad_node *losses, const char *reduction)
{
	return is_word(reduction, "mean")  ? ad_mean(losses, AD_ALL, false)
	       : is_word(reduction, "sum") ? ad_sum(losses, AD_ALL, false)
	                                   : losses;
}

/* For composed losses: NULL if x and target have the same shape, else the error node of the graph.
 * Broadcasting is refused: of (n, 1) and (n,) it would make n * n losses without a word. */
static inline ad_node *unequal_shapes(ad_graph *g, const char *op, ad_node *x, ad_node *target)
{
	ad_shape a = ad_shape_of(x), b = ad_shape_of(target);
	char text_a[192], text_b[192];

	if (ad_equal_shapes(&a, &b))
		return NULL;
	return ad_fail(
	    g, AD_ERROR_SHAPE, "%s: x is %s, but target is %s; they must be equal, reshape one", op,
	    ad_print_shape(text_a, sizeof text_a, a), ad_print_shape(text_b, sizeof text_b, b));
}

/* The shape rule of a loss with class targets: x with the classes along an axis, target of indices
 * without that axis, and perhaps a weight for each class. y is the loss, as reduction says. */
static inline bool class_loss_shape(ad_infer *s, int64_t axis, const char *reduction)
{
	const ad_shape *x = &s->in[0], *weight = s->n_in > 2 ? &s->in[2] : NULL;
	ad_shape rest = { .rank = x->rank - 1 };
	int at;

	if (x->rank == 0)
		return ad_refuse(
		    s, "x is a single number; it needs an axis with one score for each class");
	at = ad_axis(s, x->rank, axis);
	if (at < 0)
		return false;
	for (int i = 0; i < rest.rank; i++)
		rest.dims[i] = x->dims[i < at ? i : i + 1];
	if (s->in_type[1] != AD_I32)
		return ad_refuse(s, "target must be class indices, not %s",
		                 s->in_type[1] == AD_BOOL ? "a mask" : "reals");
	if (!ad_equal_shapes(&rest, &s->in[1]))
		return ad_refuse(s, "x %s has its classes on axis %d, so target must be %s, not %s",
		                 ad_show(s, 0), at, ad_show_shape(s, rest), ad_show(s, 1));
	if (weight && weight->rank >= 0 && (weight->rank != 1 || weight->dims[0] != x->dims[at]))
		return ad_refuse(s, "weight must be (%lld,), a number for each class, not %s",
		                 (long long)x->dims[at], ad_show(s, 2));
	s->out[0] = is_word(reduction, "none") ? rest : AD_SCALAR;
	return true;
}

/* Whether the index of position k is a class. Fails the evaluation if it is not, and not ignored.
 */
static inline bool is_class(const ad_run *r, size_t k, size_t classes, int64_t ignore)
{
	int64_t index = ad_indices_of(&r->in[1])[k];

	if (index == ignore)
		return false;
	if (index >= 0 && (size_t)index < classes)
		return true;
	ad_run_failed(
	    r, "element %zu of target is %lld, but there are %zu classes, which count from 0", k,
	    (long long)index, classes);
	return false;
}

/* The weight of the class of position k. */
static inline double class_weight(const ad_run *r, size_t k)
{
	bool given = r->n_in > 2 && r->in[2].data;
	return given ? (double)ad_reals_of(&r->in[2])[ad_indices_of(&r->in[1])[k]] : 1;
}

/* What the sum of the losses is divided by: the weights of all targets for a mean, else 1. */
static inline double class_divisor(const ad_run *r, size_t classes, int64_t ignore,
                                   const char *reduction)
{
	double sum = 0;

	if (!is_word(reduction, "mean"))
		return 1;
	for (size_t k = 0; k < r->in[1].count; k++)
		if (is_class(r, k, classes, ignore))
			sum += class_weight(r, k);
	return sum;
}

/* The divisor of a mean as a node, for gradients as ops: the sum of the weights of all targets; 1
 * where that is 0, so that targets which all count for nothing have gradient 0. */
static inline ad_node *class_divisor_node(ad_node *weights)
{
	ad_node *sum = ad_sum(weights, AD_ALL, false), *zero = ad_full_like(sum, 0);

	return ad_where(ad_equal(sum, zero), ad_full_like(sum, 1), sum);
}

#endif
