/*
 * gradcheck: compares the gradients of a model with differences of its loss, and says where they
 * differ.
 */
#include "gradcheck.h"
#include "command.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct gradcheck_options {
	bool all;
	int format;
	int64_t seed;
	struct texts set;
};

static const struct option options[] = {
	{ "all", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct gradcheck_options, all),
	  "checks every element of every param, not 200 of each" },
	{ "seed", 0, OPTION_WHOLE, "N", "0", false, offsetof(struct gradcheck_options, seed),
	  "chooses the elements and the direction; default 0" },
	{ "set", 0, OPTION_TEXTS, "KEY=VALUE", NULL, false, offsetof(struct gradcheck_options, set),
	  "replaces a value of the file, in its own grammar; may be repeated" },
	{ "format", 0, OPTION_CHOICE, "text json", NULL, false,
	  offsetof(struct gradcheck_options, format),
	  "json: one object with ok and params, each with all its numbers" },
	LIMIT_OPTIONS,
	{ 0 },
};

static void print_row(const struct gradcheck_row *r, int width)
{
	printf("%-6s %-*s  %zu of %zu", r->ok ? "ok" : "WRONG", width, r->path, r->checked,
	       r->count);
	if (r->checked > 0)
		printf("  error %.1e of %.1e allowed", r->error, r->tolerance);
	if (r->kinks > 0)
		printf("  %zu at a kink left out", r->kinks);
	if (!r->ok && r->checked > 0)
		printf("\n       %-*s  element %zu: analytic %.9g, numeric %.9g", width, "",
		       r->worst, r->analytic, r->numeric);
	printf("\n");
}

static void print_text(const struct gradcheck *g)
{
	int width = 0, wrong = 0;

	for (int k = 0; k < g->n; k++) {
		int length = (int)strlen(g->rows[k].path);

		width = length > width ? length : width;
		wrong += !g->rows[k].ok;
	}
	for (int k = 0; k < g->n; k++)
		print_row(&g->rows[k], width);
	if (g->ok)
		printf("the gradients agree\n");
	else
		printf("the gradients are WRONG in %d of %d\n", wrong, g->n);
}

static void print_json(const struct gradcheck *g)
{
	printf("{\"ok\":%s,\"params\":[", g->ok ? "true" : "false");
	for (int k = 0; k < g->n; k++) {
		const struct gradcheck_row *r = &g->rows[k];

		printf("%s{\"path\":", k ? "," : "");
		json_text(stdout, r->path);
		printf(",\"ok\":%s,\"count\":%zu,\"checked\":%zu,\"kinks\":%zu,\"error\":",
		       r->ok ? "true" : "false", r->count, r->checked, r->kinks);
		json_real(stdout, r->error);
		printf(",\"tolerance\":");
		json_real(stdout, r->tolerance);
		printf(",\"worst\":%zu,\"analytic\":", r->worst);
		json_real(stdout, r->analytic);
		printf(",\"numeric\":");
		json_real(stdout, r->numeric);
		printf("}");
	}
	printf("]}\n");
}

static int check(ad_model *m, const struct gradcheck_options *o)
{
	struct gradcheck g;
	char error[1024];
	int status;

	if (!gradcheck_run(m, o->all, (uint64_t)o->seed, &g, error, sizeof error)) {
		failed("gradcheck", "%s", error);
		return g.refused ? EXIT_USAGE : EXIT_FAILED;
	}
	if (o->format == 1)
		print_json(&g);
	else
		print_text(&g);
	status = g.ok ? EXIT_DONE : EXIT_FAILED;
	gradcheck_free(&g);
	return status;
}

static int run(const void *given, int n, const char *const args[])
{
	const struct gradcheck_options *o = given;
	struct texts set = { .v = calloc(o->set.n + 1, sizeof *set.v) };
	ad_model *m;
	int status;

	if (!set.v)
		return failed("gradcheck", "out of memory");
	for (size_t k = 0; k < o->set.n; k++)
		set.v[set.n++] = o->set.v[k];
	/* differences of f32 numbers say too little */
	set.v[set.n++] = "train.precision=f64";
	m = open_file("gradcheck", args[0], &set, &status);
	if (m) {
		status = check(m, o);
		ad_model_close(m);
	}
	free(set.v);
	return status;
}

const struct command command_gradcheck = {
	.name = "gradcheck",
	.arguments = "FILE",
	.least = 1,
	.most = 1,
	.doc = "compares a model's gradients with differences of its loss",
	.details =
	    "Central differences in f64 with a step of 1e-6, on the first batch of data.train, or "
	    "on "
	    "random inputs without data: 200 elements of each param chosen by --seed, and one "
	    "direction through all. A param passes where the largest error is at most 1e-5 times "
	    "its largest numeric derivative, plus 1e-8. Elements at a kink (relu at 0) are counted "
	    "and left out; dropout masks do not change. Exit status 1 if a gradient is wrong.",
	.options = options,
	.options_size = sizeof(struct gradcheck_options),
	.run = run,
};
