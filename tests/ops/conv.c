/*
 * conv: convolutions of shapes that reach every way of cutting the work, and of random ones, against plain
 * loops in double; the same bits with any number of threads; results that are added to.
 *
 * Each case goes forward through conv, conv_transpose and conv_weight and back through the first two,
 * whose results are one another's.
 */
#include "autograd.h"
#include "op.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* groups of `in` channels and `out` outputs each; depth, height, width, the first of them 1 where there are
 * fewer axes */
struct problem {
	const char *reason;
	int64_t batch, groups, in, out, size[3], kernel[3], stride[3], padding[3], dilation[3];
	int axes;
};

#define ALL(n) { n, n, n }
#define PLANE(h, w) { 1, h, w }
#define ON_PLANE(n) { 1, n, n }
#define FLAT(p) { 0, p, p }

static const struct problem problems[] = {
	{ "several boxes an image", 2, 1, 3, 8, PLANE(40, 41), PLANE(3, 3), ALL(1), FLAT(1), ALL(1), 2 },
	{ "images together, blocks of outputs, deep", 40, 1, 40, 300, PLANE(5, 5), PLANE(3, 3), ALL(1), FLAT(1),
	  ALL(1), 2 },
	{ "kernel is the image, and deep", 3, 1, 2, 5, PLANE(20, 20), PLANE(20, 20), ALL(1), FLAT(0), ALL(1), 2 },
	{ "more taps than steps", 2, 1, 2, 3, PLANE(34, 33), PLANE(30, 31), ALL(1), FLAT(1), ALL(1), 2 },
	{ "taps too far apart for one copy", 1, 1, 2, 3, PLANE(1, 90000), PLANE(1, 3), ALL(1), { 0, 0, 1 },
	  { 1, 1, 40000 }, 2 },
	{ "pointwise, several boxes", 3, 1, 70, 33, PLANE(14, 14), PLANE(1, 1), ALL(1), FLAT(0), ALL(1), 2 },
	{ "pointwise, images together", 50, 1, 10, 9, PLANE(4, 4), PLANE(1, 1), ALL(1), FLAT(0), ALL(1), 2 },
	{ "pointwise, more channels than steps", 2, 1, 900, 20, PLANE(5, 6), PLANE(1, 1), ALL(1), FLAT(0), ALL(1),
	  2 },
	{ "pointwise with stride", 3, 1, 20, 33, PLANE(13, 14), PLANE(1, 1), ON_PLANE(2), FLAT(0), ALL(1), 2 },
	{ "groups, stride", 4, 2, 3, 5, PLANE(30, 31), PLANE(3, 5), ON_PLANE(2), FLAT(2), ALL(1), 2 },
	{ "depthwise", 6, 16, 1, 1, PLANE(12, 12), PLANE(3, 3), ALL(1), FLAT(1), ALL(1), 2 },
	{ "depthwise with stride", 6, 16, 1, 2, PLANE(13, 12), PLANE(5, 3), ON_PLANE(2), FLAT(2), ALL(1), 2 },
	{ "a batch of one", 1, 1, 20, 300, PLANE(20, 20), PLANE(3, 3), ALL(1), FLAT(1), ALL(1), 2 },
	{ "parts of channels", 4, 1, 300, 10, PLANE(9, 9), PLANE(3, 3), ALL(1), FLAT(2), ALL(2), 2 },
	{ "one long axis", 1, 1, 1, 2, PLANE(1, 3000), PLANE(1, 7), ALL(1), { 0, 0, 3 }, ALL(1), 2 },
	{ "the other axis", 2, 1, 3, 6, PLANE(200, 1), PLANE(5, 1), ALL(1), { 0, 2, 0 }, ALL(1), 2 },
	{ "first layer", 16, 1, 1, 6, PLANE(28, 28), PLANE(5, 5), ALL(1), FLAT(2), ALL(1), 2 },
	{ "second layer", 16, 1, 6, 16, PLANE(14, 14), PLANE(5, 5), ALL(1), FLAT(0), ALL(1), 2 },
	{ "colours with stride", 4, 1, 3, 24, PLANE(40, 44), PLANE(7, 7), ON_PLANE(2), FLAT(3), ALL(1), 2 },
	{ "padding makes most of it", 3, 3, 40, 90, PLANE(2, 2), PLANE(2, 2), ALL(1), FLAT(1), ALL(1), 2 },
	{ "padding beyond the image", 2, 1, 2, 3, PLANE(3, 2), PLANE(2, 3), ALL(1), { 0, 5, 7 }, ALL(1), 2 },
	{ "stride above the kernel", 2, 1, 4, 3, PLANE(33, 35), PLANE(3, 3), ON_PLANE(3), FLAT(0), ALL(2), 2 },
	{ "places of x without taps", 2, 1, 4, 3, PLANE(17, 18), PLANE(2, 1), ON_PLANE(4), FLAT(1), ALL(1), 2 },
	{ "stride above the image", 2, 1, 4, 3, PLANE(5, 4), PLANE(3, 3), { 1, 100000, 7 }, FLAT(1), ALL(1), 2 },
	{ "dilation shares a divisor with the stride", 2, 1, 4, 3, PLANE(21, 25), PLANE(3, 3), { 1, 4, 6 }, FLAT(3),
	  { 1, 6, 4 }, 2 },
	{ "across images, the last vector not full", 75, 1, 6, 16, PLANE(14, 14), PLANE(5, 5), ALL(1), FLAT(0), ALL(1),
	  2 },
	{ "across images, stride and dilation", 64, 2, 4, 7, PLANE(11, 12), PLANE(3, 3), { 1, 2, 3 }, FLAT(2),
	  { 1, 3, 2 }, 2 },
	{ "across images, parts of channels", 32, 1, 150, 13, PLANE(6, 7), PLANE(3, 3), ALL(1), FLAT(1), ALL(1), 2 },
	{ "across images, padding beyond the image", 32, 1, 2, 3, PLANE(3, 2), PLANE(2, 3), ALL(1), { 0, 5, 7 }, ALL(1),
	  2 },
	{ "across images, more taps than steps", 31, 1, 2, 3, PLANE(30, 29), PLANE(28, 27), ALL(1), FLAT(1), ALL(1), 2 },
	{ "across images, three axes", 32, 1, 3, 5, { 5, 4, 6 }, { 2, 3, 3 }, { 2, 1, 1 }, ALL(1), ALL(1), 3 },
	{ "stride above the row", 3, 1, 3, 8, PLANE(4, 5), PLANE(3, 3), { 1, 1, 100000 }, FLAT(1), ALL(1), 2 },
	{ "stride above the row, across images", 32, 1, 3, 8, PLANE(4, 5), PLANE(3, 3), { 1, 1, 6000 }, FLAT(1), ALL(1),
	  2 },
	{ "one tap of a row, rows that share their zeros", 5, 1, 5, 15, PLANE(18, 4), PLANE(2, 1), ALL(1), FLAT(1),
	  ALL(1), 2 },
	{ "one tap of a row, across images", 37, 1, 3, 1, PLANE(6, 11), PLANE(2, 1), ALL(1), FLAT(2), ALL(1), 2 },
	{ "an empty batch", 0, 1, 3, 4, PLANE(8, 8), PLANE(3, 3), ALL(1), FLAT(1), ALL(1), 2 },
	{ "one axis", 8, 1, 20, 24, { 1, 1, 64 }, { 1, 1, 5 }, ALL(1), { 0, 0, 2 }, ALL(1), 1 },
	{ "one axis, stride", 5, 2, 6, 5, { 1, 1, 65 }, { 1, 1, 4 }, { 1, 1, 3 }, { 0, 0, 2 }, { 1, 1, 2 }, 1 },
	{ "three axes, cut into boxes", 2, 1, 12, 9, { 20, 21, 22 }, ALL(3), ALL(1), ALL(1), ALL(1), 3 },
	{ "three axes, all different", 2, 2, 3, 4, { 9, 10, 11 }, { 3, 2, 4 }, { 2, 1, 3 }, { 1, 0, 2 }, { 1, 3, 2 },
	  3 },
};

/* x, w, b, dy, and y = conv(x, w) + b with the gradients of the sum of y dy. */
struct arrays {
	size_t nx, nw, nb, ny;
	int64_t places[3]; /* of y */
	double *x, *w, *b, *dy, *y, *dx, *dw, *db;
};

static uint64_t draw(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 40;
}

static double *numbers(size_t n, uint64_t *state)
{
	double *v = calloc(n ? n : 1, sizeof *v);

	cr_assert(v != NULL);
	for (size_t k = 0; state && k < n; k++)
		v[k] = (double)(float)((double)draw(state) / (1 << 24) - 0.5);
	return v;
}

static int64_t places(const struct problem *p, int axis)
{
	int64_t left = p->size[axis] + 2 * p->padding[axis] - p->dilation[axis] * (p->kernel[axis] - 1) - 1;

	return left < 0 ? 0 : left / p->stride[axis] + 1;
}

static int64_t product(const int64_t n[3])
{
	return n[0] * n[1] * n[2];
}

/* What one element of y takes part in: output o of group g of image n at a place. */
static void visit(const struct problem *p, struct arrays *a, int64_t n, int64_t g, int64_t o, int64_t place)
{
	size_t at_y = (size_t)(((n * p->groups + g) * p->out + o) * product(a->places) + place);
	int64_t taps = product(p->kernel);
	double dy = a->dy[at_y];

	a->db[g * p->out + o] += dy;
	a->y[at_y] = a->b[g * p->out + o];
	for (int64_t k = 0; k < p->in * taps; k++) {
		size_t at_w = (size_t)((g * p->out + o) * p->in * taps + k), at_x;
		int64_t at[3], tap = k % taps, q = place;
		bool inside = true;

		for (int i = 2; i >= 0; i--) {
			at[i] = q % a->places[i] * p->stride[i] - p->padding[i] + tap % p->kernel[i] * p->dilation[i];
			inside = inside && at[i] >= 0 && at[i] < p->size[i];
			q /= a->places[i];
			tap /= p->kernel[i];
		}
		if (!inside)
			continue;
		at_x = (size_t)((((n * p->groups + g) * p->in + k / taps) * p->size[0] + at[0]) * p->size[1] + at[1]);
		at_x = at_x * (size_t)p->size[2] + (size_t)at[2];
		a->y[at_y] += a->x[at_x] * a->w[at_w];
		a->dx[at_x] += dy * a->w[at_w];
		a->dw[at_w] += dy * a->x[at_x];
	}
}

static struct arrays arrays_of(const struct problem *p)
{
	struct arrays a = { .places = { places(p, 0), places(p, 1), places(p, 2) } };
	int64_t plane = product(a.places);
	uint64_t state = 1;

	a.nx = (size_t)(p->batch * p->groups * p->in * product(p->size));
	a.nw = (size_t)(p->groups * p->out * p->in * product(p->kernel));
	a.nb = (size_t)(p->groups * p->out);
	a.ny = (size_t)(p->batch * p->groups * p->out * plane);
	a.x = numbers(a.nx, &state);
	a.w = numbers(a.nw, &state);
	a.b = numbers(a.nb, &state);
	a.dy = numbers(a.ny, &state);
	a.y = numbers(a.ny, NULL);
	a.dx = numbers(a.nx, NULL);
	a.dw = numbers(a.nw, NULL);
	a.db = numbers(a.nb, NULL);
	for (int64_t k = 0; k < (int64_t)a.ny; k++) {
		int64_t o = k / plane;

		visit(p, &a, o / (p->groups * p->out), o / p->out % p->groups, o % p->out, k % plane);
	}
	return a;
}

static void free_arrays(struct arrays *a)
{
	double *all[] = { a->x, a->w, a->b, a->dy, a->y, a->dx, a->dw, a->db };

	for (size_t k = 0; k < sizeof all / sizeof *all; k++)
		free(all[k]);
}

static void compare(const struct problem *p, const char *what, const double *have, const double *want,
                    size_t n, bool f64)
{
	double scale = 1, worst = 0;

	for (size_t k = 0; k < n; k++)
		scale = fabs(want[k]) > scale ? fabs(want[k]) : scale;
	for (size_t k = 0; k < n; k++)
		if (!(fabs(have[k] - want[k]) <= worst))
			worst = fabs(have[k] - want[k]);
	cr_expect(worst <= (f64 ? 1e-13 : 4e-6) * scale, "%s, %s, %s: it is off by %g of %g",
	          p->reason, what, f64 ? "f64" : "f32", worst, scale);
}

static void compare_node(const struct problem *p, const char *what, ad_node *x, const double *want,
                         size_t n, bool f64)
{
	double *have = numbers(n, NULL);

	cr_assert(ad_get(x, have, n) == AD_OK, "%s, %s: %s", p->reason, what,
	          ad_errmsg(ad_graph_of(x)));
	compare(p, what, have, want, n, f64);
	free(have);
}

/* The bits of all results, for comparison between numbers of threads: FNV-1a. */
static void add_bits(uint64_t *bits, ad_node *x, bool f64)
{
	const unsigned char *data = ad_data(x);

	for (size_t k = 0; k < ad_count(x) * (f64 ? sizeof(double) : sizeof(float)); k++)
		*bits = (*bits ^ data[k]) * 1099511628211u;
}

/* (first, second, the last `axes` of list) */
static ad_shape shape_of(const struct problem *p, int64_t first, int64_t second, const int64_t list[3])
{
	ad_shape s = { .rank = p->axes + 2, .dims = { first, second } };

	for (int i = 0; i < p->axes; i++)
		s.dims[2 + i] = list[3 - p->axes + i];
	return s;
}

static ad_ints list_of(const struct problem *p, const int64_t list[3])
{
	return (ad_ints){ p->axes, list + 3 - p->axes };
}

static ad_node *convolve(const struct problem *p, ad_node *x, ad_node *w, ad_node *b)
{
	ad_ints stride = list_of(p, p->stride), padding = list_of(p, p->padding);
	ad_ints dilation = list_of(p, p->dilation);

	if (p->axes == 1)
		return ad_conv1d(x, w, b, stride, padding, dilation, p->groups);
	if (p->axes == 2)
		return ad_conv2d(x, w, b, stride, padding, dilation, p->groups);
	return ad_conv3d(x, w, b, stride, padding, dilation, p->groups);
}

static ad_node *transposed(const struct problem *p, ad_node *y, ad_node *w, const int64_t left[3])
{
	ad_ints stride = list_of(p, p->stride), padding = list_of(p, p->padding);
	ad_ints dilation = list_of(p, p->dilation), more = list_of(p, left);

	if (p->axes == 1)
		return ad_conv_transpose1d(y, w, NULL, stride, padding, more, dilation, p->groups);
	if (p->axes == 2)
		return ad_conv_transpose2d(y, w, NULL, stride, padding, more, dilation, p->groups);
	return ad_conv_transpose3d(y, w, NULL, stride, padding, more, dilation, p->groups);
}

static uint64_t check(const struct problem *p, struct arrays *a, bool f64)
{
	enum { Y, DX, DW, DB, SPREAD, BACK, BACK_W, WEIGHT, RESULTS };
	static const int64_t one[3] = { 1, 1, 1 };
	ad_graph *g = f64 ? ad_open_f64() : ad_open();
	ad_node *x = ad_input(g, "x", AD_REAL, shape_of(p, p->batch, p->groups * p->in, p->size));
	ad_node *w = ad_input(g, "w", AD_REAL, shape_of(p, p->groups * p->out, p->in, p->kernel));
	ad_node *b = ad_input(g, "b", AD_REAL, AD_SHAPE(p->groups * p->out));
	ad_node *dy = ad_input(g, "dy", AD_REAL, shape_of(p, p->batch, p->groups * p->out, a->places));
	ad_node *r[RESULTS];
	ad_shape tall = shape_of(p, p->groups * p->out, 1, one);
	int64_t left[3];
	uint64_t bits = 1469598103934665603u;

	for (int i = 0; i < 3; i++)
		left[i] = p->size[i] - ((a->places[i] - 1) * p->stride[i] - 2 * p->padding[i] +
		                        p->dilation[i] * (p->kernel[i] - 1) + 1);
	for (int i = 1; i < tall.rank; i++)
		tall.dims[i - 1] = tall.dims[i];
	tall.rank--;
	tall.dims[0] = p->groups * p->out;
	ad_set(x, a->x, a->nx);
	ad_set(w, a->w, a->nw);
	ad_set(b, a->b, a->nb);
	ad_set(dy, a->dy, a->ny);
	r[Y] = convolve(p, x, w, b);
	ad_grads(r[Y], dy, 3, (ad_node *[]){ x, w, b }, &r[DX]);
	r[SPREAD] = transposed(p, dy, w, left);
	ad_grads(r[SPREAD], x, 2, (ad_node *[]){ dy, w }, &r[BACK]);
	r[BACK] = ad_add(r[BACK], ad_reshape(b, tall));
	r[WEIGHT] = ad_conv_weight(x, dy, list_of(p, p->kernel), list_of(p, p->stride), list_of(p, p->padding),
	                           list_of(p, p->dilation), p->groups);
	cr_assert(ad_evaluate(g, r, RESULTS) == AD_OK, "%s: %s", p->reason, ad_errmsg(g));
	compare_node(p, "y", r[Y], a->y, a->ny, f64);
	compare_node(p, "dx", r[DX], a->dx, a->nx, f64);
	compare_node(p, "dw", r[DW], a->dw, a->nw, f64);
	compare_node(p, "db", r[DB], a->db, a->nb, f64);
	compare_node(p, "conv_transpose", r[SPREAD], a->dx, a->nx, f64);
	compare_node(p, "dx of conv_transpose", r[BACK], a->y, a->ny, f64);
	compare_node(p, "dw of conv_transpose", r[BACK_W], a->dw, a->nw, f64);
	compare_node(p, "conv_weight", r[WEIGHT], a->dw, a->nw, f64);
	for (int k = 0; k < RESULTS; k++)
		add_bits(&bits, r[k], f64);
	ad_close(g);
	return bits;
}

static void check_all(const struct problem *p)
{
	struct arrays a = arrays_of(p);
	int threads = ad_threads();

	for (int f64 = 0; f64 < 2; f64++) {
		uint64_t alone, three;

		ad_set_threads(1);
		alone = check(p, &a, f64);
		ad_set_threads(3);
		three = check(p, &a, f64);
		cr_expect(alone == three, "%s: three threads give other bits than one", p->reason);
	}
	ad_set_threads(threads);
	free_arrays(&a);
}

Test(conv, every_way_of_cutting)
{
	for (size_t k = 0; k < sizeof problems / sizeof *problems; k++)
		check_all(&problems[k]);
}

static int64_t between(uint64_t *state, int64_t low, int64_t high)
{
	return low + (int64_t)(draw(state) % (uint64_t)(high - low + 1));
}

/* Small channels and large ones, in turn. */
static struct problem problem_at(uint64_t *state, char reason[200])
{
	for (;;) {
		struct problem p = { .reason = reason, .axes = (int)between(state, 1, 3) };
		int64_t most = between(state, 0, 1) ? 40 : 6;

		bool small = !between(state, 0, 2); /* planes, of more images */

		p.batch = between(state, 1, small ? 40 : 6);
		p.groups = between(state, 0, 2) ? 1 : between(state, 2, 5);
		p.in = between(state, 1, p.groups > 1 ? 6 : most);
		p.out = between(state, 1, p.groups > 1 ? 6 : most);
		for (int i = 0; i < 3; i++) {
			bool is_there = i >= 3 - p.axes;

			p.size[i] = is_there ? between(state, 1, small || p.axes == 3 ? 8 : 30) : 1;
			p.kernel[i] = is_there ? between(state, 1, 5) : 1;
			p.stride[i] = is_there && !between(state, 0, 2) ? between(state, 2, 4) : 1;
			p.padding[i] = is_there ? between(state, 0, 3) : 0;
			p.dilation[i] = is_there && !between(state, 0, 2) ? between(state, 2, 4) : 1;
		}
		if (places(&p, 0) < 1 || places(&p, 1) < 1 || places(&p, 2) < 1)
			continue;
		snprintf(reason, 200,
		         "%lld images of %lld x %lld channels, %lld outputs, size %lld %lld %lld, kernel %lld %lld %lld, "
		         "stride %lld %lld %lld, padding %lld %lld %lld, dilation %lld %lld %lld",
		         (long long)p.batch, (long long)p.groups, (long long)p.in, (long long)p.out,
		         (long long)p.size[0], (long long)p.size[1], (long long)p.size[2],
		         (long long)p.kernel[0], (long long)p.kernel[1], (long long)p.kernel[2],
		         (long long)p.stride[0], (long long)p.stride[1], (long long)p.stride[2],
		         (long long)p.padding[0], (long long)p.padding[1], (long long)p.padding[2],
		         (long long)p.dilation[0], (long long)p.dilation[1], (long long)p.dilation[2]);
		return p;
	}
}

Test(conv, random_shapes)
{
	uint64_t state = 20;

	for (int k = 0; k < 80; k++) {
		char reason[200];
		struct problem p = problem_at(&state, reason);

		check_all(&p);
	}
}

/* ---- kernels that are asked to add -------------------------------------------------------------------- */

static ad_array array_of(const double *v, size_t n, ad_shape s)
{
	ad_array a = { .data = calloc(n ? n : 1, sizeof(float)), .type = AD_REAL, .rank = s.rank, .count = n };

	cr_assert(a.data != NULL);
	memcpy(a.dims, s.dims, sizeof a.dims);
	for (size_t k = 0; v && k < n; k++)
		((float *)a.data)[k] = (float)v[k];
	return a;
}

/* The portable kernels of conv, with every result at 1 before: all must be 1 more than otherwise. */
static void check_added(const struct problem *p)
{
	extern const ad_op ad_op_conv1d_f32_0, ad_op_conv2d_f32_0, ad_op_conv3d_f32_0;
	const ad_op *const ops[] = { &ad_op_conv1d_f32_0, &ad_op_conv2d_f32_0, &ad_op_conv3d_f32_0 };
	const ad_op *op = ops[p->axes - 1];
	struct {
		ad_ints stride, padding, dilation;
		int64_t groups;
		ad_ints output_padding, kernel;
	} attrs = { list_of(p, p->stride), list_of(p, p->padding), list_of(p, p->dilation), p->groups,
		    AD_ALL, AD_ALL };
	struct arrays a = arrays_of(p);
	ad_graph *g = ad_open();
	ad_shape shapes[] = { shape_of(p, p->batch, p->groups * p->in, p->size),
		              shape_of(p, p->groups * p->out, p->in, p->kernel), AD_SHAPE(p->groups * p->out) };
	ad_type types[] = { AD_REAL, AD_REAL, AD_REAL };
	static ad_infer s;
	ad_array in[3], dx[3], out, dy;
	const double *want[] = { a.dx, a.dw, a.db, a.y };
	ad_run run = { .op = op, .n_in = 3, .n_out = 1, .in = in, .out = &out, .dy = &dy, .dx = dx, .attrs = &attrs,
		       .graph = g };

	s = (ad_infer){ .graph = g, .op = op, .n_in = 3, .in = shapes, .in_type = types, .attrs = &attrs };
	cr_assert(op->adds && op->shape(&s), "%s: %s", p->reason, ad_errmsg(g));
	in[0] = array_of(a.x, a.nx, shapes[0]);
	in[1] = array_of(a.w, a.nw, shapes[1]);
	in[2] = array_of(a.b, a.nb, shapes[2]);
	out = array_of(NULL, a.ny, s.out[0]);
	dy = array_of(a.dy, a.ny, s.out[0]);
	for (int i = 0; i < 3; i++)
		dx[i] = array_of(NULL, in[i].count, shapes[i]);
	run.work = aligned_alloc(64, (s.work + 127) / 64 * 64);
	cr_assert(run.work != NULL);
	for (unsigned adds = 0; adds < 8; adds++) {
		const ad_array *results[] = { &dx[0], &dx[1], &dx[2], &out };

		for (int k = 0; k < 4; k++)
			for (size_t i = 0; i < results[k]->count; i++)
				((float *)results[k]->data)[i] = (k == 3 ? adds & 1 : adds >> k & 1) ? 1 : NAN;
		run.adds = adds & 1;
		op->forward(&run);
		run.adds = adds;
		op->backward(&run);
		for (int k = 0; k < 4; k++) {
			size_t n = results[k]->count;
			double *have = numbers(n, NULL), more = (k == 3 ? adds & 1 : adds >> k & 1) ? 1 : 0;

			for (size_t i = 0; i < n; i++)
				have[i] = (double)((float *)results[k]->data)[i] - more;
			compare(p, (const char *[]){ "dx, added", "dw, added", "db, added", "y, added" }[k], have,
			        want[k], n, false);
			free(have);
		}
	}
	free(run.work);
	for (int i = 0; i < 3; i++)
		free(in[i].data), free(dx[i].data);
	free(out.data);
	free(dy.data);
	free_arrays(&a);
	ad_close(g);
}

Test(conv, results_that_are_added_to)
{
	uint64_t state = 5;

	for (size_t k = 0; k < sizeof problems / sizeof *problems; k++)
		if (problems[k].in * problems[k].out * problems[k].batch < 2000)
			check_added(&problems[k]);
	for (int k = 0; k < 30; k++) {
		char reason[200];
		struct problem p = problem_at(&state, reason);

		check_added(&p);
	}
}
