/*
 * pad: y = x with elements added before and after along its last axes.
 *
 *   x      any shape          y   sizes grown by `pads`: the last axis before, after, the one before it
 *                                 before, after, and so on; a negative number crops (mode constant only)
 *   mode   constant: `value`; reflect: mirrored at the border element, which is not repeated; replicate:
 *          the border element; circular: what lies at the other end
 *   dx = dy added up where it came from. Composed of slice, unslice, flip and concat.
 */
#include "op.h"

struct attrs {
	ad_ints pads;
	const char *mode;
	double value;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, pads, AD_INTLIST, NULL,
	        "elements before and after, a pair for each axis from the last one on", NULL),
	AD_ATTR(struct attrs, mode, AD_WORD, "constant", "what is added",
	        "constant reflect replicate circular"),
	AD_ATTR(struct attrs, value, AD_NUM, "0", "what the mode constant adds", NULL),
	{ 0 },
};

static bool is_mode(const char *mode, const char *one)
{
	return strcmp(mode, one) == 0;
}

static ad_node *cut(ad_node *x, int64_t axis, int64_t start, int64_t stop)
{
	return ad_slice(x, AD_INTS(axis), AD_INTS(start), AD_INTS(stop), AD_ALL);
}

static ad_node *constant(ad_node *x, int64_t axis, int64_t before, int64_t after, double value)
{
	int64_t n, from = before < 0 ? -before : 0, drop = after < 0 ? -after : 0;
	ad_shape s = ad_shape_of(x);
	ad_node *y, *inside;

	n = s.dims[axis];
	if (from + drop > 0)
		x = cut(x, axis, from, n - drop);
	before = before < 0 ? 0 : before;
	after = after < 0 ? 0 : after;
	if (before + after == 0)
		return x;
	n -= from + drop;
	s.dims[axis] = n + before + after;
	y = ad_unslice(x, s, AD_INTS(axis), AD_INTS(before), AD_INTS(before + n), AD_ALL);
	if (value == 0)
		return y;
	for (int i = 0; i < s.rank; i++)
		s.dims[i] = i == axis ? n : 1;
	inside = ad_full(ad_graph_of(x), s, 1);
	s.dims[axis] = n + before + after;
	inside = ad_unslice(inside, s, AD_INTS(axis), AD_INTS(before), AD_INTS(before + n), AD_ALL);
	return ad_where(ad_not_equal(inside, ad_constant(ad_graph_of(x), 0)), y,
	                ad_constant(ad_graph_of(x), value));
}

/* The part added at one end: n elements. */
static ad_node *end(ad_node *x, int64_t axis, int64_t n, bool front, const char *mode)
{
	ad_shape s = ad_shape_of(x);
	int64_t size = s.dims[axis];

	if (is_mode(mode, "circular"))
		return front ? cut(x, axis, size - n, size) : cut(x, axis, 0, n);
	if (is_mode(mode, "reflect"))
		return ad_flip(front ? cut(x, axis, 1, n + 1) : cut(x, axis, size - 1 - n, size - 1),
		               AD_INTS(axis));
	s.dims[axis] = n;
	return ad_expand(front ? cut(x, axis, 0, 1) : cut(x, axis, size - 1, size), s);
}

static ad_node *around(ad_node *x, int64_t axis, int64_t before, int64_t after, const char *mode)
{
	ad_node *part[3];
	size_t n = 0;

	if (before > 0)
		part[n++] = end(x, axis, before, true, mode);
	part[n++] = x;
	if (after > 0)
		part[n++] = end(x, axis, after, false, mode);
	return n == 1 ? x : ad_concat(n, part, axis);
}

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	ad_shape s = ad_shape_of(in[0]);
	ad_node *y = in[0];
	size_t count;

	if (a->pads.n < 0 || a->pads.n % 2 || a->pads.n / 2 > s.rank)
		return ad_fail(g, AD_ERROR_ARGUMENT,
		               "pad: pads has %lld numbers; give a pair for each of the last axes of x, "
		               "which has %d", (long long)a->pads.n, s.rank);
	for (int64_t k = 0; k < a->pads.n; k += 2) {
		int64_t axis = s.rank - 1 - k / 2, n = s.dims[axis], before = a->pads.v[k],
		        after = a->pads.v[k + 1], least = before < after ? before : after, most;

		most = before > after ? before : after;
		if (most > INT32_MAX || least < -INT32_MAX ||
		    __builtin_add_overflow(n, before + after, &s.dims[axis]) || s.dims[axis] < 0 ||
		    -least > n || !ad_count_of(&s, &count))
			return ad_fail(g, AD_ERROR_SHAPE,
			               "pad: axis %lld of %lld elements cannot have %lld before and "
			               "%lld after", (long long)axis, (long long)n, (long long)before,
			               (long long)after);
		if (is_mode(a->mode, "constant")) {
			y = constant(y, axis, before, after, a->value);
			continue;
		}
		if (least < 0)
			return ad_fail(g, AD_ERROR_ARGUMENT, "pad: only the mode constant crops, not %s",
			               a->mode);
		if (most > 0 && (n == 0 || (is_mode(a->mode, "reflect") && most >= n) ||
		                 (is_mode(a->mode, "circular") && most > n)))
			return ad_fail(g, AD_ERROR_SHAPE,
			               "pad: the mode %s cannot add %lld to axis %lld of %lld elements",
			               a->mode, (long long)most, (long long)axis, (long long)n);
		y = around(y, axis, before, after, a->mode);
	}
	return y;
}

AD_OP(pad, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs), .compose = compose,
      .samples = { { .in = { AD_DIMS(2, 2) },
                     .attrs = "pads=[1,0,-1,1] value=9",
                     .give = { AD_LIST(NAN, 2, 3, 4) },
                     .want = { AD_LIST(9, 3, 4, 9, 9, 9) },
                     .dwant = { AD_LIST(0, 0, 1, 1) } },
                   { .in = { AD_DIMS(3) },
                     .attrs = "pads=[2,1] mode=reflect",
                     .give = { AD_LIST(1, 2, 3) },
                     .want = { AD_LIST(3, 2, 1, 2, 3, 2) },
                     .dwant = { AD_LIST(1, 3, 2) } },
                   { .in = { AD_DIMS(3) },
                     .attrs = "pads=[2,1] mode=replicate",
                     .give = { AD_LIST(1, 2, 3) },
                     .want = { AD_LIST(1, 1, 1, 2, 3, 3) },
                     .dwant = { AD_LIST(3, 1, 2) } },
                   { .in = { AD_DIMS(3) },
                     .attrs = "pads=[2,1] mode=circular",
                     .give = { AD_LIST(1, 2, 3) },
                     .want = { AD_LIST(2, 3, 1, 2, 3, 1) },
                     .dwant = { AD_LIST(2, 2, 2) } },
                   { .in = { AD_DIMS(2, 3, 2) }, .attrs = "pads=[0,2,1,1]", .lo = -2, .hi = 2 },
                   { .in = { AD_DIMS(2, 4, 3) }, .attrs = "pads=[1,2,3,0] mode=reflect", .lo = -2,
                     .hi = 2 },
                   { .in = { AD_DIMS(2, 3) }, .attrs = "pads=[3,0] mode=reflect",
                     .error = "the mode reflect cannot add 3 to axis 1 of 3 elements" },
                   { .in = { AD_DIMS(3) }, .attrs = "pads=[-1,1] mode=circular",
                     .error = "only the mode constant crops" },
                   { .in = { AD_DIMS(3) }, .attrs = "pads=[-2,-2]", .error = "axis 0 of 3 elements" },
                   { .in = { AD_DIMS(3) }, .attrs = "pads=1", .error = "pads has 1 numbers" } });

/* x with value added before and after along its last axes: pairs from the last axis on. */
AD_API ad_node *ad_pad(ad_node *x, ad_ints pads, double value)
{
	struct attrs a = { pads, "constant", value };

	return AD_CALL_WITH(pad, &a, x);
}
