/*
 * yaml: text -> tree with marks, by libyaml's events, under the limits of the language.
 *
 * libyaml is a scanner of YAML 1.1 without limits: it resolves no types and no aliases, lets
 * duplicate keys, tags and several documents pass, and takes quadratic time for deep nesting. So
 * all of that is done here. An alias is the anchored node itself, not a copy; what it would be when
 * expanded is counted.
 */
#include "language.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* A node with what only the reader needs. */
struct sized {
	struct yaml yaml;
	size_t expanded; /* nodes, with aliases expanded */
	int height;      /* levels of lists and maps, with aliases expanded */
	bool open;       /* its end has not been read */
	struct expr *expr; /* what yaml.expr points to */
};

struct anchor {
	const char *name;
	struct sized *node;
};

/* A list or map that is being read. */
struct opened {
	struct sized *node;
	struct yaml *key; /* a map's key that waits for its value */
};

struct yaml_tree {
	struct store store;
	struct messages *messages;
	int file; /* its number in messages */
	struct yaml *root;
	yaml_parser_t parser;
	yaml_event_t event;
	bool parsing, holding; /* the parser; an event */
	size_t n_anchors, n_aliases, n_events;
	struct anchor *anchors;
	struct place seen; /* where the search for a column ended */
	size_t seen_byte;
	struct yaml_tree *guests; /* trees whose nodes were put into this one */
	int depth;
	struct opened levels[MOST_DEPTH + 1];
};

struct store *yaml_store(struct yaml_tree *t)
{
	return &t->store;
}

struct yaml *yaml_root(struct yaml_tree *t)
{
	return t ? t->root : NULL;
}

void yaml_set_root(struct yaml_tree *t, struct yaml *root)
{
	t->root = root;
}

struct yaml *yaml_scalar(struct store *s, struct place at, const char *text)
{
	struct sized *node = store_take(s, sizeof *node);

	node->yaml = (struct yaml){ .kind = YAML_SCALAR, .at = at, .text = text };
	node->yaml.expr = &node->expr;
	return &node->yaml;
}

void yaml_put(struct store *s, struct yaml *map, struct yaml *key, struct yaml *value)
{
	struct yaml **items = store_take(s, (map->n + 1) * sizeof(*items));
	struct yaml **keys = store_take(s, (map->n + 1) * sizeof(*keys));

	for (size_t i = 0; i < map->n; i++) {
		items[i] = map->items[i];
		keys[i] = map->keys[i];
	}
	items[map->n] = value;
	keys[map->n] = key;
	map->items = items;
	map->keys = keys;
	map->n++;
}

void yaml_adopt(struct yaml_tree *t, struct yaml_tree *guest)
{
	struct yaml_tree *last = guest;

	while (last->guests)
		last = last->guests;
	last->guests = t->guests;
	t->guests = guest;
}

void yaml_free(struct yaml_tree *t)
{
	while (t) {
		struct yaml_tree *next = t->guests;

		if (t->holding)
			yaml_event_delete(&t->event);
		if (t->parsing)
			yaml_parser_delete(&t->parser);
		arena_free(&t->store.arena);
		free(t);
		t = next;
	}
}

struct yaml *yaml_pair(const struct yaml *map, const char *key, struct yaml **at_key)
{
	if (!map || map->kind != YAML_MAP)
		return NULL;
	for (size_t i = 0; i < map->n; i++) {
		if (strcmp(map->keys[i]->text, key) == 0) {
			if (at_key)
				*at_key = map->keys[i];
			return map->items[i];
		}
	}
	return NULL;
}

struct yaml *yaml_get(const struct yaml *map, const char *key)
{
	return yaml_pair(map, key, NULL);
}

bool yaml_is(const struct yaml *y, const char *text)
{
	return y && y->kind == YAML_SCALAR && strcmp(y->text, text) == 0;
}

bool yaml_is_null(const struct yaml *y)
{
	return y->kind == YAML_SCALAR && !y->quoted &&
	       (!*y->text || yaml_is(y, "~") || yaml_is(y, "null") || yaml_is(y, "Null") ||
	        yaml_is(y, "NULL"));
}

/* ---- before libyaml  / ----------------------------------------------------------------------- */

static bool say_empty(struct messages *m, int file)
{
	return message(m, E_YAML, (struct place){ 0, 0, 0, file }, NULL,
	               file ? NULL : "a model file has at least the keys 'version' and 'model'",
	               "the file is empty");
}

/* Size, encoding and characters; libyaml's marks for these are not usable. */
static bool check_text(struct messages *m, int file, const char *text, size_t length)
{
	struct place at = { 1, 1, 2, file };
	bool blank = true;

	if (length > MOST_BYTES)
		return message(
		    m, E_LIMIT, (struct place){ 0, 0, 0, file }, NULL, "keep data in files of their own",
		    "the file has %zu bytes; a model file has at most %d", length, MOST_BYTES);
	if (length >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0))
		return message(m, E_YAML, (struct place){ 0, 0, 0, file }, NULL, "save the file as UTF-8",
		               "the file is in UTF-16; a model file is in UTF-8");
	for (size_t i = 0; i < length;) {
		const unsigned char c = (unsigned char)text[i];
		bool valid;
		size_t k = utf8_next(text + i, length - i, &valid);

		at.end = at.col + 1;
		if (!valid)
			return message(m, E_YAML, at, NULL, "save the file as UTF-8",
			               "byte 0x%02x is not valid UTF-8", c);
		if (c == 0)
			return message(m, E_YAML, at, NULL, NULL, "a NUL byte");
		if (c == 0x7f || (c < 0x20 && c != '\t' && c != '\n' && c != '\r'))
			return message(m, E_YAML, at, NULL, NULL, "control character 0x%02x", c);
		blank = blank && (isspace(c) || (i < 3 && c >= 0x80));
		if (c == '\n' || (c == '\r' && !(i + 1 < length && text[i + 1] == '\n'))) {
			at.line++;
			at.col = 1;
		} else if (!(i == 0 && k == 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)) {
			at.col++;
		}
		i += k;
	}
	return !blank || say_empty(m, file);
}

static const char not_first[] = "an expression does not begin with '*': d*4";

/* ---- libyaml's own errors -------------------------------------------------------------------- */

static struct place mark_place(const struct yaml_tree *t, yaml_mark_t mark)
{
	return (struct place){ (int)mark.line + 1, (int)mark.column + 1, (int)mark.column + 2,
		               t->file };
}

/* A tab in the indentation of a line near the one where the parser stopped; in that one, '-', '?' and ':' with
 * their blanks are indentation, too. */
static bool say_tab(struct messages *m, int file, int line)
{
	for (int i = line; i >= 1 && i >= line - 1; i--) {
		size_t n, k = 0;
		const char *s = messages_line(m, file, i, &n);

		while (s && k < n &&
		       (s[k] == ' ' || s[k] == '\t' ||
		        (i == line && k + 1 < n && strchr("-?:", s[k]) && strchr(" \t", s[k + 1])))) {
			if (s[k] == '\t') {
				message(m, E_TAB, (struct place){ i, (int)k + 1, (int)k + 2, file },
				        "use spaces", NULL,
				        "YAML does not allow a tab in indentation");
				return true;
			}
			k++;
		}
	}
	return false;
}

/* The byte in its line where a place begins. Events come in order, so the search goes on from where
 * it was: a file of one long line takes no quadratic time. */
static size_t byte_of(struct yaml_tree *t, struct place at, const char *s, size_t n)
{
	bool valid;

	if (t->seen.line != at.line || t->seen.col > at.col) {
		t->seen = (struct place){ at.line, 1, 1, t->file };
		t->seen_byte = 0;
	}
	while (t->seen_byte < n && t->seen.col < at.col) {
		t->seen_byte += utf8_next(s + t->seen_byte, n - t->seen_byte, &valid);
		t->seen.col++;
	}
	return t->seen_byte;
}

/* What the line before lacks where a key has no place: a colon, a space behind it or behind its '-'; or the key's own
 * line begins too far right, so that it goes on with the value before. NULL: nothing is known. */
static const char *line_before(struct yaml_tree *t, struct place at)
{
	size_t n, from = 0, length;
	const char *s = messages_line(t->messages, t->file, at.line, &n), *colon;
	const size_t until = s ? byte_of(t, at, s, n) : 0, indent = s ? strspn(s, " ") : 0;
	const bool first = s && !memchr(s, ':', until), item = s && indent + 1 < n && memcmp(s + indent, "- ", 2) == 0;
	int line = at.line;

	s = NULL;
	while (--line > 0 && (!s || from == n)) {
		s = messages_line(t->messages, t->file, line, &n);
		for (from = 0; s && from < n && (s[from] == ' ' || s[from] == '-'); from++)
			;
		if (s && from < n && s[from] == '#')
			from = n;
	}
	if (!s || from == n)
		return NULL;
	for (length = 0; from + length < n && !strchr(" #:{[\"'", s[from + length]); length++)
		;
	colon = from + length < n && s[from + length] == ':' ? s + from + length : NULL;
	if (length == 0 || length > LONGEST_NAME)
		return NULL;
	if (from > 0 && s[from - 1] == '-' && !strchr("0123456789.", s[from]))
		return store_text(&t->store, "a space is due behind the '-' in line %d", line + 1);
	if (colon && colon + 1 < s + n && colon[1] != ' ')
		return store_text(&t->store, "a space is due behind the colon of '%.*s:' in line %d",
		                  (int)length, s + from, line + 1);
	if (colon)
		return first ? store_text(&t->store,
		                          "this goes on with the value of '%.*s' in line %d; the keys of a mapping begin "
		                          "in one column", (int)length, s + from, line + 1)
		             : NULL;
	return store_text(&t->store, "something stands below '%.*s' in line %d, so it needs a colon: '%.*s:'%s",
	                  (int)length, s + from, line + 1, (int)length, s + from,
	                  item ? "; or the items of a list begin, with their '-', in one column" : "");
}

static bool line_has(const struct yaml_tree *t, int line, const char *part)
{
	size_t n;
	const char *s = messages_line(t->messages, t->file, line, &n);

	return s && memmem(s, n, part, strlen(part));
}

/* What is wrong with the column in which a line begins that YAML takes for no key: `from` is where the keys
 * before it begin. */
static const char *indentation(struct yaml_tree *t, struct place at, struct place from)
{
	size_t n, k, start = (size_t)at.col - 1, before = (size_t)from.col - 1;
	const char *line = messages_line(t->messages, t->file, at.line, &n);

	for (k = 0; line && k < n && line[k] == ' ';)
		k++;
	if (!line || k != start || k >= n)
		return NULL;
	const bool item = line[k] == '-' && (k + 1 == n || line[k + 1] == ' ');
	const char *first = messages_line(t->messages, t->file, from.line, &n);
	if (first && before + 1 < n && first[before] == '-' && first[before + 1] != ' ')
		return store_text(&t->store, "a space is due behind the '-' in line %d", from.line);
	if (item)
		return "the items of a list begin, with their '-', in one column";
	if (start == before)
		return NULL;
	line = messages_line(t->messages, t->file, at.line - 1, &n);
	for (k = 0; line && k < n && line[k] == ' ';)
		k++;
	const bool two = line && k < n && k != before && k != start;
	return store_text(&t->store, "it begins in column %d; keys it could stand beside begin in column %d%s", at.col,
	                  from.col, two ? store_text(&t->store, " or %zu", k + 1) : "");
}

/* What to write instead of what libyaml stumbles over; NULL: nothing is known. */
static const char *remedy(struct yaml_tree *t, struct place at, struct place from, const char *problem,
                          const char *context)
{
	const char *before;

	if (strstr(problem, "cannot start any token"))
		return "a value that begins with @, ` or % stands in quotes";
	if (strstr(context, "scanning an alias"))
		return not_first;
	if (strstr(problem, "found unexpected ':'"))
		return "a space is due behind the ':', {relu: , as: h}, or quotes around a value that holds one";
	if (strstr(problem, "did not find expected key"))
		return indentation(t, at, from);
	if (!strstr(problem, "mapping values are not allowed"))
		return NULL;
	if (line_has(t, at.line, " ? "))
		return "write if(condition, a, b)";
	before = line_before(t, at);
	return before ? before : "quote a value that holds ': '";
}

/* Where the text goes on behind a quoted part that begins at s[i]; n: not in this line. */
static size_t behind_quote(const char *s, size_t n, size_t i)
{
	const char quote = s[i];

	for (i++; i < n && s[i] != quote; i++)
		i += quote == '"' && s[i] == '\\';
	return i < n ? i + 1 : n;
}

/* Whether the bracket at a place is closed further on, as brackets are to be counted: not in comments and not
 * in quotes that end in their line. */
static bool is_closed(struct yaml_tree *t, struct place open)
{
	char due[MOST_DEPTH];
	size_t n, depth = 0;
	const char *s;

	for (; (s = messages_line(t->messages, t->file, open.line, &n)) != NULL; open.line++, open.col = 1) {
		size_t i = byte_of(t, open, s, n);

		while (i < n) {
			const bool begins = i == 0 || strchr(" \t[{,:", s[i - 1]);

			if (s[i] == '#' && (i == 0 || s[i - 1] == ' ' || s[i - 1] == '\t'))
				break;
			if (begins && (s[i] == '"' || s[i] == '\'')) {
				i = behind_quote(s, n, i);
				continue;
			}
			if ((s[i] == '[' || s[i] == '{') && depth == MOST_DEPTH)
				return false;
			if (s[i] == '[' || s[i] == '{')
				due[depth++] = s[i] == '[' ? ']' : '}';
			else if ((s[i] == ']' || s[i] == '}') && (depth == 0 || due[--depth] != s[i]))
				return false;
			if (depth == 0)
				return true;
			i++;
		}
	}
	return false;
}

/* Text where the document has ended: behind '...', or further left than it began. */
static bool say_ended(struct yaml_tree *t, struct place at)
{
	size_t n;

	for (int line = at.line - 1; line >= 1; line--) {
		const char *s = messages_line(t->messages, t->file, line, &n);

		if (n == 3 && memcmp(s, "...", 3) == 0)
			return message(t->messages, E_YAML, at, NULL, "put it into a file of its own",
			               "a second document; a file holds one model");
	}
	return message(t->messages, E_YAML, at, NULL, "keys of one mapping begin in the same column",
	               "this stands further left than what the file began with");
}

static void say_yaml(struct yaml_tree *t)
{
	const yaml_parser_t *p = &t->parser;
	struct place at = mark_place(t, p->problem_mark), from = mark_place(t, p->context_mark);
	const char *context = p->context ? p->context : "", *problem = p->problem ? p->problem : "";
	char up[64];

	snprintf(up, sizeof up, "opened here; the parser gave up at %d:%d", at.line, at.col);
	if (p->error == YAML_MEMORY_ERROR)
		longjmp(*t->store.out, 1);
	if (say_tab(t->messages, t->file, at.line))
		return;
	if (strstr(context, "quoted scalar") && strstr(problem, "end of stream")) {
		message(t->messages, E_OPEN, from, up, NULL, "this quote is never closed");
		return;
	}
	/* Inside [ or {, what stops the parser is mostly the next line, taken for part of it. */
	if (t->depth > 0 && t->levels[t->depth - 1].node->yaml.flow &&
	    (at.line > t->levels[t->depth - 1].node->yaml.at.line ||
	     strncmp(context, "while parsing a flow", 20) == 0)) {
		struct yaml *open = &t->levels[t->depth - 1].node->yaml;
		size_t n;
		const char *s = messages_line(t->messages, t->file, at.line, &n);

		if ((at.line == open->at.line && s && (size_t)at.col <= utf8_count(s, n)) ||
		    is_closed(t, open->at)) {
			message(t->messages, E_YAML, at, NULL,
			        line_has(t, at.line, "${") ? "names stand bare, without ${ }"
			                                   : "quote a value that holds one of , [ ] { } or ': '",
			        "a ',' or a '%c' is due here", open->kind == YAML_LIST ? ']' : '}');
			message_also(t->messages, open->at, "opened here");
			return;
		}
		message(t->messages, E_OPEN, open->at, up, NULL, "this '%c' is never closed",
		        open->kind == YAML_LIST ? '[' : '{');
		return;
	}
	if (strstr(problem, "expected <document start>")) {
		say_ended(t, at);
		return;
	}
	if (strstr(problem, "undefined alias"))
		problem = "an alias of nothing";
	if (strstr(problem, "cannot start any token") && line_has(t, at.line, "\t")) {
		message(t->messages, E_TAB, at, "use spaces", NULL, "YAML does not allow a tab here");
		return;
	}
	message(t->messages, E_YAML, at, NULL, remedy(t, at, from, problem, context),
	        "not readable as YAML: %s%s%s", problem, *context ? " " : "", context);
	if (*context && p->context_mark.line != p->problem_mark.line)
		message_also(t->messages, from, "it begins here");
}

/* ---- events -> tree -------------------------------------------------------------------------- */

/* The place of an event in its first line, without the anchor or tag before it. */
static struct place event_place(struct yaml_tree *t, const yaml_event_t *e, bool properties)
{
	struct place at = mark_place(t, e->start_mark);
	size_t n;
	const char *s = messages_line(t->messages, t->file, at.line, &n);

	if (properties && s) {
		size_t i = byte_of(t, at, s, n);
		int col = at.col;
		bool valid;

		while (i < n && (s[i] == '&' || s[i] == '!')) {
			while (i < n && s[i] != ' ' && s[i] != '\t') {
				i += utf8_next(s + i, n - i, &valid);
				col++;
			}
			while (i < n && (s[i] == ' ' || s[i] == '\t')) {
				i++;
				col++;
			}
		}
		if (i < n)
			at.col = col;
	}
	if (e->end_mark.line == e->start_mark.line)
		at.end = (int)e->end_mark.column + 1;
	else
		at.end = s ? (int)utf8_count(s, n) + 1 : at.col + 1;
	if (at.end <= at.col)
		at.end = at.col + 1;
	return at;
}

static bool refuse_tag(struct yaml_tree *t, const yaml_event_t *e, const char *tag)
{
	struct place at = mark_place(t, e->start_mark);
	static const char standard[] = "tag:yaml.org,2002:";
	bool short_form = strncmp(tag, standard, sizeof standard - 1) == 0;
	const char *name = short_form ? tag + sizeof standard - 1 : tag;

	at.end = at.col + (int)utf8_count(name, strlen(name)) + (short_form ? 2 : 0);
	return message(t->messages, E_TAG, at, NULL, NULL,
	               "tags such as %s%s are not read (a model file never runs code)",
	               short_form ? "!!" : "", name);
}

/* A scalar that is not quoted and holds more opening than closing brackets of a call. */
static int open_brackets(const struct yaml *y)
{
	int open = 0;

	if (y->kind != YAML_SCALAR || y->quoted)
		return 0;
	for (const char *s = y->text; *s; s++)
		open += *s == '(' ? 1 : *s == ')' ? -1 : 0;
	return open;
}

/* Message E006: `{k: max(a, b)}` reads as `k: 'max(a'` and a key `b)`. Says so and puts the pieces
 * together again. */
static void join_commas(struct yaml_tree *t, struct yaml *y)
{
	for (size_t i = 0; i + 1 < y->n; i++) {
		int open = open_brackets(y->items[i]);
		size_t end = i + 1;
		const char *text = y->items[i]->text;
		bool map = y->kind == YAML_MAP;

		if (open <= 0)
			continue;
		for (; end < y->n && open > 0; end++) {
			const struct yaml *piece = map ? y->keys[end] : y->items[end];

			if (piece->kind != YAML_SCALAR || piece->quoted ||
			    (map && !yaml_is_null(y->items[end])))
				break;
			open += open_brackets(piece);
			text = store_text(&t->store, "%s, %s", text, piece->text);
		}
		if (end == i + 1)
			continue;
		const struct yaml *first = map ? y->keys[i + 1] : y->items[i + 1];
		const struct yaml *last = map ? y->keys[end - 1] : y->items[end - 1];
		struct place at = first->at;
		if (last->at.line == at.line)
			at.end = last->at.end;
		if (map)
			message(t->messages, E_COMMA, at, NULL,
			        store_text(&t->store,
			                   "quote it, {%s: \"%s\"}, or put it on a line of its own",
			                   y->keys[i]->text, text),
			        "a comma ends a value inside { }, so this became a key of its own");
		else
			message(
			    t->messages, E_COMMA, at, NULL,
			    store_text(&t->store,
			               "quote it, [\"%s\"], or put it on a line of its own", text),
			    "a comma ends an item inside [ ], so this became an item of its own");
		struct sized *joined = store_take(&t->store, sizeof *joined);
		joined->yaml = *y->items[i];
		joined->yaml.text = text;
		joined->yaml.expr = &joined->expr;
		y->items[i] = &joined->yaml;
		for (size_t k = end; k < y->n; k++) {
			y->items[k - (end - i - 1)] = y->items[k];
			if (map)
				y->keys[k - (end - i - 1)] = y->keys[k];
		}
		y->n -= end - i - 1;
	}
}

struct key_order {
	const struct yaml *key;
	size_t index;
};

static int by_text(const void *a, const void *b)
{
	const struct key_order *x = a, *y = b;
	int order = strcmp(x->key->text, y->key->text);

	return order ? order : x->index < y->index ? -1 : 1;
}

/* Says which keys stand twice in a map, and drops the later ones. */
static void check_keys(struct yaml_tree *t, struct yaml *y)
{
	struct key_order *order = store_take(&t->store, y->n * sizeof *order);
	bool *drop = store_take(&t->store, y->n), any = false;
	size_t n = 0;

	for (size_t i = 0; i < y->n; i++)
		order[i] = (struct key_order){ y->keys[i], i };
	qsort(order, y->n, sizeof *order, by_text);
	for (size_t i = 1, first = 0; i < y->n; i++) {
		if (strcmp(order[i].key->text, order[first].key->text) != 0) {
			first = i;
			continue;
		}
		message(t->messages, E_TWICE, order[i].key->at, NULL, NULL,
		        "key '%s' appears twice", order[i].key->text);
		message_also(t->messages, order[first].key->at,
		             "first here; most YAML readers silently keep one of the two");
		drop[order[i].index] = any = true;
	}
	for (size_t i = 0; any && i < y->n; i++) {
		if (drop[i])
			continue;
		y->keys[n] = y->keys[i];
		y->items[n++] = y->items[i];
	}
	if (any)
		y->n = n;
}

/* Puts a finished node where it belongs. */
static bool place_node(struct yaml_tree *t, struct sized *node)
{
	struct yaml *y = &node->yaml;

	if (t->depth == 0) {
		t->root = y;
		return true;
	}
	struct opened *level = &t->levels[t->depth - 1];
	struct yaml *parent = &level->node->yaml;
	level->node->expanded += node->expanded;
	if (level->node->height <= node->height)
		level->node->height = node->height + 1;
	if (level->node->expanded > MOST_NODES)
		return message(t->messages, E_LIMIT, y->at, NULL, NULL,
		               "with its aliases expanded the file has more than %d values",
		               MOST_NODES);
	if (parent->kind == YAML_MAP && !level->key) {
		if (y->kind != YAML_SCALAR)
			return message(t->messages, E_YAML, y->at, NULL, NULL,
			               "a key must be a plain text, not a %s",
			               y->kind == YAML_LIST ? "list" : "mapping");
		if (!y->quoted && strcmp(y->text, "<<") == 0)
			message(t->messages, E_KEY, y->at, NULL,
			        "write the keys out; an alias may stand for a whole value, 'key: "
			        "*anchor'",
			        "merge keys '<<' are not read: they hide where a value comes from");
		level->key = y;
		return true;
	}
	parent->items = store_more(&t->store, parent->items, parent->n, sizeof *parent->items);
	if (parent->kind == YAML_MAP) {
		parent->keys = store_more(&t->store, parent->keys, parent->n, sizeof *parent->keys);
		parent->keys[parent->n] = level->key;
		level->key = NULL;
	}
	parent->items[parent->n++] = y;
	return true;
}

/* Keeps a node by the name of its anchor. libyaml ends a name where YAML 1.2 does not, `&a:b`: then false. */
static bool remember_anchor(struct yaml_tree *t, const yaml_event_t *e, const yaml_char_t *name, struct sized *node)
{
	const struct place at = mark_place(t, e->start_mark);
	const char *text = (const char *)name, *s;
	size_t n, i;

	if (!name)
		return true;
	s = messages_line(t->messages, t->file, at.line, &n);
	i = s ? byte_of(t, at, s, n) + 1 + strlen(text) : n;
	if (i < n && s[i - strlen(text) - 1] == '&' && !strchr(" \t,[]{}", s[i]))
		return message(t->messages, E_YAML, at, NULL, NULL,
		               "the name of an anchor is made of letters, digits, '_' and '-'");
	t->anchors = store_more(&t->store, t->anchors, t->n_anchors, sizeof *t->anchors);
	t->anchors[t->n_anchors++] =
	    (struct anchor){ store_copy(&t->store, text, strlen(text)), node };
	return true;
}

static bool on_alias(struct yaml_tree *t, const yaml_event_t *e)
{
	const char *name = (const char *)e->data.alias.anchor;
	struct place at = mark_place(t, e->start_mark);

	at.end = at.col + 1 + (int)utf8_count(name, strlen(name));
	if (++t->n_aliases > MOST_ALIASES)
		return message(t->messages, E_LIMIT, at, NULL, NULL, "more than %d aliases",
		               MOST_ALIASES);
	for (size_t i = t->n_anchors; i-- > 0;) {
		struct sized *node = t->anchors[i].node;

		if (strcmp(t->anchors[i].name, name) != 0)
			continue;
		if (node->open) {
			message(t->messages, E_CYCLE, at, NULL, NULL,
			        "alias '*%s' stands inside what it names: it would never end",
			        name);
			message_also(t->messages, node->yaml.at, "named here");
			return false;
		}
		if (t->depth + node->height > MOST_DEPTH)
			return message(
			    t->messages, E_LIMIT, at, NULL, NULL,
			    "with this alias the file is nested more than %d levels deep",
			    MOST_DEPTH);
		return place_node(t, node);
	}
	return message(t->messages, E_YAML, at, NULL, not_first,
	               "alias '*%s' has no anchor '&%s' before it", name, name);
}

/* In [ ] and { } libyaml takes `?x` for a key x, where YAML 1.2 has the text '?x'. */
static bool after_question(struct yaml_tree *t, const struct yaml *y)
{
	size_t n;
	const char *s = messages_line(t->messages, t->file, y->at.line, &n);
	size_t i = s && y->flow && !y->quoted ? byte_of(t, y->at, s, n) : 0;

	return i > 0 && s[i - 1] == '?';
}

static bool on_scalar(struct yaml_tree *t, const yaml_event_t *e)
{
	const char *text = (const char *)e->data.scalar.value;
	size_t length = e->data.scalar.length;
	struct sized *node = store_take(&t->store, sizeof *node);

	node->yaml.kind = YAML_SCALAR;
	node->yaml.expr = &node->expr;
	node->yaml.at = event_place(t, e, e->data.scalar.anchor || e->data.scalar.tag);
	node->yaml.quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	node->yaml.flow = t->depth > 0 && t->levels[t->depth - 1].node->yaml.flow;
	node->expanded = 1;
	if (length > MOST_SCALAR)
		return message(t->messages, E_LIMIT, node->yaml.at, NULL, NULL,
		               "a value of %zu bytes; one value has at most %d", length,
		               MOST_SCALAR);
	if (after_question(t, &node->yaml))
		return message(t->messages, E_YAML, node->yaml.at, NULL, "put it into quotes",
		               "a value in [ ] or { } that begins with '?'");
	if (memchr(text, 0, length))
		return message(t->messages, E_YAML, node->yaml.at, NULL, NULL,
		               "a value that contains a NUL character");
	if (e->data.scalar.tag)
		refuse_tag(t, e, (const char *)e->data.scalar.tag);
	node->yaml.text = store_copy(&t->store, text, length);
	return remember_anchor(t, e, e->data.scalar.anchor, node) && place_node(t, node);
}

static bool on_start(struct yaml_tree *t, const yaml_event_t *e, bool map)
{
	const yaml_char_t *anchor =
	    map ? e->data.mapping_start.anchor : e->data.sequence_start.anchor;
	const yaml_char_t *tag = map ? e->data.mapping_start.tag : e->data.sequence_start.tag;
	struct sized *node = store_take(&t->store, sizeof *node);

	node->yaml.kind = map ? YAML_MAP : YAML_LIST;
	node->yaml.at = event_place(t, e, anchor || tag);
	node->yaml.at.end = node->yaml.at.col + 1;
	node->yaml.text = "";
	node->yaml.flow = map ? e->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE
	                      : e->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
	node->expanded = 1;
	node->height = 1;
	node->open = true;
	if (tag)
		refuse_tag(t, e, (const char *)tag);
	if (t->depth == MOST_DEPTH)
		return message(t->messages, E_LIMIT, node->yaml.at, NULL, NULL,
		               "nested more than %d levels deep", MOST_DEPTH);
	if (!remember_anchor(t, e, anchor, node))
		return false;
	t->levels[t->depth++] = (struct opened){ node, NULL };
	return true;
}

static bool on_end(struct yaml_tree *t)
{
	struct sized *node = t->levels[--t->depth].node;

	node->open = false;
	if (node->yaml.flow)
		join_commas(t, &node->yaml);
	if (node->yaml.kind == YAML_MAP)
		check_keys(t, &node->yaml);
	return place_node(t, node);
}

/* Takes one event into the tree. False: the last one, or what follows is not to be read. */
static bool on_event(struct yaml_tree *t, const yaml_event_t *e, int *documents)
{
	bool going = true;

	if (++t->n_events > MOST_EVENTS)
		going = message(t->messages, E_LIMIT, mark_place(t, e->start_mark), NULL, NULL,
		                "more than %d values and brackets", MOST_EVENTS);
	else if (e->type == YAML_STREAM_END_EVENT)
		return false;
	else if (e->type == YAML_DOCUMENT_START_EVENT && ++*documents > 1)
		going = message(t->messages, E_YAML, mark_place(t, e->start_mark), NULL,
		                "put it into a file of its own",
		                "a second document; a file holds one model");
	else if (e->type == YAML_ALIAS_EVENT)
		going = on_alias(t, e);
	else if (e->type == YAML_SCALAR_EVENT)
		going = on_scalar(t, e);
	else if (e->type == YAML_SEQUENCE_START_EVENT || e->type == YAML_MAPPING_START_EVENT)
		going = on_start(t, e, e->type == YAML_MAPPING_START_EVENT);
	else if (e->type == YAML_SEQUENCE_END_EVENT || e->type == YAML_MAPPING_END_EVENT)
		going = on_end(t);
	if (!going)
		t->root = NULL;
	return going;
}

static void read_events(struct yaml_tree *t)
{
	int documents = 0;

	for (bool going = true; going;) {
		if (!yaml_parser_parse(&t->parser, &t->event)) {
			say_yaml(t);
			t->root = NULL;
			return;
		}
		t->holding = true; /* also if the memory runs out */
		going = on_event(t, &t->event, &documents);
		yaml_event_delete(&t->event);
		t->holding = false;
	}
}

/* What the parser reads. The end of the file ends its last line, which libyaml does not see in a text that |
 * begins. */
static void give_text(struct yaml_tree *t, const char *text, size_t length)
{
	yaml_parser_set_encoding(&t->parser, YAML_UTF8_ENCODING);
	if (length > 0 && text[length - 1] != '\n') {
		char *whole = store_take(&t->store, length + 1);

		memcpy(whole, text, length);
		whole[length++] = '\n';
		text = whole;
	}
	yaml_parser_set_input_string(&t->parser, (const unsigned char *)text, length);
}

/* False without memory. */
static bool read_text(struct yaml_tree *t, const char *text, size_t length)
{
	size_t skip = length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	jmp_buf out;

	if (!check_text(t->messages, t->file, text, length))
		return true;
	t->store.out = &out;
	if (setjmp(out) || !yaml_parser_initialize(&t->parser))
		return false;
	t->parsing = true;
	give_text(t, text + skip, length - skip);
	read_events(t);
	if (!t->root && messages_errors(t->messages) == 0)
		say_empty(t->messages, t->file); /* comments only */
	yaml_parser_delete(&t->parser);
	t->parsing = false;
	t->store.out = NULL;
	return true;
}

struct yaml_tree *yaml_read(const char *text, size_t length, struct messages *m)
{
	return yaml_read_file(text, length, m, 0);
}

struct yaml_tree *yaml_read_file(const char *text, size_t length, struct messages *m, int file)
{
	struct yaml_tree *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->messages = m;
	t->file = file;
	if (!read_text(t, text, length)) {
		yaml_free(t);
		return NULL;
	}
	return t;
}

/* ---- tree -> text ---------------------------------------------------------------------------- */

/* In double quotes with escapes where quotes or a line of its own demand it; else as it was. */
static void write_scalar(const struct yaml *y, FILE *to)
{
	if (!y->quoted && !strchr(y->text, '\n')) {
		fputs(y->text, to);
		return;
	}
	fputc('"', to);
	for (const unsigned char *s = (const unsigned char *)y->text; *s; s++) {
		if (*s == '"' || *s == '\\')
			fprintf(to, "\\%c", *s);
		else if (*s == '\n')
			fputs("\\n", to);
		else if (*s < 0x20 || *s == 0x7f)
			fprintf(to, "\\x%02x", *s);
		else if (s[0] == 0xc2 && s[1] == 0x85)
			fputs("\\N", to), s++;
		else if (s[0] == 0xe2 && s[1] == 0x80 && (s[2] == 0xa8 || s[2] == 0xa9))
			fputs(s[2] == 0xa8 ? "\\L" : "\\P", to), s += 2;
		else
			fputc(*s, to);
	}
	fputc('"', to);
}

struct writing {
	FILE *to;
	void (*note)(void *of, const struct yaml *value, FILE *to);
	void *of;
};

/* In block style; the caller has written what stands before it on the line. */
static void write_node(const struct writing *w, const struct yaml *y, int indent, bool first_inline)
{
	if (y->kind == YAML_SCALAR || y->n == 0) {
		if (y->kind == YAML_SCALAR)
			write_scalar(y, w->to);
		else
			fputs(y->kind == YAML_LIST ? "[]" : "{}", w->to);
		if (w->note)
			w->note(w->of, y, w->to);
		fputc('\n', w->to);
		return;
	}
	for (size_t i = 0; i < y->n; i++) {
		const struct yaml *item = y->items[i];
		bool simple = item->kind == YAML_SCALAR || item->n == 0;

		if (i > 0 || !first_inline)
			fprintf(w->to, "%*s", indent, "");
		if (y->kind == YAML_LIST) {
			fputs("- ", w->to);
			write_node(w, item, indent + 2, true);
			continue;
		}
		write_scalar(y->keys[i], w->to);
		fputs(simple ? ": " : ":\n", w->to);
		write_node(w, item, indent + 2, simple);
	}
}

void yaml_write_noted(const struct yaml *y, FILE *to,
                      void (*note)(void *of, const struct yaml *value, FILE *to), void *of)
{
	const struct writing w = { to, note, of };

	write_node(&w, y, 0, false);
}

void yaml_write(const struct yaml *y, FILE *to)
{
	yaml_write_noted(y, to, NULL, NULL);
}

const char *yaml_flow(struct store *s, const struct yaml *y)
{
	const char *text = "";

	if (y->kind == YAML_SCALAR) {
		char *one = NULL;
		size_t length = 0;
		FILE *to = open_memstream(&one, &length);

		if (to)
			write_scalar(y, to);
		if (!to || fclose(to) != 0) {
			free(one);
			longjmp(*s->out, 1);
		}
		text = store_copy(s, one, length);
		free(one);
		return text;
	}
	for (size_t i = 0; i < y->n; i++)
		text = store_text(s, "%s%s%s%s%s", text, i ? ", " : "",
		                  y->keys ? yaml_flow(s, y->keys[i]) : "", y->keys ? ": " : "",
		                  yaml_flow(s, y->items[i]));
	return store_text(s, y->kind == YAML_LIST ? "[%s]" : "{%s}", text);
}
