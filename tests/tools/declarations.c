/*
 * declarations: the commands that write, show and compare declarations: new, show, diff, schema.
 *
 * The command is $AUTOGRAD_BIN, else build/autograd; the tests run in the project's top folder.
 */
#include "../models/scratch.h"

#include "autograd.h"
#include "model.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <sys/wait.h>

TestSuite(declarations, .init = scratch_open, .fini = scratch_close, .timeout = 300);

/* Runs the command; what it prints on both streams, and its exit status. */
static char *run(int *status, const char *format, ...) __attribute__((format(printf, 2, 3)));
static char *run(int *status, const char *format, ...)
{
	const char *bin = getenv("AUTOGRAD_BIN");
	char command[2048];
	size_t used =
		   (size_t)snprintf(command, sizeof command, "%s ", bin ? bin : "build/autograd"),
	       n = 0, got;
	size_t room = 1 << 21;
	char *text = malloc(room);
	va_list args;
	FILE *pipe;

	va_start(args, format);
	vsnprintf(command + used, sizeof command - used, format, args);
	va_end(args);
	pipe = popen(command, "r");
	cr_assert(pipe && text);
	while ((got = fread(text + n, 1, room - 1 - n, pipe)) > 0)
		n += got;
	text[n] = '\0';
	*status = pclose(pipe);
	*status = WIFEXITED(*status) ? WEXITSTATUS(*status) : 128;
	return text;
}

/* ---- new
 * --------------------------------------------------------------------------------------------- */

/* Each template is right and learns what it says at once. */
static const struct {
	const char *like, *part, *name, *set;
	double least, most;
} templates[] = {
	{ "mlp", "test", "accuracy", "train.epochs=40", 0.95, 1 },
	{ "cnn", "test", "accuracy", "train.epochs=3", 0.9, 1 },
	{ "lstm", "test", "error", "train.epochs=2", 0, 0.1 },
	{ "gpt", "train", "accuracy", "train.steps=30", 0.15, 1 },
	{ "graph", "train", "loss", "train.epochs=200", 0, 0.03 },
};

Test(declarations, new_files_train_at_once)
{
	/* without dot, which would lay out the steps of the lstm until its time is over */
	setenv("PATH", "/nonexistent", 1);
	for (size_t k = 0; k < sizeof templates / sizeof *templates; k++) {
		const char *like = templates[k].like;
		char *text, path[128];
		int status;
		cJSON *json;
		const cJSON *got;
		FILE *file;

		text = run(&status, "new %s/%s --like %s 2>/dev/null", scratch, like, like);
		cr_assert_eq(status, 0, "%s", text);
		snprintf(path, sizeof path, "%s/%s.yaml\n", scratch, like);
		cr_expect_str_eq(text, path);
		free(text);
		text = run(&status, "check %s/%s.yaml 2>&1", scratch, like);
		cr_assert(status == 0 && !strstr(text, "warning"), "%s", text);
		free(text);
		text = run(&status, "train %s/%s.yaml --quiet --set %s --run %s/run-%s 2>&1",
		           scratch, like, templates[k].set, scratch, like);
		cr_assert_eq(status, 0, "%s: %s", like, text);
		free(text);
		snprintf(path, sizeof path, "%s/run-%s/result.json", scratch, like);
		file = fopen(path, "r");
		cr_assert_not_null(file, "%s", path);
		text = calloc(1, 1 << 16);
		cr_assert(fread(text, 1, (1 << 16) - 1, file) > 0);
		fclose(file);
		json = cJSON_Parse(text);
		got = cJSON_GetObjectItem(cJSON_GetObjectItem(json, templates[k].part),
		                          templates[k].name);
		cr_assert(cJSON_IsNumber(got), "%s", text);
		cr_expect(got->valuedouble >= templates[k].least &&
		              got->valuedouble <= templates[k].most,
		          "%s: %s is %g", like, templates[k].name, got->valuedouble);
		cJSON_Delete(json);
		free(text);
	}
}

Test(declarations, new_overwrites_nothing)
{
	char *text;
	int status;

	text = run(&status, "new %s/net 2>&1", scratch);
	cr_assert_eq(status, 0, "%s", text);
	free(text);
	text = run(&status, "new %s/net.yaml --like cnn 2>&1", scratch);
	cr_expect(status == 2 && strstr(text, "net.yaml' already"), "%s", text);
	free(text);
	text = run(&status, "new '%s/a b' 2>&1", scratch);
	cr_expect(status == 2 && strstr(text, "is no name for a model"), "%s", text);
	free(text);
	text = run(&status, "new %s/no/folder/net 2>&1", scratch);
	cr_expect(status == 1 && strstr(text, "No such file"), "%s", text);
	free(text);
}

/* The network that configs/README.md shows is right as it stands, and learns. */
Test(declarations, the_page_on_declaring_shows_a_right_file)
{
	FILE *page = fopen("configs/README.md", "r");
	char *text = calloc(1, 1 << 16), *from, *to, *data, *out, folder[512], *whole;
	int status;

	cr_assert(page && text && fread(text, 1, (1 << 16) - 1, page) > 0);
	fclose(page);
	from = strstr(text, "<!-- file: skip.yaml -->\n```yaml\n");
	cr_assert_not_null(from);
	from = strstr(from, "version:");
	to = strstr(from, "```");
	data = strstr(from, "configs/data");
	cr_assert(to && data && data < to && getcwd(folder, sizeof folder));
	*to = '\0';
	/* its data is named from the project's top folder */
	cr_assert(asprintf(&whole, "%.*s%s/%s", (int)(data - from), from, folder, data) > 0);
	scratch_text("skip.yaml", whole);
	free(whole);
	free(text);
	out = run(&status, "check %s/skip.yaml 2>&1", scratch);
	cr_expect(status == 0 && !strstr(out, "warning"), "%s", out);
	free(out);
	out = run(&status, "train %s/skip.yaml --quiet --set train.epochs=1 --run %s/run 2>&1",
	          scratch, scratch);
	cr_expect_eq(status, 0, "%s", out);
	free(out);
}

/* ---- sample ---------------------------------------------------------------------------------- */

/* A table of which byte follows which learns "abc" and writes it; the likeliest, and by chance. */
Test(declarations, sample_writes_what_was_learnt)
{
	char text[301];
	int status;
	char *out;

	for (int k = 0; k < 300; k++)
		text[k] = "abc"[k % 3];
	text[300] = '\0';
	scratch_text("t.txt", text);
	scratch_text("m.yaml",
	             "version: 1\ninputs:\n  ids: {shape: [B, T], dtype: i32}\n"
	             "  next: {shape: [B, T], dtype: i32, role: target}\nmodel:\n"
	             "  - {embed: {vocab: 3, dim: 8}, from: ids}\n  - {linear: 3, as: y}\n"
	             "loss: cross_entropy(y, next)\ndata:\n"
	             "  train: {format: text, file: t.txt, window: 7, x: ids, y: next}\n"
	             "train: {steps: 60, seed: 1, optimizer: {adam: 0.1}}\n");
	setenv("PATH", "/nonexistent", 1); /* no pictures */
	out = run(&status, "train %s/m.yaml --quiet --run %s/run 2>&1", scratch, scratch);
	cr_assert_eq(status, 0, "%s", out);
	free(out);
	out = run(&status, "sample %s/run --prompt ab --length 10 --temperature 0", scratch);
	cr_expect_str_eq(out, "abcabcabcabc\n");
	free(out);
	out = run(&status, "sample %s/run --length 5", scratch);
	cr_expect_str_eq(out, "bcabc\n", "%s", out);
	free(out);
	out = run(&status, "sample %s/run --prompt abd 2>&1", scratch);
	cr_expect(status == 2 && strstr(out, "the text has 'd', which is not in the vocabulary"),
	          "%s", out);
	free(out);
	out = run(&status, "sample %s/run --temperature -1 2>&1", scratch);
	cr_expect(status == 2 && strstr(out, "takes a number from 0, not '-1'"), "%s", out);
	free(out);
}

/* ---- show ----------------------------------------------------------------------------------- */

static const char net[] = "version: 1\n"
			  "inputs:\n"
			  "  x: [B, 1, 8, 8]\n"
			  "  y: {shape: [B], dtype: i32, role: target}\n"
			  "model:\n"
			  "  - conv2d: {out: 4, kernel: 3, padding: same}\n"
			  "  - relu\n"
			  "  - residual: [{conv2d: {out: 4, kernel: 1}}]\n"
			  "    as: block\n"
			  "  - conv_transpose2d: {out: 2, kernel: 2, stride: 2}\n"
			  "  - flatten\n"
			  "  - linear: {out: 10, init: he}\n"
			  "    as: logits\n"
			  "loss: cross_entropy(logits, y)\n"
			  "train: {epochs: 3, optimizer: {adam: 1e-3}}\n";

/* Elements of the outputs times the size summed over; values are 4 bytes each. */
Test(declarations, show_counts_work_and_memory)
{
	static const struct {
		const char *item;
		double products, bytes;
	} items[] = {
		{ "conv2d", 4 * 64 * 9, 4 * 4 * 64 },
		{ "relu", 0, 4 * 4 * 64 },
		{ "block.conv2d", 4 * 64 * 4, 4 * 4 * 64 },
		{ "block", 0, 4 * 4 * 64 },
		{ "conv_transpose2d", 4 * 64 * 2 * 4, 4 * 2 * 256 },
		{ "flatten", 0, 0 },
		{ "logits", 512 * 10, 4 * 10 },
	};
	int status, n = 0;
	char *text = run(&status, "show %s --format json --size B=3", scratch_text("m.yaml", net));
	cJSON *json = cJSON_Parse(text);
	const cJSON *row;

	cr_assert(status == 0 && json, "%s", text);
	cr_expect(cJSON_GetObjectItem(cJSON_GetObjectItem(json, "sizes"), "B")->valuedouble == 3);
	cJSON_ArrayForEach(row, cJSON_GetObjectItem(json, "items"))
	{
		cr_assert(n < 7);
		cr_expect(strstr(cJSON_GetObjectItem(row, "item")->valuestring, items[n].item),
		          "%s", text);
		cr_expect_eq(cJSON_GetObjectItem(row, "multiply_adds")->valuedouble,
		             3 * items[n].products, "%s", items[n].item);
		cr_expect_eq(cJSON_GetObjectItem(row, "bytes")->valuedouble, 3 * items[n].bytes,
		             "%s", items[n].item);
		n++;
	}
	cr_expect_eq(n, 7);
	cJSON_Delete(json);
	free(text);
	text = run(&status, "show %s", scratch_path("m.yaml"));
	cr_expect(strstr(text, "10,496 multiply-adds and 6.2 kB of values forward for B = 1"), "%s",
	          text);
	free(text);
	/* a weight that the file declares has a row, so that the rows sum to the total */
	text = run(&status, "show %s", scratch_text("w.yaml", "version: 1\ninputs: {x: [B, 8]}\n"
	           "weights: {w: {shape: [8, 3]}}\nmodel: [{matmul: w}, {linear: 2}]\n"));
	cr_expect(strstr(text, "\nw       weight  [8, 3]          24\n") &&
	                  strstr(text, "\n32 parameters in 3 weights"), "%s", text);
	free(text);
	text = run(&status, "show %s --size C=3 2>&1", scratch_path("m.yaml"));
	cr_expect(status == 2 && strstr(text, "the file has no free size 'C'"), "%s", text);
	free(text);
}

/* ---- diff ----------------------------------------------------------------------------------- */

/* The file with one text replaced by another, under a name. */
static const char *changed(const char *name, const char *from, const char *to)
{
	const char *at = strstr(net, from);
	char text[2048];

	cr_assert_not_null(at);
	snprintf(text, sizeof text, "%.*s%s%s", (int)(at - net), net, to, at + strlen(from));
	return scratch_text(name, text);
}

Test(declarations, diff_by_meaning)
{
	static const struct {
		const char *from, *to, *want;
	} changes[] = {
		/* the same in other words */
		{ "version: 1\n", "# a remark\nversion: 1\nname: other\n", "" },
		{ "{epochs: 3, optimizer: {adam: 1e-3}}",
		  "{optimizer: {adam: {lr: 0.001, eps: 1e-8}}, epochs: 3}", "" },
		{ "  x: [B, 1, 8, 8]\n  y: {shape: [B],",
		  "  x: {shape: [N, 1, 8, 8]}\n  y: {shape: [N],", "" },
		{ "kernel: 3", "kernel: [3, 3]", "" },
		{ "{epochs: 3, optimizer: {adam: 1e-3}}",
		  "{epochs: 3, seed: 0, precision: f32, optimizer: {adam: {lr: 1e-3, betas: [0.90, 0.999]}}}", "" },
		/* something else */
		{ "adam: 1e-3", "adam: {lr: 1e-3, betas: [0.8, 0.999]}",
		  "  train.optimizer.adam.betas: [0.9, 0.999] -> [0.8, 0.999]\n" },
		{ "  - relu\n", "  - tanh\n", "- relu: relu [B, 4, 8, 8]\n" },
		{ "  - relu\n", "  - relu\n  - {dropout: 0.2}\n",
		  "+ dropout: dropout [B, 4, 8, 8]\n" },
		{ "kernel: 3", "kernel: 5", "  conv2d: parameters 40 -> 104\n" },
		{ "init: he", "init: xavier", "  weight logits.weight: other initial values\n" },
		{ "padding: same", "padding: same, groups: 1, bias: false",
		  "  conv2d: parameters 40 -> 36\n" },
		{ "logits, y)", "logits, y, label_smoothing=0.1)", "label_smoothing=0.1" },
		{ "epochs: 3", "epochs: 4", "  train.epochs: 3 -> 4\n" },
		{ "adam: 1e-3", "sgd: 0.1", "- train.optimizer.adam.lr: 1e-3\n" },
		{ "[B, 1, 8, 8]", "[B, 1, 4, 16]", "  input x: another shape, role or value\n" },
	};
	int status;

	scratch_text("m.yaml", net);
	for (size_t k = 0; k < sizeof changes / sizeof *changes; k++) {
		const char *other = changed("other.yaml", changes[k].from, changes[k].to);
		char *text = run(&status, "diff %s %s 2>/dev/null", scratch_path("m.yaml"), other);

		cr_expect_eq(status, *changes[k].want != '\0', "%s: %s", changes[k].to, text);
		cr_expect(*changes[k].want ? strstr(text, changes[k].want) != NULL : !*text,
		          "%s: %s", changes[k].to, text);
		free(text);
	}
}

/* Numbers inside equations, and what is connected to what. */
Test(declarations, diff_of_equations)
{
	static const char *const texts[] = { "a: x * y + 2 * z", "a: x * z + 2 * y",
		                             "a: x * y + 3 * z", "a: 2*z + x*y" };
	char name[16], text[256], *out;
	int status;

	for (int k = 0; k < 4; k++) {
		snprintf(name, sizeof name, "e%d.yaml", k);
		snprintf(text, sizeof text,
		         "version: 1\ninputs: {x: 1, y: 2, z: 3}\nmodel:\n  %s\n", texts[k]);
		scratch_text(name, text);
	}
	for (int k = 0; k < 4; k++) {
		snprintf(name, sizeof name, "e%d.yaml", k);
		out = run(&status, "diff %s/e0.yaml %s/%s", scratch, scratch, name);
		cr_expect_eq(status, k > 0, "%s: %s", texts[k], out);
		free(out);
	}
}

/* Data: a default that is written, the short form of a source; of a weight all that differs. */
Test(declarations, diff_of_data_and_weights)
{
	static const char text[] = "version: 1\ninputs: {x: [B, 2], y: {shape: [B, 1], role: target}}\n"
	                           "model: [{linear: 1, as: o%s}]\nloss: mse_loss(o, y)\n"
	                           "data: {train: {%s}, batch: 32%s}\n";
	static const char csv[] = "format: csv, file: d.csv, x: [0, 1], y: 2";
	static const struct {
		const char *item, *source, *rest, *want;
	} files[] = {
		{ "", csv, "", "" },
		{ "", "csv: {file: d.csv, x: [0, 1], y: 2}", "", "" },
		{ "", "format: csv, y: 2, x: [0, 1], file: d.csv, header: false, skip: 0", ", shuffle: true", "" },
		{ "", "format: csv, file: d.csv, x: [1, 0], y: 2", "", "  data.train.x: [0, 1] -> [1, 0]\n" },
		{ "", csv, ", shuffle: false", "  data.shuffle: true -> false\n" },
		{ ", freeze: true, init: ones", csv, "",
		  "  weight o.weight: other initial values\n  weight o.weight: trained -> not trained\n"
		  "  weight o.bias: trained -> not trained\n" },
	};
	char whole[1024], *out;
	int status;

	for (size_t k = 0; k < sizeof files / sizeof *files; k++) {
		snprintf(whole, sizeof whole, text, files[k].item, files[k].source, files[k].rest);
		scratch_text(k ? "other.yaml" : "m.yaml", whole);
		out = run(&status, "diff %s/m.yaml %s/%s", scratch, scratch, k ? "other.yaml" : "m.yaml");
		cr_expect_str_eq(out, files[k].want, "%s", whole);
		free(out);
	}
}

/* ---- schema --------------------------------------------------------------------------------- */

static const cJSON *at(const cJSON *json, const char *a, const char *b, const char *c)
{
	json = cJSON_GetObjectItemCaseSensitive(json, a);
	json = b ? cJSON_GetObjectItemCaseSensitive(json, b) : json;
	return c ? cJSON_GetObjectItemCaseSensitive(json, c) : json;
}

/* The properties of an item that is a mapping: the first of its forms. */
static const cJSON *item_keys(const cJSON *json)
{
	return cJSON_GetObjectItem(cJSON_GetArrayItem(at(json, "definitions", "item", "anyOf"), 0), "properties");
}

static bool is_layer(const char *name)
{
	size_t k = 0;

	while (layers[k] && strcmp(layers[k]->name, name) != 0)
		k++;
	return layers[k] != NULL;
}

Test(declarations, schema_has_all_ops_and_layers)
{
	int status;
	char *text = run(&status, "schema");
	cJSON *json = cJSON_Parse(text);
	const cJSON *keys, *arguments;

	cr_assert(status == 0 && json);
	keys = item_keys(json);
	for (size_t k = 0; k < ad_ops(); k++) {
		const char *name = ad_op_name(ad_op_at(k)), *doc = ad_op_doc(ad_op_at(k));
		const cJSON *op = cJSON_GetObjectItemCaseSensitive(keys, name);

		cr_assert_not_null(op, "%s", name);
		/* a word of items and a layer tell of themselves */
		if (strcmp(name, "repeat") != 0 && !is_layer(name))
			cr_expect(strncmp(cJSON_GetObjectItem(op, "description")->valuestring, doc, strcspn(doc, "\n")) == 0,
			          "%s: %s", name, doc);
	}
	for (size_t k = 0; layers[k]; k++) {
		const cJSON *layer = cJSON_GetObjectItemCaseSensitive(keys, layers[k]->name);

		cr_assert_not_null(layer, "%s", layers[k]->name);
		cr_expect_str_eq(cJSON_GetObjectItem(layer, "description")->valuestring,
		                 layers[k]->doc);
		arguments = cJSON_GetObjectItem(layer, "properties");
		for (const ad_attr *a = layers[k]->attrs; a->name; a++)
			cr_expect(cJSON_GetObjectItemCaseSensitive(arguments, a->name), "%s %s",
			          layers[k]->name, a->name);
	}
	for (size_t k = 0; optimizers[k]; k++)
		cr_expect(
		    at(json, "definitions", "optimizer", "properties") &&
		    cJSON_GetObjectItemCaseSensitive(
			at(json, "definitions", "optimizer", "properties"), optimizers[k]->name));
	cr_expect_not_null(
	    cJSON_GetObjectItem(at(json, "properties", "train", "properties"), "epochs"));
	cr_expect_not_null(
	    cJSON_GetObjectItem(at(json, "properties", "data", "properties"), "batch"));
	cJSON_Delete(json);
	free(text);
}

/* The blocks of a file, of the one it extends, and of those it includes. */
Test(declarations, schema_for_a_file)
{
	int status;
	char *text;
	cJSON *json;
	const cJSON *keys;

	scratch_text("base.yaml",
	             "version: 1\ndefs:\n  head: {params: {out: int}, body: [{linear: out}]}\n");
	scratch_text("swish.yaml",
	             "version: 1\nplugins: [swish]\ndefs:\n"
	             "  cell: {params: {act: op = swish, n: 1}, body: [act]}\nmodel: [cell]\n");
	text = run(&status, "schema --for %s", scratch_path("swish.yaml"));
	json = cJSON_Parse(text);
	cr_assert(status == 0 && json);
	keys = item_keys(json);
	cr_expect(cJSON_GetObjectItemCaseSensitive(keys, "swish") &&
	          cJSON_GetObjectItemCaseSensitive(keys, "act") &&
	          !cJSON_GetObjectItemCaseSensitive(keys, "n"));
	cJSON_Delete(json);
	free(text);
	scratch_text("common.yaml", "version: 1\ndefs:\n  double: {body: [relu]}\n");
	scratch_text("m.yaml",
	             "version: 1\nextends: base.yaml\ninclude: [common.yaml]\ndefs:\n"
	             "  basic: {params: {out: int, stride: 1}, body: [relu]}\nmodel: [basic\n");
	scratch_text("n.yaml",
	             "version: 1\nextends: base.yaml\ninclude: [common.yaml]\ndefs:\n"
	             "  basic: {params: {out: int, stride: 1}, body: [relu]}\nmodel: [basic]\n");
	text = run(&status, "schema --for %s", scratch_path("n.yaml"));
	json = cJSON_Parse(text);
	cr_assert(status == 0 && json);
	keys = item_keys(json);
	cr_expect_not_null(cJSON_GetObjectItemCaseSensitive(keys, "head"));
	cr_expect_not_null(cJSON_GetObjectItemCaseSensitive(keys, "common.double"));
	cr_assert_not_null(cJSON_GetObjectItemCaseSensitive(keys, "basic"));
	cr_expect(strstr(text, "\"stride\":{\"description\":\"1\"}"));
	cJSON_Delete(json);
	free(text);
	/* a file that is being written, and one that is not there */
	text = run(&status, "schema --for %s", scratch_path("m.yaml"));
	json = cJSON_Parse(text);
	cr_expect(status == 0 && json);
	cJSON_Delete(json);
	free(text);
	text = run(&status, "schema --for %s", scratch_path("none.yaml"));
	json = cJSON_Parse(text);
	cr_expect(status == 0 && json);
	cJSON_Delete(json);
	free(text);
}

static bool allows(const cJSON *argument, const char *type)
{
	const cJSON *kind;

	cJSON_ArrayForEach(kind, cJSON_GetObjectItem(argument, "type"))
		if (strcmp(kind->valuestring, type) == 0)
			return true;
	return false;
}

/* Where a number is due an expression may stand, the reserved words are offered, what cannot be known is let pass:
 * an op may be a block of a file, if the schema is for none. */
Test(declarations, schema_lets_expressions_and_blocks_pass)
{
	static const char *const words[] = { "as", "from", "repeat", "each", "when", "share",
		                             "freeze", "lr_scale", "init", "shape", "note" };
	const char *const lines[] = { "schema", "schema --for configs/digits.yaml" };

	for (int k = 0; k < 2; k++) {
		int status;
		char *text = run(&status, "%s", lines[k]);
		cJSON *json = cJSON_Parse(text);
		const cJSON *keys, *conv2d, *forms;

		cr_assert(status == 0 && json, "%s", text);
		keys = item_keys(json);
		conv2d = at(keys, "conv2d", "properties", NULL);
		cr_expect(allows(cJSON_GetObjectItem(conv2d, "out"), "integer") &&
		          allows(cJSON_GetObjectItem(conv2d, "out"), "string") &&
		          !allows(cJSON_GetObjectItem(conv2d, "out"), "object"));
		cr_expect_eq(cJSON_GetArraySize(conv2d), 8, "seven arguments and init");
		for (size_t i = 0; i < sizeof words / sizeof *words; i++)
			cr_expect(cJSON_GetObjectItemCaseSensitive(keys, words[i]), "%s", words[i]);
		/* what the checker takes is not found fault with */
		cr_expect(strstr(text, "\"role\":{\"enum\":[\"input\",\"target\"]"));
		cr_expect(allows(at(json, "properties", "include", NULL), "array") &&
		          allows(at(json, "properties", "include", NULL), "string"));
		forms = at(json, "definitions", "item", "anyOf");
		cr_expect_eq(cJSON_IsTrue(cJSON_GetObjectItem(
		                 cJSON_GetArrayItem(forms, 0), "additionalProperties")),
		             k == 0, "%s", lines[k]);
		cJSON_Delete(json);
		free(text);
	}
}

Test(declarations, templates_need_no_setting_up)
{
	for (size_t k = 0; k < sizeof templates / sizeof *templates; k++) {
		int status;
		size_t size;
		char name[64], *text = run(&status, "new %s/t-%s --like %s 2>/dev/null", scratch, templates[k].like,
		                           templates[k].like);
		cJSON *json;

		cr_assert_eq(status, 0, "%s", text);
		free(text);
		snprintf(name, sizeof name, "t-%s.yaml", templates[k].like);
		text = scratch_read(scratch_path(name), &size);
		cr_expect(strncmp(text, "# yaml-language-server: $schema=model.schema.json\n", 50) == 0, "%.80s", text);
		free(text);
		text = scratch_read(scratch_path("model.schema.json"), &size);
		json = cJSON_Parse(text);
		cr_expect_not_null(json);
		cJSON_Delete(json);
		free(text);
	}
}
