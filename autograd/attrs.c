/*
 * attrs: the attributes of ops: values by their table, as a struct and as text.
 */
#include "graph.h"
#include "op.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <stdio.h>

static bool word_among(const char *choice, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = choice; n && (at = strstr(at, word)); at += n)
		if ((at == choice || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
			return true;
	return false;
}

static const char *const type_names[] = {
	"a whole number", "a number", "true or false", "a word", "a list of whole numbers",
	"a list of numbers", "nothing"
};

static bool refuse_value(const ad_attr *a, const ad_setting *s, char *message, size_t n)
{
	if (s->type == AD_WORD)
		snprintf(message, n, "'%s' wants %s, not '%s'", a->name, type_names[a->type], s->s);
	else if (s->type == AD_NUM)
		snprintf(message, n, "'%s' wants %s, not %g", a->name, type_names[a->type], s->r);
	else
		snprintf(message, n, "'%s' wants %s, not %s", a->name, type_names[a->type],
		         type_names[s->type]);
	return false;
}

/* Stores one value where its attribute has its place. one: where a single number that becomes a
 * list finds room. */
static bool store(const ad_attr *a, void *to, const ad_setting *s, char *message, size_t n)
{
	union {
		void *p;
		int64_t *i;
		double *r;
		bool *b;
		const char **s;
		ad_ints *ints;
		ad_reals *reals;
	} at = { (char *)to + a->offset };
	/* null stands for "not given", which needs a default of null to be allowed */
	bool optional = a->def && strcmp(a->def, "null") == 0;

	if (s->type == AD_NOTHING && !optional)
		return refuse_value(a, s, message, n);
	switch (a->type) {
	case AD_INT:
		if (s->type == AD_NOTHING)
			*at.i = AD_NONE;
		else if (s->type == AD_INT)
			*at.i = s->i;
		else if (s->type == AD_NUM && s->r == floor(s->r) && fabs(s->r) < 9e15)
			*at.i = (int64_t)s->r;
		else
			return refuse_value(a, s, message, n);
		return true;
	case AD_NUM:
		if (s->type == AD_NOTHING)
			*at.r = (double)NAN;
		else if (s->type == AD_NUM)
			*at.r = s->r;
		else if (s->type == AD_INT)
			*at.r = (double)s->i;
		else
			return refuse_value(a, s, message, n);
		return true;
	case AD_FLAG:
		if (s->type == AD_NOTHING) {
			*at.b = false;
			return true;
		}
		if (s->type != AD_FLAG)
			return refuse_value(a, s, message, n);
		*at.b = s->b;
		return true;
	case AD_WORD:
		if (s->type == AD_NOTHING) {
			*at.s = NULL;
			return true;
		}
		if (s->type != AD_WORD)
			return refuse_value(a, s, message, n);
		if (a->choice && !word_among(a->choice, s->s)) {
			snprintf(message, n, "'%s' is one of %s, not '%s'", a->name, a->choice, s->s);
			return false;
		}
		*at.s = s->s;
		return true;
	case AD_INTLIST:
		if (s->type == AD_NOTHING)
			*at.ints = (ad_ints){ -1, NULL };
		else if (s->type == AD_INT)
			*at.ints = (ad_ints){ 1, &s->i };
		else if (s->type == AD_INTLIST)
			*at.ints = s->ints;
		else if (s->type == AD_NUMLIST && s->reals.n == 0)
			*at.ints = (ad_ints){ 0, NULL };
		else
			return refuse_value(a, s, message, n);
		return true;
	case AD_NUMLIST:
		if (s->type == AD_NOTHING)
			*at.reals = (ad_reals){ -1, NULL };
		else if (s->type == AD_NUM)
			*at.reals = (ad_reals){ 1, &s->r };
		else if (s->type == AD_INT && s->r == (double)s->i) /* also there as a real */
			*at.reals = (ad_reals){ 1, &s->r };
		else if (s->type == AD_NUMLIST || (s->type == AD_INTLIST && s->reals.n == s->ints.n))
			*at.reals = s->reals;
		else
			return refuse_value(a, s, message, n);
		return true;
	case AD_NOTHING:
		break;
	}
	return true;
}

/* ---- attributes as text ------------------------------------------------------------------------ */

static bool number_at(const char **text, int64_t *i, double *r, bool *whole)
{
	static _Thread_local locale_t c_locale;
	char *end;

	if (strncmp(*text, "null", 4) == 0) {
		*text += 4;
		*i = AD_NONE;
		*r = (double)NAN;
		*whole = true;
		return true;
	}
	errno = 0;
	*i = strtoll(*text, &end, 10);
	*whole = end != *text && errno == 0 && *end != '.' && *end != 'e' && *end != 'E';
	if (*whole) {
		*r = (double)*i;
		*text = end;
		return true;
	}
	if (!c_locale)
		c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	*r = c_locale ? strtod_l(*text, &end, c_locale) : strtod(*text, &end);
	if (end == *text)
		return false;
	*text = end;
	return true;
}

/* One value as text: 3, 1e-3, true, word, null, [1, 2]. */
static bool parse_value(const char **text, ad_setting *s, struct numbers *room)
{
	bool whole = true;
	size_t n = 0;

	if (**text == '[') {
		bool all = true;

		for (++*text; **text && **text != ']';) {
			if (n == 256 || !number_at(text, &room->i[n], &room->r[n], &whole))
				return false;
			all &= whole;
			n++;
			while (**text == ',' || **text == ' ')
				++*text;
		}
		if (**text != ']')
			return false;
		++*text;
		s->type = all ? AD_INTLIST : AD_NUMLIST;
		s->ints = (ad_ints){ (int64_t)n, room->i };
		s->reals = (ad_reals){ (int64_t)n, room->r };
		return true;
	}
	if (isdigit((unsigned char)**text) || **text == '-' || **text == '+' || **text == '.') {
		if (!number_at(text, &s->i, &s->r, &whole))
			return false;
		s->type = whole ? AD_INT : AD_NUM;
		return true;
	}
	while ((*text)[n] && (*text)[n] != ' ' && n < sizeof room->word - 1)
		n++;
	memcpy(room->word, *text, n);
	room->word[n] = '\0';
	*text += n;
	s->s = room->word;
	s->type = AD_WORD;
	if (strcmp(room->word, "true") == 0 || strcmp(room->word, "false") == 0) {
		s->type = AD_FLAG;
		s->b = room->word[0] == 't';
	} else if (strcmp(room->word, "null") == 0) {
		s->type = AD_NOTHING;
	} else if (strcmp(room->word, "inf") == 0) {
		s->type = AD_NUM;
		s->r = (double)INFINITY;
	}
	return n > 0;
}

/* A table's default. Words and lists point into room and are only good until the next one. */
static void default_of(const ad_attr *a, ad_setting *s, struct numbers *room)
{
	const char *text = a->def;

	memset(s, 0, sizeof *s);
	s->name = a->name;
	if (!parse_value(&text, s, room))
		s->type = AD_NOTHING;
	if (s->type == AD_WORD)
		s->s = a->def;
	if (a->type == AD_WORD && s->type != AD_NOTHING) {
		s->type = AD_WORD;
		s->s = a->def;
	}
	if (a->type == AD_NUMLIST && s->type == AD_INTLIST)
		s->type = AD_NUMLIST;
}

/* A list that is a default lives as long as the program: one copy for each table row that has one,
 * made when the row is first asked for. */
static bool list_default(const ad_attr *a, ad_setting *s)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static struct kept {
		struct kept *next;
		const ad_attr *a;
		int64_t *i;
		double *r;
	} *all;
	size_t n = s->ints.n > 0 ? (size_t)s->ints.n : 0;
	struct kept *k;

	if ((s->type != AD_INTLIST && s->type != AD_NUMLIST) || n == 0)
		return true;
	pthread_mutex_lock(&lock);
	for (k = all; k && k->a != a;)
		k = k->next;
	if (!k && (k = malloc(sizeof *k + n * (sizeof *k->i + sizeof *k->r)))) {
		k->i = (int64_t *)(void *)(k + 1);
		k->r = (double *)(void *)(k->i + n);
		memcpy(k->i, s->ints.v, n * sizeof *k->i);
		memcpy(k->r, s->reals.v, n * sizeof *k->r);
		k->a = a;
		k->next = all;
		all = k;
	}
	pthread_mutex_unlock(&lock);
	if (!k)
		return false;
	s->ints.v = k->i;
	s->reals.v = k->r;
	return true;
}

bool ad_fill_attrs(const ad_attr *table, void *to, size_t n, const ad_setting settings[],
                   char *message, size_t message_size)
{
	for (size_t k = 0; k < n; k++) {
		const ad_attr *a = table;

		while (a && a->name && strcmp(a->name, settings[k].name) != 0)
			a++;
		if (!a || !a->name) {
			snprintf(message, message_size, "there is no '%s'", settings[k].name);
			return false;
		}
		for (size_t j = 0; j < k; j++)
			if (strcmp(settings[j].name, settings[k].name) == 0) {
				snprintf(message, message_size, "'%s' is given twice", a->name);
				return false;
			}
	}
	for (const ad_attr *a = table; a && a->name; a++) {
		const ad_setting *given = NULL;
		struct numbers room;
		ad_setting s;

		for (size_t k = 0; k < n; k++)
			if (strcmp(a->name, settings[k].name) == 0)
				given = &settings[k];
		if (!given) {
			if (!a->def) {
				snprintf(message, message_size, "'%s' (%s) is missing", a->name,
				         type_names[a->type]);
				return false;
			}
			default_of(a, &s, &room);
			if (!list_default(a, &s)) {
				snprintf(message, message_size, "out of memory");
				return false;
			}
			given = &s;
			/* a single number as the default of a list has no lasting place */
			if ((a->type == AD_INTLIST && s.type == AD_INT) ||
			    (a->type == AD_NUMLIST && (s.type == AD_INT || s.type == AD_NUM))) {
				room.i[0] = s.i;
				room.r[0] = s.r;
				s.ints = (ad_ints){ 1, room.i };
				s.reals = (ad_reals){ 1, room.r };
				s.type = a->type;
				if (!list_default(a, &s)) {
					snprintf(message, message_size, "out of memory");
					return false;
				}
			}
		}
		if (!store(a, to, given, message, message_size))
			return false;
	}
	return true;
}

bool check_words(ad_graph *g, const ad_op *op, const void *attrs)
{
	for (const ad_attr *a = op->attrs; a && a->name; a++) {
		const char *word;

		if (a->type != AD_WORD || !a->choice)
			continue;
		memcpy(&word, (const char *)attrs + a->offset, sizeof word);
		if (word && !word_among(a->choice, word)) {
			ad_fail(g, AD_ERROR_ARGUMENT, "%s: '%s' is one of %s, not '%s'", op->name,
			        a->name, a->choice, word);
			return false;
		}
	}
	return true;
}

/* A copy of n bytes in the arena, in the place of a pointer to them. */
static bool copy_list(struct arena *arena, void *pointer, size_t bytes)
{
	void *copy = arena_take(arena, bytes), *from;

	if (!copy)
		return false;
	memcpy(&from, pointer, sizeof from);
	memcpy(copy, from, bytes);
	memcpy(pointer, &copy, sizeof copy);
	return true;
}

void *copy_attrs(ad_graph *g, const ad_op *op, const void *from)
{
	void *to;

	if (!check_words(g, op, from))
		return NULL;
	to = arena_take(&g->arena, op->attrs_size);
	if (to)
		memcpy(to, from, op->attrs_size);
	for (const ad_attr *a = op->attrs; to && a->name; a++) {
		void *at = (char *)to + a->offset;
		bool kept = true;

		if (a->type == AD_INTLIST && ((ad_ints *)at)->n > 0)
			kept = copy_list(&g->arena, (char *)at + offsetof(ad_ints, v),
			                 (size_t)((ad_ints *)at)->n * sizeof(int64_t));
		else if (a->type == AD_NUMLIST && ((ad_reals *)at)->n > 0)
			kept = copy_list(&g->arena, (char *)at + offsetof(ad_reals, v),
			                 (size_t)((ad_reals *)at)->n * sizeof(double));
		else if (a->type == AD_WORD && *(const char **)at)
			kept = copy_list(&g->arena, at, strlen(*(const char **)at) + 1);
		if (!kept)
			to = NULL;
	}
	if (!to)
		out_of_memory(g, op->attrs_size);
	return to;
}

struct defaults {
	struct defaults *next;
	const ad_op *op;
	_Alignas(16) unsigned char attrs[];
};

const void *default_attrs(ad_graph *g, const ad_op *op)
{
	struct defaults *d = g->defaults;
	struct arena_mark mark;
	char message[256];

	while (d && d->op != op)
		d = d->next;
	if (d)
		return d->attrs;
	mark = arena_mark(&g->lasting_arena);
	d = arena_take(&g->lasting_arena, sizeof *d + op->attrs_size);
	if (!d) {
		out_of_memory(g, op->attrs_size);
		return NULL;
	}
	if (!ad_fill_attrs(op->attrs, d->attrs, 0, NULL, message, sizeof message)) {
		ad_fail(g, AD_ERROR_ARGUMENT, "%s: %s", op->name, message);
		arena_release(&g->lasting_arena, mark);
		return NULL;
	}
	d->op = op;
	d->next = g->defaults;
	g->defaults = d;
	return d->attrs;
}

static bool same_list(int64_t n, const void *a, int64_t m, const void *b, size_t size)
{
	return n == m && (n <= 0 || a == b || memcmp(a, b, (size_t)n * size) == 0);
}

static bool same_word(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool same_attrs(const ad_op *op, const void *a, const void *b)
{
	if (a == b)
		return true;
	for (const ad_attr *t = op->attrs; t && t->name; t++) {
		const void *x = (const char *)a + t->offset, *y = (const char *)b + t->offset;
		bool same = true;

		switch (t->type) {
		case AD_INT:
			same = *(const int64_t *)x == *(const int64_t *)y;
			break;
		case AD_NUM: /* bit by bit: NaN is itself, -0 is not 0 */
			same = memcmp(x, y, sizeof(double)) == 0;
			break;
		case AD_FLAG:
			same = *(const bool *)x == *(const bool *)y;
			break;
		case AD_WORD:
			same = same_word(*(const char *const *)x, *(const char *const *)y);
			break;
		case AD_INTLIST:
			same = same_list(((const ad_ints *)x)->n, ((const ad_ints *)x)->v,
			                 ((const ad_ints *)y)->n, ((const ad_ints *)y)->v,
			                 sizeof(int64_t));
			break;
		case AD_NUMLIST:
			same = same_list(((const ad_reals *)x)->n, ((const ad_reals *)x)->v,
			                 ((const ad_reals *)y)->n, ((const ad_reals *)y)->v,
			                 sizeof(double));
			break;
		case AD_NOTHING:
			break;
		}
		if (!same)
			return false;
	}
	return true;
}

bool read_settings(const char *text, struct settings *to, char *message, size_t size)
{
	size_t n = to->n = 0;

	for (const char *at = text ? text : ""; *at;) {
		size_t length = 0;

		while (*at == ' ')
			at++;
		if (!*at)
			break;
		while (at[length] && at[length] != '=' && at[length] != ' ')
			length++;
		if (n == 8 || at[length] != '=' || length >= sizeof to->names[0]) {
			snprintf(message, size, "cannot read the settings at '%s'", at);
			return false;
		}
		memset(&to->of[n], 0, sizeof to->of[n]);
		memcpy(to->names[n], at, length);
		to->names[n][length] = '\0';
		to->of[n].name = to->names[n];
		at += length + 1;
		if (!parse_value(&at, &to->of[n], &to->room[n])) {
			snprintf(message, size, "cannot read the value at '%s'", at);
			return false;
		}
		to->n = ++n;
	}
	return true;
}

char *ad_print_attrs(char *text, size_t n, const ad_node *x)
{
	size_t used = 0;

	if (n == 0)
		return text;
	text[0] = '\0';
	if (!x || !x->op || !x->op->attrs || !x->attrs)
		return text;
#define PRINT(...)                                                                                 \
	do {                                                                                       \
		if (used < n)                                                                      \
			used += (size_t)snprintf(text + used, n - used, __VA_ARGS__);              \
	} while (0)
	for (const ad_attr *a = x->op->attrs; a->name; a++) {
		const void *at = (const char *)x->attrs + a->offset;

		PRINT("%s%s=", used ? " " : "", a->name);
		switch (a->type) {
		case AD_INT:
			if (*(const int64_t *)at == AD_NONE)
				PRINT("null");
			else
				PRINT("%lld", (long long)*(const int64_t *)at);
			break;
		case AD_NUM:
			if (isnan(*(const double *)at))
				PRINT("null");
			else
				PRINT("%.9g", *(const double *)at);
			break;
		case AD_FLAG:
			PRINT("%s", *(const bool *)at ? "true" : "false");
			break;
		case AD_WORD:
			PRINT("%s", *(const char *const *)at ? *(const char *const *)at : "null");
			break;
		case AD_INTLIST: {
			const ad_ints *list = at;

			if (list->n < 0)
				PRINT("null");
			for (int64_t k = 0; k < list->n; k++) {
				PRINT("%s", k ? "," : "[");
				if (list->v[k] == AD_NONE)
					PRINT("null");
				else
					PRINT("%lld", (long long)list->v[k]);
			}
			if (list->n >= 0)
				PRINT(list->n ? "]" : "[]");
			break;
		}
		case AD_NUMLIST: {
			const ad_reals *list = at;

			if (list->n < 0)
				PRINT("null");
			for (int64_t k = 0; k < list->n; k++)
				PRINT("%s%.9g", k ? "," : "[", list->v[k]);
			if (list->n >= 0)
				PRINT(list->n ? "]" : "[]");
			break;
		}
		case AD_NOTHING:
			break;
		}
	}
#undef PRINT
	return text;
}
