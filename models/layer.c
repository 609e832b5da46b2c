/*
 * layer: a layer of layers/ built at its place in the model, and what it may ask for there.
 */
#include "language.h"

#include <string.h>

ad_node *layer_input(struct layer_site *site, size_t k)
{
	return k < site->n_in ? site->inputs[k] : NULL;
}

/* Where an argument was given; the layer's name if it was not. */
static struct place argument_place(const struct layer_site *site, const char *attr)
{
	const struct yaml *arg = site->call->arg, *y = arg;

	if (arg && arg->kind == YAML_MAP)
		y = yaml_get(arg, attr);
	return y ? y->at : site->at;
}

int64_t layer_quotient(struct layer_site *site, const char *what, int64_t size, const char *attr,
                       int64_t by)
{
	struct recording *r = site->recording;
	const struct yaml *arg = site->call->arg;

	if (by > 0 && size % by == 0)
		return size / by;
	if (r->messages) {
		message(r->messages, E_WHOLE, argument_place(site, attr), NULL,
		        is_free(r, size) ? NULL : divisors_text(r, size),
		        "%s/%s = %s/%s is not a whole number, and a dimension must be", what,
		        attr, dim_text(r, size), dim_text(r, by));
		note_overrides_of(r, site->call->in,
		                  arg && arg->kind == YAML_MAP ? yaml_get(arg, attr) : arg);
	} else {
		ad_fail(r->graph, AD_ERROR_ARGUMENT, "%s/%s is not a whole number", what, attr);
	}
	return 0;
}

ad_node *layer_apply(struct layer_site *site, const char *attr, size_t n_in, ad_node *const in[])
{
	struct recording *r = site->recording;
	struct level own = { .prefix = store_text(r->store, "%s.", site->path),
		             .weights = store_text(r->store, "%s.", site->weights),
		             .depth = r->level->depth + 1 },
		     *outer = r->level;
	struct value prev = r->prev, y = unknown;
	struct call c;
	size_t k = 0;
	bool again = r->again;

	while (k < site->call->n_named && strcmp(site->call->named[k].attr, attr) != 0)
		k++;
	if (k == site->call->n_named ||
	    !call_named(&c, r, site->call->named[k].in, site->call->named[k].y, attr, AS_ITEM))
		return NULL;
	bool first = !scope_own(&site->applied, attr);
	if (first)
		scope_add(r->store, &site->applied, attr, NAME_VALUE, site->at, unknown);
	own.known = site->known || !first;
	r->again = again || !first;
	r->level = &own;
	r->prev = (struct value){ .kind = VALUE_NULL };
	for (size_t i = 0; i < n_in; i++)
		call_input(&c, (struct value){ .kind = VALUE_NODE, .node = in[i] });
	call_take(&c);
	call_complete(&c);
	if (c.known)
		y = call_build(&c, attr);
	if (first)
		site->parameters += c.parameters;
	r->prev = prev;
	r->level = outer;
	r->again = again;
	for (size_t i = 0; i < value_results(y); i++)
		if (value_result(y, i).from)
			value_result(y, i).from->used = true;
	if (value_results(y) <= 1)
		return y.kind == VALUE_NODE ? y.node : NULL;
	ad_node **parts = store_take(r->store, value_results(y) * sizeof(*parts));
	for (size_t i = 0; i < value_results(y); i++)
		parts[i] = value_result(y, i).node;
	return ad_pack(value_results(y), parts);
}

static struct value build_layer(struct call *c, const char *component)
{
	struct recording *r = c->r;
	const struct layer *l = c->kind.layer;
	struct layer_site site = {
		.recording = r,
		.call = c,
		.path = store_text(r->store, "%s%s", r->level->prefix, component),
		.weights = c->shared ? c->shared
		                     : store_text(r->store, "%s%s", r->level->weights, component),
		.at = c->at,
		.known = r->level->known || c->shared,
		.n_in = c->n_in
	};
	void *attrs = store_take(r->store, l->attrs_size);
	char text[256];

	site.inputs = store_take(r->store, (c->n_in + 1) * sizeof(*site.inputs));
	for (size_t k = 0; k < c->n_in; k++) {
		if (c->inputs[k].kind == VALUE_NULL)
			continue;
		site.inputs[k] = value_node(r, c->inputs[k], c->at);
		if (!site.inputs[k])
			return unknown;
	}
	if (!ad_fill_attrs(l->attrs, attrs, c->n_settings, c->settings, text, sizeof text)) {
		message(r->messages, E_TYPE, c->at, NULL, NULL, "%s: %s", l->name, text);
		return unknown;
	}
	set_origin(r, c->at);
	ad_scope_begin(r->graph, component);
	ad_node *y = l->build(&site, site.inputs[0], attrs);
	ad_scope_end(r->graph);
	c->parameters = site.parameters;
	if (y && !ad_is_error(y))
		return (struct value){ .kind = VALUE_NODE, .node = y };
	if (ad_status_of(r->graph) != AD_OK)
		say_failure(r, c->at, l->name, c->n_in, c->inputs);
	return unknown;
}

/* Ops and layers whose axis 1 is channels and whose further axes are space or time. */
static bool is_spatial(const char *name)
{
	return strncmp(name, "conv", 4) == 0 || strstr(name, "_pool") || strcmp(name, "upsample") == 0;
}

struct value call_build(struct call *c, const char *component)
{
	struct recording *r = c->r;
	const char *name = c->kind.op      ? ad_op_name(c->kind.op)
	                   : c->kind.layer ? c->kind.layer->name
	                                   : c->name;
	struct value y;

	if (c->kind.what == KIND_BLOCK)
		return build_block(c, component);
	r->spatial += is_spatial(name);
	if (c->kind.what == KIND_LAYER)
		return count_step(r, c->at) ? build_layer(c, component) : unknown;
	/* an item has a scope of its own, also where it is a single op */
	if (component)
		ad_scope_begin(r->graph, component);
	y = record(r, name, c->at, c->span, c->n_in, c->inputs, c->n_settings, c->settings);
	if (component)
		ad_scope_end(r->graph);
	return y;
}
