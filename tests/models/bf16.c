/*
 * bf16: trainings with products in bf16 beside the same in f32.
 */
#include "autograd_model.h"
#include "model.h"
#include "scratch.h"

#include <cjson/cJSON.h>
#include <math.h>

TestSuite(bf16, .init = scratch_open, .fini = scratch_close);

/* 20 classes of noisy points in 64 dimensions. */
static const char mlp[] =
	"version: 1\nname: mlp\ninputs:\n  x: [B, 64]\n  y: {shape: [B], dtype: i32, role: target}\n"
	"model: [{linear: 96}, relu, {linear: 48}, relu, {linear: 20, as: scores}]\n"
	"loss: cross_entropy(scores, y)\n"
	"data:\n  train: {format: csv, file: points.csv, x: 0..63, y: 64}\n"
	"  valid: {split: 0.2, of: train, how: tail}\n  batch: 64\n"
	"train: {epochs: 2, seed: 3, optimizer: {adam: {lr: 1e-3}}}\n";

static const char gpt[] =
	"version: 1\nname: gpt\nparams: {d: 32, ctx: 32}\n"
	"inputs:\n  x: {shape: [B, ctx], dtype: i32}\n  y: {shape: [B, ctx], dtype: i32, role: target}\n"
	"defs:\n  block:\n    body:\n"
	"      - residual: [layer_norm, {attention: {heads: 2, causal: true}}]\n"
	"      - residual: [layer_norm, {linear: 4*d}, gelu, {linear: d}]\n"
	"model:\n  - embed: {vocab: 40, dim: d}\n    from: x\n    as: tok\n  - positions: {max: ctx}\n"
	"  - block:\n    repeat: 2\n  - layer_norm\n"
	"  - linear: {out: 40, bias: false}\n    share: {weight: tok.weight}\n    as: logits\n"
	"loss: cross_entropy(logits, y)\n"
	"train: {steps: 100, seed: 5, clip: {norm: 1}, optimizer: {adamw: {lr: 2e-3}}}\n";

static ad_model *open_with(const char *text, const char *precision)
{
	ad_model *m = ad_model_open(scratch_text("m.yaml", text), 1, &precision);

	if (ad_model_errors(m) > 0)
		ad_model_messages(m, stderr, false);
	cr_assert_eq(ad_model_errors(m), 0);
	return m;
}

static uint32_t state;

static unsigned next(unsigned n)
{
	state = state * 1664525u + 1013904223u;
	return (state >> 8) % n;
}

static void fill_points(double x[64 * 64], double y[64])
{
	for (int i = 0; i < 64; i++) {
		y[i] = next(20);
		for (int j = 0; j < 64; j++)
			x[64 * i + j] = sin((y[i] + 1) * (j + 1)) + next(1000) / 500.0 - 1;
	}
}

/* A text in which the next sign follows from the last but for a few. */
static void fill_text(double x[4 * 32], double y[4 * 32])
{
	for (int i = 0; i < 4; i++) {
		unsigned sign = next(40);

		for (int j = 0; j < 32; j++) {
			x[32 * i + j] = sign;
			sign = next(8) ? (sign * 7 + 3) % 40 : next(40);
			y[32 * i + j] = sign;
		}
	}
}

/* The losses of all steps lie within 1 % of those in f32, and are not the same. */
static void check_curves(const char *text, int steps, bool points)
{
	static double x[64 * 64], y[4 * 32];
	ad_model *full = open_with(text, "train.precision=f32"), *rounded = open_with(text, "train.precision=bf16");
	const ad_model_input batch[] = {
		{ "x", points ? AD_SHAPE(64, 64) : AD_SHAPE(4, 32), x },
		{ "y", points ? AD_SHAPE(64) : AD_SHAPE(4, 32), y },
	};
	double first = 0, last = 0;
	bool same = true;

	state = 11;
	for (int k = 0; k < steps; k++) {
		double a, b;

		if (points)
			fill_points(x, y);
		else
			fill_text(x, y);
		a = ad_model_step(full, 2, batch);
		b = ad_model_step(rounded, 2, batch);
		cr_assert(fabs(a - b) < 0.01 * a, "step %d: %g in f32, %g (%s)", k, a, b,
		          ad_errmsg(ad_model_graph(rounded)));
		same = same && a == b;
		last = a;
		first = k == 0 ? a : first;
	}
	cr_assert_not(same);
	cr_assert_lt(last, 0.7 * first, "it learns: from %g to %g", first, last);
	ad_model_close(full);
	ad_model_close(rounded);
}

Test(bf16, curves_of_an_mlp)
{
	setenv("AUTOGRAD_BF16", "emulate", 1);
	check_curves(mlp, 100, true);
}

Test(bf16, curves_of_an_mlp_without_the_instruction)
{
	setenv("AUTOGRAD_BF16", "emulate", 1);
	setenv("AUTOGRAD_LEVEL", "0", 1);
	check_curves(mlp, 100, true);
}

Test(bf16, curves_of_a_transformer)
{
	setenv("AUTOGRAD_BF16", "emulate", 1);
	check_curves(gpt, 100, false);
}

static void write_points(void)
{
	static double x[64 * 64], y[64];
	static char text[400000];
	size_t at = 0;

	state = 11;
	for (int k = 0; k < 8; k++) {
		fill_points(x, y);
		for (int i = 0; i < 64; i++) {
			for (int j = 0; j < 64; j++)
				at += (size_t)sprintf(text + at, "%g,", x[64 * i + j]);
			at += (size_t)sprintf(text + at, "%g\n", y[i]);
		}
	}
	scratch_text("points.csv", text);
}

static ad_run_status train(const char *precision, const char *run, char error[1024])
{
	ad_train_options o = { .run = scratch_path(run) };
	ad_model *m = open_with(mlp, precision);
	ad_run_status status = ad_model_train(m, &o, error, 1024);

	ad_model_close(m);
	return status;
}

static char *text_of(const char *path)
{
	size_t size;

	return scratch_read(scratch_path(path), &size);
}

/* The number behind "name": in the part of a text that begins with `from`. */
static double number_after(const char *text, const char *from, const char *name)
{
	const char *at = strstr(text, from);

	at = at ? strstr(at, name) : NULL;
	cr_assert(at, "%s in %s", name, text);
	return strtod(at + strlen(name), NULL);
}

/* The run folder says bf16, and what is measured is the loss in f32 of the weights that it holds. */
Test(bf16, a_run_measures_in_f32)
{
	char error[1024], *result, *config, *ran_on;
	ad_model *m;
	struct parts parts;
	double measured[1], want;

	setenv("AUTOGRAD_BF16", "emulate", 1);
	write_points();
	cr_assert_eq(train("train.precision=bf16", "run", error), AD_RUN_DONE, "%s", error);
	result = text_of("run/result.json");
	cr_assert(strstr(result, "\"precision\":\t\"bf16\""), "%s", result);
	config = text_of("run/config.yaml");
	cr_assert(strstr(config, "precision: bf16"), "%s", config);
	ran_on = text_of("run/env.txt");
	cr_assert(strstr(ran_on, "precision: bf16"), "%s", ran_on);
	want = number_after(result, "\"valid\":", "\"loss\":");
	setenv("AUTOGRAD_BF16", "", 1);
	setenv("AUTOGRAD_LEVEL", "0", 1); /* where bf16 cannot be had */
	m = ad_model_open(scratch_path("run/config.yaml"), 0, NULL);
	cr_assert_eq(ad_model_errors(m), 0);
	cr_assert(ad_model_load(m, scratch_path("run/last.safetensors"), error, sizeof error), "%s", error);
	cr_assert(data_read(m, &parts, error, sizeof error), "%s", error);
	cr_assert(model_measure(m, &parts.valid, measured, error, sizeof error), "%s", error);
	cr_assert_float_eq(measured[0], want, 1e-6 * want, "%.9g, not %.9g", measured[0], want);
	data_free(&parts);
	ad_model_close(m);
	free(result);
	free(config);
	free(ran_on);
}

/* The recorded gradients of edges are those of the training, rounded as its are: the edge into a weight has
 * the weight's. */
Test(bf16, edges_are_of_the_training)
{
	char error[1024], *text;
	ad_train_options o = { .run = scratch_path("run") };
	ad_model *m;
	cJSON *line, *edges;
	const cJSON *keys, *rms, *key;
	double of_weight, of_edge = 0;
	int k = 0;

	setenv("AUTOGRAD_BF16", "emulate", 1);
	write_points();
	m = ad_model_open(scratch_text("m.yaml", mlp), 3,
	                  (const char *const[]){ "train.precision=bf16", "train.epochs=1",
	                                         "train.gradients={every: 1 epoch}" });
	cr_assert_eq(ad_model_errors(m), 0);
	cr_assert_eq(ad_model_train(m, &o, error, sizeof error), AD_RUN_DONE, "%s", error);
	ad_model_close(m);
	text = text_of("run/gradients.jsonl");
	line = cJSON_Parse(text);
	free(text);
	text = text_of("run/gradients-edges.jsonl");
	edges = cJSON_Parse(text);
	free(text);
	of_weight = cJSON_GetObjectItem(
	    cJSON_GetObjectItem(cJSON_GetObjectItem(line, "weights"), "linear.weight"), "gradient")->valuedouble;
	keys = cJSON_GetObjectItem(edges, "edges");
	rms = cJSON_GetObjectItem(cJSON_GetObjectItem(line, "edges"), "rms");
	cJSON_ArrayForEach(key, keys) {
		if (strcmp(key->valuestring, "linear.linear:1") == 0)
			of_edge = cJSON_GetArrayItem(rms, k)->valuedouble;
		k++;
	}
	/* written with five digits */
	cr_assert_float_eq(of_edge, of_weight, 1e-5 * of_weight, "%.9g, not %.9g", of_edge, of_weight);
	cJSON_Delete(line);
	cJSON_Delete(edges);
}

Test(bf16, refused_where_the_processor_cannot)
{
	char error[1024];
	ad_model *m;

	unsetenv("AUTOGRAD_BF16");
	setenv("AUTOGRAD_LEVEL", "1", 1);
	write_points();
	cr_assert_eq(train("train.precision=bf16", "run", error), AD_RUN_REFUSED);
	cr_assert(strstr(error, "--set train.precision=bf16: precision: products in bf16 need "), "%s", error);
	cr_assert(strstr(error, "AVX512-BF16, which "), "%s", error);
	cr_assert(strstr(error, "; train in f32, with --set train.precision=f32, or "), "%s", error);
	cr_assert_eq(train("train.precision=f32", "run", error), AD_RUN_DONE, "%s", error);
	/* step by step, too, and never in f32 without a word */
	m = open_with(mlp, "train.precision=bf16");
	cr_assert(isnan(ad_model_step(m, 0, NULL)));
	cr_assert(strstr(ad_errmsg(ad_model_graph(m)), ": products in bf16 need "), "%s",
	          ad_errmsg(ad_model_graph(m)));
	ad_model_close(m);
}
