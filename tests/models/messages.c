/*
 * messages: the eighteen messages that the language's reference shows, each of a file that has the shown lines at
 * their places, and said by whatever finds it: the checker, the reader of data, the reader of weights.
 */
#include "model.h"
#include "said.h"
#include "scratch.h"

#include <sys/stat.h>

static void enter(void)
{
	scratch_open();
	cr_assert(chdir(scratch) == 0);
}

TestSuite(messages, .init = enter, .fini = scratch_close);

/* A file whose lines are given as "12:text", in order; the lines between are empty. */
static void write_lines(const char *name, const char *lines)
{
	char text[4096];
	size_t used = 0;
	long line = 1;

	while (*lines) {
		char *rest;
		long number = strtol(lines, &rest, 10);
		size_t length = strcspn(rest + 1, "\n") + 1;

		cr_assert(*rest == ':' && number >= line && used + length + (size_t)(number - line) < sizeof text, "%s", lines);
		for (; line < number; line++)
			text[used++] = '\n';
		memcpy(text + used, rest + 1, length);
		used += length;
		line++;
		lines = rest + 1 + length;
	}
	text[used] = '\0';
	FILE *file = fopen(name, "w");
	cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static const struct shown {
	int number;
	const char *file, *lines, *set, *said;
} shown[] = {
	{ 1, "mlp.yaml",
	  "1:version: 1\n2:inputs: {x: [B, 4]}\n3:model: [{linear: 3}, mean]\n30:train:\n31:  epoch: 10\n"
	  "32:  optimizer: {sgd: 0.1}\n", NULL,
	  "mlp.yaml:31:3: error[E001]: unknown key 'epoch' in 'train'\n"
	  "   31 |   epoch: 10\n"
	  "      |   ^^^^^ did you mean 'epochs'?\n" },
	{ 2, "mlp.yaml",
	  "1:version: 1\n2:inputs: {x: [B, 4]}\n8:defs: {head: {body: [tanh]}, basic: {body: [relu]}}\n12:model:\n13:  - head\n"
	  "14:  - reluu\n15:  - basic\n", NULL,
	  "mlp.yaml:14:5: error[E002]: no op or block named 'reluu'\n"
	  "   14 |   - reluu\n"
	  "      |     ^^^^^ did you mean 'relu'?\n"
	  "help: 'autograd ops' lists the ops; blocks of this file: head, basic\n" },
	{ 3, "resnet.yaml",
	  "1:version: 1\n2:inputs: {x: [B, 4]}\n14:defs:\n15:  basic:\n16:    params: {out: int, stride: 1}\n"
	  "17:    body: [{linear: out}, {mul: stride}]\n35:model:\n36:  - chain:\n37:      - basic: {stride: s}\n"
	  "38:    each: {s: [1, 2, 2]}\n", NULL,
	  "resnet.yaml:37:9: error[E003]: block 'basic' needs 'out' (int)\n"
	  "   37 |       - basic: {stride: s}\n"
	  "      |         ^^^^^\n"
	  "   16 |     params: {out: int, stride: 1}\n"
	  "      |              --- declared here, without a default\n" },
	{ 4, "mlp.yaml",
	  "1:version: 1\n2:params: {hidden: 128, depth: 2, classes: 10, p: 0.1, lr: 1e-3}\n3:inputs: {x: [B, 4]}\n"
	  "10:model: [{linear: hidden, repeat: depth}, {dropout: p}, {linear: classes}, {mul: lr}]\n28:train:\n"
	  "29:  optimizer: {adam: {lr: fast}}\n", NULL,
	  "mlp.yaml:29:26: error[E004]: 'lr' wants a number; 'fast' is neither a number nor the name of a param\n"
	  "   29 |   optimizer: {adam: {lr: fast}}\n"
	  "      |                          ^^^^\n"
	  "help: write a number such as 1e-3, or one of the params: hidden, depth, classes, p, lr\n" },
	{ 5, "mlp.yaml",
	  "1:version: 1\n2:params: {hidden: 128}\n5:inputs:\n6:  x: {shape: [B, 28, 28]}\n9:weights:\n"
	  "10:  w: {shape: [hidden, 64], init: xavier}\n14:model:\n15:  - flatten\n17:  - matmul: w\n18:  - linear: 10\n", NULL,
	  "mlp.yaml:17:5: error[E010]: [B, 784] @ [128, 64]: 784 is not 128\n"
	  "   17 |   - matmul: w\n"
	  "      |     ^^^^^^\n"
	  "note: the left side comes from 'flatten', [B, 784]        mlp.yaml:15:5\n"
	  "note: the right side is weight 'w', [128, 64]             mlp.yaml:10:6\n"
	  "help: did you mean 'linear: 64'? it makes a weight of the right shape\n" },
	{ 6, "unet.yaml",
	  "1:version: 1\n2:inputs: {x: [B, 4]}\n20:defs:\n21:  unet:\n22:    params: {level: int}\n25:    body:\n"
	  "26:      - linear: 8\n27:        as: here\n31:      - when: level < 3\n32:        chain:\n"
	  "33:          - concat: [prev, hear]\n40:model: [{unet: 0}]\n", NULL,
	  "unet.yaml:33:28: error[E011]: nothing is named 'hear' here\n"
	  "   33 |           - concat: [prev, hear]\n"
	  "      |                            ^^^^ did you mean 'here' (line 27)?\n" },
	{ 7, "unet.yaml",
	  "1:version: 1\n2:inputs: {x: [B, 4]}\n20:defs:\n21:  unet:\n23:    body:\n24:      - linear: 8\n25:        as: here\n"
	  "28:      - relu:\n29:        as: here\n40:model: [unet]\n", NULL,
	  "unet.yaml:29:13: error[E012]: 'here' is named twice in this body\n"
	  "   29 |         as: here\n"
	  "      |             ^^^^\n"
	  "   25 |         as: here\n"
	  "      |             ---- first here\n" },
	{ 8, "mlp.yaml",
	  "1:version: 1\n3:params: {hidden: 128}\n5:params: {hidden: 256}\n6:inputs: {x: [B, 4]}\n7:model: [{linear: hidden}]\n",
	  NULL,
	  "mlp.yaml:5:1: error[E005]: key 'params' appears twice\n"
	  "    5 | params: {hidden: 256}\n"
	  "      | ^^^^^^\n"
	  "    3 | params: {hidden: 128}\n"
	  "      | ------ first here; most YAML readers silently keep one of the two\n" },
	{ 9, "loop.yaml", "1:version: 1\n4:model:\n5:  a: b + 1\n6:  b: c * 2\n7:  c: a - 3\n", NULL,
	  "loop.yaml:5:6: error[E013]: 'a' needs itself: a -> b -> c -> a\n"
	  "    5 |   a: b + 1\n"
	  "      |      ^\n"
	  "    6 |   b: c * 2\n"
	  "    7 |   c: a - 3\n"
	  "help: for a recurrence use 'scan', which carries state from step to step\n" },
	{ 10, "mlp.yaml",
	  "1:version: 1\n2:inputs: {x: [B, 4], y: {shape: [B], dtype: i32, role: target}}\n"
	  "20:model: [{linear: 3, as: logits}]\n21:loss: cross_entropy(logits, y)\n"
	  "22:metrics: {acc: mean(argmax(logits, axis=1) == y)}\n", NULL,
	  "mlp.yaml:22:36: error[E006]: a comma ends a value inside { }, so this became a key of its own\n"
	  "   22 | metrics: {acc: mean(argmax(logits, axis=1) == y)}\n"
	  "      |                                    ^^^^^^^^^^^^^\n"
	  "help: quote it, {acc: \"mean(argmax(logits, axis=1) == y)\"}, or put it on a line of its own\n" },
	{ 11, "gpt.yaml",
	  "1:version: 1\n2:params: {d: 8}\n3:inputs: {x: [B, T, d]}\n14:defs:\n15:  block:\n17:    body:\n"
	  "18:      - residual: [layer_norm, {linear: 4*d}, gelu\n19:# the end\n", NULL,
	  "gpt.yaml:18:19: error[E007]: this '[' is never closed\n"
	  "   18 |       - residual: [layer_norm, {linear: 4*d}, gelu\n"
	  "      |                   ^ opened here; the parser gave up at 20:1\n" },
	{ 12, "mlp.yaml", "1:version: 1\n5:params:\n6:\thidden: 128\n7:model: [{linear: hidden}]\n", NULL,
	  "mlp.yaml:6:1: error[E008]: YAML does not allow a tab in indentation\n"
	  "    6 | \xe2\x87\xa5hidden: 128\n"
	  "      | ^ use spaces\n" },
	{ 13, "gpt.yaml",
	  "1:version: 1\n2:params: {d: 384, heads: 6}\n3:inputs: {x: [B, T, d]}\n12:defs:\n13:  block:\n14:    body:\n"
	  "15:      - residual: [layer_norm, {attention: {heads: heads, causal: true}}]\n20:model: [block]\n", "params.heads=7",
	  "gpt.yaml:15:52: error[E014]: d/heads = 384/7 is not a whole number, and a dimension must be\n"
	  "   15 |       - residual: [layer_norm, {attention: {heads: heads, causal: true}}]\n"
	  "      |                                                    ^^^^^\n"
	  "note: heads = 7 comes from the command line, --set params.heads=7\n"
	  "help: 384 divides by 1 2 3 4 6 8 12 16 24 32 48 64 96 128 192 384\n" },
	{ 14, "mlp.yaml",
	  "1:version: 1\n2:inputs: {x: [B, 4]}\n3:model: [{linear: 1}, mean]\n"
	  "4:train: {epochs: 3, seed: 1, optimizer: {adam: {lr: 1e-3}}}\n", "train.optimiser.adam.lr=1e-4",
	  "--set train.optimiser.adam.lr=1e-4: error[E001]: 'train' has no key 'optimiser'\n"
	  "help: did you mean train.optimizer.adam.lr (now 1e-3, from mlp.yaml:4:52)?\n" },
	{ 15, "resnet.yaml",
	  "1:version: 1\n2:params: {w: 16}\n3:inputs: {x: [B, w, 32, 32]}\n4:defaults: {conv2d: {kernel: 3, padding: same}}\n"
	  "14:defs:\n15:  basic:\n16:    params: {out: int, stride: 1}\n17:    body:\n"
	  "18:      - residual: [{conv2d: {out: out, stride: stride}}, batch_norm]\n35:model:\n36:  - chain:\n"
	  "37:      - basic: {out: c, stride: s}\n38:    each: {c: [w, 2*w], s: [1, 2]}\n39:    as: stage\n", NULL,
	  "resnet.yaml:18:9: error[E015]: x is [B, 16, 32, 32] but f(x) is [B, 32, 16, 16], they cannot be added\n"
	  "   18 |       - residual: [{conv2d: {out: out, stride: stride}}, batch_norm]\n"
	  "      |         ^^^^^^^^\n"
	  "note: in stage[1].basic, with out = 32, stride = 2        resnet.yaml:37:9\n"
	  "help: write it in the long form with 'skip: auto' to project x\n" },
	{ 18, "m.yaml", "1:version: 1\n9:x-abc: !!python/name evil\n10:model: [neg]\n11:inputs: {x: 1}\n", NULL,
	  "m.yaml:9:8: error[E009]: tags such as !!python/name are not read (a model file never runs code)\n"
	  "    9 | x-abc: !!python/name evil\n"
	  "      |        ^^^^^^^^^^^^^\n" },
};

Test(messages, of_the_checker)
{
	for (size_t k = 0; k < sizeof shown / sizeof *shown; k++) {
		const struct shown *s = &shown[k];
		ad_model *m;
		char *said;

		write_lines(s->file, s->lines);
		m = ad_model_open(s->file, s->set != NULL, &s->set);
		said = messages_of(m);
		cr_expect_str_eq(said, s->said, "%d: said\n%snot\n%s", s->number, said, s->said);
		free(said);
		ad_model_close(m);
	}
}

/* 16: labels that are no class of the model, at the source that has them. */
Test(messages, of_the_reader_of_data)
{
	static const char want[] =
		"mlp.yaml:26:10: error[E020]: labels run 0..25 but logits has 10 classes (line 5: classes: 10)\n"
		"   26 |   train: {format: csv, file: letters.csv, x: 0..1, y: 2}\n"
		"      |          ^\n"
		"note: they are input 'y'; letters.csv:2 has 25\n"
		"help: --set params.classes=26";
	ad_train_options o = { .run = "run" };
	char error[1024];
	ad_model *m;

	write_lines("letters.csv", "1:1,2,0\n2:3,4,25\n3:5,6,1\n");
	write_lines("mlp.yaml",
	            "1:version: 1\n4:params:\n5:  classes: 10\n10:inputs: {x: [B, 2], y: {shape: [B], dtype: i32, role: target}}\n"
	            "12:model: [{linear: classes, as: logits}]\n14:loss: cross_entropy(logits, y)\n25:data:\n"
	            "26:  train: {format: csv, file: letters.csv, x: 0..1, y: 2}\n30:train: {steps: 1, optimizer: {sgd: 0.1}}\n");
	m = ad_model_open("mlp.yaml", 0, NULL);
	cr_assert_eq(ad_model_errors(m), 0);
	cr_assert_eq(ad_model_train(m, &o, error, sizeof error), AD_RUN_REFUSED);
	cr_expect_str_eq(error, want, "said\n%s\nnot\n%s", error, want);
	ad_model_close(m);
}

/* 17: weights of other shapes, with the param that they come from and the command that shows what has changed. */
Test(messages, of_the_reader_of_weights)
{
	static const char want[] =
		"runs/a/last.safetensors: error[E030]: 'linear.weight' is [128, 784] there and [256, 784] here (mlp.yaml:3:18, "
		"params.hidden)\nhelp: 'autograd diff runs/a/config.yaml mlp.yaml'";
	static const char *const then = "params.hidden=128";
	char error[1024];
	ad_model *m;

	write_lines("mlp.yaml", "1:version: 1\n3:params: {hidden: 256}\n5:inputs: {x: [B, 784]}\n6:model: [{linear: hidden}]\n");
	cr_assert(mkdir("runs", 0777) == 0 && mkdir("runs/a", 0777) == 0);
	m = ad_model_open("mlp.yaml", 1, &then);
	cr_assert(ad_model_graph(m) && checkpoint_write(m, "runs/a/last.safetensors", error, sizeof error), "%s", error);
	ad_model_close(m);
	m = ad_model_open("mlp.yaml", 0, NULL);
	cr_assert(!checkpoint_read(m, "runs/a/last.safetensors", NULL, error, sizeof error));
	cr_expect_str_eq(error, want, "said\n%s\nnot\n%s", error, want);
	ad_model_close(m);
}
