/*
 * circuit: the circuit view: values above the wires, gradients below them.
 */
#include "dot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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
			snprintf(in[i].text, sizeof in[i].text, "%s",
			         dot_value_text(number, value));
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
	call(to, in, n, dot_symbol_of(op) && strcmp(op, "neg") != 0 ? dot_symbol_of(op)->text : op);
}

/* "f = (x + y) * z", then what the numbers mean. */
static void label_circuit(struct picture *p)
{
	struct drawing *d = p->d;
	const char *name = ad_name_of(d->y) ? ad_name_of(d->y) : "y";
	struct formula *all = d->n_parts <= 64 ? calloc(d->n_parts, sizeof *all) : NULL;

	dot_start(&p->text);
	dot_put(&p->text, "<FONT POINT-SIZE=\"11\">");
	if (d->options->title) {
		dot_put(&p->text, "<B>");
		dot_put_escaped(&p->text, d->options->title);
		dot_put(&p->text, "</B>");
		if (d->options->step >= 0)
			dot_put(&p->text, " &nbsp; step %lld", (long long)d->options->step);
		dot_put(&p->text, "<BR/>");
	}
	for (uint32_t k = 0; all && k < d->n_parts; k++)
		write_formula(d, k, all);
	if (all && all[d->y_part].level && ad_op_of(d->y)) {
		dot_put_escaped(&p->text, name);
		dot_put(&p->text, " = ");
		dot_put_user_text(&p->text, all[d->y_part].text, sizeof all->text, "&#92;&#92;");
		dot_put(&p->text, " &nbsp;&nbsp; ");
	}
	if (d->gradients) {
		dot_put(&p->text, "<FONT COLOR=\"" VALUE_COLOUR
		                  "\">value</FONT> above the wire, <FONT COLOR=\"" GRADIENT_COLOUR
		                  "\">\xe2\x88\x82");
		dot_put_escaped(&p->text, name);
		dot_put(&p->text, "/\xe2\x88\x82wire</FONT> below");
	}
	dot_put(&p->text, "</FONT>");
	dot_set_html(p, p->root, G_LABEL, p->text.s);
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
		dot_put(&p->text, " &nbsp; ");
		return;
	}
	dot_put(&p->text, "<FONT COLOR=\"%s\">", colour);
	if (!listed) {
		struct statistic s;

		dot_put_shape(&p->text, ad_shape_of(x));
		if (n > 0 && ad_type_of(x) == AD_REAL && is_computed(x) &&
		    drawing_statistic(p->d, x, &s))
			dot_put(&p->text, " &nbsp;rms %s", drawing_size_text(number, s.rms));
	}
	/* A row of numbers a line, as far as they are rows. */
	for (size_t k = 0; listed && k < n; k++)
		dot_put(&p->text, "%s%s",
		        k == 0                                ? ""
		        : shape.rank == 2 && k % columns == 0 ? "<BR/>"
		                                              : ", ",
		        dot_value_text(number, values[k]));
	dot_put(&p->text, "</FONT>");
}

static Agnode_t *draw_wire(struct picture *p, uint32_t part)
{
	struct drawing *d = p->d;
	const struct part *a = &d->parts[part];
	const char *name = ad_name_of(a->node);
	char id[32];
	Agnode_t *wire = dot_make_node(p, p->root, dot_part_id('w', part, id));
	ad_node *gradient = d->gradients ? ad_gradient(a->node) : NULL;

	dot_start(&p->text);
	dot_put(&p->text,
	        "<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"2\"><TR>");
	if (name) {
		dot_put(&p->text, "<TD ROWSPAN=\"3\"><I>");
		dot_put_escaped(&p->text, name);
		dot_put(&p->text, "</I></TD>");
	}
	dot_put(&p->text, "<TD>");
	put_reading(p, a->node, a->offender ? NAN_COLOUR : VALUE_COLOUR);
	dot_put(&p->text, "</TD></TR><HR/><TR><TD>");
	if (gradient)
		put_reading(p, gradient, GRADIENT_COLOUR);
	else
		dot_put(&p->text, " &nbsp; ");
	dot_put(&p->text, "</TD></TR></TABLE>");
	dot_set_html(p, wire, N_LABEL, p->text.s);
	dot_set(p, wire, N_CLASS, "wire");
	dot_start(&p->text);
	dot_put_tooltip(&p->text, name ? name : ad_op_of(a->node) ? ad_op_of(a->node) : "constant");
	dot_set(p, wire, N_TOOLTIP, p->text.s);
	return wire;
}

static Agnode_t *draw_gate(struct picture *p, uint32_t part)
{
	const struct part *a = &p->d->parts[part];
	char words[96], id[32];
	Agnode_t *gate = dot_make_node(p, p->root, dot_part_id('n', part, id));
	size_t letters;

	dot_op_words(p->d, part, words, sizeof words);
	letters = dot_letters_of(words);
	dot_start(&p->text);
	dot_put(&p->text, "<FONT POINT-SIZE=\"%d\">", letters == 1 ? 16 : letters <= 3 ? 12 : 11);
	dot_put_escaped(&p->text, words);
	dot_put(&p->text, "</FONT>");
	dot_set_html(p, gate, N_LABEL, p->text.s);
	if (letters <= 3) {
		dot_set(p, gate, N_SHAPE, "circle");
		dot_set(p, gate, N_FIXEDSIZE, "true");
	} else {
		dot_set(p, gate, N_SHAPE, "box");
		dot_set(p, gate, N_STYLE, "rounded");
		dot_set(p, gate, N_HEIGHT, "0.36");
		dot_set(p, gate, N_MARGIN, "0.08,0.02");
	}
	if (a->offender) {
		dot_set(p, gate, N_COLOR, NAN_COLOUR);
		dot_set(p, gate, N_PENWIDTH, "2.5");
	}
	dot_set(p, gate, N_CLASS, "op");
	dot_start(&p->text);
	dot_put_tooltip(&p->text, ad_op_of(a->node));
	dot_set(p, gate, N_TOOLTIP, p->text.s);
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
		e = dot_make_edge(p, gates[part], wires[k]);
		dot_set(p, e, E_ARROWHEAD, "none");
		dot_set(p, e, E_HEADPORT, "w");
	}
}

void dot_draw_circuit(struct picture *p)
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
		e = dot_make_edge(p, wires[from], gates[u->by]);
		dot_set(p, e, E_TAILPORT, "e");
		snprintf(number, sizeof number, "e%u_%d", u->by, u->input);
		dot_set(p, e, E_ID, number);
		/* Where a wire forks, each branch says what it sends back. */
		if (gradient && d->parts[from].uses > 1 && ad_count(gradient) == 1) {
			dot_start(&p->text);
			dot_put(&p->text, "%s", dot_value_text(number, ad_item(gradient)));
			dot_set(p, e, E_LABEL, p->text.s);
			dot_set(p, e, E_FONTCOLOR, GRADIENT_COLOUR);
		}
	}
	free(wires);
	free(order);
	free(seen);
	label_circuit(p);
}
