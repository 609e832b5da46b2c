/*
 * live: the report of a training that still runs, written by a process of its own.
 */
#ifndef AUTOGRAD_LIVE_H
#define AUTOGRAD_LIVE_H

#include <stdbool.h>
#include <sys/types.h>

/* All 0 at first. */
struct live {
	pid_t child;  /* that writes the page; 0: none */
	double begun; /* seconds: when it began */
	double next;  /* when the next one may */
	bool failed;  /* it cannot be started: not tried again */
};

/* ad_train_options.logged, with a struct live: has the page of the run's folder written, report.html, unless
 * one is being written or was just now. It waits for nothing. */
void live_logged(void *of, const char *folder);

/* Waits until no page is being written. */
void live_end(struct live *l);

#endif
