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

static void forward_units(const ad_run *r, size_t begin, size_t end)
{
	struct product p = product_here(r);
	struct gemm_slices cut = gemm_slices(p.rows, p.out, p.in);
	const ad_real *b = r->n_in > 2 && r->in[2].data ? ad_reals_of(&r->in[2]) : NULL;
	ad_real *y = ad_reals_of(&r->out[0]);

	for (size_t k = begin; k < end; k++) {
		/* The product is added to the bias, which is put into this slice beforehand. */
		if (b) {
			size_t at = k * cut.size, all = cut.columns ? p.out : p.rows;
			size_t size = all - at < cut.size ? all - at : cut.size;
			if (cut.columns)
				for (size_t i = 0; i < p.rows; i++)
					memcpy(y + i * p.out + at, b + at, size * sizeof *y);
			else
				for (size_t i = at; i < at + size; i++)
					memcpy(y + i * p.out, b, p.out * sizeof *y);
		}
		gemm_slice(&cut, k, false, true, p.rows, p.out, p.in, ad_reals_of(&r->in[0]), p.in,
		           ad_reals_of(&r->in[1]), p.in, y, p.out, b != NULL);
	}
}

static void forward(const ad_run *r)
{
	struct product p = product_here(r);

	if (r->out[0].count > 0)
		ad_parallel(r, gemm_slices(p.rows, p.out, p.in).n, 1, forward_units);
}

static void units_of_x(const ad_run *r, size_t begin, size_t end)
{
	struct product p = product_here(r);
	struct gemm_slices cut = gemm_slices(p.rows, p.in, p.out);

	for (size_t k = begin; k < end; k++)
		gemm_slice(&cut, k, false, false, p.rows, p.in, p.out, ad_reals_of(&r->dy[0]),
		           p.out, ad_reals_of(&r->in[1]), p.in, ad_reals_of(&r->dx[0]), p.in,
		           false);
}

static void units_of_w(const ad_run *r, size_t begin, size_t end)
{
	struct product p = product_here(r);
	struct gemm_slices cut = gemm_slices(p.out, p.in, p.rows);

	for (size_t k = begin; k < end; k++)
		gemm_slice(&cut, k, true, false, p.out, p.in, p.rows, ad_reals_of(&r->dy[0]), p.out,
		           ad_reals_of(&r->in[0]), p.in, ad_reals_of(&r->dx[1]), p.in, false);
}

static struct reduction rows_of(struct product p)
{
	return reduction_of(2, (int64_t[]){ (int64_t)p.rows, (int64_t)p.out },
	                    (bool[]){ true, false });
}

static void units_of_b(const ad_run *r, size_t begin, size_t end)
{
	struct reduction rows = rows_of(product_here(r));
	AD_VARIANT(reduce_sum)
	(&rows, ad_reals_of(&r->dy[0]), 1, ad_reals_of(&r->dx[2]), begin, end);
}

static void backward(const ad_run *r)
{
	struct product p = product_here(r);

	if (r->dx[0].data && r->dx[0].count > 0)
		ad_parallel(r, gemm_slices(p.rows, p.in, p.out).n, 1, units_of_x);
	if (r->dx[1].data && r->dx[1].count > 0)
		ad_parallel(r, gemm_slices(p.out, p.in, p.rows).n, 1, units_of_w);
	if (r->n_in > 2 && r->dx[2].data && r->dx[2].count > 0) {
		struct reduction rows = rows_of(p);
		ad_parallel(r, rows.outer * reduction_strips(&rows), reduction_grain(&rows),
		            units_of_b);
	}
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
      .backward = backward, .grad = grad, .reads = AD_READS_INPUTS,
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
