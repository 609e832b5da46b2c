/*
 * ops: the conformance corpus under Criterion, one op at a time, so that an op that crashes fails
 * alone. Without the corpus, the cases copied to tests/conformance/corpus.
 */
#include "runner.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>
#include <string.h>

/* Cases known to fail, with the reason. A case listed here that passes is a failure too, so the
 * list can only shrink. */
static const struct gap {
	const char *which, *reason;
} gaps[] = {
	{ NULL, NULL },
};

struct parameter {
	char op[64];
};

static const char *reason_of(const char *which)
{
	for (const struct gap *gap = gaps; gap->which; gap++)
		if (strcmp(gap->which, which) == 0)
			return gap->reason;
	return NULL;
}

/* The folder whose cases are run: the corpus, else the subset. */
static char **cases_here(const char **folder, size_t *n, struct sentence *why)
{
	char **which = corpus_cases(*folder = corpus_folder(), n, why);

	return which ? which : corpus_cases(*folder = SUBSET, n, why);
}

static bool is_of(const char *which, const char *op)
{
	size_t n = strlen(op);

	return strncmp(which, op, n) == 0 && which[n] == '/';
}

static void free_parameters(struct criterion_test_params *params)
{
	cr_free(params->params);
}

ParameterizedTestParameters(conformance, op)
{
	const char *folder;
	struct sentence why;
	size_t n_cases, n = 0;
	char **which = cases_here(&folder, &n_cases, &why);
	struct parameter *ops = cr_malloc((n_cases + 1) * sizeof *ops);

	for (size_t k = 0; which && k < n_cases; k++) {
		size_t length = strcspn(which[k], "/");

		if ((n > 0 && is_of(which[k], ops[n - 1].op)) || length >= sizeof ops->op)
			continue;
		memset(&ops[n], 0, sizeof ops[n]);
		memcpy(ops[n++].op, which[k], length);
	}
	if (which)
		corpus_free(which, n_cases);
	return cr_make_param_array(struct parameter, ops, n, free_parameters);
}

ParameterizedTest(const struct parameter *parameter, conformance, op, .timeout = 120)
{
	const char *folder;
	struct sentence why;
	size_t n_cases;
	char **which = cases_here(&folder, &n_cases, &why);

	cr_assert(which != NULL, "%s", why.text);
	for (size_t k = 0; k < n_cases; k++) {
		static struct outcome o[2];
		const char *reason = reason_of(which[k]);

		if (!is_of(which[k], parameter->op))
			continue;
		/* as it runs, and node by node: nothing fused, shared or replayed */
		for (int apart = 0; apart < 2; apart++) {
			setenv("AUTOGRAD_PLAN", apart ? "off" : "on", 1);
			for (int f64 = 0; f64 < 2; f64++)
				run_case(folder, which[k], f64, &o[f64]);
			/* `make conformance` counts what is not there yet */
			if (o[0].missing)
				continue;
			if (reason)
				cr_expect(!o[0].passed || !o[1].passed,
				          "%s passes: take it off the known gaps (%s)", which[k], reason);
			else
				cr_expect(o[0].passed && o[1].passed, "%s%s%s", apart ? "node by node: " : "",
				          o[0].text, o[1].text);
		}
	}
	corpus_free(which, n_cases);
}

Test(conformance, corpus_is_there)
{
	const char *folder = corpus_folder();
	struct sentence why;
	size_t n_cases;
	char **which = corpus_cases(folder, &n_cases, &why);

	if (!which && getenv("AUTOGRAD_REQUIRE_CORPUS"))
		cr_assert(false, "%s; AUTOGRAD_REQUIRE_CORPUS demands it", why.text);
	else if (!which)
		cr_skip_test("%s; the cases in " SUBSET " were run instead", why.text);
	if (which)
		corpus_free(which, n_cases);
}

Test(conformance, known_gaps_exist)
{
	const char *folder;
	struct sentence why;
	size_t n_cases;
	char **which = corpus_cases(folder = corpus_folder(), &n_cases, &why);

	for (const struct gap *gap = gaps; which && gap->which; gap++) {
		bool found = false;

		for (size_t k = 0; k < n_cases; k++)
			found |= strcmp(which[k], gap->which) == 0;
		cr_expect(found, "%s: there is no such case in %s", gap->which, folder);
	}
	if (which)
		corpus_free(which, n_cases);
}
