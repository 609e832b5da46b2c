/*
 * build: the declaration -> a graph; the one place where names become nodes.
 *
 * The tree is read anew for every recording. The first one is the check: it says what is wrong, in
 * a graph of its own where every free dim is a large prime, and lists the weights and rows. Later
 * ones record the same model for given sizes; they say nothing, and a failure is the graph's.
 */
#include "language.h"

#include <string.h>

/* Where paths are made: a prefix ("stage[1].") and how often each op occurred there. */
struct level {
	const char *prefix;
	struct scope counts;
	int depth;
};

/* An item, taken apart. */
struct item {
	const struct yaml *at; /* the whole */
	const struct yaml *key, *arg;
	const struct yaml *as, *from, *repeat, *init, *shape;
};

static const char *const item_keys[] = { "as", "from", "repeat", "init", "shape", "note" };

static const struct value unknown = { .kind = VALUE_UNKNOWN };

#define COUNT(list) (sizeof(list) / sizeof *(list))

static struct value build_items(struct recording *r, const struct scope *up, struct level *level,
                                const struct yaml *list, struct value prev);

static const struct layer *find_layer(const char *name)
{
	for (size_t i = 0; layers[i]; i++)
		if (strcmp(layers[i]->name, name) == 0)
			return layers[i];
	return NULL;
}

static bool is_kind(const char *name)
{
	return strcmp(name, "chain") == 0 || strcmp(name, "residual") == 0 || find_layer(name) ||
	       ad_op_find(name);
}

/* ---- weights --------------------------------------------------------------------------------- */

bool is_free(struct recording *r, int64_t size)
{
	for (int k = 0; k < r->model->n_dims; k++)
		if (size > 0 && size % r->model->build->primes[k] == 0)
			return true;
	return false;
}

/* Takes a weight into the model's list and makes its node in the check's graph. */
static ad_node *new_weight(struct recording *r, struct weight w, ad_shape shape)
{
	ad_model *m = r->model;
	struct build *b = m->build;
	const struct place at = w.at;
	const char *path = w.path;
	const struct init init = w.init;

	for (int i = 0; i < shape.rank; i++) {
		if (!is_free(r, shape.dims[i]))
			continue;
		message(r->messages, E_SHAPE, at, NULL,
		        "give the input a fixed size there, or take another axis",
		        "weight '%s' would be %s: a weight's size cannot be a free dim", path,
		        shape_text(r, shape));
		return NULL;
	}
	ad_node *node = w.buffer ? ad_buffer(r->graph, path, AD_REAL, shape)
	                          : ad_param(r->graph, path, shape);
	if (ad_is_error(node)) {
		say_failure(r, at, "weight", 0, NULL);
		return NULL;
	}
	if (init.kind == INIT_VALUES && init.n_values != 1 && init.n_values != ad_count(node)) {
		message(r->messages, E_SHAPE, at, NULL, NULL,
		        "%zu values are given for weight '%s', %s", init.n_values, path,
		        shape_text(r, shape));
		return NULL;
	}
	m->weights = store_more(r->store, m->weights, (size_t)m->n_weights, sizeof *m->weights);
	b->check_nodes =
	    store_more(r->store, b->check_nodes, (size_t)m->n_weights, sizeof(*b->check_nodes));
	scope_add(r->store, &b->paths, path, NAME_VALUE, at,
	          (struct value){ .kind = VALUE_INT, .i = m->n_weights });
	b->check_nodes[m->n_weights] = node;
	m->weights[m->n_weights++] = w;
	return node;
}

static struct weight *find_weight(struct recording *r, const char *path)
{
	struct name *name = scope_own(&r->model->build->paths, path);

	return name ? &r->model->weights[name->value.i] : NULL;
}

/* What the item says about the initial values of this weight: `init: he` is for the layer's main
 * one, `init: {weight: he, bias: ones}` for each by name. */
static bool site_init(struct layer_site *site, const char *name, struct init *to)
{
	const struct yaml *y = site->init, *own = y ? yaml_get(y, name) : NULL;

	if (!y)
		return true;
	if (own)
		return init_of(site->recording, site->scope, own, to);
	/* "weight", "weight_ih_l0", "in_proj_weight" */
	if (yaml_get(y, "weight") || yaml_get(y, "bias") || !strstr(name, "weight"))
		return true;
	return init_of(site->recording, site->scope, y, to);
}

static ad_node *site_weight(struct layer_site *site, const char *name, ad_shape shape,
                            struct weight as)
{
	struct recording *r = site->recording;
	const char *path = store_text(r->store, "%s.%s", site->path, name);
	struct weight *w = find_weight(r, path);

	as.path = path;
	as.at = site->at;

	if (!r->messages)
		return w ? w->node : NULL;
	if (w) {
		message(r->messages, E_NAMED_TWICE, site->at, NULL,
		        "give one of the items another name, 'as: NAME'",
		        "two items have the path '%s'", site->path);
		message_also(r->messages, w->at, "first here");
		return NULL;
	}
	if (!as.buffer && !site_init(site, name, &as.init))
		return NULL;
	ad_node *node = new_weight(r, as, shape);
	if (node && !as.buffer)
		site->parameters += ad_count(node);
	return node;
}

ad_node *model_weight(struct layer_site *site, const char *name, ad_shape shape, struct init init,
                      int64_t fan_in, int64_t fan_out)
{
	return site_weight(site, name, shape, (struct weight){ .init = init, .fan_in = fan_in,
	                                                       .fan_out = fan_out });
}

ad_node *model_buffer(struct layer_site *site, const char *name, ad_type type, ad_shape shape,
                      struct init init)
{
	return site_weight(site, name, shape, (struct weight){ .init = init, .buffer = true });
}

ad_node *layer_input(struct layer_site *site, size_t k)
{
	return k < site->n_in ? site->inputs[k] : NULL;
}

/* ---- origins and rows ------------------------------------------------------------------------ */

static struct origin *new_origin(struct recording *r, const char *what, const char *path,
                                 struct place at)
{
	struct origin *o = store_take(r->store, sizeof *o);

	*o = (struct origin){ .what = what, .path = path, .at = at };
	return o;
}

/* An item or equation whose result should be used by something. */
static struct origin *item_origin(struct recording *r, const char *name, const char *path,
                                  struct place at)
{
	struct build *b = r->model->build;
	struct origin *o = new_origin(r, store_text(r->store, "comes from '%s'", name), path, at);

	if (r->messages) {
		b->origins = store_more(r->store, b->origins, b->n_origins, sizeof(*b->origins));
		b->origins[b->n_origins++] = o;
	}
	return o;
}

static void read_origin(struct recording *r, struct origin *o)
{
	if (!o)
		return;
	o->used = true;
	for (size_t i = 0; i < r->n_reads; i++)
		if (r->reads[i] == o)
			return;
	r->reads = store_more(r->store, r->reads, r->n_reads, sizeof(*r->reads));
	r->reads[r->n_reads++] = o;
}

/* "h, x": the paths that were read. */
static const char *reads_text(struct recording *r)
{
	const char *text = "";

	for (size_t i = 0; i < r->n_reads && i < 16; i++)
		text = store_text(r->store, "%s%s%s", text, i ? ", " : "", r->reads[i]->path);
	return text;
}

static void add_row(struct recording *r, const char *path, const char *kind, struct value v,
                    size_t parameters, int depth)
{
	ad_model *m = r->model;

	mark_nodes(r, path);
	mark_nodes(r, NULL);
	if (!r->messages)
		return;
	m->rows = store_more(r->store, m->rows, (size_t)m->n_rows, sizeof *m->rows);
	m->rows[m->n_rows++] = (struct layer_row){
		.path = path,
		.kind = kind,
		.parameters = parameters,
		.from = reads_text(r),
		.depth = depth,
		.shape = v.kind == VALUE_NODE ? shape_text(r, ad_shape_of(v.node)) : "?",
	};
}

static void add_named(struct recording *r, const char *name, ad_node *node)
{
	struct instance *in = r->instance;

	in->named = store_more(r->store, in->named, (size_t)in->n_named, sizeof *in->named);
	in->named[in->n_named++] = (struct named){ name, node };
}

/* ---- items ----------------------------------------------------------------------------------- */

/* Takes a mapping apart: exactly one key is an op; the others are reserved words. */
static bool open_map(struct recording *r, const struct yaml *y, struct item *to)
{
	const struct yaml **fields[] = { &to->as,   &to->from,  &to->repeat,
		                         &to->init, &to->shape, NULL };
	const struct yaml *other = NULL;
	bool good = true;

	for (size_t i = 0; i < y->n; i++) {
		const struct yaml *key = y->keys[i];
		size_t k = 0;

		while (k < COUNT(item_keys) && !yaml_is(key, item_keys[k]))
			k++;
		if (k < COUNT(item_keys)) {
			if (fields[k])
				*fields[k] = y->items[i];
		} else if (comes_later("an item", key->text)) {
			unknown_key(r->messages, key, "an item", COUNT(item_keys), item_keys);
			good = false;
		} else if (!to->key) {
			to->key = key;
			to->arg = y->items[i];
		} else if (is_kind(key->text) && !is_kind(to->key->text)) {
			other = to->key;
			to->key = key;
			to->arg = y->items[i];
		} else if (!other) {
			other = key;
		}
	}
	if (other && is_kind(other->text)) {
		message(r->messages, E_KEY, other->at, NULL,
		        "put each into an item of its own, '- ' before it",
		        "an item has one op; this one has '%s' and '%s'", to->key->text,
		        other->text);
		return false;
	}
	if (other) {
		unknown_key(r->messages, other, "an item", COUNT(item_keys), item_keys);
		good = false;
	}
	if (!to->key && good)
		message(r->messages, E_MISSING, y->at, NULL,
		        "write for instance {linear: 64, as: h}", "an item needs an op");
	return to->key != NULL && good;
}

static bool open_item(struct recording *r, const struct yaml *y, struct item *to)
{
	*to = (struct item){ .at = y };
	if (y->kind == YAML_LIST)
		return message(r->messages, E_TYPE, y->at, NULL, "write {chain: [...]}",
		               "an item is an op or a mapping, not a list");
	if (y->kind == YAML_MAP) {
		if (!open_map(r, y, to))
			return false;
	} else {
		to->key = y;
		if (yaml_is_null(y))
			return message(r->messages, E_MISSING, y->at, NULL, NULL, "an empty item");
	}
	if (is_kind(to->key->text))
		return true;
	if (r->messages)
		say_op(r, to->key->at, to->key->text, true);
	return false;
}

/* What an item reads: its arguments as they come. */
struct call {
	struct recording *r;
	const struct scope *in;
	const struct item *item;
	const char *kind;
	size_t n_in, n_settings;
	struct value *inputs;
	ad_setting *settings;
	bool known;
};

static void call_input(struct call *c, struct value v)
{
	c->known = c->known && v.kind != VALUE_UNKNOWN;
	c->inputs = store_more(c->r->store, c->inputs, c->n_in, sizeof *c->inputs);
	c->inputs[c->n_in++] = v;
}

static void call_setting(struct call *c, const ad_attr *attr, const struct yaml *y)
{
	ad_setting s;

	if (!setting_of_yaml(c->r, c->in, attr, y, &s)) {
		c->known = false;
		return;
	}
	c->settings = store_more(c->r->store, c->settings, c->n_settings, sizeof *c->settings);
	c->settings[c->n_settings++] = s;
}

/* Required attributes that were not given: message E003. */
static void call_missing(struct call *c, const ad_attr *table)
{
	static const char *const types[] = {
		[AD_INT] = "int",     [AD_NUM] = "float",           [AD_FLAG] = "bool",
		[AD_WORD] = "word",   [AD_INTLIST] = "list of int", [AD_NUMLIST] = "list of float",
		[AD_NOTHING] = "null"
	};

	for (; table && table->name; table++) {
		bool given = table->def != NULL;

		for (size_t i = 0; i < c->n_settings; i++)
			given = given || strcmp(c->settings[i].name, table->name) == 0;
		if (given || !c->known)
			continue;
		message(c->r->messages, E_MISSING, c->item->key->at, NULL, NULL,
		        "'%s' needs '%s' (%s): %s", c->kind, table->name, types[table->type],
		        table->doc);
		c->known = false;
	}
}

static struct value no_input(struct call *c)
{
	const ad_model *m = c->r->model;
	const char *names = "";
	int n = 0;

	for (int i = 0; i < m->n_inputs; i++)
		if (!m->inputs[i].target && n++ < 8)
			names = store_text(c->r->store, "%s%s%s", names, n > 1 ? ", " : "",
			                   m->inputs[i].name);
	if (n > 1)
		message(c->r->messages, E_MISSING, c->item->key->at, NULL,
		        store_text(c->r->store, "write {..., from: NAME}; the inputs are: %s%s", names,
		                   n > 8 ? ", ..." : ""),
		        "'%s' needs an input: the model has %d, and 'from' has to choose", c->kind, n);
	else
		message(c->r->messages, E_MISSING, c->item->key->at, NULL,
		        "write {..., from: NAME}",
		        "'%s' needs an input, and nothing stands before it", c->kind);
	return unknown;
}

/* ---- layers and ops -------------------------------------------------------------------------- */

/* Which input of a layer has this name, 0 being x; -1: none. And how many there are. */
static int input_find(const struct layer *l, const char *name)
{
	size_t n = strlen(name);
	int k = 0;

	for (const char *s = l->inputs; s && *s; s += strspn(s, " ?"), k++) {
		size_t length = strcspn(s, " ?");

		if (length == n && strncmp(s, name, n) == 0)
			return k;
		s += length;
	}
	return -1;
}

static size_t most_inputs(const struct layer *l)
{
	size_t n = l->inputs ? 0 : 1;

	for (const char *s = l->inputs; s && *s; s += strspn(s, " ?"), n++)
		s += strcspn(s, " ?");
	return n;
}

/* The inputs of a layer as nodes. False: one is unknown, or no tensor, which was said. */
static bool layer_nodes(struct call *c, struct layer_site *site)
{
	struct recording *r = c->r;

	site->n_in = c->n_in;
	site->inputs = store_take(r->store, (c->n_in + 1) * sizeof(*site->inputs));
	for (size_t k = 0; k < c->n_in; k++) {
		if (c->inputs[k].kind == VALUE_NULL)
			continue;
		site->inputs[k] = value_node(r, c->inputs[k], c->item->key->at);
		if (!site->inputs[k])
			return false;
	}
	return true;
}

static struct value build_layer(struct call *c, const struct layer *l, const char *path,
                                const char *component, size_t *parameters)
{
	struct recording *r = c->r;
	const struct yaml *arg = c->item->arg;
	struct layer_site site = { .recording = r,
		                   .scope = c->in,
		                   .path = path,
		                   .kind = l->name,
		                   .at = c->item->key->at,
		                   .init = c->item->init };
	char text[256];

	if (arg && arg->kind == YAML_MAP) {
		for (size_t i = 0; i < arg->n; i++) {
			const ad_attr *a = attr_find(l->attrs, arg->keys[i]->text);

			if (a) {
				call_setting(c, a, arg->items[i]);
			} else if (yaml_is(arg->keys[i], "init")) {
				site.init = arg->items[i];
			} else if (input_find(l, arg->keys[i]->text) > 0) {
				const size_t k = (size_t)input_find(l, arg->keys[i]->text);

				while (c->n_in <= k)
					call_input(c, (struct value){ .kind = VALUE_NULL });
				c->inputs[k] = eval_yaml(r, c->in, arg->items[i]);
				c->known = c->known && c->inputs[k].kind != VALUE_UNKNOWN;
			} else {
				say_attribute(r, arg->keys[i]->at, arg->keys[i]->text, l->name,
				              l->attrs);
				c->known = false;
			}
		}
	} else if (arg && !yaml_is_null(arg)) {
		call_setting(c, &l->attrs[0], arg);
	}
	for (size_t i = 0; i < c->n_settings; i++) {
		/* A size that must be given is the size of something: 1 or more. */
		const ad_attr *a = attr_find(l->attrs, c->settings[i].name);
		const struct yaml *at = arg->kind == YAML_MAP ? yaml_get(arg, a->name) : arg;
		struct value v = { .kind = VALUE_INT, .i = c->settings[i].i };

		if (a->type == AD_INT && !a->def &&
		    !whole_of(r, v, at->at, a->name, NULL, 1, INT32_MAX, &v.i))
			c->known = false;
	}
	call_missing(c, l->attrs);
	if ((c->n_in < 1 || c->n_in > most_inputs(l)) && c->known) {
		message(r->messages, E_TYPE, c->item->from ? c->item->from->at : c->item->key->at,
		        NULL, NULL, "'%s' takes %s, not %zu", l->name,
		        l->inputs ? store_text(r->store, "the inputs %s", l->inputs) : "one input",
		        c->n_in);
		return unknown;
	}
	if (c->known && c->inputs[0].kind == VALUE_NULL)
		return no_input(c);
	if (!c->known)
		return unknown;
	bool nodes = layer_nodes(c, &site);
	void *attrs = store_take(r->store, l->attrs_size);
	if (!ad_fill_attrs(l->attrs, attrs, c->n_settings, c->settings, text, sizeof text)) {
		message(r->messages, E_TYPE, c->item->key->at, NULL, NULL, "%s: %s", l->name, text);
		return unknown;
	}
	if (!nodes)
		return unknown;
	set_origin(r, c->item->key->at);
	ad_scope_begin(r->graph, component);
	ad_node *y = l->build(&site, site.inputs[0], attrs);
	ad_scope_end(r->graph);
	*parameters = site.parameters;
	if (y && !ad_is_error(y))
		return (struct value){ .kind = VALUE_NODE, .node = y };
	if (ad_status_of(r->graph) != AD_OK)
		say_failure(r, c->item->key->at, l->name, c->n_in, c->inputs);
	return unknown;
}

/* Tensors in an item's argument: `matmul: w`, `concat: [prev, here]`. A list that names prev is all
 * of the inputs; else prev comes first. */
static void tensor_args(struct call *c, const struct yaml *arg, struct value prev)
{
	struct recording *r = c->r;
	struct scope names = { .up = c->in };
	bool all = false;

	scope_add(r->store, &names, "prev", NAME_VALUE, arg->at, prev);
	for (size_t i = 0; arg->kind == YAML_LIST && i < arg->n; i++)
		all = all || yaml_is(arg->items[i], "prev");
	if (all)
		c->n_in = 0;
	if (arg->kind != YAML_LIST) {
		call_input(c, eval_yaml(r, &names, arg));
		return;
	}
	for (size_t i = 0; i < arg->n; i++)
		call_input(c, eval_yaml(r, &names, arg->items[i]));
}

static struct value build_op(struct call *c, const ad_op *op, struct value prev)
{
	struct recording *r = c->r;
	const struct yaml *arg = c->item->arg;
	const ad_attr *table = ad_op_attrs(op);
	const char *name = ad_op_name(op);
	int least = ad_op_min_inputs(op), most = ad_op_max_inputs(op);

	if (c->item->init) {
		message(r->messages, E_KEY, c->item->init->at, NULL, NULL,
		        "'%s' has no weights that 'init' could be for", name);
		c->known = false;
	}
	if (arg && arg->kind == YAML_MAP) {
		for (size_t i = 0; i < arg->n; i++) {
			const ad_attr *a = attr_find(table, arg->keys[i]->text);
			int input = a ? -1 : op_input(op, arg->keys[i]->text);

			if (a) {
				call_setting(c, a, arg->items[i]);
			} else if (input >= 0) {
				while (c->n_in <= (size_t)input)
					call_input(c, (struct value){ .kind = VALUE_NULL });
				c->inputs[input] = eval_yaml(r, c->in, arg->items[i]);
				c->known = c->known && c->inputs[input].kind != VALUE_UNKNOWN;
			} else {
				say_attribute(r, arg->keys[i]->at, arg->keys[i]->text, name, table);
				c->known = false;
			}
		}
	} else if (arg && !yaml_is_null(arg)) {
		if (most < 0 || (c->n_in < (size_t)most && (c->n_in < (size_t)least || !table))) {
			tensor_args(c, arg, prev);
		} else if (table && table->name) {
			call_setting(c, table, arg);
		} else {
			message(r->messages, E_TYPE, arg->at, NULL, NULL, "'%s' takes no argument",
			        name);
			c->known = false;
		}
	}
	call_missing(c, table);
	for (size_t k = 0; c->known && k < (size_t)least; k++) {
		if (k < c->n_in && c->inputs[k].kind != VALUE_NULL)
			continue;
		if (k == 0)
			return no_input(c);
		message(r->messages, E_MISSING, c->item->key->at, NULL,
		        store_text(r->store, "write {%s: NAME}", name), "'%s' needs '%s'", name,
		        op_input_name(r, op, k));
		return unknown;
	}
	if (!c->known)
		return unknown;
	return record(r, name, c->item->key->at, c->item->key->at, c->n_in, c->inputs,
	              c->n_settings, c->settings);
}

/* ---- compositions ---------------------------------------------------------------------------- */

static const struct yaml *body_of(struct recording *r, const struct item *item)
{
	const struct yaml *body = item->arg;

	if (body && body->kind == YAML_MAP && yaml_is(item->key, "residual")) {
		static const char *const keys[] = { "body" };

		for (size_t i = 0; i < body->n; i++) {
			if (comes_later("an item", body->keys[i]->text)) {
				message(r->messages, E_LATER, body->keys[i]->at, NULL, NULL,
				        "'%s' in 'residual' is not supported yet in this version",
				        body->keys[i]->text);
				return NULL;
			}
			if (!yaml_is(body->keys[i], "body")) {
				unknown_key(r->messages, body->keys[i], "residual", COUNT(keys),
				            keys);
				return NULL;
			}
		}
		body = yaml_get(body, "body");
	}
	if (body && body->kind == YAML_LIST)
		return body;
	message(r->messages, E_TYPE, body ? body->at : item->key->at, NULL,
	        store_text(r->store, "write {%s: [{linear: 64}, relu]}", item->key->text),
	        "'%s' takes a list of items", item->key->text);
	return NULL;
}

static struct value add_residual(struct recording *r, const struct item *item, const char *path,
                                 struct level *level, struct value x, struct value f)
{
	struct value v[2] = { x, f }, y;

	if (x.kind == VALUE_NULL) {
		struct call c = { .r = r, .item = item, .kind = "residual" };

		return no_input(&c);
	}
	if (x.kind != VALUE_NODE || f.kind != VALUE_NODE)
		return unknown;
	ad_shape a = ad_shape_of(x.node), b = ad_shape_of(f.node);
	bool same = a.rank == b.rank;
	for (int i = 0; same && i < a.rank; i++)
		same = a.dims[i] == b.dims[i];
	if (!same) {
		message(r->messages, E_RESIDUAL, item->key->at, NULL,
		        store_text(r->store,
		                   "end the body with an item that gives %s, such as a 'linear'",
		                   shape_text(r, a)),
		        "x is %s but f(x) is %s, they cannot be added", shape_text(r, a),
		        shape_text(r, b));
		if (!r->messages)
			ad_fail(r->graph, AD_ERROR_SHAPE, "residual: the body changes the shape");
		return unknown;
	}
	y = record(r, "add", item->key->at, item->key->at, 2, v, 0, NULL);
	if (y.kind == VALUE_NODE) {
		r->n_reads = 0;
		read_origin(r, x.from);
		read_origin(r, f.from);
		y.from = item_origin(r, path, path, item->key->at);
		add_row(r, path, "residual", y, 0, level->depth);
	}
	return y;
}

static struct value build_composition(struct recording *r, const struct scope *in,
                                      struct level *level, const struct item *item,
                                      const char *component, struct value x)
{
	const struct yaml *body = body_of(r, item);
	const char *name = component ? component : item->key->text;
	const char *path = store_text(r->store, "%s%s", level->prefix, name);
	struct level own = { .depth = level->depth + 1 };
	struct value y;

	if (!body)
		return unknown;
	if (item->init)
		message(r->messages, E_KEY, item->init->at, NULL, "give it to the items inside",
		        "'%s' has no weights of its own that 'init' could be for", item->key->text);
	if (component) {
		own.prefix = store_text(r->store, "%s.", path);
		ad_scope_begin(r->graph, component);
		y = build_items(r, in, &own, body, x);
	} else {
		level->depth++;
		y = build_items(r, in, level, body, x);
		level->depth--;
	}
	if (yaml_is(item->key, "residual"))
		y = add_residual(r, item, path, level, x, y);
	if (component)
		ad_scope_end(r->graph);
	return y;
}

/* ---- one item  / ----------------------------------------------------------------------------- */

/* Compares a result with the item's `shape:`. */
static bool assert_shape(struct recording *r, const struct scope *in, const struct yaml *y,
                         struct value v)
{
	ad_shape want = { .rank = (int)y->n }, have;
	bool same;

	if (y->kind != YAML_LIST || y->n > AD_MAX_RANK)
		return message(r->messages, E_TYPE, y->at, NULL, "write [B, 10]",
		               "'shape' is a list of at most %d sizes", AD_MAX_RANK);
	for (size_t i = 0; i < y->n; i++)
		if (!whole_of(r, eval_yaml(r, in, y->items[i]), y->items[i]->at, "a size", NULL, 1,
		              INT64_MAX, &want.dims[i]))
			return false;
	if (v.kind != VALUE_NODE)
		return false;
	have = ad_shape_of(v.node);
	same = have.rank == want.rank;
	for (int i = 0; same && i < want.rank; i++)
		same = have.dims[i] == want.dims[i];
	if (same)
		return true;
	message(r->messages, E_SHAPE, y->at, NULL, NULL, "the shape is %s, not %s",
	        shape_text(r, have), shape_text(r, want));
	if (!r->messages)
		ad_fail(r->graph, AD_ERROR_SHAPE, "an item has not the shape that it should have");
	return false;
}

/* The values that an item reads: `from`, or what stands before it. */
static void item_inputs(struct call *c, struct value prev)
{
	const struct yaml *from = c->item->from;

	if (!from) {
		if (prev.kind == VALUE_NODE)
			read_origin(c->r, prev.from);
		call_input(c, prev);
		return;
	}
	for (size_t i = 0; from->kind == YAML_LIST && i < from->n; i++)
		call_input(c, eval_yaml(c->r, c->in, from->items[i]));
	if (from->kind != YAML_LIST)
		call_input(c, eval_yaml(c->r, c->in, from));
}

static struct value build_copy(struct recording *r, const struct scope *in, struct level *level,
                               const struct item *item, const char *component, struct value prev)
{
	const char *kind = item->key->text;
	struct call c = { .r = r, .in = in, .item = item, .kind = kind, .known = true };
	const struct layer *layer = find_layer(kind);
	size_t parameters = 0;
	struct value y;

	r->n_reads = 0;
	if (r->stopped || ++r->steps > MOST_STEPS) {
		if (!r->stopped)
			message(r->messages, E_LIMIT, item->key->at, NULL, NULL,
			        "the model has more than %d items and operations, copies included",
			        MOST_STEPS);
		r->stopped = true;
		return unknown;
	}
	if (strcmp(kind, "chain") == 0 || strcmp(kind, "residual") == 0) {
		item_inputs(&c, prev);
		if (c.n_in != 1) {
			message(r->messages, E_TYPE, item->from->at, NULL, NULL,
			        "'%s' takes one input, not %zu", kind, c.n_in);
			c.known = false;
		}
		/* An expression has no name of its own; what it reads stands for it. */
		if (c.known && c.inputs[0].kind == VALUE_NODE && !c.inputs[0].from)
			c.inputs[0].from =
			    new_origin(r, "is an expression", reads_text(r), item->from->at);
		y = build_composition(r, in, level, item, component,
		                      c.known ? c.inputs[0] : unknown);
	} else {
		const char *path = store_text(r->store, "%s%s", level->prefix, component);

		item_inputs(&c, prev);
		y = layer ? build_layer(&c, layer, path, component, &parameters)
		          : build_op(&c, ad_op_find(kind), prev);
		if (y.kind == VALUE_NODE)
			y.from = item_origin(r, component, path, item->key->at);
		add_row(r, path, kind, y, parameters, level->depth);
	}
	if (item->shape && !assert_shape(r, in, item->shape, y))
		return unknown;
	return y;
}

/* Gives a result a name in the body it stands in. */
static void name_value(struct recording *r, struct scope *body, struct level *level,
                       const struct yaml *as, struct value v)
{
	struct name *old = scope_own(body, as->text);

	if (!check_name(r, as, "a result"))
		return;
	if (old) {
		message(r->messages, E_NAMED_TWICE, as->at, NULL, NULL,
		        "'%s' is named twice in this body", as->text);
		message_also(r->messages, old->at, "first here");
		return;
	}
	if (v.kind == VALUE_NODE) {
		if (!ad_name_of(v.node))
			ad_name(v.node, as->text);
		add_named(r, store_text(r->store, "%s%s", level->prefix, as->text), v.node);
	}
	scope_add(r->store, body, as->text, NAME_VALUE, as->at, v);
}

/* The path component of an item: its name, or its op's name with a number from the second on. NULL
 * for a chain or residual that adds nothing to a path. */
static const char *component_of(struct recording *r, struct level *level, const struct item *item,
                                const char *name)
{
	bool composition = yaml_is(item->key, "chain") || yaml_is(item->key, "residual");
	struct name *count;

	if (name)
		return name;
	if (composition && !item->repeat)
		return NULL;
	count = scope_own(&level->counts, item->key->text);
	if (!count)
		count = scope_add(r->store, &level->counts, item->key->text, NAME_VALUE,
		                  item->key->at, (struct value){ .kind = VALUE_INT });
	if (++count->value.i == 1)
		return item->key->text;
	return store_text(r->store, "%s_%lld", item->key->text, (long long)count->value.i);
}

/* `repeat: n`, `repeat: {j: n}`: how often, and the counter's name. */
static bool repeat_of(struct recording *r, const struct scope *in, const struct yaml *y,
                      const char **counter, int64_t *n)
{
	*counter = "i";
	if (y->kind == YAML_MAP && y->n == 1) {
		if (!check_name(r, y->keys[0], "a counter"))
			return false;
		*counter = y->keys[0]->text;
		y = y->items[0];
	}
	return whole_of(r, field_of(r, in, y, "repeat", "a whole number"), y->at, "repeat", y->text,
	                0, MOST_STEPS, n);
}

static struct value build_item(struct recording *r, struct scope *body, struct level *level,
                               const struct yaml *y, const char *name, struct value prev)
{
	struct item item;
	const char *component, *counter;
	int64_t n;
	struct value v = unknown;

	if (!open_item(r, y, &item)) {
		if (item.as && item.as->kind == YAML_SCALAR)
			name_value(r, body, level, item.as, unknown);
		return unknown;
	}
	/* A name that is taken is said before it would be a path that is taken, too. */
	if (item.as && item.as->kind == YAML_SCALAR && !name && scope_own(body, item.as->text)) {
		name_value(r, body, level, item.as, unknown);
		item.as = NULL;
	}
	if (item.as && item.as->kind == YAML_SCALAR && !name)
		name = item.as->text;
	component = component_of(r, level, &item, name);
	if (!item.repeat) {
		v = build_copy(r, body, level, &item, component, prev);
	} else if (repeat_of(r, body, item.repeat, &counter, &n)) {
		v = prev;
		for (int64_t i = 0; i < n && !r->stopped; i++) {
			struct scope own = { .up = body };

			scope_add(r->store, &own, counter, NAME_COUNTER, item.repeat->at,
			          (struct value){ .kind = VALUE_INT, .i = i, .r = (double)i });
			v = build_copy(r, &own, level, &item,
			               store_text(r->store, "%s[%lld]", component, (long long)i),
			               v);
		}
	}
	if (item.as && item.as->kind == YAML_SCALAR) {
		if (v.kind == VALUE_NODE && v.from && strchr(v.from->what, '\'') &&
		    (yaml_is(item.key, "chain") || yaml_is(item.key, "residual")))
			v.from->what = store_text(r->store, "comes from '%s'", item.as->text);
		name_value(r, body, level, item.as, v);
	} else if (item.as && item.as->kind == YAML_LIST) {
		for (size_t k = 0; k < item.as->n; k++) {
			struct value part = v;
			bool there = v.kind == VALUE_NODE && k < (size_t)ad_outputs(v.node);

			if (v.kind == VALUE_NODE && !there)
				message(r->messages, E_TYPE, item.as->items[k]->at, NULL, NULL,
				        "'%s' has %d result%s", item.key->text, ad_outputs(v.node),
				        ad_outputs(v.node) == 1 ? "" : "s");
			if (there)
				part.node = ad_output(v.node, (int)k);
			else
				part = unknown;
			if (item.as->items[k]->kind == YAML_SCALAR)
				name_value(r, body, level, item.as->items[k], part);
		}
	} else if (item.as) {
		message(r->messages, E_TYPE, item.as->at, NULL, NULL,
		        "'as' takes a name or a list of names");
	}
	return v;
}

/* A list: each item eats the one before. Names given in it are seen in the rest of it. */
static struct value build_items(struct recording *r, const struct scope *up, struct level *level,
                                const struct yaml *list, struct value prev)
{
	struct scope *body = store_take(r->store, sizeof *body);

	body->up = up;
	for (size_t i = 0; i < list->n; i++)
		prev = build_item(r, body, level, list->items[i], NULL, prev);
	return prev;
}

/* ---- equations  / ---------------------------------------------------------------------------- */

/* An equation and the equations that it needs. */
struct equation {
	const struct yaml *key, *right;
	size_t n_names;
	const char **names; /* "i, f, g, o" */
	size_t n_needs;
	struct need {
		size_t which;
		struct place at;
	} * needs;
	size_t next; /* need to be visited */
	enum { NEW, OPEN, DONE } state;
	bool cyclic;
};

struct equations {
	struct recording *r;
	size_t n;
	struct equation *list, *current;
	struct scope names; /* name -> number */
};

static void found_name(void *to, const struct expr *name)
{
	struct equations *q = to;
	struct name *other = scope_own(&q->names, name->text);
	struct equation *e = q->current;

	if (!other)
		return;
	e->needs = store_more(q->r->store, e->needs, e->n_needs, sizeof *e->needs);
	e->needs[e->n_needs++] = (struct need){ (size_t)other->value.i, name->at };
}

/* The names in an item: those of all its scalars, except where a scalar is no expression. */
static void item_names(struct equations *q, const struct yaml *y)
{
	if (y->kind == YAML_SCALAR) {
		expr_names(expr_parse(q->r->store, NULL, y), found_name, q);
		return;
	}
	for (size_t i = 0; i < y->n; i++) {
		if (y->keys && (yaml_is(y->keys[i], "as") || yaml_is(y->keys[i], "note") ||
		                yaml_is(y->keys[i], "init")))
			continue;
		if (!y->keys && y->items[i]->kind == YAML_SCALAR && is_kind(y->items[i]->text))
			continue;
		item_names(q, y->items[i]);
	}
}

/* The names on the left: "y", or "i, f, g, o". */
static void left_names(struct equations *q, struct equation *e, struct scope *body, size_t number)
{
	struct recording *r = q->r;
	const char *s = e->key->text;

	while (*s) {
		size_t n = strcspn(s, ",");
		const char *end = s + n;
		struct yaml part = *e->key;

		while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
			n--;
		part.text = store_copy(r->store, s, n);
		s = *end ? end + 1 + strspn(end + 1, " \t") : end;
		if (!check_name(r, &part, "a result"))
			continue;
		struct name *old = scope_own(&q->names, part.text);
		if (!old)
			old = scope_own(body, part.text);
		if (old) {
			message(r->messages, E_NAMED_TWICE, part.at, NULL, NULL,
			        "'%s' is named twice in this body", part.text);
			message_also(r->messages, old->at, "first here");
			continue;
		}
		e->names = store_more(r->store, e->names, e->n_names, sizeof(*e->names));
		e->names[e->n_names++] = part.text;
		scope_add(r->store, &q->names, part.text, NAME_VALUE, part.at,
		          (struct value){ .kind = VALUE_INT, .i = (int64_t)number });
	}
}

/* Message 9 for the equations stack[from..n-1], each of which needs the next and the last the
 * first. */
static void say_cycle(struct equations *q, const size_t stack[], size_t from, size_t n)
{
	struct recording *r = q->r;
	size_t count = n - from, first = from;
	const char *path = "";

	for (size_t i = from; i < n; i++) {
		q->list[stack[i]].cyclic = true;
		if (stack[i] < stack[first])
			first = i;
	}
	for (size_t i = 0; i <= count; i++) {
		const struct equation *e = &q->list[stack[from + (first - from + i) % count]];

		if (i > 8 && i < count) {
			path = i == 9 ? store_text(r->store, "%s -> ...", path) : path;
			continue;
		}
		path = store_text(r->store, "%s%s%s", path, i ? " -> " : "", e->key->text);
	}
	const struct equation *e = &q->list[stack[first]];
	message(r->messages, E_CYCLE, e->needs[e->next - 1].at, NULL,
	        "a recurrence is written out: give each step a name of its own, h1: f(h0), h2: f(h1)",
	        "'%s' needs itself: %s", e->key->text, path);
	for (size_t i = 1; i < count && i < 8; i++)
		message_also(r->messages, q->list[stack[from + (first - from + i) % count]].key->at,
		             NULL);
}

/* The equations in an order in which each comes after those it needs. */
static size_t *sorted(struct equations *q)
{
	size_t *order = store_take(q->r->store, q->n * sizeof *order), done = 0;
	size_t *stack = store_take(q->r->store, q->n * sizeof *stack);

	for (size_t i = 0; i < q->n; i++) {
		size_t depth = 0;

		if (q->list[i].state != NEW)
			continue;
		stack[depth++] = i;
		q->list[i].state = OPEN;
		while (depth > 0) {
			struct equation *e = &q->list[stack[depth - 1]];

			if (e->next == e->n_needs) {
				e->state = DONE;
				order[done++] = stack[--depth];
				continue;
			}
			size_t need = e->needs[e->next++].which;
			if (q->list[need].state == NEW) {
				q->list[need].state = OPEN;
				stack[depth++] = need;
			} else if (q->list[need].state == OPEN) {
				size_t from = depth - 1;

				while (stack[from] != need)
					from--;
				say_cycle(q, stack, from, depth);
			}
		}
	}
	return order;
}

static struct value build_equation(struct recording *r, struct scope *body, struct level *level,
                                   struct equation *e)
{
	const char *name = e->n_names > 0 ? e->names[0] : e->key->text;
	struct value v;

	if (e->cyclic)
		return unknown;
	if (e->right->kind == YAML_MAP) {
		struct level own = *level;
		const struct yaml *as = yaml_get(e->right, "as");

		if (as)
			message(r->messages, E_KEY, as->at, NULL, NULL,
			        "an equation's result is named by its left side, not by 'as'");
		return build_item(r, body, &own, e->right, name,
		                  (struct value){ .kind = VALUE_NULL });
	}
	if (e->right->kind == YAML_LIST) {
		message(r->messages, E_TYPE, e->right->at, NULL, "write {chain: [...], from: x}",
		        "an equation's right side is an expression or an item, not a list");
		return unknown;
	}
	r->n_reads = 0;
	v = eval_yaml(r, body, e->right);
	if (v.kind == VALUE_NULL) {
		message(r->messages, E_MISSING, e->key->at, NULL, NULL, "'%s' has no right side",
		        name);
		return unknown;
	}
	if (v.kind == VALUE_NODE && v.from == NULL) {
		v.from = item_origin(r, name, name, e->key->at);
		add_row(r, name, ad_op_of(v.node) ? ad_op_of(v.node) : "value", v, 0, level->depth);
	}
	return v;
}

static void name_results(struct recording *r, struct scope *body, struct level *level,
                         struct equation *e, struct value v)
{
	for (size_t i = 0; i < e->n_names; i++) {
		struct yaml as = *e->key;
		struct value part = v;

		as.text = e->names[i];
		if (e->n_names > 1 && v.kind == VALUE_NODE) {
			if ((size_t)ad_outputs(v.node) != e->n_names) {
				message(r->messages, E_TYPE, e->key->at, NULL, NULL,
				        "%zu names for %d result%s", e->n_names, ad_outputs(v.node),
				        ad_outputs(v.node) == 1 ? "" : "s");
				part = unknown;
			} else {
				part.node = ad_output(v.node, (int)i);
			}
		}
		if (!scope_own(body, as.text))
			name_value(r, body, level, &as, part);
	}
}

/* A mapping: equations in any order. The result is that of the last one in the file. */
static struct value build_equations(struct recording *r, struct scope *body, struct level *level,
                                    const struct yaml *map)
{
	struct equations q = { .r = r, .n = map->n };
	struct value last = unknown;

	q.list = store_take(r->store, map->n * sizeof *q.list);
	for (size_t i = 0; i < map->n; i++) {
		q.list[i].key = map->keys[i];
		q.list[i].right = map->items[i];
		left_names(&q, &q.list[i], body, i);
	}
	for (size_t i = 0; i < map->n; i++) {
		q.current = &q.list[i];
		item_names(&q, map->items[i]);
	}
	size_t *order = sorted(&q);
	for (size_t i = 0; i < map->n; i++) {
		struct equation *e = &q.list[order[i]];
		struct value v = build_equation(r, body, level, e);

		name_results(r, body, level, e, v);
		if (order[i] + 1 == map->n)
			last = v;
	}
	return last;
}

/* ---- the whole model  / ---------------------------------------------------------------------- */

static int64_t dim_size(struct recording *r, int64_t dim)
{
	return dim >= 0 ? dim : r->instance->dims[-1 - dim];
}

static void build_inputs(struct recording *r, struct scope *body)
{
	ad_model *m = r->model;

	for (int i = 0; i < m->n_inputs; i++) {
		const struct input *in = &m->inputs[i];
		struct value v = unknown;
		ad_shape shape = { .rank = in->rank };

		for (int k = 0; k < in->rank; k++)
			shape.dims[k] = dim_size(r, in->dims[k]);
		if (in->rank >= 0) {
			v.node = in->scalar_leaf ? ad_leaf(r->graph, in->name, in->value)
			                         : ad_input(r->graph, in->name, in->type, shape);
			if (ad_is_error(v.node)) {
				say_failure(r, in->at, "input", 0, NULL);
			} else {
				v.kind = VALUE_NODE;
				v.from =
				    new_origin(r, store_text(r->store, "is input '%s'", in->name),
				               in->name, in->at);
				r->instance->inputs[i] = v.node;
			}
		}
		scope_add(r->store, body, in->name, NAME_VALUE, in->at, v);
	}
}

/* The node of a file-level weight: path = name. */
static ad_node *declared_node(struct recording *r, const struct declared_weight *w)
{
	struct build *b = r->model->build;
	struct init init = { .kind = INIT_XAVIER };
	ad_shape shape = { .rank = 0 };
	double *value;
	int64_t in = 1, out = 1;

	if (w->rank < 0)
		return NULL;
	if (!r->messages)
		return find_weight(r, w->name)->node;
	if (!w->dims) {
		value = store_take(r->store, sizeof *value);
		*value = w->value;
		init = (struct init){ .kind = INIT_VALUES, .values = value, .n_values = 1 };
	} else {
		if (w->dims->n > AD_MAX_RANK) {
			message(r->messages, E_LIMIT, w->dims->at, NULL, NULL,
			        "a shape has at most %d axes", AD_MAX_RANK);
			return NULL;
		}
		for (size_t i = 0; i < w->dims->n; i++) {
			const struct yaml *d = w->dims->items[i];

			if (!whole_of(r, field_of(r, &b->file, d, "shape", "a size"), d->at,
			              "a size", d->text, 1, INT32_MAX, &shape.dims[shape.rank++]))
				return NULL;
		}
		out = shape.rank > 0 ? shape.dims[shape.rank - 1] : 1;
		/* A vector is a bias; x @ W takes a matrix as [in, out]. */
		for (int i = 0; i + 1 < shape.rank; i++)
			if (__builtin_mul_overflow(in, shape.dims[i], &in))
				in = INT64_MAX / 4;
		if (shape.rank < 2)
			init.kind = INIT_ZEROS;
	}
	if (w->init && !init_of(r, &b->file, w->init, &init))
		return NULL;
	return new_weight(r, (struct weight){ .path = w->name, .init = init, .fan_in = in,
	                                      .fan_out = out, .at = w->at }, shape);
}

static void build_declared(struct recording *r, struct scope *body)
{
	struct build *b = r->model->build;

	for (size_t i = 0; i < b->n_declared; i++) {
		const struct declared_weight *w = &b->declared[i];
		struct value v = unknown;

		if (scope_own(body, w->name))
			continue;
		v.node = declared_node(r, w);
		if (v.node) {
			v.kind = VALUE_NODE;
			v.from = new_origin(r, store_text(r->store, "is weight '%s'", w->name),
			                    w->name, w->at);
		}
		scope_add(r->store, body, w->name, NAME_VALUE, w->at, v);
	}
}

/* What the first item of a chain eats: the one input that is no target. Nothing, where there are
 * several; unknown, where one of these may be a target. */
static struct value first_input(struct recording *r, struct scope *body)
{
	struct name *only = NULL;
	bool several = false, doubtful = false;

	for (int i = 0; i < r->model->n_inputs; i++) {
		const struct input *in = &r->model->inputs[i];

		if (in->target)
			continue;
		several |= only != NULL;
		doubtful |= in->doubtful;
		only = scope_own(body, in->name);
	}
	if (several)
		return doubtful ? unknown : (struct value){ .kind = VALUE_NULL };
	if (!only)
		return (struct value){ .kind = VALUE_NULL };
	return only->value;
}

/* An expression whose value must be a single number. */
static ad_node *single(struct recording *r, struct scope *body, const struct yaml *y,
                       const char *what, const char *help)
{
	struct value v;

	if (y->kind != YAML_SCALAR) {
		message(r->messages, E_TYPE, y->at, NULL, help, "%s is an expression, not a %s",
		        what, y->kind == YAML_LIST ? "list" : "mapping");
		return NULL;
	}
	v = eval_yaml(r, body, y);
	if (v.kind == VALUE_NULL) {
		message(r->messages, E_MISSING, y->at, NULL, help, "%s is missing", what);
		return NULL;
	}
	ad_node *node = value_node(r, v, y->at);
	if (!node)
		return NULL;
	if (ad_shape_of(node).rank > 0) {
		message(r->messages, E_SHAPE, y->at, NULL,
		        store_text(r->store, "take the mean: mean(%s)", y->text),
		        "%s must be a single number, this is %s", what,
		        shape_text(r, ad_shape_of(node)));
		return NULL;
	}
	return node;
}

static void build_metrics(struct recording *r, struct scope *body)
{
	const struct yaml *y = r->model->build->metrics;
	ad_model *m = r->model;

	if (!y || (y->kind == YAML_SCALAR && yaml_is_null(y)))
		return;
	if (y->kind != YAML_MAP) {
		message(r->messages, E_TYPE, y->at, NULL, "acc: mean(argmax(logits, axis=1) == y)",
		        "'metrics' is a mapping of names to expressions");
		return;
	}
	for (size_t i = 0; i < y->n; i++) {
		struct instance *in = r->instance;
		const char *what = store_text(r->store, "the metric '%s'", y->keys[i]->text);

		check_name(r, y->keys[i], "a metric");
		in->metrics = store_more(r->store, in->metrics, i, sizeof(*in->metrics));
		in->metrics[i] = single(r, body, y->items[i], what, NULL);
		if (in->metrics[i] && !ad_name_of(in->metrics[i]) && ad_op_of(in->metrics[i]))
			ad_name(in->metrics[i], y->keys[i]->text);
		if (r->messages) {
			m->metrics = store_more(r->store, m->metrics, (size_t)m->n_metrics,
			                        sizeof(*m->metrics));
			m->metrics[m->n_metrics++] = y->keys[i]->text;
		}
	}
}

/* What is recorded and read by nothing, and inputs that nothing reads. */
static void warn_unused(struct recording *r, const struct scope *body)
{
	struct build *b = r->model->build;

	for (size_t i = 0; i < b->n_origins; i++) {
		const struct origin *o = b->origins[i];

		if (!o->used)
			message_warning(r->messages, o->at, "item '%s' (line %d) feeds nothing",
			                o->path, o->at.line);
	}
	for (int i = 0; i < r->model->n_inputs; i++) {
		const struct input *in = &r->model->inputs[i];
		const struct name *name = scope_own(body, in->name);

		if (name && !name->used && !(name->value.from && name->value.from->used))
			message_warning(r->messages, in->at, "input '%s' is never used", in->name);
	}
	for (size_t i = 0; i < b->n_declared; i++) {
		const struct name *name = scope_own(body, b->declared[i].name);

		if (name && !name->used)
			message_warning(r->messages, b->declared[i].at, "weight '%s' is never used",
			                b->declared[i].name);
	}
}

static struct value build_body(struct recording *r, struct scope *body)
{
	const struct yaml *y = r->model->build->model;
	struct level level = { .prefix = "" };
	struct value v = first_input(r, body);

	if (y && y->kind == YAML_MAP)
		return build_equations(r, body, &level, y);
	if (!y || y->kind == YAML_SCALAR) {
		if (y)
			message(r->messages, E_TYPE, y->at, NULL,
			        "a list of items is a chain, a mapping is a set of equations",
			        "'model' is a list or a mapping");
		return unknown;
	}
	for (size_t i = 0; i < y->n; i++)
		v = build_item(r, body, &level, y->items[i], NULL, v);
	return v;
}

void build_model(struct recording *r, struct instance *to)
{
	struct build *b = r->model->build;
	struct scope *body = store_take(r->store, sizeof *body);
	struct value v;

	r->instance = to;
	to->inputs = store_take(r->store, (size_t)r->model->n_inputs * sizeof(*to->inputs));
	body->up = &b->file;
	for (int k = 0; k < r->model->n_dims; k++)
		b->dim_names[k]->value =
		    (struct value){ .kind = VALUE_INT, .i = to->dims[k], .r = (double)to->dims[k] };
	build_inputs(r, body);
	build_declared(r, body);
	for (int i = 0; i < r->model->n_inputs; i++)
		if (to->inputs[i])
			add_named(r, r->model->inputs[i].name, to->inputs[i]);
	for (size_t i = 0; i < b->n_declared; i++) {
		struct name *name = scope_own(body, b->declared[i].name);

		if (name && name->value.kind == VALUE_NODE &&
		    ad_kind_of(name->value.node) == AD_IS_PARAM)
			add_named(r, name->text, name->value.node);
	}
	v = build_body(r, body);
	if (b->loss)
		to->loss =
		    single(r, body, b->loss, "the loss", "write for instance mse_loss(y, target)");
	if (b->output)
		v = b->output->kind == YAML_SCALAR
		        ? eval_yaml(r, body, b->output)
		        : (message(r->messages, E_TYPE, b->output->at, NULL, NULL,
		                   "'output' is a name or an expression"),
		           unknown);
	if (v.from)
		v.from->used = true;
	to->output = v.kind == VALUE_NULL ? NULL : value_node(r, v, (struct place){ 0 });
	if (!b->model && !b->output)
		to->output = to->loss;
	if (to->loss && !ad_name_of(to->loss) && ad_op_of(to->loss))
		ad_name(to->loss, "loss");
	build_metrics(r, body);
	for (int i = 0; i < r->model->n_inputs; i++) {
		const struct name *name = scope_own(body, r->model->inputs[i].name);

		if (!r->model->inputs[i].scalar_leaf && !name->used &&
		    !(name->value.from && name->value.from->used))
			to->inputs[i] = NULL;
	}
	if (r->messages && messages_errors(r->messages) == 0)
		warn_unused(r, body);
}
