/*
 * outer: y = a b^T, every element of a times every element of b.
 *
 *   a   (M,)          b   (N,)          y   (M, N)
 *   da = dy b, db = dy^T a; a and b are kept
 */
#include "op.h"

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	ad_shape a = ad_shape_of(in[0]), b = ad_shape_of(in[1]);
	char text_a[192], text_b[192];

	if (a.rank != 1 || b.rank != 1)
		return ad_fail(g, AD_ERROR_SHAPE, "outer: takes two vectors, not %s and %s",
		               ad_print_shape(text_a, sizeof text_a, a),
		               ad_print_shape(text_b, sizeof text_b, b));
	return ad_mul(ad_reshape(in[0], AD_SHAPE(a.dims[0], 1)), in[1]);
}

AD_OP(outer, .arity = 2, .compose = compose,
      .samples = { { .in = { AD_DIMS(2), AD_DIMS(3) },
                     .give = { AD_LIST(1, 2), AD_LIST(3, 4, -5) },
                     .want = { AD_LIST(3, 4, -5, 6, 8, -10) },
                     .dwant = { AD_LIST(2, 2), AD_LIST(3, 3, 3) } },
                   { .in = { AD_DIMS(3), AD_DIMS(4) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(0), AD_DIMS(4) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(3), AD_DIMS(1, 4) },
                     .error = "takes two vectors, not (3,) and (1, 4)" } });

/* The matrix of all products of an element of a and one of b, both vectors. */
AD_API ad_node *ad_outer(ad_node *a, ad_node *b)
{
	return AD_CALL(outer, a, b);
}
