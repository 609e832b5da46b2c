/*
 * report: one HTML page about a run. The parts below write members of one JSON object, which the page's
 * script (tools/report/script.js) shows.
 *
 * Each begins with a comma: `,"log":{...}`. Numbers have five digits; what is not finite is null. What a
 * part leaves out, because it cannot be had or to keep the page small, it says in a note.
 */
#ifndef AUTOGRAD_REPORT_H
#define AUTOGRAD_REPORT_H

#include "command.h"
#include "record.h"

enum { MOST_STEPS = 120 };

struct report {
	const char *folder; /* of the run */
	bool live;          /* the training still runs: the page loads itself anew */
	bool weights;       /* m has those of the run, not initial ones */
	ad_model *m;
	FILE *to;
	FILE *notes;        /* elements of a JSON list */
	size_t n_notes;
	struct record *record; /* NULL: no gradients were recorded */
	size_t n_steps;        /* of the record those that are shown, by number */
	size_t steps[MOST_STEPS];
};

void report_remark(struct report *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
void report_number(FILE *to, double value);
void report_numbers(FILE *to, const double values[], size_t n); /* as a list */

/* The run's files: log, result, config and environment. (report_log.c) */
void report_files(struct report *r);

/* Opens the record of gradients, and of each weight writes what the steps that are shown say.
 * (report_record.c) */
void report_record(struct report *r);

/* Of each weight, how its values lie now and how they lay before the training. (report_data.c) */
void report_weights(struct report *r);

/* Of a classifier, what it makes of the samples of a part: counts of class by class, and those that it
 * is most wrong about. (report_data.c) */
void report_classes(struct report *r);

/* The graph with its gradients as SVG or, without the program dot, as text; one for each module; and how the
 * recorded steps are drawn, by the ids of the SVG. (report_graph.c) */
void report_graph(struct report *r);

/* What the doctor finds; no remedies are tried. (report_doctor.c) */
void report_findings(struct report *r);

/* Writes the page about a run to path, whole or not at all. Returns how to exit, after a sentence on
 * standard error. */
int report_write(const char *command, const char *folder, const char *path, bool live);

#endif
