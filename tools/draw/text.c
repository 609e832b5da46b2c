/*
 * text: a graph and its gradients as a tree of text, and as JSON.
 */
#include "drawing.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BAR 10 /* cells, one a decade: from a millionth of the reference to a thousand times it */
#define MOST_LETTERS 40
#define MOST_NOTE 200
#define MOST_COPIES 8   /* named of each class */
#define CLASS_COLUMN 94 /* where classes stand */

/* ---- text ---------------------------------------------------------------------------------- */

/* A user's text without what a terminal would obey, cut at so many characters; returns how many. */
static int write_words(FILE *to, const char *words, int most)
{
	const unsigned char *s = (const unsigned char *)words;
	size_t bytes;
	int n = 0;

	for (; *s && n < most; s += bytes, n++) {
		uint32_t c = drawing_character_at(s, &bytes);

		if (c == 0xfffd || drawing_is_unprintable(c))
			fputs("\xef\xbf\xbd", to);
		else
			fwrite(s, 1, bytes, to);
	}
	return n;
}

static void pad(FILE *to, int written, int width)
{
	fprintf(to, "%*s", written < width ? width - written : 1, "");
}

/* A text at the right of so many columns, its code points, and two spaces. */
static void write_right(FILE *to, int columns, const char *text)
{
	for (const char *p = text; *p; p++)
		columns -= ((unsigned char)*p & 0xc0) != 0x80;
	fprintf(to, "%*s%s  ", columns > 0 ? columns : 0, "", text);
}

static const char *last_name(const char *name)
{
	const char *dot = name ? strrchr(name, '.') : NULL;

	return dot && dot[1] ? dot + 1 : name;
}

static const char *shape_text(char *text, size_t n, ad_shape shape)
{
	size_t at = 0;

	if (shape.rank == 0)
		return "number";
	for (int i = 0; i < shape.rank && at < n; i++)
		at += (size_t)snprintf(text + at, n - at, "%s%lld", i ? "x" : "",
		                       (long long)shape.dims[i]);
	return text;
}

static const char *kind_of(const struct part *p)
{
	static const char *const words[] = { [ROLE_OP] = "op",
		                             [ROLE_LOSS] = "loss",
		                             [ROLE_PARAM] = "param",
		                             [ROLE_INPUT] = "input",
		                             [ROLE_TARGET] = "target",
		                             [ROLE_BUFFER] = "buffer",
		                             [ROLE_CONSTANT] = "constant",
		                             [ROLE_SAVED] = "saved" };

	return words[p->role];
}

static const char *word_of(const struct part *p)
{
	return p->linear ? "linear" : ad_op_of(p->node) ? drawing_op(p->node) : kind_of(p);
}

static void write_bar(const struct drawing *d, FILE *to, const struct statistic *s)
{
	double unit = d->reference > 0 ? d->reference : d->largest, cells = 0;

	if (unit > 0 && s->rms > 0)
		cells = 7 + log10(s->rms / unit);
	cells = cells < 1 ? s->rms > 0 : cells > BAR ? BAR : cells;
	for (int k = 0; k < BAR; k++)
		fputs(k < (int)(cells + 0.5) ? "\xe2\x96\x88" : "\xc2\xb7", to);
}

struct row {
	int indent;
	const char *name, *op;
	ad_shape shape;
	const char *extent; /* in the shape's place; NULL */
	ad_node *value;     /* whose rms is shown; NULL */
	ad_node *single; /* the gradient that is shown with its sign where it is one number; NULL */
	const struct statistic *gradient;
	const struct part *weight; /* whose number is shown; NULL: that of the gradient */
	enum class class;
};

static bool write_row(struct drawing *d, FILE *to, const struct row *r)
{
	char text[256];
	struct statistic s = { 0 };
	int n;

	n = fprintf(to, "%*s", 2 * r->indent, "");
	n += write_words(to, r->name ? r->name : "", MOST_LETTERS);
	pad(to, n, 28);
	n = write_words(to, r->op, MOST_LETTERS);
	pad(to, n, 16);
	fprintf(to, "%-19s", r->extent ? r->extent : shape_text(text, sizeof text, r->shape));
	if (!d->gradients) {
		fputc('\n', to);
		return true;
	}
	if (r->value && !drawing_statistic(d, r->value, &s))
		return false;
	if (s.known && ad_count(r->value) == 1 && !d->options->record)
		fprintf(to, " %8.4g", ad_item(r->value));
	else
		fprintf(to, " %8s",
		        s.known && ad_type_of(r->value) == AD_REAL ? drawing_size_text(text, s.rms)
		                                                   : "");
	if (r->gradient && r->class != CLASS_NONE && r->gradient->known) {
		if (r->single && ad_count(r->single) == 1)
			fprintf(to, "%9.4g  ", ad_item(r->single));
		else
			write_right(to, 9,
			            r->weight ? drawing_weight_text(d, r->weight, text)
			                      : drawing_gradient_text(d, r->gradient, text));
		write_bar(d, to, r->gradient);
	} else {
		fprintf(to, "%9s  %*s", "", BAR, "");
	}
	if (r->class != CLASS_NONE)
		fprintf(to, "  %s", drawing_class_name(d, r->class));
	fputc('\n', to);
	return true;
}

static bool write_part(struct drawing *d, FILE *to, uint32_t part, int indent)
{
	const struct part *p = &d->parts[part];
	const char *name = ad_name_of(p->node);
	char word[96];
	struct row r = { .indent = indent,
		         .name = p->role == ROLE_PARAM || p->role == ROLE_BUFFER ? last_name(name)
		                                                                 : name,
		         .op = word,
		         .shape = ad_shape_of(p->node),
		         .value = p->node,
		         .gradient = &p->gradient,
		         .weight = p,
		         .single =
		             d->gradients && !d->options->record && d->options->stat == AD_STAT_RMS
		                 ? ad_gradient(p->node)
		                 : NULL,
		         .class = p->class };

	snprintf(word, sizeof word, "%s%s",
	         !p->saved && drawing_is_kernel(p->node) ? "\xe2\x88\x82" : "", word_of(p));
	if (!r.name)
		r.name = p->role == ROLE_OP || p->role == ROLE_LOSS ? word : kind_of(p);
	if (!write_row(d, to, &r))
		return false;
	if (p->offender)
		fprintf(to, "%*s^ the first that made a NaN or an infinity\n", 2 * indent, "");
	return true;
}

/* The copies of a class by name, the first ones of many. */
static void write_copies(const struct drawing *d, FILE *to, uint32_t leader, enum class class,
                         int indent)
{
	uint32_t n = 0;
	int at;

	for (uint32_t c = NOTHING; (c = drawing_next_copy(d, leader, class, c)) != NOTHING;) {
		if (n++ >= MOST_COPIES)
			continue;
		at = fprintf(to, "%*s", 2 * indent, "");
		at += write_words(to, drawing_frame_name(d, c), MOST_LETTERS);
		pad(to, at, CLASS_COLUMN);
		fprintf(to, "%s%s\n", drawing_class_name(d, class),
		        d->frames[c].offender ? ", here first" : "");
	}
	if (n > MOST_COPIES) {
		at = fprintf(to, "%*sand %u more", 2 * indent, "", n - MOST_COPIES);
		pad(to, at, CLASS_COLUMN);
		fprintf(to, "%s\n", drawing_class_name(d, class));
	}
}

static bool write_closed(struct drawing *d, FILE *to, const struct box *b, int indent)
{
	const struct frame *f = b->kind == BOX_FRAME ? &d->frames[b->frame] : NULL;
	char ops[32], elements[32], extent[96], op[64], name[256];
	struct row r = { .indent = indent, .class = b->worst, .extent = extent, .op = op };

	snprintf(extent, sizeof extent, "%s op%s, %s", drawing_count_text(ops, b->ops),
	         b->ops == 1 ? "" : "s", drawing_count_text(elements, b->elements));
	r.name = f ? drawing_frame_name(d, b->frame) : "...";
	if (f && f->copies > 1)
		r.name = drawing_copies_name(d, b->frame, name, sizeof name);
	if (f && f->copies > 1)
		snprintf(op, sizeof op, "%u copies", f->copies);
	else
		snprintf(op, sizeof op, "%.60s", f && f->layer ? f->layer : "module");
	/* What leaves it stands for it. */
	for (uint32_t k = b->first; k <= b->last; k++)
		if (&d->boxes[d->parts[k].box] == b && d->parts[k].role == ROLE_OP)
			r.value = d->parts[k].node, r.gradient = &d->parts[k].gradient;
	if (!write_row(d, to, &r))
		return false;
	if (f && f->copies > 1 && d->gradients) {
		for (int class = CLASSES - 1; class > CLASS_NORMAL; class --)
			write_copies(d, to, b->frame, (enum class) class, indent + 1);
		return true;
	}
	for (uint32_t k = b->first; f && f->layer && k <= b->last; k++)
		if (d->parts[k].shown == k && d->parts[k].role == ROLE_PARAM &&
		    &d->boxes[d->parts[k].box] == b && !write_part(d, to, k, indent + 1))
			return false;
	return true;
}

/* Headings of the frames around a box that the last one was not in; returns how deep it lies. */
static int write_headings(struct drawing *d, FILE *to, uint32_t frame, uint32_t last)
{
	uint32_t chain[MAX_NESTING + 1], common = drawing_common_frame(d, frame, last);
	int n = 0, depth = 0;

	for (uint32_t s = frame; s; s = d->frames[s].parent)
		depth += d->frames[s].outlined;
	for (uint32_t s = frame; s != common && n <= MAX_NESTING; s = d->frames[s].parent)
		if (d->frames[s].outlined)
			chain[n++] = s;
	for (int k = n; k-- > 0;) {
		int written = fprintf(to, "%*s", 2 * (depth - k - 1), "");

		written += write_words(to, drawing_frame_name(d, chain[k]), MOST_LETTERS);
		if (d->gradients && d->frames[chain[k]].worst > CLASS_NORMAL) {
			pad(to, written, CLASS_COLUMN);
			fprintf(to, "%s", drawing_class_name(d, d->frames[chain[k]].worst));
		}
		fputc('\n', to);
	}
	return depth;
}

/* Boxes in the order of computation: by the first op in them, as weights are often recorded before
 * all ops. Fills order with the boxes that stand beside no other; returns how many, 0 without
 * memory. */
static uint32_t order_boxes(const struct drawing *d, uint32_t *order)
{
	bool *seen = calloc((size_t)d->n_boxes + 1, sizeof *seen);
	uint32_t n = 0;

	if (!seen)
		return 0;
	for (int leaves = 1; leaves >= 0; leaves--)
		for (uint32_t k = 0; k < d->n_parts; k++) {
			const struct part *p = &d->parts[k];
			bool op = p->role == ROLE_OP || p->role == ROLE_LOSS;
			const struct box *b = p->shown == k ? &d->boxes[p->box] : NULL;

			if (!b || seen[p->box] || b->beside != NOTHING ||
			    (leaves ? b->kind != BOX_PART || op : !op))
				continue;
			seen[p->box] = true;
			order[n++] = p->box;
		}
	free(seen);
	return n;
}

static bool write_boxes(struct drawing *d, FILE *to, const uint32_t *order, uint32_t n)
{
	uint32_t last = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct box *b = &d->boxes[order[i]];
		uint32_t frame = b->kind == BOX_FRAME ? d->frames[b->frame].parent : b->frame;
		int indent = write_headings(d, to, frame, last);

		last = frame;
		if (!(b->kind == BOX_PART ? write_part(d, to, b->part, indent)
		                          : write_closed(d, to, b, indent)))
			return false;
		for (uint32_t j = 0; j < d->n_boxes; j++)
			if (d->boxes[j].beside == order[i] &&
			    !write_part(d, to, d->boxes[j].part, indent + 1))
				return false;
	}
	return true;
}

bool drawing_write_text(struct drawing *d, FILE *to)
{
	uint32_t *order = malloc(((size_t)d->n_boxes + 1) * sizeof *order), n;
	bool good;
	char text[32];

	if (d->options->title)
		write_words(to, d->options->title, MOST_LETTERS);
	if (d->options->step >= 0)
		fprintf(to, "  step %" PRId64, d->options->step);
	if (d->gradients && ad_count(d->y) == 1)
		fprintf(to, "  loss %.5g", d->loss);
	if (d->reference > 0)
		fprintf(to, "  gradient at the output %s", drawing_size_text(text, d->reference));
	if (d->hidden)
		fprintf(to, "  %zu more nodes are left out", d->hidden);
	if (d->options->note) {
		fputc('\n', to);
		write_words(to, d->options->note, MOST_NOTE);
	}
	fprintf(to, "\n%-28s%-16s%-19s", "name", "op", "shape");
	if (d->gradients)
		fprintf(to, "%9s%9s  %-*s  class", "value",
		        d->change                           ? "factor"
		        : d->options->stat == AD_STAT_MAX   ? "max grad"
		        : d->options->stat == AD_STAT_RATIO ? "ratio"
		                                            : "gradient",
		        BAR, "");
	fputc('\n', to);
	n = order ? order_boxes(d, order) : 0;
	good = n > 0 ? write_boxes(d, to, order, n) : drawing_no_memory(d);
	free(order);
	if (!good)
		return false;
	return (fflush(to) == 0 && !ferror(to)) ||
	       drawing_fail(d, "draw: the text could not be written");
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static void write_string(FILE *to, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t bytes;

	fputc('"', to);
	for (; *s; s += bytes) {
		uint32_t c = drawing_character_at(s, &bytes);

		if (c == '"' || c == '\\')
			fprintf(to, "\\%c", (char)c);
		else if (c < 0x20 || c == 0x7f)
			fprintf(to, "\\u%04x", c);
		else if (c == 0xfffd)
			fputs("\xef\xbf\xbd", to);
		else
			fwrite(s, 1, bytes, to);
	}
	fputc('"', to);
}

/* JSON has no NaN and no infinity. */
static void write_number(FILE *to, double x)
{
	if (isfinite(x))
		fprintf(to, "%.6g", x);
	else
		fputs("null", to);
}

static void write_statistic(FILE *to, const char *key, const struct statistic *s)
{
	fprintf(to, ", \"%s\": {\"rms\": ", key);
	write_number(to, s->rms);
	fputs(", \"max\": ", to);
	write_number(to, s->max);
	fputs(", \"mean\": ", to);
	write_number(to, s->mean);
	fputs(", \"zeros\": ", to);
	write_number(to, s->zeros);
	fputc('}', to);
}

static void write_class(const struct drawing *d, FILE *to, const char *key, enum class class)
{
	fprintf(to, ", \"%s\": \"%s\"", key, drawing_class_name(d, class));
}

/* A gradient with how it is drawn. */
static void write_gradient(const struct drawing *d, FILE *to, enum class class,
                           const struct statistic *s, const char *text)
{
	if (class == CLASS_NONE)
		return;
	write_statistic(to, "gradient", s);
	if (d->change) {
		fputs(", \"before\": ", to);
		write_number(to, s->before);
		fputs(", \"factor\": ", to);
		write_number(to, drawing_size(d, s));
	}
	fputs(", \"number\": ", to);
	write_string(to, text);
}

static void write_colour(const struct drawing *d, FILE *to, enum class class)
{
	fprintf(to, ", \"colour\": \"%s\"", drawing_colour(d, class));
}

static bool write_json_part(struct drawing *d, FILE *to, const struct part *p)
{
	ad_shape shape = ad_shape_of(p->node);
	struct statistic s = { 0 };
	char text[40];

	fprintf(to, ", \"kind\": \"%s\", \"op\": ", kind_of(p));
	write_string(to, word_of(p));
	fputs(", \"name\": ", to);
	if (ad_name_of(p->node))
		write_string(to, ad_name_of(p->node));
	else
		fputs("null", to);
	fputs(", \"shape\": [", to);
	for (int i = 0; i < shape.rank; i++)
		fprintf(to, "%s%lld", i ? ", " : "", (long long)shape.dims[i]);
	fputc(']', to);
	if (d->planned && d->planned[drawing_node_number(d, p->node)].action) {
		const struct planned *x = &d->planned[drawing_node_number(d, p->node)];

		fprintf(to, ", \"group\": %u, \"seconds\": ", x->action);
		write_number(to, x->seconds);
		fprintf(to, ", \"bytes\": %zu, \"buffer\": ", x->bytes);
		if (p->buffer)
			fprintf(to, "%u", p->buffer);
		else
			fputs("null", to);
	}
	if (!d->gradients)
		return true;
	if (ad_type_of(p->node) == AD_REAL) {
		if (!drawing_statistic(d, p->node, &s))
			return false;
		if (s.known)
			write_statistic(to, "value", &s);
	}
	write_class(d, to, "class", p->class);
	write_colour(d, to, p->class);
	write_gradient(d, to, p->class, &p->gradient, drawing_weight_text(d, p, text));
	if (p->ratio > 0) {
		fputs(", \"ratio\": ", to);
		write_number(to, p->ratio);
	}
	if (p->offender)
		fputs(", \"first_nan\": true", to);
	return true;
}

/* The weights of a closed layer, as its box names them. */
static void write_json_weights(const struct drawing *d, FILE *to, const struct box *b)
{
	char text[40];
	bool first = true;

	fputs(", \"weights\": [", to);
	for (uint32_t k = b->first; k <= b->last; k++) {
		const struct part *p = &d->parts[k];

		if (p->shown != k || p->role != ROLE_PARAM || &d->boxes[p->box] != b)
			continue;
		fprintf(to, "%s{\"name\": ", first ? "" : ", ");
		write_string(to, ad_name_of(p->node) ? ad_name_of(p->node) : "");
		write_class(d, to, "class", p->class);
		write_colour(d, to, p->class);
		write_gradient(d, to, p->class, &p->gradient, drawing_weight_text(d, p, text));
		fputc('}', to);
		first = false;
	}
	fputc(']', to);
}

static void write_json_closed(struct drawing *d, FILE *to, const struct box *b)
{
	const struct frame *f = b->kind == BOX_FRAME ? &d->frames[b->frame] : NULL;

	fprintf(to, ", \"kind\": \"%s\", \"op\": ", !f ? "stretch" : f->layer ? "layer" : "module");
	if (f && f->layer)
		write_string(to, f->layer);
	else
		fputs("null", to);
	fprintf(to, ", \"ops\": %zu, \"parameters\": %zu", b->ops, b->elements);
	if (d->gradients) {
		write_class(d, to, "worst", b->worst);
		write_colour(d, to, b->worst);
	}
	if (f && f->layer && f->copies == 1 && d->gradients)
		write_json_weights(d, to, b);
	if (!f || f->copies == 1)
		return;
	fputs(", \"copies\": [", to);
	for (uint32_t c = b->frame; c != NOTHING && d->frames[c].leader == b->frame;
	     c = d->frames[c].sibling) {
		fprintf(to, "%s{\"name\": ", c == b->frame ? "" : ", ");
		write_string(to, drawing_frame_name(d, c));
		if (d->gradients) {
			write_class(d, to, "worst", d->frames[c].worst);
			write_colour(d, to, d->frames[c].worst);
		}
		fputc('}', to);
	}
	fputc(']', to);
}

/* What was folded into a node, by the words for each. */
static void write_folded(const struct drawing *d, FILE *to, const struct box *b)
{
	fputs(", \"folded\": [", to);
	for (uint32_t k = b->next; k != NOTHING; k = d->boxes[k].next) {
		const struct box *in = &d->boxes[k];

		write_string(to, in->kind == BOX_FRAME ? d->frames[in->frame].layer
		                                       : word_of(&d->parts[in->part]));
		if (in->next != NOTHING)
			fputs(", ", to);
	}
	fputc(']', to);
}

bool drawing_write_json(struct drawing *d, FILE *to)
{
	char path[1024], id[32];

	fputs("{\"title\": ", to);
	if (d->options->title)
		write_string(to, d->options->title);
	else
		fputs("null", to);
	if (d->options->step >= 0)
		fprintf(to, ", \"step\": %" PRId64, d->options->step);
	if (d->gradients && ad_count(d->y) == 1) {
		fputs(", \"loss\": ", to);
		write_number(to, d->loss);
	}
	if (d->options->note) {
		fputs(", \"note\": ", to);
		write_string(to, d->options->note);
	}
	if (d->reference > 0) {
		fputs(", \"reference\": ", to);
		write_number(to, d->reference);
		fprintf(to, ", \"positions\": %.0f", d->positions);
	}
	fprintf(to, ", \"left_out\": %zu,\n \"nodes\": [", d->hidden);
	for (uint32_t k = 0; k < d->n_boxes; k++) {
		const struct box *b = &d->boxes[k];
		bool part = b->kind == BOX_PART;

		if (b->head != k)
			continue;
		fprintf(to, "%s\n  {\"id\": %u, \"svg\": \"%s\", \"module\": ", k ? "," : "", k,
		        drawing_box_id(d, b, id));
		write_string(to, drawing_path(d, b->frame, path, sizeof path));
		if (!part)
			write_json_closed(d, to, b);
		else if (!write_json_part(d, to, &d->parts[b->part]))
			return false;
		if (b->next != NOTHING)
			write_folded(d, to, b);
		fputc('}', to);
	}
	fputs("],\n \"edges\": [", to);
	for (size_t k = 0; k < d->n_arrows; k++) {
		const struct arrow *a = &d->arrows[k];

		fprintf(to, "%s\n  {\"svg\": \"%s\", \"from\": %u, \"to\": %u, \"uses\": %u",
		        k ? "," : "", drawing_arrow_id(d, a, path), a->from, a->to, a->uses);
		if (d->gradients) {
			write_class(d, to, "class", a->class);
			write_class(d, to, "worst", a->worst);
			write_colour(d, to, a->class);
			fprintf(to, ", \"style\": \"%s\", \"width\": %.2f",
			        drawing_style(d, a->class),
			        drawing_width(d, a->class, a->gradient.rms));
			write_gradient(d, to, a->class, &a->gradient,
			               drawing_gradient_text(d, &a->gradient, path));
		}
		fputc('}', to);
	}
	fputs("]}\n", to);
	return (fflush(to) == 0 && !ferror(to)) ||
	       drawing_fail(d, "draw: the JSON could not be written");
}
