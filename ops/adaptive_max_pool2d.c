/*
 * adaptive_max_pool2d: y = the largest of each of output_size windows over the last two axes.
 *
 *   x   (..., height, width), any leading axes
 *   y   (..., output_size), over the windows of adaptive_avg_pool2d
 *   indices   shape of y: row * width + column of the first largest element
 *   dx = dy at the indices, added up; x need not be kept
 *
 * NaN wins, the last one of a window.
 */
#include "op.h"
#include "kernels/averages.h"
#include "kernels/maxima.h"

struct attrs {
	ad_ints output_size;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, output_size, AD_INTLIST, NULL, "the height and width of y", NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	struct window w[2] = { { 0 } };

	return adaptive_shape(s, a->output_size, w) && max_outputs(s, 2, w);
}

static void planes(const ad_run *r, size_t begin, size_t end)
{
	int64_t in[2], out[2];
	ad_real *y;
	int32_t *index;

	planes_of(&r->in[0], 2, in);
	planes_of(&r->out[0], 2, out);
	y = ad_reals_of(&r->out[0]) + begin * (size_t)(out[0] * out[1]);
	index = ad_indices_of(&r->out[1]) + begin * (size_t)(out[0] * out[1]);
	for (size_t n = begin; n < end; n++) {
		const ad_real *x = ad_reals_of(&r->in[0]) + n * (size_t)(in[0] * in[1]);

		for (int64_t k = 0; k < out[0] * out[1]; k++) {
			int64_t top, bottom, left, right, at;

			adaptive_window(in[0], out[0], k / out[1], &top, &bottom);
			adaptive_window(in[1], out[1], k % out[1], &left, &right);
			at = top * in[1] + left;
			for (int64_t i = top; i < bottom; i++)
				for (int64_t p = i * in[1] + left; p < i * in[1] + right; p++)
					if (x[p] > x[at] || x[p] != x[p])
						at = p;
			*y++ = x[at];
			*index++ = (int32_t)at;
		}
	}
}

static void forward(const ad_run *r)
{
	max_parallel(r, 2, planes);
}

static void planes_back(const ad_run *r, size_t begin, size_t end)
{
	max_planes_back(r, 2, begin, end);
}

static void backward(const ad_run *r)
{
	max_parallel(r, 2, planes_back);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	dx[0] = max_grad(y, dy[0], 2);
}

AD_OP(adaptive_max_pool2d, .arity = 1, .attrs = attrs, .attrs_size = sizeof(struct attrs),
      .shape = shape, .forward = forward, .backward = backward, .grad = grad,
      .reads = AD_READS_OUTPUTS, .finishes = 2,
      .samples = {
	  { .in = { AD_DIMS(3, 5) },
            .attrs = "output_size=[2,3]",
            .give = { AD_LIST(-4, 3, -1, 6, 2, -2, 5, 1, -3, 4, 0, -4, 3, -1, 6) },
            .want = { AD_LIST(5, 6, 6, 5, 5, 6), AD_LIST(6, 3, 3, 6, 6, 14) },
            .dwant = { AD_LIST(0, 0, 0, 2, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1) } },
	  { .in = { AD_DIMS(1, 2, 2) },
            .attrs = "output_size=1",
            .give = { AD_LIST(-4, 3, -1, 6) },
            .want = { AD_LIST(6), AD_LIST(3) },
            .dwant = { AD_LIST(0, 0, 0, 1) } },
	  { .in = { AD_DIMS(2, 5, 7) },
            .attrs = "output_size=[3,4]",
            .give = { AD_LIST(-1.25, 20.25, 6.75, 28.25, 14.75, 1.25, 22.75, 9.25, 30.75, 17.25,
                              3.75, 25.25, 11.75, 33.25, 19.75, 6.25, 27.75, 14.25, 0.75, 22.25,
                              8.75, 30.25, 16.75, 3.25, 24.75, 11.25, 32.75, 19.25, 5.75, 27.25,
                              13.75, 0.25, 21.75, 8.25, 29.75, 16.25, 2.75, 24.25, 10.75, 32.25,
                              18.75, 5.25, 26.75, 13.25, -0.25, 21.25, 7.75, 29.25, 15.75, 2.25,
                              23.75, 10.25, 31.75, 18.25, 4.75, 26.25, 12.75, -0.75, 20.75, 7.25,
                              28.75, 15.25, 1.75, 23.25, 9.75, 31.25, 17.75, 4.25, 25.75, 12.25) },
            .smooth = true },
	  { .in = { AD_DIMS(0, 3, 3) }, .attrs = "output_size=2", .lo = -2, .hi = 2 },
	  { .in = { AD_DIMS(5) },
            .attrs = "output_size=2",
            .error = "x must have two axes to pool over, not be (5,)" },
	  { .in = { AD_DIMS(5, 5) },
            .attrs = "output_size=0",
            .error = "output_size must be 1 or more, not 0" } });

/* The largest element of each of output_size windows that cover the last two axes of x; output 1
 * tells where it is. */
AD_API ad_node *ad_adaptive_max_pool2d(ad_node *x, ad_ints output_size)
{
	struct attrs a = { output_size };

	return AD_CALL_WITH(adaptive_max_pool2d, &a, x);
}
