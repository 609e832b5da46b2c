/*
 * dropout_noise: y = 0 with probability p, else 1 / (1 - p), for each element by itself.
 *
 *   y   of shape `shape`
 *
 * A function of the graph's seed and step, the op's ordinal and the element alone: evaluating
 * again gives the same numbers. No gradient.
 */
#include "op.h"
#include "kernels/philox.h"

struct attrs {
	ad_ints shape;
	double p;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, shape, AD_INTLIST, NULL, "the shape of y", NULL),
	AD_ATTR(struct attrs, p, AD_NUM, "0.5", "the probability of 0, in [0, 1)", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	ad_shape y = { 0 };
	size_t count;

	if (!(a->p >= 0 && a->p < 1))
		return ad_refuse(s, "p is %g, not in [0, 1)", a->p);
	if (a->shape.n < 0 || a->shape.n > AD_MAX_RANK)
		return ad_refuse(s, "a shape has 0 to %d axes, not %lld", AD_MAX_RANK,
		                 (long long)a->shape.n);
	y.rank = (int)a->shape.n;
	memcpy(y.dims, a->shape.v, (size_t)y.rank * sizeof *y.dims);
	if (!ad_count_of(&y, &count))
		return ad_refuse(s, "%s is no shape, or has too many elements",
		                 ad_show_shape(s, y));
	s->out[0] = y;
	return true;
}

/* In blocks of four elements, which one call of the generator gives; many blocks at a time. */
static void blocks(const ad_run *r, size_t begin, size_t end)
{
	const struct attrs *a = r->attrs;
	ad_real *y = ad_reals_of(&r->out[0]), kept = (ad_real)(1 / (1 - a->p));
	size_t n = r->out[0].count;
	/* a number below p 2^32, which may round to 2^32, means 0 */
	double limit = ceil(a->p * 4294967296.0);
	uint32_t last = limit > 0 ? (uint32_t)(limit - 1) : 0;
	ad_real dropped = limit > 0 ? 0 : kept;

	for (size_t k = begin; k < end; k += PHILOX_LANES) {
		size_t lanes = end - k < PHILOX_LANES ? end - k : PHILOX_LANES;
		uint32_t random[4][PHILOX_LANES];
		ad_real noise[4 * PHILOX_LANES];
		size_t left = n - 4 * k;

		philox_lanes(r->random, k, random);
		for (int i = 0; i < 4; i++)
			for (int j = 0; j < PHILOX_LANES; j++)
				noise[4 * j + i] = random[i][j] <= last ? dropped : kept;
		memcpy(y + 4 * k, noise, (left < 4 * lanes ? left : 4 * lanes) * sizeof *y);
	}
}

static void forward(const ad_run *r)
{
	ad_parallel(r, (r->out[0].count + 3) / 4, 2048, blocks);
}

AD_OP(dropout_noise, .arity = 0, .attrs = attrs, .attrs_size = sizeof(struct attrs), .shape = shape,
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
