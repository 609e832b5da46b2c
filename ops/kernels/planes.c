/*
 * planes: weighted sums of the rows of a plane, then of the columns of that sum.
 */
#include "planes.h"

/* The weight of tap k of output i. */
static inline ad_real weight_of(const struct taps *t, size_t i, size_t k)
{
	return t->weight[t->even ? i : i * t->width + k];
}

void AD_VARIANT(planes_apply)(const struct planes *p, const ad_real *x, ad_real *y, size_t begin,
                              size_t end)
{
	const struct taps *high = &p->axis[0], *wide = &p->axis[1];

	for (size_t plane = begin; plane < end; plane++) {
		const ad_real *from = x + plane * high->in * wide->in;
		ad_real *to = y + plane * high->out * wide->out, *row = p->row + plane * wide->in;

		for (size_t i = 0; i < high->out; i++, to += wide->out) {
			const ad_real *line = from + high->start[i] * wide->in;

			if (high->count[i] == 0)
				memset(row, 0, wide->in * sizeof *row);
			for (size_t k = 0; k < high->count[i]; k++, line += wide->in) {
				ad_real weight = weight_of(high, i, k);

				if (k == 0)
					for (size_t j = 0; j < wide->in; j++)
						row[j] = weight * line[j];
				else
					for (size_t j = 0; j < wide->in; j++)
						row[j] += weight * line[j];
			}
			for (size_t j = 0; j < wide->out; j++) {
				const ad_real *at = row + wide->start[j];
				ad_real sum = 0;

				if (wide->even) {
					for (size_t k = 0; k < wide->count[j]; k++)
						sum += at[k];
					to[j] = sum * wide->weight[j];
				} else {
					for (size_t k = 0; k < wide->count[j]; k++)
						sum += at[k] * wide->weight[j * wide->width + k];
					to[j] = sum;
				}
			}
		}
	}
}

void AD_VARIANT(planes_adjoint)(const struct planes *p, const ad_real *y, ad_real *x, size_t begin,
                                size_t end)
{
	const struct taps *high = &p->axis[0], *wide = &p->axis[1];

	for (size_t plane = begin; plane < end; plane++) {
		ad_real *to = x + plane * high->in * wide->in, *row = p->row + plane * wide->in;
		const ad_real *from = y + plane * high->out * wide->out;

		memset(to, 0, high->in * wide->in * sizeof *to);
		for (size_t i = 0; i < high->out; i++, from += wide->out) {
			ad_real *line = to + high->start[i] * wide->in;

			memset(row, 0, wide->in * sizeof *row);
			for (size_t j = 0; j < wide->out; j++)
				for (size_t k = 0; k < wide->count[j]; k++)
					row[wide->start[j] + k] += weight_of(wide, j, k) * from[j];
			for (size_t k = 0; k < high->count[i]; k++, line += wide->in) {
				ad_real weight = weight_of(high, i, k);

				for (size_t j = 0; j < wide->in; j++)
					line[j] += weight * row[j];
			}
		}
	}
}
