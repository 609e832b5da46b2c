/*
 * steps: writes the pictures of a training's steps and the page that goes through them.
 */
#include "steps.h"
#include "command.h"
#include "file.h"
#include "html.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DOT_SECONDS 10 /* for a picture while a training waits */

bool steps_open(struct steps *s, const char *run, char *error, size_t n)
{
	free(s->folder);
	s->folder = join_path(run, "grad");
	if (!s->folder)
		return failure_memory(error, n, "the pictures of steps", 0);
	if (mkdir(s->folder, 0777) != 0 && errno != EEXIST)
		return failure(error, n, "cannot make the folder '%s': %s", s->folder, strerror(errno));
	return true;
}

void steps_free(struct steps *s)
{
	free(s->folder);
	s->folder = NULL;
}

char *steps_path(const struct steps *s, int64_t step, const char *ending)
{
	char name[64];

	snprintf(name, sizeof name, "step-%06" PRId64 "%s", step, ending);
	return join_path(s->folder, name);
}

/* ---- the page --------------------------------------------------------------------------------- */

/* The step of a picture's name; -1: it is none. */
static int64_t step_of(const char *name)
{
	size_t digits;

	if (strncmp(name, "step-", 5) != 0)
		return -1;
	digits = strspn(name + 5, "0123456789");
	if (digits < 6 || digits > 15 || strcmp(name + 5 + digits, ".svg") != 0)
		return -1;
	return strtoll(name + 5, NULL, 10);
}

static int by_number(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* The steps that have pictures, in order; from malloc. */
static int64_t *list_steps(const char *folder, size_t *count)
{
	DIR *list = opendir(folder);
	int64_t *steps = NULL;
	bool good = list != NULL;

	*count = 0;
	for (struct dirent *entry; good && (entry = readdir(list));) {
		int64_t step = step_of(entry->d_name), *more;

		if (step < 0)
			continue;
		if ((*count & (*count - 1)) == 0) {
			more = realloc(steps, (*count ? 2 * *count : 1) * sizeof *steps);
			good = more != NULL;
			steps = good ? more : steps;
		}
		if (good)
			steps[(*count)++] = step;
	}
	if (list)
		closedir(list);
	if (!good) {
		free(steps);
		return NULL;
	}
	if (*count > 0)
		qsort(steps, *count, sizeof *steps, by_number);
	return steps;
}

static void write_page(FILE *to, const char *title, size_t n, const int64_t steps[])
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width\">\n<title>",
	      to);
	html_text(to, title);
	fputs(": gradients step by step</title>\n"
	      "<style>\n"
	      ":root { color-scheme: light dark }\n"
	      "body { margin: 0; font: 15px sans-serif }\n"
	      "header { position: sticky; top: 0; left: 0; padding: 8px 12px; background: Canvas;\n"
	      "         border-bottom: 1px solid GrayText; display: flex; gap: 12px; align-items: center }\n"
	      "input { flex: 1; min-width: 8em }\n"
	      "button { font: inherit; min-width: 2.4em }\n"
	      "output { min-width: 8em; font-variant-numeric: tabular-nums }\n"
	      "img { display: block; background: white; max-width: none; margin: 0 auto }\n"
	      "img.fit { max-width: 100% }\n"
	      "</style>\n<header><strong>",
	      to);
	html_text(to, title);
	fputs("</strong>\n<button id=\"back\" title=\"left arrow\">&#9664;</button>\n"
	      "<input id=\"at\" type=\"range\" min=\"0\" step=\"1\" aria-label=\"step\">\n"
	      "<button id=\"on\" title=\"right arrow\">&#9654;</button>\n"
	      "<button id=\"play\" title=\"space\">play</button>\n"
	      "<button id=\"fit\" title=\"f\">fit</button>\n"
	      "<output id=\"step\"></output></header>\n"
	      "<main><img id=\"picture\" class=\"fit\" alt=\"\"></main>\n<script>\n\"use strict\";\nconst steps = [",
	      to);
	for (size_t k = 0; k < n; k++)
		fprintf(to, "%s%" PRId64, k == 0 ? "" : k % 20 ? ", " : ",\n", steps[k]);
	fputs("];\n"
	      "const get = id => document.getElementById(id), ready = new Map();\n"
	      "const file = k => `step-${String(steps[k]).padStart(6, \"0\")}.svg`;\n"
	      "const first = steps.indexOf(Number(location.hash.slice(1)));\n"
	      "let at = first < 0 ? steps.length - 1 : first, timer = 0;\n"
	      "\n"
	      "function load(k) {\n"
	      "\tif (k < 0 || k >= steps.length || ready.has(k))\n"
	      "\t\treturn;\n"
	      "\tconst image = new Image();\n"
	      "\timage.src = file(k);\n"
	      "\tready.set(k, image);\n"
	      "}\n"
	      "\n"
	      "function show(k) {\n"
	      "\tat = Math.max(0, Math.min(steps.length - 1, k));\n"
	      "\tget(\"picture\").src = file(at);\n"
	      "\tget(\"picture\").alt = `the gradients in step ${steps[at]}`;\n"
	      "\tget(\"at\").value = at;\n"
	      "\tget(\"at\").setAttribute(\"aria-valuetext\", `step ${steps[at]}`);\n"
	      "\tget(\"step\").value = `step ${steps[at].toLocaleString(\"en\")}, ${at + 1} of ${steps.length}`;\n"
	      "\thistory.replaceState(null, \"\", \"#\" + steps[at]);\n"
	      "\tfor (let near = 1; near <= 4; near++) {\n"
	      "\t\tload(at + near);\n"
	      "\t\tload(at - near);\n"
	      "\t}\n"
	      "}\n"
	      "\n"
	      "function stop() {\n"
	      "\tclearInterval(timer);\n"
	      "\ttimer = 0;\n"
	      "\tget(\"play\").textContent = \"play\";\n"
	      "}\n"
	      "\n"
	      "function play() {\n"
	      "\tif (timer)\n"
	      "\t\treturn stop();\n"
	      "\tif (at === steps.length - 1)\n"
	      "\t\tshow(0);\n"
	      "\tget(\"play\").textContent = \"stop\";\n"
	      "\ttimer = setInterval(() => at < steps.length - 1 ? show(at + 1) : stop(), 400);\n"
	      "}\n"
	      "\n"
	      "const fit = () => get(\"picture\").classList.toggle(\"fit\");\n"
	      "const keys = {\n"
	      "\tArrowLeft: () => show(at - 1), ArrowRight: () => show(at + 1), Home: () => show(0),\n"
	      "\tEnd: () => show(steps.length - 1), \" \": play, f: fit\n"
	      "};\n"
	      "get(\"at\").max = steps.length - 1;\n"
	      "get(\"at\").oninput = e => { stop(); show(Number(e.target.value)); };\n"
	      "get(\"back\").onclick = () => show(at - 1);\n"
	      "get(\"on\").onclick = () => show(at + 1);\n"
	      "get(\"play\").onclick = play;\n"
	      "get(\"fit\").onclick = fit;\n"
	      "document.addEventListener(\"keydown\", e => {\n"
	      "\tif (e.ctrlKey || e.metaKey || e.altKey || !keys[e.key])\n"
	      "\t\treturn;\n"
	      "\te.preventDefault();\n"
	      "\tkeys[e.key]();\n"
	      "});\n"
	      "show(at);\n"
	      "</script>\n</html>\n",
	      to);
}

bool steps_write_page(const struct steps *s, const char *title, char *error, size_t n)
{
	char *path = join_path(s->folder, "index.html"), *text = NULL;
	size_t size = 0, count = 0;
	int64_t *steps = list_steps(s->folder, &count);
	FILE *to = path && (steps || count == 0) ? open_memstream(&text, &size) : NULL;
	bool good = to != NULL;

	if (good && count > 0)
		write_page(to, title, count, steps);
	if (to && fclose(to) != 0)
		good = false;
	if (!good)
		failure_memory(error, n, "grad/index.html", 0);
	else if (count > 0)
		good = save_text(path, text, size, error, n);
	free(text);
	free(steps);
	free(path);
	return good;
}

/* ---- while training ---------------------------------------------------------------------------- */

static void note(const struct steps *s, const char *what, const char *why)
{
	if (!s->quiet)
		fprintf(stderr, "note: %s: %s\n", what, why);
}

static bool draw_step(const struct steps *s, ad_model *copy, int64_t step, const char *ending, char *error,
                      size_t n)
{
	char *path = steps_path(s, step, ending);
	struct drawing d = { .path = path,
		             .view = AD_VIEW_AUTO,
		             .gradients = true,
		             .step = step,
		             .seconds = DOT_SECONDS };
	bool good = path ? draw_instance(copy, copy->active, &d, error, n) == EXIT_DONE
	                 : failure_memory(error, n, "the picture of a step", 0);

	free(path);
	return good;
}

void steps_draw(void *context, ad_model *copy, const char *run, int64_t step)
{
	struct steps *s = context;
	char error[1024] = "";

	if (s->failed)
		return;
	if (!s->folder && !steps_open(s, run, error, sizeof error)) {
		note(s, "no pictures of gradients", error);
		s->failed = true;
		return;
	}
	if (!s->without_dot && !draw_step(s, copy, step, ".svg", error, sizeof error)) {
		note(s, "the gradients of steps are written as .dot files", error);
		s->without_dot = true;
	}
	if (s->without_dot && !draw_step(s, copy, step, ".dot", error, sizeof error)) {
		note(s, "no more pictures of gradients", error);
		s->failed = true;
	}
	if (s->without_dot)
		return;
	s->pictures++;
	if (!steps_write_page(s, copy->name ? copy->name : "model", error, sizeof error)) {
		note(s, "no page for the pictures of gradients", error);
		s->failed = true;
	}
}
