/*
 * maths: functions that compilers vectorise inside loops marked `omp simd`.
 */
#ifndef FLOOR_MATHS_H
#define FLOOR_MATHS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* exp to about 1e-7 relative: 2^n times a Taylor polynomial on |r| <= log(2) / 2. Arguments are limited to where the
 * result is a normal number. */
static inline float exp_f32(float x)
{
	float n, r, p;
	int32_t bits, result;

	x = x < -87.3f ? -87.3f : x > 88.0f ? 88.0f : x;
	n = x * 1.44269504f + 12582912.0f; /* rounds to a whole number in the last bits */
	memcpy(&bits, &n, sizeof bits);
	n -= 12582912.0f;
	r = x - n * 0.693145752f - n * 1.42860677e-6f;
	p = 1.0f / 720;
	p = p * r + 1.0f / 120;
	p = p * r + 1.0f / 24;
	p = p * r + 1.0f / 6;
	p = p * r + 0.5f;
	p = p * r + 1;
	p = p * r + 1;
	memcpy(&result, &p, sizeof result);
	result += (int32_t)((uint32_t)bits << 23);
	memcpy(&p, &result, sizeof p);
	return p;
}

static inline float sigmoid_f32(float x)
{
	return 1 / (1 + exp_f32(-x));
}

static inline float tanh_f32(float x)
{
	return 1 - 2 / (1 + exp_f32(2 * x));
}

/* exp in double to about 1e-15. */
static inline double exp_f64(double x)
{
	static const double magic = 6755399441055744.0; /* 1.5 * 2^52 */
	double n, r, p;
	int64_t bits, result;

	x = x < -708 ? -708 : x > 709 ? 709 : x;
	n = x * 1.4426950408889634 + magic;
	memcpy(&bits, &n, sizeof bits);
	n -= magic;
	r = x - n * 0.69314718055994529 - n * 2.3190468138462996e-17;
	p = 1.0 / 479001600;
	p = p * r + 1.0 / 39916800;
	p = p * r + 1.0 / 3628800;
	p = p * r + 1.0 / 362880;
	p = p * r + 1.0 / 40320;
	p = p * r + 1.0 / 5040;
	p = p * r + 1.0 / 720;
	p = p * r + 1.0 / 120;
	p = p * r + 1.0 / 24;
	p = p * r + 1.0 / 6;
	p = p * r + 0.5;
	p = p * r + 1;
	p = p * r + 1;
	memcpy(&result, &p, sizeof result);
	result += (int64_t)((uint64_t)bits << 52);
	memcpy(&p, &result, sizeof p);
	return p;
}

/* The standard normal distribution function to 1.5e-7, and *density = its derivative; Abramowitz and Stegun,
 * 7.1.26. GELU is x times it, the gradient distribution + x density. */
static inline float normal_f32(float x, float *density)
{
	const float z = fabsf(x) * 0.707106781f, t = 1 / (1 + 0.3275911f * z), e = exp_f32(-z * z);
	const float tail = 0.5f * e * t *
	                   (0.254829592f +
	                    t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));

	*density = 0.398942280f * e;
	return x < 0 ? tail : 1 - tail;
}

#endif
