/*
 * text: stretches of a text as numbers, and each again one token further on: what comes next.
 *
 * The text is cut into tokens: characters (code points), words (runs of letters, digits and bytes
 * above 127, an apostrophe inside; every other character but blanks is a word of its own, a line
 * feed too), or bytes, each its own number. Characters and words are numbered from 0 in the order
 * of their bytes, those of `vocabulary`, another file, or of the text itself. Sample k begins at
 * token k * step; the input named by `x` takes `window` tokens from there, the one named by `y` the
 * same one token later.
 */
#include "text.h"

#include "op.h"

struct attrs {
	const char *file, *tokens, *x, *y, *vocabulary;
	int64_t window, step;
};

static const ad_attr attrs[] = {
	AD_ATTR(struct attrs, file, AD_WORD, NULL, "the path of the text, plain or gzip", NULL),
	AD_ATTR(struct attrs, tokens, AD_WORD, "chars", "what the text is cut into",
	        "chars words bytes"),
	AD_ATTR(struct attrs, window, AD_INT, "null",
	        "tokens of a sample; null: as the input's shape says", NULL),
	AD_ATTR(struct attrs, x, AD_WORD, NULL, "the input that takes the tokens", NULL),
	AD_ATTR(struct attrs, y, AD_WORD, "null", "the input that takes the tokens after each",
	        NULL),
	AD_ATTR(struct attrs, step, AD_INT, "null",
	        "tokens from one sample to the next; null: a window", NULL),
	AD_ATTR(struct attrs, vocabulary, AD_WORD, "null",
	        "a text whose tokens are numbered; null: the file", NULL),
	{ 0 },
};

#define MOST_TEXT ((size_t)1 << 30)

/* A text as tokens. */
struct cut {
	char *text;
	size_t length, n, room;
	struct token *tokens;
};

static void free_cut(struct cut *c)
{
	free(c->text);
	free(c->tokens);
	*c = (struct cut){ 0 };
}

static bool read_text(const char *path, struct cut *to, bool *unreadable, char *error, size_t n)
{
	struct reader file;
	size_t room = 0, got = 1;
	bool ok = true;

	if (!reader_open(&file, path, error, n)) {
		*unreadable = true;
		return false;
	}
	while (ok && got > 0) {
		if (to->length + 65536 > room) {
			char *more;

			room = 2 * room + 131072;
			more = room <= MOST_TEXT ? realloc(to->text, room) : NULL;
			if (!more) {
				ok = failure(error, n,
				             "%s: a text of more than %zu MiB, or no memory for it",
				             path, MOST_TEXT >> 20);
				break;
			}
			to->text = more;
		}
		ok = reader_read(&file, to->text + to->length, 65536, &got, error, n);
		to->length += ok ? got : 0;
	}
	reader_close(&file);
	return ok;
}

static bool is_letter(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c > 127;
}

/* The length of the token at s, of n bytes that are left; 0: s is a blank between words. */
static size_t token_length(const char *s, size_t n, char kind)
{
	const unsigned char *c = (const unsigned char *)s;
	size_t k = 1;

	if (kind == 'b')
		return 1;
	if (kind == 'c') {
		while (k < n && k < 4 && (c[0] & 0xc0) == 0xc0 && (c[k] & 0xc0) == 0x80)
			k++;
		return k;
	}
	if (c[0] == ' ' || c[0] == '\t' || c[0] == '\r')
		return 0;
	while (is_letter(c[0]) && k < n &&
	       (is_letter(c[k]) || (c[k] == '\'' && k + 1 < n && is_letter(c[k + 1]))))
		k++;
	return k;
}

static bool cut_text(const char *path, struct cut *c, char kind, char *error, size_t n)
{
	for (size_t at = 0; at < c->length;) {
		size_t length = token_length(c->text + at, c->length - at, kind);

		if (length > 0) {
			if (c->n == c->room) {
				size_t room = 2 * c->room + 4096;
				struct token *more = realloc(c->tokens, room * sizeof *more);

				if (!more)
					return failure_memory(error, n, path, room * sizeof *more);
				c->tokens = more;
				c->room = room;
			}
			c->tokens[c->n++] = (struct token){ c->text + at, length };
		}
		at += length ? length : 1;
	}
	return true;
}

static int by_bytes(const void *a, const void *b)
{
	const struct token *x = a, *y = b;
	int order = memcmp(x->text, y->text, x->length < y->length ? x->length : y->length);

	return order ? order : (x->length > y->length) - (x->length < y->length);
}

/* The different tokens, sorted: a token's number is its place. */
static bool number_tokens(const struct cut *from, struct token **list, size_t *count, char *error,
                          size_t n)
{
	struct token *all = malloc((from->n + 1) * sizeof *all);

	*count = 0;
	if (!all)
		return failure_memory(error, n, "the vocabulary", from->n * sizeof *all);
	if (from->n > 0)
		memcpy(all, from->tokens, from->n * sizeof *all);
	qsort(all, from->n, sizeof *all, by_bytes);
	for (size_t k = 0; k < from->n; k++)
		if (k == 0 || by_bytes(&all[k], &all[k - 1]) != 0)
			all[(*count)++] = all[k];
	*list = all;
	return true;
}

/* Fills the columns from the numbers of all tokens. */
static bool fill(const struct source *s, struct dataset *to, const int32_t numbers[], size_t count,
                 char *error, size_t n)
{
	const struct attrs *a = s->attrs;
	size_t window = 0, ahead = 0, step;

	for (int i = 0; i < to->n_columns; i++) {
		struct column *c = &to->columns[i];
		bool next = a->y && strcmp(c->input, a->y) == 0;
		size_t per = a->window != AD_NONE ? (size_t)a->window : c->per;

		if (!next && strcmp(c->input, a->x) != 0)
			continue;
		if (per == 0)
			return source_refuse(
			    s, s->at, error, n,
			    "text: the size of '%s' is free; give 'window', the tokens of a "
			    "sample",
			    c->input);
		if (!column_fit(c, s, s->at, per, error, n))
			return false;
		window = per > window ? per : window;
		ahead = next ? 1 : ahead;
	}
	if (window == 0)
		return source_refuse(s, s->at, error, n, "text: there is no input named '%s'",
		                     a->x);
	step = a->step != AD_NONE ? (size_t)a->step : window;
	if (count < window + ahead)
		return source_refuse(s, s->at, error, n,
		                     "text: %s has %zu tokens, fewer than one sample takes",
		                     a->file, count);
	to->n = (count - window - ahead) / step + 1;
	if (!dataset_reserve(to, to->n, error, n))
		return false;
	for (int i = 0; i < to->n_columns; i++) {
		struct column *c = &to->columns[i];
		bool next = a->y && strcmp(c->input, a->y) == 0;

		if (!next && strcmp(c->input, a->x) != 0) {
			free(c->data);
			c->data = NULL;
			continue;
		}
		for (size_t k = 0; k < to->n; k++)
			for (size_t t = 0; t < c->per; t++) {
				const char *wrong = column_put(
				    c, k * c->per + t, numbers[k * step + t + (next ? 1 : 0)]);

				if (wrong)
					return source_refuse(s, s->at, error, n,
					                     "text: '%s': a token's number %s",
					                     c->input, wrong);
			}
	}
	return true;
}

static bool number_text(const struct source *s, const struct cut *text,
                        const struct token vocabulary[], size_t known, bool bytes,
                        int32_t numbers[], char *error, size_t n)
{
	const struct attrs *a = s->attrs;
	char shown[48];

	for (size_t k = 0; k < text->n; k++) {
		const struct token *t = &text->tokens[k], *found;

		if (bytes) {
			numbers[k] = (unsigned char)*t->text;
			continue;
		}
		found = bsearch(t, vocabulary, known, sizeof *vocabulary, by_bytes);
		if (!found)
			return source_refuse(s, s->at, error, n,
			                     "text: %s has '%s', which %s has not", a->file,
			                     data_show(shown, t->text, t->length), a->vocabulary);
		numbers[k] = (int32_t)(found - vocabulary);
	}
	return true;
}

static bool load(const struct source *s, const char *name, struct cut *to, struct dataset *set,
                 char *error, size_t n)
{
	const struct attrs *a = s->attrs;
	char *path = path_in(s->folder, name);
	bool ok = path ? read_text(path, to, &set->unreadable, error, n) &&
	                     cut_text(path, to, *a->tokens, error, n)
	               : failure_memory(error, n, name, 0);

	free(path);
	return ok;
}

static bool read(const struct source *s, struct dataset *to, char *error, size_t n)
{
	const struct attrs *a = s->attrs;
	struct cut text = { 0 }, other = { 0 };
	struct token *vocabulary = NULL;
	int32_t *numbers = NULL;
	size_t known = 0;
	bool ok;

	if ((a->window != AD_NONE && (a->window < 1 || a->window > 100000000)) ||
	    (a->step != AD_NONE && (a->step < 1 || a->step > 100000000)))
		return source_refuse(s, s->at, error, n,
		                     "text: 'window' and 'step' go from 1 to 100000000");
	ok = load(s, a->file, &text, to, error, n) &&
	     (!a->vocabulary || load(s, a->vocabulary, &other, to, error, n)) &&
	     number_tokens(a->vocabulary ? &other : &text, &vocabulary, &known, error, n);
	if (ok && !(numbers = malloc((text.n + 1) * sizeof *numbers)))
		ok = failure_memory(error, n, "the tokens", text.n * sizeof *numbers);
	ok = ok && number_text(s, &text, vocabulary, known, *a->tokens == 'b', numbers, error, n) &&
	     fill(s, to, numbers, text.n, error, n);
	free(numbers);
	free(vocabulary);
	free_cut(&text);
	free_cut(&other);
	return ok;
}

bool vocabulary_open(const struct source *s, struct vocabulary *to, char *error, size_t n)
{
	const struct attrs *a = s->attrs;
	struct dataset unused = { 0 };
	struct cut cut = { 0 };
	bool ok;

	*to = (struct vocabulary){ .kind = *a->tokens,
		                   .input = a->x,
		                   .window = a->window == AD_NONE ? 0 : (size_t)a->window };
	if (to->kind == 'b') {
		to->n = 256;
		to->text = malloc(256);
		to->tokens = malloc(256 * sizeof *to->tokens);
		if (!to->text || !to->tokens)
			return failure_memory(error, n, "the vocabulary", 0);
		for (int k = 0; k < 256; k++) {
			to->text[k] = (char)k;
			to->tokens[k] = (struct token){ &to->text[k], 1 };
		}
		return true;
	}
	ok = load(s, a->vocabulary ? a->vocabulary : a->file, &cut, &unused, error, n) &&
	     number_tokens(&cut, &to->tokens, &to->n, error, n);
	to->text = cut.text;
	free(cut.tokens);
	return ok;
}

void vocabulary_close(struct vocabulary *v)
{
	free(v->text);
	free(v->tokens);
	*v = (struct vocabulary){ 0 };
}

bool vocabulary_number(const struct vocabulary *v, const char *text, int32_t **numbers,
                       size_t *count, char *error, size_t n)
{
	struct cut cut = { .text = strdup(text), .length = strlen(text) };
	char shown[48];
	bool ok = cut.text && cut_text("the text", &cut, v->kind, error, n);

	*count = 0;
	*numbers = ok ? malloc((cut.n + 1) * sizeof **numbers) : NULL;
	for (size_t k = 0; *numbers && ok && k < cut.n; k++) {
		const struct token *t = &cut.tokens[k],
				   *found = bsearch(t, v->tokens, v->n, sizeof *t, by_bytes);

		if (found)
			(*numbers)[(*count)++] = (int32_t)(found - v->tokens);
		else
			ok = failure(error, n, "the text has '%s', which is not in the vocabulary",
			             data_show(shown, t->text, t->length));
	}
	if (ok && !*numbers)
		ok = failure_memory(error, n, "the text", cut.length);
	free_cut(&cut);
	return ok;
}

const struct format format_text = {
	.name = "text",
	.doc = "stretches of a text as numbers of characters or words, and what comes next",
	.attrs = attrs,
	.attrs_size = sizeof(struct attrs),
	.read = read,
};
