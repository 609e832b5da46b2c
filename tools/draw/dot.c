/*
 * dot: text, attributes and objects of a diagram in cgraph; what an op is called.
 *
 * Only calls that behave alike from version 2.42 on are used, one thread at a time, as cgraph
 * shares state even between graphs. Attributes are declared on the root first: declared on a
 * subgraph, they would leak to the root. Names are n17, f17, cluster_c17_1; text of users appears
 * in labels and tooltips only, through dot_put_escaped.
 */
#include "dot.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- text ---------------------------------------------------------------------------------- */

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

/* Text of our own and numbers: at most 1,000 bytes a call. */
void dot_put(struct text *t, const char *format, ...)
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

const char *dot_start(struct text *t)
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
void dot_put_user_text(struct text *t, const char *text, size_t most, const char *backslash)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t bytes;

	for (size_t k = 0; *s; k++, s += bytes) {
		uint32_t c = drawing_character_at(s, &bytes);

		if (k == most) {
			dot_put(t, "\xe2\x80\xa6");
			return;
		}
		if (c == '&')
			dot_put(t, "&amp;");
		else if (c == '<')
			dot_put(t, "&lt;");
		else if (c == '>')
			dot_put(t, "&gt;");
		else if (c == '"')
			dot_put(t, "&quot;");
		else if (c == '\\')
			dot_put(t, "%s", backslash);
		else if (c == '\t' || c == '\n' || c == '\r')
			dot_put(t, " ");
		else if (c == 0xfffd || drawing_is_unprintable(c))
			dot_put(t, "\xef\xbf\xbd");
		else
			put_bytes(t, (const char *)s, bytes);
	}
}

void dot_put_escaped(struct text *t, const char *text)
{
	dot_put_user_text(t, text, LABEL_CHARACTERS, "&#92;&#92;");
}

void dot_put_tooltip(struct text *t, const char *text)
{
	dot_put_user_text(t, text, TOOLTIP_CHARACTERS, "&#92;&#92;&#92;&#92;");
}

/* 1e-05 as 1e-5, -0 as 0. */
void dot_tidy_number(char *text)
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
const char *dot_value_text(char *text, double value)
{
	if (isnan(value))
		return "NaN";
	if (isinf(value))
		return value > 0 ? "inf" : "-inf";
	snprintf(text, 32, "%.4g", value);
	dot_tidy_number(text);
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
	dot_tidy_number(text);
	return text;
}

/* A factor, in two digits: 1.5, 220, 6.8e28. */
const char *dot_factor_text(char *text, double factor)
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

void dot_put_shape(struct text *t, ad_shape shape)
{
	if (shape.rank == 0)
		dot_put(t, "number");
	for (int i = 0; i < shape.rank; i++)
		dot_put(t, "%s%lld", i ? "\xc3\x97" : "", (long long)shape.dims[i]);
}

/* ---- attributes ---------------------------------------------------------------------------- */

/* cgraph takes char * without const and writes to none of them. */
char *dot_unconst(const char *s)
{
	union {
		const char *in;
		char *out;
	} u = { .in = s };

	return u.out;
}

bool dot_declare(struct picture *p, bool circuit)
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
		    agattr(p->root, rows[k].kind, dot_unconst(rows[k].name), dot_unconst(value));
		if (!p->symbols[k])
			return false;
	}
	return true;
}

void dot_set(struct picture *p, void *object, enum attribute a, const char *value)
{
	if (!object || !p->symbols[a] || p->text.failed ||
	    agxset(object, p->symbols[a], dot_unconst(value)))
		p->failed = true;
}

void dot_set_number(struct picture *p, void *object, enum attribute a, double value)
{
	char text[32];

	snprintf(text, sizeof text, "%.2f", value);
	dot_set(p, object, a, text);
}

/* An HTML label shares its text with any equal plain string of the graph, so it begins with a tag,
 * which no plain string of ours does. */
void dot_set_html(struct picture *p, void *object, enum attribute a, const char *value)
{
	char *html = p->text.failed ? NULL : agstrdup_html(p->root, dot_unconst(value));

	if (!html)
		p->failed = true;
	else
		dot_set(p, object, a, html);
}

Agnode_t *dot_make_node(struct picture *p, Agraph_t *in, const char *name)
{
	Agnode_t *node = agnode(in, dot_unconst(name), 1);

	if (!node)
		p->failed = true;
	else
		dot_set(p, node, N_ID, name);
	return node;
}

const char *dot_part_id(char kind, uint32_t part, char *text)
{
	snprintf(text, 32, "%c%u", kind, part);
	return text;
}

Agedge_t *dot_make_edge(struct picture *p, Agnode_t *from, Agnode_t *to)
{
	Agedge_t *edge = from && to ? agedge(p->root, from, to, NULL, 1) : NULL;

	if (!edge)
		p->failed = true;
	return edge;
}

/* ---- the words for an op ------------------------------------------------------------------- */

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

const struct symbol *dot_symbol_of(const char *op)
{
	for (size_t k = 0; k < sizeof symbols / sizeof symbols[0]; k++)
		if (op && !strcmp(op, symbols[k].op))
			return &symbols[k];
	return NULL;
}

size_t dot_letters_of(const char *words)
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
bool dot_op_words(const struct drawing *d, uint32_t part, char *words, size_t n)
{
	const struct part *p = &d->parts[part];
	const struct symbol *s = dot_symbol_of(ad_op_of(p->node));
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
			snprintf(words, n, "\xe2\x88\x92%s", dot_value_text(number, -value));
		else if (i == 0 && s->tail)
			snprintf(words, n, "%s%s", dot_value_text(number, value), s->tail);
		else
			snprintf(words, n, "%s%s", s->sign, dot_value_text(number, value));
	}
	return true;
}
