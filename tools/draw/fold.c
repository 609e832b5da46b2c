/*
 * fold: conv2d + batch_norm + relu, linear + gelu as one box.
 *
 * What folds is told by structure, not by name. A box with a weight matrix (a weight of two axes or
 * more) takes up the one that alone reads its result, if that reads nothing else but weights of one
 * axis at most and keeps the shape; then that one's only reader, and so on.
 */
#include "drawing.h"

#include <stdlib.h>

/* What stands around a box. */
struct place {
	uint32_t out, in; /* an arrow of data from it, to it */
	uint32_t n_out, n_in;
	bool matrix; /* it has, or reads, a weight of two axes or more */
};

static bool is_weight_box(const struct drawing *d, uint32_t box)
{
	const struct box *b = &d->boxes[box];

	return b->kind == BOX_PART &&
	       (d->parts[b->part].role == ROLE_PARAM || d->parts[b->part].role == ROLE_BUFFER);
}

static bool is_matrix(const struct part *p)
{
	return p->role == ROLE_PARAM && ad_shape_of(p->node).rank >= 2;
}

static void survey(const struct drawing *d, struct place *places)
{
	for (size_t k = 0; k < d->n_arrows; k++) {
		const struct arrow *a = &d->arrows[k];

		if (is_weight_box(d, a->from)) {
			places[a->to].matrix |= is_matrix(&d->parts[d->boxes[a->from].part]);
			continue;
		}
		places[a->from].out = (uint32_t)k;
		places[a->from].n_out++;
		places[a->to].in = (uint32_t)k;
		places[a->to].n_in++;
	}
	for (uint32_t k = 0; k < d->n_parts; k++)
		if (d->parts[k].shown == k && is_matrix(&d->parts[k]))
			places[d->parts[k].box].matrix = true;
}

/* A single op, or a layer. */
static bool is_stage(const struct drawing *d, const struct box *b)
{
	const struct frame *f = &d->frames[b->frame];

	return b->kind == BOX_FRAME ? f->layer && f->copies == 1
	                            : b->kind == BOX_PART && d->parts[b->part].role == ROLE_OP;
}

/* The frame that a box lies in. */
static uint32_t frame_around(const struct drawing *d, const struct box *b)
{
	return b->kind == BOX_FRAME ? d->frames[b->frame].parent : b->frame;
}

/* What the arrow's tensor is. */
static const ad_node *tensor_of(const struct drawing *d, uint32_t arrow)
{
	return d->parts[d->uses[d->arrows[arrow].use].from].node;
}

/* The box that the last one of a chain takes up; NOTHING. */
static uint32_t follower(const struct drawing *d, const struct place *places, uint32_t at)
{
	uint32_t next;

	if (places[at].n_out != 1)
		return NOTHING;
	next = d->arrows[places[at].out].to;
	if (places[next].n_in != 1 || places[next].n_out == 0 || places[next].matrix ||
	    !is_stage(d, &d->boxes[next]) ||
	    frame_around(d, &d->boxes[at]) != frame_around(d, &d->boxes[next]))
		return NOTHING;
	if (tensor_of(d, places[at].out) == d->options->reference ||
	    ad_count(tensor_of(d, places[at].out)) != ad_count(tensor_of(d, places[next].out)))
		return NOTHING;
	return next;
}

/* The end of the chain that begins with this box goes on with `next`. */
static void take_up(struct drawing *d, uint32_t head, uint32_t next)
{
	struct box *to = &d->boxes[head], *b = &d->boxes[next];

	while (to->next != NOTHING)
		to = &d->boxes[to->next];
	to->next = next;
	to = &d->boxes[head];
	b->head = head;
	if (b->first < to->first)
		to->first = b->first;
	if (b->last > to->last)
		to->last = b->last;
	to->ops += b->ops;
	to->elements += b->elements;
	to->offender |= b->offender;
}

/* A frame around nothing but a folded box gives it its name instead. */
static bool dissolve_frames(struct drawing *d)
{
	uint32_t *inside = calloc((size_t)d->n_frames + 1, sizeof *inside);

	if (!inside)
		return drawing_no_memory(d);
	for (uint32_t k = 0; k < d->n_boxes; k++)
		if (d->boxes[k].head == k)
			inside[frame_around(d, &d->boxes[k])]++;
	for (uint32_t s = 1; s < d->n_frames; s++)
		inside[d->frames[s].parent] += d->frames[s].outlined;
	for (uint32_t k = 0; k < d->n_boxes; k++) {
		uint32_t frame = frame_around(d, &d->boxes[k]);

		if (d->boxes[k].next == NOTHING || !d->frames[frame].outlined || inside[frame] > 1)
			continue;
		d->frames[frame].outlined = false;
		d->boxes[k].named = frame;
	}
	free(inside);
	return true;
}

static bool is_folded_picture(const struct drawing *d)
{
	const ad_draw_options *o = d->options;

	return !o->no_fold && o->form != AD_DRAW_TEXT && !o->around && !o->from && !o->only &&
	       d->n_boxes > MAX_DETAILED;
}

bool drawing_fold(struct drawing *d)
{
	struct place *places;
	size_t n = 0;

	if (!is_folded_picture(d))
		return true;
	places = calloc((size_t)d->n_boxes + 1, sizeof *places);
	if (!places)
		return drawing_no_memory(d);
	survey(d, places);
	for (uint32_t k = 0; k < d->n_boxes; k++) {
		uint32_t at = k, next;

		if (!places[k].matrix || !is_stage(d, &d->boxes[k]))
			continue;
		for (; (next = follower(d, places, at)) != NOTHING; at = next)
			take_up(d, k, next);
	}
	free(places);
	for (uint32_t k = 0; k < d->n_parts; k++)
		if (d->parts[k].shown == k)
			d->parts[k].box = d->boxes[d->parts[k].box].head;
	for (size_t k = 0; k < d->n_arrows; k++) {
		struct arrow a = d->arrows[k];

		a.from = d->boxes[a.from].head;
		a.to = d->boxes[a.to].head;
		if (a.from != a.to)
			d->arrows[n++] = a;
		else if (a.worst > d->boxes[a.from].worst)
			d->boxes[a.from].worst = a.worst;
	}
	d->n_arrows = n;
	return dissolve_frames(d);
}
