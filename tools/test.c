/*
 * test: loss and metrics of a run's weights over one part of its data.
 */
#include "command.h"

#include <stdlib.h>

struct test_options {
	int part, format;
};

enum { TEST, VALID, TRAIN };
static const char *const part_names[] = { "test", "valid", "train" };

static const struct option options[] = {
	{ "part", 0, OPTION_CHOICE, "test valid train", NULL, false,
	  offsetof(struct test_options, part),
	  "the part of the data that is measured; test if not given" },
	{ "format", 0, OPTION_CHOICE, "text json", NULL, false,
	  offsetof(struct test_options, format),
	  "json: one object with part, samples, loss and the metrics" },
	LIMIT_OPTIONS,
	{ 0 },
};

/* Whether the model that was measured last has a loss. */
static bool has_loss(const ad_model *m)
{
	return m->n_instances > 0 && m->instances[m->n_instances - 1]->loss;
}

static void print_measured(const ad_model *m, const char *part, size_t samples,
                           const double values[], bool json)
{
	if (json) {
		printf("{\"part\":\"%s\",\"samples\":%zu", part, samples);
		if (has_loss(m)) {
			printf(",\"loss\":");
			json_real(stdout, values[0]);
		}
		for (int k = 0; k < m->n_metrics; k++) {
			printf(",");
			json_text(stdout, m->metrics[k]);
			printf(":");
			json_real(stdout, values[1 + k]);
		}
		printf("}\n");
		return;
	}
	printf("%s:", part);
	if (has_loss(m))
		printf(" loss %.6g ", values[0]);
	for (int k = 0; k < m->n_metrics; k++)
		printf(" %s %.6g ", m->metrics[k], values[1 + k]);
	printf(" (%zu samples)\n", samples);
}

static int test(ad_model *m, const struct test_options *o)
{
	double *values = calloc((size_t)m->n_metrics + 1, sizeof *values);
	const char *name = part_names[o->part];
	struct parts parts = { 0 };
	const struct dataset *part;
	char error[1024];
	int status = EXIT_DONE;

	if (!values)
		return failed("test", "out of memory");
	if (!data_read(m, &parts, error, sizeof error)) {
		free(values);
		failed("test", "%s", error);
		return parts.unreadable ? EXIT_FAILED : EXIT_USAGE;
	}
	part = o->part == TEST ? &parts.test : o->part == VALID ? &parts.valid : &parts.train;
	if (part->n == 0) {
		const char *other = parts.test.n ? "test" : parts.valid.n ? "valid" : "train";

		status = failed("test", "the run's data has no part '%s'; choose one by --part %s",
		                name, other);
	} else if (!model_measure(m, part, values, error, sizeof error)) {
		status = failed("test", "%s", error);
	} else {
		print_measured(m, name, part->n, values, o->format == 1);
	}
	data_free(&parts);
	free(values);
	return status;
}

static int run(const void *given, int n, const char *const args[])
{
	int status;
	ad_model *m = open_run("test", args[0], &status);

	if (!m)
		return status;
	status = test(m, given);
	ad_model_close(m);
	return status;
}

const struct command command_test = {
	.name = "test",
	.arguments = "RUN",
	.least = 1,
	.most = 1,
	.doc = "measures loss and metrics of a run on its test data",
	.details =
	    "RUN is the folder that a training left. Its weights, last.safetensors, are evaluated "
	    "over the whole part, in evaluation phase.",
	.options = options,
	.options_size = sizeof(struct test_options),
	.run = run,
};
