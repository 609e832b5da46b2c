/*
 * conv_weight: w = the gradient of a convolution by its weights.
 *
 *   x   (N, channels, one to three axes)
 *   y   (N, outputs, as many axes): what conv gives for x and w, or the gradient of that
 *   w   (outputs, channels / groups, kernel)
 *   w[o, c, k] = the sum over n and i of y[n, o, i] x[n, c, i stride - padding + k dilation]
 *   dx = conv_transpose(y, dw), dy = conv(x, dw); x and y are kept
 *
 * y may be smaller than what conv gives, as after a transposed convolution with output_padding.
 * Summed over fixed slices, whatever the number of threads.
 */
#include "op.h"
#include "kernels/convolution.h"

static const ad_attr attrs[] = {
	AD_ATTR(struct conv_attrs, kernel, AD_INTLIST, NULL, "the sizes of the kernel", NULL),
	CONV_ATTRS,
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct conv_attrs *a = s->attrs;
	const ad_shape *x = &s->in[0], *y = &s->in[1];
	ad_shape w = { .rank = x->rank };
	int d = x->rank - 2;
	size_t count;

	if (d < 1 || d > 3 || y->rank != x->rank)
		return ad_refuse(s,
		                 "x and y are (batch, channels, one to three axes), not %s and %s",
		                 ad_show(s, 0), ad_show(s, 1));
	if (a->kernel.n <= 0)
		return ad_refuse(s, "kernel is missing: give its sizes");
	if (!window_list(s, "kernel", a->kernel, d, 1) || !conv_lists(s, d))
		return false;
	if (x->dims[0] != y->dims[0])
		return ad_refuse(s, "x %s and y %s must have the same batch", ad_show(s, 0),
		                 ad_show(s, 1));
	for (int i = 0; i < 2; i++)
		if (s->in[i].dims[1] % a->groups)
			return ad_refuse(
			    s, "the %lld channels of %s %s are no multiple of groups %lld",
			    (long long)s->in[i].dims[1], i ? "y" : "x", ad_show(s, i),
			    (long long)a->groups);
	w.dims[0] = y->dims[1];
	w.dims[1] = x->dims[1] / a->groups;
	for (int i = 0; i < d; i++) {
		struct window v = conv_window(a, i, x->dims[2 + i], window_entry(a->kernel, i, 1));
		int64_t most = window_count(&v, false), size = y->dims[2 + i];
		int64_t left = v.in - ((size - 1) * v.stride - 2 * v.padding + window_extent(&v));

		/* A smaller y must still be one that conv_transpose makes x from. */
		if (size < 1 || size > most || (left >= v.stride && left >= v.dilation))
			return ad_refuse(s,
			                 "y has %lld places on axis %d; a kernel of %lld over x %s "
			                 "has %lld",
			                 (long long)size, 2 + i, (long long)v.kernel, ad_show(s, 0),
			                 (long long)most);
		w.dims[2 + i] = v.kernel;
	}
	if (!ad_count_of(&w, &count))
		return ad_refuse(s, "a result of shape %s is too large", ad_show_shape(s, w));
	s->out[0] = w;
	conv_work(s, x, &w, y);
	return true;
}

static struct conv here(const ad_run *r)
{
	return conv_of(r->in[0].rank, r->in[0].dims, r->out[0].dims, r->in[1].dims, r->attrs);
}

static void sums(const ad_run *r, size_t begin, size_t end)
{
	struct conv p = here(r);
	struct weigh v = AD_VARIANT(weigh_of)(&p);

	AD_VARIANT(weigh_slices)
	(&v, ad_reals_of(&r->in[0]), ad_reals_of(&r->in[1]), false, (ad_real *)r->work, begin, end);
}

static void weights(const ad_run *r, size_t begin, size_t end)
{
	struct conv p = here(r);
	struct weigh v = AD_VARIANT(weigh_of)(&p);

	AD_VARIANT(weigh_sum)
	(&v, (ad_real *)r->work, ad_reals_of(&r->out[0]), ad_adds(r, 0), NULL, false, begin,
	 end);
}

static void forward(const ad_run *r)
{
	struct conv p = here(r);

	if (r->out[0].count > 0)
		conv_weigh(r, &p, r->out[0].count, sums, weights);
}

static void grad(ad_node *w, ad_node *const dw[], ad_node *dx[])
{
	const struct conv_attrs *a = ad_attrs_of(w);
	ad_node *x = ad_input_of(w, 0), *y = ad_input_of(w, 1);
	int d = ad_shape_of(x).rank - 2;

	if (ad_wants(w, 0))
		dx[0] = conv_transpose_node(d, y, dw[0], a, x);
	if (ad_wants(w, 1))
		dx[1] = conv_node_like(d, x, dw[0], a, y);
}

AD_OP(conv_weight, .arity = 2, .inputs = "x y", .attrs = attrs,
      .attrs_size = sizeof(struct conv_attrs), .shape = shape, .forward = forward, .grad = grad, .adds = true,
      .samples = {
	  { .in = { AD_DIMS(1, 2, 4), AD_DIMS(1, 2, 3) },
            .attrs = "kernel=2",
            .give = { AD_LIST(-2, 0, 2, -1, 1, -2, 0, 2), AD_LIST(-3, 0, 3, -1, 2, -2) },
            .want = { AD_LIST(12, -3, -3, 12, -2, 6, -5, -2) },
            .dwant = { AD_LIST(-4, -2, 3, 1, -4, -2, 3, 1), AD_LIST(-3, 0, 3, -3, 0, 3) } },
	  { .in = { AD_DIMS(2, 2, 3, 3), AD_DIMS(2, 2, 2, 2) },
            .attrs = "kernel=[2,1] stride=[1,2] groups=2",
            .give = { AD_LIST(-2, 0, 2, -1, 1, -2, 0, 2, -1, 1, -2, 0, 2, -1, 1, -2, 0, 2, -1, 1,
                              -2, 0, 2, -1, 1, -2, 0, 2, -1, 1, -2, 0, 2, -1, 1, -2),
                      AD_LIST(-3, 0, 3, -1, 2, -2, 1, -3, 0, 3, -1, 2, -2, 1, -3, 0) },
            .want = { AD_LIST(-3, 0, 4, 3) },
            .dwant = { AD_LIST(-3, 0, 0, 0, 0, -1, 3, 0, -1, 2, 0, -2, 3, 0, -5, 1, 0, -3, 0, 0, 3,
                               -1, 0, 5, -1, 0, 2, -2, 0, 1, -5, 0, 1, -3, 0, 0),
                       AD_LIST(-3, 0, -1, -3, 3, 1, 0, 3, -1, -3, 1, -1, 0, 3, -3, 0) } },
	  { .in = { AD_DIMS(2, 3, 5, 6), AD_DIMS(2, 4, 3, 3) },
            .attrs = "kernel=[3,2] stride=2 padding=[1,0]",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(1, 2, 3, 3, 3), AD_DIMS(1, 2, 2, 2, 3) },
            .attrs = "kernel=[2,2,1]",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(1, 2, 8), AD_DIMS(1, 3, 4) },
            .attrs = "kernel=2 dilation=3 stride=1",
            .lo = -2,
            .hi = 2 },
	  { .in = { AD_DIMS(0, 2, 4), AD_DIMS(0, 3, 3) }, .attrs = "kernel=2", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(1, 2, 4), AD_DIMS(1, 2, 4) },
            .attrs = "kernel=2",
            .error = "y has 4 places on axis 2; a kernel of 2 over x (1, 2, 4) has 3" },
	  { .in = { AD_DIMS(1, 2, 4), AD_DIMS(2, 2, 3) },
            .attrs = "kernel=2",
            .error = "x (1, 2, 4) and y (2, 2, 3) must have the same batch" },
	  { .in = { AD_DIMS(1, 2, 4), AD_DIMS(1, 2, 3) },
            .attrs = "kernel=0",
            .error = "kernel must be 1 or more, not 0" } });

/* The gradient by w of the sum of y times the convolution of x with w, for a kernel of these sizes.
 */
AD_API ad_node *ad_conv_weight(ad_node *x, ad_node *y, ad_ints kernel, ad_ints stride,
                               ad_ints padding, ad_ints dilation, int64_t groups)
{
	struct conv_attrs a = { stride, padding, dilation, groups, AD_ALL, kernel };

	return AD_CALL_WITH(conv_weight, &a, x, y);
}
