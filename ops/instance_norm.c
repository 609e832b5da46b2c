/*
 * instance_norm: y = (x - mean) / sqrt(variance + eps) weight + bias, channel by channel and image.
 *
 *   x   (N, C, ...)
 *   weight, bias   (C), each may be left out
 *   y   shape of x; mean and variance (by n, not n - 1) are of one channel of one image
 *   dx as of layer_norm; dweight, dbias summed over all but the channels; inputs are kept
 *
 * group_norm with as many groups as channels. Two passes over each channel; a few ulp. Ulyanov,
 * Vedaldi and Lempitsky, "Instance normalization: the missing ingredient for fast stylization"
 * (2016).
 */
#include "op.h"
#include "kernels/norms.h"

static const ad_attr attrs[] = {
	AD_ATTR(struct norm_attrs, eps, AD_NUM, "1e-5",
	        "added to the variance, against a division by 0", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct norm_attrs *a = s->attrs;
	const ad_shape *x = &s->in[0];

	if (x->rank < 3)
		return ad_refuse(s, "x is (batch, channels, ... with a spatial axis), not %s",
		                 ad_show(s, 0));
	if (!norm_eps(s, a->eps) || !norm_affine(s, AD_SHAPE(x->dims[1])))
		return false;
	s->out[0] = *x;
	return norm_work(s, (size_t)x->dims[0] * (size_t)x->dims[1], (size_t)x->dims[1],
	                 (size_t)x->dims[1], norm_inner(x->rank, x->dims));
}

static struct norm norm_here(const ad_run *r)
{
	const struct norm_attrs *a = r->attrs;
	const ad_array *x = &r->in[0];
	struct norm p = { .groups = (size_t)x->dims[1],
		          .inner = norm_inner(x->rank, x->dims),
		          .centred = true,
		          .eps = a->eps,
		          .w = norm_input(r, 1),
		          .b = norm_input(r, 2) };

	p.rows = (size_t)x->dims[0] * p.groups;
	p.n = p.groups ? (size_t)x->dims[1] / p.groups * p.inner : 0;
	return p;
}

NORM_KERNELS

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_shape x = ad_shape_of(ad_input_of(y, 0)), w = { .rank = x.rank - 1 };
	int64_t n = 1;

	w.dims[0] = x.dims[1];
	for (int i = 2; i < x.rank; i++) {
		w.dims[i - 1] = 1;
		n *= x.dims[i];
	}
	norm_grad(y, dy[0], dx, true, n, w);
}

AD_OP(instance_norm, .arity = 1, .optional = 2, .inputs = "x weight bias", .attrs = attrs,
      .attrs_size = sizeof(struct norm_attrs), .shape = shape, .forward = forward,
      .backward = backward, .grad = grad, .reads = AD_READS_INPUTS, .adds = true,
      .samples = {
	  { .in = { AD_DIMS(2, 2, 3), AD_DIMS(2), AD_DIMS(2) },
            .give = { AD_LIST(-4, 3.5, 0, 6, 2.5, -1, 5, 1.5, -2, 4, 0.5, -3), AD_LIST(0.5, 0.75),
                      AD_LIST(1, 0.5) },
            .want = { AD_LIST(0.37448279591209777, 1.5983208039101673, 1.027196400177735,
                              1.4185580911613591, 0.5, -0.4185580911613591, 1.6123720607742396, 1,
                              0.38762793922576055, 1.4185580911613591, 0.5, -0.4185580911613591) },
            .dwant = { AD_LIST(-9.443455018205677e-18, 9.032870017414123e-18, 4.105850007915511e-19,
                               0, 0, 0, 0, 0, 0, 0, 0, 0),
                       AD_LIST(-2.220446049250313e-16, 0), AD_LIST(6, 6) } },
	  { .in = { AD_DIMS(1, 2, 2, 2), { 0 }, AD_DIMS(2) },
            .attrs = "eps=0.1",
            .give = { AD_LIST(-4, 3.5, 0, 6, 2.5, -1, 5, 1.5), { 0 }, AD_LIST(1, 0.5) },
            .want = { AD_LIST(-0.42278065606418025, 1.562494677978862, 0.6360328554254423,
                              2.224253122659876, 0.730021853114118, -0.8801311186847085,
                              1.8801311186847085, 0.26997814688588195) },
            .dwant = { AD_LIST(-2.0906323651798447e-17, 8.265290746059849e-18,
                               -5.3481293062740206e-18, 1.7989162212012614e-17,
                               7.3427448718595015e-19, -4.405646923115701e-18,
                               4.405646923115701e-18, -7.3427448718595015e-19),
                       { 0 },
                       AD_LIST(4, 4) } },
	  { .in = { AD_DIMS(2, 3, 2, 3), AD_DIMS(3), AD_DIMS(3) }, .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(2, 2, 4) }, .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(0, 2, 3) }, .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(2, 3) },
            .error = "x is (batch, channels, ... with a spatial axis), not (2, 3)" },
	  { .in = { AD_DIMS(2, 3, 4), AD_DIMS(3), AD_DIMS(4) },
            .error = "bias must be (3,) for x (2, 3, 4), not (4,)" },
	  { .in = { AD_DIMS(2, 3, 4) }, .attrs = "eps=-1", .error = "eps is -1, not 0 or more" } });

/* x (N, C, ...) with mean 0 and variance 1 over each channel of each image, times weight, plus
 * bias; either may be NULL. */
AD_API ad_node *ad_instance_norm(ad_node *x, ad_node *weight, ad_node *bias, double eps)
{
	struct norm_attrs a = { eps, AD_ALL, 0 };

	return AD_CALL_WITH(instance_norm, &a, x, weight, bias);
}
