/*
 * bench: times the workloads of README.md, all systems of one in turn, and prints a table.
 *
 *	bench [--only "W1 W4"] [--threads "1 2"] [--format json] [--reps 15] [--clock cpu] [--peers FILE]
 *
 * Each system runs in a process of its own (child.c), so that memory and threads do not mix. Here
 * they are started, their first losses compared, and then asked for one repetition after the other.
 * FILE has a line for each peer: workload, name, command; see peers/peer.py.
 */
#include "bench.h"

#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SYSTEMS = 16, REPS = 999 };

/* How far losses with products in bf16 may be from those in f32. */
#define BF16_TOLERANCE 1e-2

static const struct workload workloads[] = {
	{ "W0", 1, 1, 20, 1e-9, W0_NODES, &w0_autograd, &w0_floor, NULL },
	{ "W1", 2, 10, 100, 1e-5, 0, &w1_autograd, &w1_floor, &w1_bf16 },
	{ "W2", 2, 10, 20, 2e-5, 0, &w2_autograd, &w2_floor, &w2_bf16 },
	{ "W3", 2, 10, 100, 2e-5, 0, &w3_autograd, &w3_floor, NULL },
	{ "W4", 2, 1, 20, 1e-4, 0, &w4_autograd, &w4_floor, &w4_bf16 },
	{ "W5", 2, W5_SEQUENCES, W5_SEQUENCES, 1e-5, 0, &w5_autograd, &w5_floor, &w5_bf16 },
	{ "W6", 1, 100, 1, 1e-5, 0, &w6_autograd, &w6_floor, NULL },
	{ "start", 1, 1, 1, 1e-4, 0, &start_autograd, &start_floor, NULL },
	{ "W7", 1, 100, 20000, 1e-6, 0, &w7_autograd, &w7_floor, NULL },
};

struct options {
	const char *only, *threads, *peers, *program;
	bool json, processor; /* processor: its time, not the clock's */
	int reps;
	double seconds;
};

/* A running system, or one that has run. */
struct process {
	char name[64];
	pid_t pid;
	FILE *to, *from;
	double mean, last; /* losses of the first steps */
	double times[REPS];
	long peak; /* KiB */
};

static bool wrong; /* some system failed or disagreed */

/* ---- processes ------------------------------------------------------------------------------ */

/* In the new process: its surroundings, alike for all. */
static void surround(int threads, bool processor)
{
	char n[16];

	if (processor)
		setenv("BENCH_CLOCK", "cpu", 1);
	else
		unsetenv("BENCH_CLOCK");
	snprintf(n, sizeof n, "%d", threads);
	setenv("BENCH_THREADS", n, 1);
	setenv("OMP_NUM_THREADS", n, 1);
	setenv("OPENBLAS_NUM_THREADS", n, 1);
	/* Who waits gives its core away. */
	setenv("OMP_WAIT_POLICY", "passive", 0);
	/* Settings for another processor slow OpenBLAS. */
	unsetenv("OPENBLAS_CORETYPE");
	unsetenv("OPENBLAS_L2_SIZE");
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx512f"))
		setenv("ATEN_CPU_CAPABILITY", "avx512", 0); /* PyTorch's default there is AVX2 */
#endif
}

/* Starts argv and waits until it is ready. false: it is not there or has failed, which is said. */
static bool launch(const struct options *o, struct process *p, const char *workload, const char *name,
                   char *const argv[], int threads)
{
	int to[2], from[2];
	char line[512];

	snprintf(p->name, sizeof p->name, "%s", name);
	if (pipe(to) || pipe(from)) {
		perror("bench");
		exit(1);
	}
	p->pid = fork();
	if (p->pid == 0) {
		surround(threads, o->processor);
		dup2(to[0], 0);
		dup2(from[1], 1);
		/* Ends of other systems' pipes must not stay open here. */
		for (int fd = 3; fd < 256; fd++)
			close(fd);
		execv(argv[0], argv);
		perror(argv[0]);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	p->to = fdopen(to[1], "w");
	p->from = fdopen(from[0], "r");
	if (p->pid > 0 && p->to && p->from && fgets(line, sizeof line, p->from)) {
		if (sscanf(line, "ready %lf %lf", &p->mean, &p->last) == 2)
			return true;
		if (strncmp(line, "absent: ", 8) == 0) {
			fprintf(stderr, "bench: %s without %s: %s", workload, name, line + 8);
			waitpid(p->pid, NULL, 0);
			return false;
		}
	}
	fprintf(stderr, "bench: %s: %s has failed\n", workload, name);
	wrong = true;
	waitpid(p->pid, NULL, 0);
	return false;
}

/* Peak of memory in KiB, as the system has it; 0: not known. */
static long peak_of(pid_t pid)
{
	char path[64], line[256];
	long peak = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "VmHWM: %ld", &peak) == 1)
			break;
	if (f)
		fclose(f);
	return peak;
}

static void finish(struct process *p)
{
	p->peak = peak_of(p->pid);
	fclose(p->to);
	fclose(p->from);
	waitpid(p->pid, NULL, 0);
}

/* ---- table ---------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void heading(const struct options *o)
{
	if (!o->json)
		printf("%-6s %2s  %-16s %12s %12s %12s %8s %11s %8s\n", "", "th", "system",
		       o->processor ? "median cpu us" : "median us", "min", "max", "/ floor", "/ autograd",
		       "peak MB");
}

static void ratio(int width, double time, const struct process *other, int reps)
{
	double r = other ? time / other->times[reps / 2] : 0;

	if (other)
		printf(" %*.*f", width, r < 0.1 ? 4 : r < 100 ? 2 : 0, r);
	else
		printf(" %*s", width, "-");
}

static void row(const struct options *o, const struct workload *w, int threads, const struct process *p,
                const struct process *floor, const struct process *autograd)
{
	double median = p->times[o->reps / 2], least = p->times[0], most = p->times[o->reps - 1];
	/* Start-up runs in processes of the process. */
	bool known = p->peak > 0 && strcmp(w->name, "start") != 0;

	if (o->json) {
		printf("{\"workload\": \"%s\", \"threads\": %d, \"system\": \"%s\", \"median_us\": %.4f, "
		       "\"min_us\": %.4f, \"max_us\": %.4f, \"peak_rss_mb\": ",
		       w->name, threads, p->name, median, least, most);
		printf(known ? "%.1f}\n" : "null}\n", (double)p->peak / 1024);
		return;
	}
	printf("%-6s %2d  %-16s %12.3f %12.3f %12.3f", w->name, threads, p->name, median, least, most);
	ratio(8, median, floor, o->reps);
	ratio(11, median, autograd, o->reps);
	printf(known ? " %8.1f" : "        -", (double)p->peak / 1024);
	if (w->nodes)
		printf("   %.2f ns a node", median * 1e3 / w->nodes);
	putchar('\n');
}

/* ---- a workload ----------------------------------------------------------------------------- */

/* Starts the peers that the file has for the workload; returns how many systems there are then. */
static int launch_peers(const struct options *o, const char *workload, int threads, struct process *all, int n)
{
	char line[1024], command[1100], name[64], of[16];
	FILE *f;

	if (!o->peers)
		return n;
	f = fopen(o->peers, "r");
	if (!f) {
		perror(o->peers);
		exit(1);
	}
	while (n < SYSTEMS && fgets(line, sizeof line, f)) {
		int at = 0;

		if (sscanf(line, "%15s %63s %n", of, name, &at) < 2 || !at || strcmp(of, workload) != 0)
			continue;
		snprintf(command, sizeof command, "exec %s", line + at);
		n += launch(o, &all[n], workload, name,
		            (char *[]){ (char[]){ "/bin/sh" }, (char[]){ "-c" }, command, NULL }, threads);
	}
	fclose(f);
	return n;
}

/* Whether the losses are those of the first system; a sentence if not. */
static bool agrees(const struct workload *w, const struct process *p, const struct process *first)
{
	double mean = fabs(p->mean - first->mean), last = fabs(p->last - first->last);
	double tolerance = strcmp(p->name, "autograd bf16") == 0 ? BF16_TOLERANCE : w->tolerance;

	if (mean <= tolerance * fabs(first->mean) && last <= tolerance * fabs(first->last))
		return true;
	fprintf(stderr,
	        "bench: %s: %s is wrong: after %d steps its loss is %.7g, %.7g on average; that of %s %.7g, %.7g\n",
	        w->name, p->name, w->compared, p->last, p->mean, first->name, first->last, first->mean);
	wrong = true;
	return false;
}

static void run(const struct options *o, const struct workload *w, int threads)
{
	static struct process all[SYSTEMS];
	struct process *floor = NULL, *autograd = NULL;
	static const char *const own[] = { "autograd", "floor", "bf16" };
	static const char *const names[] = { "autograd", "floor", "autograd bf16" };
	char count[16];
	int n = 0, agreeing = 0;

	snprintf(count, sizeof count, "%d", threads);
	for (int k = 0; k < (w->bf16 ? 3 : 2); k++) {
		char *argv[] = { strdup(o->program), strdup("--child"), strdup(own[k]), strdup("--only"),
			         strdup(w->name),    strdup("--threads"), count,        NULL };

		n += launch(o, &all[n], w->name, names[k], argv, threads);
		for (int i = 0; i < 5; i++)
			free(argv[i]);
		free(argv[5]);
	}
	n = launch_peers(o, w->name, threads, all, n);
	for (int k = 0; k < n; k++)
		if (agrees(w, &all[k], &all[0]))
			all[agreeing++] = all[k];
		else
			finish(&all[k]);
	n = agreeing;
	for (int r = 0; r < o->reps; r++)
		for (int k = 0; k < n; k++) {
			fputs("run\n", all[k].to);
			fflush(all[k].to);
			if (fscanf(all[k].from, "%lf", &all[k].times[r]) != 1) {
				fprintf(stderr, "bench: %s: %s has ended\n", w->name, all[k].name);
				exit(1);
			}
		}
	for (int k = 0; k < n; k++) {
		finish(&all[k]);
		qsort(all[k].times, (size_t)o->reps, sizeof *all[k].times, by_size);
		if (strcmp(all[k].name, "floor") == 0)
			floor = &all[k];
		if (strcmp(all[k].name, "autograd") == 0)
			autograd = &all[k];
	}
	for (int k = 0; k < n; k++)
		row(o, w, threads, &all[k], floor, autograd);
	if (!o->json)
		putchar('\n');
	fflush(stdout);
}

/* Whether a list of words has this one. */
static bool listed(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; (p = strstr(p, word)); p += n)
		if ((p == list || p[-1] == ' ' || p[-1] == ',') && (p[n] == 0 || p[n] == ' ' || p[n] == ','))
			return true;
	return false;
}

/* Whether an option has its other value; "" is its usual one. */
static bool chosen(const char *option, const char *value, const char *other)
{
	if (*value && strcmp(value, other) != 0) {
		fprintf(stderr, "bench: %s is '%s' or not given, not '%s'\n", option, other, value);
		exit(2);
	}
	return *value;
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
		{ "only", 1, NULL, 'o' },  { "threads", 1, NULL, 't' }, { "format", 1, NULL, 'f' },
		{ "reps", 1, NULL, 'r' },  { "peers", 1, NULL, 'p' },   { "child", 1, NULL, 'c' },
		{ "clock", 1, NULL, 'k' }, { "seconds", 1, NULL, 's' }, { 0 },
	};
	struct options o = { .only = "", .threads = "", .reps = 15, .seconds = 0.1, .program = "/proc/self/exe" };
	const char *child = NULL;
	int c, found = 0;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 'o')
			o.only = optarg;
		else if (c == 't')
			o.threads = optarg;
		else if (c == 'f')
			o.json = chosen("format", optarg, "json");
		else if (c == 'k')
			o.processor = chosen("clock", optarg, "cpu");
		else if (c == 'r' && *optarg)
			o.reps = atoi(optarg);
		else if (c == 's')
			o.seconds = atof(optarg);
		else if (c == 'p')
			o.peers = optarg;
		else if (c == 'c')
			child = optarg;
		else if (c == '?')
			return 2;
	}
	o.reps = o.reps < 1 ? 1 : o.reps > REPS ? REPS : o.reps;
	signal(SIGPIPE, SIG_IGN);
	for (size_t k = 0; k < sizeof workloads / sizeof *workloads; k++) {
		const struct workload *w = &workloads[k];

		if (*o.only && !listed(o.only, w->name))
			continue;
		if (child)
			return bench_child(w, strcmp(child, "floor") == 0  ? w->floor
			                      : strcmp(child, "bf16") == 0 ? w->bf16
			                                                   : w->autograd,
			                   atoi(o.threads), o.seconds);
		if (found++ == 0)
			heading(&o);
		for (int threads = 1; threads <= w->threads; threads++) {
			char number[16];

			snprintf(number, sizeof number, "%d", threads);
			if (!*o.threads || listed(o.threads, number))
				run(&o, w, threads);
		}
	}
	if (!found) {
		fprintf(stderr, "bench: no workload '%s'; there are W0 to W7 and start\n", o.only);
		return 2;
	}
	return wrong;
}
