/*
 * record: what a training records of its gradients, read back and drawn; pictures of steps; pages.
 */
#include "../models/scratch.h"
#include "autograd_model.h"
#include "edges.h"
#include "folder.h"
#include "pages.h"
#include "record.h"

#include <cjson/cJSON.h>
#include <dlfcn.h>
#include <math.h>
#include <sys/stat.h>
#include <sys/wait.h>

TestSuite(record, .init = scratch_open, .fini = scratch_close);

/* A net of all that could go wrong when its batch is evaluated again: dropout, running statistics, a weight
 * used twice, a last batch that is smaller than the others. */
static const char net[] =
    "version: 1\nname: net\n"
    "inputs: {x: [B, 2], y: {shape: [B], dtype: i32, role: target}}\n"
    "model:\n"
    "  - linear: {out: 8, init: xavier}\n"
    "  - batch_norm\n"
    "  - tanh\n"
    "  - dropout: 0.5\n"
    "  - chain: [{linear: {out: 8, init: xavier}}, relu]\n"
    "    repeat: 2\n"
    "  - linear: {out: 3, init: xavier}\n"
    "    as: logits\n"
    "loss: cross_entropy(logits, y)\n"
    "data:\n"
    "  train: {format: spirals, n: 70, classes: 3}\n"
    "  batch: 16\n"
    "train:\n"
    "  epochs: 3\n  seed: 3\n"
    "  optimizer: {sgd: {lr: 0.1, momentum: 0.9}}\n";

static ad_model *open_net(const char *more)
{
	char text[4096];
	ad_model *m;

	snprintf(text, sizeof text, "%s%s", net, more);
	m = ad_model_open(scratch_text("m.yaml", text), 0, NULL);
	cr_assert(m);
	if (ad_model_errors(m) > 0)
		ad_model_messages(m, stderr, false);
	cr_assert_eq(ad_model_errors(m), 0);
	return m;
}

static void train(const char *more, const char *run, void (*draw)(void *, ad_model *, const char *, int64_t),
                  void *context)
{
	ad_train_options o = { .run = scratch_path(run), .draw = draw, .context = context };
	ad_model *m = open_net(more);
	char error[512] = "";

	cr_assert_eq(ad_model_train(m, &o, error, sizeof error), AD_RUN_DONE, "%s", error);
	ad_model_close(m);
}

static struct record *open_record(const char *run)
{
	char error[512] = "";
	struct record *r = record_open(scratch_path(run), error, sizeof error);

	cr_assert(r, "%s", error);
	return r;
}

/* Line `number`, from 1, of a file of the scratch folder as JSON, which is strict about NaN. */
static cJSON *line_of(const char *path, int number)
{
	FILE *file = fopen(scratch_path(path), "r");
	char *line = NULL;
	size_t size = 0;
	cJSON *tree;

	cr_assert(file, "%s", path);
	while (number-- > 0)
		cr_assert(getline(&line, &size, file) > 0);
	fclose(file);
	tree = cJSON_Parse(line);
	cr_assert(tree, "%s", line);
	free(line);
	return tree;
}

static char *text_of(const char *path)
{
	size_t size;

	return scratch_read(scratch_path(path), &size);
}

static size_t count(const char *text, const char *piece)
{
	size_t n = 0;

	for (const char *at = text; (at = strstr(at, piece)); at += strlen(piece))
		n++;
	return n;
}

/* ---- what is recorded --------------------------------------------------------------------------- */

/* A step as the copy saw it. */
struct seen {
	int n;
	double loss[64];
	int64_t step[64];
};

static void see(void *context, ad_model *copy, const char *folder, int64_t step)
{
	struct seen *s = context;
	struct edges edges;
	struct measure m;
	size_t bad = 0;

	s->step[s->n] = step;
	s->loss[s->n++] = ad_item(copy->active->loss);
	/* Everything is kept, and what a node's uses contribute adds up to its gradient. */
	cr_assert(edges_list(copy->active->loss, &edges));
	for (size_t k = 0; k < edges.n; k++)
		bad += edges.of[k].input >= 0 && ad_use_gradient(edges.of[k].node, edges.of[k].input) &&
		       !measure_node(ad_use_gradient(edges.of[k].node, edges.of[k].input), &m);
	cr_expect_eq(bad, 0);
	edges_free(&edges);
}

/* The copy has the batch, the weights and the random numbers of the step: its loss is that of the training,
 * and the gradients of its weights are those that moved them. */
static void expect_same(const char *precision, double tolerance)
{
	struct seen seen = { 0 };
	struct record *r;
	char more[256];
	int steps = 0;

	snprintf(more, sizeof more, "  precision: %s\n  gradients: {every: 1 step, draw: true}\n", precision);
	train(more, precision, see, &seen);
	r = open_record(precision);
	cr_assert_eq(record_steps(r), 15);
	cr_expect_str_eq(record_note(r), "");
	cr_assert_eq(seen.n, 15);
	for (size_t k = 0; k < record_steps(r); k++) {
		struct record_step s = record_step(r, k);
		char path[64], key[128];
		cJSON *line, *list, *weights, *edges;

		cr_expect_eq(s.step, (int64_t)k + 1);
		cr_expect_eq(seen.step[k], s.step);
		cr_expect_float_eq(seen.loss[k], s.loss, tolerance, "step %d: %.17g %.17g", (int)s.step,
		                   seen.loss[k], s.loss);
		cr_expect_eq(s.rows, k % 5 == 4 ? 6 : 16);
		cr_expect(s.edges && s.reference > 0 && s.rate == 0.1);
		snprintf(path, sizeof path, "%s/gradients.jsonl", precision);
		line = line_of(path, (int)k + 1);
		snprintf(path, sizeof path, "%s/gradients-edges.jsonl", precision);
		list = cJSON_GetObjectItem(line_of(path, 1), "edges");
		weights = cJSON_GetObjectItem(line, "weights");
		edges = cJSON_GetObjectItem(line, "edges");
		for (int j = 0; j < cJSON_GetArraySize(list); j++) {
			const char *name = cJSON_GetArrayItem(list, j)->valuestring;
			const cJSON *row;

			/* "linear.linear:1" reads "linear.weight" */
			if (strcmp(name, "linear.linear:1") != 0 && strcmp(name, "logits.linear:1") != 0)
				continue;
			snprintf(key, sizeof key, "%.6s.weight", name);
			row = cJSON_GetObjectItem(weights, key);
			cr_assert(row, "%s", key);
			cr_expect_float_eq(
			    cJSON_GetArrayItem(cJSON_GetObjectItem(edges, "rms"), j)->valuedouble /
			        cJSON_GetObjectItem(row, "gradient")->valuedouble,
			    1, 1e-4, "%s in step %d", key, (int)s.step);
			steps++;
		}
		cJSON_Delete(line);
	}
	cr_expect_eq(steps, 2 * 15);
	record_close(r);
}

Test(record, a_step_is_evaluated_again_with_all_that_it_had)
{
	expect_same("f64", 1e-12);
	expect_same("f32", 1e-5);
}

/* Bit for bit, also with several batches a step. */
Test(record, a_training_is_the_same_with_and_without)
{
	static const char *const ways[] = { "", "  accumulate: 2\n", "  precision: f64\n" };

	for (size_t k = 0; k < sizeof ways / sizeof *ways; k++) {
		char more[256], a[64], b[64];
		size_t sizes[2];
		char *files[2];

		snprintf(a, sizeof a, "without-%zu", k);
		snprintf(b, sizeof b, "with-%zu", k);
		train(ways[k], a, NULL, NULL);
		snprintf(more, sizeof more, "%s  gradients: {every: 2 steps, draw: true}\n", ways[k]);
		train(more, b, NULL, NULL);
		snprintf(a, sizeof a, "without-%zu/last.safetensors", k);
		snprintf(b, sizeof b, "with-%zu/last.safetensors", k);
		files[0] = scratch_read(scratch_path(a), &sizes[0]);
		files[1] = scratch_read(scratch_path(b), &sizes[1]);
		cr_expect(sizes[0] > 200 && sizes[0] == sizes[1] && !memcmp(files[0], files[1], sizes[0]));
		free(files[0]);
		free(files[1]);
	}
}

/* The training flushes what is smaller than the smallest normal number, the record shows it. */
Test(record, a_vanishing_gradient_is_not_flushed)
{
	static const char deep[] =
	    "version: 1\nname: deep\ninputs: {x: [B, 2]}\nmodel:\n"
	    "  - chain: [{linear: {out: 2, init: {normal: {std: 0.05}}}}, sigmoid]\n    repeat: 22\n"
	    "  - linear: {out: 1, init: xavier}\n    as: y\n"
	    "loss: mean(y**2)\n"
	    "data: {train: {format: moons, n: 8}, batch: 8}\n"
	    "train: {steps: 1, optimizer: {sgd: 0.1}, gradients: {every: 1 step}}\n";
	ad_model *m = ad_model_open(scratch_text("deep.yaml", deep), 0, NULL);
	ad_train_options o = { .run = scratch_path("deep") };
	char error[512] = "";
	cJSON *line, *list, *edges;
	double first = 1;

	if (ad_model_errors(m) > 0)
		ad_model_messages(m, stderr, false);
	cr_assert_eq(ad_model_errors(m), 0);
	cr_assert_eq(ad_model_train(m, &o, error, sizeof error), AD_RUN_DONE, "%s", error);
	ad_model_close(m);
	line = line_of("deep/gradients.jsonl", 1);
	list = cJSON_GetObjectItem(line_of("deep/gradients-edges.jsonl", 1), "edges");
	edges = cJSON_GetObjectItem(line, "edges");
	for (int k = 0; k < cJSON_GetArraySize(list); k++)
		if (!strcmp(cJSON_GetArrayItem(list, k)->valuestring, "chain[0].linear.linear:1"))
			first = cJSON_GetArrayItem(cJSON_GetObjectItem(edges, "rms"), k)->valuedouble;
	cr_expect(first > 0 && first < 0x1p-126, "%g", first);
	cJSON_Delete(line);
}

/* A net of more edges than are recorded: those between modules are, and of all weights their gradients. */
Test(record, a_large_net_is_recorded_by_module)
{
	static const char large[] =
	    "version: 1\nname: large\ninputs: {x: [B, 2]}\nmodel:\n"
	    "  - chain: [{linear: {out: 2, init: xavier}}, sigmoid, tanh, gelu, softplus]\n    repeat: 300\n"
	    "  - linear: {out: 1, init: xavier}\n    as: y\n"
	    "loss: mean(y**2)\n"
	    "data: {train: {format: moons, n: 8}, batch: 8}\n"
	    "train: {steps: 1, optimizer: {sgd: 0.1}, gradients: {every: 1 step}}\n";
	ad_model *m = ad_model_open(scratch_text("large.yaml", large), 0, NULL);
	ad_train_options o = { .run = scratch_path("large") };
	char error[512] = "", *text;
	struct record_weight w;
	struct record *r;
	cJSON *line;

	cr_assert_eq(ad_model_errors(m), 0);
	cr_assert_eq(ad_model_train(m, &o, error, sizeof error), AD_RUN_DONE, "%s", error);
	ad_model_close(m);
	text = text_of("large/gradients-edges.jsonl");
	cr_expect(strstr(text, "\"chain[200].linear.linear:0\""), "what enters a module");
	cr_expect_not(strstr(text, "\"chain[200].sigmoid:0\""), "what stays in one");
	free(text);
	line = line_of("large/gradients.jsonl", 1);
	cr_expect_leq(cJSON_GetArraySize(cJSON_GetObjectItem(cJSON_GetObjectItem(line, "edges"), "rms")),
	              MOST_EDGES);
	cr_expect_gt(cJSON_GetObjectItem(line, "left_out")->valuedouble, 1000);
	cJSON_Delete(line);
	r = open_record("large");
	cr_expect_eq(record_weights(r), 602);
	cr_expect(record_weight(r, 0, 601, &w) && w.gradient > 0);
	record_close(r);
}

/* A training that ends by a NaN has its last step recorded, with where it began. */
Test(record, where_a_nan_begins)
{
	static const char bad[] = "version: 1\nname: bad\nweights: {w: 3}\n"
	                          "model: {z: w - 2, d: log(z)}\nloss: d**2 + w\n"
	                          "train: {epochs: 9, optimizer: {sgd: 2}, gradients: {every: 2 steps}}\n";
	ad_model *m = ad_model_open(scratch_text("bad.yaml", bad), 0, NULL);
	ad_train_options o = { .run = scratch_path("bad") };
	char error[512] = "", *text;
	struct record_step last;
	struct record *r;

	if (ad_model_errors(m) > 0)
		ad_model_messages(m, stderr, false);
	cr_assert_eq(ad_model_errors(m), 0);
	cr_assert_eq(ad_model_train(m, &o, error, sizeof error), AD_RUN_DIVERGED, "%s", error);
	ad_model_close(m);
	r = open_record("bad");
	last = record_step(r, record_steps(r) - 1);
	cr_expect(isnan(last.loss) && last.step == 2);
	record_close(r);
	text = text_of("bad/gradients.jsonl");
	cr_expect(strstr(text, "\"first_nan\":\"log:0\"") && strstr(text, "\"loss\":\"NaN\""), "%s", text);
	free(text);
}

/* ---- records by hand ------------------------------------------------------------------------------ */

static const char tiny[] = "version: 1\nname: tiny\ninputs: {x: [B, 2]}\nmodel:\n"
                           "  - chain: [{linear: {out: 2, init: xavier}}, relu]\n    repeat: 2\n"
                           "  - linear: {out: 1, init: xavier}\n    as: y\nloss: mean(y**2)\n";

/* Adds records to a run of a model: in the step of number n, counted from 1, the gradient of the edge of
 * number k is scale * base^k. */
static void write_run(const char *name, const char *model, int64_t step, double scale, double base)
{
	const char *run = scratch_path(name);
	struct run_folder f = { .path = strdup(run) };
	struct flow_result flow = { .loss = 0.5, .reference = 0.25, .rows = 4 };
	struct measure measures[64] = { { 0 } };
	const char *keys[64];
	struct gradient_row rows[16] = { { 0 } };
	struct gradient_record r = { .step = step, .epoch = 1, .loss = 0.5, .rate = 0.1, .rows = rows, .flow = &flow };
	char path[64], error[512] = "";
	struct edges edges;
	struct instance *in;
	ad_model *m;

	mkdir(run, 0777);
	snprintf(path, sizeof path, "%s/config.yaml", name);
	m = ad_model_open(scratch_text(path, model), 0, NULL);
	cr_assert_eq(ad_model_errors(m), 0);
	in = any_batch(m, true, error, sizeof error);
	cr_assert(in && edges_list(in->loss, &edges), "%s", error);
	cr_assert(edges.n <= 64 && m->n_weights <= 16);
	for (size_t k = 0; k < edges.n; k++) {
		keys[k] = edges.of[k].key;
		measures[k] = (struct measure){ scale * pow(base, (double)k), 0.125, 1, 0.5 };
	}
	flow.n = edges.n;
	flow.keys = keys;
	flow.of = measures;
	for (int k = 0; k < m->n_weights; k++)
		rows[r.n_rows++] = (struct gradient_row){ m->weights[k].path, { scale, 0, scale, 0 }, 2, 0.001 };
	cr_assert(folder_gradients(&f, &r, error, sizeof error), "%s", error);
	folder_close(&f);
	edges_free(&edges);
	ad_model_close(m);
}

static char *drawing(struct record *r, size_t k, struct record *before, size_t j, ad_model *m,
                     ad_draw_options how)
{
	char error[512] = "", *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	how.step = -1;
	cr_assert(to);
	cr_assert(record_draw(r, k, before, j, m, &how, to, error, sizeof error), "%s", error);
	fclose(to);
	return text;
}

static void expect_golden(const char *name, const char *text)
{
	char path[128], *golden = calloc(1, 1 << 20);
	FILE *file;

	snprintf(path, sizeof path, "tests/tools/%s", name);
	if (getenv("GOLDEN")) {
		file = fopen(path, "w");
		cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
	}
	file = fopen(path, "r");
	cr_assert(file && golden, "%s", path);
	cr_expect_lt(fread(golden, 1, (1 << 20) - 1, file), (1 << 20) - 1);
	fclose(file);
	cr_expect(!strcmp(golden, text), "%s differs:\n%s", path, text);
	free(golden);
}

Test(record, golden_views)
{
	const ad_draw_options dot = { .form = AD_DRAW_DOT }, text = { .form = AD_DRAW_TEXT };
	struct record *r;
	ad_model *m;
	char *s;

	write_run("tiny", tiny, 1, 1, 0.25);
	write_run("tiny", tiny, 20, 0.5, 0.5);
	r = open_record("tiny");
	m = ad_model_open(scratch_path("tiny/config.yaml"), 0, NULL);
	cr_assert(record_steps(r) == 2 && record_step(r, 1).edges);
	s = drawing(r, 0, NULL, 0, m, dot);
	expect_golden("record_step.dot", s);
	free(s);
	s = drawing(r, 1, r, 0, m, dot);
	expect_golden("record_diff.dot", s);
	free(s);
	s = drawing(r, 1, r, 0, m, text);
	expect_golden("record_diff.txt", s);
	free(s);
	s = drawing(r, 1, NULL, 0, m, (ad_draw_options){ .form = AD_DRAW_JSON });
	expect_golden("record_step.json", s);
	free(s);
	record_close(r);
	ad_model_close(m);
}

/* All options choose by what is recorded. */
Test(record, options_hold_for_records)
{
	struct record *r;
	ad_model *m;
	char *s;

	write_run("tiny", tiny, 1, 1, 0.25);
	r = open_record("tiny");
	m = ad_model_open(scratch_path("tiny/config.yaml"), 0, NULL);
	s = drawing(r, 0, NULL, 0, m, (ad_draw_options){ .form = AD_DRAW_TEXT, .only = 1u << AD_CLASS_VANISHING });
	cr_expect(strstr(s, "vanishing") && strstr(s, "left out"), "%s", s);
	free(s);
	s = drawing(r, 0, NULL, 0, m, (ad_draw_options){ .around = "chain[1].relu", .radius = 1 });
	cr_expect(strstr(s, "relu") && strstr(s, "more nodes are left out"));
	free(s);
	s = drawing(r, 0, NULL, 0, m, (ad_draw_options){ .form = AD_DRAW_TEXT, .stat = AD_STAT_RATIO });
	cr_expect(strstr(s, "1.0e-3"), "the update that was recorded: %s", s);
	free(s);
	s = drawing(r, 0, NULL, 0, m, (ad_draw_options){ .mono = true });
	cr_expect_not(strstr(s, "#08519c"));
	free(s);
	record_close(r);
	ad_model_close(m);
}

/* Of two records of equal numbers the change is none, of a hundredth it is that. */
Test(record, changes_are_factors)
{
	struct record *a, *b;
	char error[512] = "", *s;
	ad_model *m;
	FILE *nowhere = fopen("/dev/null", "w");

	write_run("a", tiny, 5, 1, 0.5);
	write_run("b", tiny, 7, 0.01, 0.5);
	write_run("other", "version: 1\nname: other\ninputs: {x: [B, 2]}\nmodel:\n"
	                   "  - linear: {out: 1, init: xavier}\n    as: y\nloss: mean(y**2)\n", 7, 1, 1);
	a = open_record("a");
	b = open_record("b");
	m = ad_model_open(scratch_path("b/config.yaml"), 0, NULL);
	s = drawing(b, 0, a, 0, m, (ad_draw_options){ .form = AD_DRAW_TEXT });
	cr_expect_eq(count(s, "1/100"), count(s, "much-smaller") - 5, "%s", s);
	cr_expect(strstr(s, "/a, step 5, to ") && strstr(s, "/b, step 7"), "%s", s);
	free(s);
	s = drawing(b, 0, b, 0, m, (ad_draw_options){ .form = AD_DRAW_TEXT });
	cr_expect(strstr(s, "equal") && !strstr(s, "smaller") && !strstr(s, "larger"), "%s", s);
	free(s);
	record_close(a);
	a = open_record("other");
	cr_expect_not(record_draw(b, 0, a, 0, m, NULL, nowhere, error, sizeof error));
	cr_expect(strstr(error, "differ in structure: '") && strstr(error, "compare runs of the same model"), "%s",
	          error);
	fclose(nowhere);
	record_close(a);
	record_close(b);
	ad_model_close(m);
}

/* ---- reading back ----------------------------------------------------------------------------------- */

static void write_file(const char *name, const char *text)
{
	mkdir(scratch_path("r"), 0777);
	scratch_text(name, text);
}

Test(record, lines_are_read_back)
{
	struct record_weight w;
	struct record *r;

	write_file("r/gradients-edges.jsonl", "{\"edges\":[\"b:0\",\"a:0\"]}\n");
	write_file("r/gradients.jsonl",
	           "{\"step\":200,\"epoch\":2,\"loss\":\"NaN\",\"rate\":0.1,\"weights\":{\"w\":{\"gradient\":"
	           "\"Infinity\",\"mean\":null,\"update\":0.5}}}\n"
	           "{\"step\":100,\"epoch\":1,\"loss\":2.5,\"rows\":8,\"weights\":{\"v\":{\"gradient\":1},"
	           "\"w\":{\"gradient\":2,\"zeros\":0.25}},\"edges\":{\"of\":0,\"rms\":[1,2],\"mean\":[0,0],"
	           "\"max\":[1,2],\"zeros\":[0,1]}}\n"
	           "no JSON\n"
	           "{\"step\":200,\"epoch\":3,\"weights\":{\"w\":{\"gradient\":7}}}\n"
	           "{\"step\":300,\"epoch\":3,\"wei");
	r = open_record("r");
	cr_assert_eq(record_steps(r), 2);
	cr_expect_eq(record_step(r, 0).step, 100);
	cr_expect(record_step(r, 0).loss == 2.5 && record_step(r, 0).rows == 8 && record_step(r, 0).edges);
	cr_expect(record_step(r, 1).epoch == 3 && !record_step(r, 1).edges, "the later of two lines holds");
	cr_expect(isnan(record_step(r, 1).loss));
	cr_expect_eq(record_weights(r), 2);
	cr_expect(record_weight(r, 0, 0, &w) && w.gradient == 2 && w.zeros == 0.25 && isnan(w.update));
	cr_expect(record_weight(r, 1, 0, &w) && w.gradient == 7);
	cr_expect_not(record_weight(r, 1, 1, &w));
	cr_expect(record_at(r, 0) == 0 && record_at(r, 199) == 0 && record_at(r, 200) == 1 &&
	          record_at(r, INT64_MAX) == 1);
	cr_expect_str_eq(record_note(r), "gradients.jsonl: 2 lines, the first of them 3, are no records and left out");
	record_close(r);
}

Test(record, a_last_line_that_is_cut_off_is_left_out)
{
	struct record *r;
	char *whole, *cut;
	size_t first;

	write_run("tiny", tiny, 1, 1, 0.5);
	write_run("tiny", tiny, 2, 1, 0.5);
	whole = text_of("tiny/gradients.jsonl");
	first = (size_t)(strchr(whole, '\n') - whole) + 1;
	/* Here and there in the line. */
	for (size_t size = strlen(whole) - 2; size > first; size -= size > first + 29 ? 29 : 1) {
		cut = strndup(whole, size);
		scratch_text("tiny/gradients.jsonl", cut);
		r = open_record("tiny");
		cr_expect_eq(record_steps(r), 1);
		cr_expect_str_eq(record_note(r), "gradients.jsonl:2: the line is cut off and left out");
		record_close(r);
		free(cut);
	}
	/* A training that goes on has cut it off before it writes the next; its edges are in the list that is there. */
	cut = strndup(whole, first);
	scratch_text("tiny/gradients.jsonl", cut);
	free(cut);
	free(whole);
	write_run("tiny", tiny, 3, 1, 0.5);
	r = open_record("tiny");
	cr_expect_eq(record_steps(r), 2);
	cr_expect(record_step(r, 1).step == 3 && record_step(r, 1).edges);
	cr_expect_str_eq(record_note(r), "");
	record_close(r);
	whole = text_of("tiny/gradients-edges.jsonl");
	cr_expect_eq(strchr(whole, '\n'), whole + strlen(whole) - 1, "one list: %s", whole);
	free(whole);
}

/* Edges that do not fit their list, and lists that are not there, are left out: of the step the weights are
 * known. */
Test(record, edges_that_do_not_fit)
{
	static const char *const edges[] = { "{\"of\":7,\"rms\":[]}", "{\"of\":-1}", "{\"of\":0,\"rms\":[1,2,3,4]}",
		                             "{\"of\":\"0\"}", "[]", "null", "{\"of\":1e300}" };

	write_file("r/gradients-edges.jsonl", "{\"edges\":[\"b:0\",3]}\n[]\n{\"edges\":\n");
	for (size_t k = 0; k < sizeof edges / sizeof *edges; k++) {
		char line[256];
		struct record *r;

		snprintf(line, sizeof line, "{\"step\":1,\"weights\":{\"w\":{\"gradient\":1}},\"edges\":%s}\n",
		         edges[k]);
		write_file("r/gradients.jsonl", line);
		r = open_record("r");
		cr_expect(record_steps(r) == 1 && !record_step(r, 0).edges, "%s", edges[k]);
		cr_expect(strstr(record_note(r), "left out; gradients.jsonl: the edges of 1 of 1 records fit no line of "
		                                 "gradients-edges.jsonl: only their weights are shown"),
		          "%s", record_note(r));
		record_close(r);
	}
}

/* A size below 0 is none: it is not drawn as a width of NaN. */
Test(record, sizes_below_0)
{
	struct record *r;
	struct record_weight w;

	write_file("r/gradients-edges.jsonl", "{\"edges\":[\"b:0\"]}\n");
	write_file("r/gradients.jsonl",
	           "{\"step\":1,\"reference\":-1,\"weights\":{\"w\":{\"gradient\":-1,\"mean\":-2,\"max\":-3,\"zeros\":-4,"
	           "\"value\":-5,\"update\":-6}},\"edges\":{\"of\":0,\"rms\":[-1],\"mean\":[-1],\"max\":[-1],"
	           "\"zeros\":[-1]}}\n");
	r = open_record("r");
	cr_expect(isnan(record_step(r, 0).reference) && record_step(r, 0).edges);
	cr_expect(record_weight(r, 0, 0, &w) && isnan(w.gradient) && w.mean == -2 && isnan(w.max));
	cr_expect(isnan(w.zeros) && isnan(w.value) && isnan(w.update));
	record_close(r);
}

Test(record, names_as_an_enemy_would_choose_them)
{
	struct run_folder f = { .path = strdup(scratch_path("evil")) };
	const char *keys[] = { "\"},{\"", "\\", "\n\x01", "</script>", "" };
	struct measure of[5] = { { NAN, NAN, NAN, 0 }, { INFINITY, INFINITY, INFINITY, 1 } };
	struct flow_result flow = { .n = 5, .keys = keys, .of = of, .first_nan = "\"\\\"" };
	struct gradient_row rows[] = { { "\",\"step\":9,\"", { 1, 2, 3, 0 }, 1, INFINITY },
		                       { "w", { NAN, NAN, NAN, 0 }, -0.0, NAN } };
	struct gradient_record r = { .step = 1, .loss = -INFINITY, .n_rows = 2, .rows = rows, .flow = &flow };
	struct record_weight w;
	struct record *back;
	char error[512];

	mkdir(f.path, 0777);
	cr_assert(folder_gradients(&f, &r, error, sizeof error), "%s", error);
	folder_close(&f);
	cJSON_Delete(line_of("evil/gradients.jsonl", 1));
	cJSON_Delete(line_of("evil/gradients-edges.jsonl", 1));
	back = open_record("evil");
	cr_expect_str_eq(record_note(back), "");
	cr_expect(record_steps(back) == 1 && record_step(back, 0).step == 1 && record_step(back, 0).edges);
	cr_expect_eq(record_step(back, 0).loss, -INFINITY);
	cr_assert_eq(record_weights(back), 2);
	cr_expect_str_eq(record_weight_path(back, 0), rows[0].path);
	cr_expect(record_weight(back, 0, 0, &w) && isinf(w.update) && w.max == 3);
	cr_expect(record_weight(back, 0, 1, &w) && isnan(w.gradient) && isnan(w.update));
	record_close(back);
}

Test(record, what_cannot_be_read_is_said)
{
	char error[512] = "";

	cr_expect_not(record_open(scratch_path("nowhere"), error, sizeof error));
	cr_expect(strstr(error, "cannot be read: No such file or directory"), "%s", error);
	mkdir(scratch_path("none"), 0777);
	cr_expect_not(record_open(scratch_path("none"), error, sizeof error));
	cr_expect(strstr(error, "none' has no record of gradients: train it with 'gradients' in 'train': "
	                        "--set 'train.gradients={every: 200 steps}'"), "%s", error);
	write_file("r/gradients.jsonl", "");
	cr_expect_not(record_open(scratch_path("r"), error, sizeof error));
	cr_expect(strstr(error, "is empty: train it with"), "%s", error);
	write_file("r/gradients.jsonl", "{");
	cr_expect_not(record_open(scratch_path("r"), error, sizeof error));
	cr_expect(strstr(error, "is empty: gradients.jsonl:1: the line is cut off"), "%s", error);
}

/* ---- the command --------------------------------------------------------------------------------------- */

/* Runs the command in the scratch folder; returns its status, and what it said on both streams. */
static int command(char said[4096], const char *line)
{
	const char *binary = getenv("AUTOGRAD_BIN");
	char *path = realpath(binary ? binary : "build/autograd", NULL), all[1024];
	size_t n;
	FILE *out;
	int status;

	cr_assert(path, "build the command or set AUTOGRAD_BIN");
	snprintf(all, sizeof all, "cd '%s' && '%s' %s 2>&1", scratch, path, line);
	free(path);
	out = popen(all, "r");
	cr_assert(out);
	n = fread(said, 1, 4095, out);
	said[n] = '\0';
	while (fgetc(out) != EOF)
		;
	status = pclose(out);
	cr_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

Test(record, the_command_draws_steps)
{
	char said[4096];

	write_run("tiny", tiny, 10, 1, 0.5);
	write_run("tiny", tiny, 20, 2, 0.5);
	write_run("other", tiny, 20, 20, 0.5);
	cr_expect_eq(command(said, "draw tiny --step 10 --text"), 0, "%s", said);
	cr_expect(strstr(said, "tiny  step 10  loss 0.5  gradient at the output 0.25\nname"), "%s", said);
	cr_expect_eq(command(said, "draw tiny --step 19 --text"), 0);
	cr_expect(strstr(said, "step 10  ") && strstr(said, "step 19 was not recorded; the last one before it is 10"),
	          "%s", said);
	cr_expect_eq(command(said, "draw tiny --step 3 -f json"), 0);
	cr_expect(strstr(said, "\"note\": \"step 3 was not recorded; the first one is 10\""), "%s", said);
	cr_expect_eq(command(said, "draw tiny --diff 10 20 --text"), 0);
	cr_expect(strstr(said, "from step 10 to step 20\n") && strstr(said, "2.0\xc3\x97"), "%s", said);
	cr_expect_eq(command(said, "draw --diff tiny other --text --only larger"), 0);
	cr_expect(strstr(said, "10\xc3\x97") && strstr(said, "from tiny, step 20, to other, step 20"), "%s", said);
	cr_expect_eq(command(said, "draw --diff tiny other --step 10 -o d.dot"), 0, "%s", said);
	cr_expect_eq(command(said, "draw tiny --step ten --text"), 2);
	cr_expect(strstr(said, "--step wants the number of a step, not 'ten'"), "%s", said);
	cr_expect_eq(command(said, "draw m.yaml --step 1 --text"), 2);
	cr_expect(strstr(said, "--step is of runs, which record steps; 'm.yaml' is no folder of one"), "%s", said);
	cr_expect_eq(command(said, "draw tiny --diff 10 --text"), 2);
	cr_expect(strstr(said, "--diff wants two steps of a run, RUN --diff 200 1200, or two runs"), "%s", said);
	cr_expect_eq(command(said, "draw tiny other --step 10 --text"), 2);
	cr_expect(strstr(said, "'other' is one argument too many"), "%s", said);
	cr_expect_eq(command(said, "draw tiny --step 10 --view circuit -o -"), 2);
	cr_expect_eq(command(said, "draw tiny --diff 10 20 --only weak --text"), 2);
	cr_expect(strstr(said, "of a change they are nan, much-larger,"), "%s", said);
}

/* A run whose config.yaml was changed after it: what its model lacks is said, not left out in silence. */
Test(record, a_config_that_was_changed)
{
	char said[4096];

	write_run("tiny", tiny, 10, 1, 0.5);
	cr_expect_eq(command(said, "draw tiny --step 10 --text"), 0, "%s", said);
	cr_expect_not(strstr(said, "are not in this model"), "%s", said);
	scratch_text("tiny/config.yaml", "version: 1\nname: tiny\ninputs: {x: [B, 2]}\nmodel:\n"
	                                 "  - linear: {out: 1, init: xavier}\n    as: y\nloss: mean(y**2)\n");
	cr_expect_eq(command(said, "draw tiny --step 10 --text"), 0, "%s", said);
	cr_expect(strstr(said, " recorded gradients are not in this model: config.yaml or the data was changed since"),
	          "%s", said);
}

Test(record, watch_draws_all_steps)
{
	char said[4096], *page;
	struct stat s;

	write_run("tiny", tiny, 10, 1, 0.5);
	write_run("tiny", tiny, 2000000, 2, 0.5);
	cr_expect_eq(command(said, "draw tiny --watch"), 0, "%s", said);
	cr_expect_str_eq(said, "steps: tiny/grad/index.html\n");
	cr_expect(stat(scratch_path("tiny/grad/step-000010.svg"), &s) == 0 && s.st_size > 1000);
	cr_expect(stat(scratch_path("tiny/grad/step-2000000.svg"), &s) == 0 && s.st_size > 1000);
	page = text_of("tiny/grad/index.html");
	cr_expect(strstr(page, "const steps = [10, 2000000];"), "%s", page);
	cr_expect_not(strstr(page, "http"), "no network");
	free(page);
	cr_expect_eq(command(said, "draw tiny --watch --text"), 2);
}

/* A training draws its steps; without dot it writes what dot would read, and says so once. */
Test(record, a_training_draws_its_steps)
{
	char said[4096], text[4096];
	struct stat s;

	snprintf(text, sizeof text, "%s  gradients: {every: 4 steps, draw: true}\n", net);
	scratch_text("net.yaml", text);
	cr_expect_eq(command(said, "train net.yaml -q --run with"), 0, "%s", said);
	cr_expect(strstr(said, "steps: with/grad/index.html\n"), "%s", said);
	cr_expect_eq(stat(scratch_path("with/grad/step-000004.svg"), &s), 0);
	cr_expect_eq(stat(scratch_path("with/grad/step-000015.svg"), &s), 0, "the last one");
	setenv("AUTOGRAD_DOT", "/nonexistent/dot", 1);
	cr_expect_eq(command(said, "train net.yaml --run without"), 0, "%s", said);
	unsetenv("AUTOGRAD_DOT");
	cr_expect_eq(count(said, "note: the gradients of steps are written as .dot files: "), 1, "%s", said);
	cr_expect_eq(stat(scratch_path("without/grad/step-000015.dot"), &s), 0);
	cr_expect_neq(stat(scratch_path("without/grad/index.html"), &s), 0);
}

/* ---- pages ----------------------------------------------------------------------------------------------- */

typedef struct parser parser;

static struct {
	parser *(*create)(const char *encoding);
	void (*free)(parser *);
	int (*parse)(parser *, const char *text, int n, int last);
	void (*set_elements)(parser *, void (*)(void *, const char *, const char **), void (*)(void *, const char *));
} xml;

static void open_parser(void)
{
	static const char *const names[] = { "XML_ParserCreate", "XML_ParserFree", "XML_Parse",
		                             "XML_SetElementHandler" };
	void *library = dlopen("libexpat.so.1", RTLD_NOW);

	cr_assert(library, "%s", dlerror());
	for (size_t k = 0; k < 4; k++) {
		void *at = dlsym(library, names[k]);

		cr_assert(at, "%s", names[k]);
		memcpy((char *)&xml + k * sizeof at, &at, sizeof at);
	}
}

static const char *folder_of_pages;
static size_t links, dead_links, scripts;

static void start_element(void *data, const char *name, const char **attributes)
{
	char path[256];

	scripts += !strcmp(name, "script");
	for (; *attributes; attributes += 2) {
		if (strcmp(attributes[0], "href") != 0 && strcmp(attributes[0], "xlink:href") != 0)
			continue;
		snprintf(path, sizeof path, "%s/%.100s", folder_of_pages, attributes[1]);
		links++;
		dead_links += access(path, R_OK) != 0 || strchr(attributes[1], '/') != NULL;
	}
}

static void end_element(void *data, const char *name)
{
}

/* Whether all pages of a folder are well-formed, and all that they link to is there; returns how many. */
static size_t check_pages(const char *folder)
{
	size_t n = 0;

	open_parser();
	folder_of_pages = folder;
	links = dead_links = scripts = 0;
	for (size_t k = 0; k < 400; k++) {
		char path[256], name[32], *text;
		size_t size;
		parser *p;

		snprintf(name, sizeof name, "m%zu.html", k);
		snprintf(path, sizeof path, "%s/%s", folder, k ? name : "index.html");
		if (access(path, R_OK) != 0)
			break;
		text = scratch_read(path, &size);
		p = xml.create("UTF-8");
		xml.set_elements(p, start_element, end_element);
		cr_expect_eq(xml.parse(p, text, (int)size, 1), 1, "%s is not well-formed", path);
		xml.free(p);
		free(text);
		n++;
	}
	cr_expect_eq(dead_links, 0);
	cr_expect_eq(scripts, 0);
	return n;
}

static size_t write_pages(ad_model *m, ad_node *y, const char *name, struct pages_written *written)
{
	const ad_draw_options o = { .gradients = true, .step = -1, .title = m->name };
	const struct subject s = { .m = m, .y = y };
	char error[512] = "";

	cr_assert(pages_write(&s, &o, scratch_path(name), 30, written, error, sizeof error), "%s", error);
	return check_pages(scratch_path(name));
}

Test(record, pages_of_hostile_names)
{
	static const char *const names[] = { "</title><script>alert(1)</script>", "..", "a/../../b", "\"'&amp;<b>",
		                             "\xe2\x80\xae\xff\x01", "m1.html" };
	ad_graph *g = ad_open();
	ad_model m = { .name = "<script>\"&", .graph = g };
	ad_node *y = ad_param(g, "w", AD_SHAPE(3));
	struct pages_written written;
	char *endless = malloc(3001);

	cr_assert(endless);
	memset(endless, '<', 3000);
	endless[3000] = '\0';
	ad_keep_all(g);
	for (size_t k = 0; k < 7; k++) {
		ad_scope_begin(g, k < 6 ? names[k] : endless);
		for (size_t j = 0; j < 3; j++) {
			ad_scope_begin(g, names[j]);
			y = ad_tanh(ad_sigmoid(y));
			ad_scope_end(g);
		}
		ad_scope_end(g);
	}
	y = ad_sum(y, AD_ALL, false);
	cr_assert_eq(ad_backward(y), AD_OK);
	cr_expect_eq(write_pages(&m, y, "pages", &written), written.pages);
	cr_expect_geq(written.pages, 1 + 6 * 4);
	cr_expect_gt(links, 4 * written.pages);
	cr_expect_eq(written.undrawn, 0);
	free(endless);
	ad_close(g);
}

/* Every module leads to its page and back; the two uses of one share it. */
Test(record, pages_are_linked_up_and_down)
{
	ad_graph *g = ad_open();
	ad_model m = { .name = "net", .graph = g };
	ad_node *y = ad_param(g, "w", AD_SHAPE(3));
	struct pages_written written;
	char name[32], *text;

	ad_keep_all(g);
	for (int k = 0; k < 40; k++) {
		snprintf(name, sizeof name, "block[%d]", k);
		ad_scope_begin(g, name);
		ad_scope_begin(g, "inner");
		y = ad_tanh(ad_sigmoid(y));
		ad_scope_end(g);
		y = ad_tanh(ad_sigmoid(y));
		ad_scope_end(g);
	}
	for (int k = 0; k < 2; k++) {
		ad_scope_begin(g, "shared");
		y = ad_tanh(ad_exp(y));
		ad_scope_end(g);
	}
	y = ad_sum(y, AD_ALL, false);
	cr_assert_eq(ad_backward(y), AD_OK);
	cr_expect_eq(write_pages(&m, y, "net", &written), 1 + 40 + 1 + 40);
	text = text_of("net/index.html");
	cr_expect_geq(count(text, "xlink:href=\"m40.html\""), 1, "the cell of the last copy");
	free(text);
	text = text_of("net/m2.html");
	cr_expect(strstr(text, "<a href=\"index.html\">net</a>") && strstr(text, "<strong>block[1]</strong>"));
	cr_expect(strstr(text, "<a href=\"m1.html\">block[0]</a>") && strstr(text, "<a href=\"m3.html\">block[2]</a>"));
	cr_expect(strstr(text, "inside: <a href=\"m43.html\">inner</a>"));
	cr_expect(strstr(text, "xlink:href=\"m43.html\""), "a click on the box");
	cr_expect(strstr(text, "stroke-dasharray"), "what it is joined to");
	cr_expect_not(strstr(text, "left out"));
	free(text);
	ad_close(g);
}

Test(record, pages_are_bounded)
{
	ad_graph *g = ad_open();
	ad_model m = { .name = "many", .graph = g };
	ad_node *y = ad_param(g, "w", AD_SHAPE(1));
	struct pages_written written;
	char name[32];

	setenv("AUTOGRAD_DOT", "/bin/true", 1);
	for (int k = 0; k < 400; k++) {
		snprintf(name, sizeof name, "block[%d]", k);
		ad_scope_begin(g, name);
		y = ad_tanh(ad_sigmoid(y));
		ad_scope_end(g);
	}
	y = ad_sum(y, AD_ALL, false);
	{
		const ad_draw_options o = { .step = -1 };
		const struct subject s = { .m = &m, .y = y };
		char error[512] = "";

		cr_expect_not(pages_write(&s, &o, scratch_path("many"), 30, &written, error, sizeof error));
		cr_expect(strstr(error, "gave no picture"), "%s", error);
	}
	/* a dot that draws nothing of it */
	scratch_text("dot.sh", "#!/bin/sh\ncat > /dev/null\necho '<svg xmlns=\"http://www.w3.org/2000/svg\"/>'\n");
	chmod(scratch_path("dot.sh"), 0755);
	setenv("AUTOGRAD_DOT", scratch_path("dot.sh"), 1);
	{
		const ad_draw_options o = { .step = -1 };
		const struct subject s = { .m = &m, .y = y };
		char error[512] = "";

		cr_assert(pages_write(&s, &o, scratch_path("many"), 30, &written, error, sizeof error), "%s", error);
	}
	unsetenv("AUTOGRAD_DOT");
	cr_expect(written.pages == MOST_PAGES && written.left_out == 400 - MOST_PAGES + 1, "%zu, %zu", written.pages,
	          written.left_out);
	cr_expect_eq(check_pages(scratch_path("many")), MOST_PAGES);
	ad_close(g);
}
