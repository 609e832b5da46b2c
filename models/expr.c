/*
 * expr: the text of an expression -> a tree. A Pratt parser (Pratt, "Top down operator precedence",
 * 1973): each operator has a binding power, and the loop takes operators while theirs is higher.
 *
 *	comparison < + - < * / // % @ < unary minus < ** < call, index
 *
 * Comparisons do not chain, ** binds to the right, so -2**2 is -4. Integers are decimal.
 */
#include "language.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COMPARES = 1, ADDS = 2, MULTIPLIES = 3, NEGATES = 4, RAISES = 5, APPLIES = 6 };

static const struct sign {
	const char *text;
	enum binary op;
	int power;
} signs[] = {
	{ "==", EQUAL, COMPARES },
	{ "!=", NOT_EQUAL, COMPARES },
	{ "<=", LESS_EQUAL, COMPARES },
	{ ">=", GREATER_EQUAL, COMPARES },
	{ "<", LESS, COMPARES },
	{ ">", GREATER, COMPARES },
	{ "**", POW, RAISES },
	{ "//", FLOOR_DIV, MULTIPLIES },
	{ "+", ADD, ADDS },
	{ "-", SUB, ADDS },
	{ "*", MUL, MULTIPLIES },
	{ "/", DIV, MULTIPLIES },
	{ "%", MOD, MULTIPLIES },
	{ "@", MATMUL, MULTIPLIES },
};

struct parser {
	struct store *store;
	struct messages *messages;
	const char *text, *s; /* s: where it is */
	struct place whole;
	int offset; /* columns from the scalar's place to its text; -1: not verbatim */
	int depth;
	bool failed;
};

const char *binary_sign(enum binary op)
{
	for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
		if (signs[i].op == op)
			return signs[i].text;
	return "?";
}

static bool is_start(char c)
{
	return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* YAML's core schema has these words in three spellings. */
static bool is_constant(const char *text)
{
	static const char *const words[] = { "true", "True", "TRUE", "false", "False", "FALSE",
		                             "null", "Null", "NULL" };

	for (size_t k = 0; k < sizeof words / sizeof *words; k++)
		if (strcmp(text, words[k]) == 0)
			return true;
	return false;
}

bool is_name(const char *text)
{
	size_t n = 0;

	if (!is_start(text[0]))
		return false;
	while (is_start(text[n]) || is_digit(text[n]))
		n++;
	return !text[n] && n <= LONGEST_NAME && !is_constant(text) && strcmp(text, "if") != 0 &&
	       strcmp(text, "prev") != 0;
}

double real_of_text(const char *text, char **end)
{
	locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* costs nothing for "C" */
	double x = c ? strtod_l(text, end, c) : strtod(text, end);

	if (c)
		freelocale(c);
	return x;
}

/* The place of the text from..to; the whole scalar where columns cannot be told. */
static struct place between(const struct parser *p, const char *from, const char *to)
{
	struct place at = p->whole;

	if (p->offset < 0)
		return at;
	at.col += p->offset + (int)utf8_count(p->text, (size_t)(from - p->text));
	at.end = at.col + (int)utf8_count(from, (size_t)(to - from));
	if (at.end <= at.col)
		at.end = at.col + 1;
	return at;
}

static struct expr *fail(struct parser *p, const char *from, const char *to, const char *help,
                         const char *text)
{
	if (!p->failed)
		message(p->messages, E_SYNTAX, between(p, from, to), NULL, help, "%s", text);
	p->failed = true;
	return NULL;
}

/* What other languages have, and what is written here. */
static const struct {
	const char *theirs, *help;
} foreign[] = {
	{ "and", "both of two: (a < b) * (b < c), and of tensors logical_and(a < b, b < c)" },
	{ "&&", "both of two: (a < b) * (b < c), and of tensors logical_and(a < b, b < c)" },
	{ "&", "both of two: (a < b) * (b < c), and of tensors logical_and(a < b, b < c)" },
	{ "or", "one of two or both: max(a < b, b < c), and of tensors logical_or(a < b, b < c)" },
	{ "||", "one of two or both: max(a < b, b < c), and of tensors logical_or(a < b, b < c)" },
	{ "|", "one of two or both: max(a < b, b < c), and of tensors logical_or(a < b, b < c)" },
	{ "not", "the opposite: (a < b) == false, and of tensors logical_not(a < b)" },
	{ "!", "the opposite: (a < b) == false, and of tensors logical_not(a < b)" },
	{ "^", "a power is written '**'" },
	{ "?", "write if(condition, a, b)" },
	{ "=", "equality is written '=='" },
	{ "\u2212", "minus is written '-'" },
	{ "\u2013", "minus is written '-'" },
	{ "\u00d7", "a product is written '*'" },
	{ "\u00b7", "a product is written '*'" },
	{ "\u00f7", "a quotient is written '/'" },
	{ "\u00b2", "a square is written '**2'" },
	{ "\u2264", "at most is written '<='" },
	{ "\u2265", "at least is written '>='" },
	{ "\u2260", "unequal is written '!='" },
	{ "\u201c", "quotes are ' or \"" },
	{ "\u2018", "quotes are ' or \"" },
};

/* What stands where `due` would: a sign of another language, a letter of another alphabet, or something that
 * needs no help. */
static struct expr *unexpected(struct parser *p, const char *due)
{
	const char *end = p->s;
	bool valid;

	for (size_t k = 0; k < sizeof foreign / sizeof *foreign; k++) {
		const char *sign = foreign[k].theirs;
		const size_t n = strlen(sign);

		if (*sign == '=' && p->s == p->text)
			continue; /* nothing is compared: it was taken for a marker */
		if (strncmp(p->s, sign, n) == 0 && !(is_start(*sign) && (is_start(p->s[n]) || is_digit(p->s[n]))))
			return fail(p, p->s, p->s + n, foreign[k].help,
			            *sign == '=' ? "a single '=' does not compare"
			                         : store_text(p->store, "'%s' is no operator here", sign));
	}
	end += utf8_next(end, strlen(end), &valid);
	if ((unsigned char)*p->s >= 128)
		return fail(p, p->s, end, "names are made of the letters a to z and A to Z, digits and '_'",
		            store_text(p->store, "'%.*s' is no part of an expression", (int)(end - p->s), p->s));
	return fail(p, p->s, *p->s ? end : p->s, NULL, due);
}

static void skip(struct parser *p)
{
	while (*p->s == ' ' || *p->s == '\t' || *p->s == '\n')
		p->s++;
}

static bool take(struct parser *p, char c)
{
	skip(p);
	if (*p->s != c)
		return false;
	p->s++;
	return true;
}

static struct expr *new_expr(struct parser *p, enum expr_kind kind, const char *from)
{
	struct expr *e = store_take(p->store, sizeof *e);

	e->kind = kind;
	e->at = e->span = between(p, from, p->s);
	e->depth = 1;
	return e;
}

static struct expr *add_arg(struct parser *p, struct expr *e, struct expr *arg, const char *name,
                            struct place name_at)
{
	if (!arg && p->failed)
		return NULL;
	e->args = store_more(p->store, e->args, e->n, sizeof *e->args);
	e->names = store_more(p->store, e->names, e->n, sizeof *e->names);
	e->name_at = store_more(p->store, e->name_at, e->n, sizeof *e->name_at);
	e->names[e->n] = name;
	e->name_at[e->n] = name_at;
	e->args[e->n++] = arg;
	if (arg && arg->depth >= e->depth)
		e->depth = arg->depth + 1;
	if (e->depth > MOST_OPERATORS)
		return fail(p, p->text, p->s, "give parts of it names of their own",
		            "this expression is nested too deeply");
	return e;
}

static struct expr *parse(struct parser *p, int least);

static struct expr *number(struct parser *p)
{
	const char *from = p->s;
	bool whole = true;
	char *end;

	if (from[0] == '0' && (from[1] == 'x' || from[1] == 'X' || from[1] == 'o' ||
	                       from[1] == 'O' || from[1] == 'b' || from[1] == 'B')) {
		while (is_start(*p->s) || is_digit(*p->s))
			p->s++;
		return fail(p, from, p->s, "write it in decimal",
		            "numbers are decimal; 0x, 0o and 0b are not read");
	}
	while (is_digit(*p->s))
		p->s++;
	if (*p->s == '.') {
		whole = false;
		for (p->s++; is_digit(*p->s);)
			p->s++;
	}
	if ((*p->s == 'e' || *p->s == 'E') &&
	    (is_digit(p->s[1]) || ((p->s[1] == '+' || p->s[1] == '-') && is_digit(p->s[2])))) {
		whole = false;
		for (p->s += 2; is_digit(*p->s);)
			p->s++;
	}
	if (is_start(*p->s) || *p->s == '.') {
		bool lines = *p->s == '_';

		while (is_start(*p->s) || is_digit(*p->s) || *p->s == '.')
			p->s++;
		return fail(p, from, p->s,
		            lines ? "write the digits without '_'"
		                  : "a product is written with '*': 2*n",
		            "not a number");
	}
	struct expr *e = new_expr(p, whole ? EXPR_INT : EXPR_REAL, from);
	/* The text is ASCII digits with a point: read it where a point is a point. */
	char *digits = store_copy(p->store, from, (size_t)(p->s - from));
	errno = 0;
	if (whole) {
		e->i = strtoll(digits, &end, 10);
		if (errno == ERANGE) {
			message(p->messages, E_RANGE, e->at, NULL, NULL,
			        "%.40s is out of range: whole numbers go up to 9223372036854775807",
			        digits);
			p->failed = true;
			return NULL;
		}
		e->r = (double)e->i;
	} else {
		e->r = real_of_text(digits, &end);
		if (!isfinite(e->r)) {
			message(p->messages, E_RANGE, e->at, NULL, NULL,
			        "%.40s is out of range: real numbers go up to 1.8e308", digits);
			p->failed = true;
			return NULL;
		}
	}
	return e;
}

/* The arguments of a call up to its ')'. */
static struct expr *call(struct parser *p, const char *from, const char *name, struct place at)
{
	struct expr *e = new_expr(p, EXPR_CALL, from);

	e->text = name;
	e->at = at;
	if (take(p, ')'))
		return e;
	do {
		skip(p);
		const char *word = p->s, *key = NULL;
		struct place key_at = { 0 };

		while (is_start(*p->s) || (p->s > word && is_digit(*p->s)))
			p->s++;
		const char *end = p->s;
		skip(p);
		if (end > word && p->s[0] == '=' && p->s[1] != '=') {
			key = store_copy(p->store, word, (size_t)(end - word));
			key_at = between(p, word, end);
			p->s++;
		} else {
			p->s = word;
		}
		if (!key && e->n > 0 && e->names[e->n - 1])
			return fail(p, word, end > word ? end : word + 1, NULL,
			            "an argument without a name follows one with a name");
		if (!add_arg(p, e, parse(p, 0), key, key_at))
			return NULL;
	} while (take(p, ','));
	if (!take(p, ')'))
		return unexpected(p, *p->s ? "expected ',' or ')' here"
		                           : "the expression ends inside a call: a ')' is missing");
	return e;
}

/* One axis between [ and ]: an index, or start:stop:step. */
static struct expr *axis(struct parser *p)
{
	const char *from = p->s;
	struct expr *parts[3] = { NULL, NULL, NULL };
	int n = 0;

	for (;;) {
		skip(p);
		if (*p->s != ':' && *p->s != ',' && *p->s != ']' && !(parts[n] = parse(p, 0)))
			return NULL;
		if (n == 2 || !take(p, ':'))
			break;
		n++;
	}
	if (n == 0)
		return parts[0] ? parts[0]
		                : fail(p, from, from + 1, NULL, "an index is missing here");
	struct expr *e = new_expr(p, EXPR_RANGE, from);
	for (int i = 0; i < 3; i++)
		if (!add_arg(p, e, parts[i], NULL, e->at))
			return NULL;
	return e;
}

static struct expr *primary(struct parser *p)
{
	skip(p);
	const char *from = p->s;

	if (is_digit(*from) || (*from == '.' && is_digit(from[1])))
		return number(p);
	if (*from == '.' &&
	    (strncasecmp(from, ".inf", 4) == 0 || strncasecmp(from, ".nan", 4) == 0))
		return fail(p, from, from + 4, NULL, "a number here must be finite");
	if (*from == '(') {
		p->s++;
		struct expr *e = parse(p, 0);
		if (!e)
			return NULL;
		if (!take(p, ')'))
			return fail(p, from, from + 1, NULL, "this '(' is never closed");
		e->span = between(p, from, p->s);
		e->grouped = true;
		return e;
	}
	if (*from == '[') {
		p->s++;
		struct expr *e = new_expr(p, EXPR_LIST, from);
		if (take(p, ']'))
			return e;
		do
			if (!add_arg(p, e, parse(p, 0), NULL, e->at))
				return NULL;
		while (take(p, ','));
		if (!take(p, ']'))
			return fail(p, from, from + 1, NULL, "this '[' is never closed");
		e->span = between(p, from, p->s);
		return e;
	}
	if (*from == '\'' || *from == '"') {
		const char *end = strchr(from + 1, *from);
		if (!end)
			return fail(p, from, from + 1, NULL, "this quote is never closed");
		p->s = end + 1;
		struct expr *e = new_expr(p, EXPR_WORD, from);
		e->text = store_copy(p->store, from + 1, (size_t)(end - from - 1));
		return e;
	}
	if (strncmp(from, "not ", 4) == 0) {
		const char next = from[3 + strspn(from + 3, " ")]; /* else it is the name of something */

		if (is_start(next) || is_digit(next) || next == '(')
			return unexpected(p, "");
	}
	if (is_start(*from)) {
		while (is_start(*p->s) || is_digit(*p->s) || (*p->s == '.' && is_start(p->s[1])))
			p->s++;
		struct expr *e = new_expr(p, EXPR_NAME, from);
		e->text = store_copy(p->store, from, (size_t)(p->s - from));
		if (take(p, '('))
			return call(p, from, e->text, e->at);
		if (strchr(e->text, '.'))
			return fail(p, from, p->s,
			            "what a tensor has is asked of a function: len(x), transpose(x, 0, 1)",
			            "a name with a '.' is a block of an included file; it is called, "
			            "file.block(x)");
		if (is_constant(e->text)) {
			e->i = tolower(e->text[0]) == 't';
			e->kind = tolower(e->text[0]) == 'n' ? EXPR_NULL : EXPR_FLAG;
		}
		return e;
	}
	if (!*from)
		return fail(p, from > p->text ? from - 1 : from, from, NULL,
		            p->s == p->text ? "an expression is missing here"
		                            : "the expression ends where a value is due");
	if (from[0] == '$' && from[1] == '{')
		return fail(p, from, from + 2, "names stand bare, without ${ }",
		            "'${' is for paths only");
	return unexpected(p, "a value is due here: a number, a name or '('");
}

static const struct sign *sign_at(struct parser *p)
{
	skip(p);
	for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
		if (strncmp(p->s, signs[i].text, strlen(signs[i].text)) == 0)
			return &signs[i];
	return NULL;
}

static struct expr *binary(struct parser *p, const struct sign *sign, struct expr *left,
                           const char *from)
{
	const char *at = p->s;

	if (strncmp(at, "<>", 2) == 0)
		return fail(p, at, at + 2, "unequal is written '!='", "'<>' is no operator here");
	p->s += strlen(sign->text);
	struct expr *e = new_expr(p, EXPR_BINARY, at);
	e->op = sign->op;
	/* The right side of ** may be a minus: 2**-1. It binds to the right, the others to the
	 * left. */
	struct expr *right = parse(p, sign->op == POW ? NEGATES : sign->power + 1);
	if (!right || !add_arg(p, e, left, NULL, e->at) || !add_arg(p, e, right, NULL, e->at))
		return NULL;
	e->span = between(p, from, p->s);
	return e;
}

/* An expression of operators that bind at least as strongly as `least`. */
static struct expr *parse(struct parser *p, int least)
{
	struct expr *left;

	skip(p);
	const char *from = p->s;
	if (++p->depth > MOST_OPERATORS / 4)
		return fail(p, from, from + 1, "give parts of it names of their own",
		            "this expression is nested too deeply");
	if (*p->s == '-' || *p->s == '+') {
		char c = *p->s++;
		struct expr *minus = new_expr(p, EXPR_NEGATE, from);
		struct expr *of = parse(p, NEGATES);

		if (!of || !add_arg(p, minus, of, NULL, minus->at))
			return NULL;
		minus->span = between(p, from, p->s);
		left = c == '-' ? minus : of;
	} else {
		left = primary(p);
	}
	while (left && !p->failed) {
		skip(p);
		if (*p->s == '[') {
			struct expr *e = NULL;

			p->s++;
			e = new_expr(p, EXPR_INDEX, p->s - 1);
			if (!add_arg(p, e, left, NULL, e->at))
				return NULL;
			do
				if (!add_arg(p, e, axis(p), NULL, e->at))
					return NULL;
			while (take(p, ','));
			if (!take(p, ']'))
				return unexpected(p, "expected ',' or ']' here");
			e->span = between(p, from, p->s);
			left = e;
			continue;
		}
		const struct sign *sign = sign_at(p);
		if (!sign || sign->power < least)
			break;
		if (sign->power == COMPARES && left->kind == EXPR_BINARY && left->op >= EQUAL &&
		    !left->grouped)
			return fail(p, p->s, p->s + strlen(sign->text),
			            "compare pairwise, (a < b) * (b < c)",
			            "comparisons do not chain");
		left = binary(p, sign, left, from);
	}
	p->depth--;
	return p->failed ? NULL : left;
}

struct expr *expr_parse(struct store *s, struct messages *m, const struct yaml *scalar)
{
	if (scalar->expr && *scalar->expr)
		return *scalar->expr;
	struct parser p = { .store = s,
		            .messages = m,
		            .text = scalar->text,
		            .s = scalar->text,
		            .whole = scalar->at };
	int shown = scalar->at.end - scalar->at.col,
	    length = (int)utf8_count(p.text, strlen(p.text));

	p.offset = !scalar->quoted && shown == length      ? 0
	           : scalar->quoted && shown == length + 2 ? 1
	                                                   : -1;
	struct expr *e = parse(&p, 0);
	skip(&p);
	if (e && *p.s)
		return unexpected(&p, "an operator is due here");
	if (scalar->expr)
		*scalar->expr = e;
	return e;
}

/* Whether argument i of a call is a word that the op knows, reduction=none: no name of a value. */
static bool is_keyword(const struct expr *e, size_t i)
{
	const ad_op *op = e->names && e->names[i] && e->args[i]->kind == EXPR_NAME ? ad_op_find(e->text) : NULL;
	const ad_attr *attr = op ? attr_find(ad_op_attrs(op), e->names[i]) : NULL;

	return attr && attr->type == AD_WORD && word_in(attr->choice, e->args[i]->text);
}

void expr_names(const struct expr *e, void (*found)(void *to, const struct expr *name), void *to)
{
	if (!e)
		return;
	if (e->kind == EXPR_NAME)
		found(to, e);
	for (size_t i = 0; i < e->n; i++)
		if (!is_keyword(e, i))
			expr_names(e->args[i], found, to);
}
