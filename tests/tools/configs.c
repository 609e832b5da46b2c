/*
 * configs: the declarations in configs/ reach the results that they state.
 */
#include <criterion/criterion.h>
#include <cjson/cJSON.h>
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a command prints, without the messages. */
static char *output_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

static char *output_of(const char *format, ...)
{
	const char *bin = getenv("AUTOGRAD_BIN");
	static char text[1 << 22];
	char command[1024];
	size_t n, used = 0;
	va_list args;
	FILE *pipe;

	used = (size_t)snprintf(command, sizeof command, "%s ", bin ? bin : "build/autograd");
	va_start(args, format);
	vsnprintf(command + used, sizeof command - used, format, args);
	va_end(args);
	pipe = popen(command, "r");
	cr_assert_not_null(pipe);
	n = fread(text, 1, sizeof text - 1, pipe);
	text[n] = '\0';
	cr_assert_eq(pclose(pipe), 0, "%s fails", command);
	return text;
}

static cJSON *read_json(const char *path)
{
	static char text[1 << 16];
	FILE *f = fopen(path, "r");
	size_t n;

	cr_assert_not_null(f, "there is no %s", path);
	n = fread(text, 1, sizeof text - 1, f);
	text[n] = '\0';
	fclose(f);
	return cJSON_Parse(text);
}

/* Circuits: value of the last wire and gradients, from COMMANDS and the CS231n notes. */
static const struct {
	const char *file, *section, *name;
	double want;
} circuits[] = {
	{ "gates", "values", "f", -12 },
	{ "gates", "gradients", "x", -4 },
	{ "gates", "gradients", "y", -4 },
	{ "gates", "gradients", "z", 3 },
	{ "max_gate", "gradients", "x", -8 },
	{ "max_gate", "gradients", "y", 6 },
	{ "max_gate", "gradients", "z", 2 },
	{ "max_gate", "gradients", "w", 0 },
	{ "sigmoid_circuit", "gradients", "w0", -0.19661193324148185 },
	{ "sigmoid_circuit", "gradients", "x0", 0.3932238664829637 },
	{ "sigmoid_circuit", "gradients", "w1", -0.3932238664829637 },
	{ "sigmoid_circuit", "gradients", "x1", -0.5898357997244456 },
	{ "sigmoid_circuit", "gradients", "w2", 0.19661193324148185 },
};

Test(configs, circuits)
{
	for (size_t k = 0; k < sizeof circuits / sizeof *circuits; k++) {
		char *text = output_of("eval configs/%s.yaml --format json", circuits[k].file);
		cJSON *json = cJSON_Parse(text);
		const cJSON *got = cJSON_GetObjectItem(
		        cJSON_GetObjectItem(json, circuits[k].section), circuits[k].name);

		cr_assert(cJSON_IsNumber(got), "%s has no %s of %s: %s", circuits[k].file,
		          circuits[k].section, circuits[k].name, text);
		cr_assert_float_eq(got->valuedouble, circuits[k].want, 1e-12, "%s %s", circuits[k].file,
		                   circuits[k].name);
		cJSON_Delete(json);
	}
}

/* Noise in a model is another in each batch, and the same whenever the same is asked. */
Test(configs, noise)
{
	char folder[] = "/tmp/autograd-configs-XXXXXX", run[256], path[300], remove[300], want[64];
	char *text, *line;
	const cJSON *loss;
	cJSON *json;
	size_t n = 0, equal = 0;

	cr_assert_not_null(mkdtemp(folder));
	snprintf(run, sizeof run, "%s/run", folder);
	output_of("train configs/vae.yaml --quiet --set train.epochs=1 --run %s 2>&1", run);
	snprintf(path, sizeof path, "%s/result.json", run);
	json = read_json(path);
	loss = cJSON_GetObjectItem(cJSON_GetObjectItem(json, "test"), "loss");
	cr_assert(cJSON_IsNumber(loss));
	snprintf(want, sizeof want, "test: loss %.6g ", loss->valuedouble);
	text = output_of("test %s", run);
	cr_expect(strstr(text, want), "%s: not %s", text, want);
	cJSON_Delete(json);
	snprintf(path, sizeof path, "%s/x.csv", folder);
	cr_assert_eq(system(strcat(strcpy(remove, "gzip -dc configs/data/digits.csv.gz | head -600 | cut -d, -f1-64 >"), path)), 0);
	text = strdup(output_of("predict %s --input %s", run, path));
	cr_assert(text);
	/* the invented digit of the first sample is that of no other */
	line = strchr(text, '\n') + 1;
	for (char *at = line; *at; at += strcspn(at, "\n") + 1, n++)
		equal += strncmp(at, line, strcspn(line, "\n") + 1) == 0;
	cr_expect(n == 600 && equal == 1, "%zu of %zu", equal, n);
	cr_expect_str_eq(output_of("predict %s --input %s", run, path), text);
	free(text);
	snprintf(remove, sizeof remove, "rm -rf %s", folder);
	cr_assert_eq(system(remove), 0);
}

/* Trainings: a number of result.json and the limits that any processor must keep. */
static const struct {
	const char *file, *part, *name;
	double least, most;
} trainings[] = {
	{ "descent", "train", "loss", 3.1783, 3.1785 },
	{ "perceptron_nand", "train", "acc", 1, 1 },
	{ "beans", "train", "accuracy", 0.97, 1 },
	{ "iris_softmax", "test", "accuracy", 0.9, 1 },
	{ "iris_hinge", "test", "accuracy", 0.9, 1 },
	{ "digits", "test", "accuracy", 0.965, 1 },
	{ "digits_overfit", "train", "accuracy", 1, 1 },
	{ "digits_overfit", "valid", "accuracy", 0.9, 0.95 },
	{ "vanishing", "test", "accuracy", 0, 0.3 },
	{ "residual", "test", "accuracy", 0.9, 1 },
	{ "autoencoder", "test", "explained", 0.73, 1 },
	{ "vae", "test", "explained", 0.38, 0.5 },
	{ "wide_and_deep", "test", "accuracy", 0.96, 1 },
	{ "resnet", "test", "accuracy", 0.96, 1 },
	{ "inception", "test", "accuracy", 0.96, 1 },
	{ "neural_ode", "test", "accuracy", 0.98, 1 },
};

Test(configs, trainings, .timeout = 600)
{
	char folder[] = "/tmp/autograd-configs-XXXXXX", run[256], path[300], remove[300];
	const char *trained = "";

	cr_assert_not_null(mkdtemp(folder));
	for (size_t k = 0; k < sizeof trainings / sizeof *trainings; k++) {
		const char *file = trainings[k].file;
		const cJSON *got;
		cJSON *json;

		snprintf(run, sizeof run, "%s/%s", folder, file);
		if (strcmp(trained, file) != 0)
			output_of("train configs/%s.yaml --quiet --run %s 2>&1", file, run);
		trained = file;
		snprintf(path, sizeof path, "%s/result.json", run);
		json = read_json(path);
		got = cJSON_GetObjectItem(cJSON_GetObjectItem(json, trainings[k].part),
		                          trainings[k].name);
		cr_assert(cJSON_IsNumber(got), "%s has no %s %s", file, trainings[k].part,
		          trainings[k].name);
		cr_expect(got->valuedouble >= trainings[k].least && got->valuedouble <= trainings[k].most,
		          "%s: %s %s is %g", file, trainings[k].part, trainings[k].name,
		          got->valuedouble);
		cJSON_Delete(json);
	}
	snprintf(remove, sizeof remove, "rm -rf %s", folder);
	cr_assert_eq(system(remove), 0);
}

Test(configs, every_file_is_checked_and_drawn)
{
	DIR *folder = opendir("configs");
	int n = 0;

	cr_assert_not_null(folder);
	for (struct dirent *e; (e = readdir(folder));) {
		if (!strstr(e->d_name, ".yaml"))
			continue;
		output_of("check configs/%s 2>&1", e->d_name);
		/* the data of some is a package of its own */
		if (strcmp(e->d_name, "two_layer_net.yaml") != 0 && strcmp(e->d_name, "lenet.yaml") != 0 &&
		    strcmp(e->d_name, "char_lstm.yaml") != 0 && strcmp(e->d_name, "gpt.yaml") != 0)
			cr_assert(strstr(output_of("draw configs/%s --grad -o - 2>&1", e->d_name),
			                 "digraph"),
			          "%s", e->d_name);
		n++;
	}
	closedir(folder);
	cr_assert_geq(n, 22);
}
