/*
 * group_norm: y = (x - mean) / sqrt(variance + eps) weight + bias, over groups of channels.
 *
 *   x   (N, C, ...)
 *   weight, bias   (C), each may be left out
 *   y   shape of x; mean and variance (by n, not n - 1) are of C / groups channels of one image
 *   dx as of layer_norm; dweight, dbias summed over all but the channels; inputs are kept
 *
 * Wu and He, "Group normalization" (2018). Two passes over each group; a few ulp.
 */
#include "op.h"
#include "kernels/norms.h"

static const ad_attr attrs[] = {
	AD_ATTR(struct norm_attrs, groups, AD_INT, NULL, "the number of groups of channels", NULL),
	AD_ATTR(struct norm_attrs, eps, AD_NUM, "1e-5",
	        "added to the variance, against a division by 0", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct norm_attrs *a = s->attrs;
	const ad_shape *x = &s->in[0];

	if (x->rank < 2)
		return ad_refuse(s, "x is (batch, channels, ...), not %s", ad_show(s, 0));
	if (a->groups < 1 || x->dims[1] % a->groups)
		return ad_refuse(s, "the %lld channels of x %s cannot be cut into %lld groups",
		                 (long long)x->dims[1], ad_show(s, 0), (long long)a->groups);
	if (!norm_eps(s, a->eps) || !norm_affine(s, AD_SHAPE(x->dims[1])))
		return false;
	s->out[0] = *x;
	return norm_work(s, (size_t)x->dims[0] * (size_t)a->groups, (size_t)x->dims[1],
	                 (size_t)a->groups, norm_inner(x->rank, x->dims));
}

static struct norm norm_here(const ad_run *r)
{
	const struct norm_attrs *a = r->attrs;
	const ad_array *x = &r->in[0];
	struct norm p = { .groups = (size_t)a->groups,
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
	const struct norm_attrs *a = ad_attrs_of(y);
	int64_t n = x.dims[1] / a->groups;

	w.dims[0] = x.dims[1];
	for (int i = 2; i < x.rank; i++) {
		w.dims[i - 1] = 1;
		n *= x.dims[i];
	}
	norm_grad(y, dy[0], dx, true, n, w);
}

AD_OP(group_norm, .arity = 1, .optional = 2, .inputs = "x weight bias", .attrs = attrs,
      .attrs_size = sizeof(struct norm_attrs), .shape = shape, .forward = forward,
      .backward = backward, .grad = grad, .reads = AD_READS_INPUTS, .adds = true,
      .samples = {
	  { .in = { AD_DIMS(2, 4, 3), AD_DIMS(4), AD_DIMS(4) },
            .attrs = "groups=2",
            .give = { AD_LIST(-4, 3.5, 0, 6, 2.5, -1, 5, 1.5, -2, 4, 0.5, -3, 3, -0.5, 7, 2, -1.5,
                              6, 1, -2.5, 5, 0, -3.5, 4),
                      AD_LIST(0.5, 0.75, 1, 1.25), AD_LIST(1, 0.5, 0, -0.5) },
            .want = { AD_LIST(
		0.2048671537757908, 1.3590922531335137, 0.820453873433243, 1.6157509293791321,
		0.8077933598287261, -0.0001642097216800753, 1.3787631560244447, 0.17234539450305558,
		-1.0340723670183336, 0.7925904587729171, -0.7154317431288195, -2.2234539450305557,
		1.0536827848625314, 0.49001354380595186, 1.6978762032129082, 0.33895164541240586,
		-0.5065522161724632, 1.3052417729379708, 0.10736556972506278, -1.0199729123880963,
		1.3957524064258158, -0.7684139243126569, -2.1775870269541056, 0.8420696215632846) },
            .dwant = { AD_LIST(-0.013364735464658987, -0.049813914597785766, -0.03280429766899327,
                               0.014984698981686844, 0.03199431591047934, 0.04900393283927184,
                               -0.032848020522605874, -0.04180655761286914, -0.05076509470313241,
                               0.05076509470313241, 0.04180655761286914, 0.032848020522605874,
                               -0.039565914925691476, -0.04687573899836563, -0.03121183027120673,
                               0.03886974120448441, 0.03155991713181026, 0.047223825858969164,
                               -0.03956591492569147, -0.04687573899836567, -0.031211830271206678,
                               0.03886974120448441, 0.03155991713181021, 0.0472238258589692),
                       AD_LIST(-0.7480283755521218, 0.7480283755521222, 1.000181247271949,
                               -1.000181247271949),
                       AD_LIST(6, 6, 6, 6) } },
	  { .in = { AD_DIMS(1, 2, 2), AD_DIMS(2) },
            .attrs = "groups=1 eps=0.1",
            .give = { AD_LIST(-4, 3.5, 0, 6), AD_LIST(0.5, 0.75) },
            .want = { AD_LIST(-0.7113903280320901, 0.28124733898943094, -0.27297535843091825,
                              0.9181898419949068) },
            .dwant = { AD_LIST(-0.012838142806818012, -0.041093648984352, 0.0382680983665986,
                               0.015663693424571412),
                       AD_LIST(-0.8602859780853184, 0.8602859780853181) } },
	  { .in = { AD_DIMS(2, 4), AD_DIMS(4), AD_DIMS(4) },
            .attrs = "groups=2 eps=0.01",
            .give = { AD_LIST(-4, 3.5, 0, 6, 2.5, -1, 5, 1.5), AD_LIST(0.5, 0.75, 1, 1.25),
                      AD_LIST(1, 0.5, 0, -0.5) },
            .want = { AD_LIST(0.5001776830191146, 1.249733475471328, -0.9994449069791544,
                              0.7493061337239431, 1.4991856672119883, -0.24877850081798258,
                              0.9983713344239767, -1.747964168029971) },
            .dwant = { AD_LIST(-2.3678442209086686e-05, 2.3678442209086686e-05,
                               -4.621924283106576e-05, 4.621924283106576e-05,
                               -0.00023209841553501845, 0.00023209841553501845,
                               -0.00023209841553503428, 0.00023209841553503428),
                       AD_LIST(-0.0012732995377940926, 0.0012732995377940926,
                               -0.0010735725551777042, 0.0010735725551777042),
                       AD_LIST(2, 2, 2, 2) } },
	  { .in = { AD_DIMS(2, 4, 3), AD_DIMS(4), AD_DIMS(4) },
            .attrs = "groups=2",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(2, 3, 2, 2) }, .attrs = "groups=3", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(3, 4), AD_DIMS(4), AD_DIMS(4) },
            .attrs = "groups=2 eps=0.5",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(0, 2, 3), AD_DIMS(2) }, .attrs = "groups=1", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(2, 4, 3) },
            .attrs = "groups=3",
            .error = "the 4 channels of x (2, 4, 3) cannot be cut into 3 groups" },
	  { .in = { AD_DIMS(4) },
            .attrs = "groups=2",
            .error = "x is (batch, channels, ...), not (4,)" },
	  { .in = { AD_DIMS(2, 4), AD_DIMS(3) },
            .attrs = "groups=2",
            .error = "weight must be (4,) for x (2, 4), not (3,)" } });

/* x (N, C, ...) with mean 0 and variance 1 over each group of channels of each image, times weight,
 * plus bias; either may be NULL. */
AD_API ad_node *ad_group_norm(ad_node *x, ad_node *weight, ad_node *bias, int64_t groups,
                              double eps)
{
	struct norm_attrs a = { eps, AD_ALL, groups };

	return AD_CALL_WITH(group_norm, &a, x, weight, bias);
}
