/*
 * instance: what belongs to one recording of a model: what its buffers become, which nodes are
 * whose.
 */
#include "language.h"

void layer_assign(struct layer_site *site, ad_node *buffer, ad_node *value)
{
	struct recording *r = site->recording;
	struct instance *in = r->instance;

	if (!ad_is_training(r->graph) || ad_is_error(value))
		return;
	in->assigned = store_more(r->store, in->assigned, in->n_assigned, sizeof *in->assigned);
	in->assigned[in->n_assigned++] = (struct assigned){ buffer, value };
}

bool layer_checked(const struct layer_site *site)
{
	return site->recording->messages != NULL;
}

bool layer_open_size(struct layer_site *site, int64_t size)
{
	return layer_checked(site) && is_free(site->recording, size);
}

void *layer_room(struct layer_site *site, size_t bytes)
{
	return store_take(site->recording->store, bytes);
}

/* What a recording points to lies in the store, but for itself, the call and the level. */
struct layer_site *layer_keep(const struct layer_site *site)
{
	struct store *s = site->recording->store;
	struct layer_site *kept = store_take(s, sizeof *kept);

	*kept = *site;
	kept->recording = store_take(s, sizeof *kept->recording);
	*kept->recording = *site->recording;
	kept->recording->level = store_take(s, sizeof *kept->recording->level);
	*kept->recording->level = *site->recording->level;
	kept->call = store_take(s, sizeof *kept->call);
	*kept->call = *site->call;
	return kept;
}

/* The graph has one assignment for a buffer, and each recording has its own. */
struct instance *instance_activate(ad_model *m, struct instance *in)
{
	if (m->active == in)
		return in;
	m->active = in;
	for (int i = 0; i < m->n_weights; i++)
		if (m->weights[i].buffer)
			ad_assign(m->weights[i].node, NULL);
	for (size_t i = 0; i < in->n_assigned; i++)
		ad_assign(in->assigned[i].buffer, in->assigned[i].value);
	return in;
}

/* The path of the innermost item that has begun and not ended. */
static const char *open_path(const struct instance *in)
{
	size_t ended = 0;

	for (size_t k = in->n_marks; k-- > 0;) {
		if (in->marks[k].ends)
			ended++;
		else if (ended-- == 0)
			return in->marks[k].path;
	}
	return "";
}

void mark_nodes(struct recording *r, const char *path)
{
	struct instance *in = r->instance;

	if (r->messages || !in)
		return;
	const struct node_mark mark = { path ? path : open_path(in), ad_nodes(r->graph),
		                        path == NULL };
	in->marks = store_more(r->store, in->marks, in->n_marks, sizeof *in->marks);
	in->marks[in->n_marks++] = mark;
}
