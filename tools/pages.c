/*
 * pages: writes a page of HTML for each module of a graph, with a picture of what is in it.
 *
 * A page is named by the number of its module, never by text of users. Modules in it are closed and lead to
 * their own pages, as do the frames around it and the names above the picture.
 */
#include "pages.h"
#include "edges.h"
#include "file.h"
#include "html.h"
#include "render.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_PATH 1024
#define LEAST_OPS 2 /* of a module that has a page: one op is seen in its box */
#define ROOT SIZE_MAX

struct page {
	char *path;    /* of the module */
	int scope;     /* the first one of that path */
	size_t ops, depth;
	size_t parent; /* page, or ROOT */
	char file[24];
};

struct book {
	size_t n;
	struct page *pages;
	struct page **by_path;
	size_t modules;  /* that should have one */
};

/* ---- the modules ------------------------------------------------------------------------------ */

/* The path of a scope as drawings have it. */
static char *path_of(const ad_graph *g, int scope)
{
	char text[MOST_PATH];
	size_t at = sizeof text - 1;

	text[at] = '\0';
	for (; scope > 0; scope = ad_scope_parent(g, scope)) {
		const char *name = ad_scope_name(g, scope);
		size_t size = strlen(name), dot = text[at] != '\0';

		if (size + dot > at)
			break;
		if (dot)
			text[--at] = '.';
		at -= size;
		memcpy(text + at, name, size);
	}
	return strdup(text + at);
}

/* How many ops below y each scope holds, those of inner ones included. NULL: no memory. */
static size_t *count_ops(ad_node *y)
{
	const ad_graph *g = ad_graph_of(y);
	int n = ad_scopes(g);
	size_t *ops = calloc((size_t)n + 1, sizeof *ops);
	struct edges edges;
	const ad_node *last = NULL;

	if (!ops || !edges_list(y, &edges)) {
		free(ops);
		return NULL;
	}
	for (size_t k = 0; k < edges.n; k++) {
		const ad_node *x = edges.of[k].node;

		/* Edges of one node stand together. */
		if (x != last && ad_op_of(x))
			ops[ad_scope_of(x) > 0 ? ad_scope_of(x) : 0]++;
		last = x;
	}
	edges_free(&edges);
	for (int s = n; s-- > 1;)
		ops[ad_scope_parent(g, s) > 0 ? ad_scope_parent(g, s) : 0] += ops[s];
	return ops;
}

static int outermost_first(const void *a, const void *b)
{
	const struct page *x = a, *y = b;

	if (x->depth != y->depth)
		return x->depth < y->depth ? -1 : 1;
	return x->scope < y->scope ? -1 : 1;
}

/* Of equal paths that of the outermost, then of the first one. */
static int by_path(const void *a, const void *b)
{
	const struct page *x = *(struct page *const *)a, *y = *(struct page *const *)b;
	int order = strcmp(x->path, y->path);

	return order ? order : outermost_first(x, y);
}

static const struct page *find_page(const struct book *b, const char *path)
{
	size_t low = 0, high = b->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(path, b->by_path[middle]->path);

		if (order == 0)
			return b->by_path[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* The page of the innermost module around one, or ROOT. */
static size_t page_around(const struct book *b, const ad_graph *g, int scope)
{
	while ((scope = ad_scope_parent(g, scope)) > 0)
		for (size_t k = 0; k < b->n; k++)
			if (b->pages[k].scope == scope)
				return k;
	return ROOT;
}

static void close_book(struct book *b)
{
	for (size_t k = 0; k < b->n; k++)
		free(b->pages[k].path);
	free(b->pages);
	free(b->by_path);
}

/* Lists every module of two ops and more. */
static bool list_modules(struct book *b, const ad_graph *g, const size_t ops[])
{
	for (int s = 1; s < ad_scopes(g); s++) {
		struct page *p = &b->pages[b->n];

		if (ops[s] < LEAST_OPS)
			continue;
		*p = (struct page){ .path = path_of(g, s), .scope = s, .ops = ops[s] };
		if (!p->path)
			return false;
		if (!*p->path) { /* too long a name: nothing could be said of it */
			free(p->path);
			continue;
		}
		for (int up = s; up > 0; up = ad_scope_parent(g, up))
			p->depth++;
		b->n++;
	}
	qsort(b->pages, b->n, sizeof *b->pages, outermost_first);
	return true;
}

static void sort_by_path(struct book *b)
{
	for (size_t k = 0; k < b->n; k++)
		b->by_path[k] = &b->pages[k];
	if (b->n > 0)
		qsort(b->by_path, b->n, sizeof *b->by_path, by_path);
}

/* Modules of one path, as of one that is used twice, share the page of the first. */
static bool open_book(struct book *b, ad_node *y)
{
	const ad_graph *g = ad_graph_of(y);
	size_t *ops = count_ops(y), all, n = 0;
	bool good;

	*b = (struct book){ .pages = calloc((size_t)ad_scopes(g) + 1, sizeof *b->pages),
		            .by_path = calloc((size_t)ad_scopes(g) + 1, sizeof *b->by_path) };
	good = ops && b->pages && b->by_path && list_modules(b, g, ops);
	free(ops);
	if (!good) {
		close_book(b);
		return false;
	}
	sort_by_path(b);
	for (size_t k = 1; k < b->n; k++)
		if (strcmp(b->by_path[k - 1]->path, b->by_path[k]->path) == 0)
			b->by_path[k]->ops = 0;
	all = b->n;
	for (size_t k = 0; k < all; k++) {
		b->modules += b->pages[k].ops > 0;
		if (b->pages[k].ops == 0 || n == MOST_PAGES - 1) {
			free(b->pages[k].path);
			continue;
		}
		b->pages[n] = b->pages[k];
		n++;
		snprintf(b->pages[n - 1].file, sizeof b->pages->file, "m%zu.html", n);
	}
	b->n = n;
	sort_by_path(b);
	for (size_t k = 0; k < b->n; k++)
		b->pages[k].parent = page_around(b, g, b->pages[k].scope);
	return true;
}

/* ---- a page ----------------------------------------------------------------------------------- */

struct linking {
	const struct book *book;
	const struct page *own; /* NULL: the whole */
};

static const char *link_to(void *context, const char *path)
{
	const struct linking *l = context;
	const struct page *p = find_page(l->book, path);

	return p && p != l->own ? p->file : NULL;
}

/* The picture of a module, or of all; NULL with *late: dot took too long. */
static char *draw_page(const struct subject *s, const ad_draw_options *base, const struct linking *l,
                       double seconds, bool *late, char *error, size_t n)
{
	struct linking linking = *l;
	ad_draw_options o = *base;
	char *text, *svg;
	size_t size = 0;

	*late = false;
	o.view = AD_VIEW_FLOW;
	o.module = l->own ? l->own->path : NULL;
	o.depth = 1;
	o.link = link_to;
	o.link_context = &linking;
	text = drawing_text(s, &o, &size, error, n);
	svg = text ? render_svg(text, size, seconds, late, error, n) : NULL;
	free(text);
	return svg;
}

static const char *last_name(const struct book *b, const struct page *p)
{
	size_t size = p->parent == ROOT ? 0 : strlen(b->pages[p->parent].path);

	return size && strlen(p->path) > size + 1 ? p->path + size + 1 : p->path;
}

static void put_link(FILE *to, const char *file, const char *name)
{
	fprintf(to, "<a href=\"%s\">", file);
	html_text(to, name);
	fputs("</a>", to);
}

/* The names of the modules around, each a link, and of this one. */
static void put_trail(FILE *to, const struct book *b, const struct page *own, const char *title)
{
	size_t chain[64], n = 0;

	if (!own) {
		fputs("<strong>", to);
		html_text(to, title);
		fputs("</strong>", to);
		return;
	}
	for (size_t k = own->parent; k != ROOT && n < 64; k = b->pages[k].parent)
		chain[n++] = k;
	put_link(to, "index.html", title);
	while (n > 0) {
		fputs(" &#8250; ", to);
		n--;
		put_link(to, b->pages[chain[n]].file, last_name(b, &b->pages[chain[n]]));
	}
	fputs(" &#8250; <strong>", to);
	html_text(to, last_name(b, own));
	fputs("</strong>", to);
}

/* Links to the modules inside, and to those before and after it. */
static void put_neighbours(FILE *to, const struct book *b, const struct page *own)
{
	size_t self = own ? (size_t)(own - b->pages) : ROOT, before = ROOT, after = ROOT;
	bool first = true;

	for (size_t k = 0; own && k < b->n; k++)
		if (b->pages[k].parent == own->parent && k != self) {
			before = k < self ? k : before;
			after = k > self && after == ROOT ? k : after;
		}
	fputs("<nav>", to);
	if (before != ROOT) {
		fputs("&#9664; ", to);
		put_link(to, b->pages[before].file, last_name(b, &b->pages[before]));
		fputs(" ", to);
	}
	if (after != ROOT) {
		put_link(to, b->pages[after].file, last_name(b, &b->pages[after]));
		fputs(" &#9654; ", to);
	}
	for (size_t k = 0; k < b->n; k++) {
		if (b->pages[k].parent != self)
			continue;
		fputs(first ? "inside: " : ", ", to);
		put_link(to, b->pages[k].file, last_name(b, &b->pages[k]));
		first = false;
	}
	fputs("</nav>\n", to);
}

static void put_page(FILE *to, const struct book *b, const struct page *own, const char *title,
                     const char *svg)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
	      "<meta name=\"viewport\" content=\"width=device-width\"/>\n<title>",
	      to);
	html_text(to, title);
	if (own) {
		fputs(": ", to);
		html_text(to, own->path);
	}
	fputs("</title>\n<style>\n"
	      "body { margin: 0; font: 15px sans-serif; color: black; background: white }\n"
	      "header { position: sticky; top: 0; left: 0; padding: 8px 12px; background: white;\n"
	      "         border-bottom: 1px solid #cccccc }\n"
	      "nav { margin-top: 4px; font-size: 13px; max-height: 6em; overflow: auto }\n"
	      "main { padding: 8px 12px }\n"
	      "svg a:hover *, svg a:focus * { text-decoration: underline }\n"
	      "</style>\n</head>\n<body>\n<header>",
	      to);
	put_trail(to, b, own, title);
	put_neighbours(to, b, own);
	fputs("</header>\n<main>\n", to);
	if (svg)
		fputs(svg, to);
	else
		fprintf(to, "<p>dot takes too long for the picture of these %zu ops.</p>\n", own ? own->ops : 0);
	fputs("</main>\n</body>\n</html>\n", to);
}

static bool write_page(const struct subject *s, const ad_draw_options *o, const struct book *b,
                       const struct page *own, const char *folder, double seconds,
                       struct pages_written *written, char *error, size_t n)
{
	const char *title = s->m->name ? s->m->name : "model";
	char *path = join_path(folder, own ? own->file : "index.html"), *text = NULL, *svg;
	const struct linking linking = { b, own };
	size_t size = 0;
	bool late, good = false;
	FILE *to;

	svg = draw_page(s, o, &linking, seconds, &late, error, n);
	if (path && (svg || late)) {
		to = open_memstream(&text, &size);
		if (to)
			put_page(to, b, own, title, svg);
		if (!to || fclose(to) != 0)
			failure_memory(error, n, path, 0);
		else
			good = save_text(path, text, size, error, n);
	} else if (!path) {
		failure_memory(error, n, folder, 0);
	}
	written->pages += good;
	written->undrawn += good && !svg;
	free(text);
	free(svg);
	free(path);
	return good;
}

bool pages_write(const struct subject *s, const ad_draw_options *o, const char *folder, double seconds,
                 struct pages_written *to, char *error, size_t n)
{
	ad_node *y = s->record ? record_node(s->record, s->m, error, n) : s->y;
	struct book book;
	bool good;

	*to = (struct pages_written){ 0 };
	if (!y)
		return false;
	if (mkdir(folder, 0777) != 0 && errno != EEXIST)
		return failure(error, n, "cannot make the folder '%s': %s", folder, strerror(errno));
	if (!open_book(&book, y))
		return failure_memory(error, n, folder, 0);
	good = write_page(s, o, &book, NULL, folder, seconds, to, error, n);
	for (size_t k = 0; k < book.n && good; k++)
		good = write_page(s, o, &book, &book.pages[k], folder, seconds, to, error, n);
	to->left_out = book.modules - book.n;
	close_book(&book);
	return good;
}
