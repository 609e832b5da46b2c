/*
 * errors: wrong declarations against their exact messages: tests/errors/NN_name.yaml beside
 * NN_name.txt, and NN_name.set with one override a line where there are any.
 */
#include "model.h"

#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_SETS = 16 };

static char *read_text(const char *path)
{
	FILE *file = fopen(path, "rb");
	char *text = calloc(1, 1 << 20);

	cr_assert(text != NULL);
	if (file) {
		size_t n = fread(text, 1, (1 << 20) - 1, file);

		text[n] = '\0';
		fclose(file);
	} else {
		free(text);
		text = NULL;
	}
	return text;
}

/* What the checker says about a file. */
static char *messages_of(const char *path, size_t n, const char *const sets[], bool json)
{
	char *text = NULL;
	size_t length = 0;
	FILE *to = open_memstream(&text, &length);
	ad_model *m = ad_model_open(path, n, sets);

	cr_assert(m && to);
	ad_model_messages(m, to, json);
	fclose(to);
	ad_model_close(m);
	return text;
}

static char *with_ending(const char *path, const char *ending)
{
	static char other[256];

	snprintf(other, sizeof other, "%.*s%s", (int)(strlen(path) - strlen(".yaml")), path,
	         ending);
	return other;
}

/* The lines of the .set file, cut in place. */
static size_t sets_of(char *text, const char *sets[])
{
	size_t n = 0;

	for (char *line = text ? strtok(text, "\n") : NULL; line && n < MOST_SETS;
	     line = strtok(NULL, "\n"))
		sets[n++] = line;
	return n;
}

Test(errors, exact_messages)
{
	glob_t files;

	cr_assert(chdir("tests/errors") == 0, "run the tests from the top folder");
	cr_assert(glob("*.yaml", 0, NULL, &files) == 0);
	cr_assert(files.gl_pathc >= 30, "only %zu files", files.gl_pathc);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		const char *path = files.gl_pathv[i], *sets[MOST_SETS];
		char *overrides = read_text(with_ending(path, ".set"));
		char *want = read_text(with_ending(path, ".txt"));
		size_t n = sets_of(overrides, sets);
		char *have = messages_of(path, n, sets, false);

		cr_assert(want != NULL, "%s has no .txt", path);
		cr_expect(strcmp(have, want) == 0, "%s\n---- said\n%s---- not\n%s", path, have,
		          want);
		free(have);
		free(want);
		free(overrides);
	}
	globfree(&files);
}

Test(errors, as_json)
{
	cr_assert(chdir("tests/errors") == 0);
	char *text = messages_of("06_unknown_name.yaml", 0, NULL, true);

	cr_expect_str_eq(
	    text, "{\"file\":\"06_unknown_name.yaml\",\"line\":7,\"col\":20,\"end\":24,"
		  "\"level\":\"error\",\"code\":\"E011\","
		  "\"message\":\"nothing is named 'hear' here\","
		  "\"hint\":\"did you mean 'here' (line 5)?\",\"help\":null,\"notes\":[]}\n");
	free(text);
}

/* As many objects as there are messages in the text, each on a line of its own with what an editor needs. */
Test(errors, as_json_one_a_line)
{
	static const char *const keys[] = { "file", "line", "col", "end", "code", "message", "help" };
	glob_t files;

	cr_assert(chdir("tests/errors") == 0);
	cr_assert(glob("*.yaml", 0, NULL, &files) == 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		const char *path = files.gl_pathv[i], *sets[MOST_SETS];
		char *overrides = read_text(with_ending(path, ".set")), *rest = NULL;
		size_t n = sets_of(overrides, sets);
		char *text = messages_of(path, n, sets, true), *shown = messages_of(path, n, sets, false);
		int lines = 0, messages = 0;

		for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), lines++) {
			cJSON *json = cJSON_Parse(line);

			cr_assert(cJSON_IsObject(json), "%s: %s", path, line);
			for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
				cr_expect(cJSON_GetObjectItem(json, keys[k]), "%s: no %s in %s", path, keys[k], line);
			cJSON_Delete(json);
		}
		for (const char *s = shown; (s = strstr(s, ": error[E")) != NULL; s++)
			messages++;
		for (const char *s = shown; (s = strstr(s, ": warning: ")) != NULL; s++)
			messages++;
		cr_expect(lines == messages && messages > 0, "%s: %d lines for %d messages", path, lines, messages);
		free(shown);
		free(text);
		free(overrides);
	}
	globfree(&files);
}

/* Files that are not there, or are none. */
Test(errors, no_file)
{
	char *text = messages_of("/nonexistent/m.yaml", 0, NULL, false);

	cr_expect_str_eq(
	    text, "/nonexistent/m.yaml: error[E022]: cannot be read: No such file or directory\n");
	free(text);
	text = messages_of("/", 0, NULL, false);
	cr_expect_str_eq(text, "/: error[E022]: cannot be read: it is a folder\n");
	free(text);
	text = messages_of("/dev/zero", 0, NULL, false);
	cr_expect_str_eq(text,
	                 "/dev/zero: error[E022]: cannot be read: it is not a regular file\n");
	free(text);
}

/* A message of an included file names that file. */
Test(errors, as_json_of_another_file)
{
	cr_assert(chdir("tests/errors") == 0);
	char *text = messages_of("53_include.yaml", 0, NULL, true);

	cr_expect(strstr(text, "{\"file\":\"parts/blocks.yaml\",\"line\":6,\"col\":36,\"end\":40,"
	                       "\"level\":\"error\",\"code\":\"E001\"") != NULL,
	          "%s", text);
	free(text);
}

/* Every error that opening a file can have is in one of the files; 20 and 30 need data and weights. */
Test(errors, every_code_has_a_file)
{
	glob_t files;
	bool seen[64] = { [20] = true, [30] = true };

	cr_assert(glob("tests/errors/*.txt", 0, NULL, &files) == 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		char *text = read_text(files.gl_pathv[i]), *at = text;

		for (int code; (at = strstr(at, "error[E")) != NULL; at++)
			if (sscanf(at, "error[E%d]", &code) == 1 && code > 0 && code < 64)
				seen[code] = true;
		free(text);
	}
	for (const struct explanation *e = explanations; e->code; e++)
		cr_expect(seen[e->code], "E%03d is in no file", e->code);
	globfree(&files);
}
