/*
 * masked_put: y = zeros with the elements of x, in turn, where mask holds.
 *
 *   x   (n,)          mask   any shape, holding in n places          y   shape of mask
 *   dx = the elements of dy where mask holds; only the mask is kept
 */
#include "op.h"

static bool shape(ad_infer *s)
{
	if (s->in_type[1] != AD_BOOL)
		return ad_refuse(s, "the mask is no mask; write a comparison, such as m != 0");
	if (s->in[0].rank != 1)
		return ad_refuse(s, "x must have one axis, not %s", ad_show(s, 0));
	s->out[0] = s->in[1];
	return true;
}

static void forward(const ad_run *r)
{
	const unsigned char *mask = ad_mask_of(&r->in[1]);
	size_t found = 0;

	for (size_t k = 0; k < r->out[0].count; k++) {
		bool take = mask[k] && found < r->in[0].count;

		ad_reals_of(&r->out[0])[k] = take ? ad_reals_of(&r->in[0])[found] : 0;
		found += mask[k] != 0;
	}
	if (found != r->in[0].count)
		ad_run_failed(r, "the mask holds in %zu places, but there are %zu elements to put",
		              found, r->in[0].count);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = ad_masked_take(dy[0], ad_input_of(y, 1), (int64_t)ad_count(ad_input_of(y, 0)));
}

AD_OP(masked_put, .arity = 2, .inputs = "x mask", .as_is = 1u << 1, .shape = shape,
      .forward = forward, .grad = grad,
      .samples = { { .in = { AD_DIMS(2), AD_DIMS_OF(AD_BOOL, 2, 2) },
                     .give = { AD_LIST(5, 7), AD_LIST(0, 1, 1, 0) },
                     .want = { AD_LIST(0, 5, 7, 0) },
                     .dwant = { AD_LIST(1, 1) } },
                   { .in = { AD_DIMS(2), AD_DIMS_OF(AD_BOOL, 3) },
                     .give = { AD_LIST(1, 3), AD_LIST(1, 0, 1) },
                     .smooth = true },
                   { .in = { AD_DIMS(1), AD_DIMS_OF(AD_BOOL, 2) },
                     .give = { AD_LIST(1), AD_LIST(1, 1) },
                     .error = "the mask holds in 2 places, but there are 1 elements" },
                   { .in = { AD_DIMS(1, 1), AD_DIMS_OF(AD_BOOL, 1) },
                     .error = "x must have one axis, not (1, 1)" } });

/* Zeros with the elements of x, in turn, where mask holds. */
AD_API ad_node *ad_masked_put(ad_node *x, ad_node *mask)
{
	return AD_CALL(masked_put, x, mask);
}
