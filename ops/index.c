/*
 * index: y = x[i0, i1, ...], the elements of x that arrays of indices name together.
 *
 *   x   at least as many axes as there are arrays          i0, i1, ...   indices that broadcast; a
 *   negative one counts from the end
 *   y   the broadcast shape, then the axes of x that are not named
 *   dx = dy added up where it came from. Composed of index_select.
 */
#include "op.h"

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attrs)
{
	ad_shape x = ad_shape_of(in[0]), named = { .rank = n_in - 1 }, rows = { .rank = 1 }, y;
	char text[192];
	ad_node *flat;

	if (x.rank < named.rank)
		return ad_fail(g, AD_ERROR_SHAPE,
		               "index: %d arrays of indices for the %d axes of x %s", named.rank,
		               x.rank, ad_print_shape(text, sizeof text, x));
	rows.dims[0] = 1;
	for (int i = 0; i < x.rank; i++) {
		if (i < named.rank)
			named.dims[i] = x.dims[i];
		if (i < named.rank)
			rows.dims[0] *= x.dims[i];
		else
			rows.dims[rows.rank++] = x.dims[i];
	}
	flat = ad_ravel_multi_index((size_t)named.rank, in + 1, named);
	if (ad_is_error(flat))
		return flat;
	y = ad_shape_of(flat);
	if (y.rank + x.rank - named.rank > AD_MAX_RANK)
		return ad_fail(g, AD_ERROR_SHAPE, "index: the result would have %d axes, over %d",
		               y.rank + x.rank - named.rank, AD_MAX_RANK);
	for (int i = named.rank; i < x.rank; i++)
		y.dims[y.rank++] = x.dims[i];
	flat = ad_reshape(flat, AD_SHAPE((int64_t)ad_count(flat)));
	return ad_reshape(ad_index_select(ad_reshape(in[0], rows), flat, 0), y);
}

AD_OP(index, .arity = 2, .optional = 6, .inputs = "x i0 i1 i2 i3 i4 i5 i6", .compose = compose,
      .samples = { { .in = { AD_DIMS(2, 3), AD_DIMS_OF(AD_I32, 3), AD_DIMS_OF(AD_I32, 3) },
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6), AD_LIST(0, -1, -1), AD_LIST(2, 0, 0) },
                     .want = { AD_LIST(3, 4, 4) },
                     .dwant = { AD_LIST(0, 0, 1, 2, 0, 0) } },
                   { .in = { AD_DIMS(2, 3), AD_DIMS_OF(AD_I32, 2) },
                     .give = { AD_LIST(1, 2, 3, 4, 5, 6), AD_LIST(1, 0) },
                     .want = { AD_LIST(4, 5, 6, 1, 2, 3) } },
                   { .in = { AD_DIMS(2, 3), AD_DIMS_OF(AD_I32, 2, 1), AD_DIMS_OF(AD_I32, 2) },
                     .give = { AD_LIST(0.5, 1, 1.5, -1, 2, 0.25), AD_LIST(1, 0), AD_LIST(1, 1) },
                     .smooth = true },
                   { .in = { AD_DIMS(2), AD_DIMS_OF(AD_I32, 1), AD_DIMS_OF(AD_I32, 1) },
                     .error = "2 arrays of indices for the 1 axes of x (2,)" } });

/* x[i[0], i[1], ...] for n arrays of indices. */
AD_API ad_node *ad_index(ad_node *x, size_t n, ad_node *const i[])
{
	ad_node *in[1 + AD_MAX_RANK] = { x };

	for (size_t k = 0; k < n && k < AD_MAX_RANK; k++)
		in[k + 1] = i[k];
	return AD_CALL_N(index, NULL, (n < AD_MAX_RANK ? n : AD_MAX_RANK) + 1, in);
}
