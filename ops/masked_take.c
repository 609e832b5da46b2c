/*
 * masked_take: y = the elements of x where mask holds, which are `count`, row by row.
 *
 *   x   any shape          mask   the same shape          y   (count,)
 *   dx = dy where it came from, else 0; only the mask is kept. Another number of places is an
 * error.
 */
#include "op.h"

struct attrs {
	int64_t count;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, count, AD_INT, NULL, "in how many places the mask holds", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	size_t n;

	if (s->in_type[1] != AD_BOOL)
		return ad_refuse(s, "the mask is no mask; write a comparison, such as m != 0");
	if (!ad_equal_shapes(&s->in[0], &s->in[1]))
		return ad_refuse(s, "x %s and mask %s must have the same shape", ad_show(s, 0),
		                 ad_show(s, 1));
	ad_count_of(&s->in[0], &n);
	if (a->count < 0 || (uint64_t)a->count > n)
		return ad_refuse(s, "a mask over %s cannot hold in %lld places", ad_show(s, 0),
		                 (long long)a->count);
	s->out[0] = AD_SHAPE(a->count);
	return true;
}

static void forward(const ad_run *r)
{
	const unsigned char *mask = ad_mask_of(&r->in[1]);
	size_t found = 0;

	for (size_t k = 0; k < r->in[0].count; k++) {
		if (mask[k] && found < r->out[0].count)
			ad_reals_of(&r->out[0])[found] = ad_reals_of(&r->in[0])[k];
		found += mask[k] != 0;
	}
	if (found != r->out[0].count)
		ad_run_failed(r,
		              "the mask holds in %zu places, but the graph was recorded for %zu; "
		              "record it again",
		              found, r->out[0].count);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = ad_masked_put(dy[0], ad_input_of(y, 1));
}

AD_OP(masked_take, .arity = 2, .inputs = "x mask", .as_is = 1u << 1, .attrs = attrs,
      .attrs_size = sizeof(struct attrs), .shape = shape, .forward = forward, .grad = grad,
      .samples = { { .in = { AD_DIMS(2, 2), AD_DIMS_OF(AD_BOOL, 2, 2) },
                     .attrs = "count=2",
                     .give = { AD_LIST(1, 2, 3, 4), AD_LIST(0, 1, 1, 0) },
                     .want = { AD_LIST(2, 3) },
                     .dwant = { AD_LIST(0, 1, 1, 0) } },
                   { .in = { AD_DIMS(3), AD_DIMS_OF(AD_BOOL, 3) },
                     .attrs = "count=2",
                     .give = { AD_LIST(1, 2, 3), AD_LIST(1, 0, 1) },
                     .smooth = true },
                   { .in = { AD_DIMS(2), AD_DIMS_OF(AD_BOOL, 2) },
                     .attrs = "count=1",
                     .give = { AD_LIST(1, 2), AD_LIST(1, 1) },
                     .error = "the mask holds in 2 places, but the graph was recorded for 1" },
                   { .in = { AD_DIMS(2), AD_DIMS_OF(AD_BOOL, 2) },
                     .attrs = "count=3",
                     .error = "a mask over (2,) cannot hold in 3 places" } });

/* The elements of x where mask holds, which are count. */
AD_API ad_node *ad_masked_take(ad_node *x, ad_node *mask, int64_t count)
{
	struct attrs a = { count };

	return AD_CALL_WITH(masked_take, &a, x, mask);
}
