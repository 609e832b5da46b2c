/*
 * corpus: reads case.json and .npy files.
 */
#include "corpus.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_BYTES ((size_t)1 << 28) /* of one file */

bool say(struct sentence *to, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(to->text, sizeof to->text, format, args);
	va_end(args);
	return false;
}

/* ---- folders ------------------------------------------------------------------------------- */

/* The names in a folder, sorted, without those that begin with a dot; -1 on failure. */
static int names_in(const char *folder, struct dirent ***names)
{
	return scandir(folder, names, NULL, alphasort);
}

void corpus_free(char **cases, size_t n)
{
	for (size_t k = 0; k < n; k++)
		free(cases[k]);
	free(cases);
}

/* Adds "OP/CASE" for every case.json below one op's folder. */
static bool add_cases(const char *corpus, const char *op, char ***cases, size_t *n, size_t *cap)
{
	char path[PATH_MAX];
	struct dirent **names;
	bool ok = true;
	int found;

	snprintf(path, sizeof path, "%s/cases/%s", corpus, op);
	found = names_in(path, &names);
	for (int k = 0; k < found; k++) {
		const char *name = names[k]->d_name;
		size_t length = strlen(op) + strlen(name) + 2;
		int used;

		used = snprintf(path, sizeof path, "%s/cases/%s/%s/case.json", corpus, op, name);
		if (name[0] != '.' && ok && used < (int)sizeof path && access(path, F_OK) == 0) {
			if (*n == *cap) {
				size_t more = *cap ? *cap * 2 : 64;
				char **bigger = realloc(*cases, more * sizeof *bigger);

				ok = bigger != NULL;
				*cases = ok ? bigger : *cases;
				*cap = ok ? more : *cap;
			}
			if (ok && ((*cases)[*n] = malloc(length)))
				snprintf((*cases)[(*n)++], length, "%s/%s", op, name);
			else
				ok = false;
		}
		free(names[k]);
	}
	if (found >= 0)
		free(names);
	return ok;
}

char **corpus_cases(const char *corpus, size_t *n, struct sentence *error)
{
	char path[PATH_MAX], **cases = NULL;
	struct dirent **names;
	size_t cap = 0;
	bool ok = true;
	int found;

	*n = 0;
	if (snprintf(path, sizeof path, "%s/cases", corpus) >= (int)sizeof path ||
	    (found = names_in(path, &names)) < 0) {
		say(error, "%s: cannot read its folder 'cases': %s", corpus, strerror(errno));
		return NULL;
	}
	for (int k = 0; k < found; k++) {
		if (names[k]->d_name[0] != '.' && ok)
			ok = add_cases(corpus, names[k]->d_name, &cases, n, &cap);
		free(names[k]);
	}
	free(names);
	if (!ok || *n == 0) {
		say(error, ok ? "%s: there is no cases/OP/CASE/case.json" : "%s: out of memory",
		    corpus);
		corpus_free(cases, *n);
		return NULL;
	}
	return cases;
}

/* ---- files --------------------------------------------------------------------------------- */

/* A whole file, closed by a zero byte. */
static char *file_bytes(const char *path, size_t *n, struct sentence *error)
{
	FILE *file = fopen(path, "rb");
	char *bytes = NULL;
	long length = -1;

	if (file && fseek(file, 0, SEEK_END) == 0)
		length = ftell(file);
	if (length < 0 || (size_t)length > MOST_BYTES)
		say(error, "%s: %s", path,
		    length < 0 ? strerror(errno) : "larger than any case should be");
	else if (!(bytes = malloc((size_t)length + 1)))
		say(error, "%s: out of memory", path);
	else if (fseek(file, 0, SEEK_SET) != 0 ||
	         fread(bytes, 1, (size_t)length, file) != (size_t)length) {
		say(error, "%s: cannot be read to its end", path);
		free(bytes);
		bytes = NULL;
	}
	if (file)
		fclose(file);
	if (bytes) {
		bytes[length] = '\0';
		*n = (size_t)length;
	}
	return bytes;
}

/* The text after 'KEY': in a header. */
static const char *header_entry(const char *header, const char *key)
{
	const char *at = strstr(header, key);

	if (!at)
		return NULL;
	for (at += strlen(key); *at == '\'' || *at == ':' || *at == ' ';)
		at++;
	return at;
}

/* "(2, 3)", "(4,)", "()" */
static bool header_shape(const char *at, ad_shape *shape)
{
	shape->rank = 0;
	if (!at || *at++ != '(')
		return false;
	while (*at != ')') {
		char *end;
		long long size = strtoll(at, &end, 10);

		if (end == at || size < 0 || shape->rank == AD_MAX_RANK)
			return false;
		shape->dims[shape->rank++] = size;
		for (at = end; *at == ',' || *at == ' ';)
			at++;
	}
	return true;
}

/* Element k of the data as a double. Whole numbers must be indices. */
static bool element(const char *data, char kind, size_t bytes, size_t k, double *to)
{
	const char *at = data + k * bytes;
	int64_t i;
	float f;

	if (kind == 'i') {
		memcpy(&i, at, sizeof i);
		*to = (double)i;
		return i >= INT32_MIN && i <= INT32_MAX;
	}
	if (bytes == 4) {
		memcpy(&f, at, sizeof f);
		*to = (double)f;
	} else if (bytes == 8) {
		memcpy(to, at, sizeof *to);
	} else {
		*to = *at != 0;
	}
	return true;
}

/* Version 1.0, little endian, C order: <f8 <f4 <i8 |b1. */
static bool parse_npy(const char *bytes, size_t n, struct array *to, struct sentence *error)
{
	const char *descr, *order, *data;
	char header[1024], kind;
	size_t length, size;

	if (n < 10 || memcmp(bytes, "\x93NUMPY\x01\x00", 8) != 0)
		return say(error, "it is no .npy file of version 1.0");
	length = (size_t)(unsigned char)bytes[8] | (size_t)(unsigned char)bytes[9] << 8;
	if (length >= sizeof header || length > n - 10)
		return say(error, "its header is cut off or too long");
	memcpy(header, bytes + 10, length);
	header[length] = '\0';
	descr = header_entry(header, "'descr'");
	order = header_entry(header, "'fortran_order'");
	if (!descr || !order || strncmp(order, "False", 5) != 0 ||
	    !header_shape(header_entry(header, "'shape'"), &to->shape))
		return say(error, "its header '%s' is not understood", header);
	kind = descr[1];
	size = (size_t)(descr[2] - '0');
	if (strncmp(descr, "<f8", 3) == 0 || strncmp(descr, "<f4", 3) == 0)
		to->type = AD_REAL;
	else if (strncmp(descr, "<i8", 3) == 0)
		to->type = AD_I32;
	else if (strncmp(descr, "|b1", 3) == 0)
		to->type = AD_BOOL;
	else
		return say(error, "its elements are neither <f8, <f4, <i8 nor |b1");
	to->count = 1;
	for (int i = 0; i < to->shape.rank; i++)
		if (__builtin_mul_overflow(to->count, (size_t)to->shape.dims[i], &to->count))
			return say(error, "its shape has too many elements");
	if (to->count > MOST_BYTES || to->count * size != n - 10 - length)
		return say(error, "%zu elements do not fill its %zu bytes", to->count,
		           n - 10 - length);
	to->v = malloc((to->count ? to->count : 1) * sizeof *to->v);
	if (!to->v)
		return say(error, "out of memory");
	data = bytes + 10 + length;
	for (size_t k = 0; k < to->count; k++)
		if (!element(data, kind, size, k, &to->v[k]))
			return say(error, "element %zu is %.0f, which is no 32-bit index", k,
			           to->v[k]);
	return true;
}

void array_free(struct array *a)
{
	free(a->v);
	a->v = NULL;
}

static int stem_path(const struct problem *p, const char *stem, char path[PATH_MAX])
{
	return snprintf(path, PATH_MAX, "%s/%s.npy", p->folder, stem);
}

bool problem_has(const struct problem *p, const char *stem)
{
	char path[PATH_MAX];

	return stem_path(p, stem, path) < PATH_MAX && access(path, F_OK) == 0;
}

bool problem_array(const struct problem *p, const char *stem, struct array *to,
                   struct sentence *error)
{
	char path[PATH_MAX];
	struct sentence why;
	size_t n = 0;
	char *bytes;
	bool ok;

	memset(to, 0, sizeof *to);
	if (stem_path(p, stem, path) >= PATH_MAX)
		return say(error, "%s: the name is too long", stem);
	bytes = file_bytes(path, &n, error);
	if (!bytes)
		return false;
	ok = parse_npy(bytes, n, to, &why);
	if (!ok) {
		say(error, "%.200s.npy: %.250s", stem, why.text);
		array_free(to);
	}
	free(bytes);
	return ok;
}

/* ---- case.json ----------------------------------------------------------------------------- */

static const char *text_of(const cJSON *object, const char *key)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

static int read_items(const cJSON *list, const char *flag, struct item items[],
                      struct sentence *error)
{
	const cJSON *entry;
	int n = 0;

	cJSON_ArrayForEach(entry, list)
	{
		const char *name = text_of(entry, "name"), *type = text_of(entry, "dtype");

		if (n == MAX_ITEMS || !name || !type || strlen(name) > 64) {
			say(error, "case.json: input or output %d is not understood", n);
			return -1;
		}
		items[n].name = name;
		items[n].type = strcmp(type, "int64") == 0  ? AD_I32
		                : strcmp(type, "bool") == 0 ? AD_BOOL
		                                            : AD_REAL;
		items[n++].flag = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(entry, flag));
	}
	return n;
}

static bool has_section(const cJSON *sections, const char *name)
{
	const cJSON *entry;

	cJSON_ArrayForEach(entry, sections) if (cJSON_IsString(entry) &&
	                                        strcmp(entry->valuestring, name) == 0) return true;
	return false;
}

static bool understand(struct problem *p, struct sentence *error)
{
	const cJSON *sections = cJSON_GetObjectItemCaseSensitive(p->json, "sections");
	const cJSON *squares = cJSON_GetObjectItemCaseSensitive(p->json, "gradnorm");
	const cJSON *format = cJSON_GetObjectItemCaseSensitive(p->json, "format");

	p->op = text_of(p->json, "op");
	p->name = text_of(p->json, "case");
	p->attrs = cJSON_GetObjectItemCaseSensitive(p->json, "attrs");
	p->f32_error = cJSON_GetObjectItemCaseSensitive(p->json, "torch_f32_error");
	if (!p->op || !p->name || !cJSON_IsNumber(format) || format->valueint != 1)
		return say(error, "case.json: it lacks 'op' or 'case', or is not of format 1");
	p->n_in =
	    read_items(cJSON_GetObjectItemCaseSensitive(p->json, "inputs"), "grad", p->in, error);
	p->n_out =
	    read_items(cJSON_GetObjectItemCaseSensitive(p->json, "outputs"), "diff", p->out, error);
	if (p->n_in < 0 || p->n_out < 0)
		return false;
	if (p->n_out == 0)
		return say(error, "case.json: there are no outputs");
	p->vjp = has_section(sections, "vjp");
	p->jvp = has_section(sections, "jvp");
	p->gradnorm = has_section(sections, "gradnorm");
	p->hvp = has_section(sections, "hvp");
	p->update = has_section(sections, "update");
	if (p->gradnorm && !cJSON_IsNumber(squares))
		return say(error, "case.json: section gradnorm without the number");
	p->squares = p->gradnorm ? squares->valuedouble : 0;
	return true;
}

bool problem_read(struct problem *p, const char *corpus, const char *which, struct sentence *error)
{
	char path[PATH_MAX];
	char *bytes;
	size_t n = 0;

	memset(p, 0, sizeof *p);
	if (snprintf(p->folder, sizeof p->folder, "%s/cases/%s", corpus, which) >=
	        (int)sizeof p->folder ||
	    snprintf(path, sizeof path, "%s/cases/%s/case.json", corpus, which) >= (int)sizeof path)
		return say(error, "%s: the name is too long", which);
	bytes = file_bytes(path, &n, error);
	if (!bytes)
		return false;
	p->json = cJSON_Parse(bytes);
	free(bytes);
	if (!p->json)
		return say(error, "case.json: it is no JSON");
	return understand(p, error);
}

void problem_free(struct problem *p)
{
	cJSON_Delete(p->json);
	p->json = NULL;
}

/* ---- attributes ---------------------------------------------------------------------------- */

/* A number, or infinity as a text. */
static bool real_of(const cJSON *value, double *to)
{
	bool negative = cJSON_IsString(value) && value->valuestring[0] == '-';

	if (cJSON_IsNumber(value))
		*to = value->valuedouble;
	else if (cJSON_IsString(value) && strcmp(value->valuestring + negative, "inf") == 0)
		*to = negative ? -(double)INFINITY : (double)INFINITY;
	else
		return false;
	return true;
}

static bool is_whole(double r)
{
	return r == floor(r) && fabs(r) < 9e15;
}

/* A list of whole numbers where all are, unless the table wants reals; null inside is "not given".
 */
static bool list_setting(const cJSON *value, bool reals, ad_setting *s, void **list)
{
	size_t n = (size_t)cJSON_GetArraySize(value), k = 0;
	double *r = malloc((n ? n : 1) * sizeof *r);
	int64_t *i = malloc((n ? n : 1) * sizeof *i);
	const cJSON *entry;
	bool ok = r && i;

	cJSON_ArrayForEach(entry, value)
	{
		double number = 0;

		if (!ok)
			break;
		if (cJSON_IsNull(entry)) {
			i[k] = AD_NONE;
			r[k++] = (double)NAN;
			continue;
		}
		ok = real_of(entry, &number);
		reals |= !is_whole(number);
		i[k] = is_whole(number) ? (int64_t)number : 0;
		r[k++] = number;
	}
	s->type = reals ? AD_NUMLIST : AD_INTLIST;
	s->ints = (ad_ints){ (int64_t)n, i };
	s->reals = (ad_reals){ (int64_t)n, r };
	*list = reals ? (void *)r : (void *)i;
	free(reals ? (void *)i : (void *)r);
	return ok;
}

static bool setting_of(const cJSON *value, const ad_attr *row, ad_setting *s, void **list)
{
	ad_attr_type wanted = row ? row->type : AD_NOTHING;

	if (cJSON_IsNull(value)) {
		s->type = AD_NOTHING;
	} else if (cJSON_IsBool(value)) {
		s->type = AD_FLAG;
		s->b = cJSON_IsTrue(value);
	} else if (cJSON_IsArray(value)) {
		return list_setting(value, wanted == AD_NUMLIST, s, list);
	} else if (wanted != AD_WORD && real_of(value, &s->r)) {
		s->type = is_whole(s->r) ? AD_INT : AD_NUM;
		s->i = s->type == AD_INT ? (int64_t)s->r : 0;
	} else if (cJSON_IsString(value)) {
		s->type = AD_WORD;
		s->s = value->valuestring;
	} else {
		return false;
	}
	return true;
}

bool problem_settings(const struct problem *p, const ad_attr *table, struct settings *to,
                      struct sentence *error)
{
	const cJSON *value;

	memset(to, 0, sizeof *to);
	cJSON_ArrayForEach(value, p->attrs)
	{
		const ad_attr *row = table;

		while (row && row->name && strcmp(row->name, value->string) != 0)
			row++;
		if (to->n == MAX_SETTINGS - 1)
			return say(error, "case.json: more than %d attributes", MAX_SETTINGS - 1);
		to->of[to->n].name = value->string;
		if (!setting_of(value, row && row->name ? row : NULL, &to->of[to->n],
		                &to->lists[to->n])) {
			to->n++;
			return say(error, "case.json: the value of '%s' is not understood",
			           value->string);
		}
		to->n++;
	}
	return true;
}

void settings_free(struct settings *s)
{
	for (size_t k = 0; k < s->n; k++)
		free(s->lists[k]);
}
