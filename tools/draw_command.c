/*
 * draw_command: `autograd draw`: the graph of a model or run as a diagram.
 */
#include "command.h"
#include "render.h"

#include <stdlib.h>
#include <string.h>

#define MOST_SAMPLES 256 /* evaluated for a diagram, where the file's batch is larger or all */

struct draw_options {
	const char *output;
	int view;
	bool gradients;
	struct texts set;
};

static const struct option options[] = {
	{ "output", 'o', OPTION_TEXT, "PICTURE", NULL, true, offsetof(struct draw_options, output),
	  "where the diagram goes: a path that ends in .dot, .svg, .png or .pdf; - for DOT on "
	  "standard output" },
	{ "grad", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct draw_options, gradients),
	  "evaluates the model for its first batch and draws the gradients" },
	{ "view", 0, OPTION_CHOICE, "auto circuit flow", NULL, false,
	  offsetof(struct draw_options, view),
	  "circuit: the value above each wire, the gradient below; flow: an item a node, arrows "
	  "the way "
	  "the gradient flows; auto: circuit for few single numbers, else flow" },
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

/* The recording to draw: evaluated where the inputs have values, else its structure alone. */
static struct instance *prepare(ad_model *m, bool gradients, int *status, char *error, size_t n)
{
	struct instance *in;
	size_t batch = m->data.batch > 0 && m->data.batch < MOST_SAMPLES ? (size_t)m->data.batch
	                                                                 : MOST_SAMPLES;
	ad_node *start;

	*status = EXIT_FAILED;
	ad_keep_all(m->graph);
	if (!gradients && needs_data(m))
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
	if (!gradients && ad_forward(in->loss ? in->loss : in->output) != AD_OK) {
		snprintf(error, n, "%s", ad_errmsg(m->graph));
		return NULL;
	}
	return in;
}

static bool write_drawing(ad_node *y, const ad_draw_options *o, const char *path, char *error,
                          size_t n)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to;
	bool done;

	if (strcmp(path, "-") == 0) {
		done = ad_draw(y, o, stdout, error, n);
		if (ferror(stdout))
			error[0] = '\0';
		return done;
	}
	to = open_memstream(&text, &size);
	if (!to) {
		snprintf(error, n, "out of memory");
		return false;
	}
	done = ad_draw(y, o, to, error, n);
	if (fclose(to) != 0 && done) {
		snprintf(error, n, "out of memory");
		done = false;
	}
	done = done && render_dot(text, size, path, error, n);
	free(text);
	return done;
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
	struct instance *in = prepare(m, d->gradients, &status, error, n);
	ad_draw_options o = {
		.view = d->view, .gradients = d->gradients, .title = m->name, .step = d->step
	};
	ad_draw_layer *list;
	ad_node *y;
	bool done;

	if (!in)
		return status;
	y = in->loss ? in->loss : in->output;
	o.reference = in->output != y ? in->output : NULL;
	o.layers = list = list_layers(m, &o.n_layers);
	done = write_drawing(y, &o, d->path, error, n);
	free(list);
	if (done)
		return EXIT_DONE;
	/* The library's sentences begin with its function's name, the command's with its own. */
	if (strncmp(error, "draw: ", 6) == 0)
		memmove(error, error + 6, strlen(error + 6) + 1);
	return EXIT_FAILED;
}

static int run(const void *given, int n, const char *const args[])
{
	const struct draw_options *o = given;
	struct drawing d = {
		.path = o->output, .view = (ad_view)o->view, .gradients = o->gradients, .step = -1
	};
	char error[1024];
	int status;
	ad_model *m;

	if (strcmp(o->output, "-") != 0 && picture_of(o->output) == PICTURE_NONE)
		return misused("draw", "'%s' does not end in .dot, .svg, .png or .pdf", o->output);
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
