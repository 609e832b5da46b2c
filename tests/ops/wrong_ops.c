/*
 * wrong_ops: the check of ops bites: each of these ops has one thing wrong, and must be found out.
 *
 * Seven right ops, then what is wrong with one of them in a table that holds nothing else: the test
 * puts the two together. Like any op, this file is compiled for f32 and, by wrong_ops_f64.c, for
 * f64; the kernels of all instruction sets are the same.
 */
#include "op.h"

#if AD_BASE
#define TABLE(kind, op_name, ...)                                                                  \
	extern const ad_op kind##_##op_name##_f64_0, kind##_##op_name##_f32_0;                     \
	static const ad_op *const kind##_##op_name##_variants[] = {                                \
		&kind##_##op_name##_f32_0, &kind##_##op_name##_f64_0, &kind##_##op_name##_f32_0,   \
		&kind##_##op_name##_f64_0, &kind##_##op_name##_f32_0, &kind##_##op_name##_f64_0    \
	};                                                                                         \
	const ad_op AD_VARIANT(kind##_##op_name) = { .name = #op_name,                             \
		                                     .variants = kind##_##op_name##_variants,      \
		                                     __VA_ARGS__ }
#else
#define TABLE(kind, op_name, ...)                                                                  \
	extern const ad_op AD_VARIANT(kind##_##op_name);                                           \
	const ad_op AD_VARIANT(kind##_##op_name) = { .name = #op_name, __VA_ARGS__ }
#endif
#define RIGHT(op_name, ...) TABLE(right, op_name, __VA_ARGS__)
#define WRONG(op_name, ...) TABLE(wrong, op_name, __VA_ARGS__)

/* ---- product: y = a b, element by element ---------------------------------------------------- */

static void product_map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	for (size_t k = 0; k < n; k++)
		y[k] = in[0][k] * in[1][k];
}

static void product_dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                         ad_real *const dx[], const void *attrs)
{
	for (size_t k = 0; k < n; k++) {
		if (dx[0])
			dx[0][k] = dy[k] * in[1][k];
		if (dx[1])
			dx[1][k] = dy[k] * in[0][k];
	}
}

static void product_grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = ad_mul(dy[0], ad_input_of(y, 1));
	dx[1] = ad_mul(dy[0], ad_input_of(y, 0));
}

RIGHT(product, .arity = 2, .shape = ad_broadcast_shape, .map = product_map, .dmap = product_dmap,
      .grad = product_grad, .reads = AD_READS_INPUTS,
      .samples = { { .in = { AD_DIMS(3), AD_DIMS(3) },
                     .give = { AD_LIST(1, -2, 3), AD_LIST(4, 5, -6) },
                     .want = { AD_LIST(4, -10, -18) },
                     .dwant = { AD_LIST(4, 5, -6), AD_LIST(1, -2, 3) } },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(2, 3) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(3) }, .lo = -2, .hi = 2 } });

/* dy b with the sign, the factor or the operand wrong, or without dy */
#define WRONG_PRODUCT(name, right_one)                                                             \
	static void name##_dmap(size_t n, const ad_real *const in[], const ad_real *y,             \
	                        const ad_real *dy, ad_real *const dx[], const void *attrs)         \
	{                                                                                          \
		product_dmap(n, in, y, dy, dx, attrs);                                             \
		for (size_t k = 0; dx[0] && k < n; k++)                                            \
			dx[0][k] = right_one;                                                      \
	}                                                                                          \
	WRONG(name, .dmap = name##_dmap)

WRONG_PRODUCT(sign, -dy[k] * in[1][k]);
WRONG_PRODUCT(factor, 2 * dy[k] * in[1][k]);
WRONG_PRODUCT(swapped_operand, dy[k] * in[0][k]);
WRONG_PRODUCT(ignores_dy, in[1][k]);
WRONG_PRODUCT(right_only_together, dx[1] ? dy[k] * in[1][k] : 2 * dy[k] * in[1][k]);
WRONG_PRODUCT(wrong_beyond_four, n > 4 && k == 5 ? 0 : dy[k] * in[1][k]);

static void wrong_value_map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	for (size_t k = 0; k < n; k++)
		y[k] = 2 * in[0][k] * in[1][k];
}

static void wrong_value_dmap(size_t n, const ad_real *const in[], const ad_real *y,
                             const ad_real *dy, ad_real *const dx[], const void *attrs)
{
	for (size_t k = 0; k < n; k++) {
		if (dx[0])
			dx[0][k] = 2 * dy[k] * in[1][k];
		if (dx[1])
			dx[1][k] = 2 * dy[k] * in[0][k];
	}
}

static void wrong_value_grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_node *two = ad_constant(ad_graph_of(y), 2);

	dx[0] = ad_mul(two, ad_mul(dy[0], ad_input_of(y, 1)));
	dx[1] = ad_mul(two, ad_mul(dy[0], ad_input_of(y, 0)));
}

WRONG(wrong_value, .map = wrong_value_map, .dmap = wrong_value_dmap, .grad = wrong_value_grad);

/* the kernel is right, so only what is derived from grad is wrong */
static void second_order_grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	product_grad(y, dy, dx);
	dx[0] = ad_mul(dx[0], ad_constant(ad_graph_of(y), 0.5));
}

WRONG(second_order, .grad = second_order_grad);

/* right values, but the path to b is cut */
static void lost_path_grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = ad_mul(dy[0], ad_stop_gradient(ad_input_of(y, 1)));
	dx[1] = ad_mul(dy[0], ad_input_of(y, 0));
}

WRONG(lost_path, .grad = lost_path_grad);

static void one_missing_grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = ad_mul(dy[0], ad_input_of(y, 1));
}

WRONG(one_missing, .grad = one_missing_grad);
WRONG(no_grad, .random = true); /* the test takes grad away */
WRONG(flat, .flat = true);

static void f32_only_map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	product_map(n, in, y, attrs);
#ifndef AD_F64
	for (size_t k = 0; k < n; k++)
		y[k] *= 1.001f;
#endif
}

WRONG(f32_only, .map = f32_only_map);

static void in_place_map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	for (size_t k = 0; k < n; k++)
		y[k] = in[0][k];
	for (size_t k = 0; k < n; k++)
		y[k] *= in[1][k]; /* if y is b's memory, that is a a */
}

WRONG(in_place, .map = in_place_map);

static void writes_input_map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	ad_real *a = (ad_real *)(uintptr_t)in[0];

	product_map(n, in, y, attrs);
	if (n > 0)
		a[0] = 0;
}

WRONG(writes_input, .map = writes_input_map);

/* ---- logistic: y = 1 / (1 + exp(-x)) --------------------------------------------------------- */

static void logistic_map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	for (size_t k = 0; k < n; k++)
		y[k] = 1 / (1 + real_exp(-in[0][k]));
}

static void logistic_dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                          ad_real *const dx[], const void *attrs)
{
	for (size_t k = 0; k < n; k++)
		dx[0][k] = dy[k] * y[k] * (1 - y[k]);
}

static void logistic_grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = ad_mul(dy[0], ad_mul(y, ad_sub(ad_constant(ad_graph_of(y), 1), y)));
}

RIGHT(logistic, .arity = 1, .shape = ad_same_shape, .map = logistic_map, .dmap = logistic_dmap,
      .grad = logistic_grad, .reads = AD_READS_OUTPUTS,
      .samples = {
	  { .in = { AD_DIMS(2) }, .give = { AD_LIST(0, 1000) }, .want = { AD_LIST(0.5, 1) } },
	  { .in = { AD_DIMS(2, 2) }, .lo = -3, .hi = 3 } });

/* its kernel still reads y */
WRONG(reads_output, .reads = AD_READS_INPUTS);

static void reads_input_dmap(size_t n, const ad_real *const in[], const ad_real *y,
                             const ad_real *dy, ad_real *const dx[], const void *attrs)
{
	ad_real again;

	for (size_t k = 0; k < n; k++) {
		again = 1 / (1 + real_exp(-in[0][k]));
		dx[0][k] = dy[k] * again * (1 - again);
	}
}

WRONG(reads_input, .dmap = reads_input_dmap);

/* ---- slope: y = x where x >= 0, else x / 4 --------------------------------------------------- */

static void slope_map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	for (size_t k = 0; k < n; k++)
		y[k] = in[0][k] >= 0 ? in[0][k] : in[0][k] / 4;
}

static void slope_dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                       ad_real *const dx[], const void *attrs)
{
	for (size_t k = 0; k < n; k++)
		dx[0][k] = in[0][k] >= 0 ? dy[k] : dy[k] / 4;
}

static void slope_grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_graph *g = ad_graph_of(y);
	ad_node *above = ad_greater_equal(ad_input_of(y, 0), ad_constant(g, 0));

	dx[0] = ad_where(above, dy[0], ad_mul(dy[0], ad_constant(g, 0.25)));
}

RIGHT(slope, .arity = 1, .shape = ad_same_shape, .map = slope_map, .dmap = slope_dmap,
      .grad = slope_grad, .reads = AD_READS_INPUTS,
      .samples = { { .in = { AD_DIMS(3) },
                     .give = { AD_LIST(0, -4, 4) },
                     .want = { AD_LIST(0, -1, 4) },
                     .dwant = { AD_LIST(1, 0.25, 1) } },
                   { .in = { AD_DIMS(2, 3) }, .lo = -2, .hi = 2 } });

static void other_side_at_kink_dmap(size_t n, const ad_real *const in[], const ad_real *y,
                                    const ad_real *dy, ad_real *const dx[], const void *attrs)
{
	for (size_t k = 0; k < n; k++)
		dx[0][k] = in[0][k] > 0 ? dy[k] : dy[k] / 4;
}

WRONG(other_side_at_kink, .dmap = other_side_at_kink_dmap);

static void below_kink_dmap(size_t n, const ad_real *const in[], const ad_real *y,
                            const ad_real *dy, ad_real *const dx[], const void *attrs)
{
	for (size_t k = 0; k < n; k++)
		dx[0][k] = dy[k];
}

WRONG(below_kink, .dmap = below_kink_dmap);

/* ---- rows: y[i][j] = x[i][j] + b[j], or + b[0] if b has one element -------------------------- */

static bool rows_shape(ad_infer *s)
{
	s->out[0] = s->in[0];
	if (s->in[0].rank != 2 || s->in[1].rank != 1 ||
	    (s->in[1].dims[0] != 1 && s->in[1].dims[0] != s->in[0].dims[1]))
		return ad_refuse(s, "cannot add %s to the rows of %s", ad_show(s, 1),
		                 ad_show(s, 0));
	return true;
}

static void rows_forward(const ad_run *r)
{
	const ad_real *x = ad_reals_of(&r->in[0]), *b = ad_reals_of(&r->in[1]);
	ad_real *y = ad_reals_of(&r->out[0]);
	size_t J = (size_t)r->in[0].dims[1];

	for (size_t k = 0; k < r->in[0].count; k++)
		y[k] = x[k] + b[r->in[1].count == 1 ? 0 : k % J];
}

static void rows_backward(const ad_run *r)
{
	const ad_real *dy = ad_reals_of(&r->dy[0]);
	ad_real *dx = ad_reals_of(&r->dx[0]), *db = ad_reals_of(&r->dx[1]);
	size_t J = (size_t)r->in[0].dims[1];

	if (dx && r->in[0].count)
		memcpy(dx, dy, r->in[0].count * sizeof *dx);
	for (size_t j = 0; db && j < r->in[1].count; j++)
		db[j] = 0;
	for (size_t k = 0; db && k < r->in[0].count; k++)
		db[r->in[1].count == 1 ? 0 : k % J] += dy[k];
}

static void rows_grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = dx[1] = dy[0];
}

RIGHT(rows, .arity = 2, .shape = rows_shape, .forward = rows_forward, .backward = rows_backward,
      .grad = rows_grad, .reads = AD_READS_NOTHING,
      .samples = { { .in = { AD_DIMS(2, 3), AD_DIMS(3) },
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6), AD_LIST(10, 20, 30) },
                     .want = { AD_LIST(11, 22, 33, 14, 25, 36) } },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(3) }, .lo = -1, .hi = 1 },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(1) }, .lo = -1, .hi = 1 },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(4) }, .error = "cannot add" } });

static void missing_sum_backward(const ad_run *r)
{
	const ad_real *dy = ad_reals_of(&r->dy[0]);
	ad_real *db = ad_reals_of(&r->dx[1]);

	rows_backward(r);
	for (size_t j = 0; db && r->in[1].count > 1 && j < r->in[1].count; j++)
		db[j] = dy[j];
}

WRONG(missing_sum, .backward = missing_sum_backward);

static void only_broadcast_backward(const ad_run *r)
{
	const ad_real *dy = ad_reals_of(&r->dy[0]);
	ad_real *db = ad_reals_of(&r->dx[1]);

	rows_backward(r);
	if (db && r->in[1].count == 1)
		db[0] = dy[0];
}

WRONG(only_broadcast, .backward = only_broadcast_backward);

static bool takes_all_shape(ad_infer *s)
{
	s->out[0] = s->in[0];
	return true;
}

WRONG(takes_all, .shape = takes_all_shape);

/* ---- window: y[i] = sum of (k + 1) x[i + k] over k < width, around the end ------------------- */

struct window {
	int64_t width;
};

static const ad_attr window_attrs[] = {
	AD_ATTR(struct window, width, AD_INT, "3", "how many elements are seen", NULL),
	{ 0 },
};

static const ad_attr wrong_default_attrs[] = {
	AD_ATTR(struct window, width, AD_INT, "2", "how many elements are seen", NULL),
	{ 0 },
};

static bool window_shape(ad_infer *s)
{
	s->out[0] = s->in[0];
	if (s->in[0].rank != 1)
		return ad_refuse(s, "%s has not one axis", ad_show(s, 0));
	return true;
}

static void window_forward(const ad_run *r)
{
	const ad_real *x = ad_reals_of(&r->in[0]);
	ad_real *y = ad_reals_of(&r->out[0]);
	size_t n = r->in[0].count, width = (size_t)((const struct window *)r->attrs)->width;

	for (size_t i = 0; i < n; i++) {
		y[i] = 0;
		for (size_t k = 0; k < width; k++)
			y[i] += (ad_real)(k + 1) * x[(i + k) % n];
	}
}

/* The gradient added to dx, seen from offset elements away. */
static void window_add(const ad_run *r, size_t offset)
{
	const ad_real *dy = ad_reals_of(&r->dy[0]);
	ad_real *dx = ad_reals_of(&r->dx[0]);
	size_t n = r->in[0].count, width = (size_t)((const struct window *)r->attrs)->width;

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < width; k++)
			dx[(i + k + offset) % n] += (ad_real)(k + 1) * dy[i];
}

static void window_clear(const ad_run *r)
{
	ad_real *dx = ad_reals_of(&r->dx[0]);

	for (size_t i = 0; i < r->in[0].count; i++)
		dx[i] = 0;
}

static void window_backward(const ad_run *r)
{
	window_clear(r);
	window_add(r, 0);
}

static void window_grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct window *a = ad_attrs_of(y);
	ad_graph *g = ad_graph_of(y);

	dx[0] = ad_constant(g, 0);
	for (int64_t k = 0; k < a->width; k++)
		dx[0] = ad_add(dx[0], ad_mul(ad_constant(g, (double)k + 1),
		                             ad_roll(dy[0], AD_INTS(k), AD_INTS(0))));
}

RIGHT(window, .arity = 1, .shape = window_shape, .forward = window_forward,
      .backward = window_backward, .grad = window_grad, .reads = AD_READS_NOTHING,
      .attrs = window_attrs, .attrs_size = sizeof(struct window),
      .samples = { { .in = { AD_DIMS(4) },
                     .give = { AD_LIST(1, 2, 3, 4) },
                     .want = { AD_LIST(14, 20, 14, 12) } },
                   { .in = { AD_DIMS(5) }, .attrs = "width=2", .lo = -1, .hi = 1 },
                   { .in = { AD_DIMS(1) }, .lo = -1, .hi = 1 } });

static void off_by_one_backward(const ad_run *r)
{
	window_clear(r);
	window_add(r, 1);
}

static void accumulates_backward(const ad_run *r)
{
	window_add(r, 0);
}

static void size_one_backward(const ad_run *r)
{
	window_clear(r);
	if (r->in[0].count > 1)
		window_add(r, 0);
}

static void unwritten_forward(const ad_run *r)
{
	ad_real *y = ad_reals_of(&r->out[0]), last = y[r->in[0].count - 1];

	window_forward(r);
	y[r->in[0].count - 1] = last;
}

static void adds_to_result_forward(const ad_run *r)
{
	const ad_real *x = ad_reals_of(&r->in[0]);
	ad_real *y = ad_reals_of(&r->out[0]);
	size_t n = r->in[0].count, width = (size_t)((const struct window *)r->attrs)->width;

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < width; k++)
			y[i] += (ad_real)(k + 1) * x[(i + k) % n];
}

WRONG(off_by_one, .backward = off_by_one_backward);
WRONG(accumulates, .backward = accumulates_backward);
WRONG(size_one, .backward = size_one_backward);
WRONG(unwritten, .forward = unwritten_forward);
WRONG(adds_to_result, .forward = adds_to_result_forward);
WRONG(wrong_default, .attrs = wrong_default_attrs);
WRONG(unknown_value, .samples = { { .in = { AD_DIMS(5) }, .lo = -1, .hi = 1 } });

/* ---- pair: y = a b and z = a + b, of one shape ----------------------------------------------- */

static bool pair_shape(ad_infer *s)
{
	s->n_out = 2;
	s->out[0] = s->out[1] = s->in[0];
	if (!ad_equal_shapes(&s->in[0], &s->in[1]))
		return ad_refuse(s, "%s and %s differ", ad_show(s, 0), ad_show(s, 1));
	return true;
}

static void pair_forward(const ad_run *r)
{
	const ad_real *a = ad_reals_of(&r->in[0]), *b = ad_reals_of(&r->in[1]);
	ad_real *y = ad_reals_of(&r->out[0]), *z = ad_reals_of(&r->out[1]);

	for (size_t k = 0; k < r->in[0].count; k++) {
		y[k] = (ad_adds(r, 0) ? y[k] : 0) + a[k] * b[k];
		z[k] = (ad_adds(r, 1) ? z[k] : 0) + (a[k] + b[k]);
		ad_finish(r, 0, k, 1);
	}
}

/* with what arrived at the product and what arrived at the sum */
static void pair_pass(const ad_run *r, const ad_real *dy, const ad_real *dz)
{
	for (int i = 0; i < 2; i++) {
		const ad_real *other = ad_reals_of(&r->in[1 - i]);
		ad_real *dx = ad_reals_of(&r->dx[i]);

		for (size_t k = 0; dx && k < r->in[0].count; k++)
			dx[k] = (ad_adds(r, i) ? dx[k] : 0) + (dy ? dy[k] * other[k] : 0) +
			        (dz ? dz[k] : 0);
		ad_finish(r, i, 0, dx ? r->in[0].count : 0);
	}
}

static void pair_backward(const ad_run *r)
{
	pair_pass(r, ad_reals_of(&r->dy[0]), ad_reals_of(&r->dy[1]));
}

static void pair_grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	for (int i = 0; i < 2; i++) {
		ad_node *by_product = dy[0] ? ad_mul(dy[0], ad_input_of(y, 1 - i)) : NULL;

		dx[i] = !by_product ? dy[1] : !dy[1] ? by_product : ad_add(by_product, dy[1]);
	}
}

RIGHT(pair, .arity = 2, .shape = pair_shape, .forward = pair_forward, .backward = pair_backward,
      .grad = pair_grad, .reads = AD_READS_INPUTS, .adds = true, .finishes = 1 | 2 | 4,
      .samples = { { .in = { AD_DIMS(2), AD_DIMS(2) },
                     .give = { AD_LIST(2, 3), AD_LIST(4, 5) },
                     .want = { AD_LIST(8, 15), AD_LIST(6, 8) } },
                   { .in = { AD_DIMS(2, 2), AD_DIMS(2, 2) }, .lo = -1, .hi = 1 } });

static void other_output_backward(const ad_run *r)
{
	pair_pass(r, ad_reals_of(&r->dy[1]), ad_reals_of(&r->dy[0]));
}

WRONG(other_output, .backward = other_output_backward);

/* right as long as gradients arrive at both outputs */
static void lone_output_backward(const ad_run *r)
{
	const ad_real *dy = ad_reals_of(&r->dy[0]), *dz = ad_reals_of(&r->dy[1]);

	pair_pass(r, dy, dy ? dz : NULL);
}

WRONG(lone_output, .backward = lone_output_backward);

/* right, but writes where it was to add */
static void only_writes_forward(const ad_run *r)
{
	ad_run alone = *r;

	alone.adds = 0;
	pair_forward(&alone);
}

WRONG(only_writes, .forward = only_writes_forward);

static void only_writes_gradient_backward(const ad_run *r)
{
	ad_run alone = *r;

	alone.adds &= ~2u;
	pair_backward(&alone);
}

WRONG(only_writes_gradient, .backward = only_writes_gradient_backward);

static void finishes_twice_forward(const ad_run *r)
{
	pair_forward(r);
	ad_finish(r, 0, 1, 1);
}

WRONG(finishes_twice, .forward = finishes_twice_forward);

static void finishes_early_backward(const ad_run *r)
{
	ad_run silent = *r;

	silent.finish = NULL;
	for (int i = 0; i < 2; i++)
		ad_finish(r, i, 0, r->dx[i].count);
	pair_backward(&silent);
}

WRONG(finishes_early, .backward = finishes_early_backward);

static void leaves_one_out_backward(const ad_run *r)
{
	ad_run silent = *r;

	silent.finish = NULL;
	pair_backward(&silent);
	ad_finish(r, 0, 0, r->dx[0].count);
	ad_finish(r, 1, 0, r->dx[1].count - 1);
}

WRONG(leaves_one_out, .backward = leaves_one_out_backward);

/* ---- length: y = sqrt(sum of x^2); its gradient at 0 is 0 ------------------------------------ */

static bool length_shape(ad_infer *s)
{
	return true;
}

static void length_forward(const ad_run *r)
{
	ad_real sum = 0;

	for (size_t k = 0; k < r->in[0].count; k++)
		sum += ad_reals_of(&r->in[0])[k] * ad_reals_of(&r->in[0])[k];
	ad_reals_of(&r->out[0])[0] = real_sqrt(sum);
}

static void length_backward(const ad_run *r)
{
	const ad_real y = ad_reals_of(&r->out[0])[0], dy = ad_reals_of(&r->dy[0])[0];

	for (size_t k = 0; k < r->in[0].count; k++)
		ad_reals_of(&r->dx[0])[k] = y == 0 ? 0 : dy * ad_reals_of(&r->in[0])[k] / y;
}

static void length_grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = ad_div(ad_mul(dy[0], ad_input_of(y, 0)), y);
}

RIGHT(length, .arity = 1, .shape = length_shape, .forward = length_forward,
      .backward = length_backward, .grad = length_grad,
      .samples = { { .in = { AD_DIMS(2) },
                     .give = { AD_LIST(3, 4) },
                     .want = { AD_LIST(5) },
                     .dwant = { AD_LIST(0.6, 0.8) } },
                   { .in = { AD_DIMS(2) },
                     .give = { AD_LIST(0, 0) },
                     .want = { AD_LIST(0) },
                     .dwant = { AD_LIST(0, 0) } },
                   { .in = { AD_DIMS(3) }, .lo = 0.5, .hi = 2 } });

static void undefined_at_zero_backward(const ad_run *r)
{
	const ad_real y = ad_reals_of(&r->out[0])[0], dy = ad_reals_of(&r->dy[0])[0];

	for (size_t k = 0; k < r->in[0].count; k++)
		ad_reals_of(&r->dx[0])[k] = dy * ad_reals_of(&r->in[0])[k] / y;
}

WRONG(undefined_at_zero, .backward = undefined_at_zero_backward);

/* ---- the tests ------------------------------------------------------------------------------- */

#if AD_BASE
#include <criterion/criterion.h>

/* A right op, what is wrong, and a part of the sentence that says so. */
static const struct {
	const ad_op *right, *wrong;
	const char *says;
} cases[] = {
	{ &right_product_f32_0, &wrong_sign_f32_0, "gradient 0 is -4, not 4" },
	{ &right_product_f32_0, &wrong_factor_f32_0, "by input 0[0, 0] is" },
	{ &right_product_f32_0, &wrong_swapped_operand_f32_0, "by input 0[0, 0] is" },
	{ &right_product_f32_0, &wrong_ignores_dy_f32_0, "output 0[0, 1] by input 0[0, 0] is" },
	{ &right_product_f32_0, &wrong_right_only_together_f32_0, "input 0 when asked for alone" },
	{ &right_product_f32_0, &wrong_wrong_beyond_four_f32_0, "by input 0[1, 2] is 0;" },
	{ &right_product_f32_0, &wrong_wrong_value_f32_0, "output 0 is 8, not 4" },
	{ &right_product_f32_0, &wrong_second_order_f32_0,
	  "order 2: the derivative of the gradient" },
	{ &right_product_f32_0, &wrong_lost_path_f32_0,
	  "order 2: the derivative of the gradient for input 0[0, 0] by input 1[0, 0] is 0;" },
	{ &right_product_f32_0, &wrong_one_missing_f32_0, "no derivative for input 1" },
	{ &right_product_f32_0, &wrong_no_grad_f32_0, "no derivative of 2nd order" },
	{ &right_product_f32_0, &wrong_flat_f32_0, "is 0; differences give" },
	{ &right_product_f32_0, &wrong_f32_only_f32_0, "f32" },
	{ &right_product_f32_0, &wrong_in_place_f32_0, "inside a larger graph" },
	{ &right_product_f32_0, &wrong_writes_input_f32_0, "a kernel writes to input 0" },
	{ &right_logistic_f32_0, &wrong_reads_output_f32_0, "reads an output, but .reads" },
	{ &right_logistic_f32_0, &wrong_reads_input_f32_0, "reads an input, but .reads" },
	{ &right_slope_f32_0, &wrong_other_side_at_kink_f32_0, "gradient 0 is 0.25, not 1" },
	{ &right_slope_f32_0, &wrong_below_kink_f32_0, "gradient 0 is 1, not 0.25" },
	{ &right_rows_f32_0, &wrong_missing_sum_f32_0, "by input 1[0] is 0; differences give 1" },
	{ &right_rows_f32_0, &wrong_only_broadcast_f32_0, "sample 2, f64" },
	{ &right_rows_f32_0, &wrong_takes_all_f32_0, "it must fail with 'cannot add'" },
	{ &right_window_f32_0, &wrong_off_by_one_f32_0, "(width=2), f64" },
	{ &right_window_f32_0, &wrong_accumulates_f32_0, "not add to what is there" },
	{ &right_window_f32_0, &wrong_size_one_f32_0, "sample 2, f64" },
	{ &right_window_f32_0, &wrong_unwritten_f32_0, "must write every element" },
	{ &right_window_f32_0, &wrong_adds_to_result_f32_0, "not add to what is there" },
	{ &right_window_f32_0, &wrong_wrong_default_f32_0, "output 0 is 5, not 14" },
	{ &right_window_f32_0, &wrong_unknown_value_f32_0, "no sample has known values" },
	{ &right_pair_f32_0, &wrong_other_output_f32_0, "the derivative of output 0[0, 0] by" },
	{ &right_pair_f32_0, &wrong_lone_output_f32_0, "the derivative of output 1[0, 0] by" },
	{ &right_pair_f32_0, &wrong_only_writes_f32_0, "output 0, added to what was there," },
	{ &right_pair_f32_0, &wrong_only_writes_gradient_f32_0,
	  "gradient 1, added to what was there," },
	{ &right_pair_f32_0, &wrong_finishes_twice_f32_0,
	  "element 1 of output 0 is finished 2 times, not once" },
	{ &right_pair_f32_0, &wrong_finishes_early_f32_0, "element 0 of gradient 0 is" },
	{ &right_pair_f32_0, &wrong_leaves_one_out_f32_0, "of gradient 1 is finished 0 times" },
	{ &right_length_f32_0, &wrong_undefined_at_zero_f32_0,
	  "gradient 0 is undefined (NaN), not 0" },
};
#define N_CASES (sizeof cases / sizeof cases[0])

/* The right op, but for what the wrong one gives. */
static ad_op merged(const ad_op *right, const ad_op *wrong)
{
	ad_op op = *right;

	op.name = wrong->name;
	if (wrong->shape)
		op.shape = wrong->shape;
	if (wrong->map)
		op.map = wrong->map;
	if (wrong->dmap)
		op.dmap = wrong->dmap;
	if (wrong->forward)
		op.forward = wrong->forward;
	if (wrong->backward)
		op.backward = wrong->backward;
	if (wrong->grad)
		op.grad = wrong->grad;
	if (wrong->attrs)
		op.attrs = wrong->attrs;
	if (wrong->reads)
		op.reads = wrong->reads;
	if (wrong->flat)
		op.flat = true;
	if (wrong->random)
		op.grad = NULL;
	if (wrong->samples[0].in[0].given)
		memcpy(op.samples, wrong->samples, sizeof op.samples);
	return op;
}

Test(wrong_ops, right_ones_pass)
{
	char text[4096];

	for (size_t k = 0; k < N_CASES; k++) {
		cr_expect(ad_op_check(cases[k].right, text, sizeof text), "%s", text);
		cr_expect(strstr(text, "samples, all right"), "%s", text);
	}
}

Test(wrong_ops, wrong_ones_are_found_out)
{
	size_t caught = 0;

	for (size_t k = 0; k < N_CASES; k++) {
		ad_op variants[6], base;
		const ad_op *list[6];
		char text[4096];
		size_t length = strlen(cases[k].wrong->name);

		for (int i = 0; i < 6; i++) {
			variants[i] =
			    merged(cases[k].right->variants[i], cases[k].wrong->variants[i]);
			list[i] = &variants[i];
		}
		base = variants[0];
		base.variants = list;
		if (ad_op_check(&base, text, sizeof text)) {
			cr_expect(false, "not found out: %s", text);
			continue;
		}
		caught++;
		cr_expect(strncmp(text, base.name, length) == 0 &&
		              (text[length] == ':' || text[length] == ','),
		          "does not begin with the name '%s': %s", base.name, text);
		cr_expect(strstr(text, cases[k].says), "%s: '%s' is not in this: %s", base.name,
		          cases[k].says, text);
	}
	cr_expect(caught == N_CASES, "%zu of %zu wrong ops are found out", caught, N_CASES);
}

/* A check whose text finds no room still says that something is wrong. */
Test(wrong_ops, little_room)
{
	const ad_op *right = &right_product_f32_0;
	ad_op variants[6], base;
	const ad_op *list[6];
	char text[4096], all[4096];

	for (int i = 0; i < 6; i++) {
		variants[i] = merged(right->variants[i], wrong_sign_f32_0.variants[i]);
		list[i] = &variants[i];
	}
	base = variants[0];
	base.variants = list;
	cr_assert(!ad_op_check(&base, all, sizeof all));
	for (size_t size = 0; size < 1200; size++) {
		memset(text, 'x', sizeof text);
		cr_assert(!ad_op_check(&base, text, size));
		cr_assert(text[size] == 'x', "size %zu", size);
		cr_assert(size == 0 || strlen(text) < size, "size %zu", size);
		if (size > 400)
			cr_assert(strstr(text, "sign, sample 0"), "%s", text);
	}
	cr_assert(!ad_op_check(&base, NULL, 0));
	cr_assert(!ad_op_check(NULL, text, sizeof text));
}
#endif
