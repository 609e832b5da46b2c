/*
 * rms_norm: y = x / sqrt(mean of x^2 + eps) weight, over the last axis.
 *
 *   x   (..., n)
 *   weight   (n), may be left out
 *   y   shape of x
 *   dx = (g - z mean of g z) / sqrt(mean of x^2 + eps), with g = dy weight and z what weight is
 *        multiplied by
 *   dweight = dy z summed over the leading axes; inputs are kept
 *
 * Zhang and Sennrich, "Root mean square layer normalization" (2019). A few ulp.
 */
#include "op.h"
#include "kernels/norms.h"

static const ad_attr attrs[] = {
	AD_ATTR(struct norm_attrs, eps, AD_NUM, "1e-6",
	        "added to the mean square, against a division by 0", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct norm_attrs *a = s->attrs;
	const ad_shape *x = &s->in[0];
	int64_t n = x->rank > 0 ? x->dims[x->rank - 1] : 0;
	size_t count;

	if (x->rank == 0)
		return ad_refuse(s, "x is a single number; it must have an axis to normalize over");
	if (!norm_eps(s, a->eps) || !norm_affine(s, AD_SHAPE(n)))
		return false;
	ad_count_of(x, &count);
	s->out[0] = *x;
	return norm_work(s, n ? count / (size_t)n : 0, (size_t)n, 1, 1);
}

static struct norm norm_here(const ad_run *r)
{
	const struct norm_attrs *a = r->attrs;
	size_t n = (size_t)r->in[0].dims[r->in[0].rank - 1];

	return (struct norm){ n ? r->in[0].count / n : 0, n,   1, 1, false, a->eps,
		              norm_input(r, 1),           NULL };
}

NORM_KERNELS

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_shape x = ad_shape_of(ad_input_of(y, 0));
	int64_t n = x.dims[x.rank - 1];

	norm_grad(y, dy[0], dx, false, n, AD_SHAPE(n));
}

AD_OP(rms_norm, .arity = 1, .optional = 1, .inputs = "x weight", .attrs = attrs,
      .attrs_size = sizeof(struct norm_attrs), .shape = shape, .forward = forward,
      .backward = backward, .grad = grad, .reads = AD_READS_INPUTS, .adds = true,
      .samples = {
	  { .in = { AD_DIMS(2, 3), AD_DIMS(3) },
            .give = { AD_LIST(-4, 3.5, 0, 6, 2.5, -1), AD_LIST(0.5, 0.75, 1) },
            .want = { AD_LIST(-0.6517505013060617, 0.855422532964206, 0, 0.7901122789483273,
                              0.4938201743427045, -0.2633707596494424) },
            .dwant = { AD_LIST(0.19177614002092366, 0.2191727376321659, 0.32587525065303086,
                               -0.009895423345385769, 0.13853606841620392, 0.2869675601777935),
                       AD_LIST(0.2767235552845311, 1.798990276409214, -0.2633707596494424) } },
	  { .in = { AD_DIMS(1, 2, 2) },
            .attrs = "eps=0.5",
            .give = { AD_LIST(-4, 3.5, 0, 6) },
            .want = { AD_LIST(-1.0459527207369814, 0.9152086306448588, 0, 1.3949716649258315) },
            .dwant = { AD_LIST(0.2436086464964337, 0.27713277216108056, 0.23249527748763857,
                               0.006283656148314517) } },
	  { .in = { AD_DIMS(1, 2), AD_DIMS(2) },
            .give = { AD_LIST(0, 0), AD_LIST(1, 2) },
            .want = { AD_LIST(0, 0) },
            .dwant = { AD_LIST(1000, 2000), AD_LIST(0, 0) } },
	  { .in = { AD_DIMS(2, 3, 4), AD_DIMS(4) }, .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(3) }, .attrs = "eps=0.1", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(0, 3), AD_DIMS(3) }, .lo = -2, .hi = 2 },
	  { .in = { AD_DIM0 }, .error = "x is a single number" },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(2) },
            .error = "weight must be (3,) for x (2, 3), not (2,)" } });

/* x over its root mean square along the last axis, times weight, which may be NULL. */
AD_API ad_node *ad_rms_norm(ad_node *x, ad_node *weight, double eps)
{
	struct norm_attrs a = { eps, AD_ALL, 0 };

	return AD_CALL_WITH(rms_norm, &a, x, weight);
}
