/*
 * draw_command: `autograd draw`: the graph of a model or run as a diagram.
 */
#include "command.h"
#include "render.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_SAMPLES 256 /* evaluated for a diagram, where the file's batch is larger or all */

#define WARM_RUNS 2
#define TIMED_RUNS 30  /* at most */
#define MOST_SECONDS 3 /* in all of them, about */

#define LESS_DEPTH 2 /* levels shown where dot takes too long */

struct draw_options {
	const char *output, *around, *path, *only;
	int view, stat, palette, format;
	bool gradients, text, all, no_fold, forward, both, values, backward, plan;
	int64_t depth, radius, limit;
	struct texts set, open;
};

static const struct option options[] = {
	{ "output", 'o', OPTION_TEXT, "PICTURE", NULL, false, offsetof(struct draw_options, output),
	  "where the diagram goes: a path that ends in .dot, .svg, .png, .pdf, .json or .txt; - "
	  "for "
	  "standard output" },
	{ "format", 'f', OPTION_CHOICE, "dot json text", NULL, false,
	  offsetof(struct draw_options, format), "what goes to standard output" },
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
	{ "view", 0, OPTION_CHOICE, "auto circuit flow", NULL, false,
	  offsetof(struct draw_options, view),
	  "circuit: the value above each wire, the gradient below; flow: an item a node, arrows "
	  "the way "
	  "the gradient flows; auto: circuit for few single numbers, else flow" },
	{ "open", 0, OPTION_TEXTS, "PATH", NULL, false, offsetof(struct draw_options, open),
	  "shows what is in that module, such as block[17]; may be repeated" },
	{ "depth", 0, OPTION_WHOLE, "N", NULL, false, offsetof(struct draw_options, depth),
	  "shows N levels of modules; 0: as many as fit in some 300 boxes" },
	{ "all", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct draw_options, all),
	  "shows all levels, layers and copies too, however large" },
	{ "no-fold", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct draw_options, no_fold),
	  "keeps apart what large pictures show as one node: conv2d + batch_norm + relu" },
	{ "around", 0, OPTION_TEXT, "PATH", NULL, false, offsetof(struct draw_options, around),
	  "shows that module, tensor or op (block[17].attention.softmax) and what is near" },
	{ "radius", 0, OPTION_WHOLE, "N", "2", false, offsetof(struct draw_options, radius),
	  "how many ops around it" },
	{ "path", 0, OPTION_TEXT, "A..B", NULL, false, offsetof(struct draw_options, path),
	  "shows the ways between two of them" },
	{ "only", 0, OPTION_TEXT, "CLASSES", NULL, false, offsetof(struct draw_options, only),
	  "shows gradients of these classes with two ops on each side: nan, exploding, zero, "
	  "vanishing, lost, strong, weak, normal, by commas" },
	{ "stat", 0, OPTION_CHOICE, "rms max ratio", NULL, false,
	  offsetof(struct draw_options, stat),
	  "the number at a gradient; ratio: at weights, how far a step of sgd moves them" },
	{ "forward", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct draw_options, forward),
	  "arrows point the way the values flow" },
	{ "both", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct draw_options, both),
	  "arrows for both ways" },
	{ "palette", 0, OPTION_CHOICE, "colour mono", NULL, false,
	  offsetof(struct draw_options, palette), "mono: widths and dashes tell the classes" },
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

/* The drawing as text; NULL with a sentence in error. */
static char *drawing_text(ad_node *y, const ad_draw_options *o, size_t *size, char *error, size_t n)
{
	char *text = NULL;
	FILE *to = open_memstream(&text, size);
	bool done;

	if (!to) {
		snprintf(error, n, "out of memory");
		return NULL;
	}
	done = ad_draw(y, o, to, error, n);
	if (fclose(to) != 0 && done) {
		snprintf(error, n, "out of memory");
		done = false;
	}
	if (done)
		return text;
	free(text);
	return NULL;
}

static bool write_once(ad_node *y, const ad_draw_options *o, const struct drawing *d, bool *late,
                       char *error, size_t n)
{
	size_t size = 0;
	char *text = drawing_text(y, o, &size, error, n);
	bool done = text && render_dot_within(text, size, d->path, d->seconds, late, error, n);

	free(text);
	return done;
}

static bool write_drawing(ad_node *y, const ad_draw_options *o, const struct drawing *d,
                          char *error, size_t n)
{
	ad_draw_options less = *o;
	char note[160];
	bool done, late = false;

	if (strcmp(d->path, "-") == 0) {
		done = ad_draw(y, o, stdout, error, n);
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
		    ad_nodes(ad_graph_of(y)), d->seconds, less.depth);
		less.note = note;
		if (write_once(y, &less, d, &late, error, n)) {
			fprintf(stderr, "note: %s\n", note);
			return true;
		}
	}
	return false;
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

/* The layers of the model by path; NULL where memory is short, and then none is folded. */
static ad_draw_layer *list_layers(const ad_model *m, size_t *n)
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

int draw_model(ad_model *m, const struct drawing *d, char *error, size_t n)
{
	int status;
	struct instance *in = prepare(m, d, &status, error, n);
	ad_draw_options o = { 0 };
	ad_draw_layer *list;
	ad_node *y;
	bool done;

	if (!in)
		return status;
	if (d->how)
		o = *d->how;
	o.view = d->view;
	o.gradients = d->gradients;
	o.title = m->name;
	o.step = d->step;
	o.rate = plain_rate(m);
	if (o.stat == AD_STAT_RATIO && o.rate == 0) {
		snprintf(error, n,
		         "--stat ratio needs the optimizer sgd, whose step is the rate times the "
		         "gradient");
		return EXIT_USAGE;
	}
	y = in->loss ? in->loss : in->output;
	o.reference = in->output != y ? in->output : NULL;
	o.layers = list = list_layers(m, &o.n_layers);
	done = write_drawing(y, &o, d, error, n);
	free(list);
	if (done)
		return EXIT_DONE;
	/* The library's sentences begin with its function's name, the command's with its own. */
	if (strncmp(error, "draw: ", 6) == 0)
		memmove(error, error + 6, strlen(error + 6) + 1);
	return EXIT_FAILED;
}

/* The classes that a list names, as bits; 0: a word is none of them. */
static unsigned classes_of(const char *words)
{
	static const char *const names[AD_CLASSES] = {
		[AD_CLASS_NONE] = "none", [AD_CLASS_NORMAL] = "normal",
		[AD_CLASS_WEAK] = "weak", [AD_CLASS_STRONG] = "strong",
		[AD_CLASS_LOST] = "lost", [AD_CLASS_VANISHING] = "vanishing",
		[AD_CLASS_ZERO] = "zero", [AD_CLASS_EXPLODING] = "exploding",
		[AD_CLASS_NAN] = "nan",
	};
	unsigned all = 0;

	while (*words) {
		size_t size = strcspn(words, ",");
		int k = 0;

		while (k < AD_CLASSES &&
		       (strlen(names[k]) != size || strncmp(names[k], words, size) != 0))
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
		                  .depth = o->depth < 1000 ? (int)o->depth : 1000,
		                  .all = o->all,
		                  .no_fold = o->no_fold,
		                  .around = o->around,
		                  .radius = o->radius < 1000 ? (int)o->radius : 1000,
		                  .arrows = o->both      ? AD_ARROWS_BOTH
		                            : o->forward ? AD_ARROWS_FORWARD
		                                         : AD_ARROWS_BACKWARD,
		                  .stat = (ad_draw_stat)o->stat,
		                  .mono = o->palette == 1 };
	if (o->path) {
		if (!dots || dots == o->path || !dots[2] || (size_t)(dots - o->path) >= n)
			return misused("draw", "--path wants two ends, A..B, not '%s'", o->path);
		snprintf(from, n, "%.*s", (int)(dots - o->path), o->path);
		how->from = from;
		how->to = dots + 2;
	}
	if (o->only) {
		how->only = classes_of(o->only);
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
	return EXIT_DONE;
}

static int run(const void *given, int n, const char *const args[])
{
	static const ad_draw_form forms[] = { AD_DRAW_DOT, AD_DRAW_JSON, AD_DRAW_TEXT };
	const struct draw_options *o = given;
	ad_draw_options how;
	struct drawing d = { .path = o->output ? o->output : "-",
		             .view = (ad_view)o->view,
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
	how.form = o->text ? AD_DRAW_TEXT : forms[o->format];
	if (!o->output && how.form == AD_DRAW_DOT)
		return misused("draw", "--output needs a value: --output PICTURE, or --text");
	if (strcmp(d.path, "-") != 0) {
		picture = picture_of(d.path);
		if (picture == PICTURE_NONE)
			return misused("draw",
			               "'%s' does not end in .dot, .svg, .png, .pdf, .json or .txt",
			               d.path);
		how.form = picture == PICTURE_JSON   ? AD_DRAW_JSON
		           : picture == PICTURE_TEXT ? AD_DRAW_TEXT
		                                     : AD_DRAW_DOT;
	}
	m = open_either("draw", args[0], &o->set, &status);
	if (!m)
		return status;
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
	.most = 1,
	.doc = "draws the graph of a model, with --grad its gradients",
	.details = "A run is drawn with its trained weights, a file with its initial ones. All but "
		   ".dot is "
		   "drawn by the program dot (package graphviz).",
	.options = options,
	.options_size = sizeof(struct draw_options),
	.run = run,
};
