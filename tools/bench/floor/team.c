/*
 * team: one helper thread that spins for a while between steps and then sleeps.
 */
#include "floor.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

static struct {
	int threads;
	void (*part)(void *context, int me);
	void *context;
	atomic_uint begun, ended; /* runs */
	atomic_uint arrived;      /* at barriers */
	atomic_bool asleep;
	pthread_mutex_t lock;
	pthread_cond_t wake;
} team = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER };

/* Some 200 microseconds. */
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

/* Until the counter has come to at least `value`. */
static void spin_until(atomic_uint *counter, unsigned value)
{
	for (int k = 1; (int)(atomic_load_explicit(counter, memory_order_acquire) - value) < 0; k++) {
		pause_briefly();
		if (k % SPINS == 0)
			sched_yield();
	}
}

static void *help(void *unused)
{
	flush_denormals();
	for (unsigned run = 1;; run++) {
		for (int k = 0; k < SPINS && atomic_load_explicit(&team.begun, memory_order_acquire) != run; k++)
			pause_briefly();
		if (atomic_load(&team.begun) != run) {
			pthread_mutex_lock(&team.lock);
			atomic_store(&team.asleep, true);
			while (atomic_load(&team.begun) != run)
				pthread_cond_wait(&team.wake, &team.lock);
			atomic_store(&team.asleep, false);
			pthread_mutex_unlock(&team.lock);
		}
		team.part(team.context, 1);
		atomic_store_explicit(&team.ended, run, memory_order_release);
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
	unsigned run;

	if (team.threads == 1) {
		part(context, 0);
		return;
	}
	team.part = part;
	team.context = context;
	run = atomic_fetch_add(&team.begun, 1) + 1;
	if (atomic_load(&team.asleep)) {
		pthread_mutex_lock(&team.lock);
		pthread_cond_signal(&team.wake);
		pthread_mutex_unlock(&team.lock);
	}
	part(context, 0);
	spin_until(&team.ended, run);
}

void team_barrier(void)
{
	unsigned n;

	if (team.threads == 1)
		return;
	n = atomic_fetch_add(&team.arrived, 1);
	spin_until(&team.arrived, n / 2 * 2 + 2);
}

int team_threads(void)
{
	return team.threads;
}
