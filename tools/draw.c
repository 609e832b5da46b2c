/*
 * draw: a diagram as DOT, built with libcgraph. The only file that knows it.
 *
 * Only calls that behave alike from version 2.42 on are used, one thread at a time, as cgraph
 * shares state even between graphs. Attributes are declared on the root first: declared on a
 * subgraph, they would leak to the root. Names are n17, f17, cluster_c17_1; text of users appears in
 * labels and tooltips only, through put_escaped.
 */
#include "drawing.h"

#include <graphviz/cgraph.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_COLOUR "#00674f"
#define GRADIENT_COLOUR "#b3261e"
#define NAN_COLOUR "#d100d1"
#define SHARED_COLOUR "#8b5a2b"
#define SAVED_COLOUR "#fde3c8"
#define LABEL_CHARACTERS 60
#define TOOLTIP_CHARACTERS 200
#define MOST_WEIGHTS 4 /* named in the box of a layer */

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

/* ---- text ---------------------------------------------------------------------------------- */

struct text {
	char *s;
	size_t n, cap;
	bool failed;
};

static void put_bytes(struct text *t, const char *s, size_t n)
{
	if (t->n + n + 1 > t->cap) {
		size_t cap = 2 * (t->n + n + 128);
		char *wider = realloc(t->s, cap);

		if (!wider) {
			t->failed = true;
			return;
		}
		t->s = wider;
		t->cap = cap;
	}
	memcpy(t->s + t->n, s, n);
	t->n += n;
	t->s[t->n] = 0;
}

static void put(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Text of our own and numbers: at most 1,000 bytes a call. */
static void put(struct text *t, const char *format, ...)
{
	char piece[1024];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(piece, sizeof piece, format, args);
	va_end(args);
	if (n > 0)
		put_bytes(t, piece, (size_t)n < sizeof piece ? (size_t)n : sizeof piece - 1);
}

static const char *start(struct text *t)
{
	t->n = 0;
	put_bytes(t, "", 0);
	return t->s;
}

/* The character at s and how many bytes it takes; U+FFFD for a byte that is no valid UTF-8. */
uint32_t drawing_character_at(const unsigned char *s, size_t *bytes)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = s[0] < 0x80       ? 1
	           : s[0] >> 5 == 6  ? 2
	           : s[0] >> 4 == 14 ? 3
	           : s[0] >> 3 == 30 ? 4
	                             : 0;
	uint32_t c = n == 1 ? s[0] : s[0] & (0x7f >> n);

	*bytes = 1;
	if (n == 0)
		return 0xfffd;
	for (size_t k = 1; k < n; k++) {
		if ((s[k] & 0xc0) != 0x80)
			return 0xfffd;
		c = c << 6 | (s[k] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0xfffd;
	*bytes = n;
	return c;
}

/* Controls, marks that turn the direction of writing, what XML forbids. */
bool drawing_is_unprintable(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
	       (c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef);
}

/* The text of a user, as it may stand in an HTML label and in an attribute: entities for what has a
 * meaning there, U+FFFD for what is unprintable, cut at `most` characters. dot reads a doubled
 * backslash as one in a label, and a doubled pair in a tooltip. */
static void put_user_text(struct text *t, const char *text, size_t most, const char *backslash)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t bytes;

	for (size_t k = 0; *s; k++, s += bytes) {
		uint32_t c = drawing_character_at(s, &bytes);

		if (k == most) {
			put(t, "\xe2\x80\xa6");
			return;
		}
		if (c == '&')
			put(t, "&amp;");
		else if (c == '<')
			put(t, "&lt;");
		else if (c == '>')
			put(t, "&gt;");
		else if (c == '"')
			put(t, "&quot;");
		else if (c == '\\')
			put(t, "%s", backslash);
		else if (c == '\t' || c == '\n' || c == '\r')
			put(t, " ");
		else if (c == 0xfffd || drawing_is_unprintable(c))
			put(t, "\xef\xbf\xbd");
		else
			put_bytes(t, (const char *)s, bytes);
	}
}

static void put_escaped(struct text *t, const char *text)
{
	put_user_text(t, text, LABEL_CHARACTERS, "&#92;&#92;");
}

static void put_tooltip(struct text *t, const char *text)
{
	put_user_text(t, text, TOOLTIP_CHARACTERS, "&#92;&#92;&#92;&#92;");
}

/* 1e-05 as 1e-5, -0 as 0. */
static void tidy_number(char *text)
{
	char *e = strchr(text, 'e'), *from, *to;

	if (!strcmp(text, "-0"))
		memmove(text, "0", 2);
	if (!e)
		return;
	to = e + 1;
	if (*to == '-')
		to++;
	from = e + 2;
	while (*from == '0' && from[1])
		from++;
	memmove(to, from, strlen(from) + 1);
}

/* A number to be read: four digits. text holds 32 bytes. */
static const char *value_text(char *text, double value)
{
	if (isnan(value))
		return "NaN";
	if (isinf(value))
		return value > 0 ? "inf" : "-inf";
	snprintf(text, 32, "%.4g", value);
	tidy_number(text);
	return text;
}

/* The size of something, in two digits: 2.6e-8, 0.47, 31. */
const char *drawing_size_text(char *text, double size)
{
	if (isnan(size))
		return "NaN";
	if (isinf(size))
		return "inf";
	if (size == 0)
		return "0";
	if (size >= 0.0995 && size < 99.5)
		snprintf(text, 32, "%.*f", size < 0.995 ? 2 : size < 9.95 ? 1 : 0, size);
	else
		snprintf(text, 32, "%.1e", size);
	tidy_number(text);
	return text;
}

/* A factor, in two digits: 1.5, 220, 6.8e28. */
static const char *factor_text(char *text, double factor)
{
	double unit = 1;

	if (factor < 99.5 || factor >= 1e6)
		return drawing_size_text(text, factor);
	while (factor / unit >= 99.5)
		unit *= 10;
	snprintf(text, 32, "%.0f", round(factor / unit) * unit);
	return text;
}

/* A count: 512, 7.1M. */
const char *drawing_count_text(char *text, size_t count)
{
	static const char unit[] = { 'k', 'M', 'G', 'T', 'P' };
	double n = (double)count;
	int k = -1;

	if (count < 10000) {
		snprintf(text, 32, "%zu", count);
		return text;
	}
	while (n >= 999.5 && k < 4) {
		n /= 1000;
		k++;
	}
	snprintf(text, 32, n < 99.95 ? "%.1f%c" : "%.0f%c", n, unit[k]);
	return text;
}

static void put_shape(struct text *t, ad_shape shape)
{
	if (shape.rank == 0)
		put(t, "number");
	for (int i = 0; i < shape.rank; i++)
		put(t, "%s%lld", i ? "\xc3\x97" : "", (long long)shape.dims[i]);
}

/* ---- attributes ---------------------------------------------------------------------------- */

/* One row an attribute: what it applies to, and its value on the root in each view (NULL: not used
 * there). */
#define ATTRIBUTES                                                                                 \
	A(G_RANKDIR, AGRAPH, "rankdir", "LR", "LR")                                                \
	A(G_NEWRANK, AGRAPH, "newrank", "true", NULL)                                              \
	A(G_ORDERING, AGRAPH, "ordering", NULL, "in")                                              \
	A(G_NODESEP, AGRAPH, "nodesep", "0.22", "0.35")                                            \
	A(G_RANKSEP, AGRAPH, "ranksep", "0.30", "0.12")                                            \
	A(G_FONTNAME, AGRAPH, "fontname", "Helvetica", "Helvetica")                                \
	A(G_FONTSIZE, AGRAPH, "fontsize", "13", "11")                                              \
	A(G_BGCOLOR, AGRAPH, "bgcolor", "white", "white")                                          \
	A(G_LABELLOC, AGRAPH, "labelloc", "t", "b")                                                \
	A(G_LABELJUST, AGRAPH, "labeljust", "", NULL)                                              \
	A(G_LABEL, AGRAPH, "label", "", "")                                                        \
	A(G_RANK, AGRAPH, "rank", "", NULL)                                                        \
	A(G_STYLE, AGRAPH, "style", "", NULL)                                                      \
	A(G_FILLCOLOR, AGRAPH, "fillcolor", "", NULL)                                              \
	A(G_COLOR, AGRAPH, "color", "", NULL)                                                      \
	A(G_PENWIDTH, AGRAPH, "penwidth", "", NULL)                                                \
	A(G_ID, AGRAPH, "id", "", NULL)                                                            \
	A(G_CLASS, AGRAPH, "class", "", NULL)                                                      \
	A(G_URL, AGRAPH, "URL", "", NULL)                                                          \
	A(G_TOOLTIP, AGRAPH, "tooltip", "", NULL)                                                  \
	A(N_FONTNAME, AGNODE, "fontname", "Helvetica", "Helvetica")                                \
	A(N_FONTSIZE, AGNODE, "fontsize", "11", "12")                                              \
	A(N_SHAPE, AGNODE, "shape", "box", "plain")                                                \
	A(N_STYLE, AGNODE, "style", "rounded,filled", "")                                          \
	A(N_FILLCOLOR, AGNODE, "fillcolor", "#f7f7f7", "")                                         \
	A(N_COLOR, AGNODE, "color", "#555555", "black")                                            \
	A(N_PENWIDTH, AGNODE, "penwidth", "1", "1")                                                \
	A(N_MARGIN, AGNODE, "margin", "0.10,0.05", "0.05,0.03")                                    \
	A(N_WIDTH, AGNODE, "width", "0.3", "0.42")                                                 \
	A(N_HEIGHT, AGNODE, "height", "0.3", "0.42")                                               \
	A(N_FIXEDSIZE, AGNODE, "fixedsize", "false", "false")                                      \
	A(N_PERIPHERIES, AGNODE, "peripheries", "", NULL)                                          \
	A(N_GROUP, AGNODE, "group", "", NULL)                                                      \
	A(N_LABEL, AGNODE, "label", "", "")                                                        \
	A(N_XLABEL, AGNODE, "xlabel", "", NULL)                                                    \
	A(N_ID, AGNODE, "id", "", "")                                                              \
	A(N_CLASS, AGNODE, "class", "", "")                                                        \
	A(N_URL, AGNODE, "URL", "", NULL)                                                          \
	A(N_TOOLTIP, AGNODE, "tooltip", "", "")                                                    \
	A(E_FONTNAME, AGEDGE, "fontname", "Helvetica", "Helvetica")                                \
	A(E_FONTSIZE, AGEDGE, "fontsize", "9", "9")                                                \
	A(E_DIR, AGEDGE, "dir", "forward", NULL)                                                   \
	A(E_COLOR, AGEDGE, "color", "#4d4d4d", "#333333")                                          \
	A(E_FONTCOLOR, AGEDGE, "fontcolor", "#4d4d4d", "#333333")                                  \
	A(E_PENWIDTH, AGEDGE, "penwidth", "1", "1.1")                                              \
	A(E_STYLE, AGEDGE, "style", "solid", NULL)                                                 \
	A(E_ARROWSIZE, AGEDGE, "arrowsize", "0.55", "0.6")                                         \
	A(E_ARROWHEAD, AGEDGE, "arrowhead", NULL, "normal")                                        \
	A(E_CONSTRAINT, AGEDGE, "constraint", "", NULL)                                            \
	A(E_WEIGHT, AGEDGE, "weight", "1", NULL)                                                   \
	A(E_TAILPORT, AGEDGE, "tailport", NULL, "")                                                \
	A(E_HEADPORT, AGEDGE, "headport", NULL, "")                                                \
	A(E_LABEL, AGEDGE, "label", "", "")                                                        \
	A(E_ID, AGEDGE, "id", "", "")                                                              \
	A(E_CLASS, AGEDGE, "class", "", "")                                                        \
	A(E_EDGETOOLTIP, AGEDGE, "edgetooltip", "", "")                                            \
	A(E_LABELTOOLTIP, AGEDGE, "labeltooltip", "", "")

#define A(id, kind, name, flow, circuit) id,
enum attribute { ATTRIBUTES N_ATTRIBUTES };
#undef A

struct picture {
	struct drawing *d;
	Agraph_t *root;
	Agsym_t *symbols[N_ATTRIBUTES];
	struct text text;
	bool occurs[CLASSES];
	bool shares, freezes; /* a weight is drawn twice, or is frozen */
	bool offends;         /* where a NaN begins */
	bool saves;           /* results of the forward pass are drawn */
	bool failed;
};

/* cgraph takes char * without const and writes to none of them. */
static char *unconst(const char *s)
{
	union {
		const char *in;
		char *out;
	} u = { .in = s };

	return u.out;
}

static bool declare(struct picture *p, bool circuit)
{
#define A(id, kind, name, flow, circuit) { kind, name, { flow, circuit } },
	static const struct {
		int kind;
		const char *name, *value[2];
	} rows[] = { ATTRIBUTES };
#undef A

	for (int k = 0; k < N_ATTRIBUTES; k++) {
		const char *value = rows[k].value[circuit];

		if (!value)
			continue;
		if (k == G_RANKDIR && !circuit && p->d->options->direction)
			value = p->d->options->direction;
		p->symbols[k] =
		    agattr(p->root, rows[k].kind, unconst(rows[k].name), unconst(value));
		if (!p->symbols[k])
			return false;
	}
	return true;
}

static void set(struct picture *p, void *object, enum attribute a, const char *value)
{
	if (!object || !p->symbols[a] || p->text.failed ||
	    agxset(object, p->symbols[a], unconst(value)))
		p->failed = true;
}

static void set_number(struct picture *p, void *object, enum attribute a, double value)
{
	char text[32];

	snprintf(text, sizeof text, "%.2f", value);
	set(p, object, a, text);
}

/* An HTML label shares its text with any equal plain string of the graph, so it begins with a tag,
 * which no plain string of ours does. */
static void set_html(struct picture *p, void *object, enum attribute a, const char *value)
{
	char *html = p->text.failed ? NULL : agstrdup_html(p->root, unconst(value));

	if (!html)
		p->failed = true;
	else
		set(p, object, a, html);
}

static Agnode_t *make_node(struct picture *p, Agraph_t *in, const char *name)
{
	Agnode_t *node = agnode(in, unconst(name), 1);

	if (!node)
		p->failed = true;
	else
		set(p, node, N_ID, name);
	return node;
}

static const char *part_id(char kind, uint32_t part, char *text)
{
	snprintf(text, 32, "%c%u", kind, part);
	return text;
}

static Agedge_t *make_edge(struct picture *p, Agnode_t *from, Agnode_t *to)
{
	Agedge_t *edge = from && to ? agedge(p->root, from, to, NULL, 1) : NULL;

	if (!edge)
		p->failed = true;
	return edge;
}

/* ---- the words for an op ------------------------------------------------------------------- */

struct symbol {
	const char *op, *text;
	const char *sign; /* stands before a constant second operand: "- 2" */
	const char *tail; /* stands behind a constant first one: "2 - x"; NULL: as the second */
};

static const struct symbol symbols[] = {
	{ "add", "+", "+", NULL },
	{ "sub", "\xe2\x88\x92", "\xe2\x88\x92", "\xe2\x88\x92x" },
	{ "mul", "\xc3\x97", "\xc3\x97", NULL },
	{ "div", "\xc3\xb7", "\xc3\xb7", "/x" },
	{ "pow", "^", "^", "^x" },
	{ "maximum", "max", "max ", NULL },
	{ "minimum", "min", "min ", NULL },
	{ "neg", "\xe2\x88\x92", "", NULL },
};

static const struct symbol *symbol_of(const char *op)
{
	for (size_t k = 0; k < sizeof symbols / sizeof symbols[0]; k++)
		if (op && !strcmp(op, symbols[k].op))
			return &symbols[k];
	return NULL;
}

static size_t letters_of(const char *words)
{
	size_t letters = 0;

	for (; *words; words++)
		letters += (*words & 0xc0) != 0x80;
	return letters;
}

const char *drawing_op(const ad_node *x)
{
	const char *op = NULL;
	bool kernel = false;

	if (!ad_op_of(x))
		return NULL;
	swept_node(x, &op, &kernel);
	return kernel ? op : ad_op_of(x);
}

bool drawing_is_kernel(const ad_node *x)
{
	const char *op;
	bool kernel;

	swept_node(x, &op, &kernel);
	return kernel;
}

/* What an op is called in the picture: "+", "2 / x", "sigmoid". True: it fits a circle. */
static bool op_words(const struct drawing *d, uint32_t part, char *words, size_t n)
{
	const struct part *p = &d->parts[part];
	const struct symbol *s = symbol_of(ad_op_of(p->node));
	char number[32];
	double value;

	if (p->sum) {
		snprintf(words, n, "\xce\xa3");
		return true;
	}
	if (p->linear || !s) {
		snprintf(words, n, "%s%s", drawing_is_kernel(p->node) ? "\xe2\x88\x82" : "",
		         p->linear ? "linear" : drawing_op(p->node));
		return false;
	}
	snprintf(words, n, "%s", s->text);
	for (int i = 0; i < 2 && i < ad_inputs(p->node); i++) {
		if (!drawing_constant(d, part, i, &value))
			continue;
		if (!strcmp(s->op, "add") && value < 0)
			snprintf(words, n, "\xe2\x88\x92%s", value_text(number, -value));
		else if (i == 0 && s->tail)
			snprintf(words, n, "%s%s", value_text(number, value), s->tail);
		else
			snprintf(words, n, "%s%s", s->sign, value_text(number, value));
	}
	return true;
}

/* ---- the circuit view ---------------------------------------------------------------------- */

/* The formula of a part in terms of named leaves, as long as it stays short. */
struct formula {
	char text[72];
	int level; /* of the outermost sign: 1 sum, 2 product, 3 power, 4 name, call; 0: too long */
};

static void join(struct formula *to, const struct formula *in, int n, const char *sign, int level)
{
	const char *left = in[0].level < level ? "(" : "", *left_end = *left ? ")" : "";
	/* a - (b - c), a / (b * c), (a ^ b) ^ c */
	bool strict = *sign == '-' || *sign == '/' || *sign == '^';
	const char *right = in[1].level < level + strict ? "(" : "", *right_end = *right ? ")" : "";
	int size;

	if (*sign == '^' && in[0].level <= level) {
		left = "(";
		left_end = ")";
	}
	size = snprintf(to->text, sizeof to->text, "%s%s%s %s %s%s%s", left, in[0].text, left_end,
	                sign, right, in[1].text, right_end);
	to->level = n == 2 && size < (int)sizeof to->text ? level : 0;
}

static void call(struct formula *to, const struct formula *in, int n, const char *op)
{
	int size =
	    n == 1 && !strcmp(op, "neg")
		? snprintf(to->text, sizeof to->text, in[0].level < 3 ? "-(%s)" : "-%s", in[0].text)
	    : n == 1
		? snprintf(to->text, sizeof to->text, "%s(%s)", op, in[0].text)
		: snprintf(to->text, sizeof to->text, "%s(%s, %s)", op, in[0].text, in[1].text);

	to->level = size >= (int)sizeof to->text ? 0 : !strcmp(op, "neg") ? 2 : 4;
}

static void write_formula(const struct drawing *d, uint32_t part, struct formula *all)
{
	static const struct {
		const char *op, *sign;
		int level;
	} signs[] = { { "add", "+", 1 },
		      { "sub", "-", 1 },
		      { "mul", "*", 2 },
		      { "div", "/", 2 },
		      { "pow", "^", 3 } };
	const struct part *p = &d->parts[part];
	struct formula in[2] = { { "", 0 }, { "", 0 } }, *to = &all[part];
	const char *op = ad_op_of(p->node), *name = ad_name_of(p->node);
	int n = ad_inputs(p->node), size;
	char number[32];
	double value;

	to->level = 0;
	if (!op) {
		size =
		    name ? snprintf(to->text, sizeof to->text, "%s", name) : (int)sizeof to->text;
		to->level = size < (int)sizeof to->text ? 4 : 0;
		return;
	}
	if (n < 1 || n > 2 || p->owner != part)
		return;
	for (int i = 0; i < n; i++) {
		ad_node *x = ad_input_of(p->node, i);
		uint32_t from = NOTHING;

		for (size_t k = 0; k < d->n_uses; k++)
			if (d->uses[k].by == part && d->uses[k].input == i)
				from = d->uses[k].from;
		if (drawing_constant(d, part, i, &value)) {
			snprintf(in[i].text, sizeof in[i].text, "%s", value_text(number, value));
			in[i].level = value < 0 ? 2 : 4;
		} else if (x && from != NOTHING) {
			in[i] = all[from];
		}
		if (!in[i].level)
			return;
	}
	for (size_t k = 0; k < sizeof signs / sizeof signs[0]; k++)
		if (n == 2 && !strcmp(op, signs[k].op)) {
			join(to, in, n, signs[k].sign, signs[k].level);
			return;
		}
	/* max and min have a word of their own */
	call(to, in, n, symbol_of(op) && strcmp(op, "neg") != 0 ? symbol_of(op)->text : op);
}

/* "f = (x + y) * z", then what the numbers mean. */
static void label_circuit(struct picture *p)
{
	struct drawing *d = p->d;
	const char *name = ad_name_of(d->y) ? ad_name_of(d->y) : "y";
	struct formula *all = d->n_parts <= 64 ? calloc(d->n_parts, sizeof *all) : NULL;

	start(&p->text);
	put(&p->text, "<FONT POINT-SIZE=\"11\">");
	if (d->options->title) {
		put(&p->text, "<B>");
		put_escaped(&p->text, d->options->title);
		put(&p->text, "</B>");
		if (d->options->step >= 0)
			put(&p->text, " &nbsp; step %lld", (long long)d->options->step);
		put(&p->text, "<BR/>");
	}
	for (uint32_t k = 0; all && k < d->n_parts; k++)
		write_formula(d, k, all);
	if (all && all[d->y_part].level && ad_op_of(d->y)) {
		put_escaped(&p->text, name);
		put(&p->text, " = ");
		put_user_text(&p->text, all[d->y_part].text, sizeof all->text, "&#92;&#92;");
		put(&p->text, " &nbsp;&nbsp; ");
	}
	if (d->gradients) {
		put(&p->text, "<FONT COLOR=\"" VALUE_COLOUR
		              "\">value</FONT> above the wire, <FONT COLOR=\"" GRADIENT_COLOUR
		              "\">\xe2\x88\x82");
		put_escaped(&p->text, name);
		put(&p->text, "/\xe2\x88\x82wire</FONT> below");
	}
	put(&p->text, "</FONT>");
	set_html(p, p->root, G_LABEL, p->text.s);
	free(all);
}

/* Whether it has a value; no failure is left if not. */
static bool is_computed(ad_node *x)
{
	if (ad_data(x))
		return true;
	ad_clear(ad_graph_of(x));
	return false;
}

/* What stands above or below a wire: a single number, a few, or the size of many. */
static void put_reading(struct picture *p, ad_node *x, const char *colour)
{
	ad_shape shape = ad_shape_of(x);
	size_t n = ad_count(x), columns = shape.rank == 2 ? (size_t)shape.dims[1] : 1;
	double values[12];
	bool listed = n > 0 && n <= 12 && (shape.rank == 2 ? columns : n) <= 6;
	char number[32];

	if (listed && ad_get(x, values, n) != AD_OK) {
		/* Not computed; the graph had no failure before, or nothing would be drawn. */
		ad_clear(ad_graph_of(x));
		put(&p->text, " &nbsp; ");
		return;
	}
	put(&p->text, "<FONT COLOR=\"%s\">", colour);
	if (!listed) {
		struct statistic s;

		put_shape(&p->text, ad_shape_of(x));
		if (n > 0 && ad_type_of(x) == AD_REAL && is_computed(x) &&
		    drawing_statistic(p->d, x, &s))
			put(&p->text, " &nbsp;rms %s", drawing_size_text(number, s.rms));
	}
	/* A row of numbers a line, as far as they are rows. */
	for (size_t k = 0; listed && k < n; k++)
		put(&p->text, "%s%s",
		    k == 0                                ? ""
		    : shape.rank == 2 && k % columns == 0 ? "<BR/>"
		                                          : ", ",
		    value_text(number, values[k]));
	put(&p->text, "</FONT>");
}

static Agnode_t *draw_wire(struct picture *p, uint32_t part)
{
	struct drawing *d = p->d;
	const struct part *a = &d->parts[part];
	const char *name = ad_name_of(a->node);
	char id[32];
	Agnode_t *wire = make_node(p, p->root, part_id('w', part, id));
	ad_node *gradient = d->gradients ? ad_gradient(a->node) : NULL;

	start(&p->text);
	put(&p->text,
	    "<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"2\"><TR>");
	if (name) {
		put(&p->text, "<TD ROWSPAN=\"3\"><I>");
		put_escaped(&p->text, name);
		put(&p->text, "</I></TD>");
	}
	put(&p->text, "<TD>");
	put_reading(p, a->node, a->offender ? NAN_COLOUR : VALUE_COLOUR);
	put(&p->text, "</TD></TR><HR/><TR><TD>");
	if (gradient)
		put_reading(p, gradient, GRADIENT_COLOUR);
	else
		put(&p->text, " &nbsp; ");
	put(&p->text, "</TD></TR></TABLE>");
	set_html(p, wire, N_LABEL, p->text.s);
	set(p, wire, N_CLASS, "wire");
	start(&p->text);
	put_tooltip(&p->text, name ? name : ad_op_of(a->node) ? ad_op_of(a->node) : "constant");
	set(p, wire, N_TOOLTIP, p->text.s);
	return wire;
}

static Agnode_t *draw_gate(struct picture *p, uint32_t part)
{
	const struct part *a = &p->d->parts[part];
	char words[96], id[32];
	Agnode_t *gate = make_node(p, p->root, part_id('n', part, id));
	size_t letters;

	op_words(p->d, part, words, sizeof words);
	letters = letters_of(words);
	start(&p->text);
	put(&p->text, "<FONT POINT-SIZE=\"%d\">", letters == 1 ? 16 : letters <= 3 ? 12 : 11);
	put_escaped(&p->text, words);
	put(&p->text, "</FONT>");
	set_html(p, gate, N_LABEL, p->text.s);
	if (letters <= 3) {
		set(p, gate, N_SHAPE, "circle");
		set(p, gate, N_FIXEDSIZE, "true");
	} else {
		set(p, gate, N_SHAPE, "box");
		set(p, gate, N_STYLE, "rounded");
		set(p, gate, N_HEIGHT, "0.36");
		set(p, gate, N_MARGIN, "0.08,0.02");
	}
	if (a->offender) {
		set(p, gate, N_COLOR, NAN_COLOUR);
		set(p, gate, N_PENWIDTH, "2.5");
	}
	set(p, gate, N_CLASS, "op");
	start(&p->text);
	put_tooltip(&p->text, ad_op_of(a->node));
	set(p, gate, N_TOOLTIP, p->text.s);
	return gate;
}

/* The order in which wires are made is the order in which dot lays them out, top to bottom: the
 * first operand with all that it comes from, then the second. order holds n_parts; returns how
 * many. */
static uint32_t reading_order(const struct drawing *d, uint32_t *order, uint32_t *stack, bool *seen)
{
	uint32_t n = 0, top = 0;

	stack[top++] = d->parts[d->y_part].owner;
	seen[stack[0]] = true;
	while (top > 0) {
		uint32_t at = stack[top - 1], next = NOTHING;
		const struct part *a = &d->parts[at];

		for (size_t k = a->first_use; k < a->first_use + a->n_uses && next == NOTHING; k++)
			if (!seen[d->uses[k].from])
				next = d->uses[k].from;
		if (next != NOTHING) {
			seen[next] = true;
			stack[top++] = next;
		} else {
			order[n++] = at;
			top--;
		}
	}
	return n;
}

/* A gate with the wires of its outputs, or the wire of a leaf. */
static void draw_stage(struct picture *p, uint32_t part, Agnode_t **wires, Agnode_t **gates)
{
	struct drawing *d = p->d;
	bool op = ad_op_of(d->parts[part].node);

	if (op)
		gates[part] = draw_gate(p, part);
	for (uint32_t k = part; k < d->n_parts && d->parts[k].owner == part; k++) {
		Agedge_t *e;

		wires[k] = draw_wire(p, k);
		if (!op)
			return;
		e = make_edge(p, gates[part], wires[k]);
		set(p, e, E_ARROWHEAD, "none");
		set(p, e, E_HEADPORT, "w");
	}
}

static void draw_circuit(struct picture *p)
{
	struct drawing *d = p->d;
	size_t n = d->n_parts;
	Agnode_t **wires = calloc(2 * n + 1, sizeof *wires), **gates = wires + n;
	uint32_t *order = calloc(2 * n + 1, sizeof *order), count;
	bool *seen = calloc(n + 1, sizeof *seen);
	char number[32];

	if (!wires || !order || !seen) {
		p->failed = true;
		free(wires);
		free(order);
		free(seen);
		return;
	}
	count = reading_order(d, order, order + n, seen);
	for (uint32_t k = 0; k < count; k++)
		draw_stage(p, order[k], wires, gates);
	for (size_t k = 0; k < d->n_uses; k++) {
		const struct use *u = &d->uses[k];
		uint32_t from = u->from;
		ad_node *in = ad_input_of(d->parts[u->by].node, u->input);
		ad_node *gradient =
		    d->gradients ? ad_use_gradient(d->parts[u->by].node, u->input) : NULL;
		Agedge_t *e;

		/* Of an op with several outputs each has its own wire. */
		while (from + 1 < d->n_parts && d->parts[from].node != in)
			from++;
		e = make_edge(p, wires[from], gates[u->by]);
		set(p, e, E_TAILPORT, "e");
		snprintf(number, sizeof number, "e%u_%d", u->by, u->input);
		set(p, e, E_ID, number);
		/* Where a wire forks, each branch says what it sends back. */
		if (gradient && d->parts[from].uses > 1 && ad_count(gradient) == 1) {
			start(&p->text);
			put(&p->text, "%s", value_text(number, ad_item(gradient)));
			set(p, e, E_LABEL, p->text.s);
			set(p, e, E_FONTCOLOR, GRADIENT_COLOUR);
		}
	}
	free(wires);
	free(order);
	free(seen);
	label_circuit(p);
}

/* ---- the flow view ------------------------------------------------------------------------- */

static const struct look {
	const char *name, *meaning, *colour, *style;
	int height;       /* of its bar in the legend, in points */
	const char *mono; /* without colours: the style then */
} looks[CLASSES] = {
	[CLASS_EXPLODING] = { "exploding", "exploding", "#a50f15", "solid", 9, "solid" },
	[CLASS_STRONG] = { "strong", "strong", "#f16913", "solid", 8, "solid" },
	[CLASS_NORMAL] = { "normal", "normal", "#4d4d4d", "solid", 6, "solid" },
	[CLASS_WEAK] = { "weak", "weak", "#6baed6", "solid", 4, "solid" },
	[CLASS_LOST] = { "lost", "lost: under half an ulp of the weight", "#08519c", "dotted", 3,
	                 "dotted" },
	[CLASS_VANISHING] = { "vanishing", "vanishing", "#08519c", "solid", 3, "solid" },
	[CLASS_ZERO] = { "zero", "exactly zero", "#999999", "dashed", 3, "dashed" },
	[CLASS_NONE] = { "none", "no gradient wanted", "#bbbbbb", "dotted", 3, "dotted" },
	[CLASS_NAN] = { "nan", "NaN or infinite", NAN_COLOUR, "solid", 3, "dashed" },
};

/* Of a change: red has grown, blue has shrunk. */
static const struct look changes[CLASSES] = {
	[CLASS_EXPLODING] = { "much-larger", "over 10\xc3\x97 as large", "#a50f15", "solid", 9, "solid" },
	[CLASS_STRONG] = { "larger", "2\xc3\x97 to 10\xc3\x97", "#ef6548", "solid", 8, "solid" },
	[CLASS_NORMAL] = { "equal", "within 2\xc3\x97", "#8a8a8a", "solid", 6, "solid" },
	[CLASS_WEAK] = { "smaller", "1/2 to 1/10", "#4a9fd0", "solid", 4, "dashed" },
	[CLASS_LOST] = { "lost", "lost", "#08519c", "dotted", 3, "dotted" },
	[CLASS_VANISHING] = { "much-smaller", "under 1/10", "#08519c", "solid", 3, "dotted" },
	[CLASS_ZERO] = { "zero", "zero in both", "#999999", "dashed", 3, "dashed" },
	[CLASS_NONE] = { "none", "not in both records", "#bbbbbb", "dotted", 3, "dotted" },
	[CLASS_NAN] = { "nan", "NaN or infinite in one", NAN_COLOUR, "solid", 3, "dashed" },
};

static const struct look *look_of(const struct drawing *d, enum class class)
{
	return d->change ? &changes[class] : &looks[class];
}

const char *drawing_class_name(const struct drawing *d, enum class class)
{
	return look_of(d, class)->name;
}

const char *drawing_colour(const struct drawing *d, enum class class)
{
	/* From dark for what is large to light for what is small; frames and cells need a grey. */
	static const char *const greys[CLASSES] = {
		[CLASS_NONE] = "#bbbbbb",      [CLASS_NORMAL] = "#707070",
		[CLASS_WEAK] = "#909090",      [CLASS_STRONG] = "#303030",
		[CLASS_LOST] = "#a0a0a0",      [CLASS_VANISHING] = "#a0a0a0",
		[CLASS_ZERO] = "#b0b0b0",      [CLASS_NAN] = "#000000",
		[CLASS_EXPLODING] = "#000000",
	};

	return d->options->mono ? greys[class] : look_of(d, class)->colour;
}

static const char *colour_of(const struct picture *p, enum class class)
{
	return drawing_colour(p->d, class);
}

const char *drawing_style(const struct drawing *d, enum class class)
{
	return d->options->mono ? look_of(d, class)->mono : look_of(d, class)->style;
}

static const char *style_of(const struct picture *p, enum class class)
{
	return drawing_style(p->d, class);
}

const char *drawing_factor_text(char *text, double factor)
{
	char number[32];

	if (isnan(factor))
		snprintf(text, 40, "NaN");
	else if (isinf(factor))
		snprintf(text, 40, "from 0");
	else if (factor == 0)
		snprintf(text, 40, "to 0");
	else if (factor > 1 / 1.05) /* 1.0 either way, never 1/1.0 */
		snprintf(text, 40, "%s\xc3\x97", factor_text(number, factor < 1 ? 1 / factor : factor));
	else
		snprintf(text, 40, "1/%s", factor_text(number, 1 / factor));
	return text;
}

const char *drawing_gradient_text(const struct drawing *d, const struct statistic *s, char *text)
{
	if (d->change)
		return drawing_factor_text(text, drawing_size(d, s));
	return drawing_size_text(text, d->options->stat == AD_STAT_MAX ? s->max : s->rms);
}

const char *drawing_weight_text(const struct drawing *d, const struct part *a, char *text)
{
	if (!d->change && d->options->stat == AD_STAT_RATIO && a->ratio > 0)
		return drawing_size_text(text, a->ratio);
	return drawing_gradient_text(d, &a->gradient, text);
}

const char *drawing_box_id(const struct drawing *d, const struct box *b, char *text)
{
	snprintf(text, 32, "%c%u", b->kind == BOX_PART ? 'n' : 'f',
	         b->kind == BOX_PART ? b->part : b->first);
	return text;
}

static const char *const statistics[] = {
	[AD_STAT_RMS] = "rms", [AD_STAT_MAX] = "max", [AD_STAT_RATIO] = "rms"
};

/* 3 points at the reference, 0.8 a decade. */
double drawing_width(const struct drawing *d, enum class class, double rms)
{
	double unit = d->reference > 0 ? d->reference : d->largest, width;

	if (class == CLASS_NAN)
		return 3;
	if (class == CLASS_NONE || class == CLASS_ZERO || unit == 0)
		return 1;
	width = 3 + 0.8 * log10(rms / unit);
	return width < 0.6 ? 0.6 : width > 7 ? 7 : width;
}

static void title_plan(struct picture *p)
{
	struct drawing *d = p->d;
	size_t ops = 0, frames = 0, values = 0, shared = 0;
	uint32_t buffers = 0;
	char text[32];

	for (uint32_t k = 0; k < d->n_parts; k++) {
		const struct part *a = &d->parts[k];
		const struct planned *x = &d->planned[drawing_node_number(d, a->node)];

		ops += a->owner == k && x->action > 0;
		values += a->buffer > 0;
		if (a->buffer)
			shared += x->bytes;
		if (a->buffer > buffers)
			buffers = a->buffer;
	}
	for (uint32_t s = 1; s < d->n_frames; s++)
		frames += d->frames[s].first != NOTHING;
	put(&p->text, "<BR/><FONT POINT-SIZE=\"10\">the plan of one evaluation: %zu op%s", ops,
	    ops == 1 ? "" : "s");
	if (frames)
		put(&p->text, ", %zu group%s together", frames, frames == 1 ? " that runs" : "s that run");
	if (buffers)
		put(&p->text, ", %zu passing values (%s) in %u places", values,
		    drawing_bytes_text(text, shared), buffers);
	if (d->most_seconds > 0)
		put(&p->text, ", %s in ops", drawing_time_text(text, drawing_plan_seconds(d)));
	put(&p->text, "</FONT>");
}

static void title_flow(struct picture *p)
{
	struct drawing *d = p->d;
	struct text *t = &p->text;
	const char *reference = d->reference > 0 ? ad_name_of(d->options->reference) : NULL;
	char number[32];

	start(t);
	put(t, "<B>");
	if (d->options->title)
		put_escaped(t, d->options->title);
	else if (ad_name_of(d->y))
		put_escaped(t, ad_name_of(d->y));
	if (d->gradients && ad_count(d->y) == 1) {
		put(t, " &nbsp; ");
		put_escaped(t, d->options->title && ad_name_of(d->y) ? ad_name_of(d->y) : "loss");
		put(t, " ");
		snprintf(number, sizeof number, "%.5g", d->loss);
		tidy_number(number);
		put(t, "%s", isnan(d->loss) ? "NaN" : number);
	}
	put(t, "</B>");
	if (d->planned)
		title_plan(p);
	if (d->gradients) {
		put(t, "<BR/><FONT POINT-SIZE=\"10\">");
		if (d->options->step >= 0)
			put(t, "step %lld &#183; ", (long long)d->options->step);
		put(t,
		    d->change ? "%s &#183; width = rms of \xe2\x88\x82L/\xe2\x88\x82tensor, number and colour = "
		                "how many times as large it has become"
		              : "%s &#183; width and number = %s of \xe2\x88\x82L/\xe2\x88\x82tensor",
		    d->options->what == AD_DRAW_SWEEP
		        ? "the reverse sweep, arrows point the way it runs"
		    : d->options->arrows == AD_ARROWS_FORWARD ? "arrows point the way the values flow"
		    : d->options->arrows == AD_ARROWS_BOTH
		        ? "two lanes: values and, beside them, gradients"
		        : "arrows point the way the gradient flows",
		    statistics[d->options->stat]);
		if (d->options->stat == AD_STAT_RATIO && !d->change)
			put(t, ", at weights the rate times it by the weight's");
		if (d->reference > 0 && !d->change) {
			put(t, " &#183; colour = against the gradient at ");
			put_escaped(t, reference ? reference : "the output");
		}
		put(t, "</FONT>");
	}
	if (d->hidden || d->options->note) {
		put(t, "<BR/><FONT POINT-SIZE=\"10\">");
		if (d->options->note)
			put_user_text(t, d->options->note, TOOLTIP_CHARACTERS, "&#92;&#92;");
		if (d->hidden)
			put(t, "%s%zu more nodes are left out", d->options->note ? " &#183; " : "",
			    d->hidden);
		put(t, "</FONT>");
	}
	set_html(p, p->root, G_LABEL, t->s);
}

static const char *link_of(const struct picture *p, uint32_t frame)
{
	const ad_draw_options *o = p->d->options;
	char path[1024];

	return o->link ? o->link(o->link_context, drawing_path(p->d, frame, path, sizeof path)) : NULL;
}

/* The frame around a box: made when its first box is, with those around it. */
static Agraph_t *graph_of(struct picture *p, uint32_t frame, Agraph_t **graphs)
{
	struct drawing *d = p->d;
	uint32_t missing[MAX_NESTING + 1];
	int n = 0;

	for (;;) {
		while (frame && !d->frames[frame].outlined)
			frame = d->frames[frame].parent;
		if (!frame || graphs[frame] || n > MAX_NESTING)
			break;
		missing[n++] = frame;
		frame = d->frames[frame].parent;
	}
	while (n > 0) {
		Agraph_t *around = frame ? graphs[frame] : p->root, *g;
		const char *link;
		const struct frame *f = &d->frames[missing[--n]];
		char name[64], name_text[32];

		frame = missing[n];
		/* n counts the frames that begin with the same part, the innermost 0. */
		snprintf(name, sizeof name, "cluster_c%u_%d", f->first, n);
		/* cgraph orders named subgraphs by the addresses of their names, which differ from
		 * run to run, and nameless ones as they come: so each frame lies in a nameless one.
		 */
		g = agsubg(around, NULL, 1);
		graphs[frame] = g = g ? agsubg(g, name, 1) : NULL;
		if (!g) {
			p->failed = true;
			return p->root;
		}
		start(&p->text);
		put(&p->text, "<FONT POINT-SIZE=\"10\">");
		put_escaped(&p->text, drawing_frame_name(d, frame));
		if (d->planned && d->frame_seconds[frame] > 0)
			put(&p->text, ": %s", drawing_time_text(name_text, d->frame_seconds[frame]));
		put(&p->text, "</FONT>");
		set_html(p, g, G_LABEL, p->text.s);
		/* Beside the arrows that come from above. */
		if (d->upright)
			set(p, g, G_LABELJUST, "l");
		set(p, g, G_ID, name + strlen("cluster_"));
		set(p, g, G_CLASS, "frame");
		set(p, g, G_STYLE,
		    f->worst == CLASS_ZERO ? "rounded,filled,dashed" : "rounded,filled");
		set(p, g, G_FILLCOLOR,
		    d->planned && d->frame_seconds[frame] > 0
		        ? drawing_heat(d, d->frame_seconds[frame], name_text)
		        : "#fcfcfc");
		set(p, g, G_COLOR, colour_of(p, f->worst < CLASS_NORMAL ? CLASS_NORMAL : f->worst));
		set(p, g, G_PENWIDTH, f->worst > CLASS_NORMAL ? "2.0" : "1.0");
		start(&p->text);
		put_tooltip(&p->text, drawing_frame_name(d, frame));
		put(&p->text, ": %zu ops, %zu parameters", f->ops, f->elements);
		set(p, g, G_TOOLTIP, p->text.s);
		link = link_of(p, frame);
		if (link)
			set(p, g, G_URL, link);
	}
	return frame ? graphs[frame] : p->root;
}

static void put_counts(struct text *t, size_t ops, size_t elements)
{
	char number[32];

	put(t, "%s op%s", drawing_count_text(number, ops), ops == 1 ? "" : "s");
	if (elements)
		put(t, ", %s parameter%s", drawing_count_text(number, elements),
		    elements == 1 ? "" : "s");
}

static void put_gradient_line(struct picture *p, const struct part *a)
{
	enum class class = a->class;
	char number[40];

	if (!p->d->gradients || class == CLASS_NONE)
		return;
	put(&p->text, "<BR/><FONT POINT-SIZE=\"9\" COLOR=\"%s\">%s%s%s%s</FONT>",
	    colour_of(p, class), class == CLASS_EXPLODING ? "<B>" : "",
	    drawing_weight_text(p->d, a, number), class == CLASS_EXPLODING ? "</B>" : "",
	    class == CLASS_LOST ? " lost" : "");
}

/* A weight's name within its frame: "weight", not "linear_2.weight". */
static const char *short_name(const struct drawing *d, const struct part *a)
{
	const char *name = ad_name_of(a->node), *dot;
	uint32_t frame = a->frame;

	if (!name)
		return a->role == ROLE_BUFFER ? "buffer" : "param";
	while (frame && !d->frames[frame].outlined)
		frame = d->frames[frame].parent;
	dot = strrchr(name, '.');
	return frame && dot && dot[1] ? dot + 1 : name;
}

static void label_leaf(struct picture *p, Agnode_t *node, const struct part *a)
{
	const char *name = ad_name_of(a->node);
	bool weight = a->role == ROLE_PARAM || a->role == ROLE_BUFFER;

	start(&p->text);
	put(&p->text, "<FONT>");
	put_escaped(&p->text, weight                   ? short_name(p->d, a)
	                      : name                   ? name
	                      : a->role == ROLE_SAVED ? drawing_op(a->node)
	                                               : "input");
	put(&p->text, weight ? " &nbsp;" : "<BR/>");
	put_shape(&p->text, ad_shape_of(a->node));
	put(&p->text, "</FONT>");
	if (weight)
		put_gradient_line(p, a);
	set_html(p, node, N_LABEL, p->text.s);
}

/* The leaf whose gradient is that output of an op, in a picture of the sweep. */
static bool makes_gradient(const struct drawing *d, uint32_t part)
{
	bool makes = false;

	for (uint32_t k = part; k < d->n_parts; k++)
		makes |= d->parts[k].owner == part && d->parts[k].gradient_of;
	return makes;
}

/* The leaves' gradients that an op makes, each with its size. */
static void put_gradients(struct picture *p, uint32_t part)
{
	struct drawing *d = p->d;
	char number[32];

	for (size_t k = 0; k < d->n_nodes; k++) {
		ad_node *leaf = d->nodes[k], *gradient = ad_op_of(leaf) ? NULL : ad_gradient(leaf);
		uint32_t at = gradient ? drawing_node_number(d, gradient) : NOTHING;
		const struct part *a = at != NOTHING && d->part_of[at] != NOTHING
		                           ? &d->parts[d->part_of[at]]
		                           : NULL;
		const char *name = ad_name_of(leaf), *dot = name ? strrchr(name, '.') : NULL;

		if (!a || a->owner != part || !ad_wants_gradient(leaf))
			continue;
		put(&p->text, "<BR/><FONT POINT-SIZE=\"9\"><I>\xe2\x88\x82");
		put_escaped(&p->text, a->frame && dot && dot[1] ? dot + 1 : name ? name : "leaf");
		put(&p->text, "</I></FONT>");
		if (a->class == CLASS_NONE)
			continue;
		put(&p->text, "<FONT POINT-SIZE=\"9\" COLOR=\"%s\"> &nbsp;%s</FONT>",
		    colour_of(p, a->class),
		    drawing_gradient_text(d, &a->gradient, number));
		p->occurs[a->class] = true;
	}
}

/* The modules around an op, in a picture whose frames are something else. */
static void put_scope_path(struct picture *p, const ad_node *x)
{
	char path[256];
	const char *text = drawing_scope_path(p->d->graph, ad_scope_of(x), path, sizeof path);

	if (!*text || (ad_name_of(x) && !strcmp(ad_name_of(x), text)))
		return;
	put(&p->text, "<BR/><FONT POINT-SIZE=\"9\"><I>");
	put_escaped(&p->text, text);
	put(&p->text, "</I></FONT>");
}

/* A part's place in the plan: its time, the memory that it shares. */
static void put_plan(struct picture *p, const struct part *a)
{
	struct drawing *d = p->d;
	const struct planned *x = &d->planned[drawing_node_number(d, a->node)];
	const char *between = "";
	char text[32];

	if (!x->action)
		return;
	put_scope_path(p, a->node);
	put(&p->text, "<BR/><FONT POINT-SIZE=\"9\">");
	if (a->seconds > 0) {
		put(&p->text, "%s", drawing_time_text(text, a->seconds));
		between = " &#183; ";
	}
	if (a->buffer)
		put(&p->text, "%sm%u %s", between, a->buffer, drawing_bytes_text(text, x->bytes));
	else if (x->tile)
		put(&p->text, "%s<I>in pieces</I>", between);
	else if (a->nothing)
		put(&p->text, "%s<I>nothing to do</I>", between);
	else if (x->kept && x->bytes)
		put(&p->text, "%skept %s", between, drawing_bytes_text(text, x->bytes));
	else
		put(&p->text, " ");
	put(&p->text, "</FONT>");
}

/* The size of a value under its op. */
static void put_value(struct picture *p, const struct part *a)
{
	struct statistic s;
	char text[32];

	if (!p->d->options->values || ad_type_of(a->node) != AD_REAL ||
	    !drawing_statistic(p->d, a->node, &s))
		return;
	put(&p->text, "<BR/><FONT POINT-SIZE=\"9\" COLOR=\"%s\">%s</FONT>",
	    p->d->options->mono ? "#000000" : VALUE_COLOUR, drawing_size_text(text, s.rms));
}

static void label_op(struct picture *p, Agnode_t *node, uint32_t part)
{
	struct drawing *d = p->d;
	const struct part *a = &d->parts[part];
	const char *name = ad_name_of(a->node);
	char words[96], number[32];
	bool sign = op_words(d, part, words, sizeof words);
	bool circle = sign && letters_of(words) <= 3 && a->role == ROLE_OP &&
	              !d->options->values && !d->planned && !makes_gradient(d, part);

	start(&p->text);
	put(&p->text, "<FONT>");
	put_escaped(&p->text, words);
	put(&p->text, "</FONT>");
	if (a->role == ROLE_LOSS && d->gradients) {
		snprintf(number, sizeof number, "%.5g", d->loss);
		tidy_number(number);
		put(&p->text, "<BR/>%s", isnan(d->loss) ? "NaN" : number);
	} else if (makes_gradient(d, part)) {
		put_gradients(p, part);
	} else if (name && !circle) {
		put(&p->text, "<BR/><FONT POINT-SIZE=\"9\"><I>");
		put_escaped(&p->text, name);
		put(&p->text, "</I></FONT>");
	}
	if (d->planned)
		put_plan(p, a);
	if (a->role == ROLE_OP)
		put_value(p, a);
	set_html(p, node, N_LABEL, p->text.s);
	if (a->seconds > 0)
		set(p, node, N_FILLCOLOR, drawing_heat(d, a->seconds, number));
	if (!circle)
		return;
	set(p, node, N_SHAPE, "circle");
	set(p, node, N_FIXEDSIZE, "true");
	set(p, node, N_WIDTH, letters_of(words) > 1 ? "0.38" : "0.30");
	set(p, node, N_HEIGHT, letters_of(words) > 1 ? "0.38" : "0.30");
	set(p, node, N_MARGIN, "0");
	set(p, node, N_FILLCOLOR, "white");
	if (name) {
		start(&p->text);
		put(&p->text, "<FONT POINT-SIZE=\"9\"><I>");
		put_escaped(&p->text, name);
		put(&p->text, "</I></FONT>");
		set_html(p, node, N_XLABEL, p->text.s);
	}
}

static const char *role_words(enum role role)
{
	switch (role) {
	case ROLE_PARAM:
		return "param";
	case ROLE_INPUT:
		return "input";
	case ROLE_TARGET:
		return "target";
	case ROLE_BUFFER:
		return "buffer";
	case ROLE_CONSTANT:
		return "constant";
	case ROLE_LOSS:
		return "loss";
	case ROLE_SAVED:
		return "saved";
	default:
		return "op";
	}
}

static void put_rms(struct picture *p, enum class class, const struct statistic *s)
{
	char number[40], before[32];

	if (!p->d->gradients)
		return;
	if (class == CLASS_NONE)
		put(&p->text, p->d->options->record ? ", no gradient recorded" : ", no gradient");
	else if (p->d->change)
		put(&p->text, ", gradient rms %s from %s (%s)", drawing_size_text(number, s->rms),
		    drawing_size_text(before, s->before), drawing_class_name(p->d, class));
	else
		put(&p->text, ", gradient rms %s (%s)", drawing_size_text(number, s->rms),
		    drawing_class_name(p->d, class));
}

static void describe_part(struct picture *p, Agnode_t *node, uint32_t part)
{
	struct drawing *d = p->d;
	const struct part *a = &d->parts[part];
	const char *name = ad_name_of(a->node), *op = ad_op_of(a->node);
	char attrs[512];

	start(&p->text);
	put(&p->text, "%s", a->linear ? "matmul, add" : op ? op : role_words(a->role));
	if (name) {
		put(&p->text, " ");
		put_tooltip(&p->text, name);
	}
	if (a->frame && d->frames[a->frame].first != NOTHING) {
		put(&p->text, " in ");
		put_tooltip(&p->text, drawing_frame_name(d, a->frame));
	}
	put(&p->text, ": ");
	put_shape(&p->text, ad_shape_of(a->node));
	if (op && *ad_print_attrs(attrs, sizeof attrs, a->node)) {
		put(&p->text, ", ");
		put_tooltip(&p->text, attrs);
	}
	put_rms(p, a->class, &a->gradient);
	set(p, node, N_TOOLTIP, p->text.s);
	set(p, node, N_CLASS, role_words(a->role));
}

static void style_part(struct picture *p, Agnode_t *node, uint32_t part)
{
	const struct part *a = &p->d->parts[part];

	switch (a->role) {
	case ROLE_PARAM:
		set(p, node, N_SHAPE, "cylinder");
		set(p, node, N_STYLE, a->frozen ? "filled,dashed" : "filled");
		p->freezes |= a->frozen;
		set(p, node, N_FILLCOLOR, "#fff3d1");
		set(p, node, N_MARGIN, "0.06,0.04");
		break;
	case ROLE_BUFFER:
		set(p, node, N_SHAPE, "note");
		set(p, node, N_STYLE, "filled");
		set(p, node, N_FILLCOLOR, "#eeeeee");
		break;
	case ROLE_INPUT:
	case ROLE_TARGET:
		set(p, node, N_SHAPE, "cds");
		set(p, node, N_STYLE, a->role == ROLE_TARGET ? "filled,dashed" : "filled");
		set(p, node, N_FILLCOLOR, "#e8f1fb");
		set(p, node, N_MARGIN, "0.12,0.07");
		break;
	case ROLE_SAVED:
		set(p, node, N_STYLE, "filled");
		set(p, node, N_FILLCOLOR, SAVED_COLOUR);
		p->saves = true;
		break;
	case ROLE_LOSS:
		set(p, node, N_PERIPHERIES, "2");
		set(p, node, N_FILLCOLOR, "#fde8e6");
		break;
	default:
		break;
	}
	if (a->offender) {
		set(p, node, N_COLOR, colour_of(p, CLASS_NAN));
		set(p, node, N_PENWIDTH, "2.5");
		p->offends = true;
	}
}

static Agnode_t *draw_part(struct picture *p, Agraph_t *in, uint32_t part)
{
	const struct part *a = &p->d->parts[part];
	char id[32];
	Agnode_t *node = make_node(p, in, part_id('n', part, id));

	if (a->role == ROLE_OP || a->role == ROLE_LOSS)
		label_op(p, node, part);
	else
		label_leaf(p, node, a);
	style_part(p, node, part);
	describe_part(p, node, part);
	if (a->role == ROLE_PARAM && p->d->gradients)
		p->occurs[a->class] = true;
	return node;
}

/* How a gradient compares with the reference, or with what it was: 150x, 1/60. */
static void put_factor(struct picture *p, double size)
{
	double factor = p->d->change ? size : p->d->reference > 0 ? size / p->d->reference : 0;
	char text[40];

	if (factor > 0)
		put(&p->text, " %s", drawing_factor_text(text, factor));
}

/* One cell a copy, in its class's colour; the frames of one name the worst first, at most three of
 * each class and three lines. */
static void put_strip(struct picture *p, uint32_t leader)
{
	struct drawing *d = p->d;
	uint32_t copies = d->frames[leader].copies, k = 0;
	/* Rows of equal length of at most 50. */
	uint32_t rows = (copies + 49) / 50, columns = (copies + rows - 1) / rows;
	int width = columns <= 12 ? 14 : columns <= 25 ? 8 : 5, lines = 0;
	const char *link;

	/* Of a fixed size, or dot would spread the cells over the width of the text below. */
	put(&p->text,
	    "<TR><TD><TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"1\" CELLPADDING=\"0\" "
	    "FIXEDSIZE=\"TRUE\" WIDTH=\"%u\" HEIGHT=\"%u\">",
	    columns * ((uint32_t)width + 1) + 1, rows * 15 + 1);
	for (uint32_t c = leader; c != NOTHING && d->frames[c].leader == leader;
	     c = d->frames[c].sibling, k++) {
		const char *colour = colour_of(p, d->frames[c].worst);

		p->occurs[d->frames[c].worst] = true;
		link = link_of(p, c);
		put(&p->text,
		    "%s<TD%s%s%s FIXEDSIZE=\"TRUE\" WIDTH=\"%d\" HEIGHT=\"14\" BGCOLOR=\"%s\"></TD>",
		    k % columns == 0 ? "<TR>" : "", link ? " HREF=\"" : "", link ? link : "",
		    link ? "\"" : "", width,
		    d->frames[c].worst == CLASS_NORMAL ? "#bdbdbd" : colour);
		if (k % columns == columns - 1 || k + 1 == copies)
			put(&p->text, "</TR>");
	}
	put(&p->text, "</TABLE></TD></TR>");
	for (int class = CLASSES - 1; class > CLASS_NORMAL && lines < 3; class --) {
		uint32_t n = 0, last = NOTHING, worst;

		for (uint32_t c = leader; c != NOTHING && d->frames[c].leader == leader;
		     c = d->frames[c].sibling)
			n += (int)d->frames[c].worst == class;
		if (n == 0)
			continue;
		put(&p->text, "<TR><TD ALIGN=\"LEFT\"><FONT POINT-SIZE=\"9\" COLOR=\"%s\">%s:",
		    colour_of(p, (enum class) class), drawing_class_name(d, (enum class) class));
		for (uint32_t named = 0; named < 3 && named < n; named++, last = worst) {
			worst = drawing_next_copy(d, leader, (enum class) class, last);
			put(&p->text, "%s", named ? ", " : " ");
			put_escaped(&p->text, drawing_frame_name(d, worst));
			if (d->frames[worst].offender)
				put(&p->text, " first");
			else if (class != CLASS_NAN && class != CLASS_ZERO)
				put_factor(p, d->frames[worst].extreme);
		}
		if (n > 3)
			put(&p->text, " and %u more", n - 3);
		put(&p->text, "</FONT></TD></TR>");
		lines++;
	}
}

static void put_copies_name(struct picture *p, uint32_t leader)
{
	char text[256];

	put_escaped(&p->text, drawing_copies_name(p->d, leader, text, sizeof text));
	put(&p->text, " &nbsp;\xc3\x97 %s", drawing_count_text(text, p->d->frames[leader].copies));
}

/* A layer's weights, each with its gradient: what their own nodes would say. */
static void put_weights(struct picture *p, const struct box *b)
{
	struct drawing *d = p->d;
	uint32_t shown = 0;
	char number[40];

	for (uint32_t k = b->first; k <= b->last && shown < MOST_WEIGHTS; k++) {
		const struct part *a = &d->parts[k];
		const char *name = ad_name_of(a->node), *dot = name ? strrchr(name, '.') : NULL;

		if (a->shown != k || a->role != ROLE_PARAM || &d->boxes[a->box] != b)
			continue;
		shown++;
		put(&p->text, "<BR/><FONT POINT-SIZE=\"9\">");
		put_escaped(&p->text, dot && dot[1] ? dot + 1 : name ? name : "param");
		put(&p->text, " ");
		put_shape(&p->text, ad_shape_of(a->node));
		put(&p->text, "%s</FONT>", a->frozen ? " <I>frozen</I>" : "");
		if (d->gradients && a->class != CLASS_NONE) {
			p->occurs[a->class] = true;
			put(&p->text, "<FONT POINT-SIZE=\"9\" COLOR=\"%s\"> &nbsp;%s</FONT>",
			    colour_of(p, a->class),
			    drawing_weight_text(d, a, number));
		}
	}
}

static uint32_t count_weights(const struct drawing *d, const struct box *b)
{
	uint32_t n = 0;

	for (uint32_t k = b->first; k <= b->last; k++)
		n += d->parts[k].shown == k && d->parts[k].role == ROLE_PARAM &&
		     &d->boxes[d->parts[k].box] == b;
	return n;
}

static void label_layer(struct picture *p, const struct box *b)
{
	const struct frame *f = &p->d->frames[b->frame];
	const char *name = drawing_frame_name(p->d, b->frame);
	uint32_t weights = count_weights(p->d, b);

	put(&p->text, "<FONT>");
	put_escaped(&p->text, f->layer);
	put(&p->text, "</FONT>");
	if (strcmp(name, f->layer) != 0) {
		put(&p->text, "<FONT POINT-SIZE=\"9\"> &nbsp;<I>");
		put_escaped(&p->text, name);
		put(&p->text, "</I></FONT>");
	}
	if (b->ops > 1 || weights > MOST_WEIGHTS) {
		put(&p->text, "<BR/><FONT POINT-SIZE=\"9\">");
		put_counts(&p->text, b->ops, b->elements);
		put(&p->text, "</FONT>");
	}
	if (weights <= MOST_WEIGHTS)
		put_weights(p, b);
}

/* conv2d + batch_norm + relu, the first one's name, the weights of all. */
static void label_folded(struct picture *p, const struct box *b)
{
	struct drawing *d = p->d;
	uint32_t weights = count_weights(d, b), frame = b->frame;
	const char *name = NULL;
	char words[96];

	put(&p->text, "<FONT>");
	for (const struct box *in = b;; in = &d->boxes[in->next]) {
		if (in->kind == BOX_PART)
			op_words(d, in->part, words, sizeof words);
		put_escaped(&p->text,
		            in->kind == BOX_PART ? words : d->frames[in->frame].layer);
		if (in->next == NOTHING)
			break;
		put(&p->text, " + ");
	}
	put(&p->text, "</FONT>");
	if (b->named != NOTHING)
		frame = b->named;
	if (b->named != NOTHING || b->kind == BOX_FRAME)
		name = drawing_frame_name(d, frame);
	if (name && (!d->frames[frame].layer || strcmp(name, d->frames[frame].layer) != 0)) {
		put(&p->text, "<FONT POINT-SIZE=\"9\"> &nbsp;<I>");
		put_escaped(&p->text, name);
		put(&p->text, "</I></FONT>");
	}
	if (weights > MOST_WEIGHTS) {
		put(&p->text, "<BR/><FONT POINT-SIZE=\"9\">");
		put_counts(&p->text, b->ops, b->elements);
		put(&p->text, "</FONT>");
	}
	put_weights(p, b);
}

static void label_closed(struct picture *p, const struct box *b)
{
	struct drawing *d = p->d;
	bool copies = b->kind == BOX_FRAME && d->frames[b->frame].copies > 1;
	char time[32];

	start(&p->text);
	if (b->next != NOTHING) {
		label_folded(p, b);
		return;
	}
	if (b->kind == BOX_FRAME && d->frames[b->frame].outside) {
		char path[1024];

		const char *outside = drawing_path(d, b->frame, path, sizeof path);

		put(&p->text, "<I>");
		put_escaped(&p->text, *outside ? outside : "\xe2\x80\xa6");
		put(&p->text, "</I>");
		return;
	}
	if (b->kind == BOX_FRAME && !copies && d->frames[b->frame].layer) {
		label_layer(p, b);
		return;
	}
	if (copies)
		put(&p->text, "<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"2\" "
		              "CELLPADDING=\"0\"><TR><TD>");
	put(&p->text, "<B>");
	if (copies)
		put_copies_name(p, b->frame);
	else
		put_escaped(&p->text, b->kind == BOX_FRAME ? drawing_frame_name(d, b->frame)
		                                           : "\xe2\x80\xa6");
	put(&p->text, "</B><BR/><FONT POINT-SIZE=\"9\">");
	put_counts(&p->text, b->ops, b->elements);
	if (d->planned && b->kind == BOX_FRAME && d->frame_seconds[b->frame] > 0)
		put(&p->text, ", %s", drawing_time_text(time, d->frame_seconds[b->frame]));
	put(&p->text, "</FONT>");
	if (copies) {
		put(&p->text, "</TD></TR>");
		if (d->gradients)
			put_strip(p, b->frame);
		put(&p->text, "</TABLE>");
	}
}

/* A closed frame, copies of one, or a stretch of a level that is too long. */
static Agnode_t *draw_closed(struct picture *p, Agraph_t *in, const struct box *b)
{
	struct drawing *d = p->d;
	const struct frame *f = b->kind == BOX_FRAME ? &d->frames[b->frame] : NULL;
	char path[256], id[32];
	Agnode_t *node = make_node(p, in, drawing_box_id(d, b, id));
	const char *link;

	label_closed(p, b);
	set_html(p, node, N_LABEL, p->text.s);
	start(&p->text);
	if (b->kind == BOX_PART)
		put_tooltip(&p->text, ad_op_of(d->parts[b->part].node));
	else
		put_tooltip(&p->text, f ? drawing_path(d, b->frame, path, sizeof path)
		                        : "ops recorded one after the other");
	if (b->next != NOTHING)
		put(&p->text, " with what only follows it");
	if (f && f->copies > 1)
		put(&p->text, " and %u more of equal structure", f->copies - 1);
	put(&p->text, ": ");
	put_counts(&p->text, b->ops, b->elements);
	if (d->gradients)
		put(&p->text, ", worst gradient inside: %s",
		    drawing_class_name(d, b->worst));
	set(p, node, N_TOOLTIP, p->text.s);
	if (d->planned && f && d->frame_seconds[b->frame] > 0)
		set(p, node, N_FILLCOLOR, drawing_heat(d, d->frame_seconds[b->frame], id));
	set(p, node, N_CLASS,
	    b->next != NOTHING                       ? "closed folded"
	    : f && f->layer && f->copies == 1 ? "closed layer"
	                                      : "closed");
	if (f && f->outside)
		set(p, node, N_STYLE, "rounded,filled,dashed");
	else if (b->next == NOTHING && (!f || !f->layer || f->copies > 1 || b->ops > 1))
		set(p, node, N_PERIPHERIES, "2");
	link = f ? link_of(p, b->frame) : NULL;
	if (link)
		set(p, node, N_URL, link);
	if (d->gradients && b->worst > CLASS_NORMAL) {
		set(p, node, N_COLOR, colour_of(p, b->worst));
		set(p, node, N_PENWIDTH, "2");
		p->occurs[b->worst] = true;
	}
	if (b->offender) {
		set(p, node, N_COLOR, colour_of(p, CLASS_NAN));
		set(p, node, N_PENWIDTH, "2.5");
		p->offends = true;
	}
	return node;
}

/* The row of a box and what stands beside it. */
static void stand_beside(struct picture *p, Agraph_t **row, Agnode_t *box, Agnode_t *node)
{
	if (!*row) {
		*row = agsubg(p->root, NULL, 1);
		set(p, *row, G_RANK, "same");
	}
	if (!*row || !agsubnode(*row, box, 1) || !agsubnode(*row, node, 1))
		p->failed = true;
}

/* A weight that stands beside another op, drawn here once more. */
static Agnode_t *draw_copy(struct picture *p, const struct arrow *a, Agraph_t *in)
{
	struct drawing *d = p->d;
	const struct use *u = &d->uses[a->use];
	struct part here = d->parts[u->from];
	char id[32];
	Agnode_t *node;

	drawing_arrow_id(d, a, id);
	id[0] = 'w';
	node = make_node(p, in, id);
	/* What this use contributes stands at its arrow. */
	here.class = CLASS_NONE;
	here.frame = 0;
	label_leaf(p, node, &here);
	style_part(p, node, u->from);
	set(p, node, N_STYLE, "filled,dashed");
	set(p, node, N_GROUP, "p");
	set(p, node, N_CLASS, "param copy");
	start(&p->text);
	put(&p->text, "the same param ");
	put_tooltip(&p->text, ad_name_of(here.node) ? ad_name_of(here.node) : "");
	set(p, node, N_TOOLTIP, p->text.s);
	return node;
}

static void draw_copies(struct picture *p, Agnode_t **nodes, Agnode_t **copies, Agraph_t **graphs,
                        Agraph_t **rows)
{
	struct drawing *d = p->d;

	for (size_t k = 0; k < d->n_arrows; k++) {
		const struct arrow *a = &d->arrows[k];
		const struct box *to = &d->boxes[a->to];

		if (!a->elsewhere)
			continue;
		copies[k] = draw_copy(
		    p, a,
		    graph_of(p, to->kind == BOX_FRAME ? d->frames[to->frame].parent : to->frame,
		             graphs));
		if (p->failed)
			return;
		stand_beside(p, &rows[a->to], nodes[a->to], copies[k]);
	}
}

static void draw_boxes(struct picture *p, Agnode_t **nodes, Agnode_t **copies, Agraph_t **graphs)
{
	struct drawing *d = p->d;
	Agraph_t **rows = calloc((size_t)d->n_boxes + 1, sizeof(Agraph_t *));
	char name[32];

	if (!rows) {
		p->failed = true;
		return;
	}
	for (uint32_t k = 0; k < d->n_boxes; k++) {
		const struct box *b = &d->boxes[k];
		uint32_t frame = b->kind == BOX_FRAME ? d->frames[b->frame].parent : b->frame;
		Agraph_t *in;

		if (b->head != k)
			continue;
		in = graph_of(p, frame, graphs);
		nodes[k] = b->kind == BOX_PART && b->next == NOTHING ? draw_part(p, in, b->part) : draw_closed(p, in, b);
		snprintf(name, sizeof name, "b%u", b->group);
		set(p, nodes[k], N_GROUP,
		    b->beside != NOTHING                   ? "p"
		    : b->group == 0 || b->group == NOTHING ? "m"
		                                           : name);
	}
	for (uint32_t k = 0; k < d->n_boxes; k++) {
		uint32_t op = d->boxes[k].beside;

		/* cgraph writes in a time that grows with the square of the subgraphs. */
		if (op != NOTHING && !p->failed && d->n_boxes <= COARSE_BOXES)
			stand_beside(p, &rows[op], nodes[op], nodes[k]);
	}
	if (!p->failed)
		draw_copies(p, nodes, copies, graphs, rows);
	free(rows);
}

/* By the first use that it shows: the same whatever the gradients are. */
const char *drawing_arrow_id(const struct drawing *d, const struct arrow *a, char *text)
{
	snprintf(text, 32, "e%u_%d", d->uses[a->first].by, d->uses[a->first].input);
	return text;
}

/* The arc from a weight to where it is drawn once more. */
static void draw_arc(struct picture *p, const struct arrow *a, Agnode_t *weight, Agnode_t *copy)
{
	const char *colour = p->d->options->mono ? "#000000" : SHARED_COLOUR;
	Agedge_t *e = make_edge(p, weight, copy);
	char id[32];

	drawing_arrow_id(p->d, a, id);
	id[0] = 's';
	set(p, e, E_ID, id);
	set(p, e, E_CLASS, "same");
	set(p, e, E_CONSTRAINT, "false");
	set(p, e, E_WEIGHT, "0");
	set(p, e, E_DIR, "none");
	set(p, e, E_STYLE, "dashed");
	set(p, e, E_COLOR, colour);
	set(p, e, E_FONTCOLOR, colour);
	set(p, e, E_LABEL, p->d->upright ? "\xc2\xa0same tensor" : "same tensor");
	set(p, e, E_EDGETOOLTIP, "same tensor");
	set(p, e, E_LABELTOOLTIP, "same tensor");
	p->shares = true;
}

/* copy: of the weight that it starts at, drawn at its op; NULL: it starts at the weight itself. */
static void draw_arrow(struct picture *p, const struct arrow *a, Agnode_t **nodes, Agnode_t *copy)
{
	struct drawing *d = p->d;
	const struct use *u = &d->uses[a->use];
	const struct part *from = &d->parts[u->from];
	ad_draw_arrows way = d->gradients && d->options->what == AD_DRAW_GRAPH
	                         ? d->options->arrows
	                         : AD_ARROWS_FORWARD;
	enum role role = d->boxes[a->from].kind == BOX_PART ? from->role : ROLE_OP;
	bool weight = role == ROLE_PARAM || role == ROLE_BUFFER;
	/* dot puts the head above the tail where both stand in one column: so weights alternate. */
	bool above = a->above, beside = weight && (copy || d->boxes[a->from].beside == a->to);
	Agnode_t *start_node = copy ? copy : nodes[a->from];
	Agedge_t *e = above ? make_edge(p, nodes[a->to], start_node)
	                    : make_edge(p, start_node, nodes[a->to]);
	char number[64];
	double width;

	set(p, e, E_ID, drawing_arrow_id(d, a, number));
	set(p, e, E_WEIGHT,
	    a->trunk                                      ? "8"
	    : weight && !copy && d->boxes[a->from].beside != a->to ? "0"
	                                                  : "1");

	start(&p->text);
	if (d->options->what == AD_DRAW_SWEEP && (from->saved || weight)) {
		set(p, e, E_COLOR, d->options->mono ? "#909090" : "#b58a5a");
		set(p, e, E_CLASS, "saved");
	} else if (!d->gradients) {
		if (!weight && d->upright)
			put(&p->text, "\xc2\xa0");
		if (!weight)
			put_shape(&p->text, ad_shape_of(from->node));
		set(p, e, E_CLASS, "value");
	} else {
		width = drawing_width(d, a->class, a->gradient.rms);
		p->occurs[a->class] = true;
		set(p, e, E_COLOR, colour_of(p, a->class));
		set(p, e, E_FONTCOLOR, colour_of(p, a->class));
		set(p, e, E_STYLE, style_of(p, a->class));
		set_number(p, e, E_PENWIDTH, width);
		set_number(p, e, E_ARROWSIZE, width < 3 ? 0.55 : width < 4.5 ? 0.75 : 0.6);
		snprintf(number, sizeof number, "gradient %s", drawing_class_name(d, a->class));
		set(p, e, E_CLASS, number);
		/* A weight says itself what its only use contributes. */
		if (a->class == CLASS_NONE && role == ROLE_INPUT)
			put(&p->text, "no grad");
		else if (a->class != CLASS_NONE && (!weight || from->uses > 1))
			/* dot puts a label right beside the middle of an arrow that runs up or down,
			 * left of that to a weight: half the width is missing. */
			put(&p->text,
			    a->class == CLASS_EXPLODING ? "<B>%s%s%s</B>" : "<FONT>%s%s%s</FONT>",
			    !d->upright || beside ? ""
			    : width < 4 ? "\xc2\xa0" : "\xc2\xa0\xc2\xa0",
			    drawing_gradient_text(d, &a->gradient, number),
			    d->upright || !beside ? ""
			    : width < 4 ? "\xc2\xa0"
			                : "\xc2\xa0\xc2\xa0");
	}
	/* The arrow of the value runs from what is read, that of its gradient back. */
	set(p, e, E_DIR,
	    way == AD_ARROWS_BOTH && a->class != CLASS_NONE ? "both"
	    : (way != AD_ARROWS_BACKWARD) == above          ? "back"
	                                                    : "forward");
	if (way == AD_ARROWS_BOTH && a->class != CLASS_NONE) {
		const char *value = d->options->mono ? "#000000" : VALUE_COLOUR;

		snprintf(number, sizeof number, "%s:%s", above ? colour_of(p, a->class) : value,
		         above ? value : colour_of(p, a->class));
		set(p, e, E_COLOR, number);
	}
	/* A label takes dot as long as a node: the tooltip has the number too. */
	if (d->n_boxes > COARSE_BOXES)
		start(&p->text);
	if (p->text.n > 0 && p->text.s[0] == '<')
		set_html(p, e, E_LABEL, p->text.s);
	else
		set(p, e, E_LABEL, p->text.s);

	start(&p->text);
	put_tooltip(&p->text, ad_name_of(from->node) ? ad_name_of(from->node)
	                      : ad_op_of(from->node) ? ad_op_of(from->node)
	                                             : role_words(from->role));
	put(&p->text, " ");
	put_shape(&p->text, ad_shape_of(from->node));
	put(&p->text, " to %s", ad_op_of(d->parts[u->by].node));
	if (a->uses > 1)
		put(&p->text, " and %u more", a->uses - 1);
	put_rms(p, a->class, &a->gradient);
	if (d->gradients && a->worst != a->class)
		put(&p->text, ", the worst of them %s", drawing_class_name(d, a->worst));
	set(p, e, E_EDGETOOLTIP, p->text.s);
	set(p, e, E_LABELTOOLTIP, p->text.s);
}

static void put_bar_piece(struct picture *p, int width, int height, const char *colour)
{
	put(&p->text, "<TD FIXEDSIZE=\"TRUE\" WIDTH=\"%d\" HEIGHT=\"%d\" BGCOLOR=\"%s\"></TD>",
	    width, height, colour);
}

/* Dashes for a line of that style. */
static void put_pieces(struct picture *p, bool dashed, int height, const char *colour)
{
	put(&p->text,
	    "<TD><TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"2\" CELLPADDING=\"0\"><TR>");
	for (int k = 0; k < (dashed ? 3 : 6); k++)
		put_bar_piece(p, dashed ? 6 : 2, height, colour);
	put(&p->text, "</TR></TABLE></TD>");
}

/* A bar as its line is drawn: whole, in pieces, in dots. */
static void put_bar(struct picture *p, enum class class)
{
	const char *style = style_of(p, class), *colour = colour_of(p, class);
	bool dashed = !strcmp(style, "dashed"), dotted = !strcmp(style, "dotted");

	if (dashed || dotted)
		put_pieces(p, dashed, look_of(p->d, class)->height, colour);
	else
		put_bar_piece(p, 26, look_of(p->d, class)->height, colour);
}

static void put_row(struct text *t, const char *mark, const char *meaning)
{
	put(t, "<TR><TD ALIGN=\"LEFT\">%s</TD><TD ALIGN=\"LEFT\">%s</TD></TR>", mark, meaning);
}

static void finish_legend(struct picture *p, Agnode_t *legend)
{
	set_html(p, legend, N_LABEL, p->text.s);
	set(p, legend, N_SHAPE, "plain");
	set(p, legend, N_STYLE, "");
	set(p, legend, N_FONTSIZE, "9");
	set(p, legend, N_GROUP, "p");
	set(p, legend, N_ID, "legend");
	set(p, legend, N_CLASS, "legend");
	set(p, legend, N_TOOLTIP, "legend");
}

/* "100x", "1/30". */
static void put_ratio(struct text *t, double ratio)
{
	double inverse = round(1 / ratio);

	if (ratio < 1 && fabs(inverse * ratio - 1) < 1e-9)
		put(t, "1/%.9g", inverse);
	else
		put(t, ratio < 1 ? "%g" : "%g\xc3\x97", ratio);
}

/* What the legend says of a class: its name and where it begins. */
static void put_meaning(struct text *t, const struct drawing *d, enum class class)
{
	const ad_draw_thresholds *bounds = &d->thresholds;

	if (class == CLASS_NORMAL && d->reference == 0 && !d->change) {
		put(t, "a gradient");
		return;
	}
	if (class == CLASS_NONE && d->options->record && !d->change) {
		put(t, "none wanted, or none recorded");
		return;
	}
	put(t, "%s", look_of(d, class)->meaning);
	if (d->change)
		return;
	if (class == CLASS_EXPLODING) {
		put(t, ", over ");
		put_ratio(t, bounds->exploding);
	} else if (class == CLASS_STRONG) {
		put(t, ", ");
		put_ratio(t, bounds->strong);
		put(t, " to ");
		put_ratio(t, bounds->exploding);
	} else if (class == CLASS_WEAK || class == CLASS_VANISHING) {
		put(t, ", under ");
		put_ratio(t, class == CLASS_WEAK ? bounds->weak : bounds->vanishing);
	}
}

static void draw_legend(struct picture *p)
{
	static const enum class order[] = { CLASS_NAN,    CLASS_EXPLODING, CLASS_STRONG,
		                            CLASS_NORMAL, CLASS_WEAK,      CLASS_VANISHING,
		                            CLASS_LOST,   CLASS_ZERO,      CLASS_NONE };
	struct drawing *d = p->d;
	struct text *t = &p->text;
	const char *reference = d->reference > 0 ? ad_name_of(d->options->reference) : NULL;
	Agnode_t *legend = agnode(p->root, unconst("legend"), 1);
	char number[32];

	start(t);
	put(t, "<TABLE BORDER=\"1\" COLOR=\"#cccccc\" CELLBORDER=\"0\" CELLSPACING=\"3\" "
	       "CELLPADDING=\"0\"><TR><TD COLSPAN=\"2\" ALIGN=\"LEFT\"><B>%s",
	    d->change ? "rms of the gradient: new by old" : "rms of the gradient");
	if (d->reference > 0 && !d->change) {
		put(t, " against ");
		put_escaped(t, reference ? reference : "the output");
	}
	put(t, "</B></TD></TR>");
	if (d->reference > 0 && d->positions > 1 && !d->change)
		put(t,
		    "<TR><TD COLSPAN=\"2\" ALIGN=\"LEFT\">weights: times \xe2\x88\x9a%s, the rows "
		    "that "
		    "they sum over</TD></TR>",
		    drawing_count_text(number, (size_t)d->positions));
	if (d->options->values)
		put(t,
		    "<TR><TD><FONT COLOR=\"%s\">0.5</FONT></TD><TD ALIGN=\"LEFT\">rms of the "
		    "value</TD></TR>",
		    d->options->mono ? "#000000" : VALUE_COLOUR);
	if (p->saves) {
		put(t,
		    "<TR><TD FIXEDSIZE=\"TRUE\" WIDTH=\"26\" HEIGHT=\"9\" BGCOLOR=\"%s\"></TD>"
		    "<TD ALIGN=\"LEFT\">kept from the forward pass</TD></TR>",
		    SAVED_COLOUR);
	}
	for (size_t k = 0; k < sizeof order / sizeof order[0]; k++) {
		if (!p->occurs[order[k]])
			continue;
		put(t, "<TR>");
		put_bar(p, order[k]);
		put(t, "<TD ALIGN=\"LEFT\">");
		put_meaning(t, d, order[k]);
		put(t, "</TD></TR>");
	}
	if (p->shares) {
		put(t, "<TR>");
		put_pieces(p, true, 1, d->options->mono ? "#000000" : SHARED_COLOUR);
		put(t, "<TD ALIGN=\"LEFT\">same tensor, dashed where it is used again</TD></TR>");
	}
	if (p->offends)
		put(t, "<TR><TD></TD><TD ALIGN=\"LEFT\">thick outline: where the first NaN or "
		       "infinity begins</TD></TR>");
	if (p->freezes)
		put(t, "<TR><TD></TD><TD ALIGN=\"LEFT\">dashed outline: frozen, does not "
		       "learn</TD></TR>");
	put(t, "</TABLE>");
	finish_legend(p, legend);
}

static void draw_plan_legend(struct picture *p)
{
	struct drawing *d = p->d;
	struct text *t = &p->text;
	Agnode_t *legend = agnode(p->root, unconst("legend"), 1);
	char time[32], colour[32];

	start(t);
	put(t, "<TABLE BORDER=\"1\" COLOR=\"#cccccc\" CELLBORDER=\"0\" CELLSPACING=\"3\" "
	       "CELLPADDING=\"0\">");
	if (d->most_seconds > 0) {
		put(t, "<TR><TD><TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"0\" "
		       "CELLPADDING=\"0\"><TR>");
		for (int k = 0; k <= 4; k++)
			put_bar_piece(p, 8, 9,
			              drawing_heat(d, d->most_seconds * k / 4, colour));
		put(t, "</TR></TABLE></TD><TD ALIGN=\"LEFT\">time, up to %s</TD></TR>",
		    drawing_time_text(time, d->most_seconds));
	}
	if (d->n_frames > 1)
		put_row(t, "frame", "runs together, in one pass over memory");
	put_row(t, "m1, m2", "memory that values of equal number take in turn");
	put_row(t, "in pieces", "never stored as a whole");
	put_row(t, "kept", "can be read after the evaluation");
	put_row(t, "nothing to do &nbsp;", "a view, or part of another op's work");
	put(t, "</TABLE>");
	finish_legend(p, legend);
}

static void draw_flow(struct picture *p)
{
	struct drawing *d = p->d;
	Agnode_t **nodes = calloc((size_t)d->n_boxes + 1, sizeof *nodes);
	Agraph_t **graphs = calloc((size_t)d->n_frames + 1, sizeof *graphs);
	Agnode_t **copies = calloc(d->n_arrows + 1, sizeof *copies);

	if (nodes && graphs && copies) {
		title_flow(p);
		if (d->upright && !d->options->direction)
			set(p, p->root, G_RANKDIR, "TB");
		draw_boxes(p, nodes, copies, graphs);
		for (size_t k = 0; k < d->n_arrows && !p->failed; k++)
			draw_arrow(p, &d->arrows[k], nodes, copies[k]);
		for (size_t k = 0; k < d->n_arrows && !p->failed; k++)
			if (copies[k])
				draw_arc(p, &d->arrows[k], nodes[d->arrows[k].from], copies[k]);
		if (d->planned)
			draw_plan_legend(p);
		else if (d->gradients)
			draw_legend(p);
	} else {
		p->failed = true;
	}
	free(nodes);
	free(graphs);
	free(copies);
}

/* ---- the whole ----------------------------------------------------------------------------- */

static bool write_picture(struct drawing *d, bool circuit, FILE *to)
{
	/* Straight pieces for curves and few rounds of improvement: 20 times as fast. */
	static const char *const coarse[][2] = { { "splines", "polyline" },
		                                 { "nslimit", "0.03" },
		                                 { "nslimit1", "0.03" },
		                                 { "mclimit", "0.05" } };
	struct picture p = { .d = d };
	bool written = false;

	p.root = agopen(unconst(circuit ? "circuit" : "flow"), Agdirected, NULL);
	if (!p.root || !declare(&p, circuit))
		p.failed = true;
	else if (circuit)
		draw_circuit(&p);
	else
		draw_flow(&p);
	for (size_t k = 0; k < 4 && d->n_boxes > COARSE_BOXES && p.root; k++)
		p.failed |= !agattr(p.root, AGRAPH, unconst(coarse[k][0]), unconst(coarse[k][1]));
	p.failed |= p.text.failed;
	if (!p.failed)
		written = agwrite(p.root, to) == 0 && fflush(to) == 0 && !ferror(to);
	if (p.root)
		agclose(p.root);
	free(p.text.s);
	if (p.failed)
		return drawing_fail(d, "draw: out of memory for a graph of %zu nodes", d->n_nodes);
	return written || drawing_fail(d, "draw: the diagram could not be written");
}

bool ad_draw(ad_node *y, const ad_draw_options *o, FILE *to, char *error, size_t n)
{
	static const ad_draw_options usual = { .step = -1 };
	/* Numbers are written with a point, whatever the program's language. */
	locale_t plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0), before = (locale_t)0;
	struct drawing d;
	bool circuit = false, good;

	if (plain)
		before = uselocale(plain);
	good = drawing_read(&d, y, o ? o : &usual, error, n);
	if (good) {
		circuit = d.options->form == AD_DRAW_DOT && !d.options->record &&
		          drawing_is_circuit(&d);
		good = circuit ? drawing_circuit(&d) : drawing_flow(&d);
	}
	if (good && d.options->form != AD_DRAW_DOT) {
		good = d.options->form == AD_DRAW_TEXT ? drawing_write_text(&d, to)
		                                       : drawing_write_json(&d, to);
	} else if (good) {
		pthread_mutex_lock(&one_at_a_time);
		good = write_picture(&d, circuit, to);
		pthread_mutex_unlock(&one_at_a_time);
	}
	drawing_free(&d);
	if (plain) {
		uselocale(before);
		freelocale(plain);
	}
	return good;
}
