/*
 * philox: the numbers of ad_philox, for many places at once.
 */
#ifndef OPS_KERNELS_PHILOX_H
#define OPS_KERNELS_PHILOX_H

#include "op.h"

#define PHILOX_LANES 16

/* out[i][j]: what ad_philox(key, k + j, .) gives as its number i. */
static inline void philox_lanes(ad_random key, uint64_t k, uint32_t out[4][PHILOX_LANES])
{
	uint32_t key0 = (uint32_t)key.seed;
	uint32_t key1 = (uint32_t)(key.seed >> 32) ^ (uint32_t)(key.step >> 32) * 0x9E3779B9u;

	for (int j = 0; j < PHILOX_LANES; j++) {
		out[0][j] = (uint32_t)(k + (uint64_t)j);
		out[1][j] = (uint32_t)((k + (uint64_t)j) >> 32);
		out[2][j] = key.ordinal;
		out[3][j] = (uint32_t)key.step;
	}
	for (int round = 0; round < 10; round++) {
#pragma omp simd
		for (int j = 0; j < PHILOX_LANES; j++) {
			uint64_t p0 = (uint64_t)0xD2511F53u * out[0][j];
			uint64_t p1 = (uint64_t)0xCD9E8D57u * out[2][j];

			out[0][j] = (uint32_t)(p1 >> 32) ^ out[1][j] ^ key0;
			out[1][j] = (uint32_t)p1;
			out[2][j] = (uint32_t)(p0 >> 32) ^ out[3][j] ^ key1;
			out[3][j] = (uint32_t)p0;
		}
		key0 += 0x9E3779B9u;
		key1 += 0xBB67AE85u;
	}
}

#endif
