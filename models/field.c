/*
 * field: values of fields that want a number, a word or a list.
 */
#include "language.h"

#include <math.h>
#include <string.h>

/* "heads = 7 comes from the command line, --set params.heads=7"; false for a param of the file. */
static bool note_override(struct recording *r, const char *param)
{
	const struct yaml *params = yaml_get(r->model->build->root, "params");
	const struct yaml *value = params ? yaml_get(params, param) : NULL;
	char text[4200];

	if (!value || value->at.line >= 0)
		return false;
	messages_place(r->messages, value->at, text, sizeof text);
	message_note(r->messages, (struct place){ 0 }, "%s = %s comes from the %s, %s", param,
	             yaml_is_null(value)          ? "null"
	             : value->kind == YAML_SCALAR ? value->text
	                                          : "a list",
	             text[0] == '-'   ? "command line"
	             : text[0] == 's' ? "file's sweep"
	                              : "environment",
	             text);
	return true;
}

struct overridden {
	struct recording *r;
	const struct scope *in;
};

static void note_if_overridden(void *to, const struct expr *e)
{
	const struct overridden *o = to;
	const struct name *name = scope_find(o->in, e->text);

	if (name && name->kind == NAME_PARAM)
		note_override(o->r, e->text);
}

void note_overrides(struct recording *r, const struct scope *in, const struct expr *e)
{
	struct overridden o = { r, in };

	if (r->messages && e)
		expr_names(e, note_if_overridden, &o);
}

void note_overrides_of(struct recording *r, const struct scope *in, const struct yaml *y)
{
	if (r->messages && y && y->kind == YAML_SCALAR)
		note_overrides(r, in, expr_parse(r->store, NULL, y));
}

void note_param(struct recording *r, struct place at)
{
	const struct yaml *params, *value;
	const struct name *name;

	if (!r->messages || !r->field || r->field->kind != EXPR_NAME ||
	    r->field_at.line != at.line || r->field_at.col != at.col)
		return;
	name = scope_find(r->field_in, r->field->text);
	if (!name || name->kind != NAME_PARAM || note_override(r, name->text))
		return;
	params = yaml_get(r->model->build->root, "params");
	value = params ? yaml_get(params, name->text) : NULL;
	if (value)
		message_note(r->messages, value->at, "params.%s is set here", name->text);
}

struct free_dim {
	struct recording *r;
	const struct scope *in;
	const char *name;
};

static void take_free(void *to, const struct expr *e)
{
	struct free_dim *f = to;
	const struct name *name = scope_find(f->in, e->text);

	if (!name || f->name)
		return;
	/* one of the file is free also before there are primes */
	if (name == scope_own(&f->r->model->build->file, e->text)
	        ? name->kind == NAME_DIM
	        : name->value.kind == VALUE_INT && is_free(f->r, name->value.i))
		f->name = e->text;
}

static const char *free_name(struct recording *r, const struct scope *in, const struct expr *e)
{
	struct free_dim f = { r, in, NULL };

	if (r->messages && e)
		expr_names(e, take_free, &f);
	return f.name;
}

bool known_before(struct recording *r, const struct scope *in, const struct yaml *y, const char *what)
{
	const char *name = y->kind == YAML_SCALAR ? free_name(r, in, expr_parse(r->store, NULL, y)) : NULL;

	if (!name)
		return true;
	const bool size = strcmp(what, "a size") == 0;
	scope_find(in, name)->used = true;
	return message(r->messages, E_TYPE, y->at, NULL,
	               strcmp(what, "repeat") == 0 ? "'scan' goes along an axis of any length"
	               : size                      ? "an axis of another size has a name of its own: [B, N]"
	                                           : store_text(r->store, "give the input a size for %s there", name),
	               "%s%s%s wants a value that is known before the data; '%s' is a free dim", size ? "" : "'", what,
	               size ? "" : "'", name);
}

const char *divisors_text(struct recording *r, int64_t n)
{
	const char *text = store_text(r->store, "%lld divides by", (long long)n);

	for (int64_t d = 1, k = 0; d <= n && d < 100000 && k < 24; d++) {
		if (n % d != 0)
			continue;
		text = store_text(r->store, "%s %lld", text, (long long)d);
		k++;
	}
	return text;
}

/* Message 13 for a / b that is no whole number. */
static bool say_quotient(struct recording *r, struct place at, const char *what, const char *quote,
                         const char *source)
{
	const struct expr *e = r->field;
	struct value a, b;

	if (!r->messages || !e || !source || e->kind != EXPR_BINARY || e->op != DIV ||
	    r->field_at.line != at.line || r->field_at.col != at.col)
		return false;
	a = eval(r, r->field_in, e->args[0]);
	b = eval(r, r->field_in, e->args[1]);
	if (a.kind != VALUE_INT || b.kind != VALUE_INT)
		return false;
	const bool numbers = e->args[0]->kind == EXPR_INT && e->args[1]->kind == EXPR_INT;
	message(r->messages, E_WHOLE, at, NULL, a.i > 0 && !is_free(r, a.i) ? divisors_text(r, a.i) : NULL,
	        "%s%s is not a whole number, and %s%s%s must be", source,
	        numbers ? "" : store_text(r->store, " = %s/%s", dim_text(r, a.i), dim_text(r, b.i)), quote, what,
	        quote);
	note_overrides(r, r->field_in, e);
	return true;
}

/* A real number where a whole one is due: that, if it is one. */
static bool made_whole(struct recording *r, struct value *v, struct place at, const char *what,
                       const char *source)
{
	const char *quote = strchr(what, ' ') ? "" : "'";
	bool plain = !source || strspn(source, "0123456789.eE+-") == strlen(source);

	if (v->r != floor(v->r)) {
		const bool here = r->field_at.line == at.line && r->field_at.col == at.col;
		const char *name = here ? free_name(r, r->field_in, r->field) : NULL;

		if (name)
			return message(r->messages, E_WHOLE, at, NULL, "'//' divides down to a whole number",
			               "%s need not be a whole number, as '%s' is a free dim, and %s%s%s must be",
			               source ? source : "this", name, quote, what, quote);
		if (say_quotient(r, at, what, quote, source))
			return false;
		if (plain)
			wrong(r, E_WHOLE, at, "%g is not a whole number, and %s%s%s must be", v->r,
			      quote, what, quote);
		else
			wrong(r, E_WHOLE, at, "%s = %g is not a whole number, and %s%s%s must be",
			      source, v->r, quote, what, quote);
		return false;
	}
	if (fabs(v->r) >= 9e15) {
		wrong(r, E_RANGE, at, "%s%s%s is out of range: %g", quote, what, quote, v->r);
		return false;
	}
	*v = value_int((int64_t)v->r);
	return true;
}

static bool whole_number(struct recording *r, struct value v, struct place at, const char *what,
                         const char *source, int64_t least, int64_t most, int64_t *to)
{
	const char *quote = strchr(what, ' ') ? "" : "'";

	if (v.kind == VALUE_REAL && !made_whole(r, &v, at, what, source))
		return false;
	if (v.kind != VALUE_INT) {
		wrong(r, E_TYPE, at, "%s%s%s wants a whole number, not %s", quote, what, quote,
		      value_text(r, v));
		return false;
	}
	if (v.i < least)
		wrong(r, E_RANGE, at, "%s%s%s must be %lld or more, not %s", quote, what, quote,
		      (long long)least, dim_text(r, v.i));
	else if (v.i > most)
		wrong(r, E_RANGE, at, "%s%s%s must be at most %lld, not %s", quote, what, quote,
		      (long long)most, dim_text(r, v.i));
	*to = v.i;
	return v.i >= least && v.i <= most;
}

bool whole_of(struct recording *r, struct value v, struct place at, const char *what,
              const char *source, int64_t least, int64_t most, int64_t *to)
{
	if (v.kind == VALUE_UNKNOWN)
		return false;
	if (whole_number(r, v, at, what, source, least, most, to))
		return true;
	note_param(r, at);
	return false;
}

bool number_of(struct recording *r, struct value v, struct place at, const char *what, double *to)
{
	if (v.kind == VALUE_UNKNOWN)
		return false;
	if (v.kind != VALUE_INT && v.kind != VALUE_REAL) {
		wrong(r, E_TYPE, at, "'%s' wants a number, not %s", what, value_text(r, v));
		note_param(r, at);
		return false;
	}
	*to = v.r;
	return true;
}

/* The params within reach, for the help of message E004: a block's own, then the file's. */
static const char *param_list(struct recording *r, const struct scope *in)
{
	const struct yaml *params = yaml_get(r->model->build->root, "params");
	const char *text = "", *own = "";
	size_t n = 0;

	for (; in; in = in->up)
		for (size_t i = 0; i < in->n_buckets; i++)
			for (const struct name *name = in->buckets[i]; name; name = name->next)
				if (name->kind == NAME_ARGUMENT && n++ < 12)
					own = store_text(r->store, "%s%s%s", own, *own ? ", " : "",
					                 name->text);
	for (size_t i = 0;
	     params && params->kind == YAML_MAP && i < params->n && i < 12 && !*r->space; i++)
		text = store_text(r->store, "%s%s%s", text, i ? ", " : "", params->keys[i]->text);
	return *own && *text ? store_text(r->store, "%s, %s", own, text) : *own ? own : text;
}

struct value field_of(struct recording *r, const struct scope *in, const struct yaml *y,
                      const char *what, const char *wants)
{
	struct expr *e;
	bool flag = strcmp(wants, "true or false") == 0;

	if (y->kind != YAML_SCALAR)
		return wrong(r, E_TYPE, y->at, "'%s' wants %s, not a %s", what, wants,
		             y->kind == YAML_LIST ? "list" : "mapping");
	if (yaml_is_null(y))
		return (struct value){ .kind = VALUE_NULL };
	e = expr_parse(r->store, r->messages, y);
	/* a field that is no part of the model */
	if (!e || (in == &r->model->build->file && !known_before(r, in, y, what)))
		return unknown;
	struct name *name = e->kind == EXPR_NAME ? scope_find(in, e->text) : NULL;
	r->field = e;
	r->field_in = in;
	r->field_at = y->at;
	if (e->kind == EXPR_NAME && !name) {
		struct name *near = scope_nearest(r->messages, in, e->text, true);
		const char *params = messages_suggest(r->messages) ? param_list(r, in) : "";
		const char *such = flag                     ? "write true or false"
		                   : strstr(wants, "whole") ? "write a number such as 64"
		                                            : "write a number such as 1e-3";

		message(r->messages, E_TYPE, e->at,
		        near ? store_text(r->store, "did you mean '%s'?", near->text) : NULL,
		        store_text(r->store, "%s%s%s%s", such, *params ? ", or one of the params: " : "", params,
		                   *r->space ? "; a block of an included file sees its own params only" : ""),
		        "'%s' wants %s; '%s' is neither %s nor the name of a param", what, wants,
		        e->text, flag ? "of them" : "a number");
		return unknown;
	}
	if (name && (name->value.kind == VALUE_NODE || name->value.kind == VALUE_KIND))
		return wrong(r, E_TYPE, e->at, "'%s' wants %s; '%s' is %s", what, wants, e->text,
		             name->value.kind == VALUE_NODE ? "a tensor" : "an op or a block");
	return eval(r, in, e);
}

bool flag_of(struct recording *r, const struct scope *in, const struct yaml *y, const char *what,
             bool *to)
{
	struct value v = field_of(r, in, y, what, "true or false");

	if (v.kind == VALUE_UNKNOWN)
		return false;
	if (v.kind != VALUE_FLAG) {
		wrong(r, E_TYPE, y->at, "'%s' wants true or false, not %s", what, value_text(r, v));
		note_param(r, y->at);
		return false;
	}
	*to = v.b;
	return true;
}

static const char *const wanted[] = { [AD_INT] = "a whole number",
	                              [AD_NUM] = "a number",
	                              [AD_FLAG] = "true or false",
	                              [AD_WORD] = "a word",
	                              [AD_INTLIST] = "a list of whole numbers",
	                              [AD_NUMLIST] = "a list of numbers",
	                              [AD_NOTHING] = "nothing" };

static bool word_setting(struct recording *r, const ad_attr *attr, const char *word,
                         struct place at)
{
	const char *names[32] = { "" };
	size_t n = 0;

	if (!attr->choice)
		return true;
	for (const char *s = attr->choice; *s && n < 32; s += strspn(s, " ")) {
		size_t length = strcspn(s, " ");

		names[n++] = store_copy(r->store, s, length);
		if (strcmp(names[n - 1], word) == 0)
			return true;
		s += length;
	}
	const char *near = nearest(word, n, names);
	return message(r->messages, E_TYPE, at,
	               near ? store_text(r->store, "did you mean '%s'?", near) : NULL, NULL,
	               "'%s' is one of: %s; not '%s'", attr->name, attr->choice, word);
}

static bool list_setting(struct recording *r, const ad_attr *attr, struct value v, struct place at,
                         ad_setting *to)
{
	size_t n = v.kind == VALUE_LIST ? v.n : 1;
	const struct value *items = v.kind == VALUE_LIST ? v.items : &v;
	int64_t *ints = store_take(r->store, n * sizeof *ints);
	double *reals = store_take(r->store, n * sizeof *reals);

	to->type = attr->type;
	for (size_t i = 0; i < n; i++) {
		if (items[i].kind == VALUE_NULL) {
			ints[i] = AD_NONE;
			reals[i] = (double)NAN;
		} else if (!value_is_number(items[i])) {
			wrong(r, E_TYPE, at, "'%s' wants %s, not %s", attr->name,
			      wanted[attr->type], value_text(r, items[i]));
			return false;
		} else if (attr->type == AD_INTLIST) {
			if (!whole_of(r, items[i], at, attr->name, NULL, INT64_MIN, INT64_MAX,
			              &ints[i]))
				return false;
		} else {
			reals[i] = items[i].r;
		}
	}
	to->ints = (ad_ints){ (int64_t)n, ints };
	to->reals = (ad_reals){ (int64_t)n, reals };
	return true;
}

bool setting_of(struct recording *r, const struct scope *in, const ad_attr *attr, struct value v,
                struct place at, const char *source, ad_setting *to)
{
	bool optional = attr->def && strcmp(attr->def, "null") == 0;

	*to = (ad_setting){ .name = attr->name, .type = attr->type };
	if (v.kind == VALUE_UNKNOWN)
		return false;
	if (v.kind == VALUE_NULL && optional) {
		to->type = AD_NOTHING;
		return true;
	}
	switch (attr->type) {
	case AD_INT:
		return whole_of(r, v, at, attr->name, source, INT64_MIN, INT64_MAX, &to->i);
	case AD_NUM:
		return number_of(r, v, at, attr->name, &to->r);
	case AD_FLAG:
		to->b = v.b;
		if (v.kind == VALUE_FLAG)
			return true;
		break;
	case AD_WORD:
		to->s = v.s;
		if (v.kind == VALUE_WORD)
			return word_setting(r, attr, v.s, at);
		break;
	case AD_INTLIST:
	case AD_NUMLIST:
		if (v.kind == VALUE_LIST || value_is_number(v))
			return list_setting(r, attr, v, at, to);
		break;
	case AD_NOTHING:
		break;
	}
	wrong(r, E_TYPE, at, "'%s' wants %s, not %s", attr->name, wanted[attr->type],
	      value_text(r, v));
	note_param(r, at);
	return false;
}

/* The place of a word in a list that has it, from 0. */
static int word_place(const char *list, const char *word)
{
	const size_t n = strlen(word);
	int k = 0;

	for (;; k++) {
		size_t length = strcspn(list, " ");

		if (length == n && memcmp(list, word, n) == 0)
			return k;
		list += length + strspn(list + length, " ");
	}
}

/* A word in the place of numbers that is neither one of the choice nor a name. */
static bool list_word(struct recording *r, const struct scope *in, const ad_attr *attr, const struct yaml *y)
{
	const char *near = NULL, *rest = attr->choice;
	struct name *param = scope_nearest(r->messages, in, y->text, true);

	while (*rest && !near) {
		const char *word = store_copy(r->store, rest, strcspn(rest, " "));

		near = nearest(y->text, 1, &word);
		rest += strcspn(rest, " ");
		rest += *rest == ' ';
	}
	if (!near && param)
		near = param->text;
	return message(r->messages, E_TYPE, y->at,
	               near ? store_text(r->store, "did you mean '%s'?", near) : NULL, NULL,
	               "'%s' wants whole numbers, or one of: %s; not '%s'", attr->name, attr->choice, y->text);
}

bool setting_of_yaml(struct recording *r, const struct scope *in, const ad_attr *attr,
                     const struct yaml *y, ad_setting *to)
{
	struct value v;

	if (attr->type == AD_WORD && y->kind == YAML_SCALAR && !yaml_is_null(y)) {
		struct name *param = scope_find(in, y->text);

		v = (struct value){ .kind = VALUE_WORD, .s = y->text };
		if (!y->quoted && param && param->value.kind == VALUE_WORD &&
		    !word_in(attr->choice, y->text)) {
			param->used = true;
			v = param->value;
		}
	} else if (attr->type == AD_INTLIST && y->kind == YAML_SCALAR &&
	           word_in(attr->choice, y->text)) {
		*to = (ad_setting){ .name = attr->name, .type = AD_INTLIST };
		to->ints.n = LIST_WORD - word_place(attr->choice, y->text);
		return true;
	} else if (attr->type == AD_INTLIST && attr->choice && y->kind == YAML_SCALAR && !y->quoted &&
	           is_name(y->text) && !scope_find(in, y->text)) {
		return list_word(r, in, attr, y);
	} else if (attr->type == AD_INTLIST || attr->type == AD_NUMLIST) {
		v = eval_yaml(r, in, y);
	} else {
		v = field_of(r, in, y, attr->name, wanted[attr->type]);
	}
	return setting_of(r, in, attr, v, y->at, y->kind == YAML_SCALAR ? y->text : NULL, to);
}
