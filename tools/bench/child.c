/*
 * child: the side of the benchmarks that is timed: a process for each system, told by lines what to do.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

static double seconds_of(int who)
{
	struct rusage u;

	getrusage(who, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

/* Seconds of the clock; or with BENCH_CLOCK, of the processors in this process and those it has started. */
static double now(void)
{
	static int processor = -1;
	struct timespec t;

	if (processor < 0)
		processor = getenv("BENCH_CLOCK") != NULL;
	if (processor)
		return seconds_of(RUSAGE_SELF) + seconds_of(RUSAGE_CHILDREN);
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

struct run {
	const struct system *system;
	void *context;
	int at; /* the next step */
};

/* Seconds of n steps. */
static double steps(struct run *r, int n)
{
	double total = 0, start = now();

	for (int k = 0; k < n; k++) {
		r->system->step(r->context, r->at++);
		if (r->system->update) {
			total += now() - start;
			r->system->update(r->context);
			start = now();
		}
	}
	return total + now() - start;
}

int bench_child(const struct workload *w, const struct system *s, int threads, double seconds)
{
	struct run r = { .system = s, .context = s->open(threads) };
	double loss = 0, sum = 0, end;
	int n = w->together;
	char line[16];

	while (r.at < w->compared) {
		loss = s->step(r.context, r.at++);
		if (s->update)
			s->update(r.context);
		sum += loss;
	}
	for (end = now() + 2 * seconds; now() < end;)
		steps(&r, n);
	while (steps(&r, n) < seconds)
		n *= 2;
	printf("ready %.12g %.12g\n", sum / w->compared, loss);
	fflush(stdout);
	while (fgets(line, sizeof line, stdin)) {
		printf("%.9g\n", steps(&r, n) / n * 1e6);
		fflush(stdout);
	}
	return 0;
}
