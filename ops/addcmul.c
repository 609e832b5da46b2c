/*
 * addcmul: y = x + value a b, element by element, broadcast.
 *
 *   x, a, b   any shapes that broadcast
 *   y         the broadcast shape
 *   dx = dy, da = dy value b, db = dy value a
 *   Within 3 ulp of the larger term.
 */
#include "op.h"

struct attrs {
	double value;
};

static const ad_attr table[] = {
	AD_ATTR(struct attrs, value, AD_NUM, "1", "the factor of the product", NULL),
	{ 0 },
};

static void map(size_t n, const ad_real *const in[], ad_real *y, const void *attrs)
{
	const ad_real *x = in[0], *a = in[1], *b = in[2];
	const struct attrs *o = attrs;
	const ad_real value = (ad_real)o->value;

#pragma omp simd
	for (size_t k = 0; k < n; k++)
		y[k] = x[k] + value * (a[k] * b[k]);
}

static void dmap(size_t n, const ad_real *const in[], const ad_real *y, const ad_real *dy,
                 ad_real *const dx[], const void *attrs)
{
	const ad_real *a = in[1], *b = in[2];
	const struct attrs *o = attrs;
	const ad_real value = (ad_real)o->value;

	if (dx[0]) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			dx[0][k] = dy[k];
	}
	if (dx[1]) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			dx[1][k] = dy[k] * value * b[k];
	}
	if (dx[2]) {
#pragma omp simd
		for (size_t k = 0; k < n; k++)
			dx[2][k] = dy[k] * value * a[k];
	}
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const double value = ((const struct attrs *)ad_attrs_of(y))->value;
	ad_node *d = ad_mul(dy[0], ad_constant(ad_graph_of(y), value));

	dx[0] = dy[0];
	if (ad_wants(y, 1))
		dx[1] = ad_mul(d, ad_input_of(y, 2));
	if (ad_wants(y, 2))
		dx[2] = ad_mul(d, ad_input_of(y, 1));
}

AD_OP(addcmul, .arity = 3, .inputs = "x a b", .attrs = table, .attrs_size = sizeof(struct attrs),
      .shape = ad_broadcast_shape, .map = map, .dmap = dmap, .grad = grad, .reads = AD_READS_INPUTS,
      .samples = { { .in = { AD_DIMS(3), AD_DIMS(3), AD_DIMS(3) },
                     .give = { AD_LIST(1, 2, 3), AD_LIST(4, -5, 6), AD_LIST(0.5, 0.25, 2) },
                     .want = { AD_LIST(2, 1.375, 9) },
                     .dwant = { AD_LIST(1, 1, 1), AD_LIST(0.25, 0.125, 1), AD_LIST(2, -2.5, 3) },
                     .attrs = "value=0.5" },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(2, 3), AD_DIMS(2, 3) },
                     .lo = -2,
                     .hi = 2,
                     .attrs = "value=-1.5" },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(3), AD_DIM0 }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 1), AD_DIMS(1, 3), AD_DIMS(2, 1, 1) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 3), AD_DIMS(2, 3), AD_DIMS(4) },
                     .lo = 0,
                     .hi = 1,
                     .error = "cannot broadcast (4,) with (2, 3)" } });

/* x plus value times a times b, element by element. */
AD_API ad_node *ad_addcmul(ad_node *x, ad_node *a, ad_node *b, double value)
{
	struct attrs attrs = { .value = value };

	return AD_CALL_WITH(addcmul, &attrs, x, a, b);
}
