/*
 * report: what stands in the page of `autograd report`. tests/node/ has what a browser makes of it.
 *
 * The command is $AUTOGRAD_BIN, else build/autograd; the tests run in the project's top folder.
 */
#include "../models/scratch.h"

#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <math.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_PAGE ((size_t)5000000)

TestSuite(report, .init = scratch_open, .fini = scratch_close);

/* Runs `autograd ...`; its exit status. What it printed lies in the scratch file "said". */
static int run(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int run(const char *format, ...)
{
	const char *command = getenv("AUTOGRAD_BIN");
	char line[2048];
	int n = snprintf(line, sizeof line, "%s ", command ? command : "build/autograd"), status;
	va_list args;

	va_start(args, format);
	n += vsnprintf(line + n, sizeof line - (size_t)n, format, args);
	va_end(args);
	snprintf(line + n, sizeof line - (size_t)n, " >%s 2>&1", scratch_path("said"));
	status = system(line);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static char *text_of(const char *name)
{
	FILE *file = fopen(scratch_path(name), "r");
	char *text = calloc(1, MOST_PAGE + 1);

	cr_assert(file && text, "%s is not there", name);
	cr_assert_lt(fread(text, 1, MOST_PAGE, file), MOST_PAGE, "%s is larger than it may be", name);
	fclose(file);
	return text;
}

static bool said(const char *words)
{
	char *text = text_of("said");
	bool found = strstr(text, words) != NULL;

	free(text);
	return found;
}

/* The data of the page of the run in "run", for the caller to delete. */
static cJSON *data_of_run(const char *options)
{
	static const char mark[] = "<script type=\"application/json\" id=\"data\">";
	char folder[512], *page, *from, *end;
	cJSON *data;

	snprintf(folder, sizeof folder, "%s", scratch_path("run"));
	cr_assert_eq(run("report %s %s", folder, options), 0);
	cr_assert(said("report: "));
	page = text_of("run/report.html");
	from = strstr(page, mark);
	cr_assert_not_null(from);
	from += strlen(mark);
	end = strstr(from, "</script>");
	cr_assert_not_null(end);
	*end = '\0';
	cr_assert_null(strchr(from, '<'), "the data could end its element");
	data = cJSON_Parse(from);
	cr_assert(cJSON_IsObject(data));
	free(page);
	return data;
}

static cJSON *at(const cJSON *of, const char *key)
{
	cJSON *item = cJSON_GetObjectItemCaseSensitive(of, key);

	cr_assert_not_null(item, "there is no '%s'", key);
	return item;
}

static double sum(const cJSON *list)
{
	double total = 0;
	const cJSON *item;

	cJSON_ArrayForEach(item, list)
		total += cJSON_IsArray(item) ? sum(item) : item->valuedouble;
	return total;
}

/* Trains a file of configs/ into "run". */
static void train(const char *config, const char *options)
{
	char folder[512];

	snprintf(folder, sizeof folder, "%s", scratch_path("run"));
	cr_assert_eq(run("train configs/%s.yaml --quiet --run %s %s", config, folder, options), 0);
}

static bool remarked(const cJSON *data, const char *words)
{
	const cJSON *note;

	cJSON_ArrayForEach(note, at(data, "notes"))
		if (strstr(note->valuestring, words))
			return true;
	return false;
}

Test(report, agrees_with_the_run)
{
	cJSON *data, *result, *judged, *weight, *step, *row;
	char *text;
	double right = 0;
	int k = 0;

	train("digits", "--set train.epochs=2 --set 'train.gradients={every: 1 epoch}'");
	data = data_of_run("");
	text = text_of("run/result.json");
	result = cJSON_Parse(text);
	judged = at(data, "judged");
	cr_assert_eq(sum(at(judged, "matrix")), 359);
	cJSON_ArrayForEach(row, at(judged, "matrix"))
		right += cJSON_GetArrayItem(row, k++)->valuedouble;
	cr_assert_float_eq(right / 359, at(at(result, "test"), "accuracy")->valuedouble, 1e-6);
	cr_assert_eq(cJSON_GetArraySize(at(judged, "worst")), 24);
	cJSON_ArrayForEach(weight, at(data, "weights")) {
		cr_assert_eq(sum(at(weight, "bins")), at(weight, "n")->valuedouble);
		cr_assert_eq(sum(at(weight, "first")), at(weight, "n")->valuedouble);
	}
	cr_assert_eq(cJSON_GetArraySize(at(at(data, "log"), "loss")), 2);
	cr_assert_eq(cJSON_GetArraySize(at(at(data, "gradients"), "step")), 2);
	cr_assert_eq(cJSON_GetArraySize(at(at(data, "graph"), "steps")), 2);
	cJSON_ArrayForEach(step, at(at(data, "graph"), "steps"))
		cr_assert_eq(cJSON_GetArraySize(at(step, "edge_width")),
		             cJSON_GetArraySize(at(at(data, "graph"), "edges")));
	cr_assert_not_null(strstr(at(data, "environment")->valuestring, "threads: "));
	cr_assert_not_null(strstr(at(data, "config")->valuestring, "hidden: 256"));
	cJSON_Delete(result);
	cJSON_Delete(data);
	free(text);
}

Test(report, bounds_what_it_shows_and_says_so)
{
	cJSON *data;

	train("perceptron_nand", "--set train.epochs=2500 --set 'train.gradients={every: 1 steps}'");
	data = data_of_run("");
	cr_assert_leq(cJSON_GetArraySize(at(at(data, "log"), "loss")), 1001);
	cr_assert_eq(cJSON_GetArraySize(at(at(data, "gradients"), "step")), 120);
	cr_assert(remarked(data, "of 2500 lines of the log"));
	cr_assert(remarked(data, "120 of 2500 recorded steps"));
	cJSON_Delete(data);
}

Test(report, of_a_training_that_was_cut_off)
{
	cJSON *data;
	FILE *log;

	train("digits", "--set train.epochs=2");
	cr_assert_eq(unlink(scratch_path("run/result.json")) + unlink(scratch_path("run/last.safetensors")), 0);
	log = fopen(scratch_path("run/log.jsonl"), "a");
	cr_assert(log && fputs("{\"step\":135,\"los", log) >= 0 && fclose(log) == 0);
	data = data_of_run("--live");
	cr_assert(cJSON_IsTrue(at(data, "live")));
	cr_assert(cJSON_IsFalse(at(data, "trained")));
	cr_assert_null(cJSON_GetObjectItem(data, "judged"));
	cr_assert_eq(cJSON_GetArraySize(at(at(data, "log"), "loss")), 2);
	cr_assert(remarked(data, "no record of gradients"));
	cJSON_Delete(data);
	data = data_of_run("");
	cr_assert(remarked(data, "no result.json"));
	cJSON_Delete(data);
}

/* What is decided by margins, signs and logarithms of odds is counted as the file's own metric counts it. */
Test(report, of_other_losses)
{
	static const char form[] = "version: 1\nname: two\ninputs:\n  x: [B, 4]\n  y: {shape: [B, 1], role: target}\n"
				   "model:\n  - linear: 1\n    as: s\nloss: %s\n"
				   "metrics: {accuracy: mean((s > 0) == (y > %s))}\n"
				   "data:\n  train: {format: table, columns: [x, y], rows: [%s]}\n"
				   "train: {epochs: 3, seed: 1, optimizer: {sgd: {lr: 0.1}}}\n";
	static const char *const losses[][3] = {
		{ "hinge(s, y)", "0", "[[0, 0, 1, 2], [1]], [[1, 0, 0, 2], [-1]], [[1, -1, 1, 0], [1]], [[3, 2, 1, 0], [-1]]" },
		{ "bce_with_logits(s, y)", "0.5", "[[0, 0, 1, 2], [1]], [[1, 0, 0, 2], [0]], [[1, -1, 1, 0], [1]], [[3, 2, 1, 0], [0]]" },
		{ "bce(sigmoid(s), y)", "0.5", "[[0, 0, 1, 2], [1]], [[1, 0, 0, 2], [0]], [[1, -1, 1, 0], [1]], [[3, 2, 1, 0], [0]]" },
	};
	cJSON *data, *matrix;

	train("iris_hinge", "--set train.epochs=3");
	data = data_of_run("");
	matrix = at(at(data, "judged"), "matrix");
	cr_assert_eq(cJSON_GetArraySize(matrix), 3);
	cr_assert_eq(sum(matrix), 30);
	cJSON_Delete(data);
	for (size_t k = 0; k < sizeof losses / sizeof *losses; k++) {
		char file[2048], run_folder[512];
		double right, accuracy;

		snprintf(file, sizeof file, form, losses[k][0], losses[k][1], losses[k][2]);
		snprintf(run_folder, sizeof run_folder, "%s", scratch_path("run"));
		nftw(run_folder, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
		cr_assert_eq(run("train %s --quiet --run %s", scratch_text("two.yaml", file), run_folder), 0, "%s",
		             losses[k][0]);
		data = data_of_run("");
		matrix = at(at(data, "judged"), "matrix");
		right = cJSON_GetArrayItem(cJSON_GetArrayItem(matrix, 0), 0)->valuedouble +
		        cJSON_GetArrayItem(cJSON_GetArrayItem(matrix, 1), 1)->valuedouble;
		accuracy = at(at(at(data, "result"), "train"), "accuracy")->valuedouble;
		cr_assert_eq(sum(matrix), 4);
		cr_assert_float_eq(right / 4, accuracy, 1e-6, "%s", losses[k][0]);
		cJSON_Delete(data);
	}
}

Test(report, without_dot_the_graph_is_text)
{
	cJSON *data;

	train("vanishing", "--set train.epochs=1");
	setenv("AUTOGRAD_DOT", "/nonexistent/dot", 1);
	data = data_of_run("");
	cr_assert_null(cJSON_GetObjectItem(at(data, "graph"), "svg"));
	cr_assert_not_null(strstr(at(at(data, "graph"), "tree")->valuestring, "chain[0]"));
	cr_assert(remarked(data, "tree of text"));
	cJSON_Delete(data);
}

Test(report, refuses_what_is_no_run)
{
	cr_assert_eq(run("report %s", scratch_path("nothing")), 2);
	cr_assert(said("is not the folder of a run"));
	train("perceptron_nand", "--set train.epochs=1");
	cr_assert_eq(run("report %s -o page.pdf", scratch_path("run")), 2);
	cr_assert(said("'page.pdf' does not end in .html"));
	cr_assert_eq(run("report %s -o /nonexistent/page.html", scratch_path("run")), 1);
	cr_assert(said("/nonexistent/page.html"));
}
