/*
 * equation: a mapping of names to expressions and items, in any order: each is built after those
 * that it needs.
 */
#include "language.h"

#include <string.h>

/* An equation and the equations that it needs. */
struct equation {
	const struct yaml *key, *right;
	size_t n_names;
	const char **names; /* "i, f, g, o" */
	size_t n_needs;
	struct need {
		size_t which;
		struct place at;
		bool shares; /* its weights only */
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
	struct scope *body;
};

static void add_need(struct equations *q, const char *text, struct place at, bool shares)
{
	struct name *other = scope_own(&q->names, text);
	struct equation *e = q->current;

	if (!other)
		return;
	e->needs = store_more(q->r->store, e->needs, e->n_needs, sizeof *e->needs);
	e->needs[e->n_needs++] = (struct need){ (size_t)other->value.i, at, shares };
}

static void found_name(void *to, const struct expr *name)
{
	add_need(to, name->text, name->at, false);
}

static void expression_names(struct equations *q, const struct yaml *y)
{
	if (y->kind == YAML_SCALAR)
		expr_names(expr_parse(q->r->store, NULL, y), found_name, q);
	for (size_t i = 0; y->kind != YAML_SCALAR && i < y->n; i++)
		expression_names(q, y->items[i]);
}

/* `share: a.l`, `share: {weight: a.weight}`: paths, which begin with the name of an item. */
static void shared_names(struct equations *q, const struct yaml *y)
{
	if (y->kind == YAML_SCALAR)
		add_need(q, store_copy(q->r->store, y->text, strcspn(y->text, ".[")), y->at, true);
	for (size_t i = 0; y->kind != YAML_SCALAR && i < y->n; i++)
		shared_names(q, y->items[i]);
}

static void item_names(struct equations *q, const struct yaml *y);

/* Whether the argument `name`, here the word y, is a keyword or what a kind is called: no name of a value. */
static bool is_word(const struct kind *kind, const ad_attr *table, const char *name, const struct yaml *y)
{
	const ad_attr *attr = table ? attr_find(table, name) : NULL;

	if (y->kind != YAML_SCALAR)
		return false;
	for (size_t k = 0; kind->what == KIND_BLOCK && k < kind->block->n_params; k++)
		if (strcmp(kind->block->params[k].name, name) == 0)
			return word_in("op block str", kind->block->params[k].type);
	if (kind->what >= KIND_CHAIN)
		return word_in("cell join skip", name) || word_in("zeros ones", y->text);
	return attr && (attr->type == AD_WORD || word_in(attr->choice, y->text));
}

/* The names in the arguments of an op, layer, block, or of what holds items. */
static void argument_names(struct equations *q, const struct kind *kind, const struct yaml *y)
{
	const ad_attr *table = kind->what == KIND_LAYER ? kind->layer->attrs
	                       : kind->what == KIND_OP  ? ad_op_attrs(kind->op)
	                                                : NULL;
	const char *blocks = kind->what == KIND_LAYER ? kind->layer->blocks : NULL;

	if (y->kind != YAML_MAP) {
		if (y->kind == YAML_LIST && kind->what >= KIND_CHAIN)
			item_names(q, y);
		else if (!table || !table->name || !is_word(kind, table, table->name, y))
			expression_names(q, y);
		return;
	}
	for (size_t i = 0; i < y->n; i++) {
		const char *name = y->keys[i]->text;

		if (is_word(kind, table, name, y->items[i]))
			continue;
		if (kind->what == KIND_SCAN && y->items[i]->kind == YAML_MAP)
			argument_names(q, kind, y->items[i]); /* args, state */
		else if (kind->what >= KIND_CHAIN || word_in(blocks, name))
			item_names(q, y->items[i]);
		else
			expression_names(q, y->items[i]);
	}
}

/* The names in an item, or in lists of items. */
static void item_names(struct equations *q, const struct yaml *y)
{
	struct kind kind;

	if (y->kind == YAML_SCALAR) {
		expression_names(q, y);
		return;
	}
	for (size_t i = 0; i < y->n; i++) {
		const struct yaml *key = y->keys ? y->keys[i] : NULL, *item = y->items[i];

		if (key && word_in("as note init", key->text))
			continue;
		if (key && yaml_is(key, "share"))
			shared_names(q, item);
		else if (key && !is_item_key(key->text) && kind_find(q->r, q->body, key->text, &kind))
			argument_names(q, &kind, item);
		else if (key || item->kind != YAML_SCALAR || !kind_find(q->r, q->body, item->text, &kind))
			item_names(q, item);
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
	bool shares = false;
	for (size_t i = from; i < n; i++)
		shares = shares || q->list[stack[i]].needs[q->list[stack[i]].next - 1].shares;
	message(r->messages, E_CYCLE, e->needs[e->next - 1].at, NULL,
	        shares ? "of items that share weights the first one owns them: put 'share' on the others"
	               : "for a recurrence use 'scan', which carries state from step to step",
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

static struct value build_equation(struct recording *r, struct scope *body, struct equation *e)
{
	const char *name = e->n_names > 0 ? e->names[0] : e->key->text;
	const char *path = store_text(r->store, "%s%s", r->level->prefix, name);
	struct value v;

	if (e->cyclic)
		return unknown;
	if (e->right->kind == YAML_MAP) {
		const struct yaml *as = yaml_get(e->right, "as");

		if (as)
			message(r->messages, E_KEY, as->at, NULL, NULL,
			        "an equation's result is named by its left side, not by 'as'");
		return build_item(r, body, e->right, name, (struct value){ .kind = VALUE_NULL });
	}
	if (e->right->kind == YAML_LIST) {
		message(r->messages, E_TYPE, e->right->at, NULL, "write {chain: [...], from: x}",
		        "an equation's right side is an expression or an item, not a list");
		return unknown;
	}
	r->n_reads = 0;
	r->whole = expr_parse(r->store, NULL, e->right);
	r->whole_name = name;
	v = eval_yaml(r, body, e->right);
	r->whole = NULL;
	if (v.kind == VALUE_NULL) {
		message(r->messages, E_MISSING, e->key->at, NULL, NULL, "'%s' has no right side",
		        name);
		return unknown;
	}
	if (v.kind == VALUE_NODE && v.from == NULL) {
		v.from = item_origin(r, name, path, e->key->at);
		add_row(r, path, ad_op_of(v.node) ? ad_op_of(v.node) : "value", v, 0);
	}
	return v;
}

static void name_left(struct recording *r, struct scope *body, struct equation *e, struct value v)
{
	if (e->n_names > 1 && v.kind == VALUE_NODE && value_results(v) != e->n_names) {
		message(r->messages, E_TYPE, e->key->at, NULL, NULL, "%zu names for %zu result%s",
		        e->n_names, value_results(v), value_results(v) == 1 ? "" : "s");
		v = unknown;
	}
	for (size_t i = 0; i < e->n_names; i++) {
		struct yaml as = *e->key;

		as.text = e->names[i];
		if (!scope_own(body, as.text))
			name_value(r, body, &as, e->n_names > 1 ? value_result(v, i) : v);
	}
}

/* A mapping: equations in any order. The result is that of the last one in the file. */
struct value build_equations(struct recording *r, struct scope *body, const struct yaml *map)
{
	struct equations q = { .r = r, .n = map->n, .body = body };
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
		struct value v = build_equation(r, body, e);

		name_left(r, body, e, v);
		if (order[i] + 1 == map->n)
			last = v;
	}
	return last;
}
