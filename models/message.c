/*
 * message: what is said about a file: places, carets, suggestions, notes.
 *
 * Places count code points, as libyaml does, so the text is cut into lines here by the same rules
 * (CR, LF, NEL, LS, PS). Whatever comes from the file is printed with control characters and
 * bidirectional controls replaced: a message shows what stands there.
 */
#include "language.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
	PRINTED = 20,        /* errors, and warnings, that are printed */
	KEPT = 1000,         /* messages that are kept; more are only counted */
	LONGEST_TEXT = 1500, /* bytes of a message's text */
	WIDEST_LINE = 160    /* code points of a source line */
};

/* A further line of a message. */
struct extra {
	enum { SOURCE, NOTE, WITHIN } kind; /* WITHIN: a note that comes last */
	struct place at;
	char *text; /* may be NULL for SOURCE */
};

struct said {
	int code; /* 0: a warning */
	size_t order;
	struct place at;
	char *text, *hint, *help;
	size_t n_extras;
	struct extra *extras;
};

/* A file that messages are about. */
struct source_text {
	char *path, *file, *text; /* file: the path as it is printed */
	size_t length;
	size_t n_lines, *lines; /* where each begins; one more than there are lines */
	size_t *ends;           /* where each ends, without its break */
};

/* What the message is within: a block, with its params. */
struct within {
	struct place at;
	const char *text;
};

struct messages {
	int n_sources;
	struct source_text sources[MOST_FILES];
	size_t n, room;
	struct said *said;
	struct said *last; /* NULL: it was said before, or there was no memory */
	int errors;
	int depth; /* of withins */
	struct within within[MOST_BLOCKS + 1];
	size_t n_overrides, n_environment, n_swept;
	const char *const *overrides;
};

/* The code point at s, and its bytes; U+FFFD and 1 for what is not UTF-8. */
static size_t code_point(const char *s, size_t n, uint32_t *c)
{
	const unsigned char *u = (const unsigned char *)s;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t k = u[0] < 0x80             ? 1
	           : (u[0] & 0xe0) == 0xc0 ? 2
	           : (u[0] & 0xf0) == 0xe0 ? 3
	           : (u[0] & 0xf8) == 0xf0 ? 4
	                                   : 0;

	*c = 0xfffd;
	if (k == 0 || k > n)
		return 1;
	uint32_t value = k == 1 ? u[0] : u[0] & (0xff >> (k + 1));
	for (size_t i = 1; i < k; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 1;
		value = value << 6 | (u[i] & 0x3f);
	}
	if (value < least[k] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 1;
	*c = value;
	return k;
}

size_t utf8_next(const char *s, size_t n, bool *valid)
{
	uint32_t c;
	size_t k = code_point(s, n, &c);

	*valid = c != 0xfffd || k == 3;
	return k;
}

size_t utf8_count(const char *s, size_t n)
{
	size_t count = 0;
	uint32_t c;

	for (size_t i = 0; i < n; count++)
		i += code_point(s + i, n - i, &c);
	return count;
}

static bool unprintable(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff ||
	       c == 0xfffd;
}

/* A copy that is safe to print, at most `most` bytes; NULL without memory. */
static char *printable(const char *s, size_t n, size_t most)
{
	char *copy = malloc((n < most ? n : most) * 3 + 8), *to = copy;
	size_t i = 0;

	if (!copy)
		return NULL;
	while (i < n && i < most) {
		uint32_t c;
		size_t k = code_point(s + i, n - i, &c);

		if (unprintable(c)) {
			to = stpcpy(to, c == '\n' || c == '\t' ? " " : "\xef\xbf\xbd");
		} else {
			memcpy(to, s + i, k);
			to += k;
		}
		i += k;
	}
	strcpy(to, i < n ? "..." : "");
	return copy;
}

/* Bytes of a line break at s, or 0. */
static size_t break_at(const char *s, size_t n)
{
	if (s[0] == '\r')
		return n > 1 && s[1] == '\n' ? 2 : 1;
	if (s[0] == '\n')
		return 1;
	if (n > 1 && memcmp(s, "\xc2\x85", 2) == 0)
		return 2;
	if (n > 2 && (memcmp(s, "\xe2\x80\xa8", 3) == 0 || memcmp(s, "\xe2\x80\xa9", 3) == 0))
		return 3;
	return 0;
}

static void free_source(struct source_text *s)
{
	free(s->path);
	free(s->file);
	free(s->text);
	free(s->lines);
	free(s->ends);
}

int messages_source(struct messages *m, const char *file, const char *text, size_t length)
{
	struct source_text s = { .path = strdup(file),
		                 .file = printable(file, strlen(file), 4096),
		                 .text = malloc(length + 1),
		                 .length = length };
	size_t start = length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0, lines = 2;

	for (size_t i = start; i < length; i++)
		lines += break_at(text + i, length - i) > 0;
	s.lines = malloc(lines * sizeof *s.lines);
	s.ends = malloc(lines * sizeof *s.ends);
	if (m->n_sources == MOST_FILES || !s.path || !s.file || !s.text || !s.lines || !s.ends) {
		free_source(&s);
		return -1;
	}
	memcpy(s.text, text, length);
	s.text[length] = '\0';
	s.lines[s.n_lines++] = start;
	for (size_t i = start; i < length;) {
		size_t k = break_at(text + i, length - i);

		if (k) {
			s.ends[s.n_lines - 1] = i;
			s.lines[s.n_lines++] = i + k;
		}
		i += k ? k : 1;
	}
	s.ends[s.n_lines - 1] = length;
	s.lines[s.n_lines] = length;
	m->sources[m->n_sources] = s;
	return m->n_sources++;
}

struct messages *messages_new(const char *file, const char *text, size_t length)
{
	struct messages *m = calloc(1, sizeof *m);

	if (m && messages_source(m, file, text, length) < 0) {
		free(m);
		return NULL;
	}
	return m;
}

int messages_sources(const struct messages *m)
{
	return m->n_sources;
}

const char *messages_path(const struct messages *m, int file)
{
	return m->sources[file].path;
}

const char *messages_text(const struct messages *m, int file)
{
	return m->sources[file].text;
}

void messages_overrides(struct messages *m, size_t n, const char *const overrides[],
                        size_t n_environment, size_t n_swept)
{
	m->n_overrides = n;
	m->overrides = overrides;
	m->n_environment = n_environment;
	m->n_swept = n_swept;
}

void messages_enter(struct messages *m, struct place at, const char *text)
{
	if (m && m->depth++ < MOST_BLOCKS)
		m->within[m->depth - 1] = (struct within){ at, text };
}

void messages_leave(struct messages *m)
{
	if (m)
		m->depth--;
}

static void forget(struct said *s)
{
	free(s->text);
	free(s->hint);
	free(s->help);
	for (size_t i = 0; i < s->n_extras; i++)
		free(s->extras[i].text);
	free(s->extras);
}

void messages_free(struct messages *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++)
		forget(&m->said[i]);
	for (int k = 0; k < m->n_sources; k++)
		free_source(&m->sources[k]);
	free(m->said);
	free(m);
}

static char *formatted(const char *format, va_list list) __attribute__((format(printf, 1, 0)));
static char *formatted(const char *format, va_list list)
{
	char *raw = NULL, *text;

	if (vasprintf(&raw, format, list) < 0)
		return NULL;
	text = printable(raw, strlen(raw), LONGEST_TEXT);
	free(raw);
	return text;
}

static char *copied(const char *text)
{
	return text ? printable(text, strlen(text), LONGEST_TEXT) : NULL;
}

static void add(struct messages *m, int kind, struct place at, char *text)
{
	struct said *s = m->last;
	struct extra *more = s ? realloc(s->extras, (s->n_extras + 1) * sizeof *more) : NULL;

	if (!more) {
		free(text);
		return;
	}
	s->extras = more;
	s->extras[s->n_extras++] = (struct extra){ kind, at, text };
}

/* Whether a mistake of this code may be one for some values of a block's params only. */
static bool depends_on_params(int code)
{
	return code == E_SHAPE || code == E_RESIDUAL || code == E_WHOLE || code == E_RANGE ||
	       code == E_CHECK || code == E_LIMIT || code == E_TYPE;
}

static void say(struct messages *m, int code, struct place at, const char *hint, const char *help,
                char *text)
{
	m->last = NULL;
	/* A body that is read several times (repeat) would say the same again. */
	for (size_t i = 0; i < m->n; i++) {
		struct said *s = &m->said[i];

		if (s->code == code && s->at.line == at.line && s->at.col == at.col &&
		    s->at.end == at.end && s->at.file == at.file && (code || strcmp(s->text, text ? text : "") == 0)) {
			free(text);
			return;
		}
	}
	if (code)
		m->errors++;
	if (m->n == KEPT) {
		free(text);
		return;
	}
	if (m->n == m->room) {
		size_t room = m->room ? 2 * m->room : 16;
		struct said *more = realloc(m->said, room * sizeof *more);

		if (!more) {
			free(text);
			return;
		}
		m->said = more;
		m->room = room;
	}
	m->last = &m->said[m->n];
	*m->last = (struct said){
		.code = code, .order = m->n, .at = at, .hint = copied(hint), .help = copied(help)
	};
	m->last->text = text ? text : strdup("out of memory");
	if (m->last->text)
		m->n++;
	else
		m->last = NULL;
	if (m->depth > 0 && m->depth <= MOST_BLOCKS && m->within[m->depth - 1].text &&
	    depends_on_params(code))
		add(m, WITHIN, m->within[m->depth - 1].at, copied(m->within[m->depth - 1].text));
}

bool message(struct messages *m, int code, struct place at, const char *hint, const char *help,
             const char *format, ...)
{
	va_list list;

	if (!m)
		return false;
	va_start(list, format);
	say(m, code, at, hint, help, formatted(format, list));
	va_end(list);
	return false;
}

void message_warning(struct messages *m, struct place at, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	say(m, 0, at, NULL, NULL, formatted(format, list));
	va_end(list);
}

void message_also(struct messages *m, struct place at, const char *text)
{
	if (m)
		add(m, SOURCE, at, copied(text));
}

void message_note(struct messages *m, struct place at, const char *format, ...)
{
	va_list list;

	if (!m)
		return;
	va_start(list, format);
	add(m, NOTE, at, formatted(format, list));
	va_end(list);
}

int messages_errors(const struct messages *m)
{
	return m->errors;
}

bool messages_suggest(const struct messages *m)
{
	return m && m->errors <= 5 * PRINTED;
}

const char *messages_line(const struct messages *m, int file, int line, size_t *n)
{
	const struct source_text *s = &m->sources[file];

	*n = 0;
	if (line < 1 || (size_t)line > s->n_lines)
		return NULL;
	*n = s->ends[line - 1] - s->lines[line - 1];
	return s->text + s->lines[line - 1];
}

/* ---- printing  / ----------------------------------------------------------------------------- */

/* The window of a line that is shown around a place. */
struct window {
	int from, to; /* code points, from 1; `to` is one past the last */
	bool cut;     /* on the left */
};

static struct window window_of(const char *s, size_t n, struct place at)
{
	int length = (int)utf8_count(s, n);

	if (length <= WIDEST_LINE)
		return (struct window){ 1, length + 1, false };
	int from = at.col > WIDEST_LINE / 2 ? at.col - WIDEST_LINE / 2 : 1;
	int to = from + WIDEST_LINE > length + 1 ? length + 1 : from + WIDEST_LINE;
	return (struct window){ from, to, from > 1 };
}

static void print_line(FILE *to, const char *s, size_t n, struct window w)
{
	int col = 1;

	if (w.cut)
		fputs("...", to);
	for (size_t i = 0; i < n && col < w.to; col++) {
		uint32_t c;
		size_t k = code_point(s + i, n - i, &c);

		if (col >= w.from) {
			if (c == '\t')
				fputs("\xe2\x87\xa5", to);
			else if (unprintable(c))
				fputs("\xef\xbf\xbd", to);
			else
				fwrite(s + i, 1, k, to);
		}
		i += k;
	}
	fputc('\n', to);
}

/* A source line, and below it a mark of `sign` with a text; no mark where sign is 0. */
static void print_source(const struct messages *m, FILE *to, struct place at, char sign,
                         const char *text)
{
	size_t n;
	const char *s = messages_line(m, at.file, at.line, &n);

	if (!s)
		return;
	struct window w = window_of(s, n, at);
	int first = at.col - w.from + (w.cut ? 3 : 0), last = at.end < w.to ? at.end : w.to;

	fprintf(to, "%5d | ", at.line);
	print_line(to, s, n, w);
	if (!sign)
		return;
	fprintf(to, "      | %*s", first, "");
	fputc(sign, to);
	for (int i = at.col + 1; i < last; i++)
		fputc(sign, to);
	fprintf(to, "%s%s\n", text ? " " : "", text ? text : "");
}

/* "--set", "AUTOGRAD_SET" or "sweep": where an override is from. */
static const char *override_from(const struct messages *m, struct place at)
{
	if ((size_t)-at.line > m->n_overrides - m->n_swept)
		return "sweep";
	return (size_t)-at.line <= m->n_environment ? "AUTOGRAD_SET" : "--set";
}

static const char *override_of(const struct messages *m, struct place at)
{
	return at.line < 0 && (size_t)-at.line <= m->n_overrides ? m->overrides[-at.line - 1] : NULL;
}

char *messages_place(const struct messages *m, struct place at, char *text, size_t n)
{
	char *override = copied(override_of(m, at));

	if (override)
		snprintf(text, n, "%s %s", override_from(m, at), override);
	else if (at.line > 0)
		snprintf(text, n, "%s:%d:%d", m->sources[at.file].file, at.line, at.col);
	else
		snprintf(text, n, "%s", m->sources[at.file].file);
	free(override);
	return text;
}

static void print_place(const struct messages *m, FILE *to, struct place at)
{
	char text[8192];

	fputs(messages_place(m, at, text, sizeof text), to);
}

static void print_text(const struct messages *m, FILE *to, const struct said *s)
{
	size_t widest = 0;

	print_place(m, to, s->at);
	if (s->code)
		fprintf(to, ": error[E%03d]: %s\n", s->code, s->text);
	else
		fprintf(to, ": warning: %s\n", s->text);
	print_source(m, to, s->at, '^', s->hint);
	if (s->at.line <= 0 && s->hint)
		fprintf(to, "help: %s\n", s->hint);
	for (size_t i = 0; i < s->n_extras; i++) {
		const struct extra *x = &s->extras[i];

		if (x->kind == SOURCE) {
			if (x->at.file != s->at.file && x->at.line > 0)
				fprintf(to, "%s:\n", m->sources[x->at.file].file);
			print_source(m, to, x->at, x->text ? '-' : 0, x->text);
		} else if (x->at.line && widest < utf8_count(x->text, strlen(x->text))) {
			widest = utf8_count(x->text, strlen(x->text));
		}
	}
	for (size_t k = 0; k < 2 * s->n_extras; k++) {
		const struct extra *x = &s->extras[k % s->n_extras];

		if (x->kind != (k < s->n_extras ? NOTE : WITHIN) || !x->text)
			continue;
		fprintf(to, "note: %s", x->text);
		if (x->at.line) {
			fprintf(to, "%*s", (int)(widest - utf8_count(x->text, strlen(x->text))) + 8,
			        "");
			print_place(m, to, x->at);
		}
		fputc('\n', to);
	}
	if (s->help)
		fprintf(to, "help: %s\n", s->help);
}

bool message_write(const struct messages *m, int code, struct place at, const char *text, char *to,
                   size_t n)
{
	char *safe = printable(text, strlen(text), LONGEST_TEXT), *whole = NULL;
	struct said s = { .code = code, .at = at, .text = safe };
	size_t length = 0;
	FILE *file = safe ? open_memstream(&whole, &length) : NULL;

	snprintf(to, n, "%s: error[E%03d]: %s", m->sources[0].file, code, text);
	if (file) {
		print_text(m, file, &s);
		if (fclose(file) == 0) {
			while (length > 0 && whole[length - 1] == '\n')
				whole[--length] = '\0';
			if (length >= n)
				whole[strcspn(whole, "\n")] = '\0';
			snprintf(to, n, "%s", whole);
		}
	}
	free(whole);
	free(safe);
	return false;
}

static void print_string(FILE *to, const char *s)
{
	fputc('"', to);
	for (; s && *s; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', to);
		fputc(*s, to); /* the rest was made printable when it was said */
	}
	fputc('"', to);
}

static void print_json(const struct messages *m, FILE *to, const struct said *s)
{
	bool override = override_of(m, s->at) != NULL;
	char *set = copied(override_of(m, s->at));
	bool first = true;

	fputs("{\"file\":", to);
	print_string(to, m->sources[override ? 0 : s->at.file].file);
	if (override) {
		fputs(",\"set\":", to);
		print_string(to, set);
	}
	free(set);
	fprintf(to, ",\"line\":%d,\"col\":%d,\"end\":%d,\"level\":\"%s\",\"code\":",
	        override ? 0 : s->at.line, s->at.col, s->at.end, s->code ? "error" : "warning");
	if (s->code)
		fprintf(to, "\"E%03d\"", s->code);
	else
		fputs("null", to);
	fputs(",\"message\":", to);
	print_string(to, s->text);
	fputs(",\"hint\":", to);
	s->hint ? print_string(to, s->hint) : (void)fputs("null", to);
	fputs(",\"help\":", to);
	s->help ? print_string(to, s->help) : (void)fputs("null", to);
	fputs(",\"notes\":[", to);
	for (size_t i = 0; i < s->n_extras; i++) {
		const struct extra *x = &s->extras[i];

		fputs(first ? "{\"file\":" : ",{\"file\":", to);
		print_string(to, m->sources[x->at.file].file);
		fprintf(to, ",\"line\":%d,\"col\":%d,\"end\":%d,\"message\":",
		        x->at.line < 0 ? 0 : x->at.line, x->at.col, x->at.end);
		print_string(to, x->text ? x->text : "");
		fputc('}', to);
		first = false;
	}
	fputs("]}\n", to);
}

static int by_place(const void *a, const void *b)
{
	const struct said *x = *(const struct said *const *)a, *y = *(const struct said *const *)b;

	if (x->at.line < 0 && y->at.line < 0 && x->at.line != y->at.line)
		return x->at.line > y->at.line ? -1
		                               : 1; /* overrides in their order, before the file */
	if (x->at.file != y->at.file)
		return x->at.file < y->at.file ? -1 : 1;
	if (x->at.line != y->at.line)
		return x->at.line < y->at.line ? -1 : 1;
	if (x->at.col != y->at.col)
		return x->at.col < y->at.col ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

void messages_print(const struct messages *m, FILE *to, bool json)
{
	const struct said **sorted = malloc((m->n + 1) * sizeof(*sorted));
	int errors = 0, warnings = 0;

	if (!sorted) {
		fprintf(to, "%s: error: out of memory\n", m->sources[0].file);
		return;
	}
	for (size_t i = 0; i < m->n; i++)
		sorted[i] = &m->said[i];
	qsort(sorted, m->n, sizeof *sorted, by_place);
	for (size_t i = 0; i < m->n; i++) {
		if ((sorted[i]->code ? errors++ : warnings++) >= PRINTED)
			continue;
		if (json)
			print_json(m, to, sorted[i]);
		else
			print_text(m, to, sorted[i]);
	}
	free(sorted);
	if (m->errors > PRINTED && !json)
		fprintf(to, "%s: %d more error%s not shown\n", m->sources[0].file, m->errors - PRINTED,
		        m->errors - PRINTED == 1 ? " is" : "s are");
}

/* ---- suggestions  / -------------------------------------------------------------------------- */

/* Damerau-Levenshtein distance (optimal string alignment: Boytsov, "Indexing methods for
 * approximate dictionary searching", 2011, section 2.2); `most + 1` for more than most. */
static size_t distance(const char *a, size_t n, const char *b, size_t k, size_t most)
{
	size_t rows[3][LONGEST_NAME + 1];

	if (n > LONGEST_NAME || k > LONGEST_NAME || n > k + most || k > n + most)
		return most + 1;
	for (size_t j = 0; j <= k; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *two = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= k; j++) {
			size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);

			if (above[j] + 1 < best)
				best = above[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    two[j - 2] + 1 < best)
				best = two[j - 2] + 1;
			row[j] = best;
		}
	}
	return rows[n % 3][k];
}

/* Whether two words differ in nothing but capitals and underscores. */
static bool same_letters(const char *a, const char *b)
{
	for (;; a++, b++) {
		while (*a == '_')
			a++;
		while (*b == '_')
			b++;
		if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
			return false;
		if (!*a)
			return true;
	}
}

/* What other frameworks call things that have another name here. */
static const struct {
	const char *theirs, *ours;
} elsewhere[] = {
	{ "dense", "linear" },
	{ "fc", "linear" },
	{ "fullyconnected", "linear" },
	{ "conv", "conv2d" },
	{ "convolution", "conv2d" },
	{ "maxpool", "max_pool2d" },
	{ "maxpooling2d", "max_pool2d" },
	{ "avgpool", "avg_pool2d" },
	{ "averagepooling2d", "avg_pool2d" },
	{ "globalaveragepooling2d", "global_avg_pool" },
	{ "globalmaxpooling2d", "global_max_pool" },
	{ "bn", "batch_norm" },
	{ "batchnorm1d", "batch_norm" },
	{ "batchnorm2d", "batch_norm" },
	{ "batchnormalization", "batch_norm" },
	{ "layernormalization", "layer_norm" },
	{ "embedding", "embed" },
	{ "multiheadattention", "attention" },
	{ "selfattention", "attention" },
	{ "upsampling2d", "upsample" },
	{ "concatenate", "concat" },
	{ "cat", "concat" },
	{ "view", "reshape" },
	{ "crossentropyloss", "cross_entropy" },
	{ "categoricalcrossentropy", "cross_entropy" },
	{ "mse", "mse_loss" },
	{ "mae", "l1_loss" },
	{ "bceloss", "bce_with_logits" },
	{ "bcewithlogitsloss", "bce_with_logits" },
	{ "glorot", "xavier" },
	{ "glorotuniform", "xavier" },
	{ "glorotnormal", "xavier_normal" },
	{ "kaiming", "he" },
	{ "kaiminguniform", "he" },
	{ "kaimingnormal", "he_normal" },
	{ "constant", "values" },
	{ "filters", "out" },
	{ "units", "out" },
	{ "outfeatures", "out" },
	{ "outchannels", "out" },
	{ "channels", "out" },
	{ "kernelsize", "kernel" },
	{ "poolsize", "kernel" },
	{ "size", "kernel" },
	{ "strides", "stride" },
	{ "hiddensize", "hidden" },
	{ "numlayers", "layers" },
	{ "numheads", "heads" },
	{ "embeddim", "dim" },
	{ "vocabsize", "vocab" },
	{ "numembeddings", "vocab" },
	{ "rate", "p" },
	{ "learningrate", "lr" },
	{ "decay", "weight_decay" },
	{ "batchsize", "batch" },
	{ "numepochs", "epochs" },
	{ "iterations", "steps" },
	{ "val", "valid" },
	{ "validation", "valid" },
	{ "dataset", "data" },
	{ "layers", "model" },
	{ "network", "model" },
	{ "hyperparameters", "params" },
	{ "path", "file" },
	{ "directory", "dir" },
	{ "folder", "dir" },
};

static const char *one_of(const char *word, size_t n, const char *const candidates[])
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(candidates[i], word) == 0)
			return candidates[i];
	return NULL;
}

const char *nearest(const char *word, size_t n, const char *const candidates[])
{
	size_t length = strlen(word), most = length < 4 ? 1 : length < 6 ? 2 : length / 3;
	const char *best = NULL;

	for (size_t i = 0; i < n; i++)
		if (same_letters(word, candidates[i]) && strcmp(word, candidates[i]) != 0)
			return candidates[i];
	for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere && !best; i++)
		if (same_letters(word, elsewhere[i].theirs))
			best = one_of(elsewhere[i].ours, n, candidates);
	if (best)
		return best;
	for (size_t i = 0; i < n; i++) {
		size_t k = strlen(candidates[i]);
		size_t d = distance(word, length, candidates[i], k, most);

		/* one letter for another is no resemblance */
		if (d > 0 && d <= most && d < (length > k ? length : k) && (best == NULL || d < most + 1)) {
			best = candidates[i];
			most = d - 1; /* only a nearer one replaces it */
			if (most == 0)
				break;
		}
	}
	return best;
}
