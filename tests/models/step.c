/*
 * step: models run and trained step by step with data of the caller.
 */
#include "autograd_model.h"
#include "scratch.h"

#include <math.h>

TestSuite(step, .init = scratch_open, .fini = scratch_close);

static const char line[] =
	"version: 1\ninputs:\n  x: [B, 2]\n  y: {shape: [B], role: target}\n"
	"model:\n  - linear: 1\n    init: ones\n    as: score\n  - {reshape: [-1], as: out}\n"
	"loss: mean(out*y)\ntrain:\n  steps: 4\n  precision: f64\n  optimizer: {sgd: 0.1}\n"
	"  schedule: {steps: {at: [1], factor: 0.5}}\n  clip: {norm: 2}\n  groups: [{match: \"*.bias\", lr_scale: 0}]\n";

static ad_model *open_line(void)
{
	ad_model *m = ad_model_open(scratch_text("m.yaml", line), 0, NULL);

	if (ad_model_errors(m) > 0)
		ad_model_messages(m, stderr, false);
	cr_assert_eq(ad_model_errors(m), 0);
	return m;
}

/* loss = mean((x w + b) y): its gradient by w is the mean of x y, (3, 4), by b 1; of norm sqrt(26). */
static const double x[] = { 2, 5, 4, 3 }, y[] = { 1, 1 };
static const ad_model_input batch[] = { { "x", { 2, { 2, 2 } }, x }, { "y", { 1, { 2 } }, y } };

Test(step, run_and_step)
{
	ad_model *m = open_line();
	ad_node *w = ad_model_param(m, "score.weight"), *b = ad_model_param(m, "score.bias"), *out;
	double scale = 2 / sqrt(26);
	double loss;

	cr_assert(w && b);
	cr_assert_null(ad_model_param(m, "linear.wait"));
	cr_assert_eq(ad_set(w, (double[]){ 2, -1 }, 2), AD_OK);
	cr_assert_eq(ad_set_item(b, 0.5), AD_OK);
	out = ad_model_run(m, 1, batch);
	cr_assert(out);
	cr_assert_eq(ad_count(out), 2);
	cr_expect_eq(ad_at(out, 0), 2 * 2 - 5 + 0.5);
	cr_expect_eq(ad_at(out, 1), 4 * 2 - 3 + 0.5);
	cr_expect_eq(ad_at(ad_model_value(m, "x"), 3), 3);
	cr_expect_null(ad_model_value(m, "nothing"));

	loss = ad_model_step(m, 2, batch);
	cr_expect_float_eq(loss, (-0.5 + 5.5) / 2, 1e-12);
	cr_expect_float_eq(ad_at(w, 0), 2 - 0.1 * 3 * scale, 1e-12);
	cr_expect_float_eq(ad_at(w, 1), -1 - 0.1 * 4 * scale, 1e-12);
	cr_expect_eq(ad_item(b), 0.5);
	cr_expect_float_eq(ad_item(ad_model_value(m, "loss")), loss, 1e-12);
	ad_model_step(m, 2, batch);
	cr_expect_float_eq(ad_at(w, 0), 2 - 0.15 * 3 * scale, 1e-12);
	ad_model_close(m);
}

Test(step, weights_in_files)
{
	ad_model *m = open_line();
	char error[512];
	double before;

	ad_model_step(m, 2, batch);
	before = ad_at(ad_model_param(m, "score.weight"), 0);
	cr_assert(ad_model_save(m, scratch_path("w.safetensors"), error, sizeof error), "%s", error);
	ad_model_close(m);
	m = open_line();
	cr_assert(ad_model_load(m, scratch_path("w.safetensors"), error, sizeof error), "%s", error);
	cr_expect_eq(ad_at(ad_model_param(m, "score.weight"), 0), before);
	cr_assert_not(ad_model_load(m, scratch_path("none"), error, sizeof error));
	ad_model_close(m);
}

/* Each refusal is a sentence, after which the model can be used. */
Test(step, refusals)
{
	static const struct {
		ad_model_input input;
		const char *said;
	} cases[] = {
		{ { "z", { 2, { 2, 2 } }, x }, "has no input 'z'" },
		{ { "x", { 1, { 4 } }, x }, "input 'x' has 2 axes, not 1" },
		{ { "x", { 2, { 1, 4 } }, x }, "axis 1 of input 'x' is 2, not 4" },
	};
	const double bad[] = { NAN, 1, 1, 1 };
	ad_model *m = open_line();
	ad_graph *g = ad_model_graph(m);
	ad_node *w = ad_model_param(m, "score.weight");

	for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
		cr_expect_null(ad_model_run(m, 1, &cases[k].input));
		cr_expect(strstr(ad_errmsg(g), cases[k].said), "%s", ad_errmsg(g));
		ad_clear(g);
	}
	cr_expect_null(ad_model_run(m, 0, NULL));
	cr_expect(strstr(ad_errmsg(g), "tells the size of 'B'"), "%s", ad_errmsg(g));
	ad_clear(g);
	cr_expect(isnan(ad_model_step(m, 2, (ad_model_input[]){ { "x", AD_SHAPE(2, 2), bad }, batch[1] })));
	cr_expect(strstr(ad_errmsg(g), "the loss is not finite"), "%s", ad_errmsg(g));
	ad_clear(g);
	cr_expect_eq(ad_at(w, 0), 1);
	cr_expect_eq(ad_model_step(m, 2, batch), 7);
	ad_model_close(m);
}

/* Two batches of different size are the step of one that holds both. */
Test(step, accumulate)
{
	ad_model *m = ad_model_open(scratch_text("m.yaml", line), 1, (const char *[]){ "train.accumulate=2" });
	ad_model *whole = open_line();
	static const double x3[] = { 2, 5, 4, 3, -7, 1 }, y3[] = { 1, 1, 2 };
	const ad_model_input all[] = { { "x", AD_SHAPE(3, 2), x3 }, { "y", AD_SHAPE(3), y3 } };
	const ad_model_input last[] = { { "x", AD_SHAPE(1, 2), x3 + 4 }, { "y", AD_SHAPE(1), y3 + 2 } };
	const double bad[] = { NAN, 1, 1, 1 };
	ad_node *w = ad_model_param(m, "score.weight"), *v = ad_model_param(whole, "score.weight");

	cr_assert_eq(ad_model_errors(m), 0);
	for (int step = 0; step < 3; step++) {
		double before = ad_at(w, 0);

		ad_model_step(m, 2, batch);
		cr_expect_eq(ad_at(w, 0), before, "half of a step moves nothing");
		/* a failure is no batch */
		cr_expect(isnan(ad_model_step(m, 2, (ad_model_input[]){ { "x", AD_SHAPE(2, 2), bad }, batch[1] })));
		ad_clear(ad_model_graph(m));
		ad_model_step(m, 2, last);
		ad_model_step(whole, 2, all);
		cr_expect_float_eq(ad_at(w, 0), ad_at(v, 0), 1e-12, "%.17g %.17g", ad_at(w, 0), ad_at(v, 0));
		cr_expect_float_eq(ad_at(w, 1), ad_at(v, 1), 1e-12);
		cr_expect_neq(ad_at(w, 0), before);
	}
	ad_model_close(m);
	ad_model_close(whole);
}

/* The running statistics of a batch that failed are as before, to the bit. */
Test(step, a_failure_leaves_running_statistics)
{
	ad_model *m = ad_model_open(
	    scratch_text("m.yaml", "version: 1\ninputs: {x: [B, 2], y: {shape: [B], role: target}}\n"
	                           "model:\n  - batch_norm\n  - {linear: 1}\n  - {reshape: [-1], as: out}\n"
	                           "loss: mean(out*y)\ntrain: {optimizer: {sgd: 0.1}, steps: 3}\n"), 0, NULL);
	ad_node *mean = ad_model_param(m, "batch_norm.running_mean"), *w = ad_model_param(m, "linear.weight");
	const double bad[] = { NAN, 1, 1, 1 };
	double before[2], after[2], weight;

	cr_assert(ad_model_errors(m) == 0 && mean && w);
	cr_assert(!isnan(ad_model_step(m, 2, batch)), "%s", ad_errmsg(ad_model_graph(m)));
	ad_get(mean, before, 2);
	weight = ad_at(w, 0);
	cr_expect_float_eq(before[0], 0.3, 1e-6); /* 0.1 times the mean of 2 and 4 */
	cr_expect(isnan(ad_model_step(m, 2, (ad_model_input[]){ { "x", AD_SHAPE(2, 2), bad }, batch[1] })));
	ad_clear(ad_model_graph(m));
	ad_get(mean, after, 2);
	cr_expect(before[0] == after[0] && before[1] == after[1], "%g %g", after[0], after[1]);
	cr_expect_eq(ad_at(w, 0), weight);
	cr_assert(!isnan(ad_model_step(m, 2, batch)));
	ad_get(mean, after, 2);
	cr_expect_float_eq(after[0], 0.57, 1e-6);
	ad_model_close(m);
}

/* What is left out of an input, and no model at all, are failures like others. */
Test(step, nothing_given)
{
	ad_model *m = open_line();
	ad_graph *g = ad_model_graph(m);
	const ad_model_input wrong[] = { { "x", { 2, { 2, 2 } }, NULL },
		                         { NULL, { 2, { 2, 2 } }, x },
		                         { "x", { 2, { -1, 2 } }, x } };
	static const char *const say[] = { "has no values", "has no name", "axis 0 of input 'x' cannot be -1" };
	char error[100] = "";

	for (int k = 0; k < 3; k++) {
		cr_expect_null(ad_model_run(m, 1, &wrong[k]));
		cr_expect(strstr(ad_errmsg(g), say[k]), "%s", ad_errmsg(g));
		ad_clear(g);
		cr_expect(isnan(ad_model_step(m, 1, &wrong[k])));
		ad_clear(g);
	}
	cr_expect_null(ad_model_run(m, 1, NULL));
	ad_clear(g);
	cr_expect_not_null(ad_model_run(m, 1, batch), "the model is as before");
	cr_expect_null(ad_model_value(m, NULL));
	cr_expect_null(ad_model_param(m, NULL));
	cr_expect_not(ad_model_load(m, NULL, error, sizeof error));
	cr_expect_str_eq(error, "no path is given");
	ad_model_close(m);

	m = ad_model_open(NULL, 0, NULL);
	cr_expect_eq(ad_model_errors(m), 1);
	ad_model_close(m);
	cr_expect_eq(ad_model_errors(NULL), 1);
	cr_expect_null(ad_model_graph(NULL));
	cr_expect_null(ad_model_name(NULL));
	cr_expect_eq(ad_model_weights(NULL), 0);
	cr_expect_null(ad_model_run(NULL, 1, batch));
	cr_expect(isnan(ad_model_step(NULL, 1, batch)));
	cr_expect_not(ad_model_save(NULL, "w", error, sizeof error));
	cr_expect_eq(ad_model_train(NULL, NULL, error, sizeof error), AD_RUN_FAILED);
	cr_expect_str_eq(error, "no model is given");
}

/* A seed of the caller stays when sizes come that the model has not met, and each size has the same numbers. */
Test(step, seeds)
{
	ad_model *m = ad_model_open(scratch_text("m.yaml", "version: 1\ninputs: {x: [B, 2]}\n"
	                                                   "model: {y: \"rand_like(x)\"}\n"), 0, NULL);
	const ad_model_input one = { "x", { 2, { 1, 2 } }, x };
	double number[5];

	cr_assert_eq(ad_model_errors(m), 0);
	for (int k = 0; k < 5; k++) {
		if (k % 2 == 0)
			ad_seed(ad_model_graph(m), k < 4 ? 7 : 8);
		ad_node *out = ad_model_run(m, 1, k % 2 ? batch : &one);
		cr_assert(out, "%s", ad_errmsg(ad_model_graph(m)));
		number[k] = ad_at(out, 1);
	}
	cr_expect(number[0] == number[1] && number[0] == number[2] && number[0] == number[3]);
	cr_expect_neq(number[0], number[4]);
	ad_model_close(m);
}
