/*
 * fit: the training samples of a model of one number, and the curve that it makes of them.
 */
#include "command.h"
#include "plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CURVE 400 /* points of the curve */

/* The model's only real input that is, or is not, a target; -1: there is none, or several. */
static int only_input(const ad_model *m, bool target)
{
	int found = -1;

	for (int k = 0; k < m->n_inputs; k++) {
		const struct input *in = &m->inputs[k];

		if (in->scalar_leaf || in->target != target)
			continue;
		if (found >= 0 || in->type != AD_REAL || in->rank == 0 ||
		    in->dims[0] != -1 - m->batch_dim)
			return -1;
		for (int d = 1; d < in->rank; d++)
			if (in->dims[d] != 1)
				return -1;
		found = k;
	}
	return found;
}

bool has_fit(const ad_model *m)
{
	return m->batch_dim >= 0 && m->n_dims == 1 && m->data.has_train &&
	       only_input(m, false) >= 0 && only_input(m, true) >= 0;
}

/* The numbers of an input, one a sample; from malloc, NULL without memory. */
static double *numbers_of(const struct dataset *d, const char *input)
{
	double *numbers = malloc((d->n + 1) * sizeof *numbers);

	for (int i = 0; numbers && i < d->n_columns; i++)
		for (size_t k = 0; k < d->n && strcmp(d->columns[i].input, input) == 0; k++)
			numbers[k] = column_value(&d->columns[i], k);
	return numbers;
}

/* Even steps over the range of the samples. */
static void spread(const double *x, size_t n, double *curve)
{
	double least = x[0], most = x[0];

	for (size_t k = 1; k < n; k++) {
		least = fmin(least, x[k]);
		most = fmax(most, x[k]);
	}
	for (size_t k = 0; k < CURVE; k++)
		curve[k] = least + (most - least) * (double)k / (CURVE - 1);
}

/* The model's output for CURVE numbers. */
static bool compute(ad_model *m, const struct dataset *like, int input, double *x, double *y,
                    char *error, size_t n)
{
	struct dataset d = { .n = CURVE, .n_columns = 1, .columns = &(struct column){ 0 } };
	struct instance *in;
	int64_t dims = 0;
	size_t rows[CURVE];

	for (int k = 0; k < like->n_columns; k++)
		if (strcmp(like->columns[k].input, m->inputs[input].name) == 0)
			d.columns[0] = like->columns[k];
	d.columns[0].data = x;
	d.columns[0].form = COLUMN_DOUBLES;
	d.columns[0].values = NULL;
	for (size_t k = 0; k < CURVE; k++)
		rows[k] = k;
	if (!data_dims(m, &d, CURVE, &dims, error, n))
		return false;
	in = model_instance(m, &dims, false);
	if (in && in->output && ad_count(in->output) != CURVE) {
		snprintf(error, n, "the output is not one number a sample");
		return false;
	}
	if (!in || !in->output || !data_feed(m, in, &d, rows, CURVE) ||
	    ad_forward(in->output) != AD_OK || ad_get(in->output, y, CURVE) != AD_OK) {
		snprintf(error, n, "%s", ad_errmsg(m->graph));
		return false;
	}
	return true;
}

bool draw_fit(ad_model *m, const char *path, char *error, size_t n)
{
	int input = only_input(m, false), target = only_input(m, true);
	double x[CURVE], y[CURVE], *point_x, *point_y;
	struct parts parts;
	bool done = false;

	if (input < 0 || target < 0) {
		snprintf(error, n, "the model is not a function of one number");
		return false;
	}
	if (!data_read(m, &parts, error, n))
		return false;
	point_x = numbers_of(&parts.train, m->inputs[input].name);
	point_y = numbers_of(&parts.train, m->inputs[target].name);
	if (!point_x || !point_y) {
		snprintf(error, n, "out of memory");
	} else {
		spread(point_x, parts.train.n, x);
		done = compute(m, &parts.train, input, x, y, error, n);
	}
	if (done) {
		struct fit fit = {
			.title = m->name,
			.x_label = m->inputs[input].name,
			.y_label = m->inputs[target].name,
			.n_points = parts.train.n,
			.n_curve = CURVE,
			.point_x = point_x,
			.point_y = point_y,
			.curve_x = x,
			.curve_y = y,
		};

		done = plot_fit(&fit, path, error, n);
	}
	free(point_x);
	free(point_y);
	data_free(&parts);
	return done;
}
