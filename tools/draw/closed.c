/*
 * closed: a closed module, a folded layer or copies of a module as one node.
 */
#include "dot.h"

#include <string.h>

#define MOST_WEIGHTS 4 /* named in the box of a layer */

/* How a gradient compares with the reference, or with what it was: 150x, 1/60. */
static void put_factor(struct picture *p, double size)
{
	double factor = p->d->change ? size : p->d->reference > 0 ? size / p->d->reference : 0;
	char text[40];

	if (factor > 0)
		dot_put(&p->text, " %s", drawing_factor_text(text, factor));
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
	dot_put(&p->text,
	        "<TR><TD><TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"1\" CELLPADDING=\"0\" "
	        "FIXEDSIZE=\"TRUE\" WIDTH=\"%u\" HEIGHT=\"%u\">",
	        columns * ((uint32_t)width + 1) + 1, rows * 15 + 1);
	for (uint32_t c = leader; c != NOTHING && d->frames[c].leader == leader;
	     c = d->frames[c].sibling, k++) {
		const char *colour = dot_colour_of(p, d->frames[c].worst);

		p->occurs[d->frames[c].worst] = true;
		link = dot_link_of(p, c);
		dot_put(&p->text,
		        "%s<TD%s%s%s FIXEDSIZE=\"TRUE\" WIDTH=\"%d\" HEIGHT=\"14\" "
		        "BGCOLOR=\"%s\"></TD>",
		        k % columns == 0 ? "<TR>" : "", link ? " HREF=\"" : "", link ? link : "",
		        link ? "\"" : "", width,
		        d->frames[c].worst == CLASS_NORMAL ? "#bdbdbd" : colour);
		if (k % columns == columns - 1 || k + 1 == copies)
			dot_put(&p->text, "</TR>");
	}
	dot_put(&p->text, "</TABLE></TD></TR>");
	for (int class = CLASSES - 1; class > CLASS_NORMAL && lines < 3; class --) {
		uint32_t n = 0, last = NOTHING, worst;

		for (uint32_t c = leader; c != NOTHING && d->frames[c].leader == leader;
		     c = d->frames[c].sibling)
			n += (int)d->frames[c].worst == class;
		if (n == 0)
			continue;
		dot_put(&p->text, "<TR><TD ALIGN=\"LEFT\"><FONT POINT-SIZE=\"9\" COLOR=\"%s\">%s:",
		        dot_colour_of(p, (enum class) class),
		        drawing_class_name(d, (enum class) class));
		for (uint32_t named = 0; named < 3 && named < n; named++, last = worst) {
			worst = drawing_next_copy(d, leader, (enum class) class, last);
			dot_put(&p->text, "%s", named ? ", " : " ");
			dot_put_escaped(&p->text, drawing_frame_name(d, worst));
			if (d->frames[worst].offender)
				dot_put(&p->text, " first");
			else if (class != CLASS_NAN && class != CLASS_ZERO)
				put_factor(p, d->frames[worst].extreme);
		}
		if (n > 3)
			dot_put(&p->text, " and %u more", n - 3);
		dot_put(&p->text, "</FONT></TD></TR>");
		lines++;
	}
}

static void put_copies_name(struct picture *p, uint32_t leader)
{
	char text[256];

	dot_put_escaped(&p->text, drawing_copies_name(p->d, leader, text, sizeof text));
	dot_put(&p->text, " &nbsp;\xc3\x97 %s",
	        drawing_count_text(text, p->d->frames[leader].copies));
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
		dot_put(&p->text, "<BR/><FONT POINT-SIZE=\"9\">");
		dot_put_escaped(&p->text, dot && dot[1] ? dot + 1 : name ? name : "param");
		dot_put(&p->text, " ");
		dot_put_shape(&p->text, ad_shape_of(a->node));
		dot_put(&p->text, "%s</FONT>", a->frozen ? " <I>frozen</I>" : "");
		if (d->gradients && a->class != CLASS_NONE) {
			p->occurs[a->class] = true;
			dot_put(&p->text, "<FONT POINT-SIZE=\"9\" COLOR=\"%s\"> &nbsp;%s</FONT>",
			        dot_colour_of(p, a->class), drawing_weight_text(d, a, number));
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

	dot_put(&p->text, "<FONT>");
	dot_put_escaped(&p->text, f->layer);
	dot_put(&p->text, "</FONT>");
	if (strcmp(name, f->layer) != 0) {
		dot_put(&p->text, "<FONT POINT-SIZE=\"9\"> &nbsp;<I>");
		dot_put_escaped(&p->text, name);
		dot_put(&p->text, "</I></FONT>");
	}
	if (b->ops > 1 || weights > MOST_WEIGHTS) {
		dot_put(&p->text, "<BR/><FONT POINT-SIZE=\"9\">");
		dot_put_counts(&p->text, b->ops, b->elements);
		dot_put(&p->text, "</FONT>");
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

	dot_put(&p->text, "<FONT>");
	for (const struct box *in = b;; in = &d->boxes[in->next]) {
		if (in->kind == BOX_PART)
			dot_op_words(d, in->part, words, sizeof words);
		dot_put_escaped(&p->text,
		                in->kind == BOX_PART ? words : d->frames[in->frame].layer);
		if (in->next == NOTHING)
			break;
		dot_put(&p->text, " + ");
	}
	dot_put(&p->text, "</FONT>");
	if (b->named != NOTHING)
		frame = b->named;
	if (b->named != NOTHING || b->kind == BOX_FRAME)
		name = drawing_frame_name(d, frame);
	if (name && (!d->frames[frame].layer || strcmp(name, d->frames[frame].layer) != 0)) {
		dot_put(&p->text, "<FONT POINT-SIZE=\"9\"> &nbsp;<I>");
		dot_put_escaped(&p->text, name);
		dot_put(&p->text, "</I></FONT>");
	}
	if (weights > MOST_WEIGHTS) {
		dot_put(&p->text, "<BR/><FONT POINT-SIZE=\"9\">");
		dot_put_counts(&p->text, b->ops, b->elements);
		dot_put(&p->text, "</FONT>");
	}
	put_weights(p, b);
}

static void label_closed(struct picture *p, const struct box *b)
{
	struct drawing *d = p->d;
	bool copies = b->kind == BOX_FRAME && d->frames[b->frame].copies > 1;
	char time[32];

	dot_start(&p->text);
	if (b->next != NOTHING) {
		label_folded(p, b);
		return;
	}
	if (b->kind == BOX_FRAME && d->frames[b->frame].outside) {
		char path[1024];

		const char *outside = drawing_path(d, b->frame, path, sizeof path);

		dot_put(&p->text, "<I>");
		dot_put_escaped(&p->text, *outside ? outside : "\xe2\x80\xa6");
		dot_put(&p->text, "</I>");
		return;
	}
	if (b->kind == BOX_FRAME && !copies && d->frames[b->frame].layer) {
		label_layer(p, b);
		return;
	}
	if (copies)
		dot_put(&p->text, "<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"2\" "
		                  "CELLPADDING=\"0\"><TR><TD>");
	dot_put(&p->text, "<B>");
	if (copies)
		put_copies_name(p, b->frame);
	else
		dot_put_escaped(&p->text, b->kind == BOX_FRAME ? drawing_frame_name(d, b->frame)
		                                               : "\xe2\x80\xa6");
	dot_put(&p->text, "</B><BR/><FONT POINT-SIZE=\"9\">");
	dot_put_counts(&p->text, b->ops, b->elements);
	if (d->planned && b->kind == BOX_FRAME && d->frame_seconds[b->frame] > 0)
		dot_put(&p->text, ", %s", drawing_time_text(time, d->frame_seconds[b->frame]));
	dot_put(&p->text, "</FONT>");
	if (copies) {
		dot_put(&p->text, "</TD></TR>");
		if (d->gradients)
			put_strip(p, b->frame);
		dot_put(&p->text, "</TABLE>");
	}
}

/* A closed frame, copies of one, or a stretch of a level that is too long. */
Agnode_t *dot_draw_closed(struct picture *p, Agraph_t *in, const struct box *b)
{
	struct drawing *d = p->d;
	const struct frame *f = b->kind == BOX_FRAME ? &d->frames[b->frame] : NULL;
	char path[256], id[32];
	Agnode_t *node = dot_make_node(p, in, drawing_box_id(d, b, id));
	const char *link;

	label_closed(p, b);
	dot_set_html(p, node, N_LABEL, p->text.s);
	dot_start(&p->text);
	if (b->kind == BOX_PART)
		dot_put_tooltip(&p->text, ad_op_of(d->parts[b->part].node));
	else
		dot_put_tooltip(&p->text, f ? drawing_path(d, b->frame, path, sizeof path)
		                            : "ops recorded one after the other");
	if (b->next != NOTHING)
		dot_put(&p->text, " with what only follows it");
	if (f && f->copies > 1)
		dot_put(&p->text, " and %u more of equal structure", f->copies - 1);
	dot_put(&p->text, ": ");
	dot_put_counts(&p->text, b->ops, b->elements);
	if (d->gradients)
		dot_put(&p->text, ", worst gradient inside: %s", drawing_class_name(d, b->worst));
	dot_set(p, node, N_TOOLTIP, p->text.s);
	if (d->planned && f && d->frame_seconds[b->frame] > 0)
		dot_set(p, node, N_FILLCOLOR, drawing_heat(d, d->frame_seconds[b->frame], id));
	dot_set(p, node, N_CLASS,
	        b->next != NOTHING                ? "closed folded"
	        : f && f->layer && f->copies == 1 ? "closed layer"
	                                          : "closed");
	if (f && f->outside)
		dot_set(p, node, N_STYLE, "rounded,filled,dashed");
	else if (b->next == NOTHING && (!f || !f->layer || f->copies > 1 || b->ops > 1))
		dot_set(p, node, N_PERIPHERIES, "2");
	link = f ? dot_link_of(p, b->frame) : NULL;
	if (link)
		dot_set(p, node, N_URL, link);
	if (d->gradients && b->worst > CLASS_NORMAL) {
		dot_set(p, node, N_COLOR, dot_colour_of(p, b->worst));
		dot_set(p, node, N_PENWIDTH, "2");
		p->occurs[b->worst] = true;
	}
	if (b->offender) {
		dot_set(p, node, N_COLOR, dot_colour_of(p, CLASS_NAN));
		dot_set(p, node, N_PENWIDTH, "2.5");
		p->offends = true;
	}
	return node;
}
