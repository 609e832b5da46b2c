/*
 * predict: what a run's model makes of the samples of a file, one line of CSV for each.
 */
#include "command.h"

#include <stdlib.h>
#include <string.h>

#define BATCH 256 /* samples at a time */

struct predict_options {
	const char *input;
	bool argmax;
};

static const struct option options[] = {
	{ "input", 'i', OPTION_TEXT, "FILE", NULL, true, offsetof(struct predict_options, input),
	  "the samples, in the form of the training data: same columns and header; the columns of "
	  "targets are not read and may be missing behind the others" },
	{ "argmax", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct predict_options, argmax),
	  "prints the number of the largest output of each sample: the class" },
	LIMIT_OPTIONS,
	{ 0 },
};

/* A cell of CSV: in quotes where it has to be. */
static void print_cell(const char *text)
{
	if (!text[strcspn(text, ",\"\r\n")]) {
		printf("%s", text);
		return;
	}
	putchar('"');
	for (; *text; text++)
		printf(*text == '"' ? "\"\"" : "%c", *text);
	putchar('"');
}

static void print_header(const char *name, size_t per)
{
	char numbered[256];

	if (per == 1) {
		print_cell(name);
	} else {
		for (size_t k = 0; k < per; k++) {
			snprintf(numbered, sizeof numbered, "%.200s_%zu", name, k);
			printf(k ? "," : "");
			print_cell(numbered);
		}
	}
	printf("\n");
}

static size_t largest(const double *values, size_t n)
{
	size_t best = 0;

	for (size_t k = 1; k < n; k++)
		if (values[k] > values[best])
			best = k;
	return best;
}

static void print_rows(const double *values, size_t count, size_t per, ad_type type, bool f32)
{
	char text[32];

	for (size_t r = 0; r < count; r++) {
		for (size_t k = 0; k < per; k++) {
			printf(k ? "," : "");
			printf("%s", print_real(text, values[r * per + k], f32 && type == AD_REAL));
		}
		printf("\n");
	}
}

static bool no_memory(char *error, size_t n)
{
	snprintf(error, n, "out of memory");
	return false;
}

/* Computes and prints samples first..first+count-1. */
static bool predict_batch(ad_model *m, const struct dataset *d, size_t first, size_t count,
                          const struct predict_options *o, char *error, size_t n)
{
	int64_t *dims = calloc((size_t)m->n_dims + 1, sizeof *dims);
	size_t rows[BATCH], per, total;
	struct instance *in = NULL;
	double *values = NULL;
	bool done = false;

	for (size_t k = 0; k < count; k++)
		rows[k] = first + k;
	if (!dims)
		return no_memory(error, n);
	if (!data_dims(m, d, count, dims, error, n)) {
		free(dims);
		return false;
	}
	in = model_instance(m, dims, false);
	free(dims);
	if (!in || !data_feed(m, in, d, rows, count) || ad_forward(in->output) != AD_OK) {
		snprintf(error, n, "%s", ad_errmsg(m->graph));
		return false;
	}
	total = ad_count(in->output);
	per = total / count;
	if (total % count != 0 ||
	    (m->batch_dim >= 0 && ad_shape_of(in->output).dims[0] != (int64_t)count)) {
		snprintf(
		    error, n,
		    "the output is not one row a sample, so there is nothing to print for each");
		return false;
	}
	values = calloc(total + 1, sizeof *values);
	if (!values)
		return no_memory(error, n);
	if (ad_get(in->output, values, total) != AD_OK) {
		snprintf(error, n, "%s", ad_errmsg(m->graph));
	} else {
		const char *name = ad_name_of(in->output);

		name = name ? name : "output";
		if (first == 0)
			print_header(o->argmax ? "class" : name, o->argmax ? 1 : per);
		if (o->argmax)
			for (size_t r = 0; r < count; r++)
				printf("%zu\n", largest(values + r * per, per));
		else
			print_rows(values, count, per, ad_type_of(in->output), !m->f64);
		done = true;
	}
	free(values);
	return done;
}

static int predict(ad_model *m, const struct predict_options *o)
{
	size_t batch = m->batch_dim < 0 ? 1 : BATCH;
	struct dataset d;
	char error[1024];
	int status = EXIT_DONE;

	if (!data_read_input(m, o->input, &d, error, sizeof error)) {
		failed("predict", "%s", error);
		return d.unreadable ? EXIT_FAILED : EXIT_USAGE;
	}
	for (size_t first = 0; first < d.n && status == EXIT_DONE; first += batch) {
		size_t count = d.n - first < batch ? d.n - first : batch;

		ad_step(m->graph, first / batch); /* noise of its own for each batch */
		if (!predict_batch(m, &d, first, count, o, error, sizeof error))
			status = failed("predict", "%s", error);
	}
	data_free_set(&d);
	return status;
}

static int run(const void *given, int n, const char *const args[])
{
	int status;
	ad_model *m = open_run("predict", args[0], &status);

	if (!m)
		return status;
	status = predict(m, given);
	ad_model_close(m);
	return status;
}

const struct command command_predict = {
	.name = "predict",
	.arguments = "RUN",
	.least = 1,
	.most = 1,
	.doc = "computes the output of a run's model for the samples of a file",
	.details =
	    "Prints CSV: a header, then one line for each sample, with as many digits as tell "
	    "neighbouring numbers apart. The samples are scaled and standardised as the training "
	    "data was.",
	.options = options,
	.options_size = sizeof(struct predict_options),
	.run = run,
};
