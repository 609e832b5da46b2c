/*
 * regime: what stands under 'train' beside the optimizer, against computations by hand.
 */
#include "autograd_model.h"
#include "model.h"
#include "scratch.h"

#include <cjson/cJSON.h>
#include <math.h>

TestSuite(regime, .init = scratch_open, .fini = scratch_close);

/* One weight w from 5, in f64: loss (w - 1)^2, gradient 2 (w - 1); plain gradient descent. */
static const char single[] = "version: 1\nname: one\nweights: {w: 5}\nmodel: {d: w - 1}\nloss: d**2\ntrain:\n";

static ad_model *open_text(const char *text)
{
	ad_model *m = ad_model_open(scratch_text("m.yaml", text), 0, NULL);

	cr_assert(m);
	if (ad_model_errors(m) > 0)
		ad_model_messages(m, stderr, false);
	cr_assert_eq(ad_model_errors(m), 0);
	return m;
}

static ad_model *train_text(const char *front, const char *train, const char *run)
{
	char text[4096], error[512];
	ad_train_options o = { .run = scratch_path(run) };
	ad_model *m;

	snprintf(text, sizeof text, "%s%s", front, train);
	m = open_text(text);
	cr_assert_eq(ad_model_train(m, &o, error, sizeof error), AD_RUN_DONE, "%s", error);
	return m;
}

static double weight(const ad_model *m, size_t k)
{
	return ad_item(ad_model_weight(m, k, NULL));
}

static void expect_trained(const char *train, const char *run, double w)
{
	ad_model *m = train_text(single, train, run);
	double trained = weight(m, 0);

	ad_model_close(m);
	cr_expect_float_eq(trained, w, 1e-12, "%s: %.17g, not %.17g", train, trained, w);
}

/* w after steps of these rates. */
static double descend(int n, const double rates[])
{
	double w = 5;

	for (int k = 0; k < n; k++)
		w -= rates[k] * 2 * (w - 1);
	return w;
}

Test(regime, schedules)
{
	const double pi = 3.14159265358979323846;
	double rates[6];

	for (int k = 0; k < 6; k++)
		rates[k] = k < 2 ? 0.1 : k < 5 ? 0.05 : 0.025;
	expect_trained("  epochs: 6\n  optimizer: {sgd: 0.1}\n"
	               "  schedule: {steps: {at: [2, 5], factor: 0.5, unit: epoch}}\n",
	               "a",
	               descend(6, rates));
	for (int k = 0; k < 6; k++)
		rates[k] = 0.1 * pow(0.9, k);
	expect_trained("  epochs: 6\n  optimizer: {sgd: 0.1}\n"
	               "  schedule: {exponential: {factor: 0.9}}\n", "b",
	               descend(6, rates));
	for (int k = 0; k < 6; k++)
		rates[k] = k < 4 ? 0.1 * (k + 1) / 4 : 0.1;
	expect_trained("  epochs: 6\n  optimizer: {sgd: 0.1}\n  schedule: {warmup: 4}\n",
	               "c",
	               descend(6, rates));
	for (int k = 0; k < 6; k++)
		rates[k] = 0.1 * (1 + cos(pi * k / 6)) / 2;
	expect_trained("  epochs: 6\n  optimizer: {sgd: 0.1}\n  schedule: cosine\n", "d",
	               descend(6, rates));
	for (int k = 0; k < 6; k++)
		rates[k] = k < 2 ? 0.1 * (k + 1) / 2 : 0.01 + 0.09 * (1 + cos(pi * (k - 2) / 4)) / 2;
	expect_trained("  epochs: 6\n  optimizer: {sgd: 0.1}\n"
	               "  schedule: {warmup_cosine: {warmup: 2, floor: 0.1/10}}\n", "e",
	               descend(6, rates));
}

/* A gradient of 8 and more, of which 0.5 is left. */
Test(regime, clip)
{
	expect_trained("  epochs: 3\n  optimizer: {sgd: 0.1}\n  clip: {norm: 0.5}\n", "a",
	               5 - 3 * 0.1 * 0.5);
	expect_trained("  epochs: 3\n  optimizer: {sgd: 0.1}\n  clip: {norm: 9}\n", "b",
	               1 + 4 * pow(0.8, 3));
}

/* u: rate of its own; v: no decay; w: decay. The loss is their sum, so each gradient is 1. */
Test(regime, groups)
{
	ad_model *m = train_text("version: 1\nweights: {u: 2, v: 3, w: 4}\nmodel: {f: u + v + w}\nloss: f\n",
	                         "train:\n  epochs: 2\n  optimizer: {sgd: {lr: 0.1, weight_decay: 0.5}}\n"
	                         "  groups: [{match: u, lr: 0.3, weight_decay: 0}, "
	                         "{match: \"[uv]\", weight_decay: 0, lr_scale: 2}]\n", "run");
	double w = 4;

	for (int k = 0; k < 2; k++)
		w -= 0.1 * (1 + 0.5 * w);
	cr_expect_float_eq(weight(m, 0), 2 - 2 * 0.3, 1e-12);
	cr_expect_float_eq(weight(m, 1), 3 - 2 * 0.2, 1e-12);
	cr_expect_float_eq(weight(m, 2), w, 1e-12);
	ad_model_close(m);
}

/* A path as it is written is a pattern that matches it. */
Test(regime, groups_of_copies)
{
	static const char *const patterns[] = { "st[0].linear.weight", "st[0].*", "st[*].linear.weight",
		                                "st[[]0].*", "st\\\\[0].*", "st[10]*", "st?[01]*" };
	static const bool matches[] = { true, true, true, true, true, false, true };

	for (size_t k = 0; k < sizeof patterns / sizeof *patterns; k++) {
		char text[512];
		ad_model *m;

		snprintf(text, sizeof text,
		         "version: 1\ninputs: {x: [B, 2]}\nmodel: [{chain: [{linear: 2}], repeat: 2, as: st}]\n"
		         "loss: mean(st)\ntrain: {optimizer: {sgd: 0.1}, groups: [{match: \"%s\", lr_scale: 2}]}\n",
		         patterns[k]);
		m = open_text(text);
		cr_expect_eq(group_of(&m->train, "st[0].linear.weight") != NULL, matches[k], "%s", patterns[k]);
		ad_model_close(m);
	}
}

static const char points[] =
	"version: 1\ninputs:\n  x: [B, 1]\n  y: {shape: [B], role: target}\n"
	"model:\n  - linear: {out: 1, bias: false}\n    as: net\n    init: ones\n    lr_scale: 0.5\n  - reshape: [-1]\n"
	"    as: out\nloss: mean(out*y)\ndata:\n  train: {table: {columns: [x, y], rows: "
	"[[1, 1], [2, 1], [4, 1], [8, 1], [16, 1]]}}\n  batch: 2\n  shuffle: false\n";

/* The gradient of a batch is the mean of its x, whatever the weight is; an item's lr_scale halves the rate. */
Test(regime, accumulate_and_lr_scale)
{
	ad_model *m = train_text(points, "train:\n  epochs: 1\n  precision: f64\n  optimizer: {sgd: 0.01}\n",
	                         "a");

	cr_expect_float_eq(weight(m, 0), 1 - 0.005 * (1.5 + 6 + 16), 1e-12);
	ad_model_close(m);
	/* steps of four samples and of the one that is left */
	m = train_text(points, "train:\n  epochs: 2\n  precision: f64\n  accumulate: 2\n"
	                       "  optimizer: {sgd: 0.01}\n", "b");
	cr_expect_float_eq(weight(m, 0), 1 - 2 * 0.005 * (15.0 / 4 + 16), 1e-12);
	ad_model_close(m);
}

static cJSON *json_of(const char *run, const char *file)
{
	char name[64], *text;
	size_t size;
	cJSON *json;

	snprintf(name, sizeof name, "%s/%s", run, file);
	text = scratch_read(scratch_path(name), &size);
	json = cJSON_Parse(text);
	free(text);
	cr_assert(json);
	return json;
}

static double number(const cJSON *json, const char *name)
{
	const cJSON *item = cJSON_GetObjectItem(json, name);

	cr_assert(cJSON_IsNumber(item), "%s", name);
	return item->valuedouble;
}

/* The rate is so large that w moves away from 1 on the other side, further with each step: step 1 is at its
 * start, and no later one is better. */
Test(regime, early_stop)
{
	ad_model *m = train_text(single, "  epochs: 50\n  optimizer: {sgd: 1.5}\n"
	                                 "  early_stop: {watch: train.loss, patience: 3}\n", "run");
	cJSON *result = json_of("run", "result.json");

	cr_expect_eq(number(result, "steps"), 4);
	cr_expect_float_eq(weight(m, 0), 1 + 4 * 16, 1e-12);
	cJSON_Delete(result);
	ad_model_close(m);
}

static const char parts[] =
	"version: 1\ninputs:\n  x: [B, 1]\n  y: {shape: [B], role: target}\n"
	"model:\n  - linear: {out: 1, bias: false}\n    init: zeros\n  - reshape: [-1]\n    as: out\n"
	"loss: mse_loss(out, y)\nmetrics: {near: mean(abs(out - y))}\ndata:\n  train: {table: {columns: [x, y], rows: "
	"[[1, 4], [1, 4]]}}\n  valid: {table: {columns: [x, y], rows: [[1, 2]]}}\n  batch: 1\n";

/* out = w goes to 4 by 4 - 4 0.8^t (rate 0.1); the valid part wants 2: w is 1.952 after step 3, 2.3616
 * after 4. */
Test(regime, checkpoints)
{
	ad_model *m = train_text(parts, "train:\n  steps: 7\n  precision: f64\n  optimizer: {sgd: 0.1}\n"
	                                "  checkpoint: {every: 1 steps, keep: 2, best: valid.near, mode: min}\n",
	                         "run");
	cJSON *result = json_of("run", "result.json");
	char error[512];

	cr_expect_eq(number(result, "best_step"), 3);
	cr_expect_float_eq(number(result, "best"), 0.048, 1e-12);
	cJSON_Delete(result);
	cr_expect_eq(access(scratch_path("run/step-5.safetensors"), F_OK), -1);
	cr_expect_eq(access(scratch_path("run/step-6.safetensors"), F_OK), 0);
	cr_assert(checkpoint_read(m, scratch_path("run/step-7.safetensors"), NULL, error, sizeof error));
	cr_expect_float_eq(weight(m, 0), 4 - 4 * pow(0.8, 7), 1e-12);
	cr_assert(checkpoint_read(m, scratch_path("run/best.safetensors"), NULL, error, sizeof error));
	cr_expect_float_eq(weight(m, 0), 1.952, 1e-12);
	ad_model_close(m);

	/* the run's last weights and those of a file, to begin with; the folder of the run has the path */
	m = train_text(parts, "train:\n  steps: 1\n  precision: f64\n  optimizer: {sgd: 0.1}\n  from: run\n", "on");
	cr_expect_float_eq(weight(m, 0), 4 - 4 * pow(0.8, 8), 1e-12);
	ad_model_close(m);
	m = train_text(parts, "train:\n  steps: 1\n  precision: f64\n  optimizer: {sgd: 0.1}\n"
	                      "  from: run/best.safetensors\n", "on2");
	cr_expect_float_eq(weight(m, 0), 4 - 4 * pow(0.8, 4), 1e-12);
	ad_model_close(m);
	m = ad_model_open(scratch_path("on2/config.yaml"), 0, NULL);
	cr_assert_eq(ad_model_errors(m), 0);
	cr_expect_eq(m->train.from[0], '/');
	ad_model_close(m);
}

/* Lines of the log with the column valid_loss filled. */
static int measured(const char *run, int *lines)
{
	char name[64], *text, *line, *rest;
	size_t size;
	int n = 0;

	snprintf(name, sizeof name, "%s/log.jsonl", run);
	text = scratch_read(scratch_path(name), &size);
	*lines = 0;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), ++*lines)
		n += strstr(line, "\"valid_loss\"") != NULL;
	free(text);
	return n;
}

/* Epochs are of two steps. */
Test(regime, eval)
{
	int lines;

	ad_model_close(train_text(parts, "train:\n  epochs: 7\n  optimizer: {sgd: 0.1}\n", "a"));
	cr_expect_eq(measured("a", &lines), 7);
	cr_expect_eq(lines, 7);
	ad_model_close(train_text(parts, "train:\n  epochs: 7\n  eval: 3 epochs\n  optimizer: {sgd: 0.1}\n", "b"));
	cr_expect_eq(measured("b", &lines), 3, "epochs 3, 6 and the last");
	cr_expect_eq(lines, 7);
	ad_model_close(train_text(parts, "train:\n  epochs: 2\n  eval: 1 step\n  optimizer: {sgd: 0.1}\n", "c"));
	cr_expect_eq(measured("c", &lines), 4);
	cr_expect_eq(lines, 4);
}

Test(regime, gradients)
{
	cJSON *line, *row;

	ad_model_close(train_text(single, "  epochs: 3\n  optimizer: {sgd: 0.1}\n  gradients: {every: 3 steps}\n",
	                          "run"));
	line = json_of("run", "gradients.jsonl");
	row = cJSON_GetObjectItem(cJSON_GetObjectItem(line, "weights"), "w");
	cr_expect_eq(number(line, "step"), 3);
	cr_expect_float_eq(number(row, "gradient"), 2 * 4 * 0.64, 1e-12);
	cr_expect_float_eq(number(row, "update"), 0.1 * 2 * 4 * 0.64 / (1 + 4 * 0.64), 1e-12);
	cJSON_Delete(line);
}
