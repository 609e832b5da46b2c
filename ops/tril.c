/*
 * tril: y = the lower triangles of x: what lies on and below diagonal k, 0 elsewhere.
 *
 *   x   two axes or more, the last two being those of matrices          y   shape of x
 *   dx = the lower triangles of dy; x need not be kept. Element (i, j) lies on diagonal j - i.
 */
#include "op.h"

struct attrs {
	int64_t k;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, k, AD_INT, "0", "the diagonal; 0: from the first element on", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	if (s->in[0].rank < 2)
		return ad_refuse(s, "x %s is no matrix", ad_show(s, 0));
	s->out[0] = s->in[0];
	return true;
}

static void rows(const ad_run *r, size_t begin, size_t end)
{
	const struct attrs *a = r->attrs;
	const ad_array *in = &r->in[0];
	int64_t height = in->dims[in->rank - 2], width = in->dims[in->rank - 1];

	for (size_t row = begin; row < end; row++) {
		const ad_real *x = ad_reals_of(in) + row * (size_t)width;
		ad_real *y = ad_reals_of(&r->out[0]) + row * (size_t)width;
		int64_t i = (int64_t)(row % (size_t)height), cut;

		/* k is any number: no sum of it may overflow */
		cut = a->k < -height ? 0 : a->k > width ? width : i + a->k + 1;
		cut = cut < 0 ? 0 : cut > width ? width : cut;
		for (int64_t j = 0; j < width; j++)
			y[j] = j < cut ? x[j] : 0;
	}
}

static void forward(const ad_run *r)
{
	const ad_array *x = &r->in[0];
	size_t width = (size_t)x->dims[x->rank - 1];

	if (x->count > 0)
		ad_parallel(r, x->count / width, 32768 / width + 1, rows);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	const struct attrs *a = ad_attrs_of(y);

	dx[0] = ad_tril(dy[0], a->k);
}

AD_OP(tril, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .shape = shape,
      .forward = forward, .grad = grad,
      .samples = { { .in = { AD_DIMS(2, 3) },
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6) },
                     .want = { AD_LIST(1, 0, 0, 4, 5, 0) },
                     .dwant = { AD_LIST(1, 0, 0, 1, 1, 0) } },
                   { .in = { AD_DIMS(2, 2) },
                     .attrs = "k=-9223372036854775807",
                     .give = { AD_LIST(NAN, INFINITY, 3, 4) },
                     .want = { AD_LIST(0, 0, 0, 0) },
                     .dwant = { AD_LIST(0, 0, 0, 0) } },
                   { .in = { AD_DIMS(0, 3) } },
                   { .in = { AD_DIMS(2, 3, 4) }, .attrs = "k=1", .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(4, 3) }, .attrs = "k=-1", .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(3) }, .error = "x (3,) is no matrix" } });

/* What lies on and below diagonal k of the last two axes of x, 0 elsewhere. */
AD_API ad_node *ad_tril(ad_node *x, int64_t k)
{
	struct attrs a = { k };

	return AD_CALL_WITH(tril, &a, x);
}
