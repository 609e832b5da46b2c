/*
 * beans: the sizes x of n beans, uniform in [0, 2] and sorted, and whether each is poisonous: y is 1
 * where 0.8 < 0.7 x + (0.5 - u) / 50 + 0.5 < 1.4 with u uniform in [0, 1), else 0.
 *
 * The target takes y, every other input x.
 */
#include "data.h"
#include "op.h"

#define MOST 10000000

struct attrs {
	int64_t n;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, n, AD_INT, "100", "number of beans", NULL),
	{ 0 }
};

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static bool read(const struct source *s, struct dataset *to, char *error, size_t n)
{
	const struct attrs *a = s->attrs;
	double *sizes;
	size_t count;

	if (a->n < 1 || a->n > MOST)
		return source_refuse(s, s->at, error, n, "beans: n is %lld; it goes from 1 to %d",
		                     (long long)a->n, MOST);
	count = (size_t)a->n;
	for (int i = 0; i < to->n_columns; i++)
		if (!column_fit(&to->columns[i], s, s->at, 1, error, n))
			return false;
	sizes = malloc(count * sizeof *sizes);
	if (!sizes)
		return failure_memory(error, n, "beans", count * sizeof *sizes);
	for (size_t k = 0; k < count; k++)
		sizes[k] = 2 * data_uniform(s->seed, STREAM_MADE, 0, k);
	qsort(sizes, count, sizeof *sizes, by_size);
	if (!dataset_reserve(to, count, error, n)) {
		free(sizes);
		return false;
	}
	for (size_t k = 0; k < count; k++) {
		double u = data_uniform(s->seed, STREAM_MADE, 1, k);
		double toxin = 0.7 * sizes[k] + (0.5 - u) / 50 + 0.5;

		for (int i = 0; i < to->n_columns; i++) {
			struct column *c = &to->columns[i];
			double value = c->target ? toxin > 0.8 && toxin < 1.4 : sizes[k];
			const char *wrong = column_put(c, k, value);

			if (wrong) {
				free(sizes);
				return source_refuse(s, s->at, error, n, "beans: '%s': %g %s", c->input, value,
				                     wrong);
			}
		}
	}
	free(sizes);
	to->n = count;
	return true;
}

const struct format format_beans = {
	.name = "beans",
	.doc = "made up: beans of which those of middling size are poisonous",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.read = read,
};
