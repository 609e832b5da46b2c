/*
 * profile: what the command tells of time and memory: train and eval --profile, show.
 *
 * The command is $AUTOGRAD_BIN, else build/autograd; the tests run in the project's top folder.
 */
#include <criterion/criterion.h>

#include <cjson/cJSON.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static char folder[] = "/tmp/autograd-profile-XXXXXX";

static void make_folder(void)
{
	cr_assert(mkdtemp(folder));
}

static void remove_folder(void)
{
	char line[128];

	snprintf(line, sizeof line, "rm -r %s", folder);
	cr_assert_eq(system(line), 0);
}

/* Standard output of `autograd ...`, for the caller to free. */
static char *run(int *status, const char *format, ...) __attribute__((format(printf, 2, 3)));

static char *run(int *status, const char *format, ...)
{
	const char *command = getenv("AUTOGRAD_BIN");
	char line[1024], *text = calloc(1, 1 << 20);
	int n = snprintf(line, sizeof line, "%s ", command ? command : "build/autograd");
	va_list args;
	FILE *out;

	va_start(args, format);
	vsnprintf(line + n, sizeof line - (size_t)n, format, args);
	va_end(args);
	out = popen(line, "r");
	cr_assert(text && out);
	fread(text, 1, (1 << 20) - 1, out);
	*status = pclose(out);
	cr_assert(WIFEXITED(*status), "%s", line);
	*status = WEXITSTATUS(*status);
	return text;
}

static cJSON *run_json(const char *line)
{
	int status;
	char *text = run(&status, "%s", line);
	cJSON *json = cJSON_Parse(text);

	cr_assert(status == 0 && json, "%s: status %d\n%s", line, status, text);
	free(text);
	return json;
}

static const cJSON *member(const cJSON *of, const char *key)
{
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(of, key);

	cr_assert_not_null(value, "there is no '%s'", key);
	return value;
}

static double number(const cJSON *of, const char *key)
{
	const cJSON *value = member(of, key);

	cr_assert(cJSON_IsNumber(value), "%s is no number", key);
	return value->valuedouble;
}

/* ---- time ----------------------------------------------------------------------------------- */

/* The share that stands in a line before '%'. */
static double share_in(const char *line)
{
	const char *end = strstr(line, " %"), *begin = end;

	cr_assert_not_null(end, "no share in '%s'", line);
	while (begin > line && begin[-1] != ' ')
		begin--;
	return strtod(begin, NULL);
}

/* Goes through the lines of one table: they are by share, no wider than 100 columns; returns the sum of the
 * shares and how many lines there are. *line: that of the heading, then the one behind the table. */
static double check_table(char **line, bool sorted, int *n)
{
	double sum = 0, before = 101;

	for (*n = 0; (*line = strtok(NULL, "\n")) && strchr(*line, '%'); ++*n) {
		double share = share_in(*line);

		if (strncmp(*line, "all  ", 5) == 0)
			continue;
		cr_expect_leq(strlen(*line), 100, "%s", *line);
		cr_expect(!sorted || share <= before, "%s", *line);
		before = share;
		sum += share;
	}
	return sum;
}

Test(profile, of_a_training, .init = make_folder, .fini = remove_folder)
{
	int status, n;
	char *text = run(&status, "train configs/digits.yaml -q --profile --set train.epochs=1 --run %s/run 2>&1",
	                 folder);
	char *copy = strdup(text), *line = strtok(copy, "\n");
	double sum, again;

	cr_assert_eq(status, 0, "%s", text);
	cr_assert(line && strncmp(line, "op   ", 5) == 0, "%s", text);
	sum = check_table(&line, true, &n);
	cr_expect(n > 4 && sum > 50 && sum < 101, "%s", text);
	cr_assert(line && strncmp(line, "layer   ", 8) == 0, "%s", text);
	/* both tables have all ops: the same shares of the time in evaluations */
	again = check_table(&line, true, &n);
	cr_expect_float_eq(again, sum, 2, "%s", text);
	cr_expect_geq(n, 3, "%s", text);
	cr_assert(line && strncmp(line, "where   ", 8) == 0, "%s", text);
	sum = check_table(&line, false, &n);
	cr_expect_float_eq(sum, 100, 1, "%s", text);
	cr_expect_eq(n, 8, "%s", text);
	for (const char *const *part = (const char *const[]){ "\nops ", "\nengine ", "\noptimizer ", "\ndata",
	                                                      "\nrecording ", "\nrun folder ", "\nlogits  ", NULL };
	     *part; part++)
		cr_expect(strstr(text, *part), "no '%s' in\n%s", *part, text);
	cr_expect(strstr(text, "train: loss"), "%s", text);
	free(copy);
	free(text);
	text = run(&status, "train configs/digits.yaml -q --set train.epochs=1 --run %s/other 2>&1", folder);
	cr_expect(status == 0 && !strstr(text, "engine"), "%s", text);
	free(text);
}

/* A dry run's one step, and refusals, which have nothing to tell. */
Test(profile, of_little)
{
	int status;
	char *text = run(&status, "train configs/digits.yaml -q --profile --dry-run");

	cr_expect(status == 0 && strstr(text, "\nengine "), "%s", text);
	free(text);
	text = run(&status, "train configs/gates.yaml -q --profile 2>&1");
	cr_expect(status == 2 && !strstr(text, "engine"), "%s", text);
	free(text);
	text = run(&status, "eval configs/gates.yaml --profile");
	cr_expect(status == 0 && strstr(text, "f = -12\n") && strstr(text, "\nengine "), "%s", text);
	free(text);
}

Test(profile, as_json)
{
	cJSON *with = run_json("eval configs/digits.yaml --format json --profile"),
	      *without = run_json("eval configs/digits.yaml --format json");
	const cJSON *profile = member(with, "profile"), *row;
	double seconds = 0;
	int logits = 0;

	cr_expect(cJSON_Compare(member(with, "values"), member(without, "values"), true));
	cr_expect(cJSON_Compare(member(with, "gradients"), member(without, "gradients"), true));
	cr_expect_null(cJSON_GetObjectItemCaseSensitive(without, "profile"));
	cJSON_ArrayForEach(row, member(profile, "rows"))
	{
		const char *op = cJSON_GetStringValue(member(row, "op")),
		           *layer = cJSON_GetStringValue(member(row, "layer")),
		           *pass = cJSON_GetStringValue(member(row, "pass"));

		cr_assert(op && layer && pass);
		seconds += number(row, "seconds");
		cr_expect_geq(number(row, "calls"), 1);
		if (strcmp(layer, "logits") != 0 || strncmp(op, "linear", 6) != 0)
			continue;
		/* [32, 256] by [10, 256]: what it reads and writes, or gradients of it */
		logits |= strcmp(pass, "forward") == 0 ? 1 : 2;
		cr_expect_eq(number(row, "calls"), 1);
		cr_expect_geq(number(row, "bytes"), 4 * (32 * 256 + 10 * 256 + 32 * 10));
	}
	cr_expect_eq(logits, 3, "forward and backward");
	cr_expect(seconds > 0);
	cr_expect_float_eq(seconds, number(profile, "ops"), 1e-9);
	cr_expect_geq(number(profile, "engine"), 0);
	cr_expect_leq(number(profile, "ops") + number(profile, "engine") + number(profile, "data and recording") +
	                  number(profile, "first evaluation with its plan"),
	              number(profile, "all"));
	cJSON_Delete(with);
	cJSON_Delete(without);
}

/* ---- memory --------------------------------------------------------------------------------- */

static const char net[] = "version: 1\n"
                          "inputs: {x: [B, 3], y: {shape: [B, 2], role: target}}\n"
                          "model: [{linear: 500}, tanh, {linear: 2, as: out}]\n"
                          "loss: mse_loss(out, y)\n"
                          "data: {train: {format: csv, file: m.csv, x: 0..2, y: 3..4}, batch: 4}\n"
                          "train: {epochs: 1, optimizer: {adam: {lr: 0.1}}}\n";

static void write_net(bool data)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof path, "%s/m.yaml", folder);
	file = fopen(path, "w");
	cr_assert(file && fputs(net, file) >= 0 && fclose(file) == 0);
	snprintf(path, sizeof path, "%s/m.csv", folder);
	file = data ? fopen(path, "w") : NULL;
	for (int k = 0; data && k < 6; k++)
		cr_assert(file && fprintf(file, "%d,%d,1,0,%d\n", k, k % 2, k % 3) > 0);
	cr_assert(!data || fclose(file) == 0);
}

static double total_of(const cJSON *part)
{
	const cJSON *value;
	double sum = 0;

	cJSON_ArrayForEach(value, part)
		if (strcmp(value->string, "total") != 0)
			sum += value->valuedouble;
	return sum;
}

/* The numbers that are known without any plan; and the total is the limit with which a training just runs. */
Test(memory, of_a_training_step, .init = make_folder, .fini = remove_folder)
{
	const double params = 4 * (500 * 3 + 500 + 2 * 500 + 2);
	const cJSON *training, *evaluation;
	char line[256], needed[64], *text;
	cJSON *json;
	double total;
	int status;

	write_net(true);
	snprintf(line, sizeof line, "show %s/m.yaml --format json", folder);
	json = run_json(line);
	training = member(member(json, "memory"), "training");
	evaluation = member(member(json, "memory"), "evaluation");
	cr_expect_eq(number(member(member(json, "memory"), "sizes"), "B"), 4);
	cr_expect_eq(number(training, "params"), params);
	cr_expect_eq(number(training, "copy"), params);
	cr_expect_eq(number(training, "optimizer"), 2 * params);
	cr_expect(number(training, "gradients") >= params && number(training, "gradients") < params + 1024);
	/* tanh keeps its result, and the gradient of it is there as well */
	cr_expect_geq(number(training, "activations"), 4 * 4 * 500);
	/* x and y; single numbers may be beside them */
	cr_expect(number(training, "batch") >= 4 * 4 * 5 && number(training, "batch") < 4 * 4 * 5 + 32);
	cr_expect(number(training, "samples") >= 6 * 5 * 4);
	cr_expect_eq(number(training, "total"), total_of(training));
	cr_expect_eq(number(evaluation, "total"), total_of(evaluation));
	cr_expect_eq(number(evaluation, "params"), params);
	cr_expect_lt(number(evaluation, "total"), number(training, "total"));

	total = number(training, "total");
	text = run(&status, "train %s/m.yaml --dry-run -q --max-memory %.0f 2>&1", folder, total);
	cr_expect_eq(status, 0, "%s", text);
	free(text);
	text = run(&status, "train %s/m.yaml --dry-run -q --max-memory %.0f 2>&1", folder, total - 64);
	snprintf(needed, sizeof needed, "evaluate: %.0f bytes are needed beside ",
	         number(training, "gradients") + number(training, "activations") + number(training, "workspace"));
	cr_expect(status == 1 && strstr(text, needed), "not '%s': %s", needed, text);
	free(text);
	cJSON_Delete(json);
}

Test(memory, of_other_sizes, .init = make_folder, .fini = remove_folder)
{
	char line[256];
	double batch[2];
	cJSON *json;

	write_net(true);
	for (int way = 0; way < 2; way++) {
		/* the second is as large as the recording that counts multiply-adds */
		snprintf(line, sizeof line, "show %s/m.yaml --format json --size B=%d", folder, way ? 100 : 4);
		json = run_json(line);
		batch[way] = number(member(member(json, "memory"), "evaluation"), "batch");
		cr_expect_eq(number(member(member(json, "memory"), "sizes"), "B"), way ? 100 : 4);
		cJSON_Delete(json);
	}
	cr_expect_eq(batch[1] - batch[0], 96 * 5 * 4);
}

/* Without its data a training can still be told of, but for the samples. */
Test(memory, without_data, .init = make_folder, .fini = remove_folder)
{
	int status;
	char *text;

	write_net(false);
	text = run(&status, "show %s/m.yaml 2>&1", folder);
	cr_expect_eq(status, 0);
	cr_expect(strstr(text, "memory is told without the samples: ") && strstr(text, "m.csv: cannot read"), "%s",
	          text);
	cr_expect(strstr(text, "bytes of memory for B = 4\n"), "%s", text);
	cr_expect(strstr(text, "  all samples: not read, not counted "), "%s", text);
	free(text);
	text = run(&status, "show configs/gates.yaml 2>&1");
	cr_expect(status == 0 && strstr(text, "\nbytes of memory\n  an evaluation"), "%s", text);
	cr_expect_null(strstr(text, "gradients"), "%s", text);
	free(text);
}
