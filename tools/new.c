/*
 * new: writes a model file to begin with, commented, which trains at once on data that it makes
 * itself.
 */
#include "command.h"
#include "file.h"
#include "schema.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct new_options {
	int like;
};

static const struct option options[] = {
	{ "like", 0, OPTION_CHOICE, "mlp cnn lstm gpt graph", NULL, false,
	  offsetof(struct new_options, like),
	  "what it declares: mlp: linear layers on points; cnn: convolutions on pictures; lstm: a "
	  "forecast of "
	  "series; gpt: attention on text; graph: equations" },
	{ 0 },
};

/* In the templates @ stands for the name. */
static const char *const templates[] = {
	/* mlp */
	"# @: which of three spiral arms is a point on?\n"
	"#\n"
	"#   autograd train @.yaml              learns; leaves a folder runs/@-1 with weights and "
	"curves\n"
	"#   autograd show @.yaml               shapes, parameters, cost of each item\n"
	"#   autograd draw @.yaml --grad -o @.svg\n"
	"version: 1\n"
	"name: @\n"
	"params: {hidden: 64, lr: 3e-3}     # --set params.hidden=128 replaces one\n"
	"\n"
	"inputs:\n"
	"  x: [B, 2]                        # B is free: as many points as a batch has\n"
	"  y: {shape: [B], dtype: i32, role: target}\n"
	"\n"
	"model:                             # a list is a chain: each item eats the one before\n"
	"  - linear: {out: hidden, init: he}\n"
	"  - relu\n"
	"  - linear: {out: hidden, init: he}\n"
	"  - relu\n"
	"  - linear: 3\n"
	"    as: logits                     # a name for what follows\n"
	"\n"
	"loss: cross_entropy(logits, y)\n"
	"metrics:\n"
	"  accuracy: mean(argmax(logits, axis=1) == y)\n"
	"\n"
	"data:                              # made up; for your own: {format: csv, file: "
	"points.csv, x: 0..1, y: 2}\n"
	"  train: {format: spirals, n: 600, classes: 3}\n"
	"  test: {format: spirals, n: 300, classes: 3}\n"
	"  batch: 32\n"
	"\n"
	"train:\n"
	"  epochs: 60\n"
	"  seed: 1\n"
	"  optimizer: {adam: {lr: lr}}\n",
	/* cnn */
	"# @: is it a disc, a square or a triangle?\n"
	"#\n"
	"#   autograd train @.yaml\n"
	"#   autograd show @.yaml               shapes, parameters, cost of each item\n"
	"version: 1\n"
	"name: @\n"
	"params: {width: 8, classes: 3}\n"
	"\n"
	"inputs:\n"
	"  x: [B, 1, 32, 32]                # pictures: the batch, one channel, height, width\n"
	"  y: {shape: [B], dtype: i32, role: target}\n"
	"\n"
	"model:\n"
	"  - conv2d: {out: width, kernel: 3, padding: same}\n"
	"  - batch_norm\n"
	"  - relu\n"
	"  - max_pool2d: 2                  # [B, width, 16, 16]\n"
	"  - residual:                      # x + f(x): the shape stays\n"
	"      - conv2d: {out: width, kernel: 3, padding: same}\n"
	"      - batch_norm\n"
	"      - relu\n"
	"      - conv2d: {out: width, kernel: 3, padding: same}\n"
	"      - batch_norm\n"
	"  - relu\n"
	"  - conv2d: {out: 2*width, kernel: 3, stride: 2, padding: same}\n"
	"  - batch_norm\n"
	"  - relu\n"
	"  - global_avg_pool                # [B, 2*width]\n"
	"  - linear: classes\n"
	"    as: logits\n"
	"\n"
	"loss: cross_entropy(logits, y)\n"
	"metrics:\n"
	"  accuracy: mean(argmax(logits, axis=1) == y)\n"
	"\n"
	"data:                              # made up; for your own: {format: idx, x: images.gz, "
	"y: labels.gz}\n"
	"  train: {format: shapes, n: 2000}\n"
	"  test: {format: shapes, n: 500}\n"
	"  batch: 32\n"
	"\n"
	"train:\n"
	"  epochs: 8\n"
	"  seed: 1\n"
	"  optimizer: {adam: {lr: 3e-3}}\n",
	/* lstm */
	"# @: how does a sine wave go on, when 32 noisy elements of it are known?\n"
	"#\n"
	"#   autograd train @.yaml\n"
	"version: 1\n"
	"name: @\n"
	"params: {hidden: 32, T: 32}\n"
	"\n"
	"inputs:\n"
	"  x: [B, T, 1]                     # the batch, the steps, one number a step\n"
	"  y: {shape: [B, 1], role: target} # the element after these\n"
	"\n"
	"model:\n"
	"  - lstm: {hidden: hidden, outputs: last}   # the output of the last step, [B, hidden]\n"
	"  - linear: 1\n"
	"    as: guess\n"
	"\n"
	"loss: mse_loss(guess, y)\n"
	"metrics:\n"
	"  error: mean(abs(guess - y))\n"
	"\n"
	"data:                              # made up\n"
	"  train: {format: sines, n: 2000, length: T}\n"
	"  test: {format: sines, n: 500, length: T}\n"
	"  batch: 32\n"
	"\n"
	"train:\n"
	"  epochs: 10\n"
	"  seed: 1\n"
	"  optimizer: {adam: {lr: 5e-3}}\n",
	/* gpt */
	"# @: which byte of a text comes next? A small transformer, here reading its own "
	"declaration.\n"
	"#\n"
	"#   autograd train @.yaml\n"
	"#   autograd train @.yaml --set params.file=book.txt\n"
	"version: 1\n"
	"name: @\n"
	"params: {file: @.yaml, vocab: 256, T: 64, d: 64, heads: 4, layers: 2, p: 0.1}\n"
	"\n"
	"inputs:\n"
	"  ids: {shape: [B, T], dtype: i32}\n"
	"  next: {shape: [B, T], dtype: i32, role: target}\n"
	"\n"
	"model:\n"
	"  - embed: {vocab: vocab, dim: d}\n"
	"    from: ids\n"
	"  - positions: {max: T}\n"
	"  - chain:                         # a block: attention, then a small net at each step\n"
	"      - residual: [layer_norm, {attention: {heads: heads, causal: true}}, {dropout: p}]\n"
	"      - residual: [layer_norm, {linear: 4*d}, gelu, {linear: d}, {dropout: p}]\n"
	"    repeat: layers\n"
	"    as: block\n"
	"  - layer_norm\n"
	"  - linear: vocab\n"
	"    as: logits\n"
	"\n"
	"loss: cross_entropy(logits, next)\n"
	"metrics:\n"
	"  accuracy: mean(argmax(logits, axis=-1) == next)\n"
	"\n"
	"data:\n"
	"  train: {format: text, file: \"${file}\", tokens: bytes, window: T, step: 1, x: ids, y: "
	"next}\n"
	"  batch: 16\n"
	"  draw: random                     # each step draws 16 stretches at random\n"
	"\n"
	"train:\n"
	"  steps: 300\n"
	"  seed: 1\n"
	"  optimizer: {adamw: {lr: 2e-3}}\n",
	/* graph */
	"# @: a line y = w x + b through points, by equations.\n"
	"#\n"
	"#   autograd train @.yaml\n"
	"#   autograd eval @.yaml               values and gradients at the start\n"
	"#   autograd draw @.yaml --grad -o @.svg\n"
	"version: 1\n"
	"name: @\n"
	"\n"
	"inputs:\n"
	"  x: [B]\n"
	"  y: {shape: [B], role: target}\n"
	"\n"
	"weights: {w: 0, b: 0}              # numbers that are learnt, with their first values\n"
	"\n"
	"model:                             # a mapping is a set of equations, in any order\n"
	"  line: w * x + b\n"
	"  error: line - y\n"
	"output: line\n"
	"\n"
	"loss: mean(error**2)\n"
	"\n"
	"data:\n"
	"  train:\n"
	"    format: table\n"
	"    columns: [x, y]\n"
	"    rows: [[0, 1.1], [1, 2.9], [2, 5.2], [3, 6.8], [4, 9.1]]   # about y = 2 x + 1\n"
	"\n"
	"train:\n"
	"  epochs: 200\n"
	"  seed: 1\n"
	"  optimizer: {sgd: {lr: 0.05}}\n"
	"  log: 20\n",
};

/* What may stand as a name and in a path as it is. */
static bool is_plain(const char *name)
{
	static const char allowed[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

	return *name && name[0] != '-' && strlen(name) <= 64 &&
	       strspn(name, allowed) == strlen(name);
}

static char *expand(const char *template, const char *name)
{
	char *text = NULL;
	size_t length;
	FILE *to = open_memstream(&text, &length);

	if (!to)
		return NULL;
	fputs("# yaml-language-server: $schema=model.schema.json\n", to);
	for (; *template; template ++)
		if (*template == '@')
			fputs(name, to);
		else
			fputc(*template, to);
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}

/* folder/name of a path without its ending .yaml; the last part of it. */
static char *stem_of(const char *path, const char **name)
{
	size_t length = strlen(path);
	char *stem = strdup(path), *slash;

	if (!stem)
		return NULL;
	if (length > 5 && strcmp(stem + length - 5, ".yaml") == 0)
		stem[length - 5] = '\0';
	slash = strrchr(stem, '/');
	*name = slash ? slash + 1 : stem;
	return stem;
}

/* The schema that the first line names, beside the file, unless there is one. */
static bool write_schema(const char *stem, const char *name, char *error, size_t n)
{
	char *path = NULL, *text;
	bool ok;

	if (asprintf(&path, "%.*smodel.schema.json", (int)(name - stem), stem) < 0)
		return failure(error, n, "out of memory");
	if (access(path, F_OK) == 0) {
		free(path);
		return true;
	}
	text = schema_text(NULL);
	ok = text ? save_text(path, text, strlen(text), error, n) : failure(error, n, "out of memory");
	free(text);
	free(path);
	return ok;
}

static int run(const void *given, int n, const char *const args[])
{
	const struct new_options *o = given;
	const char *name;
	char *stem = stem_of(args[0], &name), *path = NULL, *text = NULL,
	     error[512] = "out of memory";
	int status = EXIT_FAILED;

	if (stem && !is_plain(name)) {
		status = misused("new", "'%s' is no name for a model: letters, digits, '_' and '-'",
		                 args[0]);
	} else if (stem && asprintf(&path, "%s.yaml", stem) >= 0 &&
	           (text = expand(templates[o->like], name))) {
		if (access(path, F_OK) == 0)
			status = misused("new", "there is a '%s' already", path);
		else if (save_text(path, text, strlen(text), error, sizeof error) &&
		         write_schema(stem, name, error, sizeof error)) {
			printf("%s\n", path);
			fprintf(stderr, "next: autograd train %s\n", path);
			status = EXIT_DONE;
		} else {
			failed("new", "%s", error);
		}
	} else {
		failed("new", "%s", error);
	}
	free(stem);
	free(path);
	free(text);
	return status;
}

const struct command command_new = {
	.name = "new",
	.arguments = "NAME",
	.least = 1,
	.most = 1,
	.doc = "writes a commented model file that trains at once",
	.details = "Writes NAME.yaml, which must not be there yet, and model.schema.json beside it "
	           "if there is "
		   "none: with it an editor that speaks to yaml-language-server completes and "
	           "explains keys, ops "
		   "and layers.",
	.options = options,
	.options_size = sizeof(struct new_options),
	.run = run,
};
