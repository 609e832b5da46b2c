/*
 * repeat: y = x laid side by side several times along each axis.
 *
 *   x   any shape          y   each size times its entry of `reps`; more entries than axes add axes
 *   dx = dy added up over the copies. Composed of expand. Masks and indices stay what they are.
 */
#include "op.h"

struct attrs {
	ad_ints reps;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, reps, AD_INTLIST, NULL, "how often along each axis of the result",
	        NULL),
	{ 0 },
};

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	ad_shape x = ad_shape_of(in[0]), s = { .rank = (int)a->reps.n };
	ad_node *y;
	size_t count;

	if (a->reps.n < x.rank || a->reps.n > AD_MAX_RANK)
		return ad_fail(g, AD_ERROR_SHAPE,
		               "repeat: x has %d axes, so give %d to %d reps, not %lld", x.rank,
		               x.rank, AD_MAX_RANK, (long long)a->reps.n);
	for (int i = 0; i < s.rank; i++)
		s.dims[i] = i < s.rank - x.rank ? 1 : x.dims[i - (s.rank - x.rank)];
	y = ad_reshape(in[0], s);
	for (int i = s.rank - 1; i >= 0; i--) {
		int64_t times = a->reps.v[i], outer = 1, inner = 1;

		if (times < 0)
			return ad_fail(g, AD_ERROR_ARGUMENT, "repeat: cannot repeat %lld times",
			               (long long)times);
		if (times == 1)
			continue;
		for (int k = 0; k < s.rank; k++)
			*(k < i ? &outer : &inner) *= s.dims[k];
		if (__builtin_mul_overflow(s.dims[i], times, &s.dims[i]) ||
		    !ad_count_of(&s, &count))
			return ad_fail(g, AD_ERROR_SHAPE,
			               "repeat: the result has too many elements");
		y = ad_expand(ad_reshape(y, AD_SHAPE(outer, 1, inner)),
		              AD_SHAPE(outer, times, inner));
		y = ad_reshape(y, s);
	}
	return y;
}

AD_OP(repeat, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .compose = compose,
      .samples = {
	  { .in = { AD_DIMS(2, 2) },
            .attrs = "reps=[2,1,2]",
            .give = { AD_LIST(1, 2, 3, 4) },
            .want = { AD_LIST(1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4) },
            .dwant = { AD_LIST(4, 4, 4, 4) } },
	  { .in = { AD_DIM0 },
            .attrs = "reps=3",
            .give = { AD_LIST(7) },
            .want = { AD_LIST(7, 7, 7) } },
	  { .in = { AD_DIMS(2) }, .attrs = "reps=0", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(2, 3) }, .attrs = "reps=[2,3]", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(2, 3) }, .attrs = "reps=2", .error = "give 2 to 8 reps" },
	  { .in = { AD_DIMS(2) }, .attrs = "reps=-1", .error = "cannot repeat -1 times" } });

/* x laid side by side reps[i] times along axis i. */
AD_API ad_node *ad_repeat(ad_node *x, ad_ints reps)
{
	struct attrs a = { reps };

	return AD_CALL_WITH(repeat, &a, x);
}
