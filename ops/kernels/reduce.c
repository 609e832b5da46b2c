/*
 * reduce: sums over axes, pairwise.
 */
#include "reduce.h"
#include "rows.h"

#define BLOCK 256     /* elements summed straight on, in as many lanes as a vector has */
#define ROWS 16       /* rows of columns summed straight on */
#define MAX_LEVELS 64 /* of a binary counter over size_t */

/* The sum of four runs of n elements, one behind the other: fewer additions have to wait for each other. */
static inline ad_real four_sums(const ad_real *x, size_t n)
{
#define TERM(type)                                                                                 \
	((ROW_AT(type, x + i) + ROW_AT(type, x + i + n)) +                                         \
	 (ROW_AT(type, x + i + 2 * n) + ROW_AT(type, x + i + 3 * n)))
	ROW_SUM(n, TERM, (x[i] + x[i + n]) + (x[i + 2 * n] + x[i + 3 * n]));
#undef TERM
}

static ad_real block_sum(const ad_real *x, size_t n)
{
	ad_real sum = four_sums(x, n / 4);

	for (size_t k = n / 4 * 4; k < n; k++)
		sum += x[k];
	return sum;
}

ad_real AD_VARIANT(run_sum)(const ad_real *x, size_t n)
{
	ad_real level[MAX_LEVELS];
	size_t blocks = 0, used = 0;

	if (n <= BLOCK)
		return block_sum(x, n);
	/* Blocks are added like the digits of a binary counter: each sum meets one of its own size.
	 */
	for (size_t k = 0; k < n; k += BLOCK, blocks++) {
		ad_real sum = block_sum(x + k, n - k < BLOCK ? n - k : BLOCK);
		for (size_t bit = blocks; bit & 1; bit >>= 1)
			sum += level[--used];
		level[used++] = sum;
	}
	while (used > 1) {
		used--;
		level[used - 1] += level[used];
	}
	return level[0];
}

static ad_real sum_runs(const struct reduction *p, const ad_real *x, size_t offset)
{
	ad_real level[MAX_LEVELS];
	size_t at[AD_MAX_RANK] = { 0 }, used = 0;

	for (size_t row = 0; row < p->row; row++) {
		ad_real sum = AD_VARIANT(run_sum)(x + offset, p->run);
		for (size_t bit = row; bit & 1; bit >>= 1)
			sum += level[--used];
		level[used++] = sum;
		reduction_step(p->n_rows, p->rows, p->row_stride, at, &offset);
	}
	if (used == 0)
		return 0;
	while (used > 1) {
		used--;
		level[used - 1] += level[used];
	}
	return level[0];
}

/* Columns side by side, likewise: up to ROWS rows straight on, then the counter. */
static void sum_columns(const struct reduction *p, const ad_real *x, size_t offset, size_t width,
                        ad_real *y)
{
	ad_real level[MAX_LEVELS - 4][REDUCE_STRIP];
	size_t at[AD_MAX_RANK] = { 0 }, used = 0, blocks = 0;

	for (size_t row = 0; row < p->row; blocks++) {
		size_t stop = p->row - row < ROWS ? p->row : row + ROWS;
		ad_real *sum = level[used];

		memset(sum, 0, width * sizeof *sum);
		for (; row < stop; row++) {
			const ad_real *from = x + offset;
			for (size_t k = 0; k < width; k++)
				sum[k] += from[k];
			reduction_step(p->n_rows, p->rows, p->row_stride, at, &offset);
		}
		used++;
		for (size_t bit = blocks; bit & 1; bit >>= 1, used--)
			for (size_t k = 0; k < width; k++)
				level[used - 2][k] += level[used - 1][k];
	}
	for (; used > 1; used--)
		for (size_t k = 0; k < width; k++)
			level[used - 2][k] += level[used - 1][k];
	for (size_t k = 0; k < width; k++)
		y[k] = used ? level[0][k] : 0;
}

void AD_VARIANT(reduce_sum)(const struct reduction *p, const ad_real *x, ad_real divisor,
                            ad_real *y, size_t begin, size_t end)
{
	size_t strips = reduction_strips(p);

	for (size_t unit = begin; unit < end; unit++) {
		size_t outer = unit / strips, column = unit % strips * REDUCE_STRIP;
		size_t base = reduction_base(p, outer), width = p->columns - column;
		ad_real *to = y + outer * p->columns + column;

		if (width > REDUCE_STRIP)
			width = REDUCE_STRIP;
		if (p->columns == 1)
			*to = sum_runs(p, x, base);
		else
			sum_columns(p, x, base + column, width, to);
		if (divisor != 1)
			for (size_t k = 0; k < width; k++)
				to[k] /= divisor;
	}
}
