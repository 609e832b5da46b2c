/*
 * weight: the weights of a model: made at the first use of a path, found afterwards, shared by
 * items that say so.
 */
#include "language.h"

#include <string.h>

static const char *const weight_keys[] = { "shape", "init" };

/* What is asked for: of a layer, of a file's or block's `weights`. */
struct wanted {
	const char *path; /* of the weight that is used: another item's where it is shared */
	const char *name;
	struct place at;
	ad_shape shape;
	struct init init;
	int64_t fan_in, fan_out;
	ad_type type;
	bool buffer;
	bool known;        /* it must be there already */
	const char *param; /* of the file, which its size may come from */
};

static struct weight *find_weight(struct recording *r, const char *path)
{
	struct name *name = scope_own(&r->model->build->paths, path);

	return name ? &r->model->weights[name->value.i] : NULL;
}

/* Takes a weight into the model's list and makes its node in the check's graph. */
static ad_node *new_weight(struct recording *r, const struct wanted *want)
{
	ad_model *m = r->model;
	struct build *b = m->build;

	if (strlen(want->path) > LONGEST_PATH) {
		message(r->messages, E_LIMIT, want->at, NULL, "give shorter names",
		        "the path '%.40s...' is longer than %d bytes", want->path, LONGEST_PATH);
		return NULL;
	}
	for (int i = 0; i < want->shape.rank; i++) {
		if (!is_free(r, want->shape.dims[i]))
			continue;
		message(r->messages, E_SHAPE, want->at, NULL,
		        "give the input a fixed size there, or take another axis",
		        "weight '%s' would be %s: a weight's size cannot be a free dim", want->path,
		        shape_text(r, want->shape));
		return NULL;
	}
	ad_node *node = want->buffer ? ad_buffer(r->graph, want->path, want->type, want->shape)
	                             : ad_param(r->graph, want->path, want->shape);
	if (ad_is_error(node)) {
		say_failure(r, want->at, "weight", 0, NULL);
		return NULL;
	}
	if (want->init.kind == INIT_VALUES && want->init.n_values != 1 &&
	    want->init.n_values != ad_count(node)) {
		message(r->messages, E_SHAPE, want->at, NULL, NULL,
		        "%zu values are given for weight '%s', %s", want->init.n_values, want->path,
		        shape_text(r, want->shape));
		return NULL;
	}
	m->weights = store_more(r->store, m->weights, (size_t)m->n_weights, sizeof *m->weights);
	b->check_nodes =
	    store_more(r->store, b->check_nodes, (size_t)m->n_weights, sizeof(*b->check_nodes));
	scope_add(r->store, &b->paths, want->path, NAME_VALUE, want->at, value_int(m->n_weights));
	b->check_nodes[m->n_weights] = node;
	m->weights[m->n_weights++] = (struct weight){ .path = want->path,
		                                      .init = want->init,
		                                      .fan_in = want->fan_in,
		                                      .fan_out = want->fan_out,
		                                      .at = want->at,
		                                      .type = want->type,
		                                      .buffer = want->buffer,
		                                      .param = want->param,
		                                      .frozen = r->frozen,
		                                      .lr_scale = r->lr_scale };
	return node;
}

/* A weight is trained as the item says that made it, whatever those say that share it. */
static void warn_of_sharer(struct recording *r, const struct wanted *want, const struct weight *w)
{
	const bool freezes = r->frozen && !w->frozen, scales = r->lr_scale != 1 && r->lr_scale != w->lr_scale;

	if (!w->buffer && (freezes || scales))
		message_warning(r->messages, want->at,
		                "'%s' has no effect on '%s', which is shared: give it to the item on line %d",
		                freezes ? "freeze" : "lr_scale", w->path, w->at.line);
}

/* The weight in the check: found if it is to be there, or else made. *made tells which. */
static ad_node *check_weight(struct recording *r, const struct wanted *want, bool *made)
{
	struct weight *w = find_weight(r, want->path);
	ad_node *node;

	*made = false;
	if (!w && want->known) {
		message(r->messages, E_NAME, want->at, NULL, NULL,
		        "there is no weight '%s' that '%s' could share", want->path, want->name);
		return NULL;
	}
	if (!w) {
		node = new_weight(r, want);
		*made = node != NULL;
		return node;
	}
	if (!want->known) {
		message(r->messages, E_NAMED_TWICE, want->at, NULL,
		        "give one of the items another name, 'as: NAME'",
		        "two items have the path '%s'", want->path);
		message_also(r->messages, w->at, "first here");
		return NULL;
	}
	node = r->model->build->check_nodes[w - r->model->weights];
	warn_of_sharer(r, want, w);
	if (same_shape(ad_shape_of(node), want->shape))
		return node;
	message(r->messages, E_SHAPE, want->at, NULL, NULL,
	        "'%s' is %s here, but '%s', whose weight this is, has %s", want->name,
	        shape_text(r, want->shape), want->path, shape_text(r, ad_shape_of(node)));
	message_also(r->messages, w->at, "made here");
	return NULL;
}

/* ---- of a layer ------------------------------------------------------------------------------ */

/* What the item says about the initial values of this weight: `init: he` is for the layer's main
 * ones, "weight", "weight_ih_l0", "in_proj_weight"; `init: {weight: he, bias: ones}` for each by name. */
static bool site_init(struct layer_site *site, const char *name, struct init *to)
{
	struct call *c = site->call;
	const struct yaml *y = c->init, *own;

	if (!y)
		return true;
	c->asked = store_more(c->r->store, c->asked, c->n_asked, sizeof(*c->asked));
	c->asked[c->n_asked++] = store_text(c->r->store, "%s", name);
	own = init_by_weight(y) ? yaml_get(y, name) : strstr(name, "weight") ? y : NULL;
	return !own || init_of(c->r, c->init_scope, own, to);
}

/* The path that `share: {weight: tok.weight}` gives for this one; NULL: it is not shared. Paths are
 * looked for from here outwards. */
static const char *shared_path(struct layer_site *site, const char *name)
{
	struct recording *r = site->recording;
	const struct yaml *share = site->call->share, *path = NULL;

	for (size_t i = 0; share && i < share->n; i++) {
		if (!yaml_is(share->keys[i], name))
			continue;
		path = share->items[i];
		site->call->share_used[i] = true;
	}
	if (!path)
		return NULL;
	for (const char *prefix = r->level->weights;; prefix = "") {
		const char *whole = store_text(r->store, "%s%s", prefix, path->text);

		if (find_weight(r, whole) || !*prefix)
			return whole;
	}
}

struct first_param {
	const struct scope *in;
	const char *name;
};

static void take_param(void *to, const struct expr *e)
{
	struct first_param *p = to;
	struct name *name = scope_find(p->in, e->text);

	if (!p->name && name && name->kind == NAME_PARAM)
		p->name = name->text;
}

/* The first param of the file that the layer's arguments name. */
static const char *param_of(struct recording *r, const struct call *c)
{
	const struct yaml *y = c->arg;
	struct first_param p = { .in = c->in };

	if (y && y->kind == YAML_SCALAR)
		expr_names(expr_parse(r->store, NULL, y), take_param, &p);
	for (size_t i = 0; y && y->kind == YAML_MAP && i < y->n; i++)
		if (y->items[i]->kind == YAML_SCALAR)
			expr_names(expr_parse(r->store, NULL, y->items[i]), take_param, &p);
	return p.name;
}

static ad_node *site_weight(struct layer_site *site, struct wanted *want)
{
	struct recording *r = site->recording;
	const char *shared = shared_path(site, want->name);
	ad_node *node;
	bool made;

	want->path = shared ? shared : store_text(r->store, "%s.%s", site->weights, want->name);
	want->at = site->at;
	want->known = site->known || shared;
	if (!r->messages) {
		struct weight *w = find_weight(r, want->path);

		return w ? w->node : NULL;
	}
	want->param = param_of(r, site->call);
	/* A wrong init is no reason not to know the shapes of what follows. */
	struct init init = want->init;
	if (!want->buffer && site_init(site, want->name, &init))
		want->init = init;
	node = check_weight(r, want, &made);
	if (made && !want->buffer)
		site->parameters += ad_count(node);
	return node;
}

ad_node *model_weight(struct layer_site *site, const char *name, ad_shape shape, struct init init,
                      int64_t fan_in, int64_t fan_out)
{
	struct wanted want = { .name = name,
		               .shape = shape,
		               .init = init,
		               .fan_in = fan_in,
		               .fan_out = fan_out,
		               .type = AD_REAL };

	return site_weight(site, &want);
}

ad_node *model_buffer(struct layer_site *site, const char *name, ad_type type, ad_shape shape,
                      struct init init)
{
	struct wanted want = {
		.name = name, .shape = shape, .init = init, .type = type, .buffer = true
	};

	return site_weight(site, &want);
}

/* ---- declared by name ------------------------------------------------------------------------ */

/* A list of sizes, or the name of a param that is one. */
static bool declared_sizes(struct recording *r, const struct scope *in, const struct yaml *y, ad_shape *to)
{
	struct name *param = y->kind == YAML_SCALAR && !y->quoted ? scope_find(in, y->text) : NULL;
	const struct value *list = param && param->value.kind == VALUE_LIST ? &param->value : NULL;
	size_t n = list ? list->n : y->n;

	if (param)
		param->used = true;
	if (param && param->value.kind == VALUE_UNKNOWN)
		return false;
	if (!list && y->kind != YAML_LIST)
		return message(r->messages, E_TYPE, y->at, NULL,
		               "write [4, 3], or [] for a single number",
		               "'shape' is a list of sizes");
	if (n > AD_MAX_RANK)
		return message(r->messages, E_LIMIT, y->at, NULL, NULL, "a shape has at most %d axes",
		               AD_MAX_RANK);
	for (size_t i = 0; i < n; i++) {
		const struct yaml *d = list ? y : y->items[i];
		struct value v = list ? list->items[i] : field_of(r, in, d, "shape", "a size");

		if (!whole_of(r, v, d->at, "a size", d->text, 1, INT32_MAX, &to->dims[to->rank++]))
			return false;
	}
	return true;
}

/* The shape and initial values of {shape: [4, 3], init: xavier}, or of [4, 3]. */
static bool declared_array(struct recording *r, const struct scope *in, const struct yaml *key,
                           const struct yaml *y, struct wanted *want)
{
	const struct yaml *dims = y, *init = NULL;

	if (y->kind == YAML_MAP) {
		check_map(r, y, key->text, sizeof weight_keys / sizeof *weight_keys, weight_keys);
		dims = yaml_get(y, "shape");
		init = yaml_get(y, "init");
	}
	if (!dims)
		return misspelt(y, "shape", sizeof weight_keys / sizeof *weight_keys, weight_keys)
		           ? false
		           : message(r->messages, E_MISSING, key->at, NULL, "write {shape: [4, 3]}",
		                     "weight '%s' needs 'shape'", key->text);
	if (!declared_sizes(r, in, dims, &want->shape))
		return false;
	want->fan_out = want->shape.rank > 0 ? want->shape.dims[want->shape.rank - 1] : 1;
	/* A vector is a bias; x @ W takes a matrix as [in, out]. */
	want->fan_in = 1;
	for (int i = 0; i + 1 < want->shape.rank; i++)
		if (__builtin_mul_overflow(want->fan_in, want->shape.dims[i], &want->fan_in))
			want->fan_in = INT64_MAX / 4;
	want->init.kind = want->shape.rank < 2 ? INIT_ZEROS : INIT_XAVIER;
	return !init || init_of(r, in, init, &want->init);
}

ad_node *weight_declared(struct recording *r, const struct scope *in, const struct yaml *key,
                         const struct yaml *y)
{
	struct wanted want = { .path = store_text(r->store, "%s%s", r->level->weights, key->text),
		               .name = key->text,
		               .at = key->at,
		               .fan_in = 1,
		               .fan_out = 1,
		               .type = AD_REAL,
		               .known = r->level->known };
	double *value;
	bool made;

	if (!r->messages)
		return find_weight(r, want.path) ? find_weight(r, want.path)->node : NULL;
	if (y->kind == YAML_SCALAR) {
		value = store_take(r->store, sizeof *value);
		want.init = (struct init){ .kind = INIT_VALUES, .values = value, .n_values = 1 };
		if (!number_of(r, field_of(r, in, y, key->text, "a number or a shape"), y->at,
		               key->text, value))
			return NULL;
	} else if (!declared_array(r, in, key, y, &want)) {
		return NULL;
	}
	return check_weight(r, &want, &made);
}

/* ---- shared items ---------------------------------------------------------------------------- */

/* "a.b." -> "a."; "" -> NULL. */
static const char *outer_prefix(struct recording *r, const char *prefix)
{
	size_t n = strlen(prefix);

	if (n == 0)
		return NULL;
	for (n--; n > 0 && prefix[n - 1] != '.'; n--)
		;
	return store_copy(r->store, prefix, n);
}

void add_site(struct recording *r, const char *component, const struct kind *kind,
              const char *shared, struct place at)
{
	struct build *b = r->model->build;

	if (!r->messages || (r->again && !r->probing))
		return;
	scope_add(r->store, &b->sites, store_text(r->store, "%s%s", r->level->prefix, component),
	          NAME_VALUE, at, value_int((int64_t)b->n_sites));
	b->site_list = store_more(r->store, b->site_list, b->n_sites, sizeof *b->site_list);
	b->site_list[b->n_sites++] =
	    (struct site){ .kind = kind->name,
		           .weights = shared ? shared
		                             : store_text(r->store, "%s%s", r->level->weights,
		                                          component) };
}

static const struct name *site_at(const struct build *b, struct recording *r, const char *path, const char *copy)
{
	return scope_own(&b->sites, store_text(r->store, "%s%s", path, copy));
}

/* A copy shares with the copy of its number where the other item is repeated, too. */
const char *share_item(struct recording *r, const struct yaml *share, const struct kind *kind,
                       const char *component)
{
	const struct build *b = r->model->build;
	const char *near = NULL, *help = NULL, *copy = component ? strrchr(component, '[') : NULL;

	for (const char *prefix = r->level->prefix; prefix; prefix = outer_prefix(r, prefix)) {
		const char *path = store_text(r->store, "%s%s", prefix, share->text);
		const struct name *found = site_at(b, r, path, "");

		if (!found && copy)
			found = site_at(b, r, path, copy);
		const struct site *site = found ? &b->site_list[found->value.i] : NULL;
		if (!site && site_at(b, r, path, "[0]")) {
			message(r->messages, E_NAME, share->at, NULL,
			        store_text(r->store, "one of the copies: \"%s[0]\"", share->text),
			        copy ? "'%s' has fewer copies than this item: none is '%s%s'"
			             : "'%s' is repeated, and each copy has weights of its own",
			        share->text, share->text, copy);
			return NULL;
		}
		if (!site)
			continue;
		if (strcmp(site->kind, kind->name) == 0)
			return site->weights;
		if (kind->what == KIND_LAYER &&
		    scope_own(&b->paths, store_text(r->store, "%s.weight", site->weights)))
			help = store_text(r->store, "a single tensor is shared by {weight: %s.weight}", share->text);
		message(r->messages, E_TYPE, share->at, NULL, help,
		        "'%s' is '%s', this is '%s': they have not the same weights", share->text,
		        site->kind, kind->name);
		message_also(r->messages, found->at, "that item");
		return NULL;
	}
	const struct name *other = scope_nearest(r->messages, &b->sites, share->text, false);
	if (other)
		near = store_text(r->store, "did you mean '%s' (line %d)?", other->text,
		                  other->at.line);
	message(r->messages, E_NAME, share->at, near, NULL, "no item before this one is named '%s'",
	        share->text);
	return NULL;
}
