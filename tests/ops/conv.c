/*
 * conv: convolutions of shapes that reach every way of cutting the work, against plain loops; and
 * the same bits with any number of threads.
 *
 * Each case goes forward through conv2d, conv_transpose2d and conv_weight and back through the
 * first two, whose results are one another's.
 */
#include "autograd.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* groups of `in` channels and `out` outputs each */
static const struct problem {
	const char *reason;
	int64_t batch, groups, in, out, height, width, kernel[2], stride, padding, dilation;
} problems[] = {
	{ "several tiles an image", 2, 1, 3, 8, 40, 41, { 3, 3 }, 1, 1, 1 },
	{ "images together, blocks of outputs, deep", 40, 1, 40, 300, 5, 5, { 3, 3 }, 1, 1, 1 },
	{ "kernel is the image, and deep", 3, 1, 2, 5, 20, 20, { 20, 20 }, 1, 0, 1 },
	{ "pointwise, several tiles", 3, 1, 70, 33, 14, 14, { 1, 1 }, 1, 0, 1 },
	{ "pointwise, images together", 50, 1, 10, 9, 4, 4, { 1, 1 }, 1, 0, 1 },
	{ "groups, stride, dilation", 4, 2, 3, 5, 30, 31, { 3, 5 }, 2, 2, 1 },
	{ "depthwise", 6, 16, 1, 1, 12, 12, { 3, 3 }, 1, 1, 1 },
	{ "a batch of one", 1, 1, 20, 300, 20, 20, { 3, 3 }, 1, 1, 1 },
	{ "blocks of channels", 4, 1, 300, 10, 9, 9, { 3, 3 }, 1, 2, 2 },
	{ "one long axis", 1, 1, 1, 2, 1, 3000, { 1, 7 }, 1, 3, 1 },
	{ "slices of the weights", 16, 1, 1, 6, 28, 28, { 5, 5 }, 1, 2, 1 },
	{ "padding makes most of it", 3, 3, 40, 90, 2, 2, { 2, 2 }, 1, 1, 1 },
	{ "stride above the kernel", 2, 1, 4, 3, 33, 35, { 3, 3 }, 3, 0, 2 },
	{ "an empty batch", 0, 1, 3, 4, 8, 8, { 3, 3 }, 1, 1, 1 },
};

/* x, w, b, dy, and y = conv(x, w) + b with the gradients of the sum of y dy. */
struct arrays {
	size_t nx, nw, nb, ny;
	int64_t rows, columns; /* of y */
	double *x, *w, *b, *dy, *y, *dx, *dw, *db;
};

static double *numbers(size_t n, uint64_t *state)
{
	double *v = calloc(n ? n : 1, sizeof *v);

	cr_assert(v != NULL);
	for (size_t k = 0; state && k < n; k++) {
		*state = *state * 6364136223846793005u + 1442695040888963407u;
		v[k] = (double)(float)((double)(*state >> 40) / (1 << 24) - 0.5);
	}
	return v;
}

static int64_t places(const struct problem *p, int axis)
{
	int64_t size = axis ? p->width : p->height;

	return (size + 2 * p->padding - p->dilation * (p->kernel[axis] - 1) - 1) / p->stride + 1;
}

/* What one element of y takes part in: output o of group g at (i, j) of image n. */
static void visit(const struct problem *p, struct arrays *a, int64_t n, int64_t g, int64_t o,
                  int64_t i, int64_t j)
{
	size_t at_y =
	    (size_t)(((n * p->groups * p->out + g * p->out + o) * a->rows + i) * a->columns + j);
	double dy = a->dy[at_y];

	a->db[g * p->out + o] += dy;
	a->y[at_y] = a->b[g * p->out + o];
	for (int64_t k = 0; k < p->in * p->kernel[0] * p->kernel[1]; k++) {
		int64_t c = k / (p->kernel[0] * p->kernel[1]);
		int64_t row =
		    i * p->stride - p->padding + k / p->kernel[1] % p->kernel[0] * p->dilation;
		int64_t column = j * p->stride - p->padding + k % p->kernel[1] * p->dilation;
		size_t at_w = (size_t)((g * p->out + o) * p->in * p->kernel[0] * p->kernel[1] + k);
		size_t at_x = (size_t)(((n * p->groups * p->in + g * p->in + c) * p->height + row) *
		                           p->width +
		                       column);

		if (row < 0 || row >= p->height || column < 0 || column >= p->width)
			continue;
		a->y[at_y] += a->x[at_x] * a->w[at_w];
		a->dx[at_x] += dy * a->w[at_w];
		a->dw[at_w] += dy * a->x[at_x];
	}
}

static struct arrays arrays_of(const struct problem *p)
{
	struct arrays a = { .rows = places(p, 0), .columns = places(p, 1) };
	uint64_t state = 1;

	a.nx = (size_t)(p->batch * p->groups * p->in * p->height * p->width);
	a.nw = (size_t)(p->groups * p->out * p->in * p->kernel[0] * p->kernel[1]);
	a.nb = (size_t)(p->groups * p->out);
	a.ny = (size_t)(p->batch * p->groups * p->out * a.rows * a.columns);
	a.x = numbers(a.nx, &state);
	a.w = numbers(a.nw, &state);
	a.b = numbers(a.nb, &state);
	a.dy = numbers(a.ny, &state);
	a.y = numbers(a.ny, NULL);
	a.dx = numbers(a.nx, NULL);
	a.dw = numbers(a.nw, NULL);
	a.db = numbers(a.nb, NULL);
	for (size_t k = 0; k < a.ny; k++) {
		int64_t j = (int64_t)k, plane = a.rows * a.columns, o = j / plane;

		visit(p, &a, o / (p->groups * p->out), o / p->out % p->groups, o % p->out,
		      j / a.columns % a.rows, j % a.columns);
	}
	return a;
}

static void free_arrays(struct arrays *a)
{
	double *all[] = { a->x, a->w, a->b, a->dy, a->y, a->dx, a->dw, a->db };

	for (size_t k = 0; k < sizeof all / sizeof *all; k++)
		free(all[k]);
}

static void compare(const struct problem *p, const char *what, ad_node *x, const double *want,
                    size_t n, bool f64)
{
	double *have = numbers(n, NULL), scale = 1, worst = 0;

	cr_assert(ad_get(x, have, n) == AD_OK, "%s, %s: %s", p->reason, what,
	          ad_errmsg(ad_graph_of(x)));
	for (size_t k = 0; k < n; k++)
		scale = fabs(want[k]) > scale ? fabs(want[k]) : scale;
	for (size_t k = 0; k < n; k++)
		if (!(fabs(have[k] - want[k]) <= worst))
			worst = fabs(have[k] - want[k]);
	cr_expect(worst <= (f64 ? 1e-13 : 4e-6) * scale, "%s, %s, %s: it is off by %g of %g",
	          p->reason, what, f64 ? "f64" : "f32", worst, scale);
	free(have);
}

/* The bits of all results, for comparison between numbers of threads: FNV-1a. */
static void add_bits(uint64_t *bits, ad_node *x, bool f64)
{
	const unsigned char *data = ad_data(x);

	for (size_t k = 0; k < ad_count(x) * (f64 ? sizeof(double) : sizeof(float)); k++)
		*bits = (*bits ^ data[k]) * 1099511628211u;
}

static uint64_t check(const struct problem *p, struct arrays *a, bool f64)
{
	enum { Y, DX, DW, DB, SPREAD, BACK, BACK_W, WEIGHT, RESULTS };
	ad_graph *g = f64 ? ad_open_f64() : ad_open();
	ad_node *x =
	    ad_input(g, "x", AD_REAL, AD_SHAPE(p->batch, p->groups * p->in, p->height, p->width));
	ad_node *w = ad_input(g, "w", AD_REAL,
	                      AD_SHAPE(p->groups * p->out, p->in, p->kernel[0], p->kernel[1]));
	ad_node *b = ad_input(g, "b", AD_REAL, AD_SHAPE(p->groups * p->out));
	ad_node *dy =
	    ad_input(g, "dy", AD_REAL, AD_SHAPE(p->batch, p->groups * p->out, a->rows, a->columns));
	ad_node *r[RESULTS];
	ad_ints stride = AD_INTS(p->stride), padding = AD_INTS(p->padding);
	ad_ints dilation = AD_INTS(p->dilation);
	int64_t left[2];
	uint64_t bits = 1469598103934665603u;

	for (int i = 0; i < 2; i++)
		left[i] = (i ? p->width : p->height) -
		          (((i ? a->columns : a->rows) - 1) * p->stride - 2 * p->padding +
		           p->dilation * (p->kernel[i] - 1) + 1);
	ad_set(x, a->x, a->nx);
	ad_set(w, a->w, a->nw);
	ad_set(b, a->b, a->nb);
	ad_set(dy, a->dy, a->ny);
	r[Y] = ad_conv2d(x, w, b, stride, padding, dilation, p->groups);
	ad_grads(r[Y], dy, 3, (ad_node *[]){ x, w, b }, &r[DX]);
	r[SPREAD] = ad_conv_transpose2d(dy, w, NULL, stride, padding, (ad_ints){ 2, left },
	                                dilation, p->groups);
	ad_grads(r[SPREAD], x, 2, (ad_node *[]){ dy, w }, &r[BACK]);
	r[BACK] = ad_add(r[BACK], ad_reshape(b, AD_SHAPE(p->groups * p->out, 1, 1)));
	r[WEIGHT] =
	    ad_conv_weight(x, dy, (ad_ints){ 2, p->kernel }, stride, padding, dilation, p->groups);
	cr_assert(ad_evaluate(g, r, RESULTS) == AD_OK, "%s: %s", p->reason, ad_errmsg(g));
	compare(p, "y", r[Y], a->y, a->ny, f64);
	compare(p, "dx", r[DX], a->dx, a->nx, f64);
	compare(p, "dw", r[DW], a->dw, a->nw, f64);
	compare(p, "db", r[DB], a->db, a->nb, f64);
	compare(p, "conv_transpose2d", r[SPREAD], a->dx, a->nx, f64);
	compare(p, "dx of conv_transpose2d", r[BACK], a->y, a->ny, f64);
	compare(p, "dw of conv_transpose2d", r[BACK_W], a->dw, a->nw, f64);
	compare(p, "conv_weight", r[WEIGHT], a->dw, a->nw, f64);
	for (int k = 0; k < RESULTS; k++)
		add_bits(&bits, r[k], f64);
	ad_close(g);
	return bits;
}

Test(conv, every_way_of_cutting)
{
	int threads = ad_threads();

	for (size_t k = 0; k < sizeof problems / sizeof *problems; k++) {
		const struct problem *p = &problems[k];
		struct arrays a = arrays_of(p);

		for (int f64 = 0; f64 < 2; f64++) {
			uint64_t alone, three;

			ad_set_threads(1);
			alone = check(p, &a, f64);
			ad_set_threads(3);
			three = check(p, &a, f64);
			cr_expect(alone == three, "%s: three threads give other bits than one",
			          p->reason);
		}
		free_arrays(&a);
	}
	ad_set_threads(threads);
}
