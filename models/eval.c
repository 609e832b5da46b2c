/*
 * eval: expressions -> values: numbers exactly, tensors as nodes of the graph.
 */
#include "language.h"

#include <string.h>

static struct value eval_binary(struct recording *r, const struct scope *in, const struct expr *e)
{
	struct value v[2] = { eval(r, in, e->args[0]), eval(r, in, e->args[1]) };

	if (v[0].kind == VALUE_UNKNOWN || v[1].kind == VALUE_UNKNOWN)
		return unknown;
	for (int i = 0; i < 2; i++)
		if (!value_is_number(v[i]) && v[i].kind != VALUE_NODE)
			return wrong(r, E_TYPE, e->args[i]->span,
			             "'%s' takes numbers and tensors, not %s", binary_sign(e->op),
			             value_text(r, v[i]));
	if (value_is_number(v[0]) && value_is_number(v[1]))
		return number_binary(r, e, v[0], v[1]);
	if (e->op == POW && value_is_number(v[1])) {
		if (v[1].r == 2)
			return record(r, "square", e->at, e->span, 1, v, 0, NULL);
		ad_setting exponent = { .name = "exponent", .type = AD_NUM, .r = v[1].r };
		return record(r, "pow_scalar", e->at, e->span, 1, v, 1, &exponent);
	}
	if (e->op == FLOOR_DIV) {
		struct value q = record(r, "div", e->at, e->span, 2, v, 0, NULL);
		return record(r, "floor", e->at, e->span, 1, &q, 0, NULL);
	}
	return record(r, op_of_sign(e->op), e->at, e->span, 2, v, 0, NULL);
}

void read_origin(struct recording *r, struct origin *o)
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

/* Why a name of the model is not seen in a block; NULL: it is no such name. */
static const char *not_in_blocks(struct recording *r, const char *text)
{
	const ad_model *m = r->model;
	const struct yaml *weights = m->build->weights,
			  *params = yaml_get(m->build->root, "params");
	bool there = weights && weights->kind == YAML_MAP && yaml_get(weights, text);

	if (r->blocks == 0)
		return NULL;
	if (*r->space && params && yaml_get(params, text))
		return store_text(
		    r->store,
		    "a block of an included file sees its own params only: give it '%s' "
		    "as one",
		    text);
	for (int i = 0; i < m->n_inputs; i++)
		there = there || strcmp(m->inputs[i].name, text) == 0;
	return there
	           ? store_text(r->store,
	                        "a block sees its own names and the file's params: give it '%s' as "
	                        "an input",
	                        text)
	           : NULL;
}

/* Whether the component of a path is that of a kind: "linear", "linear_2" of linear. */
static bool is_of_kind(const char *component, const char *kind)
{
	const char *dot = strrchr(kind, '.');

	kind = dot ? dot + 1 : kind;
	const size_t n = strlen(kind);
	if (strncmp(component, kind, n) != 0)
		return false;
	component += n;
	return !*component || (*component == '_' && !component[1 + strspn(component + 1, "0123456789")]);
}

/* What helps where an item of this body has the name for its path: one without `as`, or one of a list inside. */
static const char *help_of_item(struct recording *r, const char *text)
{
	const ad_model *m = r->model;
	const size_t length = r->level ? strlen(r->level->prefix) : 0;

	for (int k = 0; r->messages && r->level && k < m->n_rows; k++) {
		const struct layer_row *row = &m->rows[k];

		if (strncmp(row->path, r->level->prefix, length) != 0 || strcmp(row->path + length, text) != 0)
			continue;
		if (!is_of_kind(text, row->kind))
			return store_text(r->store, "'%s' is seen only in the list that it stands in; name the item "
			                  "that holds this list, which gives its last result", text);
		return store_text(r->store, "an item is named by 'as': {%s: ..., as: h}, and here h", row->kind);
	}
	return NULL;
}

/* What helps with a name that stands for nothing; NULL: nothing does. */
static const char *why_unknown(struct recording *r, const struct scope *in, const char *text)
{
	struct kind kind;
	const char *help;

	if (strcmp(text, "prev") == 0)
		return "'prev' is the item before in a list; elsewhere an item is read by its name, 'as: NAME'";
	if ((help = help_of_item(r, text)) != NULL)
		return help;
	if (kind_find(r, in, text, &kind) && (kind.what == KIND_BLOCK || ad_op_find(text)))
		return store_text(r->store, "'%s' is %s; call it, %s(...)", text,
		                  kind.what == KIND_BLOCK ? "a block" : "an op", text);
	return not_in_blocks(r, text);
}

static struct value eval_name(struct recording *r, const struct scope *in, const struct expr *e)
{
	struct name *name = scope_find(in, e->text);

	if (!name && strcmp(e->text, "prev") == 0 && r->prev.kind != VALUE_NULL) {
		if (r->prev.kind == VALUE_NODE)
			read_origin(r, r->prev.from);
		return r->prev;
	}
	if (name) {
		name->used = true;
		if (name->value.kind == VALUE_NODE)
			read_origin(r, name->value.from);
		return name->value;
	}
	struct name *near = scope_nearest(r->messages, in, e->text, false);
	const char *hint =
	    !near ? NULL
	    : near->at.line <= 0
		? store_text(r->store, "did you mean '%s'?", near->text)
		: store_text(r->store, "did you mean '%s' (line %d)?", near->text, near->at.line);
	message(r->messages, E_NAME, e->at, hint, why_unknown(r, in, e->text),
	        "nothing is named '%s' here", e->text);
	if (!r->messages && r->graph)
		ad_fail(r->graph, AD_ERROR_ARGUMENT, "nothing is named '%s'", e->text);
	return unknown;
}

static struct value eval_kind(struct recording *r, const struct scope *in, const struct expr *e)
{
	struct value v;

	switch (e->kind) {
	case EXPR_INT:
		return value_int(e->i);
	case EXPR_REAL:
		return value_real(r, e->r, e->at);
	case EXPR_FLAG:
		return value_flag(e->i != 0);
	case EXPR_NULL:
		return (struct value){ .kind = VALUE_NULL };
	case EXPR_WORD:
		return (struct value){ .kind = VALUE_WORD, .s = e->text };
	case EXPR_NAME:
		return eval_name(r, in, e);
	case EXPR_LIST:
		v = (struct value){ .kind = VALUE_LIST, .n = e->n };
		v.items = store_take(r->store, e->n * sizeof *v.items);
		for (size_t i = 0; i < e->n; i++) {
			v.items[i] = eval(r, in, e->args[i]);
			if (v.items[i].kind == VALUE_UNKNOWN)
				v.kind = VALUE_UNKNOWN;
		}
		return v;
	case EXPR_NEGATE:
		v = eval(r, in, e->args[0]);
		if (v.kind == VALUE_INT || v.kind == VALUE_FLAG)
			return v.i == INT64_MIN ? wrong(r, E_RANGE, e->at, "out of range")
			                        : value_int(-v.i);
		if (v.kind == VALUE_REAL)
			return value_real(r, -v.r, e->at);
		if (v.kind == VALUE_NODE)
			return record(r, "neg", e->at, e->span, 1, &v, 0, NULL);
		return v.kind == VALUE_UNKNOWN
		           ? unknown
		           : wrong(r, E_TYPE, e->span, "'-' takes numbers and tensors, not %s",
		                   value_text(r, v));
	case EXPR_BINARY:
		return eval_binary(r, in, e);
	case EXPR_CALL:
		return call_eval(r, in, e);
	case EXPR_INDEX:
		return index_eval(r, in, e);
	default:
		return wrong(r, E_SYNTAX, e->at, "':' stands only between [ and ]");
	}
}

struct value eval(struct recording *r, const struct scope *in, const struct expr *e)
{
	struct value v;

	if (!go_deeper(r, e->at))
		return unknown;
	v = eval_kind(r, in, e);
	r->nested--;
	return v;
}

struct value eval_yaml(struct recording *r, const struct scope *in, const struct yaml *y)
{
	struct value list = { .kind = VALUE_LIST, .n = y->n };
	struct expr *e;

	if (y->kind == YAML_MAP)
		return wrong(r, E_TYPE, y->at, "an expression is due here, not a mapping");
	if (y->kind == YAML_SCALAR) {
		if (yaml_is_null(y))
			return (struct value){ .kind = VALUE_NULL };
		e = expr_parse(r->store, r->messages, y);
		return e ? eval(r, in, e) : unknown;
	}
	list.items = store_take(r->store, y->n * sizeof *list.items);
	for (size_t i = 0; i < y->n; i++) {
		list.items[i] = eval_yaml(r, in, y->items[i]);
		if (list.items[i].kind == VALUE_UNKNOWN)
			list.kind = VALUE_UNKNOWN;
	}
	return list;
}

struct known {
	const struct scope *in;
	bool all;
};

static void check_known(void *to, const struct expr *name)
{
	struct known *k = to;

	k->all = k->all && scope_find(k->in, name->text);
}

struct value eval_loose(struct recording *r, const struct scope *in, const struct yaml *y)
{
	const char *s = y->text;
	struct value word = { .kind = VALUE_WORD, .s = y->text };

	if (y->kind == YAML_LIST) {
		struct value list = { .kind = VALUE_LIST, .n = y->n };

		list.items = store_take(r->store, y->n * sizeof *list.items);
		for (size_t i = 0; i < y->n; i++)
			list.items[i] = eval_loose(r, in, y->items[i]);
		return list;
	}
	if (y->kind == YAML_MAP)
		return wrong(r, E_TYPE, y->at,
		             "a value here is a number, true or false, a word or a list, not a "
		             "mapping");
	if (y->quoted)
		return word;
	if (yaml_is_null(y))
		return (struct value){ .kind = VALUE_NULL };
	s += *s == '-' || *s == '+';
	s += *s == '.';
	bool number = *s >= '0' && *s <= '9';
	struct expr *e = expr_parse(r->store, number ? r->messages : NULL, y);
	struct known known = { in, true };
	if (!e)
		return number ? unknown : word;
	expr_names(e, check_known, &known);
	return known.all || number ? eval(r, in, e) : word;
}
