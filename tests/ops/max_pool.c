/*
 * max_pool: the largest elements of windows, where they are and the gradient, against plain loops: rows of every
 * width, equal elements, infinities and NaN; the same with any number of threads.
 */
#include "autograd.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* of planes: rows first */
struct problem {
	int64_t planes, size[2], kernel[2], stride[2], padding[2], dilation[2], places[2];
};

static int64_t draw(uint64_t *state, int64_t low, int64_t high)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return low + (int64_t)((*state >> 40) % (uint64_t)(high - low + 1));
}

static struct problem problem_at(uint64_t *state)
{
	for (;;) {
		struct problem p = { .planes = draw(state, 1, 40) };
		bool usual = draw(state, 0, 1);

		for (int i = 0; i < 2; i++) {
			int64_t left;

			p.size[i] = draw(state, 1, i == 0 ? 12 : 80);
			p.kernel[i] = usual ? 2 : draw(state, 1, 4);
			p.stride[i] = usual ? 2 : draw(state, 1, 4);
			p.padding[i] = usual ? 0 : draw(state, 0, p.kernel[i] / 2);
			p.dilation[i] = usual ? 1 : draw(state, 1, 2);
			left = p.size[i] + 2 * p.padding[i] - p.dilation[i] * (p.kernel[i] - 1) - 1;
			p.places[i] = left < 0 ? 0 : left / p.stride[i] + 1;
		}
		/* no window lies in the padding alone where it is dense */
		if (p.places[0] && p.places[1] && p.size[0] >= p.kernel[0] && p.size[1] >= p.kernel[1] &&
		    (p.padding[0] + p.padding[1] == 0 || p.dilation[0] * p.dilation[1] == 1))
			return p;
	}
}

/* Where the largest element of a window is. */
static int64_t largest(const struct problem *p, const float *x, int64_t i, int64_t j)
{
	int64_t found = -1;

	for (int64_t k = 0; k < p->kernel[0]; k++)
		for (int64_t l = 0; l < p->kernel[1]; l++) {
			int64_t row = i * p->stride[0] - p->padding[0] + k * p->dilation[0];
			int64_t column = j * p->stride[1] - p->padding[1] + l * p->dilation[1];
			int64_t at = row * p->size[1] + column;

			if (row < 0 || row >= p->size[0] || column < 0 || column >= p->size[1])
				continue;
			if (found < 0 || x[at] > x[found] || isnan(x[at]))
				found = at;
		}
	return found;
}

static void check(const struct problem *p, bool special, uint64_t *state)
{
	const int64_t plane = p->size[0] * p->size[1], places = p->places[0] * p->places[1];
	const size_t n_x = (size_t)(p->planes * plane), n_y = (size_t)(p->planes * places);
	ad_graph *g = ad_open();
	ad_node *in = ad_param(g, "x", AD_SHAPE(p->planes, p->size[0], p->size[1])), *y, *dy;
	float *x = malloc(n_x * sizeof *x), *up = malloc(n_y * sizeof *up), *dx = calloc(n_x, sizeof *dx);
	const float *have, *have_dx;
	const int32_t *index;

	cr_assert(x && up && dx);
	for (size_t k = 0; k < n_x; k++) {
		int64_t kind = special ? draw(state, 0, 19) : 2;

		x[k] = kind == 0 ? NAN : kind == 1 ? -INFINITY : (float)draw(state, -3, 3);
	}
	for (size_t k = 0; k < n_y; k++)
		up[k] = (float)draw(state, -3, 3);
	ad_set_f32(in, x, n_x);
	y = ad_max_pool2d(in, (ad_ints){ 2, p->kernel }, (ad_ints){ 2, p->stride }, (ad_ints){ 2, p->padding },
	                  (ad_ints){ 2, p->dilation }, false);
	dy = ad_input(g, "dy", AD_REAL, AD_SHAPE(p->planes, p->places[0], p->places[1]));
	ad_set_f32(dy, up, n_y);
	ad_keep(y);
	ad_keep(ad_output(y, 1));
	cr_assert(ad_backward(ad_sum(ad_mul(y, dy), AD_ALL, false)) == AD_OK, "%s", ad_errmsg(g));
	have = ad_data(y);
	index = ad_data(ad_output(y, 1));
	have_dx = ad_data(ad_gradient(in));
	for (size_t k = 0; k < n_y; k++) {
		int64_t of = (int64_t)k / places, at = (int64_t)k % places;
		const float *from = x + of * plane;
		int64_t want = largest(p, from, at / p->places[1], at % p->places[1]);

		cr_assert(index[k] == want && memcmp(&have[k], &from[want], sizeof *have) == 0,
		          "planes of %lld x %lld, kernel %lld x %lld, stride %lld %lld, padding %lld %lld, dilation "
		          "%lld %lld: place %zu has element %d, not %lld",
		          (long long)p->size[0], (long long)p->size[1], (long long)p->kernel[0],
		          (long long)p->kernel[1], (long long)p->stride[0], (long long)p->stride[1],
		          (long long)p->padding[0], (long long)p->padding[1], (long long)p->dilation[0],
		          (long long)p->dilation[1], k, index[k], (long long)want);
		dx[of * plane + want] += up[k];
	}
	for (size_t k = 0; k < n_x; k++)
		cr_assert(have_dx[k] == dx[k], "dx[%zu] is %g, not %g", k, (double)have_dx[k], (double)dx[k]);
	free(x);
	free(up);
	free(dx);
	ad_close(g);
}

Test(max_pool, random_shapes)
{
	uint64_t state = 11;
	int threads = ad_threads();

	for (int k = 0; k < 400; k++) {
		struct problem p = problem_at(&state);

		ad_set_threads(k % 4 == 3 ? 3 : 1);
		check(&p, k % 3 == 0, &state);
	}
	ad_set_threads(threads);
}
