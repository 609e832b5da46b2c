/*
 * sentences: sentences.txt takes the language's reference to pieces and names, for each, the tests that show it.
 *
 * The pieces put together are the reference, so a sentence that comes to it fails here until it is listed; what the
 * list names is there, so a test that goes leaves no sentence without one in silence.
 */
#include <criterion/criterion.h>
#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIST "tests/models/sentences.txt"
#define ROWS "tests/models/reference.c"
#define REFERENCE "../shared/design/LANGUAGE.md"

/* Why a piece is no statement about this program, behind "- ". */
static const char *const reasons[] = {
	"heading",         /* titles, heads of tables */
	"about this page", /* what the reference says of itself */
	"motive",          /* why, not what */
	"others",          /* other systems */
	"libyaml",         /* what was measured of libyaml; what follows from it is a piece of its own */
	"trial",           /* a schema that was tried before there was this program */
};

/* The whole file; NULL: it cannot be read. */
static char *read_text(const char *path)
{
	FILE *file = fopen(path, "rb");
	char *text = NULL;
	size_t size = 0;
	int c;

	if (!file)
		return NULL;
	FILE *to = open_memstream(&text, &size);
	cr_assert(to);
	while ((c = getc(file)) != EOF)
		putc(c, to);
	fclose(to);
	fclose(file);
	return text;
}

/* A test of the piece above, or why it needs none. */
static bool is_note(const char *line)
{
	return *line == '\t';
}

static bool is_remark(const char *line)
{
	return *line == '%';
}

static char *next_line(char **rest)
{
	char *line = *rest, *end = strchr(line, '\n');

	if (!*line)
		return NULL;
	*rest = end ? end + 1 : line + strlen(line);
	if (end)
		*end = '\0';
	return line;
}

/* ---- nothing is left out ------------------------------------------------------------------------------ */

Test(sentences, are_the_whole_reference)
{
	char *reference = read_text(REFERENCE), *list = read_text(LIST), *rest = list, *line;
	const char *at = reference;
	int row = 1, listed = 0;

	cr_assert_not_null(list);
	if (!reference) {
		free(list);
		cr_skip_test("%s is not here", REFERENCE);
	}
	while ((line = next_line(&rest)) != NULL) {
		listed++;
		if (is_note(line) || is_remark(line))
			continue;
		for (const char *s = line; *s; s++) {
			if (isspace((unsigned char)*s))
				continue;
			for (; isspace((unsigned char)*at); at++)
				row += *at == '\n';
			cr_assert(*at == *s, "line %d of the reference goes on with\n%.60s\nline %d of " LIST " with\n%.60s", row,
			          at, listed, s);
			at++;
		}
	}
	at += strspn(at, " \t\n");
	cr_expect(!*at, "not listed from line %d on: %.60s", row, at);
	free(list);
	free(reference);
}

/* ---- what is named is there --------------------------------------------------------------------------- */

struct sources {
	glob_t files;
	char **texts;
};

static struct sources read_sources(void)
{
	struct sources s = { .texts = NULL };

	cr_assert(glob("tests/*/*.c", 0, NULL, &s.files) == 0, "run the tests from the top folder");
	s.texts = calloc(s.files.gl_pathc, sizeof *s.texts);
	cr_assert(s.texts);
	for (size_t k = 0; k < s.files.gl_pathc; k++)
		cr_assert_not_null(s.texts[k] = read_text(s.files.gl_pathv[k]));
	return s;
}

static void free_sources(struct sources *s)
{
	for (size_t k = 0; k < s->files.gl_pathc; k++)
		free(s->texts[k]);
	free(s->texts);
	globfree(&s->files);
}

/* The source that has the test "suite/name"; NULL: none has. */
static const char *source_of(const struct sources *s, const char *name)
{
	const char *slash = strchr(name, '/');
	char head[256];

	if (!slash)
		return NULL;
	for (size_t k = 0; k < s->files.gl_pathc; k++) {
		const char *at = s->texts[k];

		snprintf(head, sizeof head, "Test(%.*s, %s", (int)(slash - name), name, slash + 1);
		for (; (at = strstr(at, head)) != NULL; at++)
			if (strchr(",)", at[strlen(head)]))
				return s->texts[k];
		/* of a test with parameters the first argument is these */
		snprintf(head, sizeof head, ", %.*s, %s", (int)(slash - name), name, slash + 1);
		at = strstr(s->texts[k], "\nParameterizedTest(");
		if (at && (at = strstr(at, head)) != NULL && strchr(",)", at[strlen(head)]))
			return s->texts[k];
	}
	return NULL;
}

/* "suite/name", "errors/NN_name" or "tests/FILE"; with ": TEXT", a string literal of the source of the test, or any
 * text of the file. */
static void check_test(const struct sources *s, const char *note, int line)
{
	char name[256], path[300], text[512];
	const char *colon = strstr(note, ": "), *source;
	char *file = NULL;

	snprintf(name, sizeof name, "%.*s", (int)(colon ? colon - note : (long)strlen(note)), note);
	snprintf(path, sizeof path, "tests/%s.txt", name);
	if (strncmp(name, "errors/", 7) == 0 && access(path, R_OK) == 0)
		return;
	source = strncmp(name, "tests/", 6) == 0 ? file = read_text(name) : source_of(s, name);
	cr_expect(source, LIST ":%d: there is no test '%s'", line, name);
	snprintf(text, sizeof text, file ? "%s" : "\"%s\"", colon ? colon + 2 : "");
	if (source && colon)
		cr_expect(strstr(source, text), LIST ":%d: '%s' has no %s", line, name, text);
	free(file);
}

static void check_note(const struct sources *s, const char *note, int line)
{
	if (strncmp(note, "- ", 2) != 0) {
		check_test(s, note, line);
		return;
	}
	for (size_t k = 0; k < sizeof reasons / sizeof *reasons; k++)
		if (strcmp(note + 2, reasons[k]) == 0)
			return;
	cr_expect(false, LIST ":%d: '%s' is no reason to need no test", line, note + 2);
}

/* A piece is lines of text and, below them, its notes; an empty line ends it. */
Test(sentences, have_tests)
{
	struct sources sources = read_sources();
	char *list = read_text(LIST), *rest = list, *line;
	int row = 0, piece = 0, notes = 0;

	cr_assert_not_null(list);
	do {
		line = next_line(&rest);
		row++;
		if (line && is_note(line)) {
			cr_expect(piece, LIST ":%d: a test of no sentence", row);
			check_note(&sources, line + 1, row);
			notes++;
		} else if (line && *line && !is_remark(line)) {
			cr_expect_eq(notes, 0, LIST ":%d: an empty line is due before a further piece", row);
			piece = piece ? piece : row;
		} else {
			cr_expect(!piece || notes, LIST ":%d: names no test and no reason to need none", piece);
			piece = notes = 0;
		}
	} while (line);
	free(list);
	free_sources(&sources);
}

/* Each row of reference.c is the test of a sentence. */
Test(sentences, have_all_rows_of_the_reference)
{
	char *rows = read_text(ROWS), *list = read_text(LIST), *rest = rows, *line, named[512];
	int n = 0;

	cr_assert(rows && list);
	while ((line = next_line(&rest)) != NULL) {
		size_t length;

		if (strncmp(line, "\t{ \"", 4) != 0)
			continue;
		length = strcspn(line + 4, "\"");
		snprintf(named, sizeof named, ": %.*s\n", (int)length, line + 4);
		cr_expect(strstr(list, named), ROWS " tests '%.*s', which " LIST " does not name", (int)length, line + 4);
		n++;
	}
	cr_expect(n > 100, "%d", n);
	free(rows);
	free(list);
}

/* ---- the examples ------------------------------------------------------------------------------------- */

Test(sentences, the_examples_are_the_references)
{
	static const char *const names[] = { "0_arith", "1_mlp", "2_resnet", "3_lstm", "4_gpt", "5_custom" };

	if (access("../shared/examples", R_OK) != 0)
		cr_skip_test("../shared/examples is not here");
	for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
		char path[128], *theirs, *ours;

		snprintf(path, sizeof path, "../shared/examples/%s.yaml", names[k]);
		theirs = read_text(path);
		snprintf(path, sizeof path, "tests/examples/%s.yaml", names[k]);
		ours = read_text(path);
		cr_expect(theirs && ours && strcmp(theirs, ours) == 0, "%s", names[k]);
		free(theirs);
		free(ours);
	}
}
