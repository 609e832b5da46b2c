/*
 * noise: arrays of random numbers of a given shape, from no inputs. An element is a function of the graph's seed and
 * step, the op's ordinal and its own place alone: evaluating again gives the same numbers, on any number of threads.
 */
#ifndef OPS_KERNELS_NOISE_H
#define OPS_KERNELS_NOISE_H

#include "philox.h"

/* The shape rule: the output has these sizes. */
static inline bool noise_shape(ad_infer *s, ad_ints sizes)
{
	ad_shape y = { 0 };
	size_t count;

	if (sizes.n < 0 || sizes.n > AD_MAX_RANK)
		return ad_refuse(s, "a shape has 0 to %d axes, not %lld", AD_MAX_RANK, (long long)sizes.n);
	y.rank = (int)sizes.n;
	memcpy(y.dims, sizes.v, (size_t)y.rank * sizeof *y.dims);
	if (!ad_count_of(&y, &count))
		return ad_refuse(s, "%s is no shape, or has too many elements", ad_show_shape(s, y));
	s->out[0] = y;
	return true;
}

/* Of an op that has no other attribute. */
struct noise_attrs {
	ad_ints shape;
};

static const ad_attr noise_table[] __attribute__((unused)) = {
	AD_ATTR(struct noise_attrs, shape, AD_INTLIST, NULL, "the shape of y", NULL),
	{ 0 },
};

static inline bool noise_rule(ad_infer *s)
{
	return noise_shape(s, ((const struct noise_attrs *)s->attrs)->shape);
}

/* What four random numbers of 32 bits make of four elements: element 4 j + i comes from random[i][j], and from the
 * others of column j. */
typedef void noise_maker(uint32_t random[4][PHILOX_LANES], ad_real y[4 * PHILOX_LANES], const void *attrs);

/* Blocks begin .. end - 1 of four elements each, which one call of the generator gives; many blocks at a time. */
static inline __attribute__((always_inline)) void noise_blocks(const ad_run *r, size_t begin, size_t end,
                                                               noise_maker *make)
{
	ad_real *y = ad_reals_of(&r->out[0]);
	size_t n = r->out[0].count;

	for (size_t k = begin; k < end; k += PHILOX_LANES) {
		size_t lanes = end - k < PHILOX_LANES ? end - k : PHILOX_LANES, left = n - 4 * k;
		uint32_t random[4][PHILOX_LANES];
		ad_real some[4 * PHILOX_LANES];

		philox_lanes(r->random, k, random);
		make(random, some, r->attrs);
		memcpy(y + 4 * k, some, (left < 4 * lanes ? left : 4 * lanes) * sizeof *y);
	}
}

static inline void noise_forward(const ad_run *r, void (*blocks)(const ad_run *r, size_t begin, size_t end))
{
	ad_parallel(r, (r->out[0].count + 3) / 4, 2048, blocks);
}

#endif
