/*
 * frames: the scopes of a graph as frames: what lies inside, which are copies of one another,
 * which are opened.
 *
 * A frame's number is above its parent's, so bottom-up is a loop downwards.
 */
#include "drawing.h"

#include <stdlib.h>
#include <string.h>

const char *drawing_path(const struct drawing *d, uint32_t frame, char *text, size_t n)
{
	if (d->planned)
		return frame ? drawing_frame_name(d, frame) : "";
	return drawing_scope_path(d->graph, (int)frame, text, n);
}

const char *drawing_scope_path(const ad_graph *g, int scope, char *text, size_t n)
{
	size_t at = n - 1;

	/* From the end to the front; what does not fit is cut at the front. */
	text[at] = 0;
	for (; scope > 0; scope = ad_scope_parent(g, scope)) {
		const char *name = ad_scope_name(g, scope);
		size_t size = strlen(name), dot = text[at] != 0;

		if (size + dot > at)
			break;
		if (dot)
			text[--at] = '.';
		at -= size;
		memcpy(text + at, name, size);
	}
	return text + at;
}

const char *drawing_copies_name(const struct drawing *d, uint32_t leader, char *text, size_t n)
{
	const char *first = drawing_frame_name(d, leader), *last = first;
	size_t index = strcspn(first, "]"), base;

	for (uint32_t c = leader; c != NOTHING && d->frames[c].leader == leader;
	     c = d->frames[c].sibling)
		last = drawing_frame_name(d, c);
	base = strcspn(last, "[");
	if (!last[base] || !first[index] || !strcmp(first, last) || index + strlen(last) > n - 3)
		return first;
	snprintf(text, n, "%.*s..%s", (int)index, first, last + base + 1);
	return text;
}

/* Whether copy a of a class is named before b: where a NaN begins, then the most extreme, then the
 * first. */
static bool is_named_before(const struct drawing *d, uint32_t a, uint32_t b)
{
	const struct frame *one = &d->frames[a], *other = &d->frames[b];
	bool small =
	    one->worst == CLASS_WEAK || one->worst == CLASS_VANISHING || one->worst == CLASS_LOST;

	if (one->offender != other->offender)
		return one->offender;
	if (one->worst != CLASS_NAN && one->extreme != other->extreme)
		return small ? one->extreme < other->extreme : one->extreme > other->extreme;
	return a < b;
}

uint32_t drawing_next_copy(const struct drawing *d, uint32_t leader, enum class class,
                           uint32_t last)
{
	uint32_t next = NOTHING;

	for (uint32_t c = leader; c != NOTHING && d->frames[c].leader == leader;
	     c = d->frames[c].sibling)
		if (d->frames[c].worst == class && c != last &&
		    (last == NOTHING || is_named_before(d, last, c)) &&
		    (next == NOTHING || is_named_before(d, c, next)))
			next = c;
	return next;
}

uint32_t drawing_common_frame(const struct drawing *d, uint32_t a, uint32_t b)
{
	while (a != b)
		if (d->frames[a].depth >= d->frames[b].depth)
			a = d->frames[a].parent;
		else
			b = d->frames[b].parent;
	return a;
}

/* The sweep adds outside of all scopes: a sum lies where what it adds does. */
static void place_sums(struct drawing *d)
{
	for (uint32_t k = 0; k < d->n_parts; k++)
		if (drawing_is_sum(&d->parts[k]) && d->parts[k].shown == k)
			d->parts[k].frame = NOTHING;
	/* In the order of computation: what is added has its place. */
	for (size_t k = 0; k < d->n_uses; k++) {
		uint32_t from = d->parts[d->uses[k].from].frame;
		struct part *to = &d->parts[d->uses[k].to];

		if (drawing_is_sum(to) && from != NOTHING)
			to->frame =
			    to->frame == NOTHING ? from : drawing_common_frame(d, to->frame, from);
	}
	for (uint32_t k = 0; k < d->n_parts; k++)
		if (d->parts[k].frame == NOTHING)
			d->parts[k].frame = 0;
}

/* Inputs lie outside all frames, a weight where it is used, an op where it was recorded. */
static void place_leaves(struct drawing *d)
{
	for (uint32_t k = 0; k < d->n_parts; k++) {
		struct part *p = &d->parts[k];

		if (p->role != ROLE_OP && p->role != ROLE_LOSS)
			p->frame = NOTHING;
	}
	for (size_t k = 0; k < d->n_uses; k++) {
		struct part *from = &d->parts[d->uses[k].from];
		uint32_t to = d->parts[d->uses[k].to].frame;

		if (from->role != ROLE_PARAM && from->role != ROLE_BUFFER &&
		    from->role != ROLE_SAVED)
			continue;
		from->frame =
		    from->frame == NOTHING ? to : drawing_common_frame(d, from->frame, to);
	}
	for (uint32_t k = 0; k < d->n_parts; k++)
		if (d->parts[k].frame == NOTHING)
			d->parts[k].frame = 0;
	if (d->options->what == AD_DRAW_SWEEP)
		place_sums(d);
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const ad_draw_layer *)a)->path, ((const ad_draw_layer *)b)->path);
}

static bool find_layers(struct drawing *d)
{
	size_t n = d->options->n_layers;
	ad_draw_layer *sorted;
	char text[1024];

	if (n == 0 || d->options->all || d->options->what != AD_DRAW_GRAPH)
		return true;
	sorted = malloc(n * sizeof *sorted);
	if (!sorted)
		return drawing_no_memory(d);
	memcpy(sorted, d->options->layers, n * sizeof *sorted);
	qsort(sorted, n, sizeof *sorted, by_path);
	for (uint32_t s = 1; s < d->n_frames; s++) {
		ad_draw_layer key = { .path = drawing_path(d, s, text, sizeof text) };
		const ad_draw_layer *found = bsearch(&key, sorted, n, sizeof *sorted, by_path);

		if (found)
			d->frames[s].layer = found->kind;
	}
	free(sorted);
	return true;
}

/* An item that is a single op has a scope, but is no module: its op lies in the module around it.
 * held: for each frame room for a count. */
static void leave_scopes_of_ops(struct drawing *d, uint32_t *held)
{
	memset(held, 0, d->n_frames * sizeof *held);
	for (uint32_t k = 0; k < d->n_parts; k++) {
		const struct part *p = &d->parts[k];

		held[p->frame] += p->role == ROLE_OP || p->role == ROLE_LOSS ? 1 : 2;
	}
	for (uint32_t s = 1; s < d->n_frames; s++)
		held[d->frames[s].parent] += 2;
	for (uint32_t k = 0; k < d->n_parts; k++) {
		uint32_t s = d->parts[k].frame;

		if (s != 0 && held[s] == 1 && !d->frames[s].layer)
			d->parts[k].frame = d->frames[s].parent;
	}
}

static void count_members(struct drawing *d)
{
	for (uint32_t k = 0; k < d->n_parts; k++) {
		struct frame *f = &d->frames[d->parts[k].frame];

		if (d->parts[k].shown != k)
			continue;
		if (f->first == NOTHING)
			f->first = k;
		f->members++;
		f->ops += d->parts[k].role == ROLE_OP || d->parts[k].role == ROLE_LOSS;
		if (d->parts[k].role == ROLE_PARAM)
			f->elements += ad_count(d->parts[k].node);
	}
	for (uint32_t s = d->n_frames; s-- > 1;) {
		struct frame *f = &d->frames[s], *parent = &d->frames[f->parent];

		if (f->first == NOTHING)
			continue;
		if (f->first < parent->first)
			parent->first = f->first;
		parent->members++;
		parent->ops += f->ops;
		parent->elements += f->elements;
	}
}

static void link_children(struct drawing *d, uint32_t *last)
{
	for (uint32_t s = 1; s < d->n_frames; s++) {
		uint32_t parent = d->frames[s].parent;

		if (d->frames[s].first == NOTHING)
			continue;
		if (last[parent] == NOTHING)
			d->frames[parent].child = s;
		else
			d->frames[last[parent]].sibling = s;
		last[parent] = s;
	}
}

bool drawing_make_frames(struct drawing *d)
{
	uint32_t *last;

	if (d->planned) {
		if (!drawing_plan_frames(d))
			return false;
	} else {
		d->n_frames = (uint32_t)ad_scopes(d->graph);
		if (d->n_frames == 0)
			d->n_frames = 1;
	}
	d->frames = calloc(d->n_frames, sizeof *d->frames);
	last = malloc(d->n_frames * sizeof *last);
	if (!d->frames || !last) {
		free(last);
		return drawing_no_memory(d);
	}
	for (uint32_t s = 0; s < d->n_frames; s++) {
		struct frame *f = &d->frames[s];

		f->parent = s && !d->planned ? (uint32_t)ad_scope_parent(d->graph, (int)s) : 0;
		f->depth = s ? d->frames[f->parent].depth + 1 : 0;
		f->outer = s && f->parent ? d->frames[f->parent].outer : s;
		f->first = f->child = f->sibling = f->closed_in = last[s] = NOTHING;
		f->leader = s;
		f->copies = 1;
	}
	place_leaves(d);
	if (!drawing_focus(d) || !find_layers(d)) {
		free(last);
		return false;
	}
	if (!d->planned) {
		leave_scopes_of_ops(d, last);
		memset(last, 0xff, d->n_frames * sizeof *last);
	}
	count_members(d);
	link_children(d, last);
	free(last);
	return true;
}

/* ---- copies -------------------------------------------------------------------------------- */

/* FNV-1a, 64 bits. */
static uint64_t mix_bytes(uint64_t h, const void *bytes, size_t n)
{
	const unsigned char *b = bytes;

	for (size_t k = 0; k < n; k++)
		h = (h ^ b[k]) * 0x100000001b3u;
	return h;
}

static uint64_t mix(uint64_t h, uint64_t value)
{
	return mix_bytes(h, &value, sizeof value);
}

/* "block" of "block[3]". */
static size_t base_of(const char *name)
{
	return strcspn(name, "[");
}

static bool find_structures(struct drawing *d)
{
	uint32_t *place = calloc((size_t)d->n_parts + 1, sizeof *place);
	uint32_t *count = calloc((size_t)d->n_frames, sizeof *count);

	if (!place || !count) {
		free(place);
		free(count);
		return drawing_no_memory(d);
	}
	for (uint32_t s = 0; s < d->n_frames; s++)
		d->frames[s].structure = 0xcbf29ce484222325u;
	for (uint32_t k = 0; k < d->n_parts; k++) {
		const struct part *p = &d->parts[k];
		struct frame *f = &d->frames[p->frame];
		const char *op = ad_op_of(p->node);

		if (p->shown != k)
			continue;
		place[k] = count[p->frame]++;
		f->structure = mix(f->structure, (uint64_t)p->role);
		f->structure = mix(f->structure, (uint64_t)ad_shape_of(p->node).rank);
		if (op)
			f->structure = mix_bytes(f->structure, op, strlen(op));
	}
	for (size_t k = 0; k < d->n_uses; k++) {
		const struct use *u = &d->uses[k];
		uint32_t to = d->parts[u->to].frame;
		struct frame *f = &d->frames[to];

		f->structure = mix(f->structure, place[u->to]);
		f->structure = mix(f->structure, (uint64_t)u->input);
		f->structure =
		    mix(f->structure, d->parts[u->from].frame == to ? place[u->from] : NOTHING);
	}
	for (uint32_t s = d->n_frames; s-- > 0;) {
		struct frame *f = &d->frames[s];

		for (uint32_t c = f->child; c != NOTHING; c = d->frames[c].sibling) {
			const char *name = drawing_frame_name(d, c);

			f->structure = mix_bytes(f->structure, name, base_of(name));
			f->structure = mix(f->structure, d->frames[c].structure);
		}
	}
	free(place);
	free(count);
	return true;
}

static bool are_copies(const struct drawing *d, uint32_t a, uint32_t b)
{
	const char *one = drawing_frame_name(d, a), *other = drawing_frame_name(d, b);
	size_t base = base_of(one);

	return d->frames[a].structure == d->frames[b].structure && base == base_of(other) &&
	       !memcmp(one, other, base);
}

/* Makes one of the copies from first to before end, but for those that are wanted open. Returns how
 * many boxes that spares. */
static uint32_t join_copies(struct drawing *d, uint32_t first, uint32_t end)
{
	uint32_t leader = NOTHING, spared = 0;

	for (uint32_t c = first; c != end; c = d->frames[c].sibling) {
		if (d->frames[c].wanted) {
			leader = NOTHING;
		} else if (leader == NOTHING) {
			leader = c;
		} else {
			d->frames[c].leader = leader;
			d->frames[leader].copies++;
			spared++;
		}
	}
	return spared;
}

/* Copies in a row become one, where side by side they would take too much room. */
static bool group_copies(struct drawing *d)
{
	if (!find_structures(d))
		return false;
	for (uint32_t s = d->n_frames; s-- > 0;) {
		struct frame *f = &d->frames[s];
		uint32_t first = f->child;

		f->slots = f->members;
		while (first != NOTHING && !d->options->all) {
			uint32_t copies = 1, next = d->frames[first].sibling;
			/* What the reader would see of each: a layer is one box. */
			uint32_t boxes = d->frames[first].layer ? 1 : d->frames[first].slots;

			for (; next != NOTHING && are_copies(d, first, next); copies++)
				next = d->frames[next].sibling;
			if (copies > 2 && (copies > MAX_COPIES || copies * boxes > MAX_SPREAD))
				f->slots -= join_copies(d, first, next);
			first = next;
		}
	}
	return true;
}

/* ---- opening ------------------------------------------------------------------------------- */

struct opening {
	struct drawing *d;
	size_t boxes;
	uint32_t *queue, head, tail;
	uint32_t *layers, n_layers; /* of one op, that are opened last and all together */
	size_t detailed;            /* boxes that they would add */
};

static void open_frame(struct opening *o, uint32_t s)
{
	struct frame *f = &o->d->frames[s];

	f->open = true;
	o->boxes += f->slots - (s != 0);
	o->queue[o->tail++] = s;
}

static void consider(struct opening *o, uint32_t c)
{
	const ad_draw_options *how = o->d->options;
	struct frame *f = &o->d->frames[c];
	bool focused = how->around || how->only;

	/* A frame around one thing only is not drawn, so it costs no depth. */
	f->outlined = f->slots > 1;
	f->depth = o->d->frames[f->parent].depth + f->outlined;
	if (f->leader != c || f->copies > 1 || f->depth > MAX_NESTING || f->outside)
		return;
	if (f->wanted || how->all || f->slots == 1) {
		open_frame(o, c);
	} else if (how->depth > 0) {
		if (f->depth < (uint32_t)how->depth)
			open_frame(o, c);
	} else if (f->layer && !focused) {
		if (f->ops == 1) {
			o->layers[o->n_layers++] = c;
			o->detailed += f->slots - 1;
		}
	} else if (o->boxes + f->slots - 1 <= o->d->max_boxes) {
		open_frame(o, c);
	}
}

/* Leaves the outlines of the outer levels, where there are too many: they cost dot minutes. */
static void limit_outlines(struct drawing *d, size_t boxes)
{
	uint32_t at_depth[MAX_NESTING + 2] = { 0 }, most = 0, n = 0;

	for (uint32_t s = 1; s < d->n_frames; s++)
		at_depth[d->frames[s].outlined ? d->frames[s].depth : 0]++;
	while (boxes <= COARSE_BOXES && most < MAX_NESTING &&
	       n + at_depth[most + 1] <= MAX_OUTLINES)
		n += at_depth[++most];
	for (uint32_t s = 1; s < d->n_frames; s++)
		d->frames[s].outlined &= d->frames[s].depth <= most;
}

bool drawing_open_frames(struct drawing *d)
{
	struct opening o = { .d = d };

	if (!group_copies(d))
		return false;
	o.queue = malloc(2 * (size_t)d->n_frames * sizeof *o.queue);
	if (!o.queue)
		return drawing_no_memory(d);
	o.layers = o.queue + d->n_frames;
	open_frame(&o, 0);
	while (o.head < o.tail) {
		uint32_t s = o.queue[o.head++];

		for (uint32_t c = d->frames[s].child; c != NOTHING; c = d->frames[c].sibling)
			consider(&o, c);
	}
	if (o.boxes + o.detailed <= MAX_DETAILED)
		for (uint32_t k = 0; k < o.n_layers; k++)
			open_frame(&o, o.layers[k]);
	free(o.queue);
	for (uint32_t s = 0; s < d->n_frames; s++) {
		struct frame *f = &d->frames[s];

		f->outlined = f->outlined && f->open;
		f->closed_in = s ? d->frames[f->parent].closed_in : NOTHING;
		if (f->closed_in == NOTHING && !f->open)
			f->closed_in = f->leader;
	}
	limit_outlines(d, o.boxes);
	return true;
}
