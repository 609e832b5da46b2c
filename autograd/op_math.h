/*
 * op_math: mathematics in the type of the variant, real_exp to real_hypot, for the kernels of ops.
 *
 * What ops spend time in is plain C without branches, which compilers turn into vector code inside
 * a loop marked `omp simd`, for any instruction set. A value depends on its argument alone, not on
 * where in an array it stands: sums of products are fused by name, never by the compiler's choice.
 * Zeros, infinities, NaN and denormal numbers come out as from the C library. The rest is the C
 * library's.
 *
 * Polynomials: coefficients by Sollya's fpminimax (Brisebarre and Chevillard, "Efficient polynomial
 * L-infinity approximations", ARITH 2007); the error stated beside each is relative to the
 * function. Errors of the whole functions are in the comments of the ops, measured by `make
 * accuracy`.
 */
#ifndef AUTOGRAD_OP_MATH_H
#define AUTOGRAD_OP_MATH_H

#ifdef AD_F64
typedef uint64_t ad_real_word;
#define AD_REAL_DIGITS 52 /* bits behind the leading one */
#define AD_REAL_BIAS 1023 /* of the exponent */
#define AD_REAL_NORMAL 0x1p-1022
#define AD_PICK(in_f32, in_f64) in_f64
#define AD_REAL_CALL(name) name
#define AD_REAL_BUILTIN(name) __builtin_##name
#else
typedef uint32_t ad_real_word;
#define AD_REAL_DIGITS 23
#define AD_REAL_BIAS 127
#define AD_REAL_NORMAL 0x1p-126f
#define AD_PICK(in_f32, in_f64) in_f32##f
#define AD_REAL_CALL(name) name##f
#define AD_REAL_BUILTIN(name) __builtin_##name##f
#endif
#define AD_REAL_INFINITY ((ad_real)INFINITY)

/* Always inline: a loop with a call in it stays scalar. */
#define AD_MATHS static inline __attribute__((always_inline))

/* ---- from the C library, or an instruction ---- */

#define AD_REAL_FUNCTION1(name)                                                                    \
	AD_MATHS ad_real real_##name(ad_real x)                                                    \
	{                                                                                          \
		return AD_REAL_CALL(name)(x);                                                      \
	}
#define AD_REAL_FUNCTION2(name)                                                                    \
	AD_MATHS ad_real real_##name(ad_real a, ad_real b)                                         \
	{                                                                                          \
		return AD_REAL_CALL(name)(a, b);                                                   \
	}
AD_REAL_FUNCTION1(sqrt)
AD_REAL_FUNCTION1(fabs)
AD_REAL_FUNCTION2(copysign)
AD_REAL_FUNCTION1(sin)
AD_REAL_FUNCTION1(cos)
AD_REAL_FUNCTION1(tan)
AD_REAL_FUNCTION1(asin)
AD_REAL_FUNCTION1(acos)
AD_REAL_FUNCTION1(atan)
AD_REAL_FUNCTION1(sinh)
AD_REAL_FUNCTION1(cosh)
AD_REAL_FUNCTION2(pow)
AD_REAL_FUNCTION2(fmod)
AD_REAL_FUNCTION2(atan2)
AD_REAL_FUNCTION2(hypot)
#undef AD_REAL_FUNCTION2

AD_MATHS ad_real_word real_to_word(ad_real x)
{
	ad_real_word word;

	memcpy(&word, &x, sizeof word);
	return word;
}

AD_MATHS ad_real real_from_word(ad_real_word word)
{
	ad_real x;

	memcpy(&x, &word, sizeof x);
	return x;
}

/* a where it holds, else b. Both are read, whichever is taken: a loop that reads on a condition
 * becomes vector code only where masked loads exist. */
AD_MATHS ad_real real_where(bool holds, ad_real a, ad_real b)
{
	return holds ? a : b;
}

/* a b + c, rounded once where the processor does so. */
AD_MATHS ad_real real_fused(ad_real a, ad_real b, ad_real c)
{
#if defined __FMA__ || defined __ARM_FEATURE_FMA || defined __FP_FAST_FMAF
	return AD_REAL_BUILTIN(fma)(a, b, c);
#else
	return a * b + c;
#endif
}

#if defined __SSE2__ && !defined __SSE4_1__
/* No instruction rounds to whole numbers, but a number that has no bits behind the point does. */
AD_MATHS ad_real real_rint(ad_real x)
{
	const ad_real size = real_fabs(x), point = AD_PICK(0x1p23, 0x1p52);

	return size < point ? real_copysign(size + point - point, x) : x;
}

AD_MATHS ad_real real_floor(ad_real x)
{
	const ad_real near = real_rint(x);

	return near > x ? near - 1 : near;
}

AD_MATHS ad_real real_ceil(ad_real x)
{
	return -real_floor(-x);
}

AD_MATHS ad_real real_trunc(ad_real x)
{
	return real_copysign(real_floor(real_fabs(x)), x);
}
#else
AD_REAL_FUNCTION1(rint)
AD_REAL_FUNCTION1(floor)
AD_REAL_FUNCTION1(ceil)
AD_REAL_FUNCTION1(trunc)
#endif
#undef AD_REAL_FUNCTION1

/* ---- exponentials ---- */

/* Adding it leaves the nearest whole number in the last digits: those of an integer. */
#define AD_REAL_ROUND AD_PICK(0x1.8p23, 0x1.8p52)

/* ln 2 in two parts; whole numbers up to 2^11 times the first are exact. */
#define AD_LN2_HIGH AD_PICK(0x1.62ep-1, 0x1.62e42feep-1)
#define AD_LN2_LOW AD_PICK(0x1.0bfbe8p-15, 0x1.a39ef35793c76p-33)

/* k = the whole number next to x / ln 2 (in the last digits of *shifted), and x - k ln 2. */
AD_MATHS ad_real real_exp_split(ad_real x, ad_real *shifted)
{
	ad_real k;

	*shifted = real_fused(x, AD_PICK(0x1.715476p0, 0x1.71547652b82fep0), AD_REAL_ROUND);
	k = *shifted - AD_REAL_ROUND;
	return real_fused(k, -AD_LN2_LOW, real_fused(k, -AD_LN2_HIGH, x));
}

/* The factor q of e^r = 1 + r + r^2 q for |r| <= ln 2 / 2; e^r - 1 within 2^-26 and 2^-55. */
AD_MATHS ad_real real_exp_factor(ad_real r)
{
#ifdef AD_F64
	ad_real q = 0x1.ae6777b552ca9p-26;

	q = real_fused(q, r, 0x1.28a552bd3db9bp-22);
	q = real_fused(q, r, 0x1.71de8db7e0ed5p-19);
	q = real_fused(q, r, 0x1.a019a42c6e135p-16);
	q = real_fused(q, r, 0x1.a01a0171689c7p-13);
	q = real_fused(q, r, 0x1.6c16c17fdab09p-10);
	q = real_fused(q, r, 0x1.1111111119ccap-7);
	q = real_fused(q, r, 0x1.5555555551f5p-5);
	q = real_fused(q, r, 0x1.5555555555536p-3);
	return real_fused(q, r, 0x1.0000000000005p-1);
#else
	ad_real q = 0x1.6b80c8p-10f;

	q = real_fused(q, r, 0x1.122cb8p-7f);
	q = real_fused(q, r, 0x1.55571p-5f);
	q = real_fused(q, r, 0x1.5554aap-3f);
	return real_fused(q, r, 0x1.fffffep-2f);
#endif
}

/* x 2^k, k as it stands in the last digits of shifted: by two factors, as 2^k may not be normal. */
AD_MATHS ad_real real_scale(ad_real x, ad_real shifted)
{
	const ad_real_word k =
	    real_to_word(shifted) - (real_to_word(AD_REAL_ROUND) - 2 * AD_REAL_BIAS);
	const ad_real_word half = k >> 1;

	return x * real_from_word(half << AD_REAL_DIGITS) *
	       real_from_word((k - half) << AD_REAL_DIGITS);
}

/* e^(x - d) for a d far below 1 and x within 170 in f32, 1400 in f64. */
AD_MATHS ad_real real_exp_of_difference(ad_real x, ad_real d)
{
	ad_real shifted, r = real_exp_split(x, &shifted) - d;

	return real_scale(real_fused(r, real_fused(r, real_exp_factor(r), 1), 1), shifted);
}

AD_MATHS ad_real real_exp(ad_real x)
{
	ad_real y = real_exp_of_difference(x, 0);

	y = x > AD_PICK(89.0, 710.0) ? AD_REAL_INFINITY : y;
	return x < AD_PICK(-104.0, -746.0) ? 0 : y;
}

/* 2^r for |r| <= 1/2 within 2^-28 and 2^-57. */
AD_MATHS ad_real real_exp2(ad_real x)
{
	const ad_real shifted = x + AD_REAL_ROUND, r = x - (shifted - AD_REAL_ROUND);
	ad_real p;

#ifdef AD_F64
	p = 0x1.e9650ee6e54fap-32;
	p = real_fused(p, r, 0x1.e61e117ea7f08p-28);
	p = real_fused(p, r, 0x1.b5252c940fc5p-24);
	p = real_fused(p, r, 0x1.62bfc5f526e95p-20);
	p = real_fused(p, r, 0x1.ffcbfc61b2e73p-17);
	p = real_fused(p, r, 0x1.4309130f8b404p-13);
	p = real_fused(p, r, 0x1.5d87fe789f8c1p-10);
	p = real_fused(p, r, 0x1.3b2ab6fb9fd4bp-7);
	p = real_fused(p, r, 0x1.c6b08d704a128p-5);
	p = real_fused(p, r, 0x1.ebfbdff82c5a6p-3);
	p = real_fused(p, r, 0x1.62e42fefa39efp-1);
#else
	p = 0x1.3fb5f2p-13f;
	p = real_fused(p, r, 0x1.5f0e12p-10f);
	p = real_fused(p, r, 0x1.3b309p-7f);
	p = real_fused(p, r, 0x1.c6af72p-5f);
	p = real_fused(p, r, 0x1.ebfbd8p-3f);
	p = real_fused(p, r, 0x1.62e43p-1f);
#endif
	p = real_scale(real_fused(p, r, 1), shifted);
	p = x >= AD_PICK(128.0, 1024.0) ? AD_REAL_INFINITY : p;
	return x < AD_PICK(-150.0, -1075.0) ? 0 : p;
}

/* e^x - 1 = 2 (h (e^r - 1) + (h - 1/2)) with h = 2^(k - 1), which is always normal. */
AD_MATHS ad_real real_expm1(ad_real x)
{
	ad_real shifted, r = real_exp_split(x, &shifted), h, y;

	h = real_from_word((real_to_word(shifted) - real_to_word(AD_REAL_ROUND) + AD_REAL_BIAS - 1)
	                   << AD_REAL_DIGITS);
	y = 2 * real_fused(h, real_fused(r * r, real_exp_factor(r), r), h - (ad_real)0.5);
	y = x > AD_PICK(89.0, 710.0) ? AD_REAL_INFINITY : y;
	y = x < AD_PICK(-20.0, -40.0) ? -1 : y;
	return real_fabs(x) < AD_PICK(0x1p-25, 0x1p-54) ? x : y;
}

/* tanh |x| = -e / (2 + e) with e = exp(-2 |x|) - 1. */
AD_MATHS ad_real real_tanh(ad_real x)
{
	const ad_real size = -2 * real_fabs(x), least = AD_PICK(-20.0, -40.0);
	ad_real shifted, r = real_exp_split(size < least ? least : size, &shifted), h, e;

	h = real_from_word((real_to_word(shifted) - real_to_word(AD_REAL_ROUND) + AD_REAL_BIAS)
	                   << AD_REAL_DIGITS);
	e = real_fused(h, real_fused(r * r, real_exp_factor(r), r), h - 1);
	return real_copysign(e / (2 + e), x);
}

/* ---- logarithms ---- */

/* x = 2^k (1 + f) with sqrt(1/2) <= 1 + f < sqrt(2), for normal x above 0. */
AD_MATHS ad_real real_log_split(ad_real x, ad_real *k)
{
	const ad_real point = AD_PICK(0x1p23, 0x1p52);
	const ad_real_word one = (ad_real_word)1 << AD_REAL_DIGITS;
	const ad_real_word root = real_to_word(AD_PICK(0x1.6a09e6p-1, 0x1.6a09e667f3bcdp-1));
	const ad_real_word word = real_to_word(x) + (AD_REAL_BIAS * one - root);

	*k =
	    real_from_word(real_to_word(point) + (word >> AD_REAL_DIGITS)) - (point + AD_REAL_BIAS);
	return real_from_word((word & (one - 1)) + root) - 1;
}

/* The same for any x above 0: a denormal one is taken 2^23 or 2^52 times. */
AD_MATHS ad_real real_log_split_any(ad_real x, ad_real *k)
{
	const ad_real tiny = x < AD_REAL_NORMAL ? 1 : 0; /* a number: compilers branch on truth */
	const ad_real f = real_log_split(x * real_fused(tiny, AD_PICK(0x1p23, 0x1p52) - 1, 1), k);

	*k = real_fused(tiny, -AD_REAL_DIGITS, *k);
	return f;
}

/* ln(1 + f) - (f - f^2 / 2) = f^3 P(f), or by s = f / (2 + f) as in fdlibm's e_log.c (Sun
 * Microsystems, 1993) s (f^2 / 2 + R(s^2)); ln(1 + f) within 2^-27 and 2^-59. */
AD_MATHS ad_real real_log_rest(ad_real f)
{
#ifdef AD_F64
	const ad_real s = f / (2 + f), z = s * s;
	ad_real p = 0x1.2f04033c37e61p-3;

	p = real_fused(p, z, 0x1.39a1e2ca0ede8p-3);
	p = real_fused(p, z, 0x1.74663d1bae19fp-3);
	p = real_fused(p, z, 0x1.c71c5213b3bb3p-3);
	p = real_fused(p, z, 0x1.24924941e1c0fp-2);
	p = real_fused(p, z, 0x1.999999997ff17p-2);
	p = real_fused(p, z, 0x1.5555555555592p-1);
	return s * real_fused(p, z, (ad_real)0.5 * f * f);
#else
	ad_real p = -0x1.38de36p-4f;

	p = real_fused(p, f, 0x1.056c98p-3f);
	p = real_fused(p, f, -0x1.0d853ap-3f);
	p = real_fused(p, f, 0x1.22d788p-3f);
	p = real_fused(p, f, -0x1.54720cp-3f);
	p = real_fused(p, f, 0x1.99a028p-3f);
	p = real_fused(p, f, -0x1.000228p-2f);
	p = real_fused(p, f, 0x1.555554p-2f);
	return f * f * (f * p);
#endif
}

/* k ln 2 + ln(1 + f) + more, the small terms first. */
AD_MATHS ad_real real_log_join(ad_real k, ad_real f, ad_real more)
{
	const ad_real low = real_fused(k, AD_LN2_LOW, real_log_rest(f)) + more;

	return real_fused(k, AD_LN2_HIGH, real_fused((ad_real)-0.5 * f, f, low) + f);
}

/* What a logarithm of x is, given its value y where x is above 0 and finite. */
AD_MATHS ad_real real_log_or_limit(ad_real x, ad_real y)
{
	y = x < AD_REAL_INFINITY ? y : x;
	y = x == 0 ? -AD_REAL_INFINITY : y;
	return x < 0 ? (ad_real)NAN : y;
}

AD_MATHS ad_real real_log(ad_real x)
{
	ad_real k, f = real_log_split_any(x, &k);

	return real_log_or_limit(x, real_log_join(k, f, 0));
}

/* ln(1 + f) in two parts, the first with few digits, times 1 / ln 2 in two parts, as in FreeBSD's
 * e_log2.c. */
AD_MATHS ad_real real_log2(ad_real x)
{
	const ad_real ratio = AD_PICK(0x1.716p0, 0x1.71547652p0);
	const ad_real ratio_rest = AD_PICK(-0x1.7135a8p-13, 0x1.705fc2eefa2p-33);
	const ad_real_word few = ~(((ad_real_word)1 << (AD_REAL_DIGITS / 2 + 1)) - 1);
	ad_real k, f = real_log_split_any(x, &k), half = (ad_real)0.5 * f * f, high, low, sum;

	high = real_from_word(real_to_word(f - half) & few);
	low = f - high - half + real_log_rest(f);
	low = real_fused(low + high, ratio_rest, low * ratio);
	high *= ratio;
	sum = k + high;
	return real_log_or_limit(x, sum + (low + (k - sum + high)));
}

/* ln(u + c) with u = 1 + x as rounded and c the rest of it, which is 2^k (1 + f + g) for a tiny g:
 * ln(1 + f + g) = ln(1 + f) + g / (1 + f), and 1 / (1 + f) = 1 - f + f^2 will do. */
AD_MATHS ad_real real_log1p(ad_real x)
{
	const ad_real u = 1 + x, part = u - 1, c = (x - part) + (1 - (u - part));
	ad_real k, f = real_log_split(u, &k), g, y;

	g = c *
	    real_from_word(real_to_word(1) - (real_to_word(k + AD_REAL_ROUND) << AD_REAL_DIGITS));
	g = u < AD_PICK(0x1p30, 0x1p60) ? g * real_fused(f, f - 1, 1) : 0;
	y = real_log_or_limit(u, real_log_join(k, f, g));
	return real_fabs(x) < AD_PICK(0x1p-25, 0x1p-54) ? x : y;
}

/* ---- the error function ---- */

/* x + x^3 P(x^2) up to 0.9 in f32 and 1 in f64 (within 2^-26 and 2^-55), above it 1 - exp(-Q(|x|)),
 * Q by remez, weighted with erfc, which keeps 1 - exp(-Q) within 2^-28 and 2^-58. In f64,
 * even and odd powers are summed apart, which halves the time that the long sums take. */
AD_MATHS ad_real real_erf(ad_real x)
{
	const ad_real one = AD_PICK(4.0, 6.0); /* from here on the result is 1 */
	const ad_real size = real_fabs(x), v = size > one ? one : size, z = v * v;
	ad_real p, q;

#ifdef AD_F64
	const ad_real z2 = z * z;
	ad_real p0 = 0x1.d82d5c7293304p-27, p1 = -0x1.af29ea2547654p-31;

	p1 = real_fused(p1, z2, -0x1.5c2a8306ee8ap-23);
	p0 = real_fused(p0, z2, 0x1.b984bea6716afp-20);
	p1 = real_fused(p1, z2, -0x1.f4cab1bc54f2dp-17);
	p0 = real_fused(p0, z2, 0x1.f9a2beff9cdb9p-14);
	p1 = real_fused(p1, z2, -0x1.c02db04f28397p-11);
	p0 = real_fused(p0, z2, 0x1.565bccf8ab37dp-8);
	p1 = real_fused(p1, z2, -0x1.b82ce311ed40fp-6);
	p0 = real_fused(p0, z2, 0x1.ce2f21a0406acp-4);
	p1 = real_fused(p1, z2, -0x1.812746b0379acp-2);
	p0 = real_fused(p0, z2, 0x1.06eba8214db68p-3);
	p = real_fused(p1, z, p0);
	const ad_real v2 = v * v;
	ad_real q0 = -0x1.38374f0328998p-37, q1 = 0x1.8ef22d9b90ef1p-43;

	q1 = real_fused(q1, v2, 0x1.cc655f46822b2p-33);
	q0 = real_fused(q0, v2, -0x1.a917a65144147p-29);
	q1 = real_fused(q1, v2, 0x1.135ba560ea4bp-25);
	q0 = real_fused(q0, v2, -0x1.096e94a844f14p-22);
	q1 = real_fused(q1, v2, 0x1.8938837e80e35p-20);
	q0 = real_fused(q0, v2, -0x1.c5f4bf2491ccap-18);
	q1 = real_fused(q1, v2, 0x1.96496b24f00c8p-16);
	q0 = real_fused(q0, v2, -0x1.0eeed87dc9b46p-14);
	q1 = real_fused(q1, v2, 0x1.cf3384591ee1bp-14);
	q0 = real_fused(q0, v2, -0x1.6757912834cc1p-16);
	q1 = real_fused(q1, v2, -0x1.220459eb66e46p-11);
	q0 = real_fused(q0, v2, 0x1.b74f682c80da3p-10);
	q1 = real_fused(q1, v2, -0x1.a9d0bd9067fdap-13);
	q0 = real_fused(q0, v2, -0x1.3962cf7d6f613p-6);
	q1 = real_fused(q1, v2, 0x1.a4f2c444b2e76p-4);
	q0 = real_fused(q0, v2, 0x1.45f329c2f2b98p-1);
	q1 = real_fused(q1, v2, 0x1.20dd70864cb0bp0);
	q0 = real_fused(q0, v2, 0x1.f910f441092f9p-26);
	q = real_fused(q1, v, q0);
#else
	p = -0x1.3ed77ap-11f;
	p = real_fused(p, z, 0x1.48558cp-8f);
	p = real_fused(p, z, -0x1.b6b838p-6f);
	p = real_fused(p, z, 0x1.ce1d3ep-4f);
	p = real_fused(p, z, -0x1.8126f4p-2f);
	p = real_fused(p, z, 0x1.06eba6p-3f);
	q = -0x1.9d850ap-13f;
	q = real_fused(q, v, 0x1.90812p-9f);
	q = real_fused(q, v, -0x1.6cfcdap-6f);
	q = real_fused(q, v, 0x1.aa231p-4f);
	q = real_fused(q, v, 0x1.462cb2p-1f);
	q = real_fused(q, v, 0x1.20b432p0f);
	q = real_fused(q, v, 0x1.743c9cp-13f);
#endif
	q = 1 - real_exp_of_difference(-q, 0);
	return v < AD_PICK(0.9, 1.0) ? real_fused(x, p, x) : real_copysign(q, x);
}

/* The normal distribution function Phi(x), accurate also far below 0, where it is tiny, and
 * *bell = exp(-x^2 / 2). Phi(-a) = exp(-a^2 / 2) r P(1 - 2 c r) with r = 1 / (a + c), P within
 * 2^-24 and 2^-53. The square is taken of few digits, so that it is exact, and the rest added. */
AD_MATHS ad_real real_normal(ad_real x, ad_real *bell)
{
	const ad_real far = AD_PICK(15.0, 39.5), c = AD_PICK(2.0, 3.0); /* Phi(-far) is 0 */
	const ad_real_word few = ~(((ad_real_word)1 << (AD_REAL_DIGITS / 2 + 1)) - 1);
	const ad_real size = real_fabs(x), a = size > far ? far : size;
	const ad_real high = real_from_word(real_to_word(a) & few);
	const ad_real e = real_exp_of_difference((ad_real)-0.5 * high * high,
	                                         (ad_real)0.5 * (a - high) * (a + high));
	const ad_real r = 1 / (a + c), t = real_fused(-2 * c, r, 1);
	ad_real p;

#ifdef AD_F64
	const ad_real t2 = t * t;
	ad_real p0 = -0x1.bd408fed31f0cp-32, p1 = -0x1.7c447206f245fp-28;

	p0 = real_fused(p0, t2, -0x1.8ff73700adc34p-27);
	p1 = real_fused(p1, t2, 0x1.5532cc928f3ffp-26);
	p0 = real_fused(p0, t2, 0x1.8dfda530a3fd7p-24);
	p1 = real_fused(p1, t2, 0x1.b1e1a0a96aa88p-25);
	p0 = real_fused(p0, t2, -0x1.23cb91abc6565p-22);
	p1 = real_fused(p1, t2, -0x1.42619516605cep-21);
	p0 = real_fused(p0, t2, 0x1.18525309c8b0bp-27);
	p1 = real_fused(p1, t2, 0x1.2f7358b4677d4p-19);
	p0 = real_fused(p0, t2, 0x1.e8763cde1a867p-19);
	p1 = real_fused(p1, t2, -0x1.d85d1ce23b95fp-19);
	p0 = real_fused(p0, t2, -0x1.5b194d128e423p-16);
	p1 = real_fused(p1, t2, -0x1.bc72f5f8be141p-17);
	p0 = real_fused(p0, t2, 0x1.4a90505e9ec0cp-14);
	p1 = real_fused(p1, t2, 0x1.43c9dbe85f7f3p-13);
	p0 = real_fused(p0, t2, -0x1.0d09e9c112396p-12);
	p1 = real_fused(p1, t2, -0x1.12285ecad55ebp-10);
	p0 = real_fused(p0, t2, 0x1.0d608c891a0c4p-10);
	p1 = real_fused(p1, t2, 0x1.c8f52c316683ap-8);
	p0 = real_fused(p0, t2, -0x1.56d8e3d7e6bf5p-7);
	p1 = real_fused(p1, t2, -0x1.832dbf69918e9p-5);
	p0 = real_fused(p0, t2, 0x1.d71387c654c23p-3);
	p1 = real_fused(p1, t2, -0x1.04c7295a48f35p-1);
	p0 = real_fused(p0, t2, 0x1.754a751a56f4ap-1);
	p = real_fused(p1, t, p0);
#else
	p = -0x1.3b3fb8p-14f;
	p = real_fused(p, t, 0x1.01942ep-15f);
	p = real_fused(p, t, 0x1.7a00b2p-11f);
	p = real_fused(p, t, 0x1.cf8dd6p-11f);
	p = real_fused(p, t, -0x1.eed5dp-10f);
	p = real_fused(p, t, -0x1.ba77a4p-8f);
	p = real_fused(p, t, -0x1.fbeb1ap-12f);
	p = real_fused(p, t, 0x1.2cd2c4p-5f);
	p = real_fused(p, t, 0x1.d7d604p-6f);
	p = real_fused(p, t, -0x1.535bb8p-2f);
	p = real_fused(p, t, 0x1.5845dcp-1f);
#endif
	*bell = e;
	return real_fused(p, x < 0 ? r * e : -(r * e), x < 0 ? 0 : 1);
}

#undef AD_LN2_HIGH
#undef AD_LN2_LOW
#undef AD_REAL_ROUND
#undef AD_REAL_BUILTIN
#undef AD_MATHS
#undef AD_REAL_CALL

#endif
