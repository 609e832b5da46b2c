/*
 * randn: random numbers of the normal distribution with mean 0 and variance 1.
 *
 *   y   of shape `shape`, in size below 6.8
 *   pairs sqrt(-2 ln u) cos(2 pi v), sqrt(-2 ln u) sin(2 pi v) of uniform u, v: Box and Muller, "A note on the
 *   generation of random normal deviates", Annals of Mathematical Statistics 29 (1958)
 *
 * Evaluating again gives the same numbers, the next step others. No gradient.
 */
#include "op.h"
#include "kernels/noise.h"

/* The coefficients of sin x = x + x^3 (..) and cos x = 1 + x^2 (..) by powers of x^2, Taylor's: for |x| up to pi / 4
 * what is left out is below half an ulp. */
#ifdef AD_F64
enum { TERMS = 8 };
#else
enum { TERMS = 5 };
#endif
static const ad_real sine[] = { -1 / (ad_real)6,        1 / (ad_real)120,       -1 / (ad_real)5040,
	                        1 / (ad_real)362880,    -1 / (ad_real)39916800, 1 / (ad_real)6227020800,
	                        -1 / (ad_real)1307674368000, 1 / (ad_real)355687428096000 };
static const ad_real cosine[] = { -1 / (ad_real)2,         1 / (ad_real)24,        -1 / (ad_real)720,
	                          1 / (ad_real)40320,      -1 / (ad_real)3628800,  1 / (ad_real)479001600,
	                          -1 / (ad_real)87178291200, 1 / (ad_real)20922789888000 };

static void make(uint32_t random[4][PHILOX_LANES], ad_real y[4 * PHILOX_LANES], const void *attrs)
{
	ad_real even[2][PHILOX_LANES], odd[2][PHILOX_LANES];

	for (int i = 0; i < 2; i++) {
#pragma omp simd
		for (int j = 0; j < PHILOX_LANES; j++) {
			const uint32_t a = random[2 * i][j], b = random[2 * i + 1][j];
			/* u = (a + 1/2) / 2^32, and 1 - u, which has the digits where u is near 1 */
			const ad_real u = ((ad_real)a + (ad_real)0.5) * (ad_real)0x1p-32;
			const ad_real rest = ((ad_real)~a + (ad_real)0.5) * (ad_real)0x1p-32;
			const ad_real below = real_log(u), above = real_log1p(-(u < (ad_real)0.5 ? (ad_real)0.5 : rest));
			const ad_real radius = real_sqrt(-2 * (u < (ad_real)0.5 ? below : above));
			/* the angle as quarters of a turn and what is left, between -1/8 and 1/8 of one */
			const uint32_t quarter = (b + 0x20000000u) >> 30;
			const ad_real x = (ad_real)(int32_t)(b - (quarter << 30)) *
			                  (ad_real)(6.283185307179586477 * 0x1p-32);
			const ad_real xx = x * x;
			ad_real s = sine[TERMS - 1], c = cosine[TERMS - 1], along, across;

			for (int t = TERMS - 2; t >= 0; t--) {
				s = s * xx + sine[t];
				c = c * xx + cosine[t];
			}
			s = x + x * xx * s;
			c = 1 + xx * c;
			along = quarter & 1 ? s : c;
			across = quarter & 1 ? c : s;
			even[i][j] = radius * (quarter == 1 || quarter == 2 ? -along : along);
			odd[i][j] = radius * (quarter >= 2 ? -across : across);
		}
	}
	for (int j = 0; j < PHILOX_LANES; j++)
		for (int i = 0; i < 2; i++) {
			y[4 * j + 2 * i] = even[i][j];
			y[4 * j + 2 * i + 1] = odd[i][j];
		}
}

static void blocks(const ad_run *r, size_t begin, size_t end)
{
	noise_blocks(r, begin, end, make);
}

static void forward(const ad_run *r)
{
	noise_forward(r, blocks);
}

AD_OP(randn, .arity = 0, .attrs = noise_table, .attrs_size = sizeof(struct noise_attrs), .shape = noise_rule,
      .forward = forward, .flat = true, .random = true,
      .samples = { { .attrs = "shape=[2,3]", .want = { AD_LIST(0.9911376792540323, -0.9246625883905122, -0.6176089598118041, -0.48206858703542393, -0.1536382301656158, 0.18082589789182124) } },
                   { .attrs = "shape=[0]" },
                   { .attrs = "shape=-1", .error = "(-1,) is no shape" } });

/* Random numbers of the normal distribution with mean 0 and variance 1, in that shape. */
AD_API ad_node *ad_randn(ad_graph *g, ad_shape to)
{
	struct noise_attrs a = { { to.rank, to.dims } };

	return ad_record_on(g, &AD_VARIANT(ad_op_randn), 0, NULL, &a);
}
