/*
 * doctor: `autograd doctor`: measures, judges, tries the remedies, and says it.
 */
#include "checks.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TRIES = 8 }; /* remedies that are tried in one examination */

#define MUCH_BETTER 0.8 /* of the loss with a remedy before: more is no reason to prefer it */
#define WORSE 1.05      /* times the loss after as many steps without the remedy: more is no help */

const char *severity_name(enum severity s)
{
	static const char *const names[] = { "hint", "warning", "error" };

	return names[s];
}

void findings_free(struct findings *f)
{
	for (size_t k = 0; k < f->n; k++)
		finding_free(&f->of[k]);
	free(f->of);
	free(f->looked_at);
	*f = (struct findings){ 0 };
}

/* ---- remedies -------------------------------------------------------------------------------- */

static const struct check *check_of(const struct finding *f, size_t *row)
{
	for (*row = 0; checks[*row].name; ++*row)
		if (strcmp(checks[*row].name, f->check) == 0)
			return &checks[*row];
	return NULL;
}

static bool finds(const struct check *c, const struct record *r)
{
	struct suspicions s = { 0 };
	bool found;

	c->find(r, &s);
	found = s.n > 0 || s.failed;
	suspicions_free(&s);
	return found;
}

/* What the steps leave of the loss; as a part of the first one, where a remedy changes what it
 * counts in. */
static double loss_after(const struct record *r, bool relative)
{
	return relative && r->first != 0 ? r->after / fabs(r->first) : r->after;
}

static bool is_no_worse(const struct record *now, const struct record *was, bool relative)
{
	double before = loss_after(was, relative), after = loss_after(now, relative);

	double first = now->now.taken ? fmax(now->first, now->now.loss) : now->first;

	if (now->offender.found ||
	    (now->steps > 0 && now->after > first + (WORSE - 1) * fabs(first)))
		return false;
	if (was->steps == 0 || was->offender.found || now->steps == 0)
		return true;
	return after <= before + (WORSE - 1) * fabs(before);
}

/* Opens the file with the changes and measures again; what it shows, if it helps, in tried, and the
 * loss after the steps. */
static bool try(const char *path, const struct texts *given, const struct check *c,
                const struct finding *f, const struct remedy *remedy, bool relative,
                const struct record *was, double *loss, char *tried, size_t n)
{
	struct texts set = { .v = calloc((given ? given->n : 0) + remedy->n + 1, sizeof *set.v) };
	struct record now = { 0 };
	char error[1024];
	bool helps = false;
	ad_model *m;
	int status;

	if (!set.v)
		return false;
	for (size_t k = 0; given && k < given->n; k++)
		set.v[set.n++] = given->v[k];
	for (size_t k = 0; k < remedy->n; k++)
		set.v[set.n++] = remedy->set[k];
	m = open_changed(path, &set);
	tried[0] = '\0';
	if (m && record_take(&now, m, false, was->tested, &status, error, sizeof error)) {
		helps = !finds(c, &now) && is_no_worse(&now, was, relative);
		*loss = loss_after(&now, relative);
		if (helps)
			c->now(&now, f, tried, n);
	}
	record_free(&now);
	ad_model_close(m);
	free(set.v);
	return helps && *tried;
}

static char *copy(const char *text, bool *good)
{
	char *copied = strdup(text);

	*good = *good && copied;
	return copied;
}

/* Makes a remedy that of the finding. */
static bool settle(struct finding *f, const struct remedy *r, const char *tried)
{
	bool good = true;

	free(f->remedy);
	for (size_t k = 0; k < f->n_set; k++)
		free(f->set[k]);
	free(f->set);
	free(f->tried);
	f->n_set = 0;
	f->tried = NULL;
	f->remedy = copy(r->what, &good);
	f->set = calloc(r->n, sizeof(char *));
	for (size_t k = 0; f->set && k < r->n; k++)
		f->set[f->n_set++] = copy(r->set[k], &good);
	if (tried)
		f->tried = copy(tried, &good);
	return good && f->set;
}

/* A remedy that was not seen to help. tried: it was looked whether it does. */
static bool propose(struct finding *f, const struct remedy *r, bool tried)
{
	struct remedy said = *r;
	char what[256];

	snprintf(what, sizeof what, "%s%s", r->what,
	         tried ? "; a few steps with it did not show that it helps" : "");
	said.what = what;
	return settle(f, &said, NULL);
}

/* Tries what each finding proposes, worst first. The first that helps is taken, or a later one
 * after which the loss is much smaller. Where none does the words of advice are left, or if there
 * are none the first, as one that was not seen to help. */
static bool try_all(const char *path, const struct texts *set, struct suspicions *all,
                    const struct record *was)
{
	int left = MOST_TRIES;
	bool good = true;

	for (size_t k = 0; good && k < all->n; k++) {
		struct suspicion *s = &all->of[k];
		size_t row;
		const struct check *c = check_of(&s->finding, &row);
		bool shows = s->n_remedies > 0 && finds(c, was);
		double best = INFINITY, loss = INFINITY;
		char tried[1024];

		for (size_t i = 0; shows && i < s->n_remedies && left > 0 && good; i++, left--)
			if (try(path, set, c, &s->finding, &s->remedies[i], c->relative, was, &loss,
			        tried, sizeof tried) &&
			    loss < MUCH_BETTER * best) {
				good = settle(&s->finding, &s->remedies[i], tried);
				best = loss;
			}
		if (good && s->n_remedies > 0 && !s->finding.remedy)
			good = propose(&s->finding, &s->remedies[0], shows);
	}
	return good;
}

/* What is left over may come from the same cause as a finding whose remedy helps: then that one
 * makes it go. */
static bool try_others(const char *path, const struct texts *set, struct suspicions *all,
                       const struct record *was)
{
	int left = MOST_TRIES;
	bool good = true, *own = calloc(all->n + 1, sizeof *own);

	for (size_t k = 0; own && k < all->n; k++)
		own[k] = all->of[k].finding.tried != NULL;
	for (size_t k = 0; own && k < all->n; k++) {
		struct suspicion *s = &all->of[k];
		size_t row;
		const struct check *c = check_of(&s->finding, &row);
		char tried[1024], what[160];
		double loss;

		if (own[k] || !finds(c, was))
			continue;
		for (size_t i = 0; i < all->n && left > 0 && good && !s->finding.tried; i++) {
			const struct finding *other = &all->of[i].finding;
			struct remedy remedy = { .n = other->n_set };

			if (!own[i] || other->n_set > MOST_SETS ||
			    strcmp(other->check, c->name) == 0)
				continue;
			memcpy(remedy.set, other->set, other->n_set * sizeof(char *));
			snprintf(what, sizeof what, "the remedy for %s, with which this goes away",
			         other->check);
			remedy.what = what;
			left--;
			if (try(path, set, c, &s->finding, &remedy,
			        c->relative || check_of(other, &row)->relative, was, &loss, tried,
			        sizeof tried))
				good = settle(&s->finding, &remedy, tried);
		}
	}
	good = good && own;
	free(own);
	return good;
}

/* What the remedies of a run are compared with: the same steps without them, from the first
 * weights. */
static bool try_run(const char *path, struct suspicions *all, const struct record *r)
{
	const struct texts none = { 0 };
	struct record was = { 0 };
	char error[1024];
	bool wanted = false, good = true;
	ad_model *m;
	int status;

	for (size_t k = 0; k < all->n; k++)
		wanted = wanted || all->of[k].n_remedies > 0;
	if (!wanted)
		return true;
	m = open_changed(path, &none);
	if (m && record_take(&was, m, false, r->tested, &status, error, sizeof error))
		good = try_all(path, NULL, all, &was) && try_others(path, NULL, all, &was);
	record_free(&was);
	ad_model_close(m);
	return good;
}

/* ---- the examination ------------------------------------------------------------------------- */

static int worst_first(const void *a, const void *b)
{
	const struct finding *x = &((const struct suspicion *)a)->finding;
	const struct finding *y = &((const struct suspicion *)b)->finding;
	size_t i, j;

	if (x->severity != y->severity)
		return x->severity < y->severity ? 1 : -1;
	check_of(x, &i);
	check_of(y, &j);
	if (i != j)
		return i < j ? -1 : 1;
	return (x->weight < y->weight) - (x->weight > y->weight);
}

static void say_count(FILE *to, size_t n, const char *what, const char *many)
{
	char count[32];

	fprintf(to, "%s%s %s", ftell(to) > 0 ? ", " : "", print_thousands(count, n),
	        n == 1 ? what : many);
}

static char *say_looked_at(const struct record *r)
{
	const struct probe *p = &r->probe;
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		return NULL;
	if (p->data)
		say_count(to, p->data->n, "sample", "samples");
	for (size_t k = 0; k < r->n_inputs; k++)
		fprintf(to, "%s'%s'",
		        k == 0                ? " of "
		        : k + 1 < r->n_inputs ? ", "
		                              : " and ",
		        r->inputs[k].input->name);
	if (r->n_weights > 0)
		say_count(to, r->n_weights, "weight", "weights");
	if (r->now.n_layers > 0)
		say_count(to, r->now.n_layers, "layer", "layers");
	if (r->now.n_activations > 0)
		say_count(to, r->now.n_activations, "activation", "activations");
	fprintf(to, "%svalues and gradients of %" PRId64 " batch%s", ftell(to) > 0 ? ", " : "",
	        r->batches, r->batches == 1 ? "" : "es");
	if (p->data)
		fprintf(to, " of %zu", p->batch);
	if (r->steps > 0)
		say_count(to, (size_t)r->steps, "step", "steps");
	if (r->tested && r->rates.n > 0)
		fprintf(to, ", %zu learning rates from %.2g to %.2g", r->rates.n,
		        r->rates.points[0].lr, r->rates.points[r->rates.n - 1].lr);
	if (r->cannot_train)
		fprintf(to, "; no steps, as %s", r->cannot_train);
	if (fclose(to) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* Judges a record, tries remedies, hands the findings over. */
static bool judge(const char *path, const struct examination *how, const struct record *r,
                  struct findings *to)
{
	struct suspicions all = { 0 };
	bool good;

	for (const struct check *c = checks; c->name; c++)
		c->find(r, &all);
	good = !all.failed;
	if (good && all.n > 0) {
		qsort(all.of, all.n, sizeof *all.of, worst_first);
		if (!how->no_remedies)
			good = r->trained ? try_run(path, &all, r)
			                  : try_all(path, how->set, &all, r) &&
			                        try_others(path, how->set, &all, r);
	}
	to->of = calloc(all.n + 1, sizeof *to->of);
	to->looked_at = say_looked_at(r);
	good = good && to->of && to->looked_at;
	for (size_t k = 0; good && k < all.n; k++) {
		to->of[to->n++] = all.of[k].finding;
		all.of[k].finding = (struct finding){ 0 };
	}
	suspicions_free(&all);
	return good;
}

/* The same with the test of rates, which is the caller's. */
static bool examine_with(const char *path, const struct examination *how, struct findings *to,
                         struct rate_test *rates, int *status, char *error, size_t n)
{
	struct record r = { 0 };
	ad_model *m;
	bool good;

	*to = (struct findings){ 0 };
	error[0] = '\0';
	m = open_either("doctor", path, how->set, status);
	if (!m)
		return false;
	good = record_take(&r, m, is_folder(path), true, status, error, n);
	if (good && !judge(path, how, &r, to)) {
		findings_free(to);
		snprintf(error, n, "out of memory");
		*status = EXIT_FAILED;
		good = false;
	}
	if (good && rates) {
		*rates = r.rates;
		r.rates = (struct rate_test){ 0 };
	}
	record_free(&r);
	ad_model_close(m);
	if (good)
		*status = EXIT_DONE;
	return good;
}

bool examine(const char *path, const struct examination *how, struct findings *to, int *status,
             char *error, size_t n)
{
	return examine_with(path, how, to, NULL, status, error, n);
}

/* ---- the command ----------------------------------------------------------------------------- */

struct doctor_options {
	int format;
	bool strict, quick, plain;
	struct texts set;
};

static const struct option options[] = {
	{ "set", 0, OPTION_TEXTS, "KEY=VALUE", NULL, false, offsetof(struct doctor_options, set),
	  "replaces a value of the file, in its own grammar; may be repeated" },
	{ "format", 0, OPTION_CHOICE, "text json", NULL, false,
	  offsetof(struct doctor_options, format),
	  "json: {\"findings\": [{\"check\": .., \"severity\": .., \"sentence\": .., \"numbers\": "
	  "{..}, ..}], \"looked_at\": ..}" },
	{ "quick", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct doctor_options, quick),
	  "tries no remedies" },
	{ "strict", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct doctor_options, strict),
	  "exit status 1 where there are errors or warnings" },
	{ "plain", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct doctor_options, plain),
	  "ASCII only" },
	LIMIT_OPTIONS,
	{ 0 },
};

static void print_paragraph(const char *label, const char *text, int width)
{
	int indent = printf("%s", label);

	print_wrapped(stdout, text, indent, indent, width);
}

/* An override as an argument of a shell. */
static void print_set(const char *set)
{
	bool plain = !set[strcspn(set, " {}[]'\"*?$&|<>()#;!\\~`")];

	printf(" --set ");
	if (plain)
		fputs(set, stdout);
	for (const char *s = set; !plain && *s; s++) {
		if (s == set)
			putchar('\'');
		if (*s == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*s);
		if (!s[1])
			putchar('\'');
	}
}

static void print_finding(size_t k, const struct finding *f, int width)
{
	printf("\n%zu. %s: %s", k + 1, severity_name(f->severity), f->check);
	if (f->place)
		printf("  %s", f->place);
	putchar('\n');
	print_paragraph("   ", f->sentence, width);
	if (f->remedy)
		print_paragraph("   try: ", f->remedy, width);
	if (f->n_set > 0) {
		printf("       ");
		for (size_t i = 0; i < f->n_set; i++)
			print_set(f->set[i]);
		putchar('\n');
	}
	if (f->tried) {
		char *text;

		if (asprintf(&text, "now %s", f->tried) >= 0) {
			print_paragraph("   tried: ", text, width);
			free(text);
		}
	}
}

static void print_text(const char *path, const struct findings *f, const struct rate_test *rates,
                       bool plain)
{
	int width = terminal_width(stdout, 100);
	bool about_rate = false;

	width = width < 100 ? width : 100;
	if (f->n == 0)
		printf("%s: nothing found\n", path);
	else
		printf("%s: %zu finding%s\n", path, f->n, f->n > 1 ? "s" : "");
	for (size_t k = 0; k < f->n; k++) {
		print_finding(k, &f->of[k], width);
		about_rate = about_rate || strncmp(f->of[k].check, "learning-rate", 13) == 0;
	}
	if (about_rate && rates->n > 2) {
		putchar('\n');
		rate_test_print(rates, width, plain, stdout);
	}
	if (f->n > 0)
		putchar('\n');
	print_paragraph("looked at: ", f->looked_at, width);
}

static void json_member(const char *name, const char *text)
{
	printf(",\n   \"%s\": ", name);
	if (text)
		json_text(stdout, text);
	else
		printf("null");
}

static void print_json(const char *path, const struct findings *f)
{
	printf("{\"file\": ");
	json_text(stdout, path);
	printf(",\n \"findings\": [");
	for (size_t k = 0; k < f->n; k++) {
		const struct finding *x = &f->of[k];

		printf("%s\n  {\"check\": \"%s\"", k ? "," : "", x->check);
		json_member("severity", severity_name(x->severity));
		json_member("sentence", x->sentence);
		json_member("subject", x->subject);
		json_member("place", x->place);
		json_member("file", x->file);
		printf(",\n   \"line\": ");
		printf(x->line > 0 ? "%d" : "null", x->line);
		printf(",\n   \"column\": ");
		printf(x->line > 0 ? "%d" : "null", x->column);
		json_member("remedy", x->remedy);
		printf(",\n   \"set\": [");
		for (size_t i = 0; i < x->n_set; i++) {
			fputs(i ? ", " : "", stdout);
			json_text(stdout, x->set[i]);
		}
		putchar(']');
		json_member("tried", x->tried);
		printf(",\n   \"numbers\": {");
		for (size_t i = 0; i < x->n_numbers; i++) {
			printf("%s\"%s\": ", i ? ", " : "", x->numbers[i].name);
			json_real(stdout, x->numbers[i].value);
		}
		printf("}}");
	}
	printf("],\n \"looked_at\": ");
	json_text(stdout, f->looked_at);
	printf("}\n");
}

static int run(const void *given, int n, const char *const args[])
{
	const struct doctor_options *o = given;
	const struct examination how = { .set = &o->set, .no_remedies = o->quick };
	struct rate_test rates = { 0 };
	struct findings f;
	char error[1024];
	int status;

	(void)n;
	if (!examine_with(args[0], &how, &f, &rates, &status, error, sizeof error)) {
		if (*error)
			status = status == EXIT_USAGE ? misused("doctor", "%s: %s", args[0], error)
			                              : failed("doctor", "%s: %s", args[0], error);
		return status;
	}
	if (o->format == 1)
		print_json(args[0], &f);
	else
		print_text(args[0], &f, &rates, o->plain);
	for (size_t k = 0; o->strict && k < f.n; k++)
		if (f.of[k].severity > SEVERITY_HINT)
			status = EXIT_FAILED;
	findings_free(&f);
	rate_test_free(&rates);
	return status;
}

const struct command command_doctor = {
	.name = "doctor",
	.arguments = "FILE|RUN",
	.least = 1,
	.most = 1,
	.doc = "says in sentences what is wrong with a training, and what helps",
	.details = "Looks at the data, at values and gradients of a few batches and at the first "
		   "steps, of a run at its trained weights, and says what hurts, worst first, each "
		   "with its numbers, its place and what to try. A remedy with 'tried:' was "
		   "applied in memory and measured: the finding was gone, and the loss no worse. "
		   "Nothing is written. Exit status 0 whatever is found, unless --strict.",
	.options = options,
	.options_size = sizeof(struct doctor_options),
	.run = run,
};
