/*
 * masked_select: y = the elements of x where mask holds, row by row.
 *
 *   x, mask   shapes that broadcast          y   (n,), n places where the mask holds
 *   dx = dy where it came from, else 0. The number n is a shape, so the mask is evaluated when the
 * op is recorded; an evaluation in which another number holds is an error. Composed of masked_take.
 */
#include "op.h"

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attrs)
{
	ad_shape x = ad_shape_of(in[0]), m = ad_shape_of(in[1]), y = x;
	char text[2][192];
	ad_node *mask;
	const unsigned char *v = NULL;
	int64_t n = 0;

	if (ad_type_of(in[1]) != AD_BOOL)
		return ad_fail(
		    g, AD_ERROR_TYPE,
		    "masked_select: the mask is no mask; write a comparison, such as m != 0");
	if (!ad_broadcast(&y, &m))
		return ad_fail(g, AD_ERROR_SHAPE, "masked_select: cannot broadcast %s and %s",
		               ad_print_shape(text[0], sizeof *text, x),
		               ad_print_shape(text[1], sizeof *text, m));
	mask = ad_expand(in[1], y);
	if (ad_forward(mask) != AD_OK || (ad_count(mask) > 0 && !(v = ad_data(mask))))
		return ad_fail(g, AD_ERROR_VALUE,
		               "masked_select: the mask has no value yet; set it "
		               "before the op is recorded");
	for (size_t k = 0; k < ad_count(mask); k++)
		n += v[k];
	return ad_masked_take(ad_expand(in[0], y), mask, n);
}

AD_OP(masked_select, .arity = 2, .inputs = "x mask", .compose = compose,
      .samples = { { .in = { AD_DIMS(2, 2), AD_DIMS_OF(AD_BOOL, 2, 2) },
                     .give = { AD_LIST(1, 2, 3, 4), AD_LIST(0, 1, 1, 0) },
                     .want = { AD_LIST(2, 3) },
                     .dwant = { AD_LIST(0, 1, 1, 0) } },
                   { .in = { AD_DIMS(2, 2), AD_DIMS_OF(AD_BOOL, 2) },
                     .give = { AD_LIST(1, NAN, 3, 4), AD_LIST(1, 0) },
                     .want = { AD_LIST(1, 3) },
                     .dwant = { AD_LIST(1, 0, 1, 0) } },
                   { .in = { AD_DIMS(2, 2), AD_DIMS_OF(AD_BOOL, 2, 2) },
                     .give = { AD_LIST(1, 2, 3, 4), AD_LIST(0, 1, 1, 1) },
                     .smooth = true },
                   { .in = { AD_DIMS(2), AD_DIMS(2) }, .error = "the mask is no mask" },
                   { .in = { AD_DIMS(2), AD_DIMS_OF(AD_BOOL, 3) },
                     .error = "cannot broadcast (2,) and (3,)" } });

/* The elements of x where mask, which is evaluated now, holds. */
AD_API ad_node *ad_masked_select(ad_node *x, ad_node *mask)
{
	return AD_CALL(masked_select, x, mask);
}
