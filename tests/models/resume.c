/*
 * resume: trainings that are stopped wherever they can be, and go on, give the bits of those that are not.
 */
#include "autograd_model.h"
#include "scratch.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>

TestSuite(resume, .init = scratch_open, .fini = scratch_close);

/* Where a training is stopped: at a call of one of its hooks, counted from 1. draw is called within a step, once
 * its weights have moved; logged after what follows it. */
struct cut {
	int draws, lines;
};

static void count_draw(void *of, ad_model *copy, const char *folder, int64_t step)
{
	(void)copy, (void)folder, (void)step;
	if (--((struct cut *)of)->draws == 0)
		raise(SIGINT);
}

static void count_line(void *of, const char *folder)
{
	(void)folder;
	if (--((struct cut *)of)->lines == 0)
		raise(SIGINT);
}

/* Trains into a folder of the scratch folder, or goes on there by its config.yaml. */
static ad_run_status train(const char *text, const char *run, bool resume, struct cut cut, size_t n,
                           const char *const overrides[], char error[512])
{
	char config[60];
	ad_train_options o = { .run = scratch_path(run), .resume = resume, .draw = count_draw, .context = &cut,
		               .logged = count_line, .logged_of = &cut };
	ad_run_status status;
	ad_model *m;

	snprintf(config, sizeof config, "%s/config.yaml", run);
	m = ad_model_open(resume ? scratch_path(config) : scratch_text("m.yaml", text), n, overrides);
	ad_model_messages(m, stderr, false);
	cr_assert_eq(ad_model_errors(m), 0);
	status = ad_model_train(m, &o, error, 512);
	ad_model_close(m);
	return status;
}

static void finish(const char *text, const char *run, bool resume)
{
	char error[512] = "";

	cr_assert_eq(train(text, run, resume, (struct cut){ 0 }, 0, NULL, error), AD_RUN_DONE, "%s", error);
}

/* Leaves out the number behind each `name`, up to the comma: a time. */
static void forget(char *text, const char *name)
{
	for (char *at = text; (at = strstr(at, name)) != NULL;) {
		char *from = at + strlen(name), *to = from + strcspn(from, ",\n");

		memmove(from, to, strlen(to) + 1);
		at = from;
	}
}

/* The sixth column of a table, ms. */
static void forget_column(char *text)
{
	for (char *line = text; *line; line += strcspn(line, "\n") + 1) {
		char *from = line, *to;

		for (int k = 0; k < 5; k++)
			from = strchr(from, ',') + 1;
		to = from + strcspn(from, ",\n");
		memmove(from, to, strlen(to) + 1);
		if (!strchr(line, '\n'))
			break;
	}
}

/* What of a file has to be the same in both. */
static char *lasting(const char *run, const char *name, size_t *size)
{
	char path[60], *text;

	snprintf(path, sizeof path, "%s/%s", run, name);
	text = scratch_read(scratch_path(path), size);
	if (strcmp(name, "log.jsonl") == 0)
		forget(text, "\"ms\":");
	else if (strcmp(name, "result.json") == 0)
		forget(text, "\"seconds\":");
	else if (strcmp(name, "log.csv") == 0)
		forget_column(text);
	else
		return text;
	*size = strlen(text);
	return text;
}

/* state.safetensors has times and where the logs end, so it is compared by what follows from it; env.txt tells when
 * the training began; the command draws after it. */
static bool is_compared(const char *name)
{
	return strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strcmp(name, "state.safetensors") != 0 &&
	       strcmp(name, "env.txt") != 0 && strcmp(name, "grad") != 0 && !strstr(name, ".svg");
}

static size_t count_files(const char *run)
{
	DIR *list = opendir(scratch_path(run));
	size_t n = 0;

	cr_assert(list);
	for (struct dirent *entry; (entry = readdir(list));)
		n += is_compared(entry->d_name);
	closedir(list);
	return n;
}

static void expect_same(const char *run, const char *whole)
{
	DIR *list = opendir(scratch_path(whole));

	cr_assert(list);
	cr_assert_eq(count_files(run), count_files(whole), "%s has other files", run);
	for (struct dirent *entry; (entry = readdir(list));) {
		const char *name = entry->d_name;
		size_t sizes[2];
		char *a, *b;

		if (!is_compared(name))
			continue;
		a = lasting(run, name, &sizes[0]);
		b = lasting(whole, name, &sizes[1]);
		cr_assert(sizes[0] == sizes[1] && memcmp(a, b, sizes[0]) == 0, "%s/%s differs:\n%s\n%s", run, name, a, b);
		free(a);
		free(b);
	}
	closedir(list);
}

static void remove_run(const char *run)
{
	nftw(scratch_path(run), scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Stops a training once, goes on, compares. False: it ends before it is stopped. */
static bool stop_once(const char *text, struct cut cut)
{
	char error[512] = "";
	ad_run_status status;

	signal(SIGINT, SIG_DFL);
	status = train(text, "part", false, cut, 0, NULL, error);
	if (status == AD_RUN_INTERRUPTED)
		finish(text, "part", true);
	else
		cr_assert_eq(status, AD_RUN_DONE, "%s", error);
	expect_same("part", "whole");
	remove_run("part");
	return status == AD_RUN_INTERRUPTED;
}

/* All that a training can keep: 28 steps, the last of an epoch with half of the batches. */
static const char everything[] =
    "version: 1\n"
    "name: m\n"
    "inputs: {x: [B, 1, 8, 8], y: {shape: [B], dtype: i32, role: target}}\n"
    "model:\n"
    "  - conv2d: {out: 3, kernel: 3}\n"
    "  - batch_norm\n"
    "  - relu\n"
    "  - flatten\n"
    "  - dropout: 0.3\n"
    "  - linear: 3\n"
    "    as: out\n"
    "loss: cross_entropy(out, y)\n"
    "metrics: {soft: mean(out**2)}\n"
    "data:\n"
    "  train: {shapes: {n: 44}}\n"
    "  valid: {split: 0.2, of: train}\n"
    "  augment: {x: [{random_crop: {pad: 1}}, random_flip]}\n"
    "  batch: 3\n"
    "train:\n"
    "  epochs: 4\n"
    "  optimizer: {adam: {lr: 0.02}}\n"
    "  schedule: {warmup_cosine: {warmup: 6}}\n"
    "  clip: {norm: 0.5}\n"
    "  accumulate: 2\n"
    "  eval: 2 steps\n"
    "  early_stop: {watch: valid.loss, patience: 30}\n"
    "  checkpoint: {every: 3 steps, keep: 2, best: valid.soft}\n"
    "  groups: [{match: '*.bias', lr_scale: 2}]\n"
    "  gradients: {every: 1 step, draw: true}\n";

/* In the step and after what follows it, at each that there is. */
Test(resume, every_cut)
{
	int steps = 0, lines = 0;

	finish(everything, "whole", false);
	while (stop_once(everything, (struct cut){ .draws = steps + 1 }))
		steps++;
	while (stop_once(everything, (struct cut){ .lines = lines + 1 }))
		lines++;
	cr_expect(steps >= 20 && lines >= 10, "only %d steps and %d lines", steps, lines);
}

/* Stopped in each of its steps, one after the other. */
Test(resume, stopped_again_and_again)
{
	ad_run_status status = AD_RUN_INTERRUPTED;
	char error[512] = "";
	int times = 0;

	signal(SIGINT, SIG_DFL);
	finish(everything, "whole", false);
	for (; status == AD_RUN_INTERRUPTED; times++)
		status = train(everything, "part", times > 0, (struct cut){ .draws = 1 }, 0, NULL, error);
	cr_assert_eq(status, AD_RUN_DONE, "%s", error);
	cr_expect_geq(times, 20);
	expect_same("part", "whole");
}

/* Early stopping has decided, but the process dies before the result is written. */
Test(resume, killed_before_the_result)
{
	static const char *const early = "train.early_stop.patience=2";
	struct cut never = { 0 };
	char error[512] = "";

	cr_assert_eq(train(everything, "whole", false, never, 1, &early, error), AD_RUN_DONE, "%s", error);
	cr_assert_eq(train(everything, "part", false, never, 1, &early, error), AD_RUN_DONE, "%s", error);
	cr_assert_eq(unlink(scratch_path("part/result.json")), 0);
	finish(NULL, "part", true);
	expect_same("part", "whole");
}

static const char sequence[] =
    "version: 1\n"
    "name: m\n"
    "inputs: {ids: {shape: [B, 5], dtype: i32}, next: {shape: [B, 5], dtype: i32, role: target}}\n"
    "model: [{embed: {vocab: 256, dim: 4}, from: ids}, {gru: 6}, {dropout: 0.2}, {linear: 256, as: out}]\n"
    "loss: cross_entropy(out, next)\n"
    "data:\n"
    "  train: {format: text, file: words.txt, tokens: bytes, window: 5, x: ids, y: next}\n"
    "  batch: 4\n"
    "  %s\n"
    "train:\n"
    "  epochs: 3\n"
    "  %s\n"
    "  optimizer: {%s}\n"
    "  gradients: {every: 1 step, draw: true}\n";

/* Stops after the steps 1, 4 and 7. */
static void stop_thrice(const char *text)
{
	finish(text, "whole", false);
	for (int at = 1; at <= 7; at += 3)
		cr_expect(stop_once(text, (struct cut){ .draws = at }), "%s", text);
	remove_run("whole");
}

Test(resume, every_optimizer)
{
	static const char *const optimizers[] = {
		"adagrad: {lr: 0.1}",
		"adam: {lr: 0.01}",
		"adam: {lr: 0.01, amsgrad: true}",
		"adamw: {lr: 0.01}",
		"rmsprop: {lr: 0.01}",
		"rmsprop: {lr: 0.01, momentum: 0.9, centered: true}",
		"sgd: {lr: 0.1}",
		"sgd: {lr: 0.1, momentum: 0.9, nesterov: true}",
	};
	char text[2048];

	scratch_text("words.txt", "the quick brown fox jumps over the lazy dog and the dog sleeps on, so it goes");
	for (size_t k = 0; k < sizeof optimizers / sizeof *optimizers; k++) {
		snprintf(text, sizeof text, sequence, "", "", optimizers[k]);
		stop_thrice(text);
	}
}

Test(resume, precisions_and_draws)
{
	char text[2048];

	setenv("AUTOGRAD_BF16", "emulate", 1);
	scratch_text("words.txt", "the quick brown fox jumps over the lazy dog and the dog sleeps on, so it goes");
	snprintf(text, sizeof text, sequence, "draw: random", "precision: f64", "adam: {lr: 0.01}");
	stop_thrice(text);
	snprintf(text, sizeof text, sequence, "shuffle: false", "precision: bf16", "adam: {lr: 0.01}");
	stop_thrice(text);
}

/* It runs out of steps within an epoch, and gets more of them; its rate does not depend on how many. */
Test(resume, longer)
{
	static const char *const less = "train.steps=11", *const more = "train.steps=12";
	static const char *const most[] = { "train.steps=99", "train.epochs=4" };
	struct cut never = { 0 };
	char error[512] = "", text[2048], *a, *b;
	size_t sizes[2];

	scratch_text("words.txt", "the quick brown fox jumps over the lazy dog and the dog sleeps on, so it goes");
	snprintf(text, sizeof text, sequence, "", "", "adam: {lr: 0.01}");
	cr_assert_eq(train(text, "whole", false, never, 0, NULL, error), AD_RUN_DONE, "%s", error);
	cr_assert_eq(train(text, "part", false, never, 1, &less, error), AD_RUN_DONE, "%s", error);
	cr_expect_eq(train(text, "part", true, never, 0, NULL, error), AD_RUN_REFUSED);
	cr_expect(strstr(error, "part: is done, after step 11; for more give it more epochs"), "%s", error);
	cr_assert_eq(train(text, "part", true, never, 1, &more, error), AD_RUN_DONE, "%s", error);
	a = scratch_read(scratch_path("part/last.safetensors"), &sizes[0]);
	b = scratch_read(scratch_path("whole/last.safetensors"), &sizes[1]);
	cr_expect(sizes[0] == sizes[1] && memcmp(a, b, sizes[0]) == 0, "the weights differ");
	free(a);
	free(b);
	cr_assert_eq(train(text, "part", true, never, 2, most, error), AD_RUN_DONE, "%s", error);
	cr_expect_eq(train(text, "part", true, never, 1, &less, error), AD_RUN_REFUSED);
	cr_expect(strstr(error, "steps already, more than the 11 that are asked for"), "%s", error);
}

/* ---- what is refused ------------------------------------------------------------------------------- */

static void expect_refused(const char *set, const char *sentence)
{
	char error[512] = "";
	ad_run_status status = train(NULL, "part", true, (struct cut){ 0 }, set != NULL, &set, error);

	cr_expect_eq(status, AD_RUN_REFUSED, "%d: %s", status, error);
	cr_expect(strstr(error, sentence), "%s", error);
}

static void stop_at(int step)
{
	char error[512] = "";

	signal(SIGINT, SIG_DFL);
	cr_assert_eq(train(everything, "part", false, (struct cut){ .draws = step }, 0, NULL, error),
	             AD_RUN_INTERRUPTED, "%s", error);
}

Test(resume, refused)
{
	char *log, error[512] = "";
	size_t size;

	finish(everything, "whole", false);
	stop_at(9);
	expect_refused("train.optimizer.adam.lr=0.5", "belongs to another configuration");
	expect_refused("data.train.shapes.n=99", "belongs to another configuration");
	expect_refused("data.batch=4", "belongs to another configuration");
	expect_refused("train.epochs=1", "has done 9 steps already, more than the 6 that are asked for");
	log = scratch_read(scratch_path("part/log.jsonl"), &size);
	scratch_write("part/log.jsonl", log, size / 3);
	cr_expect_eq(train(NULL, "part", true, (struct cut){ 0 }, 0, NULL, error), AD_RUN_FAILED);
	cr_expect(strstr(error, "is shorter than it was when the state was saved"), "%s", error);

	/* of all this nothing has changed the folder */
	scratch_write("part/log.jsonl", log, size);
	free(log);
	finish(everything, "part", true);
	expect_same("part", "whole");

	expect_refused(NULL, "part: is done, after step ");
	cr_assert_eq(unlink(scratch_path("part/state.safetensors")), 0);
	expect_refused(NULL, "has no state.safetensors to go on from");
}

/* Each byte changed, and each length: refused, or, where only how the header is written has changed, the same
 * training. A header byte is changed in three ways, of the elements each bit. */
Test(resume, damaged)
{
	static const char small[] = "version: 1\nname: m\nweights: {w: 5}\nmodel: {d: w - 1}\nloss: d**2\n"
	                            "train: {epochs: 4, optimizer: {sgd: {lr: 0.01, momentum: 0.9}}}\n";
	char run[128], config[128];
	const ad_train_options dry = { .run = run, .resume = true, .dry = true };
	size_t size, header, accepted = 0;
	char *state, error[512];
	struct cut never = { 0 };

	snprintf(run, sizeof run, "%s", scratch_path("part"));
	snprintf(config, sizeof config, "%s", scratch_path("part/config.yaml"));
	signal(SIGINT, SIG_DFL);
	cr_assert_eq(train(small, "part", false, (struct cut){ .lines = 2 }, 0, NULL, error), AD_RUN_INTERRUPTED);
	state = scratch_read(scratch_path("part/state.safetensors"), &size);
	header = 8 + (size_t)((unsigned char)state[0] | (unsigned char)state[1] << 8);
	cr_assert_lt(header, size);
	for (size_t at = 0; at < 2 * size; at++) {
		size_t length = at < size ? size : at - size, place = at % size;
		ad_model *m = ad_model_open(config, 0, NULL);
		ad_run_status status;

		if (at < size)
			state[place] ^= (char)(1 << place % 7);
		scratch_write("part/state.safetensors", state, length);
		if (at < size)
			state[place] ^= (char)(1 << place % 7);
		error[0] = '\0';
		status = ad_model_train(m, &dry, error, sizeof error);
		ad_model_close(m);
		cr_assert(status == AD_RUN_REFUSED || (status == AD_RUN_DONE && place < header && at < size),
		          "byte %zu: %d, %s", at, status, error);
		cr_assert((status == AD_RUN_REFUSED) == (strlen(error) > 20), "byte %zu: %s", at, error);
		accepted += status == AD_RUN_DONE;
	}
	/* "format" and "version" and what pads the header */
	cr_expect_lt(accepted, 60);
	scratch_write("part/state.safetensors", state, size);
	free(state);
	cr_expect_eq(train(NULL, "part", true, never, 0, NULL, error), AD_RUN_DONE, "%s", error);
}

Test(resume, diverged)
{
	static const char steep[] = "version: 1\nname: m\nweights: {w: 5}\nmodel: {d: w - 1}\nloss: d**2\n"
	                            "train: {epochs: 4000, optimizer: {sgd: {lr: 30}}}\n";
	ad_train_options o = { .run = scratch_path("part"), .save_seconds = 1e-9 };
	ad_model *m = ad_model_open(scratch_text("m.yaml", steep), 0, NULL);
	char error[512];
	struct stat info;

	cr_assert_eq(ad_model_train(m, &o, error, sizeof error), AD_RUN_DIVERGED);
	ad_model_close(m);
	cr_expect_neq(stat(scratch_path("part/state.safetensors"), &info), 0);
	expect_refused(NULL, "has diverged, and would again");
}

/* More arrays than a file of weights may have: each weight brings two of the optimizer's. */
Test(resume, many_weights)
{
	static const char many[] = "version: 1\nname: m\ninputs: {x: [B, 1]}\n"
	                           "model: [{residual: [{linear: 1}], repeat: 17000, as: o}]\nloss: mean(o**2)\n"
	                           "data: {train: {format: csv, file: d.csv, x: 0}}\n"
	                           "train: {epochs: 1, optimizer: {adam: {lr: 1e-6}}}\n";
	static const char *const more = "train.epochs=2";
	char error[512] = "";

	scratch_text("d.csv", "0.1\n0.3\n");
	finish(many, "part", false);
	cr_assert_eq(train(NULL, "part", true, (struct cut){ 0 }, 1, &more, error), AD_RUN_DONE, "%s", error);
}

/* ---- processes ------------------------------------------------------------------------------------- */

static const char longer[] =
    "version: 1\n"
    "name: m\n"
    "inputs: {x: [B, 2], y: {shape: [B], dtype: i32, role: target}}\n"
    "model: [{linear: 16}, batch_norm, relu, {dropout: 0.3}, {linear: 2, as: out}]\n"
    "loss: cross_entropy(out, y)\n"
    "data: {train: {moons: {n: 60}}, valid: {split: 0.2, of: train}, batch: 5}\n"
    "train:\n"
    "  epochs: 160\n"
    "  optimizer: {adam: {lr: 0.01}}\n"
    "  schedule: {warmup_cosine: {warmup: 5}}\n"
    "  accumulate: 2\n"
    "  eval: 3 steps\n"
    "  checkpoint: {every: 4 steps, keep: 2, best: valid.loss}\n"
    "  gradients: {every: 7 steps}\n";

/* Whatever a process is killed at, of saving too. */
Test(resume, killed)
{
	bool begun = false;
	int status, kills = 0;
	unsigned seed = 7;
	struct stat info;
	const char *text;

	scratch_text("m.yaml", longer);
	text = scratch_shell(&status, "$A train -q --run $S/whole $S/m.yaml");
	cr_assert_eq(status, 0, "%s", text);
	for (;;) {
		/* later and later: a process that is killed as it starts gets nowhere */
		int wait = 20 + (int)(rand_r(&seed) % 80) + 3 * kills;

		text = scratch_shell(&status, "timeout -s KILL %d.%03d $A train -q --save-every 0 %s", wait / 1000,
		                     wait % 1000, begun ? "--resume $S/part" : "--run $S/part $S/m.yaml");
		if (status == 0 || strstr(text, "is done, after step 800"))
			break;
		/* it may take a moment to die */
		cr_assert(status == 128 + SIGKILL || strstr(text, "is being trained by another process"), "%d: %s",
		          status, text);
		begun = stat(scratch_path("part/state.safetensors"), &info) == 0;
		kills++;
	}
	cr_expect_geq(kills, 5);
	expect_same("part", "whole");
}

/* A log that cannot be written to its end, as on a full disk. */
Test(resume, no_space)
{
	const char *text;
	int status;

	scratch_text("m.yaml", longer);
	text = scratch_shell(&status, "$A train -q --run $S/whole $S/m.yaml");
	cr_assert_eq(status, 0, "%s", text);
	text = scratch_shell(&status, "ulimit -f 60; $A train -q --save-every 0 --run $S/part $S/m.yaml");
	cr_expect(status == 1 && strstr(text, "raise the limit on file sizes"), "%d: %s", status, text);
	text = scratch_shell(&status, "ulimit -f 90; $A train -q --save-every 0 --resume $S/part");
	cr_expect(status == 1 && strstr(text, "raise the limit on file sizes"), "%d: %s", status, text);
	text = scratch_shell(&status, "$A train -q --resume $S/part");
	cr_assert_eq(status, 0, "%s", text);
	expect_same("part", "whole");
}

/* Sends a signal to `train ARGUMENTS` when the log of the run has grown, after a command; returns what both said. A
 * shell has what it puts into the background ignore SIGINT: `env` undoes that. */
static const char *signalled(const char *name, const char *arguments, const char *command, int *status)
{
	return scratch_shell(status, "lines() { cat $S/%s/log.jsonl 2>/dev/null | wc -l; }; was=$(lines); "
	                     "env --default-signal=INT $A train %s & for k in $(seq 400); do "
	                     "[ $(lines) -gt $was ] && break; sleep 0.05; done; %s; kill -%s $!; wait $!",
	                     name, arguments, command, name);
}

/* Each signal, and again after it went on; what is said; and two at a time. */
Test(resume, signals)
{
	static const struct {
		const char *name;
		int status;
	} signals[] = { { "INT", 130 }, { "TERM", 143 }, { "USR1", 75 } };
	char wanted[160], line[160];
	const char *text;
	int status;

	scratch_text("m.yaml", longer);
	for (size_t k = 0; k < sizeof signals / sizeof *signals; k++) {
		snprintf(line, sizeof line, "-q --run $S/%s --set train.epochs=100000000 $S/m.yaml", signals[k].name);
		text = signalled(signals[k].name, line, "true", &status);
		cr_expect_eq(status, signals[k].status, "%d: %s", status, text);
		snprintf(wanted, sizeof wanted, "the weights are saved; it goes on with autograd train --resume %s/%s",
		         scratch, signals[k].name);
		cr_expect(strstr(text, wanted), "%s", text);
		snprintf(line, sizeof line, "--resume $S/%s", signals[k].name);
		text = signalled(signals[k].name, line, "true", &status);
		cr_expect_eq(status, signals[k].status, "%d: %s", status, text);
		cr_expect(strstr(text, "note: goes on after step ") && strstr(text, wanted), "%s", text);
	}
	text = signalled("TERM", "-q --resume $S/TERM", "timeout 9 $A train --resume $S/TERM", &status);
	cr_expect_eq(status, 143);
	cr_expect(strstr(text, "is being trained by another process"), "%s", text);
}

/* The trial that was under way goes on, too; one whose state is of no use fails, and begins anew without
 * its folder. */
Test(resume, sweep)
{
	const char *text;
	static const char set[] = "--set train.optimizer.adam.lr=rate --set train.epochs=700";
	char yaml[2048];
	int status = 130, went_on = 0;

	snprintf(yaml, sizeof yaml, "%sparams: {rate: 0.01}\nsweep: {over: {rate: [0.01, 0.02]}}\n", longer);
	scratch_text("m.yaml", yaml);
	text = scratch_shell(&status, "$A sweep -q %s --run $S/w $S/m.yaml", set);
	cr_assert_eq(status, 0, "%s", text);
	for (int k = 0; status != 0 || k == 0; k++) {
		text = scratch_shell(&status, "timeout --foreground --preserve-status -k 20 -s INT %d.%d $A sweep %s --run $S/s $S/m.yaml",
		                     (4 + k) / 10, (4 + k) % 10, k == 0 ? set : "--resume");
		cr_assert(status == 130 || status == 0, "%d: %s", status, text);
		went_on += strstr(text, "goes on after step") != NULL;
		cr_assert_lt(k, 50);
	}
	cr_expect_geq(went_on, 1);
	expect_same("s/trial-1", "w/trial-1");
	expect_same("s/trial-2", "w/trial-2");

	scratch_text("s/trial-2/state.safetensors", "no state");
	cr_assert_eq(unlink(scratch_path("s/trial-2/result.json")), 0);
	text = scratch_shell(&status, "$A sweep --resume --run $S/s $S/m.yaml");
	cr_expect(status == 1 && strstr(text, "s/trial-2 a trial begins anew"), "%d: %s", status, text);
	text = scratch_shell(&status, "ls $S/s/trial-2/last.safetensors && rm -r $S/s/trial-2 && "
	                     "$A sweep -q --resume --run $S/s $S/m.yaml");
	cr_expect(status == 0, "%d: %s", status, text);
	expect_same("s/trial-2", "w/trial-2");
}

/* A trial that another process goes on with keeps its folder, whatever the sweep would do with it. */
Test(resume, trial_in_use)
{
	const char *text;
	char yaml[2048];
	int status;

	snprintf(yaml, sizeof yaml, "%sparams: {rate: 0.01}\nsweep: {over: {rate: [0.01, 0.02]}}\n", longer);
	scratch_text("m.yaml", yaml);
	text = scratch_shell(&status, "timeout --foreground --preserve-status -k 20 -s INT 0.7 $A sweep -q --run $S/s "
	                     "--set train.epochs=100000000 $S/m.yaml");
	cr_assert_eq(status, 130, "%s", text);
	text = scratch_shell(&status, "timeout --foreground --preserve-status -k 20 -s TERM 2 $A train -q --resume "
	                     "$S/s/trial-1 & sleep 0.7; timeout --foreground --preserve-status -s TERM 0.4 $A sweep --resume "
	                     "--run $S/s $S/m.yaml; rm $S/s/trial-1/state.safetensors; "
	                     "$A sweep --resume --run $S/s $S/m.yaml; echo $?; ls $S/s/trial-1/log.jsonl; wait $!");
	cr_expect(status == 143 && strstr(text, "is being trained by another process\n") &&
	          strstr(text, "is being trained by another process; wait for its end") &&
	          strstr(text, "\n1\n") && strstr(text, "/s/trial-1/log.jsonl\n"), "%s", text);
}

Test(resume, command_line)
{
	static const struct {
		const char *line, *says;
	} wrong[] = {
		{ "train --resume $S/none", "is not the folder of a run" },
		{ "train --resume $S/run $S/m.yaml", "--resume takes the run's own config.yaml and folder, and no FILE" },
		{ "train --resume $S/run --run $S/new", "and no --run" },
		{ "train --resume $S/run --data x", "and no --data" },
		{ "train --resume $S/run", "run: is done, after step 800; for more give it more epochs" },
		{ "train --resume $S/run --dry-run", "run: is done, after step 800; for more give it more epochs" },
		{ "train", "needs FILE, or --resume RUN" },
	};
	const char *text;
	int status;

	scratch_text("m.yaml", longer);
	text = scratch_shell(&status, "$A train -q --run $S/run $S/m.yaml");
	cr_assert_eq(status, 0, "%s", text);
	for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
		text = scratch_shell(&status, "$A %s", wrong[k].line);
		cr_expect_eq(status, 2, "%s: %s", wrong[k].line, text);
		cr_expect(strstr(text, wrong[k].says), "%s: %s", wrong[k].line, text);
	}
	text = scratch_shell(&status, "cp -r $S/run $S/copy; $A train --resume $S/run --set train.epochs=161 --dry-run");
	cr_expect(status == 0 && strstr(text, "nothing was written"), "%s", text);
	text = scratch_shell(&status, "diff -r $S/run $S/copy");
	cr_expect(status == 0, "%s", text);
	text = scratch_shell(&status, "$A train -q --resume $S/run --set train.epochs=161 && tail -1 $S/run/log.csv");
	cr_expect(status == 0 && strstr(text, "\n805,161,"), "%s", text);
}
