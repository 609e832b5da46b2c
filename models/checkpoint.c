/*
 * checkpoint: the weights of a model, and other arrays, as a safetensors file.
 *
 * 8 bytes, little-endian: length of the header; the header, JSON: {"path": {"dtype": "F32", "shape":
 * [2, 3], "data_offsets": [from, to]}, ..., "__metadata__": {...}}; the elements, little-endian, row-major,
 * without holes. (github.com/huggingface/safetensors, README.) Our metadata has the CRC-32 of the elements.
 * Nothing of a file is believed: a weight changes only after all of it has been checked.
 */
#include "file.h"
#include "model.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define MAX_HEADER ((size_t)16 << 20)
#define MAX_TENSORS ((size_t)100000)
#define MAX_NAME 256
#define MAX_LISTED 5

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "checkpoint.c writes elements as they lie in memory, which has to be little-endian"
#endif

static size_t size_of(const ad_model *m, ad_type type)
{
	return type == AD_REAL ? (m->f64 ? 8 : 4) : type == AD_I32 ? 4 : 1;
}

static const char *dtype_of(const ad_model *m, ad_type type)
{
	return type == AD_REAL ? (m->f64 ? "F64" : "F32") : type == AD_I32 ? "I32" : "BOOL";
}

static uint32_t crc_of(uint32_t crc, const void *data, size_t size)
{
	return (uint32_t)crc32_z(crc, data, size);
}

/* ---- writing -------------------------------------------------------------------------------- */

static bool add_entry(cJSON *header, const struct stored *a, size_t from, size_t to)
{
	cJSON *entry = cJSON_AddObjectToObject(header, a->name);
	cJSON *sizes, *offsets;

	if (!entry || !cJSON_AddStringToObject(entry, "dtype", a->dtype))
		return false;
	sizes = cJSON_AddArrayToObject(entry, "shape");
	for (int k = 0; k < a->shape.rank; k++)
		if (!cJSON_AddItemToArray(sizes, cJSON_CreateNumber((double)a->shape.dims[k])))
			return false;
	offsets = cJSON_AddArrayToObject(entry, "data_offsets");
	return sizes && offsets && cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)from)) &&
	       cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)to));
}

/* The header as text, padded so that the elements are aligned. NULL: no memory. */
static char *make_header(size_t n, const struct stored arrays[], const char *of, uint32_t crc, size_t *length)
{
	cJSON *header = cJSON_CreateObject(), *about = cJSON_AddObjectToObject(header, "__metadata__");
	size_t at = 0;
	char hex[16], *text = NULL, *padded = NULL;
	bool ok;

	snprintf(hex, sizeof hex, "%08x", crc);
	ok = about && cJSON_AddStringToObject(about, "format", "autograd") &&
	     cJSON_AddStringToObject(about, "version", AD_VERSION) &&
	     cJSON_AddStringToObject(about, "crc32", hex) && (!of || cJSON_AddStringToObject(about, "of", of));
	for (size_t k = 0; ok && k < n; k++) {
		ok = add_entry(header, &arrays[k], at, at + arrays[k].bytes);
		at += arrays[k].bytes;
	}
	if (ok)
		text = cJSON_PrintUnformatted(header);
	cJSON_Delete(header);
	if (!text)
		return NULL;
	*length = (strlen(text) + 7) / 8 * 8;
	padded = malloc(*length + 1);
	if (padded) {
		memset(padded, ' ', *length);
		memcpy(padded, text, strlen(text));
	}
	cJSON_free(text);
	return padded;
}

bool arrays_write(const char *path, size_t n_arrays, const struct stored arrays[], const char *of, char *error,
                  size_t n)
{
	unsigned char front[8];
	struct save save;
	uint32_t crc = crc_of(0, NULL, 0);
	size_t length;
	char *header;
	bool ok;

	for (size_t k = 0; k < n_arrays; k++)
		if (arrays[k].bytes > 0)
			crc = crc_of(crc, arrays[k].data, arrays[k].bytes);
	header = make_header(n_arrays, arrays, of, crc, &length);
	if (!header)
		return failure_memory(error, n, path, 0);
	for (int k = 0; k < 8; k++)
		front[k] = (unsigned char)((uint64_t)length >> 8 * k);
	ok = save_begin(&save, path, error, n) && save_write(&save, front, 8, error, n) &&
	     save_write(&save, header, length, error, n);
	free(header);
	for (size_t k = 0; ok && k < n_arrays; k++)
		ok = save_write(&save, arrays[k].data, arrays[k].bytes, error, n);
	return ok && save_end(&save, error, n);
}

struct stored stored_weight(const ad_model *m, int k)
{
	const struct weight *w = &m->weights[k];
	ad_type type = ad_type_of(w->node);

	return (struct stored){ .name = w->path, .dtype = dtype_of(m, type), .shape = ad_shape_of(w->node),
		               .bytes = ad_count(w->node) * size_of(m, type) };
}

bool checkpoint_write(ad_model *m, const char *path, char *error, size_t n)
{
	struct stored *arrays = calloc((size_t)m->n_weights + 1, sizeof *arrays);
	bool ok = arrays || failure_memory(error, n, path, 0);

	model_ready(m); /* a failure shows below, at the weight that has no memory */
	for (int k = 0; ok && k < m->n_weights; k++) {
		arrays[k] = stored_weight(m, k);
		arrays[k].data = ad_data(m->weights[k].node);
		if (!arrays[k].data && arrays[k].bytes > 0)
			ok = failure(error, n, "%s: weight '%s' has no value: %s", path, m->weights[k].path,
			             ad_errmsg(m->graph));
	}
	ok = ok && arrays_write(path, (size_t)m->n_weights, arrays, NULL, error, n);
	free(arrays);
	return ok;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* A tensor of the file. */
struct tensor {
	const char *name;
	const cJSON *entry;
	int weight; /* its number in the model; -1: the model has none of that name */
	char dtype[8];
	ad_shape shape;
	size_t count, width, from, to;
};

struct checkpoint {
	ad_model *m;
	const char *path;
	char *error;
	size_t error_size;
	cJSON *header;
	const char *crc; /* eight digits, or NULL */
	const char *of;  /* what arrays_write was told, or NULL */
	struct tensor *tensors;
	size_t n;
	unsigned char *data;
	size_t size;
	bool refused; /* for what is in the file, not for reading it */
};

#define REFUSE(c, ...) ((c)->refused = true, failure((c)->error, (c)->error_size, __VA_ARGS__))

static bool refuse_byte(struct checkpoint *c, unsigned char byte, size_t at)
{
	char shown[32];

	snprintf(shown, sizeof shown, byte > ' ' && byte < 0x7f ? "'%c'" : "byte of value %d", byte);
	return REFUSE(c, "%s: a %s stands at byte %zu of its header, where a safetensors header has "
	              "none: it is damaged or another kind of file", c->path, shown, at);
}

/* Weights stand alone in their file; a state has what the optimizer keeps of each, too. */
static size_t arrays_of_weight(const struct checkpoint *c)
{
	return c->m ? 1 : 1 + OPTIMIZER_STATES;
}

/* Before the JSON reader sees it: in strings text in UTF-8 without control characters, outside of them
 * nothing but brackets, commas, colons and whole numbers, and no nesting beyond what a header has. So a
 * number read as a double is a whole one, and no name ends early at a zero byte. */
static bool check_text(struct checkpoint *c, const unsigned char *text, size_t n)
{
	bool inside = false;
	int depth = 0, digits = 0;

	if (n < 2 || text[0] != '{')
		return REFUSE(c, "%s: its header is not a JSON object; is it a safetensors file?", c->path);
	for (size_t k = 0; k < n; k++) {
		unsigned char ch = text[k];

		if (inside) {
			int follow = ch < 0x80 ? 0 : ch >= 0xc2 && ch < 0xe0 ? 1 : (ch & 0xf0) == 0xe0 ? 2
			           : ch >= 0xf0 && ch < 0xf5 ? 3 : -1;

			if (ch < ' ' || follow < 0 || n - k <= (size_t)follow)
				return REFUSE(c, "%s: byte %zu of its header is not text in UTF-8", c->path, k);
			if (ch == '\\' && k + 1 < n) {
				if (k + 5 < n && memcmp(text + k + 1, "u0000", 5) == 0)
					return REFUSE(c, "%s: a string of its header has a zero byte", c->path);
				k++;
			} else if (ch == '"') {
				inside = false;
			}
			for (; follow > 0; follow--)
				if ((text[++k] & 0xc0) != 0x80)
					return REFUSE(c, "%s: byte %zu of its header is not text in UTF-8", c->path, k);
			continue;
		}
		digits = ch >= '0' && ch <= '9' ? digits + 1 : 0;
		inside = ch == '"';
		depth += (ch == '{' || ch == '[') - (ch == '}' || ch == ']');
		if (depth > 3 || depth < 0)
			return REFUSE(c, "%s: its header nests as no safetensors header does", c->path);
		if (digits > 15 || !ch || !strchr("{}[],:\" \t\r\n0123456789", ch))
			return refuse_byte(c, ch, k);
	}
	return depth == 0 || REFUSE(c, "%s: its header ends too early", c->path);
}

/* A whole number of the header, or false. */
static bool whole(const cJSON *item, size_t *value)
{
	if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= 0x1p53))
		return false;
	*value = (size_t)item->valuedouble;
	return true;
}

static const cJSON *field(struct checkpoint *c, const struct tensor *t, const char *name)
{
	const cJSON *found = NULL, *item;

	cJSON_ArrayForEach(item, t->entry) {
		if (!item->string || strcmp(item->string, name) != 0)
			continue;
		if (found) {
			REFUSE(c, "%s: '%s' has '%s' twice", c->path, t->name, name);
			return NULL;
		}
		found = item;
	}
	if (!found)
		REFUSE(c, "%s: '%s' has no '%s'", c->path, t->name, name);
	return found;
}

static bool read_dtype(struct checkpoint *c, struct tensor *t)
{
	const cJSON *dtype = field(c, t, "dtype");

	if (!dtype)
		return false;
	if (!cJSON_IsString(dtype))
		return REFUSE(c, "%s: the dtype of '%s' is not a string", c->path, t->name);
	snprintf(t->dtype, sizeof t->dtype, "%s", dtype->valuestring);
	t->width = strcmp(t->dtype, "F64") == 0 || strcmp(t->dtype, "I64") == 0 ? 8
	         : strcmp(t->dtype, "F32") == 0 || strcmp(t->dtype, "I32") == 0 ? 4
	         : strcmp(t->dtype, "BOOL") == 0 ? 1 : 0;
	return t->width || REFUSE(c, "%s: '%s' has elements of type '%.16s'; F32, F64, I32 and BOOL are read",
	                          c->path, t->name, dtype->valuestring);
}

static bool read_entry(struct checkpoint *c, struct tensor *t)
{
	const cJSON *shape, *offsets, *item;
	size_t bytes;

	if (!cJSON_IsObject(t->entry))
		return REFUSE(c, "%s: '%s' is not an object", c->path, t->name);
	if (!read_dtype(c, t) || !(shape = field(c, t, "shape")) ||
	    !(offsets = field(c, t, "data_offsets")))
		return false;
	if (!cJSON_IsArray(shape) || cJSON_GetArraySize(shape) > AD_MAX_RANK)
		return REFUSE(c, "%s: the shape of '%s' is not a list of at most %d sizes", c->path, t->name,
		              AD_MAX_RANK);
	t->count = 1;
	cJSON_ArrayForEach(item, shape) {
		size_t size;

		if (!whole(item, &size))
			return REFUSE(c, "%s: a size of '%s' is not a whole number", c->path, t->name);
		t->shape.dims[t->shape.rank++] = (int64_t)size;
		if (__builtin_mul_overflow(t->count, size, &t->count))
			return REFUSE(c, "%s: the sizes of '%s' overflow", c->path, t->name);
	}
	if (!cJSON_IsArray(offsets) || cJSON_GetArraySize(offsets) != 2 ||
	    !whole(cJSON_GetArrayItem(offsets, 0), &t->from) ||
	    !whole(cJSON_GetArrayItem(offsets, 1), &t->to))
		return REFUSE(c, "%s: the data_offsets of '%s' are not two whole numbers", c->path, t->name);
	if (t->to < t->from || __builtin_mul_overflow(t->count, t->width, &bytes) ||
	    t->to - t->from != bytes)
		return REFUSE(c, "%s: '%s' has data_offsets of %zu and %zu, which do not span its elements",
		              c->path, t->name, t->from, t->to);
	return true;
}

static bool check_name(struct checkpoint *c, const char *name)
{
	/* arrays that belong to a weight have its path with a few letters more */
	size_t length = strlen(name), most = c->m ? MAX_NAME : MAX_NAME + 16;

	if (length == 0 || length > most)
		return REFUSE(c, "%s: a tensor has a name of %zu bytes; 1 to %zu are allowed", c->path, length,
		              most);
	for (size_t k = 0; k < length; k++)
		if ((unsigned char)name[k] < ' ' || name[k] == 0x7f)
			return REFUSE(c, "%s: the name of a tensor has a control character", c->path);
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct tensor *)a)->name, ((const struct tensor *)b)->name);
}

static int by_offset(const void *a, const void *b)
{
	const struct tensor *x = a, *y = b;

	return x->from != y->from ? (x->from > y->from) - (x->from < y->from)
	                          : (x->to > y->to) - (x->to < y->to);
}

static bool read_metadata(struct checkpoint *c, const cJSON *about)
{
	const cJSON *item;

	if (!cJSON_IsObject(about))
		return REFUSE(c, "%s: its __metadata__ is not an object", c->path);
	cJSON_ArrayForEach(item, about) {
		if (!cJSON_IsString(item))
			return REFUSE(c, "%s: its __metadata__ has a value that is not a string", c->path);
		if (strcmp(item->string, "crc32") == 0)
			c->crc = item->valuestring;
		else if (strcmp(item->string, "of") == 0)
			c->of = item->valuestring;
	}
	return true;
}

static bool read_entries(struct checkpoint *c)
{
	const cJSON *item;
	size_t room = (size_t)cJSON_GetArraySize(c->header), at = 0;
	bool metadata = false;

	if (room > MAX_TENSORS * arrays_of_weight(c))
		return REFUSE(c, "%s: has more than %zu tensors", c->path, MAX_TENSORS * arrays_of_weight(c));
	c->tensors = calloc(room + 1, sizeof *c->tensors);
	if (!c->tensors)
		return failure_memory(c->error, c->error_size, c->path, 0);
	cJSON_ArrayForEach(item, c->header) {
		struct tensor *t = &c->tensors[c->n];

		if (strcmp(item->string, "__metadata__") == 0) {
			if (metadata)
				return REFUSE(c, "%s: its header has '__metadata__' twice", c->path);
			metadata = true;
			if (!read_metadata(c, item))
				return false;
			continue;
		}
		*t = (struct tensor){ .name = item->string, .entry = item, .weight = -1 };
		if (!check_name(c, t->name) || !read_entry(c, t))
			return false;
		c->n++;
	}
	qsort(c->tensors, c->n, sizeof *c->tensors, by_name);
	for (size_t k = 1; k < c->n; k++)
		if (strcmp(c->tensors[k - 1].name, c->tensors[k].name) == 0)
			return REFUSE(c, "%s: has two tensors named '%s'", c->path, c->tensors[k].name);
	qsort(c->tensors, c->n, sizeof *c->tensors, by_offset);
	for (size_t k = 0; k < c->n; k++) {
		const struct tensor *t = &c->tensors[k];

		if (t->from != at)
			return REFUSE(c, "%s: the elements of '%s' begin at %zu, but those before end at %zu",
			              c->path, t->name, t->from, at);
		at = t->to;
	}
	return at == c->size ||
	       REFUSE(c, "%s: %zu bytes follow its header, but its tensors take %zu: it is cut off or has "
	              "been added to", c->path, c->size, at);
}

/* ---- against the model ------------------------------------------------------------------------ */

/* Appends a name to a list that ends in "and 7 more". */
static void list(char *text, size_t n, size_t number, const char *name)
{
	size_t length = strlen(text);

	if (number < MAX_LISTED)
		snprintf(text + length, n - length, "%s'%s'", number ? ", " : "", name);
}

/* The length of a number that ends a component of a path, "_2" in "linear_2.weight"; 0: none is here. */
static size_t item_number(const char *s)
{
	size_t n = *s == '_' ? strspn(s + 1, "0123456789") : 0;

	return n > 0 && (s[n + 1] == '.' || s[n + 1] == '[') ? n + 1 : 0;
}

static bool is_numbered(const char *path)
{
	while (*path && item_number(path) == 0)
		path++;
	return *path != '\0';
}

static const char numbers_move[] = "\nhelp: the number of an unnamed item, as in linear_2, moves when "
				   "another is put before it; 'as: NAME' keeps it";

static bool names_differ(struct checkpoint *c)
{
	char missing[MAX_LISTED * (MAX_NAME + 8)] = "", extra[MAX_LISTED * (MAX_NAME + 8)] = "";
	size_t n_missing = 0, n_extra = 0;
	char more[2][32] = { "", "" };
	bool *found = calloc((size_t)c->m->n_weights + 1, 1), numbered = false;

	if (!found)
		return REFUSE(c, "%s: out of memory", c->path);
	for (size_t j = 0; j < c->n; j++)
		if (c->tensors[j].weight >= 0)
			found[c->tensors[j].weight] = true;
	for (int k = 0; k < c->m->n_weights; k++) {
		if (found[k])
			continue;
		list(missing, sizeof missing, n_missing++, c->m->weights[k].path);
		numbered = numbered || is_numbered(c->m->weights[k].path);
	}
	free(found);
	for (size_t j = 0; j < c->n; j++) {
		if (c->tensors[j].weight >= 0)
			continue;
		list(extra, sizeof extra, n_extra++, c->tensors[j].name);
		numbered = numbered || is_numbered(c->tensors[j].name);
	}
	if (n_missing > MAX_LISTED)
		snprintf(more[0], sizeof more[0], " and %zu more", n_missing - MAX_LISTED);
	if (n_extra > MAX_LISTED)
		snprintf(more[1], sizeof more[1], " and %zu more", n_extra - MAX_LISTED);
	return REFUSE(c, "%s: error[E030]: it belongs to another model than %s:%s%s%s%s%s%s%s", c->path,
	              c->m->path, n_missing ? " it lacks " : "", missing, more[0],
	              n_extra ? (n_missing ? "; it has besides " : " it has besides ") : "", extra, more[1],
	              numbered ? numbers_move : "");
}

static int by_path(const void *a, const void *b)
{
	return strcmp((*(const struct weight *const *)a)->path, (*(const struct weight *const *)b)->path);
}

/* Finds each tensor's weight. */
static bool match(struct checkpoint *c)
{
	ad_model *m = c->m;
	size_t count = (size_t)m->n_weights, matched = 0;
	const struct weight **sorted = malloc((count + 1) * sizeof *sorted);

	if (!sorted)
		return failure_memory(c->error, c->error_size, c->path, 0);
	for (size_t k = 0; k < count; k++)
		sorted[k] = &m->weights[k];
	qsort(sorted, count, sizeof *sorted, by_path);
	for (size_t j = 0; j < c->n; j++) {
		struct weight wanted = { .path = c->tensors[j].name };
		const struct weight *key = &wanted;
		const struct weight **found = bsearch(&key, sorted, count, sizeof *sorted, by_path);

		if (found) {
			c->tensors[j].weight = (int)(*found - m->weights);
			matched++;
		}
	}
	free(sorted);
	return (matched == c->n && matched == count) || names_differ(c);
}

static const char *brackets(char text[256], ad_shape shape)
{
	size_t length = 0;

	text[0] = '\0';
	for (int k = 0; k < shape.rank; k++)
		length += (size_t)snprintf(text + length, 256 - length, "%s%lld", k ? ", " : "",
		                           (long long)shape.dims[k]);
	return text;
}

static bool check_shape(struct checkpoint *c, const struct tensor *t)
{
	const struct weight *w = &c->m->weights[t->weight];
	ad_shape shape = ad_shape_of(w->node);
	ad_type type = ad_type_of(w->node);
	bool same = shape.rank == t->shape.rank, real = t->dtype[0] == 'F';
	const struct yaml *params = yaml_get(yaml_root(c->m->tree), "params");
	const struct yaml *from = w->param && params ? yaml_get(params, w->param) : NULL;
	char there[256], here[256], place[1024];

	for (int k = 0; same && k < shape.rank; k++)
		same = shape.dims[k] == t->shape.dims[k];
	const char *slash = strrchr(c->path, '/');
	if (!same)
		return REFUSE(c, "%s: error[E030]: '%s' is [%s] there and [%s] here (%s%s%s)\n"
		              "help: 'autograd diff %.*sconfig.yaml %s'%s", c->path, t->name,
		              brackets(there, t->shape), brackets(here, shape),
		              model_place(c->m, from ? from->at : w->at, place, sizeof place),
		              from ? ", params." : "", from ? w->param : "",
		              slash ? (int)(slash + 1 - c->path) : 0, c->path, c->m->path,
		              is_numbered(t->name) ? numbers_move : "");
	if (type == AD_REAL ? !real : strcmp(t->dtype, dtype_of(c->m, type)) != 0)
		return REFUSE(c, "%s: error[E030]: '%s' has elements of type %s there and %s here", c->path,
		              t->name, t->dtype, dtype_of(c->m, type));
	return true;
}

/* Element k of a tensor of reals. */
static double real_at(const struct checkpoint *c, const struct tensor *t, size_t k)
{
	const unsigned char *p = c->data + t->from + k * t->width;
	float single;
	double value;

	if (t->width == 8) {
		memcpy(&value, p, sizeof value);
		return value;
	}
	memcpy(&single, p, sizeof single);
	return single;
}

static bool check_values(struct checkpoint *c, const struct tensor *t)
{
	for (size_t k = 0; t->dtype[0] == 'F' && k < t->count; k++) {
		double value = real_at(c, t, k);

		if (!isfinite(value))
			return REFUSE(c, "%s: '%s' has a %s at element %zu; take an earlier checkpoint", c->path,
			              t->name, isnan(value) ? "NaN" : "value that is infinite", k);
		if (!c->m->f64 && !isfinite((float)value))
			return REFUSE(c, "%s: element %zu of '%s' is %g, beyond the range of f32; set train.precision "
			              "to f64", c->path, k, t->name, value);
	}
	for (size_t k = 0; strcmp(t->dtype, "BOOL") == 0 && k < t->count; k++)
		if (c->data[t->from + k] > 1)
			return REFUSE(c, "%s: '%s' has a truth value that is neither 0 nor 1", c->path, t->name);
	return true;
}

static bool put(struct checkpoint *c, const struct tensor *t)
{
	void *to = ad_write(c->m->weights[t->weight].node);
	bool real = t->dtype[0] == 'F';

	if (!to && t->count > 0)
		return failure(c->error, c->error_size, "%s: '%s' cannot be set: %s", c->path, t->name,
		               ad_errmsg(c->m->graph));
	if (!real || t->width == (c->m->f64 ? 8 : 4)) {
		if (t->count > 0)
			memcpy(to, c->data + t->from, t->count * t->width);
		return true;
	}
	for (size_t k = 0; k < t->count; k++) {
		if (c->m->f64)
			((double *)to)[k] = real_at(c, t, k);
		else
			((float *)to)[k] = (float)real_at(c, t, k);
	}
	return true;
}

/* Reads the elements; what they take has been compared with what is expected, and no more is allocated. */
static bool read_elements(struct checkpoint *c, struct reader *file)
{
	char hex[16];
	size_t got;

	c->data = malloc(c->size + 1);
	if (!c->data)
		return failure_memory(c->error, c->error_size, c->path, c->size);
	if (!reader_read(file, c->data, c->size, &got, c->error, c->error_size))
		return false;
	if (got != c->size)
		return REFUSE(c, "%s: became shorter while it was read", c->path);
	snprintf(hex, sizeof hex, "%08x", crc_of(crc_of(0, NULL, 0), c->data, c->size));
	if (c->crc && strcmp(hex, c->crc) != 0)
		return REFUSE(c, "%s: its checksum is %.16s, but its weights give %s: it is damaged; take "
		              "another copy", c->path, c->crc, hex);
	return true;
}

/* As the weights of the model. */
static bool use(struct checkpoint *c, struct reader *file)
{
	model_ready(c->m); /* or the initial values would be written over those read here */
	if (!read_entries(c) || !match(c))
		return false;
	for (size_t k = 0; k < c->n; k++)
		if (!check_shape(c, &c->tensors[k]))
			return false;
	if (!read_elements(c, file))
		return false;
	for (size_t k = 0; k < c->n; k++)
		if (!check_values(c, &c->tensors[k]))
			return false;
	for (size_t k = 0; k < c->n; k++)
		if (!put(c, &c->tensors[k]))
			return false;
	return true;
}

/* As arrays that are known: these, in this order. */
static bool use_arrays(struct checkpoint *c, struct reader *file, size_t n, const struct stored arrays[],
                       const char *of)
{
	static const char other[] = "take another copy, or begin anew";

	if (!read_entries(c))
		return false;
	if (!c->of || strcmp(c->of, of) != 0)
		return REFUSE(c, "%s: belongs to another configuration; only train.epochs, train.steps and train.log may be "
		              "others than they were; to change more begin anew, or from its weights, train.from",
		              c->path);
	for (size_t k = 0, j = 0; k < n; k++) {
		const struct tensor *t = j < c->n ? &c->tensors[j] : NULL;
		bool same = t && strcmp(t->name, arrays[k].name) == 0 &&
		            strcmp(t->dtype, arrays[k].dtype) == 0 && t->shape.rank == arrays[k].shape.rank;

		for (int i = 0; same && i < t->shape.rank; i++)
			same = t->shape.dims[i] == arrays[k].shape.dims[i];
		if (!same)
			return REFUSE(c, "%s: is damaged: '%s' is not where and what it has to be; %s", c->path,
			              arrays[k].name, other);
		j++;
	}
	if (c->n != n || !c->crc)
		return REFUSE(c, "%s: is damaged: %s; %s", c->path, c->crc ? "it has more arrays than it has to have"
		              : "it has no checksum", other);
	if (!read_elements(c, file))
		return false;
	for (size_t k = 0; k < n; k++)
		if (arrays[k].bytes > 0)
			memcpy(arrays[k].to, c->data + c->tensors[k].from, arrays[k].bytes);
	return true;
}

static bool read_header(struct checkpoint *c, struct reader *file)
{
	unsigned char front[8];
	uint64_t length = 0;
	char *text;
	size_t got;
	bool ok;

	if (file->packed)
		return REFUSE(c, "%s: is packed by gzip; unpack it", c->path);
	if (file->size < 8 + 2)
		return REFUSE(c, "%s: has %llu bytes, too few for a safetensors file", c->path,
		              (unsigned long long)file->size);
	if (!reader_read(file, front, 8, &got, c->error, c->error_size))
		return false;
	for (int k = 0; k < 8; k++)
		length |= (uint64_t)front[k] << 8 * k;
	if (got != 8 || length > file->size - 8)
		return REFUSE(c, "%s: its header should have %llu bytes, but the file has %llu; it is cut off or no "
		              "safetensors file", c->path, (unsigned long long)length,
		              (unsigned long long)file->size);
	if (length > MAX_HEADER * arrays_of_weight(c))
		return REFUSE(c, "%s: its header has %llu bytes; at most %zu are read", c->path,
		              (unsigned long long)length, MAX_HEADER * arrays_of_weight(c));
	text = malloc((size_t)length + 1);
	if (!text)
		return failure_memory(c->error, c->error_size, c->path, (size_t)length);
	ok = reader_read(file, text, (size_t)length, &got, c->error, c->error_size);
	if (ok && got != length)
		ok = REFUSE(c, "%s: became shorter while it was read", c->path);
	text[got] = '\0';
	c->size = (size_t)(file->size - 8 - length);
	if (ok && check_text(c, (unsigned char *)text, got)) {
		/* Needs the terminating zero, and so refuses what stands behind the object. */
		c->header = cJSON_ParseWithOpts(text, NULL, true);
		ok = cJSON_IsObject(c->header) || REFUSE(c, "%s: its header is not JSON", c->path);
	} else {
		ok = false;
	}
	free(text);
	return ok;
}

static bool read_file(struct checkpoint *c, size_t n, const struct stored arrays[], const char *of)
{
	struct reader file;
	bool ok;

	if (!reader_open(&file, c->path, c->error, c->error_size))
		return false;
	ok = read_header(c, &file) && (c->m ? use(c, &file) : use_arrays(c, &file, n, arrays, of));
	reader_close(&file);
	cJSON_Delete(c->header);
	free(c->tensors);
	free(c->data);
	return ok;
}

bool checkpoint_read(ad_model *m, const char *path, bool *refused, char *error, size_t n)
{
	struct checkpoint c = { .m = m, .path = path, .error = error, .error_size = n };
	bool ok = read_file(&c, 0, NULL, NULL);

	if (refused)
		*refused = c.refused;
	return ok;
}

bool arrays_read(const char *path, size_t n_arrays, const struct stored arrays[], const char *of, bool *refused,
                 char *error, size_t n)
{
	struct checkpoint c = { .path = path, .error = error, .error_size = n };
	bool ok = read_file(&c, n_arrays, arrays, of);

	*refused = c.refused;
	return ok;
}
