/*
 * plan: how a graph was evaluated as a diagram: what ran together, which values share memory, where
 * the time went.
 */
#include "drawing.h"

#include <stdlib.h>

bool drawing_mark_plan(struct drawing *d, bool *marks)
{
	bool found = false;

	d->planned = calloc(d->n_nodes + 1, sizeof *d->planned);
	if (!d->planned)
		return drawing_no_memory(d);
	if (!planned_nodes(d->graph, d->planned))
		return drawing_fail(d, "draw: there is no plan to draw; evaluate the node before");
	for (size_t k = 0; k < d->n_nodes; k++) {
		ad_node *x = d->nodes[k];

		if (!d->planned[k].action)
			continue;
		found = marks[k] = true;
		for (int i = 0; i < ad_inputs(x); i++) {
			ad_node *in = ad_input_of(x, i);
			uint32_t from = in ? drawing_node_number(d, in) : NOTHING;

			/* Weights are there already; the ops' labels say whose they are. */
			if (from != NOTHING && ad_kind_of(in) != AD_IS_PARAM &&
			    ad_kind_of(in) != AD_IS_BUFFER)
				marks[from] = true;
		}
	}
	return found || drawing_fail(d, "draw: the last evaluation computed nothing");
}

static const struct planned *plan_of(const struct drawing *d, const struct part *p)
{
	return &d->planned[drawing_node_number(d, p->node)];
}

/* Numbers the pieces of memory that several values take in turn: m1, m2, ... */
static bool number_buffers(struct drawing *d)
{
	uint32_t n = 0;

	for (uint32_t k = 0; k < d->n_parts; k++) {
		const struct planned *here = plan_of(d, &d->parts[k]);

		if (!here->action || here->kept || here->tile || here->bytes == 0)
			continue;
		for (uint32_t j = 0; j < k && !d->parts[k].buffer; j++)
			if (d->parts[j].buffer && plan_of(d, &d->parts[j])->offset == here->offset)
				d->parts[k].buffer = d->parts[j].buffer;
		if (!d->parts[k].buffer)
			d->parts[k].buffer = ++n;
	}
	return true;
}

bool drawing_plan_frames(struct drawing *d)
{
	uint32_t *count, *frame, last = 0;

	for (uint32_t k = 0; k < d->n_parts; k++)
		if (plan_of(d, &d->parts[k])->action > last)
			last = plan_of(d, &d->parts[k])->action;
	count = calloc(2 * ((size_t)last + 1), sizeof *count);
	if (!count)
		return drawing_no_memory(d);
	frame = count + last + 1;
	/* A frame for each action of several ops. */
	for (uint32_t k = 0; k < d->n_parts; k++) {
		const struct planned *x = plan_of(d, &d->parts[k]);

		if (x->action && d->parts[k].owner == k && d->parts[k].shown == k)
			count[x->action]++;
	}
	d->n_frames = 1;
	for (uint32_t a = 1; a <= last; a++)
		if (count[a] > 1)
			frame[a] = d->n_frames++;
	d->frame_seconds = calloc(d->n_frames, sizeof *d->frame_seconds);
	if (!d->frame_seconds) {
		free(count);
		return drawing_no_memory(d);
	}
	for (uint32_t k = 0; k < d->n_parts; k++) {
		struct part *p = &d->parts[k];
		const struct planned *x = plan_of(d, p);

		/* So far it was the scope. */
		p->frame = 0;
		if (!x->action)
			continue;
		p->frame = frame[x->action];
		if (p->frame)
			d->frame_seconds[p->frame] = x->seconds;
		else
			p->seconds = x->seconds;
		if (p->owner == k && x->seconds > d->most_seconds)
			d->most_seconds = x->seconds;
		p->nothing = x->nothing;
		p->tile = x->tile;
	}
	free(count);
	return number_buffers(d);
}

const char *drawing_frame_name(const struct drawing *d, uint32_t frame)
{
	return d->planned ? "together" : ad_scope_name(d->graph, (int)frame);
}

/* White for nothing, orange for what took longest. */
const char *drawing_heat(const struct drawing *d, double seconds, char *text)
{
	static const unsigned char cold[] = { 0xf7, 0xf7, 0xf7 }, hot[] = { 0xf9, 0x8e, 0x45 };
	double share = d->most_seconds > 0 ? seconds / d->most_seconds : 0;

	snprintf(text, 32, "#%02x%02x%02x", (unsigned)(cold[0] + share * (hot[0] - cold[0])),
	         (unsigned)(cold[1] + share * (hot[1] - cold[1])),
	         (unsigned)(cold[2] + share * (hot[2] - cold[2])));
	return text;
}

const char *drawing_time_text(char *text, double seconds)
{
	static const char *const units[] = { "s", "ms", "\xc2\xb5s", "ns" };
	int unit = 0;

	for (; seconds < 0.9995 && unit < 3; unit++)
		seconds *= 1000;
	snprintf(text, 32, "%.*f %s", seconds < 9.95 ? 1 : 0, seconds, units[unit]);
	return text;
}

const char *drawing_bytes_text(char *text, size_t bytes)
{
	static const char *const units[] = { "B", "kB", "MB", "GB" };
	double n = (double)bytes;
	int unit = 0;

	for (; n >= 999.5 && unit < 3; unit++)
		n /= 1000;
	snprintf(text, 32, "%.*f %s", unit && n < 9.95 ? 1 : 0, n, units[unit]);
	return text;
}

double drawing_plan_seconds(const struct drawing *d)
{
	double all = 0;

	for (uint32_t s = 1; s < d->n_frames; s++)
		all += d->frame_seconds[s];
	for (uint32_t k = 0; k < d->n_parts; k++)
		if (d->parts[k].owner == k)
			all += d->parts[k].seconds;
	return all;
}
