/*
 * shapes: pictures of discs, squares and triangles on a noisy ground, for classes or for segments.
 *
 * A picture is height x width as the last two sizes of the input's shape say, one channel. It has 1
 * to `most` shapes, each of a random kind, place, size (a tenth to a fifth of the shorter side) and
 * brightness in [0.5, 1] on a ground of 0; a later one covers an earlier one; normal noise is added
 * everywhere. A target of one value for a picture is the kind of its last shape, 0 disc, 1 square,
 * 2 triangle; a target as large as the picture has 0 where the ground is and 1 + kind elsewhere.
 */
#include "made.h"

struct attrs {
	int64_t n, kinds, most;
	double noise;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, n, AD_INT, "1000", "number of pictures", NULL),
	AD_ATTR(struct attrs, kinds, AD_INT, "3", "how many of disc, square, triangle, from 1 to 3",
	        NULL),
	AD_ATTR(struct attrs, most, AD_INT, "1", "the largest number of shapes in a picture", NULL),
	AD_ATTR(struct attrs, noise, AD_NUM, "0.1", "standard deviation of the noise", NULL),
	{ 0 },
};

enum { MOST_SHAPES = 64 };

struct shape {
	int kind;
	double x, y, size, light;
};

static bool covers(const struct shape *s, double x, double y)
{
	double dx = x - s->x, dy = y - s->y;

	switch (s->kind) {
	case 0:
		return dx * dx + dy * dy <= s->size * s->size;
	case 1:
		return fabs(dx) <= 0.9 * s->size && fabs(dy) <= 0.9 * s->size;
	default: /* a point above, a side below */
		return dy <= 0.9 * s->size && dy >= -1.1 * s->size &&
		       fabs(dx) <= 0.55 * (dy + 1.1 * s->size);
	}
}

/* The shapes of picture k; returns how many. */
static int draw(const struct source *s, size_t k, int64_t height, int64_t width,
                struct shape list[])
{
	const struct attrs *a = s->attrs;
	double side = (double)(height < width ? height : width);
	int count = 1 + (int)data_random(s->seed, STREAM_MADE, 0, k, (uint64_t)a->most);

	for (int i = 0; i < count; i++) {
		uint64_t at = k * MOST_SHAPES + (uint64_t)i;
		struct shape *shape = &list[i];

		shape->kind = (int)data_random(s->seed, STREAM_MADE, 1, at, (uint64_t)a->kinds);
		shape->size = side * made_uniform(s, 2, at, 0.1, 0.2);
		shape->x = made_uniform(s, 3, at, shape->size, (double)width - shape->size);
		shape->y = made_uniform(s, 4, at, shape->size, (double)height - shape->size);
		shape->light = made_uniform(s, 5, at, 0.5, 1);
	}
	return count;
}

static bool fill(const struct source *s, struct column *c, size_t k, int64_t height, int64_t width,
                 char *error, size_t n)
{
	const struct attrs *a = s->attrs;
	struct shape list[MOST_SHAPES];
	int count = draw(s, k, height, width, list);
	const size_t pixels = (size_t)(height * width);

	if (c->target && c->per == 1)
		return made_put(s, c, k, list[count - 1].kind, error, n);
	for (size_t p = 0; p < pixels; p++) {
		double x = (double)(p % (size_t)width) + 0.5, y = (double)(p / (size_t)width) + 0.5,
		       value = 0;
		const struct shape *top = NULL;

		for (int i = 0; i < count; i++)
			if (covers(&list[i], x, y))
				top = &list[i];
		if (c->target)
			value = top ? 1 + top->kind : 0;
		else
			value =
			    (top ? top->light : 0) + a->noise * made_normal(s, 6, k * pixels + p);
		if (!made_put(s, c, k * pixels + p, value, error, n))
			return false;
	}
	return true;
}

/* Height and width are those of the first input that is no target. */
static bool find_size(const struct source *s, const struct dataset *to, int64_t *height,
                      int64_t *width, char *error, size_t n)
{
	for (int i = 0; i < to->n_columns; i++) {
		const ad_shape *shape = &to->columns[i].shape;

		if (to->columns[i].target)
			continue;
		*height = shape->rank >= 2 ? shape->dims[shape->rank - 2] : 0;
		*width = shape->rank >= 2 ? shape->dims[shape->rank - 1] : 0;
		if (*height >= 8 && *width >= 8 && *height <= 4096 && *width <= 4096)
			return true;
		return source_refuse(
		    s, s->at, error, n,
		    "shapes: the last two sizes of '%s' are those of the pictures, each from 8 "
		    "to 4096",
		    to->columns[i].input);
	}
	return source_refuse(s, s->at, error, n, "shapes: there is no input for the pictures");
}

static bool read(const struct source *s, struct dataset *to, char *error, size_t n)
{
	const struct attrs *a = s->attrs;
	int64_t height = 0, width = 0;

	if (a->kinds < 1 || a->kinds > 3 || a->most < 1 || a->most > MOST_SHAPES)
		return source_refuse(
		    s, s->at, error, n,
		    "shapes: 'kinds' is %lld and 'most' is %lld; they go from 1 to 3 and to %d",
		    (long long)a->kinds, (long long)a->most, MOST_SHAPES);
	if (!find_size(s, to, &height, &width, error, n))
		return false;
	/* a target is either one value for a picture or one for each pixel */
	for (int i = 0; i < to->n_columns; i++) {
		struct column *c = &to->columns[i];
		size_t pixels = (size_t)(height * width);

		if (!column_fit(c, s, s->at, c->target && c->per == 1 ? 1 : pixels, error, n))
			return false;
	}
	if (a->n < 1 || a->n > MOST_MADE)
		return source_refuse(s, s->at, error, n, "shapes: n is %lld; it goes from 1 to %d",
		                     (long long)a->n, MOST_MADE);
	if (!dataset_reserve(to, (size_t)a->n, error, n))
		return false;
	to->n = (size_t)a->n;
	for (int i = 0; i < to->n_columns; i++)
		for (size_t k = 0; k < to->n; k++)
			if (!fill(s, &to->columns[i], k, height, width, error, n))
				return false;
	return true;
}

const struct format format_shapes = {
	.name = "shapes",
	.doc = "made up: pictures of discs, squares and triangles, for classes or for segments",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.read = read,
};
