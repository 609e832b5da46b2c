/*
 * yaml: the tree: kinds, places, what is written reads back equal, and the limits.
 */
#include "model.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* A tree and what was said while it was read. */
struct reading {
	struct messages *messages;
	struct yaml_tree *tree;
	struct yaml *root;
	char *said;
};

static struct reading read_sized(const char *text, size_t n)
{
	struct reading r = { .messages = messages_new("m.yaml", text, n) };
	size_t length = 0;
	FILE *to = open_memstream(&r.said, &length);

	cr_assert(r.messages && to);
	r.tree = yaml_read(text, n, r.messages);
	cr_assert(r.tree != NULL);
	r.root = yaml_root(r.tree);
	messages_print(r.messages, to, false);
	fclose(to);
	return r;
}

static struct reading read_text(const char *text)
{
	return read_sized(text, strlen(text));
}

static void done(struct reading *r)
{
	yaml_free(r->tree);
	messages_free(r->messages);
	free(r->said);
}

static void expect_said(const char *text, size_t n, const char *part)
{
	struct reading r = read_sized(text, n);

	cr_expect(messages_errors(r.messages) > 0 && strstr(r.said, part), "said '%s', not '%s'",
	          r.said, part);
	done(&r);
}

Test(yaml, kinds_and_places)
{
	struct reading r = read_text("a: 1\nb: [x, \"y z\", {c: é d}]\ncafé: &k\n  - 'q'\nd: *k\n");
	struct yaml *b = yaml_get(r.root, "b"), *d;

	cr_assert(r.root && r.root->kind == YAML_MAP && r.root->n == 4, "%s", r.said);
	cr_expect_str_eq(yaml_get(r.root, "a")->text, "1");
	cr_expect(b->kind == YAML_LIST && b->n == 3 && b->flow && b->at.line == 2 &&
	          b->at.col == 4);
	cr_expect(b->items[1]->quoted && b->items[1]->at.col == 8 && b->items[1]->at.end == 13);
	cr_expect_str_eq(b->items[2]->items[0]->text, "é d");
	cr_expect(b->items[2]->items[0]->at.end == b->items[2]->items[0]->at.col + 3);
	d = yaml_get(r.root, "d");
	cr_expect(d && d == yaml_get(r.root, "café") && d->items[0]->quoted && !d->flow);
	cr_expect(yaml_get(r.root, "none") == NULL && yaml_get(d, "none") == NULL);
	done(&r);
}

static bool same(const struct yaml *a, const struct yaml *b)
{
	if (a->kind != b->kind || a->quoted != b->quoted || strcmp(a->text, b->text) != 0 ||
	    a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!same(a->items[i], b->items[i]) || (a->keys && !same(a->keys[i], b->keys[i])))
			return false;
	return true;
}

Test(yaml, written_reads_back_equal)
{
	static const char *const texts[] = {
		"a: 1\nb: [x, \"y: z\", {c: d, e: [1, [2, 3], {}]}, []]\nf:\ng: ~\n",
		"a:\n  - b: 1\n    c: [2]\n  - - x\n    - y\n  - \"line\\nline \\t \\\"q\\\" \\\\ "
		"\\x07 é \\u2028\"\n",
		"expr: mean(argmax(logits, axis=1) == y)\n\"i, f\": split(z, 2)\nx: |\n  two\n  "
		"lines\n",
		"x-a: &a {k: [1, 2]}\nb: *a\nc: [*a, *a]\n'quoted key': 'it''s'\n\"\": \"\"\n",
		"plain: several words\n  over lines\nneg: -2\n? k\n: v\n",
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct reading r = read_text(texts[i]);
		char *text = NULL;
		size_t length = 0;
		FILE *to = open_memstream(&text, &length);

		cr_assert(r.root, "%s", r.said);
		yaml_write(r.root, to);
		fclose(to);
		struct reading again = read_text(text);
		cr_assert(again.root, "%s\n%s", text, again.said);
		cr_expect(same(r.root, again.root), "%s\nwas written as\n%s", texts[i], text);
		done(&r);
		done(&again);
		free(text);
	}
}

Test(yaml, limits)
{
	char *big = malloc((1 << 20) + 2), *s;

	cr_assert(big);
	memset(big, '[', 100000);
	expect_said(big, 100000, "nested more than 64 levels deep");
	memset(big, 'a', (1 << 20) + 1);
	expect_said(big, (1 << 20) + 1, "a model file has at most 1048576");
	memcpy(big, "x: ", 3);
	expect_said(big, 100000, "one value has at most 65536");
	s = stpcpy(big, "x: [");
	for (int i = 0; i < 120000; i++)
		s = stpcpy(s, "1, ");
	strcpy(s, "2]\n");
	expect_said(big, strlen(big), "more than 100000 values and brackets");
	s = stpcpy(big, "a: &a 1\nb: [");
	for (int i = 0; i < 1001; i++)
		s = stpcpy(s, "*a, ");
	strcpy(s, "2]\n");
	expect_said(big, strlen(big), "more than 1000 aliases");
	/* An alias in an anchored list in an alias: each level is shallow, the whole is not. */
	s = stpcpy(big, "x0: &x0 [[[[[[[[1]]]]]]]]\n");
	for (int i = 1; i < 12; i++)
		s += sprintf(s, "x%d: &x%d [[[[[[[[*x%d]]]]]]]]\n", i, i, i - 1);
	expect_said(big, strlen(big), "nested more than 64 levels deep");
	/* Keys are compared by sorting: many of them take no quadratic time. */
	s = big;
	for (int i = 0; i < 45000; i++)
		s += sprintf(s, "k%d: 1\n", i);
	strcpy(s, "k7: 2\n");
	expect_said(big, strlen(big), "key 'k7' appears twice");
	free(big);
}

Test(yaml, encodings)
{
	expect_said("\xff\xfe"
	            "a\0:\0",
	            6, "UTF-16");
	expect_said("a: \xc0\x80\n", 6, "is not valid UTF-8");
	expect_said("a: \xed\xa0\x80\n", 7, "is not valid UTF-8");
	expect_said("a: \x01\n", 5, "control character 0x01");
	expect_said("a: b\0c\n", 7, "a NUL byte");
	expect_said("\xef\xbb\xbf", 3, "the file is empty");
	expect_said("# only a comment\n", 17, "the file is empty");
	struct reading r = read_text("\xef\xbb\xbf"
	                             "a: b\n");
	cr_expect(r.root && yaml_get(r.root, "a") && r.root->at.col == 1, "%s", r.said);
	done(&r);
}

/* Why libyaml stops is said in terms of the file. */
Test(yaml, reasons)
{
	static const struct {
		const char *text, *said;
	} cases[] = {
		{ "m: [a, {b: c}\nn: [d]\n", "m.yaml:1:4: error[E007]: this '[' is never closed" },
		{ "m: [a, ']' # ]\nn: {d: e}\n", "m.yaml:1:4: error[E007]: this '[' is never closed" },
		{ "m: [a, {b: c]\nn: d\n", "m.yaml:1:13: error[E016]: a ',' or a '}' is due here" },
		{ "m: {\"a\"\n  : b}\n", "m.yaml:2:3: error[E016]: a ',' or a '}' is due here" },
		{ "m: [a, \"]\", b\n  c: [d]]\n", "m.yaml:2:4: error[E016]: a ',' or a ']' is due here" },
		{ "  a: 1\nb: 2\n", "m.yaml:2:1: error[E016]: this stands further left than what the file began" },
		{ "a: 1\n...\nb: 2\n", "m.yaml:3:1: error[E016]: a second document" },
		{ "a: 1\n---\nb: 2\n", "m.yaml:2:1: error[E016]: a second document" },
		{ "- a\n-\t- b\n", "m.yaml:2:2: error[E008]: YAML does not allow a tab" },
		{ "k: &a:b v\n", "m.yaml:1:4: error[E016]: the name of an anchor is made of" },
		{ "k: &a:b [v]\n", "the name of an anchor is made of" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		expect_said(cases[i].text, strlen(cases[i].text), cases[i].said);
}

/* The end of the file is the end of its last line. */
Test(yaml, without_a_last_line_feed)
{
	static const char *const texts[] = { "a: |\n  x\n   ", "a: |\n  x\n   \n" };

	for (int i = 0; i < 2; i++) {
		struct reading r = read_text(texts[i]);

		cr_assert(r.root, "%s", r.said);
		cr_expect_str_eq(yaml_get(r.root, "a")->text, "x\n \n");
		done(&r);
	}
}

Test(yaml, suggestions)
{
	static const char *const names[] = { "epochs", "steps", "relu", "gelu", "here" };

	cr_expect_str_eq(nearest("epoch", 5, names), "epochs");
	cr_expect_str_eq(nearest("reul", 5, names), "relu");
	cr_expect_str_eq(nearest("hear", 5, names), "here");
	cr_expect(nearest("optimizer", 5, names) == NULL);
	cr_expect(nearest("x", 5, names) == NULL);

	/* up to a third of the letters, one of three, two of four and five, as between 'hear' and 'here': deleted, added,
	 * changed, or two that have changed places */
	static const struct {
		const char *word, *near, *far;
	} limits[] = {
		{ "abc", "abd", "axy" },
		{ "abc", "acb", "cba" },
		{ "abcd", "abxy", "awxy" },
		{ "abcde", "abcxy", "abwxy" },
		{ "abcdef", "abcxyf", "abxyzf" },
		{ "abcdef", "badcef", "badcfe" },
		{ "abcdef", "abcd", "abc" },
		{ "abcdefghi", "abcdefxyz", "abcdewxyz" },
		{ "abcdefghi", "badcfeghi", "badcfehgi" },
		{ "abcdefghi", "abcdefghixyz", "abcdefghiwxyz" },
	};

	for (size_t k = 0; k < sizeof limits / sizeof *limits; k++) {
		cr_expect(nearest(limits[k].word, 1, &limits[k].near), "%s %s", limits[k].word, limits[k].near);
		cr_expect_null(nearest(limits[k].word, 1, &limits[k].far), "%s %s", limits[k].word, limits[k].far);
	}
}
