/*
 * part: a part of the flow view as a node: its label, tooltip and style.
 */
#include "dot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void dot_put_counts(struct text *t, size_t ops, size_t elements)
{
	char number[32];

	dot_put(t, "%s op%s", drawing_count_text(number, ops), ops == 1 ? "" : "s");
	if (elements)
		dot_put(t, ", %s parameter%s", drawing_count_text(number, elements),
		        elements == 1 ? "" : "s");
}

static void put_gradient_line(struct picture *p, const struct part *a)
{
	enum class class = a->class;
	char number[40];

	if (!p->d->gradients || class == CLASS_NONE)
		return;
	dot_put(&p->text, "<BR/><FONT POINT-SIZE=\"9\" COLOR=\"%s\">%s%s%s%s</FONT>",
	        dot_colour_of(p, class), class == CLASS_EXPLODING ? "<B>" : "",
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

void dot_label_leaf(struct picture *p, Agnode_t *node, const struct part *a)
{
	const char *name = ad_name_of(a->node);
	bool weight = a->role == ROLE_PARAM || a->role == ROLE_BUFFER;

	dot_start(&p->text);
	dot_put(&p->text, "<FONT>");
	dot_put_escaped(&p->text, weight                  ? short_name(p->d, a)
	                          : name                  ? name
	                          : a->role == ROLE_SAVED ? drawing_op(a->node)
	                                                  : "input");
	dot_put(&p->text, weight ? " &nbsp;" : "<BR/>");
	dot_put_shape(&p->text, ad_shape_of(a->node));
	dot_put(&p->text, "</FONT>");
	if (weight)
		put_gradient_line(p, a);
	dot_set_html(p, node, N_LABEL, p->text.s);
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
		const struct part *a =
		    at != NOTHING && d->part_of[at] != NOTHING ? &d->parts[d->part_of[at]] : NULL;
		const char *name = ad_name_of(leaf), *dot = name ? strrchr(name, '.') : NULL;

		if (!a || a->owner != part || !ad_wants_gradient(leaf))
			continue;
		dot_put(&p->text, "<BR/><FONT POINT-SIZE=\"9\"><I>\xe2\x88\x82");
		dot_put_escaped(&p->text, a->frame && dot && dot[1] ? dot + 1
		                          : name                    ? name
		                                                    : "leaf");
		dot_put(&p->text, "</I></FONT>");
		if (a->class == CLASS_NONE)
			continue;
		dot_put(&p->text, "<FONT POINT-SIZE=\"9\" COLOR=\"%s\"> &nbsp;%s</FONT>",
		        dot_colour_of(p, a->class), drawing_gradient_text(d, &a->gradient, number));
		p->occurs[a->class] = true;
	}
}

/* The modules around an op, in a picture whose frames are something else. */
static void put_scope_path(struct picture *p, const ad_node *x)
{
	char path[256];
	const char *text = drawing_scope_path(p->d->graph, ad_scope_of(x), path, sizeof path);

	if (!*text || (ad_name_of(x) && !strcmp(ad_name_of(x), text)) ||
	    !strcmp(drawing_op(x) ? drawing_op(x) : "", text))
		return;
	dot_put(&p->text, "<BR/><FONT POINT-SIZE=\"9\"><I>");
	dot_put_escaped(&p->text, text);
	dot_put(&p->text, "</I></FONT>");
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
	dot_put(&p->text, "<BR/><FONT POINT-SIZE=\"9\">");
	if (a->seconds > 0) {
		dot_put(&p->text, "%s", drawing_time_text(text, a->seconds));
		between = " &#183; ";
	}
	if (a->buffer)
		dot_put(&p->text, "%sm%u %s", between, a->buffer,
		        drawing_bytes_text(text, x->bytes));
	else if (x->tile)
		dot_put(&p->text, "%s<I>in pieces</I>", between);
	else if (a->nothing)
		dot_put(&p->text, "%s<I>nothing to do</I>", between);
	else if (x->kept && x->bytes)
		dot_put(&p->text, "%skept %s", between, drawing_bytes_text(text, x->bytes));
	else
		dot_put(&p->text, " ");
	dot_put(&p->text, "</FONT>");
}

/* The size of a value under its op. */
static void put_value(struct picture *p, const struct part *a)
{
	struct statistic s;
	char text[32];

	if (!p->d->options->values || ad_type_of(a->node) != AD_REAL ||
	    !drawing_statistic(p->d, a->node, &s))
		return;
	dot_put(&p->text, "<BR/><FONT POINT-SIZE=\"9\" COLOR=\"%s\">%s</FONT>",
	        p->d->options->mono ? "#000000" : VALUE_COLOUR, drawing_size_text(text, s.rms));
}

static void label_op(struct picture *p, Agnode_t *node, uint32_t part)
{
	struct drawing *d = p->d;
	const struct part *a = &d->parts[part];
	const char *name = ad_name_of(a->node);
	char words[96], number[32];
	bool sign = dot_op_words(d, part, words, sizeof words);
	bool circle = sign && dot_letters_of(words) <= 3 && a->role == ROLE_OP &&
	              !d->options->values && !d->planned && !makes_gradient(d, part);

	dot_start(&p->text);
	dot_put(&p->text, "<FONT>");
	dot_put_escaped(&p->text, words);
	dot_put(&p->text, "</FONT>");
	if (a->role == ROLE_LOSS && d->gradients) {
		snprintf(number, sizeof number, "%.5g", d->loss);
		dot_tidy_number(number);
		dot_put(&p->text, "<BR/>%s", isnan(d->loss) ? "NaN" : number);
	} else if (makes_gradient(d, part)) {
		put_gradients(p, part);
	} else if (name && !circle) {
		dot_put(&p->text, "<BR/><FONT POINT-SIZE=\"9\"><I>");
		dot_put_escaped(&p->text, name);
		dot_put(&p->text, "</I></FONT>");
	}
	if (d->planned)
		put_plan(p, a);
	if (a->role == ROLE_OP)
		put_value(p, a);
	dot_set_html(p, node, N_LABEL, p->text.s);
	if (a->seconds > 0)
		dot_set(p, node, N_FILLCOLOR, drawing_heat(d, a->seconds, number));
	if (!circle)
		return;
	dot_set(p, node, N_SHAPE, "circle");
	dot_set(p, node, N_FIXEDSIZE, "true");
	dot_set(p, node, N_WIDTH, dot_letters_of(words) > 1 ? "0.38" : "0.30");
	dot_set(p, node, N_HEIGHT, dot_letters_of(words) > 1 ? "0.38" : "0.30");
	dot_set(p, node, N_MARGIN, "0");
	dot_set(p, node, N_FILLCOLOR, "white");
	if (name) {
		dot_start(&p->text);
		dot_put(&p->text, "<FONT POINT-SIZE=\"9\"><I>");
		dot_put_escaped(&p->text, name);
		dot_put(&p->text, "</I></FONT>");
		dot_set_html(p, node, N_XLABEL, p->text.s);
	}
}

const char *dot_role_words(enum role role)
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

void dot_put_rms(struct picture *p, enum class class, const struct statistic *s)
{
	char number[40], before[32];

	if (!p->d->gradients)
		return;
	if (class == CLASS_NONE)
		dot_put(&p->text,
		        p->d->options->record ? ", no gradient recorded" : ", no gradient");
	else if (p->d->change)
		dot_put(&p->text, ", gradient rms %s from %s (%s)",
		        drawing_size_text(number, s->rms), drawing_size_text(before, s->before),
		        drawing_class_name(p->d, class));
	else
		dot_put(&p->text, ", gradient rms %s (%s)", drawing_size_text(number, s->rms),
		        drawing_class_name(p->d, class));
}

static void describe_part(struct picture *p, Agnode_t *node, uint32_t part)
{
	struct drawing *d = p->d;
	const struct part *a = &d->parts[part];
	const char *name = ad_name_of(a->node), *op = ad_op_of(a->node);
	char attrs[512];

	dot_start(&p->text);
	dot_put(&p->text, "%s", a->linear ? "matmul, add" : op ? op : dot_role_words(a->role));
	if (name) {
		dot_put(&p->text, " ");
		dot_put_tooltip(&p->text, name);
	}
	if (a->frame && d->frames[a->frame].first != NOTHING) {
		dot_put(&p->text, " in ");
		dot_put_tooltip(&p->text, drawing_frame_name(d, a->frame));
	}
	dot_put(&p->text, ": ");
	dot_put_shape(&p->text, ad_shape_of(a->node));
	if (op && *ad_print_attrs(attrs, sizeof attrs, a->node)) {
		dot_put(&p->text, ", ");
		dot_put_tooltip(&p->text, attrs);
	}
	dot_put_rms(p, a->class, &a->gradient);
	dot_set(p, node, N_TOOLTIP, p->text.s);
	dot_set(p, node, N_CLASS, dot_role_words(a->role));
}

void dot_style_part(struct picture *p, Agnode_t *node, uint32_t part)
{
	const struct part *a = &p->d->parts[part];

	switch (a->role) {
	case ROLE_PARAM:
		dot_set(p, node, N_SHAPE, "cylinder");
		dot_set(p, node, N_STYLE, a->frozen ? "filled,dashed" : "filled");
		p->freezes |= a->frozen;
		dot_set(p, node, N_FILLCOLOR, "#fff3d1");
		dot_set(p, node, N_MARGIN, "0.06,0.04");
		break;
	case ROLE_BUFFER:
		dot_set(p, node, N_SHAPE, "note");
		dot_set(p, node, N_STYLE, "filled");
		dot_set(p, node, N_FILLCOLOR, "#eeeeee");
		break;
	case ROLE_INPUT:
	case ROLE_TARGET:
		dot_set(p, node, N_SHAPE, "cds");
		dot_set(p, node, N_STYLE, a->role == ROLE_TARGET ? "filled,dashed" : "filled");
		dot_set(p, node, N_FILLCOLOR, "#e8f1fb");
		dot_set(p, node, N_MARGIN, "0.12,0.07");
		break;
	case ROLE_SAVED:
		dot_set(p, node, N_STYLE, "filled");
		dot_set(p, node, N_FILLCOLOR, SAVED_COLOUR);
		p->saves = true;
		break;
	case ROLE_LOSS:
		dot_set(p, node, N_PERIPHERIES, "2");
		dot_set(p, node, N_FILLCOLOR, "#fde8e6");
		break;
	default:
		break;
	}
	if (a->offender) {
		dot_set(p, node, N_COLOR, dot_colour_of(p, CLASS_NAN));
		dot_set(p, node, N_PENWIDTH, "2.5");
		p->offends = true;
	}
}

Agnode_t *dot_draw_part(struct picture *p, Agraph_t *in, uint32_t part)
{
	const struct part *a = &p->d->parts[part];
	char id[32];
	Agnode_t *node = dot_make_node(p, in, dot_part_id('n', part, id));

	if (a->role == ROLE_OP || a->role == ROLE_LOSS)
		label_op(p, node, part);
	else
		dot_label_leaf(p, node, a);
	dot_style_part(p, node, part);
	describe_part(p, node, part);
	if (a->role == ROLE_PARAM && p->d->gradients)
		p->occurs[a->class] = true;
	return node;
}
