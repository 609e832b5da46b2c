/*
 * backward: the reverse sweep as a diagram of its own: the ops that it runs, what they read of the
 * forward pass, and whose gradients they make.
 */
#include "drawing.h"
#include "planned.h"

#include <string.h>

static bool is_swept(const ad_node *x)
{
	const char *op;
	bool kernel;

	return swept_node(x, &op, &kernel);
}

bool drawing_mark_sweep(struct drawing *d, bool *marks, bool *saved)
{
	bool found = false;

	for (size_t k = 0; k < d->n_nodes; k++) {
		ad_node *x = d->nodes[k], *gradient;

		if (ad_op_of(x) || !ad_wants_gradient(x) || !(gradient = ad_gradient(x)))
			continue;
		found |= drawing_mark_below(d, gradient, marks) > 0;
	}
	if (!found)
		return drawing_fail(d, "draw: there is no sweep to draw; call ad_backward before");
	/* Of the forward pass only what the sweep reads. */
	for (size_t k = 0; k < d->n_nodes; k++)
		if (marks[k] && !is_swept(d->nodes[k])) {
			marks[k] = false;
			saved[k] = true;
		}
	for (size_t k = 0; k < d->n_nodes; k++) {
		ad_node *x = d->nodes[k];

		if (!marks[k] || !is_swept(x) || !ad_op_of(x))
			continue;
		for (int i = 0; i < ad_inputs(x); i++) {
			ad_node *in = ad_input_of(x, i);
			uint32_t from = in ? drawing_node_number(d, in) : NOTHING;

			if (from != NOTHING && saved[from])
				marks[from] = true;
		}
	}
	for (size_t k = 0; k < d->n_nodes; k++)
		saved[k] &= marks[k];
	return true;
}

bool drawing_sweep_gradients(struct drawing *d)
{
	ad_node *reference = d->options->reference ? ad_gradient(d->options->reference) : NULL;
	uint32_t from = reference ? drawing_node_number(d, reference) : NOTHING;

	for (size_t k = 0; k < d->n_nodes; k++) {
		ad_node *x = d->nodes[k], *gradient;
		uint32_t at;

		if (ad_op_of(x) || !ad_wants_gradient(x) || !(gradient = ad_gradient(x)))
			continue;
		at = d->part_of[drawing_node_number(d, gradient)];
		if (at != NOTHING)
			d->parts[at].gradient_of = x;
	}
	for (uint32_t k = 0; k < d->n_parts; k++) {
		struct part *p = &d->parts[k];

		if (!is_swept(p->node) || ad_type_of(p->node) != AD_REAL)
			continue;
		if (!drawing_statistic(d, p->node, &p->gradient))
			return false;
		/* The sweep runs from the loss to the reference first. */
		p->beyond = from != NOTHING && drawing_node_number(d, p->node) < from;
		p->class = drawing_class(
		    d, &p->gradient, p->gradient_of && ad_kind_of(p->gradient_of) == AD_IS_PARAM,
		    p->beyond);
		if (p->gradient.rms > d->largest)
			d->largest = p->gradient.rms;
	}
	return true;
}

static bool is_addition(const ad_node *x)
{
	return ad_op_of(x) && !strcmp(ad_op_of(x), "add");
}

bool drawing_is_sum(const struct part *p)
{
	return !p->saved && is_addition(p->node) && is_swept(p->node) && ad_scope_of(p->node) == 0;
}

void drawing_fold_sums(struct drawing *d)
{
	/* From the end, so that the whole sum is known when a part of it is met. */
	for (uint32_t k = d->n_parts; k-- > 0;) {
		struct part *p = &d->parts[k];
		struct part *user = p->uses == 1 ? &d->parts[p->user] : NULL;

		if (!user || p->saved || !is_swept(p->node) || !is_addition(p->node) ||
		    !is_addition(user->node) || p->gradient_of || p->frame != user->frame ||
		    ad_count(p->node) != ad_count(user->node))
			continue;
		p->shown = user->shown;
		d->parts[p->shown].sum = true;
	}
}
