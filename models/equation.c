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
	struct kind kind;

	if (y->kind == YAML_SCALAR) {
		expr_names(expr_parse(q->r->store, NULL, y), found_name, q);
		return;
	}
	for (size_t i = 0; i < y->n; i++) {
		if (y->keys && (yaml_is(y->keys[i], "as") || yaml_is(y->keys[i], "note") ||
		                yaml_is(y->keys[i], "init")))
			continue;
		if (!y->keys && y->items[i]->kind == YAML_SCALAR &&
		    kind_find(q->r, q->body, y->items[i]->text, &kind))
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
	        "for a recurrence use 'scan', which carries state from step to step",
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
