/*
 * dot: what the views of a diagram share: text, attributes, nodes and edges of cgraph, the words
 * for ops, the looks of classes. Not installed; a view is one thread's at a time.
 */
#ifndef AUTOGRAD_DOT_H
#define AUTOGRAD_DOT_H

#include "drawing.h"

#include <graphviz/cgraph.h>

#define VALUE_COLOUR "#00674f"
#define GRADIENT_COLOUR "#b3261e"
#define NAN_COLOUR "#d100d1"
#define SHARED_COLOUR "#8b5a2b"
#define SAVED_COLOUR "#fde3c8"
#define LABEL_CHARACTERS 60 /* of a name in a label */
#define TOOLTIP_CHARACTERS 200

/* Text that grows; failed: there was no memory. */
struct text {
	char *s;
	size_t n, cap;
	bool failed;
};

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

struct symbol {
	const char *op, *text;
	const char *sign; /* stands before a constant second operand: "- 2" */
	const char *tail; /* stands behind a constant first one: "2 - x"; NULL: as the second */
};

/* How a class of gradients is drawn. */
struct look {
	const char *name, *meaning, *colour, *style;
	int height;       /* of its bar in the legend, in points */
	const char *mono; /* without colours: the style then */
};

/* ---- dot.c ---------------------------------------------------------------------------------- */

/* Text of our own and numbers, at most 1,000 bytes a call; dot_start begins a text anew. */
void dot_put(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *dot_start(struct text *t);

/* The text of a user, as it may stand in an HTML label and in an attribute: entities for what has a
 * meaning there, U+FFFD for what is unprintable, cut at `most` characters; backslash: what stands
 * for one. Escaped: in a label; tooltip: in one. */
void dot_put_user_text(struct text *t, const char *text, size_t most, const char *backslash);
void dot_put_escaped(struct text *t, const char *text);
void dot_put_tooltip(struct text *t, const char *text);

/* A number as it is read in a circuit, a factor of two digits; text holds 32 bytes. */
const char *dot_value_text(char *text, double value);
const char *dot_factor_text(char *text, double factor);
void dot_tidy_number(char *text); /* 1.5e-07 becomes 1.5e-7 */
void dot_put_shape(struct text *t, ad_shape shape);

/* An attribute of a node, an edge or a subgraph; p->failed where there is no memory. An HTML label
 * begins with a tag, as it shares its text with any equal plain string. */
void dot_set(struct picture *p, void *object, enum attribute a, const char *value);
void dot_set_number(struct picture *p, void *object, enum attribute a, double value);
void dot_set_html(struct picture *p, void *object, enum attribute a, const char *value);

/* NULL after a failure, which dot_set takes. */
Agnode_t *dot_make_node(struct picture *p, Agraph_t *in, const char *name);
Agedge_t *dot_make_edge(struct picture *p, Agnode_t *from, Agnode_t *to);
const char *dot_part_id(char kind, uint32_t part, char *text); /* "n17"; text holds 32 bytes */

/* What an op is called: its symbol or NULL; "+", "2 / x", "sigmoid", true: it fits a circle. */
const struct symbol *dot_symbol_of(const char *op);
size_t dot_letters_of(const char *words);
bool dot_op_words(const struct drawing *d, uint32_t part, char *words, size_t n);

/* cgraph takes char * without const and writes to none of them. */
char *dot_unconst(const char *s);
bool dot_declare(struct picture *p, bool circuit);

/* ---- look.c: classes of gradients -------------------------------------------------------- */

const char *dot_colour_of(const struct picture *p, enum class class);
const char *dot_style_of(const struct picture *p, enum class class);
const struct look *dot_look_of(const struct drawing *d, enum class class);

/* ---- part.c: a part as a node ------------------------------------------------------------ */

void dot_label_leaf(struct picture *p, Agnode_t *node, const struct part *a);
const char *dot_role_words(enum role role);
void dot_put_rms(struct picture *p, enum class class, const struct statistic *s);
void dot_style_part(struct picture *p, Agnode_t *node, uint32_t part);
Agnode_t *dot_draw_part(struct picture *p, Agraph_t *in, uint32_t part);
void dot_put_counts(struct text *t, size_t ops, size_t elements);

/* ---- closed.c: a closed module as a node ------------------------------------------------- */

Agnode_t *dot_draw_closed(struct picture *p, Agraph_t *in, const struct box *b);

/* ---- legend.c ---------------------------------------------------------------------------- */

void dot_draw_legend(struct picture *p);
void dot_draw_plan_legend(struct picture *p);

/* ---- circuit.c --------------------------------------------------------------------------- */

void dot_draw_circuit(struct picture *p);

/* ---- flow.c ------------------------------------------------------------------------------ */

const char *dot_link_of(const struct picture *p, uint32_t frame);
void dot_draw_flow(struct picture *p);

#endif
