/*
 * sweep: trains a model once for each trial of its `sweep`, one after the other, and compares them.
 *
 *	config.yaml    the declaration as the sweep began, which --resume goes on with
 *	trial-1 ...    run folders
 *	results.csv    a line a trial, the best first
 */
#include "command.h"
#include "file.h"
#include "folder.h"

#include <cjson/cJSON.h>
#include <csv.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct sweep_options {
	const char *run;
	bool resume, dry, plain, quiet;
	struct texts set;
};

static const struct option options[] = {
	{ "set", 0, OPTION_TEXTS, "KEY=VALUE", NULL, false, offsetof(struct sweep_options, set),
	  "replaces a value of the file, in its own grammar; what the sweep varies is above it; may be "
	  "repeated" },
	{ "run", 0, OPTION_TEXT, "DIR", NULL, false, offsetof(struct sweep_options, run),
	  "the folder to make for the sweep; if not given, the first free of runs/NAME-sweep-1, "
	  "runs/NAME-sweep-2 ..." },
	{ "resume", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct sweep_options, resume),
	  "goes on with the sweep in DIR, or in the newest runs/NAME-sweep-N, with the configuration it "
	  "began with; trials that have ended are not made again" },
	{ "dry-run", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct sweep_options, dry),
	  "lists the trials, does one step of each and writes nothing" },
	{ "plain", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct sweep_options, plain),
	  "progress in ASCII only" },
	{ "quiet", 'q', OPTION_SWITCH, NULL, NULL, false, offsetof(struct sweep_options, quiet),
	  "no progress and no notes" },
	LIMIT_OPTIONS,
	{ 0 },
};

enum status { DONE, DIVERGED, FAILED, STOPPED, WAITING };
static const char *const status_names[] = { "done", "diverged", "failed", "interrupted", "waiting" };

struct row {
	int64_t trial; /* from 0 */
	enum status status;
	double goal;   /* NAN: none was reached */
	cJSON *result; /* NULL: there is none yet */
};

struct sweep {
	const struct sweep_options *o;
	ad_model *m;        /* the declaration, without the values of a trial */
	const char *config; /* where it is: the file, or the folder's config.yaml */
	char *folder;       /* NULL: a dry run */
	struct row *rows;   /* by trial until they are sorted */
	int64_t n;
};

/* ---- trials ---------------------------------------------------------------------------------- */

/* The first signal ends the sweep before its next trial, where a training has not taken it. */
static volatile sig_atomic_t caught;

static void on_signal(int number)
{
	caught = number;
}

static void listen_for_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGUSR1 };
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND }, before;

	sigemptyset(&action.sa_mask);
	for (size_t k = 0; k < sizeof signals / sizeof *signals; k++)
		if (sigaction(signals[k], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
			sigaction(signals[k], &action, NULL);
}

/* "lr 0.001, p 0.1". */
static void trial_text(const struct sweep *s, int64_t trial, char *text, size_t n)
{
	size_t used = 0;
	char room[64];

	for (size_t k = 0; k < s->m->sweep.n_over && used < n; k++)
		used += (size_t)snprintf(text + used, n - used, "%s%s %s", k ? ", " : "",
		                         s->m->sweep.over[k].param,
		                         sweep_value(s->m, trial, k, room, sizeof room));
}

/* DIR/trial-3; NULL without memory. */
static char *trial_folder(const struct sweep *s, int64_t trial)
{
	char *path;

	return asprintf(&path, "%s/trial-%" PRId64, s->folder, trial + 1) < 0 ? NULL : path;
}

/* The model with the values of a trial; prints its messages if it has errors. */
static ad_model *open_trial(const struct sweep *s, int64_t trial, int *status)
{
	const struct sweep_spec *spec = &s->m->sweep;
	char **swept = calloc(spec->n_over, sizeof(*swept)), room[64], text[512];
	ad_model *m = NULL;
	bool good = swept != NULL;

	for (size_t k = 0; good && k < spec->n_over; k++) {
		good = asprintf(&swept[k], "params.%s=%s", spec->over[k].param,
		                sweep_value(s->m, trial, k, room, sizeof room)) >= 0;
		if (!good)
			swept[k] = NULL;
	}
	if (good)
		m = open_swept(s->config, !s->folder, &s->o->set, spec->n_over,
		               (const char *const *)swept);
	for (size_t k = 0; swept && k < spec->n_over; k++)
		free(swept[k]);
	free(swept);
	if (!m) {
		*status = failed("sweep", "out of memory");
		return NULL;
	}
	*status = EXIT_DONE;
	if (ad_model_errors(m) == 0)
		return m;
	ad_model_messages(m, stderr, false);
	trial_text(s, trial, text, sizeof text);
	failed("sweep", "trial %" PRId64 " cannot be trained: %s", trial + 1, text);
	*status = EXIT_USAGE;
	ad_model_close(m);
	return NULL;
}

/* Whether every trial can be built: said before the first is trained. */
static int check_trials(const struct sweep *s)
{
	int status = EXIT_DONE;

	for (int64_t k = 0; k < s->n && status == EXIT_DONE; k++)
		ad_model_close(open_trial(s, k, &status));
	return status;
}

/* ---- results --------------------------------------------------------------------------------- */

static const char *part_of(struct watched w)
{
	return w.valid ? "valid" : "train";
}

static const char *number_of(const ad_model *m, struct watched w)
{
	return w.value == 0 ? "loss" : m->metrics[w.value - 1];
}

/* What the run reached: what its best weights did, if they were kept for the same number, else its last. */
static double goal_of(const ad_model *m, const cJSON *result)
{
	struct watched goal = m->sweep.goal, best = m->train.checkpoint.best;
	const cJSON *value = NULL;

	if (best.given && best.valid == goal.valid && best.value == goal.value && best.most == goal.most)
		value = cJSON_GetObjectItemCaseSensitive(result, "best");
	if (!value)
		value = cJSON_GetObjectItemCaseSensitive(
		    cJSON_GetObjectItemCaseSensitive(result, part_of(goal)), number_of(m, goal));
	return cJSON_IsNumber(value) ? value->valuedouble : (double)NAN;
}

/* What the folder of a trial says of it. */
static void read_row(const struct sweep *s, struct row *row)
{
	char *folder = trial_folder(s, row->trial);
	const cJSON *word;

	row->status = WAITING;
	row->goal = (double)NAN;
	cJSON_Delete(row->result);
	row->result = folder ? read_result(folder) : NULL;
	free(folder);
	word = cJSON_GetObjectItemCaseSensitive(row->result, "status");
	if (!cJSON_IsString(word))
		return;
	row->status = strcmp(word->valuestring, "done") == 0       ? DONE
	              : strcmp(word->valuestring, "diverged") == 0 ? DIVERGED
	                                                           : STOPPED;
	if (row->status == DONE)
		row->goal = goal_of(s->m, row->result);
}

static bool most_is_best;

/* The best first, then what has no number, by how it ended. */
static int by_goal(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	bool nx = !isfinite(x->goal), ny = !isfinite(y->goal);

	if (nx != ny)
		return nx - ny;
	if (!nx && x->goal != y->goal)
		return (x->goal > y->goal) == most_is_best ? -1 : 1;
	if (x->status != y->status)
		return x->status < y->status ? -1 : 1;
	return x->trial < y->trial ? -1 : x->trial > y->trial;
}

static struct row *sorted(const struct sweep *s)
{
	struct row *rows = malloc((size_t)s->n * sizeof *rows);

	if (!rows)
		return NULL;
	memcpy(rows, s->rows, (size_t)s->n * sizeof *rows);
	most_is_best = s->m->sweep.goal.most;
	qsort(rows, (size_t)s->n, sizeof *rows, by_goal);
	return rows;
}

static void csv_text(FILE *to, const char *text)
{
	if (strpbrk(text, ",\"\r\n"))
		csv_fwrite(to, text, strlen(text));
	else
		fputs(text, to);
}

static void csv_number(FILE *to, const cJSON *value)
{
	putc(',', to);
	if (cJSON_IsNumber(value))
		fprintf(to, "%.9g", value->valuedouble);
}

static const char *const parts[] = { "train", "valid", "test" };

/* Which parts the runs have numbers of. */
static bool has_part(const ad_model *m, int part)
{
	return part == 0 || (part == 1 ? m->data.has_valid || m->data.split_valid.given
	                               : m->data.has_test || m->data.split_test.given);
}

static void write_head(const struct sweep *s, FILE *to)
{
	const ad_model *m = s->m;

	fputs("trial", to);
	for (size_t k = 0; k < m->sweep.n_over; k++) {
		putc(',', to);
		csv_text(to, m->sweep.over[k].param);
	}
	fprintf(to, ",%s %s.%s,status", m->sweep.goal.most ? "max" : "min", part_of(m->sweep.goal),
	        number_of(m, m->sweep.goal));
	for (int part = 0; part < 3; part++) {
		if (!has_part(m, part))
			continue;
		for (int k = 0; k < 1 + m->n_metrics; k++)
			fprintf(to, ",%s.%s", parts[part], k ? m->metrics[k - 1] : "loss");
	}
	fputs(",steps,seconds,run\n", to);
}

static void write_row(const struct sweep *s, const struct row *row, FILE *to)
{
	const ad_model *m = s->m;
	char room[64];

	fprintf(to, "%" PRId64, row->trial + 1);
	for (size_t k = 0; k < m->sweep.n_over; k++) {
		putc(',', to);
		csv_text(to, sweep_value(m, row->trial, k, room, sizeof room));
	}
	putc(',', to);
	if (isfinite(row->goal))
		fprintf(to, "%.9g", row->goal);
	fprintf(to, ",%s", status_names[row->status]);
	for (int part = 0; part < 3; part++) {
		const cJSON *numbers = cJSON_GetObjectItemCaseSensitive(row->result, parts[part]);

		for (int k = 0; has_part(m, part) && k < 1 + m->n_metrics; k++)
			csv_number(to, cJSON_GetObjectItemCaseSensitive(numbers, k ? m->metrics[k - 1] : "loss"));
	}
	csv_number(to, cJSON_GetObjectItemCaseSensitive(row->result, "steps"));
	csv_number(to, cJSON_GetObjectItemCaseSensitive(row->result, "seconds"));
	fprintf(to, ",trial-%" PRId64 "\n", row->trial + 1);
}

/* Replaces results.csv. */
static bool write_results(const struct sweep *s, char *error, size_t n)
{
	char *path = join_path(s->folder, "results.csv"), *text = NULL;
	struct row *rows = sorted(s);
	size_t length = 0;
	FILE *to = path && rows ? open_memstream(&text, &length) : NULL;
	bool good = to != NULL;

	if (good)
		write_head(s, to);
	for (int64_t k = 0; good && k < s->n; k++)
		write_row(s, &rows[k], to);
	if (to)
		good = fclose(to) == 0;
	if (!good)
		failure_memory(error, n, "results.csv", 0);
	good = good && save_text(path, text, length, error, n);
	free(text);
	free(rows);
	free(path);
	return good;
}

/* What stands in a column of the table: the trial, the params, the goal, how it ended, how long it took and
 * where it is. row NULL: the head. */
static const char *cell(const struct sweep *s, const struct row *row, size_t column, char *room, size_t n)
{
	const struct sweep_spec *spec = &s->m->sweep;
	const cJSON *seconds;

	if (column == 0)
		snprintf(room, n, "%" PRId64, row ? row->trial + 1 : 0);
	if (column == 0)
		return row ? room : "trial";
	if (column <= spec->n_over)
		return row ? sweep_value(s->m, row->trial, column - 1, room, n) : spec->over[column - 1].param;
	switch (column - spec->n_over) {
	case 1:
		if (!row)
			snprintf(room, n, "%s.%s", part_of(spec->goal), number_of(s->m, spec->goal));
		else if (isfinite(row->goal))
			snprintf(room, n, "%.6g", row->goal);
		else
			return "-";
		return room;
	case 2:
		return row ? status_names[row->status] : "status";
	case 3:
		seconds = row ? cJSON_GetObjectItemCaseSensitive(row->result, "seconds") : NULL;
		if (!row || !cJSON_IsNumber(seconds))
			return row ? "-" : "seconds";
		snprintf(room, n, "%.1f", seconds->valuedouble);
		return room;
	default:
		if (!row)
			return "run";
		snprintf(room, n, "%s/trial-%" PRId64, s->folder, row->trial + 1);
		return row->result ? room : "";
	}
}

/* columns: how many of those that cell knows. */
static void print_table(const struct sweep *s, const struct row *rows, size_t columns)
{
	char room[4200];

	for (int64_t k = -1; k < s->n; k++) {
		for (size_t c = 0; c < columns; c++) {
			int width = 0;

			for (int64_t i = -1; i < s->n; i++) {
				int wide = (int)strlen(cell(s, i < 0 ? NULL : &rows[i], c, room, sizeof room));

				width = wide > width ? wide : width;
			}
			const char *text = cell(s, k < 0 ? NULL : &rows[k], c, room, sizeof room);
			if (c == s->m->sweep.n_over + 4)
				printf("  %s", text);
			else
				printf("%s%*s", c ? "  " : "", width, text);
		}
		putchar('\n');
	}
}

/* ---- running --------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
	(void)info, (void)kind, (void)at;
	return remove(path);
}

/* Removes the folder of a trial that begins anew, unless a process trains there, as train --resume does: that one
 * holds a lock on its log.jsonl. */
static bool clear_trial(const char *folder)
{
	char *log = join_path(folder, "log.jsonl");
	int fd = log ? open(log, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;
	bool in_use = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK, cleared = false;
	struct stat info;

	if (log && !in_use)
		cleared = lstat(folder, &info) != 0 ? errno == ENOENT
		                                    : nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0;
	if (in_use)
		failed("sweep", "%s: is being trained by another process; wait for its end", folder);
	else if (!cleared)
		failed("sweep", "%s: cannot be removed: %s", folder, strerror(errno));
	free(log);
	if (fd >= 0)
		close(fd);
	return cleared;
}

/* Whether a trial was stopped with all that it needs to go on. */
static bool can_go_on(const char *folder)
{
	char *state = join_path(folder, "state.safetensors");
	struct stat info;
	bool can = state && stat(state, &info) == 0;

	free(state);
	return can;
}

/* Trains one, from its beginning or from where it was; returns how the sweep goes on: EXIT_DONE, or how it ends. */
static int train_trial(const struct sweep *s, struct row *row)
{
	char error[1024] = "", text[512], *folder = s->folder ? trial_folder(s, row->trial) : NULL;
	ad_train_options t = { .run = folder,
		               .resume = s->o->resume && folder && can_go_on(folder),
		               .progress = s->o->quiet ? NULL : stderr,
		               .terminal = is_terminal(stderr),
		               .plain = s->o->plain,
		               .dry = s->o->dry };
	ad_run_status ended;
	ad_model *m;
	int status;

	trial_text(s, row->trial, text, sizeof text);
	if (!s->o->quiet)
		fprintf(stderr, "trial %" PRId64 " of %" PRId64 ": %s\n", row->trial + 1, s->n, text);
	if (folder && !t.resume && !clear_trial(folder)) {
		free(folder);
		return EXIT_FAILED;
	}
	m = open_trial(s, row->trial, &status);
	if (!m) {
		free(folder);
		return status;
	}
	ended = ad_model_train(m, &t, error, sizeof error);
	ad_model_close(m);
	if (*error && ended != AD_RUN_DONE)
		failed("sweep", "trial %" PRId64 ": %s", row->trial + 1, error);
	/* what it has learnt is for the user to give up: the reason may be one that passes */
	if (t.resume && ended == AD_RUN_REFUSED)
		fprintf(stderr, "help: without its folder %s a trial begins anew\n", folder);
	free(folder);
	if (s->folder)
		read_row(s, row);
	if (ended == AD_RUN_FAILED || ended == AD_RUN_REFUSED)
		row->status = FAILED;
	else if (ended == AD_RUN_DIVERGED)
		row->status = DIVERGED;
	return ended == AD_RUN_INTERRUPTED || ended == AD_RUN_TERMINATED || ended == AD_RUN_STOPPED ? (int)ended
	                                                                                            : EXIT_DONE;
}

/* How a sweep ends that a signal has stopped between two trials. */
static int stopped(void)
{
	return caught == SIGUSR1 ? (int)AD_RUN_STOPPED : 128 + caught;
}

static int run_trials(struct sweep *s)
{
	char error[1024];
	int status = EXIT_DONE;

	for (int64_t k = 0; k < s->n && status == EXIT_DONE; k++) {
		struct row *row = &s->rows[k];

		if (row->status == DONE || row->status == DIVERGED)
			continue;
		if (caught)
			return stopped();
		status = train_trial(s, row);
		if (s->folder && !write_results(s, error, sizeof error))
			return failed("sweep", "%s", error);
	}
	return status == EXIT_DONE && caught ? stopped() : status;
}

/* Exit status of a sweep that came to its end: a trial that diverged is a result, unless all did. */
static int verdict(const struct sweep *s)
{
	bool all_diverged = true, any_failed = false;

	for (int64_t k = 0; k < s->n; k++) {
		any_failed |= s->rows[k].status == FAILED;
		all_diverged &= s->rows[k].status == DIVERGED;
	}
	return any_failed ? EXIT_FAILED : all_diverged ? (int)AD_RUN_DIVERGED : EXIT_DONE;
}

static int sweep(struct sweep *s)
{
	struct row *rows;
	int status;

	s->n = s->m->sweep.trials;
	s->rows = calloc((size_t)s->n, sizeof *s->rows);
	if (!s->rows)
		return failed("sweep", "out of memory");
	for (int64_t k = 0; k < s->n; k++) {
		s->rows[k] = (struct row){ .trial = k, .status = WAITING, .goal = (double)NAN };
		if (s->folder)
			read_row(s, &s->rows[k]);
	}
	if (!s->folder)
		print_table(s, s->rows, 1 + s->m->sweep.n_over), fflush(stdout);
	listen_for_signals();
	status = run_trials(s);
	if (status == EXIT_DONE)
		status = verdict(s);
	rows = sorted(s);
	if (rows && s->folder) {
		print_table(s, rows, s->m->sweep.n_over + 5);
		printf("sweep: %s\n", s->folder);
	}
	if ((status > 128 || status == (int)AD_RUN_STOPPED) && s->folder)
		fprintf(stderr, "autograd sweep: stopped; --resume goes on with %s\n", s->folder);
	if (s->o->dry && status == EXIT_DONE && !s->o->quiet)
		fprintf(stderr, "dry run: all %" PRId64 " trials are fine; nothing was written\n", s->n);
	for (int64_t k = 0; k < s->n; k++)
		cJSON_Delete(s->rows[k].result);
	free(rows);
	free(s->rows);
	return status;
}

/* ---- beginning ------------------------------------------------------------------------------- */

static const struct swept *swept_param(const ad_model *m, const char *set)
{
	for (size_t k = 0; k < m->sweep.n_over; k++) {
		size_t length = strlen(m->sweep.over[k].param);

		if (strncmp(set, "params.", 7) == 0 && strncmp(set + 7, m->sweep.over[k].param, length) == 0 &&
		    set[7 + length] == '=')
			return &m->sweep.over[k];
	}
	return NULL;
}

static int begin(struct sweep *s, const char *path)
{
	int status;
	char error[1024];
	bool taken;

	s->m = open_file("sweep", path, &s->o->set, &status);
	if (!s->m)
		return status;
	s->config = path;
	if (!s->m->sweep.given)
		return misused("sweep", "%s has no key 'sweep', which says what to vary: sweep: {over: {lr: [0.1, "
		               "0.01]}}", path);
	s->n = s->m->sweep.trials;
	for (size_t k = 0; k < s->o->set.n && !s->o->quiet; k++)
		if (swept_param(s->m, s->o->set.v[k]))
			fprintf(stderr, "note: --set %s has no effect: the sweep varies it\n", s->o->set.v[k]);
	status = check_trials(s);
	if (status != EXIT_DONE || s->o->dry)
		return status;
	s->folder = folder_of_sweep(s->m, s->o->run, &taken, error, sizeof error);
	if (!s->folder && taken)
		return misused("sweep", "%s, or go on with it: --resume", error);
	return s->folder ? EXIT_DONE : failed("sweep", "%s", error);
}

/* The folder to go on with, by malloc; NULL: *status says how to exit. */
static char *find_folder(const struct sweep_options *o, const char *path, int *status)
{
	ad_model *m;
	char *folder;

	if (o->run) {
		folder = strdup(o->run);
		*status = folder ? EXIT_DONE : failed("sweep", "out of memory");
		return folder;
	}
	m = model_open_here(path, 0, NULL);
	folder = m ? folder_last_sweep(m) : NULL;
	if (folder)
		*status = EXIT_DONE;
	else
		*status = misused("sweep", "no sweep to go on with: there is no runs/%s-sweep-1; --run names "
		                  "another folder", m ? ad_model_name(m) : "NAME");
	ad_model_close(m);
	return folder;
}

static int go_on(struct sweep *s, const char *path, char **config)
{
	struct stat info;
	int status;

	if (s->o->set.n > 0 || s->o->dry)
		return misused("sweep", "--resume goes on with the configuration that the sweep began with; it "
		               "takes no --%s", s->o->dry ? "dry-run" : "set");
	s->folder = find_folder(s->o, path, &status);
	if (!s->folder)
		return status;
	*config = join_path(s->folder, "config.yaml");
	if (!*config)
		return failed("sweep", "out of memory");
	if (stat(*config, &info) != 0)
		return misused("sweep", "'%s' is not the folder of a sweep: it has no config.yaml", s->folder);
	s->config = *config;
	s->m = open_swept(*config, false, &s->o->set, 0, NULL);
	if (!s->m)
		return failed("sweep", "out of memory");
	if (ad_model_errors(s->m) > 0) {
		ad_model_messages(s->m, stderr, false);
		return EXIT_USAGE;
	}
	if (!s->m->sweep.given)
		return misused("sweep", "'%s' is not the folder of a sweep: its config.yaml has no key 'sweep'",
		               s->folder);
	if (!s->o->quiet)
		fprintf(stderr, "going on with %s, as its config.yaml says\n", s->folder);
	return EXIT_DONE;
}

/* One process at a time works in a folder: the lock goes with the process. -1: another has it. A file
 * system without locks is trusted. */
static int lock(const char *config)
{
	int fd = open(config, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
		close(fd);
		return -1;
	}
	return fd;
}

static int run(const void *given, int n, const char *const args[])
{
	struct sweep s = { .o = given };
	char *config = NULL;
	int status, fd = -1;

	(void)n;
	if (s.o->run && !*s.o->run)
		return misused("sweep", "--run needs the name of a folder");
	status = s.o->resume ? go_on(&s, args[0], &config) : begin(&s, args[0]);
	if (status == EXIT_DONE && s.folder && !config) {
		config = join_path(s.folder, "config.yaml");
		s.config = config;
		status = config ? EXIT_DONE : failed("sweep", "out of memory");
	}
	if (status == EXIT_DONE && s.folder) {
		fd = lock(config);
		if (fd < 0)
			status = misused("sweep", "%s: another sweep goes on there", s.folder);
	}
	if (status == EXIT_DONE)
		status = sweep(&s);
	if (fd >= 0)
		close(fd);
	ad_model_close(s.m);
	free(s.folder);
	free(config);
	return status;
}

const struct command command_sweep = {
	.name = "sweep",
	.arguments = "FILE",
	.least = 1,
	.most = 1,
	.doc = "trains a model once for each trial of its sweep and compares them",
	.details =
	    "The file's 'sweep' says which params take which values: over: {lr: [0.1, 0.01], hidden: [32, 64]}. Every "
	    "trial is built before the first is trained, then they run one after the other, each with a run folder "
	    "of its own in the folder of the sweep, beside config.yaml (the configuration they all start from) and "
	    "results.csv. The table of trials, the best first, goes to standard output. Exit status 3: every trial "
	    "diverged; 1: one failed, which --resume tries again; 130, 143 or 75: stopped by SIGINT, SIGTERM or "
	    "SIGUSR1, and --resume goes on, with the trial that was under way where it was.",
	.options = options,
	.options_size = sizeof(struct sweep_options),
	.run = run,
};
