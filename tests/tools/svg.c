/*
 * svg: the pictures that dot makes of our diagrams, read by an XML parser: well-formed whatever the
 * names, with ids, classes and titles.
 *
 * The parser is the library expat, which dot itself needs, opened at run time.
 */
#include "autograd_draw.h"
#include "render.h"
#include "svg.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct parser parser;
typedef void start_function(void *seen, const char *name, const char **attributes);
typedef void end_function(void *seen, const char *name);
typedef void text_function(void *seen, const char *text, int n);

static struct {
	parser *(*create)(const char *encoding);
	void (*free)(parser *);
	int (*parse)(parser *, const char *text, int n, int last);
	void (*set_elements)(parser *, start_function *, end_function *);
	void (*set_text)(parser *, text_function *);
	void (*set_data)(parser *, void *);
	int (*line)(parser *);
} xml;

static void open_parser(void)
{
	static const char *const names[] = {
		"XML_ParserCreate",          "XML_ParserFree",  "XML_Parse", "XML_SetElementHandler",
		"XML_SetCharacterDataHandler", "XML_SetUserData", "XML_GetCurrentLineNumber",
	};
	void *library = dlopen("libexpat.so.1", RTLD_NOW);

	cr_assert(library, "%s", dlerror());
	for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
		void *at = dlsym(library, names[k]);

		cr_assert(at, "%s", names[k]);
		memcpy((char *)&xml + k * sizeof at, &at, sizeof at);
	}
}

/* What stands in a picture. */
struct seen {
	char ids[400][64];
	char titles[400][512]; /* of the object with that id; "" */
	char classes[400][64];
	size_t n;
	bool in_title;
	char role[64];
};

static void start_element(void *data, const char *name, const char **attributes)
{
	struct seen *s = data;

	s->in_title = !strcmp(name, "title");
	for (; attributes[0]; attributes += 2) {
		if (!strcmp(attributes[0], "role"))
			snprintf(s->role, sizeof s->role, "%s", attributes[1]);
		if (!strcmp(attributes[0], "class") && s->n > 0)
			snprintf(s->classes[s->n - 1], 64, "%s", attributes[1]);
		if (strcmp(attributes[0], "id") != 0 || !strncmp(attributes[1], "a_", 2))
			continue;
		cr_assert_lt(s->n, 400);
		for (size_t k = 0; k < s->n; k++)
			cr_expect_str_neq(s->ids[k], attributes[1], "ids are unique");
		snprintf(s->ids[s->n++], 64, "%s", attributes[1]);
	}
}

static void end_element(void *data, const char *name)
{
	((struct seen *)data)->in_title = false;
}

static void see_text(void *data, const char *text, int n)
{
	struct seen *s = data;
	char *title = s->n > 0 ? s->titles[s->n - 1] : NULL;
	size_t at = title ? strlen(title) : 0;

	if (s->in_title && title && at + (size_t)n < sizeof s->titles[0])
		snprintf(title + at, sizeof s->titles[0] - at, "%.*s", n, text);
}

static void parse(const char *svg, size_t size, struct seen *s)
{
	parser *p;

	open_parser();
	p = xml.create(NULL);
	xml.set_data(p, s);
	xml.set_elements(p, start_element, end_element);
	xml.set_text(p, see_text);
	cr_expect(xml.parse(p, svg, (int)size, 1), "not well-formed in line %d", xml.line(p));
	xml.free(p);
}

static char *read_whole(const char *path, size_t *size)
{
	FILE *f = fopen(path, "r");
	char *text;

	cr_assert(f, "%s", path);
	fseek(f, 0, SEEK_END);
	*size = (size_t)ftell(f);
	rewind(f);
	text = calloc(*size + 1, 1);
	cr_assert_eq(fread(text, 1, *size, f), *size);
	fclose(f);
	return text;
}

/* The picture of y in that form. */
static char *picture(ad_node *y, const ad_draw_options *o, const char *ending, size_t *size)
{
	char path[64] = "/tmp/autograd-svg-XXXXXX", file[80], error[512] = "", *dot = NULL, *text;
	FILE *to = open_memstream(&dot, size);

	cr_assert(to && ad_draw(y, o, to, error, sizeof error), "%s", error);
	fclose(to);
	cr_assert(mkdtemp(path));
	snprintf(file, sizeof file, "%s/p.%s", path, ending);
	cr_assert(render_dot(dot, *size, file, error, sizeof error), "%s", error);
	text = read_whole(file, size);
	unlink(file);
	rmdir(path);
	free(dot);
	return text;
}

static const char *title_of(const struct seen *s, const char *id)
{
	for (size_t k = 0; k < s->n; k++)
		if (!strcmp(s->ids[k], id))
			return s->titles[k];
	return "(absent)";
}

static ad_node *hostile(ad_graph *g)
{
	ad_node *x, *w, *y;

	ad_keep_all(g);
	x = ad_input(g, "</title>\"];a->b[\\", AD_REAL, AD_SHAPE(2));
	ad_set_item(x, 1);
	w = ad_param(g, "\xe2\x80\xae\xff\x01<script>&amp;", AD_SHAPE(2));
	ad_scope_begin(g, "&bogus;\\N<!--");
	y = ad_sigmoid(ad_tanh(ad_mul(x, w)));
	ad_scope_end(g);
	y = ad_name(ad_mean(y, AD_ALL, false), "]]>loss\n\t\\");
	cr_assert_eq(ad_backward(y), AD_OK);
	return y;
}

Test(svg, hostile_names_are_well_formed)
{
	ad_graph *g = ad_open();
	ad_node *y = hostile(g);
	ad_draw_options o = { .gradients = true, .step = -1, .title = "\"><svg onload='x'>\\" };
	struct seen *s = calloc(2, sizeof *s);
	size_t size;
	char *svg;

	cr_assert(s);
	svg = picture(y, &o, "svg", &size);
	parse(svg, size, &s[0]);
	cr_expect_str_eq(s[0].role, "graphics-document");
	cr_expect(strstr(title_of(&s[0], "n1"), "input </title>\"];a->b[\\"), "%s",
	          title_of(&s[0], "n1"));
	cr_expect(strstr(title_of(&s[0], "c0_0"), "&bogus;\\N<!--: 3 ops"), "%s",
	          title_of(&s[0], "c0_0"));
	free(svg);
	o.view = AD_VIEW_CIRCUIT;
	svg = picture(y, &o, "svg", &size);
	parse(svg, size, &s[1]);
	cr_expect_gt(s[1].n, 5);
	free(svg);
	free(s);
	ad_close(g);
}

/* What a page relies on: n17 and e17_3 with a class, and the same names in the JSON form. */
Test(svg, ids_are_those_of_the_json)
{
	ad_graph *g = ad_open();
	ad_node *x = ad_input(g, "x", AD_REAL, AD_SHAPE(2)), *w, *y;
	ad_draw_options o = { .gradients = true, .step = 3, .title = "ids", .form = AD_DRAW_JSON };
	struct seen *s = calloc(1, sizeof *s);
	char error[256], *json = NULL, *svg, key[96];
	size_t size, found = 0;
	FILE *to = open_memstream(&json, &size);

	cr_assert(s && to);
	ad_keep_all(g);
	ad_set_item(x, 1);
	w = ad_param(g, "w", AD_SHAPE(2));
	y = ad_mean(ad_square(ad_mul(x, w)), AD_ALL, false);
	cr_assert_eq(ad_backward(y), AD_OK);
	cr_assert(ad_draw(y, &o, to, error, sizeof error));
	fclose(to);
	o.form = AD_DRAW_DOT;
	svg = picture(y, &o, "svg", &size);
	parse(svg, size, s);
	for (size_t k = 0; k < s->n; k++) {
		if (s->ids[k][0] != 'n' && s->ids[k][0] != 'e')
			continue;
		found++;
		snprintf(key, sizeof key, "\"svg\": \"%s\"", s->ids[k]);
		cr_expect(strstr(json, key), "%s in %s", key, json);
		cr_expect(!strncmp(s->classes[k], s->ids[k][0] == 'n' ? "node " : "edge gradient ",
		                   5),
		          "%s: %s", s->ids[k], s->classes[k]);
		cr_expect_str_neq(s->titles[k], s->ids[k]);
	}
	cr_expect_eq(found, 5 + 4);
	cr_expect(strstr(title_of(s, "graph0"), "ids") && strstr(title_of(s, "graph0"), "step 3"));
	cr_expect(strstr(json, "\"width\": ") && strstr(json, "\"number\": \""));
	free(svg);
	free(json);
	free(s);
	svg = picture(y, &o, "pdf", &size);
	cr_expect(!strncmp(svg, "%PDF-", 5));
	free(svg);
	ad_close(g);
}

/* What is not as dot writes it stays as it is. */
Test(svg, other_text_is_left_alone)
{
	static const char *const texts[] = { "", "<svg ", "<title>", "<svg ><title></title>",
		                             "<title>a</title><title>b</title>\n<g id=\"a_",
		                             "<title>a</title>\n<text ><title>b</title>\n" };
	size_t n;

	for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++) {
		char *copy = malloc(strlen(texts[k]) + 1), *out;

		/* exactly as long as it is, for the sanitizer */
		memcpy(copy, texts[k], strlen(texts[k]));
		out = svg_with_titles(copy, strlen(texts[k]), &n);
		cr_expect(out);
		free(out);
		free(copy);
	}
}
