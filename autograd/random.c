/*
 * random: counter-based random numbers, Philox 4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel
 * random numbers: as easy as 1, 2, 3", SC11. A number depends on its key and place alone, so every
 * evaluation, on any number of threads, sees the same ones.
 */
#include "op.h"

void ad_philox(ad_random key, uint64_t k, uint32_t out[4])
{
	uint32_t c[4] = { (uint32_t)k, (uint32_t)(k >> 32), key.ordinal, (uint32_t)key.step };
	uint32_t key0 = (uint32_t)key.seed, key1 = (uint32_t)(key.seed >> 32);

	/* a step beyond 2^32 moves the key, as the counter has no room left */
	key1 ^= (uint32_t)(key.step >> 32) * 0x9E3779B9u;
	for (int round = 0; round < 10; round++) {
		uint64_t p0 = (uint64_t)0xD2511F53u * c[0], p1 = (uint64_t)0xCD9E8D57u * c[2];

		c[0] = (uint32_t)(p1 >> 32) ^ c[1] ^ key0;
		c[1] = (uint32_t)p1;
		c[2] = (uint32_t)(p0 >> 32) ^ c[3] ^ key1;
		c[3] = (uint32_t)p0;
		key0 += 0x9E3779B9u;
		key1 += 0xBB67AE85u;
	}
	memcpy(out, c, sizeof c);
}

double ad_uniform_at(ad_random key, uint64_t k)
{
	uint32_t r[4];
	uint64_t bits;

	ad_philox(key, k / 2, r);
	bits = (uint64_t)r[k % 2 * 2] << 21 ^ r[k % 2 * 2 + 1] >> 11;
	return (double)bits * 0x1p-53;
}
