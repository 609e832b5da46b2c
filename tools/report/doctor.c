/*
 * doctor: what the doctor says of a run, for its report.
 */
#include "report.h"
#include "doctor/doctor.h"

static void write_member(FILE *to, const char *key, const char *text)
{
	if (text) {
		fprintf(to, ",\"%s\":", key);
		json_text(to, text);
	}
}

static void write_finding(FILE *to, const struct finding *f)
{
	fprintf(to, "{\"severity\":\"%s\"", severity_name(f->severity));
	write_member(to, "sentence", f->sentence);
	write_member(to, "subject", f->subject);
	write_member(to, "place", f->place);
	write_member(to, "remedy", f->remedy);
	write_member(to, "tried", f->tried);
	fprintf(to, ",\"set\":[");
	for (size_t k = 0; k < f->n_set; k++) {
		if (k > 0)
			putc(',', to);
		json_text(to, f->set[k]);
	}
	fprintf(to, "]}");
}

void report_findings(struct report *r)
{
	struct examination how = { .no_remedies = true };
	struct findings found = { 0 };
	char error[1024] = "";
	int status;

	if (!examine(r->folder, &how, &found, &status, error, sizeof error)) {
		report_remark(r, "There is no diagnosis%s%s", *error ? ": " : "", error);
		return;
	}
	fprintf(r->to, ",\"findings\":[");
	for (size_t k = 0; k < found.n; k++) {
		if (k > 0)
			putc(',', r->to);
		write_finding(r->to, &found.of[k]);
	}
	putc(']', r->to);
	write_member(r->to, "looked_at", found.looked_at);
	findings_free(&found);
}
