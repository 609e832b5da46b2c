/*
 * expr: expressions of numbers: exact values, and what is refused.
 */
#include "language.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct build build;
static ad_model model = { .build = &build };

/* Evaluates a text with the params a = 7, b = 2, half = 0.5, list = [3, 1, 2]. */
static struct value value_of(const char *text, struct messages *m)
{
	static jmp_buf out;
	struct scope names = { .up = NULL };
	struct recording r = {
		.model = &model, .store = &build.store, .messages = m, .space = ""
	};
	struct yaml y = { .kind = YAML_SCALAR,
		          .text = text,
		          .at = { 1, 1, (int)strlen(text) + 1 } };

	build.store.out = &out;
	cr_assert(setjmp(out) == 0);
	struct value *items = store_take(&build.store, 3 * sizeof *items);
	for (int i = 0; i < 3; i++)
		items[i] =
		    (struct value){ .kind = VALUE_INT, .i = "312"[i] - '0', .r = "312"[i] - '0' };
	scope_add(&build.store, &names, "a", NAME_PARAM, y.at,
	          (struct value){ .kind = VALUE_INT, .i = 7, .r = 7 });
	scope_add(&build.store, &names, "b", NAME_PARAM, y.at,
	          (struct value){ .kind = VALUE_INT, .i = 2, .r = 2 });
	scope_add(&build.store, &names, "half", NAME_PARAM, y.at,
	          (struct value){ .kind = VALUE_REAL, .r = 0.5 });
	scope_add(&build.store, &names, "list", NAME_PARAM, y.at,
	          (struct value){ .kind = VALUE_LIST, .n = 3, .items = items });
	return eval_yaml(&r, &names, &y);
}

Test(expr, whole_numbers_are_exact)
{
	static const struct {
		const char *text;
		int64_t want;
	} cases[] = {
		{ "1 + 2 * 3", 7 },
		{ "(1 + 2) * 3", 9 },
		{ "2**3**2", 512 },
		{ "-2**2", -4 },
		{ "(-2)**2", 4 },
		{ "7 // 2", 3 },
		{ "-7 // 2", -4 },
		{ "7 % -2", -1 },
		{ "-7 % 2", 1 },
		{ "a - b - 1", 4 },
		{ "2**62 - 1 + 2**62", INT64_MAX },
		{ "--3", 3 },
		{ "+a", 7 },
		{ "10 - -2", 12 },
		{ "007", 7 },
		{ "max(a, b, 9)", 9 },
		{ "min(list)", 1 },
		{ "max(list)", 3 },
		{ "len(list)", 3 },
		{ "list[0]", 3 },
		{ "list[-1]", 2 },
		{ "len(range(3, 8))", 5 },
		{ "abs(b - a)", 5 },
		{ "floor(half)", 0 },
		{ "ceil(half)", 1 },
		{ "if(a > b, a, 1 // 0)", 7 },
		{ "if(false, 1, 2)", 2 },
		{ "(a > b) + 1", 2 },
		{ "1**1000000000000", 1 },
		{ "(-1)**999999999", -1 },
		{ "9007199254740993", 9007199254740993 },
		{ " 1\t+ 1 ", 2 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct messages *m = messages_new("e", "", 0);
		struct value v = value_of(cases[i].text, m);

		cr_expect(v.kind == VALUE_INT && v.i == cases[i].want, "%s = %lld, not %lld",
		          cases[i].text, (long long)v.i, (long long)cases[i].want);
		cr_expect(messages_errors(m) == 0);
		messages_free(m);
	}
	arena_free(&build.store.arena);
}

Test(expr, real_numbers_and_truth)
{
	static const struct {
		const char *text;
		double want;
		enum value_kind kind;
	} cases[] = {
		{ "7 / 2", 3.5, VALUE_REAL },
		{ "6 / 2", 3, VALUE_REAL },
		{ "1e-3", 1e-3, VALUE_REAL },
		{ ".5", 0.5, VALUE_REAL },
		{ "5.", 5, VALUE_REAL },
		{ "2**-1", 0.5, VALUE_REAL },
		{ "half * 4", 2, VALUE_REAL },
		{ "7.5 // 2", 3, VALUE_REAL },
		{ "-7.5 % 2", 0.5, VALUE_REAL },
		{ "sqrt(16)", 4, VALUE_REAL },
		{ "exp(0)", 1, VALUE_REAL },
		{ "log(1)", 0, VALUE_REAL },
		{ "1/255", 1.0 / 255, VALUE_REAL },
		{ "2 < 3", 1, VALUE_FLAG },
		{ "2 == 2.0", 1, VALUE_FLAG },
		{ "9007199254740993 == 9007199254740992", 0, VALUE_FLAG },
		{ "a != b", 1, VALUE_FLAG },
		{ "true", 1, VALUE_FLAG },
		{ "1E5", 1e5, VALUE_REAL },
		{ "1.5e+2", 150, VALUE_REAL },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct messages *m = messages_new("e", "", 0);
		struct value v = value_of(cases[i].text, m);

		cr_expect(v.kind == cases[i].kind && v.r == cases[i].want, "%s = %.17g, not %.17g",
		          cases[i].text, v.r, cases[i].want);
		messages_free(m);
	}
	arena_free(&build.store.arena);
}

Test(expr, refused)
{
	static const char *const texts[] = {
		"",
		"1 +",
		"(1",
		"1)",
		"0x10",
		"0o7",
		"1_000",
		"12abc",
		"1..2",
		"1 2",
		"a = b",
		"a < b < 3",
		"9223372036854775808",
		"1e999",
		"2**63",
		"9223372036854775807 + 1",
		"1/0",
		"1 // 0",
		"1 % 0",
		"sqrt(-1)",
		"log(0)",
		"nothing",
		"list[3]",
		"list[0.5]",
		"1 @ 2",
		"range(1000000000)",
		"f(x",
		"a ? b : c",
		"${a}",
		"'open",
		"[1, 2",
		"a[",
		"max()",
		"if(1, 2)",
		"-list",
		"list + 1",
		"a[0]",
		".nan",
		"-.inf",
		"0.5**-2000",
		"\xe2\x88\x9e",
		"1:2",
		"sigmoid(1)",
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct messages *m = messages_new("e", "", 0);
		struct value v = value_of(texts[i], m);

		/* An empty scalar is null: the field says that something is missing. */
		if (*texts[i])
			cr_expect(v.kind == VALUE_UNKNOWN && messages_errors(m) == 1,
			          "%s: %d errors", texts[i], messages_errors(m));
		else
			cr_expect(v.kind == VALUE_NULL);
		messages_free(m);
	}
	arena_free(&build.store.arena);
}

/* No recursion without a bound: long and deep expressions are values or messages. */
Test(expr, long_and_deep)
{
	static const struct {
		const char *open, *middle, *close;
		int n;
	} cases[] = { { "(", "1", ")", 20000 },  { "-", "1", "", 60000 },
		      { "2**", "1", "", 20000 }, { "1+", "1", "", 30000 },
		      { "a[", "1", "]", 10000 }, { "max(1, ", "1", ")", 8000 },
		      { "[", "1", "]", 20000 } };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *text = malloc(200000), *s = text;
		struct messages *m = messages_new("e", "", 0);

		for (int k = 0; k < cases[i].n; k++)
			s = stpcpy(s, cases[i].open);
		s = stpcpy(s, cases[i].middle);
		for (int k = 0; k < cases[i].n; k++)
			s = stpcpy(s, cases[i].close);
		struct value v = value_of(text, m);
		cr_expect(v.kind == VALUE_UNKNOWN && messages_errors(m) == 1);
		messages_free(m);
		free(text);
	}
	arena_free(&build.store.arena);
}
