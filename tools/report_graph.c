/*
 * report_graph: the graph of a run as the pictures of its report.
 */
#include "report.h"
#include "render.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MOST_BATCH 256         /* samples that are evaluated */
#define MOST_MODULES 40        /* with a picture of their own */
#define MOST_PICTURE ((size_t)1500 << 10) /* bytes of an SVG */
#define MOST_PICTURES ((size_t)2500 << 10) /* of all of them */
#define SECONDS 20.0           /* for dot, in all */
#define MODULE_SECONDS 3.0     /* for one of the modules */

struct pictures {
	struct report *r;
	ad_node *y;
	ad_draw_options base;
	char folder[64]; /* for dot's files */
	double until;    /* on the monotonic clock */
	size_t bytes;    /* of the pictures so far */
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The drawing in the form that o names, from malloc; NULL with a sentence in error. */
static char *drawing(ad_node *y, const ad_draw_options *o, size_t *size, char *error, size_t n)
{
	char *text = NULL;
	FILE *to = open_memstream(&text, size);
	bool done = to && ad_draw(y, o, to, error, n);

	if (!to || fclose(to) != 0) {
		snprintf(error, n, "out of memory");
		done = false;
	}
	if (done)
		return text;
	free(text);
	return NULL;
}

/* The svg element of dot's file at path. */
static char *read_svg(const char *path, char *error, size_t n)
{
	FILE *file = fopen(path, "re");
	char *text = file ? malloc(MOST_PICTURE + 1) : NULL, *element;
	size_t length = text ? fread(text, 1, MOST_PICTURE + 1, file) : 0;

	if (file)
		fclose(file);
	if (length == 0 || length > MOST_PICTURE) {
		snprintf(error, n, length ? "the picture is larger than %zu KiB" : "it cannot be read",
		         MOST_PICTURE >> 10);
		free(text);
		return NULL;
	}
	text[length] = '\0';
	element = strstr(text, "<svg");
	if (element)
		memmove(text, element, strlen(element) + 1);
	return text;
}

/* The drawing laid out by dot, from malloc; NULL with a sentence in error. */
static char *picture(struct pictures *p, const ad_draw_options *o, double seconds, char *error, size_t n)
{
	char path[96], *dot, *svg = NULL;
	size_t size = 0;
	double left = p->until - now();

	if (left <= 0) {
		snprintf(error, n, "the others took dot %g seconds", SECONDS);
		return NULL;
	}
	dot = drawing(p->y, o, &size, error, n);
	snprintf(path, sizeof path, "%s/graph.svg", p->folder);
	if (dot && render_dot_within(dot, size, path, left < seconds ? left : seconds, NULL, error, n))
		svg = read_svg(path, error, n);
	unlink(path);
	free(dot);
	if (svg)
		p->bytes += strlen(svg);
	return svg;
}

/* ---- modules --------------------------------------------------------------------------------------- */

static bool listed(char *const paths[], size_t n, const char *path)
{
	for (size_t k = 0; k < n; k++)
		if (strcmp(paths[k], path) == 0)
			return true;
	return false;
}

/* The modules that get a picture, outer ones first. */
static size_t choose_modules(struct report *r, char *paths[MOST_MODULES])
{
	const ad_model *m = r->m;
	int deepest = 0, left = 0;
	size_t n = 0;

	for (int k = 0; k < m->n_rows; k++)
		deepest = m->rows[k].depth > deepest ? m->rows[k].depth : deepest;
	for (int depth = 0; depth <= deepest; depth++)
		for (int k = 0; k < m->n_rows; k++) {
			char *path = m->rows[k].depth == depth ? strdup(m->rows[k].path) : NULL;

			if (!path || listed(paths, n, path)) {
				free(path);
				continue;
			}
			if (n < MOST_MODULES) {
				paths[n++] = path;
				continue;
			}
			free(path);
			left++;
		}
	if (left > 0)
		report_remark(r, "Diagrams of their own are there for %zu modules, outer ones first, but not for "
		               "%d more.", n, left);
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
		svg = p->bytes < MOST_PICTURES ? picture(p, &o, MODULE_SECONDS, error, sizeof error) : NULL;
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

static void write_pictures(struct pictures *p)
{
	struct report *r = p->r;
	ad_draw_options o = p->base;
	char error[1024], *svg, *nodes;
	size_t size;

	o.form = AD_DRAW_JSON;
	nodes = drawing(p->y, &o, &size, error, sizeof error);
	if (nodes)
		fprintf(r->to, ",\"nodes\":%s", nodes);
	free(nodes);
	o.form = AD_DRAW_TEXT;
	write_text(r, "tree", drawing(p->y, &o, &size, error, sizeof error));
	svg = picture(p, &p->base, SECONDS, error, sizeof error);
	if (svg) {
		write_text(r, "svg", svg);
		write_modules(p);
	} else {
		report_remark(r, "The graph is shown as a tree of text, not as a picture: %s", error);
	}
}

void report_graph(struct report *r)
{
	struct pictures p = { .r = r, .folder = "/tmp/autograd-report-XXXXXX", .until = now() + SECONDS };
	bool gradients;
	struct instance *in = evaluate(r, &gradients);
	ad_draw_layer *list;

	if (!in)
		return;
	p.y = in->loss ? in->loss : in->output;
	p.base = (ad_draw_options){ .gradients = gradients, .step = -1, .title = r->m->name,
		                    .rate = draw_rate(r->m),
		                    .reference = in->output != p.y ? in->output : NULL };
	p.base.layers = list = draw_layers(r->m, &p.base.n_layers);
	if (!mkdtemp(p.folder)) {
		report_remark(r, "There is no diagram: no folder for it in /tmp: %s", strerror(errno));
	} else {
		fprintf(r->to, ",\"graph\":{\"gradients\":%s", gradients ? "true" : "false");
		write_pictures(&p);
		putc('}', r->to);
		rmdir(p.folder);
	}
	free(list);
}
