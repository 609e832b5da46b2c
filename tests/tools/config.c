/*
 * config: the commands that read a declaration: `autograd config`, `explain` and `check` with
 * overrides. The command is $AUTOGRAD_BIN, else build/autograd.
 */
#include "../models/scratch.h"

#include <criterion/criterion.h>
#include <glob.h>
#include <sys/wait.h>

TestSuite(config, .init = scratch_open, .fini = scratch_close);

static const char base[] = "version: 1\nparams: {n: 3, p: 0.5}\ninputs: {x: [B, 4]}\n"
			   "model: [{linear: n}, {dropout: p}]\n";
static const char child[] = "extends: base.yaml\nparams: {p: 0.25}\n";

/* What the command prints on both outputs, run in the scratch folder after `before`. */
static char *output_of(const char *before, const char *arguments, int *status)
{
	const char *command = getenv("AUTOGRAD_BIN");
	char *path = realpath(command ? command : "build/autograd", NULL), line[1024];
	char *text = calloc(1, 1 << 16);

	cr_assert(path && text, "the command is not built");
	snprintf(line, sizeof line, "cd %s && %s %s %s 2>&1", scratch, before, path, arguments);
	FILE *from = popen(line, "r");
	cr_assert(from != NULL);
	size_t n = fread(text, 1, (1 << 16) - 1, from);
	text[n] = '\0';
	*status = WEXITSTATUS(pclose(from));
	free(path);
	return text;
}

static void expect(const char *before, const char *arguments, int status, const char *text)
{
	int have;
	char *out = output_of(before, arguments, &have);

	cr_expect(have == status, "%s: status %d", arguments, have);
	cr_expect_str_eq(out, text);
	free(out);
}

/* The same of a command about a path. */
static char *about(const char *command, const char *path, const char *options, int *status)
{
	char *arguments = NULL, *out;

	cr_assert(asprintf(&arguments, "%s %s %s", command, path, options) > 0);
	out = output_of("", arguments, status);
	free(arguments);
	return out;
}

Test(config, resolved_with_origins)
{
	scratch_text("base.yaml", base);
	scratch_text("child.yaml", child);
	expect("", "config child.yaml", 0,
	       "version: 1\nparams:\n  n: 3\n  p: 0.25\ninputs:\n  x:\n    - B\n    - 4\nmodel:\n"
	       "  - linear: n\n  - dropout: p\n");
	expect("AUTOGRAD_SET=params.n=5", "config child.yaml --origin --set name=other", 0,
	       "version: 1      # base.yaml:1:10\n"
	       "params:\n"
	       "  n: 5          # AUTOGRAD_SET params.n=5\n"
	       "  p: 0.25       # child.yaml:2:13\n"
	       "inputs:\n"
	       "  x:\n"
	       "    - B         # base.yaml:3:14\n"
	       "    - 4         # base.yaml:3:17\n"
	       "model:\n"
	       "  - linear: n   # base.yaml:4:18\n"
	       "  - dropout: p  # base.yaml:4:32\n"
	       "name: other     # --set name=other\n");
	expect("", "config child.yaml --full --origin", 0,
	       "version: 1           # base.yaml:1:10\n"
	       "params:\n"
	       "  n: 3               # base.yaml:2:13\n"
	       "  p: 0.25            # child.yaml:2:13\n"
	       "inputs:\n"
	       "  x:\n"
	       "    shape:\n"
	       "      - B            # base.yaml:3:14\n"
	       "      - 4            # base.yaml:3:17\n"
	       "    dtype: f32       # default\n"
	       "    role: input      # default\n"
	       "model:\n"
	       "  - linear:\n"
	       "      out: n         # base.yaml:4:18\n"
	       "      bias: true     # default\n"
	       "  - dropout:\n"
	       "      p: p           # base.yaml:4:32\n"
	       "draw:\n"
	       "  thresholds:\n"
	       "    vanishing: 1e-3  # default\n"
	       "    weak: 1/30       # default\n"
	       "    strong: 10       # default\n"
	       "    exploding: 100   # default\n"
	       "  view: auto         # default\n"
	       "  gradients: rms     # default\n"
	       "  max_nodes: 300     # default\n"
	       "name: child          # default\n");
}

/* What --full prints is a file that checks clean and is the same as the one it was made of. */
Test(config, full_is_a_file_of_the_same_meaning)
{
	static const char sweeping[] = "version: 1\nparams: {n: 3}\ninputs: {x: [B, 4]}\nmodel: [{linear: n}, sum]\n"
	                               "train: {steps: 3, optimizer: {sgd: 0.1}}\n"
	                               "sweep: {over: {n: [2, 3]}}\ndraw: {direction: TB}\n";
	int status;
	char *out;
	glob_t files;

	cr_assert(glob("configs/*.yaml", 0, NULL, &files) == 0);
	cr_assert(glob("tests/examples/[0-4]_*.yaml", GLOB_APPEND, NULL, &files) == 0 && files.gl_pathc > 15);
	cr_assert(glob(scratch_text("sweeping.yaml", sweeping), GLOB_APPEND, NULL, &files) == 0);
	for (size_t k = 0; k < files.gl_pathc; k++) {
		char *name = realpath(files.gl_pathv[k], NULL), *text = about("config", name, "--full", &status);

		cr_assert(status == 0, "%s", text);
		scratch_text("full.yaml", text);
		out = about("diff", name, "full.yaml", &status);
		cr_expect(status == 0 && !*out, "%s: %s", name, out);
		free(out);
		out = about("check", "full.yaml", "", &status);
		cr_expect(status == 0 && strncmp(out, "full.yaml: ok, ", 15) == 0, "%s: %s\n%s", name, out, text);
		free(out);
		free(text);
		free(name);
	}
	globfree(&files);
	out = about("config", "sweeping.yaml", "--full --origin", &status);
	cr_expect(strstr(out, "\n  method: grid          # default\n  goal: min train.loss  # default\n") &&
	              strstr(out, "\n  direction: TB         # sweeping.yaml:7:19\n") &&
	              strstr(out, "\n  view: auto            # default\n") && !strstr(out, "trials"),
	          "%s", out);
	free(out);
}

Test(config, mistakes)
{
	scratch_text("base.yaml", base);
	scratch_text("child.yaml", child);
	expect("", "config child.yaml --set params.m=1", 2,
	       "--set params.m=1: error[E001]: 'params' has no key 'm'\n"
	       "help: the keys there are: n, p\n");
	expect("AUTOGRAD_SET=params.n=many", "check child.yaml", 2,
	       "base.yaml:4:18: error[E004]: 'out' wants a whole number, not the word 'many'\n"
	       "    4 | model: [{linear: n}, {dropout: p}]\n"
	       "      |                  ^\n"
	       "note: n = many comes from the environment, AUTOGRAD_SET params.n=many\n");
	expect("", "check child.yaml --set params.n=7", 0,
	       "child.yaml: ok, 2 items, 35 parameters, f32\n");
}

/* Data that is not there is no matter before the shapes fit. */
Test(config, shapes_before_data)
{
	scratch_text("m.yaml", "version: 1\ninputs: {x: [B, 4]}\nmodel: [{linear: 2}, {linear: 1, shape: [B, 2]}, {mean: , as: y}]\n"
	                       "loss: y\ndata: {train: {format: csv, file: there-is-none.csv, x: 0..3}}\n"
	                       "train: {steps: 1, optimizer: {sgd: 0.1}}\n");
	for (int k = 0; k < 2; k++) {
		int status;
		char *text = output_of("", k ? "train m.yaml --dry-run --set model.1.linear=2" : "train m.yaml --dry-run", &status);

		cr_expect_eq(status, k ? 1 : 2, "%s", text);
		cr_expect_eq(strstr(text, "the shape is [B, 1], not [B, 2]") != NULL, k == 0, "%s", text);
		cr_expect_eq(strstr(text, "there-is-none") != NULL, k == 1, "%s", text);
		free(text);
	}
}

/* What the reader of weights says arrives as it is, and the command that it names shows the change. */
Test(config, weights_of_another_shape)
{
	int status;
	char *text;

	scratch_text("net.yaml", "version: 1\nparams: {hidden: 3}\ninputs: {x: [B, 4]}\nmodel: [{linear: hidden}, {mean: , as: y}]\n"
	                         "loss: y\ndata: {train: {table: {columns: [x], rows: [[[1, 2, 1, 2]]]}}}\n"
	                         "train: {steps: 1, optimizer: {sgd: 0.1}}\n");
	text = output_of("PATH=/nonexistent", "train net.yaml --quiet --run runs/a", &status);
	cr_assert_eq(status, 0, "%s", text);
	free(text);
	text = output_of("sed -i s/3/5/ net.yaml &&", "train net.yaml --quiet --run runs/b --set train.from=runs/a", &status);
	cr_expect_eq(status, 2);
	cr_expect_str_eq(text, "runs/a/last.safetensors: error[E030]: 'linear.weight' is [3, 4] there and [5, 4] here "
	                       "(net.yaml:2:18, params.hidden)\nhelp: 'autograd diff runs/a/config.yaml net.yaml'\n", "%s", text);
	free(text);
	expect("", "diff runs/a/config.yaml net.yaml", 1,
	       "  params.hidden: 3 -> 5\n  linear: linear [B, 3] -> linear [B, 5]\n");
}

/* A file without data is trained on what --data says, which --set may change. */
Test(config, data_on_the_command_line)
{
	int status;
	char *text;

	scratch_text("line.yaml", "version: 1\ninputs: {x: [B], y: {shape: [B], role: target}}\nweights: {w: 1}\nmodel: {h: w*x}\n"
	                          "loss: mse_loss(h, y)\ntrain: {steps: 1, optimizer: {sgd: 0.1}}\n");
	scratch_text("a.csv", "1,3\n2,6\n");
	expect("", "check line.yaml", 0,
	       "line.yaml:6:1: warning: no key 'data': 'autograd train' will need --data\n"
	       "    6 | train: {steps: 1, optimizer: {sgd: 0.1}}\n"
	       "      | ^^^^^\n"
	       "line.yaml: ok, 1 item, 1 parameter, f32\n");
	text = output_of("", "train line.yaml --dry-run --quiet --data '{format: csv, file: a.csv, x: 0, y: 1}'", &status);
	cr_expect(status == 0 && !strstr(text, "warning"), "%s", text);
	free(text);
	text = output_of("", "train line.yaml --dry-run --data '{format: csv, file: a.csv, x: 0, y: 1}' --set "
	                     "data.train.file=b.csv", &status);
	cr_expect(status == 1 && strstr(text, "b.csv"), "%s", text);
	free(text);
	text = output_of("", "train line.yaml --dry-run --data '{format: cvs, file: a.csv}'", &status);
	cr_expect(status == 2 && strstr(text, "no data format named 'cvs'"), "%s", text);
	free(text);
}

Test(config, explained)
{
	int status;
	char *page = output_of("", "explain E010", &status),
	     *same = output_of("", "explain 10", &status);

	cr_expect(strncmp(page, "E010: shapes do not fit\n", 24) == 0 &&
	              strstr(page, "\nWrong:\n\n    version: 1\n") && strstr(page, "\nRight:\n"),
	          "%s", page);
	cr_expect_str_eq(page, same);
	free(page);
	free(same);
	page = output_of("", "explain", &status);
	cr_expect(status == 0 && strstr(page, "E001  unknown key\n") && strstr(page, "\nE030  "),
	          "%s", page);
	free(page);
	expect("", "explain E999", 2,
	       "autograd explain: there is no error 'E999'; 'autograd explain' lists them\n"
	       "help: 'autograd explain --help' shows how it is used\n");
}
