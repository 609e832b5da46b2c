/*
 * kl_div: the Kullback-Leibler divergence of log-probabilities x from target, t (ln t - x).
 *
 *   x, target   of the same shape      y   the mean, the sum or none, by `reduction`; batchmean is
 *               the sum over the size of the first axis, which makes it the divergence of a batch
 *   dx = -t dy, dtarget = (ln t + 1 - x) dy
 *   log_target: target holds logarithms too, exp(t) (t - x). A target of 0 counts for nothing; its
 *   own gradient, infinite there, is NaN.
 */
#include "op.h"
#include "kernels/losses.h"

struct attrs {
	bool log_target;
	const char *reduction;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, log_target, AD_FLAG, "false", "target holds log-probabilities", NULL),
	AD_ATTR(
	    struct attrs, reduction, AD_WORD, "mean",
	    "the mean or sum of the losses, the sum over the size of the batch, or each by itself",
	    "mean sum none batchmean"),
	{ 0 },
};

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	ad_node *x = in[0], *t = in[1], *loss, *error = unequal_shapes(g, "kl_div", x, t);
	ad_shape shape = ad_shape_of(x);

	if (error)
		return error;
	if (is_word(a->reduction, "batchmean") && shape.rank == 0)
		return ad_fail(
		    g, AD_ERROR_SHAPE,
		    "kl_div: a single number has no batch to take the mean over; use mean");
	if (a->log_target)
		loss = ad_mul(ad_exp(t), ad_sub(t, x));
	else
		loss = ad_sub(ad_xlogy(t, t), ad_mul(t, x));
	if (is_word(a->reduction, "batchmean"))
		return ad_div(ad_sum(loss, AD_ALL, false), ad_constant(g, (double)shape.dims[0]));
	return reduce_losses(loss, a->reduction);
}

AD_OP(kl_div, .arity = 2, .inputs = "x target", .attrs = attrs, .attrs_size = sizeof(struct attrs),
      .compose = compose,
      .samples = {
	  { .in = { AD_DIMS(2, 2), AD_DIMS(2, 2) },
            .attrs = "reduction=batchmean",
            .give = { AD_LIST(-1, -2, -0.5, -3), AD_LIST(0.5, 0.25, 1, 0) },
            .want = { AD_LIST(0.40342640972002736) },
            .dwant = { AD_LIST(-0.25, -0.125, -0.5, 0),
                       AD_LIST(0.6534264097200273, 0.8068528194400547, 0.75, NAN) } },
	  { .in = { AD_DIMS(2), AD_DIMS(2) },
            .attrs = "reduction=sum log_target=true",
            .give = { AD_LIST(-1, -2), AD_LIST(0, -1) },
            .want = { AD_LIST(1.3678794411714423) },
            .dwant = { AD_LIST(-1, -0.36787944117144233), AD_LIST(2, 0.7357588823428847) } },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(2, 3) }, .lo = 0.1, .hi = 2 },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(2, 3) },
            .attrs = "reduction=none log_target=true",
            .lo = -2,
            .hi = 0 },
	  { .in = { AD_DIMS(3, 1), AD_DIMS(3) },
            .error = "x is (3, 1), but target is (3,); they must be equal" },
	  { .in = { AD_DIM0, AD_DIM0 },
            .attrs = "reduction=batchmean",
            .error = "a single number has no batch" } });

/* The divergence of log-probabilities x from target, as reduction says: "mean" (also for NULL),
 * "sum", "batchmean" or "none". */
AD_API ad_node *ad_kl_div(ad_node *x, ad_node *target, const char *reduction)
{
	struct attrs a = { false, reduction ? reduction : "mean" };

	return AD_CALL_WITH(kl_div, &a, x, target);
}
