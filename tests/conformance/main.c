/*
 * main: `make conformance`: every case of the corpus in f64 and f32, as a table.
 *
 *   conformance [OP | OP/CASE]...     those alone
 *
 * A line for each array that is wrong, then op, cases, passed (in both types), worst relative
 * difference in f64 and f32, and the sum. Exits 1 unless all passed, 2 if the corpus named by
 * AUTOGRAD_CORPUS is not there.
 */
#include "runner.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct row {
	char op[64];
	size_t cases, passed;
	double worst[2]; /* f64, f32 */
	bool missing;
};

static bool is_asked(const char *which, int n, char *const asked[])
{
	size_t length = strcspn(which, "/");

	for (int k = 0; k < n; k++)
		if (strcmp(asked[k], which) == 0 ||
		    (strlen(asked[k]) == length && strncmp(asked[k], which, length) == 0))
			return true;
	return n == 0;
}

static void print_row(const struct row *row)
{
	if (row->missing)
		printf("%-24s %5zu %6zu   missing op\n", row->op, row->cases, row->passed);
	else
		printf("%-24s %5zu %6zu %11.2g %11.2g%s\n", row->op, row->cases, row->passed,
		       row->worst[0], row->worst[1], row->passed < row->cases ? "   FAILED" : "");
}

static bool run_both(const char *corpus, const char *which, struct row *row)
{
	static struct outcome o;
	bool passed = true;

	for (int k = 0; k < 2; k++) {
		run_case(corpus, which, k == 0, &o);
		passed &= o.passed;
		row->missing |= o.missing;
		if (o.worst > row->worst[k])
			row->worst[k] = o.worst;
		if (!o.missing)
			fputs(o.text, stdout);
		fflush(stdout);
	}
	return passed;
}

int main(int n, char *arguments[])
{
	const char *corpus = corpus_folder();
	struct sentence why;
	size_t n_cases, n_rows = 0, cases = 0, passed = 0;
	char **which = corpus_cases(corpus, &n_cases, &why);
	static struct row rows[1024];

	if (!which && !getenv("AUTOGRAD_CORPUS")) {
		fprintf(stderr, "conformance: %s; the cases in " SUBSET " are run instead\n", why.text);
		which = corpus_cases(corpus = SUBSET, &n_cases, &why);
	}
	if (!which) {
		fprintf(stderr, "conformance: %s; set AUTOGRAD_CORPUS to the corpus's folder\n",
		        why.text);
		return 2;
	}
	for (size_t k = 0; k < n_cases; k++) {
		size_t length = strcspn(which[k], "/");
		struct row *row = &rows[n_rows ? n_rows - 1 : 0];

		if (!is_asked(which[k], n - 1, arguments + 1))
			continue;
		if (n_rows == 0 || strlen(row->op) != length ||
		    strncmp(row->op, which[k], length) != 0) {
			if (n_rows == sizeof rows / sizeof *rows || length >= sizeof row->op) {
				fprintf(stderr, "conformance: too many ops, or a name too long\n");
				return 2;
			}
			row = &rows[n_rows++];
			memcpy(row->op, which[k], length);
		}
		row->cases++;
		row->passed += run_both(corpus, which[k], row);
	}
	corpus_free(which, n_cases);
	printf("%-24s %5s %6s %11s %11s\n", "op", "cases", "passed", "worst f64", "worst f32");
	for (size_t k = 0; k < n_rows; k++) {
		print_row(&rows[k]);
		cases += rows[k].cases;
		passed += rows[k].passed;
	}
	printf("%zu/%zu\n", passed, cases);
	return passed == cases ? 0 : 1;
}
