/*
 * NAME: y = x[:, 0] + 2 x[:, 1] + 3 x[:, 2] + ...: the rows of x, each as one number.
 *
 *   x   [B, n]             y   [B]
 *   dx[b, k] = (k + 1) dy[b]
 */
#include "op.h"

/* From the shapes of the inputs to that of the output, before there are any values. */
static bool shape(ad_infer *s)
{
	if (s->in[0].rank != 2)
		return ad_refuse(s, "x has to have two axes, and is %s", ad_show(s, 0));
	s->out[0] = (ad_shape){ .rank = 1, .dims = { s->in[0].dims[0] } };
	return true;
}

/* Rows begin .. end - 1; ad_parallel calls it from several threads. Arrays are contiguous, the last axis innermost. */
static void some_rows(const ad_run *r, size_t begin, size_t end)
{
	const size_t n = (size_t)r->in[0].dims[1];
	const ad_real *x = ad_reals_of(&r->in[0]);
	ad_real *y = ad_reals_of(&r->out[0]);

	for (size_t b = begin; b < end; b++) {
		ad_real sum = 0;

		for (size_t k = 0; k < n; k++)
			sum += (ad_real)(k + 1) * x[b * n + k];
		y[b] = sum;
	}
}

static void forward(const ad_run *r)
{
	const size_t rows = (size_t)r->in[0].dims[0], n = (size_t)r->in[0].dims[1];

	/* a thread is worth it from some 10,000 elements on */
	ad_parallel(r, rows, 10000 / (n + 1) + 1, some_rows);
}

/* Writes every element of dx, and never adds to one. */
static void backward(const ad_run *r)
{
	const size_t rows = (size_t)r->in[0].dims[0], n = (size_t)r->in[0].dims[1];
	const ad_real *dy = ad_reals_of(&r->dy[0]);
	ad_real *dx = ad_reals_of(&r->dx[0]);

	for (size_t b = 0; b < rows; b++)
		for (size_t k = 0; k < n; k++)
			dx[b * n + k] = (ad_real)(k + 1) * dy[b];
}

/* The same as a graph of ops, so that it can be differentiated again. */
static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const ad_shape x = ad_shape_of(ad_input_of(y, 0));
	ad_node *factors = ad_arange(ad_graph_of(y), 1, (double)x.dims[1] + 1, 1);

	dx[0] = ad_mul(ad_unsqueeze(dy[0], 1), factors);
}

/* A sample has inputs of these sizes, and known values (.want, and .dwant: the gradient of the sum of y), or numbers
 * at random between lo and hi, for which all derivatives are compared with differences; or .error, a part of the
 * sentence that refuses it. 'autograd op check' tries them all. */
AD_OP(NAME, .arity = 1, .shape = shape, .forward = forward, .backward = backward, .grad = grad,
      .reads = AD_READS_NOTHING,
      .samples = { { .in = { AD_DIMS(2, 3) },
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6) },
                     .want = { AD_LIST(14, 32) },
                     .dwant = { AD_LIST(1, 2, 3, 1, 2, 3) } },
                   { .in = { AD_DIMS(3, 4) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(3) }, .lo = -2, .hi = 2, .error = "two axes" } });

/* The rows of x, each as one number. */
AD_API ad_node *ad_NAME(ad_node *x)
{
	return AD_CALL(NAME, x);
}
