/*
 * softmax: lines as exponentials.
 */
#include "softmax.h"

#define CHUNK 1024 /* exponentials that are only added up */

static void exponentials(ad_real *y, size_t n)
{
#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = real_exp(y[k]);
}

static void less(const ad_real *x, ad_real *y, size_t n, ad_real shift)
{
	for (size_t k = 0; k < n; k++)
		y[k] = x[k] - shift;
}

/* Lines one behind another. */
static void run_exp(size_t n, size_t count, const ad_real *x, ad_real *y, const ad_real *max,
                    ad_real *sum)
{
	ad_real chunk[CHUNK];

	if (y) {
		for (size_t i = 0; i < count; i++)
			less(x + i * n, y + i * n, n, max[i]);
		exponentials(y, n * count);
		for (size_t i = 0; i < count; i++)
			sum[i] = row_sum(y + i * n, n);
		return;
	}
	for (size_t i = 0; n <= CHUNK && i < count;) {
		size_t some = n ? CHUNK / n : count;

		some = count - i < some ? count - i : some;
		for (size_t k = 0; k < some; k++)
			less(x + (i + k) * n, chunk + k * n, n, max[i + k]);
		exponentials(chunk, some * n);
		for (size_t k = 0; k < some; k++)
			sum[i + k] = row_sum(chunk + k * n, n);
		i += some;
	}
	for (size_t i = 0; n > CHUNK && i < count; i++) {
		sum[i] = 0;
		for (size_t k = 0; k < n; k += CHUNK) {
			size_t some = n - k < CHUNK ? n - k : CHUNK;

			less(x + i * n + k, chunk, some, max[i]);
			exponentials(chunk, some);
			sum[i] += row_sum(chunk, some);
		}
	}
}

void AD_VARIANT(span_exp)(const struct lines *l, const struct span *s, const ad_real *x, ad_real *y,
                          bool finite, ad_real *max, ad_real *sum)
{
	const size_t count = s->count;

	x += s->start;
	y = y ? y + s->start : NULL;
	if (l->step == 1) {
		for (size_t i = 0; i < count; i++)
			max[i] = row_max(x + i * l->n, l->n);
	} else {
		for (size_t i = 0; i < count; i++)
			max[i] = -(ad_real)INFINITY;
		for (size_t k = 0; k < l->n; k++)
#pragma omp simd
			for (size_t i = 0; i < count; i++) {
				ad_real v = x[k * l->step + i];
				max[i] = v > max[i] ? v : max[i];
			}
	}
	for (size_t i = 0; finite && i < count; i++)
		max[i] = isfinite(max[i]) ? max[i] : 0;
	if (l->step == 1) {
		run_exp(l->n, count, x, y, max, sum);
		return;
	}
	memset(sum, 0, count * sizeof *sum);
	for (size_t k = 0; k < l->n; k++) {
		const ad_real *from = x + k * l->step;

		if (y) {
			ad_real *to = y + k * l->step;
#pragma omp simd
			for (size_t i = 0; i < count; i++) {
				to[i] = real_exp(from[i] - max[i]);
				sum[i] += to[i];
			}
		} else {
#pragma omp simd
			for (size_t i = 0; i < count; i++)
				sum[i] += real_exp(from[i] - max[i]);
		}
	}
}

void AD_VARIANT(span_sum)(const struct lines *l, const struct span *s, const ad_real *x,
                          const ad_real *y, ad_real *sum)
{
	x += s->start;
	y = y ? y + s->start : NULL;
	if (l->step == 1) {
		for (size_t i = 0; i < s->count; i++)
			sum[i] = y ? row_dot(x + i * l->n, y + i * l->n, l->n)
			           : row_sum(x + i * l->n, l->n);
		return;
	}
	memset(sum, 0, s->count * sizeof *sum);
	for (size_t k = 0; k < l->n; k++, x += l->step, y = y ? y + l->step : NULL) {
		if (y)
			for (size_t i = 0; i < s->count; i++)
				sum[i] += x[i] * y[i];
		else
			for (size_t i = 0; i < s->count; i++)
				sum[i] += x[i];
	}
}

void AD_VARIANT(span_scale)(const struct lines *l, const struct span *s, ad_real *y,
                            const ad_real *factor)
{
	y += s->start;
	for (size_t i = 0; l->step == 1 && i < s->count; i++)
		for (size_t k = 0; k < l->n; k++)
			y[i * l->n + k] *= factor[i];
	for (size_t k = 0; l->step != 1 && k < l->n; k++)
		for (size_t i = 0; i < s->count; i++)
			y[k * l->step + i] *= factor[i];
}
