/*
 * row: what is remembered of the items that are built: where tensors come from, rows of
 * `autograd show`, names of values.
 */
#include "language.h"

#include <string.h>

struct origin *new_origin(struct recording *r, const char *what, const char *path, struct place at)
{
	struct origin *o = store_take(r->store, sizeof *o);

	*o = (struct origin){ .what = what, .path = path, .at = at };
	return o;
}

struct origin *item_origin(struct recording *r, const char *name, const char *path, struct place at)
{
	struct build *b = r->model->build;
	struct origin *o = new_origin(r, store_text(r->store, "comes from '%s'", name), path, at);

	if (r->messages) {
		b->origins = store_more(r->store, b->origins, b->n_origins, sizeof(*b->origins));
		b->origins[b->n_origins++] = o;
	}
	return o;
}

/* "h, x": the paths that were read. */
static const char *reads_text(struct recording *r)
{
	const char *text = "";

	for (size_t i = 0; i < r->n_reads && i < 16; i++)
		text = store_text(r->store, "%s%s%s", text, i ? ", " : "", r->reads[i]->path);
	return text;
}

struct origin *reads_origin(struct recording *r, struct place at)
{
	return new_origin(r, "is an expression", reads_text(r), at);
}

int open_row(struct recording *r, const char *path, const char *kind)
{
	ad_model *m = r->model;

	mark_nodes(r, path);
	if (!r->messages || r->again)
		return -1;
	m->rows = store_more(r->store, m->rows, (size_t)m->n_rows, sizeof *m->rows);
	m->rows[m->n_rows++] = (struct layer_row){ .path = path,
		                                   .kind = kind,
		                                   .shape = "?",
		                                   .from = reads_text(r),
		                                   .depth = r->level->depth };
	return m->n_rows - 1;
}

void fill_row(struct recording *r, int row, struct value v, size_t parameters)
{
	mark_nodes(r, NULL);
	if (row < 0)
		return;
	r->model->rows[row].parameters = parameters;
	if (v.kind == VALUE_NODE)
		r->model->rows[row].shape = shape_text(r, ad_shape_of(v.node));
}

void add_row(struct recording *r, const char *path, const char *kind, struct value v,
             size_t parameters)
{
	fill_row(r, open_row(r, path, kind), v, parameters);
}

void add_named(struct recording *r, const char *name, ad_node *node)
{
	struct instance *in = r->instance;

	if (r->again)
		return;
	in->named = store_more(r->store, in->named, (size_t)in->n_named, sizeof *in->named);
	in->named[in->n_named++] = (struct named){ name, node };
}

void name_value(struct recording *r, struct scope *body, const struct yaml *as, struct value v)
{
	struct name *old = scope_own(body, as->text), *argument = scope_find(body, as->text);

	if (!check_name(r, as, "a result"))
		return;
	if (old || (argument && argument->kind == NAME_ARGUMENT)) {
		message(r->messages, E_NAMED_TWICE, as->at, NULL, NULL,
		        old ? "'%s' is named twice in this body" : "'%s' is a param of this block",
		        as->text);
		message_also(r->messages, old ? old->at : argument->at, "first here");
		return;
	}
	if (v.kind == VALUE_NODE) {
		if (!ad_name_of(v.node))
			ad_name(v.node, as->text);
		add_named(r, store_text(r->store, "%s%s", r->level->prefix, as->text), v.node);
	}
	scope_add(r->store, body, as->text, NAME_VALUE, as->at, v);
}
