/*
 * graph: the graph of a run as the pictures of its report.
 */
#include "report.h"
#include "render.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MOST_BATCH 256         /* samples that are evaluated */
#define MOST_MODULES 40        /* with a picture of their own */
#define MOST_PICTURE ((size_t)1000 << 10) /* bytes of an SVG */
#define MOST_MODULE ((size_t)300 << 10)   /* of that of a module */
#define MOST_PICTURES ((size_t)1800 << 10) /* of all of them */
#define LESS_DEPTH 2       /* levels shown where that is too much */
#define SECONDS 20.0           /* for dot, in all */
#define MODULE_SECONDS 3.0     /* for one of the modules */

struct pictures {
	struct report *r;
	ad_node *y; /* evaluated; NULL: the last recorded step is drawn */
	ad_draw_options base;
	double until;    /* on the monotonic clock */
	size_t bytes;    /* of the pictures so far */
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The drawing in the form that o names, of the recorded step `step` where there is a record, from malloc;
 * NULL with a sentence in error. */
static char *drawing(const struct pictures *p, size_t step, const ad_draw_options *o, size_t *size,
                     char *error, size_t n)
{
	char *text = NULL;
	FILE *to = open_memstream(&text, size);
	bool done = to && (p->y ? ad_draw(p->y, o, to, error, n)
	                        : record_draw(p->r->record, step, NULL, 0, p->r->m, o, to, error, n));

	if (!to || fclose(to) != 0) {
		snprintf(error, n, "out of memory");
		done = false;
	}
	if (done)
		return text;
	free(text);
	return NULL;
}

/* The drawing laid out by dot, from malloc; NULL with a sentence in error. */
static char *picture(struct pictures *p, const ad_draw_options *o, double seconds, size_t most, char *error,
                     size_t n)
{
	char *dot, *svg = NULL;
	size_t size = 0, last = p->y ? 0 : p->r->steps[p->r->n_steps - 1];
	double left = p->until - now();

	if (left <= 0) {
		snprintf(error, n, "the others took dot %g seconds", SECONDS);
		return NULL;
	}
	dot = drawing(p, last, o, &size, error, n);
	if (dot)
		svg = render_svg(dot, size, left < seconds ? left : seconds, NULL, error, n);
	free(dot);
	if (svg && strlen(svg) > most) {
		snprintf(error, n, "the picture is larger than %zu KiB", most >> 10);
		free(svg);
		return NULL;
	}
	if (svg)
		p->bytes += strlen(svg);
	return svg;
}

/* ---- modules --------------------------------------------------------------------------------------- */

static size_t dots_in(const char *path)
{
	size_t n = 0;

	for (; *path; path++)
		n += *path == '.';
	return n;
}

static bool listed(char *const paths[], size_t n, const char *path, size_t length)
{
	for (size_t k = 0; k < n; k++)
		if (strncmp(paths[k], path, length) == 0 && !paths[k][length])
			return true;
	return false;
}

/* The modules that get a picture, outer ones first: what items have for a path, and what stands around. */
static size_t choose_modules(struct report *r, char *paths[MOST_MODULES])
{
	const ad_model *m = r->m;
	size_t n = 0, deepest = 0;
	bool all = true;

	for (int k = 0; k < m->n_rows; k++)
		deepest = dots_in(m->rows[k].path) > deepest ? dots_in(m->rows[k].path) : deepest;
	for (size_t depth = 0; depth <= deepest && all; depth++)
		for (int k = 0; k < m->n_rows && all; k++) {
			const char *path = m->rows[k].path, *end = path;

			if (dots_in(path) < depth)
				continue;
			for (size_t d = 0; *end && (*end != '.' || d++ < depth); end++)
				;
			if (listed(paths, n, path, (size_t)(end - path)))
				continue;
			all = n < MOST_MODULES;
			if (all && (paths[n] = strndup(path, (size_t)(end - path))))
				n++;
		}
	if (!all)
		report_remark(r, "Diagrams of their own are there for %zu modules, outer ones first, but not for "
		                 "the others.", n);
	return n;
}

static void write_modules(struct pictures *p)
{
	char *paths[MOST_MODULES], error[1024];
	size_t n = choose_modules(p->r, paths), written = 0;

	fprintf(p->r->to, ",\"modules\":{");
	for (size_t k = 0; k < n; k++) {
		const char *open[] = { paths[k] };
		ad_draw_options o = p->base;
		char *svg;

		o.around = paths[k];
		o.radius = 1;
		o.open = open;
		o.n_open = 1;
		svg = p->bytes < MOST_PICTURES ? picture(p, &o, MODULE_SECONDS, MOST_MODULE, error, sizeof error) : NULL;
		if (svg) {
			fputs(written++ ? "," : "", p->r->to);
			json_text(p->r->to, paths[k]);
			putc(':', p->r->to);
			json_text(p->r->to, svg);
		}
		free(svg);
		free(paths[k]);
	}
	putc('}', p->r->to);
}

/* ---- recorded steps ------------------------------------------------------------------------------ */

static const char *const class_names[] = { "exploding", "strong", "normal", "weak", "vanishing",
	                                   "lost", "zero", "none", "nan" };

/* The class of a gradient; of a closed box the worst inside. */
static size_t class_number(const cJSON *item)
{
	const cJSON *name = cJSON_GetObjectItemCaseSensitive(item, "class");
	size_t n = sizeof class_names / sizeof *class_names, k = 0;

	name = name ? name : cJSON_GetObjectItemCaseSensitive(item, "worst");
	while (k < n && !(cJSON_IsString(name) && strcasecmp(name->valuestring, class_names[k]) == 0))
		k++;
	return k < n ? k : 7; /* none */
}

static void write_word(FILE *to, const cJSON *item, const char *key)
{
	const cJSON *word = cJSON_GetObjectItemCaseSensitive(item, key);

	json_text(to, cJSON_IsString(word) ? word->valuestring : "");
}

static void write_list(FILE *to, const char *key, const cJSON *items, const char *what)
{
	const cJSON *item;

	fprintf(to, ",\"%s\":[", key);
	cJSON_ArrayForEach(item, items)
	{
		const cJSON *value = cJSON_GetObjectItemCaseSensitive(item, what);

		if (strcmp(what, "class") == 0)
			fprintf(to, "%zu", class_number(item));
		else if (strcmp(what, "width") == 0)
			report_number(to, cJSON_IsNumber(value) ? value->valuedouble : NAN);
		else
			write_word(to, item, what);
		if (item->next)
			putc(',', to);
	}
	putc(']', to);
}

/* Of the boxes that list something, `what` (copies, weights), by their ids: the class of each, or its number. */
static void write_inner(FILE *to, const char *key, const cJSON *nodes, const char *what, const char *value)
{
	const cJSON *node, *inner;
	bool first = true;

	fprintf(to, ",\"%s\":{", key);
	cJSON_ArrayForEach(node, nodes)
	{
		const cJSON *list = cJSON_GetObjectItemCaseSensitive(node, what);

		if (!cJSON_IsArray(list))
			continue;
		fputs(first ? "" : ",", to);
		first = false;
		write_word(to, node, "svg");
		fputs(":[", to);
		cJSON_ArrayForEach(inner, list)
		{
			if (strcmp(value, "class") == 0)
				fprintf(to, "%zu", class_number(inner));
			else
				write_word(to, inner, value);
			fputs(inner->next ? "," : "", to);
		}
		putc(']', to);
	}
	putc('}', to);
}

/* How step k is drawn, in the order of the lists of ids. */
static bool write_step(struct pictures *p, size_t k, bool first, char *error, size_t n)
{
	ad_draw_options o = p->base;
	size_t size;
	char *text;
	cJSON *step;
	const cJSON *nodes, *edges;

	o.form = AD_DRAW_JSON;
	text = drawing(p, p->r->steps[k], &o, &size, error, n);
	step = text ? cJSON_ParseWithLength(text, size) : NULL;
	free(text);
	if (!step)
		return false;
	nodes = cJSON_GetObjectItemCaseSensitive(step, "nodes");
	edges = cJSON_GetObjectItemCaseSensitive(step, "edges");
	if (first) {
		write_list(p->r->to, "items", nodes, "svg");
		write_list(p->r->to, "edges", edges, "svg");
		fprintf(p->r->to, ",\"steps\":[");
	}
	fprintf(p->r->to, first ? "{\"loss\":" : ",{\"loss\":");
	report_number(p->r->to, record_step(p->r->record, p->r->steps[k]).loss);
	write_list(p->r->to, "edge_class", edges, "class");
	write_list(p->r->to, "edge_width", edges, "width");
	write_list(p->r->to, "edge_text", edges, "number");
	write_list(p->r->to, "item_class", nodes, "class");
	write_list(p->r->to, "item_text", nodes, "number");
	write_inner(p->r->to, "copies", nodes, "copies", "class");
	write_inner(p->r->to, "weight_class", nodes, "weights", "class");
	write_inner(p->r->to, "weight_text", nodes, "weights", "number");
	putc('}', p->r->to);
	cJSON_Delete(step);
	return true;
}

static void write_steps(struct pictures *p)
{
	char error[1024] = "out of memory";
	size_t k = 0;

	while (k < p->r->n_steps && write_step(p, k, k == 0, error, sizeof error))
		k++;
	if (k > 0)
		putc(']', p->r->to);
	if (k < p->r->n_steps)
		report_remark(p->r, "The diagram could not be drawn for all recorded steps: %s", error);
}

/* ---- all of it --------------------------------------------------------------------------------------- */

/* The recording to draw, evaluated forward and backward for the first batch; *gradients: it has some. */
static struct instance *evaluate(struct report *r, bool *gradients)
{
	ad_model *m = r->m;
	size_t batch = m->data.batch > 0 && m->data.batch < MOST_BATCH ? (size_t)m->data.batch : MOST_BATCH;
	struct instance *in;
	char error[1024];
	ad_node *start;
	int status;

	ad_keep_all(m->graph);
	in = first_batch(m, batch, true, &status, error, sizeof error);
	start = in ? start_of_gradients(in) : NULL;
	*gradients = start && model_gradients(m, in) && ad_backward(start) == AD_OK;
	if (*gradients)
		return in;
	report_remark(r, "The diagram shows no gradients: %s",
	            !in ? error : !start ? "the model has no loss" : ad_errmsg(m->graph));
	ad_clear(m->graph);
	return in ? in : any_batch(m, true, error, sizeof error);
}

static void write_text(struct report *r, const char *key, char *text)
{
	if (text) {
		fprintf(r->to, ",\"%s\":", key);
		json_text(r->to, text);
	}
	free(text);
}

/* The whole graph laid out; where it is too large, with fewer levels, which the drawings of steps then have,
 * too. */
static char *whole_picture(struct pictures *p, char *error, size_t n)
{
	char *svg = picture(p, &p->base, SECONDS / 2, MOST_PICTURE, error, n), unused[1024];
	int depth;

	for (depth = LESS_DEPTH; !svg && depth > 0; depth--) {
		p->base.depth = depth;
		svg = picture(p, &p->base, SECONDS / 4, MOST_PICTURE, unused, sizeof unused);
		if (svg)
			report_remark(p->r, "The diagram shows %d levels of modules, as all of them are too much: %s",
			              depth, error);
	}
	if (!svg)
		p->base.depth = 0;
	return svg;
}

static void write_pictures(struct pictures *p)
{
	struct report *r = p->r;
	char why[1024], error[1024], *svg = whole_picture(p, why, sizeof why), *nodes;
	ad_draw_options o = p->base;
	size_t size, last = p->y ? 0 : r->steps[r->n_steps - 1];

	o.form = AD_DRAW_JSON;
	nodes = drawing(p, last, &o, &size, error, sizeof error);
	if (nodes)
		fprintf(r->to, ",\"nodes\":%s", nodes);
	free(nodes);
	o.form = AD_DRAW_TEXT;
	write_text(r, "tree", drawing(p, last, &o, &size, error, sizeof error));
	if (!svg) {
		report_remark(r, "The graph is shown as a tree of text, not as a picture: %s", why);
		return;
	}
	write_text(r, "svg", svg);
	if (!p->y)
		write_steps(p);
	if (!r->live)
		write_modules(p);
}

void report_graph(struct report *r)
{
	struct pictures p = { .r = r, .until = now() + SECONDS };
	struct instance *in = NULL;
	ad_draw_layer *list = NULL;

	p.base = (ad_draw_options){ .gradients = true, .step = -1, .title = r->m->name };
	if (r->n_steps == 0) {
		in = evaluate(r, &p.base.gradients);
		if (!in)
			return;
		p.y = in->loss ? in->loss : in->output;
		p.base.reference = in->output != p.y ? in->output : NULL;
		p.base.layers = list = list_layers(r->m, &p.base.n_layers);
	}
	fprintf(r->to, ",\"graph\":{\"gradients\":%s", p.base.gradients ? "true" : "false");
	write_pictures(&p);
	putc('}', r->to);
	free(list);
}
