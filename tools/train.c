/*
 * train: trains a model and leaves a run folder, with its curves and its gradients drawn.
 */
#include "command.h"
#include "report/live.h"
#include "plot.h"
#include "report/report.h"
#include "steps.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct train_options {
	const char *run, *data, *resume;
	int64_t save_every;
	bool dry, plain, quiet, anomaly, profile, live;
	struct texts set;
};

static const struct option options[] = {
	{ "set", 0, OPTION_TEXTS, "KEY=VALUE", NULL, false, offsetof(struct train_options, set),
	  "replaces a value of the file, in its own grammar: --set train.epochs=5; may be "
	  "repeated" },
	{ "data", 0, OPTION_TEXT, "SOURCE", NULL, false, offsetof(struct train_options, data),
	  "what is learnt from, as the file says it: --data '{format: csv, file: a.csv, x: 0..3, y: 4}'; short for "
	  "--set data.train=SOURCE" },
	{ "run", 0, OPTION_TEXT, "DIR", NULL, false, offsetof(struct train_options, run),
	  "the folder to make for the run; if not given, the first free of runs/NAME-1, "
	  "runs/NAME-2 ..." },
	{ "resume", 0, OPTION_TEXT, "RUN", NULL, false, offsetof(struct train_options, resume),
	  "goes on with the training in this run folder, which was stopped or killed, by its config.yaml instead of "
	  "FILE: to the same bits as if it had never stopped; with --set train.epochs=N also with one that is done" },
	{ "save-every", 0, OPTION_WHOLE, "SECONDS", "", false, offsetof(struct train_options, save_every),
	  "how often the weights and what --resume needs are saved, beside the end; 0: after each step; if not given, "
	  "every 30 s, less often where that takes more than a twentieth of the time" },
	{ "dry-run", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct train_options, dry),
	  "builds the model, reads the data, does one step and writes nothing" },
	{ "anomaly", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct train_options, anomaly),
	  "ends at the first op, forward or backward, that makes a NaN or an infinity, and says "
	  "which" },
	{ "live", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct train_options, live),
	  "writes report.html into the run's folder now and then, and at the end: a page that loads itself "
	  "anew while the training runs" },
	{ "plain", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct train_options, plain),
	  "progress in ASCII only" },
	{ "quiet", 'q', OPTION_SWITCH, NULL, NULL, false, offsetof(struct train_options, quiet),
	  "no progress and no notes" },
	PROFILE_OPTION(train_options),
	LIMIT_OPTIONS,
	{ 0 },
};

/* "test: loss 0.07  acc 0.98  (359 samples)" for each part that was measured. */
static void print_result(const cJSON *result)
{
	static const char *const parts[] = { "train", "valid", "test" };

	for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
		const cJSON *part = cJSON_GetObjectItemCaseSensitive(result, parts[k]), *value;
		double samples = 0;
		const char *gap;

		if (!cJSON_IsObject(part))
			continue;
		printf("%s:", parts[k]);
		gap = " ";
		cJSON_ArrayForEach(value, part)
		{
			if (!cJSON_IsNumber(value))
				continue;
			if (strcmp(value->string, "samples") == 0) {
				samples = value->valuedouble;
				continue;
			}
			printf("%s%s %.6g", gap, value->string, value->valuedouble);
			gap = "  ";
		}
		if (samples > 0)
			printf("%s(%.0f samples)", gap, samples);
		printf("\n");
	}
}

static void note(bool quiet, const char *what, const char *error)
{
	if (!quiet)
		fprintf(stderr, "note: no %s: %s\n", what, error);
}

/* The gradients as SVG, or as DOT where they cannot be rendered. */
static void draw_flow(ad_model *m, const char *folder, int64_t step, bool quiet)
{
	char *grad = join_path(folder, "grad"), *svg = join_path(folder, "grad/flow.svg"),
	     *dot = join_path(folder, "grad/flow.dot");
	char error[1024], again[1024];
	struct drawing d = { .path = svg, .view = AD_VIEW_AUTO, .gradients = true, .step = step, .seconds = 30 };

	if (!grad || !svg || !dot) {
		note(quiet, "diagram", "out of memory");
	} else if (mkdir(grad, 0777) != 0 && errno != EEXIST) {
		note(quiet, "diagram", strerror(errno));
	} else if (draw_model(m, &d, error, sizeof error) == EXIT_DONE) {
		printf("flow: %s\n", svg);
	} else {
		d.path = dot;
		note(quiet, "picture of the gradients", error);
		if (draw_model(m, &d, again, sizeof again) == EXIT_DONE)
			printf("flow: %s\n", dot);
		else
			rmdir(grad);
	}
	free(grad);
	free(svg);
	free(dot);
}

static void draw_plots(ad_model *m, const char *folder, bool quiet)
{
	char *curves = join_path(folder, "curves.svg"), *fit = join_path(folder, "fit.svg");
	char error[1024];

	if (!curves || !fit)
		note(quiet, "plots", "out of memory");
	else if (!plot_run(folder, m->name, curves, error, sizeof error))
		note(quiet, "curves", error);
	else
		printf("curves: %s\n", curves);
	if (fit && has_fit(m)) {
		if (draw_fit(m, fit, error, sizeof error))
			printf("fit: %s\n", fit);
		else
			note(quiet, "plot of the fit", error);
	}
	free(curves);
	free(fit);
}

/* The page of the training that has ended. It was asked for: that it fails is said, but the training stands. */
static void write_report(const char *folder, struct live *live)
{
	char *path = join_path(folder, "report.html");

	live_end(live);
	if (path && report_write("train", folder, path, false) == EXIT_DONE)
		printf("report: %s\n", path);
	free(path);
}

/* What a run has to say at its end. A failure to draw is a note: the training stands. */
static void report(ad_model *m, const char *folder, bool draw, bool quiet)
{
	cJSON *result = read_result(folder);
	const cJSON *steps = cJSON_GetObjectItemCaseSensitive(result, "steps");
	int64_t step = cJSON_IsNumber(steps) ? (int64_t)steps->valuedouble : -1;

	print_result(result);
	printf("run: %s\n", folder);
	if (draw) {
		draw_flow(m, folder, step, quiet);
		draw_plots(m, folder, quiet);
	}
	cJSON_Delete(result);
}

static void print_times(const ad_model *m, const ad_train_times *t)
{
	const struct time_part parts[] = {
		{ "optimizer", t->optimizer },
		{ "data: reading, copying", t->data },
		{ "recording of model and gradients", t->recording },
		{ "run folder", t->files },
	};

	if (print_profile(m->graph, t->all, sizeof parts / sizeof *parts, parts))
		printf("\n");
	else
		failed("train", "out of memory");
}

bool is_terminal(FILE *stream)
{
	const char *term = getenv("TERM");

	return isatty(fileno(stream)) && term && strcmp(term, "dumb") != 0;
}

static int train(ad_model *m, const struct train_options *o)
{
	char error[1024] = "", folder[PATH_MAX] = "";
	struct steps steps = { .quiet = o->quiet };
	struct live live = { 0 };
	ad_train_times times;
	ad_train_options t = {
		.run = o->resume ? o->resume : o->run,
		.resume = o->resume != NULL,
		.save_seconds = o->save_every > 0 ? (double)o->save_every : o->save_every == 0 ? 1e-9 : 0,
		.progress = o->quiet ? NULL : stderr,
		.terminal = is_terminal(stderr),
		.plain = o->plain,
		.dry = o->dry,
		.anomaly = o->anomaly,
		.folder = folder,
		.folder_size = sizeof folder,
		.times = o->profile ? &times : NULL,
		.draw = steps_draw,
		.context = &steps,
		.logged = o->live ? live_logged : NULL,
		.logged_of = &live,
	};
	ad_run_status status;

	ad_profile(m->graph, o->profile);
	status = ad_model_train(m, &t, error, sizeof error);
	if ((status == AD_RUN_INTERRUPTED || status == AD_RUN_TERMINATED || status == AD_RUN_STOPPED) && *folder)
		failed("train", "%s; it goes on with autograd train --resume %s", error, folder);
	else if (status != AD_RUN_DONE && *error)
		failed("train", "%s", error);
	if (o->dry && status == AD_RUN_DONE && !o->quiet)
		fprintf(stderr, "dry run: the model and its data are fine; nothing was written\n");
	if (o->profile && status != AD_RUN_REFUSED && status != AD_RUN_FAILED)
		print_times(m, &times);
	ad_profile(m->graph, false);
	if (steps.pictures > 0)
		printf("steps: %s/index.html\n", steps.folder);
	steps_free(&steps);
	if (!o->dry && *folder && status != AD_RUN_REFUSED && status != AD_RUN_FAILED)
		report(m, folder, status == AD_RUN_DONE || status == AD_RUN_DIVERGED, o->quiet);
	if (o->live && !o->dry && *folder && status != AD_RUN_REFUSED)
		write_report(folder, &live);
	return status;
}

/* The file with the data of --data, which further values of --set may change. */
static ad_model *open_with_data(const char *path, const struct train_options *o, int *status)
{
	struct texts set = { .v = calloc(o->set.n + 1, sizeof *set.v) };
	char *data = NULL;
	ad_model *m = NULL;

	if (!set.v || (o->data && asprintf(&data, "data.train=%s", o->data) < 0)) {
		*status = failed("train", "out of memory");
	} else {
		if (data)
			set.v[set.n++] = data;
		for (size_t k = 0; k < o->set.n; k++)
			set.v[set.n++] = o->set.v[k];
		m = open_file("train", path, &set, status);
	}
	free(data);
	free(set.v);
	return m;
}

static int run(const void *given, int n, const char *const args[])
{
	const struct train_options *o = given;
	int status;
	ad_model *m;

	if (o->run && !*o->run)
		return misused("train", "--run needs the name of a folder");
	if (o->resume && (n > 0 || o->run || o->data))
		return misused("train", "--resume takes the run's own config.yaml and folder, and no %s",
		               n > 0 ? "FILE" : o->run ? "--run" : "--data");
	if (!o->resume && n == 0)
		return misused("train", "needs FILE, or --resume RUN");
	m = o->resume ? open_config("train", o->resume, &o->set, &status) : open_with_data(args[0], o, &status);
	if (!m)
		return status;
	status = train(m, o);
	ad_model_close(m);
	return status;
}

const struct command command_train = {
	.name = "train",
	.arguments = "[FILE]",
	.least = 0,
	.most = 1,
	.doc = "trains a model and leaves a run folder",
	.details =
	    "The run folder holds config.yaml (the file with --set applied), env.txt, log.jsonl, log.csv, "
	    "result.json, last.safetensors (the weights), state.safetensors (for --resume), grad/flow.svg and curves.svg; with 'gradients' "
	    "in the file also gradients.jsonl and gradients-edges.jsonl, and grad/step-000200.svg with "
	    "grad/index.html; with --live report.html. Progress "
	    "goes to standard error, the result to standard output. Exit status 3: the loss became "
	    "infinite or NaN, and the last finite weights were kept; 130, 143 or 75: stopped by SIGINT, "
	    "SIGTERM or SIGUSR1 with all saved that --resume needs.",
	.options = options,
	.options_size = sizeof(struct train_options),
	.run = run,
};
