/*
 * argument: what an op, layer or block is given: the arguments of an item, of a call in an
 * expression, of `defaults`; in this order of authority, and the declared default last.
 */
#include "language.h"

#include <string.h>

void call_input(struct call *c, struct value v)
{
	c->known = c->known && v.kind != VALUE_UNKNOWN;
	c->inputs = store_more(c->r->store, c->inputs, c->n_in, sizeof *c->inputs);
	c->inputs[c->n_in++] = v;
}

/* Input k, which may come before others. */
static void input_at(struct call *c, size_t k, struct value v)
{
	while (c->n_in <= k)
		call_input(c, (struct value){ .kind = VALUE_NULL });
	c->inputs[k] = v;
	c->known = c->known && v.kind != VALUE_UNKNOWN;
}

static void add_setting(struct call *c, ad_setting s)
{
	c->settings = store_more(c->r->store, c->settings, c->n_settings, sizeof *c->settings);
	c->settings[c->n_settings++] = s;
}

static const ad_attr *attrs_of(const struct kind *kind)
{
	return kind->what == KIND_OP ? ad_op_attrs(kind->op) : kind->layer->attrs;
}

/* ---- params of a block ----------------------------------------------------------------------- */

static int param_find(const struct definition *d, const char *name)
{
	for (size_t k = 0; k < d->n_params; k++)
		if (strcmp(d->params[k].name, name) == 0)
			return (int)k;
	return -1;
}

static int block_input(const struct definition *d, const char *name)
{
	for (size_t k = 0; d->inputs && k < d->inputs->n; k++)
		if (strcmp(d->inputs->keys[k]->text, name) == 0)
			return (int)k;
	return -1;
}

/* An op, layer or block as an argument. */
static struct value kind_value(struct recording *r, const struct scope *in,
                               const struct parameter *p, const char *word, struct place at)
{
	struct kind *kind = store_take(r->store, sizeof *kind);
	struct value v = { .kind = VALUE_KIND, .of = kind };

	if (!kind_find(r, in, word, kind)) {
		say_op(r, at, word, strcmp(p->type, "block") == 0 ? AS_BLOCK : AS_ITEM);
		return unknown;
	}
	if (strcmp(p->type, "block") == 0 && kind->what != KIND_BLOCK)
		return wrong(r, E_TYPE, at, "'%s' wants a block; '%s' is %s", p->name, word,
		             kind->what == KIND_OP ? "an op" : "a layer");
	if (kind->what >= KIND_CHAIN)
		return wrong(r, E_TYPE, at, "'%s' wants an op; '%s' holds items", p->name, word);
	return v;
}

static struct value shape_value(struct recording *r, const struct parameter *p, struct value v,
                                struct place at)
{
	struct value list = { .kind = VALUE_LIST, .n = 1 };

	if (v.kind == VALUE_UNKNOWN)
		return v;
	if (v.kind != VALUE_LIST) {
		list.items = store_take(r->store, sizeof *list.items);
		list.items[0] = v;
	} else {
		list = v;
	}
	for (size_t i = 0; i < list.n; i++) {
		int64_t size;

		if (!whole_of(r, list.items[i], at, p->name, NULL, 1, INT32_MAX, &size))
			return unknown;
		list.items[i] = value_int(size);
	}
	return list;
}

/* The value as the param's type wants it. */
static struct value typed(struct recording *r, const struct parameter *p, struct value v,
                          struct place at, const char *source)
{
	double x;

	if (v.kind == VALUE_UNKNOWN)
		return unknown;
	if (strcmp(p->type, "int") == 0)
		return whole_of(r, v, at, p->name, source, INT64_MIN, INT64_MAX, &v.i)
		           ? value_int(v.i)
		           : unknown;
	if (strcmp(p->type, "float") == 0)
		return number_of(r, v, at, p->name, &x) ? v : unknown;
	if (strcmp(p->type, "bool") == 0 && v.kind != VALUE_FLAG)
		return wrong(r, E_TYPE, at, "'%s' wants true or false, not %s", p->name,
		             value_text(r, v));
	if (strcmp(p->type, "str") == 0 && v.kind != VALUE_WORD)
		return wrong(r, E_TYPE, at, "'%s' wants a word, not %s", p->name, value_text(r, v));
	if (strcmp(p->type, "shape") == 0)
		return shape_value(r, p, v, at);
	return v;
}

/* A word: a name within reach that stands for one, or itself. */
static struct value word_value(const struct scope *in, const char *text)
{
	struct name *name = scope_find(in, text);

	if (!name || (name->value.kind != VALUE_WORD && name->value.kind != VALUE_KIND))
		return (struct value){ .kind = VALUE_WORD, .s = text };
	name->used = true;
	return name->value;
}

struct value param_value(struct recording *r, const struct scope *in, const struct parameter *p,
                         const struct yaml *y)
{
	bool kind = word_in("op block", p->type), number = word_in("int float bool", p->type);
	const char *source = y->kind == YAML_SCALAR ? y->text : NULL;
	struct value v;

	if ((kind || strcmp(p->type, "str") == 0) && (y->kind != YAML_SCALAR || yaml_is_null(y)))
		return wrong(r, E_TYPE, y->at, "'%s' wants %s, not %s", p->name,
		             !kind                        ? "a word"
		             : strcmp(p->type, "op") == 0 ? "the name of an op"
		                                          : "the name of a block",
		             shown(r, y));
	if (kind)
		return kind_value(r, in, p, y->text, y->at);
	if (number)
		v = field_of(r, in, y, p->name,
		             p->type[0] == 'i'   ? "a whole number"
		             : p->type[0] == 'f' ? "a number"
		                                 : "true or false");
	else if (strcmp(p->type, "str") == 0)
		v = y->quoted ? (struct value){ .kind = VALUE_WORD, .s = y->text }
		              : word_value(in, y->text);
	else
		v = strcmp(p->type, "shape") == 0 ? eval_yaml(r, in, y) : eval_loose(r, in, y);
	return typed(r, p, v, y->at, source);
}

/* The same from an expression. */
static struct value param_expr(struct recording *r, const struct scope *in,
                               const struct parameter *p, const struct expr *e)
{
	const char *word = e->kind == EXPR_NAME || e->kind == EXPR_WORD ? e->text : NULL;
	struct value v;

	if (word_in("op block", p->type) && word)
		return kind_value(r, in, p, word, e->at);
	if (word && (e->kind == EXPR_WORD ||
	             (!word_in("int float bool shape", p->type) && !scope_find(in, word))))
		v = (struct value){ .kind = VALUE_WORD, .s = word };
	else
		v = eval(r, in, e);
	return typed(r, p, v, e->span, NULL);
}

static void give(struct call *c, size_t k, struct value v, struct place at)
{
	c->given[k] = (struct given){ true, v, at };
	c->known = c->known && v.kind != VALUE_UNKNOWN;
}

static void say_param(struct call *c, const struct yaml *key)
{
	const struct definition *d = c->kind.block;
	size_t n = 0, most = d->n_params + (d->inputs ? d->inputs->n : 0);
	const char **names, *all = "";

	c->known = false;
	if (!messages_suggest(c->r->messages)) {
		message(c->r->messages, E_KEY, key->at, NULL, NULL, "'%s' has no argument '%s'",
		        c->name, key->text);
		return;
	}
	names = store_take(c->r->store, most * sizeof(*names));

	for (size_t k = 0; k < d->n_params; k++)
		names[n++] = d->params[k].name;
	for (size_t k = 0; d->inputs && k < d->inputs->n; k++)
		names[n++] = d->inputs->keys[k]->text;
	for (size_t k = 0; k < n && k < 20; k++)
		all = store_text(c->r->store, "%s%s%s", all, k ? ", " : "", names[k]);
	const char *near = nearest(key->text, n, names);
	message(c->r->messages, E_KEY, key->at,
	        near ? store_text(c->r->store, "did you mean '%s'?", near) : NULL,
	        near ? NULL
	        : n  ? store_text(c->r->store, "it takes: %s", all)
	             : "it takes none",
	        "'%s' has no argument '%s'", c->name, key->text);
	c->known = false;
}

/* ---- an item's arguments --------------------------------------------------------------------- */

static bool is_given(const struct call *c, const char *name)
{
	if (c->kind.what == KIND_BLOCK) {
		int k = param_find(c->kind.block, name);

		return k >= 0 && c->given[k].given;
	}
	for (size_t i = 0; i < c->n_settings; i++)
		if (strcmp(c->settings[i].name, name) == 0)
			return true;
	return false;
}

/* `field: block`, `field: {block: arguments}`: the word is the setting, the rest is for
 * layer_apply. */
static void take_named(struct call *c, const struct scope *in, const ad_attr *attr,
                       const struct yaml *y)
{
	const struct yaml *word = y->kind == YAML_MAP && y->n == 1 ? y->keys[0] : y;

	if (word->kind != YAML_SCALAR || yaml_is_null(word)) {
		c->known =
		    message(c->r->messages, E_TYPE, y->at, NULL, NULL,
		            "'%s' wants the name of a block, or {NAME: arguments}", attr->name);
		return;
	}
	add_setting(c, (ad_setting){ .name = attr->name, .type = AD_WORD, .s = word->text });
	c->named = store_more(c->r->store, c->named, c->n_named, sizeof *c->named);
	c->named[c->n_named].attr = attr->name;
	c->named[c->n_named].y = y;
	c->named[c->n_named++].in = in;
}

static void take_attr(struct call *c, const struct scope *in, const ad_attr *attr,
                      const struct yaml *y)
{
	ad_setting s;

	if (c->kind.what == KIND_LAYER && word_in(c->kind.layer->blocks, attr->name)) {
		take_named(c, in, attr, y);
		return;
	}
	if (!setting_of_yaml(c->r, in, attr, y, &s)) {
		c->known = false;
		add_setting(c, (ad_setting){ .name = attr->name }); /* it is given */
		return;
	}
	/* A size that a layer must be given is the size of something: 1 or more. */
	if (c->kind.what == KIND_LAYER && attr->type == AD_INT && !attr->def &&
	    !whole_of(c->r, value_int(s.i), y->at, attr->name, NULL, 1, INT32_MAX, &s.i)) {
		c->known = false;
		return;
	}
	add_setting(c, s);
}

/* One key of the mapping of arguments. */
static void take_pair(struct call *c, const struct scope *in, const struct yaml *key,
                      const struct yaml *y)
{
	const ad_attr *attr;
	int k;

	if (c->kind.what == KIND_BLOCK) {
		const struct definition *d = c->kind.block;

		if ((k = param_find(d, key->text)) >= 0)
			give(c, (size_t)k, param_value(c->r, in, &d->params[k], y), y->at);
		else if ((k = block_input(d, key->text)) >= 0)
			input_at(c, (size_t)k, eval_yaml(c->r, in, y));
		else if (!d->broken)
			say_param(c, key);
		return;
	}
	attr = attr_find(attrs_of(&c->kind), key->text);
	if (attr) {
		take_attr(c, in, attr, y);
		return;
	}
	if (c->kind.what == KIND_LAYER && strcmp(key->text, "init") == 0) {
		if (!c->init) {
			c->init = y;
			c->init_scope = in;
		}
		return;
	}
	k = c->kind.what == KIND_OP ? op_input(c->kind.op, key->text)
	    : c->kind.layer->inputs ? input_find(c->kind.layer->inputs, key->text)
	                            : -1;
	if (k >= 0) {
		input_at(c, (size_t)k, eval_yaml(c->r, in, y));
		return;
	}
	say_attribute(c->r, key->at, key->text, c->name, attrs_of(&c->kind));
	c->known = false;
}

/* Whether a list has this among its tensors. */
static bool lists_prev(const struct yaml *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (yaml_is(list->items[i], "prev"))
			return true;
	return false;
}

/* Tensors in an op's argument: `matmul: w`, `concat: [prev, here]`. What stands before comes first, but where
 * the list is all of the inputs: there is nothing before, or call_lists_all. */
static void take_tensors(struct call *c, const struct yaml *arg)
{
	if (arg->kind == YAML_LIST &&
	    ((c->n_in == 1 && c->inputs[0].kind == VALUE_NULL) || lists_prev(arg))) {
		c->n_in = 0;
		c->known = true;
	}
	if (arg->kind != YAML_LIST) {
		call_input(c, eval_yaml(c->r, c->in, arg));
		return;
	}
	for (size_t i = 0; i < arg->n; i++)
		call_input(c, eval_yaml(c->r, c->in, arg->items[i]));
}

/* A single value or a list: the primary argument. */
static void take_primary(struct call *c, const struct scope *in, const struct yaml *y)
{
	const ad_attr *table;

	if (c->kind.what == KIND_BLOCK) {
		const struct definition *d = c->kind.block;

		if (d->n_params > 0)
			give(c, 0, param_value(c->r, in, &d->params[0], y), y->at);
		else
			c->known = message(c->r->messages, E_TYPE, y->at, NULL, NULL,
			                   "block '%s' takes no argument", c->name);
		return;
	}
	table = attrs_of(&c->kind);
	if (table && table->name)
		take_attr(c, in, table, y);
	else
		c->known = message(c->r->messages, E_TYPE, y->at, NULL, NULL,
		                   "'%s' takes no argument", c->name);
}

/* Whether an op's single argument is a tensor: those that it lacks come before attributes. */
static bool wants_tensors(const struct call *c)
{
	int least = ad_op_min_inputs(c->kind.op), most = ad_op_max_inputs(c->kind.op);
	bool attrs = attrs_of(&c->kind) != NULL;

	return most < 0 || (c->n_in < (size_t)most && (c->n_in < (size_t)least || !attrs));
}

bool call_lists_all(const struct call *c)
{
	const struct yaml *arg = c->arg;
	int least, most;

	if (c->kind.what != KIND_OP || !arg || arg->kind != YAML_LIST)
		return false;
	least = ad_op_min_inputs(c->kind.op);
	most = ad_op_max_inputs(c->kind.op);
	if (most < 0)
		return true;
	/* beside what stands before there must be a place for tensors in the argument */
	return (least > 1 || (most > 1 && !attrs_of(&c->kind))) && (lists_prev(arg) || arg->n >= (size_t)most);
}

static void make_given(struct call *c)
{
	c->errors = c->r->messages ? messages_errors(c->r->messages) : 0;
	if (c->kind.what == KIND_BLOCK)
		c->given = store_take(c->r->store, c->kind.block->n_params * sizeof *c->given);
}

void call_take(struct call *c)
{
	const struct yaml *arg = c->arg;

	make_given(c);
	if (arg && arg->kind == YAML_MAP)
		for (size_t i = 0; i < arg->n; i++)
			take_pair(c, c->in, arg->keys[i], arg->items[i]);
	else if (arg && !yaml_is_null(arg) && c->kind.what == KIND_OP && wants_tensors(c))
		take_tensors(c, arg);
	else if (arg && !yaml_is_null(arg))
		take_primary(c, c->in, arg);
}

/* ---- a call's arguments ---------------------------------------------------------------------- */

static void add_tensor(struct call *c, struct value v)
{
	if (v.kind != VALUE_LIST) {
		call_input(c, v);
		return;
	}
	for (size_t i = 0; i < v.n; i++) /* concat([a, b]) */
		add_tensor(c, v.items[i]);
}

static void expr_setting(struct call *c, const ad_attr *attr, const struct expr *arg)
{
	struct value v;
	ad_setting s;

	if (attr->type == AD_WORD && arg->kind == EXPR_NAME) {
		v = (struct value){ .kind = VALUE_WORD, .s = arg->text };
		if (!word_in(attr->choice, arg->text))
			v = word_value(c->in, arg->text);
	} else {
		v = eval(c->r, c->in, arg);
	}
	if (!setting_of(c->r, c->in, attr, v, arg->span, NULL, &s)) {
		c->known = false;
		s = (ad_setting){ .name = attr->name }; /* it is given */
	}
	add_setting(c, s);
}

/* An argument with a name, `axis=1`. */
static void take_keyword(struct call *c, const struct expr *e, size_t i)
{
	const char *key = e->names[i];
	const struct definition *d = c->kind.block;
	const ad_attr *table = d ? NULL : attrs_of(&c->kind), *attr = attr_find(table, key);
	int param = d ? param_find(d, key) : -1;
	int input = attr || param >= 0 ? -1 : d ? block_input(d, key) : op_input(c->kind.op, key);

	if (attr) {
		expr_setting(c, attr, e->args[i]);
	} else if (param >= 0) {
		give(c, (size_t)param, param_expr(c->r, c->in, &d->params[param], e->args[i]),
		     e->args[i]->span);
	} else if (input >= 0 && (size_t)input < c->n_in && c->inputs[input].kind != VALUE_NULL) {
		wrong(c->r, E_TWICE, e->name_at[i], "'%s' is given twice", key);
		c->known = false;
	} else if (input >= 0) {
		input_at(c, (size_t)input, eval(c->r, c->in, e->args[i]));
	} else if (d) {
		say_param(c, &(struct yaml){ .text = key, .at = e->name_at[i] });
	} else {
		say_attribute(c->r, e->name_at[i], key, c->name, table);
		c->known = false;
	}
}

static size_t most_inputs(const struct kind *kind)
{
	if (kind->what == KIND_BLOCK)
		return kind->block->inputs ? kind->block->inputs->n : 1;
	return ad_op_max_inputs(kind->op) < 0 ? SIZE_MAX : (size_t)ad_op_max_inputs(kind->op);
}

void call_take_expr(struct call *c, const struct expr *e)
{
	const struct definition *d = c->kind.block;
	const ad_attr *table = d ? NULL : attrs_of(&c->kind);
	size_t most = most_inputs(&c->kind), n = d ? d->n_params : 0;

	c->expression = true;
	make_given(c);
	while (table && table[n].name)
		n++;
	for (size_t i = 0; i < e->n; i++) {
		if (e->names[i]) {
			take_keyword(c, e, i);
		} else if (i < most) {
			add_tensor(c, eval(c->r, c->in, e->args[i]));
		} else if (i - most >= n) {
			wrong(c->r, E_TYPE, e->args[i]->span,
			      "'%s' takes no more arguments than these", c->name);
			c->known = false;
		} else if (d) {
			give(c, i - most, param_expr(c->r, c->in, &d->params[i - most], e->args[i]),
			     e->args[i]->span);
		} else {
			expr_setting(c, &table[i - most], e->args[i]);
		}
	}
}

/* ---- defaults, and what is missing ----------------------------------------------------------- */

static const char *primary_of(const struct kind *kind)
{
	if (kind->what == KIND_BLOCK)
		return kind->block->n_params > 0 ? kind->block->params[0].name : "";
	return attrs_of(kind) ? attrs_of(kind)->name : "";
}

static void take_defaults(struct call *c)
{
	const struct build *b = c->r->model->build;
	const struct yaml *y = defaults_of(c->r, c->kind.name);
	struct scope *in;

	if (!y)
		return;
	/* the file's names, for a part of the model: sizes of the data may be among them */
	in = store_take(c->r->store, sizeof *in);
	in->up = *c->r->space ? &b->bare : &b->file;
	if (y->kind == YAML_MAP) {
		for (size_t i = 0; i < y->n; i++)
			if (!is_given(c, y->keys[i]->text))
				take_pair(c, in, y->keys[i], y->items[i]);
	} else if (!yaml_is_null(y) && !is_given(c, primary_of(&c->kind))) {
		take_primary(c, in, y);
	}
}

/* Whether what lacks is to be said: where its inputs are not known, too, but not where an argument is wrong,
 * which may be the one that lacks. */
static bool says_missing(const struct call *c)
{
	return c->known || (c->r->messages && messages_errors(c->r->messages) == c->errors);
}

/* A required param that was not given: message 3. */
static void missing_params(struct call *c)
{
	const struct definition *d = c->kind.block;

	for (size_t k = 0; says_missing(c) && k < d->n_params; k++) {
		if (c->given[k].given || d->params[k].value)
			continue;
		message(c->r->messages, E_MISSING, c->at, NULL, NULL, "block '%s' needs '%s' (%s)",
		        c->name, d->params[k].name, d->params[k].type);
		message_also(c->r->messages, d->params[k].at, "declared here, without a default");
		c->known = false;
	}
}

static void missing_attrs(struct call *c)
{
	static const char *const types[] = {
		[AD_INT] = "int",     [AD_NUM] = "float",           [AD_FLAG] = "bool",
		[AD_WORD] = "word",   [AD_INTLIST] = "list of int", [AD_NUMLIST] = "list of float",
		[AD_NOTHING] = "null"
	};

	for (const ad_attr *a = attrs_of(&c->kind); says_missing(c) && a && a->name; a++) {
		if (a->def || is_given(c, a->name))
			continue;
		message(c->r->messages, E_MISSING, c->at, NULL, NULL, "'%s' needs '%s' (%s): %s",
		        c->name, a->name, types[a->type], a->doc);
		c->known = false;
	}
}

struct value no_input(struct call *c)
{
	const ad_model *m = c->r->model;
	const char *names = "";
	int n = 0;

	for (int i = 0; i < m->n_inputs && c->r->blocks == 0; i++)
		if (!m->inputs[i].target && n++ < 8)
			names = store_text(c->r->store, "%s%s%s", names, n > 1 ? ", " : "",
			                   m->inputs[i].name);
	if (n > 1)
		message(c->r->messages, E_MISSING, c->at, NULL,
		        store_text(c->r->store, "write {..., from: NAME}; the inputs are: %s%s; one that "
		                   "the loss alone reads has role: target",
		                   names, n > 8 ? ", ..." : ""),
		        "'%s' needs an input: the model has %d, and 'from' has to choose", c->name,
		        n);
	else
		message(c->r->messages, E_MISSING, c->at, NULL,
		        m->n_inputs == 0 && c->r->blocks == 0 ? "declare one: inputs: {x: [B, 784]}"
		                                              : "write {..., from: NAME}",
		        "'%s' needs an input, and nothing stands before it", c->name);
	return unknown;
}

/* Inputs without which it cannot be built. */
static void missing_inputs(struct call *c)
{
	size_t least = 1, most = 1;
	const char *names = "x";

	if (c->kind.what == KIND_BLOCK)
		return; /* block.c: they may have declared values */
	if (c->kind.what == KIND_LAYER) {
		names = c->kind.layer->inputs ? c->kind.layer->inputs : "x";
		input_counts(names, &least, &most);
	} else {
		least = (size_t)ad_op_min_inputs(c->kind.op);
		names = ad_op_inputs(c->kind.op);
		most = SIZE_MAX;
	}
	for (size_t k = 0; c->known && k < least; k++) {
		if (k < c->n_in && c->inputs[k].kind != VALUE_NULL)
			continue;
		c->known = false;
		if (k == 0 && !c->expression)
			no_input(c);
		else
			message(c->r->messages, E_MISSING, c->at, NULL,
			        c->expression
			            ? NULL
			            : store_text(c->r->store, "write {%s: NAME}", c->name),
			        "'%s' needs '%s'", c->name, input_name(c->r, names, k));
	}
	if (c->known && c->n_in > most) {
		message(c->r->messages, E_TYPE, c->span, NULL, NULL,
		        most == 1 ? "'%s' takes one input, not %zu"
		                  : "'%s' takes at most %zu inputs",
		        c->name, most == 1 ? c->n_in : most);
		c->known = false;
	}
}

void call_complete(struct call *c)
{
	take_defaults(c);
	if (c->kind.what == KIND_BLOCK)
		missing_params(c);
	else
		missing_attrs(c);
	missing_inputs(c);
	if (!c->known && !c->r->messages && c->r->graph)
		ad_fail(c->r->graph, AD_ERROR_ARGUMENT, "'%s' lacks an argument", c->name);
}

bool call_named(struct call *c, struct recording *r, const struct scope *in, const struct yaml *y,
                const char *what, enum op_place place)
{
	const struct yaml *word = y->kind == YAML_MAP && y->n == 1 ? y->keys[0] : y;

	*c = (struct call){ .r = r, .in = in, .at = word->at, .span = word->at, .known = true };
	if (word->kind != YAML_SCALAR || yaml_is_null(word))
		return message(r->messages, E_TYPE, y->at, NULL, NULL,
		               "'%s' wants the name of a block, or {NAME: arguments}", what);
	c->name = word->text;
	c->arg = word == y ? NULL : y->items[0];
	if (!kind_find(r, in, word->text, &c->kind)) {
		say_op(r, word->at, word->text, place);
		return false;
	}
	if (c->kind.what >= KIND_CHAIN)
		return message(r->messages, E_TYPE, word->at, NULL, NULL,
		               "'%s' wants a block, layer or op; '%s' holds items", what,
		               word->text);
	return true;
}
