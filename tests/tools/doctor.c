/*
 * doctor: models made sick on purpose, each with one thing wrong, which the doctor has to find, at
 * its place and with its numbers, and nothing else; healthy ones, of which it has nothing to say;
 * and the test of rates.
 *
 * The command is $AUTOGRAD_BIN, else build/autograd; the tests run in the project's top folder.
 */
#include "../models/scratch.h"

#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <math.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>

TestSuite(doctor, .init = scratch_open, .fini = scratch_close);

/* What `autograd ...` prints on both outputs, for the caller to free. */
static char *output_of(int *status, const char *format, ...) __attribute__((format(printf, 2, 3)));

static char *output_of(int *status, const char *format, ...)
{
	const char *command = getenv("AUTOGRAD_BIN");
	char line[1024], *text = calloc(1, 1 << 20);
	int n = snprintf(line, sizeof line, "%s ", command ? command : "build/autograd");
	va_list args;

	va_start(args, format);
	vsnprintf(line + n, sizeof line - (size_t)n, format, args);
	va_end(args);
	strcat(line, " 2>&1");
	FILE *from = popen(line, "r");
	cr_assert(from && text);
	text[fread(text, 1, (1 << 20) - 1, from)] = '\0';
	*status = WEXITSTATUS(pclose(from));
	return text;
}

/* ---- models ---------------------------------------------------------------------------------- */

/* Numbers that look random, the same each time, from a normal distribution as sums of twelve. */
static double normal(unsigned *state)
{
	double sum = -6;

	for (int k = 0; k < 12; k++) {
		*state = *state * 1664525u + 1013904223u;
		sum += (double)(*state >> 8) / (1 << 24);
	}
	return sum;
}

enum kind { CLASSES, RARE, ONE_CLASS, NOISE, CONSTANT, EQUAL, UNEVEN, NUMBERS, LARGE_NUMBERS };

/* data.csv: 400 samples of four numbers and a class or number. */
static void write_data(enum kind kind)
{
	FILE *to = fopen(scratch_path("data.csv"), "w");
	unsigned state = 7;

	cr_assert(to != NULL);
	for (int k = 0; k < 400; k++) {
		double x[4], y;

		for (int j = 0; j < 4; j++)
			x[j] = normal(&state);
		y = x[0] + 2 * x[1] - x[2] > 0;
		if (kind == RARE)
			y = k % 50 == 0;
		else if (kind == ONE_CLASS)
			y = 1;
		else if (kind == NOISE)
			y = normal(&state) > 0;
		else if (kind == NUMBERS || kind == LARGE_NUMBERS)
			y = (x[0] + 2 * x[1] - x[2]) * (kind == NUMBERS ? 1 : 80000) +
			    (kind == NUMBERS ? 0 : 250000);
		if (kind == CONSTANT)
			x[1] = 0.5;
		if (kind == EQUAL)
			x[3] = x[1];
		if (kind == UNEVEN)
			x[2] *= 0.001;
		fprintf(to, "%.6g,%.6g,%.6g,%.6g,%.9g\n", x[0], x[1], x[2], x[3], y);
	}
	cr_assert_eq(fclose(to), 0);
}

/* A model of four numbers; the items begin in line 6. */
static void write_model(const char *items, const char *loss, const char *map, const char *optimizer)
{
	char text[4096];
	bool classes = strstr(loss, "cross_entropy") != NULL;

	snprintf(text, sizeof text,
	         "version: 1\n"
	         "inputs:\n"
	         "  x: [B, 4]\n"
	         "  y: %s\n"
	         "model:\n"
	         "%s"
	         "loss: %s\n"
	         "data:\n"
	         "  train: {format: csv, file: data.csv, x: 0..3, y: 4}\n"
	         "%s"
	         "  batch: 32\n"
	         "train:\n"
	         "  epochs: 3\n"
	         "  seed: 1\n"
	         "  optimizer: {%s}\n",
	         classes ? "{shape: [B], dtype: i32, role: target}"
	                 : "{shape: [B, 1], role: target}",
	         items, loss, map, optimizer);
	scratch_text("sick.yaml", text);
}

static const char plain[] = "  - linear: {out: 16, init: he}\n"
			    "  - tanh\n"
			    "  - {linear: 2, as: logits}\n";
static const char plain_loss[] = "cross_entropy(logits, y)";
static const char sgd[] = "sgd: {lr: 0.1}";

/* ---- findings -------------------------------------------------------------------------------- */

static cJSON *examine(const char *path, const char *more)
{
	int status;
	char *text = output_of(&status, "doctor %s --format json %s", path, more);
	cJSON *json = cJSON_Parse(text);

	cr_assert(status == 0 && json, "status %d: %s", status, text);
	free(text);
	return json;
}

static const char *text_of(const cJSON *finding, const char *name)
{
	const cJSON *text = cJSON_GetObjectItemCaseSensitive(finding, name);

	return cJSON_IsString(text) ? text->valuestring : "";
}

static double number_of(const cJSON *finding, const char *name)
{
	const cJSON *numbers = cJSON_GetObjectItemCaseSensitive(finding, "numbers");
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(numbers, name);

	return cJSON_IsNumber(value) ? value->valuedouble : (double)NAN;
}

/* That the doctor finds this alone in sick.yaml, at this line (0: any), with a number in this range
 * and words in its sentence; and that a remedy helped, whose first override is `set` (NULL: none
 * did). Returns the finding, in json that stays. */
static const cJSON *expect_only(const char *check, int line, const char *number, double least,
                                double most, const char *words, const char *set)
{
	cJSON *json = examine(scratch_path("sick.yaml"), "");
	const cJSON *findings = cJSON_GetObjectItemCaseSensitive(json, "findings");
	const cJSON *f = cJSON_GetArrayItem(findings, 0), *place, *sets, *first;
	char *text = cJSON_Print(json);

	cr_assert(cJSON_GetArraySize(findings) == 1, "%s", text);
	cr_expect_str_eq(text_of(f, "check"), check, "%s", text);
	place = cJSON_GetObjectItemCaseSensitive(f, "line");
	cr_expect(line == 0 || (cJSON_IsNumber(place) && place->valueint == line), "line: %s",
	          text);
	cr_expect(line == 0 || strstr(text_of(f, "file"), "sick.yaml"), "file: %s", text);
	cr_expect(number_of(f, number) >= least && number_of(f, number) <= most, "%s: %s", number,
	          text);
	cr_expect(strstr(text_of(f, "sentence"), words) != NULL, "'%s': %s", words, text);
	cr_expect(*text_of(f, "remedy"), "remedy: %s", text);
	sets = cJSON_GetObjectItemCaseSensitive(f, "set");
	first = cJSON_GetArrayItem(sets, 0);
	if (set) {
		cr_expect(cJSON_IsString(first) && strcmp(first->valuestring, set) == 0, "set: %s",
		          text);
		cr_expect(*text_of(f, "tried"), "tried: %s", text);
	} else {
		cr_expect(!first && !*text_of(f, "tried"), "no remedy was expected: %s", text);
	}
	free(text);
	return f;
}

static void expect_nothing(const char *path)
{
	cJSON *json = examine(path, "");
	const cJSON *findings = cJSON_GetObjectItemCaseSensitive(json, "findings");
	char *text = cJSON_Print(json);

	cr_expect(cJSON_IsArray(findings) && cJSON_GetArraySize(findings) == 0, "%s: %s", path,
	          text);
	cr_expect(*text_of(json, "looked_at"), "%s: %s", path, text);
	free(text);
	cJSON_Delete(json);
}

Test(doctor, healthy_models)
{
	static const char *const names[] = { "autoencoder",  "beans",          "descent",
		                             "digits",       "digits_overfit", "gates",
		                             "inception",    "iris_hinge",     "iris_softmax",
		                             "max_gate",     "neural_ode",     "perceptron_nand",
		                             "residual",     "resnet",         "sigmoid_circuit",
		                             "vae",          "wide_and_deep" };
	char path[128];

	for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
		snprintf(path, sizeof path, "configs/%s.yaml", names[k]);
		expect_nothing(path);
	}
	write_data(CLASSES);
	write_model(plain, plain_loss, "", sgd);
	expect_nothing(scratch_path("sick.yaml"));
	write_data(NUMBERS);
	write_model("  - linear: {out: 16, init: he}\n  - relu\n  - {linear: 1, as: out}\n",
	            "mse_loss(out, y)", "", "sgd: {lr: 0.05}");
	expect_nothing(scratch_path("sick.yaml"));
}

Test(doctor, vanishing_gradient)
{
	cJSON *json = examine("configs/vanishing.yaml", "");
	const cJSON *findings = cJSON_GetObjectItemCaseSensitive(json, "findings"), *f, *line;

	cr_assert_eq(cJSON_GetArraySize(findings), 1);
	f = cJSON_GetArrayItem(findings, 0);
	line = cJSON_GetObjectItemCaseSensitive(f, "line");
	cr_expect_str_eq(text_of(f, "check"), "vanishing-gradient");
	cr_expect_str_eq(text_of(f, "severity"), "error");
	cr_expect_str_eq(text_of(f, "subject"), "chain[0].linear.weight");
	cr_expect_str_eq(text_of(f, "file"), "configs/vanishing.yaml");
	cr_expect_eq(line->valueint, 16);
	cr_expect(number_of(f, "ratio") > 1e-5 && number_of(f, "ratio") < 1e-3);
	cr_expect_eq(number_of(f, "layers"), 7);
	/* "about a tenth" to a fifth: the slope of a sigmoid is at most 1/4 */
	cr_expect(number_of(f, "each") > 0.1 && number_of(f, "each") < 0.25);
	cr_expect(strstr(text_of(f, "sentence"), "sigmoid") && *text_of(f, "tried"));
	cJSON_Delete(json);
}

/* In a block, whose copies are one place in the file; by small weights alone, without and with
 * relu. */
Test(doctor, vanishing_gradient_of_blocks_and_weights)
{
	write_data(CLASSES);
	write_model("  - part: 32\n"
	            "    repeat: 8\n"
	            "  - {linear: 2, as: logits}\n"
	            "defs: {part: {params: {n: int}, body: [{linear: n}, sigmoid]}}\n",
	            plain_loss, "", sgd);
	expect_only("vanishing-gradient", 9, "layers", 9, 9, "sigmoid", "defs.part.body.1=relu");
	write_model("  - chain: [{linear: {out: 32, init: {normal: {std: 0.02}}}}, relu]\n"
	            "    repeat: 6\n"
	            "  - {linear: 2, as: logits}\n",
	            plain_loss, "", sgd);
	expect_only("vanishing-gradient", 6, "each", 0.02, 0.3, "weights in between are small",
	            "model.0.chain.0.linear.init=he");
}

/* Weights before a layer that begins as 0 get no gradient in the first step alone. */
Test(doctor, zero_at_first_only)
{
	write_data(CLASSES);
	write_model("  - linear: {out: 16, init: he}\n"
	            "  - tanh\n"
	            "  - {linear: {out: 2, init: zeros}, as: logits}\n",
	            plain_loss, "", sgd);
	expect_nothing(scratch_path("sick.yaml"));
}

Test(doctor, exploding_gradient)
{
	write_data(CLASSES);
	write_model("  - chain: [{linear: {out: 32, init: {normal: {std: 2}}}}, relu]\n"
	            "    repeat: 4\n"
	            "  - {linear: {out: 2, init: {normal: {std: 1e-5}}}, as: logits}\n",
	            plain_loss, "", "sgd: {lr: 1e-9}");
	/* a factor of some 2 sqrt(32 / 2) = 8 for each of four layers, but for the last, small one
	 */
	cJSON *json = examine(scratch_path("sick.yaml"), "--set model.1.linear.init=xavier");
	const cJSON *f = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(json, "findings"), 0);
	const cJSON *line = cJSON_GetObjectItemCaseSensitive(f, "line");

	cr_expect_str_eq(text_of(f, "check"), "exploding-gradient");
	cr_expect_str_eq(text_of(f, "subject"), "chain[0].linear.weight");
	cr_expect_eq(line->valueint, 6);
	cr_expect(number_of(f, "ratio") > 100 && number_of(f, "ratio") < 2000, "%g",
	          number_of(f, "ratio"));
	cr_expect(number_of(f, "each") > 3 && number_of(f, "each") < 9, "%g", number_of(f, "each"));
	cr_expect(*text_of(f, "tried"));
	cJSON_Delete(json);
}

Test(doctor, dead_relu)
{
	write_data(CLASSES);
	write_model("  - linear: {out: 16, init: {weight: he, bias: {values: [-20]}}}\n"
	            "  - relu\n"
	            "  - {linear: 2, as: logits}\n",
	            plain_loss, "", sgd);
	expect_only("dead-relu", 7, "dead", 1, 1, "100 % of the 16 units of 'relu'",
	            "model.0.linear.init=he");
}

Test(doctor, saturated)
{
	write_data(CLASSES);
	write_model("  - linear: {out: 16, init: {normal: {std: 30}}}\n"
	            "  - sigmoid\n"
	            "  - {linear: 2, as: logits}\n",
	            plain_loss, "", sgd);
	cJSON *json = examine(scratch_path("sick.yaml"), "--quick");
	const cJSON *findings = cJSON_GetObjectItemCaseSensitive(json, "findings");
	const cJSON *f = cJSON_GetArrayItem(findings, 0),
		    *line = cJSON_GetObjectItemCaseSensitive(f, "line");

	cr_assert_eq(cJSON_GetArraySize(findings), 1);
	cr_expect_str_eq(text_of(f, "check"), "saturated");
	cr_expect_eq(line->valueint, 7);
	cr_expect(number_of(f, "saturated") > 0.85 && number_of(f, "saturated") <= 1);
	cr_expect(number_of(f, "most") > 60);
	cr_expect_str_eq(text_of(f, "tried"), "", "nothing is tried with --quick");
	cJSON_Delete(json);
}

Test(doctor, unreached)
{
	write_data(CLASSES);
	write_model("  - {linear: {out: 16, init: he}, as: h}\n"
	            "  - tanh\n"
	            "  - {linear: 2, as: logits}\n"
	            "  - {linear: 5, from: h, as: side}\n",
	            plain_loss, "", sgd);
	expect_only("unreached", 9, "weights", 2, 2, "'side.weight' and 'side.bias'", NULL);
}

Test(doctor, unmoved)
{
	write_data(CLASSES);
	write_model("  - {linear: {out: 16, init: he}, lr_scale: 0}\n"
	            "  - tanh\n"
	            "  - {linear: 2, as: logits}\n",
	            plain_loss, "", sgd);
	expect_only("unmoved", 6, "weights", 2, 2, "lr_scale: 0", "model.0.lr_scale=1");
}

Test(doctor, identical_units)
{
	write_data(CLASSES);
	write_model("  - linear: {out: 16, init: {values: [0.3]}}\n"
	            "  - tanh\n"
	            "  - {linear: {out: 2, init: zeros}, as: logits}\n",
	            plain_loss, "", sgd);
	expect_only("identical-units", 6, "units", 16, 16, "they still are one unit, 16 times",
	            "model.0.linear.init=xavier");
}

Test(doctor, loss_at_start)
{
	write_data(CLASSES);
	write_model("  - linear: {out: 16, init: he}\n"
	            "  - tanh\n"
	            "  - {linear: {out: 2, init: {normal: {std: 8}}}, as: logits}\n",
	            plain_loss, "", "sgd: {lr: 0.2}");
	const cJSON *f = expect_only("loss-at-start", 9, "loss", 3, 50, "ln 2 = 0.693",
	                             "model.2.linear.init=xavier");
	cr_expect(fabs(number_of(f, "chance") - log(2)) < 1e-12);
}

Test(doctor, learning_rate_high)
{
	write_data(NUMBERS);
	write_model("  - linear: {out: 16, init: he}\n  - gelu\n  - {linear: 1, as: out}\n",
	            "mse_loss(out, y)", "", "adam: {lr: 5}");
	cJSON *json = examine(scratch_path("sick.yaml"), "");
	const cJSON *f = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(json, "findings"), 0);
	const cJSON *line = cJSON_GetObjectItemCaseSensitive(f, "line");

	cr_expect_str_eq(text_of(f, "check"), "learning-rate-high");
	cr_expect_eq(line->valueint, 16);
	cr_expect_eq(number_of(f, "lr"), 5);
	cr_expect(number_of(f, "suggested") > 1e-3 && number_of(f, "suggested") < 0.5);
	cr_expect(strstr(text_of(f, "sentence"), "too large") && *text_of(f, "tried"));
	cJSON_Delete(json);
}

Test(doctor, learning_rate_low)
{
	write_data(CLASSES);
	write_model(plain, plain_loss, "", "sgd: {lr: 1e-6, momentum: 0.9}");
	cJSON *json = examine(scratch_path("sick.yaml"), "");
	const cJSON *findings = cJSON_GetObjectItemCaseSensitive(json, "findings");
	const cJSON *f = cJSON_GetArrayItem(findings, 0),
		    *line = cJSON_GetObjectItemCaseSensitive(f, "line");
	double suggested = number_of(f, "suggested");
	const char *set =
	    cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(f, "set"), 0)->valuestring;

	cr_assert_eq(cJSON_GetArraySize(findings), 1);
	cr_expect_str_eq(text_of(f, "check"), "learning-rate-low");
	cr_expect_eq(line->valueint, 16);
	cr_expect(suggested > 1e-3 && suggested < 1, "%g", suggested);
	cr_expect(strncmp(set, "train.optimizer.sgd.lr=", 23) == 0 &&
	          fabs(atof(set + 23) / suggested - 1) < 0.05);
	cr_expect(*text_of(f, "tried"));
	cJSON_Delete(json);
}

Test(doctor, learning_rate_of_0)
{
	write_data(CLASSES);
	write_model(plain, plain_loss, "", "sgd: {lr: 0}");
	cJSON *json = examine(scratch_path("sick.yaml"), "");
	const cJSON *findings = cJSON_GetObjectItemCaseSensitive(json, "findings");
	const cJSON *f = cJSON_GetArrayItem(findings, 0);

	cr_assert_eq(cJSON_GetArraySize(findings), 1);
	cr_expect_str_eq(text_of(f, "check"), "learning-rate-low");
	cr_expect_str_eq(text_of(f, "severity"), "error");
	cr_expect(strstr(text_of(f, "sentence"), "no weight moves") && *text_of(f, "tried"));
	cJSON_Delete(json);
}

Test(doctor, steps_that_end_in_nan)
{
	write_data(NUMBERS);
	write_model("  - linear: {out: 16, init: he}\n  - relu\n  - {linear: 1, as: out}\n",
	            "mse_loss(out, y)", "", "sgd: {lr: 100}");
	cJSON *json = examine(scratch_path("sick.yaml"), "");
	const cJSON *f = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(json, "findings"), 0);

	cr_expect_str_eq(text_of(f, "check"), "nonfinite");
	cr_expect(number_of(f, "step") >= 1 && number_of(f, "step") < 20);
	cr_expect(strstr(text_of(f, "sentence"), "is made by"), "%s", text_of(f, "sentence"));
	cr_expect(*text_of(f, "tried"));
	cJSON_Delete(json);
}

Test(doctor, nan_at_the_start)
{
	write_data(CLASSES);
	write_model(plain, "cross_entropy(log(logits), y)", "", sgd);
	expect_only("nonfinite", 9, "step", 0, 0, "is made by 'log', out of finite values", NULL);
	write_model("  - linear: {out: 16, init: {values: [1e39]}}\n"
	            "  - {linear: 2, as: logits}\n",
	            plain_loss, "", sgd);
	expect_only("nonfinite", 6, "step", 0, 0, "'linear.weight' itself holds it", NULL);
}

Test(doctor, large_update)
{
	write_data(CLASSES);
	write_model(plain, plain_loss, "", "sgd: {lr: 0.1, weight_decay: 5}");
	expect_only("large-update", 16, "update", 0.2, 1, "The steps are large",
	            "train.optimizer.sgd.weight_decay=0");
}

Test(doctor, small_update)
{
	write_data(NOISE);
	/* near its best from the start, so that no rate makes the loss fall */
	write_model("  - linear: {out: 16, init: he}\n"
	            "  - tanh\n"
	            "  - {linear: {out: 2, init: {normal: {std: 0.02}}}, as: logits}\n",
	            plain_loss, "", "adam: {lr: 1e-8}");
	cJSON *json = examine(scratch_path("sick.yaml"), "--quick");
	const cJSON *f = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(json, "findings"), 0);

	cr_expect_str_eq(text_of(f, "check"), "small-update");
	cr_expect(number_of(f, "update") > 1e-8 && number_of(f, "update") < 1e-6);
	cJSON_Delete(json);
}

Test(doctor, scale_of_inputs_and_targets)
{
	write_data(CLASSES);
	write_model(plain, plain_loss, "  map: {x: [{scale: 100}]}\n", sgd);
	cJSON *json = examine(scratch_path("sick.yaml"), "");
	const cJSON *findings = cJSON_GetObjectItemCaseSensitive(json, "findings"), *f = NULL;

	for (int k = 0; k < cJSON_GetArraySize(findings) && !f; k++)
		if (strcmp(text_of(cJSON_GetArrayItem(findings, k), "check"), "input-scale") == 0)
			f = cJSON_GetArrayItem(findings, k);
	cr_assert(f != NULL);
	cr_expect(number_of(f, "std") > 90 && number_of(f, "std") < 110);
	cr_expect_str_eq(text_of(f, "subject"), "x");
	/* whether 60 steps show that it helps depends on their rounding */
	cr_expect_eq(strncmp(text_of(f, "remedy"), "each column less its mean", 25), 0);
	cr_assert_eq(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(f, "set")), 1);
	cr_expect_str_eq(
	    cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(f, "set"), 0)->valuestring,
	    "data.map.x=[{scale: 100}, standardize]");
	cJSON_Delete(json);

	write_data(UNEVEN);
	write_model(plain, plain_loss, "", sgd);
	expect_only("input-scale", 3, "std", 0.8, 0.95, "of different size",
	            "data.map.x=[standardize]");

	write_data(LARGE_NUMBERS);
	write_model("  - linear: {out: 16, init: he}\n  - tanh\n  - {linear: 1, as: out}\n",
	            "l1_loss(out, y)", "", "sgd: {lr: 0.05}");
	expect_only("target-scale", 4, "mean", 2e5, 3e5, "Target 'y' is not normalised",
	            "data.map.y=[standardize]");
}

Test(doctor, data_that_cannot_teach)
{
	write_data(RARE);
	write_model(plain, plain_loss, "", "adam: {lr: 0.01}");
	expect_only("label-imbalance", 4, "least_share", 0.02, 0.02, "98 % of the samples", NULL);
	write_data(ONE_CLASS);
	expect_only("label-imbalance", 4, "most_share", 1, 1, "the same label", NULL);
	write_data(CONSTANT);
	expect_only("constant-input", 3, "constant", 1, 1, "1 of its 4 numbers", NULL);
	write_data(EQUAL);
	expect_only("equal-columns", 3, "equal", 1, 1, "Numbers 1 and 3", NULL);
	write_data(CLASSES);
	write_model(plain, plain_loss, "  map: {x: [{scale: 0}]}\n", sgd);
	expect_only("constant-input", 3, "constant", 4, 4, "the same in every sample: nothing",
	            NULL);
	write_model(plain, plain_loss, "  map: {x: [{scale: 1e300}, {scale: 1e300}]}\n", sgd);
	expect_only("nonfinite-input", 3, "samples", 390, 400, "hold a NaN or an infinity", NULL);
}

/* A run: at its trained weights, and what became of the first ones; nothing in its folder changes.
 */
Test(doctor, runs)
{
	const char *run = scratch_path("run");
	struct stat before, after;
	int status;

	free(output_of(&status,
	               "train configs/vanishing.yaml --run %s --quiet --set train.epochs=3", run));
	cr_assert_eq(status, 0);
	cr_assert_eq(stat(run, &before), 0);
	cJSON *json = examine(run, "");
	const cJSON *findings = cJSON_GetObjectItemCaseSensitive(json, "findings");

	cr_assert(cJSON_GetArraySize(findings) == 2);
	cr_expect_str_eq(text_of(cJSON_GetArrayItem(findings, 0), "check"), "nothing-learnt");
	cr_expect_str_eq(text_of(cJSON_GetArrayItem(findings, 1), "check"), "vanishing-gradient");
	cr_expect(*text_of(cJSON_GetArrayItem(findings, 1), "tried"));
	cr_expect(strstr(text_of(cJSON_GetArrayItem(findings, 1), "file"), "config.yaml"));
	cJSON_Delete(json);
	cr_assert_eq(stat(run, &after), 0);
	cr_expect(before.st_mtim.tv_sec == after.st_mtim.tv_sec &&
	          before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);

	/* which has learnt: that its sigmoids lie at their ends is how it says what it knows */
	run = scratch_path("beans");
	free(output_of(&status, "train configs/beans.yaml --run %s --quiet", run));
	cr_assert_eq(status, 0);
	expect_nothing(run);

	write_data(CLASSES);
	write_model("  - {linear: {out: 16, init: he}, lr_scale: 0}\n  - tanh\n  - {linear: 2, as: "
	            "logits}\n",
	            plain_loss, "", sgd);
	run = scratch_path("still");
	free(output_of(&status, "train %s --run %s --quiet", scratch_path("sick.yaml"), run));
	cr_assert_eq(status, 0);
	json = examine(run, "");
	findings = cJSON_GetObjectItemCaseSensitive(json, "findings");
	cr_assert_eq(cJSON_GetArraySize(findings), 1);
	cr_expect_str_eq(text_of(cJSON_GetArrayItem(findings, 0), "check"), "unmoved");
	cr_expect(
	    strstr(text_of(cJSON_GetArrayItem(findings, 0), "sentence"), "in the whole training"));
	cJSON_Delete(json);
}

static void expect_refusal(const char *command, const char *model, const char *words)
{
	int status;
	char *text;

	scratch_text("odd.yaml", model);
	text = output_of(&status, "%s %s", command, scratch_path("odd.yaml"));
	cr_expect(status == 2 && strstr(text, words), "status %d: %s", status, text);
	free(text);
}

Test(doctor, what_cannot_be_examined)
{
	int status;
	char *text;

	expect_refusal("doctor",
	               "version: 1\ninputs: {x: [B, 4]}\nmodel: [{linear: 3}]\n"
	               "data: {train: {format: table, columns: [x], rows: [[[1, 2, 3, 4]]]}}\n",
	               "has no 'loss'");
	expect_refusal("doctor",
	               "version: 1\ninputs: {x: [B, 1]}\nmodel: [{linear: 1}]\nloss: mean(prev)\n",
	               "odd.yaml");
	expect_refusal(
	    "doctor",
	    "version: 1\ninputs: {x: [B, 1]}\nmodel: [{linear: 1, as: y}]\nloss: mean(y**2)\n",
	    "declares no data.train");
	expect_refusal(
	    "doctor",
	    "version: 1\ninputs: {x: [B, 1]}\nmodel: [{linear: 1, as: y}]\nloss: mean(y**2)\n"
	    "data: {train: {format: table, columns: [x], rows: []}}\n",
	    "row");
	expect_refusal("lr",
	               "version: 1\ninputs: {x: [B, 1]}\nmodel: [{linear: 1, as: y}]\n"
	               "data: {train: {format: table, columns: [x], rows: [[[1]], [[2]]]}}\n",
	               "no 'loss'");
	expect_refusal(
	    "lr",
	    "version: 1\ninputs: {x: [B, 1]}\nmodel: [{linear: 1, as: y}]\nloss: mean(y**2)\n"
	    "data: {train: {format: table, columns: [x], rows: [[[1]], [[2]]]}}\n",
	    "no optimizer");
	expect_refusal("lr --from 1 --to 0.1", "version: 1\n", "the second larger");
	expect_refusal("lr -o plot.gif", "version: 1\n", "does not end in");
	text = output_of(&status, "doctor %s", scratch);
	cr_expect(status == 2 && strstr(text, "not the folder of a run"), "%s", text);
	free(text);
}

Test(doctor, status)
{
	int status;

	free(output_of(&status, "doctor configs/vanishing.yaml --quick"));
	cr_expect_eq(status, 0);
	free(output_of(&status, "doctor configs/vanishing.yaml --quick --strict"));
	cr_expect_eq(status, 1);
	free(output_of(&status, "doctor configs/digits.yaml --quick --strict"));
	cr_expect_eq(status, 0);
}

/* ---- learning rates -------------------------------------------------------------------------- */

Test(doctor, rates)
{
	int status;
	char *text = output_of(&status, "lr configs/digits.yaml --format json"), *again;
	cJSON *json = cJSON_Parse(text);
	const cJSON *points = cJSON_GetObjectItemCaseSensitive(json, "points");
	const cJSON *suggested = cJSON_GetObjectItemCaseSensitive(json, "suggested");
	const cJSON *end = cJSON_GetObjectItemCaseSensitive(json, "diverged_at");
	int n = cJSON_GetArraySize(points);

	cr_assert(json && status == 0, "%s", text);
	/* the file's 0.1 with momentum is near the least; the fall is steepest at a tenth of that
	 */
	cr_expect(suggested->valuedouble > 3e-3 && suggested->valuedouble < 0.1, "%g",
	          suggested->valuedouble);
	cr_expect(cJSON_IsNumber(end) && end->valuedouble > 0.3 && end->valuedouble < 10);
	for (int k = 1; k < n; k++) {
		double a =
		    cJSON_GetObjectItem(cJSON_GetArrayItem(points, k - 1), "lr")->valuedouble;
		double b = cJSON_GetObjectItem(cJSON_GetArrayItem(points, k), "lr")->valuedouble;

		cr_assert(fabs(b / a - pow(1e7, 1.0 / 199)) < 1e-9);
	}
	again = output_of(&status, "lr configs/digits.yaml --format json");
	cr_expect_str_eq(text, again, "the same each time");
	cJSON_Delete(json);
	free(again);
	free(text);

	/* rates that begin where the loss is NaN at once */
	write_data(CLASSES);
	write_model(plain, "cross_entropy(log(logits), y)", "", sgd);
	text = output_of(&status, "lr %s", scratch_path("sick.yaml"));
	cr_expect(status == 0 && strstr(text, "NaN or infinite before the first step"), "%s", text);
	free(text);
	/* labels that nothing can be learnt from */
	write_data(NOISE);
	write_model(plain, plain_loss, "", sgd);
	text = output_of(&status, "lr %s --plain --to 1e-3", scratch_path("sick.yaml"));
	cr_expect(status == 0 && strstr(text, "no suggestion"), "%s", text);
	for (const char *s = text; *s; s++)
		cr_assert(!((unsigned char)*s & 0x80), "--plain is ASCII");
	free(text);
	text = output_of(&status, "lr configs/iris_softmax.yaml -o %s", scratch_path("lr.svg"));
	cr_expect(status == 0 && strstr(text, "suggested: lr"), "%s", text);
	free(text);
	size_t size;
	text = scratch_read(scratch_path("lr.svg"), &size);
	cr_expect(strstr(text, "learning rate") && strstr(text, "iris-softmax"));
	free(text);
}
