/*
 * rand: random numbers, uniform in [0, 1).
 *
 *   y   of shape `shape`, in steps of 2^-24 (f64: 2^-32)
 *
 * Evaluating again gives the same numbers, the next step others. No gradient.
 */
#include "op.h"
#include "kernels/noise.h"

static void make(uint32_t random[4][PHILOX_LANES], ad_real y[4 * PHILOX_LANES], const void *attrs)
{
	for (int i = 0; i < 4; i++)
		for (int j = 0; j < PHILOX_LANES; j++)
			y[4 * j + i] = sizeof *y == sizeof(float) ? (ad_real)(random[i][j] >> 8) * (ad_real)0x1p-24
			                                         : (ad_real)random[i][j] * (ad_real)0x1p-32;
}

static void blocks(const ad_run *r, size_t begin, size_t end)
{
	noise_blocks(r, begin, end, make);
}

static void forward(const ad_run *r)
{
	noise_forward(r, blocks);
}

AD_OP(rand, .arity = 0, .attrs = noise_table, .attrs_size = sizeof(struct noise_attrs), .shape = noise_rule,
      .forward = forward, .flat = true, .random = true,
      .samples = { { .attrs = "shape=[2,3]", .want = { AD_LIST(0.3990464706439525, 0.880520197795704, 0.7357127843424678, 0.6054818537086248, 0.9722412014380097, 0.36209111544303596) } },
                   { .attrs = "shape=[0]" },
                   { .attrs = "shape=-1", .error = "(-1,) is no shape" } });

/* Random numbers, uniform in [0, 1), in that shape. */
AD_API ad_node *ad_rand(ad_graph *g, ad_shape to)
{
	struct noise_attrs a = { { to.rank, to.dims } };

	return ad_record_on(g, &AD_VARIANT(ad_op_rand), 0, NULL, &a);
}
