/*
 * command: runs the built command: exit status, what goes to which stream, JSON, wrong usage.
 *
 * The command is $AUTOGRAD_BIN, else build/autograd; the tests run in the project's top folder.
 */
#include <criterion/criterion.h>

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_WORDS 16

struct result {
	int status; /* 128 + signal if it was killed */
	char *out, *err;
};

static char *contents(FILE *file)
{
	long size;
	char *text;

	fseek(file, 0, SEEK_END);
	size = ftell(file);
	rewind(file);
	text = calloc(1, (size_t)size + 1);
	cr_assert(text && fread(text, 1, (size_t)size, file) == (size_t)size);
	return text;
}

/* Runs the command with words separated by single spaces, its standard output going to a file. */
static struct result run_into(const char *line, int to)
{
	char *copy = strdup(line), *words[MOST_WORDS + 2];
	FILE *err = tmpfile();
	const char *command = getenv("AUTOGRAD_BIN");
	struct result r;
	int n = 1, status;
	pid_t child;

	cr_assert(copy && err);
	words[0] = strdup(command ? command : "build/autograd");
	for (char *word = strtok(copy, " "); word && n <= MOST_WORDS; word = strtok(NULL, " "))
		words[n++] = word;
	words[n] = NULL;
	child = fork();
	if (child == 0) {
		dup2(to, STDOUT_FILENO);
		dup2(fileno(err), STDERR_FILENO);
		execv(words[0], words);
		_exit(127);
	}
	cr_assert(child > 0);
	cr_assert_eq(waitpid(child, &status, 0), child);
	r.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	r.out = NULL;
	r.err = contents(err);
	fclose(err);
	free(copy);
	free(words[0]);
	cr_assert_neq(r.status, 127, "%s: cannot be run; build it or set AUTOGRAD_BIN",
	              command ? command : "build/autograd");
	return r;
}

static struct result run(const char *line)
{
	FILE *out = tmpfile();
	struct result r;

	cr_assert_not_null(out);
	r = run_into(line, fileno(out));
	r.out = contents(out);
	fclose(out);
	return r;
}

static void done(struct result *r)
{
	free(r->out);
	free(r->err);
}

/* A folder of the test's own; removed with what it holds. */
static char folder[] = "/tmp/autograd-command-XXXXXX";

static void make_folder(void)
{
	cr_assert_not_null(mkdtemp(folder));
}

static void remove_folder(void)
{
	char line[128];

	snprintf(line, sizeof line, "rm -rf '%s'", folder);
	cr_assert_eq(system(line), 0);
}

static const char *write_file(const char *name, const char *text)
{
	static char path[128];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, "w");
	cr_assert_not_null(file);
	fputs(text, file);
	cr_assert_eq(fclose(file), 0);
	return path;
}

/* What each line has to give: the exit status, and a piece of each stream; "" for an empty one. */
struct expected {
	const char *line;
	int status;
	const char *out, *err;
};

static bool matches(const char *text, const char *piece)
{
	return *piece ? strstr(text, piece) != NULL : !*text;
}

static void check_all(const struct expected *cases, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		struct result r = run(cases[k].line);

		cr_expect_eq(r.status, cases[k].status, "autograd %s: exit status %d, not %d\n%s",
		             cases[k].line, r.status, cases[k].status, r.err);
		cr_expect(matches(r.out, cases[k].out), "autograd %s: standard output is\n%s",
		          cases[k].line, r.out);
		cr_expect(matches(r.err, cases[k].err), "autograd %s: standard error is\n%s",
		          cases[k].line, r.err);
		done(&r);
	}
}

#define CHECK_ALL(cases) check_all(cases, sizeof(cases) / sizeof *(cases))

Test(command, usage)
{
	static const struct expected cases[] = {
		{ "", 2, "", "usage: autograd COMMAND" },
		{ "--help", 0, "usage: autograd COMMAND", "" },
		{ "-h", 0, "usage: autograd COMMAND", "" },
		{ "help train", 0, "usage: autograd train [FILE] [options]", "" },
		{ "train --help", 0, "--run DIR", "" },
		{ "draw -h", 0, "usage: autograd draw FILE|RUN [options]", "" },
		{ "--version", 0, "autograd 0.", "" },
		{ "trian x.yaml", 2, "", "there is no command 'trian'; did you mean 'train'?" },
		{ "help trian", 2, "", "did you mean 'train'?" },
		{ "frobnicate", 2, "",
		  "there is no command 'frobnicate'\nhelp: 'autograd --help'" },
		{ "--set a=1", 2, "", "there is no option '--set' before the command" },
		{ "configs/gates.yaml", 2, "", "for the file: autograd check configs/gates.yaml" },
		{ "check", 2, "", "FILE... is missing: autograd check FILE..." },
		{ "eval", 2, "", "is missing: autograd eval" },
		{ "eval a.yaml b.yaml", 2, "", "'b.yaml' is one argument too many" },
		{ "train a.yaml --rnu x", 2, "",
		  "there is no option '--rnu'; did you mean '--run'?" },
		{ "train a.yaml --run", 2, "", "--run needs a value: --run DIR" },
		{ "train a.yaml --run --dry-run", 2, "", "--run needs a value: --run DIR" },
		{ "train a.yaml --dry-run=1", 2, "", "--dry-run takes no value" },
		{ "train a.yaml -z", 2, "", "there is no option '-z'" },
		{ "eval --format xml a.yaml", 2, "", "--format is one of: text json; not 'xml'" },
		{ "eval --format", 2, "", "--format needs one of: text json" },
		{ "gradcheck --seed -1 a.yaml", 2, "",
		  "--seed wants a whole number, 0 or more, not '-1'" },
		{ "gradcheck --seed 1x a.yaml", 2, "",
		  "--seed wants a whole number, 0 or more, not '1x'" },
		{ "gradcheck --seed 99999999999999999999 a.yaml", 2, "",
		  "--seed wants a whole number" },
		{ "draw configs/gates.yaml", 2, "", "--output needs a value: --output PICTURE" },
		{ "lr configs/digits.yaml --from 1e-300 --to 1e300", 2, "", "their quotient finite" },
		{ "draw configs/gates.yaml -f dot", 0, "digraph circuit {", "" },
		{ "draw configs/gates.yaml -o - -f json", 0, "{\"title\": \"gates\"", "" },
		{ "draw configs/gates.yaml -o x.svg --text", 2, "", "the ending of 'x.svg' says its form" },
		{ "draw configs/gates.yaml -o x.svg -f svg", 2, "", "--text and --format are of standard output" },
		{ "draw configs/gates.yaml --grad -o - -f svg", 0, "<g id=\"graph0\"", "" },
		{ "draw configs/gates.yaml -f pdf", 0, "%PDF-", "" },
		{ "draw configs/gates.yaml -f gif", 2, "", "--format is one of: dot json text svg png pdf" },
		{ "draw configs/gates.yaml -o x.json -f json", 2, "", "--text and --format are of standard output" },
		{ "draw configs/gates.yaml --text -f json", 2, "", "--text and --format contradict each other" },
		{ "draw configs/gates.yaml --grad --around q -o -", 0, "digraph flow {", "" },
		{ "draw configs/gates.yaml -f dot --only weak", 1, "", "a choice of gradients needs gradients" },
		{ "draw configs/gates.yaml -f dot --open q.r", 1, "", "there is no module 'q.r'" },
		{ "draw configs/gates.yaml -f dot --view circuit --path x..f", 1, "", "choose the flow view" },
		{ "draw configs/gates.yaml -f dot --view circuit --plan", 2, "", "have no --view circuit" },
		{ "draw configs/gates.yaml -f dot --radius 3", 2, "", "--radius is of --around PATH" },
		{ "draw configs/gates.yaml -f dot --forward --both", 2, "", "--forward and --both: one of them" },
		{ "draw nowhere --watch --set a=1", 2, "", "--backward, --plan and --set" },
		{ "draw configs/gates.yaml -o - --path x", 2, "", "--path wants two ends, A..B" },
		{ "draw configs/gates.yaml -o - --only bad", 2, "", "--only wants classes" },
		{ "draw configs/gates.yaml -o - --only nan --around x", 2, "", "one of them" },
		{ "draw configs/gates.yaml -o x.gif", 2, "", "'x.gif' does not end in .dot" },
		{ "draw configs/gates.yaml -ox.gif", 2, "", "'x.gif' does not end in .dot" },
		{ "plot nowhere -o x.svg", 2, "", "'nowhere' is not the folder of a run" },
		{ "plot nowhere -o x.dot", 2, "", "'x.dot' does not end in .svg" },
		{ "test nowhere", 2, "", "'nowhere' is not the folder of a run: No such file" },
		{ "test configs/gates.yaml", 2, "", "is not the folder of a run: it is a file" },
		{ "test configs", 2, "",
		  "'configs' is not the folder of a run: it has no config.yaml" },
		{ "predict nowhere", 2, "", "--input needs a value: --input FILE" },
		{ "ops sigmiod", 2, "", "nothing is named 'sigmiod'; did you mean 'sigmoid'?" },
		{ "ops relu6 extra", 2, "", "'extra' is one argument too many" },
		{ "eval configs/descent.yaml --quet", 2, "", "there is no option '--quet'" },
		{ "train --quet configs/descent.yaml", 2, "", "there is no option '--quet'; did you mean '--quiet'?" },
		{ "show configs/vae.yaml --hiden 3", 2, "", "there is no option '--hiden'; did you mean '--hidden'?" },
		{ "show configs/vae.yaml --breadth 3", 2, "", "'--breadth', nor has the file a param of that name" },
		{ "show configs/gates.yaml --code 3", 2, "", "there is no option '--code'" },
		{ "show configs/vae.yaml --hidden", 2, "", "--hidden needs a value: --hidden VALUE" },
		{ "show configs/vae.yaml --hiden", 2, "", "there is no option '--hiden'; did you mean '--hidden'?" },
		{ "show --hidden", 2, "", "there is no option '--hidden'" },
		{ "ops --code", 2, "", "there is no option '--code'" },
		{ "ops --code 3", 2, "", "there is no option '--code'" },
		{ "show none.yaml --code 3", 2, "", "none.yaml: error[E022]: cannot be read" },
		{ "ops linaer", 2, "", "nothing is named 'linaer'; did you mean 'linear'?" },
		{ "ops xyzzyxyzzy", 2, "", "nothing is named 'xyzzyxyzzy'; 'autograd ops' lists" },
	};

	CHECK_ALL(cases);
}

Test(command, files)
{
	static const struct expected cases[] = {
		{ "check configs/gates.yaml", 0, "configs/gates.yaml: ok", "" },
		{ "check -- configs/gates.yaml", 0, "configs/gates.yaml: ok", "" },
		{ "check configs/gates.yaml configs/descent.yaml", 0, "configs/descent.yaml: ok",
		  "" },
		{ "check nowhere.yaml", 2, "", "nowhere.yaml" },
		{ "check configs", 2, "", "configs" },
		{ "eval configs/gates.yaml", 0, "f = -12", "" },
		{ "eval configs/gates.yaml", 0, "df/dx = -4", "" },
		{ "eval --set inputs.x=0 configs/gates.yaml", 0, "f = -20", "" },
		{ "eval --set=inputs.x=0 --set inputs.y=1 configs/gates.yaml", 0, "f = -4", "" },
		{ "eval --set inptus.x=0 configs/gates.yaml", 2, "", "--set inptus.x=0" },
		{ "show configs/gates.yaml", 0, "connected to", "" },
		{ "show configs/gates.yaml --format json", 0, "\"inputs\":[", "" },
		{ "gradcheck configs/descent.yaml", 0, "w", "" },
		{ "ops", 0, "sigmoid", "" },
		{ "show configs/vae.yaml --code 3 --hidden=10", 0, "[B, 3]", "" },
		{ "show --code 3 --set params.code=4 configs/vae.yaml", 0, "[B, 4]", "" },
		{ "show --set params.code=4 --code 3 configs/vae.yaml", 0, "[B, 3]", "" },
		{ "show --code x configs/vae.yaml", 2, "", "not the word 'x'" },
		{ "show --help", 0, "--NAME VALUE", "" },
		{ "ops sigmoid", 0, "y = 1 / (1 + exp(-x))", "" },
		{ "ops sigmoid", 0, "sigmoid([-1, 0, 100, -1000]) = [0.268941, 0.5, 1, 0]", "" },
		{ "ops sigmoid --markdown", 2, "", "--markdown takes no name" },
		{ "op check sigmoid", 0, "samples, all right\n", "" },
		{ "ops --man", 2, "", "--man is of one NAME" },
		{ "ops sigmiod --man", 2, "", "did you mean 'sigmoid'?" },
		{ "ops csv", 0, "must be given", "" },
		{ "draw configs/gates.yaml -o -", 0, "digraph", "" },
		{ "draw configs/gates.yaml --grad --text", 0, "add", "" },
		{ "draw configs/gates.yaml --grad -f json", 0, "\"edges\": [", "" },
		{ "train --dry-run configs/descent.yaml", 0, "", "nothing was written" },
		{ "train --run= configs/descent.yaml", 2, "", "--run needs the name of a folder" },
	};

	CHECK_ALL(cases);
}

/* What is wrong in a file is status 2 from every command; what keeps it from being read is 1. */
Test(command, bad_data, .init = make_folder, .fini = remove_folder)
{
	static const char *const commands[] = { "eval", "gradcheck", "train --dry-run",
		                                "draw --grad -o -" };
	static const struct {
		const char *set, *err;
		int status;
	} cases[] = {
		{ "data.train.file=words.csv",
		  "words.csv:1:1: error: 'one' is not a number; a first row of names needs 'header: true'\n", 2 },
		{ "data.train.file=labels.csv", "/labels.csv:3 has 7\n", 2 },
		{ "data.train.x=5", "has 2, 0..1\n    5 | data: {train: {", 2 },
		{ "data.train.file=none.csv", "none.csv: cannot read: No such file", 1 },
		{ "data.train.file=plain.csv.gz", "is not packed by gzip, as its name says", 2 },
	};

	write_file("words.csv", "one,0\n2,1\n");
	write_file("labels.csv", "1,0\n2,1\n3,7\n4,1\n");
	write_file("plain.csv.gz", "1,0\n2,1\n");
	write_file("m.yaml", "version: 1\n"
	                     "inputs: {x: [B, 1], y: {shape: [B], dtype: i32, role: target}}\n"
	                     "model: [{linear: 2, as: logits}]\n"
	                     "loss: cross_entropy(logits, y)\n"
	                     "data: {train: {format: csv, file: labels.csv, x: 0, y: 1}}\n"
	                     "train: {epochs: 1, optimizer: {sgd: {lr: 0.1}}}\n");
	for (size_t k = 0; k < sizeof commands / sizeof *commands; k++) {
		for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
			char line[256];
			struct result r;

			snprintf(line, sizeof line, "%s --set %s %s/m.yaml", commands[k],
			         cases[c].set, folder);
			r = run(line);
			cr_expect_eq(r.status, cases[c].status, "%s: exit status %d\n%s", line,
			             r.status, r.err);
			cr_expect(strstr(r.err, cases[c].err), "%s\n%s", line, r.err);
			done(&r);
		}
	}
}

static double number(const cJSON *from, const char *key, const char *name)
{
	const cJSON *of = cJSON_GetObjectItemCaseSensitive(from, key);
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(of, name);

	cr_assert(cJSON_IsNumber(value), "%s.%s is no number", key, name);
	return value->valuedouble;
}

#if !defined __SANITIZE_ADDRESS__
/* A start touches little memory: no tables are relocated, no heavy library is loaded. */
Test(command, starts_fast)
{
	static const char *const lines[] = { "--version", "check configs/residual.yaml" };

	for (size_t k = 0; k < sizeof lines / sizeof *lines; k++) {
		struct rusage before, after;
		struct result r;

		getrusage(RUSAGE_CHILDREN, &before);
		r = run(lines[k]);
		getrusage(RUSAGE_CHILDREN, &after);
		cr_expect_eq(r.status, 0, "%s", r.err);
		cr_expect_lt(after.ru_minflt - before.ru_minflt, 800, "autograd %s: %ld page faults", lines[k],
		             after.ru_minflt - before.ru_minflt);
		done(&r);
	}
}
#endif

/* Threads and memory: what is refused, and where a training stops before it takes too much. */
Test(command, limits)
{
	static const struct expected cases[] = {
		{ "train configs/digits.yaml --threads 0", 2, "", "--threads wants a whole number from 1 to 64" },
		{ "eval configs/gates.yaml --threads many", 2, "", "from 1 to 64, not 'many'" },
		{ "eval configs/gates.yaml --threads 65", 2, "", "not '65'" },
		{ "eval configs/gates.yaml --threads 3", 0, "f = -12", "" },
		{ "test configs --max-memory 5Q", 2, "", "a size such as 500M, 4G or 80%, not '5Q'" },
		{ "train configs/digits.yaml --max-memory 0", 2, "", "not '0'" },
		{ "train configs/digits.yaml --max-memory M", 2, "", "not 'M'" },
		{ "train configs/digits.yaml --max-memory 1.5.5M", 2, "", "not '1.5.5M'" },
		{ "train configs/digits.yaml --max-memory 50M2", 2, "", "not '50M2'" },
		{ "train configs/digits.yaml --dry-run -q --threads 2 --max-memory 80%", 0, "", "" },
		{ "train configs/digits.yaml --dry-run -q --max-memory 0.1GiB", 0, "", "" },
		{ "train configs/digits.yaml --dry-run -q --max-memory 200K", 1, "",
		  "samples take more than the 204800 bytes of memory that they may have" },
		{ "train configs/digits.yaml --dry-run -q --max-memory 1MB", 1, "", "samples take more than the" },
		{ "train configs/digits.yaml --dry-run -q --max-memory 2MB --set data.batch=1000", 1, "",
		  "of 2097152 for all, samples and optimizer too); make the batch smaller or raise the limit" },
		{ "train configs/digits.yaml --dry-run -q --max-memory 2500kB", 2, "", "not '2500kB'" },
	};
	struct result r;

	check_all(cases, sizeof cases / sizeof *cases);
	setenv("AUTOGRAD_THREADS", "two", 1);
	r = run("eval configs/gates.yaml");
	cr_assert_eq(r.status, 2);
	cr_assert(strstr(r.err, "the variable AUTOGRAD_THREADS is 'two'; it is a whole number from 1 to 64"), "%s",
	          r.err);
	done(&r);
}

Test(command, eval_json)
{
	static const struct {
		const char *file, *key, *name;
		double value, tolerance;
	} cases[] = {
		{ "gates", "values", "q", 3, 0 },
		{ "gates", "values", "f", -12, 0 },
		{ "gates", "gradients", "x", -4, 0 },
		{ "gates", "gradients", "y", -4, 0 },
		{ "gates", "gradients", "z", 3, 0 },
		{ "max_gate", "values", "f", -20, 0 },
		{ "max_gate", "gradients", "x", -8, 0 },
		{ "max_gate", "gradients", "y", 6, 0 },
		{ "max_gate", "gradients", "z", 2, 0 },
		{ "max_gate", "gradients", "w", 0, 0 },
		{ "sigmoid_circuit", "values", "f", 0.731058578630004880, 1e-15 },
		{ "sigmoid_circuit", "gradients", "w0", -0.196611933241481850, 1e-15 },
		{ "sigmoid_circuit", "gradients", "x0", 0.393223866482963700, 1e-15 },
		{ "sigmoid_circuit", "gradients", "w1", -0.393223866482963700, 1e-15 },
		{ "sigmoid_circuit", "gradients", "x1", -0.589835799724445550, 1e-15 },
		{ "sigmoid_circuit", "gradients", "w2", 0.196611933241481850, 1e-15 },
	};

	for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
		char line[128];
		struct result r;
		cJSON *json;

		snprintf(line, sizeof line, "eval --format json configs/%s.yaml", cases[k].file);
		r = run(line);
		cr_assert_eq(r.status, 0, "%s: %s", line, r.err);
		json = cJSON_Parse(r.out);
		cr_assert_not_null(json, "%s: no JSON: %s", line, r.out);
		cr_expect(fabs(number(json, cases[k].key, cases[k].name) - cases[k].value) <=
		              cases[k].tolerance,
		          "%s: %s of %s is %.17g", cases[k].file, cases[k].key, cases[k].name,
		          number(json, cases[k].key, cases[k].name));
		cJSON_Delete(json);
		done(&r);
	}
}

Test(command, json_not_finite, .init = make_folder, .fini = remove_folder)
{
	const char *path = write_file("bad.yaml", "version: 1\n"
	                                          "inputs: {x: 0}\n"
	                                          "model:\n"
	                                          "  a: log(x)\n"
	                                          "  b: a * 0\n");
	char line[256];
	struct result r;
	cJSON *json, *values;

	snprintf(line, sizeof line, "eval --format json %s", path);
	r = run(line);
	cr_assert_eq(r.status, 0, "%s", r.err);
	json = cJSON_Parse(r.out);
	cr_assert_not_null(json, "no JSON: %s", r.out);
	values = cJSON_GetObjectItemCaseSensitive(json, "values");
	cr_expect_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(values, "a")), "-Infinity");
	cr_expect_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(values, "b")), "NaN");
	cJSON_Delete(json);
	done(&r);
}

Test(command, check_json, .init = make_folder, .fini = remove_folder)
{
	const char *path =
	    write_file("typo.yaml", "version: 1\nimputs: {x: 1}\nmodel:\n  f: x * 2\n");
	char line[256];
	struct result r;
	cJSON *json;

	snprintf(line, sizeof line, "check --format json %s", path);
	r = run(line);
	cr_assert_eq(r.status, 2);
	cr_expect_str_eq(r.err, "");
	cr_assert_not_null(strchr(r.out, '\n'));
	*strchr(r.out, '\n') = '\0';
	json = cJSON_Parse(r.out);
	cr_assert_not_null(json, "no JSON: %s", r.out);
	cr_expect_eq(cJSON_GetObjectItem(json, "line")->valueint, 2);
	cr_expect_eq(cJSON_GetObjectItem(json, "col")->valueint, 1);
	cr_expect_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(json, "file")), path);
	cJSON_Delete(json);
	done(&r);

	snprintf(line, sizeof line, "check %s", path);
	r = run(line);
	cr_expect_eq(r.status, 2);
	cr_expect_str_eq(r.out, "");
	cr_expect_not_null(strstr(r.err, "did you mean 'inputs'?"));
	done(&r);
}

/* From an op's table alone: its name, formula, inputs, arguments, derivatives and samples; nothing in it is taken for a
 * request. */
Test(command, manual_pages)
{
	static const struct {
		const char *name, *has[6];
	} pages[] = {
		{ "softmax", { ".TH softmax 7 \"\"", "\n.SH NAME\nsoftmax \\- ", "\n.SH INPUTS\n", "\n.SH ARGUMENTS\n.nf\n  axis  ",
			       "\n.SH DERIVATIVES\n", "\n.SH SAMPLES\n.nf\n  softmax([" } },
		{ "sigmoid", { "y = 1 / (1 + exp(\\-x))", "\n.SH NO ARGUMENTS\n", ".fi\n", "", "", "" } },
		{ "csv", { "\"autograd data formats\"", "  header  true or false  default false", "", "", "", "" } },
		{ "linear", { "\"autograd ops\"", "\"autograd layers\"", "", "", "", "" } },
	};

	for (size_t k = 0; k < sizeof pages / sizeof *pages; k++) {
		char line[64];
		struct result r;

		snprintf(line, sizeof line, "ops %s --man", pages[k].name);
		r = run(line);
		cr_expect_eq(r.status, 0, "%s", r.err);
		for (int i = 0; i < 6 && pages[k].has[i]; i++)
			cr_expect(strstr(r.out, pages[k].has[i]), "%s lacks %s:\n%s", line, pages[k].has[i], r.out);
		for (const char *s = r.out; (s = strchr(s, '\\')) != NULL; s++)
			cr_expect(strchr("-e&", s[1]), "%s: %.20s", line, s);
		for (const char *s = r.out; (s = strstr(s, "\n.")) != NULL; s++)
			cr_expect(strncmp(s, "\n.SH ", 5) == 0 || strncmp(s, "\n.nf\n", 5) == 0 || strncmp(s, "\n.fi\n", 5) == 0 ||
			          strncmp(s, "\n.TH ", 5) == 0, "%s: %.20s", line, s);
		done(&r);
	}
}

/* Results that cannot be written are a failure, told once; a reader that has gone is not told. */
Test(command, results_lost)
{
	int full = open("/dev/full", O_WRONLY);
	struct result r;

	cr_assert_geq(full, 0);
	r = run_into("ops", full);
	close(full);

	cr_expect_eq(r.status, 1);
	cr_expect_str_eq(r.err, "autograd: cannot write the results: No space left on device\n");
	done(&r);
}

Test(command, reader_gone)
{
	int ends[2];
	struct result r;

	cr_assert_eq(pipe(ends), 0);
	close(ends[0]);
	r = run_into("ops", ends[1]);
	close(ends[1]);
	cr_expect_eq(r.status, 1);
	cr_expect_str_eq(r.err, "");
	done(&r);
}

/* Likewise for a diagram, which the library writes. */
Test(command, diagram_lost)
{
	int full = open("/dev/full", O_WRONLY), ends[2];
	struct result r;

	cr_assert_geq(full, 0);
	r = run_into("draw configs/gates.yaml -o -", full);
	close(full);
	cr_expect_eq(r.status, 1);
	cr_expect_str_eq(r.err, "autograd: cannot write the results: No space left on device\n");
	done(&r);

	cr_assert_eq(pipe(ends), 0);
	close(ends[0]);
	r = run_into("draw configs/gates.yaml -o -", ends[1]);
	close(ends[1]);
	cr_expect_eq(r.status, 1);
	cr_expect_str_eq(r.err, "");
	done(&r);
}

/* The items of a model as JSON: shapes and connections are lists. */
Test(command, show_json, .init = make_folder, .fini = remove_folder)
{
	const char *path = write_file("m.yaml", "version: 1\n"
	                                        "inputs: {x: [B, 4], z: [B, 4], s: 2}\n"
	                                        "model:\n"
	                                        "  - {linear: 3, from: x * z, as: h}\n"
	                                        "  - {add: s}\n"
	                                        "  - sum\n");
	char line[256];
	struct result r;

	snprintf(line, sizeof line, "show --format json %s", path);
	r = run(line);
	cr_assert_eq(r.status, 0, "%s", r.err);
	cr_expect(strstr(r.out, "\"name\":\"s\",\"type\":\"f32\",\"target\":false,\"shape\":[]"), "%s",
	          r.out);
	cr_expect(strstr(r.out, "\"kind\":\"linear\",\"output\":[\"B\",3],\"parameters\":15,"
	                        "\"connected_to\":[\"x\",\"z\"],\"multiply_adds\":12,\"bytes\":28}"),
	          "%s", r.out);
	cr_expect(strstr(r.out, "\"kind\":\"sum\",\"output\":[],\"parameters\":0,"
	                        "\"connected_to\":[\"add\"],\"multiply_adds\":0,\"bytes\":4}"),
	          "%s", r.out);
	done(&r);

	snprintf(line, sizeof line, "show %s", path);
	r = run(line);
	cr_expect(strstr(r.out, "s     input   []\n"), "%s", r.out);
	done(&r);
}

/* Attention's own products: of its 16 (causal: 10) pairs of steps, 6 for the score and 6 for the
 * sum; beside those of its linear maps. */
Test(command, show_attention, .init = make_folder, .fini = remove_folder)
{
	static const struct {
		const char *attention, *want;
	} cases[] = {
		{ "{heads: 3}", "\"multiply_adds\":768," },
		{ "{heads: 3, causal: true}", "\"multiply_adds\":696," },
		{ "{heads: 1, rotary: true}", "\"multiply_adds\":768," },
	};
	char text[256], line[256];

	for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
		struct result r;

		snprintf(text, sizeof text, "version: 1\ninputs: {x: [B, 4, 6]}\nmodel:\n  - attention: %s\n",
		         cases[k].attention);
		snprintf(line, sizeof line, "show --format json %s", write_file("a.yaml", text));
		r = run(line);
		cr_assert_eq(r.status, 0, "%s", r.err);
		cr_expect(strstr(r.out, cases[k].want), "%s: %s", cases[k].attention, r.out);
		done(&r);
	}
}

/* A training that is killed before it has saved weights leaves a folder that can be used again; one that
 * still runs keeps its own. */
Test(command, killed, .init = make_folder, .fini = remove_folder)
{
	const char *command = getenv("AUTOGRAD_BIN");
	char path[128], log[160], line[256];
	struct stat s = { 0 };
	struct result r;
	pid_t child;

	snprintf(path, sizeof path, "%s/run", folder);
	snprintf(log, sizeof log, "%s/log.jsonl", path);
	child = fork();
	cr_assert_geq(child, 0);
	if (child == 0) {
		(void)!freopen("/dev/null", "w", stdout);
		(void)!freopen("/dev/null", "w", stderr);
		execl(command ? command : "build/autograd", "autograd", "train", "--run", path,
		      "--set", "train.epochs=1000000000", "configs/descent.yaml", (char *)NULL);
		_exit(127);
	}
	for (int wait = 0; wait < 1000 && (stat(log, &s) != 0 || s.st_size == 0); wait++)
		usleep(10000);
	cr_assert_gt(s.st_size, 0, "no epoch was logged");
	snprintf(line, sizeof line, "train --quiet --run %s configs/descent.yaml", path);
	r = run(line);
	cr_expect_eq(r.status, 2);
	cr_expect(strstr(r.err, "is there already and not an empty folder"), "%s", r.err);
	done(&r);
	kill(child, SIGKILL);
	cr_assert_eq(waitpid(child, NULL, 0), child);
	r = run(line);
	cr_expect_eq(r.status, 0, "%s", r.err);
	done(&r);
	r = run(line);
	cr_expect_eq(r.status, 2, "a finished run is kept");
	done(&r);
}

/* The first SIGINT or SIGTERM ends the step and saves the weights. */
Test(command, stopped, .init = make_folder, .fini = remove_folder)
{
	static const int signals[] = { SIGINT, SIGTERM };
	const char *command = getenv("AUTOGRAD_BIN");

	for (int k = 0; k < 2; k++) {
		char path[128], weights[160];
		struct stat s;
		pid_t child;
		int status;

		snprintf(path, sizeof path, "%s/run-%d", folder, k);
		child = fork();
		cr_assert_geq(child, 0);
		if (child == 0) {
			(void)!freopen("/dev/null", "w", stdout);
			(void)!freopen("/dev/null", "w", stderr);
			execl(command ? command : "build/autograd", "autograd", "train", "--run",
			      path, "--set", "train.epochs=1000000000", "configs/descent.yaml",
			      (char *)NULL);
			_exit(127);
		}
		/* it has made its folder when it listens, or is about to */
		for (int wait = 0; wait < 500 && stat(path, &s) != 0; wait++)
			usleep(10000);
		usleep(200000);
		kill(child, signals[k]);
		cr_assert_eq(waitpid(child, &status, 0), child);
		cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 128 + signals[k], "status %x",
		          status);
		snprintf(weights, sizeof weights, "%s/last.safetensors", path);
		cr_expect_eq(stat(weights, &s), 0);
	}
}

/* A run from training to prediction. */
Test(command, run_folder, .init = make_folder, .fini = remove_folder)
{
	static const char model[] =
	    "version: 1\n"
	    "name: line\n"
	    "inputs:\n"
	    "  x: {shape: [B, 1]}\n"
	    "  y: {shape: [B, 1], role: target}\n"
	    "model:\n"
	    "  - linear: 1\n"
	    "    as: guess\n"
	    "loss: mse_loss(guess, y)\n"
	    "data:\n"
	    "  train: {format: csv, file: line.csv, header: true, x: a, y: b}\n"
	    "  test: {format: csv, file: line.csv, header: true, x: a, y: b}\n"
	    "train:\n"
	    "  epochs: 200\n"
	    "  optimizer: {sgd: {lr: 0.1}}\n";
	static const char *const files[] = { "config.yaml", "log.jsonl", "log.csv", "result.json",
		                             "last.safetensors" };
	char line[512], path[256];
	struct result r;
	struct stat s;
	double guess;
	cJSON *json;

	write_file("line.csv", "a,b\n-1,-1\n0,1\n1,3\n2,5\n");
	write_file("new.csv", "a\n3\n10\n");
	write_file("line.yaml", model);
	snprintf(line, sizeof line, "train --quiet --run %s/run %s/line.yaml", folder, folder);
	r = run(line);
	cr_assert_eq(r.status, 0, "%s", r.err);
	cr_expect_str_eq(r.err, "");
	cr_expect_not_null(strstr(r.out, "test: loss "), "%s", r.out);
	snprintf(path, sizeof path, "run: %s/run\n", folder);
	cr_expect_not_null(strstr(r.out, path), "%s", r.out);
	done(&r);
	for (size_t k = 0; k < sizeof files / sizeof *files; k++) {
		snprintf(path, sizeof path, "%s/run/%s", folder, files[k]);
		cr_expect_eq(stat(path, &s), 0, "%s is missing", path);
	}

	r = run(line);
	cr_expect_neq(r.status, 0, "a run folder is never written to twice");
	done(&r);

	snprintf(line, sizeof line, "test --format json %s/run", folder);
	r = run(line);
	cr_assert_eq(r.status, 0, "%s", r.err);
	json = cJSON_Parse(r.out);
	cr_assert_not_null(json, "%s", r.out);
	cr_expect_lt(cJSON_GetObjectItem(json, "loss")->valuedouble, 1e-4);
	cr_expect_eq(cJSON_GetObjectItem(json, "samples")->valueint, 4);
	cJSON_Delete(json);
	done(&r);

	snprintf(line, sizeof line, "test --part valid %s/run", folder);
	r = run(line);
	cr_expect_eq(r.status, 1);
	cr_expect_not_null(strstr(r.err, "has no part 'valid'"), "%s", r.err);
	done(&r);

	snprintf(line, sizeof line, "predict --input %s/new.csv %s/run", folder, folder);
	r = run(line);
	cr_assert_eq(r.status, 0, "%s", r.err);
	cr_assert_eq(sscanf(r.out, "guess %lf", &guess), 1, "%s", r.out);
	cr_expect_lt(fabs(guess - 7), 0.05, "%s", r.out);
	done(&r);

	snprintf(line, sizeof line, "predict --input %s/none.csv %s/run", folder, folder);
	r = run(line);
	cr_expect_eq(r.status, 1);
	cr_expect_str_eq(r.out, "");
	done(&r);

	/* An editor jumps to a mistake in the data: its place stands first. */
	write_file("bad.csv", "a\n3\nthree\n");
	snprintf(line, sizeof line, "predict --input %s/bad.csv %s/run", folder, folder);
	r = run(line);
	cr_expect_eq(r.status, 2);
	cr_expect_str_eq(r.out, "");
	snprintf(path, sizeof path, "%s/bad.csv:3:1: error: 'three' is not a number\n", folder);
	cr_expect_str_eq(r.err, path);
	done(&r);

	snprintf(line, sizeof line, "draw --grad %s/run -o %s/x.dot", folder, folder);
	r = run(line);
	cr_expect_eq(r.status, 0, "%s", r.err);
	snprintf(path, sizeof path, "%s/x.dot", folder);
	cr_expect_eq(stat(path, &s), 0);
	done(&r);

	write_file("run/last.safetensors", "no weights at all");
	snprintf(line, sizeof line, "test %s/run", folder);
	r = run(line);
	cr_expect_eq(r.status, 2, "%s", r.err);
	done(&r);
	snprintf(path, sizeof path, "%s/run/last.safetensors", folder);
	cr_assert_eq(unlink(path), 0);
	r = run(line);
	cr_expect_eq(r.status, 1, "%s", r.err);
	done(&r);

	snprintf(line, sizeof line, "show --set train.epochs=1 %s/run", folder);
	r = run(line);
	cr_expect_eq(r.status, 2);
	cr_expect_not_null(strstr(r.err, "--set is for files"), "%s", r.err);
	done(&r);
}
