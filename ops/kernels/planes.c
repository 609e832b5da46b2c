/*
 * planes: weighted sums of the rows of a plane, then of the columns of that sum.
 */
#include "planes.h"

#include "lanes.h"

/* The weight of tap k of output i. */
static inline ad_real weight_of(const struct taps *t, size_t i, size_t k)
{
	return t->weight[t->even ? i : i * t->width + k];
}

/* The outputs begin..end-1 of even taps that are as many as those before and `stride` further, 1 or 2. */
struct regular {
	size_t begin, end, stride, count;
};

static struct regular regular_of(const struct taps *t)
{
	struct regular best = { 0, 0, 1, 0 };

	for (size_t i = 0, n; t->even && i < t->out; i += n) {
		size_t stride = i + 1 < t->out ? t->start[i + 1] - t->start[i] : 0;

		for (n = 1; i + n < t->out && t->count[i + n] == t->count[i] &&
		            t->start[i + n] - t->start[i + n - 1] == stride;)
			n++;
		if ((stride == 1 || (stride == 2 && t->count[i] > 1)) && n > best.end - best.begin)
			best = (struct regular){ i, i + n, stride, t->count[i] };
	}
	return best;
}

/* Outputs j..j+LANES_N-1 of these. stride: known to the compiler. */
static inline __attribute__((always_inline)) void add_even(const struct taps *t,
                                                           const struct regular *p, size_t j,
                                                           int64_t stride, const ad_real *row,
                                                           ad_real *to)
{
	lanes sum = { 0 }, v;

	for (size_t k = 0; k < p->count; k++) {
		lanes_load(&v, row + t->start[j] + k, stride, k > 0);
		sum += v;
	}
	*(lanes *)(to + j) = sum * *(const lanes *)(t->weight + j);
}

/* The regular outputs of a row; those that are left over together with some that are done already.
 * False if there are too few. */
static inline __attribute__((always_inline)) bool add_regular(const struct taps *t,
                                                              const struct regular *p,
                                                              int64_t stride, const ad_real *row,
                                                              ad_real *to)
{
	size_t j = p->begin;

	if (p->end - p->begin < LANES_N)
		return false;
	for (; j + LANES_N <= p->end; j += LANES_N)
		add_even(t, p, j, stride, row, to);
	if (j < p->end)
		add_even(t, p, p->end - LANES_N, stride, row, to);
	return true;
}

void AD_VARIANT(planes_apply)(const struct planes *p, const ad_real *x, ad_real *y, size_t begin,
                              size_t end)
{
	const struct taps *high = &p->axis[0], *wide = &p->axis[1];
	struct regular regular = regular_of(wide);

	for (size_t plane = begin; plane < end; plane++) {
		const ad_real *from = x + plane * high->in * wide->in;
		ad_real *to = y + plane * high->out * wide->out, *row = p->row + plane * wide->in;

		for (size_t i = 0; i < high->out; i++, to += wide->out) {
			const ad_real *line = from + high->start[i] * wide->in;
			bool done;

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
			done = regular.stride == 2 ? add_regular(wide, &regular, 2, row, to)
			                           : add_regular(wide, &regular, 1, row, to);
			for (size_t j = 0; j < wide->out; j++) {
				const ad_real *at = row + wide->start[j];
				ad_real sum = 0;

				if (done && j == regular.begin) {
					j = regular.end - 1;
					continue;
				}

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
			for (size_t j = 0; j < wide->out; j++) {
				ad_real *at = row + wide->start[j], even = weight_of(wide, j, 0) * from[j];

				for (size_t k = 0; k < wide->count[j]; k++)
					at[k] += wide->even ? even : weight_of(wide, j, k) * from[j];
			}
			for (size_t k = 0; k < high->count[i]; k++, line += wide->in) {
				ad_real weight = weight_of(high, i, k);

				for (size_t j = 0; j < wide->in; j++)
					line[j] += weight * row[j];
			}
		}
	}
}
