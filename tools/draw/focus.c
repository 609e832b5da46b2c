/*
 * focus: which part of a graph is drawn: around a node, on the ways between two, where
 * gradients are bad.
 *
 * Uses stand in the order of computation, so a sweep over them, forwards or backwards, follows all
 * ways at once.
 */
#include "drawing.h"

#include <stdlib.h>
#include <string.h>

#define NEIGHBOURS 2 /* ops beside each bad gradient */

static bool is_weight(const struct part *p)
{
	return p->role == ROLE_PARAM || p->role == ROLE_BUFFER;
}

static bool is_inside(const struct drawing *d, uint32_t frame, uint32_t around)
{
	while (frame > around)
		frame = d->frames[frame].parent;
	return frame == around;
}

/* Marks the shown parts of each frame with this path; returns how many. */
static uint32_t mark_module(const struct drawing *d, const char *path, bool *marks)
{
	char text[1024];
	uint32_t n = 0;

	for (uint32_t s = 1; s < d->n_frames; s++) {
		if (strcmp(drawing_path(d, s, text, sizeof text), path) != 0)
			continue;
		for (uint32_t k = 0; k < d->n_parts; k++)
			if (d->parts[k].shown == k && is_inside(d, d->parts[k].frame, s)) {
				n += !marks[k];
				marks[k] = true;
			}
	}
	return n;
}

/* The same for nodes of that name, and for "MODULE.OP". */
static uint32_t mark_nodes(const struct drawing *d, const char *path, bool *marks)
{
	const char *dot = strrchr(path, '.'), *op = dot ? dot + 1 : path;
	char text[1024];
	uint32_t n = 0;

	for (int by_op = 0; by_op < 2 && n == 0; by_op++)
		for (uint32_t k = 0; k < d->n_parts; k++) {
			const struct part *p = &d->parts[k];
			const char *word = by_op ? ad_op_of(p->node) : ad_name_of(p->node);

			if (p->shown == NOTHING || !word || strcmp(word, by_op ? op : path) != 0)
				continue;
			if (by_op) {
				const char *module = drawing_path(d, p->frame, text, sizeof text);
				size_t size = dot ? (size_t)(dot - path) : 0;

				if (strlen(module) != size || memcmp(module, path, size) != 0)
					continue;
			}
			n += !marks[p->shown];
			marks[p->shown] = true;
		}
	return n;
}

static bool mark_path(struct drawing *d, const char *path, bool *marks)
{
	if (mark_module(d, path, marks) > 0 || mark_nodes(d, path, marks) > 0)
		return true;
	return drawing_fail(
	    d,
	    "draw: there is no module '%.200s' and no tensor or op of that name; paths look like "
	    "block[0].attention, logits, block[0].relu",
	    path);
}

/* ---- sets of parts ------------------------------------------------------------------------- */

/* Adds what is at most `steps` uses away. A weight leads nowhere: its users have nothing in common.
 */
static bool spread(struct drawing *d, bool *marks, int steps)
{
	bool *next = malloc((size_t)d->n_parts + 1), grown = true;

	if (!next)
		return drawing_no_memory(d);
	for (int step = 0; step < steps && grown; step++) {
		memcpy(next, marks, d->n_parts);
		grown = false;
		for (size_t k = 0; k < d->n_uses; k++) {
			const struct use *u = &d->uses[k];

			if (is_weight(&d->parts[u->from]) || marks[u->from] == marks[u->to])
				continue;
			next[u->from] = next[u->to] = grown = true;
		}
		memcpy(marks, next, d->n_parts);
	}
	free(next);
	return true;
}

static void add_weights(const struct drawing *d, bool *marks)
{
	for (size_t k = 0; k < d->n_uses; k++)
		if (marks[d->uses[k].to] && is_weight(&d->parts[d->uses[k].from]))
			marks[d->uses[k].from] = true;
}

/* Leaves in `from` what lies on a way from there to `to`; returns how many parts. */
static uint32_t ways(const struct drawing *d, bool *from, bool *to)
{
	uint32_t n = 0;

	for (size_t k = 0; k < d->n_uses; k++)
		from[d->uses[k].to] |= from[d->uses[k].from];
	for (size_t k = d->n_uses; k-- > 0;)
		to[d->uses[k].from] |= to[d->uses[k].to];
	for (uint32_t k = 0; k < d->n_parts; k++)
		n += from[k] &= to[k];
	return n;
}

static void want(struct drawing *d, uint32_t frame)
{
	for (; frame && !d->frames[frame].wanted; frame = d->frames[frame].parent)
		d->frames[frame].wanted = true;
}

/* An end that is an op or a tensor is to be seen as such. */
static bool mark_end(struct drawing *d, const char *path, bool *marks)
{
	memset(marks, 0, d->n_parts);
	if (mark_module(d, path, marks) > 0)
		return true;
	if (!mark_path(d, path, marks))
		return false;
	for (uint32_t k = 0; k < d->n_parts; k++)
		if (marks[k] && !is_weight(&d->parts[k]))
			want(d, d->parts[k].frame);
	return true;
}

static bool mark_ways(struct drawing *d, bool *marks, bool *other)
{
	const char *from = d->options->from, *to = d->options->to;

	for (int turn = 0; turn < 2; turn++) {
		if (!mark_end(d, turn ? to : from, marks) || !mark_end(d, turn ? from : to, other))
			return false;
		if (ways(d, marks, other) > 0) {
			add_weights(d, marks);
			return true;
		}
	}
	return drawing_fail(d, "draw: no way leads from '%.200s' to '%.200s'", from, to);
}

static bool mark_bad(struct drawing *d, bool *marks)
{
	unsigned only = d->options->only;
	uint32_t n = 0;

	if (!d->gradients)
		return drawing_fail(d, "draw: a choice of gradients needs gradients");
	for (size_t k = 0; k < d->n_uses; k++)
		if (only >> d->uses[k].class & 1) {
			marks[d->uses[k].from] = marks[d->uses[k].to] = true;
			n++;
		}
	for (uint32_t k = 0; k < d->n_parts; k++)
		if (d->parts[k].shown == k && d->parts[k].role == ROLE_PARAM &&
		    only >> d->parts[k].class & 1) {
			marks[k] = true;
			n++;
		}
	if (n == 0)
		return drawing_fail(d, "draw: no gradient is of a class that was asked for");
	/* The op that reads a bad weight, and then its neighbours. */
	for (size_t k = 0; k < d->n_uses; k++)
		if (marks[d->uses[k].from] && is_weight(&d->parts[d->uses[k].from]))
			marks[d->uses[k].to] = true;
	return spread(d, marks, NEIGHBOURS);
}

/* Leaves the marked parts, and the uses between them. */
static void hide_others(struct drawing *d, const bool *marks)
{
	size_t n = 0;

	for (size_t k = 0; k < d->n_uses; k++)
		if (marks[d->uses[k].from] && marks[d->uses[k].to])
			d->uses[n++] = d->uses[k];
	d->n_uses = n;
	for (uint32_t k = 0; k < d->n_parts; k++) {
		uint32_t shown = d->parts[k].shown;

		if (shown == NOTHING || marks[shown])
			continue;
		d->hidden += shown == k;
		d->parts[k].shown = NOTHING;
	}
}

static bool want_path(struct drawing *d, const char *path, bool *marks)
{
	char text[1024];
	bool found = false;

	for (uint32_t s = 1; s < d->n_frames; s++)
		if (!strcmp(drawing_path(d, s, text, sizeof text), path)) {
			want(d, s);
			found = true;
		}
	if (found)
		return true;
	memset(marks, 0, d->n_parts);
	if (!mark_path(d, path, marks))
		return false;
	for (uint32_t k = 0; k < d->n_parts; k++)
		if (marks[k])
			want(d, d->parts[k].frame);
	return true;
}

/* The frames of a module are open, those beside it stay closed. */
static bool mark_inside(struct drawing *d, const char *path, bool *marks)
{
	char text[1024];

	if (mark_module(d, path, marks) == 0)
		return drawing_fail(d, "draw: there is no module '%.200s'", path);
	for (uint32_t s = 1; s < d->n_frames; s++) {
		struct frame *f = &d->frames[s];
		const char *own = drawing_path(d, s, text, sizeof text);
		size_t size = strlen(path);

		if (!strcmp(own, path))
			want(d, s);
		f->outside = strncmp(own, path, size) != 0 || (own[size] && own[size] != '.');
	}
	for (uint32_t s = d->n_frames; s-- > 1;)
		d->frames[s].outside &= !d->frames[s].wanted;
	add_weights(d, marks);
	return spread(d, marks, 1);
}

bool drawing_focus(struct drawing *d)
{
	const ad_draw_options *o = d->options;
	bool *marks, good = true;

	if (!o->around && !o->from && !o->to && !o->only && !o->module && o->n_open == 0)
		return true;
	if (!o->from != !o->to)
		return drawing_fail(d, "draw: a way needs both ends");
	marks = calloc(2 * (size_t)d->n_parts + 2, sizeof *marks);
	if (!marks)
		return drawing_no_memory(d);
	for (size_t k = 0; k < o->n_open && good; k++)
		good = want_path(d, o->open[k], marks);
	memset(marks, 0, d->n_parts);
	if (good && o->module) {
		good = mark_inside(d, o->module, marks);
	} else if (good && o->around) {
		good = mark_path(d, o->around, marks);
		for (uint32_t k = 0; k < d->n_parts && good; k++)
			if (marks[k] && d->parts[k].role != ROLE_PARAM)
				want(d, d->parts[k].frame);
		good = good && spread(d, marks, o->radius);
		add_weights(d, marks);
	} else if (good && o->from) {
		good = mark_ways(d, marks, marks + d->n_parts + 1);
	} else if (good && o->only) {
		good = mark_bad(d, marks);
	}
	if (good && (o->module || o->around || o->from || o->only))
		hide_others(d, marks);
	/* A module's page is not a part of a picture, but a whole one. */
	if (o->module)
		d->hidden = 0;
	free(marks);
	return good;
}
