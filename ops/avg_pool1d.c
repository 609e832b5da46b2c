/*
 * avg_pool1d: y = the mean of the elements of each window along the last axis of x.
 *
 *   x (..., length), any leading axes   y (..., number of windows)
 *   avg_pool2d over windows of height 1, which has the gradient too
 */
#include "op.h"
#include "kernels/windows.h"

struct attrs {
	ad_ints kernel, stride, padding;
	bool ceil_mode, count_include_pad;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, kernel, AD_INTLIST, NULL, "the size of the windows", NULL),
	AD_ATTR(struct attrs, stride, AD_INTLIST, "null",
	        "from one window to the next; null: the kernel", NULL),
	AD_ATTR(struct attrs, padding, AD_INTLIST, "0", "zeros on both sides of x", NULL),
	AD_ATTR(struct attrs, ceil_mode, AD_FLAG, "false", "a window may hang over the end", NULL),
	AD_ATTR(struct attrs, count_include_pad, AD_FLAG, "true", "the padding counts in the mean",
	        NULL),
	{ 0 },
};

/* A list for the last axis as one for two axes, of which the first stays as it is. */
static ad_ints of_two(ad_ints list, int64_t first, int64_t both[2])
{
	both[0] = first;
	both[1] = list.n > 0 ? list.v[0] : 1;
	return list.n < 0 ? list : (ad_ints){ 2, both };
}

/* Refuses what is no single number, in this op's name. */
static bool is_single(ad_graph *g, const char *name, ad_ints list)
{
	if (list.n == -1 || list.n == 1)
		return true;
	ad_fail(g, AD_ERROR_SHAPE, "%s: %s has %lld numbers: give one", "avg_pool1d", name,
	        (long long)list.n);
	return false;
}

static ad_node *compose(ad_graph *g, ad_node *const in[], int n_in, const void *attributes)
{
	const struct attrs *a = attributes;
	int64_t kernel[2], stride[2], padding[2];

	if (ad_shape_of(in[0]).rank == 0)
		return ad_fail(g, AD_ERROR_SHAPE,
		               "avg_pool1d: a single number has no axis to pool over");
	if (!is_single(g, "kernel", a->kernel) || !is_single(g, "stride", a->stride) ||
	    !is_single(g, "padding", a->padding))
		return ad_fail(g, AD_ERROR_SHAPE, "avg_pool1d: one number a list");
	return ad_squeeze(ad_avg_pool2d(ad_unsqueeze(in[0], -2), of_two(a->kernel, 1, kernel),
	                                of_two(a->stride, 1, stride),
	                                of_two(a->padding, 0, padding), a->ceil_mode,
	                                a->count_include_pad, AD_NONE),
	                  -2);
}

AD_OP(avg_pool1d, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs),
      .compose = compose,
      .samples = {
	  { .in = { AD_DIMS(1, 7) },
            .attrs = "kernel=3 stride=2 padding=1 count_include_pad=false",
            .give = { AD_LIST(-4, 3, -1, 6, 2, -2, 5) },
            .want = { AD_LIST(-1. / 2, 8. / 3, 2, 3. / 2) },
            .dwant = { AD_LIST(1. / 2, 5. / 6, 1. / 3, 2. / 3, 1. / 3, 5. / 6, 1. / 2) } },
	  { .in = { AD_DIMS(2, 2, 7) }, .attrs = "kernel=2", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(6) }, .attrs = "kernel=3 stride=2 ceil_mode=true", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(0, 4) }, .attrs = "kernel=2", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(4) }, .attrs = "kernel=5", .error = "does not fit into axis" },
	  { .in = { AD_DIM0 },
            .attrs = "kernel=1",
            .error = "a single number has no axis to pool over" },
	  { .in = { AD_DIMS(4) },
            .attrs = "kernel=[2,2]",
            .error = "kernel has 2 numbers: give one" } });

/* The mean of each window along the last axis of x; stride AD_ALL: the kernel; padding AD_ALL: 0.
 */
AD_API ad_node *ad_avg_pool1d(ad_node *x, ad_ints kernel, ad_ints stride, ad_ints padding,
                              bool ceil_mode, bool count_include_pad)
{
	struct attrs a = { kernel, stride, padding, ceil_mode, count_include_pad };

	return AD_CALL_WITH(avg_pool1d, &a, x);
}
