/*
 * diag_embed: y = square matrices with the lines of the last axis of x on diagonal k, 0 elsewhere.
 *
 *   x   (.., n)          y   (.., m, m) with m = n + |k|
 *   dx = the diagonals of dy. Composed of undiagonal.
 */
#include "op.h"

struct attrs {
	int64_t k;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, k, AD_INT, "0", "the diagonal; 0: from the first element on", NULL),
	{ 0 },
};

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	ad_shape s = ad_shape_of(in[0]);
	size_t count;
	int64_t m;

	if (s.rank == 0 || s.rank == AD_MAX_RANK)
		return ad_fail(g, AD_ERROR_SHAPE, "diag_embed: x has %d axes; it takes 1 to %d",
		               s.rank, AD_MAX_RANK - 1);
	if (a->k > INT32_MAX || a->k < -INT32_MAX ||
	    __builtin_add_overflow(s.dims[s.rank - 1], llabs(a->k), &m))
		return ad_fail(g, AD_ERROR_ARGUMENT, "diag_embed: diagonal %lld is too far away",
		               (long long)a->k);
	s.dims[s.rank - 1] = m;
	s.dims[s.rank++] = m;
	if (!ad_count_of(&s, &count))
		return ad_fail(g, AD_ERROR_SHAPE, "diag_embed: the result has too many elements");
	return ad_undiagonal(in[0], s, a->k, -2, -1);
}

AD_OP(diag_embed, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs),
      .compose = compose,
      .samples = { { .in = { AD_DIMS(2) },
                     .attrs = "k=-1",
                     .give = { AD_LIST(7, 8) },
                     .want = { AD_LIST(0, 0, 0, 7, 0, 0, 0, 8, 0) },
                     .dwant = { AD_LIST(1, 1) } },
                   { .in = { AD_DIMS(2, 3) }, .lo = -2, .hi = 2 },
                   { .in = { AD_DIM0 }, .error = "x has 0 axes" } });

/* Square matrices with the lines of the last axis of x on diagonal k. */
AD_API ad_node *ad_diag_embed(ad_node *x, int64_t k)
{
	struct attrs a = { k };

	return AD_CALL_WITH(diag_embed, &a, x);
}
