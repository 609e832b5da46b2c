/*
 * legend: what the colours, widths and dashes of a picture mean.
 */
#include "dot.h"

#include <math.h>
#include <string.h>

static void put_bar_piece(struct picture *p, int width, int height, const char *colour)
{
	dot_put(&p->text, "<TD FIXEDSIZE=\"TRUE\" WIDTH=\"%d\" HEIGHT=\"%d\" BGCOLOR=\"%s\"></TD>",
	        width, height, colour);
}

/* Dashes for a line of that style. */
static void put_pieces(struct picture *p, bool dashed, int height, const char *colour)
{
	dot_put(
	    &p->text,
	    "<TD><TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"2\" CELLPADDING=\"0\"><TR>");
	for (int k = 0; k < (dashed ? 3 : 6); k++)
		put_bar_piece(p, dashed ? 6 : 2, height, colour);
	dot_put(&p->text, "</TR></TABLE></TD>");
}

/* A bar as its line is drawn: whole, in pieces, in dots. */
static void put_bar(struct picture *p, enum class class)
{
	const char *style = dot_style_of(p, class), *colour = dot_colour_of(p, class);
	bool dashed = !strcmp(style, "dashed"), dotted = !strcmp(style, "dotted");

	if (dashed || dotted)
		put_pieces(p, dashed, dot_look_of(p->d, class)->height, colour);
	else
		put_bar_piece(p, 26, dot_look_of(p->d, class)->height, colour);
}

static void put_row(struct text *t, const char *mark, const char *meaning)
{
	dot_put(t, "<TR><TD ALIGN=\"LEFT\">%s</TD><TD ALIGN=\"LEFT\">%s</TD></TR>", mark, meaning);
}

static void finish_legend(struct picture *p, Agnode_t *legend)
{
	dot_set_html(p, legend, N_LABEL, p->text.s);
	dot_set(p, legend, N_SHAPE, "plain");
	dot_set(p, legend, N_STYLE, "");
	dot_set(p, legend, N_FONTSIZE, "9");
	dot_set(p, legend, N_GROUP, "p");
	dot_set(p, legend, N_ID, "legend");
	dot_set(p, legend, N_CLASS, "legend");
	dot_set(p, legend, N_TOOLTIP, "legend");
}

/* "100x", "1/30". */
static void put_ratio(struct text *t, double ratio)
{
	double inverse = round(1 / ratio);

	if (ratio < 1 && fabs(inverse * ratio - 1) < 1e-9)
		dot_put(t, "1/%.9g", inverse);
	else
		dot_put(t, ratio < 1 ? "%g" : "%g\xc3\x97", ratio);
}

/* What the legend says of a class: its name and where it begins. */
static void put_meaning(struct text *t, const struct drawing *d, enum class class)
{
	const ad_draw_thresholds *bounds = &d->thresholds;

	if (class == CLASS_NORMAL && d->reference == 0 && !d->change) {
		dot_put(t, "a gradient");
		return;
	}
	if (class == CLASS_NONE && d->options->record && !d->change) {
		dot_put(t, "none wanted, or none recorded");
		return;
	}
	dot_put(t, "%s", dot_look_of(d, class)->meaning);
	if (d->change)
		return;
	if (class == CLASS_EXPLODING) {
		dot_put(t, ", over ");
		put_ratio(t, bounds->exploding);
	} else if (class == CLASS_STRONG) {
		dot_put(t, ", ");
		put_ratio(t, bounds->strong);
		dot_put(t, " to ");
		put_ratio(t, bounds->exploding);
	} else if (class == CLASS_WEAK || class == CLASS_VANISHING) {
		dot_put(t, ", under ");
		put_ratio(t, class == CLASS_WEAK ? bounds->weak : bounds->vanishing);
	}
}

void dot_draw_legend(struct picture *p)
{
	static const enum class order[] = { CLASS_NAN,    CLASS_EXPLODING, CLASS_STRONG,
		                            CLASS_NORMAL, CLASS_WEAK,      CLASS_VANISHING,
		                            CLASS_LOST,   CLASS_ZERO,      CLASS_NONE };
	struct drawing *d = p->d;
	struct text *t = &p->text;
	const char *reference = d->reference > 0 ? ad_name_of(d->options->reference) : NULL;
	Agnode_t *legend = agnode(p->root, dot_unconst("legend"), 1);
	char number[32];

	dot_start(t);
	dot_put(t,
	        "<TABLE BORDER=\"1\" COLOR=\"#cccccc\" CELLBORDER=\"0\" CELLSPACING=\"3\" "
	        "CELLPADDING=\"0\"><TR><TD COLSPAN=\"2\" ALIGN=\"LEFT\"><B>%s",
	        d->change ? "rms of the gradient: new by old" : "rms of the gradient");
	if (d->reference > 0 && !d->change) {
		dot_put(t, " against ");
		dot_put_escaped(t, reference ? reference : "the output");
	}
	dot_put(t, "</B></TD></TR>");
	if (d->reference > 0 && d->positions > 1 && !d->change)
		dot_put(
		    t,
		    "<TR><TD COLSPAN=\"2\" ALIGN=\"LEFT\">weights: times \xe2\x88\x9a%s, the rows "
		    "that "
		    "they sum over</TD></TR>",
		    drawing_count_text(number, (size_t)d->positions));
	if (d->options->values)
		dot_put(t,
		        "<TR><TD><FONT COLOR=\"%s\">0.5</FONT></TD><TD ALIGN=\"LEFT\">rms of the "
		        "value</TD></TR>",
		        d->options->mono ? "#000000" : VALUE_COLOUR);
	if (p->saves) {
		dot_put(t,
		        "<TR><TD FIXEDSIZE=\"TRUE\" WIDTH=\"26\" HEIGHT=\"9\" BGCOLOR=\"%s\"></TD>"
		        "<TD ALIGN=\"LEFT\">kept from the forward pass</TD></TR>",
		        SAVED_COLOUR);
	}
	for (size_t k = 0; k < sizeof order / sizeof order[0]; k++) {
		if (!p->occurs[order[k]])
			continue;
		dot_put(t, "<TR>");
		put_bar(p, order[k]);
		dot_put(t, "<TD ALIGN=\"LEFT\">");
		put_meaning(t, d, order[k]);
		dot_put(t, "</TD></TR>");
	}
	if (p->shares) {
		dot_put(t, "<TR>");
		put_pieces(p, true, 1, d->options->mono ? "#000000" : SHARED_COLOUR);
		dot_put(t,
		        "<TD ALIGN=\"LEFT\">same tensor, dashed where it is used again</TD></TR>");
	}
	if (p->offends)
		dot_put(t, "<TR><TD></TD><TD ALIGN=\"LEFT\">thick outline: where the first NaN or "
		           "infinity begins</TD></TR>");
	if (p->freezes)
		dot_put(t, "<TR><TD></TD><TD ALIGN=\"LEFT\">dashed outline: frozen, does not "
		           "learn</TD></TR>");
	dot_put(t, "</TABLE>");
	finish_legend(p, legend);
}

void dot_draw_plan_legend(struct picture *p)
{
	struct drawing *d = p->d;
	struct text *t = &p->text;
	Agnode_t *legend = agnode(p->root, dot_unconst("legend"), 1);
	char time[32], colour[32];

	dot_start(t);
	dot_put(t, "<TABLE BORDER=\"1\" COLOR=\"#cccccc\" CELLBORDER=\"0\" CELLSPACING=\"3\" "
	           "CELLPADDING=\"0\">");
	if (d->most_seconds > 0) {
		dot_put(t, "<TR><TD><TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"0\" "
		           "CELLPADDING=\"0\"><TR>");
		for (int k = 0; k <= 4; k++)
			put_bar_piece(p, 8, 9, drawing_heat(d, d->most_seconds * k / 4, colour));
		dot_put(t, "</TR></TABLE></TD><TD ALIGN=\"LEFT\">time, up to %s</TD></TR>",
		        drawing_time_text(time, d->most_seconds));
	}
	if (d->n_frames > 1)
		put_row(t, "frame", "runs together, in one pass over memory");
	put_row(t, "m1, m2", "memory that values of equal number take in turn");
	put_row(t, "in pieces", "never stored as a whole");
	put_row(t, "kept", "can be read after the evaluation");
	put_row(t, "nothing to do &nbsp;", "a view, or part of another op's work");
	dot_put(t, "</TABLE>");
	finish_legend(p, legend);
}
