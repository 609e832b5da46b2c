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

/* Several rows are worked on at a time, step by step, so that no step waits for the one before it: as many
 * as stay in the first cache. */
#define SIDE 8

static size_t side_by_side(const struct norm *p, size_t rows)
{
	size_t most = p->n > 2048 / SIDE ? 2048 / p->n + 1 : SIDE;

	return rows < most ? rows : most;
}

/* Of `count` rows, the mean and 1 / sqrt(variance + eps). */
static void stats_of(const struct norm *p, const ad_real *x, size_t count, ad_real *mean,
                     ad_real *scale)
{
	double n = (double)p->n, sum[SIDE] = { 0 };

	for (size_t i = 0; p->centred && i < count; i++)
		sum[i] = sum_of(x + i * p->n, p->n);
	for (size_t i = 0; i < SIDE; i++)
		mean[i] = (ad_real)(sum[i] / n);
	for (size_t i = 0; i < count; i++)
		sum[i] = squares_of(x + i * p->n, p->n, mean[i]);
	for (size_t i = 0; i < SIDE; i++)
		scale[i] = (ad_real)(1 / sqrt(sum[i] / n + p->eps));
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

static void apply_row(const struct norm *p, const ad_real *x, ad_real *y, bool add, const ad_real *w,
                      const ad_real *b, ad_real mean, ad_real scale)
{
	size_t run = p->inner == 1 ? p->n : p->inner;
	ad_real part[BLOCK];

	for (size_t c = 0; c < p->n / run; c++)
		for (size_t k = 0; k < run; k += BLOCK) {
			size_t n = run - k < BLOCK ? run - k : BLOCK;
			const ad_real *v = x + c * run + k;
			ad_real *to = add ? part : y + c * run + k;

			if (p->inner == 1) {
				affine(to, v, n, mean, scale, w ? w + k : NULL, b ? b + k : NULL);
			} else {
				ad_real grow = w ? scale * w[c] : scale, shift = b ? b[c] : 0;

				for (size_t i = 0; i < n; i++)
					to[i] = (v[i] - mean) * grow + shift;
			}
			if (add)
				add_part(y + c * run + k, part, n);
		}
}

void AD_VARIANT(norm_apply)(const struct norm *p, const ad_real *x, ad_real *y, bool add,
                            size_t begin, size_t end)
{
	size_t channels = p->n / p->inner, n;

	for (size_t row = begin; row < end; row += n) {
		ad_real mean[SIDE], scale[SIDE];

		n = side_by_side(p, end - row);
		stats_of(p, x + row * p->n, n, mean, scale);
		for (size_t i = 0; i < n; i++) {
			size_t at = (row + i) * p->n, group = (row + i) % p->groups * channels;

			apply_row(p, x + at, y + at, add, p->w ? p->w + group : NULL,
			          p->b ? p->b + group : NULL, mean[i], scale[i]);
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

/* The gradients of a row by weights, one for each element: added to dw and db. */
static void back_weights(const ad_real *x, const ad_real *dy, size_t n, ad_real mean, ad_real scale,
                         ad_real *dw, ad_real *db)
{
#pragma omp simd
	for (size_t k = 0; k < n; k++) {
		dw[k] += dy[k] * ((x[k] - mean) * scale);
		db[k] += dy[k];
	}
}

/* The same of one weight for each channel, and the sums over the row of g = dy w and of g (x - mean). */
static void back_channels(const struct norm *p, const ad_real *x, const ad_real *dy,
                          const ad_real *w, ad_real mean, ad_real scale, ad_real *dw, ad_real *db,
                          double *sum, double *product)
{
	*sum = *product = 0;
	for (size_t c = 0; c < p->n / p->inner; c++) {
		double s = sum_of(dy + c * p->inner, p->inner);
		double t = products_of(dy + c * p->inner, x + c * p->inner, p->inner, mean);

		*sum += w ? s * (double)w[c] : s;
		*product += w ? t * (double)w[c] : t;
		if (dw) {
			dw[c] += (ad_real)(t * (double)scale);
			db[c] += (ad_real)s;
		}
	}
}

/* dx = (g - less) scale - (x - mean) slope. */
static void back_row(const struct norm *p, const ad_real *x, const ad_real *dy, const ad_real *w,
                     ad_real *dx, bool add, ad_real mean, ad_real scale, ad_real less, ad_real slope)
{
	size_t run = p->inner == 1 ? p->n : p->inner;
	ad_real part[BLOCK];

	for (size_t c = 0; c < p->n / run; c++)
		for (size_t k = 0; k < run; k += BLOCK) {
			size_t n = run - k < BLOCK ? run - k : BLOCK, at = c * run + k;
			ad_real *to = add ? part : dx + at;

			if (p->inner == 1) {
				back_run(to, dy + at, w ? w + k : NULL, x + at, n, mean, scale, less,
				         slope);
			} else {
				ad_real grow = w ? w[c] : 1;

				for (size_t i = 0; i < n; i++)
					to[i] = (dy[at + i] * grow - less) * scale -
					        (x[at + i] - mean) * slope;
			}
			if (add)
				add_part(dx + at, part, n);
		}
}

/* Rows row..row+n-1, whose weights' gradients are added to dw, then those of the biases. */
static void back_rows(const struct norm *p, const ad_real *x, const ad_real *dy, ad_real *dx,
                      bool add, ad_real *dw, size_t row, size_t n)
{
	size_t channels = p->n / p->inner, weights = norm_weights(p), group[SIDE];
	double sum[SIDE] = { 0 }, product[SIDE] = { 0 };
	ad_real mean[SIDE], scale[SIDE], less[SIDE], slope[SIDE];

	x += row * p->n;
	dy += row * p->n;
	dx = dx ? dx + row * p->n : NULL;
	stats_of(p, x, n, mean, scale);
	for (size_t i = 0, at = 0; i < n; i++, at += p->n) {
		const ad_real *w = p->w;
		ad_real *to;

		group[i] = (row + i) % p->groups * channels;
		w = w ? w + group[i] : NULL;
		to = dw ? dw + group[i] : NULL;
		if (p->inner > 1) {
			back_channels(p, x + at, dy + at, w, mean[i], scale[i], to,
			              to ? to + weights : NULL, &sum[i], &product[i]);
			continue;
		}
		if (to)
			back_weights(x + at, dy + at, p->n, mean[i], scale[i], to, to + weights);
		if (dx)
			sums_of(dy + at, w, x + at, p->n, mean[i], &sum[i], &product[i]);
	}
	for (size_t i = 0; i < SIDE; i++) {
		double s = (double)scale[i], all = (double)p->n;

		less[i] = p->centred ? (ad_real)(sum[i] / all) : 0;
		slope[i] = (ad_real)(product[i] / all * s * s * s);
	}
	for (size_t i = 0, at = 0; dx && i < n; i++, at += p->n)
		back_row(p, x + at, dy + at, p->w ? p->w + group[i] : NULL, dx + at, add, mean[i],
		         scale[i], less[i], slope[i]);
}

void AD_VARIANT(norm_back)(const struct norm *p, const ad_real *x, const ad_real *dy, ad_real *dx,
                           bool add, ad_real *sums, size_t begin, size_t end)
{
	size_t weights = norm_weights(p), block = norm_block(p->groups, p->inner), n;

	for (size_t k = begin; k < end; k++) {
		size_t stop = p->rows - k * block < block ? p->rows : (k + 1) * block;
		ad_real *dw = sums ? sums + k * 2 * weights : NULL;

		if (dw)
			memset(dw, 0, 2 * weights * sizeof *dw);
		for (size_t row = k * block; row < stop; row += n) {
			n = side_by_side(p, stop - row);
			back_rows(p, x, dy, dx, add, dw, row, n);
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
