/*
 * draw_command: `autograd draw`: the graph of a model or run as a diagram.
 */
#include "command.h"
#include "pages.h"
#include "record.h"
#include "render.h"
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_SAMPLES 256 /* evaluated for a diagram, where the file's batch is larger or all */

#define WARM_RUNS 2
#define TIMED_RUNS 30  /* at most */
#define MOST_SECONDS 3 /* in all of them, about */

#define LESS_DEPTH 2 /* levels shown where dot takes too long */

struct draw_options {
	const char *output, *html, *around, *path, *only, *step, *diff;
	int view, stat, direction, palette, format; /* -1: not given, but palette */
	bool gradients, text, watch, all, no_fold, forward, both, values, backward, plan;
	int64_t depth, max_nodes, radius, limit; /* -1: not given, but limit */
	struct texts set, open;
};

static const struct option options[] = {
	{ "output", 'o', OPTION_TEXT, "PICTURE", NULL, false, offsetof(struct draw_options, output),
	  "where the diagram goes: a path that ends in .dot, .svg, .png, .pdf, .json or .txt; - "
	  "for "
	  "standard output" },
	{ "format", 'f', OPTION_CHOICE, "dot json text svg png pdf", "", false,
	  offsetof(struct draw_options, format), "what goes to standard output; dot if not given" },
	{ "text", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct draw_options, text),
	  "a tree with bars on standard output, without --output" },
	{ "grad", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct draw_options, gradients),
	  "evaluates the model for its first batch and draws the gradients" },
	{ "values", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct draw_options, values),
	  "shows values too: in small graphs in full on the wires, else their size" },
	{ "backward", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct draw_options, backward),
	  "draws the reverse sweep itself: which ops it runs, what they keep of the forward pass" },
	{ "plan", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct draw_options, plan),
	  "draws how a training step is computed: what runs together, which values share memory, "
	  "the time of each op" },
	{ "view", 0, OPTION_CHOICE, "auto circuit flow", "", false,
	  offsetof(struct draw_options, view),
	  "circuit: the value above each wire, the gradient below; flow: an item a node, arrows "
	  "the way "
	  "the gradient flows; auto: circuit for few single numbers, else flow" },
	{ "open", 0, OPTION_TEXTS, "PATH", NULL, false, offsetof(struct draw_options, open),
	  "shows what is in that module, such as block[17]; may be repeated" },
	{ "depth", 0, OPTION_WHOLE, "N", "", false, offsetof(struct draw_options, depth),
	  "shows N levels of modules; 0: as many as fit" },
	{ "max-nodes", 0, OPTION_WHOLE, "N", "", false, offsetof(struct draw_options, max_nodes),
	  "modules are opened while there are no more boxes than that, 300 if not given" },
	{ "all", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct draw_options, all),
	  "shows all levels, layers and copies too, however large" },
	{ "no-fold", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct draw_options, no_fold),
	  "keeps apart what large pictures show as one node: conv2d + batch_norm + relu" },
	{ "around", 0, OPTION_TEXT, "PATH", NULL, false, offsetof(struct draw_options, around),
	  "shows that module, tensor or op (block[17].attention.softmax) and what is near" },
	{ "radius", 0, OPTION_WHOLE, "N", "", false, offsetof(struct draw_options, radius),
	  "how many ops around it, 2 if not given" },
	{ "path", 0, OPTION_TEXT, "A..B", NULL, false, offsetof(struct draw_options, path),
	  "shows the ways between two of them" },
	{ "only", 0, OPTION_TEXT, "CLASSES", NULL, false, offsetof(struct draw_options, only),
	  "shows gradients of these classes with two ops on each side: nan, exploding, zero, "
	  "vanishing, lost, strong, weak, normal, by commas; with --diff: much-larger, larger, equal, "
	  "smaller, much-smaller, zero, nan" },
	{ "stat", 0, OPTION_CHOICE, "rms max ratio", "", false,
	  offsetof(struct draw_options, stat),
	  "the number at a gradient; ratio: at weights, how far a step of sgd moves them" },
	{ "direction", 0, OPTION_CHOICE, "LR RL TB BT", "", false,
	  offsetof(struct draw_options, direction),
	  "where the values go in the flow view: left to right, top to bottom ..." },
	{ "forward", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct draw_options, forward),
	  "arrows point the way the values flow" },
	{ "both", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct draw_options, both),
	  "arrows for both ways" },
	{ "palette", 0, OPTION_CHOICE, "colour mono", NULL, false,
	  offsetof(struct draw_options, palette), "mono: widths and dashes tell the classes" },
	{ "step", 0, OPTION_TEXT, "N", NULL, false, offsetof(struct draw_options, step),
	  "draws the gradients that a run recorded ('gradients' in 'train') at that step, or last "
	  "before it; nothing is evaluated" },
	{ "diff", 0, OPTION_TEXT, "A B", NULL, false, offsetof(struct draw_options, diff),
	  "draws a change of recorded gradients, numbers and colours as factors: of two steps, "
	  "RUN --diff 200 1200, or two runs, --diff RUN_A RUN_B, at their last records or --step" },
	{ "html", 0, OPTION_TEXT, "DIR", NULL, false, offsetof(struct draw_options, html),
	  "a page for each module, with a picture of what is in it; a click on a module leads to its "
	  "page. They need no server and no network" },
	{ "watch", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct draw_options, watch),
	  "draws all recorded steps to grad/step-000200.svg of the run, with grad/index.html to go "
	  "through them, until its training ends" },
	{ "limit", 0, OPTION_WHOLE, "SECONDS", "30", false, offsetof(struct draw_options, limit),
	  "how long dot may take before less is drawn; 0: however long" },
	{ "set", 0, OPTION_TEXTS, "KEY=VALUE", NULL, false, offsetof(struct draw_options, set),
	  "replaces a value of the file, in its own grammar; may be repeated" },
	LIMIT_OPTIONS,
	{ 0 },
};

static bool needs_data(const ad_model *m)
{
	for (int k = 0; k < m->n_inputs; k++)
		if (!m->inputs[k].scalar_leaf)
			return true;
	return m->n_dims > 0;
}

/* As after a step of an optimizer: what depends on weights is to be computed anew. */
static void touch_weights(ad_graph *g)
{
	for (size_t k = 0; k < ad_nodes(g); k++) {
		ad_node *x = ad_node_at(g, k);

		if (ad_kind_of(x) == AD_IS_PARAM || ad_kind_of(x) == AD_IS_LEAF)
			ad_write(x);
	}
}

/* Runs what a training step runs a few times, so that there are times; the first ones make plans and
 * take memory. */
static bool run_plan(ad_model *m, struct instance *in, ad_node *start)
{
	const ad_profile_row *rows;
	double seconds, best = INFINITY, all = 0;

	if (start && !model_gradients(m, in))
		return false;
	/* The profile of one run is kept: one that was about as fast as the best, not disturbed. */
	for (int k = 0; k < WARM_RUNS + TIMED_RUNS; k++) {
		ad_profile(m->graph, true);
		touch_weights(m->graph);
		if ((start ? ad_backward(start) : ad_forward(in->output)) != AD_OK)
			return false;
		ad_profile_rows(m->graph, &rows, &seconds);
		all += seconds;
		if (k >= WARM_RUNS && (all > MOST_SECONDS ||
		                       (k >= TIMED_RUNS / 2 && seconds < 1.05 * best)))
			break;
		if (k >= WARM_RUNS && seconds < best)
			best = seconds;
	}
	return true;
}

/* The recording to draw: evaluated where the inputs have values, else its structure alone. */
static struct instance *prepare(ad_model *m, const struct drawing *d, int *status, char *error,
                                size_t n)
{
	bool plan = d->how && d->how->what == AD_DRAW_PLAN;
	bool values = d->how && d->how->values;
	bool gradients = d->gradients;
	struct instance *in;
	size_t batch = m->data.batch > 0 && m->data.batch < MOST_SAMPLES ? (size_t)m->data.batch
	                                                                 : MOST_SAMPLES;
	ad_node *start;

	*status = EXIT_FAILED;
	if (!plan)
		ad_keep_all(m->graph);
	if (!gradients && !plan && !values && needs_data(m))
		return any_batch(m, true, error, n);
	in = first_batch(m, batch, true, status, error, n);
	if (!in)
		return NULL;
	start = start_of_gradients(in);
	if (gradients && !start) {
		snprintf(error, n,
		         "there are no gradients to draw: they start from a single number, a loss");
		*status = EXIT_USAGE;
		return NULL;
	}
	if (gradients && (!model_gradients(m, in) || ad_backward(start) != AD_OK)) {
		snprintf(error, n, "%s", ad_errmsg(m->graph));
		return NULL;
	}
	if (plan && !run_plan(m, in, start)) {
		snprintf(error, n, "%s", ad_errmsg(m->graph));
		return NULL;
	}
	if (!gradients && !plan && ad_forward(in->loss ? in->loss : in->output) != AD_OK) {
		snprintf(error, n, "%s", ad_errmsg(m->graph));
		return NULL;
	}
	return in;
}

bool draw_subject(const struct subject *s, const ad_draw_options *o, FILE *to, char *error, size_t n)
{
	if (s->record)
		return record_draw(s->record, s->k, s->before, s->j, s->m, o, to, error, n);
	return ad_draw(s->y, o, to, error, n);
}

char *drawing_text(const struct subject *y, const ad_draw_options *o, size_t *size, char *error, size_t n)
{
	char *text = NULL;
	FILE *to = open_memstream(&text, size);
	bool done;

	if (!to) {
		snprintf(error, n, "out of memory");
		return NULL;
	}
	done = draw_subject(y, o, to, error, n);
	if (fclose(to) != 0 && done) {
		snprintf(error, n, "out of memory");
		done = false;
	}
	if (done)
		return text;
	free(text);
	return NULL;
}

static bool write_once(const struct subject *y, const ad_draw_options *o, const struct drawing *d, bool *late,
                       char *error, size_t n)
{
	size_t size = 0, length = 0;
	char *text = drawing_text(y, o, &size, error, n), *picture = NULL;
	bool done;

	if (d->streamed == PICTURE_NONE) {
		done = text && render_dot_within(text, size, d->path, d->seconds, late, error, n);
	} else {
		picture = text ? render_picture(text, size, d->streamed, d->seconds, &length, late, error, n)
		               : NULL;
		done = picture && fwrite(picture, 1, length, stdout) == length && fflush(stdout) == 0;
		if (picture && !done)
			error[0] = '\0';
	}
	free(picture);
	free(text);
	return done;
}

static bool write_drawing(const struct subject *y, const ad_draw_options *o, const struct drawing *d,
                          char *error, size_t n)
{
	ad_draw_options less = *o;
	char note[160];
	bool done, late = false;

	if (strcmp(d->path, "-") == 0 && d->streamed == PICTURE_NONE) {
		done = draw_subject(y, o, stdout, error, n);
		if (ferror(stdout))
			error[0] = '\0';
		return done;
	}
	if (write_once(y, o, d, &late, error, n))
		return true;
	if (!late)
		return false;
	less.all = false;
	less.n_open = 0;
	for (less.depth = LESS_DEPTH; less.depth > 0 && late; less.depth--) {
		snprintf(
		    note, sizeof note,
		    "%zu nodes, more than dot lays out in %g seconds; showing depth %d instead "
		    "(--all --limit 0 to wait)",
		    ad_nodes(y->m->graph), d->seconds, less.depth);
		less.note = note;
		if (write_once(y, &less, d, &late, error, n)) {
			fprintf(stderr, "note: %s\n", note);
			return true;
		}
	}
	return false;
}

/* To a file, or to pages. */
static bool draw_to(const struct subject *y, const ad_draw_options *o, const struct drawing *d,
                    char *error, size_t n)
{
	struct pages_written written;

	if (!d->pages)
		return write_drawing(y, o, d, error, n);
	if (!pages_write(y, o, d->path, d->seconds, &written, error, n))
		return false;
	if (written.left_out)
		fprintf(stderr, "note: %zu modules; %zu pages were written, the outermost ones\n",
		        written.pages + written.left_out - 1, written.pages);
	if (written.undrawn)
		fprintf(stderr, "note: %zu of %zu pages have no picture: dot takes too long\n",
		        written.undrawn, written.pages);
	printf("pages: %s/index.html\n", d->path);
	return true;
}

/* The learning rate where a step is that times the gradient; else 0. */
static double plain_rate(const ad_model *m)
{
	const struct optimizer *kind = m->train.optimizer;
	const ad_attr *a = kind && !strcmp(kind->name, "sgd") ? kind->attrs : NULL;

	for (; a && a->name; a++)
		if (!strcmp(a->name, "lr"))
			return *(const double *)((const char *)m->train.optimizer_attrs +
			                         a->offset);
	return 0;
}

static const char *layer_named(const char *name)
{
	for (size_t k = 0; layers[k]; k++)
		if (!strcmp(layers[k]->name, name))
			return layers[k]->name;
	return NULL;
}

ad_draw_layer *list_layers(const ad_model *m, size_t *n)
{
	ad_draw_layer *list = calloc((size_t)m->n_rows + 1, sizeof *list);

	*n = 0;
	for (int k = 0; list && k < m->n_rows; k++) {
		const char *kind = layer_named(m->rows[k].kind);

		if (kind)
			list[(*n)++] = (ad_draw_layer){ m->rows[k].path, kind };
	}
	return list;
}

void draw_defaults(const ad_model *m, ad_draw_options *o)
{
	const struct draw_spec *spec = &m->draw;

	o->view = (ad_view)spec->view;
	o->stat = (ad_draw_stat)spec->stat;
	o->depth = spec->depth < 1000 ? (int)spec->depth : 1000;
	o->max_nodes = spec->max_nodes < INT_MAX ? (int)spec->max_nodes : INT_MAX;
	o->direction = spec->direction;
	o->thresholds = (ad_draw_thresholds){ spec->thresholds[0], spec->thresholds[1],
		                              spec->thresholds[2], spec->thresholds[3] };
}

int draw_model(ad_model *m, const struct drawing *d, char *error, size_t n)
{
	int status;
	struct instance *in = prepare(m, d, &status, error, n);

	return in ? draw_instance(m, in, d, error, n) : status;
}

int draw_instance(ad_model *m, struct instance *in, const struct drawing *d, char *error, size_t n)
{
	ad_draw_options o = { 0 };
	ad_draw_layer *list;
	ad_node *y;
	bool done;

	if (d->how) {
		o = *d->how;
		o.view = d->view;
	} else {
		draw_defaults(m, &o);
		/* of the pictures that come by themselves none is refused for its statistic */
		if (o.stat == AD_STAT_RATIO && plain_rate(m) == 0)
			o.stat = AD_STAT_RMS;
	}
	o.gradients = d->gradients;
	o.title = m->name;
	o.step = d->step;
	o.rate = plain_rate(m);
	if (o.gradients && o.stat == AD_STAT_RATIO && o.rate == 0) {
		snprintf(error, n,
		         "--stat ratio needs the optimizer sgd, whose step is the rate times the "
		         "gradient");
		return EXIT_USAGE;
	}
	y = in->loss ? in->loss : in->output;
	o.reference = in->output != y ? in->output : NULL;
	o.layers = list = list_layers(m, &o.n_layers);
	done = draw_to(&(struct subject){ .m = m, .y = y }, &o, d, error, n);
	free(list);
	if (done)
		return EXIT_DONE;
	/* The library's sentences begin with its function's name, the command's with its own. */
	if (strncmp(error, "draw: ", 6) == 0)
		memmove(error, error + 6, strlen(error + 6) + 1);
	return EXIT_FAILED;
}

/* The classes that a list names, as bits; 0: a word is none of them. change: of a change. */
static unsigned classes_of(const char *words, bool change)
{
	static const char *const changes[AD_CLASSES] = {
		[AD_CLASS_NONE] = "none", [AD_CLASS_NORMAL] = "equal",
		[AD_CLASS_WEAK] = "smaller", [AD_CLASS_STRONG] = "larger",
		[AD_CLASS_LOST] = "lost", [AD_CLASS_VANISHING] = "much-smaller",
		[AD_CLASS_ZERO] = "zero", [AD_CLASS_EXPLODING] = "much-larger",
		[AD_CLASS_NAN] = "nan",
	};
	static const char *const names[AD_CLASSES] = {
		[AD_CLASS_NONE] = "none", [AD_CLASS_NORMAL] = "normal",
		[AD_CLASS_WEAK] = "weak", [AD_CLASS_STRONG] = "strong",
		[AD_CLASS_LOST] = "lost", [AD_CLASS_VANISHING] = "vanishing",
		[AD_CLASS_ZERO] = "zero", [AD_CLASS_EXPLODING] = "exploding",
		[AD_CLASS_NAN] = "nan",
	};
	const char *const *name = change ? changes : names;
	unsigned all = 0;

	while (*words) {
		size_t size = strcspn(words, ",");
		int k = 0;

		while (k < AD_CLASSES &&
		       (strlen(name[k]) != size || strncmp(name[k], words, size) != 0))
			k++;
		if (k == AD_CLASSES)
			return 0;
		all |= 1u << k;
		words += size + (words[size] == ',');
	}
	return all;
}

/* How to draw by the options. from is room for the first end of a path. Returns how to exit. */
static int choose(const struct draw_options *o, ad_draw_options *how, char *from, size_t n)
{
	const char *dots = o->path ? strstr(o->path, "..") : NULL;

	*how = (ad_draw_options){ .what = o->plan       ? AD_DRAW_PLAN
		                          : o->backward ? AD_DRAW_SWEEP
		                                        : AD_DRAW_GRAPH,
		                  .values = o->values,
		                  .open = o->open.v,
		                  .n_open = o->open.n,
		                  .all = o->all,
		                  .no_fold = o->no_fold,
		                  .around = o->around,
		                  .radius = o->radius < 0 ? 2 : o->radius < 1000 ? (int)o->radius : 1000,
		                  .arrows = o->both      ? AD_ARROWS_BOTH
		                            : o->forward ? AD_ARROWS_FORWARD
		                                         : AD_ARROWS_BACKWARD,
		                  .mono = o->palette == 1 };
	if (o->path) {
		if (!dots || dots == o->path || !dots[2] || (size_t)(dots - o->path) >= n)
			return misused("draw", "--path wants two ends, A..B, not '%s'", o->path);
		snprintf(from, n, "%.*s", (int)(dots - o->path), o->path);
		how->from = from;
		how->to = dots + 2;
	}
	if (o->only) {
		how->only = classes_of(o->only, o->diff != NULL);
		if (!how->only && o->diff)
			return misused("draw",
			               "--only wants classes such as larger,much-larger, not '%s'; of a "
			               "change they are nan, much-larger, larger, equal, smaller, "
			               "much-smaller, zero",
			               o->only);
		if (!how->only)
			return misused(
			    "draw",
			    "--only wants classes such as vanishing,nan, not '%s'; they are "
			    "nan, exploding, zero, vanishing, lost, strong, weak, normal",
			    o->only);
	}
	if (o->plan && (o->backward || o->gradients || o->values))
		return misused("draw", "--plan draws no gradients and no values, which would have to "
		                       "be kept: leave out --grad, --backward and --values");
	if ((o->around != NULL) + (o->path != NULL) + (o->only != NULL) > 1)
		return misused("draw", "--around, --path and --only: one of them");
	if (o->radius >= 0 && !o->around)
		return misused("draw", "--radius is of --around PATH, which says around what");
	if (o->forward && o->both)
		return misused("draw", "--forward and --both: one of them");
	if (o->view == AD_VIEW_CIRCUIT && (o->plan || o->backward))
		return misused("draw", "--plan and --backward have no --view circuit");
	return EXIT_DONE;
}

/* What the file says and the options do not. */
static void merge(const ad_model *m, const struct draw_options *o, ad_draw_options *how)
{
	static const char *const directions[] = { "LR", "RL", "TB", "BT" };

	draw_defaults(m, how);
	if (o->view >= 0)
		how->view = (ad_view)o->view;
	if (o->stat >= 0)
		how->stat = (ad_draw_stat)o->stat;
	if (o->depth >= 0)
		how->depth = o->depth < 1000 ? (int)o->depth : 1000;
	if (o->max_nodes >= 0)
		how->max_nodes = o->max_nodes < INT_MAX ? (int)o->max_nodes : INT_MAX;
	if (o->direction >= 0)
		how->direction = directions[o->direction];
}

static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text) && strlen(text) < 16;
}

/* What --step and --diff name: runs, and steps of them. */
struct wanted {
	const char *run, *before;   /* before NULL: no change */
	const char *step, *earlier; /* NULL: the last one */
};

static int read_named(const struct draw_options *o, int n, const char *const args[], struct wanted *to)
{
	const char *numbers[3], *runs[3];
	int n_numbers = 0, n_runs = 0;

	*to = (struct wanted){ .step = o->step, .earlier = o->step };
	if (o->step && !is_number(o->step))
		return misused("draw", "--step wants the number of a step, not '%s'", o->step);
	for (int k = o->diff ? -1 : 0; k < n; k++) {
		const char *word = k < 0 ? o->diff : args[k];

		if (o->diff && is_number(word))
			numbers[n_numbers++] = word;
		else
			runs[n_runs++] = word;
	}
	if (!o->diff && n_runs == 1) {
		to->run = runs[0];
	} else if (n_numbers == 2 && n_runs == 1 && !o->step) {
		to->run = to->before = runs[0];
		to->earlier = numbers[0];
		to->step = numbers[1];
	} else if (o->diff && n_numbers == 0 && n_runs == 2) {
		to->before = runs[0];
		to->run = runs[1];
	} else if (o->diff) {
		return misused("draw", "--diff wants two steps of a run, RUN --diff 200 1200, or two runs, "
		                       "--diff RUN_A RUN_B");
	} else {
		return misused("draw", "'%s' is one argument too many", args[1]);
	}
	if (!is_folder(to->run) || (to->before && !is_folder(to->before)))
		return misused("draw", "%s is of runs, which record steps; '%s' is no folder of one",
		               o->diff ? "--diff" : "--step", is_folder(to->run) ? to->before : to->run);
	return EXIT_DONE;
}

static struct record *open_record(const char *run, const char *step, size_t *k)
{
	char error[1024];
	struct record *r = record_open(run, error, sizeof error);

	if (!r) {
		failed("draw", "%s", error);
		return NULL;
	}
	if (*record_note(r))
		fprintf(stderr, "note: %s/%s\n", run, record_note(r));
	*k = record_at(r, step ? strtoll(step, NULL, 10) : INT64_MAX);
	return r;
}

/* Adds where not the step that was asked for is drawn, but the last one recorded before it. */
static void note_nearest(char *note, size_t n, const struct record *r, size_t k, const char *step)
{
	int64_t asked = step ? strtoll(step, NULL, 10) : -1, found = record_step(r, k).step;
	size_t at = strlen(note);

	if (asked >= 0 && asked != found)
		snprintf(note + at, n - at, "%sstep %" PRId64 " was not recorded; %s is %" PRId64,
		         at ? "; " : "", asked, found < asked ? "the last one before it" : "the first one",
		         found);
}

static int draw_record(const struct wanted *w, const struct draw_options *o, const struct drawing *d)
{
	ad_draw_options how = *d->how;
	struct subject s = { 0 };
	char error[1024] = "", note[256] = "";
	int status = EXIT_FAILED;

	s.record = open_record(w->run, w->step, &s.k);
	if (s.record && w->before == w->run) {
		s.before = s.record;
		s.j = record_at(s.record, strtoll(w->earlier, NULL, 10));
	} else if (s.record && w->before) {
		s.before = open_record(w->before, w->earlier, &s.j);
	}
	if (s.record && (s.before || !w->before) && (s.m = open_config("draw", w->run, NULL, &status))) {
		if (s.before)
			note_nearest(note, sizeof note, s.before, s.j, w->earlier);
		note_nearest(note, sizeof note, s.record, s.k, w->step);
		merge(s.m, o, &how);
		how.view = AD_VIEW_FLOW;
		how.note = note;
		status = draw_to(&s, &how, d, error, sizeof error) ? EXIT_DONE : EXIT_FAILED;
		if (status != EXIT_DONE && error[0])
			failed("draw", "%s", error);
	}
	ad_model_close(s.m);
	if (s.before != s.record)
		record_close(s.before);
	record_close(s.record);
	return status;
}

/* Whether a training writes to the run: it holds a lock on log.jsonl. */
static bool is_training(const char *run)
{
	char *path = join_path(run, "log.jsonl");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	bool held = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;

	if (fd >= 0)
		close(fd);
	free(path);
	return held;
}

/* Draws the steps that have no picture yet; *drawn counts them. */
static bool draw_missing(const struct steps *to, struct record *r, ad_model *m,
                         const ad_draw_options *how, double seconds, size_t *drawn, char *error, size_t n)
{
	struct subject s = { .m = m, .record = r };
	struct stat there;
	bool good = true;

	for (; good && s.k < record_steps(r); s.k++) {
		char *path = steps_path(to, record_step(r, s.k).step, ".svg");
		struct drawing d = { .path = path, .seconds = seconds };

		if (!path) {
			snprintf(error, n, "out of memory");
			good = false;
		} else if (stat(path, &there) != 0) {
			good = write_drawing(&s, how, &d, error, n);
			*drawn += good;
		}
		free(path);
	}
	return good && (*drawn == 0 || steps_write_page(to, m->name ? m->name : "model", error, n));
}

static int watch(const char *run, const ad_draw_options *how, double seconds)
{
	struct steps to = { 0 };
	ad_draw_options o = *how;
	char error[1024] = "", note[256] = "";
	bool training, good;
	size_t drawn = 0;
	struct record *r;
	ad_model *m;
	int status;

	o.form = AD_DRAW_DOT;
	if (!is_folder(run))
		return misused("draw", "--watch is of runs, which record steps; '%s' is no folder of one", run);
	if (!(m = open_config("draw", run, NULL, &status)))
		return status;
	good = steps_open(&to, run, error, sizeof error);
	do {
		/* Asked first: what was recorded before the end is there afterwards. */
		training = good && is_training(run);
		r = good ? record_open(run, error, sizeof error) : NULL;
		good = r ? draw_missing(&to, r, m, &o, seconds, &drawn, error, sizeof error) : training;
		snprintf(note, sizeof note, "%s", r ? record_note(r) : "");
		record_close(r);
		if (good && training)
			sleep(1);
	} while (good && training);
	if (good && *note)
		fprintf(stderr, "note: %s/%s\n", run, note);
	if (good)
		printf("steps: %s/index.html\n", to.folder);
	else
		failed("draw", "%s", error);
	steps_free(&to);
	ad_model_close(m);
	return good ? EXIT_DONE : EXIT_FAILED;
}

static int run(const void *given, int n, const char *const args[])
{
	static const ad_draw_form forms[] = { AD_DRAW_DOT, AD_DRAW_JSON, AD_DRAW_TEXT,
		                              AD_DRAW_DOT, AD_DRAW_DOT,  AD_DRAW_DOT };
	static const enum picture streamed[] = { PICTURE_NONE, PICTURE_NONE, PICTURE_NONE,
		                                 PICTURE_SVG,  PICTURE_PNG,  PICTURE_PDF };
	const struct draw_options *o = given;
	ad_draw_options how;
	struct drawing d = { .path = o->output ? o->output : "-",
		             .gradients = o->gradients || o->backward,
		             .step = -1,
		             .how = &how,
		             .seconds = (double)o->limit };
	char error[1024], from[1024];
	int status = choose(o, &how, from, sizeof from);
	enum picture picture;
	ad_model *m;

	if (status != EXIT_DONE)
		return status;
	how.form = o->text ? AD_DRAW_TEXT : forms[o->format < 0 ? 0 : o->format];
	d.streamed = streamed[o->format < 0 ? 0 : o->format];
	if ((d.streamed == PICTURE_PNG || d.streamed == PICTURE_PDF) && isatty(STDOUT_FILENO))
		return misused("draw", "the picture would go to the terminal: send it to a file, > PICTURE, or to a "
		                       "program, or write --output PICTURE");
	if (o->watch && (o->output || o->html || o->step || o->diff || o->text || o->format >= 0 ||
	                 o->values || o->backward || o->plan || o->set.n || n > 1))
		return misused("draw", "--watch draws all recorded steps of a run as SVG: it goes without "
		                       "--output, --html, --step, --diff, --text, --format, --values, "
		                       "--backward, --plan and --set");
	if (o->watch)
		return watch(args[0], &how, (double)o->limit);
	if (o->html) {
		if (!*o->html || o->output || o->text || o->format >= 0 || o->around || o->path || o->only ||
		    o->all || o->depth >= 0 || o->open.n || o->view == AD_VIEW_CIRCUIT || o->backward || o->plan)
			return misused("draw", "--html DIR draws all modules, each on its page: it goes without "
			                       "--output, --text, --format, --view circuit, --backward, --plan "
			                       "and what chooses a part");
		d.path = o->html;
		d.pages = true;
		how.form = AD_DRAW_DOT;
	}
	if (!o->output && !o->html && !o->text && o->format < 0)
		return misused("draw", "--output needs a value: --output PICTURE, or --text");
	if (o->text && o->format >= 0 && forms[o->format] != AD_DRAW_TEXT)
		return misused("draw", "--text and --format contradict each other: one of them");
	if (!o->html && strcmp(d.path, "-") != 0) {
		if (o->text || o->format >= 0)
			return misused("draw", "--text and --format are of standard output; the ending of '%s' says "
			                       "its form: .dot, .svg, .png, .pdf, .json or .txt", d.path);
		picture = picture_of(d.path);
		if (picture == PICTURE_NONE)
			return misused("draw",
			               "'%s' does not end in .dot, .svg, .png, .pdf, .json or .txt",
			               d.path);
		how.form = picture == PICTURE_JSON   ? AD_DRAW_JSON
		           : picture == PICTURE_TEXT ? AD_DRAW_TEXT
		                                     : AD_DRAW_DOT;
	}
	if (o->step || o->diff) {
		struct wanted named;

		if (o->values || o->backward || o->plan)
			return misused("draw", "--step and --diff show what a run has recorded, the gradients of its "
			                       "forward pass: leave out --values, --backward and --plan");
		if (o->view == AD_VIEW_CIRCUIT)
			return misused("draw", "--view circuit shows values, which a run does not record");
		if (o->set.n > 0)
			return misused("draw", "--set is for files; a run keeps the values it was trained with");
		status = read_named(o, n, args, &named);
		return status == EXIT_DONE ? draw_record(&named, o, &d) : status;
	}
	if (n > 1)
		return misused("draw", "'%s' is one argument too many", args[1]);
	m = open_either("draw", args[0], &o->set, &status);
	if (!m)
		return status;
	merge(m, o, &how);
	d.view = how.view;
	status = draw_model(m, &d, error, sizeof error);
	if (status != EXIT_DONE && error[0])
		failed("draw", "%s", error);
	ad_model_close(m);
	return status;
}

const struct command command_draw = {
	.name = "draw",
	.arguments = "FILE|RUN",
	.least = 1,
	.most = 2,
	.doc = "draws the graph of a model, with --grad its gradients",
	.details = "A run is drawn with its trained weights, a file with its initial ones. What the "
		   "file says under 'draw' (view, depth, max_nodes, direction, gradients for "
		   "--stat, thresholds of the classes) holds where no option says otherwise. All "
		   "but .dot is drawn by the program dot (package graphviz).",
	.options = options,
	.options_size = sizeof(struct draw_options),
	.run = run,
};
