/*
 * linear: y = x w^T + b, what a fully connected layer does.
 *
 *   x (..., in)   w (out, in)   b (out), may be left out   y (..., out)
 *   dx = dy w, dw = dy^T x, db = dy summed over all but the last axis; x and w are kept
 */
#include "op.h"
#include "kernels/gemm.h"
#include "kernels/reduce.h"

static bool shape(ad_infer *s)
{
	const ad_shape *x = &s->in[0], *w = &s->in[1], *b = s->n_in > 2 ? &s->in[2] : NULL;
	ad_shape y = *x;
	size_t count;

	if (w->rank != 2)
		return ad_refuse(s, "w is (outputs, inputs), not %s", ad_show(s, 1));
	if (x->rank == 0)
		return ad_refuse(
		    s, "x is a single number; its last axis must have size %lld, as w is %s",
		    (long long)w->dims[1], ad_show(s, 1));
	if (x->dims[x->rank - 1] != w->dims[1])
		return ad_refuse(s, "the last axis of x %s has size %lld, but w %s takes %lld",
		                 ad_show(s, 0), (long long)x->dims[x->rank - 1], ad_show(s, 1),
		                 (long long)w->dims[1]);
	if (b && b->rank >= 0 && (b->rank != 1 || b->dims[0] != w->dims[0]))
		return ad_refuse(s, "w %s has %lld outputs, but b is %s", ad_show(s, 1),
		                 (long long)w->dims[0], ad_show(s, 2));
	y.dims[y.rank - 1] = w->dims[0];
	if (!ad_count_of(&y, &count))
		return ad_refuse(s, "%s has too many elements", ad_show_shape(s, y));
	s->out[0] = y;
	return true;
}

struct product {
	size_t rows, out, in;
};

static struct product product_here(const ad_run *r)
{
	const ad_array *x = &r->in[0], *w = &r->in[1];
	struct product p = { 1, (size_t)w->dims[0], (size_t)w->dims[1] };

	for (int i = 0; i < x->rank - 1; i++)
		p.rows *= (size_t)x->dims[i];
	return p;
}

static struct gemm_slices slices_of_y(const ad_run *r, struct product p)
{
	return AD_VARIANT(gemm_slices)(r->bf16, false, true, p.rows, p.out, p.in);
}

static struct gemm_slices slices_of_x(const ad_run *r, struct product p)
{
	return AD_VARIANT(gemm_slices)(r->bf16, false, false, p.rows, p.in, p.out);
}

static struct gemm_slices slices_of_w(const ad_run *r, struct product p)
{
	return AD_VARIANT(gemm_slices)(r->bf16, true, false, p.out, p.in, p.rows);
}

static void forward_units(const ad_run *r, size_t begin, size_t end)
{
	struct product p = product_here(r);
	struct gemm_slices cut = slices_of_y(r, p);
	const ad_real *b = r->n_in > 2 && r->in[2].data ? ad_reals_of(&r->in[2]) : NULL;

	for (size_t k = begin; k < end; k++) {
		gemm_slice(&cut, k, ad_reals_of(&r->in[0]), p.in, ad_reals_of(&r->in[1]), p.in, b,
		           ad_reals_of(&r->out[0]), p.out, ad_adds(r, 0));
		gemm_finish(r, 0, 0, &cut, k);
	}
}

static void forward(const ad_run *r)
{
	if (r->out[0].count > 0)
		ad_parallel(r, slices_of_y(r, product_here(r)).n, 1, forward_units);
}

/* db for the outputs begin..end-1. */
static void sum_rows(const ad_run *r, struct product p, size_t begin, size_t end)
{
	struct reduction rows = reduction_of(2, (int64_t[]){ (int64_t)p.rows, (int64_t)p.out },
	                                     (bool[]){ true, false });
	ad_real *db = ad_reals_of(&r->dx[2]), sum[REDUCE_STRIP];

	for (size_t at = begin, width; at < end; at += width) {
		width = end - at < REDUCE_STRIP ? end - at : REDUCE_STRIP;
		rows.columns = width; /* of all, which are as far apart as before */
		AD_VARIANT(reduce_sum)(&rows, ad_reals_of(&r->dy[0]) + at, 1, sum, 0, 1);
		for (size_t j = 0; j < width; j++)
			db[at + j] = ad_adds(r, 2) ? db[at + j] + sum[j] : sum[j];
	}
}

/* What the backward pass is cut into: slices of dx, then slices of dw, each with its share of db, which reads
 * the same dy. */
struct units {
	struct gemm_slices x, w;
	size_t n_x, n_w;
	bool b;
};

static struct units units_here(const ad_run *r, struct product p)
{
	struct units u = { .x = slices_of_x(r, p), .w = slices_of_w(r, p) };

	if (r->dx[0].data && r->dx[0].count > 0)
		u.n_x = u.x.n;
	if (r->dx[1].data && r->dx[1].count > 0)
		u.n_w = u.w.n;
	u.b = r->n_in > 2 && r->dx[2].data;
	if (u.b && u.n_w == 0)
		u.n_w = 1;
	return u;
}

static void backward_units(const ad_run *r, size_t begin, size_t end)
{
	struct product p = product_here(r);
	struct units u = units_here(r, p);
	const ad_real *dy = ad_reals_of(&r->dy[0]);

	for (size_t unit = begin; unit < end; unit++) {
		size_t k = unit - u.n_x;

		if (unit < u.n_x) {
			gemm_slice(&u.x, unit, dy, p.out, ad_reals_of(&r->in[1]), p.in, NULL,
			           ad_reals_of(&r->dx[0]), p.in, ad_adds(r, 0));
			gemm_finish(r, 0, 0, &u.x, unit);
			continue;
		}
		if (r->dx[1].data && r->dx[1].count > 0)
			gemm_slice(&u.w, k, dy, p.out, ad_reals_of(&r->in[0]), p.in, NULL,
			           ad_reals_of(&r->dx[1]), p.in, ad_adds(r, 1));
		if (u.b)
			sum_rows(r, p, p.out * k / u.n_w, p.out * (k + 1) / u.n_w);
	}
}

static void backward(const ad_run *r)
{
	struct units u = units_here(r, product_here(r));

	ad_parallel(r, u.n_x + u.n_w, 1, backward_units);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_node *x = ad_input_of(y, 0), *w = ad_input_of(y, 1);
	ad_shape shape_w = ad_shape_of(w), shape_x = ad_shape_of(x);
	int64_t rows = 1;

	for (int i = 0; i < shape_x.rank - 1; i++)
		rows *= shape_x.dims[i];
	if (ad_wants(y, 0))
		dx[0] = ad_matmul(dy[0], w);
	if (ad_wants(y, 1))
		dx[1] = ad_matmul_transposed(ad_reshape(dy[0], AD_SHAPE(rows, shape_w.dims[0])),
		                             ad_reshape(x, AD_SHAPE(rows, shape_w.dims[1])), true,
		                             false);
	if (ad_inputs(y) > 2 && ad_wants(y, 2))
		dx[2] = ad_sum_to(dy[0], AD_SHAPE(shape_w.dims[0]));
}

AD_OP(linear, .arity = 2, .optional = 1, .inputs = "x w b", .shape = shape, .forward = forward,
      .backward = backward, .grad = grad, .reads = AD_READS_INPUTS, .adds = true, .finishes = 1 | 2,
      .samples = {
	  { .in = { AD_DIMS(2, 3), AD_DIMS(2, 3), AD_DIMS(2) },
            .give = { AD_LIST(1, 2, 3, 4, 5, 6), AD_LIST(1, 0, -1, 2, 1, 0), AD_LIST(10, 20) },
            .want = { AD_LIST(8, 24, 8, 33) },
            .dwant = { AD_LIST(3, 1, -1, 3, 1, -1), AD_LIST(5, 7, 9, 5, 7, 9), AD_LIST(2, 2) } },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(1, 3) },
            .give = { AD_LIST(1, 2, 3, 4, 5, 6), AD_LIST(1, 0, -1) },
            .want = { AD_LIST(-2, -2) } },
	  { .in = { AD_DIMS(2, 3, 4), AD_DIMS(5, 4), AD_DIMS(5) }, .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(4), AD_DIMS(3, 4), AD_DIMS(3) }, .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(5, 2), AD_DIMS(3, 2) }, .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(0, 4), AD_DIMS(5, 4), AD_DIMS(5) }, .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(2, 0), AD_DIMS(2, 0), AD_DIMS(2) },
            .give = { { 0 }, { 0 }, AD_LIST(1, 2) },
            .want = { AD_LIST(1, 2, 1, 2) } },
	  { .in = { AD_DIMS(2, 3), AD_DIMS(5, 4) },
            .error = "the last axis of x (2, 3) has size 3, but w (5, 4) takes 4" },
	  { .in = { AD_DIMS(2, 4), AD_DIMS(5, 4), AD_DIMS(4) },
            .error = "w (5, 4) has 5 outputs, but b is (4,)" },
	  { .in = { AD_DIMS(2, 4), AD_DIMS(4) }, .error = "w is (outputs, inputs), not (4,)" } });

/* x w^T + b; b may be NULL. */
AD_API ad_node *ad_linear(ad_node *x, ad_node *w, ad_node *b)
{
	return AD_CALL(linear, x, w, b);
}
