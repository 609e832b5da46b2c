/*
 * dropout_noise: y = 0 with probability p, else 1 / (1 - p), for each element by itself.
 *
 *   y   of shape `shape`
 *
 * Evaluating again gives the same numbers, the next step others. No gradient.
 */
#include "op.h"
#include "kernels/noise.h"

struct attrs {
	ad_ints shape;
	double p;
};

static const ad_attr table[] = {
	AD_ATTR(struct attrs, shape, AD_INTLIST, NULL, "the shape of y", NULL),
	AD_ATTR(struct attrs, p, AD_NUM, "0.5", "the probability of 0, in [0, 1)", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;

	if (!(a->p >= 0 && a->p < 1))
		return ad_refuse(s, "p is %g, not in [0, 1)", a->p);
	return noise_shape(s, a->shape);
}

static void make(uint32_t random[4][PHILOX_LANES], ad_real y[4 * PHILOX_LANES], const void *attrs)
{
	const double p = ((const struct attrs *)attrs)->p;
	const ad_real kept = (ad_real)(1 / (1 - p));
	/* a number below p 2^32, which may round to 2^32, means 0 */
	const double limit = ceil(p * 4294967296.0);
	const uint32_t last = limit > 0 ? (uint32_t)(limit - 1) : 0;
	const ad_real dropped = limit > 0 ? 0 : kept;

	for (int i = 0; i < 4; i++)
		for (int j = 0; j < PHILOX_LANES; j++)
			y[4 * j + i] = random[i][j] <= last ? dropped : kept;
}

static void blocks(const ad_run *r, size_t begin, size_t end)
{
	noise_blocks(r, begin, end, make);
}

static void forward(const ad_run *r)
{
	noise_forward(r, blocks);
}

AD_OP(dropout_noise, .arity = 0, .attrs = table, .attrs_size = sizeof(struct attrs), .shape = shape,
      .forward = forward, .flat = true, .random = true,
      .samples = { { .attrs = "shape=[2,3] p=0", .want = { AD_LIST(1, 1, 1, 1, 1, 1) } },
                   { .attrs = "shape=3 p=1", .error = "p is 1, not in [0, 1)" },
                   { .attrs = "shape=-1 p=0.5", .error = "(-1,) is no shape" } });

/* 0 with probability p, else 1 / (1 - p), in that shape. */
AD_API ad_node *ad_dropout_noise(ad_graph *g, ad_shape to, double p)
{
	struct attrs a = { { to.rank, to.dims }, p };

	return ad_record_on(g, &AD_VARIANT(ad_op_dropout_noise), 0, NULL, &a);
}
