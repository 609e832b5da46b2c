/*
 * layer_norm: y = (x - mean) / sqrt(variance + eps) weight + bias, over the last axes of x.
 *
 *   x   (..., normalized_shape)
 *   weight, bias   (normalized_shape), each may be left out
 *   y   shape of x; mean and variance (by n, not n - 1) are of each index of the leading axes
 *   dx = (g - mean of g - z mean of g z) / sqrt(variance + eps), with g = dy weight and z what
 *        weight is multiplied by
 *   dweight = dy z, dbias = dy, summed over the leading axes; inputs are kept
 *
 * Ba, Kiros and Hinton, "Layer normalization" (2016). Two passes over each row; a few ulp.
 */
#include "op.h"
#include "kernels/norms.h"

static const ad_attr attrs[] = {
	AD_ATTR(struct norm_attrs, normalized_shape, AD_INTLIST, NULL,
	        "the sizes of the last axes, over which is normalized", NULL),
	AD_ATTR(struct norm_attrs, eps, AD_NUM, "1e-5",
	        "added to the variance, against a division by 0", NULL),
	{ 0 },
};

/* The elements of a row. */
static int64_t row_size(const struct norm_attrs *a)
{
	int64_t n = 1;

	for (int64_t i = 0; i < a->normalized_shape.n; i++)
		n *= a->normalized_shape.v[i];
	return n;
}

static bool shape(ad_infer *s)
{
	const struct norm_attrs *a = s->attrs;
	const ad_shape *x = &s->in[0];
	ad_shape w = { 0 };
	size_t count, n;

	if (a->normalized_shape.n < 1 || a->normalized_shape.n > x->rank)
		return ad_refuse(
		    s, "normalized_shape has %lld sizes: give those of the last axes of x %s",
		    (long long)a->normalized_shape.n, ad_show(s, 0));
	w.rank = (int)a->normalized_shape.n;
	for (int i = 0; i < w.rank; i++) {
		w.dims[i] = a->normalized_shape.v[i];
		if (w.dims[i] != x->dims[x->rank - w.rank + i])
			return ad_refuse(s, "normalized_shape says %lld where x %s has %lld",
			                 (long long)w.dims[i], ad_show(s, 0),
			                 (long long)x->dims[x->rank - w.rank + i]);
	}
	if (!norm_eps(s, a->eps) || !norm_affine(s, w))
		return false;
	ad_count_of(x, &count);
	ad_count_of(&w, &n);
	s->out[0] = *x;
	return norm_work(s, n ? count / n : 0, n, 1, 1);
}

static struct norm norm_here(const ad_run *r)
{
	const struct norm_attrs *a = r->attrs;
	size_t n = (size_t)row_size(a);

	return (struct norm){ n ? r->in[0].count / n : 0,
		              n,
		              1,
		              1,
		              true,
		              a->eps,
		              norm_input(r, 1),
		              norm_input(r, 2) };
}

NORM_KERNELS

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct norm_attrs *a = ad_attrs_of(y);
	ad_shape w = { .rank = (int)a->normalized_shape.n };

	memcpy(w.dims, a->normalized_shape.v, (size_t)w.rank * sizeof *w.dims);
	norm_grad(y, dy[0], dx, true, row_size(a), w);
}

AD_OP(layer_norm, .arity = 1, .optional = 2, .inputs = "x weight bias", .attrs = attrs,
      .attrs_size = sizeof(struct norm_attrs), .shape = shape, .forward = forward,
      .backward = backward, .grad = grad, .reads = AD_READS_INPUTS, .adds = true,
      .samples = {
	  { .in = { AD_DIMS(2, 4), AD_DIMS(4), AD_DIMS(4) },
            .attrs = "normalized_shape=4",
            .give = { AD_LIST(-4, 3.5, 0, 6, 2.5, -1, 5, 1.5), AD_LIST(0.5, 0.75, 1, 1.25),
                      AD_LIST(1, 0.5, 0, -0.5) },
            .want = { AD_LIST(0.28610446918674626, 0.9233566519939063, -0.3652488762300368,
                              1.0357055023308366, 1.1162475130709002, -0.5462276176381011,
                              1.3949701568508015, -0.7906187826772503) },
            .dwant = { AD_LIST(-0.016181276000334317, -0.06618920878131278, 0.054547526844486986,
                               0.027822957937160102, -0.1790839964330584, -0.029847395575200747,
                               0.029847395575200747, 0.1790839964330584),
                       AD_LIST(-1.1952960354847073, -0.8304946208589264, 1.0297212806207647,
                               0.9960693757228691),
                       AD_LIST(2, 2, 2, 2) } },
	  { .in = { AD_DIMS(2, 3, 2), AD_DIMS(3, 2) },
            .attrs = "normalized_shape=[3,2] eps=1e-3",
            .give = { AD_LIST(-4, 3.5, 0, 6, 2.5, -1, 5, 1.5, -2, 4, 0.5, -3),
                      AD_LIST(0.5, 0.75, 1, 1.25, 1.5, 1.75) },
            .want = { AD_LIST(-0.7950955613366305, 0.5386131221957818, -0.359075414797188,
                              1.8594976837711519, 0.6155578539380365, -1.166995098090861,
                              0.6893410378092628, 0.12925144458923676, -1.034011556713894,
                              1.2925144458923676, -0.2585028891784735, -2.4126936323324197) },
            .dwant = { AD_LIST(-0.135873548887236, -0.14092793395394976, -0.025716947700843314,
                               -0.014371509405763427, 0.10083947684734303, 0.21605046310044948,
                               -0.08916863674885443, -0.11347013989341925, -0.1377716430379841,
                               0.1377716430379841, 0.11347013989341925, 0.08916863674885443),
                       AD_LIST(-0.2115090470547354, 0.8904860890466915, -1.393086971511082,
                               2.5216097037308156, 0.23803664317304196, -2.045536417384732) } },
	  { .in = { AD_DIMS(2, 3), { 0 }, AD_DIMS(3) },
            .attrs = "normalized_shape=3",
            .give = { AD_LIST(-4, 3.5, 0, 6, 2.5, -1), { 0 }, AD_LIST(1, 0.5, 0) },
            .want = { AD_LIST(-0.25103440817580447, 1.6966416078203346, 0.054392800355469756,
                              2.224744121548479, 0.5, -1.224744121548479) },
            .dwant = { AD_LIST(-1.8886910036411353e-17, 1.8065740034828246e-17,
                               8.211700015831022e-19, 0, 0, 0),
                       { 0 },
                       AD_LIST(2, 2, 2) } },
	  { .in = { AD_DIMS(2, 2) },
            .attrs = "normalized_shape=2",
            .give = { AD_LIST(3, 3, 3, 3) },
            .want = { AD_LIST(0, 0, 0, 0) },
            .dwant = { AD_LIST(0, 0, 0, 0) } },
	  { .in = { AD_DIMS(3, 5), AD_DIMS(5), AD_DIMS(5) },
            .attrs = "normalized_shape=5",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(2, 3, 4), AD_DIMS(3, 4) },
            .attrs = "normalized_shape=[3,4]",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(4) }, .attrs = "normalized_shape=4 eps=0.1", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(0, 4), AD_DIMS(4), AD_DIMS(4) },
            .attrs = "normalized_shape=4",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(3, 1), AD_DIMS(1), AD_DIMS(1) },
            .attrs = "normalized_shape=1",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(2, 3) },
            .attrs = "normalized_shape=4",
            .error = "normalized_shape says 4 where x (2, 3) has 3" },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(2) },
            .attrs = "normalized_shape=3",
            .error = "weight must be (3,) for x (2, 3), not (2,)" },
	  { .in = { AD_DIMS(3) },
            .attrs = "normalized_shape=[1,3]",
            .error = "normalized_shape has 2 sizes" } });

/* x with mean 0 and variance 1 over its last axes, whose sizes normalized_shape gives, times
 * weight, plus bias; either may be NULL. */
AD_API ad_node *ad_layer_norm(ad_node *x, ad_node *weight, ad_node *bias, ad_ints normalized_shape,
                              double eps)
{
	struct norm_attrs a = { eps, normalized_shape, 0 };

	return AD_CALL_WITH(layer_norm, &a, x, weight, bias);
}
