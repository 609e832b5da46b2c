/*
 * drawing: decides what a diagram shows: which nodes, folded into which, in which frames, how bad.
 *
 * The nodes of a graph stand in the order of recording, inputs before the ops that read them, so
 * every walk here is a loop over that order, forwards or backwards; none is a recursion.
 */
#include "drawing.h"
#include "edges.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

bool drawing_fail(struct drawing *d, const char *format, ...)
{
	va_list args;

	if (d->error_size > 0) {
		va_start(args, format);
		vsnprintf(d->error, d->error_size, format, args);
		va_end(args);
	}
	return false;
}

bool drawing_no_memory(struct drawing *d)
{
	return drawing_fail(d, "draw: out of memory for a graph of %zu nodes", d->n_nodes);
}

static bool is_one_of(const char *word, const char *const words[])
{
	if (word)
		for (; *words; words++)
			if (!strcmp(word, *words))
				return true;
	return false;
}

/* Ops that give the same numbers in another shape or type. */
static bool is_view(const ad_node *x)
{
	static const char *const views[] = { "transpose", "permute",   "reshape",      "expand",
		                             "squeeze",   "unsqueeze", "broadcast_to", "to_real",
		                             "flatten",   NULL };

	return ad_inputs(x) == 1 && is_one_of(ad_op_of(x), views);
}

/* ---- nodes by their address ---------------------------------------------------------------- */

static size_t slot_of(const struct drawing *d, const ad_node *x)
{
	uint64_t h = (uint64_t)(uintptr_t)x * 0x9e3779b97f4a7c15u;
	size_t k = (size_t)(h >> 17) & (d->n_slots - 1);

	while (d->slots[k] != NOTHING && d->nodes[d->slots[k]] != x)
		k = (k + 1) & (d->n_slots - 1);
	return k;
}

/* The number of a node in the graph; NOTHING for one of another graph. */
uint32_t drawing_node_number(const struct drawing *d, const ad_node *x)
{
	return d->slots[slot_of(d, x)];
}

static bool list_nodes(struct drawing *d)
{
	d->n_nodes = ad_nodes(d->graph);
	if (d->n_nodes >= NOTHING / 2)
		return drawing_fail(d, "draw: a graph of %zu nodes is too large to be drawn",
		                    d->n_nodes);
	for (d->n_slots = 16; d->n_slots < 2 * d->n_nodes; d->n_slots *= 2)
		;
	d->nodes = malloc((d->n_nodes + 1) * sizeof(ad_node *));
	d->slots = malloc(d->n_slots * sizeof *d->slots);
	d->part_of = malloc((d->n_nodes + 1) * sizeof *d->part_of);
	d->statistics = calloc(d->n_nodes + 1, sizeof *d->statistics);
	if (!d->nodes || !d->slots || !d->part_of || !d->statistics)
		return drawing_no_memory(d);
	memset(d->slots, 0xff, d->n_slots * sizeof *d->slots);
	memset(d->part_of, 0xff, (d->n_nodes + 1) * sizeof *d->part_of);
	for (size_t k = 0; k < d->n_nodes; k++) {
		d->nodes[k] = ad_node_at(d->graph, k);
		d->slots[slot_of(d, d->nodes[k])] = (uint32_t)k;
	}
	return true;
}

static ad_node *owner_of(ad_node *x)
{
	int k;

	return ad_owner_of(x, &k);
}

/* Marks in part_of every node that x depends on, x included; returns how many. */
size_t drawing_mark_below(struct drawing *d, ad_node *x, bool *marks)
{
	uint32_t top = drawing_node_number(d, x), i;
	size_t n = 0;

	if (top == NOTHING)
		return 0;
	marks[top] = true;
	for (size_t k = top + (size_t)1; k-- > 0;) {
		ad_node *y = d->nodes[k];

		if (!marks[k])
			continue;
		n++;
		if (!ad_op_of(y))
			continue;
		i = drawing_node_number(d, owner_of(y));
		if (i < k)
			marks[i] = true;
		for (int j = 0; j < ad_inputs(owner_of(y)); j++) {
			ad_node *in = ad_input_of(owner_of(y), j);

			i = in ? drawing_node_number(d, in) : NOTHING;
			if (i < k)
				marks[i] = true;
		}
	}
	return n;
}

static uint32_t part_of(const struct drawing *d, const ad_node *x)
{
	uint32_t k = drawing_node_number(d, x);

	return k == NOTHING ? NOTHING : d->part_of[k];
}

/* ---- statistics ---------------------------------------------------------------------------- */

static struct statistic statistic_of(const ad_draw_statistic *m, size_t n)
{
	bool spoilt = !isfinite(m->rms);

	return (struct statistic){ .known = true,
		                   .count = n,
		                   .rms = spoilt ? NAN : m->rms,
		                   .max = spoilt ? NAN : m->max,
		                   .mean = spoilt ? NAN : m->mean,
		                   .zeros = m->zeros,
		                   .nan = isnan(m->rms),
		                   .infinite = isinf(m->rms) };
}

static bool measure(struct drawing *d, ad_node *x, struct statistic *s)
{
	size_t n = ad_count(x);
	struct measure m;

	*s = (struct statistic){ .known = true, .count = n };
	if (ad_type_of(x) != AD_REAL || n == 0)
		return true;
	if (!measure_node(x, &m))
		return drawing_fail(d, "draw: a value cannot be read: %s", ad_errmsg(d->graph));
	*s = statistic_of(&(ad_draw_statistic){ m.rms, m.mean, m.max, m.zeros }, n);
	return true;
}

bool drawing_statistic(struct drawing *d, ad_node *x, struct statistic *s)
{
	const ad_draw_record *record = d->options->record;
	ad_draw_statistic given;
	uint32_t k;

	if (record) {
		*s = (struct statistic){ 0 };
		if (record->value(record->context, x, &given))
			*s = statistic_of(&given, ad_count(x));
		return true;
	}
	k = drawing_node_number(d, x);
	if (k == NOTHING)
		return measure(d, x, s);
	if (!d->statistics[k].known && !measure(d, x, &d->statistics[k]))
		return false;
	*s = d->statistics[k];
	return true;
}

/* What the gradient of x was is compared as if it had been of as many rows: a mean shares its
 * gradient out among them. That of a weight is a sum over them, and stays. */
static double rows_share(const struct drawing *d, const ad_node *x)
{
	const ad_draw_record *record = d->options->record, *before = d->options->before;
	uint32_t part = part_of(d, x);

	if (part == NOTHING || d->parts[part].distance == NOTHING || ad_count(x) == 1 ||
	    !(record->rows >= 1 && before->rows >= 1))
		return 1;
	return before->rows / record->rows;
}

/* Of the gradient of x, or of what its input contributes; s->known: there is one. */
static bool gradient_statistic(struct drawing *d, ad_node *x, int input, struct statistic *s)
{
	const ad_draw_record *record = d->options->record, *before = d->options->before;
	ad_draw_statistic given;
	ad_node *gradient;

	*s = (struct statistic){ 0 };
	if (record) {
		if (!record->gradient(record->context, x, input, &given))
			return true;
		*s = statistic_of(&given, ad_count(input < 0 ? x : ad_input_of(x, input)));
		if (before && !before->gradient(before->context, x, input, &given))
			s->known = false;
		if (before && s->known) {
			s->before =
			    given.rms * rows_share(d, input < 0 ? x : ad_input_of(x, input));
			s->nan |= !isfinite(given.rms);
		}
		return true;
	}
	gradient = input < 0 ? ad_gradient(x) : ad_use_gradient(x, input);
	return !gradient || drawing_statistic(d, gradient, s);
}

double drawing_size(const struct drawing *d, const struct statistic *s)
{
	if (!d->change)
		return s->rms;
	return s->rms == s->before ? 1 : s->rms / s->before;
}

static enum class class_of_change(double factor)
{
	if (factor > 10)
		return CLASS_EXPLODING;
	if (factor > 2)
		return CLASS_STRONG;
	return factor < 0.1 ? CLASS_VANISHING : factor < 0.5 ? CLASS_WEAK : CLASS_NORMAL;
}

/* beyond: between the reference and the drawn node, where numbers are few and large by nature (a
 * mean spreads its gradient of 1 over all elements), size says nothing. */
static enum class class_of(const struct drawing *d, const struct statistic *s, bool beyond) {
	double ratio;

	if (!s->known) return CLASS_NONE;
	if (s->nan || s->infinite) return CLASS_NAN;
	if (s->rms == 0 && s->before == 0) return CLASS_ZERO;
	if (d->change) return class_of_change(drawing_size(d, s));
	if (d->reference == 0 || beyond) return CLASS_NORMAL;
	ratio = s->rms / d->reference;
	if (ratio > d->thresholds.exploding) return CLASS_EXPLODING;
	if (ratio > d->thresholds.strong) return CLASS_STRONG;
	if (ratio < d->thresholds.vanishing) return CLASS_VANISHING;
	if (ratio < d->thresholds.weak) return CLASS_WEAK;
	return CLASS_NORMAL;
}

/* The class of a weight's gradient: a sum over the rows of the batch, which is sqrt(rows) times as
 * large as one row's where these are independent, and up to rows times where they agree. */
static enum class weight_class(const struct drawing *d, const struct statistic *s) {
	struct statistic row = *s;

	if (!d->change) row.rms /= sqrt(d->positions);
	return class_of(d, &row, false);
}

enum class drawing_class(const struct drawing *d, const struct statistic *s, bool weight,
                         bool beyond) {
	return weight && !beyond ? weight_class(d, s) : class_of(d, s, beyond);
}

/* ---- parts --------------------------------------------------------------------------------- */

static enum role role_of(const struct drawing *d, ad_node *x, bool reached_by_reference)
{
	switch (ad_kind_of(x)) {
	case AD_IS_OP:
		return x == d->y && ad_count(x) == 1 ? ROLE_LOSS : ROLE_OP;
	case AD_IS_PARAM:
		return ROLE_PARAM;
	case AD_IS_BUFFER:
		return ROLE_BUFFER;
	case AD_IS_CONSTANT:
		return ROLE_CONSTANT;
	case AD_IS_INPUT:
		return reached_by_reference ? ROLE_INPUT : ROLE_TARGET;
	default:
		return ROLE_INPUT;
	}
}

static bool make_parts(struct drawing *d)
{
	bool *marks = calloc(3 * d->n_nodes + 1, sizeof *marks), *fed, *saved;
	ad_node *reference = d->options->reference;
	bool good = true;
	size_t n = 0;

	if (!marks)
		return drawing_no_memory(d);
	fed = marks + d->n_nodes;
	saved = fed + d->n_nodes;
	if (d->options->what == AD_DRAW_SWEEP)
		good = drawing_mark_sweep(d, marks, saved);
	else if (d->options->what == AD_DRAW_PLAN)
		good = drawing_mark_plan(d, marks);
	else
		drawing_mark_below(d, d->y, marks);
	if (!good) {
		free(marks);
		return false;
	}
	for (size_t k = 0; k < d->n_nodes; k++)
		n += marks[k];
	if (d->options->what != AD_DRAW_GRAPH ||
	    (reference && drawing_mark_below(d, reference, fed) == 0))
		reference = NULL;
	d->y_part = NOTHING;
	d->parts = calloc(n + 1, sizeof *d->parts);
	if (!d->parts) {
		free(marks);
		return drawing_no_memory(d);
	}
	for (size_t k = 0; k < d->n_nodes; k++) {
		struct part *p = &d->parts[d->n_parts];
		uint32_t owner;

		if (!marks[k])
			continue;
		p->node = d->nodes[k];
		d->part_of[k] = d->n_parts;
		owner = ad_op_of(p->node) ? drawing_node_number(d, owner_of(p->node)) : NOTHING;
		p->owner =
		    owner < k && d->part_of[owner] != NOTHING ? d->part_of[owner] : d->n_parts;
		p->shown = p->owner;
		p->user = NOTHING;
		p->role = role_of(d, p->node, !reference || fed[k]);
		p->saved = saved[k];
		if (p->saved && p->role == ROLE_OP)
			p->role = ROLE_SAVED;
		p->beyond = reference && !fed[k];
		p->frozen = p->role == ROLE_PARAM && !ad_wants_gradient(p->node);
		p->frame = (uint32_t)ad_scope_of(p->node);
		if (p->node == d->y)
			d->y_part = d->n_parts;
		d->n_parts++;
	}
	free(marks);
	return true;
}

/* The part that input i of an op reads; NOTHING where an optional input was left out. */
static uint32_t input_part(const struct drawing *d, uint32_t op, int i)
{
	ad_node *in = ad_input_of(d->parts[op].node, i);

	return in ? part_of(d, in) : NOTHING;
}

static bool is_op(const struct part *p, uint32_t number)
{
	return p->owner == number && ad_op_of(p->node) && !p->saved;
}

static void count_uses(struct drawing *d)
{
	for (uint32_t k = 0; k < d->n_parts; k++) {
		if (!is_op(&d->parts[k], k))
			continue;
		for (int i = 0; i < ad_inputs(d->parts[k].node); i++) {
			uint32_t in = input_part(d, k, i);

			if (in == NOTHING)
				continue;
			d->parts[in].uses++;
			d->parts[in].user = k;
		}
	}
}

/* Steps of ops from the nearest input that the model eats; a target does not count. */
static void count_distances(struct drawing *d)
{
	for (uint32_t k = 0; k < d->n_parts; k++) {
		struct part *p = &d->parts[k];

		p->distance = NOTHING;
		if (p->role == ROLE_INPUT)
			p->distance = 0;
		if (p->owner != k)
			p->distance = d->parts[p->owner].distance;
		if (!is_op(p, k))
			continue;
		for (int i = 0; i < ad_inputs(p->node); i++) {
			uint32_t in = input_part(d, k, i);

			if (in != NOTHING && d->parts[in].distance != NOTHING &&
			    d->parts[in].distance + 1 < p->distance)
				p->distance = d->parts[in].distance + 1;
		}
	}
}

/* Without a reference: a whole number that is only ever compared with what comes of other inputs.
 */
static bool is_label(const struct drawing *d, uint32_t part)
{
	for (uint32_t k = part; k < d->n_parts; k++) {
		bool reads = false, compares = false;

		if (!is_op(&d->parts[k], k))
			continue;
		for (int i = 0; i < ad_inputs(d->parts[k].node); i++) {
			uint32_t in = input_part(d, k, i);

			reads |= in == part;
			compares |= in != NOTHING && in != part &&
			            d->parts[in].distance != NOTHING && d->parts[in].distance > 0;
		}
		if (reads && !compares)
			return false;
	}
	return true;
}

static void find_targets(struct drawing *d)
{
	if (d->options->reference || ad_count(d->y) != 1 || d->options->what != AD_DRAW_GRAPH)
		return;
	for (uint32_t k = 0; k < d->n_parts; k++)
		if (ad_kind_of(d->parts[k].node) == AD_IS_INPUT &&
		    ad_type_of(d->parts[k].node) != AD_REAL && is_label(d, k))
			d->parts[k].role = ROLE_TARGET;
}

static bool find_reference(struct drawing *d)
{
	const ad_draw_record *record = d->options->record;
	struct statistic s;
	ad_shape shape;

	d->positions = 1;
	if (!d->options->reference)
		return true;
	if (record) {
		d->reference = isfinite(record->reference) ? record->reference : 0;
		d->positions = record->rows >= 1 ? record->rows : 1;
		return true;
	}
	if (!gradient_statistic(d, d->options->reference, -1, &s))
		return false;
	if (!s.known)
		return true;
	if (isfinite(s.rms))
		d->reference = s.rms;
	shape = ad_shape_of(d->options->reference);
	for (int i = 0; i + 1 < shape.rank; i++)
		d->positions *= (double)shape.dims[i];
	return true;
}

/* How far a step moves a weight, by its rate or as recorded; under half an ulp it does not. */
static bool find_ratio(struct drawing *d, struct part *p)
{
	const ad_draw_record *record = d->options->record;
	struct statistic value;

	if (record && record->update) {
		if (!record->update(record->context, p->node, &p->ratio))
			return true;
	} else {
		if (d->options->rate == 0)
			return true;
		if (!drawing_statistic(d, p->node, &value))
			return false;
		/* Infinite for a weight that is 0 so far. */
		if (p->gradient.rms > 0)
			p->ratio = d->options->rate * p->gradient.rms / value.rms;
	}
	if (!d->change && p->gradient.rms > 0 && p->ratio < (d->f64 ? 0x1p-54 : 0x1p-25))
		p->class = CLASS_LOST;
	return true;
}

static bool find_gradients(struct drawing *d)
{
	if (!d->gradients)
		return true;
	if (!find_reference(d))
		return false;
	if (d->options->what == AD_DRAW_SWEEP)
		return drawing_sweep_gradients(d);
	for (uint32_t k = 0; k < d->n_parts; k++) {
		struct part *p = &d->parts[k];

		if (p->frozen || p->role == ROLE_TARGET)
			continue;
		if (!gradient_statistic(d, p->node, -1, &p->gradient))
			return false;
		if (!p->gradient.known)
			continue;
		p->class = p->role == ROLE_PARAM && !p->beyond
		               ? weight_class(d, &p->gradient)
		               : class_of(d, &p->gradient, p->beyond);
		if (p->gradient.rms > d->largest)
			d->largest = p->gradient.rms;
		if (p->role == ROLE_PARAM && !find_ratio(d, p))
			return false;
	}
	return true;
}

bool drawing_read(struct drawing *d, ad_node *y, const ad_draw_options *o, char *error, size_t n)
{
	const ad_draw_thresholds t = o->thresholds;

	*d = (struct drawing){
		.y = y,
		.options = o,
		.error = error,
		.error_size = n,
		.max_boxes = o->max_nodes > 0 ? (size_t)o->max_nodes : MAX_BOXES,
		.thresholds = { t.vanishing > 0 ? t.vanishing : 1e-3,
		                t.weak > 0 ? t.weak : 1.0 / 30, t.strong > 0 ? t.strong : 10,
		                t.exploding > 0 ? t.exploding : 100 },
	};
	if (!y)
		return drawing_fail(d, "draw: there is no node to draw");
	d->graph = ad_graph_of(y);
	if (ad_is_error(y) || ad_status_of(d->graph) != AD_OK)
		return drawing_fail(d, "draw: the graph has failed: %s", ad_errmsg(d->graph));
	d->f64 = ad_is_f64(d->graph);
	d->gradients = o->gradients;
	d->change = o->gradients && o->record && o->before;
	d->loss = o->record ? o->record->loss : NAN;
	if (!o->record && o->gradients && ad_count(y) == 1)
		d->loss = ad_item(y);
	if (o->reference && ad_graph_of(o->reference) != d->graph)
		return drawing_fail(d, "draw: the reference belongs to another graph");
	if (o->what == AD_DRAW_PLAN)
		d->gradients = false;
	if (d->gradients && !o->record && !ad_gradient(y))
		return drawing_fail(
		    d, "draw: there are no gradients of this node; call ad_keep_all and "
		       "then ad_backward on it before");
	if (!list_nodes(d))
		return false;
	if (drawing_node_number(d, y) == NOTHING)
		return drawing_fail(d, "draw: the node is no longer part of its graph");
	if (!make_parts(d))
		return false;
	count_uses(d);
	count_distances(d);
	find_targets(d);
	count_distances(d);
	return find_gradients(d);
}

void drawing_free(struct drawing *d)
{
	free(d->parts);
	free(d->uses);
	free(d->frames);
	free(d->boxes);
	free(d->arrows);
	free(d->nodes);
	free(d->slots);
	free(d->part_of);
	free(d->statistics);
	free(d->planned);
	free(d->frame_seconds);
}

/* Whether a part of the graph is asked for, which the flow view alone can show. */
static bool is_part(const ad_draw_options *o)
{
	return o->around || o->from || o->to || o->only || o->module || o->n_open > 0;
}

bool drawing_is_circuit(const struct drawing *d)
{
	size_t wires = 0;

	if (d->options->what != AD_DRAW_GRAPH)
		return false;
	if (d->options->view != AD_VIEW_AUTO)
		return d->options->view == AD_VIEW_CIRCUIT;
	if (is_part(d->options))
		return false;
	for (uint32_t k = 0; k < d->n_parts; k++) {
		if (!d->options->values &&
		    (ad_count(d->parts[k].node) != 1 || ad_shape_of(d->parts[k].node).rank != 0))
			return false;
		wires += d->parts[k].role != ROLE_CONSTANT;
	}
	return wires <= 60;
}

/* ---- folding ------------------------------------------------------------------------------- */

/* A whole array of one number, made from nothing: its attributes say which. */
static bool filled_value(const ad_node *x, double *value)
{
	char text[256];
	const char *at;

	if (!ad_op_of(x) || ad_inputs(x) != 0 || strcmp(ad_op_of(x), "full") != 0)
		return false;
	ad_print_attrs(text, sizeof text, x);
	at = strstr(text, "value=");
	*value = at ? strtod(at + 6, NULL) : 0;
	return true;
}

bool drawing_constant(const struct drawing *d, uint32_t op, int input, double *value)
{
	uint32_t part = input_part(d, op, input);
	ad_node *x;

	if (part == NOTHING || d->parts[part].shown != NOTHING)
		return false;
	x = d->parts[part].node;
	while (is_view(x))
		x = ad_input_of(x, 0);
	if (ad_kind_of(x) == AD_IS_CONSTANT && ad_count(x) == 1) {
		*value = ad_item(x);
		return true;
	}
	return filled_value(x, value);
}

/* Constants are written into the labels of the ops that read them. */
static void fold_constants(struct drawing *d)
{
	for (uint32_t k = 0; k < d->n_parts; k++) {
		struct part *p = &d->parts[k];
		double value;

		if (k == d->y_part)
			continue;
		if (p->role == ROLE_CONSTANT || filled_value(p->node, &value))
			p->shown = NOTHING;
		else if (is_op(p, k) && is_view(p->node) && input_part(d, k, 0) != NOTHING &&
		         d->parts[input_part(d, k, 0)].shown == NOTHING)
			p->shown = NOTHING;
	}
}

/* A view of a weight is drawn as the weight itself, a change of type not at all. */
static void fold_views(struct drawing *d)
{
	for (uint32_t k = 0; k < d->n_parts; k++) {
		struct part *p = &d->parts[k], *in;
		uint32_t i;

		if (k == d->y_part || p->shown != k || !is_op(p, k) || !is_view(p->node) ||
		    ad_name_of(p->node) || p->node == d->options->reference)
			continue;
		i = input_part(d, k, 0);
		in = &d->parts[i];
		if (in->shown == NOTHING || p->uses != 1)
			continue;
		if (d->parts[in->shown].role == ROLE_PARAM ||
		    d->parts[in->shown].role == ROLE_BUFFER ||
		    !strcmp(ad_op_of(p->node), "to_real"))
			p->shown = in->shown;
	}
}

/* x W + b, as a product and a sum that nothing else reads, is one box. */
static void fold_linear(struct drawing *d)
{
	for (uint32_t k = 0; k < d->n_parts; k++) {
		struct part *p = &d->parts[k];
		uint32_t product = NOTHING, bias = NOTHING, weight;

		if (!is_op(p, k) || strcmp(ad_op_of(p->node), "add") != 0)
			continue;
		for (int i = 0; i < 2; i++) {
			uint32_t in = input_part(d, k, i);
			const char *op = ad_op_of(d->parts[in].node);

			if (op && !strcmp(op, "matmul"))
				product = in;
			else
				bias = in;
		}
		if (product == NOTHING || bias == NOTHING || d->parts[product].uses != 1 ||
		    ad_name_of(d->parts[product].node) || d->parts[product].frame != p->frame ||
		    d->parts[product].node == d->options->reference)
			continue;
		weight = d->parts[input_part(d, product, 1)].shown;
		bias = d->parts[bias].shown;
		if (weight == NOTHING || bias == NOTHING || d->parts[weight].role != ROLE_PARAM ||
		    d->parts[bias].role != ROLE_PARAM)
			continue;
		d->parts[product].shown = k;
		p->linear = true;
	}
}

/* Outputs of an op beside the first are drawn with it; what is folded into a folded part follows.
 */
static void settle(struct drawing *d)
{
	for (uint32_t k = d->n_parts; k-- > 0;)
		if (d->parts[k].owner != k)
			d->parts[k].shown = d->parts[d->parts[k].owner].shown;
	for (uint32_t k = 0; k < d->n_parts; k++) {
		uint32_t to = d->parts[k].shown;

		/* At most two steps: a view or an output, then a product into its sum. */
		while (to != NOTHING && d->parts[to].shown != to)
			to = d->parts[to].shown;
		d->parts[k].shown = to;
	}
}

/* ---- uses ---------------------------------------------------------------------------------- */

static bool measure_use(struct drawing *d, struct use *u, uint32_t by, int input)
{
	if (!d->gradients)
		return true;
	if (d->options->what == AD_DRAW_SWEEP) {
		u->gradient = d->parts[u->from].gradient;
		u->class = d->parts[u->from].class;
		return true;
	}
	if (!gradient_statistic(d, d->parts[by].node, input, &u->gradient))
		return false;
	u->class = d->parts[u->from].role == ROLE_PARAM && !d->parts[u->from].beyond
	               ? weight_class(d, &u->gradient)
	               : class_of(d, &u->gradient, d->parts[u->from].beyond);
	if (u->gradient.rms > d->largest)
		d->largest = u->gradient.rms;
	return true;
}

/* Whether what stands between a part and the one that shows it is a chain of views. */
static bool is_folded_view(const struct drawing *d, uint32_t k)
{
	return d->parts[k].shown != k && is_op(&d->parts[k], k) && is_view(d->parts[k].node) &&
	       d->parts[k].shown < k;
}

static bool make_use(struct drawing *d, uint32_t op, int input)
{
	struct use *u = &d->uses[d->n_uses];
	uint32_t from = input_part(d, op, input), by = op;
	int slot = input;

	if (from == NOTHING || d->parts[from].shown == NOTHING ||
	    d->parts[from].shown == d->parts[op].shown)
		return true;
	*u = (struct use){
		.from = d->parts[from].shown, .to = d->parts[op].shown, .by = op, .input = input
	};
	/* Through a chain of views the contribution to the weight is that of the first link. */
	while (is_folded_view(d, from)) {
		by = from;
		slot = 0;
		from = input_part(d, from, 0);
		u->viewed = true;
	}
	if (!measure_use(d, u, by, slot))
		return false;
	d->n_uses++;
	return true;
}

static bool make_uses(struct drawing *d)
{
	size_t most = 1;

	for (uint32_t k = 0; k < d->n_parts; k++)
		if (is_op(&d->parts[k], k))
			most += (size_t)ad_inputs(d->parts[k].node);
	d->uses = calloc(most, sizeof *d->uses);
	if (!d->uses)
		return drawing_no_memory(d);
	for (uint32_t k = 0; k < d->n_parts; k++) {
		struct part *p = &d->parts[k];

		p->first_use = d->n_uses;
		if (!is_op(p, k) || p->shown == NOTHING || is_folded_view(d, k))
			continue;
		for (int i = 0; i < ad_inputs(p->node); i++)
			if (!make_use(d, k, i))
				return false;
		p->n_uses = d->n_uses - p->first_use;
	}
	return true;
}

/* ---- where a NaN begins -------------------------------------------------------------------- */

/* The first part, in order of computation, with a NaN, or with an infinity that no input had. */
static bool find_forward_offender(struct drawing *d, uint32_t *found)
{
	*found = NOTHING;
	for (uint32_t k = 0; k < d->n_parts; k++) {
		struct part *p = &d->parts[k];
		bool infinite_input = false;
		struct statistic s, in;

		if (!drawing_statistic(d, p->node, &s))
			return false;
		if (!s.nan && (!s.infinite || !ad_op_of(p->node)))
			continue;
		for (int i = 0; i < ad_inputs(owner_of(p->node)) && !s.nan; i++) {
			uint32_t from = input_part(d, p->owner, i);

			if (from == NOTHING)
				continue;
			if (!drawing_statistic(d, d->parts[from].node, &in))
				return false;
			infinite_input |= in.infinite;
		}
		if (infinite_input)
			continue;
		*found = k;
		return true;
	}
	return true;
}

/* Where all values are finite: the first op on the way back that makes a bad gradient of a good
 * one. */
static bool find_backward_offender(struct drawing *d, uint32_t *found)
{
	*found = NOTHING;
	for (uint32_t k = d->n_parts; k-- > 0;) {
		struct part *p = &d->parts[k];

		if (!is_op(p, k) || p->gradient.nan || p->gradient.infinite)
			continue;
		for (int i = 0; i < ad_inputs(p->node); i++) {
			ad_node *use = ad_use_gradient(p->node, i);
			struct statistic s;

			if (!use)
				continue;
			if (!drawing_statistic(d, use, &s))
				return false;
			if (s.nan || s.infinite) {
				*found = k;
				return true;
			}
		}
	}
	return true;
}

static bool find_offender(struct drawing *d)
{
	const ad_draw_record *record = d->options->record;
	struct statistic y;
	uint32_t found;
	bool bad = false;

	if (!d->gradients || d->options->what != AD_DRAW_GRAPH)
		return true;
	if (record) {
		found = record->first_nan ? part_of(d, record->first_nan) : NOTHING;
		if (found != NOTHING && d->parts[found].shown != NOTHING)
			d->parts[d->parts[found].shown].offender = true;
		return true;
	}
	if (!drawing_statistic(d, d->y, &y))
		return false;
	bad = y.nan || y.infinite;
	for (uint32_t k = 0; k < d->n_parts && !bad; k++)
		bad = d->parts[k].class == CLASS_NAN;
	/* An infinity that harms nothing, as in a mask of scores, is no offence. */
	if (!bad)
		return true;
	if (!find_forward_offender(d, &found) ||
	    (found == NOTHING && !find_backward_offender(d, &found)))
		return false;
	if (found != NOTHING && d->parts[found].shown != NOTHING)
		d->parts[d->parts[found].shown].offender = true;
	return true;
}

bool drawing_make_uses(struct drawing *d)
{
	return make_uses(d) && find_offender(d);
}

bool drawing_circuit(struct drawing *d)
{
	size_t wires = 0;

	if (is_part(d->options))
		return drawing_fail(d, "draw: a circuit has no modules and is drawn whole; choose the flow view for "
		                       "a part of it");
	fold_constants(d);
	settle(d);
	for (uint32_t k = 0; k < d->n_parts; k++)
		wires += d->parts[k].shown != NOTHING;
	if (wires > d->max_boxes)
		return drawing_fail(
		    d,
		    "draw: a circuit of %zu wires cannot be read, at most %zu are drawn; "
		    "choose the flow view",
		    wires, d->max_boxes);
	return drawing_make_uses(d);
}

static bool is_shown(const struct drawing *d, uint32_t k)
{
	return d->parts[k].shown == k;
}

/* ---- boxes --------------------------------------------------------------------------------- */

static void worse(enum class *worst, enum class other)
{
	if (other > *worst)
		*worst = other;
}

static bool make_boxes(struct drawing *d)
{
	size_t members = d->frames[0].members;
	bool long_level = d->frames[0].slots > d->max_boxes && !d->options->all;
	size_t per_stretch = long_level ? (members + MAX_STRETCHES - 1) / MAX_STRETCHES : 1;
	uint32_t *of_frame = malloc(d->n_frames * sizeof *of_frame), stretch = NOTHING;
	size_t in_stretch = 0;

	d->boxes = calloc((size_t)d->n_parts + 1, sizeof *d->boxes);
	if (!of_frame || !d->boxes) {
		free(of_frame);
		return drawing_no_memory(d);
	}
	memset(of_frame, 0xff, d->n_frames * sizeof *of_frame);
	for (uint32_t k = 0; k < d->n_parts; k++) {
		struct part *p = &d->parts[k];
		uint32_t closed = d->frames[p->frame].closed_in, outer = d->frames[p->frame].outer;
		uint32_t at = d->n_boxes;
		struct box *b;

		if (!is_shown(d, k))
			continue;
		if (per_stretch > 1 && outer && of_frame[outer] != NOTHING) {
			at = of_frame[outer];
		} else if (per_stretch > 1) {
			/* Too much even on the outermost level: what was recorded one after the
			 * other shares a box. A frame stays whole. */
			if (stretch == NOTHING || in_stretch == per_stretch) {
				stretch = d->n_boxes;
				in_stretch = 0;
			}
			in_stretch++;
			at = of_frame[outer] = stretch;
		} else if (closed != NOTHING) {
			if (of_frame[closed] == NOTHING)
				of_frame[closed] = at;
			at = of_frame[closed];
		}
		b = &d->boxes[at];
		if (at == d->n_boxes) {
			*b = (struct box){ .kind = BOX_PART,
				           .part = k,
				           .frame = p->frame,
				           .first = k,
				           .group = NOTHING,
				           .head = at,
				           .next = NOTHING,
				           .named = NOTHING,
				           .beside = NOTHING };
			if (per_stretch > 1) {
				b->kind = BOX_STRETCH;
				b->frame = 0;
			} else if (closed != NOTHING) {
				b->kind = BOX_FRAME;
				b->frame = closed;
			}
			d->n_boxes++;
		}
		b->last = k;
		b->ops += p->role == ROLE_OP || p->role == ROLE_LOSS;
		if (p->role == ROLE_PARAM)
			b->elements += ad_count(p->node);
		b->offender |= p->offender;
		p->box = at;
	}
	free(of_frame);
	return true;
}

/* Of several uses between two boxes the one to show: the worst, of these the largest. */
static bool shows_more(const struct drawing *d, const struct use *a, const struct use *b)
{
	if (a->class != b->class)
		return a->class > b->class;
	return drawing_size(d, &a->gradient) > drawing_size(d, &b->gradient);
}

/* The statistic of two gradients side by side. */
static void add_statistic(struct statistic *to, const struct statistic *s)
{
	double n = (double)(to->count + s->count);

	if (!s->known)
		return;
	if (!to->known) {
		*to = *s;
		return;
	}
	to->nan |= s->nan;
	to->infinite |= s->infinite;
	if (n > 0) {
		double share = (double)to->count / n, other = (double)s->count / n;

		to->rms = hypot(to->rms * sqrt(share), s->rms * sqrt(other));
		to->before = hypot(to->before * sqrt(share), s->before * sqrt(other));
		to->mean = to->mean * share + s->mean * other;
		to->zeros = to->zeros * share + s->zeros * other;
	}
	if (!(to->max >= s->max))
		to->max = s->max;
	to->count += s->count;
}

/* The slot of an arrow between two boxes, or the free one where it belongs. slots has a power of
 * two of them, more than there are uses. */
static uint32_t *arrow_slot(const struct drawing *d, uint32_t *slots, size_t n, uint32_t from,
                            uint32_t to)
{
	uint64_t h = (((uint64_t)from << 32) | to) * 0x9e3779b97f4a7c15u;
	size_t k = (size_t)(h >> 20) & (n - 1);

	while (slots[k] != NOTHING &&
	       (d->arrows[slots[k]].from != from || d->arrows[slots[k]].to != to))
		k = (k + 1) & (n - 1);
	return &slots[k];
}

static bool make_arrows(struct drawing *d)
{
	size_t n = 16;
	uint32_t *slots;

	while (n < 2 * d->n_uses)
		n *= 2;
	slots = malloc(n * sizeof *slots);
	d->arrows = calloc(d->n_uses + 1, sizeof *d->arrows);
	if (!slots || !d->arrows) {
		free(slots);
		return drawing_no_memory(d);
	}
	memset(slots, 0xff, n * sizeof *slots);
	for (size_t k = 0; k < d->n_uses; k++) {
		const struct use *u = &d->uses[k];
		uint32_t from = d->parts[u->from].box, to = d->parts[u->to].box;
		uint32_t distance = d->parts[u->from].distance, *slot;
		bool beyond = d->parts[u->from].beyond;
		struct arrow *a;

		if (from == to) {
			worse(&d->boxes[from].worst, u->class);
			continue;
		}
		slot = arrow_slot(d, slots, n, from, to);
		/* Between single parts every use has its arrow: x * x has two. */
		if (*slot == NOTHING ||
		    (d->boxes[from].kind == BOX_PART && d->boxes[to].kind == BOX_PART)) {
			*slot = (uint32_t)d->n_arrows;
			d->arrows[d->n_arrows++] = (struct arrow){ .from = from,
				                                   .to = to,
				                                   .use = (uint32_t)k,
				                                   .first = (uint32_t)k,
				                                   .uses = 1,
				                                   .gradient = u->gradient,
				                                   .class = u->class,
				                                   .worst = u->class,
				                                   .distance = distance };
			continue;
		}
		a = &d->arrows[*slot];
		a->uses++;
		if (distance < a->distance)
			a->distance = distance;
		add_statistic(&a->gradient, &u->gradient);
		beyond &= d->parts[d->uses[a->use].from].beyond;
		a->class = d->parts[u->from].role == ROLE_PARAM && !beyond
		               ? weight_class(d, &a->gradient)
		               : class_of(d, &a->gradient, beyond);
		worse(&a->worst, u->class);
		if (shows_more(d, u, &d->uses[a->use]))
			a->use = (uint32_t)k;
	}
	free(slots);
	return true;
}

static enum role box_role(const struct drawing *d, const struct box *b)
{
	return b->kind == BOX_PART ? d->parts[b->part].role : ROLE_OP;
}

/* Straight lines: from the drawn node back along the shortest way to an input (so a skip connection
 * is the trunk), then from whatever is left. */
static bool group_boxes(struct drawing *d)
{
	uint32_t *next = malloc((d->n_boxes + 1) * sizeof *next), groups = 0;

	if (!next)
		return drawing_no_memory(d);
	memset(next, 0xff, (d->n_boxes + 1) * sizeof *next);
	/* next[b]: the arrow by which the line goes on from b. */
	for (size_t k = 0; k < d->n_arrows; k++) {
		struct arrow *a = &d->arrows[k];
		enum role role = box_role(d, &d->boxes[a->from]);

		if (role != ROLE_OP && role != ROLE_INPUT)
			continue;
		if (next[a->to] == NOTHING || a->distance < d->arrows[next[a->to]].distance)
			next[a->to] = (uint32_t)k;
	}
	/* From the last box down: by their last parts, users come after what they use. */
	for (uint32_t k = d->n_parts; k-- > 0;) {
		uint32_t at;

		if (!is_shown(d, k))
			continue;
		at = d->parts[k].box;
		if (d->boxes[at].last != k || d->boxes[at].group != NOTHING)
			continue;
		if (box_role(d, &d->boxes[at]) != ROLE_OP &&
		    box_role(d, &d->boxes[at]) != ROLE_LOSS)
			continue;
		for (;; at = d->arrows[next[at]].from) {
			d->boxes[at].group = groups;
			if (next[at] == NOTHING ||
			    d->boxes[d->arrows[next[at]].from].group != NOTHING)
				break;
			d->arrows[next[at]].trunk = groups == 0;
		}
		groups++;
	}
	free(next);
	/* A weight stands beside the first op that reads it. */
	for (size_t k = 0; k < d->n_arrows; k++) {
		struct box *b = &d->boxes[d->arrows[k].from];
		enum role role = box_role(d, b);

		if ((role == ROLE_PARAM || role == ROLE_BUFFER) && b->beside == NOTHING) {
			b->beside = d->arrows[k].to;
			d->arrows[k].above = d->boxes[b->beside].neighbours++ % 2 == 0;
		}
	}
	return true;
}

/* A weight that few ops share is drawn beside each. */
static bool find_shared(struct drawing *d)
{
	uint32_t *places = calloc((size_t)d->n_boxes + 1, sizeof *places);

	if (!places)
		return drawing_no_memory(d);
	for (size_t k = 0; k < d->n_arrows; k++)
		places[d->arrows[k].from]++;
	for (size_t k = 0; k < d->n_arrows; k++) {
		struct arrow *a = &d->arrows[k];

		if (box_role(d, &d->boxes[a->from]) != ROLE_PARAM ||
		    d->boxes[a->from].beside == a->to || places[a->from] > MAX_PLACES ||
		    d->n_boxes > COARSE_BOXES)
			continue;
		a->elsewhere = true;
		a->above = d->boxes[a->to].neighbours++ % 2 == 0;
	}
	free(places);
	return true;
}

static void worse_frame(struct frame *f, enum class class, double rms)
{
	bool small = class == CLASS_WEAK || class == CLASS_VANISHING || class == CLASS_LOST;

	if (class > f->worst ||
	    (class == f->worst && (small ? rms < f->extreme : rms > f->extreme)))
		f->extreme = rms;
	worse(&f->worst, class);
}

/* Of a weight's gradient, as of one row's. */
static double row_size(const struct drawing *d, const struct statistic *s)
{
	return d->change ? drawing_size(d, s) : s->rms / sqrt(d->positions);
}

/* The colour of a frame: the worst of the weights and of the arrows inside it, else of its results.
 */
static void find_worst(struct drawing *d)
{
	for (uint32_t k = 0; k < d->n_parts; k++) {
		struct part *p = &d->parts[k];

		if (!is_shown(d, k))
			continue;
		if (p->role == ROLE_PARAM) {
			worse_frame(&d->frames[p->frame], p->class, row_size(d, &p->gradient));
			worse(&d->boxes[p->box].worst, p->class);
		}
		if (p->offender) {
			d->frames[p->frame].offender = true;
			worse(&d->frames[p->frame].worst, CLASS_NAN);
			worse(&d->boxes[p->box].worst, CLASS_NAN);
		}
	}
	for (size_t k = 0; k < d->n_uses; k++) {
		const struct use *u = &d->uses[k];
		uint32_t frame =
		    drawing_common_frame(d, d->parts[u->from].frame, d->parts[u->to].frame);

		worse_frame(&d->frames[frame], u->class,
		            d->parts[u->from].role == ROLE_PARAM ? row_size(d, &u->gradient)
		                                                 : drawing_size(d, &u->gradient));
	}
	for (uint32_t k = 0; k < d->n_parts; k++) {
		struct frame *f = &d->frames[d->parts[k].frame];
		struct box *b = &d->boxes[d->parts[k].box];

		if (!is_shown(d, k) || d->parts[k].role != ROLE_OP)
			continue;
		if (f->worst == CLASS_NONE)
			worse_frame(f, d->parts[k].class, drawing_size(d, &d->parts[k].gradient));
		if (b->worst == CLASS_NONE)
			worse(&b->worst, d->parts[k].class);
	}
	for (uint32_t s = d->n_frames; s-- > 1;) {
		struct frame *f = &d->frames[s], *parent = &d->frames[f->parent];

		worse_frame(parent, f->worst, f->extreme);
		parent->offender |= f->offender;
	}
	for (uint32_t k = 0; k < d->n_boxes; k++) {
		struct box *b = &d->boxes[k], *head = &d->boxes[b->head];

		if (b->kind != BOX_FRAME)
			continue;
		for (uint32_t c = b->frame; c != NOTHING && d->frames[c].leader == b->frame;
		     c = d->frames[c].sibling)
			worse(&head->worst, d->frames[c].worst);
	}
}

/* common_frame climbs by true depth; open_frames counts outlines only. */
static void restore_depths(struct drawing *d)
{
	for (uint32_t s = 1; s < d->n_frames; s++)
		d->frames[s].depth = d->frames[d->frames[s].parent].depth + 1;
}

/* How many boxes stand one after the other at most decides which way they go. */
static bool find_direction(struct drawing *d)
{
	uint32_t *longest = calloc((size_t)d->n_boxes + 1, sizeof *longest), most = 0;

	if (!longest)
		return drawing_no_memory(d);
	/* Uses stand in the order of computation, arrows in that of their first uses. */
	for (size_t k = 0; k < d->n_uses; k++) {
		uint32_t from = d->parts[d->uses[k].from].box, to = d->parts[d->uses[k].to].box;

		if (from == to || longest[to] > longest[from])
			continue;
		longest[to] = longest[from] + 1;
		if (longest[to] > most)
			most = longest[to];
	}
	free(longest);
	d->upright =
	    d->options->direction ? strchr(d->options->direction, 'T') != NULL : most > MAX_ACROSS;
	return true;
}

bool drawing_flow(struct drawing *d)
{
	fold_constants(d);
	if (!d->planned) {
		fold_views(d);
		fold_linear(d);
	}
	if (d->options->what == AD_DRAW_SWEEP)
		drawing_fold_sums(d);
	settle(d);
	if (!drawing_make_uses(d) || !drawing_make_frames(d) || !drawing_open_frames(d))
		return false;
	restore_depths(d);
	if (!make_boxes(d) || !make_arrows(d) || !drawing_fold(d) || !group_boxes(d) ||
	    !find_shared(d) || !find_direction(d))
		return false;
	find_worst(d);
	return true;
}
