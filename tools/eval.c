/*
 * eval: computes a model once, forward and backward, and prints its values and gradients.
 */
#include "command.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FEW 12 /* an array of at most so many elements is printed whole */

struct eval_options {
	int format;
	bool full, anomaly, profile;
	int64_t samples;
	struct texts set;
};

static const struct option options[] = {
	{ "set", 0, OPTION_TEXTS, "KEY=VALUE", NULL, false, offsetof(struct eval_options, set),
	  "replaces a value of the file, in its own grammar: --set inputs.x=3; may be repeated" },
	{ "format", 0, OPTION_CHOICE, "text json", NULL, false,
	  offsetof(struct eval_options, format),
	  "json: {\"values\": {NAME: ...}, \"gradients\": {NAME: ...}} with nested arrays and "
	  "every digit" },
	{ "anomaly", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct eval_options, anomaly),
	  "fails at the first op, forward or backward, that makes a NaN or an infinity, and says "
	  "which" },
	{ "full", 0, OPTION_SWITCH, NULL, NULL, false, offsetof(struct eval_options, full),
	  "text: prints every element of every array" },
	{ "samples", 0, OPTION_WHOLE, "N", NULL, false, offsetof(struct eval_options, samples),
	  "takes the first N training samples; default: as many as the file's batch" },
	PROFILE_OPTION(eval_options),
	LIMIT_OPTIONS,
	{ 0 },
};

struct value {
	const char *name;
	ad_node *node;
	double *elements; /* once read */
	size_t n;
};

struct values {
	struct value *v;
	size_t n;
};

static void add(struct values *to, const char *name, ad_node *node)
{
	if (!node || !name || ad_is_error(node))
		return;
	for (size_t k = 0; k < to->n; k++)
		if (strcmp(to->v[k].name, name) == 0)
			return;
	to->v[to->n++] = (struct value){ .name = name, .node = node };
}

static bool holds(const struct values *in, const ad_node *node)
{
	for (size_t k = 0; k < in->n; k++)
		if (in->v[k].node == node)
			return true;
	return false;
}

static void free_values(struct values *v)
{
	for (size_t k = 0; k < v->n; k++)
		free(v->v[k].elements);
	free(v->v);
}

/* All that the file names, then what has a name of its own: weights by their paths, the output, the
 * loss, the metrics. */
static bool collect(const ad_model *m, const struct instance *in, struct values *to)
{
	to->n = 0;
	to->v = calloc((size_t)(in->n_named + m->n_weights + m->n_metrics + 2), sizeof *to->v);
	if (!to->v)
		return false;
	for (int k = 0; k < in->n_named; k++)
		add(to, in->named[k].name, in->named[k].node);
	for (int k = 0; k < m->n_weights; k++)
		if (!holds(to, m->weights[k].node))
			add(to, m->weights[k].path, m->weights[k].node);
	if (in->output && !holds(to, in->output) && in->output != in->loss)
		add(to, "output", in->output);
	if (in->loss && !holds(to, in->loss))
		add(to, "loss", in->loss);
	for (int k = 0; k < m->n_metrics; k++)
		add(to, m->metrics[k], in->metrics[k]);
	return true;
}

/* The gradients that the sweep from start made for these values; start's own, 1, is left out. */
static bool collect_gradients(const struct values *from, const ad_node *start, struct values *to)
{
	to->n = 0;
	to->v = calloc(from->n + 1, sizeof *to->v);
	if (!to->v)
		return false;
	for (size_t k = 0; start && k < from->n; k++)
		if (from->v[k].node != start && ad_type_of(from->v[k].node) == AD_REAL)
			add(to, from->v[k].name, ad_gradient(from->v[k].node));
	return true;
}

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Where the time of the command goes. */
struct times {
	double begun, recorded, first; /* when it began; spent on recording, on the first evaluation */
};

/* Has all values count as out of date, as if a leaf had been written to. */
static void touch(ad_graph *g)
{
	for (size_t k = 0; k < ad_nodes(g); k++) {
		if (!ad_op_of(ad_node_at(g, k))) {
			ad_write(ad_node_at(g, k));
			return;
		}
	}
}

/* The profile is one of a second evaluation: the first makes the plan and touches its memory. */
static bool compute(ad_graph *g, const struct values *a, const struct values *b, bool profile,
                    struct times *t)
{
	double since = seconds_now();
	ad_node **roots = calloc(a->n + b->n + 1, sizeof *roots);
	size_t n = 0;
	bool done;

	if (!roots) {
		ad_fail(g, AD_ERROR_MEMORY, "out of memory");
		return false;
	}
	for (size_t k = 0; k < a->n; k++)
		roots[n++] = a->v[k].node;
	for (size_t k = 0; k < b->n; k++)
		roots[n++] = b->v[k].node;
	done = ad_evaluate(g, roots, n) == AD_OK;
	t->recorded = since - t->begun;
	t->first = seconds_now() - since;
	if (done && profile) {
		ad_profile(g, true);
		touch(g);
		done = ad_evaluate(g, roots, n) == AD_OK;
	}
	free(roots);
	return done;
}

static bool read_elements(ad_graph *g, struct values *v)
{
	for (size_t k = 0; k < v->n; k++) {
		v->v[k].n = ad_count(v->v[k].node);
		v->v[k].elements = calloc(v->v[k].n + 1, sizeof(double));
		if (!v->v[k].elements) {
			ad_fail(g, AD_ERROR_MEMORY, "out of memory");
			return false;
		}
		if (ad_get(v->v[k].node, v->v[k].elements, v->v[k].n) != AD_OK)
			return false;
	}
	return true;
}

/* ---- printing -------------------------------------------------------------------------------- */

static void print_number(double value, ad_type type)
{
	if (type == AD_BOOL)
		printf("%s", value != 0 ? "true" : "false");
	else if (isnan(value))
		printf("NaN");
	else
		printf("%.6g", value + 0.0); /* no sign before 0 */
}

static const double *print_axis(const double *x, ad_shape shape, int axis, ad_type type)
{
	if (axis == shape.rank) {
		print_number(*x, type);
		return x + 1;
	}
	printf("[");
	for (int64_t k = 0; k < shape.dims[axis]; k++) {
		printf(k ? ", " : "");
		x = print_axis(x, shape, axis + 1, type);
	}
	printf("]");
	return x;
}

/* The shape of an array and what its numbers are like. */
static void print_summary(const struct value *v)
{
	ad_shape shape = ad_shape_of(v->node);
	double sum = 0, squares = 0, least = INFINITY, most = -INFINITY;
	size_t bad = 0;

	for (size_t k = 0; k < v->n; k++) {
		double x = v->elements[k];

		if (!isfinite(x)) {
			bad++;
			continue;
		}
		sum += x;
		squares += x * x;
		least = x < least ? x : least;
		most = x > most ? x : most;
	}
	printf("[");
	for (int k = 0; k < shape.rank; k++)
		printf("%s%" PRId64, k ? ", " : "", shape.dims[k]);
	printf("]");
	if (bad < v->n)
		printf("  mean %.4g  rms %.4g  least %.4g  most %.4g", sum / (double)(v->n - bad),
		       sqrt(squares / (double)(v->n - bad)), least, most);
	if (bad)
		printf("  %zu not finite", bad);
}

static int columns_of(const char *text)
{
	int columns = 0;

	for (; *text; text++)
		columns += ((unsigned char)*text & 0xC0) != 0x80;
	return columns;
}

/* A line for each value; of: NULL, or what the gradients are of. */
static void print_text(const struct values *v, const char *of, bool full)
{
	int width = 0;

	for (size_t k = 0; k < v->n; k++) {
		int columns = columns_of(v->v[k].name);

		width = columns > width ? columns : width;
	}
	for (size_t k = 0; k < v->n; k++) {
		const struct value *x = &v->v[k];

		if (of)
			printf("d%s/d", of);
		printf("%s%*s = ", x->name, width - columns_of(x->name), "");
		if (full || x->n <= FEW)
			print_axis(x->elements, ad_shape_of(x->node), 0, ad_type_of(x->node));
		else
			print_summary(x);
		printf("\n");
	}
}

static void print_json_values(const char *key, const struct values *v)
{
	printf("\"%s\":{", key);
	for (size_t k = 0; k < v->n; k++) {
		printf(k ? "," : "");
		json_text(stdout, v->v[k].name);
		printf(":");
		json_array(stdout, v->v[k].elements, ad_shape_of(v->v[k].node),
		           ad_type_of(v->v[k].node));
	}
	printf("}");
}

static const char *name_in(const struct values *v, const ad_node *node)
{
	for (size_t k = 0; k < v->n; k++)
		if (v->v[k].node == node)
			return v->v[k].name;
	return "output";
}

static void print_all(const struct values *values, const struct values *gradients,
                      const ad_node *start, const struct eval_options *o)
{
	if (o->format == 1) {
		printf("{");
		print_json_values("values", values);
		printf(",");
		print_json_values("gradients", gradients);
		return;
	}
	print_text(values, NULL, o->full);
	if (gradients->n > 0)
		printf("\n");
	print_text(gradients, start ? name_in(values, start) : NULL, o->full);
}

/* Returns how to exit. */
static int print_times(const ad_graph *g, const struct times *t, const struct eval_options *o)
{
	const struct time_part parts[] = { { "data and recording", t->recorded },
		                           { "first evaluation with its plan", t->first } };
	double all = seconds_now() - t->begun;

	if (o->format == 1) {
		printf(",\"profile\":");
		json_profile(stdout, g, all, 2, parts);
		return EXIT_DONE;
	}
	printf("\n");
	return print_profile(g, all, 2, parts) ? EXIT_DONE : failed("eval", "out of memory");
}

/* ---- the command ----------------------------------------------------------------------------- */

static int eval(ad_model *m, const struct eval_options *o)
{
	struct values values = { 0 }, gradients = { 0 };
	struct times times = { .begun = seconds_now() };
	ad_graph *g = m->graph;
	struct instance *in;
	ad_node *start;
	char error[1024], shape[160];
	int status;

	ad_keep_all(g);
	in = first_batch(m, (size_t)o->samples, false, &status, error, sizeof error);
	if (!in) {
		failed("eval", "%s", error);
		return status;
	}
	ad_watch_nonfinite(g, o->anomaly);
	start = start_of_gradients(in);
	if (!start && in->output)
		fprintf(
		    stderr,
		    "note: no gradients: they start from a single number, a loss, and the output "
		    "has shape %s\n",
		    ad_print_shape(shape, sizeof shape, ad_shape_of(in->output)));
	if (start && !model_gradients(m, in))
		status = failed("eval", "%s", ad_errmsg(g));
	else if (!collect(m, in, &values) || !collect_gradients(&values, start, &gradients))
		status = failed("eval", "out of memory");
	else if (!compute(g, &values, &gradients, o->profile, &times) || !read_elements(g, &values) ||
	         !read_elements(g, &gradients))
		status = failed("eval", "%s", ad_errmsg(g));
	else {
		print_all(&values, &gradients, start, o);
		status = o->profile ? print_times(g, &times, o) : EXIT_DONE;
		if (o->format == 1)
			printf("}\n");
	}
	free_values(&values);
	free_values(&gradients);
	return status;
}

static int run(const void *given, int n, const char *const args[])
{
	const struct eval_options *o = given;
	int status;
	ad_model *m = open_either("eval", args[0], &o->set, &status);

	if (!m)
		return status;
	status = eval(m, o);
	ad_model_close(m);
	return status;
}

const struct command command_eval = {
	.name = "eval",
	.arguments = "FILE|RUN",
	.least = 1,
	.most = 1,
	.doc = "computes a model once and prints its values and gradients",
	.details =
	    "The inputs are the numbers in the file, or the first samples of data.train. The "
	    "gradients are those of the loss, or of the output if there is no loss and it is a "
	    "single number, by every named value and weight. Text has six digits, and arrays of "
	    "more than twelve elements as a summary. JSON has every digit; a number that is not "
	    "finite is one of the strings \"NaN\", \"Infinity\", \"-Infinity\".",
	.options = options,
	.options_size = sizeof(struct eval_options),
	.run = run,
};
