/*
 * grid_corners: where in a plane the points of a grid lie: what grid_sample reads.
 *
 *   grid   (N, h, w, 2): x, y from -1 to 1 over a plane of `height` by `width` elements
 *   t   (N, 2, h w): how far along x and y a point is from the corner before it to the next
 *   slope   (N, 2, h w): dt / dgrid
 *   indices   (N, 4, h w): row * width + column of the corners: upper left, upper right, lower
 *             left, lower right; 0 for those outside of the plane
 *   inside   (N, 4, h w): a mask of the corners that are in the plane
 *   dgrid = dt slope; the other outputs do not change with grid, almost everywhere
 *
 * -1 and 1 are the outer edges of the outermost elements, or their centres if align_corners is set.
 * padding_mode zeros leaves points outside where they are, border moves them to the nearest centre,
 * reflection mirrors them at the edges (or centres). mode nearest has one corner, and slope 0.
 */
#include "op.h"

struct attrs {
	int64_t height, width;
	const char *mode, *padding_mode;
	bool align_corners;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, height, AD_INT, NULL, "rows of the plane", NULL),
	AD_ATTR(struct attrs, width, AD_INT, NULL, "columns of the plane", NULL),
	AD_ATTR(struct attrs, mode, AD_WORD, "bilinear", "four corners, or the nearest one",
	        "bilinear nearest"),
	AD_ATTR(struct attrs, padding_mode, AD_WORD, "zeros", "where points outside go",
	        "zeros border reflection"),
	AD_ATTR(struct attrs, align_corners, AD_FLAG, "false", "-1 and 1 are centres of elements",
	        NULL),
	{ 0 },
};

static bool shape(ad_infer *s)
{
	const struct attrs *a = s->attrs;
	const ad_shape *grid = &s->in[0];
	int64_t points;

	if (!a->mode || !a->padding_mode)
		return ad_refuse(s, "mode or padding_mode is missing");
	if (grid->rank != 4 || grid->dims[3] != 2)
		return ad_refuse(s, "grid is (batch, height, width, 2), not %s", ad_show(s, 0));
	if (a->height < 1 || a->width < 1)
		return ad_refuse(s, "height and width must be 1 or more, not %lld and %lld",
		                 (long long)a->height, (long long)a->width);
	if (a->height > INT32_MAX / a->width)
		return ad_refuse(
		    s, "a plane of %lld by %lld has more elements than an index can count",
		    (long long)a->height, (long long)a->width);
	if (__builtin_mul_overflow(grid->dims[1], grid->dims[2], &points))
		return ad_refuse(s, "grid %s is too large", ad_show(s, 0));
	s->n_out = 4;
	s->out[0] = s->out[1] = AD_SHAPE(grid->dims[0], 2, points);
	s->out[2] = s->out[3] = AD_SHAPE(grid->dims[0], 4, points);
	s->out_type[2] = AD_I32;
	s->out_type[3] = AD_BOOL;
	return true;
}

/* A point mirrored at low / 2 and high / 2 until it is between them. */
static double reflected(double at, double low, double high, double *slope)
{
	double least = low / 2, span = (high - low) / 2, rest, times;

	if (low == high) {
		*slope = 0;
		return 0;
	}
	at -= least;
	if (at < 0) {
		at = -at;
		*slope = -*slope;
	}
	rest = fmod(at, span);
	times = floor(at / span);
	if (fmod(times, 2) == 0)
		return rest + least;
	*slope = -*slope;
	return span - rest + least;
}

/* The place of a point along an axis of n elements, and its change with the point. */
static double place_of(const struct attrs *a, double point, int64_t n, double *slope)
{
	double last = (double)(n - 1), at;

	*slope = (a->align_corners ? last : (double)n) / 2;
	at = a->align_corners ? (point + 1) / 2 * last : ((point + 1) * (double)n - 1) / 2;
	if (strcmp(a->padding_mode, "zeros") == 0)
		return at;
	if (strcmp(a->padding_mode, "reflection") == 0)
		at = a->align_corners ? reflected(at, 0, 2 * last, slope)
		                      : reflected(at, -1, 2 * (double)n - 1, slope);
	if (at > 0 && at < last)
		return at;
	*slope = 0;
	return at >= last ? last : 0; /* 0 also for NaN */
}

static void points(const ad_run *r, size_t begin, size_t end)
{
	const struct attrs *a = r->attrs;
	size_t n = (size_t)r->out[0].dims[2];
	const int64_t size[2] = { a->width, a->height };
	bool nearest = strcmp(a->mode, "nearest") == 0;

	for (size_t k = begin; k < end; k++) {
		size_t image = k / n, point = k % n;
		int64_t corner[2];

		for (int i = 0; i < 2; i++) {
			double slope;
			double at = place_of(a, (double)ad_reals_of(&r->in[0])[2 * k + (size_t)i],
			                     size[i], &slope);
			/* Far outside all corners are, and the place need not fit an index. */
			bool near = at > -2 && at < (double)size[i] + 1;
			double before = nearest ? rint(at) : floor(at);

			if (nearest)
				slope = 0;
			corner[i] = near ? (int64_t)before : -2;
			at = nearest || !isfinite(at) ? 0 : at - before;
			ad_reals_of(&r->out[0])[(2 * image + (size_t)i) * n + point] = (ad_real)at;
			ad_reals_of(&r->out[1])[(2 * image + (size_t)i) * n + point] =
			    (ad_real)slope;
		}
		for (int c = 0; c < 4; c++) {
			int64_t x = corner[0] + (c & 1), y = corner[1] + (c >> 1);
			bool inside = x >= 0 && x < a->width && y >= 0 && y < a->height &&
			              !(nearest && c > 0);
			size_t to = (4 * image + (size_t)c) * n + point;

			ad_indices_of(&r->out[2])[to] = inside ? (int32_t)(y * a->width + x) : 0;
			ad_mask_of(&r->out[3])[to] = inside;
		}
	}
}

static void forward(const ad_run *r)
{
	ad_parallel(r, r->in[0].count / 2, 512, points);
}

static void grad(ad_node *y, ad_node *const dy[], ad_node *dx[])
{
	ad_node *grid = ad_input_of(y, 0);

	if (dy[0])
		dx[0] = ad_reshape(ad_permute(ad_mul(dy[0], ad_output(y, 1)), AD_INTS(0, 2, 1)),
		                   ad_shape_of(grid));
	else
		dx[0] = ad_full_like(grid, 0);
}

AD_OP(grid_corners, .arity = 1, .inputs = "grid", .attrs = attrs,
      .attrs_size = sizeof(struct attrs), .shape = shape, .forward = forward, .grad = grad,
      .samples = { { .in = { AD_DIMS(1, 2, 2, 2) },
                     .attrs = "height=3 width=4",
                     .give = { AD_LIST(-0.75, -0.5, 0.25, 0.5, 1.5, -2.25, 0.5, -1.125) },
                     .want = { AD_LIST(0, 0, 0.5, 0.5, 0.25, 0.75, 0.625, 0.3125),
                               AD_LIST(2, 2, 2, 2, 1.5, 1.5, 1.5, 1.5),
                               AD_LIST(0, 6, 0, 0, 1, 7, 0, 0, 4, 10, 0, 2, 5, 11, 0, 3),
                               AD_LIST(1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 1, 1, 1, 0, 1) },
                     .dwant = { AD_LIST(2, 1.5, 2, 1.5, 2, 1.5, 2, 1.5) } },
                   { .in = { AD_DIMS(1, 1, 3, 2) },
                     .attrs = "height=3 width=4 padding_mode=reflection",
                     .give = { AD_LIST(-0.83, 1.41, 0.13, -0.57, 1.31, 0.3) },
                     .smooth = true },
                   { .in = { AD_DIMS(1, 2, 2, 2) },
                     .attrs = "height=0 width=4",
                     .error = "height and width must be 1 or more, not 0 and 4" },
                   { .in = { AD_DIMS(2, 2, 2) },
                     .attrs = "height=3 width=4",
                     .error = "grid is (batch, height, width, 2), not (2, 2, 2)" } });

/* Where the points of a grid (N, h, w, 2) lie between the elements of a plane: output 0 how far
 * from one corner to the next, 1 the change of that with grid, 2 the indices of the corners, 3
 * which are inside. */
AD_API ad_node *ad_grid_corners(ad_node *grid, int64_t height, int64_t width, const char *mode,
                                const char *padding_mode, bool align_corners)
{
	struct attrs a = { height, width, mode, padding_mode, align_corners };

	return AD_CALL_WITH(grid_corners, &a, grid);
}
