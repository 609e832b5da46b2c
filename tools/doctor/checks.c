/*
 * checks: what is judged to be wrong, worst first. A threshold is where the models of
 * configs/ that learn stay well below, and what is known to hurt lies above.
 */
#include "checks.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define VANISHING 1e-3 /* of the gradient at the output; the classes of the diagrams */
#define EXPLODING 100
#define ENOUGH 64     /* samples, to say of a unit that it is never active */
#define DEAD 0.4      /* share of the units of a layer */
#define SATURATED 0.5 /* share of the values */
#define SURE 6        /* times the loss of chance, at the start */
#define COME_FAR 0.5  /* of the first loss, at the end of a training */
#define LEARNT 0.97   /* of the loss of chance, at the end of a training: more is nothing learnt */
#define LARGE_UPDATE 0.2 /* of a weight in one step */
#define SMALL_UPDATE 1e-6
#define RATE_APART 10  /* times the rate, where the loss falls fastest */
#define CLEAR_FALL 1.5 /* times the noise of a loss; less is no ground to judge by */
#define FALL_PART 0.2  /* of the fall that the test of rates finds */
#define GROWN 1.5      /* times the loss at the start, after the steps */
#define HIGH 3        /* times that, on the way, where the rate is one at which the test diverges */
#define LARGE_INPUT 5 /* root mean square of an input's numbers */
#define SMALL_INPUT 0.01
#define LARGE_TARGET 20 /* the same of a target, and over that of the outputs */
#define UNEVEN 100      /* widest over narrowest of a few columns */
#define FEW_COLUMNS 32
#define IMBALANCE 10 /* samples of the largest class over those of the smallest */

/* ---- findings -------------------------------------------------------------------------------- */

void finding_free(struct finding *f)
{
	free(f->sentence);
	free(f->subject);
	free(f->place);
	free(f->file);
	free(f->remedy);
	for (size_t k = 0; k < f->n_set; k++)
		free(f->set[k]);
	free(f->set);
	free(f->tried);
	*f = (struct finding){ 0 };
}

void suspicions_free(struct suspicions *s)
{
	for (size_t k = 0; k < s->n; k++) {
		for (size_t i = 0; i < s->of[k].n_remedies; i++) {
			struct remedy *r = &s->of[k].remedies[i];

			free(r->what);
			for (size_t j = 0; j < r->n; j++)
				free(r->set[j]);
		}
		finding_free(&s->of[k].finding);
	}
	free(s->of);
	*s = (struct suspicions){ 0 };
}

static char *copy(struct suspicions *to, const char *text)
{
	char *copied = text ? strdup(text) : NULL;

	to->failed |= text && !copied;
	return copied;
}

/* Takes "net.yaml:14:5" apart. */
static void set_place(struct suspicions *to, struct finding *f, const char *place)
{
	size_t length = place ? strlen(place) : 0, colons = 0;
	char *end;

	f->place = copy(to, place);
	while (length > 0 && colons < 2) {
		length--;
		if (place[length] == ':')
			colons++;
		else if (place[length] < '0' || place[length] > '9')
			break;
	}
	if (colons < 2 || length == 0)
		return;
	f->line = (int)strtol(place + length + 1, &end, 10);
	f->column = (int)strtol(end + 1, NULL, 10);
	f->file = strndup(place, length);
	to->failed |= !f->file;
}

/* A finding without remedies; NULL without memory. */
static struct suspicion *suspect(struct suspicions *to, const char *check, enum severity severity,
                                 double weight, const char *subject, const char *place,
                                 const char *format, ...) __attribute__((format(printf, 7, 8)));

static struct suspicion *suspect(struct suspicions *to, const char *check, enum severity severity,
                                 double weight, const char *subject, const char *place,
                                 const char *format, ...)
{
	struct suspicion *more = realloc(to->of, (to->n + 1) * sizeof *more);
	struct finding *f;
	va_list args;

	if (!more) {
		to->failed = true;
		return NULL;
	}
	to->of = more;
	more += to->n++;
	*more = (struct suspicion){ .finding = {
					.check = check, .severity = severity, .weight = weight } };
	f = &more->finding;
	f->subject = copy(to, subject);
	set_place(to, f, place);
	va_start(args, format);
	if (vasprintf(&f->sentence, format, args) < 0) {
		f->sentence = NULL;
		to->failed = true;
	}
	va_end(args);
	return more;
}

static void number(struct suspicion *s, const char *name, double value)
{
	if (s && s->finding.n_numbers < MOST_NUMBERS)
		s->finding.numbers[s->finding.n_numbers++] = (struct finding_number){ name, value };
}

/* What to try where it is no change of a value. */
static void advise(struct suspicions *to, struct suspicion *s, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void advise(struct suspicions *to, struct suspicion *s, const char *format, ...)
{
	va_list args;

	if (!s || s->finding.remedy)
		return;
	va_start(args, format);
	if (vasprintf(&s->finding.remedy, format, args) < 0) {
		s->finding.remedy = NULL;
		to->failed = true;
	}
	va_end(args);
}

/* Adds a remedy of n overrides, which it takes; if one of them is NULL, none. */
static void propose(struct suspicions *to, struct suspicion *s, const char *what, size_t n,
                    char *const set[])
{
	bool whole = s && s->n_remedies < MOST_REMEDIES && n > 0 && n <= MOST_SETS;
	struct remedy *r;

	for (size_t k = 0; k < n; k++)
		whole = whole && set[k];
	if (!whole) {
		for (size_t k = 0; k < n; k++)
			free(set[k]);
		return;
	}
	r = &s->remedies[s->n_remedies++];
	*r = (struct remedy){ .what = copy(to, what), .n = n };
	for (size_t k = 0; k < n; k++)
		r->set[k] = set[k];
}

/* ---- numbers in words ------------------------------------------------------------------------ */

/* A part of a whole: "1/28,000", "0.31". */
static const char *part(char text[32], double x)
{
	double over = 1 / x, digits = pow(10, floor(log10(over)) - 1);
	char whole[32];

	if (!(x > 0) || over > 1e18)
		snprintf(text, 32, "%.2g", x);
	else if (over < 10)
		snprintf(text, 32, "%.2g", x);
	else
		snprintf(text, 32, "1/%s",
		         print_thousands(whole, (uint64_t)(round(over / digits) * digits)));
	return text;
}

static const char *times(char text[32], double x)
{
	double digits = pow(10, floor(log10(x)) - 1);

	if (x < 100 || x > 1e15)
		snprintf(text, 32, "%.2g", x);
	else
		print_thousands(text, (uint64_t)(round(x / digits) * digits));
	return text;
}

static void percent(char text[32], double share)
{
	double p = 100 * share;

	snprintf(text, 32,
	         p > 99.5 && p < 100 ? "over 99 %%"
	         : p > 0 && p < 0.95 ? "%.1g %%"
	                             : "%.0f %%",
	         p);
}

static const char *path_of(const struct record *r, size_t weight)
{
	return r->weights[weight].weight->path;
}

/* Where a weight's layer is declared. */
static char *place_of(const struct record *r, size_t weight, char *text, size_t n)
{
	return model_place(r->m, r->weights[weight].weight->at, text, n);
}

/* "'a', 'b' and 3 more", of those weights that are marked. */
static size_t list_weights(const struct record *r, const bool marked[], char *text, size_t n)
{
	size_t count = 0, used = 0, all = 0;

	for (size_t k = 0; k < r->n_weights; k++)
		all += marked[k];
	for (size_t k = 0; k < r->n_weights && count < 3; k++) {
		if (!marked[k])
			continue;
		count++;
		if (used < n)
			used += (size_t)snprintf(text + used, n - used, "%s'%s'",
			                         count == 1     ? ""
			                         : count == all ? " and "
			                                        : ", ",
			                         path_of(r, k));
	}
	if (all > count && used < n)
		snprintf(text + used, n - used, " and %zu more", all - count);
	return all;
}

/* What the steps make of the loss. */
static void say_steps(const struct record *r, char *text, size_t n)
{
	if (r->steps > 0)
		snprintf(text, n, "%" PRId64 " steps take the loss from %.3g to %.3g", r->steps,
		         r->first, r->after);
	else
		text[0] = '\0';
}

static double rate_of(const struct record *r)
{
	return r->probe.peak;
}

/* ---- the data -------------------------------------------------------------------------------- */

static const char *place_of_input(const struct record *r, const struct input *in, char *text,
                                  size_t n)
{
	return model_place(r->m, in->at, text, n);
}

static void find_bad_input(const struct record *r, struct suspicions *to)
{
	const struct dataset *d = r->probe.data;

	for (size_t k = 0; k < r->n_inputs; k++) {
		const struct input_state *in = &r->inputs[k];
		char place[4200], source[4200], all[32], bad[32];
		struct suspicion *s;

		if (in->nonfinite == 0)
			continue;
		if (d->path)
			snprintf(source, sizeof source, "%s:%zu", d->path, d->places[in->where]);
		else
			snprintf(source, sizeof source, "sample %zu, counted from 0",
			         d->places[in->where]);
		s = suspect(to, "nonfinite-input", SEVERITY_ERROR, 0, in->input->name,
		            place_of_input(r, in->input, place, sizeof place),
		            "%s of the %s samples of input '%s' hold a NaN or an infinity; the "
		            "first is %s. One of them is enough to make every weight NaN.",
		            print_thousands(bad, in->nonfinite), print_thousands(all, d->n),
		            in->input->name, source);
		number(s, "samples", (double)in->nonfinite);
		advise(to, s,
		       "leave these samples out, or put a number in their place; see what map "
		       "makes of them, too");
	}
}

static void find_constant_input(const struct record *r, struct suspicions *to)
{
	for (size_t k = 0; k < r->n_inputs; k++) {
		const struct input_state *in = &r->inputs[k];
		const char *name = in->input->name;
		char place[4200];
		struct suspicion *s;

		if (!in->real || in->input->target || in->constant == 0 ||
		    in->constant * 4 < in->columns || r->probe.data->n < 2)
			continue;
		place_of_input(r, in->input, place, sizeof place);
		if (in->constant == in->columns)
			s = suspect(to, "constant-input", SEVERITY_ERROR, 1, name, place,
			            "Input '%s' is the same in every sample: nothing can be learnt "
			            "from it.",
			            name);
		else
			s = suspect(to, "constant-input", SEVERITY_HINT,
			            (double)in->constant / (double)in->columns, name, place,
			            "Input '%s' tells less than it seems: %zu of its %zu numbers "
			            "are the same in every sample.",
			            name, in->constant, in->columns);
		number(s, "constant", (double)in->constant);
		number(s, "columns", (double)in->columns);
		advise(to, s,
		       "look whether the columns that the file names are those that are meant");
	}
}

static void find_equal_columns(const struct record *r, struct suspicions *to)
{
	for (size_t k = 0; k < r->n_inputs; k++) {
		const struct input_state *in = &r->inputs[k];
		char place[4200];
		struct suspicion *s;

		if (!in->real || in->input->target || in->equal == 0 || in->input->rank != 2)
			continue;
		s = suspect(to, "equal-columns", SEVERITY_HINT, (double)in->equal, in->input->name,
		            place_of_input(r, in->input, place, sizeof place),
		            "Numbers %zu and %zu of input '%s', counted from 0, are the same in "
		            "every sample%s.",
		            in->same[0], in->same[1], in->input->name,
		            in->equal > 1 ? ", and more such pairs there are" : "");
		number(s, "equal", (double)in->equal);
		advise(to, s, "leave one of them out");
	}
}

static double rms_of(const struct input_state *in)
{
	return sqrt(in->mean * in->mean + in->std * in->std);
}

static bool is_uneven(const struct input_state *in)
{
	return in->columns > 1 && in->columns <= FEW_COLUMNS && in->narrowest > 0 &&
	       in->widest > UNEVEN * in->narrowest;
}

static void find_scale(const struct record *r, struct suspicions *to)
{
	for (size_t k = 0; k < r->n_inputs; k++) {
		const struct input_state *in = &r->inputs[k];
		double rms = rms_of(in);
		char place[4200], *change, apart[32];
		struct suspicion *s;

		if (!in->real || in->input->target || in->columns == 0 ||
		    in->constant == in->columns || in->nonfinite > 0)
			continue;
		if (rms > LARGE_INPUT || (rms > 0 && rms < SMALL_INPUT))
			s = suspect(
			    to, "input-scale", SEVERITY_WARNING, fabs(log(rms)), in->input->name,
			    place_of_input(r, in->input, place, sizeof place),
			    "Input '%s' is not normalised: its numbers run from %.3g to %.3g, with "
			    "mean %.3g and standard deviation %.3g. Initial weights and usual "
			    "learning rates are made for numbers around 0 of size 1.",
			    in->input->name, in->least, in->most, in->mean, in->std);
		else if (is_uneven(in))
			s = suspect(
			    to, "input-scale", SEVERITY_WARNING, log(in->widest / in->narrowest),
			    in->input->name, place_of_input(r, in->input, place, sizeof place),
			    "The columns of input '%s' are of different size: number %zu, counted "
			    "from 0, varies %s times as much as number %zu (standard deviations "
			    "%.3g and %.3g), so one learning rate cannot fit both.",
			    in->input->name, in->widest_at,
			    times(apart, in->widest / in->narrowest), in->narrowest_at, in->widest,
			    in->narrowest);
		else
			continue;
		number(s, "mean", in->mean);
		number(s, "std", in->std);
		number(s, "least", in->least);
		number(s, "most", in->most);
		change = change_map(r->m, in->input->name, "standardize");
		propose(to, s, "each column less its mean, over its standard deviation", 1,
		        &change);
	}
}

static void find_target_scale(const struct record *r, struct suspicions *to)
{
	for (size_t k = 0; k < r->n_inputs; k++) {
		const struct input_state *in = &r->inputs[k];
		double rms = rms_of(in);
		char place[4200], *change;
		struct suspicion *s;

		if (r->trained || !in->real || !in->input->target || !r->now.taken ||
		    rms < LARGE_TARGET || rms < LARGE_TARGET * r->now.outputs)
			continue;
		s = suspect(to, "target-scale", SEVERITY_WARNING, log(rms), in->input->name,
		            place_of_input(r, in->input, place, sizeof place),
		            "Target '%s' is not normalised: its numbers run from %.3g to %.3g, "
		            "with mean %.3g and standard deviation %.3g, while the outputs begin "
		            "with rms %.2g. The loss, %.3g, and its gradients are as large.",
		            in->input->name, in->least, in->most, in->mean, in->std, r->now.outputs,
		            r->now.loss);
		number(s, "mean", in->mean);
		number(s, "std", in->std);
		number(s, "outputs", r->now.outputs);
		number(s, "loss", r->now.loss);
		change = change_map(r->m, in->input->name, "standardize");
		propose(to, s,
		        "targets less their mean, over their standard deviation; the loss then "
		        "counts in these",
		        1, &change);
	}
}

static void now_scale(const struct record *r, const struct finding *was, char *text, size_t n)
{
	char steps[120];

	say_steps(r, steps, sizeof steps);
	for (size_t k = 0; k < r->n_inputs; k++)
		if (was->subject && strcmp(r->inputs[k].input->name, was->subject) == 0)
			snprintf(text, n,
			         "the numbers have mean %.2g and standard deviation %.2g%s%s",
			         fabs(r->inputs[k].mean) < 1e-4 ? 0.0 : r->inputs[k].mean,
			         r->inputs[k].std, *steps ? ", and " : "", steps);
}

static void find_imbalance(const struct record *r, struct suspicions *to)
{
	const struct label_state *l = &r->labels;
	char place[4200], most[32], least[32];
	struct suspicion *s;

	if (!l->input || r->probe.data->n < 2)
		return;
	place_of_input(r, l->input, place, sizeof place);
	if (l->most_share == 1) {
		s = suspect(to, "label-imbalance", SEVERITY_ERROR, 1, l->input->name, place,
		            "All samples have the same label in '%s', %" PRId64
		            ": there is nothing to tell apart.",
		            l->input->name, l->most);
		number(s, "most_share", 1);
		advise(to, s, "look whether the column that the file names is the label");
		return;
	}
	if (l->most_share < IMBALANCE * l->least_share)
		return;
	percent(most, l->most_share);
	percent(least, l->least_share);
	s = suspect(to, "label-imbalance", SEVERITY_WARNING, l->most_share / l->least_share,
	            l->input->name, place,
	            "The labels are out of balance: %s of the samples have '%s' %" PRId64
	            ", %s have %" PRId64 ". A model that always says %" PRId64
	            " is right for %s of them, and gradients speak of little else.",
	            most, l->input->name, l->most, least, l->least, l->most, most);
	number(s, "most_share", l->most_share);
	number(s, "least_share", l->least_share);
	number(s, "classes", (double)l->classes);
	advise(to, s,
	       "weigh the classes in the loss, draw the rare ones more often, and judge by more "
	       "than the accuracy");
}

static bool rate_is_high(const struct record *r)
{
	/* one batch alone may have a small loss */
	double first = r->now.taken && !r->trained ? fmax(r->first, r->now.loss) : r->first;

	if (r->offender.found || r->steps == 0)
		return false;
	return r->after > first + (GROWN - 1) * fabs(first) ||
	       (r->tested && r->rates.end_lr > 0 && r->probe.peak >= r->rates.end_lr &&
	        r->highest > HIGH * fabs(first));
}

/* ---- what is not finite ---------------------------------------------------------------------- */

static void propose_rate(const struct record *r, struct suspicions *to, struct suspicion *s)
{
	double rates[] = { r->rates.suggested, rate_of(r) / 10, rate_of(r) / 100 };

	for (size_t k = 0; k < sizeof rates / sizeof *rates; k++) {
		char what[80], *change;

		if (!(rates[k] > 0) || rates[k] >= rate_of(r))
			continue;
		snprintf(what, sizeof what, "a learning rate of %.2g", rates[k]);
		change = change_rate(r->m, rates[k]);
		propose(to, s, what, 1, &change);
	}
}

static bool bad_data(const struct record *r)
{
	for (size_t k = 0; k < r->n_inputs; k++)
		if (r->inputs[k].nonfinite > 0)
			return true;
	return false;
}

static void find_nonfinite(const struct record *r, struct suspicions *to)
{
	const struct offender *o = &r->offender;
	char when[64], *rate = o->step > 0 ? place_of_rate(r->m) : NULL;
	struct suspicion *s;

	/* what comes in comes out */
	if (!o->found || bad_data(r)) {
		free(rate);
		return;
	}
	if (o->step > 0)
		snprintf(when, sizeof when, "after %" PRId64 " step%s", o->step,
		         o->step > 1 ? "s" : "");
	else
		snprintf(when, sizeof when,
		         r->trained ? "with the weights of the run" : "before the first step");
	s = suspect(
	    to, "nonfinite", SEVERITY_ERROR, 0, NULL, *o->place ? o->place : rate,
	    "%s not finite %s: %s.%s",
	    o->backward ? "The loss is finite, but a gradient is" : "The loss is", when, o->text,
	    o->step > 0 ? " The first steps are fine, so the steps are what leads there." : "");
	number(s, "step", (double)o->step);
	if (o->step > 0) {
		propose_rate(r, to, s);
		advise(to, s, "a smaller learning rate, or clip: {norm: 1} under 'train'");
	} else if (o->leaf) {
		advise(to, s, "weights that are finite, as far as f32 reaches: up to 3.4e38");
	} else {
		advise(to, s,
		       "keep what that op reads away from where it is not finite: a logarithm from "
		       "0, a root's slope from 0, a quotient from 0/0; losses 'with logits' do it "
		       "for their own");
	}
	free(rate);
}

static void now_steps(const struct record *r, const struct finding *was, char *text, size_t n)
{
	(void)was;
	say_steps(r, text, n);
}

/* ---- weights that cannot learn --------------------------------------------------------------- */

static void find_unreached(const struct record *r, struct suspicions *to)
{
	bool *marked = calloc(r->n_weights + 1, sizeof *marked);
	char names[1600], place[4200];
	size_t first = r->n_weights, all;
	struct suspicion *s;

	if (!marked) {
		to->failed = true;
		return;
	}
	for (size_t k = 0; k < r->n_weights; k++) {
		marked[k] = !r->weights[k].reached;
		first = marked[k] && first == r->n_weights ? k : first;
	}
	all = list_weights(r, marked, names, sizeof names);
	if (all > 0) {
		s = suspect(to, "unreached", SEVERITY_ERROR, (double)all, path_of(r, first),
		            place_of(r, first, place, sizeof place),
		            "The loss does not depend on %s: %s gradient is 0 whatever the data, "
		            "and %s never learn%s.",
		            names, all > 1 ? "their" : "its", all > 1 ? "they" : "it",
		            all > 1 ? "" : "s");
		number(s, "weights", (double)all);
		advise(to, s,
		       "use the result in what the loss reads; argmax, comparisons and rounding "
		       "pass no gradient on. Weights that are to stay as they are say so with "
		       "freeze: true");
	}
	free(marked);
}

/* A ReLU that is dead as a whole stops what is before it; that is told on its own. */
static bool all_dead(const struct look *l)
{
	for (size_t k = 0; k < l->n_activations; k++)
		if (l->activations[k].dead == 1)
			return true;
	return false;
}

/* As does an input that is the same in every sample, or 0. */
static bool no_input(const struct record *r)
{
	for (size_t k = 0; k < r->n_inputs; k++)
		if (r->inputs[k].real && !r->inputs[k].input->target && r->inputs[k].columns > 0 &&
		    r->inputs[k].constant == r->inputs[k].columns)
			return true;
	return false;
}

/* What says that a weight's steps are nothing: its own factor; NULL: nothing does. */
static const char *own_factor(const struct record *r, const struct weight *w, char *place, size_t n)
{
	const struct train_group *g = group_of(&r->m->train, w->path);

	if (g && g->lr_scale == 0) {
		model_place(r->m, g->at, place, n);
		return "the group has lr_scale: 0";
	}
	if (w->lr_scale == 0)
		return "the item has lr_scale: 0";
	return NULL;
}

static void find_unmoved(const struct record *r, struct suspicions *to)
{
	bool *marked = calloc(r->n_weights + 1, sizeof *marked);
	char names[1600], place[4200], span[80];
	size_t first = r->n_weights, all;
	const char *why = NULL;
	struct suspicion *s;

	if (!marked) {
		to->failed = true;
		return;
	}
	for (size_t k = 0; k < r->n_weights; k++) {
		const struct weight_state *w = &r->weights[k];

		marked[k] = w->reached && !w->identical && (r->trained || r->steps > 0) &&
		            w->moved <= (r->trained ? 1e-7 * w->rms : 0) && !all_dead(&r->now) &&
		            !all_dead(&r->later) && !no_input(r) && !r->offender.found &&
		            rate_of(r) > 0;
		first = marked[k] && first == r->n_weights ? k : first;
	}
	all = list_weights(r, marked, names, sizeof names);
	if (all > 0) {
		place_of(r, first, place, sizeof place);
		why = own_factor(r, r->weights[first].weight, place, sizeof place);
		if (r->trained)
			snprintf(span, sizeof span, "in the whole training");
		else
			snprintf(span, sizeof span, "in %" PRId64 " steps", r->steps);
		s = suspect(to, "unmoved", SEVERITY_ERROR, (double)all, path_of(r, first), place,
		            "%s %s not moved %s, although the loss depends on %s%s%s.", names,
		            all > 1 ? "have" : "has", span, all > 1 ? "them" : "it",
		            why ? ": " : "", why ? why : "");
		number(s, "weights", (double)all);
		if (why) {
			char *change = change_argument(r->m, place, "lr_scale", "1");

			propose(to, s, "lr_scale: 1", 1, &change);
		}
		advise(to, s,
		       why ? "a factor above 0; weights that are to stay as they are say so with "
		             "freeze: true"
		           : "see what comes between them and the loss: a factor of 0, weights of "
		             "0 behind them, a function that is flat where its input lies; or "
		             "steps that are smaller than the last digit of a weight, for a small "
		             "learning rate");
	}
	free(marked);
}

static void find_identical(const struct record *r, struct suspicions *to)
{
	for (size_t k = 0; k < r->n_weights && r->steps > 0; k++) {
		const struct weight_state *w = &r->weights[k];
		char place[4200], *change, *again;
		struct suspicion *s;

		if (!w->identical || !w->reached || all_dead(&r->now))
			continue;
		s = suspect(to, "identical-units", SEVERITY_ERROR, 0, w->weight->path,
		            place_of(r, k, place, sizeof place),
		            "All units of '%s' begin with the same weights and get the same "
		            "gradient, so after %" PRId64 " steps they still are one unit, %" PRId64
		            " times.",
		            w->weight->path, r->steps, ad_shape_of(w->weight->node).dims[0]);
		number(s, "units", (double)ad_shape_of(w->weight->node).dims[0]);
		change = change_argument(r->m, place, "init", "xavier");
		again = change_argument(r->m, place, "init", "he");
		propose(to, s, "random initial weights, xavier", 1, &change);
		propose(to, s, "random initial weights, he", 1, &again);
		advise(to, s, "random initial weights: init: xavier, or he before relu");
	}
}

/* A run that came far: at the end of a training flat functions and small gradients are no illness.
 */
static bool has_learnt(const struct record *r)
{
	return r->trained && r->now.taken && r->steps > 0 &&
	       r->now.loss < COME_FAR * fabs(r->first);
}

/* ---- gradients on their way ------------------------------------------------------------------ */

/* The gradient at the model's output, else at the last layer. */
static bool reference(const struct look *l, double *norm, double *rms)
{
	*norm = l->output_norm;
	*rms = l->output_rms;
	if (!isfinite(*norm) && l->n_layers > 0) {
		*norm = l->layers[l->n_layers - 1].norm;
		*rms = l->layers[l->n_layers - 1].rms;
	}
	return l->taken && *norm > 0;
}

/* Which of the two is nearer to all of it at a layer, as pooling thins one and width the other. */
static bool by_norm(const struct layer_state *l, double norm, double rms)
{
	return fabs(log(l->norm / norm)) < fabs(log(l->rms / rms));
}

/* How much of it arrives there. */
static double arriving(const struct layer_state *l, double norm, double rms)
{
	return by_norm(l, norm, rms) ? l->norm / norm : l->rms / rms;
}

/* The layer that gets least, or most; -1: there is none. */
static int extreme_layer(const struct look *l, bool most, double *share)
{
	double norm, rms;
	int found = -1;

	if (!reference(l, &norm, &rms))
		return -1;
	for (size_t k = 0; k < l->n_layers; k++) {
		double now = arriving(&l->layers[k], norm, rms);

		if (l->layers[k].norm > 0 && (found < 0 || (most ? now > *share : now < *share))) {
			*share = now;
			found = (int)k;
		}
	}
	return found;
}

/* The overrides that put relu in place of each item with a squashing activation; 0: none, or too
 * many. */
static size_t relus_for(const struct record *r, const char **op, char *set[MOST_SETS])
{
	const struct look *l = &r->now;
	size_t n = 0;
	bool good = true;

	*op = NULL;
	for (size_t k = 0; good && k < l->n_activations; k++) {
		const struct activation *a = &l->activations[k];
		char *change =
		    a->inner && a->op[0] != 'r' ? change_op(r->m, a->origin, "relu") : NULL;
		bool known = false;

		for (size_t i = 0; change && i < n; i++)
			known = known || strcmp(set[i], change) == 0;
		if (!change || known) {
			free(change);
		} else if (n == MOST_SETS) {
			free(change);
			good = false;
		} else {
			*op = a->op;
			set[n++] = change;
		}
	}
	while (!good && n > 0)
		free(set[--n]);
	return n;
}

/* The overrides that give the layers from `from` to `end` other initial weights, where they name
 * some. */
static size_t inits_for(const struct record *r, size_t from, size_t end, const char *init,
                        char *set[MOST_SETS])
{
	size_t n = 0;

	for (size_t k = from; k < end; k++) {
		char place[4200], *change;
		bool known = false;

		place_of(r, r->now.layers[k].weight, place, sizeof place);
		change = change_argument(r->m, place, "init", init);
		for (size_t i = 0; change && i < n; i++)
			known = known || strcmp(set[i], change) == 0;
		if (!change || known || n == MOST_SETS)
			free(change);
		else
			set[n++] = change;
	}
	return n;
}

static void propose_flow(const struct record *r, struct suspicions *to, struct suspicion *s,
                         size_t layer)
{
	char *relus[MOST_SETS], *set[MOST_SETS];
	const char *op;
	char what[120];
	/* the last layer's own weights are not on the way to the others */
	size_t n = relus_for(r, &op, relus), more, end = r->now.n_layers - 1;

	if (n > 0) {
		snprintf(what, sizeof what, "relu in place of %s", op);
		propose(to, s, what, n, relus);
	}
	more = inits_for(r, layer, end, n > 0 ? "he" : "xavier", set);
	if (n > 0 && more > 0 && n + more <= MOST_SETS) {
		char *all[MOST_SETS];
		size_t again = relus_for(r, &op, all);

		for (size_t k = 0; k < more && again + k < MOST_SETS; k++)
			all[again + k] = set[k];
		snprintf(what, sizeof what, "relu in place of %s, and initial weights by he",
		         op ? op : "it");
		propose(to, s, what, again + more, all);
	} else if (n == 0 && more > 0) {
		propose(to, s, "initial weights by xavier", more, set);
		more = inits_for(r, layer, end, "he", set);
		propose(to, s, "initial weights by he", more, set);
	} else {
		while (more > 0)
			free(set[--more]);
	}
}

/* The op to blame on the way, and why. */
static const char *blame(const struct record *r)
{
	for (size_t k = 0; k < r->now.n_activations; k++) {
		const struct activation *a = &r->now.activations[k];

		if (a->inner && a->op[0] == 's')
			return " The slope of a sigmoid is at most 1/4, so each takes its part.";
		if (a->inner && a->op[0] == 't' && a->saturated > 0.2)
			return " The tanh in between are at their ends, where they are flat.";
	}
	return " The weights in between are small.";
}

/* The layer that the gradient does not reach; -1: there is none. Not where it is only so behind
 * weights that begin as 0, or nearly, which the first steps change: then it arrives later. */
static int vanished_layer(const struct record *r, double *share)
{
	int layer = extreme_layer(&r->now, false, share);
	double later;

	if (layer < 0 || *share >= VANISHING || has_learnt(r))
		return -1;
	for (size_t k = 0; r->later.taken && k < r->later.n_layers; k++)
		if (r->later.layers[k].norm == 0)
			return layer;
	return r->later.taken && extreme_layer(&r->later, false, &later) >= 0 && later >= VANISHING
	           ? -1
	           : layer;
}

static void find_vanishing(const struct record *r, struct suspicions *to)
{
	double share, norm, rms, each;
	int layer = vanished_layer(r, &share);
	const struct layer_state *l;
	char place[4200], text[32], factor[32];
	size_t between;
	struct suspicion *s;
	bool norms;

	if (layer < 0)
		return;
	l = &r->now.layers[layer];
	reference(&r->now, &norm, &rms);
	between = r->now.n_layers - 1 - (size_t)layer;
	each = between > 0 ? pow(share, 1 / (double)between) : share;
	norms = by_norm(l, norm, rms);
	s = suspect(to, "vanishing-gradient", SEVERITY_ERROR, -log(share), path_of(r, l->weight),
	            place_of(r, l->weight, place, sizeof place),
	            "The gradient vanishes on its way back: it has %s %.2g at the output and %.2g "
	            "at the layer of '%s', %s of it%s%s.%s",
	            norms ? "norm" : "rms", norms ? norm : rms, norms ? l->norm : l->rms,
	            path_of(r, l->weight), part(text, share),
	            between > 1 ? "; each layer passes on about " : "",
	            between > 1 ? part(factor, each) : "", blame(r));
	number(s, "ratio", share);
	number(s, "layers", (double)between + 1);
	number(s, "each", each);
	number(s, "output", norms ? norm : rms);
	number(s, "layer", norms ? l->norm : l->rms);
	propose_flow(r, to, s, (size_t)layer);
	advise(to, s, "relu, residual connections or a normalisation between the layers");
}

static void now_flow(const struct record *r, bool most, char *text, size_t n)
{
	const struct look *l = &r->now;
	double share, later;
	int layer = extreme_layer(l, most, &share);
	char of[32], steps[120];

	/* behind weights that begin as 0 it arrives after the first steps */
	if (!most && r->later.taken && extreme_layer(&r->later, most, &later) >= 0 && layer >= 0 &&
	    later > share) {
		l = &r->later;
		layer = extreme_layer(l, most, &share);
	}
	say_steps(r, steps, sizeof steps);
	if (layer >= 0)
		snprintf(text, n, "the layer that gets %s, '%s', gets %s %s at the output%s%s",
		         most ? "most" : "least", path_of(r, l->layers[layer].weight),
		         share < 1 ? part(of, share) : times(of, share),
		         share < 1 ? "of that" : "times that", *steps ? ", and " : "", steps);
	else
		snprintf(text, n, "%s", steps);
}

static void now_vanishing(const struct record *r, const struct finding *was, char *text, size_t n)
{
	(void)was;
	now_flow(r, false, text, n);
}

static void find_exploding(const struct record *r, struct suspicions *to)
{
	double share, norm, rms, each;
	int layer = extreme_layer(&r->now, true, &share);
	const struct layer_state *l;
	char place[4200], text[32];
	size_t between;
	struct suspicion *s;
	bool norms;

	if (layer < 0 || share <= EXPLODING)
		return;
	l = &r->now.layers[layer];
	reference(&r->now, &norm, &rms);
	between = r->now.n_layers - 1 - (size_t)layer;
	each = between > 0 ? pow(share, 1 / (double)between) : share;
	norms = by_norm(l, norm, rms);
	s = suspect(to, "exploding-gradient", SEVERITY_ERROR, log(share), path_of(r, l->weight),
	            place_of(r, l->weight, place, sizeof place),
	            "The gradient explodes on its way back: it has %s %.2g at the output and %.2g "
	            "at the layer of '%s', %s times as much, some %.2g times for each layer. The "
	            "weights in between are large.",
	            norms ? "norm" : "rms", norms ? norm : rms, norms ? l->norm : l->rms,
	            path_of(r, l->weight), times(text, share), each);
	number(s, "ratio", share);
	number(s, "layers", (double)between + 1);
	number(s, "each", each);
	number(s, "output", norms ? norm : rms);
	number(s, "layer", norms ? l->norm : l->rms);
	propose_flow(r, to, s, (size_t)layer);
	advise(
	    to, s,
	    "smaller initial weights, such as init: xavier, or a normalisation between the layers");
}

static void now_exploding(const struct record *r, const struct finding *was, char *text, size_t n)
{
	(void)was;
	now_flow(r, true, text, n);
}

/* ---- activations ----------------------------------------------------------------------------- */

/* Where the layer that an activation cuts is declared: the last one before it with a weight. */
static bool place_before(const struct record *r, const struct look *l, const struct activation *a,
                         char *place, size_t n)
{
	if (a->layer == 0 || a->layer > l->n_layers)
		return false;
	place_of(r, l->layers[a->layer - 1].weight, place, n);
	return true;
}

/* Whether enough samples were looked at to say of a unit that it is never active. */
static bool enough_samples(const struct record *r)
{
	size_t all = r->probe.data ? r->probe.data->n : 0;

	return r->probe.batch * (size_t)r->batches >= (all < ENOUGH ? all : ENOUGH);
}

static void find_dead(const struct record *r, struct suspicions *to)
{
	const struct look *l = &r->now;
	const struct activation *worst = NULL;
	double least;
	bool later = false, told = rate_is_high(r) || vanished_layer(r, &least) >= 0;
	size_t others = 0;
	char share[32], place[4200], *set[1], when[64] = "";
	struct suspicion *s;

	/* of what comes with the steps another finding may be the cause */
	for (int pass = 0; pass < 2 && enough_samples(r) && !worst && !(pass && told); pass++) {
		l = pass ? &r->later : &r->now;
		later = pass == 1;
		for (size_t k = 0; l->taken && k < l->n_activations; k++) {
			const struct activation *a = &l->activations[k];

			if (a->op[0] != 'r' || a->dead < DEAD)
				continue;
			others++;
			if (!worst || a->dead > worst->dead)
				worst = a;
		}
	}
	if (!worst)
		return;
	percent(share, worst->dead);
	if (later)
		snprintf(when, sizeof when, "After %" PRId64 " steps, ", r->steps);
	s = suspect(to, "dead-relu", worst->dead == 1 ? SEVERITY_ERROR : SEVERITY_WARNING,
	            worst->dead, worst->path, worst->origin,
	            "%s%s of the %zu units of '%s' are 0 for each of the %zu samples looked at%s: "
	            "a ReLU that is never active passes no gradient on, so what is before it "
	            "cannot bring it back.%s",
	            when, share, worst->units, worst->path, r->probe.batch * (size_t)r->batches,
	            others > 1 ? ", and it is not the only such layer" : "",
	            later ? " At the start they were active: a step was too large." : "");
	number(s, "dead", worst->dead);
	number(s, "units", (double)worst->units);
	if (later)
		propose_rate(r, to, s);
	if (place_before(r, l, worst, place, sizeof place)) {
		set[0] = change_argument(r->m, place, "init", "he");
		propose(to, s, "initial weights by he, and no bias", 1, set);
	}
	set[0] = change_op(r->m, worst->origin, "leaky_relu");
	propose(to, s, "leaky_relu, which lets some gradient through", 1, set);
	advise(to, s, "a smaller learning rate, initial weights by he, or leaky_relu");
}

static const struct activation *same_activation(const struct look *l, const struct finding *was)
{
	for (size_t k = 0; l->taken && was->subject && k < l->n_activations; k++)
		if (strcmp(l->activations[k].path, was->subject) == 0)
			return &l->activations[k];
	return NULL;
}

static void now_dead(const struct record *r, const struct finding *was, char *text, size_t n)
{
	const struct activation *a = same_activation(&r->now, was),
				*b = same_activation(&r->later, was);
	char steps[120], share[32];

	say_steps(r, steps, sizeof steps);
	if (a && b)
		a = b->dead > a->dead ? b : a;
	if (a)
		percent(share, a->dead);
	if (a)
		snprintf(text, n, "%s of the units are never active%s%s", share,
		         *steps ? ", and " : "", steps);
	else
		snprintf(text, n, "%s", steps);
}

static void find_saturated(const struct record *r, struct suspicions *to)
{
	const struct look *l = &r->now;
	const struct activation *worst = NULL;
	char share[32], place[4200], *set[1];
	struct suspicion *s;

	for (int pass = 0; pass < 2 && !worst && !has_learnt(r); pass++) {
		l = pass ? &r->later : &r->now;
		/* a net that learns all the same, as one with a way around them, needs no word */
		if (pass && r->after < 0.8 * r->before)
			break;
		for (size_t k = 0; l->taken && k < l->n_activations; k++) {
			const struct activation *a = &l->activations[k];

			if (a->inner && a->op[0] != 'r' && a->saturated > SATURATED &&
			    (!worst || a->saturated > worst->saturated))
				worst = a;
		}
	}
	if (!worst)
		return;
	percent(share, worst->saturated);
	s = suspect(to, "saturated", SEVERITY_WARNING, worst->saturated, worst->path, worst->origin,
	            "%s%s of the values of '%s' lie at the ends of the %s, where its slope is "
	            "under 1/50 of its most: what it reads goes up to %.2g in size, and hardly any "
	            "gradient comes through.",
	            l == &r->later ? "After some steps, " : "", share, worst->path, worst->op,
	            worst->most);
	number(s, "saturated", worst->saturated);
	number(s, "most", worst->most);
	for (size_t k = 0; k < r->n_inputs; k++)
		if (r->inputs[k].real && !r->inputs[k].input->target &&
		    rms_of(&r->inputs[k]) > LARGE_INPUT) {
			set[0] = change_map(r->m, r->inputs[k].input->name, "standardize");
			propose(to, s, "inputs of mean 0 and standard deviation 1", 1, set);
		}
	if (l == &r->later)
		propose_rate(r, to, s);
	if (place_before(r, l, worst, place, sizeof place)) {
		set[0] = change_argument(r->m, place, "init", "xavier");
		propose(to, s, "initial weights by xavier", 1, set);
	}
	advise(to, s,
	       "smaller initial weights (init: xavier), normalised inputs, or a normalisation "
	       "before it");
}

static void now_saturated(const struct record *r, const struct finding *was, char *text, size_t n)
{
	const struct activation *a = same_activation(&r->now, was);
	char steps[120], share[32];

	say_steps(r, steps, sizeof steps);
	if (a)
		percent(share, a->saturated);
	if (a)
		snprintf(text, n, "%s of the values lie there%s%s", share, *steps ? ", and " : "",
		         steps);
	else
		snprintf(text, n, "%s", steps);
}

/* ---- the loss -------------------------------------------------------------------------------- */

static void propose_last(const struct record *r, struct suspicions *to, struct suspicion *s)
{
	static const char *const inits[] = { "xavier", "{normal: {std: 0.01}}" };

	for (size_t k = 0; r->now.n_layers > 0 && k < sizeof inits / sizeof *inits; k++) {
		char place[4200], what[120], *change;

		place_of(r, r->now.layers[r->now.n_layers - 1].weight, place, sizeof place);
		change = change_argument(r->m, place, "init", inits[k]);
		snprintf(what, sizeof what, "init: %s for the last layer", inits[k]);
		propose(to, s, what, 1, &change);
	}
	advise(to, s, "smaller initial weights in the last layer");
}

static void find_start(const struct record *r, struct suspicions *to)
{
	const struct look *l = &r->now;
	struct suspicion *s;

	if (r->trained || !l->taken || !r->chance_of || !(l->own > SURE * r->chance))
		return;
	s = suspect(to, "loss-at-start", SEVERITY_WARNING, l->own / r->chance, NULL,
	            r->chance_origin,
	            "The first loss is %.3g; a model that knows nothing and says so has ln %.0f = "
	            "%.3g. The first outputs are large, so the model is sure of wrong answers, and "
	            "the first steps go into unlearning that.",
	            l->own, r->classes, r->chance);
	propose_last(r, to, s);
	number(s, "loss", l->own);
	number(s, "chance", r->chance);
}

static void now_start(const struct record *r, const struct finding *was, char *text, size_t n)
{
	char steps[120];

	(void)was;
	say_steps(r, steps, sizeof steps);
	snprintf(text, n, "the first loss is %.3g%s%s", r->now.own, *steps ? ", and " : "", steps);
}

static void find_nothing_learnt(const struct record *r, struct suspicions *to)
{
	struct suspicion *s;

	if (!r->trained || !r->now.taken || !r->chance_of || r->now.own < LEARNT * r->chance)
		return;
	s = suspect(
	    to, "nothing-learnt", SEVERITY_ERROR, -1, NULL, r->chance_origin,
	    "After the training the loss is %.3g; guessing has ln %.0f = %.3g: nothing was learnt.",
	    r->now.own, r->classes, r->chance);
	number(s, "loss", r->now.own);
	number(s, "chance", r->chance);
	advise(to, s,
	       "what else is found here is likely why; else see whether inputs and labels belong "
	       "together");
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void find_rate_high(const struct record *r, struct suspicions *to)
{
	char *place, test[160] = "";
	struct suspicion *s;

	if (!rate_is_high(r))
		return;
	place = place_of_rate(r->m);
	if (r->tested && r->rates.suggested > 0)
		snprintf(test, sizeof test, " In a test of rates it falls fastest at %.2g%s.",
		         r->rates.suggested,
		         r->rates.end_lr > 0 ? ", and diverges soon after its least" : "");
	s = suspect(to, "learning-rate-high", SEVERITY_ERROR,
	            r->highest / fmax(fabs(r->first), 1e-300), NULL, place,
	            "The learning rate, %.2g, is too large: %" PRId64
	            " steps take the loss from %.3g to %.3g, over %.3g.%s",
	            rate_of(r), r->steps, r->first, r->after, r->highest, test);
	number(s, "lr", rate_of(r));
	number(s, "loss_before", r->first);
	number(s, "loss_after", r->after);
	number(s, "suggested", r->tested ? r->rates.suggested : NAN);
	propose_rate(r, to, s);
	advise(to, s, "a smaller learning rate");
	free(place);
}

static bool rate_is_low(const struct record *r)
{
	/* the first of few losses may be large by chance, in either */
	double best = fmin(r->rates.start, r->before) - r->rates.least;

	return !r->offender.found && r->tested && r->steps > 0 && r->rates.suggested > 0 &&
	       best > CLEAR_FALL * r->rates.noise && r->schedule > 0.5 &&
	       rate_of(r) * RATE_APART < r->rates.suggested &&
	       r->before - r->after < FALL_PART * best;
}

/* A matrix or more, whose rms says what a step is to it. */
static bool is_matrix(const struct weight_state *w)
{
	return ad_shape_of(w->weight->node).rank >= 2 && w->reached && isfinite(w->update);
}

/* The one that a step changes most; n_weights: none. */
static size_t most_updated(const struct record *r)
{
	size_t most = r->n_weights;

	for (size_t k = 0; k < r->n_weights; k++)
		if (is_matrix(&r->weights[k]) &&
		    (most == r->n_weights || r->weights[k].update > r->weights[most].update))
			most = k;
	return most;
}

static void find_rate_low(const struct record *r, struct suspicions *to)
{
	char *place, *change, what[80], update[120] = "", rate[300], of[32];
	size_t most = most_updated(r);
	struct suspicion *s;

	if (r->trained || !rate_is_low(r))
		return;
	place = place_of_rate(r->m);
	if (most < r->n_weights)
		snprintf(update, sizeof update,
		         ", as a step changes no matrix by more than %s of its size",
		         part(of, r->weights[most].update));
	if (rate_of(r) == 0)
		snprintf(rate, sizeof rate, "The learning rate is 0, so that no weight moves.");
	else
		snprintf(rate, sizeof rate,
		         "The learning rate, %.2g, is small: %" PRId64
		         " steps take the loss from %.3g to %.3g%s.",
		         rate_of(r), r->steps, r->before, r->after, update);
	s = suspect(to, "learning-rate-low", rate_of(r) == 0 ? SEVERITY_ERROR : SEVERITY_WARNING,
	            r->rates.suggested / fmax(rate_of(r), 1e-300), NULL, place,
	            "%s In a test of rates the loss falls fastest at %.2g and comes down to %.3g.",
	            rate, r->rates.suggested, r->rates.least);
	number(s, "lr", rate_of(r));
	number(s, "loss_before", r->before);
	number(s, "loss_after", r->after);
	number(s, "suggested", r->rates.suggested);
	number(s, "update", most < r->n_weights ? r->weights[most].update : NAN);
	change = change_rate(r->m, r->rates.suggested);
	snprintf(what, sizeof what, "a learning rate of %.2g", r->rates.suggested);
	propose(to, s, what, 1, &change);
	free(place);
}

/* A number among the optimizer's settings; 0: it has none of this name. */
static double setting(const struct record *r, const char *name)
{
	const struct optimizer *o = r->m->train.optimizer;
	double value = 0;

	for (const ad_attr *a = o ? o->attrs : NULL; a && a->name; a++)
		if (strcmp(a->name, name) == 0 && a->type == AD_NUM)
			memcpy(&value, (const char *)r->m->train.optimizer_attrs + a->offset,
			       sizeof value);
	return value;
}

static void find_large_update(const struct record *r, struct suspicions *to)
{
	size_t worst = most_updated(r);
	char *place, text[32];
	struct suspicion *s;

	if (worst == r->n_weights || r->weights[worst].update < LARGE_UPDATE || r->offender.found ||
	    rate_is_high(r))
		return;
	percent(text, r->weights[worst].update);
	place = place_of_rate(r->m);
	s = suspect(to, "large-update", SEVERITY_WARNING, r->weights[worst].update,
	            path_of(r, worst), place,
	            "The steps are large: each changes '%s' by %s of its size; a thousandth to a "
	            "hundredth is usual.",
	            path_of(r, worst), text);
	number(s, "update", r->weights[worst].update);
	if (setting(r, "weight_decay") > 0) {
		char *change = change_optimizer(r->m, "weight_decay", "0");

		propose(to, s, "no weight_decay, which pulls the weights to 0", 1, &change);
	}
	propose_rate(r, to, s);
	advise(to, s, "a smaller learning rate");
	free(place);
}

static void find_small_update(const struct record *r, struct suspicions *to)
{
	size_t best = most_updated(r);
	char *place, text[32], what[80], *change;
	struct suspicion *s;

	if (best == r->n_weights || r->weights[best].update > SMALL_UPDATE * r->schedule ||
	    r->weights[best].update == 0 || r->offender.found || rate_is_low(r) || r->trained)
		return;
	place = place_of_rate(r->m);
	s = suspect(to, "small-update", SEVERITY_WARNING, -log(r->weights[best].update),
	            path_of(r, best), place,
	            "The steps are small: the weight that moves most, '%s', changes by %s of its "
	            "size in a step; a thousandth to a hundredth is usual.",
	            path_of(r, best), part(text, r->weights[best].update));
	number(s, "update", r->weights[best].update);
	if (r->tested && r->rates.suggested > rate_of(r)) {
		change = change_rate(r->m, r->rates.suggested);
		snprintf(what, sizeof what, "a learning rate of %.2g", r->rates.suggested);
		propose(to, s, what, 1, &change);
	}
	advise(to, s, "a larger learning rate");
	free(place);
}

static void now_update(const struct record *r, const struct finding *was, char *text, size_t n)
{
	char steps[120], share[32];

	say_steps(r, steps, sizeof steps);
	for (size_t k = 0; k < r->n_weights; k++)
		if (was->subject && strcmp(path_of(r, k), was->subject) == 0) {
			percent(share, r->weights[k].update);
			snprintf(text, n, "a step changes it by %s, and %s", share, steps);
		}
}

const struct check checks[] = {
	{ "nonfinite-input", false, find_bad_input, now_steps },
	{ "nonfinite", false, find_nonfinite, now_steps },
	{ "learning-rate-high", false, find_rate_high, now_steps },
	{ "nothing-learnt", false, find_nothing_learnt, now_steps },
	{ "identical-units", false, find_identical, now_steps },
	{ "vanishing-gradient", false, find_vanishing, now_vanishing },
	{ "exploding-gradient", false, find_exploding, now_exploding },
	{ "unreached", false, find_unreached, now_steps },
	{ "unmoved", false, find_unmoved, now_steps },
	{ "dead-relu", false, find_dead, now_dead },
	{ "saturated", false, find_saturated, now_saturated },
	{ "input-scale", false, find_scale, now_scale },
	{ "target-scale", true, find_target_scale, now_scale },
	{ "loss-at-start", false, find_start, now_start },
	{ "learning-rate-low", false, find_rate_low, now_steps },
	{ "large-update", false, find_large_update, now_update },
	{ "small-update", false, find_small_update, now_update },
	{ "label-imbalance", false, find_imbalance, now_steps },
	{ "constant-input", false, find_constant_input, now_steps },
	{ "equal-columns", false, find_equal_columns, now_steps },
	{ 0 },
};
