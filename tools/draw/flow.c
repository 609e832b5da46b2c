/*
 * flow: the flow view: boxes in frames, arrows the way the gradient flows.
 */
#include "dot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const statistics[] = {
	[AD_STAT_RMS] = "rms", [AD_STAT_MAX] = "max", [AD_STAT_RATIO] = "rms"
};

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
	dot_put(&p->text, "<BR/><FONT POINT-SIZE=\"10\">the plan of one evaluation: %zu op%s", ops,
	        ops == 1 ? "" : "s");
	if (frames)
		dot_put(&p->text, ", %zu group%s together", frames,
		        frames == 1 ? " that runs" : "s that run");
	if (buffers)
		dot_put(&p->text, ", %zu passing values (%s) in %u places", values,
		        drawing_bytes_text(text, shared), buffers);
	if (d->most_seconds > 0)
		dot_put(&p->text, ", %s in ops", drawing_time_text(text, drawing_plan_seconds(d)));
	dot_put(&p->text, "</FONT>");
}

static void title_flow(struct picture *p)
{
	struct drawing *d = p->d;
	struct text *t = &p->text;
	const char *reference = d->reference > 0 ? ad_name_of(d->options->reference) : NULL;
	char number[32];

	dot_start(t);
	dot_put(t, "<B>");
	if (d->options->title)
		dot_put_escaped(t, d->options->title);
	else if (ad_name_of(d->y))
		dot_put_escaped(t, ad_name_of(d->y));
	if (d->gradients && ad_count(d->y) == 1) {
		dot_put(t, " &nbsp; ");
		dot_put_escaped(t,
		                d->options->title && ad_name_of(d->y) ? ad_name_of(d->y) : "loss");
		dot_put(t, " ");
		snprintf(number, sizeof number, "%.5g", d->loss);
		dot_tidy_number(number);
		dot_put(t, "%s", isnan(d->loss) ? "NaN" : number);
	}
	dot_put(t, "</B>");
	if (d->planned)
		title_plan(p);
	if (d->gradients) {
		dot_put(t, "<BR/><FONT POINT-SIZE=\"10\">");
		if (d->options->step >= 0)
			dot_put(t, "step %lld &#183; ", (long long)d->options->step);
		dot_put(t,
		        d->change
		            ? "%s &#183; width = rms of \xe2\x88\x82L/\xe2\x88\x82tensor, number "
		              "and colour = "
		              "how many times as large it has become"
		            : "%s &#183; width and number = %s of \xe2\x88\x82L/\xe2\x88\x82tensor",
		        d->options->what == AD_DRAW_SWEEP
		            ? "the reverse sweep, arrows point the way it runs"
		        : d->options->arrows == AD_ARROWS_FORWARD
		            ? "arrows point the way the values flow"
		        : d->options->arrows == AD_ARROWS_BOTH
		            ? "two lanes: values and, beside them, gradients"
		            : "arrows point the way the gradient flows",
		        statistics[d->options->stat]);
		if (d->options->stat == AD_STAT_RATIO && !d->change)
			dot_put(t, ", at weights the rate times it by the weight's");
		if (d->reference > 0 && !d->change) {
			dot_put(t, " &#183; colour = against the gradient at ");
			dot_put_escaped(t, reference ? reference : "the output");
		}
		dot_put(t, "</FONT>");
	}
	if (d->hidden || d->options->note) {
		dot_put(t, "<BR/><FONT POINT-SIZE=\"10\">");
		if (d->options->note)
			dot_put_user_text(t, d->options->note, TOOLTIP_CHARACTERS, "&#92;&#92;");
		if (d->hidden)
			dot_put(t, "%s%zu more nodes are left out",
			        d->options->note ? " &#183; " : "", d->hidden);
		dot_put(t, "</FONT>");
	}
	dot_set_html(p, p->root, G_LABEL, t->s);
}

const char *dot_link_of(const struct picture *p, uint32_t frame)
{
	const ad_draw_options *o = p->d->options;
	char path[1024];

	return o->link ? o->link(o->link_context, drawing_path(p->d, frame, path, sizeof path))
	               : NULL;
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
		dot_start(&p->text);
		dot_put(&p->text, "<FONT POINT-SIZE=\"10\">");
		dot_put_escaped(&p->text, drawing_frame_name(d, frame));
		if (d->planned && d->frame_seconds[frame] > 0)
			dot_put(&p->text, ": %s",
			        drawing_time_text(name_text, d->frame_seconds[frame]));
		dot_put(&p->text, "</FONT>");
		dot_set_html(p, g, G_LABEL, p->text.s);
		/* Beside the arrows that come from above. */
		if (d->upright)
			dot_set(p, g, G_LABELJUST, "l");
		dot_set(p, g, G_ID, name + strlen("cluster_"));
		dot_set(p, g, G_CLASS, "frame");
		dot_set(p, g, G_STYLE,
		        f->worst == CLASS_ZERO ? "rounded,filled,dashed" : "rounded,filled");
		dot_set(p, g, G_FILLCOLOR,
		        d->planned && d->frame_seconds[frame] > 0
		            ? drawing_heat(d, d->frame_seconds[frame], name_text)
		            : "#fcfcfc");
		dot_set(p, g, G_COLOR,
		        dot_colour_of(p, f->worst < CLASS_NORMAL ? CLASS_NORMAL : f->worst));
		dot_set(p, g, G_PENWIDTH, f->worst > CLASS_NORMAL ? "2.0" : "1.0");
		dot_start(&p->text);
		dot_put_tooltip(&p->text, drawing_frame_name(d, frame));
		dot_put(&p->text, ": ");
		dot_put_counts(&p->text, f->ops, f->elements);
		dot_set(p, g, G_TOOLTIP, p->text.s);
		link = dot_link_of(p, frame);
		if (link)
			dot_set(p, g, G_URL, link);
	}
	return frame ? graphs[frame] : p->root;
}

/* The row of a box and what stands beside it. */
static void stand_beside(struct picture *p, Agraph_t **row, Agnode_t *box, Agnode_t *node)
{
	if (!*row) {
		*row = agsubg(p->root, NULL, 1);
		dot_set(p, *row, G_RANK, "same");
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
	node = dot_make_node(p, in, id);
	/* What this use contributes stands at its arrow. */
	here.class = CLASS_NONE;
	here.frame = 0;
	dot_label_leaf(p, node, &here);
	dot_style_part(p, node, u->from);
	dot_set(p, node, N_STYLE, "filled,dashed");
	dot_set(p, node, N_GROUP, "p");
	dot_set(p, node, N_CLASS, "param copy");
	dot_start(&p->text);
	dot_put(&p->text, "the same param ");
	dot_put_tooltip(&p->text, ad_name_of(here.node) ? ad_name_of(here.node) : "");
	dot_set(p, node, N_TOOLTIP, p->text.s);
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
		nodes[k] = b->kind == BOX_PART && b->next == NOTHING ? dot_draw_part(p, in, b->part)
		                                                     : dot_draw_closed(p, in, b);
		snprintf(name, sizeof name, "b%u", b->group);
		dot_set(p, nodes[k], N_GROUP,
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

/* The arc from a weight to where it is drawn once more. */
static void draw_arc(struct picture *p, const struct arrow *a, Agnode_t *weight, Agnode_t *copy)
{
	const char *colour = p->d->options->mono ? "#000000" : SHARED_COLOUR;
	Agedge_t *e = dot_make_edge(p, weight, copy);
	char id[32];

	drawing_arrow_id(p->d, a, id);
	id[0] = 's';
	dot_set(p, e, E_ID, id);
	dot_set(p, e, E_CLASS, "same");
	dot_set(p, e, E_CONSTRAINT, "false");
	dot_set(p, e, E_WEIGHT, "0");
	dot_set(p, e, E_DIR, "none");
	dot_set(p, e, E_STYLE, "dashed");
	dot_set(p, e, E_COLOR, colour);
	dot_set(p, e, E_FONTCOLOR, colour);
	dot_set(p, e, E_LABEL, p->d->upright ? "\xc2\xa0same tensor" : "same tensor");
	dot_set(p, e, E_EDGETOOLTIP, "same tensor");
	dot_set(p, e, E_LABELTOOLTIP, "same tensor");
	p->shares = true;
}

/* copy: of the weight that it starts at, drawn at its op; NULL: it starts at the weight itself. */
static void draw_arrow(struct picture *p, const struct arrow *a, Agnode_t **nodes, Agnode_t *copy)
{
	struct drawing *d = p->d;
	const struct use *u = &d->uses[a->use];
	const struct part *from = &d->parts[u->from];
	ad_draw_arrows way = d->gradients && d->options->what == AD_DRAW_GRAPH ? d->options->arrows
	                                                                       : AD_ARROWS_FORWARD;
	enum role role = d->boxes[a->from].kind == BOX_PART ? from->role : ROLE_OP;
	bool weight = role == ROLE_PARAM || role == ROLE_BUFFER;
	/* dot puts the head above the tail where both stand in one column: so weights alternate. */
	bool above = a->above, beside = weight && (copy || d->boxes[a->from].beside == a->to);
	Agnode_t *start_node = copy ? copy : nodes[a->from];
	Agedge_t *e = above ? dot_make_edge(p, nodes[a->to], start_node)
	                    : dot_make_edge(p, start_node, nodes[a->to]);
	char number[64];
	double width;

	dot_set(p, e, E_ID, drawing_arrow_id(d, a, number));
	dot_set(p, e, E_WEIGHT,
	        a->trunk                                               ? "8"
	        : weight && !copy && d->boxes[a->from].beside != a->to ? "0"
	                                                               : "1");

	dot_start(&p->text);
	if (d->options->what == AD_DRAW_SWEEP && (from->saved || weight)) {
		dot_set(p, e, E_COLOR, d->options->mono ? "#909090" : "#b58a5a");
		dot_set(p, e, E_CLASS, "saved");
	} else if (!d->gradients) {
		if (!weight && d->upright)
			dot_put(&p->text, "\xc2\xa0");
		if (!weight)
			dot_put_shape(&p->text, ad_shape_of(from->node));
		dot_set(p, e, E_CLASS, "value");
	} else {
		width = drawing_width(d, a->class, a->gradient.rms);
		p->occurs[a->class] = true;
		dot_set(p, e, E_COLOR, dot_colour_of(p, a->class));
		dot_set(p, e, E_FONTCOLOR, dot_colour_of(p, a->class));
		dot_set(p, e, E_STYLE, dot_style_of(p, a->class));
		dot_set_number(p, e, E_PENWIDTH, width);
		dot_set_number(p, e, E_ARROWSIZE, width < 3 ? 0.55 : width < 4.5 ? 0.75 : 0.6);
		snprintf(number, sizeof number, "gradient %s", drawing_class_name(d, a->class));
		dot_set(p, e, E_CLASS, number);
		/* A weight says itself what its only use contributes. */
		if (a->class == CLASS_NONE && role == ROLE_INPUT)
			dot_put(&p->text, "no grad");
		else if (a->class != CLASS_NONE && (!weight || from->uses > 1))
			/* dot puts a label right beside the middle of an arrow that runs up or
			 * down, left of that to a weight: half the width is missing. */
			dot_put(&p->text,
			        a->class == CLASS_EXPLODING ? "<B>%s%s%s</B>"
			                                    : "<FONT>%s%s%s</FONT>",
			        !d->upright || beside ? ""
			        : width < 4           ? "\xc2\xa0"
			                              : "\xc2\xa0\xc2\xa0",
			        drawing_gradient_text(d, &a->gradient, number),
			        d->upright || !beside ? ""
			        : width < 4           ? "\xc2\xa0"
			                              : "\xc2\xa0\xc2\xa0");
	}
	/* The arrow of the value runs from what is read, that of its gradient back. */
	dot_set(p, e, E_DIR,
	        way == AD_ARROWS_BOTH && a->class != CLASS_NONE ? "both"
	        : (way != AD_ARROWS_BACKWARD) == above          ? "back"
	                                                        : "forward");
	if (way == AD_ARROWS_BOTH && a->class != CLASS_NONE) {
		const char *value = d->options->mono ? "#000000" : VALUE_COLOUR;

		snprintf(number, sizeof number, "%s:%s", above ? dot_colour_of(p, a->class) : value,
		         above ? value : dot_colour_of(p, a->class));
		dot_set(p, e, E_COLOR, number);
	}
	/* A label takes dot as long as a node: the tooltip has the number too. */
	if (d->n_boxes > COARSE_BOXES)
		dot_start(&p->text);
	if (p->text.n > 0 && p->text.s[0] == '<')
		dot_set_html(p, e, E_LABEL, p->text.s);
	else
		dot_set(p, e, E_LABEL, p->text.s);

	dot_start(&p->text);
	dot_put_tooltip(&p->text, ad_name_of(from->node) ? ad_name_of(from->node)
	                          : ad_op_of(from->node) ? ad_op_of(from->node)
	                                                 : dot_role_words(from->role));
	dot_put(&p->text, " ");
	dot_put_shape(&p->text, ad_shape_of(from->node));
	dot_put(&p->text, " to %s", ad_op_of(d->parts[u->by].node));
	if (a->uses > 1)
		dot_put(&p->text, " and %u more", a->uses - 1);
	dot_put_rms(p, a->class, &a->gradient);
	if (d->gradients && a->worst != a->class)
		dot_put(&p->text, ", the worst of them %s", drawing_class_name(d, a->worst));
	dot_set(p, e, E_EDGETOOLTIP, p->text.s);
	dot_set(p, e, E_LABELTOOLTIP, p->text.s);
}

void dot_draw_flow(struct picture *p)
{
	struct drawing *d = p->d;
	Agnode_t **nodes = calloc((size_t)d->n_boxes + 1, sizeof *nodes);
	Agraph_t **graphs = calloc((size_t)d->n_frames + 1, sizeof *graphs);
	Agnode_t **copies = calloc(d->n_arrows + 1, sizeof *copies);

	if (nodes && graphs && copies) {
		title_flow(p);
		if (d->upright && !d->options->direction)
			dot_set(p, p->root, G_RANKDIR, "TB");
		draw_boxes(p, nodes, copies, graphs);
		for (size_t k = 0; k < d->n_arrows && !p->failed; k++)
			draw_arrow(p, &d->arrows[k], nodes, copies[k]);
		for (size_t k = 0; k < d->n_arrows && !p->failed; k++)
			if (copies[k])
				draw_arc(p, &d->arrows[k], nodes[d->arrows[k].from], copies[k]);
		if (d->planned)
			dot_draw_plan_legend(p);
		else if (d->gradients)
			dot_draw_legend(p);
	} else {
		p->failed = true;
	}
	free(nodes);
	free(graphs);
	free(copies);
}
