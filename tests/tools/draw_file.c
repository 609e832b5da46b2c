/*
 * draw_file: what a file says under `draw` holds for its diagrams where no option of the command says otherwise.
 *
 * The command is $AUTOGRAD_BIN, else build/autograd; the tests run in the project's top folder.
 */
#include "../models/scratch.h"

#include <sys/wait.h>

TestSuite(draw_file, .init = scratch_open, .fini = scratch_close);

#define MODEL                                                                                                      \
	"version: 1\n"                                                                                             \
	"inputs: {x: [B, 4], y: {shape: [B, 1], role: target}}\n"                                                  \
	"model:\n"                                                                                                 \
	"  - {chain: [{linear: 4}, sigmoid, {chain: [{linear: 4}, sigmoid, {linear: 4}], as: in}], as: out, repeat: 2}\n" \
	"  - {linear: 1, as: p}\n"                                                                                        \
	"loss: mse_loss(p, y)\n"                                                                              \
	"data: {train: {table: {columns: [x, y], rows: [[[1, 2, 3, 4], 1], [[2, 3, 4, 6], 0]]}}}\n"                \
	"train: {steps: 1, optimizer: {sgd: {lr: 1e-30}}}\n"

/* The diagram as DOT, or a message. */
static char *drawn(const char *draw, const char *options)
{
	const char *bin = getenv("AUTOGRAD_BIN");
	char yaml[2048], command[1024], *text = calloc(1, 1 << 20);
	FILE *pipe;

	snprintf(yaml, sizeof yaml, "%s%s", MODEL, draw);
	snprintf(command, sizeof command, "%s draw %s %s -o - 2>&1", bin ? bin : "build/autograd",
	         scratch_text("m.yaml", yaml), options);
	pipe = popen(command, "r");
	cr_assert(pipe && text);
	cr_assert(fread(text, 1, (1 << 20) - 1, pipe) > 0);
	pclose(pipe);
	return text;
}

static const struct {
	const char *draw, *options, *has, *lacks;
} cases[] = {
	{ "", "", "rankdir=LR", "rankdir=TB" },
	{ "draw: {direction: TB}\n", "", "rankdir=TB", "rankdir=LR" },
	{ "draw: {direction: TB}\n", "--direction BT", "rankdir=BT", "rankdir=TB" },
	{ "", "", ">in</FONT>>", "no such thing" },
	{ "draw: {depth: 1}\n", "", "digraph flow", ">in</FONT>>" },
	{ "draw: {depth: 1}\n", "--depth 0", ">in</FONT>>", "no such thing" },
	{ "draw: {max_nodes: 4}\n", "", "digraph flow", ">in</FONT>>" },
	{ "draw: {max_nodes: 4}\n", "--max-nodes 300", ">in</FONT>>", "no such thing" },
	{ "draw: {view: circuit}\n", "", "digraph circuit", "digraph flow" },
	{ "draw: {view: circuit}\n", "--view flow", "digraph flow", "digraph circuit" },
	{ "draw: {view: circuit}\n", "--view auto", "digraph flow", "digraph circuit" },
	{ "", "--grad", "width and number = rms", "= max" },
	{ "draw: {gradients: max}\n", "--grad", "= max", "width and number = rms" },
	{ "draw: {gradients: max}\n", "--grad --stat rms", "width and number = rms", "= max" },
	{ "", "--grad", "weak, under 1/30", "exploding, over" },
	{ "draw: {thresholds: {strong: 1e-8, exploding: 1/50000000, weak: 1e-9, vanishing: 1e-10}}\n", "--grad",
	  "exploding, over 1/50000000", "weak" },
	{ "draw: {thresholds: {weak: 0.4, strong: 1.5}}\n", "--grad", "weak, under 0.4", "under 1/30" },
};

Test(draw_file, options_win)
{
	for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
		char *text = drawn(cases[k].draw, cases[k].options);

		cr_expect(strstr(text, cases[k].has), "%s%s: lacks '%s'\n%.3000s", cases[k].draw, cases[k].options,
		          cases[k].has, text);
		cr_expect(!strstr(text, cases[k].lacks), "%s%s: has '%s'", cases[k].draw, cases[k].options,
		          cases[k].lacks);
		free(text);
	}
}

/* One tensor in two places: drawn once more with a dashed arc between, and counted once. */
Test(draw_file, a_tied_weight_has_a_dashed_arc)
{
	static const char *const shares[] = { ", share: {weight: tok.weight}", "" };

	for (int k = 0; k < 2; k++) {
		const char *bin = getenv("AUTOGRAD_BIN"), *path;
		char yaml[1024], command[512], *text = calloc(1, 1 << 20);
		FILE *pipe;

		cr_assert(text);
		snprintf(yaml, sizeof yaml,
		         "version: 1\ninputs: {ids: {shape: [B, T], dtype: i32}, y: {shape: [B, T], dtype: i32, role: target}}\n"
		         "model:\n  - {embed: {vocab: 5, dim: 3}, from: ids, as: tok}\n  - tanh\n"
		         "  - {linear: {out: 5, bias: false}, as: logits%s}\nloss: cross_entropy(logits, y)\n", shares[k]);
		path = scratch_text("m.yaml", yaml);
		bin = bin ? bin : "build/autograd";
		snprintf(command, sizeof command, "%s draw %s -o - && %s show %s", bin, path, bin, path);
		pipe = popen(command, "r");
		cr_assert(pipe && fread(text, 1, (1 << 20) - 1, pipe) > 0);
		cr_expect_eq(pclose(pipe), 0);
		cr_expect_eq(strstr(text, "label=\"same tensor\",\n\t\tlabeltooltip=\"same tensor\",\n\t\tstyle=dashed") != NULL,
		             k == 0, "%s", text);
		cr_expect(strstr(text, k == 0 ? "15 parameters in 1 weight," : "30 parameters in 2 weights,"), "%s", text);
		free(text);
	}
}
