/*
 * item: one entry of a chain: an op, layer or block with its arguments, and the reserved words
 * around it: how often, when, from what, under which name.
 */
#include "language.h"

#include <string.h>

static const char *const item_keys[] = { "as",   "from",  "repeat", "each",
	                                 "when", "share", "freeze", "lr_scale",
	                                 "init", "shape", "note",   "checkpoint" };

#define COUNT(list) (sizeof(list) / sizeof *(list))

bool is_item_key(const char *word)
{
	for (size_t k = 0; k < COUNT(item_keys); k++)
		if (strcmp(item_keys[k], word) == 0)
			return true;
	return false;
}

/* ---- taken apart ----------------------------------------------------------------------------- */

static bool is_kind(struct recording *r, const struct scope *in, const char *name)
{
	struct kind kind;

	return kind_find(r, in, name, &kind);
}

/* Whether the key is an argument of the item's op, layer or block, beside it instead of below it; said. */
static bool beside(struct recording *r, const struct scope *in, const struct yaml *op, const struct yaml *arg,
                   const struct yaml *key)
{
	struct kind kind;
	const ad_attr *table = NULL;
	bool found = false;

	if (!kind_find(r, in, op->text, &kind))
		return false;
	if (kind.what == KIND_LAYER)
		table = kind.layer->attrs;
	else if (kind.what == KIND_OP)
		table = ad_op_attrs(kind.op);
	const char *primary = table ? table->name : NULL;
	for (; table && table->name; table++)
		found = found || strcmp(table->name, key->text) == 0;
	for (size_t k = 0; kind.what == KIND_BLOCK && k < kind.block->n_params; k++)
		found = found || strcmp(kind.block->params[k].name, key->text) == 0;
	if (kind.what == KIND_BLOCK && kind.block->n_params > 0)
		primary = kind.block->params[0].name;
	if (!found)
		return false;
	const bool single = arg->kind == YAML_SCALAR && !yaml_is_null(arg) && strcmp(primary, key->text) != 0;
	return !message(r->messages, E_KEY, key->at, NULL,
	                store_text(r->store, "write {%s: {%s%s: ...}}, or indent it by two columns more than '%s:'",
	                           op->text,
	                           single ? store_text(r->store, "%s: %s, ", primary, arg->text) : "", key->text,
	                           op->text),
	                "'%s' is an argument of '%s': it stands below it, not beside it", key->text, op->text);
}

/* Takes a mapping apart: exactly one key is an op; the others are reserved words. */
static bool open_map(struct recording *r, const struct scope *in, const struct yaml *y,
                     struct item *to)
{
	const struct yaml **fields[] = { &to->as,   &to->from,  &to->repeat, &to->each,
		                         &to->when, &to->share, &to->freeze, &to->lr_scale,
		                         &to->init, &to->shape, NULL,        &to->checkpoint };
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
		} else if (!to->key) {
			to->key = key;
			to->arg = y->items[i];
		} else if (is_kind(r, in, key->text) && !is_kind(r, in, to->key->text)) {
			other = to->key;
			to->key = key;
			to->arg = y->items[i];
		} else if (!other) {
			other = key;
		}
	}
	if (other && is_kind(r, in, other->text)) {
		message(r->messages, E_KEY, other->at, NULL,
		        "put each into an item of its own, '- ' before it",
		        "an item has one op; this one has '%s' and '%s'", to->key->text,
		        other->text);
		return false;
	}
	if (other) {
		if (!beside(r, in, to->key, to->arg, other))
			unknown_key(r->messages, other, "an item", COUNT(item_keys), item_keys);
		good = false;
	}
	if (!to->key && good)
		message(r->messages, E_MISSING, y->at, NULL,
		        to->repeat && y->n == 1
		            ? "'repeat' is a word of the language here; the op is called in an "
		              "expression, repeat(x, ...)"
		            : "write for instance {linear: 64, as: h}",
		        "an item needs an op");
	return to->key != NULL && good;
}

/* Whether the name is that of a param whose value is not known. */
static bool is_unknown(const struct scope *in, const char *name)
{
	struct name *found = scope_find(in, name);

	if (!found || found->kind != NAME_ARGUMENT || found->value.kind != VALUE_UNKNOWN)
		return false;
	found->used = true;
	return true;
}

bool open_item(struct recording *r, const struct scope *in, const struct yaml *y, struct item *to)
{
	*to = (struct item){ .at = y };
	if (y->kind == YAML_LIST)
		return message(r->messages, E_TYPE, y->at, NULL, "write {chain: [...]}",
		               "an item is an op or a mapping, not a list");
	if (y->kind == YAML_MAP) {
		if (!open_map(r, in, y, to))
			return false;
	} else {
		to->key = y;
		if (yaml_is_null(y))
			return message(r->messages, E_MISSING, y->at, NULL, NULL, "an empty item");
	}
	if (to->each && to->each->kind == YAML_MAP && yaml_get(to->each, to->key->text)) {
		to->kind = (struct kind){ .what = KIND_OP, .name = to->key->text };
		to->varies = true;
		return true;
	}
	if (kind_find(r, in, to->key->text, &to->kind))
		return true;
	if (is_unknown(in, to->key->text))
		return false;
	if (r->messages)
		say_op(r, to->key->at, to->key->text, AS_ITEM);
	else
		ad_fail(r->graph, AD_ERROR_ARGUMENT, "no op or block named '%s'", to->key->text);
	return false;
}

/* ---- levels of paths ------------------------------------------------------------------------- */

struct level level_below(struct recording *r, const char *component, const char *shared,
                         struct place at)
{
	const struct level *up = r->level;
	struct level own = { .prefix = up->prefix,
		             .weights = up->weights,
		             .depth = up->depth + 1,
		             .known = up->known || shared };

	if (component) {
		own.prefix = store_text(r->store, "%s%s.", up->prefix, component);
		own.weights = store_text(r->store, "%s%s.", up->weights, component);
		if (strlen(own.prefix) > LONGEST_PATH || strlen(own.weights) > LONGEST_PATH) {
			message(
			    r->messages, E_LIMIT, at, NULL,
			    "give shorter names; a block that uses itself ends by 'when: level < "
			    "depth'",
			    "the path '%.40s...' is longer than %d bytes", own.prefix,
			    LONGEST_PATH);
			own.prefix = own.weights = "";
			own.too_long = true;
		}
	}
	if (shared)
		own.weights = store_text(r->store, "%s.", shared);
	return own;
}

const char *next_component(struct recording *r, const char *kind, struct place at)
{
	const char *dot = strrchr(kind, '.'); /* a block of an included file */
	struct name *count;

	kind = dot ? dot + 1 : kind;
	count = scope_own(&r->level->counts, kind);
	if (!count)
		count = scope_add(r->store, &r->level->counts, kind, NAME_VALUE, at, value_int(0));
	if (++count->value.i == 1)
		return kind;
	return store_text(r->store, "%s_%lld", kind, (long long)count->value.i);
}

/* The path component of an item: its name, or its op's name with a number from the second on. NULL
 * for a chain or residual that adds nothing to a path. */
static const char *component_of(struct recording *r, const struct item *item, const char *name)
{
	bool composition = item->kind.what == KIND_CHAIN || item->kind.what == KIND_RESIDUAL;

	if (name)
		return name;
	if (composition && !item->repeat && !item->each && !item->share)
		return NULL;
	return next_component(r, item->kind.name, item->key->at);
}

/* ---- what is read ---------------------------------------------------------------------------- */

static void take_prev(void *to, const struct expr *name)
{
	bool *found = to;

	*found = *found || strcmp(name->text, "prev") == 0;
}

static bool names_prev(struct recording *r, const struct yaml *y)
{
	bool found = false;

	if (y->kind == YAML_SCALAR)
		expr_names(expr_parse(r->store, NULL, y), take_prev, &found);
	for (size_t i = 0; y->kind == YAML_LIST && i < y->n; i++)
		found = found || names_prev(r, y->items[i]);
	return found;
}

/* The values that an item reads: `from`, or what stands before it. Of copies the first one reads `from`, and each
 * further one the copy before it in the place of the first of these, unless `from` itself says where prev goes. */
static void item_inputs(struct call *c, const struct item *item, struct value prev)
{
	const struct yaml *from = item->from;
	const bool chained = !from || (item->begun && *item->begun && !names_prev(c->r, from));

	if (!from && call_lists_all(c))
		return;
	if (chained) {
		if (prev.kind == VALUE_NODE)
			read_origin(c->r, prev.from);
		call_input(c, prev);
	}
	for (size_t i = chained; from && from->kind == YAML_LIST && i < from->n; i++)
		call_input(c, eval_yaml(c->r, c->in, from->items[i]));
	if (from && from->kind != YAML_LIST && !chained)
		call_input(c, eval_yaml(c->r, c->in, from));
}

/* The one input of a chain, a residual or a parallel. */
static struct value only_input(struct call *c, const struct item *item)
{
	if (c->n_in != 1) {
		message(c->r->messages, E_TYPE, item->from->at, NULL, NULL,
		        "'%s' takes one input, not %zu", c->name, c->n_in);
		return unknown;
	}
	if (!c->known)
		return unknown;
	/* An expression has no name of its own; what it reads stands for it. */
	if (c->inputs[0].kind == VALUE_NODE && !c->inputs[0].from)
		c->inputs[0].from = reads_origin(c->r, item->from ? item->from->at : item->key->at);
	return c->inputs[0];
}

/* ---- what holds for its weights -------------------------------------------------------------- */

/* What `init`, `share`, `freeze`, `lr_scale` say; false after a message. */
static bool weight_words(struct call *c, const struct item *item, const char *component)
{
	struct recording *r = c->r;
	const char *kind = item->kind.name;
	bool op = item->kind.what == KIND_OP, layer = item->kind.what == KIND_LAYER, flag;
	const struct yaml *of_weights[] = { item->init, item->share, item->freeze, item->lr_scale };
	static const char *const words[] = { "init", "share", "freeze", "lr_scale" };

	for (size_t k = 0; k < COUNT(words); k++)
		if (op && of_weights[k])
			return message(r->messages, E_KEY, of_weights[k]->at, NULL, NULL,
			               "'%s' has no weights that '%s' could be for", kind,
			               words[k]);
	if (item->init && !layer)
		return message(r->messages, E_KEY, item->init->at, NULL,
		               "give it to the items inside",
		               "'%s' has no weights of its own that 'init' could be for", kind);
	c->init = item->init;
	c->init_scope = c->in;
	if (item->share && item->share->kind == YAML_SCALAR && !yaml_is_null(item->share)) {
		c->shared = share_item(r, item->share, &item->kind, component);
		if (!c->shared)
			return false;
	} else if (item->share && item->share->kind == YAML_MAP && layer) {
		c->share = item->share;
		c->share_used = store_take(r->store, item->share->n * sizeof *c->share_used);
	} else if (item->share) {
		return message(
		    r->messages, E_TYPE, item->share->at, NULL,
		    "write share: NAME, or for single tensors of a layer share: {weight: "
		    "tok.weight}",
		    "'share' names an item%s", layer ? " or tensors" : "");
	}
	if (item->freeze) {
		if (!known_before(r, c->in, item->freeze, "freeze") ||
		    !flag_of(r, c->in, item->freeze, "freeze", &flag))
			return false;
		r->frozen = r->frozen || flag;
	}
	if (item->lr_scale) {
		double scale;

		if (!known_before(r, c->in, item->lr_scale, "lr_scale") ||
		    !number_of(r, field_of(r, c->in, item->lr_scale, "lr_scale", "a number"),
		               item->lr_scale->at, "lr_scale", &scale))
			return false;
		if (!(scale >= 0))
			return message(r->messages, E_RANGE, item->lr_scale->at, NULL, NULL,
			               "'lr_scale' must be 0 or more, not %g", scale);
		r->lr_scale *= scale;
	}
	return true;
}

/* Single tensors that `share` names must be there. */
static bool check_shared(struct recording *r, const struct call *c)
{
	const struct build *b = r->model->build;
	bool good = true;

	for (size_t i = 0; c->share && r->messages && i < c->share->n; i++) {
		const struct yaml *y = c->share->items[i];
		const char *own = store_text(r->store, "%s%s", r->level->weights, y->text);

		if (y->kind == YAML_SCALAR &&
		    (scope_own(&b->paths, own) || scope_own(&b->paths, y->text)))
			continue;
		struct name *near = y->kind == YAML_SCALAR
		                        ? scope_nearest(r->messages, &b->paths, y->text, false)
		                        : NULL;
		message(r->messages, E_NAME, y->at,
		        near ? store_text(r->store, "did you mean '%s'?", near->text) : NULL,
		        "a path such as tok.weight names a weight that was made before",
		        "no weight has the path '%s'", y->kind == YAML_SCALAR ? y->text : "");
		good = false;
	}
	return good;
}

/* What the layer has not asked for is none of its weights. */
static void check_share_used(struct recording *r, const struct call *c)
{
	for (size_t i = 0; c->share && r->messages && i < c->share->n; i++)
		if (!c->share_used[i])
			message(r->messages, E_KEY, c->share->keys[i]->at, NULL, NULL,
			        "'%s' has no weight '%s' that could be shared", c->name,
			        c->share->keys[i]->text);
}

/* ---- built ----------------------------------------------------------------------------------- */

/* Compares a result with the item's `shape:`. A name that stands for nothing yet is a free dim. */
static bool assert_shape(struct recording *r, const struct scope *in, struct scope *body,
                         const struct yaml *y, struct value v)
{
	ad_shape want = { .rank = (int)y->n }, have;

	if (y->kind != YAML_LIST || y->n > AD_MAX_RANK)
		return message(r->messages, E_TYPE, y->at, NULL, "write [B, 10]",
		               "'shape' is a list of at most %d sizes", AD_MAX_RANK);
	if (v.kind != VALUE_NODE)
		return false;
	have = ad_shape_of(v.node);
	for (size_t i = 0; i < y->n; i++) {
		const struct yaml *d = y->items[i];

		if (d->kind == YAML_SCALAR && is_name(d->text) && !scope_find(in, d->text) &&
		    i < (size_t)have.rank) {
			struct name *near = scope_nearest(r->messages, in, d->text, false);

			if (near && near->kind <= NAME_PARAM && strlen(d->text) > 2 && r->messages)
				message_warning(r->messages, d->at,
				                "'%s' is a new dim here; is '%s' meant?", d->text,
				                near->text);
			scope_add(r->store, body, d->text, NAME_DIM, d->at,
			          value_int(have.dims[i]));
		}
		if (!whole_of(r, eval_yaml(r, in, d), d->at, "a size", NULL, 1, INT64_MAX,
		              &want.dims[i]))
			return false;
	}
	if (same_shape(have, want))
		return true;
	message(r->messages, E_SHAPE, y->at, NULL, NULL, "the shape is %s, not %s",
	        shape_text(r, have), shape_text(r, want));
	if (v.from)
		message_note(r->messages, v.from->at, "the result %s", v.from->what);
	if (!r->messages)
		ad_fail(r->graph, AD_ERROR_SHAPE, "an item has not the shape that it should have");
	return false;
}

static struct value build_leaf(struct call *c, const struct item *item, const char *component)
{
	struct recording *r = c->r;
	const char *path = store_text(r->store, "%s%s", r->level->prefix, component);
	struct value y = unknown;

	call_take(c);
	call_complete(c);
	if (c->init && r->messages)
		init_check(r, c->init_scope, c->init);
	if (item->init && c->shared)
		message_warning(r->messages, item->init->at,
		                "'init' has no effect on weights that are shared: give it to '%s'", c->shared);
	if (c->known && check_shared(r, c)) {
		y = call_build(c, component);
		if (y.kind == VALUE_NODE)
			check_share_used(r, c);
		/* what `defaults` say is for weights that some items have not */
		const struct yaml *inner = item->arg && item->arg->kind == YAML_MAP ? yaml_get(item->arg, "init") : NULL;
		if (y.kind == VALUE_NODE && c->init && (c->init == item->init || c->init == inner) && r->messages)
			init_check_names(r, c->name, c->init, c->n_asked, c->asked);
	}
	if (y.kind == VALUE_NODE)
		y.from = item_origin(r, component, path, item->key->at);
	add_row(r, path, item->kind.name, y, c->parameters);
	return y;
}

/* `checkpoint: true`: what is recorded next is computed again by the backward pass rather than kept. True:
 * it has begun. */
static bool open_checkpoint(struct recording *r, const struct scope *in, const struct item *item)
{
	bool on = false;

	if (!item->checkpoint)
		return false;
	if (item->kind.what == KIND_OP || item->kind.what == KIND_LAYER)
		return message(r->messages, E_KEY, item->checkpoint->at, NULL,
		               "put the items into a chain: {chain: [...], checkpoint: true}",
		               "'checkpoint' is for items that hold others, not for '%s'",
		               item->kind.name);
	if (!flag_of(r, in, item->checkpoint, "checkpoint", &on) || !on)
		return false;
	ad_checkpoint_begin(r->graph);
	return true;
}

static struct value build_kind(struct call *c, const struct item *item, const char *component,
                               struct value prev)
{
	struct recording *r = c->r;
	struct level own, *outer = r->level;
	struct value y, x;

	item_inputs(c, item, prev);
	if (item->kind.what < KIND_BLOCK)
		return build_leaf(c, item, component);
	if (item->kind.what == KIND_BLOCK) {
		call_take(c);
		call_complete(c);
		return c->known ? build_block(c, component) : unknown;
	}
	/* What adds nothing to paths counts with the items around it. */
	if (component) {
		own = level_below(r, component, c->shared, item->key->at);
		if (own.too_long)
			return unknown;
		r->level = &own;
		ad_scope_begin(r->graph, component);
	} else {
		outer->depth++;
	}
	if (item->kind.what == KIND_SCAN) {
		y = c->known ? build_scan(r, c->in, item, component, c->n_in, c->inputs) : unknown;
	} else {
		x = only_input(c, item);
		y = item->kind.what == KIND_CHAIN ? build_chain(r, c->in, item, component, x)
		    : item->kind.what == KIND_RESIDUAL
		        ? build_residual(r, c->in, item, component, x)
		        : build_parallel(r, c->in, item, component, x);
	}
	if (component)
		ad_scope_end(r->graph);
	else
		outer->depth--;
	r->level = outer;
	return y;
}

static bool happens(struct recording *r, const struct scope *in, const struct yaml *when, bool *on)
{
	struct value v;

	*on = true;
	if (!when)
		return true;
	if (!known_before(r, in, when, "when"))
		return false;
	v = field_of(r, in, when, "when", "true or false");
	if (v.kind == VALUE_UNKNOWN)
		return r->probing;
	if (!value_is_number(v)) {
		wrong(r, E_TYPE, when->at, "'when' wants true or false, not %s", value_text(r, v));
		return false;
	}
	*on = v.r != 0;
	return true;
}

static struct value build_copy(struct recording *r, const struct scope *in, struct scope *body,
                               const struct item *item, const char *component, struct value prev)
{
	struct call c = { .r = r,
		          .in = in,
		          .kind = item->kind,
		          .name = item->key->text,
		          .at = item->key->at,
		          .span = item->from ? item->from->at : item->key->at,
		          .arg = item->arg,
		          .known = true };
	struct value outer = r->prev, y = unknown;
	const bool frozen = r->frozen;
	const double lr_scale = r->lr_scale;
	bool on;

	r->n_reads = 0;
	r->prev = prev;
	if (!count_step(r, item->key->at) || !happens(r, in, item->when, &on)) {
		r->prev = outer;
		return unknown;
	}
	if (!on) {
		if (prev.kind == VALUE_NULL && item->from) {
			item_inputs(&c, item, prev);
			prev = c.n_in > 0 ? c.inputs[0] : prev;
		}
		r->prev = outer;
		return prev;
	}
	if (weight_words(&c, item, component)) {
		bool opened = open_checkpoint(r, in, item);

		if (component)
			add_site(r, component, &item->kind, c.shared, item->key->at);
		y = build_kind(&c, item, component, prev);
		if (opened)
			ad_checkpoint_end(r->graph);
	}
	if (item->begun)
		*item->begun = true;
	r->frozen = frozen;
	r->lr_scale = lr_scale;
	r->prev = outer;
	if (item->shape && !assert_shape(r, in, body, item->shape, y))
		return unknown;
	return y;
}

/* ---- copies ---------------------------------------------------------------------------------- */

/* How often an item is built, and what its counters are each time. */
struct copies {
	int64_t n;
	const char *counter; /* "i" */
	struct place at;
	size_t n_lists; /* of `each` */
	const struct yaml **names;
	struct value *lists;
};

/* `repeat: n`, `repeat: {j: n}`. */
static bool repeat_of(struct recording *r, const struct scope *in, const struct yaml *y,
                      struct copies *to)
{
	if (y->kind == YAML_MAP && y->n == 1) {
		if (!check_name(r, y->keys[0], "a counter"))
			return false;
		to->counter = y->keys[0]->text;
		to->at = y->keys[0]->at;
		y = y->items[0];
	}
	if (y->kind == YAML_MAP)
		return message(r->messages, E_TYPE, y->at, NULL, "write repeat: {j: 3}",
		               "'repeat' has one counter, not %zu", y->n);
	if (!known_before(r, in, y, "repeat"))
		return false;
	struct value v = field_of(r, in, y, "repeat", "a whole number");
	to->n = 1;
	if (v.kind == VALUE_UNKNOWN && r->probing)
		return true;
	return whole_of(r, v, y->at, "repeat", y->text, 0, r->messages ? MOST_STEPS : INT32_MAX,
	                &to->n);
}

/* `each: {c: [16, 32], s: [1, 2]}`: lists of one length, side by side. */
static bool each_of(struct recording *r, const struct scope *in, const struct yaml *y,
                    struct copies *to)
{
	if (y->kind != YAML_MAP || y->n == 0)
		return message(r->messages, E_TYPE, y->at, NULL, "write {c: [16, 32], s: [1, 2]}",
		               "'each' is a mapping of names to lists");
	to->names = store_take(r->store, y->n * sizeof(*to->names));
	to->lists = store_take(r->store, y->n * sizeof *to->lists);
	for (size_t k = 0; k < y->n; k++) {
		struct value v = eval_loose(r, in, y->items[k]);

		if (!check_name(r, y->keys[k], "a counter") || v.kind == VALUE_UNKNOWN)
			return false;
		if (v.kind != VALUE_LIST)
			return message(r->messages, E_TYPE, y->items[k]->at, NULL,
			               "write {c: [16, 32], s: [1, 2]}",
			               "'each' goes through lists; '%s' is %s", y->keys[k]->text,
			               value_text(r, v));
		if (k > 0 && v.n != to->lists[0].n)
			return message(
			    r->messages, E_RANGE, y->items[k]->at, NULL, NULL,
			    "'each' takes its lists side by side, but '%s' has %zu and '%s' "
			    "has %zu",
			    y->keys[0]->text, to->lists[0].n, y->keys[k]->text, v.n);
		to->names[k] = y->keys[k];
		to->lists[k] = v;
	}
	to->n_lists = y->n;
	to->n = (int64_t)to->lists[0].n;
	return true;
}

static struct value build_copies(struct recording *r, struct scope *body, const struct item *item,
                                 const char *component, struct value prev)
{
	const struct yaml *many = item->repeat ? item->repeat : item->each;
	struct copies copies = { .counter = "i", .at = many->at };
	bool begun = false;

	if (item->repeat && item->each) {
		message(r->messages, E_KEY, item->each->at, NULL,
		        "put one of them on a chain around the item",
		        "an item has 'repeat' or 'each', not both");
		return unknown;
	}
	if (item->repeat ? !repeat_of(r, body, many, &copies) : !each_of(r, body, many, &copies))
		return unknown;
	for (int64_t i = 0; i < copies.n && !r->stopped; i++) {
		struct scope *own = store_take(r->store, sizeof *own); /* a layer may keep it */

		own->up = body;
		scope_add(r->store, own, copies.counter, NAME_COUNTER, copies.at, value_int(i));
		for (size_t k = 0; k < copies.n_lists; k++)
			scope_add(r->store, own, copies.names[k]->text, NAME_COUNTER,
			          copies.names[k]->at, copies.lists[k].items[i]);
		struct item copy = *item;
		copy.begun = &begun;
		if (item->varies && !kind_find(r, own, item->key->text, &copy.kind)) {
			say_op(r, item->key->at, item->key->text, AS_ITEM);
			return unknown;
		}
		prev = build_copy(r, own, body, &copy,
		                  store_text(r->store, "%s[%lld]", component, (long long)i), prev);
	}
	return prev;
}

/* ---- named ----------------------------------------------------------------------------------- */

static void name_results(struct recording *r, struct scope *body, const struct item *item,
                         struct value v)
{
	const struct yaml *as = item->as;

	if (as->kind == YAML_SCALAR) {
		if (v.kind == VALUE_NODE && v.from && strchr(v.from->what, '\'') &&
		    item->kind.what >= KIND_BLOCK)
			v.from->what = store_text(r->store, "comes from '%s'", as->text);
		name_value(r, body, as, v);
		return;
	}
	if (as->kind != YAML_LIST) {
		message(r->messages, E_TYPE, as->at, NULL, NULL,
		        "'as' takes a name or a list of names");
		return;
	}
	for (size_t k = 0; k < as->n; k++) {
		if (v.kind == VALUE_NODE && k >= value_results(v))
			message(r->messages, E_TYPE, as->items[k]->at, NULL, NULL,
			        "'%s' has %zu result%s", item->key->text, value_results(v),
			        value_results(v) == 1 ? "" : "s");
		if (as->items[k]->kind == YAML_SCALAR)
			name_value(r, body, as->items[k], value_result(v, k));
		else
			message(r->messages, E_TYPE, as->items[k]->at, NULL, NULL,
			        "'as' takes a name or a list of names");
	}
}

static struct value build_opened(struct recording *r, struct scope *body, struct item *item,
                                 const char *name, struct value prev)
{
	const char *component;
	struct value v;

	/* A name that is taken is said before it would be a path that is taken, too. */
	if (item->as && item->as->kind == YAML_SCALAR && !name && scope_own(body, item->as->text)) {
		name_value(r, body, item->as, unknown);
		item->as = NULL;
	}
	if (item->as && item->as->kind == YAML_SCALAR && !name)
		name = item->as->text;
	component = component_of(r, item, name);
	v = item->repeat || item->each ? build_copies(r, body, item, component, prev)
	                               : build_copy(r, body, body, item, component, prev);
	if (item->as)
		name_results(r, body, item, v);
	return v;
}

struct value build_item(struct recording *r, struct scope *body, const struct yaml *y,
                        const char *name, struct value prev)
{
	struct item item;
	struct value v = unknown;

	if (!go_deeper(r, y->at))
		return unknown;
	if (open_item(r, body, y, &item))
		v = build_opened(r, body, &item, name, prev);
	else if (item.as && item.as->kind == YAML_SCALAR)
		name_value(r, body, item.as, unknown);
	r->nested--;
	return v;
}

struct value build_items(struct recording *r, struct scope *body, const struct yaml *list,
                         struct value prev)
{
	for (size_t i = 0; i < list->n; i++)
		prev = build_item(r, body, list->items[i], NULL, prev);
	return prev;
}

struct value build_body(struct recording *r, struct scope *body, const struct yaml *y,
                        struct value prev)
{
	return y->kind == YAML_MAP ? build_equations(r, body, y) : build_items(r, body, y, prev);
}
