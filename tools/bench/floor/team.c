/*
 * team: one helper thread. Who waits spins for a while, then sleeps.
 */
#include "floor.h"

#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

static struct {
	int threads;
	void (*part)(void *context, int me);
	void *context;
	atomic_uint begun, ended; /* runs */
	atomic_uint arrived;      /* at barriers */
	atomic_uint asleep;       /* threads */
} team;

/* Some 100 microseconds. */
enum { SPINS = 5000 };

static void pause_briefly(void)
{
#if defined(__SSE__)
	_mm_pause();
#endif
}

/* Denormal numbers, and those that would become so, count as 0. */
static void flush_denormals(void)
{
#if defined(__SSE__)
	_mm_setcsr(_mm_getcsr() | 0x8040);
#endif
}

/* Counts one more; returns how many there were. */
static unsigned count(atomic_uint *counter)
{
	unsigned n = atomic_fetch_add(counter, 1);

	if (atomic_load(&team.asleep))
		syscall(SYS_futex, counter, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	return n;
}

/* Until the counter has come to at least n. */
static void await(atomic_uint *counter, unsigned n)
{
	unsigned now;

	for (int k = 0; k < SPINS; k++) {
		if ((int)(atomic_load_explicit(counter, memory_order_acquire) - n) >= 0)
			return;
		pause_briefly();
	}
	atomic_fetch_add(&team.asleep, 1);
	while ((int)((now = atomic_load(counter)) - n) < 0)
		syscall(SYS_futex, counter, FUTEX_WAIT_PRIVATE, now, NULL, NULL, 0);
	atomic_fetch_sub(&team.asleep, 1);
}

static void *help(void *unused)
{
	flush_denormals();
	for (unsigned run = 1;; run++) {
		await(&team.begun, run);
		team.part(team.context, 1);
		count(&team.ended);
	}
	return unused;
}

void team_open(int threads)
{
	pthread_t helper;

	team.threads = threads < 2 ? 1 : 2;
	flush_denormals();
	if (team.threads > 1 && pthread_create(&helper, NULL, help, NULL)) {
		fputs("bench: no second thread\n", stderr);
		exit(1);
	}
}

void team_run(void (*part)(void *context, int me), void *context)
{
	unsigned before;

	if (team.threads == 1) {
		part(context, 0);
		return;
	}
	team.part = part;
	team.context = context;
	before = count(&team.begun);
	part(context, 0);
	await(&team.ended, before + 1);
}

void team_barrier(void)
{
	unsigned n;

	if (team.threads == 1)
		return;
	n = count(&team.arrived);
	await(&team.arrived, n / 2 * 2 + 2);
}

int team_threads(void)
{
	return team.threads;
}
