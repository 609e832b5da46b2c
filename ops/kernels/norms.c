/*
 * norms: rows brought to mean 0 and variance 1, and the gradients of that. A row is read from memory
 * once, each way: all that passes over it again finds it in the cache.
 */
#include "norms.h"

#include "rows.h"

#define BLOCK 256 /* elements summed in the real type */

static double sum_of(const ad_real *x, size_t n)
{
	double sum = 0;

	for (size_t k = 0; k < n; k += BLOCK)
		sum += (double)row_sum(x + k, n - k < BLOCK ? n - k : BLOCK);
	return sum;
}

static double squares_of(const ad_real *x, size_t n, ad_real centre)
{
	double sum = 0;

	for (size_t k = 0; k < n; k += BLOCK)
		sum += (double)row_squares(x + k, n - k < BLOCK ? n - k : BLOCK, centre);
	return sum;
}

/* The sum of a (x - centre). */
static double products_of(const ad_real *a, const ad_real *x, size_t n, ad_real centre)
{
	double sum = 0;

	for (size_t k = 0; k < n; k += BLOCK)
		sum += (double)row_products(a + k, x + k, n - k < BLOCK ? n - k : BLOCK, centre);
	return sum;
}

static void stats_of(const struct norm *p, const ad_real *x, ad_real *mean, ad_real *scale)
{
	double n = (double)p->n;

	*mean = p->centred ? (ad_real)(sum_of(x, p->n) / n) : 0;
	*scale = (ad_real)(1 / sqrt(squares_of(x, p->n, *mean) / n + p->eps));
}

/* Results of up to BLOCK elements are added to `to` by way of `part`. */
static void add_part(ad_real *to, const ad_real *part, size_t n)
{
	for (size_t k = 0; k < n; k++)
		to[k] += part[k];
}

/* to = (x - mean) scale w + b; w, b may be NULL. */
static void affine(ad_real *to, const ad_real *x, size_t n, ad_real mean, ad_real scale,
                   const ad_real *w, const ad_real *b)
{
	if (w && b) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			to[k] = (x[k] - mean) * scale * w[k] + b[k];
	} else if (w) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			to[k] = (x[k] - mean) * scale * w[k];
	} else {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			to[k] = (x[k] - mean) * scale;
		for (size_t k = 0; b && k < n; k++)
			to[k] += b[k];
	}
}

void AD_VARIANT(norm_apply)(const struct norm *p, const ad_real *x, ad_real *y, bool add,
                            size_t begin, size_t end)
{
	size_t channels = p->n / p->inner, run = p->inner == 1 ? p->n : p->inner;
	ad_real part[BLOCK];

	for (size_t row = begin; row < end; row++) {
		const ad_real *w = p->w ? p->w + row % p->groups * channels : NULL;
		const ad_real *b = p->b ? p->b + row % p->groups * channels : NULL;
		const ad_real *from = x + row * p->n;
		ad_real *to = y + row * p->n, mean, scale;

		stats_of(p, from, &mean, &scale);
		for (size_t c = 0; c < p->n / run; c++)
			for (size_t k = 0; k < run; k += BLOCK) {
				size_t n = run - k < BLOCK ? run - k : BLOCK;
				ad_real *at = add ? part : to + c * run + k;
				const ad_real *v = from + c * run + k;

				if (p->inner == 1) {
					affine(at, v, n, mean, scale, w ? w + k : NULL,
					       b ? b + k : NULL);
				} else {
					ad_real grow = w ? scale * w[c] : scale;
					ad_real shift = b ? b[c] : 0;

					for (size_t i = 0; i < n; i++)
						at[i] = (v[i] - mean) * grow + shift;
				}
				if (add)
					add_part(to + c * run + k, part, n);
			}
	}
}

/* The sums over a row of g = dy w and of g (x - mean). */
static void sums_of(const ad_real *dy, const ad_real *w, const ad_real *x, size_t n, ad_real mean,
                    double *sum, double *product)
{
	*sum = *product = 0;
	for (size_t k = 0; k < n; k += BLOCK) {
		size_t stop = n - k < BLOCK ? n : k + BLOCK;

		if (w) {
			ad_real g[BLOCK];
#pragma omp simd
			for (size_t i = k; i < stop; i++)
				g[i - k] = dy[i] * w[i];
			*sum += (double)row_sum(g, stop - k);
			*product += (double)row_products(g, x + k, stop - k, mean);
		} else {
			*sum += (double)row_sum(dy + k, stop - k);
			*product += (double)row_products(dy + k, x + k, stop - k, mean);
		}
	}
}

/* to = (dy w - mean_g) scale - (x - mean) slope; w may be NULL. */
static void back_run(ad_real *to, const ad_real *dy, const ad_real *w, const ad_real *x, size_t n,
                     ad_real mean, ad_real scale, ad_real mean_g, ad_real slope)
{
	if (w) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			to[k] = (dy[k] * w[k] - mean_g) * scale - (x[k] - mean) * slope;
	} else {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			to[k] = (dy[k] - mean_g) * scale - (x[k] - mean) * slope;
	}
}

/* A row whose elements have a weight each. */
static void back_elements(const struct norm *p, const ad_real *x, const ad_real *dy,
                          const ad_real *w, ad_real *dx, bool add, ad_real *dw, ad_real *db)
{
	double n = (double)p->n, sum, product;
	ad_real mean, scale, part[BLOCK];

	stats_of(p, x, &mean, &scale);
	if (dw)
#pragma omp simd
		for (size_t k = 0; k < p->n; k++) {
			dw[k] += dy[k] * ((x[k] - mean) * scale);
			db[k] += dy[k];
		}
	if (!dx)
		return;
	sums_of(dy, w, x, p->n, mean, &sum, &product);
	sum = p->centred ? sum : 0;
	product *= (double)scale * (double)scale * (double)scale;
	for (size_t k = 0; k < p->n; k += BLOCK) {
		size_t some = p->n - k < BLOCK ? p->n - k : BLOCK;

		back_run(add ? part : dx + k, dy + k, w ? w + k : NULL, x + k, some, mean, scale,
		         (ad_real)(sum / n), (ad_real)(product / n));
		if (add)
			add_part(dx + k, part, some);
	}
}

/* A row whose channels have a weight each. */
static void back_channels(const struct norm *p, const ad_real *x, const ad_real *dy,
                          const ad_real *w, ad_real *dx, bool add, ad_real *dw, ad_real *db)
{
	size_t channels = p->n / p->inner;
	double n = (double)p->n, sum = 0, product = 0;
	ad_real mean, scale, part[BLOCK];

	stats_of(p, x, &mean, &scale);
	for (size_t c = 0; c < channels; c++) {
		double s = sum_of(dy + c * p->inner, p->inner);
		double t = products_of(dy + c * p->inner, x + c * p->inner, p->inner, mean);

		sum += w ? s * (double)w[c] : s;
		product += w ? t * (double)w[c] : t;
		if (dw) {
			dw[c] += (ad_real)(t * (double)scale);
			db[c] += (ad_real)s;
		}
	}
	sum = p->centred ? sum : 0;
	product *= (double)scale * (double)scale * (double)scale;
	for (size_t c = 0; dx && c < channels; c++)
		for (size_t k = 0; k < p->inner; k += BLOCK) {
			size_t some = p->inner - k < BLOCK ? p->inner - k : BLOCK;
			size_t at = c * p->inner + k;
			ad_real *to = add ? part : dx + at, grow = w ? scale * w[c] : scale;
			ad_real less = (ad_real)(sum / n) * scale, slope = (ad_real)(product / n);

			for (size_t i = 0; i < some; i++)
				to[i] = dy[at + i] * grow - less - (x[at + i] - mean) * slope;
			if (add)
				add_part(dx + at, part, some);
		}
}

void AD_VARIANT(norm_back)(const struct norm *p, const ad_real *x, const ad_real *dy, ad_real *dx,
                           bool add, ad_real *sums, size_t begin, size_t end)
{
	size_t channels = p->n / p->inner, weights = norm_weights(p);
	size_t block = norm_block(p->groups, p->inner);

	for (size_t k = begin; k < end; k++) {
		size_t stop = p->rows - k * block < block ? p->rows : (k + 1) * block;
		ad_real *dw = sums ? sums + k * 2 * weights : NULL;

		if (dw)
			memset(dw, 0, 2 * weights * sizeof *dw);
		for (size_t row = k * block; row < stop; row++) {
			size_t at = row * p->n, group = row % p->groups * channels;

			(p->inner == 1 ? back_elements : back_channels)(
			    p, x + at, dy + at, p->w ? p->w + group : NULL, dx ? dx + at : NULL,
			    add, dw ? dw + group : NULL, dw ? dw + weights + group : NULL);
		}
	}
}

void AD_VARIANT(norm_back_weights)(const struct norm *p, const ad_real *sums, int which, ad_real *d,
                                   bool add, size_t begin, size_t end)
{
	size_t weights = norm_weights(p), blocks = norm_blocks(p);

	for (size_t k = begin; k < end; k += BLOCK) {
		size_t n = end - k < BLOCK ? end - k : BLOCK;
		double sum[BLOCK] = { 0 };

		for (size_t i = 0; i < blocks; i++)
			for (size_t j = 0; j < n; j++)
				sum[j] += (double)sums[(2 * i + (size_t)which) * weights + k + j];
		for (size_t j = 0; j < n; j++)
			d[k + j] = (ad_real)((add ? (double)d[k + j] : 0) + sum[j]);
	}
}
