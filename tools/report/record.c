/*
 * record: what a run recorded of its gradients, for its report.
 */
#include "report.h"

#include <math.h>

#define MOST_WEIGHTS 300 /* whose gradients are shown */

/* Of many steps evenly spread ones, the last among them. */
static void choose_steps(struct report *r)
{
	size_t all = record_steps(r->record), n = all < MOST_STEPS ? all : MOST_STEPS;

	for (size_t k = 0; k < n; k++)
		r->steps[k] = n > 1 ? k * (all - 1) / (n - 1) : all - 1;
	r->n_steps = n;
	if (n < all)
		report_remark(r, "Gradients are shown for %zu of %zu recorded steps, evenly spread.", n, all);
}

/* One statistic of all weights that are shown, a list for each step. */
static void write_statistic(struct report *r, bool update, size_t n, const size_t weights[])
{
	fprintf(r->to, ",\"%s\":[", update ? "update" : "gradient");
	for (size_t s = 0; s < r->n_steps; s++) {
		fprintf(r->to, s ? ",[" : "[");
		for (size_t k = 0; k < n; k++) {
			struct record_weight w;
			bool known = record_weight(r->record, r->steps[s], weights[k], &w);

			if (k > 0)
				putc(',', r->to);
			report_number(r->to, !known ? NAN : update ? w.update : w.gradient);
		}
		putc(']', r->to);
	}
	putc(']', r->to);
}

void report_record(struct report *r)
{
	size_t weights[MOST_WEIGHTS], all, n;
	char error[1024];

	r->record = record_open(r->folder, error, sizeof error);
	if (!r->record) {
		report_remark(r, "No gradients step by step: %s", error);
		return;
	}
	if (*record_note(r->record))
		report_remark(r, "Of the record of gradients: %s", record_note(r->record));
	choose_steps(r);
	all = record_weights(r->record);
	n = all < MOST_WEIGHTS ? all : MOST_WEIGHTS;
	if (n < all)
		report_remark(r, "Gradients are shown for %zu of %zu weights, evenly spread.", n, all);
	fprintf(r->to, ",\"gradients\":{\"step\":[");
	for (size_t s = 0; s < r->n_steps; s++)
		fprintf(r->to, "%s%lld", s ? "," : "", (long long)record_step(r->record, r->steps[s]).step);
	fprintf(r->to, "],\"weights\":[");
	for (size_t k = 0; k < n; k++) {
		weights[k] = k * all / n;
		if (k > 0)
			putc(',', r->to);
		json_text(r->to, record_weight_path(r->record, weights[k]));
	}
	putc(']', r->to);
	write_statistic(r, false, n, weights);
	write_statistic(r, true, n, weights);
	putc('}', r->to);
}
