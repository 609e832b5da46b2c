/*
 * sweep: the command that trains a model for each trial of its `sweep`: which trials there are, their table, runs
 * that were stopped, trials that diverge.
 *
 * The command is $AUTOGRAD_BIN, else build/autograd; the tests run in the project's top folder.
 */
#include "../models/scratch.h"

#include "model.h"

#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>

TestSuite(sweep, .init = scratch_open, .fini = scratch_close, .timeout = 300);

/* Four points of y = 2 x; the loss after some steps of gradient descent tells the rate. */
#define HEAD                                                                                                       \
	"version: 1\n"                                                                                             \
	"name: line\n"                                                                                             \
	"params: {lr: 0.1, w0: 0, n: 3}\n"                                                                         \
	"inputs: {x: [B], y: {shape: [B], role: target}}\n"                                                        \
	"weights: {w: w0}\n"                                                                                       \
	"model: {out: w * x}\n"                                                                                    \
	"loss: mse_loss(out, y)\n"                                                                                 \
	"metrics: {size: abs(w)}\n"                                                                                \
	"data:\n"                                                                                                  \
	"  train: {table: {columns: [x, y], rows: [[0, 0], [1, 2], [2, 4], [3, 6]]}}\n"                            \
	"train: {steps: 6, optimizer: {sgd: {lr: lr}}}\n"

/* What it prints on its standard output, and its exit status; by a shell in the scratch folder. */
static char *run(int *status, const char *format, ...) __attribute__((format(printf, 2, 3)));
static char *run(int *status, const char *format, ...)
{
	const char *bin = getenv("AUTOGRAD_BIN");
	char command[2048], *path = realpath(bin ? bin : "build/autograd", NULL), *text = calloc(1, 1 << 20);
	size_t used, n = 0, got;
	va_list args;
	FILE *pipe;

	cr_assert(path && text);
	used = (size_t)snprintf(command, sizeof command, "cd %s && exec %s ", scratch, path);
	va_start(args, format);
	vsnprintf(command + used, sizeof command - used, format, args);
	va_end(args);
	pipe = popen(command, "r");
	cr_assert(pipe != NULL);
	while ((got = fread(text + n, 1, (1 << 20) - 1 - n, pipe)) > 0)
		n += got;
	*status = pclose(pipe);
	*status = WIFEXITED(*status) ? WEXITSTATUS(*status) : 128 + WTERMSIG(*status);
	free(path);
	return text;
}

static char *contents(const char *name)
{
	FILE *file = fopen(scratch_path(name), "rb");
	char *text = calloc(1, 1 << 20);

	cr_assert(file && text, "%s", name);
	cr_assert(fread(text, 1, (1 << 20) - 1, file) > 0, "%s is empty", name);
	fclose(file);
	return text;
}

/* The line of a table that begins with this trial, or the head; cut off the text. */
static const char *line_of(const char *text, int trial, char line[256])
{
	for (const char *s = text; s && *s; s = strchr(s, '\n') ? strchr(s, '\n') + 1 : NULL)
		if (trial == 0 || atoi(s) == trial) {
			snprintf(line, 256, "%.*s", (int)strcspn(s, "\n"), s);
			return line;
		}
	return "";
}

Test(sweep, grid)
{
	char *text, line[256];
	int status;
	double losses[4];
	static const int want[] = { 3, 4, 1, 2 }; /* lr 0.05 with w0 1 and 0, then lr 0.01 */

	/* w0 counts fastest: trials 1, 2 have lr 0.01 */
	scratch_text("m.yaml", HEAD "sweep: {over: {lr: [0.01, 0.05], w0: [1, 0]}}\n");
	text = run(&status, "sweep m.yaml -q 2>/dev/null");
	cr_assert_eq(status, 0, "%s", text);
	cr_expect(strstr(line_of(text, 0, line), "trial    lr  w0  train.loss"), "%s", text);
	cr_expect(strstr(text, "\nsweep: runs/line-sweep-1\n"), "%s", text);
	free(text);

	text = contents("runs/line-sweep-1/results.csv");
	cr_expect_str_eq(line_of(text, 0, line),
	                 "trial,lr,w0,min train.loss,status,train.loss,train.size,steps,seconds,run");
	const char *s = text;
	for (int k = 0; k < 4; k++) {
		char lr[16], w0[16];
		int trial;

		s = strchr(s, '\n') + 1;
		cr_assert_eq(sscanf(s, "%d,%15[^,],%15[^,],%lf,done", &trial, lr, w0, &losses[k]), 4, "%s", s);
		cr_expect_eq(trial, want[k], "%s", text);
		cr_expect_str_eq(lr, trial <= 2 ? "0.01" : "0.05");
		cr_expect_str_eq(w0, trial % 2 ? "1" : "0");
		cr_expect(k == 0 || losses[k] >= losses[k - 1]);
		/* loss (w - 2)^2 * 14/4; a step takes w - 2 times 1 - 7 lr */
		double left = (trial % 2 ? 1 : 2) * pow(1 - 7 * atof(lr), 6);
		cr_expect_float_eq(losses[k], left * left * 3.5, 1e-5);
	}
	free(text);

	/* an ordinary run folder with the values in it */
	text = contents("runs/line-sweep-1/trial-2/config.yaml");
	cr_expect(strstr(text, "  lr: 0.01\n  w0: 0\n"), "%s", text);
	free(text);
	text = run(&status, "test runs/line-sweep-1/trial-2 2>&1");
	free(text);
	text = run(&status, "check runs/line-sweep-1/trial-2/config.yaml 2>&1");
	cr_expect_eq(status, 0, "%s", text);
	free(text);

	/* --set is below the sweep; the next folder is the next number */
	text = run(&status, "sweep m.yaml --set params.lr=7 --set params.n=4 2>&1 >/dev/null | grep note");
	cr_expect(strstr(text, "note: --set params.lr=7 has no effect: the sweep varies it") &&
	          !strstr(text, "params.n"), "%s", text);
	free(text);
	text = contents("runs/line-sweep-2/trial-1/config.yaml");
	cr_expect(strstr(text, "  lr: 0.01\n  w0: 1\n  n: 4\n"), "%s", text);
	free(text);
}

Test(sweep, random)
{
	char *text, *again;
	int status;
	double most = 0, least = 1, middle = 0;

	scratch_text("m.yaml", HEAD "sweep:\n  over: {lr: {log: [1e-4, 1e-1]}, n: {uniform: [2, 4]}, w0: [1, 0.5]}\n"
	                            "  method: random\n  trials: 40\n  goal: max train.size\n");
	text = run(&status, "sweep m.yaml -q --run a && cat a/results.csv > a.csv");
	free(text);
	text = run(&status, "sweep m.yaml -q --run b --set train.steps=1");
	cr_expect_eq(status, 0);
	free(text);
	text = contents("a/results.csv");
	again = contents("b/results.csv");
	double last = INFINITY;
	int seen[5] = { 0 }, lines = 0;
	for (const char *s = strchr(text, '\n') + 1; *s; s = strchr(s, '\n') + 1, lines++) {
		double lr, n, w0, goal;
		char front[64];
		int trial;

		cr_assert_eq(sscanf(s, "%d,%lf,%lf,%lf,%lf", &trial, &lr, &n, &w0, &goal), 5, "%s", s);
		cr_expect(goal <= last, "the best first");
		last = goal;
		cr_expect(w0 == 1 || w0 == 0.5);
		cr_expect(lr >= 1e-4 && lr <= 1e-1);
		cr_assert(n == 2 || n == 3 || n == 4, "%g", n);
		seen[(int)n]++;
		most = lr > most ? lr : most;
		least = lr < least ? lr : least;
		middle += log10(lr) / 40;
		/* the same trials, whatever else changes */
		snprintf(front, sizeof front, "\n%.*s", (int)(strchr(strchr(strchr(s, ',') + 1, ',') + 1, ',') - s),
		         s);
		cr_expect(strstr(again, front), "%s", front);
	}
	cr_expect_eq(lines, 40);
	cr_expect(seen[2] > 4 && seen[3] > 4 && seen[4] > 4, "%d %d %d", seen[2], seen[3], seen[4]);
	cr_expect(least < 1e-3 && most > 1e-2 && fabs(middle + 2.5) < 0.5, "%g to %g, %g", least, most, middle);
	free(text);
	free(again);
}

Test(sweep, a_diverged_trial_is_a_row)
{
	char *text, line[256];
	int status;

	scratch_text("m.yaml", HEAD "sweep: {over: {lr: [1e30, 0.05, 1e25]}}\n");
	text = run(&status, "sweep m.yaml -q 2>/dev/null");
	cr_expect_eq(status, 0, "%s", text);
	cr_expect(strstr(line_of(text, 2, line), "done"), "%s", text);
	cr_expect(strstr(line_of(text, 1, line), "diverged"), "%s", text);
	cr_expect(strstr(text, "\n    2") < strstr(text, "\n    1"), "%s", text);
	free(text);
	/* one that fails is a row, too, but the sweep's status says so */
	text = run(&status, "sweep m.yaml -q --max-memory 1 2>/dev/null");
	cr_expect_eq(status, 1, "%s", text);
	cr_expect(strstr(line_of(text, 3, line), "failed"), "%s", text);
	free(text);
	/* all of them diverge: so it does */
	text = run(&status, "sweep m.yaml -q --set 'sweep.over={lr: [1e30, 1e25]}' 2>/dev/null");
	cr_expect_eq(status, 3, "%s", text);
	free(text);
}

Test(sweep, stopped_and_resumed)
{
	const char *bin = getenv("AUTOGRAD_BIN");
	char *path = realpath(bin ? bin : "build/autograd", NULL), *text, line[256];
	struct stat first, later;
	int status;
	pid_t child;

	/* trial 1 ends at once, trial 2 does not end by itself */
	scratch_text("m.yaml", HEAD "sweep: {over: {n: [5, 2000000000, 6]}}\n");
	child = fork();
	if (child == 0) {
		if (chdir(scratch) == 0 && freopen("out", "w", stdout) && freopen("err", "w", stderr))
			execl(path, path, "sweep", "m.yaml", "--set", "train.steps=n", NULL);
		_exit(127);
	}
	for (int k = 0; k < 600 && stat(scratch_path("runs/line-sweep-1/trial-2/log.csv"), &first) != 0; k++)
		usleep(50000);
	cr_assert_eq(stat(scratch_path("runs/line-sweep-1/trial-1/result.json"), &first), 0);
	usleep(300000);

	/* two at a time are refused */
	text = run(&status, "sweep m.yaml --resume 2>&1");
	cr_expect_eq(status, 2);
	cr_expect(strstr(text, "runs/line-sweep-1: another sweep goes on there"), "%s", text);
	free(text);

	kill(child, SIGINT);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 130, "%x", status);
	text = contents("out");
	cr_expect(strstr(line_of(text, 1, line), "done"), "%s", text);
	cr_expect(strstr(line_of(text, 2, line), "interrupted"), "%s", text);
	cr_expect(strstr(line_of(text, 3, line), "waiting"), "%s", text);
	free(text);

	/* what it began with is what it goes on with, whatever the file says by now */
	scratch_text("m.yaml", "version: 1\nname: line\nmodel: []\n");
	text = contents("runs/line-sweep-1/config.yaml");
	char *from = strstr(text, "2000000000");
	cr_assert(from != NULL);
	memcpy(from, "7         ", 10);
	scratch_text("runs/line-sweep-1/config.yaml", text);
	free(text);
	/* which is another trial 2 now: it begins anew without what the other has learnt */
	text = run(&status, "sweep m.yaml --resume -q 2>&1");
	cr_expect(status == 1 && strstr(text, "belongs to another configuration"), "%d: %s", status, text);
	free(text);
	nftw(scratch_path("runs/line-sweep-1/trial-2"), scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
	text = run(&status, "sweep m.yaml --resume --set train.steps=9 2>&1");
	cr_expect(status == 2 && strstr(text, "it takes no --set"), "%s", text);
	free(text);
	text = run(&status, "sweep m.yaml --resume -q 2>&1");
	cr_expect_eq(status, 0, "%s", text);
	for (int trial = 1; trial <= 3; trial++)
		cr_expect(strstr(line_of(text, trial, line), "done"), "%s", text);
	free(text);
	text = contents("runs/line-sweep-1/results.csv");
	cr_expect(strstr(line_of(text, 2, line), ",7,") && strstr(line_of(text, 3, line), ",6,"), "%s", text);
	free(text);
	cr_assert_eq(stat(scratch_path("runs/line-sweep-1/trial-1/result.json"), &later), 0);
	cr_expect(first.st_ino == later.st_ino && first.st_mtime == later.st_mtime, "trial 1 was made again");
	free(path);
}

/* Blocks of other files are frozen with the rest. */
Test(sweep, includes_are_frozen)
{
	char *text;
	int status;

	scratch_text("blocks.yaml", "version: 1\ndefs: {double: {body: [{mul: 2}]}}\nmodel: []\n");
	scratch_text("m.yaml", HEAD "include: [blocks.yaml]\nsweep: {over: {lr: [0.01, 0.02]}}\n"
	                            "defs: {b: {body: [blocks.double]}}\noutput: b(out)\n");
	text = run(&status, "sweep m.yaml -q --run s 2>&1");
	cr_assert_eq(status, 0, "%s", text);
	free(text);
	scratch_text("blocks.yaml", "this is no model");
	cr_assert_eq(rename(scratch_path("s/trial-2"), scratch_path("away")), 0);
	text = run(&status, "sweep m.yaml -q --resume --run s 2>&1");
	cr_expect_eq(status, 0, "%s", text);
	free(text);
}

static const struct {
	const char *line, *yaml;
	int status;
	const char *says;
} refusals[] = {
	{ "sweep m.yaml", "", 2, "m.yaml has no key 'sweep'" },
	{ "sweep m.yaml --resume", "", 2, "no sweep to go on with: there is no runs/line-sweep-1" },
	{ "sweep m.yaml --resume --run .", "", 2, "'.' is not the folder of a sweep: it has no config.yaml" },
	{ "sweep m.yaml --run ''", "", 2, "--run needs the name of a folder" },
	{ "sweep m.yaml --run ..", "sweep: {over: {lr: [1]}}\n", 2,
	  "is there already and not an empty folder" },
	{ "sweep m.yaml", "sweep: {over: {lr: [1, fast, 2]}}\n", 2, "trial 2 cannot be trained: lr fast" },
	{ "sweep m.yaml", "sweep: {over: {lr: [1, fast, 2]}}\n", 2, "lr = fast comes from the file's sweep" },
	{ "sweep m.yaml --dry-run -q", "sweep: {over: {lr: [1, 2], n: [3, 4]}}\n", 0,
	  "trial  lr  n\n    1   1  3\n    2   1  4\n    3   2  3\n    4   2  4\n" },
};

Test(sweep, refusals_write_nothing)
{
	struct stat info;

	for (size_t k = 0; k < sizeof refusals / sizeof *refusals; k++) {
		char text[2048], *said;
		int status;

		snprintf(text, sizeof text, HEAD "%s", refusals[k].yaml);
		scratch_text("m.yaml", text);
		said = run(&status, "%s 2>&1", refusals[k].line);
		cr_expect_eq(status, refusals[k].status, "%s: %s", refusals[k].line, said);
		cr_expect(strstr(said, refusals[k].says), "%s: %s", refusals[k].line, said);
		cr_expect_neq(stat(scratch_path("runs"), &info), 0, "%s", refusals[k].line);
		free(said);
	}
}
