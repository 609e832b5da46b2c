/*
 * norms: rows brought to mean 0 and variance 1, and the gradients of that.
 */
#include "norms.h"

#define BLOCK 256 /* elements summed in the real type */
#define STRIP 64  /* weights side by side */

double AD_VARIANT(norm_sum)(const ad_real *x, size_t n)
{
	double all = 0;

	for (size_t k = 0; k < n; k += BLOCK) {
		size_t stop = n - k < BLOCK ? n : k + BLOCK;
		ad_real sum = 0;
#pragma omp simd reduction(+ : sum)
		for (size_t i = k; i < stop; i++)
			sum += x[i];
		all += (double)sum;
	}
	return all;
}

double AD_VARIANT(norm_squares)(const ad_real *x, size_t n, ad_real centre)
{
	double all = 0;

	for (size_t k = 0; k < n; k += BLOCK) {
		size_t stop = n - k < BLOCK ? n : k + BLOCK;
		ad_real sum = 0;
#pragma omp simd reduction(+ : sum)
		for (size_t i = k; i < stop; i++)
			sum += (x[i] - centre) * (x[i] - centre);
		all += (double)sum;
	}
	return all;
}

/* The sum of a (x - centre). */
double AD_VARIANT(norm_products)(const ad_real *a, const ad_real *x, size_t n, ad_real centre)
{
	double all = 0;

	for (size_t k = 0; k < n; k += BLOCK) {
		size_t stop = n - k < BLOCK ? n : k + BLOCK;
		ad_real sum = 0;
#pragma omp simd reduction(+ : sum)
		for (size_t i = k; i < stop; i++)
			sum += a[i] * (x[i] - centre);
		all += (double)sum;
	}
	return all;
}

static void stats_of(const struct norm *p, const ad_real *x, ad_real *mean, ad_real *scale)
{
	double n = (double)p->n;

	*mean = p->centred ? (ad_real)(AD_VARIANT(norm_sum)(x, p->n) / n) : 0;
	*scale = (ad_real)(1 / sqrt(AD_VARIANT(norm_squares)(x, p->n, *mean) / n + p->eps));
}

void AD_VARIANT(norm_apply)(const struct norm *p, const ad_real *x, ad_real *y, size_t begin,
                            size_t end)
{
	size_t channels = p->n / p->inner;

	for (size_t row = begin; row < end; row++) {
		const ad_real *from = x + row * p->n;
		const ad_real *w = p->w ? p->w + row % p->groups * channels : NULL;
		const ad_real *b = p->b ? p->b + row % p->groups * channels : NULL;
		ad_real *to = y + row * p->n, mean, scale;

		stats_of(p, from, &mean, &scale);
		if (p->inner == 1) {
			for (size_t k = 0; k < p->n; k++)
				to[k] = (from[k] - mean) * scale;
			for (size_t k = 0; w && k < p->n; k++)
				to[k] *= w[k];
			for (size_t k = 0; b && k < p->n; k++)
				to[k] += b[k];
			continue;
		}
		for (size_t c = 0; c < channels; c++, from += p->inner, to += p->inner) {
			ad_real grow = w ? scale * w[c] : scale, shift = b ? b[c] : 0;

			for (size_t k = 0; k < p->inner; k++)
				to[k] = (from[k] - mean) * grow + shift;
		}
	}
}

/* dx = (g - mean_g - (x - mean) slope) scale, with g = dy w. */
static void back_row(const struct norm *p, const ad_real *x, const ad_real *dy, const ad_real *w,
                     ad_real *dx, ad_real mean, ad_real scale)
{
	double sum = 0, product = 0, n = (double)p->n;
	size_t channels = p->n / p->inner;
	ad_real mean_g, slope;

	/* g stands in dx until the sums are known. */
	for (size_t k = 0; p->inner == 1 && k < p->n; k++)
		dx[k] = w ? dy[k] * w[k] : dy[k];
	for (size_t c = 0; p->inner > 1 && c < channels; c++) {
		ad_real grow = w ? w[c] : 1;

		for (size_t k = c * p->inner; k < (c + 1) * p->inner; k++)
			dx[k] = dy[k] * grow;
	}
	sum = p->centred ? AD_VARIANT(norm_sum)(dx, p->n) : 0;
	product = AD_VARIANT(norm_products)(dx, x, p->n, mean);
	mean_g = (ad_real)(sum / n);
	slope = (ad_real)(product / n * (double)scale * (double)scale);
	for (size_t k = 0; k < p->n; k++)
		dx[k] = (dx[k] - mean_g - (x[k] - mean) * slope) * scale;
}

void AD_VARIANT(norm_back)(const struct norm *p, const ad_real *x, const ad_real *dy, ad_real *dx,
                           ad_real *stats, size_t begin, size_t end)
{
	size_t channels = p->n / p->inner;

	for (size_t row = begin; row < end; row++) {
		const ad_real *w = p->w ? p->w + row % p->groups * channels : NULL;

		stats_of(p, x + row * p->n, &stats[2 * row], &stats[2 * row + 1]);
		if (dx)
			back_row(p, x + row * p->n, dy + row * p->n, w, dx + row * p->n,
			         stats[2 * row], stats[2 * row + 1]);
	}
}

/* A strip of weights side by side, row by row: 16 rows in the real type, these in double. */
static void back_strip(const struct norm *p, const ad_real *x, const ad_real *dy,
                       const ad_real *stats, double *dw, double *db, size_t begin, size_t n)
{
	size_t channels = p->n / p->inner, group = begin / channels, from = begin % channels;

	for (size_t row = group; row < p->rows;) {
		ad_real w[STRIP] = { 0 }, b[STRIP] = { 0 };

		for (int k = 0; k < 16 && row < p->rows; k++, row += p->groups) {
			const ad_real *xs = x + row * p->n + from, *d = dy + row * p->n + from;
			ad_real mean = stats[2 * row], scale = stats[2 * row + 1];

			for (size_t i = 0; i < n; i++) {
				w[i] += d[i] * ((xs[i] - mean) * scale);
				b[i] += d[i];
			}
		}
		for (size_t i = 0; i < n; i++) {
			dw[i] += (double)w[i];
			db[i] += (double)b[i];
		}
	}
}

void AD_VARIANT(norm_back_weights)(const struct norm *p, const ad_real *x, const ad_real *dy,
                                   const ad_real *stats, ad_real *dw, ad_real *db, size_t begin,
                                   size_t end)
{
	size_t channels = p->n / p->inner, n;

	for (size_t k = begin; k < end; k += n) {
		double w[STRIP] = { 0 }, b[STRIP] = { 0 };

		n = 1;
		if (p->inner == 1) {
			/* up to the end of the group */
			n = channels - k % channels;
			n = n < STRIP ? n : STRIP;
			n = n < end - k ? n : end - k;
			back_strip(p, x, dy, stats, w, b, k, n);
		} else {
			for (size_t row = k / channels; row < p->rows; row += p->groups) {
				size_t at = row * p->n + k % channels * p->inner;

				*w += AD_VARIANT(norm_products)(dy + at, x + at, p->inner,
				                                stats[2 * row]) *
				      (double)stats[2 * row + 1];
				*b += AD_VARIANT(norm_sum)(dy + at, p->inner);
			}
		}
		for (size_t i = 0; i < n; i++) {
			if (dw)
				dw[k + i] = (ad_real)w[i];
			if (db)
				db[k + i] = (ad_real)b[i];
		}
	}
}
